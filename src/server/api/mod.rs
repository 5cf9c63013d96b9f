//! `/api/v1`.

mod channels;
mod events;
mod gate;
mod incidents;
mod mutes;
mod observe;
mod providers;
mod top;

pub(super) use channels::{ChannelList, DeadLetterList, channels, dead_letters};
pub(super) use events::{EventPage, History, events, history};
pub(super) use gate::gate;
pub(super) use incidents::{
    Incident, IncidentDetail, IncidentList, incident, incidents, maintenances, read_key, touches,
};
pub(super) use mutes::{Mute, MuteList, NewMute, Unmuted, apply, lift, mute, mutes, unmute};
pub(super) use observe::{NewObservation, observe};
pub(super) use providers::{
    ProviderDetail, ProviderPage, StatusAnswer, provider, providers, status,
};
pub(super) use top::{top, top_providers};

/// The least and the most entries of a page.
const LIMIT: std::ops::RangeInclusive<u64> = 1..=1000;
const DEFAULT_LIMIT: u64 = 100;
