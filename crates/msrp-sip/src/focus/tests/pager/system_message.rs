//! Messages of the system to its users, and users who owe an answer.

use super::super::world::{World, caller, sdp, uri};
use super::{GROUP, plain, team, text, warning, with_pager};
use crate::focus::{PagerPolicy, SOFTWARE, SystemContent, SystemMessage, SystemMessageError};
use crate::ua::Method;

fn notice(content: SystemContent, wants_answer: bool) -> SystemMessage {
    let recipients = [
        "sip:bob@example.com",
        "tel:+15550100",
        "sip:bob@example.com",
    ];
    SystemMessage {
        recipients: recipients.into_iter().map(uri).collect(),
        content,
        wants_answer,
    }
}

// covers: SYS-5.4-01, SYS-5.4-02, SYS-5.4-04, SYS-5.4-05, SYS-5.4-06
#[test]
fn system_message_goes_to_each_user_in_the_servers_name() {
    let mut world = World::new();
    let message = notice(SystemContent::Inline(plain("Maintenance at noon")), false);
    assert_eq!(world.focus.send_system_message(world.now, &message), Ok(2));
    world.settle();
    let copies = world.answered(200);
    let uris: Vec<&str> = copies.iter().map(|c| c.uri.as_str()).collect();
    assert_eq!(uris, ["sip:bob@example.com", "tel:+15550100"]);
    for copy in copies {
        assert_eq!(copy.method, Method::Message);
        assert_eq!(copy.from, "<sip:im.example>");
        assert_eq!(
            copy.headers.first("P-Asserted-Identity"),
            Some("<sip:im.example>")
        );
        let accept = copy.headers.first("Accept-Contact").unwrap();
        assert!(
            accept
                .split(';')
                .any(|t| t == "+g.oma.sip-im.system-message")
        );
        assert_eq!(copy.headers.first("Server"), Some(SOFTWARE));
        assert_eq!(copy.body, Some(plain("Maintenance at noon")));
    }
    world.finish();
}

// covers: SYS-5.4-03
#[test]
fn large_or_answered_system_message_points_at_a_document() {
    let mut world = World::new();
    let large = SystemContent::Inline(plain(&"x".repeat(1301)));
    let small = SystemContent::Inline(plain("Agree?"));
    for message in [notice(large, false), notice(small, true)] {
        let sent = world.focus.send_system_message(world.now, &message);
        assert_eq!(sent, Err(SystemMessageError::NeedsDocument));
    }
    let url = "https://im.example/terms?x=1".to_owned();
    let message = notice(SystemContent::Document(url), true);
    assert_eq!(world.focus.send_system_message(world.now, &message), Ok(2));
    world.settle();
    for copy in world.answered(200) {
        let body = copy.body.as_ref().unwrap();
        assert_eq!(
            body.content_type,
            "message/external-body; access-type=\"URL\"; URL=\"https://im.example/terms?x=1\""
        );
        assert_eq!(
            text(&copy),
            "Content-Type: text/html\r\nContent-Disposition: render\r\n\r\n"
        );
    }
}

#[test]
fn system_message_that_cannot_be_sent_says_why() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            recipients_max: 1,
            ..PagerPolicy::default()
        }),
        [],
    );
    let hello = || SystemContent::Inline(plain("Hello"));
    let nobody = SystemMessage {
        recipients: Vec::new(),
        ..notice(hello(), false)
    };
    let one = |content| SystemMessage {
        recipients: vec![uri("sip:bob@example.com")],
        ..notice(content, false)
    };
    let file = SystemContent::Document("file:///etc/passwd".into());
    let quoted = SystemContent::Document("http://h/\";x=\"".into());
    for (message, expected) in [
        (nobody, SystemMessageError::NoRecipient),
        (
            notice(hello(), false),
            SystemMessageError::TooManyRecipients,
        ),
        (one(file), SystemMessageError::Url),
        (one(quoted), SystemMessageError::Url),
    ] {
        let sent = world.focus.send_system_message(world.now, &message);
        assert_eq!(sent, Err(expected));
    }
    world.focus.begin_shutdown(world.now);
    let sent = world.focus.send_system_message(world.now, &one(hello()));
    assert_eq!(sent, Err(SystemMessageError::Draining));
    world.settle();
    assert!(world.messages().is_empty());
}

// covers: SYS-5.4-07, TMR-15.1-01
#[test]
fn user_who_owes_an_answer_is_not_served_until_it_answers() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            answer_wait_s: 60,
            block_unanswered: true,
            ..PagerPolicy::default()
        }),
        [team()],
    );
    let url = "https://im.example/terms".to_owned();
    let message = notice(SystemContent::Document(url), true);
    assert_eq!(world.focus.send_system_message(world.now, &message), Ok(2));
    world.settle();
    world.answered(200);
    assert_eq!(world.message(GROUP, caller("bob"), plain("Hi")).status, 202);
    world.answered(200);
    assert_eq!(world.wait(), 60);
    let refused = world.message(GROUP, caller("bob"), plain("Hi"));
    assert_eq!(refused.status, 403);
    assert!(warning(&refused).contains("127 Service not authorised"));
    let call = world.invite(GROUP, caller("bob"), sdp("bob"));
    assert_eq!(world.final_of(call).status, 403);
    let stranger = world.message("sip:im.example", caller("carol"), plain("Yes"));
    assert_eq!(stranger.status, 404);
    let answer = world.message("sip:im.example", caller("bob"), plain("Yes"));
    assert_eq!(answer.status, 202);
    assert_eq!(world.message(GROUP, caller("bob"), plain("Hi")).status, 202);
    world.answered(200);
    assert!(world.focus.note_system_answer(&uri("tel:+15550100")));
    world.finish();
}
