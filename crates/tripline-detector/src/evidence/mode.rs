//! What intruders do: the modes of attack, and what each bets on.
//!
//! A bet is a share of what an intruder in that mode shows when he shows something new. The bets of
//! one mode on all families, and on all values of a family, sum to one at most, so that what is won
//! where a bet comes true is lost elsewhere: severity is in the bets, and costs no false alarms.
//! Source: detector.md sections 4 and 5; the shares are ours.

use std::fmt;

use tripline_baseline::Family;
use tripline_iam::{AccessLevel, Aim, Risk};

use crate::novelty::{Detail, Novelty};

/// A way of attacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Looking around.
    Recon,
    /// Getting more permissions, or a lasting way in.
    Escalation,
    /// Using credentials from elsewhere, and taking more.
    CredentialTheft,
    /// Taking data away.
    Exfiltration,
    /// Deleting, locking, blinding.
    Impact,
    /// Running things at somebody else's expense.
    Hijacking,
    /// One new thing after another, whatever they are.
    Burst,
}

impl Mode {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Recon,
        Self::Escalation,
        Self::CredentialTheft,
        Self::Exfiltration,
        Self::Impact,
        Self::Hijacking,
        Self::Burst,
    ];

    /// Its share in the whole. That one new thing follows another is the most that is known of attacks
    /// nobody has thought of; a key that was stolen and is used elsewhere is how most intruders come in,
    /// and what they do then is anything.
    pub(super) fn share(self) -> f64 {
        match self {
            Self::Burst => 0.3,
            Self::CredentialTheft => 0.2,
            _ => 0.1,
        }
    }

    /// Its bets on families, in the order of [`Family::ALL`]; none of [`Self::Burst`], which bets as
    /// the agent itself would.
    fn families(self) -> Option<[f64; Family::COUNT]> {
        Some(match self {
            Self::Recon => [0.60, 0.10, 0.05, 0.03, 0.02, 0.20, 0.00],
            Self::Escalation => [0.70, 0.10, 0.02, 0.03, 0.03, 0.12, 0.00],
            Self::CredentialTheft => [0.22, 0.07, 0.04, 0.38, 0.25, 0.04, 0.00],
            Self::Exfiltration => [0.25, 0.40, 0.02, 0.05, 0.03, 0.05, 0.20],
            Self::Impact => [0.65, 0.25, 0.02, 0.03, 0.02, 0.03, 0.00],
            Self::Hijacking => [0.45, 0.10, 0.30, 0.05, 0.05, 0.05, 0.00],
            Self::Burst => return None,
        })
    }

    /// The harms it is out for, each with the share of its actions that do it.
    fn harms(self) -> &'static [(Risk, f64)] {
        match self {
            Self::Recon | Self::Hijacking | Self::Burst => &[],
            Self::Escalation => &[(Risk::PrivilegeEscalation, 0.45)],
            Self::CredentialTheft => &[(Risk::CredentialExposure, 0.35), (Risk::DataAccess, 0.15)],
            Self::Exfiltration => &[(Risk::DataAccess, 0.35), (Risk::ResourceExposure, 0.25)],
            Self::Impact => &[(Risk::Destruction, 0.35), (Risk::DefenceEvasion, 0.15)],
        }
    }

    /// What it is reported to be out for, with the share of its actions that others were reported to
    /// use for just that.
    fn aim(self) -> Option<(Aim, f64)> {
        Some(match self {
            Self::Recon => (Aim::Reconnaissance, 0.3),
            Self::Escalation => (Aim::Escalation, 0.3),
            Self::CredentialTheft => (Aim::CredentialTheft, 0.1),
            Self::Exfiltration => (Aim::Exfiltration, 0.15),
            Self::Impact => (Aim::Impact, 0.25),
            Self::Hijacking => (Aim::Hijacking, 0.4),
            Self::Burst => return None,
        })
    }

    /// The share of its actions that are any that look, or of [`Self::Hijacking`] any that change something
    /// and do no harm.
    fn others(self) -> f64 {
        match self {
            Self::Recon => 0.45,
            Self::CredentialTheft => 0.15,
            Self::Hijacking => 0.35,
            Self::Escalation | Self::Exfiltration | Self::Impact | Self::Burst => 0.0,
        }
    }

    /// How much more likely than the agent an intruder in this mode is to show just this, given that
    /// something new shows; `of_agent` is the agent's chance of it.
    pub(super) fn ratio(self, novelty: &Novelty, of_agent: f64) -> f64 {
        let Some(families) = self.families() else { return 1.0 };
        let family = families.get(novelty.family as usize).copied().unwrap_or(0.0);
        family * self.bet(novelty) / of_agent.max(f64::MIN_POSITIVE)
    }

    /// The share of this value in what the mode shows of its family, in the measure that
    /// [`Novelty::base`] has for the agent.
    fn bet(self, novelty: &Novelty) -> f64 {
        match (novelty.family, novelty.detail) {
            (Family::Action, _) => self.bet_on_action(novelty),
            (Family::Resource, Detail::Slot { surprise, alike }) => {
                // Half on any slot, as often as it is visited; half on those of actions that do what
                // this mode is out for.
                let aimed = self.harms().iter().any(|(risk, _)| novelty.risks.contains(*risk));
                let aim = if aimed { 0.5 / alike.max(0.001) } else { 0.0 };
                surprise * (0.5 + aim)
            }
            (Family::Error, Detail::Denied(denied)) => match (self, denied) {
                (Self::Recon | Self::Escalation, true) => 0.8 / Novelty::REFUSED,
                (Self::Recon | Self::Escalation, false) => 0.2 / (1.0 - Novelty::REFUSED),
                _ => 1.0,
            },
            // Each doubling beyond what went out before is half as likely as the one before it.
            (Family::Bytes, Detail::Doublings(more)) => 0.05 * libm::exp2(f64::from(more.min(14))),
            (Family::Region | Family::Network | Family::UserAgent, _) => 1.0,
            _ => 1.0,
        }
    }

    fn bet_on_action(self, novelty: &Novelty) -> f64 {
        let harmless = novelty.risks.is_empty();
        let looks = matches!(novelty.level, Some(AccessLevel::List | AccessLevel::Read));
        let anything = ANYTHING / ACTIONS;
        // Whoever takes data or buys machines looks around first, and makes himself at home.
        let reported = if novelty.aims.is_empty() { 0.0 } else { REPORTED / REPORTED_ACTIONS };
        let aim = self.aim().filter(|(aim, _)| novelty.aims.contains(*aim));
        let aimed = aim.map_or(0.0, |(aim, share)| share / actions_used_for(aim));
        let harm: f64 = self
            .harms()
            .iter()
            .filter(|(risk, _)| novelty.risks.contains(*risk))
            .map(|(risk, share)| share / actions_that_do(*risk))
            .sum();
        let other = match self {
            Self::Recon | Self::CredentialTheft if looks => self.others() / READING_ACTIONS,
            Self::Hijacking if harmless && !looks => self.others() / WRITING_ACTIONS,
            _ => 0.0,
        };
        anything + reported + aimed + harm + other
    }
}

/// The share of any mode's actions that nobody would have thought of, …
const ANYTHING: f64 = 0.1;
/// … and that are among those which intruders use, whatever for.
const REPORTED: f64 = 0.15;

/// How many actions IAM has, in round numbers, and how many of them read, write, and do each kind of
/// harm: bets only need the magnitude. Counted in the catalogue.
pub(crate) const ACTIONS: f64 = 22_000.0;
const READING_ACTIONS: f64 = 9_600.0;
const WRITING_ACTIONS: f64 = 11_400.0;

/// How many actions intruders were reported to use.
const REPORTED_ACTIONS: f64 = 430.0;

fn actions_used_for(aim: Aim) -> f64 {
    match aim {
        Aim::Reconnaissance => 170.0,
        Aim::Escalation => 105.0,
        Aim::CredentialTheft => 13.0,
        Aim::Exfiltration => 37.0,
        Aim::Impact => 80.0,
        Aim::Hijacking => 34.0,
    }
}

fn actions_that_do(risk: Risk) -> f64 {
    match risk {
        Risk::CredentialExposure => 80.0,
        Risk::DataAccess => 130.0,
        Risk::PrivilegeEscalation => 200.0,
        Risk::ResourceExposure => 110.0,
        Risk::DefenceEvasion => 150.0,
        Risk::Destruction => 160.0,
    }
}

impl fmt::Display for Mode {
    /// In words: `credential theft`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Recon => "reconnaissance",
            Self::Escalation => "privilege escalation",
            Self::CredentialTheft => "credential theft",
            Self::Exfiltration => "exfiltration",
            Self::Impact => "destruction",
            Self::Hijacking => "resource hijacking",
            Self::Burst => "many new things at once",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one() {
        let sum: f64 = Mode::ALL.into_iter().map(Mode::share).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn bets_on_families_sum_to_one_at_most() {
        for mode in Mode::ALL {
            let Some(families) = mode.families() else { continue };
            let sum: f64 = families.iter().sum();
            assert!((0.99..=1.0 + 1e-9).contains(&sum), "{mode}: {sum}");
            let harms: f64 = mode.harms().iter().map(|(_, share)| share).sum();
            let aimed = mode.aim().map_or(0.0, |(_, share)| share);
            let actions = ANYTHING + REPORTED + harms + aimed + mode.others();
            assert!((0.95..=1.0 + 1e-9).contains(&actions), "{mode}: {actions}");
        }
    }

    #[test]
    fn the_counts_are_those_of_the_catalogue() {
        use tripline_iam::Catalogue;
        let (mut all, mut reads, mut writes) = (0.0, 0.0, 0.0);
        let mut harms = Risk::ALL.map(|risk| (risk, 0.0));
        let (mut reported, mut aims) = (0.0, Aim::ALL.map(|aim| (aim, 0.0)));
        for entry in Catalogue::iter() {
            all += 1.0;
            match entry.level() {
                AccessLevel::List | AccessLevel::Read => reads += 1.0,
                AccessLevel::Write => writes += 1.0,
                AccessLevel::Tagging | AccessLevel::PermissionsManagement => {}
            }
            reported += if entry.aims().is_empty() { 0.0 } else { 1.0 };
            for (aim, count) in &mut aims {
                *count += if entry.aims().contains(*aim) { 1.0 } else { 0.0 };
            }
            for (risk, count) in &mut harms {
                *count += if entry.risks().contains(*risk) { 1.0 } else { 0.0 };
            }
        }
        let near = |counted: f64, said: f64| (0.8..1.25).contains(&(counted / said));
        assert!(
            near(all, ACTIONS) && near(reads, READING_ACTIONS) && near(writes, WRITING_ACTIONS)
        );
        assert!(near(reported, REPORTED_ACTIONS), "{reported}");
        for (aim, count) in aims {
            assert!(near(count, actions_used_for(aim)), "{aim:?}: {count}");
        }
        for (risk, count) in harms {
            assert!(near(count, actions_that_do(risk)), "{risk}: {count}");
        }
    }
}
