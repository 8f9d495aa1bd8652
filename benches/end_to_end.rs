//! How fast `tripline score` goes over a gzip tree, against libdeflate merely decompressing it, and
//! how much memory it takes: whole processes, in turn, on the same files.
//!
//! `cargo bench -p tripline-benches --bench end_to_end -- [TREE SCOPES]`: without arguments, a tree
//! of `TRIPLINE_BENCH_JSON_BYTES` (2 GB) is generated first, below the target directory.
//! `TRIPLINE_PROGRAM=PATH`, an absolute path, measures the program that is there instead of one that is
//! built here, such as that of `cargo xtask trained`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench measures with the clock, starts the program, prints, and may fail loudly"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use libdeflater::Decompressor;
use tripline_benches::{arguments, build_program, median, release_dir};

const ROUNDS: usize = 5;

fn main() {
    let arguments = arguments();
    let program = match env::var_os("TRIPLINE_PROGRAM") {
        Some(path) => PathBuf::from(path),
        None => build_program(None),
    };
    let (tree, scopes) = match &arguments[..] {
        [tree, scopes] => (PathBuf::from(tree), PathBuf::from(scopes)),
        _ => generate(&release_dir()),
    };
    let mut files = Vec::new();
    list(&tree, &mut files);
    files.sort();
    println!("{} files below {}", files.len(), tree.display());

    let mut rows = Vec::new();
    for round in 0..=ROUNDS {
        let (bytes, inflate) = inflate(&files);
        let one = score(&program, &tree, &scopes, 1);
        let two = score(&program, &tree, &scopes, 2);
        let beside = both_at_once(&program, &tree, &scopes);
        // The first round fills the page cache and counts for nothing.
        if round > 0 {
            rows.push((bytes, inflate, one, two, beside));
        }
    }
    let json = rows[0].0 as f64;
    let rate = |wall: Duration| json / 1e6 / wall.as_secs_f64();
    let inflate = median(rows.iter().map(|row| rate(row.1)).collect());
    let one = median(rows.iter().map(|row| rate(row.2.wall)).collect());
    let two = median(rows.iter().map(|row| rate(row.3.wall)).collect());
    let ratio =
        median(rows.iter().map(|row| row.1.as_secs_f64() / row.2.wall.as_secs_f64()).collect());
    let scaling = median(
        rows.iter().map(|row| row.2.wall.as_secs_f64() / row.3.wall.as_secs_f64()).collect(),
    );
    let possible = median(
        rows.iter().map(|row| 2.0 * row.2.wall.as_secs_f64() / row.4.as_secs_f64()).collect(),
    );
    let records = rows[0].2.records as f64;
    println!("json bytes                  {:>12}", rows[0].0);
    println!("records                     {:>12}", rows[0].2.records);
    println!("libdeflate alone            {inflate:>12.0} MB/s");
    println!(
        "score, one thread           {one:>12.0} MB/s  {:>10.0} records/s",
        one * 1e6 / json * records
    );
    println!(
        "score, two threads          {two:>12.0} MB/s  {:>10.0} records/s",
        two * 1e6 / json * records
    );
    println!(
        "ratio to libdeflate         {ratio:>12.3}  (one thread; at least 0.25, 0.33 aimed at)"
    );
    println!("two threads against one     {scaling:>12.2}  (1.8 aimed at)");
    println!("two programs against one    {possible:>12.2}  (what two cores of this machine give)");
    let peak = rows.iter().map(|row| row.2.peak_kb.max(row.3.peak_kb)).max().unwrap();
    println!("peak memory                 {:>12.0} MB  (300 at most)", peak as f64 / 1e3);
}

/// One run of the program.
struct Run {
    wall: Duration,
    peak_kb: u64,
    records: u64,
}

fn score(program: &Path, tree: &Path, scopes: &Path, threads: usize) -> Run {
    let started = Instant::now();
    let mut child = Command::new(program)
        .args([
            "score",
            "--format",
            "ndjson",
            "--color",
            "never",
            "--threads",
            &threads.to_string(),
        ])
        .arg("--baselines")
        .arg(scopes)
        .arg(tree)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let peak_kb = watch_memory(&mut child);
    let output = child.wait_with_output().unwrap();
    let wall = started.elapsed();
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{summary}");
    let line = summary.lines().find(|line| line.contains("records")).unwrap();
    let records =
        line.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse().ok()).unwrap();
    Run { wall, peak_kb, records }
}

/// Two programs on a thread each, over the same files at the same time: they share nothing but the
/// machine.
fn both_at_once(program: &Path, tree: &Path, scopes: &Path) -> Duration {
    let started = Instant::now();
    thread::scope(|both| {
        for _ in 0..2 {
            both.spawn(|| score(program, tree, scopes, 1));
        }
    });
    started.elapsed()
}

/// The highest resident size that the system saw, asked for until the process is gone.
fn watch_memory(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kb = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let value = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak_kb = value.unwrap_or(peak_kb).max(peak_kb);
        thread::sleep(Duration::from_millis(5));
    }
    peak_kb
}

/// All files, read and decompressed in one piece each, into one buffer.
fn inflate(files: &[PathBuf]) -> (u64, Duration) {
    let started = Instant::now();
    let (mut decompressor, mut buffer, mut bytes) = (Decompressor::new(), vec![0; 64 << 20], 0);
    for file in files {
        let stored = fs::read(file).unwrap();
        bytes += decompressor.gzip_decompress(&stored, &mut buffer).unwrap() as u64;
    }
    (bytes, started.elapsed())
}

fn generate(release: &Path) -> (PathBuf, PathBuf) {
    let bytes = env::var("TRIPLINE_BENCH_JSON_BYTES").unwrap_or_else(|_| "2GB".to_owned());
    let tree = release.join(format!("bench-tree-{bytes}"));
    let scopes = release.join(format!("bench-scopes-{bytes}"));
    if !tree.exists() {
        let done = Command::new(env!("CARGO"))
            .args(["run", "--release", "--quiet", "-p", "tripline-testkit", "--", "generate"])
            .args([
                "--seed",
                "7",
                "--agents",
                "200",
                "--days",
                "30",
                "--attacks",
                "yes",
                "--level",
                "6",
            ])
            .args(["--file-json-bytes", "20MB", "--json-bytes", &bytes])
            .arg("--out")
            .arg(&tree)
            .arg("--scopes")
            .arg(&scopes)
            .status()
            .unwrap();
        assert!(done.success());
    }
    (tree, scopes)
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}
