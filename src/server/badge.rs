//! `/badge.svg` and `/badge/ID.svg`: a state as a picture.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response};

use super::App;
use super::answer::finish;
use super::answer::{Refusal, content};
use super::call::Call;
use super::feeds::escaped;
use crate::event::ComponentStatus;
use crate::text::one_line;
use crate::view::status::{Freshness, ProviderView};

pub(super) const MEDIA: &str = "image/svg+xml";

/// Image proxies ask again after this many seconds.
const MAX_AGE: u32 = 60;
/// Characters of a name.
const LONGEST: usize = 40;
/// Pixels of a character of 11 px Verdana, near enough to fit.
const CHARACTER: usize = 7;
const PADDING: usize = 12;

/// `GET /badge/{id}.svg`.
pub(super) async fn one(app: Arc<App>, call: Call) -> Response<Body> {
    finish(badge_of(&app, &call).await)
}

async fn badge_of(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let id = call.part("id");
    let state = app.model.state().await?;
    let found = state.view.providers.iter().find(|provider| provider.id == id);
    let provider = found.ok_or(Refusal::Missing("there is no such provider"))?;
    let name = one_line(&provider.name, LONGEST);
    Ok(picture(call, svg(&name, word(provider), color(provider.status))))
}

/// `GET /badge.svg`.
pub(super) async fn all(app: Arc<App>, call: Call) -> Response<Body> {
    let state = app.model.state().await.map_err(Refusal::from);
    finish(state.map(|state| {
        let (text, color) = overall(&state.view.providers);
        picture(&call, svg("status", &text, color))
    }))
}

/// A picture that pages of others may show.
fn picture(call: &Call, svg: String) -> Response<Body> {
    let mut response = content(&call.headers, MEDIA, svg, MAX_AGE);
    let policy = HeaderValue::from_static("cross-origin");
    response.headers_mut().insert("cross-origin-resource-policy", policy);
    response
}

/// What is wrong, or that nothing is. Unknown is never shown as operational.
fn overall(providers: &[ProviderView]) -> (String, &'static str) {
    let worst = ComponentStatus::worst(providers.iter().map(|provider| provider.status));
    let Some(worst) = worst else {
        return ("unknown".to_owned(), color(ComponentStatus::Unknown));
    };
    let count = providers.iter().filter(|provider| provider.status == worst).count();
    let text = match worst {
        ComponentStatus::Operational => "operational".to_owned(),
        _ => format!("{count} {}", worst.label().to_lowercase()),
    };
    (text, color(worst))
}

fn word(provider: &ProviderView) -> &'static str {
    match (provider.status, provider.freshness) {
        (ComponentStatus::Operational, _) => "operational",
        (ComponentStatus::DegradedPerformance, _) => "degraded",
        (ComponentStatus::PartialOutage, _) => "partial outage",
        (ComponentStatus::MajorOutage, _) => "major outage",
        (ComponentStatus::UnderMaintenance, _) => "maintenance",
        (ComponentStatus::Unknown, Freshness::Stale) => "stale",
        (ComponentStatus::Unknown, Freshness::Unreachable) => "unreachable",
        (ComponentStatus::Unknown, _) => "unknown",
    }
}

/// Dark enough for white text.
const fn color(status: ComponentStatus) -> &'static str {
    match status {
        ComponentStatus::Operational => "#2a7d2e",
        ComponentStatus::DegradedPerformance => "#8a6100",
        ComponentStatus::PartialOutage => "#b3470b",
        ComponentStatus::MajorOutage => "#b3261e",
        ComponentStatus::UnderMaintenance => "#2a5db0",
        ComponentStatus::Unknown => "#6b6b6b",
    }
}

fn svg(name: &str, state: &str, color: &str) -> String {
    let width = |text: &str| text.chars().count() * CHARACTER + PADDING;
    let (left, right) = (width(name), width(state));
    let (total, first, second) = (left + right, left / 2, left + right / 2);
    let (name, state) = (escaped(name), escaped(state));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"20\" role=\"img\" aria-label=\"{name}: {state}\">\
         <title>{name}: {state}</title>\
         <rect width=\"{left}\" height=\"20\" fill=\"#444\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{color}\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\" text-anchor=\"middle\">\
         <text x=\"{first}\" y=\"14\">{name}</text><text x=\"{second}\" y=\"14\">{state}</text></g></svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text() {
        let picture = svg("<script>\"&\u{1b}", "unknown", color(ComponentStatus::Unknown));
        assert!(!picture.contains("<script") && !picture.contains('\u{1b}'), "{picture}");
        assert!(picture.contains("&lt;script&gt;&quot;&amp;"), "{picture}");
    }

    #[test]
    fn without_a_provider_nothing_is_known() {
        assert_eq!(overall(&[]), ("unknown".to_owned(), "#6b6b6b"));
    }
}
