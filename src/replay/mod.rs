//! Replays a recording: passes its responses through the current parsers, ledger and filters, at
//! the times of the recording and as fast as possible.
//!
//! A poll is the same as in `run` ([`crate::poller::cycle`]), but its responses come from the
//! recording (`answers`) and its result goes to a ledger without a clock
//! ([`crate::ledger::ScratchLedger`]). No request is sent and no file is written.
//!
//! An address answers as its last line says. So a later version of a source may request other
//! documents, or at other times, than the recorded one, and still find them. Anything that was
//! never recorded is answered with "not found" and listed at the end.

mod answers;
mod compare;
mod outcome;
mod play;
mod poll;

pub use compare::{Compared, Difference, compare};
pub use outcome::{Played, Summary};
pub use play::{ReplayError, play};
