//! `tripline restore`

use std::collections::BTreeMap;
use std::io::Write;

use tripline_containment::{Event, IncidentId, Place, names};
use tripline_engine::{Mode, authorize_return};
use tripline_report::status;
use tripline_runtime::{Executor, Journal, Patience, Responder, SystemClock, settings};
use tripline_text::Untrusted;

use crate::args::RestoreArgs;
use crate::exit::{Ended, Failure};
use crate::input::{config_file, now};
use crate::logbook::{self, Logbook};
use crate::output::Output;
use crate::switch::{self, Hands, now_unix_ms, said_yes};

pub(crate) fn run(arguments: &RestoreArgs) -> Result<Ended, Failure> {
    let (config, _) = settings(config_file(arguments.config.as_deref()).as_deref(), None)?;
    let runtime = switch::runtime()?;
    runtime.block_on(async {
        let hands = switch::hands(&config).await?;
        let journal = logbook::journal(arguments.switch.log.state.as_ref()).await?;
        if let Some(account) = &arguments.from_iam {
            adopt(&hands, &journal, account).await?;
        }
        let incidents = meant(arguments, &journal).await?;
        give_back(arguments, &hands, &journal, &incidents).await
    })
}

/// Takes what is found in IAM, and is on no record, into the log.
async fn adopt(hands: &Hands, journal: &Journal<Logbook>, account: &str) -> Result<(), Failure> {
    let account = switch::account(account)?;
    let found = hands.find(account).await.map_err(Failure::Aws)?;
    let mut places: BTreeMap<IncidentId, Vec<Place>> = BTreeMap::new();
    for (place, text) in found {
        for name in names(&text).unwrap_or_default() {
            let of_incident = places.entry(name.incident).or_default();
            if !of_incident.contains(&place) {
                of_incident.push(place.clone());
            }
        }
    }
    for (incident, mut places) in places {
        // What is on record is known better than IAM can tell.
        let known = journal.look(|ledger| {
            ledger.case(incident).map(|case| case.places.keys().cloned().collect::<Vec<_>>())
        });
        let known = known.await.unwrap_or_default();
        places.retain(|place| !known.contains(place));
        if !places.is_empty() {
            journal.append(Some(incident), now_unix_ms(), Event::Adopted { places }).await?;
        }
    }
    Ok(())
}

async fn meant(
    arguments: &RestoreArgs,
    journal: &Journal<Logbook>,
) -> Result<Vec<IncidentId>, Failure> {
    if !arguments.incidents.is_empty() {
        let parsed: Result<Vec<IncidentId>, _> =
            arguments.incidents.iter().map(|text| text.parse()).collect();
        return parsed.map_err(|error| Failure::Usage {
            message: error.to_string(),
            hint: "`tripline status` lists the incidents",
        });
    }
    let agent = arguments.agent.clone().map(Untrusted::new);
    let open = journal.look(|ledger| {
        let open = ledger.cases().filter(|(_, case)| case.closed.is_none());
        open.filter(|(_, case)| agent.is_none() || case.plan.agent == agent)
            .filter(|(_, case)| !arguments.expired || case.plan.has_expired(now().unix_secs()))
            .map(|(incident, _)| incident)
            .collect::<Vec<_>>()
    });
    Ok(open.await)
}

async fn give_back(
    arguments: &RestoreArgs,
    hands: &Hands,
    journal: &Journal<Logbook>,
    incidents: &[IncidentId],
) -> Result<Ended, Failure> {
    let mut out = Output::new(arguments.color);
    let style = out.style();
    if incidents.is_empty() {
        writeln!(out, "nothing is in force")?;
        out.flush()?;
        return Ok(Ended::default());
    }
    let mut places = 0;
    for incident in incidents {
        let held = journal.look(|ledger| {
            ledger.case(*incident).map(|case| case.held().map(ToString::to_string).collect())
        });
        let held: Vec<String> =
            held.await.ok_or(tripline_runtime::JournalError::NoSuchIncident(*incident))?;
        writeln!(out, "incident {incident}")?;
        for place in &held {
            writeln!(out, "  {place}")?;
        }
        places += held.len();
    }
    out.flush()?;
    let mode = Mode::from(arguments.switch.mode);
    let Some(permit) = authorize_return(mode) else {
        writeln!(out, "nothing was changed: the mode says so")?;
        out.flush()?;
        return Ok(Ended::default());
    };
    let question = format!("Give back these {places} places?");
    if mode == Mode::Approve && !said_yes(&question, arguments.switch.yes)? {
        return Ok(Ended { unproven: true, ..Ended::default() });
    }
    let executor = Executor::new(hands, journal, &SystemClock, Patience::default());
    let mut unproven = false;
    for incident in incidents {
        let is_closed =
            journal.look(|ledger| ledger.case(*incident).is_some_and(|case| case.closed.is_some()));
        if is_closed.await {
            writeln!(out, "incident {incident} was given back before")?;
            continue;
        }
        let case = match arguments.expired {
            true => executor.end(&permit, *incident).await?,
            false => executor.give_back(&permit, *incident, &arguments.reason).await?,
        };
        unproven |= case.closed.is_none();
        status::write_case_in_full(&mut out, *incident, &case, now().unix_secs(), style)?;
    }
    out.flush()?;
    Ok(Ended { unproven, ..Ended::default() })
}
