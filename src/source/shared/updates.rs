//! Updates in order, with an identity.

use std::collections::HashMap;

use crate::event::{Status, Time};
use crate::snapshot::{Update, UpdateId};

/// An update as a document has it.
#[derive(Debug, Clone)]
pub struct Written {
    /// The platform's id, where it has one.
    pub id: Option<String>,
    /// When it was written, which orders updates and identifies those without an id.
    pub at: Option<Time>,
    /// The time shown to people, where it is another one.
    pub shown_at: Option<Time>,
    /// When it was last edited, where the platform says.
    pub edited_at: Option<Time>,
    /// The status it gives.
    pub status: Status,
    /// Plain text.
    pub text: String,
}

/// Oldest first: by the native id, else by the time and the place among those of one time, else by the words.
/// `list` is in the order they were written where times are equal or missing. A second one with the same native id is dropped.
#[must_use]
pub fn written(mut list: Vec<Written>) -> Vec<Update> {
    list.sort_by_key(|update| update.at);
    let mut places: HashMap<Time, u32> = HashMap::new();
    let mut ids: std::collections::HashSet<String> = std::collections::HashSet::new();
    let mut out = Vec::with_capacity(list.len());
    for update in list {
        let id = match (update.id, update.at) {
            (Some(id), _) if ids.insert(id.clone()) => UpdateId::Native(id),
            (Some(_), _) => continue,
            (None, Some(at)) => {
                let place = places.entry(at).or_insert(0);
                *place += 1;
                UpdateId::Timed(at, *place - 1)
            }
            (None, None) => UpdateId::Content,
        };
        out.push(Update {
            id,
            status: update.status,
            published_at: update.shown_at.or(update.at),
            edited_at: update.edited_at,
            text: update.text,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: Option<&str>, at: Option<i64>, text: &str) -> Written {
        Written {
            id: id.map(str::to_owned),
            at: at.and_then(|at| Time::from_timestamp(at, 0)),
            shown_at: None,
            edited_at: None,
            status: Status::Update,
            text: text.to_owned(),
        }
    }

    #[test]
    fn order_and_identity() {
        let list = vec![
            one(Some("b"), Some(5), "b"),
            one(None, Some(3), "c"),
            one(None, Some(3), "d"),
            one(Some("b"), Some(9), "again"),
            one(None, None, "e"),
        ];
        let told: Vec<(UpdateId, String)> = written(list).into_iter().map(|update| (update.id, update.text)).collect();
        let at = Time::from_timestamp(3, 0).unwrap();
        let expected = [
            (UpdateId::Content, "e"),
            (UpdateId::Timed(at, 0), "c"),
            (UpdateId::Timed(at, 1), "d"),
            (UpdateId::Native("b".to_owned()), "b"),
        ];
        assert_eq!(told, expected.map(|(id, text)| (id, text.to_owned())));
    }
}
