//! Gzip in one piece, the fast way, when that is safe.

use std::fmt;

use libdeflater::Decompressor;
use memchr::memmem;

/// Unpacks whole files into a buffer that is kept between them.
#[derive(Default)]
pub(crate) struct Unpacker {
    decompressor: Option<Decompressor>,
    buffer: Vec<u8>,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").field("buffer_bytes", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl Unpacker {
    /// The content of a gzip file of one member that unpacks to at most `bytes_max`. `None` when
    /// it is anything else, damaged included: then it is to be unpacked in steps, which finds out
    /// what is wrong and keeps what can be kept.
    pub(crate) fn whole(&mut self, stored: &[u8], bytes_max: usize) -> Option<&[u8]> {
        let size = single_member_size(stored).filter(|size| *size <= bytes_max)?;
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        let decompressor = self.decompressor.get_or_insert_with(Decompressor::new);
        let room = self.buffer.get_mut(..size)?;
        let written = decompressor.gzip_decompress(stored, room).ok()?;
        (written == size).then_some(())?;
        self.buffer.get(..size)
    }

    /// A bounded unpacking of a payload inside a record; `None` if it is damaged or too long.
    pub(crate) fn payload(stored: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
        use std::io::Read as _;
        let mut json = Vec::new();
        let decoder = flate2::read::MultiGzDecoder::new(stored);
        decoder.take(bytes_max as u64 + 1).read_to_end(&mut json).ok()?;
        (json.len() <= bytes_max).then_some(json)
    }
}

/// What the trailer says a gzip file of one member unpacks to (RFC 1952: ISIZE, the last four
/// bytes, modulo 2^32). `None` when there may be a second member, whose data the one-piece
/// decompressor would leave unread without a word: some bytes look like its header. That is a
/// matter of chance in one file of fifty, and costs such a file the fast way, nothing else.
fn single_member_size(stored: &[u8]) -> Option<usize> {
    let rest = stored.get(1..)?;
    // Magic and method; the flags that follow have their upper three bits zero.
    let looks_like_header = |at: usize| rest.get(at + 3).is_some_and(|flags| flags & 0xe0 == 0);
    if memmem::find_iter(rest, &[0x1f, 0x8b, 0x08]).any(looks_like_header) {
        return None;
    }
    let size = u32::from_le_bytes(*stored.last_chunk::<4>()?) as usize;
    // A trailer that claims more than DEFLATE can do must not make us reserve it.
    (size <= stored.len().saturating_mul(1_032)).then_some(size)
}
