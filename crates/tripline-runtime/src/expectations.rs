//! What people expect of agents for a while, where whoever judges finds it: one set in the state, of
//! texts as `decisions.toml` has them.

use tripline_baseline::Decisions;
use tripline_cloudtrail::EventTime;
use tripline_containment::IncidentId;
use tripline_engine::{Anchor, Entry, HORIZON_SECS, Partition};

use crate::state::{State, StateError};

/// All exceptions that hold, or held a short while ago.
///
/// # Errors
/// [`StateError`].
pub async fn expectations(state: &impl State) -> Result<Decisions, StateError> {
    let found = state.read(&[Partition::Expected.id()]).await?;
    let mut expected = Decisions::default();
    for value in found.into_iter().flatten() {
        // What a newer program wrote is passed over, which silences nothing.
        let text = String::from_utf8(value).ok();
        if let Some(more) = text.and_then(|text| Decisions::parse(&text).ok()) {
            expected.expect_also(&more);
        }
    }
    Ok(expected)
}

/// Adds exceptions. They are kept for as long as calls are looked at that were made under them.
pub(crate) async fn expect(
    state: &impl State,
    exceptions: &str,
    until_unix_secs: i64,
) -> Result<(), StateError> {
    let kept = until_unix_secs.saturating_add(HORIZON_SECS);
    let kept = EventTime::from_unix_secs(kept).unwrap_or(EventTime::EPOCH);
    let value = exceptions.as_bytes().to_vec();
    state.put(&[Entry::new(&Partition::Expected, value, kept)]).await
}

/// Notes where the lineage of an incident begins.
pub(crate) async fn note_root(
    state: &impl State,
    incident: IncidentId,
    root: &Anchor,
    now_unix_secs: i64,
) -> Result<(), StateError> {
    // INVARIANT: no map and no unsized sequence, all that serde_json refuses.
    let value = serde_json::to_vec(root).unwrap_or_default();
    let kept = now_unix_secs.saturating_add(HORIZON_SECS);
    let kept = EventTime::from_unix_secs(kept).unwrap_or(EventTime::EPOCH);
    state.put(&[Entry::new(&Partition::Root(incident), value, kept)]).await
}

/// Where it begins, if anybody was told of it not too long ago.
pub(crate) async fn root_of(
    state: &impl State,
    incident: IncidentId,
) -> Result<Option<Anchor>, StateError> {
    let found = state.read(&[Partition::Root(incident).id()]).await?;
    let mut roots = found.into_iter().flatten();
    Ok(roots.find_map(|value| serde_json::from_slice(&value).ok()))
}
