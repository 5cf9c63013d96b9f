//! The connection to a PostgreSQL server that several nodes share: its address, TLS, what its errors
//! mean, and the schema `statuswatch` in it. The only module that uses the PostgreSQL library.
//!
//! * [`DatabaseUrl`] is where the database is. It never shows its password.
//! * [`connect`] opens a connection that can write, or says why not: [`Error`].
//! * [`prepare`] creates the schema, or checks that this program may use it.
//! * [`Fence`] says under which life this process may write.
//! * [`shard_of`] says to which shard a host belongs.

mod connect;
mod error;
mod fence;
mod schema;
mod shard;
mod url;

pub use connect::connect;
pub use error::Error;
pub use fence::{Fence, Life};
pub use schema::{BOUNDS, SCHEMA, prepare};
pub use shard::{SHARDS, shard_of};
pub use tokio_postgres::types::{ToSql, Type};
pub use tokio_postgres::{Client, Row, SimpleQueryMessage, SimpleQueryRow};
pub use url::{DatabaseUrl, UrlError};
