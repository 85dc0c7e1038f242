//! What reading costs: a small request, a large body beside a bare scan, a wrapper.
#![expect(clippy::unwrap_used, reason = "a bench stops where its input is wrong")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem;
use msrp_wire::{Decoder, Limits, cpim};

fn request(body_octets: usize) -> Vec<u8> {
    let mut body = b"From: <sip:alice@example.com>\r\nTo: <sip:room@example.com>\r\n\
        DateTime: 2026-01-01T00:00:00Z\r\n\r\nContent-Type: text/plain\r\n\r\n"
        .to_vec();
    body.resize(body.len().max(body_octets), b'x');
    let mut request = format!(
        "MSRP a786hjs2aB SEND\r\nTo-Path: msrp://127.0.0.1:2855/00kjhd37s2s20w2a;tcp\r\n\
         From-Path: msrp://127.0.0.1:7654/jshA7weztas;tcp\r\nMessage-ID: 87652491ab\r\n\
         Byte-Range: 1-{0}/{0}\r\nFailure-Report: yes\r\nContent-Type: message/cpim\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    request.extend_from_slice(b"\r\n-------a786hjs2aB$\r\n");
    request
}

fn decode(decoder: &mut Decoder, mut input: &[u8]) -> usize {
    let mut events = 0;
    while let Ok(step) = decoder.decode(input) {
        if step.event.is_none() {
            break;
        }
        events += 1;
        input = &input[step.consumed..];
    }
    events
}

fn decoder(c: &mut Criterion) {
    let mut group = c.benchmark_group("decoder");
    for octets in [200, 4096, 65_536] {
        let input = request(octets);
        group.throughput(Throughput::Bytes(input.len() as u64));
        let mut decoder = Decoder::new(Limits::default());
        group.bench_function(format!("send_{octets}"), |b| {
            b.iter(|| decode(&mut decoder, black_box(&input)));
        });
        let finder = memmem::Finder::new(b"-------a786hjs2aB");
        group.bench_function(format!("scan_floor_{octets}"), |b| {
            b.iter(|| finder.find(black_box(&input)));
        });
    }
    let response =
        b"MSRP a786hjs2aB 200 OK\r\nTo-Path: msrp://127.0.0.1:2855/00kjhd37s2s20w2a;tcp\r\n\
        From-Path: msrp://127.0.0.1:7654/jshA7weztas;tcp\r\n-------a786hjs2aB$\r\n";
    group.throughput(Throughput::Elements(1));
    let mut decoder = Decoder::new(Limits::default());
    group.bench_function("response", |b| {
        b.iter(|| decode(&mut decoder, black_box(response)))
    });
    group.finish();
}

fn wrapper(c: &mut Criterion) {
    let input = request(200);
    let start = memmem::find(&input, b"\r\n\r\n").unwrap() + 4;
    let body = &input[start..];
    c.bench_function("cpim_wrapper", |b| {
        b.iter(|| cpim::Wrapper::parse(black_box(body)).map(|parsed| parsed.head_octets));
    });
}

criterion_group!(benches, decoder, wrapper);
criterion_main!(benches);
