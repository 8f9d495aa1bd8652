//! `tripline sessions [list] PATH...`

use std::io::Write;

use tripline_report::{ndjson, table};

use crate::args::{Format, InputArgs};
use crate::exit::{Ended, Failure};
use crate::output::{Output, problems};
use crate::progress::Bar;

pub(crate) fn run(input: &InputArgs) -> Result<Ended, Failure> {
    let prepared = input.prepare(None)?;
    let bar = Bar::new(input.quiet);
    let report = tripline_history::score(&prepared.job(), false, &bar, &mut |_| Ok(()))?;
    bar.finish();
    let mut out = Output::new(input.color);
    if input.format == Format::Table {
        table::write_session_head(&mut out)?;
    }
    for session in report.sessions.iter() {
        let agent = session.agent().map(|agent| agent.id.untrusted());
        if !prepared.filter.shows(agent.as_ref()) {
            continue;
        }
        match input.format {
            Format::Table => table::write_session(&mut out, &session)?,
            Format::Ndjson => ndjson::write_session(&mut out, &session)?,
        }
    }
    out.flush()?;
    problems(&report.tally)?;
    let mut summary = out.for_summary(input.format, input.quiet);
    let style = summary.style();
    table::write_tally(&mut summary, &report.tally)?;
    table::write_coverage(&mut summary, &report.sessions.coverage(), style)?;
    summary.flush()?;
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}
