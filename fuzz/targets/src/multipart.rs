//! Bodies of several parts.

use msrp_sip::limits::BODY_PARTS_MAX;
use msrp_sip::multipart::divide;
use msrp_sip::ua::Body;

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "\r\n--b\r\n",
    "\r\n--b--\r\n",
    "--b\r\n",
    "multipart/mixed;boundary=b\n",
    "multipart/mixed; boundary=\"b c\"\n",
    "Content-Type: application/sdp\r\n\r\n",
    "Content-Type: multipart/related; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Disposition: recipient-list;handling=optional\r\n",
    "Content-ID: <a@b>\r\n",
    "=3D",
    "TWFu",
];

/// The first line of the input is the Content-Type, the rest the body: few parts, and no octet comes from nowhere.
pub fn multipart(input: &[u8]) {
    let mut lines = input.splitn(2, |octet| *octet == b'\n');
    let content_type = lines.next().unwrap_or_default();
    let octets = lines.next().unwrap_or_default().to_vec();
    let Ok(content_type) = std::str::from_utf8(content_type) else {
        return;
    };
    let length = octets.len();
    let body = Body {
        content_type: content_type.to_owned(),
        octets,
    };
    let Ok(parts) = divide(&body) else {
        return;
    };
    assert!((1..=BODY_PARTS_MAX).contains(&parts.len()));
    let sum: usize = parts.iter().map(|part| part.octets.len()).sum();
    // A character of another set may become three octets of UTF-8.
    assert!(sum <= 3 * length + 3, "{sum} octets of parts in {length}");
    for part in parts {
        assert_eq!(part.media_type, part.media_type.to_ascii_lowercase());
        let is_word = |c: char| c.is_ascii_graphic() && c != ';';
        assert!(part.media_type.chars().all(is_word), "{}", part.media_type);
    }
}
