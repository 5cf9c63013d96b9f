//! Providers: their configuration, their pollers' checkpoints and the results of their polls.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::doubt::no_doubt;
use super::{Sql, millis, time};
use crate::config::Provider;
use crate::event::{Impact, Kind, Time};
use crate::fetch::Validators;
use crate::ledger::anomalies::AnomalyStreak;
use crate::ledger::messages::{Binding, Checkpoint, Failed, Record, Restarted, Unchanged};
use crate::ledger::provider_time::plausible;
use crate::snapshot::{Listing, UnreadTimes};

/// Number of process deaths over one provider's document after which it is quarantined for a while.
const DEATHS: u32 = 4;

/// The state of a provider needed by a transaction.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct ProviderState {
    pub(in crate::ledger) epoch: u32,
    /// When the ids of its page last changed.
    pub(in crate::ledger) moved_at: Option<Time>,
    /// The platforms involved in recent changes, by name.
    pub(in crate::ledger) moved_between: String,
    pub(in crate::ledger) page_id: Option<String>,
    pub(in crate::ledger) page_version: Option<Time>,
    pub(in crate::ledger) complete_version: Option<Time>,
    pub(in crate::ledger) baseline_at: Option<Time>,
    pub(in crate::ledger) recent_incidents_at: Option<Time>,
    pub(in crate::ledger) recent_maintenances_at: Option<Time>,
    pub(in crate::ledger) unreachable: bool,
    pub(in crate::ledger) outages: u32,
    pub(in crate::ledger) page_url: Option<String>,
    pub(in crate::ledger) source: Option<String>,
    /// The version of the source that last read it.
    pub(in crate::ledger) source_version: Option<u32>,
    pub(in crate::ledger) usual: Usual,
    /// Digest of the component list last compared, unless the stored components changed otherwise
    /// since.
    pub(in crate::ledger) components_digest: Option<u128>,
    pub(in crate::ledger) anomaly_streak: AnomalyStreak,
    /// When the log last reported that its responses are rejected.
    pub(in crate::ledger) doubt_said_at: Option<Time>,
    /// Whether the last poll is recorded in the separate table.
    pub(in crate::ledger) quiet: bool,
}

/// The usual length of the page's lists.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::ledger) struct Usual {
    pub(in crate::ledger) incidents: Option<usize>,
    pub(in crate::ledger) components: Option<usize>,
    pub(in crate::ledger) shrunk_since: Option<Time>,
}

pub(in crate::ledger) fn provider_state(db: &Connection, id: &str) -> Sql<ProviderState> {
    let mut statement = db.prepare_cached(
        "SELECT moved_at, epoch, page_id, page_version, complete_version, baseline_at, recent_incidents_at, recent_maintenances_at,
                unreachable, outages, page_url, source, quiet.at IS NOT NULL, usual_incidents, usual_components, shrunk_since,
                (SELECT digest FROM component WHERE component.provider = ?1), coalesce(moved_between, ''), doubt_since, doubt_stale, doubt_foreign, doubt_said_at, source_version FROM provider LEFT JOIN quiet ON quiet.provider = id WHERE id = ?1",
    )?;
    let count = |count: Option<i64>| count.and_then(|count| usize::try_from(count).ok());
    statement.query_row([id], |row| {
        Ok(ProviderState {
            moved_at: time(row.get(0)?),
            epoch: row.get(1)?,
            page_id: row.get(2)?,
            page_version: time(row.get(3)?),
            complete_version: time(row.get(4)?),
            baseline_at: time(row.get(5)?),
            recent_incidents_at: time(row.get(6)?),
            recent_maintenances_at: time(row.get(7)?),
            unreachable: row.get(8)?,
            outages: row.get(9)?,
            page_url: row.get(10)?,
            source: row.get(11)?,
            quiet: row.get(12)?,
            usual: Usual {
                incidents: count(row.get(13)?),
                components: count(row.get(14)?),
                shrunk_since: time(row.get(15)?),
            },
            components_digest: row.get::<_, Option<[u8; 16]>>(16)?.map(u128::from_be_bytes),
            moved_between: row.get(17)?,
            anomaly_streak: AnomalyStreak {
                since: time(row.get(18)?),
                stale: row.get::<_, Option<u32>>(19)?.unwrap_or_default(),
                foreign: row.get::<_, Option<u32>>(20)?.unwrap_or_default(),
            },
            doubt_said_at: time(row.get(21)?),
            source_version: row.get(22)?,
        })
    })
}

/// Reads a poller's checkpoint from its row.
pub(in crate::ledger) fn checkpoint(row: &Row<'_>, provider: &Provider) -> Sql<Checkpoint> {
    let address: Option<String> = row.get("document_url")?;
    let address = address
        .map(|address| if address.is_empty() { provider.url.as_str().to_owned() } else { address });
    let binding = match (
        row.get("source")?,
        row.get("source_version")?,
        address.and_then(|address| address.parse().ok()),
    ) {
        (Some(source), Some(version), Some(document_url)) => {
            Some(Binding { source, version, document_url })
        }
        _ => None,
    };
    Ok(Checkpoint {
        binding,
        validators: Validators { etag: row.get("etag")?, last_modified: row.get("last_modified")? },
        body_hash: row.get::<_, Option<[u8; 16]>>("body_hash")?.map(u128::from_be_bytes),
        sidecars: row
            .get::<_, Option<String>>("companions")?
            .and_then(|list| serde_json::from_str(&list).ok())
            .unwrap_or_default(),
        full_at: time(row.get("full_at")?),
        false_304_at: time(row.get("false_304_at")?),
        unconditional_until: time(row.get("unconditional_until")?),
        next_poll_at: time(row.get("next_poll_at")?),
        retry_until: time(row.get("retry_until")?),
        failures: row.get("failures")?,
    })
}

/// The configuration stored in a provider's row.
#[derive(PartialEq, Eq)]
pub(in crate::ledger) struct Declared {
    pub(in crate::ledger) name: String,
    pub(in crate::ledger) url: String,
    pub(in crate::ledger) interval_ms: i64,
    pub(in crate::ledger) stale_after_ms: i64,
    pub(in crate::ledger) real_interval_ms: Option<i64>,
}

impl Declared {
    pub(in crate::ledger) fn of(provider: &Provider, real_interval: Option<Duration>) -> Self {
        Self {
            name: provider.name.clone(),
            url: address_mark(&provider.url),
            interval_ms: provider.settings.interval.as_millis() as i64,
            stale_after_ms: provider.settings.stale_after.as_millis() as i64,
            real_interval_ms: real_interval.map(|real| real.as_millis() as i64),
        }
    }
}

/// Returns the provider's URL as stored: recognizable, but without the values of its query.
fn address_mark(url: &url::Url) -> String {
    if url.query().is_none() {
        return url.as_str().to_owned();
    }
    format!(
        "{} #{:032x}",
        crate::redact::redact(url),
        xxhash_rust::xxh3::xxh3_128(url.as_str().as_bytes())
    )
}

/// Returns the first document's URL. The provider's own URL is not stored a second time, because
/// its query may contain a secret.
pub(in crate::ledger) fn document_mark<'a>(document: &'a url::Url, provider: &url::Url) -> &'a str {
    if document == provider { "" } else { document.as_str() }
}

pub(in crate::ledger) fn watch_provider(
    db: &Connection,
    id: &str,
    declared: &Declared,
    now: Time,
) -> Sql<()> {
    // A changed URL clears what was bound to the former one, but keeps the seen items: it may be
    // the same page.
    db.prepare_cached(
        "INSERT INTO provider(id, name, url, watched, interval_ms, stale_after_ms, real_interval_ms, first_watched_at)
         VALUES(:id, :name, :url, 1, :interval, :stale, :real, :now)
         ON CONFLICT(id) DO UPDATE SET
           source = iif(url = :url, source, NULL), document_url = iif(url = :url, document_url, NULL),
           etag = iif(url = :url, etag, NULL), last_modified = iif(url = :url, last_modified, NULL),
           body_hash = iif(url = :url, body_hash, NULL), companions = iif(url = :url, companions, NULL), page_id = iif(url = :url, page_id, NULL),
           page_version = iif(url = :url, page_version, NULL), complete_version = iif(url = :url, complete_version, NULL),
           doubt = iif(url = :url, doubt, NULL), doubt_since = iif(url = :url, doubt_since, NULL),
           doubt_stale = iif(url = :url, doubt_stale, NULL), doubt_foreign = iif(url = :url, doubt_foreign, NULL),
           failures = iif(url = :url, failures, 0), retry_until = iif(url = :url, retry_until, NULL),
           full_at = iif(url = :url, full_at, NULL), false_304_at = iif(url = :url, false_304_at, NULL),
           unconditional_until = iif(url = :url, unconditional_until, NULL),
           name = :name, url = :url, watched = 1, interval_ms = :interval, stale_after_ms = :stale, real_interval_ms = :real
         WHERE name <> :name OR url <> :url OR watched <> 1 OR interval_ms <> :interval OR stale_after_ms <> :stale OR real_interval_ms IS NOT :real",
    )?
    .execute(named_params! {
        ":id": id, ":name": declared.name, ":url": declared.url, ":now": now.timestamp_millis(),
        ":interval": declared.interval_ms, ":stale": declared.stale_after_ms, ":real": declared.real_interval_ms,
    })?;
    Ok(())
}

/// Shortens a delay requested by a provider's host if it exceeds the bound.
pub(in crate::ledger) fn bound_wait(db: &Connection, provider: &Provider, now: Time) -> Sql<()> {
    let latest = now.timestamp_millis() + provider.settings.max_wait.as_millis() as i64;
    db.prepare_cached(
        "UPDATE provider SET next_poll_at = iif(next_poll_at = retry_until, ?2, next_poll_at), retry_until = ?2
         WHERE id = ?1 AND retry_until > ?2",
    )?
    .execute(params![provider.id, latest])?;
    Ok(())
}

/// Records an unchanged poll: in the narrow table, or in the provider's row if that says something
/// else than before.
pub(in crate::ledger) fn touch_provider(db: &Connection, touch: &Unchanged) -> Sql<()> {
    let Unchanged { provider, at, next_poll_at, validators, full, .. } = touch;
    let (at, next) = (at.timestamp_millis(), next_poll_at.timestamp_millis());
    let etag = validators.as_ref().and_then(|validators| validators.etag.as_ref());
    let modified = validators.as_ref().and_then(|validators| validators.last_modified.as_ref());
    // The common case: the previous poll is in the narrow table, too; any other write to the
    // provider ends that.
    if etag.is_none() && modified.is_none() && !full {
        let noted = db
            .prepare_cached("UPDATE quiet SET at = ?2, next_at = ?3 WHERE provider = ?1")?
            .execute(params![provider, at, next])?;
        if noted > 0 {
            return Ok(());
        }
    }
    let noted = db
        .prepare_cached(
            "INSERT INTO quiet(provider, at, next_at) SELECT id, ?2, ?3 FROM provider
             WHERE id = ?1 AND last_error IS NULL AND last_success_at IS NOT NULL AND failures = 0 AND retry_until IS NULL AND doubt_since IS NULL
               AND etag IS coalesce(?4, etag) AND last_modified IS coalesce(?5, last_modified) AND NOT ?6
             ON CONFLICT DO UPDATE SET at = excluded.at, next_at = excluded.next_at",
        )?
        .execute(params![provider, at, next, etag, modified, full])?;
    if noted > 0 {
        return Ok(());
    }
    db.prepare_cached(concat!(
        "UPDATE provider SET last_poll_at = ?2, last_success_at = ?2, next_poll_at = ?3, last_outcome = 'unchanged', last_error = NULL,
           failures = 0, retry_until = NULL, etag = coalesce(?4, etag), last_modified = coalesce(?5, last_modified),
           full_at = iif(?6, ?2, full_at), ",
        no_doubt!(),
        " WHERE id = ?1",
    ))?
    .execute(params![provider, at, next, etag, modified, full])?;
    forget_quiet(db, provider)
}

/// Makes the provider's own row authoritative again.
pub(super) fn forget_quiet(db: &Connection, provider: &str) -> Sql<()> {
    db.prepare_cached("DELETE FROM quiet WHERE provider = ?1")?.execute([provider])?;
    Ok(())
}

pub(in crate::ledger) fn put_restart(db: &Connection, message: &Restarted) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET restarts = restarts + 1, last_restart_at = ?2, last_restart_cause = ?3, parked = ?4 WHERE id = ?1",
    )?
    .execute(params![message.provider, message.at.timestamp_millis(), message.cause, message.parked])?;
    Ok(())
}

/// Counts a process death while this provider's document was being read. After some deaths the
/// provider is quarantined, longer each time.
pub(in crate::ledger) fn count_death(db: &Connection, id: &str, now: Time) -> Sql<()> {
    let deaths: Option<u32> = db
        .query_row("SELECT deaths FROM provider WHERE id = ?1", [id], |row| row.get(0))
        .optional()?;
    let Some(deaths) = deaths.map(|deaths| deaths + 1) else {
        return Ok(());
    };
    // Short at first: killing a process manually can hit an innocent provider this often.
    let until = (deaths >= DEATHS)
        .then(|| now + chrono::Duration::seconds(15 << (deaths - DEATHS).min(12)));
    db.execute(
        "UPDATE provider SET deaths = ?2, quarantined_until = ?3 WHERE id = ?1",
        params![id, deaths, millis(until)],
    )?;
    Ok(())
}

pub(in crate::ledger) fn put_success(
    db: &Connection,
    message: &Record,
    state: &ProviderState,
    changed: bool,
    impact: Impact,
) -> Sql<()> {
    let snapshot = &message.snapshot;
    let Checkpoint {
        binding,
        validators,
        body_hash,
        sidecars,
        next_poll_at,
        retry_until,
        full_at,
        false_304_at,
        unconditional_until,
        ..
    } = &message.checkpoint;
    let now = message.observed_at;
    let lists_past =
        |kind: Kind| snapshot.incidents.iter().any(|one| one.kind == kind && one.status.is_over());
    let version = plausible(snapshot.page.version, now);
    let first_recent = |listing: Listing, before: Option<Time>| {
        before.or((listing == Listing::Recent).then_some(now))
    };
    db.prepare_cached(concat!(
        // By index, not by name: names are searched for each time.
        "UPDATE provider SET last_poll_at = ?2, last_success_at = ?2, last_change_at = iif(?3, ?2, last_change_at),
           last_outcome = iif(?3, 'changed', 'same'), baseline_at = coalesce(baseline_at, ?2),
           source = ?4, source_version = ?5, document_url = ?6, etag = ?7, last_modified = ?8, body_hash = ?9, companions = ?10,
           next_poll_at = ?11, retry_until = ?12, page_id = coalesce(?13, page_id), page_name = coalesce(?14, page_name),
           page_url = coalesce(?15, page_url), page_version = coalesce(?16, page_version),
           complete_version = coalesce(?17, complete_version), impact = ?18, recent_incidents_at = ?19,
           recent_maintenances_at = ?20, full_at = ?21, false_304_at = iif(?3, ?22, false_304_at),
           unconditional_until = iif(?3, ?23, unconditional_until), past_incidents_at = iif(?24, ?2, past_incidents_at),
           past_maintenances_at = iif(?25, ?2, past_maintenances_at), unread_times = ?26, failures = 0, last_error = NULL, deaths = 0, quarantined_until = NULL, ",
        no_doubt!(),
        " WHERE id = ?1",
    ))?
    .execute(params![
        message.provider.id,
        now.timestamp_millis(),
        changed,
        binding.as_ref().map(|binding| &binding.source),
        binding.as_ref().map(|binding| binding.version),
        binding.as_ref().map(|binding| document_mark(&binding.document_url, &message.provider.url)),
        validators.etag,
        validators.last_modified,
        body_hash.map(u128::to_be_bytes),
        (!sidecars.is_empty()).then(|| serde_json::to_string(sidecars).ok()).flatten(),
        millis(*next_poll_at),
        millis(*retry_until),
        snapshot.page.id,
        snapshot.page.name,
        snapshot.page.url,
        millis(version),
        millis(version.filter(|_| message.complete)),
        impact.as_str(),
        millis(first_recent(snapshot.coverage.incidents, state.recent_incidents_at)),
        millis(first_recent(snapshot.coverage.maintenances, state.recent_maintenances_at)),
        millis(*full_at),
        millis(*false_304_at),
        millis(*unconditional_until),
        lists_past(Kind::Incident),
        lists_past(Kind::Maintenance),
        unread_times(&snapshot.unread_times),
    ])?;
    if state.quiet { forget_quiet(db, &message.provider.id) } else { Ok(()) }
}

/// Serializes to JSON, if there are any.
fn unread_times(unread: &UnreadTimes) -> Option<String> {
    (unread.count > 0).then(|| serde_json::to_string(unread).ok()).flatten()
}

/// Records a failed poll. The validators are kept unless the response could not be parsed.
pub(in crate::ledger) fn fail(db: &Connection, message: &Failed) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET last_success_at = coalesce((SELECT quiet.at FROM quiet WHERE provider = :id), last_success_at),
           last_poll_at = :at, last_outcome = :kind, last_error = :reason, next_poll_at = :next, retry_until = :retry, retry_by = :retry_by,
           failures = :failures, etag = iif(:forget, NULL, etag), last_modified = iif(:forget, NULL, last_modified),
           body_hash = iif(:forget, NULL, body_hash)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": message.provider.id, ":at": message.at.timestamp_millis(), ":kind": message.kind, ":reason": message.reason,
        ":next": message.next_poll_at.timestamp_millis(), ":retry": millis(message.retry_until),
        ":retry_by": message.asked_by, ":failures": message.failures,
        ":forget": message.forget_validators,
    })?;
    forget_quiet(db, &message.provider.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;
    use crate::ledger::sqlite::migrate;

    fn times(db: &Connection) -> (i64, i64, bool) {
        let sql = "SELECT coalesce(quiet.at, last_success_at), coalesce(quiet.next_at, next_poll_at), quiet.at IS NOT NULL
                   FROM provider LEFT JOIN quiet ON quiet.provider = id";
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    }

    #[test]
    fn an_unchanged_poll_is_noted_apart_until_the_provider_itself_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let db = migrate::open_writer(dir.path()).unwrap();
        let declared = Declared {
            name: "Acme".to_owned(),
            url: String::new(),
            interval_ms: 60_000,
            stale_after_ms: 300_000,
            real_interval_ms: None,
        };
        let at = |minute: i64| {
            parse_time("2026-03-01T12:00:00Z").unwrap() + chrono::Duration::minutes(minute)
        };
        watch_provider(&db, "acme", &declared, at(0)).unwrap();
        let touch = |minute: i64, etag: Option<&str>| {
            let validators =
                Some(Validators { etag: etag.map(str::to_owned), last_modified: None });
            let (at, next_poll_at) = (at(minute), at(minute + 1));
            touch_provider(
                &db,
                &Unchanged {
                    provider: "acme".to_owned(),
                    generation: 1,
                    at,
                    next_poll_at,
                    validators,
                    full: false,
                },
            )
            .unwrap();
            times(&db)
        };
        let shown = |minute: i64, apart: bool| {
            (at(minute).timestamp_millis(), at(minute + 1).timestamp_millis(), apart)
        };
        assert_eq!(touch(1, Some("\"a\"")), shown(1, false), "the first one, and its validators");
        assert_eq!(touch(2, Some("\"a\"")), shown(2, true));
        assert_eq!(touch(3, None), shown(3, true));
        assert_eq!(touch(4, Some("\"b\"")), shown(4, false), "another version of the page");
        assert_eq!(touch(5, Some("\"b\"")), shown(5, true));
        let failed = Failed {
            provider: crate::ledger::staleness::tests::provider(),
            generation: 1,
            kind: "timeout".to_owned(),
            reason: "no answer".to_owned(),
            at: at(6),
            next_poll_at: at(7),
            retry_until: None,
            asked_by: None,
            failures: 1,
            forget_validators: false,
        };
        fail(&db, &failed).unwrap();
        let expected = (at(5).timestamp_millis(), at(7).timestamp_millis(), false);
        assert_eq!(times(&db), expected, "the last success is not forgotten with the note of it");
        assert_eq!(touch(8, Some("\"b\"")), shown(8, false), "the failure is over");
        // The clock was set back.
        assert_eq!(touch(9, Some("\"b\"")), shown(9, true));
        assert_eq!(touch(2, Some("\"b\"")), shown(2, true));
    }
}
