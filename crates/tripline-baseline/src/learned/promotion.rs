//! From candidate to live: what was seen becomes known, by rules that nobody can boil.
//!
//! An attacker who acts in small steps is learned step by step by anything that adapts by itself.
//! Hence caps from outside: values need days, episodes and age, and the sensitive ones a person;
//! paces grow to half above an anchor that only a person moves. Source: detector.md section 6, where
//! 90 days of boiling end at the cap, against 364 times the start for an adaptive mean.

use std::collections::BTreeMap;
use std::fmt;

use super::baseline::{Baseline, Gone, HISTORY_MAX, Promoted, State, Whose};
use super::day::Day;
use super::decisions::Decisions;
use super::family::{Draw, Family};
use super::key::{Approval, Fact, Join, KeyName, Provenance};
use super::promote_trie::Grafting;
use super::rate::{Pace, RateClass, RateWindow};
use super::version::{Grace, VERSIONS_MAX};
use crate::network::Network;

/// A value is promoted by itself when it was seen on so many days, …
pub const PROMOTION_DAYS: u32 = 3;
/// … in so many episodes, …
pub const PROMOTION_EPISODES: u32 = 5;
/// … and first so many days ago. After a deployment one day and three episodes will do.
pub const PROMOTION_AGE_DAYS: u32 = 7;
const GRACE_PROMOTION_EPISODES: u32 = 3;

/// A value that was not seen for so many days is forgotten, unless a person approved it; for as many
/// again it is remembered that it was forgotten.
pub const FORGOTTEN_AFTER_DAYS: u32 = 90;

/// The outcome of a promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The baseline that may go live.
    pub next: Baseline,
    /// What was held back, in order; of resources the uppermost parts.
    pub held: Vec<HeldBack>,
}

/// Something that the candidate has and the next baseline does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// What.
    pub what: Held,
    /// Why.
    pub why: HoldReason,
}

/// What was held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A value.
    Key(KeyName),
    /// The growth of a pace.
    Rate(RateWindow, RateClass),
}

/// Why something was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// It is sensitive: a person has to approve it.
    Sensitive,
    /// It is a Region or a network: a person has to approve it.
    NeedsPerson,
    /// It was seen too rarely.
    TooRare {
        /// On how many days.
        days: u32,
        /// In how many episodes.
        episodes: u32,
    },
    /// It was first seen too short a time ago.
    TooYoung {
        /// How many days ago.
        days: u32,
    },
    /// The pace was higher than its anchor allows.
    AboveAnchor {
        /// The highest that was seen.
        seen: u64,
        /// The highest that is allowed.
        ceiling: u64,
    },
    /// The pace was never measured before: a person has to set its anchor.
    NoAnchor {
        /// The highest that was seen.
        seen: u64,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(name) => name.fmt(f),
            Self::Rate(window, class) => write!(f, "rate {window} {class}"),
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sensitive => f.write_str("sensitive: needs a person"),
            Self::NeedsPerson => f.write_str("a new Region or network: needs a person"),
            Self::TooRare { days, episodes } => write!(
                f,
                "seen on {days} days in {episodes} episodes; {PROMOTION_DAYS} and {PROMOTION_EPISODES} are needed"
            ),
            Self::TooYoung { days } => {
                write!(f, "first seen {days} days ago; {PROMOTION_AGE_DAYS} are needed")
            }
            Self::AboveAnchor { seen, ceiling } => {
                write!(f, "{seen} seen, {ceiling} is half above the anchor: needs a person")
            }
            Self::NoAnchor { seen } => {
                write!(f, "{seen} seen, never measured before: needs a person")
            }
        }
    }
}

/// Why two baselines cannot be promoted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromotionError {
    /// They are of different agents.
    #[error("the candidate is another agent's than the live baseline")]
    OtherAgent,
    /// A class's or the fleet's: those are made from the live baselines of agents.
    #[error("only an agent's baseline is promoted; that of a class follows from its agents")]
    NoAgent,
    /// The live one is not live, or the candidate is.
    #[error("a candidate is promoted over a live baseline, not the other way round")]
    WrongState,
}

/// The highest pace that an anchor allows.
pub(crate) fn ceiling(anchor: u64) -> u64 {
    anchor.saturating_add(anchor / 2)
}

/// Makes the next live baseline of an agent from the live one, if there is one, and a candidate.
///
/// Of the very first all values become known that are not sensitive, and its paces are the anchors.
/// Later a value becomes known when it was approved, or when it is neither sensitive nor a Region or a
/// network and old and frequent enough. `sensitive` is asked with resources as `baselines/README.md`
/// writes them. Approved values stay approved. `by` says who promotes, when, and why.
///
/// Where the days of the two do not overlap, counts are added; else the larger ones are taken.
///
/// # Errors
/// [`PromotionError`], when the two do not belong together.
pub fn promote(
    live: Option<&Baseline>,
    candidate: &Baseline,
    decisions: &Decisions,
    sensitive: &dyn Fn(&Draw<'_>) -> bool,
    by: &Approval,
) -> Result<Promotion, PromotionError> {
    let Whose::Agent { agent, .. } = &candidate.whose else { return Err(PromotionError::NoAgent) };
    match live.map(|live| (&live.whose, live.state)) {
        None => {}
        Some((Whose::Agent { agent: live, .. }, State::Live)) if live == agent => {}
        Some((Whose::Agent { agent: live, .. }, _)) if live == agent => {
            return Err(PromotionError::WrongState);
        }
        Some(_) => return Err(PromotionError::OtherAgent),
    }
    if candidate.state != State::Candidate {
        return Err(PromotionError::WrongState);
    }
    let mut next =
        live.cloned().unwrap_or_else(|| Baseline::empty(candidate.whose.clone(), State::Live));
    next.whose = candidate.whose.clone();
    let join = match (live.and_then(Baseline::span), candidate.span) {
        (Some((_, last)), Some((first, _))) if last < first => Join::Apart,
        (None, _) => Join::Apart,
        _ => Join::Overlapping,
    };
    join_history(&mut next, candidate, join);
    let horizon = next.span.map(|(_, last)| last);
    let versions = next.versions.clone();
    let graces = super::version::graces(versions.iter().map(|(text, version)| (&**text, version)));
    let agent = agent.as_unescaped();
    let mut rules = Rules {
        is_first: live.is_none(),
        join,
        horizon,
        graces,
        approvals: decisions.approvals_of(agent).collect(),
        sensitive,
        held: Vec::new(),
        gone: BTreeMap::new(),
    };
    next.keys = rules.keys(live, candidate);
    next.tries = rules.tries(live, candidate);
    let Rules { mut held, gone, .. } = rules;
    if let Some(live) = live {
        recount_news(&mut next, live);
    }
    rates(&mut next, live, candidate, join, &mut held, &|pace| decisions.anchor_of(agent, pace));
    bury(&mut next, gone, horizon);
    let parent = live.map(|live| live.digest().into());
    next.history.push(Promoted { by: by.clone(), parent });
    let old = next.history.len().saturating_sub(HISTORY_MAX);
    next.history.drain(..old);
    next.fit();
    Ok(Promotion { next, held })
}

impl Baseline {
    /// An earlier live baseline, as what goes live instead of `live`: with what was known then, and the
    /// history of both. `by` says who takes it back, when, and why.
    ///
    /// # Errors
    /// [`PromotionError`], when the two are not live baselines of one agent.
    pub fn rolled_back(mut self, live: &Self, by: &Approval) -> Result<Self, PromotionError> {
        match (&self.whose, &live.whose) {
            (Whose::Agent { agent, .. }, Whose::Agent { agent: of_live, .. })
                if agent == of_live => {}
            (Whose::Agent { .. }, _) => return Err(PromotionError::OtherAgent),
            _ => return Err(PromotionError::NoAgent),
        }
        if self.state != State::Live || live.state != State::Live {
            return Err(PromotionError::WrongState);
        }
        let parent = Some(live.digest().into());
        self.history = live.history.clone();
        self.history.push(Promoted { by: by.clone(), parent });
        let old = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..old);
        self.fit();
        Ok(self)
    }
}

/// What is counted of all together: days, episodes, versions.
fn join_history(next: &mut Baseline, candidate: &Baseline, join: Join) {
    next.episodes = join.counts(next.episodes, candidate.episodes);
    next.span = match (next.span, candidate.span) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    };
    next.overflow.extend(&candidate.overflow);
    next.catalogue = candidate.catalogue.clone().or_else(|| next.catalogue.take());
    for (day, counts) in &candidate.days {
        next.days.entry(*day).or_default().widen(counts);
    }
    for (text, version) in &candidate.versions {
        next.versions
            .entry(text.clone())
            .and_modify(|known| known.join(version, join))
            .or_insert(*version);
    }
    while next.versions.len() > VERSIONS_MAX {
        let oldest = next.versions.iter().min_by_key(|(text, version)| (version.last, *text));
        let Some(oldest) = oldest.map(|(text, _)| text.clone()) else { break };
        next.versions.remove(&oldest);
    }
}

/// A candidate finds everything anew, also what the live baseline knows: what was news on a day is
/// counted from what is first seen now, but for the days that were counted before.
fn recount_news(next: &mut Baseline, live: &Baseline) {
    next.days.values_mut().for_each(|counts| counts.news = Default::default());
    next.count_news();
    for (day, before) in &live.days {
        if let Some(counts) = next.days.get_mut(day) {
            counts.news = before.news;
        }
    }
}

/// The paces: joined, and cut off at their ceilings.
fn rates(
    next: &mut Baseline,
    live: Option<&Baseline>,
    candidate: &Baseline,
    join: Join,
    held: &mut Vec<HeldBack>,
    decided: &dyn Fn(Pace) -> Option<u64>,
) {
    for window in RateWindow::ALL {
        for class in RateClass::ALL {
            let pace = (window, class);
            if let Some(anchor) = decided(pace) {
                next.anchors.insert(pace, anchor);
            }
            let Some(peaks) = candidate.peaks.get(&pace) else {
                // A lower anchor than before holds at once.
                clip(next, pace);
                continue;
            };
            let seen = peaks.max();
            let why = |why| HeldBack { what: Held::Rate(window, class), why };
            if !next.anchors.contains_key(&pace) {
                // Nothing of the kind was ever approved. Of calls, and of what they touch, it cannot be
                // more than all calls may be; bytes have no such bound.
                let all = next.anchors.get(&(window, RateClass::All)).copied();
                let bound = match live {
                    None => Some(seen),
                    Some(_) if class == RateClass::Bytes => None,
                    Some(_) => all.map(|all| all.min(seen)),
                };
                let Some(anchor) = bound else {
                    held.push(why(HoldReason::NoAnchor { seen }));
                    continue;
                };
                next.anchors.insert(pace, anchor);
            }
            let joined = next.peaks.entry(pace).or_default();
            match join {
                Join::Overlapping => joined.widen(peaks),
                Join::Parts | Join::Apart | Join::Agents => joined.add_all(peaks),
            }
            if let Some(ceiling) = clip(next, pace)
                && seen > ceiling
            {
                held.push(why(HoldReason::AboveAnchor { seen, ceiling }));
            }
        }
    }
}

/// Cuts a pace off at its ceiling, which is returned.
fn clip(next: &mut Baseline, pace: Pace) -> Option<u64> {
    let ceiling = ceiling(*next.anchors.get(&pace)?);
    if let Some(peaks) = next.peaks.get_mut(&pace) {
        peaks.clip(ceiling);
    }
    Some(ceiling)
}

/// Remembers what was forgotten, and no longer than that what was forgotten long ago or came back.
fn bury(next: &mut Baseline, gone: BTreeMap<KeyName, Gone>, horizon: Option<Day>) {
    next.gone.extend(gone);
    // So it is mostly, and nothing has to be looked up.
    if next.gone.is_empty() {
        return;
    }
    let mut known = std::collections::BTreeSet::new();
    next.each_fact(&mut |name, fact, _| {
        if fact.is_known() {
            known.insert(name.clone());
        }
    });
    next.gone.retain(|name, gone| {
        let is_recent =
            horizon.is_none_or(|horizon| horizon.since(gone.forgotten) < FORGOTTEN_AFTER_DAYS);
        is_recent && !known.contains(name)
    });
}

/// What decides about a value.
pub(crate) struct Rules<'a> {
    is_first: bool,
    pub(crate) join: Join,
    /// The last day that either of the two knows of: age and disuse are measured from there, so that
    /// an agent that rests forgets nothing.
    horizon: Option<Day>,
    graces: Vec<Grace<'a>>,
    approvals: Vec<(&'a KeyName, &'a Approval)>,
    sensitive: &'a dyn Fn(&Draw<'_>) -> bool,
    pub(crate) held: Vec<HeldBack>,
    gone: BTreeMap<KeyName, Gone>,
}

impl Rules<'_> {
    fn keys(&mut self, live: Option<&Baseline>, candidate: &Baseline) -> BTreeMap<KeyName, Fact> {
        let none = BTreeMap::new();
        let old = live.map_or(&none, |live| &live.keys);
        let mut next = BTreeMap::new();
        let new = candidate.keys.keys().filter(|name| !old.contains_key(name));
        let mut names: Vec<&KeyName> = old.keys().chain(new).collect();
        names.sort_unstable();
        for name in names {
            let Some(mut fact) = self.joined(old.get(name), candidate.keys.get(name)) else {
                continue;
            };
            if !fact.is_known()
                && let Some(known) = same_endpoint(old, name)
            {
                fact.provenance = known.provenance.clone();
            }
            self.decide(name, &mut fact, Above::Closed);
            if !self.forgets(name, &fact, old.contains_key(name)) {
                next.insert(name.clone(), fact);
            }
        }
        next
    }

    fn tries(
        &mut self,
        live: Option<&Baseline>,
        candidate: &Baseline,
    ) -> BTreeMap<Box<str>, super::trie::Node> {
        let none = BTreeMap::new();
        let old = live.map_or(&none, |live| &live.tries);
        let new = candidate.tries.keys().filter(|action| !old.contains_key(*action));
        let mut actions: Vec<&Box<str>> = old.keys().chain(new).collect();
        actions.sort_unstable();
        let mut next = BTreeMap::new();
        for action in actions {
            let mut name = KeyName::of(Family::Resource, action, "");
            let (old, new) = (old.get(action), candidate.tries.get(action));
            let mut grafting = Grafting { rules: self, name: &mut name };
            if let Some(root) = grafting.graft(old, new, Above::Closed) {
                next.insert(action.clone(), root);
            }
        }
        next
    }

    /// The fact of both, as strong as it was in the live one.
    pub(crate) fn joined(&self, old: Option<&Fact>, new: Option<&Fact>) -> Option<Fact> {
        match (old, new) {
            (Some(old), Some(new)) => {
                let mut fact = old.clone();
                // A candidate may have come from a baseline that knew more: not by this way.
                fact.join(&Fact { provenance: Provenance::Pending, ..new.clone() }, self.join);
                Some(fact)
            }
            (Some(old), None) => Some(old.clone()),
            (None, Some(new)) => Some(Fact { provenance: Provenance::Pending, ..new.clone() }),
            (None, None) => None,
        }
    }

    /// Makes a fact known if it may be, and says why where it may not. What is below something that
    /// is not known is not either, and needs no reason of its own.
    pub(crate) fn decide(&mut self, name: &KeyName, fact: &mut Fact, above: Above) {
        if fact.is_approved() {
            return;
        }
        if let Some(by) = self.approval(name) {
            fact.provenance = Provenance::Approved(Box::new(by.clone()));
            return;
        }
        if fact.is_known() || above == Above::Pending {
            return;
        }
        match self.judge(name, fact) {
            Ok(()) => fact.provenance = Provenance::Learned,
            // Nobody waits for it: where names keep coming, a new one is no news.
            Err(why) if above == Above::Open && why != HoldReason::Sensitive => {}
            Err(why) => self.held.push(HeldBack { what: Held::Key(name.clone()), why }),
        }
    }

    /// The approval of a value, of something above it, or of something below, which it leads to. The
    /// earliest, so that another one changes nothing.
    fn approval(&self, name: &KeyName) -> Option<&Approval> {
        let fitting = self.approvals.iter().filter(|(key, _)| {
            key.covers(name) || (name.family() == Family::Resource && name.covers(key))
        });
        fitting.map(|(_, by)| *by).min()
    }

    fn judge(&self, name: &KeyName, fact: &Fact) -> Result<(), HoldReason> {
        let value = name.shown_value();
        let raw = if name.family() == Family::Resource { &*value } else { &*name.value };
        let action = Some(&*name.action).filter(|action| !action.is_empty());
        if (self.sensitive)(&Draw { family: name.family(), action, value: raw }) {
            return Err(HoldReason::Sensitive);
        }
        if self.is_first {
            return Ok(());
        }
        if matches!(name.family(), Family::Region | Family::Network) {
            return Err(HoldReason::NeedsPerson);
        }
        let (days, episodes) = (fact.days.count(), fact.episodes);
        if self.graces.iter().any(|grace| grace.holds(fact.first.minute)) {
            let enough = episodes >= GRACE_PROMOTION_EPISODES;
            return if enough { Ok(()) } else { Err(HoldReason::TooRare { days, episodes }) };
        }
        if days < PROMOTION_DAYS || episodes < PROMOTION_EPISODES {
            return Err(HoldReason::TooRare { days, episodes });
        }
        let age = self.horizon.map_or(0, |day| day.since(Day::of_minute(fact.first.minute)));
        if age < PROMOTION_AGE_DAYS { Err(HoldReason::TooYoung { days: age }) } else { Ok(()) }
    }

    /// Whether a value has not been seen for so long that it is dropped. That it was known is
    /// remembered.
    pub(crate) fn forgets(&mut self, name: &KeyName, fact: &Fact, was_live: bool) -> bool {
        let Some(horizon) = self.horizon else { return false };
        let last = fact.days.last();
        if fact.is_approved() || horizon.since(last) < FORGOTTEN_AFTER_DAYS {
            return false;
        }
        if was_live && fact.is_known() {
            self.gone.insert(name.clone(), Gone { last, forgotten: horizon });
        }
        true
    }
}

/// What is known of an endpoint under its other name: with its account where `name` is without, or without
/// where it is with it. Whoever knows it by one knows it by the other.
fn same_endpoint<'f>(known: &'f BTreeMap<KeyName, Fact>, name: &KeyName) -> Option<&'f Fact> {
    let id = (name.family == Family::Network).then(|| Network::place(&name.value))?;
    let of_id = |it: &KeyName| it.family == name.family && it.value.starts_with(id);
    let alike = known.range(KeyName::of(name.family, "", id)..).take_while(|(it, _)| of_id(it));
    alike.filter(|(it, _)| it.covers(name)).map(|(_, fact)| fact).find(|fact| fact.is_known())
}

/// What is above a part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    /// It is known, and hardly anything new comes below it.
    Closed,
    /// It is known, and new parts below it are nothing new.
    Open,
    /// It is not known.
    Pending,
}
