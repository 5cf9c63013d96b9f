//! The ways in which a fake provider misbehaves.

use std::time::Duration;

use statuswatch_model::event::Time;

/// One way to misbehave. What is not said otherwise answers 200 with the right headers.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This status with a page for people.
    Status(u16, Option<RetryAfter>),
    /// 404 for one path (below the provider's root), the others as always.
    NotFoundOn(String),
    /// The status line and headers one byte at a time.
    SlowHeaders(Duration),
    /// The body one byte at a time.
    SlowBody(Duration),
    /// The request is read, then silence until the client goes away.
    Hang,
    /// Half of the body, then a reset.
    Reset,
    /// Half of the body under the `Content-Length` of the whole, then an orderly end.
    Truncated,
    /// The whole body in chunks, without the last chunk, then an orderly end.
    CutChunked,
    /// So many bytes of the body, ended by nothing but the end of the connection: the client cannot
    /// know.
    CutAt(usize),
    /// A `Content-Length` that is half of what is sent.
    WrongLength,
    /// A page for people in place of the document.
    Html,
    /// No body at all.
    Empty,
    /// A redirect; a request for `to` itself is answered as if there were no fault.
    Redirect {
        /// The `Location`, as it is sent.
        to: String,
        /// 301, 302, 303, 307 or 308.
        code: u16,
    },
    /// Redirects for ever, each to a new address of this provider.
    RedirectLoop,
    /// The page as it was before the last change.
    Stale,
    /// The page of another tenant of the same platform.
    WrongTenant,
    /// A gzip body with a wrong checksum.
    BrokenGzip,
    /// A small gzip body that inflates to so many bytes.
    GzipBomb(u64),
    /// A body of so many bytes: JSON that opens a string and never comes to its end.
    Huge(u64),
    /// The document in another encoding, correctly announced.
    WrongCharset(Charset),
    /// Bytes that are not HTTP.
    Garbage,
    /// So many further headers.
    ManyHeaders(usize),
    /// So many opening brackets.
    DeepJson(usize),
    /// So many further open incidents, shown without a limit.
    ManyItems(usize),
    /// The validators of the answer before, with the present body.
    UnchangedValidatorsChangedBody,
    /// 304 whether or not it was asked for.
    Unexpected304,
    /// 304 to every conditional request, whatever has changed.
    Always304,
    /// Neither `ETag` nor `Last-Modified`, and never a 304.
    NoValidators,
    /// Connections are refused (by a listener of its own) or reset (by a shared one). On a listener
    /// of its own it cannot be counted in answers and lasts until cleared.
    Closed,
}

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// In so many seconds.
    Seconds(u64),
    /// At a time.
    Date(Time),
}

/// An encoding that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-16, little endian, with a byte order mark and no word in the headers.
    Utf16Le,
    /// UTF-16, big endian, with a byte order mark and no word in the headers.
    Utf16Be,
    /// ISO-8859-1, named in the `Content-Type`; what it lacks becomes a question mark.
    Latin1,
}

/// How a provider answers while nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Its `ETag`s.
    pub etag: Etag,
    /// Whether it sends `Last-Modified`.
    pub last_modified: bool,
    /// Whether it answers conditional requests with 304.
    pub not_modified: bool,
    /// Whether it compresses for clients that ask for gzip.
    pub gzip: bool,
    /// Its `Cache-Control`.
    pub cache_control: Option<String>,
    /// Further headers, as they are.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether connections stay open.
    pub keep_alive: bool,
    /// Whether connections end after each answer without a word about it in the answer.
    pub silent_close: bool,
    /// How long every answer takes.
    pub delay: Duration,
}

/// The `ETag`s of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etag {
    /// None.
    Off,
    /// `W/"…"`, of the content.
    Weak,
    /// `"…"`, of the content.
    Strong,
    /// These bytes for every content, quoted or not; a 304 is given to whoever sends exactly them.
    Exact(Vec<u8>),
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            etag: Etag::Weak,
            last_modified: true,
            not_modified: true,
            gzip: true,
            cache_control: None,
            headers: Vec::new(),
            keep_alive: true,
            silent_close: false,
            delay: Duration::ZERO,
        }
    }
}
