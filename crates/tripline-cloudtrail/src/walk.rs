//! The way through a text of JSON: which objects in it are records, and where to go on after
//! something that is not.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::{memchr, memchr2, memmem};
use simdutf8::compat::from_utf8;
use tripline_text::Untrusted;

use crate::identities::Identities;
use crate::json::{Cursor, Json, Stuck};
use crate::parse::{Object, object};
use crate::reader::Sink;
use crate::record::{Record, Wrapper};
use crate::scan::container_end;
use crate::tally::{Fate, Limits, Origin, Problem, ProblemKind, Skip, Tally};
use crate::unpack::Unpacker;

/// How much text is checked for UTF-8 and walked at a time: it stays in the processor's cache
/// between the two.
const WINDOW_BYTES: usize = 128 << 10;

/// How AWS begins a record: where to go on when the end of a broken one cannot be found.
const RECORD_START: &[u8] = b"{\"eventVersion\"";

/// The account of one file while it is read.
#[derive(Debug)]
pub(crate) struct Walk<'r> {
    file: Arc<Untrusted<'static>>,
    limits: &'r Limits,
    pub(crate) identities: Identities,
    tally: Tally,
    next_record: u64,
    file_damaged: bool,
    digest: bool,
    /// What became of the last records that were handed on.
    fates: Vec<Fate>,
}

/// Records on their way to a sink. They are handed on some at a time: to read one takes about as much code as
/// a processor's first cache holds, and to take one in takes as much again, so that each by itself would
/// fetch both anew (measured on day-long files: a quarter fewer misses, 4 % of all cycles).
struct Batch<'t, 's, S: ?Sized> {
    records: Vec<Record<'t>>,
    sink: &'s mut S,
}

/// How many are handed on at a time, of some kilobyte each: what was read last is still in the second cache.
const BATCH_RECORDS: usize = 32;
/// How long a record is, about; those of agents' calls have 1.6 KB.
const RECORD_BYTES: usize = 1 << 10;

impl<'t, S: ?Sized> Batch<'t, '_, S> {
    /// Room for the next record of a text of so many bytes.
    #[inline]
    fn next(&mut self, bytes: usize) -> &mut Record<'t> {
        if self.records.capacity() == 0 {
            // Many a text is one short record in a wrapper.
            self.records.reserve_exact((bytes / RECORD_BYTES + 1).min(BATCH_RECORDS));
        }
        self.records.push_mut(Record::blank())
    }
}

impl<'r> Walk<'r> {
    pub(crate) fn new(
        file: &Arc<Untrusted<'static>>,
        limits: &'r Limits,
        identities: Identities,
    ) -> Self {
        Self {
            file: Arc::clone(file),
            limits,
            identities,
            tally: Tally::default(),
            next_record: 0,
            file_damaged: false,
            digest: false,
            fates: Vec::new(),
        }
    }

    pub(crate) fn limits(&self) -> &'r Limits {
        self.limits
    }

    /// Something that concerns the file as a whole.
    pub(crate) fn file_problem(&mut self, kind: ProblemKind) {
        self.file_damaged = true;
        self.keep(None, kind);
    }

    /// Closes the account.
    pub(crate) fn finish(mut self, stored_bytes: u64, json_bytes: u64) -> Tally {
        let files = &mut self.tally.files;
        files.seen += 1;
        let mut skip = |why| {
            files.skipped += 1;
            *self.tally.skips.entry(why).or_default() += 1;
        };
        if self.file_damaged
            || (self.tally.records.failed > 0
                && self.tally.records.failed == self.tally.records.seen)
        {
            self.tally.files.failed += 1;
        } else if self.digest {
            skip(Skip::Digest);
        } else if json_bytes == 0 {
            skip(Skip::Empty);
        } else {
            files.read += 1;
        }
        self.tally.bytes_stored += stored_bytes;
        self.tally.bytes_json += json_bytes;
        self.tally
    }

    /// A record that could not be read.
    fn failed(&mut self, kind: ProblemKind) {
        self.tally.records.seen += 1;
        self.tally.records.failed += 1;
        let record = self.next_record;
        self.next_record += 1;
        self.keep(Some(record), kind);
    }

    fn keep(&mut self, record: Option<u64>, kind: ProblemKind) {
        if self.tally.problems.len() >= self.limits.problems_kept_max {
            self.tally.problems_not_kept += 1;
            return;
        }
        let origin = Origin { file: Arc::clone(&self.file), record };
        self.tally.problems.push(Problem { origin, kind });
    }

    /// An object of the text, read into the last place of `batch`: the record, or something around some.
    #[inline]
    fn meet<S: Sink + ?Sized>(
        &mut self,
        met: Result<Object<'_>, ProblemKind>,
        depth: u32,
        batch: &mut Batch<'_, '_, S>,
    ) {
        match met {
            Ok(Object::Record) => {
                self.next_record += 1;
                let passed_over = batch.records.last().and_then(|it| Skip::of(it.kind()));
                if let Some(why) = passed_over {
                    batch.records.pop();
                    self.tally.record(Fate::Skipped(why));
                } else if batch.records.len() >= BATCH_RECORDS {
                    self.hand_on(batch);
                }
            }
            Ok(Object::Wraps(wrapper, inner)) => {
                batch.records.pop();
                self.hand_on(batch);
                self.unwrap(wrapper, inner, depth + 1, batch.sink);
            }
            Err(problem) => {
                batch.records.pop();
                self.failed(problem);
            }
        }
    }

    /// Hands the records on that were read.
    fn hand_on<S: Sink + ?Sized>(&mut self, batch: &mut Batch<'_, '_, S>) {
        let Batch { records, sink } = batch;
        if records.is_empty() {
            return;
        }
        sink.take(records, &mut self.fates);
        records.clear();
        self.fates.drain(..).for_each(|fate| self.tally.record(fate));
    }

    #[cold]
    fn unwrap<S: Sink + ?Sized>(
        &mut self,
        wrapper: Wrapper,
        inner: Json<'_>,
        depth: u32,
        sink: &mut S,
    ) {
        let limit = self.limits.wrapper_depth_max;
        if depth > limit {
            return self.failed(ProblemKind::TooDeep { limit });
        }
        let mut inside = Framing { depth, ..Framing::default() };
        match wrapper {
            Wrapper::Digest => self.digest = true,
            Wrapper::Array | Wrapper::Object => {
                inside.advance(inner.as_written().as_bytes(), true, self, sink);
            }
            Wrapper::Text => {
                let text = inner.text().unwrap_or_default().decode();
                inside.advance(text.as_bytes(), true, self, sink);
            }
            Wrapper::Packed => {
                let data = inner.get_text("data").unwrap_or_default().decode();
                match BASE64.decode(data.as_bytes()) {
                    Err(_) => self.failed(ProblemKind::BadBase64),
                    Ok(packed) => match Unpacker::payload(&packed, self.limits.record_bytes_max) {
                        None => self.failed(ProblemKind::BadGzip),
                        Some(json) => {
                            inside.advance(&json, true, self, sink);
                        }
                    },
                }
            }
        }
    }
}

/// Where in the text's structure the walk is, between one piece of it and the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Framing {
    mode: Mode,
    depth: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// Between values.
    #[default]
    Top,
    /// Inside an array of records.
    Items { in_envelope: bool },
    /// At something in an array of records that is not even an object.
    Stray { in_envelope: bool },
    /// Behind the array of an envelope, before its closing brace.
    EnvelopeRest,
    /// Inside something that is no JSON, or too long: up to the next record or, between values,
    /// the next line.
    Lost { in_items: Option<bool> },
}

/// What the walk needs before it can go on.
enum Pause {
    /// More text behind this window.
    MoreText,
}

impl Framing {
    /// Walks `bytes`; how many of them are done with. When `last`, all are.
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        last: bool,
        walk: &mut Walk<'_>,
        sink: &mut (impl Sink + ?Sized),
    ) -> usize {
        let mut done = 0;
        let mut window = WINDOW_BYTES;
        loop {
            let rest = bytes.get(done..).unwrap_or_default();
            let shown = rest.get(..window).unwrap_or(rest);
            let is_all = shown.len() == rest.len();
            let (text, spoilt) = match from_utf8(shown) {
                Ok(text) => (text, false),
                Err(error) => {
                    let valid = shown.get(..error.valid_up_to()).unwrap_or_default();
                    // A character cut by the window's edge is not spoilt, unless nothing follows.
                    let spoilt = error.error_len().is_some() || (is_all && last);
                    (from_utf8(valid).unwrap_or_default(), spoilt)
                }
            };
            let walked = self.walk_text(text, last && is_all && !spoilt, walk, sink);
            done += walked;
            if walked > 0 {
                window = WINDOW_BYTES;
            }
            if spoilt {
                match self.step_over_spoilt(bytes.get(done..).unwrap_or_default(), last, walk) {
                    Some(step) => done += step,
                    None => return done,
                }
            } else if is_all {
                return if last { bytes.len() } else { done };
            } else if walked == 0 {
                window = window.saturating_mul(2);
            }
        }
    }

    /// Steps over a value that holds bytes that are not UTF-8. `None`: its end is yet to come.
    #[cold]
    fn step_over_spoilt(&mut self, rest: &[u8], last: bool, walk: &mut Walk<'_>) -> Option<usize> {
        let start =
            rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b','))?;
        let end = match (rest.get(start), self.mode) {
            (Some(b'{'), _) => container_end(rest, start + 1),
            _ => resume(rest, start + 1, self.mode),
        };
        let too_long = rest.len() > walk.limits.record_bytes_max;
        if end.is_none() && !last && !too_long {
            return None;
        }
        walk.failed(ProblemKind::NotUtf8);
        if end.is_none() {
            walk.file_damaged = true;
        }
        Some(end.or_else(|| resume(rest, start + 1, self.mode)).unwrap_or(rest.len()))
    }

    /// Walks a valid text; how much of it is done with.
    fn walk_text(
        &mut self,
        text: &str,
        last: bool,
        walk: &mut Walk<'_>,
        sink: &mut (impl Sink + ?Sized),
    ) -> usize {
        let mut at = 0;
        let mut batch = Batch { records: Vec::new(), sink };
        while at < text.len() {
            let step = match self.mode {
                Mode::Top => self.top(text, at, last, walk, &mut batch),
                Mode::Items { in_envelope } => {
                    self.items(text, at, in_envelope, last, walk, &mut batch)
                }
                Mode::Stray { in_envelope } => Ok(self.stray(text, at, in_envelope)),
                Mode::EnvelopeRest => self.envelope_rest(text, at, last, walk),
                Mode::Lost { in_items } => self.lost(text, at, in_items, last),
            };
            match step {
                Ok(next) => at = next,
                Err(Pause::MoreText) => break,
            }
        }
        walk.hand_on(&mut batch);
        at
    }

    fn top<'t, S: Sink + ?Sized>(
        &mut self,
        text: &'t str,
        at: usize,
        last: bool,
        walk: &mut Walk<'_>,
        batch: &mut Batch<'t, '_, S>,
    ) -> Result<usize, Pause> {
        let rest = text.get(at..).unwrap_or_default();
        match rest.as_bytes().first() {
            None => Ok(at),
            Some(b' ' | b'\n' | b'\r' | b'\t' | b',') => Ok(at + 1),
            Some(b'[') => {
                self.mode = Mode::Items { in_envelope: false };
                Ok(at + 1)
            }
            Some(b'{') => match envelope_array(rest, 1) {
                Some(array) => {
                    self.mode = Mode::Items { in_envelope: true };
                    Ok(at + array)
                }
                None => self.object(text, at, last, walk, batch),
            },
            // A byte order mark, as some Windows tools put before the first value.
            Some(0xEF) if rest.starts_with('\u{feff}') => Ok(at + '\u{feff}'.len_utf8()),
            Some(_) => {
                walk.failed(ProblemKind::Malformed { at: 0 });
                self.lose();
                Ok(at)
            }
        }
    }

    #[inline]
    fn items<'t, S: Sink + ?Sized>(
        &mut self,
        text: &'t str,
        at: usize,
        in_envelope: bool,
        last: bool,
        walk: &mut Walk<'_>,
        batch: &mut Batch<'t, '_, S>,
    ) -> Result<usize, Pause> {
        match text.as_bytes().get(at) {
            None => Ok(at),
            Some(b',' | b' ' | b'\n' | b'\r' | b'\t') => Ok(at + 1),
            Some(b'{') => self.object(text, at, last, walk, batch),
            Some(b']') => {
                self.mode = if in_envelope { Mode::EnvelopeRest } else { Mode::Top };
                Ok(at + 1)
            }
            Some(_) => {
                walk.failed(ProblemKind::NotARecord { missing: "eventName" });
                self.mode = Mode::Stray { in_envelope };
                Ok(at)
            }
        }
    }

    #[inline]
    fn object<'t, S: Sink + ?Sized>(
        &mut self,
        text: &'t str,
        at: usize,
        last: bool,
        walk: &mut Walk<'_>,
        batch: &mut Batch<'t, '_, S>,
    ) -> Result<usize, Pause> {
        let rest = text.get(at..).unwrap_or_default();
        match object(rest, &mut walk.identities, batch.next(text.len())) {
            Ok((length, met)) => {
                walk.meet(met, self.depth, batch);
                Ok(at + length)
            }
            Err(stuck) => {
                batch.records.pop();
                self.stuck(rest, stuck, last, walk).map(|step| at + step)
            }
        }
    }

    /// An object that cannot be read, or not yet.
    #[cold]
    fn stuck(
        &mut self,
        rest: &str,
        stuck: Stuck,
        last: bool,
        walk: &mut Walk<'_>,
    ) -> Result<usize, Pause> {
        let bytes = rest.as_bytes();
        if self.mode == Mode::Top
            && let Some(array) = late_envelope_array(rest)
        {
            self.mode = Mode::Items { in_envelope: true };
            return Ok(array);
        }
        let limit = walk.limits.record_bytes_max;
        let end = match stuck {
            Stuck::Short => None,
            // The brackets may still balance, and a separator follow: then only this one is lost.
            // But a quote too few makes text of structure: no record begins inside another.
            Stuck::Malformed(_) => {
                container_end(bytes, 1).filter(|end| is_boundary(bytes, *end, last)).map(|end| {
                    memmem::find(bytes.get(1..end).unwrap_or_default(), RECORD_START)
                        .map_or(end, |start| start + 1)
                })
            }
        };
        if end.is_none() && !last && bytes.len() <= limit {
            return Err(Pause::MoreText);
        }
        let resumed = end.or_else(|| resume(bytes, 1, self.mode));
        match stuck {
            Stuck::Malformed(at) => walk.failed(ProblemKind::Malformed { at }),
            Stuck::Short if bytes.len() > limit => walk.failed(ProblemKind::TooLong { limit }),
            Stuck::Short if resumed.is_some() => {
                walk.failed(ProblemKind::Malformed { at: bytes.len() })
            }
            Stuck::Short => {
                walk.file_damaged = true;
                walk.failed(ProblemKind::Truncated { bytes_lost: bytes.len() });
            }
        }
        if resumed.is_none() {
            walk.file_damaged = true;
            self.lose();
        }
        Ok(resumed.unwrap_or(1))
    }

    fn envelope_rest(
        &mut self,
        text: &str,
        at: usize,
        last: bool,
        walk: &mut Walk<'_>,
    ) -> Result<usize, Pause> {
        let mut cursor = Cursor::new(text);
        cursor.at = at;
        match cursor.member() {
            Ok(Some(_)) => Ok(cursor.at),
            Ok(None) => {
                self.mode = Mode::Top;
                Ok(cursor.at)
            }
            Err(Stuck::Short) if !last && text.len() - at <= walk.limits.record_bytes_max => {
                Err(Pause::MoreText)
            }
            // All records are in; what is broken is only the wrapping.
            Err(_) => {
                walk.file_problem(ProblemKind::Malformed { at: 0 });
                self.lose();
                Ok(at)
            }
        }
    }

    /// Steps over what is no object: up to the array's next object or its end.
    fn stray(&mut self, text: &str, at: usize, in_envelope: bool) -> usize {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        match memchr2(b'{', b']', rest) {
            Some(found) => {
                self.mode = Mode::Items { in_envelope };
                at + found
            }
            None => text.len(),
        }
    }

    fn lose(&mut self) {
        let in_items = match self.mode {
            Mode::Items { in_envelope } => Some(in_envelope),
            _ => None,
        };
        self.mode = Mode::Lost { in_items };
    }

    /// Looks for a place to go on, in text that is lost otherwise.
    fn lost(
        &mut self,
        text: &str,
        at: usize,
        in_items: Option<bool>,
        last: bool,
    ) -> Result<usize, Pause> {
        let mode = in_items.map_or(Mode::Top, |in_envelope| Mode::Items { in_envelope });
        if let Some(next) = resume(text.as_bytes(), at, mode) {
            self.mode = mode;
            return Ok(next);
        }
        if last {
            return Ok(text.len());
        }
        // The start of a record may be cut by the end of this text.
        let kept = text.floor_char_boundary(text.len().saturating_sub(RECORD_START.len()));
        if kept > at { Ok(kept) } else { Err(Pause::MoreText) }
    }
}

/// Whether a value may end at `at`: a separator, a closing bracket, the next value or the end.
fn is_boundary(bytes: &[u8], at: usize, last: bool) -> bool {
    bytes.get(at).map_or(last, |next| {
        matches!(next, b',' | b']' | b'}' | b'{' | b'\n' | b'\r' | b' ' | b'\t')
    })
}

/// Where to go on after something broken: at the next thing that begins as records do or, between
/// values, on the next line.
fn resume(bytes: &[u8], from: usize, mode: Mode) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let record = memmem::find(rest, RECORD_START);
    let line = match mode {
        Mode::Items { .. } => None,
        _ => memchr(b'\n', rest).map(|found| found + 1),
    };
    let nearest = match (record, line) {
        (Some(record), Some(line)) => Some(record.min(line)),
        (found, None) | (None, found) => found,
    };
    nearest.map(|found| from + found)
}

/// Behind the opening bracket of `Records` (or another envelope's array), if that is the first key
/// of the object whose inside begins at `from`.
fn envelope_array(text: &str, from: usize) -> Option<usize> {
    let mut cursor = Cursor::new(text);
    cursor.at = from;
    let key = cursor.key().ok()??;
    let is_envelope = key.is("Records") || key.is("Events") || key.is("logEvents");
    (is_envelope && cursor.peek() == Some(b'[')).then_some(cursor.at + 1)
}

/// The same when other members come first, as in a CloudWatch Logs payload.
fn late_envelope_array(text: &str) -> Option<usize> {
    let mut from = 1;
    loop {
        if let Some(array) = envelope_array(text, from) {
            return Some(array);
        }
        let mut cursor = Cursor::new(text);
        cursor.at = from;
        cursor.member().ok()??;
        from = cursor.at;
    }
}
