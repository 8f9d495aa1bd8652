//! CloudTrail's signatures: RSASSA-PKCS1-v1_5 with SHA-256.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use thiserror::Error;
use tripline_cloudtrail::digest::{NotVerified, PublicKey, Verifier};
use tripline_text::{Untrusted, escape};

/// Public keys, by what digests name them by.
pub struct RsaKeys(BTreeMap<Untrusted<'static>, ParsedPublicKey>);

/// A key that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the key with the fingerprint `{}` is not an RSA key", escape::terminal(.fingerprint))]
pub struct UnusableKey {
    /// Which.
    pub fingerprint: Untrusted<'static>,
}

impl RsaKeys {
    /// Takes keys in both forms that CloudTrail's documentation shows: `RSAPublicKey` (PKCS #1), and
    /// `SubjectPublicKeyInfo` (X.509).
    ///
    /// # Errors
    /// [`UnusableKey`], naming the first that is neither.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, UnusableKey> {
        let parsed = keys.into_iter().map(|key| {
            match ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.der) {
                Ok(parsed) => Ok((key.fingerprint, parsed)),
                Err(_) => Err(UnusableKey { fingerprint: key.fingerprint }),
            }
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for RsaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RsaKeys").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

impl Verifier for RsaKeys {
    fn verify(
        &self,
        fingerprint: &Untrusted<'_>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), NotVerified> {
        let key = self.0.get(fingerprint).ok_or(NotVerified::NoKey)?;
        key.verify_sig(signed, signature).map_err(|_| NotVerified::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use tripline_cloudtrail::digest::{Signature, public_keys};

    use super::*;

    // Made with OpenSSL 3.0.19: `openssl genrsa 2048`; `openssl rsa -pubout` and `-RSAPublicKey_out`;
    // `openssl dgst -sha256 -sign` over SIGNED.
    const SPKI: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvatUB+KVR0zdetFrQ25qa4menk3sPJvQ8531iI2uKVge\
     gu1IX7XR/x6XK1SQqcZdsA3DFya8PrCjg8KJzrs7LTX6F03lhHUleuN63aamUCPndtTCNoxNUun8dJ67Cr2yT2i0\
     lkRg7FmIOvRzMe0J3ulcnw6BMMv5DtJpfFxViwO44QpCeB5JsUr99XOX0/HoQx+uIcQ2oWjJxABb9cu2C08a2GBZ\
     1mi2bzJHnE8KxNCiNFQO5dfS01VHYSPB7mvTV+ucm8H3QKI6R3X+jYggz62PX7es5luHqbs8Uf30c2BzKJADa8da\
     WarLGH2nrZWAdb3P2/KB+GsZ0fzMvHUUOwIDAQAB";
    const PKCS1: &str = "MIIBCgKCAQEAvatUB+KVR0zdetFrQ25qa4menk3sPJvQ8531iI2uKVgegu1IX7XR/x6XK1SQqcZdsA3DFya8PrCj\
     g8KJzrs7LTX6F03lhHUleuN63aamUCPndtTCNoxNUun8dJ67Cr2yT2i0lkRg7FmIOvRzMe0J3ulcnw6BMMv5DtJp\
     fFxViwO44QpCeB5JsUr99XOX0/HoQx+uIcQ2oWjJxABb9cu2C08a2GBZ1mi2bzJHnE8KxNCiNFQO5dfS01VHYSPB\
     7mvTV+ucm8H3QKI6R3X+jYggz62PX7es5luHqbs8Uf30c2BzKJADa8daWarLGH2nrZWAdb3P2/KB+GsZ0fzMvHUU\
     OwIDAQAB";
    const SIGNED: &[u8] =
        b"a\nb/c\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nnull";
    const SIGNATURE: &str = "15e408ec1b3a39635a1095a3f6d5ac6c82de2cbd5ffaf6785597e090ee7359f6226786cdf2eb1efb808694ea\
     1aeefec6840821866b2a04492c199515a5c07e1459ac74900a72fd90b650f4bdd7bc29da2c6ba73607954825\
     35bdff8424150bd88e970c804a05151b3178a1343b039ecbdb6850ea07782337c00a6a3fefa58ef8aef97980\
     e442d73cce57d9cf13e29dfa438a0cf9faf71dfb06a7ac976fe269f4f08211dd23d9d84b3e02f0ede04b1929\
     24871f87244a54e419545d893f098145c4356210f86b91407f0d87e4f87fdeaf64d5e2333ff4134dbdf692b7\
     3f32b9bc0b73efae36b5fc492967b124ebc8c1c52f5b56cc5377aa5180f39fd1047f4309";

    fn keys(value: &str) -> Result<RsaKeys, UnusableKey> {
        let list = format!(r#"{{"PublicKeyList":[{{"Value":"{value}","Fingerprint":"f"}}]}}"#);
        RsaKeys::new(public_keys(&list).unwrap())
    }

    #[test]
    fn keys_in_both_encodings_verify_what_openssl_signed() {
        let signature = Signature::parse(SIGNATURE).unwrap();
        let fingerprint = Untrusted::borrowed("f");
        for value in [SPKI, PKCS1] {
            let keys = keys(value).unwrap();
            let verify =
                |signed: &[u8], signature: &[u8]| keys.verify(&fingerprint, signed, signature);
            assert_eq!(verify(SIGNED, signature.as_bytes()), Ok(()));
            let mut changed = SIGNED.to_vec();
            for nth in 0..changed.len() {
                changed[nth] ^= 1;
                let mismatch = Err(NotVerified::Mismatch);
                assert_eq!(verify(&changed, signature.as_bytes()), mismatch, "byte {nth}");
                changed[nth] ^= 1;
            }
            assert_eq!(verify(SIGNED, &[]), Err(NotVerified::Mismatch));
            let unknown = keys.verify(&Untrusted::borrowed("g"), SIGNED, signature.as_bytes());
            assert_eq!(unknown, Err(NotVerified::NoKey));
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        assert_eq!(
            keys("MAA=").unwrap_err().to_string(),
            "the key with the fingerprint `f` is not an RSA key"
        );
        let unusable = UnusableKey { fingerprint: Untrusted::borrowed("\u{1b}[2J") };
        assert!(!unusable.to_string().contains('\u{1b}'));
    }
}
