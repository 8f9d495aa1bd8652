//! Where what people press arrives once it is believed: who pressed is weighed, it is written down, and
//! then it is done. What is written down and was not done, because somebody was interrupted or AWS did
//! not answer, is done at the next tick.
//!
//! The action log is what makes a press count once: whoever adds to it has read all of it, and of two
//! who do at the same time one looks again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use thiserror::Error;
use tripline_baseline::Approval;
use tripline_chat::{Heard, Message, SigningKey, Wanted};
use tripline_cloudtrail::EventTime;
use tripline_containment::{
    Case, Declined, Dialogue, Entry, Event, IncidentId, Ledger, Plan, Press, Pressed, Response,
    Waiting,
};
use tripline_detector::Verdict;
use tripline_engine::{
    Config, HORIZON_SECS, LiveIncident, Met, Mode, Unanswered, authorize_return, weigh,
};
use tripline_text::Untrusted;

use crate::executor::Executor;
use crate::expectations::{expect, note_root, root_of};
use crate::journal::JournalError;
use crate::live::{Live, LiveError};
use crate::outbox::in_force;
use crate::responder::{Clock, Responder};
use crate::state::{State, StateError};
use crate::store::Store;
use crate::switch::{Pulled, Switch, renewed_ahead};

/// Takes what people press, and does what it says.
#[derive(Debug)]
pub struct Desk<'a, R, S, C, L, O> {
    /// What is pulled.
    pub switch: Switch<'a, R, S, C>,
    /// What is known of incidents.
    pub live: &'a Live<'a, L>,
    /// What people were told, and what they expect; out of a detector's reach.
    pub remembered: &'a O,
    /// Who may press what, and how many have to.
    pub config: &'a Config,
    /// What people show at links, by their names.
    pub passphrases: &'a BTreeMap<String, SigningKey>,
}

/// What a person expects of an agent.
struct Expected {
    agent: Untrusted<'static>,
    /// As `decisions.toml` has it.
    exceptions: String,
    until_unix_secs: i64,
    /// What was planned for what is expected.
    response: Option<Response>,
}

/// Whoever wrote down what was pressed is doing it for so long; then others do.
const LEFT_MS: i64 = 30_000;

/// What was pressed, and could not be looked at: it is to be pressed again.
#[derive(Debug, Error)]
pub enum PressError {
    /// The action log failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What came live cannot be read.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl<R: Responder, S: Store, C: Clock, L: State, O: State> Desk<'_, R, S, C, L, O> {
    /// The message about an incident, with what may be pressed under it. Where a person has to say yes,
    /// it is written down that people are asked.
    ///
    /// # Errors
    /// [`PressError`].
    pub async fn ask(
        &self,
        live: &LiveIncident,
        pulled: &Pulled,
        message: Message,
    ) -> Result<Message, PressError> {
        let (incident, now) = (message.incident, self.switch.clock.now_unix_ms());
        note_root(self.remembered, incident, &live.root, now.div_euclid(1_000)).await?;
        if let Some(plan) = asking(pulled) {
            let asks = |ledger: &Ledger| {
                let asked = ledger.dialogue(incident).and_then(Dialogue::asked);
                // Whoever was asked about a fence was not asked about a kill.
                let is_asked =
                    asked.is_some_and(|asked| !plan.response.outweighs(asked.plan.response));
                let plan = Box::new(plan.clone());
                ((!is_asked).then_some(Event::Asked { plan }), ())
            };
            self.switch.journal.settle(incident, now, asks).await?;
        }
        let look = |ledger: &Ledger| {
            // What is in force is told before what waits besides.
            let message = match in_force(ledger, incident, now.div_euclid(1_000)) {
                Some(outcome) if waits_besides(pulled) => message.with_outcome(&outcome),
                _ => message,
            };
            message.in_dialogue(ledger.dialogue(incident))
        };
        Ok(self.switch.journal.look(look).await)
    }

    /// Takes what somebody pressed, from this address.
    ///
    /// # Errors
    /// [`PressError`].
    pub async fn hear(
        &self,
        wanted: &Wanted,
        address: Option<IpAddr>,
    ) -> Result<Heard, PressError> {
        let Wanted { incident, pressing, who } = wanted;
        let (press, now) = (pressing.press, self.switch.clock.now_unix_ms());
        let person = who.among(&self.config.people, self.passphrases);
        let name = person.map(|person| Untrusted::new(person.name.clone()));
        let name = name.unwrap_or_else(|| who.called().clone());
        let is_told = root_of(self.remembered, *incident).await?.is_some();
        // What cannot be helped by an exception is refused before anybody counts on it.
        let barred = match press {
            Press::Expect if person.is_some() => self.exceptions(*incident, &name).await?.err(),
            _ => None,
        };
        let decide = |ledger: &Ledger| {
            let (dialogue, case) = (ledger.dialogue(*incident), ledger.case(*incident));
            let met = Met { dialogue, case, is_told, mode: self.switch.mode };
            let weighed = weigh(&self.config.approvals, *pressing, person, met, now);
            let weighed = weighed.and_then(|missing| barred.map_or(Ok(missing), Err));
            if weighed == Err(Declined::TooMany) {
                return (None, weighed);
            }
            let event = Event::Pressed {
                press,
                way: pressing.way,
                address,
                person: name.clone(),
                declined: weighed.err(),
                missing: weighed.unwrap_or(0),
            };
            (Some(event), weighed)
        };
        // Before anything is done about it: who pressed is on record, whatever comes then.
        match self.switch.journal.settle(*incident, now, decide).await? {
            Err(why) => Ok(Heard::Declined(why)),
            Ok(0) if press == Press::Reject => Ok(Heard::Done(press)),
            Ok(0) => self.act(*incident, press, &name).await,
            Ok(missing) => Ok(Heard::MoreNeeded(press, missing)),
        }
    }

    /// Does what is still to be done of what people pressed, and what follows where nobody did in time.
    ///
    /// # Errors
    /// [`PressError`].
    pub async fn tick(&self) -> Result<(), PressError> {
        let ledger = self.switch.journal.ledger().await;
        let now = self.switch.clock.now_unix_ms();
        for (incident, dialogue) in ledger.dialogues() {
            let is_left = now.saturating_sub(dialogue.last_unix_ms()) >= LEFT_MS;
            if let Some((press, person)) = dialogue.pending().filter(|_| is_left) {
                self.act(incident, press, person).await?;
            } else if let Some(asked) = dialogue.asked().filter(|asked| self.is_overdue(asked)) {
                self.answer_for_nobody(incident, asked.plan.response).await?;
            }
        }
        Ok(())
    }

    fn is_overdue(&self, asked: &Waiting) -> bool {
        let (approvals, now) = (&self.config.approvals, self.switch.clock.now_unix_ms());
        let asked_unix_ms = asked.since_unix_ms;
        // What is older is not looked at any more.
        let is_known = now.saturating_sub(asked_unix_ms) < HORIZON_SECS.saturating_mul(1_000);
        self.switch.mode == Mode::Approve
            && approvals.unanswered != Unanswered::Wait
            && approvals.is_overdue(asked_unix_ms, now)
            && is_known
    }

    /// Nobody answered: the program acts on its own, within the brakes. A fence that has its time
    /// meanwhile is put up again.
    async fn answer_for_nobody(
        &self,
        incident: IncidentId,
        asked: Response,
    ) -> Result<(), PressError> {
        let Switch { responder, journal, clock, brakes, patience, .. } = self.switch;
        let now_secs = clock.now_unix_ms().div_euclid(1_000);
        let soon_secs = now_secs.saturating_add(renewed_ahead(brakes));
        let is_up = |case: &Case| case.closed.is_none() && !case.plan.has_expired(soon_secs);
        let is_open = |ledger: &Ledger| ledger.case(incident).is_some_and(is_up);
        let fences = self.config.approvals.unanswered == Unanswered::Fence;
        // Whoever is fenced is asked about still, and is fenced.
        if fences && journal.look(is_open).await {
            return Ok(());
        }
        let Ok(live) = self.certain(incident, asked).await? else { return Ok(()) };
        let mode = Mode::Enforce;
        let switch = Switch { responder, journal, clock, mode, brakes, patience };
        let at_most = if fences { Verdict::Fence } else { verdict_of(asked) };
        switch.pull_at_most(&live, at_most).await?;
        Ok(())
    }

    async fn act(
        &self,
        incident: IncidentId,
        press: Press,
        person: &Untrusted<'static>,
    ) -> Result<Heard, PressError> {
        let done = match press {
            Press::Approve => self.approve(incident, person).await?,
            Press::Restore => self.restore(incident, person).await?,
            Press::Expect => self.expect(incident, person).await?,
            Press::Reject => Ok(Heard::Done(press)),
        };
        if let Err(why) = done {
            let now = self.switch.clock.now_unix_ms();
            let event = Event::NotDone { press, why };
            self.switch.journal.append(Some(incident), now, event).await?;
        }
        Ok(done.unwrap_or_else(Heard::Declined))
    }

    async fn approve(
        &self,
        incident: IncidentId,
        person: &Untrusted<'static>,
    ) -> Result<Result<Heard, Declined>, PressError> {
        // What was asked may have grown since then: whoever says yes says it to what was asked.
        let asked = |ledger: &Ledger| Some(ledger.dialogue(incident)?.asked()?.plan.response);
        let Some(asked) = self.switch.journal.look(asked).await else {
            return Ok(Err(Declined::NotWaiting));
        };
        let live = match self.certain(incident, asked).await? {
            Ok(live) => live,
            Err(why) => return Ok(Err(why)),
        };
        match self.switch.approved(&live, person, verdict_of(asked)).await? {
            Pulled::Contained(_) => {}
            Pulled::WouldHave(_) => return Ok(Err(Declined::Mode)),
            _ => return Ok(Err(Declined::NoPlan)),
        }
        let is_pending = |ledger: &Ledger| {
            let pending = ledger.dialogue(incident).and_then(Dialogue::pending);
            pending.is_some_and(|(press, _)| press == Press::Approve)
        };
        // All of it was in force, and nothing had to be decided.
        let was_done = self.switch.journal.look(is_pending).await;
        Ok(if was_done { Err(Declined::Done) } else { Ok(Heard::Done(Press::Approve)) })
    }

    async fn restore(
        &self,
        incident: IncidentId,
        person: &Untrusted<'static>,
    ) -> Result<Result<Heard, Declined>, PressError> {
        let Some(permit) = authorize_return(self.switch.mode) else {
            return Ok(Err(Declined::Mode));
        };
        let Switch { responder, journal, clock, patience, .. } = self.switch;
        let people = journal.look(|ledger| pressers(ledger, incident, Press::Restore)).await;
        let executor = Executor::new(responder, journal, clock, patience);
        let executor = executor.on_behalf_of(person.clone());
        let reason = format!("pressed in the chat by {people}");
        let case = executor.give_back(&permit, incident, &reason).await?;
        Ok(Ok(if case.closed.is_some() { Heard::Done(Press::Restore) } else { Heard::Failed }))
    }

    async fn expect(
        &self,
        incident: IncidentId,
        person: &Untrusted<'static>,
    ) -> Result<Result<Heard, Declined>, PressError> {
        let expected = match self.exceptions(incident, person).await? {
            Ok(expected) => expected,
            Err(why) => return Ok(Err(why)),
        };
        let Expected { agent, exceptions, until_unix_secs, response } = expected;
        // The state first: what is not on record yet is done again, and is the same.
        expect(self.remembered, &exceptions, until_unix_secs).await?;
        let entry = Entry {
            time_unix_ms: self.switch.clock.now_unix_ms(),
            actor: person.clone(),
            incident: Some(incident),
            event: Event::Expected { agent, exceptions, until_unix_secs, response },
        };
        self.switch.journal.append_as(entry).await?;
        Ok(Ok(Heard::Done(Press::Expect)))
    }

    /// What would be expected of which agent, as text, until when, and what was planned for it.
    async fn exceptions(
        &self,
        incident: IncidentId,
        person: &Untrusted<'static>,
    ) -> Result<Result<Expected, Declined>, PressError> {
        // The last is the worst: what a message alone tells stands behind what the trail does.
        let Some(live) = self.incidents(incident).await?.pop() else {
            return Ok(Err(Declined::Gone));
        };
        let now = self.now();
        let days = i64::from(self.config.approvals.expect_days.get());
        let until = now.plus_secs(days.saturating_mul(86_400));
        let why = format!("expected, incident {incident}");
        let expected = match Approval::new(person.as_unescaped(), now, &why) {
            Some(by) => self.live.exceptions(&live, &by, until, now).await?,
            None => None,
        };
        let agent = live.incident.agent.as_ref().map(|agent| agent.untrusted().into_owned());
        Ok(match (agent, expected) {
            (Some(agent), Some(expected)) => Ok(Expected {
                agent,
                exceptions: expected.to_text(),
                until_unix_secs: until.unix_secs(),
                response: live.incident.plan.as_ref().ok().map(|plan| plan.response),
            }),
            _ => Err(Declined::Rule),
        })
    }

    /// The incident that such a response is for: as the trail tells of it; for a fence as a message does,
    /// where that is all there is.
    async fn certain(
        &self,
        incident: IncidentId,
        response: Response,
    ) -> Result<Result<LiveIncident, Declined>, PressError> {
        let live = self.incidents(incident).await?;
        let verdict = verdict_of(response);
        let is_enough = |live: &LiveIncident| {
            live.incident.verdict >= verdict && (live.is_confirmed || verdict < Verdict::Kill)
        };
        let certain = live.into_iter().max_by_key(|live| (is_enough(live), live.is_confirmed));
        Ok(certain.ok_or(Declined::Gone))
    }

    async fn incidents(&self, incident: IncidentId) -> Result<Vec<LiveIncident>, PressError> {
        let Some(root) = root_of(self.remembered, incident).await? else { return Ok(Vec::new()) };
        let mut live = self.live.incidents(&root, self.now()).await?;
        // A lineage may turn out to be part of another, whose incident is another one.
        live.retain(|live| live.incident.target.incident == incident);
        Ok(live)
    }

    fn now(&self) -> EventTime {
        let secs = self.switch.clock.now_unix_ms().div_euclid(1_000);
        EventTime::from_unix_secs(secs).unwrap_or(EventTime::EPOCH)
    }
}

/// The plan that a person has to say yes to.
fn asking(pulled: &Pulled) -> Option<&Plan> {
    match pulled {
        Pulled::Ask(plan) | Pulled::Held(_, plan) => Some(plan),
        _ => None,
    }
}

/// Whether something less may be in force meanwhile: then that is told first.
fn waits_besides(pulled: &Pulled) -> bool {
    asking(pulled).is_some() || matches!(pulled, Pulled::LeftAlone(_))
}

/// The verdict that leads to a response.
fn verdict_of(response: Response) -> Verdict {
    match response {
        Response::Fence { .. } => Verdict::Fence,
        Response::Kill => Verdict::Kill,
    }
}

/// The people whose presses count now, in order.
fn pressers(ledger: &Ledger, incident: IncidentId, press: Press) -> String {
    let dialogue = ledger.dialogue(incident).into_iter();
    let pressed = dialogue.flat_map(|dialogue| dialogue.pressed_now());
    let names = pressed.filter(|one: &&Pressed| one.press == press && one.counts());
    let names: Vec<&str> = names.map(|one| one.person.as_unescaped()).collect();
    names.join(", ")
}
