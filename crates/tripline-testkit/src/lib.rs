//! tripline-testkit
