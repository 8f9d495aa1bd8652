//! Silence, told by the functions as they are deployed.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tripline_aws::DynamoState;
use tripline_cloudtrail::EventTime;
use tripline_engine::Pulse;
use tripline_runtime::State;

use crate::live::{chat, deployed_with};
use crate::state::{aws, block_on};

const DIGEST: &str = "AWSLogs/123456789012/CloudTrail-Digest/eu-west-1/2026/11/20/123456789012_CloudTrail-Digest_eu-west-1_trail_us-east-1_20261120T100131Z.json.gz";

#[test]
fn a_region_that_falls_silent_is_told_once_and_so_is_that_it_is_heard_of_again() {
    let (url, posts) = chat();
    let environment = json!({"TRIPLINE_SLACK_WEBHOOK_SECRET": "hook"});
    let Some(mut world) = deployed_with("observe", &environment) else { return };
    // Its last digest came five hours ago.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let then = EventTime::from_unix_secs(i64::try_from(now).unwrap() - 5 * 3_600).unwrap();
    block_on(async {
        let aws = aws(&world).await;
        let secrets = aws_sdk_secretsmanager::Client::new(&aws);
        secrets.create_secret().name("hook").secret_string(url).send().await.unwrap();
        let state = DynamoState::new(&aws, "tripline".to_owned());
        state.put(&Pulse::of_digest(DIGEST).unwrap().entries(then)).await.unwrap();
    });
    let tick = json!({"do": "invoke", "function": "responder", "event": {"tick": "now"}});
    let told = || posts.lock().unwrap().clone();
    for _ in 0..2 {
        world.tell(tick.clone());
        let told = told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("[BLIND] 1 of 1 accounts' Regions"), "{told:?}");
        assert!(told[0].contains("eu-west-1: no digest for more than 3 hours"), "{told:?}");
    }
    world.tell(json!({"do": "deliver", "key": DIGEST}));
    world.tell(json!({"do": "settle"}));
    for _ in 0..2 {
        world.tell(tick.clone());
        let told = told();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].contains("[SEES AGAIN]"), "{told:?}");
    }
}
