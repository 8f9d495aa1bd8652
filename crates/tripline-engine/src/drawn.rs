//! What learning keeps of calls until everything was read: a [`Deed`], in the words of its intake's
//! vocabulary. What many calls show alike is kept once, and each tick tells where.

use std::fmt::Write as _;

use ahash::RandomState;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tripline_baseline::{
    Call, Home, RateClass, RateClasses, Touched, Touching, each_passed_role, each_passed_role_by,
    each_resource, each_resource_by, learned_name, touching,
};
use tripline_cloudtrail::{JsonText, Record, keyed};
use tripline_iam::Action;

use crate::deed::{Deed, DeedTexts, rate_classes};
use crate::held::Hold;
use crate::judge::DamagedRow;
use crate::tick::Lesson;
use crate::vocabulary::{UNKNOWN, Vocabulary, Word, action_of, region_of};

/// Where the row of a call is that nothing can be learned from.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// What comes first in a row. The resources follow, then the roles handed over, as they are learned.
#[derive(Debug, Serialize, Deserialize)]
struct Head<'a> {
    event: u32,
    /// Action and Region of an event that the vocabulary has no number for.
    #[serde(borrow)]
    spelt: Option<(&'a str, &'a str)>,
    #[serde(borrow)]
    network: Word<'a>,
    #[serde(borrow)]
    user_agent: Word<'a>,
    error: Option<&'a str>,
    is_denied: bool,
    resources: usize,
    passed_roles: usize,
}

/// Writes rows, with the room that takes, and remembers where those were put that it wrote lately.
#[derive(Debug)]
pub(crate) struct DrawnWriter {
    hasher: RandomState,
    /// By what records tell, with what their calls touched.
    told: Places<(u32, Touched)>,
    /// By what came of it: ids and dates are gone.
    written: Places<u32>,
    texts: Vec<u8>,
    scratch: String,
    name: String,
    account: String,
    row: Vec<u8>,
}

/// Where something was put, by hashes under a secret key; in each place the newest. Among a thousand
/// million calls, the chance that one is taken for another is one in half a million.
#[derive(Debug)]
struct Places<P>(Vec<(u64, P)>);

/// A power of two: half a megabyte.
const PLACES: usize = 1 << 15;

impl<P: Copy + Default> Places<P> {
    #[inline]
    fn get(&self, hash: u64) -> Option<P> {
        let (known, place) = self.0.get(hash as usize % PLACES)?;
        // Nothing is known by 0: that is how empty places are filled.
        (*known == hash && hash != 0).then_some(*place)
    }

    fn set(&mut self, hash: u64, place: P) {
        if self.0.is_empty() {
            self.0.resize(PLACES, (0, P::default()));
        }
        if let Some(known) = self.0.get_mut(hash as usize % PLACES) {
            *known = (hash, place);
        }
    }
}

impl DrawnWriter {
    /// Has written nothing. `hash_seed` keys the tables; no result depends on it.
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self {
            hasher: keyed(hash_seed, 61),
            told: Places(Vec::new()),
            written: Places(Vec::new()),
            texts: Vec::new(),
            scratch: String::new(),
            name: String::new(),
            account: String::new(),
            row: Vec::new(),
        }
    }

    /// Keeps what there is to learn of a record; where, and what its call touched. `event` is its number
    /// in `words`.
    #[inline]
    pub(crate) fn note(
        &mut self,
        record: &Record<'_>,
        event: u32,
        words: &mut Vocabulary,
        hold: &mut impl Hold,
    ) -> (u32, Touched) {
        let (network, user_agent) = words.around(record);
        let error = record.error_code().map(JsonText::as_written);
        let account = record.identity().account();
        let told = (event, &network, &user_agent, error, account, touching(record));
        let told = self.hasher.hash_one(told);
        // What has no number may be anything.
        if event != UNKNOWN
            && let Some(kept) = self.told.get(told)
        {
            return kept;
        }
        let touched = self.write(record, event, (network, user_agent), words);
        let kept = (self.keep(hold), touched);
        if event != UNKNOWN {
            self.told.set(told, kept);
        }
        kept
    }

    /// Keeps the row that was written, unless it was kept lately; where it is.
    fn keep(&mut self, hold: &mut impl Hold) -> u32 {
        let hash = self.hasher.hash_one(&self.row);
        if let Some(place) = self.written.get(hash) {
            return place;
        }
        let place = hold.drawn(&self.row);
        self.written.set(hash, place);
        place
    }

    fn write(
        &mut self,
        record: &Record<'_>,
        event: u32,
        (network, user_agent): (Word<'_>, Word<'_>),
        words: &Vocabulary,
    ) -> Touched {
        let Self { texts, scratch, name, account, row, .. } = self;
        account.clear();
        if let Some(id) = record.identity().account() {
            // INVARIANT: writing to a string does not fail.
            let _ = write!(account, "{id}");
        }
        let (action, told);
        let known = words.known_event(event);
        let (region, spelt) = match known {
            Some(event) => (&*event.region, None),
            None => {
                (action, told) = (action_of(record).to_string(), region_of(record));
                (&*told, Some((action.as_str(), &*told)))
            }
        };
        let account = (!account.is_empty()).then_some(account.as_str());
        let home = Home { account, region: Some(region) };
        texts.clear();
        let (mut found, mut passed, mut touching) = (0, 0, Touching::default());
        let mut note = |resource: &str| {
            found += 1;
            touching.add(resource);
            learned_name(resource, &home, name);
            append(texts, name);
        };
        match known {
            Some(event) => each_resource_by(&event.naming, record, scratch, &mut note),
            None => each_resource(record, scratch, &mut note),
        }
        let mut note = |role: &str| {
            passed += 1;
            learned_name(role, &home, name);
            append(texts, name);
        };
        match known {
            Some(event) => each_passed_role_by(&event.naming, record, scratch, &mut note),
            None => each_passed_role(record, scratch, &mut note),
        }
        let error = record.error_code().map(JsonText::decode);
        let is_denied = record.is_denied();
        let head = Head {
            event,
            spelt,
            network,
            user_agent,
            error: error.as_deref(),
            is_denied,
            resources: found,
            passed_roles: passed,
        };
        finish(row, &head, texts);
        // What was refused touched nothing.
        if is_denied { Touched::NOTHING } else { touching.finish() }
    }

    /// The same of a call that was set aside, which needs no vocabulary: its lesson.
    pub(crate) fn lesson(
        &mut self,
        call: &Call,
        place: u32,
        is_failed_mint: bool,
        hold: &mut impl Hold,
    ) -> Lesson {
        let Self { texts, name, row, .. } = self;
        let written = DeedTexts::of(call);
        let deed = Deed::of(call, &written);
        let (home, touched) = (deed.home(), deed.touched());
        texts.clear();
        for text in deed.resources.iter().chain(&deed.passed_roles) {
            learned_name(text, &home, name);
            append(texts, name);
        }
        let head = Head {
            event: UNKNOWN,
            spelt: Some((deed.action, deed.region)),
            network: Word::Spelt(deed.network.into()),
            user_agent: Word::Spelt(deed.user_agent.into()),
            error: deed.error,
            is_denied: deed.is_denied,
            resources: deed.resources.len(),
            passed_roles: deed.passed_roles.len(),
        };
        finish(row, &head, texts);
        let row = self.keep(hold);
        let counted = (touched, call.bytes_out);
        Lesson::new(call.time, call.id, place, row, is_failed_mint, counted)
    }
}

fn finish(row: &mut Vec<u8>, head: &Head<'_>, texts: &[u8]) {
    row.clear();
    // INVARIANT: the head has no map and no unsized sequence, all that postcard refuses.
    *row = postcard::to_extend(head, std::mem::take(row)).unwrap_or_default();
    row.extend_from_slice(texts);
}

fn append(texts: &mut Vec<u8>, text: &str) {
    // INVARIANT: a text is always written.
    *texts = postcard::to_extend(text, std::mem::take(texts)).unwrap_or_default();
}

/// What a row tells, for `look`, and as what its calls count in rates. Of the calls themselves it tells
/// neither the bytes that went out nor the account, and names of resources are as they are learned.
/// `words` are those of the intake that wrote it.
///
/// # Errors
/// When the row is damaged.
pub(crate) fn read<T>(
    row: &[u8],
    words: &Vocabulary,
    look: impl FnOnce(&Deed<'_>, RateClasses) -> T,
) -> Result<T, DamagedRow> {
    let (head, mut rest): (Head<'_>, _) = postcard::take_from_bytes(row).map_err(|_| DamagedRow)?;
    let mut texts = |count| -> Result<SmallVec<[&str; 4]>, DamagedRow> {
        let one = |_| {
            let (text, after) = postcard::take_from_bytes(rest).map_err(|_| DamagedRow)?;
            rest = after;
            Ok(text)
        };
        (0..count).map(one).collect()
    };
    let (resources, passed_roles) = (texts(head.resources)?, texts(head.passed_roles)?);
    let known = words.known_event(head.event);
    let classes = match known {
        Some(event) => event.classes,
        None => head
            .spelt
            .and_then(|(action, _)| Action::parse(action).ok())
            .as_ref()
            .map_or_else(RateClasses::default, rate_classes),
    };
    let deed = Deed {
        action: known
            .map(|event| event.action.as_str())
            .or(head.spelt.map(|it| it.0))
            .unwrap_or_default(),
        region: known.map(|event| &*event.region).or(head.spelt.map(|it| it.1)).unwrap_or_default(),
        account: None,
        network: words.network_text(&head.network),
        user_agent: words.user_agent_text(&head.user_agent),
        error: head.error,
        is_denied: head.is_denied,
        bytes_out: None,
        resources,
        passed_roles,
    };
    let classes = if head.error.is_some() { classes.with(RateClass::Error) } else { classes };
    Ok(look(&deed, classes))
}

#[cfg(test)]
mod tests {
    use tripline_cloudtrail::{EventId, EventTime};

    use super::*;
    use crate::held::Key;
    use crate::tick::Tick;

    /// Rows, as they come.
    #[derive(Default)]
    struct Rows(Vec<Vec<u8>>);

    impl Hold for Rows {
        fn tick(&mut self, _tick: Tick) {}
        fn lesson(&mut self, _lesson: Lesson) {}
        fn call(&mut self, _key: Key, _row: &[u8]) {}
        fn copy(&mut self, _key: Key, _row: &[u8]) {}
        fn correction(&mut self, _key: Key, _row: &[u8]) {}
        fn drawn(&mut self, row: &[u8]) -> u32 {
            self.0.push(row.to_vec());
            self.0.len() as u32 - 1
        }
    }

    const RECORD: &str = r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"a",
        "eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1",
        "sourceIPAddress":"192.0.2.1","userAgent":"Boto3/1",
        "userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/a/b","accountId":"123456789012"},
        "requestParameters":{"bucketName":"b-123456789012","key":"2026-11-20/part-00017"}}"#;

    #[test]
    fn calls_that_show_the_same_have_one_row_and_others_have_their_own() {
        let (mut writer, mut words) = (DrawnWriter::new(1), Vocabulary::new(1));
        let mut rows = Rows::default();
        let mut note = |from: &str, to: &str| {
            assert!(RECORD.contains(from), "{from}");
            let text = RECORD.replace(from, to);
            let record = Record::parse(&text).unwrap();
            let event = words.event(&record);
            writer.note(&record, event, &mut words, &mut rows)
        };
        let (row, touched) = note("a", "a");
        assert_eq!(note("10:00:00", "11:00:00"), (row, touched));
        // Another network of the same name, and another object of the same kind.
        assert_eq!(note("192.0.2.1", "192.0.2.77"), (row, touched));
        let (again, other) = note("part-00017", "part-00018");
        assert_eq!(again, row);
        assert_ne!(other, touched);
        let error = r#""errorCode":"NoSuchKey","awsRegion""#;
        let denied = r#""errorCode":"AccessDenied","awsRegion""#;
        let mut others = vec![row];
        for (from, to) in [
            ("192.0.2.1", "198.51.100.1"),
            ("Boto3", "aws-cli"),
            ("GetObject", "PutObject"),
            ("eu-west-1", "us-east-1"),
            ("part-", "whole-"),
            // Whose account is at home in the bucket's name.
            (r#""accountId":"123456789012""#, r#""accountId":"210987654321""#),
            (r#""awsRegion""#, error),
            (r#""awsRegion""#, denied),
        ] {
            let (row, touched) = note(from, to);
            assert!(!others.contains(&row), "{to}");
            assert_eq!(touched == Touched::NOTHING, to == denied, "{to}");
            others.push(row);
            assert_eq!(note(from, to), (row, touched));
        }
        assert_eq!(rows.0.len(), others.len());
        let shown = read(&rows.0[0], &words, |deed, _| {
            assert_eq!((deed.network, deed.user_agent), ("192.0.2.0/24", "Boto3/1"));
            deed.resources.join(" ")
        });
        let mut name = String::new();
        let home = Home { account: Some("123456789012"), region: Some("eu-west-1") };
        learned_name("arn:aws:s3:::b-123456789012/2026-11-20/part-00017", &home, &mut name);
        assert_eq!(shown.unwrap(), name);
    }

    #[test]
    fn a_call_that_was_set_aside_shows_what_its_record_does() {
        let (mut writer, mut words) = (DrawnWriter::new(1), Vocabulary::new(1));
        let mut rows = Rows::default();
        let record = Record::parse(RECORD).unwrap();
        let event = words.event(&record);
        let (row, touched) = writer.note(&record, event, &mut words, &mut rows);
        let lesson = writer.lesson(&Call::of(&record), 7, false, &mut rows);
        let told = |row: &[u8]| read(row, &words, |deed, classes| format!("{deed:?} {classes:?}"));
        assert_eq!(told(&rows.0[row as usize]).unwrap(), told(&rows.0[1]).unwrap());
        let (time, id) = (EventTime::parse("2026-11-20T10:00:00Z").unwrap(), EventId::of("a"));
        assert_eq!(lesson, Lesson::new(time, id, 7, 1, false, (touched, None)));
    }
}
