//! Sorry: `/api/v1/status` of the page, or the components of the older API at `api.sorryapp.com`,
//! with the present notices and the components.
//!
//! A notice is a disruption (unplanned) or a maintenance (planned). Its updates are in the list if
//! the page includes them, newest first; otherwise only the latest one is, and failing that the
//! synopsis serves as the latest text.

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::support::fields::{Id, MaybeId, OrDefault, Text, When};
use super::support::vocabulary::lookup;
use super::support::{
    Items, List, Order, RawUpdate, candidates, json, link, name, oldest_first, order_updates,
    prose, sibling, sniff,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{
    Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};
use statuswatch_model::text::one_line;

const NAME: &str = "sorry";
const NOTICES: &str = "notices";
const COMPONENTS: &str = "components";

const STATE: &[(&str, ComponentStatus)] = &[
    ("operational", ComponentStatus::Operational),
    ("degraded", ComponentStatus::DegradedPerformance),
    ("partially-degraded", ComponentStatus::PartialOutage),
    ("under-maintenance", ComponentStatus::UnderMaintenance),
];

const STATUS: &[(&str, IncidentStatus)] = &[
    ("investigating", IncidentStatus::Investigating),
    ("identified", IncidentStatus::Identified),
    ("recovering", IncidentStatus::Monitoring),
    ("resolved", IncidentStatus::Resolved),
    ("false_alarm", IncidentStatus::Resolved),
    ("scheduled", IncidentStatus::Scheduled),
    ("underway", IncidentStatus::InProgress),
    ("complete", IncidentStatus::Completed),
    ("cancelled", IncidentStatus::Completed),
];

/// The adapter for Sorry.
#[derive(Debug)]
pub(super) struct Sorry;

#[derive(Debug, Deserialize)]
struct Answer {
    page: Head,
}

#[derive(Debug, Deserialize)]
struct Head {
    id: Id,
    name: Text,
    state: String,
    state_text: String,
    url: Text,
}

/// The list of the older API is under `response`.
#[derive(Debug, Deserialize)]
struct Older {
    response: List,
}

#[derive(Debug, Deserialize)]
struct Notices {
    #[serde(alias = "response")]
    notices: List,
    meta: Option<Meta>,
}

#[derive(Debug, Deserialize)]
struct Meta {
    next_page: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct Components {
    #[serde(alias = "response")]
    components: List,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: Id,
    name: Text,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Notice {
    id: Id,
    #[serde(rename = "type")]
    kind: Text,
    state: Text,
    subject: Text,
    synopsis: Text,
    url: Text,
    /// The name used by the older API.
    link: Text,
    began_at: When,
    begins_at: When,
    ends_at: When,
    created_at: When,
    updated_at: When,
    components: OrDefault<List>,
    updates: OrDefault<List>,
    #[serde(default)]
    latest_update: Option<Box<RawValue>>,
    /// The id of the latest update, where the latest itself is omitted.
    latest_update_id: MaybeId,
}

#[derive(Debug, Deserialize)]
struct Wire {
    id: Id,
    content: Text,
    state: Text,
    created_at: When,
    updated_at: When,
}

impl Source for Sorry {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".sorryapp.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["sorryapp.com"]
    }

    fn version(&self) -> u32 {
        2
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/v1/status"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if let Some(answer) = sniff::<Answer>(document) {
            return Some(format!(
                "the document has the shape of Sorry's status and says \"{}\"",
                one_line(&answer.page.state_text, 80)
            ));
        }
        let older = sniff::<Older>(document)
            .filter(|older| is_older(&document.url) && !older.response.is_empty())?;
        Some(format!("{} components as Sorry's older API lists them", older.response.len()))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let mut items = Items::new(limits);
        let mut snapshot = Snapshot::default();
        let first = &documents.first;
        if is_older(&first.url) {
            let older: Older = json(first, NAME)?;
            if older.response.is_empty() {
                let reason = "the list of components is empty".to_owned();
                return Err(ParseError::not_this(NAME, reason));
            }
            snapshot.components = components(&mut items, &older.response)?;
            snapshot.coverage.all_components = items.rejected() == 0;
        } else {
            snapshot.page = page(json::<Answer>(first, NAME)?.page);
        }
        if let Some(document) = documents.detail(COMPONENTS) {
            let before = items.rejected();
            snapshot.components =
                components(&mut items, &json::<Components>(document, NAME)?.components)?;
            snapshot.coverage.all_components = items.rejected() == before;
        }
        if let Some(document) = documents.detail(NOTICES) {
            let list: Notices = json(document, NAME)?;
            let before = items.rejected();
            snapshot.incidents =
                items.build(NOTICES, &list.notices, notice, |one: &Incident| &one.id)?;
            // A further page contains the older ones.
            let more = list
                .meta
                .is_some_and(|meta| meta.next_page.is_some_and(|next| next.get() != "null"));
            let listing =
                if items.rejected() > before || more { Listing::Unknown } else { Listing::Open };
            snapshot.coverage =
                Coverage { incidents: listing, maintenances: listing, ..snapshot.coverage };
        }
        snapshot.rejected = items.into_rejected();
        Ok(snapshot)
    }

    fn details(&self, first: &Document, _: &Snapshot, _: &PriorItems) -> Vec<Detail> {
        let mut wanted = vec![(NOTICES, "notices?include=updates,components", false)];
        if !is_older(&first.url) {
            wanted.push((COMPONENTS, "components", true));
        }
        wanted
            .into_iter()
            .filter_map(|(role, file, optional)| {
                Some(Detail { role, url: sibling(&first.url, file)?, optional })
            })
            .collect()
    }

    /// Not every notice changes the status of the page, nor does a further affected component.
    fn is_sidecar(&self, role: &str, snapshot: &Snapshot) -> bool {
        role == NOTICES || !snapshot.is_quiet()
    }
}

fn is_older(url: &Url) -> bool {
    url.path().contains("/v1/pages/") && url.path().trim_end_matches('/').ends_with("/components")
}

fn page(head: Head) -> Page {
    let name = name(&head.name);
    Page {
        id: Some(head.id.0),
        name: (!name.is_empty()).then_some(name),
        url: link(&head.url),
        version: None,
        impact: Some(lookup(&head.state, STATE).map_or(Impact::Unknown, ComponentStatus::impact)),
        ..Page::default()
    }
}

fn components(items: &mut Items, list: &List) -> Result<Vec<Component>, ParseError> {
    items.build(
        COMPONENTS,
        list,
        |_, row: Row| Ok(read(row)),
        |component: &Component| component.id.as_deref().unwrap_or_default(),
    )
}

fn read(row: Row) -> Component {
    let status = lookup(&row.state, STATE).unwrap_or(ComponentStatus::Unknown);
    component(Some(row.id.0), name(&row.name), None, status)
}

fn status(word: &str) -> IncidentStatus {
    lookup(word, STATUS).unwrap_or(IncidentStatus::Update)
}

fn notice(items: &mut Items, wire: Notice) -> Result<Incident, String> {
    let kind = if wire.kind == "planned" { Kind::Maintenance } else { Kind::Incident };
    let rows: Vec<Row> = items
        .nested("components of a notice", &wire.components)
        .map_err(|error| error.to_string())?;
    let mut updates: Vec<Wire> =
        items.nested("updates", &wire.updates).map_err(|error| error.to_string())?;
    let latest = wire.latest_update.filter(|raw| raw.get().starts_with('{'));
    let latest: Vec<Wire> =
        items.nested("latest update", latest.as_slice()).map_err(|error| error.to_string())?;
    let latest_id = latest.first().map(|update| update.id.clone()).or(wire.latest_update_id.0);
    if latest_id.as_ref().is_none_or(|id| updates.iter().all(|update| update.id != *id)) {
        updates.splice(..0, latest);
    }
    let mut incident = Incident::new(kind, wire.id.0, name(&wire.subject));
    incident.status = status(&wire.state);
    incident.url = link(&wire.url).or_else(|| link(&wire.link));
    let begin = wire.began_at.or(wire.begins_at.0);
    if kind == Kind::Maintenance {
        incident.scheduled_for = wire.begins_at.or(wire.began_at.0);
        incident.scheduled_until = wire.ends_at.0;
    } else {
        incident.started_at = begin.or(wire.created_at.0);
    }
    incident.components = rows.into_iter().map(read).collect();
    let worst = incident
        .components
        .iter()
        .map(|one| one.status.impact())
        .max_by_key(|impact| impact.rank());
    if kind == Kind::Incident && !incident.status.is_over() {
        incident.impact = worst.filter(|impact| *impact != Impact::None).unwrap_or(Impact::Unknown);
    }
    if updates.is_empty() && !wire.synopsis.trim().is_empty() {
        let at = wire.updated_at.or(wire.created_at.0);
        let text = prose(&wire.synopsis);
        incident.updates = vec![Update {
            id: UpdateId::Latest,
            status: incident.status,
            stated: incident.status,
            published_at: at,
            edited_at: None,
            text,
        }];
        return Ok(incident);
    }
    let mut updates = oldest_first(updates, Order::MostlyNewestFirst, |update| update.created_at.0);
    // Among several of one time, the page states which is the latest.
    updates.sort_by_key(|update| latest_id.as_ref() == Some(&update.id));
    let written = updates.into_iter().map(|update| RawUpdate {
        id: Some(update.id.0),
        edited_at: update.updated_at.0,
        ..RawUpdate::new(status(&update.state), update.created_at.0, prose(&update.content))
    });
    incident.updates = order_updates(written, Order::OldestFirst);
    Ok(incident)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Incident {
        let mut items = Items::new(Limits::default());
        notice(&mut items, serde_json::from_str(text).unwrap()).unwrap()
    }

    fn texts(incident: &Incident) -> Vec<&str> {
        incident.updates.iter().map(|update| update.text.as_str()).collect()
    }

    #[test]
    fn the_page_says_which_of_several_updates_of_one_time_is_the_latest() {
        let update = |id: u32| {
            format!(
                r#"{{"id": {id}, "state": "identified", "content": "{id}", "created_at": "2026-05-04T09:00:00Z"}}"#
            )
        };
        let notice = |more: &str| {
            read(&format!(
                r#"{{"id": 1, "state": "identified", "updates": [{}, {}, {}]{more}}}"#,
                update(3),
                update(2),
                update(1)
            ))
        };
        assert_eq!(texts(&notice("")), ["1", "2", "3"], "the newest stands first");
        assert_eq!(texts(&notice(r#", "latest_update_id": 2"#)), ["1", "3", "2"]);
        let latest = format!(r#", "latest_update": {}"#, update(1));
        assert_eq!(texts(&notice(&latest)), ["2", "3", "1"]);
        let further = format!(r#", "latest_update": {}"#, update(4));
        assert_eq!(texts(&notice(&further)), ["1", "2", "3", "4"], "it need not be in the list");
        assert_eq!(texts(&notice(r#", "latest_update": null"#)), ["1", "2", "3"]);
    }

    #[test]
    fn the_older_name_of_a_link_may_occur_next_to_the_newer_one() {
        let both =
            read(r#"{"id": 1, "url": "https://a.example/n", "link": "https://a.example/o"}"#);
        assert_eq!(both.url.as_deref(), Some("https://a.example/n"));
        let older = read(r#"{"id": 1, "link": "https://a.example/o"}"#);
        assert_eq!(older.url.as_deref(), Some("https://a.example/o"));
    }
}
