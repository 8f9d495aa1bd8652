//! CloudTrail's public keys, as `aws cloudtrail list-public-keys` prints them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tripline_text::Untrusted;

use crate::json::Json;

/// A public key of CloudTrail in one Region.
///
/// The API reference calls the value DER of PKCS #1; the sample in the User Guide is an X.509
/// `SubjectPublicKeyInfo`. Whoever checks signatures has to take both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// What digests name it by.
    pub fingerprint: Untrusted<'static>,
    /// The key, DER.
    pub der: Vec<u8>,
}

/// A text that is no list of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKeys {
    /// No such list.
    #[error("no `PublicKeyList` in it")]
    NoList,
    /// A key without something.
    #[error("key {nth} of it has no readable `{field}`")]
    Field {
        /// Which key, counted from 1.
        nth: usize,
        /// What is missing.
        field: &'static str,
    },
}

/// Reads `{"PublicKeyList": [{"Fingerprint": "…", "Value": "base64 of DER", …}, …]}`.
///
/// # Errors
/// [`NotKeys`], naming the first thing that is wrong.
pub fn public_keys(json: &str) -> Result<Vec<PublicKey>, NotKeys> {
    let list = Json::first_in(json)
        .and_then(|json| json.get("PublicKeyList").or_else(|| json.get("publicKeyList")))
        .filter(|list| list.as_written().starts_with('['))
        .ok_or(NotKeys::NoList)?;
    let key = |(index, json): (usize, Json<'_>)| {
        let text = |field| json.get_text(field).ok_or(NotKeys::Field { nth: index + 1, field });
        let value = text("Value")?.decode();
        let der = BASE64.decode(value.trim_ascii().as_bytes());
        Ok(PublicKey {
            fingerprint: text("Fingerprint")?.untrusted().into_owned(),
            der: der.map_err(|_| NotKeys::Field { nth: index + 1, field: "Value" })?,
        })
    };
    list.items().enumerate().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_the_client_prints_them() {
        let text = r#"{"PublicKeyList": [{"Value": "MAA=", "ValidityStartTime": 1436317441.0,
            "ValidityEndTime": "1438909441.0", "Fingerprint": "8eba5db5bea9b640d1c96a77256fe7f2"}]}"#;
        let keys = public_keys(text).unwrap();
        assert_eq!((keys.len(), &keys[0].der[..]), (1, &[0x30, 0][..]));
        assert_eq!(public_keys(&text.replace("Pub", "pub")), Ok(keys));
        assert_eq!(public_keys("{}"), Err(NotKeys::NoList));
        assert_eq!(
            public_keys(&text.replace("MAA=", "%")),
            Err(NotKeys::Field { nth: 1, field: "Value" })
        );
        assert_eq!(
            public_keys(&text.replace("Fingerprint", "F")),
            Err(NotKeys::Field { nth: 1, field: "Fingerprint" })
        );
    }
}
