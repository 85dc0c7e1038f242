//! Two ends in memory, cut anywhere and damaged anywhere.

use std::sync::Arc;

use proptest::prelude::*;
use rcgen::generate_simple_self_signed;

use crate::{Certificate, CertificateStore, CloseCode, Connector, Door, Failure, Fingerprint};
use crate::{Layer, Origins, Received};

const HOST: &str = "192.0.2.1";

/// The passive and the active end of a connection whose certificate has the fingerprint that is
/// agreed, or another one.
struct Ends {
    passive: Box<Layer>,
    active: Box<Layer>,
}

fn certificate() -> Certificate {
    let key = generate_simple_self_signed(vec!["a.example.com".to_owned()]).unwrap();
    let pem = key.signing_key.serialize_pem();
    Certificate::from_pem(key.cert.pem().as_bytes(), pem.as_bytes()).unwrap()
}

fn ends(is_right: bool) -> Ends {
    let own = certificate();
    let named = if is_right {
        own.fingerprint()
    } else {
        certificate().fingerprint()
    };
    let door = Door::default().tls(&CertificateStore::new(own)).unwrap();
    let connector = Connector::new(CertificateStore::new(certificate()), []);
    let fingerprint = Fingerprint::parse(&named);
    assert!(fingerprint.is_some());
    Ends {
        passive: door.accept().unwrap().unwrap(),
        active: connector.connect(HOST, fingerprint).unwrap(),
    }
}

/// Carries what waits on one end to the other in parts of at most so many octets.
fn carry(
    from: &mut Layer,
    to: &mut Layer,
    part: usize,
    plain: &mut Vec<u8>,
) -> Result<Received, Failure> {
    let wire = from.wire().to_vec();
    from.took(wire.len());
    let mut received = Received::Open;
    for octets in wire.chunks(part) {
        received = to.receive(octets, plain)?;
    }
    Ok(received)
}

impl Ends {
    fn shake_hands(&mut self, part: usize) -> Result<(), Failure> {
        for _ in 0..6 {
            carry(&mut self.active, &mut self.passive, part, &mut Vec::new())?;
            carry(&mut self.passive, &mut self.active, part, &mut Vec::new())?;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn octets_pass_both_ways_whatever_the_cuts(
        part in 1usize..4000,
        sizes in proptest::collection::vec(0usize..50_000, 1..5),
    ) {
        let mut ends = ends(true);
        ends.shake_hands(part).unwrap();
        prop_assert!(ends.passive.is_opened() && ends.active.is_opened());
        prop_assert!(ends.passive.peer_certificate().is_some());
        for (index, size) in sizes.iter().enumerate() {
            let octets = vec![u8::try_from(index).unwrap(); *size];
            for is_passive in [true, false] {
                let (from, to) = if is_passive {
                    (&mut ends.passive, &mut ends.active)
                } else {
                    (&mut ends.active, &mut ends.passive)
                };
                from.write(&octets, index);
                from.flush();
                let mut plain = Vec::new();
                carry(from, to, part, &mut plain).unwrap();
                prop_assert_eq!(&plain, &octets);
                prop_assert_eq!(from.next_gone(), Some(index));
                prop_assert_eq!(from.next_gone(), None);
            }
        }
        ends.passive.close(CloseCode::NORMAL);
        let ended = carry(&mut ends.passive, &mut ends.active, part, &mut Vec::new());
        prop_assert_eq!(ended, Ok(Received::Ended));
    }

    #[test]
    fn damage_anywhere_ends_one_end_and_panics_nowhere(
        at in any::<prop::sample::Index>(),
        bits in 1u8..,
        flight in 0usize..6,
        part in 1usize..2000,
    ) {
        let mut ends = ends(true);
        for turn in 0..6 {
            let is_passive = turn % 2 == 1;
            let (from, to) = if is_passive {
                (&mut ends.passive, &mut ends.active)
            } else {
                (&mut ends.active, &mut ends.passive)
            };
            if turn >= 4 && from.is_opened() {
                from.write(b"octets", 0);
                from.flush();
            }
            let mut wire = from.wire().to_vec();
            from.took(wire.len());
            if turn == flight && !wire.is_empty() {
                let at = at.index(wire.len());
                wire[at] ^= bits;
            }
            for octets in wire.chunks(part) {
                let _ = to.receive(octets, &mut Vec::new());
            }
        }
        for end in [&mut ends.passive, &mut ends.active] {
            end.write(b"more", 1);
            end.flush();
            end.close(CloseCode::NORMAL);
            let _ = end.receive(b"\x17\x03\x03\x00\x05noise", &mut Vec::new());
        }
    }

    #[test]
    fn octets_of_any_kind_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut ends = ends(true);
        let _ = ends.passive.receive(&octets, &mut Vec::new());
        let _ = ends.active.receive(&octets, &mut Vec::new());
    }
}

#[test]
fn certificate_with_another_fingerprint_is_refused_with_an_alert() {
    let mut ends = ends(false);
    assert_eq!(ends.shake_hands(10_000), Err(Failure::Certificate));
    assert!(!ends.active.is_opened());
    let read = carry(&mut ends.active, &mut ends.passive, 10_000, &mut Vec::new());
    assert_eq!(read, Err(Failure::Tls));
}

#[test]
fn websocket_lies_above_tls() {
    let own = certificate();
    let named = Fingerprint::parse(&own.fingerprint());
    let door = Door::default().tls(&CertificateStore::new(own)).unwrap();
    let mut passive = door.websocket(Origins::any()).accept().unwrap().unwrap();
    let connector = Connector::new(CertificateStore::new(certificate()), []);
    let mut active = connector.connect(HOST, named).unwrap();
    for _ in 0..3 {
        carry(&mut active, &mut passive, 999, &mut Vec::new()).unwrap();
        carry(&mut passive, &mut active, 999, &mut Vec::new()).unwrap();
    }
    assert!(!passive.is_opened(), "the WebSocket has not come up");
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: msrp\r\n\r\n\x82\x84\0\0\0\0MSRP";
    active.write(request, 0);
    active.flush();
    let (mut plain, mut answer) = (Vec::new(), Vec::new());
    carry(&mut active, &mut passive, 999, &mut plain).unwrap();
    assert!(passive.is_opened());
    assert_eq!(plain, b"MSRP");
    passive.write_message(4, [&b"OC"[..], b"TS"].into_iter(), 0);
    passive.flush();
    carry(&mut passive, &mut active, 999, &mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(b"\r\n\r\n\x82\x04OCTS"));
}

#[test]
fn store_hands_out_what_was_put_in_last() {
    let (first, second) = (certificate(), certificate());
    let store = CertificateStore::new(first.clone());
    assert_eq!(store.current().fingerprint(), first.fingerprint());
    store.replace(second.clone());
    assert_eq!(
        Arc::clone(&store).current().fingerprint(),
        second.fingerprint()
    );
}
