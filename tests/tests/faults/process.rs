//! Faults of the process itself: it dies, it stands still, it gets nothing more from the system.

use std::time::Instant;

use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, config_with_friends};

use crate::talk::Talk;
use crate::{MESSAGES, assert_served, moment, repeat, run};

#[tokio::test]
async fn kill_of_the_daemon_leaves_no_false_success_and_the_next_one_serves_at_once() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES);
        talk.wait_reports(moment(number)).await;
        talk.daemon.signal("KILL");
        let ends = talk.end_as_it_comes().await;
        ends.assert_truth();

        let start = Instant::now();
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        alice.say("back").await;
        println!("first 200 after the kill: {:?}", start.elapsed());
    })
    .await;
}

#[tokio::test]
async fn daemon_that_stands_still_for_a_while_loses_nothing() {
    repeat(async |way, number| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(moment(number) / 2).await;
        talk.daemon.signal("STOP");
        talk.say(MESSAGES / 2..MESSAGES);
        talk.daemon.signal("CONT");
        talk.wait_reports(MESSAGES).await;
        let ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
    })
    .await;
}

#[tokio::test]
async fn lack_of_file_descriptors_keeps_newcomers_out_and_disturbs_nobody() {
    repeat(async |way, _| {
        let talk = Talk::begin(way.start(config_with_friends()).await, way).await;
        let pid = talk.daemon.pid().to_string();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let limit = open
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .map(|number| number.parse::<usize>().unwrap() + 1)
            .max()
            .unwrap();
        let limit_to = |soft: &str| run("prlimit", &["--pid", &pid, &format!("--nofile={soft}:")]);
        limit_to(&limit.to_string());
        let newcomers: Vec<_> = (0..3)
            .map(|_| std::net::TcpStream::connect(talk.daemon.msrp_addr()).unwrap())
            .collect();
        talk.say(0..MESSAGES / 2);
        talk.wait_reports(MESSAGES / 2).await;
        limit_to("1024");
        drop(newcomers);
        assert_served(&talk.daemon);
        talk.say(MESSAGES / 2..MESSAGES);
        talk.wait_reports(MESSAGES).await;
        let ends = talk.end().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL, DAVE]);
    })
    .await;
}
