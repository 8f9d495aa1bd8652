//! Which records the user asked for.

use std::collections::BTreeSet;

use tripline_baseline::Call;
use tripline_cloudtrail::{EventTime, Record};
use tripline_iam::{AccountId, Region};
use tripline_text::Untrusted;

/// What is left out of counting and judging. What is left out may still mint: a credential minted
/// before `since` is used after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The first second that counts.
    pub since: Option<EventTime>,
    /// The first second that no longer counts.
    pub until: Option<EventTime>,
    /// Recipient accounts; empty for all.
    pub accounts: BTreeSet<AccountId>,
    /// Regions; empty for all.
    pub regions: BTreeSet<Region>,
    /// Agents, applied to what is shown; empty for all, the unattributed included.
    pub agents: BTreeSet<Untrusted<'static>>,
}

impl Filter {
    /// Whether the record counts, as far as a record alone can tell.
    pub(crate) fn admits(&self, record: &Record<'_>) -> bool {
        let time = record.time();
        if self.since.is_some_and(|since| time < since)
            || self.until.is_some_and(|until| time >= until)
        {
            return false;
        }
        if !self.accounts.is_empty() {
            let account = record.recipient_account().or_else(|| record.identity().account());
            if !account.is_some_and(|account| self.accounts.contains(&account)) {
                return false;
            }
        }
        self.regions.is_empty()
            || record
                .region()
                .and_then(|text| Region::parse(&text.decode()).ok())
                .is_some_and(|region| self.regions.contains(&region))
    }

    /// The same of a call that was kept.
    pub(crate) fn admits_call(&self, call: &Call) -> bool {
        let account = || call.account.or(call.caller_account);
        self.since.is_none_or(|since| call.time >= since)
            && self.until.is_none_or(|until| call.time < until)
            && (self.accounts.is_empty()
                || account().is_some_and(|account| self.accounts.contains(&account)))
            && (self.regions.is_empty()
                || call.region.as_ref().is_some_and(|region| self.regions.contains(region)))
    }

    /// Whether what an agent did is shown.
    pub fn shows(&self, agent: Option<&Untrusted<'_>>) -> bool {
        self.agents.is_empty()
            || agent
                .is_some_and(|agent| self.agents.iter().any(|shown| shown == agent.as_unescaped()))
    }
}
