//! Names that records repeat a million times, each kept once and known by a number.
//!
//! What takes time to find out about a name (the IAM action behind an event, the network that an
//! address lies in) is found out once, and remembered with it.

use std::borrow::Cow;
use std::hash::Hash;

use ahash::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use tripline_baseline::{Call, Naming, Namings, Network, Outcome, RateClasses, UserAgentFamily};
use tripline_cloudtrail::{EventId, EventTime, JsonText, Record, keyed};
use tripline_iam::{Action, Region};
use tripline_text::Untrusted;

use crate::deed::{rate_classes, rate_classes_of};

/// Event source, event name and Region, as written.
pub(crate) type EventKey<'a> = (&'a str, &'a str, &'a str);

/// The event of a record.
#[inline]
pub(crate) fn event_key<'a>(record: &Record<'a>) -> EventKey<'a> {
    let region = record.region().unwrap_or_default();
    (record.event_source().as_written(), record.event_name().as_written(), region.as_written())
}

/// The IAM action behind the event of a record.
pub(crate) fn action_of(record: &Record<'_>) -> Action {
    Action::from_event(&record.event_source().decode(), &record.event_name().decode())
}

/// The Region of a record; empty if it says none or something that is no Region's name.
pub(crate) fn region_of<'a>(record: &Record<'a>) -> Cow<'a, str> {
    let region = record.region().map(JsonText::decode).unwrap_or_default();
    if Region::parse(&region).is_ok() { region } else { Cow::Borrowed("") }
}

/// A name by its number, or as it is where the vocabulary is full.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Word<'a> {
    /// By its number.
    Known(u32),
    /// As it is.
    Spelt(#[serde(borrow)] Cow<'a, str>),
}

/// The names of one intake. Numbers mean something only beside the vocabulary that they are from.
#[derive(Debug)]
pub struct Vocabulary {
    hasher: RandomState,
    events: Vec<KnownEvent>,
    events_by_name: HashTable<u32>,
    namings: Namings,
    networks: Words,
    user_agents: Words,
}

/// An event in a Region.
#[derive(Debug)]
pub(crate) struct KnownEvent {
    /// Source, name and Region, as written.
    pub(crate) written: (Box<str>, Box<str>, Box<str>),
    /// The IAM action behind it.
    pub(crate) action: Action,
    /// The Region; empty where none is told.
    pub(crate) region: Box<str>,
    /// How its calls count in rates, apart from their outcome.
    pub(crate) classes: RateClasses,
    /// How its calls name what they touch.
    pub(crate) naming: Naming,
    /// A hash of it as written, the same in every vocabulary of one seed.
    pub(crate) hash: u64,
}

/// Event names are a caller's text where a service logs what it did not understand; addresses and
/// user agents always are.
const EVENTS_MAX: usize = 20_000;
const WORDS_MAX: usize = 50_000;

/// The number of everything beyond those.
pub(crate) const UNKNOWN: u32 = u32::MAX;

impl Vocabulary {
    /// Knows nothing yet. `seed` keys the tables; no result depends on it.
    pub fn new(seed: u64) -> Self {
        Self {
            hasher: keyed(seed, 5),
            events: Vec::new(),
            events_by_name: HashTable::new(),
            namings: Namings::default(),
            networks: Words::default(),
            user_agents: Words::default(),
        }
    }

    /// The number of a record's event; [`UNKNOWN`] when there are too many.
    #[inline]
    pub(crate) fn event(&mut self, record: &Record<'_>) -> u32 {
        self.event_of(event_key(record), || (action_of(record), region_of(record).into()))
    }

    /// The same for an event whose action and Region are asked for when it is a new one.
    #[inline]
    pub(crate) fn event_of(
        &mut self,
        key: EventKey<'_>,
        meaning: impl FnOnce() -> (Action, Box<str>),
    ) -> u32 {
        let hash = self.hasher.hash_one(key);
        let is_it = |at: &u32| self.events.get(*at as usize).is_some_and(|it| it.is(key));
        match self.events_by_name.find(hash, is_it) {
            Some(at) => *at,
            None => self.new_event(hash, key, meaning()),
        }
    }

    /// How a call counts in rates.
    pub(crate) fn classes_of(&mut self, call: &Call) -> RateClasses {
        let region = call.region.as_ref().map_or("", |region| region.as_str());
        let event = (call.event_source.as_unescaped(), call.event_name.as_unescaped(), region);
        let number = self.event_of(event, || (call.action.clone(), region.into()));
        match self.known_event(number) {
            // Whoever named the event otherwise did not name the action otherwise.
            Some(known) if known.action == call.action && call.outcome.is_ok() => known.classes,
            _ => rate_classes_of(call),
        }
    }

    #[cold]
    fn new_event(&mut self, hash: u64, key: EventKey<'_>, meaning: (Action, Box<str>)) -> u32 {
        if self.events.len() >= EVENTS_MAX {
            return UNKNOWN;
        }
        let (action, region) = meaning;
        let classes = rate_classes(&action);
        let written = (key.0.into(), key.1.into(), key.2.into());
        let [source, name] = [key.0, key.1].map(|text| JsonText::of_body(text).decode());
        let naming = self.namings.of(&source, &name);
        self.events.push(KnownEvent { written, action, region, classes, naming, hash });
        let at = self.events.len() as u32 - 1;
        let (events, hasher) = (&self.events, &self.hasher);
        self.events_by_name.insert_unique(hash, at, |at| {
            events.get(*at as usize).map_or(0, |event| hasher.hash_one(event.key()))
        });
        at
    }

    /// What is known of an event.
    #[inline]
    pub(crate) fn known_event(&self, number: u32) -> Option<&KnownEvent> {
        self.events.get(number as usize)
    }

    /// The network that a call came from, and its user agent family.
    #[inline]
    pub(crate) fn around(&mut self, record: &Record<'_>) -> (Word<'static>, Word<'static>) {
        (self.network(record), self.user_agent(record))
    }

    /// The network that a call came from.
    #[inline]
    pub(crate) fn network(&mut self, record: &Record<'_>) -> Word<'static> {
        let endpoint = record.vpc_endpoint().map_or("", JsonText::as_written);
        let source = record.source_ip().map_or("", JsonText::as_written);
        let told = (endpoint, record.foreign_endpoint_account(), source);
        self.networks.word(&self.hasher, told, || Network::of(record).key())
    }

    /// A hash of it, the same in every vocabulary of one seed.
    #[inline]
    pub(crate) fn network_hash(&self, word: &Word<'_>) -> u64 {
        self.networks.hash_of(&self.hasher, word)
    }

    /// The text of such a word.
    pub(crate) fn network_text<'w>(&'w self, word: &'w Word<'_>) -> &'w str {
        self.networks.text(word)
    }

    #[cfg(test)]
    pub(crate) fn texts_of_networks(&self) -> impl Iterator<Item = &str> {
        self.networks.meanings.iter().map(|meaning| &*meaning.text)
    }

    /// The user agent family of a call.
    #[inline]
    pub(crate) fn user_agent(&mut self, record: &Record<'_>) -> Word<'static> {
        let written = record.user_agent().map_or("", JsonText::as_written);
        let meaning = || UserAgentFamily::of(record).untrusted();
        self.user_agents.word(&self.hasher, written, meaning)
    }

    /// The same, as calls have it.
    pub(crate) fn user_agent_family(&mut self, record: &Record<'_>) -> UserAgentFamily {
        let word = self.user_agent(record);
        UserAgentFamily::known(self.user_agent_text(&word))
    }

    /// A hash of it, the same in every vocabulary of one seed.
    #[inline]
    pub(crate) fn user_agent_hash(&self, word: &Word<'_>) -> u64 {
        self.user_agents.hash_of(&self.hasher, word)
    }

    /// The text of such a word.
    pub(crate) fn user_agent_text<'w>(&'w self, word: &'w Word<'_>) -> &'w str {
        self.user_agents.text(word)
    }
}

impl KnownEvent {
    fn is(&self, (source, name, region): EventKey<'_>) -> bool {
        is_same(&self.written.1, name)
            && is_same(&self.written.0, source)
            && is_same(&self.written.2, region)
    }

    /// A call of it, of which nothing else is known.
    pub(crate) fn sketch(&self, id: EventId, time: EventTime) -> Call {
        let text = |written: &str| JsonText::of_body(written).untrusted().into_owned();
        Call {
            id,
            time,
            account: None,
            caller_account: None,
            region: Region::parse(&self.region).ok(),
            event_source: text(&self.written.0),
            event_name: text(&self.written.1),
            action: self.action.clone(),
            resources: Vec::new(),
            passed_roles: Vec::new(),
            network: Network::Unknown,
            user_agent: UserAgentFamily::default(),
            bytes_out: None,
            outcome: Outcome::Ok,
        }
    }

    /// Any call of it, for questions that the event alone decides.
    pub(crate) fn any_call(&self) -> Call {
        self.sketch(EventId::from_bits(0), EventTime::EPOCH)
    }

    pub(crate) fn key(&self) -> EventKey<'_> {
        (&self.written.0, &self.written.1, &self.written.2)
    }
}

/// Whether two texts are the same. Not by `==` alone: where both are empty that compares nothing at an
/// address that is none, which takes 120 ns on processors with AVX-512 (measured by learning).
#[inline]
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// Texts as records write them, and what each of them means: many may mean the same.
#[derive(Debug, Default)]
struct Words {
    /// By a hash of how they are written, under a secret key: to compare the texts takes longer than to
    /// find them. The chance that any two of a run are taken for one is one in ten thousand million.
    written: HashTable<(u64, u32)>,
    meanings: Vec<Meaning>,
    by_meaning: HashTable<u32>,
}

#[derive(Debug)]
struct Meaning {
    text: Box<str>,
    hash: u64,
}

impl Words {
    #[inline]
    fn word(
        &mut self,
        hasher: &RandomState,
        written: impl Hash,
        meaning: impl FnOnce() -> Untrusted<'static>,
    ) -> Word<'static> {
        let hash = hasher.hash_one(written);
        match self.written.find(hash, |(known, _)| *known == hash) {
            Some((_, number)) => Word::Known(*number),
            None => self.learn(hasher, hash, meaning().as_unescaped()),
        }
    }

    #[cold]
    fn learn(&mut self, hasher: &RandomState, hash: u64, meaning: &str) -> Word<'static> {
        if self.written.len() >= WORDS_MAX {
            return Word::Spelt(Cow::Owned(meaning.to_owned()));
        }
        let number = self.number_of(hasher, meaning);
        self.written.insert_unique(hash, (hash, number), |(hash, _)| *hash);
        Word::Known(number)
    }

    fn number_of(&mut self, hasher: &RandomState, meaning: &str) -> u32 {
        let Self { meanings, by_meaning, .. } = self;
        let hash = hasher.hash_one(meaning);
        let is_it =
            |at: &u32| meanings.get(*at as usize).is_some_and(|known| *known.text == *meaning);
        if let Some(known) = by_meaning.find(hash, is_it) {
            return *known;
        }
        let number = meanings.len() as u32;
        meanings.push(Meaning { text: meaning.into(), hash });
        by_meaning.insert_unique(hash, number, |at| {
            meanings.get(*at as usize).map_or(0, |known| known.hash)
        });
        number
    }

    /// A hash of what a word means.
    #[inline]
    fn hash_of(&self, hasher: &RandomState, word: &Word<'_>) -> u64 {
        match word {
            Word::Known(number) => {
                self.meanings.get(*number as usize).map_or(0, |known| known.hash)
            }
            Word::Spelt(text) => hasher.hash_one(&**text),
        }
    }

    fn text<'w>(&'w self, word: &'w Word<'_>) -> &'w str {
        match word {
            Word::Known(number) => {
                self.meanings.get(*number as usize).map_or("", |known| &known.text)
            }
            Word::Spelt(text) => text,
        }
    }
}
