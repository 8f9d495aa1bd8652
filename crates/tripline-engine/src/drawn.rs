//! What learning keeps of a call until everything was read: a [`Deed`], in the words of its intake's
//! vocabulary.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tripline_baseline::{
    Call, Counts, RateClass, RateClasses, bytes_out, each_passed_role, each_resource,
};
use tripline_cloudtrail::{JsonText, Record};
use tripline_iam::Action;

use crate::deed::{Deed, DeedTexts, rate_classes};
use crate::judge::DamagedRow;
use crate::vocabulary::{UNKNOWN, Vocabulary, Word, action_of, region_of};

/// What comes first in a row. The resources follow, then the roles handed over.
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
    account: Option<&'a str>,
    bytes_out: Option<u64>,
    resources: usize,
    passed_roles: usize,
}

/// Writes rows, with the room that takes.
#[derive(Debug, Default)]
pub(crate) struct DrawnWriter {
    texts: Vec<u8>,
    scratch: String,
    account: String,
    row: Vec<u8>,
}

impl DrawnWriter {
    /// The row of a record. `event` is its number in `words`.
    pub(crate) fn write(
        &mut self,
        record: &Record<'_>,
        event: u32,
        words: &mut Vocabulary,
    ) -> &[u8] {
        let Self { texts, scratch, account, row } = self;
        texts.clear();
        let (mut found, mut passed) = (0, 0);
        each_resource(record, scratch, &mut |resource| {
            found += 1;
            append(texts, resource);
        });
        each_passed_role(record, scratch, &mut |role| {
            passed += 1;
            append(texts, role);
        });
        account.clear();
        if let Some(id) = record.identity().account() {
            // INVARIANT: writing to a string does not fail.
            let _ = write!(account, "{id}");
        }
        let (action, region);
        let mut spelt = None;
        if words.known_event(event).is_none() {
            action = action_of(record).to_string();
            region = region_of(record);
            spelt = Some((action.as_str(), &*region));
        }
        let error = record.error_code().map(JsonText::decode);
        let head = Head {
            event,
            spelt,
            network: words.network(record),
            user_agent: words.user_agent(record),
            error: error.as_deref(),
            is_denied: record.is_denied(),
            account: (!account.is_empty()).then_some(account.as_str()),
            bytes_out: bytes_out(record),
            resources: found,
            passed_roles: passed,
        };
        row.clear();
        // INVARIANT: the head has no map and no unsized sequence, all that postcard refuses.
        *row = postcard::to_extend(&head, std::mem::take(row)).unwrap_or_default();
        row.extend_from_slice(texts);
        row
    }
}

impl DrawnWriter {
    /// The row of a call that was set aside; it needs no vocabulary.
    pub(crate) fn write_call(&mut self, call: &Call) -> &[u8] {
        let Self { texts, row, .. } = self;
        texts.clear();
        for text in call.resources.iter().chain(&call.passed_roles) {
            append(texts, text.as_unescaped());
        }
        let written = DeedTexts::of(call);
        let deed = Deed::of(call, &written);
        let head = Head {
            event: UNKNOWN,
            spelt: Some((deed.action, deed.region)),
            network: Word::Spelt(deed.network.into()),
            user_agent: Word::Spelt(deed.user_agent.into()),
            error: deed.error,
            is_denied: deed.is_denied,
            account: deed.account,
            bytes_out: deed.bytes_out,
            resources: deed.resources.len(),
            passed_roles: deed.passed_roles.len(),
        };
        row.clear();
        // INVARIANT: as above.
        *row = postcard::to_extend(&head, std::mem::take(row)).unwrap_or_default();
        row.extend_from_slice(texts);
        row
    }
}

fn append(texts: &mut Vec<u8>, text: &str) {
    // INVARIANT: a text is always written.
    *texts = postcard::to_extend(text, std::mem::take(texts)).unwrap_or_default();
}

/// What a row tells, for `look`. `words` are those of the intake that wrote it.
///
/// # Errors
/// When the row is damaged.
pub(crate) fn read<T>(
    row: &[u8],
    words: &Vocabulary,
    look: impl FnOnce(&Deed<'_>, &Counts) -> T,
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
        account: head.account,
        network: words.network_text(&head.network),
        user_agent: words.user_agent_text(&head.user_agent),
        error: head.error,
        is_denied: head.is_denied,
        bytes_out: head.bytes_out,
        resources,
        passed_roles,
    };
    let classes = if head.error.is_some() { classes.with(RateClass::Error) } else { classes };
    let counts = Counts { classes, bytes_out: deed.bytes_out, touched: deed.touched() };
    Ok(look(&deed, &counts))
}
