//! URLs without secrets, safe for messages, logs and tables.
//!
//! User info, query values and the fragment are removed. The result has no control characters and a
//! bounded length.

use std::fmt::Write as _;

use url::Url;

/// Maximum length of a redacted URL, in characters.
const LONGEST: usize = 200;

/// Redacts a URL: `https://status.example/api?page=…`.
#[must_use]
pub fn redact(url: &Url) -> String {
    let mut text = String::with_capacity(64);
    text.push_str(url.scheme());
    text.push(':');
    if url.cannot_be_a_base() {
        // The rest of `data:` and similar URLs is content, not an address.
        text.push('…');
        return text;
    }
    text.push_str("//");
    text.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        // Writing to a String cannot fail.
        write!(text, ":{port}").ok();
    }
    text.push_str(url.path());
    if let Some(query) = url.query() {
        for (position, pair) in query.split('&').enumerate() {
            text.push(if position == 0 { '?' } else { '&' });
            if let Some((key, _)) = pair.split_once('=') {
                text.push_str(key);
                text.push('=');
            }
            text.push('…');
            if text.len() > 4 * LONGEST {
                break;
            }
        }
    }
    bounded(&text)
}

/// Removes control characters and truncates long text.
fn bounded(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(url: &str) -> String {
        redact(&Url::parse(url).unwrap())
    }

    #[test]
    fn secrets_go_and_the_address_stays() {
        assert_eq!(
            shown("https://u:p4ss@h.example:8443/a/b?token=s3cret&x=1#frag"),
            "https://h.example:8443/a/b?token=…&x=…"
        );
        assert_eq!(shown("https://h.example/?s3cret"), "https://h.example/?…");
        assert_eq!(shown("https://h.example/feed"), "https://h.example/feed");
        assert_eq!(shown("data:text/plain,s3cret"), "data:…");
        assert_eq!(shown("http://[::1]:80/"), "http://[::1]/");
    }

    #[test]
    fn long_addresses_are_cut() {
        let long = shown(&format!("https://h.example/{}?a=b", "x".repeat(5000)));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }

    proptest! {
        #[test]
        fn nothing_secret_and_nothing_harmful(user in "[A-Z]{8}", value in "[A-Z]{8}", path in "\\PC{0,40}", key in ".{0,40}") {
            let mut url = Url::parse("https://h.example/").unwrap();
            url.set_path(&path.to_lowercase());
            url.set_username(&user).unwrap();
            url.query_pairs_mut().append_pair(&key.to_lowercase(), &value);
            let shown = redact(&url);
            prop_assert!(!shown.contains(&user) && !shown.contains(&value));
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(shown.chars().count() <= LONGEST + 1);
        }
    }
}
