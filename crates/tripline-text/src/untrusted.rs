//! The string that cannot be printed.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::escape;

/// How many characters of the text `Debug` shows.
const DEBUG_CHARS_MAX: usize = 120;

/// A string from a record, written by somebody who may be hostile.
///
/// It has no `Display`, `ToString`, `Serialize`, `Deref` or `AsRef<str>`, so it cannot reach a
/// terminal, a message or a document by accident; [`crate::escape`] holds the ways out.
///
/// ```compile_fail,E0277
/// let name = tripline_text::Untrusted::borrowed("\u{1b}[2J");
/// format!("{}", name);
/// ```
///
/// ```compile_fail,E0599
/// let name = tripline_text::Untrusted::borrowed("\u{1b}[2J");
/// name.to_string();
/// ```
///
/// ```compile_fail,E0277
/// fn write_json(value: impl serde::Serialize) {}
/// write_json(tripline_text::Untrusted::borrowed("\u{1b}[2J"));
/// ```
///
/// ```
/// use tripline_text::{Untrusted, escape};
/// let name = Untrusted::borrowed("\u{1b}[2J");
/// assert_eq!(escape::terminal(&name).to_string(), r"\u{1b}[2J");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Untrusted<'a>(Cow<'a, str>);

impl<'a> Untrusted<'a> {
    /// Marks text, borrowed or owned, as untrusted.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self(text.into())
    }

    /// Marks borrowed text as untrusted; usable in constants.
    #[must_use]
    pub const fn borrowed(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Length in bytes of UTF-8.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text has no characters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text, owned, for keeping longer than the record it came from.
    #[must_use]
    pub fn into_owned(self) -> Untrusted<'static> {
        Untrusted(Cow::Owned(self.0.into_owned()))
    }

    /// The same text, borrowed from this one.
    #[must_use]
    pub fn reborrow(&self) -> Untrusted<'_> {
        Untrusted::borrowed(&self.0)
    }

    /// The text itself, for comparing, parsing and hashing. Never for output: that is what
    /// [`crate::escape`] is for.
    #[must_use]
    pub fn as_unescaped(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Untrusted<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Untrusted<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// Quoted, escaped as for a terminal, and cut after 120 characters: assertions and error chains
/// print `Debug`, so it has to be as harmless as the ways out.
impl fmt::Debug for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(DEBUG_CHARS_MAX) {
            match character {
                '"' => f.write_str("\\\"")?,
                other => escape::write_visible(f, other)?,
            }
        }
        f.write_str(if characters.next().is_some() { "\"…" } else { "\"" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_quoted_escaped_and_cut() {
        assert_eq!(format!("{:?}", Untrusted::borrowed("a\"\u{1b}\\")), r#""a\"\u{1b}\\""#);
        let exactly = "x".repeat(DEBUG_CHARS_MAX);
        assert_eq!(format!("{:?}", Untrusted::borrowed(&exactly)), format!("\"{exactly}\""));
        let longer = "x".repeat(DEBUG_CHARS_MAX + 1);
        assert_eq!(format!("{:?}", Untrusted::new(longer)), format!("\"{exactly}\"…"));
    }

    #[test]
    fn owned_and_borrowed_text_compare_equal() {
        let borrowed = Untrusted::borrowed("agent-42");
        assert_eq!(borrowed.reborrow().into_owned(), borrowed);
        assert_eq!(borrowed, "agent-42");
        assert_eq!(&borrowed, "agent-42");
        assert_eq!((borrowed.len(), borrowed.is_empty()), (8, false));
        assert!(Untrusted::default().is_empty());
    }
}
