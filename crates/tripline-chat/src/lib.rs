//! An incident as a message that a person can act on at three in the morning.
//!
//! Here it is only made; the runtime's `Messenger` posts it.

mod message;
mod slack;

pub use message::Message;
