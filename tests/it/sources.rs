//! Every source against its fixtures: what it reads, and that no damage makes it report
//! operational.
//!
//! `tests/fixtures/<source>/<case>/<NN>-<role>.<ext>` is what one poll fetched in step NN of a
//! case: the first document and the details by role. `broken/` contains documents that the source
//! must reject. A file directly in the folder of a source is a case of one step.

mod browsers;
mod captures;
mod captures_pages;
mod cases;
mod details;
pub(crate) mod fixtures;
pub(crate) mod happened;
mod more_captures;
mod sequences;
mod sweeps;
mod ways;
