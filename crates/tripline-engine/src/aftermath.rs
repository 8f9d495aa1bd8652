//! What the logs tell of an agent that was, or is to be, contained: whether it goes on, who undoes the
//! kill, and what it left behind.

use std::collections::{BTreeMap, BTreeSet};

use tripline_baseline::each_resource;
use tripline_cloudtrail::{EventTime, Json, Record, RecordKind};
use tripline_containment::{Created, Event, Place, Plan, Subject};
use tripline_iam::{
    AccessKeyId, AccessLevel, AccountId, Action, Arn, Catalogue, Risk, RoleName, UserName,
};
use tripline_text::Untrusted;

/// Sessions by what their records are known by: the access key, or the sign-in session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeSet<Untrusted<'static>>);

impl Marks {
    /// Those of these sessions, by their anchors.
    pub fn of<'i>(ids: impl IntoIterator<Item = Untrusted<'i>>) -> Self {
        Self(ids.into_iter().map(Untrusted::into_owned).collect())
    }

    /// The session of a record, if it is one of these.
    fn session(&self, record: &Record<'_>) -> Option<&Untrusted<'static>> {
        let identity = record.identity();
        let marks = [identity.session().sign_in_session_arn(), identity.access_key()];
        marks.into_iter().flatten().find_map(|mark| self.0.get(&mark.untrusted().into_owned()))
    }
}

/// Watches the logs after a plan was carried out.
#[derive(Clone, Debug)]
pub struct Watch<'p> {
    plan: &'p Plan,
    marks: Marks,
    responder: Arn,
}

/// Calls that can undo a kill (facts, 4.6).
const UNDOING: &[&str] = &[
    "DeleteRolePolicy",
    "PutRolePolicy",
    "UpdateAssumeRolePolicy",
    "DetachRolePolicy",
    "DeleteUserPolicy",
    "PutUserPolicy",
    "DetachUserPolicy",
    "UpdateAccessKey",
    "DeleteRole",
];

impl<'p> Watch<'p> {
    /// Watches for what the plan cut off. The responder's own calls undo nothing.
    pub fn new(plan: &'p Plan, responder: Arn) -> Self {
        let marks = Marks::of(plan.sessions.iter().map(|session| session.id.reborrow()));
        Self { plan, marks, responder }
    }

    /// What a record says of it, if anything.
    pub fn look(&self, record: &Record<'_>) -> Option<Event> {
        if let Some(session) = self.marks.session(record)
            && let Some(was_denied) = outcome(record)
        {
            let at_unix_secs = record.time().unix_secs();
            return Some(Event::Sighted { session: session.clone(), was_denied, at_unix_secs });
        }
        let place = self.undone(record)?;
        let by = record.identity().arn().map(|arn| arn.untrusted().into_owned());
        Some(Event::Stripped { place, by })
    }

    fn undone(&self, record: &Record<'_>) -> Option<Place> {
        if !record.event_source().is("iam.amazonaws.com") || record.error_code().is_some() {
            return None;
        }
        let name = record.event_name().decode();
        if !UNDOING.contains(&&*name) || self.is_responder(record) {
            return None;
        }
        let account = record.recipient_account().or_else(|| record.identity().account())?;
        let request = record.request()?;
        let subject = subject(request, account)?;
        let about_trust = name == "UpdateAssumeRolePolicy";
        let about_key = name == "UpdateAccessKey";
        let places = self.plan.steps.iter().flat_map(|step| {
            [Some(step.place.clone()), step.place.fallback()].into_iter().flatten()
        });
        let hit = |place: &Place| {
            place.subject() == subject
                && match place {
                    Place::Trust { .. } => about_trust,
                    Place::Key { key, .. } => {
                        about_key
                            && request.get_text("accessKeyId").is_some_and(|id| id.is(key.as_str()))
                    }
                    Place::Inline(_) | Place::Managed(_) => !about_trust && !about_key,
                }
        };
        let mut places = places;
        places.find(hit)
    }

    /// A session's ARN leaves out the role's path: account and name are compared.
    fn is_responder(&self, record: &Record<'_>) -> bool {
        let who = record.identity().arn().and_then(|arn| Arn::parse(&arn.decode()).ok());
        who.is_some_and(|who| {
            who == self.responder
                || (who.role_name().is_some()
                    && (who.account(), who.role_name())
                        == (self.responder.account(), self.responder.role_name()))
        })
    }
}

/// Kinds of policies, as error messages name them, of which we write none (IAM User Guide,
/// "Troubleshoot access denied error messages").
const OTHER_KINDS: &[&str] = &[
    "service control policy",
    "resource control policy",
    "permissions boundary",
    "resource-based policy",
    "session policy",
    "endpoint policy",
];

/// A call that no policy can refuse.
pub(crate) const ALWAYS_WORKS: &str = "GetCallerIdentity";

/// Whether a call was refused by an explicit Deny, or succeeded; none where it proves neither.
///
/// A call that failed for another reason (no such bucket) may
/// have been allowed; one refused without the word "explicit" may never have been allowed.
pub(crate) fn outcome(record: &Record<'_>) -> Option<bool> {
    if record.kind() != RecordKind::Log || record.is_event("sts.amazonaws.com", ALWAYS_WORKS) {
        return None;
    }
    let Some(code) = record.error_code() else { return Some(false) };
    let message = record.error_message().map(|message| message.decode().to_lowercase());
    // Ours are identity-based policies; a Deny of another kind was there before and proves nothing.
    let explicit = message.is_some_and(|message| {
        message.contains("explicit deny") && !OTHER_KINDS.iter().any(|kind| message.contains(kind))
    });
    let dead_key = code.is("InvalidClientTokenId") || code.is("InvalidAccessKeyId");
    ((record.is_denied() && explicit) || dead_key).then_some(true)
}

fn subject(request: Json<'_>, account: AccountId) -> Option<Subject> {
    if let Some(role) = request.get_text("roleName") {
        let name = RoleName::parse(&role.decode()).ok()?;
        return Some(Subject::Role { account, name });
    }
    let name = UserName::parse(&request.get_text("userName")?.decode()).ok()?;
    Some(Subject::User { account, name })
}

/// What sessions did that stays: written, created, opened to others, and read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// By kind and action, how often and to what.
    pub done: BTreeMap<(Harm, Action), Deeds>,
    /// Principals and credentials they made.
    pub created: BTreeSet<Created>,
    /// The first and the last call that succeeded.
    pub span: Option<(EventTime, EventTime)>,
}

/// What a call did, by how much it matters afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Opened something to others.
    Shared,
    /// Made something, or changed permissions.
    Created,
    /// Destroyed or locked away.
    Destroyed,
    /// Changed.
    Wrote,
    /// Read what is stored, or credentials.
    Read,
}

/// How often, and to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Calls that succeeded.
    pub count: u64,
    /// Their resources, the first [`RESOURCES_MAX`] of them.
    pub resources: BTreeSet<Untrusted<'static>>,
    /// How many more there were that are not listed.
    pub not_listed: u64,
}

/// How many resources are kept of each action: enough to act on, however much was copied.
pub const RESOURCES_MAX: usize = 20;

impl Damage {
    /// Notes a record, if it is a call of one of these sessions that succeeded and left something.
    pub fn note(&mut self, record: &Record<'_>, marks: &Marks) {
        if record.kind() != RecordKind::Log
            || record.error_code().is_some()
            || marks.session(record).is_none()
        {
            return;
        }
        let time = record.time();
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
        self.created.extend(created(record));
        let action =
            Action::from_event(&record.event_source().decode(), &record.event_name().decode());
        let Some(harm) = harm(&action) else { return };
        let deeds = self.done.entry((harm, action)).or_default();
        deeds.count = deeds.count.saturating_add(1);
        let mut scratch = String::new();
        each_resource(record, &mut scratch, &mut |resource| {
            if deeds.resources.len() < RESOURCES_MAX {
                deeds.resources.insert(Untrusted::new(resource.to_owned()));
            } else if !deeds.resources.contains(&Untrusted::borrowed(resource)) {
                deeds.not_listed = deeds.not_listed.saturating_add(1);
            }
        });
    }
}

fn harm(action: &Action) -> Option<Harm> {
    let entry = Catalogue::find(action)?;
    let risks = entry.risks();
    let makes = ["Create", "Run", "Register", "Import", "Invite", "Start"];
    Some(match entry.level() {
        _ if risks.contains(Risk::ResourceExposure) => Harm::Shared,
        _ if risks.contains(Risk::Destruction) => Harm::Destroyed,
        AccessLevel::PermissionsManagement => Harm::Created,
        AccessLevel::Write if makes.iter().any(|word| action.name().starts_with(word)) => {
            Harm::Created
        }
        AccessLevel::Write | AccessLevel::Tagging => Harm::Wrote,
        AccessLevel::List | AccessLevel::Read => {
            let reads = [Risk::DataAccess, Risk::CredentialExposure];
            return reads.iter().any(|risk| risks.contains(*risk)).then_some(Harm::Read);
        }
    })
}

/// The principal or credential that a call made.
fn created(record: &Record<'_>) -> Option<Created> {
    if !record.event_source().is("iam.amazonaws.com") {
        return None;
    }
    let account = record.recipient_account().or_else(|| record.identity().account())?;
    let made = |part: &str, field: &str| {
        Some(record.response()?.get(part)?.get_text(field)?.decode().into_owned())
    };
    let user = |name: String| UserName::parse(&name).ok();
    match &*record.event_name().decode() {
        "CreateAccessKey" => Some(Created::Key {
            account,
            user: made("accessKey", "userName").and_then(user)?,
            key: AccessKeyId::parse(&made("accessKey", "accessKeyId")?).ok()?,
        }),
        "CreateUser" => {
            Some(Created::User { account, name: made("user", "userName").and_then(user)? })
        }
        "CreateLoginProfile" => {
            Some(Created::User { account, name: made("loginProfile", "userName").and_then(user)? })
        }
        "CreateRole" => {
            Some(Created::Role { account, name: RoleName::parse(&made("role", "roleName")?).ok()? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tripline_containment::{
        Grounds, IncidentId, RoleFacts, SessionKind, Target, TargetSession, plan_kill,
    };
    use tripline_iam::PrincipalId;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/agents/Agent";

    fn plan() -> Plan {
        let arn = Arn::parse(ROLE).unwrap();
        let session = TargetSession {
            id: Untrusted::borrowed("ASIAMINEMINEMINEMINE"),
            kind: SessionKind::Role,
            principal: PrincipalId::parse("AROAAGENTAGENTAGENTA:run").ok(),
            minted_by: None,
            is_chained: false,
            role: Some(arn.clone()),
            user: None,
            account: None,
            minted_unix_secs: 0,
            ends_by_unix_secs: 3_600,
        };
        let target = Target {
            agent: None,
            agent_tag: None,
            source_identity: None,
            incident: IncidentId::new(1),
            sessions: vec![session],
            roles: vec![RoleFacts { arn, other_users: Some(1), whole: false, described: None }],
            created: Vec::new(),
            contain_created: false,
            protected: Default::default(),
            management_accounts: Default::default(),
            now_unix_secs: 60,
        };
        plan_kill(&target, Grounds::LiveSession).unwrap()
    }

    fn record(key: &str, source: &str, name: &str, rest: &str) -> String {
        format!(
            r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAX:s","arn":"arn:aws:sts::111122223333:assumed-role/Other/s","accountId":"111122223333","accessKeyId":"{key}"}},"eventTime":"2026-11-20T10:00:00Z","eventSource":"{source}","eventName":"{name}","awsRegion":"us-east-1","eventID":"0-{name}","recipientAccountId":"111122223333","eventCategory":"Management"{rest}}}"#
        )
    }

    fn look(text: &str) -> Option<Event> {
        let plan = plan();
        let responder = Arn::parse("arn:aws:sts::111122223333:assumed-role/Responder/x").unwrap();
        Watch::new(&plan, responder).look(&Record::parse(text).unwrap())
    }

    const MINE: &str = "ASIAMINEMINEMINEMINE";

    #[test]
    fn refusals_and_successes_of_what_was_cut_are_told_apart() {
        let sighted =
            |rest: &str, name: &str, source: &str| match look(&record(MINE, source, name, rest)) {
                Some(Event::Sighted { was_denied, .. }) => Some(was_denied),
                None => None,
                other => panic!("{other:?}"),
            };
        let s3 = "s3.amazonaws.com";
        let denied = r#","errorCode":"AccessDenied","errorMessage":"not authorized with an explicit deny in an identity-based policy""#;
        assert_eq!(sighted("", "ListBuckets", s3), Some(false));
        assert_eq!(sighted(denied, "ListBuckets", s3), Some(true));
        let by_scp = denied.replace("an identity-based policy", "a service control policy");
        assert_eq!(sighted(&by_scp, "ListBuckets", s3), None);
        // Never allowed, or failed for another reason: proves neither.
        let implicit =
            r#","errorCode":"AccessDenied","errorMessage":"no identity-based policy allows it""#;
        assert_eq!(sighted(implicit, "ListBuckets", s3), None);
        assert_eq!(sighted(r#","errorCode":"NoSuchBucket""#, "ListBuckets", s3), None);
        // Trap 16: it works under any Deny.
        assert_eq!(sighted("", "GetCallerIdentity", "sts.amazonaws.com"), None);
        assert_eq!(look(&record("ASIAOTHEROTHEROTHERO", s3, "ListBuckets", "")), None);
    }

    #[test]
    fn whoever_undoes_it_is_named_but_for_the_responder() {
        let undo = |name: &str, request: &str, key: &str| {
            let rest = format!(r#","requestParameters":{request}"#);
            look(&record(key, "iam.amazonaws.com", name, &rest))
        };
        let other = "ASIAOTHEROTHEROTHERO";
        let role = r#"{"roleName":"Agent","policyName":"TriplineContainment"}"#;
        let Some(Event::Stripped { place, by }) = undo("DeleteRolePolicy", role, other) else {
            panic!("it is an undoing");
        };
        assert!(matches!(place, Place::Inline(_)));
        assert_eq!(by.unwrap(), *"arn:aws:sts::111122223333:assumed-role/Other/s");
        let Some(Event::Stripped { place, .. }) = undo("UpdateAssumeRolePolicy", role, other)
        else {
            panic!("it is an undoing");
        };
        assert!(matches!(place, Place::Trust { .. }));
        assert_eq!(undo("DeleteRolePolicy", r#"{"roleName":"Elsewhere"}"#, other), None);
        assert_eq!(undo("GetRole", role, other), None);
        let own = record(
            other,
            "iam.amazonaws.com",
            "PutRolePolicy",
            &format!(r#","requestParameters":{role}"#),
        );
        assert_eq!(look(&own.replace("assumed-role/Other", "assumed-role/Responder")), None);
    }

    #[test]
    fn damage_is_what_succeeded_and_stays() {
        let marks = Marks::of([Untrusted::borrowed(MINE)]);
        let mut damage = Damage::default();
        let mut note = |text: String| damage.note(&Record::parse(&text).unwrap(), &marks);
        let key = r#","responseElements":{"accessKey":{"accessKeyId":"AKIANEWNEWNEWNEWNEWN","userName":"backdoor","status":"Active"}}"#;
        note(record(MINE, "iam.amazonaws.com", "CreateAccessKey", key));
        note(record(
            MINE,
            "s3.amazonaws.com",
            "PutBucketPolicy",
            r#","requestParameters":{"bucketName":"b"}"#,
        ));
        note(record(MINE, "ec2.amazonaws.com", "DescribeInstances", ""));
        note(record(MINE, "iam.amazonaws.com", "CreateUser", r#","errorCode":"AccessDenied""#));
        note(record("ASIAOTHEROTHEROTHERO", "iam.amazonaws.com", "CreateUser", ""));
        for nth in 0..30 {
            note(record(
                MINE,
                "s3.amazonaws.com",
                "GetObject",
                &format!(r#","requestParameters":{{"bucketName":"b","key":"k{nth}"}}"#),
            ));
        }
        let created: Vec<String> = damage.created.iter().map(ToString::to_string).collect();
        assert_eq!(created, ["access key AKIANEWNEWNEWNEWNEWN of user backdoor in 111122223333"]);
        let done: Vec<String> = damage
            .done
            .iter()
            .map(|((harm, action), deeds)| {
                format!("{harm:?} {action} {} +{}", deeds.count, deeds.not_listed)
            })
            .collect();
        assert_eq!(
            done,
            [
                "Shared s3:PutBucketPolicy 1 +0",
                "Created iam:CreateAccessKey 1 +0",
                "Read s3:GetObject 30 +10"
            ]
        );
    }
}
