//! incident.io's global pages: one page for each region or product of a customer, below a shared
//! address. They have no document besides the HTML: there, the imitation of Statuspage's API lists
//! no components. So the payload embedded in the page is read.
//!
//! The shape is taken from a page that the project bentleypark/aiwatch captured in July 2026, while
//! nothing was open, and from its tests (issue 1066): open incidents are assumed to look like those
//! that are over, and so is the list of ongoing ones. Ordinary pages embed the same data and
//! declare themselves standalone (`page_type`); they are left to the summary, which is made for
//! programs. The page that lists the regions has no components and is rejected.
//!
//! The page lists about three months, with texts for the newest incidents. A component's status is
//! the worst that an open incident gives it.

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::carried::{Affected, Entry, Item, Part, Span, Summary, Update};
use super::payload;
use crate::support::{
    Items, List, MAX_NAME, Order, RawUpdate, html, lenient, link, order_updates, vocabulary,
};
use crate::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "incidentioglobal";

/// The adapter for incident.io's global pages.
#[derive(Debug)]
pub(crate) struct Global;

impl Source for Global {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accept(&self) -> &'static str {
        "text/html"
    }

    /// The page itself, which is requested in any case: next to it is another region's.
    fn locate(&self, _: &Url) -> Vec<Url> {
        Vec::new()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if document.shape() != Shape::Html {
            return None;
        }
        let payload = payload::of_page(&document.text());
        let summary = payload::find(&payload, "summary", is_global)?;
        let name = summary.get("name").and_then(Value::as_str).unwrap_or_default();
        Some(format!(
            "the HTML carries the data of \"{}\", part of a global page of incident.io",
            one_line(name, MAX_NAME)
        ))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let text = html::page(&documents.first, NAME)?;
        let payload = payload::of_page(&text);
        let summary =
            payload::find(&payload, "summary", is_global).ok_or_else(|| html::another(&text))?;
        let summary: Summary = read(&summary)?;
        let links = payload::find(&payload, "incident_links", Value::is_array);
        let texts = payload::find(&payload, "incidents", has_texts);
        let (Some(links), Some(texts)) = (links, texts) else {
            let reason = "the lists of incidents are missing".to_owned();
            return Err(ParseError::not_this(NAME, reason));
        };
        let mut items = Items::new(limits);
        let all = components(&mut items, &summary.structure.items, limits)?;
        let of_components = items.rejected();
        let by_id: HashMap<&str, &Component> =
            all.iter().filter_map(|one| Some((one.id.as_deref()?, one))).collect();
        let mut states = HashMap::new();
        let (affected, mut elsewhere) = readable(summary.affected_components);
        for one in items.read::<Affected>("affected components", &affected)? {
            worsen(&mut states, &one);
        }
        let mut incidents: Vec<Incident> = Vec::new();
        let mut listed = HashSet::new();
        for (what, list) in [
            ("incidents", read(&texts)?),
            ("ongoing incidents", summary.ongoing_incidents),
            ("maintenances", summary.scheduled_maintenances.0),
            ("links to incidents", read(&links)?),
        ] {
            let (list, references) = readable(list);
            elsewhere += references;
            let build = |items: &mut Items, wire: Item| incident(items, wire, &by_id, &mut states);
            for one in items.build(what, &list, build, |one| &one.id)? {
                if listed.insert(one.id.clone()) {
                    incidents.push(one);
                }
            }
        }
        // The page writes each incident once and references it elsewhere, so it was already read.
        let affected = incidents.iter().map(|one: &Incident| one.components.len() + 1);
        if elsewhere > affected.sum() {
            items.reject("incidents", "some are in an unknown place");
        }
        let listing = items.listing(of_components, Listing::Recent);
        let now = |one: &Component| {
            let id = one.id.as_deref().unwrap_or_default();
            let state = states.get(id).copied().unwrap_or(ComponentStatus::Operational);
            Component { status: state, ..one.clone() }
        };
        for one in incidents.iter_mut().filter(|one| !one.status.is_over()) {
            one.components = one.components.iter().map(now).collect();
        }
        Ok(Snapshot {
            page: Page {
                id: Some(summary.id.0),
                name: named(&summary.parent.name, &summary.name),
                url: link(&summary.public_url),
                version: None,
                impact: None,
                ..Page::default()
            },
            incidents,
            components: all.iter().map(now).collect(),
            coverage: Coverage {
                incidents: listing,
                maintenances: listing,
                all_components: of_components == 0,
            },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Returns whether the page is global; a standalone page says so.
fn is_global(summary: &Value) -> bool {
    let is_list = |key: &str| summary.get(key).is_some_and(Value::is_array);
    is_list("ongoing_incidents")
        && is_list("affected_components")
        && summary.get("structure").is_some_and(Value::is_object)
        && summary
            .get("page_type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind != "standalone" && !kind.starts_with('$'))
}

/// Returns whether a list contains the incidents with their texts, as opposed to another list of
/// that name.
fn has_texts(list: &Value) -> bool {
    let is_one = |one: &Value| one.is_string() || one.get("updates").is_some();
    list.as_array().is_some_and(|list| list.iter().all(is_one))
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, ParseError> {
    lenient::read(&value.to_string()).map_err(|error| ParseError::NotThis {
        source_name: NAME,
        reason: one_line(&error.to_string(), 200),
    })
}

/// Splits a list into its written-out items and the number of references.
fn readable(list: List) -> (List, usize) {
    let all = list.len();
    let list: List = list.into_iter().filter(|one| one.get() != "null").collect();
    let references = all - list.len();
    (list, references)
}

/// Returns the components in page order.
fn components(
    items: &mut Items,
    list: &List,
    limits: Limits,
) -> Result<Vec<Component>, ParseError> {
    let mut all: Vec<Component> = Vec::new();
    let new = |part: Part, group: Option<&str>| {
        component(
            Some(part.component_id.0),
            part.name,
            group.map(str::to_owned),
            ComponentStatus::Operational,
        )
    };
    for entry in items.read::<Entry>("components", list)? {
        match (entry.component, entry.group) {
            (Some(part), _) if !part.hidden.0 => all.push(new(part, None)),
            (None, Some(group)) if !group.hidden.0 => {
                let parts = items.read::<Part>("components", &group.components)?;
                let seen = parts.into_iter().filter(|part| !part.hidden.0);
                all.extend(seen.map(|part| new(part, Some(&group.name))));
            }
            _ => {}
        }
    }
    if all.is_empty() {
        let what = "an overview of several pages: give the address of one of them".to_owned();
        return Err(ParseError::Unsupported { what });
    }
    if all.len() > limits.max_items {
        let (what, count) = ("components", all.len());
        return Err(ParseError::TooMany { what, count, limit: limits.max_items });
    }
    Ok(all)
}

fn incident(
    items: &mut Items,
    wire: Item,
    by_id: &HashMap<&str, &Component>,
    states: &mut HashMap<String, ComponentStatus>,
) -> Result<Incident, String> {
    let status = vocabulary::status(&wire.status);
    let planned = wire.class == "maintenance"
        || matches!(
            status,
            IncidentStatus::Scheduled | IncidentStatus::InProgress | IncidentStatus::Completed
        );
    let kind = if planned { Kind::Maintenance } else { Kind::Incident };
    let why = |error: ParseError| error.to_string();
    let affected: Vec<Affected> =
        items.nested("affected components", &wire.affected_components).map_err(why)?;
    let spans: Vec<Span> = items.nested("impacts", &wire.component_impacts).map_err(why)?;
    let updates: Vec<Update> = items.nested("updates", &wire.updates).map_err(why)?;
    let written = updates.into_iter().map(|update| RawUpdate {
        id: update.id.0.map(|id| id.0),
        ..RawUpdate::new(
            vocabulary::status(&update.to_status),
            update.published_at.0,
            update.message_string.0,
        )
    });
    let mut incident = Incident::new(kind, wire.id.0, wire.name);
    incident.updates = order_updates(written, Order::OldestFirst);
    incident.status = status;
    incident.url = link(&wire.permalink);
    let began = spans.iter().filter_map(|span| span.start_at.0).min();
    if planned {
        incident.scheduled_for = began.or(wire.published_at.0);
        incident.scheduled_until = spans.iter().filter_map(|span| span.end_at.0).max();
    } else {
        let worst =
            affected.iter().map(|one| vocabulary::impact(status_word(one, status.is_over())));
        incident.impact = worst.max_by_key(|impact| impact.rank()).unwrap_or(Impact::Unknown);
        // An incident is often recorded some time after it started.
        incident.started_at = began.into_iter().chain(wire.published_at.0).min();
    }
    incident.components = affected
        .iter()
        .filter_map(|one| by_id.get(one.component_id.as_str()).map(|one| (*one).clone()))
        .collect();
    if !status.is_over() && status != IncidentStatus::Scheduled {
        for one in &affected {
            worsen(states, one);
        }
    }
    Ok(incident)
}

/// Keeps the worst status of a component; an unknown word is not "operational".
fn worsen(states: &mut HashMap<String, ComponentStatus>, one: &Affected) {
    let new = vocabulary::component(status_word(one, false));
    let state = states.entry(one.component_id.0.clone()).or_insert(new);
    let weight = |state: ComponentStatus| match state {
        ComponentStatus::Operational => 0,
        ComponentStatus::Unknown => 1,
        known => known.impact().rank(),
    };
    if weight(new) > weight(*state) {
        *state = new;
    }
}

/// Returns the word for a component's present status, or for its worst one.
fn status_word(one: &Affected, over: bool) -> &str {
    if over || one.current_status.is_empty() { &one.status } else { &one.current_status }
}

fn named(parent: &str, own: &str) -> Option<String> {
    let name = match (parent, own) {
        ("", own) => own.to_owned(),
        (parent, own) if own.is_empty() || own == parent => parent.to_owned(),
        (parent, own) => format!("{parent} ({own})"),
    };
    (!name.is_empty()).then(|| one_line(&name, MAX_NAME))
}
