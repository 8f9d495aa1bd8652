//! What a message says, in the order in which a sleepy person needs it.

use tripline_engine::Incident;
use tripline_text::{Untrusted, escape};

/// An incident, told. Every text from a record is in it escaped for Slack's markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What happened, in one sentence.
    pub headline: String,
    /// Who: label and text.
    pub who: Vec<(&'static str, String)>,
    /// The three strongest reasons.
    pub reasons: Vec<String>,
    /// What was done about it, and what would be.
    pub done: String,
    /// What the agent did before that.
    pub damage: String,
    /// What to run.
    pub next: String,
}

/// How many reasons a message has.
const REASONS_MAX: usize = 3;

impl Message {
    /// Tells an incident, in observe mode: nothing was done.
    pub fn of(incident: &Incident) -> Self {
        let slack = |text: &Untrusted<'_>| escape::slack(text).to_string();
        let agent = incident.agent.as_ref().map(|agent| slack(&agent.untrusted()));
        let agent = agent.unwrap_or_else(|| "a session of nobody's".to_owned());
        let first = incident.findings.first();
        let did = first.map_or_else(String::new, |found| format!(" called {}", found.call.action));
        let root = incident.lineage.iter().find(|session| session.id == incident.root);
        // What a person copies from here must come out as it is in the logs: a code span.
        let code = |text: Option<&Untrusted<'_>>| {
            text.map_or_else(|| "unknown".to_owned(), |text| escape::slack_code(text).to_string())
        };
        let basis = incident.basis.map_or_else(|| "nothing".to_owned(), |basis| basis.to_string());
        let who = vec![
            ("agent", format!("{agent} (by {basis})")),
            ("role", code(root.and_then(|root| root.role.as_ref()))),
            (
                "account",
                root.and_then(|root| root.account)
                    .map_or_else(String::new, |account| account.to_string()),
            ),
            ("session", code(Some(&incident.root.untrusted()))),
            ("started by", code(root.and_then(|root| root.minter.as_ref()))),
        ];
        let mut reasons: Vec<String> = Vec::new();
        for reason in incident.findings.iter().flat_map(|found| &found.assessment.reasons) {
            // INVARIANT: a detail is made of our own words and validated identifiers only.
            let reason = reason.detail.clone();
            if reasons.len() < REASONS_MAX && !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        Self {
            headline: format!("{agent}{did}, which it must never do"),
            who,
            reasons,
            done: plan_line(incident),
            damage: damage_line(incident),
            next: "tripline score --plan-file plan.json PATH...".to_owned(),
        }
    }

    /// The same, once something was done about it. Both texts are the program's own words.
    #[must_use]
    pub fn with_outcome(self, done: String, next: String) -> Self {
        Self { done, next, ..self }
    }

    /// The message as plain text, for a terminal.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!(":rotating_light: {}", self.headline)];
        lines.extend(self.who.iter().map(|(label, text)| format!("   {label}: {text}")));
        lines.extend(self.reasons.iter().map(|reason| format!("   - {reason}")));
        lines.push(format!("   done: {}", self.done));
        lines.push(format!("   so far: {}", self.damage));
        lines.push(format!("   next: {}", self.next));
        lines.join("\n")
    }
}

fn plan_line(incident: &Incident) -> String {
    match &incident.plan {
        Err(refusal) => format!("nothing (observe mode); and nothing could be planned: {refusal}"),
        Ok(plan) => {
            let cut: std::collections::BTreeSet<_> =
                plan.steps.iter().flat_map(|step| &step.cuts).collect();
            let spared = plan.steps.iter().map(|step| step.others_spared).max().unwrap_or(0);
            format!(
                "nothing (observe mode). The plan: {} steps, {} sessions cut, {spared} other users of the role spared",
                plan.steps.len(),
                cut.len()
            )
        }
    }
}

fn damage_line(incident: &Incident) -> String {
    if incident.done.is_empty() {
        return "nothing of it succeeded".to_owned();
    }
    let parts: Vec<String> =
        incident.done.iter().map(|(action, count)| format!("{action} ×{count}")).collect();
    parts.join(", ")
}
