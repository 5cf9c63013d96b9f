//! [`StatusEvent`], the contract's only JSON object, and [`Draft`], an event that the ledger has
//! not numbered yet.

use serde::{Deserialize, Serialize};

use super::time::Time;
use super::{ComponentStatus, Impact, Kind, Status};
use crate::text::any_glob;

/// A component as it appears in an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Component {
    /// The platform's id; null if it has none.
    pub id: Option<String>,
    /// Its name as plain text.
    pub name: String,
    /// The group it belongs to, if the platform has groups.
    pub group: Option<String>,
    /// Its state; `unknown` if the provider does not say.
    pub status: ComponentStatus,
}

impl Component {
    /// Returns whether a glob matches its id, name, group, or `group/name`.
    #[must_use]
    pub fn matches(&self, globs: &[String]) -> bool {
        let qualified = self.group.as_ref().map(|group| format!("{group}/{}", self.name));
        [Some(&self.name), self.id.as_ref(), self.group.as_ref(), qualified.as_ref()]
            .into_iter()
            .flatten()
            .any(|text| any_glob(globs, text))
    }

    /// Returns whether a glob matches its region: its group, or its own name.
    #[must_use]
    pub fn is_in_region(&self, globs: &[String]) -> bool {
        [Some(&self.name), self.group.as_ref()]
            .into_iter()
            .flatten()
            .any(|text| any_glob(globs, text))
    }
}

/// An event without a sequence number. Only the ledger turns it into a [`StatusEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The hash of its identity; see [`super::event_id`].
    pub id: super::EventId,
    /// What it is about.
    pub kind: Kind,
    /// The incident's native id; null for components and providers.
    pub incident_id: Option<String>,
    /// The update's native id or one derived from its content.
    pub update_id: Option<String>,
    /// 1 for a new update; 2, 3, … for its edits.
    pub revision: u32,
    /// Plain text, one line.
    pub title: String,
    /// Where it stands after this event.
    pub status: Status,
    /// How bad it is.
    pub impact: Impact,
    /// The last reported status of the same incident or component.
    pub previous_status: Option<Status>,
    /// The last reported impact.
    pub previous_impact: Option<Impact>,
    /// What is affected.
    pub components: Vec<Component>,
    /// Plain text with `\n` between paragraphs; null if nothing was written.
    pub message: Option<String>,
    /// The page a person would open.
    pub url: Option<String>,
    /// When the incident started, according to the provider.
    pub started_at: Option<Time>,
    /// The provider's time of this update, or the time of observation if it gives none.
    pub published_at: Time,
    /// Maintenance only.
    pub scheduled_for: Option<Time>,
    /// Maintenance only.
    pub scheduled_until: Option<Time>,
    /// Published before the provider was first watched.
    pub backfill: bool,
    /// Whether this is a change of state, which can recur with the same content: each occurrence is
    /// a separate event. False for written updates, which are reported once.
    pub recurs: bool,
}

impl Draft {
    /// Creates a draft of a first revision observed at `at`, with only the fields every event has.
    #[must_use]
    pub fn new(
        id: super::EventId,
        kind: Kind,
        title: String,
        status: impl Into<Status>,
        at: Time,
    ) -> Self {
        Self {
            id,
            kind,
            incident_id: None,
            update_id: None,
            revision: 1,
            title,
            status: status.into(),
            impact: Impact::Unknown,
            previous_status: None,
            previous_impact: None,
            components: Vec::new(),
            message: None,
            url: None,
            started_at: None,
            published_at: at,
            scheduled_for: None,
            scheduled_until: None,
            backfill: false,
            recurs: matches!(kind, Kind::Component | Kind::Provider),
        }
    }
}

/// One normalized, immutable fact, numbered by the ledger: one line of the event log.
///
/// Absent values are `null`, never omitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StatusEvent {
    /// Sequence number in the ledger: 1, 2, 3, … without gaps.
    pub seq: u64,
    /// Stable id: the same fact has the same id on any machine and in any run.
    pub id: String,
    /// `incident`, `maintenance`, `component` or `provider`.
    pub kind: Kind,
    /// The provider's id in `providers.yaml`.
    pub provider: String,
    /// The provider's display name.
    pub provider_name: String,
    /// The platform it was read from.
    pub source: String,
    /// The platform's id of the incident; null for `component` and `provider`.
    pub incident_id: Option<String>,
    /// The platform's own id of the update, or one derived from its content.
    pub update_id: Option<String>,
    /// 1 for a new update; 2, 3, … for each edit of an update already reported.
    pub revision: u32,
    /// Plain text.
    pub title: String,
    /// Where it stands after this event.
    pub status: Status,
    /// The last reported status; null the first time.
    pub previous_status: Option<Status>,
    /// How bad it is.
    pub impact: Impact,
    /// The last reported impact; null the first time.
    pub previous_impact: Option<Impact>,
    /// What is affected.
    pub components: Vec<Component>,
    /// Plain text with `\n` between paragraphs.
    pub message: Option<String>,
    /// The page a person would open.
    pub url: Option<String>,
    /// When the incident began.
    #[serde(with = "super::time::optional")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Time>,
    /// The provider's time of this update, or the time of observation if it gives none.
    #[serde(with = "super::time::required")]
    #[schemars(with = "String")]
    pub published_at: Time,
    /// When statuswatch observed it.
    #[serde(with = "super::time::required")]
    #[schemars(with = "String")]
    pub observed_at: Time,
    /// Maintenance only.
    #[serde(with = "super::time::optional")]
    #[schemars(with = "Option<String>")]
    pub scheduled_for: Option<Time>,
    /// Maintenance only.
    #[serde(with = "super::time::optional")]
    #[schemars(with = "Option<String>")]
    pub scheduled_until: Option<Time>,
    /// Whether it was published before the provider was first watched.
    pub backfill: bool,
}
