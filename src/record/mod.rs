//! Recordings: what providers answered, kept so that a reading can be repeated.
//!
//! # On disk
//!
//! A recording is a directory with one directory for each start of the program and each day, called
//! a segment and named by the time it was begun. A segment is complete in itself: an index and the
//! bodies it names. It can be removed, copied or sent to somebody by itself.
//!
//! ```text
//! recordings/
//!   2026-03-01T090000Z/
//!     index.jsonl                                     one JSON object a line, in order
//!     bodies/5a0c…e1.gz                               a body: its hash (XXH3, 128 bit) and gzip
//!   2026-03-02T000000Z/
//! ```
//!
//! The index says what *changed*. An address stands as its last line says until the next one of the
//! same provider and address. Kinds of lines:
//!
//! ```text
//! {"recording":1,"by":"statuswatch 0.1.0","begin":true,"at":"2026-03-01T09:00:00Z"}
//! {"at":"…","entry":{"id":"acme","url":"https://status.acme.example/","interval":"1m"}}
//! {"at":"…","provider":"acme","url":"https://status.acme.example/api/v2/summary.json",
//!  "status":200,"type":"application/json","etag":"\"7\"","source":"statuspage","body":"bodies/5a….gz"}
//! {"at":"…","provider":"acme","url":"https://status.acme.example/api/v2/summary.json","status":503}
//! {"at":"…","provider":"acme","url":"…","failure":"timeout","message":"no answer within 10s"}
//! {"at":"…","provider":"acme","again":true}
//! {"at":"…","provider":"acme","unchanged":17}
//! {"at":"…","end":true}
//! ```
//!
//! * The **head** is the first line. `begin`: the program was started; otherwise the segment goes on
//!   where the one before ended.
//! * An **entry** is one of `providers.yaml`: how the provider was configured from here on.
//! * An **answer** is one that differs from the one before. Lines in a row of one provider with the
//!   same `poll` (or, without it, `at`) are one poll. `source` stands at the first document of a
//!   poll and says what read it.
//! * **`again`**: a poll that was answered as before and read all the same, such as the second look
//!   at what is missing, or one more failure.
//! * **`unchanged`**: so many polls up to `at` brought nothing new; a 304 is one of them.
//! * **`end`**: the program stopped in order.
//!
//! [`Line`] has all fields. What a person writes needs less: see docs/src/recording.md.
//!
//! # Secrets
//!
//! Addresses are those of [`redact`](crate::redact), with a mark that tells apart what differs in
//! the query alone ([`label`]). No request header is written, and of the answer's only those that
//! decide how it is read. The values in the query of a provider's address are taken out of bodies.
//!
//! # Faults
//!
//! A body is written under another name first and its line afterwards; a line that could not be
//! written whole is taken back. A process that is killed leaves at most one line that is cut, which
//! a reader skips. Nothing is synced: a power cut may cost the last seconds, and a body that is
//! damaged is found by its checksum.
//!
//! [`Recorder`] never keeps a poll waiting: what does not fit into its queue, or cannot be written,
//! is counted, said once and left out.

mod address;
mod body;
mod entry;
mod line;
mod reader;
mod recorder;
mod segment;
mod state;
mod writer;

pub use address::{label, written};
pub use body::{BodyError, read as read_body};
pub use entry::{guessed, of as entry_of};
pub use line::{Line, VERSION};
pub use reader::{ANONYMOUS, Entry, Poll, Reader, RecordingError};
pub use recorder::Recorder;
