//! Datagrams in, datagrams out.

use std::net::SocketAddr;

use msrp_control::{
    BridgeEvent, BridgeId, BridgeLegState, BridgeState, Client, ControlError, ErrorCode, Event,
    Side,
};

use crate::calls::{Call, Calls, bridge_of};
use crate::cookies::Cookies;
use crate::limits::{COOKIE_OCTETS_MAX, DATAGRAM_OCTETS_MAX};
use crate::request::{Command, Encoding, NgError, Request};
use crate::value::Value;

/// What a proxy is told when no further call is taken.
const SESSION_LIMIT: &str = "Parallel session limit reached";

/// What a proxy is told when this node is to be spared: it tries another one.
const LOAD_LIMIT: &str = "Load limit exceeded";

const UNKNOWN_CALL: &str = "Unknown call-id";
const CALL_NOT_FOUND: &str = "Call-ID not found or tags didn't match";

/// Carries out the requests of proxies, one after the other.
///
/// Whoever drives it gives it every event of the engine ([`Service::handle_event`]), so that calls are forgotten when
/// their bridge ends.
pub struct Service {
    client: Client,
    calls: Calls,
    cookies: Cookies,
    started_ms: u64,
    requests: u64,
    errors: u64,
}

impl Service {
    /// A service without calls. `now_ms` is in milliseconds since 1970, here and below.
    #[must_use]
    pub fn new(client: Client, now_ms: u64) -> Self {
        Self {
            client,
            calls: Calls::default(),
            cookies: Cookies::default(),
            started_ms: now_ms,
            requests: 0,
            errors: 0,
        }
    }

    /// Answers a datagram. `None` for one without a cookie: there is nobody to answer.
    pub async fn handle_datagram(
        &mut self,
        now_ms: u64,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<Vec<u8>> {
        let space = datagram
            .iter()
            .take(COOKIE_OCTETS_MAX.saturating_add(1))
            .position(|octet| *octet == b' ')?;
        let (cookie, rest) = datagram.split_at_checked(space)?;
        let payload = rest.get(1..).unwrap_or_default();
        if cookie.is_empty() {
            return None;
        }
        if let Some(answer) = self.cookies.answer(now_ms, from, cookie) {
            return Some(answer.to_vec());
        }
        self.requests = self.requests.saturating_add(1);
        let (value, encoding) = match Request::parse(payload) {
            Ok((request, encoding)) => (self.carry_out(now_ms, request).await, encoding),
            Err((error, encoding)) => (Err(error), encoding),
        };
        let value = value.unwrap_or_else(|error| {
            self.errors = self.errors.saturating_add(1);
            tracing::info!(?error, "an ng request was not carried out");
            error.answer()
        });
        let answer = framed(cookie, &value, encoding);
        self.cookies.keep(now_ms, from, cookie, &answer);
        Some(answer)
    }

    /// Hears what happens in the engine.
    pub fn handle_event(&mut self, event: &Event) {
        if let Event::Bridge(BridgeEvent::Ended { bridge, .. }) = event {
            self.calls.forget(bridge);
        }
    }

    /// Events were lost: calls whose bridge is gone are forgotten.
    pub async fn resync(&mut self) {
        for bridge in self.calls.bridges() {
            let state = self.client.bridge(bridge.clone()).await;
            if state.is_err_and(|error| error.code == ErrorCode::NoSuchBridge) {
                self.calls.forget(&bridge);
            }
        }
    }

    async fn carry_out(&mut self, now_ms: u64, request: Request) -> Result<Value, NgError> {
        let now_s = now_ms / MS_PER_S;
        match request.command {
            Command::Ping => Ok(Value::dictionary([("result", "pong".into())])),
            Command::Offer => self.offer(now_s, request).await,
            Command::Answer => self.answer(now_s, request).await,
            Command::Delete => self.delete(request).await,
            Command::Query => self.query(request).await,
            Command::List => {
                let calls = self.calls.list(request.limit).map(Value::from);
                Ok(ok([("calls", Value::List(calls.collect()))]))
            }
            Command::Statistics => self.statistics(now_ms).await,
        }
    }

    async fn offer(&mut self, now_s: u64, request: Request) -> Result<Value, NgError> {
        let call_id = needed(request.call_id, "call-id")?;
        let from_tag = needed(request.from_tag, "from-tag")?;
        let sdp = request
            .sdp
            .ok_or_else(|| NgError::because("No SDP body in message"))?;
        let known = self.calls.get(&call_id);
        let sdp = match known.map(|call| (call.bridge.clone(), call.side(&from_tag))) {
            Some((bridge, Some(side))) => {
                let offered = self.client.reoffer_bridge(bridge, side, sdp).await;
                self.noted(now_s, &call_id, offered)?
            }
            Some((_, None)) => return Err(NgError::because(CALL_NOT_FOUND)),
            None => {
                let bridge = bridge_of(&call_id).ok_or_else(|| NgError::because(UNKNOWN_CALL))?;
                let config = request.options.config();
                let made = self.client.create_bridge(bridge.clone(), sdp, config);
                let made = made.await.map_err(|error| ng_error(&error))?;
                let call = Call {
                    bridge,
                    from_tag,
                    to_tag: None,
                    created_s: now_s,
                    signalled_s: now_s,
                };
                self.calls.insert(&call_id, call);
                made
            }
        };
        Ok(ok([("sdp", sdp.into())]))
    }

    async fn answer(&mut self, now_s: u64, request: Request) -> Result<Value, NgError> {
        let call_id = needed(request.call_id, "call-id")?;
        needed(request.from_tag, "from-tag")?;
        let to_tag = needed(request.to_tag, "to-tag")?;
        let sdp = request
            .sdp
            .ok_or_else(|| NgError::because("No SDP body in message"))?;
        let call = self.calls.get_mut(&call_id);
        let call = call.ok_or_else(|| NgError::because(UNKNOWN_CALL))?;
        // Of several branches the one that answers last has the call.
        if call.from_tag != to_tag {
            call.to_tag = Some(to_tag);
        }
        let bridge = call.bridge.clone();
        let answered = self.client.answer_bridge(bridge, sdp).await;
        let sdp = self.noted(now_s, &call_id, answered)?;
        Ok(ok([("sdp", sdp.into())]))
    }

    /// Notes that something was said about a call. One that the engine does not know any more is forgotten.
    fn noted<T>(
        &mut self,
        now_s: u64,
        call_id: &str,
        result: Result<T, ControlError>,
    ) -> Result<T, NgError> {
        if let Some(call) = self.calls.get_mut(call_id) {
            call.signalled_s = now_s;
            let bridge = call.bridge.clone();
            if matches!(&result, Err(error) if error.code == ErrorCode::NoSuchBridge) {
                self.calls.forget(&bridge);
            }
        }
        result.map_err(|error| ng_error(&error))
    }

    async fn delete(&mut self, request: Request) -> Result<Value, NgError> {
        let call_id = needed(request.call_id, "call-id")?;
        let is_party = |call: &&Call| {
            let tag = request.from_tag.as_deref();
            tag.is_none_or(|tag| call.side(tag).is_some())
        };
        let call = self.calls.get(&call_id).filter(is_party).cloned();
        let ended = match call {
            Some(call) => {
                let state = self.client.delete_bridge(call.bridge.clone()).await;
                self.calls.forget(&call.bridge);
                state.ok().map(|state| (call, state))
            }
            None => None,
        };
        match ended {
            Some((call, state)) => Ok(described(&call, &state)),
            None if request.options.is_fatal => Err(NgError::because(CALL_NOT_FOUND)),
            None => Ok(ok([("warning", CALL_NOT_FOUND.into())])),
        }
    }

    async fn query(&mut self, request: Request) -> Result<Value, NgError> {
        let call_id = needed(request.call_id, "call-id")?;
        let unknown = || NgError::because(UNKNOWN_CALL);
        let call = self.calls.get(&call_id).cloned().ok_or_else(unknown)?;
        let state = self.client.bridge(call.bridge.clone()).await;
        match state {
            Ok(state) => Ok(described(&call, &state)),
            Err(error) => {
                self.forget_gone(&call.bridge, &error);
                Err(ng_error(&error))
            }
        }
    }

    fn forget_gone(&mut self, bridge: &BridgeId, error: &ControlError) {
        if error.code == ErrorCode::NoSuchBridge {
            self.calls.forget(bridge);
        }
    }

    async fn statistics(&self, now_ms: u64) -> Result<Value, NgError> {
        let totals = self.client.bridge_totals().await;
        let totals = totals.map_err(|error| ng_error(&error))?;
        let current = Value::dictionary([
            ("sessionsown", totals.bridges.into()),
            ("sessionsforeign", 0.into()),
            ("sessionstotal", totals.bridges.into()),
            ("unanswered", totals.unanswered.into()),
        ]);
        let uptime_s = now_ms.saturating_sub(self.started_ms) / MS_PER_S;
        let all = Value::dictionary([
            ("uptime", uptime_s.into()),
            ("managedsessions", totals.started.into()),
            ("rejectedsessions", totals.refused.into()),
        ]);
        let control = Value::dictionary([
            ("requests", self.requests.into()),
            ("errors", self.errors.into()),
        ]);
        let statistics = Value::dictionary([
            ("currentstatistics", current),
            ("totalstatistics", all),
            ("controlstatistics", control),
        ]);
        Ok(ok([("statistics", statistics)]))
    }
}

/// The cookie, a blank, and the answer.
fn framed(cookie: &[u8], value: &Value, encoding: Encoding) -> Vec<u8> {
    let frame = |value: &Value| [cookie, b" ", &encoding.encode(value)].concat();
    let answer = frame(value);
    if answer.len() <= DATAGRAM_OCTETS_MAX {
        return answer;
    }
    frame(&NgError::because("The answer does not fit into a datagram").answer())
}

fn ok<const N: usize>(more: [(&str, Value); N]) -> Value {
    let mut entries = vec![(b"result".to_vec(), Value::from("ok"))];
    let more = more.into_iter();
    entries.extend(more.map(|(name, value)| (name.as_bytes().to_vec(), value)));
    Value::Dictionary(entries)
}

fn needed(value: Option<String>, name: &str) -> Result<String, NgError> {
    value
        .filter(|text| !text.is_empty())
        .ok_or_else(|| NgError::Failed(format!("No {name} in message")))
}

/// What a call does, by tag and in sum.
fn described(call: &Call, state: &BridgeState) -> Value {
    let [offerer, answerer] = state.legs;
    let tags = Side::BOTH.map(|side| (side, tag(call, side), tag(call, side.other())));
    let tags = tags.into_iter().filter_map(|(side, own, other)| {
        let leg = match side {
            Side::Offerer => offerer,
            Side::Answerer => answerer,
        };
        let own = own?;
        Some((own.as_bytes().to_vec(), party(call, own, other, leg)))
    });
    let totals = Value::dictionary([
        (
            "messages",
            offerer.messages.saturating_add(answerer.messages).into(),
        ),
        (
            "bytes",
            offerer.octets.saturating_add(answerer.octets).into(),
        ),
        (
            "errors",
            offerer.failed.saturating_add(answerer.failed).into(),
        ),
    ]);
    ok([
        ("created", call.created_s.into()),
        ("last signal", call.signalled_s.into()),
        ("tags", Value::Dictionary(tags.collect())),
        ("totals", Value::dictionary([("MSRP", totals)])),
    ])
}

fn tag(call: &Call, side: Side) -> Option<&str> {
    match side {
        Side::Offerer => Some(&call.from_tag),
        Side::Answerer => call.to_tag.as_deref(),
    }
}

fn party(call: &Call, own: &str, other: Option<&str>, leg: BridgeLegState) -> Value {
    let stats = Value::dictionary([
        ("messages", leg.messages.into()),
        ("bytes", leg.octets.into()),
        ("errors", leg.failed.into()),
    ]);
    let media = Value::dictionary([
        ("index", 1.into()),
        ("type", "message".into()),
        ("state", leg.link.as_str().into()),
        ("stats", stats),
    ]);
    Value::dictionary([
        ("tag", own.into()),
        ("created", call.created_s.into()),
        ("in dialogue with", other.unwrap_or_default().into()),
        ("medias", Value::List(vec![media])),
    ])
}

/// The one table from the engine's codes to what proxies understand.
fn ng_error(error: &ControlError) -> NgError {
    match error.code {
        ErrorCode::Limit => NgError::LoadLimit(SESSION_LIMIT),
        ErrorCode::Draining | ErrorCode::Unavailable => NgError::LoadLimit(LOAD_LIMIT),
        ErrorCode::NoSuchBridge => NgError::because(UNKNOWN_CALL),
        ErrorCode::MalformedSdp => {
            NgError::Failed(format!("Failed to parse SDP: {}", error.detail))
        }
        ErrorCode::RoomExists
        | ErrorCode::NoSuchRoom
        | ErrorCode::ParticipantExists
        | ErrorCode::NoSuchParticipant
        | ErrorCode::BridgeExists
        | ErrorCode::WrongState
        | ErrorCode::NotAcceptable
        | ErrorCode::MalformedAddress
        | ErrorCode::MalformedContent => NgError::Failed(error.detail.clone()),
    }
}

const MS_PER_S: u64 = 1000;
