//! For people: readable at 80 columns, without colour, and in a pipe.

use std::io::{self, Write};

use tripline_attribution::{Coverage, Session};
use tripline_cloudtrail::{Counts, Tally};
use tripline_detector::{Reason, Verdict};
use tripline_engine::{Incident, Scored};
use tripline_text::{Untrusted, escape};

use crate::wrap::{write_lines_wrapped, write_wrapped};

/// Whether colours are wanted. They repeat what the words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Letters only.
    Plain,
    /// ANSI colours.
    Coloured,
}

impl Style {
    /// `text` in the colour of a verdict.
    pub fn verdict(self, verdict: Verdict) -> String {
        let colour = match verdict {
            Verdict::Kill => "1;31",
            Verdict::Fence => "33",
            Verdict::Alert => "36",
            Verdict::Normal => "2",
        };
        self.paint(colour, &format!("{:<6}", verdict.to_string()))
    }

    /// `text` as a title.
    pub fn title(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn paint(self, colour: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        }
    }
}

/// Text from a record, escaped and cut to a number of columns. Escaped text is printable; where a
/// character takes two columns, the column after it moves.
pub fn cut(text: &Untrusted<'_>, columns: usize) -> String {
    let shown = escape::terminal(text).to_string();
    match shown.char_indices().nth(columns) {
        None => shown,
        Some(_) => shown.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The head of the table that [`write_scored`] continues.
///
/// # Errors
/// Those of `out`.
pub fn write_scored_head(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<20} {:<6} {:<20} CALL", "TIME", "", "AGENT")
}

/// A call, and its reasons below it.
///
/// # Errors
/// Those of `out`.
pub fn write_scored(out: &mut impl Write, scored: &Scored, style: Style) -> io::Result<()> {
    let agent = scored.agent.as_ref().map(|agent| cut(&agent.untrusted(), 20));
    let action = scored.call.action.to_string();
    write!(
        out,
        "{:<20} {} {:<20}",
        scored.call.time.to_string(),
        style.verdict(scored.assessment.verdict),
        agent.as_deref().unwrap_or("-"),
    )?;
    // Of the 80 columns, 31 are left.
    if action.chars().count() > 31 {
        write!(out, "\n   ")?;
    }
    writeln!(out, " {action}")?;
    for reason in &scored.assessment.reasons {
        write_wrapped(out, &told(reason), REASON_COLUMN, REASON_COLUMN + 2)?;
    }
    Ok(())
}

/// Where what belongs to a call begins.
pub const REASON_COLUMN: usize = 4;

/// The same with the value as it is, for formats that escape it themselves.
pub(crate) fn plain(reason: &Reason) -> String {
    let value = reason.value.as_unescaped();
    match reason.detail.contains(value) {
        true => reason.detail.clone(),
        false => format!("{}: {value}", reason.detail),
    }
}

/// A reason in one line: the value stands behind it, unless it is named there already.
pub(crate) fn told(reason: &Reason) -> String {
    let value = escape::terminal(&reason.value).to_string();
    match reason.detail.contains(&value) {
        true => reason.detail.clone(),
        false => format!("{}: {}", reason.detail, cut(&reason.value, 100)),
    }
}

/// The head of the table that [`write_session`] continues.
///
/// # Errors
/// Those of `out`.
pub fn write_session_head(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<16} {:>6} {:<20} {:<20} BASIS", "FIRST", "CALLS", "AGENT", "SESSION")
}

/// A session in one line; agents of children are indented by their depth. `^` stands behind a basis
/// that a session above has, and not itself.
///
/// # Errors
/// Those of `out`.
pub fn write_session(out: &mut impl Write, session: &Session) -> io::Result<()> {
    let depth = session.lineage.len().saturating_sub(1).min(4);
    let agent = session.agent().map(|agent| cut(&agent.id.untrusted(), 20 - depth));
    let agent = format!("{:depth$}{}", "", agent.as_deref().unwrap_or("-"));
    let basis = match &session.named {
        Ok(named) if named.inherited => format!("{} ^", named.basis),
        Ok(named) => named.basis.to_string(),
        Err(cause) => cause.to_string(),
    };
    let first = session.first.to_string();
    writeln!(
        out,
        "{:<16} {:>6} {agent:<20} {:<20} {basis}",
        first.get(..16).unwrap_or(&first),
        session.records,
        cut(&session.id.untrusted(), 20),
    )
}

/// What was found of the session of the line above.
///
/// # Errors
/// Those of `out`.
pub fn write_found(
    out: &mut impl Write,
    strongest: Verdict,
    findings: u64,
    style: Style,
) -> io::Result<()> {
    let plural = if findings == 1 { "" } else { "s" };
    writeln!(out, "{:24}{} {findings} finding{plural}", "", style.verdict(strongest))
}

/// What was read, passed over and lost; the sums reconcile.
///
/// # Errors
/// Those of `out`.
pub fn write_tally(out: &mut impl Write, tally: &Tally) -> io::Result<()> {
    let line = |what: &str, counts: &Counts| {
        format!(
            "{what} {} seen = {} read + {} skipped + {} failed + {} duplicate",
            counts.seen, counts.read, counts.skipped, counts.failed, counts.duplicate
        )
    };
    writeln!(out, "{}", line("files", &tally.files))?;
    writeln!(out, "{}", line("records", &tally.records))?;
    if !tally.skips.is_empty() {
        let parts: Vec<String> =
            tally.skips.iter().map(|(why, count)| format!("{why} {count}")).collect();
        write_wrapped(out, &format!("skipped: {}", parts.join(", ")), 0, 2)?;
    }
    Ok(())
}

/// How much is attributed, and loudly what is not, with the likely cause.
///
/// # Errors
/// Those of `out`.
pub fn write_coverage(out: &mut impl Write, coverage: &Coverage, style: Style) -> io::Result<()> {
    let attributed = coverage.attributed;
    writeln!(
        out,
        "attributed: {} records in {} sessions",
        attributed.records, attributed.sessions
    )?;
    for (cause, share) in &coverage.unattributed {
        let line = format!(
            "unattributed: {} records in {} sessions ({cause})",
            share.records, share.sessions
        );
        if cause.is_worrying() {
            writeln!(out, "{}", style.paint("1;33", &line))?;
            write_wrapped(out, cause.hint(), 2, 2)?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// An incident and its plan.
///
/// # Errors
/// Those of `out`.
pub fn write_incident(out: &mut impl Write, incident: &Incident, style: Style) -> io::Result<()> {
    let agent = incident.agent.as_ref().map(|agent| cut(&agent.untrusted(), 60));
    let who = agent.as_deref().unwrap_or("nobody's agent");
    let title = format!("{}: {who} at {}", incident.verdict, incident.opened);
    writeln!(out, "{}", style.title(&title))?;
    writeln!(
        out,
        "  {} findings in {} calls of {} sessions",
        incident.findings_total,
        incident.calls,
        incident.lineage.len()
    )?;
    writeln!(out, "  plan, as of then; nothing is written to AWS:")?;
    match &incident.plan {
        Err(refusal) => writeln!(out, "  nothing can be planned: {refusal}"),
        Ok(plan) => {
            let mut text = String::new();
            // INVARIANT: writing to a string cannot fail.
            let _ = plan.write_text(&mut text);
            write_lines_wrapped(out, &text)
        }
    }
}
