//! Generated records in one block of memory, with what is true about each.

/// Which kind of log file a record is delivered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Management and data events.
    CloudTrail,
    /// `CloudTrail-Insight`
    Insight,
    /// `CloudTrail-NetworkActivity`
    NetworkActivity,
    /// `CloudTrail-Aggregated`
    Aggregated,
}

impl Kind {
    /// The folder's name, which is also a part of the file's name.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::CloudTrail => "CloudTrail",
            Self::Insight => "CloudTrail-Insight",
            Self::NetworkActivity => "CloudTrail-NetworkActivity",
            Self::Aggregated => "CloudTrail-Aggregated",
        }
    }
}

/// A session as it really is.
#[derive(Clone, Debug)]
pub(crate) struct SessionTruth {
    pub(crate) anchor: String,
    pub(crate) agent: Option<u32>,
    pub(crate) parent: Option<u32>,
    /// The topmost session of the chain that is still the same agent's.
    pub(crate) root: u32,
    pub(crate) basis: &'static str,
}

/// One record's place in the block and its truth.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) time: i64,
    pub(crate) delivery: i64,
    pub(crate) account: u16,
    pub(crate) region: u8,
    pub(crate) kind: Kind,
    pub(crate) event_id: u128,
    pub(crate) session: Option<u32>,
    /// The session that this record created.
    pub(crate) mints: Option<u32>,
    pub(crate) shared: Option<u128>,
    pub(crate) attack: Option<&'static str>,
    /// What is special about the record, in one word.
    pub(crate) shape: &'static str,
    /// Also delivered by a second trail.
    pub(crate) twice: bool,
}

/// Records made together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) json: Vec<u8>,
    pub(crate) records: Vec<Meta>,
    pub(crate) sessions: Vec<SessionTruth>,
}

impl Batch {
    /// How many records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of JSON, without the envelope.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        self.json.len()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.json.clear();
        self.records.clear();
        self.sessions.clear();
    }

    /// Opens a session; a session without a parent of the same agent is its own root.
    pub(crate) fn open(
        &mut self,
        anchor: String,
        agent: Option<u32>,
        parent: Option<u32>,
        basis: &'static str,
    ) -> u32 {
        let index = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        let root = parent
            .map(|at| &self.sessions[at as usize])
            .filter(|above| above.agent == agent && agent.is_some())
            .map_or(index, |above| above.root);
        self.sessions.push(SessionTruth { anchor, agent, parent, root, basis });
        index
    }

    pub(crate) fn bytes(&self, meta: &Meta) -> &[u8] {
        &self.json[meta.start..meta.end]
    }
}
