//! `export`: every file read once, in parallel; then what was kept of each record, in order of time,
//! with whose call it was.

use std::io;
use std::rc::Rc;

use tripline_attribution::{Session, StoredMint};
use tripline_cloudtrail::{EventTime, Tally};
use tripline_engine::{DamagedRow, Kept, KeptCall, Purpose, ToldBy};

use crate::partial::{Groups, Row};
use crate::run::{HistoryError, Job, Progress};
use crate::sorter::Sorter;
use crate::take::Taken;

/// Whose a call was.
#[derive(Clone, Debug)]
pub struct Attributed {
    /// The session, with its agent.
    pub session: Rc<Session>,
    /// The minute in which the episode began that the call belongs to.
    pub episode_start: EventTime,
}

/// Takes what is exported.
pub trait TableSink {
    /// A call, in order of time and id.
    ///
    /// # Errors
    /// When it cannot be kept; the export ends.
    fn call(&mut self, call: &KeptCall, whose: &Attributed) -> io::Result<()>;

    /// What a record tells of the creation of a credential, in order of its time. Several records may
    /// tell of one.
    ///
    /// # Errors
    /// When it cannot be kept; the export ends.
    fn mint(&mut self, mint: &StoredMint) -> io::Result<()>;
}

/// What was exported.
#[derive(Debug)]
pub struct ExportReport {
    /// What was read.
    pub tally: Tally,
    /// Calls handed out.
    pub calls: u64,
    /// Calls of agents that nobody asked for.
    pub left_out: u64,
    /// Mints handed out.
    pub mints: u64,
    /// How much of the work directory was used.
    pub spilled_bytes: u64,
}

/// Hands all records of `job` to `sink`, one of those that are the same.
///
/// Of a call that several accounts' trails tell of, all copies are handed out: which of them counts may
/// depend on what another export holds.
///
/// # Errors
/// When the work directory or `sink` fails or threads cannot be started.
pub fn export(
    job: &Job<'_>,
    progress: &dyn Progress,
    sink: &mut dyn TableSink,
) -> Result<ExportReport, HistoryError> {
    let taken = Taken::read(job, Purpose::Export, progress)?;
    let (sorters, mut sessions, mut tally, spilled_bytes) = taken.into_attributed();
    let failed = |source| job.work_dir_failed(source);
    let rows = Sorter::into_rows(sorters).map_err(failed)?.map(|row| row.map_err(failed));
    let (mut calls, mut left_out, mut mints, mut twice) = (0, 0, 0, 0);
    for group in Groups::of(vec![Box::new(rows)]) {
        let mut group = group?;
        group.sort_unstable();
        let mut last: Option<Row> = None;
        for row in group {
            let Kept { mint, call } = Kept::from_row(&row.1)?;
            if last.as_ref() == Some(&row) {
                twice += u64::from(call.is_some());
                continue;
            }
            last = Some(row);
            if let Some(mint) = mint {
                mints += 1;
                sink.mint(&mint).map_err(HistoryError::Output)?;
            }
            let Some(call) = call else { continue };
            let (kind, id) = call.used.anchor();
            let place = sessions.place(kind, id).ok_or(DamagedRow)?;
            let is_failed_mint = call.used.is_failed_mint() && call.told == ToldBy::Itself;
            let turn = sessions.note_call(place, call.call.time, is_failed_mint);
            let start = EventTime::from_unix_secs(i64::from(turn.episode_start) * 60);
            let whose = Attributed {
                session: sessions.session_at(turn.session),
                episode_start: start.unwrap_or(EventTime::EPOCH),
            };
            let agent = whose.session.agent().map(|agent| agent.id.untrusted());
            if !job.filter.shows(agent.as_ref()) {
                left_out += 1;
                continue;
            }
            calls += 1;
            sink.call(&call, &whose).map_err(HistoryError::Output)?;
        }
    }
    tally.read_turned_duplicate(twice);
    Ok(ExportReport { tally, calls, left_out, mints, spilled_bytes })
}
