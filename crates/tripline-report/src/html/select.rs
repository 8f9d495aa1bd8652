//! Which sessions and calls stand on the page: those of incidents first, then those that were found
//! fault with, then the rest, as many as a page can hold.

use std::collections::{BTreeMap, BTreeSet};

use tripline_attribution::{Session, SessionId, Sessions};
use tripline_cloudtrail::EventId;
use tripline_detector::Verdict;
use tripline_engine::{Filter, Incident};

use super::gather::{Counted, Gathered, Row};

/// How many calls the page holds.
const CALLS_MAX: usize = 150_000;

/// How many sessions it lists.
const SESSIONS_MAX: usize = 20_000;

/// How many incidents it shows.
const INCIDENTS_MAX: usize = 100;

/// How many records can be looked at as they were written, …
const RECORDS_MAX: usize = 4_000;

/// … and how many of one incident, those with findings first.
const RECORDS_PER_INCIDENT_MAX: usize = 300;

/// A session on the page, and its calls among the rows.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) session: Session,
    pub(super) counted: Counted,
    /// Which of its calls are on the page.
    pub(super) shows: Shows,
    rank: Rank,
}

/// Which calls of a session are on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    All,
    Findings,
    Nothing,
}

/// Who stands on the page first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Incident,
    Finding(std::cmp::Reverse<Verdict>),
    Other,
}

/// What was gathered, sorted out.
#[derive(Debug)]
pub struct Selection<'a> {
    pub(super) gathered: Gathered,
    /// In order of first use.
    pub(super) sessions: Vec<Listed>,
    pub(super) sessions_left_out: usize,
    /// By session, in the order of [`Self::sessions`], then in order of time.
    pub(super) rows: Vec<(usize, Row)>,
    pub(super) incidents: Vec<&'a Incident>,
    pub(super) incidents_total: usize,
    /// The records to be shown as they were written, with the number of their incident.
    pub(super) wanted: BTreeMap<EventId, usize>,
    /// Calls of incidents: with the number of their incident.
    pub(super) of_incidents: BTreeMap<EventId, usize>,
}

impl<'a> Selection<'a> {
    /// Sorts out what was gathered of a run that ended with these sessions and incidents.
    pub fn new(
        gathered: Gathered,
        sessions: &Sessions,
        incidents: &'a [Incident],
        filter: &Filter,
    ) -> Self {
        let shown: Vec<&Incident> = incidents.iter().take(INCIDENTS_MAX).collect();
        let (mut listed, left_out) = list(&gathered, sessions, &shown, filter);
        choose_rows(&mut listed);
        let place: BTreeMap<u32, usize> = {
            let number = |listed: &Listed| gathered.texts.find(&listed.session.id.untrusted());
            let having = listed.iter().enumerate().filter(|(_, it)| it.shows != Shows::Nothing);
            having.filter_map(|(at, it)| Some((number(it)?, at))).collect()
        };
        let on_page = |row: &Row| {
            let at = *place.get(&row.session)?;
            let only_findings = listed.get(at)?.shows == Shows::Findings;
            let is_shown = !only_findings || gathered.verdict_of(row) > Verdict::Normal;
            is_shown.then_some((at, *row))
        };
        let mut rows: Vec<(usize, Row)> = gathered.rows.iter().filter_map(on_page).collect();
        rows.sort_by_key(|(at, _)| *at);
        let mut selection = Self {
            gathered,
            sessions: listed,
            sessions_left_out: left_out,
            rows,
            incidents_total: incidents.len(),
            incidents: shown,
            wanted: BTreeMap::new(),
            of_incidents: BTreeMap::new(),
        };
        selection.want_records();
        selection
    }

    /// Whether there is anything to look for when the logs are read a second time.
    pub fn wants_records(&self) -> bool {
        !self.of_incidents.is_empty()
    }

    fn want_records(&mut self) {
        let mut incident_of: BTreeMap<&SessionId, usize> = BTreeMap::new();
        for (nth, incident) in self.incidents.iter().enumerate() {
            incident_of.extend(incident.lineage.iter().map(|session| (&session.id, nth)));
        }
        let mut by_incident: BTreeMap<usize, Vec<&Row>> = BTreeMap::new();
        for (at, row) in &self.rows {
            let session = self.sessions.get(*at).map(|listed| &listed.session.id);
            if let Some(nth) = session.and_then(|id| incident_of.get(id)) {
                by_incident.entry(*nth).or_default().push(row);
                self.of_incidents.insert(row.id, *nth);
            }
        }
        for (nth, mut rows) in by_incident {
            let verdict = |row: &Row| std::cmp::Reverse(self.gathered.verdict_of(row));
            rows.sort_by_key(|row| (verdict(row), row.time, row.id));
            let room = RECORDS_MAX.saturating_sub(self.wanted.len());
            let chosen = rows.iter().take(RECORDS_PER_INCIDENT_MAX.min(room));
            self.wanted.extend(chosen.map(|row| (row.id, nth)));
        }
    }
}

/// The sessions to list, in order of first use, and how many are left out.
fn list(
    gathered: &Gathered,
    sessions: &Sessions,
    incidents: &[&Incident],
    filter: &Filter,
) -> (Vec<Listed>, usize) {
    let mut in_incident: BTreeSet<SessionId> = BTreeSet::new();
    for incident in incidents {
        in_incident.extend(incident.lineage.iter().flat_map(|it| it.lineage.iter().cloned()));
    }
    let listed = |session: Session| {
        let number = gathered.texts.find(&session.id.untrusted());
        let counted = number.and_then(|number| gathered.sessions.get(&number).copied());
        let counted = counted.unwrap_or_default();
        let rank = match () {
            () if in_incident.contains(&session.id) => Rank::Incident,
            () if counted.strongest > Verdict::Normal => {
                Rank::Finding(std::cmp::Reverse(counted.strongest))
            }
            () => Rank::Other,
        };
        Listed { session, counted, shows: Shows::Nothing, rank }
    };
    let is_shown = |it: &Listed| {
        let agent = it.session.agent().map(|agent| agent.id.untrusted());
        it.rank == Rank::Incident || (it.counted.calls > 0 && filter.shows(agent.as_ref()))
    };
    let mut all: Vec<Listed> = sessions.iter().map(listed).filter(is_shown).collect();
    let left_out = all.len().saturating_sub(SESSIONS_MAX);
    if left_out > 0 {
        all.sort_by_key(|it| it.rank);
        all.truncate(SESSIONS_MAX);
        let key = |it: &Listed| (it.session.first, it.session.kind, it.session.id.clone());
        all.sort_by_cached_key(key);
    }
    (all, left_out)
}

fn choose_rows(listed: &mut [Listed]) {
    let mut order: Vec<&mut Listed> = listed.iter_mut().collect();
    order.sort_by_key(|it| it.rank);
    let mut room = CALLS_MAX as u64;
    for it in order {
        let counted = it.counted;
        let (shows, takes) = match () {
            () if counted.calls <= room => (Shows::All, counted.calls),
            () if counted.findings > 0 && counted.findings <= room => {
                (Shows::Findings, counted.findings)
            }
            () => (Shows::Nothing, 0),
        };
        it.shows = shows;
        room = room.saturating_sub(takes);
    }
}
