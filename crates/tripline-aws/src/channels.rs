//! The channels of `tripline.toml`, with their secrets.

use aws_config::SdkConfig;
use futures_util::future::BoxFuture;
use thiserror::Error;
use tripline_chat::{SigningKey, WeakKey};
use tripline_engine::doctor::{Found, Reached, Unknown};
use tripline_engine::{Channel as Setting, SecretRef, Service};
use tripline_runtime::{
    Address, Channel, Http, HttpChannel, InvalidAddress, LeastTold, NoRoots, Post, PostError,
    Posted, SLACK_API,
};
use tripline_text::Untrusted;

use crate::secrets::{SecretError, resolve};
use crate::topic::{Reads, Topic};

/// A channel that cannot be used. No secret is repeated in it.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// A secret cannot be had.
    #[error("channel `{name}`: {source}")]
    Secret {
        /// Which channel.
        name: String,
        /// Why not.
        source: SecretError,
    },
    /// A URL is none.
    #[error("channel `{name}`: its URL cannot be used: {source}")]
    Address {
        /// Which channel.
        name: String,
        /// Why not.
        source: InvalidAddress,
    },
    /// A key is none.
    #[error("channel `{name}`: its key cannot be used: {source}")]
    Key {
        /// Which channel.
        name: String,
        /// Why not.
        source: WeakKey,
    },
    /// Nobody can be called.
    #[error("channel `{name}`: {why}")]
    NoRoots {
        /// Which channel.
        name: String,
        /// Why not.
        why: String,
    },
}

/// The channels that are set up, and what is wrong with those that cannot be used: what they are to be
/// told is kept for whoever can use them.
pub async fn channels(
    aws: &SdkConfig,
    settings: &[Setting],
) -> (Vec<Box<dyn Channel>>, Vec<ChannelError>) {
    let (mut channels, mut errors): (Vec<Box<dyn Channel>>, _) = (Vec::new(), Vec::new());
    let http = Http::new();
    for setting in settings {
        let channel = match channel(aws, &http, setting).await {
            Ok(channel) => channel,
            Err(error) => {
                let unusable = Unusable {
                    name: setting.name.clone(),
                    why: error.to_string(),
                    is_secret: matches!(error, ChannelError::Secret { .. }),
                };
                errors.push(error);
                Box::new(unusable)
            }
        };
        channels.push(Box::new(LeastTold { least: setting.from, channel }));
    }
    (channels, errors)
}

/// A channel that cannot be used, yet.
#[derive(Debug)]
struct Unusable {
    name: String,
    why: String,
    /// Whether somebody else may be able to use it, who may read its secret.
    is_secret: bool,
}

impl Channel for Unusable {
    fn name(&self) -> &str {
        &self.name
    }

    fn reach<'a>(&'a self) -> BoxFuture<'a, Found<Reached>> {
        let why = self.why.clone();
        let reached = match self.is_secret {
            true => Err(Unknown::refused(why)),
            false => Ok(Reached::Refuses(Untrusted::new(why))),
        };
        Box::pin(std::future::ready(reached))
    }

    fn post<'a>(&'a self, _: Post<'a>) -> BoxFuture<'a, Result<Posted, PostError>> {
        Box::pin(std::future::ready(Err(PostError::Refused(self.why.clone()))))
    }
}

async fn channel(
    aws: &SdkConfig,
    http: &Result<Http, NoRoots>,
    setting: &Setting,
) -> Result<Box<dyn Channel>, ChannelError> {
    let name = setting.name.clone();
    let http = || match http {
        Ok(http) => Ok(http.clone()),
        Err(why) => Err(ChannelError::NoRoots { name: setting.name.clone(), why: why.to_string() }),
    };
    let secret = async |place: &SecretRef| {
        let secret = resolve(aws, place).await;
        secret.map_err(|source| ChannelError::Secret { name: name.clone(), source })
    };
    let invalid = |source| ChannelError::Address { name: setting.name.clone(), source };
    let address = async |place: &SecretRef| Address::parse(&secret(place).await?).map_err(invalid);
    Ok(match &setting.service {
        Service::Slack { channel, token, api } => {
            let token = secret(token).await?;
            let api = api.as_deref().unwrap_or(SLACK_API);
            let bot = HttpChannel::slack(name.clone(), http()?, channel.clone(), &token, api);
            Box::new(bot.map_err(invalid)?)
        }
        Service::SlackWebhook { url } => {
            let url = address(url).await?;
            Box::new(HttpChannel::slack_webhook(name.clone(), http()?, url))
        }
        Service::Teams { url } => {
            let url = address(url).await?;
            Box::new(HttpChannel::teams(name.clone(), http()?, url))
        }
        Service::Webhook { url, key } => {
            let (url, key) = (address(url).await?, secret(key).await?);
            let key = SigningKey::new(key.trim().as_bytes());
            let key = key.map_err(|source| ChannelError::Key { name: name.clone(), source })?;
            Box::new(HttpChannel::signed(name.clone(), http()?, url, key))
        }
        Service::Sns { topic } => Box::new(Topic::new(name.clone(), aws, topic, Reads::Text)),
        Service::AmazonQ { topic } => {
            Box::new(Topic::new(name.clone(), aws, topic, Reads::AmazonQ))
        }
    })
}
