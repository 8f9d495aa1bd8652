//! Columns to rows.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use tripline_attribution::{AnchorKind, StoredMint, Use, UseParts};
use tripline_baseline::{Call, Draw, EpisodeKey, Family, Network, Outcome, Peaks, UserAgentFamily};
use tripline_cloudtrail::{EventId, EventTime, SharedEventId};
use tripline_detector::Reason;
use tripline_engine::{KeptCall, ToldBy};
use tripline_iam::{AccountId, Action, Region};
use tripline_text::Untrusted;

use crate::error::ColumnsProblem;
use crate::rows::KINDS;

type Result<T> = std::result::Result<T, ColumnsProblem>;

/// A column of a batch.
struct Cells {
    name: &'static str,
    array: ArrayRef,
    /// The number of the batch's first row in its file.
    first: u64,
}

impl Cells {
    fn of(batch: &RecordBatch, name: &'static str, first: u64) -> Result<Self> {
        let array = batch.column_by_name(name).ok_or(ColumnsProblem::NoColumn(name))?;
        Ok(Self { name, array: Arc::clone(array), first })
    }

    fn wrong(&self, row: usize, why: &'static str) -> ColumnsProblem {
        ColumnsProblem::Value { column: self.name, row: self.first + row as u64, why }
    }

    fn some<T>(&self, row: usize, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.wrong(row, "is missing"))
    }

    fn text(&self, row: usize) -> Result<&str> {
        self.some(row, self.text_or_none(row))
    }

    fn text_or_none(&self, row: usize) -> Option<&str> {
        let texts = self.array.as_string_opt::<i32>()?;
        texts.is_valid(row).then(|| texts.value(row))
    }

    /// What `parse` makes of a text, if there is one.
    fn parsed<T>(
        &self,
        row: usize,
        why: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.text_or_none(row) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| self.wrong(row, why))
    }

    fn owned(&self, row: usize) -> Result<Untrusted<'static>> {
        Ok(Untrusted::new(self.text(row)?.to_owned()))
    }

    fn account(&self, row: usize) -> Result<Option<AccountId>> {
        self.parsed(row, "is no account id", |text| AccountId::parse(text).ok())
    }

    fn time_or_none(&self, row: usize) -> Result<Option<EventTime>> {
        let times = self.array.as_primitive_opt::<TimestampMicrosecondType>();
        let Some(times) = times.filter(|times| times.is_valid(row)) else { return Ok(None) };
        let micros = times.value(row);
        let time = EventTime::from_unix_secs(micros.div_euclid(1_000_000));
        let time = time.filter(|_| micros % 1_000_000 == 0);
        time.map(Some)
            .ok_or_else(|| self.wrong(row, "is no time in whole seconds from 1970 to 2106"))
    }

    fn time(&self, row: usize) -> Result<EventTime> {
        self.some(row, self.time_or_none(row)?)
    }

    fn flag(&self, row: usize) -> Result<bool> {
        let flags = self.array.as_boolean_opt().filter(|flags| flags.is_valid(row));
        self.some(row, flags.map(|flags| flags.value(row)))
    }

    fn number_or_none(&self, row: usize) -> Option<i64> {
        let numbers = self.array.as_primitive_opt::<Int64Type>()?;
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    /// The items of all lists, and where this row's are.
    fn items(&self, row: usize) -> Result<(&ArrayRef, Range<usize>)> {
        let lists = self.array.as_list_opt::<i32>().filter(|lists| lists.is_valid(row));
        let lists = self.some(row, lists)?;
        let offsets = lists.value_offsets();
        let at = |nth: usize| usize::try_from(*offsets.get(nth)?).ok();
        let range = self.some(row, at(row).zip(at(row + 1)))?;
        Ok((lists.values(), range.0..range.1))
    }

    fn texts(&self, row: usize) -> Result<Vec<&str>> {
        let (items, range) = self.items(row)?;
        let texts = self.some(row, items.as_string_opt::<i32>())?;
        let text = |at: usize| texts.is_valid(at).then(|| texts.value(at));
        range.map(|at| self.some(row, text(at))).collect()
    }

    fn numbers(&self, row: usize) -> Result<&[i64]> {
        let (items, range) = self.items(row)?;
        let numbers = items.as_primitive_opt::<Int64Type>();
        let numbers = numbers.filter(|numbers| numbers.null_count() == 0);
        self.some(row, numbers.and_then(|numbers| numbers.values().get(range)))
    }

    /// Of lists whose items repeat, what there is, once; [`Cells::places`] says where in it items are.
    fn repeated(&self) -> Result<&StringArray> {
        let lists = self.array.as_list_opt::<i32>();
        let items = lists.and_then(|lists| lists.values().as_dictionary_opt::<Int32Type>());
        self.some(0, items.and_then(|items| items.values().as_string_opt::<i32>()))
    }

    fn places(&self, row: usize) -> Result<&[i32]> {
        let (items, range) = self.items(row)?;
        let places = items.as_dictionary_opt::<Int32Type>().map(|items| items.keys());
        let places = places.filter(|places| places.null_count() == 0);
        self.some(row, places.and_then(|places| places.values().get(range)))
    }

    fn list(&self, row: usize) -> Result<Vec<Untrusted<'static>>> {
        let owned = |text: &str| Untrusted::new(text.to_owned());
        Ok(self.texts(row)?.into_iter().map(owned).collect())
    }

    fn bytes(&self, row: usize) -> Result<&[u8]> {
        let bytes = self.array.as_binary_opt::<i32>().filter(|bytes| bytes.is_valid(row));
        self.some(row, bytes.map(|bytes| bytes.value(row)))
    }
}

fn text_at(texts: &StringArray, at: i32) -> Option<&str> {
    let at = usize::try_from(at).ok().filter(|&at| at < texts.len() && texts.is_valid(at))?;
    Some(texts.value(at))
}

macro_rules! cells {
    ($(#[$doc:meta])* $name:ident { $($column:ident),* $(,)? }) => {
        $(#[$doc])*
        pub(crate) struct $name {
            rows: usize,
            $($column: Cells,)*
        }

        impl $name {
            /// The columns that are read.
            pub(crate) const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),*];

            /// Those of a batch, whose first row has this number in its file.
            pub(crate) fn of(batch: &RecordBatch, first: u64) -> Result<Self> {
                Ok(Self {
                    rows: batch.num_rows(),
                    $($column: Cells::of(batch, stringify!($column), first)?,)*
                })
            }
        }
    };
}

cells! {
    /// What is read of `events`.
    EventCells {
        event_time, event_id, event_source, event_name, region, recipient_account, caller_account,
        anchor_kind, anchor, principal_account, principal, role, user_name, source_identity,
        session_created, from_console, failed_mint, resources, passed_roles, source, vpc_endpoint,
        user_agent, error_code, denied, bytes_out, shared_event_id, corrects, reasons,
    }
}

cells! {
    /// What is read of `mints`: the other columns are in it.
    MintCells { facts }
}

cells! {
    /// What is read of `episodes`.
    EpisodeCells {
        agent, agent_class, episode_start, root_hash, versions, peaks, families, actions, values,
    }
}

cells! {
    /// What is read of `episodes` to know where agents begin.
    AgentCells { agent }
}

impl AgentCells {
    /// Hands out the agent of every row.
    pub(crate) fn each(&self, mut take: impl FnMut(&str)) -> Result<()> {
        (0..self.rows).try_for_each(|row| {
            take(self.agent.text(row)?);
            Ok(())
        })
    }
}

/// An episode of an agent, or with no key, that the agent is there.
pub(crate) struct EpisodeRow<'c> {
    pub(crate) agent: &'c str,
    pub(crate) class: Option<&'c str>,
    pub(crate) key: Option<EpisodeKey>,
    pub(crate) versions: Vec<&'c str>,
    pub(crate) peaks: Peaks,
    pub(crate) draws: &'c [Draw<'c>],
}

impl EpisodeCells {
    /// Hands out every row.
    pub(crate) fn each(&self, mut take: impl FnMut(&EpisodeRow<'_>) -> Result<()>) -> Result<()> {
        let (families, actions) = (self.families.repeated()?, self.actions.repeated()?);
        let values = self.values.repeated()?;
        let families: Vec<Option<Family>> =
            families.iter().map(|name| Family::parse(name?)).collect();
        // One for all rows, so that each finds its room.
        let mut draws = Vec::new();
        (0..self.rows).try_for_each(|row| {
            let family_at = self.families.places(row)?;
            let (action_at, value_at) = (self.actions.places(row)?, self.values.places(row)?);
            if action_at.len() != family_at.len() || value_at.len() != family_at.len() {
                return Err(self.values.wrong(row, "has another length than `families`"));
            }
            draws.clear();
            for ((&family, &action), &value) in family_at.iter().zip(action_at).zip(value_at) {
                let family = usize::try_from(family).ok().and_then(|at| *families.get(at)?);
                let family =
                    family.ok_or_else(|| self.families.wrong(row, "is no list of families"))?;
                let action = self.actions.some(row, text_at(actions, action))?;
                let value = self.values.some(row, text_at(values, value))?;
                draws.push(Draw { family, action: Some(action), value });
            }
            take(&self.row(row, &draws)?)
        })
    }

    fn row<'c>(&'c self, row: usize, draws: &'c [Draw<'c>]) -> Result<EpisodeRow<'c>> {
        let start = self.episode_start.time_or_none(row)?;
        let minute = |start: EventTime| u32::try_from(start.unix_minutes()).ok();
        let root = self.root_hash.number_or_none(row);
        let key = start
            .and_then(minute)
            .zip(root)
            .map(|(start_minute, root)| EpisodeKey { start_minute, root: root.cast_unsigned() });
        Ok(EpisodeRow {
            agent: self.agent.text(row)?,
            class: self.agent_class.text_or_none(row),
            key,
            versions: self.versions.texts(row)?,
            peaks: self.peaks(row, key.is_some())?,
            draws,
        })
    }

    fn peaks(&self, row: usize, are_due: bool) -> Result<Peaks> {
        let mut peaks = Peaks::default();
        let numbers = self.peaks.numbers(row)?;
        let expected = if are_due { peaks.as_flattened().len() } else { 0 };
        if numbers.len() != expected {
            return Err(self.peaks.wrong(row, "has not a peak for each window and class"));
        }
        let places = peaks.iter_mut().flatten();
        places.zip(numbers).for_each(|(to, from)| *to = from.cast_unsigned());
        Ok(peaks)
    }
}

impl EventCells {
    /// Hands out every row.
    pub(crate) fn each(&self, mut take: impl FnMut(KeptCall)) -> Result<()> {
        (0..self.rows).try_for_each(|row| {
            take(self.row(row)?);
            Ok(())
        })
    }

    fn row(&self, row: usize) -> Result<KeptCall> {
        let time = self.event_time.time(row)?;
        let used = Use::from_parts(&UseParts {
            kind: self.kind(row)?,
            id: self.anchor.text(row)?,
            time,
            account: self.principal_account.account(row)?,
            created: self.session_created.time_or_none(row)?,
            principal: self.principal.text_or_none(row),
            role: self.role.text_or_none(row),
            user: self.user_name.text_or_none(row),
            source_identity: self.source_identity.text_or_none(row),
            from_console: self.from_console.flag(row)?,
            is_failed_mint: self.failed_mint.flag(row)?,
        });
        Ok(KeptCall {
            told: self.told(row)?,
            used,
            call: self.call(row, time)?,
            reasons: self.reasons(row)?,
        })
    }

    fn call(&self, row: usize, time: EventTime) -> Result<Call> {
        let event_source = self.event_source.owned(row)?;
        let event_name = self.event_name.owned(row)?;
        let region = |text: &str| Region::parse(text).ok();
        Ok(Call {
            id: EventId::of(self.event_id.text(row)?),
            time,
            account: self.recipient_account.account(row)?,
            caller_account: self.caller_account.account(row)?,
            region: self.region.parsed(row, "is no Region's name", region)?,
            action: Action::from_event(event_source.as_unescaped(), event_name.as_unescaped()),
            event_source,
            event_name,
            resources: self.resources.list(row)?,
            network: Network::of_texts(self.source.text(row)?, self.vpc_endpoint.text_or_none(row)),
            outcome: self.outcome(row)?,
            passed_roles: self.passed_roles.list(row)?,
            user_agent: UserAgentFamily::known(self.user_agent.text(row)?),
            bytes_out: self.bytes_out.number_or_none(row).map(i64::cast_unsigned),
        })
    }

    fn kind(&self, row: usize) -> Result<AnchorKind> {
        let text = self.anchor_kind.text(row)?;
        let known = KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
        known.ok_or_else(|| self.anchor_kind.wrong(row, "is no kind of anchor"))
    }

    fn outcome(&self, row: usize) -> Result<Outcome> {
        let code = self.error_code.text_or_none(row).map(|text| Untrusted::new(text.to_owned()));
        match (code, self.denied.flag(row)?) {
            (None, false) => Ok(Outcome::Ok),
            (None, true) => Err(self.denied.wrong(row, "is true, without an error code")),
            (Some(code), true) => Ok(Outcome::Denied(code)),
            (Some(code), false) => Ok(Outcome::Failed(code)),
        }
    }

    fn told(&self, row: usize) -> Result<ToldBy> {
        let shared = self.shared_event_id.text_or_none(row).map(SharedEventId::of);
        let corrects = self.corrects.text_or_none(row).map(EventId::of);
        Ok(match (shared, corrects) {
            (Some(shared), _) => ToldBy::Copy(shared),
            (None, Some(original)) => ToldBy::Correction(original),
            (None, None) => ToldBy::Itself,
        })
    }

    fn reasons(&self, row: usize) -> Result<Vec<Reason>> {
        let read = |text: &str| serde_json::from_str(text).ok();
        let reasons = self.reasons.parsed(row, "is not a list of reasons", read)?;
        Ok(reasons.unwrap_or_default())
    }
}

impl MintCells {
    /// Hands out every row.
    pub(crate) fn each(&self, mut take: impl FnMut(StoredMint)) -> Result<()> {
        (0..self.rows).try_for_each(|row| {
            let facts = postcard::from_bytes(self.facts.bytes(row)?);
            take(facts.map_err(|_| self.facts.wrong(row, "is damaged"))?);
            Ok(())
        })
    }
}
