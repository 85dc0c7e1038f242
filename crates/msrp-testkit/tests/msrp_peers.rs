//! Two scripted MSRP peers against each other over loopback.

use msrp_testkit::{Draft, Event, Flag, Frame, Mode, MsrpEndpoint, MsrpPeer};

const ALICE: &str = "sip:alice@example.com";
const BOB: &str = "sip:bob@example.com";

async fn pair() -> (MsrpPeer, MsrpPeer) {
    let (active, passive) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let (active_media, passive_media) = (active.media(), passive.media());
    let (active, passive) = tokio::join!(
        active.connect(&passive_media),
        passive.accept(&active_media)
    );
    let (frame, ()) = tokio::join!(passive.expect_empty(), active.bind());
    assert_eq!(frame.header("Byte-Range"), Some("1-0/0"));
    (active, passive)
}

/// The text of the panic of a task, or nothing.
async fn panic_of(task: impl Future<Output = ()> + Send + 'static) -> String {
    match tokio::spawn(task).await {
        Ok(()) => String::new(),
        Err(error) => error
            .into_panic()
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_default(),
    }
}

#[tokio::test]
async fn message_of_one_megabyte_arrives_in_its_chunks() {
    let (alice, bob) = pair().await;
    let body = (0..1_000_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect::<Vec<_>>();
    let sent = alice
        .send_ok(&Draft::new("application/octet-stream", body.clone()).chunk_octets(2048))
        .await;
    let message = bob.expect_message().await;
    assert_eq!((message.id, message.ended), (sent.message_id, Flag::Last));
    assert_eq!((message.chunks.len(), sent.tids.len()), (489, 489));
    assert_eq!(
        message.chunks[488].byte_range.as_deref(),
        Some("999425-1000000/1000000")
    );
    assert!(message.body == body);
}

#[tokio::test]
async fn message_of_one_megabyte_arrives_in_one_chunk() {
    let (alice, bob) = pair().await;
    alice
        .send_ok(&Draft::new(
            "application/octet-stream",
            vec![b'-'; 1_000_000],
        ))
        .await;
    let message = bob.expect_message().await;
    assert_eq!((message.chunks.len(), message.body.len()), (1, 1_000_000));
    assert_eq!(message.chunks[0].byte_range.as_deref(), Some("1-*/1000000"));
}

#[tokio::test]
async fn messages_that_take_turns_are_put_together() {
    let (alice, bob) = pair().await;
    let (long, short) = (
        Draft::new("text/plain", "abcdef"),
        Draft::text(ALICE, BOB, "x"),
    );
    alice.send_chunk(&long, 0, 3, Flag::More);
    alice.send_ok(&short).await;
    alice.send_chunk(&long, 3, 6, Flag::Last);
    bob.expect_text(ALICE, "x").await;
    assert_eq!(bob.expect_message().await.text(), "abcdef");
    bob.assert_nothing_left();
}

#[tokio::test]
async fn message_given_up_arrives_as_aborted() {
    let (alice, bob) = pair().await;
    alice
        .send_ok(
            &Draft::new("text/plain", "abcdef")
                .open_end()
                .stop_after(4, Flag::Abort),
        )
        .await;
    let message = bob.expect_message().await;
    assert_eq!((message.ended, message.text()), (Flag::Abort, "abcd"));
}

#[tokio::test]
async fn peer_in_manual_mode_answers_what_the_test_says() {
    let (alice, bob) = pair().await;
    bob.set_mode(Mode::Manual);
    let sent = alice.send(
        &Draft::new("text/plain", "a")
            .tids(&["my.own-id"])
            .header("Ext", "1"),
    );
    assert_eq!(sent.tids, ["my.own-id"]);
    let chunk = bob.expect_chunk().await;
    assert_eq!(
        (chunk.tid.as_str(), chunk.header("ext")),
        ("my.own-id", Some("1"))
    );
    bob.respond(&chunk, 413, "Stop");
    alice.expect_all(&sent, 413).await;
}

#[tokio::test]
async fn failure_report_no_gets_no_response() {
    let (alice, bob) = pair().await;
    alice
        .send_ok(&Draft::text(ALICE, BOB, "quiet").failure_report("no"))
        .await;
    alice.send_ok(&Draft::text(ALICE, BOB, "loud")).await;
    bob.expect_text(ALICE, "quiet").await;
    bob.expect_text(ALICE, "loud").await;
    alice.assert_nothing_left();
}

#[tokio::test]
async fn report_about_a_message_reaches_its_sender() {
    let (alice, bob) = pair().await;
    let sent = alice
        .send_ok(&Draft::new("text/plain", "abc").success_report("yes"))
        .await;
    bob.report(&bob.expect_message().await, "1-3/3", "000 200 OK");
    let report = alice.expect_report_of(&sent.message_id, 200).await;
    assert_eq!(report.header("Byte-Range"), Some("1-3/3"));
}

#[tokio::test]
async fn deaf_peer_stops_the_sender_until_it_listens() {
    let (alice, bob) = pair().await;
    bob.set_mode(Mode::Deaf);
    let sent = alice.send(&Draft::new(
        "application/octet-stream",
        vec![b'x'; 20_000_000],
    ));
    assert!(alice.unwritten_octets() > 0);
    bob.set_mode(Mode::Auto);
    alice.flushed().await;
    alice.expect_all(&sent, 200).await;
    assert_eq!(alice.unwritten_octets(), 0);
}

#[tokio::test]
async fn nothing_until_tells_the_first_event() {
    let (alice, bob) = pair().await;
    alice.send(&Draft::text(ALICE, BOB, "x"));
    bob.expect_nothing_until("a message", |event| matches!(event, Event::Message(_)))
        .await;
    alice.send(&Draft::text(ALICE, BOB, "y"));
    let panic = panic_of(async move {
        bob.expect_nothing_until("a REPORT", |event| matches!(event, Event::Report(_)))
            .await;
    });
    assert!(panic.await.contains("came before a REPORT"));
}

#[tokio::test]
async fn connection_closed_in_a_frame_shows_what_is_missing() {
    let (alice, bob) = pair().await;
    let draft = Draft::new("text/plain", "abcdef").message_id("half");
    alice.send_chunk(&draft, 0, 3, Flag::More);
    alice.write_raw(b"MSRP abcd SE");
    alice.close();
    let closed = bob.expect_closed().await;
    assert_eq!(
        (closed.rest.as_slice(), closed.error),
        (b"MSRP abcd SE".as_slice(), None)
    );
    assert_eq!(closed.unfinished, ["half"]);
    let panic = panic_of(async move { drop(bob.expect_message().await) }).await;
    assert!(
        panic.contains("the connection has ended, waiting for a message"),
        "{panic}"
    );
}

#[tokio::test]
async fn broken_rule_of_the_other_side_fails_the_wait_with_the_transcript() {
    let (alice, bob) = pair().await;
    let mut frame =
        Frame::request("SEND", "abcd", alice.remote_path(), alice.uri()).with("Message-ID", "m123");
    frame.body = Some(b"x".to_vec());
    alice.write(&frame);
    let panic = panic_of(async move { drop(bob.expect_message().await) }).await;
    assert!(panic.contains("a body without Content-Type"), "{panic}");
    assert!(panic.contains("| MSRP abcd SEND"), "{panic}");
}

#[tokio::test]
async fn frame_to_another_session_is_a_fault_unless_the_peer_has_it() {
    let (alice, bob) = pair().await;
    let other = "msrp://127.0.0.1:9/other;tcp";
    bob.add_uri(other);
    alice.send(&Draft::new("text/plain", "x").to_path(other));
    assert_eq!(bob.expect_message().await.header("To-Path"), Some(other));
    alice.send(&Draft::new("text/plain", "x").to_path("msrp://127.0.0.1:9/strange;tcp"));
    let panic = panic_of(async move { drop(bob.expect_message().await) }).await;
    assert!(panic.contains("is not ours"), "{panic}");
}
