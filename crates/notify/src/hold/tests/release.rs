//! What people read when a hold ends.

use std::time::Duration;

use chrono::NaiveTime;
use statuswatch_model::event::{
    ComponentStatus, Impact, IncidentStatus, ProviderStatus, Status, StatusEvent,
};
use statuswatch_model::zone::Zone;

use super::{chat, component, incident, minutes, provider, start, time};
use crate::channel::Audience;
use crate::hold::{
    COALESCE_AFTER, Coalesced, Due, Fate, Held, HoldReason, MAX_ENTRIES, Message, Present, Release,
    Waiting, coalesce, release, thread_of, unstable,
};
use crate::notification::{Content, Custom, Notification, Phase, Summary};
use crate::policy::{Digest, Policy, QuietHours};
use crate::text::Layout;

type Before = Option<(Status, Impact)>;

/// An update of the incident `id` of `provider`, published so many minutes after the start.
fn update(
    seq: u64,
    (provider, id): (&str, &str),
    minute: i64,
    now: (Status, Impact),
    before: Before,
) -> StatusEvent {
    StatusEvent {
        provider: provider.to_lowercase(),
        provider_name: provider.into(),
        incident_id: Some(id.into()),
        title: format!("Errors of {id}"),
        url: Some(format!("https://status.example/{id}")),
        ..incident(seq, start() + minutes(minute), now, before)
    }
}

const OPEN: (Status, Impact) = (Status::Incident(IncidentStatus::Investigating), Impact::Minor);
const FOUND: (Status, Impact) = (Status::Incident(IncidentStatus::Identified), Impact::Major);
const OVER: (Status, Impact) = (Status::Incident(IncidentStatus::Resolved), Impact::None);

/// Two incidents that are open, and one that came and went.
fn updates() -> Vec<StatusEvent> {
    vec![
        update(1, ("Acme", "labels"), 0, OPEN, None),
        update(2, ("Bolt", "rides"), 1, OPEN, None),
        update(3, ("Acme", "mail"), 2, OPEN, None),
        update(4, ("Acme", "labels"), 3, FOUND, Some(OPEN)),
        update(5, ("Acme", "mail"), 9, OVER, Some(OPEN)),
    ]
}

fn policy() -> Policy {
    Policy {
        digest: Some(Digest { every: Duration::from_mins(15), immediate: None }),
        storm: Some(10),
        cap: Some(20),
        ..chat()
    }
}

fn due(reason: HoldReason, policy: &Policy) -> Due<'_> {
    Due {
        reason,
        channel: "ops",
        policy,
        quiet_hours: &[],
        due_at: time("2026-03-03T10:15:00Z"),
        not_running: None,
        now: time("2026-03-03T10:15:00Z"),
    }
}

/// Releases rows whose threads were sent up to `sent` and stand where the last of them is.
fn released(due: &Due<'_>, events: &[StatusEvent], sent: Option<u64>) -> Release {
    let held: Vec<Held> = events
        .iter()
        .map(|event| Held { event: event.clone(), thread: thread_of(event) })
        .collect();
    let present = |thread: &str| {
        let event = &held.iter().rfind(|row| row.thread == thread)?.event;
        Some(Present { event, sent, notified: sent.is_some() })
    };
    release(due, &held, &present)
}

fn text(summary: &Summary) -> String {
    let layout = Layout::new(&Notification {
        delivery_id: "",
        thread: "",
        content: Content::Summary(summary),
        phase: Phase::Update,
        late: None,
        skipped: 0,
        open_since: None,
        reference: None,
        custom: Custom::default(),
        now: start(),
    });
    format!("{}\n{}", layout.title, layout.text())
}

/// What the reader is sent, one paragraph per message.
fn read(release: &Release) -> String {
    let message = |message: &Message| match message {
        Message::One { event, skipped } => format!("{} {} +{skipped}", event.seq, event.status),
        Message::Summary(summary) => text(summary),
    };
    release.messages.iter().map(message).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn a_digest_says_where_each_thread_stands() {
    let policy = policy();
    let release = released(&due(HoldReason::Digest, &policy), &updates(), None);
    insta::assert_snapshot!(read(&release), @"
    2 incidents open (1 major), 1 ended
    Updates from 10:00 to 10:15 UTC.
    • Acme: Errors of labels (Investigating → Identified, major, 2 updates) https://status.example/labels
    • Bolt: Errors of rides (Investigating, minor) https://status.example/rides
    ✓ Acme: Errors of mail, lasted 7 min (Investigating → Resolved, 2 updates) https://status.example/mail
    ");
    assert_eq!(release.fates, (1..=5).map(|seq| (seq, Fate::Summarized)).collect::<Vec<_>>());
    assert_eq!(released(&due(HoldReason::Digest, &policy), &[], None), Release::default());
}

#[test]
fn a_digest_that_is_late_says_why() {
    let policy = policy();
    let due = Due {
        not_running: Some((time("2026-03-03T10:03:00Z"), time("2026-03-03T10:40:00Z"))),
        now: time("2026-03-03T10:40:00Z"),
        ..due(HoldReason::Digest, &policy)
    };
    insta::assert_snapshot!(read(&released(&due, &updates()[..1], None)), @r"
    1 incident open
    Updates from 10:00 to 10:15 UTC. Delayed: statuswatch was not running from 10:03 to 10:40 UTC.
    • Acme: Errors of labels (Investigating, minor) https://status.example/labels
    ");
    let next_day = Due { now: time("2026-03-04T08:00:00Z"), ..due };
    insta::assert_snapshot!(read(&released(&next_day, &updates()[..1], None)), @r"
    1 incident open
    Updates from 2026-03-03 10:00 to 2026-03-03 10:15 UTC. Delayed: statuswatch was not running from 2026-03-03 10:03 to 2026-03-03 10:40 UTC.
    • Acme: Errors of labels (Investigating, minor) https://status.example/labels
    ");
    let before = Due { not_running: Some((start(), start())), ..due };
    assert!(!read(&released(&before, &updates()[..1], None)).contains("Delayed"));
}

#[test]
fn a_digest_leaves_out_what_was_sent_at_once_in_the_meantime() {
    let policy = policy();
    let rows = [updates()[0].clone()];
    let release = released(&due(HoldReason::Digest, &policy), &rows, Some(4));
    assert_eq!(release.messages, []);
    assert_eq!(release.fates, [(1, Fate::Superseded { by: 4 })]);
}

#[test]
fn quiet_hours_end_with_what_is_open_and_a_line_for_what_came_and_went() {
    let policy = policy();
    let clock = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    let quiet = [QuietHours {
        channels: Vec::new(),
        from: clock(22, 0),
        to: clock(11, 15),
        days: Vec::new(),
        zone: Zone::named("Europe/Berlin").unwrap(),
        pass: None,
    }];
    let due = Due { quiet_hours: &quiet, ..due(HoldReason::QuietHours, &policy) };
    insta::assert_snapshot!(read(&released(&due, &updates(), None)), @"
    2 incidents open (1 major), 1 ended
    Quiet hours ended at 11:15 (Europe/Berlin).
    • Acme: Errors of labels (Investigating → Identified, major, 2 updates) https://status.example/labels
    • Bolt: Errors of rides (Investigating, minor) https://status.example/rides
    ✓ Acme: Errors of mail, lasted 7 min (Investigating → Resolved, 2 updates) https://status.example/mail
    ");
    // After a change of the configuration nobody knows which they were.
    let changed = Due { quiet_hours: &[], ..due };
    insta::assert_snapshot!(read(&released(&changed, &updates()[1..2], None)), @r"
    1 incident open
    Quiet hours have ended.
    • Bolt: Errors of rides (Investigating, minor) https://status.example/rides
    ");
    // A pager gets each thread that is open by itself, and nothing about the rest.
    let pager = Policy::new(Audience::Pager);
    let release = released(&Due { policy: &pager, ..due }, &updates(), None);
    assert_eq!(read(&release).lines().filter(|line| !line.is_empty()).count(), 2);
    assert!(read(&release).contains("4 identified +1") && read(&release).contains("2 inv"));
    assert_eq!(release.fates[2], (3, Fate::Returned));
    assert_eq!(release.fates[4], (5, Fate::Returned));
}

#[test]
fn a_storm_and_a_cap_say_what_they_are() {
    let policy = policy();
    let storm = released(&due(HoldReason::Storm, &policy), &updates()[..2], None);
    insta::assert_snapshot!(read(&storm), @r"
    2 incidents open
    More than 10 providers reported a problem within 2 min. Those below were not sent one by one.
    • Acme: Errors of labels (Investigating, minor) https://status.example/labels
    • Bolt: Errors of rides (Investigating, minor) https://status.example/rides
    ");
    let cap = released(&due(HoldReason::Cap, &policy), &updates()[1..2], None);
    insta::assert_snapshot!(read(&cap), @r"
    1 incident open
    This channel has had its 20 messages of the hour. Those below were not sent one by one.
    • Bolt: Errors of rides (Investigating, minor) https://status.example/rides
    ");
}

#[test]
fn a_summary_is_bounded() {
    let policy = policy();
    let event = |seq: u64| update(seq, ("Acme", &seq.to_string()), 0, OPEN, None);
    let events: Vec<StatusEvent> = (1..=60).map(event).collect();
    let release = released(&due(HoldReason::Digest, &policy), &events, None);
    let Some(Message::Summary(summary)) = release.messages.first() else { panic!() };
    assert_eq!((summary.entries.len(), summary.omitted), (MAX_ENTRIES, 10));
    assert_eq!(release.fates.len(), 60);
    // The title counts all of them, and what is left out is said before the list, which may be cut.
    assert_eq!(summary.omitted_open, 10);
    let text = text(summary);
    let lines: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(lines[0], "60 incidents open");
    assert!(lines[2].starts_with("The worst 50 are listed."), "{text}");
}

#[test]
fn after_a_mute_each_open_thread_is_sent_as_it_is() {
    let policy = policy();
    let due = due(HoldReason::Mute, &policy);
    let release = released(&due, &updates(), None);
    let mut sent: Vec<u64> = release
        .messages
        .iter()
        .map(|message| match message {
            Message::One { event, .. } => event.seq,
            Message::Summary(_) => panic!(),
        })
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, [2, 4]);
    assert_eq!(release.fates[0], (1, Fate::Superseded { by: 4 }));
    assert_eq!(release.fates[4], (5, Fate::Returned));
    // What was added after the end is sent.
    let report = update(
        9,
        ("Acme", "mail"),
        30,
        (IncidentStatus::Postmortem.into(), Impact::None),
        Some(OVER),
    );
    assert_eq!(read(&released(&due, &[report], Some(5))), "9 postmortem +0");
}

#[test]
fn a_state_that_did_not_last_is_not_sent() {
    use ComponentStatus::{DegradedPerformance as Slow, MajorOutage as Down, Operational as Up};
    let policy = policy();
    let settle = due(HoldReason::Settle, &policy);
    let state = |seq, before, now| component(seq, start(), now, before);
    let up_down_up = vec![state(1, Some(Up), Down), state(2, Some(Down), Up)];
    let slow_down_slow = vec![state(1, Some(Slow), Down), state(2, Some(Down), Slow)];
    // The reader was notified of the state before, or was not.
    for (rows, sent, expected) in [
        (vec![state(1, Some(Up), Down)], None, "1 major_outage +0"),
        (
            vec![state(1, Some(Up), Down), state(2, Some(Down), Slow)],
            None,
            "2 degraded_performance +1",
        ),
        (up_down_up.clone(), None, ""),
        (vec![state(1, None, Down), state(2, Some(Down), Up)], None, ""),
        (slow_down_slow.clone(), Some(0), ""),
        (slow_down_slow, None, "2 degraded_performance +1"),
        (up_down_up, Some(0), "2 operational +1"),
    ] {
        let release = released(&settle, &rows, sent);
        assert_eq!(read(&release), expected);
        assert_eq!(release.fates.len(), rows.len());
    }
    let reachable = provider(
        2,
        start(),
        ProviderStatus::Reachable.into(),
        Some(ProviderStatus::Unreachable.into()),
    );
    assert_eq!(
        read(&released(&settle, std::slice::from_ref(&reachable), Some(1))),
        "2 reachable +0"
    );
    // Unreachable again, which was sent at once.
    let release = released(&settle, &[reachable], Some(3));
    assert_eq!(release.fates, [(2, Fate::Superseded { by: 3 })]);
}

#[test]
fn an_unstable_state_is_reported_once_and_sent_when_it_is_calm() {
    let event =
        component(3, start(), ComponentStatus::MajorOutage, Some(ComponentStatus::Operational));
    insta::assert_snapshot!(text(&unstable(&event)), @r"
    Acme Cloud: API is unstable
    The state changed 3 times within an hour. The next message follows when it has not changed for 15 min.
    • Acme Cloud: API (Operational → Major outage, critical, 3 updates) https://status.acme.example/incidents/01ABC
    ");
    let policy = policy();
    let release = released(&due(HoldReason::Unstable, &policy), &[event], Some(2));
    assert_eq!(read(&release), "3 major_outage +0");
}

#[test]
fn of_several_edits_the_latest_is_sent() {
    let policy = policy();
    let edit = |seq| StatusEvent {
        revision: seq as u32,
        ..update(seq, ("Acme", "labels"), seq as i64, OPEN, Some(OPEN))
    };
    let release = released(&due(HoldReason::Edits, &policy), &[edit(2), edit(3), edit(4)], Some(1));
    assert_eq!(read(&release), "4 investigating +2");
}

#[test]
fn after_a_long_outage_only_the_newest_state_is_sent() {
    let at = |seq, is_end| Waiting { seq, is_end };
    let all = [at(1, false), at(2, false), at(3, true), at(4, false), at(5, false), at(6, false)];
    let late = COALESCE_AFTER + Duration::from_secs(1);
    let keep = |audience, count, oldest, notified| {
        let Coalesced { keep, drop } = coalesce(audience, &all[..count], oldest, notified);
        assert_eq!(keep.len() + drop.len(), count);
        assert_eq!(keep.iter().map(|(_, skipped)| *skipped as usize).sum::<usize>(), drop.len());
        for (seq, by) in drop {
            assert!(by > seq && keep.iter().any(|(kept, _)| *kept == by));
        }
        keep
    };
    let (chat, pager, machine) = (Audience::Chat, Audience::Pager, Audience::Machine);
    assert_eq!(keep(chat, 3, late, false), [(3, 2)]);
    assert_eq!(keep(chat, 6, late, true), [(6, 5)]);
    assert_eq!(keep(chat, 1, late, true), [(1, 0)]);
    assert_eq!(keep(chat, 0, late, true), []);
    assert_eq!(keep(chat, 3, COALESCE_AFTER, true).len(), 3);
    assert_eq!(keep(machine, 6, late, true).len(), 6);
    assert_eq!(keep(pager, 3, late, false), [(1, 0), (3, 1)]);
    assert_eq!(keep(pager, 3, late, true), [(3, 2)]);
    assert_eq!(keep(pager, 6, late, false), [(1, 0), (3, 1), (4, 0), (6, 1)]);
    assert_eq!(keep(pager, 2, late, false), [(1, 0), (2, 0)]);
}
