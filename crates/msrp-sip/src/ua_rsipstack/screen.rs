//! Judges a message before it reaches the stack: is it SIP, has it what every message must have,
//! can it be answered.
//!
//! The stack gets a light copy with the fields that transactions need; the whole message travels
//! beside it in our own types. So nothing that a peer writes elsewhere can make the stack drop or
//! change it.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::LazyLock;

use rsipstack::sip;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};

use super::head::{Head, is_token};
use super::value::{self, NameAddr, Via};
use crate::ua::{Body, Headers, Method};

/// A message that may go on.
#[derive(Debug, Clone)]
pub(super) struct Incoming {
    /// Its first line.
    pub(super) start: Start,
    /// All header fields.
    pub(super) headers: Headers,
    /// Its body.
    pub(super) body: Option<Body>,
    /// What names its transaction and its dialog.
    pub(super) ids: Ids,
    /// What the stack sees.
    pub(super) light: sip::SipMessage,
    /// Its transaction.
    pub(super) key: TransactionKey,
}

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Request-Line.
    Request {
        /// The method.
        method: Method,
        /// The Request-URI as it stood.
        uri: String,
    },
    /// Status-Line.
    Response {
        /// 100 to 699.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
}

/// The values that name transactions and dialogs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ids {
    /// The topmost Via as responses carry it.
    pub(super) via: String,
    /// All Via values below the topmost, field by field.
    pub(super) more_vias: Vec<String>,
    /// From, its parameters without blanks.
    pub(super) from: String,
    /// To, its parameters without blanks.
    pub(super) to: String,
    /// The tag in From.
    pub(super) from_tag: String,
    /// The tag in To.
    pub(super) to_tag: Option<String>,
    /// Call-ID.
    pub(super) call_id: String,
    /// CSeq as it stood.
    pub(super) cseq_value: String,
    /// The number in CSeq.
    pub(super) cseq: u32,
    /// Where a response to it goes when the transport is UDP.
    pub(super) reply_to: SocketAddr,
}

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Screened {
    /// It goes to the engine.
    Pass(Box<Incoming>),
    /// It is answered with these octets, to this address if the transport is UDP.
    Refuse(Vec<u8>, SocketAddr),
    /// It cannot be answered.
    Drop(&'static str),
}

/// What is wrong with a request, as status and reason phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// The status code.
    pub(super) status: u16,
    /// The reason phrase.
    pub(super) reason: &'static str,
}

impl Fault {
    /// A 400 with a phrase that names the fault.
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self {
            status: 400,
            reason,
        }
    }
}

/// Judges messages of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    server: String,
}

impl Screen {
    /// `server` stands in the Server field of refusals.
    pub(super) fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
        }
    }

    /// Judges a message. `found` is what its framing found wrong with it.
    pub(super) fn judge(
        &self,
        head: &Head,
        body: &[u8],
        source: SocketAddr,
        found: Option<Fault>,
    ) -> Screened {
        if head.start.starts_with("SIP/") {
            return match (found, response(head, body, source)) {
                (None, Some(incoming)) => Screened::Pass(Box::new(incoming)),
                _ => Screened::Drop("unreadable response"),
            };
        }
        let fault = match found {
            Some(fault) => fault,
            None => match request(head, body, source) {
                Ok(incoming) => return Screened::Pass(Box::new(incoming)),
                Err(fault) => fault,
            },
        };
        match self.refusal(head, source, fault) {
            Some((octets, to)) => Screened::Refuse(octets, to),
            None => Screened::Drop(fault.reason),
        }
    }

    /// The answer to a request that has the fields an answer needs, and where it goes.
    fn refusal(
        &self,
        head: &Head,
        source: SocketAddr,
        fault: Fault,
    ) -> Option<(Vec<u8>, SocketAddr)> {
        if head.start.split(' ').next() == Some("ACK") {
            return None;
        }
        let (via, more_vias) = vias(head)?;
        let via = Via::read(&via)?;
        let reply = Reply {
            status: fault.status,
            reason: fault.reason,
            via: &via.with_source(source),
            more_vias: &more_vias,
            from: head.first("From")?,
            to: head.first("To")?,
            call_id: head.first("Call-ID")?,
            cseq: head.first("CSeq")?,
            more: &[],
        };
        Some((self.write(&reply), via.reply_address(source)))
    }

    /// An answer to a good request that makes no transaction here.
    pub(super) fn answer(&self, ids: &Ids, fault: Fault, more: &[(&str, String)]) -> Vec<u8> {
        self.write(&Reply {
            status: fault.status,
            reason: fault.reason,
            via: &ids.via,
            more_vias: &ids.more_vias,
            from: &ids.from,
            to: &ids.to,
            call_id: &ids.call_id,
            cseq: &ids.cseq_value,
            more,
        })
    }

    fn write(&self, reply: &Reply<'_>) -> Vec<u8> {
        let mut text = format!("SIP/2.0 {} {}\r\n", reply.status, reply.reason);
        let mut line = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        };
        line("Via", reply.via);
        for via in reply.more_vias {
            line("Via", via);
        }
        line("From", reply.from);
        if NameAddr::read(reply.to).is_some_and(|to| to.tag().is_some()) {
            line("To", reply.to);
        } else {
            line("To", &format!("{};tag={}", reply.to, stateless_tag(reply)));
        }
        line("Call-ID", reply.call_id);
        line("CSeq", reply.cseq);
        for (name, value) in reply.more {
            line(name, value);
        }
        line("Server", &self.server);
        line("Content-Length", "0");
        text.push_str("\r\n");
        text.into_bytes()
    }
}

struct Reply<'a> {
    status: u16,
    reason: &'a str,
    via: &'a str,
    more_vias: &'a [String],
    from: &'a str,
    to: &'a str,
    call_id: &'a str,
    cseq: &'a str,
    more: &'a [(&'a str, String)],
}

/// A tag that is the same for each copy of a request (RFC 3261 s.8.2.7).
fn stateless_tag(reply: &Reply<'_>) -> String {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    format!(
        "{:016x}",
        KEYS.hash_one((reply.from, reply.call_id, reply.cseq))
    )
}

/// The topmost Via value and the others.
fn vias(head: &Head) -> Option<(String, Vec<String>)> {
    let mut fields = head.all("Via");
    let first = fields.next()?;
    let mut values = value::list(first);
    let top = values.next()?.to_owned();
    let mut more = Vec::new();
    let rest: Vec<_> = values.collect();
    if !rest.is_empty() {
        more.push(rest.join(", "));
    }
    more.extend(fields.map(str::to_owned));
    Some((top, more))
}

/// The one value of a field that must stand once.
fn single<'a>(
    head: &'a Head,
    name: &'a str,
    absent: &'static str,
    several: &'static str,
) -> Result<&'a str, Fault> {
    let mut values = head.all(name);
    let value = values.next().filter(|v| !v.is_empty());
    let value = value.ok_or(Fault::bad(absent))?;
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Fault::bad(several)),
    }
}

fn ids(head: &Head, source: SocketAddr, is_request: bool) -> Result<(Ids, String), Fault> {
    let (top, more_vias) = vias(head).ok_or(Fault::bad("Missing Via"))?;
    let via = Via::read(&top).ok_or(Fault::bad("Bad Via"))?;
    let from = single(head, "From", "Missing From", "Several From")?;
    let to = single(head, "To", "Missing To", "Several To")?;
    let call_id = single(head, "Call-ID", "Missing Call-ID", "Several Call-ID")?;
    let cseq_value = single(head, "CSeq", "Missing CSeq", "Several CSeq")?;
    let from_addr = NameAddr::read(from).ok_or(Fault::bad("Bad From"))?;
    let to_addr = NameAddr::read(to).ok_or(Fault::bad("Bad To"))?;
    let from_tag = from_addr.tag().ok_or(Fault::bad("Missing From Tag"))?;
    if call_id.contains([' ', '\t']) {
        return Err(Fault::bad("Bad Call-ID"));
    }
    let mut parts = cseq_value.split_ascii_whitespace();
    let cseq = parts
        .next()
        .filter(|n| n.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|n| n.parse().ok())
        .ok_or(Fault::bad("Bad CSeq"))?;
    let cseq_method = parts.next().ok_or(Fault::bad("Bad CSeq"))?.to_owned();
    if parts.next().is_some() {
        return Err(Fault::bad("Bad CSeq"));
    }
    let ids = Ids {
        via: if is_request {
            via.with_source(source)
        } else {
            via.without_source()
        },
        more_vias,
        from: from_addr.plain(from),
        to: to_addr.plain(to),
        from_tag: from_tag.to_owned(),
        to_tag: to_addr.tag().map(str::to_owned),
        call_id: call_id.to_owned(),
        cseq_value: cseq_value.to_owned(),
        cseq,
        reply_to: via.reply_address(source),
    };
    Ok((ids, cseq_method))
}

fn request(head: &Head, body: &[u8], source: SocketAddr) -> Result<Incoming, Fault> {
    let (method, uri) = request_line(&head.start)?;
    if let Some(fault) = head.fault {
        return Err(Fault::bad(fault));
    }
    let (ids, cseq_method) = ids(head, source, true)?;
    if cseq_method != method {
        return Err(Fault::bad("CSeq Method Does Not Match"));
    }
    let (method, stack_method) = known_method(method).ok_or(Fault {
        status: 501,
        reason: "Not Implemented",
    })?;
    if !value::is_uri(uri) {
        return Err(Fault::bad("Bad Request-URI"));
    }
    let light = sip::Request {
        method: stack_method,
        uri: verbatim_uri(uri),
        version: sip::Version::V2,
        headers: light_headers(&ids),
        body: Vec::new(),
    };
    let key = TransactionKey::from_request(&light, TransactionRole::Server)
        .map_err(|_| Fault::bad("Bad Via, From or CSeq"))?;
    // The stack must be able to name the dialog as well.
    rsipstack::dialog::DialogId::try_from((&light, TransactionRole::Server))
        .map_err(|_| Fault::bad("Bad To"))?;
    let headers = headers(head);
    Ok(Incoming {
        start: Start::Request {
            method,
            uri: uri.to_owned(),
        },
        body: body_of(&headers, body),
        headers,
        ids,
        light: light.into(),
        key,
    })
}

fn request_line(line: &str) -> Result<(&str, &str), Fault> {
    let mut parts = line.split(' ');
    let parts = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(method), Some(uri), Some(version), None) = parts else {
        return Err(Fault::bad("Bad Request-Line"));
    };
    if !is_token(method) {
        return Err(Fault::bad("Bad Method"));
    }
    match version {
        "SIP/2.0" => Ok((method, uri)),
        v if v.eq_ignore_ascii_case("SIP/2.0") => Ok((method, uri)),
        v if v.starts_with("SIP/") => Err(Fault {
            status: 505,
            reason: "Version Not Supported",
        }),
        _ => Err(Fault::bad("Bad Request-Line")),
    }
}

fn response(head: &Head, body: &[u8], source: SocketAddr) -> Option<Incoming> {
    if head.fault.is_some() {
        return None;
    }
    let mut parts = head.start.splitn(3, ' ');
    let version = parts.next()?;
    let status = parts.next()?;
    let reason = parts.next().unwrap_or("").to_owned();
    if !version.eq_ignore_ascii_case("SIP/2.0") || status.len() != 3 {
        return None;
    }
    let status: u16 = status.parse().ok().filter(|s| (100..700).contains(s))?;
    let (ids, cseq_method) = ids(head, source, false).ok()?;
    known_method(&cseq_method)?;
    let light = sip::Response {
        status_code: sip::StatusCode::try_from((status, reason.as_str())).ok()?,
        wire_reason: None,
        version: sip::Version::V2,
        headers: light_headers(&ids),
        body: Vec::new(),
    };
    let key = TransactionKey::from_response(&light, TransactionRole::Client).ok()?;
    let headers = headers(head);
    Some(Incoming {
        start: Start::Response { status, reason },
        body: body_of(&headers, body),
        headers,
        ids,
        light: light.into(),
        key,
    })
}

/// The fields by which the stack names transactions and dialogs, and which it copies into answers.
fn light_headers(ids: &Ids) -> sip::Headers {
    let mut headers = vec![sip::Header::Via(ids.via.clone().into())];
    headers.extend(
        ids.more_vias
            .iter()
            .map(|v| sip::Header::Via(v.clone().into())),
    );
    headers.push(sip::Header::From(ids.from.clone().into()));
    headers.push(sip::Header::To(ids.to.clone().into()));
    headers.push(sip::Header::CallId(ids.call_id.clone().into()));
    headers.push(sip::Header::CSeq(ids.cseq_value.clone().into()));
    headers.into()
}

fn headers(head: &Head) -> Headers {
    head.fields
        .iter()
        .fold(Headers::new(), |headers, (name, value)| {
            headers.with(name.as_str(), value)
        })
}

fn body_of(headers: &Headers, octets: &[u8]) -> Option<Body> {
    (!octets.is_empty()).then(|| Body {
        content_type: headers.first("Content-Type").unwrap_or("").to_owned(),
        octets: octets.to_vec(),
    })
}

/// A URI that the stack writes as it is. It never looks into it: each transaction has its
/// destination from us.
pub(super) fn verbatim_uri(text: &str) -> sip::Uri {
    sip::Uri {
        scheme: None,
        host_with_port: sip::HostWithPort {
            host: sip::Host::Domain(sip::Domain::from(text)),
            port: None,
        },
        ..sip::Uri::default()
    }
}

const METHODS: [(&str, Method, sip::Method); 14] = [
    ("INVITE", Method::Invite, sip::Method::Invite),
    ("ACK", Method::Ack, sip::Method::Ack),
    ("BYE", Method::Bye, sip::Method::Bye),
    ("CANCEL", Method::Cancel, sip::Method::Cancel),
    ("OPTIONS", Method::Options, sip::Method::Options),
    ("REGISTER", Method::Register, sip::Method::Register),
    ("MESSAGE", Method::Message, sip::Method::Message),
    ("REFER", Method::Refer, sip::Method::Refer),
    ("SUBSCRIBE", Method::Subscribe, sip::Method::Subscribe),
    ("NOTIFY", Method::Notify, sip::Method::Notify),
    ("UPDATE", Method::Update, sip::Method::Update),
    ("INFO", Method::Info, sip::Method::Info),
    ("PUBLISH", Method::Publish, sip::Method::Publish),
    ("PRACK", Method::Prack, sip::Method::PRack),
];

/// The method with this name; names differ by case (RFC 3261 s.7.1).
fn known_method(name: &str) -> Option<(Method, sip::Method)> {
    METHODS
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, method, stack)| (method.clone(), *stack))
}

/// The stack's word for a method, if it knows it.
pub(super) fn stack_method(method: &Method) -> Option<sip::Method> {
    METHODS
        .iter()
        .find(|(_, known, _)| known == method)
        .map(|(.., stack)| *stack)
}
