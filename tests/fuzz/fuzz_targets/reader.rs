//! Any file, whole and in pieces: no panic, the account reconciles, and the pieces do not matter.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use tripline_cloudtrail::{EventId, Fate, Limits, Reader, Record, Tally};
use tripline_text::Untrusted;

fn collect(ids: &mut Vec<EventId>) -> impl FnMut(&Record<'_>) -> Fate {
    |record| {
        ids.push(record.id());
        Fate::Read
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let file = Arc::new(Untrusted::borrowed("fuzz"));
    let limits = Limits {
        record_bytes_max: 4 << 10,
        unpacked_bytes_max: 1 << 20,
        unpack_whole_bytes_max: 64 << 10,
        ..Limits::default()
    };
    let mut reader = Reader::new(limits);
    let mut whole_ids = Vec::new();
    let whole: Tally = reader.read(&file, bytes, &mut collect(&mut whole_ids));
    assert!(whole.reconcile());

    let mut piece_ids = Vec::new();
    let mut sink = collect(&mut piece_ids);
    let mut stream = reader.stream(&file);
    for piece in bytes.chunks(usize::from(step) + 1) {
        stream.feed(piece, &mut sink);
    }
    let pieces = stream.finish(&mut sink);
    drop(sink);
    assert!(pieces.reconcile());
    // A record over the limit may be found too long before its end is seen: only then may the
    // two ways differ.
    if bytes.len() < limits.record_bytes_max && !bytes.starts_with(&[0x1f, 0x8b]) {
        assert_eq!(whole_ids, piece_ids);
        assert_eq!(whole.records, pieces.records);
    }
});
