//! The kill switch's hands: IAM, in each account that it may reach.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_iam::Client;
use aws_sdk_iam::config::SharedCredentialsProvider;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{EntityType, PolicyDetail, StatusType};
use percent_encoding::percent_decode_str;
use tokio::sync::Mutex;
use tripline_containment::{Description, Failure, POLICY_NAME, Place, Subject, edit};
use tripline_iam::policy::Quota;
use tripline_iam::{AccountId, Arn, Partition, PrincipalId, RoleName, UserName};
use tripline_runtime::{Permit, Responder};
use tripline_text::Untrusted;

use crate::logs::EventHistory;

/// Reads and changes policies and keys. At home with the credentials that it was given; in any other
/// account by taking on the responder role there.
#[derive(Debug)]
pub struct IamResponder {
    config: SdkConfig,
    home: AccountId,
    partition: Partition,
    identity: Arn,
    responder_role: Option<RoleName>,
    clients: Mutex<BTreeMap<AccountId, Client>>,
    histories: Mutex<BTreeMap<AccountId, EventHistory>>,
}

/// The longest that one try of one call takes.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

impl IamResponder {
    /// A responder with these credentials, which asks AWS whose they are.
    ///
    /// # Errors
    /// [`Failure`], when AWS does not say.
    pub async fn new(
        config: &SdkConfig,
        responder_role: Option<RoleName>,
    ) -> Result<Self, Failure> {
        let config = config
            .to_builder()
            .timeout_config(
                aws_config::timeout::TimeoutConfig::builder()
                    .operation_attempt_timeout(CALL_TIMEOUT)
                    .build(),
            )
            .build();
        let sts = aws_sdk_sts::Client::new(&config);
        let caller = sts.get_caller_identity().send().await.map_err(|error| failure(&error))?;
        let parsed = caller.account().and_then(|account| AccountId::parse(account).ok());
        let identity = caller.arn().and_then(|arn| Arn::parse(arn).ok());
        let (Some(home), Some(identity)) = (parsed, identity) else {
            return Err(other("GetCallerIdentity names no account"));
        };
        let partition = identity.partition();
        let clients = Mutex::new(BTreeMap::from([(home, Client::new(&config))]));
        let histories = Mutex::default();
        Ok(Self { config, home, partition, identity, responder_role, clients, histories })
    }

    /// Who acts: never a target.
    pub fn identity(&self) -> &Arn {
        &self.identity
    }

    /// With which everything is asked.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The account that the credentials are of.
    pub fn home(&self) -> AccountId {
        self.home
    }

    pub(crate) async fn client(&self, account: AccountId) -> Result<Client, Failure> {
        let mut clients = self.clients.lock().await;
        if let Some(client) = clients.get(&account) {
            return Ok(client.clone());
        }
        let client = Client::new(&self.config_in(account).await?);
        clients.insert(account, client.clone());
        Ok(client)
    }

    /// The event history of an account.
    pub(crate) async fn history(&self, account: AccountId) -> Result<EventHistory, Failure> {
        let mut histories = self.histories.lock().await;
        if let Some(history) = histories.get(&account) {
            return Ok(history.clone());
        }
        let history = EventHistory::hasty(&self.config_in(account).await?);
        histories.insert(account, history.clone());
        Ok(history)
    }

    /// The credentials to act with in an account.
    async fn config_in(&self, account: AccountId) -> Result<SdkConfig, Failure> {
        if account == self.home {
            return Ok(self.config.clone());
        }
        let arn = self.identity_in(account).ok_or(Failure::AccessDenied)?;
        let provider = AssumeRoleProvider::builder(arn)
            .configure(&self.config)
            .session_name("tripline-responder")
            .build()
            .await;
        let provider = SharedCredentialsProvider::new(provider);
        Ok(self.config.to_builder().credentials_provider(provider).build())
    }

    /// The role that is taken on in another account, by its ARN.
    pub(crate) fn identity_in(&self, account: AccountId) -> Option<String> {
        let role = self.responder_role.as_ref()?;
        Some(format!("arn:{}:iam::{account}:role/{role}", self.partition))
    }

    fn managed_arn(&self, subject: &Subject) -> String {
        format!(
            "arn:{}:iam::{}:policy/{}",
            self.partition,
            subject.account(),
            managed_name(subject)
        )
    }
}

/// One managed policy a subject, so that nobody else is denied by it. Role and user names are 64
/// characters at most, a policy's 128.
fn managed_name(subject: &Subject) -> String {
    match subject {
        Subject::Role { name, .. } => format!("{POLICY_NAME}-role-{name}"),
        Subject::User { name, .. } => format!("{POLICY_NAME}-user-{name}"),
    }
}

impl Responder for IamResponder {
    async fn read(&self, place: &Place) -> Result<Option<String>, Failure> {
        let iam = self.client(place.account()).await?;
        match place {
            Place::Inline(subject) => read_inline(&iam, subject, POLICY_NAME).await,
            Place::Managed(subject) => {
                read_managed(&iam, subject, &self.managed_arn(subject)).await
            }
            Place::Trust { role, .. } => {
                let got = iam.get_role().role_name(role.as_str()).send().await;
                let role = got.map_err(|error| failure(&error))?.role;
                let document = role.and_then(|role| role.assume_role_policy_document);
                Ok(document.map(|document| decoded(&document)))
            }
            Place::Key { user, key, .. } => {
                let mut pages =
                    iam.list_access_keys().user_name(user.as_str()).into_paginator().send();
                while let Some(page) = pages.next().await {
                    let page = page.map_err(|error| failure(&error))?;
                    let of_key = page
                        .access_key_metadata()
                        .iter()
                        .find(|listed| listed.access_key_id() == Some(key.as_str()));
                    if let Some(status) = of_key.and_then(|listed| listed.status()) {
                        return Ok(Some(status.as_str().to_owned()));
                    }
                }
                Err(Failure::NotFound)
            }
        }
    }

    async fn write(&self, _: &Permit, place: &Place, text: Option<&str>) -> Result<(), Failure> {
        let iam = self.client(place.account()).await?;
        match (place, text) {
            (Place::Inline(subject), text) => write_inline(&iam, subject, text).await,
            (Place::Managed(subject), Some(text)) => {
                let arn = self.managed_arn(subject);
                put_managed(&iam, subject, &arn, text).await
            }
            (Place::Managed(subject), None) => {
                remove_managed(&iam, subject, &self.managed_arn(subject)).await
            }
            (Place::Trust { role, .. }, Some(text)) => iam
                .update_assume_role_policy()
                .role_name(role.as_str())
                .policy_document(text)
                .send()
                .await
                .map(drop)
                .map_err(|error| failure(&error)),
            (Place::Key { user, key, .. }, Some(status)) => iam
                .update_access_key()
                .user_name(user.as_str())
                .access_key_id(key.as_str())
                .status(StatusType::from(status))
                .send()
                .await
                .map(drop)
                .map_err(|error| failure(&error)),
            // A role without a trust policy, a key without a status: there is no such thing.
            (Place::Trust { .. } | Place::Key { .. }, None) => Err(Failure::Malformed),
        }
    }

    async fn describe(&self, subject: &Subject) -> Result<Description, Failure> {
        let iam = self.client(subject.account()).await?;
        let (trust, inline_chars, attached) = futures_util::join!(
            trust_of(&iam, subject),
            inline_chars(&iam, subject),
            attached_count(&iam, subject)
        );
        Ok(Description {
            trust: trust?,
            inline_chars: inline_chars?,
            has_room_to_attach: attached? < Quota::ATTACHED_POLICIES,
        })
    }

    async fn find(&self, account: AccountId) -> Result<Vec<(Place, String)>, Failure> {
        let iam = self.client(account).await?;
        let mut found = Vec::new();
        let mut pages = iam
            .get_account_authorization_details()
            .filter(EntityType::Role)
            .filter(EntityType::User)
            .filter(EntityType::LocalManagedPolicy)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure(&error))?;
            for role in page.role_detail_list() {
                let name = role.role_name().and_then(|name| RoleName::parse(name).ok());
                let Some(role_name) = name else { continue };
                let trust = role.assume_role_policy_document().map(decoded);
                let place = Place::Trust { account, role: role_name.clone() };
                found.extend(trust.map(|text| (place, text)));
                let subject = Subject::Role { account, name: role_name };
                found.extend(inline_of(role.role_policy_list(), subject));
            }
            for user in page.user_detail_list() {
                let name = user.user_name().and_then(|name| UserName::parse(name).ok());
                let Some(name) = name else { continue };
                let subject = Subject::User { account, name };
                found.extend(inline_of(user.user_policy_list(), subject));
            }
            for policy in page.policies() {
                let subject = policy.policy_name().and_then(|name| managed_subject(name, account));
                let version = policy
                    .policy_version_list()
                    .iter()
                    .find(|version| version.is_default_version());
                let text = version.and_then(|version| version.document()).map(decoded);
                found.extend(subject.map(Place::Managed).zip(text));
            }
        }
        found.retain(|(_, text)| edit::ours(text).is_ok_and(|ours| !ours.is_empty()));
        Ok(found)
    }
}

fn inline_of(policies: &[PolicyDetail], subject: Subject) -> Option<(Place, String)> {
    let ours = policies.iter().find(|policy| policy.policy_name() == Some(POLICY_NAME))?;
    Some((Place::Inline(subject), decoded(ours.policy_document()?)))
}

fn managed_subject(policy_name: &str, account: AccountId) -> Option<Subject> {
    let rest = policy_name.strip_prefix(POLICY_NAME)?;
    if let Some(name) = rest.strip_prefix("-role-") {
        return RoleName::parse(name).ok().map(|name| Subject::Role { account, name });
    }
    let name = rest.strip_prefix("-user-")?;
    UserName::parse(name).ok().map(|name| Subject::User { account, name })
}

async fn read_inline(
    iam: &Client,
    subject: &Subject,
    policy: &str,
) -> Result<Option<String>, Failure> {
    let document = match subject {
        Subject::Role { name, .. } => {
            let call = iam.get_role_policy().role_name(name.as_str()).policy_name(policy);
            call.send().await.map(|got| got.policy_document).map_err(|error| failure(&error))
        }
        Subject::User { name, .. } => {
            let call = iam.get_user_policy().user_name(name.as_str()).policy_name(policy);
            call.send().await.map(|got| got.policy_document).map_err(|error| failure(&error))
        }
    };
    match document {
        Ok(document) => Ok(Some(decoded(&document))),
        // No such policy, or no such role: to write to it will tell.
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn write_inline(iam: &Client, subject: &Subject, text: Option<&str>) -> Result<(), Failure> {
    match (subject, text) {
        (Subject::Role { name, .. }, Some(text)) => {
            let call = iam.put_role_policy().role_name(name.as_str()).policy_name(POLICY_NAME);
            let sent = call.policy_document(text).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
        (Subject::Role { name, .. }, None) => {
            let call = iam.delete_role_policy().role_name(name.as_str());
            let sent = call.policy_name(POLICY_NAME).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
        (Subject::User { name, .. }, Some(text)) => {
            let call = iam.put_user_policy().user_name(name.as_str()).policy_name(POLICY_NAME);
            let sent = call.policy_document(text).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
        (Subject::User { name, .. }, None) => {
            let call = iam.delete_user_policy().user_name(name.as_str());
            let sent = call.policy_name(POLICY_NAME).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
    }
}

/// The document of the managed policy, if it is attached: one that is not denies nobody.
async fn read_managed(
    iam: &Client,
    subject: &Subject,
    arn: &str,
) -> Result<Option<String>, Failure> {
    if !attached_policies(iam, subject).await?.iter().any(|attached| attached == arn) {
        return Ok(None);
    }
    let version = match iam.get_policy().policy_arn(arn).send().await {
        Ok(got) => got.policy.and_then(|policy| policy.default_version_id),
        Err(error) => return Err(failure(&error)),
    };
    let Some(version) = version else { return Ok(None) };
    let got = iam.get_policy_version().policy_arn(arn).version_id(version).send().await;
    let got = got.map_err(|error| failure(&error))?;
    let document = got.policy_version.and_then(|version| version.document);
    Ok(document.map(|document| decoded(&document)))
}

async fn put_managed(
    iam: &Client,
    subject: &Subject,
    arn: &str,
    text: &str,
) -> Result<(), Failure> {
    let created = iam
        .create_policy()
        .policy_name(managed_name(subject))
        .description(
            "Put here by Tripline; `tripline status` says why, `tripline restore` removes it",
        )
        .policy_document(text)
        .send()
        .await;
    match created {
        Ok(_) => {}
        Err(error) if error.code() == Some("EntityAlreadyExists") => {
            // Five versions are kept at most; the oldest make room.
            remove_old_versions(iam, arn).await?;
            let call = iam.create_policy_version().policy_arn(arn).policy_document(text);
            let sent = call.set_as_default(true).send().await;
            sent.map_err(|error| failure(&error))?;
        }
        Err(error) => return Err(failure(&error)),
    }
    match subject {
        Subject::Role { name, .. } => {
            let sent =
                iam.attach_role_policy().role_name(name.as_str()).policy_arn(arn).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
        Subject::User { name, .. } => {
            let sent =
                iam.attach_user_policy().user_name(name.as_str()).policy_arn(arn).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
    }
}

async fn remove_managed(iam: &Client, subject: &Subject, arn: &str) -> Result<(), Failure> {
    let detached = match subject {
        Subject::Role { name, .. } => {
            let sent =
                iam.detach_role_policy().role_name(name.as_str()).policy_arn(arn).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
        Subject::User { name, .. } => {
            let sent =
                iam.detach_user_policy().user_name(name.as_str()).policy_arn(arn).send().await;
            sent.map(drop).map_err(|error| failure(&error))
        }
    };
    match detached {
        Ok(()) | Err(Failure::NotFound) => {}
        Err(failure) => return Err(failure),
    }
    remove_old_versions(iam, arn).await?;
    match iam.delete_policy().policy_arn(arn).send().await {
        Ok(_) => Ok(()),
        Err(error) => match failure(&error) {
            Failure::NotFound => Ok(()),
            failure => Err(failure),
        },
    }
}

async fn remove_old_versions(iam: &Client, arn: &str) -> Result<(), Failure> {
    let mut pages = iam.list_policy_versions().policy_arn(arn).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failure(&error))?;
        for version in page.versions().iter().filter(|version| !version.is_default_version()) {
            let Some(id) = version.version_id() else { continue };
            let sent = iam.delete_policy_version().policy_arn(arn).version_id(id).send().await;
            sent.map_err(|error| failure(&error))?;
        }
    }
    Ok(())
}

async fn trust_of(iam: &Client, subject: &Subject) -> Result<Option<String>, Failure> {
    let Subject::Role { name, .. } = subject else { return Ok(None) };
    let got = iam.get_role().role_name(name.as_str()).send().await;
    let role = got.map_err(|error| failure(&error))?.role;
    Ok(role.and_then(|role| role.assume_role_policy_document).map(|text| decoded(&text)))
}

/// What inline policies other than ours hold, as the quota counts it: without white space.
async fn inline_chars(iam: &Client, subject: &Subject) -> Result<usize, Failure> {
    let names: Vec<String> = match subject {
        Subject::Role { name, .. } => {
            let pages = iam.list_role_policies().role_name(name.as_str()).into_paginator();
            let names = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            names.map_err(|error| failure(&error))?
        }
        Subject::User { name, .. } => {
            let pages = iam.list_user_policies().user_name(name.as_str()).into_paginator();
            let names = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            names.map_err(|error| failure(&error))?
        }
    };
    let others = names.iter().filter(|name| *name != POLICY_NAME);
    let read =
        futures_util::future::join_all(others.map(|name| read_inline(iam, subject, name))).await;
    let mut chars: usize = 0;
    for document in read {
        let count = |text: String| text.chars().filter(|c| !c.is_whitespace()).count();
        chars = chars.saturating_add(document?.map_or(0, count));
    }
    Ok(chars)
}

async fn attached_policies(iam: &Client, subject: &Subject) -> Result<Vec<String>, Failure> {
    let attached = match subject {
        Subject::Role { name, .. } => {
            let pages = iam.list_attached_role_policies().role_name(name.as_str()).into_paginator();
            let listed = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            listed.map_err(|error| failure(&error))?
        }
        Subject::User { name, .. } => {
            let pages = iam.list_attached_user_policies().user_name(name.as_str()).into_paginator();
            let listed = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            listed.map_err(|error| failure(&error))?
        }
    };
    Ok(attached.into_iter().filter_map(|policy| policy.policy_arn).collect())
}

async fn attached_count(iam: &Client, subject: &Subject) -> Result<usize, Failure> {
    Ok(attached_policies(iam, subject).await?.len())
}

/// IAM hands documents out percent-encoded (RFC 3986); what begins with a brace was not.
pub(crate) fn decoded(document: &str) -> String {
    match document.trim_start().starts_with('{') {
        true => document.to_owned(),
        false => percent_decode_str(document).decode_utf8_lossy().into_owned(),
    }
}

/// Source of the codes: IAM API reference, errors of each action, and "Common errors".
pub(crate) fn failure<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Failure {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            return Failure::Unreachable;
        }
        _ => {}
    }
    let code = error.code().unwrap_or_default();
    match code {
        "NoSuchEntity" => Failure::NotFound,
        "LimitExceeded" => Failure::LimitExceeded,
        "UnmodifiableEntity" => Failure::Unmodifiable,
        "MalformedPolicyDocument" => Failure::Malformed,
        "AccessDenied" | "AccessDeniedException" => Failure::AccessDenied,
        "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => Failure::Throttled,
        "ServiceFailure" | "ServiceUnavailable" | "InternalFailure" | "ConcurrentModification" => {
            Failure::Unreachable
        }
        _ => other(&format!("{code}: {}", error.message().unwrap_or("no message"))),
    }
}

pub(crate) fn other(message: &str) -> Failure {
    Failure::Other { message: Untrusted::new(message.to_owned()) }
}

impl IamResponder {
    /// The unique id of a role, which `aws:userid` of its sessions begins with.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn role_id(&self, subject: &Subject) -> Result<Option<PrincipalId>, Failure> {
        let iam = self.client(subject.account()).await?;
        let got = iam.get_role().role_name(subject.name()).send().await;
        let role = got.map_err(|error| failure(&error))?.role;
        Ok(role.and_then(|role| PrincipalId::parse(&role.role_id).ok()))
    }
}
