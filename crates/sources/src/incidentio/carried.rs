//! The payload of a global page as serde types, once references are resolved.

use serde::Deserialize;

use crate::support::List;
use crate::support::fields::{Id, MaybeId, Name, OrDefault, Prose, Text, When};

/// The page and what is open.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) parent: OrDefault<Parent>,
    pub(super) public_url: Text,
    pub(super) affected_components: List,
    pub(super) ongoing_incidents: List,
    pub(super) scheduled_maintenances: OrDefault<List>,
    pub(super) structure: Structure,
}

/// Data shared by the pages of a customer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parent {
    pub(super) name: Name,
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
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) hidden: OrDefault<bool>,
    pub(super) components: List,
}

/// A component.
#[derive(Debug, Deserialize)]
pub(super) struct Part {
    pub(super) component_id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) hidden: OrDefault<bool>,
}

/// A component that is reported as not operational.
#[derive(Debug, Deserialize)]
pub(super) struct Affected {
    pub(super) component_id: Id,
    pub(super) status: Text,
    /// If present, it is the present status, and the other one the worst so far.
    pub(super) current_status: Text,
}

/// An incident or maintenance; a link to one has no texts.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    pub(super) name: Name,
    pub(super) status: String,
    #[serde(rename = "type")]
    pub(super) class: Text,
    pub(super) published_at: When,
    pub(super) permalink: Text,
    pub(super) affected_components: OrDefault<List>,
    pub(super) component_impacts: OrDefault<List>,
    pub(super) updates: OrDefault<List>,
}

/// The period in which a component was affected.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Span {
    pub(super) start_at: When,
    pub(super) end_at: When,
}

/// An update.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Update {
    pub(super) id: MaybeId,
    pub(super) to_status: Text,
    pub(super) message_string: Prose,
    pub(super) published_at: When,
}
