//! The JSON Schema of a channel: the keys of all channels, and those of each kind.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use statuswatch_notify::values::{Key, Shape};
use statuswatch_notify::{CHANNELS, Spec};

use super::super::shape::{Duration, Urgent, shape};
use super::{KEYS, file_key};

shape! {
    /// What every channel has.
    Common {
        /// Whether it is used. Default true.
        enabled: bool,
        /// Collects messages into one; only for channels that people read. Default: each is sent by
        /// itself.
        digest: Digest,
        /// A component state or a provider's reachability that does not last so long is not sent. 0s
        /// to 24h; default 0s: each is sent at once.
        settle: Duration,
        /// If more providers than this open something within 2 minutes, one message is sent. 1 to
        /// 1000, or off; default 10 for chats and mail, else off.
        storm: CountOrOff,
        /// Maximum number of messages per hour; further ones are collected into one. 1 to 3600, or
        /// off; default off.
        cap: CountOrOff,
        /// Edits of an incident's updates are sent at most once per this time. 0s to 24h; default 10m
        /// for chats and mail, else 0s: each is sent.
        edits: Duration,
        /// The id of the channel that gets what this one cannot deliver. Default: none.
        fallback: String,
        /// For how long a message is retried. 1m to 720h; default 1h for pagers, else 72h.
        retry_for: Duration,
        /// Templates in place of the built-in texts.
        template: Template,
    }
}

shape! {
    /// Collects messages into one.
    Digest {
        /// One message per this time. 1m to 24h. Required.
        every: Duration,
        /// The impact from which on a message is sent at once. Default: none is.
        immediate: Urgent,
    }
}

shape! {
    /// Templates in place of the built-in texts.
    Template {
        /// In place of the title.
        title: String,
        /// In place of the body.
        body: String,
        /// In place of the whole JSON document that is sent, where a kind allows it.
        json: String,
    }
}

/// A whole number, or `off`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
enum CountOrOff {
    Count(u64),
    Off(Off),
}

/// No limit.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
enum Off {
    Off,
}

/// A channel of any kind.
pub(in super::super) struct Channel;

impl JsonSchema for Channel {
    fn schema_name() -> Cow<'static, str> {
        "Channel".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let common = Common::json_schema(generator).to_value();
        let mut properties = match common.get("properties") {
            Some(Value::Object(properties)) => properties.clone(),
            _ => Map::new(),
        };
        let kinds: Vec<&str> = CHANNELS.iter().map(|spec| spec.kind).collect();
        properties.insert(
            "kind".to_owned(),
            json!({ "description": "The service. Required.", "enum": kinds }),
        );
        let mut schema = Schema::default();
        schema.insert("description".to_owned(), "A place that notifications are sent to.".into());
        schema.insert("type".to_owned(), "object".into());
        schema.insert("required".to_owned(), json!(["kind"]));
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("oneOf".to_owned(), CHANNELS.iter().map(kind).collect());
        schema
    }
}

/// Describes one kind. It names the common keys again, because `additionalProperties` looks at its
/// own neighbors alone.
fn kind(spec: &Spec) -> Value {
    let mut properties: Map<String, Value> =
        KEYS.iter().map(|key| ((*key).to_owned(), Value::Bool(true))).collect();
    properties.insert("kind".to_owned(), json!({ "const": spec.kind }));
    let mut required = Vec::new();
    for key in spec.keys {
        properties.insert(key.name.to_owned(), value(key));
        if !key.shape.is_secret() {
            if key.required {
                required.push(json!({ "required": [key.name] }));
            }
            continue;
        }
        let file = file_key(key.name);
        let description = format!("The path of a file with the value of \"{}\".", key.name);
        properties.insert(file.clone(), json!({ "type": "string", "description": description }));
        let (direct, file) = (json!({ "required": [key.name] }), json!({ "required": [file] }));
        required.push(if key.required {
            json!({ "oneOf": [direct, file] })
        } else {
            json!({ "not": { "allOf": [direct, file] } })
        });
    }
    let mut schema =
        json!({ "title": spec.name, "properties": properties, "additionalProperties": false });
    if let Some(schema) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        schema.insert("allOf".to_owned(), required.into());
    }
    schema
}

fn value(key: &Key) -> Value {
    let mut schema = match key.shape {
        Shape::Text | Shape::Secret | Shape::Url | Shape::SecretUrl => json!({ "type": "string" }),
        Shape::List => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Shape::Duration { .. } => json!({ "type": ["string", "integer"] }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Map => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), key.doc.into());
    }
    schema
}
