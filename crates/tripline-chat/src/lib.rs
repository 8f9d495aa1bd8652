//! An incident as a message that a person can act on at three in the morning.
//!
//! Today the message is made and shown; nothing posts it yet.

mod message;
mod slack;

pub use message::Message;
