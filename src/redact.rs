//! Addresses without their secrets.

/// x
#[must_use]
pub fn redact(url: &url::Url) -> String {
    url.to_string()
}
