//! What may be typed.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::logbook::LogPlace;

/// Watches what AI agents do with AWS credentials, and plans how to stop the one that breaks scope.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, max_term_width = 80, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 fine, 1 findings at or above --fail-on, 2 usage or configuration, 3 some input could\nnot be read (the rest was processed), 4 an effect failed. When the reader of the output goes away\n(`| head`), the run ends with 0."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A small fleet at work, one agent hijacked: the verdicts, the plan, the chat message
    #[command(after_help = "Example:\n  tripline demo")]
    Demo(DemoArgs),
    /// Learn from logs what each agent normally does
    ///
    /// Agents without a baseline get their first one, which is in force at once, but for what is
    /// sensitive: that waits for a person. Of the others a candidate is written; what is in force stays
    /// until it is promoted.
    #[command(
        after_help = "Examples:\n  tripline learn --out baselines logs/\n  tripline learn --partial week1.partial week1/\n  tripline learn --out baselines --merge week1.partial \\\n    --merge week2.partial week3/"
    )]
    Learn(LearnArgs),
    /// Review what was learned, and decide on it
    #[command(
        after_help = "Examples:\n  tripline baseline show deploy-bot\n  tripline baseline promote deploy-bot --why \"release 1.5\""
    )]
    Baseline(BaselineArgs),
    /// Write the attributed event table as Parquet, for DuckDB, Athena, Spark, polars, and to learn from again
    ///
    /// The folder appears whole or not at all, and is never written over. In it, `events` has a row for
    /// each record, with agent, session and episode, and `mints` one for each credential that was created,
    /// both in a folder a day (`day=2026-11-20`). Every command that reads logs reads it in their place.
    #[command(
        after_help = "Examples:\n  tripline export --out history logs/\n  tripline learn --out baselines history/\n  duckdb -c \"SELECT agent, action, count(*) FROM 'history/events/*/*.parquet' GROUP BY ALL\""
    )]
    Export(ExportArgs),
    /// Verdicts over logs, by invariants, declared scopes and learned baselines, and the plan for each kill
    ///
    /// Writes nothing to AWS.
    #[command(
        after_help = "Examples:\n  tripline score --baselines baselines logs/\n  tripline score --format ndjson --since 7d logs/ > verdicts.ndjson\n  tripline score --fail-on fence --agent deploy-bot logs/\n  tripline score --format sarif logs/ > findings.sarif"
    )]
    Score(ScoreArgs),
    /// What lines for your budgets would have done, before you arm them
    ///
    /// Replays logs that the baselines were not learned from, step by step, a week each. The days of a step
    /// are judged by the baselines in DIR and what was learned and promoted by then of the days before it,
    /// by the rules of `baseline promote`; nobody approves what is sensitive, so that stays new. They are
    /// held against lines for the budgets in `tripline.toml`, drawn on the days before the step alone. So
    /// nothing is judged by what was learned from it. DIR's baselines stay as they are.
    ///
    /// With --save the lines of all steps are put beside the baselines, where `score`, `watch` and the
    /// functions find them: they hold for baselines that are learned and promoted as often. What the
    /// history is too short for is not armed, and says so.
    ///
    /// The logs are read once; what is kept of them meanwhile goes to the work directory, a file a day.
    #[command(
        after_help = "Examples:\n  tripline learn --out baselines logs/2026/09/\n  tripline backtest --baselines baselines logs/2026/10/\n  tripline backtest --baselines baselines --html backtest.html history/\n  tripline backtest --baselines baselines --relearn never logs/2026/10/\n  tripline backtest --baselines baselines --save logs/2026/10/"
    )]
    Backtest(BacktestArgs),
    /// A page to look at: incidents, sessions and habits, in one HTML file that needs no network
    ///
    /// Opens from disk in any browser of these years. It shows text of logs as text, can load and send
    /// nothing, and holds some records as they were written, without their tokens: keep it as you keep
    /// the logs.
    #[command(
        after_help = "Examples:\n  tripline report --out report.html logs/\n  tripline report --out deploy-bot.html --agent deploy-bot \\\n    --baselines baselines logs/\n  tripline report --out report.html --state ~/.local/state/tripline logs/"
    )]
    Report(ReportArgs),
    /// Stop an agent: deny everything to its sessions, and keep it from coming back
    ///
    /// Finds the agent's live sessions and where they chained to in the logs, reads the roles in IAM,
    /// prints the plan and asks. Ends with 0 when everything is in place and reads back; with 4 when
    /// a step failed: the rest is done then, and what is missing is named.
    #[command(
        after_help = "Examples:\n  tripline kill --agent deploy-bot logs/\n  tripline kill --session ASIAXXXXXXXXXXXXXXXX --wait logs/\n  tripline kill --role arn:aws:iam::111122223333:role/agents/Runtime \\\n    --reason INC-7\n  tripline kill --agent deploy-bot --plan-only logs/"
    )]
    Kill(KillArgs),
    /// Deny an agent everything outside its known work, for a time
    #[command(
        after_help = "Examples:\n  tripline fence --agent deploy-bot --for 4h --baselines baselines logs/"
    )]
    Fence(FenceArgs),
    /// Give back what a kill or a fence took, exactly
    #[command(
        after_help = "Examples:\n  tripline restore 5f1d8e0c9a7b6c5d --reason \"false alarm\"\n  tripline restore --agent deploy-bot --reason INC-7\n  tripline restore --state dynamodb://tripline-table 5f1d8e0c9a7b6c5d \\\n    --reason INC-7        # what a deployment's functions did\n  tripline restore --from-iam 111122223333 --reason \"the log is lost\""
    )]
    Restore(RestoreArgs),
    /// What is in force: since when, by whom, until when, and whether it is seen to hold
    #[command(
        after_help = "Examples:\n  tripline status\n  tripline status --check\n  tripline status 5f1d8e0c9a7b6c5d"
    )]
    Status(StatusArgs),
    /// Stop all automatic action, or let it go on
    #[command(after_help = "Example:\n  tripline brake on --reason \"deployment gone wrong\"")]
    Brake(BrakeArgs),
    /// The action log: every decision, change, sighting and person, chained by digests
    #[command(after_help = "Example:\n  tripline log verify")]
    Log(LogArgs),
    /// Whether a trail's log files are as CloudTrail delivered them, and all there
    ///
    /// Checks the trail's bucket, or a copy of it, by its digest files, which log file validation writes
    /// every hour: their signatures, the chain they make, and the log files they list. What was tampered
    /// with is told from gaps, which a stopped trail and a copy in part explain as well.
    ///
    /// A digest's signature is in the metadata of its S3 object, which a copy loses, and once more in the
    /// digest after it. So of a copy all can be checked but for the newest of each chain, which is named
    /// as not signed here: choose --until before it, or put its signature into a file beside it, of its name and
    /// `.signature`.
    #[command(
        after_help = "Exit codes: 0 all of the period is there and proven; 1 something was tampered with, whatever else is the matter; 2 usage; 3 no tampering was found, but something is missing, has no digest, is not signed here, or could not be read.\n\nExamples:\n  aws cloudtrail list-public-keys --start-time 2026-11-01 \\\n    --end-time 2026-11-20 > keys.json\n  tripline verify-logs s3://BUCKET --keys keys.json --since 2026-11-01 \\\n    --until 2026-11-19\n  aws s3 sync s3://BUCKET/AWSLogs logs/\n  tripline verify-logs logs/ --keys keys.json --since 2026-11-01 \\\n    --until 2026-11-19\n  aws s3api head-object --bucket BUCKET --key AWSLogs/DIGEST \\\n    --query Metadata.signature --output text > logs/DIGEST.signature"
    )]
    VerifyLogs(VerifyLogsArgs),
    /// Policies that keep the kill switch's work from being undone, and agents' names from being forged
    #[command(
        after_help = "Example:\n  tripline policy guard --role 'arn:aws:iam::*:role/agents/*' \\\n    --responder 'arn:aws:iam::*:role/TriplineResponder'"
    )]
    Policy(PolicyArgs),
    /// Whether Tripline sees what agents do, and can still stop them
    ///
    /// Asks AWS about the trail, how its files reach us, our own parts, the baselines, and what the
    /// responder may do to each role that opted in. Changes nothing, and says what could not be checked
    /// and why. With --fire-drill it contains a canary's session for real, and gives everything back.
    #[command(
        after_help = "Exit codes: 0 nothing failed; 1 something is as bad as --fail-on or worse; 2 usage; 3 something could\nnot be checked that was to be; 4 a fire drill did not hold, or was not given back.\n\nExamples:\n  tripline doctor --stack tripline --baselines baselines\n  tripline doctor --stack tripline --quiet --tell   # every hour, by a timer\n  tripline doctor --bucket trail-logs --role 'arn:aws:iam::111122223333:role/agents/*'\n  tripline doctor --fire-drill arn:aws:iam::111122223333:role/agents/Canary"
    )]
    Doctor(DoctorArgs),
    /// The same, live on one machine: whatever is delivered to a directory, announced on a queue, or in the event history
    ///
    /// What it knows is kept in the state directory: it goes on where it stopped, and tells nothing twice.
    /// Stops on Ctrl-C or SIGTERM once what is at hand is done. In the modes approve and enforce the
    /// switch may be pulled; the default writes nothing to AWS.
    #[command(
        after_help = "Examples:\n  tripline watch --baselines baselines logs/\n  tripline watch \\\n    --queue https://sqs.us-east-1.amazonaws.com/111122223333/new \\\n    --bucket trail-logs\n  tripline watch --mode enforce --slack-webhook-env SLACK_URL logs/\n  tripline watch lookup-events://eu-central-1,us-east-1"
    )]
    Watch(WatchArgs),
    /// Agents, their sessions and lineage, and what stays unattributed
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    #[command(
        after_help = "Examples:\n  tripline sessions logs/\n  tripline sessions list --format ndjson logs/ | head\n  tripline sessions show ASIAXXXXXXXXXXXXXXXX logs/"
    )]
    Sessions(SessionsArgs),
    /// A script that completes this program's arguments in a shell
    #[command(
        after_help = "Examples:\n  tripline completions bash \\\n    > ~/.local/share/bash-completion/completions/tripline\n  tripline completions zsh > ~/.zfunc/_tripline\n  tripline completions fish > ~/.config/fish/completions/tripline.fish"
    )]
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ContainArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Only this session and what it minted, by its id as `sessions` prints it
    #[arg(long, value_name = "ID", conflicts_with = "agent")]
    pub(crate) session: Option<String>,
    /// This whole role, whoever uses it
    #[arg(long, value_name = "ARN", conflicts_with_all = ["agent", "session"])]
    pub(crate) role: Option<String>,
    /// Contain as well the users, roles and keys that the agent created
    #[arg(long)]
    pub(crate) contain_created: bool,
    /// Why: goes into the action log
    #[arg(long, value_name = "TEXT", default_value = "by hand")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) switch: SwitchArgs,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) plan_only: bool,
    /// Go on until every session was seen refused, or is over; put back what is stripped meanwhile
    #[arg(long)]
    pub(crate) wait: bool,
    /// Do not wait longer than this: 30s, 15m, 2h
    #[arg(long, value_name = "TIME", requires = "wait")]
    pub(crate) wait_at_most: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    #[command(flatten)]
    pub(crate) contain: ContainArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FenceArgs {
    #[command(flatten)]
    pub(crate) contain: ContainArgs,
    /// How long: 30m, 4h, 2d
    #[arg(long = "for", value_name = "TIME", default_value = "4h")]
    pub(crate) lasts: String,
    /// Services whose data events the trail logs, by IAM's prefix; those of others stay allowed, since
    /// nobody can say whether the agent needs them
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) data_events_logged: Vec<String>,
    /// The folder of baselines: what the agent may go on doing
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    pub(crate) baselines: PathBuf,
}

/// Where the action log is.
#[derive(Debug, Args)]
pub(crate) struct LogPlaceArgs {
    /// The directory of the action log and its store, or a deployment's table, dynamodb://TABLE
    /// [default: $TRIPLINE_STATE, else ~/.local/state/tripline]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<LogPlace>,
}

/// Where the action log is, and what may be done.
#[derive(Debug, Args)]
pub(crate) struct SwitchArgs {
    #[command(flatten)]
    pub(crate) log: LogPlaceArgs,
    /// What may be done to AWS
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: ModeArg,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Only say what would be done
    Observe,
    /// Only say what should be done
    Recommend,
    /// Ask first
    #[default]
    Approve,
    /// Do it, within the brakes of tripline.toml, as the program does on its own
    Enforce,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The incidents, as `status` prints them
    #[arg(value_name = "INCIDENT", required_unless_present_any = ["all", "agent", "expired", "from_iam"])]
    pub(crate) incidents: Vec<String>,
    /// All open incidents of this agent
    #[arg(long, value_name = "NAME", conflicts_with = "incidents")]
    pub(crate) agent: Option<String>,
    /// All open incidents
    #[arg(long, conflicts_with_all = ["incidents", "agent"])]
    pub(crate) all: bool,
    /// All fences that have ended, to clean up
    #[arg(long, conflicts_with_all = ["incidents", "agent", "all"])]
    pub(crate) expired: bool,
    /// Find what is in force in IAM itself, in this account, when the action log is lost
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) from_iam: Option<String>,
    /// Why: goes into the action log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) switch: SwitchArgs,
    /// The configuration [default: tripline.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// One incident, in full
    #[arg(value_name = "INCIDENT")]
    pub(crate) incident: Option<String>,
    /// Closed incidents too
    #[arg(long)]
    pub(crate) all: bool,
    /// Read everything back from IAM, and name what drifted; changes nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// What is in force by IAM itself, in this account, when the action log is lost
    #[arg(long, value_name = "ACCOUNT", conflicts_with_all = ["incident", "check"])]
    pub(crate) from_iam: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogPlaceArgs,
    /// The configuration [default: tripline.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    pub(crate) command: LogCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check that no line of the action log was changed, left out or put in
    #[command(
        after_help = "Examples:\n  tripline log verify\n  tripline log verify actions.jsonl --head 5c0f…"
    )]
    Verify(LogVerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LogVerifyArgs {
    /// The log [default: actions.jsonl in the state directory]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogPlaceArgs,
    /// The digest that the log must have or have had at its end: kept elsewhere, it shows a cut end
    #[arg(long, value_name = "DIGEST")]
    pub(crate) head: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyLogsArgs {
    /// The trail's bucket, s3://BUCKET[/PREFIX]; or a copy of it, of AWSLogs in it, or of one account's
    /// folder there: digests and logs
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Take on this role to read the bucket, as in another account
    #[arg(long, value_name = "ARN")]
    pub(crate) read_role: Option<String>,
    /// Pay for reading the bucket, where its owner has it so
    #[arg(long)]
    pub(crate) requester_pays: bool,
    /// What `aws cloudtrail list-public-keys` printed; each Region has its own keys
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// Check what was delivered from then on: a time (2026-11-20, 2026-11-20T10:00:00Z) or an age
    /// (90m, 12h, 7d)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Check what was delivered before; without it, digests need not reach up to now
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
    /// No summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// What keeps everybody but the responder from undoing a kill
    ///
    /// Without it, an agent that may change IAM takes the denials off itself, twice a second if need
    /// be. A service control policy holds against all of an account, but not in the management
    /// account, nor against service-linked roles.
    #[command(
        after_help = "Examples:\n  tripline policy guard --role 'arn:aws:iam::*:role/agents/*' \\\n    --responder 'arn:aws:iam::*:role/TriplineResponder'\n  tripline policy guard --form boundary \\\n    --role 'arn:aws:iam::111122223333:role/agents/*' \\\n    --responder arn:aws:iam::111122223333:role/TriplineResponder"
    )]
    Guard(GuardArgs),
    /// What makes an agent's tag trustworthy
    ///
    /// An agent that may choose its tag can take another's name. The service control policy lets only
    /// the named minters set the tag and refuses sessions without it; the trust policy of each agent's
    /// role pins the tag to them.
    #[command(
        after_help = "Examples:\n  tripline policy require-tags --role 'arn:aws:iam::*:role/agents/*' \\\n    --minter 'arn:aws:iam::*:role/Runner'\n  tripline policy require-tags --form trust \\\n    --minter arn:aws:iam::111122223333:role/Runner --name deploy-bot"
    )]
    RequireTags(RequireTagsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// The agents' roles, by ARN; * and ? are wildcards
    #[arg(long, value_name = "ARN", required = true)]
    pub(crate) role: Vec<String>,
    /// The agents' users
    #[arg(long, value_name = "ARN")]
    pub(crate) user: Vec<String>,
    /// Who may change them: the responder, and break-glass roles
    #[arg(long, value_name = "ARN", required = true)]
    pub(crate) responder: Vec<String>,
    /// What it is for
    #[arg(long, value_enum, default_value_t)]
    pub(crate) form: GuardForm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuardForm {
    /// A service control policy, for an organization
    #[default]
    Scp,
    /// A permissions boundary for each of the roles, where there is no organization
    Boundary,
}

#[derive(Debug, Args)]
pub(crate) struct RequireTagsArgs {
    /// The tag that names an agent
    #[arg(long, value_name = "KEY", default_value = "AgentID")]
    pub(crate) tag: String,
    /// The agents' roles, by ARN; * and ? are wildcards
    #[arg(long, value_name = "ARN", required_if_eq("form", "scp"))]
    pub(crate) role: Vec<String>,
    /// Who mints the agents' sessions; exact ARNs for a trust policy
    #[arg(long, value_name = "ARN", required = true)]
    pub(crate) minter: Vec<String>,
    /// The agents that a role is for, in its trust policy
    #[arg(long, value_name = "NAME", required_if_eq("form", "trust"))]
    pub(crate) name: Vec<String>,
    /// What it is for
    #[arg(long, value_enum, default_value_t)]
    pub(crate) form: TagsForm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TagsForm {
    /// A service control policy, for an organization
    #[default]
    Scp,
    /// The trust policy of an agent's role
    Trust,
}

#[derive(Debug, Args)]
pub(crate) struct BrakeArgs {
    /// Stop all automatic action, or let it go on
    #[arg(value_enum)]
    pub(crate) to: BrakeTo,
    /// Why: goes into the action log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) log: LogPlaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BrakeTo {
    /// Stop all automatic action
    On,
    /// Let it go on
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Do not pause between the verdicts
    #[arg(long)]
    pub(crate) fast: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SessionsCommand>,
    #[command(flatten)]
    pub(crate) input: Option<InputArgs>,
    /// The folder of baselines: what is said of findings rests on it
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// One line a session
    #[command(
        after_help = "Examples:\n  tripline sessions list --baselines baselines logs/\n  tripline sessions list --format ndjson --agent deploy-bot logs/"
    )]
    List(SessionsListArgs),
    /// One session, call by call
    #[command(
        after_help = "Example:\n  tripline sessions show ASIAXXXXXXXXXXXXXXXX --baselines baselines logs/"
    )]
    Show(SessionsShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SessionsListArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The folder of baselines: what is said of findings rests on it
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SessionsShowArgs {
    /// The session, as `sessions` prints it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The folder of baselines: what is said of findings rests on it
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct LearnArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The folder of baselines; scopes there flag what is not learned from
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write a partial baseline instead, for later runs to fold in
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub(crate) partial: Option<PathBuf>,
    /// Fold in a partial baseline; parts may overlap
    #[arg(long, value_name = "FILE")]
    pub(crate) merge: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    pub(crate) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// What is known of an agent, a class or the fleet; without a name, one line each
    #[command(
        after_help = "Examples:\n  tripline baseline show\n  tripline baseline show deploy-bot"
    )]
    Show(ShowArgs),
    /// What changed: between what is in force and the candidate, or between two files or folders
    #[command(
        after_help = "Examples:\n  tripline baseline diff deploy-bot\n  tripline baseline diff --from week1 --to week2"
    )]
    Diff(DiffArgs),
    /// Approve values for good, or expect them until a time
    #[command(
        after_help = "Examples:\n  tripline baseline approve deploy-bot \"action iam:PassRole\" --why OPS-12\n  tripline baseline approve deploy-bot \"network 203.0.113.0/24\" \\\n    --until 2026-12-01 --why \"new office\"\n  tripline baseline approve deploy-bot \"rate 1m write 80\" --why \"larger batches\""
    )]
    Approve(ApproveArgs),
    /// Put candidates in force, but for what needs a person or was seen too rarely
    #[command(
        after_help = "Example:\n  tripline baseline promote deploy-bot --why \"release 1.5\"\n  tripline baseline promote --to s3://acme-tripline/models"
    )]
    Promote(PromoteArgs),
    /// Put the baseline in force again that was before
    #[command(
        after_help = "Example:\n  tripline baseline rollback deploy-bot --why \"promoted too early\""
    )]
    Rollback(RollbackArgs),
    /// Propose classes for agents that have none, by what they do: lines for `tripline.toml`
    #[command(after_help = "Example:\n  tripline baseline classes >> tripline.toml")]
    Classes(ClassesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ClassesArgs {
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    pub(crate) baselines: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct WhoseArgs {
    /// An agent
    #[arg(value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// A class of agents instead
    #[arg(long, value_name = "CLASS", conflicts_with = "agent")]
    pub(crate) class: Option<String>,
    /// All agents together instead
    #[arg(long, conflicts_with_all = ["agent", "class"])]
    pub(crate) fleet: bool,
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    pub(crate) baselines: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) whose: WhoseArgs,
    /// The candidate, instead of what is in force
    #[arg(long)]
    pub(crate) candidate: bool,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) whose: WhoseArgs,
    /// A file, or a folder of baselines whose candidates are compared
    #[arg(long, value_name = "PATH", requires = "to")]
    pub(crate) from: Option<PathBuf>,
    /// The same, later
    #[arg(long, value_name = "PATH", requires = "from")]
    pub(crate) to: Option<PathBuf>,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The agent
    pub(crate) agent: String,
    /// Values as `show` and `diff` print them, each in quotes
    #[arg(value_name = "VALUE")]
    pub(crate) keys: Vec<String>,
    /// All values that wait for a person in the baseline in force, but for resources
    #[arg(long)]
    pub(crate) all_pending: bool,
    /// Expect them until this time only; they stay unknown
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Why
    #[arg(long)]
    pub(crate) why: String,
    /// Who decides [default: the user who runs this]
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    pub(crate) baselines: PathBuf,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The agents
    #[arg(value_name = "AGENT")]
    pub(crate) agents: Vec<String>,
    /// Every agent that has a candidate
    #[arg(long, conflicts_with = "agents")]
    pub(crate) all: bool,
    /// Show what would become known, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why
    #[arg(long, required_unless_present = "to")]
    pub(crate) why: Option<String>,
    /// Who decides [default: the user who runs this]
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Put all that is in force then, and the settings, in force for the live functions too: a folder,
    /// or s3://bucket/prefix
    #[arg(long, value_name = "WHERE", conflicts_with = "dry_run")]
    pub(crate) to: Option<String>,
    /// The settings that go with it [default: tripline.toml, if there is one]
    #[arg(long, value_name = "FILE", requires = "to")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    pub(crate) baselines: PathBuf,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The agent
    pub(crate) agent: String,
    /// The version, by the beginning of its digest [default: the one before]
    #[arg(long, value_name = "DIGEST")]
    pub(crate) to: Option<String>,
    /// Why
    #[arg(long)]
    pub(crate) why: String,
    /// Who decides [default: the user who runs this]
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// The folder of baselines
    #[arg(long, value_name = "DIR", default_value = "baselines")]
    pub(crate) baselines: PathBuf,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs<FindingsFormat>,
    /// The folder of baselines: declared scopes, DIR/*/scope.toml, and what was learned
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
    /// Show every call, not only findings
    #[arg(long)]
    pub(crate) all: bool,
    /// End with code 1 when a verdict is this strong or stronger
    #[arg(long, value_enum, value_name = "VERDICT")]
    pub(crate) fail_on: Option<FailOn>,
    /// Write the plans of all kills to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) plan_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BacktestArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The folder of baselines, learned from older logs than these
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: PathBuf,
    /// Arm the lines: write DIR/calibration.json
    #[arg(long)]
    pub(crate) save: bool,
    /// Days of a step, after each of which baselines are learned anew and promoted, as you are to do it;
    /// `never` judges all days by the baselines in DIR, which age
    #[arg(long, value_name = "DAYS", default_value = "7")]
    pub(crate) relearn: Relearn,
    /// A page to look at, too, in one HTML file that needs no network; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// How often baselines are learned anew.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relearn {
    /// After so many days.
    #[cfg_attr(
        not(feature = "columns"),
        expect(dead_code, reason = "what cannot be asked is typed all the same")
    )]
    Every(NonZeroU16),
    /// They stay as they are.
    Never,
}

impl FromStr for Relearn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "never" => Ok(Self::Never),
            days => days
                .parse()
                .map(Self::Every)
                .map_err(|_| "is neither a number of days from 1 on nor `never`".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The folder of baselines: declared scopes, DIR/*/scope.toml, and what was learned
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
    /// Tell what was done as well, by the action log in this state directory, or in a deployment's table,
    /// dynamodb://TABLE: what was cut and when, by whom, whether it holds, and what was given back
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<LogPlace>,
    /// Where the page goes; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Directories that logs are delivered to, or lookup-events://REGION,…?days=N, the account's event
    /// history, looked up every minute
    #[arg(value_name = "PATH", required_unless_present = "queue")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take on this role to look up the event history, as in another account
    #[arg(long, value_name = "ARN")]
    pub(crate) read_role: Option<String>,
    /// A queue that new objects or records are announced on
    #[arg(long, value_name = "URL", requires = "bucket")]
    pub(crate) queue: Option<String>,
    /// The buckets that trails write to; objects elsewhere are not believed
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Vec<String>,
    /// The folder of baselines: declared scopes, DIR/*/scope.toml, and what was learned
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
    /// The configuration [default: tripline.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The directory of what is known, and of the action log
    /// [default: $TRIPLINE_STATE, else ~/.local/state/tripline]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// What may be done to AWS
    #[arg(long, value_enum, default_value = "observe")]
    pub(crate) mode: ModeArg,
    /// The environment variable that holds the URL of a Slack webhook
    #[arg(long, value_name = "NAME")]
    pub(crate) slack_webhook_env: Option<String>,
    /// Hear at this address what people press under messages; what is in front of it must speak TLS
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// How often directories are looked through, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
    /// Take in what is there, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// A deployment: its functions are NAME-detector and NAME-responder
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// The buckets that trails write to, beside those of the deployment
    #[arg(long, value_name = "NAME")]
    pub(crate) bucket: Vec<String>,
    /// A role that agents use, by its ARN; with * at its end, all that begin so. Those with the tag
    /// `tripline:contain = allowed` are looked at anyway
    #[arg(long, value_name = "ARN")]
    pub(crate) role: Vec<String>,
    /// Who would contain [default: the deployment's responder, else whoever runs this]
    #[arg(long, value_name = "ARN")]
    pub(crate) responder: Option<String>,
    /// The folder of baselines [default: baselines, if there is one]
    #[arg(long, value_name = "DIR")]
    pub(crate) baselines: Option<PathBuf>,
    /// The configuration [default: tripline.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The environment variable that holds the URL of a Slack webhook, beside `[[channels]]` and the
    /// deployment's secret
    #[arg(long, value_name = "NAME")]
    pub(crate) slack_webhook_env: Option<String>,
    /// Post a test message to every channel, instead of asking them without one
    #[arg(long)]
    pub(crate) post: bool,
    /// Tell the channels which answers turned since the last visit, and once more when all is well again:
    /// for a timer. What was told is kept in --state
    #[arg(long)]
    pub(crate) tell: bool,
    /// Contain a session of this role for real, see it refused, and give everything back. The role must
    /// have the tag `tripline:contain = allowed`; others who use it keep working
    #[arg(long, value_name = "ROLE", conflicts_with_all = ["stack", "bucket", "role", "responder", "post", "tell"])]
    pub(crate) fire_drill: Option<String>,
    #[command(flatten)]
    pub(crate) switch: SwitchArgs,
    /// End with code 1 when an answer is this bad or worse
    #[arg(long, value_enum, value_name = "ANSWER", default_value = "failed")]
    pub(crate) fail_on: FailOnAnswer,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
    /// No summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOnAnswer {
    Warning,
    Failed,
}

#[derive(Debug, Args)]
pub(crate) struct InputArgs<F: AnyFormat = Format> {
    /// Files, directories, s3://BUCKET/PREFIX: JSON, JSON lines, gzip, in any CloudTrail, EventBridge or
    /// CloudWatch Logs envelope, told apart by content; or lookup-events://REGION,…?days=N, an
    /// account's event history; or a folder that `tripline export` wrote
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take on this role to read buckets and event histories, as in another account
    #[arg(long, value_name = "ARN")]
    pub(crate) read_role: Option<String>,
    /// Pay for the requests to buckets whose owner does not
    #[arg(long)]
    pub(crate) requester_pays: bool,
    /// Leave out what was before: a time (2026-11-20, 2026-11-20T10:00:00Z) or an age (90m, 12h, 7d)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Leave out what was at that time and after
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only these accounts
    #[arg(long, value_name = "ID")]
    pub(crate) account: Vec<String>,
    /// Only these Regions
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Vec<String>,
    /// Only these agents
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Vec<String>,
    /// The configuration [default: tripline.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where what must be remembered goes when it grows [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// How many files to read at once [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: F,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
    /// No progress, no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl<F: AnyFormat> InputArgs<F> {
    /// Whether some agents, accounts or Regions are left out.
    #[cfg(feature = "columns")]
    pub(crate) fn leaves_out_places(&self) -> bool {
        !(self.agent.is_empty() && self.account.is_empty() && self.region.is_empty())
    }
}

/// What `--format` of a command may say.
pub(crate) trait AnyFormat: ValueEnum + Copy + Default + Send + Sync + 'static {}

impl<F: ValueEnum + Copy + Default + Send + Sync + 'static> AnyFormat for F {}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// One JSON object a line
    Ndjson,
}

/// What findings can be written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingsFormat {
    /// For people
    #[default]
    Table,
    /// One JSON object a line
    Ndjson,
    /// The same as OCSF Detection Findings, for SIEMs and security lakes
    Ocsf,
    /// One SARIF document, for continuous integration
    Sarif,
}

impl From<FindingsFormat> for Format {
    fn from(format: FindingsFormat) -> Self {
        if format == FindingsFormat::Table { Self::Table } else { Self::Ndjson }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Alert,
    Fence,
    Kill,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_has_an_example() {
        let mut todo = vec![Arguments::command()];
        while let Some(mut command) = todo.pop() {
            let name = command.get_name().to_owned();
            let is_ours = !matches!(&*name, "tripline" | "help");
            let help = command.render_long_help().to_string();
            assert!(!is_ours || help.contains("Example"), "{name}: {help}");
            todo.extend(command.get_subcommands().cloned());
        }
        Arguments::command().debug_assert();
    }
}
