//! The responder: told which lineage to look at, it looks for itself, and does what mode and brakes
//! allow.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{error, info, warn};
use tripline_aws::{Approving, DynamoState, DynamoStore, IamResponder, channels};
use tripline_chat::{Heard, Message as Told, Sealed};
use tripline_containment::{Case, Response};
use tripline_detector::Verdict;
use tripline_engine::doctor::{Answer, Check, calibrations, heartbeats};
use tripline_engine::{
    Anchor, Approvals, Brakes, Channel as ChannelSetting, Config, LiveIncident, Mode, Person,
};
use tripline_runtime::{
    Ask, Channel, Desk, Journal, Live, Message, Models, Outbox, Patience, Pulled, Switch,
    SystemClock, Ticked, beats, expectations, fired, hash_seed, messages, to_be_told,
};
use tripline_text::escape;

use crate::log::{count, harmless, now};
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
    people: (Approvals, Vec<Person>),
    open: Vec<Box<dyn Channel>>,
    approving: Approving,
}

/// A message of the detector.
#[derive(Debug, Deserialize)]
struct Decided {
    version: u32,
    root: Anchor,
}

/// A message of the desk.
#[derive(Debug, Deserialize)]
struct Pressed {
    version: u32,
    sealed: Sealed,
    address: Option<IpAddr>,
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
                error!(id = message.id.as_deref().map(harmless), "{}", harmless(&error));
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
                Ask::Pressed(pressed) => self.hear(pressed).await?,
                Ask::Tick => *ticked = self.tick().await?,
                Ask::Object(_) | Ask::Digest(_) | Ask::Records(_) => {
                    return Err("is the detector's".into());
                }
            }
        }
        Ok(())
    }

    async fn answer(&self, root: &Anchor) -> Result<(), Error> {
        let in_force = self.shelves.in_force().await;
        let live = self.live(in_force.models()).await?;
        let incidents = live.incidents(root, now()).await?;
        if incidents.is_empty() {
            warn!("the state leads to no incident there");
        }
        let config = in_force.models().config();
        let mut looked_at = Vec::new();
        for incident in incidents {
            let incident = self.confirmed(&live, &incident).await?.unwrap_or(incident);
            looked_at.push(self.pull(&live, &incident, config).await?);
        }
        self.put(looked_at, config).await
    }

    /// With what people expect by now.
    async fn live<'m>(&'m self, models: Models<'m>) -> Result<Live<'m, DynamoState>, Error> {
        let expected = expectations(&self.remembered).await?;
        Ok(Live::new(models, &self.state, hash_seed()).expecting(expected))
    }

    /// Hears what was pressed at the desk. Whoever is not believed is told so there already; here it is
    /// asked again, since there it may have been somebody else who said so.
    async fn hear(&self, pressed: &Value) -> Result<(), Error> {
        let Pressed { version, sealed, address } = Pressed::deserialize(pressed)?;
        if version != VERSION {
            return Err("the desk is of another version".into());
        }
        let in_force = self.shelves.in_force().await;
        let config = in_force.models().config();
        let channels = self.channels(config).await;
        let wanted = match channels.approving.door.believe(&sealed, now().unix_secs()) {
            Ok(wanted) => wanted,
            Err(why) => {
                let address = address.map(|address| address.to_string());
                warn!(address, "something that was pressed was refused: {}", harmless(why));
                count("responder", &[("PressesRefused", 1)]);
                return Ok(());
            }
        };
        let (journal, live) = (self.journal().await?, self.live(in_force.models()).await?);
        let brakes = self.settings.brakes(config);
        let switch = self.switch(&journal, &brakes);
        let desk = self.desk(switch, &live, config, &channels);
        let counted = match desk.hear(&wanted, address).await? {
            Heard::Declined(_) => "PressesDeclined",
            _ => "PressesHeard",
        };
        count("responder", &[(counted, 1)]);
        let outbox = self.outbox(&channels);
        outbox.follow(&journal.ledger().await).await?;
        self.tell(&outbox).await
    }

    fn desk<'j>(
        &'j self,
        switch: Switch<'j, IamResponder, DynamoStore, SystemClock>,
        live: &'j Live<'j, DynamoState>,
        config: &'j Config,
        channels: &'j Channels,
    ) -> Desk<'j, IamResponder, DynamoStore, SystemClock, DynamoState, DynamoState> {
        let passphrases = &channels.approving.passphrases;
        Desk { switch, live, remembered: &self.remembered, config, passphrases }
    }

    /// The channels of a configuration, opened when it is another one than before.
    async fn channels(&self, config: &Config) -> Arc<Channels> {
        // What is held is whole at any time.
        let held = || self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.settings.channels(config);
        let people = (self.settings.approvals(config), config.people.clone());
        let known = Arc::clone(&held());
        if known.settings == settings && known.people == people {
            return known;
        }
        let (open, unusable) = channels(&self.aws, &settings).await;
        let (approving, unheard) = Approving::of(&self.aws, &people.0, &people.1).await;
        // Nothing that is wrong with a channel keeps anybody from being contained.
        for error in unusable {
            error!("{}", harmless(error));
        }
        for error in unheard {
            error!("{}", harmless(error));
        }
        let opened = Arc::new(Channels { settings, people, open, approving });
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
            warn!("a record is not confirmed: {}", harmless(why));
        }
        Ok(told)
    }

    /// Does about an incident what the mode allows, and says what is to be told of it.
    async fn pull(
        &self,
        live: &Live<'_, DynamoState>,
        incident: &LiveIncident,
        config: &Config,
    ) -> Result<(Option<Pulled>, Told), Error> {
        let journal = self.journal().await?;
        let brakes = self.settings.brakes(config);
        let pulled = self.switch(&journal, &brakes).pull(incident).await?;
        let counted = match &pulled {
            Pulled::Contained(_) => "Contained",
            Pulled::Alerted => "Alerted",
            Pulled::WouldHave(_) => "WouldHave",
            Pulled::Ask(_) => "Asked",
            Pulled::Held(..) => "Held",
            Pulled::Unconfirmed(_) => "Unconfirmed",
            Pulled::GivenBack => "GivenBack",
            Pulled::LeftAlone(_) => "LeftAlone",
            Pulled::Refused(_) => "Refused",
        };
        let id = incident.incident.target.incident.to_string();
        let message = Told::of(&incident.incident, &pulled.outcome(now()));
        info!(incident = id, "{}", message.done_text());
        count("responder", &[(counted, 1)]);
        let channels = self.channels(config).await;
        let desk = self.desk(self.switch(&journal, &brakes), live, config, &channels);
        let message = desk.ask(incident, &pulled, message).await?;
        Ok((Some(pulled), message))
    }

    /// Tells people. Containment is done by now, and what is told is kept: a channel that is down delays
    /// nothing.
    async fn put(
        &self,
        looked_at: Vec<(Option<Pulled>, Told)>,
        config: &Config,
    ) -> Result<(), Error> {
        let channels = self.channels(config).await;
        let outbox = self.outbox(&channels);
        for message in to_be_told(looked_at) {
            outbox.put(&message).await?;
        }
        self.tell(&outbox).await
    }

    fn outbox<'o>(&'o self, channels: &'o Channels) -> Outbox<'o, DynamoState, SystemClock> {
        let outbox = Outbox::new(&self.remembered, &channels.open, &SystemClock);
        outbox.with_ways(&channels.approving.ways)
    }

    /// Posts what is to be posted; what fails is left to the next tick.
    async fn tell(&self, outbox: &Outbox<'_, DynamoState, SystemClock>) -> Result<(), Error> {
        let drained = outbox.drain().await?;
        for (channel, error) in &drained.failed {
            error!("channel {}: {}", harmless(channel), harmless(error));
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
        let (live, channels) = (self.live(in_force.models()).await?, self.channels(config).await);
        let desk = self.desk(self.switch(&journal, &brakes), &live, config, &channels);
        // Whatever is wrong with it, what is contained is looked after.
        if let Err(error) = desk.tick().await {
            error!("what was pressed is not done yet: {}", harmless(error));
        }
        let ticked = self.switch(&journal, &brakes).tick(&self.state).await?;
        for incident in live.pending(now()).await? {
            let id = incident.incident.target.incident;
            let is_killed = |case: &Case| case.plan.response == Response::Kill;
            if journal.look(|ledger| ledger.case(id).is_some_and(is_killed)).await {
                continue;
            }
            let incident = self.confirmed(&live, &incident).await?.unwrap_or(incident);
            // A fence waited for nobody.
            if incident.is_confirmed && incident.incident.verdict == Verdict::Kill {
                let looked_at = vec![self.pull(&live, &incident, config).await?];
                self.put(looked_at, config).await?;
            }
        }
        let Ticked { open, proven } = ticked;
        count("responder", &[("OpenIncidents", open), ("ProvenIncidents", proven)]);
        let outbox = self.outbox(&channels);
        outbox.follow(&journal.ledger().await).await?;
        // What is known is told, whether or not anybody can tell what is not.
        if let Err(error) = self.look_at_itself(in_force.models(), &outbox).await {
            error!("no self-check: {}", harmless(error));
        }
        self.tell(&outbox).await?;
        Ok(ticked)
    }

    /// Whether everybody is heard of, and every calibration holds. Queues and functions have alarms.
    async fn look_at_itself(
        &self,
        models: Models<'_>,
        outbox: &Outbox<'_, DynamoState, SystemClock>,
    ) -> Result<(), Error> {
        let checks = heartbeats(&beats(&self.state, models.config().heartbeat, now()).await?);
        let (known, silent) = (checks.len() as u64, warned(&checks));
        count("responder", &[("SourcesKnown", known), ("SourcesSilent", silent)]);
        // Of nobody nothing is known: neither that anything is wrong, nor that it is right again.
        if !checks.is_empty() {
            outbox.put_of_itself(&Told::of_heartbeat(&checks)).await?;
        }
        let (off, message) = match models.core().calibration() {
            Some(calibration) => {
                let checks = calibrations(&fired(&self.state, calibration).await?);
                (warned(&checks), Told::of_calibration(&checks))
            }
            None => (0, Told::of_no_calibration()),
        };
        count("responder", &[("ClassesOffCalibration", off)]);
        Ok(outbox.put_of_itself(&message).await?)
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

/// Says what is wrong; in how many places.
fn warned(checks: &[Check]) -> u64 {
    let bad: Vec<_> = checks.iter().filter(|it| it.answer >= Answer::Warning).collect();
    for check in &bad {
        let about = check.about.as_ref().map(|about| escape::terminal(about).to_string());
        warn!(about, "{}", check.says);
    }
    bad.len() as u64
}
