//! What the tests share.

pub(crate) mod bench;
pub(crate) mod binary;
pub(crate) mod postgres;
pub(crate) mod provider;
pub(crate) mod receiver;
pub(crate) mod receivers;
pub(crate) mod recording;
pub(crate) mod strace;
pub(crate) mod terminal;
pub(crate) mod wait;
