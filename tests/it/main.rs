//! Tests of the whole, in one binary.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests start the program, read fixtures, say what they skip, and fail by panicking"
)]

mod answers;
mod architecture;
mod attribution;
mod backtest;
mod baselines;
mod columns;
mod days;
mod envelopes;
mod findings;
mod forecast;
mod grace;
mod laws;
mod learned;
mod live;
#[path = "../live_laws.rs"]
mod live_laws;
mod look;
mod networks;
mod paces;
mod program;
mod report;
mod samples;
#[path = "../signed.rs"]
mod signed;
mod verify_logs;
mod whole;
