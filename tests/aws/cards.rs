//! What is posted, read by its readers' own code: cards by Microsoft's renderer, blocks by Slack's types.
//! The payloads are those of the snapshots, which the unit tests hold.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tripline_chat::{Answers, Brief, Line, Links, SigningKey, Stage, Ways, storms};
use tripline_containment::{IncidentId, Press};
use tripline_text::Untrusted;

use crate::world::components;

/// The packages of npm, if they are installed.
fn packages() -> Option<PathBuf> {
    let packages = components()?.join("node/node_modules");
    let found = packages.join("adaptivecards").is_dir() && packages.join(".bin/tsc").exists();
    if !found {
        eprintln!("skipped: the readers of cards are not installed; ./tests/run installs them");
    }
    found.then_some(packages)
}

fn snapshot(name: &str) -> Value {
    let folder = tripline_tests::workspace().join("crates/tripline-chat/src/snapshots");
    let file = folder.join(format!("tripline_chat__tests__{name}.snap"));
    let text = std::fs::read_to_string(file).unwrap();
    serde_json::from_str(text.splitn(3, "---\n").nth(2).unwrap()).unwrap()
}

/// What the renderer makes of a card.
fn read(packages: &Path, card: &Value) -> Value {
    let mut node = Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aws/card.cjs")).arg(packages);
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    write!(node.stdin.take().unwrap(), "{card}").unwrap();
    serde_json::from_slice(&node.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn teams_understands_all_of_a_card() {
    let Some(packages) = packages() else { return };
    let mut card = Value::Null;
    for name in ["storm_teams", "teams"] {
        card = snapshot(name)["attachments"][0]["content"].clone();
        let items = card["body"].as_array().unwrap().len();
        assert_eq!(read(&packages, &card), json!({"items": items, "events": []}));
    }
    // It would say so if it did not.
    card["body"][0]["inlines"][0]["size"] = json!("Enormous");
    assert_eq!(read(&packages, &card)["events"].as_array().unwrap().len(), 1);
}

/// What would come to life where markup, links or scripts are read.
const HOSTILE: &str = "<img src=x onerror=owned=1> **bold** [x](https://evil.example) <at>all</at>";

#[test]
fn a_card_of_hostile_names_is_seen_as_text_in_a_browser() {
    let Some(_) = packages() else { return };
    let Some(components) = components() else { return };
    let browser =
        std::env::var_os("TRIPLINE_CHROMIUM").map_or("/usr/bin/chromium".into(), PathBuf::from);
    if !browser.is_file() || !components.join("browser/node_modules/playwright-core").is_dir() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no browser");
        eprintln!("skipped: no browser; ./tests/run installs one");
        return;
    }
    let brief = |nth| Brief {
        incident: IncidentId::new(nth),
        first_unix_ms: 0,
        subject: Line::name(&Untrusted::borrowed(HOSTILE)),
        stage: Stage::Waiting,
        verdict: Some(tripline_detector::Verdict::Kill),
        answers: Answers { presses: vec![Press::Approve, Press::Reject], ..Answers::default() },
    };
    let message = storms((0..20).map(brief).collect()).remove(0).message();
    let key = SigningKey::new(b"0123456789abcdef").unwrap();
    let links = Some(Links::new("https://tripline.example", key, 86_400));
    let ways = Ways { has_buttons: false, links, presses: Press::ALL.into() };
    let mut node = Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aws/card_look.mjs")).arg(components);
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    write!(node.stdin.take().unwrap(), "{}", message.to_card(&ways, 1_795_168_800)).unwrap();
    let seen: Value = serde_json::from_slice(&node.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!((&seen["requests"], &seen["complaints"]), (&json!([]), &json!([])));
    assert_eq!((&seen["strangers"], &seen["owned"]), (&json!(0), &json!("undefined")));
    let text = seen["text"].as_str().unwrap();
    assert!(text.contains("[WAITS FOR YOU] 20 agents at once"), "{text}");
    assert!(text.contains("onerror") && text.contains("and 5 more"), "{text}");
    let buttons: Vec<_> = ["Stop it", "Leave it alone"].into_iter().cycle().take(30).collect();
    assert_eq!(seen["buttons"], json!(buttons));
}

/// What the compiler complains of when these are Slack's blocks.
fn compiled(packages: &Path, blocks: &Value) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("blocks.ts");
    let types = packages.join("@slack/types");
    let source = format!(
        "import type {{ KnownBlock }} from {};\nexport const blocks: KnownBlock[] = {blocks};\n",
        json!(types)
    );
    std::fs::write(&file, source).unwrap();
    let mut tsc = Command::new(packages.join(".bin/tsc"));
    tsc.args(["--strict", "--noEmit", "--skipLibCheck", "--module", "nodenext"]).arg(file);
    tripline_tests::stdout(&tsc.output().unwrap())
}

#[test]
fn slack_understands_all_blocks() {
    let Some(packages) = packages() else { return };
    let mut blocks = Value::Null;
    for name in ["storm_slack", "slack"] {
        blocks = snapshot(name)["blocks"].clone();
        assert_eq!(compiled(&packages, &blocks), "");
    }
    blocks[0]["text"]["type"] = json!("mrkdwn");
    assert!(compiled(&packages, &blocks).contains("is not assignable"));
}
