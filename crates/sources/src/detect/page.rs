//! Hints from an address and its HTML.

use url::Url;

use super::Found;
use crate::support::html_title;
use statuswatch_model::document::Document;

/// How much HTML is examined, in bytes; the relevant parts are in its head.
const MAX_HTML: usize = 256 * 1024;
/// Maximum number of feeds of one page that are tried.
pub(super) const MAX_FEEDS: usize = 4;

/// Hosts that belong to a platform.
const HOSTS: &[(&str, &str)] = &[
    (".statuspage.io", "statuspage"),
    (".metastatuspage.com", "statuspage"),
    (".status.atlassian.com", "statuspage"),
    (".status.page", "statuscast"),
    (".site24x7status.com", "site24x7"),
    (".openstatus.dev", "openstatus"),
    (".github.io", "upptime"),
    ("github.com", "upptime"),
    ("status.zendesk.com", "zendesk"),
    ("paypal-status.com", "paypal"),
    ("stats.uptimerobot.com", "uptimerobot"),
    (".statushub.io", "statushub"),
    (".instatus.com", "instatus"),
    (".betteruptime.com", "betterstack"),
    (".betterstack.com", "betterstack"),
    (".status.io", "statusio"),
    (".hostedstatus.com", "statusio"),
    (".sorryapp.com", "sorry"),
    ("statuspal.io", "statuspal"),
    ("statuspal.eu", "statuspal"),
    (".hyperping.app", "hyperping"),
    (".hyperping.io", "hyperping"),
    (".onlineornot.com", "onlineornot"),
    (".statuspage.datadoghq.com", "datadog"),
    (".checkly-status-page.com", "checkly"),
    (".google.com", "google"),
    ("health.aws.amazon.com", "aws"),
    ("status.aws.amazon.com", "aws"),
    ("status.heroku.com", "heroku"),
    ("apple.com", "apple"),
    ("status.dev.azure.com", "azuredevops"),
    ("azure.status.microsoft", "azure"),
    ("status.azure.com", "azure"),
    ("status.salesforce.com", "salesforce"),
    ("status.adobe.com", "adobe"),
    ("status.okta.com", "okta"),
    ("slack-status.com", "slack"),
    ("status.slack.com", "slack"),
];

/// HTML signatures of platforms.
const SIGNATURES: &[(&str, &str)] = &[
    ("dka575ofm4ao0.cloudfront.net", "statuspage"),
    ("statuspage-production", "statuspage"),
    ("powered by statuspage", "statuspage"),
    ("incident.io", "incidentio"),
    ("statuspages.globals.statuspagedetails", "site24x7"),
    ("/api/status/summary.json", "openstatus"),
    ("status page by statuscast", "statuscast"),
    ("getmonitorlist", "uptimerobot"),
    ("statushub.io", "statushub"),
    ("instatus.com", "instatus"),
    ("betteruptime.com", "betterstack"),
    ("betterstack.com", "betterstack"),
    ("statusio_", "statusio"),
    ("sorryapp.com", "sorry"),
    ("cachethq", "cachet"),
    ("rootly.com", "rootly"),
    ("hyperping.com", "hyperping"),
    ("cstate", "cstate"),
    ("firehydrant", "firehydrant"),
    (" | datadog</title>", "datadog"),
    ("uptime kuma", "uptimekuma"),
    ("gatus", "gatus"),
];

/// Returns why this HTML page is a known dead end, if it is one.
pub(super) fn refusal(asked: &Url, document: &Document) -> Option<String> {
    let title = html_title(&document.text())?;
    if title.ends_with("- Page Inactive") {
        return Some(format!("the owner has deactivated the page (\"{title}\")"));
    }
    let its_own = asked
        .host_str()
        .is_some_and(|host| host == "atlassian.com" || host.ends_with(".atlassian.com"));
    if title == "Statuspage | Atlassian" && !its_own {
        return Some(
            "this Statuspage address is unclaimed: it shows Statuspage's own advertisement"
                .to_owned(),
        );
    }
    None
}

/// Returns the sources that hosts or HTML hint at.
pub(super) fn hinted(pages: &[Url], html: &str) -> Vec<&'static str> {
    let lower = head(html).to_ascii_lowercase();
    let hosts = pages.iter().filter_map(Url::host_str);
    let by_host = hosts
        .flat_map(|host| HOSTS.iter().filter(move |(end, _)| host.ends_with(end)))
        .map(|(_, name)| *name);
    let by_signature =
        SIGNATURES.iter().filter(|(signature, _)| lower.contains(signature)).map(|(_, name)| *name);
    by_host.chain(by_signature).collect()
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
    fn hints_name_sources_that_exist() {
        for (signature, name) in HOSTS.iter().chain(SIGNATURES) {
            assert!(crate::by_name(name).is_some(), "{signature} hints at {name}");
        }
    }

    #[test]
    fn hosts_and_signatures_hint_at_sources() {
        let page = [Url::parse("https://acme.statuspage.io/").unwrap()];
        assert_eq!(hinted(&page, "<a>Powered by incident.io</a>"), ["statuspage", "incidentio"]);
    }
}
