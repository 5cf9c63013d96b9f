//! Pages that consist of a feed only: Atom, RSS and JSON Feed, with one growing entry per incident.

use chrono::SecondsFormat;
use html_escape::encode_text;
use serde_json::{Value, json};

use crate::state::{Incident, State};
use statuswatch_model::event::Time;

use super::html::push;
use super::{Document, Documents, html, ids};

/// Entries of a feed.
const WINDOW: usize = 25;

/// Returns a page with an Atom feed.
pub(super) fn atom_alone(state: &State) -> Documents {
    alone(state, "application/atom+xml", "history.atom", atom(state))
}

/// Returns a page with an RSS feed.
pub(super) fn rss_alone(state: &State) -> Documents {
    alone(state, "application/rss+xml", "history.rss", rss(state))
}

/// Returns a page with a JSON Feed.
pub(super) fn json_alone(state: &State) -> Documents {
    alone(state, "application/feed+json", "feed.json", json_feed(state))
}

fn alone(state: &State, media: &str, path: &str, feed: Document) -> Documents {
    Documents::from([
        (String::new(), html::page(state, "", &[(media, path)])),
        (path.to_owned(), feed),
    ])
}

/// Returns the history as Atom.
pub(super) fn atom(state: &State) -> Document {
    atom_with(state, |incident| link(state, incident))
}

/// Returns the history as Atom with other links.
pub(super) fn atom_with(state: &State, link: impl Fn(&Incident) -> String) -> Document {
    let home = html::home(state);
    let host = home.trim_start_matches("https://");
    let name = encode_text(&state.name);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xml:lang=\"en-US\" xmlns=\"http://www.w3.org/2005/Atom\">\n  \
         <id>tag:{host},2005:/history</id>\n  <link rel=\"alternate\" type=\"text/html\" href=\"{home}\"/>\n  \
         <link rel=\"self\" type=\"application/atom+xml\" href=\"{home}/history.atom\"/>\n  \
         <title>{name} Status - Incident History</title>\n  <updated>{}</updated>\n  <author>\n    <name>{name}</name>\n  </author>\n",
        seconds(state.version)
    );
    for incident in newest(state) {
        push(
            &mut out,
            format_args!(
                "  <entry>\n    <id>tag:{host},2005:Incident/{}</id>\n    <published>{}</published>\n    <updated>{}</updated>\n    \
                 <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n    <title>{}</title>\n    \
                 <content type=\"html\">{}</content>\n  </entry>\n",
                incident.number,
                seconds(last(incident)),
                seconds(incident.changed),
                link(incident),
                encode_text(&incident.title),
                encode_text(&html::updates(incident)),
            ),
        );
    }
    out.push_str("</feed>\n");
    Document::new("application/atom+xml; charset=utf-8", out)
}

/// Returns the history as RSS.
pub(super) fn rss(state: &State) -> Document {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n  <channel>\n    \
         <title>{} Status - Incident History</title>\n    <link>{}</link>\n    <description>Statuspage</description>\n    \
         <pubDate>{}</pubDate>\n",
        encode_text(&state.name),
        html::home(state),
        state.version.to_rfc2822(),
    );
    for incident in newest(state) {
        let link = link(state, incident);
        push(
            &mut out,
            format_args!(
                "    <item>\n      <title>{}</title>\n      <description>\n{}      </description>\n      <pubDate>{}</pubDate>\n      \
                 <link>{link}</link>\n      <guid>{link}</guid>\n    </item>\n",
                encode_text(&incident.title),
                encode_text(&html::updates(incident)),
                last(incident).to_rfc2822(),
            ),
        );
    }
    out.push_str("  </channel>\n</rss>\n");
    Document::new("application/rss+xml; charset=utf-8", out)
}

fn json_feed(state: &State) -> Document {
    let home = html::home(state);
    let items: Vec<Value> = newest(state)
        .map(|incident| {
            json!({
                "id": link(state, incident),
                "url": link(state, incident),
                "title": incident.title,
                "content_html": html::updates(incident),
                "date_published": seconds(incident.created),
                "date_modified": seconds(incident.changed),
            })
        })
        .collect();
    let feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": format!("{} Status", state.name),
        "home_page_url": home,
        "feed_url": format!("{home}/feed.json"),
        "items": items,
    });
    Document::new("application/feed+json; charset=utf-8", feed.to_string())
}

fn newest(state: &State) -> impl Iterator<Item = &Incident> {
    state.incidents.iter().rev().take(state.window.unwrap_or(WINDOW))
}

fn link(state: &State, incident: &Incident) -> String {
    format!("{}/incidents/{}", html::home(state), ids::code(state, "incident", incident.number))
}

fn last(incident: &Incident) -> Time {
    incident.updates.last().map_or(incident.created, |update| update.at)
}

fn seconds(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
