//! Calls over HTTPS to chat services.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use thiserror::Error;
use tripline_text::{Untrusted, escape};

use crate::messenger::PostError;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);
/// How much of an answer is read, and how much of it is repeated in an error.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const SAID_CHARS_MAX: usize = 200;

/// Makes calls, over connections that are kept.
#[derive(Clone)]
pub struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// A URL that messages are posted to. It may itself be the secret, and is not printed.
#[derive(Clone)]
pub struct Address(Uri);

/// A URL that messages are not posted to. It is not repeated: it may be a secret.
#[derive(Debug, Error)]
pub enum InvalidAddress {
    /// It is no URL.
    #[error("it is no URL")]
    NoUrl,
    /// Anybody on the way could read and change it.
    #[error("it is not https")]
    NotHttps,
}

/// This machine trusts nobody.
#[derive(Debug, Error)]
#[error("this machine has no certificates to trust: {0}")]
pub struct NoRoots(std::io::Error);

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows the path may post.
        f.debug_struct("Address").field("host", &self.0.host()).finish_non_exhaustive()
    }
}

impl Address {
    /// The address that a URL names: https, or on this very machine.
    ///
    /// # Errors
    /// [`InvalidAddress`].
    pub fn parse(url: &str) -> Result<Self, InvalidAddress> {
        let url: Uri = url.trim().parse().map_err(|_| InvalidAddress::NoUrl)?;
        let host = url.host().ok_or(InvalidAddress::NoUrl)?;
        let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
        if url.scheme_str() != Some("https") && !is_here {
            return Err(InvalidAddress::NotHttps);
        }
        Ok(Self(url))
    }
}

impl Http {
    /// A client that trusts whom this machine trusts.
    ///
    /// # Errors
    /// [`NoRoots`].
    pub fn new() -> Result<Self, NoRoots> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(NoRoots)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Whether anybody answers there, whatever it is. Nothing is set going by it (RFC 9110, 9.2.1).
    pub(crate) async fn knock(&self, at: &Address) -> Result<(), PostError> {
        let request = Request::head(&at.0).body(Full::default());
        let request =
            request.map_err(|_| PostError::Refused("the URL has strange characters".into()))?;
        let answered = tokio::time::timeout(CALL, self.0.request(request)).await;
        match answered {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(again(reason(&error))),
            Err(_) => Err(again("no answer in time".to_owned())),
        }
    }

    /// Posts JSON, with headers besides; what was answered.
    pub(crate) async fn post(
        &self,
        to: &Address,
        token: Option<&str>,
        headers: &[(&'static str, String)],
        body: &Value,
    ) -> Result<Bytes, PostError> {
        let mut request =
            Request::post(&to.0).header(CONTENT_TYPE, "application/json; charset=utf-8");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_string())));
        // The error would repeat the token.
        let request = request.map_err(|_| {
            PostError::Refused("the URL or the token has strange characters".into())
        })?;
        let call = async {
            let answer = self.0.request(request).await.map_err(|error| again(reason(&error)))?;
            let status = answer.status();
            let after = answer.headers().get(RETRY_AFTER);
            let after = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            if status.is_success() {
                return Ok(body);
            }
            let why = format!("the service answered {}: {}", status.as_u16(), said(&body));
            let may_pass = status == StatusCode::TOO_MANY_REQUESTS
                || status == StatusCode::REQUEST_TIMEOUT
                || status.is_server_error();
            Err(match may_pass {
                true => PostError::Again { after_secs: after, why },
                false => PostError::Refused(why),
            })
        };
        let answered = tokio::time::timeout(CALL, call).await;
        answered.unwrap_or_else(|_| Err(again("no answer in time".to_owned())))
    }
}

fn again(why: String) -> PostError {
    PostError::Again { after_secs: None, why }
}

/// What went wrong, to its cause. The client's errors name no URL.
fn reason(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// What a service said, in short.
pub(crate) fn said(body: &[u8]) -> String {
    let said: String = String::from_utf8_lossy(body).chars().take(SAID_CHARS_MAX).collect();
    escape::terminal(&Untrusted::new(said)).to_string()
}
