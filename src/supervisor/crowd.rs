//! What concerns many pollers at once: one line in place of thousands.

use std::time::Duration;

use tokio::time::Instant;

/// Pollers whose restart is logged by name in one tick; the rest are counted.
const NAMED: usize = 5;

/// No poll got its turn for this long although some wait.
const JAMMED: Duration = Duration::from_mins(5);

/// Which restarts of pollers have a line of their own.
#[derive(Debug, Default)]
pub(super) struct RestartLines {
    restarts: usize,
}

impl RestartLines {
    /// Counts a restart. Returns whether it is logged by name.
    pub(super) fn is_named(&mut self) -> bool {
        self.restarts += 1;
        self.restarts <= NAMED
    }

    /// Ends a tick. Returns how many restarts were not logged by name.
    pub(super) fn rest(&mut self) -> usize {
        std::mem::take(&mut self.restarts).saturating_sub(NAMED)
    }
}

/// Notices when polls wait for their turn and none gets it.
#[derive(Debug, Default)]
pub(super) struct TurnWatch {
    granted: u64,
    since: Option<Instant>,
    reported: bool,
}

impl TurnWatch {
    /// Takes how many turns there were so far and how many polls wait for one. Returns, once until
    /// the next turn, that too long has passed.
    pub(super) fn look(&mut self, granted: u64, waiting: usize, now: Instant) -> bool {
        if waiting == 0 || std::mem::replace(&mut self.granted, granted) != granted {
            *self = Self { granted, since: Some(now), reported: false };
        }
        let since = *self.since.get_or_insert(now);
        let jammed = now.saturating_duration_since(since) > JAMMED;
        jammed && !std::mem::replace(&mut self.reported, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_restarts_have_lines_and_the_rest_are_counted() {
        let mut lines = RestartLines::default();
        assert_eq!((0..5_000).filter(|_| lines.is_named()).count(), NAMED);
        assert_eq!(lines.rest(), 5_000 - NAMED);
        assert_eq!(lines.rest(), 0);
        assert!(lines.is_named());
    }

    #[test]
    fn polls_that_wait_in_vain_are_reported_once() {
        let (mut watch, begun) = (TurnWatch::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!watch.look(7, 0, at(0)));
        assert!(!watch.look(7, 3, at(300)), "since nobody waited");
        assert!(watch.look(7, 3, at(301)));
        assert!(!watch.look(7, 3, at(302)));
        assert!(!watch.look(8, 3, at(700)), "it goes on");
        assert!(!watch.look(8, 3, at(1000)));
        assert!(watch.look(8, 3, at(1001)));
    }
}
