//! `tripline watch`: the live pipeline as a program that goes on and on.

mod histories;
mod pending;
mod poster;
mod press;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tripline_chat::{Message, Outcome, Stage};
use tripline_cloudtrail::Tally;
use tripline_containment::IncidentId;
use tripline_engine::doctor::{calibrations, heartbeats};
use tripline_engine::{Anchor, Config, LiveIncident, Mode, Model, Provenance, Pulse};
use tripline_report::{ndjson, table};
use tripline_runtime::{
    Channel, Delivered, EmbeddedState, Journal, Live, LocalFile, Models, Page, Patience, Pulled,
    Switch, SystemClock, beats, files, fired, hash_seed, settings, to_be_told,
};
use tripline_text::escape;

use crate::args::{Format, WatchArgs};
use crate::exit::{Ended, Failure};
use crate::input::{config_file, now};
use crate::logbook::{self, LogPlace, Logbook};
use crate::output::{Output, problems};
use crate::switch::{self, Hands};

pub(crate) fn run(arguments: &WatchArgs) -> Result<Ended, Failure> {
    let config = config_file(arguments.config.as_deref());
    let (config, model) = settings(config.as_deref(), arguments.baselines.as_deref())?;
    let is_history = |path: &&PathBuf| path.to_string_lossy().starts_with("lookup-events://");
    let (histories, directories): (Vec<_>, Vec<_>) =
        arguments.paths.iter().cloned().partition(|path| is_history(&path));
    for path in &directories {
        if !path.exists() {
            return Err(Failure::Usage {
                message: format!("`{}` is not there", path.display()),
                hint: "name directories that logs are delivered to, or lookup-events://REGION",
            });
        }
    }
    let directory = place(arguments)?.directory()?;
    let state = EmbeddedState::open(&directory)?;
    switch::runtime()?.block_on(async {
        let channels = channels(arguments, &config).await?;
        let ears = press::ears(arguments, &config).await?;
        let poster = poster::Poster::new(&state, &channels, ears.ways());
        let mut watcher = Watcher::new(arguments, &config, &model, &state, &poster, &ears).await?;
        watcher.directories = directories;
        watcher.histories = histories::open(arguments, &histories, &state).await?;
        poster.beside(watcher.watch()).await
    })
}

/// Where what is known is, and the action log beside it.
fn place(arguments: &WatchArgs) -> Result<LogPlace, Failure> {
    LogPlace::meant(arguments.state.clone().map(LogPlace::Directory).as_ref())
}

/// How often the clock is looked at: what has had its time, and what was stripped meanwhile.
const TICK: Duration = Duration::from_secs(60);

struct Watcher<'a> {
    arguments: &'a WatchArgs,
    model: &'a Model,
    config: &'a Config,
    state: &'a EmbeddedState,
    live: Live<'a, EmbeddedState>,
    mode: Mode,
    /// What the switch needs, unless the mode writes nothing.
    hands: Option<(Hands, Journal<Logbook>)>,
    poster: &'a poster::Poster<'a>,
    ears: &'a press::Ears,
    #[cfg(feature = "aws")]
    queue: Option<(tripline_aws::Queue, tripline_aws::Entrance)>,
    directories: Vec<PathBuf>,
    histories: histories::Histories,
    /// Files that were taken in, and how long they were then.
    taken: BTreeMap<PathBuf, u64>,
    /// Lineages that were answered once CloudTrail told of them.
    confirmed_since: BTreeSet<Anchor>,
    out: Output,
    tally: Tally,
    passed_over: u64,
    unread: bool,
    unproven: bool,
    /// Whether the directories were looked through before: what is new then has just arrived.
    has_looked: bool,
    /// What was said last of itself, by its message's name.
    said: BTreeMap<IncidentId, Message>,
}

impl<'a> Watcher<'a> {
    async fn new(
        arguments: &'a WatchArgs,
        config: &'a Config,
        model: &'a Model,
        state: &'a EmbeddedState,
        poster: &'a poster::Poster<'a>,
        ears: &'a press::Ears,
    ) -> Result<Self, Failure> {
        let mode = Mode::from(arguments.mode);
        let hands = match mode {
            Mode::Observe | Mode::Recommend => None,
            Mode::Approve | Mode::Enforce => {
                let journal = logbook::journal(Some(&place(arguments)?)).await?;
                Some((switch::hands(config).await?, journal))
            }
        };
        #[cfg(not(feature = "aws"))]
        let needs_http = arguments.slack_webhook_env.is_some() || !config.channels.is_empty();
        #[cfg(not(feature = "aws"))]
        if arguments.queue.is_some() || needs_http {
            return Err(Failure::Usage {
                message: "this program was built without AWS and chat".to_owned(),
                hint: "build it with its default features: cargo build --release --bin tripline",
            });
        }
        Ok(Self {
            arguments,
            model,
            config,
            state,
            live: Live::new(Models::Whole(config, model), state, hash_seed()),
            mode,
            hands,
            poster,
            ears,
            #[cfg(feature = "aws")]
            queue: queue(arguments).await,
            directories: Vec::new(),
            histories: Default::default(),
            taken: BTreeMap::new(),
            confirmed_since: BTreeSet::new(),
            out: Output::new(arguments.color),
            tally: Tally::default(),
            passed_over: 0,
            unread: false,
            unproven: false,
            has_looked: false,
            said: BTreeMap::new(),
        })
    }

    async fn watch(mut self) -> Result<Ended, Failure> {
        if self.arguments.format == Format::Table {
            table::write_scored_head(&mut self.out)?;
            self.out.flush()?;
        }
        let mut stop = std::pin::pin!(stop());
        let mut ticked: Option<Instant> = None;
        loop {
            self.look_through().await?;
            self.look_up().await?;
            if ticked.is_none_or(|at| at.elapsed() >= TICK) {
                ticked = Some(Instant::now());
                self.tick().await?;
            }
            if self.arguments.once {
                break;
            }
            // What was begun is brought to its end: only the waiting is cut short.
            let Some(announced) = self.wait_and_hear(stop.as_mut()).await? else { break };
            self.take_announced(announced).await?;
        }
        let mut summary = self.out.for_summary(self.arguments.format, false);
        table::write_tally(&mut summary, &self.tally)?;
        if self.passed_over > 0 {
            let hours = tripline_engine::HORIZON_SECS / 3_600;
            writeln!(
                summary,
                "passed over: {} calls that no agent can have made, or older than {hours} hours",
                self.passed_over
            )?;
        }
        summary.flush()?;
        Ok(Ended { unread: self.unread, findings: false, unproven: self.unproven })
    }

    /// Takes in what is new in the directories, or longer than it was.
    async fn look_through(&mut self) -> Result<(), Failure> {
        if self.directories.is_empty() {
            return Ok(());
        }
        let (found, unlisted) = files(&self.directories);
        for directory in unlisted {
            self.unread = true;
            // Once: it is looked for again and again.
            if self.taken.insert(directory.path.clone(), 0).is_none() {
                complain(&directory.path, &directory.source)?;
            }
        }
        for file in found {
            if self.taken.get(&file.path) == Some(&file.bytes) {
                continue;
            }
            match file.page() {
                Ok(page) => self.take(vec![(page, Provenance::Trail)]).await?,
                Err(error) => {
                    self.unread = true;
                    complain(&file.path, &error)?;
                }
            }
            let digest =
                self.has_looked.then(|| Pulse::of_digest(&file.path.to_string_lossy(), now()));
            self.note_digests(digest.flatten().as_slice()).await?;
            self.taken.insert(file.path, file.bytes);
        }
        self.has_looked = true;
        Ok(())
    }

    async fn note_digests(&self, digests: &[Pulse]) -> Result<(), Failure> {
        if digests.is_empty() {
            return Ok(());
        }
        Ok(self.live.hear(digests, now()).await?)
    }

    /// Says which accounts' Regions fell silent or are late, and of which classes the calibration does not
    /// hold, when that turns.
    async fn look_at_itself(&mut self) -> Result<(), Failure> {
        let checks = heartbeats(&beats(self.state, self.config.heartbeat, now()).await?);
        // Of nobody nothing is known: neither that anything is wrong, nor that it is right again.
        if !checks.is_empty() {
            self.say(Message::of_heartbeat(&checks)).await?;
        }
        let message = match self.model.calibration() {
            Some(calibration) => {
                Message::of_calibration(&calibrations(&fired(self.state, calibration).await?))
            }
            None => Message::of_no_calibration(),
        };
        self.say(message).await
    }

    async fn say(&mut self, message: Message) -> Result<(), Failure> {
        self.poster.outbox().put_of_itself(&message).await?;
        let is_news = match self.said.get(&message.incident) {
            Some(said) => *said != message,
            None => message.stage.is_urgent(),
        };
        if is_news {
            writeln!(std::io::stderr(), "{}", message.to_text())?;
            self.said.insert(message.incident, message);
        }
        Ok(())
    }

    async fn take(&mut self, pages: Vec<(Page, Provenance)>) -> Result<(), Failure> {
        let delivered = self.live.take_in(&pages, now()).await?;
        problems(&delivered.tally)?;
        self.unread |= delivered.tally.has_problems();
        self.tell(&delivered)?;
        let mut looked_at = Vec::new();
        for incident in &delivered.incidents {
            looked_at.push(self.answer(incident).await?);
        }
        self.put(looked_at).await?;
        self.live.told(&delivered).await?;
        if !delivered.incidents.is_empty() {
            self.poster.ring();
        }
        self.passed_over += delivered.passed_over;
        self.tally.add(delivered.tally);
        self.hear_waiting().await?;
        // Whoever posts, or listens, is on the same thread.
        tokio::task::yield_now().await;
        Ok(())
    }

    fn tell(&mut self, delivered: &Delivered) -> Result<(), Failure> {
        let style = self.out.style();
        for finding in &delivered.findings {
            match self.arguments.format {
                Format::Table => table::write_scored(&mut self.out, finding, style)?,
                Format::Ndjson => {
                    ndjson::write_scored(&mut self.out, finding, self.live.model_id())?
                }
            }
        }
        Ok(self.out.flush()?)
    }

    /// Does about an incident what the mode allows, and says so here; what is to be told of it.
    async fn answer(
        &mut self,
        incident: &LiveIncident,
    ) -> Result<(Option<Pulled>, Message), Failure> {
        let confirmed = self.confirmed(incident).await?;
        let incident = confirmed.as_ref().unwrap_or(incident);
        let pulled = match self.switch() {
            Some(switch) => Some(switch.pull(incident).await?),
            None => None,
        };
        let outcome = match &pulled {
            Some(pulled) => pulled.outcome(now()),
            None => Outcome::of_plan(&incident.incident.plan),
        };
        let mut message = Message::of(&incident.incident, &outcome);
        if let (Some(pulled), Some(desk)) = (&pulled, self.desk()) {
            message = desk.ask(incident, pulled, message).await?;
        }
        self.unproven |= pulled.as_ref().is_some_and(|pulled| pulled.is_incomplete(now()));
        // Of an alert, its findings say all there is.
        if self.arguments.format == Format::Table && message.stage != Stage::Alert {
            let style = self.out.style();
            writeln!(self.out)?;
            table::write_incident(&mut self.out, &incident.incident, style)?;
            if pulled.is_some() {
                let (done, next) = (message.done_text(), message.next_text());
                writeln!(self.out, "done: {done}; next: {next}")?;
            }
            writeln!(self.out)?;
            self.out.flush()?;
        }
        Ok((pulled, message))
    }

    /// What was done is done and on record, and what is told is kept: it is posted once the rest of the
    /// delivery is taken in.
    async fn put(&self, looked_at: Vec<(Option<Pulled>, Message)>) -> Result<(), Failure> {
        for message in to_be_told(looked_at) {
            self.poster.outbox().put(&message).await?;
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), Failure> {
        self.state.forget(now())?;
        self.recall_expectations().await?;
        if let Some(switch) = self.switch() {
            // Whatever is wrong with it, what is contained is looked after.
            if let Some(desk) = self.desk()
                && let Err(error) = desk.tick().await
            {
                writeln!(std::io::stderr(), "what was pressed is not done yet: {error}")?;
            }
            switch.tick(self.state).await?;
            self.answer_pending().await?;
        }
        self.look_at_itself().await?;
        self.follow().await
    }

    /// Notes for people what the action log says became of incidents.
    async fn follow(&self) -> Result<(), Failure> {
        if let Some((_, journal)) = &self.hands {
            self.poster.outbox().follow(&journal.ledger().await).await?;
        }
        self.poster.ring();
        Ok(())
    }

    fn switch(&self) -> Option<Switch<'_, Hands, Logbook, SystemClock>> {
        let (hands, journal) = self.hands.as_ref()?;
        Some(Switch {
            responder: hands,
            journal,
            clock: &SystemClock,
            mode: self.mode,
            brakes: &self.config.brakes,
            patience: Patience::default(),
        })
    }

    /// Waits for the queue, or a while.
    #[cfg(feature = "aws")]
    async fn wait(&self) -> Result<Vec<tripline_aws::Received>, Failure> {
        if let Some((queue, _)) = &self.queue {
            match queue.receive().await {
                Ok(messages) => return Ok(messages),
                Err(error) => writeln!(std::io::stderr(), "{error}")?,
            }
        }
        tokio::time::sleep(Duration::from_secs(self.arguments.every)).await;
        Ok(Vec::new())
    }

    #[cfg(feature = "aws")]
    async fn take_announced(
        &mut self,
        announced: Vec<tripline_aws::Received>,
    ) -> Result<(), Failure> {
        for message in announced {
            let queue = self.queue.as_ref().map_or("", |(queue, _)| queue.name());
            let name = format!("queue {queue}, message {}", message.id);
            let pages = match (tripline_runtime::asks_of(&message.body), &self.queue) {
                (Ok(asks), Some((_, entrance))) => {
                    self.note_digests(&entrance.pulses(&asks, now())).await?;
                    entrance.pages(&asks, &name).await.map_err(|error| error.to_string())
                }
                (Err(unknown), _) => Err(unknown.to_string()),
                (Ok(_), None) => Ok(Vec::new()),
            };
            match pages {
                Ok(pages) if pages.is_empty() => {}
                Ok(pages) => self.take(pages).await?,
                // Left in the queue: its own dead-letter queue is for those.
                Err(error) => {
                    self.unread = true;
                    let error = tripline_text::Untrusted::new(error);
                    let error = escape::terminal(&error);
                    writeln!(std::io::stderr(), "left in the {name}: {error}")?;
                    continue;
                }
            }
            if let Some((queue, _)) = &self.queue
                && let Err(error) = queue.remove(&message).await
            {
                // It comes again, and changes nothing then.
                writeln!(std::io::stderr(), "{error}")?;
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "aws"))]
    async fn wait(&self) -> Result<(), Failure> {
        tokio::time::sleep(Duration::from_secs(self.arguments.every)).await;
        Ok(())
    }

    #[cfg(not(feature = "aws"))]
    async fn take_announced(&mut self, (): ()) -> Result<(), Failure> {
        Ok(())
    }
}

/// The channels of the configuration, and the one of the command line.
#[cfg(feature = "aws")]
async fn channels(
    arguments: &WatchArgs,
    config: &Config,
) -> Result<Vec<Box<dyn Channel>>, Failure> {
    let mut settings = config.channels.clone();
    settings.extend(arguments.slack_webhook_env.as_ref().map(|variable| {
        let url = tripline_engine::SecretRef::Environment(variable.clone());
        tripline_engine::Channel::slack_webhook("slack-webhook-env", url)
    }));
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let (channels, unusable) = tripline_aws::channels(&aws, &settings).await;
    match unusable.into_iter().next() {
        None => Ok(channels),
        Some(error) => Err(Failure::Usage {
            message: error.to_string(),
            hint: "the README tells how channels are set up, under \"Live\"",
        }),
    }
}

#[cfg(not(feature = "aws"))]
async fn channels(_: &WatchArgs, _: &Config) -> Result<Vec<Box<dyn Channel>>, Failure> {
    Ok(Vec::new())
}

#[cfg(feature = "aws")]
async fn queue(arguments: &WatchArgs) -> Option<(tripline_aws::Queue, tripline_aws::Entrance)> {
    let url = arguments.queue.clone()?;
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let buckets = arguments.bucket.iter().cloned().collect();
    let entrance = tripline_aws::Entrance::new(&aws, buckets, Default::default());
    Some((tripline_aws::Queue::new(&aws, url), entrance))
}

fn complain(path: &Path, error: &impl std::fmt::Display) -> Result<(), Failure> {
    let name = LocalFile::name_of(path);
    Ok(writeln!(std::io::stderr(), "cannot read `{}`: {error}", escape::terminal(&name))?)
}

/// Until somebody wants it to end: listened for from now on, and not only once it is waited for, so that
/// what is under way then is brought to its end.
#[cfg(unix)]
fn stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [terminated, interrupted] = signals;
        tokio::select! {
            () = heard(terminated) => {}
            () = heard(interrupted) => {}
        }
    }
}

/// Without signals there is nothing to wait for but the end.
#[cfg(unix)]
async fn heard(signal: std::io::Result<tokio::signal::unix::Signal>) {
    match signal {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Until somebody wants it to end.
#[cfg(not(unix))]
async fn stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
