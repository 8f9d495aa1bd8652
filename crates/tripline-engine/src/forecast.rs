//! What the model itself expects of benign episodes, found out by drawing some.

use std::collections::BTreeMap;
use std::sync::Arc;

use tripline_baseline::{Draw, Family, Home, Knowledge, Known};
use tripline_detector::{
    Budgets, Calibration, Chain, Detail, Evidence, Forecast, Novelty, Part, Peers, Score, Standing,
    Verdict,
};
use tripline_iam::{Aims, Catalogue, Risks};

use crate::habits::{Habits, Learned, PEERS_MIN, entry_of};
use crate::model::Model;

/// So many episodes with something new are drawn. One in a thousand of them is what a line of a kill is
/// about: an error of some ten in a hundred of its chance, a few hundredths of a score.
const EPISODES: usize = 100_000;
/// So many are drawn of one agent, one after another: preparing it takes a while.
const OF_ONE: usize = 25;
/// An episode that goes on and on is as good as told by then.
const NOVELTIES_MAX: usize = 64;
/// So often another value is drawn where one is none that the agent can show.
const TRIES: usize = 16;
/// Any; that the same model gives the same forecast.
const SEED: u64 = 4_212;

impl Model {
    /// What the model expects of the agents that are known well enough to be killed, each with as many
    /// episodes as it had in the calibration; nothing if there is none, or if the history is too short for a
    /// kill of that budget anyway. Takes about a second.
    ///
    /// Agents are drawn as often as they show something new, and then an episode of the agent: how many
    /// new values, of which families, and which of them, as the evidence holds them to be likely.
    pub fn forecast(&self, calibration: &Calibration, budgets: &Budgets) -> Option<Forecast> {
        if !budgets.of(Verdict::Kill).is_some_and(|budget| calibration.certifies(budget)) {
            return None;
        }
        let mut known: Vec<(Habits<'_>, Chain, f64)> = Vec::new();
        let mut episodes = 0.0;
        for (agent, habits) in self.all_habits() {
            let Some((own, chain)) = habits.own.zip(habits.chain()) else { continue };
            let Some(scores) = calibration.agent(agent) else { continue };
            if own.maturity.is_armed_to_kill() {
                let of_own = scores.episodes as f64;
                episodes += of_own;
                known.push((habits, chain, of_own * chain.one_more(0)));
            }
        }
        let novel: f64 = known.iter().map(|(_, _, novel)| novel).sum();
        if novel <= 0.0 {
            return None;
        }
        let places = places(known.iter().map(|(habits, _, _)| habits.classes).next());
        let catalogue: Vec<&str> = Catalogue::iter().map(|entry| entry.name()).collect();
        let mut chance = fastrand::Rng::with_seed(SEED);
        let mut highest = Vec::with_capacity(EPISODES);
        // Every so many novel episodes, wherever that comes down: each agent has its share.
        let step = novel / (EPISODES / OF_ONE) as f64;
        let mut until = step / 2.0;
        for (habits, chain, of_own) in &known {
            let mut rounds = 0;
            while until < *of_own {
                until += step;
                rounds += 1;
            }
            until -= of_own;
            if rounds > 0 {
                let agent = Imagined::new(*habits, chain, &catalogue, &places);
                highest.extend((0..rounds * OF_ONE).map(|_| agent.episode(&mut chance)));
            }
        }
        Some(Forecast::new(novel / episodes, highest))
    }
}

/// An agent as the model has it.
struct Imagined<'a> {
    habits: Habits<'a>,
    chain: &'a Chain,
    /// Actions that are new to it: of its class, of the fleet.
    of_class: Choice<&'a str>,
    of_fleet: Choice<&'a str>,
    catalogue: &'a [&'a str],
    places: &'a Places<'a>,
    /// What there is to a new resource at each place where there may be one.
    slots: Choice<(u32, u32)>,
    /// The actions on resources.
    visits: Choice<&'a str>,
}

/// By action, how likely agents are to come to the slots of its resources with what nobody knows.
type Places<'a> = BTreeMap<&'a str, Choice<f64>>;

fn places(classes: Option<&[Arc<Learned>]>) -> Places<'_> {
    let mut all: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for class in classes.unwrap_or_default() {
        for (action, _) in class.known.visits_by_action() {
            let parts = class.known.parts_of(action);
            let parts = parts.filter(|parts| parts.agents >= u64::from(PEERS_MIN));
            all.entry(action)
                .or_default()
                .extend(parts.map(|it| (it.all as f64, it.share_alone())));
        }
    }
    all.into_iter().map(|(action, all)| (action, Choice::of(all.into_iter()))).collect()
}

/// What there is to choose from, each with the sum of all chances up to it.
struct Choice<T>(Vec<(f64, T)>);

impl<T: Copy> Choice<T> {
    fn of(all: impl Iterator<Item = (f64, T)>) -> Self {
        let mut sum = 0.0;
        Self(
            all.map(|(chance, it)| {
                sum += chance;
                (sum, it)
            })
            .collect(),
        )
    }

    fn pick(&self, chance: &mut fastrand::Rng) -> Option<T> {
        let (total, _) = self.0.last()?;
        let at = chance.f64() * total;
        let place = self.0.partition_point(|(sum, _)| *sum <= at);
        self.0.get(place).or(self.0.last()).map(|(_, it)| *it)
    }
}

const NOWHERE: Home<'_> = Home { account: None, region: None };

impl<'a> Imagined<'a> {
    fn new(
        habits: Habits<'a>,
        chain: &'a Chain,
        catalogue: &'a [&'a str],
        places: &'a Places<'a>,
    ) -> Self {
        let own = |value| habits.own.is_some_and(|own| own.known.knows(&drawn(value), &NOWHERE));
        let new_of = |peers: Option<&'a Learned>| {
            // In order, so that the same model gives the same draws.
            let mut values: Vec<&str> =
                peers.into_iter().flat_map(|it| it.known.values_of(Family::Action)).collect();
            values.retain(|value| !own(value));
            values.sort_unstable();
            Choice::of(values.into_iter().filter_map(|value| {
                match peers?.known.ask(&drawn(value), &NOWHERE) {
                    Knowledge::Known { agents, .. } => Some((f64::from(agents), value)),
                    _ => None,
                }
            }))
        };
        let known = habits.own.map(|own| &own.known);
        let mut visits: Vec<(&str, u32)> =
            known.into_iter().flat_map(|known| known.visits_by_action()).collect();
        visits.sort_unstable();
        Self {
            habits,
            chain,
            of_class: new_of(habits.class),
            of_fleet: new_of(habits.fleet),
            catalogue,
            places,
            slots: Choice::of(known.into_iter().flat_map(|known| known.closed_slots()).map(
                |it @ (visits, found)| (f64::from(visits) * Known::rate_of(visits, found), it),
            )),
            visits: Choice::of(visits.into_iter().map(|(action, it)| (f64::from(it), action))),
        }
    }

    /// How high an episode comes in which there is something new.
    fn episode(&self, chance: &mut fastrand::Rng) -> Score {
        // A pace as it may come: its weight is the logarithm of its chance.
        let pace = 1.0 - chance.f64();
        let mut evidence = Evidence::default().with_pace(-libm::log10(pace));
        let mut highest = Score::default();
        for shown in 0..NOVELTIES_MAX {
            if shown > 0 && chance.f64() >= self.chain.one_more(shown) {
                break;
            }
            // Of what it cannot show, such as new resources where all slots are open, it shows something else.
            let novelty = (0..TRIES).find_map(|_| self.novelty(chance));
            if let Some(novelty) = novelty {
                evidence.add(&novelty, self.chain);
                highest = highest.max(evidence.killing());
            }
        }
        highest
    }

    fn novelty(&self, chance: &mut fastrand::Rng) -> Option<Novelty> {
        let mut at = chance.f64();
        let family = Family::ALL.into_iter().find(|family| {
            at -= self.chain.family(*family);
            at < 0.0
        })?;
        let heard_of = chance.f64() >= Novelty::unheard_of(family);
        let peers = |learned: Option<&Learned>| {
            let agents = u64::from(learned?.known.agents().saturating_sub(1));
            Some(Peers { knowing: u64::from(heard_of).min(agents), agents, known: 0 })
        };
        let own = self.habits.own?;
        let (mut risks, mut part) = (Risks::default(), None);
        let detail = match family {
            Family::Action => return self.action(chance),
            Family::Resource => {
                let action = self.visits.pick(chance);
                part = action.and_then(|action| self.part(action, chance));
                let entry = action.and_then(entry_of);
                risks = entry.map_or(risks, |entry| entry.risks());
                let (visits, found) = self.slots.pick(chance)?;
                own.slot(visits, found, risks)
            }
            Family::Error => Detail::Denied(chance.f64() < Novelty::REFUSED),
            // Each doubling is half as likely as the one before.
            Family::Bytes => {
                Detail::Doublings((0..14).take_while(|_| chance.bool()).count() as u32 + 1)
            }
            Family::Network => {
                let of_agent = self.habits.chance_of_outside();
                Detail::Side { is_outside: chance.f64() < of_agent, of_agent }
            }
            Family::Region | Family::UserAgent => Detail::None,
        };
        Some(Novelty {
            family,
            episodes: u64::from(own.maturity.episodes),
            seen: 0,
            class: peers(self.habits.class),
            fleet: peers(self.habits.fleet),
            level: None,
            risks,
            aims: Aims::default(),
            detail,
            part,
            standing: self.standing(),
        })
    }

    fn action(&self, chance: &mut fastrand::Rng) -> Option<Novelty> {
        let are_any = |peers: Option<&Learned>| peers.is_some_and(|it| it.known.agents() > 1);
        let (of_class, of_fleet) =
            Novelty::spread(are_any(self.habits.class), are_any(self.habits.fleet));
        let at = chance.f64();
        // Where a class knows nothing that the agent does not, the fleet may.
        let from_class = (at < of_class).then(|| self.of_class.pick(chance)).flatten();
        let from_fleet =
            || (at < of_class + of_fleet).then(|| self.of_fleet.pick(chance)).flatten();
        let value = match from_class.or_else(from_fleet) {
            Some(value) => value,
            None => self.catalogue.get(chance.usize(0..self.catalogue.len().max(1)))?,
        };
        let draw = drawn(value);
        if !self.habits.is_news(&draw, &NOWHERE) {
            return None;
        }
        let novelty =
            self.habits.novelty(&draw, &NOWHERE, false, self.standing(), entry_of(value))?;
        Some(Novelty { part: self.part(value, chance), ..novelty })
    }

    /// Whether anybody has heard of what an action is done to: at one of the places where agents found
    /// anything, the more likely the more they found there.
    fn part(&self, action: &str, chance: &mut fastrand::Rng) -> Option<Part> {
        let of_agent = self.places.get(action)?.pick(chance)?;
        match chance.f64() < of_agent {
            true => Some(Part::UnheardOf { of_agent, is_further: false }),
            false => Some(Part::HeardOf),
        }
    }

    fn standing(&self) -> Standing {
        self.habits.standing(false)
    }
}

fn drawn(value: &str) -> Draw<'_> {
    Draw { family: Family::Action, action: None, value }
}
