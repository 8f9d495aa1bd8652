//! `tripline backtest --baselines DIR PATH...`

use std::io::Write;

use tripline_cloudtrail::EventTime;
use tripline_engine::Backtest;
use tripline_report::backtest::{Account, write_backtest, write_backtest_json};
use tripline_runtime::{Shelf, replace_file};

use crate::args::{BacktestArgs, Format};
use crate::exit::{Ended, Failure};
use crate::output::{Output, problems};
use crate::progress::Bar;

pub(crate) fn run(arguments: &BacktestArgs) -> Result<Ended, Failure> {
    let input = &arguments.input;
    let prepared = input.prepare(Some(&arguments.baselines))?;
    let bar = Bar::new(input.quiet);
    let (report, outcomes) = tripline_history::backtest(&prepared.job(), &bar, &mut |_| Ok(()))?;
    bar.finish();
    problems(&report.tally)?;
    if outcomes.is_empty() {
        return Err(Failure::Usage {
            message: "no episode of these logs can be counted".to_owned(),
            hint: "only agents whose baseline is mature are, from the day after the last one that it \
                   was learned from: learn from older logs, and give newer ones here",
        });
    }
    let budgets = prepared.config().budgets;
    let backtest = Backtest::of(&outcomes, &budgets);
    let from = i64::from(backtest.held_out.from_day) * 86_400;
    let from = EventTime::from_unix_secs(from).unwrap_or(EventTime::EPOCH).to_string();
    let by_rule = report.incidents.iter().filter(|incident| incident.rests_on_rule());
    let account = Account {
        backtest: &backtest,
        budgets: &budgets,
        agents: prepared.model.maturities().collect(),
        kills_by_rule: by_rule.count(),
        from: from.get(..10).unwrap_or_default().to_owned(),
    };
    let mut out = Output::new(input.color);
    match input.format {
        Format::Table => {
            let style = out.style();
            write_backtest(&mut out, &account, style)?;
        }
        Format::Ndjson => write_backtest_json(&mut out, &account)?,
    }
    out.flush()?;
    if arguments.save {
        let path = Shelf::new(&arguments.baselines).calibration_path();
        let failed = |source| Failure::File { path: path.clone(), source };
        let text = backtest.calibration.to_text().map_err(|error| failed(error.into()))?;
        replace_file(&path, &text).map_err(failed)?;
    }
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}
