//! Gathers what the doctor judges: the port through which AWS is asked, and the order of questions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tripline_baseline::{Scope, Whose};
use tripline_chat::{Message, Ways};
use tripline_cloudtrail::EventTime;
use tripline_engine::doctor::{
    BucketFacts, ChannelFacts, DataEvents, Deployment, Facts, Found, FunctionFacts, Guard, LinesOf,
    ModelFacts, Notifications, QueueFacts, QueueState, QueueUse, Reached, Rights, RoleState,
    StopFacts, TableState, TrailFacts, Unknown, data_events_of,
};
use tripline_engine::{Config, Mode};
use tripline_iam::{AccountId, ActionPattern, Arn};
use tripline_text::Untrusted;

use crate::messenger::{Channel, Post};
use crate::settings::{SettingsError, all_baselines, all_scopes, read_calibration};
use crate::shelf::{Leaf, Shelf};

/// What AWS can be asked. Each answer stands for itself: one that does not come keeps no other from
/// coming.
pub trait Probe: Sync {
    /// A function of this name.
    fn function(&self, name: &str) -> impl Future<Output = Found<Function>> + Send;

    /// All trails that record this account and Region.
    fn trails(&self) -> impl Future<Output = Found<Vec<TrailFacts>>> + Send;

    /// Whom a bucket tells of new objects.
    fn notifications(&self, bucket: &str) -> impl Future<Output = Found<Notifications>> + Send;

    /// A queue, by URL or ARN.
    fn queue(&self, queue: &str) -> impl Future<Output = Found<QueueState>> + Send;

    /// A table, by name.
    fn table(&self, name: &str) -> impl Future<Output = Found<TableState>> + Send;

    /// The roles of this account that opted in, and those that are named: by ARN, or by the beginning
    /// of one and `*`. What the responder may do to them is not looked at.
    fn roles(&self, named: &[String]) -> impl Future<Output = Found<Vec<RoleState>>> + Send;

    /// What a principal may do to a role; `function` is the Lambda function that it acts as, if any.
    fn rights(
        &self,
        who: &Arn,
        role: &RoleState,
        function: Option<&Arn>,
    ) -> impl Future<Output = Found<Rights>> + Send;

    /// Whether a guard of the organization holds in an account.
    fn guard(&self, account: AccountId) -> impl Future<Output = Found<Guard>> + Send;
}

/// A function, as it is deployed.
#[derive(Clone, Debug)]
pub struct Function {
    /// What is judged of it.
    pub facts: FunctionFacts,
    /// Its ARN.
    pub arn: Option<Arn>,
    /// The role that it runs as.
    pub role: Option<Arn>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The queues that feed it, by ARN.
    pub queues: Vec<String>,
}

/// What a person asks about.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The name of a deployment's stack: its functions are `NAME-detector` and `NAME-responder`.
    pub stack: Option<String>,
    /// Buckets that trails write to, beside those of the deployment.
    pub buckets: BTreeSet<String>,
    /// Roles that agents use, beside those that opted in.
    pub roles: Vec<String>,
    /// Who would act, if it is not the deployment's responder.
    pub responder: Option<Arn>,
}

/// What is there to be asked about, by the environment of the deployed functions.
#[derive(Debug)]
struct Parts {
    deployment: Found<Deployment>,
    responder: Option<Arn>,
    responder_function: Option<Arn>,
    table: Found<String>,
    buckets: BTreeSet<String>,
    queues: Vec<(String, QueueUse)>,
    slack: Option<String>,
    models: Option<String>,
}

/// What was gathered, and what a deployment keeps elsewhere.
#[derive(Debug)]
pub struct Examined {
    /// For the doctor; what is not AWS's is still missing in it.
    pub facts: Facts,
    /// The table of state and action log, if one is known.
    pub table: Option<String>,
    /// The secret that is the webhook of the deployment.
    pub slack: Option<String>,
    /// Where its models are: a folder in its package, or an address that it follows.
    pub models: Option<String>,
}

const NO_STACK: Unknown = Unknown::NotAsked("no deployment is named: --stack NAME");
const NOT_ASKED: Unknown = Unknown::NotAsked("nobody asked");

/// Asks AWS everything. `me` is who asks.
pub async fn examine(
    probe: &impl Probe,
    asked: &Asked,
    config: &Config,
    me: &Arn,
    now: EventTime,
) -> Examined {
    let parts = parts(probe, asked).await;
    let responder = asked.responder.clone().or(parts.responder).or_else(|| Some(me.clone()));
    let roles = probe.roles(&asked.roles).await;
    let roles = match (roles, &responder) {
        (Ok(roles), Some(responder)) => {
            Ok(with_rights(probe, roles, responder, parts.responder_function.as_ref()).await)
        }
        (roles, _) => roles,
    };
    let accounts: BTreeSet<AccountId> =
        roles.iter().flatten().filter_map(|role| role.arn.account()).chain(me.account()).collect();
    let mut guards = Vec::new();
    for account in accounts {
        guards.push((account, probe.guard(account).await));
    }
    let mut buckets = Vec::new();
    for bucket in parts.buckets.union(&asked.buckets) {
        let notifications = probe.notifications(bucket).await;
        buckets.push(BucketFacts { name: Untrusted::new(bucket.clone()), notifications });
    }
    let table = match &parts.table {
        Ok(name) => probe.table(name).await,
        Err(unknown) => Err(unknown.clone()),
    };
    let facts = Facts {
        now,
        deployment: parts.deployment,
        trails: probe.trails().await,
        buckets,
        beats: Err(NOT_ASKED),
        queues: queues(probe, parts.queues).await,
        table,
        models: Err(NOT_ASKED),
        fired: Err(NOT_ASKED),
        lines_of: LinesOf::Folder,
        stop: StopFacts {
            responder: responder.ok_or(NOT_ASKED),
            is_halted: Err(NOT_ASKED),
            roles,
            protected: config.containment.protected.iter().cloned().collect(),
            management_accounts: config.containment.management_accounts.iter().copied().collect(),
            guards,
        },
        chat: Vec::new(),
        answers: None,
    };
    Examined { facts, table: parts.table.ok(), slack: parts.slack, models: parts.models }
}

/// The functions of the stack, and what their environment names.
async fn parts(probe: &impl Probe, asked: &Asked) -> Parts {
    let nothing = |unknown: Unknown| Parts {
        deployment: Err(unknown.clone()),
        responder: None,
        responder_function: None,
        table: Err(unknown),
        buckets: BTreeSet::new(),
        queues: Vec::new(),
        slack: None,
        models: None,
    };
    let Some(stack) = &asked.stack else { return nothing(NO_STACK) };
    let detector = match probe.function(&format!("{stack}-detector")).await {
        Ok(function) => function,
        Err(unknown) => return nothing(unknown),
    };
    let responder = match probe.function(&format!("{stack}-responder")).await {
        Ok(function) => function,
        Err(unknown) => return nothing(unknown),
    };
    let variable =
        |name: &str| detector.environment.get(name).filter(|value| !value.is_empty()).cloned();
    let mode = responder.environment.get("TRIPLINE_MODE").map_or("observe", String::as_str);
    let mode: Mode = serde_json::from_value(json!(mode)).unwrap_or_default();
    let buckets = variable("TRIPLINE_BUCKETS").unwrap_or_default();
    let buckets = buckets.split(',').map(|name| name.trim().to_owned());
    let mut queues: Vec<(String, QueueUse)> =
        detector.queues.iter().map(|arn| (arn.clone(), QueueUse::Work)).collect();
    queues.extend(responder.queues.iter().map(|arn| (arn.clone(), QueueUse::Plans)));
    let missing = Unknown::NotAsked("the detector's environment names no TRIPLINE_TABLE");
    Parts {
        responder: responder.role.clone(),
        responder_function: responder.arn.clone(),
        table: variable("TRIPLINE_TABLE").ok_or(missing),
        buckets: buckets.filter(|name| !name.is_empty()).collect(),
        queues,
        slack: responder
            .environment
            .get("TRIPLINE_SLACK_WEBHOOK_SECRET")
            .filter(|name| !name.is_empty())
            .cloned(),
        models: responder.environment.get("TRIPLINE_CONFIG").cloned(),
        deployment: Ok(Deployment { mode, functions: vec![detector.facts, responder.facts] }),
    }
}

/// The queues, and those that take what they cannot handle.
async fn queues(probe: &impl Probe, known: Vec<(String, QueueUse)>) -> Vec<QueueFacts> {
    let mut queues = Vec::new();
    let mut dead: BTreeSet<String> = BTreeSet::new();
    for (queue, used_for) in known {
        let state = probe.queue(&queue).await;
        let of = state.iter().filter_map(|state| state.dead_letters.as_ref());
        dead.extend(of.map(|arn| arn.as_unescaped().to_owned()));
        queues.push(QueueFacts { name: name_of(&queue), used_for, state });
    }
    for queue in dead {
        let state = probe.queue(&queue).await;
        queues.push(QueueFacts { name: name_of(&queue), used_for: QueueUse::DeadLetters, state });
    }
    queues
}

/// The last part of an ARN or URL.
fn name_of(queue: &str) -> Untrusted<'static> {
    Untrusted::new(queue.rsplit([':', '/']).next().unwrap_or_default().to_owned())
}

/// How many roles are asked about at once: IAM answers some ten of these a second.
const AT_ONCE: usize = 4;

async fn with_rights(
    probe: &impl Probe,
    roles: Vec<RoleState>,
    responder: &Arn,
    function: Option<&Arn>,
) -> Vec<RoleState> {
    let asked = roles.into_iter().map(|role| async move {
        let rights = probe.rights(responder, &role, function).await;
        RoleState { rights, ..role }
    });
    stream::iter(asked).buffered(AT_ONCE).collect().await
}

/// Asks every channel whether it takes messages, or posts one that says that it is a test.
pub async fn reach(
    channels: &[Box<dyn Channel>],
    posts: bool,
    now_unix_ms: i64,
) -> Vec<ChannelFacts> {
    let (message, ways) = (Message::of_test(), Ways::default());
    let asked = channels.iter().map(|channel| async {
        let post =
            Post { message: &message, before: None, is_news: true, now_unix_ms, ways: &ways };
        let reached = match posts {
            false => channel.reach().await,
            true => Ok(channel.post(post).await.map_or_else(
                |error| Reached::Refuses(Untrusted::new(error.to_string())),
                |_| Reached::Takes,
            )),
        };
        ChannelFacts { name: Untrusted::new(channel.name().to_owned()), reached }
    });
    join_all(asked).await
}

/// What is known of agents, from a folder of baselines.
///
/// # Errors
/// When a file there cannot be used.
pub fn models_of(directory: &Path) -> Result<ModelFacts, SettingsError> {
    let shelf = Shelf::new(directory);
    let mut models = ModelFacts::default();
    let mut note = |used: BTreeSet<DataEvents>| {
        for of in used {
            *models.uses.entry(of).or_default() += 1;
        }
    };
    let mut learned = Vec::new();
    let mut by_agent: BTreeMap<Untrusted<'static>, BTreeSet<DataEvents>> = BTreeMap::new();
    for baseline in all_baselines(&shelf, Leaf::Baseline)? {
        let baseline = baseline?;
        let Whose::Agent { agent, .. } = baseline.whose() else { continue };
        let mut actions = Vec::new();
        baseline.each_key(|key, provenance, _| {
            let known = key.as_action().filter(|_| provenance.is_known());
            actions.extend(known.and_then(|action| ActionPattern::parse(action).ok()));
        });
        by_agent.entry(agent.clone()).or_default().extend(data_events_of(&actions));
        learned.push((agent.clone(), baseline.maturity(), baseline.span().map(|(_, last)| last)));
    }
    let scopes: Vec<Scope> = all_scopes(&shelf)?;
    for scope in &scopes {
        let actions: Vec<ActionPattern> = scope.allowed_actions().cloned().collect();
        let name = match scope.subject() {
            tripline_baseline::Subject::Agent(name) | tripline_baseline::Subject::Class(name) => {
                name
            }
        };
        by_agent.entry(name.clone()).or_default().extend(data_events_of(&actions));
    }
    by_agent.into_values().for_each(&mut note);
    models.scopes = u32::try_from(scopes.len()).unwrap_or(u32::MAX);
    models.learned = learned;
    models.calibration = read_calibration(&shelf)?;
    Ok(models)
}
