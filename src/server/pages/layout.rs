//! What all pages have in common.

use maud::{DOCTYPE, Markup, html};

use super::assets::names;
use crate::event::Kind;
use crate::server::model::State;

/// One page.
pub(super) struct Page {
    /// Its name, as plain text.
    pub(super) title: String,
    /// The path of its entry in the navigation.
    pub(super) here: &'static str,
    /// What is in `main`. Its direct children have ids: the script replaces those that have changed.
    pub(super) main: Markup,
}

/// The navigation: paths and names.
const PLACES: &[(&str, &str)] = &[
    ("/", "Overview"),
    ("/providers", "Providers"),
    ("/incidents", "Incidents"),
    ("/maintenances", "Maintenances"),
    ("/channels", "Channels"),
    ("/routes", "Routes"),
];

/// The keys and what they do, for the help that `?` shows.
const KEYS: &[(&str, &str)] = &[
    ("/", "Search"),
    ("j", "Next entry"),
    ("k", "Previous entry"),
    ("Enter", "Open the entry"),
    ("o", "Open its provider's own page"),
    ("m", "Maintenances"),
    ("Esc", "Close this, leave the search"),
    ("?", "Keys"),
];

/// Renders a page. `protected`: a token is set, so the bytes are not for shared caches.
pub(super) fn render(page: &Page, state: Option<&State>, protected: bool) -> Markup {
    let open = state.map_or(0, open_incidents);
    let seq = state.map_or(0, |state| state.span().newest);
    let names = names();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if protected { meta name="robots" content="noindex"; }
                title { @if open > 0 { "(" (open) ") " } (page.title) " · statuswatch" }
                link rel="icon" type="image/svg+xml" href={ "/assets/" (names.icon) };
                link rel="stylesheet" href={ "/assets/" (names.style) };
                script src={ "/assets/" (names.script) } {}
                noscript { meta http-equiv="refresh" content="60"; }
            }
            body data-seq=(seq) {
                a.skip href="#main" { "Skip to content" }
                header {
                    a.brand href="/" aria-label="statuswatch, overview" {
                        i.mark aria-hidden="true" {} span { "statuswatch" }
                    }
                    nav aria-label="Pages" {
                        @for (path, name) in PLACES {
                            a href=(path) aria-current=[(*path == page.here).then_some("page")] { (name) }
                        }
                    }
                    div.tools {
                        span #live .live data-state="off" { "Not live" }
                        button #theme type="button" hidden { "Auto" }
                        button #help type="button" hidden aria-label="Keys" { "?" }
                    }
                }
                p #lost .lost role="alert" hidden {}
                p #news .vh role="status" aria-live="polite" {}
                main #main tabindex="-1" { (page.main) }
                footer {
                    p {
                        "statuswatch " (env!("CARGO_PKG_VERSION")) " · "
                        @if let Some(state) = state { "as of " (super::parts::clock(state.at)) " · " }
                        a href="/api/v1/status" { "API" } " · "
                        a href="/feeds/events.atom" { "Atom" } " · "
                        a href="/feeds/maintenances.ics" { "Calendar" } " · "
                        a href="/metrics" { "Metrics" }
                    }
                }
                dialog #keys aria-labelledby="keys-title" {
                    h2 #keys-title { "Keys" }
                    dl.keys {
                        @for (key, about) in KEYS { dt { kbd { (key) } } dd { (about) } }
                    }
                    form method="dialog" { button { "Close" } }
                }
            }
        }
    }
}

/// How many incidents are open; maintenances are planned.
pub(super) fn open_incidents(state: &State) -> usize {
    state.open().iter().filter(|row| row.item.kind == Kind::Incident).count()
}
