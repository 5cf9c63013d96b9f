//! The list of keys.

/// Keys and what they do.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("1 to 5", "show a list"),
    ("Tab ] / [", "show the next list, the one before"),
    ("j k", "go down, up"),
    ("g G", "go to the first, last line"),
    ("Space", "go down one page; also Page Down, Page Up"),
    ("Enter", "show the details of the selected line"),
    ("Esc", "go back; in a list: clear the filter"),
    ("/", "filter the list; /!text leaves out what matches"),
    ("R", "read and draw again"),
    ("q :q", "quit"),
    ("?", "show or hide this help"),
];

/// What the signs mean.
pub(super) const SIGNS: &[(&str, &str)] = &[
    ("●", "major or critical"),
    ("◐", "minor"),
    ("◆", "maintenance"),
    ("○", "no impact"),
    ("?", "unknown: stale, unreachable, or not stated"),
    ("✓ …", "the channel has accepted a message; it waits to be sent"),
];
