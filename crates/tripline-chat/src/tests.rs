//! What each service is sent, and that nothing in it acts.

use proptest::prelude::*;
use serde_json::Value;
use tripline_containment::{IncidentId, Press, Round};
use tripline_detector::Verdict;
use tripline_text::Untrusted;

use crate::{Answers, Brief, Line, Links, Message, SigningKey, Stage, Ways, storms};

/// A message in which others wrote all that others can write.
fn message(text: &str) -> Message {
    let text = Untrusted::borrowed(text);
    let (name, code) = (Line::name(&text), Line::code(&text));
    Message {
        incident: IncidentId::new(0xfeed),
        stage: Stage::Broken,
        verdict: Some(Verdict::Kill),
        subject: name.clone(),
        headline: name.clone().and(" called iam:CreateAccessKey, which it must never do"),
        who: ["agent", "task", "version", "tenant", "role", "account", "session", "started by"]
            .into_iter()
            .map(|label| (label.to_owned(), code.clone().and(" (by ").then(name.clone())))
            .collect(),
        reasons: vec![
            Line::ours("`iam:CreateAccessKey` creates a long-lived credential (2 calls)"),
            Line::ours("new to agent (0 of 4,212 sessions), 0 of 12 peers"),
            Line::ours("outside the declared scope (6 resource patterns)"),
            Line::ours("and 4 more reasons"),
        ],
        listed: Vec::new(),
        done: vec![
            Line::ours("stopped by ").then(name.clone()).and(": all of 5 steps in place"),
            Line::ours("DOES NOT HOLD: a session goes on").then(name.clone()),
            Line::ours("NOT done: deny everything (").then(code.clone()).and(")"),
        ],
        damage: Line::ours("iam:CreateAccessKey ×1, s3:GetObject ×29"),
        next: Line::code(&Untrusted::borrowed("tripline restore 000000000000feed --reason TEXT")),
        answers: Answers {
            presses: vec![Press::Restore, Press::Expect],
            round: Round { era: 2, counted: 1 },
            lines: vec![name.and(" pressed restore: another person has to, too")],
            is_expectable: true,
            waits: None,
            is_in_force: true,
        },
    }
}

/// Many agents at once that bear such a name, each with all that may be pressed.
fn storm(text: &str, count: u64) -> Message {
    let brief = |nth: u64| Brief {
        incident: IncidentId::new(0xfeed_0000 + nth),
        first_unix_ms: 0,
        subject: Line::name(&Untrusted::borrowed(text)),
        stage: if nth == 0 { Stage::Killed } else { Stage::Waiting },
        verdict: Some(Verdict::Kill),
        answers: Answers {
            presses: match nth {
                0 => vec![Press::Restore],
                _ => vec![Press::Approve, Press::Reject, Press::Expect],
            },
            ..Answers::default()
        },
    };
    storms((0..count).map(brief).collect()).remove(0).message()
}

/// All strings of a JSON value, names of fields left out.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// What would act somewhere.
const NASTY: &[&str] = &[
    "<!channel>",
    "<@U012AB3CD>",
    "<https://evil.example|here>",
    "@here",
    "[x](https://evil.example)",
    "<b onmouseover=alert(1)>",
    "<script>",
    "\u{1b}[2J\u{1b}]0;x\u{7}",
    "\u{202e}gnp.exe",
    "=SUM(A1)",
    "`code`",
    "*bold*",
    "_i_",
    "~s~",
    ":joy:",
    "www.evil.example",
    "{{DATE(2017-02-14T06:08:39Z)}}",
    "${secret}",
    "<at>all</at>",
    "&lt;",
    "\r\nSubject: x",
    "\u{200b}",
    "![x](http://a.b/c.png)",
    "|x|",
    "https://evil.example/",
    "\u{feff}",
    "\u{2066}",
    "\u{e0041}",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

fn hostile() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(NASTY).prop_map(str::to_owned);
    let parts = prop::collection::vec(prop_oneof![nasty, any::<String>()], 0..8);
    (parts, 1_usize..400).prop_map(|(parts, times)| {
        let text = parts.concat().repeat(times);
        text.chars().take(10_000).collect()
    })
}

fn has_hidden(text: &str) -> bool {
    text.chars().any(|character| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    })
}

proptest! {
    #[test]
    fn nothing_that_others_wrote_acts_in_slack(text in hostile()) {
        for message in [message(&text), storm(&text, 40)] {
            let slack = message.to_slack(&ways());
            let reply = message.to_slack_reply();
            for text in strings(&slack).into_iter().chain([&*reply]) {
                // Every mention, link and date of Slack's begins with this.
                prop_assert!(!text.contains(['<', '>']) && !has_hidden(text), "{text}");
                // No entity was cut in two.
                let bare = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
                prop_assert!(!bare.contains('&'), "{bare}");
                prop_assert!(text.chars().count() <= 3_000);
                prop_assert_eq!(text.matches('`').count() % 2, 0, "{}", text);
            }
            let blocks = slack["blocks"].as_array().unwrap();
            prop_assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
            prop_assert!(blocks.len() <= 50, "{}", blocks.len());
            let elements = blocks.iter().filter_map(|block| block["elements"].as_array());
            for button in elements.flatten() {
                let asked = button["confirm"]["text"]["text"].as_str().unwrap();
                prop_assert!(asked.chars().count() <= 300 && asked.ends_with('.'), "{asked}");
            }
        }
    }

    #[test]
    fn nothing_that_others_wrote_acts_in_a_card(text in hostile()) {
        for message in [message(&text), storm(&text, 40)] {
            let teams = message.to_teams(&ways(), NOW);
            // Teams takes 28 KB.
            prop_assert!(teams.to_string().len() <= 28 << 10, "{}", teams.to_string().len());
            let card = &teams["attachments"][0]["content"];
            let (actions, texts): (Vec<&Value>, Vec<&Value>) =
                card["body"].as_array().unwrap().iter().partition(|it| it["type"] == "ActionSet");
            let actions = actions.iter().flat_map(|set| set["actions"].as_array().unwrap());
            for action in actions {
                prop_assert!(action["url"].as_str().unwrap().starts_with(URL));
            }
            prop_assert!(texts.iter().all(|block| block["type"] == "RichTextBlock"));
            for run in texts.iter().flat_map(|block| block["inlines"].as_array().unwrap()) {
                prop_assert_eq!(&run["type"], "TextRun");
                let text = run["text"].as_str().unwrap();
                let ours = text
                    .replace("[DOES NOT HOLD]", "")
                    .replace("[WAITS FOR YOU]", "")
                    .replace("`iam:", "")
                    .replace("\\u{", "");
                prop_assert!(!has_hidden(text), "{text}");
                prop_assert!(!ours.contains(['<', '>', '*', '[', '{', '@']), "{text}");
                prop_assert!(!ours.contains("://"), "{text}");
            }
        }
    }

    #[test]
    fn nothing_that_others_wrote_acts_in_mail_or_behind_a_topic_or_a_webhook(text in hostile()) {
        for message in [message(&text), storm(&text, 40)] {
            let subject = message.to_subject();
            prop_assert!(subject.is_ascii() && subject.len() < 100 && !subject.contains('\n'));
            let none = Ways::default();
            let mail = message.to_mail(&none, NOW);
            let (amazon_q, webhook) =
                (message.to_amazon_q(&none, NOW), message.to_webhook(&none, NOW));
            prop_assert!(message.to_text().lines().all(|line| !has_hidden(line)));
            let lines = strings(&amazon_q).into_iter().chain(strings(&webhook)).chain([&*mail]);
            for text in lines.flat_map(str::lines) {
                prop_assert!(!has_hidden(text), "{text}");
                prop_assert!(!text.contains(['<', '>', '@']) && !text.contains("://"), "{text}");
                prop_assert!(!text.contains("www.evil") && !text.contains("]("), "{text}");
                prop_assert!(!text.starts_with(['=', '+', '-']), "{text}");
            }
            // 256 KB is what a topic takes, with all links.
            let (mail, amazon_q) = (message.to_mail(&ways(), NOW), message.to_amazon_q(&ways(), NOW));
            prop_assert!(mail.len() < 200_000 && amazon_q.to_string().len() < 200_000);
        }
    }

    #[test]
    fn a_message_comes_back_from_the_state(text in hostile()) {
        let message = message(&text);
        let stored = serde_json::to_vec(&message).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Message>(&stored).unwrap(), message);
    }
}

#[test]
fn what_each_service_is_sent() {
    let (message, ways) = (message("oncall-<!here>"), ways());
    insta::assert_snapshot!("text", message.to_text());
    insta::assert_snapshot!("slack", pretty(&message.to_slack(&ways)));
    insta::assert_snapshot!("slack_reply", message.to_slack_reply());
    insta::assert_snapshot!("teams", pretty(&message.to_teams(&ways, NOW)));
    let mail = message.to_mail(&ways, NOW);
    insta::assert_snapshot!("mail", format!("{}\n\n{mail}", message.to_subject()));
    insta::assert_snapshot!("amazon_q", pretty(&message.to_amazon_q(&ways, NOW)));
    insta::assert_snapshot!("webhook", pretty(&message.to_webhook(&ways, NOW)));
}

#[test]
fn what_each_service_is_sent_of_a_storm() {
    let (message, ways) = (storm("oncall-<!here>", 6), ways());
    insta::assert_snapshot!("storm_text", message.to_text());
    insta::assert_snapshot!("storm_slack", pretty(&message.to_slack(&ways)));
    insta::assert_snapshot!("storm_teams", pretty(&message.to_teams(&ways, NOW)));
    insta::assert_snapshot!("storm_mail", message.to_mail(&ways, NOW));
    insta::assert_snapshot!("storm_amazon_q", pretty(&message.to_amazon_q(&ways, NOW)));
    insta::assert_snapshot!("storm_webhook", pretty(&message.to_webhook(&ways, NOW)));
}

#[test]
fn what_nobody_may_press_and_what_cannot_be_answered_is_not_offered() {
    let message = message("oncall");
    let restore = Ways { presses: [Press::Restore].into(), ..ways() };
    let elements = &message.to_slack(&restore)["blocks"][5]["elements"];
    assert_eq!(elements.as_array().unwrap().len(), 1);
    assert_eq!(elements[0]["action_id"], "tripline:restore");
    let none = Ways { has_buttons: false, links: None, ..ways() };
    assert!(!message.to_slack(&none).to_string().contains("actions"));
    assert!(message.to_card(&none, NOW).get("actions").is_none());
    assert!(message.to_webhook(&none, NOW).get("links").is_none());
}

const NOW: i64 = 1_795_168_800;
/// As long as that of a function.
const URL: &str = "https://abcdefghijklmnopqrstuvwxyz234567.lambda-url.eu-central-1.on.aws";

fn ways() -> Ways {
    let key = SigningKey::new(b"0123456789abcdef").unwrap();
    Ways {
        has_buttons: true,
        links: Some(Links::new(URL, key, 86_400)),
        presses: Press::ALL.into(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
