//! Incidents: what one agent did with one first credential and all it minted from there, and what
//! would stop it.

use std::collections::BTreeMap;
use std::rc::Rc;

use tripline_attribution::{AgentId, Basis, Session, SessionId, Sessions};
use tripline_baseline::Feature;
use tripline_cloudtrail::EventTime;
use tripline_containment::{IncidentId, Plan, Refusal, Target, Work, plan_fence, plan_kill};
use tripline_detector::Verdict;
use tripline_text::Untrusted;

use crate::config::Config;
use crate::judge::Scored;
use crate::learning::{stable_hash, stable_hash_of};
use crate::model::Model;
use crate::target::{RoleUsers, View, may_be_alive, role_users, target};

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
    /// What is to be stopped: as things stood when it opened, or of a live view as they stand now.
    pub target: Target,
    /// What the agent may go on doing if it is fenced: of a live view, as far as anything is known.
    pub work: Work,
    /// Whether somebody has said which data events the trail logs: else a fence may cut known work.
    pub is_covered: bool,
    /// What would stop it, as far as logs tell. Nothing carries it out.
    pub plan: Result<Plan, Refusal>,
}

impl Incident {
    /// Whether the agent is to be held back for it, as far as that can be done: an alert is told, and
    /// where nothing is known of an agent's work there is nothing that a fence could leave.
    pub fn is_to_be_stopped(&self) -> bool {
        match self.verdict {
            Verdict::Normal | Verdict::Alert => false,
            Verdict::Fence => !self.work.actions.is_empty(),
            Verdict::Kill => true,
        }
    }

    /// Whether a rule alone asks for its verdict: an invariant, or the declared scope.
    pub fn rests_on_rule(&self) -> bool {
        let reasons = self.findings.iter().flat_map(|finding| &finding.assessment.reasons);
        let strongest = reasons.filter(|reason| reason.verdict == self.verdict);
        strongest.into_iter().any(|it| it.weight == 0.0 && it.feature != Feature::Evidence)
    }

    /// Whether anything that was never learned is part of it.
    pub(crate) fn has_evidence(&self) -> bool {
        let mut reasons = self.findings.iter().flat_map(|finding| &finding.assessment.reasons);
        reasons.any(|reason| reason.weight > 0.0)
    }
}

/// How many findings an incident keeps whole.
pub const FINDINGS_MAX: usize = 20;

/// Incidents while calls are judged.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    open: BTreeMap<SessionId, Draft>,
    /// Whether only a kill opens an incident, so that what is over without one can be forgotten.
    only_kills: bool,
    /// How many drafts there are to be before those are looked for again.
    sweep_at: usize,
}

#[derive(Debug)]
struct Draft {
    session: Rc<Session>,
    /// The last time that a record names a session of the lineage.
    until: EventTime,
    verdict: Verdict,
    opened: EventTime,
    findings: Vec<Scored>,
    findings_total: u64,
    done: BTreeMap<String, u64>,
}

/// So few drafts are not worth a look.
const DRAFTS_MIN: usize = 64;

impl Incidents {
    /// None so far; of all that there is, at the end.
    pub(crate) fn of_whole() -> Self {
        Self { only_kills: true, ..Self::default() }
    }

    /// Forgets what is over and opens no incident: of a history of months nearly every finding.
    fn sweep(&mut self, now: EventTime) {
        if self.only_kills && self.open.len() >= self.sweep_at.max(DRAFTS_MIN) {
            self.open.retain(|_, draft| draft.verdict == Verdict::Kill || draft.until >= now);
            self.sweep_at = self.open.len() * 2;
        }
    }

    /// Notes a finding. Calls come in order of time.
    pub(crate) fn note(&mut self, session: &Rc<Session>, scored: &Scored, sessions: &Sessions) {
        self.sweep(scored.call.time);
        let draft = self.open.entry(session.root.clone()).or_insert_with(|| Draft {
            session: Rc::clone(session),
            until: sessions.lineage_named_until(session),
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
            match draft.done.get_mut(scored.call.action.as_str()) {
                Some(done) => *done += 1,
                None => {
                    draft.done.insert(scored.call.action.to_string(), 1);
                }
            }
        }
        // Strongest first; of equals the earliest, which came first.
        let at = draft.findings.partition_point(|kept| kept.assessment.verdict >= verdict);
        if at < FINDINGS_MAX {
            draft.findings.insert(at, scored.clone());
            draft.findings.truncate(FINDINGS_MAX);
        }
    }

    /// The incidents with a verdict of kill, and of a live view all, from alerts on; in order of
    /// opening, then root.
    pub(crate) fn finish(
        self,
        sessions: &Sessions,
        view: View,
        config: &Config,
        model: &Model,
    ) -> Vec<Incident> {
        let least = match view {
            View::Whole => Verdict::Kill,
            View::Live(_) => Verdict::Alert,
        };
        let drafts = self.open.into_values().filter(|draft| draft.verdict >= least);
        let drafts: Vec<(Draft, Work)> = drafts
            .map(|draft| {
                let work = draft.work(view, config, model);
                (draft, work)
            })
            .collect();
        let lineages: Vec<Session> =
            drafts.iter().flat_map(|(draft, _)| sessions.lineage_of(&draft.session)).collect();
        let mut moments: BTreeMap<AgentId, Vec<EventTime>> = BTreeMap::new();
        for (draft, _) in &drafts {
            if let Some(agent) = draft.session.agent() {
                moments.entry(agent.id.clone()).or_default().push(draft.moment(view));
            }
        }
        // It is of the agent: its other sessions may have heard the same words.
        let theirs = sessions.of_agents(&moments.keys().cloned().collect(), |session| {
            let moments = session.agent().and_then(|agent| moments.get(&agent.id));
            moments.into_iter().flatten().any(|now| may_be_there(session, *now))
        });
        let users =
            (view == View::Whole).then(|| role_users(sessions, lineages.iter().chain(&theirs)));
        let mut incidents: Vec<Incident> = drafts
            .into_iter()
            .map(|(draft, work)| {
                draft.finish(sessions, &theirs, users.as_ref(), view, config, work)
            })
            .collect();
        incidents.sort_by(|a, b| (a.opened, &a.root).cmp(&(b.opened, &b.root)));
        incidents
    }
}

impl Draft {
    /// What the agent may go on doing if it is fenced.
    fn work(&self, view: View, config: &Config, model: &Model) -> Work {
        let (View::Live(_), Some(agent)) = (view, self.session.agent()) else {
            return Work::default();
        };
        let logged = config.containment.data_events_logged.clone();
        Work { data_events_logged: logged.unwrap_or_default(), ..model.work_of(agent) }
    }

    /// When its agent is to be stopped.
    fn moment(&self, view: View) -> EventTime {
        match view {
            View::Whole => self.opened,
            View::Live(now) => now,
        }
    }

    fn finish(
        self,
        sessions: &Sessions,
        theirs: &[Session],
        users: Option<&RoleUsers>,
        view: View,
        config: &Config,
        work: Work,
    ) -> Incident {
        let lineage = sessions.lineage_of(&self.session);
        let now = self.moment(view);
        let target = self.target(&lineage, theirs, users, now, config);
        let plan = match self.verdict {
            Verdict::Normal | Verdict::Alert => Err(Refusal::NotCalledFor),
            Verdict::Kill => plan_kill(&target, target.grounds()),
            Verdict::Fence => {
                plan_fence(&target, target.grounds(), &work, config.brakes.fence_until(now))
            }
        };
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
            plan,
            target,
            work,
            is_covered: config.containment.data_events_logged.is_some(),
            lineage,
        }
    }

    /// The target as it stood at a moment.
    fn target(
        &self,
        lineage: &[Session],
        theirs: &[Session],
        users: Option<&RoleUsers>,
        now: EventTime,
        config: &Config,
    ) -> Target {
        let last_seen = self.last_seen().max(now);
        let mut known: Vec<Session> =
            lineage.iter().filter(|session| session.first <= last_seen).cloned().collect();
        let agent = self.session.agent().map(|agent| &agent.id);
        let alive = theirs.iter().filter(|session| {
            agent.is_some()
                && session.agent().map(|agent| &agent.id) == agent
                && may_be_there(session, now)
        });
        for session in alive {
            if known.iter().all(|other| other.id != session.id) {
                known.push(session.clone());
            }
        }
        target(incident_of(&self.session.root), &known, users, config, now)
    }

    /// Plans name what was there by the last finding: a chain that the incident led to belongs to it.
    fn last_seen(&self) -> EventTime {
        self.findings.iter().map(|finding| finding.call.time).max().unwrap_or(self.opened)
    }
}

/// Whether a session had begun by then, and may have been good for calls.
fn may_be_there(session: &Session, now: EventTime) -> bool {
    session.first <= now && may_be_alive(session, now)
}

/// An incident that somebody opens by hand: another one each time.
pub fn incident_id(about: &Untrusted<'_>, now_unix_ms: i64) -> IncidentId {
    IncidentId::new(stable_hash_of(&format!("{} {now_unix_ms}", about.as_unescaped())))
}

/// The incident of one lineage, the same in every run.
fn incident_of(root: &SessionId) -> IncidentId {
    IncidentId::new(stable_hash(root))
}

#[cfg(test)]
mod tests {
    use tripline_attribution::{AgentRules, Attributor, Facts};
    use tripline_baseline::Call;
    use tripline_cloudtrail::Record;
    use tripline_detector::{Assessment, Invariants};

    use super::*;

    /// A call of a key, in some minute of a day.
    fn text(key: &str, minute: usize) -> String {
        let (hour, minute) = (minute / 60, minute % 60);
        format!(
            r#"{{"eventTime":"2026-11-20T{hour:02}:{minute:02}:00Z","eventID":"{key}{hour}{minute}",
            "eventSource":"sts.amazonaws.com","eventName":"GetCallerIdentity","userIdentity":
            {{"type":"AssumedRole","principalId":"AROAROLEROLEROLEROLE:a","accessKeyId":"{key}"}}}}"#
        )
    }

    #[test]
    fn what_is_over_without_a_kill_is_forgotten_and_what_goes_on_is_not() {
        let short = (1..400).map(|nth| (format!("ASIASHORT{nth:011}"), nth, Verdict::Fence));
        let long = ("ASIALONGLONGLONGLONG".to_owned(), 0, Verdict::Fence);
        let last = (long.0.clone(), 400, Verdict::Kill);
        let calls: Vec<(String, usize, Verdict)> =
            std::iter::once(long).chain(short).chain([last]).collect();
        let texts: Vec<String> = calls.iter().map(|(key, at, _)| text(key, *at)).collect();
        let records: Vec<Record<'_>> = texts.iter().map(|it| Record::parse(it).unwrap()).collect();
        let mut attributor = Attributor::new(AgentRules::default(), 0);
        let places: Vec<u32> =
            records.iter().map(|it| attributor.observe(&Facts::of(it)).place()).collect();
        let sessions = attributor.resolve();
        let found = |mut incidents: Incidents| {
            let mut most = 0;
            for ((record, place), (_, _, verdict)) in records.iter().zip(&places).zip(&calls) {
                let session = sessions.session_at(*place);
                let assessment = Assessment { verdict: *verdict, score: None, reasons: Vec::new() };
                let scored = Scored {
                    call: Call::of(record),
                    session: session.id.clone(),
                    agent: None,
                    basis: None,
                    episode: tripline_attribution::EpisodeId {
                        root: session.root.clone(),
                        start: record.time(),
                    },
                    assessment,
                };
                incidents.note(&session, &scored, &sessions);
                most = most.max(incidents.open.len());
            }
            let model = Model::new(Invariants::default(), Vec::new()).unwrap();
            let incidents = incidents.finish(&sessions, View::Whole, &Config::default(), &model);
            assert_eq!(incidents.len(), 1);
            (most, format!("{incidents:?}"))
        };
        let ((all, wanted), (few, got)) =
            (found(Incidents::default()), found(Incidents::of_whole()));
        assert_eq!(got, wanted);
        assert!(got.contains("findings_total: 2"));
        assert_eq!((all, few), (400, DRAFTS_MIN));
    }
}
