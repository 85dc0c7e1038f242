//! Several files side by side, and files beside a talk.

use msrp_testkit::sip::ServerTransaction;
use msrp_testkit::{
    Daemon, Dialog, Draft, Flag, Invite, Media, MsrpEndpoint, MsrpPeer, Participant, Sections,
    SipMessage, SipPeer,
};
use msrpd_tests::{ALICE, BOB, CAROL, FACTORY, FRIENDS, WAYS, Way, config_with_friends};

/// A file: its name and its length, from which its octets follow.
#[derive(Clone, Copy)]
struct File {
    name: &'static str,
    octets: u32,
}

const SMALL: File = File {
    name: "small.png",
    octets: 70_001,
};
const LARGE: File = File {
    name: "large.png",
    octets: 300_000,
};

impl File {
    fn selector(self) -> String {
        let Self { name, octets } = self;
        format!("a=file-selector:name:\"{name}\" type:image/png size:{octets}")
    }

    fn transfer_id(self) -> String {
        format!("a=file-transfer-id:{}-{}", self.name.len(), self.octets)
    }

    fn content(self) -> Vec<u8> {
        let octet = |n: u32| n.wrapping_mul(2_654_435_761).to_be_bytes()[0];
        (0..self.octets).map(|n| octet(n ^ self.octets)).collect()
    }

    fn draft(self) -> Draft {
        Draft::new("image/png", self.content()).chunk_octets(20_000)
    }

    /// A section about it, of a side that connects.
    fn section(self, endpoint: &MsrpEndpoint, direction: &str) -> Media {
        let media = endpoint.media().accept_types("image/png");
        let media = media.accept_wrapped_types("").setup("active");
        let media = media.line(&self.selector()).line(&self.transfer_id());
        media.line(direction)
    }

    fn is_in(self, media: &Media) {
        for line in [self.selector(), self.transfer_id()] {
            assert!(media.lines.contains(&line), "{line} of {:?}", media.lines);
        }
    }

    async fn arrives(self, msrp: &MsrpPeer) {
        let message = msrp.expect_message().await;
        assert_eq!(message.ended, Flag::Last);
        assert!(message.body == self.content(), "another {}", self.name);
    }
}

/// A section with port 0 in the place of another.
fn refused(media: &Media) -> Media {
    let mut media = media.clone();
    media.port = 0;
    media
}

async fn connect(endpoint: MsrpEndpoint, remote: &Media) -> MsrpPeer {
    let msrp = endpoint.connect(remote).await;
    msrp.bind().await;
    msrp
}

async fn endpoints<const N: usize>() -> [MsrpEndpoint; N] {
    let mut all = Vec::new();
    for _ in 0..N {
        all.push(MsrpEndpoint::bind().await);
    }
    all.try_into().ok().expect("as many as there are")
}

/// Somebody in the group, whose description of the talk is known.
struct Talker {
    participant: Participant,
    sections: Sections,
}

impl Talker {
    async fn join(way: Way, daemon: &Daemon, identity: &str) -> Self {
        let endpoint = MsrpEndpoint::bind().await;
        let media = endpoint.media().setup("active");
        let sections = Sections::new([media]);
        let dial = way.dial(FRIENDS, identity).endpoint(endpoint);
        let participant = dial.offer(|media| media.setup("active")).join(daemon).await;
        Self {
            participant,
            sections,
        }
    }

    fn dialog(&self) -> &Dialog {
        &self.participant.dialog
    }

    /// Offers the session with this change.
    async fn offer(&mut self, change: impl FnOnce(&mut Vec<Media>)) -> msrp_testkit::sip::Calling {
        self.sections = self.sections.next(change);
        let request = self.dialog().request("INVITE");
        let request = request.with_sections(&self.sections);
        self.dialog().start_reinvite(request).await
    }

    /// Waits for the answer to an offer.
    async fn answered(&self, calling: &msrp_testkit::sip::Calling) -> SipMessage {
        let response = calling.expect_final().await;
        assert_eq!(response.status(), 200, "{}", response.text());
        self.dialog().acknowledge(calling.request().cseq().0).await;
        response
    }

    async fn offered(&self) -> ServerTransaction {
        self.dialog().expect_request("INVITE").await
    }

    /// Answers an offer with this section in the second place.
    async fn answer(&mut self, offer: &ServerTransaction, section: Media) {
        self.sections = self.sections.next(|list| {
            list.truncate(1);
            list.push(section);
        });
        self.participant
            .dialog
            .accept_reinvite(offer, &self.sections)
            .await;
    }
}

/// Alice, bob and carol talk in the group.
async fn talk(way: Way) -> (Daemon, Talker, Talker, Talker) {
    let daemon = way.start(config_with_friends()).await;
    let alice = Talker::join(way, &daemon, ALICE).await;
    let bob = Talker::join(way, &daemon, BOB).await;
    let carol = Talker::join(way, &daemon, CAROL).await;
    (daemon, alice, bob, carol)
}

/// They still hear each other.
async fn still_talk(from: &Talker, to: &[&Talker], text: &str) {
    from.participant.say(text).await;
    for listener in to {
        let identity = &from.participant.identity;
        listener.participant.expect_text(identity, text).await;
    }
}

/// Calls the factory with these sections.
async fn call(
    agent: &SipPeer,
    sections: &Sections,
    invitees: &[&str],
) -> msrp_testkit::sip::Calling {
    let invite = Invite::new(FACTORY, ALICE).sections(sections);
    agent.invite(&invite.list(invitees)).await
}

async fn node(way: Way) -> (Daemon, SipPeer, SipPeer) {
    let proxy = way.proxy().await;
    let config = msrp_testkit::Config::new().outbound_proxy(&proxy.proxy_uri());
    let daemon = way.start(config).await;
    let agent = way.agent(&daemon).await;
    (daemon, proxy, agent)
}

async fn ends_clean(daemon: &Daemon) {
    for metric in ["msrp_rooms", "msrp_sip_dialogs", "msrp_connections"] {
        daemon.wait_metric(metric, |count| count == 0.0).await;
    }
}

// covers: CLI-10-01, CLI-10-02, CLI-10-04
#[tokio::test]
async fn two_files_of_one_offer_reach_exactly_those_who_take_them() {
    for way in WAYS {
        let (daemon, proxy, agent) = node(way).await;
        let [large, small] = endpoints().await;
        let offer = Sections::new([
            LARGE.section(&large, "a=sendonly"),
            SMALL.section(&small, "a=sendonly"),
        ]);
        let calling = call(&agent, &offer, &[BOB, CAROL]).await;

        let invitation = proxy.accept_invite(|uri| uri == BOB).await;
        let to_bob = invitation.request().sections();
        assert_eq!(to_bob.list.len(), 2);
        LARGE.is_in(&to_bob.list[0]);
        SMALL.is_in(&to_bob.list[1]);
        let [first, second] = endpoints().await;
        let answer = Sections::new([
            LARGE.section(&first, "a=recvonly"),
            SMALL.section(&second, "a=recvonly"),
        ]);
        let bob = invitation.accept_sections(&answer).await;
        let bobs = [
            connect(first, &to_bob.list[0]).await,
            connect(second, &to_bob.list[1]).await,
        ];

        let invitation = proxy.accept_invite(|uri| uri == CAROL).await;
        let to_carol = invitation.request().sections();
        let endpoint = MsrpEndpoint::bind().await;
        let section = LARGE.section(&endpoint, "a=recvonly");
        let answer = Sections::new([section, refused(&to_carol.list[1])]);
        let carol = invitation.accept_sections(&answer).await;
        let carols = connect(endpoint, &to_carol.list[0]).await;

        let alice = calling.expect_success().await;
        let answer = alice.initial().sections();
        LARGE.is_in(&answer.list[0]);
        SMALL.is_in(&answer.list[1]);
        let large = connect(large, &answer.list[0]).await;
        let small = connect(small, &answer.list[1]).await;
        small.send_ok(&SMALL.draft()).await;
        large.send_ok(&LARGE.draft()).await;
        LARGE.arrives(&bobs[0]).await;
        SMALL.arrives(&bobs[1]).await;
        LARGE.arrives(&carols).await;
        alice.bye().await;
        bob.expect_bye().await;
        carol.expect_bye().await;
        carols.expect_closed().await;
        ends_clean(&daemon).await;
    }
}

#[tokio::test]
async fn file_of_an_offer_that_nobody_takes_gets_port_zero_and_the_others_go() {
    for way in WAYS {
        let (daemon, proxy, agent) = node(way).await;
        let [large, small] = endpoints().await;
        let offer = Sections::new([
            LARGE.section(&large, "a=sendonly"),
            SMALL.section(&small, "a=sendonly"),
        ]);
        let calling = call(&agent, &offer, &[BOB, CAROL]).await;
        let invitation = proxy.accept_invite(|uri| uri == BOB).await;
        let to_bob = invitation.request().sections();
        let endpoint = MsrpEndpoint::bind().await;
        let section = SMALL.section(&endpoint, "a=recvonly");
        let answer = Sections::new([refused(&to_bob.list[0]), section]);
        let bob = invitation.accept_sections(&answer).await;
        let bobs = connect(endpoint, &to_bob.list[1]).await;
        // As long as carol may take it, alice waits.
        let carol = proxy.accept_invite(|uri| uri == CAROL).await;
        carol.reject(486, "Busy Here").await;
        let alice = calling.expect_success().await;
        let answer = alice.initial().sections();
        assert_eq!(answer.list[0].port, 0);
        LARGE.is_in(&answer.list[0]);
        let small = connect(small, &answer.list[1]).await;
        small.send_ok(&SMALL.draft()).await;
        SMALL.arrives(&bobs).await;
        alice.bye().await;
        bob.expect_bye().await;
        ends_clean(&daemon).await;
    }
}

#[tokio::test]
async fn offer_with_more_files_than_may_be_gets_port_zero_for_the_rest() {
    const FILES_MAX: usize = 8;
    let way = WAYS[1];
    let (daemon, proxy, agent) = node(way).await;
    let mut list = Vec::new();
    for _ in 0..=FILES_MAX {
        list.push(SMALL.section(&MsrpEndpoint::bind().await, "a=sendonly"));
    }
    let calling = call(&agent, &Sections::new(list), &[BOB]).await;
    let invitation = proxy.accept_invite(|uri| uri == BOB).await;
    assert_eq!(invitation.request().sections().list.len(), FILES_MAX);
    let mut answer = Vec::new();
    for _ in 0..FILES_MAX {
        answer.push(SMALL.section(&MsrpEndpoint::bind().await, "a=recvonly"));
    }
    let bob = invitation.accept_sections(&Sections::new(answer)).await;
    let alice = calling.expect_success().await;
    let ports = alice.initial().sections().ports();
    assert_eq!(ports.len(), FILES_MAX + 1);
    assert_eq!(ports.iter().filter(|port| **port == 0).count(), 1);
    assert_eq!(ports[FILES_MAX], 0);
    alice.bye().await;
    bob.expect_bye().await;
    ends_clean(&daemon).await;
}

// covers: CLI-10-01, CLI-10-03, CLI-10-04, CTRL-7.2.1.6-06, CTRL-7.2.2.6-01, CTRL-7.2.2.6-02, CTRL-7.2.2.6-04
#[tokio::test]
async fn file_added_to_a_talk_goes_beside_it_and_ends_by_port_zero() {
    for way in WAYS {
        let (daemon, mut alice, mut bob, mut carol) = talk(way).await;
        let before = alice.dialog().initial().sections().version;
        let file = MsrpEndpoint::bind().await;
        let section = LARGE.section(&file, "a=sendonly");
        let calling = alice.offer(|list| list.push(section)).await;

        let (to_bob, to_carol) = (bob.offered().await, carol.offered().await);
        let offer = to_bob.request().sections();
        assert_eq!(offer.list.len(), 2);
        LARGE.is_in(&offer.list[1]);
        still_talk(&alice, &[&bob, &carol], "before anybody takes it").await;
        let refusal = refused(&to_carol.request().sections().list[1]);
        carol.answer(&to_carol, refusal).await;
        let endpoint = MsrpEndpoint::bind().await;
        let taken = LARGE.section(&endpoint, "a=recvonly");
        bob.answer(&to_bob, taken).await;
        let bobs = connect(endpoint, &offer.list[1]).await;

        let answer = alice.answered(&calling).await.sections();
        assert_eq!(answer.version, before + 1);
        assert!(answer.ports().iter().all(|port| *port != 0));
        let msrp = connect(file, &answer.list[1]).await;
        let sent = msrp.send(&LARGE.draft());
        still_talk(&bob, &[&alice, &carol], "while it goes").await;
        LARGE.arrives(&bobs).await;
        msrp.expect_all(&sent, 200).await;

        let calling = alice.offer(|list| list[1].port = 0).await;
        let answer = alice.answered(&calling).await.sections();
        assert_eq!(answer.version, before + 2);
        assert_eq!(answer.list[1].port, 0);
        LARGE.is_in(&answer.list[1]);
        let ending = bob.offered().await;
        let shown = ending.request().sections();
        assert_eq!(shown.version, offer.version + 1);
        assert_eq!((shown.list.len(), shown.list[1].port), (2, 0));
        LARGE.is_in(&shown.list[1]);
        bob.answer(&ending, refused(&shown.list[1])).await;
        bobs.expect_closed().await;
        daemon.wait_metric("msrp_rooms", |count| count == 1.0).await;
        still_talk(&carol, &[&alice, &bob], "and afterwards").await;
    }
}

#[tokio::test]
async fn file_pulled_inside_a_talk_arrives() {
    for way in WAYS {
        let (_daemon, mut alice, mut bob, mut carol) = talk(way).await;
        let file = MsrpEndpoint::bind().await;
        let section = SMALL.section(&file, "a=recvonly");
        let calling = alice.offer(|list| list.push(section)).await;
        let (to_bob, to_carol) = (bob.offered().await, carol.offered().await);
        let offer = to_bob.request().sections().list[1].clone();
        assert!(offer.lines.contains(&"a=recvonly".to_owned()), "{offer:?}");
        let endpoint = MsrpEndpoint::bind().await;
        let taken = SMALL.section(&endpoint, "a=sendonly");
        bob.answer(&to_bob, taken).await;
        let refusal = refused(&to_carol.request().sections().list[1]);
        carol.answer(&to_carol, refusal).await;
        let bobs = connect(endpoint, &offer).await;
        let answer = alice.answered(&calling).await.sections();
        let msrp = connect(file, &answer.list[1]).await;
        bobs.send_ok(&SMALL.draft()).await;
        SMALL.arrives(&msrp).await;
        still_talk(&alice, &[&bob, &carol], "got it").await;
    }
}

// covers: CTRL-7.2.2.6-05
#[tokio::test]
async fn file_added_that_nobody_takes_gets_port_zero_and_the_talk_goes_on() {
    for way in WAYS {
        let (daemon, mut alice, bob, mut carol) = talk(way).await;
        let file = MsrpEndpoint::bind().await;
        let section = SMALL.section(&file, "a=sendonly");
        let calling = alice.offer(|list| list.push(section)).await;
        let (to_bob, to_carol) = (bob.offered().await, carol.offered().await);
        to_bob.respond(488, "Not Acceptable Here").await;
        bob.dialog().expect_request("ACK").await;
        let refusal = refused(&to_carol.request().sections().list[1]);
        carol.answer(&to_carol, refusal).await;
        let answer = alice.answered(&calling).await.sections();
        assert_eq!(answer.list[1].port, 0);
        SMALL.is_in(&answer.list[1]);
        daemon.wait_metric("msrp_rooms", |count| count == 1.0).await;
        still_talk(&bob, &[&alice, &carol], "no, thanks").await;
        // Another file takes the place that was refused; carol, who answered, has one more line.
        let section = LARGE.section(&file, "a=sendonly");
        let calling = alice.offer(|list| list[1] = section).await;
        let (to_bob, to_carol) = (bob.offered().await, carol.offered().await);
        let shown = to_carol.request().sections();
        assert_eq!((shown.list.len(), shown.list[1].port), (3, 0));
        LARGE.is_in(&shown.list[2]);
        assert_eq!(to_bob.request().sections().list.len(), 2);
        for (listener, offer) in [(&bob, to_bob), (&carol, to_carol)] {
            offer.respond(488, "Not Acceptable Here").await;
            listener.dialog().expect_request("ACK").await;
        }
        let answer = alice.answered(&calling).await.sections();
        assert_eq!(answer.list[1].port, 0);
        LARGE.is_in(&answer.list[1]);
    }
}

#[tokio::test]
async fn offers_that_cross_are_told_so_and_the_file_is_offered_again() {
    for way in WAYS {
        let (_daemon, mut alice, mut bob, mut carol) = talk(way).await;
        let file = MsrpEndpoint::bind().await;
        let section = SMALL.section(&file, "a=sendonly");
        let calling = alice.offer(|list| list.push(section)).await;
        let (to_bob, to_carol) = (bob.offered().await, carol.offered().await);
        let own = bob.offer(|_| {}).await;
        own.expect_failure(491).await;
        to_bob.respond(491, "Request Pending").await;
        bob.dialog().expect_request("ACK").await;
        let refusal = refused(&to_carol.request().sections().list[1]);
        carol.answer(&to_carol, refusal).await;
        // A file of another participant has to wait too.
        let other = MsrpEndpoint::bind().await;
        let section = LARGE.section(&other, "a=sendonly");
        let calling_too = carol.offer(|list| list.push(section)).await;
        calling_too.expect_failure(491).await;

        let again = bob.offered().await;
        let offer = again.request().sections();
        SMALL.is_in(&offer.list[1]);
        let endpoint = MsrpEndpoint::bind().await;
        let taken = SMALL.section(&endpoint, "a=recvonly");
        bob.answer(&again, taken).await;
        let bobs = connect(endpoint, &offer.list[1]).await;
        let answer = alice.answered(&calling).await.sections();
        let msrp = connect(file, &answer.list[1]).await;
        msrp.send_ok(&SMALL.draft()).await;
        SMALL.arrives(&bobs).await;
    }
}

#[tokio::test]
async fn file_whose_sender_leaves_in_the_middle_ends_as_broken_and_the_talk_goes_on() {
    for way in WAYS {
        let (daemon, mut alice, mut bob, mut carol) = talk(way).await;
        let file = MsrpEndpoint::bind().await;
        let section = LARGE.section(&file, "a=sendonly");
        let calling = alice.offer(|list| list.push(section)).await;
        let (to_bob, to_carol) = (bob.offered().await, carol.offered().await);
        let offer = to_bob.request().sections();
        let endpoint = MsrpEndpoint::bind().await;
        let taken = LARGE.section(&endpoint, "a=recvonly");
        bob.answer(&to_bob, taken).await;
        let bobs = connect(endpoint, &offer.list[1]).await;
        let refusal = refused(&to_carol.request().sections().list[1]);
        carol.answer(&to_carol, refusal).await;
        let answer = alice.answered(&calling).await.sections();
        let msrp = connect(file, &answer.list[1]).await;
        let half = LARGE.draft().stop_after(150_000, Flag::More);
        let sent = msrp.send(&half);
        msrp.expect_all(&sent, 200).await;
        alice.participant.leave().await;
        let message = bobs.expect_message().await;
        assert_eq!(message.ended, Flag::Abort);
        assert!(LARGE.content().starts_with(&message.body), "other octets");
        let ending = bob.offered().await;
        let shown = ending.request().sections();
        assert_eq!(shown.list[1].port, 0);
        bob.answer(&ending, refused(&shown.list[1])).await;
        bobs.expect_closed().await;
        daemon.wait_metric("msrp_rooms", |count| count == 1.0).await;
        still_talk(&carol, &[&bob], "she has gone").await;
    }
}

#[tokio::test]
async fn files_whose_sender_leaves_between_them_end_each_as_far_as_it_came() {
    for way in WAYS {
        let (daemon, proxy, agent) = node(way).await;
        let [large, small] = endpoints().await;
        let offer = Sections::new([
            LARGE.section(&large, "a=sendonly"),
            SMALL.section(&small, "a=sendonly"),
        ]);
        let calling = call(&agent, &offer, &[BOB]).await;
        let invitation = proxy.accept_invite(|uri| uri == BOB).await;
        let to_bob = invitation.request().sections();
        let [first, second] = endpoints().await;
        let answer = Sections::new([
            LARGE.section(&first, "a=recvonly"),
            SMALL.section(&second, "a=recvonly"),
        ]);
        let bob = invitation.accept_sections(&answer).await;
        let first = connect(first, &to_bob.list[0]).await;
        let alice = calling.expect_success().await;
        let answer = alice.initial().sections();
        let large = connect(large, &answer.list[0]).await;
        let small = connect(small, &answer.list[1]).await;
        small.send_ok(&SMALL.draft()).await;
        let sent = large.send(&LARGE.draft().stop_after(60_000, Flag::More));
        large.expect_all(&sent, 200).await;
        alice.bye().await;
        // What was whole is kept for him until he comes for it.
        let second = connect(second, &to_bob.list[1]).await;
        SMALL.arrives(&second).await;
        assert_eq!(first.expect_message().await.ended, Flag::Abort);
        bob.expect_bye().await;
        ends_clean(&daemon).await;
    }
}
