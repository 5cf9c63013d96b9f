//! What others see of a provider, beside what it says of itself.

use std::time::Instant;

use maud::{Markup, html};

use super::parts;
use crate::server::App;
use crate::server::model::State;
use crate::server::observe::Observed;
use crate::text::one_line;
use crate::view::status::ProviderView;

/// Providers listed whose requests fail while they say that they are operational.
const LISTED: usize = 20;

/// The providers that say they are operational while errors are seen, those with the most first.
pub(super) fn disagreements<'a>(app: &App, state: &'a State) -> Vec<(&'a ProviderView, Observed)> {
    let now = Instant::now();
    let seen =
        state.view.providers.iter().filter_map(|view| Some((view, app.observed.of(view, now)?)));
    let mut found: Vec<_> = seen.filter(|(_, observed)| observed.disagrees).collect();
    found.sort_by(|(_, a), (_, b)| b.error_rate.total_cmp(&a.error_rate));
    found
}

/// A line for each of them; nothing if there is none.
pub(super) fn list(found: &[(&ProviderView, Observed)]) -> Markup {
    html! {
        @if !found.is_empty() {
            ul.rows {
                @for (view, observed) in found.iter().take(LISTED) {
                    li data-row {
                        (parts::state(parts::Look { class: "minor", word: "errors seen" }))
                        a.who data-go href=(parts::provider_path(&view.id)) { bdi { (one_line(&view.name, 80)) } }
                        p { (rate(observed)) " of your requests fail; its page says operational." }
                    }
                }
            }
            @if found.len() > LISTED {
                p.more { (parts::counted(found.len() - LISTED, "more provider")) " with errors" }
            }
        }
    }
}

/// What is seen of one provider; nothing if nothing was reported lately.
pub(super) fn line(app: &App, view: &ProviderView) -> Markup {
    html! {
        @if let Some(observed) = app.observed.of(view, Instant::now()) {
            p.why {
                (rate(&observed)) " of your requests fail, as reported in the last 15 min; its page says "
                (parts::provider_look(view).word) "."
            }
        }
    }
}

fn rate(observed: &Observed) -> String {
    let percent = observed.error_rate * 100.0;
    if percent > 0.0 && percent < 10.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}
