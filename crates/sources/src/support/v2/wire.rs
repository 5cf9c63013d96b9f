//! The documents of `/api/v2` as serde types; status words, names and texts are already converted.

use serde::{Deserialize, Deserializer};

use super::super::fields::{self, Id, MaybeId, Name, OrDefault, Prose, Text, When};
use super::super::{Decode, MAX_NAME, link, vocabulary};
use crate::ParseError;
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus};
use statuswatch_model::snapshot;
use statuswatch_model::text::one_line;

/// The page of a document.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The platform's id of the page.
    pub id: Id,
    /// The name of the page.
    pub name: Text,
    /// The URL of the page.
    pub url: Text,
    /// The zone of times without an offset, if any.
    #[serde(default, rename = "time_zone", deserialize_with = "fields::page_zone")]
    pub zone: (),
    /// When the page last changed.
    pub updated_at: When,
}

impl Page {
    /// Returns the page as it is in a snapshot; the source decides on its version.
    #[must_use]
    pub fn to_page(&self) -> snapshot::Page {
        let name = one_line(&self.name, MAX_NAME);
        snapshot::Page {
            id: Some(self.id.0.clone()),
            name: (!name.is_empty()).then_some(name),
            url: link(&self.url),
            version: None,
            impact: None,
            ..snapshot::Page::default()
        }
    }

    /// Returns an error unless `id` is the id of the first document's page.
    ///
    /// # Errors
    /// A detail that belongs to another page.
    pub fn must_be(&self, id: &Id, source_name: &'static str) -> Result<(), ParseError> {
        if self.id == *id {
            return Ok(());
        }
        let reason = format!(
            "a detail belongs to the page \"{}\" and the first document to \"{id}\"",
            self.id
        );
        Err(ParseError::not_this(source_name, reason))
    }
}

/// The overall status of a page.
#[derive(Debug, Deserialize)]
pub struct Overall {
    /// `none`, `minor`, `major`, `critical`, `maintenance`.
    pub indicator: String,
}

/// A component, or the row of a group.
#[derive(Debug, Deserialize)]
pub struct Component {
    pub(super) id: Id,
    pub(super) name: Name,
    #[serde(default, deserialize_with = "state")]
    pub(super) status: Option<ComponentStatus>,
    pub(super) group: OrDefault<bool>,
    pub(super) group_id: MaybeId,
}

/// An incident or a maintenance.
#[derive(Deserialize)]
#[serde(bound = "")]
pub struct Incident<W: Decode> {
    pub(super) id: Id,
    pub(super) name: Name,
    #[serde(default, deserialize_with = "status")]
    pub(super) status: Option<IncidentStatus>,
    #[serde(default, deserialize_with = "impact")]
    pub(super) impact: Option<Impact>,
    #[serde(default, deserialize_with = "address")]
    pub(super) shortlink: Option<String>,
    pub(super) created_at: When,
    pub(super) started_at: When,
    pub(super) updated_at: When,
    pub(super) scheduled_for: When,
    pub(super) scheduled_until: When,
    pub(super) components: OrDefault<W::List<Component>>,
    #[serde(rename = "incident_updates")]
    pub(super) updates: OrDefault<W::List<Update>>,
}

/// An update of an incident.
#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub(super) id: Id,
    #[serde(default, deserialize_with = "status")]
    pub(super) status: Option<IncidentStatus>,
    pub(super) body: Prose,
    pub(super) created_at: When,
    pub(super) updated_at: When,
    pub(super) display_at: When,
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IncidentStatus>, D::Error> {
    fields::visit_string(deserializer, "a string", vocabulary::status)
}

fn impact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Impact>, D::Error> {
    fields::visit_string(deserializer, "a string", vocabulary::impact)
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ComponentStatus>, D::Error> {
    fields::visit_string(deserializer, "a string", vocabulary::component)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    fields::visit_string(deserializer, "a string", link).map(Option::flatten)
}
