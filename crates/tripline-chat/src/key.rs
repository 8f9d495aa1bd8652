//! Keys that sign: HMAC-SHA256.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// A shared secret that signs and checks. It cannot be printed.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

/// A secret that is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is shorter than {KEY_BYTES_MIN} bytes: anybody could guess it")]
pub struct WeakKey;

/// How short a secret may be.
const KEY_BYTES_MIN: usize = 16;

impl SigningKey {
    /// The key of a secret.
    ///
    /// # Errors
    /// [`WeakKey`].
    pub fn new(secret: &[u8]) -> Result<Self, WeakKey> {
        if secret.len() < KEY_BYTES_MIN {
            return Err(WeakKey);
        }
        Hmac::new_from_slice(secret).map(Self).map_err(|_| WeakKey)
    }

    /// Signs texts, one behind another.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
