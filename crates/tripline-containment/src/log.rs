//! The action log: what was decided, done, seen and taken back, by whom and when, one JSON line an
//! entry, each naming the digest of the one before.
//!
//! A line that was changed, left out or put in breaks the chain from there on. The chain does not tell
//! that its end was cut off: keep the last digest elsewhere for that ([`Chain::head`]).

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tripline_text::Untrusted;

use crate::incident::IncidentId;
use crate::ledger::Event;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written, in milliseconds since 1970.
    pub time_unix_ms: i64,
    /// Who did it: a person, or the program on its own.
    #[serde(with = "tripline_text::stored")]
    pub actor: Untrusted<'static>,
    /// What it is about; none for what concerns all.
    pub incident: Option<IncidentId>,
    /// What happened.
    pub event: Event,
}

/// A line, in the order in which its parts stand.
#[derive(Serialize, Deserialize)]
struct Body<E> {
    prev: String,
    seq: u64,
    #[serde(flatten)]
    entry: E,
}

/// How a line begins: the digest of all that follows it.
const HASH_FIELD: &str = "{\"hash\":\"";
const HASH_CHARS: usize = 64;

/// The end of a log, to which the next entry is chained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    head: String,
}

/// A log that was tampered with, or damaged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the action log: {kind}")]
pub struct Broken {
    /// Which line, from 1.
    pub line: u64,
    /// What is wrong.
    pub kind: BrokenKind,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BrokenKind {
    /// Its digest is not that of its text.
    #[error("it was changed: its digest is not that of its text")]
    Changed,
    /// It does not follow the line before it.
    #[error("it does not follow the line before it: one was left out, put in or moved")]
    Unchained,
    /// It is no entry of a log of this version.
    #[error("it is no entry that this program can read; a newer one may have written it")]
    Unreadable,
}

impl Default for Chain {
    fn default() -> Self {
        Self { seq: 0, head: "0".repeat(HASH_CHARS) }
    }
}

impl Chain {
    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.seq
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.seq == 0
    }

    /// The digest of the last entry.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The line of the next entry, without a line break; the chain goes on behind it.
    pub fn append(&mut self, entry: &Entry) -> String {
        let body = Body { prev: self.head.clone(), seq: self.seq, entry };
        // INVARIANT: entries have string keys only, for which serde_json has no error.
        let text = serde_json::to_string(&body).unwrap_or_default();
        let rest = format!("\",{}", text.strip_prefix('{').unwrap_or_default());
        let hash = digest(&rest);
        let line = format!("{HASH_FIELD}{hash}{rest}");
        self.seq = self.seq.saturating_add(1);
        self.head = hash;
        line
    }

    /// Reads the next line, which must follow.
    ///
    /// # Errors
    /// [`Broken`]; the chain stays where it was.
    pub fn follow(&mut self, line: &str) -> Result<Entry, Broken> {
        let broken = |kind| Broken { line: self.seq.saturating_add(1), kind };
        let rest = line.strip_prefix(HASH_FIELD).ok_or(broken(BrokenKind::Unreadable))?;
        let (hash, rest) =
            rest.split_at_checked(HASH_CHARS).ok_or(broken(BrokenKind::Unreadable))?;
        if digest(rest) != hash {
            return Err(broken(BrokenKind::Changed));
        }
        let text = rest.strip_prefix("\",").ok_or(broken(BrokenKind::Unreadable))?;
        let body: Body<Entry> = serde_json::from_str(&format!("{{{text}"))
            .map_err(|_| broken(BrokenKind::Unreadable))?;
        if body.prev != self.head || body.seq != self.seq {
            return Err(broken(BrokenKind::Unchained));
        }
        self.seq = self.seq.saturating_add(1);
        hash.clone_into(&mut self.head);
        Ok(body.entry)
    }
}

fn digest(text: &str) -> String {
    let mut hex = String::with_capacity(HASH_CHARS);
    for byte in Sha256::digest(text.as_bytes()) {
        // INVARIANT: writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<String> {
        let mut chain = Chain::default();
        let entry = |reason: &str| Entry {
            time_unix_ms: 1_795_168_800_123,
            actor: Untrusted::borrowed("somebody\n\"x\""),
            incident: None,
            event: Event::Halted { reason: Untrusted::new(reason.to_owned()) },
        };
        ["one", "two", "three"].map(|reason| chain.append(&entry(reason))).to_vec()
    }

    fn check(lines: &[String]) -> Result<u64, Broken> {
        let mut chain = Chain::default();
        for line in lines {
            chain.follow(line)?;
        }
        Ok(chain.len())
    }

    #[test]
    fn a_log_that_nobody_touched_holds() {
        let lines = log();
        assert_eq!(check(&lines), Ok(3));
        assert!(lines.iter().all(|line| !line.contains('\n')));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&lines[2]).unwrap()["seq"], 2);
    }

    #[test]
    fn any_change_shows_where_it_is() {
        let broken = |lines: &[String]| check(lines).unwrap_err();
        let mut changed = log();
        changed[1] = changed[1].replace("two", "six");
        assert_eq!(broken(&changed), Broken { line: 2, kind: BrokenKind::Changed });
        let mut left_out = log();
        left_out.remove(1);
        assert_eq!(broken(&left_out), Broken { line: 2, kind: BrokenKind::Unchained });
        let mut moved = log();
        moved.swap(1, 2);
        assert_eq!(broken(&moved).line, 2);
        let mut doubled = log();
        doubled.insert(1, doubled[0].clone());
        assert_eq!(broken(&doubled).kind, BrokenKind::Unchained);
        for text in ["", "{}", "{\"hash\":\"00\"}", "\u{0}"] {
            assert_eq!(broken(&[text.to_owned()]).kind, BrokenKind::Unreadable, "{text}");
        }
    }
}
