//! Parses status pages: the documents of some 40 platforms and feed formats in, one [`Snapshot`] out.
//!
//! A [`Source`] is the adapter for one platform or format. It performs no I/O, reads no clock and
//! does not panic on any input: it turns [`Documents`] into a [`Snapshot`] or a [`ParseError`]. The
//! caller fetches the documents.
//!
//! ```
//! use statuswatch_sources::model::document::Document;
//! use statuswatch_sources::{Documents, Limits, by_name, read};
//!
//! let url = "https://status.example.com/api/v2/summary.json".parse()?;
//! let body = r#"{
//!     "page": {"id": "abcdefghij12", "name": "Acme"},
//!     "status": {"indicator": "none"},
//!     "components": [], "incidents": [], "scheduled_maintenances": []
//! }"#;
//! let document = Document::new(url, Some("application/json"), body);
//! let source = by_name("statuspage").ok_or("no such source")?;
//! let snapshot = read(source, &Documents::only(document), Limits::default())?;
//! assert_eq!(snapshot.page.name.as_deref(), Some("Acme"));
//! assert_eq!(snapshot.open().count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`detect`] finds the source for the address of a page, and [`Source::details`] returns which
//! further documents a snapshot needs, such as the history that shows how an incident ended.
//!
//! To add a source, add a file here, a fixture, and a row in [`SOURCES`]; see CONTRIBUTING.md.

mod adobe;
mod apple;
mod aws;
mod azure;
mod azuredevops;
mod betterstack;
mod cachet;
mod checkly;
mod cloudflare;
mod cstate;
mod datadog;
mod dates;
mod described;
pub mod detect;
mod feed;
mod firehydrant;
mod freshstatus;
mod gatus;
mod google;
mod heroku;
mod hyperping;
mod incidentio;
mod instatus;
mod okta;
mod onlineornot;
mod openstatus;
mod pagerduty;
mod paypal;
mod rootly;
mod salesforce;
mod site24x7;
mod slack;
mod sorry;
mod statuscast;
mod statushub;
mod statusio;
mod statuspage;
mod statuspal;
pub mod support;
mod upptime;
mod uptimekuma;
mod uptimerobot;
mod zendesk;

use std::collections::HashSet;
use std::sync::Arc;

use url::Url;

pub use statuswatch_model as model;

pub use described::{JsonMap, NAME as JSON, Word};

use statuswatch_model::document::Document;
use statuswatch_model::event::{Kind, Time};
use statuswatch_model::snapshot::{Incident, Snapshot};
use statuswatch_model::zone::Zone;

/// All sources, in the order in which detection tries them: most specific first.
pub static SOURCES: &[&dyn Source] = &[
    &statuspage::Statuspage,
    &incidentio::IncidentIo,
    &instatus::Instatus,
    &betterstack::BetterStack,
    &statusio::StatusIo,
    &pagerduty::PagerDuty,
    &statuscast::StatusCast,
    &site24x7::Site24x7,
    &zendesk::Zendesk,
    &openstatus::OpenStatus,
    &paypal::PayPal,
    &freshstatus::Freshstatus,
    &uptimerobot::UptimeRobot,
    &statushub::StatusHub,
    &upptime::Upptime,
    &firehydrant::FireHydrant,
    &uptimekuma::UptimeKuma,
    &gatus::Gatus,
    &sorry::Sorry,
    &cstate::CState,
    &cachet::Cachet,
    &statuspal::StatusPal,
    &rootly::Rootly,
    &datadog::Datadog,
    &checkly::Checkly,
    &incidentio::Global,
    &cloudflare::Cloudflare,
    &hyperping::Hyperping,
    &onlineornot::OnlineOrNot,
    &slack::Slack,
    &google::Google,
    &aws::Aws,
    &heroku::Heroku,
    &apple::Apple,
    &azuredevops::AzureDevOps,
    &azure::Azure,
    &salesforce::Salesforce,
    &adobe::Adobe,
    &okta::Okta,
    &feed::Feed,
];

/// Returns the valid values of the key `source`: the names in the table, and that of user-described
/// documents.
pub fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|source| source.name()).chain([JSON])
}

/// Returns the source named `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    SOURCES
        .iter()
        .copied()
        .chain([&described::Described as &dyn Source])
        .find(|source| source.name() == name)
}

/// An adapter for one platform or format.
pub trait Source: Sync {
    /// Returns its name in `providers.yaml` and in events.
    fn name(&self) -> &'static str;

    /// Returns the version of the parser, which is incremented when it reads the same bytes
    /// differently: checkpoints made by another version are invalid.
    fn version(&self) -> u32 {
        1
    }

    /// Returns the `Accept` header for its documents.
    fn accept(&self) -> &'static str {
        "application/json"
    }

    /// Returns the ends of the names of hosts that serve its pages: `.statuspage.io`, or a whole
    /// name. Pages there are first asked for its documents.
    fn hosts(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns texts of which at least one is in the HTML of its pages, in lower case. Pages that
    /// contain one are first asked for its documents.
    fn marks(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns why `page`, which answers with an HTML page titled `title`, cannot be read through
    /// any source, if its platform shows that by the title.
    fn refusal(&self, page: &Url, title: &str) -> Option<String> {
        let _ = (page, title);
        None
    }

    /// Returns whether a feed is a document of this platform with a meaning of its own, so that the
    /// source `feed` leaves it alone.
    fn claims_feed(&self, feed: &Document) -> bool {
        let _ = feed;
        false
    }

    /// Returns candidate URLs of the first document for a page at `page`, best guess first. Paths
    /// are tried below the page's own path and below the root of its host. Empty where nothing can
    /// be guessed.
    fn locate(&self, page: &Url) -> Vec<Url>;

    /// Returns why this document belongs to the platform, as a readable sentence; `None` if it does
    /// not.
    fn detect(&self, document: &Document) -> Option<String>;

    /// Parses the documents of one poll: the first one and those requested by [`Source::details`].
    ///
    /// # Errors
    /// Returns an error for anything that is not clearly the platform's answer. An unknown format
    /// is never reported as operational.
    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError>;

    /// Returns further documents that are certainly needed, without parsing the whole first
    /// document, so that it is parsed only once. `None`: only [`Source::details`] can decide, which
    /// never returns fewer.
    fn prefetch(&self, first: &Document, known: &PriorItems) -> Option<Vec<Detail>> {
        let _ = (first, known);
        None
    }

    /// Returns which further documents are needed, given that the first one has changed and yields
    /// `snapshot`.
    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        let _ = (first, snapshot, known);
        Vec::new()
    }

    /// Returns whether the document requested as `role` is a sidecar: one that may change while the
    /// first document does not. A sidecar is polled conditionally until the next snapshot; if it
    /// has changed, all documents are read again.
    fn is_sidecar(&self, role: &str, snapshot: &Snapshot) -> bool {
        let _ = (role, snapshot);
        false
    }
}

/// Parses the documents of one poll with `source`. Local times are in the zone of the documents,
/// ambiguous dates are resolved by the other dates, and [`Snapshot::unread_times`] is filled in.
///
/// # Errors
/// Same as [`Source::parse`].
pub fn read(
    source: &dyn Source,
    documents: &Documents,
    limits: Limits,
) -> Result<Snapshot, ParseError> {
    let (parsed, unread_times) =
        dates::within(documents.time_zone, || source.parse(documents, limits));
    parsed.map(|snapshot| Snapshot { unread_times, ..snapshot })
}

/// The documents of one poll.
#[derive(Debug, Clone)]
pub struct Documents {
    /// The document that is polled.
    pub first: Document,
    /// The documents fetched because the first one or one of them changed, with their roles. An
    /// optional one that does not exist is omitted.
    pub details: Vec<(&'static str, Document)>,
    /// The user's description of the documents, for the source [`JSON`].
    pub description: Option<Arc<JsonMap>>,
    /// The zone of times without one, unless the page states a zone.
    pub time_zone: Zone,
    /// What was known when the details were requested: what to look up in them.
    pub known: PriorItems,
}

impl Documents {
    /// Creates the documents of a poll from the first document only.
    #[must_use]
    pub fn only(first: Document) -> Self {
        Self {
            first,
            details: Vec::new(),
            description: None,
            time_zone: Zone::UTC,
            known: PriorItems::default(),
        }
    }

    /// Returns the document requested as `role`.
    #[must_use]
    pub fn detail(&self, role: &str) -> Option<&Document> {
        self.details.iter().find(|(name, _)| *name == role).map(|(_, document)| document)
    }
}

/// A request for a further document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The name by which the source finds it in [`Documents::details`].
    pub role: &'static str,
    /// Its URL.
    pub url: Url,
    /// Whether it may be absent (404 and similar): not every page offers it.
    pub optional: bool,
}

/// The previous state of a provider, as far as it decides which documents are needed. The default
/// stands for a provider that has never been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriorItems {
    /// Kind and native id of each open incident and maintenance.
    pub open: Vec<(Kind, String)>,
    /// The [`statuswatch_model::snapshot::Page::version`] of the last poll that fetched every
    /// detail.
    pub version: Option<Time>,
    /// Whether the provider has been read before.
    pub baseline: bool,
}

impl PriorItems {
    /// Returns the ids of the open items that are not among `listed`, in their stored order.
    pub fn absent<'a>(&'a self, listed: &'a [Incident]) -> impl Iterator<Item = &'a str> {
        let listed: HashSet<&str> = listed.iter().map(|incident| incident.id.as_str()).collect();
        self.open.iter().map(|(_, id)| id.as_str()).filter(move |id| !listed.contains(id))
    }
}

/// Limits on the content of a document, in addition to its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of incidents and maintenances, and likewise of components, per document. More
    /// is an error; lists are never truncated.
    pub max_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_items: 5000 }
    }
}

/// Why a document yielded no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body is empty.
    #[error("the body is empty")]
    Empty,
    /// An HTML page was answered instead of a document.
    #[error("an HTML page was answered{}", .title.as_ref().map(|t| format!(": \"{t}\"")).unwrap_or_default())]
    Html {
        /// Its title.
        title: Option<String>,
    },
    /// The provider's own error message was answered instead of a document.
    #[error("the provider answered with an error: {message}")]
    ErrorBody {
        /// The message.
        message: String,
    },
    /// Not this platform's format, or not anymore.
    #[error("not a {source_name} document: {reason}")]
    NotThis {
        /// The source that tried to parse it.
        source_name: &'static str,
        /// What does not match.
        reason: String,
    },
    /// A known format in an unsupported version.
    #[error("unsupported format: {what}")]
    Unsupported {
        /// The format and version.
        what: String,
    },
    /// The document is malformed.
    #[error("malformed {format}: {reason}")]
    Malformed {
        /// JSON, XML, …
        format: &'static str,
        /// The error and its location.
        reason: String,
    },
    /// More than [`Limits::max_items`].
    #[error("too many {what}: {count}, the limit is {limit} (max_items)")]
    TooMany {
        /// The plural noun of the items.
        what: &'static str,
        /// Their number.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

impl ParseError {
    /// Creates a [`ParseError::NotThis`] of the source `source_name`.
    #[must_use]
    pub fn not_this(source_name: &'static str, reason: impl Into<String>) -> Self {
        Self::NotThis { source_name, reason: reason.into() }
    }

    /// Creates a [`ParseError::Malformed`] of a document in `format`.
    #[must_use]
    pub fn malformed(format: &'static str, reason: impl Into<String>) -> Self {
        Self::Malformed { format, reason: reason.into() }
    }
}

/// Runs the examples of the README as doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
