//! Detects abandoned pages: ones that still respond, but whose own time, newest item and other
//! contents are far older than usual. Pure: the current time is an argument.

use crate::event::{Kind, Time};
use crate::snapshot::Snapshot;

/// Quiet periods up to this length are common on maintained pages.
const LEAST: chrono::Duration = chrono::Duration::days(30);

/// The limit for pages that show too little to derive what is usual.
const UNKNOWN: chrono::Duration = chrono::Duration::days(90);

/// A quiet period this many times longer than the longest previous one is unusual.
const TIMES_THE_LONGEST: i32 = 3;

/// With fewer items, the usual pace is unknown.
const FEWEST: usize = 3;

/// An unusually long quiet period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// When the page last changed.
    pub since: Time,
    /// The longest previous quiet period; `None` if too little is known.
    pub longest: Option<chrono::Duration>,
}

impl Silence {
    /// Describes it in human-readable form.
    #[must_use]
    pub fn sentence(&self) -> String {
        let since = self.since.format("%Y-%m-%d");
        match self.longest.map(|longest| longest.num_days().max(1)) {
            Some(days) => format!(
                "nothing on it is newer than {since}, although items were at most {days} day{} apart before: the page may be abandoned",
                if days == 1 { "" } else { "s" }
            ),
            None => format!("nothing on it is newer than {since}: the page may be abandoned"),
        }
    }
}

/// Checks a page by its newest time of any kind and the times of its items, in any order.
#[must_use]
pub fn silence(newest: Time, items: &[Time], now: Time) -> Option<Silence> {
    let mut times = items.to_vec();
    times.sort_unstable();
    times.dedup();
    let longest = (times.len() >= FEWEST)
        .then(|| times.iter().zip(times.iter().skip(1)).map(|(a, b)| *b - *a).max())
        .flatten();
    let newest = times.last().copied().unwrap_or(newest).max(newest);
    let limit = LEAST.max(longest.map_or(LEAST, |longest| longest * TIMES_THE_LONGEST));
    (now - newest > limit).then_some(Silence { since: newest, longest })
}

/// Checks a page by its own contents; `None` also if it contains no time.
#[must_use]
pub fn page_silence(snapshot: &Snapshot, now: Time) -> Option<Silence> {
    let items: Vec<Time> = snapshot
        .incidents
        .iter()
        .filter_map(|incident| {
            let updates = incident.updates.iter();
            let written = updates.filter_map(|update| update.published_at.max(update.edited_at));
            // An announced window lies in the future: the page is maintained.
            let window = incident.scheduled_for.filter(|_| incident.kind == Kind::Maintenance);
            written.chain(incident.started_at).chain(window).max()
        })
        .collect();
    let newest = items.iter().copied().chain(snapshot.page.version).max()?;
    silence(newest, &items, now)
        .filter(|found| found.longest.is_some() || now - found.since > UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;
    use crate::snapshot::{Incident, Page};

    fn day(n: i64) -> Time {
        parse_time("2026-01-01T00:00:00Z").unwrap() + chrono::Duration::days(n)
    }

    fn page(version: Option<i64>, started: &[i64]) -> Snapshot {
        let incidents = started.iter().map(|n| Incident {
            started_at: Some(day(*n)),
            ..Incident::new(Kind::Incident, n.to_string(), "x")
        });
        Snapshot {
            page: Page { version: version.map(day), ..Page::default() },
            incidents: incidents.collect(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn what_is_usual_decides() {
        let since = |version, started: &[i64], now: i64| {
            page_silence(&page(version, started), day(now)).map(|found| found.since)
        };
        assert_eq!(since(None, &[], 900), None, "no time at all");
        assert_eq!(since(Some(0), &[], 90), None);
        assert_eq!(since(Some(0), &[], 91), Some(day(0)));
        // Twenty days at most between two: sixty are too many.
        assert_eq!(since(None, &[0, 10, 30], 80), None);
        assert_eq!(since(None, &[30, 10, 0], 95), Some(day(30)));
        // A page with one incident every half year.
        assert_eq!(since(None, &[0, 180, 360], 700), None);
        assert_eq!(since(None, &[0, 180, 360], 901), Some(day(360)));
        // The page itself was touched later, or is made anew with each answer.
        assert_eq!(since(Some(90), &[0, 10, 30], 95), None);
        assert_eq!(since(None, &[0, 10, 30, 120], 95), None, "an announced window");
    }

    #[test]
    fn it_is_given_in_days() {
        let found = page_silence(&page(Some(3), &[0, 1, 2]), day(200)).unwrap();
        assert_eq!(
            found.sentence(),
            "nothing on it is newer than 2026-01-04, although items were at most 1 day apart before: the page may be abandoned"
        );
    }
}
