//! What `msrpctl top` shows, as lines of text.

use std::time::{Duration, Instant};

use super::super::clock::{age, clock_time};
use super::super::exposition::Exposition;
use super::{Value, json};

/// One look at a node.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) at: Instant,
    /// Seconds since 1970.
    pub(super) time_s: u64,
    /// What `/readyz` says.
    pub(super) state: String,
    pub(super) version: String,
    /// When the node started, seconds since 1970.
    pub(super) started_s: Option<u64>,
    /// In the order of [`COUNTS`] and [`GAUGES`].
    pub(super) counts: (Vec<u64>, Vec<u64>),
    /// The rooms with their participants, the largest first.
    pub(super) largest: Vec<(String, u64)>,
    /// Whether these are all rooms, or the first ones by name.
    pub(super) are_all_rooms: bool,
}

/// What is shown of two looks.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    place: &'a str,
    now: &'a Look,
    before: Option<&'a Look>,
    /// Why there is no newer look.
    pub(super) trouble: Option<String>,
}

/// Reads what the screen needs.
pub(super) fn counts(metrics: &Exposition<'_>) -> (Vec<u64>, Vec<u64>) {
    let count = |row: &Row| match row.label {
        "" => metrics.sum(row.metric).unwrap_or(0),
        label => metrics.sum_with(row.metric, label),
    };
    let gauge = |(_, name): &(&str, &str)| metrics.sum(name).unwrap_or(0);
    (
        COUNTS.iter().map(count).collect(),
        GAUGES.iter().map(gauge).collect(),
    )
}

impl<'a> Screen<'a> {
    pub(super) fn new(place: &'a str, now: &'a Look, before: Option<&'a Look>) -> Self {
        // A counter that is smaller than before is that of another process.
        let is_same = |before: &&Look| before.started_s == now.started_s;
        Self {
            place,
            now,
            before: before.filter(is_same),
            trouble: None,
        }
    }

    /// The same for programs: counters, and rates in units of one in a second.
    pub(super) fn document(&self) -> Value {
        let mut counts = json!({});
        for (row, (count, rate)) in COUNTS.iter().zip(self.rates()) {
            counts[row.title] = json!({ "sum": count, "per_second": rate });
        }
        let gauges = GAUGES.iter().zip(&self.now.counts.1);
        let gauges: Value = gauges
            .map(|((title, _), value)| ((*title).to_owned(), json!(value)))
            .collect();
        let rooms = self.now.largest.iter();
        let rooms: Vec<_> = rooms
            .take(ROOMS_IN_DOCUMENT_MAX)
            .map(|(room, count)| json!({ "room": room, "participants_count": count }))
            .collect();
        json!({ "state": self.now.state, "version": self.now.version, "gauges": gauges,
                "counts": counts, "largest_rooms": rooms })
    }

    /// The screen as lines, none longer than `width` and no more than `height` of them.
    pub(super) fn text(&self, width: u16, height: u16, has_colours: bool) -> String {
        let (width, height) = (usize::from(width), usize::from(height));
        let paint = |line: Line| line.painted(width, has_colours);
        let mut lines: Vec<String> = self.lines(width).into_iter().map(paint).collect();
        let foot = paint(Line::plain(if has_colours {
            "q ends".to_owned()
        } else {
            String::new()
        }));
        let room_lines = height.saturating_sub(lines.len() + 1);
        lines.extend(self.room_lines(room_lines).into_iter().map(paint));
        if has_colours && lines.len() < height {
            lines.push(foot);
        }
        lines.truncate(height);
        lines.join("\n") + "\n"
    }

    fn lines(&self, width: usize) -> Vec<Line> {
        let now = self.now;
        let up = now
            .started_s
            .map_or(0, |start| now.time_s.saturating_sub(start));
        let head = format!(
            "msrpd {} at {}   {}   up {}",
            now.version,
            self.place,
            now.state.to_uppercase(),
            age(Duration::from_secs(up))
        );
        let time = format!("{} UTC", clock_time(now.time_s * 1000));
        let gap = width
            .saturating_sub(head.chars().count() + time.len())
            .max(1);
        let mut lines = vec![Line {
            text: format!("{head}{:gap$}{time}", ""),
            paint: if now.state == "ready" {
                Paint::Good
            } else {
                Paint::Bad
            },
        }];
        if let Some(trouble) = &self.trouble {
            lines.push(Line {
                text: trouble.clone(),
                paint: Paint::Bad,
            });
        }
        let gauges = GAUGES.iter().zip(&now.counts.1);
        let gauges = gauges.map(|((title, _), value)| format!("{title} {value}"));
        lines.push(Line::plain(gauges.collect::<Vec<_>>().join("   ")));
        lines.push(Line {
            text: format!("{:<46}{:>14}{:>18}", "", "per second", "since the start"),
            paint: Paint::Strong,
        });
        for (row, (count, rate)) in COUNTS.iter().zip(self.rates()) {
            let rate_text = rate.map_or_else(|| "-".to_owned(), number);
            let is_bad = row.is_trouble && rate.is_some_and(|rate| rate > 0);
            lines.push(Line {
                text: format!("{:<46}{rate_text:>14}{:>18}", row.title, number(count)),
                paint: if is_bad { Paint::Bad } else { Paint::Plain },
            });
        }
        lines
    }

    fn room_lines(&self, height: usize) -> Vec<Line> {
        if height < 2 || self.now.largest.is_empty() {
            return Vec::new();
        }
        let title = if self.now.are_all_rooms {
            "LARGEST ROOMS"
        } else {
            "LARGEST OF THE FIRST 500 ROOMS"
        };
        let head = Line {
            text: format!("{title:<60}{:>18}", "PARTICIPANTS"),
            paint: Paint::Strong,
        };
        let rooms = self.now.largest.iter().take(height - 1);
        let rooms = rooms.map(|(room, count)| {
            let name: String = room.chars().take(58).collect();
            Line::plain(format!("{name:<60}{:>18}", number(*count)))
        });
        std::iter::once(head).chain(rooms).collect()
    }

    /// Each count, and how much it grew in a second.
    fn rates(&self) -> impl Iterator<Item = (u64, Option<u64>)> {
        let counts = &self.now.counts.0;
        counts.iter().enumerate().map(|(index, count)| {
            let rate = self.before.and_then(|before| {
                let was = before.counts.0.get(index)?;
                let ms = self.now.at.duration_since(before.at).as_millis();
                let grown = u128::from(count.saturating_sub(*was));
                u64::try_from(grown * 1000 / ms.max(1)).ok()
            });
            (*count, rate)
        })
    }
}

/// One line of the screen.
#[derive(Debug)]
struct Line {
    text: String,
    paint: Paint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paint {
    Plain,
    Strong,
    Good,
    Bad,
}

impl Line {
    fn plain(text: String) -> Self {
        Self {
            text,
            paint: Paint::Plain,
        }
    }

    fn painted(self, width: usize, has_colours: bool) -> String {
        let text: String = self.text.chars().take(width).collect();
        let text = text.trim_end();
        if !has_colours || text.is_empty() {
            return text.to_owned();
        }
        match self.paint {
            Paint::Plain => text.to_owned(),
            Paint::Strong => format!("\u{1b}[1m{text}\u{1b}[0m"),
            Paint::Good => format!("\u{1b}[1;32m{text}\u{1b}[0m"),
            Paint::Bad => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
        }
    }
}

/// A number with a blank behind each three digits.
fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A counter that is shown.
struct Row {
    title: &'static str,
    metric: &'static str,
    /// A label with its value; empty means all of them.
    label: &'static str,
    /// Whether an operator should look when it grows.
    is_trouble: bool,
}

const fn row(title: &'static str, metric: &'static str, label: &'static str) -> Row {
    Row {
        title,
        metric,
        label,
        is_trouble: false,
    }
}

const fn trouble(title: &'static str, metric: &'static str, label: &'static str) -> Row {
    Row {
        title,
        metric,
        label,
        is_trouble: true,
    }
}

/// What runs: a title and the metric.
const GAUGES: &[(&str, &str)] = &[
    ("rooms", "msrp_rooms"),
    ("participants", "msrp_participants"),
    ("connections", "msrp_connections"),
    ("conferences", "msrp_sip_conferences"),
    ("shards", "msrp_shards"),
];

/// What happens.
const COUNTS: &[Row] = &[
    row("requests received", "msrp_requests_received_total", ""),
    row("messages: text", "msrp_messages_total", "content=\"text\""),
    row(
        "messages: typing notices",
        "msrp_messages_total",
        "content=\"composing\"",
    ),
    row(
        "messages: delivery notices",
        "msrp_messages_total",
        "content=\"disposition\"",
    ),
    row(
        "messages: other",
        "msrp_messages_total",
        "content=\"other\"",
    ),
    row("copies to recipients", "msrp_copies_opened_total", ""),
    row(
        "copies delivered",
        "msrp_copies_total",
        "outcome=\"delivered\"",
    ),
    row(
        "copies sent, no answer asked for",
        "msrp_copies_total",
        "outcome=\"sent\"",
    ),
    trouble("copies refused", "msrp_copies_total", "outcome=\"refused\""),
    trouble("copies failed", "msrp_copies_total", "outcome=\"failed\""),
    trouble(
        "recipients that fell behind",
        "msrp_recipients_behind_total",
        "",
    ),
    trouble(
        "sessions ended: stalled",
        "msrp_sessions_ended_total",
        "reason=\"stalled\"",
    ),
    trouble(
        "sessions ended: connection lost",
        "msrp_sessions_ended_total",
        "reason=\"connection_lost\"",
    ),
    row("octets received", "msrp_octets_received_total", ""),
    row("octets sent", "msrp_octets_sent_total", ""),
];
/// Rooms that programs are told.
const ROOMS_IN_DOCUMENT_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: Instant, requests: u64) -> Look {
        let mut counts = vec![0; COUNTS.len()];
        counts[0] = requests;
        Look {
            at,
            time_s: 86_400 + 3661,
            state: "ready".to_owned(),
            version: "1.2.3".to_owned(),
            started_s: Some(86_400),
            counts: (counts, vec![1; GAUGES.len()]),
            largest: (0..50).map(|n| (format!("room-{n}"), 50 - n)).collect(),
            are_all_rooms: true,
        }
    }

    #[test]
    fn screen_fits_80_by_24_and_shows_rates() {
        let start = Instant::now();
        let before = look(start, 1_000);
        let now = look(start + Duration::from_secs(2), 1_001_000);
        let text = Screen::new("127.0.0.1:8655", &now, Some(&before)).text(80, 24, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 23, "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert_eq!(
            lines[0],
            "msrpd 1.2.3 at 127.0.0.1:8655   READY   up 1 h 1 min                01:01:01 UTC"
        );
        let requests = lines.iter().find(|l| l.starts_with("requests")).unwrap();
        let expected = format!(
            "{:<46}{:>14}{:>18}",
            "requests received", "500 000", "1 001 000"
        );
        assert_eq!(*requests, expected);
        assert!(lines.last().unwrap().starts_with("room-3 "), "{text}");
    }

    #[test]
    fn screen_any_size_is_kept_within() {
        let now = look(Instant::now(), 0);
        let screen = Screen::new("127.0.0.1:8655", &now, None);
        for (width, height) in [(1, 1), (20, 5), (80, 24), (200, 60)] {
            let text = screen.text(width, height, false);
            assert!(text.lines().count() <= usize::from(height));
            assert!(
                text.lines()
                    .all(|l| l.chars().count() <= usize::from(width))
            );
        }
    }

    #[test]
    fn rates_of_a_process_that_started_anew_are_unknown() {
        let before = look(Instant::now(), 5);
        let mut now = look(Instant::now(), 1);
        now.started_s = Some(90_000);
        let screen = Screen::new("x", &now, Some(&before));
        assert!(screen.rates().all(|(_, rate)| rate.is_none()));
    }

    #[test]
    fn shown_metrics_of_the_engine_exist() {
        let all: Vec<_> = msrp_shard::METRICS()
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        let shown = COUNTS.iter().map(|row| row.metric);
        let shown = shown.chain(GAUGES.iter().map(|(_, name)| *name));
        for name in shown.filter(|name| !name.starts_with("msrp_sip_")) {
            assert!(all.contains(&name), "{name}");
        }
    }
}
