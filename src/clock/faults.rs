//! Clock errors for tests: a file that sets the wall clock wrong while the program runs.
//!
//! Compiled only with the feature `fault-injection`, and without effect until [`read_offset_from`]
//! is called, which the program never does.

use std::path::PathBuf;
use std::sync::OnceLock;

use chrono::TimeDelta;

use crate::event::Time;

static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Adds the offset in `file`, in whole seconds, to every later reading of the wall clock. The file
/// is read each time; one that is missing or holds no number means no offset. Only the first call
/// has an effect.
pub fn read_offset_from(file: PathBuf) {
    FILE.get_or_init(|| file);
}

/// Returns whether a file is read.
pub(super) fn is_read() -> bool {
    FILE.get().is_some()
}

/// Returns `time` with the present offset.
pub(super) fn shifted(time: Time) -> Time {
    offset().and_then(|offset| time.checked_add_signed(offset)).unwrap_or(time)
}

fn offset() -> Option<TimeDelta> {
    let text = std::fs::read_to_string(FILE.get()?).ok()?;
    TimeDelta::try_seconds(text.trim().parse().ok()?)
}
