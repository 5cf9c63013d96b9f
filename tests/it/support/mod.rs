//! What the tests share.

pub(crate) mod bench;
pub(crate) mod provider;
