//! Where days ended up, as bars: how thin the tail is that a line cuts off.

use std::io::{self, Write};

use tripline_detector::{Score, Verdict};
use tripline_engine::{Backtest, HEIGHT, TIERS};

use crate::table::Style;

/// The last bar is that of eight powers of ten and above: who comes here has passed every line there is.
const LAST: u16 = 800 / HEIGHT;

/// The bar of most days, in columns.
const BAR_COLUMNS: f64 = 26.0;

/// A bar of the picture.
#[derive(Debug, PartialEq)]
pub(crate) struct Height {
    /// From this score to below the next height's; the last bar has all that are higher.
    pub(crate) from: Score,
    /// How many days ended up there.
    pub(crate) days: u64,
    /// Its length, where that of most days is 1. Days are counted by their logarithm: one day among a
    /// hundred thousand is what it is about.
    pub(crate) length: f64,
    /// Lines to arm that lie in it, the lowest first.
    pub(crate) lines: Vec<(Verdict, Score)>,
}

/// The bars from nothing to the highest day or line.
pub(crate) fn heights(backtest: &Backtest) -> Vec<Height> {
    let armed = TIERS.map(|tier| backtest.lines.of(tier).map(|line| (tier, line)));
    let mut armed: Vec<(Verdict, Score)> = armed.into_iter().flatten().collect();
    armed.sort_by_key(|(tier, line)| (*line, *tier));
    let top_line = armed.last().map(|(_, line)| *line);
    let top = backtest.heights.keys().next_back().copied().max(top_line).unwrap_or_default();
    let bar_of = |score: Score| (score.hundredths() / HEIGHT).min(LAST);
    let most = backtest.heights.values().copied().max().unwrap_or(1);
    let bar = |nth: u16| {
        let days = backtest.heights.iter().filter(|(from, _)| bar_of(**from) == nth);
        let days = days.map(|(_, days)| *days).sum();
        Height {
            from: Score::from_hundredths(nth * HEIGHT).unwrap_or(Score::MAX),
            days,
            length: ((days as f64).ln_1p() / (most as f64).ln_1p()).min(1.0),
            lines: armed.iter().filter(|(_, line)| bar_of(*line) == nth).copied().collect(),
        }
    };
    (0..=bar_of(top)).map(bar).collect()
}

/// The bars as lines of text.
pub(super) fn write(out: &mut impl Write, backtest: &Backtest, style: Style) -> io::Result<()> {
    for Height { from, days, length, lines } in heights(backtest) {
        let bar = "#".repeat((length * BAR_COLUMNS).round() as usize);
        let bar = format!("{bar} {days}");
        let lines = lines.into_iter();
        let lines = lines.map(|(verdict, line)| format!("< {line} {}", style.verdict(verdict)));
        let lines = lines.collect::<Vec<_>>().join(" ");
        let from = format!("{:.1}", from.log10());
        let row = format!("  10^{from:<4} {bar:<34} {lines}");
        writeln!(out, "{}", row.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tests::backtest;
    use super::*;

    #[test]
    fn every_day_and_every_line_is_in_one_bar() {
        let backtest = backtest();
        let bars = heights(&backtest);
        let days: u64 = backtest.heights.values().sum();
        assert_eq!(bars.iter().map(|bar| bar.days).sum::<u64>(), days);
        let lines: Vec<_> = bars.iter().flat_map(|bar| bar.lines.clone()).collect();
        let armed = TIERS.map(|tier| backtest.lines.of(tier).map(|line| (tier, line)));
        let armed: BTreeMap<_, _> = armed.into_iter().flatten().collect();
        assert!(lines.is_sorted_by_key(|(_, line)| *line));
        assert_eq!(lines.into_iter().collect::<BTreeMap<_, _>>(), armed);
        assert_eq!(bars.iter().filter(|bar| bar.length == 1.0).count(), 1);
        for bar in &bars {
            let inside = |(_, line): &(Verdict, Score)| {
                *line >= bar.from && line.hundredths() < bar.from.hundredths() + HEIGHT
            };
            assert!(bar.from.log10() == 8.0 || bar.lines.iter().all(inside), "{bar:?}");
            assert_eq!(bar.days == 0, bar.length == 0.0);
        }
    }
}
