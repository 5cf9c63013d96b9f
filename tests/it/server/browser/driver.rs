//! A browser of its own for one test, driven over the protocol of `WebDriver`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::{Served, eventually};
use crate::support::provider::Raw;
use crate::support::wait::within;

/// How long a browser may take to end.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Runs in each page before its own script: `seen` holds the sequence numbers that a stream brought,
/// `blocked` what the content security policy has blocked.
const WATCH: &str = "
    window.seen = [];
    window.blocked = [];
    const Plain = window.EventSource;
    window.EventSource = class extends Plain {
        constructor(url) {
            super(url);
            this.addEventListener('message', (message) => window.seen.push(Number(message.lastEventId)));
        }
    };
    document.addEventListener('securitypolicyviolation', (event) =>
        window.blocked.push(`${event.violatedDirective} ${event.blockedURI}`));
";

/// A browser with one window. Dropping it ends every process it started.
pub(super) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    pid: Option<Pid>,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Told to end its session, the driver waits for the browser; ended itself, it may leave the
        // browser behind.
        let ended = if self.session.is_empty() { Ok(()) } else { self.end_session() };
        if kill_process(Pid::from_child(&self.driver), Signal::TERM).is_ok() {
            drop(self.driver.wait());
        }
        let begun = Instant::now();
        while self.pid.is_some_and(is_running) && begun.elapsed() < END_WITHIN {
            std::thread::sleep(Duration::from_millis(20));
        }
        let left = self.pid.filter(|&pid| is_running(pid));
        let killed = left.map(|pid| kill_process(pid, Signal::KILL));
        if !std::thread::panicking() {
            let is_clean = ended.is_ok() && killed.is_none();
            assert!(is_clean, "the browser did not end: {ended:?}, {killed:?}");
        }
    }
}

/// Whether a process is there and has not ended; a zombie has.
fn is_running(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_ok()
        && stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

impl Browser {
    /// Opens a window of this size.
    pub(super) async fn open(width: u32, height: u32) -> Self {
        let metrics = json!({"width": width, "height": height, "pixelRatio": 1, "touch": false});
        Self::with(&json!({"mobileEmulation": {"deviceMetrics": metrics}})).await
    }

    /// Opens a window that is shown as on a desk, so that it can be hidden behind another.
    pub(super) async fn on_a_desk() -> Self {
        Self::with(&json!({})).await
    }

    async fn with(more: &Value) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // What the browser keeps outside of its profile goes with the profile.
            .env("HOME", profile.path())
            .env("XDG_CONFIG_HOME", profile.path())
            .env("XDG_CACHE_HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver of Debian's chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .expect("the port of chromedriver");
        // What else it says is read, or it would stand still once the pipe is full.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--disable-crash-reporter",
            "--disable-breakpad",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let mut options = json!({"args": args});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut browser = Self {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            pid: None,
            _profile: profile,
        };
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": options,
        }}});
        let begun = browser.send("POST", "/session", &wanted).await;
        browser.session = format!("/session/{}", begun["sessionId"].as_str().unwrap());
        let pid = begun["capabilities"]["goog:processID"].as_i64().expect("the browser's id");
        browser.pid = Pid::from_raw(pid.try_into().unwrap());
        let watch = json!({
            "cmd": "Page.addScriptToEvaluateOnNewDocument",
            "params": {"source": WATCH},
        });
        browser.command("goog/cdp/execute", watch).await;
        browser
    }

    /// Ends the session from a destructor, which cannot await.
    fn end_session(&self) -> std::io::Result<()> {
        let mut stream = std::net::TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(END_WITHIN))?;
        write!(
            stream,
            "DELETE {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
            self.session
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        if status.ends_with(b" 200") {
            Ok(())
        } else {
            Err(std::io::Error::other(String::from_utf8_lossy(&status).into_owned()))
        }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = Raw { bytes: Vec::new(), error: None };
        // The driver keeps the connection open.
        while !answer.is_whole() {
            let read = within("the driver", stream.read_buf(&mut answer.bytes)).await.unwrap();
            assert!(read > 0, "{path}: {}", String::from_utf8_lossy(&answer.bytes));
        }
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        answer.json()["value"].clone()
    }

    /// Sends a command of the session.
    pub(super) async fn command(&self, name: &str, body: Value) -> Value {
        self.send("POST", &format!("{}/{name}", self.session), &body).await
    }

    /// Returns a property of the session, such as the handle of its window.
    pub(super) async fn property(&self, name: &str) -> Value {
        self.send("GET", &format!("{}/{name}", self.session), &json!({})).await
    }

    /// Goes to a page of the server.
    pub(super) async fn go(&self, served: &Served, target: &str) {
        self.go_by(served.address, target).await;
    }

    /// Goes to a page by another address that leads to the server.
    pub(super) async fn go_by(&self, address: SocketAddr, target: &str) {
        self.command("url", json!({"url": format!("http://{address}{target}")})).await;
    }

    /// Runs a script in the page and returns its result.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({"script": script, "args": []})).await
    }

    /// Presses and releases a key.
    pub(super) async fn press(&self, key: &str) {
        let keys = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": keys}]});
        self.command("actions", actions).await;
    }

    /// Waits until a script gives true.
    pub(super) async fn until(&self, what: &str, script: &str) {
        eventually(what, async || self.run(script).await.as_bool().filter(|is| *is)).await;
    }

    /// Waits until the page's stream is open.
    pub(super) async fn until_live(&self) {
        let script = "return document.querySelector('#live').dataset.state === 'on'";
        self.until("an open stream", script).await;
    }

    /// What the console has said: errors, and what the policy has blocked.
    pub(super) async fn console(&self) -> Value {
        self.send("POST", &format!("{}/se/log", self.session), &json!({"type": "browser"})).await
    }
}
