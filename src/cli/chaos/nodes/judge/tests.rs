//! A run without a violation, and one for each rule that breaks it.

use super::*;
use crate::event::{Impact, IncidentStatus, Kind, Status};

/// The shard of each of the two providers.
const SHARDS: [u16; 2] = [7, 900];

fn publication(provider: &str, text: &str, revision: u32) -> Publication {
    Publication {
        provider: provider.to_owned(),
        kind: Kind::Incident,
        incident_id: Some("i".to_owned()),
        update_id: None,
        update: Some(1),
        revision,
        title: "Problem".to_owned(),
        status: Status::Incident(IncidentStatus::Investigating),
        impact: Impact::Minor,
        text: text.to_owned(),
        at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn line(seq: u64, provider: &str, text: &str) -> Line {
    Line {
        seq,
        id: format!("id {text}"),
        hash: seq,
        provider: provider.to_owned(),
        is_about_provider: false,
        incident: Some("i".to_owned()),
        message: Some(text.to_owned()),
    }
}

fn delivery(seq: u64, text: &str) -> Delivery {
    Delivery {
        key: format!("key {seq}"),
        hash: seq,
        thread: "t".to_owned(),
        seq: Some(seq),
        id: format!("id {text}"),
    }
}

fn request(provider: usize, node: NodeId, at: Ms) -> Request {
    Request { provider, node, at, finished: at + 10 }
}

/// Two nodes with a provider each; from 30 s on the second node has both.
fn run() -> Facts {
    let published = vec![
        publication("acme", "one", 1),
        publication("acme", "two", 1),
        publication("other", "three", 1),
    ];
    let lines = vec![
        Some(line(1, "acme", "one")),
        Some(line(2, "other", "three")),
        Some(line(3, "acme", "two")),
    ];
    let log = |node| Log {
        node,
        is_founder: true,
        is_running: true,
        lines: lines.clone(),
        unlike_replica: 0,
    };
    let hold = |shard, life, from, to| Hold { shard, life, span: Span { from, to } };
    let mut requests: Vec<Request> =
        (0..30).map(|n| request(usize::from(n % 2 == 1), n % 2, 1_000 + 1_000 * n as Ms)).collect();
    requests.extend((38..60).map(|n| request(n % 2, 1, 1_000 * n as Ms)));
    Facts {
        nodes: vec!["a".to_owned(), "b".to_owned()],
        providers: vec![("acme".to_owned(), SHARDS[0]), ("other".to_owned(), SHARDS[1])],
        interval: 2_000,
        watched: Some(Span { from: 1_000, to: 60_000 }),
        requests,
        lives: vec![
            Life { number: 1, node: 0, begun: 100, fenced: Some(37_000) },
            Life { number: 2, node: 1, begun: 200, fenced: None },
        ],
        holds: vec![
            hold(SHARDS[0], 1, 300, 37_000),
            hold(SHARDS[0], 2, 37_500, Ms::MAX),
            hold(SHARDS[1], 2, 300, Ms::MAX),
        ],
        kills: vec![(0, 30_500)],
        ends: vec![(0, 30_500)],
        logs: vec![log(0), log(1)],
        database: (3, 3),
        deliveries: vec![delivery(1, "one"), delivery(2, "three"), delivery(3, "two")],
        owed: published.clone(),
        published,
        ..Facts::default()
    }
}

/// The rules that a run breaks after a change.
fn broken(change: impl FnOnce(&mut Facts)) -> Vec<Rule> {
    let mut facts = run();
    change(&mut facts);
    judge(&facts).violations.into_keys().collect()
}

fn lines(facts: &mut Facts, node: usize) -> &mut Vec<Option<Line>> {
    &mut facts.logs[node].lines
}

#[test]
fn a_run_without_a_violation_is_measured() {
    let verdict = judge(&run());
    assert_eq!(verdict.examples, Vec::<String>::new());
    assert!(verdict.is_clean());
    let figures = verdict.figures;
    assert_eq!((figures.published, figures.events, figures.deliveries), (3, 3, 3));
    assert_eq!((figures.requests, figures.under_way, figures.repeated), (52, 0, 0));
    let killed = Percentiles { count: 1, p50: 7_500, p99: 7_500, worst: 7_500 };
    assert_eq!(figures.after_kill, killed);
    assert_eq!(figures.between.worst, 9_000);
}

#[test]
fn what_was_not_recorded_or_twice_is_found() {
    let lost = broken(|facts| {
        facts.published.push(publication("acme", "four", 1));
        facts.owed.push(publication("acme", "four", 1));
    });
    assert_eq!(lost, [Rule::Lost]);
    let twice = broken(|facts| {
        for node in 0..2 {
            let again = Line { id: "another".to_owned(), ..line(4, "acme", "two") };
            lines(facts, node).push(Some(again));
        }
        facts.database = (4, 4);
        facts.deliveries.push(Delivery { id: "another".to_owned(), ..delivery(4, "two") });
    });
    assert_eq!(twice, [Rule::Twice]);
    let same_id = broken(|facts| {
        for node in 0..2 {
            lines(facts, node).push(Some(Line { message: None, ..line(4, "acme", "two") }));
        }
        facts.database = (4, 4);
        facts.deliveries.push(delivery(4, "two"));
    });
    assert_eq!(same_id, [Rule::Twice]);
    let invented = broken(|facts| {
        facts.published.pop();
        facts.owed.pop();
    });
    assert_eq!(invented, [Rule::Invented]);
    let unreachable = broken(|facts| {
        for node in 0..2 {
            let message = Line { incident: None, is_about_provider: true, ..line(4, "acme", "?") };
            lines(facts, node).push(Some(message));
        }
        facts.database = (4, 4);
        facts.deliveries.push(delivery(4, "?"));
    });
    assert_eq!(unreachable, [Rule::Invented]);
    let order = broken(|facts| facts.published.swap(0, 1));
    assert_eq!(order, [Rule::OutOfOrder]);
}

#[test]
fn gaps_and_differences_are_found() {
    assert_eq!(broken(|facts| drop(lines(facts, 1).pop())), [Rule::Gap], "one log ends early");
    assert_eq!(
        broken(|facts| drop(lines(facts, 0).remove(1))),
        [Rule::Gap],
        "one log lacks a line"
    );
    let missing = broken(|facts| {
        for node in 0..2 {
            lines(facts, node)[2].as_mut().unwrap().seq = 4;
        }
        facts.database = (3, 4);
        facts.deliveries[2].seq = Some(4);
    });
    assert_eq!(missing, [Rule::Gap]);
    let bytes = broken(|facts| lines(facts, 1)[0].as_mut().unwrap().hash = 99);
    assert_eq!(bytes, [Rule::Different]);
    assert_eq!(broken(|facts| lines(facts, 1).push(None)), [Rule::Different], "a torn line");
    assert_eq!(broken(|facts| facts.database = (2, 3)), [Rule::Different]);
    assert_eq!(broken(|facts| facts.logs[0].unlike_replica = 1), [Rule::Different]);
    // A node that joined later, and one that has left.
    let joined = broken(|facts| {
        facts.logs[1].is_founder = false;
        lines(facts, 1).remove(0);
    });
    assert_eq!(joined, []);
    let left = broken(|facts| {
        facts.logs[1].is_running = false;
        lines(facts, 1).pop();
    });
    assert_eq!(left, []);
}

#[test]
fn deliveries_that_lack_differ_or_overtake_are_found() {
    assert_eq!(broken(|facts| drop(facts.deliveries.pop())), [Rule::Undelivered]);
    let repeated = |facts: &mut Facts| facts.deliveries.push(delivery(1, "one"));
    assert_eq!(broken(repeated), [], "a repetition as it was");
    let bytes = broken(|facts| {
        facts.deliveries.push(Delivery { hash: 99, ..delivery(1, "one") });
    });
    assert_eq!(bytes, [Rule::RepeatedDifferently]);
    let key = broken(|facts| {
        facts.deliveries.push(Delivery { key: "other".to_owned(), ..delivery(1, "one") });
    });
    assert_eq!(key, [Rule::RepeatedDifferently]);
    assert_eq!(broken(|facts| facts.deliveries.swap(0, 2)), [Rule::DeliveredOutOfOrder]);
    let threads = broken(|facts| {
        facts.deliveries[0].thread = "other".to_owned();
        facts.deliveries.swap(0, 2);
    });
    assert_eq!(threads, [Rule::DeliveredOutOfOrder]);
}

#[test]
fn polls_of_others_are_found() {
    let late = broken(|facts| facts.requests.push(request(0, 0, 37_200)));
    assert_eq!(late, [Rule::AfterFence]);
    let foreign = broken(|facts| facts.requests.push(request(1, 0, 20_500)));
    assert_eq!(foreign, [Rule::NotHeld]);
    let lifeless = broken(|facts| facts.requests.push(request(0, 7, 20_500)));
    assert_eq!(lifeless, [Rule::NotHeld]);
    // Held at the time, but still under way when another node began.
    let overlapping = |facts: &mut Facts| {
        facts.ends.clear();
        facts.requests.push(Request { finished: 40_000, ..request(0, 0, 36_900) });
    };
    assert_eq!(broken(overlapping), [Rule::PolledByTwo]);
    let ended = broken(|facts| {
        overlapping(facts);
        facts.ends.push((0, 37_000));
    });
    assert_eq!(ended, [], "its process had ended");
}

#[test]
fn a_request_under_way_in_a_frozen_process_is_counted() {
    let mut facts = run();
    (facts.kills, facts.ends) = (Vec::new(), Vec::new());
    facts.frozen.push((0, Span { from: 30_000, to: 40_000 }));
    facts.requests.push(Request { finished: 40_100, ..request(0, 0, 29_990) });
    facts.requests.push(request(0, 0, 40_500));
    let verdict = judge(&facts);
    assert_eq!(verdict.examples, Vec::<String>::new());
    assert_eq!(verdict.figures.under_way, 2);
    facts.requests.push(request(0, 0, 43_000));
    assert_eq!(judge(&facts).violations.into_keys().collect::<Vec<_>>(), [Rule::AfterFence]);
}

#[test]
fn silence_is_found_unless_the_database_was_away() {
    let silent =
        |facts: &mut Facts| facts.requests.retain(|one| one.at < 12_000 || one.at > 40_000);
    assert_eq!(broken(silent), [Rule::Silent]);
    let away = broken(|facts| {
        silent(facts);
        facts.outages.push(Span { from: 12_000, to: 26_000 });
    });
    assert_eq!(away, []);
    let at_the_end = broken(|facts| facts.requests.retain(|one| one.at < 40_000));
    assert_eq!(at_the_end, [Rule::Silent]);
}

#[test]
fn what_arrived_within_a_stall_may_have_come_before() {
    let stalled = broken(|facts| {
        facts.requests.push(request(0, 0, 37_200));
        facts.stalls.push(Span { from: 37_090, to: 37_160 });
    });
    assert_eq!(stalled, []);
    let shorter = broken(|facts| {
        facts.requests.push(request(0, 0, 37_200));
        facts.stalls.push(Span { from: 37_100, to: 37_150 });
    });
    assert_eq!(shorter, [Rule::AfterFence]);
}

#[test]
fn a_lost_tail_permits_gaps_and_repetitions_of_its_own_numbers_alone() {
    // The third event is reported again as the sixth: four and five were used as well.
    let repeat = |facts: &mut Facts| {
        for node in 0..2 {
            lines(facts, node).push(Some(line(6, "acme", "two")));
        }
        facts.database = (3, 6);
        facts.deliveries.push(Delivery { key: "key 3".to_owned(), ..delivery(6, "two") });
    };
    let all = [Rule::Twice, Rule::Gap, Rule::Different, Rule::RepeatedDifferently];
    assert_eq!(broken(repeat), all);
    let lost = |numbers| {
        move |facts: &mut Facts| {
            repeat(facts);
            facts.lost.push(numbers);
        }
    };
    assert_eq!(broken(lost((3, 5))), []);
    assert_eq!(broken(lost((4, 5))), [Rule::Twice, Rule::Different, Rule::RepeatedDifferently]);
    assert_eq!(broken(lost((3, 4))), [Rule::Gap]);
    let undelivered = broken(|facts| {
        lost((3, 5))(facts);
        facts.deliveries.remove(2);
    });
    assert_eq!(undelivered, []);
}
