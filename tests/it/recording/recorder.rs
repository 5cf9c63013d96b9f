//! The recorder itself: what counts as a change, segments, and limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use statuswatch::config::{Filter, Provider, Recording, Settings};
use statuswatch::document::Document;
use statuswatch::fetch::{
    Answer, Failure, FailureKind, Fetched, Polled, Request, Tap as _, Validators,
};
use statuswatch::record::{Entry, Reader, Recorder};
use url::Url;

fn provider(url: &str) -> Arc<Provider> {
    Arc::new(Provider {
        id: "acme".to_owned(),
        name: "Acme".to_owned(),
        url: url.parse().unwrap(),
        source: Some("statuspage".to_owned()),
        url_written: true,
        settings: Settings::default(),
        filter: Filter::default(),
        json: None,
    })
}

struct Tape {
    recorder: Arc<Recorder>,
    url: Url,
    validators: Validators,
}

impl Tape {
    fn start(dir: &Path, max: u64) -> Self {
        let options = Recording { dir: dir.to_owned(), keep: Duration::from_hours(24), max };
        let provider = provider("https://status.acme.example/api/v2/summary.json");
        Self {
            recorder: Recorder::start(&options, std::slice::from_ref(&provider)),
            url: provider.url.clone(),
            validators: Validators { etag: Some("\"1\"".to_owned()), last_modified: None },
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            url: &self.url,
            provider: Some("acme"),
            accept: "application/json",
            validators: Some(&self.validators),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            max_body: 1 << 20,
            allow_private: false,
            pace: Duration::ZERO,
            max_wait: Duration::from_hours(1),
            written: true,
        }
    }

    fn poll(&self, result: &Result<Fetched, Failure>) {
        let polled = match result {
            Ok(Fetched::Body(_)) => Polled::Read { source: "statuspage", document: &self.url },
            Ok(Fetched::NotModified { .. }) => Polled::Unchanged,
            Err(_) => Polled::Failed,
        };
        self.recorder.began("acme");
        self.recorder.came(&self.request(), result);
        self.recorder.ended("acme", polled);
    }

    fn body(&self, body: impl Into<Bytes>, etag: &str) {
        let body = body.into();
        let validators = Validators { etag: Some(etag.to_owned()), last_modified: None };
        self.poll(&Ok(Fetched::Body(Box::new(Answer {
            body_hash: xxhash_rust::xxh3::xxh3_128(&body),
            document: Document::new(self.url.clone(), Some("application/json"), body),
            validators,
            max_age: None,
            moved_to: None,
        }))));
    }

    fn unchanged(&self) {
        self.poll(&Ok(Fetched::NotModified { validators: None, max_age: None }));
    }

    fn finish(self) {
        self.recorder.finish(Duration::from_mins(1));
    }
}

/// Returns each entry in one word.
fn entries(dir: &Path) -> Vec<String> {
    let mut reader = Reader::open(dir).unwrap();
    let mut out = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        out.push(match entry {
            Entry::Begin(_) => "begin".to_owned(),
            Entry::Declared(entry) => format!("entry {}", entry["id"]),
            Entry::Poll(poll) if poll.answers.is_empty() => "again".to_owned(),
            Entry::Poll(poll) => {
                let answers = poll.answers.iter().map(|line| match (&line.body, line.status) {
                    (Some(_), _) => "body".to_owned(),
                    (None, Some(status)) => status.to_string(),
                    (None, None) => format!("{:?}", line.failure.unwrap()),
                });
                answers.collect::<Vec<_>>().join(" ")
            }
            Entry::Unchanged { polls, .. } => format!("unchanged {polls}"),
            Entry::End(_) => "end".to_owned(),
        });
    }
    assert_eq!(reader.take_warnings(), [""; 0]);
    out
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn only_what_changed_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let tape = Tape::start(dir.path(), 1 << 30);
    assert!(tape.recorder.needs_body(&tape.request()), "nothing is known of it yet");
    tape.body("{\"a\": 1}", "\"1\"");
    assert!(!tape.recorder.needs_body(&tape.request()));
    for _ in 0..17 {
        tape.unchanged();
    }
    // Read again, as in a second attempt. A new validator alone is not a change.
    tape.body("{\"a\": 1}", "\"2\"");
    tape.body("{\"a\": 2}", "\"3\"");
    for _ in 0..2 {
        tape.poll(&Err(Failure::new(FailureKind::ServerError, "503 Service Unavailable")));
    }
    tape.poll(&Err(Failure::new(FailureKind::Timeout, "no response within 10s")));
    // Recovered, and unchanged from before the failure.
    tape.unchanged();
    tape.unchanged();
    tape.finish();
    assert_eq!(
        entries(dir.path()),
        [
            "begin",
            "entry \"acme\"",
            "body",
            "unchanged 17",
            "again",
            "body",
            "503",
            "again",
            "Timeout",
            "body",
            "unchanged 1",
            "end"
        ]
    );
    let bodies = segments(dir.path())[0].join("bodies");
    assert_eq!(std::fs::read_dir(bodies).unwrap().count(), 2, "each body once");
}

#[test]
fn a_poll_that_was_not_finished_is_not_mixed_with_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let tape = Tape::start(dir.path(), 1 << 30);
    tape.recorder.began("acme");
    let failed = Err(Failure::new(FailureKind::Timeout, "no answer"));
    tape.recorder.came(&tape.request(), &failed);
    tape.body("{}", "\"1\"");
    tape.finish();
    assert_eq!(entries(dir.path()), ["begin", "entry \"acme\"", "body", "end"]);
}

#[test]
fn it_stays_within_its_bounds_and_each_segment_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let max = 2 << 20;
    let tape = Tape::start(dir.path(), max);
    let mut rng = fastrand::Rng::with_seed(7);
    for round in 0..200 {
        let noise: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(60_000).collect();
        tape.body(noise, &format!("\"{round}\""));
        tape.unchanged();
    }
    tape.finish();
    let size = |path: &Path| -> u64 {
        let bodies = std::fs::read_dir(path.join("bodies")).unwrap();
        bodies.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    };
    let segments = segments(dir.path());
    let total: u64 = segments.iter().map(|path| size(path)).sum();
    assert!(total <= max, "{total} bytes");
    assert!(total > max / 3, "{total} bytes: most of what was allowed is gone");
    assert!(segments.len() > 3, "{segments:?}");
    for segment in &segments {
        let entries = entries(segment);
        assert!(entries.iter().any(|entry| entry == "entry \"acme\""), "{entries:?}");
        assert!(entries.iter().any(|entry| entry == "body"), "{entries:?}");
    }
}

#[test]
fn what_is_unchanged_is_written_once_more_in_the_next_segment() {
    let dir = tempfile::tempdir().unwrap();
    for run in 0..3 {
        let tape = Tape::start(dir.path(), 1 << 30);
        if run == 0 {
            tape.body("{\"a\": 1}", "\"1\"");
        }
        assert!(!tape.recorder.needs_body(&tape.request()), "run {run}: known from before");
        tape.unchanged();
        tape.finish();
    }
    let segments = segments(dir.path());
    assert_eq!(segments.len(), 3);
    std::fs::remove_dir_all(&segments[0]).unwrap();
    for segment in &segments[1..] {
        assert_eq!(entries(segment), ["begin", "entry \"acme\"", "body", "end"]);
        assert_eq!(std::fs::read_dir(segment.join("bodies")).unwrap().count(), 1);
    }
}

#[test]
fn a_missing_body_is_requested_again() {
    let dir = tempfile::tempdir().unwrap();
    let tape = Tape::start(dir.path(), 1 << 30);
    tape.body("{\"a\": 1}", "\"1\"");
    tape.finish();
    std::fs::remove_dir_all(segments(dir.path())[0].join("bodies")).unwrap();
    let tape = Tape::start(dir.path(), 1 << 30);
    tape.unchanged();
    let recorder = Arc::clone(&tape.recorder);
    tape.finish();
    assert_eq!(recorder.lost(), 1);
}

#[test]
fn a_secret_that_a_body_repeats_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let page = "https://status.acme.example/feed?token=S3CRET-t0ken-7f";
    let options =
        Recording { dir: dir.path().to_owned(), keep: Duration::from_hours(1), max: 1 << 20 };
    let recorder = Recorder::start(&options, &[provider(page)]);
    let tape = Tape { recorder, url: page.parse().unwrap(), validators: Validators::default() };
    tape.body("<link href='/feed?token=S3CRET-t0ken-7f'/>", "\"1\"");
    tape.finish();
    for (path, bytes) in super::files(dir.path()) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("S3CRET"), "{}: {text}", path.display());
    }
    assert_eq!(entries(dir.path()), ["begin", "entry \"acme\"", "body", "end"]);
}
