//! Work to count instructions of: one case, done a given number of times and nothing else.
//!
//! `benches/callgrind.sh` runs this under valgrind with two numbers of rounds and divides the difference, so that
//! starting and setting up do not count. Without arguments every case runs once, as a test.
#![expect(clippy::unwrap_used, reason = "a bench stops where its input is wrong")]

mod relay;

use std::hint::black_box;

use msrp_wire::{Decoder, Event, Identity, Limits, MsrpUri, Path, cpim};

/// Names one piece of work; the number is its rounds.
type Case = (&'static str, fn(usize));

const CASES: &[Case] = &[
    ("send_200", |rounds| decode(&request(200), rounds)),
    ("send_200_relayed", |rounds| decode(&relayed(), rounds)),
    ("send_200_in_two_reads", |rounds| {
        decode_in_two(&request(200), rounds)
    }),
    ("send_empty", |rounds| decode(&bodiless(), rounds)),
    ("report", |rounds| decode(&report(), rounds)),
    ("response", |rounds| decode(&response(), rounds)),
    ("send_64k", |rounds| decode(&request(65_536), rounds)),
    ("relayed_send_200", relay::relay_send),
    ("uri", |rounds| {
        for _ in 0..rounds {
            let _ = black_box(MsrpUri::parse(black_box(TO.as_bytes())));
        }
    }),
    ("path_of_two", |rounds| {
        let text = format!("{RELAY} {TO}");
        for _ in 0..rounds {
            let _ = black_box(Path::parse(black_box(text.as_bytes())));
        }
    }),
    ("cpim_wrapper", |rounds| {
        let wrapper = body(200);
        for _ in 0..rounds {
            let parsed = cpim::Wrapper::parse(black_box(&wrapper)).unwrap();
            black_box(parsed.head_octets);
        }
    }),
    ("identity", |rounds| {
        for _ in 0..rounds {
            let _ = black_box(Identity::parse(black_box("sip:alice@example.com")));
        }
    }),
];

const TO: &str = "msrp://127.0.0.1:2855/00kjhd37s2s20w2a;tcp";
const FROM: &str = "msrp://127.0.0.1:7654/jshA7weztas;tcp";
const RELAY: &str = "msrps://relay.example.com:9000/b9t3qz;tcp";

fn body(octets: usize) -> Vec<u8> {
    let mut body = b"From: <sip:alice@example.com>\r\nTo: <sip:room@example.com>\r\n\
        DateTime: 2026-01-01T00:00:00Z\r\n\r\nContent-Type: text/plain\r\n\r\n"
        .to_vec();
    body.resize(body.len().max(octets), b'x');
    body
}

fn request(body_octets: usize) -> Vec<u8> {
    send(FROM, &body(body_octets))
}

/// The same from behind a relay: two URIs in From-Path.
fn relayed() -> Vec<u8> {
    send(&format!("{RELAY} {FROM}"), &body(200))
}

fn send(from: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "MSRP a786hjs2aB SEND\r\nTo-Path: {TO}\r\nFrom-Path: {from}\r\nMessage-ID: 87652491ab\r\n\
         Byte-Range: 1-{0}/{0}\r\nFailure-Report: yes\r\nContent-Type: message/cpim\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request.extend_from_slice(b"\r\n-------a786hjs2aB$\r\n");
    request
}

fn bodiless() -> Vec<u8> {
    format!(
        "MSRP a786hjs2aB SEND\r\nTo-Path: {TO}\r\nFrom-Path: {FROM}\r\nMessage-ID: 87652491ab\r\n\
         Byte-Range: 1-0/0\r\n-------a786hjs2aB$\r\n"
    )
    .into_bytes()
}

fn report() -> Vec<u8> {
    format!(
        "MSRP a786hjs2aB REPORT\r\nTo-Path: {TO}\r\nFrom-Path: {FROM}\r\nMessage-ID: 87652491ab\r\n\
         Byte-Range: 1-200/200\r\nStatus: 000 200 OK\r\n-------a786hjs2aB$\r\n"
    )
    .into_bytes()
}

fn response() -> Vec<u8> {
    format!(
        "MSRP a786hjs2aB 200 OK\r\nTo-Path: {TO}\r\nFrom-Path: {FROM}\r\n-------a786hjs2aB$\r\n"
    )
    .into_bytes()
}

fn decode(input: &[u8], rounds: usize) {
    let mut decoder = Decoder::new(Limits::default());
    for _ in 0..rounds {
        read(&mut decoder, black_box(input));
    }
}

/// The header section comes in two reads, as when a read border falls into it.
fn decode_in_two(input: &[u8], rounds: usize) {
    let (one, two) = input.split_at(100);
    let mut decoder = Decoder::new(Limits::default());
    for _ in 0..rounds {
        read(&mut decoder, black_box(one));
        read(&mut decoder, black_box(two));
    }
}

/// Reads until the input is used up, and looks at what a switch looks at.
fn read(decoder: &mut Decoder, mut input: &[u8]) {
    while !input.is_empty() {
        let step = decoder.decode(input).unwrap();
        match step.event {
            Some(Event::Request(head)) => {
                black_box(head.to_path.first().session_id());
                black_box(head.from_path.first().raw());
            }
            Some(Event::Response(head)) => {
                black_box((head.transaction_id, head.status));
            }
            other => {
                black_box(other);
            }
        }
        input = &input[step.consumed..];
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--list-cases"), _) => CASES.iter().for_each(|(name, _)| println!("{name}")),
        (Some(name), Some(rounds)) => {
            let (_, work) = CASES.iter().find(|(known, _)| *known == name).unwrap();
            work(rounds.parse().unwrap());
        }
        _ => CASES.iter().for_each(|(_, work)| work(1)),
    }
}
