//! The values of a channel's own keys, read by their [`Shape`].

use std::ops::RangeInclusive;
use std::time::Duration;

use statuswatch_notify::Spec;
use statuswatch_notify::values::{Key, Secret, Shape, Value, Values};
use url::Url;

use super::super::address::read_url;
use super::super::document::{Node, Value as NodeValue};
use super::super::reader::{DiagnosticBuilder, Reader, Section};
use super::{Env, secrets};

/// Reads every key of a kind that is given.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    spec: &Spec,
    env: Env<'_>,
) -> Values {
    let mut values = Values::default();
    for key in spec.keys {
        if let Some(value) = value(reader, section, key, env) {
            values.set(key.name, value);
        }
    }
    values
}

/// Returns whether the key is given, in whichever form.
pub(super) fn is_given(section: &Section<'_>, key: &Key) -> bool {
    section.has(key.name) || (key.shape.is_secret() && section.has(&secrets::file_key(key.name)))
}

fn value(reader: &mut Reader<'_>, section: &Section<'_>, key: &Key, env: Env<'_>) -> Option<Value> {
    let name = key.name;
    match key.shape {
        Shape::Text => text(reader, section, name).map(Value::Text),
        Shape::Word(words) => {
            let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            reader.word(section, name, &words).map(|word| Value::Text(word.to_owned()))
        }
        Shape::Url => reader
            .value(section, name, "an address", address)
            .map(|url| Value::Url(Secret::new(url))),
        Shape::Secret => secrets::read(reader, section, key, env)
            .map(|secret| Value::Secret(Secret::new(secret))),
        Shape::SecretUrl => secret_url(reader, section, key, env),
        Shape::List => reader.texts(section, name).map(Value::List),
        Shape::Flag => reader.flag(section, name).map(Value::Flag),
        Shape::Integer { min, max } => {
            reader.number(section, name, &(min..=max)).map(Value::Integer)
        }
        Shape::Duration { min, max } => {
            let range: RangeInclusive<Duration> =
                Duration::from_secs(min)..=Duration::from_secs(max);
            reader.duration(section, name, &range).map(Value::Duration)
        }
        Shape::Map => section.get(name).and_then(|node| map(reader, node, name)).map(Value::Map),
    }
}

fn text(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<String> {
    reader.value(section, key, "a line of text", |text| {
        let text = text.trim();
        if text.is_empty() {
            Err(DiagnosticBuilder::new(format!("\"{key}\" is empty")))
        } else if text.chars().any(char::is_control) {
            Err(DiagnosticBuilder::new(format!("\"{key}\" must be one line of text")))
        } else {
            Ok(text.to_owned())
        }
    })
}

/// Reads an address that anybody may see.
fn address(text: &str) -> Result<Url, DiagnosticBuilder> {
    read_url(text).map_err(|complaint| {
        let is_login = Url::parse(text.trim())
            .is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
        if is_login {
            complaint.help("remove everything before the \"@\": credentials have keys of their own")
        } else {
            complaint
        }
    })
}

/// Reads an address that is a secret. It may contain a user name and a password.
fn secret_url(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &Key,
    env: Env<'_>,
) -> Option<Value> {
    let text = secrets::read(reader, section, key, env)?;
    let why = match Url::parse(text.trim()) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            "it must start with http:// or https://".to_owned()
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => "it has no host".to_owned(),
        Ok(url) => return Some(Value::Url(Secret::new(url))),
        Err(error) => error.to_string(),
    };
    let file_key = secrets::file_key(key.name);
    let node = section.get(key.name).or_else(|| section.get(&file_key))?;
    let message = format!("\"{}\" is not an address: {why}", key.name);
    reader.error(node.at, None, DiagnosticBuilder::new(message).help("write https://..."));
    None
}

/// Reads a mapping of names to texts.
fn map(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<Vec<(String, String)>> {
    if node.is_null() {
        return Some(Vec::new());
    }
    let NodeValue::Map(pairs) = &node.value else {
        let message = format!("\"{key}\" must be a mapping, not {}", node.kind());
        let complaint = DiagnosticBuilder::new(message);
        reader.error(node.at, None, complaint.help("write {NAME: \"value\"}"));
        return None;
    };
    let mut seen = std::collections::HashSet::new();
    // One after the other, so that an error in the first does not hide one in the second.
    let read: Vec<Option<(String, String)>> = pairs
        .iter()
        .map(|(name, value)| {
            if !seen.insert(name.name.as_str()) {
                let message = format!("duplicate key in \"{key}\"");
                let complaint = DiagnosticBuilder::new(message);
                reader.error(name.at, None, complaint.help("keep one of the two"));
            }
            let expected = "a mapping of names to texts";
            let text = reader.scalar(value, key, expected, |text| Ok(text.to_owned()))?;
            Some((name.name.clone(), text))
        })
        .collect();
    read.into_iter().collect()
}
