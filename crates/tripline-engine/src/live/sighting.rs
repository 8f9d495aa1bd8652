//! What the state tells of sessions that were cut off: whether they are seen to be.

use tripline_attribution::AnchorKind;
use tripline_baseline::Call;
use tripline_containment::{Case, Event};
use tripline_text::Untrusted;

use super::blob::Unpacker;
use super::partition::elements;
use super::{Anchor, Partition};
use crate::aftermath::ALWAYS_WORKS;
use crate::held::time_of;
use crate::judge::DamagedRow;
use crate::partial::Kept;

/// A session that was to be cut off, as it is watched.
#[derive(Clone, Debug)]
pub struct Sighting {
    session: Untrusted<'static>,
    /// What was before proves nothing.
    since_unix_secs: i64,
    refused: Option<i64>,
    succeeded: Option<i64>,
}

impl Sighting {
    /// Those of a case.
    pub fn of(case: &Case) -> impl Iterator<Item = Self> {
        let since_unix_secs = case.times.decided.div_euclid(1_000);
        case.plan.sessions.iter().map(move |session| Self {
            session: session.id.clone(),
            since_unix_secs,
            refused: None,
            succeeded: None,
        })
    }

    /// What to read of the state.
    pub fn wanted(&self) -> Vec<Partition> {
        let kinds = [AnchorKind::Key, AnchorKind::Console, AnchorKind::SignIn];
        let anchor = |kind| Anchor { kind, id: self.session.as_unescaped().into() };
        let sets = |anchor: Anchor| [Partition::Refusals(anchor.clone()), Partition::Rows(anchor)];
        let mints = Partition::Mints(self.session.as_unescaped().into());
        kinds.into_iter().map(anchor).flat_map(sets).chain([mints]).collect()
    }

    /// Takes what a partition holds.
    ///
    /// # Errors
    /// When an element is none of this program's, or damaged.
    pub fn give(&mut self, partition: &Partition, values: &[Vec<u8>]) -> Result<(), DamagedRow> {
        for value in values {
            match partition {
                Partition::Refusals(_) => {
                    let times = elements::<i64>(value)?.into_iter();
                    let first = times.filter(|at| *at >= self.since_unix_secs).min();
                    self.refused = self.refused.into_iter().chain(first).min();
                }
                _ => self.give_rows(value)?,
            }
        }
        Ok(())
    }

    fn give_rows(&mut self, blob: &[u8]) -> Result<(), DamagedRow> {
        let since = self.since_unix_secs.unsigned_abs();
        Unpacker::new().unpack(blob, |_, key, row| {
            if time_of(&key) < since {
                return Ok(());
            }
            let kept: Kept = postcard::from_bytes(row).map_err(|_| DamagedRow)?;
            let call = kept.call.map(|call| call.call);
            let did = |call: &Call| {
                call.outcome.is_ok() && call.event_name.as_unescaped() != ALWAYS_WORKS
            };
            if let Some(call) = call.filter(did) {
                self.succeeded = self.succeeded.max(Some(call.time.unix_secs()));
            }
            Ok(())
        })
    }

    /// What is to be written down: the last call that succeeded, and the first that was refused.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        let seen = [(self.succeeded, false), (self.refused, true)];
        let session = self.session.clone();
        seen.into_iter().filter_map(move |(at, was_denied)| {
            let at_unix_secs = at?;
            Some(Event::Sighted { session: session.clone(), was_denied, at_unix_secs })
        })
    }
}
