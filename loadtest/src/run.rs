//! A run from start to end: join, stages, drain, account, leave.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use msrp_wire::MsrpPathBuf;
use rand_core::{OsRng, TryRngCore};

use crate::account::{Account, Counts, Ledger};
use crate::cli::Cli;
use crate::clock::{Clock, nanoseconds};
use crate::engine::{Command, Engine, Event, Seat};
use crate::latency::Latencies;
use crate::limits::JOIN_TIME_MAX;
use crate::pairs;
use crate::plan::{Entrance, Plan, Room};
use crate::process::Usage;
use crate::sessions::Session;
use crate::sip::{Sip, SipEvent};
use crate::stage::{Pace, Stage, StageFigures};
use crate::summary::{self, Settings, StageSummary, Summary, Usages};

/// Carries out a command line; the status is 0 when nothing was lost or wrong, 1 when something was, 2 for a wrong use.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    log();
    let plan = match run_name().and_then(|name| Plan::of(cli, name)) {
        Ok(plan) => plan,
        Err(reason) => {
            eprintln!("msrpload: {reason}");
            return ExitCode::from(WRONG_USE);
        }
    };
    match Run::start(&plan).and_then(|run| run.complete()) {
        Ok(summary) => {
            if plan.is_json {
                match summary.json() {
                    Ok(json) => println!("{json}"),
                    Err(error) => eprintln!("msrpload: {error}"),
                }
            } else {
                print!("{}", summary.text());
            }
            ExitCode::from(u8::from(!summary.ok))
        }
        Err(reason) => {
            eprintln!("msrpload: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Warnings of the SIP engine go to the standard error.
fn log() {
    let filter = tracing_subscriber::filter::LevelFilter::ERROR;
    let format = tracing_subscriber::fmt().with_writer(std::io::stderr);
    // Another subscriber is as good.
    let _ = format.with_max_level(filter).try_init();
}

fn run_name() -> Result<u32, String> {
    OsRng.try_next_u32().map_err(|e| e.to_string())
}

/// A run under way.
struct Run<'a> {
    plan: &'a Plan,
    rooms: Arc<Vec<Room>>,
    clock: Clock,
    engine: Engine,
    backend: String,
    sip: Option<Sip>,
    /// By number of participant: whether the server ended its dialog.
    is_ended: Vec<bool>,
    lost_count: usize,
    /// By number of participant: the URIs that its relay gave it.
    use_paths: Vec<Option<MsrpPathBuf>>,
}

/// How a wait for one thing ended.
enum Heard {
    Up,
    Lost(u32, String),
    Other(Event),
    Nothing,
}

impl<'a> Run<'a> {
    /// Brings all participants into their rooms.
    fn start(plan: &'a Plan) -> Result<Self, String> {
        let clock = Clock::start();
        let rooms = Arc::new(plan.rooms.clone());
        let load = Arc::new(plan.load.clone());
        let (engine, backend) = Engine::start(plan.threads, &load, &rooms, clock)?;
        let sip = match plan.entrance {
            Entrance::Sip(entrance) => Some(Sip::start(entrance, &rooms)?),
            Entrance::Listed(_) => None,
        };
        let mut run = Self {
            plan,
            rooms,
            clock,
            engine,
            backend,
            sip,
            is_ended: vec![false; plan.participants()],
            lost_count: 0,
            use_paths: vec![None; plan.participants()],
        };
        if let Err(reason) = run.enter() {
            run.leave();
            return Err(reason);
        }
        Ok(run)
    }

    /// Attaches sessions as they come and waits until all are bound.
    fn enter(&mut self) -> Result<(), String> {
        let all = self.plan.participants();
        self.say(&format!(
            "{all} participants join {} room(s); load threads use {}",
            self.rooms.len(),
            self.backend
        ));
        if let Entrance::Listed(sessions) = &self.plan.entrance {
            for (number, session) in (0_u32..).zip(sessions) {
                self.attach(number, session.clone());
            }
        }
        let (mut up, mut heard_at) = (0, Instant::now());
        while up < all {
            self.attach_joined()?;
            match self.hear(POLL) {
                Heard::Up => {
                    up += 1;
                    heard_at = Instant::now();
                }
                Heard::Lost(number, reason) => {
                    return Err(format!("{}: {reason}", self.identity(number)));
                }
                Heard::Other(Event::Failed(reason)) => return Err(reason),
                Heard::Other(_) | Heard::Nothing => {}
            }
            if heard_at.elapsed() > JOIN_TIME_MAX {
                return Err(format!(
                    "only {up} of {all} participants came into their rooms"
                ));
            }
        }
        self.say(&format!("all {all} participants are in"));
        Ok(())
    }

    /// Passes on what SIP has brought.
    fn attach_joined(&mut self) -> Result<(), String> {
        while let Some(event) = self
            .sip
            .as_ref()
            .and_then(|sip| sip.events().try_recv().ok())
        {
            match event {
                SipEvent::Joined(number, session) => self.attach(number, *session),
                SipEvent::Failed(number, reason) => {
                    return Err(format!(
                        "{} could not join: {reason}",
                        self.identity(number)
                    ));
                }
                SipEvent::Ended(number) => {
                    if let Some(is_ended) = self.is_ended.get_mut(number as usize) {
                        *is_ended = true;
                    }
                }
            }
        }
        Ok(())
    }

    fn attach(&self, number: u32, session: Session) {
        let Some((index, room)) = self.room_of(number) else {
            return;
        };
        let place = number - room.first;
        self.engine.attach(Seat {
            number,
            room: index,
            place,
            role: room.role(place),
            session,
        });
    }

    /// Runs all stages and draws up the account.
    fn complete(mut self) -> Result<Summary, String> {
        let result = self.stages();
        let result = result.and_then(|(stages, knee)| {
            self.attach_joined()?;
            let (mut ledgers, counts) = self.finish()?;
            self.note_ended(&mut ledgers);
            let account = Account::settle(&self.rooms, &ledgers, &counts);
            let faults = account.faults(self.plan.steps.is_some());
            Ok(Summary {
                ok: faults.is_empty(),
                faults,
                settings: self.settings(),
                account,
                stages,
                knee,
            })
        });
        self.leave();
        result
    }

    fn stages(&mut self) -> Result<(Vec<StageSummary>, Option<usize>), String> {
        let (Some(steps), Pace::Rate(rate, spacing)) = (self.plan.steps, self.plan.pace) else {
            let stage = self.stage(self.plan.pace)?;
            return Ok((vec![stage], None));
        };
        let (mut stages, mut knee, mut rate) = (Vec::new(), None, rate);
        self.say(summary::TABLE_HEAD);
        for index in 0..steps.count_max as usize {
            let stage = self.stage(Pace::Rate(rate, spacing))?;
            let is_good = stage.is_good(steps.p99_ms_max);
            self.say(&stage.table_line(is_good));
            stages.push(stage);
            if !is_good {
                break;
            }
            knee = Some(index);
            rate *= steps.factor;
        }
        Ok((stages, knee))
    }

    /// Runs one stage, its drain included.
    fn stage(&mut self, pace: Pace) -> Result<StageSummary, String> {
        let start_ns = self.clock.now_ns() + nanoseconds(LEAD);
        let measure_ns = start_ns + nanoseconds(self.plan.warmup);
        let stage = Stage {
            pace,
            start_ns,
            measure_ns,
            end_ns: measure_ns + nanoseconds(self.plan.duration),
        };
        self.engine.tell_all(|| Command::Begin(stage));
        self.run_until(stage.measure_ns, start_ns)?;
        let before = self.usages()?;
        self.run_until(stage.end_ns, start_ns)?;
        let after = self.usages()?;
        self.drain()?;
        let figures = self.collect()?;
        let usages = Usages {
            own: (before.0, after.0),
            server: before.1.zip(after.1),
        };
        let copies = self.copies_per_unit();
        Ok(StageSummary::of(&stage, &figures, copies, &usages))
    }

    /// Prints a line each second until a time.
    fn run_until(&mut self, until_ns: u64, start_ns: u64) -> Result<(), String> {
        let mut last = self.engine.totals();
        loop {
            let now = self.clock.now_ns();
            if now >= until_ns {
                return Ok(());
            }
            let second = now.saturating_sub(start_ns) / NS_PER_S + 1;
            let tick = (start_ns + second * NS_PER_S).min(until_ns);
            self.listen_until(tick)?;
            if self.clock.now_ns() < start_ns + second * NS_PER_S {
                continue;
            }
            let interval = self.interval()?;
            let totals = self.engine.totals();
            if self.plan.steps.is_none() {
                let line = summary::live_line(second, &last, &totals, &interval.quantiles());
                self.say(&line);
            }
            last = totals;
        }
    }

    /// Takes what is told until a time.
    fn listen_until(&mut self, until_ns: u64) -> Result<(), String> {
        loop {
            let left = until_ns.saturating_sub(self.clock.now_ns());
            if left == 0 {
                return Ok(());
            }
            self.hear_in_run(Duration::from_nanos(left))?;
        }
    }

    /// Waits until every message is answered and every copy is there, or nothing moves any more.
    fn drain(&mut self) -> Result<(), String> {
        let (mut last, mut moved_at) = (self.engine.totals(), Instant::now());
        loop {
            self.hear_in_run(POLL)?;
            let now = self.engine.totals();
            if now.pending == 0 && now.copies >= now.owed && now == last {
                return Ok(());
            }
            if now != last {
                (last, moved_at) = (now, Instant::now());
            }
            if moved_at.elapsed() > self.plan.drain {
                return Ok(());
            }
        }
    }

    fn interval(&mut self) -> Result<Latencies, String> {
        self.engine.tell_all(|| Command::Tick);
        let mut all = Latencies::new();
        self.gather(|event| match event {
            Event::Interval(some) => {
                all.merge(&some);
                true
            }
            _ => false,
        })?;
        Ok(all)
    }

    fn collect(&mut self) -> Result<StageFigures, String> {
        self.engine.tell_all(|| Command::Collect);
        let mut all = StageFigures::default();
        self.gather(|event| match event {
            Event::Collected(some) => {
                all.merge(&some);
                true
            }
            _ => false,
        })?;
        Ok(all)
    }

    fn finish(&mut self) -> Result<(Vec<Ledger>, Counts), String> {
        self.engine.tell_all(|| Command::Finish);
        let (mut ledgers, mut counts) = (Vec::new(), Counts::default());
        self.gather(|event| match event {
            Event::Finished(finish) => {
                counts.merge(&finish.counts);
                ledgers.extend(finish.ledgers);
                true
            }
            _ => false,
        })?;
        ledgers.sort_by_key(|ledger| ledger.number);
        Ok((ledgers, counts))
    }

    /// Waits for one answer of each thread.
    fn gather(&mut self, mut take: impl FnMut(Event) -> bool) -> Result<(), String> {
        let (mut left, until) = (self.engine.threads(), Instant::now() + ANSWER_TIME_MAX);
        while left > 0 {
            match self.hear(POLL) {
                Heard::Other(Event::Failed(reason)) => return Err(reason),
                Heard::Other(event) => left -= usize::from(take(event)),
                Heard::Lost(number, reason) => self.on_lost(number, &reason),
                Heard::Up | Heard::Nothing => {}
            }
            if Instant::now() > until {
                return Err("a load thread does not answer".to_owned());
            }
        }
        Ok(())
    }

    fn hear_in_run(&mut self, wait: Duration) -> Result<(), String> {
        self.attach_joined()?;
        match self.hear(wait.min(POLL)) {
            Heard::Other(Event::Failed(reason)) => Err(reason),
            Heard::Lost(number, reason) => {
                self.on_lost(number, &reason);
                Ok(())
            }
            Heard::Up | Heard::Other(_) | Heard::Nothing => Ok(()),
        }
    }

    fn hear(&mut self, wait: Duration) -> Heard {
        match self.engine.events().recv_timeout(wait) {
            Ok(Event::Up(_)) => Heard::Up,
            Ok(Event::Lost(number, reason)) => Heard::Lost(number, reason),
            Ok(Event::Granted(number, use_path)) => match self.on_granted(number, *use_path) {
                Ok(()) => Heard::Nothing,
                Err(reason) => Heard::Other(Event::Failed(reason)),
            },
            Ok(other) => Heard::Other(other),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => {
                Heard::Other(Event::Failed("the load threads have ended".to_owned()))
            }
        }
    }

    /// Notes what a relay gave to a participant. When both of a pair have something, each is told its way to the other,
    /// the first time and whenever one of the two gets other URIs.
    fn on_granted(&mut self, number: u32, use_path: MsrpPathBuf) -> Result<(), String> {
        let Entrance::Listed(sessions) = &self.plan.entrance else {
            return Ok(());
        };
        if let Some(known) = self.use_paths.get_mut(number as usize) {
            if known.as_ref().is_some_and(|k| k.raw() == use_path.raw()) {
                return Ok(());
            }
            *known = Some(use_path);
        }
        // Pairs are numbered through: 0 and 1 belong together, 2 and 3, and so on.
        let (one, two) = (number & !1, number | 1);
        for (own, peer) in [(one, two), (two, one)] {
            let paths = (self.use_path(own), self.use_path(peer));
            if let (Some(mine), Some(theirs)) = paths
                && let Some(session) = sessions.get(peer as usize)
            {
                let way = pairs::way(mine, theirs, &session.local)?;
                self.engine.route(own, way);
            }
        }
        Ok(())
    }

    fn use_path(&self, number: u32) -> Option<&MsrpPathBuf> {
        self.use_paths.get(number as usize)?.as_ref()
    }

    fn on_lost(&mut self, number: u32, reason: &str) {
        self.lost_count += 1;
        if self.lost_count <= LOST_SHOWN_MAX {
            self.say(&format!("lost {}: {reason}", self.identity(number)));
        }
    }

    /// Participants whose dialog the server ended are lost even when their connection stands.
    fn note_ended(&self, ledgers: &mut [Ledger]) {
        for ledger in ledgers {
            let is_ended = self.is_ended.get(ledger.number as usize).copied();
            if is_ended == Some(true) && ledger.lost.is_none() {
                ledger.lost = Some("the server ended the dialog".to_owned());
            }
        }
    }

    fn leave(&mut self) {
        if let Some(sip) = self.sip.take() {
            sip.leave();
        }
    }

    fn usages(&self) -> Result<(Usage, Option<Usage>), String> {
        let own = Usage::of_self().map_err(|e| format!("/proc/self: {e}"))?;
        let server = self.plan.pid.map(|pid| {
            let usage = Usage::of(pid);
            usage.map_err(|e| format!("--pid {pid}: {e}"))
        });
        Ok((own, server.transpose()?))
    }

    /// Copies that one unit makes, on the average over all senders.
    fn copies_per_unit(&self) -> f64 {
        let mix = self.plan.load.mix;
        let copies: u64 = self
            .rooms
            .iter()
            .map(|room| u64::from(room.senders) * mix.copies_per_unit(room.recipients() + 1))
            .sum();
        copies as f64 / self.plan.senders().max(1) as f64
    }

    fn settings(&self) -> Settings {
        let load = &self.plan.load;
        Settings {
            rooms: self.rooms.len(),
            participants: self.plan.participants(),
            senders: self.plan.senders(),
            mix: load.mix,
            size_octets: load.size,
            chunk_octets: load.chunk,
            threads: self.plan.threads,
            backend: self.backend.clone(),
            seed: load.seed,
            verified: load.is_verified,
        }
    }

    fn room_of(&self, number: u32) -> Option<(usize, &Room)> {
        let after = self.rooms.partition_point(|room| room.first <= number);
        let index = after.checked_sub(1)?;
        self.rooms.get(index).map(|room| (index, room))
    }

    fn identity(&self, number: u32) -> String {
        let room = self.room_of(number).map(|(_, room)| room);
        let identity = room.and_then(|r| r.identities.get((number - r.first) as usize));
        identity.cloned().unwrap_or_default()
    }

    /// Says something that is not the summary.
    fn say(&self, line: &str) {
        if self.plan.is_json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
}

const WRONG_USE: u8 = 2;
const NS_PER_S: u64 = 1_000_000_000;
/// Between the order to begin and the first message: all threads have heard it then.
const LEAD: Duration = Duration::from_millis(50);
/// Longest time without a look at what SIP tells.
const POLL: Duration = Duration::from_millis(20);
/// Longest time that a load thread may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Lost participants that are named while the run goes on.
const LOST_SHOWN_MAX: usize = 10;
