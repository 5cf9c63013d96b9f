//! `top --url` on a real terminal, against the server of the real binary.

use statuswatch::event::{Impact, IncidentStatus};

use super::proxy::Proxy;
use super::*;
use crate::fetch::tls::{acceptor, authority};
use crate::support::terminal::Terminal;

const TOKEN: &str = "0123456789abcdef-first";

fn top(bench: &Bench, url: &str, more: &str) -> Terminal {
    let program = env!("CARGO_BIN_EXE_statuswatch");
    Terminal::start(&bench.path("."), &format!("{program} top --url {url} {more}"), &[])
}

#[tokio::test]
async fn the_screen_follows_another_machine_and_outlives_it() {
    let (acme, _server, bench) = acme("http: {listen: \"127.0.0.1:0\", token_file: token}").await;
    let bench = bench.section("channels: {ops: {kind: webhook, url: \"http://127.0.0.1:1/\"}}");
    std::fs::write(bench.path("token"), TOKEN).unwrap();
    std::fs::write(bench.path("mine"), TOKEN).unwrap();
    let posted = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let served = Served::start(&bench).await;
    until("an event", || Some(()).filter(|()| !bench.events().is_empty())).await;
    let proxy = Proxy::start(served.address).await;
    let mut screen = top(&bench, &format!("http://{}", proxy.address), "--token-file mine");
    screen.shows(&["1/1 fresh", "live", "Failed requests", "ops …", "They fail."]).await;
    // What happens appears, whichever list is shown.
    acme.update(posted.incident, IncidentStatus::Identified, "We know why.");
    screen.shows(&["identified", "We know why."]).await;
    screen.keys("3");
    screen.shows(&["[3 Events]", "investigating", "identified"]).await;
    screen.keys("2\r");
    screen.shows(&["acme (acme): ", "next poll", "We know why."]).await;
    // Together, the two would be one key.
    screen.keys("\x1b");
    screen.shows(&["FRESHNESS"]).await;
    screen.keys("4G");
    screen.shows(&["[4 Channels]", "webhook", "last error"]).await;
    // Without the server it stays, says since when, and what is wrong.
    screen.keys("1");
    proxy.cut();
    screen.shows(&["stale since ", "cannot read: ", "Failed requests"]).await;
    proxy.restore();
    let text = screen.shows(&["1/1 fresh", "live"]).await;
    assert!(!text.contains("cannot read"), "{text}");
    // A token that is replaced on both sides is read again.
    std::fs::write(bench.path("token"), "0123456789abcdef-second").unwrap();
    screen.shows(&["cannot read: the server refuses the token (401)", "stale since "]).await;
    std::fs::write(bench.path("mine"), "0123456789abcdef-second").unwrap();
    screen.shows(&["1/1 fresh", "live"]).await;
    screen.keys("q");
    assert_eq!(screen.ended().await, Some(0));
    assert!(!bench.diagnostics().contains("0123456789abcdef"), "a token was logged");
}

#[tokio::test]
async fn a_server_that_is_none_is_said_on_the_screen() {
    let (_acme, _server, bench) = acme("http: {listen: \"127.0.0.1:0\", token_file: token}").await;
    std::fs::write(bench.path("token"), TOKEN).unwrap();
    let served = Served::start(&bench).await;
    let url = format!("http://{}", served.address);
    let without = top(&bench, &url, "");
    without.shows(&["cannot read: the server needs a token (401): use --token-file"]).await;
    drop(without);
    let elsewhere = top(&bench, &format!("{url}/elsewhere"), "--token-file token");
    elsewhere.shows(&["cannot read: this is no statuswatch, or an older one (404)"]).await;
    drop(elsewhere);
    let nobody = top(&bench, "http://127.0.0.1:1", "");
    nobody.shows(&["cannot read: ", "reading"]).await;
    let program = env!("CARGO_BIN_EXE_statuswatch");
    let command = format!("{program} top --url {url}");
    let mut variable = Terminal::start(&bench.path("."), &command, &[("STATUSWATCH_TOKEN", TOKEN)]);
    variable.shows(&["1/1 fresh", "live"]).await;
    variable.keys(":q\r");
    assert_eq!(variable.ended().await, Some(0));
}

#[tokio::test]
async fn a_screen_trusts_an_authority_of_ones_own_and_nobody_else() {
    let (_acme, _server, bench) = acme("http: {listen: \"127.0.0.1:0\", token_file: token}").await;
    std::fs::write(bench.path("token"), TOKEN).unwrap();
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let authority = authority();
    let roots = bench.path("ca.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    let untold: &[(&str, &str)] = &[];
    let trusted: &[(&str, &str)] = &[("SSL_CERT_FILE", roots.to_str().unwrap())];
    let serve = async |name| {
        let acceptor = acceptor(&authority, &[name], 2090, b"http/1.1");
        Proxy::secure(served.address, acceptor).await
    };
    let program = env!("CARGO_BIN_EXE_statuswatch");
    let look = |scheme: &str, proxy: &Proxy, more: &str, variables: &[(&str, &str)]| {
        let port = proxy.address.port();
        let command = format!("{program} top --url {scheme}://localhost:{port} {more}");
        Terminal::start(&bench.path("."), &command, variables)
    };
    let (good, other) = (serve("localhost").await, serve("ops.example").await);
    let strange = serve("localhost").await;

    let mut screen = look("https", &good, "--token-file token", trusted);
    screen.shows(&["1/1 fresh", "live"]).await;
    good.cut();
    screen.shows(&["cannot read: ", "stale since "]).await;
    good.restore();
    screen.shows(&["1/1 fresh", "live"]).await;
    screen.keys("q");
    assert_eq!(screen.ended().await, Some(0));

    let unknown = "cannot read: unknown certificate authority: name its file in SSL_CERT_FILE";
    let another = "cannot read: certificate for another name: write that name in --url";
    let needed = "cannot read: the server needs a token (401): use --token-file";
    for (scheme, proxy, more, variables, said) in [
        ("https", &strange, "--token-file token", untold, unknown),
        ("https", &other, "--token-file token", trusted, another),
        ("https", &good, "", trusted, needed),
        ("http", &good, "", trusted, "is it an https address?"),
    ] {
        look(scheme, proxy, more, variables).shows(&[said, "reading"]).await;
    }
    let plain = Proxy::start(served.address).await;
    let screen = look("https", &plain, "", trusted);
    screen.shows(&["cannot read: TLS handshake: ", "is it an http address?"]).await;
    assert_eq!((strange.passed(), other.passed()), (0, 0), "the token went to a stranger");
    assert!(good.passed() > 1);
}

#[tokio::test]
async fn an_idle_screen_is_answered_with_304() {
    let acme = provider("acme", &Statuspage);
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let server = alone(&acme).await;
    let bench = Bench::new()
        .default("interval", "1h")
        .default("incident_interval", "1h")
        .section(HTTP)
        .provider("acme", &server.url("acme"), "");
    let served = Served::start(&bench).await;
    until("an event", || Some(()).filter(|()| !bench.events().is_empty())).await;
    for target in ["/api/v1/top", "/api/v1/top/providers?limit=1", "/api/v1/history?limit=500"] {
        // Sinks catch up, and cursors are stored, for a moment.
        eventually(target, async || {
            let tag = served.get(target).await.header("etag").unwrap();
            let again = served.get_with(target, &[("If-None-Match", &tag)]).await;
            (again.status() == 304 && again.body().is_empty()).then_some(())
        })
        .await;
    }
    let newest = served.get("/api/v1/history?limit=1").await.json();
    assert_eq!(newest["events"][0], *bench.events().last().unwrap());
    for wrong in
        ["/api/v1/history?limit=0", "/api/v1/history?kind=x", "/api/v1/top/providers?limit=x"]
    {
        assert_eq!(served.get(wrong).await.status(), 400, "{wrong}");
    }
}
