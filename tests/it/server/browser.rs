//! The dashboard in a real browser: Debian's chromium, driven by chromedriver over plain HTTP.
//!
//! Ignored unless asked for: `cargo test --test it -- --ignored browser`. `chromium` and
//! `chromedriver` must be in `PATH`; `STATUSWATCH_AXE` names `axe.min.js` of axe-core. Figures are
//! printed with `--nocapture`.

mod driver;

use serde_json::json;
use statuswatch::event::{Impact, Status};

use self::driver::Browser;
use super::*;
use crate::support::wait::until_true;

/// A provider with one incident, served.
async fn with_incident() -> (Provider, Server, Bench, Served) {
    let (acme, server, bench) = acme(HTTP).await;
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let served = Served::start(&bench).await;
    until_true("the incident", || !bench.events().is_empty()).await;
    (acme, server, bench, served)
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn a_new_incident_appears_without_a_reload() {
    let (acme, _server, bench, served) = with_incident().await;
    let browser = Browser::open(1280, 900).await;
    browser.go(&served, "/").await;
    browser.until_live().await;
    browser.run("window.stays = true").await;
    let posted =
        acme.open_incident("Slow queries", Impact::Critical, &["Object storage"], "They are slow.");
    browser
        .until(
            "the incident",
            "return document.querySelector('.card h3').textContent === 'Slow queries'",
        )
        .await;
    browser.until("the title", "return document.title.startsWith('(2) ')").await;
    let said = browser.run("return document.querySelector('#news').textContent").await;
    assert_eq!(said, "New incident: acme: Slow queries, impact critical");
    acme.update(posted.incident, Status::Resolved, "It is over.");
    browser.until("its end", "return document.title.startsWith('(1) ')").await;
    // Still the same document.
    assert_eq!(browser.run("return window.stays").await, true);
    assert_eq!(browser.console().await, json!([]));
    // A server that is gone is noticed: what is shown is not taken for the present.
    drop((served, bench));
    browser
        .until("a lost stream", "return document.querySelector('#live').dataset.state !== 'on'")
        .await;
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn a_phone_scrolls_in_one_direction_alone() {
    let (_acme, _server, _bench, served) = with_incident().await;
    let key = served.get("/api/v1/incidents").await.json()["incidents"][0]["key"].clone();
    let incident = format!("/incidents/{}", key.as_str().unwrap());
    let browser = Browser::open(360, 740).await;
    for target in [
        "/",
        "/providers",
        "/providers/acme",
        "/incidents",
        &incident,
        "/maintenances",
        "/channels",
        "/routes",
    ] {
        browser.go(&served, target).await;
        browser.until_live().await;
        let widths =
            browser.run("return [document.documentElement.scrollWidth, window.innerWidth]").await;
        assert_eq!(widths[0], widths[1], "{target}");
        let small = "return [...document.querySelectorAll('header a, button, .filter input, .filter select, .tiles a')]
            .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)";
        assert_eq!(browser.run(small).await, json!([]), "{target}");
        assert_eq!(browser.console().await, json!([]), "{target}");
    }
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn everything_can_be_reached_with_keys() {
    let (_acme, _server, _bench, served) = with_incident().await;
    let browser = Browser::open(1280, 900).await;
    let ready = "return !document.querySelector('#help').hidden";
    browser.go(&served, "/").await;
    browser.until("the script", ready).await;
    browser.press("j").await;
    let focused = "return document.activeElement.textContent";
    assert_eq!(browser.run(focused).await, "Failed requests");
    browser.press("\u{e007}").await;
    browser.until("the incident", "return location.pathname.startsWith('/incidents/')").await;
    browser.until("the script", ready).await;
    browser.press("?").await;
    browser.until("the help", "return document.querySelector('#keys').open").await;
    browser.press("\u{e00c}").await;
    browser.until("no help", "return !document.querySelector('#keys').open").await;
    browser.press("/").await;
    browser.until("the list", "return location.pathname === '/providers'").await;
    browser.until("the script", ready).await;
    browser.press("/").await;
    assert_eq!(browser.run("return document.activeElement.name").await, "q");
    // What is typed is no command.
    browser.press("m").await;
    assert_eq!(browser.run("return document.activeElement.value").await, "m");
    browser.press("\u{e00c}").await;
    browser.press("m").await;
    browser.until("maintenances", "return location.pathname === '/maintenances'").await;
    // The first stop of the tabulator leads past the navigation.
    browser.press("\u{e004}").await;
    assert_eq!(browser.run("return document.activeElement.className").await, "skip");
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn axe_finds_nothing() {
    let axe = std::env::var("STATUSWATCH_AXE").expect("STATUSWATCH_AXE: axe.min.js of axe-core");
    let axe = std::fs::read_to_string(axe).unwrap();
    let (_acme, _server, _bench, served) = with_incident().await;
    let key = served.get("/api/v1/incidents").await.json()["incidents"][0]["key"].clone();
    let incident = format!("/incidents/{}", key.as_str().unwrap());
    let browser = Browser::open(1280, 900).await;
    for theme in ["light", "dark"] {
        for target in [
            "/",
            "/providers",
            "/providers/acme",
            "/incidents",
            &incident,
            "/maintenances",
            "/channels",
            "/routes",
        ] {
            browser.go(&served, target).await;
            browser.run(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            browser.run(&axe).await;
            let script = "const done = arguments[arguments.length - 1];
                axe.run().then((found) => done(found.violations.map((one) =>
                    [one.id, one.help, one.nodes.map((node) => node.html).slice(0, 3)])))";
            let found =
                browser.command("execute/async", json!({"script": script, "args": []})).await;
            assert_eq!(found, json!([]), "{theme} {target}");
        }
    }
}
