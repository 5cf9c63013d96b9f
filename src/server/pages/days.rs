//! The last 90 days of a provider: the worst of each day, as far as its events say. Pure.

use std::collections::HashMap;

use chrono::{NaiveDate, TimeDelta};

use crate::event::{Impact, IncidentStatus, Kind, StatusEvent, Time};
use crate::view::status::severity;

/// Days shown.
pub(super) const DAYS: usize = 90;

/// One day, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day {
    /// Its date.
    pub(super) date: NaiveDate,
    /// The worst of it; `None` if it was not watched then and nothing is known.
    pub(super) worst: Option<Impact>,
    /// How many incidents touch it.
    pub(super) incidents: usize,
}

/// A state that lasts from an event to the next one of the same incident or component.
struct Span {
    begin: Time,
    end: Time,
    impact: Impact,
    is_incident: bool,
    key: String,
}

/// Returns the days up to the one of `now`, the oldest first. `events` are in the order of `seq`.
pub(super) fn days(events: &[StatusEvent], watched: Option<Time>, now: Time) -> Vec<Day> {
    let spans = spans(events, now);
    let today = now.date_naive();
    let first = |back: usize| today - TimeDelta::days(back as i64);
    (0..DAYS)
        .rev()
        .map(|back| {
            let date = first(back);
            let begin = date.and_time(chrono::NaiveTime::MIN).and_utc();
            let end = begin + TimeDelta::days(1);
            let touching: Vec<&Span> =
                spans.iter().filter(|span| span.begin < end && span.end >= begin).collect();
            let known = watched.is_some_and(|watched| watched < end);
            let worst = touching.iter().map(|span| span.impact).max_by_key(|one| severity(*one));
            let mut keys: Vec<&str> = touching
                .iter()
                .filter(|span| span.is_incident)
                .map(|span| span.key.as_str())
                .collect();
            keys.sort_unstable();
            keys.dedup();
            Day { date, worst: worst.or(known.then_some(Impact::None)), incidents: keys.len() }
        })
        .collect()
}

fn spans(events: &[StatusEvent], now: Time) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut running: HashMap<String, Span> = HashMap::new();
    for event in events {
        let (key, over, impact) = match event.kind {
            Kind::Provider => ("provider".to_owned(), event.status.is_end(), Impact::Unknown),
            Kind::Component => {
                let first = event.components.first();
                let name = first.map_or(event.title.as_str(), |one| one.name.as_str());
                (format!("component {name}"), event.status.is_end(), event.impact)
            }
            Kind::Incident | Kind::Maintenance => {
                let id = event.incident_id.as_deref().unwrap_or(&event.title);
                (format!("incident {id}"), event.status.is_over(), event.impact)
            }
        };
        // An announcement changes nothing yet.
        if event.status == IncidentStatus::Scheduled {
            continue;
        }
        let at = event.published_at.min(now);
        let before = running.remove(&key);
        let begin = match &before {
            Some(_) => at,
            None => event.started_at.unwrap_or(at).min(at),
        };
        // What is known by its end alone lasted until then.
        let impact = if over && before.is_none() { event.impact } else { impact };
        if let Some(before) = before {
            spans.push(Span { end: at, ..before });
        } else if over && event.kind == Kind::Incident {
            let is_incident = true;
            spans.push(Span { begin, end: at, impact, is_incident, key: key.clone() });
        }
        if !over {
            let is_incident = event.kind == Kind::Incident;
            running.insert(key.clone(), Span { begin, end: now, impact, is_incident, key });
        }
    }
    spans.extend(running.into_values());
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Status, parse_time};

    fn event(seq: u64, at: &str, status: Status, impact: Impact) -> StatusEvent {
        let at = parse_time(at).unwrap();
        StatusEvent {
            seq,
            id: seq.to_string(),
            kind: Kind::Incident,
            provider: "acme".to_owned(),
            provider_name: "Acme".to_owned(),
            source: "statuspage".to_owned(),
            incident_id: Some("1".to_owned()),
            update_id: Some(seq.to_string()),
            revision: 1,
            title: "Failed requests".to_owned(),
            status,
            previous_status: None,
            impact,
            previous_impact: None,
            components: Vec::new(),
            message: None,
            url: None,
            started_at: None,
            published_at: at,
            observed_at: at,
            scheduled_for: None,
            scheduled_until: None,
            backfill: false,
        }
    }

    #[test]
    fn an_incident_counts_on_each_day_it_touches() {
        let now = parse_time("2026-03-10T12:00:00Z").unwrap();
        let events = [
            event(1, "2026-03-05T23:00:00Z", IncidentStatus::Investigating.into(), Impact::Minor),
            event(2, "2026-03-06T10:00:00Z", IncidentStatus::Identified.into(), Impact::Major),
            event(3, "2026-03-07T01:00:00Z", IncidentStatus::Resolved.into(), Impact::None),
        ];
        let watched = parse_time("2026-03-04T00:00:00Z");
        let days = days(&events, watched, now);
        assert_eq!(days.len(), DAYS);
        let last: Vec<_> =
            days.iter().rev().take(8).map(|day| (day.worst, day.incidents)).collect();
        assert_eq!(
            last,
            [
                (Some(Impact::None), 0),
                (Some(Impact::None), 0),
                (Some(Impact::None), 0),
                (Some(Impact::Major), 1),
                (Some(Impact::Major), 1),
                (Some(Impact::Minor), 1),
                (Some(Impact::None), 0),
                (None, 0),
            ]
        );
    }

    #[test]
    fn what_is_not_over_lasts_until_now() {
        let now = parse_time("2026-03-10T12:00:00Z").unwrap();
        let events = [event(
            1,
            "2026-03-09T12:00:00Z",
            IncidentStatus::Investigating.into(),
            Impact::Critical,
        )];
        let days = days(&events, None, now);
        assert_eq!(days[DAYS - 1].worst, Some(Impact::Critical));
        assert_eq!(days[DAYS - 2].worst, Some(Impact::Critical));
        assert_eq!(days[DAYS - 3].worst, None);
    }
}
