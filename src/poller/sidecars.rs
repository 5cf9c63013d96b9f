//! Documents that change while the first one stays as it is: each is asked for beside it, with
//! validators of its own.

use url::Url;

use super::admission::Permit;
use super::context::PollerContext;
use super::cycle::{following, request};
use super::error::not_offered;
use super::verify;
use crate::config::Provider;
use crate::document::{Document, Shape};
use crate::fetch::{Answer, Fetched};
use crate::ledger::Sidecar;
use crate::source::Source;

/// What the companions of an unchanged document answered.
pub(super) enum Asked {
    /// Nothing new; the validators may be.
    Unchanged(Vec<Sidecar>),
    /// One has changed; those behind it were not asked.
    Changed(Box<FetchedSidecar>),
}

/// A document that is there already when it is asked for as a detail.
pub(super) struct FetchedSidecar {
    /// Where it was asked for.
    pub(super) url: Url,
    /// What came.
    pub(super) answer: Answer,
    /// Whether its server says "not modified" of it.
    pub(super) denied: bool,
}

/// Asks for each companion until one has changed. One that cannot be had now is asked for next
/// time: the first document was read, so the provider is not failing. `in_full`: without conditions.
pub(super) async fn ask(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    mut companions: Vec<Sidecar>,
    in_full: bool,
    place: &mut Permit,
) -> Asked {
    for companion in &mut companions {
        let validators =
            Some(&companion.validators).filter(|validators| !in_full && !validators.is_empty());
        let request = following(request(provider, &companion.url, source.accept(), validators));
        match place.asking(shared.client.get(request)).await {
            Ok(Fetched::NotModified { .. }) => {}
            Ok(Fetched::Body(answer)) if answer.body_hash == companion.body_hash => {
                companion.validators = answer.validators;
            }
            // A page in its place, of errors or for human beings, says nothing of the document.
            Ok(Fetched::Body(answer)) if answer.document.shape() == Shape::Html => {}
            Ok(Fetched::Body(answer)) => {
                let (url, known) = (&companion.url, &companion.validators);
                let denied = in_full
                    && verify::denies_change(shared, provider, source, url, known, place).await;
                return Asked::Changed(Box::new(FetchedSidecar {
                    url: companion.url.clone(),
                    answer: *answer,
                    denied,
                }));
            }
            Err(failure) if not_offered(failure.kind) => {}
            Err(failure) => {
                let document = crate::redact::redact(&companion.url);
                tracing::info!(provider = provider.id, %document, reason = failure.message, "not asked for the documents beside the first");
                break;
            }
        }
    }
    Asked::Unchanged(companions)
}

/// What is to be kept of a detail, should it be a companion.
pub(super) fn of(url: Url, answer: Answer) -> (Document, Sidecar) {
    let Answer { document, validators, body_hash, .. } = answer;
    (document, Sidecar { url, validators, body_hash })
}
