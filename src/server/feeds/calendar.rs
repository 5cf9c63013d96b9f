//! Maintenances as a calendar, RFC 5545. Pure: the same maintenances give the same bytes.

use icalendar::{Calendar, Component as _, Event, EventLike as _, EventStatus, Property};

use crate::event::{IncidentStatus, Time};
use crate::ledger::{ItemRow, LastEvent};
use crate::view::link;

/// What subscribers are asked to wait from one look to the next, RFC 7986, 5.7.
const REFRESH: &str = "PT15M";

/// A maintenance and what the calendar says of it.
pub(super) struct Planned<'a> {
    pub(super) row: &'a ItemRow,
    /// The provider's name.
    pub(super) provider: String,
    /// Its newest event.
    pub(super) last: Option<LastEvent>,
}

/// Writes the calendar.
pub(super) fn render<'a>(planned: impl Iterator<Item = Planned<'a>>) -> String {
    let mut calendar = Calendar::new();
    calendar.name("statuswatch");
    let refresh =
        Property::new("REFRESH-INTERVAL", REFRESH).add_parameter("VALUE", "DURATION").done();
    calendar.append_property(refresh);
    calendar.append_property(Property::new("X-PUBLISHED-TTL", REFRESH).done());
    for one in planned {
        if let Some(event) = event(&one) {
            calendar.push(event);
        }
    }
    calendar.to_string()
}

/// `None` for a maintenance without any time.
fn event(planned: &Planned<'_>) -> Option<Event> {
    let item = &planned.row.item;
    let begin = item.scheduled_for.or(item.started_at)?;
    let (seq, observed) = planned.last.unwrap_or((0, None));
    // When this version of the entry was made: the crate would take the present time.
    let stamp = observed.or(planned.row.first_seen).unwrap_or(Time::UNIX_EPOCH);
    let withdrawn = item.status == IncidentStatus::Withdrawn.as_str();
    let mut event = Event::new();
    event
        .uid(&planned.row.key.to_string())
        .timestamp(stamp)
        .last_modified(stamp)
        // Grows with each update, since events are numbered.
        .sequence(u32::try_from(seq).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs()))
        .summary(&printable(&format!("{}: {}", planned.provider, item.title)))
        .starts(begin)
        .status(if withdrawn { EventStatus::Cancelled } else { EventStatus::Confirmed });
    // Exclusive, and later than the begin.
    if let Some(end) = item.scheduled_until.filter(|end| *end > begin) {
        event.ends(end);
    }
    let names: Vec<&str> = item.components.iter().map(|one| one.name.as_str()).collect();
    if !names.is_empty() {
        event.description(&printable(&format!("Affected components: {}", names.join(", "))));
    }
    if let Some(url) = link(item.url.as_deref()) {
        event.url(url);
    }
    // A reminder of somebody else's work blocks nobody's time.
    event.add_property("TRANSP", "TRANSPARENT");
    Some(event.done())
}

/// A control character would end a content line.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Component, ComponentStatus, Impact, IncidentKey, Kind, parse_time};
    use crate::ledger::OpenItem;

    fn row(status: &str, title: &str) -> ItemRow {
        let time = |text: &str| parse_time(text);
        let component = Component {
            id: None,
            name: "Object; storage, EU".to_owned(),
            group: None,
            status: ComponentStatus::Unknown,
        };
        ItemRow {
            key: IncidentKey::new("acme", "m-1"),
            item: OpenItem {
                provider: "acme".to_owned(),
                incident_id: "m-1".to_owned(),
                kind: Kind::Maintenance,
                title: title.to_owned(),
                status: status.to_owned(),
                impact: Impact::Maintenance,
                url: Some("https://status.acme.example/m-1".to_owned()),
                started_at: None,
                scheduled_for: time("2026-03-01T02:00:00Z"),
                scheduled_until: time("2026-03-01T04:00:00Z"),
                components: vec![component],
            },
            open: true,
            first_seen: time("2026-02-20T10:00:00Z"),
            last_listed: time("2026-02-20T10:00:00Z"),
        }
    }

    fn rendered(row: &ItemRow, last: Option<LastEvent>) -> String {
        render([Planned { row, provider: "Acme Cloud".to_owned(), last }].into_iter())
    }

    #[test]
    fn a_maintenance_is_an_entry() {
        let last = Some((7, parse_time("2026-02-21T10:00:00Z")));
        let text = rendered(&row("scheduled", "Upgrade"), last).replace("\r\n", "\n");
        insta::assert_snapshot!(text, @r"
        BEGIN:VCALENDAR
        VERSION:2.0
        PRODID:ICALENDAR-RS
        CALSCALE:GREGORIAN
        NAME:statuswatch
        X-WR-CALNAME:statuswatch
        REFRESH-INTERVAL;VALUE=DURATION:PT15M
        X-PUBLISHED-TTL:PT15M
        BEGIN:VEVENT
        DESCRIPTION:Affected components: Object\; storage\, EU
        DTEND:20260301T040000Z
        DTSTAMP:20260221T100000Z
        DTSTART:20260301T020000Z
        LAST-MODIFIED:20260221T100000Z
        SEQUENCE:7
        STATUS:CONFIRMED
        SUMMARY:Acme Cloud: Upgrade
        TRANSP:TRANSPARENT
        UID:d296e5919ac30ff31ac127aa8e723dbf
        URL:https://status.acme.example/m-1
        END:VEVENT
        END:VCALENDAR
        ");
        assert_eq!(text, rendered(&row("scheduled", "Upgrade"), last).replace("\r\n", "\n"));
    }

    #[test]
    fn a_withdrawn_one_is_cancelled_and_an_end_is_after_the_begin() {
        let mut one = row("withdrawn", "Upgrade");
        one.item.scheduled_until = one.item.scheduled_for;
        let text = rendered(&one, None);
        assert!(text.contains("STATUS:CANCELLED\r\n") && !text.contains("DTEND"), "{text}");
        one.item.scheduled_for = None;
        assert!(!rendered(&one, None).contains("BEGIN:VEVENT"));
    }

    #[test]
    fn a_title_adds_no_line() {
        let text = rendered(&row("scheduled", "x\r\nBEGIN:VALARM\u{85}y"), None);
        assert!(!text.lines().any(|line| line.starts_with("BEGIN:VALARM")), "{text}");
        assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    }
}
