//! Strings that somebody hostile may have written, and the only ways out of them.
//!
//! Every string in a CloudTrail record was chosen by whoever made the call: session names, tag
//! values, user agents, error messages. They are carried as [`Untrusted`], which cannot be printed,
//! and leave through [`escape`], with one function for each place that text may reach.

pub mod escape;
pub mod stored;
mod untrusted;

pub use untrusted::Untrusted;
