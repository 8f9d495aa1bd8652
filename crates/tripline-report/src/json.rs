//! JSON out of this program: the strings of [`escape::json_string`], so that it is harmless on a
//! terminal too, whatever was in a log.

use std::fmt::{self, Write};

use serde_json::Value;
use tripline_text::{Untrusted, escape};

/// A text from a record as a JSON value.
pub(crate) fn text(text: &Untrusted<'_>) -> Value {
    Value::String(text.as_unescaped().to_owned())
}

/// How a value is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// On one line.
    Line,
    /// A member a line, and nothing of what opens doors: a text or number whose name says so.
    Shown,
}

/// Writes a value.
pub(crate) fn write(value: &Value, layout: Layout, out: &mut String) {
    // INVARIANT: writing to a string does not fail.
    let _ = write_at(value, layout, 0, out);
}

fn write_at(value: &Value, layout: Layout, depth: usize, out: &mut String) -> fmt::Result {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (nth, (key, member)) in members.iter().enumerate() {
                out.push(if nth > 0 { ',' } else { '{' });
                begin(layout, depth + 1, out);
                let colon = if layout == Layout::Shown { ": " } else { ":" };
                write!(out, "{}{colon}", quoted(key))?;
                let is_leaf = matches!(member, Value::String(_) | Value::Number(_));
                if layout == Layout::Shown && is_leaf && is_secret(key) {
                    out.push_str("(not shown)");
                } else {
                    write_at(member, layout, depth + 1, out)?;
                }
            }
            begin(layout, depth, out);
            out.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            for (nth, item) in items.iter().enumerate() {
                out.push(if nth > 0 { ',' } else { '[' });
                begin(layout, depth + 1, out);
                write_at(item, layout, depth + 1, out)?;
            }
            begin(layout, depth, out);
            out.push(']');
        }
        Value::String(text) => out.push_str(&quoted(text)),
        other => write!(out, "{other}")?,
    }
    Ok(())
}

fn begin(layout: Layout, depth: usize, out: &mut String) {
    if layout == Layout::Shown {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    }
}

fn quoted(text: &str) -> String {
    escape::json_string(&Untrusted::borrowed(text)).to_string()
}

/// Whether a member of this name may hold what lets somebody in. Too many rather than too few: what is
/// hidden here still stands in the log.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names_one = ["id", "arn", "name"].iter().any(|end| key.ends_with(end));
    ["token", "password", "privatekey", "authorization", "signature", "credential"]
        .iter()
        .any(|word| key.contains(word))
        || (key.contains("secret") && !names_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = r#"{"responseElements":{"credentials":{"sessionToken":"FwoG","accessKeyId":"ASIA"}},"x":[1,{"secretId":"db"}],"y":"a\u202eb<script>","Password":"p","secretString":"q","z":{},"n":null}"#;

    fn written(layout: Layout) -> String {
        let mut text = String::new();
        write(&serde_json::from_str(VALUE).unwrap(), layout, &mut text);
        text
    }

    #[test]
    fn what_is_shown_has_no_secrets_and_nothing_else_is_changed() {
        let text = written(Layout::Shown);
        for hidden in ["FwoG", "\"p\"", "\"q\"", "\u{202e}"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        for kept in ["\"ASIA\"", "\"db\"", "a\\u202eb<script>", "\"z\": {}", "null"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        let read = |text: &str| serde_json::from_str::<Value>(text);
        assert!(read(&text.replace("(not shown)", "0")).is_ok(), "{text}");
    }

    #[test]
    fn a_line_is_the_same_value_on_one_harmless_line() {
        let line = written(Layout::Line);
        assert!(!line.contains('\n') && !line.contains('\u{202e}'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(VALUE).unwrap());
    }
}
