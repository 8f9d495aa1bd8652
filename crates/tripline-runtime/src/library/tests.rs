use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tripline_attribution::{Agent, AgentId};
use tripline_cloudtrail::EventTime;
use tripline_detector::{Calibration, Verdict};
use tripline_text::Untrusted;

use super::*;
use crate::settings::settings;

const NOW: i64 = 1_795_000_000;

fn at(secs: i64) -> EventTime {
    EventTime::from_unix_secs(NOW + secs).unwrap()
}

/// A folder of baselines, and a depot.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(agents: usize) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        for nth in 0..agents {
            place.scope(&format!("agent-{nth}"), "s3:GetObject");
        }
        place
    }

    fn baselines(&self) -> PathBuf {
        self.directory.path().join("baselines")
    }

    fn depot(&self) -> LocalDepot {
        LocalDepot::new(&self.directory.path().join("depot"))
    }

    fn scope(&self, agent: &str, action: &str) {
        // What counts is the name in the file.
        let folder = self.baselines().join(agent.replace("agent", "folder"));
        fs::create_dir_all(&folder).unwrap();
        let text = format!("version = 1\nagent = \"{agent}\"\n[allow]\nactions = [\"{action}\"]\n");
        fs::write(folder.join("scope.toml"), text).unwrap();
    }

    async fn publish(&self, secs: i64) -> Result<Published, LibraryError> {
        publish(&self.baselines(), None, &self.depot(), at(secs)).await
    }

    async fn open(&self) -> Library {
        Library::open(Box::new(self.depot()), 1, at(0)).await.unwrap()
    }

    fn objects(&self) -> usize {
        fs::read_dir(self.directory.path().join("depot/objects")).unwrap().count()
    }

    fn object(&self, digest: &Digest) -> PathBuf {
        self.directory.path().join("depot").join(digest.key())
    }
}

fn agent(name: &str) -> Agent {
    Agent { id: AgentId::of(name).unwrap(), class: None }
}

/// What of these agents is known.
async fn known(library: &Library, secs: i64, name: &str) -> String {
    let edition = library.edition(at(secs)).await;
    let model = library.model(&edition, &[agent(name)]).await.unwrap();
    let text = format!("{model:?}");
    ["GetObject", "PutObject"].into_iter().filter(|action| text.contains(action)).collect()
}

#[tokio::test]
async fn what_is_published_is_followed_and_only_what_is_new_is_written() {
    let place = Place::new(150);
    let first = place.publish(0).await.unwrap();
    assert_eq!((first.agents, first.new_agents, first.is_new), (150, 150, true));
    let again = place.publish(1).await.unwrap();
    assert_eq!((again.new_agents, again.is_new), (0, false));
    let library = place.open().await;
    assert_eq!(known(&library, 0, "agent-7").await, "GetObject");
    assert_eq!(known(&library, 0, "nobody").await, "");
    let objects = place.objects();
    place.scope("agent-7", "s3:PutObject");
    let changed = place.publish(2).await.unwrap();
    assert_eq!((changed.agents, changed.new_agents, changed.is_new), (150, 1, true));
    // One part, the shard it is in, and the root.
    assert_eq!(place.objects(), objects + 3);
    // Nobody looks more often than once a minute.
    assert_eq!(known(&library, 59, "agent-7").await, "GetObject");
    assert_eq!(known(&library, 60, "agent-7").await, "PutObject");
    let edition = library.edition(at(60)).await;
    assert_eq!(library.news(), [News::Moved(edition.core().id())]);
    assert_eq!(edition.core().id().to_string(), format!("sha256:{}", changed.root));
}

#[tokio::test]
async fn what_cannot_be_read_leaves_the_last_good_one_in_force_and_is_told() {
    let place = Place::new(3);
    place.publish(0).await.unwrap();
    let library = place.open().await;
    assert_eq!(known(&library, 0, "agent-1").await, "GetObject");
    place.scope("agent-1", "s3:PutObject");
    let next = place.publish(1).await.unwrap();
    let root = place.object(&next.root);
    let text = fs::read_to_string(&root).unwrap();
    let pointer = place.directory.path().join("depot").join(POINTER);
    let whole = fs::read_to_string(&pointer).unwrap();
    let mut secs = 0;
    let mut kept = async |why: &str| {
        secs += 60;
        assert_eq!(known(&library, secs, "agent-1").await, "GetObject");
        let news = library.news();
        assert!(news.iter().any(|news| news.to_string().contains(why)), "{why}: {news:?}");
    };
    fs::write(&root, text.replace("version", "versoin")).unwrap();
    kept("damaged").await;
    fs::remove_file(&root).unwrap();
    kept("missing").await;
    fs::write(&pointer, whole.replace("\"version\":1", "\"version\":2")).unwrap();
    kept("update tripline").await;
    fs::write(&pointer, "{}").unwrap();
    kept("not a model of ours").await;
    fs::remove_file(&pointer).unwrap();
    kept("missing").await;
    // All is well again, but for the part of one agent.
    fs::write(&root, text).unwrap();
    fs::write(&pointer, whole).unwrap();
    let objects = fs::read_dir(place.directory.path().join("depot/objects")).unwrap();
    for object in objects.map(|object| object.unwrap().path()) {
        if fs::read_to_string(&object).unwrap().contains("PutObject") {
            fs::remove_file(object).unwrap();
        }
    }
    kept("missing").await;
    assert_eq!(known(&library, 360, "agent-2").await, "GetObject");
    // And nobody promotes any more.
    library.edition(at(40 * 86_400)).await;
    assert_eq!(library.news().pop(), Some(News::Old(39)));
}

#[tokio::test]
async fn the_calibration_is_followed_and_each_agents_own_part_of_it_is_read_with_the_agent() {
    let place = Place::new(150);
    let calibrate = |highest: u16| {
        let mut calibration = Calibration::default();
        for nth in 0..150 {
            let highest = Score::from_hundredths(if nth == 7 { highest } else { 120 }).unwrap();
            let name = Untrusted::new(format!("agent-{nth}"));
            calibration.add(&name, 300, 4_000, [(Score::default(), 299), (highest, 1)]);
        }
        let text = calibration.to_text().unwrap();
        fs::write(place.baselines().join("calibration.json"), text).unwrap();
    };
    calibrate(310);
    place.publish(0).await.unwrap();
    let library = place.open().await;
    let edition = library.edition(at(0)).await;
    let model = library.model(&edition, &[agent("agent-7")]).await.unwrap();
    let (_, whole) = settings(None, Some(&place.baselines())).unwrap();
    assert!(whole.lines().unwrap().of(Verdict::Kill).is_some());
    assert_eq!(model.lines(), whole.lines());
    for (name, highest) in [("agent-7", Some(310)), ("agent-8", None), ("nobody", None)] {
        let highest = highest.and_then(Score::from_hundredths);
        assert_eq!(model.highest_of(&agent(name).id.untrusted()), highest, "{name}");
        let of_all = whole.highest_of(&agent("agent-7").id.untrusted());
        assert_eq!(of_all, Score::from_hundredths(310));
    }
    // One agent's own part is another one, and the core.
    calibrate(320);
    let changed = place.publish(1).await.unwrap();
    assert_eq!((changed.new_agents, changed.is_new), (1, true));
    fs::write(place.baselines().join("calibration.json"), "{}").unwrap();
    let refused = place.publish(2).await.unwrap_err().to_string();
    assert!(refused.contains("calibration.json"), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_used_is_not_published_and_of_two_one_is_too_late() {
    let place = Place::new(1);
    place.publish(0).await.unwrap();
    let scope = place.baselines().join("folder-0/scope.toml");
    fs::write(&scope, "version = 1\n").unwrap();
    let refused = place.publish(1).await.unwrap_err();
    assert!(refused.to_string().contains("scope.toml"), "{refused}");
    place.scope("agent-0", "s3:PutObject");
    let raced = Raced(place.depot());
    let late = publish(&place.baselines(), None, &raced, at(2)).await;
    assert!(matches!(late, Err(LibraryError::Raced)), "{late:?}");
    let nobody = LocalDepot::new(Path::new("nowhere"));
    let missing = Library::open(Box::new(nobody), 1, at(0)).await.unwrap_err();
    assert!(missing.to_string().contains("nowhere/current.json"), "{missing}");
}

/// A depot in which somebody else is always quicker.
#[derive(Debug)]
struct Raced(LocalDepot);

impl Depot for Raced {
    fn name(&self) -> String {
        self.0.name()
    }

    fn get<'a>(&'a self, key: &'a str, known: Option<&'a str>) -> Pending<'a, Got> {
        self.0.get(key, known)
    }

    fn put<'a>(&'a self, key: &'a str, bytes: &'a [u8], only: Only<'a>) -> Pending<'a, bool> {
        match key {
            POINTER => Box::pin(async { Ok(false) }),
            _ => self.0.put(key, bytes, only),
        }
    }
}
