//! The requests of a poll.

use url::Url;

use super::host_load;
use crate::config::Provider;
use crate::fetch::{Request, Validators};

/// Follow-up requests of a poll use the host's pace divided by this.
const FOLLOWING: u32 = 5;

/// Returns a request of a provider's poll, at the pace of its host.
pub(super) fn request<'a>(
    provider: &'a Provider,
    url: &'a Url,
    accept: &'a str,
    validators: Option<&'a Validators>,
) -> Request<'a> {
    let settings = &provider.settings;
    Request {
        url,
        provider: Some(&provider.id),
        accept,
        validators,
        timeout: settings.timeout,
        connect_timeout: settings.connect_timeout,
        pace: host_load::pace(settings, url),
        max_wait: settings.max_wait,
        max_body: settings.max_body,
        allow_private: settings.allow_private_addresses,
        // Addresses derived from a configured one stay on its host and port.
        written: provider.url_written
            && url.host() == provider.url.host()
            && url.port_or_known_default() == provider.url.port_or_known_default(),
    }
}

/// Turns a request into a follow-up to the first response of a poll: it uses a shorter pace,
/// because changes should be reported without delay.
pub(super) fn following(mut request: Request<'_>) -> Request<'_> {
    request.pace /= FOLLOWING;
    request
}
