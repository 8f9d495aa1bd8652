//! What calls are judged by, frozen for a run and named by its content.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;
use tripline_attribution::Agent;
use tripline_baseline::{Scope, Subject};
use tripline_detector::Invariants;
use tripline_text::Untrusted;

/// Declared scopes and invariants.
#[derive(Debug)]
pub struct Model {
    invariants: Invariants,
    scopes: Vec<Scope>,
    of_agent: BTreeMap<Untrusted<'static>, usize>,
    of_class: BTreeMap<Untrusted<'static>, usize>,
    id: ModelId,
}

/// The content hash of a [`Model`]: the same scopes and invariants give the same one, in whatever
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
        let id = content_hash(&invariants, &scopes);
        Ok(Self { invariants, scopes, of_agent, of_class, id })
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

    /// Whether any agent has a declared scope.
    pub(crate) fn has_scopes(&self) -> bool {
        !self.scopes.is_empty()
    }
}

fn content_hash(invariants: &Invariants, scopes: &[Scope]) -> ModelId {
    let mut parts: Vec<String> = scopes.iter().map(Scope::content_hash_input).collect();
    parts.sort_unstable();
    let mut hash = Sha256::new();
    for part in std::iter::once(invariants.settings().content_hash_input()).chain(parts) {
        // The length first, so that no two lists of parts run together into one text.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    ModelId(hash.finalize().into())
}
