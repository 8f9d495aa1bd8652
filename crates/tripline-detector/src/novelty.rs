//! How much it means that an agent does something that it was never learned to do.
//!
//! The weight is the logarithm of a likelihood ratio: how much more likely an intruder is to show
//! just this than the agent itself is. What the agent is likely to show is backed off from its own
//! habits to those of its class, of the fleet, and of anybody; what an intruder shows is a bet, placed
//! on what does harm. So severity is in the bet and not in the score, and costs no false alarms.
//!
//! One value at a time, and no more than a fence: how weights of one episode add up to a calibrated
//! kill is another matter.

use std::fmt::Write as _;

use tripline_baseline::{Family, Maturity, Stage};
use tripline_iam::{Risk, Risks};

use crate::verdict::Verdict;

/// Something new, and how new it is.
#[derive(Clone, Copy, Debug)]
pub struct Novelty {
    /// What it is a value of.
    pub family: Family,
    /// How often the agent shows something new in this family.
    pub agent: Habit,
    /// In how many episodes it was seen all the same, without becoming known: it waits for a person.
    pub seen: u64,
    /// How its class, without this agent, knows the value; none without a class, or without peers.
    pub class: Option<Peers>,
    /// How the whole fleet does.
    pub fleet: Option<Peers>,
    /// The harm that the action can do.
    pub risks: Risks,
    /// For a resource: how likely something new is at the place where it leaves what is known.
    pub open: Option<f64>,
    /// What may lessen it.
    pub standing: Standing,
}

/// What may lessen what a novelty means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the agent is known well enough for its silence to mean something.
    pub maturity: Maturity,
    /// Whether a new version of the agent was deployed a short while ago.
    pub in_grace: bool,
}

/// How often an agent, in a family, shows something that it had not shown before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habit {
    /// Episodes learned.
    pub episodes: u64,
    /// Values drawn: each once an episode.
    pub draws: u64,
    /// Values drawn for the first time ever.
    pub discoveries: u64,
}

/// How others know a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Agents that know it.
    pub knowing: u64,
    /// Agents in all.
    pub agents: u64,
    /// How often they drew it.
    pub episodes: u64,
    /// How often they drew anything in the family.
    pub draws: u64,
    /// How often that was something new.
    pub discoveries: u64,
}

/// What a novelty weighs, and what it alone asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// log10 of the likelihood ratio, 0 to [`WEIGHT_MAX`]; in steps of a hundredth, so that its text
    /// is its value.
    pub weight: f64,
    /// The verdict.
    pub verdict: Verdict,
}

/// More than this no single value weighs: the model knows nothing of such small probabilities.
pub const WEIGHT_MAX: f64 = 6.0;

/// From here on somebody is told …
const ALERT_WEIGHT: f64 = 1.0;
/// … and from here on the agent is fenced in, if it is known well enough.
const FENCE_WEIGHT: f64 = 4.0;

/// How many draws of its class's habits an agent starts with (the recommended design's m).
const PRIOR_DRAWS: f64 = 500.0;
/// How often something new shows where nobody is known: one draw in twenty.
const PRIOR_HAZARD: f64 = 0.05;

/// How what is new spreads: as in the class, as in the fleet, as anything.
const CLASS_SHARE: f64 = 0.6;
const FLEET_SHARE: f64 = 0.3;
const ANYTHING_SHARE: f64 = 0.1;

/// Weighs a novelty. A function of its numbers alone.
pub fn weigh(novelty: &Novelty) -> Weighed {
    let hazard = hazard(novelty);
    let ratio = match novelty.family {
        Family::Action => {
            let bet = action_bet(novelty.risks);
            bet / (hazard * spread(novelty))
        }
        // How likely it is that an intruder shows something new there at all: whoever comes with a
        // stolen key comes from elsewhere, mostly by another tool; one who was talked into it does not.
        Family::Network => 0.3 / hazard,
        Family::Region | Family::UserAgent | Family::Error | Family::Bytes => 0.2 / hazard,
        Family::Resource => 0.4 / novelty.open.unwrap_or(hazard),
    };
    let shared = match novelty.family {
        Family::Action => 1.0,
        // What most peers know is hardly news.
        _ => 1.0 - known_share(novelty.class).max(known_share(novelty.fleet)),
    };
    let weight = (libm::log10(ratio) * shared).clamp(0.0, WEIGHT_MAX);
    let weight = libm::round(weight * 100.0) / 100.0;
    Weighed { weight, verdict: verdict(weight, novelty) }
}

fn verdict(weight: f64, novelty: &Novelty) -> Verdict {
    let harmful = novelty.risks.iter().any(|risk| risk != Risk::DataAccess);
    let Standing { maturity, in_grace } = novelty.standing;
    let stage = maturity.stage();
    if weight < ALERT_WEIGHT || (stage == Stage::Immature && !harmful) {
        return Verdict::Normal;
    }
    // A deployment brings new work; what does harm is asked about all the same.
    if in_grace && !harmful {
        return Verdict::Normal;
    }
    if weight >= FENCE_WEIGHT && harmful && stage == Stage::Mature && !in_grace {
        return Verdict::Fence;
    }
    Verdict::Alert
}

/// How often the agent shows something new: its own discoveries, and of its class's, else the
/// fleet's, as many as [`PRIOR_DRAWS`] draws would bring.
fn hazard(novelty: &Novelty) -> f64 {
    let others = novelty.class.or(novelty.fleet).filter(|peers| peers.draws > 0);
    let prior = others.map_or(PRIOR_HAZARD, |peers| {
        (peers.discoveries as f64 + 0.5) / (peers.draws as f64 + 1.0)
    });
    let Habit { draws, discoveries, .. } = novelty.agent;
    (discoveries as f64 + PRIOR_DRAWS * prior) / (draws as f64 + PRIOR_DRAWS)
}

/// Given that something new shows: how likely it is to be this.
fn spread(novelty: &Novelty) -> f64 {
    let share = |peers: Option<Peers>| {
        peers.map_or(0.0, |it| it.episodes as f64 / (it.draws as f64).max(1.0))
    };
    CLASS_SHARE * share(novelty.class)
        + FLEET_SHARE * share(novelty.fleet)
        + ANYTHING_SHARE / ACTIONS
}

fn known_share(peers: Option<Peers>) -> f64 {
    peers.map_or(0.0, |it| it.knowing as f64 / (it.agents as f64).max(1.0))
}

/// How many actions IAM has, and how many of them do each kind of harm, in round numbers: bets only
/// need the magnitude.
const ACTIONS: f64 = 18_000.0;
const HARMFUL_ACTIONS_EACH: f64 = 100.0;

/// An intruder's action: the bets are those of the recommended design (0.35 on privileges and
/// credentials, 0.2 on destruction and blinding, 0.15 on exposure, the rest on looking around and on
/// anything).
fn action_bet(risks: Risks) -> f64 {
    let bet = |risk| match risk {
        Risk::PrivilegeEscalation | Risk::CredentialExposure => 0.175,
        Risk::Destruction | Risk::DefenceEvasion => 0.1,
        Risk::ResourceExposure => 0.15,
        Risk::DataAccess => 0.1,
    };
    let anything = 0.2 / ACTIONS;
    risks.iter().fold(anything, |sum, risk| sum + bet(risk) / HARMFUL_ACTIONS_EACH)
}

/// How many pairs of a window and a class of calls are counted.
const RATES: f64 = 42.0;
/// More than two hundred episodes say no more of the tail: peaks of one task depend on each other.
const RANK_MAX: f64 = 2.3;

/// What a rate weighs that is above the highest of `episodes` learned.
///
/// That some highest peak is passed happens in one of `episodes` by chance alone, for each of the 42
/// pairs of a window and a class; beyond it the tail is taken to fall as slowly as that of a bursty
/// agent (index 1/0.5). So a rate alone, which a busy day explains, takes a fortyfold excess to weigh
/// like a new action.
pub fn weigh_rate(peak: u64, count: u64, episodes: u64, standing: Standing) -> Weighed {
    let excess = count as f64 / (peak as f64).max(1.0);
    let rank = libm::log10(episodes as f64 + 1.0).min(RANK_MAX) - libm::log10(RATES);
    let weight = (rank + 2.0 * libm::log10(excess)).clamp(0.0, WEIGHT_MAX);
    let weight = libm::round(weight * 100.0) / 100.0;
    let stage = standing.maturity.stage();
    let verdict = if weight < ALERT_WEIGHT || standing.in_grace || stage == Stage::Immature {
        Verdict::Normal
    } else if weight >= FENCE_WEIGHT && stage == Stage::Mature {
        Verdict::Fence
    } else {
        Verdict::Alert
    };
    Weighed { weight, verdict }
}

/// What a person should know of a novelty: how much the agent and its peers had done without it.
pub fn explain(novelty: &Novelty) -> String {
    let episodes = grouped(novelty.agent.episodes);
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
    for risk in novelty.risks.iter() {
        let _ = write!(text, ", {risk}");
    }
    add_standing(&mut text, novelty.standing);
    text
}

/// The same of a rate above the highest that was learned.
pub fn explain_rate(
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
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Habit = Habit { episodes: 4_212, draws: 40_000, discoveries: 60 };

    const MATURE: Maturity =
        Maturity { episodes: 4_212, days: 60, draws: 40_000, news: 60, is_whole: true };
    const LEARNING: Maturity = Maturity { episodes: 41, days: 9, draws: 900, news: 2, ..MATURE };
    const STANDING: Standing = Standing { maturity: MATURE, in_grace: false };

    fn peers(knowing: u64) -> Peers {
        let episodes = if knowing > 0 { 900 } else { 0 };
        Peers { knowing, agents: 12, episodes, draws: 400_000, discoveries: 700 }
    }

    fn novelty(family: Family, risks: Risks, knowing: u64) -> Novelty {
        let (class, fleet) = (Some(peers(knowing)), Some(peers(knowing)));
        let (agent, standing) = (CALM, STANDING);
        Novelty { family, agent, seen: 0, class, fleet, risks, open: None, standing }
    }

    #[test]
    fn harm_that_no_peer_does_is_fenced_and_what_peers_do_is_let_pass() {
        let keys = Risks::of(&[Risk::PrivilegeEscalation]);
        let unheard_of = weigh(&novelty(Family::Action, keys, 0));
        assert_eq!(unheard_of.verdict, Verdict::Fence);
        let of_peers = weigh(&novelty(Family::Action, keys, 9));
        assert!(of_peers.weight < unheard_of.weight && of_peers.verdict < Verdict::Fence);
        let harmless = weigh(&novelty(Family::Action, Risks::default(), 0));
        assert_eq!(harmless.verdict, Verdict::Alert);
        assert_eq!(weigh(&novelty(Family::Action, Risks::default(), 9)).verdict, Verdict::Normal);
    }

    #[test]
    fn an_agent_that_often_does_new_things_surprises_less() {
        let restless = Habit { discoveries: 4_000, ..CALM };
        let calm = novelty(Family::Network, Risks::default(), 0);
        let weight = |agent| weigh(&Novelty { agent, class: None, fleet: None, ..calm }).weight;
        assert!(weight(restless) < weight(CALM));
        let open = |open| {
            weigh(&Novelty { open: Some(open), ..novelty(Family::Resource, Risks::default(), 0) })
        };
        assert_eq!(open(0.5).verdict, Verdict::Normal);
        assert_eq!(open(0.0005).verdict, Verdict::Alert);
    }

    #[test]
    fn nobody_is_fenced_while_it_is_learned_and_a_deployment_is_given_its_time() {
        let keys = Risks::of(&[Risk::PrivilegeEscalation]);
        let mut new = novelty(Family::Action, keys, 0);
        new.standing.maturity = LEARNING;
        assert_eq!(weigh(&new).verdict, Verdict::Alert);
        new.standing = Standing { in_grace: true, ..STANDING };
        assert_eq!(weigh(&new).verdict, Verdict::Alert);
        new.risks = Risks::default();
        assert_eq!(weigh(&new).verdict, Verdict::Normal);
    }

    #[test]
    fn reasons_are_for_people() {
        let keys = Risks::of(&[Risk::CredentialExposure]);
        let mut new = novelty(Family::Action, keys, 0);
        assert_eq!(
            explain(&new),
            "new to agent (0 of 4,212 episodes), 0 of 12 peers, 0 of 12 agents of the fleet, credential exposure"
        );
        new.standing.maturity = LEARNING;
        (new.class, new.fleet) = (None, None);
        new.agent.episodes = 41;
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
            explain_rate("calls within 10 s", 40, 1_200, 300, standing),
            "1,200 calls within 10 s; at most 40 in 300 episodes; a new version was deployed"
        );
    }

    #[test]
    fn a_rate_alone_weighs_little() {
        let weight = |count| weigh_rate(40, count, 4_000, STANDING);
        assert_eq!(weight(41).verdict, Verdict::Normal);
        assert_eq!(weight(80).verdict, Verdict::Alert);
        assert_eq!(weight(400).verdict, Verdict::Alert);
        assert_eq!(weight(4_000).verdict, Verdict::Fence);
        // A handful of episodes has not seen the busiest day yet.
        assert_eq!(weigh_rate(40, 60, 5, STANDING).verdict, Verdict::Normal);
    }
}
