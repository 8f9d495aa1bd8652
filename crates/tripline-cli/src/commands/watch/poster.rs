//! Whoever posts messages, beside everything else: however long a channel takes, nothing waits for it.

use std::cell::Cell;

use tokio::sync::Notify;
use tripline_chat::Ways;
use tripline_runtime::{Channel, EmbeddedState, Outbox, SystemClock};

use crate::exit::{Ended, Failure};
use crate::output::untold;

/// Posts when it is rung for.
#[derive(Debug)]
pub(super) struct Poster<'a> {
    state: &'a EmbeddedState,
    channels: &'a [Box<dyn Channel>],
    ways: &'a Ways,
    bell: Notify,
    /// Whether nothing more comes.
    is_last: Cell<bool>,
    /// Whether somebody is still to be told something.
    untold: Cell<bool>,
}

impl<'a> Poster<'a> {
    pub(super) fn new(
        state: &'a EmbeddedState,
        channels: &'a [Box<dyn Channel>],
        ways: &'a Ways,
    ) -> Self {
        Self {
            state,
            channels,
            ways,
            bell: Notify::new(),
            is_last: Cell::new(false),
            untold: Cell::new(false),
        }
    }

    /// Where messages are put.
    pub(super) fn outbox(&self) -> Outbox<'_, EmbeddedState, SystemClock> {
        Outbox::new(self.state, self.channels, &SystemClock).with_ways(self.ways)
    }

    /// There may be something to post.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Posts while the other goes on, and once more when it has ended.
    pub(super) async fn beside(
        &self,
        other: impl Future<Output = Result<Ended, Failure>>,
    ) -> Result<Ended, Failure> {
        let watching = async {
            let ended = other.await;
            self.is_last.set(true);
            self.ring();
            ended
        };
        let (mut ended, ()) = tokio::try_join!(watching, self.go_on())?;
        ended.unproven |= self.untold.get();
        Ok(ended)
    }

    /// What is being posted is brought to its end.
    async fn go_on(&self) -> Result<(), Failure> {
        loop {
            self.bell.notified().await;
            let is_last = self.is_last.get();
            self.post().await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Posts what is to be posted; what a channel does not take now comes again with the next tick.
    async fn post(&self) -> Result<(), Failure> {
        let drained = self.outbox().drain().await?;
        untold(&drained, "it is tried again")?;
        self.untold.set(drained.due > 0);
        Ok(())
    }
}
