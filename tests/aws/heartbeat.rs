//! Silence, and a calibration that does not hold, told by the functions as they are deployed.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tripline_aws::DynamoState;
use tripline_cloudtrail::EventTime;
use tripline_detector::{Calibration, Score};
use tripline_engine::{Entry, Partition, Pulse};
use tripline_runtime::State;
use tripline_text::Untrusted;

use crate::live::{chat, deployed_with};
use crate::state::{aws, block_on};
use crate::world::World;

/// The time by the clock.
pub(crate) fn now() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    EventTime::from_unix_secs(i64::try_from(since.as_secs()).unwrap()).unwrap()
}

/// Has the state know of a digest that arrived then.
pub(crate) fn deliver_digest(world: &World, then: EventTime) {
    block_on(async {
        let state = DynamoState::new(&aws(world).await, "tripline".to_owned());
        let pulse = Pulse::of_digest(&digest(then), then);
        state.put(&pulse.unwrap().entries(then)).await.unwrap();
    });
}

/// The key of the digest of the hour that ended then.
fn digest(then: EventTime) -> String {
    let stamp = then.to_string().replace(['-', ':'], "");
    let day = then.to_string().split('T').next().unwrap().replace('-', "/");
    format!(
        "AWSLogs/123456789012/CloudTrail-Digest/eu-west-1/{day}/123456789012_CloudTrail-Digest_eu-west-1_trail_us-east-1_{stamp}.json.gz"
    )
}

#[test]
fn a_region_that_falls_silent_is_told_once_and_so_is_that_it_is_heard_of_again() {
    let (url, posts) = chat();
    let environment = json!({"TRIPLINE_SLACK_WEBHOOK_SECRET": "hook"});
    let Some(mut world) = deployed_with("observe", &environment) else { return };
    block_on(async {
        let secrets = aws_sdk_secretsmanager::Client::new(&aws(&world).await);
        secrets.create_secret().name("hook").secret_string(url).send().await.unwrap();
    });
    // Its last digest came five hours ago.
    deliver_digest(&world, EventTime::from_unix_secs(now().unix_secs() - 5 * 3_600).unwrap());
    let tick = json!({"do": "invoke", "function": "responder", "event": {"tick": "now"}});
    let told = || posts.lock().unwrap().clone();
    for _ in 0..2 {
        world.tell(tick.clone());
        let told = told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("[BLIND] 1 of 1 accounts' Regions"), "{told:?}");
        assert!(told[0].contains("eu-west-1: no digest for more than 3 hours"), "{told:?}");
    }
    world.tell(json!({"do": "deliver", "key": digest(now())}));
    world.tell(json!({"do": "settle"}));
    for _ in 0..2 {
        world.tell(tick.clone());
        let told = told();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].contains("[SEES AGAIN]"), "{told:?}");
    }
}

#[test]
fn a_calibration_that_does_not_hold_is_told_once() {
    let home = tempfile::tempdir().unwrap();
    let mut calibration = Calibration::default();
    let benign = std::iter::once((Score::default(), 3_000));
    calibration.add(&Untrusted::borrowed("oncall"), 3_000, 42_000, benign);
    let folder = home.path().join("baselines");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("calibration.json"), calibration.to_text().unwrap()).unwrap();
    let (url, posts) = chat();
    let environment = json!({"TRIPLINE_SLACK_WEBHOOK_SECRET": "hook",
        "TRIPLINE_CONFIG": home.path()});
    let Some(mut world) = deployed_with("observe", &environment) else { return };
    block_on(async {
        let secrets = aws_sdk_secretsmanager::Client::new(&aws(&world).await);
        secrets.create_secret().name("hook").secret_string(url).send().await.unwrap();
    });
    let tick = json!({"do": "invoke", "function": "responder", "event": {"tick": "now"}});
    world.tell(tick.clone());
    assert!(posts.lock().unwrap().is_empty(), "it holds");
    block_on(async {
        let state = DynamoState::new(&aws(&world).await, "tripline".to_owned());
        // As the detector writes it: no class, and the day 20,000.
        let value = vec![0x00, 0xa0, 0x9c, 0x01];
        let until = now().plus_secs(86_400);
        state.put(&[Entry::new(&Partition::fired(&calibration), value, until)]).await.unwrap();
    });
    for _ in 0..2 {
        world.tell(tick.clone());
        let told = posts.lock().unwrap().clone();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("[UNWELL] the lines of evidence do not hold"), "{told:?}");
        assert!(told[0].contains("agents without a class: by 2024-10-04"), "{told:?}");
    }
}
