//! The responder: told which lineage to look at, it looks for itself, and does what mode and brakes
//! allow.

use aws_config::SdkConfig;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use tripline_aws::{DynamoState, DynamoStore, IamResponder, secret};
use tripline_engine::Anchor;
use tripline_runtime::{
    Ask, Journal, Live, Message, Patience, Pulled, Switch, SystemClock, Ticked, Webhook, hash_seed,
    messages,
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
    slack: Option<Webhook>,
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
        let slack = match &settings.slack {
            Some(id) => Some(Webhook::new(&secret(aws, id).await?)?),
            None => None,
        };
        Ok(Self { settings, aws: aws.clone(), state, hands, slack })
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
        let (config, model) = (&self.settings.config, &self.settings.model);
        let live = Live::new(config, model, &self.state, hash_seed());
        let Some(incident) = live.incident(root, now()).await? else {
            say(&json!({"level": "warn", "message": "the state leads to no incident there"}));
            return Ok(());
        };
        let journal = self.journal().await?;
        let pulled = self.switch(&journal).pull(&incident).await?;
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
        say(&json!({"level": "info", "message": pulled.done(), "incident": id}));
        count("responder", &[(counted, 1)]);
        // Containment is done by now: a channel that is down brings the message back, nothing else.
        if let Some(slack) = &self.slack {
            let message = tripline_chat::Message::of(&incident.incident);
            let message = message.with_outcome(pulled.done(), pulled.next()).to_slack();
            let news = (&incident, &*pulled.done());
            live.post(slack, &SystemClock, news, &message, now()).await?;
        }
        Ok(())
    }

    async fn tick(&self) -> Result<Ticked, Error> {
        let journal = self.journal().await?;
        let ticked = self.switch(&journal).tick(&self.state).await?;
        let Ticked { open, proven } = ticked;
        count("responder", &[("OpenIncidents", open), ("ProvenIncidents", proven)]);
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
