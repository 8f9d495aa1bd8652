//! History as columns: the program takes what it exported for logs, refuses what is no export, and others
//! read it too. That the verdicts are those of the logs whatever the order is the crate's own test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tripline_tests::{stderr, stdout, tripline, workspace};

use crate::whole::files_below;

/// The files below a folder, by their place in it.
fn bytes_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(folder).into_iter();
    files.map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes)).collect()
}

fn demo_exported() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("history");
    let output = tripline()
        .args(["export", "--quiet", "--out"])
        .arg(&to)
        .arg(workspace().join("fixtures/demo"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (dir, to)
}

#[test]
fn the_program_takes_an_export_for_logs() {
    let (dir, history) = demo_exported();
    let demo = workspace().join("fixtures/demo");
    let told = |args: &[&str], path: &Path| {
        let output = tripline().args(args).arg(path).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let baselines = workspace().join("baselines");
    let score =
        ["score", "--all", "--format", "ndjson", "--baselines", baselines.to_str().unwrap()];
    assert_eq!(told(&score, &history), told(&score, &demo));
    let filtered =
        ["score", "--format", "ndjson", "--since", "2026-11-20T11:41:00Z", "--region", "us-east-1"];
    assert_eq!(told(&filtered, &history), told(&filtered, &demo));

    let learned = |name: &str, path: &Path| {
        let out = dir.path().join(name);
        told(&["learn", "--quiet", "--out", out.to_str().unwrap()], path);
        let without_times = |text: Vec<u8>| {
            let text = String::from_utf8(text).unwrap();
            let is_of_now =
                |line: &str| line.starts_with("promoted ") || line.starts_with("digest ");
            text.lines().filter(|line| !is_of_now(line)).collect::<Vec<_>>().join("\n")
        };
        let files = bytes_below(&out).into_iter();
        files.map(|(path, bytes)| (path, without_times(bytes))).collect::<Vec<_>>()
    };
    assert_eq!(learned("by-columns", &history), learned("by-logs", &demo));
}

#[test]
fn what_is_no_export_is_refused_by_name_and_nothing_is_overwritten() {
    let (dir, history) = demo_exported();
    let demo = workspace().join("fixtures/demo");
    let refused = |args: &[&str], path: &Path| {
        let output = tripline().args(args).arg(path).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    let before = bytes_below(&history);
    let occupied = refused(&["export", "--out", history.to_str().unwrap()], &demo);
    assert!(occupied.contains("is there already, and is not overwritten"), "{occupied}");
    assert!(bytes_below(&history) == before);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    // Other settings name other agents.
    let config = dir.path().join("other.toml");
    fs::write(&config, "version = 1\n[agents]\nagent_tags = [\"Bot\"]\n").unwrap();
    let other = refused(&["score", "--config", config.to_str().unwrap()], &history);
    assert!(other.contains("was exported with other settings"), "{other}");

    let (file, whole) = files_below(&history.join("events")).remove(0);
    let out = dir.path().join("baselines");
    let learn = ["learn", "--out", out.to_str().unwrap()];
    let damaged = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let told = refused(&learn, &history);
        assert!(told.contains("events.parquet`: "), "{told}");
        assert!(!out.exists() || fs::read_dir(&out).unwrap().next().is_none(), "{told}");
        told
    };
    assert!(damaged(&whole[..whole.len() / 2]).contains("is damaged, or no Parquet file"));
    assert!(damaged(b"{}").contains("is damaged, or no Parquet file"));
    let (_, mints) = files_below(&history.join("mints")).remove(0);
    assert!(damaged(&mints).contains("is no `events` table"));
    fs::remove_file(&file).unwrap();
    let missing = refused(&learn, &history);
    assert!(missing.contains("promises"), "{missing}");

    // One from before episodes counted resources, and one from a later program.
    for format in [1, 9] {
        let label = format!("{{\"format\": {format}, \"new\": []}}");
        fs::write(history.join("_tripline.json"), label).unwrap();
        let other = refused(&learn, &history);
        let expected = format!("has format {format}; this program reads format 2: export it again");
        assert!(other.contains(&expected), "{other}");
    }
}

/// Where `tests/components` installed what reads Parquet besides this program.
fn python() -> Option<PathBuf> {
    let found = std::env::var_os("TRIPLINE_COMPONENTS").map(PathBuf::from);
    let python = found.map(|path| path.join("python/bin/python3"));
    let has_duckdb = |python: &PathBuf| {
        let import = Command::new(python).args(["-c", "import duckdb"]).output();
        import.is_ok_and(|output| output.status.success())
    };
    let python = python.filter(has_duckdb);
    if python.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "tests/components was not run");
        eprintln!("skipped: DuckDB is not installed; ./tests/run installs it");
    }
    python
}

const QUERY: &str = "
import duckdb, json, sys
events = sys.argv[1] + '/events/*/*.parquet'
mints = sys.argv[1] + '/mints/*/*.parquet'
by_agent = duckdb.sql(f\"\"\"
    SELECT agent, basis, count(*), count(DISTINCT session), count(error_code),
           floor(epoch(min(event_time)) / 86400), date_diff('day', DATE '1970-01-01', min(day)::DATE)
    FROM read_parquet('{events}', hive_partitioning = true) GROUP BY agent, basis ORDER BY ALL\"\"\").fetchall()
widest = duckdb.sql(f\"SELECT max(len(resources)) FROM '{events}'\").fetchall()[0]
named = duckdb.sql(f\"\"\"SELECT count(DISTINCT e.session) FROM '{events}' e
    JOIN '{mints}' m ON m.access_key = e.anchor WHERE e.agent IS NOT NULL\"\"\").fetchall()[0]
print(json.dumps([by_agent, widest, named]))
";

#[test]
fn duckdb_reads_the_table() {
    let Some(python) = python() else { return };
    let (_dir, history) = demo_exported();
    let output = Command::new(python).args(["-c", QUERY]).arg(&history).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();

    // The same by the program itself.
    let demo = workspace().join("fixtures/demo");
    let verdicts = tripline().args(["score", "--all", "--format", "ndjson"]).arg(demo).output();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for line in stdout(&verdicts.unwrap()).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        *expected.entry(line["agent"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for row in told[0].as_array().unwrap() {
        let agent = row[0].as_str().unwrap_or_default().to_owned();
        *found.entry(agent).or_default() += row[2].as_u64().unwrap();
        assert_eq!(row[5].as_f64(), row[6].as_f64(), "{row}");
    }
    assert_eq!(found, expected);
    assert!(told[1][0].as_u64().unwrap() >= 1, "{told}");
    assert!(told[2][0].as_u64().unwrap() >= 6, "{told}");
}
