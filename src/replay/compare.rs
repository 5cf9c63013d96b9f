//! Compares what a replay reports with what was reported originally. Pure.
//!
//! Two events are the same fact if their ids are equal. Some ids contain counters of earlier events
//! (component changes, a provider's outages), which differ if the recording was begun in the
//! middle; the remaining events are therefore matched by their content.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::event::{StatusEvent, Time};

/// An event that is reported differently.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// Reported originally but not by the replay.
    Missing(Box<StatusEvent>),
    /// Reported by the replay but not originally.
    Extra(Box<StatusEvent>),
    /// Reported both times, with different content.
    Different {
        /// The original event.
        then: Box<StatusEvent>,
        /// The replayed event.
        now: Box<StatusEvent>,
        /// The fields in which they differ.
        fields: Vec<String>,
    },
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compared {
    /// The differences, ordered by observation time.
    pub differences: Vec<Difference>,
    /// Events that are the same.
    pub same: usize,
    /// Events reported before the recording began, such as what was already open then.
    pub before: usize,
}

/// Fields about when, and under which number, something was reported.
const NOT_COMPARED: &[&str] = &["seq", "id", "observed_at"];

/// Compares `now` with `then`, which contains everything reported for the same providers, including
/// events from before the recording. Events observed from `begin` up to `end` are expected.
#[must_use]
pub fn compare(then: Vec<StatusEvent>, now: Vec<StatusEvent>, begin: Time, end: Time) -> Compared {
    let mut compared = Compared::default();
    let (mut expected, mut before) = (Vec::new(), HashSet::new());
    for event in then {
        if event.observed_at < begin {
            before.insert(event.id);
        } else if event.observed_at <= end {
            expected.push(event);
        }
    }
    let (pairs, expected, mut now) = matched(expected, now, |event| Some(event.id.clone()));
    let known = now.len();
    now.retain(|event| !before.contains(&event.id));
    compared.before = known - now.len();
    let (more, missing, extra) = matched(expected, now, |event| Some(fact(event)));
    for (then, now) in pairs.into_iter().chain(more) {
        let fields = fields(&then, &now);
        if fields.is_empty() {
            compared.same += 1;
        } else {
            let (then, now) = (Box::new(then), Box::new(now));
            compared.differences.push(Difference::Different { then, now, fields });
        }
    }
    let missing = missing.into_iter().map(|event| Difference::Missing(Box::new(event)));
    let extra = extra.into_iter().map(|event| Difference::Extra(Box::new(event)));
    compared.differences.extend(missing.chain(extra));
    compared.differences.sort_by_key(Difference::observed_at);
    compared
}

impl Difference {
    /// Returns when it was observed.
    #[must_use]
    pub fn observed_at(&self) -> Time {
        match self {
            Self::Missing(event) | Self::Extra(event) => event.observed_at,
            Self::Different { then, .. } => then.observed_at,
        }
    }
}

type Pairs = Vec<(StatusEvent, StatusEvent)>;

/// Returns pairs of events with equal keys, in order, and the remaining events of both.
fn matched(
    then: Vec<StatusEvent>,
    now: Vec<StatusEvent>,
    key: impl Fn(&StatusEvent) -> Option<String>,
) -> (Pairs, Vec<StatusEvent>, Vec<StatusEvent>) {
    let mut waiting: HashMap<String, Vec<StatusEvent>> = HashMap::new();
    for event in now.into_iter().rev() {
        let key = key(&event).unwrap_or_default();
        waiting.entry(key).or_default().push(event);
    }
    let (mut pairs, mut left) = (Vec::new(), Vec::new());
    for event in then {
        let other = key(&event).and_then(|key| waiting.get_mut(&key)?.pop());
        match other {
            Some(other) => pairs.push((event, other)),
            None => left.push(event),
        }
    }
    let mut others: Vec<StatusEvent> = waiting.into_values().flatten().collect();
    others.sort_by_key(|event| event.seq);
    (pairs, left, others)
}

/// Returns the content of an event, without counters of earlier events.
fn fact(event: &StatusEvent) -> String {
    let words = [
        event.provider.as_str(),
        event.kind.as_str(),
        event.incident_id.as_deref().unwrap_or_default(),
        &event.title,
        event.status.as_str(),
        event.message.as_deref().unwrap_or_default(),
    ];
    let own = (event.published_at != event.observed_at).then_some(event.published_at);
    format!("{words:?} {own:?}")
}

/// Returns the fields in which two events differ. A time that equals the time of the poll is
/// treated like that.
fn fields(then: &StatusEvent, now: &StatusEvent) -> Vec<String> {
    let of = |event: &StatusEvent| -> BTreeMap<String, Value> {
        let value = serde_json::to_value(event).unwrap_or_default();
        let Value::Object(map) = value else { return BTreeMap::new() };
        let observed = map.get("observed_at").cloned();
        let polled = |value: Value| {
            if Some(&value) == observed.as_ref() { Value::from("the poll") } else { value }
        };
        map.into_iter()
            .filter(|(key, _)| !NOT_COMPARED.contains(&key.as_str()))
            .map(|(key, value)| (key, polled(value)))
            .collect()
    };
    let counted = then.id != now.id;
    let (then, now) = (of(then), of(now));
    then.into_iter()
        .filter(|(key, value)| now.get(key) != Some(value))
        .map(|(key, _)| key)
        // Derived from the same counters as the id.
        .filter(|key| !(counted && matches!(key.as_str(), "update_id" | "revision")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Impact, IncidentStatus, Kind, parse_time};

    fn at(time: &str) -> Time {
        parse_time(&format!("2026-03-01T{time}Z")).unwrap()
    }

    fn event(seq: u64, id: &str, observed: &str) -> StatusEvent {
        StatusEvent {
            seq,
            id: id.to_owned(),
            kind: Kind::Incident,
            provider: "acme".to_owned(),
            provider_name: "Acme".to_owned(),
            source: "statuspage".to_owned(),
            incident_id: Some("i1".to_owned()),
            update_id: Some(id.to_owned()),
            revision: 1,
            title: "Slow answers".to_owned(),
            status: IncidentStatus::Investigating.into(),
            previous_status: None,
            impact: Impact::Minor,
            previous_impact: None,
            components: Vec::new(),
            message: Some(format!("text of {id}")),
            url: None,
            started_at: None,
            published_at: at("11:59:00"),
            observed_at: at(observed),
            scheduled_for: None,
            scheduled_until: None,
            backfill: false,
        }
    }

    fn compared(then: Vec<StatusEvent>, now: Vec<StatusEvent>) -> Compared {
        compare(then, now, at("12:00:00"), at("13:00:00"))
    }

    #[test]
    fn the_time_of_a_poll_and_a_number_are_no_difference() {
        let component = |seq, id: &str, observed: &str| StatusEvent {
            kind: Kind::Component,
            incident_id: None,
            message: None,
            published_at: at(observed),
            ..event(seq, id, observed)
        };
        let then = vec![event(71, "a", "12:10:00"), component(72, "n7", "12:11:00")];
        let now = vec![event(1, "a", "12:10:02"), component(2, "n0", "12:11:03")];
        assert_eq!(compared(then, now), Compared { same: 2, ..Compared::default() });
    }

    #[test]
    fn each_difference_is_named() {
        let changed = StatusEvent { impact: Impact::Major, ..event(2, "b", "12:20:00") };
        let then = vec![
            event(1, "old", "11:00:00"),
            event(2, "a", "12:10:00"),
            event(3, "b", "12:20:00"),
            event(4, "later", "13:30:00"),
        ];
        let now = vec![event(1, "old", "12:00:00"), changed.clone(), event(3, "c", "12:30:00")];
        let found = compared(then.clone(), now.clone());
        assert_eq!((found.same, found.before), (0, 1), "reported before the recording is no extra");
        assert_eq!(
            found.differences,
            [
                Difference::Missing(Box::new(then[1].clone())),
                Difference::Different {
                    then: Box::new(then[2].clone()),
                    now: Box::new(changed),
                    fields: vec!["impact".to_owned()],
                },
                Difference::Extra(Box::new(now[2].clone())),
            ]
        );
    }

    #[test]
    fn one_fact_that_is_reported_twice_is_one_too_many() {
        let found = compared(
            vec![event(1, "a", "12:10:00")],
            vec![
                event(1, "a", "12:10:00"),
                StatusEvent { id: "z".to_owned(), ..event(2, "a", "12:11:00") },
            ],
        );
        assert_eq!(found.same, 1);
        assert!(matches!(&found.differences[..], [Difference::Extra(event)] if event.seq == 2));
    }
}
