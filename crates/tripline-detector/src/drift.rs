//! What single episodes do not tell: a slow attack over many of them, and a calibration that has
//! stopped holding.
//!
//! Both are tests by betting on the rank of a score among those of the calibration, which is even as
//! long as nothing has changed.

use crate::calibration::{Budgets, Calibration, Lines};
use crate::evidence::Score;
use crate::verdict::Verdict;

/// The evidence that an agent has changed, over its episodes so far: an e-detector (Shin, Ramdas,
/// Rinaldo 2022). It restarts with each episode, so that when the change came does not matter; without
/// one it passes `A` not before `A` episodes, on average, however long one looks. An episode's rank is
/// that of a day which came as high, so that it is less than even, which is on the safe side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slow(f64);

/// The bet on small ranks: 0.3 p^-0.7, which is worth 1 on average (detector.md section 4).
fn bet(chance: f64) -> f64 {
    0.3 * libm::pow(chance, -0.7)
}

impl Slow {
    /// With one more episode, which is over.
    #[must_use]
    pub fn after(self, calibration: &Calibration, highest: Score) -> Self {
        Self(bet(calibration.chance(highest)) * (self.0 + 1.0))
    }

    /// What it asks for: an alert or a fence as often as their budgets allow, never a kill.
    pub fn verdict(self, calibration: &Calibration, budgets: &Budgets) -> Verdict {
        let passes = |verdict| {
            let share = budgets.of(verdict).and_then(|it| calibration.episode_share_of(it));
            share.is_some_and(|share| self.0 * share >= 1.0)
        };
        [Verdict::Fence, Verdict::Alert].into_iter().find(|it| passes(*it)).unwrap_or_default()
    }
}

/// Whether a class of agents still behaves as it did when it was calibrated: too many days above the
/// line that one in a hundred passed mean that it does not, and then its lines hold for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Watchdog {
    /// log10 of what was won by betting on three, and on ten times as many.
    won: [f64; 2],
    fired: bool,
}

/// The share that is watched.
pub(crate) const WATCHED: f64 = 0.01;
/// It fires wrongly in one class of ten thousand, ever (Ville).
const FIRES: f64 = 4.0;

impl Watchdog {
    /// Notes a day of an agent that is over; `lines` are those of the calibration.
    pub fn note(&mut self, calibration: &Calibration, lines: &Lines, highest: Score) {
        let passes = lines.watched.is_some_and(|line| highest >= line);
        for (won, times) in self.won.iter_mut().zip([3.0, 10.0]) {
            let more = WATCHED * times;
            *won += libm::log10(if passes { times } else { (1.0 - more) / (1.0 - WATCHED) });
            // What went well long ago must not hold it back: it starts anew at any time.
            *won = won.max(0.0);
        }
        // Restarting costs as much as there are days to restart at.
        let wealth = self.won.into_iter().fold(0.0, f64::max);
        let price = libm::log10((calibration.agent_days() as f64).max(1.0));
        self.fired |= wealth >= FIRES + price;
    }

    /// Whether the calibration is not to be relied on any more.
    pub fn has_fired(&self) -> bool {
        self.fired
    }
}

#[cfg(test)]
mod tests {
    use tripline_text::Untrusted;

    use super::*;

    /// Seven hundred agent-months, fourteen episodes a day: one day in twenty has a score.
    fn calibration() -> Calibration {
        let mut calibration = Calibration::default();
        let scores = (0..22_000_u64).map(|nth| {
            let log = if nth % 20 == 0 { libm::log10(22_000.0 / (nth as f64 + 1.0)) } else { 0.0 };
            (Score::of(log), 1)
        });
        calibration.add(&Untrusted::borrowed("agent"), 22_000, 14 * 22_000, scores);
        calibration
    }

    #[test]
    fn a_few_odd_episodes_in_a_row_are_fenced_and_one_is_not() {
        let (calibration, budgets) = (calibration(), Budgets::default());
        let mut slow = Slow::default();
        for _ in 0..1_000 {
            slow = slow.after(&calibration, Score::default());
        }
        assert_eq!(slow.verdict(&calibration, &budgets), Verdict::Normal);
        let odd = calibration.line(0.005).unwrap();
        let once = slow.after(&calibration, odd);
        assert!(once.verdict(&calibration, &budgets) < Verdict::Fence);
        let mut often = once;
        for _ in 0..4 {
            often = often.after(&calibration, odd);
        }
        assert_eq!(often.verdict(&calibration, &budgets), Verdict::Fence);
        assert_eq!(often.verdict(&Calibration::default(), &budgets), Verdict::Normal);
    }

    #[test]
    fn the_watchdog_fires_when_the_lines_stop_holding_and_not_before() {
        let calibration = calibration();
        let lines = Lines::draw(&calibration, &Budgets::default());
        let line = lines.watched.unwrap();
        let mut watchdog = Watchdog::default();
        for nth in 0..100_000 {
            let score = if nth % 100 == 0 { line } else { Score::default() };
            watchdog.note(&calibration, &lines, score);
        }
        assert!(!watchdog.has_fired());
        for nth in 0..600 {
            let score = if nth % 10 == 0 { line } else { Score::default() };
            watchdog.note(&calibration, &lines, score);
        }
        assert!(watchdog.has_fired());
    }
}
