//! Where to connect, with and without msrp-cema.

#![expect(clippy::unwrap_used, reason = "test code")]

use msrp_sdp::{AddressMatch, CemaAnswer, Description, Local, MessageMedia, SdpError, Setup};

const ONE: &str = "msrp://192.0.2.1:7394/s1;tcp";
const BEHIND_RELAY: &str = "msrp://192.0.2.7:2855/r1;tcp msrp://192.0.2.1:7394/s1;tcp";

/// A peer with this address in the `c=` and `m=` lines.
fn peer(connection: &str, port: u16, path: &str, further: &str) -> (Description, MessageMedia) {
    let text = format!(
        "v=0\r\nc=IN {connection}\r\nm=message {port} TCP/MSRP *\r\na=accept-types:*\r\na=path:{path}\r\n{further}"
    );
    let description = Description::parse(&text).unwrap();
    let media = description.message_media().unwrap();
    (description, media)
}

fn local(setup: Setup, cema: bool) -> Local {
    let path = "msrp://198.51.100.1:2855/own;tcp".parse().unwrap();
    Local {
        setup,
        cema,
        ..Local::new(("198.51.100.1".to_owned(), 2855), path, 7)
    }
}

#[test]
fn address_is_compared_with_every_uri_of_the_path() {
    let v6 = "msrp://[2001:DB8::0:1]:7394/s1;tcp";
    let name = "msrp://Alice.Example.com:7394/s1;tcp";
    let cases = [
        ("IP4 192.0.2.1", 7394, ONE, AddressMatch::Matches),
        ("IP4 192.0.2.1/127", 7394, ONE, AddressMatch::Matches),
        ("IP4 192.0.2.2", 7394, ONE, AddressMatch::Differs),
        ("IP4 192.0.2.1", 7395, ONE, AddressMatch::Differs),
        (
            "IP4 alice.example.com",
            7394,
            ONE,
            AddressMatch::NeedsResolution,
        ),
        ("IP4 alice.example.com", 7395, ONE, AddressMatch::Differs),
        ("IP4 alice.example.com", 7394, name, AddressMatch::Matches),
        ("IP4 192.0.2.1", 7394, name, AddressMatch::NeedsResolution),
        ("IP6 2001:db8::1", 7394, v6, AddressMatch::Matches),
        ("IP6 2001:db8::2", 7394, v6, AddressMatch::Differs),
        ("IP4 192.0.2.7", 2855, BEHIND_RELAY, AddressMatch::Matches),
        ("IP4 192.0.2.1", 7394, BEHIND_RELAY, AddressMatch::Matches),
        ("IP4 192.0.2.1", 2855, BEHIND_RELAY, AddressMatch::Differs),
    ];
    for (connection, port, path, expected) in cases {
        assert_eq!(
            peer(connection, port, path, "").1.address_match(),
            expected,
            "{connection} {port} {path}"
        );
    }
}

#[test]
fn discard_port_of_an_active_side_is_not_compared() {
    assert_eq!(
        peer("IP4 192.0.2.1", 9, ONE, "a=setup:active\r\n")
            .1
            .address_match(),
        AddressMatch::Matches
    );
    assert_eq!(
        peer("IP4 192.0.2.2", 9, ONE, "a=setup:active\r\n")
            .1
            .address_match(),
        AddressMatch::Differs
    );
    assert_eq!(
        peer("IP4 192.0.2.1", 9, ONE, "").1.address_match(),
        AddressMatch::Differs
    );
}

#[test]
fn path_says_where_to_connect_without_cema() {
    let media = peer("IP4 203.0.113.5", 30_000, ONE, "").1;
    assert_eq!(media.connect_address(false), ("192.0.2.1".to_owned(), 7394));
    let relayed = peer("IP4 203.0.113.5", 30_000, BEHIND_RELAY, "").1;
    assert_eq!(
        relayed.connect_address(false),
        ("192.0.2.7".to_owned(), 2855)
    );
    let v6 = peer(
        "IP6 2001:db8::9",
        30_000,
        "msrp://[2001:db8::1]:7394/s1;tcp",
        "",
    )
    .1;
    assert_eq!(v6.connect_address(false), ("2001:db8::1".to_owned(), 7394));
}

#[test]
fn connection_line_says_where_to_connect_with_cema() {
    let media = peer("IP4 203.0.113.5", 30_000, ONE, "a=msrp-cema\r\n").1;
    assert_eq!(
        media.connect_address(true),
        ("203.0.113.5".to_owned(), 30_000)
    );
    assert_eq!(media.path[0].as_str(), ONE);
}

// covers: MSRP-6714-4.3-01
#[test]
fn strict_check_refuses_a_changed_address_without_cema() {
    let changed = peer("IP4 203.0.113.5", 30_000, ONE, "").1;
    assert_eq!(
        changed.require_address_match(),
        Err(SdpError::AddressMismatch)
    );
    assert!(!SdpError::AddressMismatch.is_malformed());
    let announced = peer("IP4 203.0.113.5", 30_000, ONE, "a=msrp-cema\r\n").1;
    assert_eq!(announced.require_address_match(), Ok(()));
    assert_eq!(
        peer("IP4 192.0.2.1", 7394, ONE, "")
            .1
            .require_address_match(),
        Ok(())
    );
}

// covers: MSRP-6714-4.2-01, MSRP-6714-4.2-02
#[test]
fn offer_with_cema_has_setup_too() {
    let offer = local(Setup::ActPass, true).offer();
    assert!(offer.contains("\r\na=msrp-cema\r\n"), "{offer}");
    assert!(offer.contains("\r\na=setup:actpass\r\n"), "{offer}");
}

// covers: MSRP-6714-4.2-04, MSRP-6714-4.2-05
#[test]
fn answer_without_cema_behind_a_middlebox_leads_to_an_offer_without_cema() {
    use CemaAnswer::{ConnectionLine, OfferAgain, Path};
    let cases = [
        (ONE, "a=setup:active\r\n", OfferAgain),
        (ONE, "a=setup:passive\r\n", ConnectionLine),
        (ONE, "", ConnectionLine),
        (BEHIND_RELAY, "a=setup:passive\r\n", OfferAgain),
        (BEHIND_RELAY, "", OfferAgain),
        (
            BEHIND_RELAY,
            "a=setup:passive\r\na=msrp-cema\r\n",
            ConnectionLine,
        ),
        (ONE, "a=setup:active\r\na=msrp-cema\r\n", ConnectionLine),
    ];
    for (path, further, expected) in cases {
        let answer = peer("IP4 203.0.113.5", 30_000, path, further).1;
        assert_eq!(
            answer.after_cema_offer(answer.address_match()),
            expected,
            "{path} {further}"
        );
    }
    let direct = peer("IP4 192.0.2.1", 7394, ONE, "a=setup:active\r\n").1;
    assert_eq!(direct.after_cema_offer(direct.address_match()), Path);
    assert!(!local(Setup::ActPass, false).offer().contains("msrp-cema"));
}

// covers: MSRP-6714-4.3-04, MSRP-6714-4.3-05
#[test]
fn answer_announces_cema_when_both_sides_want_it() {
    let (offer, media) = peer(
        "IP4 203.0.113.5",
        30_000,
        ONE,
        "a=setup:actpass\r\na=msrp-cema\r\n",
    );
    let answer = local(Setup::ActPass, true).answer(&offer, &media);
    assert!(
        answer.contains("\r\na=msrp-cema\r\n") && answer.contains("\r\na=setup:passive\r\n"),
        "{answer}"
    );
    assert!(
        !local(Setup::ActPass, false)
            .answer(&offer, &media)
            .contains("msrp-cema")
    );
    let (offer, media) = peer("IP4 192.0.2.1", 7394, ONE, "a=setup:actpass\r\n");
    assert!(
        !local(Setup::ActPass, true)
            .answer(&offer, &media)
            .contains("msrp-cema")
    );
}

// covers: MSRP-6714-4.3-02, MSRP-6714-4.3-03
#[test]
fn answer_to_a_relay_that_has_to_connect_has_no_cema() {
    for setup in ["", "a=setup:active\r\n", "a=setup:actpass\r\n"] {
        let (offer, media) = peer(
            "IP4 192.0.2.7",
            2855,
            BEHIND_RELAY,
            &format!("{setup}a=msrp-cema\r\n"),
        );
        let answer = local(Setup::ActPass, true).answer(&offer, &media);
        assert!(
            !answer.contains("msrp-cema") && answer.contains("a=setup:passive"),
            "{answer}"
        );
    }
    let (offer, media) = peer(
        "IP4 192.0.2.7",
        2855,
        BEHIND_RELAY,
        "a=setup:actpass\r\na=msrp-cema\r\n",
    );
    let answer = local(Setup::Active, true).answer(&offer, &media);
    assert!(
        answer.contains("msrp-cema") && answer.contains("a=setup:active"),
        "{answer}"
    );
}
