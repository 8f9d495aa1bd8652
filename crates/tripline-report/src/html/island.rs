//! What the page's script draws from: one JSON document of numbers and one table of texts, packed.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use tripline_attribution::SessionId;
use tripline_baseline::{Baseline, Family, Provenance, Whose};
use tripline_detector::Verdict;
use tripline_text::Untrusted;

use super::gather::{Gathered, NONE, Texts};
use super::look::Look;
use super::select::{Selection, Shows};
use super::{About, Lines};

/// How many agents the page tells the habits of, and how many values of each.
const AGENTS_MAX: usize = 500;
const VALUES_MAX: usize = 400;

/// A number, or -1 where there is none.
type Number = i64;

#[derive(Serialize)]
pub(super) struct Island {
    texts: Vec<String>,
    sessions: SessionColumns,
    calls: CallColumns,
    /// `[row, verdict, score or null, [reason…]]`
    notes: Vec<(usize, u8, Option<f64>, Vec<u32>)>,
    /// `[feature, value, weight, detail, technique, verdict]`
    reasons: Vec<(Number, Number, f64, Number, Number, u8)>,
    agents: Vec<AgentIsland>,
    incidents: Vec<IncidentIsland>,
    lines: Option<Lines>,
}

/// Sessions by column, in order of first use.
#[derive(Default, Serialize)]
struct SessionColumns {
    id: Vec<Number>,
    agent: Vec<Number>,
    role: Vec<Number>,
    account: Vec<Number>,
    basis: Vec<Number>,
    first: Vec<i64>,
    last: Vec<i64>,
    ends: Vec<Number>,
    parent: Vec<Number>,
    root: Vec<Number>,
    calls: Vec<u64>,
    findings: Vec<u64>,
    verdict: Vec<u8>,
    /// Where its rows begin.
    from: Vec<usize>,
    /// Whether all of its calls are there (2), only findings (1), or none (0).
    shows: Vec<u8>,
}

/// Calls by column, by session and in order of time.
#[derive(Default, Serialize)]
struct CallColumns {
    /// Seconds since the call before of the same session, or since its first.
    after: Vec<i64>,
    action: Vec<Number>,
    resource: Vec<Number>,
    network: Vec<Number>,
    region: Vec<Number>,
    tool: Vec<Number>,
    error: Vec<Number>,
}

#[derive(Serialize)]
struct AgentIsland {
    name: String,
    class: Number,
    calls: u64,
    findings: u64,
    verdict: u8,
    /// `[service, [24 counts]]`
    hours: Vec<(String, Vec<u32>)>,
    known: Option<KnownIsland>,
}

/// What the baseline in force says.
#[derive(Serialize)]
struct KnownIsland {
    maturity: String,
    span: Option<String>,
    rates: Vec<String>,
    /// `[family, action, value, is known, episodes]`
    values: Vec<(&'static str, Number, Number, u8, u32)>,
    more: usize,
}

#[derive(Serialize)]
struct IncidentIsland {
    /// Its sessions, by number.
    sessions: Vec<usize>,
    /// They and those above them.
    chain: Vec<usize>,
    opened: i64,
    /// Those that were cut off, else those that the plan cuts off.
    cut: Vec<usize>,
    /// What was done, and when.
    marks: Vec<(i64, &'static str)>,
}

/// Texts that are used, renumbered: what is not on the page takes no room there.
struct Used<'g> {
    all: &'g [String],
    numbers: BTreeMap<u32, Number>,
    texts: Vec<String>,
}

impl Used<'_> {
    fn number(&mut self, of: u32) -> Number {
        if of == NONE {
            return -1;
        }
        if let Some(number) = self.numbers.get(&of) {
            return *number;
        }
        let text = usize::try_from(of).ok().and_then(|at| self.all.get(at));
        let number = self.own(text.cloned().unwrap_or_default());
        self.numbers.insert(of, number);
        number
    }

    fn own(&mut self, text: String) -> Number {
        self.texts.push(text);
        Number::try_from(self.texts.len()).unwrap_or(0) - 1
    }
}

pub(super) fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Normal => 0,
        Verdict::Alert => 1,
        Verdict::Fence => 2,
        Verdict::Kill => 3,
    }
}

impl Island {
    /// Of a selection; `known` are baselines in force.
    pub(super) fn new(
        selection: &mut Selection<'_>,
        known: impl Iterator<Item = Baseline>,
        about: &About<'_>,
    ) -> Self {
        let sessions = texts_of_sessions(selection);
        let known = texts_of_known(&mut selection.gathered, known);
        let gathered = &selection.gathered;
        let mut used =
            Used { all: &gathered.texts.shown, numbers: BTreeMap::new(), texts: Vec::new() };
        let sessions = session_columns(selection, &sessions, &mut used);
        let (calls, notes) = call_columns(selection, &mut used);
        let reasons = gathered.reasons.iter().map(|why| {
            let weight = (why.weight * 100.0).round() / 100.0;
            let [feature, value, detail, technique] =
                [why.feature, why.value, why.detail, why.technique].map(|it| used.number(it));
            (feature, value, weight, detail, technique, code(why.verdict))
        });
        let reasons = reasons.collect();
        let agents = agents(gathered, known, &mut used);
        let incidents = incidents(selection, about);
        let lines = about.lines;
        Self { texts: used.texts, sessions, calls, notes, reasons, agents, incidents, lines }
    }
}

/// The numbers of what is said of sessions besides their calls.
struct SessionTexts {
    id: u32,
    agent: u32,
    role: u32,
    account: u32,
    basis: u32,
}

fn texts_of_sessions(selection: &mut Selection<'_>) -> Vec<SessionTexts> {
    let texts = &mut selection.gathered.texts;
    let of = |listed: &super::select::Listed| {
        let session = &listed.session;
        let basis = match &session.named {
            Ok(named) if named.inherited => format!("{} (inherited)", named.basis),
            Ok(named) => named.basis.to_string(),
            Err(cause) => cause.to_string(),
        };
        SessionTexts {
            id: texts.number(&session.id.untrusted()),
            agent: texts.or_none(session.agent().map(|agent| agent.id.untrusted()).as_ref()),
            role: texts.or_none(session.role.as_ref()),
            account: session.account.map_or(NONE, |account| texts.own(&account.to_string())),
            basis: texts.own(&basis),
        }
    };
    selection.sessions.iter().map(of).collect()
}

fn session_columns(
    selection: &Selection<'_>,
    texts: &[SessionTexts],
    used: &mut Used<'_>,
) -> SessionColumns {
    let numbers = numbers(selection);
    let number = |id: Option<&SessionId>| {
        id.and_then(|id| numbers.get(id)).map_or(-1, |at| Number::try_from(*at).unwrap_or(-1))
    };
    let mut columns = SessionColumns::default();
    for (at, (listed, texts)) in selection.sessions.iter().zip(texts).enumerate() {
        let session = &listed.session;
        columns.id.push(used.number(texts.id));
        columns.agent.push(used.number(texts.agent));
        columns.role.push(used.number(texts.role));
        columns.account.push(used.number(texts.account));
        columns.basis.push(used.number(texts.basis));
        columns.first.push(session.first.unix_secs());
        columns.last.push(session.last.unix_secs());
        columns.ends.push(session.ends_by.map_or(-1, |ends| ends.unix_secs()));
        columns.parent.push(number(session.parent.as_ref()));
        columns.root.push(number(Some(&session.root)));
        columns.calls.push(listed.counted.calls);
        columns.findings.push(listed.counted.findings);
        columns.verdict.push(code(listed.counted.strongest));
        columns.from.push(selection.rows.partition_point(|(of, _)| *of < at));
        columns.shows.push(match listed.shows {
            Shows::All => 2,
            Shows::Findings => 1,
            Shows::Nothing => 0,
        });
    }
    columns
}

fn numbers<'s>(selection: &'s Selection<'_>) -> BTreeMap<&'s SessionId, usize> {
    selection.sessions.iter().enumerate().map(|(at, it)| (&it.session.id, at)).collect()
}

type Notes = Vec<(usize, u8, Option<f64>, Vec<u32>)>;

fn call_columns(selection: &Selection<'_>, used: &mut Used<'_>) -> (CallColumns, Notes) {
    let (mut columns, mut notes) = (CallColumns::default(), Vec::new());
    let mut before = (usize::MAX, 0);
    for (nth, (at, row)) in selection.rows.iter().enumerate() {
        if before.0 != *at {
            let first = selection.sessions.get(*at).map(|it| it.session.first.unix_secs());
            before = (*at, first.unwrap_or(row.time));
        }
        columns.after.push(row.time - before.1);
        before.1 = row.time;
        columns.action.push(used.number(row.action));
        columns.resource.push(used.number(row.resource));
        columns.network.push(used.number(row.network));
        columns.region.push(used.number(row.region));
        columns.tool.push(used.number(row.tool));
        columns.error.push(used.number(row.error));
        if let Some(note) = selection.gathered.note_at(row) {
            let score = note.score.map(|score| (score * 1_000.0).round() / 1_000.0);
            notes.push((nth, code(note.verdict), score, note.reasons.clone()));
        }
    }
    (columns, notes)
}

/// By agent's name.
type Known = BTreeMap<Untrusted<'static>, (u32, KnownTexts)>;

struct KnownTexts {
    maturity: String,
    span: Option<String>,
    rates: Vec<String>,
    values: Vec<(Family, u32, u32, bool, u32)>,
    more: usize,
}

fn texts_of_known(gathered: &mut Gathered, known: impl Iterator<Item = Baseline>) -> Known {
    let mut found = Known::new();
    for baseline in known {
        let Whose::Agent { agent, class } = baseline.whose() else { continue };
        let is_here = gathered.agents.keys().any(|name| name.untrusted() == *agent);
        if found.len() >= AGENTS_MAX || !is_here {
            continue;
        }
        let texts = &mut gathered.texts;
        let class = texts.or_none(class.as_ref());
        found.insert(agent.clone(), (class, texts_of_one(texts, &baseline)));
    }
    found
}

fn texts_of_one(texts: &mut Texts, baseline: &Baseline) -> KnownTexts {
    let (mut values, mut more) = (Vec::new(), 0);
    baseline.each_key(|name, provenance, episodes| {
        if values.len() >= VALUES_MAX {
            more += 1;
            return;
        }
        let action = texts.or_none(name.action().as_ref());
        let value = texts.own(&name.shown_value());
        values.push((name.family(), action, value, *provenance != Provenance::Pending, episodes));
    });
    KnownTexts {
        maturity: baseline.maturity().to_string(),
        span: baseline.span().map(|(first, last)| format!("{first} to {last}")),
        rates: baseline.limits().iter().map(ToString::to_string).collect(),
        values,
        more,
    }
}

fn agents(gathered: &Gathered, mut known: Known, used: &mut Used<'_>) -> Vec<AgentIsland> {
    let mut order: Vec<_> = gathered.agents.iter().collect();
    // Those that something was found of come first: they are looked for.
    order.sort_by_key(|(_, (counted, _))| {
        (std::cmp::Reverse(counted.strongest), std::cmp::Reverse(counted.calls))
    });
    let of = |(agent, (counted, heat)): (&tripline_attribution::AgentId, &_)| {
        let (counted, heat): (&super::gather::Counted, &super::gather::Heat) = (counted, heat);
        let known = known.remove(&agent.untrusted().into_owned());
        AgentIsland {
            name: crate::table::cut(&agent.untrusted(), 300),
            class: known.as_ref().map_or(-1, |(class, _)| used.number(*class)),
            calls: counted.calls,
            findings: counted.findings,
            verdict: code(counted.strongest),
            hours: heat.iter().map(|(service, hours)| (service.clone(), hours.to_vec())).collect(),
            known: known.map(|(_, known)| known_island(known, used)),
        }
    };
    order.into_iter().take(4 * AGENTS_MAX).map(of).collect()
}

fn known_island(known: KnownTexts, used: &mut Used<'_>) -> KnownIsland {
    let value = |(family, action, value, is_known, episodes): (Family, u32, u32, bool, u32)| {
        (family.name(), used.number(action), used.number(value), u8::from(is_known), episodes)
    };
    KnownIsland {
        maturity: known.maturity,
        span: known.span,
        rates: known.rates,
        values: known.values.into_iter().map(value).collect(),
        more: known.more,
    }
}

fn incidents(selection: &Selection<'_>, about: &About<'_>) -> Vec<IncidentIsland> {
    let numbers = numbers(selection);
    let of = |incident: &&tripline_engine::Incident| {
        let number = |id: &SessionId| numbers.get(id).copied();
        let sessions: Vec<usize> =
            incident.lineage.iter().filter_map(|session| number(&session.id)).collect();
        let links = incident.lineage.iter().flat_map(|session| &session.lineage);
        let mut chain: Vec<usize> = links.filter_map(number).collect();
        chain.sort_unstable();
        chain.dedup();
        let id = incident.target.incident;
        let planned = incident.plan.iter().flat_map(|plan| &plan.sessions).map(|cut| &cut.id);
        let cuts: Vec<&Untrusted<'static>> = match about.done.and_then(|done| done.cuts(id)) {
            Some(done) => done.collect(),
            None => planned.collect(),
        };
        let at = |id: &Untrusted<'_>| {
            sessions.iter().copied().find(|at| {
                selection.sessions.get(*at).is_some_and(|it| it.session.id.untrusted() == *id)
            })
        };
        let cut = cuts.into_iter().filter_map(at).collect();
        let marks = about.done.map(|done| done.marks(id)).unwrap_or_default();
        IncidentIsland { opened: incident.opened.unix_secs(), cut, marks, sessions, chain }
    };
    selection.incidents.iter().map(of).collect()
}

/// The records of a look, by the number of their call.
pub(super) fn records(selection: &Selection<'_>, look: &Look) -> BTreeMap<usize, String> {
    let rows = selection.rows.iter().enumerate();
    rows.filter_map(|(nth, (_, row))| Some((nth, look.records.get(&row.id)?.clone()))).collect()
}

/// As text that stands inside of HTML whatever it holds: JSON, in gzip, in base64.
pub(super) fn packed(value: &impl Serialize) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    // INVARIANT: writing to memory does not fail, and numbers and strings are always JSON.
    let written = serde_json::to_writer(&mut gzip, value).map_err(std::io::Error::from);
    let bytes = written.and_then(|()| gzip.flush()).and_then(|()| gzip.finish());
    STANDARD.encode(bytes.unwrap_or_default())
}
