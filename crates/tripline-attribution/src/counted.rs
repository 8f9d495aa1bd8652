//! An attributor with the counting that the engine does.

use std::ops::{Deref, DerefMut};

use tripline_cloudtrail::{EventTime, Record};

use crate::{AgentRules, Facts, Met, Recent, Sessions, Use, is_failed_mint};

/// Counts each call once all are known, in order of time.
#[derive(Debug)]
pub(crate) struct Attributor {
    inner: crate::Attributor,
    recent: Recent,
    calls: Vec<(EventTime, u32, bool)>,
}

impl Attributor {
    pub(crate) fn new(rules: AgentRules, seed: u64) -> Self {
        let inner = crate::Attributor::new(rules, seed);
        Self { inner, recent: Recent::default(), calls: Vec::new() }
    }

    pub(crate) fn observe(&mut self, record: &Record<'_>) -> Met {
        self.inner.note_mint(record);
        let place = match self.recent.meet(record) {
            Some(met) => met.place(),
            None => {
                let facts = Facts::of(record);
                let met = self.inner.observe(&facts);
                if let Some(untold) = self.recent.remember(record, &facts, met) {
                    self.inner.note_met(untold);
                }
                met.place()
            }
        };
        self.calls.push((record.time(), place, is_failed_mint(record)));
        self.inner.look_again(place)
    }

    pub(crate) fn observe_call(&mut self, used: &Use) {
        let place = self.inner.observe_call(used);
        self.calls.push((used.time(), place, used.is_failed_mint()));
    }

    pub(crate) fn resolve(mut self) -> Sessions {
        self.recent.settle(&mut self.inner);
        let mut sessions = self.inner.resolve();
        self.calls.sort();
        for (time, place, is_failed_mint) in self.calls {
            sessions.note_call(place, time, is_failed_mint);
        }
        sessions
    }
}

impl Deref for Attributor {
    type Target = crate::Attributor;

    fn deref(&self) -> &crate::Attributor {
        &self.inner
    }
}

impl DerefMut for Attributor {
    fn deref_mut(&mut self) -> &mut crate::Attributor {
        &mut self.inner
    }
}
