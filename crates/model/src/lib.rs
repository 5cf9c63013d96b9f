//! What status pages say, whatever platform they are made with: the model that `statuswatch` and its
//! sources share.
//!
//! * [`event`]: the words of the contract and the [`event::StatusEvent`], with its stable identities.
//! * [`snapshot`]: what one poll says, and what it covers.
//! * [`document`]: the bytes of one answer, decoded.
//! * [`text`]: HTML to plain text that no terminal obeys.
//! * [`redact`]: addresses without their secrets.
//! * [`zone`]: time zones by name.
//!
//! Nothing here does input or output or reads a clock.

pub mod document;
pub mod event;
pub mod redact;
pub mod snapshot;
pub mod text;
pub mod zone;
