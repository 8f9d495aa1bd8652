//! A copy of a trail's bucket on a local disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tripline_cloudtrail::digest::{DigestName, ObjectRef};
use tripline_text::Untrusted;
use walkdir::WalkDir;

use super::{At, FILE_BYTES_MAX, Place, SIGNATURE, StoredDigest, Trail, Unfetched, place_in_copy};

/// The folder of a copy: of a whole bucket, of `AWSLogs` in it, or of one account's folder there. A
/// digest's signature is looked for in a file beside it, of its name and `.signature`.
#[derive(Clone, Debug)]
pub struct LocalTrail {
    root: PathBuf,
}

/// The longest signature file: RSA of 16,384 bits, and a line feed.
const SIGNATURE_BYTES_MAX: u64 = 8 << 10;

impl LocalTrail {
    /// A copy in this folder.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn walk(&self, mut each: impl FnMut(Result<At, Unfetched>)) {
        for entry in WalkDir::new(&self.root) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) => match relative(&self.root, entry.path()) {
                    Some(at) => each(Ok(at)),
                    None => each(Err(Unfetched {
                        at: Untrusted::new(entry.path().to_string_lossy().into_owned()),
                        why: "its name is not UTF-8".to_owned(),
                    })),
                },
                Err(error) => each(Err(Unfetched {
                    at: Untrusted::new(
                        error.path().unwrap_or(&self.root).to_string_lossy().into_owned(),
                    ),
                    why: error
                        .io_error()
                        .map_or_else(|| "a loop of links".to_owned(), ToString::to_string),
                })),
            }
        }
    }

    fn read(&self, at: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.root.join(at);
        match path.metadata() {
            // A pipe would be waited for.
            Ok(metadata) if !metadata.is_file() => return Err(io::Error::other("not a file")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(io::Error::other(format!("longer than {bytes_max} bytes")));
        }
        Ok(Some(bytes))
    }
}

impl Trail for LocalTrail {
    async fn digests(&mut self) -> (Vec<At>, Vec<Unfetched>) {
        let (mut found, mut unfetched) = (Vec::new(), Vec::new());
        self.walk(|entry| match entry {
            Ok(at) if DigestName::parse(at.as_unescaped()).is_some() => found.push(at),
            Ok(_) => {}
            Err(error) => unfetched.push(error),
        });
        (found, unfetched)
    }

    async fn digest(&mut self, at: &At) -> Result<StoredDigest, Unfetched> {
        let failed = |error: io::Error| Unfetched { at: at.clone(), why: error.to_string() };
        let gone = || failed(io::ErrorKind::NotFound.into());
        let path = at.as_unescaped();
        let bytes = self.read(path, FILE_BYTES_MAX).map_err(failed)?.ok_or_else(gone)?;
        let beside = format!("{path}{SIGNATURE}");
        let signature = self.read(&beside, SIGNATURE_BYTES_MAX).map_err(failed)?;
        let signature =
            signature.map(|bytes| Untrusted::new(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(StoredDigest { bytes, signature })
    }

    fn place_of(&self, at: &At, itself: &ObjectRef, object: &ObjectRef) -> Place {
        place_in_copy(at, itself, object)
    }

    async fn log(&mut self, at: &At) -> Result<Option<Vec<u8>>, Unfetched> {
        self.read(at.as_unescaped(), FILE_BYTES_MAX)
            .map_err(|error| Unfetched { at: at.clone(), why: error.to_string() })
    }

    async fn files(&mut self, each: &mut (dyn FnMut(At) + Send)) -> Vec<Unfetched> {
        // What cannot be looked into was said when digests were looked for.
        self.walk(|entry| {
            if let Ok(at) = entry {
                each(at);
            }
        });
        Vec::new()
    }
}

/// A path below `root`, with the separators of S3.
fn relative(root: &Path, path: &Path) -> Option<At> {
    let below = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
    Some(Untrusted::new(parts?.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_cannot_lead_out_of_the_copy() {
        let trail = LocalTrail::new(PathBuf::from("/copy"));
        let text = |text: &str| Untrusted::new(text.to_owned());
        let object = |key: &str| ObjectRef { bucket: text("b"), key: text(key) };
        let itself = object("p/AWSLogs/1/CloudTrail-Digest/d.json.gz");
        let place = |key: &str| {
            trail.place_of(&text("1/CloudTrail-Digest/d.json.gz"), &itself, &object(key))
        };
        assert_eq!(place("p/AWSLogs/1/CloudTrail/l"), Place::At(text("1/CloudTrail/l")));
        for key in [
            "q/AWSLogs/1/CloudTrail/l",
            "p/AWSLogs/../../etc/passwd",
            "p/AWSLogs//etc/passwd",
            "p/AWSLogs/",
            "p/AWSLogs/./l",
            "p/AWSLogs/a\\..\\l",
            "/etc/passwd",
        ] {
            assert_eq!(place(key), Place::Outside, "{key}");
        }
    }
}
