//! The answer to all needs together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::judge::{BlockingItem, Judgment, blindness, judge, name};
use super::need::{self, Named, Need, NeedError};
use super::question::{Facts, Gate, OnUnknown, Verdict};
use crate::event::{Impact, Time, format_time};
use crate::ledger::{LedgerError, Reader};

/// The answer, as `gate --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "GateAnswer")]
pub struct Answer {
    /// The verdict on all needs together.
    pub verdict: Verdict,
    /// Why: the reason of the first need that decided.
    pub reason: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// As asked.
    pub min_impact: Impact,
    /// As asked, in seconds.
    pub max_age: Option<f64>,
    /// In the order asked.
    pub needs: Vec<NeedAnswer>,
}

/// The answer to one need.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NeedAnswer {
    /// As asked.
    pub need: String,
    /// The verdict, before `on_unknown`.
    pub verdict: Verdict,
    /// Why, on one line.
    pub reason: String,
    /// The provider's id.
    pub provider: String,
    /// Its display name; null if it was never watched.
    pub provider_name: Option<String>,
    /// The components found under the name given, as `group/name`; empty: the whole provider.
    pub components: Vec<String>,
    /// The worst impact on what is needed; null if its state is not current.
    pub impact: Option<Impact>,
    /// The page for people.
    pub url: Option<String>,
    /// The last successful poll: RFC 3339, UTC.
    pub last_success: Option<String>,
    /// Incidents and maintenances in progress that affect it, worst first.
    pub items: Vec<BlockingItem>,
}

/// Answers a question from the ledger.
///
/// The outer error is the ledger's, the inner one the question's.
pub fn ask(
    reader: &Reader,
    gate: &Gate,
    now: Time,
) -> Result<Result<Answer, NeedError>, LedgerError> {
    let rows = reader.providers()?;
    let (mut open, mut components) = (Vec::new(), BTreeMap::new());
    for need in &gate.needs {
        // A wrong name is reported by `decide`.
        let Ok(Named::Row(row)) = need::provider(need, &rows) else { continue };
        if !components.contains_key(&row.id) {
            open.extend(reader.open_items(Some(&row.id))?);
            components.insert(row.id.clone(), reader.components(&row.id)?);
        }
    }
    let network = reader.network()?;
    let facts = Facts { rows: &rows, open: &open, components: &components, network: &network, now };
    Ok(decide(gate, &facts))
}

/// Answers a question from the facts alone.
pub fn decide(gate: &Gate, facts: &Facts<'_>) -> Result<Answer, NeedError> {
    let needs: Vec<NeedAnswer> =
        gate.needs.iter().map(|need| answer(need, gate, facts)).collect::<Result<_, _>>()?;
    let (verdict, reason) = overall(&needs, gate.on_unknown);
    Ok(Answer {
        verdict,
        reason,
        at: format_time(facts.now),
        min_impact: gate.min_impact,
        max_age: gate.max_age.map(|max| max.as_secs_f64()),
        needs,
    })
}

/// The worst verdict, a hold before an unknown one, and the reason of the first need that has it.
fn overall(needs: &[NeedAnswer], on_unknown: Option<OnUnknown>) -> (Verdict, String) {
    let counted = |need: &NeedAnswer| match (need.verdict, on_unknown) {
        (Verdict::Unknown, Some(OnUnknown::Pass)) => Verdict::Pass,
        (Verdict::Unknown, Some(OnUnknown::Hold)) => Verdict::Hold,
        (verdict, _) => verdict,
    };
    for verdict in [Verdict::Hold, Verdict::Unknown] {
        let mut deciding = needs.iter().filter(|need| counted(need) == verdict);
        if let Some(first) = deciding.next() {
            let more = match deciding.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            return (verdict, format!("{}: {}{more}", first.need, first.reason));
        }
    }
    let unknown = needs.iter().filter(|need| need.verdict == Verdict::Unknown).count();
    let plural = if needs.len() == 1 { "" } else { "s" };
    let accepted =
        if unknown == 0 { String::new() } else { format!(", {unknown} of them unknown") };
    (Verdict::Pass, format!("{} need{plural} passed{accepted}", needs.len()))
}

fn answer(need: &Need, gate: &Gate, facts: &Facts<'_>) -> Result<NeedAnswer, NeedError> {
    let row = match need::provider(need, facts.rows)? {
        Named::Row(row) => row,
        Named::Catalog(slug) => return Ok(not_watched(need, slug)),
    };
    let mut components = Vec::new();
    let judgment = match blindness(row, gate, facts) {
        // Which components there are may be unknown too.
        Some(reason) => Judgment {
            verdict: Verdict::Unknown,
            reason,
            impact: None,
            url: row.page_url.clone(),
            items: Vec::new(),
        },
        None => match need.component() {
            None => judge(row, None, gate, facts),
            Some(wanted) => {
                let listed = facts.components.get(&row.id).map_or(&[][..], Vec::as_slice);
                let found = need::components(&row.id, wanted, listed)?;
                components = found.iter().map(|component| name(component)).collect();
                judge(row, Some(&found), gate, facts)
            }
        },
    };
    Ok(NeedAnswer {
        need: need.to_string(),
        verdict: judgment.verdict,
        reason: judgment.reason,
        provider: row.id.clone(),
        provider_name: Some(row.name.clone()),
        components,
        impact: judgment.impact,
        url: judgment.url,
        last_success: row.last_success_at.map(format_time),
        items: judgment.items,
    })
}

fn not_watched(need: &Need, slug: &str) -> NeedAnswer {
    NeedAnswer {
        need: need.to_string(),
        verdict: Verdict::Unknown,
        reason: format!("not watched: add it with `statuswatch add {slug}`"),
        provider: slug.to_owned(),
        provider_name: None,
        components: Vec::new(),
        impact: None,
        url: crate::catalog::find(slug).map(|entry| entry.status_page.to_owned()),
        last_success: None,
        items: Vec::new(),
    }
}
