//! What calls are judged by, frozen for a run and named by its content.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use thiserror::Error;
use tripline_attribution::Agent;
use tripline_baseline::{Decisions, Digested, Family, Maturity, Scope, Subject, Whose};
use tripline_containment::Work;
use tripline_detector::{Budgets, Calibration, Invariants, Lines, Measure, Score};
use tripline_iam::ActionPattern;
use tripline_iam::policy::PolicyText;
use tripline_text::Untrusted;

use crate::habits::{Habits, Learned};
use crate::learning::stable_hash_of;

/// Declared scopes, learned baselines and invariants. A clone shares them.
#[derive(Clone, Debug)]
pub struct Model {
    invariants: Arc<Invariants>,
    of_agent: BTreeMap<Untrusted<'static>, Arc<Scope>>,
    of_class: BTreeMap<Untrusted<'static>, Arc<Scope>>,
    /// Of agents, classes, and (`None`) the fleet.
    learned: BTreeMap<Option<Subject>, Arc<Learned>>,
    /// Of those the classes, in order.
    classes: Vec<Arc<Learned>>,
    decisions: Arc<Decisions>,
    calibration: Option<Arc<(Calibration, Lines, CalibrationId)>>,
    /// Each agent's own highest score, of those that the calibration does not name.
    highest: BTreeMap<Untrusted<'static>, Score>,
    budgets: Budgets,
    /// Found out when somebody asks: it takes a while over thousands of scopes.
    id: OnceLock<ModelId>,
}

/// The content hash of a [`Model`]: the same scopes, baselines and invariants give the same one, in whatever
/// order they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelId([u8; 32]);

impl ModelId {
    /// One that stands for the content of a whole edition.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl fmt::Display for ModelId {
    /// As `sha256:` and 64 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl ModelId {
    /// The name of the same model with exceptions beside its own.
    #[must_use]
    pub fn expecting(self, expected: &Decisions) -> Self {
        if expected.is_empty() {
            return self;
        }
        let hash = Sha256::new().chain_update(self.0).chain_update(expected.to_text());
        Self(hash.finalize().into())
    }
}

/// A calibration by its content, the agents' names aside: the same counts have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalibrationId(u64);

impl CalibrationId {
    pub(crate) fn of(calibration: &Calibration) -> Self {
        let text = calibration.without_names().to_text();
        Self(stable_hash_of(&text.unwrap_or_default()))
    }

    pub(crate) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
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
        for scope in scopes {
            let subject = scope.subject().clone();
            let before = match &subject {
                Subject::Agent(name) => of_agent.insert(name.clone(), Arc::new(scope)),
                Subject::Class(name) => of_class.insert(name.clone(), Arc::new(scope)),
            };
            if before.is_some() {
                return Err(ScopeTwice { subject });
            }
        }
        Ok(Self::of_scopes(Arc::new(invariants), of_agent, of_class))
    }

    /// The same with learned baselines, taken in one at a time; a second one of the same agent, class
    /// or fleet replaces the first. `hash_seed` keys their tables; no answer depends on it.
    ///
    /// # Errors
    /// Those of `baselines`.
    pub fn with_learned<E>(
        mut self,
        baselines: impl IntoIterator<Item = Result<impl Into<Digested>, E>>,
        hash_seed: u64,
    ) -> Result<Self, E> {
        for baseline in baselines {
            let baseline = baseline?.into();
            let subject = match baseline.baseline().whose() {
                Whose::Agent { agent, .. } => Some(Subject::Agent(agent.clone())),
                Whose::Class(class) => Some(Subject::Class(class.clone())),
                Whose::Fleet => None,
            };
            self.learned.insert(subject, Arc::new(Learned::new(&baseline, hash_seed)));
        }
        self.classes = classes(&self.learned);
        self.id = OnceLock::new();
        Ok(self)
    }

    /// The same with nothing that was learned, decided or drawn: what is declared, and the invariants.
    #[must_use]
    pub fn declared(&self) -> Self {
        let (of_agent, of_class) = (self.of_agent.clone(), self.of_class.clone());
        Self::of_scopes(Arc::clone(&self.invariants), of_agent, of_class)
    }

    fn of_scopes(
        invariants: Arc<Invariants>,
        of_agent: BTreeMap<Untrusted<'static>, Arc<Scope>>,
        of_class: BTreeMap<Untrusted<'static>, Arc<Scope>>,
    ) -> Self {
        Self {
            invariants,
            of_agent,
            of_class,
            learned: BTreeMap::new(),
            classes: Vec::new(),
            decisions: Arc::default(),
            calibration: None,
            highest: BTreeMap::new(),
            budgets: Budgets::default(),
            id: OnceLock::new(),
        }
    }

    /// The same with the exceptions that people decided on.
    #[must_use]
    pub fn with_decisions(mut self, decisions: Decisions) -> Self {
        self.decisions = Arc::new(decisions);
        self.id = OnceLock::new();
        self
    }

    /// The same with lines for these budgets, drawn where benign episodes ended up.
    #[must_use]
    pub fn with_calibration(mut self, calibration: Calibration, budgets: Budgets) -> Self {
        let lines = Lines::draw(&calibration, &budgets);
        let id = CalibrationId::of(&calibration);
        self.calibration = Some(Arc::new((calibration, lines, id)));
        self.budgets = budgets;
        self.id = OnceLock::new();
        self
    }

    /// The calibration that the lines were drawn from, if there is one.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_deref().map(|(calibration, _, _)| calibration)
    }

    /// The budgets that the lines were drawn for.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// The lines, if there is a calibration.
    pub fn lines(&self) -> Option<&Lines> {
        self.calibration.as_deref().map(|(_, lines, _)| lines)
    }

    /// The name of the calibration, if there is one.
    pub(crate) fn calibration_id(&self) -> Option<CalibrationId> {
        self.calibration.as_deref().map(|(_, _, id)| *id)
    }

    /// What the evidence against an agent is held against.
    pub(crate) fn measure_of(&self, agent: &Agent) -> Measure {
        let highest = self.highest_of(&agent.id.untrusted());
        Measure { lines: self.lines().copied(), highest }
    }

    /// The highest that counted for a kill of an agent's own episodes when the lines were drawn; nothing if
    /// it was not there.
    pub fn highest_of(&self, agent: &Untrusted<'_>) -> Option<Score> {
        let scores = self.calibration().and_then(|it| it.agent(agent));
        let highest = scores.map(|scores| scores.to_beat());
        highest.or_else(|| self.highest.get(agent).copied())
    }

    /// The same with an agent's own highest score, where the calibration names nobody.
    #[must_use]
    pub fn with_highest(mut self, agent: Untrusted<'static>, highest: Score) -> Self {
        self.highest.insert(agent, highest);
        self.id = OnceLock::new();
        self
    }

    /// The same with what other models know of their agents; the name stays, since it stands for all of
    /// them, read or not.
    #[must_use]
    pub fn joined(&self, parts: &[Arc<Self>]) -> Self {
        let mut model = self.clone();
        for part in parts {
            let agents = part.of_agent.iter();
            model.of_agent.extend(agents.map(|(name, scope)| (name.clone(), Arc::clone(scope))));
            let learned = part.learned.iter();
            model.learned.extend(learned.map(|(whose, it)| (whose.clone(), Arc::clone(it))));
            model.highest.extend(part.highest.iter().map(|(name, score)| (name.clone(), *score)));
        }
        model.classes = classes(&model.learned);
        model
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, id: ModelId) -> Self {
        Self { id: OnceLock::from(id), ..self }
    }

    /// What people decided.
    pub(crate) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The content hash.
    pub fn id(&self) -> ModelId {
        *self.id.get_or_init(|| self.content_hash())
    }

    /// The invariants.
    pub fn invariants(&self) -> &Invariants {
        &self.invariants
    }

    /// The scope of an agent: its own, else its class's.
    pub(crate) fn scope_of(&self, agent: &Agent) -> Option<&Scope> {
        let own = self.of_agent.get(&agent.id.untrusted().into_owned());
        let class = || self.of_class.get(&agent.class.as_ref()?.untrusted().into_owned());
        own.or_else(class).map(Arc::as_ref)
    }

    /// What an agent may go on doing while it is fenced: what its scope (else its class's) declares and
    /// its own baseline knows.
    pub fn work_of(&self, agent: &Agent) -> Work {
        let mut work = Work::default();
        if let Some(scope) = self.scope_of(agent) {
            work.actions.extend(scope.allowed_actions().cloned());
            // What is no ARN cannot stand in a policy; scopes may name other things, too.
            let arns = scope.allowed_resources();
            work.resources.extend(arns.filter_map(|it| PolicyText::arn_pattern(it.as_str())));
        }
        if let Some(own) = self.habits_of(agent).own {
            let actions = own.known.values_of(Family::Action);
            work.actions.extend(actions.filter_map(|action| ActionPattern::parse(action).ok()));
        }
        work
    }

    /// Whether there is anything that agents are held against.
    pub fn judges_agents(&self) -> bool {
        !(self.of_agent.is_empty() && self.of_class.is_empty() && self.learned.is_empty())
    }

    /// Whether any habits are known.
    pub(crate) fn has_learned(&self) -> bool {
        !self.learned.is_empty()
    }

    /// How well each agent is known that has a baseline, in order of their names.
    pub fn maturities(&self) -> impl Iterator<Item = (&Untrusted<'static>, Maturity)> {
        self.learned.iter().filter_map(|(subject, learned)| match subject {
            Some(Subject::Agent(name)) => Some((name, learned.maturity)),
            _ => None,
        })
    }

    /// What is known of an agent's habits.
    pub(crate) fn habits_of(&self, agent: &Agent) -> Habits<'_> {
        let own = self.learned.get(&Some(Subject::Agent(agent.id.untrusted().into_owned())));
        let class = agent.class.as_ref().map(|class| class.untrusted().into_owned());
        self.habits(own.map(Arc::as_ref), class)
    }

    /// The habits of each agent that has a baseline, with the class that it was learned in, in order of
    /// their names.
    pub(crate) fn all_habits(&self) -> impl Iterator<Item = (&Untrusted<'static>, Habits<'_>)> {
        self.learned.iter().filter_map(|(subject, own)| match subject {
            Some(Subject::Agent(name)) => Some((name, self.habits(Some(own), own.class.clone()))),
            _ => None,
        })
    }

    fn habits<'m>(
        &'m self,
        own: Option<&'m Learned>,
        class: Option<Untrusted<'static>>,
    ) -> Habits<'m> {
        let of = |key: Option<Subject>| self.learned.get(&key).map(Arc::as_ref);
        let class = class.and_then(|class| of(Some(Subject::Class(class))));
        Habits { own, class, fleet: of(None), classes: &self.classes }
    }
}

fn classes(learned: &BTreeMap<Option<Subject>, Arc<Learned>>) -> Vec<Arc<Learned>> {
    let is_class = |subject: &Option<Subject>| matches!(subject, Some(Subject::Class(_)));
    learned.iter().filter(|(subject, _)| is_class(subject)).map(|(_, it)| Arc::clone(it)).collect()
}

impl Model {
    fn content_hash(&self) -> ModelId {
        let scopes = self.of_agent.values().chain(self.of_class.values());
        let mut parts: Vec<String> = scopes.map(|scope| scope.content_hash_input()).collect();
        parts.extend(self.learned.values().map(|learned| learned.digest.to_string()));
        parts.push(self.decisions.to_text());
        parts.extend(self.calibration.as_deref().map(|(calibration, lines, _)| {
            format!("{:?} {lines:?} {}", self.budgets, calibration.to_text().unwrap_or_default())
        }));
        parts.extend(self.highest.iter().map(|(name, score)| format!("{name:?} {score:?}")));
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
