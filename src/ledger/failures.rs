//! Which providers cannot be read, and the lines that say so on standard error: one for a provider
//! that fails alone, one for all that fail with their host or platform, none of its own for one
//! that fails because we are offline. Pure: the present is an argument.
//!
//! A line is held back until somebody else was asked: whether the others can be read decides what
//! it says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::connectivity::{Cause, FEWEST_HOSTS, Host};
use super::network::Look;

/// A line waits no longer for a sign of life from elsewhere.
const ALONE_AFTER: Duration = Duration::from_secs(10);

/// A line waits no longer for the rest of a group, one of which fails already.
const GROUP_AFTER: Duration = Duration::from_secs(90);

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

/// Counts of one group.
#[derive(Debug, Default, Clone, Copy)]
struct Members {
    all: usize,
    failing: usize,
    hosts: usize,
    /// When one of them was read last.
    read: Option<Instant>,
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

    /// What is to be said now, as our own network looks; `last`: nothing will be said later.
    pub(super) fn lines(&mut self, now: Instant, look: &Look, last: bool) -> Vec<Line> {
        let mut lines = self.ended(now);
        if !self.listed.is_empty() {
            let groups = self.groups();
            let whole = |group: &Group| {
                groups.get(group).is_some_and(|members| members.failing == members.all)
            };
            self.listed.retain(whole);
        }
        if look.holds && !last {
            return lines;
        }
        let pending: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, entry)| {
                entry.failing.as_ref().is_some_and(|failing| {
                    failing.shown == Shown::Pending && !(look.offline && failing.cause.is_some())
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
        // It may have been said with its group a moment ago.
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

    /// Says that a whole group fails.
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
        // Said already, and one more joins.
        self.outages.insert(group, outage).is_none().then_some(line)
    }

    /// Groups that can be read again.
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
            if !still.is_empty() && !(waited && still.len() * 2 <= outage.failed) {
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

    /// What the event that a provider cannot be read says of the others. A group is listed once.
    pub(super) fn context(&mut self, id: &str) -> Option<String> {
        let entry = self.entries.get(id)?;
        let groups = self.groups();
        let whole = entry.groups().into_iter().find(|group| {
            groups
                .get(group)
                .is_some_and(|members| members.is_group(*group) && members.failing == members.all)
        });
        let Some(group) = whole else {
            return self.sentence(id);
        };
        let members: Vec<String> = self.members(group).map(|(id, _)| id.to_owned()).collect();
        let all = self.name(group, members.len());
        Some(if self.listed.insert(group) {
            format!("All {all} fail: {}.", names(&members))
        } else {
            format!("All {all} fail.")
        })
    }

    /// ` (the other 141 are read)`, or nothing.
    fn others(&self, id: &str) -> String {
        match self.read_beside(id) {
            (0, _) => String::new(),
            (1, 1) => " (the other one is read)".to_owned(),
            (read, all) if read == all => format!(" (the other {all} are read)"),
            (read, all) => format!(" ({read} of the other {all} are read)"),
        }
    }

    fn sentence(&self, id: &str) -> Option<String> {
        match self.read_beside(id) {
            (0, _) => None,
            (1, 1) => Some("The other provider is read.".to_owned()),
            (read, all) if read == all => Some(format!("The other {all} providers are read.")),
            (read, all) => Some(format!("Of the other {all} providers {read} are read.")),
        }
    }

    /// How many others are read, and how many there are.
    fn read_beside(&self, id: &str) -> (usize, usize) {
        let read = self.entries.iter().filter(|(other, entry)| {
            *other != id && entry.failing.is_none() && entry.read.is_some()
        });
        (read.count(), self.entries.len().saturating_sub(1))
    }

    fn groups(&self) -> HashMap<Group, Members> {
        let mut groups: HashMap<Group, Members> = HashMap::new();
        let mut hosts = HashSet::new();
        for entry in self.entries.values() {
            for group in entry.groups() {
                let members = groups.entry(group).or_default();
                members.all += 1;
                members.failing += usize::from(entry.failing.is_some());
                members.hosts += usize::from(hosts.insert((group, entry.host)));
                members.read = members.read.max(entry.read);
            }
        }
        groups
    }

    fn members(&self, group: Group) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.groups().contains(&group))
            .map(|(id, entry)| (id.as_str(), entry))
    }

    /// `12 providers read from statuspage`.
    fn name(&self, group: Group, count: usize) -> String {
        match group {
            Group::Platform(source) => format!("{count} providers read from {source}"),
            Group::Host(host) => {
                let name = self.hosts.get(&host).map_or("one host", |named| named.name.as_str());
                format!("{count} providers on {name}")
            }
        }
    }
}

/// What is to be said of a provider that fails.
enum Judged {
    Wait,
    Alone,
    Group(Group),
}

impl Entry {
    /// Its host, then its platform.
    fn groups(&self) -> Vec<Group> {
        std::iter::once(Group::Host(self.host)).chain(self.platform.map(Group::Platform)).collect()
    }
}

impl Members {
    fn is_group(&self, group: Group) -> bool {
        self.all >= FEWEST_MEMBERS && (matches!(group, Group::Host(_)) || self.hosts > 1)
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

/// `a, b and 3 more`.
fn names(ids: &[String]) -> String {
    let mut text = ids.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = ids.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
