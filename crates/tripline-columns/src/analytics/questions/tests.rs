use std::collections::BTreeSet;

use proptest::prelude::*;
use tripline_attribution::AgentId;
use tripline_engine::HEIGHT;

use super::*;

const DAY_MINUTES: u32 = 24 * 60;

fn outcome(day: u32, agent: &str, hundredths: u16) -> Outcome {
    Outcome {
        start_minute: day * DAY_MINUTES + 5,
        agent: AgentId::of(agent).unwrap(),
        class: None,
        highest: Score::from_hundredths(hundredths).unwrap(),
        killing: Score::default(),
        verdict: if hundredths > 300 { Verdict::Alert } else { Verdict::Normal },
    }
}

/// Two agents over sixty days, two episodes a day; one of them has an odd one in each half.
fn two_agents() -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for day in 0..60 {
        for agent in ["a", "b"] {
            let is_odd = agent == "a" && (day == 7 || day == 45);
            outcomes.push(outcome(day, agent, if is_odd { 300 + day as u16 } else { 0 }));
            outcomes.push(outcome(day, agent, 0));
        }
    }
    outcomes
}

fn of_tier(backtest: &Backtest, verdict: Verdict) -> Trial {
    let found = backtest.held_out.tiers.iter().find(|(tier, _)| *tier == verdict);
    found.unwrap().1
}

#[test]
fn what_lacks_a_kind_or_was_reached_before_kills_nobody() {
    // Long enough for a line, far below what comes.
    let mut outcomes = Vec::new();
    for day in 0..90 {
        for agent in 0..40 {
            outcomes.push(outcome(day, &format!("a{agent}"), 0));
        }
    }
    let of = |day, agent, hundredths, killing| Outcome {
        killing: Score::from_hundredths(killing).unwrap(),
        ..outcome(day, agent, hundredths)
    };
    // One that reached as much before, one with one kind of evidence, one without a history.
    outcomes.push(of(7, "a1", 800, 800));
    outcomes.extend([of(60, "a1", 800, 800), of(61, "a2", 900, 0), of(62, "new", 900, 900)]);
    let budgets = Budgets::new(5.0, 1.0, 0.9).unwrap();
    let passed = |outcomes: &[Outcome]| {
        let backtest = backtest(outcomes, &budgets).unwrap();
        let kills = &backtest.held_out.recent.stopped;
        let kills = kills.iter().filter(|stopped| stopped.verdict == Verdict::Kill).count();
        (of_tier(&backtest, Verdict::Kill), kills)
    };
    let (kill, stopped) = passed(&outcomes);
    assert!(kill.line.is_some(), "{kill:?}");
    assert_eq!((kill.passed, stopped), (0, 0));
    outcomes.push(of(63, "a3", 900, 900));
    let (kill, stopped) = passed(&outcomes);
    assert_eq!((kill.passed, stopped), (1, 1));
}

#[test]
fn what_lines_are_drawn_on_is_not_held_against_them() {
    let backtest = backtest(&two_agents(), &Budgets::default()).unwrap();
    let HeldOut { from_day, agent_days, agent_months, .. } = backtest.held_out;
    assert_eq!((from_day, agent_days, agent_months), (30, 60, 2.0));
    // One fence a month: the odd one of the first half is below its line, and that of the second above.
    let fence = of_tier(&backtest, Verdict::Fence);
    assert_eq!(fence.line.map(Score::hundredths), Some(308));
    assert_eq!(fence.passed, 1);
    // With three quarters of four months' fences three days may pass the line of all; but two are above
    // nothing, and less than ten to one is told to nobody.
    assert_eq!(fence.armed.map(Score::hundredths), Some(100));
    // 1 of 60 days, in two months. By hand: low = 1 - 0.975^(1/60), at one day a day.
    let Rate { seen, low, high } = fence.per_agent_month;
    assert!((seen - 0.5).abs() < 1e-12, "{fence:?}");
    assert!((low - 30.0 * (1.0 - 0.975_f64.powf(1.0 / 60.0))).abs() < 1e-9, "{fence:?}");
    assert!((high - 30.0 * 0.0894).abs() < 0.01, "{fence:?}");
    // Fifty months would be needed.
    let kill = of_tier(&backtest, Verdict::Kill);
    assert_eq!((kill.line, kill.armed, kill.passed), (None, None, 0));
    assert_eq!((backtest.calibration.agent_days(), backtest.calibration.episodes()), (120, 240));
    // Another budget, another line, by the same rule.
    let same = backtest.held_out.others.iter().find(|other| other.budget == 1.0);
    assert_eq!(same, Some(&fence));
    assert_eq!(backtest.asked, [(Verdict::Normal, 238), (Verdict::Alert, 2)].into());
    // A line for one in ten takes nine days, one for a hundredth a hundred.
    let reliability = backtest.held_out.reliability.as_slice();
    let [Reliability { nominal, passed, realised }] = reliability else {
        panic!("{reliability:?}")
    };
    assert_eq!((*nominal, *passed, realised.seen), (0.1, 1, 1.0 / 60.0));
}

#[test]
fn agents_are_told_by_how_close_they_came() {
    let backtest = backtest(&two_agents(), &Budgets::default()).unwrap();
    let told: Vec<_> = backtest.agents.iter().map(|it| (it.agent.as_unescaped(), it)).collect();
    let [("a", a), ("b", b)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((a.episodes, a.at_work, a.days, a.highest), (120, 60, 60, Score::of(3.45)));
    // Of sixty days the 99 % lie at the last one but none.
    assert_eq!(a.usual, Score::of(3.45));
    assert_eq!((b.usual, b.highest), (Score::default(), Score::default()));
    let quantiles: Vec<_> = backtest.quantiles.iter().map(|(_, score)| score.log10()).collect();
    assert_eq!(quantiles, [0.0, 0.0, 3.07, 3.45]);
    assert_eq!(backtest.heights, [(Score::of(0.0), 118), (Score::of(3.0), 2)].into());
    let Recent { days, passed, stopped } = &backtest.held_out.recent;
    assert_eq!(*days, 30);
    assert_eq!(*passed, [(Verdict::Kill, 0), (Verdict::Fence, 1), (Verdict::Alert, 0)].into());
    let [one] = stopped.as_slice() else { panic!("{stopped:?}") };
    assert_eq!((one.agent.as_unescaped(), one.verdict, one.day), ("a", Verdict::Fence, 45));
    assert_eq!(one.highest, Score::of(3.45));
}

#[test]
fn of_nothing_nothing_is_told() {
    let none = backtest(&[], &Budgets::default()).unwrap();
    assert_eq!(none.calibration, Calibration::default());
    assert_eq!((none.agents.len(), none.quantiles.len(), none.heights.len()), (0, 0, 0));
    assert!(none.asked.is_empty());
    assert!(none.held_out.tiers.iter().all(|(_, tier)| tier.line.is_none()));
    assert!(none.held_out.reliability.is_empty() && none.held_out.recent.stopped.is_empty());
}

fn any_outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let score = || prop_oneof![Just(0_u16), 0_u16..900];
    let one = (0_u32..90, 0_u8..4, score(), score());
    let outcome = |(day, agent, score, killing): (u32, u8, u16, u16)| Outcome {
        killing: Score::from_hundredths(killing.min(score)).unwrap(),
        ..outcome(day, &format!("a{agent}"), score)
    };
    prop::collection::vec(one.prop_map(outcome), 0..400)
}

/// The highest score of each agent's days, by a loop.
type ByHand = BTreeMap<(AgentId, u32), Score>;

fn days_by_hand(outcomes: &[Outcome]) -> ByHand {
    let mut days = ByHand::new();
    for outcome in outcomes {
        let day = (outcome.agent.clone(), outcome.start_minute / DAY_MINUTES);
        let highest = days.entry(day).or_default();
        *highest = (*highest).max(outcome.highest);
    }
    days
}

fn calibration_by_hand(outcomes: &[Outcome]) -> Calibration {
    let mut calibration = Calibration::default();
    let days = days_by_hand(outcomes);
    let agents: BTreeSet<_> = days.keys().map(|(agent, _)| agent).collect();
    for agent in agents {
        let its = days.iter().filter(|((of, _), _)| of == agent);
        let numbers: Vec<u32> = its.clone().map(|((_, day), _)| *day).collect();
        let span = numbers.last().unwrap() - numbers[0] + 1;
        let episodes = outcomes.iter().filter(|outcome| outcome.agent == *agent).count();
        let scores = its.map(|(_, score)| (*score, 1));
        calibration.add(&agent.untrusted(), span, episodes as u64, scores);
    }
    calibration
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn queries_count_what_a_loop_counts(outcomes in any_outcomes()) {
        let found = backtest(&outcomes, &Budgets::default()).unwrap();
        let calibration = calibration_by_hand(&outcomes);
        prop_assert_eq!(&found.calibration, &calibration);
        prop_assert_eq!(found.lines, Lines::draw(&calibration, &Budgets::default()));

        let days = days_by_hand(&outcomes);
        let HeldOut { from_day, agent_days, agent_months, .. } = found.held_out;
        let after: Vec<_> = days.iter().filter(|((_, day), _)| *day >= from_day).collect();
        prop_assert_eq!(agent_days, after.len() as u64);
        let before: Vec<_> =
            outcomes.iter().filter(|outcome| outcome.start_minute / DAY_MINUTES < from_day).cloned().collect();
        let drawn = Lines::draw(&calibration_by_hand(&before), &Budgets::default());
        for (tier, trial) in &found.held_out.tiers {
            prop_assert_eq!(trial.line, drawn.of(*tier));
        }
        let own = days_by_hand(&before);
        let own = |agent: &AgentId| {
            own.iter().filter(|((of, _), _)| of == agent).map(|(_, score)| *score).max()
        };
        let others = found.held_out.others.iter().map(|trial| (Verdict::Alert, trial));
        let tiers = found.held_out.tiers.iter().map(|(tier, trial)| (*tier, trial));
        for (tier, trial) in tiers.chain(others) {
            let passes = |score: Score| trial.line.is_some_and(|line| score >= line);
            let kills = |agent: &AgentId, day: u32| {
                let of_day = outcomes.iter().filter(|outcome| {
                    outcome.agent == *agent && outcome.start_minute / DAY_MINUTES == day
                });
                let killing = of_day.map(|outcome| outcome.killing).max().unwrap_or_default();
                passes(killing) && own(agent).is_some_and(|own| killing > own)
            };
            let passed = after.iter().filter(|((agent, day), score)| match tier {
                Verdict::Kill => kills(agent, *day),
                _ => passes(**score),
            });
            let passed = passed.count();
            prop_assert_eq!(trial.passed, passed as u64);
            let Rate { seen, low, high } = trial.per_agent_month;
            prop_assert!(low <= seen && seen <= high);
            prop_assert!(agent_days == 0 || (seen * agent_months - passed as f64).abs() < 1e-9);
        }
        let mut highest: Vec<Score> = days.values().copied().collect();
        highest.sort_unstable();
        for (share, score) in &found.quantiles {
            let at_or_below = highest.iter().filter(|other| *other <= score).count();
            prop_assert!(at_or_below as f64 >= share * highest.len() as f64);
            prop_assert!(highest.contains(score));
        }
        for (height, count) in &found.heights {
            let of_height = |score: &&Score| score.hundredths() / HEIGHT == height.hundredths() / HEIGHT;
            prop_assert_eq!(height.hundredths() % HEIGHT, 0);
            prop_assert_eq!(highest.iter().filter(of_height).count() as u64, *count);
        }
        prop_assert_eq!(found.heights.values().sum::<u64>(), highest.len() as u64);
    }

    #[test]
    fn order_does_not_matter(outcomes in any_outcomes()) {
        let mut backwards = outcomes.clone();
        backwards.reverse();
        let (one, other) = (
            backtest(&outcomes, &Budgets::default()).unwrap(),
            backtest(&backwards, &Budgets::default()).unwrap(),
        );
        prop_assert_eq!(one, other);
    }

    /// A line keeps its promise on average: here over all ways to hold one of the days out, which is the
    /// same as over exchangeable ones.
    #[test]
    fn no_more_pass_a_line_than_it_says(scores in prop::collection::vec(0_u16..50, 12..24)) {
        let mut passed = 0;
        for held_out in 0..scores.len() {
            let row = |(nth, score): (usize, &u16)| {
                // The days of one half, in whatever order, and the other half's only one.
                outcome(if nth == held_out { 100 } else { nth as u32 }, "a", *score)
            };
            let outcomes: Vec<_> = scores.iter().enumerate().map(row).collect();
            let found = backtest(&outcomes, &Budgets::default()).unwrap();
            prop_assert_eq!(found.held_out.agent_days, 1);
            passed += found.held_out.reliability[0].passed;
        }
        prop_assert!(passed as f64 <= NOMINAL[0] * scores.len() as f64 + 1e-9, "{}", passed);
    }
}
