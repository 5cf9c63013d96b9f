//! `/api/v2`: the whole in the format of Atlassian Statuspage, for programs that read that. Each
//! provider is a component.
//!
//! Fields as in the public API that every Statuspage page documents at `/api`. Beyond its words a
//! component can be `unknown`: a provider that is not read is not operational.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::App;
use super::answer::finish;
use super::answer::{JSON, Refusal, content};
use super::call::Call;
use super::model::State;
use crate::clock;
use crate::event::{
    ComponentStatus, Impact, IncidentKey, IncidentStatus, Kind, Status, StatusEvent, Time,
    format_time,
};
use crate::ledger::Query;
use crate::view::link;
use crate::view::status::ProviderView;

/// Incidents that are over are listed for this long.
const BACK: TimeDelta = TimeDelta::days(30);
/// Events read for the updates: the newest.
const EVENTS: usize = 2000;
/// Incidents of `incidents.json`, as Statuspage has it.
const LISTED: usize = 50;
/// What image proxies and readers may keep, in seconds.
const MAX_AGE: u32 = 10;

/// An incident or maintenance of one provider.
struct Entry {
    key: IncidentKey,
    provider: String,
    kind: Kind,
    title: String,
    status: String,
    impact: Impact,
    open: bool,
    url: Option<String>,
    started_at: Option<Time>,
    scheduled_for: Option<Time>,
    scheduled_until: Option<Time>,
    /// Newest first.
    updates: Vec<StatusEvent>,
}

/// What all of these answers are made of.
struct Page {
    id: String,
    state: Arc<State>,
    entries: Vec<Entry>,
}

impl Page {
    async fn read(app: &App) -> Result<Self, Refusal> {
        let state = app.model.state().await?;
        let query = Query {
            kinds: vec![Kind::Incident, Kind::Maintenance],
            since: clock::now().checked_sub_signed(BACK),
            limit: Some(EVENTS),
            ..Query::default()
        };
        let events = app.model.read(move |reader| reader.events(&query)).await?;
        let events = events.into_iter().map(|recorded| recorded.event).collect();
        let entries = entries(&state, events);
        Ok(Self { id: app.page_id.clone(), state, entries })
    }

    fn page(&self) -> Value {
        json!({
            "id": self.id,
            "name": "statuswatch",
            "url": "https://github.com/statuswatch/statuswatch",
            "time_zone": "Etc/UTC",
            "updated_at": self.updated_at(),
        })
    }

    /// When anything last changed.
    fn updated_at(&self) -> String {
        let changed = self.state.providers().iter().filter_map(|row| row.last_change_at).max();
        format_time(changed.unwrap_or(Time::UNIX_EPOCH))
    }

    fn status(&self) -> Value {
        let providers = &self.state.view.providers;
        let count = |status| providers.iter().filter(|one| one.status == status).count();
        let worst = [
            (ComponentStatus::MajorOutage, "critical", "major outage"),
            (ComponentStatus::PartialOutage, "major", "partial outage"),
            (ComponentStatus::DegradedPerformance, "minor", "degraded performance"),
            (ComponentStatus::Unknown, "minor", "unknown state"),
            (ComponentStatus::UnderMaintenance, "maintenance", "maintenance"),
        ];
        let worst = worst.into_iter().find(|(status, ..)| count(*status) > 0);
        let all = providers.len();
        match worst {
            Some((status, indicator, words)) => json!({
                "indicator": indicator,
                "description": format!("{} of {all} providers: {words}", count(status)),
            }),
            None if all == 0 => json!({"indicator": "minor", "description": "Nothing is watched"}),
            None => json!({"indicator": "none", "description": "All providers operational"}),
        }
    }

    fn components(&self) -> Vec<Value> {
        let rows = self.state.view.providers.iter().zip(self.state.providers()).enumerate();
        rows.map(|(at, (provider, row))| {
            let updated = row.last_change_at.or(row.first_watched_at).unwrap_or(Time::UNIX_EPOCH);
            let created = row.first_watched_at.unwrap_or(Time::UNIX_EPOCH);
            let mut component = self.component(provider);
            if let Some(fields) = component.as_object_mut() {
                fields.insert("position".to_owned(), Value::from(at + 1));
                fields.insert("created_at".to_owned(), format_time(created).into());
                fields.insert("updated_at".to_owned(), format_time(updated).into());
            }
            component
        })
        .collect()
    }

    fn component(&self, provider: &ProviderView) -> Value {
        json!({
            "id": provider.id,
            "name": provider.name,
            "status": provider.status.as_str(),
            "description": null,
            "showcase": false,
            "start_date": null,
            "group_id": null,
            "page_id": self.id,
            "group": false,
            "only_show_if_degraded": false,
        })
    }

    fn listed(&self, kind: Kind, only_open: bool) -> Vec<Value> {
        let entries = self.entries.iter().filter(|entry| entry.kind == kind);
        let entries = entries.filter(|entry| entry.open || !only_open);
        entries
            .take(if only_open { usize::MAX } else { LISTED })
            .map(|one| self.entry(one))
            .collect()
    }

    fn entry(&self, entry: &Entry) -> Value {
        let provider = self.state.view.providers.iter().find(|one| one.id == entry.provider);
        let name = provider.map_or(entry.provider.as_str(), |provider| &provider.name);
        let key = entry.key.to_string();
        let times = entry.updates.iter().map(|update| update.published_at);
        let newest = times.clone().max().or(entry.started_at).unwrap_or(Time::UNIX_EPOCH);
        let oldest = entry.started_at.or(times.min()).unwrap_or(newest);
        let status = words(entry.kind, &entry.status);
        let over = (!entry.open).then(|| format_time(newest));
        let updates = entry.updates.iter().map(|update| {
            json!({
                "id": update.id,
                "status": words(entry.kind, update.status.as_str()),
                "body": update.message.clone().unwrap_or_default(),
                "incident_id": key,
                "created_at": format_time(update.published_at),
                "updated_at": format_time(update.published_at),
                "display_at": format_time(update.published_at),
                "affected_components": null,
            })
        });
        let mut value = json!({
            "id": key,
            "name": format!("{name}: {}", entry.title),
            "status": status,
            "created_at": format_time(oldest),
            "updated_at": format_time(newest),
            "started_at": format_time(oldest),
            "monitoring_at": null,
            "resolved_at": over,
            "impact": impact(entry.kind, entry.impact),
            "shortlink": link(entry.url.as_deref()),
            "page_id": self.id,
            "incident_updates": updates.collect::<Vec<_>>(),
            "components": provider.map(|provider| self.component(provider)).into_iter().collect::<Vec<_>>(),
        });
        if let (Kind::Maintenance, Some(fields)) = (entry.kind, value.as_object_mut()) {
            let time = |time: Option<Time>| time.map(format_time).into();
            fields
                .insert("scheduled_for".to_owned(), time(entry.scheduled_for.or(entry.started_at)));
            fields.insert("scheduled_until".to_owned(), time(entry.scheduled_until));
        }
        value
    }
}

/// What is open, then what is over, the newest first. Events are the oldest first.
fn entries(state: &State, events: Vec<StatusEvent>) -> Vec<Entry> {
    let mut updates: HashMap<IncidentKey, Vec<StatusEvent>> = HashMap::new();
    let mut order: Vec<IncidentKey> = Vec::new();
    for event in events.into_iter().rev() {
        let Some(id) = &event.incident_id else {
            continue;
        };
        let key = IncidentKey::new(&event.provider, id);
        let known = updates.entry(key).or_default();
        if known.is_empty() {
            order.push(key);
        }
        // An edit replaces the text that it edits.
        if !known.iter().any(|later| later.update_id == event.update_id) {
            known.push(event);
        }
    }
    let mut entries: Vec<Entry> = state
        .open()
        .iter()
        .map(|row| Entry {
            key: row.key,
            provider: row.item.provider.clone(),
            kind: row.item.kind,
            title: row.item.title.clone(),
            status: row.item.status.clone(),
            impact: row.item.impact,
            open: true,
            url: row.item.url.clone(),
            started_at: row.item.started_at,
            scheduled_for: row.item.scheduled_for,
            scheduled_until: row.item.scheduled_until,
            updates: updates
                .remove(&IncidentKey::new(&row.item.provider, &row.item.incident_id))
                .unwrap_or_default(),
        })
        .collect();
    for key in order {
        let Some(updates) = updates.remove(&key) else {
            continue;
        };
        let Some(last) = updates.first() else {
            continue;
        };
        entries.push(Entry {
            key,
            provider: last.provider.clone(),
            kind: last.kind,
            title: last.title.clone(),
            // It is not open any more, whatever was reported last.
            status: closing(last.kind, last.status).as_str().to_owned(),
            impact: last.impact,
            open: false,
            url: last.url.clone(),
            started_at: last.started_at,
            scheduled_for: last.scheduled_for,
            scheduled_until: last.scheduled_until,
            updates,
        });
    }
    entries
}

fn closing(kind: Kind, last: Status) -> Status {
    match (last.is_over(), kind) {
        (true, _) => last,
        (false, Kind::Maintenance) => IncidentStatus::Completed.into(),
        (false, _) => IncidentStatus::Resolved.into(),
    }
}

/// Statuspage's word for a status.
fn words(kind: Kind, status: &str) -> &str {
    match (kind, status) {
        (Kind::Maintenance, "withdrawn") => "completed",
        (Kind::Maintenance, "update") => "in_progress",
        (_, "withdrawn") => "resolved",
        (_, "update") => "investigating",
        (_, status) => status,
    }
}

/// Statuspage's word for an impact. It has none for an unknown one, which is not none.
const fn impact(kind: Kind, impact: Impact) -> &'static str {
    match (kind, impact) {
        (Kind::Maintenance, _) => "maintenance",
        (_, Impact::Unknown) => "minor",
        (_, impact) => impact.as_str(),
    }
}

async fn answer(app: &App, call: &Call, of: impl FnOnce(&Page) -> Value) -> Response<Body> {
    finish(Page::read(app).await.map(|page| {
        let mut value = of(&page);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("page".to_owned(), page.page());
        }
        let text = crate::text::safe_json(&value.to_string()).into_owned();
        content(&call.headers, JSON, text, MAX_AGE)
    }))
}

/// `GET /api/v2/summary.json`.
pub(super) async fn summary(app: Arc<App>, call: Call) -> Response<Body> {
    let of = |page: &Page| {
        json!({
            "status": page.status(),
            "components": page.components(),
            "incidents": page.listed(Kind::Incident, true),
            "scheduled_maintenances": page.listed(Kind::Maintenance, true),
        })
    };
    answer(&app, &call, of).await
}

/// `GET /api/v2/status.json`.
pub(super) async fn status(app: Arc<App>, call: Call) -> Response<Body> {
    answer(&app, &call, |page| json!({"status": page.status()})).await
}

/// `GET /api/v2/components.json`.
pub(super) async fn components(app: Arc<App>, call: Call) -> Response<Body> {
    answer(&app, &call, |page| json!({"components": page.components()})).await
}

/// `GET /api/v2/incidents.json`.
pub(super) async fn incidents(app: Arc<App>, call: Call) -> Response<Body> {
    answer(&app, &call, |page| json!({"incidents": page.listed(Kind::Incident, false)})).await
}

/// `GET /api/v2/scheduled-maintenances.json`.
pub(super) async fn maintenances(app: Arc<App>, call: Call) -> Response<Body> {
    let of = |page: &Page| json!({"scheduled_maintenances": page.listed(Kind::Maintenance, false)});
    answer(&app, &call, of).await
}
