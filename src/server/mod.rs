//! The HTTP server: the dashboard, health, metrics, the API with its stream, feeds, badges and hooks.
//!
//! * [`listen`] accepts connections, on a thread of its own, and bounds them.
//! * `guard` decides whether a request is answered at all: host, origin, token.
//! * [`routes`] is the one table of what is served; the router and the `OpenAPI` description are made
//!   from it.
//! * `model` reads the ledger, read-only, on a few threads of its own. Nothing here waits for an
//!   actor or makes one wait. `api/mutes.rs` alone writes, as the command `mute` does: one short
//!   transaction at a time.
//!
//! What is new is a handler, `async fn(Arc<App>, Call) -> Response`, and a row in [`routes::ROUTES`], or
//! in `pages::PAGES` if it is a page for people.

mod agents;
mod answer;
mod api;
mod asked;
mod badge;
mod call;
mod cutoff;
mod facade;
mod feeds;
mod guard;
mod health;
mod hooks;
pub mod listen;
mod metrics;
mod model;
mod nodes;
mod observe;
pub mod openapi;
mod pages;
mod route;
mod router;
pub mod routes;
mod slow;
mod stream;
mod token;

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::{Semaphore, watch};

pub use asked::Ask;
pub use listen::{Bound, Handle, ServerError};

use crate::config::{ChannelConfig, Http};
use crate::dispatch::Setup;
use crate::dispatch::trial::Trial;
use crate::metrics::Metrics;
use crate::nodes::membership::Membership;
use crate::postgres::DatabaseUrl;
use crate::view::nodes::NodesView;
use model::Model;
use token::Token;

/// Open streams.
pub(crate) const MAX_STREAMS: usize = 64;

/// Asks the poller of a provider to poll soon.
pub type PollNow = Arc<dyn Fn(&str) + Send + Sync>;

/// Sends a test through a channel.
pub type TestChannel =
    Arc<dyn Fn(Arc<ChannelConfig>) -> Pin<Box<dyn Future<Output = Trial> + Send>> + Send + Sync>;

/// Asks the database of several nodes for them.
pub type LookAtNodes =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = NodesView> + Send>> + Send + Sync>;

/// What is delivered where, as the running configuration says. A reload replaces it. Cheap to clone.
#[derive(Clone, Default)]
pub struct SharedSetup(Arc<RwLock<Arc<Setup>>>);

impl SharedSetup {
    /// Returns what is in use now.
    #[must_use]
    pub fn get(&self) -> Arc<Setup> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces it.
    pub fn set(&self, setup: Arc<Setup>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = setup;
    }
}

/// What the server needs of the rest of the program.
pub struct Parts {
    /// The configuration.
    pub http: Http,
    /// The directory of the ledger.
    pub state_dir: PathBuf,
    /// The database of which it is the replica, if several nodes share the ledger.
    pub database: Option<DatabaseUrl>,
    /// The numbers of this process.
    pub metrics: Arc<Metrics>,
    /// What a hook causes.
    pub poll_now: PollNow,
    /// What the form of a channel causes; `None`: nothing is sent, as in a dry run.
    pub test_channel: Option<TestChannel>,
    /// Asks the Prometheus server of the configuration, if there is one.
    pub ask: Option<Ask>,
    /// Channels, routes and tags.
    pub setup: SharedSetup,
    /// The id of this instance as a status page, see [`own_page_id`].
    pub page_id: String,
    /// This process as one of several nodes, if it is one, and what the database says of them.
    pub membership: Option<(Arc<Membership>, LookAtNodes)>,
}

/// What all handlers share.
pub struct App {
    pub(crate) http: Http,
    pub(crate) model: Arc<Model>,
    /// Where changes go, if several nodes share the ledger.
    pub(crate) database: Option<DatabaseUrl>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) exporter: metrics::Exporter,
    pub(crate) counts: metrics::Counts,
    pub(crate) poll_now: PollNow,
    pub(crate) test_channel: Option<TestChannel>,
    /// When each channel was tested last.
    pub(crate) tested: Mutex<HashMap<String, Instant>>,
    pub(crate) setup: SharedSetup,
    pub(crate) page_id: String,
    /// The nodes, if this process is one of several.
    pub(crate) nodes: Option<nodes::Nodes>,
    /// When each hook last caused a poll.
    pub(crate) hooked: Mutex<HashMap<String, Instant>>,
    pub(crate) token: Option<Token>,
    /// The token for changes, where it is another one.
    pub(crate) write_token: Option<Token>,
    /// One change of the ledger at a time.
    pub(crate) writing: Arc<tokio::sync::Mutex<()>>,
    /// What others see of the providers, see [`observe`].
    pub(crate) observed: observe::Observations,
    /// The Prometheus server that is asked for it.
    pub(crate) asked: Option<asked::Asked>,
    /// The page for strangers, as it was made last.
    pub(crate) public_page: pages::public::Made,
    pub(crate) streams: Arc<Semaphore>,
    /// The newest sequence number, for streams.
    pub(crate) newest: watch::Sender<u64>,
    pub(crate) started: Instant,
}

impl App {
    fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            token: parts.http.token_file.clone().map(Token::new),
            write_token: parts.http.write_token_file.clone().map(Token::new),
            writing: Arc::default(),
            observed: observe::Observations::default(),
            asked: parts
                .http
                .prometheus
                .clone()
                .zip(parts.ask)
                .map(|(config, ask)| asked::Asked::new(config, ask)),
            model: Arc::new(Model::new(parts.state_dir)),
            database: parts.database,
            exporter: metrics::Exporter::new(),
            http: parts.http,
            metrics: parts.metrics,
            counts: metrics::Counts::default(),
            poll_now: parts.poll_now,
            test_channel: parts.test_channel,
            tested: Mutex::default(),
            setup: parts.setup,
            page_id: parts.page_id,
            nodes: parts.membership.map(|(membership, look)| nodes::Nodes::new(membership, look)),
            hooked: Mutex::default(),
            public_page: pages::public::Made::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            newest: watch::Sender::new(0),
            started: Instant::now(),
        })
    }
}

/// Reads the tokens once, so that a mistake ends the start and not the first request.
///
/// # Errors
/// The file of a token cannot be read or holds none.
pub fn check_token(http: &Http) -> Result<(), ServerError> {
    let files = http.token_file.iter().chain(&http.write_token_file);
    for path in files {
        Token::new(path.clone()).check().map_err(ServerError::Token)?;
    }
    Ok(())
}

/// Returns the id of this instance as a status page: twelve letters and digits as Statuspage has
/// them, made at the first call and kept in the state directory. Our own pollers refuse a page with
/// it: a statuswatch that watches itself would report its own reports.
///
/// # Errors
/// The file cannot be written.
pub fn own_page_id(state_dir: &std::path::Path) -> std::io::Result<String> {
    const LENGTH: usize = 12;
    let path = state_dir.join("page-id");
    if let Ok(text) = std::fs::read_to_string(&path) {
        let id = text.trim();
        if id.len() == LENGTH && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            return Ok(id.to_owned());
        }
    }
    let mut random = fastrand::Rng::new();
    let id: String =
        (0..LENGTH).map(|_| char::from_digit(random.u32(0..36), 36).unwrap_or('0')).collect();
    std::fs::write(&path, format!("{id}\n"))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_the_page_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let id = own_page_id(dir.path()).unwrap();
        assert_eq!(id.len(), 12);
        assert_eq!(own_page_id(dir.path()).unwrap(), id);
        std::fs::write(dir.path().join("page-id"), "../../etc\n").unwrap();
        assert_ne!(own_page_id(dir.path()).unwrap(), "../../etc");
    }
}
