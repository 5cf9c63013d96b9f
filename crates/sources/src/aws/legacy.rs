//! The `data.json` that AWS published until 2023: `current` and `archive`, each event with one
//! growing HTML text.
//!
//! The entries of a text have a time of day in Pacific time, and a date only if it differs from the
//! previous one: the date of the event and the order of the entries supply the rest. An event in
//! the archive is over, whatever its status number: once archived, it often has the number of its
//! worst time again.

use chrono::{Datelike as _, Duration, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use serde::Deserialize;

use super::super::support::fields::{Id, MaybeId, Text};
use super::super::support::{
    Items, List, Order, RawUpdate, json, lenient, order_updates, prose, sniff,
};
use super::super::{Limits, ParseError, dates};
use super::{MAX_NAME, NAME, impact, seconds, snapshot, state, title};
use statuswatch_model::document::Document;
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{Incident, Listing, Snapshot, component};
use statuswatch_model::text::one_line;

/// The markup before the time of an entry.
const TIME_TAG: &str = "<span class=\"yellowfg\">";
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[derive(Debug, Deserialize)]
struct Data {
    archive: List,
    current: List,
}

#[derive(Debug, Deserialize)]
struct Event {
    service: Id,
    date: Id,
    summary: String,
    description: String,
    service_name: Text,
    status: MaybeId,
}

pub(super) fn is_one(document: &Document) -> bool {
    sniff::<Data>(document).is_some_and(|data| {
        data.archive.first().is_some_and(|event| lenient::read::<Event>(event.get()).is_ok())
    })
}

pub(super) fn parse(document: &Document, limits: Limits) -> Result<Snapshot, ParseError> {
    let data: Data = json(document, NAME)?;
    let mut items = Items::new(limits);
    let mut incidents: Vec<Incident> = Vec::with_capacity(data.current.len() + data.archive.len());
    let mut seen = std::collections::HashSet::new();
    for (what, list, archived) in
        [("current", &data.current, false), ("archive", &data.archive, true)]
    {
        for event in items.read::<Event>(what, list)? {
            let incident = incident(&event, archived);
            if seen.insert(incident.id.clone()) {
                incidents.push(incident);
            } else {
                items.reject(what, &format!("the event {} is duplicated", incident.id));
            }
        }
    }
    Ok(snapshot(incidents, items, Listing::Recent))
}

fn incident(event: &Event, archived: bool) -> Incident {
    let level = event.status.as_ref().map_or("", Id::as_str);
    let (resolved, title) = title(&event.summary);
    let over = archived || resolved || level == "0";
    let began = seconds(Some(&event.date));
    let written = entries(&event.description, began);
    let name =
        if event.service_name.is_empty() { event.service.as_str() } else { &event.service_name };
    let now = if over { ComponentStatus::Operational } else { state(level) };
    Incident {
        status: if over { IncidentStatus::Resolved } else { IncidentStatus::Investigating },
        // An event that has just ended has the number 0, and in the archive its previous one, which
        // is no change.
        impact: if level == "0" { Impact::Unknown } else { impact(level) },
        url: None,
        started_at: began,
        components: vec![component(
            Some(event.service.0.clone()),
            one_line(name, MAX_NAME),
            None,
            now,
        )],
        updates: order_updates(written, Order::OldestFirst),
        ..Incident::new(Kind::Incident, format!("{}-{}", event.service, event.date), title)
    }
}

/// Returns the entries of a text. An entry without a readable time is identified by its text.
fn entries(description: &str, began: Option<Time>) -> Vec<RawUpdate> {
    let mut before: Option<NaiveDateTime> = None;
    let mut out: Vec<RawUpdate> = Vec::new();
    for part in description.split(TIME_TAG).skip(1) {
        let (time, text) = part.split_once("</span>").unwrap_or(("", part));
        let at = written_at(time, began, before);
        if at.is_none() && !time.trim().is_empty() {
            dates::unread(time);
        }
        before = at.map(|(local, _)| local).or(before);
        let at = at
            .and_then(|(local, zone)| local.and_local_timezone(zone).single())
            .map(|time| time.to_utc());
        let status =
            if out.is_empty() { IncidentStatus::Investigating } else { IncidentStatus::Update };
        out.push(RawUpdate::concluded(status, at, prose(text)));
    }
    if out.is_empty() && !description.trim().is_empty() {
        out.push(RawUpdate::concluded(IncidentStatus::Investigating, began, prose(description)));
    }
    out
}

/// Parses ` 6:36 AM PST` or `Nov 26, 12:03 AM PST` as local time and zone.
fn written_at(
    text: &str,
    began: Option<Time>,
    before: Option<NaiveDateTime>,
) -> Option<(NaiveDateTime, FixedOffset)> {
    let (date, time) = match text.split_once(',') {
        Some((date, time)) => (Some(date), time),
        None => (None, text),
    };
    let (clock, zone) = time.trim().rsplit_once(' ')?;
    let hours = match zone {
        "PST" => -8,
        "PDT" => -7,
        "UTC" | "GMT" => 0,
        _ => return None,
    };
    let zone = FixedOffset::east_opt(hours * 3600)?;
    let clock = NaiveTime::parse_from_str(clock, "%I:%M %p").ok()?;
    let began = began?.with_timezone(&zone).naive_local();
    if let Some(date) = date {
        let (month, day) = date.trim().split_once(' ')?;
        let month =
            MONTHS.iter().zip(1..).find(|(name, _)| **name == month).map(|(_, number)| number)?;
        let date = NaiveDate::from_ymd_opt(began.year(), month, day.trim().parse().ok()?)?;
        // An event of December may continue in January.
        let date = if began.date() - date > Duration::days(180) {
            date.with_year(began.year() + 1)?
        } else {
            date
        };
        return Some((date.and_time(clock), zone));
    }
    let near = before.unwrap_or(began);
    let same_day = near.date().and_time(clock);
    let local = match before {
        Some(before) if same_day < before => same_day + Duration::days(1),
        // The first entry may be slightly older than the event's start.
        None if near - same_day > Duration::hours(12) => same_day + Duration::days(1),
        None if same_day - near > Duration::hours(12) => same_day - Duration::days(1),
        _ => same_day,
    };
    Some((local, zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use statuswatch_model::event::parse_time;

    fn times(description: &str, began: &str) -> Vec<Option<Time>> {
        entries(description, parse_time(began)).into_iter().map(|written| written.at).collect()
    }

    fn entry(time: &str) -> String {
        format!("<div><span class=\"yellowfg\">{time}</span>&nbsp;Text.</div>")
    }

    #[test]
    fn days_follow_from_the_event_and_the_order() {
        let text: String = [" 6:36 AM PST", "11:00 PM PST", "Nov 26, 12:03 AM PST", " 1:00 AM PST"]
            .map(entry)
            .concat();
        let expected = [
            "2020-11-25T14:36:00Z",
            "2020-11-26T07:00:00Z",
            "2020-11-26T08:03:00Z",
            "2020-11-26T09:00:00Z",
        ];
        assert_eq!(times(&text, "2020-11-25T14:36:00Z"), expected.map(parse_time));
    }

    #[test]
    fn a_night_and_a_year_may_pass() {
        let text: String =
            ["11:50 PM PST", "12:10 AM PST", "Jan 2,  3:00 AM PST"].map(entry).concat();
        let expected = ["2020-12-31T07:50:00Z", "2020-12-31T08:10:00Z", "2021-01-02T11:00:00Z"];
        assert_eq!(times(&text, "2020-12-31T08:05:00Z"), expected.map(parse_time));
    }

    #[test]
    fn entries_without_a_readable_time_are_identified_by_text() {
        let read = entries(&entry("some time"), parse_time("2020-12-31T08:05:00Z"));
        assert_eq!((read[0].at, read[0].text.as_str()), (None, "Text."));
        assert_eq!(entries("Plain text.", None)[0].text, "Plain text.");
    }
}
