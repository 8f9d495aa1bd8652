//! One session, call by call, for people.

use std::io::{self, Write};

use tripline_attribution::{Session, Sessions};
use tripline_baseline::Outcome;
use tripline_detector::Verdict;
use tripline_engine::Scored;
use tripline_text::escape;

use crate::table::{REASON_COLUMN, Style, cut, told};
use crate::wrap::write_wrapped;

/// What a session is, who minted it, and what it minted.
///
/// # Errors
/// Those of `out`.
pub fn write_head(
    out: &mut impl Write,
    session: &Session,
    sessions: &Sessions,
    style: Style,
) -> io::Result<()> {
    let whose = match &session.named {
        Ok(named) => {
            let above = if named.inherited { ", by a session above it" } else { "" };
            format!("{} ({}{above})", cut(&named.agent.id.untrusted(), 60), named.basis)
        }
        Err(cause) => format!("nobody's ({cause})"),
    };
    writeln!(out, "{}", style.title(&escape::terminal(&session.id.untrusted()).to_string()))?;
    let mut line = |name: &str, text: String| writeln!(out, "  {name:<9} {text}");
    line("agent", whose)?;
    if let Some(role) = &session.role {
        line("role", escape::terminal(role).to_string())?;
    }
    if let Some(user) = &session.user {
        line("user", cut(user, 60))?;
    }
    for id in session.lineage.iter().rev().skip(1) {
        let above = sessions.by_id(&id.untrusted());
        let agent = above.as_ref().and_then(|above| above.agent());
        let agent =
            agent.map_or_else(|| "nobody's".to_owned(), |agent| cut(&agent.id.untrusted(), 30));
        line("from", format!("{} ({agent})", cut(&id.untrusted(), 40)))?;
    }
    match (session.minted, session.ends_by) {
        (Some(minted), Some(ends)) => line("minted", format!("{minted}, ends by {ends}"))?,
        (Some(minted), None) => line("minted", minted.to_string())?,
        (None, _) => {}
    }
    let is_child = |other: &Session| other.parent.as_ref() == Some(&session.id);
    for child in sessions.lineage_of(session).into_iter().filter(is_child) {
        line("minted", format!("{} at {}", cut(&child.id.untrusted(), 40), child.first))?;
    }
    line("calls", format!("{} from {} to {}", session.records, session.first, session.last))
}

/// The calls of a session in order of time, each with what is thought of it. Calls that are the same
/// again are drawn together.
///
/// # Errors
/// Those of `out`.
pub fn write_calls(out: &mut impl Write, calls: &[Scored], style: Style) -> io::Result<()> {
    let mut day = String::new();
    let mut calls = calls.iter().peekable();
    while let Some(scored) = calls.next() {
        let mut more = 0_u32;
        while calls.next_if(|next| is_alike(scored, next)).is_some() {
            more += 1;
        }
        let time = scored.call.time.to_string();
        let (date, clock) = time.split_once('T').unwrap_or(("", &time));
        if date != day {
            writeln!(out, "\n{}", style.title(date))?;
            date.clone_into(&mut day);
        }
        write_call(out, scored, clock, more, style)?;
    }
    Ok(())
}

/// Whether a call is the one before it again, on something else at most, and both are normal.
fn is_alike(scored: &Scored, next: &Scored) -> bool {
    let is_plain = |scored: &Scored| {
        scored.assessment.verdict == Verdict::Normal && scored.assessment.reasons.is_empty()
    };
    is_plain(scored)
        && is_plain(next)
        && scored.call.action == next.call.action
        && scored.call.outcome == next.call.outcome
        && scored.call.network == next.call.network
}

fn write_call(
    out: &mut impl Write,
    scored: &Scored,
    clock: &str,
    more: u32,
    style: Style,
) -> io::Result<()> {
    let call = &scored.call;
    let verdict = match scored.assessment.verdict {
        Verdict::Normal => format!("{:<6}", ""),
        found => style.verdict(found),
    };
    let times = if more > 0 { format!(" ×{}", more + 1) } else { String::new() };
    let outcome = match &call.outcome {
        Outcome::Ok => String::new(),
        Outcome::Denied(code) => format!(" denied: {}", cut(code, 30)),
        Outcome::Failed(code) => format!(" failed: {}", cut(code, 30)),
    };
    writeln!(out, "{clock:<9} {verdict} {}{times}{outcome}", call.action)?;
    if let Some(resource) = call.resources.first() {
        let others = match call.resources.len() - 1 + usize::try_from(more).unwrap_or(0) {
            0 => "",
            _ => " …",
        };
        write_wrapped(out, &format!("{}{others}", cut(resource, 100)), 17, 17)?;
    }
    for reason in &scored.assessment.reasons {
        let weight = match reason.weight {
            0.0 => String::new(),
            weight => format!(" (weight {weight:.2})"),
        };
        let mark = if reason.verdict > Verdict::Normal { "!" } else { "·" };
        let text = format!("{mark} {}{weight}", told(reason));
        write_wrapped(out, &text, REASON_COLUMN + 15, REASON_COLUMN + 17)?;
    }
    Ok(())
}
