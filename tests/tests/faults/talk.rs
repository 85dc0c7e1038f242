//! A conversation that keeps account: one sender who asks for final reports, three recipients who report what they got.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use msrp_testkit::{
    Daemon, Dialog, Draft, Event, Flag, Frame, Mode, MsrpEndpoint, MsrpPeer, Participant,
};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, Way};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::books::{Books, Entries};
use crate::{MESSAGES, assert_conversation_begins, moment};

/// Who gets what the sender says, when nothing else is asked for.
pub(crate) const RECIPIENTS: [&str; 3] = [BOB, CAROL, DAVE];

/// What one recipient got: the texts that came whole, and whether one came twice.
#[derive(Debug, Default)]
struct Heard {
    texts: BTreeSet<String>,
    is_any_twice: bool,
}

/// What the sender was told.
#[derive(Clone, Debug, Default)]
struct Told {
    /// The text of each message, by its Message-ID.
    texts: HashMap<String, String>,
    /// The status of each leg: text, then address.
    legs: BTreeMap<String, BTreeMap<String, u16>>,
    /// The messages of which the last report came.
    whole: BTreeSet<String>,
    /// Final reports that came after the last one of their message.
    is_any_twice: bool,
}

/// One end of the conversation, listening in a task of its own until its connection ends.
struct Ear<T> {
    peer: Arc<MsrpPeer>,
    /// Lives as long as the connection.
    _dialog: Dialog,
    task: JoinHandle<T>,
}

/// The whole conversation.
pub(crate) struct Talk {
    pub(crate) daemon: Daemon,
    books: Books,
    sender: Option<Ear<Told>>,
    told: watch::Receiver<Told>,
    tell: Arc<watch::Sender<Told>>,
    recipients: BTreeMap<&'static str, Ear<Heard>>,
    ports: HashMap<&'static str, u16>,
}

/// What both sides know when it is over.
#[derive(Debug)]
pub(crate) struct Ends {
    told: Told,
    heard: BTreeMap<&'static str, Heard>,
    books: Entries,
}

impl Talk {
    /// Seats everybody.
    pub(crate) async fn begin(daemon: Daemon, way: Way) -> Self {
        Self::begin_with(daemon, way, &RECIPIENTS, |endpoint| endpoint).await
    }

    /// As [`Talk::begin`], with these recipients, and their ends changed.
    pub(crate) async fn begin_with(
        daemon: Daemon,
        way: Way,
        addresses: &[&'static str],
        change: impl Fn(MsrpEndpoint) -> MsrpEndpoint,
    ) -> Self {
        let books = Books::open(&daemon).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let (tell, told) = watch::channel(Told::default());
        let tell = Arc::new(tell);
        let mut recipients = BTreeMap::new();
        let mut ports = HashMap::new();
        for &address in addresses {
            let endpoint = change(MsrpEndpoint::bind().await);
            let join = way.dial(FRIENDS, address).endpoint(endpoint);
            let participant = join.join(&daemon).await;
            ports.insert(address, participant.msrp.local_address().port());
            recipients.insert(address, Ear::of(participant, hear));
        }
        let telling = Arc::clone(&tell);
        let sender = Ear::of(alice, move |peer| be_told(peer, telling));
        Self {
            daemon,
            books,
            sender: Some(sender),
            told,
            tell,
            recipients,
            ports,
        }
    }

    /// The port of a recipient's end.
    pub(crate) fn port(&self, address: &str) -> u16 {
        self.ports[address]
    }

    /// The first half of the messages is said, and half the reports of this number's [`moment`] have come.
    pub(crate) async fn say_first_half(&self, number: usize) {
        self.say(0..MESSAGES / 2);
        self.wait_reports(moment(number) / 2).await;
    }

    /// The second half of the messages is said, without a wait.
    pub(crate) fn say_second_half(&self) {
        self.say(MESSAGES / 2..MESSAGES);
    }

    /// The sender says these messages at once and waits for nothing.
    pub(crate) fn say(&self, numbers: Range<usize>) {
        self.say_long(numbers, |number| number * 37 % 3000);
    }

    /// As [`Talk::say`], each text with so many octets behind its number.
    pub(crate) fn say_long(&self, numbers: Range<usize>, octets: impl Fn(usize) -> usize) {
        let sender = self.sender.as_ref().unwrap();
        let (from, to) = (format!("<{ALICE}>"), format!("<{FRIENDS}>"));
        let headers = [
            ("From", from.as_str()),
            ("To", &to),
            ("NS", "FR <urn:oma:xml:poc:final-report>"),
            ("FR.Final-Report", "yes"),
        ];
        for number in numbers {
            let text = format!("message {number} {}", "x".repeat(octets(number)));
            let id = format!("fault-{number}");
            self.tell.send_modify(|told| {
                told.texts.insert(id.clone(), text.clone());
            });
            let draft = Draft::wrapped_with(&headers, "text/plain", text.as_bytes());
            let draft = draft.message_id(&id).success_report("yes");
            sender.peer.send(&draft.failure_report("yes"));
        }
    }

    /// Waits until so many messages have a copy for each of [`RECIPIENTS`].
    pub(crate) async fn wait_opened(&self, messages: usize) {
        let copies = (messages * RECIPIENTS.len()) as f64;
        let series = "msrp_copies_opened_total";
        let opened = self.daemon.wait_metric(series, |opened| opened >= copies);
        opened.await;
    }

    /// Waits until so many messages have all their legs reported: of those who were there when they were said.
    pub(crate) async fn wait_reports(&self, count: usize) {
        let mut told = self.told.clone();
        let waiting = told.wait_for(|told| told.whole.len() >= count);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await;
        let is_reached = waited.is_ok();
        let told = self.told.borrow();
        let reached = told.whole.len();
        assert!(
            is_reached,
            "{reached} of {count} messages are reported: {:?}",
            told.legs
        );
    }

    /// As [`Talk::wait_reports`], and it ends as well when the sender's connection does.
    pub(crate) async fn wait_reports_or_end(&self, count: usize) {
        let gone = async {
            let mut turn = tokio::time::interval(std::time::Duration::from_millis(10));
            while !self.sender.as_ref().unwrap().task.is_finished() {
                turn.tick().await;
            }
        };
        tokio::select! {
            () = self.wait_reports(count) => {}
            () = gone => {}
        }
    }

    /// Somebody reads no more.
    pub(crate) fn deafen(&self, address: &'static str) {
        self.peer(address).set_mode(Mode::Deaf);
    }

    /// Somebody reads again.
    pub(crate) fn hear_again(&self, address: &'static str) {
        self.peer(address).set_mode(Mode::Auto);
    }

    /// Somebody's connection ends with a reset: it reads no more, and goes while octets are unread.
    pub(crate) fn reset(&self, address: &'static str) {
        self.peer(address).set_mode(Mode::Reset);
    }

    fn peer(&self, address: &'static str) -> &MsrpPeer {
        match &self.sender {
            Some(sender) if address == ALICE => &sender.peer,
            _ => &self.recipients[address].peer,
        }
    }

    /// Everybody hangs up; what is known then.
    pub(crate) async fn end(self) -> Ends {
        self.end_with_daemon().await.1
    }

    /// As [`Talk::end`], and the daemon goes on.
    pub(crate) async fn end_with_daemon(self) -> (Daemon, Ends) {
        for ear in self.recipients.values() {
            ear.peer.close();
        }
        if let Some(sender) = &self.sender {
            sender.peer.close();
        }
        let (daemon, mut books, mut ends) = self.listen_to_the_end().await;
        ends.books = books.balance(&daemon).await;
        (daemon, ends)
    }

    /// Everybody hangs up, and all messages were delivered to all of [`RECIPIENTS`]. The daemon goes on.
    pub(crate) async fn end_with_nothing_lost(self) -> Daemon {
        let (daemon, ends) = self.end_with_daemon().await;
        ends.assert_nothing_lost();
        daemon
    }

    /// Everybody hangs up: [`BOB`] missed some messages, the others have everything, and a conversation begins anew.
    pub(crate) async fn end_with_bob_failed(self, way: Way) {
        let (daemon, ends) = self.end_with_daemon().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[CAROL, DAVE]);
        ends.assert_some_failed(BOB);
        assert_conversation_begins(&daemon, way).await;
    }

    /// As [`Talk::end_with_daemon`], when a shard has failed: copies that were open count as failed, without an event.
    pub(crate) async fn end_after_failure(self) -> (Daemon, Ends) {
        let (daemon, books, mut ends) = self.listen_to_the_end().await;
        ends.books = books.settle(&daemon).await;
        (daemon, ends)
    }

    /// The connections end with the daemon.
    pub(crate) async fn end_as_it_comes(self) -> Ends {
        let (_daemon, books, mut ends) = self.listen_to_the_end().await;
        ends.books = books.close().await;
        ends
    }

    async fn listen_to_the_end(mut self) -> (Daemon, Books, Ends) {
        let told = self.sender.take().unwrap().task.await.unwrap();
        let mut heard = BTreeMap::new();
        for (address, ear) in std::mem::take(&mut self.recipients) {
            heard.insert(address, ear.task.await.unwrap());
        }
        let books = Entries::default();
        (self.daemon, self.books, Ends { told, heard, books })
    }
}

impl<T: Send + 'static> Ear<T> {
    fn of<F>(participant: Participant, listen: impl FnOnce(Arc<MsrpPeer>) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let Participant { dialog, msrp, .. } = participant;
        let peer = Arc::new(msrp);
        Self {
            task: tokio::spawn(listen(Arc::clone(&peer))),
            peer,
            _dialog: dialog,
        }
    }
}

/// A recipient notes each text, and reports it when it is asked to.
async fn hear(peer: Arc<MsrpPeer>) -> Heard {
    let mut heard = Heard::default();
    loop {
        match peer.next().await {
            Event::Message(message) if message.ended == Flag::Last => {
                let text = String::from_utf8(message.cpim().body).unwrap();
                heard.is_any_twice |= !heard.texts.insert(text);
                if message.header("Success-Report") == Some("yes") {
                    let octets = message.body.len();
                    peer.report(&message, &format!("1-{octets}/{octets}"), "000 200 OK");
                }
            }
            Event::Closed(_) => return heard,
            _ => {}
        }
    }
}

/// The sender notes each leg of each report.
async fn be_told(peer: Arc<MsrpPeer>, told: Arc<watch::Sender<Told>>) -> Told {
    loop {
        match peer.next().await {
            Event::Report(report) => told.send_modify(|told| told.note(&report)),
            Event::Closed(_) => return told.borrow().clone(),
            _ => {}
        }
    }
}

impl Told {
    fn note(&mut self, report: &Frame) {
        let Some(document) = report.body.as_deref() else {
            return;
        };
        let document = std::str::from_utf8(document).unwrap();
        let id = between(document, "Message-ID=\"").unwrap();
        if document.contains(" last=\"true\"") {
            self.whole.insert(id.to_owned());
        }
        let text = self.texts[id].clone();
        let legs = self.legs.entry(text).or_default();
        for leg in document.split("<leg ").skip(1) {
            let address = between(leg, "uri=\"").unwrap().to_owned();
            let status = between(leg, "status=\"").unwrap().parse().unwrap();
            self.is_any_twice |= legs.insert(address, status).is_some();
        }
    }
}

/// The value of an attribute that begins like this.
fn between<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    text.split_once(begin)?.1.split('"').next()
}

impl Ends {
    /// What was called delivered was delivered, nothing was told or delivered twice, and the server's own books say nothing
    /// better than what the ends saw.
    pub(crate) fn assert_truth(&self) {
        self.assert_books();
        assert!(!self.told.is_any_twice, "a leg was reported twice");
        for (address, heard) in &self.heard {
            assert!(!heard.is_any_twice, "{address} got a message twice");
        }
        for (text, legs) in &self.told.legs {
            for (address, status) in legs {
                let has_heard = self.heard[address.as_str()].texts.contains(text);
                assert!(
                    *status != 200 || has_heard,
                    "{address} is said to have {text:.20}"
                );
            }
        }
    }

    fn assert_books(&self) {
        for (id, text) in &self.told.texts {
            let heard = |heard: &&Heard| heard.texts.contains(text);
            let heard = self.heard.values().filter(heard).count();
            let delivered = self.books.delivered(id);
            assert!(delivered <= heard, "{id}: {delivered} booked, {heard} had");
            let legs = self
                .told
                .legs
                .get(text)
                .into_iter()
                .flat_map(BTreeMap::values);
            let told = legs.filter(|status| **status == 200).count();
            if let Some(reported) = self.books.reported(id) {
                assert!(told <= reported, "{id}: {told} told, {reported} booked");
            }
        }
    }

    /// All messages were delivered to these recipients, it was said so, and it is booked so.
    pub(crate) fn assert_delivered(&self, count: usize, recipients: &[&str]) {
        for (id, text) in &self.told.texts {
            let booked = self.books.delivered(id);
            let (books, legs) = (&self.books, self.told.legs.get(text));
            assert!(booked >= recipients.len(), "{text:.20}: {legs:?} {books:?}");
        }
        for address in recipients {
            assert_eq!(self.heard[address].texts.len(), count, "{address}");
            let mut statuses = self.told.legs.values().map(|legs| legs[*address]);
            assert!(statuses.all(|status| status == 200), "{address}");
        }
        assert_eq!(self.told.legs.len(), count);
    }

    /// The truth, and all messages were delivered to all of [`RECIPIENTS`].
    pub(crate) fn assert_nothing_lost(&self) {
        self.assert_truth();
        self.assert_delivered(MESSAGES, &RECIPIENTS);
    }

    /// Of every message and recipient the sender was told whether it arrived, and it was so.
    pub(crate) fn assert_told_exactly(&self, count: usize) {
        assert_eq!(self.told.legs.len(), count);
        for (text, legs) in &self.told.legs {
            for (address, heard) in &self.heard {
                let has_heard = heard.texts.contains(text);
                assert_eq!(legs[*address] == 200, has_heard, "{address}: {text:.20}");
            }
        }
    }

    /// It was told that a shard failed with its only room.
    pub(crate) fn assert_one_shard_lost(&self) {
        assert_eq!(self.books.lost(), [1, 1]);
    }

    /// These are the ids of all messages, each once.
    pub(crate) fn assert_ids(&self, ids: &[String]) {
        let told: BTreeSet<_> = self.told.texts.keys().collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>(), told);
        assert_eq!(ids.len(), told.len());
    }

    /// Adds what a recipient got that was no part of the conversation's own.
    pub(crate) fn add_heard(&mut self, address: &'static str, texts: Vec<String>) {
        let heard = self.heard.entry(address).or_default();
        for text in texts {
            heard.is_any_twice |= !heard.texts.insert(text);
        }
    }

    /// The sender was told of messages that this recipient did not get.
    pub(crate) fn assert_some_failed(&self, address: &str) {
        let mut statuses = self.told.legs.values().filter_map(|legs| legs.get(address));
        assert!(statuses.any(|status| *status != 200), "{address}");
    }
}
