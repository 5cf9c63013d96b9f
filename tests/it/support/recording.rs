//! Recordings made by tests, and what a replay reports of them.
//!
//! What a page answered one after the other becomes a recording in a few lines:
//!
//! ```ignore
//! let recording = Recording::new("acme", "https://status.acme.example/")
//!     .answer("2026-03-01T12:00:00Z", "api/v2/summary.json", quiet)
//!     .answer("2026-03-01T12:05:00Z", "api/v2/summary.json", open);
//! assert_eq!(recording.reported(), ["incident i1 investigating …"]);
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};
use statuswatch::ledger::Query;
use statuswatch::replay::{Played, play};
use url::Url;

/// A recording of one provider, in a directory of its own.
pub(crate) struct Recording {
    dir: tempfile::TempDir,
    provider: String,
    page: Url,
    bodies: usize,
}

/// What a replay reported.
pub(crate) struct Replayed {
    pub(crate) events: Vec<Value>,
    pub(crate) played: Played,
}

/// The first moment where nobody says another.
const BEGIN: &str = "2026-03-01T12:00:00Z";

impl Recording {
    /// Of a provider whose page is at `page`, without an answer yet.
    pub(crate) fn new(provider: &str, page: &str) -> Self {
        Self::with(&json!({"id": provider, "name": provider, "url": page}))
    }

    /// Of a provider with this entry in `providers.yaml`.
    pub(crate) fn with(entry: &Value) -> Self {
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        let recording = Self {
            dir: tempfile::tempdir().unwrap(),
            provider: text("id"),
            page: text("url").parse().unwrap(),
            bodies: 0,
        };
        recording.line(&json!({"recording": 1}));
        recording.line(&json!({"entry": entry}));
        recording
    }

    /// A document answers with this body from `at` on; `path` is seen from the page.
    pub(crate) fn answer(self, at: &str, path: &str, body: &[u8]) -> Self {
        self.answer_with(at, path, body, &json!({}))
    }

    /// The same with further fields of the line, such as `etag` or `always_304`.
    pub(crate) fn answer_with(mut self, at: &str, path: &str, body: &[u8], more: &Value) -> Self {
        self.bodies += 1;
        let name = format!("{:03}", self.bodies);
        fs::write(self.dir.path().join(&name), body).unwrap();
        let mut line = self.of(at, path);
        line["body"] = name.into();
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.line(&line);
        self
    }

    /// A document answers with this status from `at` on.
    pub(crate) fn status(self, at: &str, path: &str, status: u16) -> Self {
        let mut line = self.of(at, path);
        line["status"] = status.into();
        self.line(&line);
        self
    }

    /// One more poll that is answered as the one before.
    pub(crate) fn again(self, at: &str) -> Self {
        self.line(&json!({"at": at, "provider": self.provider, "again": true}));
        self
    }

    /// A line of any kind.
    pub(crate) fn line(&self, line: &Value) {
        use std::io::Write;
        let path = self.path().join("index.jsonl");
        let mut index = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(index, "{line}").unwrap();
    }

    fn of(&self, at: &str, path: &str) -> Value {
        let url = self.page.join(path).unwrap();
        json!({"at": at, "provider": self.provider, "url": url.as_str()})
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A page at successive times: at each step paths and bodies, everything else is 404. Each step
    /// lasts a minute, in which it is polled `polls(step)` times.
    pub(crate) fn of_steps(
        provider: &str,
        first: &str,
        steps: &[Vec<(String, Vec<u8>)>],
        polls: impl Fn(usize) -> usize,
    ) -> Self {
        let page = format!("https://status.acme.example/{first}");
        let mut recording = Self::new(provider, &page);
        recording.page = "https://status.acme.example/".parse().unwrap();
        for (number, step) in steps.iter().enumerate() {
            let at = time(number, 0);
            if let Some(before) = number.checked_sub(1).map(|before| &steps[before]) {
                let gone =
                    before.iter().filter(|(path, _)| !step.iter().any(|(kept, _)| kept == path));
                for (path, _) in gone {
                    recording = recording.status(&at, path, 404);
                }
            }
            for (path, body) in step {
                recording = recording.answer(&at, path, body);
            }
            for poll in 1..polls(number) {
                recording = recording.again(&time(number, poll));
            }
        }
        recording
    }

    /// A folder as `tests/fixtures/cases` has them: what a page serves. `NAME.seq/NN` is the answer
    /// of NAME at one time after the other (the last one stands), `NAME.hdr` its headers. Where the
    /// folder holds `01.json`, `02.json`, … alone, they are what `first` answers, seen from
    /// `https://status.acme.example/`. Each time lasts a minute and is polled twice.
    pub(crate) fn of_case(folder: &Path, first: &str) -> Self {
        let mut answers: Vec<(String, usize, PathBuf)> = Vec::new();
        collect(folder, folder, &mut answers);
        let plain = answers.iter().all(|(path, ..)| {
            path.split('.').next().unwrap().parse::<usize>().is_ok() && !path.contains('/')
        });
        if plain {
            answers.sort();
            for (number, answer) in answers.iter_mut().enumerate() {
                (answer.0, answer.1) = (first.to_owned(), number);
            }
        }
        answers.sort_by_key(|(path, number, _)| (*number, path.clone()));
        let id = folder.file_name().unwrap().to_str().unwrap().to_lowercase();
        let page = format!("https://status.acme.example/{first}");
        let mut recording = Self::new(&id, &page);
        recording.page = "https://status.acme.example/".parse().unwrap();
        let last = answers.iter().map(|(_, number, _)| *number).max().unwrap_or(0);
        for step in 0..=last {
            let at = time(step, 0);
            for (path, _, file) in answers.iter().filter(|(_, number, _)| *number == step) {
                let (status, more) = headers(file);
                recording = match status {
                    200 => recording.answer_with(&at, path, &fs::read(file).unwrap(), &more),
                    status => recording.status(&at, path, status),
                };
            }
            recording = recording.again(&time(step, 1));
        }
        recording
    }

    /// Replays it.
    pub(crate) fn replay(&self) -> Replayed {
        replay(self.path())
    }
}

/// Replays the recording in `dir`.
pub(crate) fn replay(dir: &Path) -> Replayed {
    // It brings a runtime of its own, as the command does.
    let played =
        std::thread::scope(|scope| scope.spawn(|| play(dir, None, &mut |_| {})).join().unwrap());
    let played = played.unwrap_or_else(|error| panic!("{error}"));
    let events = played.events.events(&Query::default()).unwrap();
    let events = events.iter().map(|event| serde_json::from_str(&event.line).unwrap()).collect();
    Replayed { events, played }
}

/// A step's time, and within it that of one of its polls.
fn time(step: usize, poll: usize) -> String {
    let begin: DateTime<Utc> = BEGIN.parse().unwrap();
    let at = begin + Duration::minutes(step as i64) + Duration::seconds(15 * poll as i64);
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Each file with its path on the page, and at which time it is served.
fn collect(root: &Path, folder: &Path, into: &mut Vec<(String, usize, PathBuf)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let shown = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if file.is_dir() {
            collect(root, &file, into);
        } else if file.extension().is_none_or(|extension| extension != "hdr")
            && !shown.ends_with("README.md")
        {
            let (path, number) = match shown.split_once(".seq/") {
                Some((path, number)) => {
                    (path.to_owned(), number.split('.').next().unwrap().parse().unwrap())
                }
                None => (shown, 0),
            };
            into.push((path, number, file));
        }
    }
}

/// The status of a file, and what its headers say in the words of a line.
fn headers(file: &Path) -> (u16, Value) {
    let name = format!("{}.hdr", file.display());
    let text = fs::read_to_string(name).unwrap_or_else(|_| "{}".to_owned());
    let headers: Value = serde_json::from_str(&text).unwrap();
    let mut more = json!({});
    for (header, field) in [
        ("Content-Type", "type"),
        ("ETag", "etag"),
        ("Last-Modified", "last_modified"),
        (":always304", "always_304"),
    ] {
        if !headers[header].is_null() {
            more[field] = headers[header].clone();
        }
    }
    (headers[":status"].as_u64().unwrap_or(200) as u16, more)
}
