//! What there is to learn of a call: the values it shows, family by family.
//!
//! One implementation for learning and for judging: what is learned of a call is exactly what is
//! asked about it later.

use smallvec::SmallVec;
use tripline_baseline::{
    Call, Counts, Draw, Family, Home, Outcome, RateClass, RateClasses, Touched,
};
use tripline_iam::{AccessLevel, Action, Catalogue, Risk};
use tripline_text::Untrusted;

/// The action that hands a role over to a service. CloudTrail has no event for it: it shows in the
/// parameters of the call that does.
pub(crate) const PASS_ROLE: &str = "iam:PassRole";

/// What a call shows, borrowed.
#[derive(Clone, Debug)]
pub(crate) struct Deed<'a> {
    pub(crate) action: &'a str,
    /// The caller's account, as twelve digits.
    pub(crate) account: Option<&'a str>,
    pub(crate) region: &'a str,
    pub(crate) network: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) error: Option<&'a str>,
    pub(crate) is_denied: bool,
    pub(crate) bytes_out: Option<u64>,
    pub(crate) resources: SmallVec<[&'a str; 4]>,
    pub(crate) passed_roles: SmallVec<[&'a str; 4]>,
}

impl Deed<'_> {
    /// The values.
    ///
    /// What was refused shows no action and no resource: an agent that tries something in vain every
    /// day must not have it taken for its work on the day that it succeeds. The refusal itself is what
    /// it shows.
    pub(crate) fn draws(&self) -> impl Iterator<Item = Draw<'_>> {
        let draw = |family, action, value| Draw { family, action, value };
        let around = [
            draw(Family::Region, None, self.region),
            draw(Family::Network, None, self.network),
            draw(Family::UserAgent, None, self.user_agent),
        ];
        let given = Some(self.action);
        let error = self.error.map(|code| draw(Family::Error, given, code));
        let done = (!self.is_denied).then(|| {
            let resources = self.resources.iter();
            let passes = !self.passed_roles.is_empty();
            let roles = self.passed_roles.iter();
            let bytes = self.bytes_out.map(bucket_name);
            std::iter::once(draw(Family::Action, None, self.action))
                .chain(resources.map(move |text| draw(Family::Resource, given, *text)))
                .chain(passes.then(|| draw(Family::Action, None, PASS_ROLE)))
                .chain(roles.map(move |role| draw(Family::Resource, Some(PASS_ROLE), *role)))
                .chain(bytes.map(move |bucket| draw(Family::Bytes, given, bucket)))
        });
        // Where the record tells nothing there is nothing to learn.
        let around = around.into_iter().filter(|draw| !draw.value.is_empty());
        around.chain(error).chain(done.into_iter().flatten())
    }

    /// What an action was done to.
    pub(crate) fn draws_of(&self, action: &str) -> impl Iterator<Item = Draw<'_>> {
        let draws = self.draws().filter(|draw| draw.family == Family::Resource);
        draws.filter(move |draw| draw.action == Some(action))
    }

    /// What it touched, as it is counted; as above, nothing where it was refused.
    pub(crate) fn touched(&self) -> Touched {
        let resources = self.resources.iter().copied();
        if self.is_denied { Touched::NOTHING } else { Touched::of(resources) }
    }

    /// Where the caller is at home.
    pub(crate) fn home(&self) -> Home<'_> {
        Home { account: self.account, region: Some(self.region) }
    }
}

/// How calls of an action count in rates, apart from how they end.
pub(crate) fn rate_classes(action: &Action) -> RateClasses {
    let classes = RateClasses::default();
    let Some(entry) = Catalogue::find(action) else { return classes };
    let classes = match entry.level() {
        AccessLevel::List | AccessLevel::Read => classes.with(RateClass::Read),
        AccessLevel::Write | AccessLevel::Tagging => classes.with(RateClass::Write),
        AccessLevel::PermissionsManagement => classes.with(RateClass::Permissions),
    };
    match entry.risks().contains(Risk::DataAccess) {
        true => classes.with(RateClass::Data),
        false => classes,
    }
}

/// What is counted of a call that counts as these.
pub(crate) fn counts_of(call: &Call, classes: RateClasses) -> Counts {
    let resources = call.resources.iter().map(Untrusted::as_unescaped);
    let touched = match call.outcome {
        Outcome::Denied(_) => Touched::NOTHING,
        Outcome::Ok | Outcome::Failed(_) => Touched::of(resources),
    };
    Counts { classes, bytes_out: call.bytes_out, touched }
}

/// How a call counts in rates.
pub(crate) fn rate_classes_of(call: &Call) -> RateClasses {
    let classes = rate_classes(&call.action);
    if call.outcome.is_ok() { classes } else { classes.with(RateClass::Error) }
}

impl<'c> Deed<'c> {
    /// What a call shows. `texts` are its account, network and user agent.
    pub(crate) fn of(call: &'c Call, texts: &'c DeedTexts) -> Self {
        let error = match &call.outcome {
            Outcome::Ok => None,
            Outcome::Denied(code) | Outcome::Failed(code) => Some(code.as_unescaped()),
        };
        Self {
            action: call.action.as_str(),
            account: texts.account.as_deref(),
            region: call.region.as_ref().map_or("", |region| region.as_str()),
            network: texts.network.as_unescaped(),
            user_agent: texts.user_agent.as_unescaped(),
            error,
            is_denied: matches!(call.outcome, Outcome::Denied(_)),
            bytes_out: call.bytes_out,
            resources: call.resources.iter().map(Untrusted::as_unescaped).collect(),
            passed_roles: call.passed_roles.iter().map(Untrusted::as_unescaped).collect(),
        }
    }
}

/// What of a deed has to be written out first.
#[derive(Debug)]
pub(crate) struct DeedTexts {
    account: Option<String>,
    network: Untrusted<'static>,
    user_agent: Untrusted<'static>,
}

impl DeedTexts {
    pub(crate) fn of(call: &Call) -> Self {
        Self {
            account: call.caller_account.map(|account| account.to_string()),
            network: call.network.key(),
            user_agent: call.user_agent.untrusted(),
        }
    }
}

/// The magnitude of an amount of bytes, as text: `0`, or the number of its bits.
pub(crate) fn bucket_name(bytes: u64) -> &'static str {
    const NAMES: [&str; 65] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
        "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
        "32", "33", "34", "35", "36", "37", "38", "39", "40", "41", "42", "43", "44", "45", "46",
        "47", "48", "49", "50", "51", "52", "53", "54", "55", "56", "57", "58", "59", "60", "61",
        "62", "63", "64",
    ];
    NAMES.get((u64::BITS - bytes.leading_zeros()) as usize).copied().unwrap_or("64")
}

/// Whether a value is never learned without a person: an action that can do more harm than reading
/// what is stored.
pub fn is_sensitive(draw: &Draw<'_>) -> bool {
    let action = (draw.family == Family::Action).then_some(draw.value);
    let action = action.and_then(|name| Action::parse(name).ok());
    let risks = action.and_then(|action| Catalogue::find(&action)).map(|entry| entry.risks());
    risks.is_some_and(|risks| risks.iter().any(|risk| risk != Risk::DataAccess))
}
