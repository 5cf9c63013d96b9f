//! Settings and filters, as in `defaults` and in every provider.

use std::time::Duration;

use super::document::Place;
use super::keys;
use super::model::{Backoff, Filter, FirstRun, MaintenanceFilter, Settings};
use super::reader::{DiagnosticBuilder, Reader, Section, nearest, set, short};
use super::units::render_duration;
use super::words::MIN_IMPACT;
use crate::event::Kind;
use crate::zone::Zone;

/// The settings resolved so far, and which of them were set explicitly.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolved {
    pub(super) settings: Settings,
    pub(super) filter: Filter,
    incident_interval_written: bool,
    stale_after_written: bool,
    connect_timeout_written: bool,
}

/// Intervals without a successful poll that the default of `stale_after` tolerates.
const MISSED_POLLS: u32 = 3;

const FIRST_RUN: &[(&str, FirstRun)] = &[
    ("none", FirstRun::None),
    ("active", FirstRun::Active),
    ("latest", FirstRun::Latest),
    ("all", FirstRun::All),
];
const KINDS: &[(&str, Kind)] = &[
    ("incident", Kind::Incident),
    ("maintenance", Kind::Maintenance),
    ("component", Kind::Component),
    ("provider", Kind::Provider),
];
const MAINTENANCE: &[(&str, MaintenanceFilter)] = &[
    ("on", MaintenanceFilter::On),
    ("off", MaintenanceFilter::Off),
    ("starts_only", MaintenanceFilter::StartsOnly),
];

impl Resolved {
    /// Overrides the settings with those of `section`.
    pub(super) fn with(&self, reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        let mut new = self.clone();
        let settings = &mut new.settings;
        set(&mut settings.interval, reader.duration(section, "interval", &keys::INTERVAL));
        set(
            &mut settings.incident_interval,
            reader.duration(section, "incident_interval", &keys::INTERVAL),
        );
        set(&mut settings.timeout, reader.duration(section, "timeout", &keys::TIMEOUT));
        set(
            &mut settings.connect_timeout,
            reader.duration(section, "connect_timeout", &keys::TIMEOUT),
        );
        set(&mut settings.jitter, reader.fraction(section, "jitter", &keys::JITTER));
        settings.backoff = backoff(reader, section, "backoff", settings.backoff);
        set(
            &mut settings.max_body,
            reader.size(section, "max_body", &keys::MAX_BODY).map(|size| size as usize),
        );
        set(
            &mut settings.max_items,
            reader.number(section, "max_items", &keys::MAX_ITEMS).map(|count| count as usize),
        );
        set(&mut settings.first_run, reader.word(section, "first_run", FIRST_RUN));
        set(&mut settings.stale_after, reader.duration(section, "stale_after", &keys::STALE_AFTER));
        set(&mut settings.max_wait, reader.duration(section, "max_wait", &keys::MAX_WAIT));
        let pace = reader.duration(section, "host_pace", &keys::HOST_PACE);
        set(&mut settings.host_pace, pace.map(Some));
        set(
            &mut settings.min_duration,
            reader.duration(section, "min_duration", &keys::MIN_DURATION),
        );
        set(&mut settings.allow_private_addresses, reader.flag(section, "allow_private_addresses"));
        set(&mut settings.time_zone, time_zone(reader, section, "time_zone"));
        set(&mut settings.tags, tags(reader, section));
        let filter = &mut new.filter;
        set(&mut filter.components, reader.texts(section, "components"));
        set(&mut filter.regions, reader.texts(section, "regions"));
        set(&mut filter.min_impact, reader.word(section, "min_impact", MIN_IMPACT).map(Some));
        set(&mut filter.kinds, reader.words(section, "kinds", KINDS));
        set(&mut filter.maintenance, reader.word(section, "maintenance", MAINTENANCE));
        new.incident_interval_written |= section.has("incident_interval");
        new.stale_after_written |= section.has("stale_after");
        new.connect_timeout_written |= section.has("connect_timeout");
        new.compare(reader, section);
        new
    }

    /// Values that were not written follow those that were: a poller configured to poll every five
    /// seconds should not look less often during an incident, and one that looks once an hour is
    /// not blind after ten minutes.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        if !self.incident_interval_written {
            settings.incident_interval = settings.incident_interval.min(settings.interval);
        }
        if !self.stale_after_written {
            settings.stale_after = settings.stale_after.max(settings.interval * MISSED_POLLS);
        }
        if !self.connect_timeout_written {
            settings.connect_timeout = settings.connect_timeout.min(settings.timeout);
        }
        settings
    }

    /// Warns of conflicting values if at least one of them was set explicitly.
    fn compare(&self, reader: &mut Reader<'_>, section: &Section<'_>) {
        let Settings { interval, incident_interval, timeout, connect_timeout, stale_after, .. } =
            &self.settings;
        let mut fight =
            |low: &str, high: &str, wrong: bool, values: (Duration, Duration), effect: &str| {
                if wrong && let Some(at) = place(section, low).or_else(|| place(section, high)) {
                    let (a, b) = (render_duration(values.0), render_duration(values.1));
                    reader.warn(
                        at,
                        None,
                        DiagnosticBuilder::new(format!(
                            "\"{low}\" ({a}) is longer than \"{high}\" ({b}): {effect}"
                        )),
                    );
                }
            };
        let wrong = self.connect_timeout_written && connect_timeout > timeout;
        fight(
            "connect_timeout",
            "timeout",
            wrong,
            (*connect_timeout, *timeout),
            "it has no effect",
        );
        let wrong = self.incident_interval_written && incident_interval > interval;
        fight(
            "incident_interval",
            "interval",
            wrong,
            (*incident_interval, *interval),
            "providers are polled less often during incidents",
        );
        let wrong = self.stale_after_written && interval > stale_after;
        fight(
            "interval",
            "stale_after",
            wrong,
            (*interval, *stale_after),
            "the provider becomes unreachable between polls",
        );
    }
}

/// A zone of the IANA database, or an offset.
pub(super) fn time_zone(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<Zone> {
    reader.value(section, key, "a time zone", |name| {
        Zone::named(name).ok_or_else(|| {
            let complaint =
                DiagnosticBuilder::new(format!("unknown time zone \"{}\"", short(name)));
            complaint.help(match nearest(name, Zone::names()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => "write a name such as \"Europe/Berlin\", or an offset such as \"+02:00\""
                    .to_owned(),
            })
        })
    })
}

/// Tags, each once.
fn tags(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Vec<String>> {
    let mut tags = reader.list(section, "tags", tag)?;
    let mut seen = std::collections::HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    Some(tags)
}

/// `[a-z0-9_-]+`, at most 64 characters.
pub(super) fn tag(text: &str) -> Result<String, DiagnosticBuilder> {
    let text = text.trim();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    let message = format!("\"{}\" is not a valid tag", short(text));
    let hint = "a tag has 1 to 64 lower-case letters, digits, \"-\" and \"_\"";
    Err(DiagnosticBuilder::new(message).help(hint))
}

/// A backoff over `base`.
pub(super) fn backoff(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    base: Backoff,
) -> Backoff {
    let Some(node) = section.get(key) else {
        return base;
    };
    let Some(inner) = reader.section(node, &format!("\"{key}\""), keys::BACKOFF) else {
        return base;
    };
    let before = reader.diagnostics.len();
    let initial = reader.duration(&inner, "initial", &keys::BACKOFF_DELAY).unwrap_or(base.initial);
    let max = reader.duration(&inner, "max", &keys::BACKOFF_DELAY).unwrap_or(base.max);
    if initial > max && reader.diagnostics.len() == before {
        let (a, b) = (render_duration(initial), render_duration(max));
        let at = place(&inner, "initial").unwrap_or(node.at);
        let complaint =
            DiagnosticBuilder::new(format!("\"initial\" ({a}) is longer than \"max\" ({b})"));
        reader.error(at, None, complaint.help("a backoff grows from \"initial\" to \"max\""));
    }
    Backoff { initial, max }
}

fn place(section: &Section<'_>, key: &str) -> Option<Place> {
    section.get(key).map(|node| node.at)
}
