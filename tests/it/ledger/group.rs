//! Group commit: a result that cannot be written does not affect the others.

use statuswatch::ledger::{Flush, Ledger, Unchanged};

use super::*;
use crate::support::wait::within;

/// Three providers, one of which the database refuses.
struct Three {
    dir: tempfile::TempDir,
    ledger: Addr<LedgerActor>,
    providers: Vec<Arc<Provider>>,
    ends: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Three {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let all = provider(FirstRun::All, Filter::default());
        let providers: Vec<_> = ["first", "refused", "last"]
            .map(|id| Arc::new(Provider { id: id.to_owned(), ..(*all).clone() }))
            .into();
        let (fatal, ends) = tokio::sync::mpsc::unbounded_channel();
        let options = LedgerOptions {
            state_dir: dir.path().to_owned(),
            shared: shared().await,
            keep: Duration::from_hours(24),
            fatal,
            metrics: Arc::default(),
            lease: statuswatch::lease::Lease::always(),
        };
        let ledger = LedgerActor::open(options).unwrap().start();
        ledger
            .send(Watch {
                providers: providers.clone(),
                died: Vec::new(),
                real_intervals: std::collections::HashMap::new(),
                shards: None,
            })
            .await
            .unwrap()
            .unwrap();
        Self { dir, ledger, providers, ends }
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("ledger.db")).unwrap()
    }

    /// Makes the database fail in this way when it stores an item of `refused`.
    fn refuse(&self, how: &str) {
        let sql = format!(
            "CREATE TRIGGER refusal BEFORE INSERT ON item WHEN new.provider = 'refused' BEGIN SELECT RAISE({how}, 'refused'); END"
        );
        self.database().execute_batch(&sql).unwrap();
    }

    /// Sends one page of each provider at once; returns how many events each emitted, or its error.
    async fn poll(&self) -> Vec<Result<usize, String>> {
        let polls = self.providers.iter().map(|provider| {
            let record = Record {
                provider: Arc::clone(provider),
                generation: 1,
                snapshot: Box::new(page(0, vec![opened()])),
                checkpoint: Checkpoint::default(),
                complete: true,
                observed_at: at(1),
            };
            let answer = self.ledger.send(record);
            async {
                answer
                    .await
                    .unwrap()
                    .map(|recorded| recorded.events)
                    .map_err(|error| error.to_string())
            }
        });
        futures::future::join_all(polls).await
    }

    /// Returns sequence number and provider of all events.
    fn emitted(&self) -> Vec<(u64, String)> {
        let events = Reader::open(self.dir.path()).unwrap().after(0, 100).unwrap();
        events.into_iter().map(|recorded| (recorded.event.seq, recorded.event.provider)).collect()
    }
}

fn numbered(providers: &[&str]) -> Vec<(u64, String)> {
    (1..).zip(providers.iter().map(|&provider| provider.to_owned())).collect()
}

#[test]
fn a_failed_result_does_not_affect_the_others() {
    run_system(async {
        let mut three = Three::new().await;
        three.refuse("ABORT");
        let answers = three.poll().await;
        assert_eq!((&answers[0], &answers[2]), (&Ok(2), &Ok(2)));
        assert!(answers[1].as_ref().is_err_and(|error| error.contains("refused")), "{answers:?}");
        assert_eq!(three.emitted(), numbered(&["first", "first", "last", "last"]));
        three.database().execute_batch("DROP TRIGGER refusal").unwrap();
        assert_eq!(
            three.poll().await,
            [Ok(0), Ok(2), Ok(0)],
            "asked again, it is reported, and nothing else is"
        );
        assert_eq!(
            three.emitted(),
            numbered(&["first", "first", "last", "last", "refused", "refused"])
        );
        assert!(three.ends.try_recv().is_err(), "nothing the process has to end for");
    });
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    run_system(async {
        let mut three = Three::new().await;
        three.refuse("ROLLBACK");
        let answers = three.poll().await;
        assert!(
            answers
                .iter()
                .all(|answer| answer.as_ref().is_err_and(|error| error.contains("refused"))),
            "{answers:?}"
        );
        assert_eq!(three.emitted(), []);
        three.database().execute_batch("DROP TRIGGER refusal").unwrap();
        assert_eq!(three.poll().await, [Ok(2), Ok(2), Ok(2)]);
        assert_eq!(
            three.emitted(),
            numbered(&["first", "first", "refused", "refused", "last", "last"])
        );
        assert!(three.ends.try_recv().is_err(), "it may pass");
    });
}

/// A page that recovers with 304s only while the disk is full: the reachable event follows once
/// there is space.
#[test]
fn a_reachable_event_that_could_not_be_written_follows_a_later_poll() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::All).await;
        let settings = Settings { stale_after: Duration::from_millis(100), ..Settings::default() };
        harness.provider = Arc::new(Provider { settings, ..(*harness.provider).clone() });
        harness.restart().await;
        let ledger = Ledger::default();
        ledger.replace(harness.ledger.clone());
        within("the page being reported as unreachable", async {
            while harness.short()
                != ["provider Acme Cloud cannot be read unreachable: no poll has finished"]
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let database = rusqlite::Connection::open(harness.dir.path().join("ledger.db")).unwrap();
        let refusal = "CREATE TRIGGER refusal BEFORE UPDATE OF unreachable ON provider BEGIN SELECT RAISE(ABORT, 'refused'); END";
        database.execute_batch(refusal).unwrap();
        let mut polled = async |minute: i64| {
            let (at, next_poll_at) = (at(minute), at(minute + 1));
            ledger.hint(Unchanged {
                provider: "acme".to_owned(),
                generation: 1,
                at,
                next_poll_at,
                validators: None,
                full: false,
            });
            harness.ledger.send(Flush).await.unwrap().unwrap();
            harness.short()
        };
        assert_eq!(polled(1).await, [""; 0]);
        database.execute_batch("DROP TRIGGER refusal").unwrap();
        let emitted = "provider Acme Cloud can be read again reachable";
        assert_eq!(polled(2).await.first().map(String::as_str), Some(emitted));
        assert!(!polled(3).await.iter().any(|event| event == emitted), "once");
    });
}
