//! The seam between the ledger's actor and its database.

use std::collections::{HashMap, HashSet};

use super::book::Book;
use super::delivery::{Cursor, LongerLog};
use super::error::{RecoveryError, Result};
use super::job::{Done, Job};
use super::messages::{Loaded, Unchanged, Watch};
use super::offline::OwnNetwork;
use crate::config::Provider;
use crate::event::Time;

/// A ledger's database. Its only user is the ledger's actor, whose thread every method may block.
pub(super) trait Store: Send {
    /// Returns the number of the newest event that is on disk; 0 if there is none.
    fn newest(&self) -> u64;

    /// Returns whether others write to the same ledger, so that it must be followed.
    fn is_shared(&self) -> bool {
        false
    }

    /// Takes over what others have written to the same ledger.
    ///
    /// # Errors
    ///
    /// After an error it is what it was before.
    fn follow(&mut self) -> Result<()> {
        Ok(())
    }

    /// Ships what was not worth a transaction of its own: the times of unchanged polls. Whoever takes
    /// over providers polls them when they are due then, and not at once.
    fn hand_over(&mut self) -> Result<()> {
        Ok(())
    }

    /// Imports the events that a log contains beyond this database. Returns their number.
    fn import(&mut self, log: &mut dyn LongerLog) -> Result<u64, RecoveryError>;

    /// Returns the state of our own network.
    fn network(&mut self) -> Result<OwnNetwork>;

    /// Declares the configured providers, in one transaction. The others are kept, but no longer
    /// watched.
    fn watch(&mut self, message: &Watch, now: Time) -> Result<Watching>;

    /// Returns the state from which one provider's poller starts.
    fn load(&mut self, provider: &Provider) -> Result<Loaded>;

    /// Returns a sink's cursor. A new sink starts after the newest event.
    fn add_sink(&mut self, id: &str, now: Time) -> Result<Cursor>;

    /// Writes a group in one transaction and returns the outcomes of its jobs, in order, once they
    /// are on disk. `judge` runs a job on the book of its provider. What a job wrote is kept if its
    /// outcome says so; of any other, nothing is. A job may be judged again after a rollback.
    ///
    /// # Errors
    ///
    /// After an error nothing of the group is on disk, and no number was used.
    fn write(
        &mut self,
        group: &Group<'_>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
    ) -> Result<Vec<Done>>;

    /// Checks once a second that the database is still there, and bounds its files.
    ///
    /// # Errors
    ///
    /// After an error the process must exit.
    fn check(&mut self) -> Result<()>;

    /// Completes the files before the end, so that a copy of the database alone is complete. It is
    /// of no consequence if that fails.
    fn complete(&mut self);

    /// Returns the stored time of the retention clock.
    fn retention(&mut self) -> Result<Option<Time>>;

    /// Stores the time of the retention clock.
    fn put_retention(&mut self, reached: Time) -> Result<()>;

    /// Removes events delivered by every sink and older than `before`, and incidents that are
    /// neither open nor listed and were last listed before it. Removes at most `most` rows of each
    /// kind; returns how many.
    fn prune(&mut self, before: Time, most: u32) -> Result<usize>;

    /// Forgets up to which event messages to channels were routed.
    fn forget_routing(&mut self) -> Result<()>;

    /// Removes what is no longer remembered of messages to channels.
    fn prune_outbox(&mut self, now: Time) -> Result<()>;

    /// Returns the watched providers that are read without anything having happened since
    /// `long_ago`, with the time of the newest thing on the page. Those on which something has
    /// happened are no longer marked as quiet.
    fn quiet(&mut self, long_ago: Time, now: Time) -> Result<Vec<(String, Time)>>;

    /// Returns the times of at most 200 items of a provider, the newest first.
    fn item_times(&mut self, provider: &str) -> Result<Vec<Time>>;

    /// Marks a provider as quiet.
    fn put_quiet_since(&mut self, provider: &str, since: Time) -> Result<()>;

    /// Forgets how often the ids of pages changed that have not changed them since `long_ago`.
    fn forget_moves(&mut self, long_ago: Time) -> Result<()>;
}

/// What is written in one transaction.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// The jobs, in the order in which they are judged.
    pub(super) jobs: &'a [Job],
    /// Unchanged polls by provider. They are written before the jobs.
    pub(super) touched: &'a HashMap<String, Unchanged>,
}

/// The state of the declared providers.
#[derive(Default)]
pub(super) struct Watching {
    /// From which their pollers start, in the order of the declaration.
    pub(super) loaded: Vec<Loaded>,
    /// Those that are reported as unreachable.
    pub(super) unreachable: HashSet<String>,
    /// Since when the oldest unreported component change has been held back, by provider.
    pub(super) held_since: HashMap<String, Time>,
}
