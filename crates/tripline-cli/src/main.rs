//! The `tripline` command: arguments → calls → exit code.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: reads arguments, the environment and the clock, writes to the terminal, and exits"
)]

mod args;
mod commands;
mod demo;
mod exit;
mod input;
mod logbook;
mod output;
mod page;
mod progress;
mod sources;
mod switch;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let outcome = commands::run(&arguments);
    exit::render(outcome)
}
