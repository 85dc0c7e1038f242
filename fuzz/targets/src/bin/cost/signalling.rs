//! Readers of what arrives by SIP and from media proxies.

use std::hint::black_box;

use msrp_ng::Request;
use msrp_sdp::Description;
use msrp_sip::ua::Body;
use msrp_sip::ua_rsipstack::inspection::read_stream;
use msrp_sip::{multipart, resource_lists};

use super::{Family, Input, repeat, single, whole};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "session descriptions",
        octets: 4 * 1024,
        read: describe,
        classes: &[
            ("plain: offers", |n| offers(n)),
            ("attributes that fill", |n| {
                sdp("", &format!("a=x:{}\r\n", "y".repeat(n / 4)).repeat(4))
            }),
            ("attributes", |n| {
                sdp("", &repeat(n, |_| "a=accept-x:yy zz\r\n".into()))
            }),
            ("sections", |n| {
                let section = "m=audio 9 RTP/AVP 0\r\n".to_owned() + &"a=b:c d\r\n".repeat(n / 300);
                sdp("", &section.repeat(30))
            }),
            ("types", |n| {
                sdp(
                    &"a/b ".repeat(n / 4).chars().take(8_000).collect::<String>(),
                    "",
                )
            }),
            ("lines of the session", |n| {
                let lines = repeat(n, |_| "b=X:1\r\n".into());
                whole(format!(
                    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n{lines}t=0 0\r\n{MEDIA}"
                ))
            }),
            ("paths", |n| {
                sdp(
                    "",
                    &format!(
                        "a=path:{}\r\n",
                        "msrp://a:1/b;tcp ".repeat((n / 17).min(450))
                    ),
                )
            }),
        ],
    },
    Family {
        name: "lists of recipients",
        octets: 48 * 1024,
        read: list,
        classes: &[
            ("plain: entries", |n| in_list(&entries(n))),
            ("comments", |n| in_list(&repeat(n, |_| "<!-- a -->".into()))),
            ("elements within each other", |n| {
                in_list(&repeat(n, |_| {
                    format!("{}{}", "<list>".repeat(20), "</list>".repeat(20))
                }))
            }),
            ("attributes", |n| {
                in_list(&repeat(n, |number| {
                    let attributes = repeat(200, |at| format!(" a{at}=\"b\""));
                    format!("<entry uri=\"sip:{number}@x\"{attributes}/>")
                }))
            }),
            ("namespaces", |n| {
                in_list(&repeat(n, |number| {
                    let names = repeat(200, |at| format!(" xmlns:n{at}=\"u:{at}\""));
                    format!("<entry uri=\"sip:{number}@x\"{names}/>")
                }))
            }),
            ("entities", |n| {
                in_list(&repeat(n, |_| {
                    "<entry uri=\"sip:&#x61;&#x61;&#x61;&#x61;&#x61;@x\"/>".into()
                }))
            }),
            ("character data", |n| {
                in_list(&repeat(n, |_| "<![CDATA[]]>".into()))
            }),
            ("the same entry", |n| {
                in_list(&repeat(n, |_| "<entry uri=\"sip:a@x\"/>".into()))
            }),
            ("less-than signs", |n| in_list(&"<".repeat(n))),
            ("a tag that does not end", |n| {
                in_list(&format!("<entry {}", "a ".repeat(n / 2)))
            }),
        ],
    },
    Family {
        name: "bodies of several parts",
        octets: 48 * 1024,
        read: parts,
        classes: &[
            ("plain: an offer and three recipients", |n| invitations(n)),
            ("a part that fills", |n| {
                whole(format!(
                    "{PART}{}\r\n--b--\r\n",
                    "All work and no play. ".repeat(n / 22)
                ))
            }),
            ("hyphens", |n| {
                whole(format!("{PART}{}\r\n--b--\r\n", "-".repeat(n)))
            }),
            ("near boundaries", |n| {
                whole(format!("{PART}{}\r\n--b--\r\n", "\r\n--c".repeat(n / 5)))
            }),
            ("line ends", |n| {
                whole(format!("{PART}{}\r\n--b--\r\n", "\r\n".repeat(n / 2)))
            }),
            ("parts", |n| {
                whole(format!(
                    "{}--b--\r\n",
                    repeat(n, |_| format!("{PART}x\r\n"))
                ))
            }),
            ("parts within each other", |n| {
                whole(repeat(n, |number| {
                    format!("--b\r\nContent-Type: multipart/mixed;boundary=b{number}\r\n\r\n")
                }))
            }),
            ("header fields", |n| {
                whole(format!(
                    "--b\r\n{}\r\nx\r\n--b--\r\n",
                    repeat(n, |_| "X: y\r\n".into())
                ))
            }),
            ("encoded words", |n| {
                whole(format!(
                    "--b\r\nSubject: {}\r\n\r\nx\r\n--b--\r\n",
                    "=?utf-8?q?a?= ".repeat(n / 14)
                ))
            }),
            ("parameters", |n| {
                whole(format!(
                    "--b\r\nContent-Type: text/plain{}\r\n\r\nx\r\n--b--\r\n",
                    ";a=b".repeat(n / 4)
                ))
            }),
            ("comments", |n| {
                whole(format!(
                    "--b\r\nContent-Type: text/plain{}\r\n\r\nx\r\n--b--\r\n",
                    "(".repeat(n)
                ))
            }),
        ],
    },
    Family {
        name: "SIP over TCP",
        octets: 32 * 1024,
        read: stream,
        classes: &[
            ("plain: MESSAGEs", |n| sip(n, "", 300)),
            ("header fields", |n| sip(n, &"X: y\r\n".repeat(50), 0)),
            ("a long header field each", |n| {
                sip(n, &format!("X: {}\r\n", "y".repeat(4_000)), 0)
            }),
            ("folded header fields", |n| {
                sip(n, &format!("X: y{}\r\n", "\r\n y".repeat(200)), 0)
            }),
            ("Vias", |n| {
                sip(n, &"Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\n".repeat(30), 0)
            }),
            ("Vias in one field", |n| {
                sip(
                    n,
                    &format!(
                        "Via: {}\r\n",
                        vec!["SIP/2.0/TCP a;branch=z9hG4bK1"; 30].join(",")
                    ),
                    0,
                )
            }),
            ("signs of life", |n| whole("\r\n".repeat(n / 2))),
            ("quotes", |n| {
                sip(n, &format!("Contact: {}\r\n", "\"\\\"".repeat(300)), 0)
            }),
        ],
    },
    Family {
        name: "SIP over TCP, octet by octet",
        octets: 4 * 1024,
        read: stream,
        classes: &[
            ("plain: MESSAGEs", |n| single(&sip(n, "", 300))),
            ("a header section that fills", |n| {
                single(&whole(format!(
                    "MESSAGE sip:a@b SIP/2.0\r\n{}",
                    repeat(n, |_| "X: y\r\n".into())
                )))
            }),
            ("a body that fills", |n| single(&sip(n, "", n))),
        ],
    },
    Family {
        name: "requests of media proxies",
        octets: 4 * 1024,
        read: proxied,
        classes: &[
            ("plain: offers", |n| commands(n)),
            ("a text that fills", |n| {
                whole(format!("d7:command5:offer3:sdp{n}:{}e", "x".repeat(n)))
            }),
            ("texts", |n| {
                whole(format!("l{}e", "1:x".repeat((n / 3).min(1_000))))
            }),
            ("empty texts", |n| {
                whole(format!("l{}e", "0:".repeat((n / 2).min(1_000))))
            }),
            ("lists within each other", |n| whole("l".repeat(n))),
            ("dictionaries", |n| {
                whole(format!("l{}e", "de".repeat((n / 2).min(1_000))))
            }),
            ("keys in one dictionary", |n| {
                whole(format!(
                    "d{}e",
                    repeat(n.min(6_000), |number| format!("5:{number:05}1:x"))
                ))
            }),
            ("digits", |n| whole(format!("i{}e", "1".repeat(n)))),
            ("lengths with zeros", |n| {
                whole(format!("l{}1:xe", "0".repeat(n)))
            }),
            ("JSON: texts", |n| {
                whole(format!(
                    "{{\"a\":[{}1]}}",
                    "\"\",".repeat((n / 3).min(1_000))
                ))
            }),
            ("JSON: lists within each other", |n| {
                whole(format!("{{\"a\":{}", "[".repeat(n)))
            }),
            ("JSON: escapes", |n| {
                whole(format!("{{\"a\":\"{}\"}}", "\\u0061".repeat(n / 6)))
            }),
        ],
    },
];

const MEDIA: &str = "m=message 9 TCP/MSRP *\r\na=path:msrp://127.0.0.1:9/abcd;tcp\r\na=accept-types:message/cpim\r\n";
const OFFER: &str = "v=0\r\no=alice 2890844526 2890844527 IN IP4 alice.example.com\r\ns=-\r\n\
c=IN IP4 alice.example.com\r\nt=0 0\r\nm=message 7654 TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\n\
a=accept-wrapped-types:*\r\na=path:msrp://alice.example.com:7654/jshA7weztas;tcp\r\na=setup:active\r\n\
a=chatroom:nickname private-messages\r\na=sendrecv\r\n";
const PART: &str = "--b\r\nContent-Type: text/plain\r\n\r\n";

/// Each in what it arrives in.
fn each(octets: usize, one: impl Fn(usize) -> String) -> Input {
    let first = one(0).len();
    (0..octets.div_ceil(first))
        .map(|number| one(number).into_bytes())
        .collect()
}

fn offers(octets: usize) -> Input {
    each(octets, |_| OFFER.to_owned())
}

fn invitations(octets: usize) -> Input {
    each(octets, |_| {
        let list: String = entries(100);
        format!(
            "--b\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n\
             Content-Disposition: recipient-list\r\n\r\n<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">\
             <list>{list}</list></resource-lists>\r\n--b--\r\n"
        )
    })
}

fn commands(octets: usize) -> Input {
    each(octets, |number| {
        format!(
            "d8:from-tag3:abc7:call-id{:>2}:call{number:07}@example.com7:command5:offer3:sdp{}:{OFFER}e",
            4 + 7 + 12,
            OFFER.len()
        )
    })
}

fn sdp(types: &str, more: &str) -> Input {
    whole(format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{}{more}",
        MEDIA.replace("message/cpim", &format!("message/cpim {types}"))
    ))
}

fn describe(input: &[Vec<u8>]) {
    for octets in input {
        let text = str::from_utf8(octets).unwrap_or_default();
        if let Ok(description) = Description::parse(text) {
            black_box(description.message_media().is_ok());
        }
    }
}

fn entries(octets: usize) -> String {
    repeat(octets, |number| {
        format!("<entry uri=\"sip:user{number}@example.com\"/>")
    })
}

fn in_list(text: &str) -> Input {
    whole(format!(
        "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{text}</list></resource-lists>"
    ))
}

fn list(input: &[Vec<u8>]) {
    for octets in input {
        black_box(resource_lists::parse(octets).is_ok());
    }
}

fn parts(input: &[Vec<u8>]) {
    for octets in input {
        let body = Body {
            content_type: "multipart/mixed;boundary=b".to_owned(),
            octets: octets.clone(),
        };
        black_box(multipart::divide(&body).is_ok());
    }
}

fn sip(octets: usize, more: &str, body: usize) -> Input {
    whole(repeat(octets, |number| {
        format!(
            "MESSAGE sip:g@localhost SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: \"A\" <sip:a@x>;tag=1\r\nTo: <sip:g@localhost>\r\nCall-ID: c{number}@x\r\n\
             CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n{more}Content-Length: {body}\r\n\r\n{}",
            "x".repeat(body)
        )
    }))
}

fn stream(input: &[Vec<u8>]) {
    black_box(read_stream(input.iter().map(Vec::as_slice)).len());
}

/// What a proxy sends, and the description in it.
fn proxied(input: &[Vec<u8>]) {
    for octets in input {
        let Ok((request, _)) = Request::parse(octets) else {
            continue;
        };
        if let Some(description) = request.sdp.as_deref().map(Description::parse) {
            black_box(description.is_ok());
        }
    }
}
