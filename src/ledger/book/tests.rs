//! Both books come to the same conclusions: decisions depend on no database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Book;
use super::memory::Memory;
use crate::config::{FirstRun, Provider};
use crate::event::{ComponentStatus, Impact, IncidentStatus, Kind, Time};
use crate::ledger::commit;
use crate::ledger::messages::{Binding, Checkpoint, Record, Recorded};
use crate::ledger::post_commit::{PostCommit, Warning};
use crate::ledger::sqlite::testing::{Connection, declare, judge, open_scratch};
use crate::ledger::{min_duration, provider_events, staleness};
use crate::snapshot::{Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component};

const STATUSES: [IncidentStatus; 6] = [
    IncidentStatus::Investigating,
    IncidentStatus::Monitoring,
    IncidentStatus::Resolved,
    IncidentStatus::Scheduled,
    IncidentStatus::InProgress,
    IncidentStatus::Completed,
];
const STATES: [ComponentStatus; 3] =
    [ComponentStatus::Operational, ComponentStatus::PartialOutage, ComponentStatus::MajorOutage];
const LISTINGS: [Listing; 4] = [Listing::Recent, Listing::Open, Listing::Whole, Listing::Unknown];

/// An incident of a page: number, status, and per update its text.
type Item = (u8, usize, Vec<u8>);

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A document.
    Document {
        items: Vec<Item>,
        components: Vec<(u8, usize)>,
        listing: usize,
        /// Which ids the page uses; with the odd ones it is on another platform.
        ids: u8,
        /// Minutes by which the page's time is behind; `None` for a page without one.
        behind: Option<i64>,
        /// Whether another tenant's page was sent.
        foreign: bool,
        complete: bool,
    },
    /// The last document, perhaps without its first incident.
    Again(bool),
    /// An unchanged poll.
    Unchanged,
    /// The provider could not be read, or can be again.
    Reachable(bool),
}

impl Step {
    /// Returns the step after this document, and makes it the last one.
    fn then(&mut self, step: &Self) -> Self {
        match step {
            Self::Document { .. } => self.clone_from(step),
            Self::Again(shorter) => {
                if let Self::Document { items, .. } = self
                    && *shorter
                    && !items.is_empty()
                {
                    items.remove(0);
                }
                return self.clone();
            }
            _ => {}
        }
        step.clone()
    }
}

fn document() -> impl Strategy<Value = Step> {
    let item = (0..7_u8, 0..STATUSES.len(), vec(0..4_u8, 0..4));
    (
        vec(item, 0..7),
        vec((0..4_u8, 0..STATES.len()), 0..5),
        0..LISTINGS.len(),
        prop_oneof![6 => Just(0_u8), 1 => 0..8_u8],
        prop::option::weighted(0.5, prop_oneof![9 => Just(0_i64), 1 => Just(90)]),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(items, components, listing, ids, behind, foreign, complete)| {
            Step::Document { items, components, listing, ids, behind, foreign, complete }
        })
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let step = prop_oneof![
        8 => document(),
        3 => any::<bool>().prop_map(Step::Again),
        1 => Just(Step::Unchanged),
        1 => any::<bool>().prop_map(Step::Reachable),
    ];
    let step = (prop_oneof![4 => 1..30_i64, 1 => 600..3000_i64], step);
    (document(), vec(step, 0..30))
        .prop_map(|(first, rest)| std::iter::once((1, first)).chain(rest).collect::<Vec<_>>())
}

fn incident((number, status, texts): &Item, ids: u8, now: Time) -> Incident {
    let kind = if number % 3 == 2 { Kind::Maintenance } else { Kind::Incident };
    let status = STATUSES[*status];
    let began = Time::from_timestamp(1_780_000_000 + i64::from(*number) * 7200, 0).unwrap();
    let update = |(place, text): (usize, &u8)| {
        let at = began + chrono::Duration::minutes(10 * place as i64);
        Update {
            id: match number % 4 {
                0 => UpdateId::Native(format!("{ids}-{number}-{place}")),
                1 => UpdateId::Timed(at, 0),
                2 => UpdateId::Content,
                _ => UpdateId::Latest,
            },
            status,
            stated: if *text == 0 { IncidentStatus::Update } else { status },
            published_at: Some(at),
            edited_at: (*text == 3).then_some(now),
            text: format!("text {text} of {number}"),
        }
    };
    Incident {
        status,
        impact: if texts.len() % 2 == 0 { Impact::Minor } else { Impact::Unknown },
        started_at: Some(began),
        scheduled_for: (kind == Kind::Maintenance).then_some(began),
        scheduled_until: (kind == Kind::Maintenance)
            .then(|| began + chrono::Duration::hours(texts.len() as i64 + 1)),
        updates: texts.iter().enumerate().map(update).collect(),
        ..Incident::new(kind, format!("{ids}-{number}"), format!("Number {number}"))
    }
}

fn record(provider: &Arc<Provider>, step: &Step, now: Time) -> Option<Record> {
    let Step::Document { items, components, listing, ids, behind, foreign, complete } = step else {
        return None;
    };
    let listing = LISTINGS[*listing];
    let page_id = format!("{}{foreign}", ids % 2);
    let snapshot = Snapshot {
        page: Page {
            id: Some(page_id),
            version: behind.map(|minutes| now - chrono::Duration::minutes(minutes)),
            ..Page::default()
        },
        incidents: items.iter().map(|item| incident(item, *ids, now)).collect(),
        components: components
            .iter()
            .map(|(number, state)| {
                let id = (number % 2 == 0).then(|| format!("{ids}-c{number}"));
                component(id, format!("Part {}", number / 2), None, STATES[*state])
            })
            .collect(),
        coverage: Coverage {
            incidents: listing,
            maintenances: listing,
            all_components: listing != Listing::Unknown,
        },
        ..Snapshot::default()
    };
    let binding = Binding {
        source: if ids % 2 == 1 { "feed" } else { "statuspage" }.to_owned(),
        version: 1 + u32::from(items.len() == 6),
        document_url: provider.url.clone(),
    };
    Some(Record {
        provider: Arc::clone(provider),
        generation: 1,
        snapshot: Box::new(snapshot),
        checkpoint: Checkpoint { binding: Some(binding), ..Checkpoint::default() },
        complete: *complete,
        observed_at: now,
    })
}

/// What a step leads to, with the state that the next one starts from.
#[derive(Debug, PartialEq)]
struct Outcome {
    recorded: Option<Recorded>,
    held_since: Option<Time>,
    anomaly: Option<String>,
    warnings: Vec<Warning>,
    state: String,
    open: usize,
}

fn apply(
    book: &mut dyn Book,
    provider: &Arc<Provider>,
    step: &Step,
    held_since: Option<Time>,
    now: Time,
) -> Outcome {
    let mut post_commit = PostCommit { held_since, ..PostCommit::default() };
    let mut recorded = None;
    match step {
        Step::Unchanged => {
            post_commit.held_since = min_duration::settle(book, provider, now).unwrap();
        }
        Step::Reachable(reachable) => {
            let state = book.state().unwrap();
            if state.unreachable == *reachable {
                let why = Some("no answer".to_owned());
                provider_events::reachability(book, provider, &state, *reachable, why, now)
                    .unwrap();
            }
        }
        Step::Document { .. } | Step::Again(_) => {
            let record = record(provider, step, now).unwrap();
            recorded = Some(commit::record(book, &mut post_commit, &record).unwrap());
        }
    }
    let PostCommit { held_since, anomaly, warnings } = post_commit;
    let state = format!("{:?}", book.state().unwrap());
    let open = book.open_items().unwrap().len();
    Outcome { recorded, held_since, anomaly, warnings, state, open }
}

fn lines(db: &Connection, sql: &str) -> Vec<(String, String)> {
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Applies the steps to both books and compares them after each.
fn compare(provider: Provider, steps: &[(i64, Step)]) -> Memory {
    let provider = Arc::new(provider);
    let mut now = Time::from_timestamp(1_780_040_000, 0).unwrap();
    let db = open_scratch().unwrap();
    declare(&db, std::slice::from_ref(&provider), &HashMap::new(), now).unwrap();
    let mut memory = Memory::default();
    let mut held_since = None;
    let mut document = steps[0].1.clone();
    for (minutes, step) in steps {
        now += chrono::Duration::minutes(*minutes);
        let step = &document.then(step);
        let expected = judge(&db, "acme", |book| apply(book, &provider, step, held_since, now));
        let found = apply(&mut memory, &provider, step, held_since, now);
        memory.commit();
        assert_eq!(found, expected);
        held_since = found.held_since;
    }
    let events = lines(&db, "SELECT kind, line FROM event ORDER BY seq");
    let events: Vec<String> = events.into_iter().map(|(_, line)| line).collect();
    assert_eq!(memory.lines, events);
    let mut suppressed = lines(&db, "SELECT reason, line FROM filtered");
    suppressed.sort();
    memory.suppressed.sort();
    assert_eq!(memory.suppressed, suppressed);
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    assert_eq!(memory.dropped, count("SELECT coalesce(dropped_events, 0) FROM provider"));
    let stored = (count("SELECT count(*) FROM item"), count("SELECT count(*) FROM seen"));
    assert_eq!(memory.stored(), stored);
    memory
}

#[test]
fn a_page_with_new_ids_each_time_is_remembered_under_the_last_ones() {
    let document = |ids: u8| Step::Document {
        items: (0..6).map(|number| (number, 0, vec![1, 2])).collect(),
        components: Vec::new(),
        listing: 0,
        ids: 2 * ids,
        behind: None,
        foreign: false,
        complete: true,
    };
    let steps: Vec<_> = (0..9).map(|ids| (5, document(ids))).collect();
    let provider = (*staleness::tests::provider()).clone();
    let memory = compare(provider, &steps);
    assert_eq!(memory.stored().0, 6 * 5, "each under its last id and four former ones");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_book_in_memory_leads_to_the_same_lines_as_one_in_sqlite(
        steps in steps(),
        first_run in prop::sample::select(vec![
            FirstRun::None, FirstRun::Active, FirstRun::Latest, FirstRun::All,
        ]),
        min_minutes in prop_oneof![Just(0_u64), Just(20)],
        filtered in any::<bool>(),
    ) {
        let mut provider = (*staleness::tests::provider()).clone();
        provider.settings.first_run = first_run;
        provider.settings.min_duration = Duration::from_mins(min_minutes);
        if filtered {
            provider.filter.components = vec!["Part 0".to_owned()];
        }
        compare(provider, &steps);
    }
}
