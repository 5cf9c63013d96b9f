use proptest::prelude::*;

use super::*;
use statuswatch_model::event::format_time;

fn shown(text: &str) -> String {
    parse(None, text).map(format_time).unwrap_or_default()
}

/// Formats of programs: by standard, by language, by convention.
#[test]
fn what_programs_write_is_read() {
    for (text, time) in [
        // RFC 3339 and ISO 8601.
        ("2026-10-24T08:28:00Z", "2026-10-24T08:28:00Z"),
        ("2026-10-24T08:28:00.250Z", "2026-10-24T08:28:00.250Z"),
        ("2026-10-24T08:28:00.123456789+02:00", "2026-10-24T06:28:00.123456789Z"),
        ("2026-10-24t08:28:00z", "2026-10-24T08:28:00Z"),
        ("2026-10-24T08:28Z", "2026-10-24T08:28:00Z"),
        ("2026-10-24T08:28:00+0200", "2026-10-24T06:28:00Z"),
        ("2026-10-24T08:28:00+02", "2026-10-24T06:28:00Z"),
        ("2026-10-24T08:28:00-07", "2026-10-24T15:28:00Z"),
        ("2026-10-24T08:28:00,123+02:00", "2026-10-24T06:28:00.123Z"),
        ("2026-10-24T08:28:00", "2026-10-24T08:28:00Z"),
        ("2026-10-24 08:28:00", "2026-10-24T08:28:00Z"),
        ("2026-10-24 08:28", "2026-10-24T08:28:00Z"),
        ("2026-10-24 08:28:00 UTC", "2026-10-24T08:28:00Z"),
        ("2026-10-24 08:28:00+00:00", "2026-10-24T08:28:00Z"),
        ("2026-10-24", "2026-10-24T00:00:00Z"),
        ("2026/10/24 08:28", "2026-10-24T08:28:00Z"),
        ("2026.10.24 08:28", "2026-10-24T08:28:00Z"),
        ("20261024T082800Z", "2026-10-24T08:28:00Z"),
        ("20261024T0828+0200", "2026-10-24T06:28:00Z"),
        ("20261024", "2026-10-24T00:00:00Z"),
        ("20261024082800", "2026-10-24T08:28:00Z"),
        ("2026-W43-6T08:28:00Z", "2026-10-24T08:28:00Z"),
        ("2026W436", "2026-10-24T00:00:00Z"),
        ("2026-297T08:28Z", "2026-10-24T08:28:00Z"),
        ("2026-10-24T24:00:00Z", "2026-10-25T00:00:00Z"),
        ("2026-12-31 24:00", "2027-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2026-10-24T08:28:00+02:00[Europe/Berlin]", "2026-10-24T06:28:00Z"),
        ("2026-10-24 08:28:00 Europe/Berlin", "2026-10-24T06:28:00Z"),
        ("2026-10-24 08:28 America/Port-au-Prince", "2026-10-24T12:28:00Z"),
        ("2026-10-24T08:28:00 (UTC)", "2026-10-24T08:28:00Z"),
        // RFC 822 to 2822, and the variants in feeds.
        ("Sat, 24 Oct 2026 08:28:00 GMT", "2026-10-24T08:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 +0200", "2026-10-24T06:28:00Z"),
        ("24 Oct 2026 08:28:00 Z", "2026-10-24T08:28:00Z"),
        ("Sat, 4 Oct 2025 08:28:00 GMT", "2025-10-04T08:28:00Z"),
        ("Sat, 24 Oct 26 08:28 PST", "2026-10-24T16:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 EDT", "2026-10-24T12:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 UT", "2026-10-24T08:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00", "2026-10-24T08:28:00Z"),
        ("Mon, 24 Oct 2026 08:28:00 GMT", "2026-10-24T08:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 GMT+2", "2026-10-24T06:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 GMT+0200", "2026-10-24T06:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 UTC+02:00", "2026-10-24T06:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 UTC-5", "2026-10-24T13:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 +02:00", "2026-10-24T06:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 \u{2212}0500", "2026-10-24T13:28:00Z"),
        ("Sat, 24 Oct 2026 08:28:00 -0500 (EST)", "2026-10-24T13:28:00Z"),
        ("Sat, 24 Oct 2026 24:00:00 GMT", "2026-10-25T00:00:00Z"),
        ("Sat, 31 Dec 2016 23:59:60 GMT", "2016-12-31T23:59:59Z"),
        ("Saturday, 24-Oct-26 08:28:00 GMT", "2026-10-24T08:28:00Z"),
        ("Sat, 24-Oct-2026 08:28:00 GMT", "2026-10-24T08:28:00Z"),
        // The default formats of languages and tools.
        ("Sat Oct 24 08:28:00 2026", "2026-10-24T08:28:00Z"),
        ("Sat Oct  4 08:28:00 UTC 2025", "2025-10-04T08:28:00Z"),
        ("Sat Oct 24 08:28:00 CEST 2026", "2026-10-24T06:28:00Z"),
        ("Sat Oct 24 08:28:00 +0000 2026", "2026-10-24T08:28:00Z"),
        (
            "Sat Oct 24 2026 08:28:00 GMT+0200 (Central European Summer Time)",
            "2026-10-24T06:28:00Z",
        ),
        (
            "Sat Oct 24 2026 08:28:00 GMT+0200 (Mitteleuropäische Sommerzeit)",
            "2026-10-24T06:28:00Z",
        ),
        ("Sat Oct 24 2026 08:28:00 GMT-0700 (heure d’été du Pacifique)", "2026-10-24T15:28:00Z"),
        ("2026-10-24 08:28:00 +0000 UTC", "2026-10-24T08:28:00Z"),
        (
            "2026-10-24 08:28:00.123456789 +0200 CEST m=+0.000012301",
            "2026-10-24T06:28:00.123456789Z",
        ),
        ("10/24/2026 8:28:00 AM", "2026-10-24T08:28:00Z"),
        ("10/24/2026, 8:28:00 PM", "2026-10-24T20:28:00Z"),
        ("10/24/2026 8:28:00 AM +00:00", "2026-10-24T08:28:00Z"),
        ("24/10/2026, 08:28:00", "2026-10-24T08:28:00Z"),
        ("24-10-2026 08:28:00", "2026-10-24T08:28:00Z"),
        ("24/Oct/2026:08:28:00 +0200", "2026-10-24T06:28:00Z"),
        ("1792830480", "2026-10-24T08:28:00Z"),
        ("1792830480.25", "2026-10-24T08:28:00.250Z"),
        ("1792830480250", "2026-10-24T08:28:00.250Z"),
        ("1792830480250000", "2026-10-24T08:28:00.250Z"),
        ("1792830480250000000", "2026-10-24T08:28:00.250Z"),
        ("@1792830480", "2026-10-24T08:28:00Z"),
        ("/Date(1792830480250)/", "2026-10-24T08:28:00.250Z"),
        ("/Date(1792830480250+0200)/", "2026-10-24T08:28:00.250Z"),
    ] {
        assert_eq!(shown(text), time, "{text}");
    }
}

/// Formats of people, in the languages of status pages.
#[test]
fn what_people_write_is_read() {
    for (text, time) in [
        ("October 24, 2026", "2026-10-24T00:00:00Z"),
        ("Oct 24, 2026 - 08:28 UTC", "2026-10-24T08:28:00Z"),
        ("Oct. 24th, 2026 at 8:28pm", "2026-10-24T20:28:00Z"),
        ("24th of October 2026, 08:28 (UTC)", "2026-10-24T08:28:00Z"),
        ("Oct 24, 2026 8:28 AM ET", "2026-10-24T12:28:00Z"),
        ("Dec 24, 2026 8:28 AM ET", "2026-12-24T13:28:00Z"),
        ("Oct 24, 2026 8:28 a.m. PT", "2026-10-24T15:28:00Z"),
        ("Oct 24, 2026, 8 PM Pacific Time", "2026-10-25T03:00:00Z"),
        ("Oct 24, 2026, 8:28 AM Eastern Standard Time", "2026-10-24T13:28:00Z"),
        ("Saturday, October 24, 2026 12:28 AM CT", "2026-10-24T05:28:00Z"),
        ("Sept 4 2026 12:00 noon JST", "2026-09-04T03:00:00Z"),
        ("24 Oct 2026 0828 UTC", "2026-10-24T08:28:00Z"),
        ("8:28 AM UTC, 24 Oct 2026", "2026-10-24T08:28:00Z"),
        ("2026-10-24 17:28 JST", "2026-10-24T08:28:00Z"),
        ("2026-10-24 08:28 (GMT+09:00)", "2026-10-23T23:28:00Z"),
        // German
        ("24.10.2026 08:28", "2026-10-24T08:28:00Z"),
        ("24.10.26, 08:28 Uhr", "2026-10-24T08:28:00Z"),
        ("10.11.2026 08:28", "2026-11-10T08:28:00Z"),
        ("Sa, 24 Okt 2026 08:28:00 +0200", "2026-10-24T06:28:00Z"),
        ("Samstag, 24. Oktober 2026 um 8.28 Uhr", "2026-10-24T08:28:00Z"),
        ("3. März 2026, 08:28 Uhr MEZ", "2026-03-03T07:28:00Z"),
        ("24. Dez. 2026 8 Uhr", "2026-12-24T08:00:00Z"),
        // French
        ("sam., 24 oct. 2026 08:28:00 +0200", "2026-10-24T06:28:00Z"),
        ("samedi 24 octobre 2026 à 8h28", "2026-10-24T08:28:00Z"),
        ("1er août 2026 à 20 h", "2026-08-01T20:00:00Z"),
        ("mar. 3 févr. 2026 08:28", "2026-02-03T08:28:00Z"),
        // Spanish
        ("sáb, 24 oct 2026 08:28:00 GMT", "2026-10-24T08:28:00Z"),
        ("24 de octubre de 2026 a las 8:28 p. m.", "2026-10-24T20:28:00Z"),
        ("mié, 7 ene 2026 08:28", "2026-01-07T08:28:00Z"),
        // Portuguese
        ("sáb., 24 de out. de 2026 às 08:28", "2026-10-24T08:28:00Z"),
        ("sábado, 24 de outubro de 2026, 08h28", "2026-10-24T08:28:00Z"),
        ("segunda-feira, 2 de março de 2026 08:28", "2026-03-02T08:28:00Z"),
        // Italian
        ("sab, 24 ott 2026 08:28:00 +0200", "2026-10-24T06:28:00Z"),
        ("mar 24 marzo 2026, ore 8.28", "2026-03-24T08:28:00Z"),
        ("24 maggio 2026 alle 08:28", "2026-05-24T08:28:00Z"),
        // Dutch
        ("za 24 okt 2026 08:28", "2026-10-24T08:28:00Z"),
        ("zaterdag 7 maart 2026 om 8:28 uur", "2026-03-07T08:28:00Z"),
        // Japanese, Chinese, Korean
        ("2026年10月24日 08:28", "2026-10-24T08:28:00Z"),
        ("2026年10月24日(土) 17時28分 JST", "2026-10-24T08:28:00Z"),
        ("２０２６年１０月２４日　午後８時２８分", "2026-10-24T20:28:00Z"),
        ("2026/10/24 17:28 日本時間", "2026-10-24T08:28:00Z"),
        ("2026年10月24日 下午8:28", "2026-10-24T20:28:00Z"),
        ("2026년 10월 24일 오후 8:28", "2026-10-24T20:28:00Z"),
    ] {
        assert_eq!(shown(text), time, "{text}");
    }
}

#[test]
fn what_is_no_time_is_none() {
    for text in [
        "",
        "yesterday",
        "2 hours ago",
        "08:28",
        "24 Oct",
        "Sat, 24 Oct 2026 08:28:00 XYZ",
        "Oct 32, 2026",
        "2026-13-01",
        "2026-02-29",
        "2026-10-24 25:00",
        "2026-10-24 24:01",
        "2026-10-24 08:61",
        "2026-W54-1",
        "2026-W10-8",
        "12",
        "123456789012",
        "10/11/2026",
        "31/31/2026",
        "24 Oct Nov 2026",
        "2026-10-24T08:28:00+99:00",
        "(2026",
        "1e999",
        "NaN",
        "The incident of 24 October 2026 is over",
        "/Date()/",
        "日",
        "::",
        "+",
        "2026-10-24 08:28 (",
    ] {
        assert_eq!(shown(text), "", "{text}");
    }
    assert_eq!(shown(&"9".repeat(10_000)), "");
}

#[test]
fn local_times_are_in_the_zone_that_is_stated_or_configured() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let (time, _) = within(berlin, || shown("24.10.2026 08:28"));
    assert_eq!(time, "2026-10-24T06:28:00Z");
    let (time, _) = within(berlin, || shown("24.10.2026 08:28 UTC"));
    assert_eq!(time, "2026-10-24T08:28:00Z", "a zone that is written counts");
    let (time, _) = within(berlin, || {
        page_zone("Pacific Time (US & Canada)");
        page_zone("of no use");
        shown("24.10.2026 08:28")
    });
    assert_eq!(time, "2026-10-24T15:28:00Z", "a page knows best");
    assert_eq!(shown("24.10.2026 08:28"), "2026-10-24T08:28:00Z", "and nothing is left behind");
}

#[test]
fn other_dates_of_a_document_resolve_day_and_month() {
    let all = |texts: &[&str]| {
        let (times, unread) = within(Zone::UTC, || {
            texts.iter().map(|text| read(text).map(format_time)).collect::<Vec<_>>()
        });
        let times: Vec<String> = times
            .into_iter()
            .map(|time| time.map_or_else(String::new, |time| time.chars().take(10).collect()))
            .collect();
        (times.join(" "), unread.count)
    };
    // One unambiguous date, wherever it is.
    assert_eq!(all(&["10/11/2026", "24/10/2026"]), ("2026-11-10 2026-10-24".into(), 0));
    assert_eq!(all(&["10/11/2026", "10/24/2026"]), ("2026-10-11 2026-10-24".into(), 0));
    // Unambiguous dates nearby.
    let feed = "Wed, 11 Nov 2026 10:00:00 GMT";
    assert_eq!(all(&["10/11/2026", feed]), ("2026-11-10 2026-11-11".into(), 0));
    let feed = "Sun, 11 Oct 2026 10:00:00 GMT";
    assert_eq!(all(&["10/11/2026", feed]), ("2026-10-11 2026-10-11".into(), 0));
    // The order of the list: in only one order they are descending.
    let list = ["02/12/2026", "10/11/2026", "09/11/2026"];
    assert_eq!(all(&list), ("2026-12-02 2026-11-10 2026-11-09".into(), 0));
    // Inconclusive or contradictory: not read, and counted.
    assert_eq!(all(&["10/11/2026"]), (String::new(), 1));
    assert_eq!(
        all(&["10/11/2026", "24/10/2026", "10/24/2026"]),
        (" 2026-10-24 2026-10-24".into(), 1)
    );
    assert_eq!(all(&["11/11/2026"]), ("2026-11-11".into(), 0));
}

#[test]
fn what_cannot_be_read_is_counted_and_named_and_what_is_missing_is_not() {
    let ((), unread) = within(Zone::UTC, || {
        for text in [
            "",
            "  ",
            "null",
            "N/A",
            "<no value>",
            "0",
            "TBD",
            "0001-01-01T00:00:00Z",
            "0000-00-00 00:00:00",
            "1970-01-01T00:00:00Z",
            "2026-10-24T08:28:00Z",
            "tomorrow",
            "Smarch 3, 2026",
            "tomorrow",
            "a\u{1b}[31mb",
            "later",
        ] {
            let _ = read(text);
        }
    });
    assert_eq!(unread.count, 5);
    assert_eq!(unread.examples.len(), 3);
    assert_eq!(unread.examples[..2], ["tomorrow", "Smarch 3, 2026"]);
    assert!(!unread.examples[2].contains('\u{1b}'));
    assert_eq!(
        unread.warning().unwrap(),
        format!(
            "5 times cannot be read: such as \"tomorrow\", \"Smarch 3, 2026\", \"{}\"",
            unread.examples[2]
        )
    );
    let ((), clean) = within(Zone::UTC, || ());
    assert_eq!(clean.warning(), None);
}

#[test]
fn a_missing_year_is_the_one_that_fits() {
    let near = parse(None, "2026-01-02T10:00:00Z").unwrap();
    let written = Parts::read("Dec 31, 23:50 PST").unwrap();
    assert_eq!(format_time(written.near(near).unwrap()), "2026-01-01T07:50:00Z");
    assert_eq!(format_time(written.before(near).unwrap()), "2026-01-01T07:50:00Z");
    let leap = Parts::read("Feb 29, 10:00 UTC").unwrap();
    assert_eq!(format_time(leap.before(near).unwrap()), "2024-02-29T10:00:00Z");
    assert_eq!(leap.near(near), None);
}

proptest! {
    #[test]
    fn nothing_panics(text in "[0-9A-Za-z:+., /()\\[\\]-]{0,60}") {
        let _ = within(Zone::UTC, || read(&text));
        let _ = Parts::read(&text).and_then(|written| written.near(DateTime::UNIX_EPOCH));
    }

    #[test]
    fn nothing_panics_on_any_text(text in "\\PC{0,120}") {
        let _ = within(Zone::fixed(3600).unwrap(), || read(&text));
    }

    #[test]
    fn forms_made_of_pieces_are_read_or_refused(pieces in prop::collection::vec(prop::sample::select(vec![
        "2026", "10", "24", "Oct", "mar", "-", "/", ".", ":", "T", "W", "Z", "+02", "(", ")", "[", "]", " ", "GMT", "h", "a", "m", "PM", "日", "月",
        "午後", "99999999999", "Europe", "Berlin", "=", "um", "８",
    ]), 0..24)) {
        let text: String = pieces.concat();
        let _ = within(Zone::named("America/New_York").unwrap(), || read(&text));
    }

    /// The fast path and the grammar agree.
    #[test]
    fn rfc_2822_is_read_alike(seconds in 0_i64..4_000_000_000, hours in -14_i32..=14) {
        let zone = chrono::FixedOffset::east_opt(hours * 3600).unwrap();
        let time = DateTime::from_timestamp(seconds, 0).unwrap();
        let text = time.with_timezone(&zone).to_rfc2822();
        prop_assert_eq!(rfc_2822(&text).filter(|_| seconds > 60 * 3600), Some(time).filter(|_| seconds > 60 * 3600));
        if seconds > 60 * 3600 {
            prop_assert_eq!(Parts::read(&text).and_then(Parts::instant), Some(time));
        }
    }

    /// A date is read the same whichever month and day it is.
    #[test]
    fn every_day_is_read(days in 0_i64..20_000) {
        let date = (DateTime::UNIX_EPOCH + TimeDelta::days(days + 366)).date_naive();
        let expected = Some(date.and_hms_opt(8, 28, 0).unwrap().and_utc());
        for form in ["%Y-%m-%d 8:28", "%d.%m.%Y 08:28", "%e %B %Y 08:28", "%a %b %e 08:28:00 %Y", "%Y%m%dT0828", "%G-W%V-%uT08:28", "%Y-%jT08:28", "%Y年%m月%d日 8時28分"] {
            let text = date.format(form).to_string();
            prop_assert_eq!(parse(None, &text), expected, "{}", text);
        }
    }
}
