//! A request of ours before the way it goes is known: all but Via and what depends on the flow.

use rsipstack::sip;
use rsipstack::transaction::{make_uuid_v4, random_text};

use super::head::clean;
use super::net::Flow;
use super::screen::{stack_method, verbatim_uri};
use super::value;
use crate::ua::{Body, Headers, Method, Transport};

/// A request of ours.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// The method.
    pub(super) method: Method,
    /// The Request-URI.
    pub(super) uri: String,
    /// The Route values in order.
    pub(super) routes: Vec<String>,
    /// Whether the Request-URI is the first hop, because that hop is a strict router.
    pub(super) is_strict: bool,
    /// Call-ID.
    pub(super) call_id: String,
    /// From with its tag.
    pub(super) from: String,
    /// To, with a tag inside a dialog.
    pub(super) to: String,
    /// The number in CSeq.
    pub(super) cseq: u32,
    /// The Contact value.
    pub(super) contact: Contact,
    /// Further fields.
    pub(super) headers: Headers,
    /// The body.
    pub(super) body: Option<Body>,
}

/// The Contact field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Contact {
    /// None.
    Absent,
    /// The address of the flow.
    Ours,
    /// This value.
    Given(String),
}

impl Draft {
    /// A request with the same addresses and nothing else: CANCEL and ACK.
    pub(super) fn bare(self, method: Method) -> Self {
        Self {
            method,
            contact: Contact::Absent,
            headers: Headers::new(),
            body: None,
            ..self
        }
    }

    /// About how large the request will be.
    pub(super) fn octets(&self) -> usize {
        /// Names, line ends, Via, CSeq, Max-Forwards, Content-Length.
        const USUAL: usize = 260;
        let texts = [&self.uri, &self.call_id, &self.from, &self.to];
        let texts = texts.into_iter().chain(&self.routes).map(|t| t.len() + 10);
        let headers = self.headers.iter().map(|(n, v)| n.len() + v.len() + 4);
        let body = self.body.as_ref().map_or(0, |b| b.octets.len() + 60);
        texts.chain(headers).sum::<usize>() + body + USUAL
    }

    /// The URI that says where the request goes: the topmost route, else the Request-URI (RFC
    /// 3261 s.8.1.2).
    pub(super) fn next_hop(&self) -> &str {
        self.routes
            .first()
            .filter(|_| !self.is_strict)
            .and_then(|route| value::NameAddr::read(route))
            .map_or(self.uri.as_str(), |route| route.uri)
    }

    /// Applies a route set to a remote target (RFC 3261 s.12.2.1.1): a first route without `lr`
    /// takes the place of the Request-URI.
    pub(super) fn route(&mut self, target: &str, routes: &[String]) {
        let first = routes.first().and_then(|r| value::NameAddr::read(r));
        match first {
            Some(first) if !value::is_loose(first.uri) => {
                self.is_strict = true;
                self.uri = first.uri.to_owned();
                self.routes = routes.get(1..).unwrap_or_default().to_vec();
                self.routes.push(format!("<{target}>"));
            }
            _ => {
                self.uri = target.to_owned();
                self.routes = routes.to_vec();
            }
        }
    }

    /// The request as it goes on the wire; `None` when the stack has no word for its method or the
    /// Request-URI cannot be one.
    pub(super) fn build(
        &self,
        flow: &Flow,
        branch: &str,
        user_agent: &str,
    ) -> Option<sip::Request> {
        let method = stack_method(&self.method)?;
        if !value::is_uri(&self.uri) {
            return None;
        }
        let via = format!(
            "SIP/2.0/{} {};branch={branch};rport",
            flow.transport.to_string().to_ascii_uppercase(),
            flow.sent_by
        );
        let mut headers = vec![
            sip::Header::Via(via.into()),
            sip::Header::MaxForwards("70".into()),
        ];
        let routes = self.routes.iter().map(|r| clean(r));
        headers.extend(routes.map(|r| sip::Header::Route(r.into())));
        headers.push(sip::Header::From(clean(&self.from).into()));
        headers.push(sip::Header::To(clean(&self.to).into()));
        headers.push(sip::Header::CallId(clean(&self.call_id).into()));
        headers.push(sip::Header::CSeq(format!("{} {method}", self.cseq).into()));
        match &self.contact {
            Contact::Absent => {}
            Contact::Ours => headers.push(sip::Header::Contact(our_contact(flow).into())),
            Contact::Given(value) => headers.push(sip::Header::Contact(clean(value).into())),
        }
        headers.push(sip::Header::UserAgent(user_agent.into()));
        headers.extend(free_headers(&self.headers, true));
        let body = self.body.as_ref();
        headers.extend(body.map(content_type));
        let octets = body.map_or_else(Vec::new, |b| b.octets.clone());
        headers.push(sip::Header::ContentLength(octets.len().to_string().into()));
        Some(sip::Request {
            method,
            uri: verbatim_uri(&self.uri),
            version: sip::Version::V2,
            headers: headers.into(),
            body: octets,
        })
    }
}

/// The Content-Type field of a body.
pub(super) fn content_type(body: &Body) -> sip::Header {
    sip::Header::ContentType(clean(&body.content_type).into())
}

/// The value of Contact when the focus gives none.
pub(super) fn our_contact(flow: &Flow) -> String {
    match flow.transport {
        Transport::Udp => format!("<sip:{}>", flow.sent_by),
        Transport::Tcp => format!("<sip:{};transport=tcp>", flow.sent_by),
        Transport::Tls => format!("<sip:{};transport=tls>", flow.sent_by),
    }
}

/// The fields that the focus may write freely: all but those that are the engine's.
pub(super) fn free_headers(headers: &Headers, in_request: bool) -> Vec<sip::Header> {
    const ENGINE: [&str; 12] = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Max-Forwards",
        "Route",
        "Record-Route",
        "Content-Length",
        "Content-Type",
        "Server",
    ];
    headers
        .iter()
        .filter(|(name, _)| super::head::is_token(name))
        .filter(|(name, _)| {
            let is_own = ENGINE.iter().any(|e| e.eq_ignore_ascii_case(name));
            !is_own || (in_request && name.eq_ignore_ascii_case("Server"))
        })
        .filter(|(name, _)| !(in_request && name.eq_ignore_ascii_case("User-Agent")))
        .map(|(name, value)| sip::Header::Other(name.to_owned(), clean(value)))
        .collect()
}

/// A branch that nobody else has.
pub(super) fn new_branch() -> String {
    format!("z9hG4bK{}", random_text(16))
}

/// A tag that nobody else has.
pub(super) fn new_tag() -> String {
    random_text(12)
}

/// A Call-ID that nobody else has.
pub(super) fn new_call_id(domain: &str) -> String {
    format!("{}@{domain}", make_uuid_v4())
}
