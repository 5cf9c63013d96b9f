//! Recordings: the responses of providers, kept so that polls can be replayed.
//!
//! # On disk
//!
//! A recording is a directory with one directory per program start and day, called a segment and
//! named after the time when it was begun. A segment is self-contained: an index and the bodies
//! that it names. It can be removed, copied or sent on its own.
//!
//! ```text
//! recordings/
//!   2026-03-01T090000Z/
//!     index.jsonl                                     one JSON object a line, in order
//!     bodies/5a0c…e1.gz                               a body: its hash (XXH3, 128 bit) and gzip
//!   2026-03-02T000000Z/
//! ```
//!
//! The index contains what *changed*. The response of an address remains valid until the next line
//! of the same provider and address. Kinds of lines:
//!
//! ```text
//! {"recording":1,"by":"statuswatch 0.1.0","begin":true,"at":"2026-03-01T09:00:00Z"}
//! {"at":"…","entry":{"id":"acme","url":"https://status.acme.example/","interval":"1m"}}
//! {"at":"…","provider":"acme","url":"https://status.acme.example/api/v2/summary.json",
//!  "status":200,"type":"application/json","etag":"\"7\"","source":"statuspage","body":"bodies/5a….gz"}
//! {"at":"…","provider":"acme","url":"https://status.acme.example/api/v2/summary.json","status":503}
//! {"at":"…","provider":"acme","url":"…","failure":"timeout","message":"no response within 10s"}
//! {"at":"…","provider":"acme","again":true}
//! {"at":"…","provider":"acme","unchanged":17}
//! {"at":"…","end":true}
//! ```
//!
//! * The **head** is the first line. `begin`: the program was started; otherwise the segment
//!   continues the previous one.
//! * An **entry** is an entry of `providers.yaml`: the provider's configuration from here on.
//! * An **answer** is a response that differs from the previous one. Consecutive lines of one
//!   provider with the same `poll` (or, without it, `at`) are one poll. `source` is set on the first
//!   document of a poll and names the source that read it.
//! * **`again`**: a poll with the same responses as before that was read nevertheless, such as a
//!   second attempt at missing data, or another failure.
//! * **`unchanged`**: this many polls up to `at` brought nothing new; a 304 is one of them.
//! * **`end`**: the program stopped in order.
//!
//! [`Line`] has all fields. Recordings written by hand need fewer: see docs/src/recording.md.
//!
//! # Secrets
//!
//! Addresses are those of [`redact`](crate::redact), with a suffix that distinguishes addresses
//! that differ only in their query ([`label`]). Request headers are not written, and of the
//! response headers only those that affect how it is read. The values in the query of a provider's
//! address are removed from bodies.
//!
//! # Faults
//!
//! A body is written under a temporary name first, and its line afterwards; an incomplete line is
//! taken back. A process that is killed leaves at most one truncated line, which readers skip.
//! Nothing is synced: a power failure may cost the last seconds, and a damaged body is detected by
//! its checksum.
//!
//! [`Recorder`] never delays a poll: what does not fit into its queue or cannot be written is
//! counted, reported once and left out.

mod address;
mod body;
mod entry;
mod job;
mod line;
mod reader;
mod recorder;
mod segment;
mod shared;
mod state;
mod writer;

pub use address::{label, written};
pub use body::{BodyError, read as read_body};
pub use entry::{guessed, of as entry_of};
pub use line::{Line, VERSION};
pub use reader::{ANONYMOUS, Entry, Poll, Reader, RecordingError};
pub use recorder::Recorder;
