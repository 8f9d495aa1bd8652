//! tripline-baseline
