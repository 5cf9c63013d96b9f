//! Renders a [`State`] as the documents of each platform: a function per platform, and a row in the
//! table below.

mod betterstack;
mod feed;
mod google;
mod html;
mod ids;
mod incidentio;
mod instatus;
mod slack;
mod statusio;
mod statuspage;
mod v2;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::state::State;

/// Derives a native id from a page, the purpose of the id, and a number.
type MakeId = fn(&State, &str, u64) -> String;

/// Defines one row per platform: its name, source and entry path, its documents, its ids, and its
/// capabilities (see [`Platform`]).
macro_rules! platforms {
    ($($(#[$meta:meta])* $type:ident {
        name: $name:literal, source: $source:literal, entry: $entry:expr, documents: $documents:path,
        incident: $incident:path, update: $update:expr, maintenances: $maintenances:literal, past: $past:literal, owner: $owner:literal $(,)?
    })+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Copy)]
            pub struct $type;

            impl Platform for $type {
                fn name(&self) -> &'static str {
                    $name
                }

                fn source(&self) -> &'static str {
                    $source
                }

                fn entry(&self) -> &'static str {
                    $entry
                }

                fn documents(&self, state: &State) -> Documents {
                    $documents(state)
                }

                fn incident_id(&self, state: &State, incident: u64) -> String {
                    $incident(state, "incident", incident)
                }

                fn update_id(&self, state: &State, update: u64) -> Option<String> {
                    let make: Option<MakeId> = $update;
                    make.map(|make| make(state, "update", update))
                }

                fn shows_maintenances(&self) -> bool {
                    $maintenances
                }

                fn keeps_past(&self) -> bool {
                    $past
                }

                fn names_owner(&self) -> bool {
                    $owner
                }
            }
        )+

        /// Every supported platform.
        pub static PLATFORMS: &[&dyn Platform] = &[$(&$type),+];
    };
}

platforms! {
    /// Atlassian Statuspage: the v2 API and the two history feeds.
    Statuspage {
        name: "statuspage", source: "statuspage", entry: "", documents: statuspage::documents,
        incident: ids::code, update: Some(ids::code), maintenances: true, past: true, owner: true,
    }
    /// incident.io: its imitation of that API, and its own feed. Maintenances disappear without an
    /// update.
    IncidentIo {
        name: "incidentio", source: "incidentio", entry: "", documents: incidentio::documents,
        incident: ids::ulid, update: Some(ids::ulid), maintenances: false, past: true, owner: true,
    }
    /// Instatus. What is over is only in its feed, which is read when the summary has changed.
    Instatus {
        name: "instatus", source: "instatus", entry: "", documents: instatus::documents,
        incident: ids::cuid, update: None, maintenances: false, past: false, owner: false,
    }
    /// Better Stack. A maintenance is followed only by its window.
    BetterStack {
        name: "betterstack", source: "betterstack", entry: "", documents: betterstack::documents,
        incident: ids::decimal, update: Some(ids::decimal), maintenances: false, past: true, owner: true,
    }
    /// Status.io, which shows only what is open.
    StatusIo {
        name: "statusio", source: "statusio", entry: statusio::PATH, documents: statusio::documents,
        incident: ids::hex, update: Some(ids::hex), maintenances: false, past: false, owner: false,
    }
    /// A Google dashboard: a history of incidents, without maintenances or components of its own.
    Google {
        name: "google", source: "google", entry: google::PATH, documents: google::documents,
        incident: ids::mixed, update: None, maintenances: false, past: true, owner: false,
    }
    /// Slack. What is over is only in its history, which is read when something open has
    /// disappeared.
    Slack {
        name: "slack", source: "slack", entry: slack::CURRENT, documents: slack::documents,
        incident: ids::decimal, update: None, maintenances: true, past: false, owner: false,
    }
    /// An Atom feed as Statuspage writes it.
    Atom {
        name: "atom", source: "feed", entry: "history.atom", documents: feed::atom_alone,
        incident: ids::code, update: None, maintenances: true, past: true, owner: false,
    }
    /// An RSS 2.0 feed as Statuspage writes it.
    Rss {
        name: "rss", source: "feed", entry: "history.rss", documents: feed::rss_alone,
        incident: ids::code, update: None, maintenances: true, past: true, owner: false,
    }
    /// A JSON Feed 1.1.
    JsonFeed {
        name: "json-feed", source: "feed", entry: "feed.json", documents: feed::json_alone,
        incident: ids::code, update: None, maintenances: true, past: true, owner: false,
    }
}

/// Returns the platform named `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.name() == name)
}

/// A status-page platform.
pub trait Platform: Sync {
    /// Returns its name in this crate.
    fn name(&self) -> &'static str;

    /// Returns the statuswatch source that reads it.
    fn source(&self) -> &'static str;

    /// Returns the path to configure in `providers.yaml`; empty where the page itself is enough.
    fn entry(&self) -> &'static str;

    /// Returns every document of the page, by its path below the provider's root, without a leading
    /// slash.
    fn documents(&self, state: &State) -> Documents;

    /// Returns the native id of an incident.
    fn incident_id(&self, state: &State, incident: u64) -> String;

    /// Returns the native id of an update, where updates have one.
    fn update_id(&self, state: &State, update: u64) -> Option<String>;

    /// Returns whether maintenances can be followed to their end.
    fn shows_maintenances(&self) -> bool;

    /// Returns whether everything published stays readable for a long time, however rarely it is
    /// polled. On other platforms the last update of an incident, or all of a short one, may
    /// disappear unseen.
    fn keeps_past(&self) -> bool;

    /// Returns whether its first document identifies the owner of the page.
    fn names_owner(&self) -> bool;
}

impl fmt::Debug for dyn Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Documents by path.
pub type Documents = BTreeMap<String, Document>;

/// A served document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

impl Document {
    /// Creates a document of these bytes.
    #[must_use]
    pub fn new(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { content_type: content_type.to_owned(), body: body.into() }
    }

    fn json(value: &serde_json::Value) -> Self {
        Self::new("application/json; charset=utf-8", value.to_string())
    }
}
