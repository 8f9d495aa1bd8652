//! Verdicts, sessions and what is in force: for programs (`ndjson`) and for people (`table`, `status`).

pub mod ndjson;
pub mod status;
pub mod table;
