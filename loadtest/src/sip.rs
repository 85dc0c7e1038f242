//! Joining by SIP: one user agent for all participants, one dialog for each.
//!
//! ```text
//!   due --INVITE--> ringing --2xx with a session--> in the room --BYE of either side--> over
//!                      \--anything else--> failed
//! ```
//!
//! The server refreshes the sessions (RFC 4028): the INVITE does not name the extension, and requests inside a dialog are
//! answered as they come.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use msrp_sdp::{Description, Local, Setup, offerer_connects};
use msrp_sip::ua::{
    Answer, Body, DialogId, Headers, Method, OutRequest, Request, Response, SipUa, Transport,
    TxnId, UaEvent,
};
use msrp_sip::ua_rsipstack::{self, Ua, UaConfig, UaHandle, UaLimits};
use msrp_wire::{MsrpPathBuf, MsrpUriBuf};
use rand_core::{OsRng, TryRngCore};
use tokio::net::lookup_host;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::cli::MsrpTransport;
use crate::limits::{JOINING_MAX, LEAVE_TIME_MAX};
use crate::local_uri;
use crate::plan::{Room, SipEntrance};
use crate::sessions::{Binding, Session};

/// What joining tells, by number of participant.
#[derive(Debug)]
pub enum SipEvent {
    /// There is a session.
    Joined(u32, Box<Session>),
    /// The room was not entered: why.
    Failed(u32, String),
    /// The other side ended the dialog.
    Ended(u32),
}

/// The SIP side of a run.
pub struct Sip {
    runtime: Runtime,
    events: mpsc::Receiver<SipEvent>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Sip {
    /// Starts to join all participants of all rooms.
    ///
    /// # Errors
    /// A sentence: the user agent could not be started.
    pub fn start(entrance: SipEntrance, rooms: &Arc<Vec<Room>>) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        let ua = runtime.block_on(start_ua(entrance))?;
        let (events, receiver) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let agent = Agent::new(entrance, rooms, ua, events)?;
        let task = runtime.spawn(agent.run(stopped));
        Ok(Self {
            runtime,
            events: receiver,
            stop: Some(stop),
            task,
        })
    }

    /// What happens.
    #[must_use]
    pub fn events(&self) -> &mpsc::Receiver<SipEvent> {
        &self.events
    }

    /// Ends all dialogs with BYE, and waits a little for the answers.
    pub fn leave(mut self) {
        if let Some(stop) = self.stop.take() {
            // An agent that has ended has nobody left in a room.
            let _ = stop.send(());
        }
        let _ = self.runtime.block_on(self.task);
        self.runtime.shutdown_background();
    }
}

async fn start_ua(entrance: SipEntrance) -> Result<Ua, String> {
    let own = local_uri::own_address(entrance.server).map_err(|e| e.to_string())?;
    let (server, transport) = (entrance.server, entrance.transport);
    let config = UaConfig {
        bind: vec![(transport, SocketAddr::new(own, 0))],
        outbound_proxy: Some(format!("sip:{server};transport={transport};lr")),
        domain: own.to_string(),
        user_agent: USER_AGENT.to_owned(),
        name_servers: Vec::new(),
        tls: Default::default(),
        trusted_peers: Vec::new(),
        limits: UaLimits::default(),
    };
    ua_rsipstack::start(config).await.map_err(|e| e.to_string())
}

/// All participants, as one task sees them.
struct Agent {
    ua: UaHandle,
    ua_events: tokio::sync::mpsc::Receiver<UaEvent>,
    address: SocketAddr,
    transport: Transport,
    media: MsrpTransport,
    gap: Duration,
    rooms: Arc<Vec<Room>>,
    events: mpsc::Sender<SipEvent>,
    dialogs: HashMap<DialogId, Dialog>,
    ringing: usize,
    byes: Vec<TxnId>,
}

struct Dialog {
    number: u32,
    media: Local,
    is_confirmed: bool,
}

impl Agent {
    fn new(
        entrance: SipEntrance,
        rooms: &Arc<Vec<Room>>,
        ua: Ua,
        events: mpsc::Sender<SipEvent>,
    ) -> Result<Self, String> {
        let addresses = ua.addresses.first();
        let (_, address) = *addresses.ok_or("the SIP user agent has no address")?;
        Ok(Self {
            ua: ua.handle,
            ua_events: ua.events,
            address,
            transport: entrance.transport,
            media: entrance.media,
            gap: Duration::from_secs_f64((1.0 / entrance.ramp).min(GAP_MAX_S)),
            rooms: Arc::clone(rooms),
            events,
            dialogs: HashMap::new(),
            ringing: 0,
            byes: Vec::new(),
        })
    }

    async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let rooms = Arc::clone(&self.rooms);
        let mut due = Vec::new();
        for (index, room) in rooms.iter().enumerate() {
            due.extend((0..room.identities.len()).map(|place| (index, place)));
        }
        let mut due = due.into_iter();
        let mut next = due.next();
        let mut at = Instant::now();
        loop {
            let may_join = next.is_some() && self.ringing < JOINING_MAX;
            tokio::select! {
                _ = &mut stop => break,
                event = self.ua_events.recv() => match event {
                    Some(event) => self.on_event(event).await,
                    None => return,
                },
                () = tokio::time::sleep_until(at), if may_join => {
                    if let Some((index, place)) = next {
                        self.invite(&rooms[index], place);
                    }
                    next = due.next();
                    at = (at + self.gap).max(Instant::now().checked_sub(BURST).unwrap_or(at));
                }
            }
        }
        self.leave().await;
    }

    fn invite(&mut self, room: &Room, place: usize) {
        let number = room.first + u32::try_from(place).unwrap_or(0);
        let (identity, room) = (room.identities[place].as_str(), room.uri.as_str());
        let media = match own_media(self.address.ip(), self.media) {
            Ok(media) => media,
            Err(reason) => return self.tell(SipEvent::Failed(number, reason)),
        };
        let own = format!("<{identity}>");
        let user = identity.split_once(':').map_or("", |(_, rest)| rest);
        let user = user.split_once('@').map_or(user, |(user, _)| user);
        let (address, transport) = (self.address, self.transport);
        let request = OutRequest {
            method: Method::Invite,
            uri: room.to_owned(),
            headers: Headers::new()
                .with("Allow", ALLOW)
                .with("P-Asserted-Identity", &own)
                .with("Accept-Contact", format!("*;{FEATURE_TAG}")),
            from: own,
            to: format!("<{room}>"),
            contact: Some(format!(
                "<sip:{user}@{address};transport={transport}>;{FEATURE_TAG}"
            )),
            body: Some(sdp(media.offer())),
        };
        let dialog = self.ua.invite(request);
        self.ringing += 1;
        let entry = Dialog {
            number,
            media,
            is_confirmed: false,
        };
        self.dialogs.insert(dialog, entry);
    }

    async fn on_event(&mut self, event: UaEvent) {
        match event {
            UaEvent::InviteResponse { dialog, response } => {
                self.on_invite_response(dialog, response).await;
            }
            UaEvent::Ended { dialog, .. } => {
                if let Some(dialog) = self.dialogs.remove(&dialog) {
                    self.tell(SipEvent::Ended(dialog.number));
                }
            }
            UaEvent::Request {
                transaction,
                dialog,
                request,
                ..
            } => {
                let dialog = dialog.and_then(|dialog| self.dialogs.get(&dialog));
                let answer = answer_to(&request, dialog);
                self.ua.answer(transaction, answer);
            }
            UaEvent::Invite { transaction, .. } => {
                self.ua
                    .answer(transaction, answer(480, Headers::new(), None));
            }
            UaEvent::Response { transaction, .. } => self.byes.retain(|bye| *bye != transaction),
            UaEvent::Established { .. } | UaEvent::Acknowledged { .. } => {}
        }
    }

    async fn on_invite_response(&mut self, id: DialogId, response: Response) {
        if response.status < 200 {
            return;
        }
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|d| !d.is_confirmed) else {
            return;
        };
        self.ringing = self.ringing.saturating_sub(1);
        let number = dialog.number;
        if response.status >= 300 {
            self.dialogs.remove(&id);
            let reason = format!("{} {}", response.status, response.reason);
            return self.tell(SipEvent::Failed(number, reason));
        }
        dialog.is_confirmed = true;
        let local = dialog.media.session_uri();
        match read_answer(&response, local).await {
            Ok(session) => self.tell(SipEvent::Joined(number, Box::new(session))),
            Err(reason) => self.tell(SipEvent::Failed(number, reason)),
        }
    }

    async fn leave(mut self) {
        let dialogs: Vec<DialogId> = self.dialogs.drain().map(|(id, _)| id).collect();
        let until = Instant::now() + LEAVE_TIME_MAX;
        for some in dialogs.chunks(JOINING_MAX) {
            for dialog in some {
                let bye = self.ua.bye(*dialog, Headers::new());
                self.byes.push(bye);
            }
            while !self.byes.is_empty() {
                match timeout_at(until, self.ua_events.recv()).await {
                    Ok(Some(event)) => self.on_event(event).await,
                    // The server learns of the end by the MSRP connections too.
                    Ok(None) | Err(_) => break,
                }
            }
        }
    }

    fn tell(&self, event: SipEvent) {
        // Without anybody who listens the run was given up.
        let _ = self.events.send(event);
    }
}

/// The media of a participant that opens the connection itself, with a session URI of its own.
fn own_media(address: IpAddr, media: MsrpTransport) -> Result<Local, String> {
    let (scheme, transport) = media.names();
    let path = local_uri::draw_over(address, scheme, transport)?;
    let number = OsRng.try_next_u32().map_err(|e| e.to_string())?;
    let number = u64::from(number);
    let mut local = Local::new((address.to_string(), local_uri::DISCARD_PORT), path, number);
    local.accept_types = vec!["message/cpim".to_owned()];
    local.accept_wrapped_types = vec!["*".to_owned()];
    local.setup = Setup::Active;
    local.chatroom = Some(vec!["private-messages".to_owned()]);
    Ok(local)
}

async fn read_answer(response: &Response, local: MsrpUriBuf) -> Result<Session, String> {
    let body = response.body.as_ref();
    let body = body.ok_or("the answer has no session description")?;
    let text = String::from_utf8_lossy(&body.octets);
    let answer = Description::parse(&text).map_err(|e| e.to_string())?;
    let media = answer.message_media().map_err(|e| e.to_string())?;
    if !offerer_connects(media.setup) {
        return Err("the server wants to open the connection, but was not offered to".to_owned());
    }
    let remote = MsrpPathBuf::join(media.path.iter().map(MsrpUriBuf::as_uri));
    let (host, port) = media.connect_address(false);
    let mut addresses = lookup_host((host.as_str(), port))
        .await
        .map_err(|e| e.to_string())?;
    Ok(Session {
        local,
        binding: Binding::Send,
        remote: remote.map_err(|e| e.to_string())?,
        connect: addresses
            .next()
            .ok_or("the host of the media has no address")?,
    })
}

/// The answer to a request inside a dialog, or outside of any.
fn answer_to(request: &Request, dialog: Option<&Dialog>) -> Answer {
    let headers = refresh_headers(&request.headers);
    match (&request.method, dialog, &request.body) {
        (Method::Invite, Some(dialog), None) => {
            answer(200, headers, Some(sdp(dialog.media.offer())))
        }
        (Method::Invite, Some(dialog), Some(body)) => {
            let text = String::from_utf8_lossy(&body.octets);
            let offer = Description::parse(&text).ok();
            let media = offer.as_ref().and_then(|offer| offer.message_media().ok());
            match (offer, media) {
                (Some(offer), Some(media)) => {
                    answer(200, headers, Some(sdp(dialog.media.answer(&offer, &media))))
                }
                _ => answer(488, Headers::new(), None),
            }
        }
        (Method::Update | Method::Options, _, _) => answer(200, headers, None),
        _ => answer(405, headers, None),
    }
}

/// The one who asks goes on refreshing, unless it wished otherwise.
fn refresh_headers(request: &Headers) -> Headers {
    let headers = Headers::new().with("Allow", ALLOW);
    let expires = request.first("Session-Expires");
    let Some(expires) = expires.or_else(|| request.first("x")) else {
        return headers;
    };
    let value = if expires.contains("refresher") {
        expires.to_owned()
    } else {
        format!("{expires};refresher=uac")
    };
    headers
        .with("Supported", "timer")
        .with("Session-Expires", value)
}

fn answer(status: u16, headers: Headers, body: Option<Body>) -> Answer {
    Answer {
        status,
        reason: None,
        headers,
        body,
    }
}

fn sdp(text: String) -> Body {
    Body {
        content_type: "application/sdp".to_owned(),
        octets: text.into_bytes(),
    }
}

/// The tag of the service, for servers that route by it.
const FEATURE_TAG: &str = "+g.oma.sip-im";
/// Its first word is the version of the service.
const USER_AGENT: &str = concat!("IM-client/OMA1.0 msrpload/", env!("CARGO_PKG_VERSION"));
/// The methods that are answered.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";
/// Longest time between two joins.
const GAP_MAX_S: f64 = 60.0;
/// How far joins may make up for a pause.
const BURST: Duration = Duration::from_millis(100);
