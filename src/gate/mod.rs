//! Whether a deployment may go ahead: what the ledger knows of the providers it needs.
//!
//! [`decide`] is pure: rows of the ledger and a time in, an [`Answer`] out, which `gate` prints and
//! a server can return as it is. [`ask`] reads the rows. No provider is asked for anything.

mod decide;
mod judge;
mod need;
mod question;
#[cfg(test)]
mod tests;

pub use decide::{Answer, NeedAnswer, ask, decide};
pub use judge::BlockingItem;
pub use need::{MAX_NEEDS, Need, NeedError, parse_needs};
pub use question::{Facts, Gate, OnUnknown, Verdict};
