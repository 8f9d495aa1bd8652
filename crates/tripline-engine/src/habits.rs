//! What is known of an agent's habits, and what a call means against them.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use tripline_baseline::{
    Beyond, Day, Digested, Draw, Family, Feature, Home, Knowledge, Known, LearnedVersions, Leaves,
    Maturity, Network, RateClass, RateWindow, Stage, Tail, Whose,
};
use tripline_cloudtrail::keyed;
use tripline_detector::{
    Chain, Detail, Novelty, Part, Peers, Reason, Standing, Verdict, explain, explain_pace,
};
use tripline_iam::{Action, Catalogue, Entry, Risk, Risks};
use tripline_text::Untrusted;

use crate::open::OpenEpisode;
use crate::pace::{Exceeded, Excess};

/// A baseline made ready for questions.
#[derive(Debug)]
pub(crate) struct Learned {
    pub(crate) known: Known,
    pub(crate) maturity: Maturity,
    /// The share of visits to resources by actions that do each harm, in the order of [`Risk::ALL`].
    at_stake: [f64; Risk::ALL.len()],
    pub(crate) versions: LearnedVersions,
    /// The last day that was learned from.
    pub(crate) until: Option<Day>,
    /// The class of the agent that it is of.
    pub(crate) class: Option<Untrusted<'static>>,
    /// The baseline's own digest.
    pub(crate) digest: Box<str>,
}

impl Learned {
    pub(crate) fn new(digested: &Digested, hash_seed: u64) -> Self {
        let baseline = digested.baseline();
        let known = baseline.compile(hash_seed);
        Self {
            at_stake: at_stake(&known),
            known,
            maturity: baseline.maturity(),
            versions: baseline.versions(),
            until: baseline.span().map(|(_, last)| last),
            class: match baseline.whose() {
                Whose::Agent { class, .. } => class.clone(),
                Whose::Class(_) | Whose::Fleet => None,
            },
            digest: digested.digest().into(),
        }
    }

    /// The share of visits to resources by actions that do as much harm as this one.
    fn alike(&self, risks: Risks) -> f64 {
        let shares = Risk::ALL.into_iter().zip(self.at_stake);
        shares.filter(|(risk, _)| risks.contains(*risk)).map(|(_, share)| share).fold(0.0, f64::max)
    }

    /// What there is to a new resource that leaves what is known at a slot of so many visits.
    pub(crate) fn slot(&self, visits: u32, found: u32, risks: Risks) -> Detail {
        Detail::Slot { surprise: self.surprise(visits, found), alike: self.alike(risks) }
    }

    /// How much rarer something new is at such a slot than at closed ones as they are.
    fn surprise(&self, visits: u32, found: u32) -> f64 {
        (self.known.slot_rate() / Known::rate_of(visits, found)).clamp(0.01, 1_000.0)
    }
}

/// What is known of one agent: by itself, by its class, by the fleet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits<'m> {
    pub(crate) own: Option<&'m Learned>,
    pub(crate) class: Option<&'m Learned>,
    pub(crate) fleet: Option<&'m Learned>,
    /// All classes: what the fleet knows of resources.
    pub(crate) classes: &'m [Arc<Learned>],
}

/// A deployment brings new paces: within its grace what was learned is taken for so many times as much.
/// More is a loop, which comes with a new version more often than without.
const GRACE_TIMES: u64 = 3;

/// So many agents of a class say what is usual in it.
pub(crate) const PEERS_MIN: u32 = 5;
/// A slot that found so few parts may be one that finds no more: it takes another hundred visits for each
/// to tell.
const FOUND_FEW: u32 = 3;

impl<'m> Habits<'m> {
    /// Whether there is anything to compare with: the agent's own baseline, or its class's until it
    /// has one.
    pub(crate) fn is_known(&self) -> bool {
        self.own.or(self.class).is_some()
    }

    /// Whether a value is new: to the agent, and while it is hardly known, to its class too.
    #[inline]
    pub(crate) fn is_news(&self, draw: &Draw<'_>, home: &Home<'_>) -> bool {
        match self.own {
            Some(own)
                if draw.family == Family::Resource && own.maturity.stage() > Stage::Immature =>
            {
                let (knowledge, depth) = own.known.ask_resource(draw, home);
                knowledge.is_news() || self.closed_by_peers(draw, home, knowledge, depth)
            }
            Some(own) if own.known.knows(draw, home) => false,
            Some(own) if own.maturity.stage() > Stage::Immature => true,
            own => match self.class {
                Some(class) => !class.known.knows(draw, home),
                None => own.is_some(),
            },
        }
    }

    /// Its class, if that is enough agents to say what is usual among them.
    fn peers(&self) -> Option<&'m Learned> {
        self.class.filter(|class| class.known.agents() >= PEERS_MIN)
    }

    /// Whether a slot of names is open to the agent only because it came there too seldom to tell, and closed
    /// to its peers, none of whom knows the part either.
    fn closed_by_peers(
        &self,
        draw: &Draw<'_>,
        home: &Home<'_>,
        own: Knowledge,
        depth: usize,
    ) -> bool {
        let Knowledge::Open { visits: 1.., found: ..=FOUND_FEW } = own else { return false };
        self.peers().is_some_and(|peers| {
            let (knowledge, of_peers) = peers.known.ask_resource(draw, home);
            matches!(knowledge, Knowledge::Unexpected { .. }) && of_peers == depth
        })
    }

    /// Whether anybody of the fleet knows the part of a resource's name where it leaves what all of them
    /// know together; nothing where too few of them did such a thing to tell.
    pub(crate) fn part(&self, draw: &Draw<'_>, home: &Home<'_>) -> Option<Part> {
        let of_classes = self.classes.iter().filter_map(|class| class.known.leaves(draw, home));
        let leaves = of_classes.reduce(Leaves::and)?;
        let parts = match leaves.beyond() {
            Beyond::All => return Some(Part::HeardOf),
            Beyond::Untold => return None,
            Beyond::Others(parts) => parts,
        };
        let can_tell = parts.agents >= u64::from(PEERS_MIN);
        let (of_agent, is_further) = (parts.share_alone(), leaves.is_further());
        can_tell.then_some(Part::UnheardOf { of_agent, is_further })
    }

    /// How likely the agent is to come over the internet when it comes from elsewhere: as its own networks
    /// and those of its class are, the estimate of Krichevsky and Trofimov for the class and that as one
    /// network of the agent's.
    pub(crate) fn chance_of_outside(&self) -> f64 {
        let counts = |learned: Option<&Learned>| {
            let (inside, outside) = learned.map_or((0, 0), |it| it.known.networks());
            (outside as f64, (inside + outside) as f64)
        };
        let (outside, all) = counts(self.class);
        let of_class = (outside + 0.5) / (all + 1.0);
        let (outside, all) = counts(self.own);
        ((outside + of_class) / (all + 1.0)).clamp(0.05, 0.95)
    }

    /// Whether a network is outside of all VPCs that are one's own: see [`Network::is_outside`]. An endpoint
    /// in an account of which the agent or any of its peers knows another one is inside.
    fn is_outside(&self, key: &str) -> Option<bool> {
        let all = || [self.own, self.class, self.fleet].into_iter().flatten();
        let is_own = |owner| all().any(|learned| learned.known.knows_owner(owner));
        Some(Network::is_outside(key)? && !Network::owner(key).is_some_and(is_own))
    }

    /// The last day that any of it was learned from.
    pub(crate) fn until(&self) -> Option<Day> {
        let all = [self.own, self.class, self.fleet].into_iter().flatten();
        all.filter_map(|learned| learned.until).max()
    }

    /// How likely the agent is to show anything new.
    pub(crate) fn chain(&self) -> Option<Chain> {
        let own = self.own.or(self.class)?;
        let peers = self.class.or(self.fleet).map(|peers| peers.known.discoveries());
        Some(Chain::new(own.known.discoveries(), peers))
    }

    /// What may lessen whatever is new.
    pub(crate) fn standing(&self, in_grace: bool) -> Standing {
        let maturity = self.own.map_or(Maturity::default(), |own| own.maturity);
        Standing { maturity, in_grace }
    }

    /// What there is to a value that is new; nothing if it is none after all. `entry` is what the catalogue
    /// knows of the action that shows it.
    pub(crate) fn novelty(
        &self,
        draw: &Draw<'_>,
        home: &Home<'_>,
        is_denied: bool,
        standing: Standing,
        entry: Option<Entry>,
    ) -> Option<Novelty> {
        let first = self.own.or(self.class)?;
        let (knowledge, depth) = match draw.family {
            Family::Resource => first.known.ask_resource(draw, home),
            _ => (first.known.ask(draw, home), 0),
        };
        // That it failed, or from where it came, does no harm by itself.
        let at_stake = matches!(draw.family, Family::Action | Family::Resource);
        let risks = entry.filter(|_| at_stake).map_or(Risks::default(), |entry| entry.risks());
        let detail = match (draw.family, knowledge) {
            (Family::Resource, Knowledge::Unexpected { visits, found }) => {
                first.slot(visits, found, risks)
            }
            (Family::Resource, Knowledge::Open { visits, found })
                if self.closed_by_peers(draw, home, knowledge, depth) =>
            {
                first.slot(visits, found, risks)
            }
            (Family::Network, _) => match self.is_outside(draw.value) {
                Some(is_outside) => Detail::Side { is_outside, of_agent: self.chance_of_outside() },
                None => Detail::None,
            },
            (Family::Error, _) => Detail::Denied(is_denied),
            (Family::Bytes, _) => {
                let bits = draw.value.parse().ok()?;
                Detail::Doublings(first.known.doublings(given(draw), bits)?)
            }
            _ => Detail::None,
        };
        Some(Novelty {
            family: draw.family,
            episodes: u64::from(first.known.episodes()),
            seen: match knowledge {
                Knowledge::Pending { episodes } => u64::from(episodes),
                _ => 0,
            },
            class: self.class.map(|class| peers(class, draw, home)),
            fleet: self
                .fleet
                .filter(|_| draw.family != Family::Resource)
                .map(|it| peers(it, draw, home)),
            level: entry.map(|entry| entry.level()),
            risks,
            aims: entry.map(|entry| entry.aims()).unwrap_or_default(),
            detail,
            part: None,
            standing,
        })
    }

    /// Adds paces above every one that was learned to the evidence: the one that is to be told of them, and
    /// what all paces weigh, in hundredths, unless they weighed as much before.
    pub(crate) fn add_pace(
        &self,
        excess: &Excess,
        standing: Standing,
        episode: &mut OpenEpisode,
    ) -> Option<(Exceeded, f64)> {
        let (own, peers) = (self.own?, self.peers());
        let times = if standing.in_grace { GRACE_TIMES } else { 1 };
        let (evidence, pairs) = (episode.evidence_mut(), own.known.paces());
        let before = evidence.pace();
        let mut rarest: Option<(f64, Exceeded)> = None;
        for it in &excess.all {
            let Some(tail) = own.known.tail(it.window, it.class) else { continue };
            let tail = Tail { limit: tail.limit.saturating_mul(times), ..tail };
            if !tail.is_excess(it.count) {
                continue;
            }
            let peaks = peers.and_then(|peers| peers.known.peaks(it.window, it.class));
            let log_chance = tail.log_chance(it.count, peaks);
            evidence.add_pace(it.nth(), log_chance, pairs);
            if rarest.is_none_or(|(least, _)| log_chance < least) {
                rarest = Some((log_chance, *it));
            }
        }
        let weight = if evidence.pace() > before { evidence.pace() } else { 0.0 };
        let told = rarest.map_or(excess.worst, |(_, it)| it);
        Some((told, hundredths(weight)))
    }

    /// What is to be said of a pace that weighs so much.
    pub(crate) fn pace_reason(
        &self,
        exceeded: &Exceeded,
        weight: f64,
        standing: Standing,
    ) -> Option<Reason> {
        let own = self.own?;
        let Exceeded { window, class, count, limit } = *exceeded;
        let what = match (class, window) {
            (RateClass::All, RateWindow::Episode) => "calls in an episode".to_owned(),
            (RateClass::Bytes, RateWindow::Episode) => "bytes out in an episode".to_owned(),
            (RateClass::Resources, RateWindow::Episode) => {
                "different resources in an episode".to_owned()
            }
            (class, RateWindow::Episode) => format!("{class} calls in an episode"),
            (RateClass::All, window) => format!("calls within {window}"),
            (RateClass::Bytes, window) => format!("bytes out within {window}"),
            (RateClass::Resources, window) => format!("different resources within {window}"),
            (class, window) => format!("{class} calls within {window}"),
        };
        Some(Reason {
            verdict: Verdict::Normal,
            feature: Feature::Rate,
            value: Untrusted::new(format!("{class} {window}")),
            weight,
            detail: explain_pace(&what, limit, count, u64::from(own.known.episodes()), standing),
            invariant: None,
            technique: None,
        })
    }
}

/// What is to be said of a value that is new, and weighs so much; which verdict it is part of is seen
/// when all of the call is weighed.
pub(crate) fn reason(draw: &Draw<'_>, novelty: &Novelty, weight: f64) -> Reason {
    let entry = (draw.family == Family::Action).then(|| entry_of(draw.value)).flatten();
    let technique = entry.and_then(|it| it.techniques().next());
    Reason {
        verdict: Verdict::Normal,
        feature: feature(draw.family),
        value: Untrusted::new(match draw.family {
            Family::Error | Family::Bytes => format!("{} {}", given(draw), draw.value),
            _ => draw.value.to_owned(),
        }),
        weight: hundredths(weight),
        detail: explain(novelty),
        invariant: None,
        technique: technique.map(Into::into),
    }
}

/// In hundredths, so that the text is the value.
fn hundredths(weight: f64) -> f64 {
    (weight * 100.0).round() / 100.0
}

/// The action of a draw, or given which it was drawn.
fn given<'d>(draw: &'d Draw<'_>) -> &'d str {
    draw.action.unwrap_or(draw.value)
}

/// What the catalogue knows of the actions met so far: to find one in its text takes some microseconds.
#[derive(Debug)]
pub(crate) struct Entries {
    by_action: HashMap<Box<str>, Option<Entry>, RandomState>,
}

/// How many are kept; an agent knows a few dozen.
const ENTRIES_MAX: usize = 4_096;

impl Entries {
    /// None so far. `hash_seed` keys the table; no result depends on it.
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self { by_action: HashMap::with_hasher(keyed(hash_seed, 62)) }
    }

    /// What the catalogue knows of the action that shows a value.
    pub(crate) fn of(&mut self, draw: &Draw<'_>) -> Option<Entry> {
        let action = draw.action.or((draw.family == Family::Action).then_some(draw.value))?;
        if let Some(known) = self.by_action.get(action) {
            return *known;
        }
        if self.by_action.len() >= ENTRIES_MAX {
            self.by_action.clear();
        }
        *self.by_action.entry(action.into()).or_insert_with(|| entry_of(action))
    }
}

/// What the catalogue knows of an action.
pub(crate) fn entry_of(action: &str) -> Option<Entry> {
    Catalogue::find(&Action::parse(action).ok()?)
}

fn at_stake(known: &Known) -> [f64; Risk::ALL.len()] {
    let (mut visits, mut total) = ([0.0; Risk::ALL.len()], 0.0);
    for (action, count) in known.visits_by_action() {
        total += f64::from(count);
        let risks = entry_of(action).map_or(Risks::default(), |entry| entry.risks());
        for (risk, visits) in Risk::ALL.into_iter().zip(&mut visits) {
            *visits += if risks.contains(risk) { f64::from(count) } else { 0.0 };
        }
    }
    visits.map(|visits| visits / f64::max(total, 1.0))
}

fn peers(learned: &Learned, draw: &Draw<'_>, home: &Home<'_>) -> Peers {
    let knowing = match learned.known.ask(draw, home) {
        Knowledge::Known { agents, .. } => agents,
        _ => 0,
    };
    Peers {
        knowing: u64::from(knowing),
        // Itself is one of them.
        agents: u64::from(learned.known.agents().saturating_sub(1)),
        known: learned.known.knowers(draw.family),
    }
}

fn feature(family: Family) -> Feature {
    match family {
        Family::Action => Feature::Action,
        Family::Resource => Feature::Resource,
        Family::Region => Feature::Region,
        Family::Network => Feature::Network,
        Family::UserAgent => Feature::UserAgent,
        Family::Error => Feature::Error,
        Family::Bytes => Feature::Bytes,
    }
}

#[cfg(test)]
mod tests {
    use tripline_baseline::{
        Approval, Baseline, Counts, Decisions, EpisodeKey, Learner, Peers, promote,
    };
    use tripline_cloudtrail::EventTime;

    use super::*;

    const HOME: Home<'_> = Home { account: Some("123456789012"), region: Some("eu-west-1") };
    const BUCKET: &str = "arn:aws:s3:::exports/a.csv";

    fn draw<'d>(family: Family, value: &'d str) -> Draw<'d> {
        let action = (family == Family::Resource).then_some("s3:GetObject");
        Draw { family, action, value }
    }

    /// An agent that works forty times a day for twelve days, through an endpoint, and reads a bucket every
    /// eighth time.
    fn reader(name: &str) -> Baseline {
        reader_through(name, "vpce-1")
    }

    fn reader_through(name: &str, network: &str) -> Baseline {
        let agent = Untrusted::new(name.to_owned());
        let whose = Whose::Agent { agent, class: Some(Untrusted::borrowed("readers")) };
        let mut learner = Learner::new(whose, 1);
        let at = |secs: i64| EventTime::from_unix_secs(1_785_542_400 + secs).unwrap();
        for nth in 0..480 {
            let time = at(nth * 86_400 / 40);
            let start_minute = u32::try_from(time.unix_minutes()).unwrap();
            let episode = EpisodeKey { start_minute, root: nth as u64 };
            let reads = [draw(Family::Action, "s3:GetObject"), draw(Family::Resource, BUCKET)];
            let reads = reads.into_iter().filter(|_| nth % 8 == 0);
            let mut draws = reads.chain([draw(Family::Network, network)]);
            learner.call(episode, time, &Counts::default(), &HOME, &mut draws);
        }
        let by = Approval::new("somebody", at(12 * 86_400), "a test").unwrap();
        let decisions = Decisions::default();
        promote(None, &learner.finish(), &decisions, &|_| false, &by).unwrap().next
    }

    fn class(agents: u32) -> Learned {
        let mut peers = Peers::new(Some(Untrusted::borrowed("readers")));
        (0..agents).for_each(|nth| peers.add(&reader(&format!("reader-{nth}"))));
        Learned::new(&peers.finish(None).into(), 1)
    }

    #[test]
    fn what_an_agent_came_to_too_seldom_to_tell_its_peers_tell() {
        let own = Learned::new(&reader("reader-0").into(), 1);
        let resource = |value| draw(Family::Resource, value);
        let vault = "arn:aws:s3:::vault/a.csv";
        let (few, many) = (class(PEERS_MIN - 1), class(PEERS_MIN));
        let habits = |class| Habits { own: Some(&own), class, fleet: None, classes: &[] };
        // Sixty visits to one bucket do not tell that there is none beside it; those of five agents do.
        assert!(!habits(None).is_news(&resource(vault), &HOME));
        assert!(!habits(Some(&few)).is_news(&resource(vault), &HOME));
        let habits = habits(Some(&many));
        assert!(habits.is_news(&resource(vault), &HOME));
        assert!(!habits.is_news(&resource(BUCKET), &HOME));
        let standing = habits.standing(false);
        let entry = entry_of("s3:GetObject");
        let novelty = habits.novelty(&resource(vault), &HOME, false, standing, entry).unwrap();
        assert!(matches!(novelty.detail, Detail::Slot { surprise, .. } if surprise > 0.1));
        // Of an action that the agent never used, the action is the news.
        let other = Draw { action: Some("s3:PutObject"), ..resource(vault) };
        assert!(!habits.is_news(&other, &HOME));
    }

    #[test]
    fn somebody_elses_endpoint_weighs_as_the_internet_does() {
        let detail = |habits: &Habits<'_>, network| {
            let standing = habits.standing(false);
            let draw = draw(Family::Network, network);
            assert!(habits.is_news(&draw, &HOME), "{network}");
            habits.novelty(&draw, &HOME, false, standing, None).unwrap().detail
        };
        let (internet, theirs) = ("198.51.100.0/24", "vpce-2@444455556666");
        let (own, class) = (Learned::new(&reader("reader-0").into(), 1), class(6));
        let habits = Habits { own: Some(&own), class: Some(&class), ..Habits::default() };
        let outside = Detail::Side { is_outside: true, of_agent: 0.05 };
        let inside = Detail::Side { is_outside: false, of_agent: 0.05 };
        assert_eq!(detail(&habits, internet), outside);
        assert_eq!(detail(&habits, theirs), outside);
        assert_eq!(detail(&habits, "vpce-2"), inside);

        // Endpoints that a network account has for all are as one's own, and no stranger's are.
        let shared = "vpce-1@111122223333";
        let own = Learned::new(&reader_through("reader-0", shared).into(), 1);
        let mut peers = Peers::new(Some(Untrusted::borrowed("readers")));
        (0..6).for_each(|nth| peers.add(&reader_through(&format!("reader-{nth}"), shared)));
        let class = Learned::new(&peers.finish(None).into(), 1);
        let fresh = Learned::new(&reader("reader-0").into(), 1);
        for own in [&own, &fresh] {
            let habits = Habits { own: Some(own), class: Some(&class), ..Habits::default() };
            assert!(!habits.is_news(&draw(Family::Network, shared), &HOME));
            assert!(!habits.is_news(&draw(Family::Network, "vpce-1"), &HOME));
            assert_eq!(detail(&habits, "vpce-2@111122223333"), inside);
            assert_eq!(detail(&habits, theirs), outside);
            assert_eq!(detail(&habits, internet), outside);
        }
    }

    #[test]
    fn what_no_agent_of_any_class_works_with_is_told_from_what_another_does() {
        let classes = |agents| [Arc::new(class(agents))];
        let part = |classes: &[Arc<Learned>], value| {
            let resource = draw(Family::Resource, value);
            Habits { classes, ..Habits::default() }.part(&resource, &HOME)
        };
        let of = classes(6);
        assert_eq!(part(&of, BUCKET), Some(Part::HeardOf));
        let Some(Part::UnheardOf { of_agent, is_further }) = part(&of, "arn:aws:s3:::vault/a.csv")
        else {
            panic!("nobody knows it")
        };
        // Six agents, all of which know the one bucket.
        assert!((of_agent - 0.5 / 7.0).abs() < 1e-9 && !is_further);
        // Too few tell nothing; and an agent without a class has nobody to tell.
        assert_eq!(part(&classes(PEERS_MIN - 1), "arn:aws:s3:::vault/a.csv"), None);
        assert_eq!(part(&[], BUCKET), None);
        let other = draw(Family::Resource, BUCKET);
        let other = Draw { action: Some("s3:PutObject"), ..other };
        assert_eq!(Habits { classes: &of, ..Habits::default() }.part(&other, &HOME), None);
    }

    #[test]
    fn an_agent_comes_from_where_it_and_its_class_came_from() {
        let (own, class) = (Learned::new(&reader("reader-0").into(), 1), class(6));
        let alone = Habits { own: Some(&own), ..Habits::default() };
        assert!((alone.chance_of_outside() - 0.25).abs() < 1e-9);
        assert_eq!(Habits { class: Some(&class), ..alone }.chance_of_outside(), 0.05);
        assert_eq!(Habits::default().chance_of_outside(), 0.5);
    }
}
