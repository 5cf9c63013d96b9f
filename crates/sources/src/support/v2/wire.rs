//! The documents of `/api/v2` as serde types; status words, names and texts are already converted.

use serde::{Deserialize, Deserializer};

use super::super::{Decode, MAX_NAME, fields, fields::Id, link, vocabulary};
use crate::ParseError;
use statuswatch_model::event::{ComponentStatus, Impact, Status, Time};
use statuswatch_model::snapshot;
use statuswatch_model::text::one_line;

/// The page of a document.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The platform's id of the page.
    pub id: Id,
    /// The name of the page.
    #[serde(default, deserialize_with = "fields::or_default")]
    pub name: String,
    /// The URL of the page.
    #[serde(default, deserialize_with = "fields::or_default")]
    pub url: String,
    /// The zone of times without an offset, if any.
    #[serde(default, rename = "time_zone", deserialize_with = "fields::page_zone")]
    pub zone: (),
    /// When the page last changed.
    #[serde(default, deserialize_with = "fields::time")]
    pub updated_at: Option<Time>,
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
        Err(ParseError::NotThis { source_name, reason })
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
    #[serde(default, deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "state")]
    pub(super) status: Option<ComponentStatus>,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) group: bool,
    #[serde(default, deserialize_with = "fields::optional_id")]
    pub(super) group_id: Option<Id>,
}

/// An incident or a maintenance.
#[derive(Deserialize)]
#[serde(bound = "")]
pub struct Incident<W: Decode> {
    pub(super) id: Id,
    #[serde(default, deserialize_with = "fields::name")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "status")]
    pub(super) status: Option<Status>,
    #[serde(default, deserialize_with = "impact")]
    pub(super) impact: Option<Impact>,
    #[serde(default, deserialize_with = "address")]
    pub(super) shortlink: Option<String>,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) created_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) started_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) updated_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) scheduled_for: Option<Time>,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) scheduled_until: Option<Time>,
    #[serde(default, deserialize_with = "fields::or_default")]
    pub(super) components: W::List<Component>,
    #[serde(rename = "incident_updates", default, deserialize_with = "fields::or_default")]
    pub(super) updates: W::List<Update>,
}

/// An update of an incident.
#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub(super) id: Id,
    #[serde(default, deserialize_with = "status")]
    pub(super) status: Option<Status>,
    #[serde(default, deserialize_with = "fields::prose")]
    pub(super) body: String,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) created_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) updated_at: Option<Time>,
    #[serde(default, deserialize_with = "fields::time")]
    pub(super) display_at: Option<Time>,
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
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
