//! The import table of ARCHITECTURE.md, checked: who may import whom, and what must stay out of
//! the pure crates at any depth.
//!
//! Clippy sees direct calls only; what a dependency does it cannot say. Hence this second look.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The pure crates, lowest first: each may import those it names and everything below them.
const PURE: &[(&str, &[&str])] = &[
    ("tripline-text", &[]),
    ("tripline-iam", &["tripline-text"]),
    ("tripline-cloudtrail", &["tripline-iam"]),
    ("tripline-attribution", &["tripline-cloudtrail"]),
    ("tripline-baseline", &["tripline-attribution"]),
    ("tripline-detector", &["tripline-baseline"]),
    // Not detector: the switch must work by hand when the detector is wrong or off.
    ("tripline-containment", &["tripline-iam"]),
    ("tripline-engine", &["tripline-detector", "tripline-containment"]),
    ("tripline-chat", &["tripline-engine"]),
    ("tripline-report", &["tripline-engine"]),
];

/// The crates that touch the world.
const EDGE: &[(&str, &[&str])] = &[
    ("tripline-runtime", &["tripline-chat", "tripline-report"]),
    ("tripline-history", &["tripline-runtime"]),
    ("tripline-columns", &["tripline-history"]),
    ("tripline-aws", &["tripline-runtime"]),
    ("tripline-cli", &["tripline-columns", "tripline-aws"]),
    ("tripline-lambda", &["tripline-runtime", "tripline-aws"]),
    ("tripline-testkit", &[]),
    ("tripline-tests", &["tripline-cli"]),
    ("tripline-benches", &["tripline-cli", "tripline-testkit"]),
];

/// What a pure crate must not have below it at any depth.
const KEPT_OUT: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "aws-",
    "polars",
    "arrow-",
    "parquet",
    "reqwest",
    "hyper",
    "rand",
    "getrandom",
    "rayon",
    "tempfile",
];

/// Everything that `name` may import: what its row names, and what lies below that.
fn allowed(name: &str) -> BTreeSet<&'static str> {
    let rows: BTreeMap<&str, &[&'static str]> = PURE.iter().chain(EDGE).copied().collect();
    let mut found = BTreeSet::new();
    let mut todo: Vec<&'static str> = rows[name].to_vec();
    while let Some(next) = todo.pop() {
        if found.insert(next) {
            todo.extend(rows[next]);
        }
    }
    found
}

/// The lines of `cargo tree` for the normal dependencies of a package: names, at this depth.
fn tree(package: &str, depth: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--all-features", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--depth", depth, "--package", package])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn members() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--no-deps", "--format-version", "1"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().map(|package| package["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn every_crate_has_a_row_and_every_row_a_crate() {
    let rows: BTreeSet<String> =
        PURE.iter().chain(EDGE).map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(members(), rows);
}

#[test]
fn imports_point_downward() {
    let members = members();
    for name in &members {
        let allowed = allowed(name);
        for import in
            tree(name, "1").iter().filter(|import| *import != name && members.contains(*import))
        {
            assert!(allowed.contains(import.as_str()), "{name} must not import {import}");
        }
    }
}

#[test]
fn nothing_that_touches_the_world_lies_below_a_pure_crate() {
    for (name, _) in PURE {
        for below in tree(name, "99") {
            let kept_out = KEPT_OUT.iter().any(|word| match word.strip_suffix('-') {
                Some(_) => below.starts_with(word),
                None => below == *word,
            });
            assert!(!kept_out, "{name} must not have {below} below it");
        }
    }
}

#[test]
fn queries_over_columns_are_one_crates_business_and_none_of_the_functions() {
    let is_polars = |name: &String| name.starts_with("polars");
    for name in members() {
        let imports = tree(&name, "1");
        assert_eq!(imports.iter().any(is_polars), name == "tripline-columns", "{name}");
    }
    assert!(!tree("tripline-lambda", "99").iter().any(is_polars));
}
