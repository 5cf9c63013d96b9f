//! [`Universe`]: thirty invented providers on all supported platforms, and a record of everything
//! they published.

#![expect(clippy::must_use_candidate, reason = "the result of an operation may be ignored")]

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind, Status, Time};

use super::platform::{
    Atom, BetterStack, Google, IncidentIo, Instatus, JsonFeed, Platform, Rss, Slack, StatusIo,
    Statuspage,
};
use super::provider::{Clock, Provider};
use super::server::{Cluster, Server};
use super::state::{Incident, Posted};

/// Id, name, platform and components of a provider.
type Row = (&'static str, &'static str, &'static dyn Platform, &'static [&'static str]);

const CLOUD: &[&str] = &["Compute", "Object storage", "Load balancers", "Console"];
const PAY: &[&str] = &["Card payments", "Payouts", "Dashboard"];
const APP: &[&str] = &["API", "Web app", "Sign-in", "Webhooks", "Search"];
const MAIL: &[&str] = &["Delivery", "Inbound", "Templates"];
const MODEL: &[&str] = &["Chat", "Completions", "Embeddings", "Images", "Files"];

static ROWS: &[Row] = &[
    ("northwind", "Northwind Cloud", &Statuspage, CLOUD),
    ("helios-pay", "Helios Pay", &Statuspage, PAY),
    ("marmot-ai", "Marmot AI", &IncidentIo, MODEL),
    ("quillmail", "Quillmail", &Statuspage, MAIL),
    ("tidewater", "Tidewater Hosting", &Atom, CLOUD),
    ("larkspur", "Larkspur", &Statuspage, APP),
    ("cinderbase", "Cinderbase", &Statuspage, APP),
    ("foxtail", "Foxtail Analytics", &BetterStack, APP),
    ("brightloom", "Brightloom", &Google, APP),
    ("paperkite", "Paperkite", &JsonFeed, MAIL),
    ("granite-dns", "Granite DNS", &Statuspage, CLOUD),
    ("moonmoth", "Moonmoth", &Instatus, MODEL),
    ("copperline", "Copperline Pay", &IncidentIo, PAY),
    ("saltmarsh", "Saltmarsh CDN", &Google, CLOUD),
    ("velvet-queue", "Velvet Queue", &Atom, APP),
    ("ironbark", "Ironbark CI", &Slack, APP),
    ("drumlin", "Drumlin Maps", &StatusIo, APP),
    ("sparrowhawk", "Sparrowhawk", &Rss, APP),
    ("juniper-hr", "Juniper HR", &Instatus, APP),
    ("wavecrest", "Wavecrest Voice", &Statuspage, MAIL),
    ("thistle-ai", "Thistle AI", &IncidentIo, MODEL),
    ("oxbow", "Oxbow Storage", &BetterStack, CLOUD),
    ("pinebough-post", "Pinebough Post", &JsonFeed, MAIL),
    ("redfern", "Redfern Identity", &Statuspage, APP),
    ("slatepoint", "Slatepoint", &Atom, PAY),
    ("kestrel-git", "Kestrel Git", &Slack, APP),
    ("amberly", "Amberly", &IncidentIo, APP),
    ("dovetail-crm", "Dovetail Desk", &Google, APP),
    ("nightjar", "Nightjar Logs", &Rss, CLOUD),
    ("zephyr-edge", "Zephyr Edge", &Statuspage, CLOUD),
];

/// Maximum number of providers with a listener of their own; more would exhaust the file
/// descriptors.
const LISTENERS: usize = 400;

/// A fact published by a provider of this universe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The provider's id.
    pub provider: String,
    /// Incident, maintenance or component.
    pub kind: Kind,
    /// The incident's native id; `None` for components.
    pub incident_id: Option<String>,
    /// The update's native id, where the platform shows one.
    pub update_id: Option<String>,
    /// The number of the update within this universe: the same for an update and its edits; `None`
    /// for components.
    pub update: Option<u64>,
    /// 1; 2, 3, … for edits. A poll may see only the last one.
    pub revision: u32,
    /// The incident's title, or the component's name.
    pub title: String,
    /// The published status.
    pub status: Status,
    /// The impact of the incident at that time.
    pub impact: Impact,
    /// Its text; empty for components.
    pub text: String,
    /// The provider's time of publication.
    pub at: Time,
}

/// Everything published, in order: the expected content of the event log. Clones share the same
/// list.
///
/// The last revision of an update must be reported, earlier ones may be. A change of a component
/// may be missed if another one follows before a poll. Data that a platform does not keep must be
/// reported only while its incident is open.
#[derive(Debug, Clone, Default)]
pub struct Published {
    list: Arc<Mutex<Vec<Publication>>>,
    /// Provider and native id of incidents that can no longer be read.
    unreadable: Arc<Mutex<HashSet<(String, String)>>>,
}

impl Published {
    /// Returns everything published so far.
    #[must_use]
    pub fn all(&self) -> Vec<Publication> {
        self.lock().clone()
    }

    /// Returns the last revision of every update of an incident or maintenance: what must have been
    /// reported in the end.
    #[must_use]
    pub fn owed(&self) -> Vec<Publication> {
        let (list, unreadable) =
            (self.lock(), self.unreadable.lock().unwrap_or_else(PoisonError::into_inner));
        let is_gone = |one: &Publication| {
            one.incident_id
                .as_ref()
                .is_some_and(|id| unreadable.contains(&(one.provider.clone(), id.clone())))
        };
        let key = |one: &Publication| one.update.map(|update| (one.provider.clone(), update));
        let last: HashMap<_, _> =
            list.iter().filter_map(|one| Some((key(one)?, one.revision))).collect();
        let is_last =
            |one: &Publication| key(one).is_some_and(|key| last.get(&key) == Some(&one.revision));
        list.iter().filter(|one| is_last(one) && !is_gone(one)).cloned().collect()
    }

    /// Records that an incident is over on a platform that does not keep it.
    fn forget(&self, provider: &Provider, incident: u64) {
        let unreadable = (provider.id().to_owned(), provider.incident_id(incident));
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).insert(unreadable);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Publication>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The providers, served by one server. Operations through its methods are recorded.
#[derive(Debug)]
pub struct Universe {
    providers: Vec<Provider>,
    server: Server,
    published: Published,
}

impl Universe {
    /// Starts all thirty providers.
    pub async fn start(clock: Clock) -> io::Result<Self> {
        Self::start_sized(ROWS.len(), clock).await
    }

    /// Starts the first `count` providers; beyond thirty they repeat with numbered ids.
    pub async fn start_sized(count: usize, clock: Clock) -> io::Result<Self> {
        Self::start_at(count, clock, Ipv4Addr::LOCALHOST.into()).await
    }

    /// Starts the first `count` providers at another address.
    pub async fn start_at(count: usize, clock: Clock, address: IpAddr) -> io::Result<Self> {
        let rows = ROWS.iter().cycle().take(count).enumerate();
        let providers: Vec<Provider> = rows
            .map(|(place, (id, name, platform, components))| {
                let round = place / ROWS.len();
                let id = if round == 0 { (*id).to_owned() } else { format!("{id}-{round}") };
                let name = if round == 0 { (*name).to_owned() } else { format!("{name} {round}") };
                Provider::new(&id, &name, *platform, components, Arc::clone(&clock))
            })
            .collect();
        // A listener each, as real providers have hosts of their own: clients rate-limit by host.
        let cluster = Cluster::new(providers.iter().cloned()).on(address);
        let server = if count <= LISTENERS {
            Server::start_each(cluster).await?
        } else {
            Server::start(cluster).await?
        };
        Ok(Self { providers, server, published: Published::default() })
    }

    /// Returns the providers.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Returns a provider by id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.server.provider(id)
    }

    /// Returns the server, with its request log.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns what was published through this universe.
    #[must_use]
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// Returns the items of `providers:` in `providers.yaml`. `fast` polls every second with short
    /// timeouts; otherwise the defaults of the file apply. Half of those with an API are left to
    /// detection.
    #[must_use]
    pub fn providers_yaml(&self, fast: bool) -> String {
        let mut out = String::new();
        for (place, provider) in self.providers.iter().enumerate() {
            let platform = provider.platform();
            let url = format!("{}{}", self.server.url(provider.id()), platform.entry());
            let mut entry = format!(
                "  - id: {}\n    name: \"{}\"\n    url: {url}\n",
                provider.id(),
                provider.name()
            );
            if !platform.entry().is_empty() || place % 2 == 0 {
                push(&mut entry, format_args!("    source: {}\n", platform.source()));
            }
            if fast {
                entry.push_str("    interval: 1s\n    incident_interval: 1s\n    timeout: 3s\n    connect_timeout: 1s\n");
                entry.push_str("    backoff: {initial: 1s, max: 8s}\n    stale_after: 15s\n");
            }
            out.push_str(&entry);
        }
        out
    }

    /// Opens an incident and records it.
    pub fn open_incident(
        &self,
        provider: &Provider,
        title: &str,
        impact: Impact,
        components: &[&str],
        text: &str,
    ) -> Posted {
        let posted = provider.open_incident(title, impact, components, text);
        self.record(provider, posted, 1);
        posted
    }

    /// Announces a maintenance and records it.
    pub fn schedule(
        &self,
        provider: &Provider,
        title: &str,
        window: (Time, Time),
        components: &[&str],
        text: &str,
    ) -> Posted {
        let posted = provider.schedule(title, window, components, text);
        self.record(provider, posted, 1);
        posted
    }

    /// Adds an update and records it.
    pub fn update(
        &self,
        provider: &Provider,
        incident: u64,
        status: IncidentStatus,
        text: &str,
    ) -> Option<Posted> {
        let posted = provider.update(incident, status, text)?;
        self.record(provider, posted, 1);
        if status.is_over() && !provider.platform().keeps_past() {
            self.published.forget(provider, incident);
        }
        Some(posted)
    }

    /// Edits an update and records its new revision.
    pub fn edit(&self, provider: &Provider, posted: Posted, text: &str) -> Option<Posted> {
        let posted = provider.edit(posted, text)?;
        let same =
            |one: &&Publication| one.provider == provider.id() && one.update == Some(posted.update);
        let revisions = self.published.lock().iter().filter(same).count() as u32;
        self.record(provider, posted, revisions + 1);
        Some(posted)
    }

    /// Changes a component and records it, if its status differs.
    pub fn set_component(&self, provider: &Provider, name: &str, status: ComponentStatus) {
        let before =
            provider.state().components.into_iter().find(|component| component.name == name);
        if before.is_none_or(|component| component.status == status)
            || provider.set_component(name, status).is_none()
        {
            return;
        }
        self.published.lock().push(Publication {
            provider: provider.id().to_owned(),
            kind: Kind::Component,
            incident_id: None,
            update_id: None,
            update: None,
            revision: 1,
            title: name.to_owned(),
            status: status.into(),
            impact: status.impact(),
            text: String::new(),
            at: provider.state().version,
        });
    }

    fn record(&self, provider: &Provider, posted: Posted, revision: u32) {
        let state = provider.state();
        let Some(incident) = state.incident(posted.incident) else {
            return;
        };
        let Some(update) = incident.updates.iter().find(|update| update.number == posted.update)
        else {
            return;
        };
        let Incident { kind, title, impact, .. } = incident;
        self.published.lock().push(Publication {
            provider: provider.id().to_owned(),
            kind: *kind,
            incident_id: Some(provider.incident_id(posted.incident)),
            update_id: provider.update_id(posted.update),
            update: Some(posted.update),
            revision,
            title: title.clone(),
            status: update.status.into(),
            impact: *impact,
            text: update.text.clone(),
            at: update.at,
        });
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a string takes everything");
}
