use std::collections::BTreeSet;

use proptest::prelude::*;
use tripline_attribution::AgentId;
use tripline_engine::{HEIGHT, Outcome};

use super::*;

const DAY_MINUTES: u32 = 24 * 60;

fn outcome(day: u32, agent: &str, hundredths: u16) -> Outcome {
    Outcome {
        start_minute: day * DAY_MINUTES + 5,
        agent: AgentId::of(agent).unwrap(),
        class: None,
        highest: Score::from_hundredths(hundredths).unwrap(),
        counted: Score::default(),
        killing: Score::default(),
        verdict: if hundredths > 300 { Verdict::Alert } else { Verdict::Normal },
    }
}

/// That of outcomes in two steps, cut where a test wants it.
fn backtest(outcomes: &[Outcome], budgets: &Budgets, cut: u32) -> Backtest {
    in_steps(outcomes, &[0, cut]).backtest(budgets).unwrap()
}

fn in_steps(outcomes: &[Outcome], steps: &[u32]) -> History {
    let mut history = History::default();
    let ends = steps.iter().skip(1).chain([&u32::MAX]);
    for (from_day, end) in steps.iter().zip(ends) {
        let is_within =
            |outcome: &&Outcome| (*from_day..*end).contains(&(outcome.start_minute / DAY_MINUTES));
        history.add(*from_day, outcomes.iter().filter(is_within), None).unwrap();
    }
    history
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
        counted: Score::from_hundredths(killing).unwrap(),
        killing: Score::from_hundredths(killing).unwrap(),
        ..outcome(day, agent, hundredths)
    };
    // One that reached as much before, one with one kind of evidence, one without a history.
    outcomes.push(of(7, "a1", 800, 800));
    outcomes.extend([of(60, "a1", 800, 800), of(61, "a2", 900, 0), of(62, "new", 900, 900)]);
    let budgets = Budgets::new(5.0, 1.0, 0.9).unwrap();
    let passed = |outcomes: &[Outcome]| {
        let backtest = backtest(outcomes, &budgets, 45);
        let kills = &backtest.held_out.recent.stopped;
        let kills = kills.iter().filter(|stopped| stopped.verdict == Verdict::Kill).count();
        let killed: u64 = backtest.held_out.steps.iter().map(|step| step.killed).sum();
        assert_eq!(backtest.held_out.recent.killed, killed);
        (of_tier(&backtest, Verdict::Kill), kills, killed)
    };
    let (kill, stopped, killed) = passed(&outcomes);
    assert!(kill.line.is_some(), "{kill:?}");
    assert_eq!((kill.passed, stopped, killed), (0, 0, 0));
    // Two of a class at once: the second is held back when it is judged.
    outcomes.push(Outcome { verdict: Verdict::Kill, ..of(63, "a3", 900, 900) });
    outcomes.push(Outcome { verdict: Verdict::Fence, ..of(63, "a4", 900, 900) });
    let (kill, stopped, killed) = passed(&outcomes);
    assert_eq!((kill.passed, stopped, killed), (2, 2, 1));
}

#[test]
fn what_lines_are_drawn_on_is_not_held_against_them() {
    let backtest = backtest(&two_agents(), &Budgets::default(), 30);
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
    assert_eq!((fence.from_day, fence.agent_days, fence.agent_months), (30, 60, 2.0));
    let steps = backtest.held_out.steps.iter();
    let steps: Vec<_> = steps.map(|it| (it.from_day, it.drawn_from, it.agent_days)).collect();
    assert_eq!(steps, [(0, 0, 60), (30, 60, 60)]);
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
    let [Reliability { nominal, agent_days, passed, realised }] = reliability else {
        panic!("{reliability:?}")
    };
    assert_eq!((*nominal, *agent_days, *passed, realised.seen), (0.1, 60, 1, 1.0 / 60.0));
}

#[test]
fn agents_are_told_by_how_close_they_came() {
    let backtest = backtest(&two_agents(), &Budgets::default(), 30);
    let told: Vec<_> = backtest.agents.iter().map(|it| (it.agent.as_unescaped(), it)).collect();
    let [("a", a), ("b", b)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((a.episodes, a.at_work, a.days, a.highest), (120, 60, 60, Score::of(3.45)));
    // Of sixty days the 99 % lie at the last one but none.
    assert_eq!(a.usual, Score::of(3.45));
    assert_eq!((b.usual, b.highest), (Score::default(), Score::default()));
    let quantiles: Vec<_> = backtest.quantiles.iter().map(|(_, score)| score.log10()).collect();
    assert_eq!(quantiles, [0.0, 0.0, 3.07, 3.45]);
    assert_eq!(backtest.heights, [(Score::of(0.0), 118), (Score::of(3.0), 2)].into());
    let Recent { days, passed, stopped, .. } = &backtest.held_out.recent;
    assert_eq!(*days, 30);
    assert_eq!(*passed, [(Verdict::Kill, 0), (Verdict::Fence, 1), (Verdict::Alert, 0)].into());
    let [one] = stopped.as_slice() else { panic!("{stopped:?}") };
    assert_eq!((one.agent.as_unescaped(), one.verdict, one.day), ("a", Verdict::Fence, 45));
    assert_eq!(one.highest, Score::of(3.45));
}

#[test]
fn of_nothing_nothing_is_told() {
    let none = backtest(&[], &Budgets::default(), 30);
    assert_eq!(none.calibration, Calibration::default());
    assert_eq!((none.agents.len(), none.quantiles.len(), none.heights.len()), (0, 0, 0));
    assert!(none.asked.is_empty());
    assert!(none.held_out.tiers.iter().all(|(_, tier)| tier.line.is_none()));
    assert!(none.held_out.reliability.is_empty() && none.held_out.recent.stopped.is_empty());
}

fn any_outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let score = || prop_oneof![Just(0_u16), 0_u16..900];
    let one = (0_u32..90, 0_u8..4, score(), score(), any::<bool>());
    let outcome = |(day, agent, score, killing, is_armed): (u32, u8, u16, u16, bool)| Outcome {
        counted: Score::from_hundredths(killing.min(score)).unwrap(),
        killing: Score::from_hundredths(if is_armed { killing.min(score) } else { 0 }).unwrap(),
        ..outcome(day, &format!("a{agent}"), score)
    };
    prop::collection::vec(one.prop_map(outcome), 0..400)
}

/// The highest of something on each agent's days, by a loop.
type ByHand = BTreeMap<(AgentId, u32), Score>;

fn days_by_hand(outcomes: &[Outcome], of: impl Fn(&Outcome) -> Score) -> ByHand {
    let mut days = ByHand::new();
    for outcome in outcomes {
        let day = (outcome.agent.clone(), outcome.start_minute / DAY_MINUTES);
        let highest = days.entry(day).or_default();
        *highest = (*highest).max(of(outcome));
    }
    days
}

fn calibration_by_hand(outcomes: &[Outcome]) -> Calibration {
    let mut calibration = Calibration::default();
    let days = days_by_hand(outcomes, |it| it.highest);
    let agents: BTreeSet<_> = days.keys().map(|(agent, _)| agent).collect();
    for agent in agents {
        let its = days.iter().filter(|((of, _), _)| of == agent);
        let numbers: Vec<u32> = its.clone().map(|((_, day), _)| *day).collect();
        let span = numbers.last().unwrap() - numbers[0] + 1;
        let episodes = outcomes.iter().filter(|outcome| outcome.agent == *agent).count();
        let scores = its.map(|(_, score)| (*score, 1));
        calibration.add(&agent.untrusted(), span, episodes as u64, scores);
    }
    for ((agent, _), counted) in days_by_hand(outcomes, |it| it.counted) {
        calibration.add_killing(&agent.untrusted(), [(counted, 1)]);
    }
    calibration
}

/// Whether a day passes a line, by a loop.
fn passes_by_hand(
    outcomes: &[Outcome],
    (agent, day): (&AgentId, u32),
    cut: u32,
    (verdict, line): (Verdict, Option<Score>),
) -> bool {
    let Some(line) = line else { return false };
    let its = || outcomes.iter().filter(|outcome| outcome.agent == *agent);
    let of_day = || its().filter(|it| it.start_minute / DAY_MINUTES == day);
    if verdict != Verdict::Kill {
        return of_day().any(|outcome| outcome.highest >= line);
    }
    let before = its().filter(|it| it.start_minute / DAY_MINUTES < cut);
    let own = before.map(|outcome| outcome.counted).max();
    let killing = of_day().map(|outcome| outcome.killing).max().unwrap_or_default();
    killing >= line && own.is_some_and(|own| killing > own)
}

/// The first days of steps: 0, and some more.
fn any_steps() -> impl Strategy<Value = Vec<u32>> {
    let more = prop::collection::btree_set(1_u32..90, 1..6);
    more.prop_map(|more| std::iter::once(0).chain(more).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Each day against lines that were drawn, by a loop, from the days before its step and nothing else.
    #[test]
    fn queries_count_what_a_loop_counts(outcomes in any_outcomes(), steps in any_steps()) {
        let budgets = Budgets::default();
        let history = in_steps(&outcomes, &steps);
        let found = history.backtest(&budgets).unwrap();
        let calibration = calibration_by_hand(&outcomes);
        prop_assert_eq!(&found.calibration, &calibration);
        prop_assert_eq!(&history.calibration().unwrap(), &calibration);
        prop_assert_eq!(found.lines, Lines::draw(&calibration, &budgets));

        let days = days_by_hand(&outcomes, |it| it.highest);
        let mut told = found.held_out.steps.iter();
        let mut passed: BTreeMap<Verdict, Option<(u32, u64)>> = BTreeMap::new();
        for (nth, cut) in steps.iter().enumerate() {
            let end = steps.get(nth + 1).copied().unwrap_or(u32::MAX);
            let own: Vec<_> = days.keys().filter(|(_, day)| (*cut..end).contains(day)).collect();
            if own.is_empty() {
                continue;
            }
            let before = |outcome: &&Outcome| outcome.start_minute / DAY_MINUTES < *cut;
            let before: Vec<_> = outcomes.iter().filter(before).cloned().collect();
            let drawn = calibration_by_hand(&before);
            let lines = Lines::draw(&drawn, &budgets);
            let step = told.next().unwrap();
            prop_assert_eq!(step.from_day, *cut);
            prop_assert_eq!(step.drawn_from, drawn.agent_days());
            prop_assert_eq!(step.agent_days, own.len() as u64);
            prop_assert_eq!(step.lines, lines);
            for tier in TIERS {
                let passes = own.iter().filter(|(agent, day)| {
                    passes_by_hand(&outcomes, (agent, *day), *cut, (tier, lines.of(tier)))
                });
                let count = passes.count() as u64;
                let so_far = passed.entry(tier).or_default();
                *so_far = lines.of(tier).map(|_| {
                    let (from_day, before) = so_far.unwrap_or((*cut, 0));
                    (from_day, before + count)
                });
            }
        }
        prop_assert!(told.next().is_none());
        for (tier, trial) in &found.held_out.tiers {
            let tried = passed.get(tier).copied().flatten();
            prop_assert_eq!(trial.passed, tried.map_or(0, |(_, passed)| passed));
            prop_assert_eq!(trial.line.is_some(), tried.is_some());
            let after = |(_, day): &&(AgentId, u32)| tried.is_some_and(|(from, _)| *day >= from);
            prop_assert_eq!(trial.agent_days, days.keys().filter(after).count() as u64);
            let Rate { seen, low, high } = trial.per_agent_month;
            prop_assert!(low <= seen && seen <= high);
            let months = trial.agent_months;
            prop_assert!(months == 0.0 || (seen * months - trial.passed as f64).abs() < 1e-9);
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
    fn order_does_not_matter(outcomes in any_outcomes(), every in 1_u32..40) {
        let mut backwards = outcomes.clone();
        backwards.reverse();
        let of = |outcomes: &[Outcome]| {
            History::in_steps(outcomes, every, None).unwrap().backtest(&Budgets::default()).unwrap()
        };
        prop_assert_eq!(of(&outcomes), of(&backwards));
    }

    /// What comes later changes nothing of what was said of a step.
    #[test]
    fn the_future_is_not_looked_at(outcomes in any_outcomes(), steps in any_steps()) {
        let of = |outcomes: &[Outcome], steps: &[u32]| {
            in_steps(outcomes, steps).backtest(&Budgets::default()).unwrap().held_out.steps
        };
        let (cut, before) = steps.split_last().unwrap();
        let is_before = |outcome: &&Outcome| outcome.start_minute / DAY_MINUTES < *cut;
        let past: Vec<Outcome> = outcomes.iter().filter(is_before).cloned().collect();
        let (whole, past) = (of(&outcomes, &steps), of(&past, before));
        prop_assert_eq!(&whole[..past.len()], past.as_slice());
    }

    /// A line keeps its promise on average: here over all ways to hold one of the days out, which is the
    /// same as over exchangeable ones.
    #[test]
    fn no_more_pass_a_line_than_it_says(scores in prop::collection::vec(0_u16..50, 12..24)) {
        let mut passed = 0;
        for held_out in 0..scores.len() {
            let row = |(nth, score): (usize, &u16)| {
                // The days of one step, in whatever order, and the other one's only one.
                outcome(if nth == held_out { 100 } else { nth as u32 }, "a", *score)
            };
            let outcomes: Vec<_> = scores.iter().enumerate().map(row).collect();
            let found = backtest(&outcomes, &Budgets::default(), 50);
            prop_assert_eq!(found.held_out.agent_days, 1);
            passed += found.held_out.reliability[0].passed;
        }
        prop_assert!(passed as f64 <= NOMINAL[0] * scores.len() as f64 + 1e-9, "{}", passed);
    }
}
