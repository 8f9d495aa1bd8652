//! `tripline export --out DIR PATH...`

use crate::args::ExportArgs;
use crate::exit::{Ended, Failure};

#[cfg(feature = "columns")]
pub(crate) fn run(arguments: &ExportArgs) -> Result<Ended, Failure> {
    use std::io::Write as _;

    use tripline_report::table;

    use crate::output::{Output, problems};
    use crate::progress::Bar;

    let input = &arguments.input;
    // Scopes and what was learned judge nothing here; the settings say who is an agent.
    let prepared = input.prepare(None)?;
    let job = prepared.job();
    let mut export = tripline_columns::Export::create(&arguments.out, job.fingerprint())?;
    let bar = Bar::new(input.quiet);
    let report = tripline_history::export(&job, &bar, &mut export)?;
    bar.finish();
    export.add_episodes(&job)?;
    let written = export.publish()?;
    problems(&report.tally)?;
    let mut summary = Output::new(input.color).for_summary(input.format, input.quiet);
    let folder = arguments.out.display();
    writeln!(
        summary,
        "`{folder}`: {} events, {} mints, {} episodes; {} files, {} MB",
        written.events,
        written.mints,
        written.episodes,
        written.files,
        written.bytes.div_ceil(1_000_000)
    )?;
    if report.left_out > 0 {
        writeln!(summary, "of other agents, left out: {} records", report.left_out)?;
    }
    table::write_tally(&mut summary, &report.tally)?;
    if report.spilled_bytes > 0 {
        let megabytes = report.spilled_bytes.div_ceil(1_000_000);
        writeln!(summary, "work directory: {megabytes} MB written")?;
    }
    summary.flush()?;
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}

#[cfg(not(feature = "columns"))]
pub(crate) fn run(_: &ExportArgs) -> Result<Ended, Failure> {
    Err(Failure::Usage {
        message: "this build writes no Parquet".to_owned(),
        hint: crate::exit::WITH_COLUMNS,
    })
}
