//! What scopes say of an event by its name and Region alone, remembered.

use ahash::RandomState;
use hashbrown::HashTable;
use tripline_attribution::Agent;
use tripline_baseline::{Call, Scope};
use tripline_cloudtrail::Record;

use crate::model::Model;

/// Event source, event name and Region, as written.
pub(crate) type EventKey<'a> = (&'a str, &'a str, &'a str);

/// The event of a record.
pub(crate) fn event_key<'a>(record: &Record<'a>) -> EventKey<'a> {
    let region = record.region().unwrap_or_default();
    (record.event_source().as_written(), record.event_name().as_written(), region.as_written())
}

/// The scopes of the agents met so far, by the attributor's numbers for them, and their answers.
#[derive(Debug)]
pub(crate) struct KnownScopes<'m> {
    events: HashTable<KnownEvent>,
    hasher: RandomState,
    agents: Vec<Option<KnownAgent<'m>>>,
}

#[derive(Debug)]
struct KnownEvent {
    source: Box<str>,
    name: Box<str>,
    region: Box<str>,
    number: usize,
}

#[derive(Debug)]
struct KnownAgent<'m> {
    scope: Option<&'m Scope>,
    /// By the event's number.
    answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    #[default]
    NotAsked,
    /// Whatever it is done to, and from wherever.
    Content,
    /// It depends, or no.
    LookCloser,
}

/// Event names are a caller's text where a service logs what it did not understand.
const KNOWN_EVENTS_MAX: usize = 20_000;

impl<'m> KnownScopes<'m> {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, 5, 6, 7);
        Self { events: HashTable::new(), hasher, agents: Vec::new() }
    }

    /// The scope of an agent with this number.
    #[inline]
    pub(crate) fn of(&mut self, model: &'m Model, number: u32, agent: &Agent) -> Option<&'m Scope> {
        let number = number as usize;
        if number >= self.agents.len() {
            self.agents.resize_with(number + 1, || None);
        }
        let known = self.agents.get_mut(number)?;
        let known = known.get_or_insert_with(|| KnownAgent {
            scope: model.scope_of(agent),
            answers: Vec::new(),
        });
        known.scope
    }

    /// Whether the agent's scope is content with the event whatever else there is to the call. `call`
    /// is asked for when the answer is not known yet.
    #[inline]
    pub(crate) fn is_content(
        &mut self,
        scope: &Scope,
        number: u32,
        event: EventKey<'_>,
        call: impl FnOnce() -> Option<Call>,
    ) -> bool {
        let needs = scope.needs();
        if needs.resources || needs.network || needs.tenant || needs.limits {
            return false;
        }
        let Some(event) = self.event(event) else { return false };
        let Some(Some(known)) = self.agents.get_mut(number as usize) else { return false };
        if event >= known.answers.len() {
            known.answers.resize(event + 1, Answer::NotAsked);
        }
        let Some(answer) = known.answers.get_mut(event) else { return false };
        if *answer == Answer::NotAsked
            && let Some(call) = call()
        {
            let content = scope.check(&call, None).is_empty();
            *answer = if content { Answer::Content } else { Answer::LookCloser };
        }
        *answer == Answer::Content
    }

    /// Whether the agent's scope is known to be content with the event of this number.
    #[inline]
    pub(crate) fn was_content(&self, number: u32, event: usize) -> bool {
        let agent = self.agents.get(number as usize).and_then(Option::as_ref);
        agent.and_then(|agent| agent.answers.get(event)) == Some(&Answer::Content)
    }

    /// The number of an event's name in a Region.
    #[inline]
    pub(crate) fn event(&mut self, (source, name, region): EventKey<'_>) -> Option<usize> {
        let hash = self.hasher.hash_one((source, name, region));
        let is_it = |known: &KnownEvent| {
            *known.name == *name && *known.region == *region && *known.source == *source
        };
        if let Some(known) = self.events.find(hash, is_it) {
            return Some(known.number);
        }
        let number = self.events.len();
        if number >= KNOWN_EVENTS_MAX {
            return None;
        }
        let known =
            KnownEvent { source: source.into(), name: name.into(), region: region.into(), number };
        let hasher = &self.hasher;
        let rehash =
            |known: &KnownEvent| hasher.hash_one((&*known.source, &*known.name, &*known.region));
        self.events.insert_unique(hash, known, rehash);
        Some(number)
    }
}
