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
    /// Verdicts over logs, by invariants and declared scopes, and the plan for each kill
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
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Declared scopes: DIR/*/scope.toml
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
    #[arg(required = true, value_name = "PATH")]
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
