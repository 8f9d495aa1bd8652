use tripline_detector::{Budgets, Calibration, Lines};
use tripline_engine::Reliability;

use super::*;
use crate::table::Style;

/// Who would like to be more than a name.
const HOSTILE: &str = "<script>owned=1</script>\u{202e}";

fn score(log10: f64) -> Score {
    Score::of(log10)
}

/// What sixty days of two agents came to.
pub(crate) fn backtest() -> Backtest {
    let mut calibration = Calibration::default();
    let days = [(score(0.0), 56), (score(1.3), 3), (score(3.1), 1)];
    calibration.add(&Untrusted::borrowed("deploy-bot"), 60, 840, days);
    calibration.add(&Untrusted::borrowed(HOSTILE), 60, 420, [(score(0.0), 59), (score(1.2), 1)]);
    let agent = |name: &str, episodes, usual, highest| AgentDays {
        agent: Untrusted::new(name.to_owned()),
        at_work: 60,
        days: 60,
        episodes,
        usual: score(usual),
        highest: score(highest),
        counted: score(highest),
    };
    let lines = Lines::draw(&calibration, &Budgets::new(5.0, 1.0, 0.02).unwrap());
    Backtest {
        lines,
        agents: vec![agent("deploy-bot", 840, 3.1, 3.1), agent(HOSTILE, 420, 1.2, 1.2)],
        quantiles: vec![(0.5, score(0.0)), (0.99, score(1.3))],
        heights: [(score(0.0), 115), (score(1.0), 4), (score(3.0), 1)].into(),
        asked: [(Verdict::Normal, 1_255), (Verdict::Alert, 5)].into(),
        held_out: held_out(),
        calibration,
    }
}

fn held_out() -> HeldOut {
    let trial = |budget, armed: Option<f64>, line: Option<f64>, passed| Trial {
        budget,
        armed: armed.map(score),
        line: line.map(score),
        from_day: 20_750,
        agent_days: 60,
        agent_months: 2.0,
        passed,
        per_agent_month: Rate { seen: passed as f64 / 2.0, low: 0.013, high: 2.682 },
    };
    let fence = trial(1.0, Some(3.11), Some(1.31), 1);
    let step = |from_day, drawn_from, drawn: &Calibration, fences| ReplayStep {
        from_day,
        drawn_from,
        agent_days: 60,
        lines: Lines::draw(drawn, &Budgets::new(5.0, 1.0, 0.02).unwrap()),
        passed: [(Verdict::Kill, 0), (Verdict::Fence, fences), (Verdict::Alert, 0)].into(),
        killed: 0,
    };
    let mut drawn = Calibration::default();
    drawn.add(&Untrusted::borrowed("deploy-bot"), 60, 840, [(score(0.0), 59), (score(1.3), 1)]);
    HeldOut {
        from_day: 20_750,
        agent_days: 60,
        agent_months: 2.0,
        steps: vec![step(20_720, 0, &Calibration::default(), 0), step(20_750, 60, &drawn, 1)],
        tiers: vec![
            (Verdict::Kill, trial(0.02, None, None, 0)),
            (Verdict::Fence, fence),
            (Verdict::Alert, trial(5.0, Some(1.21), None, 0)),
        ],
        others: vec![trial(0.02, None, None, 0), fence],
        reliability: vec![Reliability {
            nominal: 0.1,
            agent_days: 60,
            passed: 1,
            realised: Rate { seen: 1.0 / 60.0, low: 0.000_422, high: 0.089_399 },
        }],
        recent: Recent {
            from_day: 20_740,
            days: 30,
            passed: [(Verdict::Kill, 0), (Verdict::Fence, 1), (Verdict::Alert, 0)].into(),
            killed: 0,
            stopped: vec![Stopped {
                day: 20_765,
                agent: Untrusted::borrowed(HOSTILE).into_owned(),
                verdict: Verdict::Fence,
                highest: score(3.1),
            }],
        },
    }
}

/// With an agent that is known well, and one that is not.
pub(crate) fn with_account(look: impl FnOnce(&Account<'_>)) {
    let backtest = backtest();
    let (well, badly) = (
        Maturity { episodes: 840, days: 60, draws: 4_000, news: 2, is_whole: true },
        Maturity { episodes: 41, days: 3, draws: 300, news: 9, is_whole: true },
    );
    let (bot, new) = (Untrusted::borrowed("deploy-bot"), Untrusted::borrowed(HOSTILE));
    look(&Account {
        backtest: &backtest,
        agents: [(&bot, well), (&new, badly)].into(),
        kills_by_rule: 1,
        relearned: Some(Relearned { every_days: 7, times: 8, promotions: 16, waiting: 3 }),
    });
}

#[test]
fn people_get_it_in_eighty_columns_and_nothing_comes_to_life() {
    with_account(|account| {
        let mut out = Vec::new();
        write_backtest(&mut out, account, Style::Plain).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\u{202e}') && text.contains("u{202e}"), "{text}");
        for line in text.lines().filter(|line| !line.contains("script")) {
            assert!(line.chars().count() <= 80 && line.trim_end() == line, "{line}");
        }
        insta::assert_snapshot!(text);
    });
}

#[test]
fn programs_get_one_object() {
    with_account(|account| {
        let mut out = Vec::new();
        write_backtest_json(&mut out, account).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\u{202e}') && text.lines().count() == 1, "{text}");
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap());
    });
}

#[test]
fn without_a_day_there_is_still_a_sentence() {
    let mut backtest = backtest();
    backtest.held_out.recent.stopped.clear();
    backtest.held_out.recent.passed.clear();
    backtest.held_out.tiers.clear();
    let said = |backtest: &Backtest| {
        let agents = BTreeMap::new();
        sentence(&Account { backtest, agents, kills_by_rule: 0, relearned: None })
    };
    let end = " Beside that, 0 kills by rules, which need no line. All this is of baselines that nobody \
               learns anew. Armed agents: none; still learning: none.";
    assert_eq!(
        said(&backtest),
        format!("With this budget, over the last 30 days: 0 fences, at most 0 kills.{end}")
    );
    backtest.held_out.recent.passed.insert(Verdict::Kill, 3);
    backtest.held_out.recent.killed = 1;
    let relearned = Some(Relearned { every_days: 1, times: 2, promotions: 0, waiting: 0 });
    let told = sentence(&Account {
        backtest: &backtest,
        agents: BTreeMap::new(),
        kills_by_rule: 0,
        relearned,
    });
    assert!(told.contains(" 0 fences, 1 kill and 2 more held back to a fence."), "{told}");
    backtest.held_out.recent.days = 0;
    assert_eq!(
        said(&backtest),
        format!(
            "No line could be tried: this history is one step long, and lines are held against days that \
             come after those they are drawn on.{end}"
        )
    );
}
