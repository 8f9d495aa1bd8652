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
use tripline_containment::{Declined, Entry, Event, IncidentId, Ledger, Press, Pressed};
use tripline_engine::{
    Config, HORIZON_SECS, LiveIncident, Met, Mode, Unanswered, authorize_return, weigh,
};
use tripline_text::Untrusted;

use crate::executor::Executor;
use crate::expectations::{expect, note_root, root_of};
use crate::journal::JournalError;
use crate::live::{Live, LiveError};
use crate::responder::{Clock, Responder};
use crate::state::{State, StateError};
use crate::store::Store;
use crate::switch::{Pulled, Switch};

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
        if let Pulled::Ask(plan) | Pulled::Held(_, plan) = pulled {
            let asks = |ledger: &Ledger| {
                let asked = ledger.dialogue(incident).and_then(|dialogue| dialogue.asked());
                let plan = Box::new(plan.clone());
                (asked.is_none().then_some(Event::Asked { plan }), ())
            };
            self.switch.journal.settle(incident, now, asks).await?;
        }
        let look = |ledger: &Ledger| message.in_dialogue(ledger.dialogue(incident));
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
            } else if dialogue.asked().is_some_and(|asked| self.is_overdue(asked)) {
                self.answer_for_nobody(incident).await?;
            }
        }
        Ok(())
    }

    fn is_overdue(&self, asked_unix_ms: i64) -> bool {
        let (approvals, now) = (&self.config.approvals, self.switch.clock.now_unix_ms());
        // What is older is not looked at any more.
        let is_known = now.saturating_sub(asked_unix_ms) < HORIZON_SECS.saturating_mul(1_000);
        self.switch.mode == Mode::Approve
            && approvals.unanswered != Unanswered::Wait
            && approvals.is_overdue(asked_unix_ms, now)
            && is_known
    }

    /// Nobody answered: the program acts on its own, within the brakes.
    async fn answer_for_nobody(&self, incident: IncidentId) -> Result<(), PressError> {
        let Switch { responder, journal, clock, brakes, patience, .. } = self.switch;
        let is_open =
            |ledger: &Ledger| ledger.case(incident).is_some_and(|case| case.closed.is_none());
        let fences = self.config.approvals.unanswered == Unanswered::Fence;
        // Whoever is fenced is asked about still, and is fenced.
        if fences && journal.look(is_open).await {
            return Ok(());
        }
        let Ok(live) = self.live_incident(incident).await? else { return Ok(()) };
        let mode = Mode::Enforce;
        let switch = Switch { responder, journal, clock, mode, brakes, patience };
        match fences {
            true => switch.fence(&live).await?,
            false => switch.pull(&live).await?,
        };
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
        let live = match self.live_incident(incident).await? {
            Ok(live) => live,
            Err(why) => return Ok(Err(why)),
        };
        Ok(match self.switch.approved(&live, person).await? {
            Pulled::Contained(_) => Ok(Heard::Done(Press::Approve)),
            Pulled::WouldHave(_) => Err(Declined::Mode),
            _ => Err(Declined::NoPlan),
        })
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
        let (agent, exceptions, until_unix_secs) = match self.exceptions(incident, person).await? {
            Ok(exceptions) => exceptions,
            Err(why) => return Ok(Err(why)),
        };
        // The state first: what is not on record yet is done again, and is the same.
        expect(self.remembered, &exceptions, until_unix_secs).await?;
        let entry = Entry {
            time_unix_ms: self.switch.clock.now_unix_ms(),
            actor: person.clone(),
            incident: Some(incident),
            event: Event::Expected { agent, exceptions, until_unix_secs },
        };
        self.switch.journal.append_as(entry).await?;
        Ok(Ok(Heard::Done(Press::Expect)))
    }

    /// What would be expected of which agent, as text, and until when.
    async fn exceptions(
        &self,
        incident: IncidentId,
        person: &Untrusted<'static>,
    ) -> Result<Result<(Untrusted<'static>, String, i64), Declined>, PressError> {
        let live = match self.live_incident(incident).await? {
            Ok(live) => live,
            Err(why) => return Ok(Err(why)),
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
            (Some(agent), Some(expected)) => Ok((agent, expected.to_text(), until.unix_secs())),
            _ => Err(Declined::Rule),
        })
    }

    async fn live_incident(
        &self,
        incident: IncidentId,
    ) -> Result<Result<LiveIncident, Declined>, PressError> {
        let Some(root) = root_of(self.remembered, incident).await? else {
            return Ok(Err(Declined::Gone));
        };
        // The last is the worst: what a message alone tells stands behind what the trail does.
        let live = self.live.incidents(&root, self.now()).await?.pop();
        // A lineage may turn out to be part of another, whose incident is another one.
        let live = live.filter(|live| live.incident.target.incident == incident);
        Ok(live.ok_or(Declined::Gone))
    }

    fn now(&self) -> EventTime {
        let secs = self.switch.clock.now_unix_ms().div_euclid(1_000);
        EventTime::from_unix_secs(secs).unwrap_or(EventTime::EPOCH)
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
