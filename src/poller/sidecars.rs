//! Sidecar documents change while the first document stays the same: each is requested along with
//! it, using its own validators.

use url::Url;

use super::admission::Permit;
use super::context::PollerContext;
use super::error::not_offered;
use super::request::{following, request};
use super::verify;
use crate::config::Provider;
use crate::document::{Document, Shape};
use crate::fetch::{Answer, Fetched};
use crate::ledger::Sidecar;
use crate::source::Source;

/// The result of requesting the sidecar documents of an unchanged first document.
pub(super) enum Asked {
    /// No document has changed, though validators may have.
    Unchanged(Vec<Sidecar>),
    /// One has changed; the ones after it were not requested.
    Changed(Box<FetchedSidecar>),
}

/// A sidecar document that was fetched before it is needed as a detail.
pub(super) struct FetchedSidecar {
    /// The requested address.
    pub(super) url: Url,
    /// The response.
    pub(super) answer: Answer,
    /// Whether its server answers 304 although it has changed.
    pub(super) denied: bool,
}

/// Requests each sidecar document until one has changed. One that is unavailable now is requested
/// again next time: the first document was read, so the provider is not failing. With `in_full`,
/// requests are unconditional.
pub(super) async fn ask(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    mut sidecars: Vec<Sidecar>,
    in_full: bool,
    permit: &mut Permit,
) -> Asked {
    for sidecar in &mut sidecars {
        let validators =
            Some(&sidecar.validators).filter(|validators| !in_full && !validators.is_empty());
        let request = following(request(provider, &sidecar.url, source.accept(), validators));
        match permit.while_waiting(shared.client.get(request)).await {
            Ok(Fetched::NotModified { .. }) => {}
            Ok(Fetched::Body(answer)) if answer.body_hash == sidecar.body_hash => {
                sidecar.validators = answer.validators;
            }
            // An HTML page in its permit, such as an error page, says nothing about the document.
            Ok(Fetched::Body(answer)) if answer.document.shape() == Shape::Html => {}
            Ok(Fetched::Body(answer)) => {
                let (url, known) = (&sidecar.url, &sidecar.validators);
                let denied = in_full
                    && verify::denies_change(shared, provider, source, url, known, permit).await;
                return Asked::Changed(Box::new(FetchedSidecar {
                    url: sidecar.url.clone(),
                    answer: *answer,
                    denied,
                }));
            }
            Err(failure) if not_offered(failure.kind) => {}
            Err(failure) => {
                let document = crate::redact::redact(&sidecar.url);
                tracing::info!(provider = provider.id, %document, reason = failure.message, "cannot fetch a sidecar document");
                break;
            }
        }
    }
    Asked::Unchanged(sidecars)
}

/// Splits a detail into its document and what to store if it is a sidecar.
pub(super) fn of(url: Url, answer: Answer) -> (Document, Sidecar) {
    let Answer { document, validators, body_hash, .. } = answer;
    (document, Sidecar { url, validators, body_hash })
}
