//! A baseline made ready for questions: frozen, and fast.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use tripline_cloudtrail::keyed;
use tripline_iam::AccountId;

use super::baseline::{Baseline, State, Whose};
use super::discoveries::Discoveries;
use super::family::{Draw, Family, Home};
use super::keys::bounded;
use super::leaves::{Beyond, Leaves, Parts};
use super::rate::{PeakHistogram, RateClass, RateWindow};
use super::token::{STAR, Tokens, is_same};
use super::trie::{Node, is_open};
use crate::network::Network;

/// What a baseline knows of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// It is known.
    Known {
        /// In how many episodes it was seen.
        episodes: u32,
        /// How many agents know it; 1 in an agent's own baseline.
        agents: u32,
    },
    /// It is not known, but new values are nothing new here: a slot of names that keeps growing, or
    /// a family with more values than are kept.
    Open {
        /// How many episodes came to this slot.
        visits: u32,
        /// In how many of them something was new.
        found: u32,
    },
    /// It was seen, but waits for a person or for more days.
    Pending {
        /// In how many episodes it was seen.
        episodes: u32,
    },
    /// A resource that leaves what is known where hardly anything ever did.
    Unexpected {
        /// How many episodes came to this slot.
        visits: u32,
        /// In how many of them something was new.
        found: u32,
    },
    /// Never seen.
    New,
}

impl Knowledge {
    /// How many agents know it.
    fn agents(self) -> u32 {
        match self {
            Self::Known { agents, .. } => agents,
            _ => 0,
        }
    }

    /// Whether a person should hear of it.
    pub fn is_news(self) -> bool {
        match self {
            Self::Known { .. } | Self::Open { .. } => false,
            Self::Pending { .. } | Self::Unexpected { .. } | Self::New => true,
        }
    }
}

/// A value that is listed.
struct Value {
    family: Family,
    action: Box<str>,
    value: Box<str>,
    knowledge: Knowledge,
}

/// A node of a trie. Small, as the edges are: to walk through a trie costs what it takes to fetch it.
#[derive(Clone, Copy)]
struct Slot {
    visits: u32,
    found: u32,
    agents: u32,
    /// Where its edges are.
    from: u32,
    to: u32,
    /// [`NONE`] where it has none.
    star: u32,
    is_known: bool,
    /// Whether what comes next follows from the action.
    is_fixed: bool,
}

/// The fields of an ARN that follow from the action: `arn:`, the partition and the service.
const ARN_FIXED: u8 = 3;

fn is_of_arns(root: &Node) -> bool {
    root.children.keys().all(|token| &**token == "arn:")
}

/// What a slot that was never come to would have found, of one visit.
const FOUND_BEFORE: f64 = 0.02;

fn visits_and_finds(visits: u32, found: u32) -> (f64, f64) {
    (f64::from(visits) + 1.0, f64::from(found.saturating_sub(1)) + FOUND_BEFORE)
}

impl Slot {
    fn children(&self) -> usize {
        (self.to - self.from) as usize + usize::from(self.star != NONE)
    }
}

/// No slot: a baseline's text is a few megabytes at most.
const NONE: u32 = u32::MAX;

/// The way to a child, by its token.
#[derive(Clone, Copy)]
struct Edge {
    /// The first bytes of the token as a number, in the order of the tokens.
    prefix: u64,
    /// How long the token is, and where its text begins.
    len: u32,
    at: u32,
    slot: u32,
}

/// A baseline made ready for questions. It does not change; a promotion makes a new one.
///
/// An answer costs a hash look-up, of a resource one binary search a part of its name; nothing is
/// allocated but for values that are too long.
pub struct Known {
    hasher: RandomState,
    values: HashTable<Value>,
    /// By action.
    roots: HashTable<(Box<str>, u32)>,
    /// The magnitudes of bytes out that are known, by action: a bit each.
    magnitudes: HashTable<(Box<str>, u128)>,
    slots: Vec<Slot>,
    edges: Vec<Edge>,
    /// The texts of the tokens, one behind the other.
    tokens: String,
    limits: [[Option<u64>; RateClass::COUNT]; RateWindow::COUNT],
    tails: [[Option<Tail>; RateClass::COUNT]; RateWindow::COUNT],
    /// Visits of closed slots, and what was found in them, as [`Known::rate_of`] has it.
    closed: (f64, f64),
    discoveries: Discoveries,
    overflow: [bool; Family::COUNT],
    /// Of each family, the agents that know each of its values, added up.
    knowers: [u64; Family::COUNT],
    /// The same of networks inside and outside of VPCs.
    networks: [u64; 2],
    /// The foreign accounts whose endpoints are known.
    owners: BTreeSet<AccountId>,
    /// Of a class, the peaks of its agents.
    peaks: Option<Box<PeaksByPace>>,
    episodes: u32,
    agents: u32,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("values", &self.values.len())
            .field("slots", &self.slots.len())
            .field("episodes", &self.episodes)
            .finish_non_exhaustive()
    }
}

impl Baseline {
    /// The baseline made ready for questions. `hash_seed` keys its tables; no answer depends on it.
    pub fn compile(&self, hash_seed: u64) -> Known {
        let mut known = Known {
            hasher: keyed(hash_seed, 41),
            values: HashTable::with_capacity(self.keys.len()),
            roots: HashTable::new(),
            magnitudes: HashTable::new(),
            slots: Vec::new(),
            edges: Vec::new(),
            tokens: String::new(),
            limits: Default::default(),
            tails: Default::default(),
            closed: (0.0, 0.0),
            discoveries: self.discoveries(),
            overflow: Family::ALL.map(|family| self.overflow.contains(&family)),
            knowers: [0; Family::COUNT],
            networks: [0; 2],
            owners: BTreeSet::new(),
            peaks: None,
            episodes: self.episodes,
            agents: self.agents,
        };
        let mut networks: BTreeMap<&str, u32> = BTreeMap::new();
        for (name, fact) in &self.keys {
            let (episodes, agents) = (fact.episodes, fact.agents);
            let knowledge = match fact.is_known() {
                true => Knowledge::Known { episodes, agents },
                false => Knowledge::Pending { episodes },
            };
            match name.family {
                Family::Network if fact.is_known() => {
                    known.owners.extend(Network::owner(&name.value));
                    // An endpoint may be there with and without its account.
                    let knowers = networks.entry(Network::place(&name.value)).or_default();
                    *knowers = agents.max(*knowers);
                }
                family if fact.is_known() => known.add_knowers(family, agents),
                _ => {}
            }
            let action = name.action.clone();
            let value: Box<str> = place(name.family, &name.value).into();
            if name.family == Family::Bytes && fact.is_known() {
                known.add_magnitude(&action, &value);
            }
            known.add(Value { family: name.family, action, value, knowledge });
        }
        for (place, agents) in networks {
            known.add_knowers(Family::Network, agents);
            if let Some(is_outside) = Network::is_outside(place) {
                let [inside, outside] = &mut known.networks;
                *(if is_outside { outside } else { inside }) += u64::from(agents);
            }
        }
        for (action, root) in &self.tries {
            let fixed = if is_of_arns(root) { ARN_FIXED } else { 0 };
            let slot = known.plant(root, fixed);
            let hash = known.hasher.hash_one(&**action);
            let hasher = &known.hasher;
            known.roots.insert_unique(hash, (action.clone(), slot), |it| hasher.hash_one(&*it.0));
        }
        // Of a candidate nothing is known, its paces included.
        if self.state == State::Live {
            known.limits =
                RateWindow::ALL.map(|window| RateClass::ALL.map(|class| self.limit(window, class)));
            known.tails =
                RateWindow::ALL.map(|window| RateClass::ALL.map(|class| self.tail(window, class)));
        }
        if matches!(self.whose, Whose::Class(_)) {
            let peaks = |window, class| {
                self.peaks.get(&(window, class)).map(|peaks| ClassPeaks::of(peaks, self.episodes))
            };
            known.peaks = Some(Box::new(
                RateWindow::ALL.map(|window| RateClass::ALL.map(|class| peaks(window, class))),
            ));
        }
        known
    }

    fn tail(&self, window: RateWindow, class: RateClass) -> Option<Tail> {
        let peaks = self.peaks.get(&(window, class))?;
        let limit = self.limit(window, class)?;
        Some(Tail { limit, episodes: self.episodes, index: peaks.tail_index() })
    }

    /// The most that was learned in a window, and that the anchor allows; nothing where nothing was
    /// learned.
    fn limit(&self, window: RateWindow, class: RateClass) -> Option<u64> {
        let learned = self.peaks.get(&(window, class)).map(PeakHistogram::max)?;
        let anchor = self.anchors.get(&(window, class)).copied();
        Some(anchor.map_or(learned, |anchor| learned.min(super::promotion::ceiling(anchor))))
    }
}

/// How peaks beyond the highest that was learned are taken to thin out: as a power of the excess.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// The highest peak that is normal.
    pub limit: u64,
    /// The episodes that it is the highest of.
    pub episodes: u32,
    /// The index of the tail; the larger, the more a burst is to be expected.
    pub index: f64,
}

/// Peaks up to here are all alike.
const HANDFUL: u64 = 5;

impl Tail {
    /// Whether a count is one that means anything: a quarter more than the highest peak. Peaks come in
    /// bunches, over windows and kinds of calls, and the highest is passed by a little all the time.
    pub fn is_excess(&self, count: u64) -> bool {
        count > self.limit.max(HANDFUL).saturating_mul(5) / 4
    }

    /// log10 of the chance that an episode's peak reaches `count`, above the limit: its rank among the
    /// episodes learned, and from there on a Pareto tail (detector.md, section 2) or, where the agent has
    /// `peers`, theirs.
    pub fn log_chance(&self, count: u64, peers: Option<&ClassPeaks>) -> f64 {
        // One more where there were a handful is no burst.
        let excess = (count as f64 / self.limit.max(HANDFUL) as f64).max(1.0);
        let rank = -libm::log10(f64::from(self.episodes) + 1.0);
        let of_peers = peers.and_then(|peers| peers.log_chance(self.episodes, excess));
        match of_peers {
            Some(of_peers) => of_peers.min(rank),
            None => rank - libm::log10(excess) / self.index.max(0.01),
        }
    }
}

type PeaksByPace = [[Option<ClassPeaks>; RateClass::COUNT]; RateWindow::COUNT];

/// How often the episodes of the agents of a class come how high.
///
/// The highest peaks of one agent are a few dozen, and say little about how peaks beyond them thin out;
/// those of its class are as many for each of its agents.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassPeaks {
    /// `(lowest value of a bucket, episodes that reach it)`, in order.
    reaching: Box<[(u64, u32)]>,
    episodes: u32,
    highest: u64,
    /// That of the tail beyond the highest.
    index: f64,
}

impl ClassPeaks {
    fn of(peaks: &PeakHistogram, episodes: u32) -> Self {
        let mut left = peaks.episodes();
        let reaching = peaks.parts().map(|(low, count)| {
            let reaching = left;
            left = left.saturating_sub(count);
            (low, reaching)
        });
        let (highest, index) = (peaks.max(), peaks.tail_index());
        Self { reaching: reaching.collect(), episodes, highest, index }
    }

    /// log10 of the chance that a peak is so many times the highest of so many episodes of one agent: as
    /// rare as it is in the class to be so many times what as small a share of its episodes reach, since
    /// of two agents with the same job one may have twice as much to do. Nothing where the class is of one
    /// height.
    fn log_chance(&self, episodes: u32, times: f64) -> Option<f64> {
        let wanted = f64::from(self.episodes) / (f64::from(episodes) + 1.0);
        let places = self.reaching.partition_point(|(_, reaching)| f64::from(*reaching) >= wanted);
        let at = self.reaching.get(places.saturating_sub(1)).filter(|_| self.reaching.len() > 1)?;
        let value = at.0.max(HANDFUL) as f64 * times;
        let all = f64::from(self.episodes) + 1.0;
        let highest = self.highest.max(1) as f64;
        if value > highest {
            let beyond = libm::log10(value / highest) / self.index.max(0.01);
            return Some(-libm::log10(all) - beyond);
        }
        // All of the bucket that it is in: where in it episodes came to is not known.
        let behind = self.reaching.partition_point(|(low, _)| *low as f64 <= value);
        let (_, reaching) = self.reaching.get(behind.saturating_sub(1))?;
        Some(libm::log10((f64::from(*reaching) + 1.0) / all))
    }
}

impl Known {
    /// Adds a value. Of two, which only an endpoint with and without its account can be, the one that is
    /// known counts, or that more agents know.
    fn add(&mut self, value: Value) {
        let hasher = &self.hasher;
        let hash = |it: &Value| hasher.hash_one((it.family, &*it.action, &*it.value));
        let same = |it: &Value| {
            it.family == value.family && it.value == value.value && it.action == value.action
        };
        match self.values.entry(hash(&value), same, hash) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => {
                let known = &mut entry.get_mut().knowledge;
                if known.is_news() || known.agents() < value.knowledge.agents() {
                    *known = value.knowledge;
                }
            }
        }
    }

    fn add_knowers(&mut self, family: Family, agents: u32) {
        let knowers = self.knowers.get_mut(family.index());
        knowers.into_iter().for_each(|knowers| *knowers += u64::from(agents));
    }

    fn add_magnitude(&mut self, action: &str, value: &str) {
        let Some(bit) = value.parse().ok().and_then(|bits| 1_u128.checked_shl(bits)) else {
            return;
        };
        let hasher = &self.hasher;
        let entry = self.magnitudes.entry(
            hasher.hash_one(action),
            |(known, _)| is_same(known, action),
            |(known, _)| hasher.hash_one(&**known),
        );
        entry.or_insert_with(|| (action.into(), 0)).into_mut().1 |= bit;
    }

    /// Lays a node out with all below it; its slot. `fixed`: for how many fields of an ARN from here on the
    /// action leaves no choice.
    fn plant(&mut self, node: &Node, fixed: u8) -> u32 {
        let mut star = NONE;
        let mut edges = Vec::with_capacity(node.children.len());
        for (token, child) in &node.children {
            // `aws-cn:` is one field in two parts.
            let slot = self.plant(child, fixed.saturating_sub(u8::from(token.ends_with(':'))));
            if **token == *STAR {
                star = slot;
            } else {
                let (len, at) = (index(token.len()), index(self.tokens.len()));
                self.tokens.push_str(token);
                edges.push(Edge { prefix: prefix(token), len, at, slot });
            }
        }
        if fixed == 0 && !node.is_open() {
            let (visits, found) = visits_and_finds(node.fact.episodes, node.found);
            self.closed.0 += visits;
            self.closed.1 += found;
        }
        let from = index(self.edges.len());
        self.edges.extend(edges);
        self.slots.push(Slot {
            visits: node.fact.episodes,
            found: node.found,
            agents: node.fact.agents,
            is_known: node.fact.is_known(),
            is_fixed: fixed > 0,
            from,
            to: index(self.edges.len()),
            star,
        });
        index(self.slots.len() - 1)
    }

    /// How many episodes it was learned from.
    pub fn episodes(&self) -> u32 {
        self.episodes
    }

    /// How many agents it was learned from.
    pub fn agents(&self) -> u32 {
        self.agents
    }

    /// The agents that know each value of a family, added up: of all that its agents found out, by how
    /// many of them each was.
    pub fn knowers(&self, family: Family) -> u64 {
        self.knowers.get(family.index()).copied().unwrap_or(0)
    }

    /// What is known of a value that a call shows; `home` as when it was learned.
    pub fn ask(&self, draw: &Draw<'_>, home: &Home<'_>) -> Knowledge {
        if draw.family == Family::Resource {
            return self.ask_resource(draw, home).0;
        }
        let (action, value) = (draw.given(), bounded(draw.value));
        let value = place(draw.family, &value);
        let hash = self.hasher.hash_one((draw.family, action, value));
        let same = |it: &Value| {
            it.family == draw.family && is_same(&it.value, value) && is_same(&it.action, action)
        };
        match self.values.find(hash, same) {
            Some(value) => value.knowledge,
            None if self.overflow.get(draw.family.index()) == Some(&true) => {
                Knowledge::Open { visits: self.episodes, found: self.episodes }
            }
            None => Knowledge::New,
        }
    }

    /// Whether it is known, or new where new values are nothing new.
    pub fn knows(&self, draw: &Draw<'_>, home: &Home<'_>) -> bool {
        !self.ask(draw, home).is_news()
    }

    /// What is known of a resource, and of how many parts of its name.
    pub fn ask_resource(&self, draw: &Draw<'_>, home: &Home<'_>) -> (Knowledge, usize) {
        let hash = self.hasher.hash_one(draw.given());
        let Some(root) = self
            .roots
            .find(hash, |(action, _)| is_same(action, draw.given()))
            .and_then(|&(_, slot)| self.slots.get(slot as usize))
        else {
            // The action is new; then it is the news.
            return (Knowledge::Open { visits: 0, found: 0 }, 0);
        };
        if !root.is_known {
            return (Knowledge::Pending { episodes: root.visits }, 0);
        }
        let (mut slot, mut depth) = (root, 0);
        let mut tokens = Tokens::of(draw.value, home);
        while let Some(token) = tokens.advance() {
            let next = self.child(slot, token);
            let (visits, found) = (slot.visits, slot.found);
            let left = match next {
                Some(next) if next.is_known => {
                    (slot, depth) = (next, depth + 1);
                    continue;
                }
                // What it saw before itself is not for its peers to say.
                Some(_) if is_open(visits, found) => Knowledge::Open { visits: 0, found: 0 },
                None if is_open(visits, found) => Knowledge::Open { visits, found },
                Some(next) => Knowledge::Pending { episodes: next.visits },
                None => Knowledge::Unexpected { visits, found },
            };
            return (left, depth);
        }
        (Knowledge::Known { episodes: slot.visits, agents: slot.agents }, depth)
    }

    /// How many networks inside of VPCs its agents know, and how many outside, added up over the agents.
    pub fn networks(&self) -> (u64, u64) {
        let [inside, outside] = self.networks;
        (inside, outside)
    }

    /// Whether an endpoint of this account is known.
    pub fn knows_owner(&self, account: AccountId) -> bool {
        self.owners.contains(&account)
    }

    /// The peaks of its agents, where it is a class.
    pub fn peaks(&self, window: RateWindow, class: RateClass) -> Option<&ClassPeaks> {
        self.peaks.as_ref()?.get(window as usize)?.get(class as usize)?.as_ref()
    }

    /// The child of that token, else the one that stands for all there was no room for.
    fn child(&self, slot: &Slot, token: &str) -> Option<&Slot> {
        let edges = self.edges.get(slot.from as usize..slot.to as usize)?;
        let wanted = prefix(token);
        let from = match edges {
            [_] => 0,
            _ => edges.partition_point(|edge| edge.prefix < wanted),
        };
        let mut alike = edges.iter().skip(from).take_while(|edge| edge.prefix == wanted);
        // The prefix of a short token is all of it, but for how many zeros it ends with.
        let text = |edge: &Edge| self.tokens.get(edge.at as usize..)?.get(..edge.len as usize);
        let same = |edge: &&Edge| {
            edge.len as usize == token.len()
                && (token.len() <= 8 || text(edge).is_some_and(|text| is_same(text, token)))
        };
        let slot = alike.find(same).map_or(slot.star, |edge| edge.slot);
        self.slots.get(slot as usize)
    }

    /// How many times twice the most that went out by an action an amount is, both by their magnitudes, as
    /// [`Family::Bytes`] has them; nothing where as much is known.
    pub fn doublings(&self, action: &str, bits: u32) -> Option<u32> {
        let hash = self.hasher.hash_one(action);
        let known = self.magnitudes.find(hash, |(known, _)| is_same(known, action));
        let known = known.map_or(0, |(_, known)| *known);
        match known.checked_shr(bits).unwrap_or(0) {
            0 => Some(known.checked_ilog2().map_or(1, |most| bits - most)),
            _ => None,
        }
    }

    /// The most that is normal in a window; nothing where nothing was learned.
    pub fn limit(&self, window: RateWindow, class: RateClass) -> Option<u64> {
        *self.limits.get(window as usize)?.get(class as usize)?
    }

    /// How far above it a count is; nothing where nothing was learned.
    pub fn tail(&self, window: RateWindow, class: RateClass) -> Option<Tail> {
        *self.tails.get(window as usize)?.get(class as usize)?
    }

    /// How many pairs of a window and a class of calls anything was learned of.
    pub fn paces(&self) -> usize {
        self.tails.iter().flatten().flatten().count()
    }

    /// What was found, and when.
    pub fn discoveries(&self) -> &Discoveries {
        &self.discoveries
    }

    /// How often a visit to a closed slot of a resource's name finds something new.
    pub fn slot_rate(&self) -> f64 {
        match self.closed {
            (visits, found) if visits > 0.0 => found / visits,
            _ => Self::rate_of(0, 0),
        }
    }

    /// The same of one slot of so many visits, and so much found.
    ///
    /// Whoever comes to a slot first finds something in it, whatever it is: that is no discovery.
    pub fn rate_of(visits: u32, found: u32) -> f64 {
        let (visits, found) = visits_and_finds(visits, found);
        found / visits
    }

    /// Where a resource leaves all that the agents of a class know. Nothing where they never did such a
    /// thing.
    pub fn leaves(&self, draw: &Draw<'_>, home: &Home<'_>) -> Option<Leaves> {
        let hash = self.hasher.hash_one(draw.given());
        let root = self.roots.find(hash, |(action, _)| is_same(action, draw.given()));
        let mut slot = root.and_then(|&(_, slot)| self.slots.get(slot as usize))?;
        let mut leaves = Leaves { depth: 0, choices: 0, beyond: Beyond::All };
        let mut tokens = Tokens::of(draw.value, home);
        while let Some(token) = tokens.advance() {
            let next = self.child(slot, token);
            let others = slot.children() > usize::from(next.is_some());
            leaves.choices |= u32::from(others && !slot.is_fixed) << leaves.depth;
            let star = self.slots.get(slot.star as usize);
            match next {
                None => {
                    leaves.beyond = self.parts(slot).map_or(Beyond::Untold, Beyond::Others);
                    break;
                }
                Some(next) if star.is_some_and(|star| std::ptr::eq(star, next)) => {
                    leaves.beyond = Beyond::Untold;
                    break;
                }
                Some(next) => (slot, leaves.depth) = (next, leaves.depth + 1),
            }
        }
        Some(leaves)
    }

    /// What the agents of a class found at each slot of an action's resources.
    pub fn parts_of(&self, action: &str) -> impl Iterator<Item = Parts> {
        let hash = self.hasher.hash_one(action);
        let root = self.roots.find(hash, |(known, _)| is_same(known, action));
        let mut next: Vec<u32> = root.map(|(_, slot)| *slot).into_iter().collect();
        let slots = std::iter::from_fn(move || {
            let slot = self.slots.get(next.pop()? as usize)?;
            let edges = self.edges.get(slot.from as usize..slot.to as usize).unwrap_or_default();
            next.extend(edges.iter().map(|edge| edge.slot));
            Some(slot)
        });
        slots.filter(|slot| !slot.is_fixed).filter_map(|slot| self.parts(slot))
    }

    fn parts(&self, slot: &Slot) -> Option<Parts> {
        let edges = self.edges.get(slot.from as usize..slot.to as usize)?;
        let children = edges.iter().filter_map(|edge| self.slots.get(edge.slot as usize));
        let agents = children.map(|child| u64::from(child.agents));
        let (alone, all) = agents
            .fold((0, 0), |(alone, all), agents| (alone + u64::from(agents == 1), all + agents));
        // What there was no room for, one of them knew.
        let left_out = (slot.found as usize).saturating_sub(edges.len()) as u64;
        (slot.star == NONE).then_some(Parts {
            alone: alone + left_out,
            all: all + left_out,
            agents: u64::from(slot.agents),
        })
    }

    /// The closed slots of resources' names: the visits to each, and what was found in it.
    pub fn closed_slots(&self) -> impl Iterator<Item = (u32, u32)> {
        let slots = self.slots.iter().filter(|slot| !slot.is_fixed);
        slots
            .map(|slot| (slot.visits, slot.found))
            .filter(|(visits, found)| !is_open(*visits, *found))
    }

    /// The values of a family that are known, in no order.
    pub fn values_of(&self, family: Family) -> impl Iterator<Item = &str> {
        let is_known = |it: &&Value| matches!(it.knowledge, Knowledge::Known { .. });
        let of_family = self.values.iter().filter(move |it| it.family == family);
        of_family.filter(is_known).map(|it| &*it.value)
    }

    /// The actions that resources are known of, with the episodes that came to each.
    pub fn visits_by_action(&self) -> impl Iterator<Item = (&str, u32)> {
        let visits = |slot: &u32| self.slots.get(*slot as usize).map_or(0, |slot| slot.visits);
        self.roots.iter().map(move |(action, slot)| (&**action, visits(slot)))
    }

    /// Whether a count is above the most that is normal in a window; never where nothing was learned.
    pub fn exceeds(&self, window: RateWindow, class: RateClass, count: u64) -> bool {
        self.limit(window, class).is_some_and(|limit| count > limit)
    }
}

/// What a value is known by: an endpoint by its id alone.
fn place(family: Family, value: &str) -> &str {
    if family == Family::Network { Network::place(value) } else { value }
}

/// A place as it is kept.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(NONE)
}

/// The first eight bytes as a number that is in the order of the texts.
#[inline]
fn prefix(token: &str) -> u64 {
    if let Some(bytes) = token.as_bytes().first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let (mut number, mut free) = (0_u64, 64_u32);
    let mut rest = token.as_bytes();
    if let Some((bytes, after)) = rest.split_first_chunk() {
        free -= 32;
        number |= u64::from(u32::from_be_bytes(*bytes)) << free;
        rest = after;
    }
    if let Some((bytes, after)) = rest.split_first_chunk() {
        free -= 16;
        number |= u64::from(u16::from_be_bytes(*bytes)) << free;
        rest = after;
    }
    if let Some(byte) = rest.first() {
        number |= u64::from(*byte) << (free - 8);
    }
    number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_compared_with_the_most_that_went_out_by_the_same_action() {
        let mut known = Baseline::empty(Whose::Fleet, State::Live).compile(1);
        for (action, bits) in [("s3:GetObject", "0"), ("s3:GetObject", "12"), ("s3:Else", "64")] {
            known.add_magnitude(action, bits);
        }
        let more = |action, bits| known.doublings(action, bits);
        assert_eq!((more("s3:GetObject", 13), more("s3:GetObject", 64)), (Some(1), Some(52)));
        // As much is known, or more.
        assert_eq!((more("s3:GetObject", 12), more("s3:GetObject", 3)), (None, None));
        assert_eq!((more("s3:Else", 64), more("s3:Else", 0)), (None, None));
        // Nothing is: one more than nothing.
        assert_eq!(
            (more("s3:PutObject", 30), more("s3:GetObject", u32::MAX)),
            (Some(1), Some(u32::MAX - 12))
        );
    }

    #[test]
    fn beyond_its_own_peaks_an_agent_is_taken_for_its_peers() {
        let of = |peaks: &mut dyn Iterator<Item = u64>| {
            let mut histogram = PeakHistogram::default();
            peaks.for_each(|peak| histogram.add(peak));
            ClassPeaks::of(&histogram, histogram.episodes())
        };
        let tail = Tail { limit: 40, episodes: 499, index: 0.25 };
        let rank = -libm::log10(500.0);
        let alone = tail.log_chance(160, None);
        assert!((alone - (rank - 4.0 * libm::log10(4.0))).abs() < 1e-9);
        // Of peers that burst, four times as much is four times as rare, whatever their own height.
        let bursty = of(&mut (1..=2_000).map(|n| 20_000 / n));
        let among_bursty = tail.log_chance(160, Some(&bursty));
        assert!((rank - 0.9..rank - 0.3).contains(&among_bursty), "{among_bursty}");
        // Of peers that never come far above what is usual, it is rarer than any was seen.
        let calm = of(&mut (0..6_000).map(|n| 500 + n % 100));
        assert!(tail.log_chance(160, Some(&calm)) < -libm::log10(6_001.0) - 1.0);
        // Never less rare than the agent's own history says; and where all are of one height, its own counts.
        assert!(tail.log_chance(51, Some(&bursty)) <= rank);
        let same = of(&mut (0..6_000).map(|_| 40));
        assert_eq!(tail.log_chance(160, Some(&same)), alone);
    }

    proptest! {
        #[test]
        fn prefixes_are_in_the_order_of_the_texts(one in "\\PC{0,10}|[\0a]{0,9}", other in "\\PC{0,10}|[\0a]{0,9}") {
            if prefix(&one) < prefix(&other) {
                prop_assert!(one < other);
            }
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(one.bytes()).for_each(|(place, byte)| *place = byte);
            prop_assert_eq!(prefix(&one), u64::from_be_bytes(bytes));
        }
    }
}
