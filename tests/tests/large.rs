//! Large messages: one message by INVITE to a list or a group.

use msrp_testkit::{
    Config, Daemon, Draft, Flag, Invitation, Join, Mode, MsrpEndpoint, MsrpPeer, Participant,
    SipPeer,
};
use msrpd_tests::{
    ALICE, BOB, CAROL, DAVE, FACTORY, FRIENDS, WAYS, Way, accept, config_with_friends, person,
};

const TAGS: &str = "*;+g.oma.sip-im;+g.oma.sip-im.large-message";
const TAG: &str = "+g.oma.sip-im.large-message";

async fn node_with(way: Way, config: Config) -> (Daemon, SipPeer) {
    let proxy = way.proxy().await;
    let daemon = way.start(config.outbound_proxy(&proxy.proxy_uri())).await;
    (daemon, proxy)
}

async fn node(way: Way) -> (Daemon, SipPeer) {
    node_with(way, Config::new()).await
}

/// Alice's INVITE for a large message, as clients make it.
fn large(way: Way, to: &str) -> Join {
    way.dial(to, ALICE)
        .invite(|invite| invite.header("Accept-Contact", TAGS))
        .offer(|media| media.line("a=sendonly").setup("active"))
}

fn to_list(way: Way, list: &[&str]) -> Join {
    large(way, FACTORY).invite(|invite| invite.list(list))
}

async fn invitation_for(proxy: &SipPeer, identity: &str) -> Invitation {
    proxy.accept_invite(|uri| uri == identity).await
}

/// Accepts a large message as clients do.
async fn receive(invitation: &Invitation) -> Participant {
    let endpoint = MsrpEndpoint::bind().await;
    let answer = endpoint.media().setup("active").line("a=recvonly");
    Participant::accept_with(invitation, endpoint, &answer).await
}

fn text(octets: u32) -> Vec<u8> {
    (0..octets)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}

/// A message for the session of the sender that asks for a final report.
fn reported(sender: &Participant, body: &[u8]) -> Draft {
    let (from, to) = (format!("<{ALICE}>"), format!("<{}>", sender.room));
    let headers = [
        ("From", from.as_str()),
        ("To", to.as_str()),
        ("NS", "f <urn:oma:xml:poc:final-report>"),
        ("f.Final-Report", "yes"),
    ];
    Draft::wrapped_with(&headers, "text/plain", body).success_report("yes")
}

fn plain(sender: &Participant, body: &[u8]) -> Draft {
    Draft::wrapped(ALICE, &sender.room, "text/plain", body)
}

/// Reads a message, reports it, and gives its content.
async fn read_and_report(recipient: &MsrpPeer) -> Vec<u8> {
    let message = recipient.expect_message().await;
    assert_eq!(message.ended, Flag::Last);
    if message.header("Success-Report") == Some("yes") {
        let octets = message.body.len();
        recipient.report(&message, &format!("1-{octets}/{octets}"), "000 200 OK");
    }
    message.cpim().body
}

/// The legs of the final report, sorted.
async fn final_report(sender: &MsrpPeer) -> Vec<(String, String)> {
    let report = sender.expect_report().await;
    let document = String::from_utf8(report.body.expect("a document")).expect("UTF-8");
    assert!(document.contains("last=\"true\""), "{document}");
    let value = |leg: &str, name: &str| {
        let start = leg.find(&format!("{name}=\"")).expect("an attribute") + name.len() + 2;
        leg[start..]
            .split('"')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let legs = document.split("<leg ").skip(1);
    let mut legs: Vec<_> = legs
        .map(|leg| (value(leg, "uri"), value(leg, "status")))
        .collect();
    legs.sort();
    legs
}

async fn ends_clean(daemon: &Daemon) {
    for metric in ["msrp_rooms", "msrp_sip_dialogs", "msrp_connections"] {
        daemon.wait_metric(metric, |count| count == 0.0).await;
    }
}

// covers: LRG-9.3.1.1-01, LRG-9.3.1.1-02, LRG-9.3.1.1-04, LRG-9.3.1.1-05, LRG-9.3.1.1-06, LRG-9.3.1.1-07
// covers: LRG-9.3.2.1-01, LRG-9.3.2.1-02, LRG-9.3.2.1-04, LRG-9.3.2.1-05, LRG-9.3.2.1-06, LRG-9.3.2.1-07, LRG-9.3.2.1-09
// covers: LRG-9.3.1.3-01, LRG-9.3.1.3-02, LRG-9.3.1.3-03, LRG-9.3.1.3-04, LRG-9.3.1.3-05
// covers: CLI-9.1-01, CLI-9.1-03, CLI-9.1-05, CLI-9.2-01, CLI-9.2-02, CLI-9.4.2-01, CLI-9.4.2-02, CLI-9.4.2-03
#[tokio::test]
async fn large_message_reaches_all_of_a_list_whole_and_each_is_released_after_it() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = to_list(way, &[BOB, CAROL]).start(&daemon).await;
        let request = joining.calling.request();
        assert!(
            request
                .header("User-Agent")
                .unwrap()
                .starts_with("IM-client/OMA1.0")
        );
        assert!(request.lists("Supported", "timer"));
        assert!(request.header("Contact").unwrap().contains("+g.oma.sip-im"));
        let mut recipients = Vec::new();
        for identity in [BOB, CAROL] {
            let invitation = invitation_for(&proxy, identity).await;
            let invite = invitation.request();
            assert!(invite.header("Accept-Contact").unwrap().contains(TAG));
            assert!(invite.header("Contact").unwrap().contains(TAG));
            let offer = invitation.media();
            assert_eq!(offer.address(), daemon.msrp_addr());
            assert!(
                offer.lines.contains(&"a=sendonly".to_owned()),
                "{:?}",
                offer.lines
            );
            recipients.push(receive(&invitation).await);
        }
        let alice = joining.complete().await;
        let answer = alice.dialog.remote_media();
        assert!(
            answer.lines.contains(&"a=recvonly".to_owned()),
            "{:?}",
            answer.lines
        );
        assert!(answer.accept_types.contains(&"message/cpim".to_owned()));
        let body = text(3_000_000);
        let draft = plain(&alice, &body)
            .chunk_octets(100_000)
            .mime_header("Content-Disposition", "attachment; filename=\"big.txt\"")
            .mime_header("Content-Description", "A big text");
        let sent = alice.msrp.send(&draft);
        for recipient in &recipients {
            let message = recipient.msrp.expect_message().await;
            assert!(message.cpim().body == body, "other octets");
            let disposition = message.header("Content-Disposition");
            assert_eq!(disposition, Some("attachment; filename=\"big.txt\""));
            assert_eq!(message.header("Content-Description"), Some("A big text"));
        }
        alice.msrp.expect_all(&sent, 200).await;
        alice.leave().await;
        for recipient in &recipients {
            let bye = recipient.expect_removed().await;
            let target = bye.request_uri();
            assert!(target.contains(&proxy.address().to_string()), "{target}");
            assert!(
                recipient
                    .identity
                    .starts_with(target.split('@').next().unwrap())
            );
        }
        ends_clean(&daemon).await;
    }
}

// covers: LRG-9.3.1.3-02, LRG-9.3.1.3-05
#[tokio::test]
async fn recipient_is_released_when_it_acknowledged_the_last_octet_and_not_before() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = to_list(way, &[BOB, CAROL]).start(&daemon).await;
        let bob = receive(&invitation_for(&proxy, BOB).await).await;
        let carol = receive(&invitation_for(&proxy, CAROL).await).await;
        let alice = joining.complete().await;
        bob.msrp.set_mode(Mode::Manual);
        alice.msrp.send_ok(&plain(&alice, b"take your time")).await;
        let chunk = bob.msrp.expect_chunk().await;
        alice.leave().await;
        // Carol has answered, so her BYE comes; bob's would have come with it.
        carol.expect_removed().await;
        bob.dialog.peer().assert_no_request_left();
        assert_eq!(daemon.metric("msrp_rooms").await, 1.0);
        bob.msrp.respond(&chunk, 200, "OK");
        bob.expect_removed().await;
        ends_clean(&daemon).await;
    }
}

// covers: LRG-9.4.5-01, LRG-9.4.4-01, CLI-9.2-03
#[tokio::test]
async fn final_report_names_those_who_declined_were_busy_or_take_less() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let (erin, frank) = (person(5), person(6));
        let list = [BOB, CAROL, DAVE, &erin, &frank];
        let joining = to_list(way, &list).start(&daemon).await;
        let bob = receive(&invitation_for(&proxy, BOB).await).await;
        invitation_for(&proxy, CAROL)
            .await
            .reject(486, "Busy Here")
            .await;
        let dave = invitation_for(&proxy, DAVE).await;
        let endpoint = MsrpEndpoint::bind().await;
        let small = endpoint.media().setup("active").max_size(1000);
        let small = small.line("a=recvonly");
        let _dave = Participant::accept_with(&dave, endpoint, &small).await;
        let erin_call = invitation_for(&proxy, &erin).await;
        let frank_call = invitation_for(&proxy, &frank).await;
        let alice = joining.complete().await;
        let body = text(50_000);
        let sent = alice.msrp.send(&reported(&alice, &body));
        alice.msrp.expect_all(&sent, 200).await;
        assert_eq!(read_and_report(&bob.msrp).await, body);
        // These decide after the last octet has come.
        erin_call.reject(603, "Decline").await;
        let frank_leg = receive(&frank_call).await;
        assert_eq!(read_and_report(&frank_leg.msrp).await, body);
        let leg = |uri: &str, status: &str| (uri.to_owned(), status.to_owned());
        let mut expected = vec![
            leg(BOB, "200"),
            leg(CAROL, "486"),
            leg(DAVE, "9999"),
            leg(&erin, "603"),
            leg(&frank, "200"),
        ];
        expected.sort();
        assert_eq!(final_report(&alice.msrp).await, expected);
        alice.leave().await;
        bob.expect_removed().await;
        frank_leg.expect_removed().await;
    }
}

// covers: LRG-9.3.2.1-09, LRG-9.3.1.3-02
#[tokio::test]
async fn recipient_that_accepts_after_the_sender_has_gone_gets_the_message_whole() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = to_list(way, &[BOB, CAROL, DAVE]).start(&daemon).await;
        let bob = receive(&invitation_for(&proxy, BOB).await).await;
        let carol = invitation_for(&proxy, CAROL).await;
        let dave = invitation_for(&proxy, DAVE).await;
        dave.ring().await;
        let alice = joining.complete().await;
        let body = text(200_000);
        let sent = alice.msrp.send(&plain(&alice, &body).chunk_octets(30_000));
        alice.msrp.expect_all(&sent, 200).await;
        alice.leave().await;
        assert_eq!(read_and_report(&bob.msrp).await, body);
        bob.expect_removed().await;
        let carol = receive(&carol).await;
        assert_eq!(read_and_report(&carol.msrp).await, body);
        carol.expect_removed().await;
        dave.reject(480, "Temporarily Unavailable").await;
        ends_clean(&daemon).await;
    }
}

#[tokio::test]
async fn recipient_that_does_not_accept_in_time_is_cancelled_and_reported() {
    for way in WAYS {
        let config = Config::new()
            .set("policy", "large_hold_octets", 65_536)
            .set("policy", "large_hold_ms", 50);
        let (daemon, proxy) = node_with(way, config).await;
        let joining = to_list(way, &[BOB, CAROL]).start(&daemon).await;
        let bob = receive(&invitation_for(&proxy, BOB).await).await;
        let carol = invitation_for(&proxy, CAROL).await;
        carol.ring().await;
        let alice = joining.complete().await;
        let body = text(2_000_000);
        let sent = alice
            .msrp
            .send(&reported(&alice, &body).chunk_octets(100_000));
        carol.expect_cancel().await;
        assert_eq!(read_and_report(&bob.msrp).await, body);
        alice.msrp.expect_all(&sent, 200).await;
        let leg = |uri: &str, status: &str| (uri.to_owned(), status.to_owned());
        assert_eq!(
            final_report(&alice.msrp).await,
            [leg(BOB, "200"), leg(CAROL, "408")]
        );
        alice.leave().await;
        bob.expect_removed().await;
        ends_clean(&daemon).await;
    }
}

// covers: LRG-9.3.1.1-08, CLI-9.2-01
#[tokio::test]
async fn large_message_that_nobody_takes_is_refused_with_the_lowest_status() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = to_list(way, &[BOB, CAROL]).start(&daemon).await;
        for (identity, status) in [(BOB, 603), (CAROL, 488)] {
            let invitation = invitation_for(&proxy, identity).await;
            invitation.reject(status, "No").await;
        }
        joining.calling.expect_failure(488).await;
        ends_clean(&daemon).await;
    }
}

// covers: LRG-9.3.1.1-09
#[tokio::test]
async fn large_message_sender_is_removed_when_its_recipients_have_gone() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = to_list(way, &[BOB, CAROL]).start(&daemon).await;
        let bob = receive(&invitation_for(&proxy, BOB).await).await;
        let carol = invitation_for(&proxy, CAROL).await;
        let alice = joining.complete().await;
        bob.leave().await;
        carol.reject(603, "Decline").await;
        alice.expect_removed().await;
        ends_clean(&daemon).await;
    }
}

// covers: LRG-9.3.1.2-01, CLI-9.1-04
#[tokio::test]
async fn large_message_that_is_cancelled_cancels_its_invitations() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = to_list(way, &[BOB, CAROL]).start(&daemon).await;
        let bob = invitation_for(&proxy, BOB).await;
        let carol = invitation_for(&proxy, CAROL).await;
        bob.ring().await;
        carol.ring().await;
        joining.calling.expect_provisional(180).await;
        joining.calling.cancel().await;
        joining.calling.expect_failure(487).await;
        bob.expect_cancel().await;
        carol.expect_cancel().await;
        ends_clean(&daemon).await;
    }
}

// covers: LRG-9.4.4-01, LRG-9.4.4-02, LRG-9.4.4-03
#[tokio::test]
async fn only_the_sender_of_a_large_message_speaks_and_only_to_all() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        let joining = to_list(way, &[BOB, CAROL]).start(&daemon).await;
        // Bob's answer would let it speak.
        let bob = accept(&daemon, &invitation_for(&proxy, BOB).await, Some("active")).await;
        let carol = receive(&invitation_for(&proxy, CAROL).await).await;
        let alice = joining.complete().await;
        let to_bob = alice.msrp.send(&Draft::text(ALICE, BOB, "psst"));
        alice.msrp.expect_all(&to_bob, 403).await;
        let as_bob = alice.msrp.send(&Draft::text(BOB, &alice.room, "I am bob"));
        alice.msrp.expect_all(&as_bob, 403).await;
        for recipient in [&bob, &carol] {
            let answer = recipient.msrp.send(&recipient.text("and I?"));
            recipient.msrp.expect_all(&answer, 403).await;
            recipient.msrp.bind().await;
        }
        alice.say("for all").await;
        for recipient in [&bob, &carol] {
            recipient.expect_text(ALICE, "for all").await;
            recipient.msrp.assert_nothing_left();
        }
    }
}

// covers: LRG-4.2.1-01
#[tokio::test]
async fn second_message_in_a_large_message_session_is_as_the_operator_wants() {
    for (is_single, status) in [(false, 200), (true, 403)] {
        let way = WAYS[0];
        let config = Config::new().set("policy", "large_one_message", is_single);
        let (daemon, proxy) = node_with(way, config).await;
        let joining = to_list(way, &[BOB]).start(&daemon).await;
        let bob = receive(&invitation_for(&proxy, BOB).await).await;
        let alice = joining.complete().await;
        alice.say("one").await;
        bob.expect_text(ALICE, "one").await;
        let second = alice.msrp.send(&alice.text("two"));
        alice.msrp.expect_all(&second, status).await;
    }
}

// covers: LRG-9.3.1.1-03, LRG-9.3.2.1-03, CLI-9.1-02
#[tokio::test]
async fn large_message_to_a_group_reaches_its_members_beside_its_session() {
    for way in WAYS {
        let (daemon, proxy) = node_with(way, config_with_friends()).await;
        let talking = way.join(&daemon, FRIENDS, CAROL).await;
        let joining = large(way, FRIENDS).start(&daemon).await;
        let mut recipients = Vec::new();
        for identity in [BOB, CAROL, DAVE] {
            let invitation = invitation_for(&proxy, identity).await;
            assert!(invitation.request().from_uri().contains("friends"));
            recipients.push(receive(&invitation).await);
        }
        let alice = joining.complete().await;
        alice.say("to the group").await;
        for recipient in &recipients {
            recipient.expect_text(ALICE, "to the group").await;
        }
        alice.leave().await;
        for recipient in &recipients {
            recipient.expect_removed().await;
        }
        talking.msrp.assert_nothing_left();
        talking.leave().await;
    }
}

/// A sequence of numbers that looks like chance and is always the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        // The constants of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

// covers: LRG-9.3.1.3-02, LRG-9.4.5-01
#[tokio::test]
async fn large_message_whose_sender_or_recipients_break_off_anywhere_is_told_truthfully() {
    let way = WAYS[1];
    let (daemon, proxy) = node(way).await;
    for seed in 1..=12 {
        let mut chance = Chance(seed);
        let body = text(400_000);
        let joining = to_list(way, &[BOB, CAROL, DAVE]).start(&daemon).await;
        let bob = receive(&invitation_for(&proxy, BOB).await).await;
        let carol = receive(&invitation_for(&proxy, CAROL).await).await;
        let dave = receive(&invitation_for(&proxy, DAVE).await).await;
        let alice = joining.complete().await;
        let draft = reported(&alice, &body);
        let octets = draft.octets();
        let kills_sender = seed % 3 == 0;
        let (cut, carol_cut) = (1 + chance.below(octets - 1), 1 + chance.below(octets - 1));
        let cuts = if kills_sender {
            [cut, cut]
        } else {
            [carol_cut, octets]
        };
        let first = alice.msrp.send_chunk(&draft, 0, cuts[0], Flag::More);
        alice.msrp.expect_status(&first, 200).await;
        if kills_sender {
            alice.msrp.close();
            for recipient in [&bob, &carol, &dave] {
                let message = recipient.msrp.expect_message().await;
                assert_eq!(message.ended, Flag::Abort, "seed {seed}");
                let whole = plain_octets(&draft);
                assert!(whole.starts_with(&message.body), "seed {seed}");
                recipient.expect_removed().await;
            }
            alice.dialog.expect_bye().await;
        } else {
            // Carol is gone in the middle, without a word.
            carol.msrp.close();
            carol.dialog.expect_bye().await;
            let last = alice.msrp.send_chunk(&draft, cuts[0], octets, Flag::Last);
            alice.msrp.expect_status(&last, 200).await;
            for recipient in [&bob, &dave] {
                assert!(
                    read_and_report(&recipient.msrp).await == body,
                    "seed {seed}"
                );
            }
            let leg = |uri: &str, status: &str| (uri.to_owned(), status.to_owned());
            assert_eq!(
                final_report(&alice.msrp).await,
                [leg(BOB, "200"), leg(CAROL, "481"), leg(DAVE, "200")],
                "seed {seed}"
            );
            alice.leave().await;
            bob.expect_removed().await;
            dave.expect_removed().await;
        }
        ends_clean(&daemon).await;
    }
    let open = daemon.metric("msrp_copies_opened_total").await;
    let mut settled = 0.0;
    for outcome in ["delivered", "sent", "refused", "failed", "aborted"] {
        let series = format!("msrp_copies_total{{outcome=\"{outcome}\"}}");
        settled += daemon.metric(&series).await;
    }
    assert_eq!(open, settled);
}

/// The octets of a whole message, wrapper included.
fn plain_octets(draft: &Draft) -> Vec<u8> {
    let frames = draft.frames("msrp://a:1/a;tcp", "msrp://b:1/b;tcp");
    frames
        .into_iter()
        .flat_map(|f| f.body.unwrap_or_default())
        .collect()
}
