//! tripline-runtime
