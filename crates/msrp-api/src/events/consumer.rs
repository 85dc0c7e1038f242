//! One consumer: reads the log behind its cursor and hands frames to its connection.

use std::sync::Arc;
use std::time::Duration;

use msrp_control::RoomId;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};

use super::log::{Behind, Cursor, Detail, Entry};
use super::watch::WantsMessages;
use super::{MESSAGES_LOST, detail_of, snapshot};
use crate::limits::{
    CONSUMER_FRAMES_MAX, CONSUMER_STALL_MAX, CONSUMERS_MAX, MESSAGES_LINGER, PROGRESS_EVERY,
    READ_EVENTS_MAX, WEBHOOK_PROGRESS_EVERY,
};
use crate::{Api, Problem, limits};

/// Where a consumer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// With the state of every room.
    State,
    /// With the next event.
    Now,
    /// Behind an event that it has had.
    Behind(Cursor),
}

/// Which events a consumer wants; `None` means all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) types: Option<Vec<&'static str>>,
    pub(crate) rooms: Option<Vec<RoomId>>,
}

impl Filter {
    /// The greatest detail that a type has which it names.
    pub(crate) fn detail(&self) -> Detail {
        let types = self.types.iter().flatten();
        let details = types.map(|kind| detail_of(kind));
        details.max().unwrap_or(Detail::Others)
    }

    fn takes(&self, entry: &Entry) -> bool {
        let takes_type = |types: &Vec<_>| types.contains(&entry.kind);
        let takes_room = |rooms: &Vec<RoomId>| match &entry.room {
            Some(room) => rooms.contains(room),
            None => !entry.kind.starts_with("relay_"),
        };
        self.types.as_ref().is_none_or(takes_type) && self.rooms.as_ref().is_none_or(takes_room)
    }
}

/// What goes out as one server-sent event, or one WebSocket message.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: &'static str,
    /// Where to go on after this frame; absent where a consumer has to start over.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) json: String,
}

/// A consumer that has a place.
pub(crate) struct Consumer {
    start: Start,
    filter: Filter,
    /// `None` of a webhook, whose number has a bound of its own.
    place: Option<OwnedSemaphorePermit>,
    /// Held when it wants events of messages.
    wanted: Option<WantsMessages>,
}

/// Why a consumer gets nothing more.
pub(super) struct Ended;

impl Consumer {
    pub(crate) fn new(api: &Api, start: Start, filter: Filter) -> Result<Self, Problem> {
        let place = Arc::clone(&api.consumers).try_acquire_owned();
        let place = place.map_err(|_| {
            let detail = format!(
                "{CONSUMERS_MAX} consumers read the events, the most there may be; end one."
            );
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "limit", 503, detail).retry_after(limits::RETRY_AFTER_LIMIT_S)
        })?;
        Ok(Self {
            wanted: api.watch.want(filter.detail()),
            start,
            filter,
            place: Some(place),
        })
    }

    /// The reader of a webhook: it waits for as long as its target takes nothing, until the events
    /// that it has to read next are gone.
    pub(crate) fn of_webhook(api: &Api, start: Start, filter: Filter) -> Self {
        Self {
            wanted: api.watch.want(filter.detail()),
            start,
            filter,
            place: None,
        }
    }

    /// Starts to read. The reading ends when the frames are not taken any more.
    pub(crate) fn run(self, api: Arc<Api>) -> mpsc::Receiver<Frame> {
        let (frames, receiver) = mpsc::channel(CONSUMER_FRAMES_MAX);
        tokio::spawn(async move {
            let stall_max = self.place.as_ref().map(|_| CONSUMER_STALL_MAX);
            let _place = self.place;
            let _wanted = self.wanted.map(Lingering);
            let reader = Reader {
                api,
                detail: self.filter.detail(),
                filter: self.filter,
                stall_max,
                frames,
            };
            let Ok(mut at) = reader.begin(self.start).await else {
                return;
            };
            while reader.step(&mut at).await.is_ok() {}
        });
        receiver
    }
}

/// Has events of messages made for some time after their consumer is gone, so that one that comes
/// back misses none.
struct Lingering(WantsMessages);

impl Drop for Lingering {
    fn drop(&mut self) {
        let again = self.0.again();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(MESSAGES_LINGER).await;
                drop(again);
            });
        }
    }
}

struct Reader {
    api: Arc<Api>,
    detail: Detail,
    filter: Filter,
    /// How long it waits for its connection; `None` means for ever.
    stall_max: Option<Duration>,
    frames: mpsc::Sender<Frame>,
}

impl Reader {
    /// Tells what has to come first, and gives the place from which events go on.
    async fn begin(&self, start: Start) -> Result<Cursor, Ended> {
        let log = &self.api.log;
        match start {
            Start::Now => Ok(log.end()),
            Start::Behind(cursor) => {
                if let Behind::Events(page) = log.read(cursor, 0, self.detail) {
                    if page.lacks_messages {
                        self.tell_messages_lost(cursor).await?;
                    }
                    return Ok(cursor);
                }
                let gap = json!({ "type": "gap", "behind": cursor.to_string() });
                self.tell("gap", None, gap.to_string()).await?;
                self.tell_state().await
            }
            Start::State => self.tell_state().await,
        }
    }

    /// Events of messages behind the cursor are gone, nobody knows how many.
    async fn tell_messages_lost(&self, cursor: Cursor) -> Result<(), Ended> {
        let lost = json!({
            "type": MESSAGES_LOST,
            "count": null,
            "cursor": cursor.to_string(),
        });
        self.tell(MESSAGES_LOST, Some(cursor), lost.to_string())
            .await
    }

    async fn tell_state(&self) -> Result<Cursor, Ended> {
        let cursor = self.api.log.end();
        snapshot::tell(&self.api.client, self.filter.rooms.as_deref(), |json| {
            self.tell("snapshot", None, json)
        })
        .await?;
        let end = json!({ "type": "snapshot_end", "cursor": cursor.to_string() });
        self.tell("snapshot_end", Some(cursor), end.to_string())
            .await?;
        Ok(cursor)
    }

    /// Hands over the next events, or waits for some.
    async fn step(&self, at: &mut Cursor) -> Result<(), Ended> {
        let mut news = self.api.log.watch();
        let page = match self.api.log.read(*at, READ_EVENTS_MAX, self.detail) {
            Behind::Events(page) => page,
            Behind::Gap => {
                let cut = json!({ "type": "cut", "cursor": at.to_string() });
                tracing::info!(cursor = %at, "a consumer of events fell behind and was cut off");
                self.tell("cut", Some(*at), cut.to_string()).await?;
                return Err(Ended);
            }
        };
        if page.lacks_messages {
            self.tell_messages_lost(*at).await?;
        }
        if page.events.is_empty() {
            *at = page.upto;
            return self.wait(*at, &mut news).await;
        }
        for event in page.events {
            if self.filter.takes(&event) {
                let (kind, cursor) = (event.kind, Some(event.cursor));
                self.tell(kind, cursor, event.json.clone()).await?;
            }
            *at = event.cursor;
        }
        Ok(())
    }

    /// Waits for an event. Meanwhile it says from time to time how far the consumer is: one that
    /// wants few events must not be left with an old cursor, and one that is gone is noticed.
    async fn wait(
        &self,
        at: Cursor,
        news: &mut tokio::sync::watch::Receiver<u64>,
    ) -> Result<(), Ended> {
        // A webhook's progress costs no request.
        let every = self
            .stall_max
            .map_or(WEBHOOK_PROGRESS_EVERY, |_| PROGRESS_EVERY);
        let progress_at = Instant::now() + every;
        loop {
            if *news.borrow_and_update() > at.seq {
                return Ok(());
            }
            tokio::select! {
                changed = news.changed() => changed.map_err(|_| Ended)?,
                () = self.frames.closed() => return Err(Ended),
                () = tokio::time::sleep_until(progress_at) => {
                    let progress = json!({ "type": "progress", "cursor": at.to_string() });
                    return self.tell("progress", Some(at), progress.to_string()).await;
                }
            }
        }
    }

    /// Hands over one frame. A connection that takes none for long ends.
    async fn tell(
        &self,
        kind: &'static str,
        cursor: Option<Cursor>,
        json: String,
    ) -> Result<(), Ended> {
        let frame = Frame { kind, cursor, json };
        let Some(stall_max) = self.stall_max else {
            return self.frames.send(frame).await.map_err(|_| Ended);
        };
        match timeout(stall_max, self.frames.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended),
            Err(_) => {
                tracing::info!("a consumer of events took nothing and was cut off");
                Err(Ended)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use msrp_control::{Client, Command, Engine, EventStream, ReplySender, metrics::Sample};

    use super::*;
    use crate::ApiConfig;

    /// An engine without rooms that tells nothing, and does this when it is asked for rooms.
    #[derive(Default)]
    struct Silent(std::sync::OnceLock<Box<dyn Fn() + Send + Sync>>);

    impl Engine for Silent {
        fn submit(&self, command: Command, reply: ReplySender) {
            let is_first = !matches!(command, Command::Bridge(_));
            if let Some(act) = self.0.get().filter(|_| is_first) {
                act();
            }
            let _ = reply.send(Ok(match command {
                Command::Bridge(_) => msrp_control::Reply::Bridges(Vec::new()),
                _ => msrp_control::Reply::Rooms(Vec::new()),
            }));
        }

        fn subscribe(&self) -> EventStream {
            let (sender, stream) = futures_channel::mpsc::channel(1);
            // Never ends.
            std::mem::forget(sender);
            stream
        }

        fn samples(&self) -> Vec<Sample> {
            Vec::new()
        }

        fn is_alive(&self) -> bool {
            true
        }
    }

    fn api(events_max: usize) -> Arc<Api> {
        api_of(Arc::new(Silent::default()), events_max)
    }

    fn api_of(engine: Arc<Silent>, events_max: usize) -> Arc<Api> {
        let config = ApiConfig {
            version: String::new(),
            domain: "localhost".to_owned(),
            run: 1,
            events_max,
            patience: Default::default(),
        };
        Api::new(Client::new(engine), config)
    }

    fn push(api: &Api, room: &str) {
        let room = RoomId::new(room).unwrap();
        api.log.push("room_started", Some(room), json!({}));
    }

    fn consumer(api: &Arc<Api>, start: Start, rooms: Option<&str>) -> mpsc::Receiver<Frame> {
        let filter = Filter {
            types: None,
            rooms: rooms.map(|room| vec![RoomId::new(room).unwrap()]),
        };
        let consumer = Consumer::new(api, start, filter);
        consumer.ok().unwrap().run(Arc::clone(api))
    }

    #[tokio::test]
    async fn consumer_that_falls_behind_is_cut_off_and_comes_back_by_its_cursor() {
        let api = api(10);
        let mut frames = consumer(&api, Start::Behind(api.log.end()), None);
        push(&api, "first");
        let first = frames.recv().await.unwrap();
        assert_eq!((first.kind, first.cursor.unwrap().seq), ("room_started", 1));
        // More than its connection holds, and then more than the log.
        for _ in 0..1000 {
            push(&api, "later");
            tokio::task::yield_now().await;
        }
        let mut last = first;
        while let Some(frame) = frames.recv().await {
            last = frame;
        }
        assert_eq!(last.kind, "cut");
        let cursor = last.cursor.unwrap();
        assert!(cursor.seq > 1 && cursor.seq < 1001, "{cursor}");
        let mut frames = consumer(&api, Start::Behind(cursor), None);
        let gap = frames.recv().await.unwrap();
        assert_eq!((gap.kind, gap.cursor), ("gap", None));
        let end = frames.recv().await.unwrap();
        assert_eq!(
            (end.kind, end.cursor),
            ("snapshot_end", Some(api.log.end()))
        );
    }

    #[tokio::test]
    async fn event_in_the_middle_of_a_snapshot_is_told_behind_it() {
        let engine = Arc::new(Silent::default());
        let api = api_of(Arc::clone(&engine), 10);
        push(&api, "before");
        let log = Arc::clone(&api.log);
        let act = move || log.push("room_started", RoomId::new("amid").ok(), json!({}));
        engine.0.set(Box::new(act)).ok().unwrap();
        let mut frames = consumer(&api, Start::State, None);
        let end = frames.recv().await.unwrap();
        assert_eq!((end.kind, end.cursor.unwrap().seq), ("snapshot_end", 1));
        let amid = frames.recv().await.unwrap();
        assert_eq!((amid.kind, amid.cursor.unwrap().seq), ("room_started", 2));
    }

    #[tokio::test(start_paused = true)]
    async fn consumer_of_few_events_is_told_how_far_it_is() {
        let api = api(10);
        let mut frames = consumer(&api, Start::Now, Some("mine"));
        tokio::task::yield_now().await;
        for room in ["others", "mine", "others"] {
            push(&api, room);
        }
        let mine = frames.recv().await.unwrap();
        assert_eq!(mine.cursor.unwrap().seq, 2);
        let progress = frames.recv().await.unwrap();
        assert_eq!(
            (progress.kind, progress.cursor),
            ("progress", Some(api.log.end()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn consumer_that_takes_nothing_loses_its_place_after_the_stall_time() {
        let api = api(1000);
        let _frames = consumer(&api, Start::Behind(api.log.end()), None);
        for _ in 0..=CONSUMER_FRAMES_MAX {
            push(&api, "room");
        }
        tokio::task::yield_now().await;
        assert_eq!(api.consumers.available_permits(), CONSUMERS_MAX - 1);
        tokio::time::sleep(CONSUMER_STALL_MAX * 2).await;
        assert_eq!(api.consumers.available_permits(), CONSUMERS_MAX);
    }

    #[tokio::test]
    async fn consumer_beyond_the_limit_is_refused() {
        let api = api(10);
        let consumers: Vec<_> = (0..CONSUMERS_MAX)
            .map(|_| consumer(&api, Start::Now, None))
            .collect();
        let refused = Consumer::new(&api, Start::Now, Filter::default());
        let problem = refused.err().unwrap();
        assert_eq!((problem.code, problem.retry_after_s), ("limit", Some(5)));
        drop(consumers);
    }
}
