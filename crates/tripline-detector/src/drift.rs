//! What single episodes do not tell: a slow attack over many of them, and a calibration that has
//! stopped holding.
//!
//! Both are tests by betting on the rank of a day's highest score among those of the calibration, which
//! is even as long as nothing has changed. It is days that are alike, and not episodes: a new task shows
//! the same new thing in all episodes of its first day. And a day's highest score is the same in whatever
//! order its episodes become known.

use serde::{Deserialize, Serialize};

use crate::calibration::{Budgets, Calibration, Lines};
use crate::evidence::Score;
use crate::verdict::Verdict;

/// The evidence that an agent has changed, over its days at work so far: an e-detector (Shin, Ramdas,
/// Rinaldo 2022). It restarts with each day, so that when the change came does not matter; without one it
/// passes `A` not before `A` days, on average, however long one looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slow(f64);

/// How far back it looks, in days: what calm days leave of what was before them is a third each, so that
/// nothing is lost.
pub const SLOW_DAYS: u32 = 32;

/// Its part of a budget, of which less comes true: in the worst case, agents whose every day has a score,
/// 0.15 false fences a month and 0.53 alerts on top of the lines' (two million days simulated, of even
/// ranks), which the lines leave of the budgets; with the whole budget it would be 0.62 and 2.26.
const PART: f64 = 0.25;

/// The bet on small ranks: 0.3 p^-0.7, which is worth 1 on average (detector.md section 4).
fn bet(chance: f64) -> f64 {
    0.3 * libm::pow(chance, -0.7)
}

impl Slow {
    /// With one more day, and how high it came.
    #[must_use]
    pub fn after(self, calibration: &Calibration, highest: Score) -> Self {
        Self(bet(calibration.chance(highest)) * (self.0 + 1.0))
    }

    /// What it asks for: an alert or a fence as often as a part of their budgets allows, never a kill.
    pub fn verdict(self, calibration: &Calibration, budgets: &Budgets) -> Verdict {
        let passes = |verdict| {
            let share = budgets.of(verdict).and_then(|it| calibration.share_of(it));
            share.is_some_and(|share| self.0 * share * PART >= 1.0)
        };
        [Verdict::Fence, Verdict::Alert].into_iter().find(|it| passes(*it)).unwrap_or_default()
    }
}

/// Whether a class of agents still behaves as it did when it was calibrated: too many days above the
/// line that one in a hundred passed mean that it does not, and then its lines hold for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Notes a day of the class that is over: of how many of its agents, and how many of these came above
    /// the line ([`Lines::is_watched`]). What order they came in makes no difference.
    pub fn note(&mut self, calibration: &Calibration, agents: u64, above: u64) {
        let below = agents.saturating_sub(above) as f64;
        for (won, times) in self.won.iter_mut().zip([3.0, 10.0]) {
            let more = WATCHED * times;
            let lost = libm::log10((1.0 - more) / (1.0 - WATCHED));
            *won += above as f64 * libm::log10(times) + below * lost;
            // What went well long ago must not hold it back: it starts anew on any day.
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

impl Lines {
    /// Whether a score is above the line whose holding is watched.
    pub fn is_watched(&self, score: Score) -> bool {
        self.watched.is_some_and(|line| score >= line)
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
    fn a_few_odd_days_in_a_row_are_fenced_and_one_is_not() {
        let (calibration, budgets) = (calibration(), Budgets::default());
        let mut slow = Slow::default();
        for _ in 0..1_000 {
            slow = slow.after(&calibration, Score::default());
        }
        assert_eq!(slow.verdict(&calibration, &budgets), Verdict::Normal);
        let odd = calibration.line(0.005).unwrap();
        let once = slow.after(&calibration, odd);
        assert!(once.verdict(&calibration, &budgets) < Verdict::Fence);
        // Of what no line would be passed by: one day in ten comes as high.
        let small = calibration.line(0.045).unwrap();
        assert_eq!(
            slow.after(&calibration, small).verdict(&calibration, &budgets),
            Verdict::Normal
        );
        let mut often = slow;
        for _ in 0..5 {
            often = often.after(&calibration, small);
        }
        assert_eq!(often.verdict(&calibration, &budgets), Verdict::Fence);
        assert_eq!(often.verdict(&Calibration::default(), &budgets), Verdict::Normal);
    }

    #[test]
    fn what_was_before_the_days_that_are_looked_at_is_worth_nothing() {
        let calibration = calibration();
        let after = |mut slow: Slow| {
            for _ in 0..SLOW_DAYS {
                slow = slow.after(&calibration, Score::default());
            }
            slow.0
        };
        let highest =
            Slow::default().after(&calibration, Score::MAX).after(&calibration, Score::MAX);
        assert!((after(highest) - after(Slow::default())).abs() < 0.001);
    }

    #[test]
    fn the_watchdog_fires_when_the_lines_stop_holding_and_not_before() {
        let calibration = calibration();
        let mut watchdog = Watchdog::default();
        for _ in 0..1_000 {
            watchdog.note(&calibration, 100, 1);
        }
        assert!(!watchdog.has_fired());
        for _ in 0..60 {
            watchdog.note(&calibration, 10, 1);
        }
        assert!(watchdog.has_fired());
        // It stays so.
        watchdog.note(&calibration, 1_000_000, 0);
        assert!(watchdog.has_fired());
    }

    #[test]
    fn what_is_watched_is_one_day_in_a_hundred() {
        let calibration = calibration();
        let lines = Lines::draw(&calibration, &Budgets::default());
        let line = lines.watched.unwrap();
        assert!(lines.is_watched(line) && !lines.is_watched(Score::default()));
        assert!(!Lines::default().is_watched(Score::MAX));
        assert!(calibration.reaching(line) <= 220);
    }
}
