//! `tripline backtest --baselines DIR PATH...`

use crate::args::BacktestArgs;
use crate::exit::{Ended, Failure};

#[cfg(feature = "columns")]
pub(crate) fn run(arguments: &BacktestArgs) -> Result<Ended, Failure> {
    use std::io::Write as _;

    use tripline_report::backtest::{Account, write_backtest, write_backtest_json};
    use tripline_report::html;
    use tripline_runtime::{Shelf, replace_file};

    use crate::args::Format;
    use crate::input::now;
    use crate::output::{Output, problems};
    use crate::page::Page;
    use crate::progress::Bar;

    let input = &arguments.input;
    let prepared = input.prepare(Some(&arguments.baselines))?;
    let page = arguments.html.as_deref().map(Page::at).transpose()?;
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
    let backtest = tripline_columns::backtest(&outcomes, &prepared.config().budgets)?;
    let by_rule = report.incidents.iter().filter(|incident| incident.rests_on_rule());
    let account = Account {
        backtest: &backtest,
        agents: prepared.model.maturities().collect(),
        kills_by_rule: by_rule.count(),
    };
    if let Some(page) = page {
        let (made, model) = (now(), prepared.model.id());
        let about = html::AboutBacktest { made, model, tally: &report.tally };
        page.write(|out| html::write_backtest(out, &about, &account))?;
    }
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

#[cfg(not(feature = "columns"))]
pub(crate) fn run(_: &BacktestArgs) -> Result<Ended, Failure> {
    Err(Failure::Usage {
        message: "this build asks no questions about episodes".to_owned(),
        hint: crate::exit::WITH_COLUMNS,
    })
}
