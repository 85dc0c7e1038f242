//! The door for SIP proxies that speak the ng dialect: one UDP socket, one request after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ipnet::IpNet;
use msrp_control::{Client, EventStream};
use msrp_ng::Service;
use msrp_ng::limits::DATAGRAM_OCTETS_MAX;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::config::Ng;

/// The running door. It closes when this is dropped.
#[derive(Debug)]
pub struct NgServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for NgServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NgServer {
    /// Listens; `None` when no address is configured.
    ///
    /// # Errors
    /// A sentence: the address is taken, or is not one of this machine.
    pub async fn start(config: &Ng, client: Client) -> Result<Option<Self>, String> {
        let Some(bind) = config.bind else {
            return Ok(None);
        };
        let failed = |error| format!("the ng address {bind} could not be bound: {error}");
        let socket = UdpSocket::bind(bind).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let door = Door {
            socket,
            allowed: config.allowed_peers.clone().into(),
            events: client.subscribe(),
            service: Service::new(client.clone(), now_ms()),
            client,
        };
        let task = tokio::spawn(door.serve());
        Ok(Some(Self { address, task }))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

struct Door {
    socket: UdpSocket,
    allowed: Arc<[IpNet]>,
    client: Client,
    events: EventStream,
    service: Service,
}

impl Door {
    async fn serve(mut self) {
        let mut datagram = vec![0; DATAGRAM_OCTETS_MAX];
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) => self.service.handle_event(&event),
                    Err(_) => {
                        // The engine cut us off, or goes down: what came meanwhile is lost.
                        tokio::time::sleep(RESUBSCRIBE_DELAY).await;
                        self.events = self.client.subscribe();
                        self.service.resync().await;
                    }
                },
                received = self.socket.recv_from(&mut datagram) => {
                    // An error here is about a datagram that was sent before.
                    let Ok((octets, from)) = received else { continue };
                    self.answer(&datagram[..octets], from).await;
                }
            }
        }
    }

    async fn answer(&mut self, datagram: &[u8], from: SocketAddr) {
        let peer = from.ip().to_canonical();
        if !self.allowed.iter().any(|network| network.contains(&peer)) {
            tracing::debug!(%from, "a datagram of a peer that is not allowed was dropped");
            return;
        }
        let answer = self.service.handle_datagram(now_ms(), from, datagram);
        if let Some(answer) = answer.await
            && let Err(error) = self.socket.send_to(&answer, from).await
        {
            tracing::info!(%from, %error, "an answer could not be sent");
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Wait before the events are subscribed to again.
const RESUBSCRIBE_DELAY: std::time::Duration = std::time::Duration::from_millis(100);
