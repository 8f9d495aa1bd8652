//! Confirmation: what came by a message alone, CloudTrail is asked about. What it tells is taken in as
//! what its trail delivers; so nothing is compared, and a forged record stays what it was.

use std::sync::Arc;

use tripline_cloudtrail::EventTime;
use tripline_detector::Verdict;
use tripline_engine::{
    Arrivals, Filter, Hearsay, LiveIncident, Partition, PartitionId, Provenance,
};
use tripline_text::Untrusted;

use super::{Live, LiveError};
use crate::state::State;

/// Whoever has seen what happened, and cannot be talked into anything.
pub trait Witness {
    /// The record as the witness has it, as JSON; `None` when it has not, or not yet. The error is what
    /// kept it from answering.
    fn record(
        &self,
        hearsay: &Hearsay,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, String>> + Send;
}

/// How many lineages are asked about again at one tick.
const PENDING_MAX: usize = 16;

impl<S: State> Live<'_, S> {
    /// Asks about the records that an incident rests on, as far as messages alone told of them; the
    /// incident as it stands then, if anything was told, and why the witness did not answer.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn confirm(
        &self,
        incident: &LiveIncident,
        witness: &impl Witness,
        now: EventTime,
    ) -> Result<(Option<LiveIncident>, Vec<String>), LiveError> {
        // For a fence a message is enough.
        if incident.is_confirmed || incident.incident.verdict < Verdict::Kill {
            return Ok((None, Vec::new()));
        }
        // First of all: whoever is interrupted goes on with it.
        self.state.put(&[incident.pending(now)]).await?;
        let values = self.read_all(&incident.hearsay()).await?;
        let (mut entries, mut silent) = (Vec::new(), Vec::new());
        let filter = Filter::default();
        let mut arrivals =
            Arrivals::new(self.models.config(), self.models.core(), &filter, now, self.hash_seed);
        for doubt in incident.doubts(values)? {
            match witness.record(&doubt).await {
                Ok(Some(json)) => {
                    let file = Arc::new(Untrusted::new(format!("event {}", doubt.event_id())));
                    arrivals.read(&file, &json, Provenance::Trail);
                    entries.push(incident.confirmed(&doubt, now));
                }
                Ok(None) => {}
                Err(why) => silent.push(why),
            }
        }
        if entries.is_empty() {
            return Ok((None, silent));
        }
        // What was told, before it is noted that it was.
        self.state.put(&arrivals.finish().entries).await?;
        self.state.put(&entries).await?;
        let told = self.incidents(&incident.root, now).await?;
        Ok((told.into_iter().max_by_key(|one| (one.incident.verdict, one.is_confirmed)), silent))
    }

    /// The incidents that CloudTrail was asked about in the last half hour, as they stand now.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn pending(&self, now: EventTime) -> Result<Vec<LiveIncident>, LiveError> {
        let roots = Partition::pending_roots(self.read_all(&Partition::pending(now)).await?)?;
        // Of many, each gets its turn: whoever sends forged records must not keep true ones waiting.
        let turn = usize::try_from(now.unix_minutes()).unwrap_or(0).wrapping_mul(PENDING_MAX);
        let first = turn.checked_rem(roots.len()).unwrap_or(0);
        let (all, mut incidents) = (roots.len(), Vec::new());
        for root in roots.iter().cycle().skip(first).take(PENDING_MAX.min(all)) {
            incidents.extend(self.incidents(root, now).await?);
        }
        Ok(incidents)
    }

    async fn read_all(&self, partitions: &[Partition]) -> Result<Vec<Vec<u8>>, LiveError> {
        let ids: Vec<PartitionId> = partitions.iter().map(Partition::id).collect();
        Ok(self.state.read(&ids).await?.into_iter().flatten().collect())
    }
}
