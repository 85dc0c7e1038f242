//! MSRP URIs, paths and identities.

use msrp_wire::{Host, Identity, MsrpPathBuf, MsrpUri, MsrpUriBuf, Path};

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "msrp://",
    "msrps://",
    "MSRP://",
    ";tcp",
    ";ws",
    "[::1]",
    "127.0.0.1",
    ":2855",
    "%41",
    "a@b",
    " ",
    "\t",
    "/x",
    "sip:",
    "sips:",
    "tel:+1",
    "im:",
    ";user=phone",
    ";phone-context=",
    ";ext=7",
    "<",
    ">",
    "\"",
    "%23",
];

/// The input is read as a URI, as a path and as the address of a user.
pub fn uri(input: &[u8]) {
    if let Ok(uri) = MsrpUri::parse(input) {
        check_uri(uri);
    }
    match Path::parse(input) {
        Ok(path) => check_path(path),
        Err(_) => assert!(MsrpUri::parse(input).is_err(), "a URI is a path"),
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(identity) = Identity::parse(text)
    {
        assert_eq!(Identity::parse(identity.as_str()), Ok(identity.clone()));
        assert_eq!(Identity::parse(&format!("<{identity}>")), Ok(identity));
    }
}

fn check_uri(uri: MsrpUri<'_>) {
    let is_plain = |c: &u8| c.is_ascii_graphic();
    assert!(uri.raw().iter().all(is_plain), "{uri}");
    let copy = uri.to_buf();
    assert_eq!(copy.as_uri(), uri);
    assert_eq!(
        MsrpUriBuf::parse(uri.raw()).unwrap_or_else(|e| panic!("{e}")),
        copy
    );
    let upper = uri.authority().to_ascii_uppercase();
    assert_eq!(upper.len(), uri.authority().len());
    let session_id = uri
        .session_id()
        .map(|id| std::str::from_utf8(id).unwrap_or_else(|e| panic!("{e}")));
    assert_ne!(session_id, Some(""));
    let composed = MsrpUriBuf::compose(
        uri.scheme(),
        uri.host(),
        uri.port(),
        session_id,
        uri.transport(),
    );
    match (uri.host(), uri.port()) {
        (Host::V4(_) | Host::V6(_), None) => assert!(composed.is_err(), "{uri}"),
        _ => assert_eq!(composed.unwrap_or_else(|e| panic!("{uri}: {e}")), copy),
    }
}

fn check_path(path: Path<'_>) {
    assert!((1..=16).contains(&path.len()));
    let uris: Vec<MsrpUri<'_>> = path.iter().collect();
    assert_eq!(uris.len(), path.len());
    assert_eq!(uris.first(), Some(&path.first()));
    assert_eq!(uris.last(), Some(&path.last()));
    for uri in &uris {
        check_uri(*uri);
    }
    let joined = MsrpPathBuf::join(uris.iter().copied()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(joined.as_path(), Some(path));
    assert_eq!(joined.first_raw(), path.first().raw());
    assert_eq!(path.to_buf().raw(), path.raw());
    assert_eq!(path.to_buf().first_raw(), path.first().raw());
}
