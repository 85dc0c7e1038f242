use msrp_sip::ua::{Answer, Body, DialogEnd, Headers, SipUa, UaEvent};

use super::fake_switch::FakeSwitch;
use super::*;

/// A SIP server on a free port.
async fn server(transport: Transport) -> Ua {
    let config = UaConfig {
        bind: vec![(transport, "127.0.0.1:0".parse().unwrap())],
        outbound_proxy: None,
        domain: "localhost".to_owned(),
        user_agent: "server".to_owned(),
        name_servers: Vec::new(),
        tls: Default::default(),
        trusted_peers: Vec::new(),
        limits: UaLimits::default(),
    };
    ua_rsipstack::start(config).await.unwrap()
}

fn chat(server: &Ua, transport: Transport) -> ChatConfig {
    ChatConfig {
        server: server.addresses[0].1,
        transport,
        room: "sip:demo@localhost".to_owned(),
        identity: "sip:alice@localhost".to_owned(),
        display: None,
    }
}

/// Answers the next INVITE and gives its header fields back.
async fn answer(server: &mut Ua, status: u16, headers: Headers, sdp: Option<String>) -> Headers {
    loop {
        if let UaEvent::Invite {
            transaction,
            request,
            ..
        } = server.events.recv().await.unwrap()
        {
            let body = sdp.map(|text| Body {
                content_type: "application/sdp".to_owned(),
                octets: text.into_bytes(),
            });
            server.handle.answer(
                transaction,
                Answer {
                    status,
                    reason: None,
                    headers,
                    body,
                },
            );
            return request.headers;
        }
    }
}

// covers: CLI-7.1.1.1-02, CLI-7.1.1.1-04
#[tokio::test]
async fn chat_over_each_transport_joins_sends_and_leaves() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut server = server(transport).await;
        let config = chat(&server, transport);
        let listener = FakeSwitch::listen().await;
        let sdp = listener.sdp();
        let serve = async {
            let headers = answer(&mut server, 200, Headers::new(), Some(sdp)).await;
            (headers, listener.bind("200 OK").await)
        };
        let (joined, (headers, mut switch)) = tokio::join!(Chat::join(&config), serve);
        let chat = joined.unwrap();
        let first = |name: &str| headers.first(name).unwrap().to_owned();
        assert_eq!(first("P-Asserted-Identity"), "<sip:alice@localhost>");
        assert!(first("User-Agent").starts_with("IM-client/OMA1.0 "));
        assert!(
            first("Contact").starts_with("<sip:alice@127.0.0.1:"),
            "{}",
            first("Contact")
        );
        assert!(
            first("Contact").ends_with(">;+g.oma.sip-im"),
            "{}",
            first("Contact")
        );
        let sent = tokio::spawn(chat.send("hello"));
        let request = switch.request().await;
        switch.answer(&request, "200 OK").await;
        assert_eq!(sent.await.unwrap(), Ok(()));
        chat.leave().await;
        loop {
            if let UaEvent::Ended { why, .. } = server.events.recv().await.unwrap() {
                assert_eq!(why, DialogEnd::Bye);
                break;
            }
        }
    }
}

#[tokio::test]
async fn chat_refused_tells_status_reason_and_warning() {
    let mut server = server(Transport::Udp).await;
    let config = chat(&server, Transport::Udp);
    let headers = Headers::new().with("Warning", "399 localhost \"127 Service not authorised\"");
    let (joined, _) = tokio::join!(Chat::join(&config), answer(&mut server, 403, headers, None));
    let expected = "the room was not joined: 403 Forbidden. \
                    The server says: 127 Service not authorised";
    assert_eq!(joined.err().unwrap().to_string(), expected);
}
