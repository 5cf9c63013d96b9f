//! Detection: finds the source for the address of a status page.
//!
//! [`detect`] requests the address itself, then the places where each source's first document may
//! be, then the feeds the page links to. A place counts only if a source recognizes the signature
//! of the document *and* can parse it: many hosts answer every path with 200 and an HTML page. This
//! module does no I/O; the caller fetches.

mod page;

use std::future::Future;

use url::Url;

use super::support::html_title;
use super::{Documents, Limits, SOURCES, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::redact::redact;
use statuswatch_model::text::one_line;

/// Maximum number of requests for one page.
const MAX_REQUESTS: usize = 38;
/// The first this many sources of the table cover almost all pages; the others are tried after the
/// feeds.
const COMMON: usize = 5;
/// This many identical failures, and nothing else, end the search: each may have cost a full
/// timeout.
const SAME_FAILURES: usize = 4;
/// The `Accept` header for the address itself.
const ACCEPT_PAGE: &str = "text/html, application/json;q=0.9, application/atom+xml;q=0.9, application/rss+xml;q=0.9, */*;q=0.5";

/// The result of a successful detection.
#[derive(Debug, Clone)]
pub struct Found {
    /// The name of the source that reads it.
    pub source: &'static str,
    /// Where its first document is.
    pub url: Url,
    /// How it was detected, as a readable sentence.
    pub reason: String,
    /// The name of the page.
    pub page_name: Option<String>,
}

/// No source can read the address. The message is one line: what the address itself answered, what
/// came closest to a status page, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no status page was detected at {}{}", redact(.page), summary(.reason.as_deref(), .tried))]
pub struct NotFound {
    /// The requested address.
    pub page: Url,
    /// Why further requests are pointless, if that is known.
    pub reason: Option<String>,
    /// The requested places and what each answered, in order.
    pub tried: Vec<(Url, String)>,
}

/// Prefix of the answer for a document that a source recognizes and cannot parse.
const NEARLY: &str = "looks like ";
/// Prefix of the answer for a feed about something else.
const A_FEED: &str = "a feed, but ";
/// Suffix of the answer for a place that redirects to another site.
const ANOTHER_SITE: &str = ", another site";

fn summary(reason: Option<&str>, tried: &[(Url, String)]) -> String {
    if let Some(reason) = reason {
        return format!(": {reason}");
    }
    let Some(((_, own), others)) = tried.split_first() else {
        return String::new();
    };
    // What came closest to a status page explains most.
    let near: [fn(&str) -> bool; 3] = [
        |answer| answer.starts_with(NEARLY),
        |answer| answer.starts_with(A_FEED),
        |answer| answer.ends_with(ANOTHER_SITE),
    ];
    let nearest = near.iter().find_map(|near| others.iter().find(|(_, answer)| near(answer)));
    let more = match nearest {
        Some((url, answer)) => format!("; {}: {answer}", redact(url)),
        None if others.is_empty() => String::new(),
        None => format!("; nor at {} other places there", others.len()),
    };
    format!(": {own}{more}; name its feed or API document as url")
}

/// Returns where a request for `asked` was redirected to, if anywhere. `found` is the final
/// address.
#[must_use]
pub fn led_to(asked: &Url, found: &Url) -> Option<Url> {
    let mut there = found.clone();
    there.set_fragment(asked.fragment());
    (there != *asked).then_some(there)
}

/// Returns an answer, prefixed with the redirect that led to it.
fn from(led_to: Option<&Url>, answer: String) -> String {
    match led_to {
        Some(there) => format!("redirects to {}: {answer}", redact(there)),
        None => answer,
    }
}

/// Finds the source for `page`. `fetch` receives an address and its `Accept` header; its error is a
/// readable sentence.
///
/// # Errors
/// Returns what was tried and what each place answered.
pub async fn detect<F, Fut>(page: &Url, fetch: F) -> Result<Found, NotFound>
where
    F: FnMut(Url, &'static str) -> Fut,
    Fut: Future<Output = Result<Document, String>>,
{
    detect_with(page, fetch, |asked, document| std::future::ready(judge(&asked, &document))).await
}

/// Like [`detect`], with [`judge`] called by the caller, for example on another thread: documents
/// are untrusted, and parsing them takes time.
///
/// # Errors
/// Same as [`detect`].
pub async fn detect_with<F, Fut, J, Judged>(
    page: &Url,
    mut fetch: F,
    mut judge: J,
) -> Result<Found, NotFound>
where
    F: FnMut(Url, &'static str) -> Fut,
    Fut: Future<Output = Result<Document, String>>,
    J: FnMut(Url, Document) -> Judged,
    Judged: Future<Output = Verdict>,
{
    let mut tried = Vec::new();
    let first = match fetch(page.clone(), ACCEPT_PAGE).await {
        Ok(document) => match judge(page.clone(), document.clone()).await {
            Verdict::Found(found) => return Ok(found),
            Verdict::No(answer) => {
                let led_to = led_to(page, &document.url);
                tried.push((page.clone(), from(led_to.as_ref(), answer)));
                Some(document)
            }
        },
        Err(error) => {
            tried.push((page.clone(), one_line(&error, 500)));
            None
        }
    };
    let html = first.as_ref().filter(|document| document.shape() == Shape::Html);
    if let Some(reason) = html.and_then(|document| page::refusal(page, document)) {
        return Err(NotFound { page: page.clone(), reason: Some(reason), tried });
    }
    for candidate in candidates(page, html, first.as_ref()) {
        if tried.len() >= MAX_REQUESTS || (first.is_none() && all_alike(&tried)) {
            break;
        }
        if tried.iter().any(|(url, _)| *url == candidate.url) {
            continue;
        }
        let answer = match fetch(candidate.url.clone(), candidate.accept).await {
            Ok(document) => {
                let led_to = led_to(&candidate.url, &document.url);
                match judge(candidate.url.clone(), document).await {
                    Verdict::Found(found) if !same_site(&candidate.url, &found) => {
                        format!("led to {}{ANOTHER_SITE}", redact(&found.url))
                    }
                    // Many hosts have a feed at the usual places: that of their blog.
                    Verdict::Found(found)
                        if found.source == FEED && !page::is_about_status(&found, html) =>
                    {
                        format!(
                            "{A_FEED}nothing indicates that it is about the status of a service"
                        )
                    }
                    Verdict::Found(found) => return Ok(found),
                    Verdict::No(answer) => from(led_to.as_ref(), answer),
                }
            }
            Err(error) => one_line(&error, 500),
        };
        tried.push((candidate.url, answer));
    }
    Err(NotFound { page: page.clone(), reason: None, tried })
}

/// Returns whether the page and the first guesses failed with the same message: the host does not
/// exist or rejects every client.
fn all_alike(tried: &[(Url, String)]) -> bool {
    tried.len() >= SAME_FAILURES
        && tried.windows(2).all(|pair| matches!(pair, [(_, one), (_, other)] if one == other))
}

/// A place where a first document may be.
struct Candidate {
    url: Url,
    accept: &'static str,
}

/// Returns where to look, best guess first: each source in table order, those the page hints at
/// before the others; feeds the page links to before the usual places of feeds.
fn candidates(page: &Url, html: Option<&Document>, first: Option<&Document>) -> Vec<Candidate> {
    let mut pages = vec![page.clone()];
    // The target of a redirect to another host is the page's real address and comes first.
    if let Some(home) =
        first.map(|document| &document.url).filter(|url| url.host_str() != page.host_str())
    {
        pages.insert(0, home.clone());
    }
    let text = html.map(Document::text).unwrap_or_default();
    let hinted = page::hinted(&pages, &text);
    let (feeds, others): (Vec<_>, Vec<_>) =
        SOURCES.iter().copied().partition(|source| source.name() == FEED);
    let (first, second): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|source| hinted.contains(&source.name()));
    let (common, rare): (Vec<_>, Vec<_>) =
        second.into_iter().enumerate().partition(|(place, _)| *place < COMMON);
    let named: Vec<Candidate> = html
        .map(|document| page::feeds(&document.url, &text))
        .unwrap_or_default()
        .into_iter()
        .map(|url| Candidate { url, accept: feeds.first().map_or("*/*", |feed| feed.accept()) })
        .collect();
    let mut out = Vec::new();
    for source in first.into_iter().chain(common.into_iter().map(|(_, source)| source)) {
        add(&mut out, source, &pages);
    }
    // Feeds the page links to beat any guess, so the guesses leave room for them.
    out.truncate(MAX_REQUESTS.saturating_sub(1 + named.len()));
    out.extend(named);
    for source in feeds.into_iter().chain(rare.into_iter().map(|(_, source)| source)) {
        add(&mut out, source, &pages);
    }
    out
}

/// The fallback source: other documents of a page contain more than its feed.
const FEED: &str = "feed";

fn add(out: &mut Vec<Candidate>, source: &dyn Source, pages: &[Url]) {
    for url in pages.iter().flat_map(|page| source.locate(page)) {
        if !out.iter().any(|candidate| candidate.url == url) {
            out.push(Candidate { url, accept: source.accept() });
        }
    }
}

/// The result of examining a document.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// A source recognizes the document and can parse it.
    Found(Found),
    /// No source does; describes what the document is instead.
    No(String),
}

/// Finds the source of the document fetched from `asked`, or describes what the document is
/// instead.
#[must_use]
pub fn judge(asked: &Url, document: &Document) -> Verdict {
    let mut broken = None;
    for source in SOURCES {
        let Some(reason) = source.detect(document) else {
            continue;
        };
        match source.parse(&Documents::only(document.clone()), Limits::default()) {
            Ok(snapshot) => {
                let url =
                    if document.url.host_str() == asked.host_str() { asked } else { &document.url };
                return Verdict::Found(Found {
                    source: source.name(),
                    url: url.clone(),
                    reason,
                    page_name: snapshot.page.name,
                });
            }
            Err(error) => {
                broken = Some(format!("{NEARLY}{} but cannot be read: {error}", source.name()));
            }
        }
    }
    Verdict::No(broken.unwrap_or_else(|| describe(document)))
}

/// Describes, in a few words, a document that no source recognizes.
#[must_use]
pub fn describe(document: &Document) -> String {
    match document.shape() {
        Shape::Empty => "an empty answer".to_owned(),
        Shape::Html => match html_title(&document.text()) {
            Some(title) => format!("an HTML page, \"{title}\""),
            None => "an HTML page".to_owned(),
        },
        Shape::Json => "JSON of no known platform".to_owned(),
        Shape::Xml => "XML of no known kind".to_owned(),
        Shape::Other => "neither HTML, JSON nor XML".to_owned(),
    }
}

/// Returns whether a redirect of a guessed path stayed on the same site: same host, or hosts with
/// the same last two labels.
fn same_site(asked: &Url, found: &Found) -> bool {
    let site = |url: &Url| {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        match url.domain() {
            Some(_) => host.rsplit('.').take(2).map(str::to_owned).collect::<Vec<_>>(),
            None => vec![host],
        }
    };
    site(asked) == site(&found.url)
}

#[cfg(test)]
mod tests;
