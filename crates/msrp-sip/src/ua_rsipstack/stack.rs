//! The transaction layer of rsipstack, driven by hand from one task.
//!
//! The stack's own loop is not used. Messages are handed to it one by one, its timers are polled
//! by the engine, and each transaction is polled exactly when something has been put into its
//! queue. That makes everything happen in one order: the order in which the network and the focus
//! spoke.
//!
//! A transaction's `receive` may be polled once and dropped here, because none of its inner waits
//! can happen: sockets under it never wait (see `udp` and `tcp`), destinations are set by us, so
//! that it looks nothing up, and the ACK of a 2xx is ours. It only ever waits for its queue, and
//! that wait loses nothing.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt;
use rsipstack::sip::{self, SipMessage};
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption, MessageInspector};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::TransactionEvent;
use rsipstack::transaction::{
    EndpointBuilder, Transaction, TransactionReceiver, TransactionTimer, make_tag,
};
use rsipstack::transport::transport_layer::DomainResolver;
use rsipstack::transport::{SipAddr, TransportLayer};
use tokio::task::unconstrained;
use tokio_util::sync::CancellationToken;

use super::net::Flow;
use super::screen::Incoming;

/// What a transaction has to say.
#[derive(Debug)]
pub(super) enum Output {
    /// The peer cancelled its INVITE; the CANCEL has been answered.
    Cancelled(TransactionKey),
    /// The peer answered, or the stack did in its place.
    Answered(TransactionKey, u16),
    /// The transaction is over.
    Ended(TransactionKey),
}

/// The transactions.
pub(super) struct Stack {
    endpoint: EndpointInnerRef,
    begun: TransactionReceiver,
    open: HashMap<TransactionKey, Transaction>,
}

/// The times of RFC 3261, all derived from T1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The estimate of the round trip.
    pub(super) t1: Duration,
}

impl Times {
    /// How long a transaction waits.
    pub(super) fn t1x64(self) -> Duration {
        self.t1 * 64
    }
}

impl Stack {
    /// A stack without transactions.
    pub(super) fn new(times: Times, user_agent: &str) -> Option<Self> {
        let token = CancellationToken::new();
        let option = EndpointOption {
            t1: times.t1,
            t2: times.t1 * 8,
            t4: times.t1 * 10,
            t1x64: times.t1x64(),
            // The engine has its own limit for an INVITE.
            timerc: Duration::from_secs(86_400),
            auto_ack_2xx: false,
            ..EndpointOption::default()
        };
        let layer = TransportLayer::new_with_domain_resolver(token.clone(), Box::new(NoNames));
        let endpoint = EndpointBuilder::new()
            .with_option(option)
            .with_user_agent(user_agent)
            .with_transport_layer(layer)
            .with_cancel_token(token)
            .with_inspector(Box::new(Dress {
                server: user_agent.to_owned(),
            }))
            .build();
        let begun = endpoint.incoming_transactions().ok()?;
        Some(Self {
            endpoint: endpoint.inner,
            begun,
            open: HashMap::new(),
        })
    }

    /// Transactions that are open or that still answer retransmissions.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.endpoint.finished_transactions.len()
    }

    /// Transactions that are open.
    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Whether a message belongs to a transaction that is open or still answers retransmissions.
    pub(super) fn knows(&self, key: &TransactionKey) -> bool {
        self.open.contains_key(key) || self.endpoint.finished_transactions.contains_key(key)
    }

    /// Hands a message to the stack. `acked` is the transaction that an ACK of a 2xx ends: the ACK
    /// has a branch of its own.
    pub(super) fn handle(
        &mut self,
        incoming: &Incoming,
        flow: &Flow,
        acked: Option<&TransactionKey>,
        out: &mut Vec<Output>,
    ) {
        let taken = self.endpoint.on_received_message(
            incoming.light.clone(),
            flow.connection.clone(),
            &flow.destination,
        );
        if let Some(Err(error)) = unconstrained(taken).now_or_never() {
            tracing::debug!(%error, "message not taken");
        }
        while let Ok(mut transaction) = self.begun.try_recv() {
            transaction.destination = Some(flow.destination.clone());
            self.open.insert(transaction.key.clone(), transaction);
        }
        self.poll(&incoming.key, out);
        if let Some(acked) = acked {
            self.poll(acked, out);
        }
    }

    /// Sends a request; `None` when the stack cannot.
    pub(super) fn send(&mut self, request: sip::Request, flow: &Flow) -> Option<TransactionKey> {
        let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
        let mut transaction = Transaction::new_client(
            key.clone(),
            request,
            self.endpoint.clone(),
            Some(flow.connection.clone()),
        );
        transaction.destination = Some(flow.destination.clone());
        if let Some(Err(error)) = unconstrained(transaction.send()).now_or_never() {
            tracing::debug!(%error, "request not sent");
            return None;
        }
        self.open.insert(key.clone(), transaction);
        Some(key)
    }

    /// Sends 100 Trying.
    pub(super) fn trying(&mut self, key: &TransactionKey) {
        if let Some(transaction) = self.open.get_mut(key) {
            unconstrained(transaction.send_trying()).now_or_never();
        }
    }

    /// Sends a response; whether it went. It does not when the transaction or its connection is
    /// over.
    pub(super) fn respond(
        &mut self,
        key: &TransactionKey,
        response: sip::Response,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(transaction) = self.open.get_mut(key) else {
            return false;
        };
        let sent = unconstrained(transaction.respond(response)).now_or_never();
        if let Some(Err(error)) = &sent {
            tracing::debug!(%error, "response not sent");
        }
        self.poll(key, out);
        matches!(sent, Some(Ok(())))
    }

    /// A response to the request of a transaction, with this To value.
    pub(super) fn response(
        &self,
        key: &TransactionKey,
        status: sip::StatusCode,
        to: String,
        body: Option<Vec<u8>>,
    ) -> Option<sip::Response> {
        let transaction = self.open.get(key)?;
        let mut response = self
            .endpoint
            .make_response(&transaction.original, status, body);
        response.headers.unique_push(sip::Header::To(to.into()));
        Some(response)
    }

    /// Ends a transaction in place of the peer or of the network.
    pub(super) fn drop_transaction(&mut self, key: &TransactionKey) {
        self.open.remove(key);
    }

    /// Ends a transaction as if it had never been: copies of its request are not known any more.
    pub(super) fn forget_transaction(&mut self, key: &TransactionKey) {
        self.open.remove(key);
        self.endpoint.finished_transactions.remove(key);
        self.endpoint
            .waiting_ack
            .retain(|_, waiting| waiting != key);
    }

    /// Waits for the next timers. May be dropped.
    pub(super) async fn timers(&self) -> Vec<TransactionTimer> {
        self.endpoint.timers.wait_for_ready().await
    }

    /// Acts on a timer.
    pub(super) fn fire(&mut self, timer: TransactionTimer, out: &mut Vec<Output>) {
        let key = timer.key().clone();
        if let TransactionTimer::TimerCleanup(_) = timer {
            self.endpoint.transactions.remove(&key);
            self.endpoint.finished_transactions.remove(&key);
            self.endpoint
                .waiting_ack
                .retain(|_, waiting| *waiting != key);
            return;
        }
        if let Some(transaction) = self.open.get(&key) {
            transaction
                .tu_sender
                .send(TransactionEvent::Timer(timer))
                .ok();
        }
        self.poll(&key, out);
    }

    /// Lets a transaction work off its queue.
    pub(super) fn poll(&mut self, key: &TransactionKey, out: &mut Vec<Output>) {
        let Some(transaction) = self.open.get_mut(key) else {
            return;
        };
        loop {
            match unconstrained(transaction.receive()).now_or_never() {
                Some(Some(SipMessage::Response(response))) => {
                    out.push(Output::Answered(key.clone(), response.status_code.code()));
                }
                Some(Some(SipMessage::Request(request))) => {
                    if request.method == sip::Method::Cancel {
                        out.push(Output::Cancelled(key.clone()));
                    }
                }
                Some(None) => {
                    self.open.remove(key);
                    out.push(Output::Ended(key.clone()));
                    return;
                }
                None => return,
            }
        }
    }
}

/// Gives responses the Server field and each its To tag.
struct Dress {
    server: String,
}

impl MessageInspector for Dress {
    fn before_send(&self, message: SipMessage, _to: Option<&SipAddr>) -> SipMessage {
        let SipMessage::Response(mut response) = message else {
            return message;
        };
        response
            .headers
            .remove_all(|h| matches!(h, sip::Header::UserAgent(_) | sip::Header::Server(_)));
        response
            .headers
            .push(sip::Header::Server(self.server.clone().into()));
        if response.status_code != sip::StatusCode::Trying {
            for header in response.headers.iter_mut() {
                if let sip::Header::To(to) = header
                    && super::value::NameAddr::read(to.value()).is_some_and(|a| a.tag().is_none())
                {
                    to.replace(format!("{};tag={}", to.value(), make_tag()));
                }
            }
        }
        SipMessage::Response(response)
    }

    fn after_received(&self, message: SipMessage, _from: Option<&SipAddr>) -> SipMessage {
        message
    }
}

/// The stack never resolves a name: destinations are set by the engine.
struct NoNames;

impl DomainResolver for NoNames {
    fn resolve<'a, 'b, 'f>(
        &'a self,
        target: &'b SipAddr,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<SipAddr, rsipstack::Error>> + Send + 'f>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        let error = rsipstack::Error::DnsResolutionError(target.to_string());
        Box::pin(async move { Err(error) })
    }
}
