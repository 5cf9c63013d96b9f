//! Datadog Status Pages: `/config.json` of the page, from which the page itself is rendered.
//!
//! The document is undocumented. Its shape is taken from what the project bentleypark/aiwatch
//! captured of one page in September 2026 and from its parser (`worker/src/parsers/datadog.ts`),
//! the vocabulary from the enumerations of Datadog's own API clients, which write the same pages
//! (`datadog-api-client`). No capture with a maintenance was found: `maintenances` was null in
//! each. Maintenances are read with the field names of incidents and the API; one without any known
//! word is rejected, so that an absence has no meaning.
//!
//! Incidents include those that are over, newest first. An incident lists its components with their
//! present status, so its impact is taken from its timeline.

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, MaybeId, Name, OrDefault, Prose, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, candidates, json, link, name, order_updates, sniff, vocabulary,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "datadog";
/// Maximum depth of nested groups.
const MAX_DEPTH: usize = 8;

/// The adapter for Datadog Status Pages.
#[derive(Debug)]
pub(super) struct Datadog;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    id: String,
    name: String,
    domain_prefix: String,
    page_url: String,
    components: List,
    /// Required; null must be distinguished from an empty list.
    #[serde(deserialize_with = "Option::deserialize")]
    incidents: Option<List>,
    /// Required; null where there are none.
    #[serde(deserialize_with = "fields::or_default")]
    maintenances: List,
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    name: Name,
    #[serde(rename = "type")]
    class: String,
    /// For components.
    status: Option<String>,
    /// For groups.
    components: Option<List>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    title: Name,
    current_status: String,
    resolved: OrDefault<bool>,
    published_date: When,
    components_affected: OrDefault<List>,
    timeline: List,
}

/// A guess: no capture exists.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Planned {
    id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    title: Name,
    current_status: Option<String>,
    status: Option<String>,
    start_date: When,
    completed_date: When,
    components_affected: OrDefault<List>,
    timeline: OrDefault<List>,
    updates: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
struct Step {
    id: MaybeId,
    status: Text,
    description: Prose,
    /// When it happened; `createdAt` is when it was written.
    started_at: When,
    created_at: When,
    last_modified_at: When,
    components_affected: OrDefault<List>,
}

impl Source for Datadog {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".statuspage.datadoghq.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &[" | datadog</title>"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["config.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let config: Config = sniff(document)?;
        is_uuid(&config.id).then(|| {
            format!(
                "the document has the shape of a Datadog status page and the prefix \"{}\"",
                name(&config.domain_prefix)
            )
        })
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let config: Config = json(&documents.first, NAME)?;
        if !is_uuid(&config.id) {
            let reason = format!("the page id \"{}\" is no UUID", one_line(&config.id, 40));
            return Err(ParseError::not_this(NAME, reason));
        }
        let mut items = Items::new(limits);
        let mut components = Vec::new();
        read_components(&mut items, &config.components, None, MAX_DEPTH, &mut components)?;
        if components.len() > limits.max_items {
            let (what, count) = ("components", components.len());
            return Err(ParseError::TooMany { what, count, limit: limits.max_items });
        }
        let of_components = items.rejected();
        let listed = config.incidents.is_some();
        let list = config.incidents.unwrap_or_default();
        let mut incidents = items.build("incidents", &list, incident, |one| &one.id)?;
        let of_incidents = items.rejected() - of_components;
        let list = config.maintenances;
        incidents.extend(items.build("maintenances", &list, maintenance, |one| &one.id)?);
        let of_maintenances = items.rejected() - of_incidents - of_components;
        let recent = |whole: bool| if whole { Listing::Recent } else { Listing::Unknown };
        let name = name(&config.name);
        Ok(Snapshot {
            page: Page {
                id: Some(config.id),
                name: (!name.is_empty()).then_some(name),
                url: link(&config.page_url),
                version: None,
                impact: None,
                ..Page::default()
            },
            incidents,
            components,
            coverage: Coverage {
                incidents: recent(listed && of_incidents == 0),
                // It is unknown whether ended ones are listed.
                maintenances: if of_maintenances == 0 { Listing::Open } else { Listing::Unknown },
                all_components: of_components == 0,
            },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Reads the components, including nested ones; the group is the name of the nearest parent.
fn read_components(
    items: &mut Items,
    list: &List,
    group: Option<&str>,
    depth: usize,
    out: &mut Vec<Component>,
) -> Result<(), ParseError> {
    if depth == 0 {
        items.reject("components", "nested too deep");
        return Ok(());
    }
    for entry in items.read::<Entry>("components", list)? {
        match (entry.class.as_str(), entry.status, entry.components) {
            ("ComponentGroup", _, Some(inner)) => {
                read_components(items, &inner, Some(&entry.name), depth - 1, out)?;
            }
            ("Component", Some(word), _) => out.push(component(
                Some(entry.id.0),
                entry.name,
                group.map(str::to_owned),
                state(&word),
            )),
            (class, ..) => {
                items.reject("components", &format!("{}: unknown type {class}", entry.id));
            }
        }
    }
    Ok(())
}

fn incident(items: &mut Items, wire: Item) -> Result<Incident, String> {
    let now = affected(items, &wire.components_affected)?;
    let (updates, worst) = timeline(items, &wire.timeline)?;
    let mut incident = Incident::new(Kind::Incident, wire.id.0, wire.title);
    incident.status = match vocabulary::status(&wire.current_status) {
        IncidentStatus::Update if wire.resolved.0 => IncidentStatus::Resolved,
        status => status,
    };
    let present = worst_of(&now).filter(|_| !incident.status.is_over());
    incident.impact = present.or(worst).unwrap_or(Impact::Unknown);
    incident.started_at = wire.published_date.0;
    incident.components = now;
    incident.updates = order_updates(updates, Order::NewestFirst);
    Ok(incident)
}

fn maintenance(items: &mut Items, wire: Planned) -> Result<Incident, String> {
    const WORDS: &[(&str, IncidentStatus)] = &[
        ("scheduled", IncidentStatus::Scheduled),
        ("in_progress", IncidentStatus::InProgress),
        ("completed", IncidentStatus::Completed),
        ("canceled", IncidentStatus::Completed),
    ];
    let word = wire.current_status.or(wire.status).unwrap_or_default();
    let status = vocabulary::lookup(&word, WORDS)
        .ok_or_else(|| format!("{}: unknown status \"{}\"", wire.id, one_line(&word, 40)))?;
    let components = affected(items, &wire.components_affected)?;
    let list = if wire.timeline.is_empty() { &wire.updates } else { &wire.timeline };
    let (updates, _) = timeline(items, list)?;
    let mut incident = Incident::new(Kind::Maintenance, wire.id.0, wire.title);
    incident.status = status;
    incident.scheduled_for = wire.start_date.0;
    incident.scheduled_until = wire.completed_date.0;
    incident.components = components;
    incident.updates = order_updates(updates, Order::NewestFirst);
    Ok(incident)
}

/// Returns the updates in list order, and the worst component status among them.
fn timeline(items: &mut Items, list: &List) -> Result<(Vec<RawUpdate>, Option<Impact>), String> {
    let steps: Vec<Step> = items.nested("timeline", list).map_err(|error| error.to_string())?;
    let mut worst: Option<Impact> = None;
    let mut updates = Vec::with_capacity(steps.len());
    for step in steps {
        let affected = affected(items, &step.components_affected)?;
        worst = worst.into_iter().chain(worst_of(&affected)).max_by_key(|impact| impact.rank());
        updates.push(RawUpdate {
            id: step.id.0.map(|id| id.0),
            edited_at: step.last_modified_at.0,
            ..RawUpdate::new(
                vocabulary::status(&step.status),
                step.started_at.or(step.created_at.0),
                step.description.0,
            )
        });
    }
    Ok((updates, worst))
}

fn affected(items: &mut Items, list: &List) -> Result<Vec<Component>, String> {
    let read: Vec<Entry> =
        items.nested("componentsAffected", list).map_err(|error| error.to_string())?;
    let made = read.into_iter().map(|entry| {
        component(Some(entry.id.0), entry.name, None, state(&entry.status.unwrap_or_default()))
    });
    Ok(made.collect())
}

fn worst_of(components: &[Component]) -> Option<Impact> {
    components.iter().map(|one| one.status.impact()).max_by_key(|impact| impact.rank())
}

fn is_uuid(id: &str) -> bool {
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn state(word: &str) -> ComponentStatus {
    const OWN: &[(&str, ComponentStatus)] = &[
        ("degraded", ComponentStatus::DegradedPerformance),
        ("maintenance", ComponentStatus::UnderMaintenance),
    ];
    vocabulary::lookup(word, OWN).unwrap_or_else(|| vocabulary::component(word))
}
