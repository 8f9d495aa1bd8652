//! What is told of Tripline itself: who was not heard of, by whose files arrived, and of whom the
//! calibration does not hold.

use std::collections::BTreeMap;

use tripline_attribution::AgentId;
use tripline_baseline::Day;
use tripline_cloudtrail::EventTime;
use tripline_detector::Calibration;
use tripline_engine::{Beat, Entry, Heartbeat, Partition, PartitionId, Pulse, Pulses, Source};

use super::{Live, LiveError};
use crate::state::State;

impl<S: State> Live<'_, S> {
    /// Notes that files arrived which hold no records: digests.
    ///
    /// # Errors
    /// [`LiveError`]: they are to be noted again.
    pub async fn hear(&self, pulses: &[Pulse], now: EventTime) -> Result<(), LiveError> {
        let entries: Vec<Entry> = pulses.iter().flat_map(|pulse| pulse.entries(now)).collect();
        Ok(self.state.put(&entries).await?)
    }
}

/// How each account and Region is that was heard of within a week.
///
/// # Errors
/// [`LiveError`].
pub async fn beats(
    state: &impl State,
    limits: Heartbeat,
    now: EventTime,
) -> Result<BTreeMap<Source, Beat>, LiveError> {
    let mut pulses = Pulses::at(now, limits);
    let wanted = pulses.wanted();
    let ids: Vec<PartitionId> = wanted.iter().map(Partition::id).collect();
    for (partition, values) in wanted.iter().zip(state.read(&ids).await?) {
        pulses.give(partition, &values)?;
    }
    Ok(pulses.beats())
}

/// The classes of which a calibration does not hold, each with the day on which that turned out; no class
/// is that of all agents without one.
///
/// # Errors
/// [`LiveError`].
pub async fn fired(
    state: &impl State,
    calibration: &Calibration,
) -> Result<BTreeMap<Option<AgentId>, Day>, LiveError> {
    let values = state.read(&[Partition::fired(calibration).id()]).await?;
    Ok(Partition::fired_classes(values.into_iter().flatten())?)
}
