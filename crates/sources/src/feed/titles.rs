//! Extracts the status of an incident from its title: a label in any position, or a phrase.
//!
//! A title is split into segments (separated by brackets, colons, dashes, symbols) of words, and
//! each word is looked up once among the [`forms`] of many languages. Anything not understood is
//! `None`: a word within a sentence is not a label, and an end that is negated by the words around
//! it does not count.

#[cfg(test)]
mod tests;

use super::forms::{self, Form, LONGEST_RUN, Meaning, Reach};
use super::vocabulary;
use crate::support::fold::{fold, is_unspaced, unspaced_word};
use statuswatch_model::event::{IncidentStatus, Kind};

/// How much of a title is examined, in characters.
const LOOKED_AT: usize = 300;

/// Maximum distance between a guard and what it negates, in words.
const NEAR: usize = 3;

/// A word of a title.
#[derive(Debug)]
struct Word {
    /// Folded.
    text: String,
    /// Written in capitals.
    capitals: bool,
    /// The index of its segment.
    segment: usize,
}

/// A form found in the title.
#[derive(Debug, Clone, Copy)]
struct Found {
    form: &'static Form,
    /// The range of its words.
    from: usize,
    to: usize,
    segment: usize,
}

/// How certain it is that a form names the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// At the start or the end.
    Edge,
    /// A phrase within a sentence.
    Phrase,
    /// It stands alone.
    Label,
}

/// Returns the status that a title names.
pub(super) fn status(title: &str) -> Option<IncidentStatus> {
    let words = split(title);
    let found = find(&words);
    let named = found.iter().filter_map(|one| {
        let Meaning::Status { status, .. } = one.form.meaning else { return None };
        Some((certainty(&words, &found, *one)?, progress(status), status, one.segment))
    });
    let (.., status, segment) =
        named.max_by_key(|(certainty, progress, ..)| (*certainty, *progress))?;
    Some(of_its_kind(status, segment, &words, &found))
}

/// Returns the status named by a short text that is nothing but a label.
pub(super) fn label(text: &str) -> Option<IncidentStatus> {
    let words = split(text);
    let found = find(&words);
    let labels = found.iter().filter_map(|one| match one.form.meaning {
        Meaning::Status { status, .. } if is_label(&words, &found, one.segment) => Some(status),
        _ => None,
    });
    labels.max_by_key(|status| progress(*status))
}

/// Adapts a status to its kind: "completed" of an incident means resolved, "resolved" of a
/// maintenance completed.
fn of_its_kind(
    status: IncidentStatus,
    segment: usize,
    words: &[Word],
    found: &[Found],
) -> IncidentStatus {
    let also_listed = |kind: Kind| {
        found
            .iter()
            .any(|one| one.segment == segment && one.form.meaning == Meaning::Filler(Some(kind)))
    };
    let announced = found.iter().any(|one| match one.form.meaning {
        Meaning::Status { status, .. } => {
            vocabulary::kind(status) == Some(Kind::Maintenance)
                && !status.is_over()
                && (is_label(words, found, one.segment) || one.from == 0)
        }
        _ => false,
    });
    match status {
        IncidentStatus::Resolved if announced || also_listed(Kind::Maintenance) => {
            IncidentStatus::Completed
        }
        IncidentStatus::Completed if !announced && also_listed(Kind::Incident) => {
            IncidentStatus::Resolved
        }
        status => status,
    }
}

/// Returns how certain it is that a form names the status; `None` for an ordinary word.
fn certainty(words: &[Word], found: &[Found], one: Found) -> Option<Certainty> {
    let Meaning::Status { status, start, end, phrase } = one.form.meaning else { return None };
    let whole = one.to - one.from;
    if is_label(words, found, one.segment) {
        return Some(Certainty::Label);
    }
    let first = one.from == 0;
    let goes_on = words.get(one.to).is_some_and(|next| next.segment == one.segment);
    // "RESOLVED Mail is slow": capitals set it apart as well as a colon would.
    let capitals = |range: std::ops::Range<usize>| {
        words.get(range).is_some_and(|words| words.iter().all(|word| word.capitals))
    };
    if first && goes_on && capitals(0..whole) && !capitals(0..words.len()) {
        return Some(Certainty::Label);
    }
    if status.is_over() && is_negated(words, found, one) {
        return None;
    }
    if phrase {
        return Some(Certainty::Phrase);
    }
    let last = one.to == words.len();
    ((first && start) || (last && end)).then_some(Certainty::Edge)
}

/// Returns whether a segment consists of nothing but status forms, fillers and numbers.
fn is_label(words: &[Word], found: &[Found], segment: usize) -> bool {
    let known = |place: usize| {
        found.iter().any(|one| {
            (one.from..one.to).contains(&place) && !matches!(one.form.meaning, Meaning::Guard(_))
        })
    };
    words
        .iter()
        .enumerate()
        .filter(|(_, word)| word.segment == segment)
        .all(|(place, word)| word.text.bytes().all(|byte| byte.is_ascii_digit()) || known(place))
}

/// Returns whether the words around a phrase negate it: not, not quite, or not yet.
fn is_negated(words: &[Word], found: &[Found], one: Found) -> bool {
    let same = |place: usize| words.get(place).is_some_and(|word| word.segment == one.segment);
    found.iter().any(|guard| match guard.form.meaning {
        Meaning::Guard(Reach::Title) => true,
        Meaning::Guard(Reach::Adjacent) => guard.to == one.from && same(guard.from),
        Meaning::Guard(Reach::Near) => {
            guard.to <= one.from && one.from - guard.to < NEAR && same(guard.from)
        }
        Meaning::Guard(Reach::After) => guard.from >= one.to && guard.from - one.to < NEAR,
        _ => false,
    })
}

/// Ranks statuses by progress: people add the new status to a title and leave the old one.
const fn progress(status: IncidentStatus) -> u8 {
    match status {
        IncidentStatus::Scheduled => 1,
        IncidentStatus::InProgress => 2,
        IncidentStatus::Verifying => 3,
        IncidentStatus::Investigating => 4,
        IncidentStatus::Identified => 5,
        IncidentStatus::Monitoring => 6,
        IncidentStatus::Completed | IncidentStatus::Resolved => 7,
        IncidentStatus::Withdrawn => 8,
        IncidentStatus::Postmortem => 9,
        IncidentStatus::Update => 0,
    }
}

/// Returns the forms of a title, the longest at each position, without overlaps.
fn find(words: &[Word]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(word) = words.get(from) {
        let segment = word.segment;
        let rest = words.iter().skip(from).take_while(|word| word.segment == segment);
        let form = forms::at(&rest.map(|word| word.text.as_str()));
        let to = from + form.map_or(1, |form| form.words.len());
        if let Some(form) = form {
            found.push(Found { form, from, to, segment });
        }
        from = to;
    }
    found
}

/// Splits a title into words with their segments.
fn split(title: &str) -> Vec<Word> {
    let end = title.char_indices().nth(LOOKED_AT).map_or(title.len(), |(at, _)| at);
    let title = title.get(..end).unwrap_or(title);
    let mut out = Words { list: Vec::new(), word: String::new(), segment: 0 };
    let mut before = ' ';
    let mut chars = title.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        if c.is_alphanumeric() || is_mark(c) {
            out.word.push(c);
        } else if is_between_words(c, before, after) {
            out.end_word();
        } else {
            out.end_segment();
        }
        before = c;
    }
    out.end_word();
    out.list
}

/// Returns whether a character is a combining mark, which belongs to the letter before it.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}')
}

/// Returns whether a character separates words but not segments: spaces, quotes, and what occurs
/// within words or numbers.
fn is_between_words(c: char, before: char, after: char) -> bool {
    match c {
        '\'' | '’' | '_' | '&' | '+' | '%' | '#' | '"' | '“' | '”' | '„' | '‘' => true,
        ':' => before.is_ascii_digit() && after.is_ascii_digit(),
        '-' | '\u{2010}' | '\u{2011}' | '/' | '.' | ',' => {
            !before.is_whitespace() && !after.is_whitespace()
        }
        c => c.is_whitespace() || is_invisible(c),
    }
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
}

struct Words {
    list: Vec<Word>,
    word: String,
    segment: usize,
}

impl Words {
    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if word.is_empty() {
            return;
        }
        let letters = || word.chars().filter(|c| c.is_alphabetic());
        let capitals = letters().count() > 1 && letters().all(char::is_uppercase);
        let text = fold(&word);
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let end = if is_unspaced(first) {
                unspaced_word(rest, LONGEST_RUN, forms::is_word)
            } else {
                rest.find(is_unspaced).unwrap_or(rest.len())
            };
            let Some((word, after)) = rest.split_at_checked(end) else { break };
            self.list.push(Word { text: word.to_owned(), capitals, segment: self.segment });
            rest = after;
        }
    }

    fn end_segment(&mut self) {
        self.end_word();
        self.segment += 1;
    }
}
