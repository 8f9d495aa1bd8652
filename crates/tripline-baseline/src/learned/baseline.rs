//! What was learned of an agent, of a class of agents, or of the fleet.

use std::collections::{BTreeMap, BTreeSet};

use tripline_text::Untrusted;

use super::day::{Day, First};
use super::encode;
use super::family::Family;
use super::key::{Approval, KeyName, Provenance};
use super::rate::{Pace, PeakHistogram, RateClass, RateLimit, RateWindow};
use super::trie::{CHILDREN_MAX, Node};
use super::version::{Grace, LearnedVersions, Version, graces};

/// How large a text may be that is read as a baseline, in bytes. What is written stays far below it.
pub const BASELINE_BYTES_MAX: usize = 8 << 20;

/// How large the text of an agent's baseline grows, in bytes, but for what a person approved.
pub const AGENT_BYTES_MAX: usize = 256 << 10;

/// How large the text of a class's or the fleet's baseline grows, in bytes.
pub const CLASS_BYTES_MAX: usize = 2 << 20;

/// For how many days it is kept what each brought.
pub(crate) const DAYS_MAX: u32 = 90;

/// How many promotions a baseline remembers.
pub(crate) const HISTORY_MAX: usize = 30;

/// Whose baseline it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One agent's.
    Agent {
        /// Its name.
        agent: Untrusted<'static>,
        /// Its class, if it has one.
        class: Option<Untrusted<'static>>,
    },
    /// That of all agents of a class together.
    Class(Untrusted<'static>),
    /// That of all agents together; it has no resources, since those of one class tell nothing about
    /// another's.
    Fleet,
}

/// Whether anything of it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it was learned: nothing is known before it is promoted.
    Candidate,
    /// Promoted; what verdicts rest on. It does not change until the next promotion.
    Live,
}

/// What one day brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DayCounts {
    pub(crate) episodes: u32,
    /// First occurrences of a value in an episode, by family.
    pub(crate) draws: [u32; Family::COUNT],
    /// Those that were the very first of the value.
    pub(crate) news: [u32; Family::COUNT],
}

impl DayCounts {
    /// Those of two agents, or of two parts of one history.
    pub(crate) fn add(&mut self, other: &Self) {
        self.combine(other, u32::saturating_add);
    }

    /// Those of histories that may overlap.
    pub(crate) fn widen(&mut self, other: &Self) {
        self.combine(other, u32::max);
    }

    fn combine(&mut self, other: &Self, with: fn(u32, u32) -> u32) {
        self.episodes = with(self.episodes, other.episodes);
        for (count, more) in self.draws.iter_mut().zip(other.draws) {
            *count = with(*count, more);
        }
        for (count, more) in self.news.iter_mut().zip(other.news) {
            *count = with(*count, more);
        }
    }
}

/// A value that was known and has been forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The last day on which it was seen.
    pub(crate) last: Day,
    /// The day on which it was forgotten.
    pub(crate) forgotten: Day,
}

/// Who promoted it, when, why, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promoted {
    pub(crate) by: Approval,
    /// The digest of the baseline before; none for the first.
    pub(crate) parent: Option<Box<str>>,
}

/// A learned baseline: exact counts and sets, of which text is made, and [`super::Known`].
///
/// The text is sorted, one fact a line, and the same for the same history: see
/// `baselines/README.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    pub(crate) whose: Whose,
    pub(crate) state: State,
    /// How many agents it is of.
    pub(crate) agents: u32,
    /// The first and the last day of what was learned.
    pub(crate) span: Option<(Day, Day)>,
    pub(crate) episodes: u32,
    /// The version of the catalogue of actions that sensitivity was judged by.
    pub(crate) catalogue: Option<Box<str>>,
    pub(crate) history: Vec<Promoted>,
    pub(crate) versions: BTreeMap<Box<str>, Version>,
    /// The paces that the growth of rates is measured from.
    pub(crate) anchors: BTreeMap<Pace, u64>,
    pub(crate) days: BTreeMap<Day, DayCounts>,
    pub(crate) peaks: BTreeMap<Pace, PeakHistogram>,
    /// The families of which there were more values than are kept: what is not listed may have been
    /// seen all the same.
    pub(crate) overflow: BTreeSet<Family>,
    pub(crate) keys: BTreeMap<KeyName, super::key::Fact>,
    /// By action.
    pub(crate) tries: BTreeMap<Box<str>, Node>,
    pub(crate) gone: BTreeMap<KeyName, Gone>,
}

/// A baseline with its digest, which takes as long to find as the text takes to write.
#[derive(Clone, Debug)]
pub struct Digested {
    baseline: Baseline,
    digest: Box<str>,
}

impl Digested {
    /// `digest` is the baseline's.
    pub(crate) fn new(baseline: Baseline, digest: &str) -> Self {
        Self { baseline, digest: digest.into() }
    }

    /// The baseline.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// [`Baseline::digest`].
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The baseline alone.
    pub fn into_baseline(self) -> Baseline {
        self.baseline
    }
}

impl From<Baseline> for Digested {
    fn from(baseline: Baseline) -> Self {
        let digest = baseline.digest().into();
        Self { baseline, digest }
    }
}

impl Baseline {
    pub(crate) fn empty(whose: Whose, state: State) -> Self {
        Self {
            whose,
            state,
            agents: 1,
            span: None,
            episodes: 0,
            catalogue: None,
            history: Vec::new(),
            versions: BTreeMap::new(),
            anchors: BTreeMap::new(),
            days: BTreeMap::new(),
            peaks: BTreeMap::new(),
            overflow: BTreeSet::new(),
            keys: BTreeMap::new(),
            tries: BTreeMap::new(),
            gone: BTreeMap::new(),
        }
    }

    /// Whose it is.
    pub fn whose(&self) -> &Whose {
        &self.whose
    }

    /// Candidate or live.
    pub fn state(&self) -> State {
        self.state
    }

    /// How many agents it is of.
    pub fn agents(&self) -> u32 {
        self.agents
    }

    /// How many episodes it was learned from.
    pub fn episodes(&self) -> u32 {
        self.episodes
    }

    /// The first and the last day of what was learned; nothing if nothing was.
    pub fn span(&self) -> Option<(Day, Day)> {
        self.span
    }

    /// The version of the catalogue that it was made with.
    pub fn catalogue(&self) -> Option<Untrusted<'_>> {
        self.catalogue.as_deref().map(Untrusted::borrowed)
    }

    /// Names the version of the catalogue that it was made with; an empty text is none.
    #[must_use]
    pub fn with_catalogue(mut self, version: &str) -> Self {
        self.catalogue =
            Some(super::keys::bounded(version)).filter(|it| !it.is_empty()).map(|it| (*it).into());
        self
    }

    /// Its promotions, oldest first: who, when and why. At most the last 30 are remembered.
    pub fn promotions(&self) -> impl Iterator<Item = &Approval> {
        self.history.iter().map(|promoted| &promoted.by)
    }

    /// Every value, in order, with how it came in and the number of episodes; resources as the paths
    /// of their tries.
    pub fn each_key(&self, mut each: impl FnMut(&KeyName, &Provenance, u32)) {
        self.each_fact(&mut |name, fact, _| each(name, &fact.provenance, fact.episodes));
    }

    pub(crate) fn each_fact(
        &self,
        each: &mut dyn FnMut(&KeyName, &super::key::Fact, Option<&Node>),
    ) {
        for (name, fact) in &self.keys {
            each(name, fact, None);
        }
        for (action, root) in &self.tries {
            let mut name = KeyName::of(Family::Resource, action, "");
            each(&name, &root.fact, Some(root));
            root.walk(&mut String::new(), &mut |path, node| {
                name.value = path.into();
                each(&name, &node.fact, Some(node));
            });
        }
    }

    /// The learned paces as limits that a person understands, for the kinds of calls that there were.
    pub fn limits(&self) -> Vec<RateLimit> {
        let peak = |window, class| self.peaks.get(&(window, class)).map_or(0, PeakHistogram::max);
        let limits = RateClass::ALL.into_iter().map(|class| RateLimit {
            class,
            burst: peak(RateWindow::TenSeconds, class),
            per_hour: peak(RateWindow::Hour, class),
        });
        limits.filter(|limit| limit.burst > 0).collect()
    }

    /// The versions of the agent that it was learned from.
    pub fn versions(&self) -> LearnedVersions {
        LearnedVersions(self.versions.clone())
    }

    /// The graces that new versions of the agent opened, in order of time.
    pub fn graces(&self) -> Vec<Grace<'_>> {
        graces(self.versions.iter().map(|(text, version)| (&**text, version)))
    }

    /// Whether an agent of that version is in its grace at a minute: novelty that is not sensitive
    /// is then expected.
    pub fn grace_at(&self, version: &str, minute: u32) -> bool {
        let version = super::keys::bounded(version);
        self.graces().iter().any(|grace| grace.version == version && grace.holds(minute))
    }

    /// Counts, by day, the values that were seen for the first time on it.
    ///
    /// Of resources those are counted that a closed slot found: elsewhere new ones are nothing new.
    pub(crate) fn count_news(&mut self) {
        let mut firsts: Vec<(Family, First)> =
            self.keys.iter().map(|(name, fact)| (name.family, fact.first)).collect();
        for root in self.tries.values() {
            let mut note = |node: &Node| {
                let together: BTreeSet<First> = node.closed_firsts().collect();
                firsts.extend(together.into_iter().map(|first| (Family::Resource, first)));
            };
            note(root);
            root.walk(&mut String::new(), &mut |_, node| note(node));
        }
        for (family, first) in firsts {
            let day = self.days.get_mut(&Day::of_minute(first.minute));
            if let Some(count) = day.and_then(|day| day.news.get_mut(family.index())) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Makes it fit its text's limit, by the same steps always: fewer values of each family are kept,
    /// those with most episodes, and more resources go into `{*}`. What a person approved stays.
    pub(crate) fn fit(&mut self) {
        let bytes_max = match self.whose {
            Whose::Agent { .. } => AGENT_BYTES_MAX,
            Whose::Class(_) | Whose::Fleet => CLASS_BYTES_MAX,
        };
        self.prune_days();
        let steps = [(32, 1_000), (16, 500), (8, 250), (4, 120), (2, 60), (1, 30), (0, 15)];
        self.fold(CHILDREN_MAX, usize::MAX);
        for (children, values) in steps {
            if self.fits(bytes_max) {
                return;
            }
            self.fold(children, values);
            self.gone.clear();
        }
        if !self.fits(bytes_max) {
            self.peaks.values_mut().for_each(PeakHistogram::flatten);
        }
    }

    fn prune_days(&mut self) {
        if let Some((_, last)) = self.span {
            self.days.retain(|day, _| last.since(*day) < DAYS_MAX);
        }
    }

    fn fits(&self, bytes_max: usize) -> bool {
        // An upper bound: only what may be too large is written out to be measured.
        let texts = |by: &Approval| encode::bytes_max(&by.who) + encode::bytes_max(&by.why);
        let mut bound = 8_192 + 200 * self.days.len() + 720 * self.versions.len();
        bound += self.history.iter().map(|promoted| 128 + texts(&promoted.by)).sum::<usize>();
        self.each_fact(&mut |name, fact, _| {
            let why = match &fact.provenance {
                Provenance::Approved(by) => texts(by),
                Provenance::Pending | Provenance::Learned => 0,
            };
            bound += 160 + why + encode::bytes_max(&name.action) + encode::bytes_max(&name.value);
        });
        bound += self
            .gone
            .keys()
            .map(|name| 64 + 5 * (name.action.len() + name.value.len()))
            .sum::<usize>();
        bound += self.peaks.values().map(|it| 64 + 24 * it.parts().count()).sum::<usize>();
        bound <= bytes_max || self.to_text().len() <= bytes_max
    }

    fn fold(&mut self, children: usize, values: usize) {
        self.tries.values_mut().for_each(|root| root.fold(children));
        for family in Family::ALL {
            if family == Family::Resource {
                let ranks = self.tries.iter().map(|(action, root)| (root.fact.rank(), action));
                for cut in beyond(ranks, values) {
                    self.tries.remove(&cut);
                    self.overflow.insert(family);
                }
                continue;
            }
            let keys = self.keys.iter().filter(|(name, _)| name.family == family);
            for cut in beyond(keys.map(|(name, fact)| (fact.rank(), name)), values) {
                self.keys.remove(&cut);
                self.overflow.insert(family);
            }
        }
    }
}

/// The names beyond the first `kept`, by rank and then by name; what a person approved is never one.
fn beyond<'n, N: Ord + Clone + 'n>(
    ranks: impl Iterator<Item = (super::key::Rank, &'n N)> + Clone,
    kept: usize,
) -> Vec<N> {
    // So it is nearly always, and nothing has to be put in order.
    if ranks.clone().nth(kept).is_none() {
        return Vec::new();
    }
    let mut ranks: Vec<_> = ranks.collect();
    ranks.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    let cut = ranks.into_iter().skip(kept).filter(|(rank, _)| !rank.is_approved());
    cut.map(|(_, name)| name.clone()).collect()
}
