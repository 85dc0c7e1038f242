//! Group documents that change while the daemon runs.

use msrp_testkit::daemon::{LogLine, run};
use msrp_testkit::{Daemon, Invite, MsrpEndpoint};
use msrpd_tests::{ALICE, BOB, CAROL, Document, FRIENDS, WAYS, Way, config_with_friends, friends};

const FILE: &str = "groups/friends.xml";

async fn wait_read(daemon: &Daemon, groups: usize) {
    let is_it = |line: &LogLine| {
        line.message() == "groups read" && line.field("groups") == groups.to_string()
    };
    daemon.wait_log("groups read", is_it).await;
}

async fn status_of(daemon: &Daemon, way: Way, uri: &str, identity: &str) -> u16 {
    let agent = way.agent(daemon).await;
    let media = MsrpEndpoint::bind().await.media();
    let calling = agent
        .invite(&Invite::new(uri, identity).media(&media))
        .await;
    calling.expect_final().await.status()
}

// covers: REL-7.2.2.8-14
#[tokio::test]
async fn member_that_is_taken_off_is_removed_and_the_others_talk_on() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        let without_bob = Document::new(FRIENDS).members(&[ALICE, CAROL]);
        daemon.write_file(FILE, &without_bob.xml());
        daemon.signal("HUP");
        let bye = bob.expect_removed().await;
        assert!(bye.header("Reason").unwrap().contains("cause=403"));
        alice.say("bob has gone").await;
        carol.expect_text(ALICE, "bob has gone").await;
        assert_eq!(status_of(&daemon, way, FRIENDS, BOB).await, 403);
    }
}

// covers: REL-7.2.2.8-13
#[tokio::test]
async fn group_whose_document_is_deleted_ends_without_a_signal() {
    let way = WAYS[0];
    let daemon = way.start(config_with_friends()).await;
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    let bob = way.join(&daemon, FRIENDS, BOB).await;
    std::fs::remove_file(daemon.directory().join(FILE)).unwrap();
    alice.expect_removed().await;
    bob.expect_removed().await;
    assert_eq!(status_of(&daemon, way, FRIENDS, ALICE).await, 404);
    // It comes back as it went.
    daemon.write_file(FILE, &friends().xml());
    wait_read(&daemon, 1).await;
    way.join(&daemon, FRIENDS, ALICE).await;
}

#[tokio::test]
async fn broken_document_is_named_and_its_last_version_stays_in_force() {
    let way = WAYS[1];
    let daemon = way.start(config_with_friends()).await;
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    daemon.write_file(FILE, "<group\n<");
    let other = "sip:others@localhost";
    daemon.write_file(
        "groups/others.xml",
        &Document::new(other).members(&[BOB]).xml(),
    );
    daemon.signal("HUP");
    let is_it = |line: &LogLine| line.field("error").contains("friends.xml:");
    let line = daemon.wait_log("the broken document", is_it).await;
    assert!(line.message().contains("its last good version stays"));
    wait_read(&daemon, 2).await;
    let bob = way.join(&daemon, FRIENDS, BOB).await;
    bob.say("still the same").await;
    alice.expect_text(BOB, "still the same").await;
    way.join(&daemon, other, BOB).await;
}

#[tokio::test]
async fn check_reads_the_group_documents_and_names_file_and_line() {
    let config = "[groups]\ndirectory = \"groups\"\n";
    let good = friends().xml();
    let broken = good.replace("sip:friends@localhost", "friends");
    let output = run(
        &["check", "--config", "msrpd.toml"],
        &[("msrpd.toml", config), ("groups/friends.xml", &good)],
    )
    .await;
    assert!(output.status.success(), "{output:?}");
    let files = [
        ("msrpd.toml", config),
        ("groups/a.xml", broken.as_str()),
        ("groups/b.xml", "<group/>"),
        ("groups/c.xml", good.as_str()),
    ];
    for command in ["check", "serve"] {
        let output = run(&[command, "--config", "msrpd.toml"], &files).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.contains("groups/a.xml:4: "), "{output:?}");
        assert!(output.stderr.contains("groups/b.xml:1: "), "{output:?}");
        assert!(!output.stderr.contains("c.xml"), "{output:?}");
    }
}
