//! Subscriptions to conferences.

use msrp_control::{EndReason, Event, ParticipantId};

use super::world::{
    Call, FACTORY, Notify, Sent, World, anonymous, caller, list_body, policy, sdp, uri,
};
use crate::groups::{Group, Rights, Rule};
use crate::limits::{NOTIFY_BURST, NS_PER_S, SUBSCRIPTIONS_PER_USER_MAX};
use crate::ua::{Answer, DialogEnd, DialogId, Headers, Method};
use crate::xml::Element;

const GROUP: &str = "sip:club@im.example";
const NAMESPACE: &str = "urn:ietf:params:xml:ns:conference-info";

/// A user as a document tells.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    entity: String,
    name: Option<String>,
    nickname: Option<String>,
    status: String,
    is_own: bool,
}

/// What a document tells.
#[derive(Debug)]
struct Document {
    entity: String,
    state: String,
    version: u32,
    count: Option<String>,
    users: Vec<User>,
}

/// The children in the order of the schema, each at most as often as it says.
fn check_order(element: &Element, order: &[(&str, usize)]) {
    let mut at = 0;
    for child in &element.children {
        assert_eq!(child.namespace, NAMESPACE);
        let found = order[at..].iter().position(|(name, _)| *name == child.name);
        at += found.unwrap_or_else(|| panic!("{} in {}", child.name, element.name));
    }
    for (name, most) in order {
        let count = element.children.iter().filter(|c| c.name == *name).count();
        assert!(count <= *most, "{count} times {name} in {}", element.name);
    }
}

fn read_user(element: &Element) -> User {
    check_order(element, &[("display-text", 1), ("endpoint", 1)]);
    let endpoint = element.child(NAMESPACE, "endpoint").unwrap();
    check_order(endpoint, &[("status", 1)]);
    assert!(endpoint.attribute("entity").is_some_and(|e| !e.is_empty()));
    assert_eq!(element.attribute("state"), Some("full"));
    User {
        entity: element.attribute("entity").unwrap().to_owned(),
        name: element
            .child(NAMESPACE, "display-text")
            .map(|e| e.text.clone()),
        nickname: element.attribute("nickname").map(str::to_owned),
        status: endpoint.child(NAMESPACE, "status").unwrap().text.clone(),
        is_own: match element.attribute("yourown") {
            Some("true") => true,
            None => false,
            other => panic!("yourown is {other:?}"),
        },
    }
}

/// Reads a document and checks its structure against the schema of RFC 4575.
fn read(notify: &Notify) -> Document {
    assert_eq!(notify.body.content_type, "application/conference-info+xml");
    let text = std::str::from_utf8(&notify.body.octets).unwrap();
    let root = Element::parse(text).unwrap();
    assert!(root.is(NAMESPACE, "conference-info"));
    let order = [
        ("conference-description", 1),
        ("conference-state", 1),
        ("users", 1),
    ];
    check_order(&root, &order);
    let state = root.attribute("state").unwrap().to_owned();
    if let Some(about) = root.child(NAMESPACE, "conference-description") {
        let order = [
            ("display-text", 1),
            ("subject", 1),
            ("maximum-user-count", 1),
        ];
        check_order(about, &order);
    } else {
        assert_ne!(state, "full");
    }
    let users = root.child(NAMESPACE, "users");
    assert!(users.is_some() || state == "deleted");
    let users: Vec<User> = users.map_or(Vec::new(), |users| {
        assert_eq!(users.attribute("state"), Some(state.as_str()));
        check_order(users, &[("user", usize::MAX)]);
        users.children.iter().map(read_user).collect()
    });
    let own = text.matches("yourown").count();
    assert_eq!(own, users.iter().filter(|u| u.is_own).count());
    let count = root.child(NAMESPACE, "conference-state");
    Document {
        entity: root.attribute("entity").unwrap().to_owned(),
        version: root.attribute("version").unwrap().parse().unwrap(),
        count: count.map(|c| c.child(NAMESPACE, "user-count").unwrap().text.clone()),
        state,
        users,
    }
}

impl Document {
    /// Entities with their status.
    fn roster(&self) -> Vec<(&str, &str)> {
        let users = self.users.iter();
        users
            .map(|u| (u.entity.as_str(), u.status.as_str()))
            .collect()
    }

    fn own(&self) -> Vec<&str> {
        let own = self.users.iter().filter(|u| u.is_own);
        own.map(|u| u.entity.as_str()).collect()
    }
}

fn group() -> Group {
    let group = Group::new(uri(GROUP)).with_display_name("Book <club>");
    ["alice", "bob", "carol"].iter().fold(group, |g, user| {
        let name = format!("{user} of the club");
        g.with_member(uri(&format!("sip:{user}@example.com")), Some(&name))
    })
}

fn world() -> World {
    World::with(policy(), [group()])
}

fn call(world: &mut World, user: &str) -> Call {
    let call = world.invite(GROUP, caller(user), sdp(user));
    assert_eq!(world.final_of(call).status, 200);
    world.acknowledge(call);
    call
}

fn wish(headers: Headers) -> Headers {
    headers.with("Event", "conference")
}

fn subscribe(world: &mut World, to: &str, headers: Headers) -> Answer {
    world.request_to(to, None, Method::Subscribe, headers, None)
}

/// Subscribes, and takes the first NOTIFY.
fn watch(world: &mut World, to: &str, headers: Headers) -> (DialogId, Document) {
    let answer = subscribe(world, to, wish(headers));
    assert_eq!(answer.status, 200, "{answer:?}");
    let dialog = world.accepted().pop().unwrap();
    let notify = take(world);
    assert_eq!(notify.dialog, dialog);
    (dialog, read(&notify))
}

/// The one NOTIFY that was sent, answered with 200.
fn take(world: &mut World) -> Notify {
    let mut notifies = world.notifies();
    assert_eq!(notifies.len(), 1, "{notifies:?}");
    let notify = notifies.remove(0);
    world.finish_request(notify.transaction, 200, Headers::new());
    notify
}

/// Turns the clock until something is told, and takes the one NOTIFY.
fn next(world: &mut World) -> Notify {
    let is_told = |world: &World| {
        let mut sent = world.sent.iter();
        sent.any(|s| matches!(s, Sent::Request(_, _, Method::Notify, ..)))
    };
    for _ in 0..4 {
        world.wait();
        if is_told(world) {
            break;
        }
    }
    take(world)
}

fn state(notify: &Notify) -> &str {
    notify.headers.first("Subscription-State").unwrap()
}

fn refusal(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.headers.first("Warning"))
}

const FORBIDDEN: (u16, Option<&str>) = (403, Some("399 im.example \"122 Function not allowed\""));

// covers: CONF-7.2.1.12-08, CONF-7.2.1.12-09, CONF-7.2.1.12-10, CONF-7.2.2.10-01, CONF-7.2.2.10-04, CONF-7.2.2.10-05, CONF-7.2.2.10-06
// covers: CONF-7.2.2.10-07, CONF-7.2.2.10-11, CONF-7.2.2.10-12, CONF-7.2.2.10-13, CONF-7.2.2.10-14, CONF-7.2.2.10-15, CONF-7.2.2.10-16, CONF-7.2.2.10-17, COM-5.5-02
#[test]
fn subscriber_is_told_everything_at_first() {
    let mut world = world();
    call(&mut world, "alice");
    call(&mut world, "bob");
    let answer = subscribe(&mut world, GROUP, wish(caller("alice")));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers.first("Expires"), Some("3600"));
    let contact = answer.headers.first("Contact").unwrap();
    let room = world.room();
    assert_eq!(
        contact,
        format!("<sip:{room}@192.0.2.9:5060>;isfocus;+g.oma.sip-im")
    );
    let notify = take(&mut world);
    assert_eq!(notify.headers.first("Event"), Some("conference"));
    assert_eq!(state(&notify), "active;expires=3600");
    assert_eq!(notify.headers.first("Contact"), Some(contact));
    let document = read(&notify);
    assert_eq!(
        (document.entity.as_str(), document.state.as_str()),
        (GROUP, "full")
    );
    assert_eq!(
        (document.version, document.count.as_deref()),
        (1, Some("2"))
    );
    let expected = ["alice", "bob"].map(|user| User {
        entity: format!("sip:{user}@example.com"),
        name: Some(format!("{user} of the club")),
        nickname: None,
        status: "connected".to_owned(),
        is_own: user == "alice",
    });
    assert_eq!(document.users, expected);
    world.finish();
}

// covers: CONF-7.2.1.12-11, CONF-7.2.2.10-03, CONF-7.2.2.10-18, CTRL-7.2.1.1-08, CTRL-7.2.1.4-14, CTRL-7.2.1.10-05, CTRL-7.2.2.12-04, CONF-D.1-01
#[test]
fn subscriber_is_told_who_comes_and_goes() {
    let mut world = world();
    call(&mut world, "alice");
    let (_, first) = watch(&mut world, GROUP, caller("alice"));
    let bob = call(&mut world, "bob");
    let came = read(&next(&mut world));
    assert_eq!(
        (came.state.as_str(), came.version),
        ("partial", first.version + 1)
    );
    assert_eq!(came.roster(), [("sip:bob@example.com", "connected")]);
    assert!(came.own().is_empty());
    assert_eq!(came.count.as_deref(), Some("2"));
    world.end(bob.dialog, DialogEnd::Bye);
    let left = read(&next(&mut world));
    assert_eq!(
        (left.state.as_str(), left.version),
        ("partial", came.version + 1)
    );
    assert_eq!(left.roster(), [("sip:bob@example.com", "disconnected")]);
    // Who has left is told once.
    call(&mut world, "carol");
    let carol = read(&next(&mut world));
    assert_eq!(carol.roster(), [("sip:carol@example.com", "connected")]);
    let id = ParticipantId::new("p2").unwrap();
    let room = world.room();
    world.engine_event(&Event::ParticipantLost {
        room,
        participant: id,
        reason: EndReason::Stalled,
    });
    let removed = read(&next(&mut world));
    assert_eq!(
        removed.roster(),
        [("sip:carol@example.com", "disconnected")]
    );
    world.finish();
}

// covers: CONF-7.2.2.10-02
#[test]
fn changes_are_gathered_and_none_is_lost() {
    let mut world = world();
    call(&mut world, "alice");
    watch(&mut world, GROUP, caller("alice"));
    let start = world.now;
    let bob = call(&mut world, "bob");
    call(&mut world, "carol");
    world.end(bob.dialog, DialogEnd::Bye);
    assert!(world.notifies().is_empty());
    let gathered = read(&next(&mut world));
    assert_eq!(world.now - start, NS_PER_S / 2);
    assert_eq!(gathered.roster(), [("sip:carol@example.com", "connected")]);
    // While one is unanswered nothing more is sent, and the next has all that happened.
    let bob = call(&mut world, "bob");
    world.wait();
    let unanswered = world.notifies().remove(0);
    world.end(bob.dialog, DialogEnd::Bye);
    world.now += 20 * NS_PER_S;
    world.focus.handle_timeout(world.now);
    world.settle();
    assert!(world.notifies().is_empty());
    world.finish_request(unanswered.transaction, 200, Headers::new());
    let left = read(&take(&mut world));
    assert_eq!(left.roster(), [("sip:bob@example.com", "disconnected")]);
    world.finish();
}

// covers: CONF-7.2.2.10-02
#[test]
fn subscriber_is_not_told_faster_than_the_pace() {
    let mut world = world();
    call(&mut world, "alice");
    watch(&mut world, GROUP, caller("alice"));
    let start = world.now;
    let mut told_at = Vec::new();
    for _ in 0..10 {
        let bob = call(&mut world, "bob");
        next(&mut world);
        told_at.push((world.now - start) / NS_PER_S);
        world.end(bob.dialog, DialogEnd::Bye);
        next(&mut world);
        told_at.push((world.now - start) / NS_PER_S);
    }
    // A burst at once, then one each five seconds.
    let burst = usize::try_from(NOTIFY_BURST).unwrap();
    assert!(told_at[burst - 1] <= 5, "{told_at:?}");
    for pair in told_at[burst..].windows(2) {
        assert_eq!(pair[1] - pair[0], 5, "{told_at:?}");
    }
    world.finish();
}

// covers: ALIAS-7.2.3.2-09, ALIAS-7.2.3.2-10, CONF-7.2.2.10-08, CONF-M.1-03, SEC-14.3-02, MSRP-7701-5.2-06
#[test]
fn hidden_subscriber_learns_its_alias_and_nobody_learns_its_address() {
    let mut world = world();
    let alice = world.invite(GROUP, anonymous("alice"), sdp("alice"));
    let bob = world.invite(GROUP, anonymous("bob"), sdp("bob"));
    assert_eq!(world.final_of(alice).status, 200);
    assert_eq!(world.final_of(bob).status, 200);
    call(&mut world, "carol");
    let aliases = [
        "sip:anonymous@anonymous.invalid",
        "sip:anonymous2@anonymous.invalid",
    ];
    for (user, own) in [("alice", aliases[0]), ("bob", aliases[1])] {
        subscribe(&mut world, GROUP, wish(anonymous(user)));
        let notify = take(&mut world);
        let text = String::from_utf8(notify.body.octets.clone()).unwrap();
        for secret in ["alice", "bob"] {
            assert!(!text.contains(secret), "{text}");
        }
        let document = read(&notify);
        assert_eq!(document.own(), [own]);
        let names: Vec<_> = aliases
            .iter()
            .map(|alias| document.users.iter().find(|u| u.entity == *alias).unwrap())
            .map(|user| user.name.as_deref())
            .collect();
        assert_eq!(names, [Some("Joy"), Some("Joy-2")]);
    }
    // Without Privacy in the SUBSCRIBE it is the same user.
    let (_, document) = watch(&mut world, GROUP, caller("bob"));
    assert_eq!(document.own(), [aliases[1]]);
    world.finish();
}

// covers: CONF-7.2.2.10-10, CTRL-7.2.2.2-14
#[test]
fn invitee_that_accepts_hidden_stands_in_no_document_by_its_address() {
    let mut world = World::new();
    let alice = world.ad_hoc(&["sip:bob@example.com"]);
    let invites = world.invites();
    let hidden = Headers::new()
        .with("To", "\"Bob\" <sip:bob@example.com>")
        .with("P-Asserted-Identity", "\"Bob\" <sip:bob@example.com>")
        .with("Privacy", "id");
    world.respond(invites[0].0, 200, hidden, Some(sdp("peer")));
    world.acknowledge(alice);
    let answer = world.final_of(alice);
    let contact = answer.headers.first("Contact").unwrap();
    let identity = contact.split(['<', '>']).nth(1).unwrap().to_owned();
    subscribe(&mut world, &identity, wish(caller("alice")));
    let notify = take(&mut world);
    let text = String::from_utf8(notify.body.octets.clone()).unwrap();
    assert!(!text.to_lowercase().contains("bob"), "{text}");
    let document = read(&notify);
    let alias = "sip:anonymous@anonymous.invalid";
    assert!(
        document.users.iter().any(|user| user.entity == alias),
        "{text}"
    );
    world.finish();
}

// covers: CONF-7.2.2.10-05, CONF-7.2.2.10-09, CTRL-7.2.2.2-16, CONF-7.2.2.10-06
#[test]
fn ad_hoc_session_is_watched_under_its_identity() {
    let mut world = World::new();
    let alice = world.ad_hoc(&["sip:bob@example.com", "tel:+15550100"]);
    let invites = world.invites();
    world.accept(invites[0].0);
    world.acknowledge(alice);
    let contact = world
        .final_of(alice)
        .headers
        .first("Contact")
        .unwrap()
        .to_owned();
    let identity = contact.split(['<', '>']).nth(1).unwrap().to_owned();
    let (_, document) = watch(&mut world, &identity, caller("alice"));
    assert_eq!(document.entity, identity);
    let users = [
        ("sip:alice@example.com", "connected"),
        ("sip:bob@example.com", "connected"),
    ];
    assert_eq!(document.roster(), users);
    world.accept(invites[1].0);
    let came = read(&next(&mut world));
    assert_eq!(came.roster(), [("tel:+15550100", "connected")]);
    world.finish();
}

// covers: CONF-7.2.1.12-01, CONF-7.2.1.12-02
#[test]
fn subscription_to_what_is_not_here_is_not_found() {
    let mut world = world();
    call(&mut world, "alice");
    let nowhere = [
        "sip:im-00000000000000000000000000000000@im.example",
        "sip:other@im.example",
        "sip:club@elsewhere.example",
        "sip:im-1@im.example",
        FACTORY,
        "mailto:x@im.example",
    ];
    for to in nowhere {
        let answer = subscribe(&mut world, to, wish(caller("alice")));
        assert_eq!(answer.status, 404, "{to}");
    }
    world.finish();
}

// covers: CONF-7.2.1.12-03, CONF-7.2.1.12-04, CONF-7.2.1.12-06, CONF-7.2.1.12-07
#[test]
fn subscription_needs_a_participant_who_may_watch() {
    let mut world = world();
    let idle = subscribe(&mut world, GROUP, wish(caller("alice")));
    assert_eq!(refusal(&idle), FORBIDDEN);
    let alice = call(&mut world, "alice");
    for stranger in ["bob", "mallory"] {
        let answer = subscribe(&mut world, GROUP, wish(caller(stranger)));
        assert_eq!(refusal(&answer), FORBIDDEN);
    }
    world.end(alice.dialog, DialogEnd::Bye);
    world.finish();
    let rights = Rights {
        initiate: true,
        join: true,
        ..Rights::default()
    };
    let rules = Some(vec![Rule {
        conditions: Vec::new(),
        rights,
    }]);
    let mut world = World::with(policy(), [Group { rules, ..group() }]);
    let alice = call(&mut world, "alice");
    let answer = subscribe(&mut world, GROUP, wish(caller("alice")));
    assert_eq!(refusal(&answer), FORBIDDEN);
    let inside = world.request(
        Some(alice.dialog),
        Method::Subscribe,
        wish(Headers::new()),
        None,
    );
    assert_eq!(refusal(&inside), FORBIDDEN);
    assert!(world.notifies().is_empty());
    world.finish();
}

// covers: CONF-7.2.1.12-05
#[test]
fn subscriptions_of_one_user_are_bounded() {
    let mut world = world();
    call(&mut world, "alice");
    call(&mut world, "bob");
    for _ in 0..SUBSCRIPTIONS_PER_USER_MAX {
        watch(&mut world, GROUP, caller("alice"));
    }
    let answer = subscribe(&mut world, GROUP, wish(caller("alice")));
    assert_eq!(refusal(&answer), FORBIDDEN);
    watch(&mut world, GROUP, caller("bob"));
    world.finish();
}

#[test]
fn subscription_that_cannot_be_served_is_told_what_can() {
    let mut world = world();
    call(&mut world, "alice");
    let mut ask = |headers: Headers| subscribe(&mut world, GROUP, headers);
    for event in ["presence", "conference.winfo"] {
        let answer = ask(caller("alice").with("Event", event));
        assert_eq!(answer.status, 489);
        assert_eq!(
            answer.headers.first("Allow-Events"),
            Some("conference, refer")
        );
    }
    assert_eq!(ask(caller("alice")).status, 489);
    assert_eq!(
        refusal(&ask(caller("alice").with("Event", "refer"))),
        FORBIDDEN
    );
    let brief = ask(wish(caller("alice")).with("Expires", "59"));
    assert_eq!(
        (brief.status, brief.headers.first("Min-Expires")),
        (423, Some("60"))
    );
    assert_eq!(
        ask(wish(caller("alice")).with("Expires", "soon")).status,
        400
    );
    let other = ask(wish(caller("alice")).with("Accept", "application/pidf+xml, text/plain"));
    assert_eq!(
        (other.status, other.headers.first("Accept")),
        (406, Some("application/conference-info+xml"))
    );
    let extension = ask(wish(caller("alice")).with("Require", "eventlist"));
    assert_eq!(
        (extension.status, extension.headers.first("Unsupported")),
        (420, Some("eventlist"))
    );
    let accepted = ask(
        wish(caller("alice")).with("Accept", "text/plain, Application/Conference-Info+xml;q=1")
    );
    assert_eq!(accepted.status, 200);
    world.finish();
}

#[test]
fn subscription_is_refreshed_with_everything() {
    let mut world = world();
    call(&mut world, "alice");
    let headers = caller("alice").with("Expires", "60");
    let (dialog, first) = watch(&mut world, GROUP, headers);
    call(&mut world, "bob");
    next(&mut world);
    world.now += 40 * NS_PER_S;
    let headers = wish(Headers::new()).with("Expires", "90");
    let answer = world.request(Some(dialog), Method::Subscribe, headers, None);
    assert_eq!(
        (answer.status, answer.headers.first("Expires")),
        (200, Some("90"))
    );
    let notify = take(&mut world);
    assert_eq!(state(&notify), "active;expires=90");
    let document = read(&notify);
    assert_eq!((document.state.as_str(), document.users.len()), ("full", 2));
    assert_eq!(document.version, first.version + 2);
    let brief = wish(Headers::new()).with("Expires", "5");
    assert_eq!(
        world
            .request(Some(dialog), Method::Subscribe, brief, None)
            .status,
        423
    );
    // Ninety seconds later it has run out.
    let start = world.now;
    let notify = next(&mut world);
    assert_eq!(world.now - start, 90 * NS_PER_S);
    assert_eq!(state(&notify), "terminated;reason=timeout");
    assert_eq!(read(&notify).version, first.version + 3);
    assert_eq!(world.forgotten(), [dialog]);
    let late = world.request(Some(dialog), Method::Subscribe, wish(Headers::new()), None);
    assert_eq!(late.status, 481);
    world.finish();
}

#[test]
fn subscription_that_is_given_up_ends() {
    let mut world = world();
    call(&mut world, "alice");
    let (dialog, _) = watch(&mut world, GROUP, caller("alice"));
    let headers = wish(Headers::new()).with("Expires", "0");
    let answer = world.request(Some(dialog), Method::Subscribe, headers, None);
    assert_eq!(
        (answer.status, answer.headers.first("Expires")),
        (200, Some("0"))
    );
    let notify = take(&mut world);
    assert_eq!(
        (notify.dialog, state(&notify)),
        (dialog, "terminated;reason=timeout")
    );
    assert_eq!(world.forgotten(), [dialog]);
    call(&mut world, "bob");
    assert!(world.notifies().is_empty());
    world.finish();
}

#[test]
fn subscription_for_no_time_is_told_once() {
    let mut world = world();
    call(&mut world, "alice");
    let answer = subscribe(
        &mut world,
        GROUP,
        wish(caller("alice")).with("Expires", "0"),
    );
    assert_eq!(
        (answer.status, answer.headers.first("Expires")),
        (200, Some("0"))
    );
    let dialog = world.accepted().remove(0);
    let notify = take(&mut world);
    assert_eq!(state(&notify), "terminated;reason=timeout");
    assert_eq!(read(&notify).state, "full");
    assert_eq!(world.forgotten(), [dialog]);
    world.finish();
}

// covers: CONF-7.2.2.11-01, CONF-7.2.2.11-03, CONF-7.2.2.11-04, CONF-7.2.1.12-12
#[test]
fn release_ends_every_subscription() {
    let mut world = World::new();
    let (alice, bob) = world.one_to_one();
    let room = world.room();
    let target = format!("sip:{room}@im.example");
    let (own, _) = watch(&mut world, &target, caller("alice"));
    let inside = world.request(Some(bob), Method::Subscribe, wish(Headers::new()), None);
    assert_eq!(inside.status, 200);
    take(&mut world);
    world.end(alice.dialog, DialogEnd::Bye);
    let byes = world.byes();
    assert_eq!((byes.len(), byes[0].0), (1, bob));
    let notifies = world.notifies();
    let dialogs: Vec<_> = notifies.iter().map(|n| n.dialog).collect();
    assert_eq!(dialogs.len(), 2);
    assert!(dialogs.contains(&own) && dialogs.contains(&bob));
    for notify in &notifies {
        assert_eq!(state(notify), "terminated;reason=noresource");
        assert_eq!(read(notify).state, "deleted");
        world.finish_request(notify.transaction, 200, Headers::new());
    }
    let again = subscribe(&mut world, &target, wish(caller("bob")));
    assert_eq!(again.status, 404);
    assert_eq!(world.forgotten(), [own]);
    world.finish_request(byes[0].1, 200, Headers::new());
    assert!(world.focus.is_idle());
    world.finish();
}

#[test]
fn conference_waits_for_the_answer_to_its_last_notify() {
    let mut world = world();
    let alice = call(&mut world, "alice");
    watch(&mut world, GROUP, caller("alice"));
    world.end(alice.dialog, DialogEnd::Bye);
    assert!(world.engine.rooms.is_empty());
    let last = world.notifies().remove(0);
    assert!(!world.focus.is_idle());
    // A new session of the group need not wait.
    let again = world.invite(GROUP, caller("alice"), sdp("alice"));
    assert_eq!(world.final_of(again).status, 200);
    world.finish_request(last.transaction, 408, Headers::new());
    world.finish();
}

// covers: CONF-7.2.2.11-02, CTRL-7.2.1.10-04
#[test]
fn subscription_of_a_user_who_leaves_ends() {
    let mut world = world();
    call(&mut world, "alice");
    let bob = call(&mut world, "bob");
    let second = call(&mut world, "bob");
    let (dialog, _) = watch(&mut world, GROUP, caller("bob"));
    world.end(bob.dialog, DialogEnd::Bye);
    assert!(world.notifies().is_empty(), "bob is there twice");
    world.end(second.dialog, DialogEnd::Bye);
    let notify = take(&mut world);
    assert_eq!(state(&notify), "terminated;reason=noresource");
    let document = read(&notify);
    assert_eq!(document.roster(), [("sip:bob@example.com", "disconnected")]);
    assert_eq!(world.forgotten(), [dialog]);
    let again = subscribe(&mut world, GROUP, wish(caller("bob")));
    assert_eq!(refusal(&again), FORBIDDEN);
    world.finish();
}

#[test]
fn subscriber_that_leaves_before_its_answer_hears_who_left() {
    let mut world = world();
    call(&mut world, "alice");
    let bob = call(&mut world, "bob");
    subscribe(&mut world, GROUP, wish(caller("bob")));
    let unanswered = world.notifies().remove(0);
    world.end(bob.dialog, DialogEnd::Bye);
    assert!(world.notifies().is_empty());
    world.finish_request(unanswered.transaction, 200, Headers::new());
    let last = take(&mut world);
    assert_eq!(state(&last), "terminated;reason=noresource");
    assert_eq!(
        read(&last).roster(),
        [("sip:bob@example.com", "disconnected")]
    );
    world.finish();
}

#[test]
fn subscriber_that_does_not_answer_is_dropped() {
    for status in [408, 481, 404, 503] {
        let mut world = world();
        call(&mut world, "alice");
        let (dialog, _) = watch(&mut world, GROUP, caller("alice"));
        call(&mut world, "bob");
        world.wait();
        let notify = world.notifies().remove(0);
        world.finish_request(notify.transaction, status, Headers::new());
        assert_eq!(world.forgotten(), [dialog], "{status}");
        call(&mut world, "carol");
        let deadline = world.focus.poll_timeout().unwrap();
        assert!(deadline > world.now + 100 * NS_PER_S, "{deadline}");
        world.finish();
    }
}

#[test]
fn subscriptions_inside_a_session_dialog_are_told_apart() {
    let mut world = world();
    call(&mut world, "alice");
    let bob = call(&mut world, "bob");
    let ask = |world: &mut World, id: &str, expires: &str| {
        let headers = Headers::new()
            .with("Event", format!("conference;id={id}"))
            .with("Expires", expires);
        world.request(Some(bob.dialog), Method::Subscribe, headers, None)
    };
    for id in ["1", "2"] {
        assert_eq!(ask(&mut world, id, "600").status, 200);
        let notify = take(&mut world);
        assert_eq!(notify.dialog, bob.dialog);
        assert_eq!(
            notify.headers.first("Event"),
            Some(format!("conference;id={id}").as_str())
        );
        assert_eq!(read(&notify).own(), ["sip:bob@example.com"]);
    }
    assert_eq!(ask(&mut world, "1", "0").status, 200);
    assert_eq!(state(&take(&mut world)), "terminated;reason=timeout");
    // The dialog stays for the other, and for the session.
    assert!(world.forgotten().is_empty());
    call(&mut world, "carol");
    let notify = next(&mut world);
    assert_eq!(notify.headers.first("Event"), Some("conference;id=2"));
    // With its dialog the subscription goes without a word.
    world.end(bob.dialog, DialogEnd::Bye);
    world.sent.clear();
    call(&mut world, "bob");
    assert!(world.notifies().is_empty());
    world.finish();
}

#[test]
fn subscriber_in_a_session_dialog_hears_of_the_end_before_the_bye() {
    let mut world = World::new();
    let (alice, bob) = world.one_to_one();
    world.request(Some(bob), Method::Subscribe, wish(Headers::new()), None);
    take(&mut world);
    world.end(alice.dialog, DialogEnd::Bye);
    let order: Vec<&str> = world
        .sent
        .iter()
        .filter_map(|sent| match sent {
            Sent::Request(dialog, _, Method::Notify, ..) if *dialog == bob => Some("notify"),
            Sent::Bye(dialog, ..) if *dialog == bob => Some("bye"),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["notify", "bye"]);
    world.finish();
}

#[test]
fn subscriber_without_identity_is_refused() {
    let mut world = world();
    call(&mut world, "alice");
    let headers = Headers::new().with("From", "<sip:alice@example.com>;tag=1");
    let answer = subscribe(&mut world, GROUP, wish(headers));
    let expected = (403, Some("399 im.example \"127 Service not authorised\""));
    assert_eq!(refusal(&answer), expected);
    world.finish();
}

#[test]
fn invitee_that_calls_is_listed_once() {
    let mut world = World::new();
    let alice = world.invite(
        FACTORY,
        caller("alice"),
        list_body("alice", &["sip:bob@example.com", "sip:carol@example.com"]),
    );
    let invites = world.invites();
    world.accept(invites[0].0);
    world.acknowledge(alice);
    let target = format!("sip:{}@im.example", world.room());
    let bob = world.invite(&target, caller("bob"), sdp("bob"));
    assert_eq!(world.final_of(bob).status, 200);
    let (_, document) = watch(&mut world, &target, caller("bob"));
    assert_eq!(
        document.roster(),
        [
            ("sip:alice@example.com", "connected"),
            ("sip:bob@example.com", "connected")
        ]
    );
    assert_eq!(document.own(), ["sip:bob@example.com"]);
    world.cancels();
    world.respond(invites[1].0, 487, Headers::new(), None);
    world.finish();
}

// covers: CTRL-7.2.1.5-15
#[test]
fn participant_that_comes_back_is_told() {
    let mut world = World::new();
    let alice = world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
    let invites = world.invites();
    for (dialog, _) in &invites {
        world.accept(*dialog);
    }
    world.acknowledge(alice);
    let target = format!("sip:{}@im.example", world.room());
    watch(&mut world, &target, caller("alice"));
    world.end(invites[0].0, DialogEnd::Bye);
    let left = read(&next(&mut world));
    assert_eq!(left.roster(), [("sip:bob@example.com", "disconnected")]);
    let bob = world.invite(&target, caller("bob"), sdp("bob"));
    assert_eq!(world.final_of(bob).status, 200);
    let back = read(&next(&mut world));
    assert_eq!(back.roster(), [("sip:bob@example.com", "connected")]);
    world.finish();
}

fn name(world: &mut World, participant: &str, nickname: Option<&str>) {
    let event = Event::NicknameChanged {
        room: world.room(),
        participant: ParticipantId::new(participant).unwrap(),
        nickname: nickname.map(str::to_owned),
    };
    world.engine_event(&event);
}

// covers: MSRP-7701-7.4-01
#[test]
fn nickname_is_told_beside_the_address_and_taken_back() {
    let mut world = world();
    call(&mut world, "alice");
    call(&mut world, "bob");
    name(&mut world, "p1", Some("Dopey <Donkey>"));
    let (_, first) = watch(&mut world, GROUP, caller("alice"));
    let nicknames = |document: &Document| -> Vec<(String, Option<String>)> {
        let users = document.users.iter();
        users
            .map(|u| (u.entity.clone(), u.nickname.clone()))
            .collect()
    };
    let (alice, bob) = ("sip:alice@example.com", "sip:bob@example.com");
    let donkey = Some("Dopey <Donkey>".to_owned());
    assert_eq!(
        nicknames(&first),
        [(alice.to_owned(), None), (bob.to_owned(), donkey)]
    );
    // On a second device the user keeps it, though that session has none.
    call(&mut world, "bob");
    for (participant, nickname, told) in [("p0", Some("Al"), alice), ("p1", None, bob)] {
        name(&mut world, participant, nickname);
        let document = read(&next(&mut world));
        assert_eq!(document.state, "partial");
        let expected = (told.to_owned(), nickname.map(str::to_owned));
        assert_eq!(nicknames(&document), [expected]);
        assert_eq!(document.users[0].status, "connected");
    }
    // One who is gone is named no more.
    name(&mut world, "p9", Some("Nobody"));
    assert!(world.notifies().is_empty());
    world.finish();
}
