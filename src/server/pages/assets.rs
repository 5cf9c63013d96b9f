//! The style sheet and the script: their names hold a hash of their bytes, so that a browser never
//! asks for one again.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::Response;
use axum::http::header::{CACHE_CONTROL, HeaderValue};

use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{Refusal, content};
use crate::server::call::Call;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// A square with the ring of the word mark.
const ICON: &str = include_str!("icon.svg");

/// The names under `/assets/`.
pub(super) struct Names {
    /// The style sheet.
    pub(super) style: String,
    /// The script.
    pub(super) script: String,
    /// The icon.
    pub(super) icon: String,
}

/// Returns the names.
pub(super) fn names() -> &'static Names {
    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        let hash = |text: &str| xxhash_rust::xxh3::xxh3_64(text.as_bytes());
        Names {
            style: format!("style-{:016x}.css", hash(STYLE)),
            script: format!("script-{:016x}.js", hash(SCRIPT)),
            icon: format!("icon-{:016x}.svg", hash(ICON)),
        }
    });
    &NAMES
}

/// `GET /assets/{name}`.
pub(super) async fn get(_: Arc<App>, call: Call) -> Response<Body> {
    let (names, name) = (names(), call.part("name"));
    let (media, text) = if name == names.style {
        ("text/css; charset=utf-8", STYLE)
    } else if name == names.script {
        ("text/javascript; charset=utf-8", SCRIPT)
    } else if name == names.icon {
        ("image/svg+xml", ICON)
    } else {
        return finish(Err(Refusal::Missing("nothing is served here")));
    };
    let mut response = content(&call.headers, media, text, 0);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_small_and_load_nothing() {
        assert!(SCRIPT.len() < 15 << 10, "{}", SCRIPT.len());
        assert!(STYLE.len() < 30 << 10, "{}", STYLE.len());
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("://") && !text.contains("@import"), "something from elsewhere");
        }
    }
}
