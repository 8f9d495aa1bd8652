//! CloudTrail's own event history as a witness, in whichever account something is said to have happened.

use tripline_engine::Hearsay;
use tripline_runtime::Witness;

use crate::iam::IamResponder;

impl Witness for IamResponder {
    async fn record(&self, hearsay: &Hearsay) -> Result<Option<Vec<u8>>, String> {
        let history = self.history(hearsay.account()).await.map_err(|failure| {
            format!("no event history of account {} can be read: {failure}", hearsay.account())
        })?;
        let found = history.event(hearsay.region(), &hearsay.event_id()).await?;
        Ok(found.into_iter().next().map(|found| found.record.into_bytes()))
    }
}
