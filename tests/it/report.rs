//! `tripline report`, looked at in a real browser.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tripline_containment::{
    Chain, CutSession, Entry, Event, IncidentId, Place, Plan, Press, Response, Returned, Step,
    StepKind, Subject, Way,
};
use tripline_iam::{AccountId, RoleName};
use tripline_tests::{stderr, stdout, tripline, workspace};
use tripline_text::Untrusted;

use crate::look::{HOSTILE, assert_harmless, assert_hostile_is_seen, driver, look};

/// The page's own, and two that are data.
const SCRIPTS: u32 = 3;

fn report(to: &Path, arguments: &[&str], logs: &[PathBuf]) -> Output {
    let output =
        tripline().arg("report").arg("--out").arg(to).args(arguments).args(logs).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", stderr(&output));
    output
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
    assert_harmless(&seen, SCRIPTS);
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

/// The plan for the hijacked agent of the demo.
fn planned(arguments: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plans.json");
    let mut score = tripline();
    score.args(["score", "-q", "--plan-file"]).arg(&file).args(arguments);
    assert!(score.arg(workspace().join("fixtures/demo")).output().unwrap().status.success());
    let plans: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    plans[0].clone()
}

/// An action log by which an agent was stopped as an alert person would have it, and given back. All that
/// others may write into one is hostile.
fn action_log(incident: IncidentId, session: &str, decided: i64) -> String {
    let hostile = || Untrusted::borrowed("<img src=x onerror=owned=1>\u{202e}");
    let account = AccountId::parse("111122223333").unwrap();
    let place =
        |name: &str| Place::Inline(Subject::Role { account, name: RoleName::parse(name).unwrap() });
    let step = |name: &str| Step {
        kind: StepKind::Deny,
        place: place(name),
        denials: Vec::new(),
        chars: (0, 0),
        cuts: Vec::new(),
        others_spared: 0,
        others_hit: 0,
    };
    let session = || Untrusted::new(session.to_owned());
    let plan = |incident| Plan {
        incident,
        response: Response::Kill,
        agent: Some(hostile()),
        steps: vec![step("AgentRuntime"), step("ExportsAdmin")],
        sessions: vec![CutSession { id: session(), ends_by_unix_secs: None }],
        refused: Vec::new(),
        survives: Vec::new(),
        offered: Vec::new(),
        created: Vec::new(),
    };
    let decide = |incident| Event::Decided {
        plan: Box::new(plan(incident)),
        reason: hostile(),
        event_unix_ms: None,
        seen_unix_ms: None,
        is_automatic: true,
        class: None,
    };
    let attached = |name: &str| Event::Attached {
        place: place(name),
        after: Some("{\"Sid\":\"</pre><script>owned=1</script>\"}".to_owned()),
    };
    let pressed = |person: &'static str, missing| Event::Pressed {
        press: Press::Restore,
        way: Way::Slack,
        address: None,
        person: Untrusted::borrowed(person),
        declined: None,
        missing,
    };
    let returned = |name: &str| Event::Returned { place: place(name), outcome: Returned::Exact };
    let sighted =
        Event::Sighted { session: session(), was_denied: true, at_unix_secs: decided + 40 };
    let other = IncidentId::new(7);
    let events = [
        (0, incident, decide(incident)),
        (1, incident, Event::Intended { place: place("AgentRuntime"), before: None }),
        (1, incident, attached("AgentRuntime")),
        (2, incident, Event::Intended { place: place("ExportsAdmin"), before: None }),
        (2, incident, attached("ExportsAdmin")),
        (60, incident, sighted),
        (90, other, decide(other)),
        (100, incident, pressed("alice", 1)),
        (110, incident, pressed("bob", 0)),
        (111, incident, returned("AgentRuntime")),
        (111, incident, returned("ExportsAdmin")),
        (112, incident, Event::Closed { reason: hostile(), has_expired: false }),
    ];
    let mut chain = Chain::default();
    let lines = events.map(|(after, incident, event)| {
        let time_unix_ms = (decided + after) * 1_000;
        chain.append(&Entry { time_unix_ms, actor: hostile(), incident: Some(incident), event })
    });
    // Another line is just being written.
    lines.join("\n") + "\n{\"hash\":\"0"
}

#[test]
fn what_was_done_is_told_by_the_action_log() {
    let Some(driver) = driver() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (page, config) = (dir.path().join("report.html"), dir.path().join("tripline.toml"));
    std::fs::write(&config, "version = 1\n[[agents.fallbacks]]\nby = \"source-identity\"\n")
        .unwrap();
    let config = config.to_str().unwrap();
    let planned = planned(&["--config", config]);
    let decided: jiff::Timestamp = planned["opened"].as_str().unwrap().parse().unwrap();
    let incident = planned["plan"]["incident"].as_str().unwrap().parse().unwrap();
    let session = planned["plan"]["sessions"][0].as_str().unwrap_or("ASIA");
    let log = action_log(incident, session, decided.as_second() + 5);
    std::fs::write(dir.path().join("actions.jsonl"), &log).unwrap();
    let arguments = ["--config", config, "--state", dir.path().to_str().unwrap()];
    report(&page, &arguments, &[workspace().join("fixtures/demo")]);
    let seen = look(&driver, &page);
    assert_harmless(&seen, SCRIPTS);
    let text = seen["text"].as_str().unwrap();
    let told = [
        "WHAT WAS DONE",
        "on its own: <img src=x onerror=owned=1>\\u{202e}. closed: given back.",
        "decided: kill, 2 steps, 1 session",
        "deny everything: in place, and reads back: inline policy TriplineContainment of role \
         AgentRuntime in 111122223333",
        "seen refused at ",
        "pressed restore in Slack: so many more people have to: 1",
        "alice",
        "given back: inline policy TriplineContainment of role ExportsAdmin in 111122223333",
        "as it was, byte for byte",
        "Done besides",
        "NOT DONE: some steps failed",
    ];
    for told in told {
        assert!(text.contains(told), "{told}: {text}");
    }
    let chart = seen["chart"].as_str().unwrap();
    assert!(chart.contains(" stopped at ") && chart.contains(" given back at "), "{chart}");
    assert_eq!(seen["done"], serde_json::json!(["stopped", "given back"]));
    // Whoever asks about somebody else is not told of it.
    let of_one = ["--config", config, "--state", dir.path().to_str().unwrap(), "--agent", "nobody"];
    report(&page, &of_one, &[workspace().join("fixtures/demo")]);
    assert!(!std::fs::read_to_string(&page).unwrap().contains("Done besides"));
    // A log that somebody changed is not told from.
    std::fs::write(dir.path().join("actions.jsonl"), log.replacen("alice", "mallory", 1)).unwrap();
    let mut again = tripline();
    again.arg("report").arg("--out").arg(&page).args(arguments);
    let output = again.arg(workspace().join("fixtures/demo")).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("line 8 of the action log: it was changed"), "{output:?}");
}

#[test]
fn hostile_text_is_seen_as_text() {
    let Some(driver) = driver() else { return };
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs.json");
    std::fs::write(&logs, hostile_logs()).unwrap();
    let page = dir.path().join("report.html");
    report(&page, &[], &[logs]);
    let seen = look(&driver, &page);
    assert_harmless(&seen, SCRIPTS);
    let text = seen["text"].as_str().unwrap();
    assert_hostile_is_seen(text);
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
