//! How platforms show a [`State`]: one file for each, and a row in [`PLATFORMS`].

mod feed;
mod html;
mod ids;
mod incidentio;
mod statuspage;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::state::State;

pub use feed::{Atom, JsonFeed, Rss};
pub use incidentio::IncidentIo;
pub use statuspage::Statuspage;

/// Every platform the world can imitate.
pub static PLATFORMS: &[&dyn Platform] = &[&Statuspage, &IncidentIo, &Atom, &Rss, &JsonFeed];

/// The platform called `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.name() == name)
}

/// One way to publish a page.
pub trait Platform: Sync {
    /// Its name in this world.
    fn name(&self) -> &'static str;

    /// The source statuswatch reads it with.
    fn source(&self) -> &'static str;

    /// The path to name in `providers.yaml`; empty where the page itself is enough.
    fn entry(&self) -> &'static str {
        ""
    }

    /// Every document of the page, by its path below the provider's root, without a leading slash.
    fn documents(&self, state: &State) -> Documents;

    /// The native id of an incident.
    fn incident_id(&self, state: &State, incident: u64) -> String;

    /// The native id of an update, where updates have one.
    fn update_id(&self, state: &State, update: u64) -> Option<String>;

    /// Whether maintenances can be followed to their end.
    fn shows_maintenances(&self) -> bool {
        true
    }
}

impl fmt::Debug for dyn Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Documents by path.
pub type Documents = BTreeMap<String, Document>;

/// Something served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

impl Document {
    /// A document of these bytes.
    #[must_use]
    pub fn new(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { content_type: content_type.to_owned(), body: body.into() }
    }

    fn json(value: &serde_json::Value) -> Self {
        Self::new("application/json; charset=utf-8", value.to_string())
    }
}
