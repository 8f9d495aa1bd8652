//! tripline-attribution
