//! Adding and removing participants by REFER.

use msrp_control::Command;

use super::world::{Call, Notify, Sent, World, anonymous, caller, policy, sdp, uri};
use crate::focus::{AdHocRight, Policy};
use crate::groups::{Group, Rights, Rule};
use crate::limits::{INVITED_PER_PLACE_MAX, NS_PER_S};
use crate::ua::{Answer, Body, DialogEnd, DialogId, Headers, Method, OutRequest};

const GROUP: &str = "sip:club@im.example";
const FORBIDDEN: (u16, Option<&str>) = (403, Some("399 im.example \"122 Function not allowed\""));

fn add(user: &str) -> Headers {
    Headers::new().with("Refer-To", format!("<sip:{user}@example.com>"))
}

fn remove(user: &str) -> Headers {
    Headers::new().with("Refer-To", format!("<sip:{user}@example.com;method=BYE>"))
}

fn joined(one: Headers, two: &Headers) -> Headers {
    two.iter()
        .fold(one, |all, (name, value)| all.with(name, value))
}

/// A REFER outside of any dialog.
fn refer(world: &mut World, to: &str, from: Headers, what: &Headers) -> Answer {
    let headers = joined(from.with("CSeq", "1 REFER"), what);
    world.request_to(to, None, Method::Refer, headers, None)
}

/// A REFER inside a dialog.
fn refer_inside(world: &mut World, dialog: DialogId, number: u32, what: &Headers) -> Answer {
    let headers = joined(Headers::new().with("CSeq", format!("{number} REFER")), what);
    world.request(Some(dialog), Method::Refer, headers, None)
}

fn refusal(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.headers.first("Warning"))
}

/// The one NOTIFY that was sent, answered with 200: its state and body.
fn take(world: &mut World) -> (String, String) {
    let mut notifies = world.notifies();
    assert_eq!(notifies.len(), 1, "{notifies:?}");
    let notify = notifies.remove(0);
    world.finish_request(notify.transaction, 200, Headers::new());
    report(&notify)
}

fn report(notify: &Notify) -> (String, String) {
    let event = notify.headers.first("Event").unwrap();
    assert!(
        event == "refer" || event.starts_with("refer;id="),
        "{event}"
    );
    assert_eq!(notify.body.content_type, "message/sipfrag;version=2.0");
    let state = notify.headers.first("Subscription-State").unwrap();
    let text = String::from_utf8(notify.body.octets.clone()).unwrap();
    (state.to_owned(), text)
}

fn last(text: &str) -> (String, String) {
    (
        "terminated;reason=noresource".into(),
        format!("SIP/2.0 {text}\r\n"),
    )
}

fn first() -> (String, String) {
    ("active;expires=240".into(), "SIP/2.0 100 Trying\r\n".into())
}

fn session(world: &World) -> String {
    format!("sip:{}@im.example", world.room())
}

fn group() -> Group {
    let group = Group::new(uri(GROUP)).with_display_name("Club");
    [
        ("alice", None),
        ("bob", None),
        ("carol", Some("Carol of the club")),
    ]
    .iter()
    .fold(group, |g, (user, name)| {
        g.with_member(uri(&format!("sip:{user}@example.com")), *name)
    })
}

fn call(world: &mut World, user: &str) -> Call {
    let call = world.invite(GROUP, caller(user), sdp(user));
    assert_eq!(world.final_of(call).status, 200);
    world.acknowledge(call);
    call
}

fn invite(world: &mut World) -> (DialogId, OutRequest) {
    let mut invites = world.invites();
    assert_eq!(invites.len(), 1, "{invites:?}");
    invites.remove(0)
}

/// Three who talk: alice who began, bob and carol.
fn three() -> (World, Call, [DialogId; 2]) {
    three_with(policy())
}

fn three_with(policy: Policy) -> (World, Call, [DialogId; 2]) {
    let mut world = World::with(policy, []);
    let alice = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    for (dialog, _) in &invites {
        world.accept(*dialog);
    }
    world.acknowledge(alice);
    world.sent.clear();
    (world, alice, [invites[0].0, invites[1].0])
}

// covers: CTRL-7.2.1.7-04, CTRL-7.2.1.7-08, CTRL-7.2.1.7-09, CTRL-7.2.1.7-11, CTRL-7.2.1.7-13, CTRL-7.2.2.1-07
#[test]
fn participant_adds_a_user_and_hears_how_it_goes() {
    let mut world = World::new();
    let (_, bob) = world.one_to_one();
    let to = session(&world);
    let answer = refer(&mut world, &to, caller("bob"), &add("dave"));
    assert_eq!(answer.status, 202);
    assert!(
        answer
            .headers
            .first("Supported")
            .unwrap()
            .contains("norefersub")
    );
    assert_eq!(answer.headers.first("Refer-Sub"), None);
    let watcher = world.accepted().remove(0);
    let notify = world.notifies().remove(0);
    assert_eq!(
        (notify.dialog, notify.headers.first("Event")),
        (watcher, Some("refer"))
    );
    assert_eq!(report(&notify), first());
    world.finish_request(notify.transaction, 200, Headers::new());
    let (dave, request) = invite(&mut world);
    assert_eq!(request.uri, "sip:dave@example.com");
    let referrer = "<sip:bob@example.com>";
    for name in ["Referred-By", "P-Asserted-Identity"] {
        assert_eq!(request.headers.first(name), Some(referrer), "{name}");
    }
    assert_eq!(request.from, referrer);
    // A provisional state is told a second after the one before, a final one at once.
    world.respond(dave, 180, Headers::new(), None);
    assert!(world.notifies().is_empty());
    let start = world.now;
    world.wait();
    assert_eq!(world.now - start, NS_PER_S);
    assert_eq!(take(&mut world).1, "SIP/2.0 180 Ringing\r\n");
    world.accept(dave);
    assert_eq!(take(&mut world), last("200 OK"));
    assert_eq!(world.forgotten(), [watcher]);
    assert_eq!(world.participants_count(), 3);
    // It is a session of three now: one who is not its originator may leave.
    world.end(bob, DialogEnd::Bye);
    assert!(world.byes().is_empty());
    world.finish();
}

// covers: CTRL-7.2.1.7-14
#[test]
fn referrer_hears_why_an_invitation_failed() {
    let mut world = World::new();
    let (alice, _) = world.one_to_one();
    for (status, warning, expected) in [
        (
            403,
            Some("399 h \"105 isfocus already assigned\""),
            "403 Forbidden\r\nWarning: 399 h \"105 isfocus already assigned\"",
        ),
        (486, None, "486 Busy Here"),
        (302, None, "302 Request Failure"),
    ] {
        let answer = refer_inside(&mut world, alice.dialog, status.into(), &add("dave"));
        assert_eq!(answer.status, 202);
        take(&mut world);
        let (dave, _) = invite(&mut world);
        let headers = warning.map_or(Headers::new(), |w| Headers::new().with("Warning", w));
        world.respond(dave, status, headers, None);
        assert_eq!(take(&mut world), last(expected));
    }
    // Nobody answers at all.
    refer_inside(&mut world, alice.dialog, 9, &add("dave"));
    take(&mut world);
    let (dave, _) = invite(&mut world);
    world.wait();
    assert_eq!(take(&mut world), last("408 Request Timeout"));
    assert_eq!(world.cancels(), [dave]);
    world.respond(dave, 487, Headers::new(), None);
    assert_eq!(world.participants_count(), 2);
    world.finish();
}

#[test]
fn reports_inside_one_dialog_are_told_apart() {
    let mut world = World::new();
    let (alice, _) = world.one_to_one();
    for (number, user, event) in [(5, "dave", "refer"), (6, "erin", "refer;id=6")] {
        assert_eq!(
            refer_inside(&mut world, alice.dialog, number, &add(user)).status,
            202
        );
        let notify = world.notifies().remove(0);
        assert_eq!(
            (notify.dialog, notify.headers.first("Event")),
            (alice.dialog, Some(event))
        );
        world.finish_request(notify.transaction, 200, Headers::new());
    }
    assert!(world.accepted().is_empty());
    let erin = world.invites().remove(1).0;
    world.accept(erin);
    let notify = world.notifies().remove(0);
    assert_eq!(notify.headers.first("Event"), Some("refer;id=6"));
    // Reports may be given up; the invitation goes on.
    let headers = Headers::new().with("Event", "refer").with("Expires", "0");
    let answer = world.request(Some(alice.dialog), Method::Subscribe, headers.clone(), None);
    assert_eq!(answer.status, 200);
    assert_eq!(take(&mut world).0, "terminated;reason=timeout");
    assert!(world.cancels().is_empty());
    // Only a REFER makes such a subscription.
    let answer = world.request(Some(alice.dialog), Method::Subscribe, headers, None);
    assert_eq!(refusal(&answer), FORBIDDEN);
    world.sent.clear();
    world.focus.begin_shutdown(world.now);
    world.settle();
}

// covers: CTRL-7.2.1.7-10, CTRL-7.2.1.8-05
#[test]
fn referrer_that_wants_no_reports_gets_none() {
    let (mut world, alice, [bob, _]) = three();
    let to = session(&world);
    for what in [add("dave"), add("erin"), remove("bob")] {
        let what = what
            .with("Refer-Sub", "false")
            .with("Require", "norefersub");
        let answer = refer(&mut world, &to, caller("alice"), &what);
        assert_eq!(
            (answer.status, answer.headers.first("Refer-Sub")),
            (202, Some("false"))
        );
    }
    let answer = refer_inside(
        &mut world,
        alice.dialog,
        4,
        &add("frank").with("Norefer-Sub", "true"),
    );
    assert_eq!(answer.headers.first("Refer-Sub"), Some("false"));
    for (dialog, _) in world.invites() {
        world.respond(dialog, 486, Headers::new(), None);
    }
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, bob));
    world.finish_request(byes[0].1, 200, Headers::new());
    assert!(world.notifies().is_empty() && world.accepted().is_empty());
    world.finish();
}

fn list(entries: &[&str]) -> Body {
    let entries: String = entries
        .iter()
        .map(|uri| format!("<entry uri=\"{uri}\"/>"))
        .collect();
    Body {
        content_type: "application/resource-lists+xml".into(),
        octets: format!("<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{entries}</list></resource-lists>").into_bytes(),
    }
}

fn refer_list(world: &mut World, to: &str, user: &str, entries: &[&str]) -> Answer {
    let headers = caller(user)
        .with("Require", "multiple-refer")
        .with("Refer-To", "<cid:list@h>")
        .with("Content-ID", "<list@h>");
    world.request_to(to, None, Method::Refer, headers, Some(list(entries)))
}

// covers: CTRL-7.2.1.7-05, CTRL-7.2.2.9-02
#[test]
fn participant_adds_a_list_of_users() {
    let mut world = World::new();
    world.one_to_one();
    let to = session(&world);
    let entries = [
        "sip:dave@example.com",
        "sip:erin@example.com;method=INVITE",
        "sip:dave@EXAMPLE.com",
        "sip:bob@example.com",
        "sip:alice@example.com",
    ];
    let answer = refer_list(&mut world, &to, "bob", &entries);
    assert_eq!(
        (answer.status, answer.headers.first("Refer-Sub")),
        (202, Some("false"))
    );
    let uris: Vec<_> = world.invites().into_iter().map(|(_, r)| r.uri).collect();
    assert_eq!(uris, ["sip:dave@example.com", "sip:erin@example.com"]);
    // Whoever was added may come by itself.
    let dave = world.invite(&to, caller("dave"), sdp("dave"));
    assert_eq!(world.final_of(dave).status, 200);
    assert_eq!(refer_list(&mut world, &to, "bob", &[]).status, 400);
    world.sent.clear();
    world.focus.begin_shutdown(world.now);
    world.settle();
}

// covers: CTRL-7.2.1.7-06, CTRL-7.2.1.7-07
#[test]
fn list_beyond_the_largest_session_invites_nobody() {
    let mut world = World::with(
        Policy {
            adhoc_participants_max: 3,
            ..policy()
        },
        [],
    );
    world.one_to_one();
    let to = session(&world);
    let entries = [
        "sip:dave@example.com",
        "sip:erin@example.com",
        "sip:frank@example.com",
    ];
    let answer = refer_list(&mut world, &to, "bob", &entries);
    assert_eq!(
        refusal(&answer),
        (486, Some("399 im.example \"102 Too many participants\""))
    );
    assert!(world.invites().is_empty());
    assert_eq!(
        refer_list(&mut world, &to, "bob", &entries[..2]).status,
        202
    );
    assert_eq!(world.invites().len(), 2);
    assert_eq!(
        refer(&mut world, &to, caller("bob"), &add("frank")).status,
        486
    );
    world.sent.clear();
    world.focus.begin_shutdown(world.now);
    world.settle();
}

// covers: CTRL-7.2.1.7-01, CTRL-7.2.1.7-02, CTRL-7.2.1.7-12, CTRL-7.2.2.7-01, CTRL-7.2.2.7-02
#[test]
fn group_decides_who_may_add_whom() {
    let mut world = World::with(policy(), [group()]);
    call(&mut world, "alice");
    let answer = refer(&mut world, GROUP, caller("bob"), &add("carol"));
    assert_eq!(refusal(&answer), FORBIDDEN, "bob does not take part");
    let answer = refer(&mut world, GROUP, caller("alice"), &add("mallory"));
    assert_eq!(refusal(&answer), FORBIDDEN, "mallory may not join");
    let entries = ["sip:mallory@example.com", "sip:carol@example.com"];
    assert_eq!(refer_list(&mut world, GROUP, "alice", &entries).status, 202);
    let (carol, request) = invite(&mut world);
    assert_eq!(request.uri, "sip:carol@example.com");
    assert_eq!(request.to, "\"Carol of the club\" <sip:carol@example.com>");
    assert_eq!(request.from, "\"Club\" <sip:club@im.example>");
    assert_eq!(
        request.headers.first("Referred-By"),
        Some("\"alice pai\" <sip:alice@example.com>")
    );
    // A failed invitation does not end the session of the one who is there.
    world.respond(carol, 486, Headers::new(), None);
    assert!(world.byes().is_empty());
    world.finish();
    let rights = Rights {
        invite_dynamically: false,
        ..Rights::of_member()
    };
    let rules = Some(vec![Rule {
        conditions: Vec::new(),
        rights,
    }]);
    let mut world = World::with(policy(), [Group { rules, ..group() }]);
    call(&mut world, "alice");
    let answer = refer(&mut world, GROUP, caller("alice"), &add("carol"));
    assert_eq!(refusal(&answer), FORBIDDEN);
    assert!(world.invites().is_empty());
    world.finish();
}

// covers: CTRL-7.2.1.7-03, ALIAS-7.2.3.2-02, ALIAS-7.2.3.2-03
#[test]
fn hidden_referrer_is_seen_by_its_alias_alone() {
    let mut world = World::with(policy(), [group()]);
    let alice = call(&mut world, "alice");
    assert_eq!(
        refer(&mut world, GROUP, anonymous("alice"), &add("bob")).status,
        202
    );
    let (_, request) = invite(&mut world);
    let alias = "\"Joy\" <sip:anonymous@anonymous.invalid>";
    assert_eq!(request.headers.first("Referred-By"), Some(alias));
    assert_eq!(request.headers.first("Privacy"), Some("id"));
    let mut values = request.headers.iter().map(|(_, value)| value);
    assert!(!values.any(|v| v.contains("alice")), "{request:?}");
    // It has one alias, however often it asks.
    let to_carol = add("carol").with("Refer-Sub", "false");
    assert_eq!(
        refer(&mut world, GROUP, anonymous("alice"), &to_carol).status,
        202
    );
    let (carol, request) = invite(&mut world);
    assert_eq!(request.headers.first("Referred-By"), Some(alias));
    world.respond(carol, 486, Headers::new(), None);
    // One who is hidden in the session keeps its alias.
    let carol = world.invite(GROUP, anonymous("carol"), sdp("carol"));
    assert_eq!(world.final_of(carol).status, 200);
    let dave = add("bob").with("Refer-Sub", "false");
    assert_eq!(refer_inside(&mut world, carol.dialog, 2, &dave).status, 202);
    assert_eq!(refer_inside(&mut world, alice.dialog, 2, &dave).status, 202);
    assert!(world.invites().is_empty(), "bob is being invited");
    world.sent.clear();
    world.focus.begin_shutdown(world.now);
    world.settle();
    let mut open = World::new();
    let (_, bob) = open.one_to_one();
    let what = add("dave")
        .with("Privacy", "id")
        .with("From", "\"Joy\" <sip:anonymous@anonymous.invalid>;tag=2");
    assert_eq!(refer_inside(&mut open, bob, 3, &what).status, 202);
    assert_eq!(
        invite(&mut open).1.from,
        "\"Joy\" <sip:anonymous@anonymous.invalid>"
    );
    open.sent.clear();
    let mut closed = World::with(
        Policy {
            anonymity: false,
            ..policy()
        },
        [],
    );
    closed.one_to_one();
    let to = session(&closed);
    let answer = refer(&mut closed, &to, anonymous("bob"), &add("dave"));
    assert_eq!(
        refusal(&answer),
        (403, Some("399 im.example \"119 Anonymity not allowed\""))
    );
    closed.finish();
}

#[test]
fn target_that_is_there_already_is_not_invited_again() {
    let (mut world, alice, _) = three();
    assert_eq!(
        refer_inside(&mut world, alice.dialog, 2, &add("carol")).status,
        202
    );
    assert_eq!(take(&mut world), last("200 OK"));
    assert!(world.invites().is_empty());
    // Two referrers may wait for one invitation.
    assert_eq!(
        refer_inside(&mut world, alice.dialog, 3, &add("dave")).status,
        202
    );
    take(&mut world);
    let to = session(&world);
    assert_eq!(
        refer(&mut world, &to, caller("bob"), &add("dave")).status,
        202
    );
    take(&mut world);
    let (dave, _) = invite(&mut world);
    world.accept(dave);
    let notifies = world.notifies();
    assert_eq!(notifies.len(), 2);
    for notify in &notifies {
        assert_eq!(report(notify), last("200 OK"));
        world.finish_request(notify.transaction, 200, Headers::new());
    }
    world.finish();
}

// covers: CTRL-7.2.1.8-03, CTRL-7.2.1.8-04, CTRL-7.2.1.8-06, CTRL-7.2.1.8-11
#[test]
fn originator_removes_a_participant_who_may_not_come_back() {
    let (mut world, _, [bob, _]) = three();
    let to = session(&world);
    let answer = refer(&mut world, &to, caller("alice"), &remove("bob"));
    assert_eq!(answer.status, 202);
    assert!(
        answer
            .headers
            .first("Supported")
            .unwrap()
            .contains("norefersub")
    );
    assert_eq!(take(&mut world), first());
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, bob));
    assert_eq!(world.participants_count(), 3);
    world.finish_request(byes[0].1, 200, Headers::new());
    assert_eq!(world.participants_count(), 2);
    assert_eq!(take(&mut world), last("200 OK"));
    let again = world.invite(&to, caller("bob"), sdp("bob"));
    assert_eq!(
        world.refusal(again),
        (403, Some(FORBIDDEN.1.unwrap().to_owned()))
    );
    // Once invited again it may.
    assert_eq!(
        refer(
            &mut world,
            &to,
            caller("carol"),
            &add("bob").with("Refer-Sub", "false")
        )
        .status,
        202
    );
    let again = world.invite(&to, caller("bob"), sdp("bob"));
    assert_eq!(world.final_of(again).status, 200);
    world.sent.clear();
    world.focus.begin_shutdown(world.now);
    world.settle();
}

// covers: CTRL-7.2.1.8-01, CTRL-7.2.1.8-02, CTRL-7.2.1.8-09, CTRL-7.2.1.8-10
#[test]
fn removal_needs_the_right_and_the_session() {
    let (mut world, _, [bob, _]) = three();
    let to = session(&world);
    let nowhere = "sip:im-00000000000000000000000000000000@im.example";
    let cases = [
        (to.as_str(), caller("bob"), remove("carol")),
        (to.as_str(), caller("mallory"), remove("carol")),
        (to.as_str(), caller("alice"), remove("mallory")),
        (nowhere, caller("alice"), remove("carol")),
    ];
    for (to, from, what) in cases {
        let answer = refer(&mut world, to, from, &what);
        assert_eq!(refusal(&answer), FORBIDDEN, "{what:?}");
    }
    let inside = refer_inside(&mut world, bob, 3, &remove("alice"));
    assert_eq!(refusal(&inside), FORBIDDEN);
    let added = refer(&mut world, nowhere, caller("alice"), &add("dave"));
    assert_eq!(
        refusal(&added),
        (403, Some("399 im.example \"123 Session does not exist\""))
    );
    let unknown = refer(
        &mut world,
        "sip:other@im.example",
        caller("alice"),
        &remove("carol"),
    );
    assert_eq!(unknown.status, 404);
    assert!(world.byes().is_empty() && world.notifies().is_empty());
    world.finish();
}

#[test]
fn group_names_those_who_may_remove() {
    for expel in [false, true] {
        let rights = Rights {
            expel,
            ..Rights::of_member()
        };
        let rules = Some(vec![Rule {
            conditions: Vec::new(),
            rights,
        }]);
        let mut world = World::with(policy(), [Group { rules, ..group() }]);
        call(&mut world, "alice");
        let bob = call(&mut world, "bob");
        let answer = refer(
            &mut world,
            GROUP,
            caller("bob"),
            &remove("alice").with("Refer-Sub", "false"),
        );
        assert_eq!(answer.status, if expel { 202 } else { 403 });
        let byes = world.byes();
        assert_eq!(byes.len(), usize::from(expel));
        for (_, transaction, _) in byes {
            world.finish_request(transaction, 200, Headers::new());
        }
        // Whoever removes itself leaves.
        assert_eq!(
            refer_inside(&mut world, bob.dialog, 2, &remove("bob")).status,
            202
        );
        assert_eq!(take(&mut world), last("200 OK"));
        world.finish();
    }
}

#[test]
fn removal_of_oneself_is_told_before_the_bye() {
    let (mut world, _, [bob, _]) = three();
    let answer = refer_inside(&mut world, bob, 2, &remove("bob"));
    assert_eq!(answer.status, 202);
    assert_eq!(take(&mut world), last("200 OK"));
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, bob));
    world.finish_request(byes[0].1, 200, Headers::new());
    world.finish();
}

// covers: CTRL-7.2.1.8-07, CTRL-7.2.1.8-08, CONF-7.2.2.11-01
#[test]
fn removal_may_end_the_session_and_its_subscriptions() {
    let mut world = World::new();
    let (alice, bob) = world.one_to_one();
    let to = session(&world);
    let headers = caller("bob").with("Event", "conference");
    let answer = world.request_to(&to, None, Method::Subscribe, headers, None);
    assert_eq!(answer.status, 200);
    let full = world.notifies().remove(0);
    world.finish_request(full.transaction, 200, Headers::new());
    let what = remove("bob").with("Refer-Sub", "false");
    assert_eq!(refer_inside(&mut world, alice.dialog, 2, &what).status, 202);
    let dialogs: Vec<_> = world
        .byes()
        .into_iter()
        .map(|(dialog, ..)| dialog)
        .collect();
    assert_eq!(dialogs, [bob, alice.dialog]);
    let notify = world.notifies().remove(0);
    assert_eq!(notify.dialog, full.dialog);
    assert_eq!(
        notify.headers.first("Subscription-State"),
        Some("terminated;reason=noresource")
    );
    world.sent.clear();
}

#[test]
fn removal_of_a_user_who_has_not_answered_withdraws_the_invitation() {
    let mut world = World::new();
    let alice = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    world.accept(invites[0].0);
    world.acknowledge(alice);
    assert_eq!(
        refer_inside(&mut world, alice.dialog, 2, &remove("carol")).status,
        202
    );
    let notifies = world.notifies();
    assert_eq!(report(&notifies[0]), first());
    assert_eq!(world.cancels(), [invites[1].0]);
    world.finish_request(notifies[0].transaction, 200, Headers::new());
    assert_eq!(take(&mut world), last("200 OK"));
    world.respond(invites[1].0, 487, Headers::new(), None);
    world.finish();
}

#[test]
fn hidden_participant_is_removed_by_its_alias_only() {
    let mut world = World::with(
        policy(),
        [Group {
            rules: Some(vec![Rule {
                conditions: Vec::new(),
                rights: Rights {
                    expel: true,
                    ..Rights::of_member()
                },
            }]),
            ..group()
        }],
    );
    call(&mut world, "alice");
    let bob = world.invite(GROUP, anonymous("bob"), sdp("bob"));
    assert_eq!(world.final_of(bob).status, 200);
    world.acknowledge(bob);
    let answer = refer(&mut world, GROUP, caller("alice"), &remove("bob"));
    assert_eq!(refusal(&answer), FORBIDDEN);
    let alias = Headers::new().with("Refer-To", "<sip:anonymous@anonymous.invalid;method=BYE>");
    assert_eq!(
        refer(&mut world, GROUP, caller("alice"), &alias).status,
        202
    );
    assert_eq!(world.byes()[0].0, bob.dialog);
    world.sent.clear();
}

#[test]
fn originator_ends_the_session_for_all() {
    let (mut world, alice, [bob, carol]) = three();
    let to = session(&world);
    let whole = Headers::new().with("Refer-To", format!("<{to};method=BYE>"));
    assert_eq!(
        refusal(&refer(&mut world, &to, caller("bob"), &whole)),
        FORBIDDEN
    );
    assert_eq!(refer(&mut world, &to, caller("alice"), &whole).status, 202);
    assert_eq!(report(&world.notifies()[0]), last("200 OK"));
    let mut dialogs: Vec<_> = world
        .byes()
        .into_iter()
        .map(|(dialog, ..)| dialog)
        .collect();
    dialogs.sort();
    let mut expected = vec![alice.dialog, bob, carol];
    expected.sort();
    assert_eq!(dialogs, expected);
    world.sent.clear();
}

#[test]
fn refer_that_cannot_be_read_is_refused() {
    let (mut world, alice, _) = three();
    let two = add("dave").with("Refer-To", "<sip:erin@example.com>");
    let cases = [
        (Headers::new(), 400),
        (two, 400),
        (
            Headers::new().with("Refer-To", "<sip:dave@example.com;method=INFO>"),
            403,
        ),
        (add("dave").with("Require", "multiple-refer"), 400),
        (add("dave").with("Require", "explicitsub"), 420),
    ];
    for (what, status) in cases {
        assert_eq!(
            refer_inside(&mut world, alice.dialog, 2, &what).status,
            status
        );
    }
    assert!(world.invites().is_empty() && world.notifies().is_empty());
    world.finish();
}

#[test]
fn invitation_by_refer_offers_what_the_referrer_has() {
    let mut world = World::new();
    let (_, bob) = world.one_to_one();
    assert_eq!(refer_inside(&mut world, bob, 2, &add("dave")).status, 202);
    let Command::AddParticipant { local, .. } = world.commands("offer").remove(1) else {
        unreachable!()
    };
    assert!(
        local
            .accept_types
            .unwrap()
            .contains(&"message/cpim".to_owned())
    );
    // Before its receipt nothing was sent to a dialog that is not there.
    let sent = world.sent.iter().filter(|s| matches!(s, Sent::Request(..)));
    assert_eq!(sent.count(), 1);
    world.sent.clear();
}

#[test]
fn originator_removes_from_any_of_its_devices() {
    let (mut world, alice, [_, carol]) = three();
    let to = session(&world);
    let second = world.invite(&to, caller("alice"), sdp("alice2"));
    world.acknowledge(second);
    let what = remove("carol").with("Refer-Sub", "false");
    let answer = refer_inside(&mut world, second.dialog, 2, &what);
    assert_eq!(answer.status, 202);
    assert_eq!(world.byes()[0].0, carol);
    assert_ne!(alice.dialog, second.dialog);
    world.sent.clear();
}

#[test]
fn session_of_two_that_grows_ends_as_a_session_of_many() {
    let mut world = World::with(
        Policy {
            adhoc_remaining: 2,
            ..policy()
        },
        [],
    );
    let (alice, bob) = world.one_to_one();
    let quiet = add("dave").with("Refer-Sub", "false");
    refer_inside(&mut world, alice.dialog, 2, &quiet);
    let (dave, _) = invite(&mut world);
    world.accept(dave);
    assert!(world.byes().is_empty());
    world.end(bob, DialogEnd::Bye);
    assert_eq!(world.byes().len(), 2);
    world.sent.clear();
}

#[test]
fn session_does_not_invite_without_end() {
    let places = 4;
    let mut world = World::with(
        Policy {
            adhoc_participants_max: places - 1,
            ..policy()
        },
        [],
    );
    world.one_to_one();
    let to = session(&world);
    // Bob, and both addresses of alice, count too.
    for n in 3..=places * INVITED_PER_PLACE_MAX {
        let what = add(&format!("user{n}")).with("Refer-Sub", "false");
        let answer = refer(&mut world, &to, caller("alice"), &what);
        let is_within = n < places * INVITED_PER_PLACE_MAX;
        assert_eq!(answer.status, if is_within { 202 } else { 486 }, "{n}");
        for (dialog, _) in world.invites() {
            world.respond(dialog, 486, Headers::new(), None);
        }
    }
    world.finish();
}

#[test]
fn rights_in_an_ad_hoc_session_are_the_operators_choice() {
    let chosen = Policy {
        adhoc_add: AdHocRight::Originator,
        adhoc_expel: AdHocRight::Participants,
        refer_status: 200,
        ..policy()
    };
    let (mut world, _, [_, carol]) = three_with(chosen);
    let to = session(&world);
    let quiet = |headers: Headers| headers.with("Refer-Sub", "false");
    let refused = refer(&mut world, &to, caller("bob"), &add("dave"));
    assert_eq!(refusal(&refused), FORBIDDEN);
    assert!(world.invites().is_empty());
    let added = refer(&mut world, &to, caller("alice"), &quiet(add("dave")));
    assert_eq!(added.status, 200);
    let (dave, _) = invite(&mut world);
    world.accept(dave);
    let removed = refer(&mut world, &to, caller("bob"), &quiet(remove("carol")));
    assert_eq!(removed.status, 200);
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, carol));
    world.finish_request(byes[0].1, 200, Headers::new());
    // A stranger has no right all the same.
    let stranger = refer(&mut world, &to, caller("mallory"), &remove("bob"));
    assert_eq!(refusal(&stranger), FORBIDDEN);
    world.finish();
}
