//! One core, stage by stage, over the same gzip file in memory: unpacking, reading, and the whole way
//! of a record. `cargo bench -p tripline-benches --bench stages`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libdeflater::Decompressor;
use tripline_baseline::{each_passed_role, each_resource};
use tripline_cloudtrail::{Fate, Limits, Reader, Record};
use tripline_engine::{Batch, Config, Filter, Model, Purpose};
use tripline_testkit::{Fleet, FleetSpec, envelope, gzip};
use tripline_text::Untrusted;

fn stages(criterion: &mut Criterion) {
    let events = Fleet::new(FleetSpec::new(7, 12, 2)).events();
    let json = envelope::records(&events);
    let stored = gzip(&json, 6);
    let file = Arc::new(Untrusted::borrowed("bench"));

    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Bytes(json.len() as u64)).sample_size(20);
    group.bench_function("unpack", |bencher| {
        let (mut decompressor, mut buffer) = (Decompressor::new(), vec![0; json.len()]);
        bencher.iter(|| decompressor.gzip_decompress(&stored, &mut buffer));
    });
    group.bench_function("read_plain", |bencher| {
        let mut reader = Reader::new(Limits::default());
        bencher.iter(|| {
            reader.read(&file, &json, &mut |record: &Record<'_>| {
                black_box(record.id());
                Fate::Read
            })
        });
    });
    group.bench_function("read_gzip", |bencher| {
        let mut reader = Reader::new(Limits::default());
        bencher.iter(|| {
            reader.read(&file, &stored, &mut |record: &Record<'_>| {
                black_box(record.id());
                Fate::Read
            })
        });
    });
    let (config, filter) = (Config::default(), Filter::default());
    if let Ok(model) = Model::new(tripline_detector::Invariants::default(), Vec::new()) {
        group.bench_function("whole_way", |bencher| {
            bencher.iter(|| {
                let mut batch = Batch::new(&config, &model, &filter, Purpose::ShowFindings, 1);
                batch.read(&file, &stored);
                batch.finish(&config).map(|report| report.incidents.len())
            });
        });
    }
    group.finish();
    parameters(criterion, &file, &json);
}

/// What a call's parameters tell, by record. As few as fit the cache: a record is asked just after it
/// was read.
fn parameters(criterion: &mut Criterion, file: &Arc<Untrusted<'static>>, json: &[u8]) {
    let mut texts = Vec::new();
    let _ = Reader::new(Limits::default()).read(file, json, &mut |record: &Record<'_>| {
        texts.push(record.as_written().to_owned());
        Fate::Read
    });
    let parsed = texts.iter().map(|text| tripline_cloudtrail::Record::parse(text));
    let records: Vec<_> = parsed.filter_map(Result::ok).take(500).collect();
    let mut group = criterion.benchmark_group("parameters");
    group.throughput(Throughput::Elements(records.len() as u64)).sample_size(20);
    let mut scratch = String::new();
    group.bench_function("each_resource", |bencher| {
        bencher.iter(|| {
            for record in &records {
                each_resource(record, &mut scratch, &mut |resource| {
                    black_box(resource);
                });
            }
        });
    });
    group.bench_function("each_passed_role", |bencher| {
        bencher.iter(|| {
            for record in &records {
                each_passed_role(record, &mut scratch, &mut |role| {
                    black_box(role);
                });
            }
        });
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
