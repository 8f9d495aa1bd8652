//! Verdicts, sessions, what is in force, and how sound the logs are: for programs (`ndjson`) and for
//! people (`table`, `status`, `audit`, `doctor`).

pub mod audit;
pub mod doctor;
pub mod ndjson;
pub mod status;
pub mod table;
