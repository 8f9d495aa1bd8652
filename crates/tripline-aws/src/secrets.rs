//! Secrets, where they are kept.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use thiserror::Error;

/// A secret that cannot be had.
#[derive(Debug, Error)]
#[error("the secret `{id}` cannot be read: {why}")]
pub struct SecretError {
    id: String,
    why: String,
}

/// The text of a secret of Secrets Manager, by its name or ARN.
///
/// # Errors
/// [`SecretError`].
pub async fn secret(config: &SdkConfig, id: &str) -> Result<String, SecretError> {
    let failed = |why| SecretError { id: id.to_owned(), why };
    let request = Client::new(config).get_secret_value().secret_id(id);
    let answer = request.send().await;
    let answer = answer.map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
    answer.secret_string.ok_or_else(|| failed("it is not text".to_owned()))
}
