//! Forms that change something. A form carries the token for changes in a field of its own: the
//! password that a browser sends with everything is good for reading alone.

use axum::http::header::CONTENT_TYPE;
use maud::{Markup, html};
use url::form_urlencoded;

use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::call::Call;
use crate::server::guard::{Changes, changes, may_change};

const FORM: &str = "application/x-www-form-urlencoded";

/// The field for the token, where one is needed.
pub(super) fn token_field(app: &App) -> Markup {
    html! {
        @if changes(app) == Changes::WithToken {
            label { span { "Token for changes" } input type="password" name="token" required autocomplete="off"; }
        }
    }
}

/// What a reader typed into a form.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form that may change something.
    pub(super) fn read(app: &App, call: &Call) -> Result<Self, Refusal> {
        let media = call.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let media = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case(FORM) {
            return Err(Refusal::Unsupported(
                "The form must be application/x-www-form-urlencoded.",
            ));
        }
        let pairs = form_urlencoded::parse(&call.body).into_owned().collect();
        let fields = Self(pairs);
        if may_change(app, fields.get("token")) {
            return Ok(fields);
        }
        app.counts.refused("unauthorized");
        Err(Refusal::Forbidden("The token for changes is wrong, or changes are not possible here."))
    }

    fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// A field that was filled in.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        Some(self.get(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}
