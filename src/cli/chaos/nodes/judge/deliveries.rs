//! What the webhook received: every event, in order within a thread, repeated only as it was.

use std::collections::{BTreeSet, HashMap};

use super::{Facts, Rule, Verdict};

/// Judges the messages of the webhook.
pub(super) fn judge(facts: &Facts, verdict: &mut Verdict) {
    let mut bodies: HashMap<&str, (u64, Option<u64>)> = HashMap::new();
    let mut keys: HashMap<(&str, u64), &str> = HashMap::new();
    let mut threads: HashMap<&str, u64> = HashMap::new();
    let mut received: BTreeSet<u64> = BTreeSet::new();
    for one in &facts.deliveries {
        let known = bodies.insert(&one.key, (one.hash, one.seq));
        let is_again = |seq: Option<u64>| seq.is_some_and(|seq| facts.is_lost(seq));
        // The same event was made again, under another number.
        let known = known.filter(|(_, seq)| !is_again(*seq) && !is_again(one.seq));
        if known.is_some_and(|(hash, _)| hash != one.hash) {
            verdict.add(Rule::RepeatedDifferently, || {
                format!("the message {} came with other bytes", one.key)
            });
        }
        let Some(seq) = one.seq else { continue };
        let key = *keys.entry((&one.id, seq)).or_insert(&one.key);
        if key != one.key {
            verdict.add(Rule::RepeatedDifferently, || {
                format!("event {seq} came as the messages {key} and {}", one.key)
            });
        }
        if !received.insert(seq) {
            verdict.figures.repeated += 1;
            continue;
        }
        let last = threads.entry(&one.thread).or_default();
        if *last > seq {
            let last = *last;
            verdict.add(Rule::DeliveredOutOfOrder, || {
                format!("event {seq} of the thread {} came after event {last}", one.thread)
            });
        }
        *last = seq;
    }
    verdict.figures.deliveries = facts.deliveries.len();
    let lines = facts.logs.iter().flat_map(|log| log.lines.iter().flatten());
    let events: BTreeSet<u64> = lines.map(|line| line.seq).collect();
    for seq in events.difference(&received).filter(|seq| !facts.is_lost(**seq)) {
        verdict.add(Rule::Undelivered, || format!("event {seq}"));
    }
}
