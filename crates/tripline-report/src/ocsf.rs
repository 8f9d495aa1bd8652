//! Findings as OCSF Detection Findings (class 2004), one JSON object a line, for security lakes and
//! SIEMs. Checked against the schema in `tests/it/schemas/`.

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use tripline_baseline::{Network, Outcome};
use tripline_detector::Verdict;
use tripline_engine::{ModelId, Scored};

use crate::finding::{behaviour, fingerprint, reasons, rule_id, techniques};
use crate::json::{self, Layout, text};
use crate::table::plain;

/// The version of the schema that findings are written by.
pub const VERSION: &str = "1.9.0-dev";

/// Writes a finding; a call without one is none and is passed over.
///
/// `finding_info.uid` is the same in every run over whatever logs have the record, `uid_alt` the same for
/// every call of the agent that breaks the same rules by the same action. What OCSF has no member for
/// stands in `unmapped`.
///
/// # Errors
/// Those of `out`.
pub fn write(
    out: &mut impl Write,
    scored: &Scored,
    model: ModelId,
    program: &str,
) -> io::Result<()> {
    if !scored.is_finding() {
        return Ok(());
    }
    let mut line = String::new();
    json::write(&finding(scored, model, program), Layout::Line, &mut line);
    line.push('\n');
    out.write_all(line.as_bytes())
}

fn finding(scored: &Scored, model: ModelId, program: &str) -> Value {
    let call = &scored.call;
    let (severity_id, severity) = match scored.assessment.verdict {
        Verdict::Kill => (5, "Critical"),
        Verdict::Fence => (4, "High"),
        Verdict::Alert => (3, "Medium"),
        Verdict::Normal => (1, "Informational"),
    };
    let time = call.time.unix_secs().saturating_mul(1_000);
    let message = reasons(scored).next().map_or_else(String::new, plain);
    let (status, status_detail) = match &call.outcome {
        Outcome::Ok => ("Success", None),
        Outcome::Denied(code) | Outcome::Failed(code) => ("Failure", Some(text(code))),
    };
    let mut finding = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Detection Finding",
        "class_uid": 2004,
        "type_name": "Detection Finding: Create",
        "type_uid": 200_401,
        "time": time,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "message": message,
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {"name": "Tripline", "vendor_name": "Tripline", "version": program},
            "log_name": "CloudTrail",
        },
        "finding_info": info(scored, time),
        "cloud": cloud(scored),
        "evidences": [evidence(scored)],
        "unmapped": {
            "verdict": scored.assessment.verdict.to_string(),
            "score": scored.assessment.score,
            "basis": scored.basis.map(|basis| basis.to_string()),
            "episode": text(&scored.episode.to_untrusted()),
            "event_id": call.id.to_string(),
            "model": model.to_string(),
            "outcome": status,
            "error": status_detail,
            "reasons": reasons(scored).map(|reason| json!({
                "rule": rule_id(reason),
                "feature": reason.feature.to_string(),
                "value": text(&reason.value),
                "weight": reason.weight,
                "detail": reason.detail,
            })).collect::<Vec<_>>(),
        },
    });
    let resources: Vec<Value> =
        call.resources.iter().map(|resource| json!({"uid": text(resource)})).collect();
    if let (Value::Object(members), false) = (&mut finding, resources.is_empty()) {
        members.insert("resources".to_owned(), Value::Array(resources));
    }
    finding
}

fn info(scored: &Scored, time: i64) -> Value {
    let techniques = techniques(scored);
    let attack = |id: &String| json!({"technique": {"uid": id}});
    let rules: Vec<String> = reasons(scored).map(rule_id).collect();
    let rule = rules.first().map_or("", String::as_str);
    let is_rule = reasons(scored).next().is_some_and(|reason| reason.weight == 0.0);
    let mut info = json!({
        "uid": fingerprint(scored),
        "uid_alt": behaviour(scored),
        "title": format!("{}: {}", scored.assessment.verdict, scored.call.action),
        "desc": reasons(scored).map(plain).collect::<Vec<_>>().join("; "),
        "types": rules,
        // A rule, or what was learned.
        "analytic": {"uid": rule, "name": rule, "type_id": if is_rule { 1 } else { 2 }},
        "first_seen_time": time,
        "last_seen_time": time,
        "data_sources": ["CloudTrail"],
    });
    if let (Value::Object(members), false) = (&mut info, techniques.is_empty()) {
        members.insert("attacks".to_owned(), techniques.iter().map(attack).collect());
    }
    info
}

fn cloud(scored: &Scored) -> Value {
    let call = &scored.call;
    let mut cloud = Map::new();
    cloud.insert("provider".to_owned(), json!("AWS"));
    if let Some(region) = &call.region {
        cloud.insert("region".to_owned(), json!(region.as_str()));
    }
    if let Some(account) = call.account.or(call.caller_account) {
        let account = json!({"uid": account.to_string(), "type_id": 10, "type": "AWS Account"});
        cloud.insert("account".to_owned(), account);
    }
    Value::Object(cloud)
}

fn evidence(scored: &Scored) -> Value {
    let call = &scored.call;
    let session = text(&scored.session.untrusted());
    let mut evidence = json!({
        "api": {
            "operation": text(&call.event_name),
            "service": {"name": text(&call.event_source)},
        },
        "actor": {"session": {"uid": session, "credential_uid": session}},
    });
    let Value::Object(members) = &mut evidence else { return evidence };
    if let Some(agent) = &scored.agent {
        let name = text(&agent.untrusted());
        members.insert("ai_agent".to_owned(), json!({"name": name, "uid": name}));
    }
    let network = call.network.to_untrusted();
    if !network.is_empty() {
        let mut from = json!({"name": text(&network)});
        if let (Network::Address(address), Value::Object(from)) = (&call.network, &mut from) {
            from.insert("ip".to_owned(), json!(address.to_string()));
        }
        members.insert("src_endpoint".to_owned(), from);
    }
    evidence
}
