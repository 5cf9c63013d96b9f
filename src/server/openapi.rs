//! `/api/v1/openapi.json`: the description of everything in [`ROUTES`], `OpenAPI` 3.1. Its schemas are
//! JSON Schema 2020-12 as they are.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::App;
use super::answer::{JSON, PROBLEM, Problem, content};
use super::call::Call;
use super::route::{Access, Answer, DURATION_PATTERN, Route, Values};
use super::routes::ROUTES;

/// `GET /api/v1/openapi.json`.
pub(super) async fn get(_: Arc<App>, call: Call) -> Response<Body> {
    static TEXT: LazyLock<String> = LazyLock::new(|| describe().to_string());
    content(&call.headers, JSON, TEXT.clone(), 0)
}

/// Makes the description.
#[must_use]
pub fn describe() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let problem = schemas.subschema_for::<Problem<'_>>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let answer = match route.answer {
            Answer::Json(schema) => schema(&mut schemas).to_value(),
            Answer::ForeignJson(_) => json!({"type": "object"}),
            Answer::Other(_) => json!({"type": "string"}),
        };
        let body = route.body.map(|schema| schema(&mut schemas).to_value());
        let operation = operation(route, body, &answer, &problem);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "statuswatch",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The status pages that this statuswatch watches.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(route: &Route, body: Option<Value>, answer: &Value, problem: &Value) -> Value {
    let parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|parameter| {
            let in_path = route.path.contains(&format!("{{{}}}", parameter.name));
            json!({
                "name": parameter.name,
                "in": if in_path { "path" } else { "query" },
                "required": in_path || parameter.required,
                "description": parameter.about,
                "schema": values(parameter.value),
            })
        })
        .collect();
    // Where no token is set none is needed.
    let security = match route.access {
        Access::Everybody => json!([]),
        _ => json!([{"token": []}, {}]),
    };
    let mut responses = Map::new();
    for status in std::iter::once(&route.status).chain(route.also) {
        let mut content = json!({route.media_type(): {"schema": answer}});
        if let (true, Some(content)) =
            (*status == StatusCode::SERVICE_UNAVAILABLE, content.as_object_mut())
        {
            content.insert(PROBLEM.to_owned(), json!({"schema": problem}));
        }
        let response = json!({"description": "The answer.", "content": content});
        responses.insert(status.as_str().to_owned(), response);
    }
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "Why there is none.",
            "content": {PROBLEM: {"schema": problem}},
        }),
    );
    let mut operation = json!({
        "summary": route.about,
        "parameters": parameters,
        "security": security,
        "responses": responses,
    });
    if let (Some(body), Some(operation)) = (body, operation.as_object_mut()) {
        let body = json!({"required": true, "content": {JSON: {"schema": body}}});
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

/// The schema of a parameter.
fn values(values: Values) -> Value {
    match values {
        Values::Text | Values::List => json!({"type": "string"}),
        Values::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
        Values::Words(words) => json!({"type": "string", "enum": words}),
        Values::Time => json!({"type": "string", "format": "date-time"}),
        Values::DurationOrTime => json!({"anyOf": [
            {"type": "string", "pattern": DURATION_PATTERN},
            {"type": "string", "format": "date-time"},
            // Seconds: as many as 64 bits hold nanoseconds of.
            {"type": "number", "minimum": 0, "maximum": u64::MAX / 1_000_000_000},
        ]}),
        Values::Number(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
    }
}
