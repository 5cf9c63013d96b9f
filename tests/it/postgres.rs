//! With a real PostgreSQL server: connections, the schema that nodes share, and the ledger in it.

mod adverse;
mod connect;
mod loss;
mod moved;
mod node;
mod proxy;
mod replicas;
mod same;
mod speed;
