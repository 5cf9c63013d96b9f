//! Decides which lines are logged, and when.

use std::collections::HashMap;
use std::time::Instant;

use super::groups::{Members, names};
use super::{
    ALONE_AFTER, Entry, FEWEST_LISTED, FIRST_ROUND, Failures, GROUP_AFTER, Group, Line, Outage,
    REST_AFTER, Shown,
};
use crate::ledger::connectivity::FEWEST_HOSTS;
use crate::ledger::network::NetworkState;

/// How a failing provider is to be reported.
enum Judged {
    Wait,
    Alone,
    Group(Group),
}

impl Failures {
    /// Returns the lines to log now, given our network state. `last`: there will be no later call.
    pub(in crate::ledger) fn lines(
        &mut self,
        now: Instant,
        state: &NetworkState,
        last: bool,
    ) -> Vec<Line> {
        let mut lines = self.ended(now);
        if !self.listed.is_empty() {
            let groups = self.groups();
            let whole = |group: &Group| {
                groups.get(group).is_some_and(|members| members.failing == members.all)
            };
            self.listed.retain(whole);
        }
        if state.holds_back && !last {
            return lines;
        }
        let pending: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, entry)| {
                entry.failing.as_ref().is_some_and(|failing| {
                    failing.shown == Shown::Pending && !(state.offline && failing.cause.is_some())
                })
            })
            .map(|(id, _)| id.clone())
            .collect();
        if pending.is_empty() {
            return lines;
        }
        if !last && self.is_first_round(&pending, now) {
            return lines;
        }
        let groups = self.groups();
        let mut alone = Vec::new();
        for id in pending {
            match self.judge(&id, &groups, now, last) {
                Judged::Wait => {}
                Judged::Group(group) => lines.extend(self.begin(group)),
                Judged::Alone => {
                    if let Some(failing) =
                        self.entries.get_mut(&id).and_then(|entry| entry.failing.as_mut())
                    {
                        failing.shown = Shown::Alone;
                        alone.push((id, failing.reason.clone()));
                    }
                }
            }
        }
        if alone.len() >= FEWEST_LISTED {
            lines.push(self.list(&alone));
        } else {
            lines.extend(alone.into_iter().map(|(provider, reason)| {
                let reason = reason + &self.others(&provider);
                Line::Failing { provider, reason }
            }));
        }
        lines
    }

    /// Whether some provider has not been polled yet, and it is worth waiting for.
    fn is_first_round(&self, pending: &[String], now: Instant) -> bool {
        let is_new = |entry: &Entry| entry.read.is_none() && entry.failing.is_none();
        self.entries.values().any(is_new)
            && pending
                .iter()
                .filter_map(|id| self.entries.get(id)?.failing.as_ref())
                .all(|failing| now.saturating_duration_since(failing.since) < FIRST_ROUND)
    }

    /// One line for several providers, grouped by reason, the most frequent reason first.
    fn list(&self, alone: &[(String, String)]) -> Line {
        let mut by_reason: Vec<(&str, Vec<String>)> = Vec::new();
        for (id, reason) in alone {
            match by_reason.iter_mut().find(|(other, _)| other == reason) {
                Some((_, ids)) => ids.push(id.clone()),
                None => by_reason.push((reason, vec![id.clone()])),
            }
        }
        by_reason.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
        let reasons: Vec<String> =
            by_reason.iter().map(|(reason, ids)| format!("{}: {reason}", names(ids))).collect();
        Line::SeveralFailing {
            providers: format!("{} of {} providers", alone.len(), self.entries.len()),
            reasons: reasons.join("; "),
        }
    }

    fn judge(
        &self,
        id: &str,
        groups: &HashMap<Group, Members>,
        now: Instant,
        last: bool,
    ) -> Judged {
        let Some(entry) = self.entries.get(id) else { return Judged::Wait };
        // It may just have been reported with its group.
        let Some(failing) =
            entry.failing.as_ref().filter(|failing| failing.shown == Shown::Pending)
        else {
            return Judged::Wait;
        };
        let age = now.saturating_duration_since(failing.since);
        let mut wait = false;
        for group in entry.groups() {
            let Some(members) = groups.get(&group).filter(|members| members.is_group(group)) else {
                continue;
            };
            if members.failing == members.all {
                return Judged::Group(group);
            }
            if members.read.is_some_and(|at| at >= failing.since) {
                continue;
            }
            wait |= age < if members.failing > 1 { GROUP_AFTER } else { ALONE_AFTER };
        }
        let proof = self.hosts.len() < FEWEST_HOSTS
            || failing.cause.is_none()
            || self.hosts.iter().any(|(host, named)| {
                *host != entry.host && named.host.answered.is_some_and(|at| at >= failing.since)
            });
        wait |= !proof && age < ALONE_AFTER;
        if wait && !last { Judged::Wait } else { Judged::Alone }
    }

    /// Reports that a whole group fails.
    fn begin(&mut self, group: Group) -> Option<Line> {
        let members: Vec<String> = self.members(group).map(|(id, _)| id.to_owned()).collect();
        let mut reasons: HashMap<&str, usize> = HashMap::new();
        for (_, entry) in self.members(group) {
            if let Some(failing) = &entry.failing {
                *reasons.entry(failing.reason.as_str()).or_default() += 1;
            }
        }
        let reason =
            reasons.into_iter().max_by_key(|(reason, count)| (*count, std::cmp::Reverse(*reason)));
        let reason = format!("{}; {}", names(&members), reason.map_or("", |(reason, _)| reason));
        let line = Line::GroupFailing {
            group: format!("all {}", self.name(group, members.len())),
            reason,
        };
        for id in &members {
            if let Some(failing) = self.entries.get_mut(id).and_then(|one| one.failing.as_mut())
                && failing.shown == Shown::Pending
            {
                failing.shown = Shown::Within(group);
            }
        }
        let outage = Outage { failed: members.len(), first_back: None };
        // Already reported, and one more member joins.
        self.outages.insert(group, outage).is_none().then_some(line)
    }

    /// Returns the lines for groups that have recovered.
    fn ended(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        let open: Vec<Group> = self.outages.keys().copied().collect();
        for group in open {
            let still: Vec<String> = self
                .entries
                .iter()
                .filter(|(_, entry)| {
                    entry
                        .failing
                        .as_ref()
                        .is_some_and(|failing| failing.shown == Shown::Within(group))
                })
                .map(|(id, _)| id.clone())
                .collect();
            let Some(outage) = self.outages.get(&group) else { continue };
            let waited =
                outage.first_back.is_some_and(|at| now.saturating_duration_since(at) >= REST_AFTER);
            let most_are_back = waited && still.len() * 2 <= outage.failed;
            if !(still.is_empty() || most_are_back) {
                continue;
            }
            for id in &still {
                if let Some(failing) = self.entries.get_mut(id).and_then(|one| one.failing.as_mut())
                {
                    failing.shown = Shown::Alone;
                }
            }
            let failed = outage.failed;
            self.outages.remove(&group);
            lines.push(Line::GroupBack {
                group: format!("the {}", self.name(group, failed)),
                except: (!still.is_empty()).then(|| names(&still)),
            });
        }
        lines
    }
}
