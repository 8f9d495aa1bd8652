//! Writing an edition.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use tripline_baseline::{Scope, Subject, Whose};
use tripline_cloudtrail::EventTime;
use tripline_detector::Calibration;
use tripline_engine::ScopeTwice;

use super::follow::model_of;
use super::{
    AGENTS_PER_SHARD, Bundle, Depot, Digest, Got, LibraryError, Only, OwnScores, POINTER, Pointer,
    Root, SCORES, SHARDS_MAX, Shard, VERSION, agent_digest, object, parsed, shard_of,
};
use crate::settings::{SettingsProblem, hash_seed, read_calibration};
use crate::shelf::{Leaf, Shelf, relative};

/// How many objects are written at once.
const WRITES_AT_ONCE: usize = 16;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The edition's name.
    pub root: Digest,
    /// The agents in it.
    pub agents: usize,
    /// Of these, how many were not there before just like this.
    pub new_agents: usize,
    /// Whether anything is another than in the edition before.
    pub is_new: bool,
}

/// Puts what is in force in a folder of baselines into a depot, with the settings, and moves the pointer
/// there. All of it is read and understood first: what cannot be used is not put in force elsewhere.
///
/// # Errors
/// [`LibraryError`]; then the edition before stays in force.
pub async fn publish(
    baselines: &Path,
    config: Option<&Path>,
    depot: &dyn Depot,
    now: EventTime,
) -> Result<Published, LibraryError> {
    let (before, tag) = match depot.get(POINTER, None).await? {
        Got::New { bytes, tag } => (Some(parsed::<Pointer>(POINTER, &bytes)?), Some(tag)),
        Got::Missing | Got::Same => (None, None),
    };
    let known = match &before {
        Some(pointer) => known_parts(depot, &pointer.root).await,
        None => BTreeMap::new(),
    };
    let sources = sources(baselines)?;
    let calibration = read_calibration(&Shelf::new(baselines)).map_err(|it| {
        LibraryError::Content { file: it.path.display().to_string(), problem: it.kind }
    })?;
    let core = core_of(baselines, config, &sources, calibration.as_ref())?;
    let scores = calibration.as_ref().map(scores_by_folder).unwrap_or_default();
    check(&core)?;
    let core = put(depot, &core).await?;

    let agents = sources.iter().filter(|(folder, _)| is_agents(folder));
    let writes = agents.map(|(folder, leaves)| {
        let (known, scores) = (&known, &scores);
        async move {
            let mut bundle = bundle_of(folder, leaves)?;
            if let Some(scores) = scores.get(folder) {
                let text = String::from_utf8_lossy(&text_of(scores)).into_owned();
                bundle.files.insert(format!("{folder}/{SCORES}"), text);
            }
            check(&bundle)?;
            let agent = agent_digest(folder);
            let bytes = text_of(&bundle);
            let digest = Digest::of(&bytes);
            let is_known = known.get(&agent) == Some(&digest);
            if !is_known {
                depot.put(&digest.key(), &bytes, Only::IfAbsent).await?;
            }
            Ok::<_, LibraryError>((agent, digest, is_known))
        }
    });
    let parts: Vec<_> = stream::iter(writes).buffer_unordered(WRITES_AT_ONCE).try_collect().await?;
    let new_agents = parts.iter().filter(|(_, _, is_known)| !is_known).count();
    let agents = parts.len();
    let count = agents.div_ceil(AGENTS_PER_SHARD).next_power_of_two().min(SHARDS_MAX);
    let empty = || Shard { version: VERSION, agents: BTreeMap::new() };
    let mut shards: Vec<Shard> = (0..count).map(|_| empty()).collect();
    for (agent, digest, _) in parts {
        if let Some(shard) = shards.get_mut(shard_of(&agent, count)) {
            shard.agents.insert(agent, digest);
        }
    }
    let writes: Vec<_> = shards.iter().map(|shard| put(depot, shard)).collect();
    let shards = stream::iter(writes).buffered(WRITES_AT_ONCE).try_collect().await?;
    let root = put(depot, &Root { version: VERSION, core, shards }).await?;
    let is_new = before.is_none_or(|before| before.root != root);
    // Also where nothing is new: that somebody looked is what keeps it from being old.
    let pointer = Pointer { version: VERSION, root: root.clone(), made_unix_secs: now.unix_secs() };
    let only = tag.as_deref().map_or(Only::IfAbsent, Only::IfStill);
    match depot.put(POINTER, &text_of(&pointer), only).await? {
        true => Ok(Published { root, agents, new_agents, is_new }),
        false => Err(LibraryError::Raced),
    }
}

/// What is there already of the edition before. What cannot be read of it is written again.
async fn known_parts(depot: &dyn Depot, root: &Digest) -> BTreeMap<Digest, Digest> {
    let Ok(root) = object::<Root>(depot, root).await else { return BTreeMap::new() };
    let reads: Vec<_> = root.shards.iter().map(|shard| object::<Shard>(depot, shard)).collect();
    let shards: Vec<_> = stream::iter(reads).buffered(WRITES_AT_ONCE).collect().await;
    shards.into_iter().flatten().flat_map(|shard| shard.agents).collect()
}

async fn put(depot: &dyn Depot, content: &impl Serialize) -> Result<Digest, LibraryError> {
    let bytes = text_of(content);
    let digest = Digest::of(&bytes);
    depot.put(&digest.key(), &bytes, Only::IfAbsent).await?;
    Ok(digest)
}

fn text_of(content: &impl Serialize) -> Vec<u8> {
    // INVARIANT: texts and numbers, in maps with texts as keys.
    serde_json::to_vec(content).unwrap_or_default()
}

/// Whether everything in it can be used.
fn check(bundle: &Bundle) -> Result<(), LibraryError> {
    model_of(bundle, hash_seed()).map(|_| ())
}

/// The files in force, by whose they are: the folder that is theirs, and the file in it.
type Sources = BTreeMap<String, Vec<(&'static str, PathBuf)>>;

/// What is in force in a folder of baselines. A scope says whose it is; a baseline stands in the folder
/// of whom it is about.
fn sources(baselines: &Path) -> Result<Sources, LibraryError> {
    let shelf = Shelf::new(baselines);
    let unlisted = |error| unreadable(baselines, error);
    let mut sources = Sources::new();
    for path in shelf.all(Leaf::Scope).map_err(unlisted)? {
        let file = || path.display().to_string();
        let scope = Scope::parse(&read(&path)?)
            .map_err(|error| LibraryError::Content { file: file(), problem: error.into() })?;
        let whose = match scope.subject().clone() {
            Subject::Agent(agent) => Whose::Agent { agent, class: None },
            Subject::Class(class) => Whose::Class(class),
        };
        let files = sources.entry(folder(&relative(&whose))).or_default();
        if !files.is_empty() {
            let problem = SettingsProblem::Twice(ScopeTwice { subject: scope.subject().clone() });
            return Err(LibraryError::Content { file: file(), problem });
        }
        files.push(("scope.toml", path));
    }
    for path in shelf.all(Leaf::Baseline).map_err(unlisted)? {
        let of = path.parent().and_then(|parent| parent.strip_prefix(baselines).ok());
        let of = of.map(folder).unwrap_or_default();
        sources.entry(of).or_default().push(("baseline.txt", path));
    }
    Ok(sources)
}

fn folder(relative: &Path) -> String {
    let parts = relative.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// Whether this is of an agent, and not of all.
fn is_agents(folder: &str) -> bool {
    folder != "@fleet" && !folder.starts_with("classes/")
}

/// What each agent's own episodes came to, by the folder that is the agent's.
fn scores_by_folder(calibration: &Calibration) -> BTreeMap<String, OwnScores> {
    let own = calibration.agents().map(|(agent, scores)| {
        let name = agent.as_unescaped().to_owned();
        let whose = Whose::Agent { agent: agent.into_owned(), class: None };
        (folder(&relative(&whose)), OwnScores { agent: name, highest: scores.to_beat() })
    });
    own.collect()
}

/// What is in force for all: settings, classes, the fleet, decisions, and what lines are drawn from.
fn core_of(
    baselines: &Path,
    config: Option<&Path>,
    sources: &Sources,
    calibration: Option<&Calibration>,
) -> Result<Bundle, LibraryError> {
    let mut files = BTreeMap::new();
    for (folder, leaves) in sources.iter().filter(|(folder, _)| !is_agents(folder)) {
        files.append(&mut bundle_of(folder, leaves)?.files);
    }
    let decisions = baselines.join("decisions.toml");
    let others = [
        ("tripline.toml", config),
        ("decisions.toml", Some(decisions.as_path()).filter(|path| path.is_file())),
    ];
    for (name, path) in others {
        if let Some(path) = path {
            files.insert(name.to_owned(), read(path)?);
        }
    }
    // Each agent's own part of it is read with the agent.
    if let Some(text) = calibration.and_then(|all| all.without_names().to_text().ok()) {
        files.insert("calibration.json".to_owned(), text);
    }
    Ok(Bundle { version: VERSION, files })
}

fn bundle_of(folder: &str, leaves: &[(&'static str, PathBuf)]) -> Result<Bundle, LibraryError> {
    let file = |(leaf, path): &(&str, PathBuf)| Ok((format!("{folder}/{leaf}"), read(path)?));
    let files = leaves.iter().map(file).collect::<Result<_, LibraryError>>()?;
    Ok(Bundle { version: VERSION, files })
}

fn read(path: &Path) -> Result<String, LibraryError> {
    fs::read_to_string(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: std::io::Error) -> LibraryError {
    let file = path.display().to_string();
    LibraryError::Content { file, problem: SettingsProblem::Unreadable(error) }
}
