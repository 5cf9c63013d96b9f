//! One need: what the ledger knows of it, and how far that can be trusted.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::question::{Facts, Gate, Verdict};
use crate::config::render_duration;
use crate::event::{Component, Impact, IncidentStatus, Kind, Time};
use crate::ledger::{OpenItem, ProviderRow};
use crate::text::one_line;

/// The maximum length of a title in a reason, in characters.
const TITLE: usize = 120;

/// An incident or maintenance in progress that affects a need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlockingItem {
    /// `incident` or `maintenance`.
    pub kind: Kind,
    /// The platform's id.
    pub id: String,
    /// Plain text on one line, from the provider.
    pub title: String,
    /// Its status word.
    pub status: String,
    /// Its impact.
    pub impact: Impact,
    /// The page for people.
    pub url: Option<String>,
}

/// A judgment on one need.
pub(super) struct Judgment {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) impact: Option<Impact>,
    pub(super) url: Option<String>,
    pub(super) items: Vec<BlockingItem>,
}

/// Why the state of a provider is unknown at the time of the question; `None` if it is current.
pub(super) fn blindness(row: &ProviderRow, gate: &Gate, facts: &Facts<'_>) -> Option<String> {
    if !row.watched {
        return Some("no longer watched".to_owned());
    }
    let cause = row
        .last_error
        .as_deref()
        .map_or_else(String::new, |error| format!(" ({})", one_line(error, TITLE)));
    let own = match facts.network.offline_since {
        Some(_) => "; the local network is down",
        None => "",
    };
    let Some(last) = row.last_success_at else {
        return Some(format!("never read{cause}{own}"));
    };
    // After the clock was set back, an age is negative. The age of a state far in the
    // future is unknown.
    let age = (facts.now - last).num_milliseconds().unsigned_abs();
    if row.unreachable {
        return Some(format!("unreachable, last read {} ago{cause}{own}", shown(age)));
    }
    let max_age = gate.max_age.map(|max| u64::try_from(max.as_millis()).unwrap_or(u64::MAX));
    let stale_after = row.stale_after_ms.unsigned_abs();
    let limit = max_age.map_or(stale_after, |max| max.min(stale_after));
    if age > limit {
        return Some(format!(
            "last read {} ago, which is more than {}{cause}{own}",
            shown(age),
            shown(limit)
        ));
    }
    row.doubt_since?;
    let doubt = row.doubt.as_deref().unwrap_or("implausible");
    Some(format!("its last response was rejected: {}", one_line(doubt, TITLE)))
}

/// Judges a provider that is current, by `components` if the need names some.
pub(super) fn judge(
    row: &ProviderRow,
    components: Option<&[&Component]>,
    gate: &Gate,
    facts: &Facts<'_>,
) -> Judgment {
    let mut items: Vec<&OpenItem> = facts
        .open
        .iter()
        .filter(|item| item.provider == row.id && has_begun(item))
        .filter(|item| components.is_none_or(|wanted| affects(item, wanted)))
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.impact.rank()));
    let states: Vec<(Impact, Option<&Component>)> = match components {
        Some(wanted) => {
            wanted.iter().map(|&component| (component.status.impact(), Some(component))).collect()
        }
        None => vec![(row.impact.unwrap_or(Impact::Unknown), None)],
    };
    let worst_state = states
        .iter()
        .copied()
        .max_by_key(|(impact, _)| impact.rank())
        .unwrap_or((Impact::Unknown, None));
    let stated =
        items.iter().map(|item| item.impact).chain(states.iter().map(|(impact, _)| *impact));
    let impact = Impact::worst(stated.clone());
    let worst_item = items.first().copied();
    let item_is_worse =
        worst_item.is_some_and(|item| item.impact.rank() >= worst_state.0.rank().max(1));
    let has_unknown = stated.clone().any(|impact| impact == Impact::Unknown);
    let (verdict, reason) = if impact.rank() >= gate.min_impact.rank() {
        let reason = match worst_item {
            Some(item) if item_is_worse => open(item, facts.now),
            _ => state(worst_state, row, facts),
        };
        (Verdict::Hold, reason)
    } else if has_unknown {
        let unclear = items.iter().find(|item| item.impact == Impact::Unknown);
        let reason = unclear.map_or_else(
            || match states.iter().find(|(impact, _)| *impact == Impact::Unknown) {
                Some((_, Some(component))) => {
                    format!("the page does not state the status of {}", name(component))
                }
                _ => "the page does not state an overall status".to_owned(),
            },
            |item| format!("{}, of unknown impact", open(item, facts.now)),
        );
        (Verdict::Unknown, reason)
    } else {
        let reason = match (worst_item, impact) {
            (_, Impact::None) => "operational".to_owned(),
            (Some(item), _) if item_is_worse => {
                format!("below {}: {}", gate.min_impact, open(item, facts.now))
            }
            _ => format!("below {}: {}", gate.min_impact, state(worst_state, row, facts)),
        };
        (Verdict::Pass, reason)
    };
    let deciding = items.iter().find(|item| match verdict {
        Verdict::Unknown => item.impact == Impact::Unknown,
        Verdict::Hold | Verdict::Pass => item_is_worse,
    });
    Judgment {
        verdict,
        reason: doubted(reason, row),
        impact: Some(impact),
        url: deciding.and_then(|item| item.url.clone()).or_else(|| row.page_url.clone()),
        items: items.into_iter().map(blocking).collect(),
    }
}

/// The reason, with what makes the page suspect although it is current.
fn doubted(reason: String, row: &ProviderRow) -> String {
    match &row.suspect {
        Some(suspect) => format!("{reason} (suspect: {})", one_line(suspect, TITLE)),
        None => reason,
    }
}

/// A maintenance that is only announced changes nothing yet.
fn has_begun(item: &OpenItem) -> bool {
    item.status != IncidentStatus::Scheduled.as_str()
}

/// Whether an item may affect one of the components. One that names no components may affect all.
fn affects(item: &OpenItem, wanted: &[&Component]) -> bool {
    item.components.is_empty()
        || item.components.iter().any(|affected| wanted.iter().any(|one| is_same(affected, one)))
}

fn is_same(affected: &Component, wanted: &Component) -> bool {
    match (&affected.id, &wanted.id) {
        (Some(affected), Some(wanted)) => affected == wanted,
        _ => {
            affected.name == wanted.name
                && (affected.group == wanted.group || affected.group.is_none())
        }
    }
}

fn blocking(item: &OpenItem) -> BlockingItem {
    BlockingItem {
        kind: item.kind,
        id: item.incident_id.clone(),
        title: one_line(&item.title, TITLE),
        status: item.status.clone(),
        impact: item.impact,
        url: item.url.clone(),
    }
}

/// `major incident "Actions delayed", identified, since 41m`.
fn open(item: &OpenItem, now: Time) -> String {
    let impact = match item.impact {
        Impact::Maintenance | Impact::Unknown | Impact::None => String::new(),
        impact => format!("{impact} "),
    };
    let since = item.started_at.filter(|began| *began <= now).map_or_else(String::new, |began| {
        format!(", since {}", shown((now - began).num_milliseconds().unsigned_abs()))
    });
    let status = item.status.replace('_', " ");
    format!("{impact}{} \"{}\", {status}{since}", item.kind, one_line(&item.title, TITLE))
}

/// `Actions: partial outage`; of a provider, the component that explains its overall state.
fn state(
    (impact, component): (Impact, Option<&Component>),
    row: &ProviderRow,
    facts: &Facts<'_>,
) -> String {
    let explains = || {
        let listed = facts.components.get(row.id.as_str())?;
        listed.iter().find(|component| component.status.impact() == impact)
    };
    match component.or_else(explains) {
        Some(component) => {
            format!("{}: {}", name(component), component.status.label().to_lowercase())
        }
        None => format!("the page states {impact} impact"),
    }
}

/// `group/name`, or the name where there is no group, on one line.
pub(super) fn name(component: &Component) -> String {
    match &component.group {
        Some(group) => one_line(&format!("{group}/{}", component.name), TITLE),
        None => one_line(&component.name, TITLE),
    }
}

/// Milliseconds as a duration of at most two units.
fn shown(millis: u64) -> String {
    let unit = match millis {
        0..1_000 => 1,
        1_000..120_000 => 1_000,
        120_000..172_800_000 => 60_000,
        _ => 3_600_000,
    };
    render_duration(Duration::from_millis(millis / unit * unit))
}
