//! Hints from an address and its HTML.

use url::Url;

use super::Found;
use crate::support::html_title;
use crate::{SOURCES, Source};
use statuswatch_model::document::Document;

/// How much HTML is examined, in bytes; the relevant parts are in its head.
const MAX_HTML: usize = 256 * 1024;
/// Maximum number of feeds of one page that are tried.
pub(super) const MAX_FEEDS: usize = 4;

/// Returns why this HTML page is a known dead end, if it is one.
pub(super) fn refusal(asked: &Url, document: &Document) -> Option<String> {
    let title = html_title(&document.text())?;
    SOURCES.iter().find_map(|source| source.refusal(asked, &title))
}

/// Returns the sources that hosts or HTML hint at.
pub(super) fn hinted(pages: &[Url], html: &str) -> Vec<&'static str> {
    let lower = head(html).to_ascii_lowercase();
    let is_hinted = |source: &&dyn Source| {
        let mut hosts = pages.iter().filter_map(Url::host_str);
        hosts.any(|host| source.hosts().iter().any(|end| host.ends_with(end)))
            || source.marks().iter().any(|mark| lower.contains(mark))
    };
    SOURCES.iter().copied().filter(is_hinted).map(Source::name).collect()
}

/// Returns whether a feed found at `found` belongs to a status page, judging by its address, its
/// title or the title of the page that links to it.
pub(super) fn is_about_status(found: &Found, html: Option<&Document>) -> bool {
    mentions_status(found.url.as_str())
        || found.page_name.as_deref().is_some_and(mentions_status)
        || html
            .and_then(|document| html_title(&document.text()))
            .is_some_and(|title| mentions_status(&title))
}

/// Returns the feeds a page links to with `<link rel="alternate">` that look like those of a status
/// page: a home page links to its blog's feed the same way.
pub(super) fn feeds(page: &Url, html: &str) -> Vec<Url> {
    let head = head(html);
    let lower = head.to_ascii_lowercase();
    let about_status = mentions_status(page.as_str())
        || html_title(head).is_some_and(|title| mentions_status(&title));
    let mut feeds = Vec::new();
    let mut at = 0;
    while let Some(start) =
        lower.get(at..).and_then(|rest| rest.find("<link")).map(|found| at + found)
    {
        let Some(end) =
            lower.get(start..).and_then(|rest| rest.find('>')).map(|found| start + found)
        else {
            break;
        };
        at = end;
        let Some(tag) = head.get(start..end) else {
            break;
        };
        if !is_feed_link(tag) || !(about_status || mentions_status(tag)) {
            continue;
        }
        let Some(url) = attribute(tag, "href").and_then(|href| page.join(&href).ok()) else {
            continue;
        };
        if matches!(url.scheme(), "http" | "https") && !feeds.contains(&url) {
            feeds.push(url);
        }
        if feeds.len() == MAX_FEEDS {
            break;
        }
    }
    feeds
}

fn is_feed_link(tag: &str) -> bool {
    let is = |name: &str, check: fn(&str) -> bool| {
        attribute(tag, name).is_some_and(|value| check(&value.to_ascii_lowercase()))
    };
    is("rel", |rel| rel.split_whitespace().any(|word| word == "alternate"))
        && is("type", |kind| {
            matches!(
                kind.trim(),
                "application/rss+xml" | "application/atom+xml" | "application/feed+json"
            )
        })
}

/// Returns whether a text is about the status of a service.
fn mentions_status(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["status", "incident", "outage", "uptime", "health"].iter().any(|word| lower.contains(word))
}

/// Returns an attribute's value, quoted or not, with entities decoded.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let mut at = 0;
    loop {
        let found = at + lower.get(at..)?.find(name)?;
        at = found + name.len();
        let before = lower.get(..found)?.chars().next_back()?;
        let Some(rest) = tag.get(at..)?.trim_start().strip_prefix('=') else {
            continue;
        };
        if !before.is_whitespace() && !matches!(before, '"' | '\'') {
            continue;
        }
        let rest = rest.trim_start();
        let value = match rest.chars().next()? {
            quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next()?,
            _ => rest.split(|c: char| c.is_whitespace()).next()?.trim_end_matches('/'),
        };
        return Some(statuswatch_model::text::decode_entities(value).trim().to_owned());
    }
}

fn head(html: &str) -> &str {
    let mut end = html.len().min(MAX_HTML);
    while !html.is_char_boundary(end) {
        end -= 1;
    }
    html.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str, html: &str) -> Vec<String> {
        feeds(&Url::parse(page).unwrap(), html).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn feeds_are_found_however_the_tag_is_written() {
        let html = r#"<LINK href='/feed.atom?a=1&amp;b=2' title="x" TYPE="application/atom+xml" rel="alternate">
            <link rel=alternate type=application/rss+xml href=history.rss />
            <link rel="stylesheet" type="text/css" href="/a.css"><link data-href="no" rel="alternate" hreflang="de" href="/de">"#;
        assert_eq!(
            found("https://status.acme.example/x/", html),
            [
                "https://status.acme.example/feed.atom?a=1&b=2",
                "https://status.acme.example/x/history.rss"
            ]
        );
    }

    #[test]
    fn the_feed_of_a_blog_is_not_that_of_a_status_page() {
        let blog = r#"<title>Acme</title><link rel="alternate" type="application/rss+xml" title="Blog" href="/blog.rss">"#;
        assert_eq!(found("https://acme.example/", blog), Vec::<String>::new());
        assert_eq!(
            found("https://acme.example/", &blog.replace("Acme", "Acme System Status")).len(),
            1
        );
        assert_eq!(
            found("https://acme.example/", &blog.replace("blog.rss", "incidents.rss")).len(),
            1
        );
    }

    #[test]
    fn a_malformed_page_yields_no_feeds() {
        for html in [
            "<link",
            "<link rel",
            "<link rel=>",
            "<link href=\"",
            "<title",
            "<link rel='alternate' type='application/rss+xml'>",
        ] {
            assert_eq!(found("https://status.acme.example/", html), Vec::<String>::new(), "{html}");
        }
    }

    #[test]
    fn marks_are_in_lower_case_and_no_hint_is_empty() {
        for source in SOURCES {
            for hint in source.hosts().iter().chain(source.marks()) {
                assert!(!hint.is_empty(), "{}", source.name());
                assert_eq!(*hint, hint.to_ascii_lowercase(), "{}", source.name());
            }
        }
    }

    #[test]
    fn hosts_and_marks_hint_at_sources() {
        let page = [Url::parse("https://acme.statuspage.io/").unwrap()];
        assert_eq!(hinted(&page, "<a>Powered by incident.io</a>"), ["statuspage", "incidentio"]);
    }
}
