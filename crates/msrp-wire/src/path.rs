//! To-Path and From-Path: lists of MSRP URIs.

use std::fmt;

use crate::limits::PATH_URIS_MAX;
use crate::malformed::{Malformed, Place};
use crate::msrp_uri::{MsrpUri, MsrpUriBuf};

/// One to 16 legal URIs in somebody else's bytes, leftmost first.
///
/// # Spec
/// RFC 4975 s.7.1, s.9.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    raw: &'a [u8],
    first: MsrpUri<'a>,
    len: u8,
}

/// A path that owns its text.
#[derive(Clone)]
pub struct MsrpPathBuf {
    raw: Box<[u8]>,
    /// Octets of the leftmost URI.
    first_len: usize,
}

/// Walks the URIs of a [`Path`] from left to right.
#[derive(Clone, Debug)]
pub struct Uris<'a> {
    rest: &'a [u8],
}

/// Something that can stand as the value of To-Path or From-Path: legal by construction, so that nothing written from it
/// can break out of its line.
pub trait PathValue: sealed::Sealed {
    /// The octets of the header value.
    fn raw_value(&self) -> &[u8];
}

impl<'a> Path<'a> {
    /// Reads a header value. Several spaces or tabs between URIs are tolerated.
    ///
    /// # Errors
    /// [`Malformed`] at a `Uri` place for the first wrong URI, or at [`Place::PathLength`].
    pub fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let raw = crate::octets::trim(value);
        if !raw.is_empty() && memchr::memchr2(b' ', b'\t', raw).is_none() {
            let first = MsrpUri::parse(raw)?;
            return Ok(Self { raw, first, len: 1 });
        }
        let mut uris = Uris { rest: raw };
        let Some(first) = uris.next_checked(raw)? else {
            return Err(Malformed::new(Place::PathLength, 0));
        };
        let mut len = 1_usize;
        while uris.next_checked(raw)?.is_some() {
            len = len.saturating_add(1);
            if len > PATH_URIS_MAX {
                return Err(Malformed::new(
                    Place::PathLength,
                    raw.len().saturating_sub(uris.rest.len()),
                ));
            }
        }
        Ok(Self {
            raw,
            first,
            len: u8::try_from(len).unwrap_or(u8::MAX),
        })
    }

    /// The header value without spaces at its ends.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The URIs, leftmost first.
    #[must_use]
    pub fn iter(&self) -> Uris<'a> {
        Uris { rest: self.raw }
    }

    /// The leftmost URI: in To-Path the next hop, in From-Path the previous one. Free.
    #[must_use]
    pub fn first(&self) -> MsrpUri<'a> {
        self.first
    }

    /// The rightmost URI: in To-Path the endpoint that is meant, in From-Path the one that sends.
    #[must_use]
    pub fn last(&self) -> MsrpUri<'a> {
        if self.len == 1 {
            self.first
        } else {
            self.iter().last().unwrap_or(self.first)
        }
    }

    /// URIs in the path, 1 to 16.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a path is never empty")]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_buf(&self) -> MsrpPathBuf {
        MsrpPathBuf {
            raw: self.raw.into(),
            first_len: self.first.raw().len(),
        }
    }
}

impl<'a> IntoIterator for &Path<'a> {
    type Item = MsrpUri<'a>;
    type IntoIter = Uris<'a>;

    fn into_iter(self) -> Uris<'a> {
        self.iter()
    }
}

impl<'a> Uris<'a> {
    fn next_text(&mut self) -> Option<&'a [u8]> {
        let mut rest = self.rest;
        while let [b' ' | b'\t', tail @ ..] = rest {
            rest = tail;
        }
        let end = memchr::memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
        let (uri, tail) = rest.split_at_checked(end)?;
        self.rest = tail;
        (!uri.is_empty()).then_some(uri)
    }

    fn next_checked(&mut self, whole: &[u8]) -> Result<Option<MsrpUri<'a>>, Malformed> {
        let Some(text) = self.next_text() else {
            return Ok(None);
        };
        let offset = whole
            .len()
            .saturating_sub(self.rest.len())
            .saturating_sub(text.len());
        match MsrpUri::parse(text) {
            Ok(uri) => Ok(Some(uri)),
            Err(malformed) => Err(malformed.moved_by(offset)),
        }
    }
}

impl<'a> Iterator for Uris<'a> {
    type Item = MsrpUri<'a>;

    fn next(&mut self) -> Option<MsrpUri<'a>> {
        self.next_text().and_then(|text| MsrpUri::parse(text).ok())
    }
}

impl MsrpPathBuf {
    /// Reads a header value and keeps a copy of it.
    ///
    /// # Errors
    /// [`Malformed`] as for [`Path::parse`].
    pub fn parse(value: impl AsRef<[u8]>) -> Result<Self, Malformed> {
        Ok(Path::parse(value.as_ref())?.to_buf())
    }

    /// Joins URIs, leftmost first.
    ///
    /// # Errors
    /// [`Malformed`] at [`Place::PathLength`] for none or more than 16; the caller's fault.
    pub fn join<'u>(uris: impl IntoIterator<Item = MsrpUri<'u>>) -> Result<Self, Malformed> {
        let mut raw = Vec::new();
        for uri in uris {
            if !raw.is_empty() {
                raw.push(b' ');
            }
            raw.extend_from_slice(uri.raw());
        }
        Self::parse(raw)
    }

    /// The borrowed view. Reads the URIs again: for setting up, not for every chunk.
    #[must_use]
    pub fn as_path(&self) -> Option<Path<'_>> {
        Path::parse(&self.raw).ok()
    }

    /// The text of the leftmost URI. Free.
    #[must_use]
    pub fn first_raw(&self) -> &[u8] {
        self.raw.get(..self.first_len).unwrap_or_default()
    }

    /// The header value.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Path<'_> {}
    impl Sealed for crate::MsrpPathBuf {}
    impl Sealed for crate::MsrpUri<'_> {}
    impl Sealed for crate::MsrpUriBuf {}
    impl<T: Sealed> Sealed for &T {}
}

impl PathValue for Path<'_> {
    fn raw_value(&self) -> &[u8] {
        self.raw
    }
}

impl PathValue for MsrpPathBuf {
    fn raw_value(&self) -> &[u8] {
        &self.raw
    }
}

impl PathValue for MsrpUri<'_> {
    fn raw_value(&self) -> &[u8] {
        self.raw()
    }
}

impl PathValue for MsrpUriBuf {
    fn raw_value(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

impl<T: PathValue> PathValue for &T {
    fn raw_value(&self) -> &[u8] {
        (*self).raw_value()
    }
}

impl PartialEq for Path<'_> {
    /// URI by URI, as the standard compares them.
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Path<'_> {}

impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for MsrpPathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(Uris { rest: &self.raw }).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "msrp://a.example.com:1/x;tcp";
    const TWO: &str = "msrps://b.example.com:2/y;tcp";

    #[test]
    fn path_of_several_uris_has_its_ends() {
        let value = format!(" {ONE} \t {TWO}  {ONE}\t");
        let path = Path::parse(value.as_bytes()).unwrap();
        assert_eq!(path.len(), 3);
        assert_eq!(path.first().as_str(), ONE);
        assert_eq!(path.last().as_str(), ONE);
        assert_eq!(
            path.iter().map(|uri| uri.as_str()).collect::<Vec<_>>(),
            [ONE, TWO, ONE]
        );
        assert_eq!(path.raw(), value.trim().as_bytes());
        assert_eq!(path.to_buf().as_path(), Some(path));
    }

    #[test]
    fn path_of_no_or_too_many_uris_is_malformed() {
        assert_eq!(Path::parse(b" ").unwrap_err().at, Place::PathLength);
        assert!(Path::parse([ONE; 16].join(" ").as_bytes()).is_ok());
        assert_eq!(
            Path::parse([ONE; 17].join(" ").as_bytes()).unwrap_err().at,
            Place::PathLength
        );
    }

    #[test]
    fn path_with_a_wrong_uri_names_its_offset() {
        let value = format!("{ONE} msrp://x/y");
        let error = Path::parse(value.as_bytes()).unwrap_err();
        assert_eq!(error, Malformed::new(Place::UriTransport, value.len()));
    }

    #[test]
    fn path_joined_from_uris_round_trips() {
        let uris = [ONE, TWO].map(|text| MsrpUriBuf::parse(text).unwrap());
        let joined = MsrpPathBuf::join(uris.iter().map(MsrpUriBuf::as_uri)).unwrap();
        assert_eq!(joined.raw(), format!("{ONE} {TWO}").as_bytes());
        assert_eq!(joined.first_raw(), ONE.as_bytes());
        assert!(MsrpPathBuf::join([]).is_err());
        assert_ne!(joined.as_path(), MsrpPathBuf::parse(ONE).unwrap().as_path());
    }
}
