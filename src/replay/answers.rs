//! What each address answers at the current time of a replay.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use url::Url;
use xxhash_rust::xxh3::xxh3_128;

use crate::document::Document;
use crate::fetch::{Answer, Failure, FailureKind, Fetched, Request, Tap, Validators};
use crate::record::{self, BodyError, Line};
use crate::text::one_line;

/// The longest failure message taken from a recording, in characters.
const LONGEST_MESSAGE: usize = 600;

/// Attached to the client, answers requests from a recording.
#[derive(Default)]
pub(super) struct Answers(Mutex<HashMap<String, Page>>);

/// The addresses of one provider.
struct Page {
    url: Url,
    answers: HashMap<String, Stands>,
    missing: BTreeSet<String>,
}

/// The current response of an address.
struct Stands {
    line: Line,
    body: Option<Body>,
}

/// The last body of an address.
#[derive(Clone)]
struct Body {
    bytes: Bytes,
    hash: u128,
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Page>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the address of a provider.
    pub(super) fn declare(&self, provider: &str, url: &Url) {
        let mut pages = self.lock();
        let page = pages.entry(provider.to_owned()).or_insert_with(|| Page {
            url: url.clone(),
            answers: HashMap::new(),
            missing: BTreeSet::new(),
        });
        page.url = url.clone();
    }

    /// Sets the response of an address from `line`.
    pub(super) fn stand(&self, provider: &str, line: Line, dir: &Path) -> Result<(), BodyError> {
        let body = line.body.as_deref().map(|name| record::read_body(dir, name)).transpose()?;
        let body = body.map(|bytes| Body { hash: xxh3_128(&bytes), bytes });
        let mut pages = self.lock();
        let (Some(page), Some(url)) = (pages.get_mut(provider), line.url.as_deref()) else {
            return Ok(());
        };
        let label = record::written(url, &page.url);
        page.answers.insert(label, Stands { line, body });
        Ok(())
    }

    /// Returns whether an address has a response.
    pub(super) fn has(&self, provider: &str, url: &Url) -> bool {
        self.lock()
            .get(provider)
            .is_some_and(|page| page.answers.contains_key(&record::label(url, &page.url)))
    }

    /// Returns the hash of an address's current body.
    pub(super) fn hash(&self, provider: &str, url: &Url) -> Option<u128> {
        let pages = self.lock();
        let page = pages.get(provider)?;
        page.answers.get(&record::label(url, &page.url))?.body.as_ref().map(|body| body.hash)
    }

    /// Returns addresses that were requested but are not in the recording.
    pub(super) fn missing(&self) -> Vec<String> {
        let pages = self.lock();
        let missing = pages
            .iter()
            .flat_map(|(id, page)| page.missing.iter().map(move |url| format!("{id}: {url}")));
        let mut missing: Vec<String> = missing.collect();
        missing.sort();
        missing
    }
}

impl Tap for Answers {
    fn answer(&self, request: &Request<'_>) -> Option<Result<Fetched, Failure>> {
        let mut pages = self.lock();
        let page = request.provider.and_then(|id| pages.get_mut(id));
        let Some(page) = page else { return Some(Err(not_recorded())) };
        let label = record::label(request.url, &page.url);
        let Some(stands) = page.answers.get(&label) else {
            page.missing.insert(label);
            return Some(Err(not_recorded()));
        };
        Some(stands.answer(request))
    }
}

fn not_recorded() -> Failure {
    Failure::new(FailureKind::NotFound, "404 Not Found: not in the recording")
}

impl Stands {
    fn answer(&self, request: &Request<'_>) -> Result<Fetched, Failure> {
        let line = &self.line;
        let Some(body) = &self.body else {
            return Err(self.failure());
        };
        let max_age = line.max_age.map(Duration::from_secs);
        let validators =
            Validators { etag: line.etag.clone(), last_modified: line.last_modified.clone() };
        if let Some(sent) = request.validators.filter(|sent| !sent.is_empty())
            && (line.always_304 || *sent == validators)
        {
            return Ok(Fetched::NotModified { validators: None, max_age });
        }
        if body.bytes.len() > request.max_body {
            let message = format!("the body is larger than {} bytes", request.max_body);
            return Err(Failure::new(FailureKind::BodyTooLarge, message));
        }
        let led = line.final_url.as_deref().and_then(|url| Url::parse(url).ok());
        let mut url = led.unwrap_or_else(|| request.url.clone());
        url.set_fragment(request.url.fragment());
        Ok(Fetched::Body(Box::new(Answer {
            document: Document::new(url, line.content_type.as_deref(), body.bytes.clone()),
            validators,
            body_hash: body.hash,
            max_age,
            moved_to: line.moved_to.as_deref().and_then(|url| Url::parse(url).ok()),
        })))
    }

    fn failure(&self) -> Failure {
        let Line { status, failure, message, retry_after, .. } = &self.line;
        let by_status = || match status {
            Some(200) => (FailureKind::EmptyBody, "200 with an empty body".to_owned()),
            Some(304) => (FailureKind::Unexpected304, "304 to an unconditional request".to_owned()),
            Some(code) => (FailureKind::of_status(*code), code.to_string()),
            None => (FailureKind::Connect, "no answer".to_owned()),
        };
        let (kind, words) = by_status();
        let message = message.as_deref().map(|text| one_line(text, LONGEST_MESSAGE));
        let wait = retry_after.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Failure {
            kind: failure.unwrap_or(kind),
            message: message.unwrap_or(words),
            retry_after: wait,
            asked_by: None,
        }
    }
}
