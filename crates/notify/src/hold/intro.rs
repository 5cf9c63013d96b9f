//! The sentence at the head of a summary: why the messages were held.

use chrono::{NaiveTime, TimeDelta};
use statuswatch_model::event::Time;

use super::place::window_end;
use super::{Due, HoldReason};
use crate::policy::Policy;
use crate::text::duration;

impl Due<'_> {
    /// Says why the messages were held, and until when. `news` is whether the reader knows none of
    /// the threads.
    pub(super) fn intro(&self, news: bool) -> String {
        let mut intro = match self.reason {
            HoldReason::QuietHours => self.quiet_hours_ended(),
            HoldReason::Storm => match self.policy.storm {
                Some(most) if news => format!(
                    "More than {most} providers reported a problem within {}. Those below were not sent one by one.",
                    duration(Policy::STORM_WITHIN)
                ),
                _ => "Many incidents changed at once. Those below were not sent one by one.".to_owned(),
            },
            HoldReason::Cap => self.policy.cap.map_or_else(
                || "Too many messages within an hour.".to_owned(),
                |cap| {
                    format!(
                        "This channel has had its {cap} messages of the hour. Those below were not sent one by one."
                    )
                },
            ),
            HoldReason::Digest => self.policy.digest.map_or_else(
                || "Collected updates.".to_owned(),
                |digest| {
                    let last = self.due_at - TimeDelta::seconds(1);
                    let every = TimeDelta::from_std(digest.every).unwrap_or_default();
                    // A window that was cut at midnight began later than a whole one.
                    let from = [self.due_at - every, last.with_time(NaiveTime::MIN).single().unwrap_or(last)]
                        .into_iter()
                        .find(|from| window_end(*from, digest.every) == self.due_at)
                        .unwrap_or(self.due_at - every);
                    format!("Updates from {}.", self.range(from, self.due_at))
                },
            ),
            HoldReason::Mute | HoldReason::Unstable | HoldReason::Settle | HoldReason::Edits => {
                "Messages were held back.".to_owned()
            }
        };
        if let Some((from, to)) = self.not_running
            && from <= self.due_at
            && self.due_at <= to
        {
            let range = self.range(from, to);
            intro.push_str(" Delayed: statuswatch was not running from ");
            intro.push_str(&range);
            intro.push('.');
        }
        intro
    }

    fn quiet_hours_ended(&self) -> String {
        let before = self.due_at - TimeDelta::seconds(1);
        let ended = self
            .quiet_hours
            .iter()
            .filter(|quiet| quiet.concern(self.channel, self.policy.audience))
            .find(|quiet| quiet.end(before) == Some(self.due_at));
        ended.map_or_else(
            || "Quiet hours have ended.".to_owned(),
            |quiet| {
                let local = quiet.zone.local(self.due_at).format("%H:%M");
                format!("Quiet hours ended at {local} ({}).", quiet.zone)
            },
        )
    }

    /// `10:00 to 10:15 UTC`, with the dates unless both are of today.
    fn range(&self, from: Time, to: Time) -> String {
        let today = self.now.date_naive();
        let is_today = from.date_naive() == today && to.date_naive() == today;
        let form = if is_today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        format!("{} to {} UTC", from.format(form), to.format(form))
    }
}
