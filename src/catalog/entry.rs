//! One line of the catalog, and what is to be fetched for it.

use serde::{Serialize, Serializer};

use super::witness;
use crate::source;

/// How the platforms are called as sources, where the words differ.
const PLATFORM_SOURCES: &[(&str, &str)] = &[("gcp", "google"), ("uptime-kuma", "uptimekuma")];

/// APIs whose address says by itself which source reads them, where the catalog knows no
/// platform.
const API_SOURCES: &[(&str, &str)] = &[("https://api.onlineornot.com/", "onlineornot")];

/// A provider known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Entry<'a> {
    /// Its id.
    pub slug: &'a str,
    /// For people.
    pub name: &'a str,
    /// What it is for: `ai`, `cloud`, `payments`, ...
    pub category: &'a str,
    /// 1: among the most depended on; `None`: not ranked.
    pub tier: Option<u8>,
    /// The page people open.
    pub status_page: &'a str,
    /// The platform the page is made with.
    pub platform: &'a str,
    /// The address of the platform's own document.
    #[serde(rename = "document")]
    pub source: &'a str,
    /// The address of its feed, where it has one.
    pub feed: Option<&'a str>,
    /// How sure the entry is.
    pub confidence: Confidence,
    /// The day or month on which the address was last seen to answer as this platform's.
    pub confirmed: Option<&'a str>,
    /// Who says so, as [`Entry::witnesses`] spells it out.
    #[serde(rename = "confirmed_by", serialize_with = "repositories")]
    pub by: &'a str,
    /// The one component of the page that is the provider's, where the page is another's.
    pub component: Option<&'a str>,
    /// Why it may not be readable, where that is known.
    pub note: Option<&'a str>,
}

/// How sure an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Several witnesses, or the platform's own marks.
    High,
    /// One witness.
    Medium,
    /// A guess.
    Low,
}

/// What is fetched for an entry, and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The address.
    pub url: &'a str,
    /// The source that reads it; `None`: it has to be recognised.
    pub source: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// Reads one line of the catalog.
    pub(super) fn from_line(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        let some = |text: &'a str| (!text.is_empty()).then_some(text);
        Some(Self {
            slug: next()?,
            name: next()?,
            category: next()?,
            tier: next()?.parse().ok(),
            status_page: next()?,
            platform: next()?,
            source: next()?,
            feed: some(next()?),
            confidence: match next()? {
                "high" => Confidence::High,
                "medium" => Confidence::Medium,
                _ => Confidence::Low,
            },
            confirmed: some(next()?),
            by: next()?,
            component: some(next()?),
            note: some(next()?),
        })
    }

    /// What to fetch, when only the sources for which `known_source` is true can be read: the
    /// platform's own document, else the feed, else the page itself, to be recognised.
    #[must_use]
    pub fn target(&self, known_source: &dyn Fn(&str) -> bool) -> Target<'a> {
        let by_platform = PLATFORM_SOURCES.iter().find(|(platform, _)| *platform == self.platform);
        let by_address = API_SOURCES.iter().find(|(api, _)| self.source.starts_with(api));
        let own = by_platform.or(by_address).map_or(self.platform, |(_, name)| name);
        if known_source(own) {
            return Target { url: self.source, source: Some(own) };
        }
        match self.feed.filter(|feed| looks_like_feed(feed)) {
            Some(feed) if known_source("feed") => Target { url: feed, source: Some("feed") },
            _ => Target { url: self.status_page, source: None },
        }
    }

    /// Whether the page may be another one than it says.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.confidence != Confidence::High
    }

    /// The repositories its address was found in.
    pub fn witnesses(&self) -> impl Iterator<Item = &'static str> + use<'a> {
        self.by.split(',').filter_map(witness::repository)
    }

    /// Why the page may be another one than it says, for a person: `unconfirmed address (1
    /// source)`.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        if !self.is_doubtful() {
            return None;
        }
        let sources = match self.witnesses().count() {
            0 => "a guess".to_owned(),
            1 => "1 source".to_owned(),
            more => format!("{more} sources"),
        };
        let note = self.note.map(|note| format!(", {note}")).unwrap_or_default();
        Some(format!("unconfirmed address ({sources}){note}"))
    }

    /// Whether a source exists that reads it.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.target(&|name| source::by_name(name).is_some()).source.is_some()
    }
}

fn repositories<S: Serializer>(by: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    by.split(',').filter_map(witness::repository).collect::<Vec<_>>().serialize(serializer)
}

fn looks_like_feed(address: &str) -> bool {
    let address = address.to_ascii_lowercase();
    address.starts_with("http")
        && ["rss", "atom", "feed", ".xml"].iter().any(|mark| address.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "acme\tAcme\tcloud\t1\thttps://s.example\tacmepages\thttps://s.example/a.json\thttps://s.example/history.rss\thigh\t2026-09-07\tstts,vsw\t\t";

    #[test]
    fn a_platform_without_a_source_of_its_own_is_read_by_its_feed() {
        let entry = Entry::from_line(LINE).unwrap();
        assert_eq!(
            entry.target(&|name| name == "feed"),
            Target { url: "https://s.example/history.rss", source: Some("feed") }
        );
        assert_eq!(entry.target(&|name| name == "acmepages").url, "https://s.example/a.json");
        assert_eq!(entry.target(&|_| false), Target { url: "https://s.example", source: None });
    }

    #[test]
    fn platform_words_become_source_names() {
        let line = LINE.replace("acmepages", "gcp");
        let entry = Entry::from_line(&line).unwrap();
        assert_eq!(entry.target(&|name| name == "google" || name == "feed").source, Some("google"));
        assert_eq!(entry.target(&|name| name == "feed").source, Some("feed"));
    }

    #[test]
    fn the_address_of_an_api_may_say_what_the_platform_does_not() {
        let address = "https://api.onlineornot.com/v1/status_pages/s.example/summary";
        let line = LINE.replace("acmepages", "other").replace("https://s.example/a.json", address);
        let entry = Entry::from_line(&line).unwrap();
        assert_eq!(
            entry.target(&|name| name == "onlineornot"),
            Target { url: address, source: Some("onlineornot") }
        );
    }

    #[test]
    fn a_doubtful_entry_says_how_many_know_it_and_what_stands_in_the_way() {
        let doubt = |line: &str| Entry::from_line(line).unwrap().doubt();
        assert_eq!(doubt(LINE), None);
        let line = LINE.replace("\thigh\t2026-09-07", "\tmedium\t");
        assert_eq!(doubt(&line).unwrap(), "unconfirmed address (2 sources)");
        let line = line.replace("stts,vsw\t\t", "stts\t\ta wall stands before it");
        assert_eq!(
            doubt(&line).unwrap(),
            "unconfirmed address (1 source), a wall stands before it"
        );
        assert_eq!(
            doubt(&line.replace("stts", "")).unwrap().get(..29),
            Some("unconfirmed address (a guess)")
        );
    }

    #[test]
    fn what_is_no_feed_is_not_taken_for_one() {
        let line = LINE.replace("history.rss", "help.html");
        let entry = Entry::from_line(&line).unwrap();
        assert_eq!(entry.target(&|name| name == "feed").source, None);
    }
}
