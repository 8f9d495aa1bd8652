//! Documents and their statements.

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use thiserror::Error;

use super::{Condition, Operator, PolicyText};
use crate::id::{shown_as_is, text_id};
use crate::{AccountId, ActionPattern, Arn};

/// A policy document of version 2012-10-17, the only one with policy variables, on which escaping
/// rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    statements: Vec<Statement>,
}

impl PolicyDocument {
    /// A document of these statements, in this order.
    ///
    /// # Errors
    /// [`InvalidStatement::RepeatedSid`] when two statements share their id.
    pub fn new(statements: Vec<Statement>) -> Result<Self, InvalidStatement> {
        let mut seen = BTreeSet::new();
        if statements.iter().all(|statement| seen.insert(statement.sid())) {
            Ok(Self { statements })
        } else {
            Err(InvalidStatement::RepeatedSid)
        }
    }

    /// The statements, in order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The document as JSON without white space; the same document always gives the same bytes.
    #[must_use]
    pub fn to_minified_json(&self) -> String {
        minified(self)
    }

    /// The size in characters, to compare with [`super::Quota::chars`].
    ///
    /// IAM does not count white space. There is none between the tokens; blanks inside strings are
    /// counted here, because AWS does not say, so the number may be a little too high, never too low.
    #[must_use]
    pub fn quota_chars(&self) -> usize {
        self.to_minified_json().chars().count()
    }
}

impl Serialize for PolicyDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(Some(2))?;
        document.serialize_entry("Version", "2012-10-17")?;
        document.serialize_entry("Statement", &self.statements)?;
        document.end()
    }
}

/// One statement, checked to be one that IAM accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    sid: Sid,
    effect: Effect,
    principal: Option<Principal>,
    actions: Actions,
    resources: Option<Resources>,
    conditions: Vec<Condition>,
}

impl Statement {
    /// A statement of an identity-based or organization policy.
    ///
    /// # Errors
    /// [`InvalidStatement`] for what IAM would refuse or read otherwise than it was meant.
    pub fn new(
        sid: Sid,
        effect: Effect,
        actions: Actions,
        resources: Resources,
        conditions: Vec<Condition>,
    ) -> Result<Self, InvalidStatement> {
        Self { sid, effect, principal: None, actions, resources: Some(resources), conditions }
            .checked()
    }

    /// A statement of a role's trust policy, whose resource is the role itself.
    ///
    /// # Errors
    /// [`InvalidStatement`] for what IAM would refuse or read otherwise than it was meant.
    pub fn trust(
        sid: Sid,
        effect: Effect,
        principal: Principal,
        actions: Actions,
        conditions: Vec<Condition>,
    ) -> Result<Self, InvalidStatement> {
        Self { sid, effect, principal: Some(principal), actions, resources: None, conditions }
            .checked()
    }

    /// The name by which the statement is found again in a document.
    #[must_use]
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// Whether it gives or takes.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The statement alone as JSON without white space, to be put into a document that we did not
    /// write.
    #[must_use]
    pub fn to_minified_json(&self) -> String {
        minified(self)
    }

    fn checked(self) -> Result<Self, InvalidStatement> {
        let (Actions::Only(actions) | Actions::AllExcept(actions)) = &self.actions;
        if actions.is_empty() {
            return Err(InvalidStatement::NoActions);
        }
        if let Some(Resources::Only(resources) | Resources::AllExcept(resources)) = &self.resources
            && resources.is_empty()
        {
            return Err(InvalidStatement::NoResources);
        }
        let mut seen = BTreeSet::new();
        for condition in &self.conditions {
            if condition.values.is_empty() {
                return Err(InvalidStatement::NoValues);
            }
            if !seen.insert((condition.operator, condition.key.folded())) {
                return Err(InvalidStatement::RepeatedCondition);
            }
        }
        Ok(self)
    }
}

/// A statement that IAM would refuse or read otherwise than it was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidStatement {
    /// It names no action.
    #[error("a policy statement names no action")]
    NoActions,
    /// It names no resource.
    #[error("a policy statement names no resource")]
    NoResources,
    /// A condition has nothing to compare with: it would never hold, and a Deny would deny nothing.
    #[error("a condition of a policy statement has no values")]
    NoValues,
    /// Two conditions share operator and key: JSON would keep one of them, or join them to "or".
    #[error("a policy statement has two conditions of the same operator and key")]
    RepeatedCondition,
    /// Two statements of a document share their id, which IAM refuses.
    #[error("two statements of a policy document have the same id")]
    RepeatedSid,
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut statement = serializer.serialize_map(None)?;
        statement.serialize_entry("Sid", self.sid.as_str())?;
        statement.serialize_entry("Effect", &self.effect)?;
        if let Some(principal) = &self.principal {
            statement.serialize_entry("Principal", principal)?;
        }
        match &self.actions {
            Actions::Only(actions) => statement.serialize_entry("Action", &OneOrMany(actions))?,
            Actions::AllExcept(actions) => {
                statement.serialize_entry("NotAction", &OneOrMany(actions))?;
            }
        }
        match &self.resources {
            Some(Resources::Only(resources)) => {
                statement.serialize_entry("Resource", &OneOrMany(resources))?;
            }
            Some(Resources::AllExcept(resources)) => {
                statement.serialize_entry("NotResource", &OneOrMany(resources))?;
            }
            None => {}
        }
        if !self.conditions.is_empty() {
            let mut by_operator: BTreeMap<Operator, BTreeMap<&str, OneOrMany<'_, PolicyText>>> =
                BTreeMap::new();
            for Condition { operator, key, values } in &self.conditions {
                by_operator.entry(*operator).or_default().insert(key.as_str(), OneOrMany(values));
            }
            statement.serialize_entry("Condition", &by_operator)?;
        }
        statement.end()
    }
}

/// Whether a statement gives or takes; a Deny wins over every Allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Effect {
    /// Gives permission.
    Allow,
    /// Takes it away, whatever else allows it.
    Deny,
}

/// Which actions a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actions {
    /// `Action`: these.
    Only(BTreeSet<ActionPattern>),
    /// `NotAction`: all but these.
    AllExcept(BTreeSet<ActionPattern>),
}

/// Which resources a statement is about, as ARNs that may have wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resources {
    /// `Resource`: these.
    Only(BTreeSet<PolicyText>),
    /// `NotResource`: all but these.
    AllExcept(BTreeSet<PolicyText>),
}

impl Resources {
    /// Every resource.
    #[must_use]
    pub fn any() -> Self {
        Self::Only(BTreeSet::from([PolicyText::literal("*")]))
    }
}

/// Whom a trust policy's statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Everybody; conditions narrow it down.
    Everyone,
    /// Whoever an account lets.
    Account(AccountId),
    /// These roles and users.
    Arns(BTreeSet<Arn>),
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everyone => serializer.serialize_str("*"),
            Self::Account(account) => {
                let mut principal = serializer.serialize_map(Some(1))?;
                principal.serialize_entry("AWS", account)?;
                principal.end()
            }
            Self::Arns(arns) => {
                let mut principal = serializer.serialize_map(Some(1))?;
                principal.serialize_entry("AWS", &OneOrMany(arns))?;
                principal.end()
            }
        }
    }
}

/// A statement's name, unique in its document. Source: IAM User Guide, "IAM JSON policy elements: Sid".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(Box<str>);

text_id!(Sid, "a statement id", "1 to 128 ASCII letters or digits", |text| {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
});
shown_as_is!(Sid);

/// One value stands alone, several in a list: the shorter form where there is a choice.
struct OneOrMany<'a, T>(&'a BTreeSet<T>);

impl<T: Serialize + Ord> Serialize for OneOrMany<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.first() {
            Some(only) if self.0.len() == 1 => only.serialize(serializer),
            _ => self.0.serialize(serializer),
        }
    }
}

fn minified(value: &impl Serialize) -> String {
    // INVARIANT: maps with string keys and strings only, for which serde_json has no error.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tripline_text::Untrusted;

    use super::super::{ConditionKey, Quota};
    use super::*;
    use crate::{TagKey, UniqueId};

    fn sid(text: &str) -> Sid {
        Sid::parse(text).unwrap()
    }

    fn patterns<const N: usize>(texts: [&str; N]) -> BTreeSet<ActionPattern> {
        texts.map(|text| ActionPattern::parse(text).unwrap()).into()
    }

    fn deny_all(conditions: Vec<Condition>) -> Result<Statement, InvalidStatement> {
        let actions = Actions::Only(BTreeSet::from([ActionPattern::any()]));
        Statement::new(sid("TriplineKill1"), Effect::Deny, actions, Resources::any(), conditions)
    }

    fn agent_is(value: &str) -> Condition {
        let key = ConditionKey::principal_tag(&TagKey::parse("AgentID").unwrap()).unwrap();
        let value = PolicyText::untrusted(&Untrusted::borrowed(value)).unwrap();
        Condition::new(Operator::StringEquals, key, value)
    }

    fn text_of(literal: &'static str) -> PolicyText {
        PolicyText::literal(literal)
    }

    #[test]
    fn trap_8_a_hostile_tag_value_matches_itself_only() {
        let document =
            PolicyDocument::new(vec![deny_all(vec![agent_is("a\"*${x}")]).unwrap()]).unwrap();
        assert_eq!(
            document.to_minified_json(),
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"TriplineKill1","Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/AgentID":"a\"${*}${$}{x}"}}}]}"#
        );
        assert_eq!(document.quota_chars(), document.to_minified_json().len());
        assert!(document.quota_chars() < Quota::RoleInline.chars());
    }

    #[test]
    fn a_session_is_cut_by_name_and_time() {
        let role = UniqueId::parse("AROATFQR7NSC6Q6YRQ2Q7").unwrap();
        let every_session = PolicyText::from(&role).followed_by(&text_of(":*"));
        let conditions = vec![
            Condition::new(Operator::StringLike, ConditionKey::USER_ID, every_session),
            Condition::new(
                Operator::DateLessThan,
                ConditionKey::TOKEN_ISSUE_TIME,
                PolicyText::unix_secs(1_795_168_800),
            ),
        ];
        assert_eq!(
            deny_all(conditions).unwrap().to_minified_json(),
            r#"{"Sid":"TriplineKill1","Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-11-20T10:00:00Z"},"StringLike":{"aws:userid":"AROATFQR7NSC6Q6YRQ2Q7:*"}}}"#
        );
    }

    #[test]
    fn a_fence_names_what_stays_allowed() {
        let statement = Statement::new(
            sid("TriplineFence1"),
            Effect::Deny,
            Actions::AllExcept(patterns(["s3:GetObject", "s3:List*"])),
            Resources::AllExcept(BTreeSet::from([
                text_of("arn:aws:s3:::b/*"),
                text_of("arn:aws:s3:::a"),
            ])),
            vec![],
        );
        assert_eq!(
            statement.unwrap().to_minified_json(),
            r#"{"Sid":"TriplineFence1","Effect":"Deny","NotAction":["s3:GetObject","s3:List*"],"NotResource":["arn:aws:s3:::a","arn:aws:s3:::b/*"]}"#
        );
    }

    #[test]
    fn a_trust_statement_has_a_principal_and_no_resource() {
        let trust = |principal| {
            let actions = Actions::Only(patterns(["sts:TagSession", "sts:AssumeRole"]));
            let statement = Statement::trust(sid("T"), Effect::Deny, principal, actions, vec![]);
            statement.unwrap().to_minified_json()
        };
        assert_eq!(
            trust(Principal::Everyone),
            r#"{"Sid":"T","Effect":"Deny","Principal":"*","Action":["sts:AssumeRole","sts:TagSession"]}"#
        );
        let account = AccountId::parse("000122223333").unwrap();
        assert!(
            trust(Principal::Account(account)).contains(r#""Principal":{"AWS":"000122223333"}"#)
        );
    }

    #[test]
    fn statements_that_would_not_do_what_they_say_are_refused() {
        let key = ConditionKey::SOURCE_IDENTITY;
        let empty = Condition::any_of(Operator::StringEquals, key.clone(), []);
        assert_eq!(deny_all(vec![empty]), Err(InvalidStatement::NoValues));
        let spelled = |key| Condition::new(Operator::StringEquals, key, text_of("a"));
        let twice = vec![spelled(key), spelled(ConditionKey::named("AWS:sourceidentity"))];
        assert_eq!(deny_all(twice), Err(InvalidStatement::RepeatedCondition));
        let same = vec![deny_all(vec![]).unwrap(), deny_all(vec![agent_is("a")]).unwrap()];
        assert_eq!(PolicyDocument::new(same), Err(InvalidStatement::RepeatedSid));
        let none = |actions, resources| {
            Statement::new(sid("S"), Effect::Deny, actions, resources, vec![]).unwrap_err()
        };
        assert_eq!(
            none(Actions::Only(BTreeSet::new()), Resources::any()),
            InvalidStatement::NoActions
        );
        assert_eq!(
            none(Actions::AllExcept(patterns(["*"])), Resources::Only(BTreeSet::new())),
            InvalidStatement::NoResources
        );
    }

    #[test]
    fn statement_ids_are_letters_and_digits() {
        for text in ["", "a-b", "a b", "é"] {
            assert!(Sid::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tag_keys_outside_iam_s_alphabet_cannot_be_conditions() {
        for text in ["a*", "a?", "${aws:x}", "a\"b", "日"] {
            assert!(ConditionKey::principal_tag(&TagKey::parse(text).unwrap()).is_err(), "{text}");
        }
        let key = ConditionKey::request_tag(&TagKey::parse("x509SAN/URI é").unwrap()).unwrap();
        assert_eq!(key.as_str(), "aws:RequestTag/x509SAN/URI é");
    }

    #[test]
    fn dates_stay_inside_what_iam_reads() {
        assert_eq!(PolicyText::unix_secs(-1).as_str(), "1970-01-01T00:00:00Z");
        assert_eq!(PolicyText::unix_secs(i64::MAX).as_str(), "9999-12-30T22:00:00Z");
    }

    proptest! {
        #[test]
        fn the_order_of_values_and_conditions_does_not_matter(
            mut names in prop::collection::vec("[\\x20-\\xff]{1,8}", 1..5), turn in 0_usize..5
        ) {
            let render = |names: &[String]| {
                let values = names.iter().map(|name| PolicyText::untrusted(&Untrusted::borrowed(name)).unwrap());
                let mut conditions = vec![
                    Condition::any_of(Operator::StringEquals, ConditionKey::SOURCE_IDENTITY, values),
                    agent_is("a"),
                ];
                conditions.rotate_left(turn % 2);
                deny_all(conditions).unwrap().to_minified_json()
            };
            let first = render(&names);
            let turn = turn % names.len();
            names.rotate_left(turn);
            prop_assert_eq!(render(&names), first);
        }
    }
}
