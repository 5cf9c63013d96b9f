//! [`Written`], an update of a platform that gives its updates no ids: the time is what it is recognised by.

use std::collections::HashMap;

use crate::event::{Status, Time};
use crate::snapshot::{Update, UpdateId};

/// An update without an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// When it was written.
    pub at: Option<Time>,
    /// When its text was last edited, where the platform says so reliably.
    pub edited_at: Option<Time>,
    /// The status it gives the incident.
    pub status: Status,
    /// Plain text.
    pub text: String,
}

/// The updates oldest first, each known by its time and its place among those of the same time. `list` is in the
/// order of the document, which may be either: of two with the same time the order tells which came first.
#[must_use]
pub fn in_order(mut list: Vec<Written>) -> Vec<Update> {
    let newest_first = match (list.first(), list.last()) {
        (Some(first), Some(last)) => first.at > last.at,
        _ => false,
    };
    if newest_first {
        list.reverse();
    }
    list.sort_by_key(|written| written.at);
    let mut places: HashMap<Time, u32> = HashMap::new();
    list.into_iter()
        .map(|written| {
            let id = written.at.map_or(UpdateId::Content, |at| {
                let place = places.entry(at).or_default();
                let ordinal = *place;
                *place += 1;
                UpdateId::Timed(at, ordinal)
            });
            Update { id, status: written.status, published_at: written.at, edited_at: written.edited_at, text: written.text }
        })
        .collect()
}

/// A time as seconds since 1970.
#[must_use]
pub fn epoch(seconds: i64) -> Option<Time> {
    Time::from_timestamp(seconds, 0)
}

/// A time as milliseconds since 1970.
#[must_use]
pub fn epoch_ms(milliseconds: i64) -> Option<Time> {
    Time::from_timestamp_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(at: i64, text: &str) -> Written {
        Written { at: epoch(at), edited_at: None, status: Status::Update, text: text.to_owned() }
    }

    #[test]
    fn either_order_of_the_document_gives_the_same_updates() {
        let oldest_first = vec![written(1, "a"), written(2, "b"), written(2, "c"), written(3, "d")];
        let newest_first: Vec<Written> = oldest_first.iter().rev().cloned().collect();
        let updates = in_order(oldest_first);
        assert_eq!(updates, in_order(newest_first));
        let at = |seconds| epoch(seconds).unwrap();
        let ids: Vec<UpdateId> = updates.into_iter().map(|update| update.id).collect();
        assert_eq!(
            ids,
            [UpdateId::Timed(at(1), 0), UpdateId::Timed(at(2), 0), UpdateId::Timed(at(2), 1), UpdateId::Timed(at(3), 0)]
        );
    }

    #[test]
    fn without_a_time_words_are_all_there_is() {
        let lost = Written { at: None, ..written(0, "x") };
        assert_eq!(in_order(vec![lost])[0].id, UpdateId::Content);
    }
}
