//! For tests of both kinds, of one machine's state and of DynamoDB's: the laws of what comes live: whatever the order, the grouping and the repetition of deliveries,
//! whoever works at the same time, and wherever one fails, the state ends as if a history had been read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tripline_cloudtrail::{EventId, EventTime};
use tripline_detector::{Invariants, Verdict};
use tripline_engine::{
    Anchor, Arrivals, Batch, Config, Entry, Filter, Hearsay, LiveIncident, Model, Partition,
    PartitionId, Provenance, Purpose, Scored, Slice,
};
use tripline_report::ndjson;
use tripline_runtime::{Live, Models, Page, State, StateError, Witness};
use tripline_testkit::{AttackPlan, Event, Fleet, FleetSpec, Rng, envelope, gzip};
use tripline_text::Untrusted;

pub(crate) const TAGS_ONLY: &str = "version = 1\n";
pub(crate) const FALLBACKS: &str = "version = 1\n[[agents.fallbacks]]\nby = \"source-identity\"\n[[agents.fallbacks]]\nby = \"role\"\n";

fn events(seed: u64) -> Vec<Event> {
    events_with(seed, AttackPlan::OneIn(4))
}

pub(crate) fn events_with(seed: u64, attacks: AttackPlan) -> Vec<Event> {
    let mut spec = FleetSpec::new(seed, 3, 1);
    spec.attacks = attacks;
    let mut events = Fleet::new(spec).events();
    events.truncate(600);
    events
}

/// The time by the clock once all of these happened.
pub(crate) fn last(events: &[Event]) -> EventTime {
    let last = events.iter().map(|event| event.time).max().unwrap();
    EventTime::from_unix_secs(last).unwrap()
}

pub(crate) fn page(nth: usize, events: &[Event]) -> Page {
    let file = Arc::new(Untrusted::new(format!("file {nth}")));
    Page { file, bytes: gzip(&envelope::records(events), 1) }
}

pub(crate) fn model() -> Model {
    Model::new(Invariants::default(), Vec::new()).unwrap()
}

/// A finding as it reaches the user. An episode of nobody who is watched begins with what was found.
fn line(scored: &Scored, model: &Model) -> String {
    let mut out = Vec::new();
    ndjson::write_scored(&mut out, scored, model.id()).unwrap();
    let mut line: Value = serde_json::from_slice(&out).unwrap();
    if line["agent"].is_null() {
        line["episode"] = Value::Null;
    }
    line.to_string()
}

/// Findings, and kills by root with how many findings they have.
type Outcome = (BTreeSet<String>, BTreeMap<String, u64>);

fn by_history(config: &Config, model: &Model, events: &[Event]) -> Outcome {
    let filter = Filter::default();
    let mut batch = Batch::new(config, model, &filter, Purpose::ShowFindings, 1);
    let Page { file, bytes } = page(0, events);
    batch.read(&file, &bytes);
    let report = batch.finish(config).unwrap();
    let findings = report.scored.iter().filter(|scored| scored.is_finding());
    let incidents = report.incidents.iter();
    (
        findings.map(|scored| line(scored, model)).collect(),
        incidents.map(|one| (format!("{:?}", one.root), one.findings_total)).collect(),
    )
}

/// CloudTrail, as far as it has these records, by their ids.
struct Histories(BTreeMap<String, Vec<u8>>);

impl Witness for Histories {
    async fn record(&self, hearsay: &Hearsay) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(&hearsay.event_id()).cloned())
    }
}

/// Checks that what messages told of counts once CloudTrail tells it, and not before.
pub(crate) async fn check_confirmed(seed: u64, state: impl State) {
    let (config, model) = (Config::parse(TAGS_ONLY).unwrap(), model());
    let events = events(seed);
    let now = last(&events);
    let live = Live::new(Models::Whole(&config, &model), &state, 3);
    let delivered = live.take_in(&[(page(0, &events), Provenance::Event)], now).await.unwrap();
    let kills = delivered.incidents.iter().filter(|one| one.incident.verdict == Verdict::Kill);
    // No more than are looked at in one tick.
    let kills: Vec<&LiveIncident> = kills.take(5).collect();
    assert!(!kills.is_empty(), "an empty test proves nothing");
    let id = |event: &Event| event.truth.event_id.clone();
    let all = events.iter().map(|event| (id(event), event.json.clone()));
    let all = Histories(all.collect());
    let mut waiting = Vec::new();
    for incident in kills {
        assert!(!incident.is_confirmed);
        let none = Histories(BTreeMap::new());
        assert!(live.confirm(incident, &none, now).await.unwrap().0.is_none());
        // All but what was done: whose it was, and no more.
        let mut mints = Histories(all.0.clone());
        for finding in &incident.incident.findings {
            mints.0.retain(|id, _| EventId::of(id) != finding.call.id);
        }
        let told = live.confirm(incident, &mints, now).await.unwrap().0;
        assert!(told.is_none_or(|told| !told.is_confirmed));
        let pending = live.pending(now).await.unwrap();
        // What CloudTrail told so far may show that it is part of another lineage.
        let Some(pending) = pending.iter().find(|one| one.root == incident.root) else {
            waiting.push(&incident.incident.root);
            continue;
        };
        assert!(!pending.is_confirmed);
        let told = live.confirm(pending, &all, now).await.unwrap().0.unwrap();
        assert!(told.is_confirmed, "{told:?}");
        assert!(live.confirm(&told, &none, now).await.unwrap().0.is_none());
    }
    let whole = live.take_in(&[(page(1, &events), Provenance::Trail)], now).await.unwrap();
    for root in waiting {
        let holds = |one: &LiveIncident| one.incident.lineage.iter().any(|it| it.id == *root);
        assert!(whole.incidents.iter().any(|one| one.is_confirmed && holds(one)));
    }
}

/// What the state says of all sessions there are, and the roots of all incidents, alerts too.
async fn by_state(
    config: &Config,
    model: &Model,
    state: &impl State,
    touched: BTreeSet<Anchor>,
    now: EventTime,
) -> (Outcome, BTreeSet<String>) {
    let mut slice = Slice::about(touched, config, now, 2);
    loop {
        let wanted = slice.wanted();
        if wanted.is_empty() {
            break;
        }
        let ids: Vec<PartitionId> = wanted.iter().map(Partition::id).collect();
        for (partition, values) in wanted.iter().zip(state.read(&ids).await.unwrap()) {
            slice.give(partition, values).unwrap();
        }
    }
    let report = slice.judge(model).unwrap();
    let incidents = report.incidents.iter().map(|one| &one.incident);
    let kills = incidents.clone().filter(|one| one.verdict == Verdict::Kill);
    let outcome = (
        report.findings.iter().map(|scored| line(scored, model)).collect(),
        kills.map(|one| (format!("{:?}", one.root), one.findings_total)).collect(),
    );
    (outcome, incidents.map(|one| format!("{:?}", one.root)).collect())
}

/// A state that fails one time in so many, before, in the middle of, and after what it is asked for.
struct Failing<S> {
    inner: S,
    rng: Mutex<Rng>,
    one_in: u64,
}

impl<S> Failing<S> {
    async fn luck(&self) -> u64 {
        // Whoever else is at work goes on meanwhile.
        tokio::task::yield_now().await;
        self.rng.lock().unwrap().below(self.one_in.max(4))
    }
}

fn failed() -> StateError {
    StateError::Throttled("as the test has it".to_owned())
}

impl<S: State> State for Failing<S> {
    async fn put(&self, entries: &[Entry]) -> Result<(), StateError> {
        let fails = self.one_in > 0;
        let done = match self.luck().await {
            0 if fails => 0,
            1 if fails => entries.len() / 2,
            luck => {
                self.inner.put(entries).await?;
                return if luck == 2 && fails { Err(failed()) } else { Ok(()) };
            }
        };
        self.inner.put(&entries[..done]).await?;
        Err(failed())
    }

    async fn claim(&self, entry: &Entry) -> Result<bool, StateError> {
        match self.luck().await {
            0 if self.one_in > 0 => Err(failed()),
            _ => self.inner.claim(entry).await,
        }
    }

    async fn read(&self, partitions: &[PartitionId]) -> Result<Vec<Vec<Vec<u8>>>, StateError> {
        match self.luck().await {
            0 if self.one_in > 0 => Err(failed()),
            _ => self.inner.read(partitions).await,
        }
    }
}

/// All that was told over all deliveries: findings, and roots of incidents and of kills.
#[derive(Default)]
struct Told {
    findings: BTreeSet<String>,
    incidents: BTreeSet<String>,
    kills: BTreeSet<String>,
}

async fn deliver(
    live: &Live<'_, impl State>,
    model: &Model,
    pages: &[(Page, Provenance)],
    now: EventTime,
    told: &Mutex<Told>,
) {
    loop {
        let Ok(delivered) = live.take_in(pages, now).await else { continue };
        assert!(delivered.tally.reconcile());
        {
            let mut told = told.lock().unwrap();
            told.findings.extend(delivered.findings.iter().map(|one| line(one, model)));
            for LiveIncident { incident, .. } in &delivered.incidents {
                let root = format!("{:?}", incident.root);
                if incident.verdict == Verdict::Kill {
                    told.kills.insert(root.clone());
                }
                told.incidents.insert(root);
            }
        }
        if live.told(&delivered).await.is_ok() {
            return;
        }
    }
}

/// One delivery of a fleet's records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'a> {
    pub(crate) seed: u64,
    pub(crate) order: u64,
    /// In so many pages, all at once.
    pub(crate) parts: usize,
    /// So many of them twice.
    pub(crate) twice: usize,
    /// Where one call in so many to the state fails; none if zero.
    pub(crate) one_in: u64,
    pub(crate) config: &'a str,
}

/// Checks that a delivery into this state, which is empty, ends as a history does.
pub(crate) async fn check(world: World<'_>, inner: impl State) {
    let World { seed, order, parts, twice, one_in, config } = world;
    let (config, model) = (Config::parse(config).unwrap(), model());
    let events = events(seed);
    let expected = by_history(&config, &model, &events);
    let mut rng = Rng::new(order);
    let mut shuffled = events.clone();
    shuffled.extend(events.iter().take(twice).cloned());
    rng.shuffle(&mut shuffled);
    let split = rng.split(shuffled, parts);

    let now = last(&events);
    let state = Failing { inner, rng: Mutex::new(rng), one_in };
    let live = Live::new(Models::Whole(&config, &model), &state, 3);
    let told = Mutex::new(Told::default());
    let deliveries: Vec<Vec<(Page, Provenance)>> = split
        .iter()
        .enumerate()
        .map(|(nth, events)| vec![(page(nth, events), Provenance::Trail)])
        .collect();
    let at_once = deliveries.iter().map(|pages| deliver(&live, &model, pages, now, &told));
    futures_util::future::join_all(at_once).await;

    let filter = Filter::default();
    let mut all = Arrivals::new(&config, &model, &filter, now, 4);
    for (page, provenance) in deliveries.iter().flatten() {
        all.read(&page.file, &page.bytes, *provenance);
    }
    let touched = all.finish().touched;
    let (got, incidents) = by_state(&config, &model, &state.inner, touched, now).await;
    let told = told.into_inner().unwrap();
    assert!(!expected.0.is_empty() && !expected.1.is_empty(), "an empty test proves nothing");
    assert_eq!(got, expected);
    // Whoever looked last saw all: what is true in the end was told, some of it by way of a detour.
    let untold: Vec<&String> = expected.0.difference(&told.findings).collect();
    assert!(untold.is_empty(), "{untold:?}");
    let roots: BTreeSet<String> = expected.1.into_keys().collect();
    assert_eq!(told.kills, roots);
    let untold: Vec<&String> = incidents.difference(&told.incidents).collect();
    assert!(untold.is_empty(), "{untold:?}");
}
