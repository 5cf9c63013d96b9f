//! Group commit: what waits together is written in one transaction and answered when that is on disk.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rusqlite::{TransactionBehavior, params};
use tokio::sync::oneshot;

use super::actor::{LedgerActor, Watched, panic_text};
use super::distrust::Oddities;
use super::messages::{Delivered, Failed, Nudge, Record, Recorded, Restarted, SinkTrouble, Unchanged, Verdict};
use super::numbering::Numbering;
use super::{LedgerError, commit, notices, store};
use crate::clock;

/// Why results are refused after an error that ended the transaction.
const TAKEN_BACK: &str = "the transaction was taken back";

/// Something for the next transaction, with whom to answer.
pub(super) enum Job {
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
    /// Writes all jobs in one transaction and answers them.
    pub(super) fn flush(&mut self) {
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
        let transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                answers.extend(jobs.by_ref().map(|job| job.refuse(&error.to_string())));
                return Err(error.into());
            }
        };
        for touch in touched.values() {
            store::touch_provider(&transaction, touch)?;
        }
        let run = |statement: &str| transaction.prepare_cached(statement).and_then(|mut statement| statement.execute([]));
        while let Some(job) = jobs.next() {
            run("SAVEPOINT result")?;
            let mut numbering = Numbering { db: &transaction, seq: *seq };
            let answer = catch_unwind(AssertUnwindSafe(|| job.run(&mut numbering, watched)));
            let reached = numbering.seq;
            match answer {
                Ok((answer, true)) => {
                    run("RELEASE result")?;
                    *seq = reached;
                    answers.push(answer);
                    continue;
                }
                Ok((answer, false)) => answers.push(answer),
                Err(panic) => {
                    // The job and with it its sender are gone: whoever waits gets `Away` and asks again.
                    tracing::error!(panic = panic_text(&*panic), "a result could not be recorded");
                }
            }
            // Some errors (a full disk, no memory) take back the whole transaction at once. What would follow
            // would be written outside of it, under numbers that are then given again.
            if transaction.is_autocommit() {
                answers.extend(jobs.by_ref().map(|job| job.refuse(TAKEN_BACK)));
                return Err(LedgerError::Busy { reason: TAKEN_BACK.to_owned() });
            }
            run("ROLLBACK TO result")?;
            run("RELEASE result")?;
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
    pub(super) fn told_of(&mut self, error: &LedgerError) {
        if !error.may_pass() {
            // Nobody is left to act on it if the receiver is gone: the process is ending already.
            drop(self.options.fatal.send(error.to_string()));
        } else if !self.failing {
            self.failing = true;
            tracing::error!(%error, "nothing is lost: polls are repeated until the ledger can be written");
        }
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
                let result = store::fail(numbering.db, &message).map_err(LedgerError::from);
                let keep = result.is_ok();
                (Answer::Unit(sender, result), keep)
            }
            Self::Delivered(message, sender) => {
                let result = store::put_cursor(numbering.db, &message).map_err(LedgerError::from);
                let keep = result.is_ok();
                (Answer::Unit(sender, result), keep)
            }
            Self::Restarted(message) => (Answer::None, store::put_restart(numbering.db, &message).is_ok()),
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
            .and_then(|state| notices::reachability(numbering, &entry.provider, &state, reachable, why, clock::now()));
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
