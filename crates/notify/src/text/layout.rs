//! Lays out a notification as plain text, which every channel then puts into its service's form.

use std::time::Duration;

use statuswatch_model::event::{Impact, IncidentStatus, Kind, StatusEvent, Time};
use statuswatch_model::text::{one_line, plain};

use crate::notification::{
    Content, Entry, Notice, Notification, Phase, Severity, Summary, SummaryReason,
};

/// Longest title, in characters.
const TITLE: usize = 200;

/// Most components that are named; the rest is counted.
const COMPONENTS: usize = 12;

/// A notification as plain text. Nothing in it is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// One line: `GitHub: Actions delayed`.
    pub title: String,
    /// Where it stands, one line: `Identified (major)`. Empty for a summary or notice.
    pub status: String,
    /// The text, paragraphs separated by `\n`; may be empty.
    pub body: String,
    /// Further facts, one line each: `Components`, `Scheduled`, `Status`, `Impact`.
    pub facts: Vec<(&'static str, String)>,
    /// What has to be known about the message itself, one sentence each: late, edited, skipped.
    pub remarks: Vec<String>,
    /// The page a person would open; `http` or `https`.
    pub url: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it says that something is over.
    pub over: bool,
    /// When it was published.
    pub at: Time,
}

impl Layout {
    /// Lays out a notification.
    #[must_use]
    pub fn new(notification: &Notification<'_>) -> Self {
        let mut layout = match notification.content {
            Content::Event(event) => Self::event(event),
            Content::Summary(summary) => Self::summary(summary, notification),
            Content::Notice(notice) => Self::notice(notice),
        };
        layout.severity = notification.severity();
        layout.over = notification.is_over();
        layout.remarks = remarks(notification);
        if let Some(title) = &notification.custom.title {
            layout.title = one_line(title, TITLE);
        }
        if let Some(body) = &notification.custom.body {
            layout.body = plain(body);
            layout.facts.clear();
        }
        layout
    }

    fn empty(title: String, at: Time) -> Self {
        Self {
            title,
            status: String::new(),
            body: String::new(),
            facts: Vec::new(),
            remarks: Vec::new(),
            url: None,
            severity: Severity::Info,
            over: false,
            at,
        }
    }

    fn event(event: &StatusEvent) -> Self {
        let title = one_line(&event.title, TITLE);
        let provider = provider_name(event);
        let title = match event.kind {
            // Its title names the provider already.
            Kind::Provider => title,
            _ if title.is_empty() => provider,
            _ => format!("{provider}: {title}"),
        };
        let mut layout = Self::empty(title, event.published_at);
        layout.status = match event.impact {
            Impact::Unknown => event.status.label(),
            impact => format!("{} ({impact})", event.status.label()),
        };
        layout.body = event.message.as_deref().map(plain).unwrap_or_default();
        layout.facts = facts(event);
        layout.url = event.url.as_deref().and_then(web_address);
        layout
    }

    fn summary(summary: &Summary, notification: &Notification<'_>) -> Self {
        let (omitted, omitted_open) = (summary.omitted as usize, summary.omitted_open as usize);
        let listed = summary.entries.iter().filter(|entry| entry.open).count();
        let open = listed + omitted_open;
        let over = summary.entries.len() + omitted - open;
        let title = match (open, over) {
            _ if summary.reason == SummaryReason::Unstable => unstable(summary),
            (0, 1) => "1 incident has ended".to_owned(),
            (0, over) => format!("{over} incidents have ended"),
            (open, 0) => format!("{} open{}", incidents(open), worst(summary)),
            (open, over) => format!("{} open{}, {over} ended", incidents(open), worst(summary)),
        };
        let mut layout = Self::empty(title, notification.now);
        let mut lines = vec![plain(&summary.intro)];
        if omitted > 0 {
            // Before the list, whose end a service may cut off.
            lines.push(format!(
                "The worst {} are listed. All: \"statuswatch status\" and \"statuswatch history\".",
                summary.entries.len()
            ));
        }
        lines.extend(summary.entries.iter().map(entry));
        layout.body = lines.join("\n");
        layout
    }

    fn notice(notice: &Notice) -> Self {
        let mut layout = Self::empty(one_line(&notice.title, TITLE), notice.at);
        layout.body = plain(&notice.message);
        layout
    }

    /// Returns a sign for where it stands, for services that show emoji.
    #[must_use]
    pub const fn sign(&self) -> &'static str {
        match (self.over, self.severity) {
            (true, _) => "✅",
            (false, Severity::Critical) => "🔴",
            (false, Severity::Major) => "🟠",
            (false, Severity::Minor) => "🟡",
            (false, Severity::Info) => "🔵",
        }
    }

    /// Returns the color of a bar next to the message, as `0xRRGGBB`.
    #[must_use]
    pub const fn color(&self) -> u32 {
        match (self.over, self.severity) {
            (true, _) => 0x2e_7d32,
            (false, Severity::Critical) => 0xc6_2828,
            (false, Severity::Major) => 0xef_6c00,
            (false, Severity::Minor) => 0xf9_a825,
            (false, Severity::Info) => 0x15_65c0,
        }
    }

    /// Returns sign, title and status, at most 300 characters: what a service cannot refuse.
    #[must_use]
    pub fn short(&self) -> String {
        let title = format!("{} {}", self.sign(), one_line(&self.title, TITLE));
        if self.status.is_empty() { title } else { format!("{title}\n{}", self.status) }
    }

    /// Returns everything but title and link as lines of plain text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        if !self.status.is_empty() {
            lines.push(self.status.clone());
        }
        if !self.body.is_empty() {
            lines.push(self.body.clone());
        }
        lines.extend(self.facts.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.extend(self.remarks.iter().cloned());
        lines.join("\n")
    }
}

/// The title of a message that a state is unstable, which is about one thread.
fn unstable(summary: &Summary) -> String {
    summary.entries.first().map_or_else(String::new, |entry| {
        let (provider, title) = (one_line(&entry.provider, TITLE), one_line(&entry.title, TITLE));
        match entry.kind {
            Kind::Provider => format!("{provider} is unstable"),
            _ => one_line(&format!("{provider}: {title} is unstable"), TITLE),
        }
    })
}

/// How many of the incidents that are open are of the worst severity, if that is at least major:
/// ` (2 critical)`. The worst come first, so that entries that are left out change a count only if all
/// that are listed are as bad.
fn worst(summary: &Summary) -> String {
    let open = || summary.entries.iter().filter(|entry| entry.open);
    let Some(worst) = open().map(|entry| Severity::of(entry.impact)).max() else {
        return String::new();
    };
    if worst < Severity::Major {
        return String::new();
    }
    let count = open().filter(|entry| Severity::of(entry.impact) == worst).count();
    let more = summary.omitted_open > 0 && count == open().count();
    match (count, more) {
        (1, false) if open().count() == 1 => format!(" ({})", worst.as_str()),
        (count, false) => format!(" ({count} {})", worst.as_str()),
        (count, true) => format!(" (at least {count} {})", worst.as_str()),
    }
}

fn incidents(count: usize) -> String {
    if count == 1 { "1 incident".to_owned() } else { format!("{count} incidents") }
}

fn provider_name(event: &StatusEvent) -> String {
    let name = one_line(&event.provider_name, TITLE);
    if name.is_empty() { one_line(&event.provider, TITLE) } else { name }
}

/// Returns an address a person may open: `http` or `https` and nothing else, without a user name,
/// which could be taken for the host. What a service could read as a mention or as the end of a link
/// is percent-encoded, and every `%` starts an escape, on which some services insist (Alertmanager
/// answers 422).
fn web_address(url: &str) -> Option<String> {
    let parsed = url::Url::parse(url).ok()?;
    let plain = parsed.username().is_empty() && parsed.password().is_none();
    if !plain || !matches!(parsed.scheme(), "http" | "https") {
        return None;
    }
    let mut address = String::with_capacity(parsed.as_str().len());
    let mut rest = parsed.as_str().chars();
    while let Some(c) = rest.next() {
        match c {
            '%' => {
                let escape = rest.clone().take(2).filter(char::is_ascii_hexdigit).count() == 2;
                address.push_str(if escape { "%" } else { "%25" });
            }
            '@' => address.push_str("%40"),
            '|' => address.push_str("%7C"),
            '(' => address.push_str("%28"),
            ')' => address.push_str("%29"),
            '*' => address.push_str("%2A"),
            '`' => address.push_str("%60"),
            c => address.push(c),
        }
    }
    Some(address)
}

fn facts(event: &StatusEvent) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let names: Vec<String> = event
        .components
        .iter()
        .map(|component| one_line(&component.name, 80))
        .filter(|name| !name.is_empty())
        .collect();
    if event.kind != Kind::Component && !names.is_empty() {
        let more = names.len().saturating_sub(COMPONENTS);
        let mut listed = names.iter().take(COMPONENTS).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 {
            listed.push_str(" and ");
            listed.push_str(&more.to_string());
            listed.push_str(" more");
        }
        facts.push(("Components", listed));
    }
    if let Some(from) = event.scheduled_for {
        let window = event
            .scheduled_until
            .map_or_else(|| label(from), |until| format!("{} to {}", label(from), label(until)));
        facts.push(("Scheduled", window));
    }
    let before = event.previous_status.filter(|before| *before != event.status);
    if let Some(before) = before.filter(|before| *before != IncidentStatus::Update) {
        facts.push(("Status", format!("{} → {}", before.label(), event.status.label())));
    }
    if let Some(before) = event.previous_impact.filter(|before| *before != event.impact) {
        facts.push(("Impact", format!("{before} → {}", event.impact)));
    }
    facts
}

fn entry(entry: &Entry) -> String {
    let status = if entry.first == entry.last {
        entry.last.label()
    } else {
        format!("{} → {}", entry.first.label(), entry.last.label())
    };
    let impact = match entry.impact {
        Impact::Unknown | Impact::None => String::new(),
        impact => format!(", {impact}"),
    };
    let updates = match entry.updates {
        0 | 1 => String::new(),
        updates => format!(", {updates} updates"),
    };
    let sign = if entry.open { "•" } else { "✓" };
    let title = one_line(&entry.title, TITLE);
    let provider = one_line(&entry.provider, TITLE);
    let mut line = format!("{sign} {provider}: {title} ({status}{impact}{updates})");
    if let Some(url) = entry.url.as_deref().and_then(web_address) {
        line.push(' ');
        line.push_str(&url);
    }
    line
}

fn remarks(notification: &Notification<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Content::Event(event) = notification.content {
        if event.revision > 1 {
            remarks.push("The provider edited this update.".to_owned());
        }
        if event.backfill && notification.phase == Phase::Open {
            remarks.push("Published before statuswatch began to watch this page.".to_owned());
        }
    }
    if let Some(since) = notification.open_since {
        let age = (notification.now - since).to_std().unwrap_or_default();
        remarks.push(format!(
            "Open since {} ({}); this is the first message about it here.",
            label(since),
            duration(age)
        ));
    }
    if let Some(late) = notification.late {
        remarks.push(format!("Delivered {} late.", duration(late)));
    }
    match notification.skipped {
        0 => {}
        1 => remarks.push("1 earlier update was not sent.".to_owned()),
        skipped => remarks.push(format!("{skipped} earlier updates were not sent.")),
    }
    remarks
}

/// Formats a time for people: `2026-02-23 10:20 UTC`.
#[must_use]
pub fn label(time: Time) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Formats a duration in its two largest units at most: `3 h`, `2 d 4 h`, `12 min`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_where_it_says_and_mentions_nobody() {
        let address = |url| web_address(url).unwrap_or_default();
        assert_eq!(address("https://a.example/@all?b=c|d)"), "https://a.example/%40all?b=c%7Cd%29");
        assert_eq!(address("https://a.example/#/x"), "https://a.example/#/x");
        assert_eq!(address("https://github.com@evil.example/"), "");
        assert_eq!(address("javascript:alert(1)"), "");
    }
}
