//! Where JSON strings and containers end, sixteen and sixty-four bytes at a time.
//!
//! Everything here takes a buffer and a position and returns a position. Nothing recurses, so
//! nesting as deep as the buffer is long costs no stack. A container that nobody reads is only
//! *balanced*, not validated: brackets are counted outside strings, and what stands between them
//! is left to whoever asks for it (see `json.rs`).

use wide::u8x16;

/// The index of the quote that ends the string whose first body byte is at `from`.
///
/// `None` when the buffer ends first.
#[inline(always)]
pub(crate) fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let quote = u8x16::splat(b'"');
    let backslash = u8x16::splat(b'\\');
    let mut at = from;
    loop {
        let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) else {
            return string_end_slowly(bytes, at);
        };
        let block = u8x16::new(*chunk);
        let found = (block.simd_eq(quote) | block.simd_eq(backslash)).to_bitmask();
        if found == 0 {
            at = at.wrapping_add(16);
            continue;
        }
        let first = found.trailing_zeros() as usize;
        at = at.wrapping_add(first);
        if chunk.get(first) == Some(&b'"') {
            return Some(at);
        }
        // The escaped byte is stepped over whatever it is: `\"` and `\\` are the ones that matter,
        // and the hex digits of `\u` are ordinary bytes.
        at = at.wrapping_add(2);
    }
}

/// Whether there is a backslash among the bytes.
#[inline]
pub(crate) fn has_backslash(bytes: &[u8]) -> bool {
    let backslash = u8x16::splat(b'\\');
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().any(|chunk| u8x16::new(*chunk).simd_eq(backslash).to_bitmask() != 0)
        || rest.contains(&b'\\')
}

/// The last fifteen bytes of a buffer, or what follows an escape there.
#[cold]
fn string_end_slowly(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The index after the bracket that closes the container whose first inner byte is at `from`.
///
/// `None` when the buffer ends first. Braces and brackets count alike.
#[inline]
pub(crate) fn container_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut state = Balance::opened();
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<64>) {
        if let Some(offset) = state.block(chunk) {
            return Some(at + offset + 1);
        }
        at += 64;
    }
    // The rest, filled up with blanks, which change nothing.
    let rest = bytes.get(at..)?;
    let mut padded = [b' '; 64];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    state.block(&padded).map(|offset| at + offset + 1)
}

/// How deep inside containers and strings a scan is, carried from one block of bytes to the next.
///
/// The bit tricks are those of simdjson's first stage (Langdale and Lemire, "Parsing Gigabytes of
/// JSON per Second", VLDB Journal 28, 2019, sections 3.1.1 and 3.1.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balance {
    depth: u64,
    /// All ones inside a string, else zero.
    in_string: u64,
    /// One when the next byte is escaped by a backslash before it.
    escaped: u64,
}

impl Balance {
    /// Just behind an opening bracket.
    pub(crate) fn opened() -> Self {
        Self { depth: 1, in_string: 0, escaped: 0 }
    }

    /// Reads a block; the offset of the bracket that brings the depth to zero, if it is in there.
    #[inline]
    pub(crate) fn block(&mut self, chunk: &[u8; 64]) -> Option<usize> {
        let masks = Masks::of(chunk);
        let quotes = masks.quotes & !self.escaped_bytes(masks.backslashes);
        let inside = prefix_xor(quotes) ^ self.in_string;
        self.in_string = ((inside >> 63) & 1).wrapping_neg();
        let opens = masks.opens & !inside;
        let closes = masks.closes & !inside;
        let closing = u64::from(closes.count_ones());
        if closing < self.depth {
            // INVARIANT: depth never underflows, since fewer close than are open.
            self.depth += u64::from(opens.count_ones());
            self.depth -= closing;
            return None;
        }
        let mut either = opens | closes;
        while either != 0 {
            let offset = either.trailing_zeros();
            if (closes >> offset) & 1 == 1 {
                self.depth -= 1;
                if self.depth == 0 {
                    return Some(offset as usize);
                }
            } else {
                self.depth += 1;
            }
            either &= either - 1;
        }
        None
    }

    #[inline]
    fn escaped_bytes(&mut self, backslashes: u64) -> u64 {
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let starts = backslashes & !self.escaped;
        let follows = (starts << 1) | self.escaped;
        let odd_starts = starts & !EVEN & !follows;
        let (from_even, carried) = odd_starts.overflowing_add(starts);
        self.escaped = u64::from(carried);
        (EVEN ^ (from_even << 1)) & follows
    }
}

/// One bit a byte of a 64-byte block.
struct Masks {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
}

impl Masks {
    #[inline]
    fn of(chunk: &[u8; 64]) -> Self {
        let mut masks = Self { quotes: 0, backslashes: 0, opens: 0, closes: 0 };
        let quote = u8x16::splat(b'"');
        let backslash = u8x16::splat(b'\\');
        // `[` and `{`, `]` and `}` differ in this one bit.
        let fold = u8x16::splat(0x20);
        let open = u8x16::splat(b'{');
        let close = u8x16::splat(b'}');
        let (quarters, _) = chunk.as_chunks::<16>();
        for (nth, quarter) in quarters.iter().enumerate() {
            let block = u8x16::new(*quarter);
            let folded = block | fold;
            let shift = 16 * nth;
            masks.quotes |= u64::from(block.simd_eq(quote).to_bitmask()) << shift;
            masks.backslashes |= u64::from(block.simd_eq(backslash).to_bitmask()) << shift;
            masks.opens |= u64::from(folded.simd_eq(open).to_bitmask()) << shift;
            masks.closes |= u64::from(folded.simd_eq(close).to_bitmask()) << shift;
        }
        masks
    }
}

/// Bit i of the result is the parity of bits 0..=i: ones from each opening quote up to its partner.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same answer, one byte at a time.
    fn container_end_plainly(bytes: &[u8], from: usize) -> Option<usize> {
        let (mut depth, mut in_string, mut escaped) = (1_u32, false, false);
        for (at, byte) in bytes.iter().enumerate().skip(from) {
            match byte {
                b'\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                b'"' if !escaped => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            escaped = false;
        }
        None
    }

    proptest! {
        #[test]
        fn blocks_agree_with_bytes(text in r#"[\[\]{}"\\ab,:]{0,300}"#) {
            prop_assert_eq!(
                container_end(text.as_bytes(), 0),
                container_end_plainly(text.as_bytes(), 0)
            );
        }

        #[test]
        fn a_backslash_is_found_wherever_it_is(text in r#"[a\\]{0,2}a{0,40}[a\\]{0,2}a{0,20}"#) {
            prop_assert_eq!(has_backslash(text.as_bytes()), text.contains('\\'));
        }

        #[test]
        fn a_string_ends_at_its_first_bare_quote(body in r#"([a-z]|\\["\\n]){0,60}"#, tail in "[a-z\"]{0,40}") {
            let text = format!("{body}\"{tail}");
            prop_assert_eq!(string_end(text.as_bytes(), 0), Some(body.len()));
        }
    }

    #[test]
    fn an_unfinished_string_or_container_has_no_end() {
        assert_eq!(string_end(b"abc\\\"", 0), None);
        assert_eq!(string_end(b"abc\\", 0), None);
        assert_eq!(container_end(br#"{"a":"}"#, 1), None);
    }
}
