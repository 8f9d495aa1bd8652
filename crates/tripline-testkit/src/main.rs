//! The workspace's automation: `generate` writes big trees for benches, `fixtures` the small ones that are
//! committed, `catalogue` the table of IAM's actions, `package` the function as Lambda takes it, `trained` the
//! program optimised for what it does.
#![expect(clippy::disallowed_methods, reason = "edge: reads arguments, writes files, runs threads")]

mod command {
    pub(crate) mod catalogue;
    pub(crate) mod fixtures;
    pub(crate) mod generate;
    pub(crate) mod package;
    pub(crate) mod trained;
}

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a big tree of generated logs.
    Generate(command::generate::Generate),
    /// Write the committed fixtures, or check that they are fresh.
    Fixtures(command::fixtures::Fixtures),
    /// Take the table of IAM's actions out of the package that has it.
    Catalogue(command::catalogue::Catalogue),
    /// Compile the Lambda function and pack it.
    Package(command::package::Package),
    /// Build the program optimised by a profile of itself at work on a generated fleet.
    Trained(command::trained::Trained),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Generate(generate) => generate.run(),
        Command::Fixtures(fixtures) => fixtures.run(),
        Command::Catalogue(catalogue) => catalogue.run(),
        Command::Package(package) => package.run(),
        Command::Trained(trained) => trained.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("error: {error:#}\n"),
            );
            ExitCode::from(2)
        }
    }
}
