//! Benches: one a stage, and end to end. Here is what they share.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench looks at its surroundings, starts programs, and may fail loudly"
)]

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// What was given behind `--`.
pub fn arguments() -> Vec<String> {
    env::args().skip(1).filter(|argument| argument != "--bench").collect()
}

/// Where release builds are put: the bench itself is one.
pub fn release_dir() -> PathBuf {
    env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// The program, built with these features or, without any, its default ones.
pub fn build_program(features: Option<&str>) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--package", "tripline-cli"]);
    if let Some(features) = features {
        build.args(["--no-default-features", "--features", features]);
    }
    assert!(build.status().unwrap().success());
    release_dir().join("tripline")
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
