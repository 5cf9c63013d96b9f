use statuswatch_notify::{Pace, Phase};

use super::*;
use crate::event::parse_time;
use crate::ledger::outbox::Payload;

fn lane(channel: &str) -> Lane {
    let text = format!("channels:\n  c: {{{channel}}}\nproviders: [github]\n");
    let loaded = crate::config::parse(std::path::Path::new("t.yaml"), &text, &|_| None).unwrap();
    let config = Arc::clone(&loaded.config.channels[0]);
    Lane::new(config, Instant::now(), now())
}

fn now() -> Time {
    parse_time("2026-11-27T10:00:00Z").unwrap()
}

fn row(id: MessageId, thread: &str) -> Waiting {
    Waiting {
        id,
        channel: "c".into(),
        thread: thread.into(),
        payload: Payload::Event(id as u64),
        key: id.to_string(),
        phase: Phase::Open,
        urgent: false,
        hold: None,
        at: now(),
        attempts: 0,
        first_attempt_at: None,
        next_at: None,
        in_doubt: false,
        plain: false,
        steps: None,
        skipped: 0,
    }
}

const HOOK: &str = "kind: webhook, url: \"http://127.0.0.1:1/\"";

#[test]
fn messages_of_a_thread_follow_one_another_and_others_pass() {
    let mut lane = lane(HOOK);
    let mono = Instant::now();
    lane.refill(vec![row(1, "a"), row(2, "a"), row(3, "b")], Instant::now(), now());
    assert_eq!(lane.next(mono, now()).unwrap().id, 1);
    assert_eq!(lane.next(mono, now()).unwrap().id, 3);
    assert!(lane.next(mono, now()).is_none());
    lane.landed(1, "a");
    assert_eq!(lane.next(mono, now()).unwrap().id, 2);
}

#[test]
fn a_message_is_followed_by_the_next_of_its_thread_in_the_order_of_routing() {
    let mut lane = lane(HOOK);
    let mono = Instant::now();
    assert!(lane.is_followed());
    let rows = (1..=QUEUE as i64).map(|id| row(id, &format!("thread {id}"))).collect();
    lane.refill(rows, Instant::now(), now());
    assert_eq!(lane.next(mono, now()).unwrap().id, 1);
    lane.followed_by(1, "thread 1", Some(row(1_000, "thread 1")));
    lane.followed_by(1, "thread 1", Some(row(1_000, "thread 1")));
    let rest: Vec<_> = std::iter::from_fn(|| lane.next(mono, now())).map(|row| row.id).collect();
    assert_eq!(rest, (2..=QUEUE as i64).chain([1_000]).collect::<Vec<_>>());
    assert!(!lane.wants_rows(Instant::now(), now()), "what is under way fills it");
}

#[test]
fn a_clock_that_was_ahead_makes_no_message_wait_longer() {
    let mut lane = lane(HOOK);
    let mono = Instant::now();
    let at = |seconds| Some(now() + chrono::TimeDelta::seconds(seconds));
    let ahead = Waiting { first_attempt_at: at(600), next_at: at(602), ..row(1, "a") };
    let ours = Waiting { first_attempt_at: at(-2), next_at: at(4), ..row(2, "b") };
    lane.refill(vec![ahead, ours], mono, now());
    assert!(lane.next(mono + Duration::from_secs(1), now()).is_none());
    let later = mono + Duration::from_secs(3);
    assert_eq!(lane.next(later, now()).unwrap().id, 1);
    assert!(lane.next(later, now()).is_none());
}

#[test]
fn messages_that_are_tried_again_later_keep_no_new_one_out() {
    let mut lane = lane(HOOK);
    let mono = Instant::now();
    let at = Some(now() + chrono::TimeDelta::minutes(10));
    let later = |id| Waiting { next_at: at, ..row(id, &format!("thread {id}")) };
    lane.refill((1..QUEUE as i64).map(later).collect(), mono, now());
    assert!(!lane.wants_rows(mono, now()), "it has all of them");
    lane.stale = true;
    assert!(lane.wants_rows(mono, now()), "another may be new");
}

#[test]
fn the_outbox_is_looked_through_after_many_followers() {
    let mut lane = lane(HOOK);
    let rows = (1..=QUEUE as i64).map(|id| row(id, &format!("thread {id}"))).collect();
    lane.refill(rows, Instant::now(), now());
    for id in 0..FOLLOWING as i64 {
        assert!(!lane.wants_rows(Instant::now(), now()));
        let taken = lane.next(Instant::now(), now()).unwrap();
        lane.followed_by(taken.id, &taken.thread, Some(row(1_000 + id, &taken.thread)));
    }
    assert!(lane.wants_rows(Instant::now(), now()), "other threads may have waited longer");
}

#[test]
fn one_that_is_tried_again_later_keeps_its_thread_back_and_no_other() {
    let (mut lane, mono) = (lane(HOOK), Instant::now());
    let later = Waiting { next_at: Some(now() + chrono::TimeDelta::minutes(1)), ..row(1, "a") };
    lane.refill(vec![later, row(2, "a"), row(3, "b")], mono, now());
    assert_eq!(lane.next(mono, now()).unwrap().id, 3);
    assert!(lane.next(mono, now()).is_none());
    assert_eq!(lane.wake_after(mono, now()), Some(Duration::from_mins(1)));
}

#[test]
fn a_clock_that_is_set_changes_no_delay() {
    let mut lane = lane(HOOK);
    let mono = Instant::now();
    let (delay, minutes) = (Duration::from_secs(30), chrono::TimeDelta::minutes(10));
    let waiting = Waiting { next_at: Some(now() + chrono::TimeDelta::seconds(30)), ..row(1, "a") };
    lane.try_again(1, mono + delay);
    for clock in [now() - minutes, now() + minutes] {
        lane.refill(vec![waiting.clone()], mono, clock);
        assert!(lane.next(mono, clock).is_none());
        assert_eq!(lane.wake_after(mono, clock), Some(delay));
    }
    // Nor after it is due, when it is read again.
    let later = mono + delay;
    lane.refill(vec![waiting.clone()], later, now() - minutes);
    assert_eq!(lane.next(later, now() - minutes).unwrap().id, 1);
    // After a restart, the stored time is all there is; a clock that was years ahead hides nothing.
    let mut restarted = self::lane(HOOK);
    let absurd = Waiting { next_at: Some(now() + chrono::TimeDelta::days(900)), ..waiting };
    restarted.refill(vec![absurd], mono, now());
    assert_eq!(restarted.wake_after(mono, now()), Some(LONGEST));
}

#[test]
fn after_a_failure_a_single_message_shows_whether_it_works_again() {
    let mut lane = lane(HOOK);
    let mono = Instant::now();
    lane.refill(vec![row(1, "a"), row(2, "b"), row(3, "c")], Instant::now(), now());
    assert_eq!(lane.next(mono, now()).unwrap().id, 1);
    let delay = Duration::from_secs(30);
    lane.failed(mono, Some(delay), &mut fastrand::Rng::new());
    lane.landed(1, "a");
    assert!(lane.next(mono, now()).is_none());
    assert_eq!(lane.next(mono + delay, now()).unwrap().id, 2);
    assert!(lane.next(mono + delay, now()).is_none());
    lane.succeeded();
    assert_eq!(lane.next(mono + delay, now()).unwrap().id, 3);
}

#[test]
fn the_rate_of_a_service_is_kept() {
    let mut lane = lane("kind: slack, webhook_url: \"http://127.0.0.1:1/\"");
    let pace = lane.limits.pace.unwrap();
    assert_eq!(pace, Pace { every: Duration::from_secs(1), burst: 3 });
    let begun = Instant::now();
    lane.refill((1..=10).map(|id| row(id, &id.to_string())).collect(), begun, now());
    let mut sent = Vec::new();
    for tenth in 0..100 {
        let mono = begun + Duration::from_millis(tenth * 100);
        while let Some(row) = lane.next(mono, now()) {
            sent.push(tenth);
            lane.landed(row.id, &row.thread);
        }
    }
    assert_eq!(sent.len(), 10);
    assert_eq!(sent[..3], [0, 0, 0]);
    assert!(sent[3..].windows(2).all(|pair| pair[1] - pair[0] == 10), "{sent:?}");
}

#[test]
fn requests_that_fail_together_count_once() {
    let mut lane = lane(HOOK);
    let (mono, mut rng) = (Instant::now(), fastrand::Rng::with_seed(1));
    lane.refill(vec![row(1, "a")], Instant::now(), now());
    for _ in 0..8 {
        lane.failed(mono, None, &mut rng);
    }
    assert!(lane.next(mono, now()).is_none());
    // After one second, give or take the jitter, and not after two minutes.
    assert!(lane.next(mono + Duration::from_millis(1_300), now()).is_some());
}

#[test]
fn a_channel_that_failed_before_a_restart_is_not_taken_for_well() {
    let mut lane = lane(HOOK);
    let since = now() - chrono::TimeDelta::minutes(5);
    let state = ChannelState {
        id: "c".into(),
        kind: "webhook".into(),
        health: ChannelHealth::Failing,
        since,
        last_error: None,
        probe_at: None,
    };
    lane.restore(&state, now());
    assert_eq!((lane.health, lane.since, lane.announced), (ChannelHealth::Failing, since, false));
    lane.restore(&state, now() + chrono::TimeDelta::minutes(6));
    assert!(lane.announced);
}
