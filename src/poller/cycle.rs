//! One poll: recognise if need be, fetch, unchanged or parse, fetch the details, and say what came
//! of it.

use std::pin::pin;

use url::Url;

use super::admission::{ParsePermit, Permit};
use super::context::PollerContext;
use super::detection::{Held, Recognised, recognise};
use super::error::{PollError, not_offered};
use super::host_load;
use super::sidecars::{self, Asked, FetchedSidecar};
use super::verify;
use crate::config::Provider;
use crate::document::Shape;
use crate::fetch::{Answer, Fetched, Polled, Request, Validators};
use crate::ledger::{Binding, Checkpoint, Sidecar};
use crate::snapshot::Snapshot;
use crate::source::{self, Detail, Documents, Known, Limits, ParseError, Source, detect};

/// Failed readings in a row after which the address is asked again what it is.
const RECOGNISE_AFTER: u32 = 2;

/// The further requests of a poll wait for this part of the host's pace.
const FOLLOWING: u32 = 5;

/// What one poll came to.
#[derive(Debug)]
pub enum PollOutcome {
    /// 304, or the same bytes: nothing was parsed.
    Unchanged {
        /// Validators the answer itself carried, where they may be others than those sent.
        validators: Option<Validators>,
        /// The documents beside the first, none of which has changed.
        companions: Vec<Sidecar>,
        /// Whether the page was asked for in full, to see whether its validators mean something.
        full: bool,
    },
    /// A snapshot, and the checkpoint that goes with it.
    Read {
        /// What the poll says.
        snapshot: Box<Snapshot>,
        /// Binding, validators and hash; the times are the caller's.
        checkpoint: Box<Checkpoint>,
        /// Whether every detail asked for was read.
        complete: bool,
        /// Where the address leads for good, if it says so.
        moved_to: Option<Url>,
        /// Whether the server says "not modified" of what the snapshot comes from.
        denied: bool,
        /// To be held as long as the snapshot is.
        turn: ParsePermit,
    },
    /// Nothing usable.
    Failed(PollError),
}

impl PollOutcome {
    /// In a word, for whoever stands beside the client.
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

/// What a poll starts from.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Where the last good poll left off.
    pub checkpoint: Checkpoint,
    /// What is open and how far details were read.
    pub known: Known,
    /// Ask for everything, whatever has changed.
    pub unconditional: bool,
    /// Ask without conditions, to see whether the validators mean something.
    pub verify: bool,
    /// Ask without conditions: the validators mean nothing.
    pub distrust: bool,
    /// Documents in a row that could not be read.
    pub unread: u32,
}

/// A provider read once, for whoever asks what is there: `probe`, `check --online`, `add`.
#[derive(Debug)]
pub struct Examined {
    /// The source that reads it.
    pub source: &'static str,
    /// Its first document.
    pub document_url: Url,
    /// How it was recognised.
    pub reason: String,
    /// What it says.
    pub snapshot: Box<Snapshot>,
    /// Where the address leads for good, if it says so.
    pub moved_to: Option<Url>,
}

/// Recognises and reads a provider once, whatever is known of it.
pub async fn examine(shared: &PollerContext, provider: &Provider) -> Result<Examined, PollError> {
    let held = Held::default();
    let Recognised { source, url, answer, reason } =
        recognise(shared, provider, true, &held).await?;
    let place = held.into_place();
    let first = First { url: url.clone(), answer, brought: None, denied: false };
    match read(shared, provider, &Start::default(), source, first, place).await? {
        PollOutcome::Read { mut snapshot, moved_to, .. } => {
            snapshot.settle(crate::clock::now());
            Ok(Examined { source: source.name(), document_url: url, reason, snapshot, moved_to })
        }
        PollOutcome::Failed(trouble) => Err(trouble),
        PollOutcome::Unchanged { .. } => {
            Err(PollError::word("unchanged", "a first answer cannot be unchanged"))
        }
    }
}

/// Polls once, in this place. Does not touch the ledger.
pub async fn poll(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    place: Permit,
) -> PollOutcome {
    shared.client.began(&provider.id);
    let outcome = attempt(shared, provider, start, place).await.unwrap_or_else(PollOutcome::Failed);
    shared.client.ended(&provider.id, outcome.polled());
    outcome
}

async fn attempt(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    mut place: Permit,
) -> Result<PollOutcome, PollError> {
    let bound =
        start.checkpoint.binding.as_ref().filter(|_| start.unread < RECOGNISE_AFTER).and_then(
            |binding| {
                let source = source::by_name(&binding.source)?;
                (source.version() == binding.version).then_some((source, &binding.document_url))
            },
        );
    // What is seldom gone through stands on the heap: every poll would carry its size about.
    if let Some((source, url)) = bound {
        let in_full = start.unconditional || start.verify || start.distrust;
        let validators = (!in_full && start.checkpoint.body_hash.is_some())
            .then_some(&start.checkpoint.validators);
        let validators = validators.filter(|validators| !validators.is_empty());
        // By reference: handed over, it would be there twice as long as the host is waited for.
        let request = request(provider, url, source.accept(), validators);
        let fetched = place.asking(pin!(shared.client.get(request))).await;
        let fetched = fetched.map_err(|failure| PollError::from(failure).at(&provider.url, url))?;
        let (same, carried) = match fetched {
            Fetched::NotModified { validators: carried, .. } => {
                let sent = &start.checkpoint.validators;
                // Nearly always they are the ones we sent: nobody has to take those over.
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
                        &mut place,
                    ))
                    .await;
                let first = First { url: url.clone(), answer: *answer, brought: None, denied };
                return Box::pin(read(shared, provider, start, source, first, place)).await;
            }
        };
        let companions = start.checkpoint.companions.clone();
        let asked = if companions.is_empty() {
            Asked::Unchanged(companions)
        } else {
            Box::pin(sidecars::ask(shared, provider, source, companions, in_full, &mut place)).await
        };
        let brought = match asked {
            Asked::Unchanged(companions) => {
                let full = start.verify;
                return Ok(PollOutcome::Unchanged { validators: carried, companions, full });
            }
            Asked::Changed(brought) => brought,
        };
        // Only all documents together are a snapshot; of the first one, nothing but the hash was
        // kept.
        let answer = match same {
            Some(answer) => *answer,
            None => Box::pin(whole(shared, provider, source, url, &mut place)).await?,
        };
        let denied = brought.denied;
        let first = First { url: url.clone(), answer, brought: Some(brought), denied };
        return Box::pin(read(shared, provider, start, source, first, place)).await;
    }
    let held = Held::default();
    let recognising = Box::pin(recognise(shared, provider, start.unread >= RECOGNISE_AFTER, &held));
    let Recognised { source, url, answer, reason } = place.asking(recognising).await?;
    place.join(held.into_place());
    tracing::info!(provider = provider.id, source = source.name(), document = %crate::redact::redact(&url), reason, "recognised");
    Box::pin(read(
        shared,
        provider,
        start,
        source,
        First { url, answer, brought: None, denied: false },
        place,
    ))
    .await
}

/// The first document, whatever was known of it.
async fn whole(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    url: &Url,
    place: &mut Permit,
) -> Result<Answer, PollError> {
    let request = following(request(provider, url, source.accept(), None));
    match place.asking(shared.client.get(request)).await? {
        Fetched::Body(answer) => Ok(*answer),
        Fetched::NotModified { .. } => {
            Err(PollError::word("unexpected_304", "304 to a request without conditions"))
        }
    }
}

/// Whether the validators a 304 carries are of the version we have. A server that changes between
/// its comparison and its answer names a version whose body we have never seen: taken over, its
/// changes would never be fetched.
fn same_version(sent: &Validators, carried: &Validators) -> bool {
    opaque(sent).is_some() && opaque(sent) == opaque(carried)
}

/// The version, whether or not it is said to be the same byte for byte.
fn opaque(validators: &Validators) -> Option<&str> {
    validators.etag.as_deref().map(|etag| etag.trim_start_matches("W/"))
}

pub(super) fn request<'a>(
    provider: &'a Provider,
    url: &'a Url,
    accept: &'a str,
    validators: Option<&'a Validators>,
) -> Request<'a> {
    let settings = &provider.settings;
    Request {
        url,
        provider: Some(&provider.id),
        accept,
        validators,
        timeout: settings.timeout,
        connect_timeout: settings.connect_timeout,
        pace: host_load::pace(settings, url),
        max_wait: settings.max_wait,
        max_body: settings.max_body,
        allow_private: settings.allow_private_addresses,
        // What recognition derives from a written address stays on its host and port.
        written: provider.url_written
            && url.host() == provider.url.host()
            && url.port_or_known_default() == provider.url.port_or_known_default(),
    }
}

/// A further request of a poll that has its first answer: what has changed should be told at once.
pub(super) fn following(mut request: Request<'_>) -> Request<'_> {
    request.pace /= FOLLOWING;
    request
}

/// Reads the first document, fetches what else it takes, and reads all of it. What goes wrong says
/// where the first document came from, if not from where it was asked for.
async fn read(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    source: &'static dyn Source,
    first: First,
    place: Permit,
) -> Result<PollOutcome, PollError> {
    let asked = first.url.clone();
    let led_to = detect::led_to(&asked, &first.answer.document.url);
    let read = read_documents(shared, provider, start, source, first, place).await;
    read.map_err(|trouble| trouble.behind(&asked, led_to.as_ref()))
}

async fn read_documents(
    shared: &PollerContext,
    provider: &Provider,
    start: &Start,
    source: &'static dyn Source,
    first: First,
    mut place: Permit,
) -> Result<PollOutcome, PollError> {
    let First { url: document_url, answer, brought, denied } = first;
    let limits = Limits { max_items: provider.settings.max_items };
    let Answer { document, validators, body_hash, moved_to, .. } = answer;
    let known = start.known.clone();
    let description = provider.json.clone();
    shared.work.weigh(&mut place, document.body.len());
    let turn = shared.work.turn(place).await;
    let described = description.clone();
    let time_zone = provider.settings.time_zone;
    let (first, read, details) = shared
        .reading
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
    let Whole { snapshot, complete, companions, turn } = if let Some(snapshot) =
        read.filter(|_| details.is_empty())
    {
        Whole { snapshot, complete: true, companions: Vec::new(), turn }
    } else {
        // Hosts may keep us waiting: the document is kept meanwhile, which is small, and not what
        // was parsed of it.
        let alone = Documents { description, time_zone, ..Documents::only(first) };
        read_with_details(shared, provider, source, alone, (details, brought), turn.pause()).await?
    };
    // What the page says now is told at once; without its details it is asked for in full again
    // next time.
    let (validators, body_hash) =
        if complete { (validators, Some(body_hash)) } else { (Validators::default(), None) };
    let companions = if complete { companions } else { Vec::new() };
    let binding =
        Binding { source: source.name().to_owned(), version: source.version(), document_url };
    let checkpoint = Checkpoint {
        binding: Some(binding),
        validators,
        body_hash,
        companions,
        ..Checkpoint::default()
    };
    Ok(PollOutcome::Read {
        snapshot: Box::new(snapshot),
        checkpoint: Box::new(checkpoint),
        complete,
        moved_to,
        denied,
        turn,
    })
}

/// A first document that is to be read.
struct First {
    /// What was asked for: the next poll starts there again, wherever it redirected to.
    url: Url,
    answer: Answer,
    /// The document beside it that has changed, where that is why.
    brought: Option<Box<FetchedSidecar>>,
    /// Whether its server says "not modified" of it, or of the document beside it.
    denied: bool,
}

/// All documents of a poll, read.
struct Whole {
    snapshot: Snapshot,
    /// Whether no detail that was asked for is missing.
    complete: bool,
    companions: Vec<Sidecar>,
    turn: ParsePermit,
}

/// Fetches the details and reads all documents together; without the details, where those cannot be
/// read.
async fn read_with_details(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    alone: Documents,
    (details, mut brought): (Vec<Detail>, Option<Box<FetchedSidecar>>),
    mut place: Permit,
) -> Result<Whole, PollError> {
    let limits = Limits { max_items: provider.settings.max_items };
    let (mut documents, mut complete, mut companions) = (alone.clone(), true, Vec::new());
    for detail in details {
        let request = following(request(provider, &detail.url, source.accept(), None));
        let fetched = match brought.take_if(|brought| brought.url == detail.url) {
            Some(brought) => Ok(Fetched::Body(Box::new(brought.answer))),
            None => place.asking(shared.client.get(request)).await,
        };
        match fetched {
            // A host that answers every path with its page does not offer the detail.
            Ok(Fetched::Body(answer)) if answer.document.shape() == Shape::Html => {}
            Ok(Fetched::Body(answer)) => {
                shared.work.weigh(&mut place, answer.document.body.len());
                let (document, companion) = sidecars::of(detail.url, *answer);
                documents.details.push((detail.role, document));
                companions.push((detail.role, companion));
            }
            Ok(Fetched::NotModified { .. }) => complete = false,
            Err(failure) if detail.optional && not_offered(failure.kind) => {}
            Err(failure) => {
                tracing::info!(
                    provider = provider.id,
                    detail = detail.role,
                    reason = failure.message,
                    "a detail could not be fetched"
                );
                complete = false;
            }
        }
    }
    let turn = shared.work.turn(place).await;
    let with_details = !documents.details.is_empty();
    match parse(shared, provider, source, documents, limits).await {
        Ok(snapshot) => {
            companions.retain(|(role, _)| source.is_sidecar(role, &snapshot));
            let companions = companions.into_iter().map(|(_, companion)| companion).collect();
            Ok(Whole { snapshot, complete, companions, turn })
        }
        Err(trouble) if with_details => {
            tracing::info!(
                provider = provider.id,
                reason = trouble.reason,
                "the details could not be read"
            );
            let snapshot = parse(shared, provider, source, alone, limits).await?;
            Ok(Whole { snapshot, complete: false, companions: Vec::new(), turn })
        }
        Err(trouble) => Err(trouble),
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
        .reading
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
    use crate::poller::filters::Compared;
    use crate::poller::parse_pool::ParsePool;

    #[tokio::test]
    async fn a_poll_carries_no_more_than_an_unchanged_one_needs() {
        let shared = PollerContext {
            client: Client::new(ClientOptions::default()).unwrap(),
            ledger: Ledger::default(),
            reading: ParsePool::unmarked(1),
            work: Admission::default(),
            filters: Compared::default(),
            anchor: Anchor::now(),
            once: false,
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
        let polling = poll(&shared, &provider, &start, shared.work.place().await);
        let size = size_of_val(&polling);
        assert!(size < 4096, "{size} bytes for each poll that waits for its host");
    }

    #[test]
    fn a_304_that_names_another_version_is_not_believed_about_it() {
        let etag = |etag: &str| Validators { etag: Some(etag.to_owned()), last_modified: None };
        assert!(same_version(&etag("\"a\""), &etag("W/\"a\"")));
        assert!(!same_version(&etag("\"a\""), &etag("\"b\"")));
        assert!(!same_version(&Validators::default(), &etag("\"b\"")));
    }
}
