//! Two engines talk to each other over loopback.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "ua_support/support.rs"]
mod support;

use msrp_sip::ua::{Answer, Body, DialogEnd, Headers, Method, Origin, SipUa, Transport, UaEvent};
use msrp_sip::ua_rsipstack::{Ua, start};
use support::*;
use tokio::net::TcpSocket;

const TRANSPORTS: [Transport; 2] = [Transport::Udp, Transport::Tcp];

#[tokio::test]
async fn call_with_ringing_and_bye_of_caller_goes_through() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let target = uri(&b, "bob");
        let ours = a.handle.invite(out(Method::Invite, &target));
        let (transaction, theirs, request, peer) = invited(&mut b).await;
        assert_eq!(request.uri, target);
        assert_eq!(peer.transport, transport);
        assert_eq!(request.headers.first("User-Agent"), Some("test-ua/1"));
        b.handle.answer(transaction, answer(180));
        let ringing = ringing_or_final(&mut a, ours).await;
        assert_eq!((ringing.status, ringing.origin), (180, Origin::Peer));
        b.handle.answer(transaction, answer(200));
        let accepted = ringing_or_final(&mut a, ours).await;
        assert_eq!(accepted.status, 200);
        assert_eq!(accepted.headers.first("Server"), Some("test-ua/1"));
        assert_eq!(accepted.headers.first("User-Agent"), None);
        assert_eq!(event(&mut b).await, UaEvent::Established { dialog: theirs });
        let bye = a.handle.bye(ours, Headers::new());
        let ended = UaEvent::Ended {
            dialog: theirs,
            why: DialogEnd::Bye,
        };
        assert_eq!(event(&mut b).await, ended);
        assert_eq!(response(&mut a, bye).await.status, 200);
        a.handle.shutdown().await;
        b.handle.shutdown().await;
    }
}

#[tokio::test]
async fn call_with_bye_of_callee_ends_at_the_caller() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let (ours, theirs) = call(&mut a, &mut b).await;
        let bye = b
            .handle
            .bye(theirs, Headers::new().with("Reason", "SIP;cause=200"));
        let ended = UaEvent::Ended {
            dialog: ours,
            why: DialogEnd::Bye,
        };
        assert_eq!(event(&mut a).await, ended);
        assert_eq!(response(&mut b, bye).await.status, 200);
        let again = b.handle.bye(theirs, Headers::new());
        assert_eq!(response(&mut b, again).await.status, 481);
    }
}

#[tokio::test]
async fn bye_before_the_ack_waits_for_it() {
    let (mut a, mut b) = (both().await, both().await);
    let ours = a.handle.invite(out(Method::Invite, &uri(&b, "b")));
    let (transaction, theirs, ..) = invited(&mut b).await;
    b.handle.answer(transaction, answer(200));
    let bye = b.handle.bye(theirs, Headers::new());
    assert_eq!(ringing_or_final(&mut a, ours).await.status, 200);
    assert_eq!(event(&mut b).await, UaEvent::Established { dialog: theirs });
    assert_eq!(response(&mut b, bye).await.status, 200);
}

#[tokio::test]
async fn refusal_with_warning_and_body_arrives_as_it_was_given() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let ours = a.handle.invite(out(Method::Invite, &uri(&b, "b")));
        let (transaction, _, request, _) = invited(&mut b).await;
        let warning = "399 test.invalid \"122 Function not allowed\"";
        b.handle.answer(
            transaction,
            Answer {
                status: 486,
                reason: Some("Busy Right Now".to_owned()),
                headers: Headers::new().with("Warning", warning).with("X-Own", "1"),
                body: Some(text("v=0")),
            },
        );
        let refused = ringing_or_final(&mut a, ours).await;
        assert_eq!(
            (refused.status, refused.reason.as_str()),
            (486, "Busy Right Now")
        );
        assert_eq!(refused.headers.first("Warning"), Some(warning));
        assert_eq!(refused.headers.first("x-own"), Some("1"));
        assert_eq!(refused.body, Some(text("v=0")));
        let call_id = request.headers.first("Call-ID");
        assert_eq!(refused.headers.first("Call-ID"), call_id);
        b.handle.answer(transaction, answer(200));
        let options = a.handle.send(out(Method::Options, &uri(&b, "b")));
        let (transaction, ..) = requested(&mut b).await;
        b.handle.answer(transaction, answer(200));
        assert_eq!(response(&mut a, options).await.status, 200);
    }
}

#[tokio::test]
async fn cancel_before_an_answer_ends_both_sides_with_487() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let ours = a.handle.invite(out(Method::Invite, &uri(&b, "b")));
        a.handle.cancel(ours);
        let first = event(&mut a).await;
        let UaEvent::InviteResponse { response, .. } = first else {
            panic!("{first:?}");
        };
        if response.origin == Origin::Transport {
            // It had not even been sent.
            assert_eq!(response.status, 487);
            continue;
        }
        let (transaction, theirs, ..) = invited(&mut b).await;
        let ended = UaEvent::Ended {
            dialog: theirs,
            why: DialogEnd::Cancelled,
        };
        assert_eq!(event(&mut b).await, ended);
        assert_eq!(ringing_or_final(&mut a, ours).await.status, 487);
        b.handle.answer(transaction, answer(200));
    }
}

#[tokio::test]
async fn cancel_while_it_rings_ends_both_sides_with_487() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let ours = a.handle.invite(out(Method::Invite, &uri(&b, "b")));
        let (transaction, theirs, ..) = invited(&mut b).await;
        b.handle.answer(transaction, answer(180));
        assert_eq!(ringing_or_final(&mut a, ours).await.status, 180);
        a.handle.cancel(ours);
        let ended = UaEvent::Ended {
            dialog: theirs,
            why: DialogEnd::Cancelled,
        };
        assert_eq!(event(&mut b).await, ended);
        let end = ringing_or_final(&mut a, ours).await;
        assert_eq!((end.status, end.origin), (487, Origin::Peer));
    }
}

#[tokio::test]
async fn requests_inside_a_dialog_go_both_ways_in_order() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let (ours, theirs) = call(&mut a, &mut b).await;
        let sent: Vec<_> = (0..20)
            .map(|n| {
                let body = Some(text(&n.to_string()));
                a.handle
                    .request(ours, Method::Message, Headers::new(), body)
            })
            .collect();
        for n in 0..sent.len() {
            let (transaction, dialog, request) = requested(&mut b).await;
            assert_eq!(dialog, Some(theirs));
            assert_eq!(request.method, Method::Message);
            assert_eq!(request.body, Some(text(&n.to_string())));
            b.handle.answer(transaction, answer(200));
        }
        for transaction in sent {
            assert_eq!(response(&mut a, transaction).await.status, 200);
        }
        let headers = Headers::new().with("Info-Package", "x");
        let info = b.handle.request(theirs, Method::Info, headers, None);
        let (transaction, dialog, request) = requested(&mut a).await;
        assert_eq!((dialog, request.method), (Some(ours), Method::Info));
        assert_eq!(request.headers.first("Info-Package"), Some("x"));
        assert_eq!(request.headers.first("Contact"), None);
        a.handle.answer(transaction, answer(469));
        assert_eq!(response(&mut b, info).await.status, 469);
    }
}

#[tokio::test]
async fn answer_then_request_arrive_in_that_order() {
    let (mut a, mut b) = (ua(Transport::Tcp).await, ua(Transport::Tcp).await);
    let (ours, theirs) = call(&mut a, &mut b).await;
    let refer = a.handle.request(
        ours,
        Method::Refer,
        Headers::new().with("Refer-To", "<sip:c@test.invalid>"),
        None,
    );
    let (transaction, ..) = requested(&mut b).await;
    b.handle.answer(transaction, answer(202));
    let event_header = Headers::new().with("Event", "refer");
    let notify = b.handle.request(theirs, Method::Notify, event_header, None);
    assert_eq!(response(&mut a, refer).await.status, 202);
    let (transaction, dialog, _) = requested(&mut a).await;
    assert_eq!(dialog, Some(ours));
    a.handle.answer(transaction, answer(200));
    assert_eq!(response(&mut b, notify).await.status, 200);
}

#[tokio::test]
async fn reinvite_refreshes_targets_and_needs_no_second_established() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let (ours, theirs) = call(&mut a, &mut b).await;
        let elsewhere = start(config(&[transport])).await.unwrap();
        let host = elsewhere.handle.contact_host(transport);
        let contact = format!("<sip:new@{host};transport={transport}>;isfocus");
        let headers = Headers::new().with("Contact", &contact);
        let reinvite = a
            .handle
            .request(ours, Method::Invite, headers, Some(text("v=0")));
        let (transaction, dialog, request) = requested(&mut b).await;
        assert_eq!((dialog, &request.method), (Some(theirs), &Method::Invite));
        assert_eq!(request.headers.first("Contact"), Some(contact.as_str()));
        b.handle.answer(transaction, answer(200));
        let accepted = response(&mut a, reinvite).await;
        assert_eq!(accepted.status, 200);
        assert!(accepted.headers.first("Contact").is_some());
        // The new target knows no such dialog: the request has gone there.
        let info = b.handle.request(theirs, Method::Info, Headers::new(), None);
        assert_eq!(response(&mut b, info).await.status, 481);
    }
}

#[tokio::test]
async fn requests_outside_of_dialogs_are_answered_by_the_focus() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let mut message = out(Method::Message, &uri(&b, "b"));
        message.body = Some(text("hello"));
        message
            .headers
            .push("P-Asserted-Identity", "<sip:a@test.invalid>");
        message.headers.push("Content-Length", "99");
        let message = a.handle.send(message);
        let (transaction, dialog, request) = requested(&mut b).await;
        assert_eq!(dialog, None);
        assert_eq!(request.body, Some(text("hello")));
        assert_eq!(
            request.headers.first("P-Asserted-Identity"),
            Some("<sip:a@test.invalid>")
        );
        assert_eq!(request.headers.all("Content-Length").count(), 1);
        b.handle.answer(transaction, answer(202));
        let accepted = response(&mut a, message).await;
        assert_eq!(
            (accepted.status, accepted.reason.as_str()),
            (202, "Accepted")
        );
        let options = a.handle.send(out(Method::Options, &uri(&b, "b")));
        let (transaction, _, request) = requested(&mut b).await;
        assert_eq!(request.method, Method::Options);
        let mut allowed = answer(200);
        allowed.headers.push("Allow", "INVITE, ACK");
        allowed
            .headers
            .push("Contact", "<sip:b@test.invalid>;isfocus");
        b.handle.answer(transaction, allowed);
        let allowed = response(&mut a, options).await;
        assert_eq!(allowed.headers.first("Allow"), Some("INVITE, ACK"));
        assert_eq!(
            allowed.headers.first("Contact"),
            Some("<sip:b@test.invalid>;isfocus")
        );
    }
}

#[tokio::test]
async fn contact_with_parameters_stands_once_as_it_was_given() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let host = a.handle.contact_host(transport);
        let mine = format!("<sip:abc@{host};transport={transport};x=%41>;isfocus;+g.oma.sip-im");
        let mut request = out(Method::Invite, &uri(&b, "b"));
        request.contact = Some(mine.clone());
        let ours = a.handle.invite(request);
        let (transaction, theirs, request, _) = invited(&mut b).await;
        assert_eq!(request.headers.all("Contact").collect::<Vec<_>>(), [&mine]);
        let host = b.handle.contact_host(transport);
        let focus = format!("\"F, o\" <sip:conf@{host};transport={transport}>;isfocus;+x=\"<y>\"");
        let mut accept = answer(200);
        accept.headers.push("contact", &focus);
        b.handle.answer(transaction, accept);
        let accepted = ringing_or_final(&mut a, ours).await;
        assert_eq!(
            accepted.headers.all("Contact").collect::<Vec<_>>(),
            [&focus]
        );
        assert_eq!(event(&mut b).await, UaEvent::Established { dialog: theirs });
        // Both targets are used as they stand.
        let info = a.handle.request(ours, Method::Info, Headers::new(), None);
        let (transaction, _, request) = requested(&mut b).await;
        assert_eq!(
            request.uri,
            format!("sip:conf@{host};transport={transport}")
        );
        b.handle.answer(transaction, answer(200));
        assert_eq!(response(&mut a, info).await.status, 200);
        let update = b
            .handle
            .request(theirs, Method::Update, Headers::new(), None);
        let (transaction, _, request) = requested(&mut a).await;
        assert!(request.uri.ends_with(";x=%41"), "{}", request.uri);
        assert_eq!(request.headers.all("Contact").collect::<Vec<_>>(), [&focus]);
        a.handle.answer(transaction, answer(200));
        let updated = response(&mut b, update).await;
        assert_eq!(updated.headers.all("Contact").collect::<Vec<_>>(), [&mine]);
    }
}

#[tokio::test]
async fn multipart_body_with_any_octets_is_not_changed() {
    for transport in TRANSPORTS {
        let (mut a, mut b) = (ua(transport).await, ua(transport).await);
        let mut octets = b"--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x\r\n\r\n".to_vec();
        octets.extend(0..=255u8);
        octets.extend(b"\r\n\r\n--x--\r\n");
        let body = Body {
            content_type: "multipart/mixed;boundary=\"x\"".to_owned(),
            octets,
        };
        let mut request = out(Method::Invite, &uri(&b, "b"));
        request.body = Some(body.clone());
        let ours = a.handle.invite(request);
        let (transaction, _, request, _) = invited(&mut b).await;
        assert_eq!(request.body.as_ref(), Some(&body));
        let mut accept = answer(200);
        accept.body = Some(body.clone());
        b.handle.answer(transaction, accept);
        assert_eq!(ringing_or_final(&mut a, ours).await.body, Some(body));
    }
}

#[tokio::test]
async fn subscription_dialog_carries_notify_and_refresh() {
    let (mut a, mut b) = (both().await, both().await);
    let mut subscribe = out(Method::Subscribe, &uri(&b, "conf"));
    subscribe.headers.push("Event", "conference");
    let raw = a.handle.send(subscribe);
    let (transaction, dialog, request) = requested(&mut b).await;
    assert_eq!(dialog, None);
    assert!(request.headers.first("Contact").is_some());
    let mut accept = answer(200);
    accept.headers.push("Expires", "60");
    let dialog = b.handle.accept_subscription(transaction, accept).unwrap();
    assert_eq!(response(&mut a, raw).await.status, 200);
    // The first engine made no dialog of its SUBSCRIBE: it refuses what comes inside.
    let state = Headers::new().with("Subscription-State", "active");
    let notify = b.handle.request(dialog, Method::Notify, state, None);
    assert_eq!(response(&mut b, notify).await.status, 481);
    b.handle.forget(dialog);
    let notify = b
        .handle
        .request(dialog, Method::Notify, Headers::new(), None);
    let refused = response(&mut b, notify).await;
    assert_eq!((refused.status, refused.origin), (481, Origin::Transport));
}

#[tokio::test]
async fn unanswered_request_ends_as_a_timeout() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = format!("sip:x@{}", socket.local_addr().unwrap());
    let mut a = start(hasty(config(&[Transport::Udp]))).await.unwrap();
    let message = a.handle.send(out(Method::Message, &silent));
    let gone = response(&mut a, message).await;
    assert_eq!((gone.status, gone.origin), (408, Origin::Timeout));
    let ours = a.handle.invite(out(Method::Invite, &silent));
    let gone = ringing_or_final(&mut a, ours).await;
    assert_eq!((gone.status, gone.origin), (408, Origin::Timeout));
}

#[tokio::test]
async fn refused_connection_ends_as_a_transport_failure() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut a = both().await;
    for target in [
        format!("sip:x@{closed};transport=tcp"),
        "sips:x@127.0.0.1".to_owned(),
        "sip:x@127.0.0.1;transport=tls".to_owned(),
        "nonsense".to_owned(),
        "sip:x@[::1]:5".to_owned(),
    ] {
        let message = a.handle.send(out(Method::Message, &target));
        let failed = response(&mut a, message).await;
        assert_eq!(
            (failed.status, failed.origin),
            (503, Origin::Transport),
            "{target}"
        );
        let ours = a.handle.invite(out(Method::Invite, &target));
        let failed = ringing_or_final(&mut a, ours).await;
        assert_eq!(
            (failed.status, failed.origin),
            (503, Origin::Transport),
            "{target}"
        );
    }
}

#[tokio::test]
async fn outbound_proxy_gets_all_with_a_route() {
    let mut proxy = both().await;
    let mut behind = config(&[Transport::Udp]);
    let host = proxy.handle.contact_host(Transport::Tcp);
    behind.outbound_proxy = Some(format!("sip:{host};transport=tcp;lr"));
    let mut a = start(behind).await.unwrap();
    let message = a.handle.send(out(Method::Message, "sip:b@nowhere.invalid"));
    let (transaction, _, request) = requested(&mut proxy).await;
    assert_eq!(request.uri, "sip:b@nowhere.invalid");
    let route = format!("<sip:{host};transport=tcp;lr>");
    assert_eq!(request.headers.first("Route"), Some(route.as_str()));
    proxy.handle.answer(transaction, answer(200));
    assert_eq!(response(&mut a, message).await.status, 200);
}

#[tokio::test]
async fn large_request_takes_tcp_when_the_peer_has_it() {
    let mut a = both().await;
    let body = Some(text(&"x".repeat(2000)));
    let (reserved, mut b) = udp_with_silent_tcp().await;
    let target = format!("sip:b@{}", address(&b));
    let mut message = out(Method::Options, &target);
    message.body.clone_from(&body);
    // Nobody listens on that TCP port: the datagram it is.
    let sent = a.handle.send(message.clone());
    let (transaction, _, request) = requested(&mut b).await;
    assert_eq!(request.body, body);
    assert!(request.headers.first("Via").unwrap().contains("/UDP "));
    b.handle.answer(transaction, answer(200));
    assert_eq!(response(&mut a, sent).await.status, 200);
    let mut with_tcp = config(&[Transport::Tcp]);
    with_tcp.bind[0].1 = address(&b);
    let mut b_tcp = start(with_tcp).await.unwrap();
    let sent = a.handle.send(message);
    let (transaction, _, request) = requested(&mut b_tcp).await;
    assert!(request.headers.first("Via").unwrap().contains("/TCP "));
    b_tcp.handle.answer(transaction, answer(200));
    assert_eq!(response(&mut a, sent).await.status, 200);
    drop(reserved);
}

#[tokio::test]
async fn large_content_never_goes_by_datagram() {
    let mut a = both().await;
    let (reserved, mut b) = udp_with_silent_tcp().await;
    let mut targets = Vec::new();
    for suffix in ["", ";transport=udp"] {
        targets.push(format!("sip:b@{}{suffix}", address(&b)));
    }
    for target in &targets {
        let mut large = out(Method::Message, target);
        large.body = Some(text(&"x".repeat(1300)));
        let sent = a.handle.send(large);
        let failed = response(&mut a, sent).await;
        assert_eq!((failed.status, failed.origin), (503, Origin::Transport));
    }
    // The next thing that arrives is the small one.
    let mut small = out(Method::Message, &targets[1]);
    small.body = Some(text("small"));
    let sent = a.handle.send(small);
    let (transaction, _, request) = requested(&mut b).await;
    assert_eq!(request.body, Some(text("small")));
    b.handle.answer(transaction, answer(200));
    assert_eq!(response(&mut a, sent).await.status, 200);
    drop(reserved);
}

/// An engine on UDP, and the TCP port of the same number, bound so that nobody else has it.
async fn udp_with_silent_tcp() -> (TcpSocket, Ua) {
    loop {
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.set_reuseaddr(true).unwrap();
        reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut same = config(&[Transport::Udp]);
        same.bind[0].1 = reserved.local_addr().unwrap();
        if let Ok(ua) = start(same).await {
            return (reserved, ua);
        }
    }
}

#[tokio::test]
async fn call_over_ipv6_goes_through() {
    for transport in TRANSPORTS {
        let mut six = config(&[transport]);
        six.bind[0].1 = "[::1]:0".parse().unwrap();
        let Ok(mut a) = start(six.clone()).await else {
            // There is no IPv6 here.
            return;
        };
        let mut b = start(six).await.unwrap();
        let (ours, theirs) = call(&mut a, &mut b).await;
        let bye = b.handle.bye(theirs, Headers::new());
        let why = DialogEnd::Bye;
        assert_eq!(event(&mut a).await, UaEvent::Ended { dialog: ours, why });
        assert_eq!(response(&mut b, bye).await.status, 200);
    }
}

#[tokio::test]
async fn dialog_that_the_focus_ends_early_is_refused_or_cancelled() {
    let (mut a, mut b) = (both().await, both().await);
    let ours = a.handle.invite(out(Method::Invite, &uri(&b, "b")));
    let (transaction, theirs, ..) = invited(&mut b).await;
    let bye = b.handle.bye(theirs, Headers::new());
    let none = response(&mut b, bye).await;
    assert_eq!((none.status, none.origin), (481, Origin::Transport));
    assert_eq!(ringing_or_final(&mut a, ours).await.status, 480);
    b.handle.answer(transaction, answer(200));
    let ours = a.handle.invite(out(Method::Invite, &uri(&b, "b")));
    let (transaction, theirs, ..) = invited(&mut b).await;
    b.handle.answer(transaction, answer(180));
    assert_eq!(ringing_or_final(&mut a, ours).await.status, 180);
    let bye = a.handle.bye(ours, Headers::new());
    assert_eq!(response(&mut a, bye).await.status, 481);
    let why = DialogEnd::Cancelled;
    assert_eq!(
        event(&mut b).await,
        UaEvent::Ended {
            dialog: theirs,
            why
        }
    );
}

#[tokio::test]
async fn configuration_that_cannot_work_is_refused() {
    assert!(start(config(&[])).await.is_err());
    let mut bad = config(&[Transport::Udp]);
    bad.outbound_proxy = Some("tel:+1".to_owned());
    assert!(start(bad).await.unwrap_err().to_string().contains("tel:+1"));
    let mut bad = config(&[Transport::Udp]);
    bad.limits.dialogs_max = 0;
    assert!(
        start(bad)
            .await
            .unwrap_err()
            .to_string()
            .contains("dialogs_max")
    );
    let taken = ua(Transport::Tcp).await;
    let mut bad = config(&[Transport::Tcp]);
    bad.bind[0].1 = address(&taken);
    assert!(
        start(bad)
            .await
            .unwrap_err()
            .to_string()
            .contains("cannot bind tcp:")
    );
}
