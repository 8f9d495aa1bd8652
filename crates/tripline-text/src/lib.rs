//! tripline-text
