//! The TCP connection of an MSRP session, driven by one task.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::session::{Answer, Session, SessionEvent};
use super::{ANSWER_TIME_MAX, CONNECT_TIME_MAX, Refusal};

/// A running MSRP session. The connection ends when this is dropped.
pub(super) struct MsrpLeg {
    orders: mpsc::Sender<(Order, Answer)>,
    events: mpsc::Receiver<LegEvent>,
    task: JoinHandle<()>,
}

/// What a running session tells. After [`LegEvent::Ended`] nothing follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LegEvent {
    Session(SessionEvent),
    Ended(String),
}

/// Something to send.
#[derive(Debug)]
pub(super) enum Order {
    /// A Message/CPIM message.
    Message(Vec<u8>),
    /// A request for this nickname; for none when it is empty.
    Nickname(String),
}

/// Sends orders into a running session.
#[derive(Clone)]
pub(super) struct Outbox(mpsc::Sender<(Order, Answer)>);

impl MsrpLeg {
    /// Connects, and binds the session with a first request.
    ///
    /// # Errors
    /// The connection's error, or the status with which the first request was refused.
    pub(super) async fn start(peer: SocketAddr, mut session: Session) -> Result<Self, StartError> {
        let connect = timeout(CONNECT_TIME_MAX, TcpStream::connect(peer)).await;
        let stream = connect
            .map_err(|_| io::ErrorKind::TimedOut.into())
            .flatten()?;
        stream.set_nodelay(true)?;
        let (answer, bound) = oneshot::channel();
        session.bind(answer);
        let (orders, inbox) = mpsc::channel(OUTBOX_MAX);
        let (outlet, events) = mpsc::channel(EVENTS_MAX);
        let (reader, writer) = stream.into_split();
        let connection = Connection {
            reader,
            writer,
            session,
            inbox,
            outlet,
        };
        let task = tokio::spawn(connection.run());
        let leg = Self {
            orders,
            events,
            task,
        };
        outcome(bound).await?;
        Ok(leg)
    }

    /// A handle to send with.
    pub(super) fn outbox(&self) -> Outbox {
        Outbox(self.orders.clone())
    }

    /// The next event; `None` after the end. Losing the future loses no event.
    pub(super) async fn next(&mut self) -> Option<LegEvent> {
        self.events.recv().await
    }
}

impl Drop for MsrpLeg {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Outbox {
    /// Queues an order at once, behind those before it, and gives the wait for its answer.
    ///
    /// # Errors
    /// [`Refusal`]: what the other side answered; 408 when it did not.
    pub(super) fn send(
        &self,
        order: Order,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let queued = self
            .0
            .try_send((order, answer))
            .map_err(|error| match error {
                TrySendError::Full(_) => Refusal::too_many(),
                TrySendError::Closed(_) => Refusal::ended(),
            });
        async move {
            queued?;
            outcome(answered).await
        }
    }
}

/// Why a session could not be bound.
#[derive(Debug)]
pub(super) enum StartError {
    Connection(io::Error),
    Refused(Refusal),
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

impl From<Refusal> for StartError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

async fn outcome(answered: oneshot::Receiver<Result<(), Refusal>>) -> Result<(), Refusal> {
    match timeout(ANSWER_TIME_MAX, answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Refusal::ended()),
        Err(_) => Err(Refusal::unanswered()),
    }
}

/// What the task owns.
struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    session: Session,
    inbox: mpsc::Receiver<(Order, Answer)>,
    outlet: mpsc::Sender<LegEvent>,
}

impl Connection {
    async fn run(mut self) {
        let reason = self.serve().await;
        // Nobody listens any longer when this fails.
        let _ = self.outlet.send(LegEvent::Ended(reason)).await;
    }

    /// Serves until the end and says why it came.
    async fn serve(&mut self) -> String {
        let mut input = vec![0; INPUT_OCTETS];
        loop {
            while let Some(event) = self.session.poll_event() {
                if self.outlet.send(LegEvent::Session(event)).await.is_err() {
                    return "the session was left".to_owned();
                }
            }
            if let Err(reason) = self.turn(&mut input).await {
                return reason;
            }
        }
    }

    /// Waits for one thing and does it.
    async fn turn(&mut self, input: &mut [u8]) -> Result<(), String> {
        let is_full = self.session.is_full() || self.session.out().len() > OUT_OCTETS_MAX;
        let has_output = !self.session.out().is_empty();
        tokio::select! {
            read = self.reader.read(input) => {
                let octets = read.map_err(|e| format!("the connection broke: {e}"))?;
                if octets == 0 {
                    return Err("the switch closed the connection".to_owned());
                }
                let result = self.session.handle_input(&input[..octets]);
                result.map_err(|e| format!("the switch sent octets that are not MSRP: {e}"))
            }
            written = write(&mut self.writer, self.session.out()), if has_output => {
                let octets = written.map_err(|e| format!("the connection broke: {e}"))?;
                self.session.out().drain(..octets);
                Ok(())
            }
            order = self.inbox.recv(), if !is_full => {
                let Some((order, answer)) = order else {
                    return Err("the session was left".to_owned());
                };
                match order {
                    Order::Message(content) => self.session.send(&content, answer),
                    Order::Nickname(nickname) => self.session.ask_nickname(&nickname, answer),
                }
                Ok(())
            }
        }
    }
}

async fn write(writer: &mut OwnedWriteHalf, octets: &[u8]) -> io::Result<usize> {
    writer.write(octets).await
}

/// Most messages that wait to be written; one more is refused at once.
const OUTBOX_MAX: usize = 64;
/// Most events that nobody has asked for; reading stops at the limit.
const EVENTS_MAX: usize = 256;
/// Octets of one read.
const INPUT_OCTETS: usize = 16 * 1024;
/// Octets that wait for the socket before no further message is taken.
const OUT_OCTETS_MAX: usize = 256 * 1024;
