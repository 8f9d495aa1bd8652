//! What there is to say about files, and how many of each kind there are.

use std::fmt;

use tripline_text::{Untrusted, escape};

use super::chain::{Tampering, Unproven, Verdict};
use super::file::{Malformed, ObjectRef};
use super::hash::{ContentHash, Damage};
use crate::time::EventTime;

/// What a finding amounts to, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Something is not as CloudTrail wrote it.
    Tampered,
    /// Something is not there: deleted, never copied, or never written, which cannot be told apart.
    Gap,
    /// Nothing speaks against it, and nothing proves it.
    Unproven,
    /// It could not be read.
    Unread,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tampered => "tampered",
            Self::Gap => "gap",
            Self::Unproven => "unproven",
            Self::Unread => "unread",
        })
    }
}

/// What is the matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A digest was changed or replaced.
    DigestTampered(Tampering),
    /// A digest does not lie where it says it was delivered to.
    DigestMoved,
    /// A file with a digest's name is none.
    DigestMalformed(Malformed),
    /// A digest and the proven one before it contradict each other.
    LinkBroken,
    /// A log file has another content than its digest says.
    LogChanged {
        /// The hash that its digest lists.
        listed: ContentHash,
        /// The hash of what is there.
        found: ContentHash,
    },
    /// A log file is not as CloudTrail delivers them.
    LogDamaged(Damage),
    /// A digest that the next one names is not there.
    DigestMissing {
        /// From when on nothing is known; `None` where that is not known either.
        from: Option<EventTime>,
        /// Up to when.
        to: EventTime,
    },
    /// No digest tells what was delivered in this time.
    NotCovered {
        /// From when.
        from: EventTime,
        /// Up to when.
        to: EventTime,
    },
    /// A log file that a digest lists is not there.
    LogMissing,
    /// A log file that lies outside the copy, as far as that can be told.
    LogOutside,
    /// A log file was delivered, by its name, in a time that digests cover, and none lists it; or it has
    /// no name of CloudTrail's.
    LogUnlisted,
    /// A digest is not proven.
    DigestUnproven(Unproven),
    /// Something could not be read; the text is the system's.
    Unread(String),
}

/// Something that is the matter with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it lies, or should.
    pub at: Untrusted<'static>,
    /// The object in S3, where that is known.
    pub object: Option<ObjectRef>,
    /// What it is.
    pub what: What,
}

impl What {
    /// What it amounts to.
    pub fn class(&self) -> Class {
        match self {
            Self::DigestTampered(_)
            | Self::DigestMoved
            | Self::DigestMalformed(_)
            | Self::LinkBroken
            | Self::LogChanged { .. }
            | Self::LogDamaged(_) => Class::Tampered,
            Self::DigestMissing { .. }
            | Self::NotCovered { .. }
            | Self::LogMissing
            | Self::LogOutside
            | Self::LogUnlisted => Class::Gap,
            Self::DigestUnproven(_) => Class::Unproven,
            Self::Unread(_) => Class::Unread,
        }
    }

    /// Its word, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::DigestTampered(Tampering::Signature) => "digest-signature-invalid",
            Self::DigestTampered(Tampering::SignatureInNext) => "digest-signature-in-next-invalid",
            Self::DigestTampered(Tampering::HashInNext) => "digest-changed",
            Self::DigestMoved => "digest-moved",
            Self::DigestMalformed(_) => "digest-malformed",
            Self::LinkBroken => "link-broken",
            Self::LogChanged { .. } => "log-changed",
            Self::LogDamaged(_) => "log-damaged",
            Self::DigestMissing { .. } => "digest-missing",
            Self::NotCovered { .. } => "not-covered",
            Self::LogMissing => "log-missing",
            Self::LogOutside => "log-outside",
            Self::LogUnlisted => "log-unlisted",
            Self::DigestUnproven(Unproven::NoSignature) => "no-signature",
            Self::DigestUnproven(Unproven::NoKey) => "no-key",
            Self::DigestUnproven(Unproven::NextTampered) => "next-tampered",
            Self::Unread(_) => "unread",
        }
    }

    /// The time that it is about.
    pub fn span(&self) -> (Option<EventTime>, Option<EventTime>) {
        match self {
            Self::DigestMissing { from, to } => (*from, Some(*to)),
            Self::NotCovered { from, to } => (Some(*from), Some(*to)),
            _ => (None, None),
        }
    }
}

impl fmt::Display for What {
    /// In words, for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DigestTampered(Tampering::Signature) => {
                f.write_str("this digest was changed: its signature does not fit it")
            }
            Self::DigestTampered(Tampering::SignatureInNext) => f.write_str(
                "this digest, or the next one, was changed: the signature kept there does not fit",
            ),
            Self::DigestTampered(Tampering::HashInNext) => {
                f.write_str("this digest was changed: the next one has another hash for it")
            }
            Self::DigestMoved => {
                f.write_str("this digest says it was delivered to another place than where it lies")
            }
            Self::DigestMalformed(why) => write!(f, "this digest was changed: {why}"),
            Self::LinkBroken => {
                f.write_str("this digest was changed: it has another hash for the one before it")
            }
            Self::LogChanged { listed, found } => write!(
                f,
                "this log file was changed: its content hashes to {found}, its digest lists {listed}"
            ),
            Self::LogDamaged(why) => write!(f, "this log file was changed: {why}"),
            Self::DigestMissing { from: Some(from), to } => write!(
                f,
                "this digest is not here: what was delivered from {from} to {to} is not known"
            ),
            Self::DigestMissing { from: None, to } => {
                write!(f, "this digest is not here: what was delivered before {to} is not known")
            }
            Self::NotCovered { from, to } => write!(
                f,
                "no digest from {from} to {to}: the trail or its validation was off, or digests are missing"
            ),
            Self::LogMissing => f.write_str("this log file is not here, and a digest lists it"),
            Self::LogOutside => {
                f.write_str("this log file is not below the path given, and a digest lists it")
            }
            Self::LogUnlisted => f.write_str(
                "no digest lists this log file: it was put here, or is of a trail without validation",
            ),
            Self::DigestUnproven(Unproven::NoSignature) => {
                f.write_str("this digest is not signed here: signature not given")
            }
            Self::DigestUnproven(Unproven::NoKey) => {
                f.write_str("this digest was signed with a key that was not given")
            }
            Self::DigestUnproven(Unproven::NextTampered) => f.write_str(
                "this digest is not signed here: signature not given, and the next one is changed",
            ),
            Self::Unread(why) => {
                write!(f, "cannot be read: {}", escape::terminal(&Untrusted::borrowed(why)))
            }
        }
    }
}

/// What became of the digest files: `seen = valid + unproven + tampered + unread + outside`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestCounts {
    /// Files with a digest's name.
    pub seen: u64,
    /// Proven.
    pub valid: u64,
    /// Neither proven nor disproven.
    pub unproven: u64,
    /// Not as CloudTrail wrote them.
    pub tampered: u64,
    /// Not readable.
    pub unread: u64,
    /// Not of the period.
    pub outside: u64,
    /// Named by the next digest and not there; not among those seen.
    pub missing: u64,
}

/// What became of the log files that digests list: `listed = valid + changed + missing + unread`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Listed, by digests that were not tampered with.
    pub listed: u64,
    /// With the content that is listed.
    pub valid: u64,
    /// With another.
    pub changed: u64,
    /// Not there.
    pub missing: u64,
    /// Not readable.
    pub unread: u64,
    /// Those of all listed that only an unproven digest lists.
    pub unproven: u64,
    /// There, and not listed, though digests cover the time in their names, or with names that
    /// CloudTrail does not give.
    pub unlisted: u64,
    /// There, in a time or Region that no digest covers: nothing is known of them.
    pub not_covered: u64,
    /// There, and by their names not of the period.
    pub outside: u64,
    /// Files of other kinds and in other folders.
    pub other: u64,
}

/// What became of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The digests.
    pub digests: DigestCounts,
    /// The log files.
    pub files: FileCounts,
}

impl Counts {
    /// Counts a digest by its verdict.
    pub fn judged(&mut self, verdict: Verdict) {
        self.digests.seen += 1;
        match verdict {
            Verdict::Valid(_) => self.digests.valid += 1,
            Verdict::Unproven(_) => self.digests.unproven += 1,
            Verdict::Tampered(_) => self.digests.tampered += 1,
        }
    }

    /// Whether the parts make up the wholes.
    pub fn reconcile(&self) -> bool {
        let (digests, files) = (&self.digests, &self.files);
        digests.seen
            == digests.valid
                + digests.unproven
                + digests.tampered
                + digests.unread
                + digests.outside
            && files.listed == files.valid + files.changed + files.missing + files.unread
    }
}
