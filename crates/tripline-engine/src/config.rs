//! `tripline.toml`: everything a user may set, in one versioned value.

use std::collections::BTreeSet;

use serde::Deserialize;
use thiserror::Error;
use tripline_attribution::AgentRules;
use tripline_baseline::{EXCEPTION_DAYS_MAX, TenantRules};
use tripline_containment::Press;
use tripline_detector::{Budgets, InvariantSettings};
use tripline_iam::{AccountId, Arn, RoleName};

use crate::brakes::Brakes;
use crate::channels::{Channel, NotASecretRef};
use crate::people::{Approvals, Person, Unanswered};

/// The user's settings. An unknown key is an error: a misspelt protection must not go unnoticed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of this format; 1.
    pub version: Version,
    /// How agents are named.
    #[serde(default)]
    pub agents: AgentRules,
    /// Where tenants stand in the names of resources.
    #[serde(default)]
    pub tenants: TenantRules,
    /// What breaks an invariant here, and with which verdict.
    #[serde(default)]
    pub invariants: InvariantSettings,
    /// What the kill switch may and may not touch.
    #[serde(default)]
    pub containment: Containment,
    /// What the program may do on its own.
    #[serde(default)]
    pub brakes: Brakes,
    /// How many false actions are accepted, of one agent in a month.
    #[serde(default)]
    pub budgets: Budgets,
    /// Where people are told.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// Who may answer messages.
    #[serde(default)]
    pub people: Vec<Person>,
    /// How people answer, and how many have to.
    #[serde(default)]
    pub approvals: Approvals,
    /// When silence is an alert.
    #[serde(default)]
    pub heartbeat: Heartbeat,
}

/// When it is an alert that nothing is heard of an account's Region, or that its files come late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Heartbeat {
    /// Hours without a digest; they come every hour, whatever happened.
    pub digest_hours: u16,
    /// Hours without a log file, where there are no digests: a quiet night is none of anybody's fault.
    pub log_hours: u16,
    /// How many minutes old the newest record of a file may be when it arrives.
    pub lag_minutes: u16,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { digest_hours: 3, log_hours: 24, lag_minutes: 30 }
    }
}

/// What the kill switch may and may not touch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Containment {
    /// The role that contains: never its own target.
    pub responder: Option<Arn>,
    /// The role to take on in an account that the responder is not at home in, by its name there.
    pub responder_role: Option<RoleName>,
    /// Services whose data events the trail logs, by prefix (`s3`, `lambda`, …). Without it nobody can
    /// say what a fence would cut, and so none is put up without a person.
    pub data_events_logged: Option<BTreeSet<String>>,
    /// Break-glass and other principals that are never contained.
    #[serde(default)]
    pub protected: Vec<Arn>,
    /// Management accounts, where no service control policy has effect.
    #[serde(default)]
    pub management_accounts: Vec<AccountId>,
}

/// The version of the format of `tripline.toml`: the number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Version;

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            1 => Ok(Self),
            other => Err(format!("version {other} is not known; this program reads version 1")),
        }
    }
}

/// A `tripline.toml` that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It is not TOML, has an unknown key, or a value of the wrong form.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A secret may stand in it, which must not be repeated.
    #[error("line {line}: {NotASecretRef}")]
    Secret {
        /// Where, from 1.
        line: usize,
    },
    /// Two channels cannot be told apart.
    #[error("two channels are named `{0}`")]
    ChannelTwice(String),
    /// Two people cannot be told apart: one of them would be two.
    #[error("two people have the name or the Slack id `{0}`")]
    PersonTwice(String),
    /// What is pressed could never be done.
    #[error("`approvals.people_to_{press}` is {need}, and {have} of `people` may press it")]
    TooFewPeople {
        /// What.
        press: Press,
        /// How many have to press it.
        need: u32,
        /// How many may.
        have: usize,
    },
    /// A link that nobody signs.
    #[error("`approvals.url` needs `approvals.link_key`, which signs the links that lead there")]
    Unsigned,
    /// A fence that could never go up.
    #[error(
        "`approvals.unanswered = \"fence\"` needs `containment.data_events_logged`: without it nobody knows what a fence cuts"
    )]
    FenceUncovered,
    /// No exception lasts that long.
    #[error("`approvals.expect_days` is more than {EXCEPTION_DAYS_MAX}")]
    ForEver,
    /// Links go over the network.
    #[error("`approvals.url` must begin with https://, or name this machine: http://localhost")]
    OpenLink,
}

impl Config {
    /// Reads a `tripline.toml`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            match error.message() == NotASecretRef.to_string() {
                true => ConfigError::Secret {
                    line: text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1,
                },
                false => ConfigError::Toml(error),
            }
        })?;
        let mut names = BTreeSet::new();
        if let Some(twice) = config.channels.iter().find(|channel| !names.insert(&channel.name)) {
            return Err(ConfigError::ChannelTwice(twice.name.clone()));
        }
        config.check_people()?;
        Ok(config)
    }

    fn check_people(&self) -> Result<(), ConfigError> {
        let Self { people, approvals, .. } = self;
        let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for person in people {
            let id = person.slack.as_ref().filter(|id| !ids.insert(*id));
            let name = Some(&person.name).filter(|name| !names.insert(*name));
            if let Some(twice) = id.or(name) {
                return Err(ConfigError::PersonTwice(twice.clone()));
            }
        }
        if !people.is_empty() {
            for press in Press::ALL {
                let have = people.iter().filter(|person| person.may.contains(&press)).count();
                let need = approvals.people_to(press);
                // What nobody may press is switched off.
                if have > 0 && u32::try_from(have).is_ok_and(|have| have < need) {
                    return Err(ConfigError::TooFewPeople { press, need, have });
                }
            }
        }
        if approvals.expect_days.get() > EXCEPTION_DAYS_MAX {
            return Err(ConfigError::ForEver);
        }
        let is_covered = self.containment.data_events_logged.is_some();
        if approvals.unanswered == Unanswered::Fence && !is_covered {
            return Err(ConfigError::FenceUncovered);
        }
        match (&approvals.url, &approvals.link_key) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(ConfigError::Unsigned),
            (Some(url), Some(_)) if is_safe(url) => Ok(()),
            (Some(_), Some(_)) => Err(ConfigError::OpenLink),
        }
    }

    /// The same with other brakes, written as an inline table of TOML: `{ kills_per_hour = 2 }`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn with_brakes(self, table: &str) -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Given {
            brakes: Brakes,
        }
        let Given { brakes } = toml::from_str(&format!("brakes = {table}"))?;
        Ok(Self { brakes, ..self })
    }
}

/// Whether nobody on the way can read a passphrase that goes there.
fn is_safe(url: &str) -> bool {
    let is_here = |rest: &str| {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        matches!(host, "localhost" | "127.0.0.1")
    };
    let is_plain = url.chars().all(|it| it.is_ascii_graphic() && !"\"'<>?#@\\".contains(it));
    is_plain
        && match url.split_once("://") {
            Some(("https", rest)) => !rest.is_empty(),
            Some(("http", rest)) => is_here(rest),
            _ => false,
        }
}
