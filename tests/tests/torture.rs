//! Messages that test the reader of SIP: legal ones in unusual forms, and illegal ones of every kind. Each gets its
//! answer or none, and the daemon serves on.
//!
//! # Spec
//! The classes of RFC 4475: s.3.1.1 legal messages, s.3.1.2 illegal ones, s.3.2 to s.3.4 transactions and applications.

use std::fmt::Write as _;

use msrp_testkit::daemon::LogLine;
use msrp_testkit::{Daemon, MsrpEndpoint, SipMessage};
use msrpd_tests::{ALICE, BOB, FRIENDS, WAYS, config_with_friends};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// What has to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// A final response with this status.
    Status(u16),
    /// Nothing.
    Silence,
}
use Expected::{Silence, Status};

/// One message: its name, its lines, its body, what has to come back.
struct Case {
    name: &'static str,
    octets: Vec<u8>,
    expected: Expected,
    /// Whether the message can be cut out of a stream, so that it is sent over TCP too.
    is_framed: bool,
}

/// A header section of lines without line ends; VIA, ID and LENGTH are put in by the sender.
fn case(name: &'static str, expected: Expected, lines: &[&str]) -> Case {
    with_body(name, expected, lines, b"")
}

fn with_body(name: &'static str, expected: Expected, lines: &[&str], body: &[u8]) -> Case {
    let mut text = String::new();
    for line in lines {
        write!(text, "{line}\r\n").unwrap();
    }
    text.push_str("\r\n");
    let mut octets = text.into_bytes();
    octets.extend_from_slice(body);
    Case {
        name,
        octets,
        expected,
        is_framed: true,
    }
}

impl Case {
    fn udp_only(mut self) -> Self {
        self.is_framed = false;
        self
    }

    /// The message over a transport, with a branch and a Call-ID of its own.
    fn filled(&self, number: usize, transport: &str, port: u16) -> Vec<u8> {
        let via =
            format!("SIP/2.0/{transport} 127.0.0.1:{port};branch=z9hG4bKcase{number}{transport}");
        let id = format!("case{number}{transport}@example.com");
        let mut octets = Vec::new();
        let mut rest = self.octets.as_slice();
        while let Some((&first, next)) = rest.split_first() {
            let replaced = [("%VIA%", &via), ("%ID%", &id)]
                .into_iter()
                .find(|(mark, _)| rest.starts_with(mark.as_bytes()));
            match replaced {
                Some((mark, value)) => {
                    octets.extend_from_slice(value.as_bytes());
                    rest = &rest[mark.len()..];
                }
                None => {
                    octets.push(first);
                    rest = next;
                }
            }
        }
        octets
    }
}

/// The fields that a request needs beside Via, for a method.
macro_rules! usual {
    ($method:literal, $uri:literal $(, $line:expr)* $(,)?) => {
        &[
            concat!($method, " ", $uri, " SIP/2.0"),
            "Via: %VIA%",
            "Max-Forwards: 70",
            "From: <sip:alice@example.com>;tag=1",
            "To: <sip:friends@localhost>",
            "Call-ID: %ID%",
            concat!("CSeq: 1 ", $method),
            $($line,)*
            "Content-Length: 0",
        ]
    };
}

/// Legal messages in unusual forms.
fn legal() -> Vec<Case> {
    let long = "x".repeat(4_000);
    let long: &'static str = Box::leak(format!("X-Long: {long}").into_boxed_str());
    vec![
        case(
            "plain",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost"),
        ),
        case(
            "compact names, folded lines and odd blanks",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost;unknownparam SIP/2.0",
                "v : %VIA%",
                "TO :",
                " sip:friends@localhost",
                "   ;   unknown",
                "from: \"A \\\"quoted\\\" name \\\\\"",
                "      <sip:alice@example.com>",
                "  ;",
                "  tag = 98asjd8",
                "MaX-fOrWaRdS: 0068",
                "i: %ID%",
                "Cseq:  9",
                "  OPTIONS",
                "NewFangledHeader:   newfangled value",
                " continued newfangled value",
                "UnknownHeaderWithUnusualValue: ;;,,;;,;",
                "s:",
                "m:\"Quoted string \\\"\\\"\" <sip:alice@example.com> ; newparam =",
                "      newvalue ;",
                "  secondparam ; q = 0.33",
                "l: 0",
            ],
        ),
        case(
            "methods, tags and user parts of every token character",
            Status(501),
            &[
                "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 255",
                "From: token1~` token2'+_ token3*%!.- <sip:alice@example.com:5060>;tag=_token~1'+`*%!-.",
                "To: \"BEL:\u{7} DEL:\u{7f}\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@localhost>",
                "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
                "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~",
                "Content-Length: 0",
            ],
        ),
        case(
            "escapes in the user part",
            Status(200),
            usual!("OPTIONS", "sip:sips%3Auser%40example.com@localhost"),
        ),
        case(
            "an escaped NUL in the user part",
            Status(200),
            usual!("OPTIONS", "sip:null-%00-null@localhost"),
        ),
        case(
            "an escape in the method is no escape",
            Status(501),
            usual!("OP%54IONS", "sip:friends@localhost"),
        ),
        case(
            "no blank before the address",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 70",
                "From: caller<sip:alice@example.com>;tag=1",
                "To: \"\"<sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 60 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "long values",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost", long, long),
        ),
        case(
            "a semicolon in the user part",
            Status(200),
            usual!("OPTIONS", "sip:user;par=u%40example.net@localhost"),
        ),
        case(
            "transports that nobody knows below the topmost Via",
            Status(200),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Via: SIP/2.0/SCTP t1.example.com;branch=z9hG4bK1, SIP / 2.0 / UNKNOWN t2.example.com;branch=z9hG4bK2",
                "v: SIP/2.0/TLS [2001:db8::9:1]:5061;branch=z9hG4bK3"
            ),
        ),
        case(
            "no forwards left, at the end of the way",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 0",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a date in no known zone",
            Status(200),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Date: Fri, 01 Jan 2010 16:00:00 EST"
            ),
        ),
        case(
            "octets after the body of a datagram",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost"),
        )
        .followed_by(b"INVITE sip:second@localhost SIP/2.0\r\n"),
        case(
            "a header field that is not text",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost", "Subject: SUBJECT"),
        )
        .with_octets(b"SUBJECT", b"caf\xe9 \xff\xfe"),
        case(
            "nobody's method without identity",
            Status(403),
            usual!("MESSAGE", "sip:friends@localhost"),
        ),
        case(
            "a method that is known and not served",
            Status(405),
            usual!("REGISTER", "sip:localhost"),
        ),
        case(
            "an ACK for nothing",
            Silence,
            usual!("ACK", "sip:friends@localhost"),
        ),
        case(
            "a CANCEL for nothing",
            Status(481),
            usual!("CANCEL", "sip:friends@localhost"),
        ),
        case(
            "a BYE for nothing",
            Status(481),
            usual!("BYE", "sip:friends@localhost"),
        ),
    ]
}

impl Case {
    fn followed_by(mut self, octets: &[u8]) -> Self {
        self.octets.extend_from_slice(octets);
        self.is_framed = false;
        self
    }

    /// Puts octets that are no text in the place of a mark.
    fn with_octets(mut self, mark: &[u8], octets: &[u8]) -> Self {
        let at = self
            .octets
            .windows(mark.len())
            .position(|w| w == mark)
            .unwrap();
        self.octets
            .splice(at..at + mark.len(), octets.iter().copied());
        self
    }
}

/// Messages that break the rules. Those whose meaning is plain all the same are served.
fn illegal() -> Vec<Case> {
    vec![
        case(
            "separators without values",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%;;,;,,",
                "Max-Forwards: 70",
                "From: <sip:alice@example.com>;;;;tag=1",
                "To: \"J Rosenberg\" <sip:friends@localhost>;",
                "Call-ID: %ID%",
                "CSeq: 0009",
                "Content-Length: 0",
            ],
        ),
        case(
            "a length beyond the datagram",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 9999",
            ],
        )
        .udp_only(),
        case(
            "a negative length",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: -999",
            ],
        ),
        case(
            "two lengths that differ",
            Status(400),
            usual!("OPTIONS", "sip:friends@localhost", "Content-Length: 13"),
        ),
        case(
            "a number in CSeq that is too large",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 36893488147419103232 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a quotation without end",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: \"Mr J. User <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "brackets around the Request-URI",
            Status(400),
            usual!("OPTIONS", "<sip:friends@localhost>"),
        ),
        case(
            "blanks in the Request-URI",
            Status(400),
            usual!("OPTIONS", "sip:friends@localhost; lr"),
        ),
        case(
            "two blanks in the Request-Line",
            Status(400),
            usual!("OPTIONS", " sip:friends@localhost"),
        ),
        case(
            "a blank after the version",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0 ",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "another version",
            Status(505),
            &[
                "OPTIONS sip:friends@localhost SIP/7.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "blanks inside an address",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: \"Watson, Thomas\" < sip:t.watson@example.org >",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a name that is neither tokens nor quoted",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: Bell, Alexander <sip:alice@example.com>;tag=1",
                "To: Watson, Thomas <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a method in CSeq that is another",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 8 INVITE",
                "Content-Length: 0",
            ],
        ),
        case(
            "no Call-ID, From and To",
            Silence,
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "no tag in From",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "no Via",
            Silence,
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "two of what must stand once",
            Status(400),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Call-ID: another",
                "CSeq: 2 OPTIONS"
            ),
        ),
        case(
            "a line without colon",
            Status(400),
            usual!("OPTIONS", "sip:friends@localhost", "no header field at all"),
        ),
        case(
            "an ACK that cannot be read",
            Silence,
            usual!("ACK", "<sip:friends@localhost>"),
        ),
        case(
            "a response with a status of ten digits",
            Silence,
            &[
                "SIP/2.0 4294967301 better not break the receiver",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>;tag=2",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a response to nothing, with a Via of somebody else",
            Silence,
            &[
                "SIP/2.0 200 OK",
                "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>;tag=2",
                "Call-ID: %ID%",
                "CSeq: 1 INVITE",
                "Content-Length: 0",
            ],
        ),
        case(
            "a line that is no message",
            Silence,
            &["what is this", "Content-Length: 0"],
        ),
    ]
}

/// Legal requests that ask for what is not served, and others that an application has to refuse.
fn refused() -> Vec<Case> {
    let asserted = "P-Asserted-Identity: <sip:alice@example.com>";
    let contact = "Contact: <sip:alice@127.0.0.1:9>";
    vec![
        case(
            "an extension that nobody has, asked of OPTIONS",
            Status(420),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Require: nothingSupportsThis, nothingSupportsThisEither"
            ),
        ),
        case(
            "an extension that nobody has, asked of INVITE",
            Status(420),
            usual!(
                "INVITE",
                "sip:friends@localhost",
                asserted,
                contact,
                "Require: nothingSupportsThis"
            ),
        ),
        case(
            "a scheme that nobody knows",
            Status(416),
            usual!(
                "INVITE",
                "nobodyKnowsThisScheme:totallyopaquecontent",
                asserted,
                contact
            ),
        ),
        case(
            "a scheme that others know",
            Status(416),
            usual!("INVITE", "soap.beep://192.0.2.103:3002", asserted, contact),
        ),
        with_body(
            "a body of a type that nobody knows",
            Status(415),
            &[
                "INVITE sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 70",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 INVITE",
                asserted,
                contact,
                "Content-Type: application/unknownformat",
                "Content-Length: 40",
            ],
            b"<audio>\r\n <pcmu port=\"443\"/>\r\n</audio>\r\n",
        ),
        case(
            "an INVITE without an offer",
            Status(488),
            usual!("INVITE", "sip:friends@localhost", asserted, contact),
        ),
        case(
            "an INVITE for a dialog that is not there",
            Status(481),
            &[
                "INVITE sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 70",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>;tag=gone",
                "Call-ID: %ID%",
                "CSeq: 1 INVITE",
                asserted,
                contact,
                "Content-Length: 0",
            ],
        ),
        case(
            "an interval below the least",
            Status(422),
            usual!(
                "INVITE",
                "sip:friends@localhost",
                asserted,
                contact,
                "Supported: timer",
                "Session-Expires: 10"
            ),
        ),
        case(
            "an identity that cannot be read",
            Status(403),
            usual!(
                "INVITE",
                "sip:friends@localhost",
                "P-Asserted-Identity: <<<>>>",
                contact
            ),
        ),
    ]
}

/// The final statuses of the case so far, and whether the probe has been answered.
fn statuses(text: &str, probe: &str) -> (Vec<u16>, bool) {
    let mut found = Vec::new();
    for message in text.split("SIP/2.0 ").skip(1) {
        // A response that is still on its way has no end of its header section.
        let Some(status) = message.get(..3).filter(|_| message.contains("\r\n\r\n")) else {
            continue;
        };
        let status: u16 = status.parse().unwrap();
        assert!(message.contains("\r\nServer: IM-serv/OMA1.0"), "{message}");
        if message.contains(probe) {
            return (found, true);
        }
        if status >= 200 && !found.contains(&status) {
            found.push(status);
        }
    }
    (found, false)
}

fn probe(number: usize, transport: &str, port: u16) -> (String, Vec<u8>) {
    let id = format!("probe{number}{transport}@example.com");
    let text = format!(
        "OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:{port};branch=z9hG4bKprobe{number}{transport}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:probe@example.com>;tag=1\r\nTo: <sip:localhost>\r\nCall-ID: {id}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    (id, text.into_bytes())
}

/// A way to the daemon.
enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Wire {
    fn name(&self) -> &'static str {
        match self {
            Self::Udp(_) => "UDP",
            Self::Tcp(_) => "TCP",
        }
    }

    fn port(&self) -> u16 {
        let address = match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(stream) => stream.local_addr(),
        };
        address.unwrap().port()
    }

    /// Over TCP the octets go in two parts that are cut anywhere.
    async fn write(&mut self, octets: &[u8]) {
        match self {
            Self::Udp(socket) => {
                socket.send(octets).await.unwrap();
            }
            Self::Tcp(stream) => {
                let (first, second) = octets.split_at(octets.len() / 2);
                // The daemon may have ended the connection after its answer.
                let _ended = stream.write_all(first).await;
                let _ended = stream.write_all(second).await;
            }
        }
    }

    /// Appends what arrives; false at the end of the connection.
    async fn read(&mut self, text: &mut String) -> bool {
        let mut buffer = vec![0; 65_535];
        let length = match self {
            Self::Udp(socket) => socket.recv(&mut buffer).await.unwrap(),
            Self::Tcp(stream) => stream.read(&mut buffer).await.unwrap_or(0),
        };
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        length > 0
    }
}

/// Sends the case, waits for its answer when there has to be one, and then sends a probe: whatever else comes before
/// the answer to that is an answer too many.
async fn exchange(number: usize, case: &Case, mut wire: Wire) -> Vec<u16> {
    let (name, port) = (wire.name(), wire.port());
    let (id, probe) = probe(number, name, port);
    wire.write(&case.filled(number, name, port)).await;
    let mut text = String::new();
    while case.expected != Silence && statuses(&text, &id).0.is_empty() {
        if !wire.read(&mut text).await {
            return statuses(&text, &id).0;
        }
    }
    wire.write(&probe).await;
    loop {
        let (found, is_answered) = statuses(&text, &id);
        // A stream from which no message can be cut ends after the answer.
        if is_answered || !wire.read(&mut text).await {
            return found;
        }
    }
}

async fn udp(daemon: &Daemon) -> Wire {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(daemon.sip_udp()).await.unwrap();
    Wire::Udp(socket)
}

async fn tcp(daemon: &Daemon) -> Wire {
    Wire::Tcp(TcpStream::connect(daemon.sip_tcp()).await.unwrap())
}

async fn run(cases: Vec<Case>) {
    let daemon = WAYS[0].start(config_with_friends()).await;
    let mut faults = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut wires = vec![udp(&daemon).await];
        if case.is_framed {
            wires.push(tcp(&daemon).await);
        }
        for wire in wires {
            let transport = wire.name();
            let statuses = within(case, exchange(number, case, wire)).await;
            let expected = match case.expected {
                Status(status) => vec![status],
                Silence => vec![],
            };
            if statuses != expected {
                faults.push(format!(
                    "{}, {transport}: {statuses:?}, not {expected:?}",
                    case.name
                ));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{}\n{}",
        faults.join("\n"),
        daemon.transcript()
    );
    assert_serves(&daemon).await;
}

async fn within(case: &Case, answer: impl Future<Output = Vec<u16>>) -> Vec<u16> {
    match tokio::time::timeout(msrp_testkit::DEADLINE, answer).await {
        Ok(statuses) => statuses,
        Err(_) => panic!("no answer to the probe after: {}", case.name),
    }
}

async fn assert_serves(daemon: &Daemon) {
    let alice = WAYS[0].join(daemon, FRIENDS, ALICE).await;
    let bob = WAYS[1].join(daemon, FRIENDS, BOB).await;
    alice.say("still here").await;
    bob.expect_text(ALICE, "still here").await;
}

#[tokio::test]
async fn legal_messages_in_unusual_forms_are_served() {
    run(legal()).await;
}

#[tokio::test]
async fn illegal_messages_are_refused_or_dropped() {
    run(illegal()).await;
}

#[tokio::test]
async fn requests_that_are_not_served_are_told_why() {
    run(refused()).await;
}

/// Calls with bodies that are too large, too many or too deep in one of their parts.
fn hostile() -> Vec<Case> {
    let sdp = |media: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n{media}"
        )
    };
    let path = "a=path:msrp://127.0.0.1:9/s;tcp";
    let types = "a=accept-types:message/cpim";
    let good = format!("{types}\r\n{path}\r\n");
    let many =
        |line: &str, count: usize| sdp(&format!("{good}{}", format!("{line}\r\n").repeat(count)));
    let bodies = [
        (
            "a long path",
            488,
            sdp(&format!(
                "{types}\r\n{path}{}\r\n",
                " msrp://127.0.0.1:9/s;tcp".repeat(20)
            )),
        ),
        ("two paths", 400, sdp(&format!("{good}{path}x\r\n"))),
        (
            "a path without scheme",
            400,
            sdp(&format!("{types}\r\na=path:127.0.0.1\r\n")),
        ),
        (
            "many types",
            488,
            sdp(&format!("{types}{}\r\n{path}\r\n", " a/b".repeat(1_500))),
        ),
        (
            "types that are none",
            400,
            sdp(&format!("a=accept-types:\u{fc}\r\n{path}\r\n")),
        ),
        ("a size that is no number", 400, many("a=max-size:-1", 1)),
        (
            "directions that differ",
            400,
            sdp(&format!("{good}a=sendonly\r\na=recvonly\r\n")),
        ),
        ("a role that nobody has", 400, many("a=setup:both", 1)),
        (
            "many tokens",
            488,
            sdp(&format!(
                "{good}a=chatroom:{}\r\n",
                (0..200).map(|n| format!("t{n} ")).collect::<String>()
            )),
        ),
        ("many lines", 488, many("a=x:y", 3_000)),
        (
            "a long line",
            488,
            many(&format!("a=x:{}", "y".repeat(9_000)), 1),
        ),
        (
            "many sections",
            488,
            sdp(&"m=audio 9 RTP/AVP 0\r\n".repeat(100)),
        ),
        ("not a description", 400, "\u{0}".repeat(500)),
    ];
    let call = |(name, status, body): (&'static str, u16, String)| {
        let length: &'static str =
            Box::leak(format!("Content-Length: {}", body.len()).into_boxed_str());
        let lines = [
            "INVITE sip:friends@localhost SIP/2.0",
            "Via: %VIA%",
            "Max-Forwards: 70",
            "From: <sip:alice@example.com>;tag=1",
            "To: <sip:friends@localhost>",
            "Call-ID: %ID%",
            "CSeq: 1 INVITE",
            "P-Asserted-Identity: <sip:alice@example.com>",
            "Contact: <sip:alice@127.0.0.1:9>",
            "Content-Type: application/sdp",
            length,
        ];
        with_body(name, Status(status), &lines, body.as_bytes())
    };
    bodies.into_iter().map(call).collect()
}

#[tokio::test]
async fn descriptions_beyond_their_bounds_are_refused() {
    run(hostile()).await;
}

#[tokio::test]
async fn call_in_compact_and_folded_form_joins_the_group() {
    let media = MsrpEndpoint::bind().await.media().to_string();
    let length: &'static str = Box::leak(format!("l: {}", media.len()).into_boxed_str());
    let call = with_body(
        "compact call",
        Status(200),
        &[
            "INVITE sip:friends@localhost SIP/2.0",
            "v: %VIA%",
            "f: sip:alice@example.com;tag=1",
            "t:",
            " <sip:friends@localhost>",
            "i: %ID%",
            "m: <sip:alice@127.0.0.1:9>",
            "CSeq: 1",
            "\tINVITE",
            "p-asserted-identity : \"Alice\"",
            "  <sip:alice@example.com>",
            "k: timer",
            "x: 1800;",
            " refresher=uac",
            "c:",
            " application/sdp",
            length,
        ],
        media.as_bytes(),
    );
    let daemon = WAYS[0].start(config_with_friends()).await;
    let bob = WAYS[0].join(&daemon, FRIENDS, BOB).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let octets = call.filled(0, "UDP", socket.local_addr().unwrap().port());
    socket.send_to(&octets, daemon.sip_udp()).await.unwrap();
    let is_it =
        |line: &LogLine| line.message() == "participant joined" && line.field("entity") == ALICE;
    daemon.wait_log("alice joined", is_it).await;
    let mut buffer = vec![0; 65_535];
    let answer = async {
        loop {
            let length = socket.recv(&mut buffer).await.unwrap();
            let response = SipMessage::parse(&buffer[..length]).unwrap();
            if response.status() >= 200 {
                return response;
            }
        }
    };
    let answer = tokio::time::timeout(msrp_testkit::DEADLINE, answer)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("Session-Expires"), Some("1800;refresher=uac"));
    assert_eq!(answer.media().address(), daemon.msrp_addr());
    bob.say("to whom it may concern").await;
}
