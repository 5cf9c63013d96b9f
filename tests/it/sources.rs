//! Every source over its fixtures: what they say, and that no damage makes them say "all is well".
//!
//! `tests/fixtures/<source>/<case>/<NN>-<role>.<ext>` is what one poll brought in step NN of a
//! case: the first document and the details by role. `broken/` holds documents that are none of the
//! source's. A file right in the folder of a source is a case of one step.

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
