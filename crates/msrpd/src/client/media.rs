//! The client's session description, and what it reads from the switch's.

use std::net::{IpAddr, SocketAddr};

use msrp_sdp::{Description, Local, MessageMedia, Setup, offerer_connects};
use msrp_wire::{Host, MsrpPathBuf, MsrpUriBuf, Scheme, Transport};
use tokio::net::lookup_host;

use super::assembly::MESSAGE_OCTETS_MAX;

/// The client's side of the media.
#[derive(Debug, Clone)]
pub(crate) struct OwnMedia {
    local: Local,
}

/// Where the switch is.
#[derive(Debug, Clone)]
pub(crate) struct SwitchMedia {
    /// Where to connect to.
    pub(crate) address: SocketAddr,
    /// What stands in To-Path.
    pub(crate) path: MsrpPathBuf,
    /// Longest message that it takes, octets.
    pub(crate) max_size: Option<u64>,
    /// Whether it declares nicknames.
    pub(crate) has_nicknames: bool,
}

impl OwnMedia {
    /// The media of a client at this address that opens the connection itself.
    ///
    /// `session` is the random part of the session URI, `id` the number of the description.
    pub(crate) fn new(address: IpAddr, session: &str, id: u64) -> Result<Self, String> {
        let host = match address {
            IpAddr::V4(v4) => Host::V4(v4),
            IpAddr::V6(v6) => Host::V6(v6),
        };
        let port = Some(DISCARD_PORT);
        let path = MsrpUriBuf::compose(Scheme::Msrp, host, port, Some(session), Transport::Tcp);
        let path = path.map_err(|e| e.to_string())?;
        let mut local = Local::new((address.to_string(), DISCARD_PORT), path, id);
        local.accept_types = vec!["message/cpim".to_owned()];
        local.accept_wrapped_types = vec!["text/plain".to_owned()];
        local.max_size = Some(MESSAGE_OCTETS_MAX as u64);
        local.setup = Setup::Active;
        local.chatroom = Some(vec!["nickname".to_owned()]);
        Ok(Self { local })
    }

    /// The client's session URI.
    pub(crate) fn uri(&self) -> MsrpUriBuf {
        self.local.session_uri()
    }

    /// The offer. Always the same text.
    pub(crate) fn offer(&self) -> String {
        self.local.offer()
    }

    /// The answer to an offer that came inside the dialog.
    pub(crate) fn answer(&self, offer: &str) -> Result<String, String> {
        let offer = Description::parse(offer).map_err(|e| e.to_string())?;
        let media = offer.message_media().map_err(|e| e.to_string())?;
        Ok(self.local.answer(&offer, &media))
    }
}

impl SwitchMedia {
    /// Reads the switch's answer.
    pub(crate) async fn read(answer: &str) -> Result<Self, String> {
        let answer = Description::parse(answer).map_err(|e| e.to_string())?;
        let media = answer.message_media().map_err(|e| e.to_string())?;
        check(&media)?;
        let path = MsrpPathBuf::join(media.path.iter().map(MsrpUriBuf::as_uri));
        let (host, port) = media.connect_address(false);
        let addresses = lookup_host((host.as_str(), port)).await;
        let address = addresses.ok().and_then(|mut list| list.next());
        Ok(Self {
            address: address.ok_or("the host of the media has no address")?,
            path: path.map_err(|e| e.to_string())?,
            max_size: media.max_size,
            has_nicknames: media.supports_nicknames(),
        })
    }
}

fn check(media: &MessageMedia) -> Result<(), String> {
    if media.protocol != msrp_sdp::Protocol::TcpMsrp {
        return Err("the media runs over TLS, which this client does not speak".to_owned());
    }
    if !offerer_connects(media.setup) {
        return Err("the switch wants to open the connection, but was not offered to".to_owned());
    }
    if !media.accepts("message/cpim") {
        return Err("the media does not take message/cpim".to_owned());
    }
    Ok(())
}

/// The port of a side to which nobody connects. Source: RFC 4145 s.4.1.
const DISCARD_PORT: u16 = 9;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn own() -> OwnMedia {
        OwnMedia::new(Ipv4Addr::LOCALHOST.into(), "own1", 7).unwrap()
    }

    const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n\
                          t=0 0\r\nm=message 2855 TCP/MSRP *\r\na=accept-types:message/cpim\r\n\
                          a=path:msrp://127.0.0.1:2855/peer;tcp\r\na=setup:passive\r\n\
                          a=max-size:1000\r\n";

    // covers: MSRP-7701-5.2-01
    #[test]
    fn offer_is_that_of_a_chat_client_that_connects() {
        let offer = own().offer();
        let lines = [
            "m=message 9 TCP/MSRP *",
            "a=accept-types:message/cpim",
            "a=accept-wrapped-types:text/plain",
            "a=path:msrp://127.0.0.1:9/own1;tcp",
            "a=setup:active",
            "a=max-size:262144",
            "a=chatroom:nickname",
        ];
        for line in lines {
            assert!(offer.lines().any(|l| l == line), "{line} in {offer}");
        }
    }

    #[tokio::test]
    async fn answer_of_a_switch_is_read() {
        let media = SwitchMedia::read(ANSWER).await.unwrap();
        assert_eq!(media.address, "127.0.0.1:2855".parse().unwrap());
        assert_eq!(media.path.raw(), b"msrp://127.0.0.1:2855/peer;tcp");
        assert_eq!(media.max_size, Some(1000));
        assert!(!media.has_nicknames);
        let named = format!("{ANSWER}a=chatroom:nickname\r\n");
        assert!(SwitchMedia::read(&named).await.unwrap().has_nicknames);
    }

    #[tokio::test]
    async fn answer_that_cannot_be_used_is_refused() {
        let active = ANSWER.replace("setup:passive", "setup:active");
        let refused = ANSWER.replace("message 2855", "message 0");
        let types = ANSWER.replace("message/cpim", "text/plain");
        for answer in [active, refused, types, "nonsense".to_owned()] {
            assert!(SwitchMedia::read(&answer).await.is_err(), "{answer}");
        }
    }

    #[test]
    fn offer_inside_the_dialog_is_answered() {
        let answer = own().answer(&ANSWER.replace("passive", "actpass")).unwrap();
        assert!(
            answer.contains("a=path:msrp://127.0.0.1:9/own1;tcp\r\n"),
            "{answer}"
        );
        assert!(own().answer("nonsense").is_err());
    }
}
