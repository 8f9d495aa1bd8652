//! Functions, buckets, queues and the table.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{KeyType, ScalarAttributeType, TableStatus, TimeToLiveStatus};
use aws_sdk_lambda::types::State;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use tripline_engine::doctor::{
    Found, FunctionFacts, Notifications, QueueState, TableState, Unknown,
};
use tripline_iam::Arn;
use tripline_runtime::Function;
use tripline_text::Untrusted;

use super::refused;

pub(super) async fn function(config: &SdkConfig, name: &str) -> Found<Function> {
    let lambda = aws_sdk_lambda::Client::new(config);
    let found = lambda.get_function_configuration().function_name(name).send().await;
    let found = found.map_err(|error| refused(&error))?;
    let mappings = lambda.list_event_source_mappings().function_name(name);
    let mappings = mappings.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let mappings = mappings.map_err(|error| refused(&error));
    let arn_of = |arn: Option<&str>| arn.and_then(|arn| Arn::parse(arn).ok());
    let environment = found.environment().and_then(|environment| environment.variables());
    let fed_by = mappings.as_ref().map(|mappings| {
        let fed = mappings.iter().filter_map(|mapping| {
            let queue = mapping.event_source_arn()?.rsplit(':').next().unwrap_or_default();
            let is_on = matches!(mapping.state(), Some("Enabled" | "Enabling" | "Creating"));
            Some((Untrusted::new(queue.to_owned()), is_on))
        });
        fed.collect()
    });
    Ok(Function {
        facts: FunctionFacts {
            name: Untrusted::new(name.to_owned()),
            // Not said of functions that have been there for long.
            is_active: found.state().is_none_or(|state| *state == State::Active),
            fed_by: fed_by.map_err(Clone::clone),
        },
        arn: arn_of(found.function_arn()),
        role: arn_of(found.role()),
        environment: environment.cloned().unwrap_or_default().into_iter().collect(),
        queues: mappings
            .iter()
            .flatten()
            .filter_map(|mapping| mapping.event_source_arn().map(str::to_owned))
            .collect(),
    })
}

pub(super) async fn notifications(config: &SdkConfig, bucket: &str) -> Found<Notifications> {
    let s3 = aws_sdk_s3::Client::new(config);
    let found = s3.get_bucket_notification_configuration().bucket(bucket).send().await;
    let found = found.map_err(|error| refused(&error))?;
    let owned = |arn: &str| Untrusted::new(arn.to_owned());
    Ok(Notifications {
        event_bridge: found.event_bridge_configuration().is_some(),
        queues: found.queue_configurations().iter().map(|to| owned(to.queue_arn())).collect(),
        topics: found.topic_configurations().iter().map(|to| owned(to.topic_arn())).collect(),
    })
}

pub(super) async fn queue(config: &SdkConfig, queue: &str) -> Found<QueueState> {
    let sqs = aws_sdk_sqs::Client::new(config);
    let url = match Arn::parse(queue) {
        Err(_) => queue.to_owned(),
        Ok(arn) => {
            let owner = arn.account().map(|account| account.to_string());
            let asked = sqs.get_queue_url().queue_name(arn.resource().as_unescaped());
            let asked = asked.set_queue_owner_aws_account_id(owner).send().await;
            asked.map_err(|error| refused(&error))?.queue_url.unwrap_or_default()
        }
    };
    let asked = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let found = asked.send().await.map_err(|error| refused(&error))?;
    let attribute = |name: &QueueAttributeName| {
        found.attributes().and_then(|all| all.get(name)).map(String::as_str)
    };
    let json = |name: &QueueAttributeName| -> Value {
        attribute(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let waiting = attribute(&QueueAttributeName::ApproximateNumberOfMessages);
    let redrive = json(&QueueAttributeName::RedrivePolicy);
    let dead_letters = redrive.get("deadLetterTargetArn").and_then(Value::as_str);
    Ok(QueueState {
        arn: Untrusted::new(
            attribute(&QueueAttributeName::QueueArn).unwrap_or_default().to_owned(),
        ),
        waiting: waiting
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| Unknown::refused("SQS does not say how many messages wait"))?,
        dead_letters: dead_letters.map(|arn| Untrusted::new(arn.to_owned())),
        senders: senders(&json(&QueueAttributeName::Policy)),
    })
}

/// The services that a queue's policy lets send.
fn senders(policy: &Value) -> BTreeSet<Untrusted<'static>> {
    let statements = listed(policy.get("Statement"));
    let allow = statements.into_iter().filter(|statement| {
        let sends = |action: &str| {
            ["sqs:sendmessage", "sqs:*", "*"].contains(&action.to_ascii_lowercase().as_str())
        };
        let actions = listed(statement.get("Action"));
        statement.get("Effect").and_then(Value::as_str) == Some("Allow")
            && actions.into_iter().filter_map(Value::as_str).any(sends)
    });
    allow
        .flat_map(|statement| listed(statement.pointer("/Principal/Service")))
        .filter_map(|service| Some(Untrusted::new(service.as_str()?.to_owned())))
        .collect()
}

/// What policies write as one or as a list.
fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(one) => vec![one],
    }
}

pub(super) async fn table(config: &SdkConfig, name: &str) -> Found<TableState> {
    let dynamo = aws_sdk_dynamodb::Client::new(config);
    let described = dynamo.describe_table().table_name(name).send().await;
    let described = described.map_err(|error| refused(&error))?;
    let table = described.table().ok_or_else(|| Unknown::refused("DynamoDB says nothing of it"))?;
    let ttl = dynamo.describe_time_to_live().table_name(name).send().await;
    let ttl = ttl.map_err(|error| refused(&error))?;
    let ttl = ttl.time_to_live_description();
    let is_string = |name: &str| {
        table.attribute_definitions().iter().any(|attribute| {
            attribute.attribute_name() == name
                && *attribute.attribute_type() == ScalarAttributeType::S
        })
    };
    let has_key = |name: &str, kind: KeyType| {
        let is = |key: &aws_sdk_dynamodb::types::KeySchemaElement| {
            key.attribute_name() == name && *key.key_type() == kind
        };
        table.key_schema().iter().any(is) && is_string(name)
    };
    Ok(TableState {
        name: Untrusted::new(name.to_owned()),
        is_active: matches!(
            table.table_status(),
            Some(TableStatus::Active | TableStatus::Updating)
        ),
        has_our_key: has_key("pk", KeyType::Hash) && has_key("sk", KeyType::Range),
        forgets: ttl.is_some_and(|ttl| {
            ttl.attribute_name() == Some("ttl")
                && matches!(
                    ttl.time_to_live_status(),
                    Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
                )
        }),
        is_protected: table.deletion_protection_enabled() == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_may_send_is_read_from_the_policy() {
        let policy = json!({"Statement": [
            {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"},
            {"Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com"]}, "Action": ["SQS:*"]},
            {"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "sqs:ReceiveMessage"},
            {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage"},
        ]});
        let senders = senders(&policy);
        let named = ["events.amazonaws.com", "s3.amazonaws.com"];
        assert_eq!(senders, named.map(|name| Untrusted::new(name.to_owned())).into());
        assert!(super::senders(&Value::Null).is_empty());
    }
}
