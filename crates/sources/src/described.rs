//! `json`: any list in a JSON document, as described by the user in `providers.yaml`.
//!
//! JSON pointers (RFC 6901) locate the list and, in each of its items, the id, title, status, text,
//! time, link and impact; a table maps the provider's vocabulary. An item shows only its latest
//! text. An item's absence has no meaning unless the user says that it is over, and then it is
//! reported as the end.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::support::{fields, json, link, name, prose, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId};
use statuswatch_model::text::one_line;

/// Its name in `providers.yaml`.
pub const NAME: &str = "json";
/// Longest text, in characters, that is looked up in the vocabulary or accepted as an id.
const MAX_WORD: usize = 200;
/// Rejected items that are reported individually.
const MAX_NAMED: usize = 20;

/// The pointers into a provider's document, and the meaning of its vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonMap {
    /// Pointer to the list, from the root; empty if the document is the list.
    pub list: String,
    /// In an item: its id.
    pub id: String,
    /// In an item: its title.
    pub title: String,
    /// In an item: its status.
    pub status: Option<String>,
    /// In an item: its latest text.
    pub text: Option<String>,
    /// In an item: the time of that text.
    pub time: Option<String>,
    /// In an item: the link to its page.
    pub url: Option<String>,
    /// In an item: its impact.
    pub impact: Option<String>,
    /// Whether an item that is absent from the list is over. Otherwise its absence has no meaning.
    pub absent_is_over: bool,
    /// The provider's words with their meaning.
    pub words: Vec<(String, Word)>,
}

/// The meaning of a provider's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A status of an incident.
    Status(IncidentStatus),
    /// An impact.
    Impact(Impact),
}

/// The adapter for user-described documents. It detects no document by itself.
#[derive(Debug)]
pub(super) struct Described;

impl Source for Described {
    fn name(&self) -> &'static str {
        NAME
    }

    fn locate(&self, _: &Url) -> Vec<Url> {
        Vec::new()
    }

    fn detect(&self, _: &Document) -> Option<String> {
        None
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let broken = |reason: String| ParseError::not_this(NAME, reason);
        let map: &Arc<JsonMap> = documents
            .description
            .as_ref()
            .ok_or_else(|| broken("the provider has no description of it".to_owned()))?;
        let document: Value = json(&documents.first, NAME)?;
        let list = document
            .pointer(&map.list)
            .ok_or_else(|| broken(format!("there is no value at \"{}\"", map.list)))?;
        let list = list
            .as_array()
            .ok_or_else(|| broken(format!("the value at \"{}\" is not a list", map.list)))?;
        if list.len() > limits.max_items {
            return Err(ParseError::TooMany {
                what: "items",
                count: list.len(),
                limit: limits.max_items,
            });
        }
        let mut snapshot = Snapshot { page: Page::default(), ..Snapshot::default() };
        let mut seen = HashSet::new();
        let mut lost: usize = 0;
        for (place, item) in list.iter().enumerate() {
            let read = incident(map, item).and_then(|incident| {
                if seen.insert(incident.id.clone()) {
                    Ok(incident)
                } else {
                    Err(format!("the id {} is duplicated", incident.id))
                }
            });
            match read {
                Ok(incident) => snapshot.incidents.push(incident),
                Err(why) => {
                    lost += 1;
                    if lost <= MAX_NAMED {
                        snapshot.rejected.push(format!(
                            "{}[{place}]: {}",
                            map.list,
                            one_line(&why, MAX_WORD)
                        ));
                    }
                }
            }
        }
        if lost > MAX_NAMED {
            snapshot.rejected.push(format!("and {} more", lost - MAX_NAMED));
        }
        // A list that lost an item does not prove an absence.
        if map.absent_is_over && snapshot.rejected.is_empty() {
            snapshot.coverage = Coverage {
                incidents: Listing::Whole,
                maintenances: Listing::Whole,
                all_components: false,
            };
            let quiet = snapshot.open().next().is_none();
            snapshot.page.impact = quiet.then_some(Impact::None);
        }
        match snapshot.rejected.first() {
            Some(first) if snapshot.incidents.is_empty() => Err(ParseError::malformed(
                "JSON",
                format!("none of the items can be read: {first}"),
            )),
            _ => Ok(snapshot),
        }
    }
}

fn incident(map: &JsonMap, item: &Value) -> Result<Incident, String> {
    let id = text_at(item, &map.id).ok_or_else(|| format!("no id at \"{}\"", map.id))?;
    if id.chars().count() > MAX_WORD || id.chars().any(char::is_control) {
        return Err(format!("no id at \"{}\": too long or unprintable", map.id));
    }
    let title =
        text_at(item, &map.title).ok_or_else(|| format!("no title at \"{}\"", map.title))?;
    let optional =
        |pointer: &Option<String>| pointer.as_ref().and_then(|pointer| text_at(item, pointer));
    let meaning = |word: &str| {
        map.words.iter().find(|(known, _)| known == word.trim()).map(|(_, meaning)| *meaning)
    };
    let status =
        optional(&map.status).map_or(IncidentStatus::Update, |word| match meaning(&word) {
            Some(Word::Status(status)) => status,
            _ => vocabulary::status(&word),
        });
    let impact = optional(&map.impact).map_or(Impact::Unknown, |word| match meaning(&word) {
        Some(Word::Impact(impact)) => impact,
        _ => vocabulary::impact(&word),
    });
    let planned = matches!(
        status,
        IncidentStatus::Scheduled
            | IncidentStatus::InProgress
            | IncidentStatus::Verifying
            | IncidentStatus::Completed
    );
    let kind =
        if planned || impact == Impact::Maintenance { Kind::Maintenance } else { Kind::Incident };
    let at = optional(&map.time).and_then(|text| fields::moment_of(&text));
    let text = optional(&map.text).map(|text| prose(&text)).unwrap_or_default();
    let update = (at.is_some() || !text.is_empty()).then_some(Update {
        id: UpdateId::Latest,
        status,
        stated: status,
        published_at: at,
        edited_at: None,
        text,
    });
    let new = Incident::new(kind, id, name(&title));
    Ok(Incident {
        status,
        impact: if kind == Kind::Maintenance { Impact::Maintenance } else { impact },
        url: optional(&map.url).and_then(|url| link(&url)),
        updates: update.into_iter().collect(),
        ..new
    })
}

/// Returns the value at `pointer` as text; `None` for null, an empty string, a list or an object.
fn text_at(item: &Value, pointer: &str) -> Option<String> {
    let text = match item.pointer(pointer)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(word) => word.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statuswatch_model::event::parse_time;

    fn map() -> JsonMap {
        let at = |pointer: &str| Some(pointer.to_owned());
        JsonMap {
            list: "/data/reports".to_owned(),
            id: "/no".to_owned(),
            title: "/a~1b".to_owned(),
            status: at("/state"),
            text: at("/log/0/text"),
            time: at("/log/0/at"),
            url: at("/href"),
            impact: at("/severity"),
            absent_is_over: false,
            words: vec![
                ("2".to_owned(), Word::Status(IncidentStatus::Resolved)),
                ("Ongoing".to_owned(), Word::Status(IncidentStatus::Investigating)),
                ("sev1".to_owned(), Word::Impact(Impact::Critical)),
            ],
        }
    }

    fn read(body: &str) -> Result<Snapshot, ParseError> {
        read_with(map(), body)
    }

    fn read_with(map: JsonMap, body: &str) -> Result<Snapshot, ParseError> {
        let url = Url::parse("https://status.acme.example/data.json").unwrap();
        let mut documents = Documents::only(Document::new(url, None, body.to_owned()));
        documents.description = Some(Arc::new(map));
        Described.parse(&documents, Limits { max_items: 3 })
    }

    #[test]
    fn a_described_list_is_read() {
        let snapshot = read(
            r#"{"data": {"reports": [
                {"no": 7, "a/b": "Parcels <late>", "state": "Ongoing", "severity": "sev1", "href": "https://acme.example/7",
                 "log": [{"text": "<p>One.</p><p>Two.</p>", "at": 1770026400}]},
                {"no": "x8", "a/b": "Labels", "state": 2, "severity": "minor"},
                {"no": 9, "a/b": "Vans", "state": "in_progress", "href": "javascript:x"}]}}"#,
        )
        .unwrap();
        let [late, labels, vans] = snapshot.incidents.as_slice() else { panic!() };
        assert_eq!(
            (late.id.as_str(), late.status, late.impact),
            ("7", IncidentStatus::Investigating, Impact::Critical)
        );
        assert_eq!(late.url.as_deref(), Some("https://acme.example/7"));
        let [update] = late.updates.as_slice() else { panic!() };
        assert_eq!(
            (update.text.as_str(), update.published_at),
            ("One.\n\nTwo.", parse_time("2026-02-02T10:00:00Z"))
        );
        assert_eq!(
            (labels.status, labels.impact, labels.updates.len()),
            (IncidentStatus::Resolved, Impact::Minor, 0)
        );
        assert_eq!(
            (vans.kind, vans.status, vans.url.as_deref()),
            (Kind::Maintenance, IncidentStatus::InProgress, None)
        );
        assert!(read(r#"{"data": {"reports": []}}"#).unwrap().incidents.is_empty());
    }

    #[test]
    fn an_absence_means_the_end_only_where_the_user_says_so_and_the_list_is_whole() {
        let listing = |absent_is_over: bool, items: &str| {
            let map = JsonMap { absent_is_over, ..map() };
            let snapshot =
                read_with(map, &format!(r#"{{"data": {{"reports": [{items}]}}}}"#)).unwrap();
            (snapshot.coverage.incidents, snapshot.coverage.maintenances, snapshot.impact())
        };
        let (open, without_id) =
            (r#"{"no": 1, "a/b": "x", "state": "Ongoing", "severity": "sev1"}"#, r#"{"a/b": "y"}"#);
        assert_eq!(listing(true, open), (Listing::Whole, Listing::Whole, Impact::Critical));
        assert_eq!(listing(true, ""), (Listing::Whole, Listing::Whole, Impact::None));
        assert_eq!(listing(true, &format!("{open}, {without_id}")).0, Listing::Unknown);
        assert_eq!(listing(false, ""), (Listing::Unknown, Listing::Unknown, Impact::Unknown));
    }

    #[test]
    fn an_unknown_word_is_never_operational() {
        let snapshot = read(r#"{"data": {"reports": [{"no": 1, "a/b": "x", "state": "wobbling", "severity": "sev9"}]}}"#).unwrap();
        assert_eq!(
            (snapshot.incidents[0].status, snapshot.incidents[0].impact),
            (IncidentStatus::Update, Impact::Unknown)
        );
    }

    #[test]
    fn what_is_not_as_described_is_an_error_and_an_item_without_id_is_named() {
        for bad in [
            "{}",
            "[]",
            "",
            r#"{"data": {"reports": {}}}"#,
            r#"{"data": {"reports": null}}"#,
            "<html></html>",
            "{\"data\"",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let error = read(r#"{"data": {"reports": [{"a/b": "x"}]}}"#).unwrap_err().to_string();
        assert!(
            error.contains("none of the items can be read") && error.contains("no id at \"/no\""),
            "{error}"
        );
        let one = r#"{"no": 1, "a/b": "x"}"#;
        let snapshot = read(&format!(
            r#"{{"data": {{"reports": [{one}, {one}, {{"no": {{}}, "a/b": "y"}}]}}}}"#
        ))
        .unwrap();
        assert_eq!((snapshot.incidents.len(), snapshot.rejected.len()), (1, 2));
        assert!(snapshot.rejected[0].contains("is duplicated"), "{:?}", snapshot.rejected);
        assert!(matches!(
            read(&format!(r#"{{"data": {{"reports": [{one}, {one}, {one}, {one}]}}}}"#)),
            Err(ParseError::TooMany { limit: 3, .. })
        ));
    }

    #[test]
    fn without_a_description_nothing_is_read() {
        let url = Url::parse("https://status.acme.example/").unwrap();
        let documents = Documents::only(Document::new(url, None, "[]"));
        assert!(Described.parse(&documents, Limits::default()).is_err());
        assert!(Described.detect(&documents.first).is_none());
    }
}
