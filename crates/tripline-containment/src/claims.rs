//! What a document denies to whom: the plan's own claim of what is cut, and the second look at what
//! was read back from IAM.
//!
//! It understands what the documents of this program are made of, and no more. Two evaluators by other
//! hands check it in the tests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::denial::DenialName;
use crate::edit::NotEditable;
use crate::one_or_many::OneOrMany;

/// One request as IAM sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `service:Action`.
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
    context: BTreeMap<String, String>,
}

impl Request {
    /// A call of this action on this resource.
    pub fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: BTreeMap::new() }
    }

    /// With a condition key set; keys compare without regard to case.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.to_lowercase(), value.to_owned());
        self
    }
}

/// Whether a statement of ours in the document denies the request. Statements of others are not looked
/// at: they may deny too.
///
/// # Errors
/// [`NotEditable::Malformed`] when it is no policy document, or one of our statements has an operator
/// that this program does not write.
pub fn denies(document: &str, request: &Request) -> Result<bool, NotEditable> {
    for (_, statement) in crate::edit::ours(document)? {
        if statement_denies(statement, request)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one statement denies the request.
///
/// # Errors
/// [`NotEditable::Malformed`] as above.
pub fn statement_denies(statement: &str, request: &Request) -> Result<bool, NotEditable> {
    let statement: StatementText =
        serde_json::from_str(statement).map_err(|_| NotEditable::Malformed)?;
    if statement.effect != "Deny" {
        return Ok(false);
    }
    let action = &request.action;
    let about_action = match (&statement.action, &statement.not_action) {
        (Some(these), None) => these.any(|pattern| is_like_folded(pattern, action)),
        (None, Some(others)) => !others.any(|pattern| is_like_folded(pattern, action)),
        _ => return Err(NotEditable::Malformed),
    };
    let about_resource = match (&statement.resource, &statement.not_resource) {
        (None, None) => true,
        (Some(these), None) => these.any(|pattern| is_like(pattern, &request.resource)),
        (None, Some(others)) => !others.any(|pattern| is_like(pattern, &request.resource)),
        _ => return Err(NotEditable::Malformed),
    };
    for (operator, keys) in &statement.condition {
        for (key, values) in keys {
            let actual = request.context.get(&key.to_lowercase()).map(String::as_str);
            if !is_met(operator, actual, values)? {
                return Ok(false);
            }
        }
    }
    Ok(about_action && about_resource)
}

/// The incident and purpose of each of our statements in a document.
///
/// # Errors
/// [`NotEditable`].
pub fn names(document: &str) -> Result<Vec<DenialName>, NotEditable> {
    Ok(crate::edit::ours(document)?.into_iter().map(|(name, _)| name).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatementText {
    effect: String,
    action: Option<OneOrMany>,
    not_action: Option<OneOrMany>,
    resource: Option<OneOrMany>,
    not_resource: Option<OneOrMany>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany>>,
}

/// Source: IAM User Guide, "Condition operators". On a key that the request has not, the negated
/// operators hold and the others do not.
fn is_met(operator: &str, actual: Option<&str>, values: &OneOrMany) -> Result<bool, NotEditable> {
    let any = |holds: &dyn Fn(&str, &str) -> bool| {
        actual.is_some_and(|actual| values.any(|value| holds(value, actual)))
    };
    Ok(match operator {
        "StringEquals" => any(&|value, actual| plain(value) == actual),
        "StringNotEquals" => !any(&|value, actual| plain(value) == actual),
        "StringLike" | "ArnLike" | "ArnEquals" => any(&is_like),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => !any(&is_like),
        "DateLessThan" => any(&|value, actual| {
            date(actual).zip(date(value)).is_some_and(|(actual, value)| actual < value)
        }),
        "Null" => values.any(|value| (value == "true") == actual.is_none()),
        _ => return Err(NotEditable::Malformed),
    })
}

fn date(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// `${*}`, `${?}` and `${$}` are the characters themselves (IAM User Guide, "Policy variables").
fn plain(pattern: &str) -> String {
    pattern.replace("${*}", "*").replace("${?}", "?").replace("${$}", "$")
}

fn is_like_folded(pattern: &str, text: &str) -> bool {
    is_like(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Whether a pattern with `*` and `?` matches all of a text.
fn is_like(pattern: &str, text: &str) -> bool {
    let pattern = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    // Greedy with one way back: to the last star.
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(Token::Many) => {
                star = Some((at, from));
                at += 1;
            }
            Some(Token::One) => (at, from) = (at + 1, from + 1),
            Some(Token::Literal(literal)) if text.get(from) == Some(literal) => {
                (at, from) = (at + 1, from + 1);
            }
            _ => match star {
                Some((after, seen)) => {
                    star = Some((after, seen + 1));
                    (at, from) = (after + 1, seen + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|token| *token == Token::Many)
}

#[derive(PartialEq, Eq)]
enum Token {
    Many,
    One,
    Literal(char),
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let escaped = ['*', '?', '$'].into_iter().find(|literal| {
            rest.strip_prefix("${")
                .and_then(|rest| rest.strip_prefix(*literal))
                .is_some_and(|rest| rest.starts_with('}'))
        });
        let (token, length) = match (escaped, first) {
            (Some(literal), _) => (Token::Literal(literal), 4),
            (None, '*') => (Token::Many, 1),
            (None, '?') => (Token::One, 1),
            (None, other) => (Token::Literal(other), other.len_utf8()),
        };
        found.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a${*}c", "a*c", true),
            ("a${*}c", "abc", false),
            ("${$}{x}", "${x}", true),
            ("*a*b", "xxaxxab", true),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
