//! What a REFER asks for.
//!
//! # Spec
//! RFC 3515 s.2.1, s.2.4.2; RFC 4488 s.4; RFC 5368 s.4 to s.7; CTRL-7.2.1.7, CTRL-7.2.1.8; AMB-16,
//! AMB-17, AMB-59.

use std::collections::HashSet;

use crate::address::{NameAddr, Uri};
use crate::focus::admission::LIST;
use crate::focus::headers::has_token;
use crate::focus::refusal::Refusal;
use crate::multipart::{self, Part};
use crate::resource_lists::{self, Entry};
use crate::ua::{Headers, Request};

/// What a REFER asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// What is to be done.
    pub(crate) action: Action,
    /// With whom, each once. Not empty.
    pub(crate) targets: Vec<Entry>,
    /// Whether the targets came as a list.
    pub(crate) is_list: bool,
    /// Whether the referrer wants no reports.
    pub(crate) is_quiet: bool,
}

/// What is to be done with the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// They are invited.
    Add,
    /// They are removed.
    Remove,
}

impl Reference {
    /// Reads a REFER.
    ///
    /// # Errors
    /// [`Refusal::MalformedHeader`], [`Refusal::MalformedBody`] -> 400,
    /// [`Refusal::FunctionForbidden`] -> 403 for methods that are not carried out.
    pub(crate) fn read(request: &Request) -> Result<Self, Refusal> {
        let value = refer_to(&request.headers)?;
        let is_quiet = is_quiet(&request.headers);
        if let Some(id) = content_id(value) {
            let (action, targets) = read_list(request, &id)?;
            return Ok(Self {
                action,
                targets,
                is_list: true,
                is_quiet,
            });
        }
        let target = NameAddr::parse(value).map_err(|_| MALFORMED)?;
        Ok(Self {
            action: action_of(&target.uri)?,
            targets: vec![entry_of(&target.uri, target.display_name)?],
            is_list: false,
            is_quiet,
        })
    }
}

/// The one Refer-To value.
fn refer_to(headers: &Headers) -> Result<&str, Refusal> {
    let mut values = headers.all("Refer-To");
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.trim()),
        (Some(_), Some(_)) | (None, _) => Err(MALFORMED),
    }
}

/// The part of the body that a cid address names.
///
/// # Spec
/// RFC 2392 s.2.
fn content_id(value: &str) -> Option<String> {
    let (_, rest) = value.split_once('<').unwrap_or(("", value));
    let uri = rest.split('>').next()?.trim();
    let scheme = uri.get(..4)?;
    let id = uri
        .get(4..)
        .filter(|_| scheme.eq_ignore_ascii_case("cid:"))?;
    Some(unescape(id))
}

fn unescape(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        octets.push(escaped.unwrap_or(*first));
        rest = match escaped {
            Some(_) => tail.get(2..).unwrap_or_default(),
            None => tail,
        };
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn read_list(request: &Request, id: &str) -> Result<(Action, Vec<Entry>), Refusal> {
    let body = request.body.as_ref().ok_or_else(no_list)?;
    let mut parts = multipart::divide(body).map_err(|e| Refusal::MalformedBody(e.to_string()))?;
    if let [part] = parts.as_mut_slice()
        && part.content_id.is_none()
    {
        let own = request.headers.first("Content-ID");
        part.content_id = own.map(|v| v.trim().trim_matches(['<', '>']).to_owned());
    }
    let is_it =
        |p: &&Part| p.media_type == LIST && p.content_id.as_deref().is_none_or(|own| own == id);
    let part = parts.iter().find(is_it).ok_or_else(no_list)?;
    let entries =
        resource_lists::parse(&part.octets).map_err(|e| Refusal::MalformedBody(e.to_string()))?;
    let action = entries.first().ok_or_else(no_list)?;
    let action = action_of(&action.uri)?;
    let mut seen = HashSet::new();
    let mut targets = Vec::new();
    for entry in entries {
        if action_of(&entry.uri)? != action {
            return Err(Refusal::MalformedBody(
                "The resource list mixes methods".into(),
            ));
        }
        if seen.insert(entry.uri.key()) {
            targets.push(Entry {
                replaces: entry.replaces,
                ..entry_of(&entry.uri, entry.display_name)?
            });
        }
    }
    Ok((action, targets))
}

/// # Spec
/// CTRL-7.2.1.7-01, CTRL-7.2.1.8-01.
fn action_of(uri: &Uri) -> Result<Action, Refusal> {
    match uri.parameter("method") {
        None => Ok(Action::Add),
        Some(method) if method.eq_ignore_ascii_case("INVITE") => Ok(Action::Add),
        Some(method) if method.eq_ignore_ascii_case("BYE") => Ok(Action::Remove),
        Some(_) => Err(Refusal::FunctionForbidden),
    }
}

/// The target without the method: RFC 3261 s.19.1.5 does not send it on.
fn entry_of(uri: &Uri, display_name: Option<String>) -> Result<Entry, Refusal> {
    let mut words = uri.as_str().split(';');
    let mut text = words.next().unwrap_or_default().to_owned();
    let is_method = |word: &str| {
        let name = word.split('=').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("method")
    };
    for word in words.filter(|word| !is_method(word)) {
        text.push(';');
        text.push_str(word);
    }
    let uri = Uri::parse(&text).map_err(|_| MALFORMED)?;
    Ok(Entry {
        uri,
        display_name,
        replaces: None,
    })
}

/// # Spec
/// RFC 4488 s.4; AMB-59.
fn is_quiet(headers: &Headers) -> bool {
    let says = |name, word| {
        headers
            .first(name)
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    says("Refer-Sub", "false") || says("Norefer-Sub", "true")
}

/// Whether the referrer says that its Refer-To is a list.
pub(crate) fn requires_list(headers: &Headers) -> bool {
    has_token(headers, "Require", "multiple-refer")
}

fn no_list() -> Refusal {
    Refusal::MalformedBody("The request has no resource list that Refer-To names".into())
}

const MALFORMED: Refusal = Refusal::MalformedHeader("Refer-To");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::{Body, Method};

    fn request(headers: Headers, body: Option<Body>) -> Request {
        Request {
            method: Method::Refer,
            uri: "sip:c@h".into(),
            headers,
            body,
        }
    }

    fn read(refer_to: &str) -> Result<Reference, Refusal> {
        Reference::read(&request(Headers::new().with("Refer-To", refer_to), None))
    }

    fn list(entries: &[&str]) -> Vec<u8> {
        let entries: String = entries
            .iter()
            .map(|uri| format!("<entry uri=\"{uri}\"/>"))
            .collect();
        format!("<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{entries}</list></resource-lists>").into_bytes()
    }

    fn uris(reference: &Reference) -> Vec<&str> {
        reference.targets.iter().map(|t| t.uri.as_str()).collect()
    }

    #[test]
    fn reference_names_one_target_and_what_to_do() {
        let added = read("\"Bob\" <sip:bob@example.com;method=INVITE;transport=tcp>").unwrap();
        assert_eq!(added.action, Action::Add);
        assert_eq!(uris(&added), ["sip:bob@example.com;transport=tcp"]);
        assert_eq!(added.targets[0].display_name.as_deref(), Some("Bob"));
        assert!(!added.is_list && !added.is_quiet);
        assert_eq!(read("sip:bob@example.com").unwrap().action, Action::Add);
        let removed = read("<sip:bob@example.com;method=BYE>").unwrap();
        assert_eq!(
            (removed.action, uris(&removed)),
            (Action::Remove, vec!["sip:bob@example.com"])
        );
        assert_eq!(
            read("<sip:b@h;method=MESSAGE>"),
            Err(Refusal::FunctionForbidden)
        );
    }

    #[test]
    fn reference_needs_one_refer_to_that_can_be_read() {
        let none = request(Headers::new(), None);
        let two = Headers::new()
            .with("Refer-To", "<sip:a@h>")
            .with("Refer-To", "<sip:b@h>");
        for request in [none, request(two, None)] {
            assert_eq!(Reference::read(&request), Err(MALFORMED));
        }
        for value in ["", "<", "<http://h>", "<sip:a@h?Replaces=x>", "sip:"] {
            assert_eq!(read(value), Err(MALFORMED), "{value}");
        }
    }

    #[test]
    fn reference_to_a_list_names_each_target_once() {
        let headers = Headers::new()
            .with("Refer-To", "<cid:l%31@h>")
            .with("Content-ID", "<l1@h>")
            .with("Refer-Sub", "false;x=y");
        let body = |entries: &[&str]| {
            Some(Body {
                content_type: LIST.into(),
                octets: list(entries),
            })
        };
        let entries = ["sip:a@h", "sip:b@h;method=INVITE", "sip:a@H"];
        let reference = Reference::read(&request(headers.clone(), body(&entries))).unwrap();
        assert_eq!(uris(&reference), ["sip:a@h", "sip:b@h"]);
        assert!(reference.is_list && reference.is_quiet);
        let mixed = ["sip:a@h", "sip:b@h;method=BYE"];
        for body in [None, body(&[]), body(&mixed)] {
            let refused = Reference::read(&request(headers.clone(), body));
            assert!(
                matches!(refused, Err(Refusal::MalformedBody(_))),
                "{refused:?}"
            );
        }
        let other = Headers::new()
            .with("Refer-To", "<cid:l2@h>")
            .with("Content-ID", "<l1@h>");
        assert!(Reference::read(&request(other, body(&entries))).is_err());
    }

    #[test]
    fn reference_finds_its_list_among_parts() {
        let list = String::from_utf8(list(&["sip:b@h"])).unwrap();
        let text = format!(
            "--b\r\nContent-Type: text/plain\r\nContent-ID: <x@h>\r\n\r\nhi\r\n--b\r\n\
             Content-Type: {LIST}\r\nContent-ID: <l@h>\r\nContent-Disposition: recipient-list\r\n\r\n{list}\r\n--b--\r\n"
        );
        let body = Body {
            content_type: "multipart/mixed;boundary=b".into(),
            octets: text.into_bytes(),
        };
        let headers = Headers::new().with("Refer-To", "<CID:l@h>");
        let reference = Reference::read(&request(headers, Some(body))).unwrap();
        assert_eq!(uris(&reference), ["sip:b@h"]);
    }

    proptest::proptest! {
        #[test]
        fn reference_of_any_text_never_panics(text in "[<>a-z@:;=%\"0-9]{0,40}") {
            let _ = read(&text);
            let _ = content_id(&text);
        }
    }
}
