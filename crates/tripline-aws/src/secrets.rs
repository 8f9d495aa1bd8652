//! Secrets, where they are kept.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata};
use thiserror::Error;
use tripline_engine::SecretRef;

/// A secret that cannot be had. It names the secret, and never repeats it.
#[derive(Debug, Error)]
#[error("the secret `{place}` cannot be read: {why}")]
pub struct SecretError {
    place: String,
    why: String,
}

/// The text of a secret, wherever it is kept.
///
/// # Errors
/// [`SecretError`].
#[expect(clippy::disallowed_methods, reason = "edge: reads the variable that the settings name")]
pub async fn resolve(config: &SdkConfig, place: &SecretRef) -> Result<String, SecretError> {
    let failed = |why: &str| SecretError { place: place.to_string(), why: why.to_owned() };
    match place {
        SecretRef::Environment(name) => {
            std::env::var(name).map_err(|_| failed("the variable is not set"))
        }
        SecretRef::Secret(id) => secret(config, id).await,
    }
}

/// The text of a secret of Secrets Manager, by its name or ARN.
///
/// # Errors
/// [`SecretError`].
pub async fn secret(config: &SdkConfig, id: &str) -> Result<String, SecretError> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let answer = client.get_secret_value().secret_id(id).send().await;
    let answer = answer.map_err(|error| refused(id, error))?;
    let failed = || SecretError { place: id.to_owned(), why: "it is not text".to_owned() };
    answer.secret_string.ok_or_else(failed)
}

/// What AWS said, in short: the whole answer is no use to anybody here.
fn refused<E>(id: &str, error: E) -> SecretError
where
    E: std::error::Error + ProvideErrorMetadata,
{
    let why = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => DisplayErrorContext(error).to_string(),
    };
    SecretError { place: id.to_owned(), why }
}
