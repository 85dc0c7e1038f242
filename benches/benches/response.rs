//! What reading a response costs: one for each delivered copy when recipients are asked to answer.
#![expect(clippy::unwrap_used, reason = "a bench stops where its input is wrong")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem;
use msrp_wire::{Decoder, Event, Limits};

const RESPONSE: &[u8] =
    b"MSRP Bl4aYvmLGYIQarRxsrfSg0 200 OK\r\nTo-Path: msrp://127.0.0.1:2855/00kjhd37s2s20w2a;tcp\r\n\
    From-Path: msrp://127.0.0.1:7654/jshA7weztas;tcp\r\n-------Bl4aYvmLGYIQarRxsrfSg0$\r\n";

/// Reads all responses; gives how many were a 200.
fn decode(decoder: &mut Decoder, mut input: &[u8]) -> usize {
    let mut count = 0;
    loop {
        let step = decoder.decode(input).unwrap();
        let Some(event) = step.event else {
            return count;
        };
        if let Event::Response(head) = event {
            count += usize::from(black_box(head.transaction_id).as_bytes().len() == 22);
            count -= usize::from(!head.status.is_success());
        }
        input = &input[step.consumed..];
    }
}

/// Finds the end of each response by its hyphens, and looks at three digits.
fn floor(hyphens: &memmem::Finder<'_>, mut input: &[u8]) -> usize {
    let mut count = 0;
    while let Some(at) = hyphens.find(input) {
        count += usize::from(&input[28..31] == b"200");
        // Seven hyphens, the id, the flag and CR LF.
        input = &input[at + 7 + 22 + 3..];
    }
    count
}

fn response(c: &mut Criterion) {
    let mut group = c.benchmark_group("response");
    for count in [1, 16] {
        let input = RESPONSE.repeat(count);
        let mut decoder = Decoder::new(Limits::default());
        assert_eq!(decode(&mut decoder, &input), count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("decoder_{count}"), |b| {
            b.iter(|| decode(&mut decoder, black_box(&input)));
        });
        let hyphens = memmem::Finder::new(b"-------");
        assert_eq!(floor(&hyphens, &input), count);
        group.bench_function(format!("floor_{count}"), |b| {
            b.iter(|| floor(&hyphens, black_box(&input)));
        });
    }
    group.finish();
}

criterion_group!(benches, response);
criterion_main!(benches);
