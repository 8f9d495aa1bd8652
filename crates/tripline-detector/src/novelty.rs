//! Something an agent was never learned to do, and what is to be told of it.

use std::fmt::{self, Write as _};

use tripline_baseline::{Family, Maturity, Stage};
use tripline_iam::{AccessLevel, Aims, Risk, Risks};

use crate::evidence::ACTIONS;

/// Something new, and how new it is.
#[derive(Clone, Copy, Debug)]
pub struct Novelty {
    /// What it is a value of.
    pub family: Family,
    /// The episodes that the agent was learned from.
    pub episodes: u64,
    /// In how many of them it was seen all the same, without becoming known: it waits for a person.
    pub seen: u64,
    /// How its class, without this agent, knows the value; none without a class, or without peers.
    pub class: Option<Peers>,
    /// How the whole fleet does.
    pub fleet: Option<Peers>,
    /// How deep the action reaches.
    pub level: Option<AccessLevel>,
    /// The harm that the action can do; of other values than actions and resources none is at stake.
    pub risks: Risks,
    /// What intruders were reported to use the action for.
    pub aims: Aims,
    /// What else there is to it.
    pub detail: Detail,
    /// Of a resource, and of what a new action is done to: whether anybody has heard of it, as far as that
    /// can be told.
    pub part: Option<Part>,
    /// What may lessen it.
    pub standing: Standing,
}

/// Whether some agent of the fleet knows a resource, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// Some do.
    HeardOf,
    /// No agent knows the part at which the name leaves what all of them know.
    UnheardOf {
        /// How likely an agent is to come there with one that no other knows.
        of_agent: f64,
        /// Whether known names went different ways before.
        is_further: bool,
    },
}

/// What is particular to a family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detail {
    /// Nothing.
    None,
    /// Of a resource: where it leaves what is known.
    Slot {
        /// How much rarer something new is at that place than at the places of all resources.
        surprise: f64,
        /// The share of visits to resources, of all of the agent's, by actions that do as much harm.
        alike: f64,
    },
    /// Of a network.
    Side {
        /// Whether it is one of the internet, and not of a VPC.
        is_outside: bool,
        /// How likely the agent is to come from outside, when it comes from elsewhere.
        of_agent: f64,
    },
    /// Of an error: whether it is a refusal.
    Denied(bool),
    /// Of bytes: how many times twice the most that went out.
    Doublings(u32),
}

/// What may lessen what a novelty means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the agent is known well enough for its silence to mean something.
    pub maturity: Maturity,
    /// Whether a new version of the agent was deployed a short while ago.
    pub in_grace: bool,
}

impl Standing {
    /// How far the agent is known.
    pub fn stage(&self) -> Stage {
        self.maturity.stage()
    }
}

/// How others know a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Agents that know it.
    pub knowing: u64,
    /// Agents in all.
    pub agents: u64,
    /// Of all values of the family, the agents that know each, added up.
    pub known: u64,
}

/// Of those that an intruder shows: whoever comes with a stolen key comes from elsewhere.
const INTRUDERS_UNHEARD_OF: f64 = 0.9;
/// Of them those that come over the internet. The others come through an endpoint of a VPC of their own,
/// to hide that they are elsewhere (hackingthe.cloud, "Bypass Credential Exfiltration Detection").
const INTRUDERS_OUTSIDE: f64 = 0.8;

/// Of what intruders lay hands on, the share that no agent works with: a bucket of its own, …
const INTRUDERS_PLACES: f64 = 0.4;
/// … and something else in one that agents work with.
const INTRUDERS_FURTHER: f64 = 0.1;

impl Part {
    /// How much likelier the agent is to show it than an intruder.
    ///
    /// Of what others know, how seldom an agent comes with something else is not asked: hardly ever, or
    /// it is nothing new there. What nobody knows weighs no less than that.
    pub fn ratio(self) -> f64 {
        let heard_of = 1.0 / (1.0 - INTRUDERS_PLACES - INTRUDERS_FURTHER);
        match self {
            Self::HeardOf => heard_of,
            Self::UnheardOf { of_agent, is_further } => {
                let of_intruder = if is_further { INTRUDERS_FURTHER } else { INTRUDERS_PLACES };
                (of_agent.clamp(0.001, 1.0) / of_intruder).min(heard_of)
            }
        }
    }
}

impl Novelty {
    /// Of the actions that are new to an agent: the shares that are as among its class, and as among the
    /// fleet, each as far as there is one; what is left may be any action.
    pub fn spread(has_class: bool, has_fleet: bool) -> (f64, f64) {
        match (has_class, has_fleet) {
            (true, true) => (0.6, 0.3),
            (true, false) => (0.6, 0.0),
            (false, true) => (0.0, 0.9),
            (false, false) => (0.0, 0.0),
        }
    }

    /// Of the errors that are new to an agent: the share that is refusals.
    pub const REFUSED: f64 = 0.3;

    /// Of the Regions, networks and tools that are new to an agent: the share that is new to its peers
    /// as well.
    pub fn unheard_of(family: Family) -> f64 {
        if family == Family::Region { 0.3 } else { 0.5 }
    }

    /// Given that a value of the family is new to the agent: how likely it is to be this one. Of
    /// families other than actions only in proportion to an intruder's bets on them, since what both
    /// have in common says nothing. What peers know is taken for new to the agent, all of it: what the
    /// agent knows of that is not taken out of the sum, so that a new action weighs more rather than less.
    pub(crate) fn base(&self) -> f64 {
        // What an agent finds next is not what others do most often, which one of them may do all day, but
        // what most others have found (the continuation counts of Kneser and Ney, ICASSP 1995).
        let share = |peers: Option<Peers>| {
            peers.map_or(0.0, |it| it.knowing as f64 / (it.known as f64).max(1.0))
        };
        let part = self.part.map_or(1.0, Part::ratio);
        match self.family {
            Family::Action => {
                let are_any = |peers: Option<Peers>| peers.is_some_and(|it| it.agents > 0);
                let (of_class, of_fleet) = Self::spread(are_any(self.class), are_any(self.fleet));
                let found = of_class * share(self.class)
                    + of_fleet * share(self.fleet)
                    + (1.0 - of_class - of_fleet) / ACTIONS;
                found * part
            }
            Family::Region | Family::Network | Family::UserAgent if self.has_peers() => {
                let unheard_of = Self::unheard_of(self.family);
                self.side()
                    * if self.is_heard_of() {
                        (1.0 - unheard_of) / (1.0 - INTRUDERS_UNHEARD_OF)
                    } else {
                        unheard_of / INTRUDERS_UNHEARD_OF
                    }
            }
            Family::Resource => part,
            _ => self.side(),
        }
    }

    /// Of a network: how much likelier the agent is to come from its side than an intruder. Work moves from
    /// one VPC to another, and hardly ever out of them; a stolen key is used from outside.
    fn side(&self) -> f64 {
        match self.detail {
            Detail::Side { is_outside: true, of_agent } => of_agent / INTRUDERS_OUTSIDE,
            Detail::Side { is_outside: false, of_agent } => {
                (1.0 - of_agent) / (1.0 - INTRUDERS_OUTSIDE)
            }
            _ => 1.0,
        }
    }

    /// How often the agent showed the value, if it was seen and waits to become known.
    pub(crate) fn pending_share(&self) -> f64 {
        self.seen as f64 / (self.episodes as f64 + 1.0)
    }

    fn has_peers(&self) -> bool {
        self.class.into_iter().chain(self.fleet).any(|peers| peers.agents > 0)
    }

    fn is_heard_of(&self) -> bool {
        self.class.into_iter().chain(self.fleet).any(|peers| peers.knowing > 0)
    }

    /// Whether it comes from where none of its peers comes from: a stolen credential does, and a deployment
    /// moves nobody there.
    pub fn is_foreign(&self) -> bool {
        self.family == Family::Network && self.has_peers() && !self.is_heard_of()
    }

    /// Whether it is an action that can do more harm than reading what is stored.
    pub fn is_harmful(&self) -> bool {
        self.family == Family::Action && self.risks.iter().any(|risk| risk != Risk::DataAccess)
    }
}

/// What a person should know of a novelty: how much the agent and its peers had done without it.
pub fn explain(novelty: &Novelty) -> String {
    let episodes = grouped(novelty.episodes);
    let mut text = match novelty.seen {
        0 => format!("new to agent (0 of {episodes} episodes)"),
        seen => format!("not approved (seen in {} of {episodes} episodes)", grouped(seen)),
    };
    for (peers, who) in [(novelty.class, "peers"), (novelty.fleet, "agents of the fleet")] {
        if let Some(Peers { knowing, agents, .. }) = peers {
            // INVARIANT: writing to a string does not fail.
            let _ = write!(text, ", {} of {} {who}", grouped(knowing), grouped(agents));
        }
    }
    // Where it lessens what is new it is no reason.
    match (novelty.part.filter(|part| part.ratio() < 1.0), novelty.family) {
        (None, _) => {}
        (Some(_), Family::Action) => {
            text.push_str(", done to what is known of no agent of any class")
        }
        (Some(_), _) => text.push_str(", known of no agent of any class"),
    }
    for risk in novelty.risks.iter().filter(|_| novelty.family == Family::Action) {
        let _ = write!(text, ", {risk}");
    }
    add_standing(&mut text, novelty.standing);
    text
}

/// The same of a rate above the highest that was learned.
pub fn explain_pace(
    what: &str,
    peak: u64,
    count: u64,
    episodes: u64,
    standing: Standing,
) -> String {
    let (count, peak) = (grouped(count), grouped(peak));
    let mut text = format!("{count} {what}; at most {peak} in {} episodes", grouped(episodes));
    add_standing(&mut text, standing);
    text
}

fn add_standing(text: &mut String, standing: Standing) {
    if standing.maturity.stage() != Stage::Mature {
        // INVARIANT: writing to a string does not fail.
        let _ = write!(text, "; {}", standing.maturity);
    }
    if standing.in_grace {
        text.push_str("; a new version was deployed");
    }
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let mut unit = 1_000_u64.pow(number.checked_ilog10().unwrap_or(0) / 3);
        write!(f, "{}", number / unit)?;
        while unit > 1 {
            unit /= 1_000;
            write!(f, ",{:03}", number / unit % 1_000)?;
        }
        Ok(())
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const MATURE: Maturity =
        Maturity { episodes: 4_212, days: 60, draws: 40_000, news: 60, is_whole: true };
    const LEARNING: Maturity = Maturity { episodes: 41, days: 9, draws: 900, news: 2, ..MATURE };
    const STANDING: Standing = Standing { maturity: MATURE, in_grace: false };

    pub(crate) fn peers(knowing: u64) -> Option<Peers> {
        Some(Peers { knowing, agents: 12, known: 240 })
    }

    pub(crate) fn novelty(family: Family, risks: Risks, knowing: u64) -> Novelty {
        Novelty {
            family,
            episodes: 4_212,
            seen: 0,
            class: peers(knowing),
            fleet: peers(knowing),
            level: None,
            risks,
            aims: Aims::default(),
            detail: match family {
                Family::Resource => Detail::Slot { surprise: 1.0, alike: 1.0 },
                Family::Error => Detail::Denied(true),
                Family::Bytes => Detail::Doublings(2),
                _ => Detail::None,
            },
            part: None,
            standing: STANDING,
        }
    }

    pub(crate) fn action(level: AccessLevel, risks: &[Risk]) -> Novelty {
        Novelty { level: Some(level), ..novelty(Family::Action, Risks::of(risks), 0) }
    }

    /// A Region, network or tool that nobody has heard of.
    pub(crate) fn around(family: Family) -> Novelty {
        novelty(family, Risks::default(), 0)
    }

    #[test]
    fn what_many_peers_found_out_is_found_next() {
        let known_by = |knowing| novelty(Family::Action, Risks::default(), knowing).base();
        assert!(known_by(6) > 5.0 * known_by(1) && known_by(1) > 100.0 * known_by(0));
        // All that any of them knows, and anything, are all there is.
        let all = (240.0 / 6.0) * (known_by(6) - known_by(0)) + 0.1;
        assert!((all - 1.0).abs() < 1e-9, "{all}");
    }

    #[test]
    fn who_always_called_from_a_vpc_is_not_expected_from_the_internet() {
        let from = |is_outside, of_agent| Novelty {
            detail: Detail::Side { is_outside, of_agent },
            ..around(Family::Network)
        };
        let unknown = around(Family::Network).base();
        assert!(from(true, 0.05).base() < unknown / 10.0);
        assert!(from(false, 0.05).base() > unknown * 4.0);
        // Who comes over the internet as often as intruders do tells nothing by that.
        assert!((from(true, INTRUDERS_OUTSIDE).base() - unknown).abs() < 1e-9);
    }

    #[test]
    fn what_no_agent_works_with_is_what_intruders_look_for() {
        let of = |family, part| Novelty { part, ..novelty(family, Risks::default(), 6) }.base();
        let unheard_of = |of_agent, is_further| Some(Part::UnheardOf { of_agent, is_further });
        for family in [Family::Action, Family::Resource] {
            let unknown = of(family, None);
            assert!(of(family, unheard_of(0.01, false)) < unknown / 30.0);
            // In a bucket of others something that nobody knows is less than a bucket that nobody knows.
            assert!(of(family, unheard_of(0.01, true)) > of(family, unheard_of(0.01, false)) * 3.0);
            // Where each agent has its own, it is nothing; nor is what others know, and that weighs least.
            let heard_of = of(family, Some(Part::HeardOf));
            assert!(of(family, unheard_of(0.9, false)) > unknown && heard_of > unknown);
            assert!(of(family, unheard_of(0.9, true)) <= heard_of);
        }
    }

    #[test]
    fn reasons_are_for_people() {
        let keys = Risks::of(&[Risk::CredentialExposure]);
        let mut new = novelty(Family::Action, keys, 0);
        assert_eq!(
            explain(&new),
            "new to agent (0 of 4,212 episodes), 0 of 12 peers, 0 of 12 agents of the fleet, credential exposure"
        );
        new.part = Some(Part::UnheardOf { of_agent: 0.01, is_further: false });
        assert!(explain(&new).ends_with(
            "of the fleet, done to what is known of no agent of any class, credential exposure"
        ));
        new.part = Some(Part::UnheardOf { of_agent: 0.9, is_further: false });
        assert!(!explain(&new).contains("any class"));
        (new.part, new.standing.maturity) = (None, LEARNING);
        (new.class, new.fleet) = (None, None);
        new.episodes = 41;
        assert_eq!(
            explain(&new),
            "new to agent (0 of 41 episodes), credential exposure; learning: 41 of 200 episodes"
        );
        new.seen = 3;
        assert_eq!(
            explain(&new),
            "not approved (seen in 3 of 41 episodes), credential exposure; learning: 41 of 200 episodes"
        );
        let standing = Standing { in_grace: true, ..STANDING };
        assert_eq!(
            explain_pace("calls within 10 s", 40, 1_200, 300, standing),
            "1,200 calls within 10 s; at most 40 in 300 episodes; a new version was deployed"
        );
    }
}
