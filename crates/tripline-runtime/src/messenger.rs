//! The port through which people are told.

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_chat::{Message, Ways};
use tripline_detector::Verdict;
use tripline_engine::doctor::{Found, Reached, Unknown};

/// One place where people are told. Calls answer once; whoever calls tries again.
pub trait Channel: Debug + Send + Sync {
    /// Its name, another one for each.
    fn name(&self) -> &str;

    /// Whether it changes what it posted before. One that cannot is told only what is news.
    fn is_in_place(&self) -> bool {
        false
    }

    /// The least grave that it is told.
    fn least(&self) -> Verdict {
        Verdict::Alert
    }

    /// Whether it takes messages, as far as that can be told without posting one.
    fn reach<'a>(&'a self) -> BoxFuture<'a, Found<Reached>> {
        let unknown = Unknown::NotAsked("it cannot be asked without posting: --post does");
        Box::pin(std::future::ready(Err(unknown)))
    }

    /// Posts a message.
    fn post<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Result<Posted, PostError>>;
}

/// A channel that is told from a verdict on.
#[derive(Debug)]
pub struct LeastTold {
    /// The verdict.
    pub least: Verdict,
    /// The channel.
    pub channel: Box<dyn Channel>,
}

impl Channel for LeastTold {
    fn name(&self) -> &str {
        self.channel.name()
    }

    fn is_in_place(&self) -> bool {
        self.channel.is_in_place()
    }

    fn least(&self) -> Verdict {
        self.least
    }

    fn reach<'a>(&'a self) -> BoxFuture<'a, Found<Reached>> {
        self.channel.reach()
    }

    fn post<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Result<Posted, PostError>> {
        self.channel.post(post)
    }
}

/// What is to be posted.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// The message.
    pub message: &'a Message,
    /// What the channel knows the message by that it is to take the place of.
    pub before: Option<&'a str>,
    /// Whether it says something that the message before did not, and not just more of the same.
    pub is_news: bool,
    /// When, in milliseconds since 1970.
    pub now_unix_ms: i64,
    /// How it may be answered.
    pub ways: &'a Ways,
}

/// A message that was posted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// What the service knows it by, if it can be changed.
    pub handle: Option<String>,
}

/// A message that was not posted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PostError {
    /// The same again later will do.
    #[error("{why}")]
    Again {
        /// How long to wait, if the service said.
        after_secs: Option<u64>,
        /// What happened.
        why: String,
    },
    /// It is not taken as it is: somebody has to look at the channel.
    #[error("{0}")]
    Refused(String),
}
