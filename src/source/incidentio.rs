//! incident.io.
