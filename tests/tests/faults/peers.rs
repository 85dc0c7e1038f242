//! Faults of those who take part.

use msrpd_tests::{ALICE, BOB, CAROL, DAVE, config_with_friends};

use crate::talk::Talk;
use crate::{MESSAGES, moment, repeat};

#[tokio::test]
async fn recipient_that_resets_its_connection_is_reported_and_the_others_get_everything() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        // What he does not read is on its way to him when he goes.
        talk.deafen(BOB);
        talk.say(MESSAGES / 2..MESSAGES);
        let copies = (MESSAGES * 3) as f64;
        talk.daemon
            .wait_metric("msrp_copies_opened_total", |opened| opened >= copies)
            .await;
        talk.reset(BOB);
        talk.wait_reports(MESSAGES).await;
        let ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[CAROL, DAVE]);
        ends.assert_some_failed(BOB);
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
