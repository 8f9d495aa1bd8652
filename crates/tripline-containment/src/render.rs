//! A plan as text for people and as JSON for programs.

use std::fmt::{self, Write};

use serde_json::{Value, json};
use tripline_text::{Untrusted, escape};

use crate::plan::{Plan, Step};

impl Plan {
    /// Writes the plan as plain text. Text from records is escaped for terminals.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_text(&self, out: &mut impl Write) -> fmt::Result {
        for (nth, step) in self.steps.iter().enumerate() {
            step.write_text(nth + 1, out)?;
        }
        if !self.steps.is_empty() {
            writeln!(
                out,
                "  {}. look at the lineage again until deliveries have caught up",
                self.steps.len() + 1
            )?;
        }
        for (role, refusal) in &self.refused {
            writeln!(out, "  left alone: {}: {refusal}", escape::terminal(&role.untrusted()))?;
        }
        for (title, lines) in [("survives", &self.survives), ("offered", &self.offered)] {
            for line in lines {
                writeln!(out, "  {title}: {line}")?;
            }
        }
        Ok(())
    }

    /// The plan as JSON; every text from records is a JSON string like any other there.
    pub fn to_json(&self) -> Value {
        let text = |text: &Untrusted<'_>| Value::String(text.as_unescaped().to_owned());
        let steps = self.steps.iter().map(|step| {
            json!({
                "request": step.kind.request(),
                "purpose": step.kind.purpose(),
                "subject": text(&step.subject),
                "account": step.account.map(|account| account.to_string()),
                "policy_name": step.policy_name,
                "document": serde_json::from_str::<Value>(&step.document).unwrap_or(Value::Null),
                "chars": step.chars.0,
                "chars_max": step.chars.1,
                "cuts": step.cuts.iter().map(text).collect::<Vec<_>>(),
                "others_spared": step.others_spared,
                "verified_by": step.kind.verified_by(),
                "undone_by": step.kind.undone_by(),
                "fallback": step.kind.fallback(),
            })
        });
        let refused = self
            .refused
            .iter()
            .map(|(role, why)| json!({"role": text(&role.untrusted()), "why": why.to_string()}));
        json!({
            "agent": self.agent.as_ref().map(text),
            "steps": steps.collect::<Vec<_>>(),
            "left_alone": refused.collect::<Vec<_>>(),
            "survives": self.survives,
            "offered": self.offered,
        })
    }
}

impl Step {
    fn write_text(&self, number: usize, out: &mut impl Write) -> fmt::Result {
        writeln!(out, "  {number}. {} ({})", self.kind.purpose(), self.kind.request())?;
        write!(out, "     on {}", escape::terminal(&self.subject))?;
        match self.account {
            Some(account) => writeln!(out, " in {account}")?,
            None => writeln!(out)?,
        }
        if let Some(name) = &self.policy_name {
            writeln!(out, "     policy {name}, {} of {} characters", self.chars.0, self.chars.1)?;
        }
        if !self.document.is_empty() {
            // Policies may hold control characters of Latin-1, which a terminal would obey.
            writeln!(out, "     {}", escape::terminal(&Untrusted::borrowed(&self.document)))?;
        }
        if !self.cuts.is_empty() {
            write!(out, "     cuts")?;
            for cut in &self.cuts {
                write!(out, " {}", escape::terminal(cut))?;
            }
            writeln!(out)?;
        }
        if self.others_spared > 0 {
            writeln!(out, "     spares {} others on this role", self.others_spared)?;
        }
        writeln!(out, "     holds when: {}", self.kind.verified_by())?;
        writeln!(
            out,
            "     undone by: {}; if refused: {}",
            self.kind.undone_by(),
            self.kind.fallback()
        )
    }
}
