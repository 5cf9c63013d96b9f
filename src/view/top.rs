//! What `top` on another machine is sent: the rows that it shows, and no more of them than fit.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::outbox::ChannelRow;
use crate::ledger::{OpenItem, OwnNetwork, ProviderRow, SinkRow};

/// The most incidents and maintenances of one answer.
pub const MAX_OPEN: usize = 5_000;

/// What `statuswatch top` shows, without providers and events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopView {
    /// Changes whenever anything that `top` shows may have changed.
    pub version: String,
    /// `seq` of the newest event; 0 if there is none.
    pub newest: u64,
    /// Whether the supervisor responds.
    pub running: bool,
    /// The state of our own network.
    pub network: OwnNetwork,
    /// The open incidents and maintenances, by provider; at most 5,000.
    pub open: Vec<OpenItem>,
    /// How many more there are.
    pub more_open: usize,
    /// Where events are delivered.
    pub sinks: Vec<SinkRow>,
    /// The channels.
    pub channels: Vec<ChannelRow>,
    /// For each open incident that channels were sent, by its key.
    pub notified: BTreeMap<String, Vec<NotifiedView>>,
}

/// A channel that was sent a message about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotifiedView {
    /// The channel's id.
    pub channel: String,
    /// Whether it has accepted one.
    pub accepted: bool,
}

/// Providers as `statuswatch top` shows them, a page at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopProviders {
    /// By id.
    pub providers: Vec<ProviderRow>,
    /// `after` of the next page; null on the last one.
    pub next: Option<String>,
}
