//! One message over HTTP: the Streamable HTTP transport, without sessions and without streams. Pure
//! but for what the tools read.
//!
//! Facts: modelcontextprotocol, `docs/specification/2026-07-28/basic/transports/streamable-http.mdx`;
//! codes of errors: its `schema.ts`. Clients of earlier revisions send `initialize` first and none of
//! the mirrored header fields but the version, if any.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::call::Context;
use super::rpc::{self, VERSION_KEY, VERSIONS};

/// The first revision whose requests describe themselves in header fields.
const DESCRIBED: &str = "2026-07-28";
const HEADER_MISMATCH: i32 = -32020;
const UNSUPPORTED_VERSION: i32 = -32022;

/// The header fields that mirror the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mirrored<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The body, JSON; `None`: a notification is not answered.
    pub body: Option<Value>,
}

/// Answers one message.
#[must_use]
pub fn answer(body: &[u8], mirrored: Mirrored<'_>, context: &Context) -> HttpAnswer {
    let message = serde_json::from_slice::<Value>(body).unwrap_or_default();
    if let Err((code, why, data)) = check(&message, mirrored) {
        let id = message.get("id").filter(|id| id.is_string() || id.is_number());
        let mut error = json!({ "code": code, "message": why });
        if let (Some(data), Some(fields)) = (data, error.as_object_mut()) {
            fields.insert("data".to_owned(), data);
        }
        let body = json!({ "jsonrpc": "2.0", "id": id, "error": error });
        return HttpAnswer { status: 400, body: Some(body) };
    }
    let Some(answer) = rpc::answer(body, context) else {
        // Blank lines mean nothing on a pipe; here they are no message.
        let is_message = message.is_object();
        return HttpAnswer { status: if is_message { 202 } else { 400 }, body: None };
    };
    let code = answer.pointer("/error/code").and_then(Value::as_i64);
    let status = match code.and_then(|code| i32::try_from(code).ok()) {
        Some(rpc::PARSE_ERROR | rpc::INVALID_REQUEST) => 400,
        Some(rpc::METHOD_NOT_FOUND) if is_described(&message, mirrored) => 404,
        _ => 200,
    };
    HttpAnswer { status, body: Some(answer) }
}

fn meta_version(message: &Value) -> Option<&str> {
    message.get("params")?.get("_meta")?.get(VERSION_KEY)?.as_str()
}

fn is_described(message: &Value, mirrored: Mirrored<'_>) -> bool {
    meta_version(message).is_some() || mirrored.version == Some(DESCRIBED)
}

type Mistake = (i32, String, Option<Value>);

/// Whether the header fields say what the message says: whoever routes by them must not be deceived.
fn check(message: &Value, mirrored: Mirrored<'_>) -> Result<(), Mistake> {
    let version = mirrored.version.or_else(|| meta_version(message));
    if let Some(version) = version.filter(|version| !VERSIONS.contains(version)) {
        let data =
            json!({ "supported": VERSIONS, "requested": crate::text::one_line(version, 40) });
        return Err((UNSUPPORTED_VERSION, "this revision is not supported".to_owned(), Some(data)));
    }
    if !is_described(message, mirrored) {
        return Ok(());
    }
    let mismatch =
        |field: &str| (HEADER_MISMATCH, format!("the header {field} and the body differ"), None);
    // A notification has no `_meta`.
    let is_request = message.get("id").is_some();
    if is_request && mirrored.version != meta_version(message) {
        return Err(mismatch("MCP-Protocol-Version"));
    }
    let method = message.get("method").and_then(Value::as_str);
    if is_request && mirrored.method != method {
        return Err(mismatch("Mcp-Method"));
    }
    if method == Some("tools/call") {
        let nothing = Map::new();
        let params = message.get("params").and_then(Value::as_object).unwrap_or(&nothing);
        let name = params.get("name").and_then(Value::as_str);
        if mirrored.name.and_then(plain).as_deref() != name {
            return Err(mismatch("Mcp-Name"));
        }
    }
    Ok(())
}

/// A value of a header field: as it is, or `=?base64?…?=` for what a field cannot hold.
fn plain(value: &str) -> Option<String> {
    let encoded = value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?="));
    match encoded {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(BASE64.decode(encoded).ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, name: Option<&str>, version: Option<&str>) -> Value {
        let mut params = json!({});
        if let Some(name) = name {
            params["name"] = name.into();
        }
        if let Some(version) = version {
            params["_meta"] = json!({ VERSION_KEY: version });
        }
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
    }

    fn mirrored<'a>(version: &'a str, method: &'a str, name: &'a str) -> Mirrored<'a> {
        let some = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Mirrored { version: some(version), method: some(method), name: some(name) }
    }

    #[test]
    fn headers_say_what_the_body_says() {
        let call = request("tools/call", Some("gate"), Some(DESCRIBED));
        let list = request("tools/list", None, Some(DESCRIBED));
        let old = request("tools/call", Some("gate"), None);
        for (message, headers, code) in [
            (&call, mirrored(DESCRIBED, "tools/call", "gate"), None),
            (&call, mirrored(DESCRIBED, "tools/call", "=?base64?Z2F0ZQ==?="), None),
            (&call, mirrored(DESCRIBED, "tools/call", "=?base64?!?="), Some(HEADER_MISMATCH)),
            (&call, mirrored(DESCRIBED, "tools/call", "history"), Some(HEADER_MISMATCH)),
            (&call, mirrored(DESCRIBED, "tools/call", ""), Some(HEADER_MISMATCH)),
            (&call, mirrored(DESCRIBED, "tools/list", "gate"), Some(HEADER_MISMATCH)),
            (&call, mirrored("", "tools/call", "gate"), Some(HEADER_MISMATCH)),
            (&call, mirrored("2025-06-18", "tools/call", "gate"), Some(HEADER_MISMATCH)),
            (&list, mirrored(DESCRIBED, "tools/list", ""), None),
            (&old, mirrored(DESCRIBED, "tools/call", "gate"), Some(HEADER_MISMATCH)),
            (&old, mirrored("2025-06-18", "", ""), None),
            (&old, mirrored("", "", ""), None),
            (&old, mirrored("1999-01-01", "", ""), Some(UNSUPPORTED_VERSION)),
        ] {
            let found = check(message, headers).err().map(|(code, ..)| code);
            assert_eq!(found, code, "{message} {headers:?}");
        }
        let unknown = request("tools/list", None, Some("1999-01-01"));
        let headers = mirrored("1999-01-01", "tools/list", "");
        let (_, _, data) = check(&unknown, headers).unwrap_err();
        assert_eq!(data.unwrap()["supported"][0], DESCRIBED);
    }
}
