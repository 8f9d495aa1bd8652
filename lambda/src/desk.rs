//! The desk: the one function that anybody may call, by its URL. It checks signatures and passes on what
//! was pressed, with what makes it believed, to the responder, which checks again. It has no right but
//! to read two secrets and to send to one queue.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{error, warn};
use tripline_aws::{Queue, door};
use tripline_chat::{Answer, BODY_BYTES_MAX, Door, Heard, Opened, Request, Sealed, Unbelievable};
use tripline_engine::Approvals;
use tripline_runtime::PRESSED;

use crate::log::{count, harmless, now};
use crate::settings::{Settings, SetupError, Shelves};

/// What answers whoever calls.
#[derive(Debug)]
pub(crate) struct Desk<'s> {
    settings: &'s Settings,
    shelves: Shelves<'s>,
    aws: SdkConfig,
    presses: Queue,
    door: Mutex<Arc<(Approvals, Door)>>,
}

/// A call by the function's URL (Lambda/urls-invocation, payload format 2.0).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: Context,
}

#[derive(Debug, Deserialize)]
struct Context {
    http: Http,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<IpAddr>,
}

impl<'s> Desk<'s> {
    pub(crate) async fn new(aws: &SdkConfig, settings: &'s Settings) -> Result<Self, Error> {
        let shelves = Shelves::open(&settings.home, aws).await?;
        let presses = settings.presses.clone();
        let presses = presses.ok_or(SetupError::Missing("TRIPLINE_PRESS_QUEUE_URL"))?;
        let presses = Queue::new(aws, presses);
        let door = Mutex::new(Arc::default());
        let desk = Self { settings, shelves, aws: aws.clone(), presses, door };
        // What is wrong with a secret is said at once.
        desk.door().await;
        Ok(desk)
    }

    /// Whom to believe, by the settings in force.
    async fn door(&self) -> Arc<(Approvals, Door)> {
        // What is held is whole at any time.
        let held = || self.door.lock().unwrap_or_else(PoisonError::into_inner);
        let in_force = self.shelves.in_force().await;
        let approvals = self.settings.approvals(in_force.models().config());
        // Links are read here, and lead wherever the responder says.
        let url = approvals.link_key.as_ref().map(|_| String::new());
        let approvals = Approvals { url, ..approvals };
        let known = Arc::clone(&held());
        if known.0 == approvals {
            return known;
        }
        let (door, unusable) = door(&self.aws, &approvals).await;
        for error in unusable {
            error!("{}", harmless(error));
        }
        let opened = Arc::new((approvals, door));
        *held() = Arc::clone(&opened);
        opened
    }

    /// Answers a call.
    pub(crate) async fn handle(&self, event: Value) -> Result<Value, Error> {
        let call: Call = serde_json::from_value(event)?;
        let address = call.request_context.http.source_ip;
        let door = self.door().await;
        let (answer, counted) = match open(&door.1, &call) {
            Ok(Opened::Look(link, token)) => (Answer::to_link(&link, &token), "LinksOpened"),
            Ok(Opened::Pressed(sealed)) => (self.pass_on(&sealed, address).await, "PressesTaken"),
            Err(why) => {
                let address = address.map(|address| address.to_string());
                warn!(address, "a request was refused: {}", harmless(why));
                (Answer::refusal(why), "PressesRefused")
            }
        };
        count("desk", &[(counted, 1)]);
        let headers: BTreeMap<_, _> = Answer::headers().into_iter().collect();
        Ok(json!({"statusCode": answer.status, "headers": headers, "body": answer.page}))
    }

    async fn pass_on(&self, sealed: &Sealed, address: Option<IpAddr>) -> Answer {
        let message = json!({PRESSED: {"version": 1, "sealed": sealed, "address": address}});
        match self.presses.send(message.to_string()).await {
            Ok(()) => match sealed {
                Sealed::Slack { .. } => Answer::to_slack(),
                Sealed::Link { .. } => Answer::to_form(Heard::TakenIn),
            },
            Err(error) => {
                error!("{}", harmless(error));
                Answer::unavailable()
            }
        }
    }
}

fn open(door: &Door, call: &Call) -> Result<Opened, Unbelievable> {
    let body = call.body.as_deref().unwrap_or_default();
    // Base64 is longer by a third.
    if body.len() > BODY_BYTES_MAX * 2 {
        return Err(Unbelievable::TooLarge);
    }
    let body = match call.is_base64_encoded {
        true => BASE64_STANDARD.decode(body).map_err(|_| Unbelievable::NotOurs)?,
        false => body.as_bytes().to_vec(),
    };
    let header = |name: &str| call.headers.get(name).map_or("", String::as_str);
    let request = Request {
        method: &call.request_context.http.method,
        path: &call.raw_path,
        query: &call.raw_query_string,
        slack_timestamp: header("x-slack-request-timestamp"),
        slack_signature: header("x-slack-signature"),
        body: &body,
    };
    door.open(request, now().unix_secs())
}
