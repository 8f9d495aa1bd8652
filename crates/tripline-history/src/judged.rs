//! Judging: once all is read, every call counted in order of time, and those that were set aside looked at.

use std::io;

use tripline_attribution::Sessions;
use tripline_cloudtrail::Tally;
use tripline_engine::{
    Deployments, Flagged, Incident, Judge, Key, Lesson, Outcome, Purpose, Scored, Ticked, View,
    Vocabulary, judge_all,
};

use crate::ahead::ahead;
use crate::run::{HistoryError, Job};
use crate::sorter::{Batch, SharedRow, Sorter};
use crate::take::Part;
use crate::ticks::Ticks;

/// All calls, counted and judged.
pub(crate) struct Judged {
    pub(crate) incidents: Vec<Incident>,
    pub(crate) sessions: Sessions,
    pub(crate) deployments: Deployments,
    pub(crate) flagged: Flagged,
    pub(crate) outcomes: Vec<Outcome>,
    /// Of each thread.
    pub(crate) vocabularies: Vec<Vocabulary>,
    pub(crate) tally: Tally,
    pub(crate) spilled_bytes: u64,
}

/// All files, read, and whose each call was.
pub(crate) struct Resolved {
    pub(crate) purpose: Purpose,
    pub(crate) sessions: Sessions,
    pub(crate) parts: Vec<Part>,
    pub(crate) tally: Tally,
    pub(crate) spilled_bytes: u64,
}

impl Resolved {
    /// Counts all calls, and judges those that were set aside.
    pub(crate) fn judge(
        mut self,
        job: &Job<'_>,
        keeps_outcomes: bool,
        before: Deployments,
        sink: &mut dyn FnMut(&Scored) -> io::Result<()>,
    ) -> Result<Judged, HistoryError> {
        let new = || Ticks::new(&job.work_dir, 0);
        let ticks = self.parts.iter_mut().map(|part| std::mem::replace(&mut part.ticks, new()));
        let ticks = ticks.collect();
        self.judge_by(ticks, job, keeps_outcomes, before, |_, _| {}, sink)
    }

    /// The same of calls that are to be learned from: `counted` sees the lesson of each, in order of time,
    /// with the number of its part.
    pub(crate) fn judge_lessons(
        mut self,
        job: &Job<'_>,
        counted: impl FnMut(usize, Lesson),
    ) -> Result<Judged, HistoryError> {
        let new = || Ticks::new(&job.work_dir, 0);
        let lessons = self.parts.iter_mut().map(|part| std::mem::replace(&mut part.lessons, new()));
        let lessons = lessons.collect();
        self.judge_by(lessons, job, false, Deployments::default(), counted, &mut |_| Ok(()))
    }

    fn judge_by<T: Ticked>(
        self,
        ticks: Vec<Ticks<T>>,
        job: &Job<'_>,
        keeps_outcomes: bool,
        before: Deployments,
        counted: impl FnMut(usize, T),
        sink: &mut dyn FnMut(&Scored) -> io::Result<()>,
    ) -> Result<Judged, HistoryError> {
        let failed = |source| job.work_dir_failed(source);
        let (mut calls, mut vocabularies, mut normal) = (Vec::new(), Vec::new(), Vec::new());
        for part in self.parts {
            calls.push(part.calls);
            vocabularies.push(part.vocabulary);
            normal.push(part.normal);
        }
        let ticks = Ticks::into_sorted(ticks).map_err(failed)?.batches();
        let ticks = ticks.map(|batch| batch.map_err(failed));
        let batches = Sorter::into_rows(calls).map_err(failed)?.batches();
        let batches = batches.map(|batch| batch.map_err(failed));
        let show_all = self.purpose == Purpose::ShowAll;
        let sessions = self.sessions;
        let tenants = &job.config.tenants;
        let mut judge =
            Judge::new(job.model, &job.filter, tenants, sessions, &vocabularies, show_all)
                .for_whole()
                .knowing(before)
                .told_normal(&normal);
        if keeps_outcomes {
            judge = judge.keeping_outcomes();
        }
        let mut sink = |scored| sink(&scored).map_err(HistoryError::Output);
        let duplicates = match job.threads {
            1 => judge_all(ticks, rows_of(batches), &mut judge, counted, &mut sink)?,
            // Judging takes one thread, which need not bring them into order as well.
            _ => ahead(ticks, |ticks| {
                ahead(batches, |batches| {
                    judge_all(ticks, rows_of(batches), &mut judge, counted, &mut sink)
                })
            })?,
        };
        let mut tally = self.tally;
        tally.read_turned_duplicate(duplicates);
        let judged = judge.finish(View::Whole, job.config);
        let tripline_engine::Judged { incidents, sessions, deployments, flagged, .. } = judged;
        let mut outcomes = judged.outcomes;
        // Of agents that nobody asked for, nothing was weighed.
        outcomes.retain(|outcome| job.filter.shows(Some(&outcome.agent.untrusted())));
        let spilled_bytes = self.spilled_bytes;
        Ok(Judged {
            incidents,
            sessions,
            deployments,
            flagged,
            outcomes,
            vocabularies,
            tally,
            spilled_bytes,
        })
    }
}

/// The rows of batches, up to one that failed.
fn rows_of<E>(
    batches: impl Iterator<Item = Result<Batch, E>>,
) -> impl Iterator<Item = Result<(Key, SharedRow), E>> {
    batches.flat_map(|batch| {
        let (rows, failed) = match batch {
            Ok(batch) => (Some(batch.into_rows()), None),
            Err(error) => (None, Some(Err(error))),
        };
        rows.into_iter().flatten().map(Ok).chain(failed)
    })
}
