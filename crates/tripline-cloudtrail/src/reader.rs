//! Files to records, whatever they are wrapped in, however they are cut.
//!
//! Recognised by content alone: gzip or plain; the `Records` envelope, a bare array, one object,
//! objects one after another (JSON lines among them), EventBridge's `detail`, a CloudWatch Logs
//! subscription, LookupEvents' `CloudTrailEvent`, and a record as text in `original` or `message`.

use std::io::Write;
use std::sync::Arc;

use flate2::write::MultiGzDecoder;
use tripline_text::Untrusted;

use crate::identities::Identities;
use crate::record::Record;
use crate::tally::{Fate, Limits, ProblemKind, Tally};
use crate::unpack::Unpacker;
use crate::walk::{Framing, Walk};

/// Who takes records in.
pub trait Sink {
    /// Takes the next records in, one at least, in the order in which they were written, and adds what became
    /// of each to `fates`.
    fn take(&mut self, records: &[Record<'_>], fates: &mut Vec<Fate>);
}

/// One after another.
impl<F: FnMut(&Record<'_>) -> Fate> Sink for F {
    fn take(&mut self, records: &[Record<'_>], fates: &mut Vec<Fate>) {
        fates.extend(records.iter().map(self));
    }
}

/// Reads files one after another, keeping its buffers between them.
///
/// Memory: one file of at most [`Limits::unpack_whole_bytes_max`] unpacked, or else a window of
/// twice the longest record; and identities that were read before, a few megabytes, 16 MB at the worst.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    unpacker: Unpacker,
    identities: Identities,
}

/// How much compressed input is unpacked at a time: DEFLATE expands at most 1,032-fold (zlib's
/// technical details), so that one step makes 17 MB at the worst.
const GZIP_STEP_BYTES: usize = 16 << 10;

impl Default for Reader {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Reader {
    /// A reader that keeps these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, unpacker: Unpacker::default(), identities: Identities::keeping() }
    }

    /// Reads a whole file, as stored. `sink` is given each record that is not passed over, and
    /// says what became of it.
    pub fn read(
        &mut self,
        file: &Arc<Untrusted<'static>>,
        stored: &[u8],
        sink: &mut (impl Sink + ?Sized),
    ) -> Tally {
        let whole = match is_gzip(stored) {
            true => self.unpacker.whole(stored, self.limits.unpack_whole_bytes_max),
            false => Some(stored),
        };
        if let Some(json) = whole {
            let mut walk = Walk::new(file, &self.limits, std::mem::take(&mut self.identities));
            Framing::default().advance(json, true, &mut walk, sink);
            self.identities = std::mem::take(&mut walk.identities);
            return walk.finish(stored.len() as u64, json.len() as u64);
        }
        let mut stream = self.stream(file);
        stream.feed(stored, sink);
        stream.finish(sink)
    }

    /// Starts a file that comes in pieces.
    pub fn stream(&self, file: &Arc<Untrusted<'static>>) -> Stream<'_> {
        Stream {
            walk: Walk::new(file, &self.limits, Identities::keeping()),
            framing: Framing::default(),
            input: Input::Unknown,
            pending: Vec::new(),
            stored_bytes: 0,
            json_bytes: 0,
        }
    }
}

/// A file that comes in pieces.
#[derive(Debug)]
pub struct Stream<'r> {
    walk: Walk<'r>,
    framing: Framing,
    input: Input,
    /// JSON not yet walked: the beginning of a record whose end is still to come.
    pending: Vec<u8>,
    stored_bytes: u64,
    json_bytes: u64,
}

#[derive(Debug)]
enum Input {
    /// Fewer than two bytes so far.
    Unknown,
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// Nothing more is to be read from it.
    Broken,
}

impl Stream<'_> {
    /// Takes the next piece of the file, as stored, of any length.
    pub fn feed(&mut self, piece: &[u8], sink: &mut (impl Sink + ?Sized)) {
        self.stored_bytes += piece.len() as u64;
        match &mut self.input {
            Input::Unknown => {
                self.pending.extend_from_slice(piece);
                if self.pending.len() >= 2 {
                    let start = std::mem::take(&mut self.pending);
                    self.input = match is_gzip(&start) {
                        true => Input::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
                        false => Input::Plain,
                    };
                    self.stored_bytes -= start.len() as u64;
                    self.feed(&start, sink);
                }
            }
            Input::Plain => {
                self.pending.extend_from_slice(piece);
                self.json_bytes += piece.len() as u64;
                self.advance(false, sink);
            }
            Input::Gzip(_) => {
                for step in piece.chunks(GZIP_STEP_BYTES) {
                    self.unpack(step, sink);
                }
            }
            Input::Broken => {}
        }
    }

    /// Ends the file.
    pub fn finish(mut self, sink: &mut (impl Sink + ?Sized)) -> Tally {
        if let Input::Gzip(decoder) = &mut self.input {
            let ended = decoder.try_finish();
            self.take_unpacked(ended.is_ok());
        }
        self.advance(true, sink);
        self.walk.finish(self.stored_bytes, self.json_bytes)
    }

    /// Notes that the rest of the file could not be fetched.
    pub fn broken(&mut self, why: String) {
        self.walk.file_problem(ProblemKind::Unreadable(why));
    }

    fn unpack(&mut self, step: &[u8], sink: &mut (impl Sink + ?Sized)) {
        let Input::Gzip(decoder) = &mut self.input else { return };
        let written = decoder.write_all(step);
        self.take_unpacked(written.is_ok());
        self.advance(false, sink);
    }

    /// Takes what was unpacked, and gives the file up when it is damaged or too much.
    fn take_unpacked(&mut self, intact: bool) {
        let Input::Gzip(decoder) = &mut self.input else { return };
        self.json_bytes += decoder.get_ref().len() as u64;
        self.pending.append(decoder.get_mut());
        let limit = self.walk.limits().unpacked_bytes_max;
        if self.json_bytes > limit {
            self.walk.file_problem(ProblemKind::Bomb { limit });
            self.input = Input::Broken;
        } else if !intact {
            self.walk.file_problem(ProblemKind::BadGzip);
            self.input = Input::Broken;
        }
    }

    fn advance(&mut self, last: bool, sink: &mut (impl Sink + ?Sized)) {
        let walked = self.framing.advance(&self.pending, last, &mut self.walk, sink);
        self.pending.drain(..walked.min(self.pending.len()));
    }
}

/// RFC 1952, section 2.3.1: the two bytes every gzip member begins with.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

#[cfg(test)]
mod tests;
