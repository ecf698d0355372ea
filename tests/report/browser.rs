//! A headless Chromium, remote-controlled over its debugging protocol.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// The names under which it may be installed.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// How long anything may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    socket: WebSocket<TcpStream>,
    session: String,
    last_id: u64,
    /// Events received while waiting for responses.
    events: Vec<Json>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser, if one is installed.
    pub(crate) fn start() -> Option<Self> {
        let profile = tempfile::tempdir().expect("a folder");
        let mut process = NAMES.iter().find_map(|name| launch(name, &profile))?;
        let lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut lines = lines.map(|line| line.expect("text"));
        // On some systems, a program of that name only prints how to install the browser.
        let listening = lines.find(|line| line.contains("DevTools listening on "))?;
        // Drains stderr, so that a full pipe does not block the browser.
        std::thread::Builder::new().spawn(move || lines.for_each(drop)).expect("a thread");
        let (_, url) = listening.split_once(" on ").expect("an address");
        let address = url.trim_start_matches("ws://").split('/').next().expect("an address");
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("not zero");
        let (socket, _) = tungstenite::client(url, stream).expect("it speaks WebSocket");
        let mut browser =
            Self { process, socket, session: String::new(), last_id: 0, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = text(&browser.call("Target.attachToTarget", &attach)["sessionId"]);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the protocol and returns its result.
    fn call(&mut self, method: &str, params: &Json) -> Json {
        self.last_id += 1;
        let mut call = json!({ "id": self.last_id, "method": method, "params": params });
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(call.to_string())).expect("it listens");
        loop {
            let response = self.read();
            if response["id"] == self.last_id {
                assert!(response.get("error").is_none(), "{method}: {response}");
                return response["result"].clone();
            }
            self.events.push(response);
        }
    }

    fn read(&mut self) -> Json {
        loop {
            if let Message::Text(text) = self.socket.read().expect("it answers in time") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        self.await_load(|browser| {
            browser.call("Page.navigate", &json!({ "url": url }));
        });
    }

    /// Performs an action that opens another page, and waits until it is loaded.
    pub(crate) fn await_load(&mut self, act: impl FnOnce(&mut Self)) {
        let loaded = |event: &Json| event["method"] == "Page.loadEventFired";
        self.events.retain(|event| !loaded(event));
        act(self);
        while !self.events.iter().any(loaded) {
            let event = self.read();
            self.events.push(event);
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Json {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let response = self.call("Runtime.evaluate", &params);
        assert!(response.get("exceptionDetails").is_none(), "{expression}: {response}");
        response["result"]["value"].clone()
    }

    /// The text of an element.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        text(&self.evaluate(&format!("document.querySelector({}).textContent", json!(selector))))
    }

    /// Sets the download folder.
    pub(crate) fn save_in(&mut self, folder: &Path) {
        let params = json!({ "behavior": "allow", "downloadPath": folder });
        self.call("Browser.setDownloadBehavior", &params);
    }

    /// Clicks at the position `[x, y]` that an expression returns.
    pub(crate) fn click(&mut self, place: &str) {
        let place = self.evaluate(place);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let params = json!({ "type": kind, "x": place[0], "y": place[1], "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &params);
        }
    }

    /// Turns the mouse wheel at such a position.
    pub(crate) fn wheel(&mut self, place: &str, by: i32) {
        let place = self.evaluate(place);
        let params = json!({ "type": "mouseWheel", "x": place[0], "y": place[1], "deltaX": 0, "deltaY": by });
        self.call("Input.dispatchMouseEvent", &params);
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: &str) {
        // Without its code Tab does not move the focus, and without its text Enter does not press a button.
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            _ => (0, ""),
        };
        for kind in ["keyDown", "keyUp"] {
            let params = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", &params);
        }
    }

    /// Sets the size of the window.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Emulates the preferred color scheme, `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Exceptions, errors and warnings of pages so far.
    pub(crate) fn errors(&mut self) -> Vec<String> {
        // All events before the response to this have been read by then.
        self.evaluate("0");
        let is_error = |event: &&Json| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => event["params"]["type"] != "log",
            Some("Log.entryAdded") => event["params"]["entry"]["level"] != "info",
            _ => false,
        };
        self.events.iter().filter(is_error).map(ToString::to_string).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn launch(name: &str, profile: &TempDir) -> Option<Child> {
    let mut command = Command::new(name);
    // The sandbox does not work as root, as in containers; the pages are trusted.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args(["--remote-debugging-port=0", "--window-size=1400,1000", "about:blank"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
