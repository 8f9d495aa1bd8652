//! tripline-detector
