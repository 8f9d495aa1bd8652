//! What is learned of a call, and the facts about a call that the learning needs.

use std::fmt;

use tripline_cloudtrail::{EventTime, is_refusal};
use tripline_text::Untrusted;

use super::day::{First, MINUTE_MAX};
use super::sample::stable_hash;

/// A family of values: each is learned, counted and judged by itself. The order is that of the
/// stored text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// The IAM action.
    Action,
    /// The resource, given the action.
    Resource,
    /// The Region.
    Region,
    /// The network that the call came from.
    Network,
    /// The SDK or tool, and the marks of agents.
    UserAgent,
    /// The error's class, given the action.
    Error,
    /// The magnitude of the bytes that went out, given the action.
    Bytes,
}

impl Family {
    /// How many families there are.
    pub const COUNT: usize = 7;

    /// All of them, in the order of the stored text.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Action,
        Self::Resource,
        Self::Region,
        Self::Network,
        Self::UserAgent,
        Self::Error,
        Self::Bytes,
    ];

    /// The name in stored text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Region => "region",
            Self::Network => "network",
            Self::UserAgent => "user-agent",
            Self::Error => "error",
            Self::Bytes => "bytes",
        }
    }

    /// The family of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Whether values are learned for each action by itself.
    pub fn is_given_action(self) -> bool {
        matches!(self, Self::Resource | Self::Error | Self::Bytes)
    }

    /// The place in arrays of [`Self::COUNT`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A value that a call shows in one family. Its texts are from the record and may be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Draw<'a> {
    /// The family.
    pub family: Family,
    /// `s3:GetObject`, for the families that are learned given the action; elsewhere it is ignored.
    pub action: Option<&'a str>,
    /// The value, such as an ARN or a Region.
    pub value: &'a str,
}

impl<'a> Draw<'a> {
    /// What it counts as where discoveries are counted, each once an episode: a new action each by
    /// itself, all new resources of an action together, since whoever finds one bucket finds the next,
    /// and so on. Nothing for errors that are no refusal: those happen to everybody.
    pub fn discovery(&self) -> Option<(Family, &'a str)> {
        discovery(self.family, self.given(), self.value)
    }

    /// The action where the family asks for it, else nothing.
    pub(crate) fn given(&self) -> &'a str {
        self.action.filter(|_| self.family.is_given_action()).unwrap_or_default()
    }
}

/// See [`Draw::discovery`].
pub(crate) fn discovery<'a>(
    family: Family,
    given: &'a str,
    value: &'a str,
) -> Option<(Family, &'a str)> {
    match family {
        Family::Action => Some((family, value)),
        Family::Error if !is_refusal(value) => None,
        Family::Resource | Family::Error | Family::Bytes => Some((family, given)),
        Family::Region | Family::Network | Family::UserAgent => Some((family, "")),
    }
}

/// Where the caller is at home: its own account and the Region of the call stand as `{account}` and
/// `{region}` in learned resources, so that a rename of either is no news.
///
/// It belongs to the call, not to the agent, so that what is learned of a call depends on that call
/// alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home<'a> {
    /// The caller's account, twelve digits.
    pub account: Option<&'a str>,
    /// The Region of the call.
    pub region: Option<&'a str>,
}

/// Which episode a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeKey {
    /// The minute of its first call, since 1970.
    pub start_minute: u32,
    /// A stable hash of the root session's id: the same in every run and on every machine.
    pub root: u64,
}

impl EpisodeKey {
    /// The episode of a root session that began at a time, by the session's id.
    pub fn of(start: EventTime, root: &Untrusted<'_>) -> Self {
        let root = stable_hash(&[root.as_unescaped().as_bytes()]);
        Self { start_minute: minute_of(start), root }
    }

    /// What is stored of it where it saw something for the first time.
    pub(crate) fn first(self) -> First {
        let root = u16::try_from(self.root >> 48).unwrap_or(u16::MAX);
        First { minute: self.start_minute.min(MINUTE_MAX), root }
    }
}

/// The minute of `time` since 1970.
pub(crate) fn minute_of(time: EventTime) -> u32 {
    u32::try_from(time.unix_minutes()).unwrap_or(MINUTE_MAX).min(MINUTE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_has_the_same_key_everywhere() {
        let start = EventTime::parse("2026-11-20T10:00:59Z").unwrap();
        let key = EpisodeKey::of(start, &Untrusted::borrowed("ASIAEXAMPLE"));
        assert_eq!((key.start_minute, key.root), (29_919_480, 0x3842_1e7c_a825_ea0c));
        assert_ne!(key.root, EpisodeKey::of(start, &Untrusted::borrowed("ASIAEXAMPLF")).root);
    }
}
