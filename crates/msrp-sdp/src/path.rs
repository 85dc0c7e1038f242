//! The path attribute: the URIs through which a side is reached.

use msrp_wire::{Host, MsrpUriBuf, Scheme};

use crate::{SdpError, limits::PATH_URIS_MAX};

/// The name of the attribute.
pub(crate) const NAME: &str = "path";

/// Reads the value of a path attribute: 1 to [`PATH_URIS_MAX`] URIs, each with a port.
pub(crate) fn parse(value: &str) -> Result<Vec<MsrpUriBuf>, SdpError> {
    let mut path = Vec::new();
    for text in value.split_ascii_whitespace() {
        if path.len() >= PATH_URIS_MAX {
            return Err(SdpError::TooLarge {
                what: "URIs in path",
                max: PATH_URIS_MAX,
            });
        }
        let uri: MsrpUriBuf = text
            .parse()
            .map_err(|_| bad("one of its values is not an MSRP URI"))?;
        if Authority::of(&uri).port.is_none_or(|port| port == 0) {
            return Err(bad("a URI in it has no port"));
        }
        path.push(uri);
    }
    if path.is_empty() {
        Err(bad("it has no URI"))
    } else {
        Ok(path)
    }
}

/// The error of a path that cannot be used.
pub(crate) fn bad(why: &'static str) -> SdpError {
    SdpError::BadAttribute { name: NAME, why }
}

/// What a connection to a URI needs to know.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// Name or address; an IPv6 address without brackets.
    pub(crate) host: String,
    /// The port, where the URI has one.
    pub(crate) port: Option<u16>,
    /// Whether the URI asks for TLS.
    pub(crate) is_secure: bool,
}

impl Authority {
    /// The authority of a URI.
    pub(crate) fn of(uri: &MsrpUriBuf) -> Self {
        let uri = uri.as_uri();
        let host = match uri.host() {
            Host::Name(name) => name.to_owned(),
            Host::V4(address) => address.to_string(),
            Host::V6(address) => address.to_string(),
        };
        Self {
            host,
            port: uri.port(),
            is_secure: uri.scheme() == Scheme::Msrps,
        }
    }
}
