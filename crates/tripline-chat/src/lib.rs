//! An incident as a message that a person can act on at three in the morning.
//!
//! Here it is only made, for each service as it takes it; the runtime's `Channel`s post it. And here is
//! decided what a press of a button or behind a link means, from its bytes alone.

mod answers;
mod card;
mod door;
mod interaction;
mod key;
mod line;
mod link;
mod message;
mod outcome;
mod page;
mod selfcheck;
mod signed;
mod slack;
mod storm;
#[cfg(test)]
mod tests;
mod topic;

pub use answers::{Answers, Ways};
pub use door::{
    BODY_BYTES_MAX, Door, Heard, Opened, Request, SLACK_PATH, Sealed, Unbelievable, Wanted, Who,
};
pub use key::{SigningKey, WeakKey};
pub use line::{Line, Markup};
pub use link::{LINK_PATH, Link, Links};
pub use message::Message;
pub use outcome::{Outcome, Stage};
pub use page::Answer;
pub use signed::signature;
pub use storm::{Brief, Storm, storms};
