//! The dispatcher: takes recorded events to channels.
//!
//! ```text
//! events after the cursor -> route -> place -> outbox       (plan.rs, one transaction with the cursor)
//! held back and due       -> release -> outbox              (release.rs, one transaction)
//! waiting in the outbox   -> render, store -> send -> judge (deliver.rs, launch.rs, attempt.rs)
//! verdict                 -> delivered, retried or dead     (outcome.rs, stored by the ledger)
//! ```
//!
//! What is decided stands in the ledger before anything depends on it: whatever moment the process
//! is killed at, the next start continues from there. A message is sent at least once, always with
//! the same key, and with the same bytes once an attempt may have arrived. Messages of one thread
//! are sent one after the other.
//!
//! What these decide can be shown without doing it: `simulate.rs` routes and releases in a copy of the
//! outbox, for `run --dry-run` (`dry_run.rs`) and `routes`; `trial.rs` sends a single message for `channels test`.
//!
//! One lane per channel (`lane.rs`) keeps the rate limit, the requests under way and the delay after
//! failures. A channel that fails delays no other, and nothing here delays a poll or the event log:
//! the dispatcher has its own thread and reads the ledger like any sink.

pub mod actor;
mod attempt;
mod bucket;
mod channels;
mod deliver;
pub mod dry_run;
mod lane;
mod launch;
mod notice;
mod outcome;
mod plan;
mod release;
pub mod simulate;
mod sinks;
pub mod trial;

use std::collections::HashMap;
use std::sync::Arc;

use statuswatch_notify::{Audience, QuietHours, Routes};

use crate::config::{ChannelConfig, Config};

/// What is delivered where.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Setup {
    /// The enabled channels.
    pub channels: Vec<Arc<ChannelConfig>>,
    /// Which events go to which of them.
    pub routes: Routes,
    /// When messages are held back.
    pub quiet_hours: Vec<QuietHours>,
    /// The tags of each provider that has any.
    pub tags: HashMap<String, Vec<String>>,
}

impl Setup {
    /// Takes it from a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            channels: config.channels.clone(),
            routes: config.routes.clone(),
            quiet_hours: config.quiet_hours.clone(),
            tags: config
                .providers
                .iter()
                .filter(|provider| !provider.settings.tags.is_empty())
                .map(|provider| (provider.id.clone(), provider.settings.tags.clone()))
                .collect(),
        }
    }

    /// Returns a channel.
    #[must_use]
    pub fn channel(&self, id: &str) -> Option<&Arc<ChannelConfig>> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// Returns the ids of the channels.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.channels.iter().map(|channel| channel.id.as_str()).collect()
    }

    /// Returns the ids of the channels with who reads them, as routes take them.
    #[must_use]
    pub fn audiences(&self) -> Vec<(String, Audience)> {
        self.channels.iter().map(|channel| (channel.id.clone(), channel.policy.audience)).collect()
    }

    /// Returns the tags of a provider.
    #[must_use]
    pub fn tags(&self, provider: &str) -> &[String] {
        self.tags.get(provider).map(Vec::as_slice).unwrap_or_default()
    }
}
