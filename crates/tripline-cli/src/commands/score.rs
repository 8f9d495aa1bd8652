//! `tripline score PATH...`

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::json;
use tripline_detector::Verdict;
use tripline_engine::{Incident, Scored};
use tripline_history::Report;
use tripline_report::sarif::Sarif;
use tripline_report::{ndjson, ocsf, table};

use crate::args::{FailOn, FindingsFormat, ScoreArgs};
use crate::exit::{Ended, Failure};
use crate::output::{Output, problems};
use crate::progress::Bar;

/// The program's, for findings that name what found them.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(arguments: &ScoreArgs) -> Result<Ended, Failure> {
    let input = &arguments.input;
    let prepared = input.prepare(arguments.baselines.as_deref())?;
    let bar = Bar::new(input.quiet);
    let mut out = Output::new(input.color);
    let style = out.style();
    let mut strongest = Verdict::Normal;
    let mut sarif = Sarif::default();
    match input.format {
        FindingsFormat::Table => table::write_scored_head(&mut out)?,
        FindingsFormat::Sarif => sarif.begin(&mut out)?,
        FindingsFormat::Ndjson | FindingsFormat::Ocsf => {}
    }
    let mut sink = |scored: &Scored| {
        strongest = strongest.max(scored.assessment.verdict);
        match input.format {
            FindingsFormat::Table => table::write_scored(&mut out, scored, style),
            FindingsFormat::Ndjson => ndjson::write_scored(&mut out, scored, prepared.model.id()),
            FindingsFormat::Ocsf => ocsf::write(&mut out, scored, prepared.model.id(), VERSION),
            FindingsFormat::Sarif => sarif.write(&mut out, scored),
        }
    };
    let report = tripline_history::score(&prepared.job(), arguments.all, &bar, &mut sink)?;
    bar.finish();
    if input.format == FindingsFormat::Sarif {
        sarif.end(&mut out, prepared.model.id(), VERSION)?;
    }
    if input.format == FindingsFormat::Table {
        for incident in &report.incidents {
            writeln!(out)?;
            table::write_incident(&mut out, incident, style)?;
        }
        writeln!(out)?;
    }
    out.flush()?;
    problems(&report.tally)?;
    summarise(&mut out.for_summary(input.format.into(), input.quiet), &report)?;
    if let Some(file) = &arguments.plan_file {
        write_plans(file, &report.incidents)?;
    }
    let at_least = arguments.fail_on.map(Verdict::from);
    Ok(Ended {
        unread: report.tally.has_problems(),
        findings: at_least.is_some_and(|at_least| strongest >= at_least),
        unproven: false,
    })
}

fn summarise(summary: &mut Output, report: &Report) -> Result<(), Failure> {
    let style = summary.style();
    table::write_tally(summary, &report.tally)?;
    table::write_coverage(summary, &report.sessions.coverage(), style)?;
    if report.spilled_bytes > 0 {
        writeln!(
            summary,
            "work directory: {} MB written",
            report.spilled_bytes.div_ceil(1_000_000)
        )?;
    }
    Ok(summary.flush()?)
}

/// All plans, for programs. Nothing carries them out.
fn write_plans(file: &Path, incidents: &[Incident]) -> Result<(), Failure> {
    let plans: Vec<_> = incidents
        .iter()
        .map(|incident| match &incident.plan {
            Ok(plan) => json!({"opened": incident.opened.to_string(), "plan": plan.to_json()}),
            Err(refusal) => {
                json!({"opened": incident.opened.to_string(), "refused": refusal.to_string()})
            }
        })
        .collect();
    let text = format!("{:#}\n", serde_json::Value::Array(plans));
    fs::write(file, text).map_err(|source| Failure::File { path: file.to_owned(), source })
}

impl From<FailOn> for Verdict {
    fn from(at_least: FailOn) -> Self {
        match at_least {
            FailOn::Alert => Self::Alert,
            FailOn::Fence => Self::Fence,
            FailOn::Kill => Self::Kill,
        }
    }
}
