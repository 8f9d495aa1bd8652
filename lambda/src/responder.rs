//! The responder: told which lineage to look at, it looks for itself, and does what mode and brakes
//! allow.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use tripline_aws::{DynamoState, DynamoStore, IamResponder, channels};
use tripline_chat::Message as Told;
use tripline_engine::{Anchor, Brakes, Channel as ChannelSetting, Config, LiveIncident, Mode};
use tripline_runtime::{
    Ask, Channel, Journal, Live, Message, Outbox, Patience, Pulled, Switch, SystemClock, Ticked,
    hash_seed, messages,
};

use crate::log::{count, now, say};
use crate::settings::{Settings, Shelves};

/// What handles messages of the detector, and the clock's.
#[derive(Debug)]
pub(crate) struct Answerer<'s> {
    settings: &'s Settings,
    shelves: Shelves<'s>,
    aws: SdkConfig,
    state: DynamoState,
    hands: IamResponder,
    /// What was told, and what is to be: out of the detector's reach.
    remembered: DynamoState,
    channels: Mutex<Arc<Channels>>,
}

/// Channels, and what they were made of.
#[derive(Debug, Default)]
struct Channels {
    settings: Vec<ChannelSetting>,
    open: Vec<Box<dyn Channel>>,
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
        let shelves = Shelves::open(&settings.home, aws).await?;
        let role = {
            let in_force = shelves.in_force().await;
            in_force.models().config().containment.responder_role.clone()
        };
        let hands = IamResponder::new(aws, role).await.map_err(|failure| failure.to_string())?;
        let state = DynamoState::new(aws, settings.table.clone());
        let remembered = DynamoState::of_responder(aws, settings.table.clone());
        let channels = Mutex::new(Arc::default());
        let aws = aws.clone();
        let answerer = Self { settings, shelves, aws, state, hands, remembered, channels };
        // What is wrong with one is said at once, and not only when somebody is to be told.
        answerer.channels(answerer.shelves.in_force().await.models().config()).await;
        Ok(answerer)
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
        self.shelves.say_news();
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
        let in_force = self.shelves.in_force().await;
        let live = Live::new(in_force.models(), &self.state, hash_seed());
        let Some(incident) = live.incident(root, now()).await? else {
            say(&json!({"level": "warn", "message": "the state leads to no incident there"}));
            return Ok(());
        };
        let incident = self.confirmed(&live, &incident).await?.unwrap_or(incident);
        self.pull(&incident, in_force.models().config()).await
    }

    /// The channels of a configuration, opened when it is another one than before.
    async fn channels(&self, config: &Config) -> Arc<Channels> {
        // What is held is whole at any time.
        let held = || self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.settings.channels(config);
        let known = Arc::clone(&held());
        if known.settings == settings {
            return known;
        }
        let (open, unusable) = channels(&self.aws, &settings).await;
        // Nothing that is wrong with a channel keeps anybody from being contained.
        for error in unusable {
            say(&json!({"level": "error", "message": error.to_string()}));
        }
        let opened = Arc::new(Channels { settings, open });
        *held() = Arc::clone(&opened);
        opened
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

    async fn pull(&self, incident: &LiveIncident, config: &Config) -> Result<(), Error> {
        let journal = self.journal().await?;
        let brakes = self.settings.brakes(config);
        let pulled = self.switch(&journal, &brakes).pull(incident).await?;
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
        let channels = self.channels(config).await;
        let outbox = self.outbox(&channels);
        outbox.put(&message).await?;
        self.tell(&outbox).await
    }

    fn outbox<'o>(&'o self, channels: &'o Channels) -> Outbox<'o, DynamoState, SystemClock> {
        Outbox::new(&self.remembered, &channels.open, &SystemClock)
    }

    /// Posts what is to be posted; what fails is left to the next tick.
    async fn tell(&self, outbox: &Outbox<'_, DynamoState, SystemClock>) -> Result<(), Error> {
        let drained = outbox.drain().await?;
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
        let in_force = self.shelves.in_force().await;
        let config = in_force.models().config();
        let brakes = self.settings.brakes(config);
        let ticked = self.switch(&journal, &brakes).tick(&self.state).await?;
        let live = Live::new(in_force.models(), &self.state, hash_seed());
        for incident in live.pending(now()).await? {
            let id = incident.incident.target.incident;
            if journal.look(|ledger| ledger.case(id).is_some()).await {
                continue;
            }
            let incident = self.confirmed(&live, &incident).await?.unwrap_or(incident);
            if incident.is_confirmed {
                self.pull(&incident, config).await?;
            }
        }
        let Ticked { open, proven } = ticked;
        count("responder", &[("OpenIncidents", open), ("ProvenIncidents", proven)]);
        let channels = self.channels(config).await;
        let outbox = self.outbox(&channels);
        outbox.follow(&journal.ledger().await).await?;
        self.tell(&outbox).await?;
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
        brakes: &'j Brakes,
    ) -> Switch<'j, IamResponder, DynamoStore, SystemClock> {
        Switch {
            responder: &self.hands,
            journal,
            clock: &SystemClock,
            mode: self.settings.mode,
            brakes,
            patience: Patience::default(),
        }
    }
}
