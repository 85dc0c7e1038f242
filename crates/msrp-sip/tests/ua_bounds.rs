//! What one peer can hold of an engine: so much, and others are served meanwhile.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "ua_support/support.rs"]
mod support;

use std::time::Duration;

use msrp_sip::ua::{DialogEnd, DialogId, Headers, Method, SipUa, Transport, UaEvent};
use msrp_sip::ua_rsipstack::{Ua, UaConfig, UaHandle, start};
use support::*;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A T1 with which nothing is old within a test.
const LONG: Duration = Duration::from_secs(20);
/// A T1 with which everything is old soon, and over by itself much later.
const SHORT: Duration = Duration::from_millis(250);
/// Where most peers are.
const LOCAL: &str = "127.0.0.1";

fn bounded(t1: Duration) -> UaConfig {
    let mut config = config(&[Transport::Udp]);
    config.limits.t1 = t1;
    config
}

/// Each from a port of its own, so that copies of answers to one do not disturb another.
async fn raw_from(ua: &Ua, address: &str) -> Raw {
    let socket = UdpSocket::bind((address, 0)).await.unwrap();
    Raw::Udp(socket, support::address(ua))
}

/// An engine, and a peer of it at each of these addresses.
async fn begin<const N: usize>(config: UaConfig, addresses: [&str; N]) -> (Ua, [Raw; N]) {
    let ua = start(config).await.unwrap();
    let mut raws = Vec::new();
    for address in addresses {
        raws.push(raw_from(&ua, address).await);
    }
    let Ok(raws) = raws.try_into() else {
        unreachable!("a peer for each address")
    };
    (ua, raws)
}

/// Sends a request with this Call-ID.
async fn request(raw: &mut Raw, method: &str, call: &str) {
    let request = raw.request(method, call, "", "", "");
    raw.send(&request.replace("raw-call", call)).await;
}

/// Sends a request with this Call-ID; the status of the answer and the answer.
async fn ask(raw: &mut Raw, method: &str, call: &str) -> (u16, String) {
    request(raw, method, call).await;
    let head = raw.receive_final().await;
    (head[8..11].parse().unwrap(), head)
}

/// Acknowledges the answer to the INVITE with this Call-ID.
async fn acknowledge(raw: &mut Raw, call: &str, answer: &str) {
    let ack = raw.request("ACK", "ack", &to_tag(answer), "", "");
    raw.send(&ack.replace("raw-call", call)).await;
}

/// An engine that [`serve`] answers for.
struct Served {
    handle: UaHandle,
    server: JoinHandle<()>,
}

impl Served {
    async fn end(self) {
        self.handle.shutdown().await;
        timeout(BOUND, self.server).await.unwrap().unwrap();
    }
}

/// Answers INVITEs and other requests with 200 until the engine ends.
fn serve(mut ua: Ua) -> Served {
    let handle = ua.handle.clone();
    let server = tokio::spawn(async move {
        while let Some(event) = ua.events.recv().await {
            if let UaEvent::Invite { transaction, .. } | UaEvent::Request { transaction, .. } =
                event
            {
                ua.handle.answer(transaction, answer(200));
            }
        }
    });
    Served { handle, server }
}

/// Takes the subscription that comes next.
async fn subscribed(ua: &mut Ua) -> DialogId {
    let (transaction, ..) = requested(ua).await;
    let accepted = ua.handle.accept_subscription(transaction, answer(200));
    accepted.unwrap()
}

fn count(handle: &UaHandle, name: &str, limit: Option<&str>) -> u64 {
    let label = limit.map(|limit| ("limit", limit.to_owned()));
    let samples = handle.samples();
    let sample = samples
        .iter()
        .find(|s| s.name == name && s.labels.first() == label.as_ref());
    sample.unwrap().value
}

fn refused(handle: &UaHandle, limit: &str) -> u64 {
    count(handle, "msrp_sip_limits_reached_total", Some(limit))
}

#[tokio::test]
async fn invite_beyond_the_bound_of_unfinished_ones_is_refused_while_none_is_old() {
    let mut config = bounded(LONG);
    config.limits.unfinished_max = 2;
    let (ua, mut raws) = begin(config, [LOCAL; 4]).await;
    let served = serve(ua);
    let (status, first) = ask(&mut raws[0], "INVITE", "a").await;
    assert_eq!(status, 200);
    assert_eq!(ask(&mut raws[1], "INVITE", "b").await.0, 200);
    let (status, head) = ask(&mut raws[2], "INVITE", "c").await;
    assert_eq!(status, 503);
    assert_eq!(field(&head, "Retry-After"), "5");
    assert_eq!(served.handle.stats().await.unfinished, 2);
    assert_eq!(refused(&served.handle, "sip_unfinished_max"), 1);
    // What makes no dialog is not concerned.
    assert_eq!(ask(&mut raws[3], "OPTIONS", "o").await.0, 200);
    // An ACK makes room.
    acknowledge(&mut raws[0], "a", &first).await;
    assert_eq!(ask(&mut raws[3], "INVITE", "d").await.0, 200);
    served.end().await;
}

#[tokio::test]
async fn oldest_session_without_ack_makes_room_and_ends_without_a_bye() {
    let mut config = bounded(SHORT);
    config.limits.unfinished_max = 1;
    let (mut ua, [mut first, mut second]) = begin(config, [LOCAL; 2]).await;
    let invite = first.request("INVITE", "a", "", "", "");
    first.send(&invite).await;
    let (transaction, dialog, ..) = invited(&mut ua).await;
    ua.handle.answer(transaction, answer(200));
    let tag = to_tag(&first.receive_final().await);
    // Until the first one is old enough the second is refused.
    let mut tries = 0;
    loop {
        tries += 1;
        request(&mut second, "INVITE", &format!("b{tries}")).await;
        let head = second.receive().await.0;
        match head.lines().next().unwrap() {
            "SIP/2.0 503 Service Unavailable" => {}
            "SIP/2.0 100 Trying" => break,
            other => panic!("{other}"),
        }
    }
    let ended = UaEvent::Ended {
        dialog,
        why: DialogEnd::NoAck,
    };
    assert_eq!(event(&mut ua).await, ended);
    invited(&mut ua).await;
    assert_eq!(count(&ua.handle, "msrp_sip_given_up_total", None), 1);
    assert_eq!(ua.handle.stats().await.unfinished, 1);
    // Nothing but copies of the 200 has come, and the dialog is gone.
    let bye = first.numbered("BYE", 2, "bye", &tag, "", "");
    first.send(&bye).await;
    loop {
        let head = first.receive_final().await;
        if head.starts_with("SIP/2.0 481 ") {
            break;
        }
        assert!(head.starts_with("SIP/2.0 200 "), "{head}");
    }
    ua.handle.shutdown().await;
}

#[tokio::test]
async fn invite_that_is_not_answered_yet_is_not_given_up() {
    let mut config = bounded(SHORT);
    config.limits.unfinished_max = 1;
    let (mut ua, [mut first, mut second]) = begin(config, [LOCAL; 2]).await;
    let invite = first.request("INVITE", "a", "", "", "");
    first.send(&invite).await;
    let (transaction, ..) = invited(&mut ua).await;
    let until = tokio::time::Instant::now() + 8 * SHORT;
    for n in 0.. {
        assert_eq!(ask(&mut second, "INVITE", &format!("b{n}")).await.0, 503);
        if tokio::time::Instant::now() > until {
            break;
        }
    }
    ua.handle.answer(transaction, answer(200));
    let head = first.receive_final().await;
    assert!(head.starts_with("SIP/2.0 200 "), "{head}");
    ua.handle.shutdown().await;
}

#[tokio::test]
async fn request_of_ours_without_answer_is_given_up_when_memory_is_short() {
    let (mut ua, [mut raw]) = begin(bounded(SHORT), [LOCAL]).await;
    let invite = raw.request("INVITE", "a", "", "", "");
    raw.send(&invite).await;
    let (transaction, dialog, ..) = invited(&mut ua).await;
    ua.handle.answer(transaction, answer(200));
    let tag = to_tag(&raw.receive_final().await);
    raw.send(&raw.request("ACK", "ack", &tag, "", "")).await;
    assert_eq!(event(&mut ua).await, UaEvent::Established { dialog });
    let bye = ua.handle.bye(dialog, Headers::new());
    assert!(raw.receive_final().await.starts_with("BYE "));
    assert_eq!(ua.handle.stats().await.unfinished, 1);
    let event = loop {
        ua.handle.refuse_new(true);
        if let Ok(event) = timeout(SHORT, ua.events.recv()).await {
            break event.unwrap();
        }
    };
    let UaEvent::Response {
        transaction,
        response,
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((transaction, response.status), (bye, 408));
    // It did not end by itself.
    assert_eq!(count(&ua.handle, "msrp_sip_given_up_total", None), 1);
    let stats = ua.handle.stats().await;
    assert_eq!((stats.unfinished, stats.dialogs), (0, 0));
    ua.handle.shutdown().await;
}

#[tokio::test]
async fn source_with_too_many_requests_in_a_second_is_refused_while_others_are_served() {
    let mut config = bounded(LONG);
    config.limits.source_requests_per_s = 5;
    let (ua, [mut busy, mut other]) = begin(config, [LOCAL, "127.0.0.2"]).await;
    let served = serve(ua);
    let mut n = 0;
    let mut ask_until = async |wanted: u16| {
        loop {
            n += 1;
            let (status, head) = ask(&mut busy, "OPTIONS", &format!("o{n}")).await;
            if status == wanted {
                return head;
            }
        }
    };
    let head = ask_until(503).await;
    assert_eq!(field(&head, "Retry-After"), "5");
    assert_eq!(ask(&mut other, "OPTIONS", "other").await.0, 200);
    assert!(refused(&served.handle, "sip_source_requests_per_s") > 0);
    assert_eq!(served.handle.stats().await.transactions_open, 0);
    // The next second is its own.
    ask_until(200).await;
    served.end().await;
}

#[tokio::test]
async fn source_with_too_many_invites_without_ack_is_refused_while_others_are_served() {
    let mut config = bounded(LONG);
    config.limits.source_unfinished_max = 1;
    let (ua, mut raws) = begin(config, [LOCAL, LOCAL, "127.0.0.2"]).await;
    let served = serve(ua);
    let (status, first) = ask(&mut raws[0], "INVITE", "a").await;
    assert_eq!(status, 200);
    assert_eq!(ask(&mut raws[1], "INVITE", "b").await.0, 503);
    assert_eq!(refused(&served.handle, "sip_source_unfinished_max"), 1);
    assert_eq!(ask(&mut raws[2], "INVITE", "c").await.0, 200);
    assert_eq!(ask(&mut raws[1], "OPTIONS", "o").await.0, 200);
    acknowledge(&mut raws[0], "a", &first).await;
    assert_eq!(ask(&mut raws[1], "INVITE", "d").await.0, 200);
    served.end().await;
}

#[tokio::test]
async fn trusted_neighbour_has_no_bounds_of_one_source() {
    let mut config = bounded(LONG);
    config.limits.source_requests_per_s = 1;
    config.limits.source_unfinished_max = 1;
    config.trusted_peers = vec!["127.0.0.0/30".parse().unwrap()];
    let (ua, mut raws) = begin(config, [LOCAL, LOCAL, LOCAL, "127.0.0.4"]).await;
    let served = serve(ua);
    for (number, raw) in raws[..3].iter_mut().enumerate() {
        assert_eq!(ask(raw, "INVITE", &format!("i{number}")).await.0, 200);
    }
    assert_eq!(ask(&mut raws[3], "INVITE", "i3").await.0, 200);
    assert_eq!(ask(&mut raws[3], "INVITE", "i4").await.0, 503);
    served.end().await;
}

#[tokio::test]
async fn requests_that_make_no_dialog_leave_room_for_those_that_do() {
    let mut config = bounded(LONG);
    config.limits.transactions_max = 4;
    let (mut ua, [mut raw]) = begin(config, [LOCAL]).await;
    for n in 0..3 {
        request(&mut raw, "OPTIONS", &format!("o{n}")).await;
        requested(&mut ua).await;
    }
    assert_eq!(ask(&mut raw, "OPTIONS", "more").await.0, 503);
    assert_eq!(refused(&ua.handle, "sip_transactions_max"), 1);
    let invite = raw.request("INVITE", "i", "", "", "");
    raw.send(&invite).await;
    invited(&mut ua).await;
    ua.handle.shutdown().await;
}

/// One change in a large conference makes a NOTIFY for each subscriber.
#[tokio::test]
async fn notifications_without_answer_keep_subscribers_out_and_no_callers() {
    let mut config = bounded(LONG);
    config.limits.unfinished_max = 1;
    let (mut ua, mut raws) = begin(config, [LOCAL; 3]).await;
    let subscribe = raws[0].request("SUBSCRIBE", "s", "", "", "");
    raws[0].send(&subscribe).await;
    let dialog = subscribed(&mut ua).await;
    assert!(raws[0].receive_final().await.starts_with("SIP/2.0 200 "));
    let state = Headers::new().with("Subscription-State", "active;expires=60");
    ua.handle.request(dialog, Method::Notify, state, None);
    assert!(raws[0].receive_final().await.starts_with("NOTIFY "));
    assert_eq!(ua.handle.stats().await.unfinished, 1);
    let served = serve(ua);
    assert_eq!(ask(&mut raws[1], "SUBSCRIBE", "more").await.0, 503);
    assert_eq!(refused(&served.handle, "sip_unfinished_max"), 1);
    assert_eq!(ask(&mut raws[2], "INVITE", "i").await.0, 200);
    served.end().await;
}

#[tokio::test]
async fn subscribers_leave_room_for_callers() {
    let mut config = bounded(LONG);
    config.limits.dialogs_max = 4;
    let (mut ua, mut raws) = begin(config, [LOCAL; 5]).await;
    for (number, raw) in raws[..3].iter_mut().enumerate() {
        request(raw, "SUBSCRIBE", &format!("s{number}")).await;
        subscribed(&mut ua).await;
    }
    let served = serve(ua);
    assert_eq!(ask(&mut raws[3], "SUBSCRIBE", "more").await.0, 503);
    assert_eq!(refused(&served.handle, "sip_dialogs_max"), 1);
    assert_eq!(ask(&mut raws[4], "INVITE", "i").await.0, 200);
    served.end().await;
}

#[test]
fn bounds_follow_a_small_bound_of_memory_and_not_a_large_one() {
    let limits = bounded(LONG).limits;
    let small = limits.clone().within(256 << 20);
    assert_eq!(small.unfinished_max, 1024);
    assert!(small.transactions_max < limits.transactions_max);
    assert_eq!(limits.clone().within(1 << 40), limits);
    assert_eq!(limits.within(1).unfinished_max, 1);
}

#[tokio::test]
async fn engine_without_room_for_anything_unfinished_does_not_start() {
    let mut config = bounded(LONG);
    config.limits.unfinished_max = 0;
    assert!(start(config).await.is_err());
}
