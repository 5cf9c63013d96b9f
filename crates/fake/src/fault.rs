//! Faults: the ways in which a fake provider misbehaves.

use std::time::Duration;

use statuswatch_model::event::Time;

/// A fault. Unless stated otherwise, the answer is 200 with correct headers.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This status with an HTML page.
    Status(u16, Option<RetryAfter>),
    /// 404 for one path (below the provider's root); other paths are unaffected.
    NotFoundOn(String),
    /// Sends the status line and headers one byte at a time.
    SlowHeaders(Duration),
    /// Sends the body one byte at a time.
    SlowBody(Duration),
    /// Reads the request and never answers.
    Hang,
    /// Sends half of the body, then resets the connection.
    Reset,
    /// Sends half of the body with the `Content-Length` of the whole, then closes the connection.
    Truncated,
    /// Sends the whole body in chunks without the last chunk, then closes the connection.
    CutChunked,
    /// Sends this many bytes of the body, delimited only by the end of the connection, so the
    /// client cannot detect the truncation.
    CutAt(usize),
    /// Sends a `Content-Length` that is half of the body's length.
    WrongLength,
    /// Sends an HTML page instead of the document.
    Html,
    /// Sends no body.
    Empty,
    /// Redirects; a request for `to` itself is answered without the fault.
    Redirect {
        /// The `Location`, as it is sent.
        to: String,
        /// 301, 302, 303, 307 or 308.
        code: u16,
    },
    /// Redirects endlessly, each time to a new URL of this provider.
    RedirectLoop,
    /// Serves the page as it was before the last change.
    Stale,
    /// Serves the page of another tenant of the same platform.
    WrongTenant,
    /// Sends a gzip body with a wrong checksum.
    BrokenGzip,
    /// Sends a small gzip body that inflates to this many bytes.
    GzipBomb(u64),
    /// Sends a body of this many bytes: JSON that opens a string and never closes it.
    Huge(u64),
    /// Sends the document in another encoding, correctly declared.
    WrongCharset(Charset),
    /// Sends bytes that are not HTTP.
    Garbage,
    /// Sends this many additional headers.
    ManyHeaders(usize),
    /// Sends this many opening brackets.
    DeepJson(usize),
    /// Adds this many open incidents, shown without a limit.
    ManyItems(usize),
    /// Sends the validators of the previous answer with the present body.
    UnchangedValidatorsChangedBody,
    /// Sends a 304 even to unconditional requests.
    Unexpected304,
    /// Sends a 304 to every conditional request, whatever has changed.
    Always304,
    /// Sends neither `ETag` nor `Last-Modified`, and never a 304.
    NoValidators,
    /// Refuses connections (on a dedicated listener) or resets them (on a shared one). On a
    /// dedicated listener it cannot be limited to a number of answers and lasts until cleared.
    Closed,
}

/// The value of `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// A date.
    Date(Time),
}

/// An encoding that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-16, little endian, with a byte order mark and no charset in the headers.
    Utf16Le,
    /// UTF-16, big endian, with a byte order mark and no charset in the headers.
    Utf16Be,
    /// ISO-8859-1, declared in the `Content-Type`; characters it lacks become question marks.
    Latin1,
}

/// How a provider answers in the absence of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// The `ETag`s.
    pub etag: Etag,
    /// Whether to send `Last-Modified`.
    pub last_modified: bool,
    /// Whether to answer conditional requests with 304.
    pub not_modified: bool,
    /// Whether to compress for clients that accept gzip.
    pub gzip: bool,
    /// The `Cache-Control` header.
    pub cache_control: Option<String>,
    /// Additional headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether connections are kept alive.
    pub keep_alive: bool,
    /// Whether connections close after each answer without announcing it.
    pub silent_close: bool,
    /// The delay of every answer.
    pub delay: Duration,
}

/// The `ETag`s of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etag {
    /// None.
    Off,
    /// `W/"…"`, derived from the content.
    Weak,
    /// `"…"`, derived from the content.
    Strong,
    /// These bytes for any content, quoted or not; a client that sends exactly them gets a 304.
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
