//! Whom the statements of a policy document let in.

use std::borrow::Cow;

use tripline_cloudtrail::{Json, JsonText};

/// The longest document looked into, in bytes. Policies have at most 20 KB (S3's; IAM's have 10).
const DOCUMENT_BYTES_MAX: usize = 128 * 1024;

/// Whom a document lets in beyond the account itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Nobody else, or services and identity providers only.
    #[default]
    Inside,
    /// Principals of an account that is not one's own.
    OtherAccount,
    /// Everybody.
    Anyone,
}

/// The widest reach of the Allow statements of a policy: a JSON object, or one written as a string.
/// `is_own` says whether an account is one's own.
pub(super) fn reach(policy: Json<'_>, is_own: &dyn Fn(&str) -> bool) -> Reach {
    match policy.text().map(JsonText::decode) {
        Some(text) if text.len() > DOCUMENT_BYTES_MAX => Reach::Inside,
        Some(text) => {
            Json::first_in(&text).map_or(Reach::Inside, |policy| document(policy, is_own))
        }
        None => document(policy, is_own),
    }
}

fn document(policy: Json<'_>, is_own: &dyn Fn(&str) -> bool) -> Reach {
    let Some(statements) = policy.get("Statement") else { return Reach::Inside };
    one_or_many(statements)
        .map(|statement| self::statement(statement, is_own))
        .max()
        .unwrap_or_default()
}

fn statement(statement: Json<'_>, is_own: &dyn Fn(&str) -> bool) -> Reach {
    if !statement.get_text("Effect").is_some_and(|effect| effect.is("Allow")) {
        return Reach::Inside;
    }
    let reach = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        // Everybody but the ones named.
        (_, Some(_)) => Reach::Anyone,
        (Some(principal), None) => match principal.get("AWS") {
            Some(principals) => {
                one_or_many(principals).map(|it| named(it, is_own)).max().unwrap_or_default()
            }
            None => named(principal, is_own),
        },
        (None, None) => Reach::Inside,
    };
    match statement.get("Condition") {
        Some(condition) if reach == Reach::Anyone => narrowed(condition, is_own),
        _ => reach,
    }
}

/// The reach of one principal: `*`, an account id or an ARN.
pub(super) fn named(principal: Json<'_>, is_own: &dyn Fn(&str) -> bool) -> Reach {
    let Some(text) = principal.text() else { return Reach::Inside };
    let text = text.decode();
    if text == "*" {
        return Reach::Anyone;
    }
    // An account id alone, or the fifth part of an ARN; unique ids (`AROA…`) name no account.
    let account =
        if text.starts_with("arn:") { text.split(':').nth(4) } else { Some(text.as_ref()) };
    match account {
        Some(account) if is_account(account) && !is_own(account) => Reach::OtherAccount,
        _ => Reach::Inside,
    }
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Condition keys that tie a statement to particular callers.
///
/// Source: S3/access-control-block-public-access, "the meaning of public", with the organisation's
/// keys and KMS's own.
const CALLER_KEYS: [&str; 17] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:username",
    "kms:calleraccount",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// What "everybody" comes to under a condition. It ties the statement to particular callers by an
/// operator that is not negated and must be present, a key that says who calls, and no value that
/// means anybody; values that name accounts then say whose callers they are.
fn narrowed(condition: Json<'_>, is_own: &dyn Fn(&str) -> bool) -> Reach {
    let mut reach = Reach::Anyone;
    for (operator, tests) in condition.members() {
        let operator = operator.decode();
        if ["Not", "IfExists", "ForAllValues", "Null"].iter().any(|word| operator.contains(word)) {
            continue;
        }
        for (key, values) in tests.members() {
            let key = key.decode().to_ascii_lowercase();
            if CALLER_KEYS.contains(&key.as_str()) && !one_or_many(values).any(means_anybody) {
                // Conditions add up: the narrowest of them holds.
                let named = one_or_many(values).map(|value| named(value, is_own)).max();
                reach = reach.min(named.unwrap_or_default());
            }
        }
    }
    reach
}

fn means_anybody(value: Json<'_>) -> bool {
    let text = value.text().map(JsonText::decode).unwrap_or(Cow::Borrowed("*"));
    text.bytes().all(|byte| matches!(byte, b'*' | b':' | b'?')) || text.ends_with("/0")
}

/// The items of an array, or the value itself.
fn one_or_many(value: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    let is_array = value.as_written().starts_with('[');
    (!is_array).then_some(value).into_iter().chain(value.items())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(policy: &str) -> Reach {
        reach(Json::first_in(policy).unwrap(), &|account| account == "111111111111")
    }

    fn of_statement(inside: &str) -> Reach {
        of(&format!(r#"{{"Statement":[{{"Effect":"Allow","Action":"s3:*",{inside}}}]}}"#))
    }

    #[test]
    fn principals_are_told_apart() {
        assert_eq!(of_statement(r#""Principal":"*""#), Reach::Anyone);
        assert_eq!(
            of_statement(r#""Principal":{"AWS":["arn:aws:iam::111111111111:root","*"]}"#),
            Reach::Anyone
        );
        assert_eq!(of_statement(r#""NotPrincipal":{"AWS":"111111111111"}"#), Reach::Anyone);
        assert_eq!(of_statement(r#""Principal":{"AWS":"222222222222"}"#), Reach::OtherAccount);
        assert_eq!(
            of_statement(r#""Principal":{"AWS":"arn:aws:iam::222222222222:role/x"}"#),
            Reach::OtherAccount
        );
        assert_eq!(
            of_statement(r#""Principal":{"AWS":"arn:aws:iam::111111111111:root"}"#),
            Reach::Inside
        );
        assert_eq!(of_statement(r#""Principal":{"Service":"ec2.amazonaws.com"}"#), Reach::Inside);
        assert_eq!(of_statement(r#""Resource":"*""#), Reach::Inside);
        assert_eq!(of(r#"{"Statement":{"Effect":"Deny","Principal":"*"}}"#), Reach::Inside);
    }

    #[test]
    fn documents_come_as_strings_too() {
        assert_eq!(
            of(r#""{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\"}}""#),
            Reach::Anyone
        );
        assert_eq!(of("\"\""), Reach::Inside);
    }

    #[test]
    fn only_a_condition_on_the_caller_narrows() {
        let with = |condition: &str| {
            of_statement(&format!(r#""Principal":"*","Condition":{{{condition}}}"#))
        };
        assert_eq!(with(r#""StringEquals":{"aws:PrincipalOrgID":"o-1"}"#), Reach::Inside);
        assert_eq!(
            with(r#""StringEquals":{"aws:PrincipalAccount":"222222222222"}"#),
            Reach::OtherAccount
        );
        assert_eq!(
            with(r#""StringEquals":{"aws:PrincipalAccount":"111111111111"}"#),
            Reach::Inside
        );
        assert_eq!(
            with(r#""IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}"#),
            Reach::Inside
        );
        for loose in [
            r#""Bool":{"aws:SecureTransport":"true"}"#,
            r#""StringNotEquals":{"aws:PrincipalOrgID":"o-1"}"#,
            r#""StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}"#,
            r#""IpAddress":{"aws:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}"#,
            r#""IpAddress":{"aws:SourceIp":"::/0"}"#,
            r#""StringLike":{"aws:PrincipalArn":"*"}"#,
        ] {
            assert_eq!(with(loose), Reach::Anyone, "{loose}");
        }
    }
}
