//! `[[channels]]` of `tripline.toml`: where people are told.

use std::fmt;

use serde::Deserialize;
use thiserror::Error;
use tripline_detector::Verdict;
use tripline_iam::Arn;

/// One place where people are told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Given")]
pub struct Channel {
    /// Its name, another one for each: what was told is remembered under it.
    pub name: String,
    /// The least grave that it is told: an alert, if nothing is said.
    pub from: Verdict,
    /// What is there.
    pub service: Service,
}

impl Channel {
    /// An incoming webhook of Slack that is told everything.
    pub fn slack_webhook(name: &str, url: SecretRef) -> Self {
        Self { name: name.to_owned(), from: alert(), service: Service::SlackWebhook { url } }
    }
}

/// What a channel is, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// A channel of Slack, through a bot: messages change in place, and their thread tells how.
    Slack {
        /// The channel's id.
        channel: String,
        /// The bot's token.
        token: SecretRef,
        /// Where Slack's API is; `https://slack.com/api` without one.
        api: Option<String>,
    },
    /// An incoming webhook of Slack.
    SlackWebhook {
        /// Its URL.
        url: SecretRef,
    },
    /// A Workflows webhook of Microsoft Teams.
    Teams {
        /// Its URL.
        url: SecretRef,
    },
    /// A topic of SNS whose subscribers read text.
    Sns {
        /// The topic.
        topic: Arn,
    },
    /// A topic of SNS that Amazon Q Developer in chat applications reads.
    AmazonQ {
        /// The topic.
        topic: Arn,
    },
    /// One's own webhook, signed.
    Webhook {
        /// Its URL.
        url: SecretRef,
        /// What signs.
        key: SecretRef,
    },
}

/// Where a secret is kept; never the secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretRef {
    /// An environment variable: `env:NAME`.
    Environment(String),
    /// A secret of Secrets Manager, by name or ARN: `secretsmanager:ID`.
    Secret(String),
    /// A SecureString of SSM Parameter Store, by name or ARN: `ssm:NAME`.
    Parameter(String),
}

/// A text that names no secret. It is not repeated: it may be the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a secret is named by where it is kept, `env:NAME`, `secretsmanager:ID` or `ssm:NAME`; the secret itself does not belong into this file"
)]
pub struct NotASecretRef;

impl TryFrom<String> for SecretRef {
    type Error = NotASecretRef;

    fn try_from(text: String) -> Result<Self, NotASecretRef> {
        match text.split_once(':') {
            Some((_, "")) | None => Err(NotASecretRef),
            Some(("env", name)) => Ok(Self::Environment(name.to_owned())),
            Some(("secretsmanager", id)) => Ok(Self::Secret(id.to_owned())),
            Some(("ssm", name)) => Ok(Self::Parameter(name.to_owned())),
            Some(_) => Err(NotASecretRef),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Secret(id) => write!(f, "secretsmanager:{id}"),
            Self::Parameter(name) => write!(f, "ssm:{name}"),
        }
    }
}

/// A channel as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    #[serde(default = "alert")]
    from: Verdict,
    service: ServiceName,
    channel: Option<String>,
    token: Option<SecretRef>,
    api: Option<String>,
    url: Option<SecretRef>,
    key: Option<SecretRef>,
    topic: Option<Arn>,
}

fn alert() -> Verdict {
    Verdict::Alert
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ServiceName {
    Slack,
    SlackWebhook,
    Teams,
    Sns,
    AmazonQ,
    Webhook,
}

impl TryFrom<Given> for Channel {
    type Error = String;

    fn try_from(mut given: Given) -> Result<Self, String> {
        let name = given.name.clone();
        let from = given.from;
        if from < Verdict::Alert {
            return Err(format!("channel `{name}`: `from` is alert, fence or kill"));
        }
        let needed = |key: &str| format!("channel `{name}` needs `{key}`");
        let service = match given.service {
            ServiceName::Slack => Service::Slack {
                channel: given.channel.take().ok_or_else(|| needed("channel"))?,
                token: given.token.take().ok_or_else(|| needed("token"))?,
                api: given.api.take(),
            },
            ServiceName::SlackWebhook => {
                Service::SlackWebhook { url: given.url.take().ok_or_else(|| needed("url"))? }
            }
            ServiceName::Teams => {
                Service::Teams { url: given.url.take().ok_or_else(|| needed("url"))? }
            }
            ServiceName::Sns => {
                Service::Sns { topic: given.topic.take().ok_or_else(|| needed("topic"))? }
            }
            ServiceName::AmazonQ => {
                Service::AmazonQ { topic: given.topic.take().ok_or_else(|| needed("topic"))? }
            }
            ServiceName::Webhook => Service::Webhook {
                url: given.url.take().ok_or_else(|| needed("url"))?,
                key: given.key.take().ok_or_else(|| needed("key"))?,
            },
        };
        let left = [
            ("channel", given.channel.is_some()),
            ("token", given.token.is_some()),
            ("api", given.api.is_some()),
            ("url", given.url.is_some()),
            ("key", given.key.is_some()),
            ("topic", given.topic.is_some()),
        ];
        match left.into_iter().find(|(_, is_left)| *is_left) {
            Some((key, _)) => Err(format!("channel `{name}` has no use for `{key}`")),
            None => Ok(Self { name, from, service }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn parsed(channel: &str) -> Result<Config, String> {
        let text = format!("version = 1\n[[channels]]\nname = \"oncall\"\n{channel}");
        Config::parse(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_channel_has_what_it_needs_and_nothing_else() {
        let bot = "service = \"slack\"\nchannel = \"C1\"\ntoken = \"env:TOKEN\"";
        assert_eq!(parsed(bot).unwrap().channels[0].name, "oncall");
        let missing = parsed("service = \"slack\"\nchannel = \"C1\"").unwrap_err();
        assert!(missing.contains("needs `token`"), "{missing}");
        let left = parsed(&format!("{bot}\nkey = \"env:KEY\"")).unwrap_err();
        assert!(left.contains("no use for `key`"), "{left}");
        assert!(parsed("service = \"irc\"").is_err());
        assert_eq!(parsed(bot).unwrap().channels[0].from, Verdict::Alert);
        let pager = parsed(&format!("{bot}\nfrom = \"kill\"")).unwrap();
        assert_eq!(pager.channels[0].from, Verdict::Kill);
        let normal = parsed(&format!("{bot}\nfrom = \"normal\"")).unwrap_err();
        assert!(normal.contains("alert, fence or kill"), "{normal}");
    }

    #[test]
    fn a_secret_is_named_by_where_it_is_kept() {
        for place in ["env:HOOK", "secretsmanager:tripline/hook", "ssm:/tripline/hook"] {
            assert_eq!(SecretRef::try_from(place.to_owned()).unwrap().to_string(), place);
        }
        for none in ["HOOK", "ssm:", "vault:hook"] {
            assert_eq!(SecretRef::try_from(none.to_owned()), Err(NotASecretRef));
        }
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_repeated() {
        let error = parsed("service = \"teams\"\nurl = \"https://x.example/SECRET\"").unwrap_err();
        assert!(error.contains("env:NAME") && error.starts_with("line 5"), "{error}");
        assert!(!error.contains("SECRET"), "{error}");
    }
}
