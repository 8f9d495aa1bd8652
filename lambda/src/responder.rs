//! The responder: told which lineage to look at, it looks for itself, and does what mode and brakes
//! allow.

use aws_config::SdkConfig;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use tripline_aws::{DynamoState, DynamoStore, IamResponder, channels};
use tripline_chat::Message as Told;
use tripline_engine::{Anchor, LiveIncident, Mode};
use tripline_runtime::{
    Ask, Channel, Journal, Live, Message, Outbox, Patience, Pulled, Switch, SystemClock, Ticked,
    hash_seed, messages,
};

use crate::log::{count, now, say};
use crate::settings::Settings;

/// What handles messages of the detector, and the clock's.
#[derive(Debug)]
pub(crate) struct Answerer<'s> {
    settings: &'s Settings,
    aws: SdkConfig,
    state: DynamoState,
    hands: IamResponder,
    /// What was told, and what is to be: out of the detector's reach.
    remembered: DynamoState,
    channels: Vec<Box<dyn Channel>>,
}

/// A message of the detector.
#[derive(Debug, Deserialize)]
struct Decided {
    version: u32,
    root: Anchor,
}

/// The version of the messages that this program reads.
const VERSION: u32 = 1;

impl<'s> Answerer<'s> {
    pub(crate) async fn new(aws: &SdkConfig, settings: &'s Settings) -> Result<Self, Error> {
        let role = settings.config.containment.responder_role.clone();
        let hands = IamResponder::new(aws, role).await.map_err(|failure| failure.to_string())?;
        let state = DynamoState::new(aws, settings.table.clone());
        let remembered = DynamoState::of_responder(aws, settings.table.clone());
        let (channels, unusable) = channels(aws, &settings.config.channels).await;
        // Nothing that is wrong with a channel keeps anybody from being contained.
        for error in unusable {
            say(&json!({"level": "error", "message": error.to_string()}));
        }
        Ok(Self { settings, aws: aws.clone(), state, hands, remembered, channels })
    }

    /// Handles an event. Of a batch, only the messages that failed come again.
    pub(crate) async fn handle(&self, event: &Value) -> Result<Value, Error> {
        let (mut failures, mut ticked) = (Vec::new(), Ticked::default());
        for message in messages(event) {
            if let Err(error) = self.take(&message, &mut ticked).await {
                say(&json!({"level": "error", "message": error.to_string(), "id": message.id}));
                match &message.id {
                    Some(id) => failures.push(json!({"itemIdentifier": id})),
                    None => return Err(error),
                }
            }
        }
        let Ticked { open, proven } = ticked;
        Ok(json!({"batchItemFailures": failures, "open": open, "proven": proven}))
    }

    async fn take(&self, message: &Message, ticked: &mut Ticked) -> Result<(), Error> {
        for ask in message.asks.as_ref().map_err(|unknown| unknown.to_string())? {
            match ask {
                Ask::Decided(decided) => {
                    let decided: Decided = serde_json::from_value(decided.clone())?;
                    if decided.version != VERSION {
                        return Err("the detector is of another version".into());
                    }
                    self.answer(&decided.root).await?;
                }
                Ask::Tick => *ticked = self.tick().await?,
                Ask::Object(_) | Ask::Records(_) => return Err("is the detector's".into()),
            }
        }
        Ok(())
    }

    async fn answer(&self, root: &Anchor) -> Result<(), Error> {
        let live = self.live();
        let Some(incident) = live.incident(root, now()).await? else {
            say(&json!({"level": "warn", "message": "the state leads to no incident there"}));
            return Ok(());
        };
        let incident = self.confirmed(&live, &incident).await?.unwrap_or(incident);
        self.pull(&incident).await
    }

    fn live(&self) -> Live<'_, DynamoState> {
        Live::new(&self.settings.config, &self.settings.model, &self.state, hash_seed())
    }

    /// The incident as it stands when CloudTrail was asked about it, if that told anything.
    async fn confirmed(
        &self,
        live: &Live<'_, DynamoState>,
        incident: &LiveIncident,
    ) -> Result<Option<LiveIncident>, Error> {
        if matches!(self.settings.mode, Mode::Observe | Mode::Recommend) {
            return Ok(None);
        }
        let (told, silent) = live.confirm(incident, &self.hands, now()).await?;
        for why in silent {
            say(&json!({"level": "warn", "message": format!("a record is not confirmed: {why}")}));
        }
        Ok(told)
    }

    async fn pull(&self, incident: &LiveIncident) -> Result<(), Error> {
        let journal = self.journal().await?;
        let pulled = self.switch(&journal).pull(incident).await?;
        let counted = match &pulled {
            Pulled::Contained(_) => "Contained",
            Pulled::WouldHave(_) => "WouldHave",
            Pulled::Ask(_) => "Asked",
            Pulled::Held(..) => "Held",
            Pulled::Unconfirmed(_) => "Unconfirmed",
            Pulled::GivenBack => "GivenBack",
            Pulled::Refused(_) => "Refused",
        };
        let id = incident.incident.target.incident.to_string();
        let message = Told::of(&incident.incident, &pulled.outcome(now()));
        say(&json!({"level": "info", "message": message.done_text(), "incident": id}));
        count("responder", &[(counted, 1)]);
        // Containment is done by now, and what is told is kept: a channel that is down delays nothing.
        self.outbox().put(&message).await?;
        self.tell().await
    }

    fn outbox(&self) -> Outbox<'_, DynamoState, SystemClock> {
        Outbox::new(&self.remembered, &self.channels, &SystemClock)
    }

    /// Posts what is to be posted; what fails is left to the next tick.
    async fn tell(&self) -> Result<(), Error> {
        let drained = self.outbox().drain().await?;
        for (channel, error) in &drained.failed {
            let message = format!("channel {channel}: {error}");
            say(&json!({"level": "error", "message": message}));
        }
        count(
            "responder",
            &[
                ("MessagesPosted", drained.posted),
                ("MessagesDue", drained.due),
                ("MessagesFailed", drained.failed.len() as u64),
            ],
        );
        Ok(())
    }

    async fn tick(&self) -> Result<Ticked, Error> {
        let journal = self.journal().await?;
        let ticked = self.switch(&journal).tick(&self.state).await?;
        let live = self.live();
        for incident in live.pending(now()).await? {
            let id = incident.incident.target.incident;
            if journal.look(|ledger| ledger.case(id).is_some()).await {
                continue;
            }
            let incident = self.confirmed(&live, &incident).await?.unwrap_or(incident);
            if incident.is_confirmed {
                self.pull(&incident).await?;
            }
        }
        let Ticked { open, proven } = ticked;
        count("responder", &[("OpenIncidents", open), ("ProvenIncidents", proven)]);
        self.outbox().follow(&journal.ledger().await).await?;
        self.tell().await?;
        Ok(ticked)
    }

    async fn journal(&self) -> Result<Journal<DynamoStore>, Error> {
        let store = DynamoStore::new(&self.aws, self.settings.table.clone());
        let actor = self.hands.identity().untrusted().into_owned();
        Ok(Journal::open(store, actor).await?)
    }

    fn switch<'j>(
        &'j self,
        journal: &'j Journal<DynamoStore>,
    ) -> Switch<'j, IamResponder, DynamoStore, SystemClock> {
        Switch {
            responder: &self.hands,
            journal,
            clock: &SystemClock,
            mode: self.settings.mode,
            brakes: &self.settings.config.brakes,
            patience: Patience::default(),
        }
    }
}
