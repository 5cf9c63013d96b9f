//! The identity of a feed item.

use sha2::{Digest, Sha256};
use url::Url;

use super::item::Item;
use statuswatch_model::event::format_time;

/// Longest id in bytes; longer ones are replaced by a hash.
const LONGEST: usize = 512;

/// Returns the native id of an item: its own id, else its link, else a hash of title and date.
/// Returns `None` where it has none of these.
pub(super) fn of(item: &Item) -> Option<String> {
    let own = normalized(&item.id);
    if !own.is_empty() {
        return Some(own);
    }
    if let Some(link) = item.link.as_deref().map(normalized).filter(|link| !link.is_empty()) {
        return Some(link);
    }
    let date = item.published.or(item.updated);
    if item.title.is_empty() && date.is_none() {
        return None;
    }
    Some(hashed(&format!("{}\n{}", item.title, date.map(format_time).unwrap_or_default())))
}

/// Returns the hash that replaces a text unusable as an id.
fn hashed(text: &str) -> String {
    let digest = Sha256::digest(text);
    let number =
        digest.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:032x}")
}

/// Returns the canonical form of an id: no white space; for URLs https, host in lower case, single
/// slashes, no trailing slash, no tracking parameters.
pub(super) fn normalized(id: &str) -> String {
    let id: String = id.chars().filter(|c| !c.is_whitespace()).collect();
    let id = statuswatch_model::text::safe(&id);
    if id.len() > LONGEST {
        return hashed(&id);
    }
    let Some(mut url) = Url::parse(&id).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        return id;
    };
    let path: Vec<&str> = url.path().split('/').filter(|part| !part.is_empty()).collect();
    let path = path.join("/");
    url.set_path(&path);
    if let Some(query) = url.query().map(str::to_owned) {
        let kept: Vec<&str> =
            query.split('&').filter(|pair| !pair.starts_with("utm_") && !pair.is_empty()).collect();
        url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
    }
    let text = url.as_str();
    let text = text
        .strip_prefix("http://")
        .map_or_else(|| text.to_owned(), |rest| format!("https://{rest}"));
    text.strip_suffix('/').map(str::to_owned).unwrap_or(text)
}

/// Returns the code in `…/incidents/<code>`, the incident's id in the platform's API.
pub(super) fn code(link: &str) -> Option<&str> {
    let path = link.split(['?', '#']).next()?.trim_end_matches('/');
    let (before, code) = path.rsplit_once('/')?;
    let (_, folder) = before.trim_end_matches('/').rsplit_once('/')?;
    let plain =
        (6..=40).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (matches!(folder, "incidents" | "maintenances") && plain).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_id_are_one() {
        let ids = [
            " https://Status.acme.example//incidents/01ABC/ ",
            "http://status.ACME.example/incidents/01ABC",
            "https://status.acme.example/incidents/01ABC?utm_source=rss",
            "https://status.acme.example:443/incidents/01\nABC",
        ];
        for id in ids {
            assert_eq!(normalized(id), "https://status.acme.example/incidents/01ABC", "{id:?}");
        }
        assert_eq!(
            normalized("https://status.acme.example/#mail-eu_1640218920"),
            "https://status.acme.example/#mail-eu_1640218920"
        );
        assert_eq!(normalized(" tag:x,2005:Incident/1 "), "tag:x,2005:Incident/1");
    }

    #[test]
    fn codes_come_from_incident_links_alone() {
        assert_eq!(code("https://s.example//incidents/01ABCDEF/"), Some("01ABCDEF"));
        assert_eq!(code("https://s.example/maintenances/7pEQuSc083Rv"), Some("7pEQuSc083Rv"));
        assert_eq!(code("https://s.example/posts/7pEQuSc083Rv"), None);
        assert_eq!(code("https://s.example/incidents/"), None);
    }

    #[test]
    fn an_item_without_id_and_link_is_hashed_the_same_each_time() {
        let item = Item { title: "Mail is slow".to_owned(), ..Item::default() };
        assert_eq!(of(&item), of(&item.clone()));
        assert_eq!(of(&Item::default()), None);
        assert_ne!(of(&item), of(&Item { title: "Mail is down".to_owned(), ..Item::default() }));
    }
}
