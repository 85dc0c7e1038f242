//! The SIP dialog of a chat: INVITE, refreshes, BYE.
//!
//! ```text
//!   invite --2xx--> in the room --BYE of either side--> ended
//!      \---3xx and above, or a 2xx that cannot be used--> refused
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use msrp_sip::conference_view::{ConferenceView, Presence};
use msrp_sip::ua::{
    Answer, Body, DialogEnd, DialogId, Headers, Method, Origin, OutRequest, Request, Response,
    SipUa, TxnId, UaEvent,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::media::{OwnMedia, SwitchMedia};
use super::{JoinError, sip_head};

/// The events of a SIP engine.
pub(super) type UaEvents = mpsc::Receiver<UaEvent>;

/// Who invites itself into which room.
#[derive(Debug, Clone)]
pub(super) struct Invitation {
    /// The room's URI.
    pub(super) room: String,
    /// The client's URI.
    pub(super) identity: String,
    /// The client's name.
    pub(super) display: Option<String>,
    /// The Contact value.
    pub(super) contact: String,
}

/// A confirmed dialog.
pub(super) struct SipLeg<U> {
    ua: U,
    events: UaEvents,
    dialog: DialogId,
    media: OwnMedia,
    /// When the client has to refresh the session, and how often.
    refresh: Option<(Instant, Duration)>,
    refreshing: Option<TxnId>,
    /// When the subscription has to be refreshed.
    watch: Option<Instant>,
    watching: Option<TxnId>,
    view: ConferenceView,
    news: VecDeque<Presence>,
}

/// Something that the dialog tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SipEvent {
    /// Somebody came, left, or has another name.
    Presence(Presence),
    /// The dialog is over: why, as a part of a sentence.
    Ended(String),
}

impl<U: SipUa> SipLeg<U> {
    /// Sends the INVITE and waits until it is answered.
    ///
    /// # Errors
    /// [`JoinError::Refused`], [`JoinError::Answer`].
    pub(super) async fn invite(
        mut ua: U,
        mut events: UaEvents,
        invitation: &Invitation,
        media: OwnMedia,
    ) -> Result<(Self, SwitchMedia), JoinError> {
        let dialog = ua.invite(request(invitation, &media));
        let response = final_response(&mut ua, &mut events, dialog).await?;
        let refresh = sip_head::refresh_after(&response);
        let mut leg = Self {
            ua,
            events,
            dialog,
            media,
            refresh: refresh.map(|interval| (Instant::now() + interval, interval)),
            refreshing: None,
            watch: None,
            watching: None,
            view: ConferenceView::default(),
            news: VecDeque::new(),
        };
        match read_answer(&response).await {
            Ok(switch) => Ok((leg, switch)),
            Err(reason) => {
                leg.bye().await;
                Err(JoinError::Answer(reason))
            }
        }
    }

    /// Subscribes to who takes part, inside the dialog. Where that is refused nothing is told.
    ///
    /// # Spec
    /// CLI-7.1.1.11-01; RFC 4575 s.3.
    pub(super) fn watch(&mut self) {
        let headers = sip_head::of_subscribe();
        let asked = self
            .ua
            .request(self.dialog, Method::Subscribe, headers, None);
        self.watching = Some(asked);
        self.watch = None;
    }

    /// Keeps the dialog going until the other side ends it; tells who takes part, and why it ended.
    /// Losing the future loses nothing.
    pub(super) async fn next(&mut self) -> SipEvent {
        loop {
            if let Some(presence) = self.news.pop_front() {
                return SipEvent::Presence(presence);
            }
            let refresh_at = self.refresh.map_or_else(far, |(due, _)| due);
            let watch_at = self.watch.unwrap_or_else(far);
            tokio::select! {
                event = self.events.recv() => {
                    let Some(event) = event else {
                        return SipEvent::Ended("the SIP engine ended".to_owned());
                    };
                    if let Some(reason) = self.on_event(event) {
                        return SipEvent::Ended(reason);
                    }
                }
                () = sleep_until(refresh_at) => self.send_refresh(),
                () = sleep_until(watch_at) => self.watch(),
            }
        }
    }

    /// Ends the dialog and waits a while for the answer.
    pub(super) async fn bye(&mut self) {
        let bye = self.ua.bye(self.dialog, Headers::new());
        let answered = async {
            while let Some(event) = self.events.recv().await {
                let is_answer =
                    matches!(&event, UaEvent::Response { transaction, .. } if *transaction == bye);
                let is_crossing = matches!(&event, UaEvent::Ended { .. });
                if is_answer || is_crossing {
                    return;
                }
            }
        };
        // Without an answer the room learns of the end by the MSRP connection.
        let _ = timeout(BYE_TIME_MAX, answered).await;
    }

    fn send_refresh(&mut self) {
        let offer = Some(sdp(self.media.offer()));
        let headers = sip_head::of_refresh();
        let transaction = self.ua.request(self.dialog, Method::Invite, headers, offer);
        self.refreshing = Some(transaction);
        self.refresh = self
            .refresh
            .map(|(due, interval)| (due + interval, interval));
    }

    fn on_event(&mut self, event: UaEvent) -> Option<String> {
        match event {
            UaEvent::Ended { dialog, why } if dialog == self.dialog => {
                Some(end_reason(why).to_owned())
            }
            UaEvent::Response {
                transaction,
                response,
            } if self.refreshing == Some(transaction) => {
                self.refreshing = None;
                let is_gone = matches!(response.status, 408 | 481);
                is_gone
                    .then(|| format!("the room is gone: {} {}", response.status, response.reason))
            }
            UaEvent::Response {
                transaction,
                response,
            } if self.watching == Some(transaction) => {
                self.watching = None;
                let half = sip_head::resubscribe_after(&response);
                self.watch = half.map(|half| Instant::now() + half);
                None
            }
            UaEvent::Request {
                transaction,
                dialog,
                request,
                ..
            } => {
                let answer = match dialog {
                    Some(dialog) if dialog == self.dialog => self.answer_to(&request),
                    Some(_) | None => stranger_answer(&request),
                };
                self.ua.answer(transaction, answer);
                None
            }
            UaEvent::Invite { transaction, .. } => {
                self.ua
                    .answer(transaction, answer(480, Headers::new(), None));
                None
            }
            UaEvent::Ended { .. }
            | UaEvent::Response { .. }
            | UaEvent::InviteResponse { .. }
            | UaEvent::Established { .. }
            | UaEvent::Acknowledged { .. } => None,
        }
    }

    /// The answer to a request inside the dialog.
    fn answer_to(&mut self, request: &Request) -> Answer {
        let headers = sip_head::of_answer(&request.headers);
        match (&request.method, &request.body) {
            (Method::Invite, None) => answer(200, headers, Some(sdp(self.media.offer()))),
            (Method::Invite, Some(body)) => {
                let offer = String::from_utf8_lossy(&body.octets);
                match self.media.answer(&offer) {
                    Ok(text) => answer(200, headers, Some(sdp(text))),
                    Err(_) => answer(488, Headers::new(), None),
                }
            }
            (Method::Update | Method::Options, _) => answer(200, headers, None),
            (Method::Notify, body) => {
                if let Some(body) = body {
                    self.take_roster(body);
                }
                answer(200, Headers::new(), None)
            }
            _ => answer(405, headers, None),
        }
    }
}

impl<U> SipLeg<U> {
    /// What cannot be read tells nothing.
    fn take_roster(&mut self, body: &Body) {
        if body.content_type.starts_with(CONFERENCE_INFO)
            && let Ok(text) = std::str::from_utf8(&body.octets)
            && let Ok(news) = self.view.apply(text)
        {
            self.news.extend(news);
        }
    }
}

/// Waits for the final response to the INVITE.
async fn final_response<U: SipUa>(
    ua: &mut U,
    events: &mut UaEvents,
    invited: DialogId,
) -> Result<Response, JoinError> {
    loop {
        match events.recv().await {
            Some(UaEvent::InviteResponse { dialog, response }) if dialog == invited => {
                match response.status {
                    ..=199 => {}
                    200..=299 => return Ok(response),
                    _ => return Err(refusal(response)),
                }
            }
            Some(UaEvent::Invite { transaction, .. }) => {
                ua.answer(transaction, answer(480, Headers::new(), None));
            }
            Some(UaEvent::Request {
                transaction,
                request,
                ..
            }) => {
                ua.answer(transaction, stranger_answer(&request));
            }
            Some(_) => {}
            None => return Err(JoinError::Engine("the SIP engine ended".to_owned())),
        }
    }
}

fn request(invitation: &Invitation, media: &OwnMedia) -> OutRequest {
    let own = sip_head::name_addr(invitation.display.as_deref(), &invitation.identity);
    OutRequest {
        method: Method::Invite,
        uri: invitation.room.clone(),
        headers: sip_head::of_invite(&own),
        from: own,
        to: sip_head::name_addr(None, &invitation.room),
        contact: Some(invitation.contact.clone()),
        body: Some(sdp(media.offer())),
    }
}

fn refusal(response: Response) -> JoinError {
    match response.origin {
        Origin::Timeout | Origin::Transport => return JoinError::Unreachable,
        Origin::Peer => {}
    }
    let warning = sip_head::warnings(&response.headers).join(" ");
    JoinError::Refused {
        status: response.status,
        reason: response.reason,
        warning: Some(warning).filter(|w| !w.is_empty()),
    }
}

async fn read_answer(response: &Response) -> Result<SwitchMedia, String> {
    let body = response
        .body
        .as_ref()
        .ok_or("the answer has no session description")?;
    SwitchMedia::read(&String::from_utf8_lossy(&body.octets)).await
}

/// The answer to a request that does not belong to the dialog.
fn stranger_answer(request: &Request) -> Answer {
    let status = if request.method == Method::Options {
        200
    } else {
        405
    };
    answer(status, sip_head::of_answer(&Headers::new()), None)
}

fn answer(status: u16, headers: Headers, body: Option<Body>) -> Answer {
    Answer {
        status,
        reason: None,
        headers,
        body,
    }
}

fn sdp(text: String) -> Body {
    Body {
        content_type: "application/sdp".to_owned(),
        octets: text.into_bytes(),
    }
}

fn end_reason(why: DialogEnd) -> &'static str {
    match why {
        DialogEnd::Bye => "the room ended the session",
        DialogEnd::Cancelled | DialogEnd::NoAck => "the session was not completed",
        DialogEnd::TransportLost => "the SIP connection was lost",
    }
}

/// A time that does not come.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400 * 365)
}

/// The type of the documents that tell who takes part.
const CONFERENCE_INFO: &str = "application/conference-info+xml";
/// Longest wait for the answer to a BYE.
const BYE_TIME_MAX: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
