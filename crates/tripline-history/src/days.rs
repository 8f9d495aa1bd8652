//! A history by days: of each day a partial baseline in the work directory, so that the logs are read
//! once, and any days of them as often as somebody likes.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tripline_cloudtrail::Tally;
use tripline_engine::{Fingerprint, HORIZON_SECS, Kept, Key, Purpose, time_of};

use crate::partial::{Groups, PartialWriter};
use crate::run::{HistoryError, Job, Progress};
use crate::sorter::Sorter;
use crate::take::Taken;

const DAY_SECS: u64 = 24 * 3_600;

/// A credential that is used on a day was created so many days before at most.
const MINTS_DAYS: u32 = (HORIZON_SECS as u64).div_ceil(DAY_SECS) as u32;

/// What was kept of each day, in files that go when this goes.
#[derive(Debug)]
pub(crate) struct Days {
    folder: TempDir,
    /// In order of time.
    days: Vec<Day>,
}

/// A day with something on it.
#[derive(Debug)]
struct Day {
    /// As days since 1970.
    day: u32,
    /// Whether there are calls that count; else it has mints alone.
    has_calls: bool,
    has_mints: bool,
    bytes: u64,
}

/// Days that are looked at together.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The first day that belongs to it, whether it has anything or not, as days since 1970.
    pub(crate) from_day: u32,
    /// What was kept of its days, and of the credentials that were created shortly before.
    pub(crate) partials: Vec<PathBuf>,
    /// How long the files of its days are.
    pub(crate) bytes: u64,
}

impl Days {
    /// Reads all of `job`. The work directory then has some part of the logs' length for as long as
    /// this lives.
    pub(crate) fn read(
        job: &Job<'_>,
        progress: &dyn Progress,
    ) -> Result<(Self, Tally), HistoryError> {
        let failed = |source| job.work_dir_failed(source);
        let (sorters, mut tally, _) = Taken::read(job, Purpose::Keep, progress)?.into_kept();
        let rows = Sorter::into_rows(sorters).map_err(failed)?.map(|row| row.map_err(failed));
        let folder = tempfile::Builder::new().prefix("days-").tempdir_in(&job.work_dir);
        let mut days = Self { folder: folder.map_err(failed)?, days: Vec::new() };
        let mut writing: Option<Writing> = None;
        let mut twice = 0;
        for group in Groups::of(vec![Box::new(rows)]) {
            let mut group = group?;
            let all = group.len() as u64;
            group.sort_unstable();
            group.dedup();
            twice += all - group.len() as u64;
            for (key, row) in &group {
                // INVARIANT: event times end in 2106.
                let day = (time_of(key) / DAY_SECS) as u32;
                if writing.as_ref().is_none_or(|writing| writing.day.day != day) {
                    days.end(writing.take()).map_err(failed)?;
                }
                let writing = match &mut writing {
                    Some(writing) => writing,
                    none => none.insert(
                        Writing::begin(days.folder.path(), day, job.fingerprint())
                            .map_err(failed)?,
                    ),
                };
                let kept = Writing::split(row)?;
                writing.row(key, row, kept).map_err(failed)?;
            }
        }
        days.end(writing).map_err(failed)?;
        let kept = tally.records.seen;
        tally.read_turned_duplicate(twice.min(kept));
        Ok((days, tally))
    }

    fn end(&mut self, writing: Option<Writing>) -> std::io::Result<()> {
        let Some(Writing { mut day, calls, mints }) = writing else { return Ok(()) };
        day.bytes = calls.finish()?.metadata()?.len();
        mints.finish()?;
        self.days.push(day);
        Ok(())
    }

    /// The days with calls, in steps of so many, counted from the first of them. A step in which there
    /// is nothing is left out.
    pub(crate) fn steps(&self, every: u32) -> Vec<Step> {
        let Some(first) = self.days.iter().find(|day| day.has_calls).map(|day| day.day) else {
            return Vec::new();
        };
        let counted: Vec<&Day> = self.days.iter().filter(|day| day.day >= first).collect();
        let every = every.max(1);
        let step_of = |day: &Day| (day.day - first) / every;
        let steps = counted.chunk_by(|one, other| step_of(one) == step_of(other));
        steps
            .filter_map(|days| {
                let from_day = first + step_of(days.first()?) * every;
                let shortly = from_day.saturating_sub(MINTS_DAYS)..from_day;
                let before = self.days.iter().filter(|day| shortly.contains(&day.day));
                let mints = before.filter(|day| day.has_mints);
                let mints = mints.map(|day| mints_path(self.folder.path(), day.day));
                let calls = days.iter().map(|day| calls_path(self.folder.path(), day.day));
                Some(Step {
                    from_day,
                    partials: mints.chain(calls).collect(),
                    bytes: days.iter().map(|day| day.bytes).sum(),
                })
            })
            .collect()
    }
}

fn calls_path(folder: &Path, day: u32) -> PathBuf {
    folder.join(format!("{day}.partial"))
}

fn mints_path(folder: &Path, day: u32) -> PathBuf {
    folder.join(format!("{day}.mints.partial"))
}

/// The day that is being written.
struct Writing {
    day: Day,
    calls: PartialWriter<File>,
    mints: PartialWriter<File>,
}

impl Writing {
    fn begin(folder: &Path, day: u32, fingerprint: Fingerprint) -> std::io::Result<Self> {
        let file = |path| PartialWriter::begin(File::create(path)?, fingerprint);
        Ok(Self {
            day: Day { day, has_calls: false, has_mints: false, bytes: 0 },
            calls: file(calls_path(folder, day))?,
            mints: file(mints_path(folder, day))?,
        })
    }

    /// The row's mint, as a row of its own, and whether there is a call.
    fn split(row: &[u8]) -> Result<(Option<Vec<u8>>, bool), HistoryError> {
        // A row begins with whether it has a mint; most have none, and without one it is a call.
        if row.first() == Some(&0) {
            return Ok((None, true));
        }
        let Kept { mint, call } = Kept::from_row(row)?;
        let has_call = call.is_some();
        let kept = Kept { mint, call: None };
        // INVARIANT: no map and no unsized sequence, all that postcard refuses.
        Ok((Some(postcard::to_extend(&kept, Vec::new()).unwrap_or_default()), has_call))
    }

    fn row(
        &mut self,
        key: &Key,
        row: &[u8],
        (mint, has_call): (Option<Vec<u8>>, bool),
    ) -> std::io::Result<()> {
        self.day.has_calls |= has_call;
        if let Some(mint) = mint {
            self.day.has_mints = true;
            self.mints.row(key, &mint)?;
        }
        self.calls.row(key, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_its_days_and_the_mints_of_those_just_before() {
        let day = |day, has_calls, has_mints| Day { day, has_calls, has_mints, bytes: 10 };
        let days = vec![
            // What minted before the time that somebody asked for.
            day(99, false, true),
            day(100, true, true),
            day(105, true, false),
            day(106, true, true),
            // A step later, and one that nothing happened in.
            day(107, true, true),
            day(121, true, false),
            day(122, false, true),
        ];
        let days = Days { folder: tempfile::tempdir().unwrap(), days };
        let told = |every| -> Vec<(u32, String, u64)> {
            let steps = days.steps(every).into_iter();
            let name = |path: &PathBuf| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                name.replace(".partial", "")
            };
            let told = |step: Step| {
                let names: Vec<String> = step.partials.iter().map(name).collect();
                (step.from_day, names.join(" "), step.bytes)
            };
            steps.map(told).collect()
        };
        let step = |from_day, names: &str, bytes| (from_day, names.to_owned(), bytes);
        assert_eq!(
            told(7),
            [
                step(100, "99.mints 100 105 106", 30),
                step(107, "106.mints 107", 10),
                step(121, "121 122", 20),
            ]
        );
        // A credential may be used on the day after the next one.
        assert_eq!(told(1)[3], step(107, "106.mints 107", 10));
        assert_eq!(told(1)[1], step(105, "105", 10));
        assert_eq!(told(2)[2], step(106, "106 107", 20));
        assert!(
            Days { folder: tempfile::tempdir().unwrap(), days: Vec::new() }.steps(7).is_empty()
        );
    }
}
