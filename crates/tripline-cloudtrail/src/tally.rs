//! What became of every file and every record: nothing is dropped in silence.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_text::Untrusted;
use tripline_text::escape;

use crate::record::RecordKind;

/// The maxima for what comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest single record, or wrapper of one, in bytes of JSON. CloudTrail's own maximum is
    /// 256 KB, and 1 MB in event data stores (UG/WhatIsCloudTrail-Limits).
    pub record_bytes_max: usize,
    /// The most JSON that one compressed file may unpack to. CloudTrail's files hold 50 MB at most
    /// (same page); shippers concatenate.
    pub unpacked_bytes_max: u64,
    /// A compressed file that says it unpacks to no more than this is unpacked in one piece, the
    /// fast way; a larger one in pieces.
    pub unpack_whole_bytes_max: usize,
    /// How many wrappers may stand inside each other around a record.
    pub wrapper_depth_max: u32,
    /// How many problems are kept with file and record; more are counted only.
    pub problems_kept_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 16 << 20,
            unpacked_bytes_max: 4 << 30,
            unpack_whole_bytes_max: 64 << 20,
            wrapper_depth_max: 4,
            problems_kept_max: 1_000,
        }
    }
}

/// Where bytes came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file's path or the object's key; file names are text from outside too.
    pub file: Arc<Untrusted<'static>>,
    /// The place of the record in its file, counted from 0; `None` when the whole file is meant.
    pub record: Option<u64>,
}

/// Something that could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, and the record in it.
    pub origin: Origin,
    /// What was wrong.
    pub kind: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", escape::terminal(&self.origin.file))?;
        if let Some(record) = self.origin.record {
            write!(f, " record {record}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

/// Why a record, or a whole file, could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum ProblemKind {
    /// No JSON where some was due.
    #[error("not JSON (at byte {at} of the record)")]
    Malformed {
        /// Bytes from the start of the record.
        at: usize,
    },
    /// The file ends inside a record.
    #[error("the file ends inside this record; {bytes_lost} bytes of it are lost")]
    Truncated {
        /// How much of the record there was.
        bytes_lost: usize,
    },
    /// A JSON value that is neither a record nor a known wrapper of some.
    #[error("not a CloudTrail record: no `{missing}`")]
    NotARecord {
        /// The field that every record has.
        missing: &'static str,
    },
    /// `eventTime` in no known form.
    #[error("`eventTime` is not a time")]
    BadTime,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A record longer than [`Limits::record_bytes_max`].
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// More wrappers inside each other than [`Limits::wrapper_depth_max`].
    #[error("more than {limit} wrappers inside each other")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// A file that unpacks to more than [`Limits::unpacked_bytes_max`]; what came before the limit
    /// was read.
    #[error("unpacks to more than {limit} bytes; the rest is not read")]
    Bomb {
        /// The limit.
        limit: u64,
    },
    /// The compressed data is damaged or cut off; what came before was read.
    #[error("damaged or cut off gzip; the rest cannot be read")]
    BadGzip,
    /// The base64 of a CloudWatch Logs payload is broken.
    #[error("broken base64 in a CloudWatch Logs payload")]
    BadBase64,
    /// The file could not be read from its disk or bucket. The text is the system's.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// Why a record or a file was passed over on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Skip {
    /// A VPC endpoint's view of a call.
    NetworkActivity,
    /// A CloudTrail Insights event.
    Insight,
    /// Five-minute counts of data events.
    Aggregated,
    /// A digest file.
    Digest,
    /// Left out by a filter that the user gave.
    Filtered,
    /// An empty file.
    Empty,
}

impl Skip {
    /// Why a record of this kind is passed over, if it is.
    pub fn of(kind: RecordKind) -> Option<Self> {
        match kind {
            RecordKind::Log => None,
            RecordKind::NetworkActivity => Some(Self::NetworkActivity),
            RecordKind::Insight => Some(Self::Insight),
            RecordKind::Aggregated => Some(Self::Aggregated),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetworkActivity => "network activity",
            Self::Insight => "insight",
            Self::Aggregated => "aggregated",
            Self::Digest => "digest",
            Self::Filtered => "filtered",
            Self::Empty => "empty",
        })
    }
}

/// What became of one record. Whether it was there twice is known when all is read:
/// [`Tally::read_turned_duplicate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was used.
    Read,
    /// It was passed over on purpose.
    Skipped(Skip),
}

/// `seen = read + skipped + failed + duplicate`, of files or of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All there were.
    pub seen: u64,
    /// Used.
    pub read: u64,
    /// Passed over on purpose.
    pub skipped: u64,
    /// Not readable, wholly or in part.
    pub failed: u64,
    /// Seen before.
    pub duplicate: u64,
}

impl Counts {
    /// Whether the four parts make up the whole.
    pub fn reconcile(&self) -> bool {
        self.seen == self.read + self.skipped + self.failed + self.duplicate
    }

    fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.read += other.read;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.duplicate += other.duplicate;
    }
}

/// What was read, passed over and lost. Tallies of disjoint inputs add up in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "what could not be read must reach the user"]
pub struct Tally {
    /// Of files.
    pub files: Counts,
    /// Of records. A record that a file was cut off in counts as failed.
    pub records: Counts,
    /// Why records and files were passed over: how many of each.
    pub skips: BTreeMap<Skip, u64>,
    /// What could not be read, in order of file and record; at most
    /// [`Limits::problems_kept_max`] of them from each reader.
    pub problems: Vec<Problem>,
    /// Problems that were counted but not kept.
    pub problems_not_kept: u64,
    /// Bytes as stored.
    pub bytes_stored: u64,
    /// Bytes of JSON.
    pub bytes_json: u64,
}

impl Tally {
    /// Adds what another reader read.
    pub fn add(&mut self, other: Tally) {
        self.files.add(&other.files);
        self.records.add(&other.records);
        for (why, count) in other.skips {
            *self.skips.entry(why).or_default() += count;
        }
        self.problems.extend(other.problems);
        self.problems.sort();
        self.problems_not_kept += other.problems_not_kept;
        self.bytes_stored += other.bytes_stored;
        self.bytes_json += other.bytes_json;
    }

    /// Whether every file and record is accounted for.
    pub fn reconcile(&self) -> bool {
        self.files.reconcile() && self.records.reconcile()
    }

    /// Whether some input could not be read.
    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty() || self.problems_not_kept > 0
    }

    /// A record whose fate changed after it was read: another copy of its call was used instead.
    pub fn read_turned_duplicate(&mut self, records: u64) {
        self.records.read = self.records.read.saturating_sub(records);
        self.records.duplicate += records;
    }

    /// A file that could not be opened or fetched.
    pub fn unreadable(&mut self, file: Arc<Untrusted<'static>>, why: String) {
        self.files.seen += 1;
        self.files.failed += 1;
        let origin = Origin { file, record: None };
        self.problems.push(Problem { origin, kind: ProblemKind::Unreadable(why) });
    }

    /// Counts a record. A reader does so for those of its files; this is for records that came by
    /// another way.
    pub fn record(&mut self, fate: Fate) {
        self.records.seen += 1;
        match fate {
            Fate::Read => self.records.read += 1,
            Fate::Skipped(why) => {
                self.records.skipped += 1;
                *self.skips.entry(why).or_default() += 1;
            }
        }
    }
}
