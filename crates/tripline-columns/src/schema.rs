//! The tables: names, types, and what their columns mean. The crate's README says the same to people.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

/// The version of the format. Another one is refused. In version 1 the peaks of episodes lacked those of
/// `resources`.
pub const FORMAT: u32 = 2;
/// The file that says that a folder is an export; it is written last.
pub const LABEL: &str = "_tripline.json";

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One row a record.
    Events,
    /// One row for each record that tells of the creation of a credential.
    Mints,
    /// One row for each episode of an agent in which nothing was wrong.
    Episodes,
}

impl Kind {
    /// The folder's name, and what the file says that it is.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Mints => "mints",
            Self::Episodes => "episodes",
        }
    }

    pub(crate) fn schema(self) -> &'static SchemaRef {
        match self {
            Self::Events => &EVENTS,
            Self::Mints => &MINTS,
            Self::Episodes => &EPISODES,
        }
    }
}

/// The lists of `episodes` in which few texts come again and again.
const REPEATED: [&str; 3] = ["families", "actions", "values"];

/// The schema of a file of `episodes`, with lists whose items repeat as places among what there is, which
/// is how Parquet has them: nothing is copied, and nothing is looked at twice.
pub(crate) fn with_places(schema: &Schema) -> SchemaRef {
    let places = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = |field: &FieldRef| match field.data_type() {
        DataType::List(item) if REPEATED.contains(&field.name().as_str()) => {
            let item = item.as_ref().clone().with_data_type(places.clone());
            Arc::new(field.as_ref().clone().with_data_type(DataType::List(Arc::new(item))))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<FieldRef> = schema.fields().iter().map(field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The key of the format's version in a file's metadata.
pub(crate) const FORMAT_KEY: &str = "tripline.format";
/// The key of the table's name.
pub(crate) const TABLE_KEY: &str = "tripline.table";

pub(crate) const UTC: &str = "UTC";

/// A time; Parquet has no seconds, and milliseconds are not read everywhere.
pub(crate) fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

pub(crate) fn list_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Utf8, false))
}

pub(crate) fn peak_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Int64, false))
}

static EVENTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let list = || DataType::List(list_item());
    table(&[
        ("event_time", time(), false),
        ("event_id", DataType::Utf8, false),
        ("event_source", DataType::Utf8, false),
        ("event_name", DataType::Utf8, false),
        ("action", DataType::Utf8, false),
        ("region", DataType::Utf8, true),
        ("recipient_account", DataType::Utf8, true),
        ("caller_account", DataType::Utf8, true),
        // Whose it was.
        ("agent", DataType::Utf8, true),
        ("agent_class", DataType::Utf8, true),
        ("basis", DataType::Utf8, true),
        ("session", DataType::Utf8, false),
        ("root", DataType::Utf8, false),
        ("episode_start", time(), false),
        // What the record tells of that.
        ("anchor_kind", DataType::Utf8, false),
        ("anchor", DataType::Utf8, false),
        ("principal_account", DataType::Utf8, true),
        ("principal", DataType::Utf8, true),
        ("role", DataType::Utf8, true),
        ("user_name", DataType::Utf8, true),
        ("source_identity", DataType::Utf8, true),
        ("session_created", time(), true),
        ("from_console", DataType::Boolean, false),
        ("failed_mint", DataType::Boolean, false),
        // What was done.
        ("resources", list(), false),
        ("passed_roles", list(), false),
        ("source", DataType::Utf8, false),
        ("vpc_endpoint", DataType::Utf8, true),
        ("user_agent", DataType::Utf8, false),
        ("error_code", DataType::Utf8, true),
        ("denied", DataType::Boolean, false),
        ("bytes_out", DataType::Int64, true),
        ("shared_event_id", DataType::Utf8, true),
        ("corrects", DataType::Utf8, true),
        ("reasons", DataType::Utf8, true),
    ])
});

static MINTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    table(&[
        ("minted_at", time(), false),
        ("ends_by", time(), false),
        ("access_key", DataType::Utf8, false),
        ("minted_by", DataType::Utf8, true),
        ("agent", DataType::Utf8, true),
        ("agent_class", DataType::Utf8, true),
        ("tenant", DataType::Utf8, true),
        ("version", DataType::Utf8, true),
        ("source_identity", DataType::Utf8, true),
        ("role", DataType::Utf8, true),
        ("principal", DataType::Utf8, true),
        ("facts", DataType::Binary, false),
    ])
});

static EPISODES: LazyLock<SchemaRef> = LazyLock::new(|| {
    let list = || DataType::List(list_item());
    table(&[
        ("agent", DataType::Utf8, false),
        ("agent_class", DataType::Utf8, true),
        ("episode_start", time(), true),
        ("root_hash", DataType::Int64, true),
        ("versions", list(), false),
        ("peaks", DataType::List(peak_item()), false),
        ("families", list(), false),
        ("actions", list(), false),
        ("values", list(), false),
    ])
});

fn table(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let field = |(name, kind, nullable): &(&str, DataType, bool)| {
        Field::new(*name, kind.clone(), *nullable)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}
