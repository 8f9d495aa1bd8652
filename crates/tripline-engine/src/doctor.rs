//! Whether Tripline can see, and whether it can still stop: from facts that were gathered to answers.
//!
//! Pure: who gathers the facts is somebody else's affair, and a fact that could not be had is a reason
//! why something was not checked, never a silent yes.

mod calibration;
mod chat;
mod heart;
mod models;
mod parts;
mod stop;
mod trail;

use std::collections::BTreeMap;
use std::fmt;

use tripline_attribution::AgentId;
use tripline_baseline::Day;
use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use crate::live::{Beat, Source};

pub use calibration::calibrations;
pub use chat::{AnswerProblem, ChannelFacts, Reached};
pub use heart::heartbeats;
pub use models::{DataEvents, ModelFacts, data_events_of};
pub use parts::{
    BucketFacts, Deployment, FunctionFacts, Notifications, QueueFacts, QueueState, QueueUse,
    TableState,
};
pub use stop::{Guard, May, OptIn, Rights, RoleState, StopFacts, TO_CONTAIN};
pub use trail::{Management, Selector, TrailFacts, TrailStatus};

/// A fact, or why it could not be had.
pub type Found<T> = Result<T, Unknown>;

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nobody asked for it, or there is nothing to ask about; in our own words.
    NotAsked(&'static str),
    /// It was asked for, and no answer came; in the words of the other side.
    Refused(Untrusted<'static>),
}

impl Unknown {
    /// What the other side said.
    pub fn refused(said: impl Into<String>) -> Self {
        Self::Refused(Untrusted::new(said.into()))
    }
}

/// What is asked, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What the trail records.
    Trail,
    /// Whether it reaches us.
    Delivery,
    /// Whether our own parts work.
    Parts,
    /// Whether we know what is normal.
    Models,
    /// Whether an agent can still be stopped.
    Switch,
    /// Whether anybody is told.
    Chat,
}

impl Group {
    /// A stable word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trail => "trail",
            Self::Delivery => "delivery",
            Self::Parts => "parts",
            Self::Models => "models",
            Self::Switch => "switch",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for Group {
    /// The question, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trail => "Does the trail record what agents do?",
            Self::Delivery => "Does it reach us?",
            Self::Parts => "Do our own parts work?",
            Self::Models => "Do we know what is normal?",
            Self::Switch => "Can we still stop an agent?",
            Self::Chat => "Is anybody told?",
        })
    }
}

/// An answer, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// As it should be.
    Ok,
    /// Nobody knows; `is_wanted` where it was asked for and the answer did not come.
    NotChecked {
        /// Whether an answer was expected.
        is_wanted: bool,
    },
    /// It works, and somebody should look at it.
    Warning,
    /// Something is not seen, or cannot be stopped.
    Failed,
}

impl Answer {
    /// A stable word, for programs and people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotChecked { .. } => "not checked",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Under which question.
    pub group: Group,
    /// A stable name, in kebab case.
    pub id: &'static str,
    /// What it is about, as AWS or a file names it; none where there is only one.
    pub about: Option<Untrusted<'static>>,
    /// The answer.
    pub answer: Answer,
    /// What was found, in our own words.
    pub says: String,
    /// What the other side said about it.
    pub quoted: Option<Untrusted<'static>>,
    /// What to do next; empty where there is nothing to do.
    pub next: String,
}

impl Check {
    fn new(group: Group, id: &'static str, answer: Answer, says: impl Into<String>) -> Self {
        let (about, quoted) = (None, None);
        Self { group, id, about, answer, says: says.into(), quoted, next: String::new() }
    }

    /// A check whose answer is not known.
    fn unknown(group: Group, id: &'static str, unknown: &Unknown) -> Self {
        match unknown {
            Unknown::NotAsked(why) => {
                Self::new(group, id, Answer::NotChecked { is_wanted: false }, *why)
            }
            Unknown::Refused(said) => {
                let answer = Answer::NotChecked { is_wanted: true };
                Self::new(group, id, answer, "AWS gave no answer").quoting(said.clone())
            }
        }
    }

    fn about(mut self, name: &Untrusted<'_>) -> Self {
        self.about = Some(name.reborrow().into_owned());
        self
    }

    fn quoting(mut self, said: Untrusted<'static>) -> Self {
        self.quoted = Some(said);
        self
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}

/// Everything that was found out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The time by the clock.
    pub now: EventTime,
    /// The functions, where a deployment was named.
    pub deployment: Found<Deployment>,
    /// The trails of this account and Region, those of other Regions and of the organization included.
    pub trails: Found<Vec<TrailFacts>>,
    /// The buckets that are believed.
    pub buckets: Vec<BucketFacts>,
    /// How each account and Region is heard of.
    pub beats: Found<BTreeMap<Source, Beat>>,
    /// The queues between the parts.
    pub queues: Vec<QueueFacts>,
    /// The table of the state.
    pub table: Found<TableState>,
    /// What is known of agents; the services that they use.
    pub models: Found<ModelFacts>,
    /// The classes of which the calibration does not hold, each with the day on which that turned out.
    pub fired: Found<BTreeMap<Option<AgentId>, Day>>,
    /// Whose calibration that is.
    pub lines_of: LinesOf,
    /// Everything about the switch.
    pub stop: StopFacts,
    /// The channels that are set up.
    pub chat: Vec<ChannelFacts>,
    /// What keeps people's answers from being believed; none where nobody may answer.
    pub answers: Option<Vec<AnswerProblem>>,
}

/// Whose lines are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinesOf {
    /// Those that the deployment follows.
    Deployment,
    /// Those of the baselines at hand: what a deployment has in its package cannot be read from here.
    Folder,
}

/// What is thought of the facts, in the order in which it is told.
pub fn judge(facts: &Facts) -> Vec<Check> {
    let mut checks = trail::judge(facts);
    checks.extend(parts::judge_delivery(facts));
    checks.extend(heart::judge(facts));
    checks.extend(parts::judge_parts(facts));
    checks.extend(models::judge(facts));
    checks.extend(calibration::judge(facts));
    checks.extend(stop::judge(facts));
    checks.extend(chat::judge(facts));
    checks
}

/// `2 h`, `5 min`, `3 days`: how long ago something was, to read at a glance.
fn ago(now: EventTime, then: EventTime) -> String {
    let secs = now.unix_secs().saturating_sub(then.unix_secs()).max(0);
    match secs {
        0..7_200 => format!("{} min ago", secs / 60),
        7_200..172_800 => format!("{} h ago", secs / 3_600),
        _ => format!("{} days ago", secs / 86_400),
    }
}

#[cfg(test)]
mod tests;
