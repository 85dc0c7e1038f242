//! The small words of RFC 4975 s.9.

/// Checks `ident = ALPHANUM 3*31ident-char`.
pub(crate) fn check_ident(text: &str) -> Result<(), String> {
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || b".-+%=".contains(&octet);
    let first = text
        .bytes()
        .next()
        .is_some_and(|octet| octet.is_ascii_alphanumeric());
    if first && (4..=32).contains(&text.len()) && text.bytes().all(legal) {
        Ok(())
    } else {
        Err(format!("ident {text:?}"))
    }
}

/// Checks `MSRP-URI`, which must name its transport.
pub(crate) fn check_msrp_uri(uri: &str) -> Result<(), String> {
    let fault = || format!("MSRP URI {uri:?}");
    let (scheme, rest) = uri.split_once("://").ok_or_else(fault)?;
    if !scheme.eq_ignore_ascii_case("msrp") && !scheme.eq_ignore_ascii_case("msrps") {
        return Err(fault());
    }
    let mut words = rest.split(';');
    let (authority, session) = match words.next().ok_or_else(fault)?.split_once('/') {
        Some((authority, session)) => (authority, Some(session)),
        None => (rest.split(';').next().ok_or_else(fault)?, None),
    };
    if authority.is_empty() || !authority.bytes().all(is_authority) {
        return Err(fault());
    }
    if session.is_some_and(|session| session.is_empty() || !session.bytes().all(is_session)) {
        return Err(fault());
    }
    let transport = words.next().ok_or_else(fault)?;
    if transport.is_empty() || !transport.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
        return Err(fault());
    }
    if words.all(|word| {
        word.split_once('=')
            .map_or(is_token(word), |(name, value)| {
                is_token(name) && is_token(value)
            })
    }) {
        Ok(())
    } else {
        Err(fault())
    }
}

/// Checks `media-type` with its parameters.
pub(crate) fn check_media_type(text: &str) -> Result<(), String> {
    let fault = || format!("media type {text:?}");
    let (name, parameters) = text
        .split_once(';')
        .map_or((text, None), |(name, rest)| (name, Some(rest)));
    let (main, sub) = name.split_once('/').ok_or_else(fault)?;
    let sub = if parameters.is_some() {
        sub.trim_end()
    } else {
        sub
    };
    if is_token(main) && is_token(sub) {
        Ok(())
    } else {
        Err(fault())
    }
}

/// Whether the text is a `token`, which is never empty.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&octet))
}

/// Whether the text is `hname`.
pub(crate) fn is_header_name(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|octet| octet.is_ascii_alphabetic())
        && is_token(text)
}

fn is_authority(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@[]".contains(&octet)
}

fn is_session(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~+=/".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ident_length_and_letters_are_checked() {
        assert!(
            check_ident("a786").is_ok()
                && check_ident(&"a".repeat(32)).is_ok()
                && check_ident("a.-+%=").is_ok()
        );
        for text in ["", "a78", "-abc", ".abc", "ab c", "ab_c", "abcä"] {
            assert!(check_ident(text).is_err(), "{text:?}");
        }
        assert!(check_ident(&"a".repeat(33)).is_err());
    }

    #[test]
    fn msrp_uri_grammar_is_checked() {
        for uri in [
            "msrp://a.example:2855/s1;tcp",
            "msrps://[2001:db8::1]:2855/a/b+=;ws;x=y;z",
            "msrp://u@a.example:2855;tcp",
        ] {
            assert!(check_msrp_uri(uri).is_ok(), "{uri}");
        }
        for uri in [
            "sip:a",
            "http://a.example/s;tcp",
            "msrp:///s;tcp",
            "msrp://a.example/;tcp",
            "msrp://a.example/s",
            "msrp://a.example/s;",
            "msrp://a.example/s;tcp;",
            "msrp://a.example/s?x;tcp",
            "msrp://a.example/s;t-p",
        ] {
            assert!(check_msrp_uri(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn media_type_grammar_is_checked() {
        assert!(
            check_media_type("message/cpim").is_ok()
                && check_media_type("text/plain; charset=utf-8").is_ok()
        );
        assert!(
            check_media_type("text").is_err()
                && check_media_type("text/").is_err()
                && check_media_type("a b/c").is_err()
        );
    }
}
