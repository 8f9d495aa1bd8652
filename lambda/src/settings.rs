//! What the functions are set up with: their environment, and what lies beside them in their package.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;
use thiserror::Error;
use tracing::{error, info};
use tripline_aws::S3Depot;
use tripline_engine::{Approvals, Brakes, Channel, Config, Mode, Model, SecretRef};
use tripline_iam::AccountId;
use tripline_runtime::{
    Edition, Library, LibraryError, Models, News, SettingsError, hash_seed, settings,
};

use crate::log::{count, harmless, now};

/// Which of the functions this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Detector,
    Responder,
    Desk,
}

/// Everything that is set up.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) part: Part,
    /// What is judged by: the package's, or a bucket's.
    pub(crate) home: Home,
    /// In place of the configuration's.
    brakes: Option<String>,
    /// A secret, beside the configuration's channels.
    slack: Option<String>,
    /// The table that holds state and action log.
    pub(crate) table: String,
    /// From the detector to the responder.
    pub(crate) plans: Option<String>,
    /// From the desk to the responder.
    pub(crate) presses: Option<String>,
    /// Where links lead, in place of the configuration's.
    url: Option<String>,
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
    #[error("the models of TRIPLINE_CONFIG: {0}")]
    Models(#[from] LibraryError),
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {name} is `{value}`: {hint}")]
    Invalid { name: &'static str, value: String, hint: &'static str },
}

impl Settings {
    /// From the environment.
    pub(crate) fn from_environment() -> Result<Self, SetupError> {
        Self::of(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    pub(crate) fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SetupError> {
        let home = variable("TRIPLINE_CONFIG").unwrap_or_else(|| "/var/task".to_owned());
        let home = if home.starts_with("s3://") {
            Home::Bucket(home)
        } else {
            let home = Path::new(&home);
            let present = |name: &str| Some(home.join(name)).filter(|path| path.exists());
            let (config, model) =
                settings(present("tripline.toml").as_deref(), present("baselines").as_deref())?;
            Home::Package(Box::new((config, model)))
        };
        let invalid =
            |name, value: &str, hint| SetupError::Invalid { name, value: value.to_owned(), hint };
        let part = match variable("TRIPLINE_ROLE").as_deref() {
            None | Some("detector") => Part::Detector,
            Some("responder") => Part::Responder,
            Some("desk") => Part::Desk,
            Some(other) => {
                return Err(invalid("TRIPLINE_ROLE", other, "it is detector, responder or desk"));
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
        let brakes = variable("TRIPLINE_BRAKES");
        if let Some(table) = &brakes {
            Config::default().with_brakes(table).map_err(|_| {
                invalid("TRIPLINE_BRAKES", table, "it is a table such as { kills_per_hour = 2 }")
            })?;
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
            home,
            brakes,
            slack: variable("TRIPLINE_SLACK_WEBHOOK_SECRET"),
            table: variable("TRIPLINE_TABLE").ok_or(SetupError::Missing("TRIPLINE_TABLE"))?,
            plans: variable("TRIPLINE_PLAN_QUEUE_URL"),
            presses: variable("TRIPLINE_PRESS_QUEUE_URL"),
            url: variable("TRIPLINE_APPROVALS_URL"),
            dead_letters: variable("TRIPLINE_DEAD_LETTER_QUEUE_URL"),
            buckets: parts(&list("TRIPLINE_BUCKETS")).into_iter().collect(),
            accounts: parts(&list("TRIPLINE_ACCOUNTS"))
                .iter()
                .map(account)
                .collect::<Result<_, _>>()?,
            mode,
        })
    }

    /// The brakes: the environment's, else the configuration's.
    pub(crate) fn brakes(&self, config: &Config) -> Brakes {
        let of_environment = self.brakes.as_deref();
        // INVARIANT: it was read once when the function was set up.
        let brakes = of_environment.and_then(|table| Config::default().with_brakes(table).ok());
        brakes.map_or_else(|| config.brakes.clone(), |config| config.brakes)
    }

    /// How people answer: as configured, with links to where the deployment has the desk.
    pub(crate) fn approvals(&self, config: &Config) -> Approvals {
        let approvals = config.approvals.clone();
        Approvals { url: self.url.clone().or(approvals.url), ..approvals }
    }

    /// Where people are told: the configuration's channels, and the short way to one of them, which is
    /// what a template's parameter can say.
    pub(crate) fn channels(&self, config: &Config) -> Vec<Channel> {
        let webhook = self.slack.clone().map(SecretRef::Secret);
        let webhook = webhook.map(|url| Channel::slack_webhook("slack-webhook-secret", url));
        config.channels.iter().cloned().chain(webhook).collect()
    }
}

/// Where what is judged by comes from.
#[derive(Debug)]
pub(crate) enum Home {
    /// The function's package, or another folder: `tripline.toml`, if there is one, and `baselines/`.
    Package(Box<(Config, Model)>),
    /// What `tripline baseline promote --to` wrote there.
    Bucket(String),
}

/// What is judged by, while it may change.
#[derive(Debug)]
pub(crate) enum Shelves<'s> {
    Package(&'s Config, &'s Model),
    Bucket(Box<Library>),
}

/// What is judged by in one invocation.
#[derive(Debug)]
pub(crate) enum InForce<'s> {
    Package(&'s Config, &'s Model),
    Edition(&'s Library, Arc<Edition>),
}

impl<'s> Shelves<'s> {
    pub(crate) async fn open(home: &'s Home, aws: &SdkConfig) -> Result<Self, SetupError> {
        let address = match home {
            Home::Package(package) => return Ok(Self::Package(&package.0, &package.1)),
            Home::Bucket(address) => address,
        };
        let depot = S3Depot::parse(aws, address).ok_or_else(|| SetupError::Invalid {
            name: "TRIPLINE_CONFIG",
            value: address.clone(),
            hint: "it is a folder, or s3://bucket/prefix",
        })?;
        let library = Library::open(Box::new(depot), hash_seed(), now()).await?;
        Ok(Self::Bucket(Box::new(library)))
    }

    /// What is in force now. What there is to know of it is said.
    pub(crate) async fn in_force(&self) -> InForce<'_> {
        match self {
            Self::Package(config, model) => InForce::Package(config, model),
            Self::Bucket(library) => {
                let edition = library.edition(now()).await;
                self.say_news();
                InForce::Edition(library, edition)
            }
        }
    }

    /// Says what there is to know of the models.
    pub(crate) fn say_news(&self) {
        let Self::Bucket(library) = self else { return };
        for news in library.news() {
            let is_kept = !matches!(news, News::Moved(_));
            match is_kept {
                true => error!("{}", harmless(news)),
                false => info!("{news}"),
            }
            count("models", &[("ModelsKept", u64::from(is_kept))]);
        }
    }
}

impl InForce<'_> {
    pub(crate) fn models(&self) -> Models<'_> {
        match self {
            Self::Package(config, model) => Models::Whole(config, model),
            Self::Edition(library, edition) => Models::Followed(library, edition),
        }
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
        assert_eq!(brakes.unwrap().brakes(&Config::default()).kills_per_hour, 1);
        let bucket = of(&[("TRIPLINE_TABLE", "t"), ("TRIPLINE_CONFIG", "s3://bucket/prefix")]);
        assert!(matches!(bucket.unwrap().home, Home::Bucket(_)));
        let wrong = [
            ("TRIPLINE_BRAKES", "{ speed = 1 }"),
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
