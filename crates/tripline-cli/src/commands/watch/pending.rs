//! What came by a message alone: CloudTrail is asked, and asked again.

use std::io::Write;

use tripline_detector::Verdict;
use tripline_engine::LiveIncident;

use super::Watcher;
use crate::exit::Failure;
use crate::input::now;

impl Watcher<'_> {
    /// The incident as it stands when CloudTrail was asked about it, if that told anything.
    pub(super) async fn confirmed(
        &self,
        incident: &LiveIncident,
    ) -> Result<Option<LiveIncident>, Failure> {
        let Some((hands, _)) = &self.hands else { return Ok(None) };
        let (told, silent) = self.live.confirm(incident, hands, now()).await?;
        for why in silent {
            writeln!(std::io::stderr(), "a record is not confirmed: {why}")?;
        }
        Ok(told)
    }

    /// Asks again about what nobody but a message told of so far.
    pub(super) async fn answer_pending(&mut self) -> Result<(), Failure> {
        for incident in self.live.pending(now()).await? {
            if self.confirmed_since.contains(&incident.root) {
                continue;
            }
            let incident = self.confirmed(&incident).await?.unwrap_or(incident);
            if incident.is_confirmed && incident.incident.verdict == Verdict::Kill {
                let looked_at = vec![self.answer(&incident).await?];
                self.put(looked_at).await?;
                self.confirmed_since.insert(incident.root);
            }
        }
        Ok(())
    }
}
