//! What is known of one value.

use std::borrow::Cow;
use std::fmt;

use tripline_text::Untrusted;

use super::day::{Day, DaySet, First};
use super::encode;
use super::family::{Draw, Family, Home};
use super::keys::bounded;
use super::token;
use crate::network::Network;

/// The name of a learned value: its family, the action where the family is learned given the action,
/// and the value. Of a resource the value is a path of the trie, from the start of the name to the
/// end of some part of it, with wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    pub(crate) family: Family,
    pub(crate) action: Box<str>,
    pub(crate) value: Box<str>,
}

impl KeyName {
    pub(crate) fn of(family: Family, action: &str, value: &str) -> Self {
        Self { family, action: action.into(), value: value.into() }
    }

    /// The action, of a key that is one.
    pub fn as_action(&self) -> Option<&str> {
        (self.family == Family::Action).then_some(&*self.value)
    }

    /// The name of what a call shows; `home` as when it was learned.
    pub fn of_draw(draw: &Draw<'_>, home: &Home<'_>) -> Self {
        if draw.family != Family::Resource {
            return Self::of(draw.family, draw.given(), &bounded(draw.value));
        }
        let mut path = String::new();
        token::canonical(draw.value, home, &mut path);
        Self::of(draw.family, draw.given(), &path)
    }

    /// From texts as a person writes them in `decisions.toml`, which are those that
    /// [`fmt::Display`] shows: percent-encoded, wildcards of resources in braces. `None` if the
    /// value is no such text, or the action is missing or too much.
    pub fn parse(family: Family, action: Option<&str>, value: &str) -> Option<Self> {
        let value = match family {
            Family::Resource => encode::parse_path(value)?,
            _ => encode::unfield(value)?,
        };
        let action = action.map_or(Some(Cow::Borrowed("")), encode::unfield)?;
        let fits = family.is_given_action() != action.is_empty();
        fits.then(|| Self::of(family, &action, &value))
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The action, for the families that are learned given the action.
    pub fn action(&self) -> Option<Untrusted<'_>> {
        self.family.is_given_action().then(|| Untrusted::borrowed(&self.action))
    }

    /// The value as it is shown: printable ASCII without blanks.
    pub fn shown_value(&self) -> String {
        // Wildcards are longer in braces: room for some, so that it seldom grows.
        let mut text = String::with_capacity(self.value.len() + 16);
        self.push_value(&mut text);
        text
    }

    /// Writes what is shown of it behind what is there.
    pub(crate) fn push_to(&self, out: &mut String) {
        out.push_str(self.family.name());
        if self.family.is_given_action() {
            out.push(' ');
            encode::push_field(&self.action, out);
        }
        if self.family != Family::Resource || !self.value.is_empty() {
            out.push(' ');
            self.push_value(out);
        }
    }

    fn push_value(&self, out: &mut String) {
        match self.family {
            Family::Resource => encode::push_path(&self.value, out),
            _ => encode::push_field(&self.value, out),
        }
    }

    /// Whether the other is this one, or lies below it in the trie. An endpoint is the same whether or not
    /// its account is told.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.family == other.family
            && self.action == other.action
            && match self.family {
                Family::Resource => other
                    .value
                    .strip_prefix(&*self.value)
                    .is_some_and(|rest| rest.is_empty() || token::is_boundary(&self.value)),
                Family::Network => Network::place(&self.value) == Network::place(&other.value),
                _ => self.value == other.value,
            }
    }
}

/// `action s3:GetObject`, `error s3:GetObject AccessDenied`: printable ASCII, whatever the record had.
/// All resources of an action together are `resource s3:GetObject`.
impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

/// How a value came into the baseline. The order is that of strength.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    /// Seen, but not known: a candidate, or a value that waits for a person or for more days.
    Pending,
    /// Promoted by the rules.
    Learned,
    /// Approved by a person.
    Approved(Box<Approval>),
}

impl Provenance {
    /// Whether the detector may rely on it.
    pub fn is_known(&self) -> bool {
        *self != Self::Pending
    }
}

/// Who approved something, when, and why. The texts come from a file that people write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approval {
    /// The minute, since 1970.
    pub(crate) minute: u32,
    pub(crate) who: Box<str>,
    pub(crate) why: Box<str>,
}

impl Approval {
    /// Who.
    pub fn who(&self) -> Untrusted<'_> {
        Untrusted::borrowed(&self.who)
    }

    /// Why.
    pub fn why(&self) -> Untrusted<'_> {
        Untrusted::borrowed(&self.why)
    }
}

/// What was counted of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) provenance: Provenance,
    /// How many agents know it; 1 in an agent's own baseline.
    pub(crate) agents: u32,
    /// In how many episodes it was seen.
    pub(crate) episodes: u32,
    pub(crate) first: First,
    pub(crate) days: DaySet,
}

impl Fact {
    /// The fact of one episode.
    pub(crate) fn of(first: First) -> Self {
        Self {
            provenance: Provenance::Pending,
            agents: 1,
            episodes: 1,
            first,
            days: DaySet::of(Day::of_minute(first.minute)),
        }
    }

    /// One more episode.
    pub(crate) fn note(&mut self, first: First) {
        self.episodes = self.episodes.saturating_add(1);
        self.first = self.first.min(first);
        self.days.insert(Day::of_minute(first.minute));
    }

    pub(crate) fn is_known(&self) -> bool {
        self.provenance.is_known()
    }

    pub(crate) fn is_approved(&self) -> bool {
        matches!(self.provenance, Provenance::Approved(_))
    }

    /// What is kept first where there is no room for all.
    pub(crate) fn rank(&self) -> Rank {
        let strength = match self.provenance {
            Provenance::Pending => 0,
            Provenance::Learned => 1,
            Provenance::Approved(_) => 2,
        };
        Rank(strength, self.agents, self.episodes)
    }

    /// The fact of both histories.
    pub(crate) fn join(&mut self, other: &Self, how: Join) {
        self.episodes = how.counts(self.episodes, other.episodes);
        self.agents = match how {
            Join::Agents => self.agents.saturating_add(other.agents),
            Join::Parts | Join::Apart | Join::Overlapping => self.agents.max(other.agents),
        };
        self.first = self.first.min(other.first);
        self.days = self.days.union(other.days);
        // An approval stays that of the first history.
        let is_stronger = match (&self.provenance, &other.provenance) {
            (Provenance::Approved(_), _) | (_, Provenance::Pending) => false,
            (Provenance::Pending, _) | (_, Provenance::Approved(_)) => true,
            (Provenance::Learned, Provenance::Learned) => false,
        };
        if is_stronger {
            self.provenance = other.provenance.clone();
        }
    }
}

/// What two counts are of, which says how they become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// Different values of one agent, of which one is made: sums.
    Parts,
    /// Histories of one agent that have no day in common: sums.
    Apart,
    /// Histories of one agent that may have days in common: the larger, which is at most too small.
    Overlapping,
    /// Different agents: sums, and the agents are counted.
    Agents,
}

impl Join {
    pub(crate) fn counts(self, one: u32, other: u32) -> u32 {
        match self {
            Self::Parts | Self::Apart | Self::Agents => one.saturating_add(other),
            Self::Overlapping => one.max(other),
        }
    }
}

/// How much a fact matters: what a person approved most, then what more agents know and more
/// episodes saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u8, u32, u32);

impl Rank {
    pub(crate) fn is_approved(self) -> bool {
        self.0 == 2
    }
}
