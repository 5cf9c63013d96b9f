//! How a recording names an address: without its secrets, but still distinct from others.

use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::redact::redact;

/// Addresses without a query and up to this length are shown in full.
const SHOWN_WHOLE: usize = 150;

/// Returns the name of `url` among the addresses requested for a provider whose own address is
/// `page`.
///
/// [`redact`] removes the values of the query. Two addresses that differ only there, such as the
/// pages of a list, are distinguished by 12 bits of a hash after `#`: enough for that purpose, and
/// too few to recover a value. The query of `page` itself was written by the user and is not part
/// of the hash.
#[must_use]
pub fn label(url: &Url, page: &Url) -> String {
    let shown = redact(url);
    let own: Vec<&str> = page.query().into_iter().flat_map(|query| query.split('&')).collect();
    let derived: Vec<&str> = url
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(|pair| !own.contains(pair))
        .collect();
    if derived.is_empty() && url.path().len() <= SHOWN_WHOLE {
        return shown;
    }
    let hash = xxh3_64(format!("{}?{}", url.path(), derived.join("&")).as_bytes());
    format!("{shown}#{:03x}", hash & 0xfff)
}

/// Returns the name of an address as it appears in a line; in lines written by hand it may be an
/// ordinary URL.
#[must_use]
pub fn written(text: &str, page: &Url) -> String {
    match Url::parse(text) {
        Ok(url) if !text.contains('…') && url.fragment().is_none() => label(&url, page),
        _ => text.to_owned(),
    }
}

/// Returns what must not appear in a recording: the values in the query of a provider's address,
/// raw and decoded. Values shorter than 6 bytes are not treated as secrets, as they occur by
/// chance.
#[must_use]
pub(super) fn secrets(page: &Url) -> Vec<Vec<u8>> {
    const SHORTEST: usize = 6;
    let raw = page
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value).as_bytes().to_vec());
    let decoded = page.query_pairs().map(|(_, value)| value.as_bytes().to_vec());
    let login = [page.username(), page.password().unwrap_or_default()];
    let login = login.into_iter().map(|text| text.as_bytes().to_vec());
    let mut all: Vec<Vec<u8>> =
        raw.chain(decoded).chain(login).filter(|value| value.len() >= SHORTEST).collect();
    all.sort();
    all.dedup();
    all
}

/// Returns `body` with each secret replaced by as many `x`; `None` if it contains none.
#[must_use]
pub(super) fn without(secrets: &[Vec<u8>], body: &[u8]) -> Option<Vec<u8>> {
    let mut clean: Option<Vec<u8>> = None;
    for secret in secrets {
        let places: Vec<usize> =
            memchr::memmem::find_iter(clean.as_deref().unwrap_or(body), secret).collect();
        if places.is_empty() {
            continue;
        }
        let text = clean.get_or_insert_with(|| body.to_vec());
        for place in places {
            if let Some(found) = text.get_mut(place..place + secret.len()) {
                found.fill(b'x');
            }
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn pages_of_a_list_have_names_of_their_own() {
        let page = url("https://status.acme.example/api?token=s3cr3t-value");
        assert_eq!(label(&page, &page), "https://status.acme.example/api?token=…");
        let second =
            label(&url("https://status.acme.example/api?token=s3cr3t-value&page=2"), &page);
        let third = label(&url("https://status.acme.example/api?token=s3cr3t-value&page=3"), &page);
        assert!(second.starts_with("https://status.acme.example/api?token=…&page=…#"), "{second}");
        assert_ne!(second, third);
        // The configuration of a recording contains no secrets and yields the same names.
        let known = url("https://status.acme.example/api?token=…");
        assert_eq!(label(&known, &known), label(&page, &page));
        assert_eq!(label(&url("https://status.acme.example/api?token=…&page=2"), &known), second);
    }

    #[test]
    fn a_line_may_hold_an_ordinary_address() {
        let page = url("https://status.acme.example/");
        let list = "https://status.acme.example/list?page=2";
        assert_eq!(written(list, &page), label(&url(list), &page));
        assert_eq!(written(&label(&url(list), &page), &page), label(&url(list), &page));
        assert_eq!(
            written("https://status.acme.example/feed", &page),
            "https://status.acme.example/feed"
        );
    }

    #[test]
    fn a_body_that_repeats_the_address_does_not_repeat_its_secret() {
        let page = url("https://status.acme.example/feed?token=s3cr3t%20value&id=7");
        let secrets = secrets(&page);
        let body = b"<link href='?token=s3cr3t%20value'/> s3cr3t value 7";
        let clean = without(&secrets, body).unwrap();
        assert_eq!(clean.len(), body.len());
        assert!(memchr::memmem::find(&clean, b"s3cr3t").is_none());
        assert!(clean.ends_with(b" 7"), "a short value is no secret");
        assert_eq!(without(&secrets, b"nothing of the kind"), None);
    }

    proptest! {
        #[test]
        fn no_name_holds_a_value(value in "[A-Z]{8}", other in "[A-Z]{8}") {
            let page = url(&format!("https://h.example/a?token={value}"));
            for asked in [page.clone(), url(&format!("https://h.example/b?token={value}&x={other}"))] {
                let name = label(&asked, &page);
                prop_assert!(!name.contains(&value) && !name.contains(&other));
            }
        }
    }
}
