//! The second half of a record's way, once everything was read: agents are known, calls are counted
//! and judged in order of time, and what must be stopped becomes an incident.

use std::collections::BTreeMap;

use thiserror::Error;
use tripline_attribution::{Agent, AgentId, Basis, EpisodeId, SessionId, Sessions, Turn};
use tripline_baseline::{
    Call, Day, Decisions, Draw, Exceeded as LimitExceeded, LimitCounter, TenantRules,
    UserAgentFamily,
};
use tripline_cloudtrail::Record;
use tripline_detector::{Assessment, Reason, Score, Verdict, assess};
use tripline_iam::Action;

use crate::config::Config;
use crate::deed::{Deed, DeedTexts};
use crate::drift::{Drift, Outcome, Place, Remembered, Worked};
use crate::filter::Filter;
use crate::habits::{Entries, Habits};
use crate::held::{Form, Head, Held, Key, place_of};
use crate::incident::{Incident, Incidents};
use crate::known::{KnownAgents, Normal};
use crate::learning::Flagged;
use crate::model::Model;
use crate::open::{Deployments, OpenEpisodes};
use crate::pace::Excess;
use crate::target::View;
use crate::tick::{Tick, Ticked};
use crate::told::Scratch;
use crate::vocabulary::{KnownEvent, UNKNOWN, Vocabulary};
use crate::weigh::{Against, weigh};

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

/// Counts all calls, and judges those that were set aside; how many were there before. `ticks` (in
/// batches, each with the number of the part whose vocabulary it is in) and `rows` come in order of their
/// keys. `counted` sees each call once.
///
/// # Errors
/// Those of `ticks`, `rows` and `sink`, and a damaged row.
pub fn judge_all<T: Ticked, R: AsRef<[u8]>, E: From<DamagedRow>>(
    ticks: impl Iterator<Item = Result<impl IntoIterator<Item = (usize, T)>, E>>,
    rows: impl Iterator<Item = Result<(Key, R), E>>,
    judge: &mut Judge<'_>,
    mut counted: impl FnMut(usize, T),
    sink: &mut dyn FnMut(Scored) -> Result<(), E>,
) -> Result<u64, E> {
    // Keys are compared for every tick, numbers faster than bytes.
    let mut rows = rows.map(|row| row.map(|(key, row)| (place_of(&key), row)));
    let mut next_row = rows.next().transpose()?;
    let mut take = |judge: &mut Judge<'_>, (part, tick): (usize, T)| -> Result<(), E> {
        counted(part, tick);
        let key = tick.key();
        let (mut row, mut of_several): (Option<R>, Option<Vec<u8>>) = (None, None);
        while let Some((_, next)) = next_row.take_if(|(next, _)| *next <= key) {
            next_row = rows.next().transpose()?;
            match of_several.as_deref().or(row.as_ref().map(R::as_ref)) {
                None => row = Some(next),
                // Copies of one record are mostly the same.
                Some(row) if row == next.as_ref() => {}
                Some(row) => {
                    of_several = Some(Held::one_of(row.to_vec(), next.as_ref().to_vec())?);
                }
            }
        }
        let row = of_several.as_deref().or(row.as_ref().map(R::as_ref));
        judge.call(part, tick.tick(), row)?.map_or(Ok(()), |scored| sink(*scored))
    };
    let (mut duplicates, mut last): (u64, Option<(usize, T)>) = (0, None);
    for batch in ticks {
        for next in batch? {
            match last {
                Some(one) if one.1.key() == next.1.key() => {
                    duplicates += 1;
                    last = Some(judge.one_of(one, next));
                }
                _ => {
                    if let Some(one) = last.replace(next) {
                        take(judge, one)?;
                    }
                }
            }
        }
    }
    if let Some(one) = last {
        take(judge, one)?;
    }
    Ok(duplicates)
}

/// Counts and judges calls one after another, in order of time and id.
#[derive(Debug)]
pub struct Judge<'m> {
    model: &'m Model,
    /// Exceptions beside the model's.
    expected: Option<&'m Decisions>,
    filter: &'m Filter,
    tenants: &'m TenantRules,
    sessions: Sessions,
    /// Of each part of the ticks.
    vocabularies: &'m [Vocabulary],
    /// Of the same.
    normal: &'m [Normal],
    /// Whether calls without a finding are shown too.
    all: bool,
    agents: KnownAgents<'m>,
    words: Vocabulary,
    scratch: Scratch,
    entries: Entries,
    /// Of agents that habits are known of.
    episodes: OpenEpisodes,
    drift: Drift,
    deployments: Deployments,
    flagged: Flagged,
    /// The pace of each agent that has a declared limit.
    paces: BTreeMap<AgentId, LimitCounter>,
    incidents: Incidents,
}

impl<'m> Judge<'m> {
    /// A judge who has judged nothing.
    pub fn new(
        model: &'m Model,
        filter: &'m Filter,
        tenants: &'m TenantRules,
        sessions: Sessions,
        vocabularies: &'m [Vocabulary],
        all: bool,
    ) -> Self {
        let agents = KnownAgents::new(sessions.hash_seed());
        let words = Vocabulary::new(sessions.hash_seed());
        let episodes = OpenEpisodes::new(sessions.hash_seed());
        let scratch = Scratch::new(sessions.hash_seed());
        let entries = Entries::new(sessions.hash_seed());
        Self {
            model,
            expected: None,
            filter,
            tenants,
            sessions,
            vocabularies,
            normal: &[],
            all,
            agents,
            words,
            scratch,
            entries,
            episodes,
            drift: Drift::default(),
            deployments: Deployments::default(),
            flagged: Flagged::default(),
            paces: BTreeMap::new(),
            incidents: Incidents::default(),
        }
    }

    /// Which of two ticks of one record counts: the same, whichever came first. They can differ only
    /// where one of them is not as CloudTrail wrote it.
    fn one_of<T: Ticked>(&self, one: (usize, T), other: (usize, T)) -> (usize, T) {
        let anchor = |(_, tick): &(usize, T)| self.sessions.anchor_at(tick.tick().place);
        if anchor(&other) < anchor(&one) { other } else { one }
    }

    /// Counts a call, and judges it if there is a row of it, or if it is one too many; `None` where
    /// there is nothing to show. In a box: nearly always there is nothing, which is not worth half a kilobyte.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn call(
        &mut self,
        part: usize,
        tick: Tick,
        row: Option<&[u8]>,
    ) -> Result<Option<Box<Scored>>, DamagedRow> {
        let turn = self.sessions.note_call(tick.place, tick.time(), tick.traits().is_failed_mint());
        if row.is_none() && !self.model.has_learned() {
            return Ok(None);
        }
        let number = self.sessions.agent_number_at(turn.session);
        let excess = number.and_then(|number| self.count_pace(number, &turn, &tick));
        if self.episodes.has_over() {
            self.drift.note(self.episodes.take_over(), self.model, &self.sessions);
        }
        let Some(row) = row else {
            let call = excess.is_some().then(|| self.sketch(part, &tick)).flatten();
            return Ok(call.and_then(|call| self.judge(&turn, call, Vec::new(), excess)));
        };
        let (head, rest) = Head::decode(row)?;
        if excess.is_none() && self.is_surely_normal(number, &head, rest)? {
            return Ok(None);
        }
        let Self { words, .. } = self;
        let family = |record: &Record<'_>| words.user_agent_family(record);
        let Held { call, reasons, .. } = Held::decode_by(head.form, rest, family)?;
        Ok(self.judge(&turn, call, reasons, excess))
    }

    /// Counts a call to the pace of its episode; the excess over what was learned, if there is one.
    #[inline]
    fn count_pace(&mut self, number: u32, turn: &Turn, tick: &Tick) -> Option<Excess> {
        if !self.model.has_learned() {
            return None;
        }
        let agent = self.sessions.agent_at(number)?;
        let habits = self.agents.get(self.model, number, agent)?.habits;
        let own = habits.own?;
        let day = Day::of(tick.time());
        let episode = self.episodes.at(turn, number);
        let version = self.sessions.version_number_at(turn.session);
        if version.is_some_and(|version| episode.meets(version)) {
            self.deployments.meet(&agent.id, &own.versions, &self.sessions, turn);
        }
        if episode.enters(day) {
            self.drift.work(agent, &habits, (day, turn.root), Score::default(), self.model);
        }
        episode.pace.note(&own.known, tick.time(), &tick.traits().counts())
    }

    /// Whether a row needs no second look: of a kind that its agent's scope is content with, and no news
    /// against its habits. Most calls whose agent had to be waited for are.
    fn is_surely_normal(
        &mut self,
        number: Option<u32>,
        head: &Head<'_>,
        rest: &[u8],
    ) -> Result<bool, DamagedRow> {
        if head.has_reasons || self.all {
            return Ok(false);
        }
        if let (Some(number), Some(meant)) = (number, head.form.meant())
            && self.normal.iter().any(|calls| calls.has(number, meant))
        {
            return Ok(true);
        }
        let agent = number.and_then(|number| Some((number, self.sessions.agent_at(number)?)));
        let known = agent.and_then(|(number, agent)| self.agents.get(self.model, number, agent));
        let Some(known) = known.filter(|known| known.is_judged()) else { return Ok(true) };
        match head.form {
            // What is held as a call was looked at when it was set aside.
            Form::Call if known.habits.is_known() => return Ok(false),
            form if form.meant().is_some_and(|meant| known.remembers(meant)) => return Ok(true),
            Form::Call | Form::Record(_) => {}
        }
        let event = self.words.event_of(head.event, || {
            let call = Held::decode_by(head.form, rest, UserAgentFamily::of).ok();
            let call = call.map(|held| held.call);
            let region = |call: &Call| Some(call.region.as_ref()?.as_str().into());
            let named = call.map(|call| (region(&call).unwrap_or_default(), call.action));
            let (region, action) =
                named.unwrap_or_else(|| (Box::default(), Action::from_event("", "")));
            (action, region)
        });
        // Of a call that comes out of a partial baseline the names have been unescaped already.
        let is_plain = !head.event.0.contains('\\') && !head.event.1.contains('\\');
        let words = &mut self.words;
        let any_call = || words.known_event(event).filter(|_| is_plain).map(KnownEvent::any_call);
        let is_content = known.is_content(event, any_call);
        if !is_content || !known.habits.is_known() {
            return Ok(is_content);
        }
        let record = Head::record(rest)?;
        let scratch = &mut self.scratch;
        let told = scratch.told_again(&record, event, words, head.form.meant());
        Ok(event != UNKNOWN && known.is_familiar(&record, event, told.as_ref(), words, scratch))
    }

    /// A call of which nothing was set aside, as far as its tick tells.
    fn sketch(&self, part: usize, tick: &Tick) -> Option<Call> {
        let event = self.vocabularies.get(part)?.known_event(tick.event)?;
        Some(event.sketch(tick.id(), tick.time()))
    }

    fn judge(
        &mut self,
        turn: &Turn,
        call: Call,
        mut reasons: Vec<Reason>,
        excess: Option<Excess>,
    ) -> Option<Box<Scored>> {
        let session = self.sessions.session_at(turn.session);
        let agent = session.agent();
        let number = self.sessions.agent_number_at(turn.session);
        let known = agent.zip(number).and_then(|(agent, number)| {
            let known = self.agents.get(self.model, number, agent)?;
            Some((agent, number, known.scope, known.habits))
        });
        if let Some((agent, _, Some(scope), _)) = known {
            let mut breaches = scope.check(&call, session.tenant.as_ref());
            let tenants = self.tenants.tenants_of(&call.resources);
            let others = tenants.iter().filter(|tenant| session.tenant.as_ref() != Some(tenant));
            breaches.extend(others.filter_map(|tenant| scope.check_tenant(tenant)));
            if !scope.limits().is_empty() {
                let pace = self
                    .paces
                    .entry(agent.id.clone())
                    .or_insert_with(|| LimitCounter::new(scope.limits()));
                breaches.extend(pace.count(call.time).map(LimitExceeded::breach));
            }
            // What a person wrote into the scope is no breach of the milder invariants: a backup agent
            // deletes snapshots. Those that kill are set aside by name only, in `tripline.toml`.
            if breaches.is_empty() && scope.names_actions() {
                reasons.retain(|reason| reason.verdict == Verdict::Kill);
            }
            let canary = self.model.invariants().touched_canary(&call, Some(scope));
            reasons.extend(assess(canary.as_slice(), &breaches).reasons);
        }
        let mut score = None;
        if let Some((agent, number, _, habits)) =
            known.filter(|(_, _, _, habits)| habits.is_known())
        {
            let version = session.version.as_ref().zip(habits.own);
            let in_grace = version.is_some_and(|(version, own)| {
                let start = turn.episode_start;
                self.deployments.in_grace(&agent.id, &own.versions, version, start)
            });
            let (weighed, why) =
                self.weigh(agent, number, turn, &call, habits, in_grace, excess.as_ref());
            score = Some(weighed.log10());
            reasons.extend(why);
        }
        // What weighs too little by itself is shown to those who ask for everything.
        reasons.retain(|reason| self.all || reason.verdict > Verdict::Normal);
        let assessment = Assessment { score, ..Assessment::of(reasons) };
        if assessment.verdict == Verdict::Normal && !self.all {
            return None;
        }
        let scored = Scored {
            session: session.id.clone(),
            agent: agent.map(|agent| agent.id.clone()),
            basis: session.basis(),
            episode: self.sessions.episode_id(turn),
            call,
            assessment,
        };
        // What is not shown was judged all the same: verdicts look at others of the class too.
        let is_shown = self.filter.shows(agent.map(|agent| agent.id.untrusted()).as_ref());
        if is_shown && scored.is_finding() {
            self.incidents.note(&session, &scored, &self.sessions);
        }
        match scored.assessment.verdict {
            Verdict::Normal | Verdict::Alert => {}
            Verdict::Fence => self.flagged.fence(turn.root, turn.episode_start),
            Verdict::Kill => self.flagged.kill(turn.root, turn.episode_start),
        }
        is_shown.then(|| Box::new(scored))
    }

    /// Weighs a call against the habits of its agent: the evidence of its episode so far, and why the
    /// call has a verdict, if it has one.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of them are the call's; it is one step of `judge`"
    )]
    fn weigh(
        &mut self,
        agent: &Agent,
        number: u32,
        turn: &Turn,
        call: &Call,
        habits: Habits<'m>,
        in_grace: bool,
        excess: Option<&Excess>,
    ) -> (Score, Vec<Reason>) {
        let texts = DeedTexts::of(call);
        let deed = Deed::of(call, &texts);
        let name = agent.id.untrusted();
        let decisions = [Some(self.model.decisions()), self.expected];
        // What a person said to expect is no news until then.
        let expected = |draw: &Draw<'_>| {
            let mut decisions = decisions.iter().flatten();
            decisions.any(|it| it.expected(&name, draw, &deed.home(), call.time).is_some())
        };
        let episode = self.episodes.at(turn, number);
        let standing = habits.standing(in_grace);
        let against = Against { habits, standing, measure: self.model.measure_of(agent) };
        let entries = &mut self.entries;
        let mut weighed = weigh(&against, entries, episode, &deed, excess, expected);
        // In a grace, too: the days that it is ranked among had theirs.
        if weighed.adds && standing.maturity.is_armed() {
            let peers = habits.class.map_or(1, |class| u64::from(class.known.agents()));
            let now = u32::try_from(call.time.unix_minutes()).unwrap_or(turn.episode_start);
            let place = Place {
                agent: &agent.id,
                class: agent.class.as_ref(),
                peers,
                root: turn.root,
                minute: now,
                day: Day::of(call.time),
            };
            weighed.settle(self.drift.settle(weighed.verdict, &place, self.model, weighed.score));
        }
        if weighed.adds {
            let place = (Day::of(call.time), turn.root);
            self.drift.work(agent, &habits, place, weighed.score, self.model);
        }
        episode.highest = episode.highest.max(weighed.score);
        let may_kill = standing.maturity.is_armed_to_kill() && !in_grace;
        let killing = episode.counting();
        episode.counted = episode.counted.max(killing);
        if may_kill {
            episode.killing = episode.killing.max(killing);
        }
        episode.verdict = episode.verdict.max(weighed.verdict);
        let (score, evidence) = (weighed.score, episode.evidence());
        (score, weighed.reasons(&against, evidence, self.all))
    }

    /// The same, with exceptions beside the model's.
    #[must_use]
    pub(crate) fn expecting(self, expected: Option<&'m Decisions>) -> Self {
        Self { expected, ..self }
    }

    /// The same, for [`View::Whole`] alone: what can open no incident any more is forgotten.
    #[must_use]
    pub fn for_whole(self) -> Self {
        Self { incidents: Incidents::of_whole(), ..self }
    }

    /// The same, of some lineages only, with what is remembered of others.
    #[must_use]
    pub(crate) fn remembering(self, remembered: Remembered) -> Self {
        Self { drift: Drift::live(remembered), ..self }
    }

    /// The same, with versions of agents that were seen before.
    #[must_use]
    pub fn knowing(self, deployments: Deployments) -> Self {
        Self { deployments, ..self }
    }

    /// The same, with what was found to be normal while the calls came in.
    #[must_use]
    pub fn told_normal(self, normal: &'m [Normal]) -> Self {
        Self { normal, ..self }
    }

    /// The same, and what episodes came to is kept.
    #[must_use]
    pub fn keeping_outcomes(self) -> Self {
        Self { drift: Drift::keeping(), ..self }
    }

    /// Ends the judging.
    pub fn finish(mut self, view: View, config: &Config) -> Judged {
        self.drift.note(self.episodes.close(), self.model, &self.sessions);
        Judged {
            incidents: self.incidents.finish(&self.sessions, view, config, self.model),
            worked: self.drift.worked(&self.sessions),
            sessions: self.sessions,
            deployments: self.deployments,
            flagged: self.flagged,
            outcomes: self.drift.into_outcomes(),
        }
    }
}

/// What there is when all is judged.
#[derive(Debug)]
pub struct Judged {
    /// What must be stopped, each with its plan.
    pub incidents: Vec<Incident>,
    /// Every session.
    pub sessions: Sessions,
    /// The versions of agents that nothing was learned of.
    pub deployments: Deployments,
    /// The episodes that nothing may be learned from.
    pub flagged: Flagged,
    /// What each lineage came to on each day, where there are others beside them.
    pub(crate) worked: Vec<Worked>,
    /// What the episodes of agents that are known well came to, in order of time; nothing unless it
    /// was asked for.
    pub outcomes: Vec<Outcome>,
}
