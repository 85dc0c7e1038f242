//! Octets of a SIP connection.

use msrp_sip::ua_rsipstack::inspection::{Judged, read_stream};

use crate::input::Input;

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "INVITE sip:a@b SIP/2.0\r\n",
    "ACK sip:a@b SIP/2.0\r\n",
    "SIP/2.0 200 OK\r\n",
    "Via: SIP/2.0/TCP a;branch=z9hG4bKa\r\n",
    "v: SIP/2.0/UDP b;rport, SIP/2.0/TCP c\r\n",
    "From: \"a\" <sip:a@b>;tag=1\r\n",
    "To: <sip:a@b>\r\n",
    "Call-ID: a@b\r\n",
    "CSeq: 1 INVITE\r\n",
    "CSeq: 4294967296 BYE\r\n",
    "Contact: <sip:a@b>\r\n",
    "Content-Length: 4\r\n",
    "l: -1\r\n",
    "Content-Type: text/plain\r\n",
    "Max-Forwards: 70\r\n",
    " folded\r\n",
    ";tag=",
    "\"",
    "<",
    ",",
];

/// One octet says where reads cut. What is read is the same wherever that is, and a refusal is one message that ends
/// where it says.
pub fn sip_stream(input: &[u8]) {
    let step = usize::from(Input::new(input).octet()).max(1);
    let octets = input.get(1..).unwrap_or_default();
    let whole = read_stream([octets].into_iter());
    let cut = read_stream(octets.chunks(step));
    assert_eq!(whole, cut, "reads of {step} octets");
    for judged in whole {
        if let Judged::Refused(answer) = judged {
            let again = read_stream([answer.as_slice()].into_iter());
            let text = answer.escape_ascii();
            assert!(
                matches!(again.as_slice(), [Judged::Passed(_) | Judged::Dropped]),
                "{text}: {again:?}"
            );
        }
    }
}
