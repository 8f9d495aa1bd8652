//! The switch as the detector pulls it: from an incident to what was done about it.

use std::collections::BTreeMap;

use thiserror::Error;
use tripline_chat::{Message, Outcome};
use tripline_cloudtrail::EventTime;
use tripline_containment::{
    Case, Failure, IncidentId, Ledger, Plan, Proof, Refusal, Response, Spared, Step, Subject,
    Target, Work, plan_fence, plan_kill,
};
use tripline_detector::Verdict;
use tripline_engine::{
    Asked, Brakes, DamagedRow, Decision, Evidence, Held, LiveIncident, Mode, Partition,
    PartitionId, Scored, Sighting, authorize, authorize_return,
};
use tripline_text::Untrusted;

use crate::executor::{Cause, Executor, Patience};
use crate::journal::{Journal, JournalError};
use crate::responder::{Clock, Responder};
use crate::state::{State, StateError};
use crate::store::Store;

/// Who said so, if it was a person.
type Person<'p> = Option<&'p Untrusted<'static>>;

/// Whoever may pull it, and within which bounds.
#[derive(Debug)]
pub struct Switch<'a, R, S, C> {
    /// The way to IAM.
    pub responder: &'a R,
    /// The action log.
    pub journal: &'a Journal<S>,
    /// The time.
    pub clock: &'a C,
    /// What may be written to AWS.
    pub mode: Mode,
    /// The bounds.
    pub brakes: &'a Brakes,
    /// How long is tried.
    pub patience: Patience,
}

/// What became of an incident.
#[derive(Debug)]
pub enum Pulled {
    /// It was contained, or had been; the case says how far.
    Contained(Box<Case>),
    /// It is an alert: nothing is to be stopped.
    Alerted,
    /// In this mode nothing is written to AWS; the plan says what would have been.
    WouldHave(Plan),
    /// A person has to say yes.
    Ask(Plan),
    /// The brakes hold it.
    Held(Held, Plan),
    /// The trail's own bucket does not tell of it yet.
    Unconfirmed(Plan),
    /// It was given back, and the agent did nothing since that it would have to be stopped for.
    GivenBack,
    /// A person left it alone, and nor did it since.
    LeftAlone(Spared),
    /// There is no plan that could be carried out.
    Refused(Refusal),
}

/// What a tick came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Cases that are in force.
    pub open: u64,
    /// Of these, those that are seen to hold.
    pub proven: u64,
}

/// A tick that was not brought to its end: the next one goes on.
#[derive(Debug, Error)]
pub enum TickError {
    /// The action log failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something in the state is not this program's.
    #[error("the state holds what this version of tripline cannot read")]
    Damaged(#[from] DamagedRow),
}

impl Pulled {
    /// The same, to be told at this moment.
    pub fn outcome(&self, now: EventTime) -> Outcome<'_> {
        match self {
            Self::Contained(case) => Outcome::Contained { case, now_unix_secs: now.unix_secs() },
            Self::Alerted => Outcome::Alerted,
            Self::WouldHave(plan) => Outcome::WouldHave(plan),
            Self::Ask(plan) => Outcome::Ask(plan),
            Self::Held(held, plan) => Outcome::Held(held, plan),
            Self::Unconfirmed(_) => Outcome::Unconfirmed,
            Self::GivenBack => Outcome::GivenBack,
            Self::LeftAlone(spared) => Outcome::LeftAlone(spared),
            Self::Refused(refusal) => Outcome::Refused(refusal),
        }
    }

    /// Whether anything is in force, or may be answered: then it is told rather than what a message
    /// alone tells of the same incident.
    fn is_answerable(&self) -> bool {
        matches!(self, Self::Contained(_) | Self::Ask(_) | Self::Held(..))
    }

    /// Whether it was to be contained, and was not.
    pub fn is_incomplete(&self, now: EventTime) -> bool {
        let is_complete = |case: &Case| case.proof(now.unix_secs()) != Proof::Incomplete;
        matches!(self, Self::Contained(case) if !is_complete(case))
    }
}

/// What people are told of incidents that were looked at together: of each what may be answered or is in
/// force, else what was looked at last, which is the worse. Without hands to do anything there is no
/// [`Pulled`].
pub fn to_be_told(looked_at: Vec<(Option<Pulled>, Message)>) -> Vec<Message> {
    let mut told: BTreeMap<IncidentId, (bool, Message)> = BTreeMap::new();
    for (pulled, message) in looked_at {
        // What became of a case that was given back, the action log tells.
        if matches!(pulled, Some(Pulled::GivenBack)) {
            continue;
        }
        let is_answerable =
            message.answers.is_in_force || pulled.as_ref().is_some_and(Pulled::is_answerable);
        let known = told.get(&message.incident).is_some_and(|(known, _)| *known);
        if is_answerable || !known {
            told.insert(message.incident, (is_answerable, message));
        }
    }
    told.into_values().map(|(_, message)| message).collect()
}

/// How long before its end a fence is put up anew while a kill waits, in seconds: longer than from one
/// tick to the next, but for a fence that is hardly longer than that.
pub(crate) fn renewed_ahead(brakes: &Brakes) -> i64 {
    (i64::from(brakes.fence_minutes.get()) * 30).min(120)
}

impl<R: Responder, S: Store, C: Clock> Switch<'_, R, S, C> {
    /// Does about an incident what mode and brakes allow. The same incident twice is contained once;
    /// sessions that turned up since are contained too. What a message alone tells is enough for a fence
    /// at most.
    ///
    /// # Errors
    /// [`JournalError`]: nothing is done that cannot be written down.
    pub async fn pull(&self, live: &LiveIncident) -> Result<Pulled, JournalError> {
        self.pull_for(live, None, Verdict::Kill, 0).await
    }

    /// The same, with such a verdict at most; a fence that is about to end is put up anew.
    ///
    /// # Errors
    /// As [`Self::pull`].
    pub async fn pull_at_most(
        &self,
        live: &LiveIncident,
        at_most: Verdict,
    ) -> Result<Pulled, JournalError> {
        self.pull_for(live, None, at_most, renewed_ahead(self.brakes)).await
    }

    /// The same because a person said so, whom neither brakes nor what was decided before bind; at
    /// most what the person was asked about.
    ///
    /// # Errors
    /// As [`Self::pull`].
    pub async fn approved(
        &self,
        live: &LiveIncident,
        person: &Untrusted<'static>,
        at_most: Verdict,
    ) -> Result<Pulled, JournalError> {
        self.pull_for(live, Some(person), at_most, 0).await
    }

    async fn pull_for(
        &self,
        live: &LiveIncident,
        person: Person<'_>,
        at_most: Verdict,
        ahead_secs: i64,
    ) -> Result<Pulled, JournalError> {
        let incident = &live.incident;
        let verdict = incident.verdict.min(at_most);
        let mut target = incident.target.clone();
        let id = target.incident;
        let known = self.journal.look(|ledger| ledger.case(id).cloned()).await;
        if person.is_none() {
            if known.as_ref().is_some_and(|case| is_given_back(case, live)) {
                return Ok(Pulled::GivenBack);
            }
            let spared = |ledger: &Ledger| ledger.dialogue(id)?.spared().cloned();
            let spared = self.journal.look(spared).await;
            if let Some(spared) = spared.filter(|spared| is_spared(spared, live)) {
                let closed = known.as_ref().and_then(|case| case.closed.as_ref());
                let by_giving_back = closed.is_some_and(|(_, at, _)| *at == spared.at_unix_ms);
                return Ok(match by_giving_back {
                    true => Pulled::GivenBack,
                    false => Pulled::LeftAlone(spared),
                });
            }
        }
        let now_secs = self.clock.now_unix_ms().div_euclid(1_000);
        // What a person gave back, or what had its time, is not put up again for the same calls.
        let was_fenced = known.as_ref().is_some_and(|case| is_over(case, live));
        let is_up = |case: &Case| {
            case.closed.is_none() && !case.plan.has_expired(now_secs.saturating_add(ahead_secs))
        };
        let open = known.filter(is_up);
        if verdict < Verdict::Fence {
            return match open {
                Some(case) => self.carried_on(&case, person).await,
                None => Ok(Pulled::Alerted),
            };
        }
        // What cannot be described is planned for without: less can be done then, nothing more.
        let _ = describe(self.responder, &mut target).await;
        let plan = match self.plan(verdict, &target, &incident.work) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Pulled::Refused(refusal)),
        };
        if let Some(case) = open.as_ref().filter(|case| covers(case, &plan)) {
            return self.carried_on(case, person).await;
        }
        if verdict < Verdict::Kill || live.is_confirmed || person.is_some() {
            return self.carry_out(live, plan, person).await;
        }
        let fence = self.plan(Verdict::Fence, &target, &incident.work);
        // A kill that is in place is more than a fence, whomever the message tells of besides.
        let is_killed = open.as_ref().is_some_and(|case| case.plan.response == Response::Kill);
        match fence {
            Ok(fence) if !is_killed && !was_fenced => {
                match open.filter(|case| covers(case, &fence)) {
                    Some(case) => self.carried_on(&case, person).await,
                    None => match self.carry_out(live, fence, person).await? {
                        done @ Pulled::Contained(_) => Ok(done),
                        _ => Ok(Pulled::Unconfirmed(plan)),
                    },
                }
            }
            _ => Ok(Pulled::Unconfirmed(plan)),
        }
    }

    fn plan(&self, verdict: Verdict, target: &Target, work: &Work) -> Result<Plan, Refusal> {
        if verdict == Verdict::Kill {
            return plan_kill(target, target.grounds());
        }
        let now = EventTime::from_unix_secs(self.clock.now_unix_ms().div_euclid(1_000));
        let until = self.brakes.fence_until(now.unwrap_or(EventTime::EPOCH));
        plan_fence(target, target.grounds(), work, until)
    }

    /// Whoever began may have been interrupted.
    async fn carried_on(&self, case: &Case, person: Person<'_>) -> Result<Pulled, JournalError> {
        let case = match authorize_return(self.mode) {
            Some(permit) => self.executor(person).carry_on(&permit, case.plan.incident).await?,
            None => case.clone(),
        };
        Ok(Pulled::Contained(Box::new(case)))
    }

    async fn carry_out(
        &self,
        live: &LiveIncident,
        plan: Plan,
        person: Person<'_>,
    ) -> Result<Pulled, JournalError> {
        let incident = &live.incident;
        let class = incident.lineage.iter().find_map(|session| session.agent()?.class.clone());
        let class: Option<Untrusted<'static>> = class.map(|class| class.untrusted().into_owned());
        let evidence = Evidence {
            is_rule: incident.rests_on_rule(),
            is_covered: incident.is_covered,
            class: class.as_ref(),
        };
        let ledger = self.journal.ledger().await;
        let asked = match person {
            Some(_) => Asked::ByPerson { said_yes: true },
            None => Asked::ByDetector(evidence),
        };
        let now = self.clock.now_unix_ms();
        match authorize(&plan, self.mode, &asked, self.brakes, &ledger, now) {
            Decision::WouldHave => Ok(Pulled::WouldHave(plan)),
            Decision::Ask => Ok(Pulled::Ask(plan)),
            Decision::Held(held) => Ok(Pulled::Held(held, plan)),
            Decision::Do(authorized) => {
                let cause = Cause {
                    reason: reason(live),
                    event_unix_ms: Some(incident.opened.unix_secs().saturating_mul(1_000)),
                    seen_unix_ms: Some(now),
                    class: class.clone(),
                };
                let case = self.executor(person).contain(&authorized, cause).await?;
                Ok(Pulled::Contained(Box::new(case)))
            }
        }
    }

    fn executor(&self, person: Person<'_>) -> Executor<'_, R, S, C> {
        let executor = Executor::new(self.responder, self.journal, self.clock, self.patience);
        match person {
            Some(person) => executor.on_behalf_of(person.clone()),
            None => executor,
        }
    }

    /// Writes down what the state tells of sessions that were cut off, puts right what was stripped
    /// meanwhile, does what is still to be done, and gives back what has had its time.
    ///
    /// # Errors
    /// [`TickError`].
    pub async fn tick(&self, state: &impl State) -> Result<Ticked, TickError> {
        let Some(permit) = authorize_return(self.mode) else { return Ok(Ticked::default()) };
        let executor = self.executor(None);
        let now_secs = self.clock.now_unix_ms().div_euclid(1_000);
        let ledger = self.journal.ledger().await;
        let mut ticked = Ticked::default();
        for (incident, case) in ledger.cases().filter(|(_, case)| case.closed.is_none()) {
            self.sight(state, incident, case).await?;
            if case.plan.has_expired(now_secs) {
                executor.end(&permit, incident).await?;
            } else {
                executor.carry_on(&permit, incident).await?;
                executor.verify(Some(&permit), incident).await?;
            }
            let proof = |case: &Case| case.proof(now_secs);
            let proof = self.journal.look(|ledger| ledger.case(incident).map(proof)).await;
            ticked.open += 1;
            ticked.proven += u64::from(matches!(proof, Some(Proof::Effective | Proof::Lapsed)));
        }
        Ok(ticked)
    }

    async fn sight(
        &self,
        state: &impl State,
        incident: IncidentId,
        case: &Case,
    ) -> Result<(), TickError> {
        for mut sighting in Sighting::of(case) {
            let wanted = sighting.wanted();
            let ids: Vec<PartitionId> = wanted.iter().map(Partition::id).collect();
            for (partition, values) in wanted.iter().zip(state.read(&ids).await?) {
                sighting.give(partition, &values)?;
            }
            for event in sighting.events() {
                let is_news = |ledger: &Ledger| {
                    ledger.case(incident).is_some_and(|case| case.learns_from(&event))
                };
                if self.journal.look(is_news).await {
                    let now = self.clock.now_unix_ms();
                    self.journal.append(Some(incident), now, event.clone()).await?;
                }
            }
        }
        Ok(())
    }
}

/// Asks IAM about every role of a target; those that could not be read, and why.
pub async fn describe(responder: &impl Responder, target: &mut Target) -> Vec<(Subject, Failure)> {
    let mut unread = Vec::new();
    for role in &mut target.roles {
        let Some((account, name)) = role.arn.account().zip(role.arn.role_name()) else { continue };
        let subject = Subject::Role { account, name };
        match responder.describe(&subject).await {
            Ok(described) => role.described = Some(described),
            Err(failure) => unread.push((subject, failure)),
        }
    }
    unread
}

/// Whether a case was given back after the last call that the agent had to be stopped for: a person
/// knew of it, or a fence that was put up for it had its time.
fn is_given_back(case: &Case, live: &LiveIncident) -> bool {
    let is_less = case.plan.response != Response::Kill && live.incident.verdict == Verdict::Kill;
    !is_less && is_over(case, live)
}

/// Whether a person left it alone after the last call that the agent has to be stopped for, knowing that
/// it was as bad. What a rule says is nobody's to expect.
fn is_spared(spared: &Spared, live: &LiveIncident) -> bool {
    let incident = &live.incident;
    let covers = match incident.verdict {
        Verdict::Normal | Verdict::Alert => true,
        Verdict::Fence => spared.response.is_some(),
        Verdict::Kill => spared.response == Some(Response::Kill),
    };
    let is_rule = spared.expected_until.is_some() && incident.rests_on_rule();
    covers && !is_rule && is_settled(spared.at_unix_ms, live)
}

/// Whether a case is closed, and nothing was done since that the agent would have to be stopped for. A
/// fence ends when it was to, however much later that is written down.
fn is_over(case: &Case, live: &LiveIncident) -> bool {
    case.closed.as_ref().is_some_and(|(_, at, _)| {
        let ended = match case.plan.response {
            Response::Kill => *at,
            Response::Fence { until_unix_secs } => until_unix_secs.saturating_mul(1_000).min(*at),
        };
        is_settled(ended, live)
    })
}

/// Whether it was decided after the last call that the agent has to be stopped for.
fn is_settled(decided_unix_ms: i64, live: &LiveIncident) -> bool {
    let is_before = |time: EventTime| time.unix_secs().saturating_mul(1_000) <= decided_unix_ms;
    let incident = &live.incident;
    let is_old = |finding: &Scored| {
        finding.assessment.verdict < incident.verdict || is_before(finding.call.time)
    };
    // Of many findings only the first are kept: then only silence since is proof.
    let are_all_kept = incident.findings.len() as u64 == incident.findings_total;
    is_before(incident.last) || (are_all_kept && incident.findings.iter().all(is_old))
}

/// Whether a case cuts off all that a plan would. The moment from which sessions are revoked is
/// another each time, and no reason to begin anew; a fence is no kill, and whom a kill is for is not
/// fenced.
fn covers(case: &Case, plan: &Plan) -> bool {
    match (case.plan.response, plan.response) {
        (Response::Kill, Response::Fence { .. }) => return true,
        (Response::Fence { .. }, Response::Kill) => return false,
        (Response::Kill, Response::Kill) | (Response::Fence { .. }, Response::Fence { .. }) => {}
    }
    let is_known = |step: &Step| {
        case.plan.steps.iter().any(|known| {
            (known.kind, &known.place) == (step.kind, &step.place)
                && step.cuts.iter().all(|session| known.cuts.contains(session))
        })
    };
    plan.steps.iter().all(is_known)
}

fn reason(live: &LiveIncident) -> String {
    let strongest = live.incident.findings.first();
    let reason = strongest.and_then(|finding| finding.assessment.reasons.first());
    reason.map(|reason| reason.detail.to_string()).unwrap_or_default()
}
