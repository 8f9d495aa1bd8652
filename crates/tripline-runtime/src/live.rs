//! What happens with a delivery: into the state first, then looked at, then told.
//!
//! Nothing is marked as done before its effects are: a delivery that fails anywhere is delivered again
//! as a whole, and ends where it would have ended.

mod confirm;
mod heart;

use std::borrow::Cow;
use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use thiserror::Error;
use tripline_baseline::{Approval, Decisions};
use tripline_cloudtrail::{EventTime, Tally};
use tripline_engine::{
    Anchor, Arrivals, Config, DamagedRow, Entry, Filter, LiveIncident, LiveReport, Model, ModelId,
    Partition, PartitionId, Provenance, Pulse, Scored, Slice, Telling,
};

use crate::library::{Edition, Library, LibraryError};
use crate::source::Page;
use crate::state::{State, StateError};

pub use confirm::Witness;
pub use heart::{beats, fired};

/// How many sets are read at once, and how many reads are made at the same time.
const SETS_AT_ONCE: usize = 64;
const READS_AT_ONCE: usize = 16;

/// What deliveries are judged by.
#[derive(Clone, Copy, Debug)]
pub enum Models<'a> {
    /// All of it at hand.
    Whole(&'a Config, &'a Model),
    /// One edition of what is followed: agents are read as they turn up.
    Followed(&'a Library, &'a Edition),
}

impl<'a> Models<'a> {
    /// The settings.
    pub fn config(self) -> &'a Config {
        match self {
            Self::Whole(config, _) => config,
            Self::Followed(_, edition) => &edition.config,
        }
    }

    /// Enough to take records in, and its name.
    pub fn core(self) -> &'a Model {
        match self {
            Self::Whole(_, model) => model,
            Self::Followed(_, edition) => edition.core(),
        }
    }

    /// What is known of these agents.
    async fn of(self, slice: &Slice<'_>) -> Result<Cow<'a, Model>, LibraryError> {
        match self {
            Self::Whole(_, model) => Ok(Cow::Borrowed(model)),
            Self::Followed(library, edition) => {
                library.model(edition, &slice.agents()).await.map(Cow::Owned)
            }
        }
    }
}

/// Takes deliveries in.
#[derive(Debug)]
pub struct Live<'a, S> {
    models: Models<'a>,
    state: &'a S,
    expected: Decisions,
    hash_seed: u64,
}

/// What a delivery comes to. Its effects are to be brought about, and then [`Live::told`] says so.
#[derive(Debug)]
pub struct Delivered {
    /// What was read.
    pub tally: Tally,
    /// Calls among it that nobody watches.
    pub passed_over: u64,
    /// Findings that were not told yet.
    pub findings: Vec<Scored>,
    /// Incidents that are new, or more than when they were told.
    pub incidents: Vec<LiveIncident>,
    told: Vec<Entry>,
}

/// A delivery that could not be taken in, and is to come again.
#[derive(Debug, Error)]
pub enum LiveError {
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something in the state is not this program's.
    #[error("the state holds what this version of tripline cannot read")]
    Damaged(#[from] DamagedRow),
    /// What it is judged by cannot be read now.
    #[error(transparent)]
    Models(#[from] LibraryError),
}

impl<'a, S: State> Live<'a, S> {
    /// With this state. `hash_seed` keys hash tables; no result depends on it.
    pub fn new(models: Models<'a>, state: &'a S, hash_seed: u64) -> Self {
        Self { models, state, expected: Decisions::default(), hash_seed }
    }

    /// The same with exceptions beside those of the model.
    #[must_use]
    pub fn expecting(self, expected: Decisions) -> Self {
        Self { expected, ..self }
    }

    /// What verdicts rest on, by name.
    pub fn model_id(&self) -> ModelId {
        self.models.core().id().expecting(&self.expected)
    }

    /// Exceptions of what is new in an incident as it stands now; none where there is no such incident,
    /// or no exception would help.
    ///
    /// # Errors
    /// [`LiveError`].
    pub(crate) async fn exceptions(
        &self,
        live: &LiveIncident,
        by: &Approval,
        until: EventTime,
        now: EventTime,
    ) -> Result<Option<Decisions>, LiveError> {
        let (slice, _) = self.report(BTreeSet::from([live.root.clone()]), now).await?;
        let model = self.models.of(&slice).await?;
        Ok(live.incident.expected(&model, by, until))
    }

    /// Takes pages in that came together. `now` is the time by the clock.
    ///
    /// # Errors
    /// [`LiveError`]: the same delivery is to be taken in again.
    pub async fn take_in(
        &self,
        pages: &[(Page, Provenance)],
        now: EventTime,
    ) -> Result<Delivered, LiveError> {
        let filter = Filter::default();
        let mut arrivals =
            Arrivals::new(self.models.config(), self.models.core(), &filter, now, self.hash_seed);
        let mut pulses = Vec::new();
        for (page, provenance) in pages {
            let newest = arrivals.read(&page.file, &page.bytes, *provenance);
            let pulse = |newest| Pulse::of_log(page.file.as_unescaped(), newest, now);
            pulses.extend(newest.filter(|_| *provenance == Provenance::Trail).and_then(pulse));
        }
        let mut arrival = arrivals.finish();
        arrival.entries.extend(pulses.iter().flat_map(|pulse| pulse.entries(now)));
        // Before anything is read: of two deliveries at the same time one sees what the other brought.
        self.state.put(&arrival.entries).await?;
        let delivered = self.look(arrival.touched, now).await?;
        Ok(Delivered { tally: arrival.tally, passed_over: arrival.passed_over, ..delivered })
    }

    /// Looks at the lineages of these sessions, and says what was not said before.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn look(
        &self,
        touched: BTreeSet<Anchor>,
        now: EventTime,
    ) -> Result<Delivered, LiveError> {
        let (mut slice, report) = self.report(touched, now).await?;
        slice.recall_told(&report);
        self.fill(&mut slice).await?;
        let (mut findings, mut incidents, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for finding in report.findings {
            let mut untold = slice.untold(vec![Telling::of(&finding)]);
            if !untold.is_empty() {
                told.append(&mut untold);
                findings.push(finding);
            }
        }
        for incident in report.incidents {
            let mut untold = slice.untold(incident.tellings());
            if !untold.is_empty() {
                told.append(&mut untold);
                incidents.push(incident);
            }
        }
        let told = Telling::entries(&told, now);
        Ok(Delivered { tally: Tally::default(), passed_over: 0, findings, incidents, told })
    }

    /// What people are to be told of the lineage that begins here, and what it must be stopped for, as it
    /// stands now: what the trail tells, and behind it what is worse and a message alone tells. Nothing
    /// if what the state says leads to nothing.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn incidents(
        &self,
        root: &Anchor,
        now: EventTime,
    ) -> Result<Vec<LiveIncident>, LiveError> {
        let (_, report) = self.report(BTreeSet::from([root.clone()]), now).await?;
        Ok(report.incidents.into_iter().filter(|one| one.root == *root).collect())
    }

    async fn report(
        &self,
        touched: BTreeSet<Anchor>,
        now: EventTime,
    ) -> Result<(Slice<'_>, LiveReport), LiveError> {
        let slice = Slice::about(touched, self.models.config(), now, self.hash_seed);
        let mut slice = slice.expecting(&self.expected).remembering(self.models.core());
        self.fill(&mut slice).await?;
        let mut report = self.judge(&mut slice).await?;
        // A session that joins an agent which has to be stopped, and an incident of an agent that has
        // more sessions: whichever is noted last sees the other.
        slice.recall(report.agents.iter().cloned());
        loop {
            let stopped = report.incidents.iter().map(|one| &one.incident);
            let stopped = stopped.filter(|incident| incident.is_to_be_stopped());
            let stopped = stopped.filter_map(|incident| incident.agent.clone());
            slice.widen(stopped.collect::<Vec<_>>());
            if !self.fill(&mut slice).await? {
                return Ok((slice, report));
            }
            report = self.judge(&mut slice).await?;
        }
    }

    async fn judge(&self, slice: &mut Slice<'_>) -> Result<LiveReport, LiveError> {
        let model = self.models.of(slice).await?;
        if slice.recall_versions(&model) {
            self.fill(slice).await?;
        }
        let mut report = slice.judge(&model)?;
        if !report.deployed.is_empty() {
            self.state.put(&report.deployed).await?;
            slice.recall_deployed();
            self.fill(slice).await?;
            report = slice.judge(&model)?;
        }
        if !report.first.is_empty() {
            self.state.put(&report.first).await?;
        }
        self.state.put(&report.entries).await?;
        Ok(report)
    }

    /// Notes that all was told, so that it is not told again. Until then it is, and whoever is told
    /// knows an incident by its id.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn told(&self, delivered: &Delivered) -> Result<(), LiveError> {
        Ok(self.state.put(&delivered.told).await?)
    }

    /// Reads what the slice wants; whether it wanted anything that there was.
    async fn fill(&self, slice: &mut Slice<'_>) -> Result<bool, LiveError> {
        let mut found_any = false;
        loop {
            let wanted = slice.wanted();
            if wanted.is_empty() {
                return Ok(found_any);
            }
            let reads = wanted.chunks(SETS_AT_ONCE).map(|some| async move {
                let ids: Vec<PartitionId> = some.iter().map(Partition::id).collect();
                Ok::<_, StateError>((some, self.state.read(&ids).await?))
            });
            let found: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
            for (partitions, values) in found {
                for (partition, values) in partitions.iter().zip(values) {
                    found_any |= !values.is_empty();
                    slice.give(partition, values)?;
                }
            }
        }
    }
}
