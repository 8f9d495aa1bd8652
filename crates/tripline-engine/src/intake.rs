//! The first half of a record's way: counted once, attributed as far as can be, and set aside if
//! there may be something to say about it.

use tripline_attribution::{Attributor, Use};
use tripline_baseline::Call;
use tripline_cloudtrail::{EventId, Fate, Record, Skip};
use tripline_detector::{Broken, Reason, assess};

use crate::filter::Filter;
use crate::held::{Head, Held, Hold, Seen, call_key, copy_key, correction_key};
use crate::known::{KnownScopes, event_key};
use crate::model::Model;

/// One worker's share of the records. Several intakes over disjoint files, merged, are as one over
/// all of them.
#[derive(Debug)]
pub struct Intake<'m> {
    model: &'m Model,
    filter: &'m Filter,
    /// Whether every call is to be judged and shown, not only what may have a verdict.
    all: bool,
    attributor: Attributor,
    scopes: KnownScopes<'m>,
    waiting: Waiting,
    row: Vec<u8>,
}

/// Calls whose agent is not known yet, as they were written: the mint is mostly a few minutes of
/// logs away, and then there is nothing to set aside.
#[derive(Debug, Default)]
struct Waiting {
    text: String,
    calls: Vec<WaitingCall>,
}

#[derive(Debug)]
struct WaitingCall {
    /// Where its text ends, and the next one's begins.
    end: usize,
    session: u32,
    event: Option<usize>,
}

/// How much waits: some ten thousand calls.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// What is to be done with a call.
enum Worth {
    /// It has nothing to show.
    Nothing,
    /// It may have.
    Holding,
    /// That depends on the agent of this session.
    Waiting(u32),
}

impl<'m> Intake<'m> {
    /// An intake that has taken in nothing.
    pub fn new(model: &'m Model, filter: &'m Filter, all: bool, attributor: Attributor) -> Self {
        let scopes = KnownScopes::new(attributor.hash_seed());
        Self {
            model,
            filter,
            all,
            attributor,
            scopes,
            waiting: Waiting::default(),
            row: Vec::new(),
        }
    }

    /// What was learned of sessions and mints.
    pub fn attributor(&mut self) -> &mut Attributor {
        &mut self.attributor
    }

    /// Ends the intake: what still waits is set aside.
    pub fn finish(mut self, hold: &mut impl Hold) -> Attributor {
        self.look_at_waiting(hold);
        self.attributor
    }

    /// Takes a record in. This is all that happens to nearly every record there is.
    pub fn ingest(
        &mut self,
        record: &Record<'_>,
        seen: &mut impl Seen,
        hold: &mut impl Hold,
    ) -> Fate {
        if !seen.is_first(record.id()) {
            return Fate::Duplicate;
        }
        if !self.filter.admits(record) {
            self.attributor.note_mint(record);
            return Fate::Skipped(Skip::Filtered);
        }
        let broken = self.broken_by(record);
        if let Some(shared) = record.shared_id() {
            // One of several accounts' copies: which of them counts is known at the end.
            self.attributor.note_mint(record);
            let (used, held) = Held::copy_of(record, &broken, None);
            hold.copy(copy_key(shared, &used, &held.call), self.encode(record, &held));
        } else if let Some(original) = record.corrects() {
            let (_, held) = Held::copy_of(record, &broken, Some(original));
            hold.copy(correction_key(original, record.time()), self.encode(record, &held));
        } else {
            let session = self.attributor.observe(record).place();
            let worth = match self.all || !broken.is_empty() {
                true => Worth::Holding,
                false => self.worth(session, record),
            };
            match worth {
                Worth::Nothing => {}
                Worth::Holding => self.hold(record, &broken, hold),
                Worth::Waiting(session) => self.wait(session, record, hold),
            }
        }
        Fate::Read
    }

    fn hold(&mut self, record: &Record<'_>, broken: &[Broken], hold: &mut impl Hold) {
        let held = Held::of(record, broken);
        hold.call(call_key(record.time(), record.id()), self.encode(record, &held));
    }

    fn wait(&mut self, session: u32, record: &Record<'_>, hold: &mut impl Hold) {
        self.waiting.text.push_str(record.as_written());
        let event = self.scopes.event(event_key(record));
        self.waiting.calls.push(WaitingCall { end: self.waiting.text.len(), session, event });
        if self.waiting.text.len() > WAITING_BYTES_MAX {
            self.look_at_waiting(hold);
        }
    }

    /// Looks at the calls that waited once more, and sets aside those that could wait on.
    #[cold]
    fn look_at_waiting(&mut self, hold: &mut impl Hold) {
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut start = 0;
        for call in waiting.calls.drain(..) {
            let text = waiting.text.get(start..call.end).unwrap_or_default();
            start = call.end;
            let agent = self.attributor.look_again(call.session).agent();
            let is_content = |(number, _)| {
                call.event.is_some_and(|event| self.scopes.was_content(number, event))
            };
            if agent.is_some_and(is_content) {
                continue;
            }
            // INVARIANT: it was a record when it came in.
            let Ok(record) = Record::parse(text) else { continue };
            if !matches!(self.worth(call.session, &record), Worth::Nothing) {
                self.hold(&record, &[], hold);
            }
        }
        // Its room is kept for the next ones.
        waiting.text.clear();
        self.waiting = waiting;
    }

    /// What the record shows by itself.
    #[inline]
    fn broken_by(&self, record: &Record<'_>) -> Vec<Broken> {
        let invariants = self.model.invariants();
        let mut broken = invariants.look(record);
        // Decoys of one agent's scope are looked for once the agent is known.
        if invariants.watches_canaries(None) {
            broken.extend(invariants.touched_canary(&Call::of(record), None));
        }
        broken
    }

    /// Whether a call that shows nothing by itself may have a verdict.
    ///
    /// An agent that is resolved here can later only turn out to be contested, which leaves it
    /// without a scope: so what its scope is content with now needs no second look.
    #[inline]
    fn worth(&mut self, session: u32, record: &Record<'_>) -> Worth {
        if !self.model.has_scopes() {
            return Worth::Nothing;
        }
        let attributed = self.attributor.look_again(session);
        let Some((number, agent)) = attributed.agent() else {
            return match attributed.may_be_an_agent() {
                true => Worth::Waiting(session),
                false => Worth::Nothing,
            };
        };
        let Some(scope) = self.scopes.of(self.model, number, agent) else { return Worth::Nothing };
        if self.scopes.is_content(scope, number, event_key(record), || Some(Call::of(record))) {
            return Worth::Nothing;
        }
        // Pace counts every call, and a tenant is known only with the session.
        let needs = scope.needs();
        let may_have_a_verdict = needs.limits || needs.tenant || {
            let call = Call::of(record);
            !scope.check(&call, None).is_empty() || scope.touched_canary(&call).is_some()
        };
        if may_have_a_verdict { Worth::Holding } else { Worth::Nothing }
    }

    fn encode(&mut self, record: &Record<'_>, held: &Held) -> &[u8] {
        self.row.clear();
        let (kind, id) = Use::anchor_of(record);
        let head = Head {
            kind,
            id: id.as_unescaped(),
            event: event_key(record),
            has_reasons: !held.reasons.is_empty(),
        };
        let row = std::mem::take(&mut self.row);
        // INVARIANT: neither has a map or an unsized sequence, all that postcard refuses.
        let row = postcard::to_extend(&head, row).and_then(|row| postcard::to_extend(held, row));
        self.row = row.unwrap_or_default();
        &self.row
    }
}

impl Held {
    fn of(record: &Record<'_>, broken: &[Broken]) -> Self {
        let reasons: Vec<Reason> = assess(broken, &[]).reasons;
        Self { used: None, call: Call::of(record), reasons, corrects: None }
    }

    /// A copy, with all it takes to count it to its session later.
    fn copy_of(record: &Record<'_>, broken: &[Broken], corrects: Option<EventId>) -> (Use, Self) {
        let used = Use::of(record);
        (used.clone(), Self { used: Some(used), corrects, ..Self::of(record, broken) })
    }
}
