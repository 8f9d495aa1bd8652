//! What is known of agents, and what it takes to see them.

use std::collections::BTreeMap;

use tripline_baseline::{Day, Maturity, Stage};
use tripline_detector::Calibration;
use tripline_iam::{Action, ActionPattern};
use tripline_text::Untrusted;

use super::{Answer, Check, Facts, Group};

/// A kind of events that a trail records only when told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataEvents {
    /// Items of DynamoDB.
    DynamoDb,
    /// Invocations of functions.
    Lambda,
    /// Objects of S3.
    S3,
    /// Messages to topics.
    Sns,
    /// Messages of queues.
    Sqs,
}

/// Calls that stand for each kind. Source: UG/logging-data-events-with-cloudtrail.
const STAND_FOR: &[(DataEvents, &str, &[&str])] = &[
    (
        DataEvents::DynamoDb,
        "dynamodb",
        &[
            "GetItem",
            "PutItem",
            "UpdateItem",
            "DeleteItem",
            "Query",
            "Scan",
            "BatchGetItem",
            "BatchWriteItem",
        ],
    ),
    (DataEvents::Lambda, "lambda", &["Invoke"]),
    (
        DataEvents::S3,
        "s3",
        &[
            "GetObject",
            "PutObject",
            "DeleteObject",
            "HeadObject",
            "CopyObject",
            "ListObjects",
            "UploadPart",
        ],
    ),
    (DataEvents::Sns, "sns", &["Publish"]),
    (DataEvents::Sqs, "sqs", &["SendMessage", "ReceiveMessage", "DeleteMessage"]),
];

impl DataEvents {
    /// The type of resource, as event selectors name it.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::DynamoDb => "AWS::DynamoDB::Table",
            Self::Lambda => "AWS::Lambda::Function",
            Self::S3 => "AWS::S3::Object",
            Self::Sns => "AWS::SNS::Topic",
            Self::Sqs => "AWS::SQS::Queue",
        }
    }
}

/// The data events without which calls that these patterns allow are not seen.
pub fn data_events_of<'p>(
    actions: impl IntoIterator<Item = &'p ActionPattern> + Clone,
) -> impl Iterator<Item = DataEvents> {
    STAND_FOR.iter().filter_map(move |(of, service, events)| {
        let stand_for = events
            .iter()
            .map(|event| Action::from_event(&format!("{service}.amazonaws.com"), event));
        let stand_for: Vec<Action> = stand_for.collect();
        let mut actions = actions.clone().into_iter();
        actions
            // A scope of everything names nothing that the agent is known to use.
            .any(|pattern| {
                *pattern != ActionPattern::any()
                    && stand_for.iter().any(|action| pattern.matches(action))
            })
            .then_some(*of)
    })
}

/// What is known of agents.
#[derive(Clone, Debug, Default)]
pub struct ModelFacts {
    /// How many agents have a declared scope.
    pub scopes: u32,
    /// Learned baselines: whose, how ripe, and the last day that they were learned from.
    pub learned: Vec<(Untrusted<'static>, Maturity, Option<Day>)>,
    /// Kinds of data events that agents are known to use, and how many agents do.
    pub uses: BTreeMap<DataEvents, u32>,
    /// What lines were drawn from, if any were.
    pub calibration: Option<Calibration>,
}

/// After so many days without learning, what is normal may have changed.
const OLD_DAYS: u32 = 14;

pub(super) fn judge(facts: &Facts) -> Vec<Check> {
    let models = match &facts.models {
        Ok(models) => models,
        Err(unknown) => return vec![Check::unknown(Group::Models, "models", unknown)],
    };
    if models.learned.is_empty() {
        let says = match models.scopes {
            0 => "there are neither scopes nor baselines: only invariants judge".to_owned(),
            1 => "1 agent has a scope, none has a learned baseline".to_owned(),
            many => format!("{many} agents have a scope, none has a learned baseline"),
        };
        return vec![
            Check::new(Group::Models, "models", Answer::Warning, says)
                .next("tripline learn --out baselines LOGS"),
        ];
    }
    let today = Day::of(facts.now);
    models
        .learned
        .iter()
        .map(|(agent, maturity, last)| {
            let age = last.map(|last| today.since(last));
            let aged = match age {
                None => "learned from nothing".to_owned(),
                Some(0) => "learned up to today".to_owned(),
                Some(1) => "learned up to yesterday".to_owned(),
                Some(days) => format!("learned up to {days} days ago"),
            };
            let check = |answer| {
                Check::new(Group::Models, "model", answer, format!("{maturity}; {aged}"))
                    .about(agent)
            };
            if age.is_none_or(|days| days > OLD_DAYS) {
                return check(Answer::Warning)
                    .next("learn from newer logs, and promote what came of it");
            }
            match maturity.stage() {
                Stage::Mature | Stage::Learning => check(Answer::Ok),
                Stage::Immature => check(Answer::Warning)
                    .next("declare its scope until more is known: baselines/README.md"),
            }
        })
        .collect()
}
