//! Verdicts and sessions for programs (`ndjson`) and for people (`table`).

pub mod ndjson;
pub mod table;
