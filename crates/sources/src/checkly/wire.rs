//! The payload of the page as serde types.

use serde::Deserialize;
use serde_json::Value;

use crate::support::List;
use crate::support::fields::{Id, MaybeId, Name, OrDefault, Prose, Text, When};

/// The page of an address.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resolved {
    pub(super) status_page: Head,
}

/// The page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    pub(super) id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) custom_domain: Text,
    pub(super) url: Text,
}

/// What is open.
#[derive(Debug, Deserialize)]
pub(super) struct Unresolved {
    pub(super) incidents: List,
}

/// The cards with their services and days.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Uptime {
    pub(super) uptime: List,
    #[serde(default)]
    pub(super) partial_error: Value,
}

/// Services under one heading.
#[derive(Debug, Deserialize)]
pub(super) struct Card {
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) services: List,
}

/// A service, which is a component here.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) days: OrDefault<List>,
}

/// What was open on a day.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Day {
    pub(super) events: OrDefault<List>,
}

/// An incident: among those that are open, or as the event of a day, which says less.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) severity: Text,
    pub(super) last_update_status: Text,
    pub(super) status: Text,
    pub(super) description: Prose,
    #[serde(rename = "created_at")]
    pub(super) created: When,
    pub(super) created_at: When,
    pub(super) updated_at: When,
    pub(super) incident_updates: OrDefault<List>,
}

/// An update.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
pub(super) struct WireUpdate {
    pub(super) id: MaybeId,
    pub(super) status: Text,
    pub(super) description: Prose,
    pub(super) public_incident_update_date: When,
    #[serde(rename = "created_at")]
    pub(super) created: When,
}
