//! A provider's configuration as an entry of `providers.yaml`: what a replay needs, and no secrets.

use serde_json::{Map, Value, json};
use url::Url;

use crate::config::{Filter, FirstRun, MaintenanceFilter, Provider, Settings, render_duration};
use crate::redact::redact;
use crate::source::{JsonMap, Word};

/// Keys that only affect requests and notifications: a replay sends none.
#[cfg(test)]
const OF_THE_NETWORK: &[&str] = &[
    "timeout",
    "connect_timeout",
    "jitter",
    "backoff",
    "max_body",
    "max_wait",
    "host_pace",
    "allow_private_addresses",
    "enabled",
    "tags",
];

/// Returns the entry of `provider`, with secrets removed from its address.
#[must_use]
pub fn of(provider: &Provider) -> Value {
    let Settings {
        interval,
        incident_interval,
        stale_after,
        max_items,
        first_run,
        time_zone,
        min_duration,
        ..
    } = &provider.settings;
    let mut entry = Map::new();
    let mut put = |key: &str, value: Value| entry.insert(key.to_owned(), escaped(value));
    put("id", json!(provider.id));
    put("name", json!(provider.name));
    put("url", json!(address(&provider.url)));
    if let Some(source) = &provider.source {
        put("source", json!(source));
    }
    if let Some(map) = &provider.json {
        put("json", description(map));
    }
    put("interval", json!(render_duration(*interval)));
    put("incident_interval", json!(render_duration(*incident_interval)));
    put("stale_after", json!(render_duration(*stale_after)));
    put("max_items", json!(max_items));
    put("first_run", word(first_run));
    put("time_zone", json!(time_zone.to_string()));
    put("min_duration", json!(render_duration(*min_duration)));
    let Filter { components, regions, min_impact, kinds, maintenance } = &provider.filter;
    for (key, list) in [("components", components), ("regions", regions)] {
        if !list.is_empty() {
            put(key, json!(list));
        }
    }
    if let Some(impact) = min_impact {
        put("min_impact", json!(impact.as_str()));
    }
    if !kinds.is_empty() {
        put("kinds", kinds.iter().map(|kind| json!(kind.as_str())).collect());
    }
    if *maintenance != MaintenanceFilter::On {
        put("maintenance", word(maintenance));
    }
    Value::Object(entry)
}

/// Returns the minimal entry for a provider whose configuration was not recorded.
#[must_use]
pub fn guessed(id: &str, url: &str, source: Option<&str>) -> Value {
    let mut entry = json!({"id": id, "url": url, "first_run": word(&FirstRun::Active)});
    if let (Some(source), Some(map)) = (source, entry.as_object_mut()) {
        map.insert("source".to_owned(), json!(source));
    }
    escaped(entry)
}

/// Removes secrets from the address but never shortens it, because it is requested.
fn address(url: &Url) -> String {
    let short = redact(url);
    if url.query().is_none() {
        let mut plain = url.clone();
        plain.set_fragment(None);
        // It contains no user name: the configuration rejects one.
        return if plain.username().is_empty() && plain.password().is_none() {
            plain.into()
        } else {
            short
        };
    }
    short
}

fn word(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn description(map: &JsonMap) -> Value {
    let mut entry = Map::new();
    let pointers = [
        ("list", Some(&map.list)),
        ("id", Some(&map.id)),
        ("title", Some(&map.title)),
        ("status", map.status.as_ref()),
        ("text", map.text.as_ref()),
        ("time", map.time.as_ref()),
        ("url", map.url.as_ref()),
        ("impact", map.impact.as_ref()),
    ];
    for (key, pointer) in pointers {
        if let Some(pointer) = pointer {
            entry.insert(key.to_owned(), json!(pointer));
        }
    }
    if map.absent_is_over {
        entry.insert("absent".to_owned(), json!("over"));
    }
    let words: Map<String, Value> = map
        .words
        .iter()
        .map(|(theirs, ours)| {
            let ours = match ours {
                Word::Status(status) => status.as_str(),
                Word::Impact(impact) => impact.as_str(),
            };
            (theirs.clone(), json!(ours))
        })
        .collect();
    if !words.is_empty() {
        entry.insert("words".to_owned(), Value::Object(words));
    }
    Value::Object(entry)
}

/// A dollar sign in the file starts a variable unless it is doubled.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(list) => list.into_iter().map(escaped).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, escaped(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    const TEXT: &str = r#"
defaults: {interval: 2m, jitter: 20%, timeout: 3s}
providers:
  - id: acme
    name: "Acme $$ Cloud"
    url: https://status.acme.example/reports.json?token=s3cr3t-value
    source: json
    json: {list: /data, id: /n, title: /t, status: /s, text: /m, time: /c, url: /l, impact: /i, absent: over, words: {Ongoing: investigating, sev1: critical}}
    components: ["API*"]
    regions: ["eu-*"]
    min_impact: minor
    kinds: [incident]
    maintenance: starts_only
    first_run: all
    max_items: 77
    stale_after: 1h
    time_zone: Europe/Berlin
    min_duration: 1m
    incident_interval: 5s
"#;

    fn provider(text: &str) -> Provider {
        let loaded = config::parse(Path::new("providers.yaml"), text, &|_| None);
        let config = loaded.unwrap_or_else(|error| panic!("{error}")).config;
        (*config.providers[0]).clone()
    }

    #[test]
    fn an_entry_is_read_back_as_what_it_was_but_for_its_secret_and_the_network() {
        let written = provider(TEXT);
        let entry = of(&written);
        assert!(!entry.to_string().contains("s3cr3t"), "{entry}");
        let read = provider(&json!({"providers": [entry]}).to_string());
        assert_eq!(read.url.as_str(), "https://status.acme.example/reports.json?token=%E2%80%A6");
        let expected = Provider {
            url: read.url.clone(),
            settings: Settings {
                jitter: read.settings.jitter,
                timeout: read.settings.timeout,
                connect_timeout: read.settings.connect_timeout,
                ..written.settings.clone()
            },
            ..written
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn every_key_of_a_provider_is_recorded_or_of_no_use_here() {
        let schema = config::schema();
        let keys = schema["$defs"]["Provider"]["properties"].as_object().unwrap();
        let recorded = of(&provider(TEXT));
        for key in keys.keys() {
            assert!(
                recorded.get(key).is_some() || OF_THE_NETWORK.contains(&key.as_str()),
                "{key} is a key of a provider: record it in src/record/entry.rs, or say there that a replay has no use for it"
            );
        }
    }
}
