//! Sources: the adapters, one for each status-page platform or feed format.
//!
//! A source does no input or output, reads no clock and panics on no bytes: documents in, a
//! [`Snapshot`] or a [`ParseError`] out. How to add one stands in CONTRIBUTING.md: a file here, a
//! fixture, a row in [`SOURCES`].

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

use std::sync::Arc;

use url::Url;

pub use described::{JsonMap, NAME as JSON, Word};

use statuswatch_model::document::Document;
use statuswatch_model::event::{Kind, Time};
use statuswatch_model::snapshot::Snapshot;
use statuswatch_model::zone::Zone;

/// Every source; recognition asks them in this order, the pickiest first.
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

/// The names that may stand behind `source`: those of the table, and the one a user describes.
pub fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|source| source.name()).chain([JSON])
}

/// The source called `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    SOURCES
        .iter()
        .copied()
        .chain([&described::Described as &dyn Source])
        .find(|source| source.name() == name)
}

/// The adapter for one platform or format.
pub trait Source: Sync {
    /// Its name in `providers.yaml` and in events.
    fn name(&self) -> &'static str;

    /// Raised when its parser reads the same bytes differently: checkpoints made by another version
    /// are void.
    fn version(&self) -> u32 {
        1
    }

    /// The media types asked for.
    fn accept(&self) -> &'static str {
        "application/json"
    }

    /// Where its first document may be, for a page at `page`, best guess first. Paths are tried
    /// below the page's own path and below the root of its host. Empty where nothing can be
    /// guessed.
    fn locate(&self, page: &Url) -> Vec<Url>;

    /// Why this document is this platform's, in words for a person; `None` if it is not.
    /// Demands the platform's own marks: never true for another one's documents.
    fn detect(&self, document: &Document) -> Option<String>;

    /// Reads the documents of one poll: the first one and those [`Source::details`] asked for.
    ///
    /// # Errors
    /// Whatever is not plainly the platform's answer. An unknown shape is never "all is well".
    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError>;

    /// Further documents that are surely needed, seen without reading the whole of the first one;
    /// then it is read only once, with them. `None`: only [`Source::details`] can tell, which never
    /// wants fewer.
    fn prefetch(&self, first: &Document, known: &Known) -> Option<Vec<Detail>> {
        let _ = (first, known);
        None
    }

    /// Which further documents are needed, now that the first one has changed and says `first`.
    fn details(&self, first: &Document, snapshot: &Snapshot, known: &Known) -> Vec<Detail> {
        let _ = (first, snapshot, known);
        Vec::new()
    }

    /// Whether the detail asked for as `role` may change while the first document does not. Then it
    /// is asked for at each poll until the next snapshot, conditionally; where it has changed, all
    /// documents are read again.
    fn is_sidecar(&self, role: &str, snapshot: &Snapshot) -> bool {
        let _ = (role, snapshot);
        false
    }
}

/// Reads the documents of one poll with `source`: local times in their zone, ambiguous dates by the
/// other dates of the document, and [`Snapshot::unread_times`] filled in.
///
/// # Errors
/// Those of [`Source::parse`].
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
    /// The one that is polled.
    pub first: Document,
    /// Those fetched because it changed or one of them did, with the role they were asked for; an
    /// optional one that was not there is left out.
    pub details: Vec<(&'static str, Document)>,
    /// How the user describes them, for the source that reads what is described.
    pub description: Option<Arc<JsonMap>>,
    /// The zone of times that are written without one, where the page states none.
    pub time_zone: Zone,
}

impl Documents {
    /// The first document alone.
    #[must_use]
    pub fn only(first: Document) -> Self {
        Self { first, details: Vec::new(), description: None, time_zone: Zone::UTC }
    }

    /// The detail asked for as `role`.
    #[must_use]
    pub fn detail(&self, role: &str) -> Option<&Document> {
        self.details.iter().find(|(name, _)| *name == role).map(|(_, document)| document)
    }
}

/// A further document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What the source calls it.
    pub role: &'static str,
    /// Where it is.
    pub url: Url,
    /// Whether 404 and the like are an answer: not every page offers it.
    pub optional: bool,
}

/// What the ledger knows of a provider, as far as it decides which documents are needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Kind and native id of each incident and maintenance that is not over.
    pub open: Vec<(Kind, String)>,
    /// [`statuswatch_model::snapshot::Page::version`] of the last poll that brought every detail.
    pub version: Option<Time>,
    /// Whether the provider has been read before.
    pub baseline: bool,
}

/// Bounds on a document, beside its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Incidents and maintenances, likewise components, per document; more is an error, never a cut
    /// list.
    pub max_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_items: 5000 }
    }
}

/// Why a document gave no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body is empty.
    #[error("the body is empty")]
    Empty,
    /// An HTML page stands where a document should be.
    #[error("an HTML page was answered{}", .title.as_ref().map(|t| format!(": \"{t}\"")).unwrap_or_default())]
    Html {
        /// Its title.
        title: Option<String>,
    },
    /// The provider's own error message in place of a document.
    #[error("the provider answered with an error: {message}")]
    ErrorBody {
        /// What it says.
        message: String,
    },
    /// Not this platform's format, or not any more.
    #[error("not a {source_name} document: {reason}")]
    NotThis {
        /// The source that was asked.
        source_name: &'static str,
        /// What was missing.
        reason: String,
    },
    /// This format, in a version nobody reads.
    #[error("unsupported format: {what}")]
    Unsupported {
        /// Format and version.
        what: String,
    },
    /// Broken inside.
    #[error("malformed {format}: {reason}")]
    Malformed {
        /// JSON, XML, …
        format: &'static str,
        /// What is wrong and where.
        reason: String,
    },
    /// More than `max_items`.
    #[error("too many {what}: {count}, the limit is {limit} (max_items)")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
}
