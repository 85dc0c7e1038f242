//! Webhooks and their targets, which fail, hang, go away and come back.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use msrp_api::webhook::{Patience, Secret, Target, Webhook};
use sha2::Sha256;
use tokio::task::JoinHandle;

use super::*;

const SECRET: &str = "a secret of some length";

pub(crate) fn patience() -> Patience {
    Patience {
        answer_max: Duration::from_millis(200),
        delay_min: Duration::from_millis(1),
        delay_max: Duration::from_millis(20),
        request_max: Duration::from_secs(60),
    }
}

/// What a target does with the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Takes it.
    Takes,
    /// Refuses it.
    Fails,
    /// Reads it and says nothing.
    Hangs,
    /// Reads it, keeps what it says, and closes without an answer.
    Forgets,
    /// Closes before it has read it.
    Closes,
}

/// What a target knows.
#[derive(Default)]
struct Known {
    consumer: Consumer,
    /// Requests that were taken; one that comes again changes nothing.
    ids: BTreeSet<String>,
    moods: Vec<Mood>,
    /// Requests that came a second time after they had been taken.
    repeated: usize,
}

/// An HTTP server that is not to be relied on.
struct Receiver {
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    async fn start(moods: Vec<Mood>) -> Self {
        let known = Known {
            moods,
            ..Known::default()
        };
        let known = Arc::new(Mutex::new(known));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, Arc::clone(&known)));
        Self {
            address,
            known,
            serving,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    async fn die(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = tokio::spawn(serve(listener, Arc::clone(&self.known)));
    }

    fn webhook(&self) -> Webhook {
        Webhook {
            name: "hook".to_owned(),
            target: Target::parse(&format!("http://{}/hook", self.address)).unwrap(),
            secret: Secret::parse(SECRET).unwrap(),
            types: None,
            rooms: None,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, known: Arc<Mutex<Known>>) {
    // Connections end with the server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve_one(stream, Arc::clone(&known)));
    }
}

async fn serve_one(mut stream: TcpStream, known: Arc<Mutex<Known>>) {
    loop {
        let mood = known.lock().unwrap().moods.pop().unwrap_or(Mood::Takes);
        if mood == Mood::Closes {
            return;
        }
        let Some((head, body)) = read_request(&mut stream).await else {
            return;
        };
        if matches!(mood, Mood::Takes | Mood::Forgets) {
            take(&mut known.lock().unwrap(), &head, &body);
        }
        let answer = match mood {
            Mood::Takes => "HTTP/1.1 204 No Content\r\n\r\n",
            Mood::Fails => "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
            Mood::Hangs => std::future::pending().await,
            Mood::Forgets | Mood::Closes => return,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut octets = Vec::new();
    loop {
        if let Some(end) = octets.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(octets[..end].to_vec()).unwrap();
            let length: usize = field(&head, "content-length").parse().unwrap();
            if octets.len() >= end + 4 + length {
                return Some((head, octets[end + 4..].to_vec()));
            }
        }
        if stream.read_buf(&mut octets).await.ok()? == 0 {
            return None;
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(n, _)| *n == name).unwrap().1
}

fn take(known: &mut Known, head: &str, body: &[u8]) {
    assert!(head.starts_with("POST /hook HTTP/1.1"));
    let (id, time) = (field(head, "webhook-id"), field(head, "webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(field(head, "webhook-signature"), expected);
    if !known.ids.insert(id.to_owned()) {
        known.repeated += 1;
        return;
    }
    let document: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(document["webhook"], "hook");
    for event in document["events"].as_array().unwrap() {
        known.consumer.apply(event);
    }
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_whose_target_fails_hangs_and_dies_misses_nothing_and_keeps_the_order() {
    let node = Node::start(100_000).await;
    let mut seeded = Seeded(11);
    let kinds = [
        Mood::Takes,
        Mood::Takes,
        Mood::Takes,
        Mood::Fails,
        Mood::Forgets,
        Mood::Closes,
    ];
    let mut mood = || kinds[usize::try_from(seeded.below(6)).unwrap()];
    let mut moods: Vec<_> = (0..100).map(|_| mood()).collect();
    moods.push(Mood::Hangs);
    let mut target = Receiver::start(moods).await;
    node.api.add_webhook(target.webhook()).unwrap();
    let churning = tokio::spawn(churn(node.client.clone(), Seeded(5), STEPS));
    for deaths in 1..4 {
        until(|| target.known().consumer.seqs.len() > deaths * 100).await;
        target.die().await;
        target.come_back().await;
    }
    churning.await.unwrap();
    until(|| target.known().consumer.has_seen_the_end()).await;
    let rooms = {
        let known = target.known();
        let first = known.consumer.seqs[0];
        let count = known.consumer.seqs.len() as u64;
        assert!(known.consumer.seqs.iter().copied().eq(first..first + count));
        assert_eq!(known.consumer.gaps, 1, "the one at the start");
        assert!(known.repeated > 0, "no request came twice");
        known.consumer.rooms.clone()
    };
    assert_eq!(rooms, node.state().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_of_a_dead_target_holds_nothing_and_gets_the_state_when_it_is_back() {
    let node = Node::start(20).await;
    let mut target = Receiver::start(Vec::new()).await;
    target.die().await;
    node.api.add_webhook(target.webhook()).unwrap();
    // Others go on meanwhile.
    let consumer = consume_until_the_end(&node, 3, 30).await;
    assert_eq!(consumer.rooms, node.state().await);
    let path = "/v1/webhooks/hook";
    let shown = get(&node, path).await;
    assert!(shown["failures"].as_u64().unwrap() > 0, "{shown}");
    assert!(
        shown["last_error"].as_str().unwrap().contains("reached"),
        "{shown}"
    );
    assert!(!shown.to_string().contains(SECRET));
    target.come_back().await;
    until(|| target.known().consumer.has_seen_the_end()).await;
    let rooms = target.known().consumer.rooms.clone();
    assert_eq!(rooms, node.state().await);
    assert!(target.known().consumer.gaps > 0);
}

#[tokio::test]
async fn webhook_comes_changes_and_goes_by_the_api() {
    let node = Node::start(100).await;
    let target = Receiver::start(Vec::new()).await;
    let url = format!("http://{}/hook", target.address);
    let path = "/v1/webhooks/hook";
    let body = serde_json::json!({ "url": url, "secret": SECRET, "types": ["room_started"] });
    let put = |body: Value| ask(&node, "PUT", path, Some(body));
    assert_eq!(put(body.clone()).await.0, 201);
    assert_eq!(put(body.clone()).await.0, 200);
    node.be_busy(4).await;
    until(|| target.known().consumer.seqs.len() == 2).await;
    for (field, wrong) in [
        ("url", Value::from("ftp://x")),
        ("secret", "short".into()),
        ("types", serde_json::json!(["nothing"])),
    ] {
        let mut body = body.clone();
        body[field] = wrong;
        let (status, problem) = put(body).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &"malformed_webhook".into())
        );
    }
    assert_eq!(ask(&node, "DELETE", path, None).await.0, 204);
    assert_eq!(ask(&node, "GET", path, None).await.0, 404);
    node.api.add_webhook(target.webhook()).unwrap();
    let (status, problem) = ask(&node, "DELETE", path, None).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &"webhook_configured".into())
    );
}

async fn get(node: &Node, path: &str) -> Value {
    let (status, body) = ask(node, "GET", path, None).await;
    assert_eq!(status, 200);
    body
}

async fn ask(node: &Node, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}
