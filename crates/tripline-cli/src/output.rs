//! Where output goes: data to stdout, everything else to stderr.

use std::env;
use std::io::{self, BufWriter, IsTerminal, Write};

use tripline_cloudtrail::Tally;
use tripline_report::table::Style;
use tripline_runtime::Drained;
use tripline_text::{Untrusted, escape};

use crate::args::{Color, Format};

/// Buffered output, or none.
pub(crate) struct Output {
    to: Option<BufWriter<Box<dyn Write>>>,
    color: Color,
    is_terminal: bool,
}

impl Output {
    /// Standard output.
    pub(crate) fn new(color: Color) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self { to: Some(BufWriter::with_capacity(1 << 16, Box::new(stdout))), color, is_terminal }
    }

    /// Where the summary belongs: behind a table; beside lines for programs; nowhere when quiet.
    pub(crate) fn for_summary(&self, format: Format, quiet: bool) -> Self {
        match format {
            _ if quiet => Self { to: None, color: self.color, is_terminal: false },
            Format::Table => Self::new(self.color),
            Format::Ndjson => {
                let stderr = io::stderr();
                let is_terminal = stderr.is_terminal();
                Self { to: Some(BufWriter::new(Box::new(stderr))), color: self.color, is_terminal }
            }
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    pub(crate) fn style(&self) -> Style {
        let wanted = match self.color {
            Color::Always => true,
            Color::Never => false,
            // https://no-color.org: set and not empty means no.
            Color::Auto => {
                self.is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        if wanted { Style::Coloured } else { Style::Plain }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.as_mut().map_or(Ok(bytes.len()), |to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// How many problems are named one by one.
const PROBLEMS_SHOWN_MAX: usize = 20;

/// Names the channels that did not take a message, on stderr, and what comes of it.
pub(crate) fn untold(drained: &Drained, then: &str) -> io::Result<()> {
    for (channel, error) in &drained.failed {
        let channel = Untrusted::borrowed(channel);
        let channel = escape::terminal(&channel);
        writeln!(io::stderr(), "channel `{channel}`: {error}; {then}")?;
    }
    Ok(())
}

/// Names what could not be read, on stderr.
pub(crate) fn problems(tally: &Tally) -> io::Result<()> {
    let mut err = BufWriter::new(io::stderr());
    for problem in tally.problems.iter().take(PROBLEMS_SHOWN_MAX) {
        writeln!(err, "tripline: {problem}")?;
    }
    let total = tally.problems.len() as u64 + tally.problems_not_kept;
    if let Some(more) = total.checked_sub(PROBLEMS_SHOWN_MAX as u64).filter(|more| *more > 0) {
        writeln!(err, "tripline: and {more} more problems")?;
    }
    err.flush()
}
