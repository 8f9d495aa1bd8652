//! What a trail records.

use std::collections::{BTreeMap, BTreeSet};

use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use super::{Answer, Check, DataEvents, Facts, Found, Group, ago};

/// A trail, as CloudTrail describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailFacts {
    /// Its name.
    pub name: Untrusted<'static>,
    /// The bucket it writes to.
    pub bucket: Untrusted<'static>,
    /// Whether it records all Regions.
    pub is_multi_region: bool,
    /// Whether it records calls to global services, such as IAM's and STS's old endpoint.
    pub has_global_services: bool,
    /// Whether it writes digests.
    pub validates: bool,
    /// Whether it records now.
    pub status: Found<TrailStatus>,
    /// What it records.
    pub selectors: Found<Vec<Selector>>,
}

/// What a trail did of late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailStatus {
    /// Whether it is switched on.
    pub is_logging: bool,
    /// The last time that a log file was delivered.
    pub delivered: Option<EventTime>,
    /// What went wrong the last time, if it did.
    pub delivery_error: Option<Untrusted<'static>>,
    /// The last time that a digest was delivered.
    pub digested: Option<EventTime>,
    /// What went wrong the last time, if it did.
    pub digest_error: Option<Untrusted<'static>>,
}

/// One selector of a trail, basic or advanced, in the words that both have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The management events that it takes, if it takes any.
    pub management: Option<Management>,
    /// Types of resources whose data events it takes, such as `AWS::S3::Object`, and whether all of
    /// them: not some resources, actions or callers only.
    pub data: Vec<(Untrusted<'static>, bool)>,
}

/// Which management events a selector takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Management {
    /// Those that only read.
    pub reads: bool,
    /// Those that change something.
    pub writes: bool,
    /// Event sources that it leaves out.
    pub leaves_out: BTreeSet<Untrusted<'static>>,
    /// Whether it takes some services, calls or callers only.
    pub is_narrowed: bool,
}

/// Sources that may be left out: many calls, and none of them a mint (UG: KMS and the RDS Data API are
/// the two that can be).
const MAY_BE_LEFT_OUT: [&str; 2] = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];

/// CloudTrail delivers every five minutes or so, and nothing where nothing happened.
const QUIET_SECS: i64 = 6 * 3_600;
/// Digests come every hour, whatever happened (UG: "Digest files are delivered every hour").
const DIGEST_SECS: i64 = 3 * 3_600;

pub(super) fn judge(facts: &Facts) -> Vec<Check> {
    let trails = match &facts.trails {
        Ok(trails) => trails,
        Err(unknown) => return vec![Check::unknown(Group::Trail, "trail", unknown)],
    };
    let ours = |trail: &&TrailFacts| {
        facts.buckets.is_empty() || facts.buckets.iter().any(|known| known.name == trail.bucket)
    };
    let ours: Vec<&TrailFacts> = trails.iter().filter(ours).collect();
    if ours.is_empty() {
        let says = match trails.is_empty() {
            true => "there is no trail in this account",
            false => "no trail of this account writes to the bucket that is read",
        };
        // An organization's trail shows in its members; a log archive's own account may have none.
        return vec![Check::new(Group::Trail, "trail", Answer::Failed, says).next(
            "run doctor in the account of the trail, or make one: all Regions, read and write events",
        )];
    }
    let mut checks: Vec<Check> = ours.iter().flat_map(|trail| of_trail(trail, facts.now)).collect();
    checks.push(coverage(&ours));
    checks.extend(data_events(&ours, facts));
    checks
}

fn of_trail(trail: &TrailFacts, now: EventTime) -> Vec<Check> {
    let check =
        |id, answer, says: String| Check::new(Group::Trail, id, answer, says).about(&trail.name);
    let mut checks = Vec::new();
    match &trail.status {
        Err(unknown) => {
            checks.push(Check::unknown(Group::Trail, "trail-logging", unknown).about(&trail.name));
        }
        Ok(status) if !status.is_logging => checks.push(
            check("trail-logging", Answer::Failed, "it is switched off".to_owned())
                .next("aws cloudtrail start-logging, and find out who stopped it"),
        ),
        Ok(status) => {
            checks.push(check("trail-logging", Answer::Ok, "it is switched on".to_owned()));
            checks.push(delivery(trail, status, now));
        }
    }
    checks.push(match (trail.validates, &trail.status) {
        (false, _) => {
            let says = "log file validation is off: nobody can tell a forged file from a real one";
            check("trail-validation", Answer::Failed, says.to_owned())
                .next("aws cloudtrail update-trail --enable-log-file-validation")
        }
        (true, Ok(status)) => digest(trail, status, now),
        (true, Err(_)) => {
            check("trail-validation", Answer::Ok, "log file validation is on".to_owned())
        }
    });
    checks
}

fn delivery(trail: &TrailFacts, status: &TrailStatus, now: EventTime) -> Check {
    let check = |answer, says: String| {
        Check::new(Group::Trail, "trail-delivery", answer, says).about(&trail.name)
    };
    match (&status.delivery_error, status.delivered) {
        (Some(error), _) => {
            check(Answer::Failed, "its last file could not be delivered".to_owned())
                .quoting(error.clone())
                .next("look at the bucket's policy and its key's: CloudTrail must be let in")
        }
        (None, None) => check(Answer::Warning, "it has not delivered anything yet".to_owned())
            .next("wait a quarter of an hour, and look again"),
        (None, Some(at)) => {
            let is_late = now.unix_secs().saturating_sub(at.unix_secs()) > QUIET_SECS;
            let says = format!("last delivery {}", ago(now, at));
            match is_late {
                true => {
                    check(Answer::Warning, says).next("make a call, and see whether it arrives")
                }
                false => check(Answer::Ok, says),
            }
        }
    }
}

fn digest(trail: &TrailFacts, status: &TrailStatus, now: EventTime) -> Check {
    let check = |answer, says: String| {
        Check::new(Group::Trail, "trail-validation", answer, says).about(&trail.name)
    };
    match (&status.digest_error, status.digested) {
        (Some(error), _) => {
            check(Answer::Failed, "its last digest could not be delivered".to_owned())
                .quoting(error.clone())
                .next("look at the bucket's policy and its key's: CloudTrail must be let in")
        }
        (None, Some(at)) if now.unix_secs().saturating_sub(at.unix_secs()) > DIGEST_SECS => {
            let says =
                format!("log file validation is on, and its last digest was {}", ago(now, at));
            check(Answer::Failed, says).next("digests come every hour: find out why they stopped")
        }
        (None, Some(at)) => {
            check(Answer::Ok, format!("log file validation is on, last digest {}", ago(now, at)))
        }
        (None, None) => {
            check(Answer::Ok, "log file validation is on, without a digest so far".to_owned())
        }
    }
}

/// Whether some trail shows every mint, wherever it happens. Several may share the work.
fn coverage(trails: &[&TrailFacts]) -> Check {
    let check = |answer, says: &str| Check::new(Group::Trail, "trail-coverage", answer, says);
    let known: Vec<(&TrailFacts, &[Selector])> = trails
        .iter()
        .filter_map(|trail| Some((*trail, trail.selectors.as_deref().ok()?)))
        .collect();
    let managed = |wants_all: bool| {
        let mut reads_and_writes = (false, false);
        for (trail, selectors) in &known {
            if wants_all && !(trail.is_multi_region && trail.has_global_services) {
                continue;
            }
            for management in selectors.iter().filter_map(|one| one.management.as_ref()) {
                let is_whole = !management.is_narrowed
                    && management
                        .leaves_out
                        .iter()
                        .all(|it| MAY_BE_LEFT_OUT.contains(&it.as_unescaped()));
                reads_and_writes.0 |= management.reads && is_whole;
                reads_and_writes.1 |= management.writes && is_whole;
            }
        }
        reads_and_writes
    };
    match (managed(true), managed(false)) {
        ((true, true), _) => check(
            Answer::Ok,
            "read and write management events of all Regions are recorded",
        ),
        _ if known.len() < trails.len() => {
            let unknown = trails.iter().find_map(|trail| trail.selectors.as_ref().err());
            unknown.map_or_else(
                || check(Answer::NotChecked { is_wanted: true }, "no selectors are known"),
                |unknown| Check::unknown(Group::Trail, "trail-coverage", unknown),
            )
        }
        (_, (true, true)) => check(
            Answer::Failed,
            "only one Region's events are recorded whole: calls elsewhere, and to global endpoints, are not seen",
        )
        .next("aws cloudtrail update-trail --is-multi-region-trail --include-global-service-events"),
        (_, (false, _)) => check(
            Answer::Failed,
            "management events that only read are not all recorded: AssumeRole is one, so agents have no names",
        )
        .next("set ReadWriteType to All, and leave no event source out but KMS and the RDS Data API"),
        (_, (true, false)) => check(
            Answer::Failed,
            "management events that change something are not all recorded",
        )
        .next("set ReadWriteType to All, and leave no event source out but KMS and the RDS Data API"),
    }
}

/// Whether the data events are recorded of what agents are known to use.
fn data_events(trails: &[&TrailFacts], facts: &Facts) -> Vec<Check> {
    let needed: BTreeMap<DataEvents, u32> = match &facts.models {
        Ok(models) => models.uses.clone(),
        Err(unknown) => return vec![Check::unknown(Group::Trail, "data-events", unknown)],
    };
    if trails.iter().any(|trail| trail.selectors.is_err()) {
        // Said already by the coverage.
        return Vec::new();
    }
    let selectors = || trails.iter().filter_map(|trail| trail.selectors.as_deref().ok()).flatten();
    needed
        .into_iter()
        .map(|(of, agents)| {
            let taken = |whole: bool| {
                let of_type = |(name, is_all): &(Untrusted<'_>, bool)| {
                    name == of.resource_type() && (*is_all || !whole)
                };
                selectors().any(|selector| selector.data.iter().any(of_type))
            };
            let agents = match agents {
                1 => "1 agent uses them".to_owned(),
                many => format!("{many} agents use them"),
            };
            let check = |answer, says: String| {
                let about = Untrusted::borrowed(of.resource_type());
                Check::new(Group::Trail, "data-events", answer, says).about(&about)
            };
            match (taken(true), taken(false)) {
                (true, _) => check(Answer::Ok, format!("data events are recorded; {agents}")),
                (false, true) => check(
                    Answer::Warning,
                    format!("data events of some only are recorded; {agents}"),
                )
                .next("record them for all that agents may touch, in advanced event selectors"),
                (false, false) => {
                    check(Answer::Failed, format!("data events are not recorded; {agents}"))
                        .next("add them to the trail's advanced event selectors")
                }
            }
        })
        .collect()
}
