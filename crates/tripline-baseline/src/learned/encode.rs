//! Hostile text in stored text: printable ASCII without blanks, and back.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::token::{self, MARK, STAR};

/// Everything that separates fields, stands for something or could be taken for a wildcard.
const SET: &AsciiSet =
    &CONTROLS.add(b' ').add(b'%').add(b'{').add(b'}').add(b'*').add(b',').add(b'"').add(b'#');

/// The text as one field; an empty one is `{}`.
pub(crate) fn field(text: &str) -> String {
    let mut out = String::new();
    push_field(text, &mut out);
    out
}

/// Writes a [`field`] behind what is there.
pub(crate) fn push_field(text: &str, out: &mut String) {
    match text.is_empty() {
        true => out.push_str("{}"),
        false => out.extend(utf8_percent_encode(text, SET)),
    }
}

/// The text of a field; `None` if it is no such field.
pub(crate) fn unfield(field: &str) -> Option<Cow<'_, str>> {
    if field == "{}" {
        return Some(Cow::Borrowed(""));
    }
    let plain = !field.is_empty() && !field.contains(['{', '}']);
    percent_decode_str(field).decode_utf8().ok().filter(|_| plain)
}

/// Writes a canonical resource name, or a part of one, as one field: wildcards in braces.
pub(crate) fn push_path(canonical: &str, out: &mut String) {
    if canonical.is_empty() {
        return out.push_str("{}");
    }
    for token in token::split(canonical) {
        let Some(wildcard) = token.strip_prefix(MARK) else {
            out.extend(utf8_percent_encode(token, SET));
            continue;
        };
        if token.starts_with(STAR) {
            out.push_str("{*}");
            continue;
        }
        let mut letters = wildcard.chars();
        let kind = letters.next().and_then(|letter| u8::try_from(letter).ok()).unwrap_or_default();
        let Some((word, has_length)) = token::word_of(kind) else { continue };
        let magnitude =
            if has_length { letters.next().and_then(|it| it.to_digit(10)) } else { None };
        // INVARIANT: writing to a string does not fail.
        let _ = match magnitude {
            Some(power) => write!(out, "{{{word}{}}}", 1_u32 << power),
            None => write!(out, "{{{word}}}"),
        };
        out.extend(letters);
    }
}

/// The canonical name, or part of one, of a field; `None` if it is no such field.
pub(crate) fn parse_path(field: &str) -> Option<Cow<'_, str>> {
    if field == "{}" {
        return Some(Cow::Borrowed(""));
    }
    if !field.contains(['{', '}', '%', MARK]) {
        return Some(Cow::Borrowed(field));
    }
    let mut out = String::new();
    let mut rest = field;
    while !rest.is_empty() {
        let literal_len = rest.find('{').unwrap_or(rest.len());
        let (literal, after) = rest.split_at_checked(literal_len)?;
        let decoded = percent_decode_str(literal).decode_utf8().ok()?;
        if literal.contains('}') || decoded.contains(MARK) {
            return None;
        }
        out.push_str(&decoded);
        let Some(inside) = after.strip_prefix('{') else { break };
        let (word, after) = inside.split_once('}')?;
        push_wildcard(word, &mut out)?;
        // A wildcard is a whole token: a separator follows, or nothing.
        if word != "*" && !after.bytes().next().is_none_or(token::is_separator) {
            return None;
        }
        rest = after;
    }
    Some(Cow::Owned(out))
}

fn push_wildcard(word: &str, out: &mut String) -> Option<()> {
    if !token::is_boundary(out) {
        return None;
    }
    if word == "*" {
        out.push_str(STAR);
        return Some(());
    }
    let digits_at = word.find(|it: char| it.is_ascii_digit()).unwrap_or(word.len());
    let (name, digits) = word.split_at_checked(digits_at)?;
    let (kind, has_length) = token::kind_of(name)?;
    out.push(MARK);
    out.push(char::from(kind));
    if has_length {
        let length: u32 = digits.parse().ok()?;
        let power = length.checked_ilog2().filter(|&power| power <= 8 && 1 << power == length)?;
        out.push(char::from_digit(power, 10)?);
    } else if !digits.is_empty() {
        return None;
    }
    Some(())
}

/// How long a [`field`] or a path of this text can be at most.
pub(crate) fn bytes_max(text: &str) -> usize {
    text.len() * 5 + 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::learned::family::Home;

    proptest! {
        #[test]
        fn any_text_comes_back_from_a_field(text in any::<String>()) {
            let shown = field(&text);
            prop_assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(unfield(&shown).map(Cow::into_owned), Some(text));
        }

        #[test]
        fn any_name_comes_back_from_a_path(name in "([a-z0-9/:{}%* _.-]|\\PC|[0-9]{12}|/[0-9a-f]{7}/|\u{1}){0,20}") {
            let mut canonical = String::new();
            token::canonical(&name, &Home::default(), &mut canonical);
            let mut shown = String::new();
            push_path(&canonical, &mut shown);
            prop_assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(shown.len() <= bytes_max(&canonical));
            prop_assert_eq!(parse_path(&shown).map(Cow::into_owned), Some(canonical));
        }

        #[test]
        fn parsing_a_field_never_panics(text in "[{}%a-z0-9*/.-]{0,24}") {
            let _ = (unfield(&text), parse_path(&text));
        }
    }
}
