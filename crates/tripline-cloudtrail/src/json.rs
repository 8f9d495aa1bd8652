//! Borrowed JSON: values as the bytes they were written in, read only when somebody asks.

use std::borrow::Cow;

use tripline_text::Untrusted;

use crate::scan::{container_end, has_backslash, string_end};

/// The body of a JSON string as it was written: between the quotes, escapes not yet undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonText<'a> {
    body: &'a str,
}

impl<'a> JsonText<'a> {
    /// From a body as [`Self::as_written`] gave it.
    pub fn of_body(body: &'a str) -> Self {
        Self { body }
    }

    /// Whether the string is empty.
    pub fn is_empty(self) -> bool {
        self.body.is_empty()
    }

    /// Whether the text, escapes undone, equals `other`.
    #[inline]
    pub fn is(self, other: &str) -> bool {
        self.body == other || (self.has_escapes() && self.decode() == other)
    }

    /// The text, escapes undone; borrowed when there are none. An unpaired surrogate or a broken
    /// escape becomes U+FFFD, as in a lossy UTF-8 conversion: the rest of the text still counts.
    #[inline]
    pub fn decode(self) -> Cow<'a, str> {
        if self.has_escapes() { Cow::Owned(unescape(self.body)) } else { Cow::Borrowed(self.body) }
    }

    /// The text as something that somebody hostile may have written.
    pub fn untrusted(self) -> Untrusted<'a> {
        Untrusted::new(self.decode())
    }

    /// The body as written, with its escapes: for hashing and for cheap comparisons.
    pub fn as_written(self) -> &'a str {
        self.body
    }

    #[inline]
    fn has_escapes(self) -> bool {
        has_backslash(self.body.as_bytes())
    }
}

#[cold]
fn unescape(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut following = escape.chars();
        match following.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some(plain @ ('"' | '\\' | '/')) => out.push(plain),
            Some('u') => {
                let (character, after) = unicode_escape(following.as_str());
                out.push(character);
                rest = after;
                continue;
            }
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
        rest = following.as_str();
    }
    out.push_str(rest);
    out
}

/// The character of a `\u` escape whose digits come first in `digits`, and what follows it.
fn unicode_escape(digits: &str) -> (char, &str) {
    let Some((high, rest)) = four_hex(digits) else {
        return (char::REPLACEMENT_CHARACTER, digits);
    };
    if let Some(character) = char::from_u32(high) {
        return (character, rest);
    }
    let low = rest.strip_prefix("\\u").and_then(four_hex);
    match low {
        Some((low, after))
            if (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low) =>
        {
            let joined = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), after)
        }
        _ => (char::REPLACEMENT_CHARACTER, rest),
    }
}

fn four_hex(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// A JSON value as it was written. Containers are balanced, not validated, until they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a> {
    raw: &'a str,
}

impl<'a> Json<'a> {
    /// As [`Cursor::value`] reads it.
    pub(crate) const NULL: Self = Self { raw: "null" };

    /// The value that starts `text`, blanks before it allowed; `None` if it is not whole.
    pub fn first_in(text: &'a str) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        cursor.blanks();
        cursor.value().ok()
    }

    /// The text as written.
    pub fn as_written(self) -> &'a str {
        self.raw
    }

    /// The text of a string; of a number, `true` or `false` as written. `null` and containers have
    /// none. CloudTrail writes booleans as strings and byte counts as floats: the reader of a field
    /// decides, not the quotes.
    pub fn text(self) -> Option<JsonText<'a>> {
        match self.raw.as_bytes().first()? {
            b'"' => Some(JsonText::of_body(self.raw.get(1..self.raw.len().checked_sub(1)?)?)),
            b'{' | b'[' | b'n' => None,
            _ => Some(JsonText::of_body(self.raw)),
        }
    }

    /// Whether this is `null`, or the string `"null"` that one shipper of logs writes for it.
    pub fn is_null(self) -> bool {
        matches!(self.raw, "null" | "\"null\"")
    }

    /// Whether this is `true`, or the string `"true"` in any case.
    pub fn is_true(self) -> bool {
        self.text().is_some_and(|text| text.body.eq_ignore_ascii_case("true"))
    }

    /// The member `key` of an object, case mattering; the first of several.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        let [found] = self.get_each([key]);
        found
    }

    /// The values of the members `keys`, as [`Self::get`] finds each, in one pass.
    #[inline]
    pub fn get_each<const N: usize>(self, keys: [&str; N]) -> [Option<Json<'a>>; N] {
        let (mut found, mut missing) = ([None; N], N);
        for (name, value) in self.members() {
            // Escapes are looked for once a name, and not for each key that it is compared with.
            let place = match keys.iter().position(|key| name.body == *key) {
                None if name.has_escapes() => keys.iter().position(|key| name.is(key)),
                place => place,
            };
            if let Some(place @ None) = place.and_then(|place| found.get_mut(place)) {
                *place = Some(value);
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
        found
    }

    /// The text of the member `key`.
    pub fn get_text(self, key: &str) -> Option<JsonText<'a>> {
        self.get(key)?.text()
    }

    /// The members of an object in the order written; none for anything else. Stops at the first
    /// thing that is not a member.
    pub fn members(self) -> impl Iterator<Item = (JsonText<'a>, Json<'a>)> {
        let mut cursor = Cursor::inside(self.raw, b'{');
        std::iter::from_fn(move || cursor.as_mut()?.member().ok().flatten())
    }

    /// The items of an array in the order written; none for anything else.
    pub fn items(self) -> impl Iterator<Item = Json<'a>> {
        let mut cursor = Cursor::inside(self.raw, b'[');
        std::iter::from_fn(move || cursor.as_mut()?.item().ok().flatten())
    }
}

/// The key of a member, with its first eight bytes in a register: most keys are told apart by those.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    text: JsonText<'a>,
    head: u64,
}

impl<'a> Key<'a> {
    /// How long the key is, as written.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.text.body.len()
    }

    /// Whether the key is `name`, as written: AWS escapes none of the keys that are looked for.
    #[inline(always)]
    pub(crate) fn is(self, name: &'static str) -> bool {
        self.head == head(name.as_bytes()) && self.text.body == name
    }
}

/// The first eight bytes, zeros behind a shorter text.
#[inline(always)]
fn head(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(first) => u64::from_le_bytes(*first),
        None => bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    }
}

/// Why a value could not be read where one was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// The text ended inside the value.
    Short,
    /// Something else stood at this offset.
    Malformed(usize),
}

/// A position in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Behind the bracket that opens `raw`, if it is `open`.
    fn inside(raw: &'a str, open: u8) -> Option<Self> {
        (raw.as_bytes().first() == Some(&open)).then_some(Self { text: raw, at: 1 })
    }

    /// What is still to be read.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over white space; compact JSON has none, so the first look mostly decides.
    #[inline(always)]
    pub(crate) fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The next member of the object the cursor is in: before a key, a comma or the closing brace.
    /// `None` behind the closing brace.
    #[inline]
    pub(crate) fn member(&mut self) -> Result<Option<(JsonText<'a>, Json<'a>)>, Stuck> {
        let Some(key) = self.key()? else { return Ok(None) };
        Ok(Some((key.text, self.value()?)))
    }

    /// The next key, with the cursor left before its value. `None` behind the closing brace.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<Option<Key<'a>>, Stuck> {
        if !self.goes_on(b'}')? {
            return Ok(None);
        }
        let from = self.at + 1;
        let text = self.string()?;
        // Eight bytes are mostly there to be read at once; those behind a shorter key are cut off.
        let window = self.text.as_bytes().get(from..).and_then(<[u8]>::first_chunk::<8>);
        let head = match (window, text.body.len()) {
            (Some(window), length @ 1..=7) => {
                u64::from_le_bytes(*window) & (u64::MAX >> (64 - 8 * length))
            }
            (Some(window), 8..) => u64::from_le_bytes(*window),
            _ => head(text.body.as_bytes()),
        };
        let key = Key { text, head };
        self.blanks();
        match self.peek().ok_or(Stuck::Short)? {
            b':' => self.at += 1,
            _ => return Err(Stuck::Malformed(self.at)),
        }
        self.blanks();
        Ok(Some(key))
    }

    /// The next item of the array the cursor is in. `None` behind the closing bracket.
    fn item(&mut self) -> Result<Option<Json<'a>>, Stuck> {
        if !self.goes_on(b']')? {
            return Ok(None);
        }
        self.value().map(Some)
    }

    /// Steps to the next part of a container, over a comma, or behind `close`; whether there is one.
    #[inline(always)]
    fn goes_on(&mut self, close: u8) -> Result<bool, Stuck> {
        self.blanks();
        let mut next = self.peek().ok_or(Stuck::Short)?;
        if next == b',' {
            self.at += 1;
            self.blanks();
            next = self.peek().ok_or(Stuck::Short)?;
        }
        if next == close {
            self.at += 1;
        }
        Ok(next != close)
    }

    /// Steps into the object here, or over anything else; whether it is an object.
    #[inline(always)]
    pub(crate) fn enter_object(&mut self) -> Result<bool, Stuck> {
        let is_object = self.peek() == Some(b'{');
        if is_object {
            self.at += 1;
        } else {
            self.value()?;
        }
        Ok(is_object)
    }

    /// Steps over `written`, if that is what stands here.
    #[inline(always)]
    pub(crate) fn steps_over(&mut self, written: &'static str) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_here = rest.starts_with(written.as_bytes());
        if is_here {
            self.at += written.len();
        }
        is_here
    }

    /// The same with a key and its colon, and with the blanks before the value.
    #[inline(always)]
    pub(crate) fn steps_to_value(&mut self, written: &'static str) -> bool {
        let is_here = self.steps_over(written);
        if is_here {
            self.blanks();
        }
        is_here
    }

    /// The string here.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<JsonText<'a>, Stuck> {
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return Err(Stuck::Malformed(self.at)),
            None => return Err(Stuck::Short),
        }
        self.string_from(self.at + 1)
    }

    /// The string whose opening quote is before the cursor.
    #[inline(always)]
    pub(crate) fn string_body(&mut self) -> Result<JsonText<'a>, Stuck> {
        self.string_from(self.at)
    }

    #[inline(always)]
    fn string_from(&mut self, from: usize) -> Result<JsonText<'a>, Stuck> {
        let end = string_end(self.text.as_bytes(), from).ok_or(Stuck::Short)?;
        // INVARIANT: both ends are next to ASCII bytes, hence on character boundaries.
        let body = self.text.get(from..end).ok_or(Stuck::Malformed(from))?;
        self.at = end + 1;
        Ok(JsonText::of_body(body))
    }

    /// The text here, if the value is a string or a scalar; `None` for `null` and for containers,
    /// which are stepped over.
    #[inline(always)]
    pub(crate) fn text_value(&mut self) -> Result<Option<JsonText<'a>>, Stuck> {
        if self.peek() == Some(b'"') {
            return self.string().map(Some);
        }
        Ok(self.value()?.text())
    }

    /// The value here, whole.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<Json<'a>, Stuck> {
        let from = self.at;
        let bytes = self.text.as_bytes();
        let end = match self.peek().ok_or(Stuck::Short)? {
            b'"' => string_end(bytes, from + 1).ok_or(Stuck::Short)? + 1,
            b'{' | b'[' => container_end(bytes, from + 1).ok_or(Stuck::Short)?,
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b'n' => self.literal("null")?,
            b'-' | b'0'..=b'9' => {
                let rest = bytes.get(from..).unwrap_or_default();
                let length = rest
                    .iter()
                    .position(|byte| {
                        !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
                    })
                    // A number that runs into the end of the text may go on behind it.
                    .ok_or(Stuck::Short)?;
                from + length
            }
            _ => return Err(Stuck::Malformed(from)),
        };
        let raw = self.text.get(from..end).ok_or(Stuck::Malformed(from))?;
        self.at = end;
        Ok(Json { raw })
    }

    fn literal(&self, word: &'static str) -> Result<usize, Stuck> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            Ok(self.at + word.len())
        } else if word.starts_with(rest) {
            Err(Stuck::Short)
        } else {
            Err(Stuck::Malformed(self.at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_undone() {
        let json = Json::first_in(r#" "a\"b\\\/\n\u00e9\ud83d\ude00\ud83d!" "#).unwrap();
        assert_eq!(json.text().unwrap().decode(), "a\"b\\/\n\u{e9}\u{1f600}\u{fffd}!");
    }

    #[test]
    fn scalars_are_text_and_null_is_not() {
        let object =
            Json::first_in(r#"{"a":true,"b":"true","c":243.0,"d":null,"e":"null","f":{}}"#);
        let get = |key| object.unwrap().get(key).unwrap();
        assert!(get("a").is_true() && get("b").is_true());
        assert!(get("c").text().unwrap().is("243.0"));
        assert!(get("d").is_null() && get("e").is_null());
        assert_eq!(get("f").text(), None);
    }

    #[test]
    fn several_members_are_found_as_one_is() {
        let object = Json::first_in(r#"{"a":1,"x":[],"b":{"c":4},"a":2,"\u0063":3}"#).unwrap();
        let keys = ["c", "a", "d", "b"];
        let written = |value: Option<Json<'_>>| value.map(|value| value.as_written().to_owned());
        let found = object.get_each(keys).map(written);
        assert_eq!(found, keys.map(|key| written(object.get(key))));
        assert_eq!(found[1].as_deref(), Some("1"));
    }

    proptest! {
        #[test]
        fn a_string_comes_back(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            let json = Json::first_in(&written).unwrap();
            prop_assert_eq!(json.as_written(), &written);
            prop_assert_eq!(json.text().unwrap().decode(), text);
        }

        #[test]
        fn members_agree_with_serde_json(map in proptest::collection::btree_map(any::<String>(), any::<Option<String>>(), 0..8)) {
            let written = serde_json::to_string(&map).unwrap();
            let ours: std::collections::BTreeMap<String, Option<String>> = Json::first_in(&written)
                .unwrap()
                .members()
                .map(|(key, value)| (key.decode().into_owned(), value.text().map(|text| text.decode().into_owned())))
                .collect();
            prop_assert_eq!(ours, map);
        }
    }
}
