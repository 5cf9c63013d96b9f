//! The HTTP client of the process: its connections, its memory for bodies, and its rate limits.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::HeaderValue;
use rustls::ClientConfig;
use tokio::time::{Instant, timeout};
use url::Url;

use super::body::Budget;
use super::dial::LimitLayer;
use super::failure::Phase;
use super::hosts::HostGate;
use super::proxy::{self, Proxies};
use super::resolve::{Names, Resolver};
use super::{Failure, FailureKind, Fetched, Polled, Request, Tap, retry, tls};
use crate::lease::Lease;

/// Larger HTTP/2 header lists are rejected; HTTP/1 is limited to about 400 KiB and 100 headers.
const HEADER_LIST: u32 = 64 << 10;

/// Options for building the client.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The `User-Agent` header: product, version, contact.
    pub user_agent: String,
    /// Number of hosts with which TLS sessions can be resumed.
    pub max_hosts: usize,
    /// Memory for all bodies in flight, beyond 64 KiB for each; one body at a time may exceed it.
    pub body_budget: usize,
    /// How long an idle connection is kept for the next request; zero disables reuse.
    pub keep_alive: Duration,
    /// Root certificates (DER) trusted in addition to the system's.
    pub extra_roots: Vec<Vec<u8>>,
    /// Names resolved from this map instead of by the system, like a hosts file.
    pub names: HashMap<String, Vec<IpAddr>>,
    /// Whether `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` are honored.
    pub proxy_from_environment: bool,
    /// Nothing is requested while it is not good.
    pub lease: Lease,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!(
                "statuswatch/",
                env!("CARGO_PKG_VERSION"),
                " (+https://github.com/statuswatch/statuswatch)"
            )
            .to_owned(),
            max_hosts: 1024,
            body_budget: 24 << 20,
            keep_alive: Duration::from_secs(3),
            extra_roots: Vec::new(),
            names: HashMap::new(),
            proxy_from_environment: true,
            lease: Lease::always(),
        }
    }
}

/// Why the client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Root certificates or protocol versions.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The user agent or a proxy.
    #[error("cannot set up the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// Fetches documents for the whole process. Clones share one client.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
    tap: Option<Arc<dyn Tap>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("hosts", &self.inner.gate.remembered())
            .finish_non_exhaustive()
    }
}

/// The state that clones share.
pub(super) struct Inner {
    pub(super) gate: HostGate,
    pub(super) budget: Budget,
    pub(super) names: Arc<Names>,
    guarded: reqwest::Client,
    open: OnceLock<reqwest::Client>,
    plain_tls: OnceLock<Arc<ClientConfig>>,
    recipe: Recipe,
    lease: Lease,
}

/// What an inner client is built from; both inner clients share names and TLS sessions.
struct Recipe {
    user_agent: HeaderValue,
    keep_alive: Duration,
    tls: ClientConfig,
    names: Arc<Names>,
    proxies: Vec<reqwest::Proxy>,
    exempt: Arc<HashSet<String>>,
}

impl Recipe {
    fn make(&self, guarded: bool) -> reqwest::Result<reqwest::Client> {
        self.pooled(guarded, self.keep_alive, usize::from(!self.keep_alive.is_zero()))
    }

    fn pooled(
        &self,
        guarded: bool,
        keep_alive: Duration,
        idle: usize,
    ) -> reqwest::Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(self.user_agent.clone())
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Resolver {
                names: Arc::clone(&self.names),
                guarded,
                exempt: Arc::clone(&self.exempt),
            })
            .connector_layer(LimitLayer)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .http2_max_header_list_size(HEADER_LIST)
            .pool_max_idle_per_host(idle)
            .pool_idle_timeout(keep_alive);
        for proxy in &self.proxies {
            builder = builder.proxy(proxy.clone());
        }
        builder.build()
    }
}

impl Inner {
    /// Returns the inner client that blocks private addresses, or the one that allows them. The
    /// second is built when first needed.
    pub(super) fn library(&self, guarded: bool) -> Result<&reqwest::Client, Failure> {
        if guarded {
            return Ok(&self.guarded);
        }
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let made = self
            .recipe
            .make(false)
            .map_err(|_| Failure::new(FailureKind::Resource, "cannot set up the HTTP client"))?;
        Ok(self.open.get_or_init(|| made))
    }

    /// Builds a client with connections of its own, which allows private addresses.
    pub(super) fn sending(
        &self,
        keep_alive: Duration,
        idle: usize,
    ) -> reqwest::Result<reqwest::Client> {
        self.recipe.pooled(false, keep_alive, idle)
    }

    /// Returns the TLS configuration for connections that do not speak HTTP.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        let made = self.plain_tls.get_or_init(|| {
            let mut tls = self.recipe.tls.clone();
            tls.alpn_protocols.clear();
            Arc::new(tls)
        });
        Arc::clone(made)
    }
}

impl Client {
    /// Creates a client. Use one per process: connections, sessions and rate limits are shared
    /// through it.
    pub fn new(options: ClientOptions) -> Result<Self, BuildError> {
        let tls = tls::config(&options.extra_roots, options.max_hosts)?;
        let Proxies { proxies, hosts } = if options.proxy_from_environment {
            proxy::from_environment(|name| std::env::var(name).ok())?
        } else {
            Proxies::default()
        };
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .unwrap_or_else(|_| HeaderValue::from_static("statuswatch"));
        let names = Names::new(options.names);
        let exempt = Arc::new(hosts);
        let recipe = Recipe {
            user_agent,
            keep_alive: options.keep_alive,
            tls,
            names: Arc::clone(&names),
            proxies,
            exempt,
        };
        let guarded = recipe.make(true)?;
        let budget = Budget::new(options.body_budget);
        let inner = Inner {
            gate: HostGate::default(),
            budget,
            names,
            guarded,
            open: OnceLock::new(),
            plain_tls: OnceLock::new(),
            recipe,
            lease: options.lease,
        };
        Ok(Self { inner: Arc::new(inner), tap: None })
    }

    /// Returns the same client with `tap` attached.
    #[must_use]
    pub fn with_tap(self, tap: Arc<dyn Tap>) -> Self {
        Self { tap: Some(tap), ..self }
    }

    /// Notifies the tap that a poll of `provider` begins.
    pub fn began(&self, provider: &str) {
        if let Some(tap) = &self.tap {
            tap.began(provider);
        }
    }

    /// Notifies the tap that the poll of `provider` has ended.
    pub fn ended(&self, provider: &str, poll: Polled<'_>) {
        if let Some(tap) = &self.tap {
            tap.ended(provider, poll);
        }
    }

    /// Sends a request. Waits for the host's rate limit first, which the deadline does not cover;
    /// dropping the future cancels the wait or the request. If the host has asked for a pause, no
    /// request is sent and the failure says how long the pause lasts.
    pub fn get<'a>(
        &'a self,
        mut request: Request<'a>,
    ) -> impl Future<Output = Result<Fetched, Failure>> + 'a {
        let answer = self.tap.as_ref().and_then(|tap| tap.answer(&request)).map(Box::new);
        let unknown = || self.tap.as_ref().is_some_and(|tap| tap.needs_body(&request));
        if answer.is_none() && request.validators.is_some() && unknown() {
            request.validators = None;
        }
        // Every poll waiting for its host holds this future, so the request is stored only once.
        async move {
            if let Some(answer) = answer {
                return *answer;
            }
            let turn = self.inner.gate.turn(request.url, request.pace, request.max_wait).await;
            let _turn = match turn {
                Ok(turn) => turn,
                Err(until) => return self.seen(&request, Err(left_alone(request.url, until))),
            };
            if !self.inner.lease.is_good() {
                return self.seen(&request, Err(no_lease()));
            }
            let mut phase = Phase::Head;
            let mut led_to = None;
            let fetching = self.inner.fetch(&request, &mut led_to, &mut phase);
            let fetched = timeout(request.timeout, fetching).await;
            let fetched = fetched
                .unwrap_or_else(|_| Err(phase.timeout(request.timeout)))
                .map_err(|failure| failure.behind(request.url, led_to.as_ref()));
            self.seen(&request, fetched)
        }
    }

    fn seen(
        &self,
        request: &Request<'_>,
        result: Result<Fetched, Failure>,
    ) -> Result<Fetched, Failure> {
        if let Some(tap) = &self.tap {
            tap.came(request, &result);
        }
        result
    }

    /// Takes the pauses that hosts have asked for since the last call: host and port, and how long
    /// they last from now on.
    #[must_use]
    pub fn asked_pauses(&self) -> Vec<(String, Duration)> {
        self.inner.gate.asked()
    }

    /// Keeps a pause that a host (`HOST:PORT`) has asked another process for. One that is not an
    /// authority is ignored.
    pub fn keep_pause(&self, host: &str, wait: Duration) {
        if let Ok(url) = Url::parse(&format!("http://{host}/")) {
            self.inner.gate.hold(&url, Instant::now() + wait);
        }
    }

    /// Returns the lease under which requests are sent.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.inner.lease
    }

    /// Returns until when the address may not be requested, for a caller that waits at most `most`.
    #[must_use]
    pub fn blocked_until(&self, url: &Url, most: Duration) -> Option<Instant> {
        self.inner.gate.blocked_until(url, most)
    }

    /// Blocks the address until then, as it requested before a restart.
    pub fn block(&self, url: &Url, until: Instant) {
        self.inner.gate.block(url, until);
    }
}

impl Inner {
    /// Fails while the host has asked for a pause, or this process may not request anything.
    pub(super) fn unblocked(&self, url: &Url, most: Duration) -> Result<(), Failure> {
        if !self.lease.is_good() {
            return Err(no_lease());
        }
        self.gate.blocked_until(url, most).map_or(Ok(()), |until| Err(left_alone(url, until)))
    }
}

fn no_lease() -> Failure {
    Failure::new(FailureKind::Resource, "not requested: the lease of this node has ended")
}

fn left_alone(url: &Url, until: Instant) -> Failure {
    let wait = until.saturating_duration_since(Instant::now());
    let host = url.host_str().unwrap_or("the host");
    let left = retry::spoken(Duration::from_secs(wait.as_secs().max(1)));
    Failure {
        kind: FailureKind::RateLimited,
        message: format!("not polled: {host} asked for a pause, {left} remaining"),
        retry_after: Some(wait),
        asked_by: Some(host.to_owned()),
    }
}
