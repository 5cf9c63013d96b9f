//! What `-V` and `--version` say.

/// `0.1.0`, for `-V`.
#[must_use]
pub const fn short() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// For `--version`: what a report of a fault should name.
#[must_use]
pub fn long() -> String {
    format!(
        "{}\nSQLite {} (built in)\nplatform {}-{}",
        short(),
        crate::ledger::sqlite_version(),
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}
