//! What the description of the API promises, tried by a foreign program: schemathesis, from `PyPI`.
//!
//! Ignored unless asked for: `cargo test --test it -- --ignored schemathesis`.
//! `STATUSWATCH_SCHEMATHESIS` names the program; by default it is found in `PATH`.

use std::process::{Command, Stdio};

use statuswatch::event::{Impact, IncidentStatus};

use super::*;

/// Requests per operation, beside those that cover each value and each mistake once.
const EXAMPLES: &str = "12";

#[tokio::test]
#[ignore = "needs schemathesis: pip install schemathesis==4.32.5"]
async fn schemathesis_finds_no_answer_that_is_not_described() {
    let (acme, _server, bench) = acme(HTTP).await;
    let bench = bench.section("channels: {ops: {kind: webhook, url: \"http://127.0.0.1:1/\"}}");
    let posted = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    acme.update(posted.incident, IncidentStatus::Identified, "We know why.");
    let served = Served::start(&bench).await;
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    let program = std::env::var("STATUSWATCH_SCHEMATHESIS").unwrap_or("schemathesis".to_owned());
    let output = Command::new(program)
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", served.address))
        // A stream has no end; hooks are posted to without a token that is right.
        .args(["--exclude-path", "/api/v1/stream", "--phases", "coverage,fuzzing"])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--continue-on-failure", "--no-color"])
        .current_dir(bench.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("schemathesis");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // It found what there is to be tried.
    assert!(said.contains("32 selected"), "{said}");
    assert_eq!(served.get("/healthz").await.status(), 200);
}
