//! The program's output: the contract's vocabulary, the [`StatusEvent`], and the identities that
//! make a fact recognizable on any machine and in any run.

mod block;
mod cosmetic;
mod identity;
mod status;
mod status_event;
mod time;
mod vocabulary;

pub use block::{render_block, render_block_colored};
pub use identity::{EventId, Fingerprint, IncidentKey, UpdateKey, beginning, event_id};
pub use status::Status;
pub use status_event::{Component, Draft, StatusEvent};
pub use time::{Time, expressible, format_time, parse_time};
pub use vocabulary::{ComponentStatus, Impact, IncidentStatus, Kind, ProviderStatus, UnknownWord};
