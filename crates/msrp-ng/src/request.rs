//! A request: its command, its call and what it wants.

use msrp_control::{BridgeConfig, BridgeLeg};

use crate::limits::{LIST_DEFAULT, LIST_MAX, NAME_OCTETS_MAX};
use crate::value::Value;
use crate::{bencode, json};

/// How a request is written, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Bencode.
    Bencode,
    /// JSON.
    Json,
}

impl Encoding {
    /// Writes an answer.
    #[must_use]
    pub fn encode(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Bencode => bencode::encode(value),
            Self::Json => json::encode(value),
        }
    }
}

/// Why a request was not carried out, as its answer says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NgError {
    /// `error`, with this reason.
    Failed(String),
    /// `load limit`, with this message: the proxy tries another node.
    LoadLimit(&'static str),
}

impl NgError {
    pub(crate) fn because(reason: &str) -> Self {
        Self::Failed(reason.to_owned())
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> Value {
        match self {
            Self::Failed(reason) => Value::dictionary([
                ("result", "error".into()),
                ("error-reason", reason.as_str().into()),
            ]),
            Self::LoadLimit(message) => Value::dictionary([
                ("result", "load limit".into()),
                ("message", (*message).into()),
            ]),
        }
    }
}

/// The commands that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Asks whether anybody is there.
    Ping,
    /// Gives an offer.
    Offer,
    /// Gives an answer.
    Answer,
    /// Ends a call.
    Delete,
    /// Asks what a call does.
    Query,
    /// Asks which calls there are.
    List,
    /// Asks for the sums of the node.
    Statistics,
}

impl Command {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ping" => Self::Ping,
            "offer" => Self::Offer,
            "answer" => Self::Answer,
            "delete" => Self::Delete,
            "query" => Self::Query,
            "list" => Self::List,
            "statistics" => Self::Statistics,
            _ => return None,
        })
    }
}

/// One request, read.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// The Call-ID.
    pub call_id: Option<String>,
    /// The tag in From.
    pub from_tag: Option<String>,
    /// The tag in To.
    pub to_tag: Option<String>,
    /// The session description.
    pub sdp: Option<String>,
    /// Most calls of a list.
    pub limit: usize,
    /// Everything else that is understood.
    pub options: Options,
}

/// What is wanted beyond the usual. What is not understood is ignored, as proxies rely on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether a call that is not found is an error.
    pub is_fatal: bool,
    /// Whether the host in the `o=` line is replaced.
    pub replaces_origin: bool,
    /// The listeners towards the offerer and the answerer.
    pub listeners: [Option<String>; 2],
}

impl Request {
    /// Reads the part of a datagram behind its cookie.
    ///
    /// # Errors
    /// [`NgError::Failed`] with the reason, and the encoding in which to say so.
    pub fn parse(octets: &[u8]) -> Result<(Self, Encoding), (NgError, Encoding)> {
        let encoding = match octets.first() {
            Some(b'{') => Encoding::Json,
            _ => Encoding::Bencode,
        };
        let value = match encoding {
            Encoding::Json => json::decode(octets),
            Encoding::Bencode => bencode::decode(octets).ok(),
        };
        let value = value.filter(|value| matches!(value, Value::Dictionary(_)));
        let request = value
            .ok_or_else(|| NgError::because("Could not decode dictionary"))
            .and_then(|value| Self::read(&value));
        request
            .map(|request| (request, encoding))
            .map_err(|error| (error, encoding))
    }

    fn read(value: &Value) -> Result<Self, NgError> {
        let command = value.get("command").and_then(Value::text);
        let command =
            command.ok_or_else(|| NgError::because("Dictionary contains no key \"command\""))?;
        let command =
            Command::parse(command).ok_or_else(|| NgError::because("Unrecognized command"))?;
        let text = |name: &str| value.get(name).and_then(Value::text).map(str::to_owned);
        let limit = value.get("limit").and_then(Value::number);
        let limit = limit.map_or(LIST_DEFAULT, |n| usize::try_from(n).unwrap_or(LIST_MAX));
        let mut request = Self {
            command,
            call_id: text("call-id"),
            from_tag: text("from-tag"),
            to_tag: text("to-tag"),
            sdp: text("sdp"),
            limit: limit.min(LIST_MAX),
            options: Options::default(),
        };
        request.read_options(value);
        for (name, text) in [
            ("call-id", &request.call_id),
            ("from-tag", &request.from_tag),
            ("to-tag", &request.to_tag),
        ] {
            if text
                .as_ref()
                .is_some_and(|text| text.len() > NAME_OCTETS_MAX)
            {
                return Err(NgError::Failed(format!("The {name} is too long")));
            }
        }
        Ok(request)
    }

    fn read_options(&mut self, value: &Value) {
        let options = &mut self.options;
        for flag in value.get("flags").into_iter().flat_map(Value::texts) {
            options.take_flag(flag);
        }
        for what in value.get("replace").into_iter().flat_map(Value::texts) {
            options.take_replace(what);
        }
        let directions = value.get("direction").into_iter().flat_map(Value::texts);
        for (listener, name) in options.listeners.iter_mut().zip(directions) {
            *listener = Some(name.to_owned());
        }
        let raw = ["rtpp-flags", "rtpp_flags"].map(|name| value.get(name));
        let raw = raw.into_iter().flatten().find_map(Value::text);
        for word in raw.unwrap_or_default().split_ascii_whitespace() {
            self.take_word(word);
        }
        if let Some(protocol) = value.get("transport-protocol").and_then(Value::text) {
            self.options.take_protocol(protocol);
        }
    }

    /// One word of the raw flags, as a script gives them.
    fn take_word(&mut self, word: &str) {
        let (name, given) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "call-id" => self.call_id = Some(given.to_owned()),
            "from-tag" => self.from_tag = Some(given.to_owned()),
            "to-tag" if !given.is_empty() => self.to_tag = Some(given.to_owned()),
            "transport-protocol" => self.options.take_protocol(given),
            "direction" | "from-interface" | "to-interface" => {
                self.options.take_interface(name, given);
            }
            "replace" => self.options.take_replace(given),
            _ => self.options.take_flag(word),
        }
    }
}

impl Options {
    /// What the engine has to know of it.
    #[must_use]
    pub fn config(&self) -> BridgeConfig {
        let leg = |listener: &Option<String>| BridgeLeg {
            listener: listener.clone(),
            ..BridgeLeg::default()
        };
        let [offerer, answerer] = &self.listeners;
        BridgeConfig {
            legs: [leg(offerer), leg(answerer)],
            replaces_origin: self.replaces_origin,
        }
    }

    fn take_flag(&mut self, flag: &str) {
        match flag {
            "fatal" => self.is_fatal = true,
            "TCP/MSRP" | "TCP/TLS/MSRP" => self.take_protocol(flag),
            _ => {
                if let Some(what) = flag.strip_prefix("replace-") {
                    self.take_replace(what);
                }
            }
        }
    }

    fn take_replace(&mut self, what: &str) {
        // The connection line is always ours, so there is nothing to do for it.
        if what == "origin" {
            self.replaces_origin = true;
        }
    }

    /// What the other side is offered, unless a listener is named.
    fn take_protocol(&mut self, protocol: &str) {
        let kind = match protocol {
            "TCP/MSRP" => "tcp",
            "TCP/TLS/MSRP" => "tls",
            _ => return,
        };
        let [_, answerer] = &mut self.listeners;
        answerer.get_or_insert_with(|| kind.to_owned());
    }

    /// The first direction is that of the offerer, the second that of the other side.
    fn take_interface(&mut self, name: &str, listener: &str) {
        let [offerer, answerer] = &mut self.listeners;
        let place = match name {
            "from-interface" => offerer,
            "to-interface" => answerer,
            _ if offerer.is_none() => offerer,
            _ => answerer,
        };
        *place = Some(listener.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Request {
        Request::parse(octets).unwrap().0
    }

    #[test]
    fn request_in_both_encodings_is_the_same() {
        let bencode = b"d7:call-id1:c8:from-tag1:f5:flagsl5:fatal7:unknowne7:replacel6:origin18:session-connectione7:command6:deletee";
        let json = br#"{"call-id":"c","from-tag":"f","flags":["fatal","unknown"],"replace":["origin"],"command":"delete"}"#;
        let expected = Options {
            is_fatal: true,
            replaces_origin: true,
            ..Options::default()
        };
        for (octets, encoding) in [(&bencode[..], Encoding::Bencode), (json, Encoding::Json)] {
            let (request, written) = Request::parse(octets).unwrap();
            assert_eq!(written, encoding);
            assert_eq!(request.command, Command::Delete);
            assert_eq!(request.call_id.as_deref(), Some("c"));
            assert_eq!(request.from_tag.as_deref(), Some("f"));
            assert_eq!(request.options, expected);
        }
    }

    #[test]
    fn request_raw_flags_are_understood() {
        let json = br#"{"command":"offer","rtpp_flags":"replace-origin TCP/TLS/MSRP trust-address to-tag=t direction=inside direction=outside fatal"}"#;
        let request = read(json);
        assert_eq!(request.to_tag.as_deref(), Some("t"));
        assert!(request.options.replaces_origin && request.options.is_fatal);
        let names = request.options.listeners.map(Option::unwrap);
        assert_eq!(names[0], "inside");
        assert_eq!(names[1], "outside");
    }

    #[test]
    fn request_listeners_follow_direction_and_protocol() {
        let json = br#"{"command":"offer","transport-protocol":"TCP/TLS/MSRP"}"#;
        let config = read(json).options.config();
        assert_eq!(config.legs[0].listener, None);
        assert_eq!(config.legs[1].listener.as_deref(), Some("tls"));
        let json = br#"{"command":"offer","direction":["a","b"],"transport-protocol":"TCP/MSRP"}"#;
        let config = read(json).options.config();
        assert_eq!(config.legs[1].listener.as_deref(), Some("b"));
        let json = br#"{"command":"offer","transport-protocol":"RTP/AVP"}"#;
        assert_eq!(read(json).options, Options::default());
    }

    #[test]
    fn request_that_is_none_says_why() {
        for (octets, reason) in [
            (&b"d1:a"[..], "Could not decode dictionary"),
            (b"4:ping", "Could not decode dictionary"),
            (b"{]", "Could not decode dictionary"),
            (b"de", "Dictionary contains no key \"command\""),
            (b"d7:command4:pinee", "Unrecognized command"),
        ] {
            let error = Request::parse(octets).unwrap_err().0;
            assert_eq!(error, NgError::because(reason));
        }
    }
}
