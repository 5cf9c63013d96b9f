//! A real Prometheus, with the alert rules and the dashboard of `deploy`, and a real client of the
//! Model Context Protocol. Run like the receivers of channels: see `just receivers`.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::support::receivers::Program;

/// Returns the path of a file in `deploy`.
fn deployed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    path.to_str().unwrap().to_owned()
}

/// Returns every value of `"expr"` in the dashboard of Grafana.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "expr" => found.push(text.to_owned()),
                    _ => expressions(value, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|one| expressions(one, found)),
        _ => {}
    }
}

/// Returns the names of our metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("statuswatch_"))
}

/// Asks Prometheus, which refuses until it has read what it stored. With HTTP/1.0 its answers have
/// no chunks.
async fn api(port: u16, target: &str) -> serde_json::Value {
    eventually("an answer of Prometheus", async || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {target} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (!head.contains(" 503 ")).then(|| serde_json::from_str(body).unwrap())
    })
    .await
}

#[tokio::test]
#[ignore = "needs prometheus: see just receivers"]
async fn prometheus_scrapes_and_its_rules_and_dashboard_name_what_there_is() {
    let rules = deployed("prometheus-alerts.yaml");
    Program::promtool(&["check", "rules", &rules]);
    let receiver = crate::support::receiver::Receiver::start();
    let (acme, _server, bench) = acme(HTTP).await;
    let channel = format!("channels: {{ops: {{kind: webhook, url: \"{}/ops\"}}}}", receiver.url);
    let bench = bench.section(&channel);
    let served = Served::start(&bench).await;
    // What was published before the first poll says nothing about delays.
    first_poll(&bench).await;
    acme.open_incident(
        "Failed requests",
        statuswatch::event::Impact::Major,
        &["Compute"],
        "They fail.",
    );
    let dir = tempfile::tempdir().unwrap();
    let target = served.address;
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [\"{rules}\"]
scrape_configs:
  - {{job_name: statuswatch, static_configs: [{{targets: [\"{target}\"]}}]}}
  - job_name: statuswatch-providers
    metrics_path: /metrics/providers
    static_configs: [{{targets: [\"{target}\"]}}]
"
    );
    let (_prometheus, port) = Program::prometheus(dir.path(), &config);
    eventually("both scraped", async || {
        let found = api(port, "/api/v1/query?query=count(up==1)").await;
        (found["data"]["result"][0]["value"][1] == "2").then_some(())
    })
    .await;
    let query = "/api/v1/query?query=statuswatch_provider_open_incidents";
    eventually("the incident in Prometheus", async || {
        let found = api(port, query).await;
        (found["data"]["result"][0]["value"][1] == "1").then_some(())
    })
    .await;

    // Each metric of the rules and of the dashboard has a type, so it is one that is served.
    let known: BTreeSet<String> =
        api(port, "/api/v1/metadata").await["data"].as_object().unwrap().keys().cloned().collect();
    let mut used = Vec::new();
    let dashboard = std::fs::read_to_string(deployed("grafana-dashboard.json")).unwrap();
    expressions(&serde_json::from_str(&dashboard).unwrap(), &mut used);
    assert!(used.len() > 10, "{used:?}");
    used.push(std::fs::read_to_string(&rules).unwrap());
    for name in used.iter().flat_map(|expression| names(expression)) {
        let family = ["_bucket", "_total", ""]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|family| known.contains(*family)));
        assert!(family.is_some() || known.contains(name), "{name} is not served: {known:?}");
    }
    for expression in used.iter().take(used.len() - 1) {
        let encoded: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer = api(port, &format!("/api/v1/query?query={encoded}")).await;
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }

    // Every rule can be evaluated, and one of them notices when the program ends.
    let state = async |wanted: &str| {
        let groups = api(port, "/api/v1/rules").await["data"]["groups"].clone();
        let rules: Vec<serde_json::Value> = groups
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect();
        assert!(rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
        let down = rules.iter().find(|rule| rule["name"] == "StatuswatchDown").unwrap();
        let all_evaluated = rules.iter().all(|rule| rule["health"] == "ok");
        (all_evaluated && down["state"] == wanted).then_some(())
    };
    eventually("all rules evaluated", async || state("inactive").await).await;
    drop(served);
    eventually("an alert", async || state("pending").await).await;
}

#[tokio::test]
#[ignore = "needs prometheus: see just receivers"]
async fn prometheus_is_asked_for_error_rates() {
    let dir = tempfile::tempdir().unwrap();
    let (_prometheus, port) = Program::prometheus(dir.path(), "global: {scrape_interval: 1s}");
    api(port, "/api/v1/query?query=1").await;
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench = |query: &str| {
        let http = format!(
            "http: {{listen: \"127.0.0.1:0\", prometheus: {{url: \"http://127.0.0.1:{port}\", every: 5s, query: '{query}'}}}}"
        );
        Bench::new().section(&http).provider("acme", &server.url("acme"), "")
    };
    let share = |value: &str, id: &str| {
        format!("label_replace(vector({value}), \"provider\", \"{id}\", \"\", \"\")")
    };
    let good = bench(&format!(
        "{} or {} or {} or {}",
        share("0.25", "acme"),
        share("0/0", "quiet"),
        share("3", "large"),
        share("1", "other")
    ));
    let served = Served::start(&good).await;
    let status = eventually("an observation", async || {
        let status = served.get("/api/v1/status").await.json();
        status["observed"][0]["error_rate"].is_number().then_some(status)
    })
    .await;
    assert_eq!(status["observed"][0]["error_rate"], 0.25);
    let asked = &status["prometheus"];
    assert_eq!((&asked["invalid"], &asked["unknown"]), (&1.into(), &serde_json::json!(["other"])));
    drop(served);
    let bad = bench("sum(");
    let served = Served::start(&bad).await;
    let error = eventually("a refusal", async || {
        let status = served.get("/api/v1/status").await.json();
        status["prometheus"]["error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(error.starts_with("status 400: ") && error.contains("parse error"), "{error}");
}

#[tokio::test]
#[ignore = "needs mcp: see just receivers"]
async fn the_official_client_of_the_model_context_protocol_is_answered() {
    let (acme, _server, bench) = acme(HTTP).await;
    acme.open_incident(
        "Failed requests",
        statuswatch::event::Impact::Major,
        &["Compute"],
        "They fail.",
    );
    let served = Served::start(&bench).await;
    until("the incident", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    let over_http = format!("http://{}/mcp", served.address);
    let state = bench.path("state");
    let over_pipes = [env!("CARGO_BIN_EXE_statuswatch"), "--state", state.to_str().unwrap(), "mcp"];
    let mut answers = Vec::new();
    for words in [&[over_http.as_str()][..], &over_pipes] {
        let line = Program::python("mcp_client.py", words).line();
        let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["name"], "statuswatch", "{answer}");
        assert!(answer["tools"].as_array().unwrap().len() >= 8, "{answer}");
        let flags = (&answer["read_only"], &answer["is_error"], &answer["refused"]);
        assert_eq!(flags, (&true.into(), &false.into(), &true.into()), "{answer}");
        assert!(answer["text"].as_str().unwrap().contains("Failed requests"), "{answer}");
        answers.push(answer["tools"].clone());
    }
    assert_eq!(answers[0], answers[1]);
}
