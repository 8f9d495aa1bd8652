//! Listens for what people press. Whoever connects is anybody: requests are few, small and short, and
//! nothing waits for them.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tripline_chat::{Answer, Door, Heard, Opened, Request, Unbelievable, Wanted};
use tripline_containment::Way;

use crate::responder::Clock;

/// How much of a request is read. What is larger than anything that is pressed is read to its end all
/// the same, since whoever is hung up on hears no answer.
const READ_BYTES_MAX: usize = 1 << 20;
/// How long a connection may last; how many there may be; how many requests may wait to be looked at.
const CONNECTION: Duration = Duration::from_secs(15);
const CONNECTIONS_MAX: usize = 32;
const WAITING_MAX: usize = 16;
/// How long whoever pressed waits for the answer: Slack gives up after three seconds.
const SLACK_WAITS: Duration = Duration::from_millis(2_500);
const PEOPLE_WAIT: Duration = Duration::from_secs(12);

/// Whoever called, and was not merely shown what a link is about.
#[derive(Debug)]
pub enum Caller {
    /// Somebody pressed something.
    Presses(Pressed),
    /// Somebody who is believed in nothing, and was told so. Of very many not all are told of.
    Refused(Unbelievable, IpAddr),
}

/// Something that was pressed, by somebody who is believed.
#[derive(Debug)]
pub struct Pressed {
    /// What.
    pub wanted: Wanted,
    /// From where: behind a proxy, from the proxy.
    pub address: IpAddr,
    answer: oneshot::Sender<Option<Heard>>,
}

impl Pressed {
    /// Says what became of it; nothing if it could not be looked at.
    pub fn answer(self, heard: Option<Heard>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(heard);
    }
}

/// Listens at an address, until the runtime ends; where that is, and who calls.
///
/// # Errors
/// When nobody may listen there.
pub async fn listen<C: Clock + Send + 'static>(
    at: SocketAddr,
    door: Door,
    clock: C,
) -> io::Result<(SocketAddr, mpsc::Receiver<Caller>)> {
    let listener = TcpListener::bind(at).await?;
    let at = listener.local_addr()?;
    let (calls, callers) = mpsc::channel(WAITING_MAX);
    let hall = Arc::new(Hall { door, clock, calls });
    tokio::spawn(async move {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok((stream, from)) = listener.accept().await else {
                // Out of file descriptors, say: not for ever.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            // Whoever finds no room is hung up on.
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
            let hall = Arc::clone(&hall);
            tokio::spawn(async move {
                hall.serve(stream, from.ip()).await;
                drop(permit);
            });
        }
    });
    Ok((at, callers))
}

/// What every connection needs.
struct Hall<C> {
    door: Door,
    clock: C,
    calls: mpsc::Sender<Caller>,
}

impl<C: Clock> Hall<C> {
    async fn serve(&self, stream: TcpStream, from: IpAddr) {
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(response(self.handle(request, from).await))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(CONNECTION)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // Neither its failing nor its end is anybody's concern.
        let _ = tokio::time::timeout(CONNECTION, connection).await;
    }

    async fn handle(&self, request: hyper::Request<Incoming>, from: IpAddr) -> Answer {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, READ_BYTES_MAX).collect().await.map(|body| body.to_bytes());
        let now = self.clock.now_unix_ms().div_euclid(1_000);
        let opened = body.map_err(|_| Unbelievable::TooLarge).and_then(|body| {
            let request = Request {
                method: head.method.as_str(),
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
                slack_timestamp: header(&head.headers, "x-slack-request-timestamp"),
                slack_signature: header(&head.headers, "x-slack-signature"),
                body: &body,
            };
            match self.door.open(request, now)? {
                Opened::Look(link, token) => Ok(Err(Answer::to_link(&link, &token))),
                Opened::Pressed(sealed) => self.door.believe(&sealed, now).map(Ok),
            }
        });
        match opened {
            Ok(Ok(wanted)) => self.pass_on(wanted, from).await,
            Ok(Err(page)) => page,
            Err(why) => {
                // Where too many wait to be told of already, one more is no news.
                let _ = self.calls.try_send(Caller::Refused(why, from));
                Answer::refusal(why)
            }
        }
    }

    async fn pass_on(&self, wanted: Wanted, address: IpAddr) -> Answer {
        let way = wanted.pressing.way;
        let (answer, answered) = oneshot::channel();
        let pressed = Pressed { wanted, address, answer };
        if self.calls.try_send(Caller::Presses(pressed)).is_err() {
            return Answer::unavailable();
        }
        let patience = match way {
            Way::Slack => SLACK_WAITS,
            Way::Link => PEOPLE_WAIT,
        };
        let heard = match tokio::time::timeout(patience, answered).await {
            Ok(Ok(Some(heard))) => heard,
            Ok(Ok(None) | Err(_)) => return Answer::unavailable(),
            // It is looked at as soon as what is under way is done.
            Err(_) => Heard::TakenIn,
        };
        match way {
            Way::Slack => Answer::to_slack(),
            Way::Link => Answer::to_form(heard),
        }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn response(Answer { status, page }: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in Answer::headers() {
        // INVARIANT: all of them are printable ASCII.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
