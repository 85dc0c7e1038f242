//! A browser without a window, driven by its DevTools protocol.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Error, Message, WebSocket};

/// Chromium with one page. It is killed when the value is dropped.
///
/// `CHROMIUM` names the program, `chromium` by default; `SCREENSHOTS` a directory for pictures.
pub struct Browser {
    process: Child,
    _errors: BufReader<ChildStderr>,
    profile: PathBuf,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: Value,
    number: u64,
    complaints: Vec<String>,
}

impl Browser {
    /// Starts it with an empty page. `name` tells its profile from those of others.
    ///
    /// # Panics
    /// When there is no Chromium, or it does not answer.
    #[must_use]
    pub fn start(name: &str) -> Self {
        let program = env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let profile = env::temp_dir().join(format!("msrpd-{name}-{}", std::process::id()));
        let mut process = Command::new(&program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--disable-dev-shm-usage"])
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{program} was not started: {e}"));
        let mut errors = BufReader::new(process.stderr.take().expect("a piped stderr"));
        let address = devtools_address(&mut errors);
        let (socket, _) = tungstenite::connect(&address).expect("DevTools");
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        }
        let mut browser = Self {
            process,
            _errors: errors,
            profile,
            socket,
            session: Value::Null,
            number: 0,
            complaints: Vec::new(),
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", &attach)["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Carries out one command of the protocol and gives its result.
    ///
    /// # Panics
    /// When it is refused, or is not answered before the deadline.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut request = json!({ "id": self.number, "method": method, "params": params });
        if self.session != Value::Null {
            request["sessionId"] = self.session.clone();
        }
        let sent = self.socket.send(Message::text(request.to_string()));
        sent.expect("a browser that listens");
        loop {
            let message = match self.socket.read() {
                // A child of the test that ends interrupts what waits.
                Err(Error::Io(e)) if e.kind() == ErrorKind::Interrupted => continue,
                read => read.unwrap_or_else(|e| panic!("{method}: {e}")),
            };
            let Ok(text) = message.to_text() else {
                continue;
            };
            let answer: Value = serde_json::from_str(text).expect("JSON");
            self.note(&answer);
            if answer["id"] == self.number {
                assert_eq!(answer["error"], Value::Null, "{method}");
                return answer["result"].clone();
            }
        }
    }

    /// Keeps what the page did wrong.
    fn note(&mut self, event: &Value) {
        let is_complaint = match event["method"].as_str() {
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            Some("Runtime.exceptionThrown") => true,
            _ => false,
        };
        if is_complaint {
            self.complaints.push(event["params"].to_string());
        }
    }

    /// Errors that the browser has logged, and exceptions that nobody caught.
    #[must_use]
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// The value of an expression in the page, when it has come.
    ///
    /// # Panics
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let result = self.call("Runtime.evaluate", &params);
        let thrown = &result["exceptionDetails"];
        assert_eq!(thrown, &Value::Null, "{expression}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression in the page holds.
    ///
    /// # Panics
    /// When it does not before the deadline, with the text of the page.
    pub fn wait(&mut self, condition: &str) {
        let millis = DEADLINE.as_millis() / 2;
        let held = self.evaluate(&format!(
            "new Promise((done) => {{
                const end = Date.now() + {millis};
                const look = () => ({condition}) ? done(true)
                    : Date.now() > end ? done(false) : setTimeout(look, 30);
                look();
            }})"
        ));
        if held != true {
            let text = self.evaluate("document.body.innerText");
            let complaints = &self.complaints;
            panic!("{condition} does not hold\n{text}\n{complaints:?}");
        }
    }

    /// Opens a page.
    pub fn open(&mut self, address: &str) {
        self.call("Page.navigate", &json!({ "url": address }));
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Presses and releases keys by their names, such as `Tab`.
    pub fn press(&mut self, keys: &[&str]) {
        for key in keys {
            let (code, text) = match *key {
                "Enter" => (13, "\r"),
                " " => (32, " "),
                "Tab" => (9, ""),
                other => panic!("no code for the key {other}"),
            };
            for kind in ["keyDown", "keyUp"] {
                let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
                if kind == "keyDown" && !text.is_empty() {
                    event["text"] = json!(text);
                }
                self.call("Input.dispatchKeyEvent", &event);
            }
        }
    }

    /// Types into what has the focus.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Shows the page at this width and in this colour scheme, `light` or `dark`.
    pub fn look_at(&mut self, width: u32, scheme: &str) {
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let hidden = json!({ "hidden": true });
        self.call("Emulation.setScrollbarsHidden", &hidden);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let media = json!({ "features": [feature] });
        self.call("Emulation.setEmulatedMedia", &media);
    }

    /// Takes a picture of the whole page, where pictures are wanted.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn picture(&mut self, name: &str) {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.call("Page.captureScreenshot", &params);
        let picture = STANDARD.decode(picture["data"].as_str().expect("a picture"));
        let picture = picture.expect("base64");
        assert!(picture.starts_with(b"\x89PNG"), "{name} is no picture");
        if let Some(directory) = env::var_os("SCREENSHOTS") {
            let file = PathBuf::from(directory).join(format!("{name}.png"));
            fs::write(&file, picture).expect("a directory for pictures");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to, it ends its helpers too.
        let close = json!({ "id": 0, "method": "Browser.close" });
        if self.socket.send(Message::text(close.to_string())).is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// Where it says that it listens.
fn devtools_address(errors: &mut impl BufRead) -> String {
    let mut seen = String::new();
    for line in errors.lines() {
        let line = line.expect("readable errors");
        if let Some((_, address)) = line.split_once("DevTools listening on ") {
            return address.trim().to_owned();
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    panic!("the browser ended before it listened\n{seen}");
}

/// Longest wait for one answer.
const DEADLINE: Duration = Duration::from_secs(60);
