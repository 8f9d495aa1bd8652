//! Messages over HTTP, to a URL that is itself the secret (Slack's incoming webhooks).

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use thiserror::Error;

use crate::messenger::{Messenger, PostError};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 1 << 10;

/// Posts to a webhook.
pub struct Webhook {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows the path may post.
        f.debug_struct("Webhook").field("host", &self.url.host()).finish_non_exhaustive()
    }
}

/// A URL that messages are not posted to. It is not repeated: it may be a secret.
#[derive(Debug, Error)]
pub enum InvalidWebhook {
    /// It is no URL.
    #[error("the webhook is no URL")]
    NoUrl,
    /// Anybody on the way could read and change it.
    #[error("the webhook is not https")]
    NotHttps,
    /// This machine trusts nobody.
    #[error("this machine has no certificates to trust: {0}")]
    NoRoots(std::io::Error),
}

impl Webhook {
    /// The webhook at this URL: https, or on this very machine.
    ///
    /// # Errors
    /// [`InvalidWebhook`].
    pub fn new(url: &str) -> Result<Self, InvalidWebhook> {
        let url: Uri = url.trim().parse().map_err(|_| InvalidWebhook::NoUrl)?;
        let host = url.host().ok_or(InvalidWebhook::NoUrl)?;
        let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
        if url.scheme_str() != Some("https") && !is_here {
            return Err(InvalidWebhook::NotHttps);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(InvalidWebhook::NoRoots)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), url })
    }

    async fn call(&self, message: &Value) -> Result<Response<hyper::body::Incoming>, String> {
        let body = Full::new(Bytes::from(message.to_string()));
        let request = Request::post(&self.url).header(CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(CALL, self.client.request(request)).await;
        // The error of the client names no URL.
        answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())
    }
}

impl Messenger for Webhook {
    async fn post(&self, message: &Value) -> Result<(), PostError> {
        let again = |after_secs, why| PostError::Again { after_secs, why };
        let answer = self.call(message).await.map_err(|why| again(None, why))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let after = answer.headers().get(RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let said = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
        let said: String = said.unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        let why = format!("the service answered {}: {said}", status.as_u16());
        let may_pass = status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT
            || status.is_server_error();
        Err(if may_pass { again(after, why) } else { PostError::Refused(why) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::messenger::deliver;
    use crate::responder::Clock;

    /// Answers one connection after another; what each asked for.
    async fn serve(listener: TcpListener, answers: &[&str]) -> Vec<String> {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            let mut buffer = [0; 4_096];
            while !request.ends_with('}') {
                let count = stream.read(&mut buffer).await.unwrap();
                request.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            asked.push(request);
        }
        asked
    }

    #[derive(Default)]
    struct Waits(Mutex<Vec<u64>>);

    impl Clock for Waits {
        fn now_unix_ms(&self) -> i64 {
            0
        }
        async fn sleep(&self, milliseconds: u64) {
            self.0.lock().unwrap().push(milliseconds);
        }
    }

    async fn posted(answers: &[&str]) -> (Result<(), PostError>, Vec<String>, Vec<u64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/services/SECRET", listener.local_addr().unwrap());
        let webhook = Webhook::new(&url).unwrap();
        assert!(!format!("{webhook:?}").contains("SECRET"));
        let (waits, message) = (Waits::default(), json!({"text": "hello"}));
        let posts = deliver(&webhook, &waits, &message);
        let (ended, asked) = tokio::join!(posts, serve(listener, answers));
        (ended, asked, waits.0.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_message_is_posted_again_when_the_service_asks_for_it() {
        let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let down = "HTTP/1.1 503 Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let fine = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        let (ended, asked, waits) = posted(&[busy, down, fine]).await;
        assert_eq!((ended, waits), (Ok(()), vec![7_000, 1_000]));
        assert!(asked.iter().all(|asked| asked.starts_with("POST /services/SECRET HTTP/1.1")));
        assert!(asked.iter().all(|asked| asked.ends_with(r#"{"text":"hello"}"#)));
    }

    #[tokio::test]
    async fn a_message_that_is_refused_is_not_posted_again() {
        let gone =
            "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 10\r\n\r\nno_service";
        let (ended, asked, _) = posted(&[gone]).await;
        let why = "the service answered 404: no_service".to_owned();
        assert_eq!((ended, asked.len()), (Err(PostError::Refused(why)), 1));
    }

    #[test]
    fn a_webhook_is_https_or_here() {
        assert!(matches!(Webhook::new("http://example.org/x"), Err(InvalidWebhook::NotHttps)));
        assert!(matches!(Webhook::new("not a url"), Err(InvalidWebhook::NoUrl)));
        assert!(Webhook::new("https://hooks.slack.com/services/x").is_ok());
    }
}
