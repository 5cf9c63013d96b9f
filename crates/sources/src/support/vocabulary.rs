//! The platforms' words and ours. A word nobody knows becomes `update` or `unknown`, never "all is
//! well".

use statuswatch_model::event::{ComponentStatus, Impact, Status};

/// Looks `word` up in a table, without regard to case, blanks, dashes and underscores.
#[must_use]
pub fn lookup<T: Copy>(word: &str, table: &[(&str, T)]) -> Option<T> {
    // Nearly always it is spelt as in the table, and this is asked for every component of every
    // page.
    let exact = table.iter().find(|(name, _)| *name == word);
    exact
        .or_else(|| table.iter().find(|(name, _)| key(name).eq(key(word))))
        .map(|(_, value)| *value)
}

/// The status of an incident or of an update; [`Status::Update`] where the word says nothing.
#[must_use]
pub fn status(word: &str) -> Status {
    lookup(word, STATUS).unwrap_or(Status::Update)
}

/// How bad something is; [`Impact::Unknown`] where the word says nothing.
#[must_use]
pub fn impact(word: &str) -> Impact {
    lookup(word, IMPACT).unwrap_or(Impact::Unknown)
}

/// The state of a component; [`ComponentStatus::Unknown`] where the word says nothing.
#[must_use]
pub fn component(word: &str) -> ComponentStatus {
    lookup(word, COMPONENT).unwrap_or(ComponentStatus::Unknown)
}

/// Words for a status that several platforms share.
pub const STATUS: &[(&str, Status)] = &[
    ("investigating", Status::Investigating),
    ("identified", Status::Identified),
    ("monitoring", Status::Monitoring),
    ("resolved", Status::Resolved),
    ("postmortem", Status::Postmortem),
    ("update", Status::Update),
    ("scheduled", Status::Scheduled),
    ("in_progress", Status::InProgress),
    ("verifying", Status::Verifying),
    ("completed", Status::Completed),
    ("maintenance_scheduled", Status::Scheduled),
    ("maintenance_in_progress", Status::InProgress),
    ("maintenance_complete", Status::Completed),
];

/// Words for an impact that several platforms share; states of a component count as what they do to
/// people.
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

/// Words for a component's state that several platforms share.
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
    fn our_own_words_mean_themselves() {
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
    fn spelling_does_not_matter_and_an_unknown_word_is_never_good_news() {
        assert_eq!(status("In progress"), Status::InProgress);
        assert_eq!(status("IN-PROGRESS"), Status::InProgress);
        assert_eq!(component("full_outage"), ComponentStatus::MajorOutage);
        assert_eq!(status("wobbling"), Status::Update);
        assert_eq!(impact("wobbling"), Impact::Unknown);
        assert_eq!(component(""), ComponentStatus::Unknown);
    }
}
