//! Decides how a request is answered: the document, its validators, and the active fault.

use bytes::Bytes;
use chrono::DateTime;

use statuswatch_model::event::{Impact, Time};

use super::bodies;
use super::fault::{Behaviour, Etag, Fault, RetryAfter};
use super::head::Head;
use super::inner::{Inner, Validators};
use super::platform::Document;
use super::provider::Provider;
use super::state::{Opening, State};
use super::validators::{http_date, is_unchanged, validate};

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Body,
    pub(super) wire_fault: WireFault,
    pub(super) keep_alive: bool,
    pub(super) silent_close: bool,
    pub(super) delay: std::time::Duration,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Body {
    /// These bytes.
    Bytes(Bytes),
    /// This many filler bytes.
    Filler(u64),
}

/// How the answer is written to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireFault {
    /// According to HTTP.
    Proper,
    /// See [`Fault`] for each of these.
    SlowHeaders(std::time::Duration),
    SlowBody(std::time::Duration),
    Hang,
    Reset,
    Truncated,
    CutChunked,
    CutAt(usize),
    WrongLength,
    Garbage,
    /// Resets the connection without an answer.
    Refuse,
}

impl Answer {
    /// Creates an HTML page with a status.
    pub(super) fn page(status: u16, title: &str) -> Self {
        let mut answer = Self::new(status, Body::Bytes(bodies::page(title)));
        answer.header("Content-Type", "text/html; charset=utf-8");
        answer
    }

    fn new(status: u16, body: Body) -> Self {
        let delay = std::time::Duration::ZERO;
        Self {
            status,
            headers: Vec::new(),
            body,
            wire_fault: WireFault::Proper,
            keep_alive: true,
            silent_close: false,
            delay,
        }
    }

    fn header(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.headers.push((name.to_owned(), value.into()));
    }
}

/// Returns the answer of `provider` to a request for `path` below its root; `root` is the prefix of
/// its paths on this server.
pub(super) fn answer(provider: &Provider, root: &str, path: &str, head: &Head) -> Answer {
    let now = provider.now();
    let mut inner = provider.lock();
    let fault = inner.take_fault(path, &head.target);
    let behaviour = inner.behaviour.clone();
    let mut answer = if head.method == "GET" || head.method == "HEAD" {
        decide(&mut inner, fault, root, path, head, now)
    } else {
        Answer::page(405, "Method Not Allowed")
    };
    answer.headers.extend(behaviour.headers.iter().cloned());
    if let Some(value) = &behaviour.cache_control {
        answer.header("Cache-Control", value.as_str());
    }
    answer.keep_alive = behaviour.keep_alive;
    answer.silent_close = behaviour.silent_close;
    answer.delay = behaviour.delay;
    answer.header("Date", http_date(now));
    answer
}

fn decide(
    inner: &mut Inner,
    fault: Option<Fault>,
    root: &str,
    path: &str,
    head: &Head,
    now: Time,
) -> Answer {
    let Some(fault) = fault else {
        return plain(inner, None, path, head, now);
    };
    match fault {
        Fault::Status(code, retry_after) => {
            let mut answer = Answer::page(code, &format!("Error {code}"));
            match retry_after {
                Some(RetryAfter::Seconds(seconds)) => {
                    answer.header("Retry-After", seconds.to_string());
                }
                Some(RetryAfter::Date(date)) => answer.header("Retry-After", http_date(date)),
                None => {}
            }
            answer
        }
        Fault::NotFoundOn(_) => Answer::page(404, "Not Found"),
        Fault::Html => Answer::page(200, "All Systems Operational"),
        Fault::Empty => {
            let mut answer = Answer::new(200, Body::Bytes(Bytes::new()));
            answer.header("Content-Type", "application/json; charset=utf-8");
            answer
        }
        Fault::Redirect { to, code } => {
            let mut answer = Answer::page(code, "Moved");
            answer.header("Location", to);
            answer
        }
        Fault::RedirectLoop => {
            inner.hops += 1;
            let mut answer = Answer::page(302, "Moved");
            answer.header("Location", format!("{root}{path}?hop={}", inner.hops));
            answer
        }
        Fault::GzipBomb(size) => {
            let mut answer = Answer::new(200, Body::Bytes(bodies::gzip_bomb(size)));
            answer.header("Content-Type", "application/json; charset=utf-8");
            answer.header("Content-Encoding", "gzip");
            answer
        }
        Fault::Huge(size) => {
            let mut answer = Answer::new(200, Body::Filler(size));
            answer.header("Content-Type", "application/json; charset=utf-8");
            answer
        }
        Fault::DeepJson(depth) => {
            let mut answer = Answer::new(200, Body::Bytes(bodies::deep_json(depth)));
            answer.header("Content-Type", "application/json; charset=utf-8");
            answer
        }
        Fault::Unexpected304 => {
            let mut answer = plain(inner, None, path, head, now);
            answer.status = 304;
            answer.body = Body::Bytes(Bytes::new());
            answer
        }
        Fault::Always304 => {
            let conditional =
                head.header("If-None-Match").or(head.header("If-Modified-Since")).is_some();
            let mut answer = plain(inner, None, path, head, now);
            if conditional {
                answer.status = 304;
                answer.body = Body::Bytes(Bytes::new());
            }
            answer
        }
        Fault::Stale => {
            let state = inner.previous.clone();
            plain(inner, state.as_ref(), path, head, now)
        }
        Fault::WrongTenant => {
            let state = stranger(now);
            plain(inner, Some(&state), path, head, now)
        }
        Fault::ManyItems(count) => {
            let mut state = inner.state.clone();
            state.window = Some(usize::MAX);
            for number in 0..count {
                let title = format!("Problem {number}");
                let opening = Opening {
                    title: &title,
                    impact: Impact::Minor,
                    components: &[],
                    text: "We are looking into it.",
                };
                state.open(now, &opening);
            }
            plain(inner, Some(&state), path, head, now)
        }
        Fault::Garbage => wire_fault(WireFault::Garbage),
        Fault::Hang => wire_fault(WireFault::Hang),
        Fault::Closed => wire_fault(WireFault::Refuse),
        // The remaining faults send the present document, complete or not, whatever the client has
        // cached.
        Fault::SlowHeaders(_)
        | Fault::SlowBody(_)
        | Fault::Reset
        | Fault::Truncated
        | Fault::CutChunked
        | Fault::CutAt(_)
        | Fault::WrongLength
        | Fault::BrokenGzip
        | Fault::WrongCharset(_)
        | Fault::ManyHeaders(_)
        | Fault::UnchangedValidatorsChangedBody
        | Fault::NoValidators => altered(inner, &fault, path, head, now),
    }
}

/// Returns the present document, never as a 304, altered by the fault.
fn altered(inner: &mut Inner, fault: &Fault, path: &str, head: &Head, now: Time) -> Answer {
    let Some(mut document) = inner.document(path) else {
        return Answer::page(404, "Not Found");
    };
    let mut behaviour = inner.behaviour.clone();
    behaviour.not_modified = false;
    behaviour.gzip = behaviour.gzip && matches!(fault, Fault::NoValidators | Fault::ManyHeaders(_));
    if let Fault::WrongCharset(charset) = fault {
        (document.content_type, document.body) =
            bodies::transcode(&document.body, &document.content_type, *charset);
    }
    let known = inner.validators.get(path).cloned();
    let mut validators = validate(inner, path, &document, now);
    if *fault == Fault::UnchangedValidatorsChangedBody
        && let Some(known) = known
    {
        validators = known;
        inner.validators.insert(path.to_owned(), validators.clone());
    }
    if *fault == Fault::NoValidators {
        behaviour.etag = Etag::Off;
        behaviour.last_modified = false;
    }
    let mut answer = respond(&behaviour, &document, &validators, head);
    match fault {
        Fault::SlowHeaders(step) => answer.wire_fault = WireFault::SlowHeaders(*step),
        Fault::SlowBody(step) => answer.wire_fault = WireFault::SlowBody(*step),
        Fault::Reset => answer.wire_fault = WireFault::Reset,
        Fault::Truncated => answer.wire_fault = WireFault::Truncated,
        Fault::CutChunked => answer.wire_fault = WireFault::CutChunked,
        Fault::CutAt(length) => answer.wire_fault = WireFault::CutAt(*length),
        Fault::WrongLength => answer.wire_fault = WireFault::WrongLength,
        Fault::BrokenGzip => {
            answer.body = Body::Bytes(bodies::broken_gzip(&document.body));
            answer.header("Content-Encoding", "gzip");
        }
        Fault::ManyHeaders(count) => {
            (0..*count).for_each(|number| answer.header(&format!("X-Filler-{number}"), "filler"));
        }
        _ => {}
    }
    answer
}

/// Returns the correct answer for `state`, or for the present state.
fn plain(inner: &mut Inner, state: Option<&State>, path: &str, head: &Head, now: Time) -> Answer {
    if inner.html {
        return Answer::page(200, "Welcome");
    }
    let document = match state {
        Some(state) => inner.platform.documents(state).remove(path),
        None => inner.document(path),
    };
    let Some(document) = document else {
        return Answer::page(404, "Not Found");
    };
    let validators = validate(inner, path, &document, now);
    respond(&inner.behaviour, &document, &validators, head)
}

fn respond(
    behaviour: &Behaviour,
    document: &Document,
    validators: &Validators,
    head: &Head,
) -> Answer {
    let compress = behaviour.gzip && accepts_gzip(head);
    let etag = match &behaviour.etag {
        Etag::Off => None,
        Etag::Weak => Some(format!("W/\"{:016x}\"", validators.hash).into_bytes()),
        // A strong validator identifies one representation, so the compressed one has its own.
        Etag::Strong => Some(
            format!("\"{:016x}{}\"", validators.hash, if compress { "-gzip" } else { "" })
                .into_bytes(),
        ),
        Etag::Exact(bytes) => Some(bytes.clone()),
    };
    let modified = behaviour
        .last_modified
        .then(|| DateTime::from_timestamp(validators.modified, 0).map(http_date))
        .flatten();
    let unchanged =
        behaviour.not_modified && is_unchanged(head, etag.as_deref(), modified.as_deref());
    let body = match (unchanged, compress) {
        (true, _) => Bytes::new(),
        (false, true) => bodies::gzip(&document.body),
        (false, false) => document.body.clone(),
    };
    let mut answer = Answer::new(if unchanged { 304 } else { 200 }, Body::Bytes(body));
    if !unchanged {
        answer.header("Content-Type", document.content_type.as_str());
        if compress {
            answer.header("Content-Encoding", "gzip");
        }
    }
    if behaviour.gzip {
        answer.header("Vary", "Accept-Encoding");
    }
    if let Some(etag) = etag {
        answer.header("ETag", etag);
    }
    if let Some(modified) = modified {
        answer.header("Last-Modified", modified);
    }
    answer
}

fn accepts_gzip(head: &Head) -> bool {
    let asked = head
        .header("Accept-Encoding")
        .map(String::from_utf8_lossy)
        .unwrap_or_default()
        .to_ascii_lowercase();
    asked.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        matches!(name.trim(), "gzip" | "*")
            && weight.trim().trim_start_matches("q=").parse() != Ok(0.0_f32)
    })
}

/// Returns the page of another customer of the same platform.
fn stranger(now: Time) -> State {
    let mut state = State::new(
        "osprey-freight",
        "Osprey Freight",
        &["Bookings", "Tracking"],
        now - chrono::Duration::days(1),
    );
    let text = "Bookings from the north terminal arrive late.";
    let components = &["Bookings"];
    let opening = Opening { title: "Late bookings", impact: Impact::Major, components, text };
    state.open(now - chrono::Duration::hours(3), &opening);
    state
}

fn wire_fault(wire_fault: WireFault) -> Answer {
    let mut answer = Answer::new(200, Body::Bytes(Bytes::new()));
    answer.wire_fault = wire_fault;
    answer
}
