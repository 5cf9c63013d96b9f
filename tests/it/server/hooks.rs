//! Hooks.

use super::*;

const TOKEN: &str = "0123456789abcdef-hook";

#[tokio::test]
async fn a_hook_polls_now_and_not_too_often() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench = Bench::new()
        .default("interval", "1h")
        .default("incident_interval", "1h")
        .section(&format!("http: {{listen: \"127.0.0.1:0\", hooks: {{acme: {TOKEN}}}}}"))
        .provider("acme", &server.url("acme"), "");
    let served = Served::start(&bench).await;
    // The first poll, and the one that spreads the providers is an hour away.
    first_poll(&bench).await;
    let before = server.requests_of("acme").len();
    let post = async |path: &str, body: &[u8]| {
        ask(served.address, "POST", path, "localhost", &[], body).await
    };
    for path in
        [format!("/hook/acme/{TOKEN}x"), format!("/hook/other/{TOKEN}"), "/hook/acme/".to_owned()]
    {
        assert_eq!(post(&path, b"").await.status(), 404, "{path}");
    }
    assert_eq!(served.get(&format!("/hook/acme/{TOKEN}")).await.status(), 405);
    assert_eq!(server.requests_of("acme").len(), before);
    acme.open_incident("Failed requests", statuswatch::event::Impact::Major, &["Compute"], "x");
    let path = format!("/hook/acme/{TOKEN}");
    let answer = post(&path, b"{\"incident\": \"this is not believed\"}").await;
    assert_eq!((answer.status(), answer.text().as_str()), (202, "{\"poll\":true}"));
    until("the incident", || bench.events().into_iter().find(|one| one["kind"] == "incident"))
        .await;
    let answer = post(&path, b"").await;
    assert_eq!((answer.status(), answer.text().as_str()), (202, "{\"poll\":false}"));
}
