//! The demo, and a person at a terminal.

use msrp_testkit::Daemon;
use msrpd_tests::{ALICE, BOB, CAROL, FRIENDS, Program, WAYS, config_with_friends};

const FREE_PORTS: [&str; 7] = [
    "demo",
    "--sip",
    "127.0.0.1:0",
    "--msrp",
    "127.0.0.1:0",
    "--admin",
    "127.0.0.1:0",
];

/// Starts the demo; gives the arguments of `msrpctl` that its welcome shows.
async fn demo() -> (Program, Vec<String>) {
    let mut demo = Program::start("msrpd", &FREE_PORTS);
    let line = demo
        .expect_line("how to join", |line| line.contains("msrpctl chat"))
        .await;
    let words = line.split_whitespace().skip_while(|word| *word != "chat");
    (demo, words.map(Into::into).collect())
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn demo_room_answers_a_person_and_ends_at_a_signal() {
    let (mut demo, arguments) = demo().await;
    let mut person = Program::start("msrpctl", &words(&arguments));
    person
        .expect_line("the room", |line| {
            line.contains("joined sip:demo@localhost")
        })
        .await;
    person
        .expect_line("a bot", |line| {
            line.contains("ada:") || line.contains("grace:")
        })
        .await;
    person.type_line("/help").await;
    person
        .expect_line("what there is", |line| line.contains("no command /help"))
        .await;
    person.type_line("good morning").await;
    person
        .expect_line("an answer", |line| line.contains("Hello alice!"))
        .await;
    demo.expect_line("the line", |line| line.contains("good morning"))
        .await;
    person.end_input();
    let (status, _) = person.wait_end().await;
    assert_eq!(status.code(), Some(0));
    demo.signal("INT").await;
    let (status, errors) = demo.wait_end().await;
    assert_eq!(status.code(), Some(0), "{errors}");
}

#[tokio::test]
async fn demo_room_lets_people_choose_nicknames() {
    let (mut demo, arguments) = demo().await;
    let zoe: Vec<String> = arguments
        .iter()
        .map(|word| word.replace("sip:alice@", "sip:zoe@"))
        .collect();
    let mut people = [&arguments, &zoe].map(|of| Program::start("msrpctl", &words(of)));
    for person in &mut people {
        let is_in = |line: &str| line.contains("joined sip:demo@localhost");
        person.expect_line("the room", is_in).await;
    }
    for (who, typed, answer) in [
        (0, "Al the great", "your nickname is \"Al the great\" now"),
        (
            1,
            "al THE great",
            "425 Nickname Reserved Or In Use: \"al THE great\" belongs",
        ),
        (0, "\u{202e}", "424 Malformed Nickname: "),
        (0, "", "you have no nickname now"),
        (1, "al THE great", "your nickname is \"al THE great\" now"),
    ] {
        people[who].type_line(&format!("/nick {typed}")).await;
        let is_answer = |line: &str| line.starts_with(answer);
        people[who].expect_line(answer, is_answer).await;
    }
    for person in &mut people {
        person.end_input();
        assert_eq!(person.wait_end().await.0.code(), Some(0));
    }
    demo.signal("TERM").await;
    assert_eq!(demo.wait_end().await.0.code(), Some(0));
}

#[tokio::test]
async fn chat_in_a_room_without_nicknames_says_so() {
    let config = config_with_friends().set("policy", "nicknames", false);
    let daemon: Daemon = WAYS[0].start(config).await;
    let server = daemon.sip_udp().to_string();
    let chat = ["chat", FRIENDS, "--as", ALICE, "--server", &server];
    let mut person = Program::start("msrpctl", &chat);
    person.type_line("/nick Al").await;
    let answer = "403 the room has no nicknames: your nickname stays as it was";
    person.expect_line(answer, |line| line == answer).await;
    person.end_input();
    assert_eq!(person.wait_end().await.0.code(), Some(0));
}

#[tokio::test]
async fn demo_room_of_another_name_is_refused_in_a_sentence() {
    let (mut demo, mut arguments) = demo().await;
    for word in &mut arguments {
        *word = word.replace("sip:demo@", "sip:nowhere@");
    }
    let mut person = Program::start("msrpctl", &words(&arguments));
    let (status, errors) = person.wait_end().await;
    assert_eq!(status.code(), Some(1));
    assert!(
        errors.starts_with("the room was not joined: 404 "),
        "{errors}"
    );
    demo.signal("TERM").await;
    assert_eq!(demo.wait_end().await.0.code(), Some(0));
}

#[tokio::test]
async fn chat_of_a_member_reaches_the_other_participants() {
    for way in WAYS {
        let daemon: Daemon = way.start(config_with_friends()).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let (server, transport) = if way.tcp {
            (daemon.sip_tcp(), "tcp")
        } else {
            (daemon.sip_udp(), "udp")
        };
        let server = server.to_string();
        let chat = ["chat", FRIENDS, "--as", ALICE, "--server", &server];
        let arguments = [&chat[..], &["--transport", transport]].concat();
        let mut person = Program::start("msrpctl", &arguments);
        person
            .expect_line("the room", |line| line.contains(FRIENDS))
            .await;
        person.type_line("typed").await;
        bob.expect_text(ALICE, "typed").await;
        bob.say("said").await;
        person
            .expect_line("bob", |line| line.ends_with("bob: said"))
            .await;
        person.end_input();
        assert_eq!(person.wait_end().await.0.code(), Some(0));
        daemon
            .wait_metric("msrp_participants", |count| count == 1.0)
            .await;
    }
}

#[tokio::test]
async fn chat_shows_who_is_there_joins_leaves_and_takes_a_name() {
    for way in WAYS {
        let daemon: Daemon = way.start(config_with_friends()).await;
        let _bob = way.join(&daemon, FRIENDS, BOB).await;
        let (server, transport) = if way.tcp {
            (daemon.sip_tcp(), "tcp")
        } else {
            (daemon.sip_udp(), "udp")
        };
        let server = server.to_string();
        let chat = ["chat", FRIENDS, "--as", ALICE, "--server", &server];
        let arguments = [&chat[..], &["--transport", transport]].concat();
        let mut person = Program::start("msrpctl", &arguments);
        let mut expect = async |sentence: &str| {
            person.expect_line(sentence, |line| line == sentence).await;
        };
        expect("* bob is here").await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        expect("* carol joined").await;
        carol.msrp.ask_nickname("Dopey Donkey", 200).await;
        expect("* carol is called Dopey Donkey now").await;
        carol.leave().await;
        expect("* carol (Dopey Donkey) left").await;
        person.end_input();
        assert_eq!(person.wait_end().await.0.code(), Some(0));
    }
}
