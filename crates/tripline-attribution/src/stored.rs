//! Mints and uses without the records that told of them: for partial baselines.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::{EventTime, Record};
use tripline_iam::AccountId;
use tripline_text::Untrusted;

use crate::mint::{Mint, Told};
use crate::rules::AgentRules;
use crate::table::Attributor;
use crate::used::Use;

/// What a record tells of the creation of a credential, kept; no secret among it. Its serialisation
/// is for this program's own files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMint {
    key: String,
    time: EventTime,
    ends_by: EventTime,
    parent: Kept<Use>,
    texts: [Kept<Text>; 7],
    transitive: Option<bool>,
    account: Option<AccountId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Text(#[serde(with = "tripline_text::stored")] Untrusted<'static>);

/// A [`Told`], kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kept<T> {
    Untold,
    Nothing,
    Just(T),
}

impl<T> Kept<T> {
    fn of<'a, U>(told: &'a Told<U>, keep: impl FnOnce(&'a U) -> T) -> Self {
        match told {
            Told::Untold => Self::Untold,
            Told::Nothing => Self::Nothing,
            Told::Just(value) => Self::Just(keep(value)),
        }
    }

    fn told<'a, U>(&'a self, tell: impl FnOnce(&'a T) -> U) -> Told<U> {
        match self {
            Self::Untold => Told::Untold,
            Self::Nothing => Told::Nothing,
            Self::Just(value) => Told::Just(tell(value)),
        }
    }
}

impl Kept<Text> {
    fn just(&self) -> Option<Untrusted<'_>> {
        match self {
            Self::Just(text) => Some(text.0.reborrow()),
            Self::Untold | Self::Nothing => None,
        }
    }
}

impl StoredMint {
    /// What `record` tells of a mint, if it does.
    pub fn of(record: &Record<'_>, rules: &AgentRules) -> Option<Self> {
        let mint = Mint::of(record, rules)?;
        let text =
            |told: &Told<Untrusted<'_>>| Kept::of(told, |text| Text(text.reborrow().into_owned()));
        Some(Self {
            key: mint.key.to_string(),
            time: mint.time,
            ends_by: mint.ends_by,
            parent: Kept::of(&mint.parent, Use::of_facts),
            texts: [
                text(&mint.agent),
                text(&mint.class),
                text(&mint.tenant),
                text(&mint.version),
                text(&mint.source_identity),
                text(&mint.role),
                text(&mint.principal),
            ],
            transitive: mint.transitive,
            account: mint.account,
        })
    }

    /// The access key that was created.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// When.
    pub fn time(&self) -> EventTime {
        self.time
    }

    /// The session that created it, as far as this record tells.
    pub fn parent(&self) -> Option<&Use> {
        match &self.parent {
            Kept::Just(parent) => Some(parent),
            Kept::Untold | Kept::Nothing => None,
        }
    }

    /// When it ends at the latest, as far as this record tells.
    pub fn ends_by(&self) -> EventTime {
        self.ends_by
    }

    /// What its tags name, in this order: agent, class, tenant, version.
    pub fn tags(&self) -> [Option<Untrusted<'_>>; 4] {
        let [agent, class, tenant, version, ..] = &self.texts;
        [agent, class, tenant, version].map(Kept::just)
    }

    /// Its source identity.
    pub fn source_identity(&self) -> Option<Untrusted<'_>> {
        let [.., source_identity, _, _] = &self.texts;
        source_identity.just()
    }

    /// The ARN of its role.
    pub fn role(&self) -> Option<Untrusted<'_>> {
        let [.., role, _] = &self.texts;
        role.just()
    }

    /// Whom IAM takes its bearer for: `AROA…:session-name` and the like.
    pub fn principal(&self) -> Option<Untrusted<'_>> {
        let [.., principal] = &self.texts;
        principal.just()
    }

    fn mint(&self) -> Mint<'_> {
        let [agent, class, tenant, version, source_identity, role, principal] = &self.texts;
        let text = |kept: &'_ Kept<Text>| kept.told(|text| text.0.reborrow().into_owned());
        Mint {
            key: Cow::Borrowed(&self.key),
            time: self.time,
            ends_by: self.ends_by,
            parent: self.parent.told(Use::facts),
            agent: text(agent),
            class: text(class),
            tenant: text(tenant),
            version: text(version),
            transitive: self.transitive,
            source_identity: text(source_identity),
            role: text(role),
            principal: text(principal),
            account: self.account,
        }
    }
}

impl Attributor {
    /// Learns a credential from what was kept of its mint, as [`Attributor::note_mint`] does from the
    /// record.
    pub fn note_stored_mint(&mut self, mint: &StoredMint) {
        self.learn(&mint.mint());
    }
}
