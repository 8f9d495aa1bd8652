//! Incidents: what one agent did with one first credential and all it minted from there, and what
//! would stop it.

use std::collections::BTreeMap;

use tripline_attribution::{AgentId, Basis, Session, SessionId, Sessions};
use tripline_cloudtrail::EventTime;
use tripline_detector::Verdict;

use crate::config::Containment;
use crate::settle::Scored;

/// One agent's breach, from the first finding on.
#[derive(Debug)]
pub struct Incident {
    /// Whose, if that is known.
    pub agent: Option<AgentId>,
    /// What the attribution rests on.
    pub basis: Option<Basis>,
    /// The first session of the chain that is this agent's.
    pub root: SessionId,
    /// It and all that it minted, in order of first use.
    pub lineage: Vec<Session>,
    /// The strongest verdict.
    pub verdict: Verdict,
    /// The first call with the strongest verdict: when it would have been stopped.
    pub opened: EventTime,
    /// The last call of the lineage.
    pub last: EventTime,
    /// The calls of the lineage.
    pub calls: u64,
    /// The findings, strongest first, then in order of time; at most [`FINDINGS_MAX`].
    pub findings: Vec<Scored>,
    /// How many findings there are in all.
    pub findings_total: u64,
    /// What succeeded of what was found, by action: what may have to be undone.
    pub done: BTreeMap<String, u64>,
}

/// How many findings an incident keeps whole.
pub const FINDINGS_MAX: usize = 20;

/// Incidents while calls are judged.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    open: BTreeMap<SessionId, Draft>,
}

#[derive(Debug)]
struct Draft {
    session: Session,
    verdict: Verdict,
    opened: EventTime,
    findings: Vec<Scored>,
    findings_total: u64,
    done: BTreeMap<String, u64>,
}

impl Incidents {
    /// Notes a finding. Calls come in order of time.
    pub(crate) fn note(&mut self, session: &Session, scored: &Scored) {
        let draft = self.open.entry(session.root.clone()).or_insert_with(|| Draft {
            session: session.clone(),
            verdict: Verdict::Normal,
            opened: scored.call.time,
            findings: Vec::new(),
            findings_total: 0,
            done: BTreeMap::new(),
        });
        draft.findings_total += 1;
        let verdict = scored.assessment.verdict;
        if verdict > draft.verdict {
            draft.verdict = verdict;
            draft.opened = scored.call.time;
        }
        if scored.call.outcome.is_ok() {
            *draft.done.entry(scored.call.action.to_string()).or_default() += 1;
        }
        // Strongest first; of equals the earliest, which came first.
        let at = draft.findings.partition_point(|kept| kept.assessment.verdict >= verdict);
        if at < FINDINGS_MAX {
            draft.findings.insert(at, scored.clone());
            draft.findings.truncate(FINDINGS_MAX);
        }
    }

    /// The incidents with a verdict of kill, in order of opening, then root.
    pub(crate) fn finish(self, sessions: &Sessions, containment: &Containment) -> Vec<Incident> {
        let kills = self.open.into_values().filter(|draft| draft.verdict == Verdict::Kill);
        let mut incidents: Vec<Incident> = kills.map(|draft| draft.finish(sessions, containment)).collect();
        incidents.sort_by(|a, b| (a.opened, &a.root).cmp(&(b.opened, &b.root)));
        incidents
    }
}

impl Draft {
    fn finish(self, sessions: &Sessions, _containment: &Containment) -> Incident {
        let lineage = sessions.lineage_of(&self.session);
        Incident {
            agent: self.session.agent().map(|agent| agent.id.clone()),
            basis: self.session.basis(),
            root: self.session.root.clone(),
            verdict: self.verdict,
            opened: self.opened,
            last: lineage.iter().map(|session| session.last).max().unwrap_or(self.opened),
            calls: lineage.iter().map(|session| session.records).sum(),
            findings: self.findings,
            findings_total: self.findings_total,
            done: self.done,
            lineage,
        }
    }
}
