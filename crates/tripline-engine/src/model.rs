//! What calls are judged by, frozen for a run and named by its content.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;
use tripline_attribution::Agent;
use tripline_baseline::{Baseline, Decisions, Scope, Subject, Whose};
use tripline_detector::Invariants;
use tripline_text::Untrusted;

use crate::habits::{Habits, Learned};

/// Declared scopes, learned baselines and invariants.
#[derive(Debug)]
pub struct Model {
    invariants: Invariants,
    scopes: Vec<Scope>,
    of_agent: BTreeMap<Untrusted<'static>, usize>,
    of_class: BTreeMap<Untrusted<'static>, usize>,
    /// Of agents, classes, and (`None`) the fleet.
    learned: BTreeMap<Option<Subject>, Learned>,
    decisions: Decisions,
    id: ModelId,
}

/// The content hash of a [`Model`]: the same scopes, baselines and invariants give the same one, in whatever
/// order they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelId([u8; 32]);

impl fmt::Display for ModelId {
    /// As `sha256:` and 64 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Two scopes for one agent or class: which of them holds would be a matter of chance.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("two scopes have the same subject")]
pub struct ScopeTwice {
    /// Whose.
    pub subject: Subject,
}

impl Model {
    /// A model of these parts.
    ///
    /// # Errors
    /// When two scopes have the same subject.
    pub fn new(invariants: Invariants, scopes: Vec<Scope>) -> Result<Self, ScopeTwice> {
        let (mut of_agent, mut of_class) = (BTreeMap::new(), BTreeMap::new());
        for (nth, scope) in scopes.iter().enumerate() {
            let before = match scope.subject() {
                Subject::Agent(name) => of_agent.insert(name.clone(), nth),
                Subject::Class(name) => of_class.insert(name.clone(), nth),
            };
            if before.is_some() {
                return Err(ScopeTwice { subject: scope.subject().clone() });
            }
        }
        let (learned, decisions) = (BTreeMap::new(), Decisions::default());
        let id = ModelId([0; 32]);
        let mut model = Self { invariants, scopes, of_agent, of_class, learned, decisions, id };
        model.id = model.content_hash();
        Ok(model)
    }

    /// The same with learned baselines, taken in one at a time; a second one of the same agent, class
    /// or fleet replaces the first. `hash_seed` keys their tables; no answer depends on it.
    ///
    /// # Errors
    /// Those of `baselines`.
    pub fn with_learned<E>(
        mut self,
        baselines: impl IntoIterator<Item = Result<Baseline, E>>,
        hash_seed: u64,
    ) -> Result<Self, E> {
        for baseline in baselines {
            let baseline = baseline?;
            let subject = match baseline.whose() {
                Whose::Agent { agent, .. } => Some(Subject::Agent(agent.clone())),
                Whose::Class(class) => Some(Subject::Class(class.clone())),
                Whose::Fleet => None,
            };
            self.learned.insert(subject, Learned::new(&baseline, hash_seed));
        }
        self.id = self.content_hash();
        Ok(self)
    }

    /// The same with the exceptions that people decided on.
    #[must_use]
    pub fn with_decisions(mut self, decisions: Decisions) -> Self {
        self.decisions = decisions;
        self.id = self.content_hash();
        self
    }

    /// What people decided.
    pub(crate) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The content hash.
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// The invariants.
    pub fn invariants(&self) -> &Invariants {
        &self.invariants
    }

    /// The scope of an agent: its own, else its class's.
    pub(crate) fn scope_of(&self, agent: &Agent) -> Option<&Scope> {
        let own = self.of_agent.get(&agent.id.untrusted().into_owned());
        let class = || self.of_class.get(&agent.class.as_ref()?.untrusted().into_owned());
        self.scopes.get(*own.or_else(class)?)
    }

    /// Whether there is anything that agents are held against.
    pub(crate) fn judges_agents(&self) -> bool {
        !self.scopes.is_empty() || !self.learned.is_empty()
    }

    /// Whether any habits are known.
    pub(crate) fn has_learned(&self) -> bool {
        !self.learned.is_empty()
    }

    /// What is known of an agent's habits.
    pub(crate) fn habits_of(&self, agent: &Agent) -> Habits<'_> {
        let class = agent.class.as_ref();
        let of = |key: Subject| self.learned.get(&Some(key));
        Habits {
            own: of(Subject::Agent(agent.id.untrusted().into_owned())),
            class: class.and_then(|class| of(Subject::Class(class.untrusted().into_owned()))),
            fleet: self.learned.get(&None),
        }
    }
}

impl Model {
    fn content_hash(&self) -> ModelId {
        let mut parts: Vec<String> = self.scopes.iter().map(Scope::content_hash_input).collect();
        parts.extend(self.learned.values().map(|learned| learned.digest.clone()));
        parts.push(self.decisions.to_text());
        parts.sort_unstable();
        let mut hash = Sha256::new();
        let invariants = self.invariants.settings().content_hash_input();
        for part in std::iter::once(invariants).chain(parts) {
            // The length first, so that no two lists of parts run together into one text.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        ModelId(hash.finalize().into())
    }
}
