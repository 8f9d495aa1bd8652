//! The logs once more: what incidents' records say as they were written, and what they left behind.
//! Only after everything was judged is it known whose calls matter.

use std::collections::BTreeMap;

use serde_json::Value;
use tripline_cloudtrail::{EventId, Record};
use tripline_engine::{Damage, Incident, Marks};

use super::select::Selection;
use crate::json::{self, Layout};

/// How long a record may be that is shown as it was written, in bytes.
const RECORD_BYTES_MAX: usize = 16 << 10;

/// What the second look found.
#[derive(Debug)]
pub struct Look {
    wanted: BTreeMap<EventId, usize>,
    of_incidents: BTreeMap<EventId, usize>,
    marks: Vec<Marks>,
    pub(super) damage: Vec<Damage>,
    /// Records as text that a page may show.
    pub(super) records: BTreeMap<EventId, String>,
}

impl Look {
    /// Looks for the records that a selection wants.
    pub fn new(selection: &Selection<'_>) -> Self {
        let marks = |incident: &&Incident| {
            Marks::of(incident.lineage.iter().map(|session| session.id.untrusted()))
        };
        Self {
            wanted: selection.wanted.clone(),
            of_incidents: selection.of_incidents.clone(),
            marks: selection.incidents.iter().map(marks).collect(),
            damage: selection.incidents.iter().map(|_| Damage::default()).collect(),
            records: BTreeMap::new(),
        }
    }

    /// Looks at a record, in whatever order; one that is there twice counts once.
    pub fn note(&mut self, record: &Record<'_>) {
        let Some(nth) = self.of_incidents.remove(&record.id()) else { return };
        if let Some((damage, marks)) = self.damage.get_mut(nth).zip(self.marks.get(nth)) {
            damage.note(record, marks);
        }
        if self.wanted.remove(&record.id()).is_some() {
            self.records.insert(record.id(), shown(record.as_written()));
        }
    }
}

/// A record as text for people: indented, without what opens doors, and with nothing invisible in it.
fn shown(record: &str) -> String {
    if record.len() > RECORD_BYTES_MAX {
        return format!("a record of {} bytes, too long to be shown here", record.len());
    }
    let mut text = String::new();
    match serde_json::from_str::<Value>(record) {
        Ok(value) => json::write(&value, Layout::Shown, &mut text),
        Err(_) => text
            .push_str("a record that cannot be shown: it is no sound JSON, or nested too deeply"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_says_so() {
        assert!(shown("{").contains("no sound JSON"));
        assert!(shown(&" ".repeat(RECORD_BYTES_MAX + 1)).contains("too long"));
    }
}
