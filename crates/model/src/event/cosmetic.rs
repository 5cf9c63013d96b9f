//! Removes parts of a text that change without an edit, before texts are compared: relative times,
//! and tracking parameters in URLs.

/// Tracking parameters: they do not affect the content.
const TRACKING: &[&str] = &[
    "fbclid", "gclid", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "igshid", "mc_cid",
    "mc_eid", "_hsenc", "_hsmi", "mkt_tok",
];

/// Characters that can follow a URL in a sentence without being part of it.
const AFTER: &[char] = &['.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\''];

/// Units before "ago", in the singular.
const UNITS: &[&str] =
    &["second", "sec", "minute", "min", "hour", "hr", "day", "week", "month", "year"];

/// Returns the words of a text without relative times: "5 minutes ago" becomes "ago".
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut words = text.split_whitespace();
    std::iter::from_fn(move || {
        let word = words.next()?;
        if !is_count(word) {
            return Some(word);
        }
        let mut ahead = words.clone();
        match (ahead.next(), ahead.next()) {
            (Some(unit), Some(ago)) if is_unit(unit) && is_ago(ago) => {
                words = ahead;
                Some(ago)
            }
            _ => Some(word),
        }
    })
}

fn is_count(word: &str) -> bool {
    (1..=4).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
        || ["a", "an", "one"].iter().any(|count| word.eq_ignore_ascii_case(count))
}

fn is_unit(word: &str) -> bool {
    let singular = word.strip_suffix(['s', 'S']).unwrap_or(word);
    UNITS.iter().any(|unit| singular.eq_ignore_ascii_case(unit))
}

fn is_ago(word: &str) -> bool {
    word.trim_end_matches(AFTER).eq_ignore_ascii_case("ago")
}

/// Removes tracking parameters from the URL in a word; `None` if there are none.
pub(super) fn untracked(word: &str) -> Option<String> {
    let (_, rest) = word.split_once("://")?;
    rest.contains('?').then_some(())?;
    let address = word.trim_end_matches(AFTER);
    let after = word.get(address.len()..)?;
    let (address, fragment) = address.find('#').map_or((address, ""), |at| address.split_at(at));
    let (path, query) = address.split_once('?')?;
    let kept: Vec<&str> = query.split('&').filter(|parameter| !is_tracking(parameter)).collect();
    let kept = kept.join("&");
    if kept.len() == query.len() {
        return None;
    }
    let mark = if kept.is_empty() { "" } else { "?" };
    Some(format!("{path}{mark}{kept}{fragment}{after}"))
}

fn is_tracking(parameter: &str) -> bool {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    let utm = name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("utm_"));
    utm || TRACKING.iter().any(|tracking| name.eq_ignore_ascii_case(tracking))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_are_left_out_and_others_stay() {
        let written = |text: &str| words(text).collect::<Vec<_>>().join(" ");
        for (text, expected) in [
            ("Began 5 minutes ago.", "Began ago."),
            ("Began an  hour ago, we think", "Began ago, we think"),
            ("Updated 12 SECS ago (UTC)", "Updated ago (UTC)"),
            ("5 minutes from now", "5 minutes from now"),
            ("20 requests ago", "20 requests ago"),
            ("In 2026 days ago is no word", "In ago is no word"),
            ("12345 minutes ago", "12345 minutes ago"),
            ("a day", "a day"),
            ("5 minutes", "5 minutes"),
            ("5 5 minutes ago 1 hour ago", "5 ago ago"),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn tracking_is_left_out_of_addresses_and_nothing_else() {
        for (word, expected) in [
            ("https://acme.example/a?utm_source=feed", Some("https://acme.example/a")),
            (
                "(https://acme.example/a?id=7&utm_medium=rss&fbclid=x#top).",
                Some("(https://acme.example/a?id=7#top)."),
            ),
            ("https://acme.example/a?UTM_x=1&b=", Some("https://acme.example/a?b=")),
            ("https://acme.example/a?id=7", None),
            ("https://acme.example/utm_source=feed", None),
            ("https://acme.example/#?utm_source=feed", None),
            ("what?utm_source=feed", None),
            ("https://acme.example/?", None),
            ("https://acme.example/?\u{fc}tm_=1", None),
        ] {
            assert_eq!(untracked(word).as_deref(), expected, "{word}");
        }
    }
}
