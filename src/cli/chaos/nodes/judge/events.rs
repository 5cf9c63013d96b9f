//! What was recorded and reported: everything, once, in order, by every node.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Facts, Line, Log, Rule, Verdict};

/// Judges the event logs.
pub(super) fn judge(facts: &Facts, verdict: &mut Verdict) {
    for log in &facts.logs {
        judge_log(facts, log, verdict);
    }
    let events = common(facts, verdict);
    verdict.figures.published = facts.published.len();
    verdict.figures.events = events.len();
    verdict.figures.lost = facts.lost.iter().map(|(first, last)| last - first + 1).sum();
    judge_numbers(facts, &events, verdict);
    judge_content(facts, &events, verdict);
}

fn name(facts: &Facts, log: &Log) -> String {
    facts.nodes.get(log.node).cloned().unwrap_or_default()
}

/// A log by itself: whole lines, each number after the one before it, no id twice.
fn judge_log(facts: &Facts, log: &Log, verdict: &mut Verdict) {
    let mut last = None;
    let mut ids: HashMap<&str, &Line> = HashMap::new();
    for (place, line) in log.lines.iter().enumerate() {
        let Some(line) = line else {
            verdict.add(Rule::Different, || {
                format!("line {} of node {} is torn", place + 1, name(facts, log))
            });
            continue;
        };
        let first = if log.is_founder { 1 } else { line.seq };
        let expected = last.map_or(first, |last: u64| last + 1);
        let skipped = (expected..line.seq).find(|seq| !facts.is_lost(*seq));
        if line.seq < expected || skipped.is_some() {
            verdict.add(Rule::Gap, || {
                format!("node {} reports {} where {expected} is due", name(facts, log), line.seq)
            });
        }
        last = Some(line.seq);
        if let Some(first) = ids.insert(&line.id, line)
            && !facts.is_lost(first.seq)
        {
            verdict.add(Rule::Twice, || {
                let (node, id) = (name(facts, log), &line.id);
                format!("node {node} reports the event {id} as {} and {}", first.seq, line.seq)
            });
        }
    }
    if log.unlike_replica > 0 {
        verdict.add(Rule::Different, || {
            let (node, lines) = (name(facts, log), log.unlike_replica);
            format!("{lines} lines of node {node} differ from its replica")
        });
    }
}

/// The events by number: the same bytes in each log.
fn common<'a>(facts: &'a Facts, verdict: &mut Verdict) -> BTreeMap<u64, &'a Line> {
    let mut events: BTreeMap<u64, &Line> = BTreeMap::new();
    for log in &facts.logs {
        for line in log.lines.iter().flatten() {
            let known = *events.entry(line.seq).or_insert(line);
            if known.hash != line.hash {
                verdict.add(Rule::Different, || {
                    format!("event {} of node {} has other bytes", line.seq, name(facts, log))
                });
            }
        }
    }
    events
}

/// Numbers from 1 on without a gap, up to the same one in each log and in the database.
fn judge_numbers(facts: &Facts, events: &BTreeMap<u64, &Line>, verdict: &mut Verdict) {
    let kept = || events.keys().copied().filter(|seq| !facts.is_lost(*seq));
    let newest = kept().next_back().unwrap_or(0);
    let missing = (1..newest).filter(|seq| !events.contains_key(seq) && !facts.is_lost(*seq));
    let missing = missing.count();
    if missing > 0 {
        verdict.add(Rule::Gap, || format!("{missing} numbers up to {newest} are missing"));
    }
    let (count, highest) = facts.database;
    if highest != newest || count != kept().count() as u64 {
        verdict.add(Rule::Different, || {
            format!("the database has {count} events up to {highest}, the nodes up to {newest}")
        });
    }
    for log in facts.logs.iter().filter(|log| log.is_running) {
        let mut kept = log.lines.iter().flatten().filter(|line| !facts.is_lost(line.seq));
        let last = kept.next_back().map_or(0, |line| line.seq);
        if last != newest {
            let node = name(facts, log);
            verdict.add(Rule::Gap, || format!("node {node} ends with {last} of {newest}"));
        }
    }
}

/// What was published, once, in the order in which it was published, and nothing else.
fn judge_content(facts: &Facts, events: &BTreeMap<u64, &Line>, verdict: &mut Verdict) {
    let places: HashMap<(&str, &str), usize> = facts
        .published
        .iter()
        .enumerate()
        .map(|(place, one)| ((one.provider.as_str(), one.text.as_str()), place))
        .collect();
    let mut reported: HashMap<usize, &Line> = HashMap::new();
    let mut orders: HashMap<(&str, &str), usize> = HashMap::new();
    for line in events.values().copied() {
        if line.is_about_provider {
            // No page fails for long.
            verdict.add(Rule::Invented, || format!("{line:?}"));
        }
        let (Some(incident), Some(text)) = (&line.incident, &line.message) else { continue };
        let Some(&place) = places.get(&(line.provider.as_str(), text.as_str())) else {
            verdict.add(Rule::Invented, || format!("{line:?}"));
            continue;
        };
        if let Some(first) = reported.insert(place, line) {
            if !facts.is_lost(first.seq) {
                verdict.add(Rule::Twice, || {
                    format!("the same text is in {} and {}: {text}", first.seq, line.seq)
                });
            }
            continue;
        }
        if facts.published.get(place).is_none_or(|one| one.revision != 1) {
            continue;
        }
        let last = orders.entry((&line.provider, incident)).or_default();
        if *last > place && !facts.is_lost(line.seq) {
            verdict.add(Rule::OutOfOrder, || format!("{line:?}"));
        }
        *last = place;
    }
    let mut seen = HashSet::new();
    for one in &facts.owed {
        let place = places.get(&(one.provider.as_str(), one.text.as_str()));
        if place.is_none_or(|place| !reported.contains_key(place)) && seen.insert(&one.text) {
            verdict.add(Rule::Lost, || format!("{}: {}", one.provider, one.text));
        }
    }
}
