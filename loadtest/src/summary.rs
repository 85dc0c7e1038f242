//! What a run has to say: live lines, the table of a search, and the summary for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::account::Account;
use crate::engine::Totals;
use crate::latency::Quantiles;
use crate::limits::BUSY_SHARE_MAX;
use crate::process::Usage;
use crate::stage::{Pace, Stage, StageFigures};

/// The summary of a run. As JSON it has these names; fields are added, never changed.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Whether nothing was lost or wrong.
    pub ok: bool,
    /// What was lost or wrong.
    pub faults: Vec<String>,
    /// What was run.
    pub settings: Settings,
    /// The whole run, warm-up included.
    pub account: Account,
    /// The measured time of each stage; one without `--step`.
    pub stages: Vec<StageSummary>,
    /// With `--step`: the index of the last stage that was good enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knee: Option<usize>,
}

/// What was run.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// Rooms.
    pub rooms: usize,
    /// Participants of all rooms.
    pub participants: usize,
    /// Senders of all rooms.
    pub senders: u64,
    /// What was sent.
    pub mix: crate::mix::Mix,
    /// Octets of a sized body.
    pub size_octets: u32,
    /// Octets of the largest chunk.
    pub chunk_octets: usize,
    /// Load threads.
    pub threads: usize,
    /// The kernel interface of the load threads.
    pub backend: String,
    /// What the schedules were drawn from.
    pub seed: u64,
    /// Whether octets were compared.
    pub verified: bool,
}

/// One stage.
#[derive(Debug, Clone, Serialize)]
pub struct StageSummary {
    /// Units a second and sender that were offered; `None` in a closed loop.
    pub rate_per_sender: Option<f64>,
    /// Units of a sender in flight; `None` in an open loop.
    pub window: Option<u32>,
    /// The measured time.
    pub measured_s: f64,
    /// Units that the schedule had.
    pub offered_units: u64,
    /// Units that were not begun when the stage ended.
    pub unsent_units: u64,
    /// Messages sent a second.
    pub sent_per_s: f64,
    /// Messages accepted a second.
    pub accepted_per_s: f64,
    /// Copies received a second.
    pub copies_per_s: f64,
    /// Copies received.
    pub copies: u64,
    /// Octets of messages received a second.
    pub copy_octets_per_s: f64,
    /// Copies received by those that the schedule would make; 1 is all. `None` in a closed loop.
    pub goodput: Option<f64>,
    /// From the intended time to the end of the copy at a recipient who reads as fast as it can.
    pub end_to_end: Quantiles,
    /// The same at slow and stalled readers.
    pub end_to_end_apart: Quantiles,
    /// From the intended time to the last 200.
    pub transaction: Quantiles,
    /// The share of one core that the busiest load thread used; one that spins uses all of it.
    pub generator_busy: Option<f64>,
    /// The generator's own processor time in the measured time, seconds.
    pub generator_cpu_s: f64,
    /// The server, when its process is known.
    pub server: Option<ServerSummary>,
}

/// What the server used in the measured time of a stage.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerSummary {
    /// Processor time in user mode, seconds.
    pub user_s: f64,
    /// Processor time in the kernel, seconds.
    pub system_s: f64,
    /// Processor time for each copy that arrived, microseconds.
    pub cpu_us_per_copy: f64,
    /// Resident memory at the end, octets.
    pub rss_octets: u64,
}

/// What processes had used at the two ends of the measured time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usages {
    /// The generator.
    pub own: (Usage, Usage),
    /// The server.
    pub server: Option<(Usage, Usage)>,
}

impl StageSummary {
    /// From the figures of all threads. `copies_offered_per_unit`: what one unit makes in its room.
    #[must_use]
    pub fn of(
        stage: &Stage,
        figures: &StageFigures,
        copies_per_unit: f64,
        usages: &Usages,
    ) -> Self {
        let measured = stage.measured();
        let seconds = measured.as_secs_f64().max(f64::MIN_POSITIVE);
        let per_s = |count: u64| count as f64 / seconds;
        let offered_copies = figures.offered as f64 * copies_per_unit;
        let (rate_per_sender, window) = match stage.pace {
            Pace::Rate(rate, _) => (Some(rate), None),
            Pace::Window(window) => (None, Some(window)),
        };
        let goodput = rate_per_sender.filter(|_| offered_copies > 0.0);
        Self {
            rate_per_sender,
            window,
            measured_s: measured.as_secs_f64(),
            offered_units: figures.offered,
            unsent_units: figures.unsent,
            sent_per_s: per_s(figures.sent),
            accepted_per_s: per_s(figures.accepted),
            copies_per_s: per_s(figures.copies),
            copies: figures.copies,
            copy_octets_per_s: per_s(figures.copy_octets),
            goodput: goodput.map(|_| figures.copies as f64 / offered_copies),
            end_to_end: figures.end_to_end.quantiles(),
            end_to_end_apart: figures.end_to_end_apart.quantiles(),
            transaction: figures.transaction.quantiles(),
            generator_busy: figures.busy.map(|busy| busy.as_secs_f64() / seconds),
            generator_cpu_s: usages.own.1.cpu_since(&usages.own.0).as_secs_f64(),
            server: usages
                .server
                .map(|(from, to)| server(&from, &to, figures.copies)),
        }
    }

    /// Whether goodput keeps up and p99 is within `p99_ms_max`.
    #[must_use]
    pub fn is_good(&self, p99_ms_max: f64) -> bool {
        self.goodput.is_none_or(|share| share >= GOODPUT_MIN)
            && self.end_to_end.p99_ms <= p99_ms_max
    }

    /// A line of the table of a search; [`TABLE_HEAD`] names the columns.
    #[must_use]
    pub fn table_line(&self, is_good: bool) -> String {
        let cpu = self
            .server
            .map_or("-".to_owned(), |s| format!("{:.2}", s.cpu_us_per_copy));
        let e = &self.end_to_end;
        format!(
            "{:>12.1} {:>10.0} {:>12.0} {:>8.3} {:>9.2} {:>9.2} {:>9.2} {:>11}  {}",
            self.rate_per_sender.unwrap_or(0.0),
            self.sent_per_s,
            self.copies_per_s,
            self.goodput.unwrap_or(1.0),
            e.p50_ms,
            e.p99_ms,
            e.max_ms,
            cpu,
            if is_good { "good" } else { "too much" }
        )
    }
}

/// The columns of [`StageSummary::table_line`].
pub const TABLE_HEAD: &str =
    "rate/sender     sent/s     copies/s  goodput   p50 ms    p99 ms    max ms   us/copy";

impl Summary {
    /// The summary as JSON.
    ///
    /// # Errors
    /// A number that JSON does not have.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The summary for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        for stage in self
            .stages
            .last()
            .into_iter()
            .filter(|_| self.stages.len() == 1)
        {
            write_stage(out, stage)?;
        }
        if let (Some(knee), true) = (self.knee, self.stages.len() > 1) {
            let stage = &self.stages[knee];
            let (rate, copies) = (stage.rate_per_sender.unwrap_or(0.0), stage.copies_per_s);
            writeln!(
                out,
                "\nknee: {rate:.1} units/s and sender, {copies:.0} copies/s"
            )?;
        }
        write_account(out, &self.account)?;
        match self.ok {
            true => writeln!(out, "\nok: nothing lost, nothing wrong"),
            false => writeln!(out, "\nFAILED: {}", self.faults.join(", ")),
        }
    }
}

fn write_stage(out: &mut String, stage: &StageSummary) -> std::fmt::Result {
    writeln!(out, "\nmeasured {:.1} s", stage.measured_s)?;
    writeln!(
        out,
        "  messages    {:>12.0} /s sent {:>12.0} /s accepted {:>8} units not sent",
        stage.sent_per_s, stage.accepted_per_s, stage.unsent_units
    )?;
    writeln!(
        out,
        "  copies      {:>12.0} /s      {:>12.2} MB/s{}",
        stage.copies_per_s,
        stage.copy_octets_per_s / 1e6,
        stage
            .goodput
            .map_or(String::new(), |share| format!("     goodput {share:.4}"))
    )?;
    writeln!(
        out,
        "  latency, ms        p50       p90       p99     p99.9       max"
    )?;
    let apart = &stage.end_to_end_apart;
    let apart = (apart.count > 0).then_some(("slow readers", apart));
    let usual = [
        ("end to end", &stage.end_to_end),
        ("200", &stage.transaction),
    ];
    for (name, q) in usual.into_iter().chain(apart) {
        writeln!(
            out,
            "  {name:<12}{:>10.3}{:>10.3}{:>10.3}{:>10.3}{:>10.3}",
            q.p50_ms, q.p90_ms, q.p99_ms, q.p999_ms, q.max_ms
        )?;
    }
    if let Some(server) = &stage.server {
        writeln!(
            out,
            "  server      {:.2} us CPU per copy ({:.2} s user, {:.2} s system), {:.1} MB resident",
            server.cpu_us_per_copy,
            server.user_s,
            server.system_s,
            server.rss_octets as f64 / 1e6
        )?;
    }
    let busy = stage.generator_busy.map_or(String::new(), |busy| {
        let mark = if busy > BUSY_SHARE_MAX {
            " (it spins, or was the bottleneck)"
        } else {
            ""
        };
        format!(
            ", busiest load thread {:.0} % of a core{mark}",
            busy * 100.0
        )
    });
    writeln!(
        out,
        "  generator   {:.2} s CPU{busy}",
        stage.generator_cpu_s
    )
}

fn write_account(out: &mut String, account: &Account) -> std::fmt::Result {
    let (messages, copies) = (&account.messages, &account.copies);
    writeln!(out, "\naccount of the whole run")?;
    writeln!(
        out,
        "  messages    sent {}, accepted {}, refused {}, not answered {}",
        messages.sent,
        messages.accepted,
        by_status(&messages.refused),
        messages.unanswered
    )?;
    writeln!(
        out,
        "  copies      expected {}, received {}, missing {}, twice {}, out of order {}, corrupted {}",
        copies.expected,
        copies.received,
        copies.missing,
        copies.duplicate,
        copies.reordered,
        copies.corrupted.total()
    )?;
    writeln!(
        out,
        "  also        aborted {}, misdelivered {}, of messages not accepted {}, of others {}",
        copies.aborted, copies.misdelivered, copies.of_unaccepted, account.foreign
    )?;
    writeln!(
        out,
        "  requests    sent {}, received {}; reports {}",
        account.requests_sent,
        account.requests_received,
        by_status(&account.reports)
    )?;
    for (name, apart) in [("slow", &account.slow), ("stalled", &account.stalled)] {
        if apart.readers > 0 {
            writeln!(
                out,
                "  {name:<12}{} readers, {} of them shed by the server, got {} copies",
                apart.readers, apart.shed, apart.received
            )?;
        }
    }
    for lost in account.lost_participants.iter().take(LOST_SHOWN_MAX) {
        writeln!(out, "  lost        {lost}")?;
    }
    Ok(())
}

/// A line about the last second.
#[must_use]
pub fn live_line(second: u64, from: &Totals, to: &Totals, interval: &Quantiles) -> String {
    format!(
        "{second:>4} s  sent {:>8}/s  accepted {:>8}/s  copies {:>9}/s  pending {:>7}  p50 {:>8.3} ms  p99 {:>8.3} ms",
        to.sent.saturating_sub(from.sent),
        to.accepted.saturating_sub(from.accepted),
        to.copies.saturating_sub(from.copies),
        to.pending,
        interval.p50_ms,
        interval.p99_ms
    )
}

fn server(from: &Usage, to: &Usage, copies: u64) -> ServerSummary {
    let cpu = to.cpu_since(from).as_secs_f64();
    ServerSummary {
        user_s: to.user_s - from.user_s,
        system_s: to.system_s - from.system_s,
        cpu_us_per_copy: if copies == 0 {
            0.0
        } else {
            cpu * 1e6 / copies as f64
        },
        rss_octets: to.rss_octets,
    }
}

fn by_status(counts: &std::collections::BTreeMap<u16, u64>) -> String {
    if counts.is_empty() {
        return "0".to_owned();
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(s, n)| format!("{n} with {s}"))
        .collect();
    counts.join(" and ")
}

/// The share of the offered copies that has to arrive in time.
pub const GOODPUT_MIN: f64 = 0.95;
/// Lost participants that the text names.
const LOST_SHOWN_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Spacing;

    fn stage(pace: Pace) -> Stage {
        Stage {
            pace,
            start_ns: 0,
            measure_ns: 1_000_000_000,
            end_ns: 3_000_000_000,
        }
    }

    #[test]
    fn stage_summary_counts_by_the_measured_time() {
        let mut figures = StageFigures {
            offered: 100,
            copies: 800,
            busy: Some(std::time::Duration::from_secs(1)),
            ..StageFigures::default()
        };
        figures.end_to_end.record(20_000_000);
        let used = |user_s| Usage {
            user_s,
            ..Usage::default()
        };
        let usages = Usages {
            server: Some((used(1.0), used(1.004))),
            ..Usages::default()
        };
        let pace = Pace::Rate(50.0, Spacing::Fixed);
        let summary = StageSummary::of(&stage(pace), &figures, 9.0, &usages);
        let is = |value: f64, expected: f64| (value - expected).abs() < 1e-6;
        assert!(is(summary.copies_per_s, 400.0));
        assert!(is(summary.goodput.unwrap(), 800.0 / 900.0));
        assert!(is(summary.generator_busy.unwrap(), 0.5));
        assert!(is(summary.server.unwrap().cpu_us_per_copy, 5.0));
        assert!(!summary.is_good(100.0), "goodput is below the least");
        figures.copies = 900;
        let summary = StageSummary::of(&stage(pace), &figures, 9.0, &usages);
        assert!(summary.is_good(100.0));
        assert!(!summary.is_good(10.0), "p99 is above the most");
    }

    #[test]
    fn stage_summary_of_a_closed_loop_has_no_goodput() {
        let figures = StageFigures::default();
        let usages = Usages::default();
        let summary = StageSummary::of(&stage(Pace::Window(4)), &figures, 9.0, &usages);
        assert_eq!((summary.window, summary.goodput), (Some(4), None));
    }
}
