//! Quiet hours in ordinary nights and in those of clock changes.

use chrono::{NaiveTime, TimeDelta, Weekday};
use proptest::prelude::*;
use statuswatch_model::event::{Impact, Time, format_time};
use statuswatch_model::zone::Zone;

use super::time;
use crate::channel::Audience;
use crate::hold::quiet::quiet;
use crate::policy::QuietHours;

fn clock(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

fn hours(from: &str, to: &str, zone: &str) -> QuietHours {
    QuietHours {
        channels: Vec::new(),
        from: clock(from),
        to: clock(to),
        days: Vec::new(),
        zone: Zone::named(zone).unwrap(),
        pass: None,
    }
}

/// The noon before each night in which the clocks change in 2026.
const NIGHTS: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    ("America/New_York", "2026-03-07T12:00:00Z"),
    ("America/New_York", "2026-10-31T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
];

#[test]
fn a_night_is_longer_or_shorter_when_the_clocks_change() {
    for (zone, from, to, at, end) in [
        // An ordinary night, the shorter and the longer one.
        ("Europe/Berlin", "22:00", "07:00", "2026-03-03T21:00:00Z", "2026-03-04T06:00:00Z"),
        ("Europe/Berlin", "22:00", "07:00", "2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z"),
        ("Europe/Berlin", "22:00", "07:00", "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),
        // The end is skipped: the first instant after the gap.
        ("Europe/Berlin", "22:00", "02:30", "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z"),
        ("America/New_York", "22:00", "02:30", "2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z"),
        ("Australia/Lord_Howe", "22:00", "02:15", "2026-10-03T15:00:00Z", "2026-10-03T15:30:00Z"),
        // The end occurs twice: the first time, and the second again.
        ("Europe/Berlin", "22:00", "02:30", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"),
        ("Europe/Berlin", "22:00", "02:30", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"),
        // The clocks go back at the very end, and behind the beginning.
        ("Europe/Berlin", "22:00", "03:00", "2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z"),
        ("Europe/Berlin", "02:30", "07:00", "2026-10-25T00:40:00Z", "2026-10-25T01:00:00Z"),
        ("Australia/Lord_Howe", "22:00", "07:00", "2026-04-04T12:00:00Z", "2026-04-04T20:30:00Z"),
    ] {
        let found = hours(from, to, zone).end(time(at));
        assert_eq!(found.map(format_time).as_deref(), Some(end), "{zone} {from} {to} {at}");
    }
}

#[test]
fn every_minute_of_every_changing_night_is_judged_by_the_local_clock() {
    for (zone, noon) in NIGHTS {
        for (from, to) in [
            ("22:00", "07:00"),
            ("23:00", "02:30"),
            ("02:15", "06:00"),
            ("01:45", "02:15"),
            ("22:00", "03:00"),
            ("22:00", "02:00"),
            ("01:59", "01:31"),
            ("00:00", "12:00"),
        ] {
            let quiet = hours(from, to, zone);
            let at = |minute: i64| time(noon) + TimeDelta::minutes(minute);
            let is_inside = |minute: i64| {
                let now = quiet.zone.local(at(minute)).time();
                let (from, to) = (clock(from), clock(to));
                if from < to { from <= now && now < to } else { now >= from || now < to }
            };
            let last = 44 * 60;
            let mut next_outside = None;
            for minute in (0..last).rev() {
                assert_eq!(quiet.contains(at(minute)), is_inside(minute));
                if is_inside(minute) {
                    let Some(next) = next_outside else { continue };
                    let case = format!("{zone} {from} {to} {}", at(minute));
                    assert_eq!(quiet.end(at(minute)), Some(at(next)), "{case}");
                } else {
                    assert_eq!(quiet.end(at(minute)), None);
                    next_outside = Some(minute);
                }
            }
        }
    }
}

#[test]
fn days_are_those_on_which_they_begin() {
    let nights = QuietHours {
        days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri],
        ..hours("22:00", "07:00", "UTC")
    };
    for (at, inside) in [
        ("2026-03-06T23:00:00Z", true),  // Friday evening
        ("2026-03-07T06:59:00Z", true),  // Saturday morning
        ("2026-03-07T23:00:00Z", false), // Saturday evening
        ("2026-03-09T06:00:00Z", false), // Monday morning
        ("2026-03-09T22:00:00Z", true),
        ("2026-03-10T07:00:00Z", false),
    ] {
        assert_eq!(nights.contains(time(at)), inside, "{at}");
    }
    assert!(!hours("07:00", "07:00", "UTC").contains(time("2026-03-10T07:00:00Z")));
}

#[test]
fn quiet_hours_concern_people_and_the_channels_they_name() {
    let at = time("2026-03-06T23:00:00Z");
    let ours = [QuietHours { channels: vec!["pager".into()], ..hours("22:00", "07:00", "UTC") }];
    assert!(quiet(&ours, "pager", Audience::Pager, at).is_some());
    assert!(quiet(&ours, "ops", Audience::Chat, at).is_none());
    assert!(quiet(&ours, "pager", Audience::Machine, at).is_none());
    let all = [hours("22:00", "07:00", "UTC")];
    assert!(quiet(&all, "pager", Audience::Pager, at).is_none());
    assert!(quiet(&all, "ops", Audience::Chat, at).is_some());
}

#[test]
fn quiet_hours_in_a_row_are_one_and_the_strictest_of_several_counts() {
    let night = |pass| QuietHours { pass, ..hours("22:00", "07:00", "UTC") };
    let weekend = QuietHours {
        days: vec![Weekday::Sat, Weekday::Sun],
        pass: Some(Impact::Critical),
        ..hours("06:00", "23:00", "UTC")
    };
    let all = [night(Some(Impact::Major)), weekend];
    let friday = time("2026-03-06T23:00:00Z");
    let found = quiet(&all, "ops", Audience::Chat, friday).unwrap();
    assert_eq!(found.until, time("2026-03-09T07:00:00Z"));
    assert_eq!(found.last.to, clock("07:00"));
    assert_eq!(found.pass, Some(Impact::Major));
    let both = quiet(&all, "ops", Audience::Chat, time("2026-03-07T06:30:00Z")).unwrap();
    assert_eq!(both.pass, Some(Impact::Critical));
    let none = [night(Some(Impact::Minor)), night(None)];
    let strict = quiet(&none, "ops", Audience::Chat, friday).unwrap();
    assert!(!strict.is_passed_by(Impact::Critical));
}

proptest! {
    #[test]
    fn all_instants_up_to_the_end_are_inside_and_the_end_is_not(
        zone in prop::sample::select(Zone::names().collect::<Vec<_>>()),
        (from, to) in (0u32..1440, 0u32..1440),
        second in 1_767_225_600i64..1_798_761_600,
        between in prop::collection::vec(0.0f64..1.0, 8),
    ) {
        let at = Time::from_timestamp(second, 0).unwrap();
        let clock = |minute| NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap();
        let quiet = QuietHours { from: clock(from), to: clock(to), ..hours("00:00", "01:00", zone) };
        match quiet.end(at) {
            None => prop_assert!(!quiet.contains(at)),
            Some(end) => {
                prop_assert!(end > at && !quiet.contains(end));
                let length = (end - at).num_seconds();
                for part in between {
                    let instant = at + TimeDelta::seconds((part * length as f64) as i64);
                    prop_assert!(quiet.contains(instant), "{}", instant);
                }
            }
        }
    }
}
