//! `generate`: a tree of any size in flat memory, by as many threads as wanted, with the same bytes for each number of threads.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use tripline_testkit::{AttackPlan, Batch, Cut, Fleet, FleetSpec, Unit, delivery, gzip, manifest};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

/// What to generate.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Where all chance comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many agents.
    #[arg(long, default_value_t = 100)]
    agents: u32,
    /// How many days of work.
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// The tree's folder.
    #[arg(long)]
    out: PathBuf,
    /// Stop after about so many records.
    #[arg(long)]
    records: Option<u64>,
    /// Stop after about so many bytes of JSON; KB, MB and GB are understood.
    #[arg(long, value_parser = bytes)]
    json_bytes: Option<u64>,
    /// Fill files up to so many bytes of JSON, whatever their time; without it files are cut every 5 minutes.
    #[arg(long, value_parser = bytes)]
    file_json_bytes: Option<u64>,
    /// The same in megabytes; CloudTrail's own maximum is 50.
    #[arg(long, conflicts_with = "file_json_bytes")]
    plain_size_mb: Option<u64>,
    /// Attack one session in `--attack-every`.
    #[arg(long, value_enum, default_value = "no")]
    attacks: YesNo,
    /// How rare attacked sessions are.
    #[arg(long, default_value_t = 2000)]
    attack_every: u64,
    /// Threads; the bytes do not depend on it.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The share of agents whose mint carries a tag.
    #[arg(long, default_value_t = 0.9)]
    tagged_share: f64,
    /// Accounts.
    #[arg(long, default_value_t = 4)]
    accounts: u16,
    /// Regions, at most 4.
    #[arg(long, default_value_t = 3)]
    regions: u8,
    /// Sessions an agent opens a day.
    #[arg(long, default_value_t = 14)]
    sessions_per_day: u32,
    /// Compression level, 1 to 12.
    #[arg(long, default_value_t = 1)]
    level: i32,
    /// Write plain `.json`, not gzip.
    #[arg(long)]
    plain: bool,
    /// Write `<out>-truth.ndjson` beside the tree.
    #[arg(long)]
    truth: bool,
    /// Write one scope manifest an agent into this folder.
    #[arg(long)]
    scopes: Option<PathBuf>,
}

/// What one unit became, ready for the disk.
struct Made {
    files: Vec<(String, Vec<u8>)>,
    records: u64,
    json: u64,
    truth: Vec<u8>,
}

/// What is written so far. Units are written in their order, so that a limit cuts at the same place each time.
#[derive(Default)]
struct Written {
    next: usize,
    files: u64,
    records: u64,
    json: u64,
    packed: u64,
    done: bool,
    failed: Option<anyhow::Error>,
}

impl Generate {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        writeln!(std::io::stdout(), "{}", self.write_all()?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Writes the tree and the scopes; says in one line what was written.
    pub(super) fn write_all(&self) -> Result<String> {
        let begun = Instant::now();
        let fleet = Fleet::new(self.spec()?);
        if let Some(dir) = &self.scopes {
            for agent in fleet.world().agents() {
                let dir = dir.join(&agent.id);
                fs::create_dir_all(&dir)
                    .with_context(|| format!("cannot make {}", dir.display()))?;
                fs::write(dir.join("scope.toml"), manifest::scope(agent))?;
            }
        }
        let written = self.write(&fleet)?;
        let secs = begun.elapsed().as_secs_f64();
        let mb = written.json as f64 / 1e6;
        Ok(format!(
            "{} records in {} files: {mb:.1} MB of JSON ({:.0} bytes a record), {:.1} MB on disk, {secs:.2} s, {:.0} MB/s of JSON",
            written.records,
            written.files,
            written.json as f64 / written.records.max(1) as f64,
            written.packed as f64 / 1e6,
            mb / secs.max(1e-9),
        ))
    }

    fn spec(&self) -> Result<FleetSpec> {
        if !(0.0..=1.0).contains(&self.tagged_share) {
            bail!("--tagged-share is between 0 and 1");
        }
        let mut spec = FleetSpec::new(self.seed, self.agents, self.days);
        spec.accounts = self.accounts.max(1);
        spec.regions = self.regions;
        spec.sessions_per_day = self.sessions_per_day;
        spec.tagged_permille = (self.tagged_share * 1000.0).round() as u32;
        if self.attacks == YesNo::Yes {
            spec.attacks = AttackPlan::OneIn(self.attack_every);
        }
        Ok(spec)
    }

    fn file_bytes(&self) -> Option<u64> {
        self.file_json_bytes.or(self.plain_size_mb.map(|mb| mb.saturating_mul(1_000_000)))
    }

    /// The window that makes a unit of some 24 MB, so that memory is flat.
    fn window_secs(&self) -> u64 {
        let a_session = 33_000;
        let a_day = u64::from(self.agents) * u64::from(self.sessions_per_day) * a_session;
        let target = self.file_bytes().unwrap_or(0).max(24_000_000) * u64::from(self.accounts);
        (u128::from(target) * 86_400 / u128::from(a_day.max(1))).clamp(60, 86_400 * 400) as u64
    }

    fn write(&self, fleet: &Fleet) -> Result<Written> {
        let units = fleet.units(self.window_secs());
        let next = AtomicUsize::new(0);
        let state = Mutex::new(Written::default());
        let turn = Condvar::new();
        let truth = self.truth_file()?.map(Mutex::new);
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    let mut batch = Batch::default();
                    let mut body = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(unit) = units.get(number) else { return };
                        if state.lock().unwrap_or_else(PoisonError::into_inner).done {
                            return;
                        }
                        let made = self.make(fleet, *unit, &mut batch, &mut body);
                        let mut written = state.lock().unwrap_or_else(PoisonError::into_inner);
                        while written.next != number && !written.done {
                            written = turn.wait(written).unwrap_or_else(PoisonError::into_inner);
                        }
                        if !written.done {
                            if let Err(error) = self.commit(made, &mut written, truth.as_ref()) {
                                written.done = true;
                                written.failed = Some(error);
                            }
                            written.next = number + 1;
                        }
                        drop(written);
                        turn.notify_all();
                    }
                });
            }
        });
        let mut written = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match written.failed.take() {
            Some(error) => Err(error),
            None => Ok(written),
        }
    }

    fn make(&self, fleet: &Fleet, unit: Unit, batch: &mut Batch, body: &mut Vec<u8>) -> Made {
        batch.clear();
        fleet.make(unit, batch);
        let cut = Cut {
            json_bytes_max: self.file_bytes().unwrap_or(50_000_000) as usize,
            slot_secs: if self.file_bytes().is_some() { 0 } else { 300 },
        };
        let mut made = Made { files: Vec::new(), records: 0, json: 0, truth: Vec::new() };
        for file in fleet.files(unit, batch, cut) {
            delivery::body(batch, &file, body);
            made.records += file.records.len() as u64;
            made.json += body.len() as u64;
            let packed = if self.plain {
                (file.key.trim_end_matches(".gz").to_owned(), body.clone())
            } else {
                (file.key, gzip(body, self.level))
            };
            made.files.push(packed);
        }
        if self.truth {
            fleet.truth_lines(batch, &mut made.truth);
        }
        made
    }

    fn commit(
        &self,
        made: Made,
        written: &mut Written,
        truth: Option<&Mutex<BufWriter<File>>>,
    ) -> Result<()> {
        for (key, bytes) in &made.files {
            let path = self.out.join(key);
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir)
                    .with_context(|| format!("cannot make {}", dir.display()))?;
            }
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            written.packed += bytes.len() as u64;
        }
        if let Some(truth) = truth {
            truth.lock().unwrap_or_else(PoisonError::into_inner).write_all(&made.truth)?;
        }
        written.files += made.files.len() as u64;
        written.records += made.records;
        written.json += made.json;
        written.done = self.records.is_some_and(|limit| written.records >= limit)
            || self.json_bytes.is_some_and(|limit| written.json >= limit);
        Ok(())
    }

    fn truth_file(&self) -> Result<Option<BufWriter<File>>> {
        if !self.truth {
            return Ok(None);
        }
        let path = beside(&self.out, "-truth.ndjson");
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Some(BufWriter::new(file)))
    }
}

/// `dir/name` to `dir/name<suffix>`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// `20MB`, `1GB`, `500000`.
fn bytes(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let (digits, factor) = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1)]
        .iter()
        .find_map(|(unit, factor)| upper.strip_suffix(unit).map(|rest| (rest, *factor)))
        .unwrap_or((upper.as_str(), 1_u64));
    digits
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` is not a size such as 20MB"))
}
