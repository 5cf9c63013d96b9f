//! What pages are made of: times, states, links. Pure.

use chrono::TimeDelta;
use maud::{Markup, html};

use crate::event::{ComponentStatus, Impact, Time, format_time};
use crate::text::one_line;
use crate::view::link;
use crate::view::status::{Freshness, ProviderView};

/// Characters of a title that are shown.
const TITLE: usize = 240;

/// A state as a shape with its color, and as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// The class in `style.css`, which draws the shape.
    pub(super) class: &'static str,
    /// The word.
    pub(super) word: &'static str,
}

/// Returns how a provider is shown. One that is not read is unknown, and says why.
pub(super) const fn provider_look(provider: &ProviderView) -> Look {
    match provider.freshness {
        Freshness::Fresh => component_look(provider.status),
        freshness => Look { class: "unknown", word: freshness_word(freshness) },
    }
}

/// Returns how a component is shown.
pub(super) const fn component_look(status: ComponentStatus) -> Look {
    let (class, word) = match status {
        ComponentStatus::Operational => ("ok", "operational"),
        ComponentStatus::DegradedPerformance => ("minor", "degraded"),
        ComponentStatus::PartialOutage => ("major", "partial outage"),
        ComponentStatus::MajorOutage => ("critical", "major outage"),
        ComponentStatus::UnderMaintenance => ("planned", "maintenance"),
        ComponentStatus::Unknown => ("unknown", "unknown"),
    };
    Look { class, word }
}

/// Returns how an impact is shown.
pub(super) const fn impact_look(impact: Impact) -> Look {
    let (class, word) = match impact {
        Impact::None => ("none", "no impact"),
        Impact::Minor => ("minor", "minor"),
        Impact::Major => ("major", "major"),
        Impact::Critical => ("critical", "critical"),
        Impact::Maintenance => ("planned", "maintenance"),
        Impact::Unknown => ("unknown", "unknown impact"),
    };
    Look { class, word }
}

/// Returns the word for why a provider is unknown.
pub(super) const fn freshness_word(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Fresh => "read on time",
        Freshness::Doubted => "answers rejected",
        Freshness::Stale => "stale",
        Freshness::Unreachable => "unreachable",
        Freshness::Never => "not read yet",
    }
}

/// The shape alone. The word must stand beside it.
pub(super) fn shape(look: Look) -> Markup {
    html! { i class={ "s " (look.class) } aria-hidden="true" {} }
}

/// The shape and the word.
pub(super) fn state(look: Look) -> Markup {
    html! { span class={ "state " (look.class) } { (shape(look)) (look.word) } }
}

/// `9,981`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 provider`, `9,981 providers`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{} {what}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// A length of time in its largest unit: `40 s`, `41 min`, `5 h`, `12 d`. `script.js` writes the same.
pub(super) fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds().unsigned_abs();
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", (seconds + 30) / 60),
        5_400..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// How long ago, or in how long: `41 min ago`, `in 2 h`.
pub(super) fn ago(time: Time, now: Time) -> Markup {
    let length = time - now;
    let text = if length > TimeDelta::zero() {
        format!("in {}", span(length))
    } else {
        format!("{} ago", span(length))
    };
    html! { time.ago datetime=(stamp(time)) title=(utc(time)) { (text) } }
}

/// How long since, as a number alone: `41 min`.
pub(super) fn age(time: Time, now: Time) -> Markup {
    html! { time.age datetime=(stamp(time)) title=(utc(time)) { (span(now - time)) } }
}

/// A point in time: `27 Nov 10:02 UTC`. The script writes it in the reader's zone.
pub(super) fn at(time: Time) -> Markup {
    html! { time.at datetime=(stamp(time)) title=(utc(time)) { (time.format("%-d %b %H:%M UTC")) } }
}

/// A point in time to the second: `10:02:13 UTC`.
pub(super) fn clock(time: Time) -> Markup {
    html! { time.clock datetime=(stamp(time)) title=(utc(time)) { (time.format("%H:%M:%S UTC")) } }
}

fn stamp(time: Time) -> String {
    format_time(chrono::SubsecRound::trunc_subsecs(time, 0))
}

fn utc(time: Time) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A title on one line.
pub(super) fn title(text: &str) -> String {
    let text = one_line(text, TITLE);
    if text.is_empty() { "(no title)".to_owned() } else { text }
}

/// A link to a provider's own page, in a tab of its own; nothing where the address is none to follow.
pub(super) fn outside(url: Option<&str>, text: &str) -> Markup {
    html! {
        @if let Some(url) = link(url) {
            a.out data-out href=(url) rel="noopener noreferrer" target="_blank" {
                (text) span.vh { " (opens in a new tab)" }
            }
        }
    }
}

/// The address of a provider's page here.
pub(super) fn provider_path(id: &str) -> String {
    format!("/providers/{}", escaped(id))
}

/// A part of an address, percent-encoded.
pub(super) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Links to the other pages of a list, which keep the filter.
pub(super) struct Pager<'a> {
    /// The path of the list.
    pub(super) path: &'a str,
    /// The filter: names and values.
    pub(super) filter: &'a [(&'a str, &'a str)],
    /// The page shown, from 1.
    pub(super) page: usize,
    /// How many there are.
    pub(super) pages: usize,
}

impl Pager<'_> {
    fn target(&self, page: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.filter.iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        query.append_pair("page", &page.to_string());
        format!("{}?{}", self.path, query.finish())
    }

    /// Renders them; nothing if there is one page.
    pub(super) fn render(&self) -> Markup {
        html! {
            @if self.pages > 1 {
                nav.pager aria-label="Pages" {
                    @if self.page > 1 { a href=(self.target(self.page - 1)) rel="prev" { "Previous" } }
                    span { "Page " (self.page) " of " (count(self.pages as u64)) }
                    @if self.page < self.pages { a href=(self.target(self.page + 1)) rel="next" { "Next" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn spans_have_one_unit() {
        for (seconds, text) in [
            (0, "0 s"),
            (89, "89 s"),
            (90, "2 min"),
            (5_399, "90 min"),
            (5_400, "2 h"),
            (200_000, "2 d"),
        ] {
            assert_eq!(span(TimeDelta::seconds(seconds)), text);
            assert_eq!(span(TimeDelta::seconds(-seconds)), text);
        }
    }

    #[test]
    fn a_link_that_is_none_is_left_out() {
        assert_eq!(outside(Some("javascript:alert(1)"), "x").into_string(), "");
        let link = outside(Some("https://a.example/\"><script>"), "x").into_string();
        assert!(!link.contains("<script>") && link.contains("noopener noreferrer"), "{link}");
    }
}
