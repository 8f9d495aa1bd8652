//! `fixtures`: (re)writes the committed files, or says which of them are stale.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use tripline_testkit::story::{self, Files};

/// Where, and whether to write.
#[derive(Debug, Args)]
pub(crate) struct Fixtures {
    /// Write nothing; fail if a file differs from what would be written.
    #[arg(long)]
    check: bool,
    /// The folder of the fixtures.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures"))]
    dir: PathBuf,
}

impl Fixtures {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let files = story::fixtures();
        let stale = stale(&self.dir, &files);
        if self.check {
            for path in &stale {
                writeln!(std::io::stderr(), "stale: {path}")?;
            }
            if !stale.is_empty() {
                writeln!(std::io::stderr(), "\nhint: run `cargo xtask fixtures`")?;
                return Ok(ExitCode::from(1));
            }
            writeln!(std::io::stdout(), "{} files are fresh", files.len())?;
            return Ok(ExitCode::SUCCESS);
        }
        for path in &stale {
            let full = self.dir.join(path);
            match files.get(path) {
                Some(bytes) => write(&full, bytes)?,
                // The old manifest names it and the new one does not.
                None => fs::remove_file(&full)
                    .with_context(|| format!("cannot remove {}", full.display()))?,
            }
        }
        let bytes: usize = files.values().map(Vec::len).sum();
        writeln!(
            std::io::stdout(),
            "{} files, {bytes} bytes, {} changed",
            files.len(),
            stale.len()
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Files that differ, are missing, or are left over from an earlier generator.
fn stale(dir: &Path, files: &Files) -> BTreeSet<String> {
    let mut stale: BTreeSet<String> = files
        .iter()
        .filter(|(path, bytes)| fs::read(dir.join(path)).ok().as_ref() != Some(*bytes))
        .map(|(path, _)| path.clone())
        .collect();
    let old = fs::read_to_string(dir.join("MANIFEST")).unwrap_or_default();
    let listed = old.lines().filter(|line| !line.starts_with('#'));
    stale.extend(
        listed
            .filter_map(|line| line.split_whitespace().nth(2))
            .filter(|path| !files.contains_key(*path) && dir.join(path).is_file())
            .map(str::to_owned),
    );
    stale
}
