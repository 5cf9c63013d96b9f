//! The status vocabulary of feeds.

use super::titles;
use statuswatch_model::event::{ComponentStatus, IncidentStatus, Kind};

/// Returns the kind that a status is specific to.
pub(super) const fn kind(status: IncidentStatus) -> Option<Kind> {
    match status {
        IncidentStatus::Scheduled
        | IncidentStatus::InProgress
        | IncidentStatus::Verifying
        | IncidentStatus::Completed => Some(Kind::Maintenance),
        IncidentStatus::Investigating
        | IncidentStatus::Identified
        | IncidentStatus::Monitoring
        | IncidentStatus::Resolved => Some(Kind::Incident),
        _ => None,
    }
}

/// Returns the status at the start of a text: `[RESOLVED] …`, `Service is back: [RESOLVED] …`,
/// `Status: X`, `Resolved - …`, or the word alone. A word that continues as a sentence names none:
/// "Monitoring shows errors".
pub(super) fn leading(text: &str) -> Option<IncidentStatus> {
    let line = text.lines().next().unwrap_or_default();
    let start = line
        .char_indices()
        .nth(120)
        .and_then(|(at, _)| line.get(..at))
        .unwrap_or(line)
        .trim_start();
    if let Some(inner) =
        start.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(inner, _)| inner)
        && let Some(status) = titles::label(inner)
    {
        return Some(status);
    }
    let start = match start.get(..7) {
        Some(prefix) if prefix.eq_ignore_ascii_case("status:") => {
            start.get(7..).unwrap_or_default().trim_start()
        }
        _ => start,
    };
    let end = start.find([':', '-', '–', '—', '.', '|', ',']).unwrap_or(start.len());
    titles::label(start.get(..end)?)
}

/// Returns the status of a component as feeds write it.
pub(super) fn component(word: &str) -> ComponentStatus {
    match word.trim().to_ascii_lowercase().replace(['_', '-'], " ").as_str() {
        "operational" => ComponentStatus::Operational,
        "degraded performance" | "degraded" => ComponentStatus::DegradedPerformance,
        "partial outage" => ComponentStatus::PartialOutage,
        "major outage" | "full outage" => ComponentStatus::MajorOutage,
        "under maintenance" | "maintenance" => ComponentStatus::UnderMaintenance,
        _ => ComponentStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_at_the_start_count_and_sentences_do_not() {
        for (text, status) in [
            ("[RESOLVED] Mail", Some(IncidentStatus::Resolved)),
            (
                "Service is operating normally: [RESOLVED] API errors",
                Some(IncidentStatus::Resolved),
            ),
            ("Status: ACTIVE", Some(IncidentStatus::Investigating)),
            ("status: Resolved\nwe fixed it", Some(IncidentStatus::Resolved)),
            ("In progress - the work has begun", Some(IncidentStatus::InProgress)),
            ("Mitigated: storage", Some(IncidentStatus::Resolved)),
            ("Maintenance scheduled: Sunday", Some(IncidentStatus::Scheduled)),
            ("Monitoring shows errors", None),
            ("We are investigating", Some(IncidentStatus::Investigating)),
            ("[EU] Mail is slow", None),
            ("", None),
        ] {
            assert_eq!(leading(text), status, "{text}");
        }
    }
}
