//! The user's settings, from the files they stand in.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tripline_attribution::Agent;
use tripline_baseline::{
    BASELINE_BYTES_MAX, Baseline, BaselineError, DECISIONS_BYTES_MAX, Decisions, DecisionsError,
    Digested, MANIFEST_BYTES_MAX, Peers, Scope, ScopeError, Subject, Whose,
};
use tripline_containment::Work;
use tripline_detector::{
    Calibration, CalibrationError, Invariants, SettingsError as InvariantError,
};
use tripline_engine::{Config, ConfigError, Model, ScopeTwice};
use tripline_iam::Catalogue;
use tripline_text::{Untrusted, escape};

use crate::shelf::{Leaf, Shelf};

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
    /// It is no learned baseline of ours.
    #[error("{0}")]
    Baseline(#[from] BaselineError),
    /// It is no list of decisions of ours.
    #[error("{0}")]
    Decisions(#[from] DecisionsError),
    /// It is no calibration that holds here.
    #[error("{0}")]
    Calibration(#[from] CalibrationError),
    /// A learned baseline stands where another one belongs.
    #[error("is the baseline of another agent or class: it belongs in `{}`", .0.display())]
    Misplaced(PathBuf),
    /// It is larger than such a file can be.
    #[error("is larger than {0} bytes")]
    TooLarge(usize),
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

/// Reads `config`, or takes the defaults without one, and from the folder of baselines the declared
/// scopes, the learned baselines that are in force, the calibration, and what people decided.
///
/// # Errors
/// When a file cannot be read or does not hold what it should.
pub fn settings(
    config: Option<&Path>,
    baselines: Option<&Path>,
) -> Result<(Config, Model), SettingsError> {
    let (config, model) = settings_to_learn(config, baselines)?;
    let Some(directory) = baselines else { return Ok((config, model)) };
    let shelf = Shelf::new(directory);
    let paths = shelf.all(Leaf::Baseline).map_err(at(directory))?;
    let learned = paths.iter().map(|path| read_digested(&shelf, path));
    let mut model = model.with_learned(learned, hash_seed())?;
    if let Some(calibration) = read_calibration(&shelf)? {
        model = model.with_calibration(calibration, config.budgets);
    }
    Ok((config, model.with_decisions(read_decisions(&shelf)?)))
}

/// The same without what was learned and decided.
///
/// # Errors
/// When a file cannot be read or does not hold what it should.
pub fn settings_to_learn(
    config: Option<&Path>,
    baselines: Option<&Path>,
) -> Result<(Config, Model), SettingsError> {
    let mut settings = Config::default();
    if let Some(path) = config {
        let text = fs::read_to_string(path).map_err(at(path))?;
        settings = Config::parse(&text).map_err(at(path))?;
    }
    let config_path = config.unwrap_or(Path::new("tripline.toml"));
    let invariants = Invariants::new(&settings.invariants).map_err(at(config_path))?;
    let Some(directory) = baselines else {
        return Ok((settings, Model::new(invariants, Vec::new()).map_err(twice(config_path))?));
    };
    // A folder that was named and is not there is a mistake, not a fleet without scopes.
    fs::read_dir(directory).map_err(at(directory))?;
    let scopes = all_scopes(&Shelf::new(directory))?;
    Ok((settings, Model::new(invariants, scopes).map_err(twice(directory))?))
}

fn at<E: Into<SettingsProblem>>(path: &Path) -> impl Fn(E) -> SettingsError {
    move |kind| SettingsError { path: path.to_owned(), kind: kind.into() }
}

fn twice(path: &Path) -> impl Fn(ScopeTwice) -> SettingsError {
    move |twice| SettingsError { path: path.to_owned(), kind: SettingsProblem::Twice(twice) }
}

/// A file as text, unless it is larger than such a file can be.
fn read_text(path: &Path, bytes_max: usize) -> Result<String, SettingsError> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(at(path))?;
    file.take(bytes_max as u64 + 1).read_to_string(&mut text).map_err(at(path))?;
    match text.len() > bytes_max {
        true => Err(at(path)(SettingsProblem::TooLarge(bytes_max))),
        false => Ok(text),
    }
}

/// A learned baseline, which must stand where that of its agent, class or fleet belongs.
fn read_digested(shelf: &Shelf, path: &Path) -> Result<Digested, SettingsError> {
    let text = read_text(path, BASELINE_BYTES_MAX)?;
    let digested = Digested::parse(&text).map_err(at(path))?;
    let folder = shelf.folder(digested.baseline().whose());
    match path.parent() == Some(&folder) {
        true => Ok(digested),
        false => Err(at(path)(SettingsProblem::Misplaced(folder))),
    }
}

fn read_baseline(shelf: &Shelf, path: &Path) -> Result<Baseline, SettingsError> {
    read_digested(shelf, path).map(Digested::into_baseline)
}

/// A baseline file of somebody's, if there is one.
///
/// # Errors
/// When it cannot be read or is none.
pub fn baseline_of(
    shelf: &Shelf,
    whose: &Whose,
    leaf: Leaf,
) -> Result<Option<Baseline>, SettingsError> {
    let path = shelf.path(whose, leaf);
    if !path.is_file() {
        return Ok(None);
    }
    read_baseline(shelf, &path).map(Some)
}

/// All baseline files of one kind, read one at a time: there may be a hundred thousand.
///
/// # Errors
/// When the folder cannot be listed; and for each file, when it cannot be read or is none.
pub fn all_baselines(
    shelf: &Shelf,
    leaf: Leaf,
) -> Result<impl Iterator<Item = Result<Baseline, SettingsError>>, SettingsError> {
    let paths = shelf.all(leaf).map_err(at(&shelf.decisions_path()))?;
    Ok(paths.into_iter().map(|path| read_baseline(shelf, &path)))
}

/// How many values a class or the fleet knows before those that only one agent knows are left out.
const PEERS_KEYS_MAX: usize = 20_000;

/// What classes and the fleet know together, while their agents' baselines come in.
#[derive(Debug)]
pub struct Together {
    classes: BTreeMap<Untrusted<'static>, Peers>,
    fleet: Peers,
}

impl Default for Together {
    fn default() -> Self {
        Self { classes: BTreeMap::new(), fleet: Peers::new(None) }
    }
}

impl Together {
    /// Adds what is in force of an agent; that of others is left out.
    pub fn add(&mut self, live: &Baseline) {
        let Whose::Agent { class, .. } = live.whose() else { return };
        if let Some(class) = class {
            let peers = || Peers::new(Some(class.clone()));
            self.classes.entry(class.clone()).or_insert_with(peers).add(live);
        }
        self.fleet.add(live);
    }

    /// The baselines of the classes, and of the fleet.
    pub fn finish(self) -> impl Iterator<Item = Baseline> {
        let together = self.classes.into_values().chain([self.fleet]);
        together.map(|peers| peers.finish(Some(PEERS_KEYS_MAX)).with_catalogue(Catalogue::VERSION))
    }
}

/// What classes and the fleet know together: it follows from what is in force of their agents.
///
/// # Errors
/// As [`all_baselines`].
pub fn peers_in_force(shelf: &Shelf) -> Result<Vec<Baseline>, SettingsError> {
    let mut together = Together::default();
    for live in all_baselines(shelf, Leaf::Baseline)? {
        together.add(&live?);
    }
    Ok(together.finish().collect())
}

/// All declared scopes.
///
/// # Errors
/// When the folder cannot be listed, or a file there is none.
pub(crate) fn all_scopes(shelf: &Shelf) -> Result<Vec<Scope>, SettingsError> {
    let mut scopes = Vec::new();
    for path in shelf.all(Leaf::Scope).map_err(at(&shelf.decisions_path()))? {
        let text = read_text(&path, MANIFEST_BYTES_MAX)?;
        scopes.push(Scope::parse(&text).map_err(at(&path))?);
    }
    Ok(scopes)
}

/// What people decided; nothing where there is no such file.
///
/// # Errors
/// When it cannot be read or is none.
pub fn read_decisions(shelf: &Shelf) -> Result<Decisions, SettingsError> {
    let path = shelf.decisions_path();
    if !path.is_file() {
        return Ok(Decisions::default());
    }
    Decisions::parse(&read_text(&path, DECISIONS_BYTES_MAX)?).map_err(at(&path))
}

/// The calibration; nothing where there is no such file.
pub(crate) fn read_calibration(shelf: &Shelf) -> Result<Option<Calibration>, SettingsError> {
    let path = shelf.calibration_path();
    if !path.is_file() {
        return Ok(None);
    }
    let text = read_text(&path, CALIBRATION_BYTES_MAX)?;
    Calibration::parse(&text).map(Some).map_err(at(&path))
}

/// How large a calibration may be: that of a million agents.
const CALIBRATION_BYTES_MAX: usize = 256 << 20;

/// A key for hash tables that nobody can guess. No result depends on it.
pub fn hash_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What an agent may go on doing while it is fenced: what its scope (else its class's) declares and
/// its baseline in force knows.
///
/// # Errors
/// When a file in the folder cannot be used.
pub fn work_of(directory: &Path, agent: &Agent) -> Result<Work, SettingsError> {
    let shelf = Shelf::new(directory);
    let class = agent.class.as_ref().map(|class| class.untrusted().into_owned());
    let own = Whose::Agent { agent: agent.id.untrusted().into_owned(), class: class.clone() };
    let mut scopes = Vec::new();
    for whose in std::iter::once(own.clone()).chain(class.map(Whose::Class)) {
        let path = shelf.path(&whose, Leaf::Scope);
        if path.is_file() {
            let text = read_text(&path, MANIFEST_BYTES_MAX)?;
            scopes.push(Scope::parse(&text).map_err(at(&path))?);
        }
    }
    let model = Model::new(Invariants::default(), scopes).map_err(twice(directory))?;
    let learned = baseline_of(&shelf, &own, Leaf::Baseline)?;
    Ok(model.with_learned(learned.into_iter().map(Ok), hash_seed())?.work_of(agent))
}
