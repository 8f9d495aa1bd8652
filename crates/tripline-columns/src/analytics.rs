//! Questions about many scored episodes at once, as lazy queries: what a backtest tells.

mod bounds;
mod episodes;
mod questions;

pub use episodes::{AnalyticsError, History};
