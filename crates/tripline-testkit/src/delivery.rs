//! From records to files: CloudTrail's keys, its order inside a file (none), and its duplicates.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::batch::{Batch, Kind};
use crate::civil::{self, Civil};
use crate::json::lossless;
use crate::rng::{Rng, hash};
use crate::world::{REGIONS, World};

const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// When a file is full.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Bytes of JSON; CloudTrail's own maximum is 50 MB.
    pub json_bytes_max: usize,
    /// Also at each step of so many seconds of delivery; 0 is never.
    pub slot_secs: u32,
}

impl Default for Cut {
    fn default() -> Self {
        Self { json_bytes_max: 50_000_000, slot_secs: 300 }
    }
}

/// A log file: its key, and its records by number in the batch.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// The object's key.
    pub key: String,
    /// Which records of the batch, in the file's order.
    pub records: Vec<u32>,
    /// It comes from the second trail, so each of its records is a copy.
    pub copy: bool,
}

/// One group of records that may share a file: trail, account, region, kind, slot.
type Group = (bool, u16, u8, Kind, i64);

/// Sorts the records of a batch into files. `unit` names the batch, so that no two batches make the same key.
#[must_use]
pub fn files(world: &World, batch: &Batch, cut: Cut, unit: u64) -> Vec<LogFile> {
    let mut groups: BTreeMap<Group, Vec<u32>> = BTreeMap::new();
    for (number, meta) in batch.records.iter().enumerate() {
        let slot = if cut.slot_secs == 0 {
            0
        } else {
            let step = i64::from(cut.slot_secs);
            meta.delivery.div_euclid(step) * step
        };
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        for copy in [false, true] {
            if !copy || meta.twice {
                let group = (copy, meta.account, meta.region, meta.kind, slot);
                groups.entry(group).or_default().push(number);
            }
        }
    }
    let mut rng = Rng::stream(world.spec.seed, &[6, unit]);
    let mut files = Vec::new();
    for (group, mut numbers) in groups {
        numbers.sort_by_key(|number| batch.records[*number as usize].delivery);
        for range in cuts(batch, &numbers, cut.json_bytes_max) {
            let mut records = numbers[range].to_vec();
            let delivery = records
                .iter()
                .map(|number| batch.records[*number as usize].delivery)
                .max()
                .unwrap_or(world.spec.start);
            jumble(&mut records, &mut rng);
            files.push(LogFile {
                key: key(world, group, delivery, &mut rng),
                records,
                copy: group.0,
            });
        }
    }
    files
}

fn cuts(batch: &Batch, numbers: &[u32], bytes_max: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut from, mut bytes) = (0, 14);
    for (place, number) in numbers.iter().enumerate() {
        let meta = &batch.records[*number as usize];
        let size = meta.end - meta.start + 1;
        if bytes + size > bytes_max && place > from {
            ranges.push(from..place);
            (from, bytes) = (place, 14);
        }
        bytes += size;
    }
    ranges.push(from..numbers.len());
    ranges
}

/// A file is roughly in order, and not quite: half of the files are stirred.
fn jumble(records: &mut [u32], rng: &mut Rng) {
    if rng.chance(500) {
        for chunk in records.chunks_mut(16) {
            rng.shuffle(chunk);
        }
    }
}

fn key(world: &World, group: Group, delivery: i64, rng: &mut Rng) -> String {
    let (copy, account, region, kind, _) = group;
    let account = world.account(account);
    let region = REGIONS[region as usize];
    let c = Civil::of(delivery - delivery.rem_euclid(300));
    let organization =
        world.spec.organization.as_ref().map(|id| format!("{id}/")).unwrap_or_default();
    let trail = if copy { "second-trail/" } else { "" };
    let folder = kind.folder();
    let random: Vec<u8> = (0..16).map(|_| *rng.pick(ALNUM)).collect();
    format!(
        "{trail}AWSLogs/{organization}{account}/{folder}/{region}/{:04}/{:02}/{:02}/{account}_{folder}_{region}_{:04}{:02}{:02}T{:02}{:02}Z_{}.json.gz",
        c.year,
        c.month,
        c.day,
        c.year,
        c.month,
        c.day,
        c.hour,
        c.minute,
        lossless(random)
    )
}

/// `{"Records":[...]}` of one file.
pub fn body(batch: &Batch, file: &LogFile, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(b"{\"Records\":[");
    for (place, number) in file.records.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(batch.bytes(&batch.records[*number as usize]));
    }
    out.extend_from_slice(b"]}");
}

/// The key of a digest file, which is under the same prefix and is no log file.
#[must_use]
pub fn digest_key(world: &World, account: u16, region: u8, end: i64) -> String {
    let account = world.account(account);
    let region = REGIONS[region as usize];
    let c = Civil::of(end);
    let mut stamp = Vec::new();
    civil::basic(&mut stamp, end);
    format!(
        "AWSLogs/{account}/CloudTrail-Digest/{region}/{:04}/{:02}/{:02}/{account}_CloudTrail-Digest_{region}_org-trail_us-east-1_{}.json.gz",
        c.year,
        c.month,
        c.day,
        lossless(stamp)
    )
}

/// A gzip member whose bytes depend on nothing but the input and the level.
///
/// # Panics
/// On a level that libdeflate does not know (1 to 12).
#[must_use]
pub fn gzip(bytes: &[u8], level: i32) -> Vec<u8> {
    let level = libdeflater::CompressionLvl::new(level).unwrap_or_default();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut out = vec![0; compressor.gzip_compress_bound(bytes.len())];
    // The bound above is libdeflate's own promise that the output fits.
    let length = compressor.gzip_compress(bytes, &mut out).unwrap_or(0);
    out.truncate(length);
    out
}

/// A name for a unit of work: its stream of file names.
pub(crate) fn unit_name(account: u16, window: u64) -> u64 {
    hash(window, &[u64::from(account)])
}
