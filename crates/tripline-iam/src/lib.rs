//! tripline-iam
