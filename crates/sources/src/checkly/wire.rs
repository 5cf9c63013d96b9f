//! The payload of the page as serde types.

use serde::Deserialize;
use serde_json::Value;

use crate::support::List;
use crate::support::fields::{self, Id};
use statuswatch_model::event::Time;

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
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) custom_domain: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) url: String,
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
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    pub(super) services: List,
}

/// A service, which is a component here.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) id: Id,
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) days: List,
}

/// What was open on a day.
#[derive(Debug, Deserialize)]
pub(super) struct Day {
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) events: List,
}

/// An incident: among those that are open, or as the event of a day, which says less.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) id: Id,
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) severity: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) last_update_status: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) status: String,
    #[serde(default, deserialize_with = "fields::prose")]
    pub(super) description: String,
    #[serde(default, rename = "created_at", deserialize_with = "fields::moment")]
    pub(super) created: Option<Time>,
    #[serde(default, deserialize_with = "fields::moment")]
    pub(super) created_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::moment")]
    pub(super) updated_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) incident_updates: List,
}

/// An update.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUpdate {
    #[serde(default, deserialize_with = "fields::optional_id")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) status: String,
    #[serde(default, deserialize_with = "fields::prose")]
    pub(super) description: String,
    #[serde(default, deserialize_with = "fields::moment")]
    pub(super) public_incident_update_date: Option<Time>,
    #[serde(default, rename = "created_at", deserialize_with = "fields::moment")]
    pub(super) created: Option<Time>,
}
