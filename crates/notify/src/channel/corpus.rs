//! Hostile and ordinary notifications that every channel is tested with.

use statuswatch_model::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, ProviderStatus, StatusEvent, Time,
    parse_time,
};

use super::{Channel, Form};
use crate::exchange::{Answer, HttpAnswer, Request, Sending, Step, Verdict};
use crate::notification::{
    Content, Custom, Entry, Notice, Notification, Phase, Reference, Summary, SummaryReason,
};

/// Titles and texts that break naive renderers.
pub(crate) const HOSTILE: &[&str] = &[
    "<!channel> <!here> @everyone @here @channel @all <users/all> <@U012AB3CD> <@&1234>",
    "[click](http://evil.example) ![x](http://evil.example/x.png) <http://evil.example|ok>",
    "**bold** _it_ ~~s~~ `code` ```block``` ||spoiler|| # heading\n> quote\n- list\n1. list",
    "<script>alert(1)</script><b onmouseover=alert(1)>x</b>&lt;&amp;",
    "Subject\r\nBcc: victim@evil.example\r\n\r\nbody",
    "abc\u{202e}gnp.exe\u{202c} \u{200b}\u{feff}\u{2066}",
    "😀😀😀😀😀😀😀😀😀😀🇩🇪👨‍👩‍👧‍👦",
    "\u{1b}[31mred\u{1b}[0m \u{7} \u{0} \u{9b}",
    "{{ title }} {% raw %} ${HOME} $(id) `id` %s %n",
    "\"quotes\" 'and' \\backslashes\\ \u{2028}\u{2029}",
    "",
];

/// Returns the time of every event of the corpus.
pub(crate) fn at() -> Time {
    parse_time("2026-02-23T10:20:49Z").unwrap()
}

/// Returns an ordinary incident.
pub(crate) fn incident() -> StatusEvent {
    StatusEvent {
        seq: 7,
        id: "4f12b0b9b16baa24b5bccae7d7efec9b".into(),
        kind: Kind::Incident,
        provider: "acme".into(),
        provider_name: "Acme Cloud".into(),
        source: "statuspage".into(),
        incident_id: Some("01ABC".into()),
        update_id: Some("u1".into()),
        revision: 1,
        title: "High errors with parcel labels".into(),
        status: IncidentStatus::Identified.into(),
        previous_status: Some(IncidentStatus::Investigating.into()),
        impact: Impact::Major,
        previous_impact: None,
        components: vec![
            Component {
                id: Some("c1".into()),
                name: "Labels".into(),
                group: None,
                status: ComponentStatus::PartialOutage,
            },
            Component {
                id: None,
                name: "Label Printing".into(),
                group: Some("EU".into()),
                status: ComponentStatus::DegradedPerformance,
            },
        ],
        message: Some("We have found the cause.\n\nA fix is being rolled out.".into()),
        url: Some("https://status.acme.example/incidents/01ABC".into()),
        started_at: Some(at()),
        published_at: at(),
        observed_at: at(),
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    }
}

/// Returns an event of every kind, hostile texts in every field, and very long ones.
pub(crate) fn events() -> Vec<StatusEvent> {
    let mut events = vec![incident()];
    events.push(StatusEvent {
        kind: Kind::Maintenance,
        status: IncidentStatus::Scheduled.into(),
        impact: Impact::Maintenance,
        scheduled_for: Some(at()),
        scheduled_until: Some(at() + chrono::TimeDelta::hours(2)),
        ..incident()
    });
    events.push(StatusEvent {
        kind: Kind::Component,
        incident_id: None,
        title: "Labels".into(),
        status: ComponentStatus::MajorOutage.into(),
        message: None,
        ..incident()
    });
    events.push(StatusEvent {
        kind: Kind::Provider,
        incident_id: None,
        title: "Acme Cloud cannot be read".into(),
        status: ProviderStatus::Unreachable.into(),
        impact: Impact::Unknown,
        components: Vec::new(),
        url: None,
        ..incident()
    });
    for hostile in HOSTILE {
        for long in
            [(*hostile).to_owned(), format!("{hostile} ").repeat(10_000 / (hostile.len() + 1))]
        {
            events.push(StatusEvent {
                provider_name: long.clone(),
                title: long.clone(),
                message: Some(format!("{long}\n\n{long}")),
                components: (0..60)
                    .map(|n| Component {
                        id: None,
                        name: format!("{hostile} {n}"),
                        group: Some(long.clone()),
                        status: ComponentStatus::Unknown,
                    })
                    .collect(),
                url: Some(format!("https://status.acme.example/{hostile}?a=1&b=<>|\"")),
                ..incident()
            });
        }
    }
    events.push(StatusEvent { title: "ä".repeat(10_000), ..incident() });
    events.push(StatusEvent { message: Some("𝒳".repeat(20_000)), ..incident() });
    events.push(StatusEvent { message: Some("word ".repeat(20_000)), ..incident() });
    events.push(StatusEvent { url: Some("javascript:alert(1)".into()), ..incident() });
    events.push(StatusEvent {
        url: Some(format!("https://a.example/{}", "x".repeat(5_000))),
        ..incident()
    });
    events
}

/// Returns a notification about `event`.
pub(crate) fn notification<'a>(
    event: &'a StatusEvent,
    phase: Phase,
    reference: Option<&'a Reference>,
) -> Notification<'a> {
    Notification {
        delivery_id: "0123456789abcdef0123456789abcdef",
        thread: "fedcba9876543210fedcba9876543210",
        content: Content::Event(event),
        phase,
        late: None,
        skipped: 0,
        open_since: None,
        reference,
        custom: Custom::default(),
        now: at(),
    }
}

/// Renders every event of the corpus in every phase and form, within a thread and without, and passes
/// each step with its request to `check`.
pub(crate) fn walk(
    channel: &dyn Channel,
    reference: &Reference,
    mut check: impl FnMut(&Step, &Request),
) {
    let cases = [
        (Phase::Open, Form::Rich, None),
        (Phase::Open, Form::Plain, None),
        (Phase::Update, Form::Rich, None),
        (Phase::Update, Form::Rich, Some(reference)),
        (Phase::Update, Form::Plain, Some(reference)),
        (Phase::End, Form::Rich, Some(reference)),
    ];
    for event in events() {
        for (phase, form, reference) in cases {
            let mut notification = notification(&event, phase, reference);
            notification.late = Some(std::time::Duration::from_hours(3));
            notification.skipped = 2;
            for step in channel.render(&notification, form) {
                check(&step, &complete(channel, &step));
            }
        }
    }
}

/// Completes a step.
pub(crate) fn complete(channel: &dyn Channel, step: &Step) -> Request {
    channel.request(step, &Sending { delivery_id: "0123456789abcdef0123456789abcdef", now: at() })
}

/// Renders the ordinary incident.
pub(crate) fn rendered(channel: &dyn Channel, phase: Phase) -> Vec<Step> {
    channel.render(&notification(&incident(), phase, None), Form::Rich)
}

/// Judges an HTTP answer.
pub(crate) fn judged(channel: &dyn Channel, op: &str, status: u16, body: &str) -> Verdict {
    let answer = HttpAnswer { status, headers: Vec::new(), body: body.to_owned() };
    channel.judge(&Step::new(op, ""), &Answer::Http(answer))
}

/// Shows the steps of the ordinary incident when it opens and when it ends: the operation, then the
/// body, as indented JSON if it is JSON.
pub(crate) fn shown(channel: &dyn Channel, reference: Option<&Reference>) -> String {
    let event = incident();
    let mut shown = Vec::new();
    for phase in [Phase::Open, Phase::End] {
        for step in channel.render(&notification(&event, phase, reference), Form::Rich) {
            let body = serde_json::from_str::<serde_json::Value>(&step.body)
                .and_then(|value| serde_json::to_string_pretty(&value))
                .unwrap_or(step.body);
            shown.push(format!("{phase:?} {}\n{body}", step.op));
        }
    }
    // Source files hold no invisible characters.
    shown.join("\n\n").replace('\u{200b}', "<ZWSP>")
}

/// Returns a summary of one open incident.
pub(crate) fn summary() -> Summary {
    Summary {
        reason: SummaryReason::QuietHours,
        intro: "Quiet hours ended at 07:00 (Europe/Berlin).".into(),
        entries: vec![Entry {
            provider: "Acme Cloud".into(),
            title: "High errors with parcel labels".into(),
            kind: Kind::Incident,
            first: IncidentStatus::Investigating.into(),
            last: IncidentStatus::Identified.into(),
            impact: Impact::Critical,
            updates: 3,
            open: true,
            at: at(),
            url: Some("https://status.acme.example/incidents/01ABC".into()),
        }],
        omitted: 0,
        omitted_open: 0,
    }
}

/// Returns a notice about a channel that fails.
pub(crate) fn notice() -> Notice {
    Notice {
        title: "Channel \"ops\" does not work".into(),
        message: "Slack: invalid_auth. Its messages wait.".into(),
        impact: Impact::Major,
        over: false,
        at: at(),
    }
}
