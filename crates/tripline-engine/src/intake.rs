//! The first half of a record's way: attributed as far as can be, noted to be counted, and set aside
//! if there may be something to say about it.

use tripline_attribution::{
    Attributor, Facts, Met, Recent, StoredMint, Use, is_failed_mint, may_mint,
};
use tripline_baseline::{Call, Counts, RateClass, Touched, UserAgentFamily, bytes_out};
use tripline_cloudtrail::{EventId, EventTime, Fate, Record, Sink, Skip};
use tripline_detector::{Broken, EventRules, Reason, assess};

use crate::deed::{counts_of, rate_classes};
use crate::drawn::{DrawnWriter, NOWHERE};
use crate::filter::Filter;
use crate::held::{Form, Head, Held, Hold, Key, call_key, copy_key, correction_key};
use crate::judge::DamagedRow;
use crate::known::{KnownAgent, KnownAgents, Normal};
use crate::model::Model;
use crate::partial::{Kept, KeptCall, ToldBy};
use crate::tick::{Lesson, Tick, Traits};
use crate::told::{Scratch, Told};
use crate::vocabulary::{KnownEvent, UNKNOWN, Vocabulary, action_of, event_key};

/// What the records are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To show the calls that have a verdict.
    ShowFindings,
    /// To show every call.
    ShowAll,
    /// To learn from every call of an agent, where nothing was wrong by what is declared: the model has
    /// learned nothing.
    Learn,
    /// To keep what learning needs, for a partial baseline.
    Keep,
    /// The same, and to know in the end whose each call was.
    Export,
}

/// Where an intake's attributor is: with itself, or shared with others who read at the same time.
pub trait Reach {
    /// Does something with it, quickly.
    fn with<T>(&mut self, act: impl FnOnce(&mut Attributor) -> T) -> T;
}

impl Reach for Attributor {
    #[inline]
    fn with<T>(&mut self, act: impl FnOnce(&mut Attributor) -> T) -> T {
        act(self)
    }
}

/// One worker's share of the records. Several intakes over disjoint files, with one attributor, are as
/// one over all of them.
#[derive(Debug)]
pub struct Intake<'m, A = Attributor> {
    model: &'m Model,
    filter: &'m Filter,
    purpose: Purpose,
    attributor: A,
    recent: Recent,
    vocabulary: Vocabulary,
    /// The invariants' rules for each event of the vocabulary, where they were asked for.
    rules: Vec<Option<EventRules>>,
    agents: KnownAgents<'m>,
    scratch: Scratch,
    waiting: Waiting,
    /// What waited before that.
    longer: Waiting,
    waiting_bytes_max: usize,
    row: Vec<u8>,
    drawn: DrawnWriter,
    /// Room for those that are taken in together.
    steps: Steps,
}

/// Records that are taken in together.
#[derive(Debug, Default)]
struct Steps {
    /// The number of each one's event; none where the record is no call.
    events: Vec<Option<u32>>,
    /// What each shows by itself.
    broken: Vec<Vec<Broken>>,
    /// Whose each is.
    met: Vec<Met>,
}

impl Steps {
    fn pass_over(&mut self) {
        self.events.push(None);
        self.broken.push(Vec::new());
    }
}

/// An intake, and where it puts what it sets aside.
struct Inlet<'i, 'm, A, H> {
    intake: &'i mut Intake<'m, A>,
    hold: &'i mut H,
}

impl<A: Reach, H: Hold> Sink for Inlet<'_, '_, A, H> {
    fn take(&mut self, records: &[Record<'_>], fates: &mut Vec<Fate>) {
        self.intake.ingest_all(records, self.hold, fates);
    }
}

/// Calls whose agent is not known yet, by the essence of their records: the mint is mostly a few minutes
/// of logs away, and then there is nothing to set aside.
#[derive(Debug, Default)]
struct Waiting {
    text: String,
    calls: Vec<WaitingCall>,
}

#[derive(Debug)]
struct WaitingCall {
    key: Key,
    /// Where its text ends, and the next one's begins.
    end: usize,
    /// Whose it is, as far as was known when that was last asked.
    met: Met,
    event: u32,
    /// [`Told::meant`], where that is known.
    meant: Option<u64>,
}

/// How much waits, unless there is room for more: some eight thousand calls.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// What is known of a call when one asks whether it is worth anything.
enum Known<'t> {
    /// What [`Scratch::told`] says of it, if that was asked for.
    Told(Option<&'t Told>),
    /// Of one that waited: [`Told::meant`], where that was known.
    Meant(Option<u64>),
}

/// What is to be done with a call.
enum Worth {
    /// It has nothing to show.
    Nothing,
    /// It may have.
    Holding,
    /// That depends on its agent.
    Waiting,
}

impl<'m, A: Reach> Intake<'m, A> {
    /// An intake that has taken in nothing.
    pub fn new(model: &'m Model, filter: &'m Filter, purpose: Purpose, mut attributor: A) -> Self {
        let hash_seed = attributor.with(|attributor| attributor.hash_seed());
        Self {
            model,
            filter,
            purpose,
            vocabulary: Vocabulary::new(hash_seed),
            rules: Vec::new(),
            agents: KnownAgents::new(hash_seed),
            attributor,
            recent: Recent::default(),
            scratch: Scratch::new(hash_seed),
            waiting: Waiting::default(),
            longer: Waiting::default(),
            waiting_bytes_max: WAITING_BYTES_MAX,
            row: Vec::new(),
            drawn: DrawnWriter::new(hash_seed),
            steps: Steps::default(),
        }
    }

    /// The same, in which so many bytes of calls wait for their mint to come. The longer they may, the fewer
    /// are set aside; nothing else depends on it.
    #[must_use]
    pub fn with_room_to_wait(self, bytes: usize) -> Self {
        Self { waiting_bytes_max: bytes, ..self }
    }

    /// Ends the intake: what still waits is set aside. The names are those of its ticks and rows.
    pub fn finish(mut self, hold: &mut impl Hold) -> (A, Vocabulary, Normal) {
        self.look_at_waiting(hold);
        self.look_at_waiting(hold);
        let Self { attributor, recent, .. } = &mut self;
        attributor.with(|attributor| recent.settle(attributor));
        (self.attributor, self.vocabulary, self.agents.into_normal())
    }

    /// Who takes records into this intake as they are read. This is all that happens to nearly every record
    /// there is.
    pub fn sink<'i, H: Hold>(&'i mut self, hold: &'i mut H) -> impl Sink + use<'i, 'm, A, H> {
        Inlet { intake: self, hold }
    }

    /// Takes records in. Each step is taken with all of them before the next, for the sake of the processor's
    /// cache of instructions, and of those who wait for the attributor.
    fn ingest_all(&mut self, records: &[Record<'_>], hold: &mut impl Hold, fates: &mut Vec<Fate>) {
        if matches!(self.purpose, Purpose::Keep | Purpose::Export) {
            return fates.extend(records.iter().map(|record| self.ingest_to_keep(record, hold)));
        }
        let mut steps = std::mem::take(&mut self.steps);
        for record in records {
            fates.push(self.look(record, &mut steps, hold));
        }
        self.meet(records, &mut steps);
        let Steps { events, broken, met } = &mut steps;
        let calls = events.drain(..).zip(broken.drain(..)).zip(met.drain(..));
        for (((event, broken), met), record) in calls.zip(records) {
            if let Some(event) = event {
                self.take_call(met, event, &broken, record, hold);
            }
        }
        self.steps = steps;
    }

    /// Notes what is to be kept of a record, for a partial baseline or a table.
    fn ingest_to_keep(&mut self, record: &Record<'_>, hold: &mut impl Hold) -> Fate {
        let (fate, kept) = self.kept(record, |_, _| true);
        let place = (record.time(), record.id());
        match kept {
            // Tables hold mints apart from calls, in an order of their own.
            Some(Kept { mint, call }) if self.purpose == Purpose::Export => {
                mint.into_iter().for_each(|mint| self.ingest_mint(mint, hold));
                if call.is_some() {
                    self.keep(place, &Kept { mint: None, call }, hold);
                }
            }
            Some(kept) => self.keep(place, &kept, hold),
            None => {}
        }
        fate
    }

    /// Finds out what a record shows by itself. A copy or a correction of another record is set aside whole,
    /// and is no call yet.
    fn look(&mut self, record: &Record<'_>, steps: &mut Steps, hold: &mut impl Hold) -> Fate {
        if !self.filter.admits(record) {
            self.note_mint(record);
            steps.pass_over();
            return Fate::Skipped(Skip::Filtered);
        }
        // Copies and corrections are set aside whole: their events need none of the vocabulary's numbers.
        let is_by_itself = record.shared_id().is_none() && record.corrects().is_none();
        let event = if is_by_itself { self.vocabulary.event(record) } else { UNKNOWN };
        let broken = self.broken_by(record, event);
        if let Some(shared) = record.shared_id() {
            // One of several accounts' copies: which of them counts is known at the end.
            self.note_mint(record);
            let user_agent = self.vocabulary.user_agent_family(record);
            let (used, held) = Held::copy_of(record, &broken, user_agent);
            let key = copy_key(shared, &used, &held.call);
            hold.copy(key, self.encode(record, &held));
            steps.pass_over();
        } else if let Some(original) = record.corrects() {
            let user_agent = self.vocabulary.user_agent_family(record);
            let (_, held) = Held::copy_of(record, &broken, user_agent);
            hold.correction(correction_key(original, record.time()), self.encode(record, &held));
            steps.pass_over();
        } else {
            steps.events.push(Some(event));
            steps.broken.push(broken);
        }
        Fate::Read
    }

    /// Finds out, as far as can be, whose the calls are.
    fn meet(&mut self, records: &[Record<'_>], steps: &mut Steps) {
        let Self { attributor, recent, .. } = self;
        let Steps { events, met, .. } = steps;
        if events.iter().all(Option::is_none) {
            return met.resize(events.len(), Met::default());
        }
        attributor.with(|attributor| {
            met.extend(events.iter().zip(records).map(|(event, record)| match event {
                Some(_) => met_by(attributor, recent, record),
                None => Met::default(),
            }));
        });
    }

    /// Counts a call, notes what there is to learn of it, and sets it aside if it may have something to show.
    fn take_call(
        &mut self,
        met: Met,
        event: u32,
        broken: &[Broken],
        record: &Record<'_>,
        hold: &mut impl Hold,
    ) {
        let told = match self.purpose {
            Purpose::Learn => {
                self.note_to_learn(met, event, record, hold);
                None
            }
            _ => self.note_to_judge(met, event, record, hold),
        };
        let worth = match self.purpose == Purpose::ShowAll || !broken.is_empty() {
            true => Worth::Holding,
            false => self.worth(met, event, Known::Told(told.as_ref()), record),
        };
        match worth {
            Worth::Nothing => {}
            Worth::Holding => self.hold(record, broken, hold),
            Worth::Waiting => {
                let meant = told.map(|told| told.meant);
                self.wait(met, event, meant, record, hold);
            }
        }
    }

    /// Counts a call; what [`Scratch::told`] says of it, where that was asked for.
    #[inline]
    fn note_to_judge(
        &mut self,
        met: Met,
        event: u32,
        record: &Record<'_>,
        hold: &mut impl Hold,
    ) -> Option<Told> {
        let (told, touched) = self.touched(met, event, record);
        let traits = self.traits(record, event, told.as_ref(), touched);
        hold.tick(Tick::new(record.time(), record.id(), met.place(), event, traits));
        told
    }

    /// Counts a call, and notes what there is to learn of it.
    #[inline]
    fn note_to_learn(&mut self, met: Met, event: u32, record: &Record<'_>, hold: &mut impl Hold) {
        let (mut row, mut counted) = (NOWHERE, (Touched::NOTHING, None));
        if met.agent().is_some() || met.may_be_an_agent() {
            let touched;
            (row, touched) = self.drawn.note(record, event, &mut self.vocabulary, hold);
            counted = (touched, bytes_out(record));
        }
        let (time, id, place) = (record.time(), record.id(), met.place());
        hold.lesson(Lesson::new(time, id, place, row, is_failed_mint(record), counted));
    }

    #[inline]
    fn note_mint(&mut self, record: &Record<'_>) {
        if may_mint(record) {
            self.attributor.with(|attributor| attributor.note_mint(record));
        }
    }

    fn keep(&mut self, (time, id): (EventTime, EventId), kept: &Kept, hold: &mut impl Hold) {
        if self.purpose == Purpose::Export {
            self.attributor.with(|attributor| {
                if let Some(mint) = &kept.mint {
                    attributor.note_stored_mint(mint);
                }
                if let Some(call) = &kept.call {
                    attributor.observe_call(&call.used);
                }
            });
        }
        self.row.clear();
        // INVARIANT: no map and no unsized sequence, all that postcard refuses.
        let row = postcard::to_extend(kept, std::mem::take(&mut self.row));
        self.row = row.unwrap_or_default();
        hold.call(call_key(time, id), &self.row);
    }

    /// What is to be kept of a record, if `is_wanted` of whose call it is, and whether it shows anything
    /// by itself.
    pub(crate) fn kept(
        &mut self,
        record: &Record<'_>,
        is_wanted: impl FnOnce(&Use, bool) -> bool,
    ) -> (Fate, Option<Kept>) {
        let counts = self.filter.admits(record);
        let broken = if counts { self.broken_by(record, UNKNOWN) } else { Vec::new() };
        let wants = |used: &Use| counts && is_wanted(used, !broken.is_empty());
        let kept =
            self.attributor.with(|attributor| Kept::of(record, &broken, attributor.rules(), wants));
        (if counts { Fate::Read } else { Fate::Skipped(Skip::Filtered) }, kept)
    }

    /// Learns what was kept of a mint.
    pub(crate) fn note_stored_mint(&mut self, mint: &StoredMint) {
        self.attributor.with(|attributor| attributor.note_stored_mint(mint));
    }

    /// Takes in what was kept of a record in a partial baseline; what comes of it is what would come
    /// of the record.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn ingest_kept(&mut self, row: &[u8], hold: &mut impl Hold) -> Result<Fate, DamagedRow> {
        let Kept { mint, call } = Kept::from_row(row)?;
        if let Some(mint) = &mint {
            self.note_stored_mint(mint);
        }
        let Some(call) = call else { return Ok(Fate::Skipped(Skip::Filtered)) };
        Ok(self.ingest_call(call, hold))
    }

    /// Takes in what was kept of a credential's creation.
    pub fn ingest_mint(&mut self, mint: StoredMint, hold: &mut impl Hold) {
        match self.purpose {
            Purpose::Keep | Purpose::Export => {
                // The same whichever record told of it.
                let id = EventId::of(mint.key());
                self.keep((mint.time(), id), &Kept { mint: Some(mint), call: None }, hold);
            }
            _ => self.note_stored_mint(&mint),
        }
    }

    /// Takes in what was kept of a record that counts.
    pub fn ingest_call(&mut self, kept: KeptCall, hold: &mut impl Hold) -> Fate {
        if !self.filter.admits_call(&kept.call) {
            return Fate::Skipped(Skip::Filtered);
        }
        if matches!(self.purpose, Purpose::Keep | Purpose::Export) {
            let place = (kept.call.time, kept.call.id);
            self.keep(place, &Kept { mint: None, call: Some(kept) }, hold);
            return Fate::Read;
        }
        let KeptCall { told, used, call, reasons } = kept;
        let region = call.region.as_ref().map_or("", |region| region.as_str());
        let event = (call.event_source.as_unescaped(), call.event_name.as_unescaped(), region);
        let has_reasons = !reasons.is_empty();
        let head = Head { event, has_reasons, form: Form::Call }.encode(Vec::new());
        match told {
            ToldBy::Copy(shared) => {
                let key = copy_key(shared, &used, &call);
                let held = Held { used: Some(used), call, reasons };
                hold.copy(key, &held.encode(head));
            }
            ToldBy::Correction(original) => {
                let key = correction_key(original, call.time);
                let held = Held { used: Some(used), call, reasons };
                hold.correction(key, &held.encode(head));
            }
            ToldBy::Itself => {
                let place = self.attributor.with(|attributor| attributor.observe_call(&used));
                let is_failed_mint = used.is_failed_mint();
                if self.purpose == Purpose::Learn {
                    let lesson = self.drawn.lesson(&call, place, is_failed_mint, hold);
                    hold.lesson(lesson);
                } else {
                    let traits = match self.model.has_learned() {
                        true => {
                            let classes = self.vocabulary.classes_of(&call);
                            Traits::new(is_failed_mint, &counts_of(&call, classes))
                        }
                        // Nobody asks how it counts in rates.
                        false => Traits::new(is_failed_mint, &Counts::default()),
                    };
                    hold.tick(Tick::new(call.time, call.id, place, UNKNOWN, traits));
                }
                let is_shown = self.purpose == Purpose::ShowAll;
                if has_reasons || is_shown || self.model.judges_agents() {
                    let key = call_key(call.time, call.id);
                    let held = Held { used: None, call, reasons };
                    hold.call(key, &held.encode(head));
                }
            }
        }
        Fate::Read
    }

    fn hold(&mut self, record: &Record<'_>, broken: &[Broken], hold: &mut impl Hold) {
        let held = Held::of(record, broken, self.vocabulary.user_agent_family(record));
        hold.call(call_key(record.time(), record.id()), self.encode(record, &held));
    }

    fn wait(
        &mut self,
        met: Met,
        event: u32,
        meant: Option<u64>,
        record: &Record<'_>,
        hold: &mut impl Hold,
    ) {
        let Waiting { text, calls } = &mut self.waiting;
        let start = text.len();
        record.write_essence(text);
        if text.len() == start || event == UNKNOWN {
            text.truncate(start);
            return self.hold(record, &[], hold);
        }
        let key = call_key(record.time(), record.id());
        calls.push(WaitingCall { key, end: text.len(), met, event, meant });
        if self.waiting.text.len() > self.waiting_bytes_max / 2 {
            self.look_at_waiting(hold);
        }
    }

    /// Looks once more at the calls that waited longer, and sets aside those that could wait on.
    #[cold]
    fn look_at_waiting(&mut self, hold: &mut impl Hold) {
        let mut waiting = std::mem::take(&mut self.longer);
        self.attributor.with(|attributor| {
            for call in &mut waiting.calls {
                call.met = attributor.look_again(call.met.place());
            }
        });
        let mut start = 0;
        for call in waiting.calls.drain(..) {
            let text = waiting.text.get(start..call.end).unwrap_or_default();
            start = call.end;
            let met = call.met;
            if self.is_surely_normal(met, &call) {
                continue;
            }
            let is_worth_it = met.may_be_an_agent()
                // INVARIANT: it was a record when it came in.
                || Record::parse(text).is_ok_and(|record| {
                    let worth = self.worth(met, call.event, Known::Meant(call.meant), &record);
                    matches!(worth, Worth::Holding)
                });
            if is_worth_it {
                hold.call(call.key, self.encode_essence(&call, text));
            }
        }
        // Its room is kept for the next ones.
        waiting.text.clear();
        self.longer = std::mem::replace(&mut self.waiting, waiting);
    }

    /// Whether a call has nothing to show, as far as that can be known without reading it again.
    fn is_surely_normal(&mut self, met: Met, call: &WaitingCall) -> bool {
        let event = call.event;
        let Self { model, attributor, agents, vocabulary, .. } = self;
        let Some(number) = met.agent() else { return !met.may_be_an_agent() };
        let Some(known) = known_agent(agents, model, attributor, number) else { return true };
        !known.is_judged()
            || call.meant.is_some_and(|meant| known.remembers(meant))
            || !known.habits.is_known()
                && known
                    .is_content(event, || vocabulary.known_event(event).map(KnownEvent::any_call))
    }

    /// What the record shows by itself; `event` is its event's number.
    #[inline]
    fn broken_by(&mut self, record: &Record<'_>, event: u32) -> Vec<Broken> {
        let invariants = self.model.invariants();
        let rules = match self.rules.get(event as usize) {
            Some(Some(rules)) => *rules,
            _ if event == UNKNOWN => invariants.rules_of(record.event_name()),
            _ => self.new_rules(record, event),
        };
        let mut broken = invariants.look_by(rules, record);
        // Decoys of one agent's scope are looked for once the agent is known.
        if invariants.watches_canaries(None) {
            broken.extend(invariants.touched_canary(&Call::of(record), None));
        }
        broken
    }

    #[cold]
    fn new_rules(&mut self, record: &Record<'_>, event: u32) -> EventRules {
        let rules = self.model.invariants().rules_of(record.event_name());
        let places = self.rules.len().max(event as usize + 1);
        self.rules.resize(places, None);
        if let Some(place) = self.rules.get_mut(event as usize) {
            *place = Some(rules);
        }
        rules
    }

    /// Whether a call that shows nothing by itself may have a verdict.
    ///
    /// An agent that is resolved here can later only turn out to be contested, which leaves it
    /// without a scope and habits: so what these are content with now needs no second look.
    #[inline]
    fn worth(&mut self, met: Met, event: u32, known_of: Known<'_>, record: &Record<'_>) -> Worth {
        if !self.model.judges_agents() {
            return Worth::Nothing;
        }
        let Some(number) = met.agent() else {
            return match met.may_be_an_agent() {
                true => Worth::Waiting,
                false => Worth::Nothing,
            };
        };
        let Self { model, attributor, agents, vocabulary, scratch, .. } = self;
        let Some(known) = known_agent(agents, model, attributor, number) else {
            return Worth::Nothing;
        };
        if !known.is_judged() {
            return Worth::Nothing;
        }
        let newly_told;
        let told = match known_of {
            Known::Told(Some(told)) => Some(told),
            Known::Told(None) | Known::Meant(_) if !known.habits.is_known() => None,
            Known::Told(None) => {
                newly_told = scratch.told(record, event, vocabulary);
                newly_told.as_ref()
            }
            Known::Meant(meant) => {
                newly_told = scratch.told_again(record, event, vocabulary, meant);
                newly_told.as_ref()
            }
        };
        if told.is_some_and(|told| known.remembers(told.meant)) {
            return Worth::Nothing;
        }
        if !known.is_content(event, || vocabulary.known_event(event).map(KnownEvent::any_call))
            && let Some(scope) = known.scope
        {
            // Pace counts every call, and a tenant is known only with the session.
            let needs = scope.needs();
            let may_have_a_verdict = needs.limits || needs.tenant || {
                // No scope asks with what a call was made.
                let call = Call::by(record, UserAgentFamily::default());
                !scope.check(&call, None).is_empty() || scope.touched_canary(&call).is_some()
            };
            if may_have_a_verdict {
                return Worth::Holding;
            }
        }
        let is_familiar = known.is_familiar(record, event, told, vocabulary, scratch);
        // Without a number nothing could be said of the call, were it one too many.
        let is_told = event != UNKNOWN || !known.habits.is_known();
        if is_familiar && is_told { Worth::Nothing } else { Worth::Holding }
    }

    /// What a call touched, where somebody may ask for it, and by what that is known.
    #[inline]
    fn touched(&mut self, met: Met, event: u32, record: &Record<'_>) -> (Option<Told>, Touched) {
        let Self { model, attributor, agents, vocabulary, scratch, .. } = self;
        let may_be_asked = model.has_learned()
            && match met.agent() {
                Some(number) => known_agent(agents, model, attributor, number)
                    .is_some_and(|known| known.counts_touched()),
                None => met.may_be_an_agent(),
            };
        if !may_be_asked {
            return (None, Touched::NOTHING);
        }
        let mut told = scratch.told(record, event, vocabulary);
        let touched = scratch.touched(record, vocabulary.known_event(event), told.as_mut());
        (told, touched)
    }

    /// What is counted of a call.
    #[inline]
    fn traits(
        &self,
        record: &Record<'_>,
        event: u32,
        told: Option<&Told>,
        touched: Touched,
    ) -> Traits {
        let is_failed_mint = is_failed_mint(record);
        if !self.model.has_learned() {
            // Nobody asks how it counts in rates.
            return Traits::new(is_failed_mint, &Counts::default());
        }
        let classes = match self.vocabulary.known_event(event) {
            Some(event) => event.classes,
            None => rate_classes(&action_of(record)),
        };
        let failed = record.error_code().is_some();
        let classes = if failed { classes.with(RateClass::Error) } else { classes };
        let bytes_out = told.map_or_else(|| bytes_out(record), |told| told.bytes_out);
        Traits::new(is_failed_mint, &Counts { classes, bytes_out, touched })
    }

    fn encode(&mut self, record: &Record<'_>, held: &Held) -> &[u8] {
        let has_reasons = !held.reasons.is_empty();
        let head = Head { event: event_key(record), has_reasons, form: Form::Call };
        self.row.clear();
        self.row = held.encode(head.encode(std::mem::take(&mut self.row)));
        &self.row
    }

    /// The row of a call of which only the essence of its record is held.
    fn encode_essence(&mut self, call: &WaitingCall, essence: &str) -> &[u8] {
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        if let Some(event) = self.vocabulary.known_event(call.event) {
            let form = Form::Record(call.meant);
            let head = Head { event: event.key(), has_reasons: false, form };
            row = head.encode(row);
        }
        self.row = row;
        self.row.extend_from_slice(essence.as_bytes());
        &self.row
    }
}

/// Counts a record to its session.
#[inline]
fn met_by(attributor: &mut Attributor, recent: &mut Recent, record: &Record<'_>) -> Met {
    attributor.note_mint(record);
    if let Some(met) = recent.meet(record) {
        if met.may_be_an_agent() {
            *met = attributor.look_again(met.place());
        }
        return *met;
    }
    let facts = Facts::of(record);
    let met = attributor.observe(&facts);
    if let Some(untold) = recent.remember(record, &facts, met) {
        attributor.note_met(untold);
    }
    met
}

/// The agent of this number, as the attributor gave it.
#[inline]
fn known_agent<'k, 'm, A: Reach>(
    agents: &'k mut KnownAgents<'m>,
    model: &'m Model,
    attributor: &mut A,
    number: u32,
) -> Option<&'k mut KnownAgent<'m>> {
    if agents.met(number).is_none() {
        attributor
            .with(|attributor| agents.get(model, number, attributor.agent_at(number)?).map(|_| ()));
    }
    agents.met_mut(number)
}

impl Held {
    fn of(record: &Record<'_>, broken: &[Broken], user_agent: UserAgentFamily) -> Self {
        let reasons: Vec<Reason> = assess(broken, &[]).reasons;
        Self { used: None, call: Call::by(record, user_agent), reasons }
    }

    /// A copy, with all it takes to count it to its session later.
    fn copy_of(record: &Record<'_>, broken: &[Broken], user_agent: UserAgentFamily) -> (Use, Self) {
        let used = Use::of(record);
        (used.clone(), Self { used: Some(used), ..Self::of(record, broken, user_agent) })
    }
}
