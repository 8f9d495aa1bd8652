//! Patterns of resources, with the meaning that IAM gives them.

use std::fmt;

/// How long a pattern may be, in bytes: the most that an ARN may have (IAM/reference-arns).
pub const PATTERN_BYTES_MAX: usize = 2_048;

/// A pattern of resource names: an ARN with `*` and `?`, or any other text with `*` and `?`.
///
/// An ARN pattern is compared component by component, the resource part as a whole, as IAM's
/// `ArnLike` does: a `*` never reaches over one of the first five colons. A plain text comparison
/// would let the name of a secret, which its creator chooses, pretend to be another account's.
/// Source: IAM/reference_policies_elements_condition_operators, "ARN condition operators".
///
/// A pattern of `log-group:NAME:*` also means the group itself, since the console shows log groups'
/// ARNs in that form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourcePattern(String);

/// Why a text is no resource pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// An empty text, which would match nothing.
    #[error("is empty")]
    Empty,
    /// More than [`PATTERN_BYTES_MAX`].
    #[error("is longer than {PATTERN_BYTES_MAX} bytes")]
    TooLong,
    /// `arn:` with fewer than six components.
    #[error(
        "is not a whole ARN: write all six parts, `arn:partition:service:region:account:resource`"
    )]
    PartialArn,
    /// A control character, which no ARN holds.
    #[error("has a control character")]
    Control,
}

impl ResourcePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// See [`InvalidPattern`].
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() {
            return Err(InvalidPattern::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(InvalidPattern::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidPattern::Control);
        }
        if text.starts_with("arn:") && arn_parts(text).is_none() {
            return Err(InvalidPattern::PartialArn);
        }
        Ok(Self(bare_log_group(text).to_owned()))
    }

    /// Whether the resource `text` is meant. Takes at most length of pattern times length of text
    /// steps, and allocates nothing.
    pub fn matches(&self, text: &str) -> bool {
        let Some(pattern) = arn_parts(&self.0) else {
            return like(self.0.as_bytes(), text.as_bytes(), Unknown::None);
        };
        let Some(parts) = arn_parts(text) else { return false };
        // A secret asked for by name has an ARN whose last six characters the record does not tell;
        // `Call` writes them as question marks, which no secret's name can hold.
        let unknown =
            if parts[2] == "secretsmanager" { Unknown::QuestionMark } else { Unknown::None };
        pattern
            .iter()
            .zip(parts)
            .all(|(pattern, part)| like(pattern.as_bytes(), part.as_bytes(), unknown))
    }

    /// As [`ResourcePattern::matches`], and also when the pattern means the bucket that the object
    /// `text` is in. For never-rules and decoys: IAM tells a bucket from its objects, but whoever
    /// writes down a forbidden bucket means what is in it.
    pub fn touches(&self, text: &str) -> bool {
        let bucket = || match arn_parts(text)? {
            [_, _, "s3", _, _, object] => {
                let key = object.len() - object.split_once('/')?.0.len();
                text.get(..text.len() - key)
            }
            _ => None,
        };
        self.matches(text) || bucket().is_some_and(|bucket| self.matches(bucket))
    }

    /// The pattern as written, but for a log group's `:*`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What stands in the text for a character that is not known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    None,
    QuestionMark,
}

/// The six parts of an ARN; the last, the resource, keeps its colons.
pub(crate) fn arn_parts(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    let all = [next()?, next()?, next()?, next()?, next()?, next()?];
    (all[0] == "arn").then_some(all)
}

/// A log group's ARN without the `:*` behind its name; any other text as it is.
pub(crate) fn bare_log_group(text: &str) -> &str {
    if !text.ends_with(":*") {
        return text;
    }
    let Some([_, _, "logs", _, _, resource]) = arn_parts(text) else { return text };
    let group = resource.strip_prefix("log-group:").and_then(|name| name.strip_suffix(":*"));
    match group {
        Some(name) if !name.contains(':') => text.strip_suffix(":*").unwrap_or(text),
        _ => text,
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters and `?` for one byte.
/// Going back only to the last `*` suffices: an earlier one could not make a shorter match better.
fn like(pattern: &[u8], text: &[u8], unknown: Unknown) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(seen) {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
                continue;
            }
            Some(&wanted)
                if wanted == byte
                    || wanted == b'?'
                    || (byte == b'?' && unknown == Unknown::QuestionMark) =>
            {
                at += 1;
                seen += 1;
                continue;
            }
            _ => {}
        }
        let Some((behind_star, from)) = retry else { return false };
        retry = Some((behind_star, from + 1));
        at = behind_star;
        seen = from + 1;
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        ResourcePattern::parse(pattern).unwrap().matches(text)
    }

    #[test]
    fn arns_match_part_by_part() {
        assert!(matches("arn:aws:s3:::incident-*", "arn:aws:s3:::incident-logs/2026/a:b"));
        assert!(matches("*", "anything"));
        assert!(matches("arn:*:iam::*:role/app-?", "arn:aws-cn:iam::123456789012:role/app-1"));
        let pattern = "arn:aws:secretsmanager:*:*:secret:mine";
        assert!(matches(pattern, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine"));
        assert!(!matches(
            pattern,
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x:secret:mine"
        ));
        assert!(!matches("arn:aws:s3:::b", "b"));
    }

    #[test]
    fn a_secret_by_name_matches_whatever_its_suffix() {
        let named = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:canary-db-??????";
        for pattern in ["canary-*", "canary-db-*", "canary-db-??????", "canary-db-AbC123"] {
            assert!(
                matches(&format!("arn:aws:secretsmanager:*:*:secret:{pattern}"), named),
                "{pattern}"
            );
        }
        assert!(!matches("arn:aws:secretsmanager:*:*:secret:canary-dc-*", named));
    }

    #[test]
    fn an_object_touches_its_bucket() {
        let bait = ResourcePattern::parse("arn:aws:s3:::bait").unwrap();
        assert!(bait.touches("arn:aws:s3:::bait") && bait.touches("arn:aws:s3:::bait/a/b"));
        assert!(!bait.matches("arn:aws:s3:::bait/a/b") && !bait.touches("arn:aws:s3:::baits/a"));
        assert!(!bait.touches("arn:aws:iam:::bait/a"));
    }

    #[test]
    fn a_log_group_is_meant_with_and_without_its_star() {
        let group = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/x";
        assert!(matches(&format!("{group}:*"), group));
        assert!(matches("arn:aws:logs:*:*:log-group:*", group));
        assert_eq!(bare_log_group(&format!("{group}:*")), group);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert_eq!(ResourcePattern::parse(""), Err(InvalidPattern::Empty));
        assert_eq!(ResourcePattern::parse("arn:aws:s3"), Err(InvalidPattern::PartialArn));
        assert_eq!(ResourcePattern::parse("a\u{1b}"), Err(InvalidPattern::Control));
        let long = "x".repeat(PATTERN_BYTES_MAX);
        assert!(ResourcePattern::parse(&long).is_ok());
        assert_eq!(ResourcePattern::parse(&(long + "x")), Err(InvalidPattern::TooLong));
    }

    /// The meaning, written down: exponential, hence only for tests.
    fn oracle(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| oracle(rest, &text[skip..])),
            ([b'?', rest @ ..], [_, after @ ..]) => oracle(rest, after),
            ([wanted, rest @ ..], [byte, after @ ..]) => wanted == byte && oracle(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_meaning(pattern in "[ab*?]{0,8}", text in "[abc]{0,10}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(like(pattern, text, Unknown::None), oracle(pattern, text));
        }

        #[test]
        fn a_pattern_without_wildcards_means_itself(text in "[a-z:/]{1,20}") {
            if let Ok(pattern) = ResourcePattern::parse(&text) {
                prop_assert!(pattern.matches(&text));
            }
        }
    }
}
