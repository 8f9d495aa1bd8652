//! How far a run is, on stderr, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tripline_history::Progress;

/// A progress bar over stored bytes.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(quiet: bool) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let form = "{bar:30} {bytes}/{total_bytes} {msg} {eta} left";
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn total(&self, files: u64, stored_bytes: u64) {
        self.0.set_length(stored_bytes);
        self.0.set_message(format!("of {files} files"));
    }

    fn file(&self, stored_bytes: u64, _records: u64) {
        self.0.inc(stored_bytes);
    }
}
