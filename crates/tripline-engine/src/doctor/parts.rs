//! Whether logs reach us, and whether our own parts work.

use std::collections::BTreeSet;

use tripline_text::Untrusted;

use super::{Answer, Check, Facts, Found, Group};
use crate::brakes::Mode;

/// The functions, as they are deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// What the program may do there.
    pub mode: Mode,
    /// Detector and responder.
    pub functions: Vec<FunctionFacts>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its name.
    pub name: Untrusted<'static>,
    /// Whether it may be invoked.
    pub is_active: bool,
    /// The queues that feed it, by name, and whether they do.
    pub fed_by: Found<Vec<(Untrusted<'static>, bool)>>,
}

/// A bucket that a trail writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketFacts {
    /// Its name.
    pub name: Untrusted<'static>,
    /// Whom it tells of new objects.
    pub notifications: Found<Notifications>,
}

/// Whom a bucket tells of new objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// EventBridge, all of them.
    pub event_bridge: bool,
    /// Queues, by ARN.
    pub queues: BTreeSet<Untrusted<'static>>,
    /// Topics, by ARN.
    pub topics: BTreeSet<Untrusted<'static>>,
}

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueUse {
    /// Work for the detector: files, calls.
    Work,
    /// From the detector to the responder.
    Plans,
    /// What could not be handled.
    DeadLetters,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueFacts {
    /// Its name.
    pub name: Untrusted<'static>,
    /// What it is for.
    pub used_for: QueueUse,
    /// What is known of it.
    pub state: Found<QueueState>,
}

/// What SQS says of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Its ARN.
    pub arn: Untrusted<'static>,
    /// Messages that wait.
    pub waiting: u64,
    /// Where messages go that fail again and again, by ARN.
    pub dead_letters: Option<Untrusted<'static>>,
    /// Services that its policy lets send.
    pub senders: BTreeSet<Untrusted<'static>>,
}

/// What DynamoDB says of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    /// Its name.
    pub name: Untrusted<'static>,
    /// Whether it can be read and written.
    pub is_active: bool,
    /// Whether its key is `pk` and `sk`.
    pub has_our_key: bool,
    /// Whether what may be forgotten is: by the attribute `ttl`.
    pub forgets: bool,
    /// Whether it is kept from being deleted: the action log is in it.
    pub is_protected: bool,
}

/// Messages of five minutes, of a fleet that makes a hundred calls a second.
const MANY_WAIT: u64 = 30_000;

pub(super) fn judge_delivery(facts: &Facts) -> Vec<Check> {
    let mut checks: Vec<Check> =
        facts.buckets.iter().map(|bucket| announced(bucket, facts)).collect();
    if facts.buckets.is_empty() {
        let why = "no bucket is known: name one by --bucket, or a deployment by --stack";
        let answer = Answer::NotChecked { is_wanted: false };
        checks.push(Check::new(Group::Delivery, "notifications", answer, why));
    }
    checks
}

/// Whether somebody of ours is told of new objects, by a way that is open at both ends.
fn announced(bucket: &BucketFacts, facts: &Facts) -> Check {
    let check = |answer, says: String| {
        Check::new(Group::Delivery, "notifications", answer, says).about(&bucket.name)
    };
    let told = match &bucket.notifications {
        Ok(told) => told,
        Err(unknown) => {
            return Check::unknown(Group::Delivery, "notifications", unknown).about(&bucket.name);
        }
    };
    let queues: Vec<&QueueState> = facts
        .queues
        .iter()
        .filter(|queue| queue.used_for == QueueUse::Work)
        .filter_map(|queue| queue.state.as_ref().ok())
        .collect();
    let lets_in = |service: &str| {
        queues.iter().any(|queue| queue.senders.iter().any(|sender| *sender == *service))
    };
    let ways = [
        ("EventBridge", told.event_bridge, "events.amazonaws.com"),
        ("a topic", !told.topics.is_empty(), "sns.amazonaws.com"),
        (
            "a queue",
            queues.iter().any(|queue| told.queues.contains(&queue.arn)),
            "s3.amazonaws.com",
        ),
    ];
    let used = || ways.iter().filter(|(_, is_used, _)| *is_used);
    if let Some((way, ..)) = used().find(|(_, _, service)| lets_in(service)) {
        return check(
            Answer::Ok,
            format!("new files are announced by {way}, and our queue takes that"),
        );
    }
    if let Some((way, ..)) = used().next() {
        let says = format!("new files are announced by {way}");
        return match queues.is_empty() {
            true => check(Answer::Ok, format!("{says}; to whom is not known here")),
            false => check(Answer::Failed, format!("{says}, but our queue lets nobody send by it"))
                .next("deploy with ObjectEvents set to that way (deploy/README.md)"),
        };
    }
    if queues.is_empty() && !told.queues.is_empty() {
        return check(Answer::Ok, "new files are announced to a queue".to_owned());
    }
    check(Answer::Failed, "nobody of ours is told of new files".to_owned())
        .next("let the bucket send its events to EventBridge, or to our queue (deploy/README.md)")
}

pub(super) fn judge_parts(facts: &Facts) -> Vec<Check> {
    let mut checks = Vec::new();
    match &facts.deployment {
        Err(unknown) => checks.push(Check::unknown(Group::Parts, "functions", unknown)),
        Ok(deployment) => {
            checks.extend(deployment.functions.iter().flat_map(function));
        }
    }
    checks.extend(facts.queues.iter().map(queue));
    checks.push(match &facts.table {
        Err(unknown) => Check::unknown(Group::Parts, "table", unknown),
        Ok(state) => table(state),
    });
    checks
}

fn function(function: &FunctionFacts) -> Vec<Check> {
    let check =
        |id, answer, says: &str| Check::new(Group::Parts, id, answer, says).about(&function.name);
    let mut checks = vec![match function.is_active {
        true => check("function", Answer::Ok, "it is active"),
        false => check("function", Answer::Failed, "it is not active")
            .next("aws lambda get-function says why; deploy it again"),
    }];
    match &function.fed_by {
        Err(unknown) => {
            checks.push(Check::unknown(Group::Parts, "function-fed", unknown).about(&function.name))
        }
        Ok(queues) if queues.is_empty() => checks.push(
            check("function-fed", Answer::Failed, "no queue feeds it")
                .next("deploy the stack again"),
        ),
        Ok(queues) => {
            let off = queues.iter().filter(|(_, is_on)| !is_on);
            checks.extend(off.map(|(queue, _)| {
                check("function-fed", Answer::Failed, "a queue that should feed it is switched off")
                    .quoting(queue.clone())
                    .next("aws lambda update-event-source-mapping --enabled")
            }));
        }
    }
    checks
}

fn queue(queue: &QueueFacts) -> Check {
    let check =
        |answer, says: String| Check::new(Group::Parts, "queue", answer, says).about(&queue.name);
    let state = match &queue.state {
        Ok(state) => state,
        Err(unknown) => return Check::unknown(Group::Parts, "queue", unknown).about(&queue.name),
    };
    let waiting = match state.waiting {
        0 => "empty".to_owned(),
        1 => "1 message".to_owned(),
        many => format!("{many} messages"),
    };
    match queue.used_for {
        QueueUse::DeadLetters if state.waiting > 0 => {
            check(Answer::Failed, format!("{waiting} that could not be handled")).next(
                "aws sqs receive-message: `reason` says why; `tripline kill` in place of a plan that is there",
            )
        }
        QueueUse::DeadLetters => check(Answer::Ok, "empty, as it should be".to_owned()),
        QueueUse::Work | QueueUse::Plans if state.dead_letters.is_none() => check(
            Answer::Warning,
            format!("{waiting}; what fails again and again is not put aside"),
        )
        .next("deploy the stack again: its dead-letter queue is missing"),
        QueueUse::Plans if state.waiting > 0 => {
            check(Answer::Warning, format!("{waiting}: plans that wait for the responder"))
                .next("look at the responder's log; `tripline kill` does it by hand")
        }
        _ if state.waiting > MANY_WAIT => check(Answer::Warning, format!("{waiting}: a heap"))
            .next("give the detector more concurrency"),
        _ => check(Answer::Ok, waiting),
    }
}

fn table(table: &TableState) -> Check {
    let check =
        |answer, says: &str| Check::new(Group::Parts, "table", answer, says).about(&table.name);
    if !table.is_active {
        return check(Answer::Failed, "it cannot be used now")
            .next("aws dynamodb describe-table says why");
    }
    if !table.has_our_key {
        return check(Answer::Failed, "its key is not `pk` and `sk`, both strings")
            .next("name the table of the deployment");
    }
    if !table.forgets {
        return check(Answer::Warning, "nothing is ever forgotten: TTL is off, or not by `ttl`")
            .next("aws dynamodb update-time-to-live, attribute `ttl`");
    }
    if !table.is_protected {
        return check(Answer::Warning, "whoever may delete tables can delete the action log")
            .next("aws dynamodb update-table --deletion-protection-enabled");
    }
    check(Answer::Ok, "active, forgets by `ttl`, protected from deletion")
}
