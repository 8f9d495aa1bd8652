//! What one object costs the detector, state included: processor time, the peak of its memory, and what
//! it leaves in the state.
//!
//! `cargo bench -p tripline-benches --bench live -- [RECORDS]`: an object of so many records (30,000)
//! by a fleet of agents, taken in by a fresh state, then once more by a state that knows it, then an
//! object of the hour after it.
//!
//! `cargo bench -p tripline-benches --bench live -- init BOOTSTRAP`: how soon the functions' program, as
//! `cargo xtask package` packs it, asks for its first event.
//!
//! `cargo bench -p tripline-benches --bench live -- scale`: what writing and reading a set, and taking an
//! object of 1,000 records in, cost with 1,000, 100,000 and a million sessions in the state.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench measures with the clock, prints, and may fail loudly"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tripline_benches::{arguments, median};
use tripline_cloudtrail::EventTime;
use tripline_detector::Invariants;
use tripline_engine::{Config, Entry, Model, PartitionId, Provenance};
use tripline_runtime::{EmbeddedState, Live, Models, Page, State, StateError};
use tripline_testkit::{AttackPlan, Fleet, FleetSpec, envelope, gzip};
use tripline_text::Untrusted;

fn main() {
    let mut arguments = arguments().into_iter();
    let (what, of) = (arguments.next(), arguments.next());
    match (what.as_deref(), of) {
        (Some("make"), Some(directory)) => make(Path::new(&directory), arguments.next()),
        (Some("init"), Some(program)) => init(&program),
        (Some("scale"), _) => scale(),
        (records, _) => measure(records.unwrap_or("30000")),
    }
}

/// Makes the objects. In a process of its own: what it leaves of the heap would slow the other down.
fn make(directory: &Path, records: Option<String>) {
    let records: usize = records.unwrap().parse().unwrap();
    let mut spec = FleetSpec::new(7, 300, u32::try_from(records / 30_000).unwrap().max(1) * 2);
    spec.attacks = AttackPlan::OneIn(200);
    let events = Fleet::new(spec).events();
    let (first, rest) = events.split_at(records.min(events.len()));
    let second = rest.get(..1_000.min(rest.len())).unwrap();
    let now = events.iter().map(|event| event.time).max().unwrap();
    fs::write(directory.join("now"), now.to_string()).unwrap();
    for (name, events) in [("first", first), ("second", second)] {
        fs::write(directory.join(name), gzip(&envelope::records(events), 6)).unwrap();
    }
}

/// The objects, and a time by the clock that suits them.
fn made(directory: &Path, records: &str) -> ([(Page, Provenance); 2], EventTime) {
    let program = std::env::current_exe().unwrap();
    let made = Command::new(program).arg("make").arg(directory).arg(records).status();
    assert!(made.unwrap().success());
    let now = fs::read_to_string(directory.join("now")).unwrap();
    let now = EventTime::from_unix_secs(now.parse().unwrap()).unwrap();
    (["first", "second"].map(|name| page(directory, name)), now)
}

/// From the start of the program to its first question (Lambda/runtimes-api), as each function.
fn init(program: &str) {
    for role in ["detector", "responder", "desk"] {
        let times = median_ms(21, |_| {
            let lambda = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut started = Command::new(program)
                .env_clear()
                .env("AWS_LAMBDA_RUNTIME_API", lambda.local_addr().unwrap().to_string())
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", "none")
                .env("AWS_SECRET_ACCESS_KEY", "none")
                // Nothing is called before there is an event, but who the responder is.
                .env("AWS_ENDPOINT_URL", who_am_i())
                .env("AWS_LAMBDA_FUNCTION_NAME", role)
                .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
                .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
                .env("TRIPLINE_ROLE", role)
                .env("TRIPLINE_TABLE", "none")
                .env("TRIPLINE_BUCKETS", "none")
                .env("TRIPLINE_PRESS_QUEUE_URL", "http://127.0.0.1:9/none")
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let mut asked = [0; 4];
            lambda.accept().unwrap().0.read_exact(&mut asked).unwrap();
            assert_eq!(&asked, b"GET ");
            started.kill().unwrap();
            started.wait().unwrap();
        });
        println!("{role:<10} asks for its first event after {times:>5.1} ms (median of 21)");
    }
}

/// A service that says who somebody is, once.
fn who_am_i() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().take(1) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8_192]).unwrap();
            let body = "<GetCallerIdentityResponse><GetCallerIdentityResult><UserId>AROAEXAMPLE:r</UserId><Account>123456789012</Account><Arn>arn:aws:sts::123456789012:assumed-role/Responder/r</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>";
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length:";
            write!(stream, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    url
}

/// What the same costs with more and more in the state: medians of several, by the clock.
fn scale() {
    const CALLS: u64 = 1_000;
    const ROUNDS: u64 = 9;
    let directory = tempfile::tempdir().unwrap();
    let ([object, _], now) = made(directory.path(), "1000");
    let config = Config::parse("version = 1\n").unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    println!("sessions,agents,items,put_1000_ms,read_1000_ms,object_of_1000_records_ms");
    for (sessions, agents) in [(1_000_u64, 100_u64), (100_000, 10_000), (1_000_000, 100_000)] {
        let directory = tempfile::tempdir().unwrap();
        let state = EmbeddedState::open(directory.path()).unwrap();
        // Three sets a session, one an agent.
        let items = sessions * 3 + agents;
        let entry = |nth: u64| Entry {
            partition: PartitionId::from_bytes(spread(nth)),
            value: [spread(nth); 32].concat(),
            until: now,
        };
        let put = |from: u64, count: u64| {
            let entries: Vec<Entry> = (from..from + count).map(entry).collect();
            runtime.block_on(state.put(&entries)).unwrap();
        };
        for from in (0..items).step_by(50_000) {
            put(from, 50_000.min(items - from));
        }
        let read = |round: u64| {
            // Far from each other.
            let which = (0..CALLS).map(|nth| (nth * 7_919 + round * 104_729) % items);
            let known: Vec<PartitionId> = which.map(|nth| entry(nth).partition).collect();
            drop(runtime.block_on(state.read(&known)).unwrap());
        };
        let live = Live::new(Models::Whole(&config, &model), &state, 1);
        let take_in = || {
            let pages = std::slice::from_ref(&object);
            assert!(runtime.block_on(live.take_in(pages, now)).unwrap().tally.records.seen > 0);
        };
        let puts = median_ms(ROUNDS, |round| put(items + round * CALLS, CALLS));
        let reads = median_ms(ROUNDS, read);
        let taken = median_ms(ROUNDS, |_| take_in());
        println!("{sessions},{agents},{items},{puts:.1},{reads:.1},{taken:.1}");
    }
}

/// Bytes that look like a hash.
fn spread(nth: u64) -> [u8; 16] {
    let mixed = (u128::from(nth) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    mixed.to_be_bytes()
}

/// How many milliseconds one round takes, as the median.
fn median_ms(rounds: u64, mut work: impl FnMut(u64)) -> f64 {
    let timed = (0..rounds).map(|round| {
        let started = Instant::now();
        work(round);
        started.elapsed().as_secs_f64() * 1e3
    });
    median(timed.collect())
}

fn measure(records: &str) {
    let directory = tempfile::tempdir().unwrap();
    let ([first, second], now) = made(directory.path(), records);
    println!("records                        {records:>10}");
    println!("object                         {:>10} bytes", first.0.bytes.len());

    let directory = tempfile::tempdir().unwrap();
    let inner = EmbeddedState::open(directory.path()).unwrap();
    let state = Counting {
        inner,
        items: AtomicU64::new(0),
        sets: AtomicU64::new(0),
        write_units: AtomicU64::new(0),
        read_units: AtomicU64::new(0),
    };
    let config = Config::parse("version = 1\n").unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let live = Live::new(Models::Whole(&config, &model), &state, 1);
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
            "{what:<6} {:>7} records  {:>6.0} ms cpu  {:>6} ms wall  {:>6} items written ({:>6} units)  {:>6} sets read ({:>6} units)  {:>4} findings  {:>3} incidents  {:>7} KB above {before} KB",
            delivered.tally.records.seen,
            cpu_ms() - cpu,
            started.elapsed().as_millis(),
            state.items.swap(0, Ordering::Relaxed),
            state.write_units.swap(0, Ordering::Relaxed),
            state.sets.swap(0, Ordering::Relaxed),
            state.read_units.swap(0, Ordering::Relaxed),
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

/// A state that counts what is asked of it: a store elsewhere is paid by items and sets.
struct Counting<S> {
    inner: S,
    items: AtomicU64,
    sets: AtomicU64,
    write_units: AtomicU64,
    read_units: AtomicU64,
}

/// What DynamoDB counts besides a value: its keys, and when it may be forgotten.
const ITEM_BYTES: usize = 100;

fn units(bytes: usize, a_unit: usize) -> u64 {
    bytes.div_ceil(a_unit).max(1) as u64
}

impl<S: State> State for Counting<S> {
    async fn put(&self, entries: &[Entry]) -> Result<(), StateError> {
        self.items.fetch_add(entries.len() as u64, Ordering::Relaxed);
        let written = entries.iter().map(|entry| units(entry.value.len() + ITEM_BYTES, 1 << 10));
        self.write_units.fetch_add(written.sum(), Ordering::Relaxed);
        self.inner.put(entries).await
    }

    async fn claim(&self, entry: &Entry) -> Result<bool, StateError> {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.inner.claim(entry).await
    }

    async fn read(&self, partitions: &[PartitionId]) -> Result<Vec<Vec<Vec<u8>>>, StateError> {
        self.sets.fetch_add(partitions.len() as u64, Ordering::Relaxed);
        let sets = self.inner.read(partitions).await?;
        // A query adds up what it finds, which is read as it stands now.
        let bytes = sets.iter().map(|set| set.iter().map(|value| value.len() + ITEM_BYTES).sum());
        let read = bytes.map(|bytes: usize| units(bytes, 4 << 10));
        self.read_units.fetch_add(read.sum(), Ordering::Relaxed);
        Ok(sets)
    }
}

fn page(directory: &Path, name: &'static str) -> (Page, Provenance) {
    let file = Arc::new(Untrusted::borrowed(name));
    (Page { file, bytes: fs::read(directory.join(name)).unwrap() }, Provenance::Trail)
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
