//! Everybody who is not an agent at work: people, services, failed mints, and the other kinds of log.

use crate::batch::{Batch, Kind};
use crate::civil::iso_string;
use crate::emit::{Live, Note, Pen, Seat};
use crate::fleet::Unit;
use crate::identity::{Credential, Principal};
use crate::json::{Put, fresh_guid, guid_string, unique_id};
use crate::mint::{self, Asked, credentials};
use crate::record::{Body, Call};
use crate::rng::hash;
use crate::world::{REGIONS, World};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// Writes what happens beside the agents' work in one unit.
pub(crate) fn make(world: &World, unit: Unit, batch: &mut Batch) {
    for day in unit.from.div_ceil(86_400)..unit.to.div_ceil(86_400) {
        let mut pen = Pen::new(world, batch, &[10, u64::from(unit.account), day]);
        runner_starts(&mut pen, unit.account, world.spec.start + (day * 86_400) as i64);
    }
    let step = u64::from(world.spec.background_secs);
    if step == 0 {
        return;
    }
    for slot in unit.from.div_ceil(step)..unit.to.div_ceil(step) {
        let mut pen = Pen::new(world, batch, &[11, u64::from(unit.account), slot]);
        let mut scene = Scene {
            account: unit.account,
            id: world.account(unit.account).to_owned(),
            time: world.spec.start + (slot * step) as i64 + 7,
        };
        scene.play(&mut pen);
    }
}

/// The instance of the runner gets its credentials from EC2.
fn runner_starts(pen: &mut Pen<'_>, account: u16, time: i64) {
    let live = mint::runner(pen, account, time);
    let (role, session_name) = match &live.credential.principal {
        Principal::Role { role, session_name } => (role.clone(), session_name.clone()),
        _ => return,
    };
    let asked = Asked { session_name: &session_name, ..Asked::default() };
    let key = live.credential.key.clone().unwrap_or_default();
    let token = pen.token();
    let response = mint::assumed(&role, &asked, &key, time + 18_000, token, "");
    let request = asked.request(&role);
    let resources = mint::role_resource(&role);
    let seat = service("ec2.amazonaws.com");
    let note = Note::new(account, 0, "mint-by-service").minting(live.session);
    let call = Call {
        read_only: true,
        request: Body::Raw(&request),
        response: Body::Raw(&response),
        resources: Body::Raw(&resources),
        shared: Some(fresh_guid(&mut pen.rng)),
        tls: false,
        ..pen.call(&note, &seat, "sts", "AssumeRole", time)
    };
    let places = pen.places(0, &note, "", "", time);
    pen.emit(
        Some(b"{\"type\":\"AWSService\",\"invokedBy\":\"ec2.amazonaws.com\"}"),
        &call,
        &places,
        note,
    );
}

fn service(name: &str) -> Seat {
    Seat { ip: name.to_owned(), user_agent: name.to_owned(), endpoint: None }
}

fn desk(address: u8, user_agent: &str) -> Seat {
    Seat { ip: format!("192.0.2.{address}"), user_agent: user_agent.to_owned(), endpoint: None }
}

/// A stretch of time in one account.
struct Scene {
    account: u16,
    id: String,
    time: i64,
}

/// A management call of somebody: source, name, read-only, request.
type Line = (&'static str, &'static str, bool, &'static str);

const READS: [Line; 4] = [
    ("ec2", "DescribeInstances", true, r#"{"instancesSet":{},"filterSet":{}}"#),
    ("s3", "ListBuckets", true, r#"{"Host":"s3.$r.amazonaws.com"}"#),
    ("monitoring", "DescribeAlarms", true, r#"{"maxRecords":100}"#),
    ("iam", "ListRoles", true, r#"{"maxItems":100}"#),
];

impl Scene {
    fn play(&mut self, pen: &mut Pen<'_>) {
        self.console_session(pen);
        self.reserved_sso_role(pen);
        self.mcp_session(pen);
        self.services(pen);
        self.failed_mint(pen);
        self.user_and_session_token(pen);
        self.assume_root(pen);
        self.certificates_and_pods(pen);
        self.key_of_unknown_origin(pen);
        self.late_corrections(pen);
        self.insight(pen);
        self.network_activity(pen);
        self.aggregated(pen);
    }

    fn user(&self, pen: &Pen<'_>, name: &str) -> Principal {
        let number = hash(pen.world.spec.seed, &[12, u64::from(self.account), name.len() as u64]);
        Principal::User {
            account: self.id.clone(),
            name: name.to_owned(),
            id: unique_id("AIDA", 17, number),
        }
    }

    /// One call of somebody with a credential.
    fn say(&mut self, pen: &mut Pen<'_>, live: &Live, line: Line, note: Note, console: bool) {
        self.time += pen.rng.between(1, 12) as i64;
        let (source, name, read_only, request) = line;
        let region = if source == "iam" { 0 } else { note.region };
        let note = Note { region, ..note };
        let call = Call {
            read_only,
            request: Body::Template(request),
            tls: live.credential.invoked_by.is_none(),
            console,
            ..pen.call(&note, &live.seat, source, name, self.time)
        };
        let places = pen.places(7, &note, "", &live.role_arn, self.time);
        pen.emit(Some(&live.identity), &call, &places, note);
    }

    fn live(&self, pen: &mut Pen<'_>, credential: Credential, anchor: String, seat: Seat) -> Live {
        let session = pen.batch.open(anchor, None, None, "none");
        Live {
            identity: credential.identity(),
            role_arn: credential.arn(),
            credential,
            session,
            seat,
        }
    }

    /// A fresh key for each request, one creation date.
    fn console_session(&mut self, pen: &mut Pen<'_>) {
        let created = self.time;
        let mut credential =
            Credential::new(self.user(pen, "maria"), pen.fresh_key(), Some(created));
        credential.mfa = true;
        let anchor = format!("{}@{}", credential.principal_id(), iso_string(created));
        let mut live = self.live(pen, credential, anchor, desk(31, BROWSER));
        let note = Note::new(self.account, 0, "console").by(live.session);
        let mut login = b"{\"type\":\"IAMUser\",\"principalId\":".to_vec();
        login.quoted(&live.credential.principal_id());
        for (name, value) in [
            ("arn", live.credential.arn()),
            ("accountId", self.id.clone()),
            ("userName", "maria".to_owned()),
        ] {
            crate::identity::member(&mut login, name, &value);
        }
        login.push(b'}');
        let call = Call {
            event_type: "AwsConsoleSignIn",
            response: Body::Template(r#"{"ConsoleLogin":"Success"}"#),
            extra: Body::Template(
                r#"{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAIdentifier":"arn:aws:iam::$a:mfa/maria","MFAUsed":"Yes"}"#,
            ),
            ..pen.call(&note, &live.seat, "signin", "ConsoleLogin", self.time)
        };
        let places = pen.places(7, &note, "", "", self.time);
        pen.emit(Some(&login), &call, &places, Note { shape: "console-login", ..note });
        for line in READS {
            live.credential.key = Some(pen.fresh_key());
            live.identity = live.credential.identity();
            self.say(pen, &live, line, note, true);
        }
    }

    fn reserved_sso_role(&mut self, pen: &mut Pen<'_>) {
        let role = pen.world.role(self.account, "AWSReservedSSO_PlatformAdmin_0a1b2c3d4e5f6a7b");
        let principal = Principal::Role { role, session_name: "jo@example.com".to_owned() };
        let mut credential = Credential::new(principal, pen.fresh_key(), Some(self.time));
        credential.more = ",\"onBehalfOf\":{\"userId\":\"906712ab-1111-2222-3333-444455556666\",\"identityStoreArn\":\"arn:aws:identitystore::111122223333:identitystore/d-9067example\"}".to_owned();
        let key = credential.key.clone().unwrap_or_default();
        let seat = desk(
            32,
            "aws-cli/2.36.1 md/awscrt#0.29.0 ua/2.1 os/macos#25.1.0 md/arch#arm64 lang/python#3.13.7 md/pyimpl#CPython m/b,Z,AN,s cfg/retry-mode#standard md/command#ec2.describe-instances",
        );
        let live = self.live(pen, credential, key, seat);
        let note = Note::new(self.account, 0, "sso").by(live.session);
        for line in READS {
            self.say(pen, &live, line, note, false);
        }
    }

    /// An assistant that works through the AWS MCP server: OAuth, keys that rotate or are not there.
    fn mcp_session(&mut self, pen: &mut Pen<'_>) {
        let role = pen.world.role(self.account, "Developer");
        let arn = format!(
            "arn:aws:signin:us-east-1:{}:session/{}",
            self.id,
            guid_string(fresh_guid(&mut pen.rng))
        );
        let principal = Principal::Role { role, session_name: "sam@example.com".to_owned() };
        let mut credential = Credential::new(principal, pen.fresh_key(), Some(self.time));
        credential.sign_in_session = Some(arn.clone());
        credential.key = None;
        let live = self.live(pen, credential, arn.clone(), desk(33, "claude-code/2.1.202 (cli)"));
        let note = Note::new(self.account, 0, "mcp").by(live.session);
        let token =
            format!("{{\"signInSessionArn\":\"{arn}\",\"grantType\":\"authorization_code\"}}");
        let call = Call {
            request: Body::Template(
                r#"{"resource":"https://aws-mcp.us-east-1.api.aws/mcp","client_id":"arn:aws:signin:us-east-1:$a:oauth-client/dcr/$T"}"#,
            ),
            extra: Body::Raw(token.as_bytes()),
            ..pen.call(&note, &live.seat, "signin", "CreateOAuth2Token", self.time)
        };
        let places = pen.places(7, &note, "", "", self.time);
        let mint = Note { session: None, shape: "mint-oauth", ..note }.minting(live.session);
        pen.emit(Some(&live.identity), &call, &places, mint);
        for (number, line) in READS.into_iter().enumerate() {
            self.time += 3;
            let call = Call {
                event_type: "AwsMcpEvent",
                category: "Data",
                request: Body::Template(
                    r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"aws___call_aws"}}"#,
                ),
                extra: Body::Template(
                    r#"{"downstreamRequests":[{"apiName":"ec2:DescribeInstances","requestId":"$u","awsRegion":"$r"}]}"#,
                ),
                tail: ",\"mcpEventDetails\":{\"sessionId\":\"mcp-0001\",\"mcpServerName\":\"aws-mcp\"}",
                ..pen.call(&note, &live.seat, "aws-mcp", "CallReadWriteTool", self.time)
            };
            let places = pen.places(7, &note, "", "", self.time);
            pen.emit(Some(&live.identity), &call, &places, note);
            let mut downstream = live.clone();
            downstream.credential.key = (number % 2 == 0).then(|| pen.fresh_key());
            downstream.credential.invoked_by = Some("aws-mcp.amazonaws.com");
            downstream.identity = downstream.credential.identity();
            downstream.seat = service("aws-mcp.amazonaws.com");
            self.say(pen, &downstream, line, note, false);
        }
    }

    /// Services that act for themselves.
    fn services(&mut self, pen: &mut Pen<'_>) {
        let key = pen.fresh_key();
        let role = pen.world.role(self.account, "AWSServiceRoleForAutoScaling");
        let asked = Asked { session_name: "AutoScaling", ..Asked::default() };
        let token = pen.token();
        let request = asked.request(&role);
        let response = mint::assumed(&role, &asked, &key, self.time, token, "");
        let session = pen.batch.open(key, None, None, "none");
        let seat = service("autoscaling.amazonaws.com");
        let note = Note::new(self.account, 0, "aws-service");
        let call = Call {
            read_only: true,
            request: Body::Raw(&request),
            response: Body::Raw(&response),
            tls: false,
            ..pen.call(&note, &seat, "sts", "AssumeRole", self.time)
        };
        let places = pen.places(7, &note, "", "", self.time);
        let by = b"{\"type\":\"AWSService\",\"invokedBy\":\"autoscaling.amazonaws.com\"}";
        pen.emit(Some(by), &call, &places, note.minting(session));
        // Not an API call: no request id, no parameters, an identity without a type.
        let seat = service("AWS Internal");
        let call = Call {
            event_type: "AwsServiceEvent",
            tls: false,
            tail: ",\"serviceEventDetails\":{\"keyId\":\"alias/agents\",\"rotationType\":\"AUTOMATIC\"}",
            ..pen.call(&note, &seat, "kms", "RotateKey", self.time + 4)
        };
        let identity = format!("{{\"accountId\":\"{}\",\"invokedBy\":\"AWS Internal\"}}", self.id);
        pen.emit(
            Some(identity.as_bytes()),
            &call,
            &places,
            Note { shape: "service-event", ..note },
        );
        self.time += 9;
    }

    /// A mint that was refused: tags in the request, no credentials in the answer.
    fn failed_mint(&mut self, pen: &mut Pen<'_>) {
        let live = mint::runner(pen, self.account, self.time);
        let role = pen.world.role(self.account, "ExportsAdmin");
        let asked = Asked {
            session_name: "run-denied",
            tags: vec![("AgentID", "cost-reporter-1"), ("AgentVersion", "1.4.2")],
            transitive: vec!["AgentID"],
            ..Asked::default()
        };
        let request = asked.request(&role);
        let message = format!(
            "User: {} is not authorized to perform: sts:TagSession on resource: {}",
            live.credential.arn(),
            role.arn()
        );
        let note = Note::new(self.account, 0, "mint-failed").by(live.session);
        let call = Call {
            read_only: true,
            error: Some(("AccessDenied", &message)),
            request: Body::Raw(&request),
            ..pen.call(&note, &live.seat, "sts", "AssumeRole", self.time)
        };
        let places = pen.places(7, &note, "", "", self.time);
        pen.emit(Some(&live.identity), &call, &places, note);
    }

    /// A person with a long-term key, then with the session he got for it.
    fn user_and_session_token(&mut self, pen: &mut Pen<'_>) {
        let principal = self.user(pen, "legacy-admin");
        let number = hash(pen.world.spec.seed, &[13, u64::from(self.account)]);
        let long = Credential::new(principal.clone(), unique_id("AKIA", 16, number), None);
        let anchor = long.key.clone().unwrap_or_default();
        let live = self.live(
            pen,
            long,
            anchor,
            desk(34, "aws-cli/1.44.5 md/Botocore#1.43.5 ua/2.1 os/linux#6.8.0 lang/python#3.12.3"),
        );
        let note = Note::new(self.account, 0, "iam-user").by(live.session);
        for line in READS {
            self.say(pen, &live, line, note, false);
        }
        let key = pen.fresh_key();
        let token = pen.token();
        let mut response = b"{".to_vec();
        credentials(&mut response, &key, self.time + 43_200, token);
        response.push(b'}');
        let session = pen.batch.open(key.clone(), None, Some(live.session), "none");
        self.time += 3;
        let call = Call {
            request: Body::Template(
                r#"{"durationSeconds":43200,"serialNumber":"arn:aws:iam::$a:mfa/legacy-admin"}"#,
            ),
            response: Body::Raw(&response),
            ..pen.call(&note, &live.seat, "sts", "GetSessionToken", self.time)
        };
        let places = pen.places(7, &note, "", "", self.time);
        let mint = Note { shape: "mint-session-token", ..note }.minting(session);
        pen.emit(Some(&live.identity), &call, &places, mint);
        let mut credential = Credential::new(principal, key, Some(self.time));
        credential.mfa = true;
        let child = Live { identity: credential.identity(), credential, session, ..live };
        let note = Note { shape: "session-token", ..note }.by(session);
        for line in READS {
            self.say(pen, &child, line, note, false);
        }
    }

    /// A central administrator becomes root of this account.
    fn assume_root(&mut self, pen: &mut Pen<'_>) {
        let role = pen.world.role(self.account, "AWSReservedSSO_RootTasks_1a2b3c4d5e6f7a8b");
        let principal = Principal::Role { role, session_name: "jo@example.com".to_owned() };
        let caller = Credential::new(principal, pen.fresh_key(), Some(self.time - 30));
        let anchor = caller.key.clone().unwrap_or_default();
        let live = self.live(
            pen,
            caller,
            anchor,
            desk(32, "aws-cli/2.36.1 md/awscrt#0.29.0 ua/2.1 os/macos#25.1.0"),
        );
        let key = pen.fresh_key();
        let token = pen.token();
        let mut response = b"{".to_vec();
        credentials(&mut response, &key, self.time + 900, token);
        response.push(b'}');
        let session = pen.batch.open(key.clone(), None, Some(live.session), "none");
        let note = Note::new(self.account, 0, "mint-assume-root").by(live.session);
        let call = Call {
            read_only: true,
            request: Body::Template(
                r#"{"targetPrincipal":"$a","taskPolicyArn":{"arn":"arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"},"durationSeconds":900}"#,
            ),
            response: Body::Raw(&response),
            ..pen.call(&note, &live.seat, "sts", "AssumeRoot", self.time)
        };
        let places = pen.places(7, &note, "", "", self.time);
        pen.emit(Some(&live.identity), &call, &places, note.minting(session));
        let mut credential =
            Credential::new(Principal::Root { account: self.id.clone() }, key, Some(self.time));
        credential.context = ",\"assumedRoot\":\"true\"".to_owned();
        let root = Live { identity: credential.identity(), credential, session, ..live };
        let note = Note { shape: "assumed-root", ..note }.by(session);
        let line = (
            "s3",
            "GetBucketPolicy",
            true,
            r#"{"bucketName":"locked-$a","Host":"locked-$a.s3.$r.amazonaws.com","policy":""}"#,
        );
        self.say(pen, &root, line, note, false);
        let line = (
            "s3",
            "DeleteBucketPolicy",
            false,
            r#"{"bucketName":"locked-$a","Host":"locked-$a.s3.$r.amazonaws.com","policy":""}"#,
        );
        self.say(pen, &root, line, note, false);
    }

    /// The records of the services that stand behind a mint.
    fn certificates_and_pods(&mut self, pen: &mut Pen<'_>) {
        let key = pen.fresh_key();
        let token = pen.token();
        let mut response = b"{\"credentialSet\":[{\"assumedRoleUser\":{\"arn\":\"HIDDEN_DUE_TO_SECURITY_REASONS\"},".to_vec();
        credentials(&mut response, &key, self.time + 3600, token);
        response.text("}],\"subjectArn\":\"HIDDEN_DUE_TO_SECURITY_REASONS\"}");
        let session = pen.batch.open(key, None, None, "none");
        let seat = desk(35, "CredHelper/1.8.0 (go1.26.0; linux; amd64)");
        let note = Note::new(self.account, 0, "mint-create-session").minting(session);
        let call = Call {
            request: Body::Template(
                r#"{"profileArn":"arn:aws:rolesanywhere:$r:$a:profile/$v","roleArn":"arn:aws:iam::$a:role/AgentRuntime","trustAnchorArn":"arn:aws:rolesanywhere:$r:$a:trust-anchor/$v","durationSeconds":3600,"cert":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            ),
            response: Body::Raw(&response),
            ..pen.call(&note, &seat, "rolesanywhere", "CreateSession", self.time)
        };
        let places = pen.places(7, &note, "", "", self.time);
        let identity = format!(
            "{{\"type\":\"Unknown\",\"principalId\":\"\",\"arn\":\"\",\"accountId\":\"{}\",\"accessKeyId\":\"\",\"userName\":\"\"}}",
            self.id
        );
        pen.emit(Some(identity.as_bytes()), &call, &places, note);
        let role = pen.world.role(self.account, "eks-node");
        let principal = Principal::Role { role, session_name: "i-0123456789abcdef0".to_owned() };
        let mut node = Credential::new(principal, pen.fresh_key(), Some(self.time - 1000));
        node.context = ",\"ec2RoleDelivery\":\"2.0\"".to_owned();
        let anchor = node.key.clone().unwrap_or_default();
        let live = self.live(
            pen,
            node,
            anchor,
            Seat {
                ip: "10.0.3.17".to_owned(),
                ..desk(0, "eks-pod-identity-agent/0.1.33 aws-sdk-go-v2/1.40.0")
            },
        );
        let note = Note::new(self.account, 0, "pod-identity").by(live.session);
        let line = (
            "eks-auth",
            "AssumeRoleForPodIdentity",
            true,
            r#"{"clusterName":"agents","token":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        );
        self.say(pen, &live, line, note, false);
    }

    /// A session whose mint is in no file: it began before the logs do.
    fn key_of_unknown_origin(&mut self, pen: &mut Pen<'_>) {
        let role = pen.world.role(self.account, "AgentRuntime");
        let principal = Principal::Role { role, session_name: "run-old".to_owned() };
        let credential = Credential::new(principal, pen.fresh_key(), Some(self.time - 3000));
        let anchor = credential.key.clone().unwrap_or_default();
        let live =
            self.live(pen, credential, anchor, desk(36, "Boto3/1.43.0 md/Botocore#1.43.0 ua/2.1"));
        let note = Note::new(self.account, 0, "mint-unseen").by(live.session);
        for line in READS {
            self.say(pen, &live, line, note, false);
        }
    }

    /// Late records say so.
    fn late_corrections(&mut self, pen: &mut Pen<'_>) {
        let live = mint::automation_user(pen, self.account);
        let note = Note::new(self.account, 0, "addendum").by(live.session);
        for tail in [
            ",\"addendum\":{\"reason\":\"DELIVERY_DELAY\",\"updatedFields\":\"\",\"originalRequestID\":\"\",\"originalEventID\":\"\"}",
            ",\"addendum\":{\"reason\":\"UPDATED_DATA\",\"updatedFields\":\"responseElements\",\"originalRequestID\":\"0a0b0c0d-1111-4222-8333-444455556666\",\"originalEventID\":\"0a0b0c0d-5555-4666-8777-888899990000\"}",
        ] {
            self.time += 2;
            let call = Call {
                read_only: true,
                request: Body::Template(r#"{"functionName":"$w-handler"}"#),
                tail,
                ..pen.call(&note, &live.seat, "lambda", "GetFunction20150331v2", self.time)
            };
            let places = pen.places(7, &note, "", "", self.time);
            pen.emit(Some(&live.identity), &call, &places, note);
        }
    }

    /// A hand-written record of a kind that has its own members.
    fn other_kind(
        &mut self,
        pen: &mut Pen<'_>,
        kind: Kind,
        shape: &'static str,
        json: &str,
        id: u128,
        shared: Option<u128>,
    ) {
        let start = pen.batch.json.len();
        pen.batch.json.text(json);
        let note = Note { kind, ..Note::new(self.account, 0, shape) };
        pen.note(start, id, self.time, shared, note);
    }

    fn insight(&mut self, pen: &mut Pen<'_>) {
        let shared = fresh_guid(&mut pen.rng);
        for state in ["Start", "End"] {
            let id = fresh_guid(&mut pen.rng);
            self.time += 60;
            let json = format!(
                r#"{{"eventVersion":"1.09","eventTime":"{}","awsRegion":"{}","eventID":"{}","eventType":"AwsCloudTrailInsight","recipientAccountId":"{}","sharedEventID":"{}","insightDetails":{{"state":"{state}","eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue","insightType":"ApiCallRateInsight","insightContext":{{"statistics":{{"baseline":{{"average":0.002}},"insight":{{"average":4.5}},"insightDuration":2,"baselineDuration":10080}},"attributions":[{{"attribute":"userIdentityArn","insight":[{{"value":"arn:aws:sts::{}:assumed-role/AgentRuntime","average":4.5}}],"baseline":[]}}]}}}},"eventCategory":"Insight"}}"#,
                iso_string(self.time),
                REGIONS[0],
                guid_string(id),
                self.id,
                guid_string(shared),
                self.id
            );
            self.other_kind(pen, Kind::Insight, "insight", &json, id, Some(shared));
        }
    }

    fn network_activity(&mut self, pen: &mut Pen<'_>) {
        let id = fresh_guid(&mut pen.rng);
        let json = format!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"AWSAccount","principalId":"AROAEXAMPLEOUTSIDER00:probe","accountId":"999900001111"}},"eventTime":"{}","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"{}","sourceIPAddress":"10.0.4.9","userAgent":"","errorCode":"VpceAccessDenied","errorMessage":"The request was denied due to a VPC endpoint policy","requestParameters":null,"responseElements":null,"requestID":"{}","eventID":"{}","readOnly":false,"eventType":"AwsVpceEvents","recipientAccountId":"{}","vpcEndpointId":"vpce-0a1b2c3d4e5f60718","vpcEndpointAccountId":"{}","eventCategory":"NetworkActivity"}}"#,
            iso_string(self.time),
            REGIONS[0],
            guid_string(fresh_guid(&mut pen.rng)),
            guid_string(id),
            self.id,
            self.id
        );
        self.other_kind(pen, Kind::NetworkActivity, "network-activity", &json, id, None);
    }

    /// `eventId`, not `eventID`, and nobody's identity.
    fn aggregated(&mut self, pen: &mut Pen<'_>) {
        let id = fresh_guid(&mut pen.rng);
        let json = format!(
            r#"{{"eventVersion":"1.0","accountId":"{}","eventId":"{}","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","awsRegion":"{}","timeWindow":{{"windowStart":"{}","windowEnd":"{}","windowSize":"PT5M"}},"summary":{{"primaryDimension":{{"dimension":"API_ACTIVITY","statistics":[{{"name":"s3.amazonaws.com:GetObject","value":812}},{{"name":"s3.amazonaws.com:PutObject","value":77}}],"aggregationType":"COUNT"}},"details":[]}}}}"#,
            self.id,
            guid_string(id),
            REGIONS[0],
            iso_string(self.time),
            iso_string(self.time + 300)
        );
        self.other_kind(pen, Kind::Aggregated, "aggregated", &json, id, None);
    }
}
