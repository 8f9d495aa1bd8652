//! `tripline doctor --fire-drill ROLE`

use std::io::Write;

use tripline_aws::RoleCanary;
use tripline_containment::{Subject, plan_kill};
use tripline_engine::{Asked, Config, Decision, Mode, authorize};
use tripline_iam::{Arn, PrincipalId};
use tripline_report::status;
use tripline_runtime::{Drilled, Executor, Patience, SystemClock, describe, drill, drill_target};
use tripline_text::escape;

use crate::args::DoctorArgs;
use crate::exit::{Ended, Failure};
use crate::logbook;
use crate::output::Output;
use crate::switch::{self, Hands, now_unix_ms, said_yes};

pub(super) async fn run(
    arguments: &DoctorArgs,
    config: &Config,
    role: &Arn,
) -> Result<Ended, Failure> {
    let mut out = Output::new(arguments.color);
    let hands = switch::hands(config).await?;
    if !hands.has_opted_in(role).await.map_err(Failure::Aws)? {
        return Err(Failure::Usage {
            message: "the role did not opt in to be contained".to_owned(),
            hint: "give a role that only drills use the tag `tripline:contain = allowed`",
        });
    }
    let canary = match RoleCanary::of(&hands, role).await {
        Ok(canary) => Some(canary),
        Err(failure) => {
            let why = status::told(&failure);
            writeln!(out, "the role cannot be taken on ({why}): no call will be seen refused")?;
            None
        }
    };
    let principal = match &canary {
        Some(canary) => canary.principal().cloned(),
        None => stand_in(&hands, role).await?,
    };
    let mut target = drill_target(role.clone(), principal, now_unix_ms());
    target.protected.extend(config.containment.protected.iter().cloned());
    target.protected.insert(hands.identity().clone());
    target.management_accounts.extend(&config.containment.management_accounts);
    if let Some((subject, failure)) = describe(&hands, &mut target).await.into_iter().next() {
        writeln!(out, "{subject} cannot be read: {}", status::told(&failure))?;
    }
    let plan = plan_kill(&target, target.grounds())?;
    writeln!(
        out,
        "fire drill {}: one session of {} is denied everything",
        plan.incident,
        escape::terminal(&role.untrusted())
    )?;
    for step in &plan.steps {
        writeln!(out, "  {}: {}", status::step_word(step.kind), step.place)?;
    }
    for (_, refusal) in &plan.refused {
        writeln!(out, "  left alone: {refusal}")?;
    }
    out.flush()?;
    if plan.steps.is_empty() {
        writeln!(out, "nothing of it can be done")?;
        out.flush()?;
        return Ok(Ended { unproven: true, ..Ended::default() });
    }
    let mode = Mode::from(arguments.switch.mode);
    let question =
        format!("Carry out these {} steps, and give them back at once?", plan.steps.len());
    let is_writing = mode >= Mode::Approve;
    let asked =
        Asked::ByPerson { said_yes: is_writing && said_yes(&question, arguments.switch.yes)? };
    let journal = logbook::journal(arguments.switch.log.state.as_ref()).await?;
    let ledger = journal.ledger().await;
    let Decision::Do(authorized) =
        authorize(&plan, mode, &asked, &config.brakes, &ledger, now_unix_ms())
    else {
        writeln!(out, "nothing was changed")?;
        out.flush()?;
        return Ok(Ended { unproven: is_writing, ..Ended::default() });
    };
    let executor = Executor::new(&hands, &journal, &SystemClock, Patience::default());
    let drilled = drill(&executor, &journal, &SystemClock, &authorized, canary.as_ref()).await?;
    let held = show(&mut out, &drilled, canary.is_some())?;
    if !held {
        writeln!(out, "see: tripline status {}", plan.incident)?;
    }
    out.flush()?;
    Ok(Ended { unproven: !held, ..Ended::default() })
}

/// Nobody's session of the role: the denial names it, and hits no one.
async fn stand_in(hands: &Hands, role: &Arn) -> Result<Option<PrincipalId>, Failure> {
    let Some((account, name)) = role.account().zip(role.role_name()) else { return Ok(None) };
    let id = hands.role_id(&Subject::Role { account, name }).await.map_err(Failure::Aws)?;
    let text = id.map(|id| format!("{}:tripline-fire-drill", id.untrusted().as_unescaped()));
    Ok(text.and_then(|text| PrincipalId::parse(&text).ok()))
}

/// Says what it came to; whether it held, and was given back.
fn show(out: &mut Output, drilled: &Drilled, has_canary: bool) -> Result<bool, Failure> {
    let secs =
        |milliseconds: u64| format!("{}.{:03} s", milliseconds / 1_000, milliseconds % 1_000);
    match drilled.attached {
        Some(took) => writeln!(out, "decided to in place and read back: {}", secs(took))?,
        None => writeln!(out, "FAILED: not everything could be put in place")?,
    }
    match (drilled.refused, has_canary) {
        (Some(took), _) => writeln!(out, "in place to the canary's call refused: {}", secs(took))?,
        (None, true) => writeln!(out, "FAILED: no call of the canary was refused")?,
        (None, false) => {}
    }
    let places = drilled.exact.len() + drilled.inexact.len();
    writeln!(
        out,
        "given back: {}, {} of {places} places as they were, byte for byte",
        secs(drilled.returned),
        drilled.exact.len()
    )?;
    for (place, failure) in &drilled.inexact {
        let why = failure.as_ref().map_or_else(|| "changed meanwhile".to_owned(), status::told);
        writeln!(out, "  FAILED: {place}: {why}")?;
    }
    let was_seen = drilled.refused.is_some() || !has_canary;
    Ok(drilled.attached.is_some() && was_seen && drilled.inexact.is_empty())
}
