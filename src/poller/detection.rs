//! Source detection as part of a poll: finds which source reads a provider, and its first document.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use url::Url;

use super::admission::Permit;
use super::context::PollerContext;
use super::error::PollError;
use super::request::{following, request};
use crate::config::Provider;
use crate::document::Document;
use crate::fetch::{Answer, Failure, FailureKind, Fetched, Request};
use crate::source::{self, Source, detect};

/// Documents that detection has already fetched, by address.
type FetchedAnswers = Mutex<HashMap<Url, Answer>>;

/// Permits of documents waiting to be inspected: a host that falls silent in between costs the poll
/// its own permit.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<Permit>);

impl Held {
    fn weigh(&self, shared: &PollerContext, document: &Document) {
        shared.admission.weigh(&mut lock(&self.0), document.body.len());
    }

    pub(super) fn into_permit(self) -> Permit {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source and its first document.
pub(super) struct Detected {
    pub(super) source: &'static dyn Source,
    pub(super) url: Url,
    pub(super) answer: Answer,
    pub(super) reason: String,
}

/// Finds the source of a provider and its first document. A source named by the user or the catalog
/// is tried first. With `any`, because that source can no longer be read, every source is tried:
/// providers change platforms but keep their address.
pub(super) async fn detect_source(
    shared: &PollerContext,
    provider: &Provider,
    any: bool,
    held: &Held,
) -> Result<Detected, PollError> {
    let fetched_answers = FetchedAnswers::default();
    if let Some(named) = provider.source.as_deref().and_then(source::by_name) {
        match named_source(shared, provider, named, held).await {
            Err(PollError {
                kind: None | Some(FailureKind::NotFound | FailureKind::Gone), ..
            }) if any => {}
            answer => return answer,
        }
    }
    // The first failure other than "not found"; later failures may be its consequence.
    let worst: Mutex<Option<Failure>> = Mutex::new(None);
    // Why the address itself could not be reached. The host then gets no further requests: they
    // would only add load, and delay the retry of a page that is slow once.
    let unreachable: Mutex<Option<String>> = Mutex::new(None);
    // The permanent redirect of the address itself: responses from its target no longer mention it.
    let moved_to: Mutex<Option<Url>> = Mutex::new(None);
    let fetch = |url: Url, accept: &'static str| {
        let (fetched_answers, worst, moved_to, unreachable) =
            (&fetched_answers, &worst, &moved_to, &unreachable);
        async move {
            if let Some(why) =
                lock(unreachable).clone().filter(|_| url.host() == provider.url.host())
            {
                return Err(why);
            }
            match shared.client.get(first_or_further(provider, &url, accept)).await {
                Ok(Fetched::Body(answer)) => {
                    let document = answer.document.clone();
                    held.weigh(shared, &document);
                    if url == provider.url {
                        // A redirect within one host leads to its front page and is not a move.
                        let elsewhere =
                            answer.moved_to.as_ref().filter(|to| to.host() != url.host());
                        *lock(moved_to) = elsewhere.cloned();
                    }
                    lock(fetched_answers).insert(url, *answer);
                    Ok(document)
                }
                Ok(Fetched::NotModified { .. }) => {
                    Err("304 to an unconditional request".to_owned())
                }
                Err(failure) => {
                    let message = failure.message.clone();
                    if url == provider.url && is_of_the_host(failure.kind) {
                        *lock(unreachable) = Some(message.clone());
                    }
                    let mut worst = lock(worst);
                    let nothing = |failure: &Failure| failure.kind == FailureKind::NotFound;
                    if worst.as_ref().is_none_or(|worst| nothing(worst) && !nothing(&failure)) {
                        *worst = Some(failure);
                    }
                    Err(message)
                }
            }
        }
    };
    let judge = |asked: Url, document: Document| async move {
        let judged =
            shared.parse_pool.read(&provider.id, move || detect::judge(&asked, &document)).await;
        judged.unwrap_or_else(|unread| detect::Verdict::No(unread.to_string()))
    };
    match detect::detect_with(&provider.url, fetch, judge).await {
        Ok(found) => {
            let source = source::by_name(found.source);
            let answer = lock(&fetched_answers).remove(&found.url);
            match (source, answer) {
                (Some(source), Some(mut answer)) => {
                    answer.moved_to = lock(&moved_to).take().or(answer.moved_to);
                    Ok(Detected { source, url: found.url, answer, reason: found.reason })
                }
                _ => Err(PollError::document("unrecognised", "the detected document is missing")),
            }
        }
        Err(not_found) => {
            // If nothing answered at all, report that failure rather than a failed detection.
            if let Some(failure) = lock(&worst).take().filter(|_| lock(&fetched_answers).is_empty())
            {
                return Err(failure.into());
            }
            let error = PollError::from(not_found);
            for (place, answer) in &error.tried {
                tracing::debug!(provider = provider.id, place, answer, "not detected");
            }
            Err(error)
        }
    }
}

/// Returns the request for the address itself, or a follow-up request for any other candidate.
fn first_or_further<'a>(provider: &'a Provider, url: &'a Url, accept: &'a str) -> Request<'a> {
    let request = request(provider, url, accept, None);
    if *url == provider.url { request } else { following(request) }
}

/// Returns whether a failure concerns the host or our own network, not one document.
const fn is_of_the_host(kind: FailureKind) -> bool {
    use FailureKind::{Connect, Dns, RateLimited, Resource, Timeout, Tls};
    matches!(kind, Dns | Connect | Timeout | Tls | RateLimited | Resource)
}

/// Builds the error for a document that does not belong to the source the user named.
fn not_a_document(source: &dyn Source, asked: &Url, found: &Url, described: &str) -> PollError {
    let reason = format!("{described}, not a {} document", source.name());
    let error = PollError::document("unrecognised", reason);
    match detect::led_to(asked, found) {
        Some(there) => error.behind(asked, Some(&there)),
        None => PollError {
            reason: format!("{}: {}", crate::redact::redact(asked), error.reason),
            ..error
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Detects a source that the user named: its first document is at the address itself or at one of
/// the source's usual places.
async fn named_source(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    held: &Held,
) -> Result<Detected, PollError> {
    let mut places = vec![provider.url.clone()];
    places.extend(source.locate(&provider.url).into_iter().filter(|place| *place != provider.url));
    let mut first: Option<PollError> = None;
    for place in places {
        let error =
            match shared.client.get(first_or_further(provider, &place, source.accept())).await {
                Ok(Fetched::Body(answer)) => {
                    let document: Document = answer.document.clone();
                    held.weigh(shared, &document);
                    // A document that the user describes has no signature: parsing it decides.
                    if provider.json.is_some() && source.name() == source::JSON {
                        let reason = "the configuration describes the document".to_owned();
                        return Ok(Detected { source, url: place, answer: *answer, reason });
                    }
                    let look =
                        move || source.detect(&document).ok_or_else(|| detect::describe(&document));
                    let described = match shared.parse_pool.read(&provider.id, look).await? {
                        Ok(reason) => {
                            return Ok(Detected { source, url: place, answer: *answer, reason });
                        }
                        Err(described) => described,
                    };
                    not_a_document(source, &place, &answer.document.url, &described)
                }
                Ok(Fetched::NotModified { .. }) => {
                    PollError::document("unrecognised", "304 to an unconditional request")
                }
                Err(failure) => failure.into(),
            };
        // If the address itself cannot be reached, further requests to the host would only add
        // load.
        let give_up = !matches!(
            error.kind,
            None | Some(FailureKind::NotFound | FailureKind::Status | FailureKind::EmptyBody)
        );
        first.get_or_insert(error);
        if give_up {
            break;
        }
    }
    Err(first.unwrap_or_else(|| PollError::document("unrecognised", "no address to try")))
}
