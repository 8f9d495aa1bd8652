//! What all records that tell of one mint say together.
//!
//! A mint may be told of more than once: in the logs of two accounts, of which the role owner's
//! leaves out the caller's key (UG/cloudtrail-event-reference-user-identity); by STS and by the
//! service that asked STS on the caller's behalf. Each fact is *untold*, *told*, or *contested*, and
//! joining goes that way only, so that no order and no grouping leaves a trace. Records that agree
//! contest nothing, however many there are; records that do not cannot all be genuine, since AWS
//! creates every key once.

use tripline_cloudtrail::EventTime;
use tripline_iam::AccountId;
use tripline_text::Untrusted;

use crate::mint::{Mint, Told};
use crate::texts::{Text, Texts};

/// How far the times may be apart that two services log for one mint. Copies of one record have the
/// same time; between the two calls lies one request inside AWS.
const TOLD_SECS_APART_MAX: i64 = 5;

/// The mint of a session's key.
#[derive(Clone, Debug)]
pub(crate) struct KnownMint {
    pub(crate) time: EventTime,
    last_told: EventTime,
    pub(crate) ends_by: EventTime,
    /// Whether records tell of it differently. Then only its times are left.
    pub(crate) contested: bool,
    pub(crate) parent: Parent,
    pub(crate) transitive: Option<bool>,
    pub(crate) account: Option<AccountId>,
    pub(crate) agent: Text,
    pub(crate) class: Text,
    pub(crate) tenant: Text,
    pub(crate) version: Text,
    pub(crate) source_identity: Text,
    pub(crate) role: Text,
    pub(crate) principal: Text,
}

/// The place of the session that created a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// Another record may tell.
    Untold,
    /// None: created for a service, a certificate, or a token.
    Nobody,
    At(u32),
}

impl KnownMint {
    /// `parent` is what `mint.parent` is here.
    pub(crate) fn of(mint: &Mint<'_>, parent: Parent, texts: &mut Texts) -> Self {
        let mut text = |told: &Told<Untrusted<'_>>| match told {
            Told::Untold => Text::UNTOLD,
            Told::Nothing => Text::NONE,
            Told::Just(text) => texts.intern(text.as_unescaped()),
        };
        Self {
            time: mint.time,
            last_told: mint.time,
            ends_by: mint.ends_by,
            contested: false,
            parent,
            transitive: mint.transitive,
            account: mint.account,
            agent: text(&mint.agent),
            class: text(&mint.class),
            tenant: text(&mint.tenant),
            version: text(&mint.version),
            source_identity: text(&mint.source_identity),
            role: text(&mint.role),
            principal: text(&mint.principal),
        }
    }

    /// Joins what other records tell of the same key.
    pub(crate) fn join(&mut self, other: &Self) {
        self.time = self.time.min(other.time);
        self.last_told = self.last_told.max(other.last_told);
        self.ends_by = self.ends_by.max(other.ends_by);
        let apart = self.last_told.unix_secs() - self.time.unix_secs();
        let mut theirs = other.clone();
        let mut agrees = agree(&mut self.account, other.account, None)
            & agree(&mut self.transitive, other.transitive, None)
            & agree(&mut self.parent, other.parent, Parent::Untold);
        for (mine, theirs) in self.texts_mut().into_iter().zip(theirs.texts_mut()) {
            agrees &= agree(mine, *theirs, Text::UNTOLD);
        }
        self.contested |= other.contested | !agrees | (apart > TOLD_SECS_APART_MAX);
        if self.contested {
            self.forget();
        }
    }

    /// Of what is contested nothing may be believed, least of all what happened to come first.
    fn forget(&mut self) {
        self.parent = Parent::Nobody;
        self.account = None;
        self.transitive = None;
        for text in self.texts_mut() {
            *text = Text::NONE;
        }
    }

    fn texts_mut(&mut self) -> [&mut Text; 7] {
        let Self { agent, class, tenant, version, source_identity, role, principal, .. } = self;
        [agent, class, tenant, version, source_identity, role, principal]
    }
}

/// Whether two tellings of one fact can both be true; `mine` is then what both say.
fn agree<T: Copy + PartialEq>(mine: &mut T, theirs: T, untold: T) -> bool {
    if *mine == untold {
        *mine = theirs;
    }
    theirs == untold || *mine == theirs
}
