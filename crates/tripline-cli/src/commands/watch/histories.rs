//! Event histories that are watched.

#[cfg(feature = "aws")]
pub(super) use with_aws::{Histories, open};
#[cfg(not(feature = "aws"))]
pub(super) use without_aws::{Histories, open};

#[cfg(feature = "aws")]
mod with_aws {
    use std::io::Write;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use tripline_aws::{LookupUrl, Poll};
    use tripline_engine::Provenance;
    use tripline_runtime::EmbeddedState;

    use crate::args::WatchArgs;
    use crate::commands::watch::Watcher;
    use crate::exit::Failure;
    use crate::input::{now, usage};
    use crate::sources;

    /// Between two looks: two calls a second are allowed, and others want some.
    const EVERY: Duration = Duration::from_secs(60);

    #[derive(Default)]
    pub(crate) struct Histories {
        polls: Vec<Poll>,
        looked: Option<Instant>,
    }

    pub(crate) async fn open(
        arguments: &WatchArgs,
        urls: &[PathBuf],
        state: &EmbeddedState,
    ) -> Result<Histories, Failure> {
        let mut polls = Vec::new();
        for url in urls {
            let text = url.to_string_lossy();
            let Ok(url) = LookupUrl::parse(&text) else {
                return usage(
                    format!("`{}` names no event history", text.escape_debug()),
                    "for example lookup-events:// or lookup-events://eu-central-1,us-east-1?days=1",
                );
            };
            let role = arguments.read_role.as_deref().map(sources::role).transpose()?;
            let config = tripline_aws::reader(role.as_ref()).await;
            polls.push(Poll::open(&config, &url, state, now()).await?);
        }
        Ok(Histories { polls, looked: None })
    }

    impl Watcher<'_> {
        /// Takes in what is new in the event histories. CloudTrail itself tells it: as good as its
        /// trail's bucket.
        pub(crate) async fn look_up(&mut self) -> Result<(), Failure> {
            let every = EVERY.max(Duration::from_secs(self.arguments.every));
            if self.histories.looked.is_some_and(|at| at.elapsed() < every) {
                return Ok(());
            }
            self.histories.looked = Some(Instant::now());
            for mut poll in std::mem::take(&mut self.histories.polls) {
                let mut look = poll.look(now());
                while let Some(page) = poll.next(&mut look).await {
                    match page {
                        Ok(page) => self.take(vec![(page, Provenance::Trail)]).await?,
                        Err(why) => {
                            self.unread = true;
                            writeln!(std::io::stderr(), "{why}")?;
                        }
                    }
                }
                poll.done(look, self.state).await?;
                self.histories.polls.push(poll);
            }
            Ok(())
        }
    }
}

#[cfg(not(feature = "aws"))]
mod without_aws {
    use std::path::PathBuf;

    use tripline_runtime::EmbeddedState;

    use crate::args::WatchArgs;
    use crate::commands::watch::Watcher;
    use crate::exit::Failure;
    use crate::input::usage;

    #[derive(Default)]
    pub(crate) struct Histories;

    pub(crate) async fn open(
        _: &WatchArgs,
        urls: &[PathBuf],
        _: &EmbeddedState,
    ) -> Result<Histories, Failure> {
        if urls.is_empty() {
            return Ok(Histories);
        }
        usage(
            "this program was built without AWS, and watches directories only".to_owned(),
            "build it with its default features: cargo build --release --bin tripline",
        )
    }

    impl Watcher<'_> {
        pub(crate) async fn look_up(&mut self) -> Result<(), Failure> {
            Ok(())
        }
    }
}
