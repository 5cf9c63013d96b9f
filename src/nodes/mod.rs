//! Several nodes share the providers of one `providers.yaml` over a database.
//!
//! * [`plan`] decides which shards and duties a node takes and gives back. Pure.
//! * [`membership`] makes this process a member. `member` is what runs on its thread: it renews the
//!   lease, looks at the others and carries plans out. `sql` has its statements, `link` its connections.
//! * [`report`] is what commands show of nodes and of the database.
//! * [`share`] is what the supervisor is told.

mod link;
mod member;
pub mod membership;
pub mod plan;
pub mod report;
pub mod share;
mod sql;

pub use crate::postgres::shard_of;
