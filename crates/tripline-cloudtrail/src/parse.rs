//! Text to [`Record`].

use crate::fields::fields;
use crate::identities::Identities;
use crate::ids::EventId;
use crate::json::{Cursor, Json, Stuck};
use crate::record::{Fields, Record, RecordKind, Wrapper};
use crate::tally::ProblemKind;
use crate::time::EventTime;

/// A JSON object, as a reader meets it.
pub(crate) enum Object<'a> {
    /// A record, which was read into the place for it.
    Record,
    Wraps(Wrapper, Json<'a>),
}

/// Reads the object at the start of `text`, and how long it is, into `record`, which is blank: a record
/// is most of a kilobyte, too much to be handed on from function to function.
///
/// The result borrows from `text`. Outer errors: the text is not an object, or not a whole one.
/// Inner errors: it is an object of that length, but no record.
#[inline]
pub(crate) fn object<'a>(
    text: &'a str,
    identities: &mut Identities,
    record: &mut Record<'a>,
) -> Result<(usize, Result<Object<'a>, ProblemKind>), Stuck> {
    let mut cursor = Cursor::new(text);
    match cursor.peek() {
        Some(b'{') => cursor.at += 1,
        Some(_) => return Err(Stuck::Malformed(0)),
        None => return Err(Stuck::Short),
    }
    fields(&mut cursor, identities, &mut record.fields)?;
    record.raw = text.get(..cursor.at).ok_or(Stuck::Malformed(cursor.at))?;
    Ok((cursor.at, interpret(record)))
}

impl<'a> Record<'a> {
    /// Reads one record from its JSON text, without any wrapper around it.
    ///
    /// # Errors
    /// When the text is no JSON object, has no `eventName`, or no time.
    pub fn parse(text: &'a str) -> Result<Self, ProblemKind> {
        let text = text.trim_start();
        let mut record = Self::blank();
        match object(text, &mut Identities::default(), &mut record) {
            Ok((_, Ok(Object::Record))) => Ok(record),
            Ok((_, Ok(Object::Wraps(..)))) => Err(ProblemKind::NotARecord { missing: "eventName" }),
            Ok((_, Err(problem))) => Err(problem),
            Err(Stuck::Short) => Err(ProblemKind::Truncated { bytes_lost: text.len() }),
            Err(Stuck::Malformed(at)) => Err(ProblemKind::Malformed { at }),
        }
    }
}

/// Makes a record of its fields, if it is one.
#[inline]
fn interpret<'a>(record: &mut Record<'a>) -> Result<Object<'a>, ProblemKind> {
    let Record { raw, id, time, kind, fields } = record;
    *kind = kind_of(fields);
    // Insights name the event they are about further in; counts of data events have none.
    if fields.event_name.is_none() && *kind == RecordKind::Log {
        return match fields.wrapped {
            Some((wrapper, inner)) => Ok(Object::Wraps(wrapper, inner)),
            None => Err(ProblemKind::NotARecord { missing: "eventName" }),
        };
    }
    *time = match fields.event_time.or(fields.timestamp) {
        Some(text) => EventTime::parse(&text.decode()).ok_or(ProblemKind::BadTime)?,
        // Aggregated records have a window instead, and are passed over anyway.
        None if *kind == RecordKind::Aggregated => EventTime::EPOCH,
        None => return Err(ProblemKind::NotARecord { missing: "eventTime" }),
    };
    *id = match fields.event_id {
        Some(text) if !text.is_empty() => EventId::of(&text.decode()),
        _ => EventId::of_content(raw),
    };
    Ok(Object::Record)
}

fn kind_of(fields: &Fields<'_>) -> RecordKind {
    let is = |text: Option<crate::json::JsonText<'_>>, word| text.is_some_and(|text| text.is(word));
    match fields.event_category {
        None => {}
        Some(category) if category.is("Management") || category.is("Data") => {
            return RecordKind::Log;
        }
        Some(category) if category.is("Insight") => return RecordKind::Insight,
        Some(category) if category.is("NetworkActivity") => return RecordKind::NetworkActivity,
        Some(category) if category.is("Aggregated") => return RecordKind::Aggregated,
        Some(_) => {}
    }
    // Before eventVersion 1.07 there is no category.
    if is(fields.event_type, "AwsCloudTrailInsight") {
        RecordKind::Insight
    } else if is(fields.event_type, "AwsVpceEvents") {
        RecordKind::NetworkActivity
    } else if is(fields.event_type, "AwsAggregatedEvent") {
        RecordKind::Aggregated
    } else {
        RecordKind::Log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_strange_fields_are_no_obstacle() {
        let text = r#"{"eventTime":"2026-11-20T10:00:00Z","eventName":"X","readOnly":"true",
            "userIdentity":null,"requestParameters":"null","resources":"none","eventSource":7,
            "additionalEventData":{"bytesTransferredOut":243.0},"novel":{"a":[{}]}}"#;
        let record = Record::parse(text).unwrap();
        assert_eq!(record.is_read_only(), Some(true));
        assert_eq!(record.request(), None);
        assert_eq!(record.resource_arns().count(), 0);
        assert_eq!(record.identity().arn(), None);
        assert_eq!(record.kind(), RecordKind::Log);
    }

    #[test]
    fn what_is_no_record_says_why() {
        let check = |text, problem| assert_eq!(Record::parse(text).unwrap_err(), problem, "{text}");
        check("[]", ProblemKind::Malformed { at: 0 });
        check("{\"a\":1", ProblemKind::Truncated { bytes_lost: 6 });
        check("{}", ProblemKind::NotARecord { missing: "eventName" });
        check(r#"{"eventName":"X"}"#, ProblemKind::NotARecord { missing: "eventTime" });
        check(r#"{"eventName":"X","eventTime":"noon"}"#, ProblemKind::BadTime);
    }
}
