//! `/feeds`: the newest events for feed readers, and maintenances for calendars.

mod atom;
pub(super) use atom::escaped;
mod calendar;
mod json;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use chrono::TimeDelta;
use statuswatch_notify::hold::thread_of;

use super::App;
use super::answer::finish;
use super::answer::{Refusal, content};
use super::call::Call;
use crate::clock;
use crate::event::{Kind, StatusEvent, format_time};
use crate::ledger::ItemQuery;

pub(super) const ATOM: &str = "application/atom+xml; charset=utf-8";
pub(super) const JSON_FEED: &str = "application/feed+json";
pub(super) const CALENDAR: &str = "text/calendar; charset=utf-8";

/// Entries of a feed: the newest.
const ENTRIES: usize = 100;
/// Updates that are read for a feed of incidents: the newest.
const UPDATES: usize = 1_000;
/// Maintenances that are over, or withdrawn, stay in the calendar for this long: a calendar program
/// keeps what is not canceled.
const KEPT: TimeDelta = TimeDelta::days(30);
/// What a feed reader may keep without asking.
const MAX_AGE: u32 = 60;

/// An entry of a feed: its newest event, and what came before it.
struct Entry {
    /// What a feed reader knows it by.
    id: String,
    /// The newest first; at least one.
    events: Vec<StatusEvent>,
}

impl Entry {
    /// Returns the newest and the oldest event.
    fn ends(&self) -> Option<(&StatusEvent, &StatusEvent)> {
        Some((self.events.first()?, self.events.last()?))
    }

    /// Returns the text: that of the only event, or of all of them with their states and times.
    fn text(&self) -> String {
        if let [only] = self.events.as_slice() {
            return text(only);
        }
        let update = |event: &StatusEvent| {
            let (label, at) = (event.status.label(), format_time(event.published_at));
            format!("{label}, {at}\n{}", text(event)).trim_end().to_owned()
        };
        self.events.iter().map(update).collect::<Vec<_>>().join("\n\n")
    }
}

/// The newest entries that the query asks for, newest first: one for each update, or for each
/// incident. Feed readers miss changes of an entry, so updates are the default.
async fn newest(app: &App, call: &Call) -> Result<Vec<Entry>, Refusal> {
    let by_incident = match call.parameter("by") {
        None | Some("update") => false,
        Some("incident") => true,
        Some(_) => return Err(Refusal::Bad("\"by\" must be update or incident".to_owned())),
    };
    let wanted = call.wanted()?;
    let query = wanted.query(Some(if by_incident { UPDATES } else { ENTRIES }));
    let events = app.model.read(move |reader| reader.events(&query)).await?;
    let events = events.into_iter().rev().map(|recorded| recorded.event);
    Ok(if by_incident {
        incidents(events)
    } else {
        events.map(|event| Entry { id: event.id.clone(), events: vec![event] }).collect()
    })
}

/// Puts the events of an incident, component or provider together, in the order of their newest.
fn incidents(events: impl Iterator<Item = StatusEvent>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for event in events {
        let id = thread_of(&event);
        let place = *known.entry(id).or_insert_with_key(|id| {
            entries.push(Entry { id: id.clone(), events: Vec::new() });
            entries.len() - 1
        });
        if let Some(entry) = entries.get_mut(place) {
            entry.events.push(event);
        }
    }
    entries.truncate(ENTRIES);
    entries
}

/// `Acme Cloud: Failed requests - Investigating`, one line.
fn headline(event: &StatusEvent) -> String {
    let what = match (event.kind, event.title.as_str(), event.components.first()) {
        (Kind::Component, "", Some(component)) => component.name.as_str(),
        (_, title, _) => title,
    };
    let edited = if event.revision > 1 { " (edited)" } else { "" };
    format!("{}: {what} - {}{edited}", event.provider_name, event.status.label())
}

/// The text of an entry.
fn text(event: &StatusEvent) -> String {
    let mut text = event.message.clone().unwrap_or_default();
    if !event.components.is_empty() {
        let names: Vec<&str> = event.components.iter().map(|one| one.name.as_str()).collect();
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str("Affected components: ");
        text.push_str(&names.join(", "));
    }
    text
}

/// `GET /feeds/events.atom`.
pub(super) async fn atom(app: Arc<App>, call: Call) -> Response<Body> {
    let entries = newest(&app, &call).await;
    finish(
        entries.map(|entries| {
            content(&call.headers, ATOM, atom::render(&app.page_id, &entries), MAX_AGE)
        }),
    )
}

/// `GET /feeds/events.json`.
pub(super) async fn json(app: Arc<App>, call: Call) -> Response<Body> {
    let entries = newest(&app, &call).await;
    finish(
        entries.map(|entries| content(&call.headers, JSON_FEED, json::render(&entries), MAX_AGE)),
    )
}

/// `GET /feeds/maintenances.ics`.
pub(super) async fn calendar(app: Arc<App>, call: Call) -> Response<Body> {
    finish(calendar_text(&app, &call).await)
}

async fn calendar_text(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let wanted = call.wanted()?.providers;
    let kept = clock::now() - KEPT;
    let read = app.model.read(move |reader| {
        let items = reader.items(ItemQuery::Maintenances(kept))?;
        Ok((items, reader.last_events_of_maintenances()?))
    });
    let (items, last) = read.await?;
    let state = app.model.state().await?;
    let name = |id: &str| {
        let found = state.view.providers.iter().find(|provider| provider.id == id);
        found.map_or_else(|| id.to_owned(), |provider| provider.name.clone())
    };
    let planned = items.iter().filter(|row| {
        let end = row.item.scheduled_until.or(row.item.scheduled_for).or(row.last_listed);
        (wanted.is_empty() || wanted.contains(&row.item.provider))
            && (row.open || end.is_none_or(|end| end >= kept))
    });
    let planned = planned.map(|row| {
        let key = (row.item.provider.clone(), row.item.incident_id.clone());
        calendar::Planned { row, provider: name(&row.item.provider), last: last.get(&key).copied() }
    });
    Ok(content(&call.headers, CALENDAR, calendar::render(planned), MAX_AGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Impact, IncidentStatus, parse_time};

    /// An entry of one event.
    pub(super) fn entry(event: StatusEvent) -> Entry {
        Entry { id: event.id.clone(), events: vec![event] }
    }

    #[test]
    fn an_incident_is_one_entry_with_its_updates() {
        let opened = event("Failed requests", "They fail.");
        let mut other = event("Slow requests", "They are slow.");
        other.incident_id = Some("2".to_owned());
        let mut found = event("Failed requests", "We know why.");
        (found.id, found.status) = ("4567".to_owned(), IncidentStatus::Identified.into());
        let entries = incidents([found, other, opened].into_iter());
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let expected = [("acme", "1"), ("acme", "2")]
            .map(|(provider, id)| crate::event::IncidentKey::new(provider, id).to_string());
        assert_eq!(ids, expected);
        insta::assert_snapshot!(entries[0].text(), @r"
        Identified, 2026-02-23T10:00:00Z
        We know why.

        Investigating, 2026-02-23T10:00:00Z
        They fail.
        ");
        let feed = feed_rs::parser::parse(atom::render("abc", &entries).as_bytes()).unwrap();
        assert_eq!(
            feed.entries[0].title.as_ref().unwrap().content,
            "Acme: Failed requests - Identified"
        );
    }

    /// An event of an incident.
    pub(super) fn event(title: &str, message: &str) -> StatusEvent {
        let at = parse_time("2026-02-23T10:00:00Z").unwrap();
        StatusEvent {
            seq: 1,
            id: "0123".to_owned(),
            kind: Kind::Incident,
            provider: "acme".to_owned(),
            provider_name: "Acme".to_owned(),
            source: "statuspage".to_owned(),
            incident_id: Some("1".to_owned()),
            update_id: Some("2".to_owned()),
            revision: 1,
            title: title.to_owned(),
            status: IncidentStatus::Investigating.into(),
            previous_status: None,
            impact: Impact::Major,
            previous_impact: None,
            components: Vec::new(),
            message: Some(message.to_owned()),
            url: None,
            started_at: None,
            published_at: at,
            observed_at: at,
            scheduled_for: None,
            scheduled_until: None,
            backfill: false,
        }
    }
}
