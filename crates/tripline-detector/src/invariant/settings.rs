//! What a person may change about the invariants.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tripline_baseline::{InvalidPattern, ResourcePattern};
use tripline_iam::AccountId;
use tripline_text::{Untrusted, escape};

use super::list::Invariant;
use crate::verdict::Verdict;

/// The configuration of the invariants; the default is the list as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InvariantSettings {
    /// Another verdict for an invariant, by its id: `"stop-trail" = "alert"`.
    pub verdicts: BTreeMap<String, Setting>,
    /// Buckets in which trails keep their files, by name, `*` and `?` allowed. Those named
    /// `aws-cloudtrail-logs-*`, as the console names them, are known anyway.
    pub trail_buckets: Vec<String>,
    /// Decoys, as patterns of resources ([`ResourcePattern`]), beside those of the scopes.
    pub canaries: Vec<String>,
    /// Accounts of one's own: sharing with them is no breach.
    pub own_accounts: BTreeSet<AccountId>,
}

/// The verdict that a person wants for an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Setting {
    /// It is not looked for.
    Off,
    /// [`Verdict::Alert`].
    Alert,
    /// [`Verdict::Fence`].
    Fence,
    /// [`Verdict::Kill`].
    Kill,
}

impl Setting {
    /// The verdict; `None` when switched off.
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Off => None,
            Self::Alert => Some(Verdict::Alert),
            Self::Fence => Some(Verdict::Fence),
            Self::Kill => Some(Verdict::Kill),
        }
    }
}

/// Why settings cannot be used. Texts in it are escaped as for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No invariant has this id.
    #[error("`{id}` is no invariant")]
    UnknownInvariant {
        /// The id as written.
        id: String,
    },
    /// A pattern that cannot be read.
    #[error("`{key}`: `{pattern}` {problem}")]
    Pattern {
        /// `trail_buckets` or `canaries`.
        key: &'static str,
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        problem: InvalidPattern,
    },
}

impl InvariantSettings {
    /// The verdict of an invariant under these settings; `None` when switched off.
    pub fn verdict(&self, invariant: &Invariant) -> Option<Verdict> {
        self.verdicts.get(invariant.id).map_or(Some(invariant.verdict), |setting| setting.verdict())
    }

    pub(super) fn check_ids(&self) -> Result<(), SettingsError> {
        match self.verdicts.keys().find(|id| Invariant::by_id(id).is_none()) {
            Some(id) => Err(SettingsError::UnknownInvariant { id: escaped(id) }),
            None => Ok(()),
        }
    }

    /// Settings as one canonical text, for the content hash of a model.
    pub fn content_hash_input(&self) -> String {
        let mut lines: Vec<(&str, String)> = Vec::new();
        for invariant in Invariant::all() {
            let verdict = self.verdict(invariant).map_or("off".to_owned(), |it| it.to_string());
            lines.push(("verdict", format!("{} {verdict}", invariant.id)));
        }
        lines.extend(self.trail_buckets.iter().map(|bucket| ("trail-bucket", bucket.clone())));
        lines.extend(self.canaries.iter().map(|canary| ("canary", canary.clone())));
        lines.extend(self.own_accounts.iter().map(|account| ("own-account", account.to_string())));
        lines.sort_unstable();
        lines.dedup();
        let mut out = String::from("tripline invariants 1\n");
        for (key, text) in lines {
            // The length before each text: no entry can pretend to be two.
            out.push_str(&format!("{key} {} {text}\n", text.len()));
        }
        out
    }
}

pub(super) fn patterns(
    key: &'static str,
    texts: &[String],
) -> Result<Vec<ResourcePattern>, SettingsError> {
    let read = |text: &String| {
        ResourcePattern::parse(text).map_err(|problem| SettingsError::Pattern {
            key,
            pattern: escaped(text),
            problem,
        })
    };
    texts.iter().map(read).collect()
}

fn escaped(text: &str) -> String {
    escape::terminal(&Untrusted::borrowed(text)).to_string()
}
