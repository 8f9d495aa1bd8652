//! What people press under messages, heard while the watch waits.

#[cfg(feature = "aws")]
pub(super) use with_aws::{Ears, ears};
#[cfg(not(feature = "aws"))]
pub(super) use without_aws::{Ears, ears};

use std::collections::BTreeMap;

use tripline_chat::SigningKey;
use tripline_runtime::{Desk, EmbeddedState, Live, Models, SystemClock, expectations, hash_seed};

use super::Watcher;
use crate::exit::Failure;
use crate::logbook::Logbook;
use crate::switch::Hands;

/// Where what people press is weighed and done.
pub(super) type WatchDesk<'w> = Desk<'w, Hands, Logbook, SystemClock, EmbeddedState, EmbeddedState>;

impl<'a> Watcher<'a> {
    /// The desk, unless the mode writes nothing.
    pub(super) fn desk<'w>(&'w self) -> Option<WatchDesk<'w>> {
        Some(Desk {
            switch: self.switch()?,
            live: &self.live,
            remembered: self.state,
            config: self.config,
            passphrases: self.passphrases(),
        })
    }

    fn passphrases(&self) -> &BTreeMap<String, SigningKey> {
        self.ears.passphrases()
    }

    /// Takes up what people expect by now.
    pub(super) async fn recall_expectations(&mut self) -> Result<(), Failure> {
        let live = Live::new(Models::Whole(self.config, self.model), self.state, hash_seed());
        self.live = live.expecting(expectations(self.state).await?);
        Ok(())
    }
}

#[cfg(feature = "aws")]
mod with_aws {
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::io::Write;
    use std::pin::{Pin, pin};

    use tokio::sync::{Mutex, mpsc};
    use tripline_aws::Approving;
    use tripline_chat::{SigningKey, Ways};
    use tripline_engine::{Config, Mode};
    use tripline_runtime::{Caller, Pressed, SystemClock, listen};

    use super::Watcher;
    use crate::args::WatchArgs;
    use crate::exit::Failure;
    use crate::input::usage;

    /// Where presses arrive.
    #[derive(Default)]
    pub(crate) struct Ears {
        approving: Approving,
        callers: Option<Mutex<mpsc::Receiver<Caller>>>,
    }

    impl Ears {
        pub(super) fn passphrases(&self) -> &BTreeMap<String, SigningKey> {
            &self.approving.passphrases
        }

        pub(crate) fn ways(&self) -> &Ways {
            &self.approving.ways
        }

        async fn next(&self) -> Option<Caller> {
            match &self.callers {
                Some(callers) => callers.lock().await.recv().await,
                None => std::future::pending().await,
            }
        }

        fn waiting(&self) -> Option<Caller> {
            self.callers.as_ref()?.try_lock().ok()?.try_recv().ok()
        }
    }

    /// Listens where the arguments say so.
    pub(crate) async fn ears(arguments: &WatchArgs, config: &Config) -> Result<Ears, Failure> {
        let Some(at) = arguments.listen else { return Ok(Ears::default()) };
        if Mode::from(arguments.mode) < Mode::Approve {
            return usage(
                "--listen hears what people press, and in this mode nothing follows from it"
                    .to_owned(),
                "add --mode approve or --mode enforce",
            );
        }
        let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let (approving, errors) = Approving::of(&aws, &config.approvals, &config.people).await;
        let hint = "the README tells how people answer, under \"Live\"";
        if let Some(error) = errors.into_iter().next() {
            return usage(error.to_string(), hint);
        }
        if config.approvals.link_key.is_some() && config.approvals.url.is_none() {
            return usage("`approvals.link_key` signs links that lead nowhere".to_owned(), hint);
        }
        if approving.door.is_shut() || config.people.is_empty() {
            return usage("nobody may press anything by `tripline.toml`".to_owned(), hint);
        }
        let listening = listen(at, approving.door.clone(), SystemClock).await;
        let (at, callers) = match listening {
            Ok(listening) => listening,
            Err(error) => {
                return usage(
                    format!("cannot listen at {at}: {error}"),
                    "name an address of this machine and a free port, as 127.0.0.1:8443",
                );
            }
        };
        writeln!(std::io::stderr(), "listening at http://{at}")?;
        Ok(Ears { approving, callers: Some(Mutex::new(callers)) })
    }

    impl Watcher<'_> {
        /// Waits for what is announced, and hears meanwhile what is pressed; nothing when it is to stop.
        pub(crate) async fn wait_and_hear(
            &self,
            mut stop: Pin<&mut impl Future<Output = ()>>,
        ) -> Result<Option<Vec<tripline_aws::Received>>, Failure> {
            let mut wait = pin!(self.wait());
            loop {
                tokio::select! {
                    () = &mut stop => return Ok(None),
                    announced = &mut wait => return announced.map(Some),
                    Some(caller) = self.ears.next() => self.meet(caller).await?,
                }
            }
        }

        /// Hears what was pressed by now.
        pub(crate) async fn hear_waiting(&self) -> Result<(), Failure> {
            while let Some(caller) = self.ears.waiting() {
                self.meet(caller).await?;
            }
            Ok(())
        }

        async fn meet(&self, caller: Caller) -> Result<(), Failure> {
            match caller {
                Caller::Refused(why, from) => {
                    writeln!(std::io::stderr(), "a request from {from} was refused: {why}")?;
                    Ok(())
                }
                Caller::Presses(pressed) => self.hear(pressed).await,
            }
        }

        async fn hear(&self, pressed: Pressed) -> Result<(), Failure> {
            let Some(desk) = self.desk() else { return Ok(()) };
            match desk.hear(&pressed.wanted, Some(pressed.address)).await {
                Ok(heard) => pressed.answer(Some(heard)),
                // Whoever pressed is told to press again; the watch goes on.
                Err(error) => {
                    pressed.answer(None);
                    writeln!(std::io::stderr(), "what was pressed could not be heard: {error}")?;
                }
            }
            self.follow().await
        }
    }
}

#[cfg(not(feature = "aws"))]
mod without_aws {
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::pin::Pin;

    use tripline_chat::{SigningKey, Ways};
    use tripline_engine::Config;

    use super::Watcher;
    use crate::args::WatchArgs;
    use crate::exit::Failure;
    use crate::input::usage;

    /// Nobody is heard.
    #[derive(Default)]
    pub(crate) struct Ears {
        passphrases: BTreeMap<String, SigningKey>,
        ways: Ways,
    }

    impl Ears {
        pub(super) fn passphrases(&self) -> &BTreeMap<String, SigningKey> {
            &self.passphrases
        }

        pub(crate) fn ways(&self) -> &Ways {
            &self.ways
        }
    }

    pub(crate) async fn ears(arguments: &WatchArgs, _: &Config) -> Result<Ears, Failure> {
        match arguments.listen {
            None => Ok(Ears::default()),
            Some(_) => usage(
                "this program was built without AWS and chat".to_owned(),
                "build it with its default features: cargo build --release --bin tripline",
            ),
        }
    }

    impl Watcher<'_> {
        pub(crate) async fn wait_and_hear(
            &self,
            mut stop: Pin<&mut impl Future<Output = ()>>,
        ) -> Result<Option<()>, Failure> {
            tokio::select! {
                () = &mut stop => Ok(None),
                announced = self.wait() => announced.map(Some),
            }
        }

        pub(crate) async fn hear_waiting(&self) -> Result<(), Failure> {
            Ok(())
        }
    }
}
