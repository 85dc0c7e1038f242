//! What deadlines cost: the timing wheel beside a sorted set, with 100,000 timers.

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use msrp_session::{TimerKey, Timestamp, TimingWheel};

/// Timers of as many sessions.
const TIMERS: u64 = 100_000;
const MS: u64 = 1_000_000;

/// Deadlines spread over the 30 s that most timers run, in no order.
fn deadline(index: u64) -> Timestamp {
    let spread = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
    Timestamp::from_ns(1000 * MS + spread % (30_000 * MS))
}

/// As large as what a shard keeps with a timer.
type Value = (u64, u32);

fn value(index: u64) -> Value {
    (index, 1)
}

fn full_wheel() -> (TimingWheel<Value>, Vec<TimerKey>) {
    let mut wheel = TimingWheel::new();
    let keys = (0..TIMERS).filter_map(|index| wheel.set(deadline(index), value(index)));
    let keys = keys.collect();
    (wheel, keys)
}

fn full_set() -> BTreeSet<(Timestamp, Value)> {
    let mut set = BTreeSet::new();
    for index in 0..TIMERS {
        set.insert((deadline(index), value(index)));
    }
    set
}

/// A shard that looks every millisecond.
fn fire_wheel(wheel: &mut TimingWheel<Value>) -> u64 {
    let mut fired = 0;
    for ms in 0..31_100 {
        while let Some(value) = wheel.due(Timestamp::from_ns(ms * MS)) {
            black_box(value);
            fired += 1;
        }
    }
    fired
}

fn fire_set(set: &mut BTreeSet<(Timestamp, Value)>) -> u64 {
    let mut fired = 0;
    for ms in 0..31_100 {
        while let Some(first) = set.first()
            && first.0 <= Timestamp::from_ns(ms * MS)
        {
            black_box(set.pop_first());
            fired += 1;
        }
    }
    fired
}

fn timers(c: &mut Criterion) {
    let mut group = c.benchmark_group("timer wheel");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(TIMERS));
    group.bench_function("set_100000", |b| b.iter(full_wheel));
    group.bench_function("set_100000_sorted_set", |b| b.iter(full_set));
    group.bench_function("fire_100000", |b| {
        b.iter_batched_ref(full_wheel, |(w, _)| fire_wheel(w), BatchSize::LargeInput);
    });
    group.bench_function("fire_100000_sorted_set", |b| {
        b.iter_batched_ref(full_set, fire_set, BatchSize::LargeInput);
    });
    group.bench_function("cancel_100000", |b| {
        b.iter_batched_ref(
            full_wheel,
            |(wheel, keys)| {
                for &key in keys.iter() {
                    black_box(wheel.cancel(key));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("cancel_100000_sorted_set", |b| {
        b.iter_batched_ref(
            full_set,
            |set| {
                for index in 0..TIMERS {
                    black_box(set.remove(&(deadline(index), value(index))));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    // One session's timer among those of all others: set, not needed, set again.
    let mut group = c.benchmark_group("timer wheel, one among 100000");
    let (mut wheel, _) = full_wheel();
    let mut index = 0;
    group.bench_function("set_and_cancel", |b| {
        b.iter(|| {
            index += 1;
            let key = wheel.set(deadline(index), value(index));
            key.and_then(|key| wheel.cancel(key))
        });
    });
    let mut set = full_set();
    group.bench_function("set_and_cancel_sorted_set", |b| {
        b.iter(|| {
            index += 1;
            let timer = (deadline(index), value(TIMERS + index));
            set.insert(timer);
            set.remove(&timer)
        });
    });
    group.finish();
}

criterion_group!(benches, timers);
criterion_main!(benches);
