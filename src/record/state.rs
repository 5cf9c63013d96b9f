//! What the recorder knows of each address, and what follows from an answer: whether it is news.

use std::collections::HashMap;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::line::Line;
use crate::event::Time;
use crate::fetch::{Answer, Failure, FailureKind, Fetched, Validators};
use crate::redact::redact;

/// What an address answered last, and the last body it gave.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Of the last answer: what counts of it.
    mark: u128,
    /// The segment in which it was written.
    segment: u64,
    /// The last answer with a body: what a 304 stands for.
    whole: Option<Whole>,
}

/// An answer with a body.
#[derive(Debug, Clone)]
struct Whole {
    line: Line,
    hash: u128,
}

/// An answer to one request.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) label: String,
    pub(super) at: Time,
    /// Redirects led to another address.
    pub(super) elsewhere: bool,
    /// The request was conditional.
    pub(super) conditional: bool,
    pub(super) what: What,
}

/// What came.
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

/// A line to be written, and the body it names.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) line: Line,
    pub(super) body: Option<Body>,
}

/// A body that a line names. Without bytes it has been written before.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) hash: u128,
    pub(super) bytes: Option<Bytes>,
}

/// What is known of all addresses of one provider.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<String, Known>);

impl Addresses {
    /// Whether a 304 from this address would say something.
    pub(super) fn knows_body(&self, label: &str) -> bool {
        self.0.get(label).is_some_and(|known| known.whole.is_some())
    }

    /// What could not be written is not known any more: the next answer is news.
    pub(super) fn forget(&mut self, label: &str) {
        self.0.remove(label);
    }

    /// Takes an answer over. The line for it where it is news, or was last written in a segment
    /// other than `segment`.
    pub(super) fn take(&mut self, seen: Seen, segment: u64) -> Option<Written> {
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
        Some(Written { line, body })
    }

    /// Takes over a line that was written by another process, so that a 304 to it says something.
    pub(super) fn restore(&mut self, label: String, line: &Line) {
        let Some(hash) = line.body.as_deref().and_then(super::body::hash_in) else { return };
        let mut line = line.clone();
        (line.at, line.poll, line.body, line.source, line.provider, line.url) =
            (None, None, None, None, None, None);
        self.0.entry(label).or_default().whole = Some(Whole { line, hash });
    }
}

impl Whole {
    /// Whether a request could be conditional.
    const fn validates(&self) -> bool {
        self.line.etag.is_some() || self.line.last_modified.is_some()
    }

    /// Of what counts: validators alone are no news, some servers make new ones for each answer.
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

/// The HTTP status of a failure that is one: its message begins with it.
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
