//! What is in a digest file.

use std::fmt;

use tripline_text::{Untrusted, escape};

use super::hash::{ContentHash, Damage, bytes_of_hex, content};
use crate::json::Json;
use crate::time::EventTime;

/// An object in S3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Its bucket.
    pub bucket: Untrusted<'static>,
    /// Its key in the bucket.
    pub key: Untrusted<'static>,
}

impl fmt::Display for ObjectRef {
    /// As `s3://BUCKET/KEY`, for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", escape::terminal(&self.bucket), escape::terminal(&self.key))
    }
}

/// A signature, in hexadecimal digits as they were written: the next digest's own signature is over
/// these very digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    hex: Box<str>,
    bytes: Vec<u8>,
}

/// The longest signature: of RSA with 16,384 bits. CloudTrail's have 2,048.
const SIGNATURE_DIGITS_MAX: usize = 4_096;

impl Signature {
    /// From hexadecimal digits, blanks around them allowed.
    pub fn parse(hex: &str) -> Option<Self> {
        let hex = hex.trim_ascii();
        let is_in_bounds = !hex.is_empty() && hex.len() <= SIGNATURE_DIGITS_MAX;
        let bytes = is_in_bounds.then(|| bytes_of_hex(hex)).flatten()?;
        Some(Self { hex: hex.into(), bytes })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What a digest says of the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Where it is.
    pub place: ObjectRef,
    /// What its content hashes to.
    pub hash: ContentHash,
    /// Its signature.
    pub signature: Signature,
}

/// A log file that a digest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestedFile {
    /// Where it was delivered to.
    pub place: ObjectRef,
    /// What its content hashed to.
    pub hash: ContentHash,
}

/// A digest file, read. Field names are CloudTrail's
/// (UG/cloudtrail-log-file-validation-digest-file-structure).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// From when on log files were delivered that it lists.
    pub start: EventTime,
    /// Up to when.
    pub end: EventTime,
    /// The end as written, which is signed.
    end_as_written: Untrusted<'static>,
    /// Where it was delivered to.
    pub place: ObjectRef,
    /// The fingerprint of the key that signed it.
    pub fingerprint: Untrusted<'static>,
    /// The digest before it; `None` in the first one after validation or logging was switched on.
    pub previous: Option<Previous>,
    /// The log files.
    pub files: Vec<DigestedFile>,
    /// What its own content hashes to.
    pub hash: ContentHash,
}

/// A file that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not even its content can be had.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// No JSON object.
    #[error("not a JSON object")]
    NotJson,
    /// A field that is missing, or is not what it should be.
    #[error("no readable `{0}`")]
    Field(&'static str),
}

/// The most JSON that a digest may have. Each log file takes some 500 bytes, and 64 MB of them are
/// 130,000 log files in an hour.
const DIGEST_BYTES_MAX: u64 = 64 << 20;

impl Digest {
    /// Reads a digest file as stored: gzip or plain.
    ///
    /// # Errors
    /// [`Malformed`], naming the first thing that is wrong.
    pub fn parse(stored: &[u8]) -> Result<Self, Malformed> {
        let content = content(stored, DIGEST_BYTES_MAX)?;
        let text = str::from_utf8(&content).map_err(|_| Malformed::NotJson)?;
        let json = Json::first_in(text).filter(|json| json.as_written().starts_with('{'));
        let fields = Fields(json.ok_or(Malformed::NotJson)?);
        let end_as_written = fields.text("digestEndTime")?;
        Ok(Self {
            start: fields.time("digestStartTime")?,
            end: fields.time("digestEndTime")?,
            end_as_written,
            place: fields.place("digestS3Bucket", "digestS3Object")?,
            fingerprint: fields.text("digestPublicKeyFingerprint")?,
            previous: fields.previous()?,
            files: fields.files()?,
            hash: ContentHash::of(&content),
        })
    }

    /// The bytes that CloudTrail signed: four lines without a last line feed
    /// (UG/cloudtrail-log-file-custom-validation).
    pub fn signed_bytes(&self) -> Vec<u8> {
        let previous = self.previous.as_ref().map_or("null", |previous| &previous.signature.hex);
        [
            self.end_as_written.as_unescaped(),
            "\n",
            self.place.bucket.as_unescaped(),
            "/",
            self.place.key.as_unescaped(),
            "\n",
            &self.hash.to_string(),
            "\n",
            previous,
        ]
        .concat()
        .into_bytes()
    }
}

/// A JSON object of which fields are due.
#[derive(Clone, Copy)]
struct Fields<'a>(Json<'a>);

impl Fields<'_> {
    fn text(self, name: &'static str) -> Result<Untrusted<'static>, Malformed> {
        let text = self.0.get_text(name).ok_or(Malformed::Field(name))?;
        Ok(text.untrusted().into_owned())
    }

    fn time(self, name: &'static str) -> Result<EventTime, Malformed> {
        EventTime::parse(self.text(name)?.as_unescaped()).ok_or(Malformed::Field(name))
    }

    fn hash(self, name: &'static str) -> Result<ContentHash, Malformed> {
        ContentHash::parse(self.text(name)?.as_unescaped()).ok_or(Malformed::Field(name))
    }

    fn place(self, bucket: &'static str, key: &'static str) -> Result<ObjectRef, Malformed> {
        Ok(ObjectRef { bucket: self.text(bucket)?, key: self.text(key)? })
    }

    /// All four are null, or none is.
    fn previous(self) -> Result<Option<Previous>, Malformed> {
        const SIGNATURE: &str = "previousDigestSignature";
        // Must be there, if only as null: what is signed hangs on it.
        if self.0.get(SIGNATURE).ok_or(Malformed::Field(SIGNATURE))?.is_null() {
            const OBJECT: &str = "previousDigestS3Object";
            let is_null = self.0.get(OBJECT).is_none_or(Json::is_null);
            return if is_null { Ok(None) } else { Err(Malformed::Field(SIGNATURE)) };
        }
        let signature = self.text(SIGNATURE)?;
        Ok(Some(Previous {
            place: self.place("previousDigestS3Bucket", "previousDigestS3Object")?,
            hash: self.hash("previousDigestHashValue")?,
            signature: Signature::parse(signature.as_unescaped())
                .ok_or(Malformed::Field(SIGNATURE))?,
        }))
    }

    fn files(self) -> Result<Vec<DigestedFile>, Malformed> {
        let list = self.0.get("logFiles").filter(|list| list.as_written().starts_with('['));
        let list = list.ok_or(Malformed::Field("logFiles"))?;
        let file = |json| {
            let fields = Fields(json);
            Ok(DigestedFile {
                place: fields.place("s3Bucket", "s3Object")?,
                hash: fields.hash("hashValue")?,
            })
        };
        list.items().map(file).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own sample, shortened (UG/cloudtrail-log-file-validation-digest-file-structure).
    const SAMPLE: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2015-08-17T14:01:31Z",
        "digestEndTime":"2015-08-17T15:01:31Z","digestS3Bucket":"b","digestS3Object":"k/2",
        "digestPublicKeyFingerprint":"31e8b5433410dfb61a9dc45cc65b22ff",
        "digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,
        "previousDigestS3Bucket":"b","previousDigestS3Object":"k/1",
        "previousDigestHashValue":"97fb791cf91ffc440d274f8190dbdd9aa09c34432aba82739df18b6d3c13df2d",
        "previousDigestHashAlgorithm":"SHA-256","previousDigestSignature":"50887ccF",
        "logFiles":[{"s3Bucket":"b","s3Object":"l","hashAlgorithm":"SHA-256",
        "hashValue":"9bb6196fc6b84d6f075a56548feca262bd99ba3c2de41b618e5b6e22c1fc71f6"}]}"#;

    #[test]
    fn a_digest_is_read_and_what_was_signed_rebuilt() {
        let digest = Digest::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!(digest.end.to_string(), "2015-08-17T15:01:31Z");
        assert_eq!(digest.files[0].place.to_string(), "s3://b/l");
        let expected = format!("2015-08-17T15:01:31Z\nb/k/2\n{}\n50887ccF", digest.hash);
        assert_eq!(String::from_utf8(digest.signed_bytes()).unwrap(), expected);
    }

    /// The vector of aws-cli's own tests.
    #[test]
    fn what_is_signed_ends_with_null_at_the_start_of_a_chain() {
        let text = |text| Untrusted::borrowed(text);
        let mut digest = Digest::parse(SAMPLE.as_bytes()).unwrap();
        digest.end_as_written = text("a");
        digest.place = ObjectRef { bucket: text("b"), key: text("c") };
        digest.hash = ContentHash::of(b"abc");
        digest.previous = None;
        assert_eq!(
            digest.signed_bytes(),
            b"a\nb/c\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nnull"
        );
    }

    #[test]
    fn what_is_no_digest_is_told() {
        let parse = |text: &str| Digest::parse(text.as_bytes()).map(|_| ());
        assert_eq!(parse("[]"), Err(Malformed::NotJson));
        assert_eq!(parse("{}"), Err(Malformed::Field("digestEndTime")));
        assert_eq!(Digest::parse(b"\xff{}"), Err(Malformed::NotJson));
        for (from, to, field) in [
            ("\"l\"", "null", "s3Object"),
            ("9bb6", "9bb", "hashValue"),
            ("2015-08-17T14", "2015-08-17T99", "digestStartTime"),
            ("50887ccF", "none", "previousDigestSignature"),
            ("\"50887ccF\"", "null", "previousDigestSignature"),
            ("previousDigestSignature", "x", "previousDigestSignature"),
            ("97fb", "", "previousDigestHashValue"),
            ("logFiles", "files", "logFiles"),
        ] {
            assert_eq!(parse(&SAMPLE.replace(from, to)), Err(Malformed::Field(field)), "{from}");
        }
    }
}
