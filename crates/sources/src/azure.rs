//! Microsoft Azure: an RSS feed that is empty while everything is operational.
//!
//! Parsed like any feed, with a different meaning: it lists only what is open, so an absent item is
//! over, and an empty feed means operational, which other feeds do not imply.

use url::Url;

use super::feed::Feed;
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{Impact, IncidentStatus};
use statuswatch_model::snapshot::{Basis, Coverage, Listing, Snapshot};

const NAME: &str = "azure";
/// The current and the previous URL of the feed.
const FEED: &str = "https://azure.status.microsoft/en-us/status/feed/";
const HOSTS: [&str; 4] = [
    "azure.status.microsoft",
    "rssfeed.azure.status.microsoft",
    "status.azure.com",
    "azurestatuscdn.azureedge.net",
];
/// The channel's own title is within this many bytes.
const HEAD: usize = 2048;

/// The adapter for Microsoft Azure.
pub(super) struct Azure;

impl Source for Azure {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &HOSTS
    }

    fn version(&self) -> u32 {
        2
    }

    fn accept(&self) -> &'static str {
        Feed.accept()
    }

    /// It carries more meaning than other feeds.
    fn claims_feed(&self, feed: &Document) -> bool {
        is_one(feed)
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let host = page.host_str().unwrap_or_default();
        if !HOSTS.contains(&host) {
            return Vec::new();
        }
        Url::parse(FEED).into_iter().collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        is_one(document).then(|| "the RSS feed of Azure's status page".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        if documents.first.shape() == Shape::Xml && !is_one(&documents.first) {
            return Err(ParseError::not_this(NAME, "it is not called \"Azure Status\""));
        }
        let mut snapshot = Feed.parse(documents, limits)?;
        for incident in &mut snapshot.incidents {
            // It states no status, but it is listed.
            if incident.status == IncidentStatus::Update {
                incident.status = IncidentStatus::Investigating;
                incident.basis = Basis::Stated;
            }
        }
        let whole = snapshot.rejected.is_empty();
        if whole && snapshot.incidents.is_empty() {
            snapshot.page.impact = Some(Impact::None);
        }
        let listing = if whole { Listing::Open } else { Listing::Unknown };
        snapshot.coverage =
            Coverage { incidents: listing, maintenances: listing, all_components: false };
        Ok(snapshot)
    }
}

/// Returns whether this is Azure's feed: an RSS channel of that title that links to Azure's page.
fn is_one(document: &Document) -> bool {
    if document.shape() != Shape::Xml {
        return false;
    }
    let text = document.text();
    let head: String = text.chars().take(HEAD).collect();
    let channel = head.split("<item").next().unwrap_or_default();
    channel.contains("<rss")
        && channel.contains("<title>Azure Status</title>")
        && HOSTS.iter().any(|host| channel.contains(host))
}
