//! Sessions that send what costs the server most.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::seat::Seat;
use super::{Flood, Tally, before, fresh};

/// Octets of chunks that do not end. Counts writes of 64 KiB.
///
/// # Errors
/// A seat could not be had.
pub async fn endless_chunks(flood: &Flood, until: Instant) -> io::Result<u64> {
    talk(flood, until, |seat| {
        let (_, head) = seat.head("SEND");
        let begin = format!(
            "{head}Message-ID: {}\r\nByte-Range: 1-*/*\r\nContent-Type: message/cpim\r\n\r\n{}",
            fresh("m"),
            seat.wrapper("")
        );
        let mut begin = Some(begin.into_bytes());
        move || begin.take().unwrap_or_else(|| vec![b'x'; WRITE_OCTETS])
    })
    .await
}

/// Messages of one chunk with the wrapper and then 256 of one octet. Counts messages.
///
/// # Errors
/// A seat could not be had.
pub async fn tiny_chunks(flood: &Flood, until: Instant) -> io::Result<u64> {
    talk(flood, until, |seat| move || tiny(&seat)).await
}

fn tiny(seat: &Seat) -> Vec<u8> {
    let (message, wrapper) = (fresh("m"), seat.wrapper(""));
    let total = wrapper.len() + TINY_CHUNKS;
    let mut octets = Vec::new();
    let mut begin = 1;
    for number in 0..=TINY_CHUNKS {
        let body = if number == 0 { wrapper.as_str() } else { "x" };
        let (id, head) = seat.head("SEND");
        let flag = if number == TINY_CHUNKS { '$' } else { '+' };
        let end = begin + body.len() - 1;
        let chunk = format!(
            "{head}Message-ID: {message}\r\nByte-Range: {begin}-{end}/{total}\r\nFailure-Report: no\r\n\
             Content-Type: message/cpim\r\n\r\n{body}\r\n-------{id}{flag}\r\n"
        );
        octets.extend_from_slice(chunk.as_bytes());
        begin = end + 1;
    }
    octets
}

/// REPORTs on messages that do not exist. Counts writes of 64.
///
/// # Errors
/// A seat could not be had.
pub async fn reports(flood: &Flood, until: Instant) -> io::Result<u64> {
    talk(flood, until, |seat| {
        move || {
            requests(|octets| {
                let (id, head) = seat.head("REPORT");
                let message = fresh("none");
                let text = format!(
                    "{head}Message-ID: {message}\r\nByte-Range: 1-10/10\r\nStatus: 000 200 OK\r\n-------{id}$\r\n"
                );
                octets.extend_from_slice(text.as_bytes());
            })
        }
    })
    .await
}

/// Messages that ask for a final report, to recipients who send no REPORT. Counts writes of 64.
///
/// # Errors
/// A seat could not be had.
pub async fn final_reports(flood: &Flood, until: Instant) -> io::Result<u64> {
    let wish = "NS: FR <urn:oma:xml:poc:final-report>\r\nFR.Final-Report: yes\r\n";
    talk(flood, until, |seat| {
        move || {
            requests(|octets| {
                let (id, head) = seat.head("SEND");
                let (message, body) = (fresh("m"), seat.wrapper(wish));
                let size = body.len();
                let text = format!(
                    "{head}Message-ID: {message}\r\nByte-Range: 1-{size}/{size}\r\nSuccess-Report: yes\r\n\
                     Content-Type: message/cpim\r\n\r\n{body}\r\n-------{id}$\r\n"
                );
                octets.extend_from_slice(text.as_bytes());
            })
        }
    })
    .await
}

/// Requests for another nickname. Counts writes of 64.
///
/// # Errors
/// A seat could not be had.
pub async fn nicknames(flood: &Flood, until: Instant) -> io::Result<u64> {
    talk(flood, until, |seat| {
        move || {
            requests(|octets| {
                let (id, head) = seat.head("NICKNAME");
                let nickname = fresh("nick");
                let text = format!("{head}Use-Nickname: \"{nickname}\"\r\n-------{id}$\r\n");
                octets.extend_from_slice(text.as_bytes());
            })
        }
    })
    .await
}

/// Large messages to recipients with a window of a few octets who read one now and then. Counts messages.
///
/// # Errors
/// A seat could not be had.
pub async fn tiny_windows(flood: &Flood, until: Instant) -> io::Result<u64> {
    let mut recipients = JoinSet::new();
    for _ in 0..DEAF_RECIPIENTS {
        let (_, mut stream) = Seat::take(flood, Some(WINDOW_OCTETS)).await?;
        recipients.spawn(async move {
            while stream.read_u8().await.is_ok() {
                sleep(DEAF_PAUSE).await;
            }
        });
    }
    talk(flood, until, |seat| {
        move || {
            let (id, head) = seat.head("SEND");
            let (message, wrapper) = (fresh("m"), seat.wrapper(""));
            let size = wrapper.len() + WRITE_OCTETS;
            let text = format!(
                "{head}Message-ID: {message}\r\nByte-Range: 1-{size}/{size}\r\nFailure-Report: no\r\n\
                 Content-Type: message/cpim\r\n\r\n{wrapper}"
            );
            let mut octets = text.into_bytes();
            octets.resize(octets.len() + WRITE_OCTETS, b'x');
            octets.extend_from_slice(format!("\r\n-------{id}$\r\n").as_bytes());
            octets
        }
    })
    .await
}

/// Seats senders, each of which writes again and again what `compose` makes for it, and reads and forgets what comes.
async fn talk<C, N>(flood: &Flood, until: Instant, mut compose: C) -> io::Result<u64>
where
    C: FnMut(Seat) -> N,
    N: FnMut() -> Vec<u8> + Send + 'static,
{
    let tally = Tally::default();
    let mut running = JoinSet::new();
    let mut seats = Vec::new();
    for _ in 0..SENDERS {
        seats.push(Seat::take(flood, None).await?);
    }
    for (seat, stream) in seats {
        let (mut reading, writing) = stream.into_split();
        let mut next = compose(seat);
        let tally = tally.clone();
        running.spawn(async move {
            let mut octets = vec![0; WRITE_OCTETS];
            while matches!(reading.read(&mut octets).await, Ok(count) if count > 0) {}
        });
        running.spawn(async move { write_on(writing, &mut next, &tally).await });
    }
    before(until, async {
        while running.join_next().await.is_some() {}
    })
    .await;
    Ok(tally.sum())
}

async fn write_on(mut writing: OwnedWriteHalf, next: &mut impl FnMut() -> Vec<u8>, tally: &Tally) {
    while writing.write_all(&next()).await.is_ok() {
        tally.add();
        tokio::task::yield_now().await;
    }
}

/// Several requests in one write.
fn requests(mut one: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut octets = Vec::new();
    for _ in 0..REQUESTS_PER_WRITE {
        one(&mut octets);
    }
    octets
}

/// Sessions that send.
const SENDERS: usize = 8;
/// Requests in one write.
const REQUESTS_PER_WRITE: usize = 64;
/// Chunks of one octet in a message.
const TINY_CHUNKS: usize = 256;
/// Octets of one write of a body.
const WRITE_OCTETS: usize = 64 * 1024;
/// Recipients who hardly read.
const DEAF_RECIPIENTS: usize = 64;
/// What their kernel may keep unread: the smallest that it grants.
const WINDOW_OCTETS: u32 = 1;
/// Between two octets that they read.
const DEAF_PAUSE: Duration = Duration::from_millis(50);
