//! tripline-report
