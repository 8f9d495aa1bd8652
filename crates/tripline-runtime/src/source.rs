//! What comes from where logs are.

use std::sync::Arc;

use tripline_text::Untrusted;

/// A file or an object, as stored.
#[derive(Debug)]
pub struct Page {
    /// Where it is from.
    pub file: Arc<Untrusted<'static>>,
    /// What is in it.
    pub bytes: Vec<u8>,
}
