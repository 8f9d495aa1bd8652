//! The state that functions share, and their action log, in one DynamoDB table.
//!
//! An item is one element of a set: `pk` is the set, `sk` the element's place in it, `v` the element,
//! `ttl` when it may be forgotten. An element's place is its content, so that to write it again writes
//! the same; there is nothing to be conditional about, and nobody to wait for.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, PutRequest, TransactWriteItem, WriteRequest};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tripline_engine::{Entry, PartitionId};
use tripline_runtime::{State, StateError, Store, StoreError};

/// How many items are written by one call (DynamoDB/BatchWriteItem).
const ITEMS_PER_WRITE: usize = 25;
/// Calls at once.
const AT_ONCE: usize = 16;
/// How often a write is tried that the table had no room for.
const TRIES: u32 = 8;
const FIRST_WAIT_MS: u64 = 25;

/// The state in a table whose key is `pk` and `sk`, both strings, and whose TTL attribute is `ttl`.
#[derive(Debug)]
pub struct DynamoState {
    client: Client,
    table: String,
    /// What the name of each set begins with.
    owner: &'static str,
}

/// What begins so, the detector's role may not write: see `deploy/template.yaml`.
const RESPONDERS: &str = "responder#";

impl DynamoState {
    /// The state in this table.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table, owner: "" }
    }

    /// What the responder remembers for itself, out of the detector's reach.
    pub fn of_responder(config: &SdkConfig, table: String) -> Self {
        Self { owner: RESPONDERS, ..Self::new(config, table) }
    }

    fn place(&self, partition: PartitionId) -> String {
        format!("{}{partition}", self.owner)
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), StateError> {
        let mut requests: Vec<WriteRequest> =
            entries.iter().map(|entry| self.request(entry)).collect::<Result<_, _>>()?;
        for tried in 0..TRIES {
            let answer = self
                .client
                .batch_write_item()
                .request_items(&self.table, requests)
                .send()
                .await
                .map_err(|error| self.failed(error))?;
            // What the table had no room for comes back.
            let left = answer.unprocessed_items.unwrap_or_default().remove(&self.table);
            requests = left.unwrap_or_default();
            if requests.is_empty() {
                return Ok(());
            }
            let wait = FIRST_WAIT_MS << tried;
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        }
        Err(StateError::Throttled(format!("{} items could not be written", requests.len())))
    }

    fn request(&self, entry: &Entry) -> Result<WriteRequest, StateError> {
        let put = PutRequest::builder();
        let put =
            self.item(entry).into_iter().fold(put, |put, (name, value)| put.item(name, value));
        let put = put.build().map_err(|error| self.broken(&error))?;
        Ok(WriteRequest::builder().put_request(put).build())
    }

    fn item(&self, entry: &Entry) -> [(&'static str, AttributeValue); 4] {
        [
            ("pk", string(self.place(entry.partition))),
            ("sk", string(hex(&entry.sort()))),
            ("v", binary(&entry.value)),
            ("ttl", AttributeValue::N(entry.until.unix_secs().to_string())),
        ]
    }

    async fn set(&self, partition: PartitionId) -> Result<Vec<Vec<u8>>, StateError> {
        let values = values(&self.client, &self.table, self.place(partition)).await;
        let values = values.map_err(|error| self.failed(error))?.into_iter();
        Ok(values
            .filter_map(|value| match value {
                AttributeValue::B(value) => Some(value.into_inner()),
                _ => None,
            })
            .collect())
    }

    fn failed<E>(&self, error: E) -> StateError
    where
        E: ProvideErrorMetadata + std::error::Error,
    {
        let has_too_much = matches!(
            error.code(),
            Some(
                "ProvisionedThroughputExceededException"
                    | "RequestLimitExceeded"
                    | "ThrottlingException"
            )
        );
        match has_too_much {
            true => StateError::Throttled(DisplayErrorContext(error).to_string()),
            false => self.broken(&DisplayErrorContext(error)),
        }
    }

    fn broken(&self, why: &impl ToString) -> StateError {
        StateError::Broken { place: self.table.clone(), why: why.to_string() }
    }
}

impl State for DynamoState {
    async fn put(&self, entries: &[Entry]) -> Result<(), StateError> {
        // One call takes each key once: of the same element, the one that is kept longest.
        let mut once = entries.to_vec();
        once.sort_by(|a, b| b.cmp(a));
        once.dedup_by(|a, b| (a.partition, &a.value) == (b.partition, &b.value));
        let writes: Vec<_> = once.chunks(ITEMS_PER_WRITE).map(|some| self.write(some)).collect();
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    async fn claim(&self, entry: &Entry) -> Result<bool, StateError> {
        let put = self.client.put_item().table_name(&self.table);
        let put =
            self.item(entry).into_iter().fold(put, |put, (name, value)| put.item(name, value));
        // Of two who add the same element one comes first.
        let sent = put.condition_expression("attribute_not_exists(pk)").send().await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.failed(error)),
            },
        }
    }

    async fn read(&self, partitions: &[PartitionId]) -> Result<Vec<Vec<Vec<u8>>>, StateError> {
        let sets: Vec<_> = partitions.iter().map(|partition| self.set(*partition)).collect();
        stream::iter(sets).buffered(AT_ONCE).try_collect().await
    }
}

/// The action log in the same table: one item a line, `sk` its number.
#[derive(Debug)]
pub struct DynamoStore {
    client: Client,
    table: String,
}

/// The `pk` of the log: no set's name, since those are digits; out of the detector's reach.
const LOG: &str = "responder#action-log";

/// How many lines are added at once (DynamoDB/TransactWriteItems).
const LINES_PER_WRITE: usize = 100;

impl DynamoStore {
    /// The log in this table.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }

    fn put(&self, number: u64, line: &str) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", string(LOG.to_owned()))
            .item("sk", string(format!("{number:020}")))
            .item("v", AttributeValue::S(line.to_owned()))
            // Of two who add the same line one comes first.
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|error| self.failed(&error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn failed(&self, why: &impl ToString) -> StoreError {
        StoreError::Remote { place: self.table.clone(), why: why.to_string() }
    }
}

impl Store for DynamoStore {
    async fn lines(&self) -> Result<Vec<String>, StoreError> {
        let values = values(&self.client, &self.table, LOG.to_owned()).await;
        let values = values.map_err(|error| self.failed(&DisplayErrorContext(error)))?.into_iter();
        Ok(values
            .filter_map(|value| match value {
                AttributeValue::S(line) => Some(line),
                _ => None,
            })
            .collect())
    }

    async fn append(&self, from: u64, lines: &[String]) -> Result<(), StoreError> {
        // All of them or none: more than one call can hold nobody adds.
        if lines.len() > LINES_PER_WRITE {
            return Err(self.failed(&format!("{} lines at once", lines.len())));
        }
        let puts = (from..).zip(lines).map(|(number, line)| self.put(number, line));
        let puts: Vec<TransactWriteItem> = puts.collect::<Result<_, _>>()?;
        let sent = self.client.transact_write_items().set_transact_items(Some(puts)).send().await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(
                    TransactWriteItemsError::TransactionCanceledException(_)
                    | TransactWriteItemsError::TransactionInProgressException(_),
                ) => Err(StoreError::Conflict),
                _ => Err(self.failed(&DisplayErrorContext(error))),
            },
        }
    }
}

/// What the items with this `pk` hold, in order of `sk`: everything that was written before.
async fn values(
    client: &Client,
    table: &str,
    pk: String,
) -> Result<Vec<AttributeValue>, SdkError<QueryError>> {
    let mut items = client
        .query()
        .table_name(table)
        // What another function wrote a moment ago must be seen.
        .consistent_read(true)
        .key_condition_expression("pk = :pk")
        .projection_expression("v")
        .expression_attribute_values(":pk", string(pk))
        .into_paginator()
        .items()
        .send();
    let mut values = Vec::new();
    while let Some(item) = items.next().await {
        values.extend(item?.remove("v"));
    }
    Ok(values)
}

fn string(text: String) -> AttributeValue {
    AttributeValue::S(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}
