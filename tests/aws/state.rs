//! The state in DynamoDB: its contract, and the laws of what comes live on it.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use tripline_attribution::{Agent, AgentId};
use tripline_aws::{DynamoState, DynamoStore, S3Depot};
use tripline_cloudtrail::EventTime;
use tripline_engine::{Entry, PartitionId};
use tripline_runtime::{Depot, Got, Library, Only, State, Store, StoreError, publish};

use crate::live_laws::{FALLBACKS, TAGS_ONLY, World, check, check_confirmed};
use crate::world::{self, HOME};

/// The emulator with the root's keys.
pub(crate) async fn aws(world: &world::World) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(world.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(HOME, "test", None, None, "test"))
        .load()
        .await
}

/// The same, and a table in it.
pub(crate) async fn table(world: &world::World, name: &str) -> SdkConfig {
    let config = aws(world).await;
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
    };
    let attribute = |name: &str| {
        let of = AttributeDefinition::builder().attribute_name(name);
        of.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    Client::new(&config)
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(vec![key("pk", KeyType::Hash), key("sk", KeyType::Range)]))
        .set_attribute_definitions(Some(vec![attribute("pk"), attribute("sk")]))
        .send()
        .await
        .unwrap();
    config
}

pub(crate) fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

#[test]
fn sets_of_any_size_are_read_whole_and_hold_each_element_once() {
    let Some(world) = world::World::start() else { return };
    block_on(async {
        let config = table(&world, "sets").await;
        let state = DynamoState::new(&config, "sets".to_owned());
        let entry = |partition: u8, value: Vec<u8>| Entry {
            partition: PartitionId::from_bytes([partition; 16]),
            value,
            until: EventTime::from_unix_secs(4_000_000_000).unwrap(),
        };
        // More than one call takes, and more than one page gives back; some twice in one call.
        let many = (0..70_u8).map(|nth| entry(1, vec![nth; 60_000]));
        let mut entries: Vec<Entry> = many.collect();
        entries.extend(entries.clone().into_iter().take(5));
        entries.push(entry(2, b"another".to_vec()));
        state.put(&entries).await.unwrap();
        state.put(&entries[3..9]).await.unwrap();
        let ids = [3, 1, 2].map(|id| entry(id, Vec::new()).partition);
        let mut found = state.read(&ids).await.unwrap();
        assert_eq!((found[0].len(), found[2].clone()), (0, vec![b"another".to_vec()]));
        found[1].sort();
        assert_eq!(found[1], (0..70_u8).map(|nth| vec![nth; 60_000]).collect::<Vec<_>>());
        // Of several who claim an element one does.
        let claimed = entry(4, b"claimed".to_vec());
        let claims =
            tokio::join!(state.claim(&claimed), state.claim(&claimed), state.claim(&claimed));
        let claims = [claims.0.unwrap(), claims.1.unwrap(), claims.2.unwrap()];
        assert_eq!(claims.iter().filter(|is_first| **is_first).count(), 1, "{claims:?}");
        // What the responder remembers for itself is another set of the same name.
        let responder = DynamoState::of_responder(&config, "sets".to_owned());
        assert!(responder.claim(&claimed).await.unwrap());
    });
}

#[test]
fn of_two_who_add_the_same_line_to_the_action_log_one_comes_first() {
    let Some(world) = world::World::start() else { return };
    block_on(async {
        let config = table(&world, "log").await;
        let store = DynamoStore::new(&config, "log".to_owned());
        let lines =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(store.lines().await.unwrap(), lines(&[]));
        store.append(0, &lines(&["a", "b"])).await.unwrap();
        let other = DynamoStore::new(&config, "log".to_owned());
        let late = other.append(1, &lines(&["x", "y"])).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        other.append(2, &lines(&["c"])).await.unwrap();
        assert_eq!(store.lines().await.unwrap(), lines(&["a", "b", "c"]));
    });
}

#[test]
fn models_in_a_bucket_are_followed_and_of_two_who_promote_one_comes_first() {
    let Some(world) = world::World::start() else { return };
    block_on(async {
        let config = table(&world, "models").await;
        let s3 = aws_sdk_s3::Client::new(&config);
        s3.create_bucket().bucket("models-of-the-test").send().await.unwrap();
        let depot = || S3Depot::parse(&config, "s3://models-of-the-test/all/").unwrap();
        assert_eq!(depot().get("current.json", None).await.unwrap(), Got::Missing);
        assert!(depot().put("a", b"1", Only::IfAbsent).await.unwrap());
        assert!(!depot().put("a", b"2", Only::IfAbsent).await.unwrap());
        let Got::New { bytes, tag } = depot().get("a", None).await.unwrap() else { unreachable!() };
        assert_eq!(bytes, b"1");
        assert_eq!(depot().get("a", Some(&tag)).await.unwrap(), Got::Same);
        assert!(depot().put("a", b"2", Only::IfStill(&tag)).await.unwrap());
        assert!(!depot().put("a", b"3", Only::IfStill(&tag)).await.unwrap());

        let now = EventTime::from_unix_secs(1_795_000_000).unwrap();
        let baselines = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../baselines");
        let published = publish(&baselines, None, &depot(), now).await.unwrap();
        assert_eq!((published.agents, published.new_agents), (6, 6));
        let library = Library::open(Box::new(depot()), 1, now).await.unwrap();
        let edition = library.edition(now).await;
        let agent = Agent { id: AgentId::of("oncall-investigator").unwrap(), class: None };
        let model = library.model(&edition, &[agent]).await.unwrap();
        assert_eq!(model.id().to_string(), format!("sha256:{}", published.root));
        assert!(format!("{model:?}").contains("incident-logs"));
    });
}

#[test]
fn any_delivery_into_the_table_ends_as_a_history_does() {
    let Some(world) = world::World::start() else { return };
    block_on(async {
        for (nth, config) in [TAGS_ONLY, FALLBACKS, TAGS_ONLY].into_iter().enumerate() {
            let name = format!("state{nth}");
            let state = DynamoState::new(&table(&world, &name).await, name);
            let seed = u64::try_from(nth).unwrap();
            let one_in = [0, 9, 20][nth];
            check(World { seed, order: seed, parts: 2 + nth, twice: 100, one_in, config }, state)
                .await;
        }
        let table = table(&world, "told").await;
        check_confirmed(1, DynamoState::new(&table, "told".to_owned())).await;
    });
}
