//! What names a session, kept.

use std::fmt;

/// The text of an anchor. Nearly all are access keys of 20 characters, which need no memory elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum AnchorText {
    /// INVARIANT: ASCII.
    Key([u8; 20]),
    Text(Box<str>),
}

impl AnchorText {
    pub(crate) fn of(text: &str) -> Self {
        match <[u8; 20]>::try_from(text.as_bytes()) {
            Ok(key) if key.is_ascii() => Self::Key(key),
            _ => Self::Text(text.into()),
        }
    }

    #[inline]
    pub(crate) fn is(&self, text: &str) -> bool {
        match self {
            Self::Key(key) => text.as_bytes() == key,
            Self::Text(own) => **own == *text,
        }
    }

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Key(key) => std::str::from_utf8(key).unwrap_or_default(),
            Self::Text(text) => text,
        }
    }
}

impl fmt::Debug for AnchorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
