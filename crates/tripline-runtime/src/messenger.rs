//! The port through which people are told.

use serde_json::Value;
use thiserror::Error;

use crate::responder::Clock;

/// Posts messages to one place.
pub trait Messenger: Sync {
    /// Posts a message, once.
    fn post(&self, message: &Value) -> impl Future<Output = Result<(), PostError>> + Send;
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
    /// It will never be taken.
    #[error("{0}")]
    Refused(String),
}

/// How often a message is posted before it is given up, and the first wait between; each further one
/// is twice as long.
const TRIES: u32 = 5;
const FIRST_WAIT_MS: u64 = 500;
/// What a service may make one wait at the most.
const WAIT_SECS_MAX: u64 = 30;

/// Posts a message, again where that helps.
///
/// # Errors
/// The last [`PostError`].
pub async fn deliver(
    messenger: &impl Messenger,
    clock: &impl Clock,
    message: &Value,
) -> Result<(), PostError> {
    let mut tried = 0;
    loop {
        let error = match messenger.post(message).await {
            Err(error @ PostError::Again { .. }) => error,
            ended => return ended,
        };
        tried += 1;
        if tried >= TRIES {
            return Err(error);
        }
        let PostError::Again { after_secs, .. } = &error else { return Err(error) };
        let asked = after_secs.map(|secs| secs.min(WAIT_SECS_MAX).saturating_mul(1_000));
        clock.sleep(asked.unwrap_or(FIRST_WAIT_MS << (tried - 1))).await;
    }
}
