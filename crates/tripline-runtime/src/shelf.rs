//! The folder of baselines: where what belongs to whom stands, and how it is written.
//!
//! ```text
//! <agent>/scope.toml          declared, by people
//! <agent>/baseline.txt        learned and promoted: what verdicts rest on
//! <agent>/candidate.txt       learned, not promoted yet
//! <agent>/versions/*.txt      baselines before, for a while
//! classes/<class>/…           the same of a class
//! @fleet/…                    the same of all agents together
//! decisions.toml              what people approved, and exceptions
//! calibration.json            where benign episodes ended up, which lines are drawn by
//! ```
//!
//! Files are replaced whole: whoever reads, and whatever crash comes, finds the old one or the new.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};
use tripline_baseline::Whose;
use tripline_text::{Untrusted, escape};

/// The folder of baselines.
#[derive(Clone, Debug)]
pub struct Shelf {
    root: PathBuf,
}

/// A file that belongs to one agent, class or the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// The declared scope.
    Scope,
    /// The baseline that is in force.
    Baseline,
    /// What was learned since.
    Candidate,
}

impl Leaf {
    fn file_name(self) -> &'static str {
        match self {
            Self::Scope => "scope.toml",
            Self::Baseline => "baseline.txt",
            Self::Candidate => "candidate.txt",
        }
    }
}

/// The longest name of a folder that every common file system takes, less room for endings.
const NAME_BYTES_MAX: usize = 200;

impl Shelf {
    /// The folder `root`; it need not exist before something is written.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where everything of somebody stands.
    pub fn folder(&self, whose: &Whose) -> PathBuf {
        self.root.join(relative(whose))
    }

    /// Where a file of somebody stands.
    pub fn path(&self, whose: &Whose, leaf: Leaf) -> PathBuf {
        self.folder(whose).join(leaf.file_name())
    }

    /// Where the decisions of people stand.
    pub fn decisions_path(&self) -> PathBuf {
        self.root.join("decisions.toml")
    }

    /// Where the calibration stands.
    pub fn calibration_path(&self) -> PathBuf {
        self.root.join("calibration.json")
    }

    /// Where the baselines of somebody stand that were in force before.
    pub fn versions(&self, whose: &Whose) -> PathBuf {
        self.folder(whose).join("versions")
    }

    /// All files of one kind, in order of their paths.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn all(&self, leaf: Leaf) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for folder in [self.root.clone(), self.root.join("classes")] {
            if !folder.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder)? {
                let path = entry?.path().join(leaf.file_name());
                if path.is_file() {
                    found.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Starts writing many files, of which none is seen before all are written.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn stage(&self) -> io::Result<Staged> {
        fs::create_dir_all(&self.root)?;
        // Inside of the folder: a file can only be moved in one step within one file system.
        let staging = tempfile::Builder::new().prefix(".learning-").tempdir_in(&self.root)?;
        Ok(Staged { root: self.root.clone(), staging, files: Mutex::default() })
    }
}

/// Files that were written aside. Several threads may write at once.
#[derive(Debug)]
pub struct Staged {
    root: PathBuf,
    staging: TempDir,
    files: Mutex<Vec<PathBuf>>,
}

impl Staged {
    /// Writes a file aside.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write(&self, whose: &Whose, leaf: Leaf, text: &str) -> io::Result<()> {
        let nth = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.push(relative(whose).join(leaf.file_name()));
            files.len() - 1
        };
        // Not flushed to the disk one by one, which takes minutes for a hundred thousand: what a power
        // failure tears does not fit its digest.
        fs::write(self.staging.path().join(nth.to_string()), text)
    }

    /// Puts all files in their places; how many.
    ///
    /// # Errors
    /// When the disk fails. Then some files are new and the others old, each of them whole.
    pub fn publish(self) -> io::Result<usize> {
        let files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (nth, relative) in files.iter().enumerate() {
            let to = self.root.join(relative);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::rename(self.staging.path().join(nth.to_string()), to)?;
        }
        Ok(files.len())
    }
}

/// Replaces one file, or makes it.
///
/// # Errors
/// When the disk fails; then the old one is left.
pub fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    replace_bytes(path, text.as_bytes())
}

pub(crate) fn replace_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Where everything of somebody stands, in the folder.
pub(crate) fn relative(whose: &Whose) -> PathBuf {
    match whose {
        Whose::Agent { agent, .. } => PathBuf::from(folder_name(agent)),
        Whose::Class(class) => Path::new("classes").join(folder_name(class)),
        // No agent's folder: `@` is escaped in names.
        Whose::Fleet => PathBuf::from("@fleet"),
    }
}

fn folder_name(name: &Untrusted<'_>) -> String {
    let mut folder = escape::path_component(name).to_string();
    if folder.len() > NAME_BYTES_MAX {
        let digest = Sha256::digest(name.as_unescaped());
        folder.truncate(NAME_BYTES_MAX - 34);
        folder.push_str("%%");
        digest.iter().take(16).for_each(|byte| folder.push_str(&format!("{byte:02x}")));
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> Whose {
        Whose::Agent { agent: Untrusted::new(name.to_owned()), class: None }
    }

    #[test]
    fn names_stay_in_the_folder_and_apart() {
        let shelf = Shelf::new(Path::new("b"));
        assert_eq!(shelf.path(&agent("a/../b"), Leaf::Scope), Path::new("b/a%2f..%2fb/scope.toml"));
        let long = |last: &str| shelf.folder(&agent(&format!("{}{last}", "é".repeat(250))));
        assert_ne!(long("1"), long("2"));
        assert!(long("1").file_name().unwrap().len() <= NAME_BYTES_MAX);
        let class = Whose::Class(Untrusted::borrowed("x"));
        assert_ne!(shelf.folder(&class), shelf.folder(&agent("x")));
    }

    #[test]
    fn nothing_is_seen_before_all_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(&dir.path().join("baselines"));
        replace_file(&shelf.path(&agent("a"), Leaf::Candidate), "old").unwrap();
        let staged = shelf.stage().unwrap();
        staged.write(&agent("a"), Leaf::Candidate, "new").unwrap();
        staged.write(&Whose::Fleet, Leaf::Candidate, "fleet").unwrap();
        let read = |whose: &Whose| fs::read_to_string(shelf.path(whose, Leaf::Candidate));
        assert_eq!(read(&agent("a")).unwrap(), "old");
        assert!(read(&Whose::Fleet).is_err());
        assert_eq!(staged.publish().unwrap(), 2);
        assert_eq!(read(&agent("a")).unwrap(), "new");
        assert_eq!(read(&Whose::Fleet).unwrap(), "fleet");
        assert_eq!(shelf.all(Leaf::Candidate).unwrap().len(), 2);
        // A run that ends before it publishes leaves nothing.
        drop(shelf.stage().unwrap());
        assert_eq!(fs::read_dir(dir.path().join("baselines")).unwrap().count(), 2);
    }
}
