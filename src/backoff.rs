//! Growing delays with jitter.
