//! The lineages that were touched, whole: what is to be read of the state, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};

use tripline_attribution::{
    Agent, AgentId, AnchorKind, Attributor, SessionId, Sessions, StoredMint, Use,
};
use tripline_baseline::{Day, Decisions, EpisodeKey};
use tripline_cloudtrail::EventTime;
use tripline_detector::Verdict;
use tripline_text::Untrusted;

use super::arrival::{oldest, until};
use super::blob::Unpacker;
use super::partition::{Groups, elements};
use super::past::{Past, after};
use super::telling::Telling;
use super::{Anchor, Entry, Partition, Provenance};
use crate::batch::{Batch, BatchReport};
use crate::config::Config;
use crate::drift::Remembered;
use crate::filter::Filter;
use crate::held::{Key, time_of};
use crate::incident::Incident;
use crate::intake::Purpose;
use crate::judge::{DamagedRow, Scored};
use crate::learning::stable_hash;
use crate::model::Model;
use crate::open::Deployments;
use crate::partial::{KeptHead, ToldBy};

/// Lineages while they are read from the state.
///
/// Ask [`Slice::wanted`] what to read and [`Slice::give`] it, until nothing is wanted; then
/// [`Slice::judge`].
#[derive(Debug)]
pub struct Slice<'m> {
    config: &'m Config,
    expected: Option<&'m Decisions>,
    hash_seed: u64,
    now: EventTime,
    /// The sessions that it is about.
    touched: BTreeSet<Anchor>,
    /// All that was ever wanted.
    asked: BTreeSet<Partition>,
    queue: Vec<Partition>,
    /// By how they are stored, so that each is there once.
    mints: BTreeMap<Vec<u8>, (StoredMint, Provenance)>,
    /// A use of each session that anything is known of.
    uses: BTreeMap<Anchor, Option<Use>>,
    /// What it was told by, at best.
    rows: BTreeMap<(Key, Vec<u8>), Provenance>,
    told: BTreeSet<u64>,
    /// What is remembered of days, where there is a calibration.
    past: Option<Past>,
    /// The versions of agents whose sessions it is about.
    running: BTreeMap<Agent, BTreeSet<Untrusted<'static>>>,
    /// What is remembered of those that were not learned.
    deployments: Deployments,
    unpacker: Unpacker,
}

/// That an episode ran a version: which, the minute in which it began, and a hash of its root.
type Ran = (Box<str>, u32, u64);

/// For how many days a version is remembered that nothing was learned of; then it is new again, as one of
/// another name would be.
const VERSION_DAYS: u32 = 30;

/// What is thought of the lineages of a slice.
#[derive(Debug)]
pub struct LiveReport {
    /// The findings in them, in order of time and id.
    pub findings: Vec<Scored>,
    /// What people are to be told of, and what must be stopped.
    pub incidents: Vec<LiveIncident>,
    /// For the state, before the rest of it is there: what days of classes came to.
    pub first: Vec<Entry>,
    /// For the state: whose the sessions are, which lineages have to be stopped, and how high their agents
    /// came on each day.
    pub entries: Vec<Entry>,
    /// The agents whose sessions were looked at.
    pub agents: BTreeSet<AgentId>,
    /// For the state, before anything else: which versions turned up that were neither learned nor
    /// remembered. Then [`Slice::recall_deployed`], and judge again.
    pub deployed: Vec<Entry>,
}

/// An incident among lineages that are looked at again and again.
#[derive(Debug)]
pub struct LiveIncident {
    /// Where the lineage begins.
    pub root: Anchor,
    /// As it looks now.
    pub incident: Incident,
    /// Whether it rests on what the trail's own bucket tells: else it is not enough for a kill.
    pub is_confirmed: bool,
}

/// Where the sessions of a slice stand.
struct Standing {
    sessions: Sessions,
    /// The places of the sessions that it is about, whole lineages where there is an agent.
    members: BTreeSet<u32>,
}

impl<'m> Slice<'m> {
    /// About these sessions. `now` is the time by the clock; `hash_seed` keys hash tables, and no
    /// result depends on it.
    pub fn about(
        touched: BTreeSet<Anchor>,
        config: &'m Config,
        now: EventTime,
        hash_seed: u64,
    ) -> Self {
        let mut slice = Self {
            config,
            expected: None,
            hash_seed,
            now,
            touched: BTreeSet::new(),
            asked: BTreeSet::new(),
            queue: Vec::new(),
            mints: BTreeMap::new(),
            uses: BTreeMap::new(),
            rows: BTreeMap::new(),
            told: BTreeSet::new(),
            past: None,
            running: BTreeMap::new(),
            deployments: Deployments::default(),
            unpacker: Unpacker::new(),
        };
        touched.into_iter().for_each(|anchor| slice.touch(anchor));
        slice
    }

    /// The same with exceptions beside those of the model.
    #[must_use]
    pub fn expecting(self, expected: &'m Decisions) -> Self {
        Self { expected: Some(expected), ..self }
    }

    /// The same with what is remembered of other lineages and earlier days by the calibration of this model.
    #[must_use]
    pub fn remembering(self, model: &Model) -> Self {
        Self { past: model.calibration_id().map(|id| Past::of(id, self.now)), ..self }
    }

    /// What is to be read next, each once; nothing when all is there.
    pub fn wanted(&mut self) -> Vec<Partition> {
        if self.queue.is_empty() {
            self.grow();
        }
        std::mem::take(&mut self.queue)
    }

    /// Takes what a partition holds, in any order.
    ///
    /// # Errors
    /// When an element is none of this program's, or damaged.
    pub fn give(
        &mut self,
        partition: &Partition,
        values: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<(), DamagedRow> {
        for value in values {
            match partition {
                Partition::Mints(_) | Partition::Rows(_) | Partition::Copies(_) => {
                    self.give_rows(&value)?;
                }
                Partition::Children(_) => {
                    elements(&value)?.into_iter().for_each(|anchor| self.know(anchor, None));
                }
                // Which of them are parts of which others is told by their calls.
                Partition::Peers(..) => {
                    for anchor in elements::<Anchor>(&value)? {
                        self.want(Partition::Rows(anchor.clone()));
                        self.know(anchor, None);
                    }
                }
                Partition::Sessions(_) | Partition::Incidents(_) => {
                    elements(&value)?.into_iter().for_each(|anchor| self.touch(anchor));
                }
                Partition::Told(_) => self.told.extend(elements::<u64>(&value)?),
                Partition::Versions(agent) => {
                    for (version, start_minute, root) in elements::<Ran>(&value)? {
                        let episode = EpisodeKey { start_minute, root };
                        self.deployments.note(agent, &version, episode);
                    }
                }
                Partition::Days(..) | Partition::Class(..) | Partition::Watchdog(..) => {
                    self.past.iter_mut().try_for_each(|past| past.give(partition, &value))?;
                }
                // Asked for by whoever watches what was contained, confirms, looks up or tells.
                Partition::Refusals(_)
                | Partition::Hearsay(_)
                | Partition::Pending(_)
                | Partition::LookedUp(_)
                | Partition::Outbox(_)
                | Partition::Thread(_)
                | Partition::Root(_)
                | Partition::Expected
                | Partition::Pulses(_)
                | Partition::Sources(_)
                | Partition::Fired(_) => {}
            }
        }
        Ok(())
    }

    /// Looks at all lineages of these agents, not only at those that were touched: to be told when one
    /// of them has to be stopped.
    pub fn widen(&mut self, agents: impl IntoIterator<Item = AgentId>) {
        agents.into_iter().for_each(|agent| self.want(Partition::Sessions(agent)));
    }

    /// Asks whether lineages of these agents had to be stopped already.
    pub fn recall(&mut self, agents: impl IntoIterator<Item = AgentId>) {
        agents.into_iter().for_each(|agent| self.want(Partition::Incidents(agent)));
    }

    /// Asks what is remembered of versions that nothing was learned of, where sessions run such a version;
    /// whether anything is to be read for that. Of others nothing is read or written.
    pub fn recall_versions(&mut self, model: &Model) -> bool {
        let is_new = |agent: &Agent, versions: &BTreeSet<Untrusted<'_>>| {
            let learned = model.habits_of(agent).own.map(|own| &own.versions);
            learned.is_some_and(|learned| {
                versions.iter().any(|version| learned.may_be_new(version.as_unescaped()))
            })
        };
        let running = std::mem::take(&mut self.running);
        let new = running.iter().filter(|(agent, versions)| is_new(agent, versions));
        new.for_each(|(agent, _)| self.want(Partition::Versions(agent.id.clone())));
        self.running = running;
        !self.queue.is_empty()
    }

    /// Asks for these once more, after what is new of them was put: of two that put at the same time, the one
    /// that asks last sees both.
    pub fn recall_deployed(&mut self) {
        let is_versions = |partition: &&Partition| matches!(partition, Partition::Versions(_));
        self.queue.extend(self.asked.iter().filter(is_versions).cloned());
    }

    /// Whose sessions there are, by all that is known: what a model must know to judge them.
    pub fn agents(&self) -> Vec<Agent> {
        let Standing { sessions, .. } = self.standing();
        let places = self.uses.keys().filter_map(|anchor| sessions.place(anchor.kind, &anchor.id));
        let places: BTreeSet<u32> = places.collect();
        let agents = places.into_iter().filter_map(|at| sessions.session_at(at).agent().cloned());
        let by_name: BTreeMap<AgentId, Agent> =
            agents.map(|agent| (agent.id.clone(), agent)).collect();
        by_name.into_values().collect()
    }

    /// What is thought of it.
    ///
    /// # Errors
    /// When a row is damaged.
    pub fn judge(&self, model: &Model) -> Result<LiveReport, DamagedRow> {
        let past = self.past.as_ref().zip(model.calibration());
        let remembered = past.map(|(past, calibration)| past.remembered(calibration));
        let remembered = remembered.unwrap_or_default();
        let mut report = self.judge_told_by(Provenance::Event, model, &remembered)?;
        let mut told = self.rows.values().chain(self.mints.values().map(|(_, told)| told));
        let is_all_told = told.all(|told| *told == Provenance::Trail);
        let (mut certain, mut doubtful) = (std::mem::take(&mut report.incidents), Vec::new());
        let mut worked = std::mem::take(&mut report.worked);
        let mut deployments = std::mem::take(&mut report.deployments);
        if !is_all_told {
            // What may be forged neither adds to what is stopped nor keeps anything from being stopped:
            // of an incident that the trail tells of, what the trail tells is what counts, but where a
            // message tells of worse: that stands beside it, to be confirmed.
            doubtful = certain;
            let told = self.judge_told_by(Provenance::Trail, model, &remembered)?;
            (certain, worked, deployments) = (told.incidents, told.worked, told.deployments);
            let known: BTreeMap<&SessionId, Verdict> =
                certain.iter().map(|incident| (&incident.root, incident.verdict)).collect();
            doubtful.retain(|it| known.get(&it.root).is_none_or(|verdict| *verdict < it.verdict));
        }
        let standing = self.standing();
        let (mut groups, mut agents) = (Groups::default(), BTreeSet::new());
        let mut ids = BTreeSet::new();
        for at in &standing.members {
            let session = standing.sessions.session_at(*at);
            ids.insert(session.id.clone());
            let Some(agent) = session.agent() else { continue };
            agents.insert(agent.id.clone());
            if let Some(anchor) = standing.sessions.anchor_at(*at).map(Anchor::of) {
                let sessions = Partition::Sessions(agent.id.clone());
                groups.add(sessions, &anchor, until(self.now));
            }
        }
        let mut incidents = Vec::new();
        let certain = certain.into_iter().map(|incident| (incident, true));
        let doubtful = doubtful.into_iter().map(|incident| (incident, false));
        for (incident, is_confirmed) in certain.chain(doubtful) {
            let root = standing.sessions.by_id(&incident.root.untrusted());
            let Some(root) = root.filter(|root| ids.contains(&root.id)) else { continue };
            let root = Anchor::of((root.kind, root.id.untrusted().as_unescaped()));
            if let Some(agent) = incident.agent.as_ref().filter(|_| incident.is_to_be_stopped()) {
                groups.add(Partition::Incidents(agent.clone()), &root, until(self.now));
            }
            incidents.push(LiveIncident { root, incident, is_confirmed });
        }
        let news =
            self.past.as_ref().map(|past| past.news(&worked, |root| ids.contains(root), model));
        let (first, rest) = news.unwrap_or_default().finish();
        let roots: BTreeSet<u64> = ids.iter().map(stable_hash).collect();
        let mut deployed = Groups::default();
        for (agent, version, episode) in deployments.iter() {
            let is_known = self.deployments.has(agent, version, episode);
            // Of other lineages only a part is at hand.
            if is_known || !roots.contains(&episode.root) {
                continue;
            }
            let ran: Ran = (version.into(), episode.start_minute, episode.root);
            let minute = EventTime::from_unix_secs(i64::from(episode.start_minute) * 60);
            let until = after(Day::of(minute.unwrap_or(self.now)), VERSION_DAYS);
            deployed.add(Partition::Versions(agent.clone()), &ran, until);
        }
        let deployed = deployed.finish();
        let entries = groups.finish().into_iter().chain(rest).collect();
        let findings = report.scored.into_iter().filter(Scored::is_finding);
        let findings = findings.filter(|scored| ids.contains(&scored.session)).collect();
        Ok(LiveReport { findings, incidents, first, entries, agents, deployed })
    }

    /// Asks what was told of the lineages of these findings and incidents.
    pub fn recall_told(&mut self, report: &LiveReport) {
        let findings = report.findings.iter().map(|finding| finding.episode.root.clone());
        let incidents = report.incidents.iter().map(|one| one.incident.root.clone());
        findings.chain(incidents).for_each(|root| self.want(Partition::Told(root)));
    }

    /// What of these was not told yet.
    pub fn untold(&self, tellings: Vec<Telling>) -> Vec<Telling> {
        tellings.into_iter().filter(|telling| !self.told.contains(&telling.told)).collect()
    }

    fn judge_told_by(
        &self,
        told: Provenance,
        model: &Model,
        remembered: &Remembered,
    ) -> Result<BatchReport, DamagedRow> {
        let filter = Filter::default();
        let purpose = Purpose::ShowFindings;
        let batch = Batch::new(self.config, model, &filter, purpose, self.hash_seed);
        let batch = batch.live(self.now, remembered.clone()).expecting(self.expected);
        let mut batch = batch.knowing(self.deployments.clone());
        let mints = self.mints.values().filter(|(_, by)| *by <= told);
        mints.for_each(|(mint, _)| batch.note_mint(mint));
        for ((_, row), by) in &self.rows {
            if *by <= told {
                batch.take_kept(row)?;
            }
        }
        batch.finish(self.config)
    }

    /// Wants what belongs to the sessions that it is about by all that is known.
    fn grow(&mut self) {
        let Standing { sessions, members } = self.standing();
        let known: Vec<(Anchor, Option<Use>)> =
            self.uses.iter().map(|(anchor, used)| (anchor.clone(), used.clone())).collect();
        for (anchor, used) in known {
            let place = sessions.place(anchor.kind, &anchor.id);
            let Some(place) = place.filter(|place| members.contains(place)) else { continue };
            if let Some((principal, began)) = used.as_ref().and_then(Use::created) {
                self.want_peers(&anchor, principal.as_unescaped(), began);
            }
            if sessions.agent_number_at(place).is_some() {
                self.want(Partition::Children(anchor.clone()));
            }
            self.want(Partition::Rows(anchor));
        }
        let began: Vec<(Anchor, String, EventTime)> = self
            .mints
            .values()
            .filter_map(|(mint, _)| {
                let place = sessions.place(AnchorKind::Key, mint.key())?;
                let principal = mint.principal().filter(|_| members.contains(&place))?;
                let principal = principal.as_unescaped().to_owned();
                Some((Anchor::key(mint.key()), principal, mint.time()))
            })
            .collect();
        for (anchor, principal, time) in began {
            self.want_peers(&anchor, &principal, time);
        }
        let (mut agents, mut running) = (BTreeMap::new(), BTreeMap::new());
        for at in &members {
            let session = sessions.session_at(*at);
            let Some(agent) = session.agent() else { continue };
            agents.insert(agent.id.clone(), agent.clone());
            if let Some(version) = &session.version {
                let versions: &mut BTreeSet<_> = running.entry(agent.clone()).or_default();
                versions.insert(version.clone());
            }
        }
        self.running = running;
        let Self { past: Some(past), asked, .. } = self else { return };
        let is_read = |partition: &Partition| asked.contains(partition);
        let wanted = agents.values().flat_map(|agent: &Agent| past.wanted(agent, is_read));
        wanted.collect::<Vec<_>>().into_iter().for_each(|partition| self.want(partition));
    }

    fn standing(&self) -> Standing {
        let mut attributor = Attributor::new(self.config.agents.clone(), self.hash_seed);
        self.mints.values().for_each(|(mint, _)| attributor.note_stored_mint(mint));
        for used in self.uses.values().flatten() {
            attributor.observe_call(used);
        }
        let sessions = attributor.resolve();
        let place = |anchor: &Anchor| sessions.place(anchor.kind, &anchor.id);
        let touched: BTreeSet<u32> = self.touched.iter().filter_map(place).collect();
        let is_agents = |at: &u32| sessions.agent_number_at(*at).is_some();
        let roots: BTreeSet<u32> =
            touched.iter().filter(|at| is_agents(at)).map(|at| sessions.root_at(*at)).collect();
        let known = self.uses.keys().filter_map(place);
        let theirs = known.filter(|at| is_agents(at) && roots.contains(&sessions.root_at(*at)));
        let members = theirs.chain(touched.iter().copied()).collect();
        Standing { sessions, members }
    }

    fn give_rows(&mut self, blob: &[u8]) -> Result<(), DamagedRow> {
        let mut unpacker = std::mem::replace(&mut self.unpacker, Unpacker::new());
        let oldest = oldest(self.now).unix_secs().unsigned_abs();
        let mut last: Option<Anchor> = None;
        let given = unpacker.unpack(blob, |provenance, key, row| {
            match KeptHead::of_row(row)? {
                KeptHead { mint: Some(mint), call: None } => self.give_mint(row, mint, provenance),
                KeptHead { call: Some((told, used)), .. } if time_of(&key) >= oldest => {
                    // Mostly one session's.
                    if last.as_ref().is_none_or(|last| !last.is(used.anchor())) {
                        let anchor = Anchor::of(used.anchor());
                        self.know(anchor.clone(), Some(&used));
                        last = Some(anchor);
                    }
                    if let ToldBy::Copy(shared) = told {
                        self.want(Partition::Copies(shared));
                    }
                    let told = self.rows.entry((key, row.to_vec())).or_insert(provenance);
                    *told = provenance.min(*told);
                }
                KeptHead { .. } => {}
            }
            Ok(())
        });
        self.unpacker = unpacker;
        given
    }

    fn give_mint(&mut self, row: &[u8], mint: StoredMint, provenance: Provenance) {
        self.know(Anchor::key(mint.key()), None);
        if let Some(parent) = mint.parent() {
            self.know(Anchor::of(parent.anchor()), Some(parent));
        }
        // The same, whoever told it.
        let (_, told) = self.mints.entry(row.to_vec()).or_insert((mint, provenance));
        *told = provenance.min(*told);
    }

    fn touch(&mut self, anchor: Anchor) {
        self.want(Partition::Rows(anchor.clone()));
        self.know(anchor.clone(), None);
        self.touched.insert(anchor);
    }

    /// Learns of a session, and wants what its agent depends on.
    fn know(&mut self, anchor: Anchor, used: Option<&Use>) {
        if anchor.kind == AnchorKind::Key {
            self.want(Partition::Mints(anchor.id.clone()));
        }
        // Calls that a service made, and their session's own, know of each other by these alone.
        if let Some((principal, began)) = used.and_then(Use::created)
            && anchor.kind == AnchorKind::Console
        {
            self.want_peers(&anchor, principal.as_unescaped(), began);
        }
        let known = self.uses.entry(anchor).or_default();
        if known.is_none() {
            *known = used.cloned();
        }
    }

    fn want_peers(&mut self, anchor: &Anchor, principal: &str, began: EventTime) {
        if matches!(anchor.kind, AnchorKind::Key | AnchorKind::Console) {
            let peers = Partition::peers(principal, began);
            peers.into_iter().for_each(|peers| self.want(peers));
        }
    }

    fn want(&mut self, partition: Partition) {
        if self.asked.insert(partition.clone()) {
            self.queue.push(partition);
        }
    }
}
