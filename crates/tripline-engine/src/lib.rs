//! tripline-engine
