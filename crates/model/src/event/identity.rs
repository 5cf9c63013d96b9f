//! Identities, derived from content alone: a restored or second database makes the same ids again.
//!
//! ```text
//! incident_key  H(provider, native id)
//! update_key    H(incident_key, native update id)   or   H(incident_key, time, ordinal)
//!               or   H(incident_key, status, text)
//! fingerprint   H(stated status, text)              what makes a revision
//! event id      H("v1", update_key, kind, fingerprint)
//! ```
//!
//! Text is compared whole, in NFC with white space collapsed, without relative times ("5 minutes
//! ago") and tracking parameters, so a re-rendered page is not news. Until 0.1.0 it was compared
//! cut, see [`beginning`]: such fingerprints are in databases and are recognised.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::{Kind, Status, Time, cosmetic};

/// The rules of identity; a change of the rules needs a migration that recomputes all keys.
const RULES: &str = "v1";

macro_rules! keys {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The bytes as the database keeps them.
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
    /// Recognises an incident or maintenance of one provider.
    IncidentKey,
    /// Recognises an update of one incident, whatever its text says by now.
    UpdateKey,
    /// What an update says; another fingerprint under the same key is an edit.
    Fingerprint,
    /// Recognises an event everywhere and for ever.
    EventId,
}

impl IncidentKey {
    /// Of a native id, unique within the provider.
    #[must_use]
    pub fn new(provider: &str, native_id: &str) -> Self {
        Self(hash(&[b"incident", provider.as_bytes(), native_id.as_bytes()]))
    }
}

impl UpdateKey {
    /// Of an update with an id of its own.
    #[must_use]
    pub fn native(incident: IncidentKey, native_id: &str) -> Self {
        Self(hash(&[b"native", incident.as_bytes(), native_id.as_bytes()]))
    }

    /// Of an update that is known by its time (and its place among equals) alone.
    #[must_use]
    pub fn timed(incident: IncidentKey, time: Time, ordinal: u32) -> Self {
        Self(hash(&[
            b"timed",
            incident.as_bytes(),
            &time.timestamp_millis().to_be_bytes(),
            &ordinal.to_be_bytes(),
        ]))
    }

    /// Of an update that has neither id nor time: its words are all there is, of a very long text
    /// its [`beginning`].
    #[must_use]
    pub fn content(incident: IncidentKey, status: Status, text: &str) -> Self {
        let text = normalize(&beginning(text));
        Self(hash(&[b"content", incident.as_bytes(), status.as_str().as_bytes(), text.as_bytes()]))
    }

    /// Of a change that is no written update: an impact that rose, a window that moved.
    #[must_use]
    pub fn change(incident: IncidentKey, what: &str, parts: &[&str]) -> Self {
        let mut all: Vec<&[u8]> = vec![b"change", incident.as_bytes(), what.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        Self(hash(&all))
    }

    /// The id under which such a change is shown: its kind and the beginning of this key.
    #[must_use]
    pub fn shown(self, what: &str) -> String {
        let key = self.to_string();
        format!("{what}-{}", key.get(..12).unwrap_or(&key))
    }
}

impl Fingerprint {
    /// Of what an update says: the status it states itself, and its whole text.
    #[must_use]
    pub fn new(status: Status, text: &str) -> Self {
        Self(hash(&[status.as_str().as_bytes(), normalize(text).as_bytes()]))
    }

    /// Of one text under each of several statuses.
    #[must_use]
    pub fn of_each(text: &str, statuses: &[Status]) -> Vec<(Status, Self)> {
        let text = normalize(text);
        let print = |status: Status| Self(hash(&[status.as_str().as_bytes(), text.as_bytes()]));
        statuses.iter().map(|status| (*status, print(*status))).collect()
    }
}

/// As much of a text as was compared until 0.1.0: 16 KiB of it, the mark of the cut included. The
/// cut may lie within a grapheme cluster; it is part of identities and stays where it is.
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

/// The id of the event that tells `fingerprint` of `update`.
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
    /// The id of the `n`th event whose identity is that of this one: a change that happened again
    /// and whose count was lost.
    #[must_use]
    pub fn again(self, n: u32) -> Self {
        Self(hash(&[RULES.as_bytes(), b"again", self.as_bytes(), &n.to_be_bytes()]))
    }
}

/// NFC, white space collapsed, without relative times and tracking parameters: what two renderings
/// of one text have in common.
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
        let a = Fingerprint::new(Status::Monitoring, "A fix\n\nis  in place. \u{e9}");
        assert_eq!(a, Fingerprint::new(Status::Monitoring, " A fix is in place. e\u{301}\n"));
        let at = |text: &str| Fingerprint::new(Status::Monitoring, text);
        assert_eq!(
            at("Seen 2 minutes ago: https://a.example/?utm_id=1"),
            at("Seen an hour ago: https://a.example/?utm_id=2")
        );
        assert_ne!(a, Fingerprint::new(Status::Resolved, "A fix is in place. \u{e9}"));
        assert_ne!(a, Fingerprint::new(Status::Monitoring, "A fix is out of place. \u{e9}"));
    }

    #[test]
    fn a_long_text_is_compared_whole_and_known_by_its_beginning() {
        let long = |end: &str| format!("{} {end}", "word ".repeat(4_000));
        let print = |text: &str| Fingerprint::new(Status::Resolved, text);
        assert_ne!(print(&long("a")), print(&long("b")));
        let each = Fingerprint::of_each(&long("a"), &[Status::Update, Status::Resolved]);
        assert_eq!(each[1], (Status::Resolved, print(&long("a"))));
        assert_eq!(print(&beginning(&long("a"))), print(&beginning(&long("b"))));
        let key = |text: &str| UpdateKey::content(IncidentKey::new("p", "i"), Status::Update, text);
        assert_eq!(key(&long("a")), key(&long("b")));
        assert_eq!(beginning("short"), "short");
        let cut = beginning(&"ä".repeat(10_000)).into_owned();
        assert!(cut.len() <= 16 * 1024 && cut.ends_with("ä…"));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(IncidentKey::new("ab", "c"), IncidentKey::new("a", "bc"));
    }

    /// These values are in users' databases and at their receivers: they may never change within
    /// v1.
    #[test]
    fn ids_are_pinned() {
        let incident = IncidentKey::new("openai", "01ABC");
        let update = UpdateKey::native(incident, "u1");
        let print = Fingerprint::new(Status::Resolved, "All good.");
        assert_eq!(
            event_id(update, Kind::Incident, print).to_string(),
            "4f12b0b9b16baa24b5bccae7d7efec9b"
        );
    }
}
