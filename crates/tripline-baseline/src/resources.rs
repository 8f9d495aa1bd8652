//! Which resources a call touched, as ARNs where the record tells enough to write one.
//!
//! `resources[]` is absent in 96 % of real management events (facts 7), so the names in
//! `requestParameters` are made into ARNs.

mod roles;
mod table;

use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use tripline_cloudtrail::{Json, JsonText, Record};
use tripline_iam::AccountId;
use tripline_text::Untrusted;

use self::table::{
    EVERYWHERE, Line, Owned, Places, Shape, ec2_type, in_arn, is_ec2_aside, lines_named, lines_of,
    owner_parameter,
};
use crate::pattern::{arn_parts, bare_log_group};

pub use self::roles::{each_passed_role, each_passed_role_by};
pub(crate) use self::roles::{may_pass_role, roles_passed_by};

/// How many resources of one call are kept. The longest list of names that an API of the table
/// takes is 100 (`BatchGetItem`).
pub const RESOURCES_MAX: usize = 256;

/// How deep parameters are looked into. The deepest of the table lies 8 deep; what nobody asks for may
/// be nested as deep as a record is long, and must not exhaust the stack.
const DEPTH_MAX: usize = 16;

/// How long the part of an EC2 id behind its prefix is at least; the old ones have eight digits
/// (EC2/resource-ids).
const ID_BYTES_MIN: usize = 8;

/// The resources of the call that `record` tells of, in the order written, without repetitions.
pub(crate) fn of(record: &Record<'_>) -> Vec<Untrusted<'static>> {
    distinct(|sink| each_resource(record, &mut String::new(), sink))
}

fn distinct(each: impl FnOnce(&mut dyn FnMut(&str))) -> Vec<Untrusted<'static>> {
    let mut found: Vec<Untrusted<'static>> = Vec::new();
    each(&mut |text| {
        if !found.iter().any(|known| known == text) {
            found.push(Untrusted::new(text.to_owned()));
        }
    });
    found
}

/// Hands each resource of a call to `sink`, at most [`RESOURCES_MAX`]; one that is named twice may come
/// twice. `scratch` is room for texts that have to be put together: nothing else is allocated, but for
/// texts that were written with escapes.
pub fn each_resource(record: &Record<'_>, scratch: &mut String, sink: &mut dyn FnMut(&str)) {
    let mut found = Found { record, scratch, sink, count: 0, looked_at: 0 };
    let source = record.event_source().decode();
    let service = service_of(&source);
    found.all(service, || (lines_of(service).unwrap_or_default(), None));
}

/// The same, where it is known already how such calls name things.
pub fn each_resource_by(
    naming: &Naming,
    record: &Record<'_>,
    scratch: &mut String,
    sink: &mut dyn FnMut(&str),
) {
    let mut found = Found { record, scratch, sink, count: 0, looked_at: 0 };
    let OfService { service, lines, places } = &*naming.of_service;
    found.all(service, || (lines, Some(places)));
}

/// What the calls of an event have in common in how they name things; worth keeping where the same event
/// comes again and again.
#[derive(Clone, Debug)]
pub struct Naming {
    of_service: Arc<OfService>,
    may_pass_role: bool,
}

impl Naming {
    /// Whether their calls may hand a role over.
    pub fn may_pass_role(&self) -> bool {
        self.may_pass_role
    }
}

#[derive(Debug)]
struct OfService {
    service: Box<str>,
    lines: &'static [Line],
    places: Places,
}

/// How the calls of events name things, event by event: what those of one service have in common is found
/// out once.
#[derive(Debug, Default)]
pub struct Namings {
    of_services: Vec<Arc<OfService>>,
}

impl Namings {
    /// That of an event, by its source and its name.
    pub fn of(&mut self, event_source: &str, event_name: &str) -> Naming {
        let service = service_of(event_source);
        let known = self.of_services.iter().find(|known| *known.service == *service);
        let of_service = known.map(Arc::clone).unwrap_or_else(|| self.new_service(service));
        Naming { of_service, may_pass_role: may_pass_role(event_source, event_name) }
    }

    fn new_service(&mut self, service: &str) -> Arc<OfService> {
        let lines = lines_of(service);
        let places = Places::in_lines(lines.unwrap_or_default());
        let of_service =
            OfService { service: service.into(), lines: lines.unwrap_or_default(), places };
        let of_service = Arc::new(of_service);
        // Those of the table are a hundred; of others there may be as many as a caller likes.
        if lines.is_some() {
            self.of_services.push(Arc::clone(&of_service));
        }
        of_service
    }
}

/// All that [`each_resource`] and [`each_passed_role`] look at, beside the event, its Region and the
/// account of the caller: two calls that are alike in these touch the same.
pub fn touching<'a>(record: &Record<'a>) -> impl Hash + use<'a> {
    let written = [record.request(), record.resources()].map(|json| json.map(Json::as_written));
    let account = record.recipient_account_text().map(JsonText::as_written);
    (written, account, partition_of(record))
}

/// `iam` of `iam.amazonaws.com`, in any partition.
fn service_of(source: &str) -> &str {
    let china = source.strip_suffix(".cn").unwrap_or(source);
    china.strip_suffix(".amazonaws.com").unwrap_or(source)
}

/// The texts at a path of parameters, in any case, lists taken apart.
fn each_text(value: Json<'_>, path: &str, depth: usize, sink: &mut dyn FnMut(&str)) {
    if depth == DEPTH_MAX {
        return;
    }
    if value.as_written().starts_with('[') {
        return value.items().for_each(|item| each_text(item, path, depth + 1, sink));
    }
    if path.is_empty() {
        // EC2 writes the items of some lists as `{"tag": 1, "content": "…"}`.
        let text = value.text().or_else(|| value.get_text("content"));
        if let Some(text) = text.and_then(known) {
            sink(&text);
        }
        return;
    }
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    for (_, value) in value.members().filter(|(name, _)| is_named(*name, first)) {
        each_text(value, rest, depth + 1, sink);
    }
}

/// Whether a member has this name, in any case.
fn is_named(member: JsonText<'_>, name: &str) -> bool {
    member.as_written().eq_ignore_ascii_case(name)
}

/// Whether a parameter is named for ARNs.
fn is_for_arns(name: JsonText<'_>) -> bool {
    let last = name.as_written().as_bytes().last_chunk::<3>();
    last.is_some_and(|last| last.eq_ignore_ascii_case(b"arn") || last.eq_ignore_ascii_case(b"rns"))
}

/// The first text at a path of parameters.
fn text_at<'a>(value: Json<'a>, path: &str) -> Option<Cow<'a, str>> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let (_, value) = value.members().find(|(name, _)| is_named(*name, first))?;
    if rest.is_empty() { value.text().and_then(known) } else { text_at(value, rest) }
}

/// Whether this is the object in which EC2 wraps the parameters of its younger calls:
/// `{"CreateFlowLogsRequest": {…}}`.
fn is_ec2_wrapper(service: &str, name: JsonText<'_>, value: Json<'_>) -> bool {
    service == "ec2"
        && name.as_written().ends_with("Request")
        && value.as_written().starts_with('{')
}

/// In which Region an ARN lies.
#[derive(Clone, Copy)]
enum Place {
    OfTheCall,
    Nowhere,
}

/// Whose account an ARN names.
#[derive(Clone, Copy)]
enum Whose<'t> {
    OfTheCall(Json<'t>),
    Another(&'t str),
    Nobodys,
}

/// Whether a name is written as it was asked for, or in small letters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    AsWritten,
    Small,
}

/// The lines of a service, and where in them each parameter's are, if that is known.
type Lines<'n> = (&'static [Line], Option<&'n Places>);

struct Found<'r, 'a, 's> {
    record: &'r Record<'a>,
    scratch: &'s mut String,
    sink: &'s mut dyn FnMut(&str),
    count: usize,
    looked_at: usize,
}

impl Found<'_, '_, '_> {
    fn all<'n>(&mut self, service: &str, lines: impl FnOnce() -> Lines<'n>) {
        if service == "s3" && self.s3() {
            return;
        }
        for arn in self.record.resource_arns() {
            self.add(bare_log_group(&arn.decode()));
        }
        if self.count == 0
            && let Some(request) = self.record.request()
        {
            self.by_parameters(service, lines(), request);
        }
    }

    fn add(&mut self, resource: &str) {
        if self.count < RESOURCES_MAX {
            self.count += 1;
            (self.sink)(resource);
        }
    }

    /// Adds what `write` puts together.
    fn put(&mut self, write: impl FnOnce(&Self, &mut String)) {
        let mut text = std::mem::take(self.scratch);
        text.clear();
        write(self, &mut text);
        self.add(bare_log_group(&text));
        *self.scratch = text;
    }

    /// S3 lists the bucket beside each object in `resources[]`, while IAM asks about the object
    /// alone: so the request decides, where it names a bucket.
    fn s3(&mut self) -> bool {
        let Some(request) = self.record.request() else { return false };
        // Calls of accounts' control plane name it `bucket`.
        let names = ["bucketName", "bucket", "key", "x-amz-copy-source"];
        let [bucket_name, bucket, key, copied] =
            request.get_each(names).map(|value| value.and_then(Json::text));
        let Some(bucket) = bucket_name.or(bucket).and_then(known) else { return false };
        let partition = partition_of(self.record);
        let key = key.and_then(known);
        self.put(|_, text| {
            // An access point's ARN may stand in the bucket's place.
            let is_arn = bucket.starts_with("arn:");
            if !is_arn {
                append(text, &["arn:", partition, ":s3:::"]);
            }
            text.push_str(&bucket);
            if let Some(key) = &key {
                text.push_str(if is_arn { "/object/" } else { "/" });
                text.push_str(key);
            }
        });
        // The source of a copy is read, by the same call.
        if let Some(copied) = copied.and_then(known) {
            self.copied(&copied, partition);
        }
        true
    }

    /// `bucket/key?versionId=…` or an access point's ARN, percent-encoded
    /// (API reference of S3, `CopyObject`): what is compared is what S3 reads.
    fn copied(&mut self, source: &str, partition: &str) {
        let source = source.split("?versionId=").next().unwrap_or_default();
        let source = percent_decode_str(source.strip_prefix('/').unwrap_or(source));
        let source = source.decode_utf8_lossy();
        if source.starts_with("arn:") {
            return self.add(&source);
        }
        self.put(|_, text| append(text, &["arn:", partition, ":s3:::", &source]));
    }

    fn by_parameters(&mut self, service: &str, lines: Lines<'_>, request: Json<'_>) {
        let mut any_arns = false;
        for (name, value) in request.members() {
            any_arns |= is_for_arns(name);
            if is_ec2_wrapper(service, name, value) {
                self.parameters(service, lines, value);
                continue;
            }
            self.parameter(service, lines, name, value, request);
        }
        if self.count == 0 && any_arns {
            for (_, value) in request.members().filter(|(name, _)| is_for_arns(*name)) {
                self.unlisted(value);
            }
        }
    }

    fn parameters(&mut self, service: &str, lines: Lines<'_>, request: Json<'_>) {
        for (name, value) in request.members() {
            self.parameter(service, lines, name, value, request);
        }
    }

    fn parameter(
        &mut self,
        service: &str,
        (lines, places): Lines<'_>,
        name: JsonText<'_>,
        value: Json<'_>,
        request: Json<'_>,
    ) {
        let name = name.as_written();
        if service == "ec2" {
            self.ec2_ids(name, ID_BYTES_MIN, value, request, 0);
        }
        let here = lines_named(lines, places, name);
        let everywhere = EVERYWHERE.iter().filter(|it| it.0.eq_ignore_ascii_case(name));
        for (path, shape) in here.iter().chain(everywhere) {
            if let Shape::Members(prefix) = shape {
                for name in value.members().filter_map(|(name, _)| known(name)) {
                    self.value(service, Shape::Regional(prefix), request, &name);
                }
                continue;
            }
            let rest = path.split_once('.').map_or("", |(_, rest)| rest);
            each_text(value, rest, 0, &mut |text| self.value(service, *shape, request, text));
        }
    }

    /// A parameter that is in no line, for want of better: what is an ARN, and said to be one. Roles are
    /// looked for apart.
    fn unlisted(&mut self, value: Json<'_>) {
        each_text(value, "", 0, &mut |text| {
            if arn_parts(text).is_some_and(|parts| parts[2] != "iam") {
                self.add(bare_log_group(text));
            }
        });
    }

    /// EC2's ids tell what they are, wherever they stand. Where a parameter is not named for an id, only
    /// what is as long as one is taken for one: somebody may call a key pair `sg-web`.
    fn ec2_ids(
        &mut self,
        name: &str,
        bytes_min: usize,
        value: Json<'_>,
        request: Json<'_>,
        depth: usize,
    ) {
        if depth == DEPTH_MAX || is_ec2_aside(name) {
            return;
        }
        let is_for_id = |name: &str| name.ends_with("Id") || name.ends_with("Ids");
        let bytes_min = if is_for_id(name) { 1 } else { bytes_min };
        if let Some(text) = value.text() {
            return self.ec2_id(&text.decode(), bytes_min, request);
        }
        for item in value.items() {
            self.ec2_ids("", bytes_min, item, request, depth + 1);
        }
        for (name, value) in value.members() {
            self.ec2_ids(name.as_written(), bytes_min, value, request, depth + 1);
        }
    }

    fn ec2_id(&mut self, text: &str, bytes_min: usize, request: Json<'_>) {
        let Some((prefix, id)) = text.rsplit_once('-') else { return };
        let is_id = (bytes_min..=17).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_id && let Some((kind, owned)) = ec2_type(prefix) {
            let whose = match owned {
                Owned::ByAccount => Whose::OfTheCall(request),
                Owned::ByNobody => Whose::Nobodys,
            };
            self.regional("ec2", whose, &[kind, text]);
        }
    }

    /// Adds what a text names. At most [`RESOURCES_MAX`] are looked at: some make it necessary to look at
    /// other parameters, and a list of a record's length would take that length squared.
    fn value(&mut self, service: &str, shape: Shape, request: Json<'_>, text: &str) {
        if self.looked_at < RESOURCES_MAX {
            self.looked_at += 1;
            self.resource(service, shape, request, text);
        }
    }

    fn resource(&mut self, service: &str, shape: Shape, request: Json<'_>, text: &str) {
        // Some services log parameters of their paths as they stood in the URL.
        if text.starts_with("arn%3A") {
            let decoded = percent_decode_str(text).decode_utf8_lossy();
            return self.resource(service, shape, request, &decoded);
        }
        let ours = Whose::OfTheCall(request);
        match shape {
            Shape::In(word, shape) => {
                if self.record.event_name().as_written().contains(word) {
                    self.resource(service, *shape, request, text);
                }
            }
            Shape::If(parameter, value, shape) => {
                if text_at(request, parameter).is_some_and(|it| it == value) {
                    self.resource(service, *shape, request, text);
                }
            }
            Shape::Of(service, shape) => self.resource(service, *shape, request, text),
            Shape::Secret if text.starts_with("arn:") => self.secret_arn(text),
            _ if text.starts_with("arn:") => self.add(bare_log_group(text)),
            Shape::Arn | Shape::Members(_) => self.add(text),
            Shape::Bare(prefix) => self.put(|_, arn| append(arn, &[prefix, text])),
            Shape::Regional(prefix) => self.regional(service, ours, &[prefix, text]),
            Shape::Lower(prefix) => {
                self.arn(service, Place::OfTheCall, ours, &[prefix, text], Letters::Small);
            }
            Shape::Unowned(prefix) => self.regional(service, Whose::Nobodys, &[prefix, text]),
            Shape::Global(prefix) => {
                self.arn(service, Place::Nowhere, ours, &[prefix, text], Letters::AsWritten);
            }
            Shape::Nowhere(prefix) => {
                let name = [prefix, last_part(text)];
                self.arn(service, Place::Nowhere, Whose::Nobodys, &name, Letters::AsWritten);
            }
            Shape::Under(prefix, parent) => {
                self.under(service, [prefix, parent, ""], request, text, Letters::AsWritten);
            }
            Shape::LowerUnder(prefix, parent) => {
                self.under(service, [prefix, parent, ""], request, text, Letters::Small);
            }
            Shape::UnderDefault(prefix, parent) => {
                self.under(service, [prefix, parent, "default"], request, text, Letters::AsWritten);
            }
            Shape::Secret => self.regional(service, ours, &["secret:", text, "-??????"]),
            Shape::Parameter => {
                let name = text.strip_prefix('/').unwrap_or(text);
                self.regional(service, ours, &["parameter/", name]);
            }
            Shape::Document => {
                let whose = if text.starts_with("AWS") { Whose::Nobodys } else { ours };
                self.regional(service, whose, &["document/", text]);
            }
            Shape::Node if text.starts_with("i-") => {
                self.regional("ec2", ours, &["instance/", text]);
            }
            Shape::Node if text.starts_with("mi-") => {
                self.regional("ssm", ours, &["managed-instance/", text]);
            }
            Shape::Node => {}
            Shape::Build => {
                let project = text.split(':').next().unwrap_or_default();
                self.regional(service, ours, &["project/", project]);
            }
            Shape::Key if text.starts_with("alias/") => self.regional(service, ours, &[text]),
            Shape::Key => self.regional(service, ours, &["key/", text]),
            Shape::Function => match text.split_once(":function:") {
                Some((account, name)) => {
                    self.regional(service, Whose::Another(account), &["function:", name]);
                }
                None => self.regional(service, ours, &["function:", text]),
            },
            Shape::Model => match is_inference_profile(text) {
                true => self.regional(service, ours, &["inference-profile/", text]),
                false => self.regional(service, Whose::Nobodys, &["foundation-model/", text]),
            },
            Shape::Rule => self.rule(service, request, text),
            Shape::QueueUrl => {
                let mut path = text.rsplit('/');
                if let (Some(name), Some(account)) = (path.next(), path.next()) {
                    self.regional("sqs", Whose::Another(account), &[name]);
                }
            }
            Shape::Waf(kind) => self.waf(service, kind, request, text),
        }
    }

    /// `name` and `default` are the prefix, the parent and what stands for the parent. Behind the parent's
    /// parameter there may be a text that comes between the two names.
    fn under(
        &mut self,
        service: &str,
        [prefix, parent, default]: [&str; 3],
        request: Json<'_>,
        text: &str,
        letters: Letters,
    ) {
        let (parameter, between) = match parent.split_once('/') {
            Some((parameter, between)) => (parameter, between),
            None => (parent, ""),
        };
        let parent = text_at(request, parameter).unwrap_or(Cow::Borrowed(default));
        if parent.is_empty() {
            return;
        }
        // The parent may be an ARN itself: its name is what counts.
        let parent = if parent.starts_with("arn:") { last_part(&parent) } else { &parent };
        let slash = if between.is_empty() { "" } else { "/" };
        let name = [prefix, parent, slash, between, "/", text];
        self.arn(service, Place::OfTheCall, Whose::OfTheCall(request), &name, letters);
    }

    /// A secret's ARN may be given without its six random characters (API reference of Secrets Manager,
    /// `GetSecretValue`). A name that ends like those cannot be told from a whole ARN.
    fn secret_arn(&mut self, arn: &str) {
        let is_random =
            |end: &str| end.len() == 6 && end.bytes().all(|it| it.is_ascii_alphanumeric());
        match arn.rsplit_once('-') {
            Some((_, end)) if is_random(end) => self.add(arn),
            _ => self.put(|_, text| append(text, &[arn, "-??????"])),
        }
    }

    fn rule(&mut self, service: &str, request: Json<'_>, name: &str) {
        let bus = text_at(request, "eventBusName");
        let whose = Whose::OfTheCall(request);
        match bus.as_deref().map(last_part) {
            None | Some("default") => self.regional(service, whose, &["rule/", name]),
            Some(bus) => self.regional(service, whose, &["rule/", bus, "/", name]),
        }
    }

    fn waf(&mut self, service: &str, kind: &str, request: Json<'_>, id: &str) {
        let Some(name) = text_at(request, "name") else { return };
        let scope = text_at(request, "scope");
        let scope = if scope.as_deref() == Some("CLOUDFRONT") { "global/" } else { "regional/" };
        let name = [scope, kind, "/", &name, "/", id];
        self.regional(service, Whose::OfTheCall(request), &name);
    }

    fn regional(&mut self, service: &str, whose: Whose<'_>, name: &[&str]) {
        self.arn(service, Place::OfTheCall, whose, name, Letters::AsWritten);
    }

    fn arn(
        &mut self,
        service: &str,
        place: Place,
        whose: Whose<'_>,
        name: &[&str],
        letters: Letters,
    ) {
        self.put(|this, arn| {
            append(arn, &["arn:", partition_of(this.record), ":", in_arn(service), ":"]);
            if let Place::OfTheCall = place {
                arn.push_str(&this.record.region().map(JsonText::decode).unwrap_or_default());
            }
            arn.push(':');
            match whose {
                Whose::OfTheCall(request) => this.write_account(arn, service, request),
                Whose::Another(account) => arn.push_str(account),
                Whose::Nobodys => {}
            }
            arn.push(':');
            for part in name {
                match letters {
                    Letters::AsWritten => arn.push_str(part),
                    Letters::Small => arn.extend(part.chars().map(|it| it.to_ascii_lowercase())),
                }
            }
        });
    }

    /// A bare name means the account in which the call was made, unless the call names another one.
    fn write_account(&self, arn: &mut String, service: &str, request: Json<'_>) {
        let owner = owner_parameter(service).and_then(|parameter| text_at(request, parameter));
        let owner = owner.and_then(|text| AccountId::parse(&text).ok());
        let record = self.record;
        let own = || record.recipient_account().or_else(|| record.identity().account());
        if let Some(account) = owner.or_else(own) {
            arn.extend(account.digits().map(char::from));
        }
    }
}

fn append(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
}

/// What stands behind the last slash.
fn last_part(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or_default()
}

/// Whether a model's id starts with a geography, as those of the inference profiles that AWS defines do
/// (Bedrock/inference-profiles-support).
fn is_inference_profile(id: &str) -> bool {
    let geography = id.split('.').next().unwrap_or_default();
    matches!(geography, "apac" | "au" | "ca" | "eu" | "global" | "jp" | "us" | "us-gov")
}

/// A value that tells something: CloudTrail masks some.
fn known(text: JsonText<'_>) -> Option<Cow<'_, str>> {
    let text = text.decode();
    let masked = matches!(text.as_ref(), "" | "***" | "HIDDEN_DUE_TO_SECURITY_REASONS");
    (!masked).then_some(text)
}

/// The partition of the call: by the caller's ARN, else by the region's name.
fn partition_of<'a>(record: &Record<'a>) -> &'a str {
    let arn = record.identity().arn();
    // Nearly all are in this one, and escapes behind its name change nothing.
    if arn.is_some_and(|arn| arn.as_written().starts_with("arn:aws:")) {
        return "aws";
    }
    if let Some(Cow::Borrowed(arn)) = arn.map(JsonText::decode)
        && let Some(partition) = arn.split(':').nth(1)
        && (1..=16).contains(&partition.len())
    {
        return partition;
    }
    let region = record.region().map(JsonText::as_written).unwrap_or_default();
    let by_prefix = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eusc-", "aws-eusc"),
    ];
    let partition = by_prefix.iter().find(|(prefix, _)| region.starts_with(prefix));
    partition.map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resources(source: &str, name: &str, request: &str) -> Vec<String> {
        let text = format!(
            r#"{{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":"{source}.amazonaws.com",
            "eventName":"{name}","awsRegion":"eu-west-1","recipientAccountId":"123456789012",
            "userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/a/b"}},
            {request}}}"#
        );
        let record = Record::parse(&text).unwrap();
        of(&record).iter().map(|text| text.as_unescaped().to_owned()).collect()
    }

    fn by_request(source: &str, name: &str, parameters: &str) -> Vec<String> {
        resources(source, name, &format!(r#""requestParameters":{parameters}"#))
    }

    #[test]
    fn names_become_arns() {
        for (source, name, parameters, arn) in [
            (
                "dynamodb",
                "GetItem",
                r#"{"tableName":"t"}"#,
                "arn:aws:dynamodb:eu-west-1:123456789012:table/t",
            ),
            (
                "lambda",
                "Invoke",
                r#"{"functionName":"f"}"#,
                "arn:aws:lambda:eu-west-1:123456789012:function:f",
            ),
            (
                "lambda",
                "Invoke",
                r#"{"functionName":"999999999999:function:f"}"#,
                "arn:aws:lambda:eu-west-1:999999999999:function:f",
            ),
            (
                "kms",
                "Decrypt",
                r#"{"keyId":"alias/a"}"#,
                "arn:aws:kms:eu-west-1:123456789012:alias/a",
            ),
            (
                "ssm",
                "GetParameter",
                r#"{"name":"/prod/db"}"#,
                "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db",
            ),
            (
                "sqs",
                "SendMessage",
                r#"{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/q"}"#,
                "arn:aws:sqs:eu-west-1:123456789012:q",
            ),
            ("iam", "CreateAccessKey", r#"{"userName":"u"}"#, "arn:aws:iam::123456789012:user/u"),
            (
                "secretsmanager",
                "GetSecretValue",
                r#"{"secretId":"db"}"#,
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-??????",
            ),
            (
                "sts",
                "AssumeRole",
                r#"{"roleArn":"arn:aws:iam::1:role/x"}"#,
                "arn:aws:iam::1:role/x",
            ),
            (
                "logs",
                "GetLogEvents",
                r#"{"logGroupIdentifier":"arn:aws:logs:r:a:log-group:g:*"}"#,
                "arn:aws:logs:r:a:log-group:g",
            ),
        ] {
            assert_eq!(by_request(source, name, parameters), [arn], "{source} {name}");
        }
        assert_eq!(by_request("ssm", "DescribeDocument", r#"{"name":"x"}"#), [""; 0]);
        assert_eq!(by_request("ssm", "GetParameter", r#"{"name":"***"}"#), [""; 0]);
    }

    #[test]
    fn lists_are_taken_apart() {
        let found = by_request(
            "secretsmanager",
            "BatchGetSecretValue",
            r#"{"secretIdList":["a","b","a"]}"#,
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn an_object_is_not_its_bucket() {
        let both = r#""requestParameters":{"bucketName":"b","key":"k/1","x-amz-copy-source":"/c/d?versionId=1"},
            "resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}]"#;
        assert_eq!(resources("s3", "CopyObject", both), ["arn:aws:s3:::b/k/1", "arn:aws:s3:::c/d"]);
        assert_eq!(by_request("s3", "ListObjects", r#"{"bucketName":"b"}"#), ["arn:aws:s3:::b"]);
    }

    #[test]
    fn resources_win_over_names() {
        let both = r#""requestParameters":{"keyId":"alias/a"},"resources":[{"ARN":"arn:aws:kms:r:a:key/1"}]"#;
        assert_eq!(resources("kms", "Decrypt", both), ["arn:aws:kms:r:a:key/1"]);
    }

    #[test]
    fn nested_parameters_and_parents_are_found() {
        let account = "arn:aws:ec2:eu-west-1:123456789012:";
        assert_eq!(
            by_request(
                "ec2",
                "TerminateInstances",
                r#"{"instancesSet":{"items":[{"instanceId":"i-1"},{"instanceId":"i-2"}]}}"#
            ),
            [format!("{account}instance/i-1"), format!("{account}instance/i-2")]
        );
        assert_eq!(
            by_request("ecs", "StopTask", r#"{"cluster":"arn:aws:ecs:r:a:cluster/c","task":"t"}"#),
            ["arn:aws:ecs:r:a:cluster/c", "arn:aws:ecs:eu-west-1:123456789012:task/c/t"]
        );
        assert_eq!(
            by_request("dynamodb", "BatchGetItem", r#"{"requestItems":{"a":{},"b":{}}}"#),
            [
                "arn:aws:dynamodb:eu-west-1:123456789012:table/a",
                "arn:aws:dynamodb:eu-west-1:123456789012:table/b"
            ]
        );
        assert_eq!(
            by_request("monitoring", "DeleteAlarms", r#"{"alarmNames":["a"]}"#),
            ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a"]
        );
    }

    #[test]
    fn spelling_hides_nothing() {
        let account = "123456789012";
        for (source, name, parameters, arn) in [
            // Names are compared in any case, as services change how they write them.
            ("s3", "GetObject", r#"{"bucketName":"b","key":"k"}"#, "arn:aws:s3:::b/k".to_owned()),
            (
                "sns",
                "Publish",
                r#"{"TopicArn":"arn:aws:sns:r:a:t"}"#,
                "arn:aws:sns:r:a:t".to_owned(),
            ),
            // Names that the service folds to small letters.
            (
                "rds",
                "DeleteDBInstance",
                r#"{"dBInstanceIdentifier":"Orders"}"#,
                format!("arn:aws:rds:eu-west-1:{account}:db:orders"),
            ),
            (
                "glue",
                "GetTable",
                r#"{"databaseName":"Lake","name":"Raw"}"#,
                format!("arn:aws:glue:eu-west-1:{account}:table/lake/raw"),
            ),
            // An ARN as it stood in a URL.
            (
                "kafka",
                "DescribeCluster",
                r#"{"clusterArn":"arn%3Aaws%3Akafka%3Ar%3Aa%3Acluster%2Fc%2Fu"}"#,
                "arn:aws:kafka:r:a:cluster/c/u".to_owned(),
            ),
            // The ARN of a secret without its last six characters.
            (
                "secretsmanager",
                "GetSecretValue",
                r#"{"secretId":"arn:aws:secretsmanager:r:a:secret:db"}"#,
                "arn:aws:secretsmanager:r:a:secret:db-??????".to_owned(),
            ),
            (
                "secretsmanager",
                "GetSecretValue",
                r#"{"secretId":"arn:aws:secretsmanager:r:a:secret:db-AbC12x"}"#,
                "arn:aws:secretsmanager:r:a:secret:db-AbC12x".to_owned(),
            ),
            // Another account's, which the call names.
            (
                "ecr",
                "BatchGetImage",
                r#"{"repositoryName":"app","registryId":"999999999999"}"#,
                "arn:aws:ecr:eu-west-1:999999999999:repository/app".to_owned(),
            ),
            (
                "sqs",
                "GetQueueUrl",
                r#"{"queueName":"q","queueOwnerAWSAccountId":"999999999999"}"#,
                "arn:aws:sqs:eu-west-1:999999999999:q".to_owned(),
            ),
        ] {
            let found = by_request(source, name, parameters);
            assert_eq!(found.last(), Some(&arn), "{source} {name}: {found:?}");
        }
    }

    #[test]
    fn the_source_of_a_copy_is_what_s3_reads() {
        for (copied, arn) in [
            ("c/d%20e%2Bf?versionId=1", "arn:aws:s3:::c/d e+f"),
            ("/c/pay%72oll", "arn:aws:s3:::c/payroll"),
            (
                "arn:aws:s3:eu-west-1:123456789012:accesspoint/p/object/k",
                "arn:aws:s3:eu-west-1:123456789012:accesspoint/p/object/k",
            ),
        ] {
            let request =
                format!(r#"{{"bucketName":"b","key":"k","x-amz-copy-source":"{copied}"}}"#);
            assert_eq!(by_request("s3", "CopyObject", &request), ["arn:aws:s3:::b/k", arn]);
        }
        let point = "arn:aws:s3:eu-west-1:123456789012:accesspoint/p";
        assert_eq!(
            by_request("s3", "GetObject", &format!(r#"{{"bucketName":"{point}","key":"k"}}"#)),
            [format!("{point}/object/k")]
        );
    }

    #[test]
    fn ec2_tells_by_ids_and_names_wrap_them() {
        let ec2 = |kind: &str| format!("arn:aws:ec2:eu-west-1:123456789012:{kind}");
        for (name, request, found) in [
            (
                "CreateFlowLogs",
                r#"{"CreateFlowLogsRequest":{"ResourceId":{"tag":1,"content":"vpc-0255d384b4b458b46"}}}"#,
                vec![ec2("vpc/vpc-0255d384b4b458b46")],
            ),
            (
                "DescribeVpcClassicLinkDnsSupport",
                r#"{"X":{"VpcIds":[{"tag":1,"content":"vpc-0255d384b4b458b46"},{"tag":2,"content":"vpc-1255d384b4b458b46"}]}}"#,
                vec![ec2("vpc/vpc-0255d384b4b458b46"), ec2("vpc/vpc-1255d384b4b458b46")],
            ),
            (
                "RunInstances",
                r#"{"instancesSet":{"items":[{"imageId":"ami-0123456789abcdef0","keyName":"k"}]},"keyName":"sg-web",
                    "tagSpecificationSet":{"items":[{"tags":[{"key":"i-0123456789abcdef0","value":"vpc-0123456789abcdef0"}]}]}}"#,
                vec![
                    "arn:aws:ec2:eu-west-1::image/ami-0123456789abcdef0".to_owned(),
                    ec2("key-pair/sg-web"),
                ],
            ),
            (
                "DescribeInstances",
                r#"{"filterSet":{"items":[{"name":"instance-id","valueSet":{"items":[{"value":"i-0123456789abcdef0"}]}}]}}"#,
                vec![],
            ),
        ] {
            assert_eq!(by_request("ec2", name, request), found, "{name}");
        }
    }

    #[test]
    fn siblings_decide_what_a_name_means() {
        let regional =
            |service: &str, name: &str| format!("arn:aws:{service}:eu-west-1:123456789012:{name}");
        for (source, name, request, found) in [
            (
                "ssm",
                "SendCommand",
                r#"{"instanceIds":["i-0123456789abcdef0","mi-1"],"targets":[{"key":"tag:x","values":["y"]}]}"#,
                vec![
                    regional("ec2", "instance/i-0123456789abcdef0"),
                    regional("ssm", "managed-instance/mi-1"),
                ],
            ),
            (
                "ssm",
                "SendCommand",
                r#"{"documentName":"AWS-RunShellScript"}"#,
                vec!["arn:aws:ssm:eu-west-1::document/AWS-RunShellScript".to_owned()],
            ),
            (
                "ssm",
                "ListTagsForResource",
                r#"{"resourceType":"Parameter","resourceId":"/a/b"}"#,
                vec![regional("ssm", "parameter/a/b")],
            ),
            ("ecs", "StopTask", r#"{"task":"t"}"#, vec![regional("ecs", "task/default/t")]),
            ("events", "PutRule", r#"{"name":"r"}"#, vec![regional("events", "rule/r")]),
            (
                "events",
                "PutTargets",
                r#"{"rule":"r","eventBusName":"bus"}"#,
                vec![regional("events", "rule/bus/r"), regional("events", "event-bus/bus")],
            ),
            (
                "wafv2",
                "DeleteWebACL",
                r#"{"id":"1","name":"acl","scope":"REGIONAL"}"#,
                vec![regional("wafv2", "regional/webacl/acl/1")],
            ),
            (
                "guardduty",
                "DeleteIPSet",
                r#"{"ipSetId":"2","detectorId":"1"}"#,
                vec![
                    regional("guardduty", "detector/1/ipset/2"),
                    regional("guardduty", "detector/1"),
                ],
            ),
            (
                "bedrock",
                "InvokeModel",
                r#"{"modelId":"us.anthropic.x"}"#,
                vec![regional("bedrock", "inference-profile/us.anthropic.x")],
            ),
            (
                "bedrock",
                "InvokeModel",
                r#"{"modelId":"anthropic.x"}"#,
                vec!["arn:aws:bedrock:eu-west-1::foundation-model/anthropic.x".to_owned()],
            ),
            (
                "route53",
                "ChangeResourceRecordSets",
                r#"{"hostedZoneId":"/hostedzone/Z1"}"#,
                vec!["arn:aws:route53:::hostedzone/Z1".to_owned()],
            ),
            (
                "apigateway",
                "DeleteRestApi",
                r#"{"restApiId":"a"}"#,
                vec!["arn:aws:apigateway:eu-west-1::/restapis/a".to_owned()],
            ),
            (
                "codebuild",
                "BatchGetBuilds",
                r#"{"ids":["p:1","p:2"]}"#,
                vec![regional("codebuild", "project/p")],
            ),
            (
                "lambda",
                "TagResource20170331v2",
                r#"{"resource":"arn:aws:lambda:r:a:function:f"}"#,
                vec!["arn:aws:lambda:r:a:function:f".to_owned()],
            ),
            (
                "a-service-to-come",
                "DoIt",
                r#"{"thingArn":"arn:aws:x:r:a:t/1","roleArn":"arn:aws:iam::1:role/r","note":"arn:aws:x:r:a:n"}"#,
                vec!["arn:aws:x:r:a:t/1".to_owned()],
            ),
        ] {
            assert_eq!(by_request(source, name, request), found, "{source} {name}");
        }
    }

    #[test]
    fn nesting_without_end_is_no_stack_without_end() {
        for (source, open, close) in [
            ("logs", r#"{"logGroupNames":"#, "}"),
            ("ec2", r#"{"instancesSet":"#, "}"),
            ("lambda", r#"{"roleArn":["arn:aws:iam::1:role/r",{"role":"#, "}]}"),
        ] {
            let deep =
                [&"[".repeat(100_000), &"]".repeat(100_000)].map(|it| it.to_string()).concat();
            let text = format!(
                r#"{{"eventTime":"2026-11-20T10:00:00Z","eventSource":"{source}.amazonaws.com","eventName":"X",
                "requestParameters":{open}{deep}{close}}}"#
            );
            let record = Record::parse(&text).unwrap();
            assert_eq!(of(&record), [""; 0]);
            assert!(roles_passed_by(&record).len() <= 1);
        }
    }

    #[test]
    fn lists_of_lists_are_left_alone() {
        let deep = format!("{}\"n\"{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(
            by_request("logs", "StartQuery", &format!(r#"{{"logGroupNames":{deep}}}"#)),
            [""; 0]
        );
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let names: Vec<String> = (0..RESOURCES_MAX + 10).map(|nth| format!("\"n{nth}\"")).collect();
        let request = format!(r#"{{"logGroupNames":[{}]}}"#, names.join(","));
        assert_eq!(by_request("logs", "StartQuery", &request).len(), RESOURCES_MAX);
    }

    #[test]
    fn the_table_is_sorted() {
        use self::table::SERVICES;
        assert!(SERVICES.is_sorted_by(|one, other| one.0 < other.0));
        assert!(SERVICES.len() >= 100);
        let first = |line: &Line| line.0.split('.').next().unwrap().to_ascii_lowercase();
        for (service, lines) in SERVICES {
            assert!(lines.is_sorted_by_key(first), "{service}");
            let places = Places::in_lines(lines);
            for name in lines.iter().map(first) {
                for name in [name.to_uppercase(), format!("{name}s"), name] {
                    let lines = |places| format!("{:?}", lines_named(lines, places, &name));
                    assert_eq!(lines(Some(&places)), lines(None), "{service} {name}");
                }
            }
        }
    }

    /// What a call touches and which roles it passes, with and without the naming of its event.
    fn both_ways(record: &Record<'_>) -> (Vec<String>, Vec<String>) {
        let mut namings = Namings::default();
        let (source, name) = (record.event_source().decode(), record.event_name().decode());
        let _ = namings.of(&source, "ListThings");
        let naming = namings.of(&source, &name);
        let (mut by_itself, mut by_naming) = (Vec::new(), Vec::new());
        let scratch = &mut String::new();
        each_resource(record, scratch, &mut |text| by_itself.push(text.to_owned()));
        each_passed_role(record, scratch, &mut |text| by_itself.push(text.to_owned()));
        each_resource_by(&naming, record, scratch, &mut |text| by_naming.push(text.to_owned()));
        each_passed_role_by(&naming, record, scratch, &mut |text| by_naming.push(text.to_owned()));
        (by_itself, by_naming)
    }

    proptest! {
        #[test]
        fn anything_is_taken_apart(
            service in proptest::sample::select(table::SERVICES.iter().map(|it| it.0).collect::<Vec<_>>()),
            event in "[A-Z][a-zA-Z]{0,20}",
            value in "(\\PC{0,20}|arn:\\PC{0,20}|arn%3A\\PC{0,9}|i-[0-9a-f]{8}|alias/\\PC{0,4}|:function:)",
        ) {
            // Each parameter of the service, with the same value.
            let value = value.replace(['"', '\\'], "");
            let lines = lines_of(service).unwrap();
            let nested = |line: &Line| line.0.rsplit('.').fold(format!("[\"{value}\"]"), |inner, name| {
                if inner.starts_with('{') { format!("{{\"{name}\":[{inner}]}}") } else { format!("{{\"{name}\":{inner}}}") }
            });
            let members: Vec<String> = lines.iter().map(nested).map(|it| it.chars().skip(1).take(it.chars().count() - 2).collect()).collect();
            let request = format!("{{{}}}", members.join(","));
            let found = by_request(service, &event, &request);
            prop_assert!(found.len() <= RESOURCES_MAX);
            // The same from a scratch that has been used before.
            let mut again: Vec<String> = Vec::new();
            let text = format!(r#"{{"eventTime":"2026-11-20T10:00:00Z","eventSource":"{service}.amazonaws.com","eventName":"{event}",
                "awsRegion":"eu-west-1","recipientAccountId":"123456789012",
                "userIdentity":{{"arn":"arn:aws:sts::123456789012:assumed-role/a/b"}},"requestParameters":{request}}}"#);
            let record = Record::parse(&text).unwrap();
            let mut scratch = "left over".to_owned();
            each_resource(&record, &mut scratch, &mut |text| {
                if !again.iter().any(|known| known == text) {
                    again.push(text.to_owned());
                }
            });
            prop_assert_eq!(found, again);
            let (by_itself, by_naming) = both_ways(&record);
            prop_assert_eq!(by_itself, by_naming);
        }

        #[test]
        fn any_parameters_do_no_harm(source in "\\PC{0,12}", request in "[\\[\\]{}:,\"a-zA-Z0-9.-]{0,80}") {
            let text = format!(r#"{{"eventTime":"2026-11-20T10:00:00Z","eventSource":"{}","eventName":"X","requestParameters":{request}}}"#,
                source.replace(['"', '\\'], ""));
            if let Ok(record) = Record::parse(&text) {
                prop_assert!(of(&record).len() <= RESOURCES_MAX);
                let (by_itself, by_naming) = both_ways(&record);
                prop_assert_eq!(by_itself, by_naming);
            }
        }
    }
}
