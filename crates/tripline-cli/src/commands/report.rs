//! `tripline report PATH...`

use std::io::{self, Write};
use std::path::PathBuf;

use tripline_cloudtrail::{Fate, Limits, Reader, Record};
use tripline_detector::{Score, Verdict};
use tripline_report::html::{self, About, Done, Gathered, Look, Selection};
use tripline_runtime::{Leaf, Shelf, all_baselines, files, hash_seed, read_entries};

use crate::args::ReportArgs;
use crate::exit::{Ended, Failure};
use crate::input::now;
use crate::logbook::{self, LogPlace};
use crate::output::problems;
use crate::page::Page;
use crate::progress::Bar;
use crate::switch;

pub(crate) fn run(arguments: &ReportArgs) -> Result<Ended, Failure> {
    let input = &arguments.input;
    let prepared = input.prepare(arguments.baselines.as_deref())?;
    let done = arguments.state.as_ref().map(done).transpose()?;
    let page = Page::at(&arguments.out)?;
    let bar = Bar::new(input.quiet);
    let mut gathered = Gathered::new(hash_seed());
    let mut sink = |scored: &_| {
        gathered.note(scored);
        Ok(())
    };
    let report = tripline_history::score(&prepared.job(), true, &bar, &mut sink)?;
    let selection = Selection::new(gathered, &report.sessions, &report.incidents, &prepared.filter);
    let mut look = Look::new(&selection);
    if selection.wants_records() {
        look_again(&input.paths, &mut look);
    }
    let about = About {
        made: now(),
        model: prepared.model.id(),
        tally: &report.tally,
        coverage: report.sessions.coverage(),
        lines: prepared.model.lines().map(|lines| html::Lines {
            fence: lines.of(Verdict::Fence).map(Score::log10),
            kill: lines.of(Verdict::Kill).map(Score::log10),
        }),
        done: done.as_ref(),
        filter: &prepared.filter,
    };
    // They were read once already, when they were found sound.
    let shelf = arguments.baselines.as_deref().map(Shelf::new);
    let known = shelf.as_ref().map(|shelf| all_baselines(shelf, Leaf::Baseline)).transpose()?;
    let known = known.into_iter().flatten().filter_map(Result::ok);
    let bytes = page.write(|out| html::write(out, &about, selection, &look, known))?;
    bar.finish();
    problems(&report.tally)?;
    if !input.quiet {
        let path = arguments.out.display();
        writeln!(
            io::stdout(),
            "{path}: {} incidents, {} KB",
            report.incidents.len(),
            bytes.div_ceil(1_000)
        )?;
    }
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}

/// What an action log says.
fn done(place: &LogPlace) -> Result<Done, Failure> {
    let text = switch::runtime()?.block_on(logbook::text(place.clone()))?;
    let (ledger, entries) = read_entries(text.lines())?;
    Ok(Done::new(ledger, entries))
}

/// The logs a second time: only now it is known whose records are wanted.
fn look_again(paths: &[PathBuf], look: &mut Look) {
    let (mut reader, mut buffer) = (Reader::new(Limits::default()), Vec::new());
    for file in files(paths).0 {
        // What cannot be read was named the first time.
        let _ = file.read(&mut reader, &mut buffer, &mut |record: &Record<'_>| {
            look.note(record);
            Fate::Read
        });
    }
}
