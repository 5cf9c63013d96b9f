//! The ledger's actor: the only writer of the database, on a thread of its own.
//!
//! Results of pollers that arrive while a transaction is being synced wait together for the next one: the busier
//! it gets, the larger the groups. Each result has a savepoint of its own, so that none can spoil another's.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Recipient, ResponseFuture};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};

use super::adopt::AdoptError;
use super::commit::{self, Numbering, Oddities};
use super::messages::{
    AddSink, Crash, Delivered, Failed, Flush, Hints, LastRead, Loaded, Nudge, Record, Recorded, Restarted, Resume, SinkTrouble,
    Unchanged, Verdict, Watch,
};
use super::{LedgerError, adopt, load, migrate, store, suspect};
use crate::clock;
use crate::config::Provider;
use crate::event::Time;
use crate::sink::{Beyond, Cursor};

/// How often freshness is judged and what was held back is written.
const TICK: Duration = Duration::from_secs(1);

/// Why results are refused after an error that ended the transaction.
const TAKEN_BACK: &str = "the transaction was taken back";

/// At most so many results in one transaction: a bound on how long the first of them waits.
const GROUP: usize = 256;

/// Deaths of the process over one provider's document after which it is set aside for a while.
const DEATHS: u32 = 4;

/// How the ledger runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the database is.
    pub state_dir: PathBuf,
    /// Events, and what was seen of incidents no longer listed, are kept at least so long.
    pub keep: Duration,
    /// Where it says that it cannot go on: the process has to end with status 1.
    pub fatal: mpsc::UnboundedSender<String>,
}

/// The ledger's actor.
pub struct LedgerActor {
    db: Connection,
    options: Options,
    file: (u64, u64),
    seq: u64,
    jobs: Vec<Job>,
    flushing: bool,
    hints: Hints,
    touched: HashMap<String, Unchanged>,
    last_flush: Instant,
    last_tick: Instant,
    last_prune: Option<Instant>,
    watched: HashMap<String, Watched>,
    sinks: HashMap<String, Recipient<Nudge>>,
    failing: bool,
}

/// A provider of the present configuration.
struct Watched {
    provider: Arc<Provider>,
    generation: u64,
    oddities: Oddities,
    /// The last good poll, or the start.
    fresh: Instant,
    /// The last good poll, if there was one in this life.
    read: Option<Instant>,
    unreachable: bool,
    last_error: Option<String>,
}

/// Something for the next transaction, with whom to answer.
enum Job {
    Record(Box<Record>, oneshot::Sender<Result<Recorded, LedgerError>>),
    Failed(Box<Failed>, oneshot::Sender<Result<(), LedgerError>>),
    Delivered(Delivered, oneshot::Sender<Result<(), LedgerError>>),
    Restarted(Restarted),
    SinkTrouble(SinkTrouble),
    Reachable(String),
    Unreachable(String),
}

/// What to answer once the transaction is on disk.
enum Answer {
    Record(oneshot::Sender<Result<Recorded, LedgerError>>, Result<Recorded, LedgerError>, String),
    Unit(oneshot::Sender<Result<(), LedgerError>>, Result<(), LedgerError>),
    Reach(String, bool),
    None,
}

impl LedgerActor {
    /// Opens the database.
    pub fn open(options: Options) -> Result<Self, LedgerError> {
        let db = migrate::open_writer(&options.state_dir)?;
        let seq = store::newest_seq(&db)?;
        let file = file_identity(&options.state_dir);
        Ok(Self {
            db,
            options,
            file,
            seq,
            jobs: Vec::new(),
            flushing: false,
            hints: Hints::default(),
            touched: HashMap::new(),
            last_flush: Instant::now(),
            last_tick: Instant::now(),
            last_prune: None,
            watched: HashMap::new(),
            sinks: HashMap::new(),
            failing: false,
        })
    }

    /// Takes over the events that the event log in `dir` holds beyond this ledger. To be done before anything is polled.
    /// Answers how many.
    pub fn adopt(&mut self, dir: &Path) -> Result<u64, AdoptError> {
        let Some(mut log) = Beyond::open(dir, self.seq)? else { return Ok(0) };
        let before = self.seq;
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(LedgerError::from)?;
        let adopted = adopt::adopt(&transaction, before, &mut log)?;
        transaction.commit().map_err(LedgerError::from)?;
        self.seq = adopted.seq;
        Ok(adopted.events)
    }

    /// Whether results of this generation count. A newer one than known takes over.
    fn admit(&mut self, provider: &str, generation: u64) -> Result<(), LedgerError> {
        // Unknown: this ledger has just been restarted and is about to be told.
        let watched = self.watched.get_mut(provider).ok_or(LedgerError::Away)?;
        if generation < watched.generation {
            return Err(LedgerError::Superseded);
        }
        watched.generation = generation;
        Ok(())
    }

    fn enqueue(&mut self, job: Job, context: &mut Context<Self>) {
        self.jobs.push(job);
        if self.jobs.len() >= GROUP {
            self.flush();
        } else if !self.flushing {
            // After the messages that are waiting already: they join the group.
            self.flushing = true;
            context.run_later(Duration::ZERO, |ledger, _| {
                ledger.flushing = false;
                ledger.flush();
            });
        }
    }

    /// Takes over what pollers have noted of unchanged polls.
    fn take_hints(&mut self) {
        let hints = std::mem::take(&mut *self.hints.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (provider, hint) in hints {
            if self.admit(&provider, hint.generation).is_err() {
                continue;
            }
            if let Some(watched) = self.watched.get_mut(&provider) {
                watched.fresh = Instant::now();
                watched.read = Some(watched.fresh);
                watched.last_error = None;
                if watched.unreachable {
                    watched.unreachable = false;
                    self.jobs.push(Job::Reachable(provider.clone()));
                }
            }
            self.touched.insert(provider, hint);
        }
    }

    /// Writes all jobs in one transaction and answers them.
    fn flush(&mut self) {
        self.take_hints();
        if self.jobs.is_empty() && self.touched.is_empty() {
            return;
        }
        let jobs = std::mem::take(&mut self.jobs);
        let before = self.seq;
        let mut answers = Vec::with_capacity(jobs.len());
        let touched = std::mem::take(&mut self.touched);
        let outcome = self.transact(jobs, &touched, &mut answers);
        self.last_flush = Instant::now();
        if let Err(error) = &outcome {
            self.seq = before;
            // Their times are only hints, but they are still true.
            for (provider, touch) in touched {
                self.touched.entry(provider).or_insert(touch);
            }
            self.told_of(error);
        } else if self.failing {
            self.failing = false;
            tracing::warn!("the ledger can be written again");
        }
        for answer in answers {
            self.answer(answer, outcome.as_ref().err());
        }
        if outcome.is_ok() && self.seq > before {
            self.sinks.retain(|_, sink| {
                // A full mailbox has a nudge in it already; only a closed one is of no use.
                !matches!(sink.try_send(Nudge), Err(actix::prelude::SendError::Closed(_)))
            });
        }
    }

    fn transact(
        &mut self,
        jobs: Vec<Job>,
        touched: &HashMap<String, Unchanged>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), LedgerError> {
        let Self { db, seq, watched, .. } = self;
        let mut jobs = jobs.into_iter();
        let begun = db.transaction_with_behavior(TransactionBehavior::Immediate);
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                answers.extend(jobs.by_ref().map(|job| job.refuse(&error.to_string())));
                return Err(error.into());
            }
        };
        for touch in touched.values() {
            touch_provider(&transaction, touch)?;
        }
        while let Some(job) = jobs.next() {
            let savepoint = transaction.savepoint()?;
            let mut numbering = Numbering { db: &savepoint, seq: *seq };
            let answer = catch_unwind(AssertUnwindSafe(|| job.run(&mut numbering, watched)));
            let reached = numbering.seq;
            match answer {
                Ok((answer, true)) => {
                    savepoint.commit()?;
                    *seq = reached;
                    answers.push(answer);
                }
                Ok((answer, false)) => {
                    answers.push(answer);
                    // Some errors (a full disk, no memory) take back the whole transaction at once. What would follow
                    // would be written outside of it, under numbers that are then given again.
                    if savepoint.is_autocommit() {
                        answers.extend(jobs.by_ref().map(|job| job.refuse(TAKEN_BACK)));
                        return Err(LedgerError::Busy { reason: TAKEN_BACK.to_owned() });
                    }
                }
                Err(panic) => {
                    // The job and with it its sender are gone: whoever waits gets `Away` and asks again.
                    tracing::error!(panic = panic_text(&*panic), "a result could not be recorded");
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn answer(&mut self, answer: Answer, failed: Option<&LedgerError>) {
        let again = |error: &LedgerError| LedgerError::Busy { reason: error.to_string() };
        match answer {
            Answer::Record(sender, result, provider) => {
                let result = match failed {
                    Some(error) if result.is_ok() => Err(again(error)),
                    _ => result,
                };
                if let (Ok(recorded), Some(watched)) = (&result, self.watched.get_mut(&provider))
                    && !matches!(recorded.verdict, Verdict::WrongTenant { .. })
                {
                    watched.fresh = Instant::now();
                    watched.read = Some(watched.fresh);
                    watched.unreachable = false;
                    watched.last_error = None;
                }
                // A poller that was replaced meanwhile does not wait any more.
                drop(sender.send(result));
            }
            Answer::Unit(sender, result) => drop(sender.send(match failed {
                Some(error) if result.is_ok() => Err(again(error)),
                _ => result,
            })),
            Answer::Reach(provider, unreachable) if failed.is_none() => {
                if let Some(watched) = self.watched.get_mut(&provider) {
                    watched.unreachable = unreachable;
                }
            }
            Answer::Reach(..) | Answer::None => {}
        }
    }

    /// Says once that the database cannot be written; an error that waiting does not mend ends the process.
    fn told_of(&mut self, error: &LedgerError) {
        if !error.may_pass() {
            // Nobody is left to act on it if the receiver is gone: the process is ending already.
            drop(self.options.fatal.send(error.to_string()));
        } else if !self.failing {
            self.failing = true;
            tracing::error!(%error, "nothing is lost: polls are repeated until the ledger can be written");
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        let late = self.last_tick.elapsed() > TICK * 5;
        self.last_tick = Instant::now();
        if file_identity(&self.options.state_dir) != self.file {
            let reason = format!(
                "the database {} was removed or replaced while running",
                self.options.state_dir.join(migrate::DATABASE).display()
            );
            drop(self.options.fatal.send(reason));
            return;
        }
        self.take_hints();
        let mut unreachable = Vec::new();
        for (id, watched) in &mut self.watched {
            if late {
                // We were stopped or suspended: the silence was ours.
                watched.fresh = watched.fresh.max(Instant::now().checked_sub(TICK).unwrap_or(watched.fresh));
            }
            if !watched.unreachable && watched.fresh.elapsed() >= watched.provider.settings.stale_after {
                unreachable.push(id.clone());
            }
        }
        for id in unreachable {
            self.enqueue(Job::Unreachable(id), context);
        }
        if !self.jobs.is_empty() || (!self.touched.is_empty() && self.last_flush.elapsed() >= self.flush_every()) {
            self.flush();
        }
        if self.last_prune.is_none_or(|at| at.elapsed() > Duration::from_hours(1)) {
            self.prune();
        }
    }

    /// Unchanged polls are written every 5 s, sooner where intervals are short, and less often where thousands of
    /// providers would keep the disk busy with nothing.
    fn flush_every(&self) -> Duration {
        let shortest = self.watched.values().map(|watched| watched.provider.settings.interval).min();
        let most = Duration::from_secs(5 * (1 + self.watched.len() as u64 / 1000)).min(Duration::from_secs(30));
        (shortest.unwrap_or(Duration::from_mins(1)) / 2).clamp(TICK, most).saturating_sub(TICK / 2)
    }

    fn prune(&mut self) {
        self.last_prune = Some(Instant::now());
        let keep = chrono::Duration::from_std(self.options.keep).unwrap_or(chrono::Duration::MAX);
        let Some(before) = clock::now().checked_sub_signed(keep) else { return };
        match store::prune(&self.db, before, 5000) {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "removed what is older than the retention"),
            Err(error) => tracing::warn!(%error, "cannot remove old rows; trying again in an hour"),
        }
        if let Err(error) = suspect::look_for_quiet(&self.db, clock::now()) {
            tracing::warn!(%error, "cannot look for providers that have fallen silent; trying again in an hour");
        }
    }

    fn watch(&mut self, message: &Watch) -> Result<Vec<Loaded>, LedgerError> {
        let now = clock::now();
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "UPDATE provider SET watched = 0 WHERE watched = 1 AND id NOT IN (SELECT value FROM json_each(?1))",
            [serde_json::to_string(&message.providers.iter().map(|provider| &provider.id).collect::<Vec<_>>()).unwrap_or_default()],
        )?;
        for id in &message.died {
            count_death(&transaction, id, now)?;
        }
        load::declare(&transaction, &message.providers, now)?;
        let loaded = load::all(&transaction, &message.providers)?;
        let unreachable: HashSet<String> = transaction
            .prepare("SELECT id FROM provider WHERE unreachable = 1")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        transaction.commit()?;
        let mut former = std::mem::take(&mut self.watched);
        for provider in &message.providers {
            let watched = former.remove(&provider.id).map_or_else(
                || Watched {
                    provider: Arc::clone(provider),
                    generation: 0,
                    oddities: Oddities::default(),
                    fresh: Instant::now(),
                    read: None,
                    unreachable: unreachable.contains(&provider.id),
                    last_error: None,
                },
                |watched| Watched { provider: Arc::clone(provider), ..watched },
            );
            self.watched.insert(provider.id.clone(), watched);
        }
        Ok(loaded)
    }
}

impl Job {
    /// Runs the job inside its savepoint; false: take back what it did.
    fn run(self, numbering: &mut Numbering<'_>, watched: &mut HashMap<String, Watched>) -> (Answer, bool) {
        match self {
            Self::Record(message, sender) => {
                let mut none = Oddities::default();
                let oddities = watched.get_mut(&message.provider.id).map_or(&mut none, |watched| &mut watched.oddities);
                let result = commit::record(numbering, oddities, &message).map_err(LedgerError::from);
                let keep = result.is_ok();
                (Answer::Record(sender, result, message.provider.id.clone()), keep)
            }
            Self::Failed(message, sender) => {
                if let Some(watched) = watched.get_mut(&message.provider.id) {
                    watched.last_error = Some(message.reason.clone());
                }
                let result = commit::fail(numbering.db, &message).map_err(LedgerError::from);
                let keep = result.is_ok();
                (Answer::Unit(sender, result), keep)
            }
            Self::Delivered(message, sender) => {
                let result = put_cursor(numbering.db, &message).map_err(LedgerError::from);
                let keep = result.is_ok();
                (Answer::Unit(sender, result), keep)
            }
            Self::Restarted(message) => (Answer::None, put_restart(numbering.db, &message).is_ok()),
            Self::SinkTrouble(message) => {
                let written = numbering
                    .db
                    .prepare_cached("UPDATE sink SET trouble = ?2 WHERE id = ?1")
                    .and_then(|mut statement| statement.execute(params![message.id, message.trouble]));
                (Answer::None, written.is_ok())
            }
            Self::Reachable(id) => Self::reach(numbering, watched, id, true),
            Self::Unreachable(id) => Self::reach(numbering, watched, id, false),
        }
    }

    fn reach(numbering: &mut Numbering<'_>, watched: &HashMap<String, Watched>, id: String, reachable: bool) -> (Answer, bool) {
        let Some(entry) = watched.get(&id) else { return (Answer::None, false) };
        let why = if reachable { None } else { entry.last_error.clone().or_else(|| Some("no poll has ended".to_owned())) };
        let done = store::provider_state(numbering.db, &id)
            .and_then(|state| commit::reachability(numbering, &entry.provider, &state, reachable, why, clock::now()));
        (Answer::Reach(id, !reachable), done.is_ok())
    }

    /// The answer where no transaction could be begun.
    fn refuse(self, why: &str) -> Answer {
        let busy = || LedgerError::Busy { reason: why.to_owned() };
        match self {
            Self::Record(message, sender) => Answer::Record(sender, Err(busy()), message.provider.id.clone()),
            Self::Failed(_, sender) | Self::Delivered(_, sender) => Answer::Unit(sender, Err(busy())),
            _ => Answer::None,
        }
    }
}

fn touch_provider(db: &Connection, touch: &Unchanged) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE provider SET last_poll_at = ?2, last_success_at = ?2, next_poll_at = ?3, last_outcome = 'unchanged', last_error = NULL,
           failures = 0, retry_until = NULL, etag = coalesce(?4, etag), last_modified = coalesce(?5, last_modified)
         WHERE id = ?1",
    )?
    .execute(params![
        touch.provider,
        touch.at.timestamp_millis(),
        touch.next_poll_at.timestamp_millis(),
        touch.validators.as_ref().and_then(|validators| validators.etag.as_ref()),
        touch.validators.as_ref().and_then(|validators| validators.last_modified.as_ref()),
    ])?;
    Ok(())
}

fn put_cursor(db: &Connection, message: &Delivered) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE sink SET seq = ?2, memory = ?3, delivered_at = ?4, trouble = NULL WHERE id = ?1")?
        .execute(params![message.id, message.cursor.seq.cast_signed(), message.cursor.memory, clock::now().timestamp_millis()])?;
    Ok(())
}

fn put_restart(db: &Connection, message: &Restarted) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE provider SET restarts = restarts + 1, last_restart_at = ?2, last_restart_cause = ?3, parked = ?4 WHERE id = ?1",
    )?
    .execute(params![message.provider, message.at.timestamp_millis(), message.cause, message.parked])?;
    Ok(())
}

/// The process died while it read this provider's document. After some deaths the provider is set aside, longer each time.
fn count_death(db: &Connection, id: &str, now: Time) -> rusqlite::Result<()> {
    let deaths: Option<u32> = db.query_row("SELECT deaths FROM provider WHERE id = ?1", [id], |row| row.get(0)).optional()?;
    let Some(deaths) = deaths.map(|deaths| deaths + 1) else { return Ok(()) };
    let until = (deaths >= DEATHS).then(|| now + chrono::Duration::minutes(1 << (deaths - DEATHS).min(10)));
    db.execute("UPDATE provider SET deaths = ?2, quarantined_until = ?3 WHERE id = ?1", params![id, deaths, store::millis(until)])?;
    Ok(())
}

fn file_identity(state_dir: &std::path::Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(state_dir.join(migrate::DATABASE)).map_or((0, 0), |metadata| (metadata.dev(), metadata.ino()))
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").chars().take(300).collect()
}

impl Actor for LedgerActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(4096);
        context.run_interval(TICK, Self::tick);
    }
}

impl Handler<Watch> for LedgerActor {
    type Result = Result<Vec<Loaded>, LedgerError>;

    fn handle(&mut self, message: Watch, _: &mut Self::Context) -> Self::Result {
        self.flush();
        self.watch(&message)
    }
}

impl Handler<Resume> for LedgerActor {
    type Result = Result<Loaded, LedgerError>;

    fn handle(&mut self, message: Resume, _: &mut Self::Context) -> Self::Result {
        self.admit(&message.provider.id, message.generation)?;
        self.flush();
        Ok(load::one(&self.db, &message.provider)?)
    }
}

impl Handler<Record> for LedgerActor {
    type Result = ResponseFuture<Result<Recorded, LedgerError>>;

    fn handle(&mut self, message: Record, context: &mut Self::Context) -> Self::Result {
        if let Err(refused) = self.admit(&message.provider.id, message.generation) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Record(Box::new(message), sender), context);
        Box::pin(async { receiver.await.unwrap_or(Err(LedgerError::Away)) })
    }
}

impl Handler<Failed> for LedgerActor {
    type Result = ResponseFuture<Result<(), LedgerError>>;

    fn handle(&mut self, message: Failed, context: &mut Self::Context) -> Self::Result {
        if let Err(refused) = self.admit(&message.provider.id, message.generation) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        self.take_hints();
        let (sender, receiver) = oneshot::channel();
        self.touched.remove(&message.provider.id);
        self.enqueue(Job::Failed(Box::new(message), sender), context);
        Box::pin(async { receiver.await.unwrap_or(Err(LedgerError::Away)) })
    }
}

impl Handler<Hints> for LedgerActor {
    type Result = ();

    fn handle(&mut self, message: Hints, _: &mut Self::Context) {
        self.hints = message;
    }
}

impl Handler<LastRead> for LedgerActor {
    type Result = Result<Option<Instant>, LedgerError>;

    fn handle(&mut self, _: LastRead, _: &mut Self::Context) -> Self::Result {
        self.take_hints();
        let fresh = |watched: &Watched| watched.read.filter(|read| read.elapsed() < watched.provider.settings.stale_after);
        Ok(self.watched.values().filter_map(fresh).max())
    }
}

impl Handler<Restarted> for LedgerActor {
    type Result = ();

    fn handle(&mut self, message: Restarted, context: &mut Self::Context) {
        self.enqueue(Job::Restarted(message), context);
    }
}

impl Handler<AddSink> for LedgerActor {
    type Result = Result<Cursor, LedgerError>;

    fn handle(&mut self, message: AddSink, _: &mut Self::Context) -> Self::Result {
        let now = clock::now().timestamp_millis();
        self.db
            .prepare_cached("INSERT INTO sink(id, seq, started_at) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![message.id, self.seq.cast_signed(), now])?;
        let cursor = self
            .db
            .prepare_cached("SELECT seq, memory FROM sink WHERE id = ?1")?
            .query_row([&message.id], |row| Ok(Cursor { seq: row.get::<_, i64>(0)?.cast_unsigned(), memory: row.get(1)? }))?;
        self.sinks.insert(message.id, message.nudge);
        Ok(cursor)
    }
}

impl Handler<Delivered> for LedgerActor {
    type Result = ResponseFuture<Result<(), LedgerError>>;

    fn handle(&mut self, message: Delivered, context: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Job::Delivered(message, sender), context);
        Box::pin(async { receiver.await.unwrap_or(Err(LedgerError::Away)) })
    }
}

impl Handler<SinkTrouble> for LedgerActor {
    type Result = ();

    fn handle(&mut self, message: SinkTrouble, context: &mut Self::Context) {
        self.enqueue(Job::SinkTrouble(message), context);
    }
}

impl Handler<Flush> for LedgerActor {
    type Result = Result<(), LedgerError>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        self.flush();
        // What is in the write-ahead log goes into the database: whoever copies the file alone has everything.
        if let Err(error) = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::debug!(%error, "the write-ahead log stays");
        }
        if self.failing { Err(LedgerError::Busy { reason: "it could not be written before the end".to_owned() }) } else { Ok(()) }
    }
}

impl Handler<Crash> for LedgerActor {
    type Result = ();

    #[expect(clippy::panic, reason = "what the chaos command asks for")]
    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("asked to");
    }
}
