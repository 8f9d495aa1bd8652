//! What a scope says of a call.

use std::fmt::Write as _;

use tripline_iam::{Action, ActionPattern, Region};
use tripline_text::Untrusted;

use super::breach::{Breach, Feature};
use super::limits::Limits;
use super::networks::Networks;
use crate::call::Call;
use crate::pattern::ResourcePattern;
use crate::resources::may_pass_role;

/// What an agent (or each agent of a class) is declared to be for. Read from a manifest by
/// [`Scope::parse`], which has the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub(super) subject: Subject,
    pub(super) allow_actions: Actions,
    pub(super) allow_resources: Resources,
    pub(super) allow_regions: Vec<Region>,
    pub(super) allow_networks: Networks,
    pub(super) allow_tenants: Vec<Untrusted<'static>>,
    pub(super) never_actions: Actions,
    pub(super) never_resources: Resources,
    pub(super) canaries: Resources,
    pub(super) limits: Limits,
}

/// Whose scope it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One agent, by its name.
    Agent(Untrusted<'static>),
    /// Every agent of this class.
    Class(Untrusted<'static>),
}

/// What a scope wants to see of a call besides its action. Where all of it is `false`, the answer
/// for one pair of event source and event name holds for every such call, and can be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The resources: patterns are declared, or decoys.
    pub resources: bool,
    /// The Region.
    pub region: bool,
    /// The network.
    pub network: bool,
    /// The tenant of the session.
    pub tenant: bool,
    /// The pace of calls, by a [`super::LimitCounter`].
    pub limits: bool,
}

impl Needs {
    /// Whether the action alone decides.
    pub fn only_action(self) -> bool {
        let Self { resources, region, network, tenant, limits } = self;
        !(resources || region || network || tenant || limits)
    }
}

/// Patterns of actions in the order written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Actions(pub(super) Vec<ActionPattern>);

/// Patterns of resources in the order written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resources(pub(super) Vec<ResourcePattern>);

impl Scope {
    /// The actions that it allows; none where it allows any.
    pub fn allowed_actions(&self) -> impl Iterator<Item = &ActionPattern> {
        self.allow_actions.0.iter()
    }

    /// The resources that it allows; none where it allows any.
    pub fn allowed_resources(&self) -> impl Iterator<Item = &ResourcePattern> {
        self.allow_resources.0.iter()
    }

    /// Whether the scope names the actions that it allows, rather than allowing any.
    #[must_use]
    pub fn names_actions(&self) -> bool {
        !self.allow_actions.0.is_empty()
    }

    /// Whose scope it is.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The pace it allows.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the scope allows the action, whatever else the call is.
    pub fn allows_action(&self, action: &Action) -> bool {
        self.never_actions.first_match(action).is_none()
            && (self.allow_actions.0.is_empty() || self.allow_actions.first_match(action).is_some())
    }

    /// What must be looked at besides the action.
    pub fn needs(&self) -> Needs {
        let resources = [&self.allow_resources, &self.never_resources, &self.canaries];
        Needs {
            resources: resources.iter().any(|patterns| !patterns.0.is_empty()),
            region: !self.allow_regions.is_empty(),
            network: !self.allow_networks.is_empty(),
            tenant: !self.allow_tenants.is_empty(),
            limits: !self.limits.is_empty(),
        }
    }

    /// Every way in which the call leaves the scope; empty, without an allocation, when it does not.
    ///
    /// `tenant` is that of the call's session, `None` where it is not known: then it is not checked.
    /// Limits are counted apart ([`super::LimitCounter`]), and decoys asked for by
    /// [`Scope::touched_canary`]. Whether the call succeeded does not matter: an attempt shows as
    /// well what the agent is after.
    pub fn check(&self, call: &Call, tenant: Option<&Untrusted<'_>>) -> Vec<Breach> {
        let mut breaches = Vec::new();
        self.check_action(&call.action, &mut breaches);
        self.check_resources(call, &mut breaches);
        self.check_passed_roles(call, &mut breaches);
        self.check_place(call, &mut breaches);
        breaches.extend(tenant.and_then(|tenant| self.check_tenant(tenant)));
        breaches
    }

    /// Whether the scope is content with roles being handed over, whichever.
    pub fn allows_passing_roles(&self) -> bool {
        let resources = [&self.allow_resources, &self.never_resources];
        pass_role().is_some_and(|action| self.allows_action(&action))
            && resources.iter().all(|patterns| patterns.0.is_empty())
    }

    /// Whether calls of an event may hand a role over, and so be more than the event tells.
    pub fn may_pass_role(call: &Call) -> bool {
        may_pass_role(call.event_source.as_unescaped(), call.event_name.as_unescaped())
    }

    /// Whether a tenant is one that the agent works for.
    pub fn check_tenant(&self, tenant: &Untrusted<'_>) -> Option<Breach> {
        let allowed = self.allow_tenants.is_empty() || self.allow_tenants.contains(tenant);
        (!allowed).then(|| Breach {
            feature: Feature::Tenant,
            value: tenant.clone().into_owned(),
            detail: outside("tenant", self.allow_tenants.len(), "tenants"),
        })
    }

    /// Roles that are handed over: the action `iam:PassRole`, on that role.
    fn check_passed_roles(&self, call: &Call, breaches: &mut Vec<Breach>) {
        if call.passed_roles.is_empty() || self.allows_passing_roles() {
            return;
        }
        let Some(action) = pass_role() else { return };
        let before = breaches.len();
        self.check_action(&action, breaches);
        if breaches.len() == before {
            self.check_each_resource(&call.passed_roles, breaches);
        }
    }

    /// Whether the scope declares decoys.
    pub fn has_canaries(&self) -> bool {
        !self.canaries.0.is_empty()
    }

    /// The first resource of the call that is one of the scope's decoys.
    pub fn touched_canary<'c>(&self, call: &'c Call) -> Option<&'c Untrusted<'static>> {
        let patterns = &self.canaries;
        call.resources.iter().find(|resource| patterns.first_touch(resource).is_some())
    }

    fn check_action(&self, action: &Action, breaches: &mut Vec<Breach>) {
        let breach =
            |feature, detail| Breach { feature, value: Untrusted::new(action.to_string()), detail };
        if let Some(at) = self.never_actions.first_match(action) {
            let total = self.never_actions.0.len();
            let detail = format!(
                "the scope says never to `{action}` (action pattern {} of {total})",
                at + 1
            );
            breaches.push(breach(Feature::Never, detail));
        } else if !self.allows_action(action) {
            let total = self.allow_actions.0.len();
            let patterns = if total == 1 { "pattern" } else { "patterns" };
            let detail =
                format!("`{action}` is outside the declared scope ({total} action {patterns})");
            breaches.push(breach(Feature::Action, detail));
        }
    }

    fn check_resources(&self, call: &Call, breaches: &mut Vec<Breach>) {
        self.check_each_resource(&call.resources, breaches);
    }

    fn check_each_resource(&self, resources: &[Untrusted<'static>], breaches: &mut Vec<Breach>) {
        for resource in resources {
            let (feature, detail) = if let Some(at) = self.never_resources.first_touch(resource) {
                let total = self.never_resources.0.len();
                let detail = format!(
                    "the scope says never to this resource (pattern {} of {total})",
                    at + 1
                );
                (Feature::Never, detail)
            } else if self.allow_resources.0.is_empty()
                || self.allow_resources.first_match(resource).is_some()
            {
                continue;
            } else {
                (
                    Feature::Resource,
                    outside("resource", self.allow_resources.0.len(), "resource patterns"),
                )
            };
            breaches.push(Breach { feature, value: resource.clone(), detail });
        }
    }

    fn check_place(&self, call: &Call, breaches: &mut Vec<Breach>) {
        if let Some(region) = &call.region
            && !self.allow_regions.is_empty()
            && !self.allow_regions.contains(region)
            && !is_global(call.event_source.as_unescaped(), region)
        {
            breaches.push(Breach {
                feature: Feature::Region,
                value: Untrusted::new(region.to_string()),
                detail: format!(
                    "`{region}` is outside the declared scope ({} Regions)",
                    self.allow_regions.len()
                ),
            });
        }
        if !self.allow_networks.is_empty() && !self.allow_networks.allow(&call.network) {
            breaches.push(Breach {
                feature: Feature::Network,
                value: call.network.to_untrusted(),
                detail: outside("network", self.allow_networks.len(), "networks"),
            });
        }
    }

    /// The scope in one canonical text, for the content hash of a model: two scopes have the same
    /// text exactly if they say the same, however their manifests are ordered and laid out.
    pub fn content_hash_input(&self) -> String {
        let mut out = String::from("tripline scope 1\n");
        let (kind, name) = match &self.subject {
            Subject::Agent(name) => ("agent", name),
            Subject::Class(name) => ("class", name),
        };
        let tenants = self.allow_tenants.iter().map(|tenant| tenant.as_unescaped().to_owned());
        write_list(&mut out, kind, vec![name.as_unescaped().to_owned()]);
        write_list(&mut out, "allow.actions", self.allow_actions.texts());
        write_list(&mut out, "allow.resources", self.allow_resources.texts());
        write_list(
            &mut out,
            "allow.regions",
            self.allow_regions.iter().map(Region::to_string).collect(),
        );
        write_list(&mut out, "allow.networks", self.allow_networks.canonical());
        write_list(&mut out, "allow.tenants", tenants.collect());
        write_list(&mut out, "never.actions", self.never_actions.texts());
        write_list(&mut out, "never.resources", self.never_resources.texts());
        write_list(&mut out, "canary.resources", self.canaries.texts());
        let limits = [
            ("limits.calls_per_minute", self.limits.calls_per_minute),
            ("limits.calls_per_hour", self.limits.calls_per_hour),
        ];
        for (key, limit) in limits {
            write_list(&mut out, key, limit.iter().map(ToString::to_string).collect());
        }
        out
    }
}

impl Actions {
    pub(super) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    fn first_match(&self, action: &Action) -> Option<usize> {
        self.0.iter().position(|pattern| pattern.matches(action))
    }

    /// In lower case, since they are compared without regard to case.
    fn texts(&self) -> Vec<String> {
        self.0.iter().map(|pattern| pattern.as_str().to_ascii_lowercase()).collect()
    }
}

impl Resources {
    fn first_match(&self, resource: &Untrusted<'_>) -> Option<usize> {
        self.0.iter().position(|pattern| pattern.matches(resource.as_unescaped()))
    }

    fn first_touch(&self, resource: &Untrusted<'_>) -> Option<usize> {
        self.0.iter().position(|pattern| pattern.touches(resource.as_unescaped()))
    }

    fn texts(&self) -> Vec<String> {
        self.0.iter().map(|pattern| pattern.as_str().to_owned()).collect()
    }
}

/// The action that handing a role over takes.
fn pass_role() -> Option<Action> {
    Action::parse("iam:PassRole").ok()
}

fn outside(what: &str, declared: usize, of_what: &str) -> String {
    format!("this {what} is outside the declared scope ({declared} {of_what})")
}

/// One line an entry, its length before it: no entry can pretend to be two.
fn write_list(out: &mut String, key: &str, mut texts: Vec<String>) {
    texts.sort_unstable();
    texts.dedup();
    for text in texts {
        // INVARIANT: writing to a string does not fail.
        let _ = writeln!(out, "{key} {} {text}", text.len());
    }
}

/// Whether the call went to a service that has one Region for a whole partition, and was recorded
/// there: that says nothing of where the agent works.
///
/// Source: General Reference, "Global services"; UG/cloudtrail-concepts, "Global service events".
fn is_global(event_source: &str, region: &Region) -> bool {
    let service = event_source.split('.').next().unwrap_or_default();
    let is_global = matches!(
        service,
        "account"
            | "artifact"
            | "budgets"
            | "ce"
            | "cloudfront"
            | "globalaccelerator"
            | "health"
            | "iam"
            | "networkmanager"
            | "organizations"
            | "route53"
            | "route53domains"
            | "shield"
            | "signin"
            | "sts"
            | "support"
            | "trustedadvisor"
            | "waf"
    );
    let is_home = matches!(
        region.as_str(),
        "us-east-1" | "us-west-2" | "us-gov-west-1" | "cn-north-1" | "cn-northwest-1"
    );
    is_global && is_home
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tripline_cloudtrail::Record;

    use super::*;

    fn scope(tables: &str) -> Scope {
        Scope::parse(&format!("version = 1\nagent = \"a\"\n{tables}")).unwrap()
    }

    /// A call by its source (without domain), event, Region, address and bucket.
    fn call(source: &str, event: &str, region: &str, address: &str, bucket: &str) -> Call {
        let text = format!(
            r#"{{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":"{source}.amazonaws.com",
            "eventName":"{event}","awsRegion":"{region}","sourceIPAddress":"{address}",
            "requestParameters":{{"bucketName":"{bucket}"}}}}"#
        );
        Call::of(&Record::parse(&text).unwrap())
    }

    fn breached(scope: &Scope, call: &Call) -> Vec<(Feature, String, String)> {
        let breaches = scope.check(call, None);
        let parts = |it: Breach| (it.feature, it.value.as_unescaped().to_owned(), it.detail);
        breaches.into_iter().map(parts).collect()
    }

    fn features(tables: &str, call: &Call) -> Vec<Feature> {
        scope(tables).check(call, None).into_iter().map(|breach| breach.feature).collect()
    }

    #[test]
    fn actions_outside_are_breaches_in_words() {
        let scope = scope("[allow]\nservices = [\"logs\"]\nactions = [\"s3:List*\"]");
        assert_eq!(breached(&scope, &call("logs", "GetLogEvents", "", "", "")), []);
        assert_eq!(
            breached(&scope, &call("iam", "CreateAccessKey", "", "", "")),
            [(
                Feature::Action,
                "iam:CreateAccessKey".to_owned(),
                "`iam:CreateAccessKey` is outside the declared scope (2 action patterns)"
                    .to_owned()
            )]
        );
    }

    #[test]
    fn never_beats_allow_and_no_allow_allows_any() {
        let call = call("iam", "GetUser", "", "", "");
        assert_eq!(
            features("[allow]\nactions = [\"iam:*\"]\n[never]\nactions = [\"iam:Get*\"]", &call),
            [Feature::Never]
        );
        assert_eq!(features("[never]\nactions = [\"s3:*\"]", &call), []);
        assert_eq!(features("[allow]\nregions = [\"eu-west-1\"]", &call), []);
    }

    #[test]
    fn resources_are_checked_where_known() {
        let tables = "[allow]\nresources = [\"arn:aws:s3:::incident-*\"]\n[never]\nresources = [\"arn:aws:s3:::incident-hr\"]";
        let by_bucket = |bucket| features(tables, &call("s3", "ListObjects", "", "", bucket));
        assert_eq!(by_bucket("incident-1"), []);
        assert_eq!(by_bucket(""), []);
        assert_eq!(by_bucket("payroll"), [Feature::Resource]);
        assert_eq!(by_bucket("incident-hr"), [Feature::Never]);
        assert_eq!(by_bucket("incident-hr/salaries"), [Feature::Never]);
    }

    #[test]
    fn a_role_that_is_handed_over_is_passed() {
        let passing = |tables: &str| {
            let text = r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":"lambda.amazonaws.com",
                "eventName":"CreateFunction20150331","awsRegion":"eu-west-1","recipientAccountId":"123456789012",
                "requestParameters":{"functionName":"f","role":"arn:aws:iam::123456789012:role/admin"}}"#;
            let call = Call::of(&Record::parse(text).unwrap());
            assert!(Scope::may_pass_role(&call));
            let found = breached(&scope(tables), &call);
            found.into_iter().map(|(feature, value, _)| (feature, value)).collect::<Vec<_>>()
        };
        let pass_role = "iam:PassRole".to_owned();
        let admin = "arn:aws:iam::123456789012:role/admin".to_owned();
        assert_eq!(passing("[allow]\nregions = [\"eu-west-1\"]"), []);
        assert_eq!(
            passing("[allow]\nactions = [\"lambda:*\"]"),
            [(Feature::Action, pass_role.clone())]
        );
        assert_eq!(passing("[allow]\nactions = [\"lambda:*\", \"iam:PassRole\"]"), []);
        assert_eq!(passing("[never]\nactions = [\"iam:*\"]"), [(Feature::Never, pass_role)]);
        let functions = "\"arn:aws:lambda:*:*:function:*\"";
        assert_eq!(
            passing(&format!(
                "[allow]\nactions = [\"lambda:*\", \"iam:PassRole\"]\nresources = [{functions}]"
            )),
            [(Feature::Resource, admin)]
        );
        let worker = "\"arn:aws:iam::*:role/a*\"";
        assert_eq!(passing(&format!("[allow]\nresources = [{functions}, {worker}]")), []);
    }

    #[test]
    fn regions_do_not_concern_global_services() {
        let tables = "[allow]\nregions = [\"eu-west-1\"]";
        let in_region = |source, region| features(tables, &call(source, "X", region, "", ""));
        assert_eq!(in_region("ec2", "eu-west-1"), []);
        assert_eq!(in_region("ec2", "us-east-1"), [Feature::Region]);
        assert_eq!(in_region("iam", "us-east-1"), []);
        assert_eq!(in_region("sts", "ap-south-1"), [Feature::Region]);
    }

    #[test]
    fn networks_and_tenants() {
        let scope = scope("[allow]\nnetworks = [\"10.0.0.0/8\"]\ntenants = [\"acme\"]");
        let outside = call("s3", "X", "", "192.0.2.1", "");
        assert_eq!(breached(&scope, &outside)[0].0, Feature::Network);
        let inside = call("s3", "X", "", "10.0.0.1", "");
        let tenant = |name| scope.check(&inside, Some(&Untrusted::borrowed(name)));
        assert_eq!(tenant("acme"), []);
        assert_eq!(tenant("other")[0].feature, Feature::Tenant);
        assert_eq!(scope.check(&inside, None), []);
    }

    #[test]
    fn canaries_are_found() {
        let scope = scope("[canary]\nresources = [\"arn:aws:s3:::bait\"]");
        assert!(scope.touched_canary(&call("s3", "X", "", "", "bait")).is_some());
        assert!(scope.touched_canary(&call("s3", "X", "", "", "fish")).is_none());
        assert!(scope.needs().resources && !scope.needs().only_action());
        assert!(super::tests::scope("[allow]\nactions = [\"s3:*\"]").needs().only_action());
    }

    #[test]
    fn the_hashed_text_does_not_depend_on_layout() {
        let one = scope(
            "[allow]\nservices = [\"s3\"]\nactions = [\"ec2:Run*\"]\nnetworks = [\"10.1.0.0/8\"]",
        );
        let other = scope(
            "[allow]\nnetworks = [\"10.0.0.0/8\"]\nactions = [\"ec2:run*\", \"s3:*\", \"s3:*\"]",
        );
        assert_eq!(one.content_hash_input(), other.content_hash_input());
        let never = scope("[never]\nactions = [\"s3:*\", \"ec2:Run*\"]");
        assert_ne!(one.content_hash_input(), never.content_hash_input());
        let text = one.content_hash_input();
        assert_eq!(text.lines().nth(2), Some("allow.actions 8 ec2:run*"));
    }

    proptest! {
        #[test]
        fn checking_never_panics(source in "\\PC{0,12}", event in "\\PC{0,12}", address in "\\PC{0,8}", bucket in "\\PC{0,12}") {
            let quoted = |text: &str| text.replace(['"', '\\'], "");
            let call = call(&quoted(&source), &quoted(&event), "eu-west-1", &quoted(&address), &quoted(&bucket));
            let scope = scope(
                "[allow]\nactions = [\"s3:*\"]\nresources = [\"arn:aws:s3:::a*\"]\nregions = [\"x\"]\nnetworks = [\"::/0\"]\n\
                 [never]\nresources = [\"*b*\"]\n[canary]\nresources = [\"*\"]",
            );
            for breach in scope.check(&call, Some(&Untrusted::new(bucket))) {
                prop_assert!(breach.detail.is_ascii());
            }
        }

        #[test]
        fn allowed_actions_agree_with_the_patterns(allow in "[a-c]", never in "[a-c]", name in "[A-C]{1,3}") {
            let scope = scope(&format!("[allow]\nactions = [\"s3:{allow}*\"]\n[never]\nactions = [\"s3:*{never}\"]"));
            let lower = name.to_ascii_lowercase();
            let wanted = lower.starts_with(&allow) && !lower.ends_with(&never);
            let call = call("s3", &name, "", "", "");
            prop_assert_eq!(scope.allows_action(&call.action), wanted);
            prop_assert_eq!(scope.check(&call, None).is_empty(), wanted);
        }
    }
}
