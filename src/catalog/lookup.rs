//! Finding entries: by slug, by what the user typed, by tier and by category.

use std::cmp::{Ordering, Reverse};

use super::entry::Entry;

/// One line for each provider, sorted by slug; the columns are those of [`Entry`].
static CATALOG: &str = include_str!("catalog.tsv");

/// The entry of `slug`.
#[must_use]
pub fn find(slug: &str) -> Option<Entry<'static>> {
    let bytes = CATALOG.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low.midpoint(high);
        let start = memchr::memrchr(b'\n', bytes.get(low..middle)?).map_or(low, |at| low + at + 1);
        let end = memchr::memchr(b'\n', bytes.get(middle..)?).map_or(bytes.len(), |at| middle + at);
        let line = CATALOG.get(start..end)?;
        match line.split('\t').next()?.cmp(slug) {
            Ordering::Equal => return Entry::from_line(line),
            Ordering::Less => low = end + 1,
            Ordering::Greater => high = start,
        }
    }
    None
}

/// Every entry, by slug.
pub fn entries() -> impl Iterator<Item = Entry<'static>> {
    CATALOG.lines().filter_map(Entry::from_line)
}

/// What `query` may mean, best first: all of a tier or category of that name, then slugs and names
/// that begin with it, that contain it, pages at that address; where there is none of these, slugs
/// and names that resemble it.
#[must_use]
pub fn search(query: &str) -> Vec<Entry<'static>> {
    let query = query.trim().to_lowercase();
    if query.is_empty() {
        return entries().collect();
    }
    let group = group(&query);
    let mut found: Vec<(u8, usize, Entry<'static>)> = entries()
        .filter_map(|entry| {
            let name = entry.name.to_lowercase();
            if group.is_some_and(|group| group.contains(&entry))
                || entry.slug == query
                || name == query
            {
                Some((0, 0, entry))
            } else if entry.slug.starts_with(&query) || name.starts_with(&query) {
                Some((1, 0, entry))
            } else if entry.slug.contains(&query) || name.contains(&query) {
                Some((2, 0, entry))
            } else if query.contains('.') && entry.status_page.contains(&query) {
                Some((3, 0, entry))
            } else {
                None
            }
        })
        .collect();
    if found.is_empty() {
        found = entries()
            .filter_map(|entry| {
                let distance =
                    distance(&query, entry.slug).min(distance(&query, &entry.name.to_lowercase()));
                (distance <= tolerance(&query)).then_some((4, distance, entry))
            })
            .collect();
    }
    found.sort_by_key(|(rank, distance, entry)| {
        (*rank, *distance, entry.tier.unwrap_or(u8::MAX), entry.slug)
    });
    found.into_iter().map(|(_, _, entry)| entry).collect()
}

/// The entry whose page is at `address`, whatever the scheme and a slash at the end.
#[must_use]
pub fn at(address: &url::Url) -> Option<Entry<'static>> {
    entries().find(|entry| place(entry.status_page) == place(address.as_str()))
}

fn place(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest).trim_end_matches('/')
}

/// The slug that was probably meant by `slug`.
#[must_use]
pub fn nearest(slug: &str) -> Option<&'static str> {
    let slug = slug.trim().to_lowercase();
    // "Google Cloud" and "google_cloud" are written by people who know the name and not the slug.
    let dashed = slug.replace([' ', '_', '.'], "-");
    if let Some(entry) =
        find(&dashed).or_else(|| entries().find(|entry| entry.name.to_lowercase() == slug))
    {
        return Some(entry.slug);
    }
    let close = entries()
        .map(|entry| (distance(&slug, entry.slug), entry.tier.unwrap_or(u8::MAX), entry.slug))
        .min()
        .filter(|(distance, ..)| *distance <= tolerance(&slug))
        .map(|(.., slug)| slug);
    close.or_else(|| {
        // "github-actions" means GitHub: the longest slug it begins with.
        entries()
            .map(|entry| entry.slug)
            .filter(|known| dashed.strip_prefix(known).is_some_and(|rest| rest.starts_with('-')))
            .max_by_key(|known| known.len())
    })
}

/// Some providers at once, as `catalog:` names them in `providers.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// `tier1`.
    Tier(u8),
    /// `ai`, `cloud`, ...
    Category(&'static str),
}

impl Group {
    /// Whether `entry` belongs to it.
    #[must_use]
    pub fn contains(self, entry: &Entry<'_>) -> bool {
        match self {
            Self::Tier(tier) => entry.tier == Some(tier),
            Self::Category(category) => entry.category == category,
        }
    }
}

/// The group called `name`.
#[must_use]
pub fn group(name: &str) -> Option<Group> {
    if let Some(tier) = name.strip_prefix("tier").and_then(|tier| tier.parse().ok()) {
        return tiers().contains(&tier).then_some(Group::Tier(tier));
    }
    categories()
        .into_iter()
        .find(|(category, _)| *category == name)
        .map(|(category, _)| Group::Category(category))
}

/// The categories with the number of their entries, the largest first.
#[must_use]
pub fn categories() -> Vec<(&'static str, usize)> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for entry in entries() {
        match counts.iter_mut().find(|(category, _)| *category == entry.category) {
            Some((_, count)) => *count += 1,
            None => counts.push((entry.category, 1)),
        }
    }
    counts.sort_by_key(|(category, count)| (Reverse(*count), *category));
    counts
}

/// The tiers there are.
#[must_use]
pub fn tiers() -> Vec<u8> {
    let mut tiers: Vec<u8> = entries().filter_map(|entry| entry.tier).collect();
    tiers.sort_unstable();
    tiers.dedup();
    tiers
}

fn distance(a: &str, b: &str) -> usize {
    // Longer texts are no slips of the finger, and the cost of a comparison grows with both.
    if a.len() > 64 || a.len().abs_diff(b.len()) > 8 {
        return usize::MAX;
    }
    strsim::damerau_levenshtein(a, b)
}

fn tolerance(word: &str) -> usize {
    match word.chars().count() {
        0..=3 => 1,
        4..=8 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_and_whole() {
        let mut before = "";
        let mut count = 0;
        for line in CATALOG.lines() {
            let entry = Entry::from_line(line).unwrap();
            assert_eq!(line.split('\t').count(), 13, "{line}");
            let codes = entry.by.split(',').filter(|code| !code.is_empty()).count();
            assert_eq!(entry.witnesses().count(), codes, "nobody knows a witness: {line}");
            assert!(entry.confirmed.is_none_or(is_day_or_month), "{line}");
            assert!(entry.confirmed.is_none() || codes > 0, "confirmed by nobody: {line}");
            assert!(before < entry.slug, "{before} before {}", entry.slug);
            assert_eq!(find(entry.slug), Some(entry));
            for address in
                [Some(entry.status_page), Some(entry.source), entry.feed].into_iter().flatten()
            {
                let url = url::Url::parse(address).unwrap();
                assert!(url.scheme() == "https" && url.username().is_empty(), "{line}");
            }
            before = entry.slug;
            count += 1;
        }
        assert!(count > 1500);
        assert_eq!(entries().count(), count);
    }

    fn is_day_or_month(text: &str) -> bool {
        let digits: Vec<usize> =
            text.split('-').map(|part| part.bytes().filter(u8::is_ascii_digit).count()).collect();
        (text.len() == 10 && digits == [4, 2, 2]) || (text.len() == 7 && digits == [4, 2])
    }

    #[test]
    fn what_has_moved_is_where_it_moved_to() {
        for (slug, platform, source) in [
            ("fireworks-ai", "incidentio", "https://status.fireworks.ai/api/v2/summary.json"),
            ("langsmith", "incidentioglobal", "https://global.status.smith.langchain.com/gcp-us"),
            ("mistral", "rootly", "https://status.mistral.ai/api/v1/status.json"),
            ("openrouter", "datadog", "https://status.openrouter.ai/config.json"),
            ("perplexity", "incidentio", "https://status.perplexity.com/api/v2/summary.json"),
            ("planetscale", "incidentio", "https://www.planetscalestatus.com/api/v2/summary.json"),
            ("replicate", "cloudflare", "https://www.cloudflarestatus.com/api/v3/summary"),
        ] {
            let entry = find(slug).unwrap();
            assert_eq!((entry.platform, entry.source), (platform, source), "{slug}");
            assert!(entry.is_readable() && entry.confirmed.is_some(), "{slug}");
        }
        assert_eq!(find("replicate").unwrap().component, Some("Replicate"));
        assert!(
            find("mistral")
                .unwrap()
                .doubt()
                .unwrap()
                .ends_with("browser challenge stands before the page")
        );
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for slug in ["", "0", "zzzz", "githu", "githubb", "a\tb", "\n", "GitHub"] {
            assert_eq!(find(slug), None, "{slug:?}");
        }
    }

    #[test]
    fn slips_find_their_slug() {
        for (typed, meant) in [
            ("gihtub", "github"),
            ("opena", "openai"),
            ("Google Cloud", "google-cloud"),
            ("github-actions", "github"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(nearest("qqqqqqqqqqqqqq"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }

    #[test]
    fn search_prefers_beginnings_and_falls_back_to_likeness() {
        assert_eq!(search("github").first().map(|entry| entry.slug), Some("github"));
        assert_eq!(search("GITHUB").first().map(|entry| entry.slug), Some("github"));
        assert!(search("cloud").len() > 10);
        assert_eq!(search("clodflare").first().map(|entry| entry.slug), Some("cloudflare"));
        assert!(search("qqqqqqqq").is_empty());
    }

    #[test]
    fn groups_and_addresses_are_found() {
        let slugs = |query: &str| search(query).iter().map(|entry| entry.slug).collect::<Vec<_>>();
        let first =
            |query: &str, count: usize| slugs(query).into_iter().take(count).collect::<Vec<_>>();
        let tier1: Vec<&str> =
            entries().filter(|entry| entry.tier == Some(1)).map(|entry| entry.slug).collect();
        assert_eq!(slugs("tier1"), tier1);
        let ai = entries().filter(|entry| entry.category == "ai").count();
        assert!(
            first("AI", ai).contains(&"openai") && slugs("ai").len() > ai,
            "the category, then what is called so"
        );
        assert_eq!(slugs("githubstatus.com"), ["github"]);
        let at = |address: &str| at(&url::Url::parse(address).unwrap()).map(|entry| entry.slug);
        assert_eq!(at("http://www.githubstatus.com/"), Some("github"));
        assert_eq!(
            at("https://www.githubstatus.com/history.atom"),
            None,
            "whoever wants the feed gets it"
        );
    }

    #[test]
    fn groups_have_members() {
        assert_eq!(group("tier1"), Some(Group::Tier(1)));
        assert_eq!(group("tier9"), None);
        assert_eq!(group("nonsense"), None);
        for (category, count) in categories() {
            let group = group(category).unwrap();
            assert_eq!(entries().filter(|entry| group.contains(entry)).count(), count);
        }
    }
}
