//! The human-readable text block, used on the console and in the text log.
//!
//! Each event is one block: a head line, the subject, the provider's message, and a dashed line.
//! Titles and names stay on one line, and no line of a message can be mistaken for part of the
//! frame.

use chrono::SubsecRound as _;

use super::{Impact, Kind, StatusEvent, Time};
use crate::text::safe;

/// The line that ends a block.
const RULE: &str = "------------------------------------------------------------";

/// Renders the contract's text block, which ends in the dashed line and a line feed.
#[must_use]
pub fn render_block(event: &StatusEvent) -> String {
    render(event, None)
}

/// Like [`render_block`], with the status in the color of its impact, for color terminals.
#[must_use]
pub fn render_block_colored(event: &StatusEvent) -> String {
    render(event, Some(color(event)))
}

fn render(event: &StatusEvent, color: Option<&str>) -> String {
    let mut out = String::with_capacity(512);
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&head(event, color));
    let names: Vec<String> = event
        .components
        .iter()
        .map(|c| one_line(&c.name))
        .filter(|name| !name.is_empty())
        .collect();
    if !names.is_empty() {
        line(&format!("Product: {}", names.join(", ")));
    }
    let title = one_line(&event.title);
    if !title.is_empty() {
        line(&format!("{}: {title}", subject(event.kind)));
    }
    let message = event.message.as_deref().map(paragraphs).unwrap_or_default();
    if message.is_empty() {
        // Without a message, show what changed.
        for change in changes(event) {
            line(&change);
        }
    }
    for paragraph in &message {
        line(paragraph);
    }
    if let Some(window) = window(event) {
        line(&window);
    }
    // A component event already shows its state in the head line.
    if !names.is_empty() && event.kind != Kind::Component {
        line("Affected components:");
        for component in &event.components {
            let name = one_line(&component.name);
            if !name.is_empty() {
                line(&format!("- {name} ({})", component.status.label()));
            }
        }
    }
    if let Some(url) = event.url.as_deref().map(one_line).filter(|url| !url.is_empty()) {
        line(&url);
    }
    line(RULE);
    out
}

fn head(event: &StatusEvent, color: Option<&str>) -> String {
    let provider = one_line(&event.provider_name);
    let provider = if provider.is_empty() { one_line(&event.provider) } else { provider };
    let status = match color {
        Some(color) => format!("\u{1b}[{color}m{}\u{1b}[0m", event.status.label()),
        None => event.status.label(),
    };
    let mut head = format!("[{}] {provider} - {status}", stamp(event.published_at));
    if event.impact != Impact::Unknown {
        head.extend([" (", event.impact.as_str(), ")"]);
    }
    if event.revision > 1 {
        head.push_str(" (edited)");
    }
    if event.backfill {
        head.push_str(" (earlier)");
    }
    head
}

const fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::Incident => "Incident",
        Kind::Maintenance => "Maintenance",
        Kind::Component => "Component",
        Kind::Provider => "Provider",
    }
}

/// Returns the status and impact changes since the last report.
fn changes(event: &StatusEvent) -> Vec<String> {
    let status = event.previous_status.filter(|before| *before != event.status);
    let impact = event.previous_impact.filter(|before| *before != event.impact);
    let status =
        status.map(|before| format!("Status: {} → {}", before.label(), event.status.label()));
    let impact = impact.map(|before| format!("Impact: {before} → {}", event.impact));
    status.into_iter().chain(impact).collect()
}

/// Returns the maintenance window, as far as it is known.
fn window(event: &StatusEvent) -> Option<String> {
    match (event.scheduled_for, event.scheduled_until) {
        (Some(from), Some(until)) => {
            Some(format!("Scheduled: {} to {}", stamp(from), stamp(until)))
        }
        (Some(from), None) => Some(format!("Scheduled: from {}", stamp(from))),
        (None, Some(until)) => Some(format!("Scheduled: until {}", stamp(until))),
        (None, None) => None,
    }
}

fn stamp(time: Time) -> String {
    time.trunc_subsecs(0).format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns the ANSI color of the status: green if over or operational, otherwise by impact.
fn color(event: &StatusEvent) -> &'static str {
    if event.status.is_end() {
        return "32";
    }
    match event.impact {
        Impact::Critical => "1;31",
        Impact::Major => "31",
        Impact::Minor => "33",
        Impact::Maintenance => "34",
        Impact::None | Impact::Unknown => "36",
    }
}

/// Returns the text on one line, without terminal control characters. Texts are already clean here:
/// this is the last safeguard.
fn one_line(text: &str) -> String {
    text.split_whitespace().map(safe).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns the non-empty lines of a message. A line that imitates the frame is indented.
fn paragraphs(message: &str) -> Vec<String> {
    message
        .lines()
        .map(|line| {
            let line = safe(line);
            let line = line.trim_end();
            if imitates_frame(line) { format!(" {line}") } else { line.to_owned() }
        })
        .filter(|line| !line.trim().is_empty())
        .collect()
}

fn imitates_frame(line: &str) -> bool {
    line == RULE
        || line.strip_prefix('[').is_some_and(|rest| {
            rest.bytes()
                .take(5)
                .collect::<Vec<_>>()
                .iter()
                .enumerate()
                .all(|(i, b)| if i == 4 { *b == b'-' } else { b.is_ascii_digit() })
                && rest.len() > 4
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Component, ComponentStatus, IncidentStatus, ProviderStatus, parse_time};

    fn component(name: &str, status: ComponentStatus) -> Component {
        Component { id: None, name: name.into(), group: None, status }
    }

    fn event() -> StatusEvent {
        let at = |text| parse_time(text).unwrap();
        StatusEvent {
            seq: 1,
            id: "0".repeat(32),
            kind: Kind::Incident,
            provider: "acme".into(),
            provider_name: "Acme Cloud".into(),
            source: "statuspage".into(),
            incident_id: Some("01ABC".into()),
            update_id: Some("u1".into()),
            revision: 1,
            title: "High errors with parcel labels".into(),
            status: IncidentStatus::Resolved.into(),
            previous_status: Some(IncidentStatus::Monitoring.into()),
            impact: Impact::Minor,
            previous_impact: Some(Impact::Minor),
            components: vec![
                component("Labels", ComponentStatus::Operational),
                component("Label Printing", ComponentStatus::DegradedPerformance),
            ],
            message: Some("All impacted services have now fully recovered.".into()),
            url: Some("https://status.acme.example/incidents/01ABC".into()),
            started_at: None,
            published_at: at("2026-02-23T10:20:49.9Z"),
            observed_at: at("2026-02-23T10:21:00Z"),
            scheduled_for: None,
            scheduled_until: None,
            backfill: false,
        }
    }

    #[test]
    fn incident() {
        insta::assert_snapshot!(render_block(&event()), @r"
        [2026-02-23 10:20:49 UTC] Acme Cloud - Resolved (minor)
        Product: Labels, Label Printing
        Incident: High errors with parcel labels
        All impacted services have now fully recovered.
        Affected components:
        - Labels (Operational)
        - Label Printing (Degraded performance)
        https://status.acme.example/incidents/01ABC
        ------------------------------------------------------------
        ");
    }

    #[test]
    fn maintenance() {
        let event = StatusEvent {
            kind: Kind::Maintenance,
            title: "Database upgrade".into(),
            status: IncidentStatus::Scheduled.into(),
            impact: Impact::Maintenance,
            message: Some("Short interruptions.\n\nNothing to do for you.".into()),
            scheduled_for: parse_time("2026-03-01T02:00:00Z"),
            scheduled_until: parse_time("2026-03-01T04:00:00Z"),
            backfill: true,
            ..event()
        };
        insta::assert_snapshot!(render_block(&event), @r"
        [2026-02-23 10:20:49 UTC] Acme Cloud - Scheduled (maintenance) (earlier)
        Product: Labels, Label Printing
        Maintenance: Database upgrade
        Short interruptions.
        Nothing to do for you.
        Scheduled: 2026-03-01 02:00:00 UTC to 2026-03-01 04:00:00 UTC
        Affected components:
        - Labels (Operational)
        - Label Printing (Degraded performance)
        https://status.acme.example/incidents/01ABC
        ------------------------------------------------------------
        ");
    }

    #[test]
    fn component_without_a_message() {
        let event = StatusEvent {
            kind: Kind::Component,
            title: "Labels".into(),
            status: ComponentStatus::MajorOutage.into(),
            previous_status: Some(ComponentStatus::Operational.into()),
            impact: Impact::Critical,
            previous_impact: Some(Impact::None),
            components: vec![component("Labels", ComponentStatus::MajorOutage)],
            message: None,
            ..event()
        };
        insta::assert_snapshot!(render_block(&event), @r"
        [2026-02-23 10:20:49 UTC] Acme Cloud - Major outage (critical)
        Product: Labels
        Component: Labels
        Status: Operational → Major outage
        Impact: none → critical
        https://status.acme.example/incidents/01ABC
        ------------------------------------------------------------
        ");
    }

    #[test]
    fn provider_that_cannot_be_read() {
        let event = StatusEvent {
            kind: Kind::Provider,
            title: "Acme Cloud cannot be read".into(),
            status: ProviderStatus::Unreachable.into(),
            previous_status: None,
            impact: Impact::Unknown,
            previous_impact: None,
            components: Vec::new(),
            message: Some("No answer since 10:10.".into()),
            url: None,
            ..event()
        };
        insta::assert_snapshot!(render_block(&event), @r"
        [2026-02-23 10:20:49 UTC] Acme Cloud - Unreachable
        Provider: Acme Cloud cannot be read
        No answer since 10:10.
        ------------------------------------------------------------
        ");
    }

    #[test]
    fn edited_long_and_hostile() {
        let forged = format!(
            "Line one\u{1b}[2J.\n{RULE}\n[2026-02-23 10:20:49 UTC] Acme Cloud - Resolved\nab\u{202e}cd\t{}",
            "long ".repeat(40)
        );
        let event = StatusEvent {
            revision: 2,
            title: "A title\n[2026-01-01 00:00:00 UTC] in two\u{7} lines".into(),
            message: Some(forged),
            ..event()
        };
        insta::assert_snapshot!(render_block(&event), @r"
        [2026-02-23 10:20:49 UTC] Acme Cloud - Resolved (minor) (edited)
        Product: Labels, Label Printing
        Incident: A title [2026-01-01 00:00:00 UTC] in two lines
        Line one[2J.
         ------------------------------------------------------------
         [2026-02-23 10:20:49 UTC] Acme Cloud - Resolved
        abcd long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long
        Affected components:
        - Labels (Operational)
        - Label Printing (Degraded performance)
        https://status.acme.example/incidents/01ABC
        ------------------------------------------------------------
        ");
    }

    #[test]
    fn color_is_all_that_differs_on_a_terminal() {
        let colored = render_block_colored(&event());
        assert!(colored.starts_with(
            "[2026-02-23 10:20:49 UTC] Acme Cloud - \u{1b}[32mResolved\u{1b}[0m (minor)\n"
        ));
        assert_eq!(
            colored.replace("\u{1b}[32m", "").replace("\u{1b}[0m", ""),
            render_block(&event())
        );
    }
}
