//! What people press under a message about an incident, and what was said about it so far.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_text::Untrusted;

use crate::ledger::Event;
use crate::log::Entry;
use crate::plan::{Plan, Response};

/// What may be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Press {
    /// The plan is to be carried out.
    Approve,
    /// The plan is not to be carried out.
    Reject,
    /// What was taken is to be given back.
    Restore,
    /// It is the agent's work for a while: what was new is an exception until it ends.
    Expect,
}

impl Press {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Approve, Self::Reject, Self::Restore, Self::Expect];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Restore => "restore",
            Self::Expect => "expect",
        }
    }
}

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word for nothing that may be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected approve, reject, restore or expect")]
pub struct UnknownPress;

impl FromStr for Press {
    type Err = UnknownPress;

    fn from_str(text: &str) -> Result<Self, UnknownPress> {
        Self::ALL.into_iter().find(|press| press.word() == text).ok_or(UnknownPress)
    }
}

/// By which way somebody pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A button in Slack, which says who it was.
    Slack,
    /// A link, with a name and a passphrase.
    Link,
}

/// Why something that was pressed counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Declined {
    /// Nobody of that name, or not with that passphrase, is in the configuration.
    #[error("nobody known pressed it")]
    Stranger,
    /// The person may press other things.
    #[error("this person may not press it")]
    NotTheirs,
    /// Two people are two people.
    #[error("the same person pressed it before: another one has to")]
    Twice,
    /// Things changed since the message was written.
    #[error("things have changed since that message: use the newest one")]
    Outdated,
    /// The link was used.
    #[error("this link was used already: the newest message has another")]
    Spent,
    /// Nothing is known of the incident.
    #[error("no such incident is known here")]
    Unknown,
    /// No plan waits for an answer.
    #[error("no plan of it waits for an answer")]
    NotWaiting,
    /// The plan is in force already.
    #[error("it was carried out already")]
    Done,
    /// Enough people pressed it; it is being done.
    #[error("it is being done already")]
    UnderWay,
    /// Nothing is in force.
    #[error("nothing of it is in force")]
    NotInForce,
    /// The mode has it so.
    #[error("the mode writes nothing to AWS")]
    Mode,
    /// No exception helps where a rule speaks.
    #[error(
        "it rests on a rule and not on what is new: the scope or tripline.toml says what is allowed"
    )]
    Rule,
    /// The records are not looked at any more.
    #[error("its records are too old to be looked at again")]
    Gone,
    /// There is no plan that could be carried out.
    #[error("nothing can be done: see the message")]
    NoPlan,
    /// Somebody guesses.
    #[error("too many were refused: press it under the next message, or run `tripline restore`")]
    TooMany,
}

/// A moment in what is said about an incident: what was offered then is not what is offered later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Round {
    /// How often things changed.
    pub era: u32,
    /// How many have pressed something since that counts.
    pub counted: u32,
}

/// Something that was pressed, as the action log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pressed {
    /// What.
    pub press: Press,
    /// How.
    pub way: Way,
    /// By whom: the name in the configuration, or what a stranger is called.
    pub person: Untrusted<'static>,
    /// Why it counts for nothing, if it does.
    pub declined: Option<Declined>,
    /// How many more have to press it; of what counts, none: it was to be done then.
    pub missing: u32,
    /// In which era.
    pub era: u32,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: i64,
}

impl Pressed {
    /// Whether it counts.
    pub fn counts(&self) -> bool {
        self.declined.is_none()
    }
}

/// Who left an agent alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// Who.
    pub person: Untrusted<'static>,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: i64,
    /// Until when it is expected, in seconds since 1970; none if it was merely turned down.
    pub expected_until: Option<i64>,
    /// What was planned for it then; nothing for an alert. What is worse was not spared.
    pub response: Option<Response>,
}

/// A plan that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The plan as it stood when people were asked.
    pub plan: Box<Plan>,
    /// Since when, in milliseconds since 1970.
    pub since_unix_ms: i64,
}

/// What people were asked about an incident, and what they answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialogue {
    era: u32,
    asked: Option<Waiting>,
    pressed: Vec<Pressed>,
    pending: Option<(Press, Untrusted<'static>)>,
    spared: Option<Spared>,
    last_unix_ms: i64,
}

impl Dialogue {
    /// Where it stands.
    pub fn round(&self) -> Round {
        let counted = self.pressed_now().filter(|one| one.counts()).count();
        Round { era: self.era, counted: u32::try_from(counted).unwrap_or(u32::MAX) }
    }

    /// The plan that waits for an answer. A fence may be in force meanwhile.
    pub fn asked(&self) -> Option<&Waiting> {
        self.asked.as_ref()
    }

    /// All that was pressed, in order of time.
    pub fn pressed(&self) -> &[Pressed] {
        &self.pressed
    }

    /// What was pressed since things last changed.
    pub fn pressed_now(&self) -> impl Iterator<Item = &Pressed> {
        self.pressed.iter().filter(|one| one.era == self.era)
    }

    /// What enough people pressed and is not done yet, and who was the last of them.
    pub fn pending(&self) -> Option<(Press, &Untrusted<'static>)> {
        self.pending.as_ref().map(|(press, person)| (*press, person))
    }

    /// Who left the agent alone, if nothing was asked or decided since.
    pub fn spared(&self) -> Option<&Spared> {
        self.spared.as_ref()
    }

    /// When anything was last said, in milliseconds since 1970.
    pub fn last_unix_ms(&self) -> i64 {
        self.last_unix_ms
    }

    /// Takes in what the log says next about the incident.
    pub(crate) fn hear(&mut self, entry: &Entry) {
        let at = entry.time_unix_ms;
        match &entry.event {
            Event::Asked { plan } => {
                self.turn();
                self.asked = Some(Waiting { plan: plan.clone(), since_unix_ms: at });
            }
            // A fence does not answer whether to kill.
            Event::Decided { plan, .. } => {
                let is_more = |asked: &Waiting| asked.plan.response.outweighs(plan.response);
                match self.asked.as_ref().is_some_and(is_more) {
                    true => self.turn_and_wait(),
                    false => self.turn(),
                }
            }
            // Nor does it by having its time; who gives it back says that the agent may go on.
            Event::Closed { has_expired, .. } => {
                let pending = self.pending.clone();
                let restorer = pending.filter(|(press, _)| *press == Press::Restore);
                match (has_expired, restorer) {
                    (true, None) => self.turn_and_wait(),
                    (_, restorer) => {
                        let person = restorer.map_or_else(|| entry.actor.clone(), |(_, by)| by);
                        self.spare(person, at);
                    }
                }
            }
            // The plan goes on waiting: it may be pressed again.
            Event::NotDone { press, why } => {
                let is_it = |one: &&mut Pressed| one.press == *press && one.counts();
                if let Some(last) = self.pressed.iter_mut().rev().find(is_it) {
                    last.declined = Some(*why);
                }
                let asked = self.asked.take().filter(|_| *why != Declined::Done);
                self.turn();
                self.asked = asked;
            }
            Event::Expected { until_unix_secs, response, .. } => {
                self.turn();
                self.spared = Some(Spared {
                    person: entry.actor.clone(),
                    at_unix_ms: at,
                    expected_until: Some(*until_unix_secs),
                    response: *response,
                });
            }
            Event::Pressed { press, way, person, declined, missing, .. } => {
                let (press, era) = (*press, self.era);
                self.pressed.push(Pressed {
                    press,
                    way: *way,
                    person: person.clone(),
                    declined: *declined,
                    missing: *missing,
                    era,
                    at_unix_ms: at,
                });
                match press {
                    _ if declined.is_some() || *missing > 0 => {}
                    Press::Reject => self.spare(person.clone(), at),
                    Press::Approve | Press::Restore | Press::Expect => {
                        self.pending = Some((press, person.clone()));
                    }
                }
            }
            _ => return,
        }
        self.last_unix_ms = self.last_unix_ms.max(at);
    }

    /// Things changed: what was offered before is out of date.
    fn turn(&mut self) {
        self.era = self.era.saturating_add(1);
        (self.asked, self.pending, self.spared) = (None, None, None);
    }

    /// The same, and a plan goes on waiting, or being carried out, or is turned down.
    fn turn_and_wait(&mut self) {
        let (asked, pending) = (self.asked.take(), self.pending.take());
        let spared = self.spared.take();
        self.turn();
        (self.asked, self.spared) = (asked, spared);
        self.pending = pending.filter(|(press, _)| *press == Press::Approve);
    }

    /// What waits, if anything does, is turned down.
    fn spare(&mut self, person: Untrusted<'static>, at_unix_ms: i64) {
        let (asked, spared) = (self.asked.take(), self.spared.take());
        self.turn();
        let turned_down = asked.map(|asked| Spared {
            person,
            at_unix_ms,
            expected_until: None,
            response: Some(asked.plan.response),
        });
        self.spared = turned_down.or(spared);
    }
}
