//! With what a call was made: the SDK or tool, and the marks of agents.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::Record;
use tripline_text::Untrusted;

/// What there is to learn of a user agent: the SDK or tool with its major version, and the marks that
/// agent frameworks leave, as a sorted set: `aws-sdk-python/1+exec:lambda+langchain`. Minor versions,
/// operating systems and processors are left out, which change with every update.
///
/// The caller writes what it likes there. So it is evidence when it changes, never when it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserAgentFamily(#[serde(with = "tripline_text::stored")] Untrusted<'static>);

/// How long a family may be, in bytes; longer ones are cut and end in `…`.
const FAMILY_BYTES_MAX: usize = 120;
/// How much of a user agent is looked at. CloudTrail cuts it at 1 KB
/// (UG/cloudtrail-event-reference-record-contents).
const LOOKED_AT_BYTES_MAX: usize = 1_024;
/// How many hexadecimal digits, hyphens between them or not, make an id.
const ID_DIGITS_MIN: usize = 12;
/// How many marks are kept.
const MARKS_MAX: usize = 8;

/// Words of agent frameworks and their hosts; each that stands anywhere in a user agent is a mark.
const MARKS: &[&str] = &[
    "agentcore",
    "anthropic",
    "autogen",
    "bedrock-agent",
    "claude",
    "codex",
    "copilot",
    "crewai",
    "cursor",
    "dspy",
    "gemini",
    "haystack",
    "langchain",
    "langgraph",
    "litellm",
    "llamaindex",
    "mcp",
    "openai",
    "pydantic-ai",
    "semantic-kernel",
    "smolagents",
    "strands",
];

impl UserAgentFamily {
    /// That of the call that `record` tells of; empty where it tells none.
    pub fn of(record: &Record<'_>) -> Self {
        let written = record.user_agent().map(|text| text.decode());
        Self::of_text(written.as_deref().unwrap_or_default())
    }

    /// That of a user agent as written.
    pub fn of_text(written: &str) -> Self {
        let end = (0..=written.len().min(LOOKED_AT_BYTES_MAX))
            .rev()
            .find(|end| written.is_char_boundary(*end));
        let written = written.get(..end.unwrap_or(0)).unwrap_or_default();
        // The console writes its user agents in brackets.
        let written = written.trim().trim_start_matches('[').trim_end_matches(']').trim();
        let lower = written.to_ascii_lowercase();
        let standing = WORDS.standing_in(&lower);
        let (tools, marked) = (standing & ((1 << TOOLS.len()) - 1), standing >> TOOLS.len());
        let mut family = tool(written, tools);
        let mut marks: Vec<Cow<'_, str>> =
            written.split([' ', ';', ',', '(', ')']).filter_map(named).collect();
        // One that the tool or the app names already adds nothing.
        let is_new =
            |word: &str| !family.contains(word) && !marks.iter().any(|mark| mark.contains(word));
        let standing = MARKS.iter().enumerate().filter(|(nth, _)| marked >> nth & 1 == 1);
        let words: Vec<&str> = standing.map(|(_, word)| *word).filter(|it| is_new(it)).collect();
        marks.extend(words.into_iter().map(Cow::Borrowed));
        marks.sort_unstable();
        marks.dedup();
        for mark in marks.iter().take(MARKS_MAX) {
            family.push('+');
            family.push_str(mark);
        }
        Self(Untrusted::new(cut(family)))
    }

    /// A family that was found before, from its text.
    pub fn known(text: &str) -> Self {
        Self(Untrusted::new(text.to_owned()))
    }

    /// The family as text.
    pub fn untrusted(&self) -> Untrusted<'static> {
        self.0.clone()
    }
}

/// Tools on top of an SDK, which name themselves first, or further on; the first of these that does.
const TOOLS: [(&str, &str); 8] = [
    ("terraform", "terraform"),
    ("opentofu", "opentofu"),
    ("pulumi", "pulumi"),
    ("aws-cdk", "aws-cdk"),
    ("cloudshell", "cloudshell"),
    ("signin.amazonaws.com", "console"),
    ("console.amazonaws.com", "console"),
    ("mozilla", "browser"),
];

/// Which words stand anywhere in a text: a bit for each, in their order. In one pass: to look for one after the
/// other was most of what a new user agent cost.
#[derive(Debug)]
struct Words {
    words: Vec<&'static str>,
    /// The words that begin with two letters, a bit for each, by the lower five bits of both.
    begun: Vec<u64>,
}

impl Words {
    /// At most 64, of two letters at least.
    fn new(words: impl IntoIterator<Item = &'static str>) -> Self {
        let words: Vec<&str> = words.into_iter().collect();
        let mut begun = vec![0; 1 << 10];
        for (nth, word) in words.iter().enumerate() {
            if let [first, second, ..] = word.as_bytes()
                && let Some(bits) = begun.get_mut(Self::place(*first, *second))
            {
                *bits |= 1_u64 << nth;
            }
        }
        Self { words, begun }
    }

    fn place(first: u8, second: u8) -> usize {
        usize::from(first & 31) << 5 | usize::from(second & 31)
    }

    fn standing_in(&self, text: &str) -> u64 {
        let (mut rest, mut found) = (text.as_bytes(), 0);
        while let [first, after @ ..] = rest {
            let Some(second) = after.first() else { break };
            let begun = self.begun.get(Self::place(*first, *second)).copied().unwrap_or_default();
            let mut unsure = begun & !found;
            while unsure != 0 {
                let nth = unsure.trailing_zeros();
                unsure &= unsure - 1;
                let word = self.words.get(nth as usize).map_or("", |word| word);
                found |= u64::from(rest.starts_with(word.as_bytes())) << nth;
            }
            rest = after;
        }
        found
    }
}

/// Those of tools, then marks.
static WORDS: LazyLock<Words> = LazyLock::new(|| {
    Words::new(TOOLS.map(|(word, _)| word).into_iter().chain(MARKS.iter().copied()))
});

/// The SDK or tool; `tools` tells which of the [`TOOLS`] are named.
fn tool(written: &str, tools: u64) -> String {
    let is_service = written.ends_with(".amazonaws.com") && !written.contains(' ');
    if is_service || written == "AWS Internal" {
        return written.to_owned();
    }
    if let Some((_, tool)) = TOOLS.get(tools.trailing_zeros() as usize) {
        return (*tool).to_owned();
    }
    let first = written.split([' ', ',']).next().unwrap_or_default();
    let (name, version) = first.split_once('/').unwrap_or((first, ""));
    let name = without_ids(name);
    let major = version.split(['.', '-', '+', '_']).next().unwrap_or_default();
    let is_number = !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit());
    match is_number {
        true => format!("{name}/{major}"),
        false => name,
    }
}

/// A name in which `*` stands for each id: a tool that puts one of its own into every run would be
/// news every time.
fn without_ids(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let is_part = |it: char| it.is_ascii_hexdigit() || it == '-';
        let length = match first.is_ascii_hexdigit() {
            true => rest.find(|it| !is_part(it)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let run = rest.get(..length).unwrap_or(rest);
        let run = if length > 1 { run.trim_end_matches('-') } else { run };
        let after = rest.get(run.len()..).unwrap_or_default();
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        let hex = run.bytes().filter(u8::is_ascii_hexdigit).count();
        out.push_str(if digits >= 2 && hex >= ID_DIGITS_MIN { "*" } else { run });
        rest = after;
    }
    out
}

/// What a token names: where the caller runs, or what it calls itself.
fn named(token: &str) -> Option<Cow<'_, str>> {
    if let Some(environment) = token.strip_prefix("exec-env/") {
        return Some(Cow::Owned(format!("exec:{}", family_of_environment(environment))));
    }
    let app = token.strip_prefix("app/")?;
    Some(Cow::Owned(format!("app:{}", without_ids(app))))
}

/// `lambda` of `AWS_Lambda_python3.12`; the runtime's version changes.
fn family_of_environment(environment: &str) -> String {
    let known = ["AWS_Lambda", "AWS_ECS_FARGATE", "AWS_ECS_EC2", "CloudShell", "AgentCore"];
    let found = known.iter().find(|known| environment.starts_with(**known));
    found.map_or(environment, |known| known).to_ascii_lowercase()
}

fn cut(mut family: String) -> String {
    if family.len() > FAMILY_BYTES_MAX {
        let end = (0..=FAMILY_BYTES_MAX).rev().find(|end| family.is_char_boundary(*end));
        family.truncate(end.unwrap_or(0));
        family.push('…');
    }
    family
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn family(written: &str) -> String {
        UserAgentFamily::of_text(written).untrusted().as_unescaped().to_owned()
    }

    #[test]
    fn updates_leave_no_trace_and_tools_do() {
        for (written, expected) in [
            ("aws-cli/2.15.3 Python/3.11.6 Linux/5.10 exe/x86_64 prompt/off", "aws-cli/2"),
            ("aws-cli/2.17.0 md/awscrt#0.21 ua/2.0 os/linux#6.1", "aws-cli/2"),
            (
                "Boto3/1.34.2 md/Botocore#1.34.2 ua/2.0 exec-env/AWS_Lambda_python3.12",
                "Boto3/1+exec:aws_lambda",
            ),
            ("Boto3/1.35.0 md/Botocore#1.35.0 app/langchain-agent", "Boto3/1+app:langchain-agent"),
            ("aws-sdk-go-v2/1.30.1 ua/2.1 os/linux lang/go#1.22 md/GOOS#linux", "aws-sdk-go-v2/1"),
            ("aws-sdk-js/3.600 strands-agents/0.1 mcp-server/2", "aws-sdk-js/3+mcp+strands"),
            ("mcp-server/2 aws-sdk-js/3.600", "mcp-server/2"),
            ("APN/1.0 HashiCorp/1.0 Terraform/1.7.0 aws-sdk-go-v2/1.2", "terraform"),
            ("[Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36]", "browser"),
            ("cloudformation.amazonaws.com", "cloudformation.amazonaws.com"),
            ("S3Console/0.4, aws-internal/3 aws-sdk-java/1.11", "S3Console/0"),
            ("stratus-red-team_0a05817a-84d2-40d7-afde-8311715b1ee6", "stratus-red-team_*"),
            ("x/1 app/run-9cbca289b18840d1", "x/1+app:run-*"),
            ("facade-beef/2", "facade-beef/2"),
            ("langchain-anthropic/1.2", "langchain-anthropic/1"),
            ("AWS Internal", "AWS Internal"),
            ("", ""),
        ] {
            assert_eq!(family(written), expected, "{written}");
        }
    }

    #[test]
    fn marks_are_a_set() {
        assert_eq!(family("x/1 (claude; mcp)"), family("x/1 mcp claude mcp"));
        assert_eq!(
            family("x/1 app/a exec-env/AWS_Lambda_x"),
            family("x/1 exec-env/AWS_Lambda_y app/a")
        );
    }

    proptest! {
        #[test]
        fn words_are_found_wherever_they_stand(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(MARKS).prop_map(str::to_owned),
                    prop::sample::select(&TOOLS).prop_map(|(word, _)| word.to_owned()),
                    "[a-z/ü-]{0,4}",
                ],
                0..6,
            ),
        ) {
            let text = parts.concat();
            for words in [MARKS, &TOOLS.map(|(word, _)| word)] {
                let found = Words::new(words.iter().copied()).standing_in(&text);
                for (nth, word) in words.iter().enumerate() {
                    prop_assert_eq!(found >> nth & 1 == 1, text.contains(word), "{} {}", word, text);
                }
            }
        }

        #[test]
        fn any_text_has_a_family_of_bounded_length(written in ".{0,1500}") {
            prop_assert!(family(&written).len() <= FAMILY_BYTES_MAX + '…'.len_utf8());
        }

        #[test]
        fn the_order_of_marks_does_not_matter(mut tokens in proptest::collection::vec(
            "(app/[a-z]{1,4}|exec-env/[A-Za-z]{1,6}|[a-z]{0,3}(mcp|claude|strands)[a-z]{0,3}|[a-z]{1,5}/[0-9]\\.[0-9])", 0..6,
        )) {
            let forwards = family(&format!("tool/1.2 {}", tokens.join(" ")));
            tokens.reverse();
            prop_assert_eq!(forwards, family(&format!("tool/1.2 {}", tokens.join(" "))));
        }

        #[test]
        fn versions_leave_no_trace(minor in 0u32..99, patch in 0u32..99) {
            let written = format!("aws-cli/2.{minor}.{patch} md/awscrt#0.{minor} ua/2.0 lang/python#3.{patch}");
            prop_assert_eq!(family(&written), "aws-cli/2");
        }
    }
}
