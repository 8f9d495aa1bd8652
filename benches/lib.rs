//! Benches: one a stage, and end to end.
