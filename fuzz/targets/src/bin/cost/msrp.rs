//! Readers of what arrives on an MSRP connection.

use std::hint::black_box;

use bytes::Bytes;
use msrp_relay::Credentials;
use msrp_session::Timestamp;
use msrp_switch::{
    Acceptance, Addressing, LegSpec, Outcome, Output, Participant, RoomSpec, Rules, Switch,
    SwitchConfig,
};
use msrp_transport::{Door, Origins};
use msrp_wire::{
    Body, Decoder, Event, FailureReport, Identity, Limits, MsrpUri, Path, cpim::Wrapper,
};

use super::{Family, Input, repeat, single, whole};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "MSRP requests",
        octets: 64 * 1024,
        read: decode,
        classes: &[
            ("plain: texts of 200 octets", texts),
            ("REPORTs", |n| {
                whole(requests(n, "REPORT", "Status: 000 200 OK\r\n", None))
            }),
            ("chunks of one octet", |n| {
                whole(requests(n, "SEND", TYPE, Some("x")))
            }),
            ("60 header fields each", |n| {
                let many = "X: y\r\n".repeat(59);
                whole(requests(n, "REPORT", &many, None))
            }),
            ("a header field of 15,000 octets each", |n| {
                let long = format!("X: {}\r\n", "y".repeat(15_000));
                whole(requests(n, "REPORT", &long, None))
            }),
            ("paths of 16 URIs", |n| {
                let path = vec!["msrp://a.example.com:2855/abcd;tcp"; 16].join(" ");
                whole(repeat(n, |number| {
                    request(number, "REPORT", &path, "", None)
                }))
            }),
            ("a URI of 2,000 octets each", |n| {
                let path = format!("msrp://a.example.com:2855/{};tcp", "a".repeat(1_950));
                whole(repeat(n, |number| {
                    request(number, "REPORT", &path, "", None)
                }))
            }),
            ("refused, with a body of hyphens", |n| {
                let body = "-".repeat(200);
                whole(repeat(n, |number| {
                    request(number, "SEND", "x", TYPE, Some(&body))
                }))
            }),
            ("responses", |n| {
                whole(repeat(n, |number| {
                    format!(
                        "MSRP id{number:08} 200 OK\r\nTo-Path: {URI}\r\nFrom-Path: {URI}\r\n-------id{number:08}$\r\n"
                    )
                }))
            }),
        ],
    },
    Family {
        name: "MSRP bodies",
        octets: 64 * 1024,
        read: decode,
        classes: &[
            ("plain: texts of 200 octets", texts),
            ("one body in reads of 64 KiB", |n| {
                body(n, 65_536, "All work and no play makes Jack a dull boy. ")
            }),
            ("hyphens", |n| body(n, 65_536, "-")),
            ("line ends", |n| body(n, 65_536, "\r\n")),
            ("near end lines", |n| {
                body(n, 65_536, "\r\n-------id0000000")
            }),
            ("end lines of another id", |n| {
                body(n, 65_536, "\r\n-------id00000001$\r\n")
            }),
            ("end lines with another flag", |n| {
                body(n, 65_536, "\r\n-------id00000000x")
            }),
            ("end lines without flag", |n| {
                body(n, 65_536, "\r\n-------id00000000")
            }),
            ("carriage returns", |n| body(n, 65_536, "\r")),
            ("seven hyphens", |n| body(n, 65_536, "-------a")),
        ],
    },
    Family {
        name: "MSRP in reads of one octet",
        octets: 16 * 1024,
        read: decode,
        classes: &[
            ("plain: texts of 200 octets", |n| single(&texts(n))),
            ("a body", |n| {
                body(n, 1, "All work and no play makes Jack a dull boy. ")
            }),
            ("a body of hyphens", |n| body(n, 1, "-")),
            ("near end lines", |n| body(n, 1, "\r\n-------id0000000")),
            ("near end lines, cut in them", |n| {
                body(n, 17, "\r\n-------id0000000")
            }),
        ],
    },
    Family {
        name: "Message/CPIM",
        octets: 3 * 1024,
        read: wrapper,
        classes: &[
            ("plain: wrappers of texts", |n| {
                let one = wrapper_with("DateTime: 2026-01-01T00:00:00Z\r\nSubject: lunch\r\n");
                (0..n.div_ceil(one.len()))
                    .map(|_| one.clone().into())
                    .collect()
            }),
            ("a long Subject", |n| {
                cpim(&format!("Subject: {}\r\n", "x".repeat(n)))
            }),
            ("empty fields", |n| {
                cpim(&repeat(n, |_| "X: \r\n".into()).replace("X: ", "Xy: "))
            }),
            ("Subjects with escapes", |n| {
                cpim(&format!("Subject: {}\r\n", "\\n".repeat(n / 2)))
            }),
            ("Subjects in languages", |n| {
                cpim(&repeat(n, |number| {
                    format!("Subject:;lang=l{number} x\r\n")
                }))
            }),
            ("recipients", |n| {
                cpim(&repeat(n, |number| format!("To: <sip:{number}@x>\r\n")))
            }),
            ("namespaces", |n| {
                cpim(&repeat(n, |number| {
                    format!("NS: P{number} <urn:{number}>\r\n")
                }))
            }),
            ("namespaces, and fields of the last", |n| {
                let names = repeat(n / 2, |number| format!("NS: P{number} <urn:{number}>\r\n"));
                cpim(&format!(
                    "{names}NS: Z <urn:z>\r\n{}",
                    repeat(n / 2, |_| "Z.a: b\r\n".into())
                ))
            }),
            ("namespaces, and fields of unknown ones", |n| {
                let names = repeat(n / 2, |number| format!("NS: P{number} <urn:{number}>\r\n"));
                cpim(&format!(
                    "{names}{}",
                    repeat(n / 2, |_| "Q.a: b\r\n".into())
                ))
            }),
            ("Requires of fields", |n| {
                cpim(&repeat(n, |_| "Require: From,To\r\n".into()))
            }),
            ("folded lines", |n| {
                cpim(&format!("Subject: {}\r\n", "x\r\n ".repeat(n / 4)))
            }),
        ],
    },
    Family {
        name: "messages to a room of two",
        octets: 1024 * 1024,
        read: room,
        classes: &[
            ("plain: texts of 200 octets", |n| {
                let text = wrapper_with(&"x".repeat(100));
                sends(n, |_, position| (position == 0).then(|| text.clone()))
            }),
            ("wrappers, octet by octet", |n| {
                octet_by_octet(n, &format!("Subject: {}\r\n", "x".repeat(15_000)))
            }),
            ("wrappers of short lines, octet by octet", |n| {
                octet_by_octet(n, &"S:\r\n".repeat(800))
            }),
            ("wrappers of namespaces, octet by octet", |n| {
                octet_by_octet(
                    n,
                    &repeat(15_000, |number| format!("NS: P{number} <urn:{number}>\r\n")),
                )
            }),
            ("wrappers backwards, octet by octet", |n| {
                let text = wrapper_with(&format!("Subject: {}\r\n", "x".repeat(15_000)));
                whole(repeat(n, |number| {
                    let at = if number == 0 {
                        0
                    } else {
                        text.len().saturating_sub(number)
                    };
                    chunk(0, number, at, &text[at..=at], '+')
                }))
            }),
            ("bodies, octet by octet", |n| {
                let text = wrapper_with("");
                sends(n, |_, position| {
                    if position == 0 {
                        Some(text.clone())
                    } else {
                        (position < 4_000).then(|| "x".into())
                    }
                })
            }),
            ("bodies, every second octet, then the others", |n| {
                let text = wrapper_with("");
                whole(repeat(n, |number| match number {
                    0 => chunk(0, 0, 0, &text, '+'),
                    1..60 => chunk(0, number, text.len() + 2 * number, "x", '+'),
                    _ => chunk(0, number, text.len() + number - 60, "x", '+'),
                }))
            }),
            ("messages that do not end", |n| {
                let text = wrapper_with("");
                whole(repeat(n, |number| chunk(number, number, 0, &text, '+')))
            }),
            ("bodies of hyphens", |n| {
                let text = wrapper_with("") + &"-".repeat(4_000);
                sends(n, |_, position| (position == 0).then(|| text.clone()))
            }),
        ],
    },
    Family {
        name: "URIs",
        octets: 8 * 1024,
        read: uris,
        classes: &[
            ("plain: one each", |n| {
                (0..n / URI.len()).map(|_| URI.into()).collect()
            }),
            ("paths of 16", |n| {
                (0..n / URI.len() / 16)
                    .map(|_| [URI; 16].join(" ").into())
                    .collect()
            }),
            ("escapes", |n| long_uris(n, "%41")),
            ("one label of a host after the other", |n| {
                let uri = format!("msrp://{}a:1/abcd;tcp", "a.".repeat(120));
                (0..n / uri.len()).map(|_| uri.clone().into()).collect()
            }),
            ("parameters", |n| {
                let uri = format!("msrp://a.example:1/abcd;tcp{}", ";a=b".repeat(400));
                (0..n.div_ceil(uri.len()))
                    .map(|_| uri.clone().into())
                    .collect()
            }),
            ("spaces", |n| {
                (0..n / 1024)
                    .map(|_| format!("{URI}{}{URI}", " ".repeat(940)).into())
                    .collect()
            }),
        ],
    },
    Family {
        name: "MSRP over WebSocket",
        octets: 32 * 1024,
        read: websocket,
        classes: &[
            ("plain: texts of 200 octets", |n| framed(n, usize::MAX)),
            ("texts, a frame for each octet", |n| framed(n / 7, 1)),
            ("messages of no octet", |n| frames(n, 0x82, 0)),
            ("pings", |n| frames(n, 0x89, 100)),
            ("empty pings", |n| frames(n, 0x89, 0)),
            ("pongs", |n| frames(n, 0x8a, 0)),
        ],
    },
    Family {
        name: "Digest",
        octets: 960,
        read: credentials,
        classes: &[
            ("plain", |n| {
                whole(digest(&format!("opaque=\"{}\"", "x".repeat(n))))
            }),
            ("parameters", |n| {
                whole(digest(&repeat(n, |number| format!("x{number}=y,"))))
            }),
            ("escapes", |n| {
                whole(digest(&format!("opaque=\"{}\"", "\\x".repeat(n / 2))))
            }),
            ("commas", |n| whole(digest(&",".repeat(n)))),
        ],
    },
];

const URI: &str = "msrp://127.0.0.1:2855/00kjhd37s2s20w2a;tcp";
const TYPE: &str = "Content-Type: message/cpim\r\n";

fn request(number: usize, method: &str, path: &str, more: &str, body: Option<&str>) -> String {
    let body = body.map_or(String::new(), |body| format!("\r\n{body}\r\n"));
    format!(
        "MSRP id{number:08} {method}\r\nTo-Path: {path}\r\nFrom-Path: {URI}\r\nMessage-ID: 87652491ab\r\n\
         Byte-Range: 1-200/200\r\n{more}{body}-------id{number:08}$\r\n"
    )
}

fn requests(octets: usize, method: &str, more: &str, body: Option<&str>) -> String {
    repeat(octets, |number| request(number, method, URI, more, body))
}

fn texts(octets: usize) -> Input {
    whole(requests(octets, "SEND", TYPE, Some(&"x".repeat(200))))
}

/// One request with a body of this text again and again, in reads of so many octets.
fn body(octets: usize, read_octets: usize, text: &str) -> Input {
    let text = repeat(octets, |_| text.to_owned());
    let request = request(0, "SEND", URI, TYPE, Some(&text));
    request
        .as_bytes()
        .chunks(read_octets)
        .map(<[u8]>::to_vec)
        .collect()
}

fn decode(input: &[Vec<u8>]) {
    let mut decoder = Decoder::new(Limits::default());
    for read in input {
        decode_read(&mut decoder, read);
    }
}

fn decode_read(decoder: &mut Decoder, mut rest: &[u8]) {
    while !rest.is_empty() {
        let Ok(step) = decoder.decode(rest) else {
            return;
        };
        if let Some(Event::Body(Body::Input(range))) = &step.event {
            black_box(range);
        }
        black_box(step.event.is_some());
        rest = &rest[step.consumed..];
    }
}

/// A wrapper with more header fields.
fn cpim(more: &str) -> Input {
    whole(wrapper_with(more))
}

fn wrapper(input: &[Vec<u8>]) {
    for octets in input {
        let _ = black_box(Wrapper::parse(octets));
    }
}

fn wrapper_with(more: &str) -> String {
    format!("From: <{USER}>\r\nTo: <{ROOM}>\r\n{more}\r\nContent-Type: text/plain\r\n\r\nHello")
}

/// One chunk of a message; positions begin with 0.
fn chunk(message: usize, number: usize, position: usize, body: &str, flag: char) -> String {
    let (start, end) = (position + 1, position + body.len());
    format!(
        "MSRP id{number:08} SEND\r\nTo-Path: {URI}\r\nFrom-Path: {URI}\r\nMessage-ID: m{message:08}\r\n\
         Byte-Range: {start}-{end}/*\r\nFailure-Report: no\r\n{TYPE}\r\n{body}\r\n-------id{number:08}{flag}\r\n"
    )
}

/// Messages whose chunks follow each other: `next` gives the chunk of a message at a position, until it ends.
fn sends(octets: usize, next: impl Fn(usize, usize) -> Option<String>) -> Input {
    let (mut message, mut position) = (0, 0);
    whole(repeat(octets, |number| {
        let Some(body) = next(message, position) else {
            return String::new();
        };
        let start = position;
        position += body.len();
        let is_last = next(message, position).is_none();
        let text = chunk(
            message,
            number,
            start,
            &body,
            if is_last { '$' } else { '+' },
        );
        if is_last {
            (message, position) = (message + 1, 0);
        }
        text
    }))
}

/// Messages with these header lines in the wrapper, in chunks of one octet.
fn octet_by_octet(octets: usize, more: &str) -> Input {
    let text = wrapper_with(more);
    sends(octets, |_, position| {
        text.get(position..=position).map(str::to_owned)
    })
}

/// Brings requests to a room of two people.
fn room(input: &[Vec<u8>]) {
    let (mut switch, sender) = seated();
    let mut decoder = Decoder::new(Limits::default());
    let mut requests = 0;
    for read in input.iter().map(|octets| Bytes::copy_from_slice(octets)) {
        let mut rest = read;
        while !rest.is_empty() {
            let Ok(step) = decoder.decode(&rest) else {
                return;
            };
            match step.event {
                Some(Event::Request(head)) => {
                    switch.handle_chunk(Timestamp::default(), sender, &head)
                }
                Some(Event::Body(Body::Input(range))) => {
                    switch.handle_body(sender, rest.slice(range))
                }
                Some(Event::Body(Body::Carried(octets))) => {
                    switch.handle_body(sender, Bytes::copy_from_slice(octets));
                }
                Some(Event::End(flag)) => {
                    switch.handle_end(sender, flag);
                    requests += 1;
                }
                Some(Event::Response(_) | Event::Rejected(_)) | None => {}
            }
            rest = rest.slice(step.consumed..);
            take_outputs(&mut switch);
            if requests % REQUESTS_PER_TURN == 0 {
                switch.end_turn(Timestamp::default());
                take_outputs(&mut switch);
            }
        }
    }
}

fn take_outputs(switch: &mut Switch) {
    while let Some(output) = switch.poll_output() {
        if let Output::Piece { to, message, .. } = black_box(output) {
            to.iter()
                .for_each(|leg| switch.settle(*leg, message, Outcome::Sent));
        }
    }
}

/// What one read of 64 KiB has of them.
const REQUESTS_PER_TURN: usize = 250;

fn seated() -> (Switch, msrp_switch::LegKey) {
    let mut switch = Switch::new(&SwitchConfig {
        failure_report: FailureReport::Partial,
        final_report_ns: 1,
        rules: Rules::default(),
        seed: [7; 32],
    });
    let identity = |text: &str| vec![Identity::parse(text).unwrap_or_else(|e| panic!("{e}"))];
    let room = switch.create_room(RoomSpec {
        uri: ROOM.to_owned(),
        addresses: identity(ROOM),
        message_octets_max: 1 << 32,
        private_messages: true,
        addressing: Addressing::Oma,
        nicknames: true,
    });
    let room = room.unwrap_or_else(|| panic!("a room"));
    let mut seat = |entity: &str| {
        let spec = LegSpec {
            participant: Participant {
                identities: identity(entity),
                entity: entity.to_owned(),
                is_hidden: false,
                may_send_private: true,
                shows_release: true,
            },
            acceptance: Acceptance::everything(),
            may_send: true,
            may_receive: true,
        };
        let leg = switch
            .add_leg(room, spec)
            .unwrap_or_else(|| panic!("a leg"));
        switch.join(leg);
        leg
    };
    let sender = seat(USER);
    seat("sip:user1@example.com");
    (switch, sender)
}

const ROOM: &str = "sip:room@example.com";
const USER: &str = "sip:user0@example.com";

fn long_uris(octets: usize, text: &str) -> Input {
    let id = repeat(1_900, |_| text.to_owned());
    let uri = format!("msrp://{id}@a.example:1/abcd;tcp");
    (0..octets.div_ceil(uri.len()))
        .map(|_| uri.clone().into())
        .collect()
}

fn uris(input: &[Vec<u8>]) {
    for octets in input {
        if let Ok(path) = Path::parse(octets) {
            black_box(path.iter().count());
        }
        if let Ok(uri) = MsrpUri::parse(octets) {
            black_box(uri == black_box(uri));
        }
    }
}

const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: msrp\r\n\r\n";

/// Frames with so many octets of payload each.
fn frames(octets: usize, first: u8, payload: usize) -> Input {
    let mut all = Vec::new();
    while all.len() < octets {
        frame(&mut all, first, &vec![b'x'; payload]);
    }
    vec![all]
}

/// One text after the other, in frames of so many octets.
fn framed(octets: usize, frame_octets: usize) -> Input {
    let mut all = Vec::new();
    for number in 0..octets / 400 {
        let text = request(number, "SEND", URI, TYPE, Some(&"x".repeat(200)));
        for part in text.as_bytes().chunks(frame_octets) {
            frame(&mut all, 0x82, part);
        }
    }
    vec![all]
}

/// A masked frame.
fn frame(all: &mut Vec<u8>, first: u8, payload: &[u8]) {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    all.push(first);
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => all.push(0x80 | short),
        _ => {
            all.push(0x80 | 126);
            all.extend_from_slice(
                &u16::try_from(payload.len())
                    .unwrap_or_default()
                    .to_be_bytes(),
            );
        }
    }
    all.extend_from_slice(&MASK);
    all.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(octet, mask)| octet ^ mask),
    );
}

fn websocket(input: &[Vec<u8>]) {
    let layer = Door::default().websocket(Origins::any()).accept();
    let Ok(Some(mut layer)) = layer else { return };
    let mut plain = Vec::new();
    let mut decoder = Decoder::new(Limits::default());
    for octets in std::iter::once(HANDSHAKE).chain(input.iter().map(Vec::as_slice)) {
        let received = layer.receive(octets, &mut plain);
        black_box(received.is_ok());
        let sent = layer.wire().len();
        layer.took(sent);
        decode_read(&mut decoder, &plain);
        plain.clear();
    }
}

fn digest(more: &str) -> String {
    format!(
        "Digest username=\"a\", realm=\"b\", nonce=\"c\", qop=auth, cnonce=\"d\", nc=00000001, \
         response=\"0123456789abcdef0123456789abcdef\", {more}"
    )
}

fn credentials(input: &[Vec<u8>]) {
    for octets in input {
        let _ = black_box(Credentials::parse(octets));
    }
}
