//! `tripline watch`: the live pipeline as a program that goes on and on.

use std::collections::BTreeMap;
#[cfg(feature = "aws")]
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tripline_chat::Message;
use tripline_cloudtrail::Tally;
use tripline_engine::{Config, LiveIncident, Mode, Model, Provenance};
use tripline_report::{ndjson, table};
use tripline_runtime::{
    Delivered, EmbeddedState, EmbeddedStore, Journal, Live, LocalFile, Page, Patience, Switch,
    SystemClock, files, hash_seed, settings,
};
#[cfg(feature = "aws")]
use tripline_text::Untrusted;
use tripline_text::escape;

use crate::args::{Format, WatchArgs};
use crate::exit::{Ended, Failure};
use crate::input::{config_file, now};
use crate::output::{Output, problems};
use crate::switch::{self, Hands};

pub(crate) fn run(arguments: &WatchArgs) -> Result<Ended, Failure> {
    let config = config_file(arguments.config.as_deref());
    let (config, model) = settings(config.as_deref(), arguments.baselines.as_deref())?;
    for path in &arguments.paths {
        if !path.exists() {
            return Err(Failure::Usage {
                message: format!("`{}` is not there", path.display()),
                hint: "name the directories that logs are delivered to",
            });
        }
    }
    let directory = switch::state_dir(arguments.state.as_deref())?;
    let state = EmbeddedState::open(&directory)?;
    switch::runtime()?.block_on(async {
        let watcher = Watcher::new(arguments, &config, &model, &state).await?;
        watcher.watch().await
    })
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
    hands: Option<(Hands, Journal<EmbeddedStore>)>,
    #[cfg(feature = "aws")]
    slack: Option<tripline_runtime::Webhook>,
    #[cfg(feature = "aws")]
    queue: Option<(tripline_aws::Queue, tripline_aws::Entrance)>,
    /// Files that were taken in, and how long they were then.
    taken: BTreeMap<PathBuf, u64>,
    out: Output,
    tally: Tally,
    passed_over: u64,
    unread: bool,
    unproven: bool,
}

impl<'a> Watcher<'a> {
    async fn new(
        arguments: &'a WatchArgs,
        config: &'a Config,
        model: &'a Model,
        state: &'a EmbeddedState,
    ) -> Result<Self, Failure> {
        let mode = Mode::from(arguments.mode);
        let hands = match mode {
            Mode::Observe | Mode::Recommend => None,
            Mode::Approve | Mode::Enforce => {
                let journal = switch::journal(arguments.state.as_deref()).await?;
                Some((switch::hands(config).await?, journal))
            }
        };
        #[cfg(not(feature = "aws"))]
        if arguments.queue.is_some() || arguments.slack_webhook_env.is_some() {
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
            live: Live::new(config, model, state, hash_seed()),
            mode,
            hands,
            #[cfg(feature = "aws")]
            slack: slack(arguments)?,
            #[cfg(feature = "aws")]
            queue: queue(arguments).await,
            taken: BTreeMap::new(),
            out: Output::new(arguments.color),
            tally: Tally::default(),
            passed_over: 0,
            unread: false,
            unproven: false,
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
            if ticked.is_none_or(|at| at.elapsed() >= TICK) {
                ticked = Some(Instant::now());
                self.tick().await?;
            }
            if self.arguments.once {
                break;
            }
            // What was begun is brought to its end: only the waiting is cut short.
            let announced = tokio::select! {
                () = &mut stop => break,
                announced = self.wait() => announced?,
            };
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
        if self.arguments.paths.is_empty() {
            return Ok(());
        }
        let (found, unlisted) = files(&self.arguments.paths);
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
            self.taken.insert(file.path, file.bytes);
        }
        Ok(())
    }

    async fn take(&mut self, pages: Vec<(Page, Provenance)>) -> Result<(), Failure> {
        let delivered = self.live.take_in(&pages, now()).await?;
        problems(&delivered.tally)?;
        self.unread |= delivered.tally.has_problems();
        self.tell(&delivered)?;
        for incident in &delivered.incidents {
            self.answer(incident).await?;
        }
        self.live.told(&delivered).await?;
        self.passed_over += delivered.passed_over;
        self.tally.add(delivered.tally);
        Ok(())
    }

    fn tell(&mut self, delivered: &Delivered) -> Result<(), Failure> {
        let style = self.out.style();
        for finding in &delivered.findings {
            match self.arguments.format {
                Format::Table => table::write_scored(&mut self.out, finding, style)?,
                Format::Ndjson => ndjson::write_scored(&mut self.out, finding, self.model.id())?,
            }
        }
        Ok(self.out.flush()?)
    }

    /// Does about an incident what the mode allows, and says so.
    async fn answer(&mut self, incident: &LiveIncident) -> Result<(), Failure> {
        let pulled = match self.switch() {
            Some(switch) => Some(switch.pull(incident).await?),
            None => None,
        };
        let message = Message::of(&incident.incident);
        let message = match &pulled {
            Some(pulled) => message.with_outcome(pulled.done(), pulled.next()),
            None => message,
        };
        self.unproven |= pulled.as_ref().is_some_and(|pulled| pulled.is_incomplete(now()));
        if self.arguments.format == Format::Table {
            let style = self.out.style();
            writeln!(self.out)?;
            table::write_incident(&mut self.out, &incident.incident, style)?;
            if let Some(pulled) = &pulled {
                writeln!(self.out, "{}; next: {}", pulled.done(), pulled.next())?;
            }
            writeln!(self.out)?;
            self.out.flush()?;
        }
        #[cfg(feature = "aws")]
        if let Some(slack) = &self.slack {
            let news = pulled.as_ref().map_or_else(String::new, tripline_runtime::Pulled::done);
            let (about, message) = ((incident, &*news), message.to_slack());
            let posted = self.live.post(slack, &SystemClock, about, &message, now()).await;
            if let Err(error) = posted {
                // What was done is done and on record; the chat is not worth stopping for.
                writeln!(std::io::stderr(), "{error}")?;
                self.unproven = true;
            }
        }
        #[cfg(not(feature = "aws"))]
        drop(message);
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), Failure> {
        self.state.forget(now())?;
        if let Some(switch) = self.switch() {
            switch.tick(self.state).await?;
        }
        Ok(())
    }

    fn switch(&self) -> Option<Switch<'_, Hands, EmbeddedStore, SystemClock>> {
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
            let pages = match (tripline_runtime::asks_of(&message.body), &self.queue) {
                (Ok(asks), Some((_, entrance))) => {
                    entrance.pages(&asks, "a message").await.map_err(|error| error.to_string())
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
                    let error = Untrusted::new(error);
                    let error = escape::terminal(&error);
                    writeln!(std::io::stderr(), "a message was left in the queue: {error}")?;
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

#[cfg(feature = "aws")]
fn slack(arguments: &WatchArgs) -> Result<Option<tripline_runtime::Webhook>, Failure> {
    let Some(name) = &arguments.slack_webhook_env else { return Ok(None) };
    let unusable = |message: String| Failure::Usage {
        message,
        hint: "set the variable to the URL that Slack gave: https://hooks.slack.com/services/…",
    };
    let url = env::var(name).map_err(|_| unusable(format!("`{name}` is not set")))?;
    let webhook = tripline_runtime::Webhook::new(&url);
    webhook.map(Some).map_err(|error| unusable(format!("`{name}` cannot be used: {error}")))
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

/// Until somebody wants it to end.
async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // Without signals there is nothing to wait for but the end.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
