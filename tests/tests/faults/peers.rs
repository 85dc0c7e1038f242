//! Faults of those who take part.

use msrp_testkit::{Daemon, MsrpEndpoint};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, Program, config_with_friends};
use serde_json::Value;

use crate::talk::{RECIPIENTS, Talk};
use crate::{MESSAGES, assert_conversation_begins, impatient, moment, repeat};

#[tokio::test]
async fn recipient_that_resets_its_connection_is_reported_and_the_others_get_everything() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say_first_half(number).await;
        // What he does not read is on its way to him when he goes.
        talk.deafen(BOB);
        talk.say_second_half();
        talk.wait_opened(MESSAGES).await;
        talk.reset(BOB);
        talk.wait_reports(MESSAGES).await;
        talk.end_with_bob_failed(way).await;
    })
    .await;
}

#[tokio::test]
async fn sender_that_resets_its_connection_leaves_whole_messages_only() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES);
        talk.wait_reports(moment(number)).await;
        talk.reset(ALICE);
        let ends = talk.end().await;
        ends.assert_truth();
    })
    .await;
}

/// dave as a process of his own, which can be stopped.
async fn dave(daemon: &Daemon) -> Program {
    let server = daemon.sip_udp().to_string();
    let arguments = ["--json", "chat", FRIENDS, "--as", DAVE, "--server", &server];
    let mut dave = Program::start("msrpctl", &arguments);
    dave.expect_line("joined", |line| line.contains("\"joined\""))
        .await;
    let bound = "msrp_sessions{state=\"bound\"}";
    daemon.wait_metric(bound, |count| count == 4.0).await;
    dave
}

/// The text that a line of his shows.
fn text_of(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    let is_text = event["type"] == "message" && event["from"] == ALICE;
    is_text.then(|| event["text"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn recipient_that_stands_still_for_a_while_loses_nothing() {
    repeat(async |way, number| {
        let daemon = way.start(config_with_friends()).await;
        let talk = Talk::begin_with(daemon, way, &[BOB, CAROL], |endpoint| endpoint).await;
        let mut dave = dave(&talk.daemon).await;
        talk.say_first_half(number).await;
        dave.signal("STOP").await;
        talk.say_second_half();
        talk.wait_opened(MESSAGES).await;
        dave.signal("CONT").await;
        talk.wait_reports(MESSAGES).await;
        let mut texts = Vec::new();
        while texts.len() < MESSAGES {
            let line = dave
                .expect_line("a text", |line| text_of(line).is_some())
                .await;
            texts.extend(text_of(&line));
        }
        let mut ends = talk.end().await;
        ends.add_heard(DAVE, texts);
        ends.assert_nothing_lost();
    })
    .await;
}

#[tokio::test]
async fn recipient_that_stands_still_for_too_long_is_dropped_and_the_others_get_everything() {
    repeat(async |way, number| {
        let daemon = impatient(way).await;
        let talk = Talk::begin_with(daemon, way, &[BOB, CAROL], |endpoint| endpoint).await;
        let mut dave = dave(&talk.daemon).await;
        talk.say_first_half(number).await;
        dave.signal("STOP").await;
        // More than the kernels take for him.
        talk.say_long(MESSAGES / 2..MESSAGES, |_| 100_000);
        talk.wait_reports(MESSAGES).await;
        let stalled = "msrp_sessions_ended_total{reason=\"stalled\"}";
        talk.daemon.wait_metric(stalled, |count| count == 1.0).await;
        dave.signal("CONT").await;
        let lines = dave.rest_of_screen().await;
        let texts = lines.iter().filter_map(|line| text_of(line)).collect();
        let (daemon, mut ends) = talk.end_with_daemon().await;
        ends.add_heard(DAVE, texts);
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL]);
        ends.assert_some_failed(DAVE);
        assert_conversation_begins(&daemon, way).await;
    })
    .await;
}

#[tokio::test]
async fn recipients_whose_kernels_take_little_get_everything_piece_by_piece() {
    repeat(async |way, _| {
        let daemon = way.start(config_with_friends()).await;
        let narrow = |endpoint: MsrpEndpoint| endpoint.receive_buffer_octets(4096);
        let talk = Talk::begin_with(daemon, way, &RECIPIENTS, narrow).await;
        talk.say_long(0..MESSAGES, |number| number * 3700);
        talk.wait_reports(MESSAGES).await;
        talk.end_with_nothing_lost().await;
    })
    .await;
}
