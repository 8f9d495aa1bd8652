//! The action log at work: what it says so far, and how the next entries are added.

use thiserror::Error;
use tokio::sync::Mutex;
use tripline_containment::{Broken, Chain, Entry, Event, IllegalEvent, IncidentId, Ledger};
use tripline_text::Untrusted;

use crate::store::{Store, StoreError};

/// The log of a store, read once and added to since.
#[derive(Debug)]
pub struct Journal<S> {
    store: S,
    state: Mutex<State>,
    actor: Untrusted<'static>,
}

#[derive(Debug)]
struct State {
    chain: Chain,
    ledger: Ledger,
}

/// A log that cannot be read or added to.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log was tampered with.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Nothing is known of an incident.
    #[error("no incident {0} is on record")]
    NoSuchIncident(IncidentId),
    /// The log says what cannot be.
    #[error("line {line} of the action log: {kind}")]
    Illegal {
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        kind: IllegalEvent,
    },
}

/// Reads a log from its lines.
///
/// # Errors
/// [`JournalError`], at the first line that does not hold.
pub fn read_log<'l>(
    lines: impl IntoIterator<Item = &'l str>,
) -> Result<(Chain, Ledger), JournalError> {
    follow(lines, drop)
}

/// Reads a log from its lines: what it came to, and every entry.
///
/// # Errors
/// As [`read_log`].
pub fn read_entries<'l>(
    lines: impl IntoIterator<Item = &'l str>,
) -> Result<(Ledger, Vec<Entry>), JournalError> {
    let mut entries = Vec::new();
    let (_, ledger) = follow(lines, |entry| entries.push(entry))?;
    Ok((ledger, entries))
}

fn follow<'l>(
    lines: impl IntoIterator<Item = &'l str>,
    mut each: impl FnMut(Entry),
) -> Result<(Chain, Ledger), JournalError> {
    let mut chain = Chain::default();
    let mut ledger = Ledger::default();
    for line in lines {
        let entry = chain.follow(line)?;
        ledger.record(&entry).map_err(|kind| JournalError::Illegal { line: chain.len(), kind })?;
        each(entry);
    }
    Ok((chain, ledger))
}

impl<S: Store> Journal<S> {
    /// Reads what a store has. `actor` is named in every entry that is added.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn open(store: S, actor: Untrusted<'static>) -> Result<Self, JournalError> {
        let lines = store.lines().await?;
        let (chain, ledger) = read_log(lines.iter().map(String::as_str))?;
        Ok(Self { store, state: Mutex::new(State { chain, ledger }), actor })
    }

    /// What the log says.
    pub async fn ledger(&self) -> Ledger {
        self.state.lock().await.ledger.clone()
    }

    /// Looks something up.
    pub async fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.state.lock().await.ledger)
    }

    /// Adds an event, durably, before anybody acts on it. What another process added meanwhile comes
    /// before it, unless the event follows from what this one had read.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing was added.
    pub async fn append(
        &self,
        incident: Option<IncidentId>,
        now_unix_ms: i64,
        event: Event,
    ) -> Result<(), JournalError> {
        let actor = self.actor.clone();
        self.append_as(Entry { time_unix_ms: now_unix_ms, actor, incident, event }).await
    }

    /// Adds an entry with an actor of its own.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_as(&self, entry: Entry) -> Result<(), JournalError> {
        let mut state = self.state.lock().await;
        // The brakes counted what was done by then: they must count again.
        if matches!(entry.event, Event::Decided { is_automatic: true, .. }) {
            return self.add(&mut state, entry).await;
        }
        for _ in 0..TRIES {
            match self.add(&mut state, entry.clone()).await {
                Err(JournalError::Store(StoreError::Conflict)) => self.reread(&mut state).await?,
                added => return added,
            }
        }
        Err(JournalError::Store(StoreError::Conflict))
    }

    /// Adds what follows from what the log says, or nothing, and says what it was. Nobody adds anything
    /// in between: where another process did, it is looked at again.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn settle<T>(
        &self,
        incident: IncidentId,
        now_unix_ms: i64,
        decide: impl Fn(&Ledger) -> (Option<Event>, T),
    ) -> Result<T, JournalError> {
        self.settle_as(None, incident, now_unix_ms, decide).await
    }

    /// The same for a person.
    pub(crate) async fn settle_as<T>(
        &self,
        person: Option<&Untrusted<'static>>,
        incident: IncidentId,
        now_unix_ms: i64,
        decide: impl Fn(&Ledger) -> (Option<Event>, T),
    ) -> Result<T, JournalError> {
        let mut state = self.state.lock().await;
        for _ in 0..TRIES {
            let (event, decided) = decide(&state.ledger);
            let Some(event) = event else { return Ok(decided) };
            let actor = person.unwrap_or(&self.actor).clone();
            let incident = Some(incident);
            let entry = Entry { time_unix_ms: now_unix_ms, actor, incident, event };
            match self.add(&mut state, entry).await {
                Err(JournalError::Store(StoreError::Conflict)) => self.reread(&mut state).await?,
                added => return added.map(|()| decided),
            }
        }
        Err(JournalError::Store(StoreError::Conflict))
    }

    async fn reread(&self, state: &mut State) -> Result<(), JournalError> {
        let lines = self.store.lines().await?;
        let (chain, ledger) = read_log(lines.iter().map(String::as_str))?;
        *state = State { chain, ledger };
        Ok(())
    }

    async fn add(&self, state: &mut State, entry: Entry) -> Result<(), JournalError> {
        let line = state.chain.len().saturating_add(1);
        state.ledger.check(&entry).map_err(|kind| JournalError::Illegal { line, kind })?;
        let mut chain = state.chain.clone();
        let text = chain.append(&entry);
        self.store.append(state.chain.len(), &[text]).await?;
        state.chain = chain;
        state.ledger.record(&entry).map_err(|kind| JournalError::Illegal { line, kind })
    }
}

/// How often is looked again when others add lines at the same time.
const TRIES: u32 = 8;
