//! Real receivers: mail server, brokers, homeserver, Alertmanager, the command `apprise` and a verifier
//! of signatures, on loopback.
//!
//! They are ignored unless asked for, as `just receivers` does: `cargo test --test it -- --ignored
//! receivers`. Programs are looked for in the directory `STATUSWATCH_RECEIVERS` and in `PATH`; one
//! that is missing fails the test.

use std::time::Duration;

use serde_json::{Value as Json, json};
use statuswatch::event::{StatusEvent, parse_time};
use statuswatch::fetch::{Client, ClientOptions};
use statuswatch::notify::channel::by_kind;
use statuswatch::notify::values::{Value, Values};
use statuswatch::notify::{
    Answer, Content, Custom, Form, HttpRequest, NatsAnswer, NatsAuth, NatsRequest, Notification,
    Phase, Request, Security, Sending, Server, Verdict,
};
use statuswatch::transport::Transport;
use url::Url;

use crate::support::receivers::{Certificates, Program};

/// More than an exchange takes on a busy machine.
const ENOUGH: Duration = Duration::from_mins(1);
const THREAD: &str = "fedcba9876543210fedcba9876543210";

fn transport(certificates: Option<&Certificates>) -> Transport {
    let extra_roots = certificates.map(|certificates| certificates.root.clone());
    let options = ClientOptions {
        proxy_from_environment: false,
        extra_roots: extra_roots.into_iter().collect(),
        ..ClientOptions::default()
    };
    Transport::new(&Client::new(options).unwrap()).unwrap()
}

fn incident() -> StatusEvent {
    let at = "2026-02-23T10:20:49Z";
    serde_json::from_value(json!({
        "seq": 7, "id": "4f12b0b9b16baa24b5bccae7d7efec9b", "kind": "incident",
        "provider": "acme", "provider_name": "Acme Cloud", "source": "statuspage",
        "incident_id": "01ABC", "update_id": "u1", "revision": 1,
        "title": "High errors\r\nBcc: victim@evil.example <script> 🟠 ümlaut",
        "status": "identified", "previous_status": null, "impact": "major",
        "previous_impact": null, "components": [],
        "message": "We have found the cause.\n.\nA fix is being rolled out.",
        "url": "https://status.acme.example/incidents/01ABC", "started_at": at,
        "published_at": at, "observed_at": at, "scheduled_for": null, "scheduled_until": null,
        "backfill": false,
    }))
    .unwrap()
}

/// Sends the incident to a channel under this idempotency key.
async fn deliver(transport: &Transport, kind: &str, values: &Values, key: &str) -> Vec<Verdict> {
    let channel = (by_kind(kind).unwrap().build)(values).unwrap();
    let event = incident();
    let now = parse_time("2026-02-23T10:21:00Z").unwrap();
    let notification = Notification {
        delivery_id: key,
        thread: THREAD,
        content: Content::Event(&event),
        phase: Phase::Open,
        late: None,
        skipped: 0,
        open_since: None,
        reference: None,
        custom: Custom::default(),
        now,
    };
    let mut verdicts = Vec::new();
    for step in channel.render(&notification, Form::Rich) {
        // Signatures are refused when they are old.
        let now = statuswatch::clock::now();
        let request = channel.request(&step, &Sending { delivery_id: key, now });
        let answer = transport.send(request, ENOUGH).await.unwrap();
        verdicts.push(channel.judge(&step, &answer));
    }
    verdicts
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|&item| item.to_owned()).collect())
}

fn mail_to(port: u16, scheme: &str) -> Values {
    Values::default()
        .with_text("smtp", &format!("{scheme}://localhost:{port}"))
        .with_text("from", "Status <status@acme.example>")
        .with("to", list(&["ops@acme.example", "gone@acme.example"]))
}

#[tokio::test]
#[ignore = "needs aiosmtpd: see just receivers"]
async fn mail() {
    let certificates = Certificates::new();
    let transport = transport(Some(&certificates));
    for (scheme, mode) in [("smtp", "plain"), ("smtp", "starttls"), ("smtps", "tls")] {
        let server = Program::python(
            "smtpd.py",
            &[mode, certificates.path("cert.pem"), certificates.path("key.pem")],
        );
        let port = server.line().trim().parse().unwrap();
        let mut values = mail_to(port, scheme);
        if mode != "plain" {
            let login = |password| {
                mail_to(port, scheme).with_text("user", "user").with_secret("password", password)
            };
            let verdicts = deliver(&transport, "email", &login("wrong"), "k0").await;
            assert!(matches!(&verdicts[..], [Verdict::Broken { .. }]), "{mode} {verdicts:?}");
            values = login("s3cr3t");
        }
        // It refuses gone@acme.example.
        let verdicts = deliver(&transport, "email", &values, "k1").await;
        let [Verdict::Partly { again: None, never: Some(never) }] = &verdicts[..] else {
            panic!("{mode}: {verdicts:?}")
        };
        assert_eq!(
            never.reason,
            "the server refuses recipients: gone@acme.example (550 no such user)"
        );
        let mail: Json = serde_json::from_str(&server.line()).unwrap();
        assert_eq!(mail["to"], json!(["ops@acme.example"]));
        assert_eq!(mail["tls"], mode != "plain");
        let header = |name: &str| mail["headers"][name].as_str().unwrap_or_default().to_owned();
        assert_eq!(header("message-id"), "<k1@acme.example>");
        assert_eq!(header("references"), format!("<{THREAD}@acme.example>"));
        assert_eq!(header("auto-submitted"), "auto-generated");
        assert_eq!(header("bcc"), "");
        assert!(header("subject").ends_with("<script> 🟠 ümlaut"), "{}", header("subject"));
        assert!(mail["text"].as_str().unwrap().contains("cause.\n.\nA fix"), "{}", mail["text"]);
        assert!(mail["html"].as_str().unwrap().contains("&lt;script&gt;"), "{}", mail["html"]);
        assert_eq!(mail["defects"], json!([]));
    }
}

#[tokio::test]
#[ignore = "needs standardwebhooks: see just receivers"]
async fn webhook() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let server = Program::python("webhook.py", &[secret]);
    let port: u16 = server.line().trim().parse().unwrap();
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let url = format!("http://127.0.0.1:{port}/hook");
    let values = |secret: &str| {
        Values::default().with_url("url", &url).unwrap().with_secret("secret", secret)
    };
    for (secrets, good) in [(secret, true), (other, false)] {
        let verdicts = deliver(&transport(None), "webhook", &values(secrets), "k1").await;
        assert_eq!(verdicts == [Verdict::delivered()], good, "{verdicts:?}");
    }
    // While one is being replaced.
    let both = format!("{other} {secret}");
    let verdicts = deliver(&transport(None), "webhook", &values(&both), "k1").await;
    assert_eq!(verdicts, [Verdict::delivered()]);
}

/// Asks the API of JetStream, which answers as a stream does.
async fn ask(transport: &Transport, server: &Server, api: &str, payload: &Json) -> Json {
    let request = NatsRequest {
        server: server.clone(),
        auth: NatsAuth::Token(statuswatch::notify::values::Secret::new("s3cr3t".into())),
        subject: format!("$JS.API.{api}"),
        message_id: "setup".into(),
        payload: payload.to_string(),
    };
    match transport.send(Request::Nats(request), ENOUGH).await.unwrap() {
        Answer::Nats(NatsAnswer::Ack(json)) => serde_json::from_str(&json).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs nats-server: see just receivers"]
async fn nats() {
    let certificates = Certificates::new();
    let transport = transport(Some(&certificates));
    for tls in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (server, port) = Program::nats(dir.path(), tls.then_some(&certificates));
        let scheme = if tls { "tls" } else { "nats" };
        let values = |token| {
            Values::default()
                .with_text("server", &format!("{scheme}://localhost:{port}"))
                .with_secret("token", token)
        };
        let place = Server {
            host: "localhost".into(),
            port,
            security: if tls { Security::StartTls } else { Security::None },
        };
        let verdicts = deliver(&transport, "nats", &values("wrong"), "k1").await;
        assert!(matches!(&verdicts[..], [Verdict::Broken { .. }]), "{verdicts:?}");
        // No stream yet.
        let verdicts = deliver(&transport, "nats", &values("s3cr3t"), "k1").await;
        assert!(matches!(&verdicts[..], [Verdict::Broken { reason }] if reason.contains("stream")));
        let stream = json!({
            "name": "events", "subjects": ["statuswatch.>"], "storage": "file",
            "retention": "limits", "discard": "new", "max_msgs": 2, "num_replicas": 1,
        });
        let made = ask(&transport, &place, "STREAM.CREATE.events", &stream).await;
        assert!(made["error"].is_null(), "{made}");
        // The same message again is stored once.
        for key in ["k1", "k1", "k2"] {
            let verdicts = deliver(&transport, "nats", &values("s3cr3t"), key).await;
            assert_eq!(verdicts, [Verdict::delivered()]);
        }
        let info = ask(&transport, &place, "STREAM.INFO.events", &json!({})).await;
        assert_eq!(info["state"]["messages"], 2, "{info}");
        let stored = ask(&transport, &place, "STREAM.MSG.GET.events", &json!({ "seq": 1 })).await;
        assert_eq!(stored["message"]["subject"], "statuswatch.acme.incident");
        // The stream is full.
        let verdicts = deliver(&transport, "nats", &values("s3cr3t"), "k3").await;
        assert!(matches!(&verdicts[..], [Verdict::Retry { .. }]), "{verdicts:?}");
        drop(server);
    }
}

#[tokio::test]
#[ignore = "needs mosquitto: see just receivers"]
async fn mqtt() {
    let certificates = Certificates::new();
    let transport = transport(Some(&certificates));
    for tls in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (_server, port) = Program::mosquitto(dir.path(), tls.then_some(&certificates));
        let scheme = if tls { "mqtts" } else { "mqtt" };
        for version in ["3.1.1", "5"] {
            let values = |password| {
                Values::default()
                    .with_text("server", &format!("{scheme}://localhost:{port}"))
                    .with_text("version", version)
                    .with_text("user", "user")
                    .with_secret("password", password)
            };
            let verdicts = deliver(&transport, "mqtt", &values("wrong"), "k1").await;
            assert!(
                matches!(&verdicts[..], [Verdict::Broken { .. }, Verdict::Broken { .. }]),
                "{verdicts:?}"
            );
            Program::subscribe(
                version,
                tls.then_some(&certificates),
                port,
                &["-E", "-q", "1", "-c"],
            );
            let verdicts = deliver(&transport, "mqtt", &values("s3cr3t"), "k1").await;
            assert_eq!(verdicts, [Verdict::delivered(), Verdict::delivered()]);
            // Both were queued for the session; -R leaves out what was retained before.
            let both = Program::subscribe(
                version,
                tls.then_some(&certificates),
                port,
                &["-C", "2", "-q", "1", "-c", "-R", "-W", "60"],
            );
            let topics: Vec<&str> =
                both.lines().map(|line| line.split(' ').next().unwrap()).collect();
            assert_eq!(topics, ["statuswatch/acme/state", "statuswatch/acme/incident"]);
            let late = Program::subscribe(
                "late",
                tls.then_some(&certificates),
                port,
                &["-C", "1", "-W", "60"],
            );
            assert!(late.starts_with("statuswatch/acme/state {"), "{late}");
        }
        // The rules of the broker forbid this topic: version 5 says so.
        let values = Values::default()
            .with_text("server", &format!("{scheme}://localhost:{port}"))
            .with_text("user", "user")
            .with_secret("password", "s3cr3t")
            .with_text("topic", "forbidden/{kind}")
            .with("state", Value::Flag(false));
        let verdicts = deliver(&transport, "mqtt", &values, "k2").await;
        assert!(matches!(&verdicts[..], [Verdict::Broken { .. }]), "{verdicts:?}");
    }
}

#[tokio::test]
#[ignore = "needs confluent-kafka: see just receivers"]
async fn kafka() {
    let transport = transport(None);
    let cluster = Program::python("kafka.py", &["status.acme"]);
    let servers = cluster.line();
    let servers: Vec<&str> = servers.split_whitespace().collect();
    assert_eq!(servers.len(), 3);
    let values = |server: &str, topic: &str| {
        Values::default()
            .with("servers", list(&[&format!("kafka://{server}")]))
            .with_text("topic", topic)
    };
    // At most one of them leads the partition of the incident.
    for (place, server) in servers.iter().enumerate() {
        let key = format!("k{place}");
        let sent = values(server, "status.{provider}");
        assert_eq!(deliver(&transport, "kafka", &sent, &key).await, [Verdict::delivered()]);
        let record: Json = serde_json::from_str(&cluster.line()).unwrap();
        // kafka-python puts this key into partition 3 of 4.
        assert_eq!((&record["partition"], &record["offset"]), (&json!(3), &json!(place)));
        assert_eq!(record["key"], THREAD);
        let headers = json!({ "message-id": key, "content-type": "application/json" });
        assert_eq!(record["headers"], headers);
        assert_eq!(record["value"]["phase"], "open");
        assert_eq!(record["value"]["data"], serde_json::to_value(incident()).unwrap());
        let age =
            statuswatch::clock::now().timestamp_millis() - record["timestamp"].as_i64().unwrap();
        assert!((0..60_000).contains(&age), "{age}");
    }
    let verdicts = deliver(&transport, "kafka", &values(servers[0], "other"), "k").await;
    assert!(
        matches!(&verdicts[..], [Verdict::Broken { reason }] if reason.contains("does not exist")),
        "{verdicts:?}"
    );
}

#[tokio::test]
#[ignore = "needs matrix-synapse: see just receivers"]
async fn matrix() {
    let transport = transport(None);
    let server = Program::python("synapse.py", &[]);
    let line = server.line();
    let [homeserver, token, room] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    let values = |token: &str, room: &str| {
        Values::default()
            .with_url("homeserver", homeserver)
            .unwrap()
            .with_secret("token", token)
            .with_text("room", room)
    };
    let mut references = Vec::new();
    for key in ["k1", "k1", "k2"] {
        let verdicts = deliver(&transport, "matrix", &values(token, room), key).await;
        let [Verdict::Delivered { reference: Some(reference) }] = &verdicts[..] else {
            panic!("{verdicts:?}")
        };
        references.push(reference.clone());
    }
    // The key is the id of the transaction: the repetition is the same message.
    assert_eq!(references[0], references[1]);
    assert_ne!(references[0], references[2]);
    for _ in 0..2 {
        let content: Json = serde_json::from_str(&server.line()).unwrap();
        let (body, html) = (&content["body"], &content["formatted_body"]);
        assert!(body.as_str().unwrap().contains("High errors"), "{content}");
        assert!(html.as_str().unwrap().contains("&lt;script&gt;"), "{content}");
    }
    for wrong in [values("wrong", room), values(token, "!other:localhost")] {
        let verdicts = deliver(&transport, "matrix", &wrong, "k3").await;
        assert!(matches!(&verdicts[..], [Verdict::Broken { .. }]), "{verdicts:?}");
    }
}

/// The command `apprise`, which passes its standard input on.
#[tokio::test]
#[ignore = "needs apprise: see just receivers"]
async fn exec() {
    let receiver = crate::support::receiver::Receiver::start();
    let apprise = crate::support::receivers::find("apprise");
    let command = |url: String| {
        Values::default().with("command", list(&[apprise.to_str().unwrap(), "-t", "status", &url]))
    };
    let place = receiver.url.strip_prefix("http://").unwrap();
    let values = command(format!("json://{place}/ops"));
    assert_eq!(deliver(&transport(None), "exec", &values, "k").await, [Verdict::delivered()]);
    let received = receiver.at("/ops");
    assert_eq!(received.len(), 1);
    let sent: Json = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(sent["title"], "status");
    let event: Json = serde_json::from_str(sent["message"].as_str().unwrap()).unwrap();
    assert_eq!(event["data"]["id"], incident().id);
    // Its exit status says that nothing took it.
    let nobody = command("json://127.0.0.1:1/".to_owned());
    let verdicts = deliver(&transport(None), "exec", &nobody, "k").await;
    assert!(matches!(&verdicts[..], [Verdict::Refused { .. }]), "{verdicts:?}");
}

/// The starter for the channel of Alertmanager: the server takes an alert and lists it.
#[tokio::test]
#[ignore = "needs prometheus-alertmanager: see just receivers"]
async fn alertmanager() {
    let dir = tempfile::tempdir().unwrap();
    let (_server, port) = Program::alertmanager(dir.path()).await;
    let url = Url::parse(&format!("http://127.0.0.1:{port}/api/v2/alerts")).unwrap();
    let alerts = json!([{ "labels": { "alertname": "incident", "provider": "acme" } }]);
    let request = HttpRequest::post_json(url, alerts.to_string());
    match transport(None).send(Request::Http(request), ENOUGH).await.unwrap() {
        Answer::Http(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
        other => panic!("{other:?}"),
    }
}
