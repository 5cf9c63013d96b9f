//! A small universe of fake providers on loopback.
