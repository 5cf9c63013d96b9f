//! Words that several sections share.

use crate::event::Impact;

/// From which impact on something matters.
pub(super) const MIN_IMPACT: &[(&str, Impact)] = &[
    ("none", Impact::None),
    ("minor", Impact::Minor),
    ("major", Impact::Major),
    ("critical", Impact::Critical),
];

/// From which impact on something is sent at once. Not `none`: nothing would be held back.
pub(super) const URGENT: &[(&str, Impact)] =
    &[("minor", Impact::Minor), ("major", Impact::Major), ("critical", Impact::Critical)];
