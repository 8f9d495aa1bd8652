//! `tripline sessions [list] PATH...` and `tripline sessions show ID PATH...`

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use tripline_attribution::SessionId;
use tripline_detector::Verdict;
use tripline_engine::Scored;
use tripline_history::Report;
use tripline_report::{ndjson, table, timeline};
use tripline_text::Untrusted;

use crate::args::{Format, InputArgs, SessionsShowArgs};
use crate::exit::{Ended, Failure};
use crate::output::{Output, problems};
use crate::progress::Bar;

/// What was found of a session.
#[derive(Default)]
struct Found {
    findings: u64,
    strongest: Verdict,
}

pub(crate) fn list(input: &InputArgs, baselines: Option<&Path>) -> Result<Ended, Failure> {
    let prepared = input.prepare(baselines)?;
    let bar = Bar::new(input.quiet);
    let mut found: BTreeMap<SessionId, Found> = BTreeMap::new();
    let mut sink = |scored: &Scored| {
        let found = found.entry(scored.session.clone()).or_default();
        found.findings += 1;
        found.strongest = found.strongest.max(scored.assessment.verdict);
        Ok(())
    };
    let report = tripline_history::score(&prepared.job(), false, &bar, &mut sink)?;
    bar.finish();
    let mut out = Output::new(input.color);
    let style = out.style();
    if input.format == Format::Table {
        table::write_session_head(&mut out)?;
    }
    for session in report.sessions.iter() {
        let agent = session.agent().map(|agent| agent.id.untrusted());
        if !prepared.filter.shows(agent.as_ref()) {
            continue;
        }
        match input.format {
            Format::Table => {
                table::write_session(&mut out, &session)?;
                if let Some(found) = found.get(&session.id) {
                    table::write_found(&mut out, found.strongest, found.findings, style)?;
                }
            }
            Format::Ndjson => ndjson::write_session(&mut out, &session)?,
        }
    }
    out.flush()?;
    problems(&report.tally)?;
    summarise(&mut out.for_summary(input.format, input.quiet), &report)?;
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}

pub(crate) fn show(arguments: &SessionsShowArgs) -> Result<Ended, Failure> {
    let input = &arguments.input;
    let prepared = input.prepare(arguments.baselines.as_deref())?;
    let id = Untrusted::new(arguments.id.clone());
    let bar = Bar::new(input.quiet);
    let mut calls = Vec::new();
    let mut sink = |scored: &Scored| {
        if scored.session.untrusted() == id {
            calls.push(scored.clone());
        }
        Ok(())
    };
    let report = tripline_history::score(&prepared.job(), true, &bar, &mut sink)?;
    bar.finish();
    problems(&report.tally)?;
    let Some(session) = report.sessions.by_id(&id) else {
        return Err(Failure::Usage {
            message: format!("no session `{}` in these logs", tripline_text::escape::terminal(&id)),
            hint: "`tripline sessions PATH...` lists them; give logs in which it is",
        });
    };
    let mut out = Output::new(input.color);
    let style = out.style();
    match input.format {
        Format::Table => {
            timeline::write_head(&mut out, &session, &report.sessions, style)?;
            timeline::write_calls(&mut out, &calls, style)?;
            writeln!(out)?;
        }
        Format::Ndjson => {
            for scored in &calls {
                ndjson::write_scored(&mut out, scored, prepared.model.id())?;
            }
        }
    }
    out.flush()?;
    summarise(&mut out.for_summary(input.format, input.quiet), &report)?;
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}

fn summarise(summary: &mut Output, report: &Report) -> Result<(), Failure> {
    let style = summary.style();
    table::write_tally(summary, &report.tally)?;
    table::write_coverage(summary, &report.sessions.coverage(), style)?;
    Ok(summary.flush()?)
}
