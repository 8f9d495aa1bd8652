//! Reading what is in force, and following it when it changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tripline_attribution::Agent;
use tripline_baseline::{Decisions, Digested, Scope, Whose};
use tripline_cloudtrail::EventTime;
use tripline_detector::{Calibration, Invariants};
use tripline_engine::{Config, Model, ModelId};
use tripline_text::Untrusted;

use super::{
    Bundle, Depot, Digest, Got, LibraryError, OwnScores, POINTER, Pointer, Root, SCORES, Shard,
    agent_digest, object, parsed, shard_of,
};
use crate::settings::SettingsProblem;
use crate::shelf::relative;

/// How often the pointer is looked at, at the most.
const LOOK_SECS: i64 = 60;
/// Nobody promoted for so long: what agents do has moved on.
const OLD_SECS: i64 = 30 * 86_400;
/// How often that is said.
const SAY_OLD_SECS: i64 = 86_400;
/// What is kept of the agents' parts, by the length of their texts: ready for use they are some three
/// times as large.
const PARTS_BYTES_MAX: usize = 8 << 20;
/// What is kept of the shards.
const SHARDS_BYTES_MAX: usize = 2 << 20;

/// What is in force, without the agents' own parts.
#[derive(Debug)]
pub struct Edition {
    /// The settings.
    pub config: Config,
    /// Since when somebody stands by it.
    pub made: EventTime,
    core: Model,
    shards: Vec<Digest>,
}

/// Models in a depot, followed.
#[derive(Debug)]
pub struct Library {
    depot: Box<dyn Depot>,
    hash_seed: u64,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    edition: Arc<Edition>,
    tag: String,
    looked: i64,
    said_old: i64,
    news: Vec<News>,
    shards: Recent<Digest, Arc<Shard>>,
    /// The last one of each agent that could be read.
    parts: Recent<Digest, (Digest, Arc<Model>)>,
}

/// What somebody should know of the models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Another edition is in force.
    Moved(ModelId),
    /// A newer one, or an agent's part, cannot be read; what was there before stays in force.
    Kept(String),
    /// Nobody promoted for this many days.
    Old(i64),
}

impl std::fmt::Display for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Moved(id) => write!(f, "another model is in force: {id}"),
            Self::Kept(why) => write!(f, "the last good model stays in force: {why}"),
            Self::Old(days) => {
                write!(f, "the model is {days} days old: learn, and `tripline baseline promote`")
            }
        }
    }
}

impl Library {
    /// Reads what is in force. `hash_seed` keys hash tables; no result depends on it.
    ///
    /// # Errors
    /// [`LibraryError`]: without a first edition there is none to go on with.
    pub async fn open(
        depot: Box<dyn Depot>,
        hash_seed: u64,
        now: EventTime,
    ) -> Result<Self, LibraryError> {
        let Got::New { bytes, tag } = depot.get(POINTER, None).await? else {
            let pointer = format!("{}/{POINTER}", depot.name());
            return Err(LibraryError::Missing(pointer));
        };
        let edition = edition(depot.as_ref(), &bytes, hash_seed).await?;
        let held = Held {
            edition: Arc::new(edition),
            tag,
            looked: now.unix_secs(),
            said_old: 0,
            news: Vec::new(),
            shards: Recent::new(SHARDS_BYTES_MAX),
            parts: Recent::new(PARTS_BYTES_MAX),
        };
        Ok(Self { depot, hash_seed, held: Mutex::new(held) })
    }

    /// What is in force: looks again once a minute. When a newer edition cannot be read, the last good
    /// one stays in force, and [`Library::news`] says so.
    pub async fn edition(&self, now: EventTime) -> Arc<Edition> {
        let tag = {
            let mut held = self.held();
            if now.unix_secs() - held.looked < LOOK_SECS {
                return Arc::clone(&held.edition);
            }
            held.looked = now.unix_secs();
            held.tag.clone()
        };
        let newer = self.newer(&tag).await;
        let mut held = self.held();
        match newer {
            Ok(None) => {}
            Ok(Some((edition, tag))) => {
                held.news.push(News::Moved(edition.core.id()));
                (held.edition, held.tag) = (Arc::new(edition), tag);
            }
            Err(error) => held.news.push(News::Kept(error.to_string())),
        }
        let age = now.unix_secs() - held.edition.made.unix_secs();
        if age > OLD_SECS && now.unix_secs() - held.said_old > SAY_OLD_SECS {
            held.said_old = now.unix_secs();
            held.news.push(News::Old(age / 86_400));
        }
        Arc::clone(&held.edition)
    }

    /// What happened since this was last asked.
    pub fn news(&self) -> Vec<News> {
        std::mem::take(&mut self.held().news)
    }

    /// The model of an edition with what it knows of these agents.
    ///
    /// # Errors
    /// When the depot fails and nothing was known of one of them before: later it may not.
    pub async fn model(&self, edition: &Edition, agents: &[Agent]) -> Result<Model, LibraryError> {
        let mut parts = Vec::new();
        for agent in agents {
            let whose = Whose::Agent { agent: agent.id.untrusted().into_owned(), class: None };
            let name = agent_digest(&relative(&whose).to_string_lossy());
            match self.part(edition, &name).await {
                Ok(part) => parts.extend(part),
                Err(error) => {
                    let last = self.held().parts.get(&name).map(|(_, part)| part);
                    if last.is_none() && matches!(error, LibraryError::Depot(_)) {
                        return Err(error);
                    }
                    self.held().news.push(News::Kept(error.to_string()));
                    parts.extend(last);
                }
            }
        }
        Ok(edition.core.joined(&parts))
    }

    async fn part(
        &self,
        edition: &Edition,
        agent: &Digest,
    ) -> Result<Option<Arc<Model>>, LibraryError> {
        let shard = edition.shards.get(shard_of(agent, edition.shards.len()));
        let Some(shard) = shard else { return Ok(None) };
        let shard = self.shard(shard).await?;
        let Some(digest) = shard.agents.get(agent) else { return Ok(None) };
        if let Some((_, part)) = self.held().parts.get(agent).filter(|(held, _)| held == digest) {
            return Ok(Some(part));
        }
        let bundle: Bundle = object(self.depot.as_ref(), digest).await?;
        let (_, model) = model_of(&bundle, self.hash_seed)?;
        let (part, bytes) = (Arc::new(model), bundle.files.values().map(String::len).sum());
        let held = (digest.clone(), Arc::clone(&part));
        self.held().parts.put(agent.clone(), held, bytes);
        Ok(Some(part))
    }

    async fn shard(&self, digest: &Digest) -> Result<Arc<Shard>, LibraryError> {
        if let Some(shard) = self.held().shards.get(digest) {
            return Ok(shard);
        }
        let shard: Arc<Shard> = Arc::new(object(self.depot.as_ref(), digest).await?);
        let bytes = shard.agents.len() * 256;
        self.held().shards.put(digest.clone(), Arc::clone(&shard), bytes);
        Ok(shard)
    }

    async fn newer(&self, tag: &str) -> Result<Option<(Edition, String)>, LibraryError> {
        match self.depot.get(POINTER, Some(tag)).await? {
            Got::Same => Ok(None),
            Got::Missing => Err(LibraryError::Missing(POINTER.to_owned())),
            Got::New { bytes, tag } => {
                let edition = edition(self.depot.as_ref(), &bytes, self.hash_seed).await?;
                Ok(Some((edition, tag)))
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What is held is whole after each step.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn edition(
    depot: &dyn Depot,
    pointer: &[u8],
    hash_seed: u64,
) -> Result<Edition, LibraryError> {
    let pointer: Pointer = parsed(POINTER, pointer)?;
    let root: Root = object(depot, &pointer.root).await?;
    let core: Bundle = object(depot, &root.core).await?;
    let (config, model) = model_of(&core, hash_seed)?;
    let made = EventTime::from_unix_secs(pointer.made_unix_secs).unwrap_or(EventTime::EPOCH);
    let core = model.named(ModelId::from_digest(pointer.root.bytes()));
    Ok(Edition { config, made, core, shards: root.shards })
}

impl Edition {
    /// The model without any agent's own part: enough to take records in.
    pub fn core(&self) -> &Model {
        &self.core
    }
}

/// What files say, by where they stand in a folder of baselines.
pub(super) fn model_of(bundle: &Bundle, hash_seed: u64) -> Result<(Config, Model), LibraryError> {
    let (mut config, mut decisions) = (Config::default(), Decisions::default());
    let (mut scopes, mut learned) = (Vec::new(), Vec::new());
    let (mut calibration, mut own) = (None, Vec::new());
    for (file, text) in &bundle.files {
        let content = |problem| LibraryError::Content { file: file.clone(), problem };
        let path = Path::new(file);
        match path.file_name().and_then(|name| name.to_str()) {
            Some("tripline.toml") => {
                config = Config::parse(text).map_err(|error| content(error.into()))?;
            }
            Some("decisions.toml") => {
                decisions = Decisions::parse(text).map_err(|error| content(error.into()))?;
            }
            Some("calibration.json") => {
                let parsed = Calibration::parse(text).map_err(|error| content(error.into()))?;
                calibration = Some(parsed);
            }
            Some(SCORES) => own.push(scores_of(file, text)?),
            Some("scope.toml") => {
                scopes.push(Scope::parse(text).map_err(|error| content(error.into()))?);
            }
            Some("baseline.txt") => {
                let baseline = Digested::parse(text).map_err(|error| content(error.into()))?;
                let folder = relative(baseline.baseline().whose());
                if path.parent() != Some(&folder) {
                    return Err(content(SettingsProblem::Misplaced(folder)));
                }
                learned.push(baseline);
            }
            // A later version's: not for us.
            _ => {}
        }
    }
    let content = |problem| LibraryError::Content { file: "tripline.toml".to_owned(), problem };
    let invariants = Invariants::new(&config.invariants).map_err(|error| content(error.into()))?;
    let mut model = Model::new(invariants, scopes)
        .map_err(|twice| content(SettingsProblem::Twice(twice)))?
        .with_learned(learned.into_iter().map(Ok::<_, LibraryError>), hash_seed)?
        .with_decisions(decisions);
    if let Some(calibration) = calibration {
        model = model.with_calibration(calibration, config.budgets);
    }
    for OwnScores { agent, highest } in own {
        model = model.with_highest(Untrusted::new(agent), highest);
    }
    Ok((config, model))
}

fn scores_of(file: &str, text: &str) -> Result<OwnScores, LibraryError> {
    serde_json::from_str(text)
        .map_err(|error| LibraryError::Foreign { key: file.to_owned(), why: error.to_string() })
}

/// What was used lately, up to a size: two halves, of which the older is forgotten when the younger is
/// full.
#[derive(Debug)]
struct Recent<K, V> {
    young: BTreeMap<K, (V, usize)>,
    old: BTreeMap<K, (V, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl<K: Ord + Clone, V: Clone> Recent<K, V> {
    fn new(bytes_max: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), bytes: 0, bytes_max }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (value, bytes) = self.old.remove(key)?;
        self.put(key.clone(), value.clone(), bytes);
        Some(value)
    }

    fn put(&mut self, key: K, value: V, bytes: usize) {
        if self.bytes + bytes > self.bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.young.insert(key, (value, bytes));
    }
}
