//! A receiver of messages that misbehaves on demand.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a receiver does with a request once it has read all of it.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with a status, header fields and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection without an answer: it has the message, the sender cannot know.
    Lost,
    /// Never answers.
    Hang,
    /// Accepts the message after this time.
    Late(Duration),
}

impl Reply {
    /// A status with an empty body.
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    /// 200 with a body.
    pub(crate) fn ok(body: &str) -> Self {
        Self::Answer(200, Vec::new(), body.to_owned())
    }
}

/// A request that was received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    /// The status of the answer; 0: none.
    pub(crate) status: u16,
    pub(crate) at: Instant,
}

impl Received {
    /// The idempotency key of a webhook.
    pub(crate) fn key(&self) -> String {
        self.headers.get("webhook-id").cloned().unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// Replies to the next requests of a path.
    script: HashMap<String, VecDeque<Reply>>,
    /// Replies to all further ones.
    always: HashMap<String, Reply>,
}

/// A receiver on loopback, running until the test ends.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { url, state }
    }

    /// Replies to the next requests of `path`.
    pub(crate) fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().script.entry(path.to_owned()).or_default().extend(replies);
    }

    /// Replies to all requests of `path` from now on.
    pub(crate) fn always(&self, path: &str, reply: Reply) {
        self.state.lock().unwrap().always.insert(path.to_owned(), reply);
    }

    /// What was received at `path`, in order.
    pub(crate) fn at(&self, path: &str) -> Vec<Received> {
        let state = self.state.lock().unwrap();
        state.received.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// Like [`Self::at`], what was answered with 200 alone.
    pub(crate) fn accepted(&self, path: &str) -> Vec<Received> {
        self.at(path).into_iter().filter(|one| one.status == 200).collect()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let reply = {
            let mut state = state.lock().unwrap();
            let scripted = state.script.get_mut(&path).and_then(VecDeque::pop_front);
            let always = state.always.get(&path).cloned();
            let reply = scripted.or(always).unwrap_or_else(|| Reply::ok("ok"));
            let status = match reply {
                Reply::Answer(status, ..) => status,
                Reply::Late(_) => 200,
                Reply::Lost | Reply::Hang => 0,
            };
            state.received.push(Received {
                path: path.clone(),
                headers,
                body: String::from_utf8(body).unwrap(),
                status,
                at: Instant::now(),
            });
            reply
        };
        let reply = match reply {
            Reply::Late(delay) => {
                std::thread::sleep(delay);
                Reply::ok("ok")
            }
            reply => reply,
        };
        match reply {
            Reply::Late(_) | Reply::Lost => return,
            Reply::Hang => {
                // Until the other side gives up.
                let mut rest = Vec::new();
                drop(reader.read_to_end(&mut rest));
                return;
            }
            Reply::Answer(status, headers, body) => {
                let mut answer =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    answer.push_str(&[name, ": ", &value, "\r\n"].concat());
                }
                answer.push_str("\r\n");
                answer.push_str(&body);
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}
