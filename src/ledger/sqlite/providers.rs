//! Providers: what is known of them, and the results of their polls.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{Sql, millis, time};
use crate::event::Time;
use crate::ledger::book::Success;
use crate::ledger::declared::document_mark;
use crate::ledger::known::{AnomalyStreak, ProviderState, Usual};
use crate::ledger::messages::{Checkpoint, Failed, Restarted, Unchanged};
use crate::ledger::vanished::Vanished;
use crate::snapshot::UnreadTimes;

/// Clears the columns of rejected responses once a response is accepted.
macro_rules! no_doubt {
    () => {
        "doubt = NULL, doubt_since = NULL, doubt_stale = NULL, doubt_foreign = NULL"
    };
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

pub(super) fn put_restart(db: &Connection, message: &Restarted) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET restarts = restarts + 1, last_restart_at = ?2, last_restart_cause = ?3, parked = ?4 WHERE id = ?1",
    )?
    .execute(params![message.provider, message.at.timestamp_millis(), message.cause, message.parked])?;
    Ok(())
}

pub(super) fn put_success(db: &Connection, success: &Success<'_>) -> Sql<()> {
    let Success { message, changed, .. } = success;
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
        millis(success.page_version),
        millis(success.complete_version),
        success.impact.as_str(),
        millis(success.recent_incidents_at),
        millis(success.recent_maintenances_at),
        millis(*full_at),
        millis(*false_304_at),
        millis(*unconditional_until),
        success.lists_past_incidents,
        success.lists_past_maintenances,
        unread_times(&snapshot.unread_times),
    ])?;
    if success.was_quiet { forget_quiet(db, &message.provider.id) } else { Ok(()) }
}

/// Serializes to JSON, if there are any.
fn unread_times(unread: &UnreadTimes) -> Option<String> {
    (unread.count > 0).then(|| serde_json::to_string(unread).ok()).flatten()
}

/// Records a failed poll. The validators are kept unless the response could not be parsed.
pub(super) fn fail(db: &Connection, message: &Failed) -> Sql<()> {
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

/// Records that the ids of the page have changed.
pub(super) fn put_move(
    db: &Connection,
    provider: &str,
    at: Time,
    between: &str,
    reported: bool,
) -> Sql<()> {
    let count = if reported {
        "silent_moves = NULL, epoch = epoch + 1"
    } else {
        "silent_moves = coalesce(silent_moves, 0) + 1"
    };
    db.prepare_cached(&format!(
        "UPDATE provider SET moved_at = ?2, moved_between = ?3, {count} WHERE id = ?1"
    ))?
    .execute(params![provider, at.timestamp_millis(), between])?;
    Ok(())
}

pub(super) fn put_reachable(
    db: &Connection,
    provider: &str,
    reachable: bool,
    outages: u32,
) -> Sql<()> {
    db.prepare_cached("UPDATE provider SET unreachable = ?2, outages = ?3 WHERE id = ?1")?
        .execute(params![provider, !reachable, outages])?;
    Ok(())
}

/// Records that a list is shorter than usual, at the latest since `at`.
pub(super) fn put_shrunk(db: &Connection, provider: &str, reason: &str, at: Time) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET shrunk = ?2, shrunk_since = coalesce(shrunk_since, ?3) WHERE id = ?1",
    )?
    .execute(params![provider, reason, at.timestamp_millis()])?;
    Ok(())
}

/// Records that the lists have these lengths, which are the usual ones from now on.
pub(super) fn put_usual(
    db: &Connection,
    provider: &str,
    incidents: Option<usize>,
    components: Option<usize>,
) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET usual_incidents = coalesce(:incidents, usual_incidents),
           usual_components = coalesce(:components, usual_components), shrunk = NULL, shrunk_since = NULL WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": provider, ":incidents": incidents.map(|count| count as i64),
        ":components": components.map(|count| count as i64),
    })?;
    Ok(())
}

/// Records that nothing on the page is newer than `since`.
pub(super) fn put_quiet_since(db: &Connection, provider: &str, since: Time) -> Sql<()> {
    db.prepare_cached("UPDATE provider SET quiet_since = ?2 WHERE id = ?1")?
        .execute(params![provider, since.timestamp_millis()])?;
    Ok(())
}

/// Returns what the filter names and the page no longer lists.
pub(super) fn vanished(db: &Connection, provider: &str) -> Sql<Vanished> {
    let text: Option<Option<String>> = db
        .prepare_cached("SELECT vanished FROM provider WHERE id = ?1")?
        .query_row([provider], |row| row.get(0))
        .optional()?;
    let kept = text.flatten().and_then(|text| serde_json::from_str(&text).ok());
    Ok(kept.unwrap_or_default())
}

pub(super) fn put_vanished(db: &Connection, provider: &str, vanished: &Vanished) -> Sql<()> {
    let text = serde_json::to_string(vanished)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached("UPDATE provider SET vanished = ?2 WHERE id = ?1")?
        .execute(params![provider, text])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;
    use crate::fetch::Validators;
    use crate::ledger::declared::Declared;
    use crate::ledger::sqlite::declared::watch_provider;
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
