//! Laws of learning, over histories made up at random.

use proptest::prelude::*;
use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use super::*;
use crate::touched::Touched;

/// One call of a made-up history.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) secs: i64,
    pub(super) episode: EpisodeKey,
    pub(super) classes: RateClasses,
    pub(super) bytes_out: Option<u64>,
    /// Family, action, value.
    pub(super) draws: Vec<(Family, &'static str, String)>,
}

const ACTIONS: [&str; 4] =
    ["s3:GetObject", "s3:PutObject", "iam:CreateAccessKey", "logs:GetLogEvents"];
/// 2026-08-01.
pub(super) const START_SECS: i64 = 1_785_542_400;
pub(super) const HOME: Home<'_> = Home { account: Some("123456789012"), region: Some("us-east-1") };

pub(super) fn agent() -> Whose {
    Whose::Agent {
        agent: Untrusted::borrowed("oncall-investigator"),
        class: Some(Untrusted::borrowed("investigators")),
    }
}

/// Feeds a history; `flagged` episodes are said first.
pub(super) fn learn_with(
    calls: &[Made],
    flagged: &[EpisodeKey],
    seed: u64,
    limits: LearnerLimits,
) -> Baseline {
    let mut learner = Learner::with_limits(agent(), seed, limits);
    flagged.iter().for_each(|&episode| learner.flag(episode));
    for call in calls {
        let time = EventTime::from_unix_secs(call.secs).unwrap();
        let mut draws = call.draws.iter().map(|(family, action, value)| Draw {
            family: *family,
            action: Some(action),
            value,
        });
        let resources = call.draws.iter().filter(|(family, _, _)| *family == Family::Resource);
        let counts = Counts {
            classes: call.classes,
            bytes_out: call.bytes_out,
            touched: Touched::of(resources.map(|(_, _, name)| name.as_str())),
        };
        learner.call(call.episode, time, &counts, &HOME, &mut draws);
        learner.version(call.episode, if call.secs % 7 == 0 { "v2" } else { "v1" });
    }
    learner.finish()
}

pub(super) fn learn(calls: &[Made]) -> Baseline {
    learn_with(calls, &[], 7, LearnerLimits::default())
}

fn draw() -> impl Strategy<Value = (Family, &'static str, String)> {
    let action = prop::sample::select(ACTIONS.to_vec());
    let resource = prop_oneof![
        (0_u32..80, 0_u32..3)
            .prop_map(|(tenant, file)| format!("arn:aws:s3:::data/t{tenant}/f{file}")),
        "arn:aws:s3:::logs-123456789012/2026/08/[0-2][1-9]/[a-z]{1,2}".prop_map(String::from),
        "[a-c/:\u{1}%{} é]{0,9}".prop_map(String::from),
    ];
    prop_oneof![
        action.clone().prop_map(|action| (Family::Action, "", action.to_owned())),
        (action.clone(), resource).prop_map(|(action, name)| (Family::Resource, action, name)),
        (0_u32..60).prop_map(|it| (Family::Network, "", format!("10.0.{it}.0/24"))),
        "\\PC{0,3}|x{130}".prop_map(|text| (Family::UserAgent, "", text)),
        (action, "[A-Z]{1,2}").prop_map(|(action, code)| (Family::Error, action, code)),
    ]
}

/// A history in order of time: some roots, whose episodes interleave.
fn history() -> impl Strategy<Value = Vec<Made>> {
    let call = (
        0_i64..120 * 86_400,
        0_i64..3_000,
        0_u64..4,
        prop::option::of(0_u64..1 << 40),
        prop::collection::vec(draw(), 0..4),
        any::<bool>(),
    );
    prop::collection::vec(call, 0..60).prop_map(|calls| {
        let mut made: Vec<Made> = calls
            .into_iter()
            .map(|(start, step, root, bytes_out, draws, write)| {
                // Starts are coarse, so that calls meet in an episode.
                let start = START_SECS + start / 86_400 * 86_400 / 8;
                let root = root.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let start_minute = u32::try_from(start / 60).unwrap();
                let class = if write { RateClass::Write } else { RateClass::Read };
                Made {
                    secs: start / 60 * 60 + step,
                    episode: EpisodeKey { start_minute, root },
                    classes: RateClasses::default().with(class),
                    bytes_out,
                    draws,
                }
            })
            .collect();
        made.sort_by_key(|call| call.secs);
        made
    })
}

/// Other orders that are also in order of time.
fn interleaved(calls: &[Made], turn: u64) -> Vec<Made> {
    let mut other = calls.to_vec();
    other.sort_by_key(|call| {
        (call.secs, call.episode.root.rotate_left(u32::try_from(turn % 64).unwrap()) ^ turn)
    });
    for call in &mut other {
        call.draws.reverse();
        if turn.is_multiple_of(2) {
            call.draws.extend(call.draws.clone());
        }
    }
    other
}

/// Limits that histories of some dozen calls go beyond.
const TIGHT: LearnerLimits = LearnerLimits { resources_max: 8, values_max: 4, visits_max: 6 };

proptest! {
    #[test]
    fn however_episodes_interleave_the_bytes_are_the_same(calls in history(), turn in any::<u64>()) {
        let other = interleaved(&calls, turn);
        for limits in [LearnerLimits::default(), TIGHT] {
            let wanted = learn_with(&calls, &[], 7, limits);
            prop_assert_eq!(learn_with(&other, &[], turn, limits).to_text(), wanted.to_text());
        }
    }

    #[test]
    fn a_text_is_read_as_what_it_was_written_from(calls in history(), tight in any::<bool>()) {
        let limits = if tight { TIGHT } else { LearnerLimits::default() };
        let baseline = learn_with(&calls, &[], 7, limits);
        let text = baseline.to_text();
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || byte == b'\n'));
        let parsed = Baseline::parse(&text);
        prop_assert_eq!(parsed.as_ref(), Ok(&baseline), "{}", text);
        let digested = Digested::parse(&text).unwrap();
        prop_assert_eq!(digested.digest(), baseline.digest());
    }

    #[test]
    fn flagged_episodes_leave_no_trace(calls in history(), root in 0_u64..4) {
        let root = root.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let flagged: Vec<EpisodeKey> =
            calls.iter().map(|call| call.episode).filter(|episode| episode.root == root).collect();
        let others: Vec<Made> =
            calls.iter().filter(|call| call.episode.root != root).cloned().collect();
        let wanted = learn(&others).to_text();
        prop_assert_eq!(learn_with(&calls, &flagged, 7, LearnerLimits::default()).to_text(), wanted);
    }
}

#[test]
fn nothing_learned_is_a_baseline_too() {
    let text = learn(&[]).to_text();
    assert!(text.contains("learned nothing\n"));
    assert_eq!(Baseline::parse(&text).unwrap().to_text(), text);
}

/// Episodes of one call each: on the day, the number in the day, what it shows.
pub(super) fn episode(day: i64, number: i64, draws: &[(Family, &'static str, &str)]) -> Made {
    let secs = START_SECS + day * 86_400 + number * 600;
    let root = u64::try_from(day * 1_000 + number).unwrap() << 48;
    Made {
        secs,
        episode: EpisodeKey { start_minute: u32::try_from(secs / 60).unwrap(), root },
        classes: RateClasses::default(),
        bytes_out: None,
        draws: draws
            .iter()
            .map(|(family, action, value)| (*family, *action, (*value).to_owned()))
            .collect(),
    }
}

fn by(who: &str) -> Approval {
    let when = EventTime::from_unix_secs(START_SECS).unwrap();
    Approval::new(who, when, "because").unwrap()
}

/// Promoted without decisions; `iam:` is sensitive.
fn promoted(live: Option<&Baseline>, candidate: &Baseline, decisions: &Decisions) -> Promotion {
    let sensitive = |draw: &Draw<'_>| {
        draw.value.starts_with("iam:") || draw.action.is_some_and(|it| it.starts_with("iam:"))
    };
    promote(live, candidate, decisions, &sensitive, &by("lead")).unwrap()
}

fn first_live(candidate: &Baseline) -> Baseline {
    promoted(None, candidate, &Decisions::default()).next
}

fn names(baseline: &Baseline, is_known: bool) -> Vec<String> {
    let mut names = Vec::new();
    baseline.each_key(|name, provenance, _| {
        if provenance.is_known() == is_known {
            names.push(name.to_string());
        }
    });
    names
}

const GET: &str = "s3:GetObject";

/// Some weeks of the same work.
fn steady(days: std::ops::Range<i64>) -> Vec<Made> {
    let mut calls = Vec::new();
    for day in days {
        for number in 0..10 {
            let file =
                ["arn:aws:s3:::b/config/prod", "arn:aws:s3:::b/config/stage"][number as usize % 2];
            let tenant = format!(
                "arn:aws:s3:::b/tenant/{}",
                ["p", "q", "r"][day as usize % 3].repeat(day as usize / 3 % 40 + 1)
            );
            calls.push(episode(
                day,
                number,
                &[
                    (Family::Action, "", GET),
                    (Family::Resource, GET, file),
                    (Family::Resource, GET, &tenant),
                    (Family::Region, "", "us-east-1"),
                    (Family::Network, "", "10.0.0.0/24"),
                    (Family::UserAgent, "", "boto3"),
                ],
            ));
        }
    }
    calls
}

proptest! {
    #[test]
    fn peers_come_together_in_any_order(a in history(), b in history(), c in history()) {
        let lives: Vec<Baseline> = [a, b, c].iter().map(|calls| first_live(&learn(calls))).collect();
        let sum = |order: &[usize]| {
            let mut peers = Peers::new(Some(Untrusted::borrowed("investigators")));
            order.iter().for_each(|&at| peers.add(&lives[at]));
            peers
        };
        let wanted = sum(&[0, 1, 2]).finish(None).to_text();
        prop_assert_eq!(sum(&[2, 0, 1]).finish(None).to_text(), wanted.as_str());
        let mut right = sum(&[2]);
        right.merge(&sum(&[1]));
        let mut left = sum(&[0]);
        left.merge(&right);
        prop_assert_eq!(left.finish(None).to_text(), wanted.as_str());
        prop_assert_eq!(Baseline::parse(&wanted).map(|it| it.to_text()), Ok(wanted.clone()));
        let fleet = {
            let mut peers = Peers::new(None);
            lives.iter().for_each(|live| peers.add(live));
            peers.finish(Some(3)).to_text()
        };
        prop_assert_eq!(Baseline::parse(&fleet).map(|it| it.to_text()), Ok(fleet.clone()));
    }

    #[test]
    fn a_promotion_is_read_as_it_was_written_and_takes_no_approval_back(
        parts in prop::collection::vec(history(), 1..4),
        approved in prop::collection::vec(0_usize..50, 0..4),
    ) {
        let mut live: Option<Baseline> = None;
        let mut decisions = Decisions::default();
        for calls in &parts {
            let candidate = learn(calls);
            let mut seen = Vec::new();
            candidate.each_key(|name, _, _| seen.push(name.clone()));
            for &at in &approved {
                if let Some(name) = seen.get(at) {
                    decisions.approve(&Untrusted::borrowed("oncall-investigator"), name.clone(), by("alice"));
                }
            }
            let outcome = promoted(live.as_ref(), &candidate, &decisions);
            prop_assert_eq!(&promoted(live.as_ref(), &candidate, &decisions), &outcome);
            let text = outcome.next.to_text();
            let parsed = Baseline::parse(&text);
            prop_assert_eq!(parsed.as_ref(), Ok(&outcome.next), "{}", text);
            let mut still = Vec::new();
            outcome.next.each_key(|name, provenance, _| {
                if matches!(provenance, Provenance::Approved(_)) {
                    still.push(name.clone());
                }
            });
            if let Some(live) = &live {
                live.each_key(|name, provenance, _| {
                    let was = matches!(provenance, Provenance::Approved(_));
                    assert!(!was || still.contains(name), "{name} is no longer approved");
                });
            }
            live = Some(outcome.next);
        }
    }

    #[test]
    fn what_was_learned_is_known_and_compiles_the_same_from_text(calls in history()) {
        let live = first_live(&learn(&calls));
        let known = live.compile(1);
        let again = Baseline::parse(&live.to_text()).unwrap().compile(2);
        for call in &calls {
            for (family, action, value) in &call.draws {
                let draw = Draw { family: *family, action: Some(action), value };
                let sensitive = value.starts_with("iam:") || action.starts_with("iam:");
                prop_assert_eq!(known.knows(&draw, &HOME), !sensitive, "{:?}", draw);
                prop_assert_eq!(known.ask(&draw, &HOME), again.ask(&draw, &HOME));
            }
        }
    }
}

#[test]
fn of_the_first_baseline_only_the_sensitive_waits() {
    let mut calls = steady(0..3);
    calls.push(episode(
        3,
        0,
        &[
            (Family::Action, "", "iam:CreateUser"),
            (Family::Resource, "iam:CreateUser", "arn:aws:iam::123456789012:user/x"),
        ],
    ));
    let outcome = promoted(None, &learn(&calls), &Decisions::default());
    assert_eq!(names(&outcome.next, false).len(), 1 + 1 + 7, "{:?}", names(&outcome.next, false));
    let held: Vec<String> =
        outcome.held.iter().map(|it| format!("{}: {}", it.what, it.why)).collect();
    assert_eq!(
        held,
        [
            "action iam:CreateUser: sensitive: needs a person",
            "resource iam:CreateUser: sensitive: needs a person",
        ]
    );
    let known = outcome.next.compile(0);
    let action = Draw { family: Family::Action, action: None, value: "iam:CreateUser" };
    assert_eq!(known.ask(&action, &HOME), Knowledge::Pending { episodes: 1 });
}

#[test]
fn later_a_value_needs_days_episodes_and_age() {
    let live = first_live(&learn(&steady(0..10)));
    let with = |new: Vec<Made>| {
        let mut calls = steady(10..30);
        calls.extend(new);
        calls.sort_by_key(|call| call.secs);
        let outcome = promoted(Some(&live), &learn(&calls), &Decisions::default());
        let held: Vec<String> =
            outcome.held.iter().map(|it| format!("{}: {}", it.what, it.why)).collect();
        held
    };
    let seen = |days: &[i64], family, value| {
        days.iter().map(|&day| episode(day, 50, &[(family, "", value)])).collect::<Vec<_>>()
    };
    let put = (Family::Action, "s3:PutObject");
    assert_eq!(with(seen(&[20, 21, 22, 23, 24], put.0, put.1)), [""; 0]);
    assert_eq!(
        with(seen(&[20, 21, 22, 23], put.0, put.1)),
        ["action s3:PutObject: seen on 4 days in 4 episodes; 3 and 5 are needed"]
    );
    assert_eq!(
        with(seen(&[24, 25, 26, 27, 28], put.0, put.1)),
        ["action s3:PutObject: first seen 5 days ago; 7 are needed"]
    );
    assert_eq!(
        with(seen(&[20, 21, 22, 23, 24], Family::Region, "eu-west-1")),
        ["region eu-west-1: a new Region or network: needs a person"]
    );
    assert_eq!(
        with(seen(&[20, 21, 22, 23, 24], Family::Action, "iam:CreateUser")),
        ["action iam:CreateUser: sensitive: needs a person"]
    );
}

#[test]
fn closed_slots_are_news_and_noise_does_not_open_them() {
    let config = |name: &str| format!("arn:aws:s3:::b/config/{name}");
    let ask = |live: &Baseline, value: &str| {
        let draw = Draw { family: Family::Resource, action: Some(GET), value };
        live.compile(3).ask(&draw, &HOME)
    };
    let mut live = first_live(&learn(&steady(0..40)));
    assert_eq!(ask(&live, &config("prod")), Knowledge::Known { episodes: 200, agents: 1 });
    assert_eq!(ask(&live, &config("passwords")), Knowledge::Unexpected { visits: 400, found: 2 });
    assert!(matches!(ask(&live, "arn:aws:s3:::b/tenant/new"), Knowledge::Open { .. }));
    assert!(matches!(ask(&live, "arn:aws:s3:::other/x"), Knowledge::Unexpected { .. }));
    // Ten names a day, each once, for weeks.
    for week in 0..8 {
        let days = 40 + week * 7..47 + week * 7;
        let mut calls = steady(days.clone());
        for day in days {
            for number in 20..30 {
                let name =
                    config(&format!("noise{}", "x".repeat((day * 10 + number) as usize % 50)));
                calls.push(episode(day, number, &[(Family::Resource, GET, &name)]));
            }
        }
        calls.sort_by_key(|call| call.secs);
        live = promoted(Some(&live), &learn(&calls), &Decisions::default()).next;
    }
    assert!(ask(&live, &config("passwords")).is_news(), "{:?}", ask(&live, &config("passwords")));
    assert!(matches!(ask(&live, "arn:aws:s3:::b/tenant/newer"), Knowledge::Open { .. }));
}

#[test]
fn whoever_boils_slowly_ends_at_half_above_the_anchor() {
    let burst = |day: i64, size: u64| {
        let calls = (0..size).map(move |_| episode(day, 1, &[(Family::Action, "", GET)]));
        calls.collect::<Vec<_>>()
    };
    let mut live = first_live(&learn(&burst(0, 100)));
    let pace = (RateWindow::TenSeconds, RateClass::All);
    assert_eq!(live.compile(0).limit(pace.0, pace.1), Some(100));
    for day in 1..=90 {
        let limit = live.compile(0).limit(pace.0, pace.1).unwrap();
        // Each day as much as is still allowed by any rule, and half as much again.
        let candidate = learn(&burst(day, limit.max(ceiling_of(limit))));
        live = promoted(Some(&live), &candidate, &Decisions::default()).next;
    }
    let known = live.compile(0);
    assert_eq!(known.limit(pace.0, pace.1), Some(150));
    assert!(known.exceeds(pace.0, pace.1, 151) && !known.exceeds(pace.0, pace.1, 150));
    // A person may move the anchor.
    let mut decisions = Decisions::default();
    decisions.approve_rate(
        &Untrusted::borrowed("oncall-investigator"),
        pace.0,
        pace.1,
        200,
        by("alice"),
    );
    let next = promoted(Some(&live), &learn(&burst(91, 400)), &decisions);
    assert_eq!(next.next.compile(0).limit(pace.0, pace.1), Some(300));
    assert!(
        next.held
            .iter()
            .any(|held| held.why == HoldReason::AboveAnchor { seen: 400, ceiling: 300 })
    );
}

#[test]
fn whose_baseline_knows_no_number_of_resources_exceeds_none() {
    let history: Vec<Made> = (0..12)
        .map(|nth| {
            let call = episode(0, 1, &[]);
            let name = format!("arn:aws:s3:::b/{}", nth % 4);
            Made { secs: call.secs + nth, draws: vec![(Family::Resource, GET, name)], ..call }
        })
        .collect();
    let live = first_live(&learn(&history));
    let limit = |of: &Baseline| of.compile(0).limit(RateWindow::Episode, RateClass::Resources);
    assert_eq!(limit(&live), Some(4));
    let text = live.to_text();
    let older: String = text
        .lines()
        .filter(|line| !line.contains(" resources ") && !line.starts_with(super::write::DIGEST))
        .filter(|line| !line.starts_with("# different"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let older = format!("{older}{}{}\n", super::write::DIGEST, super::write::hex_digest(&older));
    assert_ne!(older, text);
    let older = Baseline::parse(&older).unwrap();
    assert_eq!(limit(&older), None);
    // The next promotion knows.
    let next = promoted(Some(&older), &learn(&history), &Decisions::default()).next;
    assert_eq!(limit(&next), Some(4));
}

fn ceiling_of(limit: u64) -> u64 {
    limit + limit / 2
}

#[test]
fn what_is_not_used_is_forgotten_unless_approved() {
    let once = |day, value| episode(day, 90, &[(Family::Action, "", value)]);
    let mut calls = steady(0..10);
    calls.extend([once(10, "s3:PutObject"), once(10, "iam:CreateUser")]);
    let mut decisions = Decisions::default();
    let key = KeyName::parse(Family::Action, None, "iam:CreateUser").unwrap();
    decisions.approve(&Untrusted::borrowed("oncall-investigator"), key, by("alice"));
    let live = promoted(None, &learn(&calls), &decisions).next;
    assert!(names(&live, true).contains(&"action s3:PutObject".to_owned()));
    let later = promoted(Some(&live), &learn(&steady(95..105)), &decisions).next;
    let known = names(&later, true);
    assert!(!known.contains(&"action s3:PutObject".to_owned()));
    assert!(known.contains(&"action iam:CreateUser".to_owned()));
    assert!(later.to_text().contains("gone action s3:PutObject 2026-08-11 2026-11-13\n"));
}

#[test]
fn an_approved_part_of_a_name_is_approved_with_what_is_below_and_above() {
    let of = |name: &str| episode(0, 1, &[(Family::Resource, "iam:GetRole", name)]);
    let calls = [
        of("arn:aws:iam::1:role/app/a"),
        of("arn:aws:iam::1:role/app/b"),
        of("arn:aws:iam::1:role/admin"),
    ];
    let mut decisions = Decisions::default();
    let key = |value| KeyName::parse(Family::Resource, Some("iam:GetRole"), value).unwrap();
    let agent = Untrusted::borrowed("oncall-investigator");
    decisions.approve(&agent, key("arn:aws:iam::{int1}:role/app/"), by("alice"));
    decisions.approve(&Untrusted::borrowed("other"), key("{}"), by("mallory"));
    let live = promoted(None, &learn(&calls), &decisions).next;
    let ask = |value| {
        let draw = Draw { family: Family::Resource, action: Some("iam:GetRole"), value };
        live.compile(0).ask(&draw, &HOME)
    };
    assert_eq!(ask("arn:aws:iam::1:role/app/b"), Knowledge::Known { episodes: 1, agents: 1 });
    assert_eq!(names(&live, false), ["resource iam:GetRole arn:aws:iam::{int1}:role/admin"]);
    assert!(Baseline::parse(&live.to_text()).is_ok());
}

#[test]
fn an_approval_ends_where_the_part_of_the_name_ends() {
    let key = |value| KeyName::parse(Family::Resource, Some("iam:GetRole"), value).unwrap();
    assert!(key("role/app").covers(&key("role/app")));
    assert!(!key("role/app").covers(&key("role/application")));
    assert!(!key("role/app").covers(&key("role/app/x")));
    assert!(key("role/app/").covers(&key("role/app/x")) && key("{}").covers(&key("role/app/x")));
    assert!(key("role/{*}").covers(&key("role/{*}x")));
}

const OURS: &str = "vpce-0a1b";
const SHARED: &str = "vpce-0a1b@111122223333";
const THEIRS: &str = "vpce-0c2d@444455556666";

fn ask_network(baseline: &Baseline, value: &str) -> Knowledge {
    let draw = Draw { family: Family::Network, action: None, value };
    baseline.compile(1).ask(&draw, &HOME)
}

/// Days on which an agent calls through an endpoint.
fn through(days: std::ops::Range<i64>, network: &'static str) -> Vec<Made> {
    days.map(|day| episode(day, 1, &[(Family::Network, "", network)])).collect()
}

#[test]
fn an_endpoint_is_known_with_and_without_its_account() {
    for (learned, other) in [(OURS, SHARED), (SHARED, OURS)] {
        let live = first_live(&learn(&through(0..10, learned)));
        assert!(live.to_text().contains(&format!("\nnetwork {learned} learned ")));
        for network in [learned, other] {
            let known = Knowledge::Known { episodes: 10, agents: 1 };
            assert_eq!(ask_network(&live, network), known, "{network}");
        }
        assert_eq!(ask_network(&live, THEIRS), Knowledge::New);
        assert_eq!(ask_network(&live, "vpce-0a1"), Knowledge::New);
        // Learned by its other name, it needs nobody's leave.
        let next = promoted(Some(&live), &learn(&through(10..20, other)), &Decisions::default());
        assert!(next.held.is_empty(), "{:?}", next.held);
        assert_eq!(Baseline::parse(&next.next.to_text()).unwrap(), next.next);
        // And stays when the first one is forgotten.
        let later = learn(&through(105..115, other));
        let later = promoted(Some(&next.next), &later, &Decisions::default()).next;
        assert_eq!(names(&later, true), [format!("network {other}")]);
        assert!(!ask_network(&later, learned).is_news());
        // Somebody else's waits for a person.
        let next = promoted(Some(&live), &learn(&through(10..20, THEIRS)), &Decisions::default());
        assert_eq!(next.held.len(), 1);
        assert!(ask_network(&next.next, THEIRS).is_news());
    }
}

#[test]
fn an_endpoint_that_waits_by_one_name_does_not_hide_that_it_is_known_by_the_other() {
    let agent = Untrusted::borrowed("oncall-investigator");
    for (approved, other) in [(OURS, SHARED), (SHARED, OURS)] {
        let live = first_live(&learn(&through(0..10, "10.0.0.0/24")));
        let mut calls = through(10..20, approved);
        calls.extend(through(20..30, other));
        let candidate = learn(&calls);
        let unapproved = promoted(Some(&live), &candidate, &Decisions::default());
        assert_eq!(unapproved.held.len(), 2);
        assert!(ask_network(&unapproved.next, approved).is_news());
        // What a person says of one is said of both.
        let mut decisions = Decisions::default();
        let key = KeyName::parse(Family::Network, None, approved).unwrap();
        decisions.approve(&agent, key, by("alice"));
        let next = promoted(Some(&live), &candidate, &decisions);
        assert!(next.held.is_empty() && !ask_network(&next.next, other).is_news());
        // As where only one of them is known.
        let name = KeyName::parse(Family::Network, None, other).unwrap();
        let mut next = next.next;
        next.keys.get_mut(&name).unwrap().provenance = Provenance::Pending;
        assert!(!ask_network(&next, other).is_news() && !ask_network(&next, approved).is_news());
    }
}

#[test]
fn whose_endpoints_are_known_is_no_stranger() {
    let account = |text| tripline_iam::AccountId::parse(text).unwrap();
    let (shared, stranger) = (account("111122223333"), account("444455556666"));
    let calls = [through(0..5, SHARED), through(5..9, OURS), through(9..12, "198.51.100.0/24")];
    let live = first_live(&learn(&calls.concat()));
    let known = live.compile(1);
    assert!(known.knows_owner(shared) && !known.knows_owner(stranger));
    // One endpoint by both its names, inside, and one network outside.
    assert_eq!((known.networks(), known.knowers(Family::Network)), ((1, 1), 2));
    // What waits is nobody's.
    let next = promoted(Some(&live), &learn(&through(12..20, THEIRS)), &Decisions::default()).next;
    assert!(!next.compile(1).knows_owner(stranger));
    assert_eq!(next.compile(1).networks(), (1, 1));
    let class = Baseline::of_class(Untrusted::borrowed("c"), [&live, &next]);
    assert!(class.compile(1).knows_owner(shared) && !class.compile(1).knows_owner(stranger));
    assert_eq!(class.compile(1).networks(), (2, 2));
    // Of two agents one knows it by one name only: two know it all the same.
    let other = first_live(&learn(&through(0..5, OURS)));
    let class = Baseline::of_class(Untrusted::borrowed("c"), [&live, &other]);
    let home = Draw { family: Family::Network, action: None, value: SHARED };
    let known = class.compile(1).ask(&home, &HOME);
    assert!(matches!(known, Knowledge::Known { agents: 2, .. }), "{known:?}");
}

#[test]
fn where_a_name_leaves_what_classes_know_together() {
    let with = |names: &[&'static str]| {
        let draws: Vec<_> = names.iter().map(|name| (Family::Resource, GET, *name)).collect();
        first_live(&learn(&[episode(0, 1, &draws)]))
    };
    let class = |agents: &[&Baseline]| {
        Baseline::of_class(Untrusted::borrowed("c"), agents.iter().copied()).compile(0)
    };
    let [logs, own, raw] = ["arn:aws:s3:::logs/x/1", "arn:aws:s3:::logs/y", "arn:aws:s3:::raw/x"]
        .map(|name| with(&[name]));
    let (one, other) = (class(&[&logs, &logs, &own]), class(&[&raw, &raw]));
    let of = |known: &Known, value| {
        let draw = Draw { family: Family::Resource, action: Some(GET), value };
        known.leaves(&draw, &HOME).unwrap()
    };
    let both = |value| of(&one, value).and(of(&other, value));
    let others = |alone, all, agents| Beyond::Others(Parts { alone, all, agents });
    // A bucket that nobody knows, beside the two that five agents know.
    let bucket = both("arn:aws:s3:::vault/a");
    assert_eq!((bucket.beyond(), bucket.is_further()), (others(0, 5, 5), false));
    // In a bucket of one class, what only that class could know; one of its two names is one agent's alone.
    let within = both("arn:aws:s3:::logs/z");
    assert_eq!((within.beyond(), within.is_further()), (others(1, 3, 3), true));
    assert_eq!(of(&other, "arn:aws:s3:::logs/z").beyond(), others(0, 2, 2));
    // What some agent of some class knows is known, whichever is asked first.
    assert_eq!(both("arn:aws:s3:::raw/x").beyond(), Beyond::All);
    assert_eq!(
        of(&other, "arn:aws:s3:::logs/y").and(of(&one, "arn:aws:s3:::logs/y")).beyond(),
        Beyond::All
    );
    let draw = Draw { family: Family::Resource, action: Some("s3:PutObject"), value: "" };
    assert_eq!(one.leaves(&draw, &HOME), None);
    let share = |alone| Parts { alone, all: 5, agents: 5 }.share_alone();
    assert!(share(0) < share(2));
    // Where there was no room for all of a class's names, nobody can say which it knows.
    let names: Vec<&'static str> = ('a'..='z')
        .flat_map(|one| "xyz".chars().map(move |other| (one, other)))
        .map(|(one, other)| &*format!("arn:aws:s3:::bucket{one}{other}/a").leak())
        .collect();
    let agents: Vec<Baseline> = names.iter().map(|name| with(&[name])).collect();
    let mut many = Baseline::of_class(Untrusted::borrowed("m"), agents.iter());
    many.tries.get_mut(GET).unwrap().fold(super::trie::CHILDREN_MAX);
    let many = many.compile(0);
    assert_eq!(of(&many, "arn:aws:s3:::vault/a").beyond(), Beyond::Untold);
    let beyond = |value| of(&many, value).and(of(&one, value)).beyond();
    assert_eq!(beyond("arn:aws:s3:::vault/a"), Beyond::Untold);
    assert_eq!(beyond("arn:aws:s3:::logs/y"), Beyond::All);
}

#[test]
fn whatever_is_found_first_is_no_discovery() {
    assert_eq!(Known::rate_of(500, 0), Known::rate_of(500, 1));
    assert!(Known::rate_of(500, 2) > 40.0 * Known::rate_of(500, 1));
    // A hundred visits to one file: only the bucket and the file could have been others.
    let draws = |number: i64| {
        episode(number / 20, number % 20, &[(Family::Resource, GET, "arn:aws:s3:::b/c")])
    };
    let calls: Vec<Made> = (0..120).map(draws).collect();
    let known = first_live(&learn(&calls)).compile(0);
    let rate = Known::rate_of(120, 1);
    assert!((known.slot_rate() - rate).abs() < 1e-12, "{} {rate}", known.slot_rate());
    assert!(known.closed_slots().all(|slot| slot.0 == 120));
}

#[test]
fn peers_say_how_many_know_a_value_and_nothing_of_what_is_pending() {
    let with = |draws: &[(Family, &'static str, &str)]| first_live(&learn(&[episode(0, 1, draws)]));
    let put = (Family::Action, "", "s3:PutObject");
    let config = (Family::Resource, GET, "b/config");
    let mut one = with(&[put, config, (Family::Resource, GET, "b/secret")]);
    let bucket = one.tries.get_mut(GET).unwrap().children.get_mut("b/").unwrap();
    bucket.children.get_mut("secret").unwrap().fact.provenance = Provenance::Pending;
    let other = with(&[put, config, (Family::Action, "", "iam:CreateUser")]);
    let class = Baseline::of_class(Untrusted::borrowed("c"), [&one, &other, &with(&[config])]);
    let known = class.compile(0);
    let ask = |family, action, value| known.ask(&Draw { family, action, value }, &HOME);
    assert_eq!((known.agents(), known.episodes()), (3, 3));
    assert_eq!(ask(Family::Action, None, put.2), Knowledge::Known { episodes: 2, agents: 2 });
    assert_eq!(ask(Family::Action, None, "iam:CreateUser"), Knowledge::New);
    assert_eq!(
        ask(Family::Resource, Some(GET), config.2),
        Knowledge::Known { episodes: 3, agents: 3 }
    );
    assert!(!class.to_text().contains("secret"));
    let mut few = Peers::new(None);
    [&one, &other].into_iter().for_each(|agent| few.add(agent));
    few.add(&with(&[(Family::Region, "", "eu-west-1")]));
    assert_eq!(names(&few.finish(Some(1)), true), ["action s3:PutObject"]);
}

#[test]
fn after_a_deployment_three_episodes_will_do() {
    let learned = |days: std::ops::Range<i64>, tells_from: i64| {
        let mut learner = Learner::new(agent(), 1);
        for call in steady(days) {
            let is_new = call.secs >= START_SECS + 18 * 86_400;
            let mut values = vec![GET];
            if is_new {
                values.push("s3:PutObject");
            }
            let mut draws =
                values.iter().map(|value| Draw { family: Family::Action, action: None, value });
            let time = EventTime::from_unix_secs(call.secs).unwrap();
            let counts = Counts { classes: call.classes, ..Counts::default() };
            learner.call(call.episode, time, &counts, &HOME, &mut draws);
            if call.secs >= START_SECS + tells_from * 86_400 {
                learner.version(call.episode, if is_new { "2.0" } else { "1.0" });
            }
        }
        learner.finish()
    };
    let (live, candidate) = (first_live(&learned(0..10, 0)), learned(10..20, 0));
    let minute = u32::try_from((START_SECS + 18 * 86_400) / 60).unwrap();
    assert!(candidate.grace_at("2.0", minute + 60) && !candidate.grace_at("2.0", minute + 24 * 60));
    assert!(!candidate.grace_at("1.0", minute - 60));
    let outcome = promoted(Some(&live), &candidate, &Decisions::default());
    assert!(
        names(&outcome.next, true).contains(&"action s3:PutObject".to_owned()),
        "{:?}",
        outcome.held
    );
    // Whoever finds out that versions matter names two, of an agent that never told one.
    let (untold, candidate) = (first_live(&learned(0..10, 30)), learned(10..20, 12));
    let first = promoted(Some(&untold), &candidate, &Decisions::default());
    let again = promoted(Some(&first.next), &candidate, &Decisions::default());
    for outcome in [first, again] {
        assert!(!names(&outcome.next, true).contains(&"action s3:PutObject".to_owned()));
    }
}

#[test]
fn only_what_belongs_together_is_promoted() {
    let candidate = learn(&steady(0..2));
    let live = first_live(&candidate);
    let error = |live, candidate| {
        promote(live, candidate, &Decisions::default(), &|_| false, &by("lead")).unwrap_err()
    };
    let mut other = live.clone();
    other.whose = Whose::Agent { agent: Untrusted::borrowed("x"), class: None };
    assert_eq!(error(Some(&other), &candidate), PromotionError::OtherAgent);
    assert_eq!(error(None, &live), PromotionError::WrongState);
    assert_eq!(error(Some(&candidate), &candidate), PromotionError::WrongState);
    let class = Baseline::of_class(Untrusted::borrowed("c"), [&live]);
    assert_eq!(error(None, &class), PromotionError::NoAgent);
}

#[test]
fn the_hardest_agent_fits() {
    let mut calls = Vec::new();
    for day in 0..40_i64 {
        for number in 0..100 {
            let word = |n: i64| {
                format!(
                    "é{}{}",
                    ["a", "b", "c", "d"][n as usize % 4].repeat(n as usize % 30 + 1),
                    ["x", "y", "z"][n as usize % 3].repeat(n as usize / 30 % 30 + 1)
                )
            };
            let n = day * 100 + number;
            let deep =
                format!("arn:aws:s3:::{}/{}/{}/{}", word(n), word(n / 2), word(n / 3), word(n * 7));
            let agent = word(n).repeat(4);
            let mut call = episode(
                day,
                number,
                &[(Family::Resource, GET, &deep), (Family::UserAgent, "", &agent)],
            );
            call.bytes_out = Some(1 << (n % 60));
            calls.push(call);
        }
    }
    let candidate = learn(&calls);
    let text = candidate.to_text();
    assert!(text.len() <= AGENT_BYTES_MAX, "{}", text.len());
    assert!(Baseline::parse(&text).is_ok());
    let next = promoted(None, &candidate, &Decisions::default()).next;
    assert!(next.to_text().len() <= AGENT_BYTES_MAX);
}

#[test]
fn two_weeks_read_well() {
    let old = first_live(&learn(&steady(0..14)));
    let mut calls = steady(14..28);
    for day in 14..24 {
        for number in 60..62 {
            calls.push(episode(
                day,
                number,
                &[
                    (Family::Action, "", "s3:PutObject"),
                    (
                        Family::Resource,
                        "s3:PutObject",
                        "arn:aws:s3:::out-123456789012/2026-09-01/report",
                    ),
                    (Family::Error, "s3:PutObject", "AccessDenied"),
                ],
            ));
        }
    }
    calls.push(episode(
        25,
        70,
        &[(Family::Action, "", "iam:CreateUser"), (Family::Network, "", "203.0.113.0/24")],
    ));
    calls.push(episode(25, 71, &[(Family::UserAgent, "", "evil\u{1b}[2J agent")]));
    calls.extend((0..20).map(|_| episode(26, 72, &[(Family::Action, "", GET)])));
    calls.sort_by_key(|call| call.secs);
    let mut decisions = Decisions::default();
    let key = KeyName::parse(Family::Network, None, "203.0.113.0/24").unwrap();
    decisions.approve(
        &Untrusted::borrowed("oncall-investigator"),
        key,
        Approval::new("alice", EventTime::EPOCH, "new office").unwrap(),
    );
    let outcome = promoted(Some(&old), &learn(&calls), &decisions);
    let sensitive = |draw: &Draw<'_>| draw.value.starts_with("iam:");
    let diff = BaselineDiff::between(&old, &outcome.next, &sensitive);
    let held: String = outcome.held.iter().map(|it| format!("{}: {}\n", it.what, it.why)).collect();
    insta::assert_snapshot!("diff_of_two_weeks", format!("{diff}\nheld back\n{held}"));
    insta::assert_snapshot!("text_of_two_weeks", outcome.next.to_text());
    assert!(BaselineDiff::between(&old, &old, &sensitive).is_empty());
}

#[test]
fn errors_name_line_field_and_reason() {
    let text = learn(&steady(0..2)).to_text();
    let error = |text: &str| Baseline::parse(text).unwrap_err().to_string();
    let signed = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let body = changed.split_once("digest sha256:").unwrap().0;
        error(&format!("{body}digest sha256:{}\n", super::write::hex_digest(body)))
    };
    assert!(error("").starts_with("is no learned baseline"));
    assert!(error("version = 1\n").starts_with("is no learned baseline"));
    assert!(error(&text.replace("baseline 1", "baseline 2")).contains("update tripline"));
    assert!(error(text.split_at(text.len() / 2).0).contains("cut off"));
    assert!(error(&text.replacen("us-east-1", "us-east-2", 1)).contains("damaged"));
    assert_eq!(
        signed("pending 20", "panding 20"),
        "line 21, field 3: expected `pending`, `learned` or `approved,…`, found `panding`"
    );
    assert_eq!(
        signed("state candidate", "state new"),
        "line 3, field 2: expected `candidate` or `live`, found `new`"
    );
    assert!(
        signed("learned 2026-08-01 2026-08-02", "learned 2026-08-03 2026-08-02")
            .contains("field 3: the last day is before")
    );
    assert!(
        signed("region us-east-1 pending 20", "region us-east-1 pending 21")
            .contains("more episodes than there were")
    );
    assert!(
        signed("region us-east-1 pending 20", "region us-east-1 pending +20")
            .contains("is not as tripline writes it")
    );
    assert!(signed("\nregion", "\nregian").contains("a line of a baseline, in order"));
    assert!(
        signed("2026-08-01T00:00Z/0000 2026-08-02 3", "2026-08-01T00:00Z/0000 2026-08-02 2")
            .contains("the days do not fit")
    );
    assert_eq!(error(&"x".repeat(BASELINE_BYTES_MAX + 1)), "is larger than 8388608 bytes");
}

proptest! {
    #[test]
    fn damage_is_an_error_with_a_harmless_message(at in 0.0_f64..1.0, cut in 0_usize..8, put in "[\\PC\\n{}% a-f0-9:/]{0,4}") {
        let mut text = first_live(&learn(&steady(0..2))).to_text();
        let at = (at * text.len() as f64) as usize;
        text.replace_range(at..(at + cut).min(text.len()), &put);
        let body = text.split_once("digest sha256:").map_or("", |(body, _)| body).to_owned();
        let signed = format!("{body}digest sha256:{}\n", super::write::hex_digest(&body));
        for text in [text, signed] {
            match Baseline::parse(&text) {
                Ok(baseline) => prop_assert_eq!(baseline.to_text(), text),
                Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control)),
            }
        }
    }
}

/// The blocks of that language in the specification.
fn examples(language: &str) -> Vec<&'static str> {
    let text = include_str!("../../../../baselines/README.md");
    let opening = format!("```{language}\n");
    let blocks = text.split(opening.as_str()).skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_examples_of_the_specification_are_read() {
    let [example] = examples("text")[..] else { panic!("one baseline") };
    let body = example.split_once("digest sha256:").unwrap().0;
    let signed = format!("{body}digest sha256:{}\n", super::write::hex_digest(body));
    assert_eq!(Baseline::parse(&signed).map(|it| it.episodes()), Ok(4_212));
    let decisions = examples("toml").into_iter().find(|it| it.contains("[[approve]]")).unwrap();
    assert_ne!(Decisions::parse(decisions).unwrap(), Decisions::default());
    let scope = examples("toml").into_iter().find(|it| it.contains("[allow]")).unwrap();
    assert!(crate::Scope::parse(scope).is_ok());
}
