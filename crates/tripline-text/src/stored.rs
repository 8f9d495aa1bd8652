//! Untrusted text in this program's own files, for `#[serde(with = "tripline_text::stored")]`.
//!
//! For internal state only (spill files, snapshots), which only this program reads back. It is not a
//! way out: nothing that a person, a shell or another service reads may be written through it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Untrusted;

/// Writes the text unescaped into an internal file.
///
/// # Errors
/// Whatever the serializer reports.
pub fn serialize<S: Serializer>(text: &Untrusted<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.as_unescaped())
}

/// Reads the text back from an internal file.
///
/// # Errors
/// When the stored value is not a string.
pub fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Untrusted<'static>, D::Error> {
    String::deserialize(deserializer).map(Untrusted::new)
}

/// One stored text, so that the containers below can lean on serde's own.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Stored(#[serde(with = "crate::stored")] Untrusted<'static>);

/// For fields of type `Option<Untrusted<'static>>`.
pub mod option {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Stored, Untrusted};

    /// Writes the text, or its absence, into an internal file.
    ///
    /// # Errors
    /// Whatever the serializer reports.
    pub fn serialize<S: Serializer>(
        text: &Option<Untrusted<'static>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        text.as_ref().map(Untrusted::as_unescaped).serialize(serializer)
    }

    /// Reads the text, or its absence, back from an internal file.
    ///
    /// # Errors
    /// When the stored value is neither absent nor a string.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Untrusted<'static>>, D::Error> {
        Ok(Option::<Stored>::deserialize(deserializer)?.map(|stored| stored.0))
    }
}

/// For fields of type `Vec<Untrusted<'static>>`.
pub mod vec {
    use super::{Deserialize, Deserializer, Serializer, Stored, Untrusted};

    /// Writes the texts, in order, into an internal file.
    ///
    /// # Errors
    /// Whatever the serializer reports.
    pub fn serialize<S: Serializer>(
        texts: &[Untrusted<'static>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(texts.iter().map(Untrusted::as_unescaped))
    }

    /// Reads the texts, in order, back from an internal file.
    ///
    /// # Errors
    /// When the stored value is not a sequence of strings.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Untrusted<'static>>, D::Error> {
        let stored = Vec::<Stored>::deserialize(deserializer)?;
        Ok(stored.into_iter().map(|stored| stored.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Spilled {
        #[serde(with = "crate::stored")]
        one: Untrusted<'static>,
        #[serde(with = "crate::stored::option")]
        perhaps: Option<Untrusted<'static>>,
        #[serde(with = "crate::stored::vec")]
        many: Vec<Untrusted<'static>>,
    }

    #[test]
    fn stored_text_comes_back_unchanged() {
        for perhaps in [None, Some(Untrusted::borrowed(""))] {
            let spilled = Spilled {
                one: Untrusted::borrowed("\u{1b}[2J\u{202e}\""),
                perhaps,
                many: vec![Untrusted::borrowed("b"), Untrusted::borrowed("a")],
            };
            let bytes = serde_json::to_vec(&spilled).unwrap();
            assert_eq!(serde_json::from_slice::<Spilled>(&bytes).unwrap(), spilled);
        }
    }
}
