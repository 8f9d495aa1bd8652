//! What the commands of the kill switch share: the way to AWS, and the question.

use std::io::{self, IsTerminal, Write};

use tripline_engine::{Config, Mode};
use tripline_iam::AccountId;
use tripline_runtime::{Clock, SystemClock};

use crate::args::ModeArg;
use crate::exit::Failure;

#[cfg(feature = "aws")]
pub(crate) use tripline_aws::IamResponder as Hands;

#[cfg(not(feature = "aws"))]
pub(crate) use no_hands::Hands;

/// The runtime that the calls to AWS need.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// The way to AWS.
#[cfg(feature = "aws")]
pub(crate) async fn hands(config: &Config) -> Result<Hands, Failure> {
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let role = config.containment.responder_role.clone();
    Hands::new(&aws, role).await.map_err(Failure::Aws)
}

#[cfg(not(feature = "aws"))]
pub(crate) async fn hands(_: &Config) -> Result<Hands, Failure> {
    Err(without_aws())
}

#[cfg(not(feature = "aws"))]
pub(crate) fn without_aws() -> Failure {
    Failure::Usage {
        message: "this program was built without AWS".to_owned(),
        hint: "build it with its default features: cargo build --release --bin tripline",
    }
}

/// The account that `--from-iam` names.
pub(crate) fn account(text: &str) -> Result<AccountId, Failure> {
    AccountId::parse(text).map_err(|_| Failure::Usage {
        message: "--from-iam names no account".to_owned(),
        hint: "an account id has twelve digits",
    })
}

/// Milliseconds since 1970.
pub(crate) fn now_unix_ms() -> i64 {
    SystemClock.now_unix_ms()
}

/// Asks; without a terminal there is nobody to ask, and the answer is no.
pub(crate) fn said_yes(question: &str, yes: bool) -> io::Result<bool> {
    if yes {
        return Ok(true);
    }
    let mut err = io::stderr();
    if !io::stdin().is_terminal() {
        writeln!(err, "{question} There is no terminal to ask on: --yes says yes.")?;
        return Ok(false);
    }
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Observe => Self::Observe,
            ModeArg::Recommend => Self::Recommend,
            ModeArg::Approve => Self::Approve,
            ModeArg::Enforce => Self::Enforce,
        }
    }
}

#[cfg(not(feature = "aws"))]
mod no_hands {
    use tripline_containment::{Description, Failure, Place, Subject};
    use tripline_engine::{Hearsay, Permit};
    use tripline_iam::{AccountId, Arn};
    use tripline_runtime::{Responder, Witness};

    /// No way to AWS: there is no value of it.
    #[derive(Debug)]
    pub(crate) enum Hands {}

    impl Hands {
        pub(crate) fn identity(&self) -> &Arn {
            match *self {}
        }
    }

    impl Witness for Hands {
        async fn record(&self, _: &Hearsay) -> Result<Option<Vec<u8>>, String> {
            match *self {}
        }
    }

    impl Responder for Hands {
        async fn read(&self, _: &Place) -> Result<Option<String>, Failure> {
            match *self {}
        }
        async fn write(&self, _: &Permit, _: &Place, _: Option<&str>) -> Result<(), Failure> {
            match *self {}
        }
        async fn describe(&self, _: &Subject) -> Result<Description, Failure> {
            match *self {}
        }
        async fn find(&self, _: AccountId) -> Result<Vec<(Place, String)>, Failure> {
            match *self {}
        }
    }
}
