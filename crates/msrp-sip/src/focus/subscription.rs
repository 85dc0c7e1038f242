//! One subscription: a wish to be told, and how far it was granted.
//!
//! ```text
//!   accepted --dialog known--> Active --left, released, expired, refused--> Ending
//!                                 |                                            |
//!                                 | NOTIFY answered with an error        last NOTIFY sent
//!                                 v                                            v
//!                               gone <-------------- answer ---------------- Ended
//! ```
//! At most one NOTIFY of a subscription is unanswered; what happens meanwhile goes into the next.
//!
//! # Spec
//! RFC 6665 s.4.2; RFC 4575 s.3; RFC 3515 s.2.4; CONF-7.2.1.12, CONF-7.2.2.10, CONF-7.2.2.11.

use std::collections::BTreeSet;

use crate::focus::headers::header_number;
use crate::focus::refusal::Refusal;
use crate::limits::{
    EVENT_ID_OCTETS_MAX, NOTIFY_BURST, NOTIFY_COALESCE_NS, NOTIFY_INTERVAL_NS, NS_PER_S,
    REFER_PROGRESS_NS, SUBSCRIPTION_S_MAX, SUBSCRIPTION_S_MIN,
};
use crate::ua::{DialogId, Headers, Transport};

/// What may be subscribed to, as Allow-Events says.
pub(crate) const ALLOW_EVENTS: &str = "conference, refer";

/// An event package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    /// RFC 4575.
    Conference,
    /// RFC 3515; only REFER makes such a subscription.
    Refer,
}

/// What an Event field names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventName {
    /// The package.
    pub(crate) package: Package,
    /// Tells subscriptions of one dialog apart.
    pub(crate) id: Option<String>,
}

impl EventName {
    /// Reads the Event field of a SUBSCRIBE.
    ///
    /// # Errors
    /// [`Refusal::BadEvent`] -> 489.
    pub(crate) fn read(headers: &Headers) -> Result<Self, Refusal> {
        let value = headers.first("Event").ok_or(Refusal::BadEvent)?;
        let mut words = value.split(';').map(str::trim);
        let package = match words.next() {
            Some(name) if name.eq_ignore_ascii_case("conference") => Package::Conference,
            Some(name) if name.eq_ignore_ascii_case("refer") => Package::Refer,
            Some(_) | None => return Err(Refusal::BadEvent),
        };
        let id = words.find_map(|word| {
            let (name, id) = word.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("id")
                .then(|| id.trim().to_owned())
        });
        let is_usable = id.as_ref().is_none_or(|id| id.len() <= EVENT_ID_OCTETS_MAX);
        is_usable
            .then_some(Self { package, id })
            .ok_or(Refusal::BadEvent)
    }

    /// The value of the Event field of a NOTIFY.
    pub(crate) fn write(&self) -> String {
        let package = match self.package {
            Package::Conference => "conference",
            Package::Refer => "refer",
        };
        match &self.id {
            Some(id) => format!("{package};id={id}"),
            None => package.to_owned(),
        }
    }
}

/// Reads for how many seconds a SUBSCRIBE wants to be told; 0 means once. The answer may be less.
///
/// # Errors
/// [`Refusal::IntervalTooBrief`] -> 423, [`Refusal::MalformedHeader`] -> 400.
///
/// # Spec
/// RFC 6665 s.4.2.1.1; RFC 4575 s.3.3.
pub(crate) fn read_expires(headers: &Headers) -> Result<u64, Refusal> {
    let Some(value) = headers.first("Expires") else {
        return Ok(SUBSCRIPTION_S_MAX);
    };
    match header_number(value).ok_or(Refusal::MalformedHeader("Expires"))? {
        0 => Ok(0),
        brief if brief < SUBSCRIPTION_S_MIN => Err(Refusal::IntervalTooBrief),
        seconds => Ok(seconds.min(SUBSCRIPTION_S_MAX)),
    }
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// What is told.
    pub(crate) event: EventName,
    /// The keys of the subscriber's addresses.
    pub(crate) subscriber: Vec<String>,
    /// Where its NOTIFYs go.
    pub(crate) place: Place,
    /// The transport of its dialog, for our Contact.
    pub(crate) transport: Transport,
    /// When it ends unless it is refreshed.
    pub(crate) expires_ns: u64,
    /// Whether a NOTIFY is unanswered.
    pub(crate) is_notifying: bool,
    /// Where it stands.
    pub(crate) phase: Phase,
    /// What it is about.
    pub(crate) matter: Matter,
}

/// Where the NOTIFYs of a subscription go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The SIP engine has not named the dialog.
    Unnamed,
    /// A dialog of subscriptions alone.
    Own(DialogId),
    /// The dialog of a participant: it ends with that.
    Shared(DialogId, u64),
}

impl Place {
    /// The dialog.
    pub(crate) fn dialog(self) -> Option<DialogId> {
        match self {
            Self::Unnamed => None,
            Self::Own(dialog) | Self::Shared(dialog, _) => Some(dialog),
        }
    }
}

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is told of changes.
    Active,
    /// It is owed its last NOTIFY.
    Ending(EndReason),
    /// Its last NOTIFY is unanswered.
    Ended,
}

/// Why a subscription ends, as Subscription-State says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// There is nothing more to tell.
    NoResource,
    /// It was not refreshed, or was given up.
    Timeout,
}

impl EndReason {
    /// The word on the wire.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoResource => "noresource",
            Self::Timeout => "timeout",
        }
    }
}

/// What a subscription is about.
#[derive(Debug)]
pub(crate) enum Matter {
    /// Who takes part.
    Conference(Watch),
    /// What became of a REFER.
    Refer(Progress),
}

/// How far a subscriber was told who takes part.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The version of the last document; 0 before the first.
    pub(crate) version: u32,
    /// The revision of the roster up to which it was told.
    pub(crate) told_at: u64,
    /// Whether the next document has to be full: it answers a SUBSCRIBE.
    pub(crate) wants_full: bool,
    /// Since when it has been owed a change.
    pub(crate) news_ns: Option<u64>,
    /// How fast it may be told.
    pub(crate) pace: Pace,
}

/// What became of a REFER.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The participants whose invitation or removal it caused and that is not decided.
    pub(crate) targets: BTreeSet<u64>,
    /// Whether they are removed, not invited.
    pub(crate) is_removal: bool,
    /// The present state: a status line, and perhaps a Warning.
    pub(crate) fragment: String,
    /// What the end will be told as.
    pub(crate) outcome: Option<String>,
    /// Whether the state was not told.
    pub(crate) has_news: bool,
    /// When the next provisional state may be told.
    pub(crate) next_ns: u64,
}

/// Lets a few NOTIFYs through at once and holds the average.
///
/// # Spec
/// RFC 4575 s.3.9; CONF-7.2.2.10-02.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the next NOTIFY would be due if they came evenly.
    even_ns: u64,
}

impl Pace {
    /// When a NOTIFY may be sent, if not before.
    fn earliest(&self) -> u64 {
        self.even_ns
            .saturating_sub(NOTIFY_INTERVAL_NS.saturating_mul(NOTIFY_BURST.saturating_sub(1)))
    }

    /// Counts a NOTIFY.
    pub(crate) fn note_sent(&mut self, now: u64) {
        self.even_ns = self.even_ns.max(now).saturating_add(NOTIFY_INTERVAL_NS);
    }
}

impl Subscription {
    /// A subscription to which nothing was told.
    pub(crate) fn new(
        event: EventName,
        subscriber: Vec<String>,
        place: Place,
        transport: Transport,
        expires_ns: u64,
        matter: Matter,
    ) -> Self {
        Self {
            event,
            subscriber,
            place,
            transport,
            expires_ns,
            is_notifying: false,
            phase: Phase::Active,
            matter,
        }
    }

    /// When it wants to be looked at.
    pub(crate) fn due(&self) -> Option<u64> {
        let is_free = !self.is_notifying && self.place != Place::Unnamed;
        match self.phase {
            Phase::Ended => None,
            Phase::Ending(_) => is_free.then_some(0),
            Phase::Active => {
                let news = self.news_due().filter(|_| is_free);
                Some(news.map_or(self.expires_ns, |at| at.min(self.expires_ns)))
            }
        }
    }

    /// When its news may be told.
    fn news_due(&self) -> Option<u64> {
        match &self.matter {
            Matter::Conference(watch) if watch.wants_full => Some(0),
            Matter::Conference(watch) => watch
                .news_ns
                .map(|since| since.saturating_add(NOTIFY_COALESCE_NS))
                .map(|at| at.max(watch.pace.earliest())),
            Matter::Refer(progress) => progress.has_news.then_some(progress.next_ns),
        }
    }

    /// The Subscription-State value of a NOTIFY that is sent now.
    pub(crate) fn state(&self, now: u64) -> String {
        match self.phase {
            Phase::Ending(reason) => format!("terminated;reason={}", reason.word()),
            Phase::Active | Phase::Ended => {
                let left_s = self.expires_ns.saturating_sub(now).div_ceil(NS_PER_S);
                format!("active;expires={left_s}")
            }
        }
    }

    /// Ends it, unless it ends already.
    pub(crate) fn end(&mut self, reason: EndReason) {
        if self.phase == Phase::Active {
            self.phase = Phase::Ending(reason);
        }
    }

    /// Whether one of these keys is the subscriber's.
    pub(crate) fn is_of(&self, keys: &[String]) -> bool {
        keys.iter().any(|key| self.subscriber.contains(key))
    }
}

impl Progress {
    /// The state of a REFER that was just accepted.
    pub(crate) fn new(targets: BTreeSet<u64>, is_removal: bool) -> Self {
        Self {
            targets,
            is_removal,
            fragment: fragment(100, "Trying", None),
            outcome: None,
            has_news: true,
            next_ns: 0,
        }
    }

    /// The state of a REFER with nothing to wait for.
    pub(crate) fn done(is_removal: bool) -> Self {
        Self {
            fragment: fragment(200, "OK", None),
            ..Self::new(BTreeSet::new(), is_removal)
        }
    }

    /// A provisional state.
    pub(crate) fn note_provisional(&mut self, status: u16, reason: &str) {
        self.fragment = fragment(status, reason, None);
        self.has_news = true;
    }

    /// Counts a NOTIFY.
    pub(crate) fn note_sent(&mut self, now: u64) {
        self.has_news = false;
        self.next_ns = now.saturating_add(REFER_PROGRESS_NS);
    }
}

/// The body of a NOTIFY of the package refer.
///
/// # Spec
/// RFC 3515 s.2.4.5; RFC 3420 s.2.
pub(crate) fn fragment(status: u16, reason: &str, warning: Option<&str>) -> String {
    let clean = |text: &str| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(crate::limits::REASON_CHARS_MAX)
            .collect::<String>()
    };
    let mut text = format!("SIP/2.0 {status} {}\r\n", clean(reason));
    if let Some(warning) = warning {
        text.push_str(&format!("Warning: {}\r\n", clean(warning)));
    }
    text
}

/// The standard's phrase for the statuses that are made here.
///
/// # Spec
/// RFC 3261 s.21.
pub(crate) fn phrase_of(status: u16) -> &'static str {
    match status {
        180 => "Ringing",
        200 => "OK",
        403 => "Forbidden",
        408 => "Request Timeout",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        488 => "Not Acceptable Here",
        503 => "Service Unavailable",
        100..=199 => "Session Progress",
        500..=599 => "Server Failure",
        _ => "Request Failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: &str) -> Result<EventName, Refusal> {
        EventName::read(&Headers::new().with("Event", value))
    }

    #[test]
    fn event_names_a_package_and_keeps_its_id() {
        for value in ["conference", "Conference ; id = 7", "refer;x=y;id=93809823"] {
            let name = event(value).unwrap();
            assert_eq!(event(&name.write()), Ok(name));
        }
        assert_eq!(event("conference;id=7").unwrap().id.as_deref(), Some("7"));
        let long = format!("conference;id={}", "7".repeat(EVENT_ID_OCTETS_MAX + 1));
        for value in ["presence", "conference.winfo", "", &long] {
            assert_eq!(event(value), Err(Refusal::BadEvent), "{value}");
        }
        assert_eq!(EventName::read(&Headers::new()), Err(Refusal::BadEvent));
    }

    #[test]
    fn expires_is_shortened_and_never_lengthened() {
        let read = |value: &str| read_expires(&Headers::new().with("Expires", value));
        assert_eq!(read_expires(&Headers::new()), Ok(3600));
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("1"), Err(Refusal::IntervalTooBrief));
        assert_eq!(read("59"), Err(Refusal::IntervalTooBrief));
        assert_eq!(read("60"), Ok(60));
        assert_eq!(read(" 4294967295 "), Ok(3600));
        for value in ["", "-1", "x", "1.5", "99999999999999999999"] {
            assert_eq!(read(value), Err(Refusal::MalformedHeader("Expires")));
        }
    }

    // covers: CONF-7.2.2.10-02
    #[test]
    fn pace_lets_a_burst_through_and_holds_the_average() {
        let mut pace = Pace::default();
        let start = 1_000 * NS_PER_S;
        let mut now = start;
        for sent in 1..=20_u64 {
            now = now.max(pace.earliest());
            pace.note_sent(now);
            let most = NOTIFY_BURST + (now - start) / NOTIFY_INTERVAL_NS;
            assert!(sent <= most, "{sent} in {} ns", now - start);
        }
        assert_eq!(now - start, (20 - NOTIFY_BURST) * NOTIFY_INTERVAL_NS);
    }

    #[test]
    fn fragment_is_one_line_for_each_field() {
        assert_eq!(fragment(100, "Trying", None), "SIP/2.0 100 Trying\r\n");
        assert_eq!(
            fragment(403, "For\r\nbidden", Some("399 h \"105\r\nX: y\"")),
            "SIP/2.0 403 Forbidden\r\nWarning: 399 h \"105X: y\"\r\n"
        );
    }
}
