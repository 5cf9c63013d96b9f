//! The forms of `status_words.tsv` as an in-memory table.

use std::collections::HashMap;
use std::sync::LazyLock;

use statuswatch_model::event::{IncidentStatus, Kind};

const DATA: &str = include_str!("status_words.tsv");

/// Longest form of a script without spaces between words, in characters.
pub(super) const LONGEST_RUN: usize = 16;

/// What a form means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An incident status, and where the form counts besides being a label.
    Status { status: IncidentStatus, start: bool, end: bool, phrase: bool },
    /// Neutral next to a label, but possibly specific to one kind.
    Filler(Option<Kind>),
    /// Negates an end.
    Guard(Reach),
}

/// The position of a guard relative to the phrase it negates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The word before.
    Adjacent,
    /// Within a few words before.
    Near,
    /// Within a few words after.
    After,
    /// Anywhere in the title.
    Title,
}

/// A form: its words and its meaning.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) words: Vec<&'static str>,
    pub(super) meaning: Meaning,
}

/// The forms by first word, longest first.
static FORMS: LazyLock<HashMap<&'static str, Vec<Form>>> = LazyLock::new(|| {
    let mut forms: HashMap<&'static str, Vec<Form>> = HashMap::new();
    for form in rows().filter_map(|columns| read(&columns)) {
        if let Some(first) = form.words.first() {
            forms.entry(first).or_default().push(form);
        }
    }
    for list in forms.values_mut() {
        list.sort_by_key(|form| std::cmp::Reverse(form.words.len()));
    }
    forms
});

/// Returns the longest form at the start of `words`.
pub(super) fn at<'t>(words: &(impl Iterator<Item = &'t str> + Clone)) -> Option<&'static Form> {
    let list = FORMS.get(words.clone().next()?)?;
    list.iter().find(|form| {
        let mut words = words.clone();
        form.words.iter().all(|word| words.next() == Some(*word))
    })
}

/// Returns whether `word` is a form of one word.
pub(super) fn is_word(word: &str) -> bool {
    FORMS.get(word).is_some_and(|list| list.iter().any(|form| form.words.len() == 1))
}

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    let lines = DATA.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split('\t').collect())
}

fn read(columns: &[&'static str]) -> Option<Form> {
    let [words, status, place, _source] = columns else { return None };
    let meaning = match (*status, *place) {
        ("-", "filler") => Meaning::Filler(None),
        ("-", "filler incident") => Meaning::Filler(Some(Kind::Incident)),
        ("-", "filler maintenance") => Meaning::Filler(Some(Kind::Maintenance)),
        ("-", "adjacent") => Meaning::Guard(Reach::Adjacent),
        ("-", "near") => Meaning::Guard(Reach::Near),
        ("-", "after") => Meaning::Guard(Reach::After),
        ("-", "title") => Meaning::Guard(Reach::Title),
        (status, place) => {
            let known =
                place.split(' ').all(|word| matches!(word, "label" | "start" | "end" | "phrase"));
            known.then_some(())?;
            let counts = |wanted: &str| place.split(' ').any(|word| word == wanted);
            Meaning::Status {
                status: status.parse().ok()?,
                start: counts("start"),
                end: counts("end"),
                phrase: counts("phrase"),
            }
        }
    };
    Some(Form { words: words.split(' ').collect(), meaning })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::support::fold::{fold, is_unspaced};

    #[test]
    fn every_row_means_something_and_no_form_two_things() {
        let mut seen = HashSet::new();
        for columns in rows() {
            assert!(read(&columns).is_some(), "{columns:?}");
            assert!(seen.insert(columns[0]), "{columns:?}");
            assert_eq!(fold(columns[0]), columns[0]);
            assert!(!columns[3].is_empty(), "{columns:?}");
            let unspaced = columns[0].chars().all(is_unspaced);
            assert!(unspaced || columns[0].chars().all(|c| c.is_ascii_lowercase() || c == ' '));
            assert!(columns[0].chars().count() <= if unspaced { LONGEST_RUN } else { 60 });
        }
        assert!(seen.len() > 400);
    }
}
