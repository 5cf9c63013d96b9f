//! Feeds the ledger's actor and database with hand-made snapshots.
//!
//! With `STATUSWATCH_TEST_LEDGER=postgres` the ledger is one that several nodes share, on a real
//! PostgreSQL: what is tested holds there as well. (One test has times of which the hourly upkeep, a
//! second after the start, forgets what the test looks at: leave it out, see `.ci/run`.)

mod anomalies;
mod cosmetic;
mod drain;
mod group;
mod identity;
mod ids;
mod large;
mod min_duration;
mod moves;
mod vanished;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use statuswatch::config::{Filter, FirstRun, Provider, Settings};
use statuswatch::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, ProviderStatus, Status, StatusEvent,
    Time, parse_time,
};
use statuswatch::ledger::{
    Binding, Checkpoint, LedgerActor, LedgerOptions, Query, Reader, Record, Recorded, Resume,
    Shared, Verdict, Watch,
};
use statuswatch::snapshot::{
    Basis, Coverage, Incident, Listing, Page, Snapshot, UnreadTimes, Update, UpdateId,
};

use crate::support::postgres;

/// Runs a test inside an actix system.
fn run_system<F: std::future::Future<Output = ()>>(test: F) {
    actix::System::new().block_on(test);
}

/// Returns the database of a test, if the ledger is to be a shared one.
async fn shared() -> Option<Shared> {
    std::env::var_os("STATUSWATCH_TEST_LEDGER").filter(|store| store == "postgres")?;
    Some(postgres::begin_life(&postgres::database(), "a").await)
}

struct Harness {
    dir: tempfile::TempDir,
    shared: Option<Shared>,
    ledger: Addr<LedgerActor>,
    provider: Arc<Provider>,
    clock: Time,
    emitted: u64,
}

fn provider(first_run: FirstRun, filter: Filter) -> Arc<Provider> {
    Arc::new(Provider {
        id: "acme".to_owned(),
        name: "Acme Cloud".to_owned(),
        url: "https://status.acme.example/".parse().unwrap(),
        source: None,
        url_written: true,
        settings: Settings { first_run, ..Settings::default() },
        filter,
        json: None,
    })
}

fn at(minute: i64) -> Time {
    parse_time("2026-03-01T12:00:00Z").unwrap() + chrono::Duration::minutes(minute)
}

impl Harness {
    async fn new(first_run: FirstRun) -> Self {
        Self::filtered(first_run, Filter::default()).await
    }

    async fn filtered(first_run: FirstRun, filter: Filter) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let provider = provider(first_run, filter);
        let shared = shared().await;
        let ledger = Self::start(&dir, shared.clone(), &provider).await;
        Self { dir, shared, ledger, provider, clock: at(0), emitted: 0 }
    }

    async fn start(
        dir: &tempfile::TempDir,
        shared: Option<Shared>,
        provider: &Arc<Provider>,
    ) -> Addr<LedgerActor> {
        let (fatal, _) = tokio::sync::mpsc::unbounded_channel();
        let options = LedgerOptions {
            state_dir: dir.path().to_owned(),
            shared,
            keep: Duration::from_hours(400 * 24),
            fatal,
            metrics: Arc::default(),
            lease: statuswatch::lease::Lease::always(),
        };
        let ledger = LedgerActor::open(options).unwrap().start();
        ledger
            .send(Watch {
                providers: vec![Arc::clone(provider)],
                died: Vec::new(),
                real_intervals: std::collections::HashMap::new(),
                shards: None,
            })
            .await
            .unwrap()
            .unwrap();
        ledger
            .send(Resume { provider: Arc::clone(provider), generation: 1 })
            .await
            .unwrap()
            .unwrap();
        ledger
    }

    async fn restart(&mut self) {
        let shared = self.shared.clone();
        self.ledger = Self::start(&self.dir, shared, &self.provider).await;
    }

    async fn poll(&mut self, snapshot: Snapshot) -> Recorded {
        self.poll_from("statuspage", snapshot).await
    }

    async fn poll_from(&mut self, source: &str, snapshot: Snapshot) -> Recorded {
        self.poll_by(source, 1, snapshot).await
    }

    /// Polls with a given version of the source.
    async fn poll_by(&mut self, source: &str, version: u32, snapshot: Snapshot) -> Recorded {
        self.clock += chrono::Duration::minutes(1);
        let document_url = self.provider.url.clone();
        let binding = Binding { source: source.to_owned(), version, document_url };
        let record = Record {
            provider: Arc::clone(&self.provider),
            generation: 1,
            snapshot: Box::new(snapshot),
            checkpoint: Checkpoint { binding: Some(binding), ..Checkpoint::default() },
            complete: true,
            observed_at: self.clock,
        };
        self.ledger.send(record).await.unwrap().unwrap()
    }

    /// Returns the events emitted since the last call.
    fn new_events(&mut self) -> Vec<StatusEvent> {
        let events = Reader::open(self.dir.path()).unwrap().after(self.emitted, 1000).unwrap();
        for (event, seq) in events.iter().zip(self.emitted + 1..) {
            assert_eq!(event.event.seq, seq, "no gap");
        }
        self.emitted += events.len() as u64;
        events.into_iter().map(|recorded| recorded.event).collect()
    }

    /// Returns them in short form: kind, incident, status, revision, text.
    fn short(&mut self) -> Vec<String> {
        let words = |event: StatusEvent| {
            let what = event.incident_id.unwrap_or(event.title);
            let edit =
                if event.revision > 1 { format!(" r{}", event.revision) } else { String::new() };
            let past = if event.backfill { " backfill" } else { "" };
            let text = event.message.map(|text| format!(": {text}")).unwrap_or_default();
            format!("{} {what} {}{edit}{past}{text}", event.kind, event.status)
        };
        self.new_events().into_iter().map(words).collect()
    }
}

fn update(id: &str, status: IncidentStatus, minute: i64, text: &str) -> Update {
    Update {
        id: UpdateId::Native(id.to_owned()),
        status,
        stated: status,
        published_at: Some(at(minute)),
        edited_at: Some(at(minute)),
        text: text.to_owned(),
    }
}

fn incident(id: &str, updates: Vec<Update>) -> Incident {
    let status = updates.last().map_or(IncidentStatus::Investigating, |update| update.status);
    Incident {
        status,
        impact: Impact::Minor,
        updates,
        ..Incident::new(Kind::Incident, id, format!("PollError {id}"))
    }
}

fn page(version: i64, incidents: Vec<Incident>) -> Snapshot {
    Snapshot {
        page: Page {
            id: Some("acmepage0001".to_owned()),
            version: Some(at(version)),
            ..Page::default()
        },
        incidents,
        components: Vec::new(),
        coverage: Coverage {
            incidents: Listing::Recent,
            maintenances: Listing::Recent,
            all_components: true,
        },
        rejected: Vec::new(),
        ..Snapshot::default()
    }
}

fn opened() -> Incident {
    incident(
        "a",
        vec![
            update("1", IncidentStatus::Investigating, -30, "Looking."),
            update("2", IncidentStatus::Identified, -20, "Found."),
        ],
    )
}

fn past(id: &str) -> Incident {
    incident(
        id,
        vec![
            update(id, IncidentStatus::Investigating, -900, "Hm."),
            update("r", IncidentStatus::Resolved, -800, "Fine."),
        ],
    )
}

#[test]
fn a_first_run_emits_as_configured() {
    for (first_run, expected) in [
        (FirstRun::None, vec![]),
        (FirstRun::Active, vec!["incident a identified backfill: Found."]),
        (FirstRun::Latest, vec!["incident a identified backfill: Found."]),
        (
            FirstRun::All,
            vec![
                "incident p investigating backfill: Hm.",
                "incident p resolved backfill: Fine.",
                "incident a investigating backfill: Looking.",
                "incident a identified backfill: Found.",
            ],
        ),
    ] {
        run_system(async {
            let mut harness = Harness::new(first_run).await;
            let recorded = harness.poll(page(0, vec![opened(), past("p")])).await;
            assert_eq!(recorded.verdict, Verdict::Baseline);
            assert!(recorded.active);
            assert_eq!(harness.short(), expected, "{first_run:?}");
            harness.poll(page(0, vec![opened(), past("p")])).await;
            harness.restart().await;
            assert_eq!(
                harness.poll(page(0, vec![opened(), past("p")])).await.verdict,
                Verdict::Same
            );
            assert_eq!(harness.short(), Vec::<String>::new());
        });
    }
}

#[test]
fn updates_edits_and_several_at_once() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::None).await;
        harness.poll(page(0, vec![])).await;
        let mut outage =
            incident("a", vec![update("1", IncidentStatus::Investigating, 1, "Looking.")]);
        harness.poll(page(1, vec![outage.clone()])).await;
        assert_eq!(harness.short(), ["incident a investigating: Looking."]);

        // Two new updates, and an edit of the oldest with a newer edit time.
        outage.updates[0] = Update {
            edited_at: Some(at(5)),
            ..update("1", IncidentStatus::Investigating, 1, "Looking into it.")
        };
        outage.updates.push(update("2", IncidentStatus::Identified, 3, "Found."));
        outage.updates.push(update("3", IncidentStatus::Monitoring, 4, "Fixed."));
        outage.status = IncidentStatus::Monitoring;
        harness.poll(page(5, vec![outage.clone()])).await;
        let new_events = harness.new_events();
        let emitted: Vec<_> = new_events
            .iter()
            .map(|event| (event.status, event.revision, event.previous_status))
            .collect();
        assert_eq!(
            emitted,
            [
                (
                    IncidentStatus::Investigating.into(),
                    2,
                    Some(IncidentStatus::Investigating.into())
                ),
                (IncidentStatus::Identified.into(), 1, Some(IncidentStatus::Investigating.into())),
                (IncidentStatus::Monitoring.into(), 1, Some(IncidentStatus::Identified.into())),
            ]
        );
        assert_eq!(new_events[0].update_id.as_deref(), Some("1"));

        // A different title, whitespace or order of components emits nothing.
        outage.title = "Errors everywhere".to_owned();
        outage.updates[2].text = " Fixed.\n".to_owned();
        outage.components.push(Component {
            id: None,
            name: "API".to_owned(),
            group: None,
            status: ComponentStatus::MajorOutage,
        });
        assert_eq!(harness.poll(page(6, vec![outage.clone()])).await.events, 0);

        // A change of impact is an event of its own. Twice up and down: four distinct ones.
        for impact in [Impact::Major, Impact::Minor, Impact::Major, Impact::Minor] {
            outage.impact = impact;
            assert_eq!(harness.poll(page(7, vec![outage.clone()])).await.events, 1);
        }
        let new_events = harness.new_events();
        assert_eq!(new_events[0].previous_impact, Some(Impact::Minor));
        assert_eq!(new_events[0].impact, Impact::Major);
        assert_eq!(new_events[0].message, None);
        assert_eq!(new_events[0].title, "Errors everywhere");
    });
}

#[test]
fn stale_and_foreign_responses_change_nothing() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        harness.clock = at(9);
        harness.poll(page(10, vec![opened()])).await;
        harness.new_events();
        let mut worse = opened();
        worse.updates.push(update("3", IncidentStatus::Resolved, 11, "Over."));
        worse.status = IncidentStatus::Resolved;
        harness.poll(page(11, vec![worse.clone()])).await;
        assert_eq!(harness.short(), ["incident a resolved: Over."]);

        // A stale edge: an older version, with the incident open again.
        assert_eq!(harness.poll(page(9, vec![opened()])).await.verdict, Verdict::Stale);
        // Another tenant's page, with its own incident.
        let mut foreign = page(
            12,
            vec![incident("x", vec![update("9", IncidentStatus::Investigating, 12, "Theirs.")])],
        );
        foreign.page.id = Some("theirpage001".to_owned());
        assert!(matches!(harness.poll(foreign).await.verdict, Verdict::WrongTenant { .. }));
        assert_eq!(harness.poll(page(11, vec![worse])).await.verdict, Verdict::Same);
        assert_eq!(harness.short(), Vec::<String>::new());
    });
}

#[test]
fn a_reset_page_is_accepted_eventually() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        harness.clock = at(99);
        harness.poll(page(100, vec![])).await;
        let fresh = || {
            page(
                50,
                vec![incident("n", vec![update("1", IncidentStatus::Investigating, 101, "New.")])],
            )
        };
        let mut polls = 0;
        while harness.poll(fresh()).await.verdict == Verdict::Stale {
            polls += 1;
            assert!(polls < 40);
        }
        assert!(polls >= 30, "an edge may answer with an old page for many minutes");
        assert_eq!(harness.short(), ["incident n investigating: New."]);
    });
}

#[test]
fn absence_is_not_resolution_and_needs_two_polls() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        harness.poll(page(1, vec![opened(), past("p")])).await;
        assert_eq!(harness.short(), ["incident a identified backfill: Found."]);
        let gone = || page(2, vec![past("p")]);
        let first = harness.poll(gone()).await;
        assert!(first.recheck && first.active, "one look is not enough");
        assert_eq!(harness.short(), Vec::<String>::new());
        let second = harness.poll(gone()).await;
        assert!(!second.active);
        // Newer than the oldest listed item and absent: removed from the page.
        assert_eq!(harness.short(), ["incident a withdrawn"]);
        harness.poll(page(3, vec![opened(), past("p")])).await;
        harness.poll(absent_again()).await;
        assert_eq!(harness.short(), Vec::<String>::new(), "its return is silent");
    });
    fn absent_again() -> Snapshot {
        page(4, vec![past("p")])
    }
}

#[test]
fn leaving_a_list_of_open_incidents_emits_nothing() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let open_only = |version, incidents| {
            let mut snapshot = page(version, incidents);
            snapshot.coverage.incidents = Listing::Open;
            snapshot
        };
        harness.poll(open_only(1, vec![opened()])).await;
        harness.new_events();
        harness.poll(open_only(2, vec![])).await;
        let last = harness.poll(open_only(2, vec![])).await;
        assert!(!last.active && !last.recheck);
        assert_eq!(harness.short(), Vec::<String>::new());
    });
}

#[test]
fn later_history_is_not_new_but_later_incidents_are() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let mut first = page(0, vec![]);
        first.coverage.incidents = Listing::Open;
        harness.poll(first).await;
        let since = incident(
            "s",
            vec![
                update("1", IncidentStatus::Investigating, 2, "Oh."),
                update("2", IncidentStatus::Resolved, 3, "Over."),
            ],
        );
        harness.poll(page(3, vec![since, past("p"), past("q")])).await;
        assert_eq!(
            harness.short(),
            ["incident s investigating: Oh.", "incident s resolved: Over."]
        );
        // A later import is emitted and marked as backfill.
        harness.poll(page(4, vec![past("i")])).await;
        assert_eq!(
            harness.short(),
            ["incident i investigating backfill: Hm.", "incident i resolved backfill: Fine."]
        );
    });
}

#[test]
fn components_are_compared_one_by_one() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let with = |states: &[(&str, ComponentStatus)]| {
            let mut snapshot = page(0, vec![]);
            snapshot.components = states
                .iter()
                .map(|(name, status)| Component {
                    id: Some((*name).to_owned()),
                    name: (*name).to_owned(),
                    group: None,
                    status: *status,
                })
                .collect();
            snapshot
        };
        let (up, down) = (ComponentStatus::Operational, ComponentStatus::MajorOutage);
        harness.poll(with(&[("api", up), ("web", down)])).await;
        assert_eq!(harness.short(), Vec::<String>::new(), "the first sight is no change");
        harness.poll(with(&[("web", down), ("api", down)])).await;
        harness.poll(with(&[("web", down)])).await;
        harness.poll(with(&[("api", up), ("web", down), ("new", down)])).await;
        let new_events = harness.new_events();
        let emitted: Vec<_> = new_events
            .iter()
            .map(|event| (event.title.as_str(), event.status, event.previous_status))
            .collect();
        assert_eq!(
            emitted,
            [
                ("api", ComponentStatus::MajorOutage.into(), None),
                (
                    "api",
                    ComponentStatus::Operational.into(),
                    Some(ComponentStatus::MajorOutage.into())
                )
            ]
        );
    });
}

#[test]
fn a_replaced_text_is_a_new_update_or_an_edit_by_its_time() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let shown = |status, minute, text: &str| {
            let update = Update {
                id: UpdateId::Latest,
                status,
                stated: status,
                published_at: Some(at(minute)),
                edited_at: None,
                text: text.to_owned(),
            };
            let mut snapshot = page(0, vec![incident("a", vec![update])]);
            snapshot.page.version = None;
            snapshot.coverage.incidents = Listing::Unknown;
            snapshot
        };
        harness.poll(shown(IncidentStatus::Investigating, 1, "Looking.")).await;
        harness.poll(shown(IncidentStatus::Identified, 2, "Found.")).await;
        harness.poll(shown(IncidentStatus::Identified, 2, "Found it.")).await;
        harness.poll(shown(IncidentStatus::Investigating, 1, "Looking.")).await;
        harness.poll(shown(IncidentStatus::Identified, 5, "Found it.")).await;
        harness.poll(shown(IncidentStatus::Resolved, 6, "Done.")).await;
        assert_eq!(
            harness.short(),
            [
                "incident a investigating backfill: Looking.",
                "incident a identified: Found.",
                "incident a identified r2: Found it.",
                "incident a resolved: Done.",
            ]
        );
    });
}

/// A parser upgrade emits no events.
#[test]
fn parser_changes_correct_the_state_without_events() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let shown = |items: &[(&str, IncidentStatus, i64, &str)]| {
            let incidents = items.iter().map(|(title, status, minute, text)| Incident {
                title: (*title).to_owned(),
                basis: Basis::Silent,
                ..incident(
                    title.split(' ').next().unwrap(),
                    vec![Update {
                        id: UpdateId::Latest,
                        status: *status,
                        stated: *status,
                        published_at: Some(at(*minute)),
                        edited_at: None,
                        text: (*text).to_owned(),
                    }],
                )
            });
            let mut snapshot = page(0, incidents.collect());
            snapshot.page.version = None;
            snapshot.coverage.incidents = Listing::Unknown;
            snapshot
        };
        let before = [
            ("a behoben", IncidentStatus::Update, 1, "Words."),
            ("b behoben", IncidentStatus::Update, 1, "Words."),
            ("c", IncidentStatus::Update, 1, "Words."),
        ];
        harness.poll_by("feed", 1, shown(&before)).await;
        assert_eq!(harness.short(), [""; 0]);
        let after = [
            ("a behoben", IncidentStatus::Resolved, 1, "Words."),
            ("b behoben", IncidentStatus::Resolved, 3, "Other words."),
            ("c behoben", IncidentStatus::Resolved, 1, "Words."),
        ];
        harness.poll_by("feed", 2, shown(&after)).await;
        // Changes of the page are emitted: a different text, a different title.
        assert_eq!(
            harness.short(),
            ["incident c resolved r2: Words.", "incident b resolved: Other words."]
        );
        let open = Reader::open(harness.dir.path()).unwrap().open_items(None).unwrap();
        assert_eq!(open, []);
        harness.poll_by("feed", 2, shown(&after)).await;
        assert_eq!(harness.short(), [""; 0]);
    });
}

#[test]
fn unparsed_times_are_stored_until_they_parse() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let unread = |harness: &Harness| {
            Reader::open(harness.dir.path()).unwrap().providers().unwrap().remove(0).unread_times
        };
        let mut snapshot = page(0, Vec::new());
        snapshot.unread_times = UnreadTimes { count: 7, examples: vec!["vorgestern".to_owned()] };
        harness.poll(snapshot.clone()).await;
        assert_eq!(unread(&harness), snapshot.unread_times);
        harness.poll(page(0, Vec::new())).await;
        assert_eq!(unread(&harness), UnreadTimes::default());
    });
}

#[test]
fn suppressed_events_are_stored_and_leave_no_gap() {
    run_system(async {
        let filter = Filter {
            components: vec!["API*".to_owned()],
            min_impact: Some(Impact::Minor),
            ..Filter::default()
        };
        let mut harness = Harness::filtered(FirstRun::All, filter).await;
        let mut web = incident("w", vec![update("1", IncidentStatus::Investigating, 1, "Web.")]);
        web.components.push(Component {
            id: None,
            name: "Web".to_owned(),
            group: None,
            status: ComponentStatus::MajorOutage,
        });
        let mut api = incident("a", vec![update("1", IncidentStatus::Investigating, 2, "API.")]);
        api.components.push(Component {
            id: None,
            name: "API requests".to_owned(),
            group: None,
            status: ComponentStatus::MajorOutage,
        });
        harness.poll(page(2, vec![web.clone(), api.clone()])).await;
        assert_eq!(harness.short(), ["incident a investigating backfill: API."]);
        // Once emitted, an incident is emitted to its end, whatever components it names.
        api.components.clear();
        api.impact = Impact::None;
        api.updates.push(update("2", IncidentStatus::Resolved, 3, "Over."));
        api.status = IncidentStatus::Resolved;
        harness.poll(page(3, vec![web, api])).await;
        assert_eq!(harness.short(), ["incident a resolved: Over."]);
        let kept = Reader::open(harness.dir.path()).unwrap().filtered(&Query::default()).unwrap();
        assert_eq!(kept.len(), 1);
    });
}

#[test]
fn an_end_without_an_impact_keeps_the_last_known_one() {
    let over = |mut incident: Incident| {
        incident.updates.push(update("3", IncidentStatus::Resolved, 3, "Over."));
        Incident { status: IncidentStatus::Resolved, impact: Impact::Unknown, ..incident }
    };
    run_system(async {
        let mut harness = Harness::new(FirstRun::All).await;
        harness.poll(page(2, vec![opened()])).await;
        harness.new_events();
        harness.poll(page(3, vec![over(opened())])).await;
        let end = harness.new_events().pop().unwrap();
        assert_eq!(
            (end.status, end.impact, end.previous_impact),
            (IncidentStatus::Resolved.into(), Impact::Minor, Some(Impact::Minor))
        );
        assert_eq!(harness.poll(page(4, vec![over(opened())])).await.verdict, Verdict::Same);
        // An impact that the page states is used.
        harness.poll(page(5, vec![Incident { impact: Impact::Major, ..over(opened()) }])).await;
        let events = harness.new_events();
        assert_eq!(events.iter().map(|event| event.impact).collect::<Vec<_>>(), [Impact::Major]);

        // An incident below `min_impact` does not appear at its end.
        let filter = Filter { min_impact: Some(Impact::Major), ..Filter::default() };
        let mut harness = Harness::filtered(FirstRun::All, filter).await;
        harness.poll(page(2, vec![opened()])).await;
        harness.poll(page(3, vec![over(opened())])).await;
        assert_eq!(harness.short(), [""; 0]);
    });
}

#[test]
fn two_ledgers_derive_the_same_ids() {
    let mut ids: Vec<Vec<String>> = Vec::new();
    for _ in 0..2 {
        run_system(async {
            let mut harness = Harness::new(FirstRun::All).await;
            harness.poll(page(0, vec![opened(), past("p")])).await;
            ids.push(harness.new_events().into_iter().map(|event| event.id).collect());
        });
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].len(), 4);
}

/// Gives an incident and its updates new ids.
fn renamed(incident: &Incident) -> Incident {
    let mut renamed = incident.clone();
    renamed.id = format!("01NEW{}", incident.id);
    for update in &mut renamed.updates {
        if let UpdateId::Native(id) = &update.id {
            update.id = UpdateId::Native(format!("01NEW{id}"));
        }
    }
    renamed
}

#[test]
fn a_platform_move_repeats_and_closes_nothing() {
    for source in ["incidentio", "statuspage"] {
        run_system(async {
            let mut harness = Harness::new(FirstRun::Active).await;
            let old = [opened(), past("p"), past("q"), past("r")];
            let mut first = page(0, old.to_vec());
            first.components = vec![Component {
                id: Some("1".to_owned()),
                name: "API".to_owned(),
                group: None,
                status: ComponentStatus::Operational,
            }];
            harness.poll(first).await;
            assert_eq!(harness.short(), ["incident a identified backfill: Found."]);

            let mut moved = page(1, old.iter().map(renamed).collect());
            moved.components = vec![Component {
                id: Some("x".to_owned()),
                name: "API".to_owned(),
                group: None,
                status: ComponentStatus::MajorOutage,
            }];
            if source == "incidentio" {
                moved.page.id = Some("01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned());
            }
            // Updates newer than the last successful poll are new, even on the day of the move.
            moved.incidents[0].updates.push(update(
                "01NEWER",
                IncidentStatus::Monitoring,
                2,
                "Fixed.",
            ));
            moved.incidents[0].status = IncidentStatus::Monitoring;
            let recorded = harness.poll_from(source, moved.clone()).await;
            assert!(recorded.active, "the open incident is still open");
            let new_events = harness.new_events();
            let emitted: Vec<_> = new_events
                .iter()
                .map(|event| (event.kind, event.status, event.previous_status))
                .collect();
            assert_eq!(
                emitted,
                [
                    (
                        Kind::Incident,
                        IncidentStatus::Monitoring.into(),
                        Some(IncidentStatus::Identified.into())
                    ),
                    (Kind::Provider, ProviderStatus::Reachable.into(), None),
                    // Matched by its name.
                    (Kind::Component, ComponentStatus::MajorOutage.into(), None),
                ],
                "{source}"
            );
            assert!(
                new_events[1]
                    .message
                    .as_deref()
                    .unwrap()
                    .starts_with("Of 4 listed incidents and maintenances, 4 are already known")
            );
            harness.poll_from(source, moved).await;
            // And back: the old ids are still known.
            harness.poll_from("statuspage", page(2, old.to_vec())).await;
            let back = harness.short();
            assert!(back.iter().all(|line| line.starts_with("provider ")), "{back:?}");
        });
    }
}

#[test]
fn items_resurfacing_at_the_end_of_a_list_are_not_new() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let at = |id: &str, minute: i64| {
            incident(id, vec![update("1", IncidentStatus::Resolved, minute, "Over.")])
        };
        harness.poll(page(0, vec![at("c", -10), at("b", -20)])).await;
        // One item is removed: an older one is listed again.
        harness.poll(page(1, vec![at("b", -20), at("a", -30)])).await;
        assert_eq!(harness.short(), Vec::<String>::new());
        // Two more than were removed: someone added them.
        harness.poll(page(2, vec![at("b", -20), at("a", -30), at("y", -40), at("z", -50)])).await;
        assert_eq!(
            harness.short(),
            ["incident z resolved backfill: Over.", "incident y resolved backfill: Over."]
        );
    });
}
