//! The ways out of [`Untrusted`]: one function for each place that text may reach.
//!
//! Each returns a small value whose `Display` writes the escaped text without allocating. There is
//! no general "sanitise": what is harmless in a terminal is a mention in a chat and a wildcard in a
//! policy.

use std::fmt::{self, Write as _};

use thiserror::Error;

use crate::Untrusted;

/// For a terminal or a log line: one line, nothing invisible, nothing that moves the cursor or
/// reorders the text.
///
/// Controls, bidirectional marks, zero-width and tag characters become `\u{…}`, line feed and tab
/// `\n` and `\t`, a backslash `\\`. Different texts never look the same after escaping.
#[must_use]
pub fn terminal<'a>(text: &'a Untrusted<'_>) -> Terminal<'a> {
    Terminal(text.reborrow())
}

/// A complete JSON string, quotes included, that is also harmless when the JSON is shown in a
/// terminal: what [`terminal`] escapes is written as `\uXXXX`, in surrogate pairs above U+FFFF.
/// Decodes to exactly the same text.
#[must_use]
pub fn json_string<'a>(text: &'a Untrusted<'_>) -> JsonString<'a> {
    JsonString(text.reborrow())
}

/// A complete TOML basic string, quotes included, as harmless in a terminal as [`json_string`], which
/// differs in what is above U+FFFF. Decodes to exactly the same text. Source: TOML 1.0, "String".
#[must_use]
pub fn toml_string<'a>(text: &'a Untrusted<'_>) -> TomlString<'a> {
    TomlString(text.reborrow())
}

/// For Slack `mrkdwn`: text that cannot become a link, a mention, an emoji or formatting.
///
/// `&`, `<` and `>` become entities, the only escape that Slack has; this is what stops `<!channel>`
/// and `<https://…|…>`. For the rest of mrkdwn Slack knows no escape at all, so
/// ``* _ ~ ` @ # :`` and a dot before a letter are replaced by their full-width forms (`＊`, `＿`,
/// `．`…): no formatting, `@here`, `:emoji:`, scheme or host name is left to recognise, the reader sees
/// that something was replaced, and nothing invisible (a zero-width space, say) travels on when the
/// text is copied. Full-width forms in the text itself, and everything that [`terminal`] escapes,
/// become `\u{…}`, so different texts never look the same.
///
/// Validated identifiers (account ids, access key ids) need none of this and stay copyable.
#[must_use]
pub fn slack<'a>(text: &'a Untrusted<'_>) -> Slack<'a> {
    Slack(text.reborrow())
}

/// For Slack, inside a code span, backticks included: for identifiers that a person will copy, such as
/// ARNs. In a span Slack recognises nothing but its end, so only backticks are replaced (by their
/// full-width form), and the three entities and what [`terminal`] escapes.
#[must_use]
pub fn slack_code<'a>(text: &'a Untrusted<'_>) -> SlackCode<'a> {
    SlackCode(text.reborrow())
}

/// For a reader of which no escape is known, or several at once: an e-mail, a pager, a card, whatever a
/// topic or a webhook hands on to. Nothing is left that any of them makes a link, a mention, an emoji,
/// formatting, markup or a formula of.
///
/// Every mark that one of them knows becomes its full-width form, and a dot before a letter likewise
/// (see [`slack`]); a leading `=`, `+` or `-` too, with which a spreadsheet begins a formula. Full-width
/// forms in the text itself, and everything that [`terminal`] escapes, become `\u{…}`.
#[must_use]
pub fn inert<'a>(text: &'a Untrusted<'_>) -> Inert<'a> {
    Inert { text: text.reborrow(), is_code: false }
}

/// The same for identifiers that a person will copy, such as ARNs: a colon stays unless a slash follows,
/// and an underscore stays.
#[must_use]
pub fn inert_code<'a>(text: &'a Untrusted<'_>) -> Inert<'a> {
    Inert { text: text.reborrow(), is_code: true }
}

/// For a pattern in an IAM policy document (a `StringLike` or `Arn…` condition value, or a `Resource`), before it is quoted as JSON: `*`, `?` and `$` become `${*}`, `${?}` and
/// `${$}`, so that a session named `*` matches the session named `*` only.
///
/// Holds for documents of version 2012-10-17; older ones have no policy variables. Source: IAM User
/// Guide, "IAM policy elements: Variables and tags", special characters.
///
/// # Errors
/// [`NotInPolicy`] when the text has a character that no policy document may hold.
pub fn policy_literal<'a>(text: &'a Untrusted<'_>) -> Result<PolicyLiteral<'a>, NotInPolicy> {
    match text.as_unescaped().chars().find(|&character| !is_policy_character(character)) {
        None => Ok(PolicyLiteral(text.reborrow())),
        Some(character) => Err(NotInPolicy { character }),
    }
}

/// For a `StringEquals` value in an IAM policy document, before it is quoted as JSON: there `*` and `?`
/// are themselves, and only a `${`, which would begin a policy variable, becomes `${$}{`.
///
/// Not [`policy_literal`]: evaluators differ on whether `${*}` equals `*` where `*` means nothing special
/// (found with the second evaluator of `tests/aws/oracle.rs`).
///
/// # Errors
/// [`NotInPolicy`] when the text has a character that no policy document may hold.
pub fn policy_exact<'a>(text: &'a Untrusted<'_>) -> Result<PolicyExact<'a>, NotInPolicy> {
    policy_literal(text).map(|literal| PolicyExact(literal.0))
}

/// For a folder's or a file's name: ASCII letters, digits, `-`, `_`, and dots but for a leading one;
/// every other byte is written as `%` and two hex digits. Different texts give different names, but
/// for letter case, which some file systems do not tell apart. May be three times as long as the text,
/// and is empty if that is.
#[must_use]
pub fn path_component<'a>(text: &'a Untrusted<'_>) -> PathComponent<'a> {
    PathComponent(text.reborrow())
}

/// Text that no IAM policy document can hold, not even escaped.
///
/// Documents are limited to U+0009, U+000A, U+000D and U+0020 to U+00FF (IAM API reference,
/// `policyDocumentType`). The caller has to select by something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("U+{:04X} cannot be in an IAM policy document", u32::from(*.character))]
pub struct NotInPolicy {
    /// The first such character; not safe to print as it is.
    pub character: char,
}

/// Displays text as for [`terminal`].
#[derive(Debug, Clone)]
pub struct Terminal<'a>(Untrusted<'a>);

impl fmt::Display for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_unescaped().chars().try_for_each(|character| write_visible(f, character))
    }
}

/// Displays text as for [`json_string`].
#[derive(Debug, Clone)]
pub struct JsonString<'a>(Untrusted<'a>);

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, &self.0, |f, hidden| {
            let mut units = [0; 2];
            hidden.encode_utf16(&mut units).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
        })
    }
}

/// Displays text as for [`toml_string`].
#[derive(Debug, Clone)]
pub struct TomlString<'a>(Untrusted<'a>);

impl fmt::Display for TomlString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, &self.0, |f, hidden| match u32::from(hidden) {
            short @ ..=0xffff => write!(f, "\\u{short:04x}"),
            long => write!(f, "\\U{long:08x}"),
        })
    }
}

/// Writes a text between quotes, with `escape` for what is hidden.
fn write_quoted(
    f: &mut fmt::Formatter<'_>,
    text: &Untrusted<'_>,
    escape: impl Fn(&mut fmt::Formatter<'_>, char) -> fmt::Result,
) -> fmt::Result {
    f.write_char('"')?;
    for character in text.as_unescaped().chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            hidden if is_deceptive(hidden) => escape(f, hidden)?,
            plain => f.write_char(plain)?,
        }
    }
    f.write_char('"')
}

/// Displays text as for [`path_component`].
#[derive(Debug, Clone)]
pub struct PathComponent<'a>(Untrusted<'a>);

impl fmt::Display for PathComponent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, byte) in self.0.as_unescaped().bytes().enumerate() {
            match byte {
                b'-' | b'_' => f.write_char(char::from(byte))?,
                b'.' if nth > 0 => f.write_char('.')?,
                plain if plain.is_ascii_alphanumeric() => f.write_char(char::from(plain))?,
                other => write!(f, "%{other:02x}")?,
            }
        }
        Ok(())
    }
}

/// Displays text as for [`slack`].
#[derive(Debug, Clone)]
pub struct Slack<'a>(Untrusted<'a>);

impl fmt::Display for Slack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.as_unescaped().chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '*' | '_' | '~' | '`' | '@' | '#' | ':' => f.write_char(full_width(character))?,
                // Top-level domains are never all digits: addresses and version numbers stay legible.
                '.' if characters.peek().is_some_and(|next| next.is_alphabetic()) => {
                    f.write_char(full_width('.'))?;
                }
                '\u{ff01}'..='\u{ff5e}' => write_code_point(f, character)?,
                other => write_visible(f, other)?,
            }
        }
        Ok(())
    }
}

/// Displays text as for [`slack_code`].
#[derive(Debug, Clone)]
pub struct SlackCode<'a>(Untrusted<'a>);

impl fmt::Display for SlackCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        for character in self.0.as_unescaped().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '`' => f.write_char(full_width(character))?,
                '\u{ff01}'..='\u{ff5e}' => write_code_point(f, character)?,
                other => write_visible(f, other)?,
            }
        }
        f.write_char('`')
    }
}

/// Displays text as for [`inert`] or [`inert_code`].
#[derive(Debug, Clone)]
pub struct Inert<'a> {
    text: Untrusted<'a>,
    is_code: bool,
}

impl fmt::Display for Inert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.as_unescaped().chars().peekable();
        let mut is_first = true;
        while let Some(character) = characters.next() {
            let is_mark = match character {
                '<' | '>' | '&' | '*' | '~' | '`' | '@' | '#' | '[' | ']' | '(' | ')' | '{'
                | '}' | '|' | '!' | '"' | '$' => true,
                '_' => !self.is_code,
                ':' => !self.is_code || characters.peek() == Some(&'/'),
                '.' => characters.peek().is_some_and(|next| next.is_alphabetic()),
                '=' | '+' | '-' => is_first,
                _ => false,
            };
            is_first = false;
            match character {
                _ if is_mark => f.write_char(full_width(character))?,
                '\u{ff01}'..='\u{ff5e}' => write_code_point(f, character)?,
                other => write_visible(f, other)?,
            }
        }
        Ok(())
    }
}

/// Displays text as for [`policy_literal`].
#[derive(Debug, Clone)]
pub struct PolicyLiteral<'a>(Untrusted<'a>);

impl fmt::Display for PolicyLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.as_unescaped().chars() {
            match character {
                '*' | '?' | '$' => write!(f, "${{{character}}}")?,
                plain => f.write_char(plain)?,
            }
        }
        Ok(())
    }
}

/// Displays text as for [`policy_exact`].
#[derive(Debug, Clone)]
pub struct PolicyExact<'a>(Untrusted<'a>);

impl fmt::Display for PolicyExact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.as_unescaped().split("${");
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| write!(f, "${{$}}{{{part}"))
    }
}

/// Writes a character as it is shown in a terminal.
pub(crate) fn write_visible(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\t' => f.write_str("\\t"),
        hidden if is_deceptive(hidden) => write_code_point(f, hidden),
        plain => f.write_char(plain),
    }
}

fn write_code_point(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    write!(f, "\\u{{{:x}}}", u32::from(character))
}

/// The full-width form of a printable ASCII character (U+FF01 to U+FF5E), else the character.
fn full_width(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(u32::from(character) + 0xfee0).unwrap_or(character),
        other => other,
    }
}

/// Whether a character is invisible, moves the cursor, breaks the line or reorders its neighbours.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180f}' // soft hyphen, joiner, Mongolian selectors
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' // bidirectional marks
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{200b}'..='\u{200d}' | '\u{feff}' // zero width
            | '\u{2060}'..='\u{206f}' // invisible operators, isolates, deprecated format characters
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers, which look empty
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}') // variation selectors, tags
}

fn is_policy_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn untrusted(text: &str) -> Untrusted<'_> {
        Untrusted::borrowed(text)
    }

    fn slack_of(text: &str) -> String {
        slack(&untrusted(text)).to_string()
    }

    #[test]
    fn terminal_shows_what_would_act() {
        let shown = |text: &str| terminal(&untrusted(text)).to_string();
        assert_eq!(shown("agent-42 é 日本"), "agent-42 é 日本");
        assert_eq!(shown("\u{1b}]0;x\u{7}\r"), r"\u{1b}]0;x\u{7}\u{d}");
        assert_eq!(shown("a\nb\tc\\n"), r"a\nb\tc\\n");
        assert_eq!(
            shown("\u{7f}\u{9b}\u{202e}\u{2066}\u{e0041}"),
            r"\u{7f}\u{9b}\u{202e}\u{2066}\u{e0041}"
        );
    }

    #[test]
    fn a_path_component_stays_in_its_folder() {
        let named = |text: &str| path_component(&untrusted(text)).to_string();
        assert_eq!(named("deploy-bot_2.1"), "deploy-bot_2.1");
        assert_eq!(named("../etc"), "%2e.%2fetc");
        assert_eq!(named(".."), "%2e.");
        assert_eq!(named("a\\b:c\0 é%"), "a%5cb%3ac%00%20%c3%a9%25");
    }

    #[test]
    fn json_is_ascii_where_it_would_act() {
        let json = json_string(&untrusted("\"\\\n\u{1b}\u{e0041}é")).to_string();
        assert_eq!(json, r#""\"\\\u000a\u001b\udb40\udc41é""#);
    }

    #[test]
    fn slack_text_is_only_text() {
        assert_eq!(
            slack_of("<!channel> & <https://x.y|z>"),
            "&lt;!channel&gt; &amp; &lt;https：//x．y|z&gt;"
        );
        assert_eq!(slack_of("@here #ops a@b.com"), "＠here ＃ops a＠b．com");
        assert_eq!(slack_of("*b* _i_ ~s~ `c` :joy:"), "＊b＊ ＿i＿ ～s～ ｀c｀ ：joy：");
        assert_eq!(slack_of("203.0.113.5 v1.2. end."), "203.0.113.5 v1.2. end.");
        assert_eq!(slack_of("a\n＊\\"), r"a\n\u{ff0a}\\");
    }

    #[test]
    fn inert_text_is_only_text_to_anybody() {
        let shown = |text: &str| inert(&untrusted(text)).to_string();
        let code = |text: &str| inert_code(&untrusted(text)).to_string();
        assert_eq!(shown("[x](https://a.b) <b>!</b>"), "［x］（https：//a．b） ＜b＞！＜/b＞");
        assert_eq!(shown("=SUM(1)"), "＝SUM（1）");
        assert_eq!(shown("a-b={{DATE}}"), "a-b=｛｛DATE｝｝");
        assert_eq!(code("arn:aws:iam::1:role/my_role"), "arn:aws:iam::1:role/my_role");
        assert_eq!(code("http://a.b/`x`"), "http：//a．b/｀x｀");
    }

    #[test]
    fn policy_text_has_no_wildcards_or_variables() {
        let exact = |text: &str| policy_exact(&untrusted(text)).map(|shown| shown.to_string());
        assert_eq!(exact("a*?$b${x}$").as_deref(), Ok("a*?$b${$}{x}$"));
        assert!(exact("\u{4e2d}").is_err());
        let literal = |text: &str| policy_literal(&untrusted(text)).map(|shown| shown.to_string());
        assert_eq!(literal("AROA:*"), Ok("AROA:${*}".to_owned()));
        assert_eq!(literal("${aws:username}?"), Ok("${$}{aws:username}${?}".to_owned()));
        assert_eq!(literal("\t\n\r ~\u{ff}"), Ok("\t\n\r ~\u{ff}".to_owned()));
        for character in ['\u{0}', '\u{1f}', '\u{100}', '日'] {
            assert_eq!(literal(&format!("a{character}")), Err(NotInPolicy { character }));
        }
        assert_eq!(
            NotInPolicy { character: '\u{1b}' }.to_string(),
            "U+001B cannot be in an IAM policy document"
        );
    }

    /// Text in which the characters that matter are common.
    fn hostile() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(
            "\\u{}0ab\n\t\r\u{1b}\u{7f}\u{85}\u{ad}\u{200b}\u{200e}\u{202e}\u{2028}\u{2066}\u{61c}\u{feff}\
             \u{e0041}<>&*_~`@#:.;\"'$?＊．！"
                .chars()
                .collect::<Vec<_>>(),
        );
        prop::collection::vec(prop_oneof![nasty, any::<char>()], 0..12).prop_map(String::from_iter)
    }

    /// Undoes [`terminal`]: that there is one inverse shows that no two texts look the same.
    fn unescape(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown.chars();
        while let Some(character) = rest.next() {
            if character != '\\' {
                text.push(character);
                continue;
            }
            text.push(match rest.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                'u' => {
                    assert_eq!(rest.next(), Some('{'));
                    let digits: String = rest.by_ref().take_while(|&digit| digit != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                }
                itself => itself,
            });
        }
        text
    }

    /// Undoes what [`inert`] does.
    fn escapes_apart(shown: &str) -> String {
        let narrow = |character| match character {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap(),
            other => other,
        };
        unescape(&shown.chars().map(narrow).collect::<String>())
    }

    proptest! {
        #[test]
        fn a_code_span_ends_where_it_should(text in any::<String>()) {
            let shown = slack_code(&Untrusted::new(text)).to_string();
            let inside = shown.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap();
            prop_assert!(!inside.contains(['`', '<', '>', '\n']));
        }

        #[test]
        fn terminal_output_is_harmless_and_reversible(text in hostile()) {
            let shown = terminal(&untrusted(&text)).to_string();
            prop_assert!(!shown.chars().any(is_deceptive));
            prop_assert_eq!(unescape(&shown), text);
        }

        #[test]
        fn json_output_is_harmless_and_decodes_to_the_same(text in hostile()) {
            let json = json_string(&untrusted(&text)).to_string();
            prop_assert!(!json.chars().any(is_deceptive));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn slack_output_has_no_marks_and_is_reversible(text in hostile()) {
            let shown = slack_of(&text);
            prop_assert!(!shown.chars().any(is_deceptive));
            prop_assert!(!shown.contains(['<', '>', '*', '_', '~', '`', '@', '#', ':']));
            let bare = shown.replace("&lt;", "<").replace("&gt;", ">");
            prop_assert!(!bare.replace("&amp;", "").contains('&'));
            // Full-width marks stand for plain ones only, because the text's own were escaped.
            let narrowed = bare
                .replace("&amp;", "&")
                .chars()
                .map(|shown| match shown {
                    '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(shown) - 0xfee0).unwrap(),
                    other => other,
                })
                .collect::<String>();
            prop_assert_eq!(unescape(&narrowed), text);
        }

        #[test]
        fn inert_output_has_no_marks_and_is_reversible(text in hostile(), is_code in any::<bool>()) {
            let shown = Inert { text: untrusted(&text), is_code }.to_string();
            let bare = shown.replace("\\u{", "").replace('}', "");
            prop_assert!(!shown.chars().any(is_deceptive));
            let marks = ['<', '>', '&', '*', '~', '`', '@', '#', '[', '(', '{', '|', '!'];
            prop_assert!(!bare.contains(marks));
            prop_assert!(!shown.contains("://") && !shown.starts_with(['=', '+', '-']));
            // The escapes' own braces are plain ones, the text's are not.
            let narrowed = escapes_apart(&shown);
            prop_assert_eq!(narrowed, text);
        }

        #[test]
        fn policy_output_resolves_to_the_same_text(text in "[\\x20-\\x7e]{0,16}") {
            let literal = policy_literal(&untrusted(&text)).unwrap().to_string();
            let bare = literal.replace("${*}", "").replace("${?}", "").replace("${$}", "");
            prop_assert!(!bare.contains(['*', '?', '$']));
            // IAM replaces variables in one pass, from the left.
            let mut resolved = String::new();
            let mut rest = literal.as_str();
            while let Some(character) = rest.chars().next() {
                let width = if character == '$' { 4 } else { 1 };
                resolved.push(if width == 4 { rest.chars().nth(2).unwrap() } else { character });
                rest = rest.get(width..).unwrap();
            }
            prop_assert_eq!(resolved, text);
        }
    }
}
