//! The dialog that an invitation takes the place of.
//!
//! # Spec
//! RFC 3891 s.6.1; RFC 3261 s.19.1.1 (header fields in an address); AMB-49; CTRL-L.

use std::fmt;

use crate::address::AddressError;
use crate::limits::REPLACES_OCTETS_MAX;

/// A Replaces value: a Call-ID with both tags. Writes itself in its one plain form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces(String);

impl Replaces {
    /// Parts an address of a list from the Replaces that stands in it, percent-encoded
    /// (`sip:b@h?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2`) or as the specification prints it
    /// (`sip:b@h;method=INVITE?Replaces: c;to-tag=1;from-tag=2`).
    ///
    /// # Errors
    /// [`AddressError::Headers`] for any other header field, another method, and a value that cannot
    /// be read. The peer's fault.
    pub fn part(address: &str) -> Result<(String, Option<Self>), AddressError> {
        let user_end = address.find('@').unwrap_or_default();
        let rest = address.get(user_end..).unwrap_or_default();
        let Some(mark) = rest.find('?') else {
            return Ok((address.to_owned(), None));
        };
        let (address, fields) = address.split_at(user_end.saturating_add(mark));
        let field = fields.strip_prefix('?').unwrap_or(fields);
        let (name, value) = field.split_once(['=', ':']).ok_or(AddressError::Headers)?;
        if !name.trim().eq_ignore_ascii_case("Replaces") {
            return Err(AddressError::Headers);
        }
        let value = decoded(value).ok_or(AddressError::Headers)?;
        let replaces = Self::read(&value).ok_or(AddressError::Headers)?;
        Ok((without_method(address)?, Some(replaces)))
    }

    /// Reads the value of a Replaces field.
    fn read(value: &str) -> Option<Self> {
        if value.len() > REPLACES_OCTETS_MAX {
            return None;
        }
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| is_call_id(id))?;
        let (mut to_tag, mut from_tag, mut is_early) = (None, None, false);
        for part in parts {
            match part.split_once('=') {
                Some((name, tag)) if name.trim().eq_ignore_ascii_case("to-tag") => {
                    set_once(&mut to_tag, tag)?;
                }
                Some((name, tag)) if name.trim().eq_ignore_ascii_case("from-tag") => {
                    set_once(&mut from_tag, tag)?;
                }
                None if part.eq_ignore_ascii_case("early-only") => is_early = true,
                // A parameter of an extension that we do not know says nothing to us.
                Some(_) | None => {}
            }
        }
        let early = if is_early { ";early-only" } else { "" };
        let (to_tag, from_tag) = (to_tag?, from_tag?);
        Some(Self(format!(
            "{call_id};to-tag={to_tag};from-tag={from_tag}{early}"
        )))
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes a tag. `None` when it is no token, or the second of its kind.
fn set_once(slot: &mut Option<String>, tag: &str) -> Option<()> {
    let tag = tag.trim();
    let is_tag = !tag.is_empty()
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b));
    (is_tag && slot.is_none()).then(|| *slot = Some(tag.to_owned()))
}

/// `word [ "@" word ]`, without what would end the value.
fn is_call_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b",;\"\\<>".contains(&b))
}

/// The address without `method=INVITE`, which has no place in a Request-URI.
fn without_method(address: &str) -> Result<String, AddressError> {
    let mut kept = Vec::new();
    for part in address.split(';') {
        match part.split_once('=') {
            Some((name, method)) if name.trim().eq_ignore_ascii_case("method") => {
                if !method.trim().eq_ignore_ascii_case("INVITE") {
                    return Err(AddressError::Headers);
                }
            }
            Some(_) | None => kept.push(part),
        }
    }
    Ok(kept.join(";"))
}

/// The text with `%XX` decoded. `None` when that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let is_escape = octet == b'%';
        octets.push(if is_escape {
            let (high, low) = (rest.next()?, rest.next()?);
            let digits = [high, low];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            octet
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(address: &str) -> Option<(String, Option<String>)> {
        let (address, replaces) = Replaces::part(address).ok()?;
        Some((address, replaces.map(|r| r.to_string())))
    }

    #[test]
    fn replaces_is_read_in_both_forms() {
        let both = "c@h;to-tag=7;from-tag=9";
        for (address, bare, value) in [
            ("sip:b@h", "sip:b@h", None),
            ("sip:b?c@h;x=y", "sip:b?c@h;x=y", None),
            (
                "sip:b@h?Replaces=c%40h%3Bto-tag%3D7%3bfrom-tag%3D9",
                "sip:b@h",
                Some(both),
            ),
            (
                "sip:b@h;method=INVITE?Replaces: c@h;to-tag=7;from-tag=9",
                "sip:b@h",
                Some(both),
            ),
            (
                "b@h;transport=tcp;Method=invite?replaces=c@h; From-Tag=9; x=1; TO-TAG=7",
                "b@h;transport=tcp",
                Some(both),
            ),
            (
                "sip:b@h?Replaces=c%40h%3Bto-tag%3D7%3Bfrom-tag%3D9%3Bearly-only",
                "sip:b@h",
                Some("c@h;to-tag=7;from-tag=9;early-only"),
            ),
        ] {
            let expected = (bare.to_owned(), value.map(str::to_owned));
            assert_eq!(part(address), Some(expected), "{address}");
        }
    }

    #[test]
    fn replaces_that_cannot_be_read_is_refused() {
        let long = format!("sip:b@h?Replaces={};to-tag=1;from-tag=2", "c".repeat(600));
        for address in [
            "sip:b@h?",
            "sip:b@h?Replaces",
            "sip:b@h?Replaces=",
            "sip:b@h?Replaces=c",
            "sip:b@h?Replaces=c;to-tag=1",
            "sip:b@h?Replaces=c;to-tag=1;from-tag=",
            "sip:b@h?Replaces=c;to-tag=1;to-tag=1;from-tag=2",
            "sip:b@h?Replaces=c;to-tag=1;from-tag=2%0d%0aX:%20y",
            "sip:b@h?Replaces=c%0d%0aX:y;to-tag=1;from-tag=2",
            "sip:b@h?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=x",
            "sip:b@h?Replaces=%ff;to-tag=1;from-tag=2",
            "sip:b@h?Replaces=%+1;to-tag=1;from-tag=2",
            "sip:b@h?Subject=x",
            "sip:b@h;method=BYE?Replaces=c;to-tag=1;from-tag=2",
            long.as_str(),
        ] {
            assert_eq!(part(address), None, "{address}");
        }
    }

    proptest::proptest! {
        #[test]
        fn replaces_any_text_never_panics(text in "\\PC*") {
            let _ = Replaces::part(&text);
            let _ = Replaces::part(&format!("sip:b@h?Replaces={text}"));
        }
    }
}
