//! `tripline.toml`: everything a user may set, in one versioned value.

use std::collections::BTreeSet;

use serde::Deserialize;
use thiserror::Error;
use tripline_attribution::AgentRules;
use tripline_baseline::TenantRules;
use tripline_detector::{Budgets, InvariantSettings};
use tripline_iam::{AccountId, Arn, RoleName};

use crate::brakes::Brakes;
use crate::channels::{Channel, NotASecretRef};

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
}

/// What the kill switch may and may not touch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Containment {
    /// The role that contains: never its own target.
    pub responder: Option<Arn>,
    /// The role to take on in an account that the responder is not at home in, by its name there.
    pub responder_role: Option<RoleName>,
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
        match config.channels.iter().find(|channel| !names.insert(&channel.name)) {
            Some(twice) => Err(ConfigError::ChannelTwice(twice.name.clone())),
            None => Ok(config),
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
