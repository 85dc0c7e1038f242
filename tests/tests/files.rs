//! Files by INVITE to a list or a group, pushed and pulled.

use msrp_testkit::{
    Config, Daemon, Draft, Flag, Invitation, Join, MsrpEndpoint, Participant, SipPeer,
};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FACTORY, FRIENDS, WAYS, Way, config_with_friends};

const SELECTOR: &str = "a=file-selector:name:\"sunset.png\" type:image/png size:300000 \
                        hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E";

/// The lines of a file that its receivers are shown.
const LINES: [&str; 6] = [
    SELECTOR,
    "a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd",
    "a=file-disposition:attachment",
    "a=file-date:creation:\"Mon, 15 May 2006 15:01:31 +0300\"",
    "a=file-range:1-*",
    "a=file-icon:cid:id2@alicepc.example.com",
];

async fn node_with(way: Way, config: Config) -> (Daemon, SipPeer) {
    let proxy = way.proxy().await;
    let daemon = way.start(config.outbound_proxy(&proxy.proxy_uri())).await;
    (daemon, proxy)
}

/// An INVITE about a file, with the types that its messages have outermost.
fn file(way: Way, to: &str, types: &'static str, direction: &'static str) -> Join {
    way.dial(to, ALICE).offer(move |media| {
        let media = media.accept_types(types).accept_wrapped_types("");
        let media = LINES.iter().fold(media, |media, line| media.line(line));
        media.line(direction).setup("active").max_size(5_000_000)
    })
}

async fn invitation_for(proxy: &SipPeer, identity: &str) -> Invitation {
    proxy.accept_invite(|uri| uri == identity).await
}

async fn accept(invitation: &Invitation, types: &str, direction: &str) -> Participant {
    let endpoint = MsrpEndpoint::bind().await;
    let answer = endpoint
        .media()
        .accept_types(types)
        .accept_wrapped_types("");
    // The answer repeats what the offer selects.
    let answer = answer.line(SELECTOR).line(direction).setup("active");
    Participant::accept_with(invitation, endpoint, &answer).await
}

fn picture() -> Vec<u8> {
    (0..300_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect()
}

async fn ends_clean(daemon: &Daemon) {
    for metric in ["msrp_rooms", "msrp_sip_dialogs", "msrp_connections"] {
        daemon.wait_metric(metric, |count| count == 0.0).await;
    }
}

// covers: CLI-10-01, CLI-10-04
#[tokio::test]
async fn file_pushed_to_a_list_is_offered_with_all_its_lines_and_arrives_whole() {
    for way in WAYS {
        for is_wrapped in [true, false] {
            let (daemon, proxy) = node_with(way, Config::new()).await;
            let types = if is_wrapped {
                "message/cpim image/png"
            } else {
                "image/png"
            };
            let join = file(way, FACTORY, types, "a=sendonly");
            let joining = join
                .invite(|invite| invite.list(&[BOB, CAROL, DAVE]))
                .start(&daemon)
                .await;
            let mut recipients = Vec::new();
            for identity in [BOB, CAROL] {
                let invitation = invitation_for(&proxy, identity).await;
                let offer = invitation.media();
                for line in LINES.iter().chain(&["a=sendonly"]) {
                    let shown = &offer.lines;
                    assert!(shown.contains(&(*line).to_owned()), "{line} of {shown:?}");
                }
                assert_eq!(offer.max_size, Some(5_000_000));
                let service = invitation.request().header("Accept-Contact");
                assert_eq!(service, Some("*;+g.oma.sip-im"));
                recipients.push(accept(&invitation, types, "a=recvonly").await);
            }
            let dave = invitation_for(&proxy, DAVE).await;
            dave.reject(488, "Not Acceptable Here").await;
            let alice = joining.complete().await;
            let answer = alice.dialog.remote_media();
            assert!(
                answer.lines.contains(&"a=recvonly".to_owned()),
                "{:?}",
                answer.lines
            );
            assert!(
                answer.lines.contains(&SELECTOR.to_owned()),
                "{:?}",
                answer.lines
            );
            let picture = picture();
            let draft = if is_wrapped {
                Draft::wrapped(ALICE, &alice.room, "image/png", &picture)
            } else {
                Draft::new("image/png", picture.clone())
            };
            let sent = alice.msrp.send(&draft.chunk_octets(50_000));
            for recipient in &recipients {
                let message = recipient.msrp.expect_message().await;
                assert_eq!(message.ended, Flag::Last);
                let got = if is_wrapped {
                    message.cpim().body
                } else {
                    message.body
                };
                assert!(got == picture, "another picture");
            }
            alice.msrp.expect_all(&sent, 200).await;
            alice.leave().await;
            for recipient in &recipients {
                recipient.expect_removed().await;
            }
            ends_clean(&daemon).await;
        }
    }
}

// covers: CLI-10-01
#[tokio::test]
async fn file_pushed_to_a_group_reaches_its_members() {
    for way in WAYS {
        let (daemon, proxy) = node_with(way, config_with_friends()).await;
        let joining = file(way, FRIENDS, "image/png", "a=sendonly")
            .start(&daemon)
            .await;
        let bob = invitation_for(&proxy, BOB).await;
        let bob = accept(&bob, "image/png", "a=recvonly").await;
        for identity in [CAROL, DAVE] {
            invitation_for(&proxy, identity)
                .await
                .reject(603, "Decline")
                .await;
        }
        let alice = joining.complete().await;
        alice
            .msrp
            .send_ok(&Draft::new("image/png", picture()))
            .await;
        assert!(bob.msrp.expect_message().await.body == picture());
        alice.leave().await;
        bob.expect_removed().await;
        ends_clean(&daemon).await;
    }
}

// covers: CLI-10-01
#[tokio::test]
async fn file_pulled_from_a_participant_arrives_whole_before_the_session_ends() {
    for way in WAYS {
        let (daemon, proxy) = node_with(way, Config::new()).await;
        let join = file(way, FACTORY, "image/png", "a=recvonly");
        let joining = join
            .invite(|invite| invite.list(&[BOB]))
            .start(&daemon)
            .await;
        let invitation = invitation_for(&proxy, BOB).await;
        let offer = invitation.media();
        assert!(
            offer.lines.contains(&SELECTOR.to_owned()),
            "{:?}",
            offer.lines
        );
        assert!(
            offer.lines.contains(&"a=recvonly".to_owned()),
            "{:?}",
            offer.lines
        );
        let bob = accept(&invitation, "image/png", "a=sendonly").await;
        // The file comes before its receiver has connected.
        let sent = bob
            .msrp
            .send(&Draft::new("image/png", picture()).chunk_octets(50_000));
        bob.msrp.expect_all(&sent, 200).await;
        let (dialog, endpoint, ..) = joining.answered().await;
        bob.leave().await;
        let alice = endpoint.connect(&dialog.remote_media()).await;
        alice.bind().await;
        assert!(alice.expect_message().await.body == picture());
        dialog.expect_bye().await;
        ends_clean(&daemon).await;
    }
}

// covers: CLI-10-04
#[tokio::test]
async fn file_that_nobody_wants_is_refused() {
    for way in WAYS {
        let (daemon, proxy) = node_with(way, Config::new()).await;
        let join = file(way, FACTORY, "image/png", "a=sendonly");
        let joining = join
            .invite(|invite| invite.list(&[BOB]))
            .start(&daemon)
            .await;
        let invitation = invitation_for(&proxy, BOB).await;
        invitation.reject(488, "Not Acceptable Here").await;
        joining.calling.expect_failure(488).await;
        ends_clean(&daemon).await;
    }
}
