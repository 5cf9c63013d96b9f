//! The wall clock and the monotonic one, in one place.
