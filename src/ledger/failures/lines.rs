//! Decides which lines are logged, and when.

use std::collections::HashMap;
use std::time::Instant;

use super::groups::{Members, names};
use super::{ALONE_AFTER, Failures, GROUP_AFTER, Group, Line, Outage, REST_AFTER, Shown};
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
        let groups = self.groups();
        for id in pending {
            match self.judge(&id, &groups, now, last) {
                Judged::Wait => {}
                Judged::Group(group) => lines.extend(self.begin(group)),
                Judged::Alone => {
                    let others = self.others(&id);
                    if let Some(failing) =
                        self.entries.get_mut(&id).and_then(|entry| entry.failing.as_mut())
                    {
                        failing.shown = Shown::Alone;
                        let reason = failing.reason.clone() + &others;
                        lines.push(Line::Failing { provider: id, reason });
                    }
                }
            }
        }
        lines
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
