//! tripline-containment
