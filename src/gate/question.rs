//! The question, the facts, and the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::need::Need;
use crate::event::{Component, Impact, Time};
use crate::ledger::{OpenItem, OwnNetwork, ProviderRow};

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The providers and components needed.
    pub needs: Vec<Need>,
    /// Impacts of this rank or worse hold.
    pub min_impact: Impact,
    /// A state older than this is unknown, in addition to each provider's `stale_after`.
    pub max_age: Option<Duration>,
    /// What unknown needs count as; `None`: unknown.
    pub on_unknown: Option<OnUnknown>,
}

/// What an unknown need counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnknown {
    /// As if it passed.
    Pass,
    /// As if it held.
    Hold,
}

/// Whether to go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Go ahead.
    Pass,
    /// Do not.
    Hold,
    /// Not known: stale, unreachable, not watched, or not stated by the page.
    Unknown,
}

impl Verdict {
    /// The word in JSON and in the output of commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Hold => "hold",
            Self::Unknown => "unknown",
        }
    }
}

/// What the ledger knows, as of `now`.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Every provider ever watched.
    pub rows: &'a [ProviderRow],
    /// The open items of at least the providers that are needed.
    pub open: &'a [OpenItem],
    /// The components of at least the providers that are needed, by provider id.
    pub components: &'a BTreeMap<String, Vec<Component>>,
    /// The state of the local network.
    pub network: &'a OwnNetwork,
    /// The time of the question.
    pub now: Time,
}
