//! `tripline kill` and `tripline fence`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::thread;

use tripline_attribution::{Agent, Session, SessionId};
use tripline_cloudtrail::{EventTime, Fate, Limits, Reader};
use tripline_containment::{
    Case, Event, Grounds, IncidentId, Plan, Proof, Refusal, RoleFacts, Target, Work, plan_fence,
    plan_kill,
};
use tripline_engine::{
    Asked, Authorized, Config, Damage, Decision, Evidence, Filter, Marks, Mode, Watch, authorize,
    role_users, target,
};
use tripline_history::Selection;
use tripline_iam::Arn;
use tripline_iam::policy::Quota;
use tripline_report::status;
use tripline_report::table::Style;
use tripline_runtime::{
    Cause, Clock, Executor, Journal, Listed, Patience, Source, SystemClock, describe, settings,
    work_of,
};
use tripline_text::{Untrusted, escape};

use crate::args::{ContainArgs, FenceArgs, InputArgs, KillArgs};
use crate::exit::{Ended, Failure};
use crate::input::{duration, now};
use crate::logbook::{self, Logbook};
use crate::output::{Output, problems};
use crate::progress::Bar;
use crate::sources;
use crate::switch::{self, Hands, now_unix_ms, said_yes};

/// What is to be done to the agent.
enum Wanted {
    Kill,
    Fence { work: Work, until: EventTime },
}

pub(crate) fn kill(arguments: &KillArgs) -> Result<Ended, Failure> {
    let chosen = choose(&arguments.contain)?;
    Run::new(&arguments.contain, chosen, Wanted::Kill).run()
}

pub(crate) fn fence(arguments: &FenceArgs) -> Result<Ended, Failure> {
    let lasts = duration(&arguments.lasts)?;
    let chosen = choose(&arguments.contain)?;
    let mut work = match &chosen.agent {
        Some(agent) => work_of(&arguments.baselines, agent)?,
        None => Work::default(),
    };
    work.data_events_logged = arguments.data_events_logged.iter().cloned().collect();
    let until = now().plus_secs(lasts);
    Run::new(&arguments.contain, chosen, Wanted::Fence { work, until }).run()
}

/// Whom it is about, as far as logs tell.
struct Chosen {
    target: Target,
    agent: Option<Agent>,
    config: Config,
    damage: Damage,
    unread: bool,
    /// The last call of the sessions: what started it, as far as a person's command tells.
    last: Option<EventTime>,
}

fn choose(arguments: &ContainArgs) -> Result<Chosen, Failure> {
    if let Some(role) = &arguments.role {
        return choose_role(arguments, role);
    }
    let input = &arguments.input;
    let prepared = input.prepare(None)?;
    let bar = Bar::new(input.quiet);
    let report = tripline_history::score(&prepared.job(), false, &bar, &mut |_| Ok(()))?;
    bar.finish();
    problems(&report.tally)?;
    let is_meant: Box<dyn Fn(&Session) -> bool> = match (&arguments.session, input.agent.as_slice())
    {
        (Some(id), _) => {
            let id = Untrusted::new(id.clone());
            Box::new(move |session| session.lineage.iter().any(|link| link.untrusted() == id))
        }
        (None, [name]) => {
            let name = Untrusted::new(name.clone());
            Box::new(move |session| {
                session.agent().is_some_and(|agent| agent.id.untrusted() == name)
            })
        }
        (None, _) => {
            return Err(Failure::Usage {
                message: "it is not said whom to contain".to_owned(),
                hint: "one --agent NAME, or --session ID, or --role ARN",
            });
        }
    };
    let mut meant: BTreeMap<SessionId, Session> = BTreeMap::new();
    for session in report.sessions.iter().filter(|session| is_meant(session)) {
        // What it minted belongs to it, whatever name it took there.
        for session in report.sessions.lineage_of(&session) {
            if arguments.session.is_none() || is_meant(&session) {
                meant.insert(session.id.clone(), session);
            }
        }
    }
    let mut meant: Vec<Session> = meant.into_values().collect();
    meant.sort_by(|a, b| (a.first, &a.id).cmp(&(b.first, &b.id)));
    if meant.is_empty() {
        return Err(Failure::Usage {
            message: "no session of that name is in these logs".to_owned(),
            hint: "`tripline sessions PATH...` lists who is",
        });
    }
    let users = role_users(&report.sessions, &meant);
    let last = meant.iter().map(|session| session.last).max();
    let damage = damage(prepared.sources(), &meant);
    let incident = incident_of(&meant);
    let mut target = target(incident, &meant, Some(&users), prepared.config(), now());
    keep_recent(&mut target);
    target.created = damage.created.iter().cloned().collect();
    target.contain_created = arguments.contain_created;
    let unread = report.tally.has_problems();
    let agent = meant.iter().find_map(Session::agent).cloned();
    Ok(Chosen { target, agent, config: prepared.config().clone(), damage, unread, last })
}

/// Sessions that are over say how the agent comes back; the newest of them are enough for that.
const OVER_KEPT_MAX: usize = 5;

fn keep_recent(target: &mut Target) {
    let now = target.now_unix_secs;
    let over = target.sessions.iter().filter(|session| !session.may_be_alive(now)).count();
    let mut skip = over.saturating_sub(OVER_KEPT_MAX);
    target.sessions.retain(|session| {
        let goes = skip > 0 && !session.may_be_alive(now);
        skip -= usize::from(goes);
        !goes
    });
    let kept: BTreeSet<&Arn> =
        target.sessions.iter().filter_map(|session| session.role.as_ref()).collect();
    target.roles.retain(|role| kept.contains(&role.arn));
}

/// Each kill by hand is an incident of its own.
fn incident_of(sessions: &[Session]) -> IncidentId {
    let first = sessions.first().map(|session| session.id.untrusted().into_owned());
    let name = first.unwrap_or_else(|| Untrusted::borrowed(""));
    tripline_engine::incident_id(&name, now_unix_ms())
}

fn choose_role(arguments: &ContainArgs, role: &str) -> Result<Chosen, Failure> {
    let arn = Arn::parse(role).ok().filter(|arn| {
        arn.role_name().is_some() && arn.account().is_some() && arn.service() == "iam"
    });
    let Some(arn) = arn else {
        return Err(Failure::Usage {
            message: format!("`{}` is not a role", escape::terminal(&Untrusted::borrowed(role))),
            hint: "for example arn:aws:iam::111122223333:role/agents/Runtime",
        });
    };
    let config = arguments.input.config_file();
    let (config, _) = settings(config.as_deref(), None)?;
    let name = Untrusted::new(role.to_owned());
    let incident = tripline_engine::incident_id(&name, now_unix_ms());
    let mut target = target(incident, &[], None, &config, now());
    target.roles = vec![RoleFacts { arn, other_users: None, whole: true, described: None }];
    Ok(Chosen { target, agent: None, config, damage: Damage::default(), unread: false, last: None })
}

/// What the sessions left behind. The logs are read a second time for it: only now it is known whose
/// calls matter.
fn damage(sources: &[Box<dyn Source>], sessions: &[Session]) -> Damage {
    let marks = Marks::of(sessions.iter().map(|session| session.id.untrusted()));
    let mut damage = Damage::default();
    let mut reader = Reader::new(Limits::default());
    let mut buffer = Vec::new();
    // What cannot be read was named the first time.
    let (logs, _) = Selection::all_of(sources);
    for logs in logs {
        let _ = logs.read(&mut reader, &mut buffer, |record| {
            damage.note(record, &marks);
            Fate::Read
        });
    }
    damage
}

/// One run of the switch.
struct Run<'a> {
    arguments: &'a ContainArgs,
    chosen: Chosen,
    wanted: Wanted,
    out: Output,
    style: Style,
}

impl<'a> Run<'a> {
    fn new(arguments: &'a ContainArgs, chosen: Chosen, wanted: Wanted) -> Self {
        let out = Output::new(arguments.input.color);
        let style = out.style();
        Self { arguments, chosen, wanted, out, style }
    }

    fn run(mut self) -> Result<Ended, Failure> {
        let runtime = switch::runtime()?;
        runtime.block_on(async {
            let hands = match switch::hands(&self.chosen.config).await {
                Ok(hands) => Some(hands),
                // A plan can be made from logs alone, if a weaker one.
                Err(Failure::Aws(failure)) if self.arguments.plan_only => {
                    let why = status::told(&failure);
                    writeln!(self.out, "IAM was not asked ({why}): planned from the logs alone")?;
                    None
                }
                Err(other) => return Err(other),
            };
            if let Some(hands) = &hands {
                self.chosen.target.protected.insert(hands.identity().clone());
                self.describe(hands).await?;
            }
            let plan = self.plan()?;
            self.show(&plan)?;
            match hands {
                Some(hands) if !self.arguments.plan_only => self.carry_out(&hands, &plan).await,
                _ => self.ended(false),
            }
        })
    }

    /// Asks IAM about every role of the target.
    async fn describe(&mut self, hands: &Hands) -> Result<(), Failure> {
        for (subject, failure) in describe(hands, &mut self.chosen.target).await {
            writeln!(self.out, "{subject} cannot be read: {}", status::told(&failure))?;
        }
        Ok(())
    }

    fn plan(&self) -> Result<Plan, Refusal> {
        let target = &self.chosen.target;
        let grounds = match target.sessions.is_empty() {
            true => Grounds::Operator,
            false => target.grounds(),
        };
        match &self.wanted {
            Wanted::Kill => plan_kill(target, grounds),
            Wanted::Fence { work, until } => plan_fence(target, grounds, work, until.unix_secs()),
        }
    }

    fn show(&mut self, plan: &Plan) -> Result<(), Failure> {
        if self.chosen.damage != Damage::default() {
            status::write_damage(&mut self.out, &self.chosen.damage, self.style)?;
        }
        let agent = plan.agent.as_ref().map_or_else(
            || "no agent by name".to_owned(),
            |agent| escape::terminal(agent).to_string(),
        );
        let title =
            format!("{} of {agent}, incident {}, as planned:", plan.response.word(), plan.incident);
        writeln!(self.out, "{}", self.style.title(&title))?;
        if let Wanted::Fence { work, .. } = &self.wanted
            && let Ok(reach) = work.reach(Quota::RoleInline.chars())
        {
            writeln!(
                self.out,
                "  denies {} of the {} sensitive actions outside the known work of {} actions",
                reach.sensitive_denied,
                reach.sensitive_outside,
                work.actions.len()
            )?;
        }
        let mut text = String::new();
        // INVARIANT: writing to a string cannot fail.
        let _ = plan.write_text(&mut text);
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    async fn carry_out(mut self, hands: &Hands, plan: &Plan) -> Result<Ended, Failure> {
        if plan.steps.is_empty() {
            writeln!(self.out, "nothing of it can be done")?;
            return self.ended(true);
        }
        let mode = Mode::from(self.arguments.switch.mode);
        let journal = logbook::journal(self.arguments.switch.log.state.as_ref()).await?;
        let asked = match mode {
            Mode::Enforce => {
                Asked::ByDetector(Evidence { is_rule: true, is_covered: true, class: None })
            }
            Mode::Approve => {
                let question = format!("Carry out these {} steps?", plan.steps.len());
                Asked::ByPerson { said_yes: said_yes(&question, self.arguments.switch.yes)? }
            }
            Mode::Observe | Mode::Recommend => Asked::ByPerson { said_yes: false },
        };
        let ledger = journal.ledger().await;
        let brakes = &self.chosen.config.brakes;
        match authorize(plan, mode, &asked, brakes, &ledger, now_unix_ms()) {
            Decision::Do(authorized) => {
                let executor = Executor::new(hands, &journal, &SystemClock, Patience::default());
                let case = executor.contain(&authorized, self.cause()).await?;
                self.finish(&executor, &journal, hands, &authorized, case).await
            }
            Decision::WouldHave => {
                writeln!(self.out, "nothing was changed: the mode is {}", mode_word(mode))?;
                self.ended(false)
            }
            Decision::Ask => {
                writeln!(self.out, "nothing was changed")?;
                self.ended(true)
            }
            Decision::Held(held) => {
                writeln!(self.out, "held by the brakes: {held}; --mode approve asks you instead")?;
                self.ended(true)
            }
        }
    }

    fn cause(&self) -> Cause {
        Cause {
            reason: self.arguments.reason.clone(),
            event_unix_ms: self.chosen.last.map(|time| time.unix_secs().saturating_mul(1_000)),
            seen_unix_ms: None,
            class: None,
        }
    }

    async fn finish(
        mut self,
        executor: &Executor<'_, Hands, Logbook, SystemClock>,
        journal: &Journal<Logbook>,
        hands: &Hands,
        authorized: &Authorized<'_>,
        mut case: Case,
    ) -> Result<Ended, Failure> {
        let incident = authorized.plan().incident;
        let mut is_proven = case.proof(now().unix_secs()) != Proof::Incomplete;
        if self.arguments.wait {
            let watch = Watch::new(authorized.plan(), hands.identity().clone());
            let mut logs = Logs::new(&self.arguments.input, case.times.decided);
            let at_most = self.arguments.wait_at_most.as_deref().map(duration).transpose()?;
            let until = at_most.map(|secs| now().plus_secs(secs));
            loop {
                logs.look(&watch, journal, incident).await?;
                executor.verify(Some(&authorized.permit()), incident).await?;
                let Some(found) = journal.look(|ledger| ledger.case(incident).cloned()).await
                else {
                    break;
                };
                case = found;
                let proof = case.proof(now().unix_secs());
                is_proven = matches!(proof, Proof::Effective | Proof::Lapsed);
                let is_late = until.is_some_and(|until| now() >= until);
                if is_proven || is_late || proof == Proof::Incomplete {
                    break;
                }
                SystemClock.sleep(WAIT_MS).await;
            }
        }
        status::write_case_in_full(&mut self.out, incident, &case, now().unix_secs(), self.style)?;
        writeln!(self.out, "to give it back: tripline restore {incident} --reason TEXT")?;
        self.ended(!is_proven)
    }

    fn ended(mut self, unproven: bool) -> Result<Ended, Failure> {
        self.out.flush()?;
        Ok(Ended { unread: self.chosen.unread, findings: false, unproven })
    }
}

/// Between two looks.
const WAIT_MS: u64 = 1_000;

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Recommend => "recommend: run it with --mode approve",
        Mode::Approve => "approve",
        Mode::Enforce => "enforce",
    }
}

/// Logs that go on growing: each file is read again when it changed.
struct Logs<'a> {
    input: &'a InputArgs,
    /// What was before is known.
    since_unix_ms: i64,
    read: BTreeMap<Arc<Untrusted<'static>>, Listed>,
    told: BTreeSet<u128>,
}

impl<'a> Logs<'a> {
    fn new(input: &'a InputArgs, since_unix_ms: i64) -> Self {
        Self { input, since_unix_ms, read: BTreeMap::new(), told: BTreeSet::new() }
    }

    async fn look(
        &mut self,
        watch: &Watch<'_>,
        journal: &Journal<Logbook>,
        incident: IncidentId,
    ) -> Result<(), Failure> {
        // On a thread of its own: what reads buckets waits for a runtime of its own.
        let read = thread::scope(|scope| scope.spawn(|| self.read(watch)).join());
        let events = read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        for event in events {
            let tells = journal
                .look(|ledger| ledger.case(incident).is_some_and(|case| case.learns_from(&event)));
            if tells.await {
                journal.append(Some(incident), now_unix_ms(), event).await?;
            }
        }
        Ok(())
    }

    /// What is told by files that are new, or changed.
    fn read(&mut self, watch: &Watch<'_>) -> Result<Vec<Event>, Failure> {
        let since = self.since_unix_ms.div_euclid(1_000);
        let filter = Filter { since: EventTime::from_unix_secs(since), ..Filter::default() };
        let sources = sources::of(self.input, &filter)?;
        let mut events: Vec<Event> = Vec::new();
        let (mut reader, mut buffer) = (Reader::new(Limits::default()), Vec::new());
        for source in &sources {
            let mut which = Vec::new();
            for (nth, file) in source.files().iter().enumerate() {
                let known = self.read.insert(Arc::clone(&file.file), file.clone());
                if known.as_ref() != Some(file) || file.bytes == 0 {
                    which.push(nth);
                }
            }
            let told = &mut self.told;
            let selection = Selection { source: &**source, which };
            let _ = selection.read(&mut reader, &mut buffer, |record| {
                if record.time().unix_secs() >= since
                    && let Some(event) = watch.look(record)
                    && told.insert(record.id().bits())
                {
                    events.push(event);
                }
                Fate::Read
            });
        }
        Ok(events)
    }
}
