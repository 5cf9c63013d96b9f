//! StatusCast: its page, or `/status.json` with the related lists.
//!
//! The page shows incidents with their texts in several lists, placed by the owner. Its history
//! grid shows the worst status of each day and not the present one, so no component is read from
//! it. `/status.json` is read where the configured URL names it: it has the status of the page, and
//! the related lists have titles without texts.

mod page;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, Text};
use super::support::{
    Items, List, bases, candidates, json, link, name, sibling, sniff, vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{self, Coverage, Incident, Listing, Page, Snapshot};

const NAME: &str = "statuscast";
const COMPONENTS: &str = "components";
const INCIDENTS: &str = "incidents";

/// The adapter for StatusCast.
#[derive(Debug)]
pub(super) struct StatusCast;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(rename = "StatusText")]
    _status_text: String,
    #[serde(rename = "InEffectSince")]
    _in_effect_since: String,
}

#[derive(Debug, Deserialize)]
struct Component {
    id: Id,
    text: String,
    #[serde(rename = "CurrentStatus")]
    current_status: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: Id,
    title: String,
    status: String,
    short_url: Text,
    incident_type: Text,
}

impl Source for StatusCast {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".status.page"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["status page by statuscast"]
    }

    fn version(&self) -> u32 {
        2
    }

    fn accept(&self) -> &'static str {
        "text/html, application/json;q=0.9"
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let mut page = page.clone();
        // The provider catalog lists feeds; the page is above them.
        if page.path() == "/rss" {
            page.set_path("/");
        }
        candidates(&page, &["", "status.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if document.shape() == Shape::Html {
            return page::is_page(&document.text())
                .then(|| "the page is made by StatusCast and lists incidents".to_owned());
        }
        sniff::<State>(document)
            .map(|_| "the document has the shape of StatusCast's status.json".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        if documents.first.shape() == Shape::Html {
            return page::parse(&documents.first, limits);
        }
        let state: State = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let mut snapshot = Snapshot {
            page: Page {
                url: bases(&documents.first.url).into_iter().next().map(|url| url.to_string()),
                impact: Some(component(&state.status).impact()),
                ..Page::default()
            },
            ..Snapshot::default()
        };
        if let Some(document) = documents.detail(COMPONENTS) {
            let list: List = json(document, NAME)?;
            let read: Vec<Component> = items.read("components", &list)?;
            if read.is_empty() {
                return Err(ParseError::not_this(NAME, "the list of components is empty"));
            }
            let all = read.into_iter();
            snapshot.components = all
                .map(|row| {
                    snapshot::component(
                        Some(row.id.0),
                        name(&row.text),
                        None,
                        component(&row.current_status),
                    )
                })
                .collect();
            snapshot.coverage.all_components = items.rejected() == 0;
        }
        if let Some(document) = documents.detail(INCIDENTS) {
            let list: List = json(document, NAME)?;
            let read: Vec<Row> = items.read("incidents", &list)?;
            snapshot.incidents = read.into_iter().map(incident).collect();
        }
        snapshot.coverage = Coverage {
            incidents: Listing::Unknown,
            maintenances: Listing::Unknown,
            ..snapshot.coverage
        };
        snapshot.rejected = items.into_rejected();
        Ok(snapshot)
    }

    fn details(&self, first: &Document, _: &Snapshot, _: &PriorItems) -> Vec<Detail> {
        if first.shape() == Shape::Html {
            return Vec::new();
        }
        [(COMPONENTS, "components.json"), (INCIDENTS, "incidents.json")]
            .into_iter()
            .filter_map(|(role, file)| {
                Some(Detail { role, url: sibling(&first.url, file)?, optional: true })
            })
            .collect()
    }

    /// The status is only that of the page.
    fn is_sidecar(&self, _: &str, _: &Snapshot) -> bool {
        true
    }
}

fn incident(row: Row) -> Incident {
    let (kind, impact) = nature(&row.incident_type);
    let new = Incident::new(kind, row.id.0, name(&row.title));
    Incident {
        status: status(&row.status, kind).unwrap_or(if kind == Kind::Maintenance {
            new.status
        } else {
            IncidentStatus::Investigating
        }),
        impact,
        url: link(&row.short_url),
        ..new
    }
}

/// Maps the type of an incident to kind and impact: `serviceunavailable`, `scheduledmaintenance`, …
fn nature(word: &str) -> (Kind, Impact) {
    let word = word.to_ascii_lowercase();
    if word.contains("maintenance") {
        return (Kind::Maintenance, Impact::Maintenance);
    }
    let impact = if word.contains("unavailable") || word.contains("outage") {
        Impact::Major
    } else if word.contains("degrad") || word.contains("performance") {
        Impact::Minor
    } else if word.contains("informational") {
        Impact::None
    } else {
        Impact::Unknown
    };
    (Kind::Incident, impact)
}

/// Maps the status of an incident or update; `None` for a word that only says it is open.
fn status(word: &str, kind: Kind) -> Option<IncidentStatus> {
    let (over, begun) = match kind {
        Kind::Maintenance => (IncidentStatus::Completed, Some(IncidentStatus::InProgress)),
        _ => (IncidentStatus::Resolved, None),
    };
    vocabulary::lookup(
        word,
        &[
            ("closed", Some(over)),
            ("completed", Some(over)),
            ("resolved", Some(over)),
            ("in progress", begun),
            ("started", begun),
            ("future", Some(IncidentStatus::Scheduled)),
            ("upcoming", Some(IncidentStatus::Scheduled)),
            ("monitored", Some(IncidentStatus::Monitoring)),
        ],
    )
    .unwrap_or_else(|| {
        Some(vocabulary::status(word)).filter(|status| *status != IncidentStatus::Update)
    })
}

/// Maps StatusCast's words for the status of a component.
fn component(word: &str) -> ComponentStatus {
    vocabulary::lookup(
        word,
        &[
            ("available", ComponentStatus::Operational),
            ("normal", ComponentStatus::Operational),
            ("informational", ComponentStatus::Operational),
            ("degraded", ComponentStatus::DegradedPerformance),
            // The progress of an incident of the component, which does not imply its impact.
            ("investigating", ComponentStatus::DegradedPerformance),
            ("identified", ComponentStatus::DegradedPerformance),
            ("monitored", ComponentStatus::DegradedPerformance),
            ("unavailable", ComponentStatus::MajorOutage),
            ("maintenance", ComponentStatus::UnderMaintenance),
        ],
    )
    .unwrap_or_else(|| vocabulary::component(word))
}
