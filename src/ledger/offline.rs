//! Outages of our own network: one event when it goes down and one when it is back, for the
//! provider `statuswatch`. The state is stored in the database and survives a restart.

use std::time::Instant;

use super::book::{Book, Change};
use super::error::Result;
use super::network::Transition;
use super::numbering::{NewEvent, OURSELVES, Subject};
use crate::event::{
    Draft, Fingerprint, IncidentKey, Kind, ProviderStatus, StatusEvent, Time, UpdateKey, event_id,
    format_time,
};

/// The state of our own network.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct OwnNetwork {
    /// Since when it has been down; `None` if it works.
    pub offline_since: Option<Time>,
    /// The symptoms when it went down.
    pub seen: Option<String>,
    /// Number of outages.
    pub outages: u32,
}

impl OwnNetwork {
    /// Returns the state after an event that the event log contains.
    pub(super) fn imported(self, event: &StatusEvent) -> Self {
        let outages = event
            .update_id
            .as_deref()
            .and_then(|id| id.rsplit_once('-'))
            .and_then(|(_, count)| count.parse().ok())
            .unwrap_or(0);
        let offline = event.status == ProviderStatus::Offline;
        Self {
            offline_since: event.started_at.filter(|_| offline),
            seen: event.message.clone().filter(|_| offline),
            outages: self.outages.max(outages),
        }
    }
}

/// A change of our network state, with wall-clock times.
#[derive(Debug, Clone)]
pub(super) struct NetworkChange {
    transition: Transition,
    /// When it began to be so.
    at: Time,
    /// When it was confirmed.
    now: Time,
}

impl NetworkChange {
    /// Converts a change to wall-clock times.
    pub(super) fn at(transition: Transition, instant: Instant, now: Time) -> Self {
        let (Transition::Offline { since: began, .. } | Transition::Online { until: began, .. }) =
            &transition;
        let ago = chrono::Duration::from_std(instant.saturating_duration_since(*began));
        let at = ago.ok().and_then(|ago| now.checked_sub_signed(ago)).unwrap_or(now);
        // With the precision of the database.
        let at = Time::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at);
        Self { transition, at, now }
    }

    pub(super) const fn is_offline(&self) -> bool {
        matches!(self.transition, Transition::Offline { .. })
    }

    /// When it began to be so.
    pub(super) const fn instant(&self) -> Instant {
        match self.transition {
            Transition::Offline { since, .. } => since,
            Transition::Online { until, .. } => until,
        }
    }

    /// Logs one line instead of one per provider.
    pub(super) fn log(&self) {
        match &self.transition {
            Transition::Offline { seen, .. } => {
                tracing::warn!(reason = seen, "statuswatch is offline");
            }
            Transition::Online { failing: (failing, all), .. } => {
                tracing::warn!(
                    "statuswatch is online again: {failing} of {all} providers cannot be read yet"
                );
            }
        }
    }
}

/// Records the change and its event, unless it is already known.
pub(super) fn record(book: &mut dyn Book, change: &NetworkChange) -> Result<()> {
    let own = book.network()?;
    if own.offline_since.is_some() == change.is_offline() {
        return Ok(());
    }
    let (own, began, title, message) = match &change.transition {
        Transition::Offline { seen, .. } => {
            let message = format!(
                "{}, since {}.\nThis looks like an outage of the local network: no provider is reported as unreachable until it ends.",
                capital(seen),
                format_time(change.at)
            );
            let own = OwnNetwork {
                offline_since: Some(change.at),
                seen: Some(seen.clone()),
                outages: own.outages.saturating_add(1),
            };
            (own, change.at, "statuswatch is offline", message)
        }
        Transition::Online { failing: (failing, all), .. } => {
            let since = own.offline_since.unwrap_or(change.at);
            let gap = change.at.signed_duration_since(since);
            let still = match failing {
                0 => String::new(),
                failing => format!("\nOf {all} providers {failing} cannot be read yet."),
            };
            let message = format!(
                "Nothing was read for {}, from {} to {}. Updates published in the meantime are reported if the pages still show them.{still}",
                duration(gap),
                format_time(since),
                format_time(change.at)
            );
            let own = OwnNetwork { offline_since: None, ..own };
            (own, since, "statuswatch is online again", message)
        }
    };
    book.put(Change::Network(&own))?;
    let status = if change.is_offline() { ProviderStatus::Offline } else { ProviderStatus::Online };
    // The counter distinguishes it from any event of this database, the time from any event of a
    // lost database.
    let (count, time) = (own.outages.to_string(), began.timestamp_millis().to_string());
    let update = UpdateKey::change(
        IncidentKey::new(OURSELVES, "network"),
        status.as_str(),
        &[&count, &time],
    );
    let id = event_id(update, Kind::Provider, Fingerprint::new(status, "network"));
    let previous = match status {
        ProviderStatus::Online => Some(ProviderStatus::Offline),
        _ => (own.outages > 1).then_some(ProviderStatus::Online),
    };
    let draft = Draft {
        update_id: Some(format!("{status}-{}", own.outages)),
        previous_status: previous.map(Into::into),
        previous_impact: previous.map(|_| crate::event::Impact::Unknown),
        message: Some(message),
        started_at: Some(began),
        ..Draft::new(id, Kind::Provider, title.to_owned(), status, change.at)
    };
    book.emit(NewEvent {
        subject: Subject::OURSELVES,
        source: OURSELVES,
        draft,
        suppressed_by: None,
        observed_at: change.now,
    })?;
    Ok(())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `2h 5m`, `12m 30s`, `4s`.
fn duration(gap: chrono::Duration) -> String {
    let seconds = gap.num_seconds().max(0);
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if shown.is_empty() { "less than a second".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::parse_time;
    use crate::ledger::open_writer;
    use crate::ledger::sqlite::testing::{Connection, judge};

    fn time(second: i64) -> Time {
        parse_time("2026-03-01T12:00:00Z").unwrap() + chrono::Duration::seconds(second)
    }

    /// Records that the network went down at a second, or was back.
    fn transition(db: &Connection, offline: bool, second: i64) {
        let (instant, before) = (Instant::now(), Duration::from_secs(2));
        let at = instant.checked_sub(before).unwrap();
        let transition = if offline {
            let seen = "names do not resolve: 140 of 142 providers fail".to_owned();
            Transition::Offline { since: at, seen }
        } else {
            Transition::Online { until: at, failing: (2, 142) }
        };
        let change = NetworkChange::at(transition, instant, time(second + 2));
        judge(db, OURSELVES, |book| record(book, &change)).unwrap();
    }

    fn network(db: &Connection) -> OwnNetwork {
        judge(db, OURSELVES, |book| book.network()).unwrap()
    }

    fn emitted(db: &Connection) -> Vec<StatusEvent> {
        db.prepare("SELECT line FROM event ORDER BY seq")
            .unwrap()
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn each_outage_is_two_events_whatever_happened_to_the_database() {
        let dir = tempfile::tempdir().unwrap();
        let db = open_writer(dir.path()).unwrap();
        transition(&db, false, 0);
        assert!(emitted(&db).is_empty(), "it was never down");
        transition(&db, true, 10);
        transition(&db, true, 11);
        assert_eq!(network(&db).offline_since, Some(time(10)));
        transition(&db, false, 160);
        transition(&db, true, 200);
        let first = emitted(&db);
        let short: Vec<_> = first
            .iter()
            .map(|event| (event.status, event.previous_status, event.update_id.as_deref()))
            .collect();
        assert_eq!(
            short,
            [
                (ProviderStatus::Offline.into(), None, Some("offline-1")),
                (
                    ProviderStatus::Online.into(),
                    Some(ProviderStatus::Offline.into()),
                    Some("online-1")
                ),
                (
                    ProviderStatus::Offline.into(),
                    Some(ProviderStatus::Online.into()),
                    Some("offline-2")
                ),
            ]
        );
        let messages: Vec<&str> =
            first.iter().map(|event| event.message.as_deref().unwrap()).collect();
        assert!(messages[0].starts_with(
            "Names do not resolve: 140 of 142 providers fail, since 2026-03-01T12:00:10Z.\n"
        ));
        assert!(messages[1].starts_with("Nothing was read for 2m 30s, from 2026-03-01T12:00:10Z"));
        assert!(messages[1].ends_with("Of 142 providers 2 cannot be read yet."));
        assert_eq!((first[1].provider.as_str(), first[1].started_at), (OURSELVES, Some(time(10))));
        // A database that begins anew counts from the beginning, and makes other ids all the same.
        let other = tempfile::tempdir().unwrap();
        let db = open_writer(other.path()).unwrap();
        transition(&db, true, 500);
        assert!(first.iter().all(|event| event.id != emitted(&db)[0].id));
        // And one that takes over the log goes on with its count.
        let own = first.iter().fold(OwnNetwork::default(), OwnNetwork::imported);
        assert_eq!((own.offline_since, own.outages), (Some(time(200)), 2));
    }

    #[test]
    fn a_gap_is_given_in_two_units() {
        for (seconds, text) in
            [(0, "less than a second"), (4, "4s"), (150, "2m 30s"), (7200, "2h"), (93_784, "1d 2h")]
        {
            assert_eq!(duration(chrono::Duration::seconds(seconds)), text);
        }
    }
}
