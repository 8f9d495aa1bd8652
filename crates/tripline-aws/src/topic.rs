//! Topics of SNS as channels.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::Region;
use aws_sdk_sns::error::{DisplayErrorContext, ProvideErrorMetadata};
use futures_util::future::BoxFuture;
use tripline_engine::doctor::{Found, Reached, Unknown};
use tripline_iam::Arn;
use tripline_runtime::{Channel, Post, PostError, Posted};
use tripline_text::Untrusted;

/// What a topic's subscribers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Text.
    Text,
    /// Custom notifications of Amazon Q Developer in chat applications.
    AmazonQ,
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    name: String,
    client: Client,
    arn: String,
    reads: Reads,
}

/// SNS's errors that no later try mends.
const LASTING: &[&str] = &[
    "AuthorizationError",
    "InvalidParameter",
    "InvalidParameterValue",
    "NotFound",
    "EndpointDisabled",
];

impl Topic {
    pub(crate) fn new(name: String, config: &SdkConfig, topic: &Arn, reads: Reads) -> Self {
        let mut builder = aws_sdk_sns::config::Builder::from(config);
        // A topic is asked in its own Region.
        let arn = topic.untrusted().as_unescaped().to_owned();
        if let Some(region) = arn.split(':').nth(3).filter(|region| !region.is_empty()) {
            builder = builder.region(Region::new(region.to_owned()));
        }
        Self { name, client: Client::from_conf(builder.build()), arn, reads }
    }

    /// Whether it is there, and whether anybody gets what is posted.
    async fn ask(&self) -> Found<Reached> {
        let asked = self.client.get_topic_attributes().topic_arn(&self.arn).send().await;
        let found = match asked {
            Ok(found) => found,
            Err(error) => {
                let is_gone = error.code() == Some("NotFound");
                let why = DisplayErrorContext(error).to_string();
                return match is_gone {
                    true => Ok(Reached::Refuses(Untrusted::new(why))),
                    false => Err(Unknown::refused(why)),
                };
            }
        };
        let attributes = found.attributes();
        let readers = attributes.and_then(|attributes| attributes.get("SubscriptionsConfirmed"));
        Ok(match readers.map(String::as_str) {
            Some("0") => Reached::Unread,
            _ => Reached::Answers,
        })
    }

    async fn publish(&self, post: Post<'_>) -> Result<Posted, PostError> {
        let Post { message, ways, now_unix_ms, .. } = post;
        let (request, now) = (self.client.publish(), now_unix_ms.div_euclid(1_000));
        let request = request.topic_arn(&self.arn);
        let request = match self.reads {
            Reads::Text => {
                request.subject(message.to_subject()).message(message.to_mail(ways, now))
            }
            Reads::AmazonQ => request.message(message.to_amazon_q(ways, now).to_string()),
        };
        match request.send().await {
            Ok(_) => Ok(Posted::default()),
            Err(error) => {
                let is_lasting = error.code().is_some_and(|code| LASTING.contains(&code));
                let why = DisplayErrorContext(error).to_string();
                Err(match is_lasting {
                    true => PostError::Refused(why),
                    false => PostError::Again { after_secs: None, why },
                })
            }
        }
    }
}

impl Channel for Topic {
    fn name(&self) -> &str {
        &self.name
    }

    fn reach<'a>(&'a self) -> BoxFuture<'a, Found<Reached>> {
        Box::pin(self.ask())
    }

    fn post<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Result<Posted, PostError>> {
        Box::pin(self.publish(post))
    }
}
