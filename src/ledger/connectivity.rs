//! Decides whether polls fail because of our own network, from which hosts responded and when.
//! Pure: the current time is an argument.
//!
//! Only requests that never reached a host count: failed name resolution, connections and
//! handshakes, and timeouts. Any HTTP response proves that the network works. Hosts are counted,
//! not providers: a hundred pages on one host that is down count once.

use std::time::{Duration, Instant};

/// With fewer hosts, our outage cannot be distinguished from theirs.
pub(super) const FEWEST_HOSTS: usize = 3;

/// Minimum share, in tenths, of the hosts polled since the first failure that must fail.
const FAILING_TENTHS: usize = 9;

/// An outage is certain once this share of all hosts, in tenths, has been polled, or ...
const ASKED_TENTHS: usize = 8;

/// ... once it has lasted this long, if polls are infrequent.
const CONFIRMED_AFTER: Duration = Duration::from_mins(1);

/// The end of an outage is certain after this time, even if few hosts were polled since.
const BACK_AFTER: Duration = Duration::from_secs(10);

/// Why a host did not respond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its name does not resolve.
    Name,
    /// A connection cannot be established.
    Connection,
    /// The request times out.
    Silence,
    /// The TLS handshake fails: a different server may be responding.
    Tls,
    /// This machine is out of file descriptors or memory.
    Resources,
}

impl Cause {
    /// Every cause, in the order in which equally frequent ones are listed.
    pub(super) const ALL: [Self; 5] =
        [Self::Name, Self::Connection, Self::Silence, Self::Tls, Self::Resources];

    /// Returns the symptom in human-readable form.
    pub(super) const fn seen(self) -> &'static str {
        match self {
            Self::Name => "names do not resolve",
            Self::Connection => "connections cannot be made",
            Self::Silence => "requests time out",
            Self::Tls => "TLS handshakes fail",
            Self::Resources => "this machine is out of descriptors or memory",
        }
    }
}

/// The results of polling one host. At most one of `failing_since` and a newer `answered` is set.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Host {
    /// The platform its providers are read from; `None` if unknown, or a format without a platform.
    pub(super) platform: Option<&'static str>,
    /// The first of the current run of attempts without a response.
    pub(super) failing_since: Option<Instant>,
    /// The last attempt without a response.
    pub(super) failed: Option<Instant>,
    /// The last response of any kind.
    pub(super) answered: Option<Instant>,
    /// The first response after it failed in the current outage.
    pub(super) recovered: Option<Instant>,
}

/// The state of the network while it is not known to be down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// It works.
    Fine,
    /// It may be down; too few hosts have been polled yet.
    Suspected,
    /// It is down.
    Offline {
        /// When the first attempt without a response was made.
        since: Instant,
    },
}

/// Decides whether our network is down at `now`.
pub(super) fn beginning(hosts: &[Host], now: Instant) -> Beginning {
    let fewest = FEWEST_HOSTS.max(hosts.len().div_ceil(20));
    let mut failing: Vec<Instant> = hosts.iter().filter_map(|host| host.failing_since).collect();
    if failing.len() < fewest {
        return Beginning::Fine;
    }
    failing.sort_unstable();
    let mut answers: Vec<Instant> = hosts.iter().filter_map(|host| host.answered).collect();
    answers.sort_unstable();
    let answered_since = |since| answers.len() - answers.partition_point(|at| *at < since);
    let found = failing.iter().enumerate().find_map(|(before, &since)| {
        let (failed, answered) = (failing.len() - before, answered_since(since));
        let most = failed * 10 >= (failed + answered) * FAILING_TENTHS;
        (failed >= fewest && most).then_some((since, failed + answered))
    });
    let Some((since, asked)) = found else {
        return Beginning::Fine;
    };
    if is_of_one_platform(hosts, since) {
        return Beginning::Fine;
    }
    // A host that was down before says nothing about the network, but it was polled.
    let down_before = hosts
        .iter()
        .filter(|host| host.failing_since.is_some_and(|at| at < since))
        .filter(|host| host.failed.is_some_and(|at| at >= since))
        .count();
    let certain = (asked + down_before) * 10 >= hosts.len() * ASKED_TENTHS
        || now.saturating_duration_since(since) >= CONFIRMED_AFTER;
    if certain { Beginning::Offline { since } } else { Beginning::Suspected }
}

/// Returns whether all hosts failing since then belong to one platform while hosts of other
/// platforms are watched: then the platform is down.
fn is_of_one_platform(hosts: &[Host], since: Instant) -> bool {
    let mut platforms = hosts
        .iter()
        .filter(|host| host.failing_since.is_some_and(|at| at >= since))
        .map(|host| host.platform);
    let Some(first) = platforms.next().flatten() else {
        return false;
    };
    platforms.all(|platform| platform == Some(first))
        && hosts.iter().any(|host| host.platform != Some(first))
}

/// Returns when our outage ended; `None` if it continues.
pub(super) fn end(hosts: &[Host], now: Instant) -> Option<Instant> {
    let mut recovered: Vec<Instant> = hosts
        .iter()
        .filter(|host| host.failing_since.is_none())
        .filter_map(|host| host.recovered)
        .collect();
    recovered.sort_unstable();
    let fewest = FEWEST_HOSTS.min(hosts.len()).max(1);
    recovered.iter().enumerate().find_map(|(before, &since)| {
        let back = recovered.len() - before;
        let failed = hosts
            .iter()
            .filter(|host| host.failing_since.is_some())
            .filter(|host| host.failed.is_some_and(|at| at >= since))
            .count();
        let certain = (back + failed) * 10 >= hosts.len() * ASKED_TENTHS
            || now.saturating_duration_since(since) >= BACK_AFTER;
        (back >= fewest && back >= failed && certain).then_some(since)
    })
}

/// Returns the time from which a provider counts as unread after our outage: the gap is ours, not
/// the provider's. It has at least `grace` to be read.
pub(super) fn fresh_after(
    fresh: Instant,
    (since, until): (Instant, Instant),
    stale_after: Duration,
    grace: Duration,
) -> Instant {
    let gap = until.saturating_duration_since(since.max(fresh));
    let moved = fresh.checked_add(gap).unwrap_or(until);
    let least = until.checked_sub(stale_after.saturating_sub(grace)).unwrap_or(moved);
    moved.max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after an arbitrary start.
    fn at(begin: Instant, seconds: f64) -> Instant {
        begin + Duration::from_secs_f64(seconds)
    }

    fn answering(at: Instant) -> Host {
        Host { answered: Some(at), ..Host::default() }
    }

    fn failing(answered: Instant, since: Instant) -> Host {
        Host {
            answered: Some(answered),
            failing_since: Some(since),
            failed: Some(since),
            ..Host::default()
        }
    }

    /// `count` hosts polled once a minute, one after the other; the network fails at 60 s.
    fn cut(begin: Instant, count: usize, now: f64) -> Vec<Host> {
        let gap = 60.0 / count as f64;
        (0..count)
            .map(|n| {
                let (first, next) = (n as f64 * gap, 60.0 + n as f64 * gap);
                if next < now {
                    failing(at(begin, first), at(begin, next))
                } else {
                    answering(at(begin, first))
                }
            })
            .collect()
    }

    #[test]
    fn a_cut_is_suspected_soon_and_certain_within_a_minute() {
        let begin = Instant::now();
        let judged = |now: f64| beginning(&cut(begin, 142, now), at(begin, now));
        assert_eq!(judged(62.0), Beginning::Fine, "five hosts may be anything");
        assert_eq!(judged(65.0), Beginning::Suspected);
        assert_eq!(judged(110.0), Beginning::Offline { since: at(begin, 60.0) });
    }

    #[test]
    fn few_polls_are_enough_after_a_minute() {
        let begin = Instant::now();
        // Three of ten are polled each minute, the others once a day.
        let mut hosts = vec![answering(begin); 10];
        for (host, second) in hosts.iter_mut().zip([60.0, 61.0, 62.0]) {
            *host = failing(begin, at(begin, second));
        }
        assert_eq!(beginning(&hosts, at(begin, 70.0)), Beginning::Suspected);
        let offline = Beginning::Offline { since: at(begin, 60.0) };
        assert_eq!(beginning(&hosts, at(begin, 121.0)), offline);
    }

    #[test]
    fn hosts_that_answer_are_proof_of_the_network() {
        let begin = Instant::now();
        let mut hosts = vec![failing(begin, at(begin, 60.0)); 10];
        let judged = |hosts: &[Host]| beginning(hosts, at(begin, 300.0));
        assert!(matches!(judged(&hosts), Beginning::Offline { .. }));
        hosts[0] = answering(at(begin, 61.0));
        assert!(matches!(judged(&hosts), Beginning::Offline { .. }), "one host in our own network");
        hosts[1] = answering(at(begin, 61.0));
        assert_eq!(judged(&hosts), Beginning::Fine);
        // Two hosts, or one with a hundred pages, are not enough.
        assert_eq!(judged(&[failing(begin, at(begin, 60.0)); 2]), Beginning::Fine);
        assert_eq!(judged(&[failing(begin, at(begin, 60.0))]), Beginning::Fine);
    }

    #[test]
    fn hosts_that_failed_long_before_are_not_counted() {
        let begin = Instant::now();
        let mut hosts = vec![failing(begin, at(begin, 1.0)), failing(begin, at(begin, 2.0))];
        hosts.extend(vec![answering(at(begin, 500.0)); 8]);
        hosts[2] = failing(begin, at(begin, 490.0));
        assert_eq!(
            beginning(&hosts, at(begin, 600.0)),
            Beginning::Fine,
            "three on three occasions"
        );
        for host in hosts.iter_mut().skip(3) {
            *host = failing(at(begin, 500.0), at(begin, 560.0));
        }
        let offline = Beginning::Offline { since: at(begin, 560.0) };
        assert_eq!(beginning(&hosts, at(begin, 600.0)), Beginning::Suspected, "seven of ten");
        hosts[0].failed = Some(at(begin, 570.0));
        assert_eq!(beginning(&hosts, at(begin, 600.0)), offline, "eight were asked");
    }

    #[test]
    fn a_platform_that_is_down_is_not_our_network() {
        let begin = Instant::now();
        let of = |platform| Host { platform, ..failing(begin, at(begin, 60.0)) };
        let mut hosts = vec![of(Some("statuspage")); 9];
        let now = at(begin, 300.0);
        assert!(matches!(beginning(&hosts, now), Beginning::Offline { .. }), "no other witness");
        hosts.push(Host { platform: Some("instatus"), ..answering(begin) });
        assert_eq!(beginning(&hosts, now), Beginning::Fine);
        hosts[9] = of(Some("instatus"));
        assert!(matches!(beginning(&hosts, now), Beginning::Offline { .. }));
    }

    #[test]
    fn it_ends_with_the_first_answer_once_most_hosts_answer() {
        let begin = Instant::now();
        let mut hosts = vec![failing(begin, at(begin, 60.0)); 10];
        let now = at(begin, 200.0);
        assert_eq!(end(&hosts, now), None);
        let back = |second: f64| Host {
            recovered: Some(at(begin, second)),
            ..answering(at(begin, second))
        };
        hosts[0] = back(150.0);
        hosts[1] = back(151.0);
        assert_eq!(end(&hosts, now), None, "two of ten");
        hosts[2] = back(152.0);
        assert_eq!(end(&hosts, at(begin, 153.0)), None, "not yet certain");
        assert_eq!(end(&hosts, now), Some(at(begin, 150.0)));
        for host in hosts.iter_mut().skip(3) {
            host.failed = Some(at(begin, 199.0));
        }
        assert_eq!(end(&hosts, now), None, "a few got through, most do not");
        assert_eq!(end(&[back(150.0)], now), Some(at(begin, 150.0)), "the only host there is");
    }

    #[test]
    fn the_gap_is_not_the_providers() {
        let begin = Instant::now();
        let outage = (at(begin, 100.0), at(begin, 700.0));
        let (stale, grace) = (Duration::from_mins(10), Duration::from_mins(2));
        let after = |fresh: f64| fresh_after(at(begin, fresh), outage, stale, grace);
        assert_eq!(after(95.0), at(begin, 695.0), "read until the cut: 5 s are used up");
        assert_eq!(after(0.0), at(begin, 600.0), "nine minutes left less forty seconds");
        assert_eq!(after(650.0), at(begin, 700.0), "answered in the middle");
        let long = fresh_after(begin, (at(begin, 590.0), at(begin, 5000.0)), stale, grace);
        assert_eq!(long, at(begin, 4520.0), "time to be read once more");
    }
}
