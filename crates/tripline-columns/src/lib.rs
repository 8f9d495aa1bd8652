//! History as columns: the attributed event table as Parquet, written and read back.
//!
//! An export is a folder that appears whole or not at all. It holds what [`tripline_engine::KeptCall`]
//! keeps of each record and what [`tripline_attribution::StoredMint`] keeps of each mint, so that
//! learning and judging read it like the logs that it was made of; and whose each call was, for
//! everybody else. The crate's README has the columns. What a backtest asks of many scored episodes is
//! asked of columns, too.
#![expect(clippy::disallowed_methods, reason = "edge: reads and writes files")]

mod analytics;
mod cells;
mod error;
mod read;
mod rows;
mod schema;
mod write;

pub use analytics::{AnalyticsError, History};
pub use error::{ColumnsError, ColumnsProblem};
pub use read::{is_export, open, relearn};
pub use schema::{FORMAT, LABEL};
pub use write::{Export, Written};
