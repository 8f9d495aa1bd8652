//! Bytes of JSON written by hand: fast, and with CloudTrail's own order of keys.

use crate::rng::Rng;

const HEX: &[u8; 16] = b"0123456789abcdef";
/// The alphabet of AWS's unique ids and access key ids.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a byte buffer can be told to hold next.
pub(crate) trait Put {
    /// Text as it is.
    fn text(&mut self, text: &str);
    /// Text with JSON's escapes, without quotes.
    fn escaped(&mut self, text: &str);
    /// Text in quotes with JSON's escapes.
    fn quoted(&mut self, text: &str);
    /// A number.
    fn number(&mut self, value: u64);
    /// A number padded with zeros to a width.
    fn digits(&mut self, value: u64, width: usize);
    /// The lowest `count` hex digits of a number, at most 16.
    fn hex(&mut self, value: u64, count: usize);
    /// A GUID.
    fn guid(&mut self, id: u128);
    /// Letters of base32, drawn from the stream; at most 24.
    fn base32(&mut self, bits: u128, count: usize);
    /// Letters of base64, fresh ones.
    fn base64_noise(&mut self, rng: &mut Rng, count: usize);
}

impl Put for Vec<u8> {
    #[inline]
    fn text(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn escaped(&mut self, text: &str) {
        for &byte in text.as_bytes() {
            match byte {
                b'"' => self.text("\\\""),
                b'\\' => self.text("\\\\"),
                b'\n' => self.text("\\n"),
                b'\r' => self.text("\\r"),
                b'\t' => self.text("\\t"),
                0..=0x1F => {
                    self.text("\\u00");
                    self.hex(u64::from(byte), 2);
                }
                _ => self.push(byte),
            }
        }
    }

    fn quoted(&mut self, text: &str) {
        self.push(b'"');
        self.escaped(text);
        self.push(b'"');
    }

    fn number(&mut self, value: u64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        let mut rest = value;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.extend_from_slice(&digits[at..]);
    }

    fn digits(&mut self, value: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut rest = value;
        for digit in digits[..width].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.extend_from_slice(&digits[..width]);
    }

    fn hex(&mut self, value: u64, count: usize) {
        let mut digits = [0_u8; 16];
        for (place, digit) in digits.iter_mut().enumerate() {
            *digit = HEX[(value >> (60 - 4 * place) & 15) as usize];
        }
        self.extend_from_slice(&digits[16 - count..]);
    }

    fn guid(&mut self, id: u128) {
        let (high, low) = ((id >> 64) as u64, id as u64);
        self.hex(high >> 32, 8);
        self.push(b'-');
        self.hex(high >> 16, 4);
        self.push(b'-');
        self.hex(high, 4);
        self.push(b'-');
        self.hex(low >> 48, 4);
        self.push(b'-');
        self.hex(low, 12);
    }

    fn base32(&mut self, bits: u128, count: usize) {
        let mut rest = bits;
        for _ in 0..count {
            self.push(BASE32[(rest & 31) as usize]);
            rest >>= 5;
        }
    }

    fn base64_noise(&mut self, rng: &mut Rng, count: usize) {
        let mut left = count;
        while left > 0 {
            let mut bits = rng.bits();
            for _ in 0..left.min(10) {
                self.push(BASE64[(bits & 63) as usize]);
                bits >>= 6;
            }
            left -= left.min(10);
        }
    }
}

/// A version 4 GUID.
#[inline]
pub(crate) fn fresh_guid(rng: &mut Rng) -> u128 {
    let high = rng.bits() & !0xF000 | 0x4000;
    let low = rng.bits() & !(0b11 << 62) | 1 << 63;
    u128::from(high) << 64 | u128::from(low)
}

/// A prefix such as `ASIA` or `AROA` and letters that depend on nothing but the number.
pub(crate) fn unique_id(prefix: &str, letters: usize, number: u64) -> String {
    let mut out = prefix.as_bytes().to_vec();
    let bits = u128::from(crate::rng::mix(number)) << 64 | u128::from(crate::rng::mix(!number));
    out.base32(bits, letters);
    lossless(out)
}

/// Bytes this crate wrote itself, as text.
pub(crate) fn lossless(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// A GUID as text.
pub(crate) fn guid_string(id: u128) -> String {
    let mut out = Vec::with_capacity(36);
    out.guid(id);
    lossless(out)
}
