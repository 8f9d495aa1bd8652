//! What became of each plan: the fold of the action log.
//!
//! The log is the only record of what was done; this is what it says, and nothing here can be known
//! that is not in it. So a lost store is rebuilt by reading the log again.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_text::Untrusted;

use crate::incident::IncidentId;
use crate::log::Entry;
use crate::place::Place;
use crate::plan::{Plan, Response};
use crate::press::{Declined, Dialogue, Press, Way};
use crate::target::DELIVERY_LAG_SECS;

/// Something that happened to an incident, or to all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A plan was made and is carried out.
    Decided {
        /// The plan.
        plan: Box<Plan>,
        /// Why, in a person's or the detector's words.
        #[serde(with = "tripline_text::stored")]
        reason: Untrusted<'static>,
        /// When the call that started it was made, in milliseconds since 1970.
        event_unix_ms: Option<i64>,
        /// When that was seen.
        seen_unix_ms: Option<i64>,
        /// Whether the program decided on its own.
        is_automatic: bool,
        /// The agent's class.
        #[serde(with = "tripline_text::stored::option")]
        class: Option<Untrusted<'static>>,
    },
    /// Our statements were found in IAM without a record of how they came there.
    Adopted {
        /// Where.
        places: Vec<Place>,
    },
    /// A place is about to be changed.
    Intended {
        /// Where.
        place: Place,
        /// What stands there.
        before: Option<String>,
    },
    /// It was changed, and reads back as it should.
    Attached {
        /// Where.
        place: Place,
        /// What stands there now.
        after: Option<String>,
    },
    /// It could not be changed.
    Failed {
        /// Where.
        place: Place,
        /// Why.
        failure: Failure,
    },
    /// A call of a session that is to be cut off was seen in the logs.
    Sighted {
        /// The session.
        #[serde(with = "tripline_text::stored")]
        session: Untrusted<'static>,
        /// Whether it was refused with an explicit deny.
        was_denied: bool,
        /// When it was made, in seconds since 1970.
        at_unix_secs: i64,
    },
    /// What we put somewhere is not there any more.
    Stripped {
        /// Where.
        place: Place,
        /// Who did it, if the logs tell.
        #[serde(with = "tripline_text::stored::option")]
        by: Option<Untrusted<'static>>,
    },
    /// A place is about to be given back.
    ReturnIntended {
        /// Where.
        place: Place,
    },
    /// A place was given back.
    Returned {
        /// Where.
        place: Place,
        /// How exactly.
        outcome: Returned,
    },
    /// A place could not be given back.
    NotReturned {
        /// Where.
        place: Place,
        /// Why.
        failure: Failure,
    },
    /// People are asked whether a plan is to be carried out.
    Asked {
        /// The plan as it stood then.
        plan: Box<Plan>,
    },
    /// Somebody pressed something under a message.
    Pressed {
        /// What.
        press: Press,
        /// How.
        way: Way,
        /// From where the request came: of a button in Slack, one of Slack's own addresses; behind a
        /// proxy, the proxy's.
        address: Option<IpAddr>,
        /// Who: the name in the configuration, or what a stranger is called.
        #[serde(with = "tripline_text::stored")]
        person: Untrusted<'static>,
        /// Why it counts for nothing; none if it counts.
        declined: Option<Declined>,
        /// How many more people have to press it; of what counts, none: it is to be done now.
        missing: u32,
    },
    /// What enough people pressed was not done, and is not tried again by itself.
    NotDone {
        /// What they pressed.
        press: Press,
        /// Why not.
        why: Declined,
    },
    /// A person expects of the agent for a while what was new in the incident.
    Expected {
        /// Of whom.
        #[serde(with = "tripline_text::stored")]
        agent: Untrusted<'static>,
        /// What, as `decisions.toml` has it.
        exceptions: String,
        /// Until when, in seconds since 1970.
        until_unix_secs: i64,
        /// What was planned for it then, if anything.
        #[serde(default)]
        response: Option<Response>,
    },
    /// The incident is over: everything was given back.
    Closed {
        /// Why, in a person's words.
        #[serde(with = "tripline_text::stored")]
        reason: Untrusted<'static>,
        /// Whether a fence merely had its time: else a person gave it back.
        #[serde(default)]
        has_expired: bool,
    },
    /// All automatic action was stopped.
    Halted {
        /// Why.
        #[serde(with = "tripline_text::stored")]
        reason: Untrusted<'static>,
    },
    /// Automatic action may go on.
    Resumed {
        /// Why.
        #[serde(with = "tripline_text::stored")]
        reason: Untrusted<'static>,
    },
}

impl Event {
    /// Whether it is a part of what people are asked about an incident and answer, or ends that.
    fn is_said(&self) -> bool {
        matches!(
            self,
            Self::Asked { .. }
                | Self::Pressed { .. }
                | Self::NotDone { .. }
                | Self::Expected { .. }
                | Self::Decided { .. }
                | Self::Closed { .. }
        )
    }
}

/// Why a call to AWS did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// There is no such role, user or key.
    #[error("there is no such role, user or key")]
    NotFound,
    /// No room is left under IAM's quota.
    #[error("IAM's quota leaves no room")]
    LimitExceeded,
    /// IAM lets nobody change it.
    #[error("IAM lets nobody change it")]
    Unmodifiable,
    /// IAM refuses the document.
    #[error("IAM refuses the document as malformed")]
    Malformed,
    /// The document in place cannot be changed without guessing.
    #[error("the policy in place cannot be read: put a correct one there first")]
    NotEditable,
    /// The responder may not do this.
    #[error("the responder has no permission for it")]
    AccessDenied,
    /// Too many requests, to the end of the time limit.
    #[error("AWS throttled the requests to the end of the time limit")]
    Throttled,
    /// AWS did not answer, to the end of the time limit.
    #[error("AWS did not answer within the time limit")]
    Unreachable,
    /// What was written does not read back.
    #[error("what was written does not read back: somebody else changes it at the same time")]
    NotHolding,
    /// Anything else, by its code.
    #[error("AWS answered with an error of another kind")]
    Other {
        /// AWS's word for it, and what it says.
        #[serde(with = "tripline_text::stored")]
        message: Untrusted<'static>,
    },
}

impl Failure {
    /// Whether the same request may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Throttled | Self::Unreachable | Self::NotHolding)
    }
}

/// How exactly a place was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// As it was before us, byte for byte.
    Exact,
    /// Our part is gone; another incident's stays.
    OthersStay,
    /// Our part is gone; somebody else changed the rest since, and that was left as it is.
    Changed {
        /// As it was before us.
        original: Option<String>,
        /// As we wrote it.
        written: Option<String>,
        /// As it is now.
        left: Option<String>,
    },
    /// Our part is gone; how it was before is not on record.
    Removed,
    /// Our part was gone already.
    WasGone,
}

/// What the log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    cases: BTreeMap<IncidentId, Case>,
    standings: BTreeMap<Place, Standing>,
    dialogues: BTreeMap<IncidentId, Dialogue>,
    halted: Option<Untrusted<'static>>,
}

/// One incident's containment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The plan.
    pub plan: Plan,
    /// Who decided it.
    pub actor: Untrusted<'static>,
    /// Why.
    pub reason: Untrusted<'static>,
    /// Whether the program decided on its own.
    pub is_automatic: bool,
    /// The agent's class.
    pub class: Option<Untrusted<'static>>,
    /// By place, how far it is.
    pub places: BTreeMap<Place, Status>,
    /// By session, what was seen of it since.
    pub seen: BTreeMap<Untrusted<'static>, Seen>,
    /// When what happened.
    pub times: Times,
    /// Who closed it, when and why.
    pub closed: Option<(Untrusted<'static>, i64, Untrusted<'static>)>,
    /// How often something of ours was taken away.
    pub stripped: u64,
    /// Who took it away last, if that is known.
    pub stripped_by: Option<Untrusted<'static>>,
}

/// How far the change of a place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was about to be changed.
    Intended,
    /// It is changed, and read back so.
    Attached,
    /// It could not be changed.
    Failed(Failure),
    /// It was about to be given back.
    ReturnIntended,
    /// It is given back.
    Returned(Returned),
    /// It could not be given back.
    NotReturned(Failure),
}

/// When what happened, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The call that started it was made.
    pub event: Option<i64>,
    /// It was seen.
    pub seen: Option<i64>,
    /// The plan was decided on.
    pub decided: i64,
    /// The last place was changed.
    pub attached: Option<i64>,
    /// The first denied call of a session that was cut off.
    pub first_denied: Option<i64>,
    /// Something of ours was last taken away.
    pub stripped: Option<i64>,
}

/// What was seen of a session since it was to be cut off, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its first refusal with an explicit deny.
    pub first_denied: Option<i64>,
    /// Its last call that was not refused.
    pub last_success: Option<i64>,
}

/// What a place held before us, and what we last wrote there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Before the first incident that holds it.
    pub original: Option<String>,
    /// What stood there when it last read back as it should; none before it ever did.
    pub written: Option<Option<String>>,
    /// The incidents whose part is there.
    pub holders: BTreeSet<IncidentId>,
}

/// Whether a kill holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Not even all that was planned is in place.
    Incomplete,
    /// All is in place; nothing was seen yet of what it does.
    Attached,
    /// A session that was to be cut off goes on.
    Broken,
    /// All credentials have ended, and nothing was seen of them since.
    Lapsed,
    /// Each session that is still alive was seen to be refused.
    Effective,
}

/// An event that cannot follow what the log said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IllegalEvent {
    /// About an incident that was never decided.
    #[error("an event of an incident that was never decided")]
    Unknown,
    /// About an incident that is over.
    #[error("an event of an incident that is closed")]
    Closed,
}

impl Ledger {
    /// Whether an entry may come next.
    ///
    /// # Errors
    /// [`IllegalEvent`].
    pub fn check(&self, entry: &Entry) -> Result<(), IllegalEvent> {
        match (&entry.event, entry.incident) {
            (Event::Halted { .. } | Event::Resumed { .. }, _)
            | (
                Event::Decided { .. }
                | Event::Adopted { .. }
                | Event::Asked { .. }
                | Event::Pressed { .. }
                | Event::NotDone { .. }
                | Event::Expected { .. },
                Some(_),
            ) => Ok(()),
            (_, None) => Err(IllegalEvent::Unknown),
            (_, Some(incident)) => match self.cases.get(&incident) {
                None => Err(IllegalEvent::Unknown),
                Some(case) if case.closed.is_some() => Err(IllegalEvent::Closed),
                Some(_) => Ok(()),
            },
        }
    }

    /// Takes the next entry in.
    ///
    /// # Errors
    /// [`IllegalEvent`]; the ledger stays as it was.
    pub fn record(&mut self, entry: &Entry) -> Result<(), IllegalEvent> {
        self.check(entry)?;
        if let Some(incident) = entry.incident.filter(|_| entry.event.is_said()) {
            self.dialogues.entry(incident).or_default().hear(entry);
        }
        match (&entry.event, entry.incident) {
            (Event::Halted { reason }, _) => self.halted = Some(reason.clone()),
            (Event::Resumed { .. }, _) => self.halted = None,
            (Event::Decided { .. }, Some(incident)) => self.decide(incident, entry),
            (Event::Adopted { places }, Some(incident)) => self.adopt(incident, places, entry),
            (event, Some(incident)) => {
                if let Some(case) = self.cases.get_mut(&incident) {
                    case.apply(entry);
                }
                self.stand(incident, event);
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// All incidents, by id.
    pub fn cases(&self) -> impl Iterator<Item = (IncidentId, &Case)> {
        self.cases.iter().map(|(incident, case)| (*incident, case))
    }

    /// One incident.
    pub fn case(&self, incident: IncidentId) -> Option<&Case> {
        self.cases.get(&incident)
    }

    /// What people were asked about each incident, and what they answered.
    pub fn dialogues(&self) -> impl Iterator<Item = (IncidentId, &Dialogue)> {
        self.dialogues.iter().map(|(incident, dialogue)| (*incident, dialogue))
    }

    /// The same about one incident.
    pub fn dialogue(&self, incident: IncidentId) -> Option<&Dialogue> {
        self.dialogues.get(&incident)
    }

    /// What is known of a place, while any incident holds it.
    pub fn standing(&self, place: &Place) -> Option<&Standing> {
        self.standings.get(place)
    }

    /// Why all automatic action is stopped, if it is.
    pub fn halted(&self) -> Option<&Untrusted<'static>> {
        self.halted.as_ref()
    }

    /// A second decision on the same incident (a fence that becomes a kill) goes on from the first.
    fn decide(&mut self, incident: IncidentId, entry: &Entry) {
        let Event::Decided { plan, reason, event_unix_ms, seen_unix_ms, is_automatic, class } =
            &entry.event
        else {
            return;
        };
        let times = Times {
            event: *event_unix_ms,
            seen: *seen_unix_ms,
            decided: entry.time_unix_ms,
            ..Times::default()
        };
        let before = self.cases.remove(&incident);
        // What was seen refused by a fence, or by what was given back, proves nothing of a kill.
        let is_same = |case: &Case| {
            case.closed.is_none()
                && discriminant(&case.plan.response) == discriminant(&plan.response)
        };
        let (mut places, seen) = before.map_or_else(Default::default, |case| {
            let seen = if is_same(&case) { case.seen } else { BTreeMap::new() };
            (case.places, seen)
        });
        places.retain(|_, status| !matches!(status, Status::Returned(_)));
        // What is there is the first plan's: whether the second's is, too, has to be looked at again.
        for status in places.values_mut().filter(|status| **status == Status::Attached) {
            *status = Status::Intended;
        }
        let case = Case {
            plan: (**plan).clone(),
            actor: entry.actor.clone(),
            reason: reason.clone(),
            is_automatic: *is_automatic,
            class: class.clone(),
            places,
            seen,
            times,
            closed: None,
            stripped: 0,
            stripped_by: None,
        };
        self.cases.insert(incident, case);
    }

    /// What was found counts as in place; of what was there before nothing is known.
    fn adopt(&mut self, incident: IncidentId, places: &[Place], entry: &Entry) {
        let case = self.cases.entry(incident).or_insert_with(|| Case {
            plan: Plan::unknown(incident),
            actor: entry.actor.clone(),
            reason: Untrusted::borrowed("found in IAM, without a record"),
            is_automatic: false,
            class: None,
            places: BTreeMap::new(),
            seen: BTreeMap::new(),
            times: Times { decided: entry.time_unix_ms, ..Times::default() },
            closed: None,
            stripped: 0,
            stripped_by: None,
        });
        case.closed = None;
        for place in places {
            case.places.insert(place.clone(), Status::Attached);
        }
    }

    fn stand(&mut self, incident: IncidentId, event: &Event) {
        match event {
            Event::Intended { place, before } => {
                let standing = self.standings.entry(place.clone()).or_default();
                // Resumed after a crash, what stands there may be ours already.
                if standing.holders.is_empty() {
                    standing.original.clone_from(before);
                }
                standing.holders.insert(incident);
            }
            Event::Attached { place, after } => {
                if let Some(standing) = self.standings.get_mut(place) {
                    standing.written = Some(after.clone());
                }
            }
            Event::Returned { place, outcome } => {
                let Some(standing) = self.standings.get_mut(place) else { return };
                standing.holders.remove(&incident);
                if standing.holders.is_empty() {
                    self.standings.remove(place);
                } else if let Returned::Changed { left, .. } = outcome {
                    standing.written = Some(left.clone());
                } else {
                    // What others wrote stays, without ours: not known until it is read again.
                    standing.written = None;
                }
            }
            _ => {}
        }
    }
}

impl Case {
    fn apply(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Intended { place, .. } => {
                self.places.insert(place.clone(), Status::Intended);
            }
            Event::Attached { place, .. } => {
                self.places.insert(place.clone(), Status::Attached);
                self.times.attached = self.times.attached.max(Some(entry.time_unix_ms));
            }
            Event::Failed { place, failure } => {
                self.places.insert(place.clone(), Status::Failed(failure.clone()));
            }
            Event::ReturnIntended { place } => {
                self.places.insert(place.clone(), Status::ReturnIntended);
            }
            Event::Returned { place, outcome } => {
                self.places.insert(place.clone(), Status::Returned(outcome.clone()));
            }
            Event::NotReturned { place, failure } => {
                self.places.insert(place.clone(), Status::NotReturned(failure.clone()));
            }
            Event::Sighted { session, was_denied, at_unix_secs } => {
                self.sighted(session, *was_denied, *at_unix_secs);
            }
            Event::Stripped { place, by } => {
                self.places.insert(place.clone(), Status::Intended);
                self.stripped = self.stripped.saturating_add(1);
                self.times.stripped = self.times.stripped.max(Some(entry.time_unix_ms));
                if by.is_some() {
                    self.stripped_by.clone_from(by);
                }
            }
            Event::Closed { reason, .. } => {
                self.closed = Some((entry.actor.clone(), entry.time_unix_ms, reason.clone()));
            }
            Event::Decided { .. }
            | Event::Adopted { .. }
            | Event::Asked { .. }
            | Event::Pressed { .. }
            | Event::NotDone { .. }
            | Event::Expected { .. }
            | Event::Halted { .. }
            | Event::Resumed { .. } => {}
        }
    }

    /// Sightings come in any order and more than once.
    fn sighted(&mut self, session: &Untrusted<'static>, was_denied: bool, at: i64) {
        let seen = self.seen.entry(session.clone()).or_default();
        if was_denied {
            seen.first_denied = Some(seen.first_denied.map_or(at, |known| known.min(at)));
            let at_ms = at.saturating_mul(1_000);
            let first = self.times.first_denied;
            self.times.first_denied = Some(first.map_or(at_ms, |known| known.min(at_ms)));
        } else {
            seen.last_success = seen.last_success.max(Some(at));
        }
    }

    /// Whether a sighting tells something that is not known yet.
    pub fn learns_from(&self, event: &Event) -> bool {
        let Event::Sighted { session, was_denied, at_unix_secs } = event else { return true };
        let seen = self.seen.get(session).copied().unwrap_or_default();
        match was_denied {
            true => seen.first_denied.is_none_or(|known| *at_unix_secs < known),
            false => seen.last_success.is_none_or(|known| *at_unix_secs > known),
        }
    }

    /// Whether the change of a place is still to be made.
    pub fn is_due(&self, place: &Place) -> bool {
        match self.places.get(place) {
            None | Some(Status::Intended) => true,
            Some(Status::Failed(failure)) => failure.is_passing(),
            Some(_) => false,
        }
    }

    /// The places where something of ours is, or may be.
    pub fn held(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter_map(|(place, status)| match status {
            Status::Attached
            | Status::Intended
            | Status::ReturnIntended
            | Status::NotReturned(_) => Some(place),
            Status::Failed(_) | Status::Returned(_) => None,
        })
    }

    /// The steps that are not in place, neither where they were planned nor where they go instead. A
    /// key that could not be switched off is none, where its user is denied.
    pub fn open_steps(&self) -> impl Iterator<Item = (&crate::plan::Step, Option<&Failure>)> {
        self.plan.steps.iter().filter_map(|step| {
            let fallback = step.place.fallback();
            let is_attached = |place: &Place| self.places.get(place) == Some(&Status::Attached);
            if is_attached(&step.place) || fallback.as_ref().is_some_and(is_attached) {
                return None;
            }
            let failure =
                [fallback.as_ref(), Some(&step.place)].into_iter().flatten().find_map(|place| {
                    match self.places.get(place) {
                        Some(Status::Failed(failure)) => Some(failure),
                        _ => None,
                    }
                });
            Some((step, failure))
        })
    }

    /// Whether it holds, as far as is known at a moment.
    pub fn proof(&self, now_unix_secs: i64) -> Proof {
        if self.open_steps().next().is_some() {
            return Proof::Incomplete;
        }
        // What was taken away a moment ago may be again: put back, it is not seen to hold.
        let calm = |at: i64| now_unix_secs > at.div_euclid(1_000).saturating_add(CALM_SECS);
        if !self.times.stripped.is_none_or(calm) {
            return Proof::Broken;
        }
        let attached = self.times.attached.unwrap_or(self.times.decided).div_euclid(1_000);
        let mut proof = Proof::Effective;
        for session in &self.plan.sessions {
            let seen = self.seen.get(&session.id).copied().unwrap_or_default();
            // Calls of the second in which the policy came may have been made before it, and IAM takes
            // a few seconds to spread it (facts 4.6: 3 to 4 s).
            // A fenced agent is meant to go on with its work.
            let goes_on = self.plan.response == Response::Kill
                && seen
                    .last_success
                    .is_some_and(|at| at > attached.saturating_add(PROPAGATION_SECS));
            let is_over = session
                .ends_by_unix_secs
                .is_some_and(|ends| now_unix_secs > ends.saturating_add(DELIVERY_LAG_SECS));
            proof = proof.min(match (goes_on, seen.first_denied, is_over) {
                (true, _, _) => return Proof::Broken,
                (false, Some(_), _) => Proof::Effective,
                (false, None, true) => Proof::Lapsed,
                (false, None, false) => Proof::Attached,
            });
        }
        // Where nothing was cut, only the way in was blocked: that is all there is to see.
        if self.plan.sessions.is_empty() { Proof::Attached } else { proof }
    }
}

/// How long nobody must have taken anything away before a kill is thought to hold again.
const CALM_SECS: i64 = 60;

/// How long a change of IAM's may take to be seen everywhere (facts 4.6: measured 3 to 4 s; "a few
/// minutes" is what AWS promises).
pub const PROPAGATION_SECS: i64 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denial::Denial;
    use crate::plan::{CutSession, Step, StepKind};
    use tripline_iam::{AccountId, RoleName};

    const DECIDED: i64 = 1_795_168_800;

    fn place() -> Place {
        let account = AccountId::parse("111122223333").unwrap();
        Place::Trust { account, role: RoleName::parse("Agent").unwrap() }
    }

    fn plan() -> Plan {
        let session = |id: &'static str, ends| CutSession {
            id: Untrusted::borrowed(id),
            ends_by_unix_secs: ends,
        };
        Plan {
            response: Response::Kill,
            steps: vec![Step {
                kind: StepKind::BlockReEntry,
                place: place(),
                denials: Vec::<Denial>::new(),
                chars: (0, 0),
                cuts: Vec::new(),
                others_spared: 0,
                others_hit: 0,
            }],
            sessions: vec![session("ASIAONE", Some(DECIDED + 600)), session("AKIATWO", None)],
            ..Plan::unknown(IncidentId::new(1))
        }
    }

    /// A ledger that saw these events, each at its second.
    fn ledger(events: Vec<(i64, Event)>) -> Ledger {
        let mut ledger = Ledger::default();
        let decided = Event::Decided {
            plan: Box::new(plan()),
            reason: Untrusted::borrowed("why"),
            event_unix_ms: None,
            seen_unix_ms: None,
            is_automatic: false,
            class: None,
        };
        let events = std::iter::once((DECIDED, decided)).chain(events);
        for (at, event) in events {
            let actor = Untrusted::borrowed("somebody");
            let incident = Some(IncidentId::new(1));
            let entry = Entry { time_unix_ms: at * 1_000, actor, incident, event };
            ledger.record(&entry).unwrap();
        }
        ledger
    }

    fn proof(events: Vec<(i64, Event)>, now: i64) -> Proof {
        ledger(events).case(IncidentId::new(1)).unwrap().proof(now)
    }

    fn attached() -> (i64, Event) {
        (DECIDED + 1, Event::Attached { place: place(), after: None })
    }

    fn sighted(session: &'static str, was_denied: bool, at_unix_secs: i64) -> (i64, Event) {
        let session = Untrusted::borrowed(session);
        (at_unix_secs + 60, Event::Sighted { session, was_denied, at_unix_secs })
    }

    #[test]
    fn a_kill_is_done_when_every_session_was_seen_refused_or_is_over() {
        let now = DECIDED + 30;
        assert_eq!(proof(Vec::new(), now), Proof::Incomplete);
        let failed = Event::Failed { place: place(), failure: Failure::AccessDenied };
        assert_eq!(proof(vec![(DECIDED, failed)], now), Proof::Incomplete);
        assert_eq!(proof(vec![attached()], now), Proof::Attached);
        let one = sighted("ASIAONE", true, DECIDED + 5);
        assert_eq!(proof(vec![attached(), one.clone()], now), Proof::Attached);
        let two = sighted("AKIATWO", true, DECIDED + 6);
        let events = vec![attached(), one.clone(), two.clone()];
        assert_eq!(proof(events, now), Proof::Effective);
        // One is over, the other was seen refused: that is all of them.
        let late = DECIDED + 600 + DELIVERY_LAG_SECS + 1;
        assert_eq!(proof(vec![attached(), two.clone()], late), Proof::Lapsed);
        // A key does not end by itself.
        assert_eq!(proof(vec![attached(), one.clone()], late), Proof::Attached);
    }

    #[test]
    fn trap_6_a_success_after_it_should_hold_breaks_the_proof_whatever_came_before() {
        let now = DECIDED + 90;
        let refused =
            [sighted("ASIAONE", true, DECIDED + 5), sighted("AKIATWO", true, DECIDED + 5)];
        let with = |at| {
            let success = sighted("ASIAONE", false, at);
            let mut events = vec![attached(), success];
            events.extend(refused.clone());
            proof(events, now)
        };
        // While the change spreads, calls may still go through.
        assert_eq!(with(DECIDED + 1 + PROPAGATION_SECS), Proof::Effective);
        assert_eq!(with(DECIDED + 2 + PROPAGATION_SECS), Proof::Broken);
    }

    #[test]
    fn a_fenced_agent_may_go_on_and_a_kill_after_the_fence_is_looked_at_anew() {
        let fence =
            Plan { response: Response::Fence { until_unix_secs: DECIDED + 3_600 }, ..plan() };
        let decided = |plan: Plan, at| {
            let event = Event::Decided {
                plan: Box::new(plan),
                reason: Untrusted::borrowed(""),
                event_unix_ms: None,
                seen_unix_ms: None,
                is_automatic: false,
                class: None,
            };
            (at, event)
        };
        let goes_on = sighted("ASIAONE", false, DECIDED + 60);
        let events = vec![decided(fence, DECIDED), attached(), goes_on];
        assert_eq!(proof(events.clone(), DECIDED + 90), Proof::Attached);
        let events: Vec<_> = events.into_iter().chain([decided(plan(), DECIDED + 100)]).collect();
        assert_eq!(proof(events.clone(), DECIDED + 101), Proof::Incomplete);
        assert!(ledger(events).case(IncidentId::new(1)).unwrap().is_due(&place()));
    }

    #[test]
    fn what_was_taken_away_is_under_way_again_and_calms_down() {
        let stripped = Event::Stripped { place: place(), by: Some(Untrusted::borrowed("arn")) };
        let again = (DECIDED + 21, Event::Attached { place: place(), after: None });
        let events = vec![
            attached(),
            sighted("ASIAONE", true, DECIDED + 5),
            sighted("AKIATWO", true, DECIDED + 5),
            (DECIDED + 20, stripped),
        ];
        assert_eq!(proof(events.clone(), DECIDED + 20), Proof::Incomplete);
        let events: Vec<_> = events.into_iter().chain([again]).collect();
        assert_eq!(proof(events.clone(), DECIDED + 22), Proof::Broken);
        assert_eq!(proof(events, DECIDED + 20 + CALM_SECS + 1), Proof::Effective);
    }

    #[test]
    fn sightings_come_in_any_order_and_more_than_once() {
        let mut events = vec![
            sighted("ASIAONE", true, DECIDED + 9),
            sighted("ASIAONE", true, DECIDED + 5),
            sighted("ASIAONE", false, DECIDED - 5),
            sighted("ASIAONE", true, DECIDED + 9),
        ];
        let seen = |events: &[(i64, Event)]| {
            let ledger = ledger(events.to_vec());
            ledger.case(IncidentId::new(1)).unwrap().seen.clone()
        };
        let first = seen(&events);
        events.reverse();
        assert_eq!(seen(&events), first);
        let known = ledger(events);
        let case = known.case(IncidentId::new(1)).unwrap();
        assert!(!case.learns_from(&sighted("ASIAONE", true, DECIDED + 7).1));
        assert!(case.learns_from(&sighted("ASIAONE", true, DECIDED + 4).1));
    }

    #[test]
    fn what_nobody_decided_and_what_is_closed_cannot_go_on() {
        let mut ledger = ledger(vec![(
            DECIDED,
            Event::Closed { reason: Untrusted::borrowed(""), has_expired: false },
        )]);
        let (at, event) = attached();
        let actor = Untrusted::borrowed("somebody");
        for (incident, expected) in [(1, IllegalEvent::Closed), (2, IllegalEvent::Unknown)] {
            let incident = Some(IncidentId::new(incident));
            let entry =
                Entry { time_unix_ms: at, actor: actor.clone(), incident, event: event.clone() };
            let before = ledger.clone();
            assert_eq!(ledger.record(&entry), Err(expected));
            assert_eq!(ledger, before);
        }
    }
}
