use std::net::Ipv4Addr;

use super::*;
use crate::client::fake_ua::{Call, DIALOG, FakeUa, Script, fake_ua, invitation, response};

const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                      m=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim\r\n\
                      a=path:msrp://127.0.0.1:2855/peer;tcp\r\na=setup:passive\r\n";

fn media() -> OwnMedia {
    OwnMedia::new(Ipv4Addr::LOCALHOST.into(), "own1", 7).unwrap()
}

/// A dialog whose 200 has these header fields.
async fn joined(headers: Headers) -> (SipLeg<FakeUa>, Script) {
    let (ua, events, script) = fake_ua();
    script.respond(response(180, Headers::new(), None)).await;
    script.respond(response(200, headers, Some(ANSWER))).await;
    let (leg, switch) = SipLeg::invite(ua, events, &invitation(), media())
        .await
        .unwrap();
    assert_eq!(switch.address, "127.0.0.1:2855".parse().unwrap());
    (leg, script)
}

/// Why the dialog ended.
async fn ended(leg: &mut SipLeg<FakeUa>) -> String {
    loop {
        if let SipEvent::Ended(reason) = leg.next().await {
            return reason;
        }
    }
}

fn answer_of(script: &Script) -> Answer {
    match script.calls().pop() {
        Some(Call::Answer(TxnId(7), answer)) => answer,
        other => panic!("no answer but {other:?}"),
    }
}

// covers: CLI-7.1.1.1-01, CLI-7.1.1.1-03, CLI-7.1.1.1-06, CLI-7.1.1.1-07, CLI-7.1.1.1-08, CLI-7.1.1.4-01
#[tokio::test]
async fn invite_has_identity_tags_and_offer() {
    let (_leg, script) = joined(Headers::new()).await;
    let Some(Call::Invite(request)) = script.calls().into_iter().next() else {
        panic!("no INVITE");
    };
    assert_eq!(request.uri, "sip:demo@localhost");
    assert_eq!(request.from, "\"Alice\" <sip:alice@localhost>");
    assert_eq!(request.to, "<sip:demo@localhost>");
    let first = |name: &str| request.headers.first(name).unwrap().to_owned();
    assert_eq!(
        first("P-Asserted-Identity"),
        "\"Alice\" <sip:alice@localhost>"
    );
    assert_eq!(first("Accept-Contact"), "*;+g.oma.sip-im");
    assert_eq!(first("Supported"), "timer");
    assert_eq!(first("Session-Expires"), "1800;refresher=uac");
    assert_eq!(
        first("Allow"),
        "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY"
    );
    let body = request.body.unwrap();
    assert_eq!(body.content_type, "application/sdp");
    let offer = String::from_utf8(body.octets).unwrap();
    assert!(offer.contains("a=accept-types:message/cpim\r\n"), "{offer}");
}

#[tokio::test]
async fn invite_refused_tells_status_and_warning() {
    let (ua, events, script) = fake_ua();
    let headers = Headers::new().with("Warning", "399 im \"Forbidden for you\"");
    script.respond(response(403, headers, None)).await;
    let error = SipLeg::invite(ua, events, &invitation(), media())
        .await
        .err()
        .unwrap();
    let expected = "the room was not joined: 403 Reason. The server says: Forbidden for you";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn invite_without_answer_says_so() {
    let (ua, events, script) = fake_ua();
    let timeout = Response {
        origin: Origin::Timeout,
        ..response(408, Headers::new(), None)
    };
    script.respond(timeout).await;
    let error = SipLeg::invite(ua, events, &invitation(), media())
        .await
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "the SIP server does not answer");
}

#[tokio::test]
async fn invite_accepted_without_media_is_ended_with_bye() {
    let (ua, events, script) = fake_ua();
    script.respond(response(200, Headers::new(), None)).await;
    let error = SipLeg::invite(ua, events, &invitation(), media())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, JoinError::Answer(_)), "{error}");
    assert_eq!(script.calls().last(), Some(&Call::Bye));
}

#[tokio::test]
async fn bye_of_the_room_ends_the_dialog() {
    let (mut leg, script) = joined(Headers::new()).await;
    script
        .tell(UaEvent::Ended {
            dialog: DialogId(9),
            why: DialogEnd::NoAck,
        })
        .await;
    script
        .tell(UaEvent::Ended {
            dialog: DIALOG,
            why: DialogEnd::Bye,
        })
        .await;
    assert_eq!(ended(&mut leg).await, "the room ended the session");
}

#[tokio::test]
async fn requests_of_the_room_are_answered() {
    let offer = ANSWER.replace("passive", "actpass");
    let table = [
        (
            Some(DIALOG),
            Method::Invite,
            Some(offer.as_str()),
            200,
            true,
        ),
        (Some(DIALOG), Method::Invite, None, 200, true),
        (Some(DIALOG), Method::Invite, Some("nonsense"), 488, false),
        (Some(DIALOG), Method::Update, None, 200, false),
        (Some(DIALOG), Method::Options, None, 200, false),
        (Some(DIALOG), Method::Info, None, 405, false),
        (None, Method::Options, None, 200, false),
        (None, Method::Message, None, 405, false),
    ];
    for (dialog, method, body, status, has_body) in table {
        let (mut leg, script) = joined(Headers::new()).await;
        script.request(dialog, method.clone(), body).await;
        script
            .tell(UaEvent::Ended {
                dialog: DIALOG,
                why: DialogEnd::Bye,
            })
            .await;
        ended(&mut leg).await;
        let answer = answer_of(&script);
        assert_eq!(
            (answer.status, answer.body.is_some()),
            (status, has_body),
            "{method:?}"
        );
    }
}

// covers: CLI-7.1.1.8-01, CLI-7.1.1.1-10
#[tokio::test(start_paused = true)]
async fn refresh_is_sent_at_half_time_until_the_room_is_gone() {
    let headers = Headers::new().with("Session-Expires", "90;refresher=uac");
    let (mut leg, script) = joined(headers).await;
    let start = Instant::now();
    let offer = Some(sdp(media().offer()));
    let is_refresh = |call: &Call| match call {
        Call::Request(Method::Invite, headers, body) => {
            assert_eq!(headers.first("Session-Expires"), Some("1800;refresher=uac"));
            assert_eq!(headers.first("Supported"), Some("timer"));
            assert_eq!(*body, offer);
            true
        }
        _ => false,
    };
    let refreshes = |calls: Vec<Call>| calls.iter().filter(|call| is_refresh(call)).count();
    assert!(
        timeout(Duration::from_secs(100), ended(&mut leg))
            .await
            .is_err()
    );
    assert_eq!(refreshes(script.calls()), 2);
    let gone = UaEvent::Response {
        transaction: leg.refreshing.unwrap(),
        response: response(481, Headers::new(), None),
    };
    script.tell(gone).await;
    assert_eq!(ended(&mut leg).await, "the room is gone: 481 Reason");
    assert_eq!(start.elapsed().as_secs(), 100);
}

// covers: CLI-7.1.1.11-01
#[tokio::test(start_paused = true)]
async fn watch_subscribes_tells_who_takes_part_and_is_refreshed() {
    let (mut leg, script) = joined(Headers::new()).await;
    let subscribes = |script: &Script| {
        let mut wanted = vec![("Event", "conference"), ("Expires", "3600")];
        wanted.push(("Accept", "application/conference-info+xml"));
        let has = |headers: &Headers| wanted.iter().all(|(n, v)| headers.first(n) == Some(*v));
        let calls = script.calls().into_iter();
        calls
            .filter(
                |c| matches!(c, Call::Request(Method::Subscribe, headers, None) if has(headers)),
            )
            .count()
    };
    leg.watch();
    assert_eq!(subscribes(&script), 1);
    let granted = |leg: &SipLeg<FakeUa>| UaEvent::Response {
        transaction: leg.watching.unwrap(),
        response: response(200, Headers::new().with("Expires", "600"), None),
    };
    script.tell(granted(&leg)).await;
    let document = "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"sip:c@h\" version=\"1\">\
                    <users><user entity=\"sip:bob@h\"/></users></conference-info>";
    let notify = |text: &str| UaEvent::Request {
        transaction: TxnId(7),
        dialog: Some(DIALOG),
        request: Request {
            method: Method::Notify,
            uri: "sip:alice@h".to_owned(),
            headers: Headers::new(),
            body: Some(Body {
                content_type: CONFERENCE_INFO.to_owned(),
                octets: text.into(),
            }),
        },
        peer: msrp_sip::ua::Peer {
            address: "127.0.0.1:5060".parse().unwrap(),
            transport: msrp_sip::ua::Transport::Udp,
        },
    };
    script.tell(notify("nonsense")).await;
    script.tell(notify(document)).await;
    let SipEvent::Presence(presence) = leg.next().await else {
        panic!("the dialog ended");
    };
    assert_eq!(presence.entity, "sip:bob@h");
    assert_eq!(answer_of(&script).status, 200);
    let waited = timeout(Duration::from_secs(301), leg.next()).await;
    assert!(waited.is_err());
    assert_eq!(subscribes(&script), 2, "after half of its time");
    // One that is refused is not asked for again.
    script
        .tell(UaEvent::Response {
            transaction: leg.watching.unwrap(),
            response: response(403, Headers::new(), None),
        })
        .await;
    let waited = timeout(Duration::from_secs(4_000), leg.next()).await;
    assert!(waited.is_err());
    assert_eq!(subscribes(&script), 2);
}
