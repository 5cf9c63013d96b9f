//! The page for strangers: what it shows, and what it never does.

use statuswatch::event::{Impact, IncidentStatus};

use super::*;
use crate::support::wait::until_true;

/// What stands where strangers must not see it.
const CANARY: &str = "canary";

/// What is between the tags.
fn words(html: &str) -> String {
    let body = html.split_once("<body>").unwrap().1;
    let texts = body.split('<').filter_map(|part| part.split_once('>').map(|(_, text)| text));
    texts.map(str::trim).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn it_is_there_only_where_it_is_named() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    assert_eq!(served.get("/public").await.status(), 404);

    let http = "http: {listen: \"127.0.0.1:0\", token_file: token, public: [page]}";
    let (_acme, _server, bench) = acme(http).await;
    std::fs::write(bench.path("token"), "0123456789abcdef-token").unwrap();
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let page = served.get("/public").await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.header("cache-control").as_deref(), Some("max-age=15"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    let text = page.text();
    // Nothing runs, nothing leads into what needs the token, nothing comes from elsewhere.
    for absent in ["<script", "<form", "<a ", "http://", "https://", " style="] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    let style = text.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let style = served.get(style).await;
    assert_eq!(style.header("content-type").as_deref(), Some("text/css; charset=utf-8"));
    assert!(style.header("cache-control").unwrap().contains("immutable"));
    for closed in ["/", "/providers", "/incidents", "/assets/x", "/api/v1/status", "/api/v1/top"] {
        assert_eq!(served.get(closed).await.status(), 401, "{closed}");
    }
    assert_eq!(served.get("/public/other.css").await.status(), 404);
}

#[tokio::test]
async fn strangers_see_incidents_and_none_of_our_affairs() {
    let acme = provider("acme", &Statuspage);
    let posted = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let server = alone(&acme).await;
    let channel = format!("http://127.0.0.1:1/canary?token={CANARY}-of-channel");
    let bench = Bench::new()
        .section(
            "http: {listen: \"127.0.0.1:0\", token_file: canary-token-file, public: [page],
             hooks: {canary-id: canary-hook-0123456789}}",
        )
        .section(&format!("channels: {{canary-channel: {{kind: webhook, url: \"{channel}\"}}}}"))
        .section(
            "routes: [{match: {tags: [canary-tag]}, to: [canary-channel]}, {to: [canary-channel]}]",
        )
        .provider(
            "canary-id",
            &format!("{}?token=canary-of-page", server.url("acme")),
            ", name: Acme, tags: [canary-tag]",
        )
        .provider("down", "http://127.0.0.1:1/canary-path?token=canary", ", name: Down");
    std::fs::write(bench.path("canary-token-file"), "0123456789-canary-token").unwrap();
    let served = Served::start(&bench).await;
    until_true("an event", || !bench.events().is_empty()).await;
    until_true("a failure of the provider", || {
        bench.status_of("down").is_some_and(|one| one["last_error"].is_string())
    })
    .await;
    // The page is made at most every 15 s, so the first one has to have everything.
    let token = [("Authorization", "Bearer 0123456789-canary-token")];
    eventually("a failure of the channel", async || {
        let list = served.get_with("/api/v1/channels", &token).await.json();
        list["channels"][0]["last_error"].is_string().then_some(())
    })
    .await;
    acme.update(posted.incident, IncidentStatus::Identified, "We know why.");
    until_true("the update", || {
        bench.events().iter().any(|event| event["message"] == "We know why.")
    })
    .await;
    let page = served.get("/public").await;
    let text = page.text();
    assert_eq!(page.status(), 200);
    let head = String::from_utf8_lossy(&page.bytes[..page.bytes.len() - page.body().len()]);
    for shown in [text.as_str(), &head] {
        assert!(!shown.to_ascii_lowercase().contains(CANARY), "{shown}");
    }
    for absent in ["127.0.0.1", "connect", "refused", "unreachable", "stale", "notified"] {
        assert!(!text.to_ascii_lowercase().contains(absent), "{absent}: {text}");
    }
    insta::assert_snapshot!(words(&super::pages::steady(&text)), @r"
    Of 2 providers: 1 with an outage, 1 not known
    As of
    . Load the page again for the present state.
    Providers
    Acme
    partial outage
    Down
    unknown
    Open incidents
    Failed requests
    major
    Acme
    :
    Compute
    Identified
    We know why.
    Investigating
    They fail.
    Maintenance
    None is planned.
    ");
}
