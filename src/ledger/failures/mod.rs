//! Tracks which providers cannot be read and the lines logged about them: one for a provider that
//! fails alone, one for all that fail with their host or platform, and none for providers that fail
//! because we are offline. Pure: the current time is an argument.
//!
//! Lines of the first round of polls wait for its end: they are one list. Later, a line is held back
//! until somebody else was asked: whether the others can be read decides what
//! it says.

mod groups;
mod lines;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::connectivity::{Cause, Host};

/// Maximum wait for a result from another host before a line is logged.
const ALONE_AFTER: Duration = Duration::from_secs(10);

/// Maximum wait for the other members of a group after one of them fails.
const GROUP_AFTER: Duration = Duration::from_secs(90);

/// Lines wait no longer for the first poll of every provider.
const FIRST_ROUND: Duration = Duration::from_secs(10);

/// So many providers that fail at the same time become one list; fewer have a line each.
const FEWEST_LISTED: usize = 4;

/// Fewer providers of one host or platform are no group.
const FEWEST_MEMBERS: usize = 3;

/// After most of a group has recovered, wait this long before naming the rest.
const REST_AFTER: Duration = Duration::from_mins(1);

/// Maximum number of providers named in a line or message; the others are counted.
const NAMED: usize = 50;

/// Sources for formats or self-hosted programs: their pages share no platform.
const NO_PLATFORM: [&str; 7] =
    ["feed", "json", "cachet", "cstate", "gatus", "upptime", "uptimekuma"];

/// How a provider's failure has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Not yet.
    Pending,
    /// In its own line.
    Alone,
    /// In a line for the whole group.
    Within(Group),
    /// As part of being offline.
    Offline,
}

/// Providers that fail for the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// All on one host.
    Host(u64),
    /// All read from one platform.
    Platform(&'static str),
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    reason: String,
    cause: Option<Cause>,
    shown: Shown,
}

/// The state of a provider.
#[derive(Debug)]
struct Entry {
    host: u64,
    platform: Option<&'static str>,
    failing: Option<Failing>,
    /// The last successful poll of this process.
    read: Option<Instant>,
}

/// A group that fails as a whole.
#[derive(Debug)]
struct Outage {
    failed: usize,
    /// When the first member recovered.
    first_back: Option<Instant>,
}

/// A host with its name.
#[derive(Debug, Default)]
struct Named {
    name: String,
    host: Host,
}

/// A line to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// One provider cannot be read.
    Failing {
        /// Its id.
        provider: String,
        /// Why, and whether the others can be read.
        reason: String,
    },
    /// Several providers cannot be read, for reasons of their own.
    SeveralFailing {
        /// `5 of 142 providers`.
        providers: String,
        /// `a, b: the reason; c: another reason`.
        reasons: String,
    },
    /// It can be read again.
    Back {
        /// Its id.
        provider: String,
    },
    /// A whole group cannot be read.
    GroupFailing {
        /// `all 12 providers read from statuspage`.
        group: String,
        /// Its members, and why they fail.
        reason: String,
    },
    /// It can be read again.
    GroupBack {
        /// `the providers read from statuspage`.
        group: String,
        /// Members that still cannot be read.
        except: Option<String>,
    },
}

/// The subject of a poll.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) provider: &'a str,
    /// The host as named in messages.
    pub(super) host: &'a str,
    /// The source that reads it.
    pub(super) source: Option<&'static str>,
}

/// The state of all providers and hosts.
#[derive(Debug, Default)]
pub(super) struct Failures {
    entries: BTreeMap<String, Entry>,
    hosts: HashMap<u64, Named>,
    outages: HashMap<Group, Outage>,
    /// Groups whose members were listed in an event, as long as all of them fail.
    listed: HashSet<Group>,
    /// Whether our own network is down.
    pub(super) offline: bool,
    /// Whether it was down when this process started: the failing hosts are unknown then.
    pub(super) restored: bool,
}

impl Failures {
    /// Sets the watched providers, each with the host of its URL.
    pub(super) fn watch<'a>(&mut self, providers: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut former = std::mem::take(&mut self.entries);
        for (id, host) in providers {
            let entry = former.remove(id).unwrap_or_else(|| Entry {
                host: key(host),
                platform: None,
                failing: None,
                read: None,
            });
            self.hosts.entry(entry.host).or_insert_with(|| Named::new(host));
            self.entries.insert(id.to_owned(), entry);
        }
        self.forget_hosts();
    }

    fn forget_hosts(&mut self) {
        let used: HashSet<u64> = self.entries.values().map(|entry| entry.host).collect();
        self.hosts.retain(|host, _| used.contains(host));
    }

    /// Restores a provider that was failing when its poller started.
    pub(super) fn resume(&mut self, provider: &str, now: Instant) {
        let shown = if self.offline { Shown::Offline } else { Shown::Alone };
        if let Some(entry) = self.entries.get_mut(provider) {
            entry.failing.get_or_insert_with(|| Failing {
                since: now,
                reason: String::new(),
                cause: None,
                shown,
            });
        }
    }

    /// Records a response of the host.
    pub(super) fn answered(&mut self, subject: Subject<'_>, now: Instant) {
        let (offline, restored) = (self.offline, self.restored);
        let Some(Named { host, .. }) = self.place(subject) else {
            return;
        };
        if offline && host.recovered.is_none() && (restored || host.failing_since.is_some()) {
            host.recovered = Some(now);
        }
        host.answered = Some(now);
        host.failing_since = None;
    }

    /// Records a successful poll. Returns the lines to log immediately.
    pub(super) fn read(&mut self, subject: Subject<'_>, now: Instant) -> Vec<Line> {
        self.answered(subject, now);
        let Some(entry) = self.entries.get_mut(subject.provider) else {
            return Vec::new();
        };
        entry.read = Some(now);
        let provider = || subject.provider.to_owned();
        match entry.failing.take() {
            Some(Failing { shown: Shown::Alone, .. }) => vec![Line::Back { provider: provider() }],
            Some(Failing { shown: Shown::Pending, reason, .. }) if !self.offline => {
                // Looks at all providers: not at each poll.
                let reason = reason + &self.others(subject.provider);
                vec![
                    Line::Failing { provider: provider(), reason },
                    Line::Back { provider: provider() },
                ]
            }
            Some(Failing { shown: Shown::Within(group), .. }) => {
                if let Some(outage) = self.outages.get_mut(&group) {
                    outage.first_back.get_or_insert(now);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Records a failed poll. `cause` is set if the host did not respond.
    pub(super) fn failed(
        &mut self,
        subject: Subject<'_>,
        cause: Option<Cause>,
        reason: &str,
        now: Instant,
    ) {
        if cause.is_some() {
            if let Some(Named { host, .. }) = self.place(subject) {
                host.failing_since.get_or_insert(now);
                host.failed = Some(now);
                host.recovered = None;
            }
        } else {
            self.answered(subject, now);
        }
        let offline = self.offline;
        let Some(entry) = self.entries.get_mut(subject.provider) else {
            return;
        };
        let failing = entry.failing.get_or_insert_with(|| Failing {
            since: now,
            reason: String::new(),
            cause,
            shown: Shown::Pending,
        });
        if failing.shown == Shown::Offline && !offline {
            // The network works again, but the provider still cannot be read.
            (failing.shown, failing.since) = (Shown::Pending, now);
        }
        failing.cause = cause;
        reason.clone_into(&mut failing.reason);
    }

    /// Returns the host of a poll; documents can be on other hosts than the page.
    fn place(&mut self, subject: Subject<'_>) -> Option<&mut Named> {
        let entry = self.entries.get_mut(subject.provider)?;
        let (host, former) = (key(subject.host), entry.host);
        entry.host = host;
        entry.platform =
            subject.source.filter(|source| !NO_PLATFORM.contains(source)).or(entry.platform);
        let platform = entry.platform;
        if host != former {
            self.hosts.entry(host).or_insert_with(|| Named::new(subject.host));
            self.forget_hosts();
        }
        let named = self.hosts.get_mut(&host)?;
        named.host.platform = platform;
        Some(named)
    }

    /// Returns all hosts.
    pub(super) fn hosts(&self) -> Vec<Host> {
        self.hosts.values().map(|named| named.host).collect()
    }

    /// Returns whether no provider fails, so that there is nothing to decide.
    pub(super) fn is_quiet(&self) -> bool {
        !self.offline
            && self.outages.is_empty()
            && self.listed.is_empty()
            && self.entries.values().all(|entry| entry.failing.is_none())
    }

    /// Returns the number of providers that fail without a response since then, the number polled
    /// since, and the causes, most frequent first.
    pub(super) fn seen(&self, since: Instant) -> (usize, usize, Vec<Cause>) {
        let mut counts = Cause::ALL.map(|cause| (0_usize, cause));
        let mut read = 0;
        for entry in self.entries.values() {
            match entry.failing.as_ref().and_then(|failing| failing.cause) {
                Some(seen) => {
                    for (count, _) in counts.iter_mut().filter(|(_, cause)| *cause == seen) {
                        *count += 1;
                    }
                }
                None => read += usize::from(entry.read.is_some_and(|at| at >= since)),
            }
        }
        // The sort is stable: equally frequent causes keep their order.
        counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let failing = counts.iter().map(|(count, _)| count).sum();
        let causes =
            counts.iter().filter(|(count, _)| *count > 0).map(|(_, cause)| *cause).collect();
        (failing, failing + read, causes)
    }

    /// Returns the number of failing providers and of all providers.
    pub(super) fn count(&self) -> (usize, usize) {
        let failing = self.entries.values().filter(|entry| entry.failing.is_some()).count();
        (failing, self.entries.len())
    }

    /// Applies a change of our network state.
    pub(super) fn set_offline(&mut self, offline: bool) {
        self.offline = offline;
        self.restored = false;
        for Named { host, .. } in self.hosts.values_mut() {
            host.recovered = None;
        }
        for failing in self.entries.values_mut().filter_map(|entry| entry.failing.as_mut()) {
            if failing.shown == Shown::Pending && failing.cause.is_some() {
                failing.shown = Shown::Offline;
            }
        }
    }
}

impl Named {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), host: Host::default() }
    }
}

fn key(host: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(host.as_bytes())
}

#[cfg(test)]
mod tests;
