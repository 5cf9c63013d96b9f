//! Which providers a repository depends on, by what its files say.
//!
//! [`walk()`] finds the files that may say something and reads them; [`scan`] is pure and turns a path
//! and a text into findings; [`collect`] merges those of all files. Nothing is executed and nothing
//! leaves the machine. Findings name keys of `table.rs`, never text of a file: a secret in a
//! scanned file cannot get into the output.

mod ci;
mod collect;
mod environment;
mod finding;
mod hosts;
mod images;
mod json_keys;
mod packages;
mod platforms;
mod scan;
mod table;
mod terraform;
#[cfg(test)]
mod tests;
mod walk;

pub use collect::{Dependency, Evidence, collect};
pub use finding::{Finding, Kind};
pub use scan::{is_evidence, scan};
pub use walk::{Limits, Scanned, WalkError, walk};
