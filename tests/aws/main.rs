//! The kill switch on real parts: an AWS emulator that enforces IAM, and agents that work on it from
//! another process while the switch is pulled. `./tests/run` installs both; alone:
//! `TRIPLINE_COMPONENTS=target/components cargo nextest run -p tripline-tests --test aws`.
//!
//! The emulator is wrong in known ways: it does not fill in `aws:SourceIdentity` and gives the session's
//! ARN as `aws:PrincipalArn`, spreads every change at once, and knows no quota of inline policies. What
//! rests on those is tested against policy evaluators and against an IAM in memory instead.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "tests start programs, say what they skip, and fail by panicking"
)]

mod cards;
mod channels;
mod contract;
mod deployment_log;
mod doctor;
mod fence;
mod heartbeat;
mod history;
mod live;
#[path = "../live_laws.rs"]
mod live_laws;
mod oracle;
mod press;
mod service;
#[path = "../signed.rs"]
#[expect(dead_code, reason = "the other tests of signatures need more of it")]
mod signed;
mod sources;
mod state;
mod switch;
mod verify_logs;
mod world;
