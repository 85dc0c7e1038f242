//! The switch's end of a session, spoken by a test.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The switch's end of a session, spoken by the test.
pub(super) struct FakeSwitch {
    pub(super) stream: TcpStream,
    input: String,
}

/// A switch to which nobody has connected.
pub(super) struct FakeListener(TcpListener);

impl FakeListener {
    /// The session description that leads here.
    pub(super) fn sdp(&self) -> String {
        let port = self.0.local_addr().unwrap().port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=message {port} TCP/MSRP *\r\na=accept-types:message/cpim\r\na=max-size:5000\r\n\
             a=path:msrp://127.0.0.1:{port}/peer;tcp\r\na=setup:passive\r\n"
        )
    }

    /// Accepts a session and answers its first request with this status.
    pub(super) async fn bind(self, status: &str) -> FakeSwitch {
        let (stream, _) = self.0.accept().await.unwrap();
        let mut switch = FakeSwitch {
            stream,
            input: String::new(),
        };
        let bind = switch.request().await;
        assert!(!bind.contains("Content-Type"), "{bind}");
        switch.answer(&bind, status).await;
        switch
    }
}

impl FakeSwitch {
    pub(super) async fn listen() -> FakeListener {
        FakeListener(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap())
    }

    /// The next request, up to its end line.
    pub(super) async fn request(&mut self) -> String {
        loop {
            if let Some(tid) = self.input.split(' ').nth(1) {
                let end = format!("-------{tid}$\r\n");
                if let Some(at) = self.input.find(&end) {
                    let rest = self.input.split_off(at + end.len());
                    return std::mem::replace(&mut self.input, rest);
                }
            }
            let mut octets = [0; 4096];
            let n = self.stream.read(&mut octets).await.unwrap();
            assert!(n > 0, "the client closed the connection");
            self.input
                .push_str(std::str::from_utf8(&octets[..n]).unwrap());
        }
    }

    pub(super) async fn answer(&mut self, request: &str, status: &str) {
        let tid = request.split(' ').nth(1).unwrap();
        let field = |name: &str| {
            let line = request.lines().find(|l| l.starts_with(name)).unwrap();
            line[name.len()..].to_owned()
        };
        let (to, from) = (field("From-Path: "), field("To-Path: "));
        let text = format!(
            "MSRP {tid} {status}\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n-------{tid}$\r\n"
        );
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }
}
