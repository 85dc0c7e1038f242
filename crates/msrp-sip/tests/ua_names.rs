//! Next hops that are names: NAPTR, SRV and address records, and what happens when one is silent.
#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "ua_support/support.rs"]
mod support;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use msrp_sip::ua::{Method, SipUa, Transport};
use msrp_sip::ua_rsipstack::{RelayNames, Ua, UaConfig, start};
use support::*;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The records of a domain, served on loopback until dropped.
struct Zone {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Zone {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Zone {
    async fn serve(records: Vec<(&str, RData)>) -> Self {
        let mut zone: HashMap<(Name, RecordType), Vec<RData>> = HashMap::new();
        for (name, data) in records {
            let key = (name.parse().unwrap(), data.record_type());
            zone.entry(key).or_default().push(data);
        }
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(zone);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (octets, from) = socket.recv_from(&mut buffer).await.unwrap();
                let reply = reply(&zone, &buffer[..octets]);
                socket.send_to(&reply, from).await.unwrap();
            }
        });
        Self { address, task }
    }
}

fn reply(zone: &HashMap<(Name, RecordType), Vec<RData>>, query: &[u8]) -> Vec<u8> {
    let query = Message::from_vec(query).unwrap();
    let question = query.queries[0].clone();
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    let name = Name::from_ascii(question.name().to_ascii().to_ascii_lowercase()).unwrap();
    match zone.get(&(name, question.query_type())) {
        Some(found) => {
            for data in found {
                let record = Record::from_rdata(question.name().clone(), 60, data.clone());
                reply.add_answer(record);
            }
        }
        None => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    reply.add_query(question);
    reply.to_vec().unwrap()
}

fn address_record() -> RData {
    RData::A(A(Ipv4Addr::LOCALHOST))
}

fn service(priority: u16, port: u16, host: &str) -> RData {
    RData::SRV(SRV::new(priority, 1, port, host.parse().unwrap()))
}

fn rule(order: u16, service: &str, replacement: &str) -> RData {
    let octets = |text: &str| text.as_bytes().into();
    let replacement = replacement.parse().unwrap();
    RData::NAPTR(NAPTR::new(
        order,
        1,
        octets("s"),
        octets(service),
        octets(""),
        replacement,
    ))
}

/// A caller that asks this zone. Its T1 is 10 ms.
async fn caller(zone: &Zone) -> Ua {
    let config = UaConfig {
        name_servers: vec![zone.address],
        ..config(&[Transport::Udp, Transport::Tcp])
    };
    start(hasty(config)).await.unwrap()
}

/// Sends OPTIONS to the domain; this server has to get it, over this transport.
async fn assert_reaches(caller: &mut Ua, server: &mut Ua, uri: &str) {
    let sent = caller.handle.send(out(Method::Options, uri));
    let (transaction, _, request) = requested(server).await;
    assert_eq!(request.uri, uri);
    server.handle.answer(transaction, answer(200));
    assert_eq!(response(caller, sent).await.status, 200);
}

fn port(ua: &Ua) -> u16 {
    address(ua).port()
}

#[tokio::test]
async fn naptr_says_the_transport_and_srv_the_port() {
    let mut server = ua(Transport::Tcp).await;
    let zone = Zone::serve(vec![
        ("im.example.", rule(20, "SIP+D2U", "_sip._udp.im.example.")),
        ("im.example.", rule(10, "SIP+D2T", "_any.im.example.")),
        ("im.example.", rule(5, "SIP+D2X", "_sip._sctp.im.example.")),
        (
            "_any.im.example.",
            service(1, port(&server), "a.im.example."),
        ),
        ("a.im.example.", address_record()),
    ])
    .await;
    let mut caller = caller(&zone).await;
    assert_reaches(&mut caller, &mut server, "sip:b@im.example").await;
}

#[tokio::test]
async fn name_with_a_port_needs_no_service_record() {
    let mut server = ua(Transport::Udp).await;
    let zone = Zone::serve(vec![("im.example.", address_record())]).await;
    let mut caller = caller(&zone).await;
    let uri = format!("sip:b@im.example:{}", port(&server));
    assert_reaches(&mut caller, &mut server, &uri).await;
}

#[tokio::test]
async fn unknown_name_fails_the_request() {
    let zone = Zone::serve(Vec::new()).await;
    let mut caller = caller(&zone).await;
    let sent = caller
        .handle
        .send(out(Method::Options, "sip:b@nowhere.example"));
    assert_eq!(response(&mut caller, sent).await.status, 503);
}

#[tokio::test]
async fn silent_next_hop_is_passed_over() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let mut server = ua(Transport::Udp).await;
    let zone = Zone::serve(vec![
        (
            "_sip._udp.im.example.",
            service(1, silent_port, "a.im.example."),
        ),
        (
            "_sip._udp.im.example.",
            service(2, port(&server), "a.im.example."),
        ),
        ("a.im.example.", address_record()),
    ])
    .await;
    let mut caller = caller(&zone).await;
    assert_reaches(&mut caller, &mut server, "sip:b@im.example").await;
    // The silent one has been asked, and is not asked again.
    let mut buffer = [0; 2000];
    while silent.try_recv(&mut buffer).is_ok() {}
    assert_reaches(&mut caller, &mut server, "sip:c@im.example").await;
    assert!(silent.try_recv(&mut buffer).is_err());
}

#[tokio::test]
async fn refused_connection_and_503_lead_to_the_next_hop() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed_port = closed.local_addr().unwrap().port();
    drop(closed);
    let (mut full, mut server) = (ua(Transport::Tcp).await, ua(Transport::Tcp).await);
    let zone = Zone::serve(vec![
        (
            "_sip._tcp.im.example.",
            service(1, closed_port, "a.im.example."),
        ),
        (
            "_sip._tcp.im.example.",
            service(2, port(&full), "a.im.example."),
        ),
        (
            "_sip._tcp.im.example.",
            service(3, port(&server), "a.im.example."),
        ),
        ("a.im.example.", address_record()),
    ])
    .await;
    let mut caller = caller(&zone).await;
    let dialog = caller
        .handle
        .invite(out(Method::Invite, "sip:b@im.example;transport=tcp"));
    let (transaction, ..) = invited(&mut full).await;
    full.handle.answer(transaction, answer(503));
    let (transaction, ..) = invited(&mut server).await;
    server.handle.answer(transaction, answer(200));
    assert_eq!(ringing_or_final(&mut caller, dialog).await.status, 200);
}

/// What is found for an MSRP next hop, as texts.
async fn relay(zone: &Zone, host: &str, port: Option<u16>, is_secure: bool) -> Vec<String> {
    let names = RelayNames::new(&[zone.address]).unwrap();
    let found = names.addresses(host, port, is_secure).await;
    found.iter().map(ToString::to_string).collect()
}

// covers: MSRP-4976-8-04
#[tokio::test]
async fn relay_without_a_port_is_where_its_service_records_say() {
    let zone = Zone::serve(vec![
        (
            "_msrps._tcp.im.example.",
            service(20, 9001, "b.im.example."),
        ),
        (
            "_msrps._tcp.im.example.",
            service(10, 9000, "a.im.example."),
        ),
        (
            "_msrps._tcp.im.example.",
            service(30, 9002, "nowhere.im.example."),
        ),
        ("_msrp._tcp.im.example.", service(1, 9003, "a.im.example.")),
        ("a.im.example.", RData::A(A([192, 0, 2, 1].into()))),
        ("a.im.example.", RData::A(A([192, 0, 2, 2].into()))),
        ("b.im.example.", RData::A(A([192, 0, 2, 3].into()))),
        ("im.example.", RData::A(A([192, 0, 2, 9].into()))),
        ("_msrps._tcp.none.example.", service(1, 0, ".")),
        ("none.example.", RData::A(A([192, 0, 2, 9].into()))),
        ("bare.example.", RData::A(A([192, 0, 2, 9].into()))),
    ])
    .await;
    let mut found = relay(&zone, "im.example", None, true).await;
    found[..2].sort_unstable();
    assert_eq!(
        found,
        ["192.0.2.1:9000", "192.0.2.2:9000", "192.0.2.3:9001"]
    );
    // A port, or no TLS: address records.
    assert_eq!(
        relay(&zone, "im.example", Some(7), true).await,
        ["192.0.2.9:7"]
    );
    assert_eq!(
        relay(&zone, "im.example", None, false).await,
        ["192.0.2.9:2855"]
    );
    // No record: the address with the usual port. A record that says there is no relay: nothing.
    assert_eq!(
        relay(&zone, "bare.example", None, true).await,
        ["192.0.2.9:2855"]
    );
    assert!(relay(&zone, "none.example", None, true).await.is_empty());
    assert!(relay(&zone, "unknown.example", None, true).await.is_empty());
}

#[tokio::test]
async fn relay_with_very_many_records_has_eight_addresses() {
    let names: Vec<String> = (1..=12).map(|n| format!("h{n}.im.example.")).collect();
    let mut records = Vec::new();
    for name in &names {
        records.push(("_msrps._tcp.im.example.", service(1, 9000, name)));
        for last in 1..=3 {
            records.push((name.as_str(), RData::A(A([192, 0, 2, last].into()))));
        }
    }
    let zone = Zone::serve(records).await;
    let found = relay(&zone, "im.example", None, true).await;
    assert_eq!(found.len(), 8, "{found:?}");
}
