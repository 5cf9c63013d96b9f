//! Whether an event is sent now or held. The rules and their order: see [`super`].

use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};
use statuswatch_model::event::{Kind, ProviderStatus, Status, StatusEvent, Time};

use super::thread::{impact_of, is_end, is_state_change, reaches};
use super::{Facts, HoldReason, Muted, Placement, after, quiet};
use crate::channel::Audience;
use crate::policy::Policy;

/// The change of a state within an hour that makes it unstable.
pub const UNSTABLE_CHANGES: usize = 3;

/// How long an unstable state must not change before it is sent again.
pub const CALM: Duration = Duration::from_mins(15);

const HOUR: Duration = Duration::from_hours(1);

/// Decides where an event goes in the channel with the id `channel`.
#[must_use]
pub fn place(event: &StatusEvent, channel: &str, policy: &Policy, facts: &Facts<'_>) -> Placement {
    let case = Case { event, channel, policy, facts };
    case.first(&[
        Case::mute,
        Case::quiet_hours,
        Case::storm,
        Case::unstable,
        Case::settle,
        Case::digest,
        Case::cap,
        Case::edits,
    ])
}

/// Decides where a held event goes when its hold ends: another reason may be in force by then. Only
/// what had to settle is still collected or counted; the rest has waited long enough.
#[must_use]
pub fn place_again(
    held: HoldReason,
    event: &StatusEvent,
    channel: &str,
    policy: &Policy,
    facts: &Facts<'_>,
) -> Placement {
    let case = Case { event, channel, policy, facts };
    match held {
        HoldReason::Settle => case.first(&[Case::mute, Case::quiet_hours, Case::digest, Case::cap]),
        _ => case.first(&[Case::mute, Case::quiet_hours]),
    }
}

/// Returns the end of the digest's window that `now` is in. Windows are aligned to midnight UTC; one
/// of less than a day that does not divide it ends there.
#[must_use]
pub fn window_end(now: Time, every: Duration) -> Time {
    const DAY: i64 = 86_400;
    let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1);
    let second = now.timestamp();
    let into_day = second.rem_euclid(DAY);
    let left = if every < DAY {
        (every - into_day % every).min(DAY - into_day)
    } else {
        every - second.rem_euclid(every)
    };
    let whole = now.with_time(NaiveTime::MIN).single().unwrap_or(now);
    TimeDelta::try_seconds(into_day.saturating_add(left))
        .and_then(|delta| whole.checked_add_signed(delta))
        .unwrap_or(Time::MAX_UTC)
}

/// Returns whether a state that changed at each of `before` is unstable with a change at `now`:
/// from the third change within an hour until it did not change for [`CALM`].
fn is_unstable(before: &[Time], now: Time) -> bool {
    let mut within_hour: Vec<Time> = Vec::new();
    let mut is_unstable = false;
    for change in before.iter().copied().filter(|change| *change <= now).chain([now]) {
        let last = within_hour.last().copied();
        if is_unstable && last.is_some_and(|last| after(last, CALM) <= change) {
            is_unstable = false;
            within_hour.clear();
        }
        within_hour.retain(|earlier| after(*earlier, HOUR) > change);
        within_hour.push(change);
        is_unstable |= within_hour.len() >= UNSTABLE_CHANGES;
    }
    is_unstable
}

/// One decision.
struct Case<'a> {
    event: &'a StatusEvent,
    channel: &'a str,
    policy: &'a Policy,
    facts: &'a Facts<'a>,
}

type Rule<'a> = fn(&Case<'a>) -> Option<Placement>;

impl<'a> Case<'a> {
    fn first(&self, rules: &[Rule<'a>]) -> Placement {
        let pager = self.policy.audience == Audience::Pager;
        if self.policy.audience == Audience::Machine || (pager && self.ends_notified()) {
            return Placement::Now;
        }
        rules.iter().find_map(|rule| rule(self)).unwrap_or(Placement::Now)
    }

    fn is_chat(&self) -> bool {
        self.policy.audience == Audience::Chat
    }

    fn ends_notified(&self) -> bool {
        is_end(self.event) && self.facts.notified.is_some()
    }

    /// What hides an impact of any size, or explains why nothing else comes.
    fn is_alarm(&self) -> bool {
        self.event.kind == Kind::Provider
            && matches!(
                self.event.status,
                Status::Provider(ProviderStatus::Unreachable | ProviderStatus::Offline)
            )
    }

    /// Whether only a mute, quiet hours or an unstable state hold it.
    fn is_urgent(&self) -> bool {
        let impact = impact_of(self.event);
        let immediate = self.policy.digest.and_then(|digest| digest.immediate);
        self.is_alarm()
            || immediate.is_some_and(|least| reaches(impact, least))
            || self.quiet_now().is_some_and(|quiet| quiet.is_passed_by(impact))
    }

    fn quiet_now(&self) -> Option<quiet::Quiet<'a>> {
        let Facts { now, quiet_hours, .. } = *self.facts;
        quiet::quiet(quiet_hours, self.channel, self.policy.audience, now)
    }

    fn hold(&self, reason: HoldReason, length: Duration) -> Option<Placement> {
        hold(reason, after(self.facts.now, length))
    }

    fn mute(&self) -> Option<Placement> {
        if self.ends_notified() {
            return None;
        }
        self.facts.mute.map(|mute| Placement::Hold {
            reason: HoldReason::Mute,
            until: match mute {
                Muted::Until(time) => Some(time),
                Muted::UntilResolved => None,
            },
        })
    }

    fn quiet_hours(&self) -> Option<Placement> {
        let quiet = self.quiet_now()?;
        if self.is_alarm() || quiet.is_passed_by(impact_of(self.event)) {
            return None;
        }
        hold(HoldReason::QuietHours, quiet.until)
    }

    fn storm(&self) -> Option<Placement> {
        let most = self.policy.storm?;
        if !self.is_chat() || self.is_urgent() {
            return None;
        }
        let running = self.facts.storm_until.filter(|until| *until > self.facts.now);
        if self.facts.notified.is_some() {
            // What was sent in one message is not followed by one message each.
            return (self.facts.summed_up && self.facts.backlog > most)
                .then(|| running.unwrap_or_else(|| after(self.facts.now, Policy::STORM_WITHIN)))
                .and_then(|until| hold(HoldReason::Storm, until));
        }
        match running {
            Some(until) => hold(HoldReason::Storm, until),
            None if super::opens(self.event) && self.facts.openings > most => {
                self.hold(HoldReason::Storm, Policy::STORM_WITHIN)
            }
            None => None,
        }
    }

    fn unstable(&self) -> Option<Placement> {
        if !self.is_chat() || self.policy.settle.is_zero() || !is_state_change(self.event) {
            return None;
        }
        let now = self.facts.now;
        if self.facts.unstable_until.is_some_and(|until| until > now) {
            let impact = impact_of(self.event);
            let is_worse =
                self.facts.notified.is_some_and(|before| impact.rank() > before.worst.rank());
            return if is_worse && self.is_urgent() {
                Some(Placement::Now)
            } else {
                self.hold(HoldReason::Unstable, CALM)
            };
        }
        // A digest has one line per thread anyway.
        let is_digested = self.policy.digest.is_some() && !self.is_urgent();
        (!is_digested && is_unstable(self.facts.changes, now))
            .then(|| Placement::Unstable { until: after(now, CALM) })
    }

    fn settle(&self) -> Option<Placement> {
        let settle = self.policy.settle;
        if settle.is_zero() || !is_state_change(self.event) || self.is_urgent() {
            return None;
        }
        self.hold(HoldReason::Settle, settle)
    }

    fn digest(&self) -> Option<Placement> {
        let digest = self.policy.digest?;
        if !self.is_chat() || self.is_urgent() {
            return None;
        }
        hold(HoldReason::Digest, window_end(self.facts.now, digest.every))
    }

    fn cap(&self) -> Option<Placement> {
        let cap = self.policy.cap?;
        let full = self.facts.sent_last_hour >= cap;
        if !full || !self.is_chat() || self.is_urgent() || self.ends_notified() {
            return None;
        }
        hold(HoldReason::Cap, window_end(self.facts.now, HOUR))
    }

    fn edits(&self) -> Option<Placement> {
        let event = self.event;
        // An edit that changes more than the text is news.
        let text_alone = event.revision > 1
            && event.previous_status.is_none_or(|before| before == event.status)
            && event.previous_impact.is_none_or(|before| before == event.impact);
        if !self.is_chat() || !text_alone || self.is_urgent() {
            return None;
        }
        let until = after(self.facts.last_edit_at?, self.policy.edits);
        (until > self.facts.now).then_some(())?;
        hold(HoldReason::Edits, until)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every rule returns an option")]
const fn hold(reason: HoldReason, until: Time) -> Option<Placement> {
    Some(Placement::Hold { reason, until: Some(until) })
}
