//! `tripline backtest --baselines DIR PATH...`

use crate::args::BacktestArgs;
use crate::exit::{Ended, Failure};

#[cfg(feature = "columns")]
pub(crate) use told::run;

#[cfg(feature = "columns")]
mod told {
    use std::io::Write as _;

    use tripline_cloudtrail::Tally;
    use tripline_columns::History;
    use tripline_engine::{Model, Relearned};
    use tripline_history::{Progress as _, Replay, ReplayReport};
    use tripline_report::backtest::{Account, write_backtest, write_backtest_json};
    use tripline_report::html;
    use tripline_runtime::{Shelf, replace_file};

    use super::{BacktestArgs, Ended, Failure};
    use crate::args::{Format, Relearn};
    use crate::input::{Prepared, now};
    use crate::output::{Output, problems};
    use crate::page::Page;
    use crate::progress::Bar;

    /// Days of a step where nothing is learned anew.
    const STEP_DAYS: u32 = 7;

    /// What came of the logs.
    struct Scored {
        history: History,
        /// What the last of them were judged by.
        model: Model,
        relearned: Option<Relearned>,
        kills_by_rule: usize,
        tally: Tally,
    }

    pub(crate) fn run(arguments: &BacktestArgs) -> Result<Ended, Failure> {
        let input = &arguments.input;
        if arguments.save && input.leaves_out_places() {
            return Err(Failure::Usage {
                message: "lines are of the whole fleet: they are not saved from a part of it"
                    .to_owned(),
                hint: "leave out --agent, --account and --region, or --save",
            });
        }
        let prepared = input.prepare(Some(&arguments.baselines))?;
        let page = arguments.html.as_deref().map(Page::at).transpose()?;
        let budgets = prepared.config().budgets;
        let scored = match arguments.relearn {
            Relearn::Every(days) => replay(arguments, prepared, days.get().into())?,
            Relearn::Never => score(arguments, prepared)?,
        };
        let Scored { history, model, relearned, kills_by_rule, tally } = scored;
        problems(&tally)?;
        if history.is_empty() {
            return Err(Failure::Usage {
                message: "no episode of these logs can be counted".to_owned(),
                hint: "only agents whose baseline is mature are, from the day after the last one that it \
                       was learned from: learn from older logs, and give newer ones here",
            });
        }
        let backtest = history.backtest(&budgets)?;
        let agents = model.maturities().collect();
        let account = Account { backtest: &backtest, agents, kills_by_rule, relearned };
        if let Some(page) = page {
            let about = html::AboutBacktest { made: now(), model: model.id(), tally: &tally };
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
        Ok(Ended { unread: tally.has_problems(), ..Ended::default() })
    }

    /// Step by step, by what would have been known by then.
    fn replay(
        arguments: &BacktestArgs,
        mut prepared: Prepared,
        every_days: u32,
    ) -> Result<Scored, Failure> {
        // What was learned comes from the folder, step by step; two of it would take twice the room.
        prepared.model = prepared.model.declared();
        let job = prepared.job();
        let bar = Bar::new(arguments.input.quiet);
        let mut replay = Replay::read(&job, &arguments.baselines, every_days, &bar)?;
        bar.finish();
        let bar = Bar::new(arguments.input.quiet);
        let (steps, bytes) = replay.left();
        bar.total(steps, bytes);
        let mut history = History::default();
        loop {
            let before = (!history.is_empty()).then(|| history.calibration()).transpose()?;
            let Some(step) = replay.step(before)? else { break };
            history.add(step.from_day, &step.outcomes, step.forecast)?;
            bar.file(step.bytes, 0);
        }
        bar.finish();
        let ReplayReport { model, relearned, kills_by_rule, tally } = replay.end();
        Ok(Scored { history, model, relearned: Some(relearned), kills_by_rule, tally })
    }

    /// All of it by the baselines as they are.
    fn score(arguments: &BacktestArgs, prepared: Prepared) -> Result<Scored, Failure> {
        let bar = Bar::new(arguments.input.quiet);
        let (report, outcomes) =
            tripline_history::backtest(&prepared.job(), &bar, &mut |_| Ok(()))?;
        bar.finish();
        let by_rule = report.incidents.iter().filter(|incident| incident.rests_on_rule());
        // How often each agent is at work is all that the forecast takes from it.
        let all = History::in_steps(&outcomes, STEP_DAYS, None)?.calibration()?;
        let forecast = prepared.model.forecast(&all, &prepared.config().budgets);
        Ok(Scored {
            history: History::in_steps(&outcomes, STEP_DAYS, forecast.as_ref())?,
            relearned: None,
            kills_by_rule: by_rule.count(),
            tally: report.tally,
            model: prepared.model,
        })
    }
}

#[cfg(not(feature = "columns"))]
pub(crate) fn run(_: &BacktestArgs) -> Result<Ended, Failure> {
    Err(Failure::Usage {
        message: "this build asks no questions about episodes".to_owned(),
        hint: crate::exit::WITH_COLUMNS,
    })
}
