//! What clients send, each in its own way, and that all of them are served.

use msrp_testkit::{Config, Daemon, Invite, MsrpEndpoint, Participant, SipPeer};
use msrpd_tests::{ALICE, BOB, Document, FACTORY, FRIENDS, WAYS, Way, friends, seated};

/// A daemon whose requests go to the agent.
async fn node(way: Way) -> (Daemon, SipPeer) {
    let proxy = way.proxy().await;
    let config = Config::new().outbound_proxy(&proxy.proxy_uri());
    (way.start(config).await, proxy)
}

// covers: CLI-7.1.1.3-03, CLI-7.1.2-01, CLI-7.1.2-02
#[tokio::test]
async fn client_that_offers_the_wrapper_and_others_is_served_and_so_is_who_accepts() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        for (offered, answered) in [
            ("message/cpim", "message/cpim"),
            ("message/CPIM text/plain", "message/cpim text/plain"),
            ("message/cpim *", "message/CPIM"),
        ] {
            let dial = way.dial(FACTORY, ALICE).invite(|i| i.list(&[BOB]));
            let joining = dial.offer(move |media| media.accept_types(offered));
            let joining = joining.start(&daemon).await;
            let invitation = proxy.accept_invite(|uri| uri == BOB).await;
            // Neither a large message nor a file: by that the client tells a session.
            let contact = invitation.request().header("Accept-Contact").unwrap();
            assert!(contact.contains("+g.oma.sip-im") && !contact.contains("large-message"));
            assert!(!invitation.request().text().contains("a=file-"));
            let endpoint = MsrpEndpoint::bind().await;
            let answer = endpoint.media().setup("active").accept_types(answered);
            let bob = Participant::accept_with(&invitation, endpoint, &answer).await;
            seated(&daemon, &bob).await;
            let alice = joining.complete().await;
            let types = alice.dialog.remote_media().accept_types;
            assert_eq!(types[0].to_ascii_lowercase(), "message/cpim");
            alice.say("hello").await;
            bob.expect_text(ALICE, "hello").await;
            bob.say("hi").await;
            alice.expect_text(BOB, "hi").await;
            alice.leave().await;
            bob.expect_removed().await;
        }
    }
}

// covers: CLI-7.1.2-03
#[tokio::test]
async fn client_that_declines_is_believed_whichever_way_it_says_so() {
    for way in WAYS {
        let (daemon, proxy) = node(way).await;
        for (status, reason) in [(480, "Temporarily Unavailable"), (408, "Request Timeout")] {
            let agent = way.agent(&daemon).await;
            let media = MsrpEndpoint::bind().await.media();
            let invite = Invite::new(FACTORY, ALICE).media(&media).list(&[BOB]);
            let calling = agent.invite(&invite).await;
            let invitation = proxy.accept_invite(|uri| uri == BOB).await;
            invitation.reject(status, reason).await;
            calling.expect_failure(status).await;
        }
        daemon
            .wait_metric("msrp_sip_conferences", |count| count == 0.0)
            .await;
    }
}

// covers: CLI-7.1.2.3-01
#[tokio::test]
async fn client_that_is_removed_comes_back_by_the_session_identity_it_kept() {
    let rights = "<allow-initiate-conference>true</allow-initiate-conference>\
                  <join-handling>true</join-handling><oxe:allow-expelling>true</oxe:allow-expelling>";
    let document = friends().member_rule(rights);
    for way in WAYS {
        let config = Config::new().group("friends", &document.xml());
        let daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let kept = bob.dialog.remote_target();
        let removal = alice.dialog.request("REFER").with("Refer-Sub", "false");
        let removal = removal.with("Refer-To", format!("<{BOB};method=BYE>"));
        assert_eq!(alice.dialog.exchange(removal).await.status(), 202);
        bob.expect_removed().await;
        let again = way.join(&daemon, &kept, BOB).await;
        assert_eq!(again.dialog.remote_target(), kept);
        again.say("back").await;
        alice.expect_text(BOB, "back").await;
    }
}

// covers: CLI-7.1.1.10-01
#[tokio::test]
async fn client_that_is_nobodys_member_joins_a_public_room() {
    let document = Document::new(FRIENDS).element(
        "<cp:ruleset><cp:rule id=\"all\"><cp:conditions><cp:identity><cp:many/></cp:identity></cp:conditions>\
         <cp:actions><allow-initiate-conference>true</allow-initiate-conference>\
         <join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset>",
    );
    for way in WAYS {
        let config = Config::new().group("friends", &document.xml());
        let daemon = way.start(config).await;
        let people = ["sip:x@elsewhere.example", "tel:+15551234"];
        let x = way.join(&daemon, FRIENDS, people[0]).await;
        let y = way.join(&daemon, FRIENDS, people[1]).await;
        let request = way.dial(FRIENDS, people[0]).start(&daemon).await;
        let invite = request.calling.request();
        assert_eq!(invite.header("Content-Type"), Some("application/sdp"));
        assert_eq!(invite.media().accept_types[0], "message/cpim");
        x.say("open to all").await;
        y.expect_text(people[0], "open to all").await;
    }
}
