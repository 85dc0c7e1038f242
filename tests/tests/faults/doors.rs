//! Faults of those who are not part of the conversation: readers of events and of the log, callers that vanish.

use std::time::Duration;

use msrp_testkit::{Daemon, MsrpEndpoint};
use msrpd_tests::{BOB, CAROL, DAVE, FRIENDS, config_with_friends};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::talk::Talk;
use crate::{EVE, MESSAGES, assert_conversation_begins, config_with_eve, repeat};

/// Asks for events and reads none of them; its kernel takes few.
async fn deaf_consumer(daemon: &Daemon) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(daemon.admin_addr()).await.unwrap();
    let path = "/v1/events?cursor=latest&types=message_ended,message_content";
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream
}

/// The ids of messages that it is told of, until all are there.
async fn ids_told(stream: TcpStream) -> Vec<String> {
    let mut lines = BufReader::new(stream).lines();
    let mut ids = Vec::new();
    let read = async {
        while ids.len() < MESSAGES {
            let line = lines.next_line().await.unwrap().unwrap();
            let Some(data) = line.strip_prefix("data:") else {
                continue;
            };
            let event: Value = serde_json::from_str(data).unwrap();
            assert!(
                event["type"] != "gap" && event["type"] != "messages_lost",
                "{event}"
            );
            if event["type"] == "message_ended" {
                ids.push(event["message_id"].as_str().unwrap().to_owned());
            }
        }
    };
    tokio::time::timeout(msrp_testkit::DEADLINE, read)
        .await
        .unwrap();
    ids
}

#[tokio::test]
async fn consumer_of_events_that_stops_reading_slows_nobody_and_misses_nothing_when_it_goes_on() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        let consumer = deaf_consumer(&talk.daemon).await;
        talk.say_first_half(number).await;
        talk.say_long(MESSAGES / 2..MESSAGES, |_| 60_000);
        talk.wait_reports(MESSAGES).await;
        let ids = ids_told(consumer).await;
        let ends = talk.end().await;
        ends.assert_nothing_lost();
        ends.assert_ids(&ids);
    })
    .await;
}

#[tokio::test]
async fn reader_of_the_log_that_stops_stops_nobody_else() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        let pause = talk.daemon.pause_log();
        talk.say_first_half(number).await;
        // Each call that comes and goes is several lines.
        for _ in 0..100 {
            let dave = way.join(&talk.daemon, FRIENDS, DAVE).await;
            dave.leave().await;
        }
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        drop(pause);
        let (daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL]);
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

/// Twice 64 times T1, and some more.
const UNANSWERED: Duration = Duration::from_secs(80);

/// Where a call ends with a reset.
#[derive(Clone, Copy)]
enum Cut {
    /// In the middle of the INVITE.
    InRequest,
    /// Behind the INVITE.
    BehindRequest,
    /// Behind the answer, which is not acknowledged.
    BehindAnswer,
}

/// Calls over a TCP connection that is reset at one place.
async fn call_and_reset(daemon: &Daemon, cut: Cut) {
    let mut stream = TcpStream::connect(daemon.sip_tcp()).await.unwrap();
    let address = stream.local_addr().unwrap();
    let body = MsrpEndpoint::bind().await.media().to_string();
    let octets = body.len();
    let request = format!(
        "INVITE {FRIENDS} SIP/2.0\r\nVia: SIP/2.0/TCP {address};branch=z9hG4bK-{0}\r\n\
         From: <{EVE}>;tag={0}\r\nTo: <{FRIENDS}>\r\nCall-ID: {0}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:eve@{address};transport=tcp>;+g.oma.sip-im\r\nMax-Forwards: 70\r\n\
         P-Asserted-Identity: <{EVE}>\r\nAccept-Contact: *;+g.oma.sip-im;require;explicit\r\n\
         Content-Type: application/sdp\r\nContent-Length: {octets}\r\n\r\n{body}",
        address.port(),
    );
    let to_write = match cut {
        Cut::InRequest => request.len() / 2,
        Cut::BehindRequest | Cut::BehindAnswer => request.len(),
    };
    stream
        .write_all(&request.as_bytes()[..to_write])
        .await
        .unwrap();
    if let Cut::BehindAnswer = cut {
        let mut lines = BufReader::new(&mut stream).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.starts_with("SIP/2.0 200") {
                break;
            }
            assert!(!line.starts_with("SIP/2.0 4"), "{line}");
        }
    }
    stream.set_zero_linger().unwrap();
}

#[tokio::test]
async fn caller_whose_connection_is_reset_in_its_invite_leaves_nothing_behind() {
    repeat(async |way, number| {
        let config = config_with_eve().set("limits", "unbound_s", 2);
        let talk = Talk::begin(way.start(config).await, way).await;
        talk.say_first_half(number).await;
        let cut = [Cut::InRequest, Cut::BehindRequest, Cut::BehindAnswer][number % 3];
        call_and_reset(&talk.daemon, cut).await;
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        if let Cut::BehindAnswer = cut {
            let series = "msrp_sessions_ended_total{reason=\"never_bound\"}";
            talk.daemon.wait_metric(series, |count| count == 1.0).await;
        }
        let (participants, dialogs) = ("msrp_participants", "msrp_sip_dialogs");
        talk.daemon
            .wait_metric(participants, |count| count == 4.0)
            .await;
        // An answer that nobody acknowledges is waited for, then the BYE is (RFC 3261).
        let wait = talk
            .daemon
            .wait_metric_within(UNANSWERED, dialogs, |count| count == 4.0);
        wait.await;
        let (daemon, mut ends) = talk.end_with_daemon().await;
        ends.add_heard(EVE, Vec::new());
        ends.assert_nothing_lost();
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}
