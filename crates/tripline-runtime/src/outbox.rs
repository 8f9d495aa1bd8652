//! What people are to be told, kept until they were told it: nothing waits for a channel, and a channel
//! that was down is told later, once.
//!
//! Like the rest of the state it only grows. A message is noted first, then posted by whoever comes by
//! (the delivery that brought it, else the next tick), then noted as posted. Of several who come by at
//! once one posts: the one that claims it first.

mod notes;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use tripline_chat::{Brief, Message, Outcome, Stage, Storm, Ways, storms};
use tripline_containment::{Case, Dialogue, IncidentId, Ledger, Spared};
use tripline_engine::Partition;

use crate::messenger::{Channel, Post, PostError, Posted};
use crate::responder::Clock;
use crate::state::{State, StateError};

use notes::{
    DAY_SECS, DAYS, Mark, Note, Told, card, digest_of, first_at, hash, mark_entry, note_entry,
    read, told,
};

/// How long a closed case is looked at, to tell that it was.
const CLOSED_SECS: i64 = 2 * DAY_SECS;
/// Who claimed a message has this long to post it: longer than a post may take.
const SLOT_MS: i64 = 30_000;
/// How often a message is posted at once, for how long, and the first wait between.
const TRIES: u32 = 3;
const TRY_MS: i64 = 8_000;
const FIRST_WAIT_MS: u64 = 500;
/// How long a channel is left alone that refused a message, and at most at its own wish.
const REFUSED_MS: i64 = 600_000;
const WAIT_MS_MAX: i64 = 3_600_000;
/// How long a channel that cannot change its messages is not told the same thing again with more in it.
const AGAIN_MS: i64 = 600_000;

/// Where nobody can answer.
static NO_WAYS: Ways = Ways { has_buttons: false, links: None, presses: BTreeSet::new() };

/// Tells people what is to be told.
#[derive(Debug)]
pub struct Outbox<'a, S, C> {
    state: &'a S,
    channels: &'a [Box<dyn Channel>],
    clock: &'a C,
    ways: &'a Ways,
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct Drained {
    /// Messages that were posted, by channel.
    pub posted: u64,
    /// Messages that are still to be posted, by channel.
    pub due: u64,
    /// What went wrong, by channel: its name and the reason.
    pub failed: Vec<(String, PostError)>,
}

/// What became of a message on its way to a channel.
enum Brought {
    /// It has it.
    Before,
    /// It has it now.
    Now,
    /// It has as good as that, and is told again a while after the last time.
    Later,
    /// It is left alone, or somebody else is at it.
    NotYet,
    /// It did not take it.
    Failed(PostError),
}

/// A message on its way.
struct Parcel {
    message: Message,
    digest: u64,
    /// What makes it worth a message of its own.
    news: u64,
    /// What makes it worth another one after a while.
    more: u64,
}

impl<'a, S: State, C: Clock> Outbox<'a, S, C> {
    /// The outbox of a state, for these channels.
    pub fn new(state: &'a S, channels: &'a [Box<dyn Channel>], clock: &'a C) -> Self {
        Self { state, channels, clock, ways: &NO_WAYS }
    }

    /// The same, with messages that can be answered in these ways.
    #[must_use]
    pub fn with_ways(self, ways: &'a Ways) -> Self {
        Self { ways, ..self }
    }

    /// Notes a message, durably; it is posted by [`Self::drain`].
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn put(&self, message: &Message) -> Result<(), StateError> {
        if self.channels.is_empty() {
            return Ok(());
        }
        let now = self.clock.now_unix_ms();
        let marks = self.marks(message.incident).await?;
        let (first, latest) = (first_at(&marks, message).unwrap_or(now), card(&marks));
        let digest = digest_of(message);
        if latest.is_some_and(|(_, latest)| digest_of(latest) == digest) {
            return Ok(());
        }
        let brief = Brief {
            incident: message.incident,
            first_unix_ms: first,
            subject: message.subject.clone(),
            stage: message.stage,
            verdict: message.verdict,
            answers: message.answers.clone(),
        };
        let card = Mark::Card { at_unix_ms: now, message: Box::new(message.clone()) };
        let note = Note::News { brief, at_unix_ms: now, digest };
        // The card first: a note without one would be told of nothing.
        self.state.put(&[mark_entry(message.incident, &card, now)]).await?;
        self.state.put(&[note_entry(&note, now)]).await
    }

    /// Notes what Tripline says of itself: whatever is wrong, and that nothing is, where something was.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn put_of_itself(&self, message: &Message) -> Result<(), StateError> {
        let was_told = card(&self.marks(message.incident).await?).is_some();
        if was_told || message.stage.is_urgent() { self.put(message).await } else { Ok(()) }
    }

    /// Notes what became of the cases of the action log since they were told.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn follow(&self, ledger: &Ledger) -> Result<(), StateError> {
        if self.channels.is_empty() {
            return Ok(());
        }
        let now = self.clock.now_unix_ms();
        let is_fresh = |case: &Case| {
            let closed = case.closed.as_ref().map(|(_, at, _)| *at);
            closed.is_none_or(|at| now.saturating_sub(at) < CLOSED_SECS * 1_000)
        };
        let cases = ledger.cases().filter(|(_, case)| is_fresh(case));
        let is_recent =
            |dialogue: &Dialogue| now.saturating_sub(dialogue.last_unix_ms()) < CLOSED_SECS * 1_000;
        let dialogues = ledger.dialogues().filter(|(_, dialogue)| is_recent(dialogue));
        let incidents: BTreeSet<IncidentId> = cases
            .map(|(incident, _)| incident)
            .chain(dialogues.map(|(incident, _)| incident))
            .collect();
        for incident in incidents {
            let marks = self.marks(incident).await?;
            let Some((told_unix_ms, told)) = card(&marks) else { continue };
            let dialogue = ledger.dialogue(incident);
            let now_secs = now.div_euclid(1_000);
            let message = match outcome(ledger, incident, told, told_unix_ms, now_secs) {
                Some(outcome) => told.clone().with_outcome(&outcome),
                None => told.clone(),
            };
            self.put(&message.in_dialogue(dialogue)).await?;
        }
        Ok(())
    }

    /// Posts what is to be posted. What a channel does not take now is posted by a later round.
    ///
    /// # Errors
    /// [`StateError`]; a channel that fails is none.
    pub async fn drain(&self) -> Result<Drained, StateError> {
        let mut drained = Drained::default();
        if self.channels.is_empty() {
            return Ok(drained);
        }
        let notes = self.notes().await?;
        let mut latest: BTreeMap<IncidentId, (i64, u64, Brief)> = BTreeMap::new();
        let (mut settled, mut waits) = (BTreeMap::new(), BTreeMap::new());
        for note in notes {
            match note {
                Note::News { brief, at_unix_ms, digest } => {
                    let known = latest.get(&brief.incident).map(|(at, digest, _)| (*at, *digest));
                    if known.is_none_or(|known| known < (at_unix_ms, digest)) {
                        latest.insert(brief.incident, (at_unix_ms, digest, brief));
                    }
                }
                Note::Settled { incident, digest, at_unix_ms } => {
                    let last = settled.entry((incident, digest)).or_insert(at_unix_ms);
                    *last = at_unix_ms.max(*last);
                }
                Note::Wait { channel, until_unix_ms } => {
                    let until = waits.entry(channel).or_insert(until_unix_ms);
                    *until = until_unix_ms.max(*until);
                }
            }
        }
        let storms = storms(latest.values().map(|(_, _, brief)| brief.clone()).collect());
        for storm in &storms {
            let parcel = Parcel::of_storm(storm);
            if !settled.contains_key(&(parcel.message.incident, parcel.digest)) {
                self.send(&parcel, 0, &mut waits, &mut drained).await?;
            }
        }
        // Whoever pressed something is told what came of it, and so is whoever has to press it, too.
        let is_alone = |brief: &Brief| {
            brief.is_answered() || !storms.iter().any(|storm| storm.has(brief.incident))
        };
        for (incident, (at_unix_ms, digest, _)) in
            latest.iter().filter(|(_, (.., brief))| is_alone(brief))
        {
            if settled.get(&(*incident, *digest)).is_some_and(|last| last >= at_unix_ms) {
                continue;
            }
            let marks = self.marks(*incident).await?;
            if let Some((_, message)) = card(&marks) {
                let parcel = Parcel::of(message.clone());
                self.send(&parcel, *at_unix_ms, &mut waits, &mut drained).await?;
            }
        }
        Ok(drained)
    }

    /// Brings a message to every channel that does not have it, to all at once: whoever takes his time
    /// keeps no other waiting.
    async fn send(
        &self,
        parcel: &Parcel,
        noted_unix_ms: i64,
        waits: &mut BTreeMap<String, i64>,
        drained: &mut Drained,
    ) -> Result<(), StateError> {
        let marks = self.marks(parcel.message.incident).await?;
        let brought = self.channels.iter().map(|channel| {
            let until = waits.get(channel.name()).copied();
            self.bring(parcel, &**channel, &marks, until)
        });
        let brought: Vec<_> = join_all(brought).await;
        let mut is_settled = true;
        for (channel, brought) in self.channels.iter().zip(brought) {
            match brought? {
                Brought::Before => {}
                Brought::Later => is_settled = false,
                Brought::Now => drained.posted += 1,
                Brought::NotYet => {
                    is_settled = false;
                    drained.due += 1;
                }
                Brought::Failed(error) => {
                    is_settled = false;
                    drained.due += 1;
                    // Not again in this round, in which there may be more to post.
                    waits.insert(channel.name().to_owned(), i64::MAX);
                    drained.failed.push((channel.name().to_owned(), error));
                }
            }
        }
        if is_settled {
            let note = Note::Settled {
                incident: parcel.message.incident,
                digest: parcel.digest,
                at_unix_ms: noted_unix_ms,
            };
            self.state.put(&[note_entry(&note, self.clock.now_unix_ms())]).await?;
        }
        Ok(())
    }

    /// Brings a message to a channel that is to be left alone until then.
    async fn bring(
        &self,
        parcel: &Parcel,
        channel: &dyn Channel,
        marks: &[Mark],
        until_unix_ms: Option<i64>,
    ) -> Result<Brought, StateError> {
        let incident = parcel.message.incident;
        let told = told(marks, channel.name());
        let is_below = parcel.message.verdict.is_some_and(|verdict| verdict < channel.least());
        // Whoever was told of it once is told how it goes on.
        if is_below && told.is_none() {
            return Ok(Brought::Before);
        }
        let now = self.clock.now_unix_ms();
        let is_same = |told: &Told<'_>| !channel.is_in_place() && told.news == parcel.news;
        match &told {
            Some(told) if told.digest == parcel.digest => return Ok(Brought::Before),
            Some(told) if is_same(told) && told.more == parcel.more => return Ok(Brought::Before),
            Some(told) if is_same(told) && now.saturating_sub(told.at_unix_ms) < AGAIN_MS => {
                return Ok(Brought::Later);
            }
            _ => {}
        }
        let waits_still = until_unix_ms.is_some_and(|until| now < until);
        if waits_still || !self.claim(incident, channel.name(), parcel, marks, now).await? {
            return Ok(Brought::NotYet);
        }
        let post = Post {
            message: &parcel.message,
            before: told.as_ref().and_then(|told| told.posted.handle.as_deref()),
            is_news: told.as_ref().is_none_or(|told| told.news != parcel.news),
            now_unix_ms: now,
            ways: self.ways,
        };
        match self.post(channel, post).await {
            Ok(posted) => {
                let told = Mark::Told {
                    channel: channel.name().to_owned(),
                    at_unix_ms: now,
                    digest: parcel.digest,
                    news: parcel.news,
                    more: parcel.more,
                    posted,
                };
                self.state.put(&[mark_entry(incident, &told, now)]).await?;
                Ok(Brought::Now)
            }
            Err(error) => {
                if let Some(wait_ms) = wait_of(&error) {
                    let until_unix_ms = self.clock.now_unix_ms().saturating_add(wait_ms);
                    let channel = channel.name().to_owned();
                    let wait = Note::Wait { channel, until_unix_ms };
                    self.state.put(&[note_entry(&wait, now)]).await?;
                }
                Ok(Brought::Failed(error))
            }
        }
    }

    /// Whether nobody else is posting this.
    async fn claim(
        &self,
        incident: IncidentId,
        channel: &str,
        parcel: &Parcel,
        marks: &[Mark],
        now: i64,
    ) -> Result<bool, StateError> {
        let slot = now.div_euclid(SLOT_MS);
        let digest = parcel.digest;
        let recent = |marks: &[Mark]| {
            let is_recent = |mark: &&Mark| match mark {
                Mark::Claim { channel: by, digest: of, slot: at } => {
                    by == channel && *of == digest && *at >= slot - 1
                }
                _ => false,
            };
            marks.iter().filter(is_recent).count()
        };
        if recent(marks) > 0 {
            return Ok(false);
        }
        let claim = Mark::Claim { channel: channel.to_owned(), digest, slot };
        let is_first = self.state.claim(&mark_entry(incident, &claim, now)).await?;
        // Two who looked at the clock on either side of the half minute have a claim each. Whoever sees
        // another's leaves it to the other, or both to the next round.
        Ok(is_first && recent(&self.marks(incident).await?) == 1)
    }

    async fn post(&self, channel: &dyn Channel, post: Post<'_>) -> Result<Posted, PostError> {
        let mut tried = 0;
        loop {
            let now_unix_ms = self.clock.now_unix_ms();
            let error = match channel.post(Post { now_unix_ms, ..post }).await {
                Err(error @ PostError::Again { after_secs: None, .. }) => error,
                ended => return ended,
            };
            tried += 1;
            let spent = self.clock.now_unix_ms().saturating_sub(post.now_unix_ms);
            if tried >= TRIES || spent > TRY_MS {
                return Err(error);
            }
            self.clock.sleep(FIRST_WAIT_MS << tried).await;
        }
    }

    async fn notes(&self) -> Result<Vec<Note>, StateError> {
        let today = self.clock.now_unix_ms().div_euclid(DAY_SECS * 1_000);
        let days: Vec<_> = (0..=DAYS).map(|ago| Partition::Outbox(today - ago).id()).collect();
        let found = self.state.read(&days).await?;
        Ok(found.iter().flatten().filter_map(|value| read(value)).collect())
    }

    async fn marks(&self, incident: IncidentId) -> Result<Vec<Mark>, StateError> {
        let found = self.state.read(&[Partition::Thread(incident).id()]).await?;
        Ok(found.iter().flatten().filter_map(|value| read(value)).collect())
    }
}

impl Parcel {
    fn of(message: Message) -> Self {
        let digest = digest_of(&message);
        // What was pressed is news; without any it is the same news as before there were buttons. Of the
        // doctor's visits, whatever turned.
        let news = match message.answers.lines.last() {
            None if matches!(message.stage, Stage::Unwell | Stage::Well) => digest,
            None => hash(&(message.stage, message.done.first())),
            pressed => hash(&(message.stage, message.done.first(), pressed)),
        };
        Self { message, digest, news, more: 0 }
    }

    fn of_storm(storm: &Storm) -> Self {
        let message = storm.message();
        let digest = digest_of(&message);
        Self { message, digest, news: u64::from(storm.size()), more: storm.offers() }
    }
}

/// What is in force of an incident, if anything is.
pub(crate) fn in_force(
    ledger: &Ledger,
    incident: IncidentId,
    now_unix_secs: i64,
) -> Option<Outcome<'_>> {
    let case = ledger.case(incident).filter(|case| case.closed.is_none())?;
    Some(Outcome::Contained { case, now_unix_secs })
}

/// What became of an incident since that was told of it, `told_unix_ms`, as far as the action log tells.
fn outcome<'l>(
    ledger: &'l Ledger,
    incident: IncidentId,
    told: &Message,
    told_unix_ms: i64,
    now_unix_secs: i64,
) -> Option<Outcome<'l>> {
    if let Some(in_force) = in_force(ledger, incident, now_unix_secs) {
        return Some(in_force);
    }
    let dialogue = ledger.dialogue(incident);
    let is_outdated = told.answers.is_in_force;
    if let Some(asked) = dialogue.and_then(Dialogue::asked) {
        // A fence had its time, and what waited beside it still does.
        return is_outdated.then_some(Outcome::Ask(&asked.plan));
    }
    // What was told since is newer than how it ended before.
    let is_over = matches!(told.stage, Stage::Restored | Stage::Expired | Stage::LeftAlone);
    let is_news = |at_unix_ms: i64| is_outdated || is_over || at_unix_ms >= told_unix_ms;
    let case = ledger.case(incident);
    let closed_unix_ms = case.and_then(|case| case.closed.as_ref()).map(|(_, at, _)| *at);
    let spared = dialogue.and_then(Dialogue::spared);
    // What came last is told; who gave it back left it alone by that.
    let is_last = |spared: &&Spared| closed_unix_ms.is_none_or(|at| at < spared.at_unix_ms);
    if let Some(spared) = spared.filter(is_last).filter(|spared| is_news(spared.at_unix_ms)) {
        return Some(Outcome::LeftAlone(spared));
    }
    let closed = case.filter(|_| closed_unix_ms.is_some_and(is_news));
    closed.map(|case| Outcome::Contained { case, now_unix_secs })
}

/// How long a channel is left alone after an error; not at all where it may be back at once.
fn wait_of(error: &PostError) -> Option<i64> {
    match error {
        PostError::Again { after_secs, .. } => after_secs.map(|secs| {
            i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1_000).min(WAIT_MS_MAX)
        }),
        PostError::Refused(_) => Some(REFUSED_MS),
    }
}

#[cfg(test)]
mod tests;
