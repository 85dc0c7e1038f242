//! One large message to many recipients of different speeds, octet by octet, with memory and processor time of the
//! daemon.
//!
//! The recipients keep nothing: they compare what comes with what has to come. So the size is limited by
//! patience alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use msrp_testkit::{Config, Daemon, Dialog, Invitation, MsrpEndpoint};
use msrpd_tests::{ALICE, FACTORY, WAYS, person};

/// Content that repeats itself after a prime number of octets, so that no octets of it can take the place of others
/// unnoticed.
struct Content {
    block: Vec<u8>,
}

impl Content {
    fn new() -> Self {
        let octet = |n: u32| n.wrapping_mul(2_654_435_761).rotate_left(7).to_be_bytes()[0];
        let once = || (0..PERIOD).map(octet);
        Self {
            block: once().chain(once()).collect(),
        }
    }

    /// At most this many octets from a position on, as far as they lie together.
    fn at(&self, position: u64, octets: u64) -> &[u8] {
        let start = usize::try_from(position % u64::from(PERIOD)).expect("a small number");
        let period = u64::from(PERIOD);
        let octets = usize::try_from(octets.min(period)).expect("a small number");
        &self.block[start..start + octets]
    }
}

const PERIOD: u32 = 1_048_573;

/// A whole message of so many octets: its wrapper, then content.
struct Large {
    head: Vec<u8>,
    content: Content,
    octets: u64,
}

impl Large {
    fn new(room: &str, octets: u64) -> Self {
        let head = format!(
            "From: <{ALICE}>\r\nTo: <{room}>\r\nNS: f <urn:oma:xml:poc:final-report>\r\n\
             f.Final-Report: yes\r\n\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        Self {
            octets,
            head: head.into_bytes(),
            content: Content::new(),
        }
    }

    /// Octets from a position on, as far as they lie together.
    fn at(&self, position: u64, octets: u64) -> &[u8] {
        let head = self.head.len() as u64;
        let octets = octets.min(self.octets - position);
        if position < head {
            let start = usize::try_from(position).expect("inside the head");
            let end = usize::try_from((position + octets).min(head)).expect("inside the head");
            &self.head[start..end]
        } else {
            self.content.at(position - head, octets)
        }
    }
}

/// A connection that reads and writes frames without keeping their bodies.
struct Wire {
    input: BufReader<TcpStream>,
    output: TcpStream,
    own: String,
    peer: String,
    number: u64,
}

/// What stands in front of a body.
struct Head {
    start: String,
    tid: String,
    lines: Vec<String>,
    has_body: bool,
}

impl Head {
    fn value(&self, name: &str) -> Option<&str> {
        let mut lines = self.lines.iter().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Start, end and total of the Byte-Range. What comes from the daemon always has an end, but for the last word.
    fn range(&self) -> (u64, Option<u64>) {
        let range = self.value("Byte-Range").expect("a Byte-Range");
        let (start, rest) = range.split_once('-').expect("a range");
        let end = rest.split('/').next().and_then(|end| end.parse().ok());
        (start.parse().expect("a start"), end)
    }
}

impl Wire {
    /// Connects and binds.
    fn open(own: &str, peer: &str, address: std::net::SocketAddr) -> Self {
        let output = TcpStream::connect(address).expect("a connection");
        output.set_nodelay(true).expect("a socket");
        output
            .set_read_timeout(Some(Duration::from_secs(120)))
            .expect("a socket");
        let input = BufReader::with_capacity(256 * 1024, output.try_clone().expect("a socket"));
        let mut wire = Self {
            input,
            output,
            own: own.into(),
            peer: peer.into(),
            number: 0,
        };
        let lines = "Message-ID: bindbind\r\nByte-Range: 1-0/0\r\n";
        let tid = wire.request("SEND", lines, None);
        let answer = wire.head().expect("an answer");
        assert_eq!(answer.start, format!("MSRP {tid} 200 OK"));
        wire
    }

    /// Writes a request; a body goes with its Content-Type in the lines. Gives its transaction id.
    fn request(&mut self, method: &str, lines: &str, body: Option<(&[&[u8]], char)>) -> String {
        self.number += 1;
        let tid = format!("t{:012}x", self.number);
        let (own, peer) = (&self.own, &self.peer);
        let mut head =
            format!("MSRP {tid} {method}\r\nTo-Path: {peer}\r\nFrom-Path: {own}\r\n{lines}");
        let flag = body.map_or('$', |(_, flag)| flag);
        if body.is_some() {
            head += "\r\n";
        }
        let mut octets = head.into_bytes();
        for slice in body.iter().flat_map(|(slices, _)| *slices) {
            octets.extend_from_slice(slice);
        }
        if body.is_some() {
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(format!("-------{tid}{flag}\r\n").as_bytes());
        self.output.write_all(&octets).expect("a daemon that reads");
        tid
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.input.read_until(b'\n', &mut line).ok()?;
        let text = line.strip_suffix(b"\r\n")?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// The next frame up to its body, or to its end line. `None` at the end of the connection.
    fn head(&mut self) -> Option<Head> {
        let start = self.line()?;
        let tid = start.split(' ').nth(1).expect("a start line").to_owned();
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() || line.starts_with("-------") {
                let has_body = line.is_empty();
                return Some(Head {
                    start,
                    tid,
                    lines: if has_body {
                        lines
                    } else {
                        [lines, vec![line]].concat()
                    },
                    has_body,
                });
            }
            lines.push(line);
        }
    }

    /// Reads the end of a body and gives the flag.
    fn flag(&mut self, tid: &str) -> char {
        let mut line = self.line().expect("an end line");
        if line.is_empty() {
            line = self.line().expect("an end line");
        }
        let rest = line
            .strip_prefix("-------")
            .and_then(|l| l.strip_prefix(tid));
        rest.and_then(|rest| rest.chars().next()).expect("a flag")
    }

    fn respond(&mut self, tid: &str) {
        let (own, peer) = (&self.own, &self.peer);
        let answer = format!(
            "MSRP {tid} 200 OK\r\nTo-Path: {peer}\r\nFrom-Path: {own}\r\n-------{tid}$\r\n"
        );
        self.output
            .write_all(answer.as_bytes())
            .expect("a daemon that reads");
    }
}

/// How a recipient behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Takes all it gets.
    Fast,
    /// Takes so many octets in a second.
    Slow(u64),
    /// Closes its connection after so many octets.
    Leaves(u64),
    /// Reads nothing any more after so many octets.
    Sleeps(u64),
}

/// Receives a message and compares it. Gives the octets that came and the flag of the last chunk, if one came.
fn receive(mut wire: Wire, large: &Large, manner: Manner) -> (u64, Option<char>, Wire) {
    let mut position = 0;
    let mut buffer = vec![0; 64 * 1024];
    let started = Instant::now();
    loop {
        let Some(head) = wire.head() else {
            return (position, None, wire);
        };
        assert!(head.start.ends_with(" SEND"), "{}", head.start);
        let (start, end) = head.range();
        let mut flag = head.lines.last().and_then(|line| line.chars().last());
        if head.has_body {
            assert_eq!(start, position + 1, "octets in their order");
            let mut left = end.map_or(0, |end| end + 1 - start);
            while left > 0 {
                let wanted = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                let got = &mut buffer[..wanted];
                wire.input.read_exact(got).expect("a whole body");
                let mut seen = 0;
                while seen < wanted {
                    let expected = large.at(position, (wanted - seen) as u64);
                    assert!(
                        expected == &got[seen..seen + expected.len()],
                        "other octets"
                    );
                    seen += expected.len();
                    position += expected.len() as u64;
                }
                left -= wanted as u64;
            }
            flag = Some(wire.flag(&head.tid));
        }
        match manner {
            Manner::Leaves(octets) if position >= octets => {
                wire.output.shutdown(Shutdown::Both).expect("a socket");
                return (position, None, wire);
            }
            Manner::Sleeps(octets) if position >= octets => return (position, None, wire),
            Manner::Slow(rate) => {
                let due = Duration::from_millis(position * 1000 / rate);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
            Manner::Fast | Manner::Leaves(_) | Manner::Sleeps(_) => {}
        }
        wire.respond(&head.tid);
        if flag == Some('$') {
            let id = head.value("Message-ID").expect("a Message-ID").to_owned();
            let lines = format!(
                "Message-ID: {id}\r\nByte-Range: 1-{position}/{position}\r\nStatus: 000 200 OK\r\n"
            );
            wire.request("REPORT", &lines, None);
        }
        if flag != Some('+') {
            return (position, flag, wire);
        }
    }
}

/// Sends the message, waits for all answers and for the final report, and gives its document.
fn send(mut wire: Wire, large: &Large) -> String {
    let mut reader = Wire {
        input: BufReader::new(wire.output.try_clone().expect("a socket")),
        output: wire.output.try_clone().expect("a socket"),
        own: wire.own.clone(),
        peer: wire.peer.clone(),
        number: 1,
    };
    let chunks = large.octets.div_ceil(CHUNK_OCTETS);
    std::thread::scope(|scope| {
        let answers = scope.spawn(move || {
            let mut ok = 0;
            loop {
                let head = reader.head().expect("a final report");
                if !head.start.ends_with(" REPORT") {
                    assert!(head.start.ends_with(" 200 OK"), "{}", head.start);
                    ok += 1;
                    continue;
                }
                let mut document = String::new();
                loop {
                    let line = reader.line().expect("a document");
                    if line.starts_with("-------") {
                        assert_eq!(ok, chunks, "an answer to each chunk");
                        return document;
                    }
                    document += &line;
                }
            }
        });
        let mut position = 0;
        while position < large.octets {
            let end = (position + CHUNK_OCTETS).min(large.octets);
            let mut slices = Vec::new();
            let mut at = position;
            while at < end {
                let slice = large.at(at, end - at);
                slices.push(slice);
                at += slice.len() as u64;
            }
            let flag = if end == large.octets { '$' } else { '+' };
            let lines = format!(
                "Message-ID: large-one\r\nByte-Range: {}-{end}/{}\r\nSuccess-Report: yes\r\n\
                 Content-Type: message/cpim\r\n",
                position + 1,
                large.octets
            );
            wire.request("SEND", &lines, Some((&slices, flag)));
            position = end;
        }
        answers.join().expect("a document")
    })
}

const CHUNK_OCTETS: u64 = 1_000_000;

/// What a recipient that accepts will have got, with its dialog.
type Recipient = (Dialog, JoinHandle<(u64, Option<char>, Wire)>);

/// Accepts, and receives in a thread.
async fn recipient(invitation: &Invitation, large: Arc<Large>, manner: Manner) -> Recipient {
    let endpoint = MsrpEndpoint::bind().await;
    let answer = endpoint.media().accept_wrapped_types("*");
    let answer = answer.setup("active").line("a=recvonly");
    let offer = invitation.media();
    let dialog = invitation.accept(&answer).await;
    let own = endpoint.uri().to_owned();
    // Bound before anything is sent: what waits for a session goes before the answer to what binds it.
    let open = move || Wire::open(&own, &offer.path[0], offer.address());
    let wire = tokio::task::spawn_blocking(open).await.expect("a wire");
    let work = std::thread::spawn(move || receive(wire, &large, manner));
    (dialog, work)
}

/// Seconds of processor time that a process has used.
fn processor_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|i| fields[*i].parse::<f64>().unwrap_or(0.0))
        .sum();
    ticks / 100.0
}

/// The most memory that a process had, in KiB.
fn resident_peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.expect("a number of KiB")
}

/// Sends so many octets to these recipients, of which the last two leave and sleep in the middle.
async fn transfer(octets: u64, manners: &[Manner]) {
    let way = WAYS[2];
    let proxy = way.proxy().await;
    let config = Config::new()
        .outbound_proxy(&proxy.proxy_uri())
        .set("limits", "stall_s", 15);
    let daemon: Daemon = way.start(config).await;
    let people: Vec<String> = (0..manners.len()).map(person).collect();
    let list: Vec<&str> = people.iter().map(String::as_str).collect();
    let joining = way
        .dial(FACTORY, ALICE)
        .invite(|invite| {
            let tags = "*;+g.oma.sip-im;+g.oma.sip-im.large-message";
            invite.list(&list).header("Accept-Contact", tags)
        })
        .offer(|media| {
            let media = media.accept_wrapped_types("*").line("a=sendonly");
            media.setup("active").max_size(5_000_000_000)
        })
        .start(&daemon)
        .await;
    let before_s = processor_s(daemon.pid());
    let mut invitations = Vec::new();
    for identity in &people {
        invitations.push(proxy.accept_invite(|uri| uri == identity).await);
    }
    let room = invitations[0].request().contact_uri().expect("a Contact");
    let large = Arc::new(Large::new(room, octets));
    let mut recipients = Vec::new();
    for (index, invitation) in invitations.iter().enumerate() {
        recipients.push(recipient(invitation, Arc::clone(&large), manners[index]).await);
    }
    let (dialog, endpoint, ..) = joining.answered().await;
    let media = dialog.remote_media();
    let started = Instant::now();
    let sender = {
        let (large, own) = (Arc::clone(&large), endpoint.uri().to_owned());
        std::thread::spawn(move || send(Wire::open(&own, &media.path[0], media.address()), &large))
    };
    let document = tokio::task::spawn_blocking(|| sender.join().expect("a document"))
        .await
        .expect("a thread");
    let elapsed = started.elapsed().as_secs_f64();
    let used_s = processor_s(daemon.pid()) - before_s;
    let mut served = 0_u64;
    for (index, (_, work)) in recipients.into_iter().enumerate() {
        let (position, flag, _wire) = work.join().expect("the right octets");
        let leg = format!("<leg uri=\"{}\" status=\"", people[index]);
        let at = document.find(&leg).expect("a leg") + leg.len();
        let status = &document[at..at + 3];
        match manners[index] {
            Manner::Fast | Manner::Slow(_) => {
                assert_eq!((position, flag, status), (large.octets, Some('$'), "200"));
                served += position;
            }
            Manner::Leaves(_) => assert_eq!(status, "481"),
            Manner::Sleeps(_) => assert!(["408", "481"].contains(&status), "{document}"),
        }
    }
    dialog.bye().await;
    let peak = resident_peak_kib(daemon.pid());
    assert!(peak < 96 * 1024, "{peak} KiB");
    println!("octets,recipients,seconds,server_cpu_s,cpu_s_per_gb_and_recipient,peak_kib");
    #[expect(clippy::cast_precision_loss, reason = "figures with a few digits")]
    let per_gb = used_s / (served as f64 / 1e9);
    println!(
        "{octets},{},{elapsed:.1},{used_s:.2},{per_gb:.3},{peak}",
        manners.len()
    );
}

/// Twenty of different speeds.
fn twenty(octets: u64) -> Vec<Manner> {
    let mut manners = vec![Manner::Fast; 10];
    manners.extend([Manner::Slow(400_000_000); 4]);
    manners.extend([Manner::Slow(150_000_000); 4]);
    manners.extend([Manner::Leaves(octets / 3), Manner::Sleeps(octets / 2)]);
    manners
}

// covers: LRG-9.4.5-01
#[tokio::test]
async fn large_message_reaches_twenty_recipients_of_different_speeds() {
    let octets = 30_000_000;
    transfer(octets, &twenty(octets)).await;
}

#[tokio::test]
#[ignore = "takes minutes: MSRPD_BIN=target/release/msrpd cargo test -p msrpd-tests --test transfer -- --ignored --nocapture"]
async fn large_message_of_two_gigabytes_reaches_twenty_recipients_of_different_speeds() {
    let octets = 2_000_000_000;
    transfer(octets, &twenty(octets)).await;
}

/// The longest message that a node takes unless it is told otherwise: one octet more than 32 bits count.
#[tokio::test]
#[ignore = "takes minutes: MSRPD_BIN=target/release/msrpd cargo test -p msrpd-tests --test transfer -- --ignored --nocapture"]
async fn large_message_of_four_gigabytes_reaches_recipients_of_different_speeds() {
    let octets = 1 << 32;
    let (leaves, sleeps) = (Manner::Leaves(octets / 3), Manner::Sleeps(octets / 2));
    let manners = [
        Manner::Fast,
        Manner::Slow(400_000_000),
        Manner::Slow(150_000_000),
        leaves,
        sleeps,
    ];
    transfer(octets, &manners).await;
}
