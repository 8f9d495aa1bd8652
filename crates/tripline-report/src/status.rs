//! What is in force, for people and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};
use tripline_cloudtrail::EventTime;
use tripline_containment::{
    Case, Failure, IncidentId, Place, Proof, Response, Returned, Status, StepKind,
};
use tripline_engine::{Damage, Harm};
use tripline_text::{Untrusted, escape};

use crate::json::{self, Layout};
use crate::table::{Style, cut};

/// One line on an incident.
///
/// # Errors
/// Those of `out`.
pub fn write_case(
    out: &mut impl Write,
    incident: IncidentId,
    case: &Case,
    now_unix_secs: i64,
    style: Style,
) -> io::Result<()> {
    let agent =
        case.plan.agent.as_ref().map_or_else(|| "no agent".to_owned(), |agent| cut(agent, 30));
    writeln!(
        out,
        "{} {incident}  {agent}  {}",
        style.title(case.plan.response.word()),
        standing(case, now_unix_secs)
    )?;
    let since = moment(case.times.decided.div_euclid(1_000));
    write!(out, "  since {since} by {}: {}", cut(&case.actor, 30), cut(&case.reason, 60))?;
    match case.plan.response {
        Response::Fence { until_unix_secs } => writeln!(out, "; until {}", moment(until_unix_secs)),
        Response::Kill => writeln!(out),
    }
}

/// Everything about an incident.
///
/// # Errors
/// Those of `out`.
pub fn write_case_in_full(
    out: &mut impl Write,
    incident: IncidentId,
    case: &Case,
    now_unix_secs: i64,
    style: Style,
) -> io::Result<()> {
    write_case(out, incident, case, now_unix_secs, style)?;
    for (place, status) in &case.places {
        writeln!(out, "  {}: {place}", place_word(status))?;
        if let Some(why) = why(status) {
            writeln!(out, "      {why}")?;
        }
    }
    if case.closed.is_some() {
        return Ok(());
    }
    for (step, failure) in case.open_steps() {
        if !case.places.contains_key(&step.place) {
            writeln!(out, "  not done: {}", step.place)?;
        } else if failure.is_none() {
            writeln!(out, "  under way: {}", step.place)?;
        }
    }
    for session in &case.plan.sessions {
        let seen = case.seen.get(&session.id).copied().unwrap_or_default();
        let text = match (seen.first_denied, seen.last_success) {
            (None, None) => "nothing seen since".to_owned(),
            (Some(denied), None) => format!("refused from {} on", moment(denied)),
            (denied, Some(success)) => format!(
                "a call went through at {}{}",
                moment(success),
                denied.map_or_else(String::new, |at| format!("; first refused at {}", moment(at)))
            ),
        };
        writeln!(out, "  session {}: {text}", cut(&session.id, 50))?;
    }
    if case.stripped > 0 {
        let by = case.stripped_by.as_ref().map_or_else(|| "somebody".to_owned(), |by| cut(by, 60));
        writeln!(
            out,
            "  {} taken away {} times by {by}: without the guard it does not hold (`tripline policy guard`)",
            style.title("ATTENTION:"),
            case.stripped
        )?;
    }
    for line in times(case) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// What the plan of an incident leaves standing.
///
/// # Errors
/// Those of `out`.
pub fn write_left_standing(out: &mut impl Write, case: &Case) -> io::Result<()> {
    for (left_alone, refusal) in &case.plan.refused {
        writeln!(out, "  left alone: {}: {refusal}", escape::terminal(&left_alone.untrusted()))?;
    }
    for created in &case.plan.created {
        writeln!(out, "  created by the agent, not contained: {created}")?;
    }
    for line in &case.plan.survives {
        writeln!(out, "  survives: {line}")?;
    }
    Ok(())
}

/// An incident as one JSON object on a line.
///
/// # Errors
/// Those of `out`.
pub fn write_case_line(
    out: &mut impl Write,
    incident: IncidentId,
    case: &Case,
    now_unix_secs: i64,
) -> io::Result<()> {
    let mut line = String::new();
    json::write(&case_json(incident, case, now_unix_secs), Layout::Line, &mut line);
    writeln!(out, "{line}")
}

fn case_json(incident: IncidentId, case: &Case, now_unix_secs: i64) -> Value {
    let text = json::text;
    let places: Vec<Value> = case
        .places
        .iter()
        .map(|(place, status)| {
            json!({"place": place.to_string(), "state": place_word(status), "why": why(status)})
        })
        .collect();
    let sessions: Vec<Value> = case
        .plan
        .sessions
        .iter()
        .map(|session| {
            let seen = case.seen.get(&session.id).copied().unwrap_or_default();
            json!({
                "session": text(&session.id),
                "ends_by": session.ends_by_unix_secs.map(moment),
                "first_denied": seen.first_denied.map(moment),
                "last_success": seen.last_success.map(moment),
            })
        })
        .collect();
    let until = match case.plan.response {
        Response::Fence { until_unix_secs } => Some(moment(until_unix_secs)),
        Response::Kill => None,
    };
    json!({
        "incident": incident.to_string(),
        "agent": case.plan.agent.as_ref().map(text),
        "response": case.plan.response.word(),
        "state": standing_word(case, now_unix_secs),
        "by": text(&case.actor),
        "automatic": case.is_automatic,
        "reason": text(&case.reason),
        "since": moment(case.times.decided.div_euclid(1_000)),
        "until": until,
        "closed": case.closed.as_ref().map(|(_, at, _)| moment(at.div_euclid(1_000))),
        "stripped": case.stripped,
        "times_unix_ms": {
            "event": case.times.event,
            "seen": case.times.seen,
            "decided": case.times.decided,
            "attached": case.times.attached,
            "first_denied": case.times.first_denied,
        },
        "places": places,
        "sessions": sessions,
        "open_steps": case.open_steps().map(|(step, _)| step.place.to_string()).collect::<Vec<_>>(),
    })
}

/// The word for how far an incident is, for programs.
pub fn standing_word(case: &Case, now_unix_secs: i64) -> &'static str {
    let expired = case.plan.has_expired(now_unix_secs);
    match (&case.closed, case.proof(now_unix_secs)) {
        (Some(_), _) => "closed",
        (None, _) if is_half_returned(case) => "half-returned",
        (None, _) if expired => "expired",
        (None, Proof::Incomplete) => "incomplete",
        (None, Proof::Attached) => "attached",
        (None, Proof::Broken) => "broken",
        (None, Proof::Lapsed) => "lapsed",
        (None, Proof::Effective) => "effective",
    }
}

fn is_half_returned(case: &Case) -> bool {
    case.places.values().any(|status| {
        matches!(status, Status::Returned(_) | Status::ReturnIntended | Status::NotReturned(_))
    })
}

pub(crate) fn standing(case: &Case, now_unix_secs: i64) -> &'static str {
    match standing_word(case, now_unix_secs) {
        "closed" => "closed: given back",
        "half-returned" => "HALF GIVEN BACK: run restore again",
        "expired" => "expired: it denies nothing any more; restore cleans up",
        "incomplete" => "NOT DONE: some steps failed, see below",
        "attached" => "attached: in place and read back; not yet seen to hold",
        "broken" => "DOES NOT HOLD: a session goes on",
        "lapsed" => "over: all its credentials have ended, nothing seen since",
        _ => "effective: every live session was seen refused",
    }
}

pub(crate) fn place_word(status: &Status) -> &'static str {
    match status {
        Status::Intended => "under way",
        Status::Attached => "in force",
        Status::Failed(_) => "FAILED",
        Status::ReturnIntended => "being given back",
        Status::Returned(_) => "given back",
        Status::NotReturned(_) => "NOT GIVEN BACK",
    }
}

pub(crate) fn why(status: &Status) -> Option<String> {
    match status {
        Status::Failed(failure) | Status::NotReturned(failure) => Some(told(failure)),
        Status::Returned(Returned::Exact) => Some("as it was, byte for byte".to_owned()),
        Status::Returned(Returned::OthersStay) => {
            Some("another incident's part stays in force".to_owned())
        }
        Status::Returned(Returned::Removed) => {
            Some("our part is gone; how it was before is not on record".to_owned())
        }
        Status::Returned(Returned::WasGone) => Some("our part was gone already".to_owned()),
        Status::Returned(Returned::Changed { original, written, left }) => Some(format!(
            "our part is gone; somebody else changed the rest, and that stays:\n      before us  {}\n      as we left {}\n      now        {}",
            document(original.as_deref()),
            document(written.as_deref()),
            document(left.as_deref()),
        )),
        Status::Intended | Status::Attached | Status::ReturnIntended => None,
    }
}

fn document(text: Option<&str>) -> String {
    text.map_or_else(
        || "nothing".to_owned(),
        |text| escape::terminal(&Untrusted::borrowed(text)).to_string(),
    )
}

/// What AWS said.
pub fn told(failure: &Failure) -> String {
    match failure {
        Failure::Other { message } => cut(message, 200),
        known => known.to_string(),
    }
}

/// event → seen → decided → attached → first denied, as far as they are known.
fn times(case: &Case) -> Vec<String> {
    let times = case.times;
    let between = |label: &str, from: Option<i64>, to: Option<i64>| {
        let (from, to) = (from?, to?);
        let milliseconds = to.checked_sub(from)?;
        Some(format!("{label}: {}.{:03} s", milliseconds / 1_000, milliseconds.rem_euclid(1_000)))
    };
    [
        between("call to seen", times.event, times.seen),
        between("seen to decided", times.seen, Some(times.decided)),
        between("decided to in place", Some(times.decided), times.attached),
        between("in place to first refusal (to the second)", times.attached, times.first_denied),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(crate) fn moment(unix_secs: i64) -> String {
    EventTime::from_unix_secs(unix_secs)
        .map_or_else(|| format!("@{unix_secs}"), |time| time.to_string())
}

/// What the sessions left behind.
///
/// # Errors
/// Those of `out`.
pub fn write_damage(out: &mut impl Write, damage: &Damage, style: Style) -> io::Result<()> {
    let Some((first, last)) = damage.span else {
        return writeln!(out, "no call of these sessions succeeded");
    };
    writeln!(out, "{}", style.title(&format!("done from {first} to {last}:")))?;
    for ((harm, action), deeds) in &damage.done {
        writeln!(out, "  {} {action} ×{}", harm_word(*harm), deeds.count)?;
        for resource in &deeds.resources {
            writeln!(out, "      {}", cut(resource, 100))?;
        }
        if deeds.not_listed > 0 {
            writeln!(out, "      and {} more", deeds.not_listed)?;
        }
    }
    Ok(())
}

pub(crate) fn harm_word(harm: Harm) -> &'static str {
    match harm {
        Harm::Shared => "opened to others",
        Harm::Created => "created         ",
        Harm::Destroyed => "destroyed       ",
        Harm::Wrote => "wrote           ",
        Harm::Read => "read            ",
    }
}

/// What a place's step was for, in one word, for progress lines.
pub fn step_word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::BlockReEntry => "block entry",
        StepKind::DeactivateKey => "switch key off",
        StepKind::Deny => "deny",
    }
}

/// A place found in IAM that has statements of ours.
///
/// # Errors
/// Those of `out`.
pub fn write_found(
    out: &mut impl Write,
    place: &Place,
    incidents: &[(IncidentId, usize)],
) -> io::Result<()> {
    writeln!(out, "{place}")?;
    for (incident, statements) in incidents {
        let plural = if *statements == 1 { "" } else { "s" };
        writeln!(out, "  {statements} statement{plural} of incident {incident}")?;
    }
    Ok(())
}
