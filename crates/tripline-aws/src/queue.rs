//! Messages between functions, and from AWS to a machine.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::MessageAttributeValue;
use thiserror::Error;

/// A queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A queue that failed.
#[derive(Debug, Error)]
#[error("the queue `{url}` failed: {why}")]
pub struct QueueError {
    url: String,
    why: String,
}

/// A message that was taken from a queue, and comes again unless it is removed.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its name in its queue.
    pub id: String,
    /// What it says.
    pub body: String,
    receipt: String,
}

/// How many messages one call gives, and how long it waits for the first (SQS/ReceiveMessage).
const AT_ONCE: i32 = 10;
const WAIT_SECS: i32 = 20;

/// How much of a message a reason may take.
const REASON_BYTES_MAX: usize = 1_000;

impl Queue {
    /// The queue with this URL.
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { client: Client::new(config), url }
    }

    /// Its name: the last part of its URL.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn send(&self, body: String) -> Result<(), QueueError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        request.send().await.map_err(|error| self.failed(&DisplayErrorContext(error)))?;
        Ok(())
    }

    /// Sends a message that could not be handled, with the reason.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn send_with_reason(&self, body: String, reason: &str) -> Result<(), QueueError> {
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        // An attribute takes only what XML can say.
        let reason: String = reason
            .get(..end)
            .unwrap_or_default()
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .collect();
        let attribute = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(if reason.is_empty() { "unknown".to_owned() } else { reason })
            .build()
            .map_err(|error| self.failed(&error))?;
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        let request = request.message_attributes("reason", attribute);
        request.send().await.map_err(|error| self.failed(&DisplayErrorContext(error)))?;
        Ok(())
    }

    /// Waits for messages; after twenty seconds there may be none.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn receive(&self) -> Result<Vec<Received>, QueueError> {
        let request = self.client.receive_message().queue_url(&self.url);
        let request = request.max_number_of_messages(AT_ONCE).wait_time_seconds(WAIT_SECS);
        let answer =
            request.send().await.map_err(|error| self.failed(&DisplayErrorContext(error)))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        let received = messages.filter_map(|message| {
            let id = message.message_id.unwrap_or_default();
            Some(Received { id, body: message.body?, receipt: message.receipt_handle? })
        });
        Ok(received.collect())
    }

    /// Removes a message that was handled.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn remove(&self, message: &Received) -> Result<(), QueueError> {
        let request = self.client.delete_message().queue_url(&self.url);
        let request = request.receipt_handle(&message.receipt);
        request.send().await.map_err(|error| self.failed(&DisplayErrorContext(error)))?;
        Ok(())
    }

    fn failed(&self, why: &impl ToString) -> QueueError {
        QueueError { url: self.url.clone(), why: why.to_string() }
    }
}
