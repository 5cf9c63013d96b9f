//! Who asked for which page, and when: one node at a time, and only one that may.

use std::collections::HashMap;

use super::{Facts, Hold, Life, Ms, NodeId, Percentiles, Request, Rule, Span, Verdict};

/// Times are rounded to milliseconds, and read on both sides of a message.
const ROUNDING: Ms = 5;

/// What is noted so long after a stall may have arrived within it.
const AFTER_STALL: Ms = 500;

/// How often a request waits for its turn at a fake provider: to be accepted, read and noted. Each
/// time it may wait as long as the stall.
const TURNS: Ms = 3;

/// How long after it was let go a frozen process may still send what it was about to send.
const THAW: Ms = 1_500;

/// How long a provider may be left alone, besides two intervals.
const PATIENCE: Ms = 15_000;

/// Judges the requests of pages.
pub(super) fn judge(facts: &Facts, verdict: &mut Verdict) {
    verdict.figures.requests = facts.requests.len();
    let lives = Lives::new(facts);
    let mut holds: HashMap<(u16, i64), Vec<Hold>> = HashMap::new();
    for hold in &facts.holds {
        holds.entry((hold.shard, hold.life)).or_default().push(*hold);
    }
    let mut providers: HashMap<usize, Vec<Request>> = HashMap::new();
    for request in &facts.requests {
        judge_right(facts, &lives, &holds, *request, verdict);
        providers.entry(request.provider).or_default().push(*request);
    }
    for requests in providers.values_mut() {
        requests.sort_by_key(|request| request.at);
        judge_alone(facts, requests, verdict);
    }
    judge_silence(facts, &providers, verdict);
    verdict.figures.after_kill = after_kills(facts, &lives, &providers);
}

/// The lives of each node, in order.
struct Lives(HashMap<NodeId, Vec<Life>>);

impl Lives {
    fn new(facts: &Facts) -> Self {
        let mut lives: HashMap<NodeId, Vec<Life>> = HashMap::new();
        for life in &facts.lives {
            lives.entry(life.node).or_default().push(*life);
        }
        for lives in lives.values_mut() {
            lives.sort_by_key(|life| life.begun);
        }
        Self(lives)
    }

    /// The life that a node was in.
    fn at(&self, node: NodeId, at: Ms) -> Option<Life> {
        let lives = self.0.get(&node)?;
        lives.iter().rev().find(|life| life.begun <= at + ROUNDING).copied()
    }
}

/// When a request that was noted at a moment may have arrived. Stalls are in order.
fn arrival(facts: &Facts, at: Ms) -> Span {
    let last = facts.stalls.partition_point(|stall| stall.from <= at);
    let recent = facts.stalls.get(..last).unwrap_or_default().iter().rev();
    let recent = recent.take_while(|stall| at <= stall.to + AFTER_STALL);
    let longest = recent.map(|stall| stall.length()).max().unwrap_or_default();
    Span { from: at - TURNS * longest - ROUNDING, to: at + ROUNDING }
}

/// Whether the process of a node was frozen at any moment of a span.
fn was_frozen(facts: &Facts, node: NodeId, span: Span) -> bool {
    facts.frozen.iter().any(|(frozen, during)| *frozen == node && during.meets(span))
}

fn describe(facts: &Facts, request: Request) -> String {
    let provider = facts.providers.get(request.provider).map(|(id, _)| id.as_str());
    let node = facts.nodes.get(request.node).map(String::as_str);
    format!(
        "{} by node {} at {}",
        provider.unwrap_or_default(),
        node.unwrap_or_default(),
        request.at
    )
}

/// A request is made by a life that holds the shard of the page.
fn judge_right(
    facts: &Facts,
    lives: &Lives,
    holds: &HashMap<(u16, i64), Vec<Hold>>,
    request: Request,
    verdict: &mut Verdict,
) {
    let arrival = arrival(facts, request.at);
    let Some(life) = lives.at(request.node, request.at) else {
        verdict.add(Rule::NotHeld, || format!("{}: it has no life", describe(facts, request)));
        return;
    };
    let shard = facts.providers.get(request.provider).map_or(u16::MAX, |(_, shard)| *shard);
    let held = holds.get(&(shard, life.number)).map(Vec::as_slice).unwrap_or_default();
    if held.iter().any(|hold| hold.span.meets(arrival)) {
        return;
    }
    let last = held.iter().map(|hold| hold.span.to).filter(|to| *to <= request.at).max();
    // It was about to be sent when the process was frozen, and others took over meanwhile.
    let under_way = |ended: Ms| {
        facts.frozen.iter().any(|(node, frozen)| {
            let taken_over = frozen.from <= ended && ended <= frozen.to + THAW;
            *node == request.node && taken_over && request.at <= frozen.to + THAW
        })
    };
    if last.is_some_and(under_way) {
        verdict.figures.under_way += 1;
        return;
    }
    let fenced = life.fenced.filter(|fenced| *fenced < arrival.from);
    let (rule, since) = fenced.or(last).map_or((Rule::NotHeld, None), |ended| {
        let rule = if fenced.is_some() { Rule::AfterFence } else { Rule::NotHeld };
        (rule, Some(request.at - ended))
    });
    verdict.add(rule, || {
        let what = describe(facts, request);
        format!("{what} in life {}: {since:?} ms after it held shard {shard}", life.number)
    });
}

/// Requests of one provider by different nodes do not overlap.
fn judge_alone(facts: &Facts, requests: &[Request], verdict: &mut Verdict) {
    let mut open: Option<Request> = None;
    let mut counted = None;
    for request in requests {
        if let Some(former) = open
            && former.node != request.node
            && former.finished > request.at + ROUNDING
        {
            let during = Span { from: former.at, to: former.finished };
            let has_ended = facts
                .ends
                .iter()
                .any(|(node, at)| *node == former.node && former.at <= *at && *at <= request.at);
            let is_late = facts
                .stalls
                .iter()
                .any(|stall| stall.meets(Span { from: former.at, to: former.finished }));
            if was_frozen(facts, former.node, during) || was_frozen(facts, request.node, during) {
                // It may overlap with several.
                verdict.figures.under_way += usize::from(counted != open);
                counted = open;
            } else if !has_ended && !is_late {
                verdict.add(Rule::PolledByTwo, || {
                    let (one, other) = (describe(facts, former), describe(facts, *request));
                    format!("{one} until {}, {other}", former.finished)
                });
            }
        }
        if open.is_none_or(|former| former.finished <= request.finished) {
            open = Some(*request);
        }
    }
}

/// How much of a span the database was there.
fn available(facts: &Facts, span: Span) -> Ms {
    let away = facts
        .outages
        .iter()
        .map(|outage| (outage.to.min(span.to) - outage.from.max(span.from)).max(0));
    span.length() - away.sum::<Ms>()
}

/// No provider is left alone for more than two intervals and some seconds, as long as the database
/// is there.
fn judge_silence(facts: &Facts, providers: &HashMap<usize, Vec<Request>>, verdict: &mut Verdict) {
    let Some(watched) = facts.watched else { return };
    let most = 2 * facts.interval + PATIENCE;
    let mut all = Vec::new();
    for (place, (id, _)) in facts.providers.iter().enumerate() {
        let times = providers.get(&place).into_iter().flatten().map(|request| request.at);
        let inside = times.filter(|at| watched.from < *at && *at < watched.to);
        let mut last = watched.from;
        for at in inside.chain([watched.to]) {
            let gap = Span { from: last, to: at };
            let silence = available(facts, gap);
            if silence > most {
                verdict.add(Rule::Silent, || {
                    format!("{id} was not requested for {silence} ms from {last} on")
                });
            }
            all.push(silence);
            last = at;
        }
    }
    verdict.figures.between = Percentiles::of(all);
}

/// From each kill to the next request of each provider that the node had, as long as the database was
/// there.
fn after_kills(
    facts: &Facts,
    lives: &Lives,
    providers: &HashMap<usize, Vec<Request>>,
) -> Percentiles {
    let mut all = Vec::new();
    for (node, at) in &facts.kills {
        let Some(life) = lives.at(*node, *at) else { continue };
        let holds = facts.holds.iter().filter(|hold| hold.life == life.number);
        let moment = Span { from: *at, to: *at };
        let shards: Vec<u16> =
            holds.filter(|hold| hold.span.meets(moment)).map(|hold| hold.shard).collect();
        for (place, (_, shard)) in facts.providers.iter().enumerate() {
            if !shards.contains(shard) {
                continue;
            }
            let next = providers.get(&place).into_iter().flatten();
            if let Some(next) = next.map(|request| request.at).find(|next| next > at) {
                all.push(available(facts, Span { from: *at, to: next }));
            }
        }
    }
    Percentiles::of(all)
}
