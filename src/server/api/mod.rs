//! `/api/v1`.

mod events;
mod incidents;
mod providers;

pub(super) use events::{EventPage, events};
pub(super) use incidents::{
    Incident, IncidentDetail, IncidentList, incident, incidents, maintenances,
};
pub(super) use providers::{ProviderDetail, ProviderPage, provider, providers, status};

/// The least and the most entries of a page.
const LIMIT: std::ops::RangeInclusive<u64> = 1..=1000;
const DEFAULT_LIMIT: u64 = 100;
