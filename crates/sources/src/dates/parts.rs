//! The parts of a date; missing ones are not guessed here.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta};

use super::context;
use statuswatch_model::event::{Time, expressible};
use statuswatch_model::zone::Zone;

/// A date as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    pub(crate) year: Option<i32>,
    pub(crate) month: Option<u32>,
    pub(crate) day: Option<u32>,
    pub(crate) hour: Option<u32>,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) nanos: u32,
    /// The zone, where one is written.
    pub(super) zone: Option<Zone>,
    /// For a twelve-hour clock: whether it is PM.
    pub(super) pm: Option<bool>,
    /// Two numbers, one of which is the day and the other the month.
    pub(super) either: Option<(u32, u32)>,
}

impl Parts {
    /// Sets the zone if none is written.
    pub(super) fn in_zone(self, zone: Option<Zone>) -> Self {
        Self { zone: self.zone.or(zone), ..self }
    }

    /// Returns the instant, if all parts are present.
    pub(super) fn instant(self) -> Option<Time> {
        self.in_year(self.year?)
    }

    /// Returns the instant in this year, if it is valid.
    pub(crate) fn in_year(self, year: i32) -> Option<Time> {
        if !(1970..=9999).contains(&year) {
            return None;
        }
        let date = NaiveDate::from_ymd_opt(year, self.month?, self.day?)?;
        let local = date.and_time(NaiveTime::MIN).checked_add_signed(self.since_midnight()?)?;
        expressible(self.zone.unwrap_or_else(context::zone).instant(local)?)
    }

    /// Returns the instant, in the written year or else in the one closest to `near`.
    pub(crate) fn near(self, near: Time) -> Option<Time> {
        if let Some(year) = self.year {
            return self.in_year(year);
        }
        let candidates = (near.year() - 1..=near.year() + 1).filter_map(|year| self.in_year(year));
        candidates.min_by_key(|time| (*time - near).abs())
    }

    /// Returns the instant, in the written year or else in the last one in which it is not after
    /// `latest`.
    pub(crate) fn before(self, latest: Time) -> Option<Time> {
        if let Some(year) = self.year {
            return self.in_year(year);
        }
        let candidates =
            (latest.year() - 8..=latest.year()).rev().filter_map(|year| self.in_year(year));
        candidates.into_iter().find(|time| *time <= latest)
    }

    /// Inherits the zone of `other` if none is written.
    pub(crate) fn inherit_zone(&mut self, other: Self) {
        self.zone = self.zone.or(other.zone);
    }

    /// Inherits year, month and day of `other` if they are not written.
    pub(crate) fn inherit_date(&mut self, other: Self) {
        self.year = self.year.or(other.year);
        self.month = self.month.or(other.month);
        self.day = self.day.or(other.day);
    }

    /// Returns the time of day; 24:00 is the end of it.
    fn since_midnight(self) -> Option<TimeDelta> {
        let hour = match (self.hour.unwrap_or(0), self.pm) {
            (12, Some(false)) => 0,
            (hour @ 1..12, Some(true)) => hour + 12,
            (hour, _) => hour,
        };
        let whole_day = hour == 24 && (self.minute, self.second, self.nanos) == (0, 0, 0);
        if (hour > 23 && !whole_day) || self.minute > 59 || self.second > 60 {
            return None;
        }
        // A leap second becomes the second before it: consumers of events expect sixty.
        let seconds = hour * 3600 + self.minute * 60 + self.second.min(59);
        TimeDelta::new(i64::from(seconds), self.nanos)
    }
}
