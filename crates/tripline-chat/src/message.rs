//! What a message says, in the order in which a sleepy person needs it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tripline_containment::{IncidentId, counted};
use tripline_detector::Verdict;
use tripline_engine::{Incident, Scored};
use tripline_iam::{Action, Catalogue, Risk};
use tripline_text::Untrusted;

use crate::answers::Answers;
use crate::line::{Line, Markup};
use crate::outcome::{Outcome, Stage, named};
use crate::storm::Brief;

/// An incident, told. What others wrote is in it as they wrote it: it is escaped for its reader when
/// the message is written out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which incident; of a storm, its first.
    pub incident: IncidentId,
    /// How far it is.
    pub stage: Stage,
    /// How grave it is; none of what Tripline says of itself, which goes to every channel.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Who it is, in short.
    pub subject: Line,
    /// What happened, in one sentence.
    pub headline: Line,
    /// Who: label and text.
    pub who: Vec<(String, Line)>,
    /// The strongest reasons.
    pub reasons: Vec<Line>,
    /// Of a storm, its incidents, each of which may be answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Brief>,
    /// What was done about it, and whether it holds.
    pub done: Vec<Line>,
    /// What the agent did before that.
    pub damage: Line,
    /// What to run.
    pub next: Line,
    /// What may be pressed, and what was.
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    pub answers: Answers,
}

/// How many actions the damage names.
const ACTIONS_MAX: usize = 6;
/// How long a line on a terminal may get.
const TEXT_CHARS_MAX: usize = 1_000;

impl Message {
    /// Tells an incident, and what became of it.
    pub fn of(incident: &Incident, outcome: &Outcome<'_>) -> Self {
        let agent = incident.agent.as_ref().map(|agent| Line::name(&agent.untrusted()));
        let subject = agent.unwrap_or_else(|| Line::ours("a session of nobody's"));
        let did = incident.findings.first().map_or_else(|| " did".to_owned(), did);
        Self {
            incident: incident.target.incident,
            stage: outcome.stage(),
            verdict: Some(incident.verdict),
            headline: subject.clone().and(format!("{did}, {}", breach(incident))),
            who: who(incident, &subject),
            subject,
            reasons: named(reasons(incident), "more reasons"),
            listed: Vec::new(),
            done: outcome.done(),
            damage: damage(&incident.done),
            next: outcome.next(),
            answers: Answers { is_expectable: incident.can_be_expected(), ..Answers::default() }
                .after(outcome),
        }
    }

    /// What is posted to see whether a channel takes messages.
    pub fn of_test() -> Self {
        let subject = Line::ours("Tripline");
        Self {
            incident: IncidentId::new(0),
            stage: Stage::Test,
            verdict: None,
            headline: subject.clone().and("'s doctor can reach this channel"),
            subject,
            who: Vec::new(),
            reasons: Vec::new(),
            listed: Vec::new(),
            done: vec![Line::ours("nothing: no agent did anything")],
            damage: Line::ours("none"),
            next: Line::code(&Untrusted::borrowed("tripline doctor")),
            answers: Answers::default(),
        }
    }

    /// Whether it is about no more than an alert.
    pub fn is_alert(&self) -> bool {
        self.verdict == Some(Verdict::Alert)
    }

    /// The same, once something else became of it.
    #[must_use]
    pub fn with_outcome(self, outcome: &Outcome<'_>) -> Self {
        let answers = self.answers.after(outcome);
        Self { stage: outcome.stage(), done: outcome.done(), next: outcome.next(), answers, ..self }
    }

    /// What was done and what was pressed.
    pub(crate) fn done_and_pressed(&self) -> impl Iterator<Item = (&'static str, &Line)> {
        let done = self.done.iter().map(|line| ("done", line));
        done.chain(self.answers.lines.iter().map(|line| ("pressed", line)))
    }

    /// How far it is, and what happened.
    pub(crate) fn heading(&self, markup: Markup, chars_max: usize) -> String {
        let word = self.stage.word();
        Line::ours(format!("[{word}] ")).then(self.headline.clone()).write(markup, chars_max)
    }

    /// What was done, on one line of plain text.
    pub fn done_text(&self) -> String {
        let done = self.done.iter().map(|line| line.write(Markup::Terminal, TEXT_CHARS_MAX));
        done.collect::<Vec<_>>().join("; ")
    }

    /// What to run, as plain text.
    pub fn next_text(&self) -> String {
        self.next.write(Markup::Terminal, TEXT_CHARS_MAX)
    }

    /// The message as plain text, for a terminal.
    pub fn to_text(&self) -> String {
        let text = |line: &Line| line.write(Markup::Terminal, TEXT_CHARS_MAX);
        let mut lines = vec![self.heading(Markup::Terminal, TEXT_CHARS_MAX)];
        lines.extend(self.who.iter().map(|(label, line)| format!("   {label}: {}", text(line))));
        lines.extend(self.listed.iter().map(|brief| format!("   - {}", text(&brief.line()))));
        lines.extend(self.reasons.iter().map(|reason| format!("   - {}", text(reason))));
        let done = self.done_and_pressed();
        lines.extend(done.map(|(label, line)| format!("   {label}: {}", text(line))));
        lines.push(format!("   so far: {}", text(&self.damage)));
        lines.push(format!("   next: {}", self.next_text()));
        lines.join("\n")
    }
}

/// What is wrong with what it did.
fn breach(incident: &Incident) -> &'static str {
    match incident.verdict {
        Verdict::Kill => "which it must never do",
        Verdict::Fence => "which is not its known work",
        Verdict::Normal | Verdict::Alert => "which is unusual for it",
    }
}

/// What a call did, or was kept from doing.
fn did(finding: &Scored) -> String {
    let action = &finding.call.action;
    match &finding.call.outcome {
        tripline_baseline::Outcome::Ok => format!(" called {action}"),
        tripline_baseline::Outcome::Denied(_) => format!(" tried to call {action} and was refused"),
        tripline_baseline::Outcome::Failed(_) => format!(" tried to call {action} and failed"),
    }
}

fn who(incident: &Incident, subject: &Line) -> Vec<(String, Line)> {
    let root = incident.lineage.iter().find(|session| session.id == incident.root);
    let unknown = || Line::ours("unknown");
    let code = |text: Option<&Untrusted<'_>>| text.map_or_else(unknown, Line::code);
    let of_any = |field: fn(&tripline_attribution::Session) -> Option<&Untrusted<'static>>| {
        let named = root.and_then(field).or_else(|| incident.lineage.iter().find_map(field));
        named.map(Line::name)
    };
    let basis = incident.basis.map_or_else(|| "nothing".to_owned(), |basis| basis.to_string());
    // A session's name is what its principal's id ends with, and mostly names the task.
    let name = root.and_then(|root| root.principal.as_ref()).and_then(|principal| {
        let (_, name) = principal.as_unescaped().split_once(':')?;
        Some(Line::name(&Untrusted::borrowed(name)))
    });
    let account = root.and_then(|root| root.account);
    let mut who = vec![("agent", subject.clone().and(format!(" (by {basis})")))];
    who.extend(name.map(|name| ("task", name)));
    who.extend(of_any(|session| session.version.as_ref()).map(|line| ("version", line)));
    who.extend(of_any(|session| session.tenant.as_ref()).map(|line| ("tenant", line)));
    who.push(("role", code(root.and_then(|root| root.role.as_ref()))));
    who.push(("account", account.map_or_else(unknown, |account| Line::ours(account.to_string()))));
    who.push(("session", code(Some(&incident.root.untrusted()))));
    let started = code(root.and_then(|root| root.minter.as_ref()));
    let source = of_any(|session| session.source_identity.as_ref());
    let source = source.map_or_else(Line::default, |line| Line::ours(", as ").then(line));
    who.push(("started by", started.then(source)));
    who.into_iter().map(|(label, line)| (label.to_owned(), line)).collect()
}

/// Each reason once, the strongest first, with the number of calls that it was found in.
fn reasons(incident: &Incident) -> Vec<Line> {
    let mut found: Vec<(&tripline_detector::Reason, usize)> = Vec::new();
    for reason in incident.findings.iter().flat_map(|found| &found.assessment.reasons) {
        match found.iter_mut().find(|(known, _)| known.detail == reason.detail) {
            Some((_, count)) => *count += 1,
            None => found.push((reason, 1)),
        }
    }
    found.sort_by(|(a, _), (b, _)| {
        b.verdict.cmp(&a.verdict).then_with(|| b.weight.total_cmp(&a.weight))
    });
    let line = |(reason, count): (&tripline_detector::Reason, usize)| {
        // INVARIANT: a detail is made of our own words and validated identifiers only.
        let detail = Line::ours(reason.detail.clone());
        if count > 1 { detail.and(format!(" ({count} calls)")) } else { detail }
    };
    found.into_iter().map(line).collect()
}

/// What succeeded, in one line: first what can do harm, then what was done most.
fn damage(done: &BTreeMap<String, u64>) -> Line {
    if done.is_empty() {
        return Line::ours("nothing of it succeeded");
    }
    let harms = |name: &str| {
        let action = Action::parse(name).ok();
        let entry = action.as_ref().and_then(Catalogue::find);
        entry.is_some_and(|entry| entry.risks().iter().any(|risk| risk != Risk::DataAccess))
    };
    let mut actions: Vec<(bool, u64, &str)> =
        done.iter().map(|(action, count)| (harms(action), *count, &**action)).collect();
    actions.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then_with(|| a.2.cmp(b.2)));
    let calls: u64 = actions.iter().skip(ACTIONS_MAX).map(|(_, count, _)| count).sum();
    let others = actions.len().saturating_sub(ACTIONS_MAX);
    let shown = actions.iter().take(ACTIONS_MAX);
    let mut parts: Vec<String> = shown.map(|(_, count, name)| format!("{name} ×{count}")).collect();
    if others > 0 {
        let calls = counted(usize::try_from(calls).unwrap_or(usize::MAX), "call");
        parts.push(format!("and {calls} of {}", counted(others, "other action")));
    }
    Line::ours(parts.join(", "))
}
