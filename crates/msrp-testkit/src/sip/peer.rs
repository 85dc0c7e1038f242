//! The user agent: sockets, transactions, and what nobody has taken yet.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dialog::Dialog;
use super::invitation::Invitation;
use super::invite::{Calling, Invite};
use super::message::{SipMessage, StartLine};
use super::transaction::{self, ClientTransaction, ServerTransaction};
use super::transport::{self, Transport};
use crate::ident::fresh;
use crate::mailbox::Mailbox;
use crate::transcript::{Transcript, lock};

/// A scripted user agent. Clones are the same agent. Its tasks end with the last clone.
///
/// Retransmissions of requests are absorbed and answered again. Final responses other than 2xx to INVITE are
/// acknowledged by themselves. A message that breaks a rule of [`SipMessage::parse`] makes every later wait panic.
#[derive(Clone)]
pub struct SipPeer {
    pub(crate) shared: Arc<Shared>,
    _guard: Arc<Guard>,
}

pub(crate) struct Shared {
    pub(crate) transport: Transport,
    pub(crate) transcript: Transcript,
    pub(crate) requests: Mailbox<(SipMessage, SocketAddr)>,
    pub(crate) responses: Mailbox<SipMessage>,
    state: Mutex<State>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct State {
    next_hop: Option<SocketAddr>,
    automatic: HashSet<String>,
    /// Own requests by branch and method; CANCEL has the branch of its INVITE.
    clients: HashMap<(String, String), Client>,
    /// Requests seen, by branch and method, with the last response.
    servers: HashMap<(String, String), Option<Vec<u8>>>,
    /// ACKs to 2xx by Call-ID and CSeq number.
    acks: HashMap<(String, u32), (Vec<u8>, SocketAddr)>,
}

struct Client {
    request: SipMessage,
    to: SocketAddr,
    answered: watch::Sender<bool>,
    ended: bool,
}

/// Ends the tasks, which hold the shared part themselves.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.0.tasks).abort_all();
    }
}

impl SipPeer {
    /// An agent on a free UDP port of loopback.
    pub async fn bind_udp() -> Self {
        Self::start(Transport::udp(None).await)
    }

    /// An agent on a free UDP port of loopback, behind a network that loses a fifth of the datagrams in each
    /// direction and lets some overtake others, always in the same way for the same seed.
    pub async fn bind_udp_in_bad_network(seed: u64) -> Self {
        Self::start(Transport::udp(Some(seed)).await)
    }

    /// An agent on a free TCP port of loopback.
    pub async fn bind_tcp() -> Self {
        Self::start(Transport::tcp().await)
    }

    fn start(transport: Transport) -> Self {
        let name = format!(
            "SIP peer {} {}",
            transport.name(),
            transport.local_address()
        );
        let shared = Arc::new(Shared {
            transport,
            transcript: Transcript::new(name),
            requests: Mailbox::new(),
            responses: Mailbox::new(),
            state: Mutex::default(),
            tasks: Mutex::default(),
        });
        shared.spawn(transport::receive(Arc::clone(&shared)));
        Self {
            _guard: Arc::new(Guard(Arc::clone(&shared))),
            shared,
        }
    }

    /// Sends every request here, whatever its URI and route say. Without a next hop a request inside a dialog goes
    /// where the dialog came from.
    pub fn set_next_hop(&self, address: SocketAddr) {
        lock(&self.shared.state).next_hop = Some(address);
    }

    /// Answers requests of a method with 200 as they arrive. They can still be waited for.
    pub fn answer_automatically(&self, method: &str) {
        lock(&self.shared.state).automatic.insert(method.into());
    }

    /// The own address.
    pub fn address(&self) -> SocketAddr {
        self.shared.transport.local_address()
    }

    /// The own address as an outbound proxy: `sip:127.0.0.1:port;lr`.
    pub fn proxy_uri(&self) -> String {
        format!("{};lr", self.shared.own_uri(""))
    }

    /// A Contact value for a user.
    pub fn contact(&self, user: &str) -> String {
        format!("<{}>", self.shared.own_uri(&format!("{user}@")))
    }

    /// The record of this peer.
    pub fn transcript(&self) -> &Transcript {
        &self.shared.transcript
    }

    /// Sends octets as they are.
    ///
    /// # Panics
    /// When the kernel refuses, such as a TCP connection to a closed port.
    pub async fn send_raw(&self, to: SocketAddr, octets: &[u8]) {
        if let Err(fault) = transport::send(&self.shared, to, octets).await {
            panic!("{fault}\n{}", self.transcript());
        }
    }

    /// Sends a request outside of a dialog to the next hop. Adds what is missing of Via, Max-Forwards, From, To,
    /// Call-ID and CSeq.
    ///
    /// # Panics
    /// When there is no next hop.
    pub async fn send(&self, request: SipMessage) -> ClientTransaction {
        let to = self
            .next_hop()
            .expect("set_next_hop before a request is sent");
        self.send_to(request, to).await
    }

    /// Sends a request outside of a dialog and waits for its final response.
    pub async fn request(&self, request: SipMessage) -> SipMessage {
        self.send(request).await.expect_final().await
    }

    pub(crate) async fn send_to(&self, request: SipMessage, to: SocketAddr) -> ClientTransaction {
        let request = self.complete(request);
        let answered = watch::Sender::new(false);
        let subscription = answered.subscribe();
        let client = Client {
            request: request.clone(),
            to,
            answered,
            ended: false,
        };
        lock(&self.shared.state)
            .clients
            .insert(key(&request), client);
        self.send_raw(to, &request.to_octets()).await;
        if self.is_udp() {
            let shared = Arc::clone(&self.shared);
            self.shared.spawn(transaction::retransmit(
                shared,
                request.clone(),
                to,
                subscription,
            ));
        }
        ClientTransaction::new(self.clone(), request, to)
    }

    /// Starts a call.
    pub async fn invite(&self, invite: &Invite) -> Calling {
        let request = invite.to_request(self);
        Calling::new(self.send(request).await)
    }

    /// Starts a call, waits for its 2xx and acknowledges it.
    pub async fn call(&self, invite: &Invite) -> Dialog {
        self.invite(invite).await.expect_success().await
    }

    /// Waits for a request of this method that nobody has taken, inside or outside of a dialog.
    pub async fn expect_request(&self, method: &str) -> ServerTransaction {
        self.expect_request_where(method, |request| request.method() == method)
            .await
    }

    /// Waits for a request that `select` likes.
    pub async fn expect_request_where(
        &self,
        what: &str,
        select: impl Fn(&SipMessage) -> bool,
    ) -> ServerTransaction {
        let taken = self
            .shared
            .transcript
            .within(
                what,
                self.shared.requests.take(|(request, _)| select(request)),
            )
            .await;
        let (request, from) = self.unwrap(what, taken);
        ServerTransaction::new(self.clone(), request, from)
    }

    /// Waits for an INVITE outside of a dialog.
    pub async fn expect_invite(&self) -> Invitation {
        self.accept_invite(|_| true).await
    }

    /// Waits for an INVITE outside of a dialog whose Request-URI `select` likes.
    pub async fn accept_invite(&self, select: impl Fn(&str) -> bool) -> Invitation {
        let initial =
            |request: &SipMessage| request.method() == "INVITE" && request.to_tag().is_none();
        let select = |request: &SipMessage| initial(request) && select(request.request_uri());
        Invitation::new(self.expect_request_where("an INVITE", select).await)
    }

    /// Checks that no request has arrived that nobody has taken, ACK apart. Shows nothing about what is still on its
    /// way: let a later request arrive first.
    ///
    /// # Panics
    /// When a request is left.
    pub fn assert_no_request_left(&self) {
        self.shared.requests.inspect(|requests| {
            let left = requests
                .iter()
                .find(|(request, _)| request.method() != "ACK");
            assert!(left.is_none(), "left: {left:?}\n{}", self.transcript());
        });
    }

    pub(crate) fn is_udp(&self) -> bool {
        matches!(self.shared.transport, Transport::Udp(..))
    }

    pub(crate) fn next_hop(&self) -> Option<SocketAddr> {
        lock(&self.shared.state).next_hop
    }

    pub(crate) fn unwrap<T>(&self, what: &str, taken: Result<T, String>) -> T {
        taken.unwrap_or_else(|fault| panic!("{fault}, waiting for {what}\n{}", self.transcript()))
    }

    /// Sends an ACK to a 2xx and keeps it for retransmissions of the 2xx.
    pub(crate) async fn acknowledge(&self, ack: SipMessage, to: SocketAddr) {
        let ack = self.complete(ack);
        let key = (ack.call_id().to_owned(), ack.cseq().0);
        let octets = ack.to_octets();
        lock(&self.shared.state)
            .acks
            .insert(key, (octets.clone(), to));
        self.send_raw(to, &octets).await;
    }

    /// Sends a response and keeps it for retransmissions of the request.
    pub(crate) async fn respond(
        &self,
        request: &SipMessage,
        response: &SipMessage,
        to: SocketAddr,
    ) {
        self.shared.respond(request, response, to).await;
    }

    fn complete(&self, request: SipMessage) -> SipMessage {
        let mut added = Vec::new();
        let mut add = |name: &str, value: String| {
            if request.header(name).is_none() {
                added.push((name.to_owned(), value));
            }
        };
        add("Via", self.shared.via());
        add("Max-Forwards", "70".into());
        add(
            "From",
            format!("<{}>;tag={}", self.shared.own_uri("peer@"), fresh("f")),
        );
        add("To", format!("<{}>", request.request_uri()));
        add("Call-ID", fresh("c"));
        add("CSeq", format!("1 {}", request.method()));
        added.extend(request.headers.iter().cloned());
        SipMessage {
            headers: added,
            ..request
        }
    }
}

impl Shared {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.tasks).spawn(task);
    }

    pub(crate) fn fail(&self, fault: &str) {
        let fault = format!("the SIP peer broke a rule: {fault}");
        self.transcript.note(format_args!("FAULT: {fault}"));
        self.requests.fail(&fault);
        self.responses.fail(&fault);
    }

    fn via(&self) -> String {
        let (name, address) = (self.transport.name(), self.transport.local_address());
        format!("SIP/2.0/{name} {address};branch=z9hG4bK{};rport", fresh(""))
    }

    fn own_uri(&self, user: &str) -> String {
        let transport = match self.transport {
            Transport::Udp(..) => "",
            Transport::Tcp(..) => ";transport=tcp",
        };
        format!("sip:{user}{}{transport}", self.transport.local_address())
    }

    pub(crate) async fn handle(self: &Arc<Self>, message: SipMessage, from: SocketAddr) {
        match message.start {
            StartLine::Request(..) => self.handle_request(message, from).await,
            StartLine::Response(..) => self.handle_response(message).await,
        }
    }

    async fn handle_request(self: &Arc<Self>, request: SipMessage, from: SocketAddr) {
        let key = key(&request);
        let (seen, automatic) = {
            let mut state = lock(&self.state);
            let seen = state.servers.get(&key).cloned();
            state.servers.entry(key).or_default();
            (seen, state.automatic.contains(request.method()))
        };
        match seen {
            Some(Some(response)) => self.send_in_background(from, &response).await,
            Some(None) => {}
            None => {
                if automatic {
                    let response = transaction::response_to(&request, 200, "OK", &fresh("t"));
                    self.respond(&request, &response, from).await;
                }
                self.requests.push((request, from));
            }
        }
    }

    async fn handle_response(self: &Arc<Self>, response: SipMessage) {
        let acknowledgement = {
            let mut state = lock(&self.state);
            let is_invite = response.method() == "INVITE";
            let ack = state
                .acks
                .get(&(response.call_id().to_owned(), response.cseq().0))
                .cloned();
            let Some(client) = state.clients.get_mut(&key(&response)) else {
                return self.transcript.note("a response to nothing");
            };
            let is_final = response.status() >= 200;
            if is_final || is_invite {
                client.answered.send_replace(true);
            }
            let again = client.ended;
            client.ended |= is_final;
            let ack = match response.status() {
                200..300 if is_invite && again => ack,
                300.. if is_invite => Some((
                    transaction::ack_to_failure(&client.request, &response).to_octets(),
                    client.to,
                )),
                _ => None,
            };
            if !again {
                self.responses.push(response);
            }
            ack
        };
        if let Some((octets, to)) = acknowledgement {
            self.send_in_background(to, &octets).await;
        }
    }

    async fn respond(
        self: &Arc<Self>,
        request: &SipMessage,
        response: &SipMessage,
        to: SocketAddr,
    ) {
        let octets = response.to_octets();
        lock(&self.state)
            .servers
            .insert(key(request), Some(octets.clone()));
        self.send_in_background(to, &octets).await;
    }

    /// A failure stands in the transcript, where the wait that it spoils shows it.
    async fn send_in_background(self: &Arc<Self>, to: SocketAddr, octets: &[u8]) {
        let _noted = transport::send(self, to, octets).await;
    }
}

/// What names a transaction: branch and method.
fn key(message: &SipMessage) -> (String, String) {
    (message.branch().to_owned(), message.method().to_owned())
}
