//! Identities derived only from content: a restored or second database yields the same ids.
//!
//! ```text
//! incident_key  H(provider, native id)
//! update_key    H(incident_key, native update id)   or   H(incident_key, time, ordinal)
//!               or   H(incident_key, status, text)
//! fingerprint   H(stated status, text)              determines revisions
//! event id      H("v1", update_key, kind, fingerprint)
//! ```
//!
//! Texts are compared in full, in NFC with whitespace collapsed, without relative times ("5 minutes
//! ago") and tracking parameters, so a re-rendered page yields no new events. Before 0.1.0, texts
//! were truncated first, see [`beginning`]: databases still contain such fingerprints, and they are
//! recognized.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::{IncidentStatus, Kind, Status, Time, cosmetic};

/// Version of the identity rules. Changing the rules requires a migration that recomputes all keys.
const RULES: &str = "v1";

macro_rules! keys {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Returns the bytes as stored in the database.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    )+};
}

keys! {
    /// Identifies an incident or maintenance of one provider.
    IncidentKey,
    /// Identifies an update of one incident, independently of its current text.
    UpdateKey,
    /// Identifies the content of an update; a different fingerprint under the same key is an edit.
    Fingerprint,
    /// Identifies an event everywhere and permanently.
    EventId,
}

impl IncidentKey {
    /// Creates the key from a native id, which is unique within the provider.
    #[must_use]
    pub fn new(provider: &str, native_id: &str) -> Self {
        Self(hash(&[b"incident", provider.as_bytes(), native_id.as_bytes()]))
    }
}

impl UpdateKey {
    /// Creates the key of an update with a native id.
    #[must_use]
    pub fn native(incident: IncidentKey, native_id: &str) -> Self {
        Self(hash(&[b"native", incident.as_bytes(), native_id.as_bytes()]))
    }

    /// Creates the key of an update identified only by its time and its position among updates of
    /// the same time.
    #[must_use]
    pub fn timed(incident: IncidentKey, time: Time, ordinal: u32) -> Self {
        Self(hash(&[
            b"timed",
            incident.as_bytes(),
            &time.timestamp_millis().to_be_bytes(),
            &ordinal.to_be_bytes(),
        ]))
    }

    /// Creates the key of an update that has neither id nor time, from its status and text; of a
    /// very long text, from its [`beginning`].
    #[must_use]
    pub fn content(incident: IncidentKey, status: IncidentStatus, text: &str) -> Self {
        let text = normalize(&beginning(text));
        Self(hash(&[b"content", incident.as_bytes(), status.as_str().as_bytes(), text.as_bytes()]))
    }

    /// Creates the key of a change that is not a written update, such as a raised impact or a moved
    /// window.
    #[must_use]
    pub fn change(incident: IncidentKey, what: &str, parts: &[&str]) -> Self {
        let mut all: Vec<&[u8]> = vec![b"change", incident.as_bytes(), what.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        Self(hash(&all))
    }

    /// Returns the displayed id of a change: its kind and the start of this key.
    #[must_use]
    pub fn shown(self, what: &str) -> String {
        let key = self.to_string();
        format!("{what}-{}", key.get(..12).unwrap_or(&key))
    }
}

impl Fingerprint {
    /// Creates the fingerprint of an update from the status it states and its full text.
    #[must_use]
    pub fn new(status: impl Into<Status>, text: &str) -> Self {
        let status: Status = status.into();
        Self(hash(&[status.as_str().as_bytes(), normalize(text).as_bytes()]))
    }

    /// Creates the fingerprints of one text under each of several statuses.
    #[must_use]
    pub fn of_each(text: &str, statuses: &[IncidentStatus]) -> Vec<(IncidentStatus, Self)> {
        let text = normalize(text);
        let print =
            |status: IncidentStatus| Self(hash(&[status.as_str().as_bytes(), text.as_bytes()]));
        statuses.iter().map(|status| (*status, print(*status))).collect()
    }
}

/// Returns the part of a text that was compared before 0.1.0: its first 16 KiB, including the
/// ellipsis. The cut can fall within a grapheme cluster; it is part of existing identities and must
/// not change.
#[must_use]
pub fn beginning(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 16 * 1024;
    const MARK: char = '…';
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let kept = crate::text::head(text, LONGEST - MARK.len_utf8());
    Cow::Owned(format!("{}{MARK}", kept.trim_end()))
}

/// Returns the id of the event that reports `fingerprint` of `update`.
#[must_use]
pub fn event_id(update: UpdateKey, kind: Kind, fingerprint: Fingerprint) -> EventId {
    EventId(hash(&[
        RULES.as_bytes(),
        update.as_bytes(),
        kind.as_str().as_bytes(),
        fingerprint.as_bytes(),
    ]))
}

impl EventId {
    /// Returns the id of the `n`th event with the same identity: a change that recurred after its
    /// counter was lost.
    #[must_use]
    pub fn again(self, n: u32) -> Self {
        Self(hash(&[RULES.as_bytes(), b"again", self.as_bytes(), &n.to_be_bytes()]))
    }
}

/// Normalizes a text to NFC with whitespace collapsed and without relative times and tracking
/// parameters: what two renderings of the same text have in common.
fn normalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in cosmetic::words(text) {
        if !out.is_empty() {
            out.push(' ');
        }
        let untracked = cosmetic::untracked(word);
        let word = untracked.as_deref().unwrap_or(word);
        if word.is_ascii() {
            out.push_str(word);
        } else {
            out.extend(word.nfc());
        }
    }
    out
}

/// SHA-256 over length-prefixed parts, cut to 128 bits.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendering_does_not_change_a_fingerprint_and_words_do() {
        let a = Fingerprint::new(IncidentStatus::Monitoring, "A fix\n\nis  in place. \u{e9}");
        assert_eq!(
            a,
            Fingerprint::new(IncidentStatus::Monitoring, " A fix is in place. e\u{301}\n")
        );
        let at = |text: &str| Fingerprint::new(IncidentStatus::Monitoring, text);
        assert_eq!(
            at("Seen 2 minutes ago: https://a.example/?utm_id=1"),
            at("Seen an hour ago: https://a.example/?utm_id=2")
        );
        assert_ne!(a, Fingerprint::new(IncidentStatus::Resolved, "A fix is in place. \u{e9}"));
        assert_ne!(
            a,
            Fingerprint::new(IncidentStatus::Monitoring, "A fix is out of place. \u{e9}")
        );
    }

    #[test]
    fn a_long_text_is_compared_whole_and_known_by_its_beginning() {
        let long = |end: &str| format!("{} {end}", "word ".repeat(4_000));
        let print = |text: &str| Fingerprint::new(IncidentStatus::Resolved, text);
        assert_ne!(print(&long("a")), print(&long("b")));
        let each =
            Fingerprint::of_each(&long("a"), &[IncidentStatus::Update, IncidentStatus::Resolved]);
        assert_eq!(each[1], (IncidentStatus::Resolved, print(&long("a"))));
        assert_eq!(print(&beginning(&long("a"))), print(&beginning(&long("b"))));
        let key = |text: &str| {
            UpdateKey::content(IncidentKey::new("p", "i"), IncidentStatus::Update, text)
        };
        assert_eq!(key(&long("a")), key(&long("b")));
        assert_eq!(beginning("short"), "short");
        let cut = beginning(&"ä".repeat(10_000)).into_owned();
        assert!(cut.len() <= 16 * 1024 && cut.ends_with("ä…"));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(IncidentKey::new("ab", "c"), IncidentKey::new("a", "bc"));
    }

    /// These values are in users' databases and downstream systems: they must never change within
    /// v1.
    #[test]
    fn ids_are_pinned() {
        let incident = IncidentKey::new("openai", "01ABC");
        let update = UpdateKey::native(incident, "u1");
        let print = Fingerprint::new(IncidentStatus::Resolved, "All good.");
        assert_eq!(
            event_id(update, Kind::Incident, print).to_string(),
            "4f12b0b9b16baa24b5bccae7d7efec9b"
        );
    }
}
