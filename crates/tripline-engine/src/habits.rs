//! What is known of an agent's habits, and what a call means against them.

use tripline_baseline::{
    Baseline, Draw, Family, Feature, Home, Knowledge, Known, Maturity, RateClass, RateWindow, Stage,
};
use tripline_detector::{
    Habit, Novelty, Peers, Reason, Standing, explain, explain_rate, weigh, weigh_rate,
};
use tripline_iam::{Action, Catalogue, Risks};
use tripline_text::Untrusted;

use crate::pace::Exceeded;

/// A baseline made ready for questions.
#[derive(Debug)]
pub(crate) struct Learned {
    pub(crate) known: Known,
    maturity: Maturity,
    by_family: [Maturity; Family::COUNT],
    versions: Vec<Untrusted<'static>>,
    /// The baseline's own digest.
    pub(crate) digest: String,
}

impl Learned {
    pub(crate) fn new(baseline: &Baseline, hash_seed: u64) -> Self {
        Self {
            known: baseline.compile(hash_seed),
            maturity: baseline.maturity(),
            by_family: Family::ALL.map(|family| baseline.maturity_of(family)),
            versions: baseline.version_names().map(Untrusted::into_owned).collect(),
            digest: baseline.digest(),
        }
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

    /// What is to be said of a value that is new.
    pub(crate) fn reason(
        &self,
        draw: &Draw<'_>,
        home: &Home<'_>,
        in_grace: bool,
    ) -> Option<Reason> {
        let first = self.own.or(self.class)?;
        let knowledge = first.known.ask(draw, home);
        if draw.family == Family::Bytes && self.is_less(draw, home) {
            return None;
        }
        let given = draw.action.unwrap_or(draw.value);
        let found = Action::parse(given).ok().and_then(|action| Catalogue::find(&action));
        // That it failed, or from where it came, does no harm by itself.
        let at_stake = matches!(draw.family, Family::Action);
        let risks = found.filter(|_| at_stake).map_or(Risks::default(), |entry| entry.risks());
        let maturity = self.own.map_or(Maturity::default(), |own| own.maturity);
        let agent = self.own.map_or(Maturity::default(), |own| own.of(draw.family));
        let novelty = Novelty {
            family: draw.family,
            agent: Habit {
                episodes: u64::from(maturity.episodes),
                draws: u64::from(agent.draws),
                discoveries: u64::from(agent.news),
            },
            seen: match knowledge {
                Knowledge::Pending { episodes } => u64::from(episodes),
                _ => 0,
            },
            class: self.class.map(|class| peers(class, draw, home)),
            fleet: self
                .fleet
                .filter(|_| draw.family != Family::Resource)
                .map(|it| peers(it, draw, home)),
            risks,
            open: match knowledge {
                Knowledge::Unexpected { visits, found } => {
                    Some((f64::from(found) + 0.02) / (f64::from(visits) + 1.0))
                }
                _ => None,
            },
            standing: Standing { maturity, in_grace },
        };
        let weighed = weigh(&novelty);
        let technique = found.filter(|_| at_stake).and_then(|entry| entry.techniques().next());
        Some(Reason {
            verdict: weighed.verdict,
            feature: feature(draw.family),
            value: Untrusted::new(match draw.family {
                Family::Error | Family::Bytes => format!("{given} {}", draw.value),
                _ => draw.value.to_owned(),
            }),
            weight: weighed.weight,
            detail: explain(&novelty),
            invariant: None,
            technique: technique.map(Into::into),
        })
    }

    /// Whether more went out before, of the same kind: only more than ever is news.
    fn is_less(&self, draw: &Draw<'_>, home: &Home<'_>) -> bool {
        let Some(own) = self.own.or(self.class) else { return false };
        let Ok(bits) = draw.value.parse::<u32>() else { return false };
        (bits + 1..=64)
            .any(|more| own.known.knows(&Draw { value: &more.to_string(), ..*draw }, home))
    }

    /// What is to be said of a pace above every one that was learned.
    pub(crate) fn rate_reason(&self, exceeded: &Exceeded, in_grace: bool) -> Option<Reason> {
        let own = self.own?;
        let standing = Standing { maturity: own.maturity, in_grace };
        let episodes = u64::from(own.maturity.episodes);
        let Exceeded { window, class, count, limit } = *exceeded;
        let weighed = weigh_rate(limit, count, episodes, standing);
        let what = match (class, window) {
            (RateClass::All, RateWindow::Episode) => "calls in an episode".to_owned(),
            (RateClass::Bytes, RateWindow::Episode) => "bytes out in an episode".to_owned(),
            (class, RateWindow::Episode) => format!("{class} calls in an episode"),
            (RateClass::All, window) => format!("calls within {window}"),
            (RateClass::Bytes, window) => format!("bytes out within {window}"),
            (class, window) => format!("{class} calls within {window}"),
        };
        Some(Reason {
            verdict: weighed.verdict,
            feature: Feature::Rate,
            value: Untrusted::new(format!("{class} {window}")),
            weight: weighed.weight,
            detail: explain_rate(&what, limit, count, episodes, standing),
            invariant: None,
            technique: None,
        })
    }

    /// Whether the agent was learned while it ran this version.
    pub(crate) fn knows_version(&self, version: &Untrusted<'_>) -> bool {
        self.own.is_none_or(|own| own.versions.iter().any(|known| known == version.as_unescaped()))
    }
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
        discoveries: u64::from(family.news),
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
