//! What the other tests rest on: that the emulator enforces policies as AWS does. A version of it that
//! stops to is caught here.

use std::time::Duration;

use serde_json::json;

use crate::world::{HOME, World};

const ROLE: &str = "arn:aws:iam::123456789012:role/Agents";

fn deny(condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{condition}}}]}}"#
    )
}

fn world() -> Option<World> {
    let mut world = World::start()?;
    world.role(HOME, "Agents", &["arn:aws:iam::123456789012:root"]);
    for (id, tags) in
        [("one", &[("AgentID", "a1")][..]), ("two", &[("AgentID", "a2")]), ("none", &[])]
    {
        world.session(HOME, id, ROLE, tags);
    }
    Some(world)
}

fn denied(world: &mut World, policy: &str) -> [bool; 3] {
    world.tell(json!({"do": "put", "account": HOME, "role": "Agents", "policy": "test", "document": policy}));
    ["one", "two", "none"].map(|id| world.is_denied(id, "s3"))
}

#[test]
fn denials_hit_whom_they_name() {
    let Some(mut world) = world() else { return };
    assert_eq!(["one", "two", "none"].map(|id| world.is_denied(id, "s3")), [false; 3]);
    let by_tag = deny(r#"{"StringEquals":{"aws:PrincipalTag/AgentID":"a1"}}"#);
    assert_eq!(denied(&mut world, &by_tag), [true, false, false]);
    let principal =
        world.ask(json!({"do": "assume", "by": HOME, "id": "four", "role": ROLE, "name": "four"}));
    let user_id = principal["principal"].as_str().unwrap().to_owned();
    let by_id = deny(&format!(r#"{{"StringEquals":{{"aws:userid":"{user_id}"}}}}"#));
    assert_eq!(denied(&mut world, &by_id), [false; 3]);
    assert!(world.is_denied("four", "s3"));
}

#[test]
fn a_time_cuts_what_was_minted_before_it() {
    let Some(mut world) = world() else { return };
    // The emulator knows the time of minting to the second.
    std::thread::sleep(Duration::from_millis(1_100));
    let now = jiff::Timestamp::now().to_string();
    std::thread::sleep(Duration::from_millis(1_100));
    world.session(HOME, "late", ROLE, &[]);
    let older = deny(&format!(r#"{{"DateLessThan":{{"aws:TokenIssueTime":"{now}"}}}}"#));
    assert_eq!(denied(&mut world, &older), [true; 3]);
    assert!(!world.is_denied("late", "s3"));
    let over = deny(&format!(r#"{{"DateLessThan":{{"aws:CurrentTime":"{now}"}}}}"#));
    assert_eq!(denied(&mut world, &over), [false; 3]);
}

#[test]
fn a_denial_of_everything_reaches_every_service_and_only_what_it_names() {
    let Some(mut world) = world() else { return };
    let all_but = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":["s3:ListAllMyBuckets"],"Resource":"*"}]}"#;
    assert_eq!(denied(&mut world, all_but), [false; 3]);
    for service in
        ["dynamodb", "sqs", "sns", "secretsmanager", "ssm", "kms", "lambda", "events", "iam", "ec2"]
    {
        assert!(world.is_denied("one", service), "{service}");
    }
}

#[test]
fn what_the_emulator_does_not_know_is_known() {
    let Some(mut world) = world() else { return };
    let command = json!({"do": "assume", "by": HOME, "id": "named", "role": ROLE, "name": "named", "source_identity": "alice"});
    world.tell(command);
    let by_source = deny(r#"{"StringEquals":{"aws:SourceIdentity":"alice"}}"#);
    denied(&mut world, &by_source);
    // AWS denies this. The day the emulator does, tests by source identity can be written on it.
    assert!(!world.is_denied("named", "s3"));
}
