//! The law of exports: in any order, split or overlapping, they give the verdicts and the baselines of
//! the logs that they were made of, byte for byte.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read and write files, and fail by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use proptest::prelude::*;
use tempfile::TempDir;
use tripline_columns::{Export, open, relearn};
use tripline_detector::Invariants;
use tripline_engine::{Config, Filter, Model};
use tripline_history::{
    BaselineSink, Job, LearnReport, Progress, Selection, Table, export, learn, score,
};
use tripline_report::ndjson;
use tripline_runtime::{LocalLogs, Source};
use tripline_testkit::{AttackPlan, Event, Fleet, FleetSpec, Rng, envelope, gzip};
use walkdir::WalkDir;

struct Silent;

impl Progress for Silent {
    fn total(&self, _: u64, _: u64) {}
    fn file(&self, _: u64, _: u64) {}
}

/// A fleet of two days, with attacks and deployments, each record once.
fn events(seed: u64) -> Vec<Event> {
    let mut spec = FleetSpec::new(seed, 3, 2);
    spec.attacks = AttackPlan::OneIn(6);
    let mut events = Fleet::new(spec).events();
    events.truncate(1_500);
    events.iter_mut().step_by(3).for_each(Event::come_through_a_strangers_endpoint);
    events
}

/// A folder with these events in files.
fn tree(files: &[Vec<Event>]) -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (nth, file) in files.iter().enumerate() {
        let path = tree.path().join(format!("{nth}.json.gz"));
        fs::write(path, gzip(&envelope::records(file), 1)).unwrap();
    }
    tree
}

const SETTINGS: &str = "version = 1\n[[agents.fallbacks]]\nby = \"role\"\n";

/// Runs `with` a job over logs and exports.
fn job<T>(
    logs: &[&Path],
    exports: &[&Path],
    threads: usize,
    with: impl FnOnce(&Job<'_>) -> T,
) -> T {
    let config = Config::parse(SETTINGS).unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let work_dir = tempfile::tempdir().unwrap();
    let tables: Vec<Box<dyn Table>> =
        exports.iter().flat_map(|folder| open(folder).unwrap()).collect();
    let logs: Vec<PathBuf> = logs.iter().map(|path| path.to_path_buf()).collect();
    let logs = LocalLogs::list(&logs);
    with(&Job {
        logs: vec![Selection::all(&logs)],
        unlisted: logs.unlisted().to_vec(),
        partials: Vec::new(),
        tables: &tables,
        config: &config,
        model: &model,
        filter: Filter::default(),
        threads,
        work_dir: work_dir.path().to_owned(),
        hash_seed: threads as u64,
    })
}

/// Every baseline, by whose it is, and every verdict.
fn outcome(
    logs: &[&Path],
    exports: &[&Path],
    threads: usize,
) -> (BTreeMap<String, String>, String) {
    job(logs, exports, threads, |job| {
        let baselines = baselines(|sink| learn(job, &Silent, sink).unwrap());
        let mut verdicts = Vec::new();
        let report = score(job, true, &Silent, &mut |scored| {
            ndjson::write_scored(&mut verdicts, scored, job.model.id())
        });
        let report = report.unwrap();
        for session in report.sessions.iter() {
            ndjson::write_session(&mut verdicts, &session).unwrap();
        }
        for incident in &report.incidents {
            let plan = incident.plan.as_ref().map(|plan| plan.to_json().to_string());
            verdicts.extend(format!("{plan:?}").into_bytes());
        }
        (baselines, String::from_utf8(verdicts).unwrap())
    })
}

/// Every baseline that a run hands out, by whose it is.
fn baselines(run: impl FnOnce(&BaselineSink<'_>) -> LearnReport) -> BTreeMap<String, String> {
    let baselines = Mutex::new(BTreeMap::new());
    let report = run(&|baseline| {
        let (whose, text) = (format!("{:?}", baseline.whose()), baseline.to_text());
        let before = baselines.lock().unwrap().insert(whose, text);
        assert_eq!(before, None);
        Ok(())
    });
    assert!(report.tally.reconcile());
    baselines.into_inner().unwrap()
}

/// The same baselines, by what an export knows of episodes: those of any number of threads.
fn relearned(folder: &Path) -> BTreeMap<String, String> {
    let fingerprint = job(&[], &[], 1, |job| job.fingerprint());
    let by = |threads| {
        baselines(|sink| relearn(folder, fingerprint, threads, 7, sink).unwrap().unwrap())
    };
    let alone = by(1);
    [2, 5].iter().for_each(|&threads| assert!(by(threads) == alone, "{threads} threads"));
    alone
}

fn exported(logs: &[&Path], exports: &[&Path], to: &Path) {
    job(logs, exports, 2, |job| {
        let mut to = Export::create(to, job.fingerprint()).unwrap();
        let report = export(job, &Silent, &mut to).unwrap();
        to.add_episodes(job).unwrap();
        let written = to.publish().unwrap();
        assert!(report.tally.reconcile());
        assert_eq!(report.calls + report.left_out, report.tally.records.read);
        assert_eq!((written.events, written.mints), (report.calls, report.mints));
    });
}

fn bytes_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = WalkDir::new(folder).into_iter().map(|entry| entry.unwrap().into_path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| (path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn an_export_gives_what_its_logs_give(
        seed in 0_u64..1_000,
        order in any::<u64>(),
        cut in 0_usize..1_500,
        overlap in 0_usize..700,
    ) {
        let events = events(seed);
        let whole = tree(std::slice::from_ref(&events));
        let expected = outcome(&[whole.path()], &[], 1);
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        exported(&[whole.path()], &[], &at("whole"));
        prop_assert!(outcome(&[], &[&at("whole")], 1) == expected);
        prop_assert!(relearned(&at("whole")) == expected.0);

        // In any order, and split: the same bytes.
        let mut rng = Rng::new(order);
        let mut shuffled: Vec<Event> = events;
        rng.shuffle(&mut shuffled);
        let split = tree(&rng.split(shuffled.clone(), 3));
        exported(&[split.path()], &[], &at("split"));
        prop_assert!(bytes_below(&at("split")) == bytes_below(&at("whole")));

        // Exports that overlap, and a log beside an export, are united.
        let cut = cut.min(shuffled.len());
        let a = tree(&[shuffled[..(cut + overlap).min(shuffled.len())].to_vec()]);
        let b = tree(&[shuffled[cut..].to_vec()]);
        exported(&[a.path()], &[], &at("a"));
        exported(&[b.path()], &[], &at("b"));
        prop_assert!(outcome(&[], &[&at("b"), &at("a")], 2) == expected);
        prop_assert!(outcome(&[a.path()], &[&at("b")], 2) == expected);
        exported(&[], &[&at("a"), &at("b")], &at("united"));
        prop_assert!(bytes_below(&at("united")) == bytes_below(&at("whole")));
    }
}

/// The first line that differs, in both texts.
fn first_difference(one: &str, other: &str) -> Option<(String, String)> {
    let (mut one, mut other) = (one.lines(), other.lines());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return None,
            (one, other) if one == other => {}
            (one, other) => {
                let text = |line: Option<&str>| line.unwrap_or("nothing").to_owned();
                return Some((text(one), text(other)));
            }
        }
    }
}

/// What the generator does not write: copies for several accounts, corrections, odd networks, refusals,
/// and every container that logs come in.
#[test]
fn odd_records_come_back_as_well() {
    for folder in ["corpus", "envelopes", "demo"] {
        let logs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures")).join(folder);
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("out");
        exported(&[&logs], &[], &to);
        let (found, expected) = (outcome(&[], &[&to], 2), outcome(&[&logs], &[], 2));
        assert_eq!(first_difference(&found.1, &expected.1), None, "{folder}");
        assert!(found.0 == expected.0, "{folder}: baselines");
        assert!(relearned(&to) == expected.0, "{folder}: baselines by episodes");
    }
}
