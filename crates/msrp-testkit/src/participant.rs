//! A whole participant of a session: a dialog with the focus and an MSRP session with the switch.

use crate::daemon::Daemon;
use crate::msrp::{Draft, Message, MsrpEndpoint, MsrpPeer, Sent};
use crate::sdp::Media;
use crate::sip::{Calling, Dialog, Invitation, Invite, SipMessage, SipPeer};

/// A participant that is in a session, with its MSRP connection bound.
pub struct Participant {
    /// Its address, which the From of its messages carries.
    pub identity: String,
    /// The address of the session for the To of its messages: the group, or the session identity.
    pub room: String,
    /// Its dialog with the focus.
    pub dialog: Dialog,
    /// Its MSRP session with the switch.
    pub msrp: MsrpPeer,
}

/// How a participant dials in. Start with [`Join::new`], change what the test is about, end with [`Join::join`].
pub struct Join {
    identity: String,
    invite: Invite,
    offer: Option<Box<dyn Fn(Media) -> Media + Send>>,
    endpoint: Option<MsrpEndpoint>,
    tcp: bool,
    bad_network: Option<u64>,
}

/// A call that a [`Join`] has started.
pub struct Joining {
    /// The INVITE and its responses.
    pub calling: Calling,
    identity: String,
    room: Option<String>,
    endpoint: MsrpEndpoint,
}

/// An ad-hoc session: the inviter and those who accepted.
pub struct AdHoc {
    /// Who called the conference factory.
    pub inviter: Participant,
    /// Who was invited, in the order of the list.
    pub invitees: Vec<Participant>,
}

impl Participant {
    /// Dials a group over UDP, connects, binds the connection with an empty SEND.
    ///
    /// # Panics
    /// When a step fails or takes longer than the deadline.
    pub async fn join(daemon: &Daemon, group_uri: &str, identity: &str) -> Self {
        Join::new(group_uri, identity).join(daemon).await
    }

    /// Accepts an invitation actively: answers `setup:active`, connects to the offer's path, binds.
    ///
    /// # Panics
    /// When a step fails or takes longer than the deadline.
    pub async fn accept(invitation: &Invitation) -> Self {
        let endpoint = MsrpEndpoint::bind().await;
        let answer = endpoint.media().setup("active");
        Self::accept_with(invitation, endpoint, &answer).await
    }

    /// Accepts an invitation with an answer of its own. `setup:active` connects and binds; another answer waits for
    /// the switch to connect and to bind.
    ///
    /// # Panics
    /// When a step fails or takes longer than the deadline.
    pub async fn accept_with(
        invitation: &Invitation,
        endpoint: MsrpEndpoint,
        answer: &Media,
    ) -> Self {
        let offer = invitation.media();
        let dialog = invitation.accept(answer).await;
        let msrp = if answer.setup.as_deref() == Some("active") {
            let msrp = endpoint.connect(&offer).await;
            msrp.bind().await;
            msrp
        } else {
            let msrp = endpoint.accept(&offer).await;
            msrp.expect_empty().await;
            msrp
        };
        Self {
            identity: invitation.uri().into(),
            room: dialog.remote_target(),
            dialog,
            msrp,
        }
    }

    /// Says a text to all and waits for 200 from the switch.
    pub async fn say(&self, text: &str) -> Sent {
        self.msrp.send_ok(&self.text(text)).await
    }

    /// A text to all, to be sent in a special way.
    pub fn text(&self, text: &str) -> Draft {
        Draft::text(&self.identity, &self.room, text)
    }

    /// Says a text to one participant and waits for 200 from the switch.
    pub async fn whisper(&self, to: &str, text: &str) -> Sent {
        self.msrp
            .send_ok(&Draft::text(&self.identity, to, text))
            .await
    }

    /// Waits for the next message, which must carry this text from this address.
    pub async fn expect_text(&self, from: &str, text: &str) -> Message {
        self.msrp.expect_text(from, text).await
    }

    /// Sends BYE, waits for 200.
    pub async fn leave(&self) {
        self.dialog.bye().await;
    }

    /// Waits for BYE from the focus, answers 200, waits for the end of the MSRP connection.
    pub async fn expect_removed(&self) -> SipMessage {
        let bye = self.dialog.expect_bye().await;
        self.msrp.expect_closed().await;
        bye
    }
}

impl Join {
    /// A dial to a URI from an identity, over UDP, with the plain offer of [`MsrpEndpoint::media`].
    pub fn new(uri: &str, identity: &str) -> Self {
        Self {
            identity: identity.into(),
            invite: Invite::new(uri, identity),
            offer: None,
            endpoint: None,
            tcp: false,
            bad_network: None,
        }
    }

    /// Dials over TCP.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Dials over UDP through a bad network: [`SipPeer::bind_udp_in_bad_network`].
    #[must_use]
    pub fn bad_network(mut self, seed: u64) -> Self {
        self.bad_network = Some(seed);
        self
    }

    /// Changes the INVITE, such as `.invite(|invite| invite.anonymous("A"))`.
    #[must_use]
    pub fn invite(mut self, change: impl FnOnce(Invite) -> Invite) -> Self {
        self.invite = change(self.invite);
        self
    }

    /// Changes the offer, such as `.offer(|media| media.max_size(100))`.
    #[must_use]
    pub fn offer(mut self, change: impl Fn(Media) -> Media + Send + 'static) -> Self {
        self.offer = Some(Box::new(change));
        self
    }

    /// Uses this endpoint, such as one with a small receive buffer.
    #[must_use]
    pub fn endpoint(mut self, endpoint: MsrpEndpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Sends the INVITE and leaves its responses to the test.
    pub async fn start(self, daemon: &Daemon) -> Joining {
        let sip = match self.bad_network {
            Some(seed) => SipPeer::bind_udp_in_bad_network(seed).await,
            None if self.tcp => SipPeer::bind_tcp().await,
            None => SipPeer::bind_udp().await,
        };
        sip.set_next_hop(if self.tcp {
            daemon.sip_tcp()
        } else {
            daemon.sip_udp()
        });
        let endpoint = match self.endpoint {
            Some(endpoint) => endpoint,
            None => MsrpEndpoint::bind().await,
        };
        let media = match self.offer {
            Some(change) => change(endpoint.media()),
            None => endpoint.media(),
        };
        let calling = sip.invite(&self.invite.media(&media)).await;
        let content_type = calling.request().header("Content-Type").unwrap_or_default();
        let is_list = content_type.starts_with("multipart/");
        let room = (!is_list).then(|| calling.request().request_uri().to_owned());
        Joining {
            calling,
            identity: self.identity,
            room,
            endpoint,
        }
    }

    /// Dials in: waits for the 2xx, connects, binds.
    ///
    /// # Panics
    /// When a step fails or takes longer than the deadline.
    pub async fn join(self, daemon: &Daemon) -> Participant {
        self.start(daemon).await.complete().await
    }
}

impl Joining {
    /// Waits for the 2xx, acknowledges it, connects and binds.
    ///
    /// # Panics
    /// When a step fails or takes longer than the deadline.
    pub async fn complete(self) -> Participant {
        let (dialog, endpoint, identity, room) = self.answered().await;
        let msrp = endpoint.connect(&dialog.remote_media()).await;
        msrp.bind().await;
        Participant {
            identity,
            room,
            dialog,
            msrp,
        }
    }

    /// Waits for the 2xx, acknowledges it, and leaves connecting to the test.
    ///
    /// Gives the dialog, the endpoint, the identity and the address of the session.
    pub async fn answered(self) -> (Dialog, MsrpEndpoint, String, String) {
        let dialog = self.calling.expect_success().await;
        let room = self.room.unwrap_or_else(|| dialog.remote_target());
        (dialog, self.endpoint, self.identity, room)
    }
}

impl AdHoc {
    /// Calls `sip:conference-factory@localhost` with a list; everybody on it accepts. `proxy` is the outbound proxy
    /// of the daemon.
    ///
    /// # Panics
    /// When a step fails or takes longer than the deadline.
    pub async fn start(daemon: &Daemon, proxy: &SipPeer, inviter: &str, invitees: &[&str]) -> Self {
        let factory = "sip:conference-factory@localhost";
        let join = Join::new(factory, inviter).invite(|invite| invite.list(invitees));
        let joining = join.start(daemon).await;
        let mut accepted = Vec::new();
        for invitee in invitees {
            let invitation = proxy.accept_invite(|uri| uri == *invitee).await;
            accepted.push(Participant::accept(&invitation).await);
        }
        Self {
            inviter: joining.complete().await,
            invitees: accepted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRIENDS: &str = "sip:friends@localhost";
    const ALICE: &str = "sip:alice@example.com";

    /// Plays focus and switch for one caller: gives its dialog and its MSRP end.
    async fn answer(focus: &SipPeer) -> (Dialog, MsrpPeer) {
        let invitation = focus.expect_invite().await;
        let endpoint = MsrpEndpoint::bind().await;
        let dialog = invitation.accept(&endpoint.media().setup("passive")).await;
        let msrp = endpoint.accept(&invitation.media()).await;
        msrp.expect_empty().await;
        (dialog, msrp)
    }

    #[tokio::test]
    async fn participant_joins_talks_and_leaves() {
        let focus = SipPeer::bind_udp().await;
        let daemon = Daemon::stand_in(focus.address()).await;
        let (alice, (dialog, switch)) =
            tokio::join!(Participant::join(&daemon, FRIENDS, ALICE), answer(&focus));
        assert_eq!(dialog.initial().asserted_uris(), [ALICE]);

        alice.say("hello").await;
        let message = switch.expect_text(ALICE, "hello").await;
        assert_eq!(message.cpim().to_uris(), [FRIENDS]);
        switch
            .send_ok(&Draft::text("sip:bob@example.com", FRIENDS, "hi"))
            .await;
        alice.expect_text("sip:bob@example.com", "hi").await;

        tokio::join!(alice.leave(), dialog.expect_bye());
    }

    #[tokio::test]
    async fn participant_removed_sees_bye_and_end() {
        let focus = SipPeer::bind_udp().await;
        let daemon = Daemon::stand_in(focus.address()).await;
        let (alice, (dialog, switch)) =
            tokio::join!(Participant::join(&daemon, FRIENDS, ALICE), answer(&focus));
        let remove = async {
            dialog.bye().await;
            drop(switch);
        };
        tokio::join!(alice.expect_removed(), remove);
    }

    // covers: CLI-7.1.1.3-01, CLI-7.1.1.3-04
    #[tokio::test]
    async fn ad_hoc_list_is_invited_through_the_proxy() {
        let (focus, proxy) = (SipPeer::bind_udp().await, SipPeer::bind_udp().await);
        let daemon = Daemon::stand_in(focus.address()).await;
        focus.set_next_hop(proxy.address());
        let play = async {
            let invitation = focus.expect_invite().await;
            let part = &invitation.request().parts()[1];
            assert_eq!(part.header("Content-Disposition"), Some("recipient-list"));
            let list = crate::sip::resource_list_uris(str::from_utf8(&part.body).unwrap());
            for uri in &list {
                let endpoint = MsrpEndpoint::bind().await;
                let invite = Invite::new(uri, ALICE).media(&endpoint.media().setup("actpass"));
                let dialog = focus.call(&invite).await;
                let leg = endpoint.accept(&dialog.remote_media()).await;
                leg.expect_empty().await;
                assert_eq!(dialog.remote_media().setup.as_deref(), Some("active"));
            }
            let endpoint = MsrpEndpoint::bind().await;
            invitation.accept(&endpoint.media()).await;
            let leg = endpoint.accept(&invitation.media()).await;
            leg.expect_empty().await;
        };
        let uris = ["sip:bob@example.com", "sip:carol@example.com"];
        let (session, ()) = tokio::join!(AdHoc::start(&daemon, &proxy, ALICE, &uris), play);
        assert_eq!(session.invitees[1].identity, uris[1]);
        assert!(
            session
                .inviter
                .room
                .starts_with("sip:conference-factory@127.0.0.1:"),
            "{}",
            session.inviter.room
        );
    }
}
