//! The wrapper inside a SEND.

use msrp_wire::cpim::{Address, Error, NewWrapper, Parsed, Wrapper, write};
use msrp_wire::{ContentType, Identity};

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "From: <sip:a@x>\r\n",
    "To: \"B \\\"c\\\"\" <sip:b@x>\r\n",
    "cc: sip:c@x\r\n",
    "DateTime: 2000-12-13T13:40:00Z\r\n",
    "Subject:;lang=fr \\u00e9\r\n",
    "NS: FR <urn:oma:xml:poc: final-report>\r\n",
    "FR.Final-Report: yes\r\n",
    "NS: <urn:ietf:params:cpim-headers:>\r\n",
    "Require: FR.x\r\n",
    "Content-Type: text/plain\r\n",
    "\r\n\r\n",
    "\r\n",
    "\\",
    "\"",
    "<",
    ">",
];

/// The input is the start of a message.
pub fn cpim(input: &[u8]) {
    let parsed = match Wrapper::parse(input) {
        Ok(parsed) => parsed,
        Err(error) => return check_refused(input, error),
    };
    assert!(parsed.head_octets <= input.len());
    let alone = Wrapper::parse(&input[..parsed.head_octets]);
    assert!(alone.is_ok_and(|alone| says_the_same(&alone, &parsed)));
    for octets in [parsed.head_octets.saturating_sub(1), parsed.head_octets / 2] {
        let early = Wrapper::parse(&input[..octets]).map(|early| early.head_octets);
        assert_eq!(early, Err(Error::NeedMore), "decided after {octets}");
    }
    let longer = [input, b"\r\n\r\nFrom: <sip:eve@x>\r\n\r\n"].concat();
    assert!(Wrapper::parse(&longer).is_ok_and(|longer| says_the_same(&longer, &parsed)));
    if let Some(offset) = parsed.inner_body_offset {
        assert!((parsed.head_octets..=input.len()).contains(&offset));
    }
    for mbox in std::iter::once(&parsed.from)
        .chain(&parsed.to)
        .chain(&parsed.cc)
    {
        assert!(!mbox.uri.is_empty());
        assert!(
            !mbox
                .uri
                .bytes()
                .any(|c| c.is_ascii_control() || b" <>\"".contains(&c))
        );
        if let Ok(identity) = Identity::parse(mbox.uri) {
            assert_eq!(Identity::parse(identity.as_str()), Ok(identity));
        }
    }
    for other in &parsed.other {
        assert!(!other.text().is_empty() || other.value.bytes().all(|c| c == b'\\'));
        if let Some(namespace) = other.namespace {
            assert!(other.is_in(namespace) && other.is_in(&namespace.replace(' ', "")));
        }
    }
    check_written(&parsed);
}

/// More octets do not heal what is wrong.
fn check_refused(input: &[u8], error: Error) {
    let longer = [input, b"\r\n\r\n"].concat();
    match error {
        Error::NeedMore => {
            let outcome = Wrapper::parse(&longer).map(|parsed| parsed.head_octets);
            assert_ne!(outcome, Err(Error::NeedMore));
        }
        Error::Malformed { offset, .. } => {
            assert!(offset as usize <= input.len());
            assert_eq!(Wrapper::parse(&longer).err(), Some(error));
        }
    }
}

fn says_the_same(one: &Parsed<'_>, two: &Parsed<'_>) -> bool {
    one.head_octets == two.head_octets && said(one) == said(two)
}

/// The CPIM headers as text.
fn said(parsed: &Parsed<'_>) -> String {
    let addresses = (&parsed.from, &parsed.to, &parsed.cc);
    let others = (
        parsed.datetime,
        &parsed.subjects,
        &parsed.require,
        &parsed.other,
    );
    format!("{addresses:?} {others:?}")
}

/// A wrapper written from what was read says the same.
fn check_written(parsed: &Parsed<'_>) {
    fn address<'a>(mbox: &'a msrp_wire::cpim::Mbox<'_>) -> Address<'a> {
        Address {
            display: mbox.display.as_deref(),
            uri: mbox.uri,
        }
    }
    let to: Vec<Address<'_>> = parsed.to.iter().map(address).collect();
    let subject = parsed.subjects.first().map(|subject| subject.text.as_ref());
    let wrapper = NewWrapper {
        subject,
        ..NewWrapper::new(address(&parsed.from), &to, ContentType::TEXT_PLAIN, b"body")
    };
    let mut out = Vec::new();
    write(&mut out, &wrapper);
    let again = Wrapper::parse(&out).unwrap_or_else(|e| panic!("{e}: {}", out.escape_ascii()));
    let addresses = |parsed: &Parsed<'_>| format!("{:?} {:?}", parsed.from, parsed.to);
    assert_eq!(addresses(&again), addresses(parsed));
    assert_eq!(
        again
            .subjects
            .first()
            .map(|subject| subject.text.trim_matches(' ')),
        subject.map(|subject| subject.trim_matches(' '))
    );
    assert_eq!(
        again.inner_body_offset.map(|at| &out[at..]),
        Some(b"body".as_slice())
    );
}
