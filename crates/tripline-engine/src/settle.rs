//! The second half of a record's way, once everything was read: agents are known, calls are judged
//! in order of time, and what must be stopped becomes an incident.

use std::collections::BTreeMap;

use thiserror::Error;
use tripline_attribution::{Agent, AgentId, Attributor, Basis, EpisodeId, SessionId, Sessions};
use tripline_baseline::{Call, Exceeded, LimitCounter};
use tripline_detector::{Assessment, Verdict, assess};

use crate::config::Config;
use crate::filter::Filter;
use crate::held::{Head, Held, Hold, Key, Seen, call_key, same_call};
use crate::incident::{Incident, Incidents};
use crate::known::KnownScopes;
use crate::model::Model;

/// A call and what is thought of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// What was done.
    pub call: Call,
    /// The session it was done in.
    pub session: SessionId,
    /// Whose session that is, if that is known.
    pub agent: Option<AgentId>,
    /// What the attribution rests on.
    pub basis: Option<Basis>,
    /// The unit of evidence that the call belongs to.
    pub episode: EpisodeId,
    /// The verdict and its reasons.
    pub assessment: Assessment,
}

impl Scored {
    /// Whether there is anything to say about it.
    pub fn is_finding(&self) -> bool {
        self.assessment.verdict > Verdict::Normal
    }
}

/// A row that was set aside and cannot be read back: the work directory was tampered with or is
/// damaged.
#[derive(Debug, Error)]
#[error("a row in the work directory is damaged")]
pub struct DamagedRow;

/// Chooses, of the copies of each call, the one that counts, and sets it aside with the other
/// calls; how many do not count. `copies` come in order of their keys.
///
/// # Errors
/// Those of `copies`, and a damaged row.
pub fn settle_copies<E: From<DamagedRow>>(
    copies: impl Iterator<Item = Result<(Key, Vec<u8>), E>>,
    attributor: &mut Attributor,
    seen: &mut impl Seen,
    hold: &mut impl Hold,
) -> Result<u64, E> {
    let mut last: Option<Key> = None;
    let mut duplicates = 0;
    for copy in copies {
        let (key, row) = copy?;
        let held = Held::decode(&row)?;
        let is_further = last.is_some_and(|last| same_call(&last, &key));
        last = Some(key);
        // A correction counts only where the record that it corrects never came: what was scored is
        // not scored again, so that a late correction re-opens nothing.
        if is_further || held.corrects.is_some_and(|original| !seen.is_first(original)) {
            duplicates += 1;
            continue;
        }
        if let Some(used) = &held.used {
            attributor.observe_call(used);
        }
        hold.call(call_key(held.call.time, held.call.id), &row);
    }
    Ok(duplicates)
}

/// Judges calls one after another, in order of time and id.
#[derive(Debug)]
pub struct Judge<'m> {
    model: &'m Model,
    filter: &'m Filter,
    sessions: &'m Sessions,
    /// Whether calls without a finding are shown too.
    all: bool,
    known: KnownScopes<'m>,
    numbers: BTreeMap<Agent, u32>,
    /// The pace of each agent that has a limit.
    paces: BTreeMap<AgentId, LimitCounter>,
    incidents: Incidents,
}

impl<'m> Judge<'m> {
    /// A judge who has judged nothing.
    pub fn new(model: &'m Model, filter: &'m Filter, sessions: &'m Sessions, all: bool) -> Self {
        Self {
            model,
            filter,
            sessions,
            all,
            known: KnownScopes::new(sessions.hash_seed()),
            numbers: BTreeMap::new(),
            paces: BTreeMap::new(),
            incidents: Incidents::default(),
        }
    }

    /// Judges the call in a row; `None` where there is nothing to show.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn judge(&mut self, row: &[u8]) -> Result<Option<Scored>, DamagedRow> {
        let (head, _) = Head::decode(row)?;
        let session = self.sessions.find(head.kind, head.id);
        let agent = session.agent();
        let scope = agent.and_then(|agent| {
            let number = self.number(agent);
            Some((number, self.known.of(self.model, number, agent)?))
        });
        if !head.has_reasons && !self.all {
            let Some((number, scope)) = scope else { return Ok(None) };
            let call = || Held::decode(row).ok().map(|held| held.call);
            if self.known.is_content(scope, number, head.event, call) {
                return Ok(None);
            }
        }
        let Held { call, mut reasons, .. } = Held::decode(row)?;
        if !self.filter.shows(agent.map(|agent| agent.id.untrusted()).as_ref()) {
            return Ok(None);
        }
        if let Some((agent, (_, scope))) = agent.zip(scope) {
            let mut breaches = scope.check(&call, session.tenant.as_ref());
            if !scope.limits().is_empty() {
                let pace = self
                    .paces
                    .entry(agent.id.clone())
                    .or_insert_with(|| LimitCounter::new(scope.limits()));
                breaches.extend(pace.count(call.time).map(Exceeded::breach));
            }
            // What a person wrote into the scope is no breach of the milder invariants: a backup agent
            // deletes snapshots. Those that kill are set aside by name only, in `tripline.toml`.
            if breaches.is_empty() && scope.names_actions() {
                reasons.retain(|reason| reason.verdict == Verdict::Kill);
            }
            let canary = self.model.invariants().touched_canary(&call, Some(scope));
            reasons.extend(assess(canary.as_slice(), &breaches).reasons);
        }
        if reasons.is_empty() && !self.all {
            return Ok(None);
        }
        let scored = Scored {
            session: session.id.clone(),
            agent: agent.map(|agent| agent.id.clone()),
            basis: session.basis(),
            episode: self.sessions.episode_of(&session, call.time),
            call,
            assessment: Assessment::of(reasons),
        };
        if scored.is_finding() {
            self.incidents.note(&session, &scored);
        }
        Ok(Some(scored))
    }

    /// A small number for an agent, the same whenever it comes.
    fn number(&mut self, agent: &Agent) -> u32 {
        if let Some(number) = self.numbers.get(agent) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(agent.clone(), number);
        number
    }

    /// Ends the judging: what must be stopped, each with its plan.
    pub fn into_incidents(self, config: &Config) -> Vec<Incident> {
        self.incidents.finish(self.sessions, config)
    }
}
