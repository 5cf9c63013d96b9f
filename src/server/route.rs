//! What a route is: a path, who may use it, its parameters, and what it answers.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use schemars::{Schema, SchemaGenerator};

use super::App;
use super::answer::JSON;
use super::call::Call;

/// Who may use a route where a token is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// All clients: it shows nothing, or has a secret of its own.
    Everybody,
    /// All clients, if badges are public.
    Badges,
    /// All clients, if feeds are public.
    Feeds,
    /// All clients, if the summary is public.
    Summary,
    /// All clients, if the page for strangers is public; nobody otherwise.
    Public,
    /// Clients with the token.
    Token,
    /// Clients with the token for changes; if none is set, users of this machine.
    Write,
    /// Forms of our own pages; what they carry is read with their body.
    Form,
}

/// A handler.
pub(super) type Handler =
    fn(Arc<App>, Call) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What the body of an answer is.
#[derive(Clone, Copy)]
pub enum Answer {
    /// JSON with this schema.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// JSON of this media type whose format others define.
    ForeignJson(&'static str),
    /// Another media type.
    Other(&'static str),
}

/// A parameter of the query, or a variable part of the path.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What its value may be.
    pub value: Values,
    /// Whether a request without it is refused. A part of the path always is.
    pub required: bool,
    /// What it does.
    pub about: &'static str,
}

/// What the value of a parameter may be.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// Text.
    Text,
    /// Text that matches this regular expression.
    Pattern(&'static str),
    /// One of these words.
    Words(&'static [&'static str]),
    /// A time, RFC 3339.
    Time,
    /// A duration such as 2h, or a time.
    DurationOrTime,
    /// A whole number, from the first to the second.
    Number(u64, u64),
    /// A list of values, repeated or separated by commas.
    List,
}

/// One row: a path and what answers there.
pub struct Route {
    /// `GET`, which answers HEAD too, `POST` or `DELETE`.
    pub method: Method,
    /// As `OpenAPI` writes it: `/api/v1/providers/{id}`.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What it gives, in one sentence.
    pub about: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// The body of the request, JSON; `None`: it is not read.
    pub body: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// The status of an answer.
    pub status: StatusCode,
    /// Further statuses that have the same content.
    pub also: &'static [StatusCode],
    /// What the answer is.
    pub answer: Answer,
    /// What answers.
    pub handler: Handler,
}

/// A [`Handler`] of an `async fn`.
macro_rules! handler {
    ($handler:path) => {
        |app, call| Box::pin($handler(app, call))
    };
}
pub(super) use handler;

/// Returns a parameter that may be left out.
pub(super) const fn parameter(name: &'static str, value: Values, about: &'static str) -> Parameter {
    Parameter { name, value, required: false, about }
}

/// Returns a parameter that must be given.
pub(super) const fn required(name: &'static str, value: Values, about: &'static str) -> Parameter {
    Parameter { name, value, required: true, about }
}

/// A duration of one unit; the reader takes more, such as 1h30m.
pub(super) const DURATION_PATTERN: &str = "^[1-9][0-9]{0,3}(s|m|h|d)$";
/// A value of that form.
pub(super) const DURATION: Values = Values::Pattern(DURATION_PATTERN);

/// Returns a route of a GET request.
pub(super) const fn get(
    path: &'static str,
    access: Access,
    about: &'static str,
    parameters: &'static [Parameter],
    answer: Answer,
    handler: Handler,
) -> Route {
    get_or(&[], path, access, about, parameters, answer, handler)
}

/// The same with further statuses.
pub(super) const fn get_or(
    also: &'static [StatusCode],
    path: &'static str,
    access: Access,
    about: &'static str,
    parameters: &'static [Parameter],
    answer: Answer,
    handler: Handler,
) -> Route {
    Route {
        method: Method::GET,
        path,
        access,
        about,
        parameters,
        body: None,
        status: StatusCode::OK,
        also,
        answer,
        handler,
    }
}

impl Route {
    /// The path as the router writes it: a variable part is always a whole segment there.
    pub(super) fn pattern(&self) -> String {
        self.path.replace("}.svg", "}")
    }

    /// What follows the variable part of the last segment.
    pub(super) fn suffix(&self) -> &'static str {
        self.path.rsplit_once('}').map_or("", |(_, suffix)| suffix)
    }

    fn media(&self) -> &'static str {
        match self.answer {
            Answer::Json(_) => JSON,
            Answer::ForeignJson(media) | Answer::Other(media) => media,
        }
    }

    /// Returns the media type of its answer, without parameters.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        let media = self.media();
        media.split_once(';').map_or(media, |(media, _)| media)
    }
}
