//! Why a text is no baseline.

use std::fmt;

use tripline_text::{Untrusted, escape};

use super::baseline::BASELINE_BYTES_MAX;

/// How much of a wrong text is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Why a text is no baseline: where, and what is wrong. It may be printed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineError {
    /// The line, from 1; 0 if it is about the whole.
    pub line: usize,
    /// The field of the line, from 1; 0 if it is about the whole line.
    pub field: usize,
    /// What is wrong.
    pub problem: BaselineProblem,
}

/// What is wrong with a text that should be a baseline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineProblem {
    /// Larger than [`BASELINE_BYTES_MAX`].
    #[error("is larger than {BASELINE_BYTES_MAX} bytes")]
    TooLarge,
    /// Something else altogether.
    #[error("is no learned baseline: the first line is not `tripline-baseline 1`")]
    Foreign,
    /// Of a program that is newer than this one.
    #[error(
        "has format {found}, which a newer tripline wrote; this one reads 1: update tripline, or learn again"
    )]
    Newer {
        /// The version of the format.
        found: u32,
    },
    /// The end is missing.
    #[error("ends without its digest: it was cut off while it was written or copied")]
    Truncated,
    /// The content is not the one that the digest is of.
    #[error(
        "does not fit its digest: it is damaged, or was edited by hand (decisions.toml is for that)"
    )]
    Damaged,
    /// A field that is not what belongs there.
    #[error("expected {expected}, found `{found}`")]
    Expected {
        /// What belongs there.
        expected: &'static str,
        /// What stands there: escaped, and cut.
        found: String,
    },
    /// A value that no history leads to.
    #[error("{0}")]
    Impossible(&'static str),
    /// The same said twice.
    #[error("is there twice")]
    Twice,
    /// Right in content, wrong in order or form.
    #[error("is not as tripline writes it: lines are sorted, and numbers have one form")]
    Form,
}

impl BaselineError {
    /// About the whole text.
    pub(crate) fn whole(problem: BaselineProblem) -> Self {
        Self { line: 0, field: 0, problem }
    }
}

impl BaselineProblem {
    pub(crate) fn expected(expected: &'static str, found: &str) -> Self {
        let mut cut: String = found.chars().take(SHOWN_CHARS_MAX).collect();
        if cut.len() < found.len() {
            cut.push('…');
        }
        Self::Expected { expected, found: escape::terminal(&Untrusted::new(cut)).to_string() }
    }
}

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.field) {
            (0, _) => {}
            (line, 0) => write!(f, "line {line}: ")?,
            (line, field) => write!(f, "line {line}, field {field}: ")?,
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for BaselineError {}
