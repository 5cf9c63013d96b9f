//! HTML character references.

use std::borrow::Cow;

/// Decodes `&amp;`, `&nbsp;`, `&#39;`, `&#x2019;` and the like once: `&amp;lt;` becomes `&lt;`.
/// Unknown references are left unchanged.
#[must_use]
pub fn decode_entities(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    html_escape::decode_html_entities(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_only_what_is_known() {
        for (from, to) in [
            ("plain", "plain"),
            ("Tom &amp; Jerry", "Tom & Jerry"),
            ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
            ("&#39;x&#x2019;", "'x’"),
            ("a &nope; b & c &", "a &nope; b & c &"),
            ("&nbsp;&copy;", "\u{a0}©"),
        ] {
            assert_eq!(decode_entities(from), to, "{from}");
        }
    }

    #[test]
    fn a_megabyte_of_ampersands_stays_what_it_is() {
        let text = "&".repeat(1 << 20);
        assert_eq!(decode_entities(&text).len(), text.len());
    }
}
