//! Patterns over names.

use std::fmt;

use globset::{Glob, GlobMatcher};
use serde::Deserialize;

/// A glob: `*`, `?`, `[…]`, `{…,…}`. Without one, anything fits. Matching takes time in proportion to
/// the text: globset compiles to a finite automaton.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Option<GlobMatcher>);

impl TryFrom<String> for Pattern {
    type Error = globset::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(Some(Glob::new(&text)?.compile_matcher())))
    }
}

impl Pattern {
    pub(crate) fn is_any(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|glob| glob.is_match(text))
    }
}

/// A pattern that says which part of a name is the agent's: `{agent}` stands for that part, at least
/// one character, `*` for any text, everything else for itself. Read from the left, each takes as
/// little as it can: of `deploy-agent-7-run-3`, `deploy-{agent}-run-*` takes `agent-7`, and
/// `deploy-{agent}-*` takes `agent`. Without `{agent}` the whole name is the agent's; without a
/// pattern, any name is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NamePattern {
    /// What the name begins with.
    start: Box<str>,
    /// What follows, piece by piece; none, and nothing may follow.
    pieces: Vec<Piece>,
}

/// A gap, and the text that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    is_agent: bool,
    then: Box<str>,
}

/// A [`NamePattern`] that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidNamePattern {
    /// `{agent}` twice.
    TwoAgents,
    /// A wildcard beside `{agent}`: where one ends and the other begins cannot be said.
    NothingBetween,
    /// An empty pattern.
    Empty,
}

impl std::error::Error for InvalidNamePattern {}

impl fmt::Display for InvalidNamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoAgents => "`{agent}` may stand in a pattern once",
            Self::NothingBetween => "between `{agent}` and `*` there must be some text",
            Self::Empty => "an empty pattern fits nothing",
        })
    }
}

const AGENT: &str = "{agent}";

impl TryFrom<String> for NamePattern {
    type Error = InvalidNamePattern;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Err(InvalidNamePattern::Empty);
        }
        if text.matches(AGENT).nth(1).is_some() {
            return Err(InvalidNamePattern::TwoAgents);
        }
        if text.contains("{agent}*") || text.contains("*{agent}") {
            return Err(InvalidNamePattern::NothingBetween);
        }
        let mut pieces = Vec::new();
        for (nth, part) in text.split(AGENT).enumerate() {
            for (mth, literal) in part.split('*').enumerate() {
                pieces.push(Piece { is_agent: nth > 0 && mth == 0, then: literal.into() });
            }
        }
        let start = if pieces.is_empty() { Box::default() } else { pieces.remove(0).then };
        Ok(Self { start, pieces })
    }
}

impl NamePattern {
    /// The agent that a name holds, if the pattern fits. Every piece is looked for once and from
    /// where the one before was found: where any arrangement fits, the one nearest to the left does.
    pub(crate) fn agent_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        if *self == Self::default() {
            return Some(name);
        }
        let mut rest = name.strip_prefix(&*self.start)?;
        let mut agent = None;
        for (nth, piece) in self.pieces.iter().enumerate() {
            let is_last = nth + 1 == self.pieces.len();
            // The agent's part is not empty: what ends it is looked for behind its first character.
            let least = if piece.is_agent { rest.chars().next()?.len_utf8() } else { 0 };
            let behind = rest.get(least..)?;
            let gap = if is_last {
                behind.strip_suffix(&*piece.then)?.len()
            } else {
                behind.find(&*piece.then)?
            };
            let (found, after) = rest.split_at_checked(least + gap)?;
            if piece.is_agent {
                agent = Some(found);
            }
            rest = after.strip_prefix(&*piece.then)?;
        }
        rest.is_empty().then_some(agent.unwrap_or(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agent<'n>(pattern: &str, name: &'n str) -> Option<&'n str> {
        NamePattern::try_from(pattern.to_owned()).unwrap().agent_of(name)
    }

    #[test]
    fn the_agent_is_what_stands_in_its_place() {
        assert_eq!(agent("deploy-{agent}-run-*", "deploy-agent-7-run-3"), Some("agent-7"));
        assert_eq!(agent("deploy-{agent}-*", "deploy-agent-7-run-3"), Some("agent"));
        assert_eq!(agent("{agent}", "x"), Some("x"));
        assert_eq!(agent("{agent}@ci", "a@ci@ci"), Some("a@ci"));
        assert_eq!(agent("*-{agent}", "run-a-b"), Some("a-b"));
        assert_eq!(agent("BedrockAgentCore-*", "BedrockAgentCore-0f"), Some("BedrockAgentCore-0f"));
        assert_eq!(agent("é{agent}ü", "éßü"), Some("ß"));
        for (pattern, name) in [
            ("{agent}", ""),
            ("a-{agent}", "a-"),
            ("a-{agent}-b", "a--b"),
            ("a-{agent}", "b-c"),
            ("exact", "exactly"),
        ] {
            assert_eq!(agent(pattern, name), None, "{pattern} {name}");
        }
        assert_eq!(NamePattern::default().agent_of("any"), Some("any"));
    }

    #[test]
    fn what_cannot_be_decided_is_refused() {
        let refused = |text: &str| NamePattern::try_from(text.to_owned()).unwrap_err();
        assert_eq!(refused(""), InvalidNamePattern::Empty);
        assert_eq!(refused("{agent}-{agent}"), InvalidNamePattern::TwoAgents);
        assert_eq!(refused("{agent}*"), InvalidNamePattern::NothingBetween);
        assert_eq!(refused("*{agent}"), InvalidNamePattern::NothingBetween);
    }

    /// The same question, answered by trying everything.
    fn fits_plainly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', rest @ ..] => (0..=name.len()).any(|at| fits_plainly(rest, &name[at..])),
            [b'{', b'a', b'g', b'e', b'n', b't', b'}', rest @ ..] => {
                (1..=name.len()).any(|at| fits_plainly(rest, &name[at..]))
            }
            [byte, rest @ ..] => name.first() == Some(byte) && fits_plainly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_where_any_arrangement_does(
            pieces in proptest::collection::vec("\\*|a|b|ab|\\{agent\\}", 1..6),
            name in "[ab]{0,8}",
        ) {
            let pattern = pieces.concat();
            if let Ok(parsed) = NamePattern::try_from(pattern.clone()) {
                let fits = fits_plainly(pattern.as_bytes(), name.as_bytes());
                prop_assert_eq!(parsed.agent_of(&name).is_some(), fits, "{} {}", pattern, name);
            }
        }
    }
}
