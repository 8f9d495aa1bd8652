//! What came out of checking the digests and logs of a period.

use std::collections::BTreeMap;

use tripline_text::Untrusted;

use super::finding::{Class, Counts, Finding};
use super::name::ChainId;
use crate::time::EventTime;

/// A chain that was walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkedChain {
    /// Whose.
    pub id: ChainId,
    /// The buckets that its digests of the period say they were delivered to.
    pub buckets: Vec<Untrusted<'static>>,
    /// How many digests of the period there are.
    pub digests: u64,
    /// What the oldest and the newest of those cover; `None` when there is none.
    pub span: Option<(EventTime, EventTime)>,
}

/// What was found, gravest first, and how many there are of everything.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// The numbers.
    pub counts: Counts,
    /// The chains, by account, Region and trail.
    pub chains: Vec<WalkedChain>,
    /// For each class, the findings that are kept.
    findings: BTreeMap<Class, Vec<Finding>>,
    /// How many there were of each class.
    totals: BTreeMap<Class, u64>,
}

/// How many findings of a class are kept one by one. By class, so that nobody hides a changed file
/// behind a million missing ones.
const FINDINGS_KEPT_MAX: usize = 10_000;

impl Audit {
    /// Notes a finding.
    pub fn found(&mut self, finding: Finding) {
        let class = finding.what.class();
        *self.totals.entry(class).or_default() += 1;
        let kept = self.findings.entry(class).or_default();
        if kept.len() < FINDINGS_KEPT_MAX {
            kept.push(finding);
        }
    }

    /// The findings that are kept, gravest class first, by place within one.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values().flatten()
    }

    /// How many findings of a class there were.
    pub fn total(&self, class: Class) -> u64 {
        self.totals.get(&class).copied().unwrap_or_default()
    }

    /// How many findings were not kept.
    pub fn not_kept(&self) -> u64 {
        let kept: usize = self.findings.values().map(Vec::len).sum();
        self.totals.values().sum::<u64>().saturating_sub(kept as u64)
    }

    /// Brings the findings of each class into order.
    pub fn sort(&mut self) {
        for findings in self.findings.values_mut() {
            findings.sort_by(|a, b| (&a.at, a.what.word()).cmp(&(&b.at, b.what.word())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::What;
    use super::*;

    #[test]
    fn no_class_is_crowded_out_by_another() {
        let finding =
            |at: &str, what| Finding { at: Untrusted::new(at.to_owned()), object: None, what };
        let mut audit = Audit::default();
        for _ in 0..=FINDINGS_KEPT_MAX {
            audit.found(finding("b", What::LogMissing));
        }
        audit.found(finding("c", What::DigestMoved));
        audit.found(finding("a", What::DigestMoved));
        audit.sort();
        let shown: Vec<_> = audit.findings().take(3).map(|finding| &finding.at).collect();
        assert!(shown.iter().map(|at| at.as_unescaped()).eq(["a", "c", "b"]));
        assert_eq!(audit.total(Class::Gap), FINDINGS_KEPT_MAX as u64 + 1);
        assert_eq!(audit.not_kept(), 1);
    }
}
