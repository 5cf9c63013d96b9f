//! Pages whose ids change: only matched incidents count as reported.

use proptest::prelude::*;

use super::identity::recorded;
use super::*;

/// How a page assigns ids to its incidents and updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// An API: every incident and update has an id with this prefix.
    Api(&'static str),
    /// A growing feed: entries have an id, updates are identified by their time.
    Feed(&'static str),
}

impl Naming {
    const fn source(self) -> &'static str {
        match self {
            Self::Api(_) => "statuspage",
            Self::Feed(_) => "feed",
        }
    }

    fn name(self, incident: &Incident) -> Incident {
        let mut named = incident.clone();
        let (Self::Api(prefix) | Self::Feed(prefix)) = self;
        named.id = format!("{prefix}-{}", incident.id);
        for update in &mut named.updates {
            update.id = match (self, &update.id) {
                (Self::Api(_), UpdateId::Native(id)) => {
                    UpdateId::Native(format!("{prefix}-{}-{id}", incident.id))
                }
                _ => UpdateId::Timed(update.published_at.unwrap(), 0),
            };
            if matches!(self, Self::Feed(_)) {
                update.edited_at = None;
            }
        }
        named
    }

    fn page(self, incidents: &[Incident]) -> Snapshot {
        let mut page = page(0, incidents.iter().map(|incident| self.name(incident)).collect());
        page.page.version = None;
        page
    }
}

/// Three past incidents and one open one.
fn past_and_present() -> Vec<Incident> {
    vec![opened(), past("p"), past("q"), past("r")]
}

fn fresh(id: &str, minute: i64) -> Incident {
    incident(id, vec![update("n1", IncidentStatus::Investigating, minute, &format!("New: {id}."))])
}

/// Variants: an API and a growing feed; updates dated now and 90 s ago; a move, and a move and
/// back.
#[test]
fn a_change_of_ids_loses_and_repeats_no_update() {
    let (api, feed) =
        ([Naming::Api("A"), Naming::Api("B")], [Naming::Feed("A"), Naming::Feed("B")]);
    for [before, after] in [api, feed] {
        // Polls are one minute apart: the next one is at minute 3.
        for dated in [3, 1, -600] {
            run_system(async {
                let mut harness = Harness::new(FirstRun::Active).await;
                let mut truth = past_and_present();
                harness.poll_from(before.source(), before.page(&truth)).await;
                assert_eq!(harness.short().len(), 1);
                harness.poll_from(before.source(), before.page(&truth)).await;
                // New ids, and in the same response a new incident and an update of the open one.
                truth.insert(0, fresh("x", dated));
                truth[1].updates.push(update("3", IncidentStatus::Monitoring, dated, "Watching."));
                truth[1].status = IncidentStatus::Monitoring;
                harness.poll_from(after.source(), after.page(&truth)).await;
                let past = if dated < 0 { " backfill" } else { "" };
                let mut emitted = harness.short();
                let moves = emitted.iter().filter(|line| line.starts_with("provider")).count();
                emitted.retain(|line| !line.starts_with("provider"));
                emitted.sort();
                let reported = [
                    format!("incident B-a monitoring{past}: Watching."),
                    format!("incident B-x investigating{past}: New: x."),
                ];
                assert_eq!((moves, emitted), (1, reported.to_vec()), "{after:?} {dated}");
                for _ in 0..3 {
                    harness.poll_from(after.source(), after.page(&truth)).await;
                }
                assert_eq!(harness.short(), [""; 0], "{after:?} {dated}");

                // And back, again with new updates.
                truth.insert(0, fresh("y", dated));
                truth[1].updates.push(update("n2", IncidentStatus::Resolved, dated + 1, "Over."));
                truth[1].status = IncidentStatus::Resolved;
                let mut emitted = Vec::new();
                for _ in 0..4 {
                    harness.poll_from(before.source(), before.page(&truth)).await;
                    emitted.extend(harness.short());
                }
                emitted.sort();
                let reported = [
                    format!("incident A-x resolved{past}: Over."),
                    format!("incident A-y investigating{past}: New: y."),
                ];
                assert_eq!(emitted, reported, "{before:?} {dated}");
            });
        }
    }
}

#[test]
fn a_platform_move_loses_no_update() {
    let ways = [(Naming::Api("A"), Naming::Feed("B")), (Naming::Feed("A"), Naming::Api("B"))];
    for (before, after) in ways {
        run_system(async {
            let mut harness = Harness::new(FirstRun::Active).await;
            let mut truth = past_and_present();
            harness.poll_from(before.source(), before.page(&truth)).await;
            harness.new_events();
            truth.insert(0, fresh("x", -5));
            harness.poll_from(after.source(), after.page(&truth)).await;
            let emitted = harness.short();
            assert_eq!(emitted[0], "incident B-x investigating backfill: New: x.", "{emitted:?}");
            assert!(emitted.len() == 2 && emitted[1].starts_with("provider "), "{emitted:?}");
            // A longer history than was ever listed is not new.
            let mut deeper = truth.clone();
            deeper.push(incident(
                "d",
                vec![update("1", IncidentStatus::Resolved, -9000, "Long ago.")],
            ));
            harness.poll_from(before.source(), before.page(&deeper)).await;
            assert_eq!(harness.short(), [""; 0]);
        });
    }
}

/// Texts that another platform renders differently are matched by position.
#[test]
fn a_different_rendering_is_not_new_but_what_follows_is() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let (before, after) = (Naming::Api("A"), Naming::Feed("B"));
        let mut truth = past_and_present();
        harness.poll_from(before.source(), before.page(&truth)).await;
        harness.new_events();
        for incident in &mut truth {
            for update in &mut incident.updates {
                update.text.push_str(" (Europe)");
            }
        }
        truth[0].updates.push(update("3", IncidentStatus::Monitoring, 1, "Watching."));
        truth[0].status = IncidentStatus::Monitoring;
        harness.poll_from(after.source(), after.page(&truth)).await;
        let emitted = harness.short();
        assert_eq!(emitted[0], "incident B-a monitoring: Watching.");
        assert!(emitted.len() == 2 && emitted[1].starts_with("provider "), "{emitted:?}");
    });
}

/// Incidents with the same title and text, a day apart: the new one is not mistaken for the old
/// one.
#[test]
fn a_new_incident_with_the_text_of_an_old_one_is_reported_in_a_move() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let (before, after) = (Naming::Api("A"), Naming::Api("B"));
        let errors = |id: &str, minute: i64, over: bool| {
            let mut updates =
                vec![update("1", IncidentStatus::Investigating, minute, "We are investigating.")];
            if over {
                updates.push(update("2", IncidentStatus::Resolved, minute + 30, "It is resolved."));
            }
            Incident {
                title: "API errors".to_owned(),
                started_at: Some(at(minute)),
                ..incident(id, updates)
            }
        };
        let mut truth =
            vec![errors("1", -300, true), errors("2", -900, true), past("p"), past("q")];
        harness.poll(before.page(&truth)).await;
        harness.new_events();
        truth.insert(0, errors("3", -1, false));
        harness.poll(after.page(&truth)).await;
        let emitted = harness.short();
        assert_eq!(emitted[0], "incident B-3 investigating backfill: We are investigating.");
        assert!(emitted.len() == 2 && emitted[1].starts_with("provider "), "{emitted:?}");
    });
}

#[test]
fn a_page_with_new_ids_at_every_request_emits_one_provider_event() {
    // Two sets of ids, two platforms, and ids made for each request.
    let two_sets = [Naming::Api("A"), Naming::Api("B")];
    let two_platforms = [Naming::Api("A"), Naming::Feed("B")];
    let ever_new: Vec<Naming> =
        (0..24).map(|n| Naming::Api(Box::leak(format!("N{n}").into_boxed_str()))).collect();
    for namings in [&two_sets[..], &two_platforms[..], &ever_new[..]] {
        run_system(async {
            let mut harness = Harness::new(FirstRun::Active).await;
            let mut truth = past_and_present();
            harness.poll_from(namings[0].source(), namings[0].page(&truth)).await;
            harness.new_events();
            let mut emitted = Vec::new();
            for (n, naming) in namings.iter().cycle().skip(1).take(24).enumerate() {
                let minute = n as i64 + 1;
                if n == 7 {
                    truth[0].updates.push(update(
                        "3",
                        IncidentStatus::Monitoring,
                        minute,
                        "Watching.",
                    ));
                    truth[0].status = IncidentStatus::Monitoring;
                }
                if n == 12 {
                    truth.insert(0, fresh("x", minute));
                }
                harness.poll_from(naming.source(), naming.page(&truth)).await;
                emitted.extend(harness.short());
            }
            let (moves, new_events): (Vec<_>, Vec<_>) =
                emitted.into_iter().partition(|line| line.starts_with("provider"));
            assert_eq!(moves.len(), 1, "{moves:?}");
            let texts: Vec<_> = new_events
                .iter()
                .map(|line| line.split_once(": ").map_or("", |(_, text)| text))
                .collect();
            assert_eq!(texts, ["Watching.", "New: x."], "{namings:?}: {new_events:?}");
            let rows = Reader::open(harness.dir.path()).unwrap().providers().unwrap();
            let suspect = rows[0].suspect.clone().unwrap_or_default();
            assert!(suspect.contains("back and forth"), "{suspect:?}");
            let db = rusqlite::Connection::open(harness.dir.path().join("ledger.db")).unwrap();
            let items: i64 =
                db.query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap();
            assert!(items <= 5 * 8, "{items} items are remembered of 5 incidents");
        });
    }
}

/// One poll of a page: which of four sets of ids it uses, what was written since the last poll
/// (nothing, a note on an open incident, or a new incident), and how far back it is dated.
fn steps() -> impl Strategy<Value = Vec<(usize, u8, usize, i64)>> {
    let back = prop_oneof![Just(0_i64), Just(2), Just(5000)];
    prop::collection::vec((0..4_usize, 0..3_u8, 0..4_usize, back), 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens to ids and dates, each text is reported once.
    #[test]
    fn changes_of_ids_lose_no_update(steps in steps()) {
        let namings =
            [Naming::Api("A"), Naming::Api("B"), Naming::Feed("C"), Naming::Feed("D")];
        let mut wrong = None;
        run_system(async {
            let mut harness = Harness::new(FirstRun::Active).await;
            let mut truth = past_and_present();
            harness.poll_from(namings[0].source(), namings[0].page(&truth)).await;
            harness.new_events();
            let mut owed = Vec::new();
            for (n, (naming, what, whom, back)) in steps.iter().enumerate() {
                let (naming, minute) = (namings[*naming], n as i64 + 1 - back);
                let text = format!("Note {n}.");
                let note = update(&format!("n{n}"), IncidentStatus::Monitoring, minute, &text);
                match what {
                    0 => {}
                    1 => {
                        let open = truth.iter_mut().filter(|one| !one.status.is_over());
                        let mut open: Vec<_> = open.collect();
                        let place = whom % open.len();
                        open[place].updates.push(note);
                        open[place].status = IncidentStatus::Monitoring;
                        owed.push(text);
                    }
                    _ => {
                        truth.insert(0, incident(&format!("i{n}"), vec![note]));
                        owed.push(text);
                    }
                }
                harness.poll_from(naming.source(), naming.page(&truth)).await;
                let reported = harness.new_events();
                let mut texts: Vec<_> = reported
                    .iter()
                    .filter(|event| event.kind == Kind::Incident)
                    .map(|event| event.message.clone().unwrap_or_else(|| event.status.to_string()))
                    .collect();
                texts.sort();
                if texts != owed && wrong.is_none() {
                    wrong = Some(format!("step {n}: owed {owed:?}, reported {texts:?}"));
                }
                owed.clear();
            }
            let dropped = Reader::open(harness.dir.path()).unwrap().providers().unwrap()[0].dropped_events;
            if dropped > 0 {
                wrong = Some(format!("{dropped} dropped"));
            }
        });
        prop_assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}

#[test]
fn after_a_stable_day_the_next_change_of_ids_is_reported() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let truth = past_and_present();
        for naming in [Naming::Api("A"), Naming::Api("B"), Naming::Api("A")] {
            harness.poll(naming.page(&truth)).await;
        }
        assert_eq!(harness.short().len(), 2, "the incident and one change of ids");
        harness.clock += chrono::Duration::days(2);
        harness.poll(Naming::Api("B").page(&truth)).await;
        let emitted = harness.short();
        assert!(emitted.len() == 1 && emitted[0].starts_with("provider "), "{emitted:?}");
    });
}

#[test]
fn components_keep_their_state_through_a_change_of_ids() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let truth = past_and_present();
        let with = |naming: Naming, id: &str, status| {
            let mut page = naming.page(&truth);
            page.components = vec![super::identity::part(Some(id), None, "API", status)];
            page
        };
        let (up, down) = (ComponentStatus::Operational, ComponentStatus::MajorOutage);
        harness.poll(with(Naming::Api("A"), "1", up)).await;
        harness.poll(with(Naming::Api("A"), "1", down)).await;
        harness.new_events();
        harness.poll(with(Naming::Api("B"), "2", down)).await;
        harness.poll(with(Naming::Api("B"), "2", up)).await;
        harness.poll(with(Naming::Api("A"), "1", down)).await;
        let changes: Vec<_> = harness
            .new_events()
            .into_iter()
            .filter(|event| event.kind == Kind::Component)
            .map(|event| (event.previous_status, event.status))
            .collect();
        let (up, down) = (Status::from(up), Status::from(down));
        assert_eq!(changes, [(Some(down), up), (Some(up), down)]);
    });
}

#[test]
fn an_old_item_resurfacing_in_a_feed_is_not_new() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        // After its items were published.
        harness.clock = at(400_000);
        for snapshot in recorded("old-item-slides-back", "feed") {
            harness.poll_from("feed", snapshot).await;
        }
        assert_eq!(harness.short(), [""; 0]);
        // One more than was removed: someone added it; a new item is new as always.
        let mut page = recorded("old-item-slides-back", "feed").pop().unwrap();
        let mut older = page.incidents[2].clone();
        older.id = "older".to_owned();
        older.updates[0].published_at = Some(at(-900_000));
        page.incidents.push(older.clone());
        older.id = "oldest".to_owned();
        older.updates[0].published_at = Some(at(-1_000_000));
        page.incidents.push(older);
        let mut new_events = page.incidents[0].clone();
        new_events.id = "new".to_owned();
        new_events.updates[0].published_at = Some(harness.clock);
        page.incidents.insert(0, new_events);
        harness.poll_from("feed", page).await;
        let emitted = harness.short();
        assert_eq!(
            emitted.iter().filter(|line| line.contains(" backfill")).count(),
            2,
            "{emitted:?}"
        );
        assert_eq!(emitted.len(), 3, "{emitted:?}");
    });
}
