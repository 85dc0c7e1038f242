//! The SIP side of a node over real sockets, with a stand-in for the media engine.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_channel::mpsc;
use msrp_control::metrics::Sample;
use msrp_control::{
    Announcement, AnnouncementContent, Announcer, Client, Command, EndReason, Engine, ErrorCode,
    Event, EventStream, Media, ParticipantId, Reply, ReplySender, RoomId,
};
use msrp_sip::address::Uri;
use msrp_sip::focus::{SOFTWARE, SystemContent, SystemMessage};
use msrp_sip::groups::{Group, StaticGroups};
use msrp_sip::service::{self, SipConfig, SipService, StartError};
use msrp_sip::ua::{
    Answer, Body, DialogEnd, DialogId, Headers, Method, OutRequest, SipUa, Transport, UaEvent,
};
use msrp_sip::ua_rsipstack::{self, Ua, UaConfig, UaLimits};

/// Keeps the sets of rooms and participants.
#[derive(Default)]
struct Rooms {
    seats: Mutex<HashSet<(RoomId, Option<ParticipantId>)>>,
    events: Mutex<Vec<mpsc::Sender<Event>>>,
}

impl Rooms {
    fn seats_count(&self) -> usize {
        self.seats.lock().unwrap().len()
    }

    fn tell(&self, event: &Event) {
        for events in self.events.lock().unwrap().iter_mut() {
            events.try_send(event.clone()).unwrap();
        }
    }
}

impl Engine for Rooms {
    fn submit(&self, command: Command, reply: ReplySender) {
        let mut seats = self.seats.lock().unwrap();
        let answer = match command {
            Command::CreateRoom { room, .. } => {
                seats.insert((room, None));
                Reply::Done
            }
            Command::CloseRoom { room } => {
                seats.retain(|(r, _)| *r != room);
                Reply::Done
            }
            Command::AddParticipant {
                room,
                participant,
                media,
                ..
            } => {
                let setup = if media == Media::MakeOffer {
                    "actpass"
                } else {
                    "passive"
                };
                let sdp = sdp(&format!("room-{participant}"), setup);
                seats.insert((room, Some(participant)));
                Reply::Sdp(sdp)
            }
            Command::SetAnswer { .. }
            | Command::UpdateParticipant { .. }
            | Command::SendMessage { .. } => Reply::Done,
            Command::Reoffer { participant, .. } => {
                Reply::Sdp(sdp(&format!("room-{participant}"), "passive"))
            }
            Command::RemoveParticipant { room, participant } => {
                seats.remove(&(room, Some(participant)));
                Reply::Done
            }
            _ => Reply::Done,
        };
        reply.send(Ok(answer)).ok();
    }

    fn subscribe(&self) -> EventStream {
        let (sender, stream) = mpsc::channel(16);
        self.events.lock().unwrap().push(sender);
        stream
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }

    fn is_alive(&self) -> bool {
        true
    }
}

fn sdp(session: &str, setup: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 7654 TCP/MSRP *\r\n\
         a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=path:msrp://127.0.0.1:7654/{session};tcp\r\n\
         a=setup:{setup}\r\n"
    )
}

/// A node, and a client whose requests all go to it.
struct Net {
    rooms: Arc<Rooms>,
    service: SipService,
    client: Ua,
}

const GROUP: &str = "sip:demo@localhost";

/// A client whose requests go to this proxy, or to the host in their URI.
async fn client(outbound_proxy: Option<String>) -> Ua {
    let config = UaConfig {
        bind: vec![(Transport::Tcp, "127.0.0.1:0".parse().unwrap())],
        outbound_proxy,
        user_agent: "IM-client/OMA1.0 test".into(),
        domain: "localhost".into(),
        name_servers: Vec::new(),
        tls: Default::default(),
        trusted_peers: Vec::new(),
        limits: UaLimits::default(),
    };
    ua_rsipstack::start(config).await.unwrap()
}

impl Net {
    async fn start() -> Self {
        Self::start_behind(None).await
    }

    /// A node whose requests go to this proxy.
    async fn start_behind(outbound_proxy: Option<String>) -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let rooms = Arc::new(Rooms::default());
        let config = SipConfig {
            bind: vec![(Transport::Udp, any), (Transport::Tcp, any)],
            outbound_proxy,
            trusted_peers: vec!["127.0.0.0/8".parse().unwrap()],
            ..SipConfig::new("localhost")
        };
        let groups = StaticGroups::new([Group::open_to_all(Uri::parse(GROUP).unwrap())]);
        let service = service::start(config, Box::new(groups), Client::new(rooms.clone()))
            .await
            .unwrap();
        let (_, address) = service.addresses[1];
        let client = client(Some(format!("sip:{address};transport=tcp;lr"))).await;
        Self {
            rooms,
            service,
            client,
        }
    }

    async fn event(&mut self) -> UaEvent {
        let event = tokio::time::timeout(Duration::from_secs(20), self.client.events.recv());
        event
            .await
            .expect("an event comes in time")
            .expect("the engine runs")
    }

    fn invite(&mut self, uri: &str, body: Body) -> DialogId {
        let alice = "<sip:alice@example.com>";
        self.client.handle.invite(OutRequest {
            method: Method::Invite,
            uri: uri.into(),
            from: alice.into(),
            to: format!("<{uri}>"),
            contact: None,
            headers: Headers::new()
                .with("P-Asserted-Identity", alice)
                .with("Supported", "timer"),
            body: Some(body),
        })
    }

    /// Waits for the 2xx of a call.
    async fn accepted(&mut self, call: DialogId) -> msrp_sip::ua::Response {
        loop {
            match self.event().await {
                UaEvent::InviteResponse { dialog, response }
                    if dialog == call && response.status >= 200 =>
                {
                    assert_eq!(response.status, 200, "{response:?}");
                    return response;
                }
                UaEvent::InviteResponse { .. }
                | UaEvent::Established { .. }
                | UaEvent::Acknowledged { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn ended(&mut self, wanted: DialogId) {
        loop {
            match self.event().await {
                UaEvent::Ended {
                    dialog,
                    why: DialogEnd::Bye,
                } if dialog == wanted => return,
                UaEvent::Established { .. }
                | UaEvent::Acknowledged { .. }
                | UaEvent::Response { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn sdp_body(session: &str, setup: &str) -> Body {
    Body {
        content_type: "application/sdp".into(),
        octets: sdp(session, setup).into_bytes(),
    }
}

fn list_body(uri: &str) -> Body {
    let sdp = sdp("alice", "active");
    let text = format!(
        "--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1\r\nContent-Type: application/resource-lists+xml\r\n\
         Content-Disposition: recipient-list\r\n\r\n<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">\
         <list><entry uri=\"{uri}\"/></list></resource-lists>\r\n--b1--\r\n"
    );
    Body {
        content_type: "multipart/mixed;boundary=b1".into(),
        octets: text.into_bytes(),
    }
}

/// Alice calls the factory, bob accepts. The dialogs of both.
async fn session(net: &mut Net) -> (DialogId, DialogId) {
    let (_, client) = net.client.addresses[0];
    let call = net.invite(
        "sip:conference-factory@localhost",
        list_body(&format!("sip:bob@{client};transport=tcp")),
    );
    let bob = loop {
        match net.event().await {
            UaEvent::Invite {
                transaction,
                dialog,
                request,
                ..
            } => {
                let software = request.headers.first("User-Agent").unwrap();
                assert!(software.starts_with("IM-serv/OMA1.0"));
                assert_eq!(
                    request.headers.first("Accept-Contact"),
                    Some("*;+g.oma.sip-im")
                );
                let acceptance = Answer {
                    status: 200,
                    reason: None,
                    headers: Headers::new().with("Session-Expires", "1800;refresher=uas"),
                    body: Some(sdp_body("bob", "active")),
                };
                net.client.handle.answer(transaction, acceptance);
                break dialog;
            }
            UaEvent::InviteResponse { response, .. } => {
                assert!(response.status < 200, "{response:?}");
            }
            other => panic!("{other:?}"),
        }
    };
    let response = net.accepted(call).await;
    assert!(
        response
            .headers
            .first("Contact")
            .unwrap()
            .contains(";isfocus;+g.oma.sip-im")
    );
    assert!(
        response
            .headers
            .first("Server")
            .unwrap()
            .starts_with("IM-serv/OMA1.0")
    );
    assert_eq!(net.rooms.seats_count(), 3);
    let samples = net.service.samples();
    assert!(
        samples
            .iter()
            .any(|s| s.name == "msrp_sip_conferences" && s.value == 1)
    );
    (call, bob)
}

/// One side hangs up; the node answers and ends the dialog of the other.
async fn hang_up(net: &mut Net, leaver: DialogId, other: DialogId) {
    let bye = net.client.handle.bye(leaver, Headers::new());
    let (mut is_answered, mut has_ended) = (false, false);
    while !(is_answered && has_ended) {
        match net.event().await {
            UaEvent::Response {
                transaction,
                response,
            } if transaction == bye => {
                assert_eq!(response.status, 200);
                is_answered = true;
            }
            UaEvent::Ended { dialog, why } => {
                assert_eq!((dialog, why), (other, DialogEnd::Bye));
                has_ended = true;
            }
            UaEvent::Established { .. } | UaEvent::Acknowledged { .. } => {}
            event => panic!("{event:?}"),
        }
    }
}

// covers: CTRL-7.2.1.10-01, CTRL-7.2.2.1-04, CTRL-7.2.2.2-11
#[tokio::test]
async fn service_ad_hoc_session_runs_over_sockets() {
    let mut net = Net::start().await;
    let (call, bob) = session(&mut net).await;
    hang_up(&mut net, call, bob).await;
    net.service.shutdown(Duration::from_secs(20)).await;
    assert_eq!(net.rooms.seats_count(), 0);
    net.client.handle.shutdown().await;
}

#[tokio::test]
async fn service_is_reached_by_an_invitee_at_its_contact() {
    let mut net = Net::start().await;
    let (call, bob) = session(&mut net).await;
    hang_up(&mut net, bob, call).await;
    net.service.shutdown(Duration::from_secs(20)).await;
    assert_eq!(net.rooms.seats_count(), 0);
    net.client.handle.shutdown().await;
}

#[tokio::test]
async fn service_shutdown_ends_the_dialogs() {
    let mut net = Net::start().await;
    let call = net.invite(GROUP, sdp_body("alice", "active"));
    net.accepted(call).await;
    let (service, rooms) = (net.service, net.rooms);
    let shutdown = tokio::spawn(service.shutdown(Duration::from_secs(20)));
    let event = loop {
        let event = tokio::time::timeout(Duration::from_secs(20), net.client.events.recv())
            .await
            .unwrap()
            .unwrap();
        if let UaEvent::Ended { dialog, why } = event {
            break (dialog, why);
        }
    };
    assert_eq!(event, (call, DialogEnd::Bye));
    shutdown.await.unwrap();
    assert_eq!(rooms.seats_count(), 0);
    net.client.handle.shutdown().await;
}

#[tokio::test]
async fn service_lost_participant_is_told_by_bye() {
    let mut net = Net::start().await;
    let call = net.invite(GROUP, sdp_body("alice", "active"));
    net.accepted(call).await;
    let seat = net
        .rooms
        .seats
        .lock()
        .unwrap()
        .iter()
        .find(|(_, p)| p.is_some())
        .cloned()
        .unwrap();
    let (room, participant) = (seat.0, seat.1.unwrap());
    net.rooms.tell(&Event::ParticipantLost {
        room,
        participant,
        reason: EndReason::Stalled,
    });
    net.ended(call).await;
    net.service.shutdown(Duration::from_secs(20)).await;
    net.client.handle.shutdown().await;
}

#[tokio::test]
async fn service_impossible_configuration_does_not_start() {
    let client = || Client::new(Arc::new(Rooms::default()));
    let start =
        |config: SipConfig| service::start(config, Box::new(StaticGroups::default()), client());
    let any = vec![(Transport::Udp, "127.0.0.1:0".parse().unwrap())];
    let base = SipConfig {
        bind: any,
        ..SipConfig::new("localhost")
    };
    let factory = SipConfig {
        conference_factory: vec!["factory".into()],
        ..base.clone()
    };
    assert!(matches!(
        start(factory).await,
        Err(StartError::Factory { .. })
    ));
    let interval = SipConfig {
        session_expires_s: 60,
        ..base.clone()
    };
    assert!(matches!(
        start(interval).await,
        Err(StartError::Interval("session_expires_s"))
    ));
    let nowhere = SipConfig {
        bind: Vec::new(),
        ..base
    };
    assert!(matches!(start(nowhere).await, Err(StartError::Ua(_))));
}

// covers: CTRL-7.2.2.2-07
#[tokio::test]
async fn service_invitations_go_through_the_outbound_proxy() {
    let mut proxy = client(None).await;
    let (_, address) = proxy.addresses[0];
    let mut net = Net::start_behind(Some(format!("sip:{address};transport=tcp;lr"))).await;
    let call = net.invite(
        "sip:conference-factory@localhost",
        list_body("sip:bob@elsewhere.invalid"),
    );
    let event = tokio::time::timeout(Duration::from_secs(20), proxy.events.recv());
    let Some(UaEvent::Invite {
        transaction,
        request,
        ..
    }) = event.await.unwrap()
    else {
        panic!("no invitation came");
    };
    assert_eq!(request.uri, "sip:bob@elsewhere.invalid");
    let refusal = Answer {
        status: 486,
        reason: None,
        headers: Headers::new(),
        body: None,
    };
    proxy.handle.answer(transaction, refusal);
    loop {
        match net.event().await {
            UaEvent::InviteResponse { dialog, response } if response.status >= 200 => {
                assert_eq!((dialog, response.status), (call, 486));
                break;
            }
            UaEvent::InviteResponse { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    net.service.shutdown(Duration::from_secs(20)).await;
    net.client.handle.shutdown().await;
    proxy.handle.shutdown().await;
}

// covers: SYS-5.4-01, SYS-5.4-04, SYS-5.4-08
#[tokio::test]
async fn system_message_goes_through_the_proxy_to_each_user() {
    let mut proxy = client(None).await;
    let (_, address) = proxy.addresses[0];
    let net = Net::start_behind(Some(format!("sip:{address};transport=tcp;lr"))).await;
    let users = ["sip:bob@elsewhere.invalid", "tel:+15550100"];
    let message = SystemMessage {
        recipients: users.map(|u| Uri::parse(u).unwrap()).to_vec(),
        content: SystemContent::Inline(Body {
            content_type: "text/plain".into(),
            octets: b"Maintenance at noon".to_vec(),
        }),
        wants_answer: false,
    };
    assert_eq!(net.service.send_system_message(message).await, Ok(2));
    let mut reached = Vec::new();
    while reached.len() < 2 {
        let event = tokio::time::timeout(Duration::from_secs(20), proxy.events.recv());
        let Some(UaEvent::Request {
            transaction,
            dialog: None,
            request,
            ..
        }) = event.await.unwrap()
        else {
            panic!("no message came");
        };
        assert_eq!(request.method, Method::Message);
        assert!(
            request
                .headers
                .first("Route")
                .unwrap()
                .contains(&address.to_string())
        );
        for name in ["Server", "User-Agent"] {
            assert_eq!(request.headers.first(name), Some(SOFTWARE));
        }
        reached.push(request.uri);
        let ok = Answer {
            status: 200,
            reason: None,
            headers: Headers::new(),
            body: None,
        };
        proxy.handle.answer(transaction, ok);
    }
    assert_eq!(reached, users);
    net.service.shutdown(Duration::from_secs(5)).await;
}

fn announcement(recipients: &[&str], content: AnnouncementContent) -> Announcement {
    Announcement {
        recipients: recipients.iter().map(|u| (*u).to_owned()).collect(),
        content,
        wants_answer: false,
    }
}

fn text(content_type: &str, body: &str) -> AnnouncementContent {
    AnnouncementContent::Inline {
        content_type: content_type.to_owned(),
        body: body.into(),
    }
}

/// What the door answers.
async fn announce(door: &dyn Announcer, what: Announcement) -> Result<usize, ErrorCode> {
    let (reply, answer) = futures_channel::oneshot::channel();
    door.announce(what, reply);
    answer.await.unwrap().map_err(|error| error.code)
}

// covers: SYS-5.4-01
#[tokio::test]
async fn system_message_of_another_door_reaches_its_users_or_is_refused_with_the_reason() {
    let mut proxy = client(None).await;
    let (_, address) = proxy.addresses[0];
    let net = Net::start_behind(Some(format!("sip:{address};transport=tcp;lr"))).await;
    let door = net.service.announcer();
    let bob = "sip:bob@elsewhere.invalid";
    let cases = [
        (
            announcement(&[], text("text/plain", "x")),
            ErrorCode::MalformedAddress,
        ),
        (
            announcement(&["bob smith"], text("text/plain", "x")),
            ErrorCode::MalformedAddress,
        ),
        (
            announcement(&[bob], text("plain", "x")),
            ErrorCode::MalformedContent,
        ),
        (
            announcement(&[bob], text("text/plain\r\nTo: x", "x")),
            ErrorCode::MalformedContent,
        ),
        (
            announcement(&[bob], text("text/plain", &"x".repeat(2000))),
            ErrorCode::MalformedContent,
        ),
        (
            announcement(&[bob], AnnouncementContent::Document("ftp://x".into())),
            ErrorCode::MalformedContent,
        ),
    ];
    for (what, code) in cases {
        assert_eq!(announce(&*door, what.clone()).await, Err(code), "{what:?}");
    }
    assert!(door.note_answer("nobody at all").is_err());
    assert!(door.note_answer(bob).is_ok());
    let what = announcement(
        &[bob],
        text("text/plain;charset=utf-8", "Maintenance at noon"),
    );
    assert_eq!(announce(&*door, what.clone()).await, Ok(1));
    let event = tokio::time::timeout(Duration::from_secs(20), proxy.events.recv());
    let Some(UaEvent::Request { request, .. }) = event.await.unwrap() else {
        panic!("no message came");
    };
    assert_eq!(
        (request.method, request.uri.as_str()),
        (Method::Message, bob)
    );
    assert_eq!(request.body.unwrap().octets, b"Maintenance at noon");
    net.service.shutdown(Duration::from_secs(5)).await;
    assert_eq!(announce(&*door, what).await, Err(ErrorCode::Draining));
}
