//! How much faster agents are learned from an export than from the gzip logs that it was made of: whole
//! processes, in turn, with their baselines compared.
//!
//! `cargo bench -p tripline-benches --bench columns -- TREE`
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench measures with the clock, starts the program, prints, and may fail loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tripline_benches::{arguments, build_program, median};

const ROUNDS: usize = 3;

fn main() {
    let tree = PathBuf::from(&arguments()[0]);
    let program = build_program(Some("columns"));
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("history");

    let export = run(&program, &["export", "--quiet", "--out"], &[&history, &tree]);
    println!("export, two threads            {:>8.2} s", export.as_secs_f64());
    for table in ["events", "mints", "episodes"] {
        let megabytes = bytes_below(&history.join(table)) as f64 / 1e6;
        println!("{table:<30} {megabytes:>8.1} MB");
    }
    println!("logs                           {:>8.1} MB", bytes_below(&tree) as f64 / 1e6);

    for threads in ["1", "2"] {
        let mut rows = Vec::new();
        for round in 0..=ROUNDS {
            let learn = |name: &str, from: &Path| {
                let out = dir.path().join(name);
                let took = run(
                    &program,
                    &["learn", "--quiet", "--threads", threads, "--out"],
                    &[&out, from],
                );
                (took, out)
            };
            let (by_logs, logs) = learn("by-logs", &tree);
            let (by_columns, columns) = learn("by-columns", &history);
            assert_eq!(candidates(&logs), candidates(&columns));
            // With a scope anywhere all calls are judged again: the events are read.
            let of_events = dir.path().join("by-events");
            fs::create_dir_all(of_events.join("nobody")).unwrap();
            let scope = "version = 1\nagent = \"nobody\"\n[allow]\nactions = [\"s3:GetObject\"]\n";
            fs::write(of_events.join("nobody/scope.toml"), scope).unwrap();
            let (by_events, events) = learn("by-events", &history);
            assert_eq!(candidates(&logs), candidates(&events));
            let score =
                |from: &Path| run(&program, &["score", "--quiet", "--threads", threads], &[from]);
            let (score_logs, score_columns) = (score(&tree), score(&history));
            // The first round fills the page cache and counts for nothing.
            if round > 0 {
                rows.push([by_logs, by_columns, by_events, score_logs, score_columns]);
            }
            [logs, columns, events].iter().for_each(|out| fs::remove_dir_all(out).unwrap());
        }
        let of = |nth: usize| median(rows.iter().map(|row| row[nth].as_secs_f64()).collect());
        println!("{threads} thread(s), medians of {ROUNDS}");
        println!("  learn from logs              {:>8.2} s", of(0));
        println!(
            "  learn from episodes          {:>8.2} s  {:>5.1} times as fast (10 aimed at)",
            of(1),
            of(0) / of(1)
        );
        println!(
            "  learn from events            {:>8.2} s  {:>5.1} times as fast",
            of(2),
            of(0) / of(2)
        );
        println!("  score logs, no baselines     {:>8.2} s", of(3));
        println!(
            "  score events, no baselines   {:>8.2} s  {:>5.1} times as fast",
            of(4),
            of(3) / of(4)
        );
    }
}

fn run(program: &Path, arguments: &[&str], paths: &[&Path]) -> Duration {
    let started = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .args(paths)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    started.elapsed()
}

/// What was learned, by place; baselines in force tell when they were promoted, candidates do not.
fn candidates(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    each_file(out, &mut |path| {
        if path.ends_with("candidate.txt") {
            found.push((path.strip_prefix(out).unwrap().to_owned(), fs::read(path).unwrap()));
        }
    });
    found.sort();
    assert!(!found.is_empty());
    found
}

fn bytes_below(folder: &Path) -> u64 {
    let mut bytes = 0;
    each_file(folder, &mut |path| bytes += fs::metadata(path).unwrap().len());
    bytes
}

fn each_file(folder: &Path, look: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { each_file(&path, look) } else { look(&path) }
    }
}
