//! The events as Atom, RFC 4287. Pure.

use std::fmt::Write as _;

use super::{Entry, headline};
use crate::event::format_time;
use crate::view::link;

/// Writes the feed; `entries` are the newest first.
pub(super) fn render(page_id: &str, entries: &[Entry]) -> String {
    // RFC 4287 wants a time even of a feed without entries; the epoch keeps the bytes the same.
    let newest = entries.first().and_then(Entry::ends);
    let updated = newest.map_or_else(
        || "1970-01-01T00:00:00Z".to_owned(),
        |(event, _)| format_time(event.observed_at),
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <title>statuswatch</title>\n<id>urn:statuswatch:{page_id}</id>\n<updated>{updated}</updated>\n\
         <generator version=\"{}\">statuswatch</generator>\n",
        env!("CARGO_PKG_VERSION")
    );
    for one in entries {
        entry(&mut xml, one);
    }
    xml.push_str("</feed>\n");
    xml
}

fn entry(xml: &mut String, entry: &Entry) {
    let Some((event, first)) = entry.ends() else { return };
    // Writing to a string cannot fail.
    let _infallible = write!(
        xml,
        "<entry>\n<id>urn:statuswatch:{}</id>\n<title>{}</title>\n<updated>{}</updated>\n<published>{}</published>\n\
         <author><name>{}</name></author>\n<category term=\"{}\"/>\n<category term=\"{}\"/>\n",
        escaped(&entry.id),
        escaped(&headline(event)),
        format_time(event.observed_at),
        format_time(first.published_at),
        escaped(&event.provider_name),
        event.kind.as_str(),
        event.impact.as_str(),
    );
    if let Some(url) = link(event.url.as_deref()) {
        let _infallible = writeln!(xml, "<link rel=\"alternate\" href=\"{}\"/>", escaped(url));
    }
    let _infallible =
        writeln!(xml, "<content type=\"text\">{}</content>\n</entry>", escaped(&entry.text()));
}

/// Text for XML 1.0: without the characters that no document may hold, even escaped (2.2).
pub(in crate::server) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_provider_writes_the_feed_is_xml(title in any::<String>(), message in any::<String>()) {
            let event = super::super::tests::event(&title, &message);
            let xml = render("abc", &[super::super::tests::entry(event)]);
            let feed = feed_rs::parser::parse(xml.as_bytes()).unwrap();
            prop_assert_eq!(feed.entries.len(), 1);
            prop_assert_eq!(feed.entries[0].id.as_str(), "urn:statuswatch:0123");
        }
    }

    #[test]
    fn markup_and_control_characters_are_text() {
        assert_eq!(escaped("<b>&\"'\u{1b}[31m\u{0}\u{ffff}\n"), "&lt;b&gt;&amp;&quot;&#39;[31m\n");
    }
}
