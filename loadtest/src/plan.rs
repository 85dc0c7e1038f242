//! What a run is to do: the command line, checked.

use std::net::SocketAddr;
use std::time::Duration;

use msrp_sip::ua::Transport;
use ring_io::Want;

use crate::cli::{Backend, Cli, MsrpTransport, SipTransport, YesNo};
use crate::content::SIZE_MIN;
use crate::limits::{PARTICIPANTS_MAX, SIZE_MAX};
use crate::mix::Mix;
use crate::pairs::{self, Pair};
use crate::sessions::{self, Session};
use crate::stage::Pace;

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How participants come in.
    pub entrance: Entrance,
    /// The rooms.
    pub rooms: Vec<Room>,
    /// What is sent and how it is checked.
    pub load: Load,
    /// The pace, or the first one of a search.
    pub pace: Pace,
    /// Time of measuring.
    pub duration: Duration,
    /// Time of sending before that.
    pub warmup: Duration,
    /// Longest time without progress at the end.
    pub drain: Duration,
    /// The search for the knee.
    pub steps: Option<Steps>,
    /// The server's process.
    pub pid: Option<u32>,
    /// Load threads.
    pub threads: usize,
    /// Whether the summary is JSON.
    pub is_json: bool,
}

/// How participants come into their rooms.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// By SIP.
    Sip(SipEntrance),
    /// With sessions that are there already, by number of participant.
    Listed(Vec<Session>),
}

/// How participants join by SIP.
#[derive(Debug, Clone, Copy)]
pub struct SipEntrance {
    /// The server.
    pub server: SocketAddr,
    /// How SIP gets there.
    pub transport: Transport,
    /// What MSRP runs on.
    pub media: MsrpTransport,
    /// Joins a second.
    pub ramp: f64,
}

/// One room. Its participants have consecutive numbers: senders first, then readers, slow ones, stalled ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its URI.
    pub uri: String,
    /// The number of its first participant.
    pub first: u32,
    /// The URIs of its participants.
    pub identities: Vec<String>,
    /// How many of them send.
    pub senders: u32,
    /// How many of them read slowly.
    pub slow: u32,
    /// How many of them stop reading.
    pub stalled: u32,
}

/// What a participant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends and reads.
    Sender,
    /// Reads.
    Reader,
    /// Reads slowly.
    Slow,
    /// Stops reading.
    Stalled,
}

/// What is sent and how it is checked; what load threads need of a plan.
#[derive(Debug, Clone)]
pub struct Load {
    /// What is sent.
    pub mix: Mix,
    /// Octets of a sized body.
    pub size: u32,
    /// Octets of the largest chunk.
    pub chunk: usize,
    /// Whether recipients answer when asked.
    pub is_responding: bool,
    /// Whether success is to be reported.
    pub success_report: bool,
    /// Whether octets are compared.
    pub is_verified: bool,
    /// How fast slow readers read, octets a second.
    pub slow_rate: u32,
    /// Whether load threads never sleep.
    pub is_spinning: bool,
    /// The kernel interface.
    pub backend: Want,
    /// What schedules are drawn from.
    pub seed: u64,
    /// Names the run in stamps.
    pub run: u32,
    /// Most sessions on one connection.
    pub per_connection: usize,
}

/// The search for the knee.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// By how much each step is larger.
    pub factor: f64,
    /// Most steps.
    pub count_max: u32,
    /// The largest p99 that is good enough, milliseconds.
    pub p99_ms_max: f64,
}

impl Plan {
    /// Checks a command line. `run` names the run and should differ from others.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn of(cli: &Cli, run: u32) -> Result<Self, String> {
        let (entrance, rooms) = entrance(cli)?;
        let participants: usize = rooms.iter().map(|room| room.identities.len()).sum();
        if participants > PARTICIPANTS_MAX as usize {
            return Err(format!(
                "{participants} participants are more than {PARTICIPANTS_MAX}"
            ));
        }
        Ok(Self {
            entrance,
            rooms,
            load: load(cli, run)?,
            pace: pace(cli)?,
            duration: seconds("--duration", cli.duration)?,
            warmup: seconds("--warmup", cli.warmup)?,
            drain: seconds("--drain", drain(cli))?,
            steps: cli.step.then_some(Steps {
                factor: more_than("--step-factor", cli.step_factor, 1.0)?,
                count_max: cli.steps_max,
                p99_ms_max: cli.p99_max,
            }),
            pid: cli.pid,
            threads: cli.threads.clamp(1, THREADS_MAX) as usize,
            is_json: cli.json,
        })
    }

    /// All participants of all rooms.
    #[must_use]
    pub fn participants(&self) -> usize {
        self.rooms.iter().map(|room| room.identities.len()).sum()
    }

    /// All senders of all rooms.
    #[must_use]
    pub fn senders(&self) -> u64 {
        self.rooms.iter().map(|room| u64::from(room.senders)).sum()
    }
}

impl Room {
    /// What the participant at a place does.
    #[must_use]
    pub fn role(&self, position: u32) -> Role {
        let participants = u32::try_from(self.identities.len()).unwrap_or(u32::MAX);
        let stalled_from = participants.saturating_sub(self.stalled);
        match position {
            p if p < self.senders => Role::Sender,
            p if p >= stalled_from => Role::Stalled,
            p if p >= stalled_from.saturating_sub(self.slow) => Role::Slow,
            _ => Role::Reader,
        }
    }

    /// How many others are expected to receive what a participant says to the room.
    #[must_use]
    pub fn recipients(&self) -> u64 {
        (self.identities.len() as u64)
            .saturating_sub(1)
            .saturating_sub(u64::from(self.stalled))
    }

    fn check(&self) -> Result<(), String> {
        let participants = self.identities.len() as u64;
        let special = u64::from(self.senders) + u64::from(self.slow) + u64::from(self.stalled);
        if self.senders == 0 {
            return Err("nobody sends: --senders must be at least 1".to_owned());
        }
        if participants < 2 || special > participants {
            return Err(format!(
                "room {} has {participants} participants: too few for --senders, --slow and --stalled together",
                self.uri
            ));
        }
        Ok(())
    }
}

fn entrance(cli: &Cli) -> Result<(Entrance, Vec<Room>), String> {
    if let Some(file) = &cli.sessions {
        return listed(cli, sessions::read(file)?);
    }
    if let Some(file) = &cli.pairs {
        let pairs = pairs::read(file)?;
        let mine = match cli.part {
            Some(part) => part.of_list(pairs),
            None => pairs,
        };
        return paired(cli, mine);
    }
    if let Some((relay, users)) = cli.relay.as_ref().zip(cli.relay_users.as_ref()) {
        return paired(cli, pairs::over_relay(relay, users, cli.relay_pairs)?);
    }
    if cli.part.is_some() {
        return Err("--part needs a list to divide: --sessions or --pairs".to_owned());
    }
    by_sip(cli)
}

fn by_sip(cli: &Cli) -> Result<(Entrance, Vec<Room>), String> {
    let entrance = SipEntrance {
        server: cli.server,
        transport: match cli.transport {
            SipTransport::Udp => Transport::Udp,
            SipTransport::Tcp => Transport::Tcp,
        },
        media: cli.msrp_transport,
        ramp: more_than("--ramp", cli.ramp, 0.0)?,
    };
    let mut rooms = Vec::new();
    let mut first = 0_u32;
    for uri in room_uris(cli) {
        let host = uri.rsplit_once('@').map(|(_, host)| host);
        let host = host.ok_or_else(|| format!("{uri} is not the URI of a room"))?;
        let host = host.split([';', '?']).next().unwrap_or(host).to_owned();
        let numbers = first..first.saturating_add(cli.participants);
        let identities = numbers.map(|n| format!("sip:{}{n}@{host}", cli.prefix));
        let room = room(cli, uri, first, identities.collect())?;
        first = first.saturating_add(cli.participants);
        rooms.push(room);
    }
    Ok((Entrance::Sip(entrance), rooms))
}

fn listed(cli: &Cli, list: Vec<sessions::Listed>) -> Result<(Entrance, Vec<Room>), String> {
    let mut groups: Vec<(String, Vec<Member>)> = Vec::new();
    for entry in list {
        let member = (entry.identity, entry.session);
        match groups.last_mut().filter(|(uri, _)| *uri == entry.room) {
            Some((_, members)) => members.push(member),
            None => groups.push((entry.room, vec![member])),
        }
    }
    let mine = match cli.part {
        Some(part) => part.of_rooms(groups),
        None => groups,
    };
    numbered(cli, mine)
}

/// Each pair is a room of two.
fn paired(cli: &Cli, list: Vec<Pair>) -> Result<(Entrance, Vec<Room>), String> {
    let groups = list.into_iter().enumerate().map(|(pair, sessions)| {
        let names = ["a", "b"].map(|leg| format!("sip:{pair}{leg}@{PAIRS_HOST}"));
        let members = names.into_iter().zip(sessions).collect();
        (format!("sip:pair{pair}@{PAIRS_HOST}"), members)
    });
    numbered(cli, groups.collect())
}

/// A participant whose session is there already: its URI and the session.
type Member = (String, Session);

fn numbered(
    cli: &Cli,
    groups: Vec<(String, Vec<Member>)>,
) -> Result<(Entrance, Vec<Room>), String> {
    let (mut rooms, mut sessions, mut first) = (Vec::new(), Vec::new(), 0_u32);
    for (uri, members) in groups {
        let (identities, some): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        let room = room(cli, uri, first, identities)?;
        first = first.saturating_add(u32::try_from(some.len()).unwrap_or(u32::MAX));
        sessions.extend(some);
        rooms.push(room);
    }
    if rooms.is_empty() {
        return Err("there is nobody in the list, or in this part of it".to_owned());
    }
    Ok((Entrance::Listed(sessions), rooms))
}

fn room(cli: &Cli, uri: String, first: u32, identities: Vec<String>) -> Result<Room, String> {
    let room = Room {
        uri,
        first,
        identities,
        senders: cli.senders,
        slow: cli.slow,
        stalled: cli.stalled,
    };
    room.check().map(|()| room)
}

fn room_uris(cli: &Cli) -> Vec<String> {
    let list = cli.rooms.as_deref().unwrap_or(&cli.room);
    let uris = list.split(',').map(str::trim).filter(|uri| !uri.is_empty());
    uris.flat_map(|uri| {
        let count = if uri.contains("%d") {
            cli.rooms_count
        } else {
            1
        };
        (0..count).map(move |number| uri.replace("%d", &number.to_string()))
    })
    .collect()
}

fn load(cli: &Cli, run: u32) -> Result<Load, String> {
    let (size, chunk) = match cli.mix {
        Mix::Text | Mix::Carrier => (TEXT_OCTETS, TEXT_CHUNK_OCTETS),
        Mix::File => (FILE_OCTETS, FILE_CHUNK_OCTETS),
    };
    let size = cli.size.unwrap_or(size);
    if !(SIZE_MIN..=SIZE_MAX).contains(&size) {
        return Err(format!("--size must be {SIZE_MIN} to {SIZE_MAX} octets"));
    }
    let chunk = cli.chunk.unwrap_or(chunk);
    if chunk == 0 || cli.slow_rate == 0 {
        return Err("--chunk and --slow-rate must be at least 1".to_owned());
    }
    Ok(Load {
        mix: cli.mix,
        size,
        chunk: chunk as usize,
        is_responding: cli.respond == YesNo::Yes,
        success_report: cli.success_report,
        is_verified: !cli.no_verify,
        slow_rate: cli.slow_rate,
        is_spinning: cli.spin,
        backend: match cli.backend {
            Backend::Auto => Want::Auto,
            Backend::Uring => Want::Uring,
            Backend::Epoll => Want::Epoll,
        },
        seed: cli.part.map_or(cli.seed, |part| part.seed(cli.seed)),
        run,
        per_connection: cli.per_connection.max(1) as usize,
    })
}

fn pace(cli: &Cli) -> Result<Pace, String> {
    match cli.window {
        Some(0) => Err("--window must be at least 1".to_owned()),
        Some(window) => Ok(Pace::Window(window)),
        None => {
            let rate = more_than("--rate", cli.rate.unwrap_or(RATE), 0.0)?;
            Ok(Pace::Rate(rate, cli.spacing))
        }
    }
}

fn drain(cli: &Cli) -> f64 {
    let default = if cli.stalled > 0 {
        DRAIN_STALLED_S
    } else {
        DRAIN_S
    };
    cli.drain.unwrap_or(default)
}

fn seconds(name: &str, value: f64) -> Result<Duration, String> {
    let duration = Duration::try_from_secs_f64(value).ok();
    let duration = duration.filter(|d| *d <= TIME_MAX);
    duration.ok_or_else(|| format!("{name} must be 0 to {} seconds", TIME_MAX.as_secs()))
}

fn more_than(name: &str, value: f64, least: f64) -> Result<f64, String> {
    if value.is_finite() && value > least {
        Ok(value)
    } else {
        Err(format!("{name} must be more than {least}"))
    }
}

/// The domain of participants of pairs, who have no URIs of their own. Source: RFC 2606 s.2.
const PAIRS_HOST: &str = "pairs.invalid";
const TEXT_OCTETS: u32 = 200;
const FILE_OCTETS: u32 = 1024 * 1024;
/// Up to this size a chunk need not be interruptible. Source: RFC 4975 s.5.1.
const TEXT_CHUNK_OCTETS: u32 = 2048;
const FILE_CHUNK_OCTETS: u32 = 64 * 1024;
const RATE: f64 = 50.0;
const DRAIN_S: f64 = 5.0;
/// More than the 30 s of a transaction. Source: RFC 4975 s.7.1.1.
const DRAIN_STALLED_S: f64 = 40.0;
const THREADS_MAX: u32 = 256;
/// Longest time of one stage.
const TIME_MAX: Duration = Duration::from_secs(7 * 86_400);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let all = ["msrpload"].iter().chain(arguments);
        Plan::of(&Cli::try_parse_from(all).unwrap(), 1)
    }

    #[test]
    fn plan_of_several_rooms_numbers_participants_through() {
        let plan = plan(&[
            "--rooms=sip:a@x.org,sip:r%d@y.org;p=1",
            "--rooms-count=2",
            "--participants=3",
            "--prefix=m1-",
        ])
        .unwrap();
        let uris: Vec<_> = plan.rooms.iter().map(|r| r.uri.as_str()).collect();
        assert_eq!(
            uris,
            ["sip:a@x.org", "sip:r0@y.org;p=1", "sip:r1@y.org;p=1"]
        );
        assert_eq!(plan.rooms[2].first, 6);
        assert_eq!(plan.rooms[2].identities[1], "sip:m1-7@y.org");
        assert_eq!((plan.participants(), plan.senders()), (9, 6));
    }

    #[test]
    fn roles_come_in_order_and_stalled_ones_are_not_expected_to_receive() {
        let plan = plan(&["--participants=6", "--senders=2", "--slow=1", "--stalled=2"]).unwrap();
        let room = &plan.rooms[0];
        let roles: Vec<_> = (0..6).map(|p| room.role(p)).collect();
        use Role::{Reader, Sender, Slow, Stalled};
        assert_eq!(roles, [Sender, Sender, Reader, Slow, Stalled, Stalled]);
        assert_eq!(room.recipients(), 3);
    }

    #[test]
    fn plan_that_cannot_be_carried_out_is_refused() {
        for arguments in [
            ["--senders=0"],
            ["--senders=11"],
            ["--participants=1"],
            ["--rate=0"],
            ["--rate=NaN"],
            ["--window=0"],
            ["--size=90"],
            ["--duration=-1"],
            ["--room=nonsense"],
            ["--sessions=/nonexistent"],
            ["--chunk=0"],
        ] {
            assert!(plan(&arguments).is_err(), "{arguments:?}");
        }
    }
}
