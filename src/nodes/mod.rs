//! Several nodes share the providers of one `providers.yaml` over a database.
//!
//! * [`plan`] decides which shards and duties a node takes and gives back. Pure.
//! * [`membership`] keeps this process a member: it renews the lease, looks at the others and carries
//!   plans out. `sql` has its statements, `link` its connections.
//! * [`report`] is what commands show of nodes and of the database.
//! * [`share`] is what the supervisor is told.

mod link;
pub mod membership;
pub mod plan;
pub mod report;
pub mod share;
mod sql;

use url::Url;

/// Returns the shard of an address: by its host, so that one node alone keeps the host's limits.
#[must_use]
pub fn shard_of(url: &Url) -> plan::Shard {
    crate::postgres::shard_of(url.host_str().unwrap_or_default())
}
