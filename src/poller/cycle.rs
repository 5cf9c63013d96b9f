//! One poll: detect the source if necessary, fetch, compare, parse, fetch the details, and return
//! the outcome.

use std::pin::pin;

use url::Url;

use super::admission::{ParsePermit, Permit};
use super::context::PollerContext;
use super::detection::{Detected, Held, detect_source};
use super::error::{PollError, not_offered};
use super::request::{following, request};
use super::sidecars::{self, Asked, FetchedSidecar};
use super::verify;
use crate::config::Provider;
use crate::document::Shape;
use crate::fetch::{Answer, Fetched, Polled, Validators};
use crate::ledger::{Binding, Checkpoint, Sidecar};
use crate::snapshot::Snapshot;
use crate::source::{self, Detail, Documents, Limits, ParseError, PriorItems, Source, detect};

/// Consecutive unreadable documents after which source detection runs again.
const DETECT_AGAIN_AFTER: u32 = 2;

/// The outcome of one poll.
#[derive(Debug)]
pub enum PollOutcome {
    /// A 304 or identical bytes: nothing was parsed.
    Unchanged {
        /// Validators from this response, if they may differ from those sent.
        validators: Option<Validators>,
        /// The sidecar documents, all of them unchanged.
        sidecars: Vec<Sidecar>,
        /// Whether the request was unconditional in order to verify the validators.
        full: bool,
    },
    /// A snapshot and its checkpoint.
    Read {
        /// The page's content.
        snapshot: Box<Snapshot>,
        /// Binding, validators and hash; the caller sets the times.
        checkpoint: Box<Checkpoint>,
        /// Whether every requested detail was read.
        complete: bool,
        /// The target of a permanent redirect, if any.
        moved_to: Option<Url>,
        /// Whether the server answers 304 although the page has changed.
        denied: bool,
        /// Must be held as long as the snapshot is.
        parse_permit: ParsePermit,
    },
    /// No usable result.
    Failed(PollError),
}

impl PollOutcome {
    /// Returns a summary for the client's tap.
    fn polled(&self) -> Polled<'_> {
        match self {
            Self::Unchanged { .. } => Polled::Unchanged,
            Self::Failed(_) => Polled::Failed,
            Self::Read { checkpoint, .. } => {
                checkpoint.binding.as_ref().map_or(Polled::Failed, |binding| Polled::Read {
                    source: &binding.source,
                    document: &binding.document_url,
                })
            }
        }
    }
}

/// The state that a poll starts from.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Where the last successful poll left off.
    pub checkpoint: Checkpoint,
    /// What is open and how far details were read.
    pub known: PriorItems,
    /// Fetch everything unconditionally.
    pub unconditional: bool,
    /// Send an unconditional request to verify the validators.
    pub verify: bool,
    /// Send an unconditional request because the validators are unreliable.
    pub distrust: bool,
    /// Consecutive documents that could not be parsed.
    pub unread: u32,
}

/// The result of reading a provider once, for `probe`, `check --online` and `add`.
#[derive(Debug)]
pub struct Examined {
    /// The name of the source that reads it.
    pub source: &'static str,
    /// The address of its first document.
    pub document_url: Url,
    /// How the source was detected.
    pub reason: String,
    /// The page's content.
    pub snapshot: Box<Snapshot>,
    /// The target of a permanent redirect, if any.
    pub moved_to: Option<Url>,
}

/// Detects a provider's source and reads it once, without any stored state.
pub async fn examine(shared: &PollerContext, provider: &Provider) -> Result<Examined, PollError> {
    let held = Held::default();
    let Detected { source, url, answer, reason } =
        detect_source(shared, provider, true, &held).await?;
    let permit = held.into_permit();
    let first = First { url: url.clone(), answer, sidecar: None, denied: false };
    match read(shared, provider, &Start::default(), source, first, permit).await? {
        PollOutcome::Read { mut snapshot, moved_to, .. } => {
            snapshot.settle(crate::clock::now());
            Ok(Examined { source: source.name(), document_url: url, reason, snapshot, moved_to })
        }
        PollOutcome::Failed(error) => Err(error),
        PollOutcome::Unchanged { .. } => {
            Err(PollError::document("unchanged", "a first answer cannot be unchanged"))
        }
    }
}

/// Polls once, holding the permit. Does not access the ledger.
pub async fn poll(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    permit: Permit,
) -> PollOutcome {
    shared.client.began(&provider.id);
    let outcome =
        attempt(shared, provider, start, permit).await.unwrap_or_else(PollOutcome::Failed);
    shared.client.ended(&provider.id, outcome.polled());
    outcome
}

async fn attempt(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    mut permit: Permit,
) -> Result<PollOutcome, PollError> {
    let bound =
        start.checkpoint.binding.as_ref().filter(|_| start.unread < DETECT_AGAIN_AFTER).and_then(
            |binding| {
                let source = source::by_name(&binding.source)?;
                (source.version() == binding.version).then_some((source, &binding.document_url))
            },
        );
    // Rare branches are boxed, or every poll's future would have their size.
    if let Some((source, url)) = bound {
        let in_full = start.unconditional || start.verify || start.distrust;
        let validators = (!in_full && start.checkpoint.body_hash.is_some())
            .then_some(&start.checkpoint.validators);
        let validators = validators.filter(|validators| !validators.is_empty());
        // By reference: moved, the request would be stored twice for as long as the host takes to
        // answer.
        let request = request(provider, url, source.accept(), validators);
        let fetched = permit.while_waiting(pin!(shared.client.get(request))).await;
        let fetched = fetched.map_err(|failure| PollError::from(failure).at(&provider.url, url))?;
        let (same, carried) = match fetched {
            Fetched::NotModified { validators: carried, .. } => {
                let sent = &start.checkpoint.validators;
                // Nearly always these are the ones we sent, and nothing has to be updated.
                (None, carried.filter(|carried| carried != sent && same_version(sent, carried)))
            }
            Fetched::Body(answer)
                if !start.unconditional && start.checkpoint.body_hash == Some(answer.body_hash) =>
            {
                let validators = answer.validators.clone();
                (Some(answer), Some(validators))
            }
            Fetched::Body(answer) => {
                let denied = (start.verify || start.distrust)
                    && start.checkpoint.body_hash.is_some()
                    && Box::pin(verify::denies_change(
                        shared,
                        provider,
                        source,
                        url,
                        &start.checkpoint.validators,
                        &mut permit,
                    ))
                    .await;
                let first = First { url: url.clone(), answer: *answer, sidecar: None, denied };
                return Box::pin(read(shared, provider, start, source, first, permit)).await;
            }
        };
        let sidecars = start.checkpoint.sidecars.clone();
        let asked = if sidecars.is_empty() {
            Asked::Unchanged(sidecars)
        } else {
            Box::pin(sidecars::ask(shared, provider, source, sidecars, in_full, &mut permit)).await
        };
        let sidecar = match asked {
            Asked::Unchanged(sidecars) => {
                let full = start.verify;
                return Ok(PollOutcome::Unchanged { validators: carried, sidecars, full });
            }
            Asked::Changed(sidecar) => sidecar,
        };
        // A snapshot needs all documents, and only the hash of the first was kept.
        let answer = match same {
            Some(answer) => *answer,
            None => Box::pin(whole(shared, provider, source, url, &mut permit)).await?,
        };
        let denied = sidecar.denied;
        let first = First { url: url.clone(), answer, sidecar: Some(sidecar), denied };
        return Box::pin(read(shared, provider, start, source, first, permit)).await;
    }
    let held = Held::default();
    let detecting =
        Box::pin(detect_source(shared, provider, start.unread >= DETECT_AGAIN_AFTER, &held));
    let Detected { source, url, answer, reason } = permit.while_waiting(detecting).await?;
    permit.join(held.into_permit());
    tracing::info!(provider = provider.id, source = source.name(), document = %crate::redact::redact(&url), reason, "recognised");
    Box::pin(read(
        shared,
        provider,
        start,
        source,
        First { url, answer, sidecar: None, denied: false },
        permit,
    ))
    .await
}

/// Fetches the first document unconditionally.
async fn whole(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    url: &Url,
    permit: &mut Permit,
) -> Result<Answer, PollError> {
    let request = following(request(provider, url, source.accept(), None));
    match permit.while_waiting(shared.client.get(request)).await? {
        Fetched::Body(answer) => Ok(*answer),
        Fetched::NotModified { .. } => {
            Err(PollError::document("unexpected_304", "304 to an unconditional request"))
        }
    }
}

/// Returns whether the validators of a 304 are of the version that we have. A server whose page
/// changes between comparison and response sends the validators of a body that we have never seen;
/// storing them would hide that change forever.
fn same_version(sent: &Validators, carried: &Validators) -> bool {
    opaque(sent).is_some() && opaque(sent) == opaque(carried)
}

/// Returns the `ETag` without its weakness flag.
fn opaque(validators: &Validators) -> Option<&str> {
    validators.etag.as_deref().map(|etag| etag.trim_start_matches("W/"))
}

/// Reads the first document, fetches the further documents it needs, and parses them all. Errors
/// name the redirect target if the first document came from elsewhere.
async fn read(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    source: &'static dyn Source,
    first: First,
    permit: Permit,
) -> Result<PollOutcome, PollError> {
    let asked = first.url.clone();
    let led_to = detect::led_to(&asked, &first.answer.document.url);
    let read = read_documents(shared, provider, start, source, first, permit).await;
    read.map_err(|error| error.behind(&asked, led_to.as_ref()))
}

async fn read_documents(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    source: &'static dyn Source,
    first: First,
    mut permit: Permit,
) -> Result<PollOutcome, PollError> {
    let First { url: document_url, answer, sidecar, denied } = first;
    let limits = Limits { max_items: provider.settings.max_items };
    let Answer { document, validators, body_hash, moved_to, .. } = answer;
    let known = start.known.clone();
    let description = provider.json.clone();
    shared.admission.weigh(&mut permit, document.body.len());
    let parse_permit = shared.admission.acquire_parse(permit).await;
    let described = description.clone();
    let time_zone = provider.settings.time_zone;
    let (first, read, details) = shared
        .parse_pool
        .read(&provider.id, move || {
            if let Some(details) = source.prefetch(&document, &known) {
                return Ok::<_, ParseError>((document, None, details));
            }
            let documents =
                Documents { description: described, time_zone, ..Documents::only(document) };
            let snapshot = source::read(source, &documents, limits)?;
            let details = source.details(&documents.first, &snapshot, &known);
            Ok((documents.first, Some(snapshot), details))
        })
        .await
        .map_err(PollError::from)??;
    let Whole { snapshot, complete, sidecars, parse_permit } = if let Some(snapshot) =
        read.filter(|_| details.is_empty())
    {
        Whole { snapshot, complete: true, sidecars: Vec::new(), parse_permit }
    } else {
        // Hosts may delay their answers: meanwhile only the document is kept, which is small
        // compared with what was parsed from it.
        let known = start.known.clone();
        let alone = Documents { description, time_zone, known, ..Documents::only(first) };
        read_with_details(shared, provider, source, alone, (details, sidecar), parse_permit.pause())
            .await?
    };
    // An incomplete snapshot is reported immediately; the next poll is unconditional to get the
    // missing details.
    let (validators, body_hash) =
        if complete { (validators, Some(body_hash)) } else { (Validators::default(), None) };
    let sidecars = if complete { sidecars } else { Vec::new() };
    let binding =
        Binding { source: source.name().to_owned(), version: source.version(), document_url };
    let checkpoint = Checkpoint {
        binding: Some(binding),
        validators,
        body_hash,
        sidecars,
        ..Checkpoint::default()
    };
    Ok(PollOutcome::Read {
        snapshot: Box::new(snapshot),
        checkpoint: Box::new(checkpoint),
        complete,
        moved_to,
        denied,
        parse_permit,
    })
}

/// The first document of a poll.
struct First {
    /// The requested address, not the redirect target: the next poll starts here again.
    url: Url,
    answer: Answer,
    /// The sidecar document whose change triggered this read, if any.
    sidecar: Option<Box<FetchedSidecar>>,
    /// Whether the server answers 304 although this document, or its sidecar, has changed.
    denied: bool,
}

/// All documents of a poll, parsed.
struct Whole {
    snapshot: Snapshot,
    /// Whether every requested detail was read.
    complete: bool,
    sidecars: Vec<Sidecar>,
    parse_permit: ParsePermit,
}

/// Fetches the details and parses all documents together; falls back to the first document alone if
/// the details cannot be parsed.
async fn read_with_details(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    alone: Documents,
    (details, mut sidecar): (Vec<Detail>, Option<Box<FetchedSidecar>>),
    mut permit: Permit,
) -> Result<Whole, PollError> {
    let limits = Limits { max_items: provider.settings.max_items };
    let (mut documents, mut complete, mut sidecars) = (alone.clone(), true, Vec::new());
    for detail in details {
        let request = following(request(provider, &detail.url, source.accept(), None));
        let fetched = match sidecar.take_if(|sidecar| sidecar.url == detail.url) {
            Some(sidecar) => Ok(Fetched::Body(Box::new(sidecar.answer))),
            None => permit.while_waiting(shared.client.get(request)).await,
        };
        match fetched {
            // A host that answers every path with an HTML page does not offer the detail.
            Ok(Fetched::Body(answer)) if answer.document.shape() == Shape::Html => {}
            Ok(Fetched::Body(answer)) => {
                shared.admission.weigh(&mut permit, answer.document.body.len());
                let (document, sidecar) = sidecars::of(detail.url, *answer);
                documents.details.push((detail.role, document));
                sidecars.push((detail.role, sidecar));
            }
            Ok(Fetched::NotModified { .. }) => complete = false,
            Err(failure) if detail.optional && not_offered(failure.kind) => {}
            Err(failure) => {
                tracing::info!(
                    provider = provider.id,
                    detail = detail.role,
                    reason = failure.message,
                    "cannot fetch a detail document"
                );
                complete = false;
            }
        }
    }
    let parse_permit = shared.admission.acquire_parse(permit).await;
    let with_details = !documents.details.is_empty();
    match parse(shared, provider, source, documents, limits).await {
        Ok(snapshot) => {
            sidecars.retain(|(role, _)| source.is_sidecar(role, &snapshot));
            let sidecars = sidecars.into_iter().map(|(_, sidecar)| sidecar).collect();
            Ok(Whole { snapshot, complete, sidecars, parse_permit })
        }
        Err(error) if with_details => {
            tracing::info!(
                provider = provider.id,
                reason = error.reason,
                "cannot parse the detail documents"
            );
            let snapshot = parse(shared, provider, source, alone, limits).await?;
            Ok(Whole { snapshot, complete: false, sidecars: Vec::new(), parse_permit })
        }
        Err(error) => Err(error),
    }
}

async fn parse(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    documents: Documents,
    limits: Limits,
) -> Result<Snapshot, PollError> {
    Ok(shared
        .parse_pool
        .read(&provider.id, move || source::read(source, &documents, limits))
        .await??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Anchor;
    use crate::config::{Filter, Settings};
    use crate::fetch::{Client, ClientOptions};
    use crate::ledger::Ledger;
    use crate::poller::admission::Admission;
    use crate::poller::filters::ComparedFilters;
    use crate::poller::parse_pool::ParsePool;

    #[tokio::test]
    async fn a_poll_carries_no_more_than_an_unchanged_one_needs() {
        let shared = PollerContext {
            client: Client::new(ClientOptions::default()).unwrap(),
            ledger: Ledger::default(),
            parse_pool: ParsePool::without_markers(1),
            admission: Admission::default(),
            filters: ComparedFilters::default(),
            anchor: Anchor::now(),
            once: false,
            own_page: None,
            metrics: std::sync::Arc::default(),
            polled: None,
        };
        let provider = Provider {
            id: "acme".to_owned(),
            name: "Acme".to_owned(),
            url: "https://status.acme.example/".parse().unwrap(),
            source: None,
            url_written: true,
            settings: Settings::default(),
            filter: Filter::default(),
            json: None,
        };
        let start = Start::default();
        let polling = poll(&shared, &provider, &start, shared.admission.acquire(None).await);
        let size = size_of_val(&polling);
        assert!(size < 4096, "{size} bytes for each poll that waits for its host");
    }

    #[test]
    fn a_304_for_another_version_does_not_update_validators() {
        let etag = |etag: &str| Validators { etag: Some(etag.to_owned()), last_modified: None };
        assert!(same_version(&etag("\"a\""), &etag("W/\"a\"")));
        assert!(!same_version(&etag("\"a\""), &etag("\"b\"")));
        assert!(!same_version(&Validators::default(), &etag("\"b\"")));
    }
}
