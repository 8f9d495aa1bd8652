//! tripline-history
