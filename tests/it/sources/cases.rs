//! Snapshots of each case, step by step, for review.

use std::fmt::Write as _;

use statuswatch::event::{Component, format_time};
use statuswatch::snapshot::{Incident, Snapshot};
use statuswatch::source::Limits;

use super::fixtures::{case, steps};

/// Every case of these sources, each with a snapshot file of its name.
const CASES: &[(&str, &str)] = &[
    ("statuspage", "quiet"),
    ("statuspage", "open"),
    ("statuspage", "outage"),
    ("statuspage", "maintenance"),
    ("statuspage", "components"),
    ("statuspage", "tenant"),
    ("statuspage", "odd"),
    ("statuspage", "incidents-alone"),
    ("incidentio", "quiet"),
    ("incidentio", "open"),
    ("incidentio", "outage"),
    ("incidentio", "silent"),
    ("incidentio", "regions"),
    ("incidentio", "widget"),
    ("pagerduty", "quiet"),
    ("pagerduty", "outage"),
    ("pagerduty", "posts"),
    ("statuscast", "maintenance"),
    ("statuscast", "outage"),
    ("statuscast", "quiet"),
    ("statuscast", "state"),
    ("site24x7", "maintenance"),
    ("site24x7", "outage"),
    ("site24x7", "quiet"),
    ("site24x7", "rss"),
    ("upptime", "components"),
    ("upptime", "quiet"),
    ("zendesk", "empty"),
    ("zendesk", "outage"),
    ("zendesk", "quiet"),
    ("uptimerobot", "components"),
    ("uptimerobot", "quiet"),
    ("openstatus", "feed"),
    ("openstatus", "outage"),
    ("openstatus", "quiet"),
    ("paypal", "components"),
    ("paypal", "quiet"),
    ("statushub", "components"),
    ("statushub", "quiet"),
    ("freshstatus", "components"),
    ("freshstatus", "quiet"),
    ("instatus", "quiet"),
    ("instatus", "open"),
    ("instatus", "outage"),
    ("instatus", "maintenance"),
    ("instatus", "components"),
    ("instatus", "odd"),
    ("betterstack", "quiet"),
    ("betterstack", "open"),
    ("betterstack", "outage"),
    ("betterstack", "maintenance"),
    ("betterstack", "components"),
    ("betterstack", "odd"),
    ("statusio", "quiet"),
    ("statusio", "open"),
    ("statusio", "outage"),
    ("statusio", "maintenance"),
    ("statusio", "components"),
    ("statusio", "odd"),
    ("firehydrant", "quiet"),
    ("firehydrant", "open"),
    ("firehydrant", "outage"),
    ("firehydrant", "maintenance"),
    ("firehydrant", "odd"),
    ("uptimekuma", "quiet"),
    ("uptimekuma", "open"),
    ("uptimekuma", "outage"),
    ("uptimekuma", "notice"),
    ("uptimekuma", "maintenance"),
    ("gatus", "quiet"),
    ("gatus", "open"),
    ("gatus", "outage"),
    ("gatus", "new"),
    ("sorry", "quiet"),
    ("sorry", "open"),
    ("sorry", "outage"),
    ("sorry", "maintenance"),
    ("sorry", "odd"),
    ("sorry", "older"),
    ("sorry", "latest"),
    ("cstate", "quiet"),
    ("cstate", "open"),
    ("cstate", "outage"),
    ("cstate", "notice"),
    ("cstate", "odd"),
    ("cachet", "quiet"),
    ("cachet", "open"),
    ("cachet", "outage"),
    ("cachet", "maintenance"),
    ("cachet", "components"),
    ("cachet", "older"),
    ("cachet", "new"),
    ("datadog", "quiet"),
    ("datadog", "open"),
    ("datadog", "outage"),
    ("datadog", "maintenance"),
    ("datadog", "components"),
    ("cloudflare", "quiet"),
    ("cloudflare", "open"),
    ("cloudflare", "outage"),
    ("cloudflare", "components"),
    ("incidentioglobal", "quiet"),
    ("incidentioglobal", "open"),
    ("incidentioglobal", "outage"),
    ("incidentioglobal", "maintenance"),
    ("checkly", "quiet"),
    ("checkly", "open"),
    ("checkly", "outage"),
    ("checkly", "unsure"),
    ("checkly", "updates"),
    ("checkly", "summary"),
    ("statuspal", "quiet"),
    ("statuspal", "open"),
    ("statuspal", "outage"),
    ("statuspal", "maintenance"),
    ("statuspal", "components"),
    ("statuspal", "words"),
    ("rootly", "quiet"),
    ("rootly", "open"),
    ("rootly", "outage"),
    ("rootly", "maintenance"),
    ("hyperping", "quiet"),
    ("hyperping", "open"),
    ("hyperping", "components"),
    ("hyperping", "services"),
    ("onlineornot", "quiet"),
    ("onlineornot", "open"),
    ("onlineornot", "outage"),
    ("onlineornot", "maintenance"),
    ("slack", "quiet"),
    ("slack", "open"),
    ("slack", "notice"),
    ("slack", "outage"),
    ("slack", "maintenance"),
    ("slack", "before"),
    ("google", "quiet"),
    ("google", "open"),
    ("google", "outage"),
    ("google", "old-schema"),
    ("google", "ended"),
    ("aws", "quiet"),
    ("aws", "open"),
    ("aws", "outage"),
    ("aws", "ended"),
    ("aws", "data"),
    ("heroku", "quiet"),
    ("heroku", "open"),
    ("heroku", "outage"),
    ("heroku", "maintenance"),
    ("apple", "quiet"),
    ("apple", "open"),
    ("apple", "outage"),
    ("apple", "maintenance"),
    ("azuredevops", "quiet"),
    ("azuredevops", "open"),
    ("azuredevops", "components"),
    ("azure", "quiet"),
    ("azure", "open"),
    ("azure", "outage"),
    ("salesforce", "quiet"),
    ("salesforce", "open"),
    ("salesforce", "outage"),
    ("salesforce", "maintenance"),
    ("adobe", "quiet"),
    ("adobe", "open"),
    ("adobe", "outage"),
    ("adobe", "maintenance"),
    ("adobe", "tokens"),
    ("okta", "quiet"),
    ("okta", "open"),
    ("okta", "outage"),
    ("okta", "maintenance"),
];

#[test]
fn each_case_matches_its_snapshot() {
    for (source, name) in CASES {
        let mut text = String::new();
        for step in case(source, name) {
            let snapshot = step.source.parse(&step.documents, Limits::default());
            let snapshot = snapshot.unwrap_or_else(|error| panic!("{}: {error}", step.name));
            writeln!(text, "== {}\n{}", step.name, format_snapshot(&snapshot)).unwrap();
        }
        insta::assert_snapshot!(format!("{source}_{name}"), text);
    }
}

#[test]
fn every_case_of_these_sources_has_a_row() {
    for step in steps() {
        let mut parts = step.name.split('/');
        let (source, name) = (parts.next().unwrap(), parts.next().unwrap());
        if CASES.iter().any(|(listed, _)| *listed == source) {
            assert!(
                CASES.contains(&(source, name)),
                "the case {source}/{name} needs a row in CASES"
            );
        }
    }
}

/// Formats a snapshot with one line per fact.
fn format_snapshot(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    let page = &snapshot.page;
    writeln!(
        out,
        "page {} \"{}\" {} version {} says {}; worst {}",
        page.id.as_deref().unwrap_or("-"),
        page.name.as_deref().unwrap_or("-"),
        page.url.as_deref().unwrap_or("-"),
        page.version.map_or_else(|| "-".to_owned(), format_time),
        page.impact.map_or("-", |impact| impact.as_str()),
        snapshot.impact(),
    )
    .unwrap();
    let coverage = &snapshot.coverage;
    writeln!(
        out,
        "lists {:?} incidents, {:?} maintenances, {} components",
        coverage.incidents,
        coverage.maintenances,
        if coverage.all_components { "all" } else { "some" }
    )
    .unwrap();
    for component in &snapshot.components {
        writeln!(out, "  component {}", format_component(component)).unwrap();
    }
    for incident in &snapshot.incidents {
        format_incident(&mut out, incident);
    }
    for rejected in &snapshot.rejected {
        writeln!(out, "  rejected {rejected}").unwrap();
    }
    out
}

fn format_incident(out: &mut String, incident: &Incident) {
    let time = |time: Option<_>| time.map_or_else(|| "-".to_owned(), format_time);
    writeln!(
        out,
        "  {} {} \"{}\" {} {} since {} window {}..{} {}",
        incident.kind,
        incident.id,
        incident.title,
        incident.status,
        incident.impact,
        time(incident.started_at),
        time(incident.scheduled_for),
        time(incident.scheduled_until),
        incident.url.as_deref().unwrap_or("-"),
    )
    .unwrap();
    for component in &incident.components {
        writeln!(out, "    affects {}", format_component(component)).unwrap();
    }
    for update in &incident.updates {
        writeln!(
            out,
            "    {:?} {} at {} edited {}: {:?}",
            update.id,
            update.status,
            time(update.published_at),
            time(update.edited_at),
            update.text
        )
        .unwrap();
    }
}

fn format_component(component: &Component) -> String {
    let group = component.group.as_deref().map(|group| format!("{group} / ")).unwrap_or_default();
    format!(
        "{} {group}{} {}",
        component.id.as_deref().unwrap_or("-"),
        component.name,
        component.status
    )
}
