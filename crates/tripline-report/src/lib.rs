//! Verdicts, sessions, what is in force, how sound the logs are, and whether everything is in order:
//! for programs (`ndjson`, `ocsf`, `sarif`), for people (`table`, `status`, `audit`, `backtest`,
//! `doctor`), and as a page to look at (`html`).

pub mod audit;
pub mod backtest;
pub mod doctor;
mod finding;
pub mod html;
mod json;
pub mod ndjson;
pub mod ocsf;
pub mod sarif;
pub mod status;
pub mod table;
pub mod timeline;
pub mod wrap;
