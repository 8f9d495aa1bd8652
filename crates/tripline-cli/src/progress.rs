//! How far a run is, on stderr, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tripline_history::Progress;

/// A progress bar over stored bytes.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target(quiet));
        set_form(&bar, "{bar:30} {bytes}/{total_bytes} {msg} {eta} left");
        Self(bar)
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// However a run ends: what went wrong stands on a line of its own.
impl Drop for Bar {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Progress for Bar {
    fn total(&self, files: u64, stored_bytes: u64) {
        if stored_bytes == 0 {
            // An event history does not say how long it is.
            self.0.set_length(files);
            set_form(&self.0, "{bar:30} {pos}/{len} files {eta} left");
            return;
        }
        self.0.set_length(stored_bytes);
        self.0.set_message(format!("of {files} files"));
    }

    fn file(&self, stored_bytes: u64, _records: u64) {
        self.0.inc(if self.0.message().is_empty() { 1 } else { stored_bytes });
    }
}

/// How many files were found, while they are listed.
#[derive(Debug)]
#[cfg(feature = "aws")]
pub(crate) struct Listing(ProgressBar);

#[cfg(feature = "aws")]
impl Listing {
    pub(crate) fn new(what: &'static str, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(quiet)).with_prefix(what);
        set_form(&bar, "{spinner} {prefix} {msg}");
        Self(bar)
    }

    pub(crate) fn found(&self, place: &str, files: u64) {
        self.0.set_message(format!("{place}: {files} files"));
        self.0.tick();
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn target(quiet: bool) -> ProgressDrawTarget {
    if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
}

fn set_form(bar: &ProgressBar, form: &str) {
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
}
