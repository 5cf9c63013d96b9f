//! Updates of platforms that give them no ids.

use std::collections::HashMap;

use crate::event::{Status, Time};
use crate::snapshot::{Update, UpdateId};

/// An update as a platform writes it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The platform's own id, where it has one after all.
    pub id: Option<String>,
    /// What it gives the incident.
    pub status: Status,
    /// When it was written.
    pub at: Option<Time>,
    /// When it was last edited.
    pub edited_at: Option<Time>,
    /// Plain text.
    pub text: String,
}

impl Written {
    /// An update of which no more is known than its time.
    #[must_use]
    pub fn new(status: Status, at: Option<Time>, text: String) -> Self {
        Self { id: None, status, at, edited_at: None, text }
    }
}

/// For platforms that say when an incident ended and not which update said so: those from then on are the end of it,
/// and where there is none yet, the end itself is told without words.
pub fn end_at(list: &mut Vec<Written>, over: Status, at: Option<Time>) {
    let Some(at) = at else { return };
    let mut told = false;
    for written in list.iter_mut().filter(|written| written.at.is_some_and(|written| written >= at)) {
        written.status = over;
        told = true;
    }
    if !told {
        list.push(Written::new(over, Some(at), String::new()));
    }
}

/// The updates of one incident, oldest first: recognised by id, else by time and place among those of the same
/// time, else by their words. `list` is written newest first if `newest_first`: that decides between equal times.
#[must_use]
pub fn timed(mut list: Vec<Written>, newest_first: bool) -> Vec<Update> {
    if newest_first {
        list.reverse();
    }
    // Without a time there is nothing to sort by, and the order of the document is kept.
    if list.iter().all(|written| written.at.is_some()) {
        list.sort_by_key(|written| written.at);
    }
    let mut places: HashMap<Time, u32> = HashMap::new();
    list.into_iter()
        .map(|written| {
            let id = match (written.id, written.at) {
                (Some(id), _) => UpdateId::Native(id),
                (None, Some(at)) => {
                    let place = places.entry(at).or_default();
                    *place += 1;
                    UpdateId::Timed(at, *place - 1)
                }
                (None, None) => UpdateId::Content,
            };
            Update { id, status: written.status, published_at: written.at, edited_at: written.edited_at, text: written.text }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    #[test]
    fn equal_times_are_told_apart_by_place_from_the_oldest_on() {
        let at = |text: &str| parse_time(text);
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T01:00:00Z"));
        let written = |time, text: &str| Written::new(Status::Update, time, text.to_owned());
        let read = timed(vec![written(late, "c"), written(early, "b"), written(early, "a")], true);
        assert_eq!(read.iter().map(|update| update.text.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        let ids: Vec<&UpdateId> = read.iter().map(|update| &update.id).collect();
        let early = early.unwrap();
        assert_eq!(ids[..2], [&UpdateId::Timed(early, 0), &UpdateId::Timed(early, 1)]);
    }

    #[test]
    fn an_end_is_told_once_whether_or_not_an_update_tells_it() {
        let at = |text: &str| parse_time(text);
        let end = at("2026-01-01T01:00:00Z");
        let mut list = vec![Written::new(Status::Investigating, at("2026-01-01T00:00:00Z"), "a".into())];
        end_at(&mut list, Status::Resolved, end);
        assert_eq!(list.iter().map(|written| (written.status, written.at)).collect::<Vec<_>>()[1], (Status::Resolved, end));
        let mut list = vec![Written::new(Status::Update, end, "b".into()), list.remove(0)];
        end_at(&mut list, Status::Resolved, end);
        assert_eq!(list.iter().map(|written| written.status).collect::<Vec<_>>(), [Status::Resolved, Status::Investigating]);
    }

    #[test]
    fn without_a_time_the_words_are_all_there_is() {
        let read =
            timed(vec![Written::new(Status::Update, None, "b".into()), Written::new(Status::Update, None, "a".into())], true);
        assert_eq!(
            read.iter().map(|update| (&update.id, update.text.as_str())).collect::<Vec<_>>(),
            [(&UpdateId::Content, "a"), (&UpdateId::Content, "b")]
        );
    }
}
