//! Objects fetched ahead of whoever reads them, within bounds: so many calls at once, and so many bytes.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::RequestPayer;
use futures_util::stream::{self, StreamExt};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tripline_runtime::{Arrived, Content, Feed, Listed};

use super::remote::why;

/// Calls at once: an answer takes a tenth of a second to begin, wherever it comes from.
const AT_ONCE: usize = 32;
/// How many KB of objects are on their way or wait to be read.
const IN_FLIGHT_KB: u32 = 64 << 10;
/// Objects up to this are fetched whole: nearly all that trails write.
const WHOLE_BYTES_MAX: u64 = 8 << 20;
/// Longer ones come in pieces of about this, of which so many wait to be read.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 8;
/// How often an object is fetched whose body breaks off.
const TRIES: u32 = 3;

/// Objects of a bucket.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) payer: Option<RequestPayer>,
    pub(super) files: Vec<Listed>,
}

/// Objects on their way.
pub(super) struct Fetching {
    arrived: Mutex<mpsc::Receiver<Arrived>>,
    task: JoinHandle<()>,
}

impl Fetching {
    /// Begins to fetch those at `which` places.
    pub(super) fn begin(runtime: &Runtime, objects: Arc<Objects>, which: Vec<usize>) -> Self {
        let (to, from) = mpsc::channel(1);
        let room = Arc::new(Semaphore::new(IN_FLIGHT_KB as usize));
        let fetch_all = async move {
            let fetches =
                which.into_iter().map(|nth| {
                    let (objects, room) = (Arc::clone(&objects), Arc::clone(&room));
                    async move {
                        Arrived { nth, content: objects.fetch(nth, room).await, has_more: false }
                    }
                });
            let mut fetches = stream::iter(fetches).buffer_unordered(AT_ONCE);
            while let Some(arrived) = fetches.next().await {
                if to.send(arrived).await.is_err() {
                    return;
                }
            }
        };
        Self { arrived: Mutex::new(from), task: runtime.spawn(fetch_all) }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Feed for Fetching {
    fn next(&self) -> Option<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }
}

/// Bytes, and the room they take until they are read.
struct Held<B> {
    bytes: B,
    _room: Option<OwnedSemaphorePermit>,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Objects {
    async fn fetch(&self, nth: usize, room: Arc<Semaphore>) -> Content {
        let Some(file) = self.files.get(nth) else { return Content::Missing(String::new()) };
        let is_whole = file.bytes <= WHOLE_BYTES_MAX;
        let bytes = if is_whole { file.bytes } else { (PIECE_BYTES * PIECES) as u64 };
        let kilobytes = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(IN_FLIGHT_KB);
        let room = room.acquire_many_owned(kilobytes.clamp(1, IN_FLIGHT_KB)).await.ok();
        let fetched = match is_whole {
            true => self.whole(file, room).await,
            false => self.pieces(file, room).await,
        };
        fetched.unwrap_or_else(Content::Missing)
    }

    async fn whole(
        &self,
        file: &Listed,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<Content, String> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.get(file).await?.body.collect().await {
                Ok(body) => {
                    let held = Held { bytes: body.into_bytes(), _room: room };
                    return Ok(Content::Whole(Box::new(held)));
                }
                Err(error) if tried >= TRIES => return Err(broke_off(&error)),
                Err(_) => {}
            }
        }
    }

    async fn pieces(
        &self,
        file: &Listed,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<Content, String> {
        let mut body = self.get(file).await?.body;
        let (to, mut from) = mpsc::channel(PIECES);
        // Beside the other fetches, which whoever reads this one may come to need before its end.
        tokio::spawn(async move {
            let (mut piece, _room) = (Vec::with_capacity(PIECE_BYTES), room);
            loop {
                let next = body.next().await;
                let is_last = !matches!(next, Some(Ok(_)));
                let failed = match next {
                    Some(Ok(bytes)) => {
                        piece.extend_from_slice(&bytes);
                        None
                    }
                    Some(Err(error)) => Some(broke_off(&error)),
                    None => None,
                };
                if piece.len() >= PIECE_BYTES || (is_last && !piece.is_empty()) {
                    let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
                    if to.send(Ok(full)).await.is_err() {
                        return;
                    }
                }
                if let Some(why) = failed {
                    // Nobody reads it any more, otherwise.
                    let _ = to.send(Err(why)).await;
                }
                if is_last {
                    return;
                }
            }
        });
        Ok(Content::Pieces(Box::new(std::iter::from_fn(move || from.blocking_recv()))))
    }

    async fn get(&self, file: &Listed) -> Result<GetObjectOutput, String> {
        let start = "s3://".len() + self.bucket.len() + 1;
        let key = file.file.as_unescaped().get(start..).unwrap_or_default();
        self.client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            // What is listed is what is read.
            .set_if_match(file.version.clone())
            .set_request_payer(self.payer.clone())
            .send()
            .await
            .map_err(why)
    }
}

fn broke_off(error: &impl std::fmt::Display) -> String {
    format!("it broke off: {error}")
}
