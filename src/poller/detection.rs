//! Recognition as part of a poll: which source reads a provider, and the document that says so.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use url::Url;

use super::admission::Permit;
use super::context::PollerContext;
use super::cycle::{following, request};
use super::error::PollError;
use crate::config::Provider;
use crate::document::Document;
use crate::fetch::{Answer, Failure, FailureKind, Fetched, Request};
use crate::source::{self, Source, detect};

/// The documents recognition has fetched already, by address.
type FetchedSidecar = Mutex<HashMap<Url, Answer>>;

/// The places of documents that wait to be looked at: a host that is silent in between gives up its
/// poll's own.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<Permit>);

impl Held {
    fn weigh(&self, shared: &PollerContext, document: &Document) {
        shared.work.weigh(&mut lock(&self.0), document.body.len());
    }

    pub(super) fn into_place(self) -> Permit {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source and its first document.
pub(super) struct Recognised {
    pub(super) source: &'static dyn Source,
    pub(super) url: Url,
    pub(super) answer: Answer,
    pub(super) reason: String,
}

/// Finds the source of a provider and its first document. A source named by the user or the
/// catalogue is asked first; once it could not be read `any`more, every source is: providers change
/// platforms and keep their address.
pub(super) async fn recognise(
    shared: &PollerContext,
    provider: &Provider,
    any: bool,
    held: &Held,
) -> Result<Recognised, PollError> {
    let brought = FetchedSidecar::default();
    if let Some(named) = provider.source.as_deref().and_then(source::by_name) {
        match named_source(shared, provider, named, held).await {
            Err(PollError {
                kind: None | Some(FailureKind::NotFound | FailureKind::Gone), ..
            }) if any => {}
            answer => return answer,
        }
    }
    // The first failure, unless it is only that nothing is there: what follows one may be its
    // consequence.
    let worst: Mutex<Option<Failure>> = Mutex::new(None);
    // Why the address itself could not be reached: its host is asked for nothing else then, which
    // would only be a burden, and keep a page that is slow for once from being asked again soon.
    let unreachable: Mutex<Option<String>> = Mutex::new(None);
    // Where the address itself leads for good: what is found there does not say so any more.
    let moved_to: Mutex<Option<Url>> = Mutex::new(None);
    let fetch = |url: Url, accept: &'static str| {
        let (brought, worst, moved_to, unreachable) = (&brought, &worst, &moved_to, &unreachable);
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
                        // Within a host it is the way to its front page, not a move.
                        let elsewhere =
                            answer.moved_to.as_ref().filter(|to| to.host() != url.host());
                        *lock(moved_to) = elsewhere.cloned();
                    }
                    lock(brought).insert(url, *answer);
                    Ok(document)
                }
                Ok(Fetched::NotModified { .. }) => Err("304 to a first request".to_owned()),
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
            shared.reading.read(&provider.id, move || detect::judge(&asked, &document)).await;
        judged.unwrap_or_else(|unread| detect::Verdict::No(unread.to_string()))
    };
    match detect::detect_with(&provider.url, fetch, judge).await {
        Ok(found) => {
            let source = source::by_name(found.source);
            let answer = lock(&brought).remove(&found.url);
            match (source, answer) {
                (Some(source), Some(mut answer)) => {
                    answer.moved_to = lock(&moved_to).take().or(answer.moved_to);
                    Ok(Recognised { source, url: found.url, answer, reason: found.reason })
                }
                _ => Err(PollError::word("unrecognised", "the recognised document is not at hand")),
            }
        }
        Err(not_found) => {
            // Where nothing answered at all, that is the news, not that nothing was recognised.
            if let Some(failure) = lock(&worst).take().filter(|_| lock(&brought).is_empty()) {
                return Err(failure.into());
            }
            let trouble = PollError::from(not_found);
            for (place, answer) in &trouble.tried {
                tracing::debug!(provider = provider.id, place, answer, "not recognised");
            }
            Err(trouble)
        }
    }
}

/// The request for the address itself, or for another place that is looked at after it.
fn first_or_further<'a>(provider: &'a Provider, url: &'a Url, accept: &'a str) -> Request<'a> {
    let request = request(provider, url, accept, None);
    if *url == provider.url { request } else { following(request) }
}

/// Whether a failure is the host's, or ours, whatever is asked for.
const fn is_of_the_host(kind: FailureKind) -> bool {
    use FailureKind::{Connect, Dns, RateLimited, Resource, Timeout, Tls};
    matches!(kind, Dns | Connect | Timeout | Tls | RateLimited | Resource)
}

/// That a document is not one of the source the user named, and what it is.
fn not_a_document(source: &dyn Source, asked: &Url, found: &Url, described: &str) -> PollError {
    let reason = format!("{described}, not a {} document", source.name());
    let trouble = PollError::word("unrecognised", reason);
    match detect::led_to(asked, found) {
        Some(there) => trouble.behind(asked, Some(&there)),
        None => PollError {
            reason: format!("{}: {}", crate::redact::redact(asked), trouble.reason),
            ..trouble
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The user named the source: its first document is at the address or where such a page has it.
async fn named_source(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    held: &Held,
) -> Result<Recognised, PollError> {
    let mut places = vec![provider.url.clone()];
    places.extend(source.locate(&provider.url).into_iter().filter(|place| *place != provider.url));
    let mut first: Option<PollError> = None;
    for place in places {
        let trouble =
            match shared.client.get(first_or_further(provider, &place, source.accept())).await {
                Ok(Fetched::Body(answer)) => {
                    let document: Document = answer.document.clone();
                    held.weigh(shared, &document);
                    // What the user describes has no marks: reading it decides.
                    if provider.json.is_some() && source.name() == source::JSON {
                        let reason = "the user describes the document".to_owned();
                        return Ok(Recognised { source, url: place, answer: *answer, reason });
                    }
                    let look =
                        move || source.detect(&document).ok_or_else(|| detect::describe(&document));
                    let described = match shared.reading.read(&provider.id, look).await? {
                        Ok(reason) => {
                            return Ok(Recognised { source, url: place, answer: *answer, reason });
                        }
                        Err(described) => described,
                    };
                    not_a_document(source, &place, &answer.document.url, &described)
                }
                Ok(Fetched::NotModified { .. }) => {
                    PollError::word("unrecognised", "304 to a first request")
                }
                Err(failure) => failure.into(),
            };
        // Where the address itself cannot be reached, asking it for more paths would only be a
        // burden.
        let give_up = !matches!(
            trouble.kind,
            None | Some(FailureKind::NotFound | FailureKind::Status | FailureKind::EmptyBody)
        );
        first.get_or_insert(trouble);
        if give_up {
            break;
        }
    }
    Err(first.unwrap_or_else(|| PollError::word("unrecognised", "no place to look at")))
}
