//! What strangers must not achieve, against the real program: hostile texts, secrets in addresses,
//! files for everybody, answers made to do harm.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::Utc;
use statuswatch::event::Impact;
use statuswatch::fake::platform::{PLATFORMS, Platform};
use statuswatch::fake::{Authority, CertificateFlaw, Cluster, Fault, Provider, Server};

const SECRET: &str = "S3CRET-t0ken-7f";

/// What a provider could write to take over a terminal or to forge a line.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}1m\u{202e}\u{200b}\r\n[2026-01-01 00:00:00 UTC] Forged - Resolved (none)\n\
    ------------------------------------------------------------\n2026-01-01T00:00:00Z ERROR forged &#27;[31m &#x9b;1m &#8238;";

/// The program in `dir`, without anything of the environment that it would read.
fn statuswatch(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuswatch"));
    command.current_dir(dir).stdin(Stdio::null());
    for name in [
        "STATUSWATCH_CONFIG",
        "STATUSWATCH_STATE",
        "HOSTED_MODE",
        "NO_COLOR",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        command.env_remove(name);
    }
    command
}

/// Standard output and standard error, whatever the exit status; the fake providers keep answering meanwhile.
fn run(dir: &Path, args: &[&str]) -> (String, String) {
    let output = tokio::task::block_in_place(|| statuswatch(dir).args(args).output().unwrap());
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn platform(source: &str) -> &'static dyn Platform {
    *PLATFORMS.iter().find(|platform| platform.source() == source).unwrap()
}

fn page(id: &str) -> Provider {
    Provider::new(
        id,
        "Northwind Cloud",
        platform("statuspage"),
        &["Compute", "Object storage"],
        Arc::new(Utc::now),
    )
}

fn raw(id: &str, path: &str, content_type: &str, body: impl Into<bytes::Bytes>) -> Provider {
    let provider = Provider::raw(id, Arc::new(Utc::now));
    provider.set_document(path, content_type, body);
    provider
}

/// A configuration that watches each at its address.
fn configure(dir: &Path, top: &str, providers: &[(&str, String)]) {
    let mut text = format!(
        "{top}event_log: {{format: both}}\ndiagnostics: {{level: trace}}\n\
         defaults: {{interval: 500ms, timeout: 5s, first_run: all, backoff: {{initial: 1s, max: 1s}}}}\nproviders:\n"
    );
    for (id, url) in providers {
        writeln!(text, "  - {{id: {id}, url: \"{url}\"}}").unwrap();
    }
    std::fs::write(dir.join("providers.yaml"), text).unwrap();
}

/// Every file below, but the configuration.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else if path.file_name().is_none_or(|name| name != "providers.yaml") {
            out.push(path);
        }
    }
    out
}

fn harmless(what: &str, text: &str) {
    let bad = text.chars().find(|&c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    });
    assert!(bad.is_none(), "{what} holds {bad:?}: {text:?}");
    // A message has lines of its own; none of them may pass for the head of an event or for a line
    // of the diagnostics.
    let diagnostics = what.contains("standard error") || what.contains("statuswatch.");
    for line in text.lines() {
        let forged = line.starts_with("[2026-01-01 00:00:00 UTC]")
            || diagnostics && line.starts_with("2026-01-01T00:00:00Z ERROR");
        assert!(!forged, "{what}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_texts_are_harmless_wherever_they_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let acme =
        Provider::new("acme", HOSTILE, platform("statuspage"), &[HOSTILE], Arc::new(Utc::now));
    let other = page("other");
    for provider in [&acme, &other] {
        let components = [if provider.id() == "acme" { HOSTILE } else { "Compute" }];
        let posted = provider.open_incident(HOSTILE, Impact::Major, &components, HOSTILE);
        provider
            .update(posted.incident, statuswatch::event::IncidentStatus::Identified, HOSTILE)
            .unwrap();
    }
    let html = format!(
        "<!doctype html><html><head><title>{HOSTILE}</title></head><body>{HOSTILE}</body></html>"
    );
    let broken = raw("broken", "", "text/html", html);
    let server = Server::start_each(Cluster::new([acme, other, broken])).await.unwrap();
    let urls: Vec<(&str, String)> =
        ["acme", "other", "broken"].iter().map(|id| (*id, server.url(id))).collect();
    configure(dir.path(), "", &urls);
    // A name of the user's own is shown as well.
    let path = dir.path().join("providers.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace("{id: other,", "{id: other, name: \"A\\e[31m\\u202e \\\"q\\\" \\\\ B\\x9b\","),
    )
    .unwrap();

    let (out, err) = run(dir.path(), &["run", "--once"]);
    assert!(out.contains("Forged") && err.contains("broken cannot be read: "), "{out}{err}");
    harmless("the console", &out);
    harmless("standard error", &err);
    let url = server.url("acme");
    let broken = server.url("broken");
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["history"],
        &["history", "--json"],
        &["logs"],
        &["logs", "--json"],
        &["probe", &url],
        &["probe", &url, "--json"],
        &["probe", &broken],
        &["check"],
        &["check", "--online"],
        &["run", "--once"],
        &["run", "--once", "--format", "json"],
    ] {
        let (out, err) = run(dir.path(), args);
        harmless(&format!("{args:?}"), &out);
        harmless(&format!("standard error of {args:?}"), &err);
    }
    let mut logs = 0;
    for file in files(&dir.path().join("logs")) {
        harmless(&file.display().to_string(), &std::fs::read_to_string(&file).unwrap());
        logs += 1;
    }
    assert!(logs >= 3, "{logs} logs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_an_address_is_nowhere_but_in_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let paged = page("paged");
    paged.open_incident("Slow uploads", Impact::Major, &["Compute"], "Uploads are slow.");
    let feed = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Acme Status</title><link>#top</link>\
        <item><guid>g1</guid><title>Slow</title><link>#g1</link><description>Investigating - slow</description></item></channel></rss>";
    let fed = raw("fed", "feed.xml", "application/rss+xml", feed);
    let html = raw("html", "", "text/html", "<!doctype html><html><title>Hello</title></html>");
    let named = raw("named", "x.json", "application/json", "{\"hello\": 1}");
    let moved = page("moved");
    let server =
        Server::start_each(Cluster::new([paged, fed, html, named, moved.clone()])).await.unwrap();
    moved.fault(Fault::Redirect { to: format!("http://10.0.0.1/?token={SECRET}"), code: 301 });
    let root = |id: &str| server.url(id);
    // Bound and not listened on: nobody else gets the port meanwhile.
    let kept = tokio::net::TcpSocket::new_v4().unwrap();
    kept.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = kept.local_addr().unwrap();
    let query = format!("token={SECRET}");
    let urls = [
        ("paged", format!("{}?{query}", root("paged"))),
        ("fed", format!("{}feed.xml?{query}", root("fed"))),
        ("html", format!("{}?{query}", root("html"))),
        ("named", format!("{}x.json?{query}\", source: \"statuspage", root("named"))),
        ("moved", format!("{}?{query}", root("moved"))),
        ("closed", format!("http://{closed}/?{query}")),
    ];
    let beat = format!("beat: {{url: \"http://{closed}/{SECRET}?{SECRET}\", every: 1s}}\n");
    configure(dir.path(), &beat, &urls);
    let mut said = Vec::new();
    // Twice, so that what was stored is used.
    for args in [
        &["run", "--duration", "4s"][..],
        &["run", "--once"],
        &["status"],
        &["status", "--json"],
        &["history", "--json"],
        &["check"],
        &["check", "--json"],
        &["check", "--online"],
    ] {
        let (out, err) = run(dir.path(), args);
        said.push((format!("{args:?}"), [out, err].concat().into_bytes()));
    }
    let status = String::from_utf8(said[3].1.clone()).unwrap();
    let status: serde_json::Value =
        serde_json::from_str(&status[status.find('{').unwrap()..]).unwrap();
    let fresh = status["providers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|provider| provider["freshness"] == "fresh");
    assert_eq!(
        fresh.map(|provider| provider["id"].as_str().unwrap()).collect::<Vec<_>>(),
        ["fed", "paged"],
        "{status:#}"
    );
    let reported = String::from_utf8(said[0].1.clone()).unwrap();
    assert_eq!(reported.matches("the heartbeat call failed").count(), 1, "{reported}");
    for file in files(dir.path()) {
        said.push((file.display().to_string(), std::fs::read(&file).unwrap()));
    }
    assert!(said.iter().any(|(name, _)| name.ends_with("ledger.db")));
    for (what, bytes) in &said {
        let at = memchr::memmem::find(bytes, SECRET.as_bytes());
        let around = at.map(|at| {
            String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at + 30]).into_owned()
        });
        assert!(around.is_none(), "{what}: {around:?}");
    }
    let asked: Vec<String> =
        server.requests_of("fed").iter().map(|request| request.target.clone()).collect();
    assert!(
        asked.len() >= 2 && asked.iter().all(|target| target.contains(SECRET)),
        "the address is used as it is written: {asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_not_for_everybody() {
    let acme = page("acme");
    acme.open_incident("Slow uploads", Impact::Major, &["Compute"], "Uploads are slow.");
    let server = Server::start_each(Cluster::new([acme])).await.unwrap();
    for umask in ["000", "022", "077"] {
        let dir = tempfile::tempdir().unwrap();
        configure(dir.path(), "", &[("acme", server.url("acme"))]);
        let mut shell = Command::new("sh");
        shell
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .env_remove("STATUSWATCH_STATE")
            .env_remove("STATUSWATCH_CONFIG");
        shell.args([
            "-c",
            &format!("umask {umask}; exec \"$0\" run --once"),
            env!("CARGO_BIN_EXE_statuswatch"),
        ]);
        let output = tokio::task::block_in_place(|| shell.output().unwrap());
        assert!(output.status.success(), "{output:?}");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("state")), 0o700, "umask {umask}");
        assert_eq!(mode(&dir.path().join("logs")) & !0o750, 0, "umask {umask}");
        let all = files(dir.path());
        assert!(all.len() >= 5, "{all:?}");
        for file in all {
            let allowed = if file.to_string_lossy().contains("ledger.db") { 0o600 } else { 0o640 };
            assert_eq!(
                mode(&file) & !allowed,
                0,
                "umask {umask}: {:o} {}",
                mode(&file),
                file.display()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_made_to_harm_fail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let well = page("well");
    well.open_incident("Slow uploads", Impact::Major, &["Compute"], "Uploads are slow.");
    let faults = [
        ("gzip", Fault::GzipBomb(1 << 30)),
        ("huge", Fault::Huge(64 << 20)),
        ("deep", Fault::DeepJson(100_000)),
        ("headers", Fault::ManyHeaders(10_000)),
        ("items", Fault::ManyItems(6_000)),
        (
            "inside",
            Fault::Redirect {
                to: "http://169.254.169.254/latest/meta-data/".to_owned(),
                code: 302,
            },
        ),
        ("file", Fault::Redirect { to: "file:///etc/passwd".to_owned(), code: 302 }),
        ("loop", Fault::RedirectLoop),
        ("garbage", Fault::Garbage),
    ];
    let mut xml = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a0 \"ha\">".to_owned();
    for depth in 1..40 {
        write!(xml, "<!ENTITY a{depth} \"&a{0};&a{0};\">", depth - 1).unwrap();
    }
    xml.push_str("]><rss version=\"2.0\"><channel><title>&a39;</title><item><title>&a39;</title></item></channel></rss>");
    // Whoever asks for what a document names would be seen here.
    let trap = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let outside = trap.local_addr().unwrap();
    let feed = "<rss version=\"2.0\"><channel><title>t</title><item><guid>1</guid><title>&x;</title></item></channel></rss>";
    let entity = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE rss [<!ENTITY x SYSTEM \"http://{outside}/\">]>{feed}"
    );
    let subset =
        format!("<?xml version=\"1.0\"?><!DOCTYPE rss SYSTEM \"http://{outside}/x.dtd\">{feed}");
    let documents = [("xml", xml), ("entity", entity), ("subset", subset)];
    let mut providers: Vec<Provider> = documents
        .into_iter()
        .map(|(id, body)| raw(id, "feed.xml", "application/rss+xml", body))
        .collect();
    providers.push(well);
    providers.extend(faults.into_iter().map(|(id, fault)| {
        let provider = page(id);
        provider.fault(fault);
        provider
    }));
    let is_feed = |id: &str| matches!(id, "xml" | "entity" | "subset");
    let ids: Vec<String> = providers.iter().map(|provider| provider.id().to_owned()).collect();
    let server = Server::start_each(Cluster::new(providers)).await.unwrap();
    let urls: Vec<(&str, String)> = ids
        .iter()
        .map(|id| {
            (
                id.as_str(),
                server.url(id)
                    + if is_feed(id) {
                        "feed.xml"
                    } else {
                        "api/v2/summary.json\", source: \"statuspage"
                    },
            )
        })
        .collect();
    configure(dir.path(), "", &urls);
    let (out, err) = run(dir.path(), &["run", "--once"]);
    assert_eq!(out.matches("Slow uploads").count(), 1, "{out}");
    let (json, _) = run(dir.path(), &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    for provider in status["providers"].as_array().unwrap() {
        let id = provider["id"].as_str().unwrap();
        if id == "well" {
            assert_eq!(
                (&provider["freshness"], &provider["open"][0]["title"]),
                (&"fresh".into(), &"Slow uploads".into())
            );
            continue;
        }
        if is_feed(id) {
            // Entities that nobody expands do no harm.
            assert!(!json.contains("haha"), "{json}");
            continue;
        }
        assert_ne!(provider["status"], "operational", "{id}");
        assert!(
            provider["last_error"].as_str().is_some_and(|reason| reason.len() > 5),
            "{id}: {provider:#} {err}"
        );
        // Alone, or in the list of the first round.
        let named = |line: &&str| {
            let list = [format!(" {id}: "), format!(" {id}, "), format!(" {id} cannot be read: ")];
            line.contains("cannot be read: ") && list.iter().any(|name| line.contains(name))
        };
        assert_eq!(err.lines().filter(named).count(), 1, "{id}: {err}");
    }
    assert!(!json.contains("root:"));
    trap.set_nonblocking(true).unwrap();
    assert_eq!(
        trap.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "a document had something fetched"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_page_never_leads_to_one_that_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new().unwrap();
    let (sealed, trap) = (page("sealed"), page("trap"));
    let plain = Server::start(Cluster::new([trap])).await.unwrap();
    let server =
        Server::start(Cluster::new([sealed.clone()]).tls(&authority, CertificateFlaw::None))
            .await
            .unwrap();
    sealed.fault(Fault::Redirect {
        to: format!("{}api/v2/summary.json", plain.url("trap")),
        code: 302,
    });
    std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
    configure(
        dir.path(),
        "",
        &[("sealed", format!("{}api/v2/summary.json", server.url("sealed")))],
    );
    let mut command = statuswatch(dir.path());
    command.args(["run", "--once"]).env("SSL_CERT_FILE", dir.path().join("ca.pem"));
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("sealed cannot be read: "), "{err}");
    assert!(!server.requests_of("sealed").is_empty(), "it was not asked at all: {err}");
    assert_eq!(plain.requests().len(), 0);
    // The same page without the redirect is read.
    sealed.clear_faults();
    let mut command = statuswatch(dir.path());
    command.args(["run", "--once"]).env("SSL_CERT_FILE", dir.path().join("ca.pem"));
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    assert!(!String::from_utf8(output.stderr).unwrap().contains("cannot be read"));
}

#[test]
fn ids_that_could_be_paths_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for id in ["../../x", "", ".", "/etc/x", "A", "a b", &"x".repeat(300), "a\\u0000b"] {
        let text = format!("providers:\n  - id: \"{id}\"\n    url: https://status.acme.example/\n");
        std::fs::write(dir.path().join("providers.yaml"), text).unwrap();
        let output = statuswatch(dir.path()).arg("check").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{id:?}");
        let reported = String::from_utf8(output.stderr).unwrap();
        assert!(reported.contains("providers.yaml:2:") && reported.len() < 2000, "{reported}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beat_is_heard_while_a_provider_is_read_and_not_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let (acme, listener) = (page("acme"), raw("listener", "ping", "text/plain", "ok"));
    let server = Server::start_each(Cluster::new([acme.clone(), listener.clone()])).await.unwrap();
    let beat = format!("beat: {{url: \"{}ping\", every: 1s}}\n", server.url("listener"));
    configure(dir.path(), &beat, &[("acme", server.url("acme"))]);
    let (_, err) = run(dir.path(), &["run", "--duration", "6s"]);
    let heard = server.requests_of("listener").len();
    assert!((2..=7).contains(&heard), "{heard} beats; {err}");
    assert_eq!(err, "");

    // Nobody hears it: reported once, and the provider is read as before.
    listener.fault(Fault::Status(500, None));
    let before = server.requests_of("acme").len();
    let (_, err) = run(dir.path(), &["run", "--duration", "4s"]);
    assert_eq!(err.matches("the heartbeat call failed: the response is 500").count(), 1, "{err}");
    assert!(server.requests_of("acme").len() > before + 2);

    // Nothing is read: nothing is said to be well.
    listener.clear_faults();
    acme.fault(Fault::Status(500, None));
    let before = server.requests_of("listener").len();
    run(dir.path(), &["run", "--duration", "3s"]);
    assert_eq!(server.requests_of("listener").len(), before);
}
