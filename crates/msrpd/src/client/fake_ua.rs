//! A SIP engine for tests: notes what it is asked to do, and tells what the test says.

use std::sync::{Arc, Mutex};

use msrp_sip::ua::{
    Answer, Body, DialogId, Headers, Method, Origin, OutRequest, Peer, Request, Response, SipUa,
    Transport, TxnId, UaEvent,
};
use tokio::sync::mpsc;

use super::sip_leg::{Invitation, UaEvents};

/// What the engine was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Invite(OutRequest),
    Answer(TxnId, Answer),
    Request(Method, Headers, Option<Body>),
    Bye,
}

/// The engine.
pub(super) struct FakeUa {
    calls: Arc<Mutex<Vec<Call>>>,
    next: u64,
    events: mpsc::Sender<UaEvent>,
}

/// The test's end.
pub(super) struct Script {
    calls: Arc<Mutex<Vec<Call>>>,
    pub(super) events: mpsc::Sender<UaEvent>,
}

pub(super) const DIALOG: DialogId = DialogId(1);

pub(super) fn fake_ua() -> (FakeUa, UaEvents, Script) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (events, receiver) = mpsc::channel(16);
    let ua = FakeUa {
        calls: calls.clone(),
        next: 100,
        events: events.clone(),
    };
    (ua, receiver, Script { calls, events })
}

pub(super) fn invitation() -> Invitation {
    Invitation {
        room: "sip:demo@localhost".to_owned(),
        identity: "sip:alice@localhost".to_owned(),
        display: Some("Alice".to_owned()),
        contact: "<sip:alice@127.0.0.1:4000;transport=udp>;+g.oma.sip-im".to_owned(),
    }
}

pub(super) fn response(status: u16, headers: Headers, body: Option<&str>) -> Response {
    Response {
        status,
        reason: "Reason".to_owned(),
        headers,
        body: body.map(|text| Body {
            content_type: "application/sdp".to_owned(),
            octets: text.as_bytes().to_vec(),
        }),
        origin: Origin::Peer,
    }
}

impl Script {
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(super) async fn tell(&self, event: UaEvent) {
        self.events.send(event).await.unwrap();
    }

    /// A response to the INVITE.
    pub(super) async fn respond(&self, response: Response) {
        self.tell(UaEvent::InviteResponse {
            dialog: DIALOG,
            response,
        })
        .await;
    }

    /// A request of the other side.
    pub(super) async fn request(
        &self,
        dialog: Option<DialogId>,
        method: Method,
        body: Option<&str>,
    ) {
        let request = Request {
            method,
            uri: "sip:alice@127.0.0.1:4000".to_owned(),
            headers: Headers::new().with("Session-Expires", "90"),
            body: response(200, Headers::new(), body).body,
        };
        let peer = Peer {
            address: "127.0.0.1:5060".parse().unwrap(),
            transport: Transport::Udp,
        };
        self.tell(UaEvent::Request {
            transaction: TxnId(7),
            dialog,
            request,
            peer,
        })
        .await;
    }
}

impl FakeUa {
    fn note(&mut self, call: Call) -> TxnId {
        self.calls.lock().unwrap().push(call);
        self.next += 1;
        TxnId(self.next)
    }
}

impl SipUa for FakeUa {
    fn answer(&mut self, transaction: TxnId, answer: Answer) {
        self.note(Call::Answer(transaction, answer));
    }

    fn invite(&mut self, request: OutRequest) -> DialogId {
        self.note(Call::Invite(request));
        DIALOG
    }

    fn cancel(&mut self, _: DialogId) {}

    fn request(
        &mut self,
        _: DialogId,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> TxnId {
        self.note(Call::Request(method, headers, body))
    }

    fn send(&mut self, request: OutRequest) -> TxnId {
        self.note(Call::Invite(request))
    }

    fn bye(&mut self, _: DialogId, _: Headers) -> TxnId {
        let transaction = self.note(Call::Bye);
        let response = response(200, Headers::new(), None);
        self.events
            .try_send(UaEvent::Response {
                transaction,
                response,
            })
            .unwrap();
        transaction
    }
}
