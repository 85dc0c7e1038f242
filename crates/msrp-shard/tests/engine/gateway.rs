//! What stands between a scripted peer, which speaks MSRP over TCP, and a listener that does not.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Bytes, Message};

/// A WebSocket client with the sub-protocol of MSRP.
pub(crate) fn websocket(address: SocketAddr) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    let protocol = HeaderValue::from_static("msrp");
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let (websocket, _) = tungstenite::client(request, stream).unwrap();
    websocket
}

/// Takes one connection and carries its octets over a WebSocket to `to`. It ends with either side.
pub(crate) fn over_websocket(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (peer, _) = listener.accept().unwrap();
        let mut down = websocket(to);
        let stream = down.get_ref().try_clone().unwrap();
        let mut up = WebSocket::from_raw_socket(stream, Role::Client, None);
        let mut from_peer = peer.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(octets @ 1..) = from_peer.read(&mut buffer) {
                let message = Bytes::copy_from_slice(&buffer[..octets]);
                if up.send(Message::Binary(message)).is_err() {
                    break;
                }
            }
            let _ = up.get_ref().shutdown(Shutdown::Write);
        });
        let mut to_peer = peer;
        loop {
            match down.read() {
                Ok(Message::Binary(message)) => {
                    assert_one_chunk(&message);
                    if to_peer.write_all(&message).is_err() {
                        break;
                    }
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let _ = to_peer.shutdown(Shutdown::Write);
    });
    address
}

/// A WebSocket message is one whole MSRP request or response. A gateway that finds another ends its
/// connection, and the test fails with it.
pub(crate) fn assert_one_chunk(message: &[u8]) {
    let text = String::from_utf8_lossy(message);
    let id = text
        .strip_prefix("MSRP ")
        .and_then(|rest| rest.split(' ').next());
    let id = id.unwrap_or_else(|| panic!("no MSRP: {text}"));
    let end_line = format!("-------{id}");
    let at = text
        .find(&end_line)
        .unwrap_or_else(|| panic!("no end line: {text}"));
    assert_eq!(
        at + end_line.len() + 3,
        text.len(),
        "more than one chunk: {text}"
    );
}
