//! `top`: a dashboard on a terminal, which reads the state directory next to a running `run`, or asks
//! the HTTP server of one on another machine.
//!
//! Three steps, each replaceable in tests: `facts` reads the ledger, [`Model`] is what is shown of
//! it and how keys change that, [`draw`] draws it. All but `facts`, `watch`, `remote` and `run` are
//! pure.
//! Text of providers passes through [`crate::text::one_line`] or [`crate::text::plain`] before it is
//! drawn, and is cut by the columns it takes.

mod cells;
mod detail;
mod draw;
mod entry;
mod facts;
mod help;
mod input;
mod model;
mod refusal;
mod remote;
mod run;
mod tab;
mod table;
#[cfg(test)]
mod tests;
mod watch;

pub use draw::draw;
pub use facts::Facts;
pub use input::Action;
pub use model::{Effect, Model};
pub use remote::{Remote, Token};
pub use run::{Reading, Source, TopError, run};
pub use tab::Tab;
