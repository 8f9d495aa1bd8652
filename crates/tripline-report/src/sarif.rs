//! Findings as SARIF 2.1.0, for continuous integration over historical logs. Checked against the
//! standard's schema in the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::{Value, json};
use tripline_detector::{Invariant, Reason, Verdict};
use tripline_engine::{ModelId, Scored};
use tripline_text::{Untrusted, escape};

use crate::finding::{behaviour, fingerprint, reasons, rule_id, techniques};
use crate::json::{self, Layout, text};
use crate::table::told;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The one document that a run's findings make. Results are written as they come; what they rest on
/// stands behind them, since it is known only then.
#[derive(Debug, Default)]
pub struct Sarif {
    rules: BTreeMap<String, Value>,
    techniques: BTreeSet<String>,
    has_any: bool,
}

impl Sarif {
    /// Writes what comes before all results.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, r#"{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{{"results":["#)
    }

    /// Writes a finding; a call without one is none and is passed over.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, out: &mut impl Write, scored: &Scored) -> io::Result<()> {
        let Some(reason) = reasons(scored).next() else { return Ok(()) };
        let rule = rule_id(reason);
        self.rules.entry(rule.clone()).or_insert_with(|| described(reason, &rule));
        let techniques = techniques(scored);
        let mut line = String::from(if self.has_any { ",\n" } else { "\n" });
        self.has_any = true;
        json::write(&result(scored, &rule, &techniques), Layout::Line, &mut line);
        self.techniques.extend(techniques);
        out.write_all(line.as_bytes())
    }

    /// Writes what comes behind all results.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn end(self, out: &mut impl Write, model: ModelId, program: &str) -> io::Result<()> {
        let rules: Vec<Value> = self.rules.into_values().collect();
        let tool = json!({"driver": {
            "name": "Tripline",
            "version": program,
            "rules": rules,
            "supportedTaxonomies": [{"name": ATTACK}],
        }});
        let taxa: Vec<Value> = self.techniques.iter().map(|id| json!({"id": id})).collect();
        let taxonomies = json!([{
            "name": ATTACK,
            "organization": "MITRE",
            "shortDescription": {"text": "MITRE ATT&CK techniques"},
            "taxa": taxa,
        }]);
        let properties = json!({"model": model.to_string()});
        let mut rest = String::from("\n]");
        for (name, value) in
            [("tool", tool), ("taxonomies", taxonomies), ("properties", properties)]
        {
            rest.push_str(&format!(r#","{name}":"#));
            json::write(&value, Layout::Line, &mut rest);
        }
        rest.push_str("}]}\n");
        out.write_all(rest.as_bytes())
    }
}

/// The name of the taxonomy that techniques belong to.
const ATTACK: &str = "ATT&CK";

fn described(reason: &Reason, rule: &str) -> Value {
    match Invariant::by_id(rule) {
        Some(invariant) => json!({
            "id": rule,
            "shortDescription": {"text": invariant.title},
            "fullDescription": {"text": format!("{}: {}", invariant.title, invariant.why)},
        }),
        None => json!({
            "id": rule,
            "shortDescription": {
                "text": format!("{} outside of the agent's scope or habits", reason.feature)
            },
        }),
    }
}

fn result(scored: &Scored, rule: &str, techniques: &BTreeSet<String>) -> Value {
    let call = &scored.call;
    let level = match scored.assessment.verdict {
        Verdict::Kill => "error",
        Verdict::Fence => "warning",
        Verdict::Alert | Verdict::Normal => "note",
    };
    let agent = scored.agent.as_ref().map(|agent| agent.untrusted());
    let whose = agent.as_ref().map_or_else(
        || "somebody who is no known agent".to_owned(),
        |agent| format!("agent {}", escape::terminal(agent)),
    );
    let why = reasons(scored).map(told).collect::<Vec<_>>().join("; ");
    let message = format!("{}: {} by {whose}: {why}", scored.assessment.verdict, call.action);
    let logical = call.resources.iter().map(|resource| (resource.reborrow(), "resource"));
    let logical = logical.chain([(scored.session.untrusted(), "session")]);
    let logical: Vec<Value> = logical
        .map(|(name, kind)| json!({"fullyQualifiedName": text(&name), "kind": kind}))
        .collect();
    json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": literal(&message)},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": place(scored)}},
            "logicalLocations": logical,
        }],
        "partialFingerprints": {"finding/v1": fingerprint(scored), "behaviour/v1": behaviour(scored)},
        "taxa": techniques.iter().map(|id| json!({"id": id, "toolComponent": {"name": ATTACK}}))
            .collect::<Vec<_>>(),
        "properties": {
            "agent": agent.as_ref().map(text),
            "event_id": call.id.to_string(),
            "event_time": call.time.to_string(),
            "verdict": scored.assessment.verdict.to_string(),
            "score": scored.assessment.score,
        },
    })
}

/// A message that is nothing but its text: brackets would make links, braces placeholders (SARIF 2.1.0,
/// 3.11.5 and 3.11.6).
fn literal(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        match character {
            '\\' | '[' | ']' => text.extend(['\\', character]),
            '{' | '}' => text.extend([character, character]),
            plain => text.push(plain),
        }
    }
    text
}

/// Where the record is, as a relative reference: viewers drop results that have no file.
fn place(scored: &Scored) -> String {
    let call = &scored.call;
    let account = call.account.or(call.caller_account);
    let account = account.map_or_else(|| "unknown".to_owned(), |account| account.to_string());
    let region = call.region.as_ref().map_or("unknown", |region| region.as_str());
    let id = call.id.to_string();
    format!("CloudTrail/{account}/{region}/{}", escape::path_component(&Untrusted::borrowed(&id)))
}
