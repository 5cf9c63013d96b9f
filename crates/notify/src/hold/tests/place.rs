//! Each rule by itself, what passes it, and which of two wins.

use std::time::Duration;

use chrono::NaiveTime;
use statuswatch_model::event::{
    ComponentStatus, Impact, IncidentStatus, ProviderStatus, Status, StatusEvent, Time,
};
use statuswatch_model::zone::Zone;

use super::{chat, component, incident, minutes, provider, start, time};
use crate::channel::Audience;
use crate::hold::{CALM, window_end};
use crate::hold::{Facts, HoldReason, Muted, Notified, Placement, place, place_again};
use crate::policy::{Digest, Policy, QuietHours};

fn opening(impact: Impact) -> StatusEvent {
    incident(1, start(), (IncidentStatus::Investigating.into(), impact), None)
}

fn end(impact: Impact) -> StatusEvent {
    incident(
        3,
        start(),
        (IncidentStatus::Resolved.into(), Impact::None),
        Some((IncidentStatus::Investigating.into(), impact)),
    )
}

fn down() -> StatusEvent {
    component(4, start(), ComponentStatus::DegradedPerformance, Some(ComponentStatus::Operational))
}

fn unreachable() -> StatusEvent {
    provider(5, start(), ProviderStatus::Unreachable.into(), Some(ProviderStatus::Reachable.into()))
}

fn pager() -> Policy {
    Policy { settle: Duration::from_mins(2), ..Policy::new(Audience::Pager) }
}

fn digest(immediate: Option<Impact>) -> Digest {
    Digest { every: Duration::from_mins(15), immediate }
}

fn notified() -> Notified {
    Notified { at: start() - minutes(5), worst: Impact::Minor }
}

/// Quiet hours from 10:00 to 11:00.
fn quiet(pass: Option<Impact>, channels: &[&str]) -> Vec<QuietHours> {
    let clock = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    vec![QuietHours {
        channels: channels.iter().map(|id| (*id).to_owned()).collect(),
        from: clock(10),
        to: clock(11),
        days: Vec::new(),
        zone: Zone::UTC,
        pass,
    }]
}

fn hold(reason: HoldReason, until: Time) -> Placement {
    Placement::Hold { reason, until: Some(until) }
}

fn facts() -> Facts<'static> {
    Facts::new(start())
}

#[test]
fn nothing_holds_without_a_reason() {
    for event in [opening(Impact::Minor), end(Impact::Minor), down(), unreachable()] {
        for audience in [Audience::Chat, Audience::Pager, Audience::Machine] {
            let policy = Policy::new(audience);
            assert_eq!(place(&event, "ops", &policy, &facts()), Placement::Now);
        }
    }
}

#[test]
fn a_mute_holds_all_but_the_end_of_what_was_sent() {
    let until = start() + minutes(120);
    let muted = Facts { mute: Some(Muted::Until(until)), ..facts() };
    let open_end = Facts { mute: Some(Muted::UntilResolved), ..facts() };
    let known = Facts { notified: Some(notified()), ..muted };
    let critical = opening(Impact::Critical);
    for policy in [chat(), pager()] {
        assert_eq!(place(&critical, "ops", &policy, &muted), hold(HoldReason::Mute, until));
        assert_eq!(place(&unreachable(), "ops", &policy, &muted), hold(HoldReason::Mute, until));
        let open = Placement::Hold { reason: HoldReason::Mute, until: None };
        assert_eq!(place(&critical, "ops", &policy, &open_end), open);
        assert_eq!(place(&end(Impact::Minor), "ops", &policy, &known), Placement::Now);
    }
    let machine = Policy::new(Audience::Machine);
    assert_eq!(place(&critical, "ops", &machine, &muted), Placement::Now);
}

#[test]
fn quiet_hours_hold_what_does_not_pass() {
    let seven = start() + minutes(58);
    let (all, strict) = (quiet(Some(Impact::Major), &[]), quiet(None, &[]));
    let facts = Facts { quiet_hours: &all, ..facts() };
    let policy = Policy { digest: Some(digest(None)), ..chat() };
    for (event, expected) in [
        (opening(Impact::Minor), hold(HoldReason::QuietHours, seven)),
        (opening(Impact::Unknown), hold(HoldReason::QuietHours, seven)),
        // What passes is not collected either; its end passes as well.
        (opening(Impact::Major), Placement::Now),
        (end(Impact::Critical), Placement::Now),
        (unreachable(), Placement::Now),
    ] {
        assert_eq!(place(&event, "ops", &policy, &facts), expected, "{event:?}");
    }
    // They have a threshold of their own.
    let facts = Facts { quiet_hours: &strict, ..facts };
    let immediate = Policy { digest: Some(digest(Some(Impact::Minor))), ..chat() };
    let critical = opening(Impact::Critical);
    assert_eq!(place(&critical, "ops", &immediate, &facts), hold(HoldReason::QuietHours, seven));
    // A pager is quiet only if it is named, and then its ends are not held.
    assert_eq!(place(&critical, "pager", &pager(), &facts), Placement::Now);
    let named = quiet(None, &["pager"]);
    let facts = Facts { quiet_hours: &named, ..facts };
    assert_eq!(place(&critical, "pager", &pager(), &facts), hold(HoldReason::QuietHours, seven));
    let facts = Facts { notified: Some(notified()), ..facts };
    assert_eq!(place(&end(Impact::Major), "pager", &pager(), &facts), Placement::Now);
}

#[test]
fn a_digest_collects_what_is_not_immediate() {
    let window = time("2026-03-03T10:15:00Z");
    let policy = Policy { digest: Some(digest(Some(Impact::Major))), ..chat() };
    let risen = incident(
        2,
        start(),
        (IncidentStatus::Identified.into(), Impact::Major),
        Some((IncidentStatus::Investigating.into(), Impact::Minor)),
    );
    for (event, expected) in [
        (opening(Impact::Minor), hold(HoldReason::Digest, window)),
        (risen, Placement::Now),
        (end(Impact::Major), Placement::Now),
        (end(Impact::Minor), hold(HoldReason::Digest, window)),
        (unreachable(), Placement::Now),
    ] {
        assert_eq!(place(&event, "ops", &policy, &facts()), expected, "{event:?}");
    }
}

#[test]
fn windows_are_aligned_to_midnight() {
    for (now, every, end) in [
        ("2026-03-03T10:02:00Z", 15, "2026-03-03T10:15:00Z"),
        ("2026-03-03T10:15:00Z", 15, "2026-03-03T10:30:00Z"),
        ("2026-03-03T10:14:59.9Z", 15, "2026-03-03T10:15:00Z"),
        ("2026-03-03T23:10:00Z", 7 * 60, "2026-03-04T00:00:00Z"),
        ("2026-03-03T23:10:00Z", 24 * 60, "2026-03-04T00:00:00Z"),
    ] {
        assert_eq!(window_end(time(now), Duration::from_mins(every)), time(end), "{now} {every}");
    }
}

#[test]
fn a_storm_is_one_message() {
    let policy = Policy { storm: Some(10), ..chat() };
    let until = start() + minutes(2);
    let begun = Facts { openings: 11, ..facts() };
    let going_on = Facts { storm_until: Some(start() + minutes(1)), ..facts() };
    let at = |event: &StatusEvent, facts: &Facts<'_>| place(event, "ops", &policy, facts);
    let minor = opening(Impact::Minor);
    assert_eq!(at(&minor, &Facts { openings: 10, ..facts() }), Placement::Now);
    assert_eq!(at(&minor, &begun), hold(HoldReason::Storm, until));
    assert_eq!(at(&end(Impact::Minor), &begun), Placement::Now);
    assert_eq!(at(&end(Impact::Minor), &going_on), hold(HoldReason::Storm, start() + minutes(1)));
    assert_eq!(at(&minor, &Facts { notified: Some(notified()), ..going_on }), Placement::Now);
    assert_eq!(at(&unreachable(), &begun), Placement::Now);
    assert_eq!(at(&minor, &Facts { storm_until: Some(start()), ..facts() }), Placement::Now);
    assert_eq!(place(&minor, "pager", &pager(), &begun), Placement::Now);
}

#[test]
fn what_was_summed_up_is_not_followed_by_one_message_each() {
    let policy = Policy { storm: Some(10), ..chat() };
    let at = |event: &StatusEvent, facts: &Facts<'_>| place(event, "ops", &policy, facts);
    let known = Facts { notified: Some(notified()), summed_up: true, backlog: 11, ..facts() };
    let until = hold(HoldReason::Storm, start() + minutes(2));
    for event in [opening(Impact::Minor), end(Impact::Minor)] {
        assert_eq!(at(&event, &known), until);
        assert_eq!(at(&event, &Facts { backlog: 10, ..known }), Placement::Now);
        // Whoever was sent a message of its own gets the next one, too.
        assert_eq!(at(&event, &Facts { summed_up: false, ..known }), Placement::Now);
        let running = Facts { storm_until: Some(start() + minutes(1)), ..known };
        assert_eq!(at(&event, &running), hold(HoldReason::Storm, start() + minutes(1)));
        assert_eq!(place(&event, "pager", &pager(), &known), Placement::Now);
    }
    assert_eq!(at(&unreachable(), &known), Placement::Now);
}

#[test]
fn states_settle_and_written_updates_do_not() {
    let policy = Policy { settle: Duration::from_mins(2), ..chat() };
    let until = start() + minutes(2);
    let reachable = provider(
        6,
        start(),
        ProviderStatus::Reachable.into(),
        Some(ProviderStatus::Unreachable.into()),
    );
    let moved = provider(
        7,
        start(),
        ProviderStatus::Reachable.into(),
        Some(ProviderStatus::Reachable.into()),
    );
    for (event, expected) in [
        (down(), hold(HoldReason::Settle, until)),
        (reachable.clone(), hold(HoldReason::Settle, until)),
        (moved, Placement::Now),
        (unreachable(), Placement::Now),
        (opening(Impact::Minor), Placement::Now),
    ] {
        assert_eq!(place(&event, "ops", &policy, &facts()), expected, "{event:?}");
    }
    let urgent = Policy { digest: Some(digest(Some(Impact::Minor))), ..policy };
    assert_eq!(place(&down(), "ops", &urgent, &facts()), Placement::Now);
    assert_eq!(place(&down(), "pager", &pager(), &facts()), hold(HoldReason::Settle, until));
    let known = Facts { notified: Some(notified()), ..facts() };
    assert_eq!(place(&reachable, "pager", &pager(), &known), Placement::Now);
}

#[test]
fn the_third_change_within_an_hour_is_unstable_until_it_is_calm() {
    let policy = Policy { settle: Duration::from_mins(2), ..chat() };
    let calm = start() + minutes(15);
    let at = |minute: i64| start() - minutes(minute);
    let with = |changes: &[Time], unstable_until: Option<Time>| {
        let facts = Facts { changes, unstable_until, notified: Some(notified()), ..facts() };
        place(&down(), "ops", &policy, &facts)
    };
    let settles = hold(HoldReason::Settle, start() + minutes(2));
    assert_eq!(with(&[at(30)], None), settles);
    assert_eq!(with(&[at(60), at(30)], None), settles);
    assert_eq!(with(&[at(59), at(30)], None), Placement::Unstable { until: calm });
    // From then on it is silent, until it was calm; then it begins anew.
    let silent = hold(HoldReason::Unstable, start() + minutes(15));
    assert_eq!(with(&[at(59), at(30), at(1)], Some(start() + minutes(14))), silent);
    assert_eq!(with(&[at(59), at(40), at(30), at(16)], None), settles);
    assert_eq!(
        with(&[at(59), at(40), at(30), at(16), at(2)], None),
        Placement::Unstable { until: calm }
    );
    assert_eq!(CALM, Duration::from_mins(15));
    // Worse than all that was sent, and urgent.
    let policy = Policy { digest: Some(digest(Some(Impact::Critical))), ..policy };
    let unstable = Facts { unstable_until: Some(start() + minutes(14)), ..facts() };
    let outage = component(8, start(), ComponentStatus::MajorOutage, None);
    let after = |worst| {
        let notified = Some(Notified { at: start(), worst });
        place(&outage, "ops", &policy, &Facts { notified, ..unstable })
    };
    assert_eq!(after(Impact::Major), Placement::Now);
    assert_eq!(after(Impact::Critical), silent);
}

#[test]
fn beyond_the_cap_messages_are_collected_and_ends_pass() {
    let policy = Policy { cap: Some(20), ..chat() };
    let full = Facts { sent_last_hour: 20, ..facts() };
    let at = |event: &StatusEvent, facts: &Facts<'_>| place(event, "ops", &policy, facts);
    let minor = opening(Impact::Minor);
    assert_eq!(at(&minor, &Facts { sent_last_hour: 19, ..facts() }), Placement::Now);
    assert_eq!(at(&minor, &full), hold(HoldReason::Cap, time("2026-03-03T11:00:00Z")));
    assert_eq!(
        at(&end(Impact::Minor), &Facts { notified: Some(notified()), ..full }),
        Placement::Now
    );
    assert_eq!(at(&unreachable(), &full), Placement::Now);
}

#[test]
fn edits_of_the_text_alone_are_limited() {
    let policy = Policy::new(Audience::Chat);
    let edit = |before: (Status, Impact)| StatusEvent {
        revision: 2,
        ..incident(9, start(), (IncidentStatus::Identified.into(), Impact::Minor), Some(before))
    };
    let same = edit((IncidentStatus::Identified.into(), Impact::Minor));
    let before = Facts { last_edit_at: Some(start() - minutes(4)), ..facts() };
    let at = |event: &StatusEvent, facts: &Facts<'_>| place(event, "ops", &policy, facts);
    assert_eq!(at(&same, &facts()), Placement::Now);
    assert_eq!(at(&same, &before), hold(HoldReason::Edits, start() + minutes(6)));
    let long_ago = Facts { last_edit_at: Some(start() - minutes(10)), ..facts() };
    assert_eq!(at(&same, &long_ago), Placement::Now);
    assert_eq!(
        at(&edit((IncidentStatus::Investigating.into(), Impact::Minor)), &before),
        Placement::Now
    );
    assert_eq!(
        at(&edit((IncidentStatus::Identified.into(), Impact::None)), &before),
        Placement::Now
    );
}

#[test]
fn the_stronger_reason_wins() {
    let quiet = quiet(None, &[]);
    let all = Policy {
        digest: Some(digest(None)),
        settle: Duration::from_mins(2),
        storm: Some(0),
        cap: Some(0),
        ..Policy::new(Audience::Chat)
    };
    let until = start() + minutes(1);
    let mut facts = Facts {
        mute: Some(Muted::Until(until)),
        quiet_hours: &quiet,
        openings: 1,
        last_edit_at: Some(start()),
        ..facts()
    };
    let edited =
        StatusEvent { revision: 2, previous_status: None, previous_impact: None, ..down() };
    let mut policy = all.clone();
    let mut order = Vec::new();
    while let Placement::Hold { reason, .. } = place(&edited, "ops", &policy, &facts) {
        order.push(reason);
        match reason {
            HoldReason::Mute => facts.mute = None,
            HoldReason::QuietHours => facts.quiet_hours = &[],
            HoldReason::Storm => policy.storm = None,
            HoldReason::Settle => policy.settle = Duration::ZERO,
            HoldReason::Digest => policy.digest = None,
            HoldReason::Cap => policy.cap = None,
            HoldReason::Edits => policy.edits = Duration::ZERO,
            HoldReason::Unstable => unreachable!(),
        }
        // Storms begin with an opening, which an edit is not.
        facts.storm_until = Some(until);
    }
    let expected = HoldReason::ALL.iter().filter(|reason| **reason != HoldReason::Unstable);
    assert_eq!(order, expected.copied().collect::<Vec<_>>());
}

#[test]
fn when_a_hold_ends_a_stronger_reason_takes_over() {
    let quiet = quiet(None, &[]);
    let policy = Policy { digest: Some(digest(None)), settle: Duration::from_mins(2), ..chat() };
    let again = |reason, facts: &Facts<'_>| place_again(reason, &down(), "ops", &policy, facts);
    let at_night = Facts { quiet_hours: &quiet, ..facts() };
    let morning = hold(HoldReason::QuietHours, start() + minutes(58));
    assert_eq!(again(HoldReason::Digest, &facts()), Placement::Now);
    assert_eq!(again(HoldReason::Digest, &at_night), morning);
    assert_eq!(again(HoldReason::Settle, &at_night), morning);
    let window = hold(HoldReason::Digest, time("2026-03-03T10:15:00Z"));
    assert_eq!(again(HoldReason::Settle, &facts()), window);
    let muted = Facts { mute: Some(Muted::UntilResolved), ..at_night };
    let until_resolved = Placement::Hold { reason: HoldReason::Mute, until: None };
    assert_eq!(again(HoldReason::QuietHours, &muted), until_resolved);
}

#[test]
fn reasons_are_stored_as_words() {
    for reason in HoldReason::ALL {
        assert_eq!(reason.as_str().parse(), Ok(*reason));
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
    assert!("".parse::<HoldReason>().is_err());
}
