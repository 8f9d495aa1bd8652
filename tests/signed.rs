//! Trails with log file validation, made here: a bucket's copy, signed with a key of our own. Written
//! from AWS's documents, not from the program, so that the two check each other.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const FINGERPRINT: &str = "31e8b5433410dfb61a9dc45cc65b22ff";
const ACCOUNT: &str = "111122223333";
const BUCKET: &str = "example-trail";

/// A copy of a bucket, and the key that signs in it.
pub(crate) struct SignedTrail {
    dir: TempDir,
    key: KeyPair,
}

/// A digest that was written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// Its key in the bucket, and its path in the copy.
    pub(crate) key: String,
    pub(crate) json: Value,
    pub(crate) signature: String,
    /// The keys of its log files.
    pub(crate) logs: Vec<String>,
}

impl SignedTrail {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), key }
    }

    /// Hours of one chain, each with two log files, after a digest if there is one.
    pub(crate) fn hours(
        &self,
        hours: std::ops::Range<u32>,
        after: Option<&Written>,
    ) -> Vec<Written> {
        let mut all: Vec<Written> = Vec::new();
        for hour in hours {
            let logs = [5, 35].map(|minute| self.log(hour, minute));
            let previous = all.last().or(after);
            all.push(self.digest(hour + 1, "", &logs, previous));
        }
        all
    }

    /// Writes a log file that is delivered at this time; its key and its hash.
    pub(crate) fn log(&self, hour: u32, minute: u32) -> (String, String) {
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/{ACCOUNT}_CloudTrail_us-east-1_20261120T{hour:02}{minute:02}Z_Ab01234567890xyz.json.gz"
        );
        let content = json!({"Records": [{"eventID": format!("{hour}-{minute}")}]}).to_string();
        self.store(&key, content.as_bytes());
        (key, sha256(content.as_bytes()))
    }

    /// Writes and signs the digest that ends at this hour, one and a half minutes past.
    pub(crate) fn digest(
        &self,
        hour: u32,
        suffix: &str,
        logs: &[(String, String)],
        previous: Option<&Written>,
    ) -> Written {
        let files: Vec<Value> = logs
            .iter()
            .map(|(key, hash)| {
                json!({
                    "s3Bucket": BUCKET, "s3Object": key, "hashValue": hash,
                    "hashAlgorithm": "SHA-256", "newestEventTime": "2026-11-20T00:00:00Z",
                    "oldestEventTime": "2026-11-20T00:00:00Z",
                })
            })
            .collect();
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/2026/11/20/{ACCOUNT}_CloudTrail-Digest_us-east-1_management_us-east-1_20261120T{hour:02}0131Z{suffix}.json.gz"
        );
        let json = json!({
            "awsAccountId": ACCOUNT,
            "digestStartTime": format!("2026-11-20T{:02}:01:31Z", hour - 1),
            "digestEndTime": format!("2026-11-20T{hour:02}:01:31Z"),
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": null,
            "oldestEventTime": null,
            "previousDigestS3Bucket": previous.map(|_| BUCKET),
            "previousDigestS3Object": previous.map(|previous| &previous.key),
            "previousDigestHashValue":
                previous.map(|previous| sha256(previous.json.to_string().as_bytes())),
            "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
            "previousDigestSignature": previous.map(|previous| &previous.signature),
            "logFiles": files,
        });
        let signature = self.sign(&json);
        let logs = logs.iter().map(|(key, _)| key.clone()).collect();
        let written = Written { key, json, signature, logs };
        self.write(&written);
        fs::write(self.beside(&written), format!("{}\n", written.signature)).unwrap();
        written
    }

    /// What CloudTrail would sign.
    fn sign(&self, json: &Value) -> String {
        let text = |name: &str| json[name].as_str().unwrap_or("null").to_owned();
        let signed = [
            text("digestEndTime"),
            format!("{}/{}", text("digestS3Bucket"), text("digestS3Object")),
            sha256(json.to_string().as_bytes()),
            text("previousDigestSignature"),
        ]
        .join("\n");
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
        hex(&signature)
    }

    /// Writes a digest anew, without signing it.
    pub(crate) fn write(&self, digest: &Written) {
        self.store(&digest.key, digest.json.to_string().as_bytes());
    }

    /// Compresses a content and puts it where the key says.
    pub(crate) fn store(&self, key: &str, content: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, gzip(content)).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root().join(key)
    }

    /// Where the signature of a digest stands.
    pub(crate) fn beside(&self, digest: &Written) -> PathBuf {
        self.path(&format!("{}.signature", digest.key))
    }

    pub(crate) fn remove(&self, key: &str) {
        fs::remove_file(self.path(key)).unwrap();
    }

    /// As `aws s3 sync` leaves it: without metadata.
    pub(crate) fn without_signatures(&self, digests: &[Written]) {
        digests.iter().for_each(|digest| fs::remove_file(self.beside(digest)).unwrap());
    }

    /// A file as `aws cloudtrail list-public-keys` prints it, of PKCS #1.
    pub(crate) fn keys(&self) -> PathBuf {
        self.keys_of(&self.public_key(), FINGERPRINT)
    }

    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    /// The same key as X.509 has it.
    pub(crate) fn spki_keys(&self) -> PathBuf {
        let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
            self.key.public_key().as_der().unwrap();
        self.keys_of(der.as_ref(), FINGERPRINT)
    }

    pub(crate) fn keys_of(&self, der: &[u8], fingerprint: &str) -> PathBuf {
        let list = json!({"PublicKeyList": [{
            "Value": BASE64.encode(der), "Fingerprint": fingerprint,
            "ValidityStartTime": 1_795_000_000.0, "ValidityEndTime": 1_796_000_000.0,
        }]});
        let path = self.root().join("keys.json");
        fs::write(&path, list.to_string()).unwrap();
        path
    }
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
