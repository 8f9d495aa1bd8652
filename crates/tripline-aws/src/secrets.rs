//! Secrets, where they are kept.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_ssm::types::ParameterType;
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
    let read = match place {
        SecretRef::Environment(name) => {
            std::env::var(name).map_err(|_| "the variable is not set".to_owned())
        }
        SecretRef::Secret(id) => secret(config, id).await,
        SecretRef::Parameter(name) => parameter(config, name).await,
    };
    read.map_err(|why| SecretError { place: place.to_string(), why })
}

/// The text of a secret of Secrets Manager.
async fn secret(config: &SdkConfig, id: &str) -> Result<String, String> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(refused)?;
    answer.secret_string.ok_or_else(|| "it is not text".to_owned())
}

/// The text of a SecureString of Parameter Store. What is kept there in the open is no secret, and is
/// not taken for one.
async fn parameter(config: &SdkConfig, name: &str) -> Result<String, String> {
    let client = aws_sdk_ssm::Client::new(config);
    let asked = client.get_parameter().name(name).with_decryption(true);
    let answer = asked.send().await.map_err(refused)?;
    let parameter = answer.parameter.ok_or_else(|| "it is not there".to_owned())?;
    if parameter.r#type != Some(ParameterType::SecureString) {
        return Err("it is not encrypted: put it there again, of type SecureString".to_owned());
    }
    parameter.value.ok_or_else(|| "it is empty".to_owned())
}

/// What AWS said, in short: the whole answer is no use to anybody here.
fn refused<E>(error: E) -> String
where
    E: std::error::Error + ProvideErrorMetadata,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}
