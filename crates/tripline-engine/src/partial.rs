//! Partial baselines: what learning needs of each record, without the record.
//!
//! What can be added up is not enough for parts of a history that overlap, or that cut an episode or a
//! session in two. So a partial keeps everything still open: ids, mints, uses and what each call
//! shows. To merge partials is to unite sets, and `merge(learn(A), learn(B)) = learn(A ∪ B)` for any
//! A and B whatever.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tripline_attribution::{AgentRules, StoredMint, Use};
use tripline_baseline::Call;
use tripline_cloudtrail::{EventId, Record, SharedEventId};
use tripline_detector::{Broken, Reason, assess};

use crate::config::Config;
use crate::judge::DamagedRow;
use crate::model::Model;

/// What is kept of one record: all that learning and judging need of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The credential that it tells the creation of.
    pub mint: Option<StoredMint>,
    /// The call; missing where a filter left it out.
    pub call: Option<KeptCall>,
}

/// What is kept of a record that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptCall {
    /// Which record of the call it is.
    pub told: ToldBy,
    /// Whose call it was, as far as the record tells.
    pub used: Use,
    /// What was done.
    pub call: Call,
    /// What the record shows by itself, whoever's call it was.
    pub reasons: Vec<Reason>,
}

/// The beginning of a [`Kept`], as it is written: what there is to know of a row without the call.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct KeptHead {
    pub(crate) mint: Option<StoredMint>,
    /// Which record of the call it is, and whose call.
    pub(crate) call: Option<(ToldBy, Use)>,
}

impl KeptHead {
    /// That of a row.
    pub(crate) fn of_row(row: &[u8]) -> Result<Self, DamagedRow> {
        let (head, _) = postcard::take_from_bytes(row).map_err(|_| DamagedRow)?;
        Ok(head)
    }
}

/// Which record of a call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToldBy {
    /// The only one.
    Itself,
    /// One of several accounts' copies.
    Copy(SharedEventId),
    /// A late correction.
    Correction(EventId),
}

/// What the rows of a partial were made with: agents are named, and invariants judged, when a record
/// is read. Partials that were made with different settings do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// That of these settings.
    pub fn of(config: &Config, model: &Model) -> Self {
        let mut hash = Sha256::new();
        for part in
            [format!("{:?}", config.agents), model.invariants().settings().content_hash_input()]
        {
            // The length first, so that no two lists of parts run together into one text.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl Kept {
    /// Back from a row of this program's own files.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn from_row(row: &[u8]) -> Result<Self, DamagedRow> {
        postcard::from_bytes(row).map_err(|_| DamagedRow)
    }

    /// What is to be kept of a record: of one whose call counts for nothing only its mint, if it is one.
    pub(crate) fn of(
        record: &Record<'_>,
        broken: &[Broken],
        rules: &AgentRules,
        counts: impl FnOnce(&Use) -> bool,
    ) -> Option<Self> {
        let mint = StoredMint::of(record, rules);
        let used = Use::of(record);
        let call = counts(&used).then(|| KeptCall {
            told: match (record.shared_id(), record.corrects()) {
                (Some(shared), _) => ToldBy::Copy(shared),
                (None, Some(original)) => ToldBy::Correction(original),
                (None, None) => ToldBy::Itself,
            },
            used,
            call: Call::of(record),
            reasons: assess(broken, &[]).reasons,
        });
        (mint.is_some() || call.is_some()).then_some(Self { mint, call })
    }
}

#[cfg(test)]
mod tests {
    use tripline_detector::Invariants;

    use super::*;

    #[test]
    fn a_row_tells_whose_it_is_before_it_tells_what() {
        let text = r#"{"eventTime":"2026-11-20T10:00:00Z","eventName":"GetObject","eventSource":"s3.amazonaws.com",
            "userIdentity":{"type":"AssumedRole","accessKeyId":"ASIAXXXXXXXXXXXXXXXX","accountId":"111122223333"}}"#;
        let record = Record::parse(text).unwrap();
        let broken = Invariants::default().look(&record);
        let kept = Kept::of(&record, &broken, &AgentRules::default(), |_| true).unwrap();
        let row = postcard::to_extend(&kept, Vec::new()).unwrap();
        let call = kept.call.unwrap();
        assert_eq!(KeptHead::of_row(&row).unwrap().call, Some((call.told, call.used)));
    }
}
