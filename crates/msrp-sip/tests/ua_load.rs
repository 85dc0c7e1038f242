//! Many calls at once, and what is left of them: nothing.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "ua_support/support.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use msrp_sip::ua::{Headers, Method, SipUa, Transport, UaEvent};
use msrp_sip::ua_rsipstack::{Ua, UaHandle, UaStats, start};
use support::*;
use tokio::time::timeout;

const CALLS: usize = 100;

/// Answers everything until the engine ends; each fourth call stays without a final answer.
async fn serve(mut ua: Ua) {
    while let Some(event) = ua.events.recv().await {
        match event {
            UaEvent::Invite {
                transaction,
                request,
                ..
            } => {
                ua.handle.answer(transaction, answer(180));
                let n = request.headers.first("X-Call").unwrap_or_default();
                let status = match n.parse::<usize>().unwrap() % 4 {
                    0 => 486,
                    1 => continue,
                    _ => 200,
                };
                ua.handle.answer(transaction, answer(status));
            }
            UaEvent::Request { transaction, .. } => {
                ua.handle.answer(transaction, answer(200));
            }
            _ => {}
        }
    }
}

/// Polls until nothing is left but connections.
async fn assert_drains(ua: &UaHandle) {
    let drained = async {
        loop {
            let stats = ua.stats().await;
            let rest = UaStats {
                connections: 0,
                ..stats
            };
            if rest == UaStats::default() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let left = timeout(BOUND, drained).await;
    assert!(left.is_ok(), "left: {:?}", ua.stats().await);
}

async fn run(transport: Transport) {
    // Finals come within 6.4 s, also on a machine that does other things, and what is over is forgotten after as long.
    let mut config = config(&[transport]);
    config.limits.t1 = Duration::from_millis(100);
    let mut a = start(config.clone()).await.unwrap();
    let b = start(config).await.unwrap();
    let (target, b_handle) = (uri(&b, "b"), b.handle.clone());
    let server = tokio::spawn(serve(b));
    let mut begun = HashMap::new();
    for n in 0..CALLS {
        let mut request = out(Method::Invite, &target);
        request.headers.push("X-Call", n.to_string());
        begun.insert(a.handle.invite(request), n);
    }
    let mut finals = HashMap::new();
    let (mut infos, mut byes) = (HashMap::new(), HashSet::new());
    let mut ended = 0;
    while finals.len() < CALLS || ended < CALLS / 2 {
        match event(&mut a).await {
            UaEvent::InviteResponse { dialog, response } => match response.status {
                // Any provisional will do: with so many at once a 180 may be lost.
                100..=199 if begun[&dialog] % 4 == 1 => a.handle.cancel(dialog),
                100..=199 => {}
                status => {
                    finals.insert(dialog, status);
                    if status == 200 {
                        let info = a.handle.request(dialog, Method::Info, Headers::new(), None);
                        infos.insert(info, dialog);
                    }
                }
            },
            UaEvent::Response {
                transaction,
                response,
            } => {
                assert_eq!(response.status, 200);
                match infos.remove(&transaction) {
                    Some(dialog) => {
                        byes.insert(a.handle.bye(dialog, Headers::new()));
                    }
                    None => ended += usize::from(byes.remove(&transaction)),
                }
            }
            other => unreachable!("{other:?}"),
        }
    }
    for (dialog, n) in begun {
        let expected = [486, 487, 200, 200][n % 4];
        assert_eq!(finals[&dialog], expected, "call {n}");
    }
    assert_drains(&a.handle).await;
    assert_drains(&b_handle).await;
    a.handle.shutdown().await;
    b_handle.shutdown().await;
    timeout(BOUND, server).await.unwrap().unwrap();
}

#[tokio::test]
async fn many_calls_over_udp_leave_nothing() {
    run(Transport::Udp).await;
}

#[tokio::test]
async fn many_calls_over_tcp_leave_nothing() {
    run(Transport::Tcp).await;
}

#[tokio::test]
async fn engine_that_can_carry_nothing_new_refuses_without_a_transaction() {
    let mut ua = start(config(&[Transport::Udp])).await.unwrap();
    ua.handle.refuse_new(true);
    assert_eq!(ua.handle.stats().await, UaStats::default());
    let mut peer = start(config(&[Transport::Udp])).await.unwrap();
    peer.handle.send(out(Method::Options, &uri(&ua, "b")));
    let UaEvent::Response { response, .. } = event(&mut peer).await else {
        panic!("no response");
    };
    assert_eq!(response.status, 503);
    assert!(response.headers.first("Retry-After").is_some());
    assert_eq!(ua.handle.stats().await, UaStats::default());
    ua.handle.refuse_new(false);
    peer.handle.send(out(Method::Options, &uri(&ua, "b")));
    assert!(matches!(event(&mut ua).await, UaEvent::Request { .. }));
    ua.handle.shutdown().await;
    peer.handle.shutdown().await;
}

#[tokio::test]
async fn peers_that_leave_in_the_middle_leave_nothing() {
    let mut ua = start(hasty(config(&[Transport::Tcp]))).await.unwrap();
    for n in 0..50 {
        let mut raw = Raw::new(&ua).await;
        let invite = raw.request("INVITE", &format!("i{n}"), "", "", "");
        let message = raw.request("MESSAGE", &format!("m{n}"), "", "", "");
        raw.send(&invite.replace("raw-call", &format!("i{n}")))
            .await;
        raw.send(&message.replace("raw-call", &format!("m{n}")))
            .await;
        let (mut call, mut message) = (None, None);
        while call.is_none() || message.is_none() {
            match event(&mut ua).await {
                UaEvent::Invite { transaction, .. } => call = Some(transaction),
                UaEvent::Request { transaction, .. } => message = Some(transaction),
                _ => {}
            }
        }
        let (call, message) = (call.unwrap(), message.unwrap());
        match n % 3 {
            0 => drop(raw),
            1 => {
                ua.handle.answer(call, answer(200));
                drop(raw);
            }
            _ => {
                drop(raw);
                ua.handle.answer(call, answer(486));
                ua.handle.answer(message, answer(200));
            }
        }
    }
    // Those that nobody answered, and those without ACK, end by themselves.
    assert_drains(&ua.handle).await;
    assert_eq!(ua.handle.stats().await.connections, 0);
}
