//! What findings say of themselves in every format that other tools read.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use tripline_detector::{Reason, Verdict};
use tripline_engine::Scored;
use tripline_iam::Catalogue;

/// Names this finding: the same in every run over whatever logs have the record.
pub(crate) fn fingerprint(scored: &Scored) -> String {
    hash(["tripline finding 1", &scored.call.id.to_string()])
}

/// Names this behaviour: the same for every call of this agent that is a finding for these reasons,
/// whatever else it was about.
pub(crate) fn behaviour(scored: &Scored) -> String {
    let agent = scored.agent.as_ref().map(|agent| agent.untrusted());
    let agent = agent.as_ref().map_or("", |agent| agent.as_unescaped());
    let action = scored.call.action.to_string();
    let rules: BTreeSet<String> = reasons(scored).map(rule_id).collect();
    let parts = ["tripline behaviour 1", agent, &action].into_iter();
    hash(parts.chain(rules.iter().map(String::as_str)))
}

/// Of parts that cannot run together, 32 hex digits.
fn hash<'p>(parts: impl IntoIterator<Item = &'p str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The reasons that make it a finding, strongest first.
pub(crate) fn reasons(scored: &Scored) -> impl Iterator<Item = &Reason> {
    scored.assessment.reasons.iter().filter(|reason| reason.verdict > Verdict::Normal)
}

/// What was broken: the invariant's id, or what of the call was outside of scope and habits.
pub(crate) fn rule_id(reason: &Reason) -> String {
    reason.invariant.as_deref().map_or_else(|| reason.feature.to_string(), str::to_owned)
}

/// The ATT&CK techniques that its reasons name; else those that the action itself is known for.
pub(crate) fn techniques(scored: &Scored) -> BTreeSet<String> {
    let named: BTreeSet<String> = reasons(scored)
        .filter_map(|reason| reason.technique.as_deref())
        .map(str::to_owned)
        .collect();
    match named.is_empty() {
        false => named,
        true => Catalogue::find(&scored.call.action)
            .map(|entry| entry.techniques().map(str::to_owned).collect())
            .unwrap_or_default(),
    }
}
