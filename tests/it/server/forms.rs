//! Forms of the dashboard: what they change, and who may send them.

use serde_json::{Value, json};

use super::*;
use crate::support::receiver::{Receiver, Reply};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const HERE: (&str, &str) = ("Origin", "http://localhost");

async fn post(served: &Served, target: &str, headers: &[(&str, &str)], body: &str) -> Raw {
    // A body that is empty is sent as one.
    let body = if body.is_empty() { "x=" } else { body };
    ask(served.address, "POST", target, "localhost", headers, body.as_bytes()).await
}

async fn mutes(served: &Served, headers: &[(&str, &str)]) -> Vec<Value> {
    let list = served.get_with("/api/v1/mutes", headers).await.json();
    list["mutes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_form_mutes_and_unmutes_and_leads_back() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let page = served.get("/providers/acme").await.text();
    assert!(page.contains("action=\"/providers/acme/mute\"") && !page.contains("name=\"token\""));
    let body = "for=4h&component=API*&reason=a+%3Cb%3Edeploy%3C%2Fb%3E%0d%0aX-Evil:1";
    let answer = post(&served, "/providers/acme/mute", &[FORM, HERE], body).await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
    assert_eq!(answer.header("location").as_deref(), Some("/providers/acme#mutes"));
    let found = mutes(&served, &[]).await;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["provider"], &found[0]["component"]), (&json!("acme"), &json!("API*")));
    assert!(found[0]["until"].is_string(), "{found:?}");
    let answer = post(&served, "/providers/acme/mute", &[FORM, HERE], "for=&component=").await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
    let whole = &mutes(&served, &[]).await[1];
    assert_eq!((&whole["component"], &whole["until"]), (&Value::Null, &Value::Null));
    for target in ["/providers/acme", "/channels"] {
        let page = served.get(target).await.text();
        assert!(page.contains("&lt;b&gt;deploy&lt;/b&gt;"), "{target}: {page}");
        assert_eq!(page.matches("action=\"/providers/acme/unmute\"").count(), 2, "{target}");
    }
    let unmute = "/providers/acme/unmute";
    let answer = post(&served, unmute, &[FORM, HERE], "component=API*").await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
    assert_eq!(mutes(&served, &[]).await.len(), 1);
    assert_eq!(post(&served, unmute, &[FORM, HERE], "").await.status(), 303);
    assert_eq!(mutes(&served, &[]).await, Vec::<Value>::new());
    for (target, body, status) in [
        ("/providers/other/mute", "for=1h", 404),
        ("/providers/other/unmute", "", 404),
        ("/providers/acme/mute", "for=soon", 400),
        ("/providers/acme/mute", "for=400d", 400),
    ] {
        let answer = post(&served, target, &[FORM, HERE], body).await;
        assert_eq!(answer.status(), status, "{target} {body}");
        assert_eq!(answer.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    }
    assert_eq!(served.get("/providers/acme/mute").await.status(), 405);
    assert_eq!(mutes(&served, &[]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_form_of_another_page_changes_nothing() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let json = ("Content-Type", "application/json");
    for (headers, status) in [
        (&[FORM][..], 403),
        (&[FORM, ("Origin", "null")], 403),
        (&[FORM, ("Origin", "https://evil.example")], 403),
        (&[FORM, ("Origin", "http://localhost:1")], 403),
        (&[FORM, ("Sec-Fetch-Site", "cross-site")], 403),
        (&[FORM, HERE, ("Sec-Fetch-Site", "same-site")], 403),
        (&[json, HERE], 415),
        (&[("Content-Type", "text/plain"), HERE], 415),
    ] {
        for target in ["/providers/acme/mute", "/providers/acme/unmute"] {
            let answer = post(&served, target, headers, "for=1h").await;
            assert_eq!(answer.status(), status, "{headers:?} {target}");
        }
    }
    assert_eq!(mutes(&served, &[]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_form_carries_the_token_for_changes() {
    let (reading, writing) = ("0123456789abcdef-read", "0123456789abcdef-write");
    let (_acme, _server, bench) =
        acme("http: {listen: \"127.0.0.1:0\", token_file: read, write_token_file: write}").await;
    std::fs::write(bench.path("read"), reading).unwrap();
    std::fs::write(bench.path("write"), writing).unwrap();
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let bearer = [("Authorization", "Bearer 0123456789abcdef-read")];
    let page = served.get_with("/providers/acme", &bearer).await.text();
    assert!(page.contains("type=\"password\" name=\"token\""), "{page}");
    // "x:0123456789abcdef-write": sent by a browser with whatever it is made to ask for.
    let basic = ("Authorization", "Basic eDowMTIzNDU2Nzg5YWJjZGVmLXdyaXRl");
    for token in ["", reading, "0123456789abcdef-writ", "0123456789abcdef-writex"] {
        let body = format!("for=1h&token={token}");
        let answer = post(&served, "/providers/acme/mute", &[FORM, HERE, basic], &body).await;
        assert_eq!(answer.status(), 403, "{token}");
        assert_eq!(answer.header("www-authenticate"), None);
    }
    assert_eq!(mutes(&served, &bearer).await, Vec::<Value>::new());
    let body = format!("for=1h&token={writing}");
    let answer = post(&served, "/providers/acme/mute", &[FORM, HERE], &body).await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
    assert_eq!(mutes(&served, &bearer).await.len(), 1);
    drop(served);
    // Where everybody may read and there is no token, there is no form either.
    let open = "http: {listen: \"127.0.0.1:0\", hosts: [status.acme.example], auth: none}";
    let (_acme, _server, bench) = acme(open).await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let page = served.get("/providers/acme").await.text();
    assert!(!page.contains("/providers/acme/mute"), "{page}");
    let answer = post(&served, "/providers/acme/mute", &[FORM, HERE], "for=1h").await;
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn a_form_sends_a_test_through_a_channel_and_shows_what_came_of_it() {
    const SECRET: &str = "canary-0123456789";
    let receiver = Receiver::start();
    receiver.always("/bad", Reply::status(400));
    let url = &receiver.url;
    let (_acme, _server, bench) = acme(HTTP).await;
    let bench = bench.section(&format!(
        "channels:\n  good: {{kind: mattermost, webhook_url: \"{url}/{SECRET}\"}}\n  bad: {{kind: webhook, url: \"{url}/bad\"}}"
    ));
    let served = Served::start(&bench).await;
    let page = eventually("the channels", async || {
        let page = served.get("/channels").await.text();
        page.contains("/channels/good/test").then_some(page)
    })
    .await;
    assert!(page.contains("action=\"/channels/bad/test\""), "{page}");
    let answer = post(&served, "/channels/good/test", &[FORM], "").await;
    assert_eq!(answer.status(), 403, "without an origin");
    let sent = || receiver.at(&format!("/{SECRET}")).len();
    assert_eq!(sent(), 0);
    let answer = post(&served, "/channels/good/test", &[FORM, HERE], "").await;
    let text = answer.text();
    assert_eq!(answer.status(), 200, "{text}");
    assert!(text.contains(">delivered<") && text.contains("HTTP 200"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(sent(), 1);
    // Whoever is at the other end is a person.
    let again = post(&served, "/channels/good/test", &[FORM, HERE], "").await;
    assert_eq!((again.status(), sent()), (503, 1));
    let bad = post(&served, "/channels/bad/test", &[FORM, HERE], "").await;
    let text = bad.text();
    assert_eq!(bad.status(), 200, "{text}");
    assert!(text.contains(">not delivered<") && text.contains("HTTP 400"), "{text}");
    assert_eq!(post(&served, "/channels/other/test", &[FORM, HERE], "").await.status(), 404);
    drop(served);
    // A dry run sends nothing.
    let served = Served::start_with(&bench, &["--dry-run"]).await;
    assert!(!served.get("/channels").await.text().contains("/test\""));
    let answer = post(&served, "/channels/good/test", &[FORM, HERE], "").await;
    assert_eq!((answer.status(), sent()), (403, 1));
}
