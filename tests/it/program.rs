//! The `tripline` program as its users meet it.

use std::path::PathBuf;

use serde_json::Value;

use tripline_tests::{stderr, stdout, tripline, workspace};

use crate::whole::files_below;

fn fixtures(folder: &str) -> PathBuf {
    workspace().join("fixtures").join(folder)
}

#[test]
fn the_demo_stops_the_hijacked_agent_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("tripline.toml");
    // One of the six carries no tag, but a source identity.
    std::fs::write(&config, "version = 1\n[[agents.fallbacks]]\nby = \"source-identity\"\n")
        .unwrap();
    let output = tripline()
        .args(["score", "--format", "ndjson", "--config"])
        .arg(&config)
        .arg("--baselines")
        .arg(workspace().join("baselines"))
        .arg(fixtures("demo"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["verdict"] == "kill"));
    let agents: std::collections::BTreeSet<_> =
        lines.iter().map(|line| line["agent"].to_string()).collect();
    assert_eq!(agents.into_iter().collect::<Vec<_>>(), ["\"oncall-investigator\""]);
}

#[test]
fn the_demo_is_told_the_same_way_every_time() {
    let output = tripline().arg("demo").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!("demo", stdout(&output));
}

/// A name or a document that is longer stays whole, so that it can be copied.
#[test]
fn tables_fit_eighty_columns() {
    let baselines = workspace().join("baselines");
    let baselines = baselines.to_str().unwrap();
    for command in [
        &["score", "--baselines", baselines][..],
        &["score", "--all"],
        &["sessions", "--baselines", baselines],
        &["sessions", "show", "ASIAY2XIY6SDJ6VBSZOS", "--baselines", baselines],
    ] {
        let output = tripline().args(command).arg(fixtures("demo")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        for line in stdout(&output).lines() {
            let is_one_word = line.split_whitespace().count() == 1;
            assert!(line.chars().count() <= 80 || is_one_word, "{command:?}: {line}");
        }
    }
}

#[test]
fn completions_are_written_for_every_shell() {
    for (shell, sign) in
        [("bash", "complete -F"), ("zsh", "#compdef tripline"), ("fish", "complete -c tripline")]
    {
        let output = tripline().args(["completions", shell]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains(sign), "{shell}");
    }
}

#[test]
fn a_session_that_is_not_there_is_named() {
    let output =
        tripline().args(["sessions", "show", "ASIANOBODY"]).arg(fixtures("demo")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("ASIANOBODY"), "{}", stderr(&output));
}

#[test]
fn what_people_read_is_reviewed() {
    let read =
        |args: &[&str]| stdout(&tripline().args(args).arg(fixtures("demo")).output().unwrap());
    let baselines = workspace().join("baselines");
    let baselines = baselines.to_str().unwrap();
    insta::assert_snapshot!("score_table", read(&["score", "--baselines", baselines]));
    insta::assert_snapshot!("sessions_table", read(&["sessions"]));
    let show = ["sessions", "show", "ASIAY2XIY6SDJ6VBSZOS", "--baselines", baselines];
    insta::assert_snapshot!("session_shown", read(&show));
    let lines = read(&["score", "--format", "ndjson", "--baselines", baselines]);
    insta::assert_snapshot!("score_ndjson", lines.lines().take(12).collect::<Vec<_>>().join("\n"));
    let lines = read(&["sessions", "--format", "ndjson"]);
    insta::assert_snapshot!(
        "sessions_ndjson",
        lines.lines().take(6).collect::<Vec<_>>().join("\n")
    );
    let help = |args: &[&str]| stdout(&tripline().args(args).arg("--help").output().unwrap());
    insta::assert_snapshot!("help", [help(&[]), help(&["score"]), help(&["sessions"])].join("\n"));
}

#[test]
fn exit_codes_say_what_happened() {
    let code = |args: &[&str], folder: &str| {
        tripline().args(args).arg(fixtures(folder)).output().unwrap().status.code()
    };
    assert_eq!(code(&["score", "--quiet"], "demo"), Some(0));
    assert_eq!(code(&["score", "--quiet", "--fail-on", "kill"], "demo"), Some(1));
    assert_eq!(code(&["score", "--no-such-flag"], "demo"), Some(2));
    assert_eq!(code(&["score", "--quiet"], "envelopes"), Some(3));
    assert_eq!(code(&["score", "--quiet", "--fail-on", "alert"], "envelopes"), Some(3));
    assert_eq!(code(&["score", "--quiet"], "no-such-folder"), Some(3));
    assert_eq!(
        tripline().args(["score", "s3://no bucket/prefix"]).output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn one_thread_or_two_one_file_or_many_the_lines_are_the_same() {
    let run = |threads: &str| {
        let mut command = tripline();
        command.args(["score", "--all", "--format", "ndjson", "--threads", threads, "--baselines"]);
        stdout(
            &command.arg(workspace().join("baselines")).arg(fixtures("corpus")).output().unwrap(),
        )
    };
    let one = run("1");
    assert!(one.lines().count() > 1_500);
    assert_eq!(one, run("2"));
    assert_eq!(one, run("7"));
}

/// Rule 4 and trap 25: a live token in the logs reaches no output of any command.
#[test]
fn trap_25_no_session_token_reaches_an_output() {
    const MARKER: &str = "FwoGEXAMPLETOKEN";
    let logs = fixtures("corpus");
    let plain = files_below(&fixtures("envelopes"));
    assert!(
        plain.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("sessionToken"))
            || logs.exists()
    );
    for args in [
        &["score", "--all", "--format", "ndjson"][..],
        &["score", "--all", "--format", "table"],
        &["score", "--format", "table"],
        &["sessions", "--format", "ndjson"],
        &["sessions", "--format", "table"],
    ] {
        for folder in ["corpus", "demo", "envelopes"] {
            let output = tripline().args(args).arg(fixtures(folder)).output().unwrap();
            assert!(!stdout(&output).contains(MARKER), "{args:?} {folder}");
            assert!(!stderr(&output).contains(MARKER), "{args:?} {folder}");
        }
    }
}

/// Nothing that a record says reaches the terminal as a control sequence.
#[test]
fn trap_9_terminal_output_is_harmless() {
    let harmful = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    for args in [
        &["score", "--all", "--color", "never"][..],
        &["score", "--all", "--format", "ndjson"],
        &["sessions", "--color", "never"],
        &["sessions", "--format", "ndjson"],
    ] {
        let output = tripline().args(args).arg(fixtures("envelopes")).output().unwrap();
        for text in [stdout(&output), stderr(&output)] {
            let found = text.lines().find(|line| line.chars().any(harmful));
            assert_eq!(found, None, "{args:?}");
        }
    }
}

#[test]
fn counts_reconcile_in_what_people_read() {
    for folder in ["corpus", "demo", "envelopes"] {
        let output = tripline()
            .args(["sessions", "--format", "ndjson"])
            .arg(fixtures(folder))
            .output()
            .unwrap();
        let text = stderr(&output);
        for what in ["files", "records"] {
            let line = text.lines().find(|line| line.trim_start().starts_with(what)).expect(&text);
            let numbers: Vec<u64> = line
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|word| word.parse().ok())
                .collect();
            assert_eq!(numbers[0], numbers[1..5].iter().sum::<u64>(), "{folder}: {line}");
        }
    }
}
