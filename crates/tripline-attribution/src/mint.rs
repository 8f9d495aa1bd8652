//! Records that create credentials.
//!
//! Session tags are logged in the record that created the session and nowhere else
//! (IAM/id_session-tags), so everything rests on joining a use to its mint.

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::{EventId, EventTime, Json, JsonText, Record, SharedEventId};
use tripline_iam::{AccountId, TagKey};
use tripline_text::Untrusted;

use crate::rules::{AgentRules, tag_value};
use crate::used::{AnchorKind, Facts, is_key};

/// What a mint is known by: its record, or what the copies of it in two accounts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum MintId {
    Shared(SharedEventId),
    Record(EventId),
}

/// A credential's creation, as far as attribution needs it. Of the tags only those that name agent,
/// class and tenant are kept; of the response never more than ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mint {
    /// The access key that was created.
    pub(crate) key: Box<str>,
    pub(crate) id: MintId,
    pub(crate) time: EventTime,
    /// The session that created it.
    pub(crate) parent: Option<(AnchorKind, Box<str>)>,
    pub(crate) agent: Option<Untrusted<'static>>,
    pub(crate) class: Option<Untrusted<'static>>,
    pub(crate) tenant: Option<Untrusted<'static>>,
    /// Whether the agent's tag is handed on to sessions minted from this one.
    pub(crate) transitive: bool,
    pub(crate) source_identity: Option<Untrusted<'static>>,
    pub(crate) role: Option<Untrusted<'static>>,
    /// `AROA…:session-name`, or `account:name` of a federated user.
    pub(crate) principal: Option<Untrusted<'static>>,
    pub(crate) account: Option<AccountId>,
    pub(crate) ends_by: EventTime,
}

/// Default and longest life of what an API mints, in seconds. Sources: the STS API reference
/// (`DurationSeconds` of each), S3 CreateSession, IAM/id_roles_terms (chained roles: one hour).
fn life_secs(event: &str, chained: bool) -> (i64, i64) {
    match event {
        "GetFederationToken" => (43_200, 129_600),
        "GetSessionToken" => (43_200, 129_600),
        "AssumeRoot" => (900, 900),
        "CreateSession" => (300, 43_200),
        _ if chained => (3_600, 3_600),
        _ => (3_600, 43_200),
    }
}

impl Mint {
    /// The credential that `record` tells of, if it created one. A refused request creates none,
    /// whatever its tags say.
    pub(crate) fn of(record: &Record<'_>, rules: &AgentRules) -> Option<Self> {
        let response = record.response()?;
        if record.error_code().is_some() || !may_mint(record) {
            return None;
        }
        let key = child_key(response)?;
        let facts = Facts::of(record);
        let request = record.request();
        let (tags, transitive_keys) = tags(request);
        let agent = tag_value(&rules.agent_tags, &tags).cloned();
        let is_transitive = |key: &TagKey| transitive_keys.contains(key);
        let parent = match facts.kind {
            AnchorKind::Key | AnchorKind::SignIn | AnchorKind::Console => {
                Some((facts.kind, facts.id.as_unescaped().into()))
            }
            AnchorKind::Service | AnchorKind::Principal => None,
        };
        let text =
            |json: Option<Json<'_>>, key| Some(json?.get_text(key)?.untrusted().into_owned());
        let assumed = response.get("assumedRoleUser");
        let principal = text(assumed, "assumedRoleId")
            .or_else(|| text(response.get("federatedUser"), "federatedUserId"));
        let chained = parent.is_some() && facts.role.is_some();
        let (default_secs, secs_max) = life_secs(&record.event_name().decode(), chained);
        let asked = request.and_then(|request| request.get_text("durationSeconds"));
        let asked = asked.and_then(|text| text.decode().parse::<i64>().ok());
        Some(Self {
            id: record.shared_id().map_or_else(|| MintId::Record(record.id()), MintId::Shared),
            time: record.time(),
            transitive: agent.is_some() && rules.agent_tags.iter().any(is_transitive),
            class: tag_value(&rules.class_tags, &tags).cloned(),
            tenant: tag_value(&rules.tenant_tags, &tags).cloned(),
            source_identity: text(request, "sourceIdentity")
                .or_else(|| text(Some(response), "sourceIdentity")),
            role: text(request, "roleArn"),
            account: account_of(assumed, response),
            ends_by: record.time().plus_secs(asked.unwrap_or(default_secs).clamp(0, secs_max)),
            key,
            parent,
            agent,
            principal,
        })
    }
}

/// Whether a record is of the kind that may create credentials: a cheap look, before the response is
/// read. Source of the list: the facts on STS, IAM Roles Anywhere, S3 Express, Access Grants,
/// Cognito and Identity Center.
pub(crate) fn may_mint(record: &Record<'_>) -> bool {
    matches!(
        record.event_name().as_written(),
        "AssumeRole"
            | "AssumeRoleWithSAML"
            | "AssumeRoleWithWebIdentity"
            | "AssumeRoot"
            | "GetFederationToken"
            | "GetSessionToken"
            | "GetDelegatedAccessToken"
            | "CreateSession"
            | "GetDataAccess"
            | "GetCredentialsForIdentity"
            | "GetRoleCredentials"
    )
}

/// The access key that a response hands out. Nothing else of the credentials is looked at.
fn child_key(response: Json<'_>) -> Option<Box<str>> {
    let of = |credentials: Json<'_>| {
        let text =
            credentials.get_text("accessKeyId").or_else(|| credentials.get_text("accessKey"));
        let key = text?.decode();
        is_key(&key).then(|| Box::from(&*key))
    };
    let set =
        || response.get("credentialSet")?.items().find_map(|item| of(item.get("credentials")?));
    response
        .get("credentials")
        .and_then(of)
        .or_else(|| response.get("roleCredentials").and_then(of))
        .or_else(set)
}

fn account_of(assumed: Option<Json<'_>>, response: Json<'_>) -> Option<AccountId> {
    let user = assumed.or_else(|| response.get("federatedUser"))?;
    tripline_iam::Arn::parse(&user.get_text("arn")?.decode()).ok()?.account()
}

/// The session tags of a request, in all three shapes, and which of them are handed on: `tags` is a
/// list of key and value, `principalTags` (SAML, web identity) and `incomingTransitiveTags`
/// (inherited, hence handed on) are maps.
fn tags(request: Option<Json<'_>>) -> (Vec<(TagKey, Untrusted<'static>)>, Vec<TagKey>) {
    let (mut tags, mut transitive) = (Vec::new(), Vec::new());
    let Some(request) = request else { return (tags, transitive) };
    let key_of = |text: JsonText<'_>| TagKey::parse(&text.decode()).ok();
    for tag in request.get("tags").into_iter().flat_map(Json::items) {
        if let (Some(key), Some(value)) = (tag.get_text("key"), tag.get_text("value")) {
            tags.extend(key_of(key).map(|key| (key, value.untrusted().into_owned())));
        }
    }
    for (map, inherited) in [("principalTags", false), ("incomingTransitiveTags", true)] {
        for (key, value) in request.get(map).into_iter().flat_map(Json::members) {
            if let (Some(key), Some(value)) = (key_of(key), value.text()) {
                if inherited {
                    transitive.push(key.clone());
                }
                tags.push((key, value.untrusted().into_owned()));
            }
        }
    }
    let listed = request.get("transitiveTagKeys").into_iter().flat_map(Json::items);
    transitive.extend(listed.filter_map(|item| key_of(item.text()?)));
    // A key twice cannot be; where it is all the same, the order must not matter.
    tags.sort();
    (tags, transitive)
}
