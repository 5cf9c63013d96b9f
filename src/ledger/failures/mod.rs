//! Which providers cannot be read, and the lines that say so on standard error: one for a provider
//! that fails alone, one for all that fail with their host or platform, none of its own for one
//! that fails because we are offline. Pure: the present is an argument.
//!
//! Lines of the first round of polls wait for its end: they are one list. Later, a line is held back
//! until somebody else was asked: whether the others can be read decides what
//! it says.

mod groups;
mod lines;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::connectivity::{Cause, Host};

/// A line waits no longer for a sign of life from elsewhere.
const ALONE_AFTER: Duration = Duration::from_secs(10);

/// A line waits no longer for the rest of a group, one of which fails already.
const GROUP_AFTER: Duration = Duration::from_secs(90);

/// Lines wait no longer for the first poll of every provider.
const FIRST_ROUND: Duration = Duration::from_secs(10);

/// So many providers that fail at the same time become one list; fewer have a line each.
const FEWEST_LISTED: usize = 4;

/// Fewer providers of one host or platform are no group.
const FEWEST_MEMBERS: usize = 3;

/// A group most of which can be read again is waited for so long before the rest is named.
const REST_AFTER: Duration = Duration::from_mins(1);

/// Providers named in one line or message; the others are counted.
const NAMED: usize = 50;

/// Sources that read a format or a program everybody may run: their pages share no platform.
const NO_PLATFORM: [&str; 7] =
    ["feed", "json", "cachet", "cstate", "gatus", "upptime", "uptimekuma"];

/// What is said of a provider's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Nothing yet.
    Pending,
    /// A line of its own.
    Alone,
    /// A line for the whole group.
    Within(Group),
    /// That we are offline.
    Offline,
}

/// Providers that fail for one reason.
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

/// One provider.
#[derive(Debug)]
struct Entry {
    host: u64,
    platform: Option<&'static str>,
    failing: Option<Failing>,
    /// The last good poll of this process.
    read: Option<Instant>,
}

/// A group that fails as a whole.
#[derive(Debug)]
struct Outage {
    failed: usize,
    /// When the first member could be read again.
    first_back: Option<Instant>,
}

/// One host with its name.
#[derive(Debug, Default)]
struct Named {
    name: String,
    host: Host,
}

/// A line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// One provider cannot be read.
    Failing {
        /// Its id.
        provider: String,
        /// Why, and whether the others are read.
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
        /// Who they are, and why.
        reason: String,
    },
    /// It can be read again.
    GroupBack {
        /// `the providers read from statuspage`.
        group: String,
        /// Who still cannot be read.
        except: Option<String>,
    },
}

/// What a poll was about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) provider: &'a str,
    /// As it is named in a message.
    pub(super) host: &'a str,
    /// The source that reads it.
    pub(super) source: Option<&'static str>,
}

/// What is known of all providers and hosts.
#[derive(Debug, Default)]
pub(super) struct Failures {
    entries: BTreeMap<String, Entry>,
    hosts: HashMap<u64, Named>,
    outages: HashMap<Group, Outage>,
    /// Groups whose members have been listed in an event, as long as all of them fail.
    listed: HashSet<Group>,
    /// Our own network is down.
    pub(super) offline: bool,
    /// It was so when this process began: nobody knows which hosts failed.
    pub(super) restored: bool,
}

impl Failures {
    /// The providers watched from now on, each with the host of its address.
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

    /// A provider that was failing when its poller began.
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

    /// The host answered.
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

    /// The provider was read. Answers what is to be said at once.
    pub(super) fn read(&mut self, subject: Subject<'_>, now: Instant) -> Vec<Line> {
        self.answered(subject, now);
        let others = self.others(subject.provider);
        let Some(entry) = self.entries.get_mut(subject.provider) else {
            return Vec::new();
        };
        entry.read = Some(now);
        let provider = || subject.provider.to_owned();
        match entry.failing.take() {
            Some(Failing { shown: Shown::Alone, .. }) => vec![Line::Back { provider: provider() }],
            Some(Failing { shown: Shown::Pending, reason, .. }) if !self.offline => vec![
                Line::Failing { provider: provider(), reason: reason + &others },
                Line::Back { provider: provider() },
            ],
            Some(Failing { shown: Shown::Within(group), .. }) => {
                if let Some(outage) = self.outages.get_mut(&group) {
                    outage.first_back.get_or_insert(now);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The provider could not be read; `cause`: its host gave no answer.
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
            // The network works again, and still it cannot be read.
            (failing.shown, failing.since) = (Shown::Pending, now);
        }
        failing.cause = cause;
        reason.clone_into(&mut failing.reason);
    }

    /// The host of a poll; a document may be on another one than the page.
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

    /// All hosts.
    pub(super) fn hosts(&self) -> Vec<Host> {
        self.hosts.values().map(|named| named.host).collect()
    }

    /// Whether anybody fails: nothing is to be decided otherwise.
    pub(super) fn is_quiet(&self) -> bool {
        !self.offline
            && self.outages.is_empty()
            && self.listed.is_empty()
            && self.entries.values().all(|entry| entry.failing.is_none())
    }

    /// Providers that fail without an answer since then, those asked since, and what is seen, most
    /// often seen first.
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
        // The sort is stable: of equals, the order of the causes.
        counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let failing = counts.iter().map(|(count, _)| count).sum();
        let causes =
            counts.iter().filter(|(count, _)| *count > 0).map(|(_, cause)| *cause).collect();
        (failing, failing + read, causes)
    }

    /// Providers that cannot be read, and all of them.
    pub(super) fn count(&self) -> (usize, usize) {
        let failing = self.entries.values().filter(|entry| entry.failing.is_some()).count();
        (failing, self.entries.len())
    }

    /// Our network has gone down, or is back.
    pub(super) fn went(&mut self, offline: bool) {
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
