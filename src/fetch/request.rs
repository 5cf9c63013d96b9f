//! One request: follows redirects within the rules and classifies the response.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, timeout};
use url::Url;
use xxhash_rust::xxh3::xxh3_128;

use super::address::{Target, same_authority, same_party, target};
use super::client::Inner;
use super::failure::{Phase, died_unanswered, of_head};
use super::{
    Answer, Failure, FailureKind, Fetched, Request, Validators, body, coding, dial, headers, retry,
};
use crate::clock;
use crate::document::Document;
use crate::redact::redact;

/// Maximum number of redirects.
const HOPS: usize = 5;
/// Longer content types are ignored.
const LONGEST_TYPE: usize = 256;
/// How much of an error page is read to tell a challenge from a refusal, and for how long.
const PEEK: usize = 16 << 10;
const PEEK_FOR: Duration = Duration::from_millis(500);
/// Text found in pages that require a browser.
const CHALLENGES: [&[u8]; 6] = [
    b"challenge-platform",
    b"cf-chl",
    b"_cf_chl_opt",
    b"<title>Just a moment",
    b"awswaf",
    b"captcha-delivery",
];

impl Inner {
    /// Follows redirects until there is a response. `led_to`: the last redirect target so far.
    pub(super) async fn fetch(
        &self,
        request: &Request<'_>,
        led_to: &mut Option<Url>,
        phase: &mut Phase,
    ) -> Result<Fetched, Failure> {
        let mut validators = request.validators;
        let mut moved: Option<Url> = None;
        let mut permanent = true;
        for hop in 0..=HOPS {
            let url = moved.as_ref().unwrap_or(request.url);
            led_to.clone_from(&moved);
            let guarded = allowed(request, url, hop == 0)?;
            if hop > 0 {
                self.unblocked(url, request.max_wait)?;
            }
            *phase = Phase::Head;
            let response = self.send(request, url, validators, guarded).await?;
            let Some(next) = next_hop(url, &response, led_to)? else {
                return self
                    .judge(request, validators, moved.map(|url| (url, permanent)), response, phase)
                    .await;
            };
            permanent &= matches!(
                response.status(),
                StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT
            );
            if !same_party(url, &next) {
                // Validators from one host are not sent to another.
                validators = None;
            }
            moved = Some(next);
        }
        led_to.clone_from(&moved);
        Err(Failure::new(FailureKind::Redirect, format!("more than {HOPS} redirects")))
    }

    /// Sends one hop; retries once if a reused connection turns out to be dead.
    async fn send(
        &self,
        request: &Request<'_>,
        url: &Url,
        validators: Option<&Validators>,
        guarded: bool,
    ) -> Result<Response, Failure> {
        let library = self.library(guarded)?;
        let attempt = || {
            let mut building = library
                .get(url.clone())
                .header(ACCEPT, request.accept)
                .header(ACCEPT_ENCODING, "gzip");
            if let Some(etag) = headers::exact(validators.and_then(|v| v.etag.as_ref())) {
                building = building.header(IF_NONE_MATCH, etag);
            }
            if let Some(modified) =
                headers::exact(validators.and_then(|v| v.last_modified.as_ref()))
            {
                building = building.header(IF_MODIFIED_SINCE, modified);
            }
            dial::within(request.connect_timeout, building.send())
        };
        let (mut sent, dialled) = attempt().await;
        if !dialled && sent.as_ref().is_err_and(died_unanswered) {
            (sent, _) = attempt().await;
        }
        sent.map_err(|error| {
            let failure = of_head(&error, url.scheme() == "https");
            if matches!(failure.kind, FailureKind::Connect | FailureKind::Timeout)
                && let Some(name) = url.domain()
            {
                self.names.forget(name);
            }
            failure
        })
    }

    /// Classifies the last response of the chain. `sent`: the validators that were sent; `moved`:
    /// where redirects led, and whether permanently.
    async fn judge(
        &self,
        request: &Request<'_>,
        sent: Option<&Validators>,
        moved: Option<(Url, bool)>,
        mut response: Response,
        phase: &mut Phase,
    ) -> Result<Fetched, Failure> {
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return not_modified(sent, response.headers()),
            _ => {
                let url = moved.as_ref().map_or(request.url, |(url, _)| url);
                let failure = Box::pin(refusal(&mut response, url, request.max_wait)).await;
                if matches!(
                    response.status(),
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                ) && let Some(wait) = failure.retry_after.filter(|wait| !wait.is_zero())
                {
                    self.gate.block(url, Instant::now() + wait);
                }
                return Err(failure);
            }
        }
        let coding = coding::declared(response.headers())?;
        let body = body::read(&mut response, coding, request.max_body, &self.budget, phase).await?;
        if body.trim_ascii().is_empty() {
            return Err(Failure::new(FailureKind::EmptyBody, "200 with an empty body"));
        }
        if body.starts_with(&coding::GZIP) {
            return Err(Failure::new(
                FailureKind::Encoding,
                "a gzip body without a Content-Encoding header",
            ));
        }
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type =
            content_type.filter(|value| value.len() <= LONGEST_TYPE).map(str::to_owned);
        let moved_to =
            moved.as_ref().filter(|(_, permanent)| *permanent).map(|(url, _)| url.clone());
        let mut url = moved.map_or_else(|| request.url.clone(), |(url, _)| url);
        // Fragments are not sent: a redirect keeps that of the request (RFC 9110, 10.2.2).
        url.set_fragment(request.url.fragment());
        Ok(Fetched::Body(Box::new(Answer {
            validators: headers::validators(response.headers()),
            body_hash: xxh3_128(&body),
            max_age: headers::max_age(response.headers()),
            moved_to,
            document: Document::new(url, content_type.as_deref(), body),
        })))
    }
}

/// Returns whether the hop is allowed at all and, if so, whether its name may resolve to public
/// addresses only.
fn allowed(request: &Request<'_>, url: &Url, first: bool) -> Result<bool, Failure> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::new(
            FailureKind::Redirect,
            format!("\"{}:\" is neither http nor https", url.scheme()),
        ));
    }
    if request.allow_private {
        return Ok(false);
    }
    // The user's own file may name this machine, and redirects within that machine are allowed.
    let own = request.written && (first || same_authority(request.url, url));
    match target(url) {
        Target::Other => Ok(true),
        Target::PrivateLiteral if own => Ok(true),
        Target::Localhost if own => Ok(false),
        Target::PrivateLiteral | Target::Localhost => Err(Failure::new(
            FailureKind::BlockedAddress,
            if first {
                format!("{} is a private address", redact(url))
            } else {
                "a private address, which allow_private_addresses forbids".to_owned()
            },
        )),
    }
}

/// Returns where the response redirects to; `None` if it is final.
fn next_hop(
    url: &Url,
    response: &Response,
    led_to: &mut Option<Url>,
) -> Result<Option<Url>, Failure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let unusable = || {
        Failure::new(
            FailureKind::Redirect,
            format!("{} without a usable target", response.status().as_u16()),
        )
    };
    let location = response.headers().get(LOCATION).ok_or_else(unusable)?;
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_| unusable())?;
    let mut next = url.join(location).map_err(|_| unusable())?;
    next.set_fragment(None);
    if url.scheme() == "https" && next.scheme() == "http" {
        *led_to = Some(next);
        return Err(Failure::new(FailureKind::InsecureRedirect, "redirect from https to http"));
    }
    if matches!(next.scheme(), "http" | "https") {
        // Credentials in a redirect target are not ours; our own are sent within one origin only.
        let (user, password) = if next.origin() == url.origin() {
            (url.username(), url.password())
        } else {
            ("", None)
        };
        next.set_username(user).map_err(|()| unusable())?;
        next.set_password(password).map_err(|()| unusable())?;
    }
    Ok(Some(next))
}

fn not_modified(sent: Option<&Validators>, headers: &HeaderMap) -> Result<Fetched, Failure> {
    let sent = sent.is_some_and(|v| {
        headers::exact(v.etag.as_ref()).or(headers::exact(v.last_modified.as_ref())).is_some()
    });
    if !sent {
        return Err(Failure::new(FailureKind::Unexpected304, "304 to an unconditional request"));
    }
    let carried = headers::validators(headers);
    Ok(Fetched::NotModified {
        validators: (carried != Validators::default()).then_some(carried),
        max_age: headers::max_age(headers),
    })
}

/// Returns the failure for an error status.
async fn refusal(response: &mut Response, url: &Url, max_wait: Duration) -> Failure {
    let status = response.status();
    let wish = retry::after(response.headers(), clock::now());
    let kind = match status.as_u16() {
        403 | 429 | 503 if is_challenge(response).await => FailureKind::Challenge,
        code => FailureKind::of_status(code),
    };
    let mut message = status.as_u16().to_string();
    if let Some(reason) = status.canonical_reason() {
        message.push(' ');
        message.push_str(reason);
    }
    if kind == FailureKind::Challenge {
        message.push_str(": the host requires a browser");
    }
    let asked_by = wish.map(|wish| retry::asked_by(url, &message, wish, max_wait));
    Failure { kind, message, retry_after: wish.map(|wish| wish.min(max_wait)), asked_by }
}

/// Returns whether the host requires a browser, judged by its headers, else by the page.
async fn is_challenge(response: &mut Response) -> bool {
    let headers = response.headers();
    let says = |name: &str, words: &[&[u8]]| {
        headers.get(name).is_some_and(|value| {
            words.iter().any(|word| value.as_bytes().eq_ignore_ascii_case(word))
        })
    };
    if says("cf-mitigated", &[b"challenge"])
        || says("x-amzn-waf-action", &[b"challenge", b"captcha"])
    {
        return true;
    }
    let html =
        headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if !html {
        return false;
    }
    // A page that does not arrive proves nothing, and must not replace the actual failure.
    let page = timeout(PEEK_FOR, body::peek(response, PEEK)).await.unwrap_or_default();
    CHALLENGES.iter().any(|mark| memchr::memmem::find(&page, mark).is_some())
}
