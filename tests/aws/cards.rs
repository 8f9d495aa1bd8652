//! What is posted, read by its readers' own code: cards by Microsoft's renderer, blocks by Slack's types.
//! The payloads are those of the snapshots, which the unit tests hold.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

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
    let mut card = snapshot("teams")["attachments"][0]["content"].clone();
    let items = card["body"].as_array().unwrap().len();
    assert_eq!(read(&packages, &card), json!({"items": items, "events": []}));
    // It would say so if it did not.
    card["body"][0]["inlines"][0]["size"] = json!("Enormous");
    assert_eq!(read(&packages, &card)["events"].as_array().unwrap().len(), 1);
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
    let mut blocks = snapshot("slack")["blocks"].clone();
    assert_eq!(compiled(&packages, &blocks), "");
    blocks[0]["text"]["type"] = json!("mrkdwn");
    assert!(compiled(&packages, &blocks).contains("is not assignable"));
}
