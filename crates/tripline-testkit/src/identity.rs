//! `userIdentity`: who CloudTrail says made the call.

use crate::civil;
use crate::json::Put;

/// The IAM role behind a session.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) account: String,
    pub(crate) name: String,
    /// `AROA...`
    pub(crate) id: String,
}

impl Role {
    pub(crate) fn arn(&self) -> String {
        // A reserved SSO role has a path, which its session ARN does not show.
        let path = if self.name.starts_with("AWSReservedSSO_") {
            "aws-reserved/sso.amazonaws.com/"
        } else {
            ""
        };
        format!("arn:aws:iam::{}:role/{path}{}", self.account, self.name)
    }

    /// The session's ARN.
    pub(crate) fn session_arn(&self, session_name: &str) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", self.account, self.name)
    }
}

/// The session part of an identity: everything that repeats on each call of one session.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// A role session.
    Role { role: Role, session_name: String },
    /// An IAM user, with a long-term key, or with a session of his own.
    User { account: String, name: String, id: String },
    /// `GetFederationToken`.
    Federated { account: String, name: String, user: String, user_id: String },
    /// `AssumeRoot` or the root user himself.
    Root { account: String },
}

/// One credential in use: what decides the `userIdentity` bytes.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) principal: Principal,
    /// Absent on some MCP calls.
    pub(crate) key: Option<String>,
    /// Absent on long-term keys.
    pub(crate) created: Option<i64>,
    pub(crate) mfa: bool,
    pub(crate) source_identity: Option<String>,
    pub(crate) sign_in_session: Option<String>,
    pub(crate) invoked_by: Option<&'static str>,
    /// More members of `sessionContext`, as JSON text with a leading comma.
    pub(crate) context: String,
    /// More members of `userIdentity`, as JSON text with a leading comma.
    pub(crate) more: String,
}

impl Credential {
    pub(crate) fn new(principal: Principal, key: String, created: Option<i64>) -> Self {
        Self {
            principal,
            key: Some(key),
            created,
            mfa: false,
            source_identity: None,
            sign_in_session: None,
            invoked_by: None,
            context: String::new(),
            more: String::new(),
        }
    }

    pub(crate) fn principal_id(&self) -> String {
        match &self.principal {
            Principal::Role { role, session_name } => format!("{}:{session_name}", role.id),
            Principal::User { id, .. } => id.clone(),
            Principal::Federated { account, name, .. } => format!("{account}:{name}"),
            Principal::Root { account } => account.clone(),
        }
    }

    pub(crate) fn arn(&self) -> String {
        match &self.principal {
            Principal::Role { role, session_name } => role.session_arn(session_name),
            Principal::User { account, name, .. } => format!("arn:aws:iam::{account}:user/{name}"),
            Principal::Federated { account, name, .. } => {
                format!("arn:aws:sts::{account}:federated-user/{name}")
            }
            Principal::Root { account } => format!("arn:aws:iam::{account}:root"),
        }
    }

    pub(crate) fn account(&self) -> &str {
        match &self.principal {
            Principal::Role { role, .. } => &role.account,
            Principal::User { account, .. }
            | Principal::Federated { account, .. }
            | Principal::Root { account } => account,
        }
    }

    /// The `userIdentity` object.
    pub(crate) fn identity(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(700);
        let kind = match &self.principal {
            Principal::Role { .. } => "AssumedRole",
            Principal::User { .. } => "IAMUser",
            Principal::Federated { .. } => "FederatedUser",
            Principal::Root { .. } => "Root",
        };
        out.text("{\"type\":");
        out.quoted(kind);
        member(&mut out, "principalId", &self.principal_id());
        member(&mut out, "arn", &self.arn());
        member(&mut out, "accountId", self.account());
        if let Some(key) = &self.key {
            member(&mut out, "accessKeyId", key);
        }
        if let Principal::User { name, .. } = &self.principal {
            member(&mut out, "userName", name);
        }
        if let Some(created) = self.created {
            self.session_context(&mut out, created);
        }
        if let Some(service) = self.invoked_by {
            member(&mut out, "invokedBy", service);
        }
        out.text(&self.more);
        out.push(b'}');
        out
    }

    fn session_context(&self, out: &mut Vec<u8>, created: i64) {
        out.text(",\"sessionContext\":{");
        match &self.principal {
            Principal::Role { role, .. } => {
                out.text("\"sessionIssuer\":{\"type\":\"Role\",\"principalId\":");
                out.quoted(&role.id);
                member(out, "arn", &role.arn());
                member(out, "accountId", &role.account);
                member(out, "userName", &role.name);
                out.text("},");
            }
            Principal::Federated { account, user, user_id, .. } => {
                out.text("\"sessionIssuer\":{\"type\":\"IAMUser\",\"principalId\":");
                out.quoted(user_id);
                member(out, "arn", &format!("arn:aws:iam::{account}:user/{user}"));
                member(out, "accountId", account);
                member(out, "userName", user);
                out.text("},");
            }
            // Empty objects, as real records of IAM users have them.
            Principal::User { .. } => out.text("\"sessionIssuer\":{},\"webIdFederationData\":{},"),
            Principal::Root { .. } => {}
        }
        out.text("\"attributes\":{\"creationDate\":\"");
        civil::iso(out, created);
        out.text("\",\"mfaAuthenticated\":\"");
        out.text(if self.mfa { "true\"}" } else { "false\"}" });
        if let Some(identity) = &self.source_identity {
            member(out, "sourceIdentity", identity);
        }
        if let Some(arn) = &self.sign_in_session {
            member(out, "signInSessionArn", arn);
        }
        out.text(&self.context);
        out.push(b'}');
    }
}

/// `,"name":"value"`
pub(crate) fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.text(",\"");
    out.text(name);
    out.text("\":");
    out.quoted(value);
}
