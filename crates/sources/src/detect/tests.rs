//! Detection against a simulated web.

use std::cell::RefCell;
use std::collections::HashMap;

use super::*;

const SUMMARY: &str = r#"{"page": {"id": "acm3cl0udpg1", "name": "Acme Cloud", "url": "https://status.acme.example"},
    "status": {"indicator": "none"}, "components": [], "incidents": [], "scheduled_maintenances": []}"#;
const SHOP: &str = "<!doctype html><title>Acme shop</title>";

/// Pages by address; a catch-all answers every other address of its host.
#[derive(Default)]
struct Web {
    pages: HashMap<&'static str, (Option<&'static str>, String)>,
    catch_all: Option<&'static str>,
    asked: RefCell<Vec<String>>,
}

impl Web {
    fn page(mut self, url: &'static str, body: &str) -> Self {
        self.pages.insert(url, (None, body.to_owned()));
        self
    }

    fn redirect(mut self, url: &'static str, to: &'static str, body: &str) -> Self {
        self.pages.insert(url, (Some(to), body.to_owned()));
        self
    }

    async fn detect(&self, page: &str) -> Result<Found, NotFound> {
        detect(&Url::parse(page).unwrap(), |url, _| {
            self.asked.borrow_mut().push(url.to_string());
            let answer = match self.pages.get(url.as_str()) {
                Some((to, body)) => Ok(Document::new(
                    to.map_or(url, |to| Url::parse(to).unwrap()),
                    None,
                    body.clone(),
                )),
                None => match self.catch_all {
                    Some(body) => Ok(Document::new(url, None, body)),
                    None => Err("404 Not Found".to_owned()),
                },
            };
            std::future::ready(answer)
        })
        .await
    }
}

#[tokio::test]
async fn a_page_is_recognised_below_its_path_and_below_its_root() {
    for at in [
        "https://acme.example/status/api/v2/summary.json",
        "https://acme.example/api/v2/summary.json",
    ] {
        let web = Web { catch_all: Some(SHOP), ..Web::default() }.page(at, SUMMARY);
        let found = web.detect("https://acme.example/status").await.unwrap();
        assert_eq!(
            (found.source, found.url.as_str(), found.page_name.as_deref()),
            ("statuspage", at, Some("Acme Cloud"))
        );
        assert!(found.reason.contains("acm3cl0udpg1"));
    }
}

#[tokio::test]
async fn the_newer_platforms_are_recognised_from_a_bare_address() {
    let fixture = |path: &str| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
        std::fs::read_to_string(root.join(path)).unwrap()
    };
    let shell = "<!doctype html><html><title>Acme | Datadog</title><div id=\"root\"></div></html>";
    for (source, page, at, body) in [
        (
            "datadog",
            shell,
            "https://status.acme.example/config.json",
            fixture("datadog/open/01-config.json"),
        ),
        (
            "cloudflare",
            SHOP,
            "https://status.acme.example/api/v3/summary",
            fixture("cloudflare/open/01-v3.json"),
        ),
        (
            "incidentioglobal",
            SHOP,
            "https://status.acme.example/",
            fixture("incidentioglobal/open/01-home.html"),
        ),
        ("checkly", SHOP, "https://status.acme.example/", fixture("checkly/open/01-home.html")),
    ] {
        let web = Web { catch_all: Some(SHOP), ..Web::default() }
            .page("https://status.acme.example/", page)
            .page(at, &body);
        let found = web.detect("https://status.acme.example/").await.unwrap();
        assert_eq!((found.source, found.url.as_str()), (source, at));
    }
    // Cloudflare's own page answers in both ways, and the older one says more.
    let web = Web { catch_all: Some(SHOP), ..Web::default() }
        .page("https://status.acme.example/api/v3/summary", &fixture("cloudflare/open/01-v3.json"))
        .page("https://status.acme.example/api/v2/summary.json", SUMMARY);
    assert_eq!(web.detect("https://status.acme.example/").await.unwrap().source, "statuspage");
}

#[tokio::test]
async fn an_address_that_is_the_document_needs_one_request() {
    let web = Web::default().page("https://acme.example/x.json", SUMMARY);
    assert_eq!(web.detect("https://acme.example/x.json").await.unwrap().source, "statuspage");
    assert_eq!(web.asked.borrow().len(), 1);
}

#[tokio::test]
async fn a_host_that_answers_everything_is_no_status_page() {
    let web = Web { catch_all: Some(SHOP), ..Web::default() };
    let error = web.detect("https://acme.example/").await.unwrap_err();
    assert!(error.tried.len() <= MAX_REQUESTS);
    let summary = error.tried.iter().find(|(url, _)| url.path() == "/api/v2/summary.json");
    assert_eq!(summary.unwrap().1, "an HTML page, \"Acme shop\"");
    let places = error.tried.len() - 1;
    assert_eq!(
        error.to_string(),
        format!(
            "no status page was detected at https://acme.example/: an HTML page, \"Acme shop\"; \
             nor at {places} other places there; name its feed or API document as url"
        )
    );
    let asked = web.asked.borrow();
    let mut once = asked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), asked.len(), "no address is asked twice");
}

#[test]
fn every_place_is_within_the_requests_allowed() {
    let host: Url = "https://status.acme.example/".parse().unwrap();
    let places = candidates(&host, None, None).len();
    let most = 1 + places + page::MAX_FEEDS;
    assert!(
        most <= MAX_REQUESTS,
        "with the new source a bare host is asked for {most} documents: raise MAX_REQUESTS to that"
    );
}

#[tokio::test]
async fn a_signature_alone_does_not_count() {
    let broken = SUMMARY.replace("\"incidents\": []", "\"incidents\": [{}]");
    let web = Web::default().page("https://acme.example/api/v2/summary.json", &broken);
    let error = web.detect("https://acme.example/").await.unwrap_err().to_string();
    assert!(error.contains("looks like statuspage but cannot be read"), "{error}");
}

#[tokio::test]
async fn a_guess_that_leads_to_another_site_does_not_count_and_a_page_that_moved_does() {
    let web = Web::default().redirect(
        "https://acme.example/api/v2/summary.json",
        "https://other.test/summary.json",
        SUMMARY,
    );
    let error = web.detect("https://acme.example/").await.unwrap_err().to_string();
    assert!(error.contains("led to https://other.test/summary.json, another site"), "{error}");

    // To nothing that is a status page: both addresses are named.
    let web = Web::default().redirect("https://acme.example/", "https://acme.example/shop", SHOP);
    let error = web.detect("https://acme.example/").await.unwrap_err().to_string();
    let said = "at https://acme.example/: redirects to https://acme.example/shop: an HTML page";
    assert!(error.contains(said) && !error.contains('\n'), "{error}");

    let web = Web::default()
        .redirect("https://status.old.example/", "https://status.new.test/", SHOP)
        .page("https://status.new.test/api/v2/summary.json", SUMMARY);
    assert_eq!(
        web.detect("https://status.old.example/").await.unwrap().url.host_str(),
        Some("status.new.test")
    );
}

#[tokio::test]
async fn dead_ends_are_reported_immediately() {
    let inactive = "<html><title>Acme Status - Page Inactive</title>";
    let web = Web { catch_all: Some(inactive), ..Web::default() };
    let error = web.detect("https://acme.statuspage.io/").await.unwrap_err();
    assert!(error.reason.as_deref().unwrap().contains("deactivated"), "{error}");
    assert_eq!(web.asked.borrow().len(), 1);

    let web =
        Web { catch_all: Some("<html><title>Statuspage | Atlassian</title>"), ..Web::default() };
    let error = web.detect("https://acme.statuspage.io/").await.unwrap_err();
    assert!(error.to_string().contains("is unclaimed"), "{error}");
}

#[tokio::test]
async fn each_failure_is_reported_on_one_line() {
    let web = Web { catch_all: Some("<html><title>a\u{1b}[31m\nb</title>"), ..Web::default() };
    let error = web.detect("https://acme.example/").await.unwrap_err();
    assert!(error.tried.iter().all(|(_, answer)| !answer.contains(['\n', '\u{1b}'])), "{error}");
}

const FEED_BODY: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Acme news</title><link>https://acme.example/</link>
    <description>News</description><item><guid>1</guid><title>Hello</title><pubDate>Mon, 02 Feb 2026 10:00:00 GMT</pubDate>
    <description>Hello there</description></item></channel></rss>"#;

#[tokio::test]
async fn the_feed_a_status_page_names_is_found_and_that_of_a_blog_is_not() {
    let named = r#"<html><title>Acme Status</title><link rel="alternate" type="application/rss+xml" href="/odd/place.rss">"#;
    let web = Web::default()
        .page("https://acme.example/s", named)
        .page("https://acme.example/odd/place.rss", FEED_BODY);
    let found = web.detect("https://acme.example/s").await.unwrap();
    assert_eq!((found.source, found.url.as_str()), ("feed", "https://acme.example/odd/place.rss"));

    let web = Web::default()
        .page("https://acme.example/", SHOP)
        .page("https://acme.example/feed", FEED_BODY);
    let error = web.detect("https://acme.example/").await.unwrap_err().to_string();
    assert!(error.contains("https://acme.example/feed: a feed, but nothing indicates"), "{error}");
    assert_eq!(
        web.detect("https://acme.example/feed").await.unwrap().source,
        "feed",
        "asked for by name"
    );

    let web = Web::default()
        .page("https://status.acme.example/", SHOP)
        .page("https://status.acme.example/feed.rss", FEED_BODY);
    assert_eq!(web.detect("https://status.acme.example/").await.unwrap().url.path(), "/feed.rss");
}

#[tokio::test]
async fn the_platform_itself_is_preferred_to_its_feed() {
    let html = r#"<html><title>Acme Status</title><link rel="alternate" type="application/rss+xml" href="/history.rss">"#;
    let web = Web::default()
        .page("https://acme.example/", html)
        .page("https://acme.example/history.rss", FEED_BODY)
        .page("https://acme.example/api/v2/summary.json", SUMMARY);
    assert_eq!(web.detect("https://acme.example/").await.unwrap().source, "statuspage");
}

#[tokio::test]
async fn a_host_that_is_not_there_is_not_asked_sixteen_times() {
    let web = Web::default();
    let error = web.detect("https://acme.example/").await.unwrap_err();
    assert_eq!((error.tried.len(), web.asked.borrow().len()), (SAME_FAILURES, SAME_FAILURES));
}
