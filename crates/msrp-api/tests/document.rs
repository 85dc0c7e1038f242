//! The OpenAPI document and the API say the same.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, header};
use msrp_api::{Api, ApiConfig, DOCUMENT, Reloaded};
use msrp_control::{Announcement, AnnouncementReply, Announcer, Client, ControlError};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, Rules, ShardEngine};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

/// The API of an engine that runs for one request.
struct Node {
    engine: Arc<ShardEngine>,
    router: Router,
}

impl Node {
    fn start() -> Self {
        let (node, api) = Self::without_focus();
        api.set_announcer(Arc::new(Everybody));
        node
    }

    fn without_focus() -> (Self, Arc<Api>) {
        let config = EngineConfig {
            want: ring_io::Want::Epoll,
            shards: 1,
            pin_shards: false,
            listeners: vec![ListenerConfig {
                name: "lo".to_owned(),
                bind: "127.0.0.1:0".parse().unwrap(),
                advertise: None,
                transport: Default::default(),
            }],
            limits: EngineLimits::default(),
            ask_recipients: false,
            rules: Rules::default(),
        };
        let engine = msrp_shard::start(&config).unwrap().engine;
        let config = ApiConfig {
            version: "1".to_owned(),
            domain: "localhost".to_owned(),
            run: 1,
            events_max: 10,
            patience: Default::default(),
        };
        let api = Api::new(Client::new(engine.clone()), config);
        api.set_reload(Box::new(|| Ok(Reloaded::default())));
        let router = api.router();
        (Self { engine, router }, api)
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        content: Option<(&str, String)>,
    ) -> Response<Body> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = Request::builder().method(method).uri(path);
        let request = match content {
            Some((content_type, body)) => request
                .header(header::CONTENT_TYPE, content_type)
                .body(Body::from(body)),
            None => request.body(Body::empty()),
        };
        self.router.clone().oneshot(request.unwrap()).await.unwrap()
    }

    /// What the examples start from: a room with one who offered and one who was made an offer.
    async fn set_up(&self, offer: &str) {
        let alice = json!({ "participant": "alice", "uri": "sip:alice@example.com", "offer": { "sdp": offer } });
        let bob = json!({ "participant": "bob", "uri": "sip:b@x" });
        let all = "/v1/rooms/lunch/participants";
        let hook = json!({ "url": "http://127.0.0.1:9/", "secret": "sixteen octets.." });
        for (method, path, body) in [
            ("PUT", "/v1/webhooks/billing", hook),
            ("PUT", "/v1/rooms/lunch", json!({})),
            ("POST", all, alice),
            ("POST", all, bob),
        ] {
            let content = Some(("application/json", body.to_string()));
            let answer = self.ask(method, path, content).await;
            assert_eq!(answer.status(), 201, "{path}");
        }
        let call = json!({ "relay": "call", "offer": { "sdp": offer } }).to_string();
        let content = Some(("application/json", call));
        let made = self.ask("POST", "/v1/relays", content).await;
        assert_eq!(made.status(), 201);
        let content = Some(("application/sdp", offer.to_owned()));
        let answered = self.ask("PUT", "/v1/relays/call/answer", content).await;
        assert_eq!(answered.status(), 200);
    }
}

/// Reaches everybody.
struct Everybody;

impl Announcer for Everybody {
    fn announce(&self, announcement: Announcement, reply: AnnouncementReply) {
        let _ = reply.send(Ok(announcement.recipients.len()));
    }

    fn note_answer(&self, _user: &str) -> Result<(), ControlError> {
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.engine.shutdown();
    }
}

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// Follows a reference inside the document.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(place) => document.pointer(place.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// Every operation: its method, its path, what is said of it, and its parameters.
fn operations(document: &Value) -> Vec<(String, String, Value, Vec<Value>)> {
    let mut operations = Vec::new();
    for (path, item) in object(&document["paths"]) {
        for (method, operation) in object(&item) {
            if METHODS.contains(&method.as_str()) {
                let lists = [&item["parameters"], &operation["parameters"]];
                let parameters = lists.into_iter().filter_map(Value::as_array).flatten();
                let parameters = parameters.map(|p| resolve(document, p).clone()).collect();
                operations.push((method.to_uppercase(), path.clone(), operation, parameters));
            }
        }
    }
    operations
}

/// The path of an operation with the examples of its parameters.
fn example_path(path: &str, parameters: &[Value]) -> String {
    let mut path = path.to_owned();
    let mut query = Vec::new();
    for parameter in parameters {
        let (name, example) = (parameter["name"].as_str().unwrap(), &parameter["example"]);
        let example = match example {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match parameter["in"].as_str().unwrap() {
            "path" => path = path.replace(&format!("{{{name}}}"), &example),
            "query" => query.push(format!("{name}={example}")),
            _ => {}
        }
    }
    if query.is_empty() {
        return path;
    }
    format!("{path}?{}", query.join("&"))
}

#[tokio::test]
async fn document_names_the_paths_and_methods_that_are_served() {
    let document = document();
    let node = Node::start();
    let served: BTreeSet<_> = Api::paths().into_iter().map(str::to_owned).collect();
    let described: BTreeSet<_> = object(&document["paths"])
        .into_iter()
        .map(|(p, _)| p)
        .collect();
    assert_eq!(served, described);
    for path in served {
        let item = object(&document["paths"][&path]);
        let described: BTreeSet<_> = METHODS
            .into_iter()
            .filter(|method| item.contains_key(*method))
            .map(str::to_uppercase)
            .collect();
        let answer = node.ask("TRACE", &path.replace(['{', '}'], ""), None).await;
        assert_eq!(answer.status(), 405, "{path}");
        let allow = answer.headers()[header::ALLOW].to_str().unwrap().to_owned();
        let served: BTreeSet<_> = allow
            .split(',')
            .filter(|method| *method != "HEAD")
            .map(str::to_owned)
            .collect();
        assert_eq!(served, described, "{path}");
    }
}

#[tokio::test]
async fn examples_of_the_document_are_answered_as_it_says() {
    let document = document();
    let pointer = "/paths/~1v1~1rooms~1{room}~1participants/post/requestBody/content\
                   /application~1sdp/examples/sdp/value";
    let offer = document.pointer(pointer).unwrap().as_str().unwrap();
    let mut asked = 0;
    for (method, path, operation, parameters) in operations(&document) {
        let mut bodies = Vec::new();
        for (content_type, content) in object(&operation["requestBody"]["content"]) {
            for (name, example) in object(&content["examples"]) {
                let body = match &example["value"] {
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                };
                bodies.push((name, Some((content_type.clone(), body))));
            }
        }
        if operation["requestBody"]["required"] != json!(true) {
            bodies.push(("nothing".to_owned(), None));
        }
        for (name, content) in bodies {
            let node = Node::start();
            let is_room_put = method == "PUT" && path == "/v1/rooms/{room}";
            if !is_room_put {
                node.set_up(offer).await;
            }
            let path = example_path(&path, &parameters);
            let content = content.as_ref().map(|(t, body)| (t.as_str(), body.clone()));
            let answer = node.ask(&method, &path, content).await;
            expect_described(
                &document,
                &operation,
                &format!("{method} {path} {name}"),
                answer,
            )
            .await;
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}

async fn expect_described(document: &Value, operation: &Value, what: &str, answer: Response<Body>) {
    let status = answer.status();
    assert!(status.is_success(), "{what}: {status}");
    let described = &operation["responses"][status.as_str()];
    assert!(described.is_object(), "{what}: {status} is not described");
    let content_type = answer.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
    let contents = object(&described["content"]);
    let Some(content_type) = content_type else {
        assert!(contents.is_empty(), "{what} has no body");
        return;
    };
    let content = contents.get(&content_type);
    let content = content.unwrap_or_else(|| panic!("{what}: {content_type} is not described"));
    if content_type != "application/json" {
        return;
    }
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    expect_schema(document, &content["schema"], &body, what);
}

/// Checks names, required names and nesting: what a client's types are made of.
fn expect_schema(document: &Value, schema: &Value, value: &Value, what: &str) {
    let schema = resolve(document, schema);
    if let Some(fields) = value.as_object() {
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            assert!(fields.contains_key(name), "{what}: {name} is missing");
        }
        for (name, value) in fields {
            let property = properties.get(name);
            let property = property.unwrap_or_else(|| panic!("{what}: {name} is not described"));
            expect_schema(document, property, value, &format!("{what} {name}"));
        }
        return;
    }
    for item in value.as_array().into_iter().flatten() {
        expect_schema(document, &schema["items"], item, what);
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&is), "{what} is {is}, not {types:?}");
}

#[tokio::test]
async fn announcement_without_a_focus_is_refused_with_what_to_do() {
    let (node, _api) = Node::without_focus();
    let notice = json!({ "to": ["sip:a@x"], "body": "noon" }).to_string();
    let answered = json!({ "user": "sip:a@x" }).to_string();
    for (path, body) in [
        ("/v1/announcements", notice),
        ("/v1/announcements/answers", answered),
    ] {
        let answer = node
            .ask("POST", path, Some(("application/json", body)))
            .await;
        assert_eq!(answer.status(), 503);
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&problem["code"], &problem["sip_status"]),
            (&json!("no_focus"), &json!(503))
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("/v1/rooms/{room}/messages"), "{detail}");
    }
}

#[test]
fn document_lists_every_type_of_event_and_every_code_of_the_engine() {
    let document = document();
    let listed = |pointer: &str| {
        document
            .pointer(pointer)
            .unwrap()
            .as_array()
            .unwrap()
            .clone()
    };
    let types = listed("/components/schemas/Event/properties/type/enum");
    for name in msrp_api::events::TYPES {
        assert!(types.contains(&json!(name)), "{name}");
    }
    let codes = listed("/components/schemas/Problem/properties/code/enum");
    for code in msrp_control::ErrorCode::ALL {
        assert!(codes.contains(&json!(code.as_str())), "{code:?}");
    }
}
