//! Incidents: what one agent did with one first credential and all it minted from there, and what
//! would stop it.

use std::collections::{BTreeMap, BTreeSet};

use tripline_attribution::{AgentId, AnchorKind, Basis, Session, SessionId, Sessions};
use tripline_cloudtrail::EventTime;
use tripline_containment::{
    Plan, Refusal, RoleFacts, SessionKind, Target, TargetSession, TrustKnowledge, plan,
};
use tripline_detector::Verdict;
use tripline_iam::{Arn, PrincipalId, TagKey};
use tripline_text::Untrusted;

use crate::config::Config;
use crate::judge::Scored;
use crate::learning::stable_hash;

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
    /// What would stop it, as things stood when it opened. Nothing carries it out.
    pub plan: Result<Plan, Refusal>,
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
    pub(crate) fn finish(self, sessions: &Sessions, config: &Config) -> Vec<Incident> {
        let kills = self.open.into_values().filter(|draft| draft.verdict == Verdict::Kill);
        let kills: Vec<Draft> = kills.collect();
        let lineages = kills.iter().flat_map(|draft| sessions.lineage_of(&draft.session));
        let users = sessions.users_of(lineages.filter_map(|session| session.role).collect());
        let mut incidents: Vec<Incident> =
            kills.into_iter().map(|draft| draft.finish(sessions, &users, config)).collect();
        incidents.sort_by(|a, b| (a.opened, &a.root).cmp(&(b.opened, &b.root)));
        incidents
    }
}

/// By role, who used it: agents, or (`None`) somebody else.
type RoleUsers = BTreeMap<Untrusted<'static>, BTreeSet<Option<AgentId>>>;

impl Draft {
    fn finish(self, sessions: &Sessions, users: &RoleUsers, config: &Config) -> Incident {
        let lineage = sessions.lineage_of(&self.session);
        let target = self.target(&lineage, users, config);
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
            plan: plan(&target, target.grounds()),
            lineage,
        }
    }

    /// The target as it stood when the incident opened: that is what would have been stopped.
    fn target(&self, lineage: &[Session], users: &RoleUsers, config: &Config) -> Target {
        let agent = self.session.agent().map(|agent| &agent.id);
        let last_seen = self.last_seen();
        let known: Vec<&Session> =
            lineage.iter().filter(|session| session.first <= last_seen).collect();
        let mut roles: Vec<RoleFacts> = Vec::new();
        for session in &known {
            let Some(arn) =
                session.role.as_ref().and_then(|role| Arn::parse(role.as_unescaped()).ok())
            else {
                continue;
            };
            if roles.iter().any(|role| role.arn == arn) {
                continue;
            }
            let others = session.role.as_ref().and_then(|role| users.get(role));
            let others = others
                .map_or(0, |users| users.iter().filter(|user| user.as_ref() != agent).count());
            let account = arn.account().or(session.account);
            roles.push(RoleFacts {
                arn,
                account,
                other_users: others,
                trust: TrustKnowledge::NotRead,
            });
        }
        let root = lineage.iter().find(|session| session.id == self.session.root);
        let responder = config.containment.responder.iter();
        Target {
            agent: agent.map(|agent| agent.untrusted().into_owned()),
            agent_tag: self.agent_tag(config),
            incident: stable_hash(&self.session.root),
            sessions: known.into_iter().map(target_session).collect(),
            minted_by: root
                .and_then(|root| root.minter.as_ref())
                .and_then(|minter| PrincipalId::parse(minter.as_unescaped()).ok()),
            roles,
            protected: responder.chain(&config.containment.protected).cloned().collect(),
            management_accounts: config.containment.management_accounts.iter().copied().collect(),
            now_unix_secs: self.opened.unix_secs(),
        }
    }

    /// Plans name what was there by the last finding: a chain that the incident led to belongs to it.
    fn last_seen(&self) -> EventTime {
        self.findings.iter().map(|finding| finding.call.time).max().unwrap_or(self.opened)
    }

    fn agent_tag(&self, config: &Config) -> Option<TagKey> {
        (self.session.basis() == Some(Basis::SessionTag))
            .then(|| config.agents.agent_tags.first().cloned())?
    }
}

/// How long a session lives that no mint tells the end of: the longest that a role's can (12 hours).
const UNKNOWN_LIFE_SECS: i64 = 43_200;

fn target_session(session: &Session) -> TargetSession {
    let id = session.id.untrusted();
    let kind = match session.kind {
        AnchorKind::SignIn => SessionKind::SignIn,
        _ if id.as_unescaped().starts_with("AKIA") => SessionKind::LongLivedKey,
        _ if session.role.is_some() => SessionKind::Role,
        _ => SessionKind::UserSession,
    };
    let minted = session.minted.unwrap_or(session.first);
    TargetSession {
        kind,
        principal: session
            .principal
            .as_ref()
            .and_then(|text| PrincipalId::parse(text.as_unescaped()).ok()),
        role: session.role.as_ref().and_then(|role| Arn::parse(role.as_unescaped()).ok()),
        user: session.user.clone(),
        account: session.account,
        minted_unix_secs: minted.unix_secs(),
        ends_by_unix_secs: session
            .ends_by
            .unwrap_or(minted.plus_secs(UNKNOWN_LIFE_SECS))
            .unix_secs(),
        id: id.into_owned(),
    }
}
