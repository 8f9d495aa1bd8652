//! What one object costs the detector, state included: processor time, the peak of its memory, and what
//! it leaves in the state.
//!
//! `cargo bench -p tripline-benches --bench live -- [RECORDS]`: an object of so many records (30,000)
//! by a fleet of agents, taken in by a fresh state, then once more by a state that knows it, then an
//! object of the hour after it.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures with the clock, prints, and may fail loudly"
)]

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use tripline_cloudtrail::EventTime;
use tripline_detector::Invariants;
use tripline_engine::{Config, Model, Provenance};
use tripline_runtime::{EmbeddedState, Live, Page};
use tripline_testkit::{AttackPlan, Event, Fleet, FleetSpec, envelope, gzip};
use tripline_text::Untrusted;

fn main() {
    let records = std::env::args().filter_map(|argument| argument.parse().ok()).next();
    let records: usize = records.unwrap_or(30_000);
    let mut spec = FleetSpec::new(7, 300, 2);
    spec.attacks = AttackPlan::OneIn(200);
    let events = Fleet::new(spec).events();
    let (first, rest) = events.split_at(records.min(events.len()));
    let second = rest.get(..1_000.min(rest.len())).unwrap();
    let now = events.iter().map(|event| event.time).max().unwrap();
    let now = EventTime::from_unix_secs(now).unwrap();
    let (first, second) = (page("first", first), page("second", second));
    println!("records                        {records:>10}");
    println!("object                         {:>10} bytes", first.0.bytes.len());

    let directory = tempfile::tempdir().unwrap();
    let state = EmbeddedState::open(directory.path()).unwrap();
    let config = Config::parse("version = 1\n").unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let live = Live::new(&config, &model, &state, 1);
    drop(events);
    for (what, page) in [("first", &first), ("again", &first), ("next", &second)] {
        reset_peak();
        let before = resident_kb("VmRSS");
        let (started, cpu) = (Instant::now(), cpu_ms());
        let delivered = runtime.block_on(async {
            let delivered = live.take_in(std::slice::from_ref(page), now).await.unwrap();
            live.told(&delivered).await.unwrap();
            delivered
        });
        println!(
            "{what:<6} {:>7} records  {:>6.0} ms cpu  {:>6} ms wall  {:>4} findings  {:>3} incidents  {:>7} KB above {before} KB",
            delivered.tally.records.seen,
            cpu_ms() - cpu,
            started.elapsed().as_millis(),
            delivered.findings.len(),
            delivered.incidents.len(),
            resident_kb("VmHWM").saturating_sub(before),
        );
    }
    let stored: u64 = fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    println!("state on disk                  {stored:>10} bytes");
}

fn page(name: &'static str, events: &[Event]) -> (Page, Provenance) {
    let file = Arc::new(Untrusted::borrowed(name));
    (Page { file, bytes: gzip(&envelope::records(events), 6) }, Provenance::Trail)
}

/// Of this thread, which does all the work.
fn cpu_ms() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = stat.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e6
}

fn reset_peak() {
    // Not everywhere allowed; then the peak is that of all before.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn resident_kb(which: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
