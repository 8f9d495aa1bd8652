//! An incident as a message that a person can act on at three in the morning.
//!
//! Here it is only made, for each service as it takes it; the runtime's `Channel`s post it.

mod card;
mod key;
mod line;
mod message;
mod outcome;
mod signed;
mod slack;
mod storm;
#[cfg(test)]
mod tests;
mod topic;

pub use key::{SigningKey, WeakKey};
pub use line::{Line, Markup};
pub use message::Message;
pub use outcome::{Outcome, Stage};
pub use signed::signature;
pub use storm::{Brief, Storm, storms};
