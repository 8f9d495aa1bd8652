//! Record → agent, session, lineage.
//!
//! Only the record that minted a credential carries its session tags; every other names a key. So
//! the facts of mints and uses are gathered, in any order, and joined in the end.

mod agent;
mod anchor;
#[cfg(test)]
mod checks;
mod chunks;
#[cfg(test)]
mod counted;
mod coverage;
mod episode;
mod facts;
mod fold;
mod known;
mod lineage;
mod mint;
mod pattern;
mod recent;
mod resolve;
mod rules;
mod session;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod texts;
mod used;

pub use agent::{Agent, AgentId, Basis};
pub use coverage::{Cause, Coverage, Share};
pub use episode::{EpisodeCutter, EpisodeId};
pub use fold::CREATION_SECS_APART_MAX;
pub use mint::{is_failed_mint, may_mint};
pub use pattern::{InvalidNamePattern, NamePattern, Pattern};
pub use recent::{Recent, Untold};
pub use resolve::{Sessions, Turn};
pub use rules::{AgentRules, Fallback};
pub use session::{Named, Session, SessionId};
pub use stored::StoredMint;
pub use table::{Attributor, Met};
pub use used::{AnchorKind, Facts, Use, UseParts};
