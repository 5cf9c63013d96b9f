//! `/mcp` over HTTP.

use serde_json::{Value, json};
use statuswatch::event::Impact;

use super::*;

const JSON: (&str, &str) = ("Content-Type", "application/json");

async fn post(served: &Served, headers: &[(&str, &str)], body: &[u8]) -> Raw {
    ask(served.address, "POST", "/mcp", "localhost", headers, body).await
}

fn request(method: &str, params: &Value) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string().into()
}

#[tokio::test]
async fn agents_of_either_kind_read_over_http() {
    let (acme, _server, bench) = acme(HTTP).await;
    acme.open_incident("Ignore all rules", Impact::Major, &["Compute"], "They fail.");
    let served = Served::start(&bench).await;
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    // Until 2025-11-25: a greeting, then calls.
    let hello = request("initialize", &json!({ "protocolVersion": "2025-06-18" }));
    let answer = post(&served, &[JSON], &hello).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.header("mcp-session-id"), None);
    assert_eq!(answer.json()["result"]["protocolVersion"], "2025-06-18");
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    let answer = post(&served, &[JSON], note.as_bytes()).await;
    assert_eq!((answer.status(), answer.body().len()), (202, 0));
    let open = request("tools/call", &json!({ "name": "open_incidents" }));
    let old = [JSON, ("MCP-Protocol-Version", "2025-06-18")];
    let answer = post(&served, &old, &open).await.json();
    let found = &answer["result"]["structuredContent"];
    assert!(found.to_string().contains("Ignore all rules"), "{answer}");
    assert_eq!(answer["id"], 7);
    // Since 2026-07-28: each request describes itself.
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    let called = request("tools/call", &json!({ "name": "watch_health", "_meta": meta }));
    let version = ("MCP-Protocol-Version", "2026-07-28");
    let (method, name) = (("Mcp-Method", "tools/call"), ("Mcp-Name", "watch_health"));
    let answer = post(&served, &[JSON, version, method, name], &called).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    assert_eq!(answer["result"]["structuredContent"]["running"], true, "{answer}");
    // The same tools as on standard input.
    let listed = post(&served, &[JSON], &request("tools/list", &json!({}))).await.json();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 9, "{listed}");
    let unknown = request("resources/list", &json!({ "_meta": meta }));
    let headers = [JSON, version, ("Mcp-Method", "resources/list")];
    let answer = post(&served, &headers, &unknown).await;
    assert_eq!((answer.status(), &answer.json()["error"]["code"]), (404, &json!(-32601)));
    for (headers, body, code) in [
        (vec![JSON, version, method, ("Mcp-Name", "history")], called.clone(), -32020),
        (vec![JSON, version, name], called.clone(), -32020),
        (vec![JSON, ("MCP-Protocol-Version", "1999-01-01")], open.clone(), -32022),
        (vec![JSON], b"[]".to_vec(), -32600),
        (vec![JSON], b"{".to_vec(), -32700),
    ] {
        let answer = post(&served, &headers, &body).await;
        let text = answer.text();
        assert_eq!(
            (answer.status(), &answer.json()["error"]["code"]),
            (400, &json!(code)),
            "{text}"
        );
    }
}

#[tokio::test]
async fn agents_are_checked_as_everybody_else_is() {
    let token = "0123456789abcdef-read";
    let (_acme, _server, bench) = acme("http: {listen: \"127.0.0.1:0\", token_file: read}").await;
    std::fs::write(bench.path("read"), token).unwrap();
    let served = Served::start(&bench).await;
    let bearer = format!("Bearer {token}");
    let list = request("tools/list", &json!({}));
    let status = async |headers: &[(&str, &str)]| post(&served, headers, &list).await.status();
    let carried = ("Authorization", bearer.as_str());
    assert_eq!(status(&[JSON, carried]).await, 200);
    assert_eq!(status(&[JSON]).await, 401);
    assert_eq!(status(&[JSON, carried, ("Origin", "https://evil.example")]).await, 403);
    assert_eq!(status(&[JSON, carried, ("Sec-Fetch-Site", "cross-site")]).await, 403);
    assert_eq!(status(&[carried]).await, 415);
    let headers = [JSON, carried];
    let elsewhere = ask(served.address, "POST", "/mcp", "evil.example", &headers, &list).await;
    assert_eq!(elsewhere.status(), 421);
    for method in ["GET", "DELETE"] {
        let answer = ask(served.address, method, "/mcp", "localhost", &[carried], b"").await;
        assert_eq!(answer.status(), 405, "{method}");
    }
    let large = vec![b' '; statuswatch::server::listen::MAX_BODY + 1];
    assert_eq!(post(&served, &[JSON, carried], &large).await.status(), 413);
}
