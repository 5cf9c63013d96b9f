//! Identifies updates, and finds older fingerprints that mean the same content. Pure.
//!
//! Three things change a fingerprint without an edit. A status that the update does not state
//! itself is not part of it, but was before 0.1.0. Long texts were truncated before comparison
//! until then. And a newer parser may extract different text from the same document.

use super::reconcile::SeenVersion;
use crate::event::{Fingerprint, IncidentKey, IncidentStatus, UpdateKey, beginning, format_time};
use crate::snapshot::{Update, UpdateId};

/// The identity of an update.
pub(super) struct Recognized {
    /// Its key, independent of its content.
    pub(super) key: UpdateKey,
    /// The displayed `update_id`.
    pub(super) shown: String,
    /// The fingerprint of its content.
    pub(super) fingerprint: Fingerprint,
}

/// Identifies an update of `incident`.
pub(super) fn recognize(incident: IncidentKey, update: &Update) -> Recognized {
    let fingerprint = Fingerprint::new(update.stated, &update.text);
    let key = key(incident, update, update.stated);
    let shown = match &update.id {
        UpdateId::Native(id) => id.clone(),
        UpdateId::Timed(time, 0) => format_time(*time),
        UpdateId::Timed(time, ordinal) => format!("{}#{ordinal}", format_time(*time)),
        UpdateId::Content | UpdateId::Latest => {
            let print = Fingerprint::new(update.stated, &beginning(&update.text));
            print.to_string().chars().take(16).collect()
        }
    };
    Recognized { key, shown, fingerprint }
}

fn key(incident: IncidentKey, update: &Update, status: IncidentStatus) -> UpdateKey {
    match &update.id {
        UpdateId::Native(id) => UpdateKey::native(incident, id),
        UpdateId::Timed(time, ordinal) => UpdateKey::timed(incident, *time, *ordinal),
        UpdateId::Content | UpdateId::Latest => UpdateKey::content(incident, status, &update.text),
    }
}

/// Older fingerprints under which an update may be stored.
pub(super) struct Former {
    /// The update's current key.
    key: UpdateKey,
    /// Fingerprints of the full text, with the key it was stored under.
    whole: Vec<(UpdateKey, Fingerprint)>,
    /// Fingerprints of the beginning of a long text.
    cut: Vec<(UpdateKey, Fingerprint)>,
}

impl Former {
    /// Computes the older fingerprints of `update`. `reread`: it was parsed by another version of
    /// the source, which may have extracted a different status.
    pub(super) fn of(incident: IncidentKey, update: &Update, reread: bool) -> Self {
        // An update without a status is identified by its text alone.
        let any =
            reread || update.stated == IncidentStatus::Update || update.stated != update.status;
        let stated = [update.stated];
        let statuses = if any { IncidentStatus::ALL } else { &stated };
        let remembered = |text: &str| -> Vec<(UpdateKey, Fingerprint)> {
            let prints = Fingerprint::of_each(text, statuses).into_iter();
            let keyed = prints.map(|(status, print)| (key(incident, update, status), print));
            keyed.collect()
        };
        let beginning = beginning(&update.text);
        let is_long = beginning.len() < update.text.len();
        Self {
            key: key(incident, update, update.stated),
            whole: if any { remembered(&update.text) } else { Vec::new() },
            cut: if is_long { remembered(&beginning) } else { Vec::new() },
        }
    }

    /// Returns the version in `seen` that had the same text.
    ///
    /// A text stored truncated matches the first listed candidate once: it is then stored in full
    /// under the same revision and differs from later edits.
    pub(super) fn known<'s>(&self, seen: &'s [SeenVersion]) -> Option<&'s SeenVersion> {
        let among = |list: &[(UpdateKey, Fingerprint)], seen: &SeenVersion| {
            list.contains(&(seen.update, seen.fingerprint))
        };
        let alone = |one: &SeenVersion| {
            let same = |other: &&SeenVersion| {
                [one.update, self.key].contains(&other.update) && other.revision == one.revision
            };
            seen.iter().filter(same).count() == 1
        };
        let whole = seen.iter().find(|seen| among(&self.whole, seen));
        whole.or_else(|| seen.iter().find(|seen| among(&self.cut, seen) && alone(seen)))
    }

    /// Returns whether `print` is one of these, under any key.
    pub(super) fn contains(&self, print: Fingerprint) -> bool {
        self.whole.iter().chain(&self.cut).any(|(_, former)| *former == print)
    }
}
