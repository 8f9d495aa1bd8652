//! `tripline report`, looked at in a real browser.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tripline_tests::{stderr, stdout, tripline, workspace};

/// Where the browser's driver is, or a reason to skip: said aloud, and a failure in CI.
fn driver() -> Option<PathBuf> {
    let found =
        std::env::var_os("TRIPLINE_COMPONENTS").map(|path| PathBuf::from(path).join("browser"));
    let browser =
        std::env::var_os("TRIPLINE_CHROMIUM").map_or("/usr/bin/chromium".into(), PathBuf::from);
    let found = found
        .filter(|path| path.join("node_modules/playwright-core").is_dir() && browser.is_file());
    if found.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "no browser: the components of tests/run are not installed"
        );
        eprintln!("skipped: no browser; ./tests/run installs one");
    }
    found
}

fn report(to: &Path, arguments: &[&str], logs: &[PathBuf]) -> Output {
    let output =
        tripline().arg("report").arg("--out").arg(to).args(arguments).args(logs).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", stderr(&output));
    output
}

fn look(driver: &Path, page: &Path) -> Value {
    let output = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/look.mjs"))
        .args([driver, page])
        .args(std::env::var_os("TRIPLINE_PICTURES"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// What holds for every report: nothing is loaded, nothing complains, nothing came to life.
fn assert_harmless(seen: &Value) {
    assert_eq!(seen["ready"], "yes", "{seen:#}");
    assert_eq!(seen["complaints"], serde_json::json!([]));
    assert_eq!(seen["dialogs"], 0);
    let requests = seen["requests"].as_array().unwrap();
    assert!(requests.iter().all(|scheme| scheme == "file" || scheme == "blob"), "{requests:?}");
    assert_eq!(requests.iter().filter(|scheme| *scheme == "file").count(), 1);
    assert_eq!(seen["strangers"]["elements"], 0);
    assert_eq!(seen["strangers"]["scripts"], 3);
    assert_eq!(seen["strangers"]["owned"], "undefined");
    assert_eq!(seen["too_wide"], 0, "it fits a phone");
}

#[test]
fn the_hijacked_agent_is_seen_in_a_browser() {
    let Some(driver) = driver() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (page, config) = (dir.path().join("report.html"), dir.path().join("tripline.toml"));
    std::fs::write(&config, "version = 1\n[[agents.fallbacks]]\nby = \"source-identity\"\n")
        .unwrap();
    let baselines = workspace().join("baselines");
    let arguments =
        ["--config", config.to_str().unwrap(), "--baselines", baselines.to_str().unwrap()];
    report(&page, &arguments, &[workspace().join("fixtures/demo")]);
    let seen = look(&driver, &page);
    assert_harmless(&seen);
    assert_eq!(seen["incidents"].as_array().unwrap().len(), 1);
    assert!(seen["incidents"][0].as_str().unwrap().contains("oncall-investigator"));
    assert!(seen["sentences"][0].as_str().unwrap().contains("iam:CreateAccessKey"), "{seen:#}");
    // 39 findings, each with a mark; two sessions and the runner's above them.
    assert_eq!(seen["marks"], 39);
    assert!(seen["credentials"].as_u64().unwrap() >= 2);
    assert!(seen["detail"].as_str().unwrap().contains("secretsmanager:"), "{}", seen["detail"]);
    let record: Value = serde_json::from_str(seen["record"].as_str().unwrap()).unwrap();
    assert_eq!(record["eventSource"], "secretsmanager.amazonaws.com");
    assert_eq!(seen["sessions_to_kill"], 1);
    assert_eq!(seen["sessions_of_nobody"], 0);
    assert!(seen["sessions_shown"].as_u64().unwrap() > 5);
    assert_eq!(seen["agents"].as_array().unwrap().len(), 6);
    assert!(seen["hours"].as_u64().unwrap() > 0);
}

/// A text for each way out of HTML, JSON and scripts that is known, and what deceives the eye.
const HOSTILE: &[&str] = &[
    "<img src=x onerror=owned=1>",
    "</script><script>owned=1</script>",
    "\"><svg onload=owned=1>",
    "' onmouseover='owned=1",
    "javascript:owned=1",
    "{{owned=1}}${owned=1}<!--",
    "=cmd|' /C calc'!A0",
    "<b>&lt;bold&gt;</b>",
    "left\\u202eright",
];

#[test]
fn hostile_text_is_seen_as_text() {
    let Some(driver) = driver() else { return };
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs.json");
    std::fs::write(&logs, hostile_logs()).unwrap();
    let page = dir.path().join("report.html");
    report(&page, &[], &[logs]);
    let seen = look(&driver, &page);
    assert_harmless(&seen);
    let text = seen["text"].as_str().unwrap();
    for hostile in &HOSTILE[..HOSTILE.len() - 1] {
        assert!(text.contains(hostile), "{hostile} is not seen");
    }
    assert!(text.contains("left\\u{202e}right"), "what reorders text is written out");
    assert_eq!(seen["incidents"].as_array().unwrap().len(), HOSTILE.len());
    let stored = std::fs::read_to_string(&page).unwrap();
    assert!(!stored.contains("onerror=owned=1>") && !stored.contains('\u{202e}'));
    // The longest name that a tag may have, and longer ones, do not push the page out of shape.
    assert!(text.contains('…'));
}

/// For each hostile text a session that bears it everywhere, and creates a key.
fn hostile_logs() -> String {
    let quoted = |text: &str| match text.contains("\\u") {
        true => format!("\"{text}\""),
        false => Value::from(text).to_string(),
    };
    let mut records = Vec::new();
    for (nth, text) in HOSTILE.iter().enumerate() {
        let (text, long) = (quoted(text), quoted(&"<i>x".repeat(2_500)));
        let key = format!("ASIAHOSTILE{nth:09}");
        records.push(format!(
            r#"{{"eventVersion":"1.11","eventTime":"2026-11-20T10:00:0{nth}Z","eventID":"mint-{nth}","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":"us-east-1","eventCategory":"Management","recipientAccountId":"111122223333","userIdentity":{{"type":"AWSService","invokedBy":"lambda.amazonaws.com"}},"requestParameters":{{"roleArn":"arn:aws:iam::111122223333:role/Agent","tags":[{{"key":"AgentID","value":{text}}}]}},"responseElements":{{"credentials":{{"accessKeyId":"{key}","sessionToken":"SECRET"}}}}}}"#
        ));
        for event in ["CreateAccessKey", "GetUser"] {
            records.push(format!(
                r#"{{"eventVersion":"1.11","eventTime":"2026-11-20T10:01:0{nth}Z","eventID":"{event}-{nth}","eventSource":"iam.amazonaws.com","eventName":"{event}","awsRegion":"us-east-1","eventCategory":"Management","recipientAccountId":"111122223333","sourceIPAddress":{text},"userAgent":{text},"userIdentity":{{"type":"AssumedRole","principalId":"AROAX:s","arn":"arn:aws:sts::111122223333:assumed-role/Agent/s","accountId":"111122223333","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","arn":"arn:aws:iam::111122223333:role/Agent","accountId":"111122223333"}}}}}},"requestParameters":{{"userName":{text}}},"resources":[{{"ARN":{text}}},{{"ARN":{long}}}]}}"#
            ));
        }
    }
    format!("{{\"Records\":[{}]}}", records.join(","))
}

#[test]
fn a_report_is_made_without_a_browser_and_tells_no_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (page, logs) = (dir.path().join("report.html"), dir.path().join("logs.json"));
    std::fs::write(&logs, hostile_logs()).unwrap();
    let output = report(&page, &["--quiet"], &[logs]);
    assert_eq!(stdout(&output), "");
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>") && text.contains("default-src 'none'"));
    let packed = |id: &str| {
        use base64::Engine as _;
        let from = text.split(&format!("id=\"{id}\">")).nth(1).unwrap();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(from.split('<').next().unwrap())
            .unwrap();
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*bytes), &mut plain)
            .unwrap();
        plain
    };
    let (data, records) = (packed("data"), packed("records"));
    assert!(records.contains("CreateAccessKey"));
    for text in [&text, &data, &records] {
        assert!(!text.contains("SECRET"));
        assert!(!text.contains('\u{202e}'));
    }
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let output = tripline()
        .args(["report", "--out", "/no/such/folder/report.html"])
        .arg(workspace().join("fixtures/demo"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("/no/such/folder/report.html"), "{}", stderr(&output));
}
