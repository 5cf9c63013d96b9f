//! Several nodes that share the providers of one configuration over a real PostgreSQL.

mod chaos;
mod membership;
mod shared;
