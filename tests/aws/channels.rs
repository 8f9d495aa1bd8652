//! Channels whose other end, or whose secret, is AWS: on the emulator.

use aws_config::SdkConfig;
use aws_sdk_ssm::types::ParameterType;
use serde_json::Value;
use tripline_aws::{DynamoState, Queue, channels};
use tripline_chat::{Line, Message, Stage};
use tripline_containment::IncidentId;
use tripline_engine::Config;
use tripline_engine::doctor::Reached;
use tripline_runtime::{Outbox, SystemClock};
use tripline_text::Untrusted;

use crate::state::{block_on, table};
use crate::world::World;

fn message(stage: Stage) -> Message {
    let name = Line::name(&Untrusted::borrowed("<!channel> oncall"));
    Message {
        incident: IncidentId::new(0xfeed),
        stage,
        verdict: Some(tripline_detector::Verdict::Kill),
        headline: name.clone().and(" called iam:CreateAccessKey, which it must never do"),
        subject: name,
        who: Vec::new(),
        reasons: vec![Line::ours("it never did")],
        listed: Vec::new(),
        done: vec![Line::ours("stopped")],
        damage: Line::ours("nothing of it succeeded"),
        next: Line::ours("tripline status"),
        answers: Default::default(),
    }
}

/// A topic with a queue behind it, as it is: the topic's ARN, and the queue.
async fn topic(aws: &SdkConfig, name: &str) -> (String, Queue) {
    let (sns, sqs) = (aws_sdk_sns::Client::new(aws), aws_sdk_sqs::Client::new(aws));
    let topic = sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap();
    let url = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let arn = format!("arn:aws:sqs:us-east-1:123456789012:{name}");
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"sns.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"{arn}"}}]}}"#
    );
    let name = aws_sdk_sqs::types::QueueAttributeName::Policy;
    sqs.set_queue_attributes().queue_url(&url).attributes(name, policy).send().await.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&arn);
    subscribe.send().await.unwrap();
    (topic, Queue::new(aws, url))
}

async fn received(queue: &Queue) -> Value {
    let messages = queue.receive().await.unwrap();
    assert_eq!(messages.len(), 1);
    queue.remove(&messages[0]).await.unwrap();
    serde_json::from_str(&messages[0].body).unwrap()
}

#[test]
fn topics_and_secrets_where_they_are_and_an_outbox_in_the_table() {
    let Some(world) = World::start() else { return };
    block_on(async {
        let aws = table(&world, "told").await;
        let (mail, mails) = topic(&aws, "mail").await;
        let (chat, notes) = topic(&aws, "chat").await;
        let hook = "http://127.0.0.1:1/SECRET-OF-THE-HOOK";
        let secrets = aws_sdk_secretsmanager::Client::new(&aws);
        secrets.create_secret().name("hook").secret_string(hook).send().await.unwrap();
        let parameters = aws_sdk_ssm::Client::new(&aws);
        let put = async |name: &str, kind: ParameterType, value: &str| {
            let put = parameters.put_parameter().name(name).r#type(kind).value(value);
            put.send().await.unwrap()
        };
        put("/tripline/key", ParameterType::SecureString, "0123456789abcdef").await;
        put("open", ParameterType::String, hook).await;
        let config = Config::parse(&format!(
            "version = 1\n[[channels]]\nname = \"mail\"\nservice = \"sns\"\ntopic = \"{mail}\"\n\
             [[channels]]\nname = \"chat\"\nservice = \"amazon-q\"\ntopic = \"{chat}\"\n\
             [[channels]]\nname = \"own\"\nservice = \"webhook\"\nurl = \"secretsmanager:hook\"\n\
             key = \"ssm:/tripline/key\"\n"
        ))
        .unwrap();
        let (channels, unusable) = channels(&aws, &config.channels).await;
        assert!(unusable.is_empty(), "{unusable:?}");
        let shown = format!("{channels:?}");
        assert!(!shown.contains("SECRET-OF-THE-HOOK") && !shown.contains("0123456789abcdef"));
        // A doctor can tell whether anybody gets what is posted to a topic.
        let lonely = aws_sdk_sns::Client::new(&aws).create_topic().name("lonely");
        let lonely = lonely.send().await.unwrap().topic_arn.unwrap();
        for (topic, expected) in [(&mail, Reached::Answers), (&lonely, Reached::Unread)] {
            let text = format!(
                "version = 1\n[[channels]]\nname = \"x\"\nservice = \"sns\"\ntopic = \"{topic}\"\n"
            );
            let settings = Config::parse(&text).unwrap().channels;
            let (channels, _) = tripline_aws::channels(&aws, &settings).await;
            assert_eq!(channels[0].reach().await, Ok(expected));
        }
        let state = DynamoState::of_responder(&aws, "told".to_owned());
        let outbox = Outbox::new(&state, &channels, &SystemClock);
        outbox.put(&message(Stage::Killed)).await.unwrap();
        let (one, other) = tokio::join!(outbox.drain(), outbox.drain());
        let (one, other) = (one.unwrap(), other.unwrap());
        // Each topic once, whoever came first; nobody listens at the webhook.
        assert_eq!(one.posted + other.posted, 2);
        let failed: Vec<_> = one.failed.iter().chain(&other.failed).collect();
        assert!(failed.iter().all(|(name, _)| name == "own") && !failed.is_empty(), "{failed:?}");
        assert!(!format!("{failed:?}").contains("SECRET-OF-THE-HOOK"), "{failed:?}");
        let mail = received(&mails).await;
        assert_eq!(mail["Subject"], "Tripline: KILLED (incident 000000000000feed)");
        assert!(mail["Message"].as_str().unwrap().starts_with("[KILLED] ＜！channel＞ oncall"));
        let note = received(&notes).await;
        let note: Value = serde_json::from_str(note["Message"].as_str().unwrap()).unwrap();
        assert_eq!(note["metadata"]["threadId"], "tripline-000000000000feed");
        // What is kept in the open is no secret, and is not repeated.
        for (place, why) in [("ssm:open", "it is not encrypted"), ("ssm:gone", "ParameterNotFound")]
        {
            let text = format!(
                "version = 1\n[[channels]]\nname = \"x\"\nservice = \"teams\"\nurl = \"{place}\"\n"
            );
            let settings = Config::parse(&text).unwrap().channels;
            let error = tripline_aws::channels(&aws, &settings).await.1[0].to_string();
            let expected = format!("channel `x`: the secret `{place}` cannot be read: {why}");
            assert!(error.starts_with(&expected), "{error}");
        }
        // A secret that is not there is named, and what it is for is kept.
        let missing = "version = 1\n[[channels]]\nname = \"x\"\nservice = \"teams\"\nurl = \"secretsmanager:gone\"\n";
        let missing = Config::parse(missing).unwrap();
        let (channels, unusable) = tripline_aws::channels(&aws, &missing.channels).await;
        let error = unusable[0].to_string();
        let outbox = Outbox::new(&state, &channels, &SystemClock);
        outbox.put(&message(Stage::Holds)).await.unwrap();
        let drained = outbox.drain().await.unwrap();
        assert_eq!((drained.due, drained.failed[0].1.to_string()), (1, error.clone()));
        assert!(
            error.contains(
                "channel `x`: the secret `secretsmanager:gone` cannot be read: ResourceNotFoundException: "
            ),
            "{error}"
        );
    });
}
