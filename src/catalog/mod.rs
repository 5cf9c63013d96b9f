//! The catalog: providers known by name, with the address and the platform of their status page.
//!
//! It is a text embedded into the program, one line for each provider, sorted by slug. Nothing is
//! parsed before it is asked for: a look-up is a binary search over the lines.

mod entry;
mod lookup;
mod witness;

pub use entry::{Confidence, Entry, Target};
pub use lookup::{Group, at, categories, entries, find, group, nearest, search, tiers};
