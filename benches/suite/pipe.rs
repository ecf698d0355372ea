//! Child processes behind pipes: throughput, and the time of a round trip. `cargo bench --bench race` measures the same
//! in turns and prints one table.

use std::time::Duration;

use criterion::{Criterion, Throughput};

use crate::contender::{BATCH, NUMBERS, batch, check_one, contenders, echo};

pub(crate) fn bench(criterion: &mut Criterion) {
    let contenders = contenders();
    let batch = batch();
    let mut group = criterion.benchmark_group("pipe/throughput");
    group.throughput(Throughput::Elements(BATCH)).sample_size(10);
    for contender in &contenders {
        let mut node = contender.start();
        let mut replies = Vec::new();
        group.bench_function(contender.name, |bencher| {
            bencher.iter_custom(|iterations| {
                let run = |_| {
                    replies.clear();
                    let duration = node.exchange(batch.as_bytes(), 1, &mut replies);
                    contender.check(&replies);
                    duration
                };
                (0..iterations).map(run).sum::<Duration>()
            });
        });
    }
    group.finish();

    let message = echo(NUMBERS.start);
    let mut group = criterion.benchmark_group("pipe/pingpong");
    for contender in &contenders {
        let mut node = contender.start();
        group.bench_function(contender.name, |bencher| {
            bencher.iter(|| check_one(node.request(message.as_bytes()), NUMBERS.start));
        });
    }
    group.finish();
}
