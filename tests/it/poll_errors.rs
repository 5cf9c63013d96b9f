//! Reports of failed polls: one line that a person can act on.

use statuswatch::event::Impact;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Fault, Provider, Server};

use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};
use crate::support::wait::{until, within};

const SUMMARY: &str = "api/v2/summary.json";

/// Of the provider, once it has failed.
async fn reason(bench: &Bench, id: &str) -> String {
    until("a reason in status", || bench.status_of(id)?["last_error"].as_str().map(str::to_owned))
        .await
}

fn raw(id: &str) -> Provider {
    Provider::raw(id, std::sync::Arc::new(chrono::Utc::now))
}

/// Both addresses are named, whether the target is a page for people or an error, and whether the
/// page was ever read before.
#[tokio::test]
async fn where_a_redirect_led_is_reported() {
    let (html, gone) = (raw("html"), raw("gone"));
    html.become_html(true);
    gone.fault(Fault::Status(404, None));
    let pages = ["tohtml", "togone", "known"].map(|id| provider(id, &Statuspage));
    let server =
        Server::start(Cluster::new([html, gone].into_iter().chain(pages.clone()))).await.unwrap();
    let (at_html, at_gone) = (format!("{}services", server.url("html")), server.url("gone"));
    pages[0].fault(Fault::Redirect { to: format!("{at_html}?search=x"), code: 301 });
    pages[1].fault(Fault::Redirect { to: at_gone.clone(), code: 302 });
    let known = format!("{}{SUMMARY}", server.url("known"));
    let bench = Bench::new()
        .provider("tohtml", &format!("{}{SUMMARY}", server.url("tohtml")), ", source: statuspage")
        .provider("togone", &format!("{}{SUMMARY}", server.url("togone")), "")
        .provider("known", &known, "");
    let run = bench.start(&["run"]);
    within("a good poll", server.wait_answered("known", 3)).await;
    pages[2].fault(Fault::Redirect { to: format!("{at_html}?search=x"), code: 301 });
    for (id, from, to, what) in [
        ("tohtml", SUMMARY, &at_html, "an HTML page"),
        ("togone", SUMMARY, &at_gone, "404 Not Found"),
        ("known", SUMMARY, &at_html, "an HTML page was answered"),
    ] {
        let said = reason(&bench, id).await;
        let asked = format!("{}{from}", server.url(id));
        assert!(said.contains(&format!("{asked} redirects to {to}")), "{id}: {said}");
        assert!(said.contains(what) && !said.contains("search=x"), "{id}: {said}");
        assert!(!said.contains('\n') && said.len() < 600, "{id}: {said}");
        assert_eq!(said.matches("redirects to").count(), 1, "{id}: {said}");
    }
    let ended = run.stop().await;
    for line in ended.err.lines() {
        assert!(line.len() < 700, "{line}");
    }
}

#[tokio::test]
async fn what_is_no_status_page_is_one_line_with_something_to_do() {
    let html = raw("html");
    html.become_html(true);
    let server = alone(&html).await;
    let bench = Bench::new().provider("html", &server.url("html"), "").provider(
        "named",
        &server.url("html"),
        ", source: statuspage",
    );
    let run = bench.start(&["run"]);
    let said = reason(&bench, "html").await;
    assert!(said.starts_with(&format!("no status page was detected at {}: ", server.url("html"))));
    assert!(said.contains("an HTML page, \"Welcome\"; nor at "), "{said}");
    assert!(said.ends_with("name its feed or API document as url"), "{said}");
    assert!(said.len() < 300 && !said.contains('\n'), "{said}");
    let named = reason(&bench, "named").await;
    assert!(named.contains("an HTML page, \"Welcome\", not a statuspage document"), "{named}");
    run.stop().await;
}

#[tokio::test]
async fn the_document_that_is_missing_is_named_where_it_is_not_the_users_address() {
    let acme = provider("acme", &Statuspage);
    acme.open_incident("Slow", Impact::Minor, &["Compute"], "Slow.");
    let server = alone(&acme).await;
    let bench = Bench::new().provider("acme", &server.url("acme"), "");
    let run = bench.start(&["run"]);
    within("a good poll", server.wait_answered("acme", 4)).await;
    acme.fault(Fault::Status(403, None));
    let said = reason(&bench, "acme").await;
    assert_eq!(said, format!("403 Forbidden at {}{SUMMARY}", server.url("acme")));
    run.stop().await;
}

#[tokio::test]
async fn an_unresolvable_name_appears_once_in_the_message() {
    let bench = Bench::new().provider("nowhere", "https://status.nowhere.invalid/", "");
    let ended = bench.start(&["run", "--once"]).ended().await;
    let line = ended.err.lines().find(|line| line.contains("cannot be read")).unwrap().to_owned();
    let said = reason(&bench, "nowhere").await;
    let name = "status.nowhere.invalid";
    // Without a network nobody can be asked.
    let either = [
        format!("the name {name} does not resolve"),
        format!("no name server answered for {name}"),
    ];
    assert!(either.contains(&said), "{said}");
    assert!(line.ends_with(&format!("nowhere cannot be read: {said}")), "{line}");
}
