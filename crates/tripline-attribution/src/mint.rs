//! Records that create credentials.
//!
//! Session tags are logged in the record that created the session and nowhere else
//! (IAM/id_session-tags), so everything rests on joining a use to its mint.

use std::borrow::Cow;

use tripline_cloudtrail::{EventTime, Json, JsonText, Record};
use tripline_iam::{AccountId, TagKey};
use tripline_text::Untrusted;

use crate::rules::{AgentRules, tag_value};
use crate::used::{AnchorKind, Facts, is_key, is_long_lived};

/// What one record says of a fact.
#[derive(Clone, Debug)]
pub(crate) enum Told<T> {
    /// Records of this kind leave it out: another one may tell.
    Untold,
    /// That there is none.
    Nothing,
    /// This.
    Just(T),
}

/// A credential's creation as one record tells of it, as far as attribution needs it. Of the tags
/// only those that name agent, class, tenant and version are kept; of the response never more than ids.
#[derive(Debug)]
pub(crate) struct Mint<'a> {
    /// The access key that was created.
    pub(crate) key: Cow<'a, str>,
    pub(crate) time: EventTime,
    pub(crate) ends_by: EventTime,
    /// The session that created it.
    pub(crate) parent: Told<Facts<'a>>,
    pub(crate) agent: Told<Untrusted<'a>>,
    pub(crate) class: Told<Untrusted<'a>>,
    pub(crate) tenant: Told<Untrusted<'a>>,
    pub(crate) version: Told<Untrusted<'a>>,
    /// Whether the agent's tag is handed on to sessions minted from this one.
    pub(crate) transitive: Option<bool>,
    pub(crate) source_identity: Told<Untrusted<'a>>,
    pub(crate) role: Told<Untrusted<'a>>,
    /// `AROA…:session-name`, or `account:name` of a federated user.
    pub(crate) principal: Told<Untrusted<'a>>,
    pub(crate) account: Option<AccountId>,
}

/// Which service tells of a mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Teller {
    /// STS, or S3 Express, which is asked by itself.
    Source,
    /// A service that asks STS for its caller: STS logs the tags, this one the caller.
    Front,
}

impl<'a> Mint<'a> {
    /// The credential that `record` tells of, if it created one. A refused request creates none,
    /// whatever its tags say.
    pub(crate) fn of(record: &Record<'a>, rules: &AgentRules) -> Option<Self> {
        let teller = teller(record)?;
        let issued = issued(record)?;
        let request = Request::of(record);
        let (tags, transitive_keys) = request.tags();
        let caller = Facts::of(record);
        let chained = record.event_name().is("AssumeRole") && caller.role.is_some();
        let agent = tag_value(&rules.agent_tags, &tags);
        let transitive = agent.as_ref().is_some_and(|(key, _)| transitive_keys.contains(key));
        let of_request = |value| told(value, teller);
        let of_tag = |keys: &[TagKey]| of_request(tag_value(keys, &tags).map(|(_, value)| value));
        let user =
            issued.user.map(|user| user.get_each(["assumedRoleId", "federatedUserId", "arn"]));
        let [role_id, user_id, arn] = user.unwrap_or_default();
        let principal = text(role_id).or_else(|| text(user_id));
        let source_identity =
            text(request.source_identity).or_else(|| text(issued.source_identity));
        Some(Self {
            time: record.time(),
            ends_by: ends_by(record, &issued, request.duration_seconds, chained),
            parent: parent(record, caller, teller),
            agent: of_request(agent.map(|(_, name)| name)),
            class: of_tag(&rules.class_tags),
            tenant: of_tag(&rules.tenant_tags),
            version: of_tag(&rules.version_tags),
            transitive: (teller == Teller::Source).then_some(transitive),
            source_identity: of_request(source_identity),
            role: of_request(text(request.role_arn)),
            principal: of_request(principal),
            account: arn
                .and_then(|arn| tripline_iam::Arn::parse(&arn.text()?.decode()).ok())
                .and_then(|arn| arn.account()),
            key: issued.key,
        })
    }
}

/// Whether a record is of the kind that creates credentials: a cheap look, before the response is
/// read. Source of the list: the facts on STS, IAM Roles Anywhere, S3 Express, Access Grants,
/// Cognito and Identity Center.
#[inline]
pub fn may_mint(record: &Record<'_>) -> bool {
    teller(record).is_some()
}

/// Whether a record asked STS for a credential and tells of none: refused, or the answer is masked.
/// Of others' answers most are never logged.
pub fn is_failed_mint(record: &Record<'_>) -> bool {
    may_mint(record) && serves(record, "sts.") && issued(record).is_none()
}

/// Whose event it is does not matter much: what hands out an access key creates one.
#[inline]
fn teller(record: &Record<'_>) -> Option<Teller> {
    let mints = matches!(
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
    );
    if !mints {
        return None;
    }
    let is_source = serves(record, "sts.") || serves(record, "s3express.");
    Some(if is_source { Teller::Source } else { Teller::Front })
}

/// Whether the service of a record is the one with this name, in whatever partition.
fn serves(record: &Record<'_>, service: &str) -> bool {
    record.event_source().as_written().starts_with(service)
}

/// The service that asks STS for its caller's sake and logs the caller itself (Access Grants).
const ASKS_FOR_CALLERS: &str = "access-grants.s3.amazonaws.com";

fn parent<'a>(record: &Record<'a>, caller: Facts<'a>, teller: Teller) -> Told<Facts<'a>> {
    match caller.kind {
        AnchorKind::Key | AnchorKind::SignIn | AnchorKind::Console => Told::Just(caller),
        // In the role owner's copy of a call from another account the caller's key is missing.
        _ if record.shared_id().is_some() || teller == Teller::Front => Told::Untold,
        _ if record.identity().invoked_by().is_some_and(|by| by.is(ASKS_FOR_CALLERS)) => {
            Told::Untold
        }
        AnchorKind::Service | AnchorKind::Principal => Told::Nothing,
    }
}

/// A front's silence says nothing. What is masked was there.
fn told(value: Option<Untrusted<'_>>, teller: Teller) -> Told<Untrusted<'_>> {
    match value {
        Some(value) if is_masked(value.as_unescaped()) => Told::Untold,
        Some(value) => Told::Just(value),
        None if teller == Teller::Front => Told::Untold,
        None => Told::Nothing,
    }
}

/// What CloudTrail writes in place of what it withholds.
pub(crate) fn is_masked(text: &str) -> bool {
    text.starts_with("HIDDEN_DUE_TO_SECURITY_REASONS")
}

fn text(json: Option<Json<'_>>) -> Option<Untrusted<'_>> {
    Some(json?.text()?.untrusted())
}

/// A key that was handed out, and what stands around it. Nothing else of the credentials is looked
/// at.
struct Issued<'a> {
    key: Cow<'a, str>,
    expiration: Option<JsonText<'a>>,
    /// Who the key makes of its holder.
    user: Option<Json<'a>>,
    /// Of the whole response.
    source_identity: Option<Json<'a>>,
}

/// Only temporary keys are handed out by what is listed in [`teller`]: a record that says otherwise
/// is forged, and must not give a long-lived key to somebody.
fn issued<'a>(record: &Record<'a>) -> Option<Issued<'a>> {
    let response = record.response()?;
    if record.error_code().is_some() {
        return None;
    }
    let of = |credentials: Option<Json<'a>>| {
        let names = ["accessKeyId", "accessKey", "expiration"];
        let [id, key, expiration] =
            credentials?.get_each(names).map(|value| value.and_then(Json::text));
        let key = id.or(key)?.decode();
        (is_key(&key) && !is_long_lived(&key)).then_some((key, expiration))
    };
    let [credentials, of_role, set, assumed, federated, source_identity] = response.get_each([
        "credentials",
        "roleCredentials",
        "credentialSet",
        "assumedRoleUser",
        "federatedUser",
        "sourceIdentity",
    ]);
    if let Some((key, expiration)) = of(credentials).or_else(|| of(of_role)) {
        return Some(Issued { key, expiration, user: assumed.or(federated), source_identity });
    }
    // Roles Anywhere answers with a list, which holds one.
    set?.items().find_map(|item| {
        let [credentials, assumed, federated] =
            item.get_each(["credentials", "assumedRoleUser", "federatedUser"]);
        let (key, expiration) = of(credentials)?;
        Some(Issued { key, expiration, user: assumed.or(federated), source_identity })
    })
}

/// What counts of a request, found in one pass.
struct Request<'a> {
    role_arn: Option<Json<'a>>,
    source_identity: Option<Json<'a>>,
    duration_seconds: Option<Json<'a>>,
    tags: Option<Json<'a>>,
    principal_tags: Option<Json<'a>>,
    inherited_tags: Option<Json<'a>>,
    transitive_keys: Option<Json<'a>>,
}

impl<'a> Request<'a> {
    fn of(record: &Record<'a>) -> Self {
        let found = record.request().map(|request| {
            request.get_each([
                "roleArn",
                "sourceIdentity",
                "durationSeconds",
                "tags",
                "principalTags",
                "incomingTransitiveTags",
                "transitiveTagKeys",
            ])
        });
        let [
            role_arn,
            source_identity,
            duration_seconds,
            tags,
            principal_tags,
            inherited_tags,
            transitive_keys,
        ] = found.unwrap_or_default();
        Self {
            role_arn,
            source_identity,
            duration_seconds,
            tags,
            principal_tags,
            inherited_tags,
            transitive_keys,
        }
    }

    /// The session tags, in all three shapes, and which of them are handed on: `tags` is a list of key
    /// and value, `principalTags` (SAML, web identity) and `incomingTransitiveTags` (inherited, hence
    /// handed on) are maps.
    fn tags(&self) -> (Vec<(TagKey, Untrusted<'a>)>, Vec<TagKey>) {
        let (mut tags, mut transitive) = (Vec::new(), Vec::new());
        let key_of = |text: JsonText<'_>| TagKey::parse(&text.decode()).ok();
        for tag in self.tags.into_iter().flat_map(Json::items) {
            let [key, value] = tag.get_each(["key", "value"]).map(|it| it.and_then(Json::text));
            if let (Some(key), Some(value)) = (key, value) {
                tags.extend(key_of(key).map(|key| (key, value.untrusted())));
            }
        }
        for (map, inherited) in [(self.principal_tags, false), (self.inherited_tags, true)] {
            for (key, value) in map.into_iter().flat_map(Json::members) {
                if let (Some(key), Some(value)) = (key_of(key), value.text()) {
                    if inherited {
                        transitive.push(key.clone());
                    }
                    tags.push((key, value.untrusted()));
                }
            }
        }
        let listed = self.transitive_keys.into_iter().flat_map(Json::items);
        transitive.extend(listed.filter_map(|item| key_of(item.text()?)));
        // A key twice cannot be; where it is all the same, the order must not matter.
        tags.sort();
        (tags, transitive)
    }
}

/// When the credential ends at the latest. `expiration` is a localised text of a few shapes: it
/// counts only where the request leaves the length to the service, and only within its bounds.
fn ends_by(
    record: &Record<'_>,
    issued: &Issued<'_>,
    asked: Option<Json<'_>>,
    chained: bool,
) -> EventTime {
    let (default_secs, secs_max) = life_secs(record, chained);
    let asked = asked.and_then(Json::text).and_then(|text| {
        // Some shippers write numbers as floats.
        text.decode().split('.').next()?.parse::<i64>().ok()
    });
    if let Some(asked) = asked {
        return record.time().plus_secs(asked.clamp(0, secs_max));
    }
    let told = issued.expiration.and_then(|text| EventTime::parse(&text.decode()));
    let longest = record.time().plus_secs(secs_max);
    record.time().plus_secs(default_secs).max(told.unwrap_or(EventTime::EPOCH).min(longest))
}

/// Default and longest life of what an API mints, in seconds. Sources: `DurationSeconds` of each in
/// the STS, Roles Anywhere and S3 API references; IAM/id_roles_terms (chained roles: one hour);
/// Identity Center's permission sets last up to twelve hours and no record says how long.
fn life_secs(record: &Record<'_>, chained: bool) -> (i64, i64) {
    match record.event_name().as_written() {
        "GetFederationToken" | "GetSessionToken" => (43_200, 129_600),
        "AssumeRoot" => (900, 900),
        "CreateSession" if serves(record, "s3express.") => (300, 300),
        "GetRoleCredentials" => (43_200, 43_200),
        "AssumeRole" if chained => (3_600, 3_600),
        _ => (3_600, 43_200),
    }
}
