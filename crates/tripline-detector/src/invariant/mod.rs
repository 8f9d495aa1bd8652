//! Rules that need no statistics: one call is enough.

mod caller;
mod checks;
mod index;
mod list;
mod look;
mod policy;
mod rules;
mod settings;

pub use list::Invariant;
pub use look::{Broken, EventRules, Invariants};
pub use rules::TRIPLINE_PREFIX;
pub use settings::{InvariantSettings, Setting, SettingsError};

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
