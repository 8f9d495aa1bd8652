//! IAM actions, patterns over them, and the action behind a CloudTrail event.

mod event;
mod table;

use crate::id::{shown_as_is, text_id};

/// An IAM action, `service:Name`; the service in lower case.
///
/// IAM compares actions without regard to case, and so does [`ActionPattern::matches`]. Equality here
/// is by spelling: CloudTrail always spells an action the same way, and what a person wrote is a
/// pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(Box<str>);

text_id!(
    Action,
    "an IAM action",
    "`service:Name`, with up to 64 lower-case ASCII letters, digits, - or _ and up to 128 ASCII \
     letters, digits or _",
    |text| text
        .split_once(':')
        .is_some_and(|(service, name)| is_service(service) && is_bounded(name, is_name_byte))
);
shown_as_is!(Action);

impl Action {
    /// The action that a CloudTrail event is authorised by; for an event that needs several, the one
    /// that says most about it (`s3:PutObject` for `CopyObject`).
    ///
    /// Total: unknown names pass through, and characters that no action has become `_`, so a hostile
    /// name can never turn into the name of a real action. Source and name as in the record's
    /// `eventSource` (`s3.amazonaws.com`) and `eventName`.
    #[must_use]
    pub fn from_event(event_source: &str, event_name: &str) -> Self {
        event::action(event_source, event_name)
    }

    /// The service prefix, `s3` of `s3:GetObject`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.0.split_once(':').map_or("", |(service, _)| service)
    }

    /// The name, `GetObject` of `s3:GetObject`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    /// The pattern that matches this action only; none for a name that [`Self::from_event`] had to
    /// alter, because IAM refuses a whole document for one malformed action.
    #[must_use]
    pub fn to_pattern(&self) -> Option<ActionPattern> {
        ActionPattern::parse(&self.0).ok()
    }
}

/// Actions as a policy or a scope names them: `s3:GetObject`, `s3:Get*`, `*`.
///
/// `*` stands for any run of characters, `?` for exactly one; only the name may have them, or the whole
/// pattern is `*`. Source: IAM User Guide, "IAM JSON policy elements: Action".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionPattern(Box<str>);

text_id!(
    ActionPattern,
    "an IAM action pattern",
    "`*`, or `service:Name` with up to 64 lower-case ASCII letters, digits or - and up to 128 ASCII \
     letters, digits, * or ?",
    |text| text == "*"
        || text.split_once(':').is_some_and(|(service, name)| {
            is_service(service) && !service.contains('_') && is_bounded(name, is_pattern_byte)
        })
);
shown_as_is!(ActionPattern);

impl ActionPattern {
    /// The pattern that matches every action.
    #[must_use]
    pub fn any() -> Self {
        Self("*".into())
    }

    /// Whether the pattern covers the action. Case does not matter. Takes at most pattern length ×
    /// action length steps, which [`Self::parse`] bounds to 193 each.
    #[must_use]
    pub fn matches(&self, action: &Action) -> bool {
        matches_glob(self.0.as_bytes(), action.0.as_bytes())
    }
}

/// Greedy matching that goes back to the latest `*` only: an earlier one can never do better, since
/// whatever it would take, the latest can take too.
fn matches_glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut latest_star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', after_star)), _) => {
                latest_star = Some((after_star, text));
                pattern = after_star;
            }
            (Some((wanted, pattern_rest)), Some((found, text_rest)))
                if *wanted == b'?' || wanted.eq_ignore_ascii_case(found) =>
            {
                (pattern, text) = (pattern_rest, text_rest);
            }
            (None, None) => return true,
            _ => {
                let Some((after_star, taken_from)) = latest_star else { return false };
                let Some((_, shorter)) = taken_from.split_first() else { return false };
                latest_star = Some((after_star, shorter));
                (pattern, text) = (after_star, shorter);
            }
        }
    }
}

/// Bytes in a service prefix and in an action name; real ones are shorter than half of this.
const SERVICE_BYTES_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 128;

fn is_service(text: &str) -> bool {
    (1..=SERVICE_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_service_byte)
}

fn is_bounded(name: &str, is_allowed: fn(u8) -> bool) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn is_service_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_pattern_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'?')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn action(text: &str) -> Action {
        Action::parse(text).unwrap()
    }

    #[test]
    fn an_action_has_a_service_and_a_name() {
        assert_eq!(
            (action("s3:GetObject").service(), action("s3:GetObject").name()),
            ("s3", "GetObject")
        );
        for text in ["", ":", "s3", "s3:", ":Get", "S3:Get", "s3:Get*", "s3:a:b", "s3:a b", "s3:é"]
        {
            assert!(Action::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_has_wildcards_in_the_name_only() {
        for text in ["*", "s3:*", "s3:Get?bject", "iam:Create*Key*"] {
            assert_eq!(ActionPattern::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "**", "s*:Get", "*:*", "s3", "s3:", "s_3:Get", "s3:Get_Object", "s3:a:b"] {
            assert!(ActionPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_match_as_iam_does() {
        let matches = |pattern: &str, text: &str| {
            ActionPattern::parse(pattern).unwrap().matches(&action(text))
        };
        assert!(matches("*", "s3:GetObject"));
        assert!(matches("s3:get*", "s3:GetObject"));
        assert!(matches("s3:*Object", "s3:GetObject"));
        assert!(matches("s3:G?tObject", "s3:GetObject"));
        assert!(matches("s3:GetObject*", "s3:GetObject"));
        assert!(!matches("s3:GetObject?", "s3:GetObject"));
        assert!(!matches("s3:Get", "s3:GetObject"));
        assert!(!matches("s3express:*", "s3:GetObject"));
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let pattern = ActionPattern::parse(&format!("s3:{}b", "a*".repeat(63))).unwrap();
        assert!(!pattern.matches(&action(&format!("s3:{}", "a".repeat(NAME_BYTES_MAX)))));
    }

    #[test]
    fn an_action_is_a_pattern_of_itself() {
        let pattern = action("s3:GetObject").to_pattern().unwrap();
        assert!(pattern.matches(&action("s3:GetObject")));
        assert!(!pattern.matches(&action("s3:GetObjectAcl")));
        assert!(ActionPattern::any().matches(&action("s3:GetObject")));
    }

    /// What the wildcards mean, word for word; exponential.
    fn matches_naively(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                (0..=text.len()).any(|taken| matches_naively(rest, &text[taken..]))
            }
            ([b'?', rest @ ..], [_, text @ ..]) => matches_naively(rest, text),
            ([wanted, rest @ ..], [found, text @ ..]) => {
                wanted.eq_ignore_ascii_case(found) && matches_naively(rest, text)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_meaning(pattern in "[abA*?]{0,8}", text in "[abB]{0,10}") {
            prop_assert_eq!(
                matches_glob(pattern.as_bytes(), text.as_bytes()),
                matches_naively(pattern.as_bytes(), text.as_bytes())
            );
        }

        #[test]
        fn shown_actions_parse_back(text in "[a-z0-9-]{1,8}:[A-Za-z0-9]{1,12}") {
            prop_assert_eq!(action(&text).to_string(), text);
        }
    }
}
