//! Renders `history` as a table. Pure.

use super::output::Paint;
use super::table::{Cell, Table};
use crate::event::{Impact, Kind, StatusEvent};
use crate::view::when;

/// The longest title shown, so that a row fits on a line.
const TITLE: usize = 72;

/// The table, in the order given; a line of its own when there is nothing.
#[must_use]
pub fn render(events: &[StatusEvent], color: bool) -> String {
    if events.is_empty() {
        return "No events.\n".to_owned();
    }
    let mut table =
        Table::new(&["SEQ", "PUBLISHED (UTC)", "PROVIDER", "KIND", "STATUS", "IMPACT", "TITLE"]);
    for event in events {
        table.row([
            // What a filter kept has no number.
            if event.seq == 0 { "-".to_owned() } else { event.seq.to_string() }.into(),
            when::stamp(event.published_at).into(),
            event.provider_name.as_str().into(),
            event.kind.as_str().into(),
            Cell::painted(&event.status.label(), paint(event)),
            event.impact.as_str().into(),
            short(&title(event)).into(),
        ]);
    }
    table.render(color)
}

/// What an event is called: a component's title says nothing without its name.
fn title(event: &StatusEvent) -> String {
    match (event.kind, event.title.is_empty(), event.components.first()) {
        (Kind::Component, true, Some(component)) => component.name.clone(),
        _ if event.revision > 1 => format!("{} (edited)", event.title),
        _ => event.title.clone(),
    }
}

fn short(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(TITLE).collect();
    if chars.next().is_some() { format!("{head}…") } else { head }
}

fn paint(event: &StatusEvent) -> Paint {
    if event.status.is_over() {
        return Paint::Green;
    }
    match event.impact {
        Impact::Major | Impact::Critical => Paint::Red,
        Impact::Minor | Impact::Maintenance | Impact::Unknown => Paint::Yellow,
        Impact::None => Paint::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{IncidentStatus, parse_time};

    fn event() -> StatusEvent {
        StatusEvent {
            seq: 7,
            id: "4f12".to_owned(),
            kind: Kind::Incident,
            provider: "acme".to_owned(),
            provider_name: "Acme Cloud".to_owned(),
            source: "statuspage".to_owned(),
            incident_id: Some("i1".to_owned()),
            update_id: Some("u1".to_owned()),
            revision: 1,
            title: "Slow answers".to_owned(),
            status: IncidentStatus::Resolved.into(),
            previous_status: None,
            impact: Impact::Minor,
            previous_impact: None,
            components: Vec::new(),
            message: None,
            url: None,
            started_at: None,
            published_at: parse_time("2026-02-23T10:20:49Z").unwrap(),
            observed_at: parse_time("2026-02-23T10:21:00Z").unwrap(),
            scheduled_for: None,
            scheduled_until: None,
            backfill: false,
        }
    }

    #[test]
    fn a_row_for_each_event() {
        let edited = StatusEvent {
            seq: 8,
            revision: 2,
            title: "x".repeat(100),
            status: IncidentStatus::Investigating.into(),
            ..event()
        };
        insta::assert_snapshot!(render(&[event(), edited], false), @"
        SEQ  PUBLISHED (UTC)      PROVIDER    KIND      STATUS         IMPACT  TITLE
        7    2026-02-23 10:20:49  Acme Cloud  incident  Resolved       minor   Slow answers
        8    2026-02-23 10:20:49  Acme Cloud  incident  Investigating  minor   xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
        ");
        assert_eq!(render(&[], false), "No events.\n");
    }
}
