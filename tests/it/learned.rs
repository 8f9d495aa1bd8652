//! The laws of learning: any permutation, any split, any overlap of the same records gives the same
//! baselines, byte for byte, and partial baselines add up to the whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use proptest::prelude::*;
use tempfile::TempDir;
use tripline_detector::Invariants;
use tripline_engine::{Config, Filter, Model};
use tripline_history::{
    BaselineSink, HistoryError, Job, LearnReport, Progress, Selection, keep, learn, learn_in_parts,
};
use tripline_runtime::{Feed, Listed, LocalLogs, Source, Unread};
use tripline_testkit::{AttackPlan, Event, Fleet, FleetSpec, Rng, envelope, gzip};

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

/// Runs `with` a job over logs and partials.
fn job<T>(
    logs: &[&Path],
    partials: &[PathBuf],
    threads: usize,
    with: impl FnOnce(&Job<'_>) -> T,
) -> T {
    let logs: Vec<PathBuf> = logs.iter().map(|path| path.to_path_buf()).collect();
    job_over(&LocalLogs::list(&logs), partials, threads, with)
}

fn job_over<T>(
    logs: &dyn Source,
    partials: &[PathBuf],
    threads: usize,
    with: impl FnOnce(&Job<'_>) -> T,
) -> T {
    let config = Config::parse("version = 1\n[[agents.fallbacks]]\nby = \"role\"\n").unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let work_dir = tempfile::tempdir().unwrap();
    with(&Job {
        logs: vec![Selection::all(logs)],
        unlisted: logs.unlisted().to_vec(),
        partials: partials.to_vec(),
        tables: &[],
        config: &config,
        model: &model,
        filter: Filter::default(),
        threads,
        work_dir: work_dir.path().to_owned(),
        hash_seed: threads as u64,
    })
}

/// Every baseline as text, by whose it is.
fn learned(logs: &[&Path], partials: &[PathBuf], threads: usize) -> BTreeMap<String, String> {
    job(logs, partials, threads, |job| by(|sink| learn(job, &Silent, sink)).0)
}

/// What a run hands out, and what it reports.
fn by(
    run: impl FnOnce(&BaselineSink<'_>) -> Result<LearnReport, HistoryError>,
) -> (BTreeMap<String, String>, LearnReport) {
    let baselines = Mutex::new(BTreeMap::new());
    let report = run(&|baseline| {
        let (whose, text) = (format!("{:?}", baseline.whose()), baseline.to_text());
        let before = baselines.lock().unwrap().insert(whose, text);
        assert_eq!(before, None);
        Ok(())
    });
    let report = report.unwrap();
    assert!(report.tally.reconcile());
    (baselines.into_inner().unwrap(), report)
}

/// Files that say of which day they are, two of each, and which version of themselves they are.
#[derive(Debug)]
struct Versioned {
    logs: LocalLogs,
    files: Vec<Listed>,
}

impl Versioned {
    fn list(paths: &[PathBuf], version: &str) -> Self {
        let logs = LocalLogs::list(paths);
        let mut files = logs.files().to_vec();
        for (nth, file) in files.iter_mut().enumerate() {
            file.delivered = format!("202601{:02}T0000Z", nth / 2 + 1);
            file.version = Some(version.to_owned());
        }
        Self { logs, files }
    }
}

impl Source for Versioned {
    fn files(&self) -> &[Listed] {
        &self.files
    }

    fn unlisted(&self) -> &[Unread] {
        self.logs.unlisted()
    }

    fn open<'s>(&'s self, which: &'s [usize]) -> Box<dyn Feed + 's> {
        self.logs.open(which)
    }
}

fn kept(logs: &[&Path], partials: &[PathBuf], to: &Path) {
    let mut file = fs::File::create(to).unwrap();
    let report = job(logs, partials, 2, |job| keep(job, &Silent, &mut file)).unwrap();
    assert!(report.tally.reconcile());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn parts_that_overlap_add_up_to_the_whole(
        seed in 0_u64..1_000,
        order in any::<u64>(),
        cut in 0_usize..1_500,
        overlap in 0_usize..700,
    ) {
        let events = events(seed);
        let whole = tree(std::slice::from_ref(&events));
        let expected = learned(&[whole.path()], &[], 1);
        prop_assert!(!expected.is_empty());

        let mut rng = Rng::new(order);
        let mut shuffled = events;
        rng.shuffle(&mut shuffled);
        let cut = cut.min(shuffled.len());
        let a = shuffled[..(cut + overlap).min(shuffled.len())].to_vec();
        let b = shuffled[cut..].to_vec();
        let (a, b) = (tree(&rng.split(a, 3)), tree(&rng.split(b, 2)));
        prop_assert_eq!(&learned(&[a.path(), b.path()], &[], 2), &expected);

        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        kept(&[a.path()], &[], &at("a"));
        kept(&[b.path()], &[], &at("b"));
        prop_assert_eq!(&learned(&[], &[at("a"), at("b")], 1), &expected);
        prop_assert_eq!(&learned(&[b.path()], &[at("a")], 2), &expected);

        // United they are what the whole gives, byte for byte.
        kept(&[], &[at("b"), at("a")], &at("united"));
        kept(&[whole.path()], &[], &at("whole"));
        prop_assert!(fs::read(at("united")).unwrap() == fs::read(at("whole")).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn learning_goes_on_where_it_stopped_and_ends_as_if_it_never_had(
        seed in 0_u64..1_000,
        order in any::<u64>(),
        first in 0_usize..6,
    ) {
        let mut rng = Rng::new(order);
        let mut shuffled = events(seed);
        rng.shuffle(&mut shuffled);
        let tree = tree(&rng.split(shuffled, 6));
        let paths: Vec<PathBuf> =
            (0..6).map(|nth| tree.path().join(format!("{nth}.json.gz"))).collect();
        let whole = job(&[tree.path()], &[], 2, |job| by(|sink| learn(job, &Silent, sink)));

        let kept = tempfile::tempdir().unwrap();
        let run = |files: usize, version: &str| {
            let source = Versioned::list(&paths[..files], version);
            job_over(&source, &[], 2, |job| {
                by(|sink| learn_in_parts(job, kept.path(), &Silent, sink))
            })
        };
        run(first, "1");
        let (baselines, report) = run(6, "1");
        prop_assert_eq!(&baselines, &whole.0);
        prop_assert_eq!(&report.tally, &whole.1.tally);
        prop_assert_eq!(report.files_before, first as u64 / 2 * 2);
        prop_assert_eq!(run(6, "1").1.files_before, 6);
        // Other contents are read, whatever was read before.
        prop_assert_eq!(run(6, "2").1.files_before, 0);
        // What was noted badly is read again.
        for file in fs::read_dir(kept.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().unwrap() == "tally" {
                fs::write(path, b"").unwrap();
            }
        }
        let (baselines, report) = run(6, "2");
        prop_assert_eq!((report.files_before, &baselines), (0, &whole.0));
    }
}

#[test]
fn a_partial_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |bytes: &[u8]| {
        let path = dir.path().join("part");
        fs::write(&path, bytes).unwrap();
        let failure = job(&[], &[path], 1, |job| learn(job, &Silent, &|_| Ok(())));
        failure.unwrap_err().to_string()
    };
    assert!(refused(b"").contains("is no partial baseline"));
    assert!(refused(b"{\"Records\":[]}").contains("is no partial baseline"));

    let whole = tree(&[events(1)]);
    let path = dir.path().join("whole");
    kept(&[whole.path()], &[], &path);
    let bytes = fs::read(&path).unwrap();
    let cut = refused(&bytes[..bytes.len() / 2]);
    assert!(cut.contains("part`: cannot be read"), "{cut}");
}
