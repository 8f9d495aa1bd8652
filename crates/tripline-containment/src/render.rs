//! A plan as text for people and as JSON for programs.

use std::fmt::{self, Write};

use serde_json::{Value, json};
use tripline_text::{Untrusted, escape};

use crate::plan::{Plan, Step, counted};

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
        for (left_alone, refusal) in &self.refused {
            writeln!(
                out,
                "  left alone: {}: {refusal}",
                escape::terminal(&left_alone.untrusted())
            )?;
        }
        for created in &self.created {
            writeln!(out, "  created by the agent, not contained: {created}")?;
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
            let statements: Vec<Value> = step
                .denials
                .iter()
                .map(|denial| {
                    let statement = serde_json::from_str(denial.text()).unwrap_or(Value::Null);
                    json!({"key": denial.key, "statement": statement})
                })
                .collect();
            json!({
                "request": step.place.request(),
                "purpose": step.purpose(),
                "place": step.place.to_string(),
                "account": step.place.account().to_string(),
                "statements": statements,
                "chars": step.chars.0,
                "chars_max": step.chars.1,
                "cuts": step.cuts.iter().map(text).collect::<Vec<_>>(),
                "others_spared": step.others_spared,
                "others_hit": step.others_hit,
                "verified_by": step.verified_by(),
                "undone_by": step.place.undone_by(),
                "fallback": step.fallback(),
            })
        });
        let refused = self.refused.iter().map(|(left_alone, why)| {
            json!({"what": text(&left_alone.untrusted()), "why": why.to_string()})
        });
        json!({
            "incident": self.incident.to_string(),
            "response": self.response.word(),
            "agent": self.agent.as_ref().map(text),
            "steps": steps.collect::<Vec<_>>(),
            "left_alone": refused.collect::<Vec<_>>(),
            "created": self.created.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "survives": self.survives,
            "offered": self.offered,
        })
    }
}

impl Step {
    fn write_text(&self, number: usize, out: &mut impl Write) -> fmt::Result {
        writeln!(out, "  {number}. {} ({})", self.purpose(), self.place.request())?;
        write!(out, "     {}", self.place)?;
        match self.chars {
            (_, 0) => writeln!(out)?,
            (chars, quota) => writeln!(out, ", {chars} of {quota} characters")?,
        }
        for denial in &self.denials {
            writeln!(out, "     to {}:", denial.key)?;
            // Policies may hold control characters of Latin-1, which a terminal would obey.
            writeln!(out, "       {}", escape::terminal(&Untrusted::borrowed(denial.text())))?;
        }
        if !self.cuts.is_empty() {
            write!(out, "     cuts")?;
            for cut in &self.cuts {
                write!(out, " {}", escape::terminal(cut))?;
            }
            writeln!(out)?;
        }
        for (count, verb) in [(self.others_spared, "spares"), (self.others_hit, "ALSO HITS")] {
            if count > 0 {
                writeln!(out, "     {verb} {} of this role", counted(count, "other user"))?;
            }
        }
        writeln!(out, "     holds when: {}", self.verified_by())?;
        writeln!(out, "     undone by: {}", self.place.undone_by())?;
        writeln!(out, "     if refused: {}", self.fallback())
    }
}
