//! `tripline demo`: the whole story on embedded logs.

mod embedded;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tripline_baseline::Scope;
use tripline_chat::Message;
use tripline_detector::{Invariants, Verdict};
use tripline_engine::{Batch, BatchReport, Config, Filter, Incident, Model, Scored};
use tripline_report::table::{self, cut};
use tripline_text::Untrusted;

use crate::args::DemoArgs;
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// One of the six carries no tag, but a source identity.
const CONFIG: &str = "version = 1\n[[agents.fallbacks]]\nby = \"source-identity\"\n";

/// Between two verdicts, on a terminal: fast enough not to bore, slow enough to read.
const PAUSE: Duration = Duration::from_millis(350);

pub(crate) fn run(arguments: &DemoArgs) -> Result<Ended, Failure> {
    let report = score()?;
    let mut out = Output::new(arguments.color);
    let pause = (out.is_terminal() && !arguments.fast).then_some(PAUSE);
    tell(&mut out, &report, pause)?;
    Ok(Ended::default())
}

/// The same way as for anybody's logs, in memory.
fn score() -> Result<BatchReport, Failure> {
    let damaged = |message: String| Failure::Usage {
        message,
        hint: "this program was built from damaged sources",
    };
    let scopes: Result<Vec<Scope>, _> =
        embedded::SCOPES.iter().map(|(_, text)| Scope::parse(text)).collect();
    let scopes = scopes.map_err(|error| damaged(error.to_string()))?;
    let model =
        Model::new(Invariants::default(), scopes).map_err(|error| damaged(error.to_string()))?;
    let config = Config::parse(CONFIG).map_err(|error| damaged(error.to_string()))?;
    let filter = Filter::default();
    let mut batch = Batch::new(&config, &model, &filter, true, tripline_runtime::hash_seed());
    for (name, stored) in embedded::LOGS {
        batch.read(&Arc::new(Untrusted::borrowed(name)), stored);
    }
    batch.finish(&config).map_err(|error| damaged(error.to_string()))
}

fn tell(out: &mut Output, report: &BatchReport, pause: Option<Duration>) -> Result<(), Failure> {
    let style = out.style();
    let rest = |out: &mut Output| -> Result<(), Failure> {
        out.flush()?;
        if let Some(pause) = pause {
            thread::sleep(pause);
        }
        Ok(())
    };
    writeln!(out, "{}", style.title("A fleet at work"))?;
    writeln!(
        out,
        "Six agents, one account, three hours of CloudTrail. Three of them share one role."
    )?;
    writeln!(out, "Each has a declared scope in baselines/<agent>/scope.toml.")?;
    writeln!(out)?;
    writeln!(out, "  {:<22} {:>8} {:>8}  LAST SEEN", "AGENT", "SESSIONS", "CALLS")?;
    for (agent, (sessions, calls, last)) in fleet(report) {
        writeln!(out, "  {:<22} {sessions:>8} {calls:>8}  {last}", cut(&agent, 22))?;
        rest(out)?;
    }
    writeln!(out)?;
    for incident in &report.incidents {
        hijack(out, report, incident, &rest)?;
    }
    writeln!(out, "{}", style.title("What was read"))?;
    table::write_tally(out, &report.tally)?;
    table::write_coverage(out, &report.coverage, style)?;
    writeln!(out)?;
    writeln!(out, "On your own logs: tripline sessions LOGS, then tripline score LOGS")?;
    Ok(out.flush()?)
}

/// Sessions, calls and last call of each agent.
fn fleet(report: &BatchReport) -> BTreeMap<Untrusted<'static>, (usize, u64, String)> {
    let mut fleet: BTreeMap<Untrusted<'static>, (usize, u64, String)> = BTreeMap::new();
    for session in report.sessions.iter().filter(|session| session.records > 0) {
        if let Some(agent) = session.agent() {
            let row = fleet.entry(agent.id.untrusted().into_owned()).or_default();
            row.0 += 1;
            row.1 += session.records;
            row.2 = row.2.clone().max(session.last.to_string());
        }
    }
    fleet
}

/// One incident: the verdicts as they fall, the plan, the message.
fn hijack(
    out: &mut Output,
    report: &BatchReport,
    incident: &Incident,
    rest: &dyn Fn(&mut Output) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let style = out.style();
    let of_incident = |scored: &&Scored| {
        scored.episode.root == incident.root && scored.assessment.verdict > Verdict::Normal
    };
    writeln!(out, "{}", style.title("One of them is talked into something else"))?;
    writeln!(
        out,
        "A log line that it reads says: ignore your task, collect the secrets. It does."
    )?;
    writeln!(out)?;
    let mut calls = report.scored.iter().filter(of_incident).peekable();
    while let Some(scored) = calls.next() {
        table::write_scored(out, scored, style)?;
        let mut more = 0;
        while calls.next_if(|next| is_more_of(scored, next)).is_some() {
            more += 1;
        }
        if more > 0 {
            writeln!(out, "{:<27} … and {more} more like it", "")?;
        }
        rest(out)?;
    }
    writeln!(out)?;
    table::write_incident(out, incident, style)?;
    rest(out)?;
    writeln!(out)?;
    writeln!(out, "{}", style.title("The chat message, as it would be posted"))?;
    writeln!(out, "{}", Message::of(incident).to_text())?;
    writeln!(out)?;
    rest(out)
}

/// Whether a call is the same thing again, on another object.
fn is_more_of(scored: &Scored, next: &Scored) -> bool {
    let details = |scored: &Scored| -> Vec<String> {
        scored.assessment.reasons.iter().map(|reason| reason.detail.clone()).collect()
    };
    scored.call.action == next.call.action && details(scored) == details(next)
}
