//! The shared ledger as the ledger's actor uses it.

use std::collections::HashMap;
use std::time::Duration;

use super::session::Shards;
use super::{EXCHANGE, PATIENCE, SharedStore, UNCHANGED_EVERY, behind, is_local_sink};
use crate::clock;
use crate::config::Provider;
use crate::event::Time;
use crate::ledger::book::Book;
use crate::ledger::delivery::{Cursor, LongerLog};
use crate::ledger::error::{RecoveryError, Result};
use crate::ledger::job::{Done, Job};
use crate::ledger::messages::{Loaded, Watch};
use crate::ledger::offline::OwnNetwork;
use crate::ledger::store::{Group, Store, Watching};
use crate::postgres::shard_of;

/// Whether a job changes only what is this node's alone.
fn is_local(job: &Job) -> bool {
    match job {
        Job::Delivered(message, _) => is_local_sink(&message.id),
        Job::SinkHealth(message) => is_local_sink(&message.id),
        _ => false,
    }
}

impl Store for SharedStore {
    fn newest(&self) -> u64 {
        self.replica.newest()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn follow(&mut self) -> Result<()> {
        let position = self.replica.position()?;
        let newest =
            self.remote.call(Duration::ZERO, EXCHANGE, |session| Box::pin(session.newest()))?;
        if newest == (position.n, position.tag) { Ok(()) } else { self.catch_up(Duration::ZERO) }
    }

    /// Imports nothing: what others have recorded is in the database. Numbers of the log that are
    /// higher than any there are not used again, and the sinks of this node continue after the log.
    fn import(&mut self, log: &mut dyn LongerLog) -> Result<u64, RecoveryError> {
        let newest = self.replica.newest();
        let mut last = 0;
        while let Some((line, event)) = log.next_line().map_err(RecoveryError::Log)? {
            let Some(event) = event else { continue };
            if event.seq == newest && self.replica.line(newest)?.is_some_and(|known| known != line)
            {
                return Err(RecoveryError::Foreign { seq: newest });
            }
            last = event.seq;
        }
        if last > newest {
            self.keep_numbers(last)?;
        }
        if last > 0 {
            let memory = log.memory().map_err(RecoveryError::Log)?;
            let now = clock::now();
            let json = Cursor { seq: last, memory };
            self.replica.begin_sink("event_log.json", &json, now)?;
            self.replica.begin_sink("console", &Cursor { seq: last, memory: None }, now)?;
        }
        Ok(0)
    }

    fn network(&mut self) -> Result<OwnNetwork> {
        self.replica.network()
    }

    fn watch(&mut self, message: &Watch, now: Time) -> Result<Watching> {
        let shards: HashMap<String, u16> =
            message.providers.iter().map(|one| (one.id.clone(), shard_of(&one.url))).collect();
        if message.providers.is_empty() && self.life().is_err() {
            self.shards = shards;
            return Ok(Watching::default());
        }
        let watching = self.take_turn(&Shards::All, |replica, turn| {
            let mut ours = turn.grant.shards.clone();
            if let Some(declared) = &message.shards {
                ours.retain(|shard| declared.contains(shard));
            }
            let is_ours =
                |url: &str| url::Url::parse(url).is_ok_and(|url| ours.contains(&shard_of(&url)));
            replica.watch(&mut |images| turn.ship(images), message, now, &is_ours)
        })?;
        self.shards = shards;
        Ok(watching)
    }

    fn load(&mut self, provider: &Provider) -> Result<Loaded> {
        // Where another node polled it last, the replica need not have everything yet.
        self.catch_up(PATIENCE)?;
        self.replica.load(provider)
    }

    fn add_sink(&mut self, id: &str, now: Time) -> Result<Cursor> {
        if is_local_sink(id) {
            let mut nothing = |_| Err(behind());
            return self.replica.add_sink(&mut nothing, id, now);
        }
        self.take_turn(&Shards::default(), |replica, turn| {
            replica.add_sink(&mut |images| turn.ship(images), id, now)
        })
    }

    fn write(
        &mut self,
        group: &Group<'_>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
    ) -> Result<Vec<Done>> {
        let waits = self.unchanged_at.elapsed() >= UNCHANGED_EVERY && self.replica.is_waiting()?;
        let has_life = self.life().is_ok();
        // What changes nothing that is shared needs no turn, and no database.
        if group.jobs.iter().all(is_local) && (!waits || !has_life) {
            let nothing = HashMap::new();
            let touched = if has_life { group.touched } else { &nothing };
            let local = Group { touched, ..*group };
            if let Some(done) = self.replica.write(0, &local, judge, false, None)? {
                return Ok(done);
            }
        }
        self.write_jobs(group.jobs, group.touched, judge, &mut 0)
    }

    fn check(&mut self) -> Result<()> {
        self.replica.check()
    }

    fn hand_over(&mut self) -> Result<()> {
        if self.life().is_err() || !self.replica.is_waiting()? {
            return Ok(());
        }
        self.take_turn(&Shards::default(), |replica, turn| {
            replica.ship_waiting(&mut |images| turn.ship(images))
        })
    }

    fn complete(&mut self) {
        if let Err(error) = self.hand_over() {
            tracing::debug!(%error, "cannot ship the times of the last polls");
        }
        self.replica.complete();
    }

    fn retention(&mut self) -> Result<Option<Time>> {
        self.replica.retention()
    }

    fn put_retention(&mut self, reached: Time) -> Result<()> {
        self.as_main(|replica, ship| replica.put_retention(ship, reached)).map(|_| ())
    }

    fn prune(&mut self, before: Time, most: u32) -> Result<usize> {
        Ok(self.as_main(|replica, ship| replica.prune(ship, before, most))?.unwrap_or_default())
    }

    fn forget_routing(&mut self) -> Result<()> {
        self.as_main(|replica, ship| replica.forget_routing(ship)).map(|_| ())
    }

    fn prune_outbox(&mut self, now: Time) -> Result<()> {
        if self.as_main(|replica, ship| replica.prune_outbox(ship, now))?.is_some() {
            self.remote.call(PATIENCE, EXCHANGE, |session| Box::pin(session.forget()))?;
        }
        Ok(())
    }

    fn quiet(&mut self, long_ago: Time, now: Time) -> Result<Vec<(String, Time)>> {
        Ok(self.as_main(|replica, ship| replica.quiet(ship, long_ago, now))?.unwrap_or_default())
    }

    fn item_times(&mut self, provider: &str) -> Result<Vec<Time>> {
        self.replica.item_times(provider)
    }

    fn put_quiet_since(&mut self, provider: &str, since: Time) -> Result<()> {
        self.as_main(|replica, ship| replica.put_quiet_since(ship, provider, since)).map(|_| ())
    }

    fn forget_moves(&mut self, long_ago: Time) -> Result<()> {
        self.as_main(|replica, ship| replica.forget_moves(ship, long_ago)).map(|_| ())
    }
}
