//! Rows to columns.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use tripline_attribution::{AnchorKind, Basis, StoredMint};
use tripline_baseline::{EpisodeFacts, Outcome, Whose};
use tripline_cloudtrail::EventTime;
use tripline_engine::{KeptCall, ToldBy};
use tripline_history::Attributed;
use tripline_text::Untrusted;

use crate::schema::{Kind, UTC, list_item, peak_item};

/// A batch while rows come in.
pub(crate) trait Rows {
    /// How many there are.
    fn len(&self) -> usize;
    /// All of them; none are left.
    fn take(&mut self) -> Result<RecordBatch, ArrowError>;
}

/// Columns of `events`, in the order of the schema.
#[derive(Debug)]
pub(crate) struct EventRows {
    event_time: Times,
    event_id: StringBuilder,
    event_source: StringBuilder,
    event_name: StringBuilder,
    action: StringBuilder,
    region: StringBuilder,
    recipient_account: StringBuilder,
    caller_account: StringBuilder,
    agent: StringBuilder,
    agent_class: StringBuilder,
    basis: StringBuilder,
    session: StringBuilder,
    root: StringBuilder,
    episode_start: Times,
    anchor_kind: StringBuilder,
    anchor: StringBuilder,
    principal_account: StringBuilder,
    principal: StringBuilder,
    role: StringBuilder,
    user_name: StringBuilder,
    source_identity: StringBuilder,
    session_created: Times,
    from_console: BooleanBuilder,
    failed_mint: BooleanBuilder,
    resources: ListBuilder<StringBuilder>,
    passed_roles: ListBuilder<StringBuilder>,
    source: StringBuilder,
    vpc_endpoint: StringBuilder,
    user_agent: StringBuilder,
    error_code: StringBuilder,
    denied: BooleanBuilder,
    bytes_out: Int64Builder,
    shared_event_id: StringBuilder,
    corrects: StringBuilder,
    reasons: StringBuilder,
    rows: usize,
}

impl Default for EventRows {
    fn default() -> Self {
        let text = StringBuilder::new;
        let list = || ListBuilder::new(StringBuilder::new()).with_field(list_item());
        Self {
            event_time: Times::new(),
            event_id: text(),
            event_source: text(),
            event_name: text(),
            action: text(),
            region: text(),
            recipient_account: text(),
            caller_account: text(),
            agent: text(),
            agent_class: text(),
            basis: text(),
            session: text(),
            root: text(),
            episode_start: Times::new(),
            anchor_kind: text(),
            anchor: text(),
            principal_account: text(),
            principal: text(),
            role: text(),
            user_name: text(),
            source_identity: text(),
            session_created: Times::new(),
            from_console: BooleanBuilder::new(),
            failed_mint: BooleanBuilder::new(),
            resources: list(),
            passed_roles: list(),
            source: text(),
            vpc_endpoint: text(),
            user_agent: text(),
            error_code: text(),
            denied: BooleanBuilder::new(),
            bytes_out: Int64Builder::new(),
            shared_event_id: text(),
            corrects: text(),
            reasons: text(),
            rows: 0,
        }
    }
}

impl EventRows {
    pub(crate) fn push(&mut self, kept: &KeptCall, whose: &Attributed) -> serde_json::Result<()> {
        let KeptCall { told, used, call, reasons } = kept;
        self.event_time.push(Some(call.time));
        self.event_id.append_value(call.id.to_string());
        self.event_source.append_value(call.event_source.as_unescaped());
        self.event_name.append_value(call.event_name.as_unescaped());
        self.action.append_value(call.action.as_str());
        self.region.append_option(call.region.as_ref().map(|region| region.as_str()));
        self.recipient_account.append_option(call.account.map(|account| account.to_string()));
        self.caller_account.append_option(call.caller_account.map(|account| account.to_string()));
        let session = &whose.session;
        let agent = session.agent();
        self.agent.append_option(agent.map(|agent| text(&agent.id.untrusted())));
        let class = agent.and_then(|agent| agent.class.as_ref());
        self.agent_class.append_option(class.map(|class| text(&class.untrusted())));
        self.basis.append_option(session.basis().map(name_of_basis));
        self.session.append_value(session.id.untrusted().as_unescaped());
        self.root.append_value(session.root.untrusted().as_unescaped());
        self.episode_start.push(Some(whose.episode_start));
        let used = used.parts();
        self.anchor_kind.append_value(name_of_kind(used.kind));
        self.anchor.append_value(used.id);
        self.principal_account.append_option(used.account.map(|account| account.to_string()));
        self.principal.append_option(used.principal);
        self.role.append_option(used.role);
        self.user_name.append_option(used.user);
        self.source_identity.append_option(used.source_identity);
        self.session_created.push(used.created);
        self.from_console.append_value(used.from_console);
        self.failed_mint.append_value(used.is_failed_mint);
        push_list(&mut self.resources, &call.resources);
        push_list(&mut self.passed_roles, &call.passed_roles);
        let (source, endpoint) = call.network.to_texts();
        self.source.append_value(source.as_unescaped());
        self.vpc_endpoint.append_option(endpoint.as_ref().map(Untrusted::as_unescaped));
        self.user_agent.append_value(call.user_agent.untrusted().as_unescaped());
        let error = match &call.outcome {
            Outcome::Ok => None,
            Outcome::Denied(code) | Outcome::Failed(code) => Some(code.as_unescaped()),
        };
        self.error_code.append_option(error);
        self.denied.append_value(matches!(call.outcome, Outcome::Denied(_)));
        // Of a record that claims more than 2^63 the bits are kept: it reads back as it was.
        self.bytes_out.append_option(call.bytes_out.map(u64::cast_signed));
        let (shared, corrects) = match told {
            ToldBy::Itself => (None, None),
            ToldBy::Copy(shared) => (Some(shared.to_string()), None),
            ToldBy::Correction(original) => (None, Some(original.to_string())),
        };
        self.shared_event_id.append_option(shared);
        self.corrects.append_option(corrects);
        let reasons = match reasons.is_empty() {
            true => None,
            false => Some(serde_json::to_string(reasons)?),
        };
        self.reasons.append_option(reasons);
        self.rows += 1;
        Ok(())
    }
}

impl Rows for EventRows {
    fn len(&self) -> usize {
        self.rows
    }

    fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            self.event_time.finish(),
            Arc::new(self.event_id.finish()),
            Arc::new(self.event_source.finish()),
            Arc::new(self.event_name.finish()),
            Arc::new(self.action.finish()),
            Arc::new(self.region.finish()),
            Arc::new(self.recipient_account.finish()),
            Arc::new(self.caller_account.finish()),
            Arc::new(self.agent.finish()),
            Arc::new(self.agent_class.finish()),
            Arc::new(self.basis.finish()),
            Arc::new(self.session.finish()),
            Arc::new(self.root.finish()),
            self.episode_start.finish(),
            Arc::new(self.anchor_kind.finish()),
            Arc::new(self.anchor.finish()),
            Arc::new(self.principal_account.finish()),
            Arc::new(self.principal.finish()),
            Arc::new(self.role.finish()),
            Arc::new(self.user_name.finish()),
            Arc::new(self.source_identity.finish()),
            self.session_created.finish(),
            Arc::new(self.from_console.finish()),
            Arc::new(self.failed_mint.finish()),
            Arc::new(self.resources.finish()),
            Arc::new(self.passed_roles.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.vpc_endpoint.finish()),
            Arc::new(self.user_agent.finish()),
            Arc::new(self.error_code.finish()),
            Arc::new(self.denied.finish()),
            Arc::new(self.bytes_out.finish()),
            Arc::new(self.shared_event_id.finish()),
            Arc::new(self.corrects.finish()),
            Arc::new(self.reasons.finish()),
        ];
        RecordBatch::try_new(Arc::clone(Kind::Events.schema()), columns)
    }
}

/// Columns of `mints`.
#[derive(Debug)]
pub(crate) struct MintRows {
    minted_at: Times,
    ends_by: Times,
    access_key: StringBuilder,
    minted_by: StringBuilder,
    tags: [StringBuilder; 4],
    source_identity: StringBuilder,
    role: StringBuilder,
    principal: StringBuilder,
    facts: BinaryBuilder,
    rows: usize,
}

impl Default for MintRows {
    fn default() -> Self {
        Self {
            minted_at: Times::new(),
            ends_by: Times::new(),
            access_key: StringBuilder::new(),
            minted_by: StringBuilder::new(),
            tags: std::array::from_fn(|_| StringBuilder::new()),
            source_identity: StringBuilder::new(),
            role: StringBuilder::new(),
            principal: StringBuilder::new(),
            facts: BinaryBuilder::new(),
            rows: 0,
        }
    }
}

impl MintRows {
    pub(crate) fn push(&mut self, mint: &StoredMint) -> postcard::Result<()> {
        let facts = postcard::to_stdvec(mint)?;
        self.minted_at.push(Some(mint.time()));
        self.ends_by.push(Some(mint.ends_by()));
        self.access_key.append_value(mint.key());
        self.minted_by.append_option(mint.parent().map(|parent| parent.anchor().1));
        for (column, tag) in self.tags.iter_mut().zip(mint.tags()) {
            column.append_option(tag.as_ref().map(Untrusted::as_unescaped));
        }
        self.source_identity.append_option(mint.source_identity().as_ref().map(text));
        self.role.append_option(mint.role().as_ref().map(text));
        self.principal.append_option(mint.principal().as_ref().map(text));
        self.facts.append_value(facts);
        self.rows += 1;
        Ok(())
    }
}

impl Rows for MintRows {
    fn len(&self) -> usize {
        self.rows
    }

    fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = vec![
            self.minted_at.finish(),
            self.ends_by.finish(),
            Arc::new(self.access_key.finish()),
            Arc::new(self.minted_by.finish()),
        ];
        columns.extend(self.tags.iter_mut().map(|tag| Arc::new(tag.finish()) as ArrayRef));
        columns.extend([
            Arc::new(self.source_identity.finish()) as ArrayRef,
            Arc::new(self.role.finish()),
            Arc::new(self.principal.finish()),
            Arc::new(self.facts.finish()),
        ]);
        RecordBatch::try_new(Arc::clone(Kind::Mints.schema()), columns)
    }
}

/// Columns of `episodes`.
#[derive(Debug)]
pub(crate) struct EpisodeRows {
    agent: StringBuilder,
    agent_class: StringBuilder,
    episode_start: Times,
    root_hash: Int64Builder,
    versions: ListBuilder<StringBuilder>,
    peaks: ListBuilder<Int64Builder>,
    families: ListBuilder<StringBuilder>,
    actions: ListBuilder<StringBuilder>,
    values: ListBuilder<StringBuilder>,
    rows: usize,
}

impl Default for EpisodeRows {
    fn default() -> Self {
        let list = || ListBuilder::new(StringBuilder::new()).with_field(list_item());
        Self {
            agent: StringBuilder::new(),
            agent_class: StringBuilder::new(),
            episode_start: Times::new(),
            root_hash: Int64Builder::new(),
            versions: list(),
            peaks: ListBuilder::new(Int64Builder::new()).with_field(peak_item()),
            families: list(),
            actions: list(),
            values: list(),
            rows: 0,
        }
    }
}

impl EpisodeRows {
    /// An episode; `None` for an agent of which there may be none.
    pub(crate) fn push(&mut self, whose: &Whose, facts: Option<&EpisodeFacts>) {
        let (agent, class) = match whose {
            Whose::Agent { agent, class } => (agent.as_unescaped(), class.as_ref()),
            // Nothing is learned of these but from agents.
            Whose::Class(_) | Whose::Fleet => return,
        };
        self.agent.append_value(agent);
        self.agent_class.append_option(class.map(Untrusted::as_unescaped));
        // INVARIANT: minutes of event times take 32 bits.
        let start = |minute: u32| EventTime::from_unix_secs(i64::from(minute) * 60);
        self.episode_start.push(facts.and_then(|facts| start(facts.key.start_minute)));
        self.root_hash.append_option(facts.map(|facts| facts.key.root.cast_signed()));
        if let Some(facts) = facts {
            let versions = self.versions.values();
            facts.versions.iter().for_each(|version| versions.append_value(version));
            let peaks = facts.peaks.iter().flatten();
            peaks.for_each(|peak| self.peaks.values().append_value(peak.cast_signed()));
            for draw in &facts.draws {
                self.families.values().append_value(draw.family.name());
                self.actions.values().append_value(&draw.action);
                self.values.values().append_value(&draw.value);
            }
        }
        self.versions.append(true);
        self.peaks.append(true);
        self.families.append(true);
        self.actions.append(true);
        self.values.append(true);
        self.rows += 1;
    }
}

impl Rows for EpisodeRows {
    fn len(&self) -> usize {
        self.rows
    }

    fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.agent.finish()),
            Arc::new(self.agent_class.finish()),
            self.episode_start.finish(),
            Arc::new(self.root_hash.finish()),
            Arc::new(self.versions.finish()),
            Arc::new(self.peaks.finish()),
            Arc::new(self.families.finish()),
            Arc::new(self.actions.finish()),
            Arc::new(self.values.finish()),
        ];
        RecordBatch::try_new(Arc::clone(Kind::Episodes.schema()), columns)
    }
}

#[derive(Debug)]
struct Times(TimestampMicrosecondBuilder);

impl Times {
    fn new() -> Self {
        Self(TimestampMicrosecondBuilder::new().with_timezone(UTC))
    }

    fn push(&mut self, time: Option<EventTime>) {
        // INVARIANT: event times take 32 bits.
        self.0.append_option(time.map(|time| time.unix_secs() * 1_000_000));
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

fn push_list(column: &mut ListBuilder<StringBuilder>, texts: &[Untrusted<'static>]) {
    for text in texts {
        column.values().append_value(text.as_unescaped());
    }
    column.append(true);
}

fn text(text: &Untrusted<'_>) -> String {
    text.as_unescaped().to_owned()
}

fn name_of_basis(basis: Basis) -> String {
    basis.to_string()
}

/// How a kind of anchor is written.
pub(crate) fn name_of_kind(kind: AnchorKind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

/// The kinds of anchors, as they are written.
pub(crate) const KINDS: [(&str, AnchorKind); 5] = [
    ("key", AnchorKind::Key),
    ("console", AnchorKind::Console),
    ("sign-in", AnchorKind::SignIn),
    ("service", AnchorKind::Service),
    ("principal", AnchorKind::Principal),
];
