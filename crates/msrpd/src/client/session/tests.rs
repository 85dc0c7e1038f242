use super::*;

const OWN: &str = "msrp://127.0.0.1:9/own1;tcp";
const PEER: &str = "msrp://127.0.0.1:2855/peer;tcp";

/// A session whose random numbers count up from the process's first.
fn session() -> Session {
    fn draw() -> u128 {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
    }
    Session::new(
        MsrpUriBuf::parse(OWN).unwrap(),
        MsrpPathBuf::parse(PEER).unwrap(),
        draw,
    )
}

fn written(session: &mut Session) -> String {
    String::from_utf8(std::mem::take(session.out())).unwrap()
}

/// The transaction ids of the requests in a text.
fn transactions(text: &str) -> Vec<String> {
    let starts = text
        .lines()
        .filter(|l| l.starts_with("MSRP ") && l.ends_with(" SEND"));
    starts
        .map(|l| l.split(' ').nth(1).unwrap().to_owned())
        .collect()
}

fn response(tid: &str, status: &str) -> String {
    format!("MSRP {tid} {status}\r\nTo-Path: {OWN}\r\nFrom-Path: {PEER}\r\n-------{tid}$\r\n")
}

fn request(tid: &str, headers: &str, body: &str, flag: char) -> String {
    format!(
        "MSRP {tid} SEND\r\nTo-Path: {OWN}\r\nFrom-Path: {PEER}\r\nMessage-ID: mess\r\n{headers}\
         Content-Type: message/cpim\r\n\r\n{body}\r\n-------{tid}{flag}\r\n"
    )
}

const BODY: &str = "From: Bob <sip:bob@localhost>\r\nTo: <sip:demo@localhost>\r\n\r\n\
                    Content-Type: text/plain\r\n\r\nhello";

fn incoming() -> SessionEvent {
    SessionEvent::Message(Incoming {
        from: "sip:bob@localhost".to_owned(),
        display: Some("Bob".to_owned()),
        text: "hello".to_owned(),
    })
}

#[test]
fn bind_writes_a_send_without_body() {
    let mut session = session();
    let (answer, mut outcome) = oneshot::channel();
    session.bind(answer);
    let text = written(&mut session);
    let tid = &transactions(&text)[0];
    assert!(
        text.contains(&format!("To-Path: {PEER}\r\nFrom-Path: {OWN}\r\n")),
        "{text}"
    );
    assert!(
        text.contains("Byte-Range: 1-0/0\r\n") && !text.contains("Content-Type"),
        "{text}"
    );
    assert!(text.ends_with(&format!("\r\n-------{tid}$\r\n")), "{text}");
    session
        .handle_input(response(tid, "200 OK").as_bytes())
        .unwrap();
    assert_eq!(outcome.try_recv().unwrap(), Ok(()));
}

#[test]
fn nickname_is_asked_for_without_body_and_answered() {
    for (status, expected) in [("200 OK", None), ("425 Used", Some(425))] {
        let mut session = session();
        let (answer, mut outcome) = oneshot::channel();
        session.ask_nickname("Al", answer);
        let text = written(&mut session);
        let tid = text.split(' ').nth(1).unwrap();
        let request = format!(
            "MSRP {tid} NICKNAME\r\nTo-Path: {PEER}\r\nFrom-Path: {OWN}\r\n\
             Use-Nickname: \"Al\"\r\n-------{tid}$\r\n"
        );
        assert_eq!(text, request);
        session
            .handle_input(response(tid, status).as_bytes())
            .unwrap();
        let refusal = outcome.try_recv().unwrap().err();
        assert_eq!(refusal.map(|refusal| refusal.status), expected);
    }
}

#[test]
fn send_long_message_is_cut_and_accepted_when_every_chunk_is() {
    let mut session = session();
    let (answer, mut outcome) = oneshot::channel();
    session.send(&vec![b'x'; CHUNK_OCTETS_MAX + 1], answer);
    let text = written(&mut session);
    let ids = transactions(&text);
    assert_eq!(ids.len(), 2);
    assert!(text.contains("Byte-Range: 1-2048/2049\r\n"), "{text}");
    assert!(text.contains(&format!("-------{}+\r\n", ids[0])), "{text}");
    assert!(text.contains("Byte-Range: 2049-2049/2049\r\n"), "{text}");
    assert!(text.ends_with(&format!("-------{}$\r\n", ids[1])), "{text}");
    session
        .handle_input(response(&ids[0], "200").as_bytes())
        .unwrap();
    assert!(outcome.try_recv().is_err());
    session
        .handle_input(response(&ids[1], "200").as_bytes())
        .unwrap();
    assert_eq!(outcome.try_recv().unwrap(), Ok(()));
}

#[test]
fn send_refused_chunk_refuses_the_message_once() {
    let mut session = session();
    let (answer, mut outcome) = oneshot::channel();
    session.send(&vec![b'x'; CHUNK_OCTETS_MAX + 1], answer);
    let ids = transactions(&written(&mut session));
    session
        .handle_input(response(&ids[0], "403 Not yours").as_bytes())
        .unwrap();
    session
        .handle_input(response(&ids[1], "200").as_bytes())
        .unwrap();
    let refusal = outcome.try_recv().unwrap().unwrap_err();
    assert_eq!(
        (refusal.status, refusal.phrase.as_str()),
        (403, "Not yours")
    );
}

#[test]
fn message_in_any_cut_is_answered_and_delivered() {
    let text = request("abcd", "Byte-Range: 1-*/*\r\n", BODY, '$');
    for cut in 0..text.len() {
        let mut session = session();
        session.handle_input(&text.as_bytes()[..cut]).unwrap();
        session.handle_input(&text.as_bytes()[cut..]).unwrap();
        assert_eq!(session.poll_event(), Some(incoming()), "cut at {cut}");
        let expected =
            format!("MSRP abcd 200\r\nTo-Path: {PEER}\r\nFrom-Path: {OWN}\r\n-------abcd$\r\n");
        assert_eq!(
            written(&mut session).replace(" 200 OK\r\n", " 200\r\n"),
            expected
        );
    }
}

#[test]
fn message_in_chunks_is_delivered_with_the_last() {
    let mut session = session();
    let (first, second) = BODY.split_at(70);
    let range = format!("Byte-Range: 71-{0}/{0}\r\n", BODY.len());
    session
        .handle_input(request("abcd", "Byte-Range: 1-70/*\r\n", first, '+').as_bytes())
        .unwrap();
    assert_eq!(session.poll_event(), None);
    session
        .handle_input(request("efgh", &range, second, '$').as_bytes())
        .unwrap();
    assert_eq!(session.poll_event(), Some(incoming()));
}

#[test]
fn message_given_up_is_not_delivered() {
    let mut session = session();
    session
        .handle_input(request("abcd", "", &BODY[..30], '+').as_bytes())
        .unwrap();
    session
        .handle_input(request("efgh", "Byte-Range: 31-*/*\r\n", "x", '#').as_bytes())
        .unwrap();
    assert_eq!(session.poll_event(), None);
    session
        .handle_input(request("ijkl", "", BODY, '$').as_bytes())
        .unwrap();
    assert_eq!(session.poll_event(), Some(incoming()));
}

#[test]
fn message_answer_follows_failure_report() {
    let table = [
        ("Failure-Report: yes\r\n", BODY, "MSRP abcd 200"),
        ("Failure-Report: partial\r\n", BODY, ""),
        ("Failure-Report: no\r\n", BODY, ""),
        (
            "Failure-Report: partial\r\nByte-Range: 9-*/*\r\n",
            BODY,
            "MSRP abcd 400",
        ),
        ("Failure-Report: no\r\nByte-Range: 9-*/*\r\n", BODY, ""),
    ];
    for (headers, body, expected) in table {
        let mut session = session();
        session
            .handle_input(request("abcd", headers, body, '$').as_bytes())
            .unwrap();
        let text = written(&mut session);
        assert!(
            text.starts_with(expected) && text.is_empty() == expected.is_empty(),
            "{headers}{text}"
        );
    }
}

// covers: CLI-7.1.3.3-02
#[test]
fn message_with_success_report_is_reported() {
    let mut session = session();
    session
        .handle_input(request("abcd", "Success-Report: yes\r\n", BODY, '$').as_bytes())
        .unwrap();
    let text = written(&mut session);
    assert!(text.contains(" REPORT\r\n"), "{text}");
    assert!(
        text.contains(&format!("Byte-Range: 1-{0}/{0}\r\n", BODY.len())),
        "{text}"
    );
    assert!(text.contains("Status: 000 200"), "{text}");
}

#[test]
fn request_for_another_session_is_481() {
    let mut session = session();
    let text = request("abcd", "", BODY, '$').replace("/own1;", "/other;");
    session.handle_input(text.as_bytes()).unwrap();
    assert_eq!(session.poll_event(), None);
    assert!(written(&mut session).starts_with("MSRP abcd 481"));
}

#[test]
fn request_of_another_media_type_is_415() {
    let mut session = session();
    let text = request("abcd", "", BODY, '$').replace("message/cpim", "text/html");
    session.handle_input(text.as_bytes()).unwrap();
    assert!(written(&mut session).starts_with("MSRP abcd 415"));
}

#[test]
fn request_of_unknown_method_is_501() {
    let mut session = session();
    let text = request("abcd", "", BODY, '$').replace("abcd SEND", "abcd DANCE");
    session.handle_input(text.as_bytes()).unwrap();
    assert!(written(&mut session).starts_with("MSRP abcd 501"));
}

#[test]
fn report_of_a_failure_is_told_and_not_answered() {
    let mut session = session();
    let text = format!(
        "MSRP abcd REPORT\r\nTo-Path: {OWN}\r\nFrom-Path: {PEER}\r\nMessage-ID: mess\r\n\
         Byte-Range: 1-5/5\r\nStatus: 000 408\r\n-------abcd$\r\n"
    );
    session.handle_input(text.as_bytes()).unwrap();
    let Some(SessionEvent::Refused(refusal)) = session.poll_event() else {
        panic!("no event");
    };
    assert_eq!(refusal.status, 408);
    assert_eq!(written(&mut session), "");
}

#[test]
fn session_full_of_unanswered_messages_says_so_until_nobody_waits() {
    let mut session = session();
    let mut waiting = Vec::new();
    for _ in 0..SENDING_MAX {
        assert!(!session.is_full());
        let (answer, outcome) = oneshot::channel();
        session.send(b"x", answer);
        waiting.push(outcome);
    }
    assert!(session.is_full());
    waiting.pop();
    assert!(!session.is_full());
}

#[test]
fn input_that_is_not_msrp_is_an_error() {
    assert!(session().handle_input(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
}
