//! `tripline backtest`, from months of logs to armed lines: a fleet at work, whose first weeks are learned
//! from and whose later ones are scored.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tripline_attribution::AgentId;
use tripline_baseline::Maturity;
use tripline_cloudtrail::{EventTime, Tally};
use tripline_columns::History;
use tripline_detector::{Budgets, Score, Verdict};
use tripline_engine::{ModelId, Outcome};
use tripline_report::backtest::Account;
use tripline_report::html::{AboutBacktest, write_backtest};
use tripline_testkit::simulation::{Origin, Raid, RaidKind, Tempo};
use tripline_testkit::{Batch, Simulation, gzip};
use tripline_tests::{stderr, stdout, tripline, workspace};
use tripline_text::Untrusted;

use crate::look::{HOSTILE, assert_harmless, assert_hostile_is_seen, driver, look};
use crate::whole::files_below;

/// Days that are learned from, and the end of the days that lines are drawn on.
const LEARNED: u32 = 21;
const END: u32 = 51;
const AGENTS: u32 = 4;
/// More kills than anybody wants, but half of this history is long enough to try them.
const SETTINGS: &str = "version = 1\n[budgets]\nkill = 0.7\nfence = 1.0\nalert = 5.0\n";

/// A fleet, what was learned of it, and what it did afterwards.
struct Past {
    dir: TempDir,
}

impl Past {
    fn new() -> Self {
        let past = Self { dir: tempfile::tempdir().unwrap() };
        let simulation = Simulation::new(11, AGENTS, END + 1);
        past.write("learned", &simulation, 0..LEARNED, None);
        past.write("later", &simulation, LEARNED..END, None);
        // On the day after, somebody reads buckets that nobody reads, as each of them.
        let raid = Raid {
            kind: RaidKind::ExfilNew,
            tempo: Tempo::Fast,
            origin: Origin::Elsewhere,
            variant: 0,
            spread: None,
        };
        past.write("attacked", &simulation, END..END + 1, Some(&raid));
        fs::write(past.at("tripline.toml"), SETTINGS).unwrap();
        past.run(&["learn", "--quiet", "--out", "baselines", "learned"]);
        past
    }

    /// The sessions that begin on these days, a file each day.
    fn write(
        &self,
        folder: &str,
        simulation: &Simulation,
        days: std::ops::Range<u32>,
        raid: Option<&Raid>,
    ) {
        fs::create_dir(self.at(folder)).unwrap();
        let (mut batch, mut json) = (Batch::default(), Vec::new());
        for day in days {
            batch.clear();
            for worker in 0..AGENTS {
                for shift in simulation.shifts(worker, day) {
                    simulation.write(&shift, raid, &mut batch);
                }
            }
            batch.write_file(&mut json);
            fs::write(self.at(folder).join(format!("{day}.json.gz")), gzip(&json, 1)).unwrap();
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tripline();
        command.args(arguments).current_dir(&self.dir);
        command
    }

    /// What it says of what it cannot use.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
        stderr(&output)
    }

    /// What it says on the way to a good end.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    }

    /// The strongest verdict of each incident in what was attacked.
    fn verdicts(&self) -> Vec<String> {
        let told =
            self.run(&["score", "--baselines", "baselines", "--format", "ndjson", "attacked"]);
        let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["verdict"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

const BACKTEST: [&str; 4] = ["backtest", "--baselines", "baselines", "--quiet"];

#[test]
fn lines_are_drawn_tried_and_armed() {
    let past = Past::new();
    let with = |arguments: &[&'static str]| [&BACKTEST[..], arguments].concat();
    let told = past.run(&with(&["--html", "backtest.html", "later"]));
    insta::assert_snapshot!("backtest", told);
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");

    // Nothing is armed by asking.
    let calibration = past.at("baselines/calibration.json");
    assert!(!calibration.exists());
    let before = past.verdicts();
    assert!(!before.contains(&"kill".to_owned()), "{before:?}");
    let json = past.run(&with(&["--save", "--format", "ndjson", "later"]));
    let armed = fs::read(&calibration).unwrap();
    let after = past.verdicts();
    assert!(after.contains(&"kill".to_owned()), "{after:?}");
    let json: Value = serde_json::from_str(&json).unwrap();
    adds_up(&json);
    is_seen(&past.at("backtest.html"), &json);

    // Of one agent it tells nothing of the others.
    let one = past.run(&with(&["--format", "ndjson", "--agent", "deploy-bot-2", "later"]));
    let one: Value = serde_json::from_str(&one).unwrap();
    let of = |told: &Value| -> Vec<Value> {
        let agents = told["agents"].as_array().unwrap().iter();
        agents.filter(|agent| agent["agent"] == "deploy-bot-2").cloned().collect()
    };
    assert_eq!(one["agents"].as_array().unwrap().len(), 1);
    assert_eq!(of(&one)[0]["highest"], of(&json)[0]["highest"]);

    // An export tells the same, byte for byte.
    past.run(&["export", "--quiet", "--out", "history", "later"]);
    assert_eq!(past.run(&with(&["--save", "history"])), told);
    assert_eq!(fs::read(&calibration).unwrap(), armed);

    // What was learned from is not scored.
    let refused = past.refused(&with(&["--save", "learned"]));
    assert!(refused.contains("no episode of these logs can be counted"), "{refused}");
    what_is_damaged_is_named(&past);
    assert_eq!(fs::read(&calibration).unwrap(), armed);
}

/// What agents came to: episodes, days at work, and the highest score.
type Came = BTreeMap<String, (u64, u64, f64)>;

fn came(told: &Value, came: &mut Came) {
    for agent in told["agents"].as_array().unwrap() {
        let name = agent["agent"].as_str().unwrap().to_owned();
        let (episodes, days, highest) = came.entry(name).or_default();
        *episodes += agent["episodes"].as_u64().unwrap();
        *days += agent["days_at_work"].as_u64().unwrap();
        *highest = highest.max(agent["highest"].as_f64().unwrap());
    }
}

#[test]
fn a_replay_is_what_a_person_does_who_learns_and_promotes_now_and_then() {
    let past = Past::new();
    let backtest = |more: &[&str]| -> Value {
        let told = [&["backtest", "--quiet", "--format", "ndjson"], more].concat();
        serde_json::from_str(&past.run(&told)).unwrap()
    };
    let baselines = files_below(&past.at("baselines"));
    let replay = ["--relearn", "10", "--baselines", "baselines"];
    let told = backtest(&[&replay[..], &["later"]].concat());
    assert_eq!(files_below(&past.at("baselines")), baselines, "the folder stays as it is");
    assert_eq!(told["relearned"]["every_days"], 10);
    let steps = told["held_out"]["steps"].as_array().unwrap();
    let days: Vec<&str> = steps.iter().map(|step| step["from"].as_str().unwrap()).collect();
    assert!(days.len() >= 3, "{days:?}");
    assert_eq!(told["relearned"]["times"], days.len() - 1);

    // By hand, with a folder of one's own.
    for (path, bytes) in baselines {
        let path = path.strip_prefix(past.at("baselines")).unwrap().to_owned();
        let to = past.at("hand").join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let mut by_hand = Came::new();
    for (nth, since) in days.iter().enumerate() {
        let until = days.get(nth + 1);
        let period = ["--since", *since].into_iter();
        let period: Vec<&str> =
            period.chain(until.into_iter().flat_map(|until| ["--until", *until])).collect();
        let scored = [&["--relearn", "never", "--baselines", "hand"], &period[..], &["later"]];
        let scored = backtest(&scored.concat());
        assert_eq!(scored["relearned"], Value::Null);
        came(&scored, &mut by_hand);
        past.run(&[&["learn", "--quiet", "--out", "hand"], &period[..], &["later"]].concat());
        past.run(&["baseline", "promote", "--baselines", "hand", "--all", "--why", "ten days"]);
    }
    let mut replayed = Came::new();
    came(&told, &mut replayed);
    assert_eq!(replayed, by_hand);

    // It is something else than the baselines as they are.
    let mut fixed = Came::new();
    came(&backtest(&["--relearn", "never", "--baselines", "baselines", "later"]), &mut fixed);
    assert_ne!(replayed, fixed);

    // Who works on after midnight is known by a credential of the day before: steps of a day may cut
    // an episode in two, and lose none.
    let mut daily = Came::new();
    came(&backtest(&["--relearn", "1", "--baselines", "baselines", "later"]), &mut daily);
    let mut both =
        fixed.iter().filter_map(|(agent, (whole, ..))| Some((*whole, daily.get(agent)?.0)));
    assert!(both.all(|(whole, cut)| cut >= whole), "{fixed:?} {daily:?}");

    // An attack on the day after is killed when it is judged, by the lines of the days before.
    let attacked = backtest(&[&replay[..], &["later", "attacked"]].concat());
    let last = attacked["held_out"]["steps"].as_array().unwrap().last().unwrap();
    assert!(last["killed"].as_u64().unwrap() > 0, "{last}");
    assert_eq!(attacked["held_out"]["recent"]["killed"], last["killed"]);

    // What comes later changes nothing of what was said before.
    let last = days.last().unwrap();
    let before = backtest(&[&replay[..], &["--until", last, "later"]].concat());
    let (_, first) = steps.split_last().unwrap();
    assert_eq!(before["held_out"]["steps"].as_array().unwrap(), first);
}

/// What the numbers have to do with one another.
fn adds_up(told: &Value) {
    let held_out = &told["held_out"];
    let whole = |value: &Value| value.as_u64().unwrap();
    let real = |value: &Value| value.as_f64().unwrap();
    assert!(whole(&held_out["agent_days"]) < whole(&told["agent_days"]));
    for (of_agent, of_all) in [("episodes", "episodes"), ("days_at_work", "agent_days")] {
        let agents = told["agents"].as_array().unwrap().iter();
        assert_eq!(agents.map(|agent| whole(&agent[of_agent])).sum::<u64>(), whole(&told[of_all]));
    }
    let asked: u64 = told["asked"].as_object().unwrap().values().map(whole).sum();
    assert_eq!(asked, whole(&told["episodes"]));
    let heights = told["heights"].as_array().unwrap().iter();
    let heights: u64 = heights.map(|height| whole(&height["agent_days"])).sum();
    assert_eq!(heights, whole(&told["agent_days"]));
    let steps = held_out["steps"].as_array().unwrap();
    assert_eq!(
        steps.iter().map(|step| whole(&step["agent_days"])).sum::<u64>(),
        whole(&told["agent_days"])
    );
    let mut before = 0;
    for step in steps {
        assert_eq!(whole(&step["drawn_from"]), before, "{step}");
        assert!(whole(&step["killed"]) <= whole(&step["passed"]["kill"]), "{step}");
        before += whole(&step["agent_days"]);
    }
    for tier in held_out["tiers"].as_array().unwrap() {
        let (low, seen, high) =
            (real(&tier["low"]), real(&tier["per_agent_month"]), real(&tier["high"]));
        assert!(low <= seen && seen <= high, "{tier}");
        let months = real(&tier["agent_months"]);
        assert!((seen * months - whole(&tier["passed"]) as f64).abs() < 1e-6, "{tier}");
    }
}

/// The page says what was told.
fn is_seen(page: &Path, told: &Value) {
    let text = fs::read_to_string(page).unwrap();
    assert!(text.contains("default-src 'none'; script-src 'none'"), "{text:.600}");
    let Some(driver) = driver() else { return };
    let seen = look(&driver, page);
    assert_harmless(&seen, 0);
    let agents = told["agents"].as_array().unwrap().iter();
    let agents: Vec<_> = agents.map(|agent| agent["agent"].clone()).collect();
    assert_eq!(seen["names"], Value::from(agents.clone()));
    // One of all days, of shares, of the budgets that could be tried, and of each agent.
    let tried = |name: &str| {
        let trials = told["held_out"][name].as_array().unwrap().iter();
        trials.filter(|trial| !trial["line"].is_null() && !trial["armed"].is_null()).count()
    };
    assert_eq!(seen["charts"], 2 + tried("tiers") + tried("others") + agents.len());
    assert!(seen["text"].as_str().unwrap().contains("Armed agents: "), "{}", seen["text"]);
}

/// Baselines, lines and tables that are damaged, of others or too new: named, and nothing is written.
fn what_is_damaged_is_named(past: &Past) {
    let with = |arguments: &[&'static str]| [&BACKTEST[..], arguments].concat();
    let refused = || past.refused(&with(&["--save", "later"]));
    let damaged = |file: &Path, change: &dyn Fn(&str) -> String, what: &str| {
        let whole = fs::read_to_string(file).unwrap();
        fs::write(file, change(&whole)).unwrap();
        let told = refused();
        fs::write(file, whole).unwrap();
        let name = file.strip_prefix(past.dir.path()).unwrap().to_str().unwrap();
        assert!(told.contains(name) && told.contains(what), "{told}");
    };
    let mut baselines = files_below(&past.at("baselines")).into_iter().map(|(path, _)| path);
    let baseline = baselines.find(|path| path.ends_with("baseline.txt")).unwrap();
    damaged(&baseline, &|whole| whole.replacen("us-east-1", "us-best-1", 1), "digest");
    damaged(
        &baseline,
        &|whole| whole.split_at(whole.len() / 2).0.to_owned(),
        "ends without its digest",
    );
    damaged(&baseline, &|_| "{}\n".to_owned(), "is no learned baseline: the first line");
    let newer = |whole: &str| whole.replacen("tripline-baseline 1", "tripline-baseline 2", 1);
    damaged(&baseline, &newer, "has format 2, which a newer tripline wrote");
    let calibration = past.at("baselines/calibration.json");
    damaged(&calibration, &|_| "{}".to_owned(), "is no calibration: missing field");

    // Tables with another schema: one of the export's own, and one of another program's.
    let (file, whole) = files_below(&past.at("history/events")).remove(0);
    let (_, mints) = files_below(&past.at("history/mints")).remove(0);
    fs::write(&file, mints).unwrap();
    let told = past.refused(&with(&["--save", "history"]));
    assert!(told.contains("events.parquet`: is no `events` table"), "{told}");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let told = past.refused(&with(&["--save", "history"]));
    assert!(told.contains("events.parquet`: is damaged, or no Parquet file"), "{told}");
}

#[test]
fn a_page_that_cannot_be_written_is_named_before_anything_is_read() {
    let demo = workspace().join("fixtures/demo");
    let output = tripline()
        .args(["backtest", "--html", "/no/such/folder/page.html", "--baselines"])
        .args([workspace().join("baselines"), demo])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("/no/such/folder/page.html"), "{}", stderr(&output));
}

#[test]
fn hostile_names_are_seen_as_text() {
    let Some(driver) = driver() else { return };
    let day = |day: u32, name: &str| Outcome {
        start_minute: day * 24 * 60,
        agent: AgentId::of(name).unwrap(),
        class: None,
        highest: Score::of(if day % 17 == 3 { 2.5 } else { 0.0 }),
        counted: Score::default(),
        killing: Score::default(),
        verdict: Verdict::Normal,
    };
    let names: Vec<String> =
        HOSTILE.iter().map(|name| name.replace("\\u202e", "\u{202e}")).collect();
    let outcomes: Vec<Outcome> =
        names.iter().flat_map(|name| (0..60).map(move |nth| day(nth, name))).collect();
    let history = History::in_steps(&outcomes, 7, None).unwrap();
    let backtest = history.backtest(&Budgets::default()).unwrap();
    let names: Vec<Untrusted<'_>> = names.into_iter().map(Untrusted::new).collect();
    let maturity = Maturity { episodes: 300, days: 30, draws: 3_000, news: 0, is_whole: true };
    let agents: BTreeMap<_, _> = names.iter().map(|name| (name, maturity)).collect();
    let account = Account { backtest: &backtest, agents, kills_by_rule: 0, relearned: None };
    let about = AboutBacktest {
        made: EventTime::EPOCH,
        model: ModelId::from_digest([7; 32]),
        tally: &Tally::default(),
    };
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("backtest.html");
    let mut text = Vec::new();
    write_backtest(&mut text, &about, &account).unwrap();
    fs::write(&page, text).unwrap();
    let seen = look(&driver, &page);
    assert_harmless(&seen, 0);
    assert_hostile_is_seen(seen["text"].as_str().unwrap());
    assert_eq!(seen["names"].as_array().unwrap().len(), HOSTILE.len());
    let stored = fs::read_to_string(&page).unwrap();
    assert!(!stored.contains("onerror=owned=1>") && !stored.contains('\u{202e}'));
}
