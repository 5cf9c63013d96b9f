//! UptimeRobot: `/api/getMonitorList/<key>`, which its status pages fetch.
//!
//! A monitor is up, down or paused; there are no texts. A page shows some 30 monitors, and further
//! pages the rest: the counts say how many there are and how many of all are down.

use serde::Deserialize;
use url::Url;

use super::support::fields::Id;
use super::support::{Items, List, candidates, json, lenient, name, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{ComponentStatus, Impact};
use statuswatch_model::snapshot::{self, Coverage, Page, Snapshot};

const NAME: &str = "uptimerobot";
const PATH: &str = "/api/getMonitorList/";

/// The adapter for UptimeRobot.
#[derive(Debug)]
pub(super) struct UptimeRobot;

#[derive(Debug, Deserialize)]
struct Answer {
    status: String,
    data: List,
    statistics: Option<Statistics>,
}

#[derive(Debug, Deserialize)]
struct Statistics {
    counts: Counts,
}

#[derive(Debug, Deserialize)]
struct Counts {
    down: u64,
    total: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Monitor {
    #[serde(rename = "monitorId")]
    id: Id,
    name: String,
    status_class: String,
}

impl Source for UptimeRobot {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["stats.uptimerobot.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["getmonitorlist"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        if page.path().contains(PATH) {
            return vec![page.clone()];
        }
        // A page at the platform's own host is identified by its key; at another host any key
        // works.
        match page
            .path_segments()
            .and_then(|mut parts| parts.next().map(str::to_owned))
            .filter(|key| !key.is_empty())
        {
            Some(key) if page.domain() == Some("stats.uptimerobot.com") => {
                page.join(&format!("{PATH}{key}")).into_iter().collect()
            }
            _ => candidates(page, &["api/getMonitorList/x"]),
        }
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer: Answer = sniff(document)?;
        let monitors: Vec<Monitor> =
            answer.data.iter().filter_map(|raw| lenient::read(raw.get()).ok()).collect();
        (answer.status == "ok" && !monitors.is_empty())
            .then(|| "the document has the shape of UptimeRobot's list of monitors".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let answer: Answer = json(&documents.first, NAME)?;
        let broken =
            |reason: &str| ParseError::NotThis { source_name: NAME, reason: reason.to_owned() };
        if answer.status != "ok" {
            return Err(broken("its status is not \"ok\""));
        }
        let mut items = Items::new(limits);
        let monitors: Vec<Monitor> = items.read("monitors", &answer.data)?;
        if monitors.is_empty() {
            return Err(broken("it lists no monitors"));
        }
        let counts = answer.statistics.map(|statistics| statistics.counts);
        let listed = u64::try_from(answer.data.len()).unwrap_or(u64::MAX);
        let all_read = items.rejected() == 0
            && monitors.iter().all(|monitor| state(&monitor.status_class).is_some());
        let paused =
            |monitor: &&Monitor| state(&monitor.status_class) == Some(ComponentStatus::Unknown);
        let unwatched = monitors.iter().filter(paused).count();
        let components = monitors.into_iter().map(|monitor| {
            let state = state(&monitor.status_class).unwrap_or(ComponentStatus::Unknown);
            snapshot::component(Some(monitor.id.0), name(&monitor.name), None, state)
        });
        Ok(Snapshot {
            // Counts of zero down monitors prove nothing about those that could not be read.
            page: Page {
                impact: counts
                    .as_ref()
                    .map(impact)
                    .filter(|impact| all_read || *impact != Impact::None),
                unwatched,
                ..Page::default()
            },
            components: components.collect(),
            coverage: Coverage {
                all_components: items.rejected() == 0
                    && counts.is_none_or(|counts| counts.total <= listed),
                ..Coverage::default()
            },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn impact(counts: &Counts) -> Impact {
    match counts.down {
        0 => Impact::None,
        down if down >= counts.total => Impact::Critical,
        _ => Impact::Major,
    }
}

/// Maps the color of a monitor. A paused monitor is not checked, so its status is unknown.
fn state(class: &str) -> Option<ComponentStatus> {
    vocabulary::lookup(
        class,
        &[
            ("success", ComponentStatus::Operational),
            ("danger", ComponentStatus::MajorOutage),
            ("warning", ComponentStatus::DegradedPerformance),
            ("info", ComponentStatus::UnderMaintenance),
            ("paused", ComponentStatus::Unknown),
            ("black", ComponentStatus::Unknown),
        ],
    )
}
