//! Calls as they are judged, kept as rows of numbers: a page of a hundred thousand calls must stay
//! small, and a history of many millions must not take the memory of one.

use std::collections::BTreeMap;

use ahash::RandomState;
use hashbrown::HashMap;
use tripline_attribution::AgentId;
use tripline_baseline::Outcome;
use tripline_cloudtrail::{EventId, keyed};
use tripline_detector::{Reason, Verdict};
use tripline_engine::Scored;
use tripline_text::Untrusted;

use crate::table::cut;

/// How many calls are kept as rows. Of what comes after that many only findings are.
const ROWS_MAX: usize = 1_000_000;

/// How many rows of findings are kept beyond that.
const FINDINGS_MAX: usize = 100_000;

/// How long a text may be on the page, in characters: a name of ten thousand is a nuisance, and its
/// beginning tells what it is.
const TEXT_CHARS_MAX: usize = 300;

/// The length of a bucket of the fleet's pulse, in seconds.
pub(super) const PULSE_SECS: i64 = 300;

/// Where there is none.
pub(super) const NONE: u32 = u32::MAX;

/// Texts by number, each as it may be shown: one line, nothing invisible.
#[derive(Debug)]
pub(super) struct Texts {
    by_text: HashMap<Box<str>, u32, RandomState>,
    pub(super) shown: Vec<String>,
}

impl Texts {
    fn new(hash_seed: u64) -> Self {
        let hasher = keyed(hash_seed, 31);
        Self { by_text: HashMap::with_hasher(hasher), shown: Vec::new() }
    }

    pub(super) fn number(&mut self, text: &Untrusted<'_>) -> u32 {
        if let Some(number) = self.by_text.get(text.as_unescaped()) {
            return *number;
        }
        let number = u32::try_from(self.shown.len()).unwrap_or(NONE);
        self.shown.push(cut(text, TEXT_CHARS_MAX));
        self.by_text.insert(text.as_unescaped().into(), number);
        number
    }

    pub(super) fn find(&self, text: &Untrusted<'_>) -> Option<u32> {
        self.by_text.get(text.as_unescaped()).copied()
    }

    /// The same for a text of our own.
    pub(super) fn own(&mut self, text: &str) -> u32 {
        self.number(&Untrusted::borrowed(text))
    }

    pub(super) fn or_none(&mut self, text: Option<&Untrusted<'_>>) -> u32 {
        text.map_or(NONE, |text| self.number(text))
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) id: EventId,
    /// Seconds since 1970.
    pub(super) time: i64,
    /// The number of its session's name among the texts.
    pub(super) session: u32,
    pub(super) action: u32,
    pub(super) resource: u32,
    pub(super) network: u32,
    pub(super) region: u32,
    pub(super) tool: u32,
    /// The error; [`NONE`] where the call succeeded.
    pub(super) error: u32,
    /// The number of its note; [`NONE`] where there is nothing to say of it.
    pub(super) note: u32,
}

/// What there is to say of a call.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) verdict: Verdict,
    pub(super) score: Option<f64>,
    /// Numbers of reasons.
    pub(super) reasons: Vec<u32>,
}

/// A reason, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Why {
    pub(super) feature: u32,
    pub(super) value: u32,
    pub(super) weight: f64,
    pub(super) detail: u32,
    pub(super) technique: u32,
    pub(super) verdict: Verdict,
}

/// What was counted of the calls of one session or one agent, whether or not their rows were kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) calls: u64,
    pub(super) findings: u64,
    pub(super) strongest: Verdict,
}

impl Counted {
    fn note(&mut self, verdict: Verdict) {
        self.calls += 1;
        self.findings += u64::from(verdict > Verdict::Normal);
        self.strongest = self.strongest.max(verdict);
    }
}

/// By service, how many calls there were in each hour of the day, UTC.
pub(super) type Heat = BTreeMap<String, [u32; 24]>;

/// All calls of a run, as far as a page needs them.
#[derive(Debug)]
pub struct Gathered {
    pub(super) texts: Texts,
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<Note>,
    pub(super) reasons: Vec<Why>,
    reason_numbers: BTreeMap<(u32, u32, u32, u64), u32>,
    /// By the number of the session's name.
    pub(super) sessions: BTreeMap<u32, Counted>,
    pub(super) agents: BTreeMap<AgentId, (Counted, Heat)>,
    /// By bucket: all calls, alerts, fences and kills.
    pub(super) pulse: BTreeMap<i64, [u64; 4]>,
    pub(super) totals: [u64; 4],
    /// Calls of which there is no row.
    pub(super) not_kept: u64,
    findings: usize,
}

impl Gathered {
    /// Nothing yet. `hash_seed` keys the table of texts; no result depends on it.
    pub fn new(hash_seed: u64) -> Self {
        Self {
            texts: Texts::new(hash_seed),
            rows: Vec::new(),
            notes: Vec::new(),
            reasons: Vec::new(),
            reason_numbers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            agents: BTreeMap::new(),
            pulse: BTreeMap::new(),
            totals: [0; 4],
            not_kept: 0,
            findings: 0,
        }
    }

    /// Takes in a call. They come in order of time, each once, those without a finding too.
    pub fn note(&mut self, scored: &Scored) {
        let verdict = scored.assessment.verdict;
        let session = self.texts.number(&scored.session.untrusted());
        self.sessions.entry(session).or_default().note(verdict);
        self.count(scored, verdict);
        let is_finding = verdict > Verdict::Normal;
        if self.rows.len() >= ROWS_MAX && (!is_finding || self.findings >= FINDINGS_MAX) {
            self.not_kept += 1;
            return;
        }
        self.findings += usize::from(is_finding && self.rows.len() >= ROWS_MAX);
        let row = self.row(scored, session);
        self.rows.push(row);
    }

    pub(super) fn note_at(&self, row: &Row) -> Option<&Note> {
        self.notes.get(usize::try_from(row.note).ok()?)
    }

    pub(super) fn verdict_of(&self, row: &Row) -> Verdict {
        self.note_at(row).map_or(Verdict::Normal, |note| note.verdict)
    }

    fn count(&mut self, scored: &Scored, verdict: Verdict) {
        let secs = scored.call.time.unix_secs();
        let bucket = self.pulse.entry(secs.div_euclid(PULSE_SECS)).or_default();
        let verdicts = [Verdict::Alert, Verdict::Fence, Verdict::Kill];
        let ones = [true].into_iter().chain(verdicts.map(|of| verdict == of)).map(u64::from);
        for ((count, total), one) in bucket.iter_mut().zip(&mut self.totals).zip(ones) {
            *count += one;
            *total += one;
        }
        let Some(agent) = &scored.agent else { return };
        if !self.agents.contains_key(agent) {
            self.agents.insert(agent.clone(), Default::default());
        }
        let Some((counted, heat)) = self.agents.get_mut(agent) else { return };
        counted.note(verdict);
        // What was found fault with is not what it normally does.
        if verdict == Verdict::Normal {
            let service = scored.call.action.service();
            if !heat.contains_key(service) {
                heat.insert(service.to_owned(), [0; 24]);
            }
            let hour = usize::try_from(secs.rem_euclid(86_400) / 3_600).unwrap_or_default();
            let count = heat.get_mut(service).and_then(|hours| hours.get_mut(hour));
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
        }
    }

    fn row(&mut self, scored: &Scored, session: u32) -> Row {
        let call = &scored.call;
        let resource = match call.resources.as_slice() {
            [] => NONE,
            [one] => self.texts.number(one),
            [first, more @ ..] => {
                let all = format!("{} and {} more", first.as_unescaped(), more.len());
                self.texts.number(&Untrusted::new(all))
            }
        };
        let error = match &call.outcome {
            Outcome::Ok => NONE,
            Outcome::Denied(code) => {
                self.texts.number(&Untrusted::new(format!("denied: {}", code.as_unescaped())))
            }
            Outcome::Failed(code) => {
                self.texts.number(&Untrusted::new(format!("failed: {}", code.as_unescaped())))
            }
        };
        Row {
            id: call.id,
            time: call.time.unix_secs(),
            session,
            action: self.texts.own(&call.action.to_string()),
            resource,
            network: self.texts.number(&call.network.to_untrusted()),
            region: call.region.as_ref().map_or(NONE, |region| self.texts.own(region.as_str())),
            tool: self.texts.number(&call.user_agent.untrusted()),
            error,
            note: self.note_of(scored),
        }
    }

    fn note_of(&mut self, scored: &Scored) -> u32 {
        let assessment = &scored.assessment;
        if assessment.reasons.is_empty() && assessment.score.is_none() {
            return NONE;
        }
        let reasons = assessment.reasons.iter().map(|reason| self.why(reason)).collect();
        let number = u32::try_from(self.notes.len()).unwrap_or(NONE);
        self.notes.push(Note { verdict: assessment.verdict, score: assessment.score, reasons });
        number
    }

    fn why(&mut self, reason: &Reason) -> u32 {
        let why = Why {
            feature: self.texts.own(&reason.feature.to_string()),
            value: self.texts.number(&reason.value),
            weight: reason.weight,
            detail: self.texts.own(&reason.detail),
            technique: reason.technique.as_ref().map_or(NONE, |it| self.texts.own(it)),
            verdict: reason.verdict,
        };
        let key = (why.feature, why.value, why.detail, why.weight.to_bits());
        if let Some(number) = self.reason_numbers.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.reasons.len()).unwrap_or(NONE);
        self.reason_numbers.insert(key, number);
        self.reasons.push(why);
        number
    }
}
