//! Maps the status words of platforms to the model's. An unknown word becomes `update` or
//! `unknown`, never "operational".

use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus};

/// Looks up `word` in a table, ignoring case, spaces, dashes and underscores.
#[must_use]
pub fn lookup<T: Copy>(word: &str, table: &[(&str, T)]) -> Option<T> {
    // Almost always the spelling is that of the table, and this runs for every component of every
    // page.
    let exact = table.iter().find(|(name, _)| *name == word);
    exact
        .or_else(|| table.iter().find(|(name, _)| key(name).eq(key(word))))
        .map(|(_, value)| *value)
}

/// Returns the status of an incident or an update; [`IncidentStatus::Update`] for an unknown word.
#[must_use]
pub fn status(word: &str) -> IncidentStatus {
    lookup(word, STATUS).unwrap_or(IncidentStatus::Update)
}

/// Returns the impact; [`Impact::Unknown`] for an unknown word.
#[must_use]
pub fn impact(word: &str) -> Impact {
    lookup(word, IMPACT).unwrap_or(Impact::Unknown)
}

/// Returns the status of a component; [`ComponentStatus::Unknown`] for an unknown word.
#[must_use]
pub fn component(word: &str) -> ComponentStatus {
    lookup(word, COMPONENT).unwrap_or(ComponentStatus::Unknown)
}

/// Status words shared by several platforms.
pub const STATUS: &[(&str, IncidentStatus)] = &[
    ("investigating", IncidentStatus::Investigating),
    ("identified", IncidentStatus::Identified),
    ("monitoring", IncidentStatus::Monitoring),
    ("resolved", IncidentStatus::Resolved),
    ("postmortem", IncidentStatus::Postmortem),
    ("update", IncidentStatus::Update),
    ("scheduled", IncidentStatus::Scheduled),
    ("in_progress", IncidentStatus::InProgress),
    ("verifying", IncidentStatus::Verifying),
    ("completed", IncidentStatus::Completed),
    ("maintenance_scheduled", IncidentStatus::Scheduled),
    ("maintenance_in_progress", IncidentStatus::InProgress),
    ("maintenance_complete", IncidentStatus::Completed),
];

/// Impact words shared by several platforms; component statuses count as their effect on users.
pub const IMPACT: &[(&str, Impact)] = &[
    ("none", Impact::None),
    ("minor", Impact::Minor),
    ("major", Impact::Major),
    ("critical", Impact::Critical),
    ("maintenance", Impact::Maintenance),
    ("operational", Impact::None),
    ("degraded_performance", Impact::Minor),
    ("partial_outage", Impact::Major),
    ("full_outage", Impact::Critical),
    ("major_outage", Impact::Critical),
    ("under_maintenance", Impact::Maintenance),
];

/// Component status words shared by several platforms.
pub const COMPONENT: &[(&str, ComponentStatus)] = &[
    ("operational", ComponentStatus::Operational),
    ("degraded_performance", ComponentStatus::DegradedPerformance),
    ("partial_outage", ComponentStatus::PartialOutage),
    ("major_outage", ComponentStatus::MajorOutage),
    ("full_outage", ComponentStatus::MajorOutage),
    ("under_maintenance", ComponentStatus::UnderMaintenance),
];

fn key(word: &str) -> impl Iterator<Item = char> {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_model_map_to_themselves() {
        for (word, value) in STATUS.iter().take(10) {
            assert_eq!(value.as_str(), *word);
        }
        for &value in ComponentStatus::ALL {
            assert_eq!(component(value.as_str()), value);
        }
        for &value in Impact::ALL {
            assert_eq!(impact(value.as_str()), value);
        }
    }

    #[test]
    fn spelling_is_ignored_and_an_unknown_word_is_never_operational() {
        assert_eq!(status("In progress"), IncidentStatus::InProgress);
        assert_eq!(status("IN-PROGRESS"), IncidentStatus::InProgress);
        assert_eq!(component("full_outage"), ComponentStatus::MajorOutage);
        assert_eq!(status("wobbling"), IncidentStatus::Update);
        assert_eq!(impact("wobbling"), Impact::Unknown);
        assert_eq!(component(""), ComponentStatus::Unknown);
    }
}
