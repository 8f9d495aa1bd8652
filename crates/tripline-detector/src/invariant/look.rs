//! Looking for broken invariants in a record.

use tripline_baseline::{Call, Feature, ResourcePattern, Scope};
use tripline_cloudtrail::{JsonText, Record, RecordKind};
use tripline_iam::{AccountId, Action};
use tripline_text::Untrusted;

use super::checks::Examined;
use super::index::Index;
use super::list::Invariant;
use super::rules::{RULES, Rule};
use super::settings::{InvariantSettings, SettingsError, patterns};
use crate::verdict::Verdict;

/// The invariants as configured, ready for a look at each record.
#[derive(Clone, Debug)]
pub struct Invariants {
    index: Index,
    settings: InvariantSettings,
    trail_buckets: Vec<ResourcePattern>,
    canaries: Vec<ResourcePattern>,
    own_accounts: Vec<AccountId>,
}

/// The rules for one event, nearly always none: worth keeping where the same events come again and again.
#[derive(Clone, Copy, Debug)]
pub struct EventRules(&'static [Rule]);

/// An invariant that a call broke, or tried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub invariant: &'static Invariant,
    /// Its verdict, as configured, and not above `fence` for an attempt that failed.
    pub verdict: Verdict,
    /// [`Feature::Invariant`], or [`Feature::Canary`] for a decoy.
    pub feature: Feature,
    /// The action, such as `cloudtrail:StopLogging`; of a decoy, the resource.
    pub value: Untrusted<'static>,
    /// A sentence for a person, made of our own words and validated identifiers only.
    pub detail: String,
}

impl Default for Invariants {
    /// The list as it stands.
    fn default() -> Self {
        Self {
            index: Index::new(RULES),
            settings: InvariantSettings::default(),
            trail_buckets: Vec::new(),
            canaries: Vec::new(),
            own_accounts: Vec::new(),
        }
    }
}

impl Invariants {
    /// The list with a person's changes.
    ///
    /// # Errors
    /// An id that no invariant has, or a pattern that cannot be read.
    pub fn new(settings: &InvariantSettings) -> Result<Self, SettingsError> {
        settings.check_ids()?;
        Ok(Self {
            index: Index::new(RULES),
            settings: settings.clone(),
            trail_buckets: patterns("trail_buckets", &settings.trail_buckets)?,
            canaries: patterns("canaries", &settings.canaries)?,
            own_accounts: settings.own_accounts.iter().copied().collect(),
        })
    }

    /// The settings they were made from.
    pub fn settings(&self) -> &InvariantSettings {
        &self.settings
    }

    /// What the call broke, or tried to break, in the order of the table; nearly always nothing,
    /// which costs a few nanoseconds and no allocation.
    ///
    /// Calls that an AWS service made as itself break nothing, nor do its own events. A call that a
    /// service made *for* the agent (`invokedBy`) is the agent's. Decoys are asked for by
    /// [`Invariants::touched_canary`].
    pub fn look(&self, record: &Record<'_>) -> Vec<Broken> {
        self.look_by(self.rules_of(record.event_name()), record)
    }

    /// The rules for an event of this name.
    pub fn rules_of(&self, event_name: JsonText<'_>) -> EventRules {
        let name = event_name.decode();
        EventRules(self.index.find(RULES, without_version(&name)))
    }

    /// [`Invariants::look`], where it is known already which rules there are for the record's event.
    #[inline]
    pub fn look_by(&self, EventRules(rules): EventRules, record: &Record<'_>) -> Vec<Broken> {
        if rules.is_empty() { Vec::new() } else { self.examine(record, rules) }
    }

    /// Whether [`Invariants::touched_canary`] can find anything in a call under this scope: if not,
    /// the call need not be taken out of its record for that.
    pub fn watches_canaries(&self, scope: Option<&Scope>) -> bool {
        !self.canaries.is_empty() || scope.is_some_and(Scope::has_canaries)
    }

    /// A decoy that the call touched, of the configuration or of the agent's scope. An attempt that
    /// was refused counts in full: nothing honest uses a decoy.
    pub fn touched_canary(&self, call: &Call, scope: Option<&Scope>) -> Option<Broken> {
        let invariant = Invariant::by_id("touch-canary")?;
        let verdict = self.settings.verdict(invariant)?;
        let is_ours = |resource: &&Untrusted<'_>| {
            self.canaries.iter().any(|pattern| pattern.touches(resource.as_unescaped()))
        };
        let resource =
            call.resources.iter().find(is_ours).or_else(|| scope?.touched_canary(call))?;
        let tried = if call.outcome.is_ok() { "" } else { " (the call failed)" };
        Some(Broken {
            invariant,
            verdict,
            feature: Feature::Canary,
            value: resource.clone(),
            detail: format!("`{}` {}: {}{tried}", call.action, invariant.title, invariant.why),
        })
    }

    #[cold]
    fn examine(&self, record: &Record<'_>, rules: &[Rule]) -> Vec<Broken> {
        if !is_somebodys_call(record) {
            return Vec::new();
        }
        let source = record.event_source().decode();
        let it = Examined {
            record,
            request: record.request(),
            trail_buckets: &self.trail_buckets,
            own_accounts: &self.own_accounts,
        };
        let breaks = |rule: &&Rule| {
            is_service(&source, rule.service) && rule.check.is_none_or(|check| check(&it))
        };
        let broken = rules.iter().filter(breaks);
        broken.filter_map(|rule| self.broken(record, &source, rule.invariant)).collect()
    }

    fn broken(
        &self,
        record: &Record<'_>,
        source: &str,
        invariant: &'static Invariant,
    ) -> Option<Broken> {
        let verdict = self.settings.verdict(invariant)?;
        let action = Action::from_event(source, &record.event_name().decode());
        let failed = record.error_code().is_some();
        let tried = match (failed, record.is_denied()) {
            (false, _) => "",
            (true, true) => " (tried, and was denied)",
            (true, false) => " (tried, and failed)",
        };
        Some(Broken {
            invariant,
            // Nothing was broken yet: hold the agent, do not cut it off.
            verdict: if failed { verdict.min(Verdict::Fence) } else { verdict },
            feature: Feature::Invariant,
            value: Untrusted::new(action.to_string()),
            detail: format!("`{action}` {}: {}{tried}", invariant.title, invariant.why),
        })
    }
}

/// Whether the record is of a call that a principal of a customer made.
fn is_somebodys_call(record: &Record<'_>) -> bool {
    let is_call = match record.kind() {
        RecordKind::Log => !record.event_type().is_some_and(|kind| kind.is("AwsServiceEvent")),
        // An endpoint's view repeats the call's own record, except where the endpoint refused it.
        RecordKind::NetworkActivity => record.error_code().is_some(),
        RecordKind::Insight | RecordKind::Aggregated => false,
    };
    is_call && !record.identity().kind().is_some_and(|kind| kind.is("AWSService"))
}

/// Whether an event source is that of a service, in any partition.
fn is_service(source: &str, service: &str) -> bool {
    let domain = source.strip_prefix(service);
    domain.is_some_and(|domain| matches!(domain, ".amazonaws.com" | ".amazonaws.com.cn"))
}

/// An event name without the API version that Lambda and CloudFront log behind it, such as
/// `AddPermission20150331v2`.
#[inline]
fn without_version(name: &str) -> &str {
    if !name.ends_with(|last: char| last.is_ascii_digit()) {
        return name;
    }
    let Some((bare, _)) = name.split_once("20") else { return name };
    let version = name.get(bare.len()..).unwrap_or_default();
    let is_version = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'v' | b'_');
    if version.len() >= 8 && version.bytes().all(is_version) { bare } else { name }
}
