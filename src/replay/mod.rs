//! Playing a recording again: its answers through the present parsers, ledger and filters, at the
//! times of the recording and as fast as it goes.
//!
//! A poll is the one that `run` does ([`crate::poller::cycle`]); only its answers come from the
//! recording (`answers`), and its result goes to a ledger without a clock
//! ([`crate::ledger::ScratchLedger`]). Nothing is asked of a network, and no file is written.
//!
//! An address answers as its last line says. So a later version of a source may ask for other
//! documents, or at other times, than the one that was recorded, and finds what was there. What was
//! never recorded is answered as not found, and named at the end.

mod answers;
mod compare;
mod outcome;
mod play;
mod poll;

pub use compare::{Compared, Difference, compare};
pub use outcome::{Played, Summary};
pub use play::{ReplayError, play};
