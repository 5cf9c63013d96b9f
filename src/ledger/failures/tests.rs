use super::*;
use crate::ledger::network::NetworkState;

/// A moment `seconds` after the beginning of the test.
struct Watch {
    failures: Failures,
    begin: Instant,
}

/// Hosts are `h<n>`, providers `p<n>`; the first `count` of each.
fn watch(count: usize) -> Watch {
    let mut failures = Failures::default();
    let names: Vec<(String, String)> =
        (0..count).map(|n| (format!("p{n}"), format!("h{n}"))).collect();
    failures.watch(names.iter().map(|(id, host)| (id.as_str(), host.as_str())));
    Watch { failures, begin: Instant::now() }
}

impl Watch {
    fn at(&self, second: u64) -> Instant {
        self.begin + Duration::from_secs(second)
    }

    fn read(&mut self, n: usize, source: &'static str, second: u64) -> Vec<Line> {
        let at = self.at(second);
        let (id, host) = (format!("p{n}"), format!("h{n}"));
        self.failures.read(Subject { provider: &id, host: &host, source: Some(source) }, at)
    }

    fn fail(&mut self, n: usize, source: &'static str, second: u64, cause: Option<Cause>) {
        let at = self.at(second);
        let (id, host) = (format!("p{n}"), format!("h{n}"));
        let subject = Subject { provider: &id, host: &host, source: Some(source) };
        self.failures.failed(subject, cause, "broken", at);
    }

    fn lines(&mut self, second: u64, holds_back: bool) -> Vec<Line> {
        let state = NetworkState { transition: None, holds_back, offline: self.failures.offline };
        let at = self.at(second);
        self.failures.lines(at, &state, false)
    }
}

fn failing(provider: &str, reason: &str) -> Line {
    Line::Failing { provider: provider.to_owned(), reason: reason.to_owned() }
}

fn back(provider: &str) -> Line {
    Line::Back { provider: provider.to_owned() }
}

#[test]
fn a_line_waits_for_a_sign_of_life_but_not_for_long() {
    let mut watch = watch(4);
    (0..4).for_each(|n| drop(watch.read(n, "feed", 0)));
    watch.fail(0, "feed", 10, Some(Cause::Connection));
    assert_eq!(watch.lines(12, false), []);
    watch.read(1, "feed", 13);
    assert_eq!(watch.lines(13, false), [failing("p0", "broken (the other 3 are read)")]);
    watch.fail(0, "feed", 20, Some(Cause::Connection));
    assert_eq!(watch.lines(21, false), [], "once");
    assert_eq!(watch.read(0, "feed", 30), [back("p0")]);
    // Nobody else is asked for a while.
    watch.fail(1, "feed", 40, Some(Cause::Connection));
    assert_eq!(watch.lines(49, false), []);
    assert_eq!(watch.lines(50, false).len(), 1);
    // An answer proves the network by itself.
    watch.fail(2, "feed", 60, None);
    assert_eq!(watch.lines(60, false), [failing("p2", "broken (2 of the other 3 are read)")]);
    // One that is read again before it was said is said.
    watch.fail(3, "feed", 70, Some(Cause::Name));
    assert_eq!(watch.read(3, "feed", 71).len(), 2);
}

#[test]
fn failures_of_the_first_round_are_one_list() {
    let mut watch = watch(8);
    watch.read(0, "feed", 0);
    (1..6).for_each(|n| watch.fail(n, "feed", 1, None));
    assert_eq!(watch.lines(2, false), [], "two have not been polled yet");
    (6..8).for_each(|n| drop(watch.read(n, "feed", 3)));
    let id = "p3";
    if let Some(failing) = watch.failures.entries.get_mut(id).unwrap().failing.as_mut() {
        "other".clone_into(&mut failing.reason);
    }
    let list = Line::SeveralFailing {
        providers: "5 of 8 providers".to_owned(),
        reasons: "p1, p2, p4, p5: broken; p3: other".to_owned(),
    };
    assert_eq!(watch.lines(4, false), [list]);
    assert_eq!(watch.lines(5, false), []);
    assert_eq!(watch.read(2, "feed", 60), [back("p2")]);
    // One that is never polled is not waited for.
    let mut slow = self::watch(2);
    slow.fail(0, "feed", 0, None);
    assert_eq!(slow.lines(9, false), []);
    assert_eq!(slow.lines(10, false), [failing("p0", "broken")]);
}

#[test]
fn while_we_are_offline_nothing_is_reported_and_afterwards_only_what_fails_still() {
    let mut watch = watch(4);
    (0..4).for_each(|n| drop(watch.read(n, "feed", 0)));
    watch.fail(0, "feed", 5, None);
    assert_eq!(watch.lines(5, false).len(), 1);
    (1..4).for_each(|n| watch.fail(n, "feed", 10, Some(Cause::Name)));
    assert_eq!(watch.lines(30, true), []);
    watch.failures.set_offline(true);
    watch.fail(3, "feed", 40, Some(Cause::Name));
    assert_eq!(watch.lines(600, true), []);
    let seen = watch.failures.seen(watch.at(10));
    assert_eq!(seen, (3, 3, vec![Cause::Name]));
    assert_eq!(watch.read(0, "feed", 700), [back("p0")], "that had been said");
    assert_eq!(watch.read(1, "feed", 700), []);
    watch.failures.set_offline(false);
    assert_eq!(watch.lines(701, false), [], "not asked since");
    assert_eq!(watch.read(2, "feed", 702), []);
    watch.fail(3, "feed", 703, Some(Cause::Connection));
    watch.read(0, "feed", 704);
    assert_eq!(watch.lines(704, false), [failing("p3", "broken (the other 3 are read)")]);
}

#[test]
fn a_restart_does_not_report_again_what_was_reported() {
    let mut watch = watch(3);
    watch.failures.resume("p0", watch.begin);
    watch.fail(0, "feed", 1, None);
    assert_eq!(watch.lines(60, false), []);
    assert_eq!(watch.read(0, "feed", 61), [back("p0")]);
    watch.failures.offline = true;
    watch.failures.resume("p1", watch.begin);
    assert_eq!(watch.read(1, "feed", 62), [], "we were offline: nothing had been said");
}

#[test]
fn a_platform_is_one_line_at_each_end() {
    let mut watch = watch(6);
    (0..4).for_each(|n| drop(watch.read(n, "statuspage", 0)));
    (4..6).for_each(|n| drop(watch.read(n, "feed", 0)));
    (0..3).for_each(|n| watch.fail(n, "statuspage", 10, None));
    watch.read(4, "feed", 20);
    assert_eq!(watch.lines(40, false), [], "the fourth may be read");
    watch.fail(3, "statuspage", 50, Some(Cause::Silence));
    let whole = Line::GroupFailing {
        group: "all 4 providers read from statuspage".to_owned(),
        reason: "p0, p1, p2, p3; broken".to_owned(),
    };
    assert_eq!(watch.lines(50, false), [whole]);
    let context = |watch: &mut Watch, id: &str| watch.failures.context(id).unwrap();
    assert_eq!(
        context(&mut watch, "p2"),
        "All 4 providers read from statuspage fail: p0, p1, p2, p3."
    );
    assert_eq!(context(&mut watch, "p3"), "All 4 providers read from statuspage fail.");
    (0..3).for_each(|n| assert_eq!(watch.read(n, "statuspage", 100), []));
    assert_eq!(watch.lines(101, false), []);
    let rest = |except: Option<&str>| Line::GroupBack {
        group: "the 4 providers read from statuspage".to_owned(),
        except: except.map(str::to_owned),
    };
    assert_eq!(watch.lines(160, false), [rest(Some("p3"))]);
    assert_eq!(watch.read(3, "statuspage", 170), [back("p3")]);
    // A neighbour that is read, and the feeds: a format is no platform.
    watch.fail(0, "statuspage", 200, None);
    watch.read(1, "statuspage", 201);
    (4..6).for_each(|n| watch.fail(n, "feed", 202, None));
    assert_eq!(watch.lines(203, false).len(), 3);
}

#[test]
fn a_host_is_forgotten_with_its_providers() {
    let mut watch = watch(3);
    watch.fail(0, "feed", 1, Some(Cause::Name));
    assert_eq!(watch.failures.hosts().len(), 3);
    watch.failures.watch([("p1", "h1"), ("p2", "elsewhere")].into_iter());
    assert_eq!(watch.failures.hosts().len(), 2);
    assert!(watch.failures.is_quiet());
}
