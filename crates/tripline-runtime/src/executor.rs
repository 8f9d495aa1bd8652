//! Carries plans out, and gives back what was taken.
//!
//! What is about to be done is written down before it is done; every change is one that may be made
//! twice. So a crash at any point is recovered from by doing the same again.

use futures_util::stream::{self, StreamExt};
use tripline_containment::{
    Case, Change, Entry, Event, Failure, IncidentId, Ledger, Place, Proof, Returned, Standing,
    Status, Step, StepKind, edit,
};
use tripline_engine::{Authorized, Permit};
use tripline_text::Untrusted;

use crate::journal::{Journal, JournalError};
use crate::responder::{Clock, Responder};
use crate::store::Store;

/// How long is tried, and how much at once.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For each place, from the first try on.
    pub per_place_ms: u64,
    /// The first wait; each further one is twice as long.
    pub first_wait_ms: u64,
    /// Places at once.
    pub at_once: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self { per_place_ms: 20_000, first_wait_ms: 50, at_once: 8 }
    }
}

/// What a plan was decided for.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    /// Why, in a person's or the detector's words.
    pub reason: String,
    /// When the call that started it was made, in milliseconds since 1970.
    pub event_unix_ms: Option<i64>,
    /// When that was seen.
    pub seen_unix_ms: Option<i64>,
    /// The agent's class.
    pub class: Option<Untrusted<'static>>,
}

/// Carries out, verifies, gives back.
#[derive(Debug)]
pub struct Executor<'a, R, S, C> {
    responder: &'a R,
    journal: &'a Journal<S>,
    clock: &'a C,
    patience: Patience,
    /// Whose decision it is, where that is not whoever the journal names.
    person: Option<Untrusted<'static>>,
}

impl<'a, R: Responder, S: Store, C: Clock> Executor<'a, R, S, C> {
    /// An executor that acts through `responder` and writes to `journal`.
    pub fn new(
        responder: &'a R,
        journal: &'a Journal<S>,
        clock: &'a C,
        patience: Patience,
    ) -> Self {
        Self { responder, journal, clock, patience, person: None }
    }

    /// The same for a person, whose name stands at what is decided and closed.
    #[must_use]
    pub fn on_behalf_of(self, person: Untrusted<'static>) -> Self {
        Self { person: Some(person), ..self }
    }

    /// Carries a plan out. What could not be done is in the case, with its reason; the rest is done.
    ///
    /// # Errors
    /// [`JournalError`]: nothing is done that cannot be written down.
    pub async fn contain(
        &self,
        authorized: &Authorized<'_>,
        cause: Cause,
    ) -> Result<Case, JournalError> {
        let plan = authorized.plan();
        let event = Event::Decided {
            plan: Box::new(plan.clone()),
            reason: Untrusted::new(cause.reason),
            event_unix_ms: cause.event_unix_ms,
            seen_unix_ms: cause.seen_unix_ms,
            is_automatic: authorized.is_automatic(),
            class: cause.class,
        };
        self.decide(plan.incident, event).await?;
        self.carry_on(&authorized.permit(), plan.incident).await
    }

    /// Does what is still to be done of an incident that was decided: all of it, or what a crash or a
    /// passing failure left.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn carry_on(
        &self,
        permit: &Permit,
        incident: IncidentId,
    ) -> Result<Case, JournalError> {
        let case = self.case(incident).await?;
        // The way back in first: otherwise the agent is back before the rest is done.
        for phase in [&[StepKind::BlockReEntry][..], &[StepKind::DeactivateKey, StepKind::Deny]] {
            let due = case.plan.steps.iter().filter(|step| {
                phase.contains(&step.kind)
                    && case.is_due(&step.place)
                    && !went_elsewhere(&case, step)
            });
            self.each(due, async |step| self.attach(permit, incident, step).await).await?;
        }
        self.case(incident).await
    }

    /// Reads everything back that is in force, and puts right what is not there any more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn verify(
        &self,
        permit: Option<&Permit>,
        incident: IncidentId,
    ) -> Result<Vec<Drift>, JournalError> {
        let case = self.case(incident).await?;
        let found = stream::iter(attached(&case).map(async |(place, step)| {
            let here = self.patiently(async || self.responder.read(&place).await).await;
            let holds = match &here {
                Ok(here) => Some(is_in_force(&place, step, here.as_deref())),
                Err(Failure::NotFound) => Some(false),
                Err(_) => None,
            };
            (place, holds, here.err())
        }))
        .buffered(self.patience.at_once)
        .collect::<Vec<_>>()
        .await;
        let mut drifted = Vec::new();
        for (place, holds, failure) in found {
            match (holds, failure) {
                (Some(true), _) => {}
                (Some(false), _) => {
                    // Whoever gives it back at this moment takes it away.
                    let stripped = |ledger: &Ledger| {
                        let case = ledger.case(incident);
                        let status = case.and_then(|case| case.places.get(&place));
                        let is_ours = status == Some(&Status::Attached);
                        let event = Event::Stripped { place: place.clone(), by: None };
                        (is_ours.then_some(event), is_ours)
                    };
                    if self.settle(incident, stripped).await? {
                        drifted.push(Drift { place, failure: None });
                    }
                }
                (None, failure) => drifted.push(Drift { place, failure }),
            }
        }
        if let Some(permit) = permit
            && drifted.iter().any(|drift| drift.failure.is_none())
        {
            self.carry_on(permit, incident).await?;
        }
        Ok(drifted)
    }

    /// Takes out of every place what the incident put there.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn give_back(
        &self,
        permit: &Permit,
        incident: IncidentId,
        reason: &str,
    ) -> Result<Case, JournalError> {
        self.close(permit, incident, reason, false).await
    }

    /// The same of a fence that has had its time.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn end(&self, permit: &Permit, incident: IncidentId) -> Result<Case, JournalError> {
        self.close(permit, incident, "its time is over", true).await
    }

    async fn close(
        &self,
        permit: &Permit,
        incident: IncidentId,
        reason: &str,
        has_expired: bool,
    ) -> Result<Case, JournalError> {
        let case = self.case(incident).await?;
        let held: Vec<&Place> = case.held().collect();
        self.each(held.into_iter(), async |place| self.take_back(permit, incident, place).await)
            .await?;
        let reason = Untrusted::new(reason.to_owned());
        let closed = |ledger: &Ledger| {
            let open = ledger.case(incident).filter(|case| case.closed.is_none());
            let is_over = open.is_some_and(|case| case.held().next().is_none());
            let event = Event::Closed { reason: reason.clone(), has_expired };
            (is_over.then_some(event), ())
        };
        self.settle(incident, closed).await?;
        self.case(incident).await
    }

    async fn attach(
        &self,
        permit: &Permit,
        incident: IncidentId,
        step: &Step,
    ) -> Result<(), JournalError> {
        let mut place = step.place.clone();
        loop {
            let failure = match self.put(permit, incident, &place, step).await? {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let event = Event::Failed { place: place.clone(), failure: failure.clone() };
            self.note(incident, event).await?;
            match place.fallback() {
                Some(fallback) if failure == Failure::LimitExceeded => place = fallback,
                _ => return Ok(()),
            }
        }
    }

    /// One place, until it reads back as it should or the time is up.
    async fn put(
        &self,
        permit: &Permit,
        incident: IncidentId,
        place: &Place,
        step: &Step,
    ) -> Result<Result<(), Failure>, JournalError> {
        let mut tries = Tries::new(self);
        loop {
            match self.put_once(permit, incident, place, step).await? {
                Ok(after) => {
                    let event = Event::Attached { place: place.clone(), after };
                    self.note(incident, event).await?;
                    return Ok(Ok(()));
                }
                Err(failure) => {
                    if !failure.is_passing() || !tries.again().await {
                        return Ok(Err(failure));
                    }
                }
            }
        }
    }

    async fn put_once(
        &self,
        permit: &Permit,
        incident: IncidentId,
        place: &Place,
        step: &Step,
    ) -> Result<Result<Option<String>, Failure>, JournalError> {
        let before = match self.responder.read(place).await {
            Ok(before) => before,
            Err(failure) => return Ok(Err(failure)),
        };
        let after = match place.with(before.as_deref(), &step.denials) {
            Ok(Change::None) => before.clone(),
            Ok(Change::To(after)) => after,
            Err(_) => return Ok(Err(Failure::NotEditable)),
        };
        let intended = Event::Intended { place: place.clone(), before: before.clone() };
        self.note(incident, intended).await?;
        if after == before {
            return Ok(Ok(after));
        }
        if let Err(failure) = self.responder.write(permit, place, after.as_deref()).await {
            return Ok(Err(failure));
        }
        Ok(match self.responder.read(place).await {
            Ok(here) if is_in_force(place, step, here.as_deref()) => Ok(here),
            Ok(_) => Err(Failure::NotHolding),
            Err(failure) => Err(failure),
        })
    }

    async fn take_back(
        &self,
        permit: &Permit,
        incident: IncidentId,
        place: &Place,
    ) -> Result<(), JournalError> {
        self.note(incident, Event::ReturnIntended { place: place.clone() }).await?;
        let (standing, is_adopted) = self
            .journal
            .look(|ledger: &Ledger| {
                let standing = ledger.standing(place).cloned();
                let is_adopted = standing.is_none();
                (standing.unwrap_or_default(), is_adopted)
            })
            .await;
        let mut tries = Tries::new(self);
        let event = loop {
            match self.take_once(permit, incident, place, &standing, is_adopted).await {
                Ok(outcome) => break Event::Returned { place: place.clone(), outcome },
                Err(failure) if failure.is_passing() && tries.again().await => {}
                Err(failure) => break Event::NotReturned { place: place.clone(), failure },
            }
        };
        self.note(incident, event).await
    }

    async fn take_once(
        &self,
        permit: &Permit,
        incident: IncidentId,
        place: &Place,
        standing: &Standing,
        is_adopted: bool,
    ) -> Result<Returned, Failure> {
        let others = standing.holders.iter().any(|holder| *holder != incident);
        if others && matches!(place, Place::Key { .. }) {
            return Ok(Returned::OthersStay);
        }
        let here = match self.responder.read(place).await {
            Err(Failure::NotFound) => None,
            read => read?,
        };
        let key_before = standing.original.as_deref();
        let (change, ours_left) = place
            .without(here.as_deref(), incident, key_before)
            .map_err(|_| Failure::NotEditable)?;
        let Change::To(left) = change else {
            return Ok(if others { Returned::OthersStay } else { Returned::WasGone });
        };
        self.responder.write(permit, place, left.as_deref()).await?;
        if self.responder.read(place).await? != left {
            return Err(Failure::NotHolding);
        }
        Ok(if ours_left > 0 {
            Returned::OthersStay
        } else if is_adopted {
            Returned::Removed
        } else if left == standing.original {
            Returned::Exact
        } else {
            let written = standing.written.clone().flatten();
            Returned::Changed { original: standing.original.clone(), written, left }
        })
    }

    async fn each<T>(
        &self,
        over: impl Iterator<Item = T>,
        act: impl AsyncFn(T) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let outcomes: Vec<Result<(), JournalError>> = stream::iter(over.map(|one| act(one)))
            .buffer_unordered(self.patience.at_once)
            .collect()
            .await;
        outcomes.into_iter().collect()
    }

    async fn patiently<T>(&self, call: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut tries = Tries::new(self);
        loop {
            match call().await {
                Err(failure) if failure.is_passing() && tries.again().await => {}
                outcome => return outcome,
            }
        }
    }

    async fn case(&self, incident: IncidentId) -> Result<Case, JournalError> {
        let case = self.journal.look(|ledger| ledger.case(incident).cloned()).await;
        case.ok_or(JournalError::NoSuchIncident(incident))
    }

    async fn decide(&self, incident: IncidentId, event: Event) -> Result<(), JournalError> {
        let Some(actor) = self.person.clone() else { return self.note(incident, event).await };
        let time_unix_ms = self.clock.now_unix_ms();
        let entry = Entry { time_unix_ms, actor, incident: Some(incident), event };
        self.journal.append_as(entry).await
    }

    /// What follows from what the log says, as whoever else is at work left it.
    async fn settle<T>(
        &self,
        incident: IncidentId,
        decide: impl Fn(&Ledger) -> (Option<Event>, T),
    ) -> Result<T, JournalError> {
        let now = self.clock.now_unix_ms();
        self.journal.settle_as(self.person.as_ref(), incident, now, decide).await
    }

    async fn note(&self, incident: IncidentId, event: Event) -> Result<(), JournalError> {
        self.journal.append(Some(incident), self.clock.now_unix_ms(), event).await
    }
}

/// Something of ours that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Where.
    pub place: Place,
    /// Why it could not be read; none where it was read, and our part is gone or altered.
    pub failure: Option<Failure>,
}

/// A fallback that is in place or under way stands for the place that had no room.
fn went_elsewhere(case: &Case, step: &Step) -> bool {
    step.place
        .fallback()
        .is_some_and(|fallback| case.places.get(&fallback) == Some(&Status::Attached))
}

/// The places that are in force, each with the step that put its text there.
fn attached(case: &Case) -> impl Iterator<Item = (Place, &Step)> {
    case.plan.steps.iter().filter_map(|step| {
        let places = [Some(step.place.clone()), step.place.fallback()];
        let in_force = |place: &Place| case.places.get(place) == Some(&Status::Attached);
        places.into_iter().flatten().find(in_force).map(|place| (place, step))
    })
}

fn is_in_force(place: &Place, step: &Step, here: Option<&str>) -> bool {
    match place {
        Place::Key { .. } => here == Some(tripline_containment::KEY_INACTIVE),
        Place::Inline(_) | Place::Managed(_) | Place::Trust { .. } => {
            edit::holds(here, &step.denials)
        }
    }
}

/// Whether everything that was planned is in place.
pub fn is_complete(case: &Case, now_unix_ms: i64) -> bool {
    case.proof(now_unix_ms.div_euclid(1_000)) != Proof::Incomplete
}

/// Waits between tries, longer each time, never all at the same moment.
struct Tries<'c, C> {
    clock: &'c C,
    until: i64,
    wait_ms: u64,
    noise: u64,
}

impl<'c, C: Clock> Tries<'c, C> {
    fn new<R, S>(executor: &Executor<'c, R, S, C>) -> Self {
        let patience = executor.patience;
        let now = executor.clock.now_unix_ms();
        let until = now.saturating_add(i64::try_from(patience.per_place_ms).unwrap_or(i64::MAX));
        Self {
            clock: executor.clock,
            until,
            wait_ms: patience.first_wait_ms,
            noise: crate::hash_seed(),
        }
    }

    /// Waits; or says that the time is up.
    async fn again(&mut self) -> bool {
        if self.clock.now_unix_ms() >= self.until {
            return false;
        }
        // Between half of the wait and all of it.
        self.noise = self.noise.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let half = self.wait_ms / 2;
        self.clock.sleep(half.saturating_add(self.noise % half.saturating_add(1))).await;
        self.wait_ms = self.wait_ms.saturating_mul(2).min(2_000);
        true
    }
}

#[cfg(test)]
mod tests;
