//! `tripline status`

use std::collections::BTreeMap;
use std::io::Write;

use tripline_containment::{IncidentId, Ledger, names};
use tripline_report::status;
use tripline_runtime::{Executor, Patience, Responder, SystemClock, settings};
use tripline_text::escape;

use crate::args::{Format, StatusArgs};
use crate::exit::{Ended, Failure};
use crate::input::{config_file, now};
use crate::logbook;
use crate::output::Output;
use crate::switch;

pub(crate) fn run(arguments: &StatusArgs) -> Result<Ended, Failure> {
    let (config, _) = settings(config_file(arguments.config.as_deref()).as_deref(), None)?;
    let runtime = switch::runtime()?;
    let mut out = Output::new(arguments.color);
    let ended = runtime.block_on(async {
        if let Some(account) = &arguments.from_iam {
            return from_iam(&config, account, &mut out).await;
        }
        let journal = logbook::journal(arguments.log.state.as_ref()).await?;
        let mut unproven = false;
        if arguments.check {
            let hands = switch::hands(&config).await?;
            let executor = Executor::new(&hands, &journal, &SystemClock, Patience::default());
            for (incident, case) in journal.ledger().await.cases() {
                if case.closed.is_some() {
                    continue;
                }
                for drift in executor.verify(None, incident).await? {
                    unproven = true;
                    match drift.failure {
                        None => writeln!(out, "drift: {} was changed or removed", drift.place)?,
                        Some(failure) => writeln!(
                            out,
                            "cannot be checked: {}: {}",
                            drift.place,
                            status::told(&failure)
                        )?,
                    }
                }
            }
        }
        let wanted = arguments.incident.as_deref().map(str::parse::<IncidentId>).transpose();
        let wanted = wanted.map_err(|error| Failure::Usage {
            message: error.to_string(),
            hint: "`tripline status` without a name lists the incidents",
        })?;
        show(arguments, &journal.ledger().await, wanted, &mut out)?;
        Ok(Ended { unproven, ..Ended::default() })
    })?;
    out.flush()?;
    Ok(ended)
}

fn show(
    arguments: &StatusArgs,
    ledger: &Ledger,
    wanted: Option<IncidentId>,
    out: &mut Output,
) -> Result<(), Failure> {
    let style = out.style();
    let now = now().unix_secs();
    let shown = ledger.cases().filter(|(incident, case)| match wanted {
        Some(wanted) => *incident == wanted,
        None => arguments.all || case.closed.is_none(),
    });
    let mut any = false;
    for (incident, case) in shown {
        any = true;
        match (arguments.format, wanted) {
            (Format::Ndjson, _) => status::write_case_line(out, incident, case, now)?,
            (Format::Table, Some(_)) => {
                status::write_case_in_full(out, incident, case, now, style)?;
                status::write_left_standing(out, case)?;
            }
            (Format::Table, None) => status::write_case(out, incident, case, now, style)?,
        }
    }
    if let Some(wanted) = wanted
        && !any
    {
        return Err(tripline_runtime::JournalError::NoSuchIncident(wanted).into());
    }
    if arguments.format == Format::Table {
        if !any {
            writeln!(out, "nothing is in force")?;
        }
        if let Some(reason) = ledger.halted() {
            writeln!(out, "all automatic action is stopped: {}", escape::terminal(reason))?;
        }
    }
    Ok(())
}

/// What IAM itself says: nothing else is needed.
async fn from_iam(
    config: &tripline_engine::Config,
    account: &str,
    out: &mut Output,
) -> Result<Ended, Failure> {
    let account = switch::account(account)?;
    let hands = switch::hands(config).await?;
    let found = hands.find(account).await.map_err(Failure::Aws)?;
    for (place, text) in &found {
        let mut incidents: BTreeMap<IncidentId, usize> = BTreeMap::new();
        for name in names(text).unwrap_or_default() {
            *incidents.entry(name.incident).or_default() += 1;
        }
        let incidents: Vec<_> = incidents.into_iter().collect();
        status::write_found(out, place, &incidents)?;
    }
    if found.is_empty() {
        writeln!(out, "no policy in {account} has statements of Tripline's")?;
    }
    writeln!(out, "keys that were switched off cannot be told from IAM alone")?;
    Ok(Ended::default())
}
