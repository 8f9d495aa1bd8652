//! What a role's trust policy says about who may carry which name.

use std::collections::BTreeMap;

use serde::Deserialize;
use tripline_iam::{Arn, TagKey};

use crate::one_or_many::OneOrMany;

/// Whether only callers whom the policy names, each held to a name by it, can mint sessions of the
/// role that carry this tag. Only then is the tag a key that the agent cannot put on itself or on a
/// sibling. A policy that cannot be read pins nothing.
pub fn pins_tag(trust: &str, tag: &TagKey, role: &Arn) -> bool {
    let key = format!("aws:requesttag/{}", tag.untrusted().as_unescaped().to_lowercase());
    pins(trust, &key, role)
}

/// The same of the source identity.
pub fn pins_source_identity(trust: &str, role: &Arn) -> bool {
    pins(trust, "sts:sourceidentity", role)
}

fn pins(trust: &str, key: &str, role: &Arn) -> bool {
    let Ok(policy) = serde_json::from_str::<Policy>(trust) else { return false };
    let statements = match policy.statement {
        Statements::One(one) => vec![*one],
        Statements::Many(many) => many,
    };
    statements
        .iter()
        .filter(|statement| statement.effect != "Deny")
        .all(|statement| statement.pins(key, role))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    statement: Statements,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Statements {
    One(Box<Statement>),
    Many(Vec<Statement>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: String,
    principal: Option<Principals>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Principals {
    /// `"*"`, the only plain text there is.
    Plain(#[expect(dead_code, reason = "whatever it says, it names nobody")] String),
    ByKind(BTreeMap<String, OneOrMany>),
}

impl Statement {
    fn pins(&self, key: &str, role: &Arn) -> bool {
        // `NotPrincipal` names everybody but a few.
        let Some(Principals::ByKind(kinds)) = &self.principal else { return false };
        kinds.iter().all(|(kind, names)| match kind.as_str() {
            // A service passes no tags and no source identity of the caller's choice.
            "Service" => true,
            // What a token of an identity provider says is signed by it.
            "Federated" => true,
            "AWS" => names.all(|name| is_one_other(name, role)) && self.holds_to_a_value(key),
            _ => false,
        })
    }

    fn holds_to_a_value(&self, key: &str) -> bool {
        self.condition.iter().any(|(operator, keys)| {
            operator == "StringEquals" && keys.keys().any(|named| named.to_lowercase() == key)
        })
    }
}

/// Whether a principal is one role, user or session other than the role itself: an account lets in
/// whomever its own policies let, and a role that trusts itself lets the agent rename itself.
fn is_one_other(name: &str, role: &Arn) -> bool {
    let Ok(arn) = Arn::parse(name) else { return false };
    let resource = arn.resource();
    let resource = resource.as_unescaped();
    let names_one = resource != "root" && !resource.contains(['*', '?', '$']);
    names_one && (arn.account(), arn.role_name()) != (role.account(), role.role_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(statements: &str) -> bool {
        let tag = TagKey::parse("AgentID").unwrap();
        let role = Arn::parse("arn:aws:iam::111122223333:role/path/Agent").unwrap();
        pins_tag(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#), &tag, &role)
    }

    fn allow(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{condition}}}"#
        )
    }

    #[test]
    fn a_tag_is_pinned_where_named_callers_are_held_to_it() {
        let runner = r#"{"AWS":"arn:aws:iam::111122223333:role/Runner"}"#;
        let held = r#"{"StringEquals":{"aws:requesttag/agentid":["a","b"]}}"#;
        assert!(pinned(&allow(runner, held)));
        assert!(pinned(&format!(
            "[{},{}]",
            allow(runner, held),
            allow(r#"{"Service":"ec2.amazonaws.com"}"#, "{}")
        )));
        for (principal, condition) in [
            (runner, "{}"),
            (runner, r#"{"StringLike":{"aws:RequestTag/AgentID":"*"}}"#),
            (runner, r#"{"StringEquals":{"aws:RequestTag/Team":"x"}}"#),
            (r#""*""#, held),
            (r#"{"AWS":"*"}"#, held),
            (r#"{"AWS":"111122223333"}"#, held),
            (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, held),
            (
                r#"{"AWS":["arn:aws:iam::111122223333:role/Runner","arn:aws:iam::111122223333:role/path/Agent"]}"#,
                held,
            ),
        ] {
            assert!(!pinned(&allow(principal, condition)), "{principal} {condition}");
        }
        assert!(!pinned(&format!("[{},{}]", allow(runner, held), allow(runner, "{}"))));
        let others =
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}"#;
        assert!(!pinned(others));
        assert!(!pinned("\"x\""));
    }
}
