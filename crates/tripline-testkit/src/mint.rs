//! Records that create credentials, in every shape STS logs them.

use crate::civil;
use crate::emit::{Live, Note, Pen, Seat, seat};
use crate::identity::{Credential, Principal, Role, member};
use crate::json::{Put, guid_string, unique_id};
use crate::record::{Body, Call};
use crate::rng::hash;
use crate::world::{Agent, MintShape, REGIONS};

/// What an `AssumeRole*` asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) session_name: &'a str,
    pub(crate) source_identity: Option<&'a str>,
    /// Written as an array of key and value, or as a `principalTags` map.
    pub(crate) tags: Vec<(&'a str, &'a str)>,
    pub(crate) tags_as_map: bool,
    pub(crate) transitive: Vec<&'a str>,
    pub(crate) incoming: Vec<(&'a str, &'a str)>,
    pub(crate) duration: u32,
    /// More members, as JSON text with a leading comma.
    pub(crate) more: &'a str,
}

impl Asked<'_> {
    /// `requestParameters`
    pub(crate) fn request(&self, role: &Role) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.text("{\"roleArn\":");
        out.quoted(&role.arn());
        member(&mut out, "roleSessionName", self.session_name);
        if self.duration > 0 {
            out.text(",\"durationSeconds\":");
            out.number(u64::from(self.duration));
        }
        if let Some(identity) = self.source_identity {
            member(&mut out, "sourceIdentity", identity);
        }
        if !self.tags.is_empty() {
            if self.tags_as_map {
                out.text(",\"principalTags\":");
                map(&mut out, &self.tags);
            } else {
                out.text(",\"tags\":");
                tag_array(&mut out, &self.tags);
            }
        }
        if !self.transitive.is_empty() {
            out.text(",\"transitiveTagKeys\":[");
            for (place, key) in self.transitive.iter().enumerate() {
                out.text(if place > 0 { "," } else { "" });
                out.quoted(key);
            }
            out.push(b']');
        }
        if !self.incoming.is_empty() {
            out.text(",\"incomingTransitiveTags\":");
            map(&mut out, &self.incoming);
        }
        out.text(self.more);
        out.push(b'}');
        out
    }
}

/// `[{"key":"k","value":"v"}]`
pub(crate) fn tag_array(out: &mut Vec<u8>, tags: &[(&str, &str)]) {
    out.push(b'[');
    for (place, (key, value)) in tags.iter().enumerate() {
        out.text(if place > 0 { ",{\"key\":" } else { "{\"key\":" });
        out.quoted(key);
        member(out, "value", value);
        out.push(b'}');
    }
    out.push(b']');
}

fn map(out: &mut Vec<u8>, tags: &[(&str, &str)]) {
    out.push(b'{');
    for (place, (key, value)) in tags.iter().enumerate() {
        out.text(if place > 0 { "," } else { "" });
        out.quoted(key);
        out.push(b':');
        out.quoted(value);
    }
    out.push(b'}');
}

/// `"credentials":{...}` with an obvious marker for the token, so that a test can search for leaks.
pub(crate) fn credentials(out: &mut Vec<u8>, key: &str, expires: i64, token: u64) {
    out.text("\"credentials\":{\"accessKeyId\":");
    out.quoted(key);
    out.text(",\"sessionToken\":\"FwoGEXAMPLETOKEN-");
    out.number(token);
    out.text("\",\"expiration\":\"");
    civil::localised(out, expires);
    out.text("\"}");
}

/// The `responseElements` of an `AssumeRole*`; `more` is JSON text with a leading comma.
pub(crate) fn assumed(
    role: &Role,
    asked: &Asked<'_>,
    key: &str,
    time: i64,
    token: u64,
    more: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.push(b'{');
    let duration = if asked.duration == 0 { 3600 } else { asked.duration };
    credentials(&mut out, key, time + i64::from(duration), token);
    out.text(",\"assumedRoleUser\":{\"assumedRoleId\":");
    out.quoted(&format!("{}:{}", role.id, asked.session_name));
    member(&mut out, "arn", &role.session_arn(asked.session_name));
    out.push(b'}');
    if !asked.tags.is_empty() {
        out.text(",\"packedPolicySize\":");
        out.number(asked.tags.len() as u64 * 3);
    }
    if let Some(identity) = asked.source_identity {
        member(&mut out, "sourceIdentity", identity);
    }
    out.text(more);
    out.push(b'}');
    out
}

/// The role as the one resource of a mint.
pub(crate) fn role_resource(role: &Role) -> Vec<u8> {
    let mut out = b"[{\"accountId\":".to_vec();
    out.quoted(&role.account);
    out.text(",\"type\":\"AWS::IAM::Role\"");
    member(&mut out, "ARN", &role.arn());
    out.text("}]");
    out
}

/// Which endpoint served the call.
pub(crate) fn request_details(global: bool, region: &str) -> String {
    let kind = if global { "global" } else { "regional" };
    format!(
        "{{\"RequestDetails\":{{\"endpointType\":\"{kind}\",\"awsServingRegion\":\"{region}\"}}}}"
    )
}

/// The runner that opens sessions for agents: one role session a day and account.
pub(crate) fn runner(pen: &mut Pen<'_>, account: u16, time: i64) -> Live {
    let day = (time - pen.world.spec.start).div_euclid(86_400);
    let number = hash(pen.world.spec.seed, &[8, u64::from(account), day as u64]);
    let role = pen.world.role(account, "agent-runner");
    let role_arn = role.arn();
    let principal = Principal::Role { role, session_name: format!("i-0{number:016x}") };
    let created = pen.world.spec.start + day * 86_400;
    let mut credential = Credential::new(principal, unique_id("ASIA", 16, number), Some(created));
    credential.context = ",\"ec2RoleDelivery\":\"2.0\"".to_owned();
    let anchor = credential.key.clone().unwrap_or_default();
    Live {
        identity: credential.identity(),
        session: pen.batch.open(anchor, None, None, "none"),
        credential,
        seat: Seat {
            ip: format!("10.{}.0.12", account % 200),
            user_agent: "aws-sdk-go-v2/1.40.0 ua/2.1 os/linux lang/go#1.26.0 md/GOOS#linux md/GOARCH#arm64 api/sts#1.39.0 m/E,g".to_owned(),
            endpoint: None,
        },
        role_arn,
    }
}

/// The IAM user whose long-term key opens sessions in the older half of the company.
pub(crate) fn automation_user(pen: &mut Pen<'_>, account: u16) -> Live {
    let number = hash(pen.world.spec.seed, &[9, u64::from(account)]);
    let principal = Principal::User {
        account: pen.world.account(account).to_owned(),
        name: "ci-automation".to_owned(),
        id: unique_id("AIDA", 17, number),
    };
    let credential = Credential::new(principal, unique_id("AKIA", 16, number), None);
    let anchor = credential.key.clone().unwrap_or_default();
    Live {
        identity: credential.identity(),
        session: pen.batch.open(anchor, None, None, "none"),
        role_arn: credential.arn(),
        credential,
        seat: Seat {
            ip: "198.51.100.7".to_owned(),
            user_agent: "aws-sdk-js/3.940.0 ua/2.1 os/linux#6.8.0-1030-azure lang/js md/nodejs#24.11.0 api/sts#3.940.0 m/E".to_owned(),
            endpoint: None,
        },
    }
}

/// Opens a session of an agent: writes its mint and returns it live.
pub(crate) fn open(pen: &mut Pen<'_>, agent: &Agent, time: i64) -> Live {
    let seat = seat(agent, &mut pen.rng);
    match agent.mint {
        MintShape::Federation => federation(pen, agent, time, seat),
        _ => role_session(pen, agent, time, seat),
    }
}

fn role_session(pen: &mut Pen<'_>, agent: &Agent, time: i64, seat: Seat) -> Live {
    let key = pen.fresh_key();
    let session_name = session_name(pen, agent);
    let cn = format!("CN={}", agent.id);
    let source_identity = agent.sets_source_identity().then(|| {
        if agent.mint == MintShape::RolesAnywhere { cn.as_str() } else { agent.id.as_str() }
    });
    let task = format!("task-{}", pen.rng.below(100_000));
    let pod = format!("{}-{:08x}", agent.id, pen.rng.bits() >> 32);
    let pod_uid = guid_string(crate::json::fresh_guid(&mut pen.rng));
    let cluster = format!(
        "arn:aws:eks:{}:{}:cluster/agents",
        REGIONS[agent.region as usize],
        pen.world.account(agent.account)
    );
    let version = if pen.world.deployed(time) { "1.5.0" } else { "1.4.2" };
    let tags = match agent.mint {
        MintShape::PodIdentity => vec![
            ("eks-cluster-arn", cluster.as_str()),
            ("eks-cluster-name", "agents"),
            ("kubernetes-namespace", "agents"),
            ("kubernetes-service-account", agent.id.as_str()),
            ("kubernetes-pod-name", pod.as_str()),
            ("kubernetes-pod-uid", pod_uid.as_str()),
        ],
        MintShape::RolesAnywhere => vec![
            ("x509Subject/CN", agent.id.as_str()),
            ("x509Subject/O", "Example Corp"),
            ("x509Issuer/CN", "Example Agents CA"),
            ("x509SAN/URI", "spiffe://example.com/agents"),
        ],
        MintShape::SourceIdentity | MintShape::SessionName => Vec::new(),
        _ => vec![
            (agent.tag_key(), agent.id.as_str()),
            ("AgentVersion", version),
            ("Task", task.as_str()),
        ],
    };
    let transitive = match agent.mint {
        MintShape::PodIdentity => tags.iter().map(|(key, _)| *key).collect(),
        _ if !tags.is_empty() && agent.tag_is_transitive() => vec![agent.tag_key()],
        _ => Vec::new(),
    };
    let asked = Asked {
        session_name: &session_name,
        source_identity,
        tags,
        tags_as_map: matches!(agent.mint, MintShape::WebIdentity | MintShape::Saml),
        transitive,
        duration: 3600,
        ..Asked::default()
    };
    let region = if agent.mints_globally() { 0 } else { agent.region };
    let caller = Caller::of(pen, agent, time);
    let note = Note::new(agent.account, region, caller.shape);
    let session = pen.batch.open(
        key.clone(),
        Some(agent.index),
        caller.live.as_ref().map(|live| live.session),
        agent.mint.basis(),
    );
    let more_request = caller.request;
    let asked = Asked { more: &more_request, ..asked };
    let token = pen.token();
    let request = asked.request(&agent.role);
    let response = assumed(&agent.role, &asked, &key, time, token, &caller.response);
    let resources = role_resource(&agent.role);
    let details = if caller.extra.is_empty() {
        request_details(agent.mints_globally(), REGIONS[agent.region as usize])
    } else {
        caller.extra
    };
    let from = caller.live.as_ref().map_or(&seat, |live| &live.seat);
    let service = caller.service.map(|service| Seat {
        ip: service.to_owned(),
        user_agent: service.to_owned(),
        endpoint: None,
    });
    let call = Call {
        read_only: true,
        request: Body::Raw(&request),
        response: Body::Raw(&response),
        extra: Body::Raw(details.as_bytes()),
        resources: Body::Raw(&resources),
        tls: service.is_none(),
        endpoint: None,
        ..pen.call(&note, service.as_ref().unwrap_or(from), "sts", caller.event, time)
    };
    let places = pen.places(agent.taste, &note, &agent.id, "", time);
    let note = match &caller.live {
        Some(live) => note.by(live.session),
        None => note,
    };
    pen.emit(Some(&caller.identity), &call, &places, note.minting(session));
    let principal =
        Principal::Role { role: agent.role.clone(), session_name: session_name.clone() };
    let mut credential = Credential::new(principal, key, Some(time));
    credential.source_identity = source_identity.map(str::to_owned);
    if agent.mint == MintShape::WebIdentity {
        credential.context = format!(
            ",\"webIdFederationData\":{{\"federatedProvider\":\"{}\",\"attributes\":{{}}}}",
            oidc_provider(pen.world.account(agent.account))
        );
    }
    Live { identity: credential.identity(), session, credential, seat, role_arn: agent.role.arn() }
}

fn session_name(pen: &mut Pen<'_>, agent: &Agent) -> String {
    let draw = pen.rng.bits();
    match agent.mint {
        MintShape::SessionName => format!("agent-{}", agent.id),
        MintShape::PodIdentity => format!(
            "eks-agents-{}-{}",
            agent.class.name().split('-').next().unwrap_or("agent"),
            guid_string(crate::json::fresh_guid(&mut pen.rng))
        ),
        MintShape::RolesAnywhere => format!("{draw:016x}{:08x}", draw >> 17 & 0xFFFF_FFFF),
        MintShape::Saml => format!("{}@agents.example.com", agent.id),
        _ if agent.class == crate::work::Class::ModelAgent => {
            format!("BedrockAgentCore-{}", guid_string(crate::json::fresh_guid(&mut pen.rng)))
        }
        // Names that say nothing, so that an attribution has to join by the key.
        _ => format!("run-{:08x}", draw >> 32),
    }
}

/// Who calls STS for an agent, and what his kind of call adds to the record.
struct Caller {
    live: Option<Live>,
    identity: Vec<u8>,
    event: &'static str,
    shape: &'static str,
    service: Option<&'static str>,
    request: String,
    response: String,
    extra: String,
}

fn oidc_provider(account: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/agents.example.com")
}

impl Caller {
    fn of(pen: &mut Pen<'_>, agent: &Agent, time: i64) -> Self {
        let account = pen.world.account(agent.account);
        let keyless = |identity: String, event, shape| Self {
            live: None,
            identity: identity.into_bytes(),
            event,
            shape,
            service: None,
            request: String::new(),
            response: String::new(),
            extra: String::new(),
        };
        let id = &agent.id;
        match agent.mint {
            MintShape::WebIdentity => {
                let provider = oidc_provider(account);
                Self {
                    response: format!(
                        ",\"subjectFromWebIdentityToken\":\"agent:{id}\",\"provider\":\"{provider}\",\"audience\":\"sts.amazonaws.com\""
                    ),
                    extra: "{\"identityProviderConnectionVerificationMethod\":\"IAMTrustStore\"}"
                        .to_owned(),
                    ..keyless(
                        format!(
                            "{{\"type\":\"WebIdentityUser\",\"principalId\":\"{provider}:sts.amazonaws.com:agent:{id}\",\"userName\":\"agent:{id}\",\"identityProvider\":\"{provider}\"}}"
                        ),
                        "AssumeRoleWithWebIdentity",
                        "mint-web-identity",
                    )
                }
            }
            MintShape::Saml => {
                let provider = format!("arn:aws:iam::{account}:saml-provider/ExampleIdP");
                Self {
                    request: format!(
                        ",\"sAMLAssertionID\":\"_{}\",\"principalArn\":\"{provider}\"",
                        guid_string(crate::json::fresh_guid(&mut pen.rng))
                    ),
                    response: format!(
                        ",\"subject\":\"{id}\",\"subjectType\":\"persistent\",\"issuer\":\"https://idp.example.com/saml\",\"audience\":\"https://signin.aws.amazon.com/saml\",\"nameQualifier\":\"q8Jx0ExampleQualifier=\""
                    ),
                    ..keyless(
                        format!(
                            "{{\"type\":\"SAMLUser\",\"principalId\":\"q8Jx0ExampleQualifier=:{id}\",\"userName\":\"{id}\",\"identityProvider\":\"q8Jx0ExampleQualifier=\"}}"
                        ),
                        "AssumeRoleWithSAML",
                        "mint-saml",
                    )
                }
            }
            MintShape::PodIdentity => Self {
                service: Some("pods.eks.amazonaws.com"),
                ..keyless(
                    "{\"type\":\"AWSService\",\"invokedBy\":\"pods.eks.amazonaws.com\"}".to_owned(),
                    "AssumeRole",
                    "mint-pod-identity",
                )
            },
            MintShape::RolesAnywhere => Self {
                service: Some("rolesanywhere.amazonaws.com"),
                ..keyless(
                    "{\"type\":\"AWSService\",\"invokedBy\":\"rolesanywhere.amazonaws.com\"}"
                        .to_owned(),
                    "AssumeRole",
                    "mint-roles-anywhere",
                )
            },
            MintShape::UserAssumeRole => {
                let live = automation_user(pen, agent.account);
                let identity = live.identity.clone();
                Self {
                    live: Some(live),
                    identity,
                    ..keyless(String::new(), "AssumeRole", "mint-by-user")
                }
            }
            _ => {
                let live = runner(pen, agent.account, time);
                let identity = live.identity.clone();
                Self {
                    live: Some(live),
                    identity,
                    ..keyless(String::new(), "AssumeRole", "mint-by-role")
                }
            }
        }
    }
}

fn federation(pen: &mut Pen<'_>, agent: &Agent, time: i64, seat: Seat) -> Live {
    let caller = automation_user(pen, agent.account);
    let key = pen.fresh_key();
    let token = pen.token();
    // A federated user's name is at most 32 characters.
    let name: String = agent.id.chars().take(32).collect();
    let version = if pen.world.deployed(time) { "1.5.0" } else { "1.4.2" };
    let mut request = b"{\"name\":".to_vec();
    request.quoted(&name);
    request.text(",\"durationSeconds\":3600,\"policy\":\"{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"*\\\",\\\"Resource\\\":\\\"*\\\"}]}\",\"tags\":");
    tag_array(&mut request, &[(agent.tag_key(), &agent.id), ("AgentVersion", version)]);
    request.push(b'}');
    let account = pen.world.account(agent.account).to_owned();
    let (user, user_id) = match &caller.credential.principal {
        Principal::User { name, id, .. } => (name.clone(), id.clone()),
        _ => (String::new(), String::new()),
    };
    let principal =
        Principal::Federated { account: account.clone(), name: name.clone(), user, user_id };
    let credential = Credential::new(principal, key.clone(), Some(time));
    let mut response = b"{".to_vec();
    credentials(&mut response, &key, time + 3600, token);
    response.text(",\"federatedUser\":{\"federatedUserId\":");
    response.quoted(&format!("{account}:{name}"));
    member(&mut response, "arn", &credential.arn());
    response.text("},\"packedPolicySize\":8}");
    let session = pen.batch.open(key, Some(agent.index), Some(caller.session), agent.mint.basis());
    let note = Note::new(agent.account, agent.region, "mint-federation");
    let call = Call {
        request: Body::Raw(&request),
        response: Body::Raw(&response),
        ..pen.call(&note, &caller.seat, "sts", "GetFederationToken", time)
    };
    let places = pen.places(agent.taste, &note, &agent.id, "", time);
    pen.emit(Some(&caller.identity), &call, &places, note.by(caller.session).minting(session));
    Live { identity: credential.identity(), session, role_arn: credential.arn(), credential, seat }
}
