//! Derives the status of maintenances that state none from their window.
//!
//! Sources read no clock, so they leave such a maintenance as scheduled and record what its status
//! is based on. This step is given the time of observation and runs before anything is compared,
//! stored or displayed.

use super::{Basis, Incident, Snapshot};
use crate::event::{IncidentStatus, Kind, Time};

impl Snapshot {
    /// Returns whether [`Snapshot::settle`] would change nothing at `now`.
    #[must_use]
    pub fn is_settled(&self, now: Time) -> bool {
        self.incidents.iter().all(|incident| standing(incident, now) == incident.status)
    }

    /// Sets the status of each maintenance that depends on its window to the one it has at `now`.
    pub fn settle(&mut self, now: Time) {
        for incident in &mut self.incidents {
            incident.status = standing(incident, now);
        }
    }
}

/// Returns the status of an incident or maintenance at `now`. A status stated by the document is
/// never changed; an unrecognized one states nothing, so there the window counts as long as it is
/// open.
fn standing(incident: &Incident, now: Time) -> IncidentStatus {
    let Incident { kind, status, basis, scheduled_for, scheduled_until, .. } = *incident;
    let by_window = match basis {
        Basis::Begin | Basis::Window => {
            matches!(status, IncidentStatus::Scheduled | IncidentStatus::InProgress)
        }
        Basis::Stated | Basis::Silent => status == IncidentStatus::Update,
    };
    let Some(from) = scheduled_for.filter(|_| kind == Kind::Maintenance && by_window) else {
        return status;
    };
    let ended = scheduled_until.is_some_and(|until| until <= now && from <= until);
    match basis {
        // One that has started does not return to being scheduled.
        _ if now < from && status != IncidentStatus::InProgress => IncidentStatus::Scheduled,
        Basis::Window if ended => IncidentStatus::Completed,
        // It is still listed, so it is not over, whatever was planned.
        Basis::Begin => IncidentStatus::InProgress,
        _ if ended => status,
        _ => IncidentStatus::InProgress,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    fn at(hour: u32) -> Time {
        parse_time(&format!("2026-03-01T{hour:02}:00:00Z")).unwrap()
    }

    /// The status of a maintenance from 10 to 12 at 9, 10, 11, 12 and 13.
    fn course(basis: Basis, status: IncidentStatus, until: Option<u32>) -> [IncidentStatus; 5] {
        [9, 10, 11, 12, 13].map(|hour| {
            let maintenance = Incident {
                status,
                basis,
                scheduled_for: Some(at(10)),
                scheduled_until: until.map(at),
                ..Incident::new(Kind::Maintenance, "m", "x")
            };
            let mut snapshot = Snapshot { incidents: vec![maintenance], ..Snapshot::default() };
            let settled = snapshot.is_settled(at(hour));
            snapshot.settle(at(hour));
            assert_eq!(settled, snapshot.incidents[0].status == status);
            assert!(snapshot.is_settled(at(hour)), "settling again changes nothing");
            snapshot.incidents[0].status
        })
    }

    #[test]
    fn a_maintenance_stands_where_its_window_says_unless_the_page_says_more() {
        use IncidentStatus::{Completed, InProgress, Scheduled, Update, Verifying};
        let until = Some(12);
        for (basis, status, until, expected) in [
            (
                Basis::Begin,
                Scheduled,
                until,
                [Scheduled, InProgress, InProgress, InProgress, InProgress],
            ),
            (
                Basis::Begin,
                Scheduled,
                None,
                [Scheduled, InProgress, InProgress, InProgress, InProgress],
            ),
            (
                Basis::Window,
                Scheduled,
                until,
                [Scheduled, InProgress, InProgress, Completed, Completed],
            ),
            (
                Basis::Window,
                InProgress,
                until,
                [InProgress, InProgress, InProgress, Completed, Completed],
            ),
            // A stated status takes precedence, however late it is.
            (Basis::Stated, Scheduled, until, [Scheduled; 5]),
            (Basis::Begin, Completed, until, [Completed; 5]),
            (Basis::Stated, Verifying, until, [Verifying; 5]),
            // An unrecognized status counts as none.
            (Basis::Stated, Update, until, [Scheduled, InProgress, InProgress, Update, Update]),
        ] {
            assert_eq!(course(basis, status, until), expected, "{basis:?} {status} {until:?}");
        }
    }

    #[test]
    fn without_a_begin_and_for_incidents_nothing_is_settled() {
        let of = |kind, from| {
            let one = Incident {
                basis: Basis::Begin,
                status: IncidentStatus::Scheduled,
                scheduled_for: from,
                ..Incident::new(kind, "m", "x")
            };
            Snapshot { incidents: vec![one], ..Snapshot::default() }.is_settled(at(11))
        };
        assert!(of(Kind::Maintenance, None));
        assert!(of(Kind::Incident, Some(at(10))));
        assert!(!of(Kind::Maintenance, Some(at(10))));
    }
}
