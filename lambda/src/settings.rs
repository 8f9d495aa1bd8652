//! What the functions are set up with: their environment, and what lies beside them in their package.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;

use thiserror::Error;
use tripline_engine::{Channel, Config, Mode, Model, SecretRef, Service};
use tripline_iam::AccountId;
use tripline_runtime::{SettingsError, settings};

/// Which of the two functions this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Detector,
    Responder,
}

/// Everything that is set up.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) part: Part,
    pub(crate) config: Config,
    pub(crate) model: Model,
    /// The table that holds state and action log.
    pub(crate) table: String,
    /// From the detector to the responder.
    pub(crate) plans: Option<String>,
    /// Where messages go that cannot be handled.
    pub(crate) dead_letters: Option<String>,
    /// The buckets that trails write to.
    pub(crate) buckets: BTreeSet<String>,
    /// The accounts whose events are believed; all, if none is named.
    pub(crate) accounts: BTreeSet<AccountId>,
    pub(crate) mode: Mode,
}

/// A function that is not set up.
#[derive(Debug, Error)]
pub(crate) enum SetupError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {name} is `{value}`: {hint}")]
    Invalid { name: &'static str, value: String, hint: &'static str },
}

impl Settings {
    /// From the environment, and from the folder that `TRIPLINE_CONFIG` names (by default the function's
    /// package, `/var/task`): `tripline.toml`, if there is one, and `baselines/`.
    pub(crate) fn from_environment() -> Result<Self, SetupError> {
        Self::of(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    pub(crate) fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SetupError> {
        let home = variable("TRIPLINE_CONFIG").unwrap_or_else(|| "/var/task".to_owned());
        if home.starts_with("s3://") {
            return Err(SetupError::Invalid {
                name: "TRIPLINE_CONFIG",
                value: home,
                hint: "this version reads no configuration from S3: put it into the package",
            });
        }
        let home = Path::new(&home);
        let present = |name: &str| Some(home.join(name)).filter(|path| path.exists());
        let (config, model) =
            settings(present("tripline.toml").as_deref(), present("baselines").as_deref())?;
        let invalid =
            |name, value: &str, hint| SetupError::Invalid { name, value: value.to_owned(), hint };
        let part = match variable("TRIPLINE_ROLE").as_deref() {
            None | Some("detector") => Part::Detector,
            Some("responder") => Part::Responder,
            Some(other) => {
                return Err(invalid("TRIPLINE_ROLE", other, "it is detector or responder"));
            }
        };
        let mode = match variable("TRIPLINE_MODE").as_deref() {
            None | Some("observe") => Mode::Observe,
            Some("recommend") => Mode::Recommend,
            Some("approve") => Mode::Approve,
            Some("enforce") => Mode::Enforce,
            Some(other) => {
                let hint = "it is observe, recommend, approve or enforce";
                return Err(invalid("TRIPLINE_MODE", other, hint));
            }
        };
        let config = match variable("TRIPLINE_BRAKES") {
            None => config,
            Some(table) => config.with_brakes(&table).map_err(|_| {
                invalid("TRIPLINE_BRAKES", &table, "it is a table such as { kills_per_hour = 2 }")
            })?,
        };
        // The short way to one channel: what a template's parameter can say.
        let mut config = config;
        if let Some(id) = variable("TRIPLINE_SLACK_WEBHOOK_SECRET") {
            let service = Service::SlackWebhook { url: SecretRef::Secret(id) };
            config.channels.push(Channel { name: "slack-webhook-secret".to_owned(), service });
        }
        let list = |name| variable(name).unwrap_or_default();
        let parts = |text: &str| -> Vec<String> {
            let parts = text.split(',').map(|part| part.trim().to_owned());
            parts.filter(|part| !part.is_empty()).collect()
        };
        let account = |text: &String| {
            let hint = "account ids have twelve digits, with commas between them";
            AccountId::parse(text).map_err(|_| invalid("TRIPLINE_ACCOUNTS", text, hint))
        };
        Ok(Self {
            part,
            config,
            model,
            table: variable("TRIPLINE_TABLE").ok_or(SetupError::Missing("TRIPLINE_TABLE"))?,
            plans: variable("TRIPLINE_PLAN_QUEUE_URL"),
            dead_letters: variable("TRIPLINE_DEAD_LETTER_QUEUE_URL"),
            buckets: parts(&list("TRIPLINE_BUCKETS")).into_iter().collect(),
            accounts: parts(&list("TRIPLINE_ACCOUNTS"))
                .iter()
                .map(account)
                .collect::<Result<_, _>>()?,
            mode,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Settings, SetupError> {
        let home = tempfile::tempdir().unwrap();
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            let found = found.map(|(_, value)| (*value).to_owned());
            found.or_else(|| (name == "TRIPLINE_CONFIG").then(|| home.path().display().to_string()))
        };
        Settings::of(&find)
    }

    #[test]
    fn what_is_not_set_up_says_what_is_missing() {
        assert!(matches!(of(&[]), Err(SetupError::Missing("TRIPLINE_TABLE"))));
        let settings = of(&[("TRIPLINE_TABLE", "t")]).unwrap();
        assert_eq!((settings.part, settings.mode), (Part::Detector, Mode::Observe));
        let brakes = of(&[("TRIPLINE_TABLE", "t"), ("TRIPLINE_BRAKES", "{ kills_per_hour = 1 }")]);
        assert_eq!(brakes.unwrap().config.brakes.kills_per_hour, 1);
        let wrong = [
            ("TRIPLINE_BRAKES", "{ speed = 1 }"),
            ("TRIPLINE_CONFIG", "s3://bucket/prefix"),
            ("TRIPLINE_ROLE", "both"),
            ("TRIPLINE_MODE", "kill"),
            ("TRIPLINE_ACCOUNTS", "111122223333, 12"),
        ];
        for (name, value) in wrong {
            let error = of(&[("TRIPLINE_TABLE", "t"), (name, value)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
