//! Learning and reviewing, by the program: what people read, and what happens to what is damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tripline_testkit::{AttackPlan, Fleet, FleetSpec, envelope, gzip};

use tripline_tests::tripline;

/// A run of the program; its code, what it printed and what it complained of.
fn run(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        tripline().args(args).env("USER", "alice").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn fine(args: &[&str]) -> String {
    let (code, out, err) = run(args);
    assert_eq!(code, 0, "{args:?}\n{out}\n{err}");
    out
}

/// Logs of a small fleet over ten days, and a folder for baselines.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = FleetSpec::new(11, 3, 10);
        spec.attacks = AttackPlan::None;
        let events = Fleet::new(spec).events();
        fs::create_dir(dir.path().join("logs")).unwrap();
        for (nth, part) in events.chunks(2_000).enumerate() {
            let path = dir.path().join(format!("logs/{nth}.json.gz"));
            fs::write(path, gzip(&envelope::records(part), 1)).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Every file of a folder, but for those of a run in between.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn what_was_learned_is_reviewed_promoted_and_taken_back() {
    let world = World::new();
    let (logs, out) = (world.path("logs"), world.path("b"));
    let first = fine(&["learn", "--out", &out, "--until", "2026-11-21", &logs]);
    assert!(first.contains("what was learned of them is in force"), "{first}");
    let list = fine(&["baseline", "show", "--baselines", &out]);
    assert!(list.contains("learning: "), "{list}");
    let names: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    let agent = *names.iter().find(|name| name.starts_with("oncall")).unwrap();

    let live = format!("{out}/{agent}/baseline.txt");
    let before = fs::read(&live).unwrap();
    let second = fine(&["learn", "--out", &out, &logs]);
    assert!(second.contains("with one, which stays in force"), "{second}");
    assert_eq!(fs::read(&live).unwrap(), before, "what is in force stays until it is promoted");

    let diff = fine(&["baseline", "diff", "--baselines", &out, agent]);
    insta::assert_snapshot!("baseline_diff", diff);
    let shown = fine(&["baseline", "show", "--baselines", &out, agent]);
    assert!(
        shown.contains("calls: at most") && shown.contains("tripline learn: the first baseline")
    );

    // By the clock of this run, which is not that of the snapshot.
    let dry = fine(&["baseline", "promote", "--baselines", &out, "--why", "x", "--dry-run", agent]);
    assert!(!dry.contains("in force") && fs::read(&live).unwrap() == before);
    fine(&["baseline", "approve", "--baselines", &out, "--why", "OPS-1", agent, "--all-pending"]);
    let promoted = fine(&["baseline", "promote", "--baselines", &out, "--why", "week 2", agent]);
    assert!(promoted.contains(&format!("{agent}: in force")), "{promoted}");
    assert_ne!(fs::read(&live).unwrap(), before);
    let shown = fine(&["baseline", "show", "--baselines", &out, agent]);
    assert!(shown.contains("alice: week 2") && shown.contains("approved by alice"), "{shown}");

    let back = fine(&["baseline", "rollback", "--baselines", &out, "--why", "too early", agent]);
    assert!(back.contains("in force again"), "{back}");
    let shown = fine(&["baseline", "show", "--baselines", &out, agent]);
    assert!(shown.contains("alice: too early") && !shown.contains("approved by alice"), "{shown}");
    // And once more, to what was taken back.
    fine(&["baseline", "rollback", "--baselines", &out, "--why", "after all", agent]);
    let shown = fine(&["baseline", "show", "--baselines", &out, agent]);
    assert!(shown.contains("approved by alice"), "{shown}");
}

#[test]
fn learning_again_gives_the_same_bytes_and_so_do_parts() {
    let world = World::new();
    let logs = world.path("logs");
    let candidates = |out: &str| {
        let all = files(Path::new(out)).into_iter();
        let candidates = all.filter(|(path, _)| path.ends_with("candidate.txt"));
        let relative = |path: PathBuf| path.strip_prefix(out).unwrap().to_owned();
        candidates.map(|(path, bytes)| (relative(path), bytes)).collect::<BTreeMap<_, _>>()
    };
    let (one, two, parts) = (world.path("one"), world.path("two"), world.path("parts"));
    fine(&["learn", "-q", "--threads", "1", "--out", &one, &logs]);
    let expected = candidates(&one);
    assert!(expected.len() >= 2);
    fine(&["learn", "-q", "--threads", "2", "--out", &two, &logs, &format!("{logs}/0.json.gz")]);
    assert!(candidates(&two) == expected);
    fine(&["learn", "-q", "--out", &one, &logs]);
    assert!(candidates(&one) == expected);

    let (a, b) = (world.path("a.partial"), world.path("b.partial"));
    fine(&["learn", "-q", "--partial", &a, "--until", "2026-11-22", &logs]);
    fine(&["learn", "-q", "--partial", &b, "--since", "2026-11-20T07:30:00Z", &logs]);
    fine(&["learn", "-q", "--out", &parts, "--merge", &a, "--merge", &b]);
    assert!(candidates(&parts) == expected);
}

#[test]
fn learning_one_agent_again_leaves_the_others_among_its_peers() {
    let world = World::new();
    let (logs, out) = (world.path("logs"), world.path("out"));
    fine(&["learn", "-q", "--out", &out, &logs]);
    let together = || {
        let texts = files(Path::new(&out)).into_iter();
        let texts = texts.map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned()));
        let of_many = |text: &str| text.lines().nth(1).is_some_and(|it| !it.starts_with("agent "));
        texts
            .filter(|(path, text)| path.ends_with("baseline.txt") && of_many(text))
            .collect::<BTreeMap<_, _>>()
    };
    let before = together();
    assert!(!before.is_empty());
    let all = files(Path::new(&out)).into_values();
    let texts = all.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let agents =
        texts.filter_map(|text| Some(text.lines().nth(1)?.strip_prefix("agent ")?.to_owned()));
    let agent = agents.map(|it| it.split(' ').next().unwrap().to_owned()).min().unwrap();
    fine(&["learn", "-q", "--out", &out, "--agent", &agent, &logs]);
    assert!(together() == before, "the fleet is more than {agent}");
}

#[test]
fn what_was_learned_makes_verdicts_and_exceptions_silence_them() {
    let world = World::new();
    let (logs, out) = (world.path("logs"), world.path("b"));
    fine(&["learn", "-q", "--out", &out, "--until", "2026-11-21", &logs]);
    let score = || {
        let args = ["score", "-q", "--format", "ndjson", "--since", "2026-11-21", "--baselines"];
        fine(&[&args[..], &[&out, &logs]].concat())
    };
    let lines = score();
    let learned: Vec<&str> = lines.lines().filter(|line| line.contains("new to agent")).collect();
    assert!(!learned.is_empty());
    for line in &learned {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_ne!(line["verdict"], "kill");
        assert!(
            line["score"].as_f64().is_some() && line["reasons"][0]["weight"].as_f64() > Some(0.0)
        );
    }
    let first: serde_json::Value = serde_json::from_str(learned[0]).unwrap();
    let reason = &first["reasons"][0];
    let (agent, feature) = (first["agent"].as_str().unwrap(), reason["feature"].as_str().unwrap());
    let key = format!("{feature} {}", reason["value"].as_str().unwrap());
    let expect =
        ["baseline", "approve", "--baselines", &out, "--until", "2027-03-01", "--why", "x"];
    fine(&[&expect[..], &[agent, &key]].concat());
    // The decision holds from now on, which is after these logs: it changes the model, not the past.
    assert_ne!(score(), lines);
}

#[test]
fn agents_that_do_alike_are_proposed_as_classes_and_the_proposal_is_a_setting() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (logs, out, settings) = (path("logs.json.gz"), path("b"), path("tripline.toml"));
    let mut spec = FleetSpec::new(11, 24, 1);
    spec.attacks = AttackPlan::None;
    fs::write(&logs, gzip(&envelope::records(&Fleet::new(spec).events()), 1)).unwrap();
    let classes = || fine(&["baseline", "classes", "--baselines", &out]);
    let learn = || fine(&["learn", "-q", "--config", &settings, "--out", &out, &logs]);

    fs::write(&settings, "version = 1\n[agents]\nclass_tags = []\n").unwrap();
    learn();
    let proposed = classes();
    assert!(proposed.contains("[agents.classes]\n") && proposed.contains(" are common to all"));
    let agent = proposed.lines().find_map(|line| line.strip_prefix("  \"")).unwrap();
    let agent = agent.trim_end_matches("\",").to_owned();

    fs::remove_dir_all(&out).unwrap();
    fs::write(&settings, format!("version = 1\n[agents]\nclass_tags = []\n{proposed}")).unwrap();
    learn();
    assert!(!classes().contains(&agent), "it has a class now");
}

#[test]
fn what_is_damaged_is_named_and_left_as_it_is() {
    let world = World::new();
    let (logs, out) = (world.path("logs"), world.path("b"));
    fine(&["learn", "-q", "--out", &out, &logs]);
    let agent = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("oncall"))
        .unwrap();
    let live = format!("{out}/{agent}/baseline.txt");
    let good = fs::read_to_string(&live).unwrap();
    let refused = |file: &str, text: &str, says: &str| {
        fs::write(file, text).unwrap();
        let before = files(Path::new(&out));
        for args in [
            vec!["score", "--baselines", &out, &logs],
            vec!["learn", "--out", &out, &logs],
            vec!["baseline", "promote", "--baselines", &out, "--why", "x", &agent],
        ] {
            let (code, _, err) = run(&args);
            assert_eq!(code, 2, "{args:?} {says}: {err}");
            assert!(err.contains(file) && err.contains(says), "{args:?} {says}: {err}");
        }
        assert!(files(Path::new(&out)) == before, "{says}");
    };
    let cut = good.get(..good.len() / 2).unwrap();
    refused(&live, cut.rsplit_once('\n').unwrap().0, "ends without its digest");
    refused(&live, &good.replacen(" learned ", " pending ", 1), "does not fit its digest");
    refused(
        &live,
        &good.replacen("tripline-baseline 1", "tripline-baseline 2", 1),
        "newer tripline",
    );
    refused(&live, "hello\n", "is no learned baseline");
    fs::write(&live, &good).unwrap();
    let decisions = format!("{out}/decisions.toml");
    refused(&decisions, "version = 1\nnonsense = true\n", "nonsense");
    fs::remove_file(&decisions).unwrap();
    let scope = format!("{out}/{agent}/scope.toml");
    for (text, says) in [
        ("version = 1\nagent = \"a\"\nnonsense = true\n", "nonsense"),
        ("version = 1\nagent = \"a\"\n[limits]\ncalls_per_minute = 0\n", "line 4"),
    ] {
        fs::write(&scope, text).unwrap();
        let (code, _, err) = run(&["score", "--baselines", &out, &logs]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(&scope) && err.contains(says), "{err}");
    }
    fs::remove_file(&scope).unwrap();

    // In somebody else's folder.
    let other = format!("{out}/somebody");
    fs::create_dir(&other).unwrap();
    fs::write(format!("{other}/baseline.txt"), &good).unwrap();
    let (code, _, err) = run(&["score", "--baselines", &out, &logs]);
    assert!(code == 2 && err.contains("it belongs in"), "{err}");
}
