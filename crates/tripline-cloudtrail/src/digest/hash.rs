//! Contents and their hashes.

use std::fmt;
use std::io::Read;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a file's content, uncompressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

/// Content that is not as CloudTrail delivers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The compressed data is broken or cut off.
    #[error("damaged or cut off gzip")]
    Gzip,
    /// Something stands behind the compressed data, which other programs would read along.
    #[error("more data behind the end of the gzip data")]
    Trailing,
    /// More than can be.
    #[error("unpacks to more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: u64,
    },
}

/// How much is unpacked at a time.
const PIECE_BYTES: usize = 1 << 16;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

impl ContentHash {
    /// Of content that is not compressed.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Of the content of a file as stored, which may unpack to `bytes_max`. In constant memory.
    ///
    /// # Errors
    /// [`Damage`], when the file is not one whole piece of gzip. A file that is not gzip at all is its
    /// own content: some programs unpack while they copy.
    pub fn of_stored(stored: &[u8], bytes_max: u64) -> Result<Self, Damage> {
        let mut hash = Sha256::new();
        unpack(stored, bytes_max, |piece| hash.update(piece))?;
        Ok(Self(hash.finalize().into()))
    }

    /// From 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        bytes_of_hex(hex)?.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    /// As 64 hexadecimal digits in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// The content of a file as stored, which may unpack to `bytes_max`.
///
/// # Errors
/// As of [`ContentHash::of_stored`].
pub fn content(stored: &[u8], bytes_max: u64) -> Result<Vec<u8>, Damage> {
    let mut content = Vec::new();
    unpack(stored, bytes_max, |piece| content.extend_from_slice(piece))?;
    Ok(content)
}

/// One member only. A gzip file may have several, and this program's reader takes them all, as `zcat`
/// does: a hash of the first alone would leave room for records that nobody vouches for.
fn unpack(stored: &[u8], bytes_max: u64, mut sink: impl FnMut(&[u8])) -> Result<(), Damage> {
    if !stored.starts_with(&GZIP_MAGIC) {
        let is_short = u64::try_from(stored.len()).is_ok_and(|length| length <= bytes_max);
        sink(stored);
        return if is_short { Ok(()) } else { Err(Damage::TooLong { limit: bytes_max }) };
    }
    let mut decoder = flate2::bufread::GzDecoder::new(stored);
    let mut piece = vec![0; PIECE_BYTES];
    let mut total: u64 = 0;
    loop {
        let length = decoder.read(&mut piece).map_err(|_| Damage::Gzip)?;
        if length == 0 {
            break;
        }
        total = total.saturating_add(length as u64);
        if total > bytes_max {
            return Err(Damage::TooLong { limit: bytes_max });
        }
        sink(piece.get(..length).unwrap_or_default());
    }
    if decoder.into_inner().is_empty() { Ok(()) } else { Err(Damage::Trailing) }
}

/// The bytes that pairs of hexadecimal digits stand for.
pub(super) fn bytes_of_hex(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    rest.is_empty().then_some(())?;
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::gzip;
    use super::*;

    #[test]
    fn a_hash_is_of_the_content_whichever_way_it_is_stored() {
        let content_of = ContentHash::of(b"abc");
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(content_of.to_string(), known);
        assert_eq!(ContentHash::parse(&known.to_uppercase()), Some(content_of));
        assert_eq!(ContentHash::of_stored(b"abc", 3), Ok(content_of));
        assert_eq!(ContentHash::of_stored(&gzip(b"abc"), 3), Ok(content_of));
        assert_eq!(content(&gzip(b"abc"), 3).as_deref(), Ok(&b"abc"[..]));
        let signed = known.replacen("ba", "+a", 1);
        for text in ["", "ba", &known.replacen("ba", "", 1), &signed, &format!("{known}00")] {
            assert_eq!(ContentHash::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_whole_piece_is_damaged() {
        let stored = gzip(b"abc");
        for length in 2..stored.len() {
            assert_eq!(ContentHash::of_stored(&stored[..length], 3), Err(Damage::Gzip), "{length}");
        }
        let twice = [gzip(b"abc"), gzip(b"def")].concat();
        assert_eq!(ContentHash::of_stored(&twice, 6), Err(Damage::Trailing));
        let limit = Err(Damage::TooLong { limit: 2 });
        assert_eq!(ContentHash::of_stored(&stored, 2), limit);
        assert_eq!(ContentHash::of_stored(b"abc", 2), limit);
    }
}
