//! An intruder who waits: a little more each week, always as much as is learned, and nobody looks.

use tripline_baseline::RateClass;
use tripline_testkit::Simulation;
use tripline_testkit::simulation::{Origin, Raid, RaidKind, Shift, Tempo};

use crate::operator::{DAY, Operator};

const BOILED_FROM: u32 = 30;
const BOILED_FOR: u32 = 90;
const EVERY: u32 = 7;

/// How many times as many calls an hour pass as normal after 90 days as before.
pub(crate) fn factor(seed: u64) -> f64 {
    let simulation = Simulation::new(seed, 2, BOILED_FROM + BOILED_FOR + EVERY);
    let mut operator = Operator::new(&simulation);
    operator.learn(0..BOILED_FROM);
    let before = per_hour(&operator);
    // Calls an hour, week by week.
    let mut levels = vec![before];
    let mut day = BOILED_FROM;
    while day < BOILED_FROM + BOILED_FOR {
        day += EVERY;
        let raid = |shift: &Shift| {
            let since = (shift.begin - simulation.start()).div_euclid(DAY) - i64::from(BOILED_FROM);
            let week = usize::try_from(since.div_euclid(i64::from(EVERY))).ok()?;
            let spread = levels.get(week).copied().filter(|_| shift.worker == 0)?;
            let (kind, tempo, origin) = (RaidKind::Runaway, Tempo::Fast, Origin::Victim);
            Some(Raid { kind, tempo, origin, variant: 0, spread: u32::try_from(spread).ok() })
        };
        operator.learn_with(day - BOILED_FROM..day, &raid, false);
        levels.push(per_hour(&operator));
    }
    per_hour(&operator) as f64 / before as f64
}

fn per_hour(operator: &Operator<'_>) -> u64 {
    let limits = operator.live(0).map(|baseline| baseline.limits()).unwrap_or_default();
    let all = limits.iter().find(|limit| limit.class == RateClass::All);
    all.map_or(1, |limit| limit.per_hour.max(1))
}
