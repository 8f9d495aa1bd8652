//! Trails, and their selectors in the words that basic and advanced ones share.

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, EventSelector, ReadWriteType, Trail};
use aws_sdk_iam::primitives::DateTime;
use tripline_cloudtrail::EventTime;
use tripline_engine::doctor::{Found, Management, Selector, TrailFacts, TrailStatus};
use tripline_text::Untrusted;

use super::refused;

pub(super) async fn trails(config: &SdkConfig) -> Found<Vec<TrailFacts>> {
    // Shadows of other Regions' trails, and of the organization's, are among them.
    let described = Client::new(config).describe_trails().send().await;
    let described = described.map_err(|error| refused(&error))?;
    let mut trails = Vec::new();
    for trail in described.trail_list() {
        trails.push(facts(config, trail).await);
    }
    Ok(trails)
}

async fn facts(config: &SdkConfig, trail: &Trail) -> TrailFacts {
    // A trail is asked about in its own Region.
    let mut at_home = aws_sdk_cloudtrail::config::Builder::from(config);
    at_home.set_region(trail.home_region().map(|region| Region::new(region.to_owned())));
    let client = Client::from_conf(at_home.build());
    let arn = trail.trail_arn().or(trail.name()).unwrap_or_default();
    let status = client.get_trail_status().name(arn).send().await;
    let selectors = client.get_event_selectors().trail_name(arn).send().await;
    TrailFacts {
        name: text(trail.name()),
        bucket: text(trail.s3_bucket_name()),
        is_multi_region: trail.is_multi_region_trail() == Some(true),
        has_global_services: trail.include_global_service_events() == Some(true),
        validates: trail.log_file_validation_enabled() == Some(true),
        status: status.map_err(|error| refused(&error)).map(|status| TrailStatus {
            is_logging: status.is_logging() == Some(true),
            delivered: time(status.latest_delivery_time()),
            delivery_error: said(status.latest_delivery_error()),
            digested: time(status.latest_digest_delivery_time()),
            digest_error: said(status.latest_digest_delivery_error()),
        }),
        selectors: selectors.map_err(|error| refused(&error)).map(|given| {
            let basic = given.event_selectors().iter().map(basic);
            basic.chain(given.advanced_event_selectors().iter().map(advanced)).collect()
        }),
    }
}

fn text(text: Option<&str>) -> Untrusted<'static> {
    Untrusted::new(text.unwrap_or_default().to_owned())
}

fn said(error: Option<&str>) -> Option<Untrusted<'static>> {
    error.filter(|error| !error.is_empty()).map(|error| text(Some(error)))
}

fn time(time: Option<&DateTime>) -> Option<EventTime> {
    EventTime::from_unix_secs(time?.secs())
}

/// What is not said is as CloudTrail has it by default: read and write, management events included.
fn basic(given: &EventSelector) -> Selector {
    let kind = given.read_write_type().unwrap_or(&ReadWriteType::All);
    let (reads, writes) = (*kind != ReadWriteType::WriteOnly, *kind != ReadWriteType::ReadOnly);
    let management = Management {
        reads,
        writes,
        leaves_out: given
            .exclude_management_event_sources()
            .iter()
            .map(|text| owned(text))
            .collect(),
        is_narrowed: false,
    };
    let data = given.data_resources().iter().map(|of| {
        // `arn:aws:s3` and `arn:aws:s3:::` are all buckets, `arn:aws:lambda` all functions.
        let is_all =
            of.values().iter().any(|arn| arn.trim_end_matches(':').split(':').count() <= 3);
        (text(of.r#type()), is_all && reads && writes)
    });
    Selector {
        management: (given.include_management_events() != Some(false)).then_some(management),
        data: data.collect(),
    }
}

fn advanced(given: &AdvancedEventSelector) -> Selector {
    let fields = given.field_selectors();
    let equals = |name: &str| {
        let field = fields.iter().find(|field| field.field() == name);
        field.map(|field| field.equals()).unwrap_or_default()
    };
    let is = |name: &str, value: &str| equals(name).iter().any(|one| one == value);
    let reads_only = is("readOnly", "true");
    let writes_only = is("readOnly", "false");
    if is("eventCategory", "Management") {
        let sources = fields.iter().filter(|field| field.field() == "eventSource");
        let leaves_out =
            sources.flat_map(|field| field.not_equals()).map(|text| owned(text)).collect();
        let is_narrowed = fields.iter().any(|field| match field.field() {
            "eventCategory" | "readOnly" => false,
            // What is left out by name is told by its names.
            "eventSource" => field.not_equals().is_empty() || !field.equals().is_empty(),
            _ => true,
        });
        let management =
            Management { reads: !writes_only, writes: !reads_only, leaves_out, is_narrowed };
        return Selector { management: Some(management), data: Vec::new() };
    }
    let is_all =
        fields.iter().all(|field| matches!(field.field(), "eventCategory" | "resources.type"));
    let data = match is("eventCategory", "Data") {
        true => equals("resources.type").iter().map(|of| (owned(of), is_all)).collect(),
        false => Vec::new(),
    };
    Selector { management: None, data }
}

fn owned(text: &str) -> Untrusted<'static> {
    Untrusted::new(text.to_owned())
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::types::{AdvancedFieldSelector, DataResource};

    use super::*;

    fn with(fields: &[(&str, &[&str], &[&str])]) -> Selector {
        let list = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            (!values.is_empty()).then_some(values)
        };
        let fields = fields.iter().map(|(name, equals, not_equals)| {
            let field = AdvancedFieldSelector::builder().field(*name);
            let field = field.set_equals(list(equals)).set_not_equals(list(not_equals));
            field.build().unwrap()
        });
        let fields = fields.collect();
        advanced(
            &AdvancedEventSelector::builder().set_field_selectors(Some(fields)).build().unwrap(),
        )
    }

    #[test]
    fn advanced_selectors_say_what_they_take_and_leave_out() {
        let category = ("eventCategory", &["Management"][..], &[][..]);
        let whole = with(&[category]).management.unwrap();
        assert!(whole.reads && whole.writes && !whole.is_narrowed);
        let reads = with(&[category, ("readOnly", &["true"], &[])]).management.unwrap();
        assert!(reads.reads && !reads.writes && !reads.is_narrowed);
        let without = with(&[category, ("eventSource", &[], &["kms.amazonaws.com"])]).management;
        let without = without.unwrap();
        assert!(!without.is_narrowed && without.leaves_out.len() == 1);
        let one = with(&[category, ("eventSource", &["iam.amazonaws.com"], &[])]).management;
        assert!(one.unwrap().is_narrowed);
        let caller = with(&[category, ("userIdentity.arn", &[], &["arn"])]).management;
        assert!(caller.unwrap().is_narrowed);
        let data = ("eventCategory", &["Data"][..], &[][..]);
        let kind = ("resources.type", &["AWS::S3::Object"][..], &[][..]);
        assert!(with(&[data, kind]).data[0].1);
        assert!(!with(&[data, kind, ("readOnly", &["false"], &[])]).data[0].1);
        assert_eq!(with(&[("eventCategory", &["NetworkActivity"], &[])]), Selector::default());
    }

    #[test]
    fn basic_selectors_take_everything_unless_they_say_otherwise() {
        let default = basic(&EventSelector::builder().build());
        let management = default.management.unwrap();
        assert!(management.reads && management.writes);
        let write_only = EventSelector::builder().read_write_type(ReadWriteType::WriteOnly);
        assert!(!basic(&write_only.build()).management.unwrap().reads);
        let data_only = EventSelector::builder().include_management_events(false);
        assert_eq!(basic(&data_only.build()).management, None);
        for (value, is_all) in
            [("arn:aws:s3", true), ("arn:aws:s3:::", true), ("arn:aws:s3:::bucket/", false)]
        {
            let data = DataResource::builder().r#type("AWS::S3::Object").values(value).build();
            assert_eq!(
                basic(&EventSelector::builder().data_resources(data).build()).data[0].1,
                is_all
            );
        }
    }
}
