//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Watches what AI agents do with AWS credentials, and plans how to stop the one that breaks scope.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, max_term_width = 100, arg_required_else_help = true)]
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
        after_help = "Examples:\n  tripline learn --out baselines logs/\n  tripline learn --partial week1.partial week1/\n  tripline learn --out baselines --merge week1.partial --merge week2.partial week3/"
    )]
    Learn(LearnArgs),
    /// Review what was learned, and decide on it
    Baseline(BaselineArgs),
    /// Verdicts over logs, by invariants, declared scopes and learned baselines, and the plan for each kill
    ///
    /// Writes nothing to AWS.
    #[command(
        after_help = "Examples:\n  tripline score --baselines baselines logs/\n  tripline score --format ndjson --since 7d logs/ > verdicts.ndjson\n  tripline score --fail-on fence --agent deploy-bot logs/"
    )]
    Score(ScoreArgs),
    /// Agents, their sessions and lineage, and what stays unattributed
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    #[command(
        after_help = "Examples:\n  tripline sessions logs/\n  tripline sessions list --format ndjson logs/ | head"
    )]
    Sessions(SessionsArgs),
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
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// One line a session
    List(InputArgs),
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
        after_help = "Examples:\n  tripline baseline approve deploy-bot \"action iam:PassRole\" --why OPS-12\n  tripline baseline approve deploy-bot \"network 203.0.113.0/24\" --until 2026-12-01 --why \"new office\"\n  tripline baseline approve deploy-bot \"rate 1m write 80\" --why \"larger batches\""
    )]
    Approve(ApproveArgs),
    /// Put candidates in force, but for what needs a person or was seen too rarely
    #[command(
        after_help = "Example:\n  tripline baseline promote deploy-bot --why \"release 1.5\""
    )]
    Promote(PromoteArgs),
    /// Put the baseline in force again that was before
    #[command(
        after_help = "Example:\n  tripline baseline rollback deploy-bot --why \"promoted too early\""
    )]
    Rollback(RollbackArgs),
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
    pub(crate) input: InputArgs,
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
pub(crate) struct InputArgs {
    /// Files and directories: JSON, JSON lines, gzip, in any CloudTrail, EventBridge or CloudWatch Logs
    /// envelope; told apart by content
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
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
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Colours
    #[arg(long, value_enum, default_value_t)]
    pub(crate) color: Color,
    /// No progress, no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Ndjson,
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
