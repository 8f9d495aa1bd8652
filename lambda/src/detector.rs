//! The detector: whatever AWS sends about new records, to findings in the log and lineages for the
//! responder to look at.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::SdkConfig;
use lambda_runtime::Error;
use serde_json::{Value, json};
use tracing::error;
use tripline_aws::{DynamoState, Entrance, Queue, Rejected};
use tripline_cloudtrail::{Problem, Tally};
use tripline_engine::{ModelId, Provenance, Pulse};
use tripline_report::ndjson;
use tripline_runtime::{
    DECIDED, Delivered, Live, Message, Page, expectations, hash_seed, messages,
};

use crate::log::{count, harmless, now, say_lines};
use crate::settings::{Settings, Shelves};

/// What handles events.
#[derive(Debug)]
pub(crate) struct Detector<'s> {
    shelves: Shelves<'s>,
    entrance: Entrance,
    state: DynamoState,
    /// What people expect of agents; for reading only.
    expected: DynamoState,
    plans: Option<Queue>,
    dead_letters: Option<Queue>,
}

/// What was done in one invocation.
#[derive(Debug, Default)]
struct Done {
    tally: Tally,
    passed_over: u64,
    findings: u64,
    incidents: u64,
    poison: u64,
    failed: Vec<String>,
}

impl<'s> Detector<'s> {
    pub(crate) async fn new(aws: &SdkConfig, settings: &'s Settings) -> Result<Self, Error> {
        let queue = |url: &Option<String>| url.clone().map(|url| Queue::new(aws, url));
        Ok(Self {
            shelves: Shelves::open(&settings.home, aws).await?,
            entrance: Entrance::new(aws, settings.buckets.clone(), settings.accounts.clone()),
            state: DynamoState::new(aws, settings.table.clone()),
            expected: DynamoState::of_responder(aws, settings.table.clone()),
            plans: queue(&settings.plans),
            dead_letters: queue(&settings.dead_letters),
        })
    }

    /// Handles an event. Of a batch, only the messages that failed come again.
    pub(crate) async fn handle(&self, event: &Value) -> Result<Value, Error> {
        let mut done = Done::default();
        // Taken in together: a queue of single calls would else be looked at call by call.
        let (mut taken, mut pages, mut pulses) = (Vec::new(), Vec::new(), Vec::new());
        for (nth, message) in messages(event).into_iter().enumerate() {
            match self.pages(&message, nth).await {
                Ok(mut more) => {
                    let asks = message.asks.iter().flatten();
                    pulses.extend(self.entrance.pulses(&asks.cloned().collect::<Vec<_>>(), now()));
                    let files = more.iter().map(|(page, _)| Arc::clone(&page.file));
                    taken.push((message, files.collect::<Vec<_>>()));
                    pages.append(&mut more);
                }
                Err(failed) => self.note(&message, failed, &mut done).await?,
            }
        }
        match self.take(&pages, &pulses, &mut done).await {
            Ok(problems) => {
                for (message, files) in taken {
                    let unread = problems.iter().find(|one| files.contains(&one.origin.file));
                    // What could not be read of a file is kept, beside what could.
                    if let Some(problem) = unread {
                        let poison = Rejected::Poison(problem.to_string());
                        self.note(&message, poison, &mut done).await?;
                    }
                }
            }
            Err(failed) => {
                for (message, _) in taken {
                    self.note(&message, Rejected::Passing(failed.to_string()), &mut done).await?;
                }
            }
        }
        let records = done.tally.records;
        count(
            "detector",
            &[
                ("RecordsSeen", records.seen),
                ("RecordsRead", records.read),
                ("RecordsSkipped", records.skipped),
                ("RecordsFailed", records.failed),
                ("RecordsDuplicate", records.duplicate),
                ("RecordsPassedOver", done.passed_over),
                ("Findings", done.findings),
                ("Incidents", done.incidents),
                ("PoisonMessages", done.poison),
                ("FailedMessages", done.failed.len() as u64),
            ],
        );
        let failures: Vec<Value> =
            done.failed.iter().map(|id| json!({"itemIdentifier": id})).collect();
        Ok(json!({
            "batchItemFailures": failures,
            "seen": records.seen, "read": records.read, "skipped": records.skipped,
            "failed": records.failed, "duplicate": records.duplicate,
            "findings": done.findings, "incidents": done.incidents, "poison": done.poison,
        }))
    }

    async fn pages(
        &self,
        message: &Message,
        nth: usize,
    ) -> Result<Vec<(Page, Provenance)>, Rejected> {
        let asks =
            message.asks.as_ref().map_err(|unknown| Rejected::Poison(unknown.to_string()))?;
        let name = message.id.clone().unwrap_or_else(|| nth.to_string());
        self.entrance.pages(asks, &format!("message {name}")).await
    }

    /// Takes pages in, and tells what there is to tell. What could not be read of them comes back.
    async fn take(
        &self,
        pages: &[(Page, Provenance)],
        pulses: &[Pulse],
        done: &mut Done,
    ) -> Result<Vec<Problem>, Rejected> {
        let in_force = self.shelves.in_force().await;
        let live = Live::new(in_force.models(), &self.state, hash_seed());
        if !pulses.is_empty() {
            live.hear(pulses, now()).await.map_err(passing)?;
        }
        if pages.is_empty() {
            return Ok(Vec::new());
        }
        let live = live.expecting(expectations(&self.expected).await.map_err(passing)?);
        let delivered = live.take_in(pages, now()).await.map_err(passing)?;
        self.shelves.say_news();
        self.tell(&delivered, live.model_id()).await?;
        live.told(&delivered).await.map_err(passing)?;
        done.passed_over += delivered.passed_over;
        done.findings += delivered.findings.len() as u64;
        done.incidents += delivered.incidents.len() as u64;
        let problems = delivered.tally.problems.clone();
        done.tally.add(delivered.tally);
        Ok(problems)
    }

    async fn tell(&self, delivered: &Delivered, model: ModelId) -> Result<(), Rejected> {
        let mut lines = Vec::new();
        for finding in &delivered.findings {
            // INVARIANT: writing to a vector does not fail.
            let _ = ndjson::write_scored(&mut lines, finding, model);
        }
        say_lines(&lines);
        let Some(plans) = &self.plans else { return Ok(()) };
        let roots: BTreeSet<_> =
            delivered.incidents.iter().map(|incident| &incident.root).collect();
        for root in roots {
            // The responder looks for itself; all it is told is where.
            let message = json!({DECIDED: {"version": 1, "root": root}});
            plans.send(message.to_string()).await.map_err(passing)?;
        }
        Ok(())
    }

    /// A message that failed comes again; one that always would is put aside, with the reason.
    async fn note(
        &self,
        message: &Message,
        failed: Rejected,
        done: &mut Done,
    ) -> Result<(), Error> {
        let (id, failed_text) = (message.id.as_deref().map(harmless), harmless(&failed));
        error!(id, "{failed_text}");
        if let (Rejected::Poison(why), Some(dead_letters)) = (&failed, &self.dead_letters) {
            dead_letters.send_with_reason(message.body.clone(), why).await?;
            done.poison += 1;
            return Ok(());
        }
        match &message.id {
            Some(id) => {
                done.failed.push(id.clone());
                Ok(())
            }
            // Without a queue the whole event comes again.
            None => Err(failed.into()),
        }
    }
}

fn passing(error: impl ToString) -> Rejected {
    Rejected::Passing(error.to_string())
}
