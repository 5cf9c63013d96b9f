//! What strangers may not do.

use statuswatch::event::Impact;
use statuswatch::server::listen::{MAX_BODY, MAX_CONNECTIONS};
use statuswatch::server::routes::{ROUTES, all};

use super::*;
use crate::support::wait::until_true;

const TOKEN: &str = "0123456789abcdef-first";

/// A name that resolves to this machine is not enough: the page that asks may be a stranger's.
#[tokio::test]
async fn only_our_own_names_are_answered() {
    let (_acme, _server, bench) =
        acme("http: {listen: \"127.0.0.1:0\", hosts: [status.acme.example], auth: none}").await;
    let served = Served::start(&bench).await;
    let with_host =
        async |host: &str| ask(served.address, "GET", "/healthz", host, &[], b"").await.status();
    for host in [
        "localhost",
        "LOCALHOST:9187",
        "127.0.0.1",
        "[::1]:1",
        "a.localhost",
        "status.acme.example:443",
        "Status.Acme.Example.",
    ] {
        assert_eq!(with_host(host).await, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"] {
        assert_eq!(with_host(host).await, 421, "{host}");
    }
    for bytes in [
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
    ] {
        let bytes = bytes.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let answer = String::from_utf8_lossy(&send(served.address, bytes.as_bytes()).await.bytes)
            .into_owned();
        assert!(answer.contains(" 400 "), "{bytes}: {answer}");
    }
}

#[tokio::test]
async fn another_page_can_change_nothing() {
    let hook = "0123456789abcdef-hook";
    let (_acme, _server, bench) =
        acme(&format!("http: {{listen: \"127.0.0.1:0\", hooks: {{acme: {hook}}}}}")).await;
    let served = Served::start(&bench).await;
    let post = async |name: &str, value: &str| {
        let path = format!("/hook/acme/{hook}");
        ask(served.address, "POST", &path, "localhost:1", &[(name, value)], b"x").await.status()
    };
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://localhost:2"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        assert_eq!(post(name, value).await, 403, "{name}: {value}");
    }
    for (name, value) in [
        ("Origin", "http://localhost:1"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "none"),
        ("X-Forwarded-For", "127.0.0.1"),
    ] {
        assert_eq!(post(name, value).await, 202, "{name}: {value}");
    }
}

#[tokio::test]
async fn the_token_opens_what_is_not_public_and_can_be_changed() {
    let (_acme, _server, bench) =
        acme("http: {listen: \"127.0.0.1:0\", token_file: token, public: [badges]}").await;
    std::fs::write(bench.path("token"), TOKEN).unwrap();
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let closed = |path: &str| {
        !["/healthz", "/readyz", "/hook", "/badge"].iter().any(|open| path.starts_with(open))
    };
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let target = route.path.replace("{id}", "acme").replace("{key}", &"0".repeat(32));
        let answer = served.get(&target).await;
        assert_eq!(answer.status() == 401, closed(route.path), "{target}: {}", answer.status());
        if answer.status() == 401 {
            assert_eq!(answer.header("www-authenticate").as_deref(), Some("Bearer"));
        }
    }
    let with = async |token: &str| {
        let value = format!("Bearer {token}");
        served.get_with("/api/v1/status", &[("Authorization", &value)]).await.status()
    };
    assert_eq!(with(TOKEN).await, 200);
    for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN}x"), "0123456789abcdef-firsu"] {
        assert_eq!(with(wrong).await, 401, "{wrong}");
    }
    // Written in place: empty for a moment, and then another.
    std::fs::write(bench.path("token"), "0123456789abcdef-second").unwrap();
    eventually("the new token", async || {
        (with("0123456789abcdef-second").await == 200).then_some(())
    })
    .await;
    assert_eq!(with(TOKEN).await, 401);
    std::fs::remove_file(bench.path("token")).unwrap();
    eventually("no token", async || (with("0123456789abcdef-second").await == 401).then_some(()))
        .await;
    assert!(!bench.diagnostics().contains("0123456789abcdef"), "a token was logged");
}

#[tokio::test]
async fn slow_heads_and_large_ones_are_given_up() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let begun = Instant::now();
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: local").await.unwrap();
    let mut answer = Vec::new();
    drop(within("the end of a slow request", slow.read_to_end(&mut answer)).await);
    assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
    assert!(begun.elapsed().as_secs() >= 9, "{:?}", begun.elapsed());
    let large =
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let answer = send(served.address, large.as_bytes()).await;
    assert!([0, 431].contains(&answer.status()), "{}", answer.status());
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let hook = "0123456789abcdef-hook";
    let (_acme, _server, bench) =
        acme(&format!("http: {{listen: \"127.0.0.1:0\", hooks: {{acme: {hook}}}}}")).await;
    let served = Served::start(&bench).await;
    let path = format!("/hook/acme/{hook}");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        MAX_BODY + 1
    );
    assert_eq!(send(served.address, head.as_bytes()).await.status(), 413);
    let mut chunked = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for _ in 0..17 {
        chunked = format!("{chunked}1000\r\n{}\r\n", "x".repeat(0x1000));
    }
    let answer = send(served.address, chunked.as_bytes()).await;
    assert_eq!(answer.status(), 413);
    let fits = "x".repeat(MAX_BODY);
    let answer = ask(served.address, "POST", &path, "localhost", &[], fits.as_bytes()).await;
    assert_eq!(answer.status(), 202);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_counted() {
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        idle.push(TcpStream::connect(served.address).await.unwrap());
    }
    let refused = send(served.address, b"").await;
    assert_eq!(refused.status(), 503);
    // Polls go on.
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    drop(idle);
    eventually("a count", async || {
        let text = served.get("/metrics").await.text();
        let line = "statuswatch_http_refused_total{reason=\"connections\"} ";
        let count = text.lines().find_map(|found| found.strip_prefix(line)?.parse::<f64>().ok());
        count.filter(|count| *count >= 1.0)
    })
    .await;
}

#[tokio::test]
async fn a_path_leads_to_no_file() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    for target in [
        "/../../etc/passwd",
        "/badge/..%2f..%2fetc%2fpasswd.svg",
        "/badge/%00.svg",
        "/api/v1/providers/..%2f..%2fproviders.yaml",
        "/api/v1/providers/%ff%fe",
        "/badge/%c3%28.svg",
        "/api/v1/incidents/%2e%2e",
        "//etc/passwd",
    ] {
        let answer = served.get(target).await;
        assert!([400, 404].contains(&answer.status()), "{target}: {}", answer.status());
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/problem+json"),
            "{target}"
        );
    }
}

#[tokio::test]
async fn every_answer_is_safe_to_show_and_holds_no_secret() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let hook = "0123456789abcdef-hook";
    let bench = Bench::new()
        .section(&format!("http: {{listen: \"127.0.0.1:0\", hooks: {{acme: {hook}}}}}"))
        .provider("acme", &format!("{}?key=hunter2", server.url("acme")), "")
        .provider("down", "http://127.0.0.1:1/page?key=hunter2#hunter2", "");
    acme.open_incident("<img src=x onerror=alert(1)>", Impact::Major, &["Compute"], "<b>x</b>");
    let served = Served::start(&bench).await;
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    until_true("a failure", || {
        bench.status_of("down").is_some_and(|one| one["last_error"].is_string())
    })
    .await;
    let list = served.get("/api/v1/incidents").await.json();
    let key = list["incidents"][0]["key"].as_str().unwrap().to_owned();
    let targets = all().filter(|route| route.method == "GET" && route.path != "/api/v1/stream");
    let targets = targets.flat_map(|route| {
        ["acme", "down"].map(|id| route.path.replace("{id}", id).replace("{key}", &key))
    });
    for target in targets.chain(["/nothing".to_owned()]) {
        let answer = served.get(&target).await;
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        assert!(!text.contains("hunter2") && !text.contains(hook), "{target}: {text}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{target}");
        assert!(policy.contains("frame-ancestors 'none'"), "{target}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"), "{target}");
        // Pages have forms, which must be able to say where they come from.
        let is_page = answer.header("content-type").is_some_and(|media| media.contains("html"));
        let referrer = if is_page { "same-origin" } else { "no-referrer" };
        assert_eq!(answer.header("referrer-policy").as_deref(), Some(referrer), "{target}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{target}");
        if answer.header("content-type").is_some_and(|media| media.contains("xml")) {
            assert!(!text.contains("<img"), "{target}: {text}");
        }
    }
}
