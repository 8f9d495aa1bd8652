//! The way to AWS of a program that has no other use for a runtime.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tokio::runtime::Runtime;
use tripline_iam::Arn;
use tripline_text::{Untrusted, escape};

/// One thread's worth of network: enough to keep all others busy with what it brings.
#[derive(Clone, Debug)]
pub struct Remote {
    pub(super) runtime: Arc<Runtime>,
    pub(super) config: SdkConfig,
}

/// How often a call is tried: what is read takes hours at worst, and a throttled minute ends no run.
const TRIES: u32 = 6;
/// How long one try may take until its answer begins.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

impl Remote {
    /// With the credentials, Region and endpoint of the environment, or of `role`, which they take on.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn connect(role: Option<&Arn>) -> io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let config = runtime.block_on(reader(role));
        Ok(Self { runtime: Arc::new(runtime), config })
    }
}

/// The credentials, Region and endpoint of the environment, or of `role`, for somebody who reads much and
/// has time.
pub async fn reader(role: Option<&Arn>) -> SdkConfig {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(TimeoutConfig::builder().read_timeout(CALL_TIMEOUT).build())
        .load()
        .await;
    // A bucket says where it is, whoever asks in whichever Region.
    let config = match config.region() {
        Some(_) => config,
        None => config.to_builder().region(Region::from_static("us-east-1")).build(),
    };
    let Some(role) = role else { return config };
    let provider = AssumeRoleProvider::builder(role.untrusted().as_unescaped())
        .configure(&config)
        .session_name("tripline")
        .build()
        .await;
    config
        .into_builder()
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(provider))
        .build()
}

/// What the other side said, in words that say what to do.
pub(super) fn why<E>(error: SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(code) = error.code() else {
        let mut all = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(because) = cause {
            // INVARIANT: writing to a string does not fail.
            let _ = write!(all, ": {because}");
            cause = because.source();
        }
        return escape::terminal(&Untrusted::new(all)).to_string();
    };
    let said = Untrusted::new(error.message().unwrap_or_default().to_owned());
    let said = escape::terminal(&said);
    match code {
        "NoSuchKey" => "it is not there".to_owned(),
        "NoSuchBucket" => "there is no such bucket".to_owned(),
        "PreconditionFailed" => "it changed while it was being read".to_owned(),
        "InvalidObjectState" => "it is archived: restore it in S3 first".to_owned(),
        code if code.starts_with("KMS.") => {
            format!("its KMS key cannot be used ({code}): enable the key, or wait for it")
        }
        "AccessDenied" if said.to_string().contains("kms:") => {
            format!("not allowed to decrypt it; allow kms:Decrypt on its KMS key: {said}")
        }
        "AccessDenied" | "AccessDeniedException" => format!("not allowed: {said}"),
        code => format!("{}: {said}", escape::terminal(&Untrusted::new(code.to_owned()))),
    }
}
