//! `tripline demo`: the whole story on embedded logs.

mod embedded;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tripline_baseline::{
    Approval, Baseline, Decisions, Family, Peers, Provenance, Scope, Whose, promote,
};
use tripline_chat::{Message, Outcome};
use tripline_cloudtrail::EventTime;
use tripline_containment::{Request, Step, StepKind, statement_denies};
use tripline_detector::{Invariants, Verdict};
use tripline_engine::{
    Batch, BatchReport, Config, Filter, Incident, Model, Purpose, Scored, is_sensitive,
};
use tripline_iam::Arn;
use tripline_report::table::{self, REASON_COLUMN, cut};
use tripline_text::Untrusted;

use crate::args::DemoArgs;
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// One of the six carries no tag, but a source identity.
const CONFIG: &str = "version = 1\n[[agents.fallbacks]]\nby = \"source-identity\"\n";

/// Between two verdicts, on a terminal: fast enough not to bore, slow enough to read.
const PAUSE: Duration = Duration::from_millis(350);

/// What was before this time is learned from. The first two hours of the logs are quiet.
const LEARNED_UNTIL: &str = "2026-11-20T11:00:00Z";

/// Who decides in the demonstration.
const BY: (&str, &str) = ("alice", "looked at them in the demonstration");

pub(crate) fn run(arguments: &DemoArgs) -> Result<Ended, Failure> {
    let story = play()?;
    let mut out = Output::new(arguments.color);
    let pause = (out.is_terminal() && !arguments.fast).then_some(PAUSE);
    tell(&mut out, &story, pause)?;
    Ok(Ended::default())
}

/// What happened.
struct Story {
    /// What is in force when the hijack comes.
    learned: Vec<Baseline>,
    /// Sensitive values that a person approved.
    approved: Vec<(Untrusted<'static>, String)>,
    report: BatchReport,
}

/// The same way as for anybody's logs, in memory: learn, review, score.
fn play() -> Result<Story, Failure> {
    let scopes: Result<Vec<Scope>, _> =
        embedded::SCOPES.iter().map(|(_, text)| Scope::parse(text)).collect();
    let model = Model::new(Invariants::default(), scopes.map_err(damaged)?).map_err(damaged)?;
    let config = Config::parse(CONFIG).map_err(damaged)?;
    let before = Filter { until: EventTime::parse(LEARNED_UNTIL), ..Filter::default() };
    let candidates = read(&config, &model, &before, Purpose::Learn)?.baselines;
    let by = |at| Approval::new(BY.0, at, BY.1);
    let by = EventTime::parse(LEARNED_UNTIL).and_then(by).ok_or_else(|| damaged("no time"))?;
    let (mut learned, mut approved) = (Vec::new(), Vec::new());
    let mut fleet = Peers::new(None);
    for candidate in &candidates {
        let mut decisions = Decisions::default();
        let first = promote(None, candidate, &decisions, &is_sensitive, &by).map_err(damaged)?;
        let Whose::Agent { agent, .. } = first.next.whose() else { continue };
        first.next.each_key(|name, provenance, _| {
            if *provenance == Provenance::Pending && name.family() == Family::Action {
                decisions.approve(agent, name.clone(), by.clone());
                approved.push((agent.clone(), name.shown_value()));
            }
        });
        let live = promote(None, candidate, &decisions, &is_sensitive, &by).map_err(damaged)?;
        fleet.add(&live.next);
        learned.push(live.next);
    }
    learned.sort_by_key(|baseline| format!("{:?}", baseline.whose()));
    let in_force = learned.iter().cloned().chain([fleet.finish(None)]);
    let model =
        model.with_learned(in_force.map(Ok::<_, Failure>), tripline_runtime::hash_seed())?;
    let report = read(&config, &model, &Filter::default(), Purpose::ShowAll)?;
    Ok(Story { learned, approved, report })
}

fn read(
    config: &Config,
    model: &Model,
    filter: &Filter,
    purpose: Purpose,
) -> Result<BatchReport, Failure> {
    let mut batch = Batch::new(config, model, filter, purpose, tripline_runtime::hash_seed());
    for (name, stored) in embedded::LOGS {
        batch.read(&Arc::new(Untrusted::borrowed(name)), stored);
    }
    batch.finish(config).map_err(damaged)
}

fn damaged(error: impl Display) -> Failure {
    Failure::Usage {
        message: error.to_string(),
        hint: "this program was built from damaged sources",
    }
}

fn tell(out: &mut Output, story: &Story, pause: Option<Duration>) -> Result<(), Failure> {
    let Story { learned, approved, report } = story;
    let style = out.style();
    let rest = |out: &mut Output| -> Result<(), Failure> {
        out.flush()?;
        if let Some(pause) = pause {
            thread::sleep(pause);
        }
        Ok(())
    };
    writeln!(out, "{}", style.title("A fleet at work"))?;
    writeln!(out, "Six agents, one account, three hours of CloudTrail. Three share one role.")?;
    writeln!(out, "Each has a declared scope in baselines/<agent>/scope.toml.")?;
    writeln!(out)?;
    writeln!(out, "  {:<22} {:>8} {:>8}  LAST SEEN", "AGENT", "SESSIONS", "CALLS")?;
    for (agent, (sessions, calls, last)) in fleet(report) {
        writeln!(out, "  {:<22} {sessions:>8} {calls:>8}  {last}", cut(&agent, 22))?;
        rest(out)?;
    }
    writeln!(out)?;
    writeln!(out, "{}", style.title("What is normal, learned from the first two hours"))?;
    for baseline in learned {
        let Whose::Agent { agent, .. } = baseline.whose() else { continue };
        let mut values = 0;
        baseline.each_key(|_, _, _| values += 1);
        let maturity = baseline.maturity();
        writeln!(out, "  {:<22} {values:>4} values; {maturity}", cut(agent, 22))?;
        rest(out)?;
    }
    writeln!(out, "Of these a person had to approve {}: they can do harm.", approved.len())?;
    for (agent, value) in approved {
        writeln!(out, "  {:<22} {value}", cut(agent, 22))?;
    }
    writeln!(out)?;
    for incident in &report.incidents {
        hijack(out, report, incident, &rest)?;
    }
    writeln!(out, "{}", style.title("What was read"))?;
    table::write_tally(out, &report.tally)?;
    table::write_coverage(out, &report.coverage, style)?;
    writeln!(out)?;
    writeln!(
        out,
        "On your own logs: tripline sessions LOGS, tripline learn --out baselines LOGS, then"
    )?;
    writeln!(out, "tripline score --baselines baselines LOGS")?;
    Ok(out.flush()?)
}

/// Sessions, calls and last call of each agent.
fn fleet(report: &BatchReport) -> BTreeMap<Untrusted<'static>, (usize, u64, String)> {
    let mut fleet: BTreeMap<Untrusted<'static>, (usize, u64, String)> = BTreeMap::new();
    for session in report.sessions.iter() {
        if let Some(agent) = session.agent().filter(|_| session.records > 0) {
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
        let mut scored = scored.clone();
        // Of what was learned, what weighs little is left out, as `score` does.
        scored.assessment.reasons.retain(|reason| reason.verdict > Verdict::Normal);
        let scored = &scored;
        table::write_scored(out, scored, style)?;
        let mut more = 0;
        while calls.next_if(|next| is_more_of(scored, next)).is_some() {
            more += 1;
        }
        if more > 0 {
            writeln!(out, "{:REASON_COLUMN$}… and {more} more like it", "")?;
        }
        rest(out)?;
    }
    writeln!(out)?;
    table::write_incident(out, incident, style)?;
    rest(out)?;
    writeln!(out)?;
    writeln!(out, "{}", style.title("Who could do what, with these policies in place"))?;
    for (agent, (denied, going_on)) in afterwards(report, incident) {
        let agent =
            agent.as_ref().map_or_else(|| "nobody's agent".to_owned(), |agent| cut(agent, 22));
        writeln!(out, "  {agent:<22} {denied} sessions denied everything, {going_on} go on")?;
    }
    rest(out)?;
    writeln!(out)?;
    writeln!(out, "{}", style.title("The chat message, as it would be posted"))?;
    let outcome = Outcome::of_plan(&incident.plan);
    writeln!(out, "{}", Message::of(incident, &outcome).to_text())?;
    writeln!(out)?;
    rest(out)
}

/// By agent, how many of the sessions that were alive on the roles of a plan its documents deny, and
/// how many they let go on: the documents themselves are asked.
fn afterwards(
    report: &BatchReport,
    incident: &Incident,
) -> BTreeMap<Option<Untrusted<'static>>, (usize, usize)> {
    let mut found: BTreeMap<Option<Untrusted<'static>>, (usize, usize)> = BTreeMap::new();
    let Ok(plan) = &incident.plan else { return found };
    for session in report.sessions.iter() {
        let role = session.role.as_ref().and_then(|role| Arn::parse(role.as_unescaped()).ok());
        let (Some(role), Some(principal)) = (role, &session.principal) else { continue };
        let is_over = session.ends_by.is_some_and(|ends| ends < incident.opened);
        let on_role = |step: &&Step| {
            step.kind == StepKind::Deny
                && role.role_name().is_some_and(|name| name.as_str() == step.place.subject().name())
        };
        let mut steps = plan.steps.iter().filter(on_role).peekable();
        if is_over || session.first > incident.last || steps.peek().is_none() {
            continue;
        }
        let minted = session.minted.unwrap_or(session.first).to_string();
        let request = Request::new("s3:GetObject", "arn:aws:s3:::any/object")
            .with("aws:userid", principal.as_unescaped())
            .with("aws:TokenIssueTime", &minted);
        let is_denied = steps
            .flat_map(|step| &step.denials)
            .any(|denial| statement_denies(denial.text(), &request).unwrap_or(false));
        let agent = session.agent().map(|agent| agent.id.untrusted().into_owned());
        let row = found.entry(agent).or_default();
        if is_denied { row.0 += 1 } else { row.1 += 1 }
    }
    found
}

/// Whether a call is the same thing again, on another object.
fn is_more_of(scored: &Scored, next: &Scored) -> bool {
    let details = |scored: &Scored| -> Vec<String> {
        let reasons = scored.assessment.reasons.iter();
        let shown = reasons.filter(|reason| reason.verdict > Verdict::Normal);
        shown.map(|reason| reason.detail.clone()).collect()
    };
    scored.call.action == next.call.action && details(scored) == details(next)
}
