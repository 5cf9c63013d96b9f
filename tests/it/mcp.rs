//! `mcp`, as an agent uses it: the binary, and requests over pipes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::commands::watched;

struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Client {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statuswatch"));
        command.arg("mcp").current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        for name in ["STATUSWATCH_CONFIG", "STATUSWATCH_STATE"] {
            command.env_remove(name);
        }
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, next: 0 }
    }

    fn send(&mut self, line: &[u8]) {
        self.input.write_all(line).unwrap();
        self.input.write_all(b"\n").unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let request =
            json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params });
        self.send(request.to_string().as_bytes());
        let answer = self.receive();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&"2.0".into(), &self.next.into()));
        answer
    }

    /// Returns the structured answer of a tool, which the text repeats.
    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        let result = &answer["result"];
        assert_eq!(result["isError"], false, "{tool}: {answer}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), result["structuredContent"]);
        result["structuredContent"].clone()
    }

    /// Returns why a tool does not answer.
    fn refused(&mut self, tool: &str, arguments: &Value) -> String {
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        assert_eq!(answer["result"]["isError"], true, "{tool} {arguments}: {answer}");
        answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// The end of the input ends the server.
    fn end(self) {
        let Self { mut child, input, .. } = self;
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_client_of_either_kind_is_greeted_and_shown_the_tools() {
    let dir = watched();
    let mut client = Client::start(dir.path());
    for (asked, spoken) in [("2025-06-18", "2025-06-18"), ("1999-01-01", "2025-11-25")] {
        let answer = client.ask("initialize", &json!({ "protocolVersion": asked }));
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], spoken);
        assert_eq!(result["serverInfo"]["name"], "statuswatch");
        assert!(result["capabilities"]["tools"].is_object() && result["resultType"].is_null());
    }
    // Not answered: the next line is the answer to what follows.
    client.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(client.ask("ping", &json!({}))["result"], json!({}));
    let answer = client.ask("server/discover", &json!({}));
    assert_eq!(answer["result"]["supportedVersions"][0], "2026-07-28");
    assert_eq!(answer["result"]["resultType"], "complete");
    let stateless = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } });
    let answer = client.ask("tools/list", &stateless);
    assert_eq!(answer["result"]["resultType"], "complete");
    let tools = answer["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "open_incidents",
            "provider_status",
            "incident",
            "changes_since",
            "history",
            "upcoming_maintenance",
            "gate",
            "watch_health",
            "explain_route"
        ]
    );
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
    }
    assert_eq!(tools[6]["inputSchema"]["required"], json!(["needs"]));
    client.end();
}

/// Removes what is marked as a provider's text.
fn without_provider_text(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("provider_text");
            fields.values_mut().for_each(without_provider_text);
        }
        Value::Array(items) => items.iter_mut().for_each(without_provider_text),
        _ => {}
    }
}

#[test]
fn tools_answer_from_the_ledger_and_mark_text_of_providers() {
    let dir = watched();
    let mut client = Client::start(dir.path());
    let open = client.call("open_incidents", &json!({}));
    assert_eq!(open["total"], 1);
    let incident = &open["incidents"][0];
    assert_eq!((&incident["provider"], &incident["impact"]), (&"acme".into(), &"major".into()));
    assert_eq!(incident["provider_text"]["title"], "PollError one");
    let key = incident["key"].clone();
    let one = client.call("incident", &json!({ "key": key }));
    let statuses: Vec<&Value> =
        one["updates"].as_array().unwrap().iter().map(|update| &update["status"]).collect();
    assert_eq!(statuses, ["investigating", "identified"]);
    assert_eq!(one["updates"][0]["provider_text"]["message"], "Looking.");
    let acme = client.call("provider_status", &json!({ "provider": "acme" }));
    assert_eq!((&acme["freshness"], &acme["status"]), (&"fresh".into(), &"partial_outage".into()));
    let health = client.call("watch_health", &json!({}));
    assert_eq!((&health["running"], &health["healthy"]), (&false.into(), &true.into()));
    assert_eq!(health["providers"]["fresh"], 1);
    let newest = health["newest_seq"].as_u64().unwrap();
    let changes = client.call("changes_since", &json!({ "seq": 0, "limit": 1 }));
    assert_eq!(
        (&changes["next_seq"], &changes["more"], &changes["gap"]),
        (&1.into(), &true.into(), &false.into())
    );
    let beyond = client.call("changes_since", &json!({ "seq": newest + 1 }));
    assert_eq!((&beyond["gap"], &beyond["events"]), (&true.into(), &json!([])));
    let history = client.call("history", &json!({ "impact": "minor+", "since": "7d" }));
    assert!(history["events"].as_array().unwrap().len() >= 2, "{history}");
    let none = client.call("upcoming_maintenance", &json!({ "days": 30 }));
    assert_eq!(none["total"], 0);
    let held = client.call("gate", &json!({ "needs": ["acme", "npm"] }));
    assert_eq!(
        (&held["verdict"], &held["needs"][1]["verdict"]),
        (&"hold".into(), &"unknown".into())
    );
    for mut answer in [open, one, acme, health, changes, history, held] {
        without_provider_text(&mut answer);
        let text = answer.to_string();
        assert!(!text.contains("PollError") && !text.contains("Looking"), "{text}");
    }
    client.end();
}

#[test]
fn routes_are_explained_from_the_configuration() {
    let dir = watched();
    let mut client = Client::start(dir.path());
    let why = client.refused("explain_route", &json!({ "seq": 1 }));
    assert!(why.contains("the configuration cannot be read"), "{why}");
    client.end();
    let config = "providers:\n  - id: acme\n    url: https://status.acme.example\n\
        channels:\n  ops: {kind: webhook, url: \"https://hooks.example/x\"}\n\
        routes:\n  - {match: {min_impact: critical}, to: [ops]}\n";
    std::fs::write(dir.path().join("providers.yaml"), config).unwrap();
    let mut client = Client::start(dir.path());
    let answer = client.call("explain_route", &json!({ "seq": 1 }));
    assert_eq!((&answer["to"], &answer["nobody"]), (&json!([]), &"no rule matches".into()));
    let trace = answer["provider_text"]["trace"][0].as_str().unwrap();
    assert!(trace.starts_with("rule 1 (line "), "{answer}");
    client.end();
}

#[test]
fn wrong_arguments_are_explained() {
    let dir = watched();
    let mut client = Client::start(dir.path());
    for (tool, arguments, why) in [
        ("provider_status", json!({}), "provider is needed"),
        (
            "provider_status",
            json!({ "provider": "acne" }),
            "no provider with this id is watched; did you mean acme?",
        ),
        ("provider_status", json!({ "id": "acme" }), "unknown argument; there are: provider"),
        ("watch_health", json!({ "x": 1 }), "this tool has no arguments"),
        (
            "incident",
            json!({ "key": "x" }),
            "key is one from open_incidents: 32 hexadecimal digits",
        ),
        ("incident", json!({ "key": "0".repeat(32) }), "no incident has this key"),
        ("history", json!({ "limit": 101 }), "limit is a whole number from 0 to 100"),
        (
            "changes_since",
            json!({ "seq": -1 }),
            "seq is a whole number from 0 to 9223372036854775807",
        ),
        ("gate", json!({ "needs": "acme" }), "needs is a list of at most 100 texts"),
        (
            "history",
            json!({ "provider": "x".repeat(2_000) }),
            "provider is a text of at most 1024 bytes",
        ),
    ] {
        assert_eq!(client.refused(tool, &arguments), why, "{tool}");
    }
    let unknown = client.call("gate", &json!({ "needs": ["acme#api"] }));
    assert!(unknown["verdict"].is_null() && unknown["provider_text"]["error"].is_string());
    client.end();
}

#[test]
fn what_is_not_a_request_is_refused_and_the_next_one_answered() {
    let dir = watched();
    let mut client = Client::start(dir.path());
    let long =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","x":"{}"}}"#, "x".repeat(1 << 20));
    let deep = "[".repeat(100_000);
    for (line, code) in [
        (&b"{\"jsonrpc\": \"2.0\", \"id\""[..], -32700),
        (b"\xff\xfe", -32700),
        (deep.as_bytes(), -32700),
        (long.as_bytes(), -32600),
        (b"[]", -32600),
        (b"7", -32600),
        (br#"{"id":1,"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1}"#, -32600),
    ] {
        client.send(line);
        let answer = client.receive();
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    // Nothing to answer.
    client.send(b"");
    client.send(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let answer = client.ask("resources/list", &json!({}));
    assert_eq!(answer["error"]["code"], -32601);
    let answer = client.ask("tools/call", &json!({ "name": "delete_everything" }));
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().unwrap().contains("open_incidents"));
    assert_eq!(client.ask("ping", &json!({}))["result"], json!({}));
    client.end();
}

#[test]
fn without_a_ledger_every_tool_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut client = Client::start(dir.path());
    let why = client.refused("watch_health", &json!({}));
    assert!(why.contains("there is no ledger"), "{why}");
    client.end();
}
