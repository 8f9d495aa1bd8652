//! What looks beyond one episode works on what comes live as it does on a history: attacks over many
//! sessions, and the watch over the calibration.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};
use tripline_baseline::{Day, Peers};
use tripline_chat::{Message, Stage};
use tripline_detector::{Budgets, Calibration, Invariants, Score, Verdict};
use tripline_engine::doctor::calibrations;
use tripline_engine::{
    Batch, Config, Entry, Filter, Model, PartitionId, Provenance, Purpose, Scored,
};
use tripline_runtime::{EmbeddedState, Live, Models, Page, State, StateError, fired};
use tripline_testkit::Rng;
use tripline_text::Untrusted;

use crate::answers::{DAY, TODAY, baseline, baseline_of, named, odd, page, session, time};
use crate::grace::tagged;

const CONFIG: &str = "version = 1\n";

/// A model that knows these agents, and them together.
fn learned_of(config: &Config, agents: &[&str]) -> Model {
    let mut known: Vec<_> = agents.iter().map(|agent| baseline(config, agent)).collect();
    let mut fleet = Peers::new(None);
    known.iter().for_each(|agent| fleet.add(agent));
    known.push(fleet.finish(None));
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    model.with_learned(known.into_iter().map(Ok::<_, ()>), 1).unwrap()
}

fn learned(config: &Config) -> Model {
    learned_of(config, &["oncall"])
}

/// The same with lines to be killed by.
fn with_lines(model: Model) -> Model {
    let mut calibration = Calibration::default();
    let benign = std::iter::once((Score::default(), 3_000));
    calibration.add(&Untrusted::borrowed("oncall"), 3_000, 42_000, benign);
    model.with_calibration(calibration, Budgets::default())
}

fn model(config: &Config) -> Model {
    with_lines(learned(config))
}

/// The agent does what it always did, once, from somewhere else.
fn mild(nth: u64) -> Vec<Value> {
    let address = format!("198.51.100.{nth}");
    vec![json!({"eventSource": "monitoring.amazonaws.com", "eventName": "DescribeAlarms",
        "sourceIPAddress": address})]
}

/// A session a day, from today on, each with what is odd in it.
fn sessions(days: impl IntoIterator<Item = Vec<Value>>) -> Vec<(i64, Vec<Value>)> {
    let days = (0_i64..).zip(days);
    let at = |day: i64| TODAY + day * DAY;
    let nth = |day: i64| 1_000 + u64::try_from(day).unwrap();
    days.map(|(day, odd)| (at(day) + 3_600, session(nth(day), at(day), &odd))).collect()
}

/// The strongest verdict of each day, by its calls.
fn by_day<'f>(findings: impl IntoIterator<Item = &'f Scored>) -> BTreeMap<Day, Verdict> {
    let mut days = BTreeMap::new();
    for finding in findings {
        let verdict: &mut Verdict = days.entry(Day::of(finding.call.time)).or_default();
        *verdict = finding.assessment.verdict.max(*verdict);
    }
    days
}

fn by_history(config: &Config, model: &Model, sessions: &[(i64, Vec<Value>)]) -> Vec<Scored> {
    shown(config, model, sessions, &Filter::default())
}

fn shown(
    config: &Config,
    model: &Model,
    sessions: &[(i64, Vec<Value>)],
    filter: &Filter,
) -> Vec<Scored> {
    let mut batch = Batch::new(config, model, filter, Purpose::ShowFindings, 1);
    for (_, records) in sessions {
        let Page { file, bytes } = page(records);
        batch.read(&file, &bytes);
    }
    let scored = batch.finish(config).unwrap().scored;
    scored.into_iter().filter(Scored::is_finding).collect()
}

/// What is told live, delivered day by day; with the state as it is left.
async fn by_deliveries(
    config: &Config,
    model: &Model,
    sessions: &[(i64, Vec<Value>)],
    state: &EmbeddedState,
) -> Vec<Scored> {
    let mut told = Vec::new();
    for (now, records) in sessions {
        state.forget(time(*now)).unwrap();
        let live = Live::new(Models::Whole(config, model), state, 1);
        let pages = [(page(records), Provenance::Trail)];
        let delivered = live.take_in(&pages, time(*now)).await.unwrap();
        live.told(&delivered).await.unwrap();
        told.extend(delivered.findings);
        // Again, it is no news, and changes nothing.
        let again = live.take_in(&pages, time(*now)).await.unwrap();
        assert!(again.findings.is_empty() && again.incidents.is_empty(), "{:?}", again.findings);
    }
    told
}

/// A state that counts what is written to it and read of it.
pub(crate) struct Counting {
    pub(crate) inner: EmbeddedState,
    pub(crate) written: AtomicUsize,
    pub(crate) read: AtomicUsize,
}

impl State for Counting {
    async fn put(&self, entries: &[Entry]) -> Result<(), StateError> {
        self.written.fetch_add(entries.len(), Ordering::Relaxed);
        self.inner.put(entries).await
    }

    async fn claim(&self, entry: &Entry) -> Result<bool, StateError> {
        self.inner.claim(entry).await
    }

    async fn read(&self, partitions: &[PartitionId]) -> Result<Vec<Vec<Vec<u8>>>, StateError> {
        self.read.fetch_add(partitions.len(), Ordering::Relaxed);
        self.inner.read(partitions).await
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

pub(crate) fn state() -> (tempfile::TempDir, EmbeddedState) {
    let directory = tempfile::tempdir().unwrap();
    let state = EmbeddedState::open(directory.path()).unwrap();
    (directory, state)
}

/// A model by which one benign day in twenty comes as high as a mild one.
fn used_to_mild_days(config: &Config) -> Model {
    let armed = model(config);
    let found = by_history(config, &armed, &sessions([mild(1)]));
    let highest = found.iter().filter_map(|it| it.assessment.score).fold(0.0, f64::max);
    assert!(highest >= 1.0, "no line is below ten to one: {found:#?}");
    let mut calibration = Calibration::default();
    let days = [(Score::of(highest), 150), (Score::default(), 2_850)];
    calibration.add(&Untrusted::borrowed("oncall"), 3_000, 42_000, days);
    learned(config).with_calibration(calibration, Budgets::default())
}

#[test]
fn what_is_odd_day_after_day_is_fenced_live_as_in_a_history() {
    let config = Config::parse(CONFIG).unwrap();
    let model = used_to_mild_days(&config);
    let sessions = sessions((1..=6).map(mild));
    let (_directory, state) = state();
    let live = runtime().block_on(by_deliveries(&config, &model, &sessions, &state));
    let verdicts: Vec<Verdict> = by_day(&live).into_values().collect();
    use Verdict::{Alert, Fence};
    assert_eq!(verdicts, [Alert, Alert, Alert, Alert, Fence, Fence]);
    let history = by_history(&config, &model, &sessions);
    assert_eq!(by_day(&live), by_day(&history));
    let fence = live.iter().find(|it| it.assessment.verdict == Fence).unwrap();
    let why = |it: &Scored| format!("{:?}", it.assessment.reasons);
    assert!(why(fence).contains("together with the agent's days before"), "{}", why(fence));
    // With calm days in between it is as on the first.
    let rare = (1..=5).flat_map(|nth| [mild(nth), Vec::new(), Vec::new(), Vec::new()]);
    let rare = crate::days::sessions(rare);
    let (_directory, state) = crate::days::state();
    let live = runtime().block_on(by_deliveries(&config, &model, &rare, &state));
    assert!(by_day(&live).into_values().all(|verdict| verdict == Alert), "{:?}", by_day(&live));
    assert_eq!(by_day(&live), by_day(&by_history(&config, &model, &rare)));
}

/// A new version excuses new work, but not that it is done from elsewhere day after day.
#[test]
fn what_is_odd_day_after_day_is_fenced_in_a_grace_too() {
    let config = Config::parse(CONFIG).unwrap();
    let known = ["oncall", "nightly", "weekly"]
        .map(|agent| baseline_of(&config, &|records| tagged(named(records, agent), "1")));
    let mut fleet = Peers::new(None);
    known.iter().for_each(|agent| fleet.add(agent));
    let all = known.into_iter().chain([fleet.finish(None)]).map(Ok::<_, ()>);
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let bare = model.with_learned(all, 1).unwrap();
    let with = |days: &[(Score, u64)]| {
        let mut calibration = Calibration::default();
        calibration.add(&Untrusted::borrowed("oncall"), 3_000, 42_000, days.iter().copied());
        bare.clone().with_calibration(calibration, Budgets::default())
    };
    let found = by_history(&config, &with(&[(Score::default(), 3_000)]), &sessions([mild(1)]));
    let highest = found.iter().filter_map(|it| it.assessment.score).fold(0.0, f64::max);
    assert!(highest >= 1.0, "{found:#?}");
    let model = with(&[(Score::of(highest), 150), (Score::default(), 2_850)]);
    let versions = |last: &str| {
        let mut sessions = sessions((1..=5).map(mild));
        let (_, records) = sessions.last_mut().unwrap();
        *records = tagged(std::mem::take(records), last);
        sessions
    };
    for version in ["1", "2"] {
        let sessions = versions(version);
        let history = by_history(&config, &model, &sessions);
        assert_eq!(by_day(&history).into_values().next_back(), Some(Verdict::Fence), "{version}");
        let told = format!("{:?}", history.last().unwrap().assessment.reasons);
        assert_eq!(told.contains("a new version was deployed"), version == "2", "{told}");
        let (_directory, state) = state();
        let live = runtime().block_on(by_deliveries(&config, &model, &sessions, &state));
        assert_eq!(by_day(&live), by_day(&history));
    }
}

#[test]
fn a_calibration_that_does_not_hold_kills_nobody_live_as_in_a_history() {
    let config = Config::parse(CONFIG).unwrap();
    let model = model(&config);
    let strongest = |found: &[Scored]| by_day(found).into_values().next_back();
    let alone = sessions([odd()]);
    assert_eq!(strongest(&by_history(&config, &model, &alone)), Some(Verdict::Kill));
    let runtime = runtime();
    let (_directory, fresh) = state();
    let live = runtime.block_on(by_deliveries(&config, &model, &alone, &fresh));
    assert_eq!(strongest(&live), Some(Verdict::Kill));
    let calibration = model.calibration().unwrap();
    assert_eq!(runtime.block_on(fired(&fresh, calibration)).unwrap(), BTreeMap::new());

    let sessions = sessions((1..=11).map(mild).chain([odd()]));
    let (_directory, state) = state();
    let live = runtime.block_on(by_deliveries(&config, &model, &sessions, &state));
    assert_eq!(strongest(&live), Some(Verdict::Fence));
    assert_eq!(by_day(&live), by_day(&by_history(&config, &model, &sessions)));
    let why = format!("{:?}", live.last().unwrap().assessment.reasons);
    assert!(why.contains("no kill since the lines of its class do not hold"), "{why}");

    // It is told, by class, until there are lines anew.
    let off = runtime.block_on(fired(&state, calibration)).unwrap();
    assert_eq!(off.keys().collect::<Vec<_>>(), [&None]);
    assert_eq!(Message::of_calibration(&calibrations(&off)).stage, Stage::Unwell);
    let mut other = Calibration::default();
    let benign = std::iter::once((Score::default(), 3_001));
    other.add(&Untrusted::borrowed("oncall"), 3_001, 42_000, benign);
    assert_eq!(runtime.block_on(fired(&state, &other)).unwrap(), BTreeMap::new());
    let anew = learned(&config).with_calibration(other, Budgets::default());
    let last = &sessions[sessions.len() - 1..];
    let live = runtime.block_on(async {
        let live = Live::new(Models::Whole(&config, &anew), &state, 1);
        live.take_in(&[(page(&last[0].1), Provenance::Trail)], time(last[0].0)).await.unwrap()
    });
    assert_eq!(strongest(&live.findings), Some(Verdict::Kill));
}

#[test]
fn whoever_asks_about_one_agent_is_told_the_same_of_it() {
    let config = Config::parse(CONFIG).unwrap();
    let model = with_lines(learned_of(&config, &["oncall", "nightly"]));
    let mut sessions = sessions((1..=11).map(mild).chain([odd()]));
    let last = sessions.len() - 1;
    for (_, records) in &mut sessions[..last] {
        *records = named(std::mem::take(records), "nightly");
    }
    let agents = [Untrusted::borrowed("oncall")].into();
    let one = Filter { agents, ..Filter::default() };
    let of_one = shown(&config, &model, &sessions, &one);
    let of_all = by_history(&config, &model, &sessions);
    let is_one = |it: &&Scored| it.agent.as_ref().is_some_and(|it| it.untrusted() == "oncall");
    let expected: Vec<Scored> = of_all.iter().filter(is_one).cloned().collect();
    assert!(expected.len() < of_all.len());
    // Not a kill: the other one has turned the lines off.
    assert_eq!(by_day(&expected).into_values().collect::<Vec<_>>(), [Verdict::Fence]);
    assert_eq!(of_one, expected);
}

#[test]
fn to_remember_days_costs_each_delivery_little_however_many_there_were() {
    let config = Config::parse(CONFIG).unwrap();
    let (bare, lines) = (learned(&config), model(&config));
    let sessions = sessions((0..40).map(|_| Vec::new()));
    let runtime = runtime();
    // What each delivery of each day writes and reads, and the same again, by a model.
    let costs = |model: &Model| -> Vec<[usize; 4]> {
        let (_directory, inner) = state();
        let state = Counting { inner, written: AtomicUsize::new(0), read: AtomicUsize::new(0) };
        let mut costs = Vec::new();
        for (now, records) in &sessions {
            state.inner.forget(time(*now)).unwrap();
            let live = Live::new(Models::Whole(&config, model), &state, 1);
            let mut cost = [0; 4];
            for twice in cost.chunks_mut(2) {
                let pages = [(page(records), Provenance::Trail)];
                runtime.block_on(live.take_in(&pages, time(*now))).unwrap();
                twice[0] = state.written.swap(0, Ordering::Relaxed);
                twice[1] = state.read.swap(0, Ordering::Relaxed);
            }
            costs.push(cost);
        }
        costs
    };
    let more: Vec<[usize; 4]> = costs(&lines)
        .into_iter()
        .zip(costs(&bare))
        .map(|(with, without)| std::array::from_fn(|nth| with[nth] - without[nth]))
        .collect();
    // At first eight days of the class are looked for; then one a day is added up. The day of the agent, the
    // same for its class, and how that stands are written once.
    assert_eq!(more[0], [3, 10, 0, 2]);
    assert!(more[1..].iter().all(|more| *more == [3, 3, 0, 2]), "{more:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Whatever the order in which the sessions of the days before come, in how many deliveries and how
    /// often, as long as each comes within half a day.
    #[test]
    fn any_delivery_within_the_lag_remembers_the_same_days(
        order in any::<u64>(),
        parts in 1_usize..6,
        twice in 0_usize..5,
        late in 0_i64..11,
    ) {
        let config = Config::parse(CONFIG).unwrap();
        let model = used_to_mild_days(&config);
        let all = sessions((1..=5).map(mild));
        let ((last_now, last), before) = all.split_last().unwrap();
        let (_directory, state) = state();
        let runtime = runtime();
        let mut rng = Rng::new(order);
        for (now, records) in before {
            let mut shuffled = records.clone();
            shuffled.extend(records.iter().take(twice).cloned());
            rng.shuffle(&mut shuffled);
            let now = time(now + late * 3_600);
            let live = Live::new(Models::Whole(&config, &model), &state, 1);
            for part in rng.split(shuffled, parts) {
                let pages = [(page(&part), Provenance::Trail)];
                let delivered = runtime.block_on(live.take_in(&pages, now)).unwrap();
                runtime.block_on(live.told(&delivered)).unwrap();
            }
        }
        let live = Live::new(Models::Whole(&config, &model), &state, 1);
        let pages = [(page(last), Provenance::Trail)];
        let delivered = runtime.block_on(live.take_in(&pages, time(*last_now))).unwrap();
        let verdicts: Vec<Verdict> = by_day(&delivered.findings).into_values().collect();
        prop_assert_eq!(verdicts, [Verdict::Fence]);
    }
}
