//! What people decided about what was learned: `decisions.toml`.

use std::fmt::{self, Write as _};

use serde::Deserialize;
use toml::Spanned;
use tripline_cloudtrail::EventTime;
use tripline_text::{Untrusted, escape};

use super::day::{MINUTE_MAX, Minute};
use super::encode;
use super::family::{Draw, Family, Home, minute_of};
use super::key::{Approval, KeyName};
use super::rate::{Pace, RateClass, RateWindow};

/// How large the file may be, in bytes.
pub const DECISIONS_BYTES_MAX: usize = 4 << 20;

/// How many decisions it may hold.
pub const DECISIONS_MAX: usize = 20_000;

/// How long an exception may last, in days.
pub const EXCEPTION_DAYS_MAX: u32 = 366;

/// How long a name or a reason may be, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// The version of the format that this program reads.
const VERSION: i64 = 1;

/// What people decided, about any agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    approvals: Vec<(Box<str>, KeyName, Approval)>,
    rates: Vec<(Box<str>, Pace, u64, Approval)>,
    exceptions: Vec<Exception>,
}

/// A value that is expected of an agent for a while: its verdicts are silenced at once, and nothing is
/// learned by that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    agent: Box<str>,
    key: KeyName,
    by: Approval,
    /// The first minute in which it no longer holds.
    until: u32,
}

impl Exception {
    /// The value; of a resource, everything below it as well.
    pub fn key(&self) -> &KeyName {
        &self.key
    }

    /// Who said so, when, and why.
    pub fn by(&self) -> &Approval {
        &self.by
    }
}

/// Why a text holds no decisions: where, which key, what is wrong. It may be printed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionsError {
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The key, such as `approve.value`; empty if the text is no such TOML at all.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: DecisionsProblem,
}

/// What is wrong with a text that should hold decisions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionsProblem {
    /// Not TOML, an unknown key, a missing key or a value of the wrong type; in the words of the TOML
    /// reader, escaped.
    #[error("{0}")]
    Toml(String),
    /// Larger than [`DECISIONS_BYTES_MAX`].
    #[error("is larger than {DECISIONS_BYTES_MAX} bytes")]
    TooLarge,
    /// More than [`DECISIONS_MAX`] of them.
    #[error("are more than {DECISIONS_MAX} decisions")]
    TooMany,
    /// A format that this program does not know.
    #[error("is not {VERSION}, the version of the format that this program reads")]
    Version,
    /// A name or reason that is empty or too long.
    #[error("must have 1 to {TEXT_BYTES_MAX} bytes")]
    Text,
    /// Something that is not what the key asks for: the text (escaped), and what is asked for.
    #[error("`{found}` is {expected}")]
    Wrong {
        /// What stands there, escaped as for a terminal.
        found: String,
        /// What it is not.
        expected: &'static str,
    },
}

impl fmt::Display for DecisionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for DecisionsError {}

impl Approval {
    /// Who decided, when, and why; `None` if a text is empty or longer than 512 bytes.
    pub fn new(who: &str, when: EventTime, why: &str) -> Option<Self> {
        let fits = |text: &str| (1..=TEXT_BYTES_MAX).contains(&text.len());
        let fit = fits(who) && fits(why);
        fit.then(|| Self { minute: minute_of(when), who: who.into(), why: why.into() })
    }

    /// When, to the minute.
    pub fn when(&self) -> EventTime {
        EventTime::EPOCH.plus_secs(i64::from(self.minute) * 60)
    }
}

impl Decisions {
    /// Approves a value of an agent's, for good; of a resource, everything that is below it when it is
    /// promoted.
    pub fn approve(&mut self, agent: &Untrusted<'_>, key: KeyName, by: Approval) {
        self.approvals.push((agent.as_unescaped().into(), key, by));
    }

    /// Sets an agent's anchor of a pace, from which its growth is measured.
    pub fn approve_rate(
        &mut self,
        agent: &Untrusted<'_>,
        window: RateWindow,
        class: RateClass,
        anchor: u64,
        by: Approval,
    ) {
        self.rates.push((agent.as_unescaped().into(), (window, class), anchor, by));
    }

    /// Expects a value of an agent until a time, of which at most 366 days from the decision count.
    pub fn expect(&mut self, agent: &Untrusted<'_>, key: KeyName, by: Approval, until: EventTime) {
        let longest = by.minute.saturating_add(EXCEPTION_DAYS_MAX * 24 * 60).min(MINUTE_MAX);
        let until = minute_of(until).min(longest);
        self.exceptions.push(Exception { agent: agent.as_unescaped().into(), key, by, until });
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.approvals.is_empty() && self.rates.is_empty() && self.exceptions.is_empty()
    }

    /// Those that had been made before a time.
    #[must_use]
    pub fn before(&self, time: EventTime) -> Self {
        let is_before = |by: &Approval| by.when() < time;
        let mut then = self.clone();
        then.approvals.retain(|(.., by)| is_before(by));
        then.rates.retain(|(.., by)| is_before(by));
        then.exceptions.retain(|exception| is_before(&exception.by));
        then
    }

    /// Takes in the exceptions that others hold, each once.
    pub fn expect_also(&mut self, others: &Self) {
        let new = others.exceptions.iter().filter(|other| !self.exceptions.contains(other));
        let new: Vec<Exception> = new.cloned().collect();
        self.exceptions.extend(new);
    }

    /// The exception that expects what a call shows at a time, if there is one.
    pub fn expected(
        &self,
        agent: &Untrusted<'_>,
        draw: &Draw<'_>,
        home: &Home<'_>,
        time: EventTime,
    ) -> Option<&Exception> {
        let minute = minute_of(time);
        let mut live = self.exceptions.iter().filter(|exception| {
            *agent == *exception.agent && (exception.by.minute..exception.until).contains(&minute)
        });
        let first = live.next()?;
        let name = KeyName::of_draw(draw, home);
        std::iter::once(first).chain(live).find(|exception| exception.key.covers(&name))
    }

    /// The approvals of one agent's values.
    pub(crate) fn approvals_of<'d>(
        &'d self,
        agent: &'d str,
    ) -> impl Iterator<Item = (&'d KeyName, &'d Approval)> {
        let of_agent = self.approvals.iter().filter(move |(of, ..)| **of == *agent);
        of_agent.map(|(_, key, by)| (key, by))
    }

    /// The anchor that was decided last for a pace of an agent.
    pub(crate) fn anchor_of(&self, agent: &str, pace: Pace) -> Option<u64> {
        let of_pace = self.rates.iter().filter(|(of, which, ..)| **of == *agent && *which == pace);
        // Of two of one minute, the larger: the outcome must not depend on the order of lines.
        of_pace
            .max_by_key(|(_, _, anchor, by)| (by.minute, *anchor))
            .map(|(_, _, anchor, _)| *anchor)
    }

    /// Reads `decisions.toml`.
    ///
    /// ```toml
    /// version = 1
    ///
    /// [[approve]]                       # this value is normal for this agent
    /// agent = "oncall-investigator"
    /// family = "resource"               # action, resource, region, network, user-agent, error, bytes
    /// action = "s3:GetObject"           # for resource, error and bytes
    /// value = "arn:aws:s3:::reports/"   # as `baseline show` and `baseline diff` write it
    /// who = "alice"
    /// when = "2026-11-20T10:00:00Z"
    /// why = "monthly report, OPS-12"
    ///
    /// [[rate]]                          # growth is measured from here
    /// agent = "oncall-investigator"
    /// window = "10s"                    # 1s, 10s, 1m, 10m, 1h, episode
    /// class = "write"                   # all, read, data, write, permissions, error, bytes, resources
    /// anchor = 40
    /// who = "alice"
    /// when = "2026-11-20T10:00:00Z"
    /// why = "larger batches"
    ///
    /// [[expect]]                        # not normal, but expected until then
    /// agent = "oncall-investigator"
    /// family = "region"
    /// value = "eu-west-1"
    /// until = "2026-12-01T00:00:00Z"
    /// who = "alice"
    /// when = "2026-11-20T10:00:00Z"
    /// why = "failover test"
    /// ```
    ///
    /// # Errors
    /// [`DecisionsError`], with the line and the key; an unknown key is one.
    pub fn parse(text: &str) -> Result<Self, DecisionsError> {
        if text.len() > DECISIONS_BYTES_MAX {
            let problem = DecisionsProblem::TooLarge;
            return Err(DecisionsError { line: None, key: "", problem });
        }
        let file: File = toml::from_str(text).map_err(|error| DecisionsError {
            line: error.span().map(|span| line_of(text, span.start)),
            key: "",
            problem: DecisionsProblem::Toml(escaped(error.message())),
        })?;
        Reading { text }.decisions(&file)
    }

    /// The decisions as [`Self::parse`] reads them.
    pub fn to_text(&self) -> String {
        let mut out = format!("version = {VERSION}\n");
        // INVARIANT: writing to a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        for (agent, key, by) in &self.approvals {
            writeln!(out, "\n[[approve]]\nagent = {}", quoted(agent))?;
            write_key(out, key)?;
            write_by(out, by)?;
        }
        for (agent, (window, class), anchor, by) in &self.rates {
            writeln!(out, "\n[[rate]]\nagent = {}", quoted(agent))?;
            writeln!(out, "window = \"{window}\"\nclass = \"{class}\"\nanchor = {anchor}")?;
            write_by(out, by)?;
        }
        for Exception { agent, key, by, until } in &self.exceptions {
            writeln!(out, "\n[[expect]]\nagent = {}", quoted(agent))?;
            write_key(out, key)?;
            writeln!(out, "until = \"{}\"", Minute(*until))?;
            write_by(out, by)?;
        }
        Ok(())
    }
}

fn write_key(out: &mut String, key: &KeyName) -> fmt::Result {
    writeln!(out, "family = \"{}\"", key.family.name())?;
    if key.family.is_given_action() {
        writeln!(out, "action = {}", quoted(&encode::field(&key.action)))?;
    }
    writeln!(out, "value = {}", quoted(&key.shown_value()))
}

fn write_by(out: &mut String, by: &Approval) -> fmt::Result {
    let Approval { minute, who, why } = by;
    writeln!(out, "who = {}\nwhen = \"{}\"\nwhy = {}", quoted(who), Minute(*minute), quoted(why))
}

fn quoted(text: &str) -> String {
    escape::toml_string(&Untrusted::borrowed(text)).to_string()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<i64>,
    #[serde(default)]
    approve: Vec<Approve>,
    #[serde(default)]
    rate: Vec<Rate>,
    #[serde(default)]
    expect: Vec<Expect>,
}

type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    agent: Text,
    family: Text,
    action: Option<Text>,
    value: Text,
    who: Text,
    when: Text,
    why: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    agent: Text,
    window: Text,
    class: Text,
    anchor: Spanned<u64>,
    who: Text,
    when: Text,
    why: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    agent: Text,
    family: Text,
    action: Option<Text>,
    value: Text,
    until: Text,
    who: Text,
    when: Text,
    why: Text,
}

/// Turns the file's texts into what they mean, with the text at hand for line numbers.
struct Reading<'t> {
    text: &'t str,
}

impl Reading<'_> {
    fn decisions(&self, file: &File) -> Result<Decisions, DecisionsError> {
        if *file.version.get_ref() != VERSION {
            return Err(self.error("version", &file.version, DecisionsProblem::Version));
        }
        if file.approve.len() + file.rate.len() + file.expect.len() > DECISIONS_MAX {
            let problem = DecisionsProblem::TooMany;
            return Err(DecisionsError { line: None, key: "", problem });
        }
        let approve = |it: &Approve| {
            let key = self.key(&it.family, it.action.as_ref(), &it.value)?;
            Ok((self.name("agent", &it.agent)?, key, self.by(&it.who, &it.when, &it.why)?))
        };
        Ok(Decisions {
            approvals: file.approve.iter().map(approve).collect::<Result<_, _>>()?,
            rates: file.rate.iter().map(|it| self.rate(it)).collect::<Result<_, _>>()?,
            exceptions: file
                .expect
                .iter()
                .map(|it| self.exception(it))
                .collect::<Result<_, _>>()?,
        })
    }

    fn rate(&self, it: &Rate) -> Result<(Box<str>, Pace, u64, Approval), DecisionsError> {
        let window =
            self.read("window", &it.window, "no window such as `10s`", RateWindow::parse)?;
        let class =
            self.read("class", &it.class, "no class of calls such as `write`", RateClass::parse)?;
        let anchor = *it.anchor.get_ref();
        if anchor == 0 {
            let found = "0".to_owned();
            let expected = "no pace: put what must never happen into the scope";
            return Err(self.error(
                "anchor",
                &it.anchor,
                DecisionsProblem::Wrong { found, expected },
            ));
        }
        let by = self.by(&it.who, &it.when, &it.why)?;
        Ok((self.name("agent", &it.agent)?, (window, class), anchor, by))
    }

    fn exception(&self, it: &Expect) -> Result<Exception, DecisionsError> {
        let key = self.key(&it.family, it.action.as_ref(), &it.value)?;
        let by = self.by(&it.who, &it.when, &it.why)?;
        let longest = by.minute.saturating_add(EXCEPTION_DAYS_MAX * 24 * 60);
        let expected = "not within 366 days after `when`";
        let until = self.read("until", &it.until, expected, |text| {
            time(text).filter(|until| (by.minute + 1..=longest).contains(until))
        })?;
        Ok(Exception { agent: self.name("agent", &it.agent)?, key, by, until })
    }

    fn key(
        &self,
        family: &Text,
        action: Option<&Text>,
        value: &Text,
    ) -> Result<KeyName, DecisionsError> {
        let family = self.read("family", family, "no family such as `action`", Family::parse)?;
        let expected = if family.is_given_action() {
            "not as the baseline writes it, or its `action` is missing"
        } else {
            "not as the baseline writes it, or has an `action` too much"
        };
        let action = action.map(|action| action.get_ref().as_str());
        self.read("value", value, expected, |value| KeyName::parse(family, action, value))
    }

    fn by(&self, who: &Text, when: &Text, why: &Text) -> Result<Approval, DecisionsError> {
        let expected = "no time such as `2026-11-20T10:00:00Z`";
        let minute = self.read("when", when, expected, time)?;
        Ok(Approval { minute, who: self.name("who", who)?, why: self.name("why", why)? })
    }

    fn name(&self, key: &'static str, text: &Text) -> Result<Box<str>, DecisionsError> {
        if (1..=TEXT_BYTES_MAX).contains(&text.get_ref().len()) {
            return Ok(text.get_ref().as_str().into());
        }
        Err(self.error(key, text, DecisionsProblem::Text))
    }

    fn read<T>(
        &self,
        key: &'static str,
        text: &Text,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, DecisionsError> {
        let found = text.get_ref();
        read(found).ok_or_else(|| {
            self.error(key, text, DecisionsProblem::Wrong { found: escaped(found), expected })
        })
    }

    fn error<T>(
        &self,
        key: &'static str,
        at: &Spanned<T>,
        problem: DecisionsProblem,
    ) -> DecisionsError {
        DecisionsError { line: Some(line_of(self.text, at.span().start)), key, problem }
    }
}

/// A time, to the minute; with seconds or, as the program writes it, without.
fn time(text: &str) -> Option<u32> {
    let whole = EventTime::parse(text).filter(|_| text.contains('T')).map(minute_of);
    whole.or_else(|| Minute::parse(text).map(|minute| minute.0))
}

/// The line, from 1, of the byte at `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// The file may have come with somebody's pull request.
fn escaped(text: &str) -> String {
    escape::terminal(&Untrusted::borrowed(text)).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str = r#"version = 1

[[approve]]
agent = "oncall"
family = "resource"
action = "s3:GetObject"
value = "arn:aws:s3:::reports/{date}/"
who = "alice"
when = "2026-11-20T10:00Z"
why = "monthly report"

[[rate]]
agent = "oncall"
window = "10s"
class = "write"
anchor = 40
who = "alice"
when = "2026-11-20T10:00Z"
why = "larger batches"

[[expect]]
agent = "oncall"
family = "region"
value = "eu-west-1"
until = "2026-12-01T00:00Z"
who = "alice"
when = "2026-11-20T10:00Z"
why = "failover test"
"#;

    fn error(from: &str, to: &str) -> String {
        Decisions::parse(&WHOLE.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn the_whole_format_is_written_as_it_was_read() {
        let decisions = Decisions::parse(WHOLE).unwrap();
        assert_eq!(decisions.to_text(), WHOLE);
        assert_eq!(
            decisions.anchor_of("oncall", (RateWindow::TenSeconds, RateClass::Write)),
            Some(40)
        );
        assert_eq!(decisions.approvals_of("other").count(), 0);
        assert_eq!(Decisions::parse("version = 1\n").unwrap(), Decisions::default());
    }

    #[test]
    fn errors_name_line_key_and_reason() {
        assert_eq!(
            error("\"resource\"", "\"action\""),
            "line 7: `value`: `arn:aws:s3:::reports/{date}/` is not as the baseline writes it, or has an \
             `action` too much"
        );
        assert!(error("{date}", "{dato}").starts_with("line 7: `value`: "));
        assert!(error("version = 1", "version = 2").starts_with("line 1: `version`: is not 1"));
        assert!(
            error("anchor = 40", "anchor = 0").starts_with("line 16: `anchor`: `0` is no pace")
        );
        assert!(error("\"10s\"", "\"11s\"").starts_with("line 14: `window`: `11s` is no window"));
        assert!(error("2026-12-01", "2028-12-01").starts_with("line 25: `until`: "));
        assert!(error("2026-12-01", "2026-11-01").starts_with("line 25: `until`: "));
        assert!(error("\"alice\"", "\"\"").starts_with("line 8: `who`: must have 1 to 512"));
        assert!(error("agent =", "agant =").starts_with("line 4: unknown field `agant`"));
        assert!(error("2026-11-20T10:00Z", "\\u001b").contains(r"`\u{1b}` is no time"));
    }

    #[test]
    fn an_exception_holds_from_its_decision_to_its_end() {
        let decisions = Decisions::parse(WHOLE).unwrap();
        let agent = Untrusted::borrowed("oncall");
        let at = |time: &str, value: &str| {
            let draw = Draw { family: Family::Region, action: None, value };
            let time = EventTime::parse(time).unwrap();
            decisions.expected(&agent, &draw, &Home::default(), time).is_some()
        };
        assert!(at("2026-11-20T10:00:00Z", "eu-west-1") && at("2026-11-30T23:59:59Z", "eu-west-1"));
        assert!(
            !at("2026-11-20T09:59:59Z", "eu-west-1") && !at("2026-12-01T00:00:00Z", "eu-west-1")
        );
        assert!(!at("2026-11-21T00:00:00Z", "eu-west-2"));
    }

    #[test]
    fn what_had_been_decided_by_then_is_what_came_before() {
        let decisions = Decisions::parse(WHOLE).unwrap();
        let at = |time: &str| decisions.before(EventTime::parse(time).unwrap());
        assert!(at("2026-11-20T10:00:00Z").is_empty());
        assert_eq!(at("2026-11-20T10:00:01Z"), decisions);
    }

    proptest! {
        #[test]
        fn any_texts_come_back(agent in "\\PC{1,9}|[\u{0}-\u{1f}\u{e0041}\u{7f}\"\\\\]{1,4}", why in any::<String>(), value in any::<String>()) {
            let why = format!("x{}", why.chars().take(99).collect::<String>());
            let by = Approval::new(&agent, EventTime::EPOCH, &why).unwrap();
            let mut decisions = Decisions::default();
            let key = KeyName::of(Family::UserAgent, "", &value);
            decisions.approve(&Untrusted::borrowed(&agent), key, by);
            let text = decisions.to_text();
            prop_assert_eq!(Decisions::parse(&text), Ok(decisions), "{}", text);
        }

        #[test]
        fn parsing_never_panics(at in 0..WHOLE.len(), cut in 0..8_usize, put in "[\\PC\\n\"\\]\\[=]{0,3}") {
            let mut text = WHOLE.to_owned();
            text.replace_range(at..(at + cut).min(WHOLE.len()), &put);
            if let Err(error) = Decisions::parse(&text) {
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
        }
    }
}
