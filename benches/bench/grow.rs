//! Grows the sources' fixtures to a given size by repeating their own items.

use serde_json::Value;
use statuswatch::document::{Document, Shape};
use statuswatch::snapshot::Snapshot;
use statuswatch::source::{Documents, Limits, Source};

use crate::fixtures::Step;

/// Limits that no grown document reaches.
pub(crate) const LIMITS: Limits = Limits { max_items: 1_000_000 };
/// Fields that identify an item.
const NAMES: &[&str] = &[
    "id",
    "_id",
    "key",
    "slug",
    "arn",
    "guid",
    "uuid",
    "number",
    "name",
    "service",
    "system",
    "messageId",
    "url",
    "uri",
    "link",
    "permalink",
    "full_url",
    "Id",
    "incident_id",
    "serviceName",
];
/// The start of an item in a page that is parsed as HTML.
const ROW: &str = "<div class=\"row no-gutters mb-3 incident-row\"";
/// The elements that wrap an item in feeds.
const ITEMS: [(&str, &str); 2] = [("<item", "</item>"), ("<entry", "</entry>")];

/// Returns a document of `source` of about `bytes` and its contents: the richest of the source's
/// fixtures that can be grown, else the largest one unchanged.
pub(crate) fn grown(source: &dyn Source, steps: &[Step], bytes: usize) -> (Documents, Snapshot) {
    let mut own: Vec<&Step> =
        steps.iter().filter(|step| step.source.name() == source.name()).collect();
    own.sort_by_key(|step| std::cmp::Reverse(step.documents.first.body.len()));
    for step in &own {
        let first = &step.documents.first;
        let Ok(before) = source.parse(&Documents::only(first.clone()), LIMITS) else {
            continue;
        };
        for body in bodies(first, bytes) {
            let document = Document::new(first.url.clone(), first.content_type.as_deref(), body);
            // It must be detected and read in full, or the list was not one that can be grown.
            let documents = Documents::only(document);
            if source.detect(&documents.first).is_none() {
                continue;
            }
            match source.parse(&documents, LIMITS) {
                Ok(after)
                    if after.rejected.len() <= before.rejected.len()
                        && said(&after) > said(&before) =>
                {
                    return (documents, after);
                }
                _ => {}
            }
        }
    }
    let documents = Documents::only(own[0].documents.first.clone());
    let snapshot = source.parse(&documents, LIMITS).unwrap();
    (documents, snapshot)
}

/// Counts incidents, their updates and components.
pub(crate) fn said(snapshot: &Snapshot) -> usize {
    let updates: usize = snapshot.incidents.iter().map(|incident| 1 + incident.updates.len()).sum();
    updates + snapshot.components.len()
}

/// Returns the document with each of its lists grown separately, the heaviest list first.
fn bodies(document: &Document, bytes: usize) -> Vec<Vec<u8>> {
    let text = document.text();
    let wide = document.body.starts_with(b"\xfe\xff");
    let encode = |text: String| {
        if wide {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect()
        } else {
            text.into_bytes()
        }
    };
    // Two bytes per character.
    let bytes = if wide { bytes / 2 } else { bytes };
    match document.shape() {
        Shape::Json => json(&text, bytes).into_iter().map(encode).collect(),
        Shape::Xml => ITEMS
            .iter()
            .filter_map(|(open, close)| xml(&text, open, close, bytes))
            .map(encode)
            .collect(),
        // Pages that embed their data as JSON.
        Shape::Html => html(&text, bytes).into_iter().map(encode).collect(),
        _ => Vec::new(),
    }
}

fn json(text: &str, bytes: usize) -> Vec<String> {
    let Ok(whole) = serde_json::from_str::<Value>(text) else {
        return Vec::new();
    };
    let mut lists = Vec::new();
    collect(&whole, "", &mut lists);
    lists.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let grow = |(_, place): (usize, String)| {
        let mut grown = whole.clone();
        if let Some(items) = grown.pointer(&place)?.as_object().cloned() {
            let each = items
                .iter()
                .map(|(key, item)| key.len() + item.to_string().len() + 4)
                .sum::<usize>()
                .max(1);
            let rounds = bytes.saturating_sub(whole.to_string().len()) / each;
            let more = (1..=rounds).flat_map(|round| {
                items.iter().map(move |(key, item)| (format!("{key}{round}"), renamed(item, round)))
            });
            grown.pointer_mut(&place)?.as_object_mut()?.extend(more);
            return Some(grown.to_string());
        }
        let items = grown.pointer(&place)?.as_array()?.clone();
        let each = items.iter().map(|item| item.to_string().len() + 1).sum::<usize>().max(1);
        let rounds = bytes.saturating_sub(whole.to_string().len()) / each;
        let more =
            (1..=rounds).flat_map(|round| items.iter().map(move |item| renamed(item, round)));
        let all: Vec<Value> = items.iter().cloned().chain(more).collect();
        *grown.pointer_mut(&place)? = Value::Array(all);
        Some(grown.to_string())
    };
    lists.into_iter().filter_map(grow).collect()
}

/// Collects every list of objects, and every map of objects by number, with its weight in bytes.
fn collect(value: &Value, at: &str, out: &mut Vec<(usize, String)>) {
    match value {
        Value::Object(object) => {
            let numbered = |(key, value): (&String, &Value)| {
                key.bytes().all(|byte| byte.is_ascii_digit()) && value.is_object()
            };
            if !object.is_empty() && object.iter().all(numbered) {
                out.push((value.to_string().len(), at.to_owned()));
            }
            for (key, value) in object {
                collect(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        Value::Array(list) => {
            if list.first().is_some_and(Value::is_object) {
                out.push((list.iter().map(|item| item.to_string().len()).sum(), at.to_owned()));
            }
            for (place, value) in list.iter().enumerate() {
                collect(value, &format!("{at}/{place}"), out);
            }
        }
        _ => {}
    }
}

/// Returns the item under other names, which makes it a distinct item.
fn renamed(item: &Value, round: usize) -> Value {
    let mut item = item.clone();
    rename(&mut item, round);
    item
}

fn rename(value: &mut Value, round: usize) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if NAMES.contains(&key.as_str()) && !text.is_empty() => {
                        *text = format!("{text}{round}");
                    }
                    Value::Number(number) if NAMES.contains(&key.as_str()) => {
                        *value = Value::from(number.as_u64().unwrap_or(0) + 100_000 * round as u64);
                    }
                    _ => rename(value, round),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| rename(value, round)),
        _ => {}
    }
}

/// Returns a feed with its first item repeated under other ids and links.
fn xml(text: &str, open: &str, close: &str, bytes: usize) -> Option<String> {
    let start = text.find(open)?;
    let end = start + text[start..].find(close)? + close.len();
    let item = &text[start..end];
    let mut out = text[..end].to_owned();
    for round in 1..=bytes.saturating_sub(text.len()) / item.len() {
        let number = format!("{round}</");
        let named = ["guid", "id", "link"].iter().fold(item.to_owned(), |item, tag| {
            item.replace(&format!("</{tag}>"), &format!("{number}{tag}>"))
        });
        out.push_str(&named);
    }
    out.push_str(&text[end..]);
    Some(out)
}

/// Returns a page with one of its JSON texts grown.
fn html(text: &str, bytes: usize) -> Vec<String> {
    let mut out: Vec<String> = rows(text, bytes).into_iter().collect();
    for (at, _) in text.match_indices('>') {
        let rest = &text[at + 1..];
        let inner = rest.trim_start();
        if !inner.starts_with(['{', '[']) {
            continue;
        }
        let mut stream = serde_json::Deserializer::from_str(inner).into_iter::<Value>();
        let Some(Ok(_)) = stream.next() else { continue };
        let (found, after) = inner.split_at(stream.byte_offset());
        let before = &text[..text.len() - inner.len()];
        let room = bytes.saturating_sub(text.len() - found.len());
        out.extend(json(found, room).into_iter().map(|grown| format!("{before}{grown}{after}")));
    }
    out
}

/// Returns a page with its first row repeated; the row's number is in its link.
fn rows(text: &str, bytes: usize) -> Option<String> {
    let places: Vec<usize> = text.match_indices(ROW).map(|(at, _)| at).collect();
    let (&start, &end) = (places.first()?, places.get(1)?);
    let row = &text[start..end];
    let repeated: String = (1..=bytes.saturating_sub(text.len()) / row.len())
        .map(|round| row.replace("/incident/", &format!("/incident/{round}0")))
        .collect();
    Some(format!("{}{repeated}{}", &text[..end], &text[end..]))
}
