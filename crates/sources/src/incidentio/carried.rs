//! The payload of a global page as serde types, once references are resolved.

use serde::Deserialize;

use crate::support::List;
use crate::support::fields::{self, Id};
use statuswatch_model::event::Time;

/// The page and what is open.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) id: Id,
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) parent: Parent,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) public_url: String,
    pub(super) affected_components: List,
    pub(super) ongoing_incidents: List,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) scheduled_maintenances: List,
    pub(super) structure: Structure,
}

/// Data shared by the pages of a customer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Parent {
    #[serde(default, deserialize_with = "fields::name")]
    pub(super) name: String,
}

/// The content of the page, from top to bottom.
#[derive(Debug, Deserialize)]
pub(super) struct Structure {
    pub(super) items: List,
}

/// One of three; the others are null.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) component: Option<Part>,
    pub(super) group: Option<Group>,
}

/// Components under one heading.
#[derive(Debug, Deserialize)]
pub(super) struct Group {
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) hidden: bool,
    pub(super) components: List,
}

/// A component.
#[derive(Debug, Deserialize)]
pub(super) struct Part {
    pub(super) component_id: Id,
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) hidden: bool,
}

/// A component that is reported as not operational.
#[derive(Debug, Deserialize)]
pub(super) struct Affected {
    pub(super) component_id: Id,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) status: String,
    /// If present, it is the present status, and the other one the worst so far.
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) current_status: String,
}

/// An incident or maintenance; a link to one has no texts.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) id: Id,
    #[serde(deserialize_with = "fields::name")]
    pub(super) name: String,
    pub(super) status: String,
    #[serde(default, rename = "type", deserialize_with = "fields::or_default")]
    pub(super) class: String,
    #[serde(default, deserialize_with = "fields::moment")]
    pub(super) published_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) permalink: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) affected_components: List,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) component_impacts: List,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) updates: List,
}

/// The period in which a component was affected.
#[derive(Debug, Deserialize)]
pub(super) struct Span {
    #[serde(default, deserialize_with = "fields::moment")]
    pub(super) start_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::moment")]
    pub(super) end_at: Option<Time>,
}

/// An update.
#[derive(Debug, Deserialize)]
pub(super) struct Update {
    #[serde(default, deserialize_with = "fields::optional_id")]
    pub(super) id: Option<Id>,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) to_status: String,
    #[serde(default, deserialize_with = "fields::prose")]
    pub(super) message_string: String,
    #[serde(default, deserialize_with = "fields::moment")]
    pub(super) published_at: Option<Time>,
}
