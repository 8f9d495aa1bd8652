//! What is known of an agent's habits, and what a call means against them.

use tripline_baseline::{
    Baseline, Day, Draw, Family, Feature, Home, Knowledge, Known, LearnedVersions, Maturity,
    RateClass, RateWindow, Stage, Tail, Whose,
};
use tripline_detector::{
    Chain, Detail, Novelty, Peers, Reason, Standing, Verdict, explain, explain_pace,
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
    by_family: [Maturity; Family::COUNT],
    /// The share of visits to resources by actions that do each harm, in the order of [`Risk::ALL`].
    at_stake: [f64; Risk::ALL.len()],
    pub(crate) versions: LearnedVersions,
    /// The last day that was learned from.
    pub(crate) until: Option<Day>,
    /// The class of the agent that it is of.
    pub(crate) class: Option<Untrusted<'static>>,
    /// The baseline's own digest.
    pub(crate) digest: String,
}

impl Learned {
    pub(crate) fn new(baseline: &Baseline, hash_seed: u64) -> Self {
        let known = baseline.compile(hash_seed);
        Self {
            at_stake: at_stake(&known),
            known,
            maturity: baseline.maturity(),
            by_family: Family::ALL.map(|family| baseline.maturity_of(family)),
            versions: baseline.versions(),
            until: baseline.span().map(|(_, last)| last),
            class: match baseline.whose() {
                Whose::Agent { class, .. } => class.clone(),
                Whose::Class(_) | Whose::Fleet => None,
            },
            digest: baseline.digest(),
        }
    }

    /// The share of visits to resources by actions that do as much harm as this one.
    fn alike(&self, risks: Risks) -> f64 {
        let shares = Risk::ALL.into_iter().zip(self.at_stake);
        shares.filter(|(risk, _)| risks.contains(*risk)).map(|(_, share)| share).fold(0.0, f64::max)
    }

    /// What there is to a new resource that leaves what is known at a slot of so many visits.
    pub(crate) fn slot(&self, visits: u32, found: u32, risks: Risks) -> Detail {
        let open = (f64::from(found) + 0.02) / (f64::from(visits) + 1.0);
        let surprise = (self.known.slot_rate() / open).clamp(0.01, 1_000.0);
        Detail::Slot { surprise, alike: self.alike(risks) }
    }

    /// How many times twice the most that went out before, of the same kind; nothing if as much did.
    fn doublings(&self, draw: &Draw<'_>, home: &Home<'_>) -> Option<u32> {
        let bits = draw.value.parse::<u32>().ok()?;
        let known = |bits: u32| {
            let value = bits.to_string();
            self.known.knows(&Draw { value: &value, ..*draw }, home)
        };
        if (bits + 1..=64).any(known) {
            return None;
        }
        Some((0..bits).rev().find(|less| known(*less)).map_or(1, |less| bits - less))
    }

    fn of(&self, family: Family) -> Maturity {
        self.by_family.get(family as usize).copied().unwrap_or(self.maturity)
    }
}

/// What is known of one agent: by itself, by its class, by the fleet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits<'m> {
    pub(crate) own: Option<&'m Learned>,
    pub(crate) class: Option<&'m Learned>,
    pub(crate) fleet: Option<&'m Learned>,
}

/// A deployment brings new paces: within its grace what was learned is taken for so many times as much.
/// More is a loop, which comes with a new version more often than without.
const GRACE_TIMES: u64 = 3;

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
            Some(own) if own.known.knows(draw, home) => false,
            Some(own) if own.maturity.stage() > Stage::Immature => true,
            own => match self.class {
                Some(class) => !class.known.knows(draw, home),
                None => own.is_some(),
            },
        }
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

    /// What there is to a value that is new; nothing if it is none after all.
    pub(crate) fn novelty(
        &self,
        draw: &Draw<'_>,
        home: &Home<'_>,
        is_denied: bool,
        standing: Standing,
    ) -> Option<Novelty> {
        let first = self.own.or(self.class)?;
        let knowledge = first.known.ask(draw, home);
        let entry = entry_of(given(draw));
        // That it failed, or from where it came, does no harm by itself.
        let at_stake = matches!(draw.family, Family::Action | Family::Resource);
        let risks = entry.filter(|_| at_stake).map_or(Risks::default(), |entry| entry.risks());
        let detail = match (draw.family, knowledge) {
            (Family::Resource, Knowledge::Unexpected { visits, found }) => {
                first.slot(visits, found, risks)
            }
            (Family::Error, _) => Detail::Denied(is_denied),
            (Family::Bytes, _) => Detail::Doublings(first.doublings(draw, home)?),
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
        let own = self.own?;
        let times = if standing.in_grace { GRACE_TIMES } else { 1 };
        let (evidence, pairs) = (episode.evidence_mut(), own.known.paces());
        let before = evidence.pace();
        let mut rarest: Option<(f64, Exceeded)> = None;
        for it in &excess.all {
            let Some(tail) = own.known.tail(it.window, it.class) else { continue };
            let tail = Tail { limit: tail.limit.saturating_mul(times), ..tail };
            evidence.add_pace(it.nth(), &tail, it.count, pairs);
            let log_chance = tail.log_chance(it.count);
            if tail.is_excess(it.count) && rarest.is_none_or(|(least, _)| log_chance < least) {
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
    let (episodes, knowing) = match learned.known.ask(draw, home) {
        Knowledge::Known { episodes, agents } => (episodes, agents),
        _ => (0, 0),
    };
    let family = learned.of(draw.family);
    Peers {
        knowing: u64::from(knowing),
        // Itself is one of them.
        agents: u64::from(learned.known.agents().saturating_sub(1)),
        episodes: u64::from(episodes),
        draws: u64::from(family.draws),
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
