//! The laws of learning: any permutation, any split, any overlap of the same records gives the same
//! baselines, byte for byte, and partial baselines add up to the whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;
use tripline_detector::Invariants;
use tripline_engine::{Config, Filter, Model};
use tripline_history::{Job, Progress, keep, learn};
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
    let config = Config::parse("version = 1\n[[agents.fallbacks]]\nby = \"role\"\n").unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let work_dir = tempfile::tempdir().unwrap();
    with(&Job {
        paths: logs.iter().map(|path| path.to_path_buf()).collect(),
        partials: partials.to_vec(),
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
    job(logs, partials, threads, |job| {
        let mut baselines = BTreeMap::new();
        let report = learn(job, &Silent, &mut |baseline| {
            let before = baselines.insert(format!("{:?}", baseline.whose()), baseline.to_text());
            assert_eq!(before, None);
            Ok(())
        });
        assert!(report.unwrap().tally.reconcile());
        baselines
    })
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

#[test]
fn a_partial_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |bytes: &[u8]| {
        let path = dir.path().join("part");
        fs::write(&path, bytes).unwrap();
        let failure = job(&[], &[path], 1, |job| learn(job, &Silent, &mut |_| Ok(())));
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
