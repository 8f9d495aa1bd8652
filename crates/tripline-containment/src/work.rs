//! What an agent may go on doing while it is fenced, and the statements that deny it the rest.

use std::collections::BTreeSet;

use tripline_iam::policy::{Actions, Condition, Effect, PolicyText, Resources, Sid, Statement};
use tripline_iam::{AccessLevel, Action, ActionPattern, Catalogue};

use crate::denial::{Denial, DenialName, Purpose};
use crate::documents::{Who, until};
use crate::edit;
use crate::incident::IncidentId;
use crate::narrow::narrowed;
use crate::plan::Refusal;

/// The known work of an agent: from its declared scope and its learned baseline.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// The actions it is known for.
    pub actions: BTreeSet<ActionPattern>,
    /// The resources that a person declared it is for; none where nobody did.
    pub resources: BTreeSet<PolicyText>,
    /// Services whose data events the trail is known to log, by prefix. Of the others nobody can say
    /// whether the agent uses them, so their data events stay allowed.
    pub data_events_logged: BTreeSet<String>,
}

/// How much a fence holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Actions that can do harm and are not the agent's work.
    pub sensitive_outside: usize,
    /// Those of them that the fence denies.
    pub sensitive_denied: usize,
    /// The patterns that name the work in the document.
    pub patterns: usize,
    /// The length of the document with one key, in characters.
    pub chars: usize,
}

/// Data events by service: a trail logs them only where it is told to. Source:
/// UG/logging-data-events-with-cloudtrail, "Data events"; the actions as IAM names them.
const DATA_EVENTS: &[(&str, &[&str])] = &[
    ("bedrock", &["bedrock:InvokeModel*", "bedrock:InvokeAgent", "bedrock:Retrieve*"]),
    (
        "dynamodb",
        &[
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PartiQL*",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        ],
    ),
    ("kinesis", &["kinesis:Get*", "kinesis:PutRecord*", "kinesis:SubscribeToShard"]),
    ("lambda", &["lambda:InvokeFunction"]),
    (
        "s3",
        &[
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:GetObjectAttributes",
            "s3:GetObjectTagging",
            "s3:ListBucket",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
            "s3:PutObjectTagging",
        ],
    ),
    ("sns", &["sns:Publish"]),
    (
        "sqs",
        &[
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        ],
    ),
];

/// What IAM authorises without an event of its own: without these, known work fails (facts, 7).
const NEVER_LOGGED: &[&str] = &[
    "iam:PassRole",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

/// What a second statement with the resources costs at most, of the room that there is.
const RESOURCES_SHARE: usize = 3;

impl Work {
    pub(crate) fn is_unknown(&self) -> bool {
        self.actions.is_empty()
    }

    /// Denies what is outside the work to each of `who`, until a time, in at most `room` characters.
    pub(crate) fn deny_outside(
        &self,
        incident: IncidentId,
        who: Vec<Who>,
        until_unix_secs: i64,
        room: usize,
    ) -> Result<Vec<Denial>, Refusal> {
        let each = room.checked_div(who.len()).unwrap_or(room);
        let mut denials = Vec::new();
        let mut number: u8 = 0;
        for who in who {
            let mut conditions = who.conditions;
            conditions.push(until(until_unix_secs));
            for statement in self.statements(&conditions, each)? {
                let name =
                    DenialName { incident, purpose: Purpose::Fence, number, was_alone: false };
                number = number.checked_add(1).ok_or(Refusal::NotInPolicy)?;
                let denial = Denial::new(who.words.clone(), name, |sid| statement.under(sid));
                denials.push(denial.map_err(|_| Refusal::NotInPolicy)?);
            }
        }
        Ok(denials)
    }

    /// How much a fence of this work holds back, in a document of at most `room` characters.
    ///
    /// # Errors
    /// [`Refusal::TooLong`].
    pub fn reach(&self, room: usize) -> Result<Reach, Refusal> {
        let statements = self.statements(&[], room)?;
        let mut reach = Reach::default();
        let Some(Draft { actions: Actions::AllExcept(kept), .. }) = statements.first() else {
            return Ok(reach);
        };
        reach.patterns = kept.len();
        reach.chars = statements.iter().map(Draft::chars).sum();
        let known = self.always_allowed();
        for entry in Catalogue::iter().filter(|entry| !entry.risks().is_empty()) {
            let Ok(action) = Action::parse(entry.name()) else { continue };
            if known.iter().any(|pattern| pattern.matches(&action)) {
                continue;
            }
            reach.sensitive_outside += 1;
            if !kept.iter().any(|pattern| pattern.matches(&action)) {
                reach.sensitive_denied += 1;
            }
        }
        Ok(reach)
    }

    /// What stays allowed beside the known work, in words.
    pub(crate) fn not_cut(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "not fenced: what IAM authorises without an event of its own ({})",
            NEVER_LOGGED.join(", ")
        )];
        let unseen: Vec<&str> = self.unseen_services().collect();
        if !unseen.is_empty() {
            lines.push(format!(
                "not fenced: data events of {}, which the trail may not log; --data-events-logged says that it does",
                unseen.join(", ")
            ));
        }
        lines
    }

    /// Services whose data events may go on unseen: none of them was ever seen of this agent.
    fn unseen_services(&self) -> impl Iterator<Item = &'static str> {
        DATA_EVENTS.iter().filter_map(|(service, patterns)| {
            let is_seen = self.actions.iter().any(|known| {
                patterns.iter().any(|pattern| {
                    pattern.trim_end_matches('*') == known.as_str().trim_end_matches('*')
                })
            });
            (!is_seen && !self.data_events_logged.contains(*service)).then_some(*service)
        })
    }

    /// The work, and what the trail cannot show of it.
    fn always_allowed(&self) -> BTreeSet<ActionPattern> {
        let unseen: BTreeSet<&str> = self.unseen_services().collect();
        let data = DATA_EVENTS
            .iter()
            .filter(|(service, _)| unseen.contains(service))
            .flat_map(|(_, patterns)| patterns.iter());
        let added = NEVER_LOGGED.iter().chain(data);
        let added = added.filter_map(|pattern| ActionPattern::parse(pattern).ok());
        self.actions.iter().cloned().chain(added).collect()
    }

    fn statements(&self, conditions: &[Condition], room: usize) -> Result<Vec<Draft>, Refusal> {
        let allowed = self.always_allowed();
        let second = self.resource_statement(conditions, &allowed);
        // The actions matter more: where both do not fit, the resources go.
        let second = second.filter(|draft| draft.chars() <= room / RESOURCES_SHARE);
        let taken = second.as_ref().map_or(0, Draft::chars);
        let frame = Draft::new(Actions::AllExcept(BTreeSet::new()), Resources::any(), conditions);
        let left =
            room.saturating_sub(taken).saturating_sub(frame.chars()).saturating_sub(DOCUMENT);
        let kept = narrowed(&allowed, left)
            .ok_or(Refusal::TooLong { chars: room.saturating_add(1), quota: room })?;
        let first = Draft { actions: Actions::AllExcept(kept), ..frame };
        Ok(std::iter::once(first).chain(second).collect())
    }

    /// Denies the actions of the work on other resources than the declared ones, as far as that is safe
    /// to say: a List action's resource is mostly `*`, which no `NotResource` names, and some actions
    /// take no resource at all. Services of which no resource was declared are not restricted.
    fn resource_statement(
        &self,
        conditions: &[Condition],
        allowed: &BTreeSet<ActionPattern>,
    ) -> Option<Draft> {
        let service_of = |arn: &PolicyText| arn.as_str().split(':').nth(2).map(str::to_owned);
        let services: BTreeSet<String> = self.resources.iter().filter_map(service_of).collect();
        let is_restricted = |entry: &tripline_iam::Entry| {
            let service = entry.name().split(':').next().unwrap_or_default();
            services.contains(service)
                && entry.takes_resources()
                && entry.level() != AccessLevel::List
        };
        let actions: BTreeSet<ActionPattern> = Catalogue::iter()
            .filter(is_restricted)
            .filter_map(|entry| Action::parse(entry.name()).ok())
            .filter(|action| allowed.iter().any(|pattern| pattern.matches(action)))
            .filter_map(|action| action.to_pattern())
            .collect();
        (!actions.is_empty()).then(|| {
            let resources = Resources::AllExcept(self.resources.clone());
            Draft::new(Actions::Only(actions), resources, conditions)
        })
    }
}

/// What a document has around its statements, and a comma between them.
const DOCUMENT: usize = 48;

/// A statement without its name.
#[derive(Clone)]
struct Draft {
    actions: Actions,
    resources: Resources,
    conditions: Vec<Condition>,
}

impl Draft {
    fn new(actions: Actions, resources: Resources, conditions: &[Condition]) -> Self {
        Self { actions, resources, conditions: conditions.to_vec() }
    }

    fn under(self, sid: Sid) -> Result<Statement, tripline_iam::policy::InvalidStatement> {
        Statement::new(sid, Effect::Deny, self.actions, self.resources, self.conditions)
    }

    /// Its length, with a name as long as ours are; one action is put in where there is none yet.
    fn chars(&self) -> usize {
        let name = DenialName {
            incident: IncidentId::new(0),
            purpose: Purpose::Fence,
            number: u8::MAX,
            was_alone: true,
        };
        let mut draft = self.clone();
        if let Actions::AllExcept(actions) = &mut draft.actions
            && actions.is_empty()
        {
            actions.insert(ActionPattern::any());
        }
        let denial = Denial::new(String::new(), name, |sid| draft.under(sid));
        denial.map_or(0, |denial| edit::put(None, &[denial]).map_or(0, |text| text.chars().count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Request, statement_denies};

    fn work(actions: &[&str]) -> Work {
        let actions = actions.iter().map(|text| ActionPattern::parse(text).unwrap()).collect();
        Work { actions, ..Work::default() }
    }

    fn denials(work: &Work, room: usize) -> Vec<Denial> {
        let who = vec![Who::new("everybody", Vec::new())];
        work.deny_outside(IncidentId::new(1), who, 1_795_168_800, room).unwrap()
    }

    fn denied(denials: &[Denial], action: &str, resource: &str) -> bool {
        let request =
            Request::new(action, resource).with("aws:CurrentTime", "2026-11-20T09:00:00Z");
        denials.iter().any(|denial| statement_denies(denial.text(), &request).unwrap())
    }

    #[test]
    fn known_work_goes_on_and_the_rest_does_not_until_it_ends() {
        let denials = denials(&work(&["ec2:DescribeInstances", "s3:GetObject"]), 10_240);
        for action in
            ["ec2:DescribeInstances", "s3:GetObject", "sts:TagSession", "lambda:InvokeFunction"]
        {
            assert!(!denied(&denials, action, "*"), "{action}");
        }
        // Data events of S3 were seen, so those that were not are not the agent's.
        for action in ["iam:CreateAccessKey", "s3:PutObject", "secretsmanager:GetSecretValue"] {
            assert!(denied(&denials, action, "*"), "{action}");
        }
        let later = Request::new("iam:CreateAccessKey", "*")
            .with("aws:CurrentTime", "2026-11-20T10:00:00Z");
        assert!(denials.iter().all(|denial| !statement_denies(denial.text(), &later).unwrap()));
    }

    #[test]
    fn what_the_trail_logs_is_fenced() {
        let mut work = work(&["ec2:DescribeInstances"]);
        assert!(!denied(&denials(&work, 10_240), "s3:GetObject", "*"));
        assert!(work.not_cut().iter().any(|line| line.contains("s3")));
        work.data_events_logged =
            DATA_EVENTS.iter().map(|(service, _)| (*service).to_owned()).collect();
        assert!(denied(&denials(&work, 10_240), "s3:GetObject", "*"));
        assert_eq!(work.not_cut().len(), 1);
    }

    #[test]
    fn declared_resources_bind_what_takes_resources() {
        let mut work = work(&["s3:GetObject", "s3:ListAllMyBuckets", "sqs:SendMessage"]);
        work.resources =
            BTreeSet::from([PolicyText::arn_pattern("arn:aws:s3:::reports/*").unwrap()]);
        let denials = denials(&work, 10_240);
        assert_eq!(denials.len(), 2);
        assert!(!denied(&denials, "s3:GetObject", "arn:aws:s3:::reports/1"));
        assert!(denied(&denials, "s3:GetObject", "arn:aws:s3:::payroll/1"));
        assert!(!denied(&denials, "s3:ListAllMyBuckets", "*"));
        assert!(!denied(&denials, "sqs:SendMessage", "arn:aws:sqs:eu-central-1:111122223333:jobs"));
    }

    /// Agents of 500 actions over 25 services, with reading more likely than writing, as most are.
    fn large(seed: u64) -> Work {
        let services = [
            "s3",
            "ec2",
            "iam",
            "sts",
            "lambda",
            "dynamodb",
            "sqs",
            "sns",
            "kms",
            "logs",
            "events",
            "ecs",
            "ecr",
            "eks",
            "rds",
            "cloudformation",
            "cloudwatch",
            "ssm",
            "secretsmanager",
            "glue",
            "athena",
            "sagemaker",
            "bedrock",
            "elasticloadbalancing",
            "autoscaling",
        ];
        let mut state = seed;
        let mut random = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let pool: Vec<tripline_iam::Entry> = Catalogue::iter()
            .filter(|entry| services.contains(&entry.name().split(':').next().unwrap()))
            .collect();
        let mut work = Work::default();
        while work.actions.len() < 500 {
            let entry = pool[random() % pool.len()];
            let likely = match entry.level() {
                AccessLevel::List | AccessLevel::Read => 10,
                AccessLevel::Write => 4,
                AccessLevel::Tagging => 2,
                AccessLevel::PermissionsManagement => 1,
            };
            if random() % 10 < likely {
                work.actions.insert(ActionPattern::parse(entry.name()).unwrap());
            }
        }
        work
    }

    #[test]
    fn a_baseline_of_500_actions_fits_and_hardly_anything_sensitive_slips_in() {
        for seed in 1..=2 {
            let work = large(seed);
            let reach = work.reach(10_240).unwrap();
            assert!(reach.chars <= 10_240, "{reach:?}");
            let share = reach.sensitive_denied as f64 / reach.sensitive_outside as f64;
            println!(
                "seed {seed}: {share:.4} of {} sensitive actions denied, {} patterns, {} characters",
                reach.sensitive_outside, reach.patterns, reach.chars
            );
            assert!(share >= 0.95, "{reach:?}");
            let denials = denials(&work, 10_240);
            let length = edit::put(None, &denials).unwrap().chars().count();
            assert!(length <= 10_240, "{length}");
            for known in &work.actions {
                assert!(!denied(&denials, known.as_str(), "*"), "{known}");
            }
        }
    }

    #[test]
    fn a_users_small_policy_holds_a_fence_too() {
        let reach = large(1).reach(2_048).unwrap();
        assert!(reach.chars <= 2_048, "{reach:?}");
        println!("{reach:?}");
    }
}
