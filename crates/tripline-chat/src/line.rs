//! A line of a message before anybody's markup: our own words, and what others wrote.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tripline_text::{Untrusted, escape};

/// How much of a name is shown, and of an identifier that a person may copy, in characters.
const NAME_CHARS_MAX: usize = 80;
const CODE_CHARS_MAX: usize = 256;

/// One piece of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Span {
    /// Our own words, numbers and validated identifiers.
    Ours(Cow<'static, str>),
    /// A name that somebody else chose.
    Name(#[serde(with = "tripline_text::stored")] Untrusted<'static>),
    /// An identifier or a command: comes out as it is, so that it can be copied.
    Code(#[serde(with = "tripline_text::stored")] Untrusted<'static>),
}

/// A line of text that is escaped for its reader only when it is written out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line(Vec<Span>);

/// Whom a line is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Slack's mrkdwn.
    Slack,
    /// A terminal: one line of text.
    Terminal,
    /// Anybody else: text without any mark that a reader might act on.
    Inert,
}

impl Line {
    /// Our own words.
    pub fn ours(text: impl Into<Cow<'static, str>>) -> Self {
        Self::default().and(text)
    }

    /// Somebody's name.
    pub fn name(text: &Untrusted<'_>) -> Self {
        Self(vec![Span::Name(text.clone().into_owned())])
    }

    /// Something to copy.
    pub fn code(text: &Untrusted<'_>) -> Self {
        Self(vec![Span::Code(text.clone().into_owned())])
    }

    /// Followed by our own words.
    #[must_use]
    pub fn and(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.0.push(Span::Ours(text.into()));
        self
    }

    /// Followed by another line.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line for a reader, at most so many characters long. Of what is too long the end is left out
    /// before it is escaped, so that no escape is cut in two.
    pub fn write(&self, markup: Markup, chars_max: usize) -> String {
        let mut out = String::new();
        let mut left = chars_max;
        for span in &self.0 {
            let (text, kept) = match span {
                Span::Ours(text) => (&**text, usize::MAX),
                Span::Name(text) => (text.as_unescaped(), NAME_CHARS_MAX),
                Span::Code(text) => (text.as_unescaped(), CODE_CHARS_MAX),
            };
            let piece = fitted(text, kept, left, |text| span.escaped(text, markup));
            left = left.saturating_sub(piece.chars().count());
            out.push_str(&piece);
        }
        out
    }
}

impl Span {
    fn escaped(&self, text: &str, markup: Markup) -> String {
        let text = Untrusted::borrowed(text);
        match (self, markup) {
            (Self::Ours(_), Markup::Slack) => {
                let text = escape::terminal(&text).to_string();
                text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
            }
            (Self::Ours(_), Markup::Terminal | Markup::Inert)
            | (Self::Name(_), Markup::Terminal) => escape::terminal(&text).to_string(),
            (Self::Code(_), Markup::Terminal) => format!("`{}`", escape::terminal(&text)),
            (Self::Name(_), Markup::Slack) => escape::slack(&text).to_string(),
            (Self::Code(_), Markup::Slack) => escape::slack_code(&text).to_string(),
            (Self::Name(_), Markup::Inert) => escape::inert(&text).to_string(),
            (Self::Code(_), Markup::Inert) => escape::inert_code(&text).to_string(),
        }
    }
}

/// As much of a text as fits once it is escaped, of its first `kept` characters.
fn fitted(text: &str, kept: usize, room: usize, escaped: impl Fn(&str) -> String) -> String {
    let fits = |shown: &String| shown.chars().count() <= room;
    let first = |count: usize| -> String { text.chars().take(count).chain(['…']).collect() };
    // Escaping makes nothing shorter: what cannot fit is not escaped to find out.
    if text.chars().nth(kept.min(room)).is_none() {
        let shown = escaped(text);
        if fits(&shown) {
            return shown;
        }
    }
    // The longest beginning that fits.
    let (mut fit, mut too_long) = (None, kept.min(room) + 1);
    let mut short = 0;
    while short < too_long {
        let middle = short.midpoint(too_long);
        let shown = escaped(&first(middle));
        if fits(&shown) {
            fit = Some(shown);
            short = middle + 1;
        } else {
            too_long = middle;
        }
    }
    fit.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_long_is_cut_before_it_is_escaped() {
        let name = Line::name(&Untrusted::new("&".repeat(100)));
        assert_eq!(name.write(Markup::Slack, 23), format!("{}…", "&amp;".repeat(4)));
        assert_eq!(name.write(Markup::Slack, 0), "");
        let code = Line::code(&Untrusted::new("`".repeat(100)));
        assert_eq!(code.write(Markup::Slack, 5), "`｀｀…`");
        let long = Line::name(&Untrusted::new("x".repeat(10_000)));
        assert_eq!(long.write(Markup::Inert, 3_000).chars().count(), NAME_CHARS_MAX + 1);
        let exact = Line::name(&Untrusted::new("x".repeat(NAME_CHARS_MAX)));
        assert_eq!(exact.write(Markup::Terminal, 3_000), "x".repeat(NAME_CHARS_MAX));
    }

    proptest! {
        #[test]
        fn no_line_is_longer_than_it_may_be(
            text in any::<String>(), room in 0_usize..200, ours in "[a-z&<]{0,20}",
        ) {
            let line = Line::ours(ours).then(Line::code(&Untrusted::new(text)));
            for markup in [Markup::Slack, Markup::Terminal, Markup::Inert] {
                prop_assert!(line.write(markup, room).chars().count() <= room);
            }
        }
    }
}
