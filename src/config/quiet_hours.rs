//! `quiet_hours`: times of day in which messages are held back.

use chrono::{NaiveTime, Weekday};
use schemars::JsonSchema;
use statuswatch_notify::{Audience, QuietHours};

use super::channels::Channels;
use super::document::{Node, Value};
use super::reader::{DiagnosticBuilder, Reader, Section, short};
use super::settings::time_zone;
use super::shape::{Urgent, shape};
use super::words::URGENT;
use crate::zone::Zone;

/// An entry of `quiet_hours`.
pub(super) const KEYS: &[&str] = &["channels", "from", "to", "days", "zone", "pass"];

/// More entries are a mistake.
const MAX_ENTRIES: usize = 100;

const DAYS: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

shape! {
    /// A time of day in which messages are held back.
    pub(super) Quiet {
        /// Ids of channels. Default: every channel that people read.
        channels: Vec<String>,
        /// When they begin, local time: `22:00`. Required.
        from: String,
        /// When they end, local time; before `from`: on the next day. Required.
        to: String,
        /// The days on which they begin: names and ranges such as `mon-fri`. Default: every day.
        days: Vec<String>,
        /// The time zone: a name such as `Europe/Berlin` or an offset such as `+02:00`. Default UTC.
        zone: String,
        /// The impact from which on a message is sent at once. Default: none is.
        pass: Urgent,
    }
}

/// Reads every entry.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: Option<&Node>,
    channels: &Channels,
) -> Vec<QuietHours> {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        let message = format!("\"quiet_hours\" must be a list, not {}", node.kind());
        let complaint = DiagnosticBuilder::new(message);
        reader.error(node.at, None, complaint.help("start each entry with \"- \""));
        return Vec::new();
    };
    if items.len() > MAX_ENTRIES {
        let message = format!("more than {MAX_ENTRIES} entries in \"quiet_hours\"");
        reader.error(node.at, None, DiagnosticBuilder::new(message));
        return Vec::new();
    }
    items.iter().filter_map(|item| entry(reader, item, channels)).collect()
}

fn entry(reader: &mut Reader<'_>, node: &Node, channels: &Channels) -> Option<QuietHours> {
    if node.is_null() {
        let complaint = DiagnosticBuilder::new("an entry of \"quiet_hours\" is empty");
        reader.error(node.at, None, complaint.help("write \"from\" and \"to\", or remove it"));
        return None;
    }
    let section = reader.section(node, "quiet hours", KEYS)?;
    for key in ["from", "to"].into_iter().filter(|key| !section.has(key)) {
        let complaint = DiagnosticBuilder::new(format!("quiet hours without \"{key}\""));
        reader.error(node.at, None, complaint.help(format!("add a time: {key}: \"22:00\"")));
    }
    let named = reader.list(&section, "channels", |id| channels.known(id));
    let (from, to) = (time(reader, &section, "from"), time(reader, &section, "to"));
    let days = reader.list(&section, "days", days);
    let zone = time_zone(reader, &section, "zone");
    let pass = reader.word(&section, "pass", URGENT);
    if let (Some(from), Some(to)) = (from, to)
        && from == to
        && let Some(node) = section.get("to")
    {
        let complaint = DiagnosticBuilder::new("quiet hours end when they begin");
        let hint = "for the whole day, use a channel with \"digest: {every: 24h}\"";
        reader.error(node.at, None, complaint.help(hint));
    }
    if let Some(named) = &named {
        judge(reader, &section, channels, named, pass.is_some());
    }
    let is_named = named.is_some();
    let mut named = named.unwrap_or_default();
    named.retain(|id| channels.get(id).is_some_and(|channel| channel.enabled));
    if is_named && named.is_empty() {
        // An empty list would mean every channel.
        return None;
    }
    Some(QuietHours {
        channels: named,
        from: from?,
        to: to?,
        days: weekdays(&days.unwrap_or_default()),
        zone: zone.unwrap_or(Zone::UTC),
        pass,
    })
}

/// Reports channels that cannot be quiet.
fn judge(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    channels: &Channels,
    named: &[String],
    passes: bool,
) {
    let Some(Node { at, value: Value::List(items), .. }) = section.get("channels") else {
        return;
    };
    if items.is_empty() {
        let complaint = DiagnosticBuilder::new("\"channels\" is empty");
        let hint = "leave it out for every channel that people read";
        reader.error(*at, None, complaint.help(hint));
    }
    for (item, id) in items.iter().zip(named) {
        match channels.get(id).and_then(|channel| channel.audience) {
            Some(Audience::Machine) => {
                let message = format!(
                    "\"{id}\" cannot have quiet hours: a program gets every event as it is"
                );
                let complaint = DiagnosticBuilder::new(message).help("remove it from the list");
                reader.error(item.at, Some(id), complaint);
            }
            Some(Audience::Pager) if !passes => {
                let message = format!("\"{id}\" is a pager: even critical alerts are held back");
                let complaint = DiagnosticBuilder::new(message);
                reader.warn(item.at, Some(id), complaint.help("add \"pass: critical\""));
            }
            _ => {}
        }
    }
}

fn time(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<NaiveTime> {
    reader.value(section, key, "a time of day such as 22:00", |text| {
        let number = |part: &str| {
            let is_number =
                (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| is_number)
        };
        let parts = text.trim().split_once(':');
        let time = parts
            .filter(|(_, minute)| minute.len() == 2)
            .and_then(|(hour, minute)| NaiveTime::from_hms_opt(number(hour)?, number(minute)?, 0));
        time.ok_or_else(|| {
            let complaint = DiagnosticBuilder::new(format!(
                "\"{key}\" must be a time of day such as \"22:00\""
            ));
            if text.trim() == "24:00" {
                complaint.help("write \"00:00\"")
            } else {
                complaint.help("write hours from 0 to 23, \":\" and two digits of minutes")
            }
        })
    })
}

/// Reads a day or a range of days.
fn days(text: &str) -> Result<(Weekday, Weekday), DiagnosticBuilder> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    // Short and full names, in any case.
    let day = |name: &str| name.trim().parse::<Weekday>().ok();
    day(first).zip(day(last)).ok_or_else(|| {
        DiagnosticBuilder::new(format!("\"days\": \"{}\" is no day", short(text)))
            .help("write mon, tue, wed, thu, fri, sat or sun, or a range such as mon-fri")
    })
}

/// Returns the days of all ranges, in the order of the week; empty if there are none.
fn weekdays(ranges: &[(Weekday, Weekday)]) -> Vec<Weekday> {
    let mut chosen = Vec::new();
    for (first, last) in ranges {
        let mut day = *first;
        chosen.push(day);
        while day != *last {
            day = day.succ();
            chosen.push(day);
        }
    }
    DAYS.into_iter().filter(|day| chosen.contains(day)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    /// Whether the table has such kinds or not.
    #[test]
    fn pagers_are_warned_about_and_programs_refused() {
        let channels = Channels::of(&[
            ("chat", Audience::Chat),
            ("pager", Audience::Pager),
            ("hook", Audience::Machine),
        ]);
        let shown = |keys: &str| {
            let text = format!("- {{from: '22:00', to: '07:00', {keys}}}");
            let mut reader = Reader::new("x".to_owned(), &text, &[], &[]);
            let node = document::read(&text).unwrap();
            read(&mut reader, Some(&node), &channels);
            reader.diagnostics.iter().map(|found| found.message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(shown("channels: [chat]"), [""; 0]);
        assert_eq!(shown("channels: [pager], pass: critical"), [""; 0]);
        assert_eq!(
            shown("channels: [pager]"),
            ["\"pager\" is a pager: even critical alerts are held back"]
        );
        assert_eq!(
            shown("channels: [hook], pass: critical"),
            ["\"hook\" cannot have quiet hours: a program gets every event as it is"]
        );
    }

    #[test]
    fn days_are_names_and_ranges() {
        let read = |list: &[&str]| {
            weekdays(&list.iter().map(|text| days(text).ok().unwrap()).collect::<Vec<_>>())
        };
        use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
        assert_eq!(read(&["mon-fri"]), [Mon, Tue, Wed, Thu, Fri]);
        assert_eq!(read(&["Saturday", "sun", "sat"]), [Sat, Sun]);
        assert_eq!(read(&["fri - mon"]), [Mon, Fri, Sat, Sun]);
        assert_eq!(read(&["wed-wed"]), [Wed]);
        assert_eq!(read(&[]), []);
        for wrong in ["", "-", "mon-", "someday", "mon-fri-sun", "m"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }
}
