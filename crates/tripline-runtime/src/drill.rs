//! A rehearsal on a canary: contained and given back for real, and timed.

use tripline_containment::{
    Event, Failure, IncidentId, Place, Plan, Returned, RoleFacts, SessionKind, Status, Target,
    TargetSession,
};
use tripline_engine::{Authorized, incident_id};
use tripline_iam::{Arn, PrincipalId};
use tripline_text::Untrusted;

use crate::executor::{Cause, Executor, is_complete};
use crate::journal::{Journal, JournalError};
use crate::responder::{Clock, Responder};
use crate::store::Store;

/// How long the canary's session is named to live: the shortest that STS makes (15 minutes).
const LIFE_SECS: i64 = 900;

/// Somebody who acts as the canary, and whose calls are to be refused.
pub trait Canary: Sync {
    /// Makes one harmless call.
    fn call(&self) -> impl Future<Output = Chirp> + Send;
}

/// What became of the canary's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chirp {
    /// It went through.
    Done,
    /// Nothing allows it.
    NotAllowed,
    /// It was refused by an explicit Deny.
    Denied,
    /// It did not come back.
    Lost,
}

/// What a drill came to. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drilled {
    /// From the decision to everything in place, read back and written down; none where it is not.
    pub attached: Option<u64>,
    /// From there to the first call of the canary that was refused; none where none was seen.
    pub refused: Option<u64>,
    /// From the first change back to the last, read back.
    pub returned: u64,
    /// Places that are as they were before, byte for byte.
    pub exact: Vec<Place>,
    /// Places that are not.
    pub inexact: Vec<(Place, Option<Failure>)>,
}

/// The target of a drill: one session of the role, whom nobody else's calls are mistaken for. Others who
/// use the role keep working.
pub fn drill_target(role: Arn, principal: Option<PrincipalId>, now_unix_ms: i64) -> Target {
    let now = now_unix_ms.div_euclid(1_000);
    let incident = incident_id(&role.untrusted(), now_unix_ms);
    let session = TargetSession {
        id: Untrusted::borrowed("fire-drill"),
        kind: SessionKind::Role,
        principal,
        minted_by: None,
        is_chained: false,
        role: Some(role.clone()),
        user: None,
        account: role.account(),
        minted_unix_secs: now,
        ends_by_unix_secs: now.saturating_add(LIFE_SECS),
    };
    Target {
        agent: None,
        agent_tag: None,
        source_identity: None,
        incident,
        sessions: vec![session],
        roles: vec![RoleFacts { arn: role, other_users: None, whole: false, described: None }],
        created: Vec::new(),
        contain_created: false,
        protected: Default::default(),
        management_accounts: Default::default(),
        now_unix_secs: now,
    }
}

/// How long a refusal is waited for, and how often the canary calls. IAM spreads a change within
/// seconds (facts 4.6).
const REFUSED_WITHIN_MS: i64 = 30_000;
const CALL_EVERY_MS: u64 = 50;

/// Contains the canary and gives it back, whatever happens in between.
///
/// # Errors
/// [`JournalError`]; then `tripline restore` finishes it, from what is on record.
pub async fn drill<R: Responder, S: Store, C: Clock>(
    executor: &Executor<'_, R, S, C>,
    journal: &Journal<S>,
    clock: &C,
    authorized: &Authorized<'_>,
    canary: Option<&impl Canary>,
) -> Result<Drilled, JournalError> {
    let incident = authorized.plan().incident;
    let before = match canary {
        Some(canary) => Some(canary.call().await),
        None => None,
    };
    let cause = Cause { reason: "fire drill".to_owned(), ..Cause::default() };
    let case = executor.contain(authorized, cause).await?;
    let decided = case.times.decided;
    let is_complete = is_complete(&case, clock.now_unix_ms());
    let attached = case.times.attached.filter(|_| is_complete);
    let attached = attached.map(|at| at.saturating_sub(decided));
    let refused = match (attached, canary, before) {
        (Some(_), Some(canary), Some(before)) => until_refused(clock, canary, before).await,
        _ => None,
    };
    if refused.is_some() {
        note_refusal(journal, incident, clock.now_unix_ms(), authorized.plan()).await?;
    }
    let began = clock.now_unix_ms();
    let case = executor.give_back(&authorized.permit(), incident, "the fire drill is over").await?;
    let returned = clock.now_unix_ms().saturating_sub(began);
    let (mut exact, mut inexact) = (Vec::new(), Vec::new());
    for (place, status) in case.places {
        match status {
            Status::Returned(Returned::Exact) => exact.push(place),
            // Never written to: nothing to give back.
            Status::Failed(_) => {}
            Status::NotReturned(failure) => inexact.push((place, Some(failure))),
            _ => inexact.push((place, None)),
        }
    }
    Ok(Drilled {
        attached: attached.map(i64::unsigned_abs),
        refused,
        returned: returned.unsigned_abs(),
        exact,
        inexact,
    })
}

/// Milliseconds until the canary is refused that was not before; none if it never is.
async fn until_refused(clock: &impl Clock, canary: &impl Canary, before: Chirp) -> Option<u64> {
    let began = clock.now_unix_ms();
    loop {
        let chirp = canary.call().await;
        let now = clock.now_unix_ms();
        let is_refused = match chirp {
            Chirp::Denied => true,
            // Not every service says which kind of refusal it is: it worked before.
            Chirp::NotAllowed => before == Chirp::Done,
            Chirp::Done | Chirp::Lost => false,
        };
        if is_refused {
            return Some(now.saturating_sub(began).unsigned_abs());
        }
        if now.saturating_sub(began) > REFUSED_WITHIN_MS {
            return None;
        }
        clock.sleep(CALL_EVERY_MS).await;
    }
}

async fn note_refusal<S: Store>(
    journal: &Journal<S>,
    incident: IncidentId,
    now_unix_ms: i64,
    plan: &Plan,
) -> Result<(), JournalError> {
    let Some(session) = plan.sessions.first() else { return Ok(()) };
    let event = Event::Sighted {
        session: session.id.clone(),
        was_denied: true,
        at_unix_secs: now_unix_ms.div_euclid(1_000),
    };
    journal.append(Some(incident), now_unix_ms, event).await
}
