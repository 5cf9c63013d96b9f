//! The router: takes a request to its route, if the client may use it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::RawPathParams;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use axum::routing::{MethodFilter, on};

use super::App;
use super::answer::problem;
use super::call::Call;
use super::cutoff::Cutoff;
use super::guard::{self, MAX_BODY};
use super::route::Route;
use super::routes::{PAGES, all};

/// Makes the router.
pub(super) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in all() {
        let filter = match route.method {
            Method::POST => MethodFilter::POST,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let app = Arc::clone(app);
        let handler = move |params: Result<RawPathParams, _>, request: Request<Body>| {
            let app = Arc::clone(&app);
            async move {
                let Ok(params) = params else {
                    return problem(StatusCode::BAD_REQUEST, "the path is not UTF-8");
                };
                let path = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                let path = path.collect();
                dispatch(route, app, path, request).await.unwrap_or_else(|refused| refused)
            }
        };
        router = router.route(&route.pattern(), on(filter, handler));
    }
    router
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here")
        })
        .fallback(async || problem(StatusCode::NOT_FOUND, "nothing is served here"))
}

async fn dispatch(
    route: &'static Route,
    app: Arc<App>,
    mut path: Vec<(String, String)>,
    request: Request<Body>,
) -> Result<Response<Body>, Response<Body>> {
    guard::may(&app, route.access, request.headers()).map_err(|(status, detail)| {
        let mut response = problem(status, detail);
        if status == StatusCode::UNAUTHORIZED && PAGES.iter().any(|page| page.path == route.path) {
            // A browser asks its reader for a password then, and sends it with what follows.
            let challenge =
                "Basic realm=\"statuswatch: the token is the password\", charset=\"UTF-8\"";
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    })?;
    if let (suffix @ ".svg", Some((_, last))) = (route.suffix(), path.last_mut()) {
        let Some(name) = last.strip_suffix(suffix) else {
            return Err(problem(StatusCode::NOT_FOUND, "nothing is served here"));
        };
        *last = name.to_owned();
    }
    let (parts, body) = request.into_parts();
    let body = if route.method == Method::POST {
        axum::body::to_bytes(body, MAX_BODY)
            .await
            .map_err(|_| problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"))?
    } else {
        Bytes::new()
    };
    let query = Call::query_of(parts.uri.query()).map_err(<Response<Body>>::from)?;
    let cutoff = parts.extensions.get::<Cutoff>().cloned();
    Ok((route.handler)(app, Call { headers: parts.headers, path, query, body, cutoff }).await)
}
