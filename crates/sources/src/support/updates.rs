//! [`RawUpdate`], an update as it is in a document, and [`order_updates`], which orders updates and
//! gives each its identity.

use std::collections::{HashMap, HashSet};

use statuswatch_model::event::{IncidentStatus, Time};
use statuswatch_model::snapshot::{Update, UpdateId};

/// An update as it is in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawUpdate {
    /// The platform's own id, where it has one.
    pub id: Option<String>,
    /// The status it gives the incident.
    pub status: IncidentStatus,
    /// The status written in the update itself, see [`Update::stated`].
    pub stated: IncidentStatus,
    /// When it was written; orders updates and identifies those without an id.
    pub at: Option<Time>,
    /// The displayed time, if different.
    pub shown_at: Option<Time>,
    /// When it was last edited, if the platform reports that reliably.
    pub edited_at: Option<Time>,
    /// Plain text.
    pub text: String,
}

impl RawUpdate {
    /// Creates an update that states `status` and has only a time.
    #[must_use]
    pub fn new(status: IncidentStatus, at: Option<Time>, text: String) -> Self {
        Self { id: None, status, stated: status, at, shown_at: None, edited_at: None, text }
    }

    /// Creates an update that states no status; `status` is inferred from its position in the list,
    /// its time or its context.
    #[must_use]
    pub fn concluded(status: IncidentStatus, at: Option<Time>, text: String) -> Self {
        Self { stated: IncidentStatus::Update, ..Self::new(status, at, text) }
    }
}

/// The order in which a platform lists updates; decides between updates of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    OldestFirst,
    /// Newest first.
    NewestFirst,
    /// Either order occurs: the first and the last time decide. Where these are equal, newest first
    /// is assumed.
    MostlyNewestFirst,
    /// Either order occurs, and where the first and the last time are equal, oldest first is
    /// assumed.
    MostlyOldestFirst,
}

/// Returns the list oldest first; updates of the same time keep the platform's order.
#[must_use]
pub fn oldest_first<T>(mut list: Vec<T>, order: Order, at: impl Fn(&T) -> Option<Time>) -> Vec<T> {
    let (first, last) = (list.first().and_then(&at), list.last().and_then(&at));
    let newest_first = match order {
        Order::OldestFirst => false,
        Order::NewestFirst => true,
        Order::MostlyNewestFirst => first >= last,
        Order::MostlyOldestFirst => first > last,
    };
    if newest_first {
        list.reverse();
    }
    list
}

/// Returns the updates oldest first, each with its identity: its id, else its time and position
/// among those of the same time, else its text.
///
/// An update without a time stays after its predecessor. A second update with the same id is
/// dropped.
#[must_use]
pub fn order_updates(list: impl IntoIterator<Item = RawUpdate>, order: Order) -> Vec<Update> {
    let list = oldest_first(list.into_iter().collect(), order, |written: &RawUpdate| written.at);
    let mut before = None;
    let mut placed: Vec<(Option<Time>, RawUpdate)> = Vec::with_capacity(list.len());
    for written in list {
        before = written.at.or(before);
        placed.push((before, written));
    }
    placed.sort_by_key(|(at, _)| *at);
    let mut ids: HashSet<String> = HashSet::new();
    let mut places: HashMap<Time, u32> = HashMap::new();
    let mut updates = Vec::with_capacity(placed.len());
    for (_, RawUpdate { id, status, stated, at, shown_at, edited_at, text }) in placed {
        let id = match (id, at) {
            (Some(id), _) if ids.insert(id.clone()) => UpdateId::Native(id),
            (Some(_), _) => continue,
            (None, Some(at)) => {
                let place = places.entry(at).or_default();
                *place += 1;
                UpdateId::Timed(at, *place - 1)
            }
            (None, None) => UpdateId::Content,
        };
        let published_at = shown_at.or(at);
        updates.push(Update { id, status, stated, published_at, edited_at, text });
    }
    updates
}

/// Marks the end of an incident, for platforms that report when an incident ended but not which
/// update ended it. Updates from that time on get the final status; where there is none yet, an
/// update without text is added.
pub fn end_at(list: &mut Vec<RawUpdate>, over: IncidentStatus, at: Option<Time>) {
    let Some(at) = at else { return };
    let mut identities = false;
    for written in list.iter_mut().filter(|written| written.at.is_some_and(|written| written >= at))
    {
        written.status = over;
        identities = true;
    }
    if !identities {
        list.push(RawUpdate::new(over, Some(at), String::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(seconds, 0).unwrap()
    }

    fn one(seconds: Option<i64>, text: &str) -> RawUpdate {
        RawUpdate::new(IncidentStatus::Update, seconds.map(at), text.to_owned())
    }

    fn native(id: &str, seconds: Option<i64>, text: &str) -> RawUpdate {
        RawUpdate { id: Some(id.to_owned()), ..one(seconds, text) }
    }

    fn identities(updates: Vec<Update>) -> Vec<(UpdateId, String)> {
        updates.into_iter().map(|update| (update.id, update.text)).collect()
    }

    #[test]
    fn an_update_is_identified_by_id_else_by_time_and_position_else_by_text() {
        let list = [
            one(None, "a"),
            native("b", Some(5), "b"),
            one(Some(3), "c"),
            one(Some(3), "d"),
            native("b", Some(9), "again"),
            one(None, "e"),
        ];
        let expected = [
            (UpdateId::Content, "a"),
            (UpdateId::Timed(at(3), 0), "c"),
            (UpdateId::Timed(at(3), 1), "d"),
            (UpdateId::Native("b".to_owned()), "b"),
            (UpdateId::Content, "e"),
        ];
        assert_eq!(
            identities(order_updates(list, Order::OldestFirst)),
            expected.map(|(id, text)| (id, text.to_owned()))
        );
    }

    #[test]
    fn the_order_of_the_document_makes_no_difference() {
        let list = [
            one(Some(1), "a"),
            one(Some(2), "b"),
            one(Some(2), "c"),
            one(None, "d"),
            one(Some(3), "e"),
        ];
        let oldest_first = identities(order_updates(list.clone(), Order::OldestFirst));
        assert_eq!(
            oldest_first.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c", "d", "e"]
        );
        assert_eq!(identities(order_updates(list.clone(), Order::MostlyNewestFirst)), oldest_first);
        let ids: Vec<UpdateId> = oldest_first.into_iter().map(|(id, _)| id).collect();
        let timed = |seconds, place| UpdateId::Timed(at(seconds), place);
        assert_eq!(ids, [timed(1, 0), timed(2, 0), timed(2, 1), UpdateId::Content, timed(3, 0)]);
        let reversed = [one(Some(3), "e"), one(Some(2), "c"), one(Some(2), "b"), one(Some(1), "a")];
        for order in [Order::NewestFirst, Order::MostlyNewestFirst, Order::MostlyOldestFirst] {
            let read = identities(order_updates(reversed.clone(), order));
            assert_eq!(
                read.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
                ["a", "b", "c", "e"]
            );
            assert_eq!(
                read.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(),
                [timed(1, 0), timed(2, 0), timed(2, 1), timed(3, 0)]
            );
        }
    }

    #[test]
    fn where_all_times_are_equal_the_platform_decides() {
        let list = [one(Some(1), "a"), one(Some(1), "b")];
        for (order, expected) in [
            (Order::OldestFirst, ["a", "b"]),
            (Order::MostlyOldestFirst, ["a", "b"]),
            (Order::NewestFirst, ["b", "a"]),
            (Order::MostlyNewestFirst, ["b", "a"]),
        ] {
            let read = identities(order_updates(list.clone(), order));
            assert_eq!(read.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_is_concluded_is_not_stated() {
        let list =
            [RawUpdate::concluded(IncidentStatus::Investigating, Some(at(1)), "a".to_owned())];
        let update = order_updates(list, Order::OldestFirst).remove(0);
        assert_eq!(
            (update.status, update.stated),
            (IncidentStatus::Investigating, IncidentStatus::Update)
        );
        let mut list = vec![RawUpdate {
            status: IncidentStatus::Monitoring,
            stated: IncidentStatus::Monitoring,
            ..one(Some(9), "b")
        }];
        end_at(&mut list, IncidentStatus::Resolved, Some(at(9)));
        assert_eq!(
            (list[0].status, list[0].stated),
            (IncidentStatus::Resolved, IncidentStatus::Monitoring)
        );
    }

    #[test]
    fn without_times_the_order_of_the_document_is_kept() {
        let read = identities(order_updates([one(None, "b"), one(None, "a")], Order::NewestFirst));
        assert_eq!(
            read,
            [(UpdateId::Content, "a".to_owned()), (UpdateId::Content, "b".to_owned())]
        );
    }

    #[test]
    fn people_are_shown_their_time_and_the_other_one_identifies() {
        let written =
            RawUpdate { shown_at: Some(at(1)), edited_at: Some(at(7)), ..one(Some(5), "a") };
        let update = order_updates([written], Order::OldestFirst).remove(0);
        assert_eq!(
            (update.id, update.published_at, update.edited_at),
            (UpdateId::Timed(at(5), 0), Some(at(1)), Some(at(7)))
        );
    }

    #[test]
    fn an_end_is_reported_once_whether_or_not_an_update_states_it() {
        let end = Some(at(9));
        let mut list =
            vec![RawUpdate { status: IncidentStatus::Investigating, ..one(Some(1), "a") }];
        end_at(&mut list, IncidentStatus::Resolved, end);
        assert_eq!(
            list.iter().map(|written| (written.status, written.at)).collect::<Vec<_>>()[1],
            (IncidentStatus::Resolved, end)
        );
        let mut list = vec![one(Some(9), "b"), list.remove(0)];
        end_at(&mut list, IncidentStatus::Resolved, end);
        assert_eq!(
            list.iter().map(|written| written.status).collect::<Vec<_>>(),
            [IncidentStatus::Resolved, IncidentStatus::Investigating]
        );
    }
}
