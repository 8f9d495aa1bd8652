//! How a run ends: one place decides, and renders what went wrong.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;
use tripline_history::HistoryError;
use tripline_runtime::SettingsError;
use tripline_text::escape;

/// All is well.
pub(crate) const FINE: u8 = 0;
/// Findings at or above `--fail-on`.
pub(crate) const FINDINGS: u8 = 1;
/// The command line or the configuration cannot be used. Clap ends with the same.
pub(crate) const USAGE: u8 = 2;
/// Some input could not be read; everything else was processed.
pub(crate) const UNREAD: u8 = 3;
/// Something that the run was to bring about failed.
pub(crate) const EFFECT: u8 = 4;

/// A run that came to its end: what there is to say about it by the exit code. Of several codes the
/// one that matters most wins: 2, 4, 3, 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) unread: bool,
    pub(crate) findings: bool,
    /// Something that was to be brought about was not, or is not proven.
    pub(crate) unproven: bool,
}

/// A run that did not.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{message}")]
    Usage { message: String, hint: &'static str },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    #[error("cannot write `{}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the action log cannot be used: {0}")]
    Journal(#[from] tripline_runtime::JournalError),
    #[error("the action log cannot be opened: {0}")]
    Store(#[from] tripline_runtime::StoreError),
    #[error("AWS cannot be reached: {}", told(.0))]
    Aws(tripline_containment::Failure),
    #[error("what is known cannot be used: {0}")]
    Live(#[from] tripline_runtime::LiveError),
    #[error("what was pressed cannot be looked at: {0}")]
    Press(#[from] tripline_runtime::PressError),
    #[error("what was contained cannot be looked after: {0}")]
    Tick(#[from] tripline_runtime::TickError),
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Poll(#[from] tripline_aws::PollError),
    #[error("the state directory cannot be used: {0}")]
    State(#[from] tripline_runtime::StateError),
    #[error("the models cannot be put in force there: {0}")]
    Models(#[from] tripline_runtime::LibraryError),
    #[error("cannot plan: {0}")]
    Refused(#[from] tripline_containment::Refusal),
    #[cfg(feature = "columns")]
    #[error("{0}")]
    Columns(#[from] tripline_columns::ColumnsError),
    #[cfg(feature = "columns")]
    #[error(transparent)]
    Analytics(#[from] tripline_columns::AnalyticsError),
    #[error("cannot make a temporary directory: {0}")]
    Temporary(#[source] io::Error),
}

/// What AWS said, in words that a terminal may show.
pub(crate) fn told(failure: &tripline_containment::Failure) -> String {
    match failure {
        tripline_containment::Failure::Other { message } => escape::terminal(message).to_string(),
        known => known.to_string(),
    }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Usage { .. }
            | Self::Settings(_)
            | Self::Unreadable { .. }
            | Self::History(
                HistoryError::Partial(_) | HistoryError::Table(_) | HistoryError::Baselines(_),
            ) => USAGE,
            #[cfg(feature = "columns")]
            Self::Columns(error) if !is_io(error) => USAGE,
            #[cfg(feature = "columns")]
            Self::Columns(_) | Self::Analytics(_) => EFFECT,
            Self::History(_)
            | Self::Output(_)
            | Self::File { .. }
            | Self::Temporary(_)
            | Self::Journal(_)
            | Self::Store(_)
            | Self::Live(_)
            | Self::Press(_)
            | Self::Tick(_)
            | Self::State(_)
            | Self::Models(_)
            | Self::Aws(_)
            | Self::Refused(_) => EFFECT,
            #[cfg(feature = "aws")]
            Self::Poll(_) => EFFECT,
        }
    }

    fn hint(&self) -> &str {
        match self {
            Self::Usage { hint, .. } => hint,
            Self::Unreadable { .. } => "",
            #[cfg(feature = "columns")]
            Self::Columns(error)
                if matches!(error.problem, tripline_columns::ColumnsProblem::Occupied) =>
            {
                "name a folder that is not there yet"
            }
            #[cfg(feature = "columns")]
            Self::Columns(error) if is_io(error) => "",
            #[cfg(feature = "columns")]
            Self::Analytics(_) => "",
            #[cfg(feature = "columns")]
            Self::Columns(_) => EXPORT_AGAIN,
            Self::History(HistoryError::Table(_)) => EXPORT_AGAIN,
            Self::Settings(_) | Self::History(HistoryError::Baselines(_)) => {
                "`baselines/README.md` has the formats of what stands there, README.md that of tripline.toml"
            }
            Self::History(HistoryError::WorkDir { .. }) | Self::Temporary(_) => {
                "give a directory with more room by --work-dir"
            }
            Self::Journal(_) => {
                "`tripline log verify` checks the log; `--from-iam` works without it"
            }
            Self::Store(_) | Self::State(_) => {
                "give another directory by --state, or wait for the other process"
            }
            Self::Live(_) | Self::Press(_) | Self::Tick(_) => {
                "a newer version wrote it, or it is damaged: without `state.redb` the watch begins anew"
            }
            #[cfg(feature = "aws")]
            Self::Poll(_) => {
                "it takes cloudtrail:LookupEvents, and account:ListRegions where no Region is named"
            }
            Self::Models(_) => {
                "what was in force there stays so; who writes there needs s3:GetObject and s3:PutObject"
            }
            Self::Aws(_) => {
                "credentials, Region and endpoint are taken as by every AWS tool: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL"
            }
            Self::Refused(_) => {
                "give logs in which the agent's sessions are, or name a whole role by --role"
            }
            Self::History(_) | Self::Output(_) | Self::File { .. } => "",
        }
    }

    /// Whether the reader of our output has gone, as `head` does: no failure of ours.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) | Self::History(HistoryError::Output(error))
            if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What to do about a command that this build is too small for.
#[cfg(not(feature = "columns"))]
pub(crate) const WITH_COLUMNS: &str = "build it with the feature `columns`, which is on by default";

const EXPORT_AGAIN: &str = "export it again from its logs: tripline export --out NEW logs/";

/// Whether the disk failed, rather than what is on it.
#[cfg(feature = "columns")]
fn is_io(error: &tripline_columns::ColumnsError) -> bool {
    matches!(error.problem, tripline_columns::ColumnsProblem::Io(_))
}

/// Says what went wrong, and turns it into an exit code.
pub(crate) fn render(outcome: Result<Ended, Failure>) -> ExitCode {
    let code = match outcome {
        Ok(ended) if ended.unproven => EFFECT,
        Ok(ended) if ended.unread => UNREAD,
        Ok(ended) if ended.findings => FINDINGS,
        Ok(_) => FINE,
        Err(failure) if failure.is_closed_pipe() => FINE,
        Err(failure) => {
            let mut text = format!("tripline: {failure}\n");
            if !failure.hint().is_empty() {
                // INVARIANT: writing to a string cannot fail.
                let _ = writeln!(text, "\nhint: {}", failure.hint());
            }
            // Where stderr is closed, the code still tells.
            let _ = io::stderr().write_all(text.as_bytes());
            failure.code()
        }
    };
    ExitCode::from(code)
}
