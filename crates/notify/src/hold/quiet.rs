//! Quiet hours: whether an instant is in them, and when they end.
//!
//! The instant is converted to local time and compared, never the reverse: in the night of a clock
//! change quiet hours are longer or shorter, but no instant is ambiguous.

use chrono::{Datelike as _, Days, NaiveDateTime, TimeDelta};
use statuswatch_model::event::{Impact, Time};

use super::thread::reaches;
use crate::channel::Audience;
use crate::policy::QuietHours;

/// Quiet hours that follow on each other are one, up to this many.
const MOST_IN_A_ROW: usize = 64;

/// Quiet hours in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quiet<'a> {
    /// When they end, together with those that follow on them.
    pub until: Time,
    /// The last of them.
    pub last: &'a QuietHours,
    /// What passes now; `None`: nothing.
    pub pass: Option<Impact>,
}

impl Quiet<'_> {
    /// Returns whether an event with this impact is sent in spite of them.
    #[must_use]
    pub fn is_passed_by(&self, impact: Impact) -> bool {
        self.pass.is_some_and(|least| reaches(impact, least))
    }
}

/// Returns the quiet hours in force for a channel; `None` if there are none.
///
/// Where several overlap, a message passes if it passes each of them.
#[must_use]
pub fn quiet<'a>(
    all: &'a [QuietHours],
    channel: &str,
    audience: Audience,
    now: Time,
) -> Option<Quiet<'a>> {
    let concerned: Vec<&QuietHours> =
        all.iter().filter(|quiet| quiet.concern(channel, audience)).collect();
    let last_at = |at: Time| {
        let ends = concerned.iter().filter_map(|quiet| Some((quiet.end(at)?, *quiet)));
        ends.max_by_key(|(end, _)| *end)
    };
    let (mut until, mut last) = last_at(now)?;
    for _ in 0..MOST_IN_A_ROW {
        let Some((later, quiet)) = last_at(until) else { break };
        (until, last) = (later, quiet);
    }
    let mut passes = concerned.iter().filter(|quiet| quiet.contains(now)).map(|quiet| quiet.pass);
    let first = passes.next().flatten();
    let pass = passes.fold(first, |strictest, pass| match (strictest, pass) {
        (Some(one), Some(other)) => Some(if one.rank() > other.rank() { one } else { other }),
        _ => None,
    });
    Some(Quiet { until, last, pass })
}

impl QuietHours {
    /// Returns whether they concern a channel. A machine is sent everything at once, and a pager is
    /// quiet only if it is named.
    #[must_use]
    pub fn concern(&self, channel: &str, audience: Audience) -> bool {
        let is_named = self.channels.iter().any(|id| id == channel);
        match audience {
            Audience::Chat => is_named || self.channels.is_empty(),
            Audience::Pager => is_named,
            Audience::Machine => false,
        }
    }

    /// Returns whether an instant is in them.
    #[must_use]
    pub fn contains(&self, at: Time) -> bool {
        self.local_end(self.zone.local(at)).is_some()
    }

    /// Returns the first instant after `at` that is not in them; `None` if `at` is not.
    ///
    /// If the clocks skip their end, that is the instant of the change. A local time that occurs twice
    /// is in them twice or not at all.
    #[must_use]
    pub fn end(&self, at: Time) -> Option<Time> {
        let local = self.zone.local(at);
        let end = at.checked_add_signed(self.local_end(local)? - local)?;
        if self.offset(end) == self.offset(at) {
            return Some(end);
        }
        // The clocks change once at most within a day.
        let change = self.change(at, end);
        let local = self.zone.local(change);
        match self.local_end(local) {
            None => Some(change),
            Some(end) => change.checked_add_signed(end - local),
        }
    }

    /// Returns their end by the local clock, if the local time is in them.
    fn local_end(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let (today, time) = (local.date(), local.time());
        let (begin, end) = if self.from < self.to {
            (self.from <= time && time < self.to).then_some((today, today))?
        } else if self.from == self.to {
            return None;
        } else if time >= self.from {
            (today, today.succ_opt()?)
        } else if time < self.to {
            (today.checked_sub_days(Days::new(1))?, today)
        } else {
            return None;
        };
        let on = self.days.is_empty() || self.days.contains(&begin.weekday());
        on.then(|| end.and_time(self.to))
    }

    fn offset(&self, at: Time) -> TimeDelta {
        self.zone.local(at) - at.naive_utc()
    }

    /// Returns the first second after `from`, up to `to`, with the offset of `to`.
    fn change(&self, from: Time, to: Time) -> Time {
        let after = self.offset(to);
        let (mut low, mut high) = (from.timestamp(), to.timestamp());
        let at = |second| Time::from_timestamp(second, 0).unwrap_or(to);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset(at(middle)) == after { high = middle } else { low = middle }
        }
        at(high)
    }
}
