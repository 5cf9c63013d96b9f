//! The providers known by name.
