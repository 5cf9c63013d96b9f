//! `json`: the user's description of a document, checked.

use std::sync::Arc;

use super::document::{Node, Value};
use super::keys;
use super::reader::{DiagnosticBuilder, Reader, Section, nearest, short};
use crate::event::{Impact, IncidentStatus};
use crate::source::{JsonMap, Word};

/// Words for where an incident stands; states of components and providers are none.
const STATUSES: &[IncidentStatus] = &[
    IncidentStatus::Investigating,
    IncidentStatus::Identified,
    IncidentStatus::Monitoring,
    IncidentStatus::Resolved,
    IncidentStatus::Postmortem,
    IncidentStatus::Update,
    IncidentStatus::Scheduled,
    IncidentStatus::InProgress,
    IncidentStatus::Verifying,
    IncidentStatus::Completed,
];
/// Words for how bad it is; "unknown" is what every other word means.
const IMPACTS: &[Impact] =
    &[Impact::None, Impact::Minor, Impact::Major, Impact::Critical, Impact::Maintenance];

/// What it means that an incident has left the list: that it is over, or nothing.
const ABSENT: &[(&str, bool)] = &[("unknown", false), ("over", true)];

/// The description in `section`, and what it has to do with the `source` named there.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    source: Option<&str>,
) -> Option<Arc<JsonMap>> {
    let named = source == Some(crate::source::JSON);
    let Some(node) = section.get("json").filter(|node| !node.is_null()) else {
        if named && let Some(node) = section.get("source") {
            let complaint =
                DiagnosticBuilder::new("the source \"json\" needs the section \"json\"");
            let hint = "add \"json:\" and below it at least \"list: /path/to/list\", \"id: /id\" and \"title: /name\"";
            reader.error(node.at, Some("json"), complaint.help(hint));
        }
        return None;
    };
    if let Some(other) = source.filter(|_| !named) {
        let message = format!(
            "\"json\" describes a document, and the source \"{}\" needs no description",
            short(other)
        );
        reader.error(
            node.at,
            None,
            DiagnosticBuilder::new(message).help("write \"source: json\", or remove \"json\""),
        );
        return None;
    }
    let inner = reader.section(node, "\"json\"", keys::JSON)?;
    for key in ["list", "id", "title"] {
        if !inner.has(key) {
            let hint = if key == "list" {
                "add \"list: /path/to/list\", or \"list: ''\" where the document itself is the list"
            } else {
                "add where it is in each item, such as \"/id\""
            };
            reader.error(
                node.at,
                None,
                DiagnosticBuilder::new(format!("\"json\" has no \"{key}\"")).help(hint),
            );
        }
    }
    let list = pointer(reader, &inner, "list");
    let (id, title) = (pointer(reader, &inner, "id"), pointer(reader, &inner, "title"));
    let [status, text, time, url, impact] =
        ["status", "text", "time", "url", "impact"].map(|key| pointer(reader, &inner, key));
    let absent_is_over = reader.word(&inner, "absent", ABSENT).unwrap_or(false);
    let words = inner.get("words").map(|node| table(reader, node)).unwrap_or_default();
    Some(Arc::new(JsonMap {
        list: list?,
        id: id?,
        title: title?,
        status,
        text,
        time,
        url,
        impact,
        absent_is_over,
        words,
    }))
}

fn pointer(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<String> {
    reader.value(section, key, "a JSON pointer", |text| {
        let complaint =
            |why: &str| DiagnosticBuilder::new(format!("\"{key}\" is not a JSON pointer: {why}"));
        if !text.is_empty() && !text.starts_with('/') {
            let meant = format!("/{}", text.trim_start_matches("$.").replace('.', "/"));
            return Err(complaint("it must begin with \"/\"")
                .help(format!("did you mean \"{}\"?", short(&meant))));
        }
        let escapes = text.split('~').skip(1);
        if escapes.into_iter().any(|rest| !rest.starts_with(['0', '1'])) {
            return Err(
                complaint("a \"~\" stands alone").help("write ~0 for a ~ and ~1 for a / in a name")
            );
        }
        if text.is_empty() && key != "list" {
            return Err(
                complaint("it is empty").help("write where it is in each item, such as \"/id\"")
            );
        }
        Ok(text.to_owned())
    })
}

/// `words`: theirs and ours.
fn table(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, Word)> {
    let Value::Map(pairs) = &node.value else {
        let message = format!("\"words\" must be a mapping, not {}", node.kind());
        reader.error(
            node.at,
            None,
            DiagnosticBuilder::new(message)
                .help("write the provider's word and ours: \"Ongoing: investigating\""),
        );
        return Vec::new();
    };
    pairs
        .iter()
        .filter_map(|(key, value)| {
            let meaning = reader.scalar(value, &key.name, "one of our words", |word| {
                let status = STATUSES
                    .iter()
                    .find(|known| known.as_str() == word)
                    .map(|known| Word::Status(*known));
                let impact = || {
                    IMPACTS
                        .iter()
                        .find(|known| known.as_str() == word)
                        .map(|known| Word::Impact(*known))
                };
                status.or_else(impact).ok_or_else(|| {
                    let known = || {
                        STATUSES
                            .iter()
                            .map(|known| known.as_str())
                            .chain(IMPACTS.iter().map(|known| known.as_str()))
                    };
                    let complaint =
                        DiagnosticBuilder::new(format!("\"{}\" is none of our words", short(word)));
                    match nearest(word, known()) {
                        Some(meant) => complaint.help(format!("did you mean \"{meant}\"?")),
                        None => complaint.help(format!(
                            "expected one of: {}",
                            known().collect::<Vec<_>>().join(", ")
                        )),
                    }
                })
            })?;
            Some((key.name.clone(), meaning))
        })
        .collect()
}
