//! Where pages of log come from, and the loop that takes them in.

use std::sync::Arc;

use thiserror::Error;
use tripline_engine::Batch;
use tripline_text::{Untrusted, escape};

/// A file or an object, as stored.
#[derive(Debug)]
pub struct Page {
    /// Where it is from.
    pub file: Arc<Untrusted<'static>>,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A page that could not be fetched.
#[derive(Debug, Error)]
#[error("cannot fetch `{}`: {why}", escape::terminal(.file))]
pub struct SourceError {
    /// Which.
    pub file: Arc<Untrusted<'static>>,
    /// What the other side said.
    pub why: String,
}

/// Gives pages one after another.
pub trait Source {
    /// The next page; `None` when there is none left. An error is about that page only.
    fn next(&mut self) -> impl Future<Output = Option<Result<Page, SourceError>>> + Send;
}

/// Takes all pages of a source in. One that cannot be fetched is noted in the batch's tally, like
/// one that cannot be read.
pub async fn drive(source: &mut impl Source, batch: &mut Batch<'_>) {
    while let Some(page) = source.next().await {
        match page {
            Ok(page) => batch.read(&page.file, &page.bytes),
            Err(error) => batch.unreadable(error.file, error.why),
        }
    }
}
