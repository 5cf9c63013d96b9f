//! What an update is recognised by, and which fingerprints of the past mean the words it has now.
//! Depends on its arguments alone.
//!
//! Three things change a fingerprint without an edit. A status that the update does not state
//! itself is no part of it, but was one until 0.1.0. Long texts were compared cut until then. And
//! a newer parser may read other words in the same document.

use super::reconcile::SeenVersion;
use crate::event::{Fingerprint, IncidentKey, Status, UpdateKey, beginning, format_time};
use crate::snapshot::{Update, UpdateId};

/// What an update is recognised by.
pub(super) struct Recognized {
    /// Whatever it says.
    pub(super) key: UpdateKey,
    /// The `update_id` it is shown with.
    pub(super) shown: String,
    /// What it says.
    pub(super) fingerprint: Fingerprint,
}

/// Recognises an update of `incident`.
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

fn key(incident: IncidentKey, update: &Update, status: Status) -> UpdateKey {
    match &update.id {
        UpdateId::Native(id) => UpdateKey::native(incident, id),
        UpdateId::Timed(time, ordinal) => UpdateKey::timed(incident, *time, *ordinal),
        UpdateId::Content | UpdateId::Latest => UpdateKey::content(incident, status, &update.text),
    }
}

/// The fingerprints under which the words of an update may have been remembered before.
pub(super) struct Former {
    /// Of the update as it is recognised now.
    key: UpdateKey,
    /// With the whole text, by the key it was remembered under.
    whole: Vec<(UpdateKey, Fingerprint)>,
    /// With the beginning of a long text alone.
    cut: Vec<(UpdateKey, Fingerprint)>,
}

impl Former {
    /// Of `update`; `reread`: by another version of the parser, which may have read another status.
    pub(super) fn of(incident: IncidentKey, update: &Update, reread: bool) -> Self {
        // What states no status is recognised by its words alone.
        let any = reread || update.stated == Status::Update || update.stated != update.status;
        let stated = [update.stated];
        let statuses = if any { Status::ALL } else { &stated };
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

    /// The version among those `seen` that had the same words.
    ///
    /// A text that was remembered cut is taken for the one listed first after that, once: what is
    /// found then is remembered whole under the same revision, and differs from later edits.
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

    /// Whether `print` is one of these, under whichever key.
    pub(super) fn contains(&self, print: Fingerprint) -> bool {
        self.whole.iter().chain(&self.cut).any(|(_, former)| *former == print)
    }
}
