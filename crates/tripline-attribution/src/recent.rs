//! Sessions that were met lately, by how their identity is written: a session writes the same one
//! into every record, and then nothing more is to be learned from it but the time.

use tripline_cloudtrail::{EventTime, Record, UserIdentity};

use crate::table::{Attributor, Met};
use crate::used::{AnchorKind, Facts};

/// Identities and the sessions that an [`Attributor`] found for them. What it is asked here need not
/// be asked of it; the two are the same in the end, once [`Recent::settle`] was called.
#[derive(Debug, Default)]
pub struct Recent {
    /// By a hash of the identity, the newest of each. Empty until the first one is met.
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    identity: String,
    met: Met,
    untold: Option<Untold>,
}

/// When a session was met, of which the attributor does not know yet.
#[derive(Clone, Copy, Debug)]
pub struct Untold {
    pub(crate) place: u32,
    pub(crate) first: EventTime,
    pub(crate) last: EventTime,
}

/// A power of two.
const SLOTS: usize = 4_096;

/// Longer ones are looked at anew each time.
const IDENTITY_BYTES_MAX: usize = 4_096;

impl Recent {
    /// What was said of the record's session, if it was met lately; notes that it was met again. What
    /// was not certain then may be by now: it can be written over.
    #[inline]
    pub fn meet(&mut self, record: &Record<'_>) -> Option<&mut Met> {
        let identity = record.identity();
        let slot = self.slots.get_mut(nth(identity))?;
        // A record without an identity is nobody's: least of all that of a place nobody has taken.
        let is_taken = !slot.identity.is_empty();
        if !is_taken || slot.identity != identity.as_written() || !tells_all(record) {
            return None;
        }
        let time = record.time();
        let place = slot.met.place();
        let untold = slot.untold.get_or_insert(Untold { place, first: time, last: time });
        untold.first = untold.first.min(time);
        untold.last = untold.last.max(time);
        Some(&mut slot.met)
    }

    /// Notes what the attributor said of `record`, which has these facts. What stood in its place is
    /// for [`Attributor::note_met`].
    #[must_use]
    pub fn remember(&mut self, record: &Record<'_>, facts: &Facts<'_>, met: Met) -> Option<Untold> {
        let identity = record.identity();
        let written = identity.as_written();
        // Of a service it may be the address that tells which one it is.
        let is_told_elsewhere = facts.kind == AnchorKind::Service || !tells_all(record);
        if written.is_empty() || written.len() > IDENTITY_BYTES_MAX || is_told_elsewhere {
            return None;
        }
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); SLOTS];
        }
        let slot = self.slots.get_mut(nth(identity))?;
        slot.identity.clear();
        slot.identity.push_str(written);
        slot.met = met;
        slot.untold.take()
    }

    /// Tells the attributor all that it does not know yet.
    pub fn settle(&mut self, attributor: &mut Attributor) {
        let untold = self.slots.iter_mut().filter_map(|slot| slot.untold.take());
        untold.for_each(|untold| attributor.note_met(untold));
    }
}

fn nth(identity: &UserIdentity<'_>) -> usize {
    identity.hash() as usize % SLOTS
}

/// Whether the facts of a record that is not a service's are all in its identity.
fn tells_all(record: &Record<'_>) -> bool {
    !record.is_from_console()
}
