//! The ways to the daemon, and one exchange over them.

use msrp_testkit::Daemon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::case::Case;
use crate::case::Expected::Silence;

/// The final statuses of the case so far, and whether the probe has been answered.
fn statuses(text: &str, probe: &str) -> (Vec<u16>, bool) {
    let mut found = Vec::new();
    for message in text.split("SIP/2.0 ").skip(1) {
        // A response that is still on its way has no end of its header section.
        let Some(status) = message.get(..3).filter(|_| message.contains("\r\n\r\n")) else {
            continue;
        };
        let status: u16 = status.parse().unwrap();
        assert!(message.contains("\r\nServer: IM-serv/OMA1.0"), "{message}");
        if message.contains(probe) {
            return (found, true);
        }
        if status >= 200 && !found.contains(&status) {
            found.push(status);
        }
    }
    (found, false)
}

fn probe(number: usize, transport: &str, port: u16) -> (String, Vec<u8>) {
    let id = format!("probe{number}{transport}@example.com");
    let text = format!(
        "OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:{port};branch=z9hG4bKprobe{number}{transport}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:probe@example.com>;tag=1\r\nTo: <sip:localhost>\r\nCall-ID: {id}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    (id, text.into_bytes())
}

/// A way to the daemon.
pub(crate) enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Wire {
    /// The transport, as Via names it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Udp(_) => "UDP",
            Self::Tcp(_) => "TCP",
        }
    }

    fn port(&self) -> u16 {
        let address = match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(stream) => stream.local_addr(),
        };
        address.unwrap().port()
    }

    /// Over TCP the octets go in two parts that are cut anywhere.
    async fn write(&mut self, octets: &[u8]) {
        match self {
            Self::Udp(socket) => {
                socket.send(octets).await.unwrap();
            }
            Self::Tcp(stream) => {
                let (first, second) = octets.split_at(octets.len() / 2);
                // The daemon may have ended the connection after its answer.
                let _ended = stream.write_all(first).await;
                let _ended = stream.write_all(second).await;
            }
        }
    }

    /// Appends what arrives; false at the end of the connection.
    async fn read(&mut self, text: &mut String) -> bool {
        let mut buffer = vec![0; 65_535];
        let length = match self {
            Self::Udp(socket) => socket.recv(&mut buffer).await.unwrap(),
            Self::Tcp(stream) => stream.read(&mut buffer).await.unwrap_or(0),
        };
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        length > 0
    }
}

/// Sends the case, waits for its answer when there has to be one, and then sends a probe: whatever else comes before
/// the answer to that is an answer too many.
pub(crate) async fn exchange(number: usize, case: &Case, mut wire: Wire) -> Vec<u16> {
    let (name, port) = (wire.name(), wire.port());
    let (id, probe) = probe(number, name, port);
    wire.write(&case.filled(number, name, port)).await;
    let mut text = String::new();
    while case.expected != Silence && statuses(&text, &id).0.is_empty() {
        if !wire.read(&mut text).await {
            return statuses(&text, &id).0;
        }
    }
    wire.write(&probe).await;
    loop {
        let (found, is_answered) = statuses(&text, &id);
        // A stream from which no message can be cut ends after the answer.
        if is_answered || !wire.read(&mut text).await {
            return found;
        }
    }
}

pub(crate) async fn udp(daemon: &Daemon) -> Wire {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(daemon.sip_udp()).await.unwrap();
    Wire::Udp(socket)
}

pub(crate) async fn tcp(daemon: &Daemon) -> Wire {
    Wire::Tcp(TcpStream::connect(daemon.sip_tcp()).await.unwrap())
}
