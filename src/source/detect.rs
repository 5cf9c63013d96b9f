//! Recognition: which platform is behind an address.
