//! What the recorder knows about each address, and whether a response is new.

use std::collections::HashMap;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::line::Line;
use crate::event::Time;
use crate::fetch::{Answer, Failure, FailureKind, Fetched, Validators};
use crate::redact::redact;

/// The last response of an address, and its last body.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Hash of the relevant parts of the last response.
    mark: u128,
    /// The segment in which it was written.
    segment: u64,
    /// The last response with a body, which a 304 refers to.
    whole: Option<Whole>,
}

/// A response with a body.
#[derive(Debug, Clone)]
struct Whole {
    line: Line,
    hash: u128,
}

/// The response to one request.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) label: String,
    pub(super) at: Time,
    /// Whether redirects led to another address.
    pub(super) elsewhere: bool,
    /// Whether the request was conditional.
    pub(super) conditional: bool,
    pub(super) what: What,
}

/// The kind of response.
#[derive(Debug)]
pub(super) enum What {
    Body(Box<Answer>),
    NotModified(Option<Validators>),
    Failed(Failure),
}

impl What {
    pub(super) fn of(result: &Result<Fetched, Failure>) -> Self {
        match result {
            Ok(Fetched::Body(answer)) => Self::Body(answer.clone()),
            Ok(Fetched::NotModified { validators, .. }) => Self::NotModified(validators.clone()),
            Err(failure) => Self::Failed(failure.clone()),
        }
    }
}

/// A line to be written, and the body that it names.
#[derive(Debug)]
pub(super) struct IndexedLine {
    pub(super) line: Line,
    pub(super) body: Option<Body>,
}

/// A body that a line names. Without bytes if it has been written before.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) hash: u128,
    pub(super) bytes: Option<Bytes>,
}

/// What is known about all addresses of one provider.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<String, Known>);

impl Addresses {
    /// Returns whether a 304 from this address would be meaningful.
    pub(super) fn knows_body(&self, label: &str) -> bool {
        self.0.get(label).is_some_and(|known| known.whole.is_some())
    }

    /// What could not be written is forgotten, so the next response counts as new.
    pub(super) fn forget(&mut self, label: &str) {
        self.0.remove(label);
    }

    /// Stores a response. Returns its line if it is new, or if it was last written in a segment
    /// other than `segment`.
    pub(super) fn take(&mut self, seen: Seen, segment: u64) -> Option<IndexedLine> {
        let Seen { label, at, elsewhere, conditional, what } = seen;
        let known = self.0.entry(label).or_default();
        let (mark, mut line, body) = match what {
            What::Body(answer) => {
                let mut line = of_answer(&answer, elsewhere);
                let whole = Whole { hash: answer.body_hash, line: line.clone() };
                line.in_full = !conditional && known.whole.as_ref().is_some_and(Whole::validates);
                let mark = whole.mark();
                let bytes = Some(answer.document.body.clone());
                let body = Body { hash: answer.body_hash, bytes };
                known.whole = Some(whole);
                (mark, line, Some(body))
            }
            What::NotModified(carried) => {
                let whole = known.whole.as_mut()?;
                if let Some(Validators { etag, last_modified }) = carried {
                    whole.line.etag = etag.or(whole.line.etag.take());
                    whole.line.last_modified = last_modified.or(whole.line.last_modified.take());
                }
                let body = Body { hash: whole.hash, bytes: None };
                (whole.mark(), whole.line.clone(), Some(body))
            }
            What::Failed(failure) => {
                let line = of_failure(&failure);
                (mark(&[&line.text()]), line, None)
            }
        };
        if known.mark == mark && known.segment == segment {
            return None;
        }
        (known.mark, known.segment) = (mark, segment);
        line.at = Some(at);
        Some(IndexedLine { line, body })
    }

    /// Loads a line that an earlier process wrote, so that a 304 to it is meaningful.
    pub(super) fn restore(&mut self, label: String, line: &Line) {
        let Some(hash) = line.body.as_deref().and_then(super::body::hash_in) else { return };
        let mut line = line.clone();
        (line.at, line.poll, line.body, line.source, line.provider, line.url) =
            (None, None, None, None, None, None);
        self.0.entry(label).or_default().whole = Some(Whole { line, hash });
    }
}

impl Whole {
    /// Returns whether a request could be conditional.
    const fn validates(&self) -> bool {
        self.line.etag.is_some() || self.line.last_modified.is_some()
    }

    /// Hashes the relevant parts. Validators alone are not: some servers generate new ones for each
    /// response.
    fn mark(&self) -> u128 {
        let Line { content_type, final_url, moved_to, .. } = &self.line;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        mark(&[
            &format!("{:032x}", self.hash),
            &text(content_type),
            &text(final_url),
            &text(moved_to),
        ])
    }
}

fn mark(parts: &[&str]) -> u128 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.digest128()
}

fn of_answer(answer: &Answer, elsewhere: bool) -> Line {
    let Answer { document, validators, max_age, moved_to, .. } = answer;
    Line {
        status: Some(200),
        content_type: document.content_type.clone(),
        etag: validators.etag.clone(),
        last_modified: validators.last_modified.clone(),
        max_age: max_age.map(|age| age.as_secs()),
        final_url: elsewhere.then(|| redact(&document.url)),
        moved_to: moved_to.as_ref().map(redact),
        ..Line::default()
    }
}

fn of_failure(failure: &Failure) -> Line {
    Line {
        status: status(failure),
        failure: Some(failure.kind),
        message: Some(failure.message.clone()),
        retry_after: failure.retry_after.map(|wait| wait.as_secs_f64()),
        ..Line::default()
    }
}

/// Returns the HTTP status of a failure whose message begins with one.
fn status(failure: &Failure) -> Option<u16> {
    use FailureKind::{
        Challenge, Forbidden, Gone, NotFound, RateLimited, ServerError, Status, Unauthorized,
    };
    let by_status = matches!(
        failure.kind,
        Challenge | Forbidden | Gone | NotFound | RateLimited | ServerError | Status | Unauthorized
    );
    let first = failure.message.split([' ', ':']).next().filter(|_| by_status)?;
    first.parse().ok().filter(|code| (100..600).contains(code))
}
