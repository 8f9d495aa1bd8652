//! What an episode proves: how its novelties and paces add up to one number.
//!
//! Each new value multiplies the wealth of every [`Mode`] of attack by how much more likely an
//! intruder in that mode is to show it than the agent itself. What the agent is likely to show is a
//! [`Chain`] of its own past episodes, then its habits, its class's and the fleet's. The average over
//! the modes is a martingale as long as the model is right, so that it passes `1/α` in a share of at
//! most `α` of benign episodes (Ville), whenever one looks. How much rarer still the model takes it to
//! be is in `forecast.rs`; the other lock of a kill, which does not believe the model, in
//! `calibration.rs`.
//!
//! Values that are known never count, however often they come: what was done a thousand times proves
//! nothing either way, and an episode costs nothing until it shows something new.

mod chain;
mod mode;

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_baseline::Family;

pub use chain::Chain;
pub(crate) use mode::ACTIONS;
pub use mode::Mode;

use crate::novelty::Novelty;

/// More than this, log10, no single value weighs: the model knows nothing of such small chances.
pub const WEIGHT_MAX: f64 = 6.0;

/// How evidence is computed. A calibration made by another version holds for nothing.
pub const SCORING: u32 = 6;

/// The shares of the novelties and of the paces in the whole, log10 of 0.7 and 0.3: whichever is
/// stronger counts, and together they may not be wrong more often than one alone would.
const NOVELTY_SHARE: f64 = -0.155;
pub(crate) const PACE_SHARE: f64 = -0.523;

/// No pace is taken to be rarer, log10.
const PACE_MAX: f64 = 9.0;

/// How sure an intruder is to show one more new thing.
const GOES_ON: f64 = 0.95;
/// How much of a novelty may be the agent's own, in the middle of an attack: no single one costs a
/// mode more than this.
const OWN: f64 = 0.1;

/// A piece of evidence weighs something from here on, log10.
const PIECE: f64 = 1.0;
/// What is taken from evidence of a single piece before it kills, log10: one value must be three times as
/// strong as two pieces together, …
const ONE_VALUE: f64 = 0.5;
/// … and a pace ten times. How fast something is done is what regular work changes most.
pub(crate) const ONE_PACE: f64 = 1.0;

/// The evidence of one episode, as far as it has come. Its novelties and paces are to come in order of
/// time.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// log10 of each mode's wealth, by what it was won with.
    won: [[f64; Family::COUNT]; Mode::COUNT],
    /// How many values weigh something in each mode by themselves: were they the first of the episode,
    /// so that it does not matter which came first.
    pieces: [u32; Mode::COUNT],
    /// How many new values there were that do not wait for a person, …
    shown: usize,
    /// … and how many that were the work of a new version: they make more of it likelier, and nothing else.
    work: usize,
    /// How rare the strongest pace of each window and class of calls is, log10, by their number; in
    /// order, and only those that are rare.
    paces: Vec<(u16, f64)>,
    /// What all of them weigh together.
    pace: f64,
}

impl Default for Evidence {
    fn default() -> Self {
        let nothing = [[0.0; Family::COUNT]; Mode::COUNT];
        Self {
            won: nothing,
            pieces: [0; Mode::COUNT],
            shown: 0,
            work: 0,
            paces: Vec::new(),
            pace: 0.0,
        }
    }
}

impl Evidence {
    /// Adds a new value; what it weighs: its share of the evidence, log10, in the mode that leads
    /// then.
    pub fn add(&mut self, novelty: &Novelty, chain: &Chain) -> f64 {
        let given_new = (chain.family(novelty.family) * novelty.base()).max(f64::MIN_POSITIVE);
        // A value that was seen before, and waits for a person, is none of the chain's.
        let of_agent = |shown| chain.one_more(shown).max(novelty.pending_share() / given_new);
        let before = if chain.is_in_grace() { self.shown + self.work } else { self.shown };
        let (now, first) = (of_agent(before), of_agent(0));
        // Nor does it make another one likelier: the agent does it now and then, and nothing else.
        let shown = if chain.is_in_grace() { &mut self.work } else { &mut self.shown };
        *shown += usize::from(novelty.seen == 0);
        let weight = |mode: Mode, of_agent: f64| {
            let ratio = GOES_ON / of_agent * mode.ratio(novelty, given_new);
            libm::log10(OWN + (1.0 - OWN) * ratio).min(WEIGHT_MAX)
        };
        let weights = Mode::ALL.map(|mode| weight(mode, now));
        let places =
            self.won.iter_mut().zip(&mut self.pieces).zip(Mode::ALL.into_iter().zip(weights));
        for ((won, pieces), (mode, added)) in places {
            if let Some(won) = won.get_mut(novelty.family as usize) {
                *won += added;
            }
            *pieces = pieces.saturating_add(u32::from(weight(mode, first) >= PIECE));
        }
        weights.get(self.mode() as usize).copied().unwrap_or(0.0)
    }

    /// Adds a pace above every one that was learned, with a chance of `10^log_chance`, of the `nth` of
    /// `pairs` of a window and a class of calls; what all paces weigh then.
    ///
    /// Each of the pairs could have been the one, and a burst shows in many of them at once: the mean of
    /// `1/p` over all pairs is taken for one over the chance of all of it (the harmonic mean p-value:
    /// Wilson, PNAS 116, 2019), which is never more than that of the rarest one times their number.
    pub fn add_pace(&mut self, nth: u16, log_chance: f64, pairs: usize) -> f64 {
        let rare = (-log_chance).clamp(0.0, PACE_MAX);
        match self.paces.binary_search_by_key(&nth, |(nth, _)| *nth) {
            Ok(at) => {
                let Some((_, known)) = self.paces.get_mut(at) else { return self.pace };
                *known = known.max(rare);
            }
            Err(at) => self.paces.insert(at, (nth, rare)),
        }
        let sum: f64 = self.paces.iter().map(|(_, rare)| libm::exp10(*rare)).sum();
        self.pace = (libm::log10(sum) - libm::log10(pairs.max(1) as f64)).clamp(0.0, WEIGHT_MAX);
        self.pace
    }

    /// What all paces weigh together, log10.
    pub fn pace(&self) -> f64 {
        self.pace
    }

    /// With a pace of a chance of `10^-weight`, whatever it was.
    #[must_use]
    pub fn with_pace(self, weight: f64) -> Self {
        Self { pace: self.pace.max(weight.clamp(0.0, WEIGHT_MAX)), ..self }
    }

    /// The mode that explains the novelties best.
    pub fn mode(&self) -> Mode {
        self.leader(|_| true)
    }

    fn leader(&self, counts: impl Fn(Mode) -> bool) -> Mode {
        let best = Mode::ALL.into_iter().zip(self.wealth()).filter(|(mode, _)| counts(*mode));
        // Of equals the first.
        let by_wealth = |one: &(Mode, f64), other: &(Mode, f64)| {
            one.1.total_cmp(&other.1).then(other.0.cmp(&one.0))
        };
        best.max_by(by_wealth).map_or(Mode::Burst, |(mode, _)| mode)
    }

    /// How many pieces of evidence weigh something by themselves: values, in the mode of attack that leads,
    /// and the pace.
    pub fn pieces(&self) -> u32 {
        let mode = self.leader(|mode| mode != Mode::Burst);
        let values = self.pieces.get(mode as usize).copied().unwrap_or(0);
        values.saturating_add(u32::from(self.pace >= PIECE))
    }

    /// What all of it proves.
    pub fn score(&self) -> Score {
        Score::of(self.of_values(|_| true).max(self.of_pace()))
    }

    /// What of it counts for a kill: what some mode of attack explains, since many new things at once are
    /// what a deployment looks like as well; all of that if there are two pieces, and else a part.
    pub fn killing(&self) -> Score {
        let (values, pace) = match self.pieces() {
            0 | 1 => (ONE_VALUE, ONE_PACE),
            _ => (0.0, 0.0),
        };
        let values = self.of_values(|mode| mode != Mode::Burst) - values;
        Score::of(values.max(self.of_pace() - pace))
    }

    fn of_values(&self, counts: impl Fn(Mode) -> bool) -> f64 {
        let modes = || Mode::ALL.into_iter().zip(self.wealth()).filter(|(mode, _)| counts(*mode));
        let most = modes().map(|(_, log)| log).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = modes().map(|(mode, log)| mode.share() * libm::exp10(log - most)).sum();
        most + libm::log10(sum) + NOVELTY_SHARE
    }

    fn of_pace(&self) -> f64 {
        self.pace + PACE_SHARE
    }

    fn wealth(&self) -> [f64; Mode::COUNT] {
        self.won.map(|won| won.iter().sum())
    }
}

/// The strength of evidence, log10, in hundredths: that its text is its value, and that counts of
/// scores are counts of numbers. None is below 0, and none above [`Score::MAX`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u16")]
pub struct Score(u16);

impl TryFrom<u16> for Score {
    type Error = &'static str;

    fn try_from(hundredths: u16) -> Result<Self, Self::Error> {
        Self::from_hundredths(hundredths).ok_or("no score is above 30")
    }
}

impl Score {
    /// The highest: what is stronger is not told apart.
    pub const MAX: Self = Self(3_000);
    /// Ten to one.
    pub(crate) const TEN: Self = Self(100);

    /// The score nearest to a logarithm.
    pub fn of(log10: f64) -> Self {
        let hundredths = libm::round(log10 * 100.0).clamp(0.0, f64::from(Self::MAX.0));
        // In range by the clamp; what is no number at all is no evidence.
        Self(if hundredths.is_nan() { 0 } else { hundredths as u16 })
    }

    /// The score of so many hundredths; `None` above the highest.
    pub fn from_hundredths(hundredths: u16) -> Option<Self> {
        (hundredths <= Self::MAX.0).then_some(Self(hundredths))
    }

    /// In hundredths.
    pub fn hundredths(self) -> u16 {
        self.0
    }

    /// As a logarithm.
    pub fn log10(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// The next higher one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Score {
    /// As `4.31`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use tripline_baseline::{Discoveries, Tail};
    use tripline_iam::{AccessLevel, Risk, Risks};

    use super::*;
    use crate::novelty::tests::{action, around, novelty};

    fn calm() -> Chain {
        let mut found = Discoveries {
            came: [4_000.0, 40.0, 16.0, 10.0],
            went_on: [40.0, 16.0, 6.0, 4.0],
            by_family: [30.0, 30.0, 1.0, 2.0, 4.0, 20.0, 3.0],
        };
        found.by_family[0] += 1.0;
        Chain::new(&found, None)
    }

    #[test]
    fn nothing_proves_nothing() {
        let evidence = Evidence::default();
        assert_eq!((evidence.score(), evidence.pieces()), (Score::default(), 0));
    }

    #[test]
    fn a_stolen_key_is_told_by_where_it_is_used_and_what_for() {
        let mut evidence = Evidence::default();
        let chain = calm();
        evidence.add(&around(Family::Network), &chain);
        let first = evidence.score();
        evidence.add(&around(Family::UserAgent), &chain);
        evidence.add(&action(AccessLevel::Read, &[Risk::CredentialExposure]), &chain);
        assert_eq!(evidence.mode(), Mode::CredentialTheft);
        assert!(evidence.pieces() >= 2);
        assert!(evidence.killing() > Score::of(5.0) && evidence.killing() <= evidence.score());
        assert!(
            first < Score::of(3.0) && evidence.score() > Score::of(5.0),
            "{first} {}",
            evidence.score()
        );
    }

    #[test]
    fn many_new_things_at_once_count_for_no_kill() {
        // What a deployment brings: actions that half of the class knows.
        let mut evidence = Evidence::default();
        let mut known = action(AccessLevel::Write, &[]);
        known.class = crate::novelty::tests::peers(9);
        for _ in 0..12 {
            evidence.add(&known, &calm());
        }
        assert!(evidence.score() > Score::of(4.0), "{}", evidence.score());
        assert!(evidence.killing() < Score::of(1.0), "{}", evidence.killing());
    }

    #[test]
    fn each_mode_is_known_by_its_own_actions() {
        let of = |level, risks: &[Risk]| {
            let mut evidence = Evidence::default();
            evidence.add(&action(level, risks), &calm());
            evidence.add(&action(level, risks), &calm());
            evidence.mode()
        };
        assert_eq!(of(AccessLevel::List, &[]), Mode::Recon);
        assert_eq!(of(AccessLevel::Write, &[]), Mode::Hijacking);
        assert_eq!(of(AccessLevel::Write, &[Risk::PrivilegeEscalation]), Mode::Escalation);
        assert_eq!(of(AccessLevel::Write, &[Risk::Destruction]), Mode::Impact);
        assert_eq!(of(AccessLevel::Write, &[Risk::DefenceEvasion]), Mode::Impact);
        assert_eq!(of(AccessLevel::Read, &[Risk::DataAccess]), Mode::Exfiltration);
    }

    #[test]
    fn harm_proves_more_than_the_same_novelty_without() {
        let one = |it: Novelty| {
            let mut evidence = Evidence::default();
            evidence.add(&it, &calm());
            evidence.score()
        };
        let harmful = one(action(AccessLevel::Write, &[Risk::PrivilegeEscalation]));
        assert!(harmful > one(action(AccessLevel::Write, &[])));
        let mut of_peers = action(AccessLevel::Write, &[Risk::PrivilegeEscalation]);
        of_peers.class = crate::novelty::tests::peers(9);
        assert!(one(of_peers) < harmful);
        let mut pending = action(AccessLevel::Write, &[Risk::PrivilegeEscalation]);
        (pending.seen, pending.episodes) = (400, 4_000);
        assert_eq!(one(pending), Score::default());
    }

    #[test]
    fn what_waits_for_a_person_makes_nothing_else_likelier() {
        let escalates = action(AccessLevel::Write, &[Risk::PrivilegeEscalation]);
        let alone = Evidence::default().add(&escalates, &calm());
        let pending = Novelty { seen: 40, ..escalates };
        let mut evidence = Evidence::default();
        evidence.add(&pending, &calm());
        assert_eq!(evidence.add(&escalates, &calm()), alone);
        assert!(evidence.add(&escalates, &calm()) < alone);
    }

    #[test]
    fn the_work_of_a_new_version_makes_no_harm_likelier() {
        let escalates = action(AccessLevel::Write, &[Risk::PrivilegeEscalation]);
        let alone = Evidence::default().add(&escalates, &calm());
        let mut evidence = Evidence::default();
        let work = action(AccessLevel::Write, &[]);
        let first = evidence.add(&work, &calm().in_grace());
        assert!(evidence.add(&work, &calm().in_grace()) <= first);
        let before = evidence.wealth();
        evidence.add(&escalates, &calm());
        let won = evidence.wealth()[Mode::Escalation as usize] - before[Mode::Escalation as usize];
        assert!((won - alone).abs() < 1e-9, "{won} {alone}");
    }

    #[test]
    fn a_pace_alone_is_one_piece_and_must_be_ten_times_as_strong_to_kill() {
        let mut evidence = Evidence::default();
        let tail = Tail { limit: 40, episodes: 4_000, index: 0.25 };
        assert!(!tail.is_excess(50) && tail.is_excess(51));
        let mut add = |count| evidence.add_pace(3, tail.log_chance(count, None), 12);
        let weight = add(51);
        assert!((2.8..3.1).contains(&weight), "{weight}");
        add(400);
        add(60);
        assert_eq!(evidence.pieces(), 1);
        assert_eq!(evidence.score(), Score::of(WEIGHT_MAX + PACE_SHARE));
        assert_eq!(evidence.killing(), Score::of(WEIGHT_MAX + PACE_SHARE - ONE_PACE));
        evidence.add(&action(AccessLevel::Write, &[Risk::PrivilegeEscalation]), &calm());
        assert_eq!((evidence.pieces(), evidence.killing()), (2, evidence.score()));
    }

    #[test]
    fn a_burst_that_shows_in_many_windows_is_rarer_than_in_one() {
        let tail = Tail { limit: 40, episodes: 4_000, index: 0.25 };
        let of = |all: &[(u16, u64)]| {
            let mut evidence = Evidence::default();
            all.iter().for_each(|(nth, count)| {
                evidence.add_pace(*nth, tail.log_chance(*count, None), 48);
            });
            (evidence.score(), evidence)
        };
        let (one, _) = of(&[(3, 120)]);
        let (ten, _) = of(&[3, 4, 5, 11, 12, 13, 19, 20, 21, 40].map(|nth| (nth, 120)));
        assert_eq!(ten, Score::of(one.log10() + 1.0));
        // All of them are the same burst: as rare as the rarest.
        let (all, _) = of(&(0..48).map(|nth| (nth, 120)).collect::<Vec<_>>());
        assert_eq!(all, Score::of(-tail.log_chance(120, None) + PACE_SHARE));
        // In any order, and however often it is said.
        let once = of(&[(3, 120), (9, 60)]);
        assert_eq!(of(&[(9, 60), (3, 90), (3, 120), (9, 60)]), once);
    }

    fn any_novelty() -> impl Strategy<Value = Novelty> {
        let levels = select(&[AccessLevel::List, AccessLevel::Write]);
        (select(&Family::ALL[..]), levels, prop::option::of(select(&Risk::ALL[..])), 0_u64..20)
            .prop_map(|(family, level, risk, knowing)| {
                let risks = Risks::of(risk.as_slice());
                Novelty { level: Some(level), ..novelty(family, risks, knowing) }
            })
    }

    proptest! {
        #[test]
        fn scores_are_numbers_and_do_not_depend_on_what_came_between(all in prop::collection::vec(any_novelty(), 0..40)) {
            let mut evidence = Evidence::default();
            let mut peak = Score::default();
            for novelty in &all {
                let weight = evidence.add(novelty, &calm());
                prop_assert!(weight.is_finite() && weight <= WEIGHT_MAX);
                peak = peak.max(evidence.score());
            }
            prop_assert!(evidence.killing() <= evidence.score());
            prop_assert!(peak <= Score::MAX);
            let mut again = Evidence::default();
            all.iter().for_each(|novelty| { again.add(novelty, &calm()); });
            prop_assert_eq!(again, evidence);
        }

        #[test]
        fn two_pieces_are_two_whichever_came_first(all in prop::collection::vec(any_novelty(), 2..5)) {
            let pieces = |all: &mut dyn Iterator<Item = &Novelty>| {
                let mut evidence = Evidence::default();
                all.for_each(|novelty| { evidence.add(novelty, &calm()); });
                (evidence.leader(|mode| mode != Mode::Burst), evidence.pieces())
            };
            let (forwards, backwards) = (pieces(&mut all.iter()), pieces(&mut all.iter().rev()));
            // Which mode is the strongest may depend on it: then it is another sum.
            prop_assume!(forwards.0 == backwards.0);
            prop_assert_eq!(forwards.1, backwards.1);
        }

        #[test]
        fn a_score_survives_its_text(hundredths in 0_u16..=3_000) {
            let score = Score::from_hundredths(hundredths).unwrap();
            prop_assert_eq!(Score::of(score.log10()), score);
            prop_assert_eq!(score.to_string().parse::<f64>().unwrap(), score.log10());
        }
    }

    /// The model's bound: where agents do show what their chains say, one in `1/α` episodes passes
    /// `1/α` at most.
    #[test]
    fn benign_episodes_pass_a_line_no_more_often_than_it_says() {
        let chain = calm();
        // A linear congruential generator is random enough, and the same every time (Knuth, MMIX).
        let mut state = 7_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut passed = [0_u32; 3];
        let episodes = 200_000;
        for _ in 0..episodes {
            let (mut evidence, mut peak) = (Evidence::default(), Score::default());
            let mut shown = 0;
            while uniform() < chain.one_more(shown) {
                shown += 1;
                let mut at = uniform();
                let family = Family::ALL.into_iter().find(|family| {
                    at -= chain.family(*family);
                    at < 0.0
                });
                let Some(family) = family else { continue };
                // What benign agents find, their peers know, mostly; of the rest, any action may be it.
                let known = uniform() < 0.9;
                let risk = Risk::ALL.into_iter().find(|_| uniform() < 0.006);
                let risks = Risks::of(if known { &[] } else { risk.as_slice() });
                let reads = uniform() < 0.44;
                let level = if reads { AccessLevel::Read } else { AccessLevel::Write };
                let mut one = novelty(family, risks, if known { 9 } else { 0 });
                one.level = Some(level);
                evidence.add(&one, &chain);
                peak = peak.max(evidence.score());
            }
            for (nth, count) in passed.iter_mut().enumerate() {
                *count += u32::from(peak.log10() >= nth as f64 + 1.0);
            }
        }
        for (nth, count) in passed.into_iter().enumerate() {
            let allowed = f64::from(episodes) / libm::exp10(nth as f64 + 1.0);
            assert!(f64::from(count) <= allowed, "{count} of {allowed} beyond 10^{}", nth + 1);
        }
    }
}
