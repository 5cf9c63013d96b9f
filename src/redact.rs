//! Addresses without their secrets.
