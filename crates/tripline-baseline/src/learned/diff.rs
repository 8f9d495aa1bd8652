//! What changed between two baselines, for a person to read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tripline_text::{Untrusted, escape};

use super::baseline::{Baseline, Whose};
use super::day::Day;
use super::encode;
use super::family::{Draw, Family};
use super::key::{Fact, KeyName, Provenance};
use super::rate::{Pace, PeakHistogram};

/// How many parts of names are listed for one action; more are counted.
const PARTS_SHOWN_MAX: usize = 12;

/// What changed between two baselines. Its `Display` is several lines of text; what came from records
/// is percent-encoded in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineDiff {
    title: String,
    added: Vec<Line>,
    removed: Vec<Line>,
    changed: Vec<Line>,
    rates: Vec<String>,
    /// New parts of names where such parts keep coming.
    grown: usize,
    /// Values that both have, with other counts only.
    recounted: usize,
    same: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// The uppermost part that came or went.
    top: KeyName,
    /// How far down all of it is of one name.
    name: KeyName,
    is_sensitive: bool,
    what: String,
    /// How many parts hang below that came or went with it.
    below: usize,
}

impl BaselineDiff {
    /// What changed from one baseline to another. `sensitive` is asked as for a promotion.
    pub fn between(
        before: &Baseline,
        after: &Baseline,
        sensitive: &dyn Fn(&Draw<'_>) -> bool,
    ) -> Self {
        let (old, new) = (facts(before), facts(after));
        let mut diff = Self {
            title: title(before, after),
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            rates: rates(before, after),
            grown: 0,
            recounted: 0,
            same: 0,
        };
        let growing = growing(after);
        for (name, fact) in &new {
            match old.get(name) {
                None if !fact.is_known() && growing.contains(name) => diff.grown += 1,
                None => note(&mut diff.added, name, sensitive, || counted(fact)),
                Some(known) if standing(known) != standing(fact) => {
                    let what = format!("{} → {}", standing(known), standing(fact));
                    note(&mut diff.changed, name, sensitive, || what);
                }
                Some(known) if known == fact => diff.same += 1,
                Some(_) => diff.recounted += 1,
            }
        }
        for (name, fact) in &old {
            if !new.contains_key(name) {
                let forgotten = after.gone.contains_key(name);
                let last = fact.days.last();
                note(&mut diff.removed, name, sensitive, || match forgotten {
                    true => format!("forgotten, last seen {last}"),
                    false => format!("was {}, last seen {last}", standing(fact)),
                });
            }
        }
        diff
    }

    /// Whether nothing but counts differs.
    pub fn is_empty(&self) -> bool {
        [&self.added, &self.removed, &self.changed].iter().all(|lines| lines.is_empty())
            && self.rates.is_empty()
    }
}

/// Adds a line, unless it is below the last one and came or went with it.
fn note(
    lines: &mut Vec<Line>,
    name: &KeyName,
    sensitive: &dyn Fn(&Draw<'_>) -> bool,
    what: impl FnOnce() -> String,
) {
    let what = what();
    if name.family == Family::Resource
        && let Some(line) = lines.last_mut().filter(|line| line.top.covers(name))
    {
        if line.below == 0 && line.what == what && line.name.covers(name) {
            line.name = name.clone();
        } else {
            line.below += 1;
        }
        return;
    }
    let shown = name.shown_value();
    let value = if name.family == Family::Resource { &*shown } else { &*name.value };
    let action = Some(&*name.action).filter(|action| !action.is_empty());
    let is_sensitive = sensitive(&Draw { family: name.family, action, value });
    lines.push(Line { top: name.clone(), name: name.clone(), is_sensitive, what, below: 0 });
}

fn facts(baseline: &Baseline) -> BTreeMap<KeyName, Fact> {
    let mut facts = BTreeMap::new();
    baseline.each_fact(&mut |name, fact, _| {
        facts.insert(name.clone(), fact.clone());
    });
    facts
}

/// The parts of names that are below a known slot which keeps finding new ones.
fn growing(baseline: &Baseline) -> BTreeSet<KeyName> {
    let mut below = BTreeSet::new();
    baseline.each_fact(&mut |name, fact, node| {
        let Some(node) = node else { return };
        let is_below = below.contains(name);
        if is_below || (fact.is_known() && node.is_open()) {
            let pending = node.children.iter().filter(|(_, child)| !child.fact.is_known());
            below.extend(pending.map(|(token, _)| {
                KeyName::of(Family::Resource, &name.action, &[&*name.value, token].concat())
            }));
        }
    });
    below
}

fn standing(fact: &Fact) -> String {
    match &fact.provenance {
        Provenance::Pending => "pending".to_owned(),
        Provenance::Learned => "learned".to_owned(),
        Provenance::Approved(by) => {
            let (who, why) = (by.who(), by.why());
            format!("approved by {} ({})", escape::terminal(&who), escape::terminal(&why))
        }
    }
}

fn counted(fact: &Fact) -> String {
    let (episodes, days) = (fact.episodes, fact.days.count());
    let plural = |count: u32| if count == 1 { "" } else { "s" };
    let first = Day::of_minute(fact.first.minute);
    format!(
        "{}: {episodes} episode{} on {days} day{} since {first}",
        standing(fact),
        plural(episodes),
        plural(days)
    )
}

fn title(before: &Baseline, after: &Baseline) -> String {
    let name = match &after.whose {
        Whose::Agent { agent, .. } => format!("agent {}", shown(agent)),
        Whose::Class(class) => format!("class {}", shown(class)),
        Whose::Fleet => "fleet".to_owned(),
    };
    let learned = |baseline: &Baseline| match baseline.span {
        Some((first, last)) => format!("{first} to {last}, {} episodes", baseline.episodes),
        None => "nothing".to_owned(),
    };
    format!("{name}\n  before: {}\n  after:  {}", learned(before), learned(after))
}

fn shown(text: &Untrusted<'_>) -> String {
    encode::field(text.as_unescaped())
}

fn rates(before: &Baseline, after: &Baseline) -> Vec<String> {
    let mut paces: Vec<&Pace> = after.peaks.keys().chain(before.peaks.keys()).collect();
    paces.sort_unstable();
    paces.dedup();
    let max =
        |baseline: &Baseline, pace: &Pace| baseline.peaks.get(pace).map_or(0, PeakHistogram::max);
    let line = |pace: &Pace| {
        let (old, new) = (max(before, pace), max(after, pace));
        let anchors = (before.anchors.get(pace), after.anchors.get(pace));
        let anchor = match anchors {
            (Some(old), Some(new)) if old != new => format!(" (anchor {old} → {new})"),
            (None, Some(new)) => format!(" (new anchor {new})"),
            (_, Some(anchor)) if old != new => format!(" (anchor {anchor})"),
            _ => String::new(),
        };
        let (window, class) = pace;
        let changed = old != new || anchors.0 != anchors.1;
        changed.then(|| format!("{class:<12} {window:<8} {old} → {new}{anchor}"))
    };
    paces.into_iter().filter_map(line).collect()
}

impl fmt::Display for BaselineDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for (head, sign, lines) in [
            ("added", '+', &self.added),
            ("removed", '-', &self.removed),
            ("changed", '~', &self.changed),
        ] {
            if !lines.is_empty() {
                writeln!(f, "\n{head}")?;
                write_lines(f, sign, lines)?;
            }
        }
        if !self.rates.is_empty() {
            writeln!(f, "\nhighest paces")?;
            self.rates.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        f.write_str("\n")?;
        if self.grown > 0 {
            writeln!(f, "{} new parts of names where such parts keep coming", self.grown)?;
        }
        let (recounted, same) = (self.recounted, self.same);
        writeln!(f, "{recounted} values with new counts only, {same} the same")
    }
}

fn write_lines(f: &mut fmt::Formatter<'_>, sign: char, lines: &[Line]) -> fmt::Result {
    let mut rest = lines;
    while let Some(line) = rest.first() {
        let group = (line.name.family, &line.name.action);
        let len = rest.partition_point(|it| (it.name.family, &it.name.action) == group).max(1);
        let (same, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        rest = after;
        for line in same.iter().take(PARTS_SHOWN_MAX) {
            let mark = if line.is_sensitive { " [sensitive]" } else { "" };
            write!(f, "  {sign} {}{mark}  {}", line.name, line.what)?;
            match line.below {
                0 => writeln!(f)?,
                1 => writeln!(f, ", and 1 part below")?,
                below => writeln!(f, ", and {below} parts below")?,
            }
        }
        if let Some(more) = same.len().checked_sub(PARTS_SHOWN_MAX).filter(|&more| more > 0) {
            let given = match &**group.1 {
                "" => String::new(),
                action => format!(" {}", encode::field(action)),
            };
            writeln!(f, "    and {more} more of {}{given}", group.0.name())?;
        }
    }
    Ok(())
}
