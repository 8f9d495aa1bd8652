//! Tests of the whole: the program and the engine on fixtures, the kill switch on an AWS emulator, and
//! the shape of the workspace.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests start the program, and fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The program, built by Cargo for these tests; colours and configuration of this machine left out.
pub fn tripline() -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(BUILT.get_or_init(|| built("tripline")));
    command.env_remove("NO_COLOR").env("TERM", "dumb").current_dir(std::env::temp_dir());
    command
}

/// The functions' program, likewise; or, to be measured, the one that `TRIPLINE_FUNCTION` names.
pub fn function() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let given = || std::env::var_os("TRIPLINE_FUNCTION").map(PathBuf::from);
    BUILT.get_or_init(|| given().unwrap_or_else(|| built("tripline-lambda")))
}

/// Whoever has built the programs together with the tests says so by this. Built each by itself they
/// have fewer features of what they depend on than the workspace has, and AWS's SDK is compiled anew for
/// each.
const BUILT: &str = "TRIPLINE_BUILT";

/// Test binaries lie in `target/PROFILE/deps`, the programs beside them. Cargo gives paths of
/// programs only to tests of their own package, so it is asked to build this one.
fn built(program: &str) -> PathBuf {
    let Some(profile) = std::env::current_exe().unwrap().ancestors().nth(2).map(Path::to_owned)
    else {
        panic!("a test lies below the target directory");
    };
    if std::env::var_os(BUILT).is_some() {
        return profile.join(program);
    }
    let package = if program == "tripline" { "tripline-cli" } else { program };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--offline", "--package", package]);
    cargo.args(["--bin", program, "--target-dir"]);
    cargo.arg(profile.parent().unwrap()).current_dir(workspace());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success());
    profile.join(program)
}

/// What a program wrote.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it complained of.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
