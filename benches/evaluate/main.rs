//! The detector against a simulated fleet: false actions, detection, time to the verdict, and the same
//! for the methods that others use.
//!
//! `cargo bench -p tripline-benches --bench evaluate -- [--seeds N] [--first-seed N] [--agents N]
//! [--runs N] [--quick] [--csv FILE]`: see `benches/README.md`.
//!
//! Days 0 to 29 are learned, days 30 to 59 calibrate, days 60 to 89 test. Every seven days the last
//! thirty are learned anew and promoted, as an operator would. Attacks are put into sessions of the
//! test days after the split; nothing is learned from them.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench measures with the clock, prints, and may fail loudly"
)]

mod boil;
mod operator;
mod outcome;
mod report;
mod rivals;
mod stats;
mod trial;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use outcome::Outcome;
use report::Report;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// How many fleets.
    seeds: u64,
    /// The seed of the first of them; what is tuned on one seed is reported on another.
    first_seed: u64,
    /// Agents in each.
    agents: u32,
    /// Runs of each kind of attack, tempo and origin, in each fleet.
    runs: u32,
    /// Where the figures go as CSV.
    csv: Option<PathBuf>,
    /// Whether what the highest benign scores rest on is shown.
    explain: bool,
}

impl Arguments {
    fn parse() -> Self {
        let mut given = std::env::args().skip(1);
        let mut arguments =
            Self { seeds: 1, first_seed: 101, agents: 96, runs: 16, csv: None, explain: false };
        while let Some(name) = given.next() {
            let mut number = || given.next().and_then(|text| text.parse::<u32>().ok()).unwrap();
            match name.as_str() {
                "--seeds" => arguments.seeds = u64::from(number()),
                "--first-seed" => arguments.first_seed = u64::from(number()),
                "--agents" => arguments.agents = number(),
                "--runs" => arguments.runs = number(),
                "--quick" => (arguments.agents, arguments.runs) = (24, 4),
                "--explain" => arguments.explain = true,
                "--csv" => arguments.csv = given.next().map(PathBuf::from),
                // Cargo's own.
                "--bench" => {}
                other => eprintln!("`{other}` is not known, and passed over"),
            }
        }
        arguments
    }
}

fn main() {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let mut all = Outcome::default();
    for seed in (0..arguments.seeds).map(|nth| arguments.first_seed + nth) {
        let outcome = trial::run(seed, &arguments);
        eprintln!("seed {seed}: {} s so far", begun.elapsed().as_secs());
        all.add(outcome);
    }
    let report = Report::of(all.clone(), boil::factor(arguments.first_seed));
    print!("{}", report.text());
    if arguments.explain {
        print!("{}", report::explained(&all));
    }
    if let Some(path) = &arguments.csv {
        fs::write(path, report.csv(&arguments)).unwrap();
    }
}
