//! Calls that were told of more than once: which of the records counts.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use tripline_attribution::Attributor;
use tripline_cloudtrail::EventId;

use crate::deed::{counts_of, rate_classes_of};
use crate::drawn::DrawnWriter;
use crate::held::{Held, Hold, Key, call_key, shared_bits};
use crate::intake::Purpose;
use crate::judge::DamagedRow;
use crate::tick::{Tick, Traits};
use crate::vocabulary::UNKNOWN;

/// Late corrections that were set aside, by the record that each corrects.
#[derive(Debug, Default)]
pub struct Corrections {
    rows: BTreeMap<u128, (Key, Vec<u8>)>,
    /// Those whose original is there. What was scored is not scored again, so that a late correction
    /// re-opens nothing.
    moot: BTreeSet<u128>,
    duplicates: u64,
}

impl Corrections {
    /// Gathers them: of several that correct one record, the first in order of key.
    ///
    /// # Errors
    /// Those of `rows`.
    pub fn gather<E>(rows: impl Iterator<Item = Result<(Key, Vec<u8>), E>>) -> Result<Self, E> {
        let mut gathered = Self::default();
        for row in rows {
            let (key, row) = row?;
            match gathered.rows.entry(shared_bits(&key)) {
                Entry::Vacant(free) => {
                    free.insert((key, row));
                }
                Entry::Occupied(mut known) => {
                    gathered.duplicates += 1;
                    if (key, &row) < (known.get().0, &known.get().1) {
                        known.insert((key, row));
                    }
                }
            }
        }
        Ok(gathered)
    }

    /// Whether there are none; then nobody need look for originals.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn note_row(&mut self, row: &[u8]) -> Result<(), DamagedRow> {
        if !self.is_empty() {
            self.note(Held::decode(row)?.call.id);
        }
        Ok(())
    }

    /// Whether one of them corrects this record.
    pub fn correct(&self, id: EventId) -> bool {
        self.rows.contains_key(&id.bits())
    }

    /// Takes note of a record that is there.
    pub fn note(&mut self, id: EventId) {
        if self.correct(id) {
            self.moot.insert(id.bits());
        }
    }
}

/// Gives calls their ticks that have none yet: of the copies of each call the one that counts, and
/// corrections.
#[derive(Debug)]
pub struct Settler<'s, H> {
    purpose: Purpose,
    attributor: &'s mut Attributor,
    hold: &'s mut H,
    drawn: DrawnWriter,
}

impl<'s, H: Hold> Settler<'s, H> {
    /// For the facts of all intakes, merged.
    pub fn new(purpose: Purpose, attributor: &'s mut Attributor, hold: &'s mut H) -> Self {
        let drawn = DrawnWriter::new(attributor.hash_seed());
        Self { purpose, attributor, hold, drawn }
    }

    /// Where calls are put.
    pub fn hold(&mut self) -> &mut H {
        self.hold
    }

    /// Chooses, of the copies of each call, the one that counts, and sets it aside with the other
    /// calls; how many do not count. `copies` come in order of their keys.
    ///
    /// # Errors
    /// Those of `copies`, and a damaged row.
    pub fn copies<E: From<DamagedRow>>(
        &mut self,
        copies: impl Iterator<Item = Result<(Key, Vec<u8>), E>>,
        corrections: &mut Corrections,
    ) -> Result<u64, E> {
        let mut copies = copies.peekable();
        let mut duplicates = 0;
        while let Some(first) = copies.next() {
            let mut first = first?;
            corrections.note_row(&first.1)?;
            let call = shared_bits(&first.0);
            let is_same = |next: &Result<(Key, Vec<u8>), E>| {
                next.as_ref().is_ok_and(|(key, _)| shared_bits(key) == call)
            };
            while let Some(next) = copies.next_if(is_same) {
                let next = next?;
                duplicates += 1;
                corrections.note_row(&next.1)?;
                // Equal keys come in no order.
                first = first.min(next);
            }
            self.count_in(&first.1)?;
        }
        Ok(duplicates)
    }

    /// Sets the corrections whose originals never came aside with the other calls; how many do not
    /// count.
    ///
    /// # Errors
    /// When a row is damaged.
    pub fn corrections(&mut self, corrections: Corrections) -> Result<u64, DamagedRow> {
        let mut duplicates = corrections.duplicates;
        for (original, (_, row)) in &corrections.rows {
            match corrections.moot.contains(original) {
                true => duplicates += 1,
                false => self.count_in(row)?,
            }
        }
        Ok(duplicates)
    }

    fn count_in(&mut self, row: &[u8]) -> Result<(), DamagedRow> {
        let Held { used: Some(used), call, .. } = Held::decode(row)? else {
            return Err(DamagedRow);
        };
        let is_failed_mint = used.is_failed_mint();
        let place = self.attributor.observe_call(&used);
        if self.purpose == Purpose::Learn {
            let lesson = self.drawn.lesson(&call, place, is_failed_mint, self.hold);
            self.hold.lesson(lesson);
        } else {
            let counts = counts_of(&call, rate_classes_of(&call));
            let traits = Traits::new(is_failed_mint, &counts);
            self.hold.tick(Tick::new(call.time, call.id, place, UNKNOWN, traits));
        }
        self.hold.call(call_key(call.time, call.id), row);
        Ok(())
    }
}
