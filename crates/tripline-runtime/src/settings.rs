//! The user's settings, from the files they stand in.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tripline_baseline::{Scope, ScopeError, Subject};
use tripline_detector::{Invariants, SettingsError as InvariantError};
use tripline_engine::{Config, ConfigError, Model, ScopeTwice};
use tripline_text::escape;

/// Settings that cannot be used, and which file they stand in.
#[derive(Debug, Error)]
#[error("`{}`: {kind}", path.display())]
pub struct SettingsError {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub kind: SettingsProblem,
}

/// What is wrong with settings.
#[derive(Debug, Error)]
pub enum SettingsProblem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is no `tripline.toml` of ours.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// It sets an invariant that there is not, or gives it something that cannot be.
    #[error("{0}")]
    Invariants(#[from] InvariantError),
    /// It is no scope manifest of ours.
    #[error("{0}")]
    Scope(#[from] ScopeError),
    /// Two manifests are about the same agent or class.
    #[error("two manifests are about {}", subject(.0))]
    Twice(ScopeTwice),
}

fn subject(twice: &ScopeTwice) -> String {
    match &twice.subject {
        Subject::Agent(name) => format!("agent `{}`", escape::terminal(name)),
        Subject::Class(name) => format!("class `{}`", escape::terminal(name)),
    }
}

/// Reads `config`, or takes the defaults without one, and `baselines/<agent>/scope.toml`.
///
/// # Errors
/// When a file cannot be read or does not hold what it should.
pub fn settings(
    config: Option<&Path>,
    baselines: Option<&Path>,
) -> Result<(Config, Model), SettingsError> {
    fn at<E: Into<SettingsProblem>>(path: &Path) -> impl Fn(E) -> SettingsError {
        move |kind| SettingsError { path: path.to_owned(), kind: kind.into() }
    }
    let mut settings = Config::default();
    if let Some(path) = config {
        let text = fs::read_to_string(path).map_err(at(path))?;
        settings = Config::parse(&text).map_err(at(path))?;
    }
    let mut scopes = Vec::new();
    if let Some(directory) = baselines {
        for entry in fs::read_dir(directory).map_err(at(directory))? {
            let path = entry.map_err(at(directory))?.path().join("scope.toml");
            if path.is_file() {
                let text = fs::read_to_string(&path).map_err(at(&path))?;
                scopes.push(Scope::parse(&text).map_err(at(&path))?);
            }
        }
    }
    let config_path = config.unwrap_or(Path::new("tripline.toml"));
    let invariants = Invariants::new(&settings.invariants).map_err(at(config_path))?;
    let model = Model::new(invariants, scopes).map_err(|twice| SettingsError {
        path: baselines.unwrap_or(Path::new("baselines")).to_owned(),
        kind: SettingsProblem::Twice(twice),
    })?;
    Ok((settings, model))
}

/// A key for hash tables that nobody can guess. No result depends on it.
pub fn hash_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
