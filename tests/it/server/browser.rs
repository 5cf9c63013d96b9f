//! The dashboard in a real browser: Debian's chromium, driven by chromedriver over plain HTTP.
//!
//! Ignored unless asked for: `cargo test --test it -- --ignored browser`. `chromium` and
//! `chromedriver` must be in `PATH`; `STATUSWATCH_AXE` names `axe.min.js` of axe-core. Figures are
//! printed with `--nocapture`.

mod driver;

use serde_json::json;
use statuswatch::event::{Impact, IncidentStatus};

use self::driver::Browser;
use super::proxy::Proxy;
use super::*;
use crate::support::wait::until_true;

/// A provider with one incident, served.
async fn with_incident() -> (Provider, Server, Bench, Served) {
    let http = HTTP.replace("metrics:", "public: [page], metrics:");
    let (acme, server, bench) = acme(&http).await;
    // One that cannot be reached, so that its row is as full as it can be.
    let bench = bench.section("channels: {ops: {kind: webhook, url: \"http://127.0.0.1:1/\"}}");
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let served = Served::start(&bench).await;
    until_true("the incident", || !bench.events().is_empty()).await;
    (acme, server, bench, served)
}

/// Every page of a server with one incident.
async fn pages(served: &Served) -> Vec<String> {
    let key = served.get("/api/v1/incidents").await.json()["incidents"][0]["key"].clone();
    let incident = format!("/incidents/{}", key.as_str().unwrap());
    let fixed = [
        "/",
        "/providers",
        "/providers/acme",
        "/incidents",
        "/maintenances",
        "/channels",
        "/routes",
    ];
    fixed.map(str::to_owned).into_iter().chain([incident]).collect()
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
    acme.update(posted.incident, IncidentStatus::Resolved, "It is over.");
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
    let browser = Browser::open(360, 740).await;
    for target in pages(&served).await {
        browser.go(&served, &target).await;
        browser.until_live().await;
        let widths =
            browser.run("return [document.documentElement.scrollWidth, window.innerWidth]").await;
        assert_eq!(widths[0], widths[1], "{target}");
        let small = "return [...document.querySelectorAll('header a, button, .filter input, .filter select, .tiles a')]
            .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)";
        assert_eq!(browser.run(small).await, json!([]), "{target}");
        assert_eq!(browser.console().await, json!([]), "{target}");
    }
    browser.go(&served, "/public").await;
    browser.until("the page", "return document.querySelector('article h3') !== null").await;
    let widths =
        browser.run("return [document.documentElement.scrollWidth, window.innerWidth]").await;
    assert_eq!(widths[0], widths[1], "/public");
    assert_eq!(browser.console().await, json!([]), "/public");
    assert_eq!(browser.run("return document.scripts.length").await, 0);
    assert_eq!(
        browser
            .run("return getComputedStyle(document.querySelector('article')).borderTopStyle")
            .await,
        "solid"
    );
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
    let targets = pages(&served).await;
    let browser = Browser::open(1280, 900).await;
    let axe_on = async |what: &str| {
        browser.run(&axe).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run().then((found) => done(found.violations.map((one) =>
                [one.id, one.help, one.nodes.map((node) => node.html).slice(0, 3)])))";
        let found = browser.command("execute/async", json!({"script": script, "args": []})).await;
        assert_eq!(found, json!([]), "{what}");
    };
    for theme in ["light", "dark"] {
        // The page for strangers follows the system alone.
        let media = json!({"cmd": "Emulation.setEmulatedMedia", "params":
            {"features": [{"name": "prefers-color-scheme", "value": theme}]}});
        browser.command("goog/cdp/execute", media).await;
        browser.go(&served, "/public").await;
        let dark = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches").await;
        assert_eq!(dark, theme == "dark");
        axe_on(&format!("{theme} /public")).await;
        for target in &targets {
            browser.go(&served, target).await;
            browser.run(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            axe_on(&format!("{theme} {target}")).await;
        }
    }
}

/// What the page shows of the sequence numbers that its streams brought.
async fn seen(browser: &Browser) -> Vec<u64> {
    serde_json::from_value(browser.run("return window.seen").await).unwrap()
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn a_stream_that_is_cut_resumes_without_a_gap() {
    let (acme, _server, bench, served) = with_incident().await;
    let proxy = Proxy::start(served.address).await;
    let browser = Browser::open(1280, 900).await;
    browser.go_by(proxy.address, "/").await;
    browser.until_live().await;
    browser.run("window.stays = true").await;
    acme.open_incident("Slow queries", Impact::Critical, &["Object storage"], "They are slow.");
    browser.until("an event", "return window.seen.length > 0").await;
    // Each time something is missed: while nobody answers, and while the connection is being cut.
    for round in 0..3 {
        proxy.cut();
        browser
            .until("a lost stream", "return document.querySelector('#live').dataset.state !== 'on'")
            .await;
        let known = bench.events().len();
        acme.open_incident(&format!("Missed {round}"), Impact::Minor, &["Compute"], "It fails.");
        until_true("the missed events", || bench.events().len() > known).await;
        proxy.restore();
        let shown = format!("return document.body.textContent.includes('Missed {round}')");
        browser.until("what was missed", &shown).await;
        browser.until_live().await;
    }
    let newest = served.get("/api/v1/events").await.json()["newest"].as_u64().unwrap();
    browser.until("the newest", &format!("return window.seen.includes({newest})")).await;
    let seen = seen(&browser).await;
    assert_eq!(seen, (seen[0]..=newest).collect::<Vec<_>>(), "each once and in order");
    assert_eq!(browser.run("return window.stays").await, true);
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn a_hidden_tab_has_no_stream_and_catches_up_when_it_is_shown() {
    let (acme, _server, bench, served) = with_incident().await;
    let browser = Browser::on_a_desk().await;
    browser.go(&served, "/").await;
    browser.until_live().await;
    browser.run("window.stays = true").await;
    let page = browser.property("window").await;
    let other = browser.command("window/new", json!({"type": "tab"})).await["handle"].clone();
    browser.command("window", json!({"handle": other})).await;
    eventually("no stream", async || {
        served.metric("statuswatch_http_streams").await.filter(|count| *count < 1.0)
    })
    .await;
    let known = bench.events().len();
    acme.open_incident("Slow queries", Impact::Critical, &["Object storage"], "They are slow.");
    until_true("the missed events", || bench.events().len() > known).await;
    browser.command("window", json!({"handle": page})).await;
    browser.until("the title", "return document.title.startsWith('(2) ')").await;
    browser
        .until(
            "the incident",
            "return document.querySelector('.card h3').textContent === 'Slow queries'",
        )
        .await;
    browser.until_live().await;
    assert_eq!(browser.run("return window.stays").await, true);
    let newest = served.get("/api/v1/events").await.json()["newest"].as_u64().unwrap();
    browser.until("the newest", &format!("return window.seen.includes({newest})")).await;
    let seen = seen(&browser).await;
    assert_eq!(seen, (seen[0]..=newest).collect::<Vec<_>>(), "each once and in order");
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn the_policy_blocks_nothing_of_ours_whatever_a_provider_writes() {
    const HOSTILE: &str = "<script>window.taken = 1</script><img src=x onerror='window.taken = 1'>\"><svg/onload=window.taken=1> javascript:window.taken=1";
    let (acme, _server, _bench, served) = with_incident().await;
    acme.open_incident(HOSTILE, Impact::Critical, &["Compute"], HOSTILE);
    let key = eventually("the incident", async || {
        let list = served.get("/api/v1/incidents").await.json();
        let all = list["incidents"].as_array()?;
        let hostile = all.iter().find(|one| one["title"].as_str().unwrap().contains("window"))?;
        Some(hostile["key"].as_str().unwrap().to_owned())
    })
    .await;
    let incident = format!("/incidents/{key}");
    let browser = Browser::open(1280, 900).await;
    let targets = [
        "/",
        "/providers",
        "/providers/acme",
        "/incidents",
        &incident,
        "/maintenances",
        "/channels",
        "/routes",
    ];
    for target in targets {
        browser.go(&served, target).await;
        browser.until_live().await;
        let found = browser.run("return [window.blocked, window.taken ?? null]").await;
        assert_eq!(found, json!([[], null]), "{target}");
        assert_eq!(browser.console().await, json!([]), "{target}");
        let links = "return [...document.querySelectorAll('a[href]')].map((a) => a.protocol)
            .filter((protocol) => !['http:', 'https:'].includes(protocol))";
        assert_eq!(browser.run(links).await, json!([]), "{target}");
    }
    browser.go(&served, &incident).await;
    let text = browser.run("return document.querySelector('main').textContent").await;
    assert!(text.as_str().unwrap().contains("<script>window.taken = 1</script>"), "{text}");
    // The counter counts: this one is blocked.
    browser
        .run("const s = document.createElement('script'); s.textContent = 'window.taken = 1'; document.body.append(s)")
        .await;
    browser.until("what is blocked", "return window.blocked.length === 1").await;
    assert_eq!(browser.run("return window.taken ?? null").await, json!(null));
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn an_event_is_shown_soon_after_it_is_recorded() {
    const ROUNDS: usize = 8;
    let (acme, _server, bench, served) = with_incident().await;
    let browser = Browser::open(1280, 900).await;
    browser.go(&served, "/").await;
    browser.until_live().await;
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let title = format!("Failure {round}");
        // A page is fetched at most every 2 s. What is measured is an event after a quiet time.
        let quiet =
            "const all = performance.getEntriesByType('resource').map((one) => one.responseEnd);
            return performance.now() - Math.max(0, ...all) > 2100";
        browser.until("a quiet page", quiet).await;
        // Set before anything can happen, so that the time is that of the change of the page.
        let watch = format!(
            "window.shown = 0;
            const watcher = new MutationObserver(() => {{
                if (!document.querySelector('main').textContent.includes('{title}')) return;
                window.shown = Date.now();
                watcher.disconnect();
            }});
            watcher.observe(document.body, {{childList: true, subtree: true, characterData: true}});"
        );
        browser.run(&watch).await;
        acme.open_incident(&title, Impact::Critical, &["Compute"], "They fail.");
        browser.until("the incident", "return window.shown > 0").await;
        let shown = browser.run("return window.shown").await.as_i64().unwrap();
        let event = until("the event", || {
            bench.events().into_iter().find(|event| event["title"] == title.as_str())
        })
        .await;
        let recorded = event["observed_at"].as_str().unwrap();
        let recorded = chrono::DateTime::parse_from_rfc3339(recorded).unwrap();
        took.push(shown - recorded.timestamp_millis());
    }
    took.sort_unstable();
    println!(
        "observed to shown in a browser, {ROUNDS} incidents: median {} ms, worst {} ms",
        took[ROUNDS / 2],
        took[ROUNDS - 1]
    );
    assert!(took[ROUNDS - 1] < 10_000, "{took:?}");
}

/// All of them cannot be read and some have reported incidents before: the worst for the size.
#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn ten_thousand_providers_fit_a_small_page() {
    const COUNT: usize = 10_000;
    let page = provider("acme", &Statuspage);
    for number in 0..40 {
        let text = "They fail, and we are looking into it. ".repeat(20);
        page.open_incident(&format!("Failure {number}"), Impact::Major, &["Compute"], &text);
    }
    let server = alone(&page).await;
    let mut bench = Bench::new().section(HTTP).provider("acme", &server.url("acme"), "");
    for number in 1..COUNT {
        bench.add(&format!("provider-{number}"), "http://127.0.0.1:1/", ", interval: 1h");
    }
    let served = Served::start(&bench).await;
    eventually("the incidents", async || {
        let list = served.get("/api/v1/incidents").await.json();
        (list["incidents"].as_array()?.len() == 40).then_some(())
    })
    .await;
    let browser = Browser::open(1280, 900).await;
    for target in ["/", "/providers", "/incidents", "/providers?q=99&state=blind"] {
        let begun = Instant::now();
        let answer = served.get(target).await;
        let first = begun.elapsed();
        assert_eq!(answer.status(), 200, "{target}");
        browser.go(&served, target).await;
        browser.until_live().await;
        let timing = "const one = performance.getEntriesByType('navigation')[0];
            const script = performance.getEntriesByType('resource').find((one) => one.name.includes('/assets/script-'));
            return [Math.round(one.responseStart), Math.round(one.domContentLoadedEventEnd), one.decodedBodySize, script.decodedBodySize]";
        let found = browser.run(timing).await;
        let figure = |at: usize| found[at].as_u64().unwrap();
        println!(
            "{target}: {} KB, script {} KB; whole answer in {first:.0?}; in the browser: first byte {} ms, ready {} ms",
            figure(2) / 1000,
            figure(3) / 1000,
            figure(0),
            figure(1)
        );
        assert!(figure(2) <= 100 << 10, "{target}: {}", figure(2));
        assert!(figure(3) <= 15 << 10, "{target}: {}", figure(3));
        assert_eq!(browser.console().await, json!([]), "{target}");
    }
    let text = served.get("/").await.text();
    assert!(text.contains("of 10,000 providers"), "{text}");
}

#[tokio::test]
#[ignore = "needs chromedriver: apt-get install chromium chromium-driver"]
async fn a_provider_is_muted_and_unmuted_with_a_form() {
    let (_acme, _server, _bench, served) = with_incident().await;
    let browser = Browser::open(1280, 900).await;
    browser.go(&served, "/providers/acme").await;
    browser.until_live().await;
    browser
        .run("document.querySelector('#mutes [name=reason]').value = 'a deploy'; document.querySelector('#mutes form button').click()")
        .await;
    browser.until("the page again", "return location.hash === '#mutes'").await;
    browser.until_live().await;
    let muted = "return document.querySelector('#mutes').textContent.includes('a deploy')";
    browser.until("the mute", muted).await;
    let list = served.get("/api/v1/mutes").await.json();
    assert_eq!(list["mutes"][0]["reason"], "a deploy");
    browser.run("document.querySelector('#mutes form[action$=unmute] button').click()").await;
    eventually("no mute", async || {
        let list = served.get("/api/v1/mutes").await.json();
        list["mutes"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    assert_eq!(browser.console().await, json!([]));
}
