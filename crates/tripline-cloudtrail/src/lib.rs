//! tripline-cloudtrail
