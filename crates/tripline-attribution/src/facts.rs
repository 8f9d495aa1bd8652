//! What the records of one session say of it.

use std::num::NonZeroU32;

use tripline_cloudtrail::EventTime;
use tripline_iam::AccountId;

use crate::anchor::AnchorText;
use crate::table::Standing;
use crate::texts::{Text, Texts};
use crate::used::{AnchorKind, Facts};

/// INVARIANT: every field is merged by minimum, maximum, sum or union, so that the order in which
/// records come, and the parts in which they come, leave no trace. There may be a million of these.
#[derive(Clone, Debug)]
pub(crate) struct SessionFacts {
    pub(crate) kind: AnchorKind,
    pub(crate) id: AnchorText,
    /// The first and the last time that a record names it, as caller or as what was created.
    pub(crate) first_named: EventTime,
    pub(crate) last_named: EventTime,
    pub(crate) account: Option<AccountId>,
    pub(crate) created: Option<EventTime>,
    pub(crate) principal: Text,
    pub(crate) role: Text,
    pub(crate) user: Text,
    pub(crate) source_identity: Text,
    pub(crate) from_console: bool,
    /// The place of its mint in `Attributor::mints` plus one, if that is known.
    pub(crate) mint: Option<NonZeroU32>,
    pub(crate) standing: Standing,
}

impl SessionFacts {
    pub(crate) fn new(kind: AnchorKind, id: &str, time: EventTime) -> Self {
        Self {
            kind,
            id: AnchorText::of(id),
            first_named: time,
            last_named: time,
            account: None,
            created: None,
            principal: Text::NONE,
            role: Text::NONE,
            user: Text::NONE,
            source_identity: Text::NONE,
            from_console: false,
            mint: None,
            standing: Standing::NotLookedAt,
        }
    }

    /// Takes in what a record says of the session, without counting a call.
    #[inline]
    pub(crate) fn describe(&mut self, facts: &Facts<'_>, texts: &mut Texts) {
        least(&mut self.account, facts.account);
        least(&mut self.created, facts.created);
        self.from_console |= facts.from_console;
        let places = [
            (&mut self.principal, &facts.principal),
            (&mut self.role, &facts.role),
            (&mut self.user, &facts.user),
            (&mut self.source_identity, &facts.source_identity),
        ];
        for (place, text) in places {
            texts.least(place, text.as_ref().map(|text| text.as_unescaped()));
        }
    }

    /// Is named by a record.
    #[inline]
    pub(crate) fn note_named_at(&mut self, time: EventTime) {
        self.first_named = self.first_named.min(time);
        self.last_named = self.last_named.max(time);
    }

    /// Joins what is said of the same session under another anchor.
    pub(crate) fn join(&mut self, other: &Self, texts: &Texts) {
        self.first_named = self.first_named.min(other.first_named);
        self.last_named = self.last_named.max(other.last_named);
        least(&mut self.account, other.account);
        least(&mut self.created, other.created);
        self.from_console |= other.from_console;
        let places = [
            (&mut self.principal, other.principal),
            (&mut self.role, other.role),
            (&mut self.user, other.user),
            (&mut self.source_identity, other.source_identity),
        ];
        for (place, text) in places {
            if text_before(texts, text, *place) {
                *place = text;
            }
        }
    }
}

fn text_before(texts: &Texts, text: Text, other: Text) -> bool {
    match (texts.get(text), texts.get(other)) {
        (Some(text), Some(other)) => text < other,
        (text, None) => text.is_some(),
        (None, Some(_)) => false,
    }
}

fn least<T: Copy + Ord>(mine: &mut Option<T>, theirs: Option<T>) {
    if theirs.is_some() && (mine.is_none() || theirs < *mine) {
        *mine = theirs;
    }
}
