//! `/`: the first screen, in the order of the questions at 3 a.m.: can this page be trusted, what is
//! open and who was notified, where are we blind, what is coming, everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use chrono::TimeDelta;
use maud::{Markup, html};

use super::layout::Page;
use super::notified::{self, Story};
use super::{answer, nothing, observed, parts};
use crate::event::{Impact, Kind, Status, Time};
use crate::ledger::outbox::{ChannelHealth, ChannelRow};
use crate::ledger::{ItemRow, ProviderRow};
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::asked::{Asked, PrometheusAnswer};
use crate::server::call::Call;
use crate::server::model::State;
use crate::server::nodes::{self, NodesAnswer};
use crate::text::one_line;
use crate::view::status::{Freshness, ProviderView, severity};

/// Incidents that are shown in full; the rest are counted.
const SHOWN: usize = 24;
/// Updates read of each.
const UPDATES: usize = 20;
/// Providers listed under "blind"; the rest are counted.
const BLIND: usize = 16;
/// Maintenances listed.
const COMING: usize = 12;
/// How far ahead.
const AHEAD: TimeDelta = TimeDelta::days(7);
/// More providers than that are a table of their own.
const TILES: usize = 300;
/// Characters of an update's text.
const EXCERPT: usize = 320;
/// Components named; the rest are counted.
const COMPONENTS: usize = 4;
/// The supervisor's loop turns every second.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// `GET /`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(app: &App, _call: &Call, state: &State) -> Result<Page, Refusal> {
    let (now, newest) = (state.at, state.span().newest);
    let (incidents, coming) = (sorted_incidents(state.open()), coming(state.open(), now));
    let shown: Vec<ItemRow> = incidents.iter().take(SHOWN).map(|row| (*row).clone()).collect();
    let read = app.model.read(move |reader| {
        let stories = notified::read(reader, shown, UPDATES)?;
        let last = reader.event(newest)?.map(|recorded| recorded.event.observed_at);
        Ok((stories, last, reader.channels(now)?))
    });
    let (stories, last_event, channels) = read.await?;
    let stuck = app.metrics.since_turn() > STUCK_AFTER;
    let nodes = nodes::answer(app).await;
    let trust = Trust {
        state,
        last_event,
        channels: &channels,
        stuck,
        writable: app.metrics.is_writable(),
        nodes: nodes.as_ref(),
        prometheus: app.asked.as_ref().map(Asked::answer),
    };
    let blind: Vec<_> = blind(state);
    let disagreements = observed::disagreements(app, state);
    let setup = app.setup.get();
    let anybody = !setup.channels.is_empty();
    let main = html! {
        (trust.render(incidents.len(), blind.len(), coming.len()))
        div #now .now {
            section #open aria-labelledby="open-title" {
                h2 #open-title { "Open" span.n { (parts::count(incidents.len() as u64)) } }
                (observed::list(&disagreements))
                @if stories.is_empty() {
                    @if !disagreements.is_empty() {}
                    @else if blind.len() == state.providers().len() { (nothing("Nothing is known to be open.")) }
                    @else { p.nothing.calm { (parts::shape(parts::impact_look(Impact::None))) "Nothing is open." } }
                } @else {
                    ol.cards .dense[stories.len() > 6] {
                        @for story in &stories { (card(story, state, anybody)) }
                    }
                    @if incidents.len() > stories.len() {
                        p.more { a href="/incidents" {
                            (parts::counted(incidents.len() - stories.len(), "more open incident"))
                        } }
                    }
                }
            }
            div.aside {
                section #blind aria-labelledby="blind-title" {
                    h2 #blind-title { "Blind" span.n { (parts::count(blind.len() as u64)) } }
                    (blind_list(&blind, now))
                }
                section #coming aria-labelledby="coming-title" {
                    h2 #coming-title { "Next 7 days" span.n { (parts::count(coming.len() as u64)) } }
                    (coming_list(&coming, state, now))
                }
            }
        }
        section #everything aria-labelledby="all-title" {
            h2 #all-title { "Everything" span.n { (parts::count(state.providers().len() as u64)) } }
            (everything(state, &setup.tags))
        }
    };
    Ok(Page { title: "Overview".to_owned(), here: "/", main })
}

/// Open incidents, the worst first, then the newest.
pub(super) fn sorted_incidents(open: &[ItemRow]) -> Vec<&ItemRow> {
    let mut rows: Vec<&ItemRow> =
        open.iter().filter(|row| row.item.kind == Kind::Incident).collect();
    rows.sort_by_key(|row| {
        let began = row.item.started_at.or(row.first_seen).unwrap_or(Time::UNIX_EPOCH);
        (std::cmp::Reverse(severity(row.item.impact)), std::cmp::Reverse(began))
    });
    rows
}

/// Maintenances that are under way or begin within a week, by time.
fn coming(open: &[ItemRow], now: Time) -> Vec<&ItemRow> {
    let mut rows: Vec<&ItemRow> = open
        .iter()
        .filter(|row| row.item.kind == Kind::Maintenance)
        .filter(|row| row.item.scheduled_for.is_none_or(|begin| begin <= now + AHEAD))
        .collect();
    rows.sort_by_key(|row| row.item.scheduled_for.or(row.item.started_at));
    rows
}

/// Providers that are not read, those not read for longest first.
fn blind(state: &State) -> Vec<(&ProviderView, &ProviderRow)> {
    let both = state.view.providers.iter().zip(state.providers());
    let mut rows: Vec<_> = both.filter(|(view, _)| view.freshness != Freshness::Fresh).collect();
    rows.sort_by_key(|(_, row)| row.last_success_at);
    rows
}

/// What the trust in this page depends on.
struct Trust<'a> {
    state: &'a State,
    last_event: Option<Time>,
    channels: &'a [ChannelRow],
    stuck: bool,
    writable: bool,
    nodes: Option<&'a NodesAnswer>,
    prometheus: Option<PrometheusAnswer>,
}

impl Trust<'_> {
    /// The sentence, how bad it is, and what explains it.
    fn verdict(&self, blind: usize) -> (&'static str, String, Vec<String>) {
        let all = self.state.providers().len();
        let mut why = Vec::new();
        if self.stuck {
            why.push("The supervisor does not answer: what is shown may be old.".to_owned());
        }
        if !self.writable {
            why.push("The ledger cannot be written: nothing new is recorded.".to_owned());
        }
        for channel in self.channels {
            if matches!(channel.state.health, ChannelHealth::Failing | ChannelHealth::Broken) {
                let (id, health) = (one_line(&channel.state.id, 64), channel.state.health.as_str());
                why.push(format!("The channel {id} is {health}."));
            }
        }
        why.extend(self.nodes.map(NodesAnswer::warnings).unwrap_or_default());
        if let Some((since, error)) = self.prometheus.as_ref().and_then(PrometheusAnswer::failure) {
            why.push(format!("Prometheus has given no error rates since {since}: {error}"));
        }
        let read = all - blind;
        let away = self.nodes.is_some_and(|nodes| nodes.unreachable_since.is_some());
        let serious = self.stuck || !self.writable || away;
        if let Some(offline) = &self.state.view.offline {
            why.extend(offline.reason.as_deref().map(|reason| one_line(reason, 200)));
            return ("bad", "Our own network is down".to_owned(), why);
        }
        let level = match () {
            () if all == 0 || blind * 2 > all || serious => "bad",
            () if blind > 0 || !why.is_empty() => "warn",
            () => "good",
        };
        let sentence = match (all, blind) {
            (0, _) => "No provider is watched".to_owned(),
            (1, 0) => "The provider is read on time".to_owned(),
            (_, 0) => format!("All {} are read on time", parts::counted(all, "provider")),
            _ => format!(
                "{} of {} are read on time",
                parts::count(read as u64),
                parts::counted(all, "provider")
            ),
        };
        (level, sentence, why)
    }

    fn render(&self, open: usize, blind: usize, coming: usize) -> Markup {
        let (level, sentence, why) = self.verdict(blind);
        let now = self.state.at;
        let by_freshness = Freshness::ALL.iter().skip(1).filter_map(|&freshness| {
            let views = self.state.view.providers.iter();
            let count = views.filter(|view| view.freshness == freshness).count();
            (count > 0).then(|| {
                format!("{} {}", parts::count(count as u64), parts::freshness_word(freshness))
            })
        });
        let counts: Vec<String> = by_freshness.collect();
        let oldest = self.state.providers().iter().zip(&self.state.view.providers);
        let oldest = oldest
            .filter(|(_, view)| view.freshness != Freshness::Fresh)
            .filter_map(|(row, _)| row.last_success_at)
            .min();
        let read = self.state.providers().len() - blind;
        html! {
            section #trust .trust.(level) aria-label="Trust" {
                div.verdict {
                    h1 { i.sign aria-hidden="true" {} (sentence) }
                    p {
                        @if !counts.is_empty() { (counts.join(", ")) ". " }
                        @if let Some(oldest) = oldest { "The oldest was read " (parts::ago(oldest, now)) ". " }
                        @match self.last_event {
                            Some(at) => { "Last event " (parts::ago(at, now)) "." }
                            None => { "No event yet." }
                        }
                    }
                    @if let Some(nodes) = self.nodes.and_then(NodesAnswer::sentence) { p { (one_line(&nodes, 200)) } }
                    @for reason in &why { p.why { (one_line(reason, 300)) } }
                }
                ul.tally {
                    (figure("#open", open as u64, "open", if open > 0 { "alarm" } else { "" }))
                    (figure("#blind", blind as u64, "blind", if blind > 0 { "doubt" } else { "" }))
                    (figure("#coming", coming as u64, "planned", ""))
                    (figure("#everything", read as u64, "on time", ""))
                }
            }
        }
    }
}

fn figure(target: &str, number: u64, word: &str, class: &str) -> Markup {
    html! {
        li class=[(!class.is_empty()).then_some(class)] {
            a href=(target) { b { (parts::count(number)) } " " span { (word) } }
        }
    }
}

/// The name of a provider, which may not be watched any more.
pub(super) fn provider_name(state: &State, id: &str) -> String {
    let views = &state.view.providers;
    // The ledger orders them by id.
    let found = views.binary_search_by(|view| view.id.as_str().cmp(id)).ok();
    one_line(found.and_then(|at| views.get(at)).map_or(id, |view| &view.name), 80)
}

fn card(story: &Story, state: &State, anybody: bool) -> Markup {
    let now = state.at;
    let (item, look) = (&story.row.item, parts::impact_look(story.row.item.impact));
    let began = item.started_at.or(story.row.first_seen);
    let latest = story.latest();
    let status = latest.map_or_else(|| status_label(&item.status), |event| event.status.label());
    html! {
        li.card.(look.class) data-row {
            div.head {
                (parts::state(look))
                a.who href=(parts::provider_path(&item.provider)) { bdi { (provider_name(state, &item.provider)) } }
                @if let Some(began) = began { span.since { (parts::age(began, now)) } }
            }
            h3 { a data-go href={ "/incidents/" (story.row.key) } { bdi { (parts::title(&item.title)) } } }
            p.last {
                b { (status) }
                @if let Some(message) = latest.and_then(|event| event.message.as_deref()) {
                    " " bdi { (one_line(message, EXCERPT)) }
                }
            }
            div.foot {
                @if !item.components.is_empty() {
                    p.parts {
                        @for component in item.components.iter().take(COMPONENTS) {
                            span { bdi { (one_line(&component.name, 60)) } }
                        }
                        @if item.components.len() > COMPONENTS { span { "+" (item.components.len() - COMPONENTS) } }
                    }
                }
                @if anybody { (story.notified(anybody, now)) }
                (parts::outside(item.url.as_deref(), "Status page"))
            }
        }
    }
}

/// A status word as people read it.
pub(super) fn status_label(word: &str) -> String {
    word.parse::<Status>().map_or_else(|_| one_line(word, 40), Status::label)
}

fn blind_list(blind: &[(&ProviderView, &ProviderRow)], now: Time) -> Markup {
    html! {
        @if blind.is_empty() { (nothing("Every provider is read.")) }
        @else {
            ul.rows {
                @for (view, row) in blind.iter().take(BLIND) {
                    li data-row {
                        (parts::state(parts::provider_look(view)))
                        a.who data-go href=(parts::provider_path(&view.id)) { bdi { (one_line(&view.name, 80)) } }
                        span.since { @if let Some(last) = row.last_success_at { (parts::age(last, now)) } }
                        @if let Some(reason) = why_blind(row) { p { (one_line(reason, 160)) } }
                    }
                }
            }
            @if blind.len() > BLIND {
                p.more { a href="/providers?state=blind" {
                    (parts::counted(blind.len() - BLIND, "more provider")) " not read"
                } }
            }
        }
    }
}

/// Why a provider is not read.
pub(super) fn why_blind(row: &ProviderRow) -> Option<&str> {
    row.doubt.as_deref().or(row.last_error.as_deref()).or(row.suspect.as_deref())
}

fn coming_list(coming: &[&ItemRow], state: &State, now: Time) -> Markup {
    html! {
        @if coming.is_empty() { (nothing("No maintenance is planned.")) }
        @else {
            ul.rows {
                @for row in coming.iter().take(COMING) {
                    li data-row {
                        (parts::state(parts::impact_look(Impact::Maintenance)))
                        span.who { bdi { (provider_name(state, &row.item.provider)) } }
                        span.since {
                            @match row.item.scheduled_for {
                                Some(begin) if begin > now => { (parts::ago(begin, now)) }
                                _ => { "now" }
                            }
                        }
                        p { a data-go href={ "/incidents/" (row.key) } { bdi { (parts::title(&row.item.title)) } } }
                        p.when { (window(row)) }
                    }
                }
            }
            @if coming.len() > COMING {
                p.more { a href="/maintenances" { (parts::counted(coming.len() - COMING, "more maintenance")) } }
            }
        }
    }
}

/// From when until when.
pub(super) fn window(row: &ItemRow) -> Markup {
    let item = &row.item;
    html! {
        @match (item.scheduled_for.or(item.started_at), item.scheduled_until) {
            (Some(begin), Some(end)) => { (parts::at(begin)) " – " (parts::at(end)) }
            (Some(begin), None) => { "from " (parts::at(begin)) ", end not announced" }
            (None, Some(end)) => { "until " (parts::at(end)) }
            (None, None) => { "time not announced" }
        }
    }
}

/// All providers as tiles by tag; if they are too many, how many are in which state.
fn everything(state: &State, tags: &std::collections::HashMap<String, Vec<String>>) -> Markup {
    let views = &state.view.providers;
    if views.len() > TILES {
        return counts(views);
    }
    let mut groups: BTreeMap<(bool, &str), Vec<&ProviderView>> = BTreeMap::new();
    for view in views {
        let tag = tags.get(&view.id).and_then(|tags| tags.first()).map(String::as_str);
        groups.entry((tag.is_none(), tag.unwrap_or("other"))).or_default().push(view);
    }
    let alone = groups.len() == 1;
    html! {
        @for ((_, tag), views) in groups {
            @if !alone { h3.tag { (tag) span.n { (views.len()) } } }
            ul.tiles {
                @for view in worst_first(views) { (tile(view)) }
            }
        }
    }
}

/// Sorts what is broken first; what is well stays by id.
fn worst_first(mut views: Vec<&ProviderView>) -> Vec<&ProviderView> {
    views.sort_by_key(|view| std::cmp::Reverse(weight(view)));
    views
}

/// What is broken first, then what is unknown.
pub(super) fn weight(view: &ProviderView) -> u8 {
    match view.freshness {
        Freshness::Fresh => severity(view.status.impact()),
        _ => 1,
    }
}

fn tile(view: &ProviderView) -> Markup {
    let look = parts::provider_look(view);
    html! {
        li { a.(look.class) href=(parts::provider_path(&view.id)) {
            (parts::shape(look)) bdi { (one_line(&view.name, 40)) }
            @if look.class == "ok" { span.vh { " operational" } } @else { small { (look.word) } }
        } }
    }
}

fn counts(views: &[ProviderView]) -> Markup {
    let mut counts: BTreeMap<(u8, &str), (parts::Look, usize)> = BTreeMap::new();
    for view in views {
        let look = parts::provider_look(view);
        counts.entry((u8::MAX - weight(view), look.word)).or_insert((look, 0)).1 += 1;
    }
    html! {
        form.filter action="/providers" role="search" {
            label { span { "Search" } input type="search" name="q" placeholder="Name or id" data-search; }
            button { "Search" }
        }
        ul.sums {
            @for (look, count) in counts.values() {
                li { a href={ "/providers?state=" (look.class) } {
                    (parts::shape(*look)) b { (parts::count(*count as u64)) } " " (look.word)
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_none_of_ours_are_shown_as_they_are() {
        assert_eq!(status_label("in_progress"), "In progress");
        assert_eq!(status_label("<b>"), "<b>");
    }
}
