//! The end of a run, right after its start.

use statuswatch::ledger::Ledger;
use statuswatch::sink::actor::{Drain, SinkActor};
use statuswatch::sink::{self, Cursor, Sink, SinkError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;

/// Passes on what it is given.
struct Passing(UnboundedSender<u64>);

impl Sink for Passing {
    fn id(&self) -> &'static str {
        "passing"
    }

    fn open(
        &mut self,
        cursor: &Cursor,
        _: &mut dyn FnMut(u64) -> Result<Vec<sink::StoredEvent>, SinkError>,
    ) -> Result<Cursor, SinkError> {
        Ok(cursor.clone())
    }

    fn deliver(&mut self, events: &[sink::StoredEvent]) -> Result<Cursor, SinkError> {
        for recorded in events {
            self.0.send(recorded.event.seq).unwrap();
        }
        Ok(Cursor { seq: events.last().unwrap().event.seq, ..Cursor::default() })
    }
}

/// The end comes before the ledger has answered with the sink's position.
#[test]
fn a_sink_that_is_drained_right_after_its_start_delivers_everything() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::All).await;
        let ledger = Ledger::default();
        ledger.replace(harness.ledger.clone());
        let (passed, mut received) = unbounded_channel();
        let start = |passed: UnboundedSender<u64>| {
            let state_dir = harness.dir.path().to_owned();
            SinkActor::new(Box::new(Passing(passed)), ledger.clone(), state_dir).start()
        };
        assert!(start(passed.clone()).send(Drain).await.unwrap(), "there is nothing to deliver");

        let again = start(passed);
        let events = harness.poll(page(0, vec![opened()])).await.events;
        assert!(again.send(Drain).await.unwrap());
        drop(again);
        let delivered: Vec<u64> = std::iter::from_fn(|| received.try_recv().ok()).collect();
        assert_eq!(delivered, (1..=events as u64).collect::<Vec<_>>());
        assert!(events > 0);
    });
}
