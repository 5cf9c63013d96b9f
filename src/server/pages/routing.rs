//! `/routes`: which channels an event would go to, and which rule says so. Sends nothing.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};
use statuswatch_notify::{Decision, Nobody, Outcome};

use super::layout::Page;
use super::providers::options;
use super::{answer, nothing, typed};
use crate::dispatch::Setup;
use crate::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, Status, StatusEvent, Time,
};
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::call::Call;
use crate::server::model::State;
use crate::text::one_line;

/// Providers offered in the form as suggestions.
const SUGGESTED: usize = 300;

/// `GET /routes`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(app: &App, call: &Call, state: &State) -> Result<Page, Refusal> {
    let setup = app.setup.get();
    let seq = call.number("seq", 0..=i64::MAX.unsigned_abs(), 0)?;
    let event = if seq > 0 {
        let recorded = app.model.read(move |reader| reader.event(seq)).await?;
        let missing = Refusal::Missing("There is no event with this number, or it has expired.");
        Some(recorded.ok_or(missing)?.event)
    } else if typed(call, "provider").is_empty() {
        None
    } else {
        Some(imagined(call, state)?)
    };
    let main = html! {
        section #form aria-labelledby="form-title" {
            h1 #form-title { "Routes" }
            p.lead { "Which channels an event goes to, and which rule says so. Nothing is sent." }
            (form(call, event.as_ref(), state))
        }
        @if let Some(event) = &event { (decided(event, &setup)) }
        section #rules aria-labelledby="rules-title" {
            h2 #rules-title { "Rules" span.n { (setup.routes.rules.len()) } }
            @if setup.channels.is_empty() { (nothing("No channel is configured.")) }
            @else if setup.routes.rules.is_empty() { (nothing("There are no rules: every channel gets every event.")) }
            @else {
                ol.rows {
                    @for rule in &setup.routes.rules {
                        li {
                            span.who { "Line " (rule.line) }
                            p {
                                @if rule.to.is_empty() { "to nobody, on purpose" } @else { "to " (one_line(&rule.to.join(", "), 300)) }
                                @if rule.continues { ", and on to the next rule" }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(Page { title: "Routes".to_owned(), here: "/routes", main })
}

/// An event as the form describes it.
fn imagined(call: &Call, state: &State) -> Result<StatusEvent, Refusal> {
    fn word<T: std::str::FromStr>(call: &Call, name: &str, default: T) -> Result<T, Refusal> {
        match typed(call, name) {
            "" => Ok(default),
            text => {
                text.parse().map_err(|_| Refusal::Bad(format!("\"{name}\" is none of its words")))
            }
        }
    }
    let id = typed(call, "provider");
    let views = &state.view.providers;
    let view = views.iter().find(|view| view.id == id);
    let component = typed(call, "component");
    let components = (!component.is_empty()).then(|| Component {
        id: None,
        name: component.to_owned(),
        group: None,
        status: ComponentStatus::Unknown,
    });
    let at: Time = state.at;
    Ok(StatusEvent {
        seq: 0,
        id: String::new(),
        kind: word(call, "kind", Kind::Incident)?,
        provider: id.to_owned(),
        provider_name: view.map_or(id, |view| &view.name).to_owned(),
        source: view.and_then(|view| view.source.clone()).unwrap_or_default(),
        incident_id: None,
        update_id: None,
        revision: 1,
        title: typed(call, "text").to_owned(),
        status: word(call, "status", IncidentStatus::Investigating.into())?,
        previous_status: None,
        impact: word(call, "impact", Impact::Major)?,
        previous_impact: None,
        components: components.into_iter().collect(),
        message: None,
        url: None,
        started_at: None,
        published_at: at,
        observed_at: at,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    })
}

fn form(call: &Call, event: Option<&StatusEvent>, state: &State) -> Markup {
    let words = |all: &[&'static str]| all.iter().map(|word| (*word, *word)).collect::<Vec<_>>();
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let impacts: Vec<&str> = Impact::ALL.iter().map(|impact| impact.as_str()).collect();
    let statuses: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
    let provider = event.map_or("", |event| event.provider.as_str());
    let kind = event.map_or(Kind::Incident, |event| event.kind);
    let impact = event.map_or(Impact::Major, |event| event.impact);
    let status = event.map_or(IncidentStatus::Investigating.into(), |event| event.status);
    html! {
        form.filter {
            label {
                span { "Provider" }
                input name="provider" value=(one_line(provider, 200)) list="ids" required placeholder="Id" autocomplete="off" data-search;
            }
            datalist #ids {
                @for view in state.view.providers.iter().take(SUGGESTED) { option value=(view.id) {} }
            }
            label { span { "Kind" } select name="kind" { (options(&words(&kinds), kind.as_str())) } }
            label { span { "Impact" } select name="impact" { (options(&words(&impacts), impact.as_str())) } }
            label { span { "Status" } select name="status" { (options(&words(&statuses), status.as_str())) } }
            label { span { "Component" } input name="component" value=(typed(call, "component")) autocomplete="off"; }
            label { span { "Text" } input name="text" value=(typed(call, "text")) autocomplete="off"; }
            button { "Test" }
        }
    }
}

fn decided(event: &StatusEvent, setup: &Setup) -> Markup {
    // Nobody was notified before: what a new incident would cause.
    let audiences = setup.audiences();
    let decision = setup.routes.decide(event, setup.tags(&event.provider), &audiences, &|_| false);
    html! {
        section #decision aria-labelledby="decision-title" {
            h2 #decision-title {
                @if event.seq > 0 { "Event " (event.seq) } @else { "The event" }
                " goes to"
            }
            (verdict(&decision))
            @if !decision.trace.is_empty() {
                ol.trace {
                    @for trial in &decision.trace {
                        li .hit[matches!(trial.outcome, Outcome::Matched { .. })] { (one_line(&trial.to_string(), 300)) }
                    }
                }
            }
            p.lead { "As if no channel had been notified of it before: one that was gets its end, whatever the rules say." }
        }
    }
}

fn verdict(decision: &Decision) -> Markup {
    html! {
        @match decision.nobody() {
            None => {
                ul.goes {
                    @for chosen in &decision.to {
                        li { b { (one_line(&chosen.channel, 64)) } " " (chosen.reason.to_string()) }
                    }
                }
            }
            Some(reason) => {
                p.why {
                    @match reason {
                        Nobody::NoMatch => { "nobody: no rule matches" }
                        Nobody::OnPurpose => { "nobody: a rule says so" }
                        Nobody::NothingToEnd => { "nobody: it ends what no pager was notified of" }
                        Nobody::NoChannels => { "nobody: no channel is configured" }
                    }
                }
            }
        }
    }
}
