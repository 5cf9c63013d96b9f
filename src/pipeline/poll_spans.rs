//! A span for each poll, by what the client sees of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::fetch::{Failure, FailureKind, Fetched, Polled, Request, Tap};
use crate::trace::{Span, Tracer, Value};

/// Sees requests for the tracer, and passes everything on to another tap.
pub(super) struct PollSpans {
    tracer: Tracer,
    next: Option<Arc<dyn Tap>>,
    /// Polls that have begun, by provider: at most one each.
    begun: Mutex<HashMap<String, Begun>>,
}

/// A poll that has not ended.
struct Begun {
    at: Instant,
    requests: u64,
    bytes: u64,
    /// The status of the last answer, as far as it is known.
    status: Option<u64>,
    /// The kind of the last failure.
    failure: Option<FailureKind>,
}

impl PollSpans {
    pub(super) fn new(tracer: Tracer, next: Option<Arc<dyn Tap>>) -> Self {
        Self { tracer, next, begun: Mutex::default() }
    }

    fn with(&self, provider: &str, change: impl FnOnce(&mut Begun)) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poll) = begun.get_mut(provider) {
            change(poll);
        }
    }
}

impl Tap for PollSpans {
    fn began(&self, provider: &str) {
        let poll = Begun { at: Instant::now(), requests: 0, bytes: 0, status: None, failure: None };
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.insert(provider.to_owned(), poll);
        drop(begun);
        if let Some(next) = &self.next {
            next.began(provider);
        }
    }

    fn answer(&self, request: &Request<'_>) -> Option<Result<Fetched, Failure>> {
        self.next.as_ref()?.answer(request)
    }

    fn needs_body(&self, request: &Request<'_>) -> bool {
        self.next.as_ref().is_some_and(|next| next.needs_body(request))
    }

    fn came(&self, request: &Request<'_>, result: &Result<Fetched, Failure>) {
        if let Some(provider) = request.provider {
            self.with(provider, |poll| {
                poll.requests += 1;
                (poll.status, poll.failure) = match result {
                    Ok(Fetched::Body(answer)) => {
                        poll.bytes += answer.document.body.len() as u64;
                        (Some(200), None)
                    }
                    Ok(Fetched::NotModified { .. }) => (Some(304), None),
                    Err(failure) => (status(failure.kind), Some(failure.kind)),
                };
            });
        }
        if let Some(next) = &self.next {
            next.came(request, result);
        }
    }

    fn ended(&self, provider: &str, poll: Polled<'_>) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(provider);
        if let Some(begun) = begun {
            self.tracer.record(|| span(provider, &begun, poll));
        }
        if let Some(next) = &self.next {
            next.ended(provider, poll);
        }
    }
}

fn span(provider: &str, begun: &Begun, poll: Polled<'_>) -> Span {
    let (outcome, source) = match poll {
        Polled::Unchanged => ("unchanged", None),
        Polled::Read { source, .. } => ("read", Some(source)),
        Polled::Failed => ("failed", None),
    };
    let failed = poll == Polled::Failed;
    let mut attributes: Vec<(&'static str, Value)> = vec![
        ("statuswatch.provider", provider.into()),
        ("statuswatch.outcome", outcome.into()),
        ("statuswatch.requests", begun.requests.into()),
        ("statuswatch.bytes", begun.bytes.into()),
    ];
    attributes.extend(source.map(|source| ("statuswatch.source", source.into())));
    attributes.extend(begun.status.map(|code| ("http.response.status_code", code.into())));
    if failed {
        // Every answer was good: what it holds was not.
        let kind = begun.failure.and_then(|kind| serde_json::to_value(kind).ok());
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("document");
        attributes.push(("error.type", kind.into()));
    }
    Span { name: "poll", remote: true, begun: begun.at, ended: Instant::now(), failed, attributes }
}

/// The status behind a failure that has but one.
const fn status(kind: FailureKind) -> Option<u64> {
    match kind {
        FailureKind::Unauthorized => Some(401),
        FailureKind::Forbidden => Some(403),
        FailureKind::NotFound => Some(404),
        FailureKind::Gone => Some(410),
        FailureKind::RateLimited => Some(429),
        _ => None,
    }
}
